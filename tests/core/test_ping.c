/* SPDX-License-Identifier: MIT */
/* Tests of ping.c: round trips, which pong answers which ping, the decisions of keepalive, and the pongs that the
 * service sends itself. The tests set short times, and wait for states. */
#include "raw_peer.h"

enum { MIB = 1024 * 1024, PONG_BYTES = 10 };

/* ---- Callers' pings ---- */

typedef struct pinging {
    cw_socket *s;
    int timeout_ms;
    cw_status status;
    int64_t rtt_us;
    pthread_t thread;
} pinging;

static void *ping(void *arg)
{
    pinging *w = arg;

    w->status = cw_socket_ping(w->s, w->timeout_ms, &w->rtt_us);
    return NULL;
}

/* Begins a ping in a thread, and waits until it has been sent. */
static void begin_ping(pinging *w, cw_socket *s)
{
    unsigned before = (unsigned)LOCKED(s, s->pings.waiting_count);

    *w = (pinging){.s = s, .timeout_ms = CW_TIMEOUT_NEVER, .rtt_us = -1};
    CHECK_INT(pthread_create(&w->thread, NULL, ping, w), 0);
    UNTIL(LOCKED(s, s->pings.waiting_count) == before + 1);
}

static void end_ping(pinging *w, cw_status wanted)
{
    CHECK_INT(pthread_join(w->thread, NULL), 0);
    CHECK_STATUS(w->status, wanted);
    if (wanted == CW_OK)
        CHECK(w->rtt_us >= 0);
}

/* Answers the ping with the given number. */
static void write_pong(raw_peer *p, uint64_t number)
{
    uint8_t pong[PONG_BYTES] = {0x8a, 8};

    for (int i = 0; i < 8; i++)
        pong[9 - i] = (uint8_t)(number >> (8 * i));
    raw_write(p, pong, sizeof pong);
}

static cw_socket *quiet_socket(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 0), CW_OK);
    return s;
}

static void round_trip(const char *uri)
{
    cw_socket *s = quiet_socket();
    int64_t rtt_us = -1;
    peer_frame first, second;
    const char *log;

    peer_connect(s, uri);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_DEFAULT, &rtt_us), CW_OK);
    CHECK(rtt_us > 0);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_NEVER, NULL), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "a", 1, 0), CW_OK);
    CHECK_MESSAGE(s, CW_UTF8, "a", 1); /* a pong is not a message */
    /* the ping also works while the caller reads the connection */
    CHECK_STATUS(cw_socket_ping(s, 20000, &rtt_us), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_NEVER, NULL), CW_CLOSED);
    log = peer_log();
    CHECK_INT(peer_count_frames(log, CW__OP_PING), 3);
    CHECK(peer_get_frame(log, 0, &first) && peer_get_frame(log, 1, &second));
    CHECK(first.opcode == CW__OP_PING && first.fin && first.masked && first.length > 0);
    CHECK(strncmp(first.payload, second.payload, 2 * first.length) != 0);
    peer_finish(s);
}

static void test_round_trip(void) { round_trip(peer_script("echo/end")); }
static void test_round_trip_tls(void) { round_trip(peer_script_tls("echo/end")); }

static void test_timeout(void)
{
    cw_socket *s = quiet_socket();
    int64_t rtt_us = -1;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_TIMEOUT, 20), CW_OK);
    peer_connect(s, peer_script("frame:4/echo/end"));
    CHECK_STATUS(cw_socket_ping(s, 20, &rtt_us), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_ping(s, 0, &rtt_us), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_DEFAULT, &rtt_us), CW_TIMED_OUT);
    CHECK_INT(rtt_us, 0);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN); /* a timeout of ping() does not end the connection */
    CHECK_INT(LOCKED(s, s->pings.waiting_count), 0);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_OK);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_NEVER, &rtt_us), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    peer_finish(s);
}

static bool say_yes(void *arg)
{
    (void)arg;
    return true;
}

static void test_interrupted(void)
{
    cw_socket *s = quiet_socket();

    peer_connect(s, peer_script("hang"));
    cw_set_wait_hook(say_yes, NULL);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_NEVER, NULL), CW_INTERRUPTED);
    cw_set_wait_hook(NULL, NULL);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    cw_socket_abort(s); /* the server would never answer a close frame */
    peer_finish(s);
}

static void test_several(void)
{
    enum { PINGS = 6, ANSWERED = 4 };
    raw_peer p;
    pinging pings[PINGS];
    raw_frame f;

    raw_open(&p, quiet_socket());
    for (int i = 0; i < PINGS; i++)
        begin_ping(&pings[i], p.s);
    for (int i = 0; i < ANSWERED; i++) {
        CHECK(raw_next(&p, &f));
        CHECK_INT(f.head.opcode, CW__OP_PING);
        CHECK_INT(f.head.payload_bytes, 8);
        CHECK_INT(f.payload[7], i + 1);
        free(f.payload);
    }
    /* a peer may answer only the latest ping; the pong answers the earlier pings too */
    write_pong(&p, ANSWERED);
    for (int i = 0; i < ANSWERED; i++)
        end_ping(&pings[i], CW_OK);
    CHECK_INT(LOCKED(p.s, p.s->pings.waiting_count), PINGS - ANSWERED);
    write_pong(&p, PINGS - 1);
    write_pong(&p, PINGS);
    for (int i = ANSWERED; i < PINGS; i++)
        end_ping(&pings[i], CW_OK);
    raw_finish(&p);
}

static void test_foreign_pongs(void)
{
    raw_peer p;
    pinging w;

    raw_open(&p, quiet_socket());
    RAW_SEND(&p, "\x8a\x08\0\0\0\0\0\0\0\x01"); /* the number of a later ping */
    RAW_SEND(&p, "\x81\x01"
                 "a");
    CHECK_MESSAGE(p.s, CW_UTF8, "a", 1);
    begin_ping(&w, p.s);
    RAW_SEND(&p, "\x8a\x00");
    RAW_SEND(&p, "\x8a\x07\0\0\0\0\0\0\x01");
    RAW_SEND(&p, "\x8a\x09\0\0\0\0\0\0\0\0\x01");
    RAW_SEND(&p, "\x8a\x08\0\0\0\0\0\0\0\0");
    RAW_SEND(&p, "\x8a\x08\0\0\0\0\0\0\0\x02"); /* a ping with this number was not sent yet */
    RAW_SEND(&p, "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\xff");
    RAW_SEND(&p, "\x8a\x05hello");
    RAW_SEND(&p, "\x81\x01"
                 "b");
    UNTIL(LOCKED(p.s, p.s->in.inbox.first != NULL)); /* all bytes have been read */
    CHECK_INT(LOCKED(p.s, p.s->pings.waiting_count == 1 && !p.s->pings.waiting->is_answered), 1);
    write_pong(&p, 1);
    end_ping(&w, CW_OK);
    CHECK_MESSAGE(p.s, CW_UTF8, "b", 1);
    CHECK_INT(cw_socket_state(p.s), CW_STATE_OPEN);
    raw_finish(&p);
}

static void test_many_waiting(void)
{
    enum { MOST = 64 };
    static pinging pings[MOST];
    raw_peer p;

    raw_open(&p, quiet_socket());
    for (int i = 0; i < MOST; i++)
        begin_ping(&pings[i], p.s);
    CHECK_STATUS(cw_socket_ping(p.s, CW_TIMEOUT_NEVER, NULL), CW_WOULD_BLOCK);
    CHECK_HAS(cw_error_message(), "64");
    write_pong(&p, MOST - 1);
    for (int i = 0; i < MOST - 1; i++)
        end_ping(&pings[i], CW_OK);
    CHECK_STATUS(cw_socket_ping(p.s, 0, NULL), CW_TIMED_OUT); /* there is room for a ping again */
    cw_socket_abort(p.s);
    end_ping(&pings[MOST - 1], CW_CLOSED);
    raw_finish(&p);
}

static void *receive(void *arg)
{
    pinging *w = arg;
    cw_event *e = NULL;

    w->status = cw_socket_receive(w->s, CW_TIMEOUT_NEVER, &e);
    cw_event_free(e);
    return NULL;
}

/* One thread receives and reads the pong; another thread waits for it. */
static void test_beside_receive(void)
{
    raw_peer p;
    pinging receiver = {0}, w;

    raw_open(&p, quiet_socket());
    receiver.s = p.s;
    CHECK_INT(pthread_create(&receiver.thread, NULL, receive, &receiver), 0);
    UNTIL(LOCKED(p.s, p.s->in.receiver != NULL));
    begin_ping(&w, p.s);
    write_pong(&p, 1);
    end_ping(&w, CW_OK);
    RAW_SEND(&p, "\x81\x01"
                 "a");
    CHECK_INT(pthread_join(receiver.thread, NULL), 0);
    CHECK_STATUS(receiver.status, CW_OK);
    raw_finish(&p);
}

/* ---- Keepalive ---- */

static cw_socket *keepalive_socket(int64_t interval_ms, int64_t timeout_ms)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, interval_ms), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_TIMEOUT, timeout_ms), CW_OK);
    return s;
}

static void check_lost(cw_socket *s)
{
    cw_event *e = NULL;

    CHECK_CLOSED(s, 1006, false);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_NEVER, &e), CW_CLOSED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
    CHECK_HAS(cw_error_message(), "keepalive");
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_CLOSED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
}

static void test_silent(void)
{
    cw_socket *s = keepalive_socket(20, 40);

    peer_connect(s, peer_script("hang"));
    check_lost(s); /* no call is made, so the service thread finds the loss */
    CHECK(peer_count_frames(peer_log(), CW__OP_PING) >= 1);
    peer_finish(s);
}

static void test_silent_while_receiving(void)
{
    cw_socket *s = keepalive_socket(20, 40);
    cw_event *e = NULL;

    peer_connect(s, peer_script("stall"));
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_NEVER, &e), CW_CLOSED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
    check_lost(s);
    peer_finish(s);
}

/* An upload that does not advance is no sign of life. */
static void test_silent_while_sending(void)
{
    static uint8_t data[8 * MIB];
    raw_peer p;

    raw_open(&p, keepalive_socket(50, 100));
    CHECK_STATUS(cw_socket_send(p.s, CW_BINARY, data, sizeof data, CW_TIMEOUT_NEVER), CW_CLOSED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
    check_lost(p.s);
    raw_finish(&p);
}

static void test_answered(void)
{
    cw_socket *s = keepalive_socket(10, 10000);

    peer_connect(s, peer_script("echo/end"));
    UNTIL(LOCKED(s, s->pings.last_number >= 1));
    /* the number of this ping differs from keepalive's */
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_NEVER, NULL), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    CHECK(peer_count_frames(peer_log(), CW__OP_PING) >= 2);
    peer_finish(s);
}

/* The peer never sends a pong, but sends other data after each ping. */
static void test_traffic_is_life(void)
{
    raw_peer p;
    raw_frame f;

    raw_open(&p, keepalive_socket(20, 30000));
    for (int i = 1; i <= 4; i++) {
        CHECK(raw_next(&p, &f));
        CHECK_INT(f.head.opcode, CW__OP_PING);
        free(f.payload);
        UNTIL(LOCKED(p.s, p.s->pings.deadline_ms != INT64_MAX));
        RAW_SEND(&p, "\x81\x01"
                     "a");
        CHECK_MESSAGE(p.s, CW_UTF8, "a", 1);
        UNTIL(LOCKED(p.s, p.s->pings.deadline_ms == INT64_MAX || p.s->pings.last_number > (uint64_t)i));
        CHECK_INT(cw_socket_state(p.s), CW_STATE_OPEN);
    }
    raw_finish(&p);
}

/* Pings follow each other although the first has no answer and its time has not passed. */
static void test_unanswered(void)
{
    cw_socket *s = keepalive_socket(10, 120000);

    peer_connect(s, peer_script("hang"));
    UNTIL(LOCKED(s, s->pings.last_number >= 5));
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    cw_socket_abort(s); /* the server would never answer a close frame */
    peer_finish(s);
}

/* A socket whose inbox is full is not read. So its silence proves nothing, and no ping is sent. */
static void test_full_inbox(void)
{
    enum { MESSAGES = 200, BYTES = 100, WAIT_MS = 300 };
    raw_peer p;
    cw_socket *s = keepalive_socket(20, 20000);
    uint8_t message[2 + BYTES] = {0x82, BYTES};
    int64_t last_number;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_INBOUND_BUFFER_SIZE, 1024), CW_OK);
    raw_open(&p, s);
    for (int i = 0; i < MESSAGES; i++)
        raw_write(&p, message, sizeof message);
    UNTIL(LOCKED(s, s->in.inbox.is_full && s->pings.is_paused));
    (void)LOCKED(s, s->settings.numbers[CW_OPT_PING_TIMEOUT] = 30);
    last_number = LOCKED(s, s->pings.last_number);
    (void)poll(NULL, 0, WAIT_MS);
    CHECK_INT(LOCKED(s, s->pings.last_number), last_number);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    for (int i = 0; i < MESSAGES; i++)
        CHECK_MESSAGE(s, CW_BINARY, message + 2, BYTES);
    check_lost(s); /* with the inbox empty, silence counts */
    raw_finish(&p);
}

static void test_none(void)
{
    static const int64_t none[] = {0, -1};
    cw_socket *others[2], *s = keepalive_socket(5, 10000);
    char tokens[2][sizeof peer_token];

    for (int i = 0; i < 2; i++) {
        others[i] = keepalive_socket(none[i], 10);
        peer_connect(others[i], peer_script("frame:1/echo/end"));
        memcpy(tokens[i], peer_token, sizeof peer_token);
        CHECK(LOCKED(others[i], cw__pings_due_locked(locked_s)) == INT64_MAX);
    }
    peer_connect(s, peer_script("echo/end"));
    UNTIL(LOCKED(s, s->pings.last_number >= 1));
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(cw_socket_send(others[i], CW_BINARY, "a", 1, 0), CW_OK);
        CHECK_STATUS(cw_socket_close_start(others[i], 1000, NULL, 0), CW_OK);
        CHECK_CLOSED(others[i], 1000, true);
        CHECK_INT(peer_count_frames(peer_log_of(tokens[i]), CW__OP_PING), 0);
        cw_socket_release(others[i]);
    }
    peer_finish(s);
}

/* ping_timeout -1: keepalive pings are sent, and silence has no effect. */
static void test_no_verdict(void)
{
    cw_socket *s = keepalive_socket(5, -1);

    peer_connect(s, peer_script("hang"));
    UNTIL(LOCKED(s, s->pings.last_number >= 3));
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    cw_socket_abort(s); /* the server would never answer a close frame */
    peer_finish(s);
}

enum { UPLOAD_BYTES = 16 * MIB, UPLOAD_HEAD_BYTES = 14 };

static void *upload(void *arg)
{
    static uint8_t data[UPLOAD_BYTES];
    pinging *w = arg;

    w->status = cw_socket_send(w->s, CW_BINARY, data, sizeof data, CW_TIMEOUT_NEVER);
    return NULL;
}

/* Makes the time of the pong pass at once, and waits for what the service thread decides. Then the time may begin again. */
static void pass_ping_timeout(cw_socket *s)
{
    int64_t now_ms;

    cw__mutex_lock(&s->lock);
    s->pings.deadline_ms = now_ms = cw__now_ms();
    cw__socket_attend_locked(s);
    cw__mutex_unlock(&s->lock);
    UNTIL(cw_socket_state(s) != CW_STATE_OPEN || LOCKED(s, s->pings.deadline_ms) != now_ms);
}

/* Returns whether the peer's system has acknowledged more than when the ping was sent, or at the last check. */
static bool has_progressed(cw_socket *s)
{
    return LOCKED(s, (int64_t)s->out.progress_bytes - cw__link_unacknowledged(s->codec->link) >
                         s->pings.acknowledged_bytes);
}

/* The ping waited behind an upload that has finished. The time for the pong begins when the ping leaves. */
static void test_end_of_upload(void)
{
    static uint8_t data[MIB];
    raw_peer p;

    raw_open(&p, keepalive_socket(20, 20000));
    CHECK_STATUS(cw_socket_send(p.s, CW_BINARY, data, sizeof data, 0), CW_OK);
    UNTIL(LOCKED(p.s, p.s->pings.deadline_ms) != INT64_MAX);
    RAW_EXPECT(&p, CW__OP_BINARY, data, sizeof data);
    RAW_EXPECT(&p, CW__OP_PING, "\0\0\0\0\0\0\0\x01", 8);
    pass_ping_timeout(p.s);
    CHECK_INT(cw_socket_state(p.s), CW_STATE_OPEN);
    write_pong(&p, 1);
    UNTIL(LOCKED(p.s, p.s->in.heard != CW__HEARD_NOTHING || p.s->pings.last_number > 1));
    CHECK_INT(cw_socket_state(p.s), CW_STATE_OPEN);
    raw_finish(&p);
}

/* The ping waits behind an upload over a slow line. The peer is silent for many times ping_timeout. */
static void test_slow_upload(void)
{
    enum { STEP_BYTES = 64 * 1024, PEER_ROOM_BYTES = 64 * 1024, VERDICTS = 3 };
    raw_peer p;
    pinging w = {0};
    uint8_t *scrap = malloc(STEP_BYTES);
    int room = PEER_ROOM_BYTES; /* small, so that the peer's system does not take the whole upload at once */
    size_t left = UPLOAD_HEAD_BYTES + UPLOAD_BYTES;

    raw_open(&p, keepalive_socket(20, 20000));
    CHECK_INT(setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    w.s = p.s;
    CHECK_INT(pthread_create(&w.thread, NULL, upload, &w), 0);
    UNTIL(LOCKED(p.s, p.s->pings.deadline_ms) != INT64_MAX);
    for (int i = 0; i < VERDICTS; i++) { /* long before the upload ends */
        for (; !has_progressed(p.s); left -= STEP_BYTES)
            CHECK_INT(raw_read(&p, scrap, STEP_BYTES), STEP_BYTES);
        pass_ping_timeout(p.s);
        CHECK_INT(cw_socket_state(p.s), CW_STATE_OPEN);
    }
    while (left > 0)
        left -= raw_read(&p, scrap, left < STEP_BYTES ? left : STEP_BYTES);
    CHECK_INT(pthread_join(w.thread, NULL), 0);
    CHECK_STATUS(w.status, CW_OK);
    free(scrap);
    (void)LOCKED(p.s, p.s->settings.numbers[CW_OPT_PING_TIMEOUT] = 40);
    pass_ping_timeout(p.s);
    check_lost(p.s); /* no data was on its way any more, and no pong arrived */
    raw_finish(&p);
}

/* ---- Keepalive with a clock that the test sets; times are milliseconds from its start ---- */

enum { NEVER = -1, MOST_PINGS = 256 };

typedef struct course {
    int peer_fd;
    int64_t interval_ms, timeout_ms;
    int64_t rtt_ms;         /* time from a ping to its pong; NEVER = no pong */
    int64_t pongs_until_ms; /* when the peer becomes silent */
    int64_t data_every_ms;  /* NEVER = none */
    int64_t data_until_ms;
    int64_t end_ms; /* when the test ends */
    int64_t pings_ms[MOST_PINGS];
    int count;
    int64_t heard_ms;   /* when the last byte arrived */
    int64_t verdict_ms; /* when the connection counted as lost; NEVER = it did not */
} course;

static int64_t earliest(int64_t a, int64_t b) { return a < b ? a : b; }

static void hear(cw_socket *s, course *c, int64_t at_ms, int64_t zero_ms, bool is_data)
{
    s->in.heard = is_data ? CW__HEARD_MORE : CW__HEARD_PONGS;
    cw__pings_heard_locked(s, zero_ms + at_ms);
    c->heard_ms = at_ms;
}

/* Reads everything, so that the peer's system acknowledges at once when it is told to (Linux). */
static bool is_acknowledged(cw_socket *s, int peer_fd)
{
    uint8_t scrap[64];
    int yes = 1;

    while (recv(peer_fd, scrap, sizeof scrap, MSG_DONTWAIT) > 0)
        continue;
    return setsockopt(peer_fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes) == 0 &&
           cw__link_unacknowledged(s->codec->link) == 0;
}

/* Writes the queued ping. The kernel's acknowledgements do not follow the test's clock. An acknowledgement between two pings
 * would look like an upload that advances. */
static void flush_locked(cw_socket *s, int peer_fd)
{
    cw__outbound_flush_locked(s);
    UNTIL(is_acknowledged(s, peer_fd));
}

/* Moves the clock from one event to the next. The service's own clock is far behind, so nothing is due for it. */
static void run_course_locked(cw_socket *s, course *c)
{
    int64_t zero_ms = cw__now_ms() + INT32_MAX, pong_ms = INT64_MAX;
    int64_t data_ms = c->data_every_ms == NEVER ? INT64_MAX : c->data_every_ms;

    s->settings.numbers[CW_OPT_PING_INTERVAL] = c->interval_ms;
    s->settings.numbers[CW_OPT_PING_TIMEOUT] = c->timeout_ms;
    c->count = 0;
    c->heard_ms = 0;
    c->verdict_ms = NEVER;
    cw__pings_start_locked(s, zero_ms);
    for (;;) {
        int64_t due_ms = cw__pings_due_locked(s), now_ms;
        uint64_t before = s->pings.last_number;
        due_ms = due_ms == INT64_MAX ? due_ms : due_ms - zero_ms;
        now_ms = earliest(due_ms, earliest(pong_ms, data_ms));
        if (now_ms > c->end_ms)
            return;
        if (now_ms == data_ms) {
            hear(s, c, now_ms, zero_ms, true);
            data_ms = now_ms + c->data_every_ms > c->data_until_ms ? INT64_MAX : now_ms + c->data_every_ms;
        } else if (now_ms == pong_ms) {
            hear(s, c, now_ms, zero_ms, false);
            pong_ms = INT64_MAX;
        } else if (cw__pings_attend_locked(s, zero_ms + now_ms)) {
            c->verdict_ms = now_ms;
            return;
        }
        if (s->pings.last_number == before)
            continue;
        CHECK_INT(s->pings.last_number, before + 1);
        CHECK(c->count < MOST_PINGS);
        c->pings_ms[c->count++] = now_ms;
        flush_locked(s, c->peer_fd);
        if (c->rtt_ms != NEVER && now_ms + c->rtt_ms <= c->pongs_until_ms && pong_ms == INT64_MAX)
            pong_ms = now_ms + c->rtt_ms;
    }
}

static const int64_t relations[][2] = {{5000, 20000}, {20000, 5000}, {5000, 5000}, {20000, 20000},
                                       {1000, 200},   {100, 10000},  {10000, 100}, {1, 1000},
                                       {1000, 1},     {7000, 20000}};

enum { RELATIONS = sizeof relations / sizeof relations[0] };

/* Runs one course for each relation between the two controls. */
static void each_relation(void (*check)(cw_socket *s, course *c))
{
    raw_peer p;

    raw_open(&p, quiet_socket());
    cw__mutex_lock(&p.s->lock);
    for (int i = 0; i < RELATIONS; i++) {
        course c = {.peer_fd = p.fd,
                    .interval_ms = relations[i][0],
                    .timeout_ms = relations[i][1],
                    .rtt_ms = NEVER,
                    .data_every_ms = NEVER};
        check(p.s, &c);
    }
    p.s->settings.numbers[CW_OPT_PING_INTERVAL] = 0;
    cw__pings_start_locked(p.s, cw__now_ms());
    cw__mutex_unlock(&p.s->lock);
    raw_finish(&p);
}

static void silent_course(cw_socket *s, course *c)
{
    c->end_ms = 10 * (c->interval_ms + c->timeout_ms);
    if (c->timeout_ms / c->interval_ms >= MOST_PINGS)
        return;
    run_course_locked(s, c);
    CHECK_INT(c->verdict_ms, c->interval_ms + c->timeout_ms);
    CHECK_INT(c->count, 1 + (c->timeout_ms - 1) / c->interval_ms);
    for (int i = 0; i < c->count; i++)
        CHECK_INT(c->pings_ms[i], (i + 1) * c->interval_ms);
}

static void answered_course(cw_socket *s, course *c)
{
    enum { PINGS = 40, SILENT_AFTER = 20 };

    c->rtt_ms = earliest(c->interval_ms, c->timeout_ms) * 2 / 5;
    c->end_ms = c->pongs_until_ms = PINGS * c->interval_ms;
    run_course_locked(s, c);
    CHECK_INT(c->verdict_ms, NEVER);
    CHECK_INT(c->count, PINGS);
    for (int i = 0; i < PINGS; i++)
        CHECK_INT(c->pings_ms[i], (i + 1) * c->interval_ms);
    c->pongs_until_ms = SILENT_AFTER * c->interval_ms + c->rtt_ms;
    c->end_ms = INT64_MAX - 1;
    if (c->timeout_ms / c->interval_ms >= MOST_PINGS - SILENT_AFTER)
        return;
    run_course_locked(s, c);
    CHECK_INT(c->heard_ms, c->pongs_until_ms);
    CHECK_INT(c->verdict_ms, (SILENT_AFTER + 1) * c->interval_ms + c->timeout_ms);
    CHECK(c->verdict_ms <= c->heard_ms + c->interval_ms + c->timeout_ms);
}

/* A pong that takes longer than ping_interval, but less than ping_timeout. */
static void late_course(cw_socket *s, course *c)
{
    enum { PINGS = 40 };

    if (c->timeout_ms <= c->interval_ms)
        return;
    c->rtt_ms = (c->interval_ms + c->timeout_ms) / 2;
    c->end_ms = c->pongs_until_ms = PINGS * c->interval_ms;
    run_course_locked(s, c);
    CHECK_INT(c->verdict_ms, NEVER);
    CHECK_INT(c->count, PINGS);
}

static void flowing_course(cw_socket *s, course *c)
{
    enum { TIMES = 50 };

    c->data_every_ms = c->interval_ms - c->interval_ms / 3;
    if (c->interval_ms < 3 || c->timeout_ms / c->interval_ms >= MOST_PINGS)
        return;
    c->data_until_ms = TIMES * c->data_every_ms;
    c->end_ms = INT64_MAX - 1;
    run_course_locked(s, c);
    CHECK_INT(c->heard_ms, c->data_until_ms);
    CHECK_INT(c->pings_ms[0], c->heard_ms + c->interval_ms); /* no ping while data arrived */
    CHECK_INT(c->verdict_ms, c->heard_ms + c->interval_ms + c->timeout_ms);
}

/* A full inbox stops both clocks. They restart when reading goes on. A ping then waits for a pause of CW__LULL_MS. */
static void paused_course(cw_socket *s, course *c)
{
    int64_t zero_ms = cw__now_ms() + INT32_MAX, resumed_ms = zero_ms + 1000 * c->interval_ms;
    int64_t ping_ms = resumed_ms + c->interval_ms;
    uint64_t before = s->pings.last_number;

    s->settings.numbers[CW_OPT_PING_INTERVAL] = c->interval_ms;
    s->settings.numbers[CW_OPT_PING_TIMEOUT] = c->timeout_ms;
    cw__pings_start_locked(s, zero_ms);
    CHECK(!cw__pings_attend_locked(s, zero_ms + c->interval_ms));
    CHECK_INT(s->pings.last_number, before + 1);
    flush_locked(s, c->peer_fd);
    s->in.inbox.is_full = true;
    cw__pings_paused_locked(s);
    CHECK(cw__pings_due_locked(s) == INT64_MAX);
    CHECK(!cw__pings_attend_locked(s, resumed_ms));
    s->in.inbox.is_full = false;
    cw__pings_resumed_locked(s, resumed_ms);
    CHECK(cw__pings_due_locked(s) == resumed_ms + CW__LULL_MS);
    while (s->pings.last_number == before + 1) { /* looks for a pause, once or twice, and sends the ping */
        int64_t due_ms = cw__pings_due_locked(s);
        CHECK(s->pings.is_behind || due_ms == ping_ms);
        CHECK(!cw__pings_attend_locked(s, due_ms - 1));
        CHECK_INT(s->pings.last_number, before + 1);
        CHECK(!cw__pings_attend_locked(s, due_ms));
        ping_ms = ping_ms < due_ms && !s->pings.is_behind ? due_ms : ping_ms;
    }
    CHECK_INT(s->pings.last_number, before + 2);
    CHECK(!s->pings.is_behind);
    flush_locked(s, c->peer_fd);
    CHECK(cw__pings_attend_locked(s, ping_ms + c->timeout_ms));
}

static void off_course(cw_socket *s, course *c)
{
    const int64_t timeout_ms = c->timeout_ms;

    c->end_ms = 100 * c->interval_ms;
    c->timeout_ms = -1;
    run_course_locked(s, c);
    CHECK_INT(c->verdict_ms, NEVER);
    CHECK_INT(c->count, 100);
    CHECK_INT(c->pings_ms[99], 100 * c->interval_ms);
    c->timeout_ms = timeout_ms;
    for (c->interval_ms = -1; c->interval_ms <= 0; c->interval_ms++) {
        run_course_locked(s, c);
        CHECK_INT(c->verdict_ms, NEVER);
        CHECK_INT(c->count, 0);
    }
}

static void test_clock_silent(void) { each_relation(silent_course); }
static void test_clock_answered(void) { each_relation(answered_course); }
static void test_clock_late(void) { each_relation(late_course); }
static void test_clock_flowing(void) { each_relation(flowing_course); }
static void test_clock_paused(void) { each_relation(paused_course); }
static void test_clock_off(void) { each_relation(off_course); }

/* A service that comes late sends one ping, not all that it missed, and continues from there. */
static void test_clock_late_service(void)
{
    raw_peer p;
    int64_t zero_ms = cw__now_ms() + INT32_MAX;

    raw_open(&p, quiet_socket());
    cw__mutex_lock(&p.s->lock);
    p.s->settings.numbers[CW_OPT_PING_INTERVAL] = 1000;
    p.s->settings.numbers[CW_OPT_PING_TIMEOUT] = 60000;
    cw__pings_start_locked(p.s, zero_ms);
    CHECK(!cw__pings_attend_locked(p.s, zero_ms + 1400));
    CHECK(cw__pings_due_locked(p.s) == zero_ms + 2000); /* delays do not add up */
    flush_locked(p.s, p.fd);
    CHECK(!cw__pings_attend_locked(p.s, zero_ms + 9500));
    CHECK_INT(p.s->pings.last_number, 2);
    CHECK(cw__pings_due_locked(p.s) == zero_ms + 10500);
    p.s->settings.numbers[CW_OPT_PING_INTERVAL] = 0;
    cw__pings_start_locked(p.s, cw__now_ms());
    cw__mutex_unlock(&p.s->lock);
    raw_finish(&p);
}

/* ---- The server's pings ---- */

static void served_pings(const char *uri)
{
    cw_socket *s = quiet_socket();
    const char *log;
    peer_frame f;

    peer_connect(s, uri);
    UNTIL(cw_socket_state(s) == CW_STATE_CLOSED); /* no call has been made meanwhile */
    log = peer_log();
    CHECK_INT(peer_count_frames(log, CW__OP_PONG), 3);
    CHECK(peer_get_frame(log, 0, &f) && f.opcode == CW__OP_PONG && f.fin && f.masked && f.length == 4);
    CHECK(strncmp(f.payload, "deadbeef", 8) == 0);
    CHECK(peer_get_frame(log, 1, &f) && f.opcode == CW__OP_PONG && f.length == 0);
    CHECK(peer_get_frame(log, 2, &f) && f.opcode == CW__OP_PONG && f.length == 125);
    for (int i = 0; i < 125; i++)
        CHECK(strncmp(f.payload + 2 * i, "5a", 2) == 0);
    CHECK_CLOSED(s, 1000, true);
    peer_finish(s);
}

static const char *ping_steps(void)
{
    static char steps[512];
    int len = snprintf(steps, sizeof steps, "x:8904deadbeef/frame:1/x:8900/frame:2/x:897d");

    for (int i = 0; i < 125; i++)
        len += snprintf(steps + len, sizeof steps - (size_t)len, "5a");
    (void)snprintf(steps + len, sizeof steps - (size_t)len, "/frame:3/close:1000/frame:4/end");
    return steps;
}

static void test_served_pings(void) { served_pings(peer_script("%s", ping_steps())); }
static void test_served_pings_tls(void) { served_pings(peer_script_tls("%s", ping_steps())); }

static const harness_test tests[] = {
    {"RFC 6455 5.5.2: a ping and its round trip", test_round_trip},
    {"RFC 6455 5.5.2: the same over TLS", test_round_trip_tls},
    {"a ping without a pong times out, the connection stays open", test_timeout},
    {"a ping is interrupted by the hook", test_interrupted},
    {"RFC 6455 5.5.3: several at once; a pong answers the pings before, too", test_several},
    {"RFC 6455 5.5.3: unsolicited and foreign pongs are ignored", test_foreign_pongs},
    {"a 65th ping cannot wait", test_many_waiting},
    {"a ping while another thread receives", test_beside_receive},
    {"keepalive finds a silent server: 1006, Timeout", test_silent},
    {"keepalive ends a receive on a stalled server", test_silent_while_receiving},
    {"keepalive ends an upload that does not advance", test_silent_while_sending},
    {"keepalive pings are answered and the connection stays open", test_answered},
    {"any data after a keepalive ping is a sign of life", test_traffic_is_life},
    {"pings follow ping_interval while the first is not answered", test_unanswered},
    {"a full inbox: no ping, no timeout", test_full_inbox},
    {"ping_interval 0 and -1 send none", test_none},
    {"ping_timeout -1: silence has no effect", test_no_verdict},
    {"a ping behind a slow upload does not time out", test_slow_upload},
    {"the time of a pong begins after the upload before its ping", test_end_of_upload},
    {"any interval and timeout: a silent peer is found at their sum", test_clock_silent},
    {"any interval and timeout: answered pings are on time, silence is found after the last byte",
     test_clock_answered},
    {"any interval and timeout: a pong later than the next ping is in time", test_clock_late},
    {"any interval and timeout: no ping while data comes, silence is found after the last byte",
     test_clock_flowing},
    {"any interval and timeout: a full inbox stops the clocks", test_clock_paused},
    {"any interval and timeout: one of them off", test_clock_off},
    {"a late service does not send the pings that it missed", test_clock_late_service},
    {"RFC 6455 5.5.3: the server's pings are answered while no call is made", test_served_pings},
    {"RFC 6455 5.5.3: the same over TLS", test_served_pings_tls},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

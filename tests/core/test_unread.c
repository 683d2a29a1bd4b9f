/* SPDX-License-Identifier: MIT */
/* Tests that nothing that we send on our own (keepalive pings, pongs, close frames) makes us lose the peer's data. A
 * peer that has ended TCP answers any data by RST, and its kernel drops what it still has to send. In each test the
 * peer sends everything, more than our side takes with a full inbox, then its close frame, and ends TCP at once. */
#include "gate.h"

enum { BYTES = 1000, HEAD_BYTES = 4, ROOM_BYTES = 4096, WAIT_MS = 400, INTERVAL_MS = 10 };

static const int64_t framings[] = {CW_FRAMING_AUTO, CW_FRAMING_CURL};

typedef struct flood {
    cw_class socket_class;
    int64_t framing;
    int64_t interval_ms;
    int64_t pong_ms; /* interval of unsolicited pongs */
    int messages;
    int ping_every;   /* messages between two pings of the peer; 0 = no pings */
    int pause_ms;     /* time that the program computes before each message */
    int wait_ms;      /* time that the program computes before it takes the first message */
    bool begins_full; /* the first read gets more than the inbox takes */
} flood;

static cw_socket *flood_socket(const flood *f)
{
    cw_socket *s = peer_socket(f->socket_class);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_INBOUND_BUFFER_SIZE, ROOM_BYTES), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, f->interval_ms), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL, f->pong_ms), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, f->framing), CW_OK);
    return s;
}

/* Sends everything. Returns the number of bytes that our system has not received yet. */
static int send_flood(raw_peer *p, const flood *f)
{
    uint8_t message[HEAD_BYTES + BYTES] = {0x82, 126, BYTES >> 8, BYTES & 0xff};
    int size = 8 * 1024 * 1024, held = 0;

    (void)setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size); /* as much as the system allows */
    if (f->begins_full)
        hold_service();
    for (int i = 0; i < f->messages; i++) {
        if (f->begins_full && i == ROOM_BYTES / BYTES + 2) {
            UNTIL(raw_is_delivered(p));
            let_service_go();
        }
        if (f->ping_every && i % f->ping_every == 0)
            RAW_SEND(p, "\x89\x01p");
        message[HEAD_BYTES] = (uint8_t)i;
        raw_write(p, message, sizeof message);
    }
    RAW_SEND(p, "\x88\x02\x03\xe8");
    UNTIL(LOCKED(p->s, p->s->in.inbox.is_full));
    while (recv(p->fd, p->buffer, sizeof p->buffer, MSG_DONTWAIT) >
           0) /* unread data would make TCP end by RST */
        continue;
    CHECK_INT(ioctl(p->fd, SIOCOUTQ, &held), 0);
    return held;
}

static void take_messages(cw_socket *s, const flood *f)
{
    uint8_t buffer[BYTES];
    cw_received received;

    for (int i = 0; i < f->messages; i++) {
        (void)poll(NULL, 0, f->pause_ms);
        CHECK_STATUS(cw_socket_receive_into(s, buffer, sizeof buffer, CW_TIMEOUT_NEVER, &received), CW_OK);
        CHECK_INT(received.len_bytes, BYTES);
        CHECK_INT(buffer[0], (uint8_t)i);
    }
    CHECK_STATUS(cw_socket_receive_into(s, buffer, sizeof buffer, CW_TIMEOUT_NEVER, &received), CW_CLOSED);
}

static void take_stream(cw_socket *s, const flood *f)
{
    uint8_t buffer[BYTES];
    size_t total = 0, len = 0;

    do {
        (void)poll(NULL, 0, f->pause_ms);
        CHECK_STATUS(cw_socket_read(s, buffer, sizeof buffer, CW_TIMEOUT_NEVER, &len), CW_OK);
        for (size_t i = 0; i < len; i++, total++)
            CHECK_INT(buffer[i], total % BYTES == 0 ? (uint8_t)(total / BYTES) : 0);
    } while (len > 0);
    CHECK_INT(total, (size_t)f->messages * BYTES);
}

static void run_flood(const flood *f)
{
    cw_socket *s = flood_socket(f);
    raw_peer p;
    int code;

    raw_open(&p, s);
    CHECK(send_flood(&p, f) > BYTES); /* the peer's kernel still has some of the data */
    raw_end(&p);
    (void)poll(NULL, 0, f->wait_ms); /* the program computes */
    if (f->socket_class == CW_STREAM_SOCKET)
        take_stream(s, f);
    else
        take_messages(s, f);
    CHECK(cw_socket_ended_normally(s));
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    (void)cw_socket_get_closed(s, &code, NULL, 0, NULL);
    CHECK_INT(code, 1000);
    cw_socket_release(s);
}

/* For both classes, and both codecs. */
static void each_flood(flood f)
{
    static const cw_class classes[] = {CW_MESSAGE_SOCKET, CW_STREAM_SOCKET};

    f.messages = 400;
    for (int i = 0; i < 4; i++) {
        f.socket_class = classes[i / 2];
        f.framing = framings[i % 2];
        run_flood(&f);
    }
    cw_shutdown(5000);
}

static void test_keepalive(void) { each_flood((flood){.interval_ms = INTERVAL_MS, .wait_ms = WAIT_MS}); }
static void test_pong(void) { each_flood((flood){.ping_every = 200, .wait_ms = WAIT_MS}); }
static void test_pongs(void) { each_flood((flood){.ping_every = 7, .wait_ms = WAIT_MS}); }

static void test_unsolicited(void)
{
    each_flood((flood){.pong_ms = INTERVAL_MS, .wait_ms = WAIT_MS});
    each_flood((flood){.pong_ms = INTERVAL_MS, .pause_ms = 2});
}

static void test_slow(void)
{
    each_flood((flood){.interval_ms = INTERVAL_MS, .ping_every = 50, .wait_ms = 50, .pause_ms = 2});
}

/* The same through a mailbox, as handlers get messages. */
static void test_mailbox(void)
{
    flood f = {.interval_ms = INTERVAL_MS, .ping_every = 7, .messages = 400};
    cw_socket *s = flood_socket(&f);
    cw_mailbox *m = NULL;
    cw_event *e = NULL;
    raw_peer p;
    int count = 0;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_MESSAGE | CW_EVENT_CLOSED), CW_OK);
    raw_open(&p, s);
    CHECK(send_flood(&p, &f) > BYTES);
    raw_end(&p);
    (void)poll(NULL, 0, WAIT_MS);
    for (;; cw_event_free(e), count++) {
        CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
        if (cw_event_get_type(e) == CW_EVENT_CLOSED)
            break;
    }
    CHECK_INT(cw_event_close_code(e), 1000);
    cw_event_free(e);
    CHECK_INT(count, f.messages);
    cw_mailbox_release(m);
    peer_finish(s);
}

/* ---- Pongs to a peer that still reads ---- */

/* The program keeps up. So the pong is sent before the program can answer the message after the ping. */
static void test_pong_first(void)
{
    for (int i = 0; i < 2; i++) {
        flood f = {.framing = framings[i]};
        raw_peer p;
        raw_open(&p, flood_socket(&f));
        RAW_SEND(&p, "\x89\x01p"
                     "\x81\x01"
                     "a"
                     "\x81\x01"
                     "b");
        CHECK_MESSAGE(p.s, CW_UTF8, "a", 1);
        CHECK_STATUS(cw_socket_send(p.s, CW_UTF8, "c", 1, 0), CW_OK);
        RAW_EXPECT(&p, CW__OP_PONG, "p", 1);
        RAW_EXPECT(&p, CW__OP_TEXT, "c", 1);
        CHECK_MESSAGE(p.s, CW_UTF8, "b", 1);
        raw_finish(&p);
    }
}

/* While the inbox is full the pong waits. It is sent when everything has been read, without a call. */
static void test_pong_after_pause(void)
{
    for (int i = 0; i < 2; i++) {
        flood f = {.framing = framings[i], .messages = 400, .ping_every = 100, .begins_full = true};
        raw_peer p;
        struct pollfd descriptor = {.events = POLLIN};
        raw_open(&p, flood_socket(&f));
        (void)send_flood(&p, &f);
        descriptor.fd = p.fd;
        CHECK_INT(poll(&descriptor, 1, WAIT_MS), 0);
        CHECK_INT(LOCKED(p.s, p.s->pings.owed_count), 1);
        for (int taken = 0; taken < f.messages; taken++) {
            cw_event *e = NULL;
            CHECK_STATUS(cw_socket_receive(p.s, CW_TIMEOUT_NEVER, &e), CW_OK);
            cw_event_free(e);
        }
        UNTIL(cw_socket_state(p.s) == CW_STATE_CLOSED); /* the close frame has arrived, so no pong is owed */
        RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
        raw_finish(&p);
    }
}

/* ---- The end of a descriptor ---- */

/* We drop the connection while data of the peer is unread. Data that a send has passed to the kernel still arrives,
 * followed by FIN. Without our reading, the kernel would send RST, and the peer would lose data that its system did
 * not have yet. */
static void test_sent_before_abort(void)
{
    enum { SENT_BYTES = 256 * 1024, PEER_ROOM_BYTES = 4096, HELD_BY_CODEC_BYTES = 32 * 1024 };
    static uint8_t data[SENT_BYTES];
    flood f = {.messages = 40}; /* our kernel takes all messages */
    int room = PEER_ROOM_BYTES;
    size_t given, got = 0;
    raw_peer p;
    ssize_t len;

    raw_open(&p, flood_socket(&f));
    CHECK_INT(setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room), 0);
    (void)send_flood(&p, &f);
    UNTIL(raw_is_delivered(&p));
    (void)cw_socket_send(p.s, CW_BINARY, data, sizeof data, 0);
    cw_socket_abort(p.s);
    given = (size_t)LOCKED(p.s, p.s->out.progress_bytes);
    UNTIL(LOCKED(p.s, !p.s->is_attached));
    while ((len = recv(p.fd, p.buffer, sizeof p.buffer, 0)) > 0)
        got += (size_t)len;
    CHECK_INT(len, 0); /* FIN */
    CHECK(given > HELD_BY_CODEC_BYTES && got >= given - HELD_BY_CODEC_BYTES);
    raw_finish(&p);
}

static const harness_test tests[] = {
    {"keepalive pings lose no data of the peer", test_keepalive},
    {"RFC 6455 5.5.2: a pong loses no data of the peer", test_pong},
    {"RFC 6455 5.5.2: many pongs lose no data of the peer", test_pongs},
    {"unsolicited pongs while much is unread", test_unsolicited},
    {"a program that is slow with each message loses no data of the peer", test_slow},
    {"a program with a mailbox loses no data of the peer", test_mailbox},
    {"RFC 6455 5.5.2: a pong is sent before the caller's answer", test_pong_first},
    {"a pong waits while the inbox is full", test_pong_after_pause},
    {"what the kernel has taken arrives, although bytes are unread when we drop the connection",
     test_sent_before_abort},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of ping.c with access to its state; the clock is an argument. They test limits, owed pongs, and a ping in each
 * state of the socket. test_ping.c and test_unread.c test the same over connections. */
#include "gate.h"

enum {
    LULL_MS = 250,
    LATE_AT_MOST_MS = 5000,
    BROKEN_LIMIT_MS = 10000,
    OWED_AT_MOST = 16,
    ENOUGH_BYTES = 16 * 1024 * 1024,
    WAIT_AT_MOST_MS = 5000
};

static cw_socket *open_raw(raw_peer *p)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    *p = (raw_peer){0};
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 1000000), CW_OK);
    raw_open(p, s);
    return s;
}

static void drop(raw_peer *p)
{
    peer_drop(p->s);
    raw_end(p);
    cw_shutdown(0);
}

static bool interrupt(void *arg) { return arg == NULL; }

static void test_states(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    raw_peer p;
    char uri[64];
    int listener = raw_listen(uri); /* the peer accepts no connection */
    int64_t rtt_us = 7;

    CHECK_STATUS(cw_socket_ping(s, 0, &rtt_us), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "the socket is not connected");
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_ping(s, 0, &rtt_us), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "still connecting");
    CHECK_INT(rtt_us, 0);
    peer_drop(s);
    (void)close(listener);

    s = open_raw(&p);
    cw_set_wait_hook(interrupt, NULL);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_NEVER, NULL), CW_INTERRUPTED);
    CHECK_HAS(cw_error_message(), "interrupted while waiting for a pong");
    cw_set_wait_hook(NULL, NULL);
    hold_service(); /* so that the next allocation is made by the call below */
    cw__alloc_fail_at(0);
    CHECK_STATUS(cw_socket_ping(s, 0, NULL), CW_NO_MEMORY);
    CHECK_HAS(cw_error_message(), "no memory for a ping");
    cw__alloc_fail_at(-1);
    let_service_go();
    drop(&p);
}

/* The limit of owed pongs, and the time limit of a connection on which a write has failed. */
static void test_limits(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    const cw__pong *last;

    cw__mutex_lock(&s->lock);
    s->in.is_drained = false;
    for (uint8_t i = 0; i < OWED_AT_MOST + 2; i++)
        CHECK(cw__pings_owe_locked(s, &i, 1));
    CHECK_INT(s->pings.owed_count, OWED_AT_MOST);
    for (last = s->pings.owed; last->next; last = last->next)
        CHECK(last->len_bytes == 1);
    CHECK_INT(s->pings.owed->data[0], 0);
    CHECK_INT(last->data[0], OWED_AT_MOST + 1); /* the latest pong replaces the pong before it */
    s->pings.owed_bytes = 1;
    cw__pings_forget(&s->pings);
    CHECK(s->pings.owed == NULL && s->pings.owed_count == 0 && s->pings.owed_bytes == 0);
    s->out.is_broken = true;
    CHECK(cw__pings_owe_locked(s, NULL, 0));
    CHECK(cw__pings_pay_all_locked(s));
    CHECK(s->pings.owed == NULL && s->out.first == NULL); /* a pong is not queued after a failed write */
    cw__pings_broken_locked(s, 5000);
    CHECK_INT(s->pings.deadline_ms, 5000 + BROKEN_LIMIT_MS);
    CHECK_INT(s->pings.next_ms, INT64_MAX);
    CHECK_INT(cw__pings_due_locked(s), 5000 + BROKEN_LIMIT_MS);
    cw__mutex_unlock(&s->lock);
    drop(&p);
}

/* A ping carries its number in eight bytes, and its round trip is measured. */
static void test_numbers(void)
{
    static const char bytes[] = "\x01\x02\x03\x04\x05\x06\x07\x08";
    cw__ping waiting = {.number = 0x0102030405060708};
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    int64_t begin_us = cw__now_us(), rtt_us = -1;
    raw_peer p;

    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_DEFAULT, &rtt_us), CW_OK);
    CHECK(rtt_us >= 0 && rtt_us <= cw__now_us() - begin_us);
    cw_socket_release(s);
    s = open_raw(&p);
    cw__mutex_lock(&s->lock);
    s->pings.last_number = 0x0102030405060707;
    cw__mutex_unlock(&s->lock);
    CHECK_STATUS(cw_socket_ping(s, 1, &rtt_us), CW_TIMED_OUT);
    RAW_EXPECT(&p, CW__OP_PING, bytes, 8);
    cw__mutex_lock(&s->lock);
    s->pings.waiting = &waiting;
    cw__pings_answered_locked(s, (const uint8_t *)bytes, 8);
    s->pings.waiting = NULL;
    cw__mutex_unlock(&s->lock);
    CHECK(waiting.is_answered);
    drop(&p);
}

/* If there is no memory for a pong, the connection ends, even if there is memory for the next one. */
static void ends_without_memory(bool is_closing)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);

    cw__mutex_lock(&s->lock);
    CHECK(cw__pings_owe_locked(s, (const uint8_t *)"x", 1));
    CHECK(cw__pings_owe_locked(s, (const uint8_t *)"y", 1));
    s->in.is_drained = true;
    /* keepalive reads first, and our own decoder needs memory for that */
    cw__alloc_fail_at(is_closing || strcmp(s->codec->calls->name, "curl") == 0 ? 0 : 1);
    if (is_closing)
        cw__closing_begin_locked(s, 1000, "", 0);
    else
        CHECK(!cw__pings_attend_locked(s, cw__now_ms()));
    cw__alloc_fail_at(-1);
    CHECK_INT(s->close.state, CW__CLOSE_ENDED);
    CHECK_HAS(s->fault.message, "no memory for a pong");
    cw__mutex_unlock(&s->lock);
    drop(&p);
}

static void test_pong_without_memory(void)
{
    ends_without_memory(true);
    ends_without_memory(false);
}

static size_t count_queued(const cw_socket *s, uint8_t opcode)
{
    size_t count = 0;

    for (const cw__queued_frame *f = s->out.first; f; f = f->next)
        count += f->opcode == opcode;
    return count;
}

static void fill_kernel(cw_socket *s)
{
    static uint8_t bytes[1000];

    while (LOCKED(s, s->out.first == NULL))
        CHECK_STATUS(cw_socket_send(s, CW_BINARY, bytes, sizeof bytes, 0), CW_OK);
}

/* Queues a message of which the kernels take only a part, and two small messages behind it. */
static void fill_queue(cw_socket *s)
{
    static uint8_t bytes[4 * 1024 * 1024];

    (void)LOCKED(s, s->settings.numbers[CW_OPT_SEND_HIGH_WATER_MARK] = 2 * (int64_t)sizeof bytes);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, bytes, sizeof bytes, 0), CW_OK);
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_OK);
}

/* At most one ping waits behind an upload, however long that takes. */
static void test_one_ping_waits(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);

    fill_kernel(s);
    cw__mutex_lock(&s->lock);
    s->settings.numbers[CW_OPT_PING_TIMEOUT] = 0; /* without a limit, because this test's clock runs ahead */
    for (int i = 0; i < 3; i++) {
        CHECK(!cw__pings_attend_locked(s, s->pings.next_ms));
        CHECK_INT(count_queued(s, CW__OP_PING), 1);
    }
    cw__mutex_unlock(&s->lock);
    drop(&p);
}

/* A server that acknowledges data from the kernel is alive, although nothing waits in the socket. */
static void test_getting_through(void)
{
    static uint8_t bytes[16 * 1024];
    raw_peer p;
    cw_socket *s = open_raw(&p);
    int64_t due_ms;
    int held;

    fill_kernel(s);
    cw__mutex_lock(&s->lock);
    cw__queue_destroy(&s->out); /* drops what the kernel has not taken */
    CHECK_INT(s->out.sending, CW__SENDING_NOTHING);
    held = cw__link_unacknowledged(s->codec->link);
    CHECK(held > 0);
    due_ms = cw__now_ms();
    s->pings.next_ms = INT64_MAX;
    s->pings.deadline_ms = due_ms;
    s->pings.has_more = false;
    s->pings.acknowledged_bytes = (int64_t)s->out.progress_bytes - held;
    while (cw__link_unacknowledged(s->codec->link) >= held)
        CHECK(raw_read(&p, bytes, sizeof bytes) > 0);
    CHECK(!cw__pings_attend_locked(s, due_ms));
    CHECK(s->pings.deadline_ms > due_ms);
    s->pings.acknowledged_bytes = INT64_MAX / 2; /* there is no progress */
    CHECK(cw__pings_attend_locked(s, s->pings.deadline_ms));
    cw__mutex_unlock(&s->lock);
    drop(&p);
}

/* Pings continue when reading does, even if a caller reads and nothing else wakes the service thread. */
static void test_resumed(void)
{
    enum { INTERVAL_MS = 20 };
    raw_peer p = {0};
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    raw_frame f;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, INTERVAL_MS), CW_OK);
    raw_open(&p, s);
    cw__mutex_lock(&s->lock);
    s->in.inbox.is_full = s->pings.is_paused = true;
    cw__mutex_unlock(&s->lock);
    (void)poll(NULL, 0, 4 * INTERVAL_MS);                           /* the service thread becomes idle */
    while (recv(p.fd, p.buffer, sizeof p.buffer, MSG_DONTWAIT) > 0) /* drops earlier pings */
        continue;
    cw__mutex_lock(&s->lock);
    s->in.inbox.is_full = false;
    s->in.reader = CW__READER_CALLER;
    s->in.reclaim_due_ms = INT64_MAX;
    cw__pings_resumed_locked(s, cw__now_ms());
    CHECK(!s->pings.is_paused && s->pings.is_behind);
    cw__mutex_unlock(&s->lock);
    CHECK(raw_next(&p, &f));
    CHECK_INT(f.head.opcode, CW__OP_PING);
    free(f.payload);
    drop(&p);
}

/* The service thread reads again when a full inbox has room, also if it had not stopped reading. */
static void test_room_again(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);

    cw__mutex_lock(&s->lock);
    s->in.inbox.is_full = true;
    cw__socket_watch_locked(s);
    CHECK_INT(s->in.reader, CW__READER_SERVICE);
    cw__mutex_unlock(&s->lock);
    RAW_SEND(&p, "\x81\x01"
                 "a");
    UNTIL(raw_is_delivered(&p));
    cw__mutex_lock(&s->lock);
    CHECK(s->in.inbox.first == NULL);
    s->in.inbox.is_full = s->pings.is_paused = false;
    cw__pings_resumed_locked(s, cw__now_ms());
    CHECK(!s->pings.is_behind);
    cw__mutex_unlock(&s->lock);
    UNTIL(LOCKED(s, s->in.inbox.first != NULL));
    drop(&p);
}

typedef struct owed_case {
    bool is_drained, is_behind, is_full;
    int64_t silent_ms;
    uint64_t owed_bytes;
    bool is_paid;
    int64_t waited_ms;
} owed_case;

/* Tests when an owed pong is sent. */
static void test_owed(void)
{
    static const owed_case cases[] = {
        {true, false, false, 0, 0, true, 0},
        {false, false, false, LULL_MS, ENOUGH_BYTES - 1, false, 0},
        {false, false, false, 0, ENOUGH_BYTES, true, 0},
        {true, true, false, LULL_MS - 1, 0, false, 0},
        {true, true, false, LULL_MS, 0, true, 0},
        {true, true, false, 0, ENOUGH_BYTES, true, 0},
        {true, false, true, LULL_MS, ENOUGH_BYTES, false, 0},
        {true, true, false, 0, 0, true, WAIT_AT_MOST_MS}, /* a feed that never pauses */
        {true, true, false, 0, 0, false, 0},
        {false, true, false, 0, 0, false, WAIT_AT_MOST_MS},
        {true, true, true, 0, 0, false, WAIT_AT_MOST_MS},
    };
    raw_peer p;
    cw_socket *s = open_raw(&p);

    cw__mutex_lock(&s->lock);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const owed_case *c = &cases[i];
        int64_t now_ms = cw__now_ms();
        cw__pings_forget(&s->pings);
        CHECK(cw__pings_owe_locked(s, NULL, 0));
        s->in.is_drained = c->is_drained;
        s->pings.is_behind = c->is_behind;
        s->in.inbox.is_full = c->is_full;
        s->pings.heard_ms = now_ms - c->silent_ms;
        s->pings.lull_ms = LULL_MS;
        s->pings.owed_bytes = c->owed_bytes;
        s->pings.owed_ms = cw__now_ms() - c->waited_ms;
        cw__pings_lulled_locked(s, now_ms);
        CHECK(cw__pings_pay_locked(s));
        CHECK_INT(s->pings.owed == NULL, c->is_paid);
    }
    s->in.inbox.is_full = false;
    s->pings.next_ms = s->pings.deadline_ms = INT64_MAX;
    s->pings.heard_ms = 5000;
    s->in.is_drained = true;
    for (int is_behind = 0; is_behind < 2; is_behind++) {
        s->pings.is_behind = is_behind;
        CHECK_INT(cw__pings_due_locked(s), is_behind ? 5000 + LULL_MS : 0);
    }
    s->pings.owed_ms = 5000 + LULL_MS - 1 - WAIT_AT_MOST_MS;
    CHECK_INT(cw__pings_due_locked(s), 5000 + LULL_MS - 1);
    s->pings.owed_bytes = ENOUGH_BYTES;
    CHECK_INT(cw__pings_due_locked(s), 0);
    s->pings.owed_bytes = 0;
    s->in.is_drained = s->pings.is_behind = false;
    CHECK_INT(cw__pings_due_locked(s), INT64_MAX);
    cw__pings_forget(&s->pings);
    for (int more = -1; more < 2; more++) { /* a pause ends the backlog, if everything was read */
        s->pings.heard_ms = 1000;
        s->pings.is_behind = true;
        s->in.is_drained = false;
        CHECK_INT(cw__pings_due_locked(s), 1000 + LULL_MS);
        cw__pings_lulled_locked(s, 1000 + LULL_MS + more);
        CHECK(s->pings.is_behind);
        s->in.is_drained = true;
        cw__pings_lulled_locked(s, 1000 + LULL_MS + more);
        CHECK_INT(s->pings.is_behind, more < 0);
    }
    cw__mutex_unlock(&s->lock);
    drop(&p);
}

/* The time for which a pong may wait counts from the ping, and again from each pause, which may be our own. */
static void test_owed_since(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    int64_t now_ms;

    cw__mutex_lock(&s->lock);
    s->pings.owed_ms = 0;
    CHECK(cw__pings_owe_locked(s, NULL, 0));
    now_ms = cw__now_ms();
    CHECK(s->pings.owed_ms > 0 && s->pings.owed_ms <= now_ms);
    s->pings.owed_ms = 1;
    CHECK(cw__pings_owe_locked(s, NULL, 0)); /* the oldest counts */
    CHECK_INT(s->pings.owed_ms, 1);
    for (int less = 1; less >= 0; less--) {
        s->pings.heard_ms = now_ms - LULL_MS + less;
        s->in.heard = CW__HEARD_MORE;
        cw__pings_heard_locked(s, now_ms);
        CHECK_INT(s->pings.owed_ms, less ? 1 : now_ms);
    }
    s->pings.owed_ms = 1;
    s->pings.is_paused = true;
    cw__pings_resumed_locked(s, now_ms); /* nothing was read while the inbox was full */
    CHECK_INT(s->pings.owed_ms, now_ms);
    cw__pings_forget(&s->pings);
    cw__mutex_unlock(&s->lock);
    drop(&p);
}

/* The thread that calls this has the socket's lock. */
static void send_and_wait(raw_peer *p, const char *frame)
{
    struct pollfd readable = {.fd = p->s->fd, .events = POLLIN};

    raw_write(p, frame, strlen(frame));
    CHECK_INT(poll(&readable, 1, 1000 * PEER_LIMIT_S), 1);
}

/* After a full inbox, this process pauses for longer than CW__LULL_MS while bytes arrive. That is no pause of the peer. So
 * neither a call nor the service thread sends the pong before it has looked, and nothing has arrived for that time. */
static void test_own_pause(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);

    cw__mutex_lock(&s->lock);
    CHECK(cw__pings_owe_locked(s, (const uint8_t *)"x", 1));
    s->in.is_drained = s->pings.is_behind = true;
    s->pings.heard_ms = cw__now_ms() - LULL_MS;
    send_and_wait(&p, "\x81\x01"
                      "a");
    cw__inbound_read_now_locked(s, NULL, NULL);
    CHECK(s->pings.owed != NULL && s->pings.is_behind);
    CHECK(!cw__pings_attend_locked(s, cw__now_ms()));
    CHECK(s->in.inbox.first != NULL);
    CHECK(s->pings.owed != NULL && s->pings.is_behind);
    for (int64_t pause_ms = LULL_MS; s->pings.is_behind; pause_ms *= 2) { /* this thread may pause too */
        s->pings.heard_ms = cw__now_ms() - pause_ms;
        CHECK(!cw__pings_attend_locked(s, cw__now_ms()));
    }
    CHECK(s->pings.owed == NULL);
    cw__outbound_flush_locked(s);
    cw__mutex_unlock(&s->lock);
    RAW_EXPECT(&p, CW__OP_PONG, "x", 1);
    drop(&p);
}

/* The peer's kernel had waited for long when we made room, so it may be silent for as long before it sends again. */
static void test_late_reader(void)
{
    enum { WAITED_MS = 150 };
    raw_peer p;
    cw_socket *s = open_raw(&p);
    int64_t now_ms;

    UNTIL(LOCKED(s, cw__link_silent_ms(s->codec->link)) >= LULL_MS + WAITED_MS);
    cw__mutex_lock(&s->lock);
    now_ms = cw__now_ms();
    CHECK(cw__pings_owe_locked(s, (const uint8_t *)"x", 1));
    s->pings.is_behind = true;
    s->pings.heard_ms = now_ms - LULL_MS;
    CHECK(!cw__pings_attend_locked(s, now_ms));
    CHECK(s->pings.owed != NULL && s->pings.is_behind);
    CHECK(s->pings.lull_ms >= LULL_MS + WAITED_MS && s->pings.lull_ms <= LULL_MS + LATE_AT_MOST_MS);
    CHECK_INT(cw__pings_due_locked(s), s->pings.heard_ms + s->pings.lull_ms);
    CHECK(!cw__pings_attend_locked(s, cw__pings_due_locked(s)));
    CHECK(s->pings.owed == NULL && !s->pings.is_behind);
    CHECK_INT(s->pings.lull_ms, LULL_MS);
    cw__mutex_unlock(&s->lock);
    drop(&p);
}

/* Before a ping the kernel is asked for bytes, also if the latest read has taken all that it had then. */
static void test_asks_kernel(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    uint64_t number;

    cw__mutex_lock(&s->lock);
    number = s->pings.last_number;
    s->in.is_drained = false;
    send_and_wait(&p, "\x81\x01"
                      "a");
    cw__inbound_read_now_locked(s, NULL, NULL);
    CHECK(s->in.inbox.first != NULL && !s->in.inbox.first->next);
    cw__pings_heard_locked(s, cw__now_ms());
    send_and_wait(&p, "\x81\x01"
                      "b");
    s->pings.next_ms = cw__now_ms();
    CHECK(!cw__pings_attend_locked(s, s->pings.next_ms));
    CHECK(s->in.inbox.first->next != NULL);
    CHECK_INT(s->pings.last_number, number);
    cw__mutex_unlock(&s->lock);
    drop(&p);
}

/* An owed pong overtakes the messages that wait. */
static void test_owed_overtakes(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);

    fill_queue(s);
    cw__mutex_lock(&s->lock);
    CHECK(cw__pings_owe_locked(s, (const uint8_t *)"x", 1));
    CHECK(cw__pings_pay_all_locked(s));
    CHECK_INT(count_queued(s, CW__OP_PONG), 1);
    CHECK_INT(s->out.last->opcode, CW__OP_BINARY);
    cw__mutex_unlock(&s->lock);
    drop(&p);
}

/* RFC 6455 section 5.5.2: "as soon as is practical". While our close frame waits behind messages, a pong overtakes
 * both. */
static void test_pong_overtakes(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    int order = 0;

    fill_queue(s);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    cw__mutex_lock(&s->lock);
    CHECK(cw__pings_owe_locked(s, (const uint8_t *)"x", 1));
    CHECK(s->pings.owed == NULL); /* the pong does not have to wait */
    for (const cw__queued_frame *f = s->out.first; f; f = f->next) {
        if (f->opcode == CW__OP_PONG)
            CHECK_INT(order++, 0);
        if (f->opcode == CW__OP_BINARY && !f->is_begun)
            CHECK(order == 1);
        if (f->opcode == CW__OP_CLOSE)
            CHECK_INT(order++, 1);
    }
    CHECK_INT(order, 2);
    cw__mutex_unlock(&s->lock);
    drop(&p);
}

/* A ping becomes due after the peer's close frame has arrived. The ping is not sent. */
static void test_close_before_ping(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    uint64_t number;

    cw__mutex_lock(&s->lock); /* the service thread cannot read */
    send_and_wait(&p, "\x88\x02\x03\xe8");
    number = s->pings.last_number;
    CHECK(!cw__pings_attend_locked(s, s->pings.next_ms));
    CHECK(s->close.state != CW__CLOSE_NONE);
    CHECK_INT(s->pings.last_number, number);
    CHECK_INT(cw__pings_due_locked(s), INT64_MAX);
    cw__mutex_unlock(&s->lock);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    raw_finish(&p);
}

static const harness_test tests[] = {
    {"a ping in each state, interrupted, and without memory", test_states},
    {"limits of pongs that are owed, and of a connection that is broken", test_limits},
    {"when an owed pong is sent", test_owed},
    {"since when a pong waits", test_owed_since},
    {"an owed pong after a pause of this process", test_own_pause},
    {"an owed pong after we have read late", test_late_reader},
    {"keepalive asks the kernel before it sends a ping", test_asks_kernel},
    {"the numbers of pings, and their round trip", test_numbers},
    {"a pong without memory", test_pong_without_memory},
    {"pings continue when reading does", test_resumed},
    {"the service thread reads again when there is room", test_room_again},
    {"one ping waits behind an upload", test_one_ping_waits},
    {"a server that acknowledges an upload is not silent", test_getting_through},
    {"RFC 6455 5.5.2: an owed pong overtakes messages that wait", test_owed_overtakes},
    {"RFC 6455 5.5.2: a pong overtakes messages and a close frame that wait", test_pong_overtakes},
    {"RFC 6455 5.5.1: no ping after the peer's close frame", test_close_before_ping},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

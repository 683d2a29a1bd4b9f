/* SPDX-License-Identifier: MIT */
/* Tests of inbound.c: the limits of the data that waits in a socket, and which thread reads the connection: the
 * service thread, or threads that call. They hand the reading over without loss, and no thread spins while many wait.
 * test_inbound.c tests the frames that may arrive. */
#include "peer.h"

#include <time.h>

/* Ends a test whose server does not answer a close frame. */
static void drop(cw_socket *s)
{
    cw_socket_abort(s);
    peer_finish(s);
}

static bool has_messages(cw_socket *s)
{
    bool has;

    cw__mutex_lock(&s->lock);
    has = s->in.inbox.first != NULL;
    cw__mutex_unlock(&s->lock);
    return has;
}

/* ---- Limits ---- */

enum { FLOOD = 16384, FLOOD_BYTES = 1024, INBOX_BYTES = 65536 };

static const char *flood(void)
{
    char zeros[2 * FLOOD_BYTES + 1];

    memset(zeros, '0', sizeof zeros - 1);
    zeros[sizeof zeros - 1] = '\0';
    return peer_script("repeat:%d:827e%04x%s/close:1000", FLOOD, FLOOD_BYTES, zeros);
}

static bool is_full(cw_socket *s, size_t *bytes)
{
    bool full;

    cw__mutex_lock(&s->lock);
    full = s->in.inbox.is_full &&
           (s->watched & CW__READ) == 0; /* the service thread no longer reads this socket */
    *bytes = s->in.inbox.bytes;
    cw__mutex_unlock(&s->lock);
    return full;
}

static cw_socket *open_bounded(cw_class socket_class, cw_mailbox *m)
{
    cw_socket *s = peer_socket(socket_class);
    size_t bytes;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_INBOUND_BUFFER_SIZE, INBOX_BYTES), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_MESSAGE), CW_OK);
    peer_connect(s, flood());
    UNTIL(is_full(s, &bytes));
    CHECK(bytes < INBOX_BYTES + 32 * 1024); /* the high mark, and one more run of bytes */
    return s;
}

static void test_bounded_inbox(void)
{
    cw_socket *s = open_bounded(CW_MESSAGE_SOCKET, NULL);

    for (int i = 0; i < FLOOD; i++) {
        cw_event *e = NULL;
        size_t len, bytes;
        CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
        (void)cw_event_data(e, &len);
        CHECK_INT(len, FLOOD_BYTES);
        cw_event_free(e);
        (void)is_full(s, &bytes);
        CHECK(bytes < INBOX_BYTES + 32 * 1024);
    }
    CHECK_CLOSED(s, 1000, true);
    peer_finish(s);
}

/* At the low mark the service thread reads again by itself. */
static void test_bounded_mailbox(void)
{
    cw_mailbox *m = NULL;
    cw_socket *s;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    s = open_bounded(CW_MESSAGE_SOCKET, m);
    for (int i = 0; i < FLOOD; i++) {
        cw_event *e = NULL;
        size_t bytes;
        CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
        CHECK_INT(cw_event_get_type(e), CW_EVENT_MESSAGE);
        cw_event_free(e);
        (void)is_full(s, &bytes);
        CHECK(bytes < INBOX_BYTES + 32 * 1024);
    }
    CHECK_CLOSED(s, 1000, true);
    cw_mailbox_release(m);
    peer_finish(s);
}

static void test_bounded_stream(void)
{
    cw_socket *s = peer_socket(CW_STREAM_SOCKET);
    static uint8_t buffer[10007];
    size_t total = 0, len, bytes;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_INBOUND_BUFFER_SIZE, INBOX_BYTES), CW_OK);
    peer_connect(s, flood());
    UNTIL(is_full(s, &bytes));
    CHECK(bytes < INBOX_BYTES + 32 * 1024);
    while (cw_socket_read(s, buffer, sizeof buffer, CW_TIMEOUT_DEFAULT, &len) == CW_OK && len > 0) {
        total += len;
        (void)is_full(s, &bytes);
        CHECK(bytes < INBOX_BYTES + 32 * 1024);
    }
    CHECK_INT(total, FLOOD * FLOOD_BYTES);
    peer_finish(s);
}

/* ---- The thread that reads ---- */

typedef struct taker {
    cw_socket *s;
    int timeout_ms;
    atomic_int *taken; /* number of messages that all threads have taken */
    cw_status status;
} taker;

/* Takes messages that hold ascending numbers, until a receive fails. */
static void *take_numbers(void *arg)
{
    taker *t = arg;
    uint32_t latest = 0, number;
    cw_event *e;

    while ((t->status = cw_socket_receive(t->s, t->timeout_ms, &e)) == CW_OK) {
        memcpy(&number, cw_event_data(e, NULL), sizeof number);
        if (number <= latest)
            HARNESS_FAIL("message %u came after %u", number, latest);
        latest = number;
        cw_event_free(e);
        atomic_fetch_add(t->taken, 1);
    }
    return NULL;
}

static void test_two_receivers(void)
{
    enum { COUNT = 1000 };
    atomic_int taken = 0;
    taker t[2] = {{.s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo")), .taken = &taken}};
    pthread_t threads[2];

    t[0].timeout_ms = CW_TIMEOUT_NEVER;
    t[1] = t[0];
    for (int i = 0; i < 2; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, take_numbers, &t[i]), 0);
    for (uint32_t number = 1; number <= COUNT; number++)
        CHECK_STATUS(cw_socket_send(t[0].s, CW_BINARY, &number, sizeof number, CW_TIMEOUT_DEFAULT), CW_OK);
    UNTIL(atomic_load(&taken) == COUNT);
    CHECK_STATUS(cw_socket_close_start(t[0].s, 1000, NULL, 0), CW_OK);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_STATUS(t[i].status, CW_CLOSED);
    }
    CHECK_CLOSED(t[0].s, 1000, true);
    peer_finish(t[0].s);
}

/* A caller reads the connection itself, and then makes no more calls. The service thread reads again, answers
 * pings and collects messages. */
static void test_given_back(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161/frame:1/x:890170/frame:2/x:810162"));
    cw_event *e = NULL;
    peer_frame f;

    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    CHECK_STATUS(cw_socket_receive(s, 0, &e), CW_TIMED_OUT); /* the service thread may have read "a" */
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "", 0, 0), CW_OK);
    UNTIL(has_messages(s));
    CHECK_MESSAGE(s, CW_UTF8, "b", 1);
    drop(s);
    CHECK(peer_get_frame(peer_log(), 1, &f));
    CHECK_INT(f.opcode, CW__OP_PONG);
    CHECK_INT(strncmp(f.payload, "70", 2), 0);
}

static double cpu_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

typedef struct other {
    cw_socket *s;
    cw_status status;
} other;

static void *ping_in_vain(void *arg)
{
    other *o = arg;

    o->status = cw_socket_ping(o->s, 400, NULL);
    return NULL;
}

static void *wait_closed_in_vain(void *arg)
{
    other *o = arg;

    o->status = cw_socket_wait_closed(o->s, 400);
    return NULL;
}

/* One thread waits in receive for a message that never comes, and another one in a call beside it. Neither spins. */
static void rest_beside(void *(*wait)(void *arg))
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("hang"));
    atomic_int taken = 0;
    taker t = {.s = s, .timeout_ms = CW_TIMEOUT_NEVER, .taken = &taken};
    other o = {.s = s};
    pthread_t threads[2];
    double before = cpu_ms();

    CHECK_INT(pthread_create(&threads[0], NULL, take_numbers, &t), 0);
    UNTIL(peer_is_blocked(s));
    CHECK_INT(pthread_create(&threads[1], NULL, wait, &o), 0);
    CHECK_INT(pthread_join(threads[1], NULL), 0);
    CHECK_STATUS(o.status, CW_TIMED_OUT);
    if (cpu_ms() - before > 150)
        HARNESS_FAIL("%g ms of processor time for 400 ms of waiting", cpu_ms() - before);
    cw_socket_abort(s);
    CHECK_INT(pthread_join(threads[0], NULL), 0);
    CHECK_STATUS(t.status, CW_CLOSED);
    drop(s);
}

static void test_rest_beside_ping(void) { rest_beside(ping_in_vain); }
static void test_rest_beside_wait_closed(void) { rest_beside(wait_closed_in_vain); }

static void test_pong_while_receiving(void)
{
    atomic_int taken = 0;
    taker t = {.s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo")), .taken = &taken};
    int64_t rtt_us = -1;
    pthread_t thread;

    t.timeout_ms = CW_TIMEOUT_NEVER;
    CHECK_INT(pthread_create(&thread, NULL, take_numbers, &t), 0);
    UNTIL(peer_is_blocked(t.s));
    CHECK_STATUS(cw_socket_ping(t.s, CW_TIMEOUT_DEFAULT, &rtt_us), CW_OK);
    CHECK(rtt_us >= 0);
    CHECK_STATUS(cw_socket_close_start(t.s, 1000, NULL, 0), CW_OK);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_STATUS(t.status, CW_CLOSED);
    CHECK_CLOSED(t.s, 1000, true);
    peer_finish(t.s);
}

static void test_subscribe_while_receiving(void)
{
    atomic_int taken = 0;
    taker t = {.s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo")), .taken = &taken};
    cw_mailbox *m = NULL;
    cw_event *e = NULL;
    pthread_t thread;

    t.timeout_ms = CW_TIMEOUT_NEVER;
    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_INT(pthread_create(&thread, NULL, take_numbers, &t), 0);
    UNTIL(peer_is_blocked(t.s));
    CHECK_STATUS(cw_socket_subscribe(t.s, m, CW_EVENT_MESSAGE), CW_OK);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_STATUS(t.status, CW_INVALID_STATE); /* the mailbox gets the messages now */
    CHECK_STATUS(cw_socket_send(t.s, CW_BINARY, "x", 1, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    cw_event_free(e);
    CHECK_STATUS(cw_socket_subscribe(t.s, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_send(t.s, CW_BINARY, "y", 1, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(t.s, CW_BINARY, "y", 1);
    cw_mailbox_release(m);
    peer_finish(t.s);
}

/* Sends until the kernel takes no more bytes. poll() reports a descriptor as writable only if there is much room, so
 * this function tries to write instead. */
static void fill(cw_socket *s)
{
    static uint8_t much[1 << 16];
    uint64_t before, now = 0;

    do {
        before = now;
        while (cw_socket_send(s, CW_BINARY, much, sizeof much, 0) == CW_OK)
            continue;
        cw__mutex_lock(&s->lock);
        cw__outbound_flush_locked(s);
        now = s->out.progress_bytes;
        cw__mutex_unlock(&s->lock);
    } while (now != before);
}

/* The server stops reading and closes, so our close frame cannot be sent. The service thread waits for room without
 * spinning. */
static void test_rest_behind_a_stalled_close(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_event *e = NULL;
    size_t bytes;
    double before;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_INBOUND_BUFFER_SIZE, 1024), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_CLOSE_TIMEOUT, 400), CW_OK);
    peer_connect(s, peer_script("stall/x:827e0400/repeat:1024:61/close:1000"));
    UNTIL(is_full(s, &bytes));
    fill(s);
    before = cpu_ms();
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    cw_event_free(e);
    UNTIL(cw_socket_state(s) != CW_STATE_OPEN); /* closing; on a busy machine perhaps closed already */
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER),
                 CW_CLOSED); /* after close_timeout, with lost messages */
    if (cpu_ms() - before > 150)
        HARNESS_FAIL("%g ms of processor time for 400 ms of waiting", cpu_ms() - before);
    peer_finish(s);
}

static const harness_test tests[] = {
    {"16 MiB that no call takes: the inbox is bounded, and reading goes on later", test_bounded_inbox},
    {"16 MiB to a mailbox: the inbox is bounded, and reading goes on at the low mark", test_bounded_mailbox},
    {"16 MiB of a stream: bounded", test_bounded_stream},
    {"two threads receive: every message once, in order", test_two_receivers},
    {"the reading goes back to the service when callers leave", test_given_back},
    {"a ping is answered while a thread receives", test_pong_while_receiving},
    {"receive ends when messages are subscribed to", test_subscribe_while_receiving},
    {"receive and ping wait at the same time without spinning", test_rest_beside_ping},
    {"receive and wait_closed wait at the same time without spinning", test_rest_beside_wait_closed},
    {"the service waits without spinning for a close frame that cannot be sent",
     test_rest_behind_a_stalled_close},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests that an event loop can read a connection (looping.c), that the service thread reads if the loop is busy, and that
 * the descriptor stays open until the loop has stopped. */
#include "raw_peer.h"

#include <fcntl.h>

static const int64_t framings[] = {CW_FRAMING_AUTO, CW_FRAMING_CURL};

typedef struct looped {
    raw_peer peer;
    cw_mailbox *mailbox;
    int fd;
} looped;

static void open_looped(looped *l, cw_class socket_class, int64_t framing)
{
    cw_socket *s = peer_socket(socket_class);

    memset(l, 0, sizeof *l);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, framing), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_KEEPALIVE, CW_KEEPALIVE_OFF), CW_OK); /* a ping reads too */
    CHECK_STATUS(cw_mailbox_create(&l->mailbox), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, l->mailbox, CW_EVENT_READABLE | CW_EVENT_CLOSED), CW_OK);
    raw_open(&l->peer, s);
    CHECK_STATUS(cw_socket_poll_begin(s, &l->fd), CW_OK);
}

static void close_looped(looped *l)
{
    raw_end(&l->peer);
    (void)cw_socket_poll_end(l->peer.s);
    cw_socket_abort(l->peer.s);
    cw_mailbox_release(l->mailbox);
    peer_finish(l->peer.s);
}

/* Waits for one type of event. Others are dropped: a connection that ends may tell a task twice to look. */
static void wait_event(const looped *l, cw_event_type wanted)
{
    cw_event_type type = (cw_event_type)0;

    while (type != wanted) {
        cw_event *e = NULL;
        CHECK_STATUS(cw_mailbox_take(l->mailbox, 1000 * PEER_LIMIT_S, &e), CW_OK);
        type = cw_event_get_type(e);
        cw_event_free(e);
    }
}

/* Waits as a loop does until a call has something to read. True if the descriptor said so, false if an event did: the
 * service thread reads if this thread does not run for a while, and then the descriptor stays silent. */
static bool loop_is_told(const looped *l)
{
    struct pollfd descriptor = {.fd = l->fd, .events = POLLIN};
    int64_t until_ms = cw__now_ms() + 1000 * PEER_LIMIT_S / 3;

    while (cw__now_ms() < until_ms) {
        cw_event *e = NULL;
        if (poll(&descriptor, 1, 1) > 0) {
            cw_socket_poll_ready(l->peer.s);
            return true;
        }
        if (cw_mailbox_take(l->mailbox, 0, &e) == CW_OK) {
            CHECK_INT(cw_event_get_type(e), CW_EVENT_READABLE);
            cw_event_free(e);
            return false;
        }
    }
    HARNESS_FAIL("neither the descriptor nor an event showed what the peer sent");
    return false;
}

/* Takes a message as a loop does: as long as there is none, it waits again. The service thread may have the lock for a
 * moment, libcurl may have nothing at its first call, and an event may tell of what was taken before. */
static bool take(const looped *l, const char *wanted)
{
    bool is_by_descriptor = false;
    cw_event *e = NULL;
    size_t len;

    while (cw_socket_try_receive(l->peer.s, &e) != CW_OK)
        is_by_descriptor = loop_is_told(l);
    CHECK_BYTES(cw_event_data(e, NULL), (cw_event_data(e, &len), len), wanted, strlen(wanted));
    cw_event_free(e);
    return is_by_descriptor;
}

static void test_loop_reads(void)
{
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        int read_count = 0;
        looped l;
        open_looped(&l, CW_MESSAGE_SOCKET, framings[i]);
        for (int n = 0; n < 100 || read_count == 0; n++) {
            RAW_SEND(&l.peer, "\x81\x01"
                              "a");
            read_count += take(&l, "a");
        }
        close_looped(&l);
    }
}

static void test_service_reads_for_a_busy_loop(void)
{
    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        looped l;
        open_looped(&l, CW_MESSAGE_SOCKET, framings[i]);
        RAW_SEND(&l.peer, "\x81\x01"
                          "a"
                          "\x81\x01"
                          "b");
        wait_event(&l, CW_EVENT_READABLE);
        (void)take(&l, "a");
        (void)take(&l, "b");
        do
            RAW_SEND(&l.peer, "\x81\x01"
                              "c");
        while (!take(&l, "c")); /* until the loop has read again */
        close_looped(&l);
    }
}

static cw__reader reader_of(cw_socket *s) { return LOCKED(s, s->in.reader); }

static bool is_stood_by(cw_socket *s) { return LOCKED(s, s->in.is_stood_by); }

/* Finds nothing to receive, so that the loop polls. The service thread may have the lock for a moment. */
static void begin_waiting(const looped *l)
{
    cw_event *e = NULL;

    while (reader_of(l->peer.s) != CW__READER_CALLER)
        CHECK(cw_socket_try_receive(l->peer.s, &e) != CW_OK);
}

/* Otherwise it would wake up for each message that the loop reads. */
static void test_service_does_not_watch(void)
{
    looped l;

    open_looped(&l, CW_MESSAGE_SOCKET, CW_FRAMING_AUTO);
    begin_waiting(&l);
    CHECK(is_stood_by(l.peer.s));
    CHECK_INT(LOCKED(l.peer.s, l.peer.s->watched), 0);
    CHECK_INT(LOCKED(l.peer.s, l.peer.s->in.reclaim_due_ms == INT64_MAX), 1);
    RAW_SEND(&l.peer, "\x81\x01"
                      "b");
    UNTIL(reader_of(l.peer.s) == CW__READER_SERVICE); /* the loop does not read */
    CHECK(!is_stood_by(l.peer.s));
    (void)take(&l, "b");
    begin_waiting(&l);
    CHECK(is_stood_by(l.peer.s));
    CHECK_STATUS(cw_socket_poll_end(l.peer.s), CW_OK);
    CHECK(!is_stood_by(l.peer.s));
    CHECK_INT(reader_of(l.peer.s), CW__READER_SERVICE);
    close_looped(&l);
}

/* A connection that has ended is readable for ever. The service thread must not look at it for ever. */
static void test_end_is_not_looked_at(void)
{
    looped l;

    open_looped(&l, CW_MESSAGE_SOCKET, CW_FRAMING_AUTO);
    RAW_SEND(&l.peer, "\x81\x01"
                      "a");
    (void)take(&l, "a");
    raw_end(&l.peer);
    wait_event(&l, CW_EVENT_CLOSED);
    CHECK(!is_stood_by(l.peer.s));
    close_looped(&l);
}

/* Waits until the loop polls, and what the peer then sends makes the descriptor readable. */
static void send_to_loop(const looped *l, const void *data, size_t len_bytes)
{
    struct pollfd descriptor = {.events = POLLIN};

    begin_waiting(l);
    raw_write((raw_peer *)(uintptr_t)&l->peer, data, len_bytes);
    descriptor.fd = l->fd;
    CHECK_INT(poll(&descriptor, 1, -1), 1);
    cw_socket_poll_ready(l->peer.s);
}

/* The loop takes a message, and then nothing. The ping came in the same segment, so the descriptor does not show it. */
static void test_held_bytes_are_read(void)
{
    static const uint8_t both[] = {0x81, 1, 'a', 0x89, 1, 'p'};

    for (size_t i = 0; i < sizeof framings / sizeof framings[0]; i++) {
        looped l;
        open_looped(&l, CW_MESSAGE_SOCKET, framings[i]);
        send_to_loop(&l, both, sizeof both);
        (void)take(&l, "a");
        RAW_EXPECT(&l.peer, CW__OP_PONG, "p", 1);
        close_looped(&l);
    }
}

/* The loop polls no more when the service thread stands by, and polls again later. */
static void test_loop_begins_again(void)
{
    static const uint8_t message[] = {0x81, 1, 'a'};

    for (int i = 0; i < 20; i++) {
        looped l;
        open_looped(&l, CW_MESSAGE_SOCKET, CW_FRAMING_AUTO);
        send_to_loop(&l, message, sizeof message);
        (void)take(&l, "a");
        CHECK_STATUS(cw_socket_poll_end(l.peer.s), CW_OK);
        CHECK_STATUS(cw_socket_poll_begin(l.peer.s, &l.fd), CW_OK);
        begin_waiting(&l);
        RAW_SEND(&l.peer, "\x89\x01p");
        RAW_EXPECT(&l.peer, CW__OP_PONG, "p", 1);
        close_looped(&l);
    }
}

/* One call reads only a part of what is there, and finds no message. The descriptor is silent then. */
static void share_of(cw_status (*receive)(cw_socket *s, cw_event **out))
{
    enum { FRAGMENTS = 20000 };
    static uint8_t data[3 + 2 * FRAGMENTS + 2] = {0x02, 1, 'a'};
    looped l;
    cw_event *e = NULL;

    data[3 + 2 * FRAGMENTS] = 0x80;
    open_looped(&l, CW_MESSAGE_SOCKET, CW_FRAMING_AUTO);
    send_to_loop(&l, data, sizeof data);
    while (receive(l.peer.s, &e) != CW_OK)
        (void)loop_is_told(&l);
    CHECK_BYTES(cw_event_data(e, NULL), 1, "a", 1);
    cw_event_free(e);
    close_looped(&l);
}

static cw_status receive_with_limit(cw_socket *s, cw_event **out) { return cw_socket_receive(s, 0, out); }

static void test_share_of_a_call(void) { share_of(cw_socket_try_receive); }
static void test_share_of_a_waiting_call(void) { share_of(receive_with_limit); }

static void test_share_of_a_read(void)
{
    enum { FRAGMENTS = 20000 };
    static uint8_t data[2 * FRAGMENTS + 3] = {0x02};
    looped l;
    uint8_t byte[1];
    size_t len = 0;

    data[2 * FRAGMENTS] = 0x80;
    data[2 * FRAGMENTS + 1] = 1;
    data[2 * FRAGMENTS + 2] = 'a';
    open_looped(&l, CW_STREAM_SOCKET, CW_FRAMING_AUTO);
    raw_write(&l.peer, data, sizeof data);
    while (cw_socket_read(l.peer.s, byte, sizeof byte, 0, &len) != CW_OK)
        (void)loop_is_told(&l);
    CHECK_BYTES(byte, len, "a", 1);
    close_looped(&l);
}

/* A call that could not look says so, because the message may be in memory, which nothing shows any more. */
static void test_lock_is_taken(void)
{
    looped l;
    cw_event *e = NULL;

    open_looped(&l, CW_MESSAGE_SOCKET, CW_FRAMING_AUTO);
    begin_waiting(&l);
    UNTIL(cw_socket_try_receive(l.peer.s, &e) == CW_TIMED_OUT);
    cw__mutex_lock(&l.peer.s->lock);
    CHECK_STATUS(cw_socket_try_receive(l.peer.s, &e), CW_WOULD_BLOCK);
    cw__mutex_unlock(&l.peer.s->lock);
    close_looped(&l);
}

/* RFC 6455 section 5.5.2: an endpoint must answer a ping. */
static void test_pings_are_answered_for_a_busy_loop(void)
{
    looped l;

    open_looped(&l, CW_MESSAGE_SOCKET, CW_FRAMING_AUTO);
    RAW_SEND(&l.peer, "\x89\x01p");
    RAW_EXPECT(&l.peer, CW__OP_PONG, "p", 1);
    close_looped(&l);
}

/* Reads as a loop does, until there is something. */
static void read_stream(const looped *l, const char *wanted)
{
    uint8_t buffer[16];
    size_t len = 0;

    while (cw_socket_read(l->peer.s, buffer, sizeof buffer, 0, &len) == CW_TIMED_OUT)
        (void)loop_is_told(l);
    CHECK_BYTES(buffer, len, wanted, strlen(wanted));
}

static void test_stream(void)
{
    looped l;
    uint8_t buffer[16];
    size_t len = 0;

    open_looped(&l, CW_STREAM_SOCKET, CW_FRAMING_AUTO);
    CHECK_STATUS(cw_socket_read(l.peer.s, buffer, sizeof buffer, 0, &len), CW_TIMED_OUT);
    RAW_SEND(&l.peer, "\x82\x02"
                      "ab");
    read_stream(&l, "ab");
    RAW_SEND(&l.peer, "\x82\x01"
                      "c");
    wait_event(&l, CW_EVENT_READABLE); /* of this message or of the one before */
    read_stream(&l, "c");
    close_looped(&l);
}

static void test_descriptor_is_kept(void)
{
    looped l;

    open_looped(&l, CW_MESSAGE_SOCKET, CW_FRAMING_AUTO);
    cw_socket_abort(l.peer.s);
    wait_event(&l, CW_EVENT_READABLE); /* a task that waits must look */
    wait_event(&l, CW_EVENT_CLOSED);
    CHECK(fcntl(l.fd, F_GETFD) >= 0);
    CHECK_STATUS(cw_socket_poll_end(l.peer.s), CW_OK);
    UNTIL(fcntl(l.fd, F_GETFD) < 0);
    close_looped(&l);
}

static void test_local_close_wakes(void)
{
    looped l;
    cw_event *e = NULL;

    open_looped(&l, CW_MESSAGE_SOCKET, CW_FRAMING_AUTO);
    CHECK_STATUS(cw_socket_close_start(l.peer.s, 1000, "", 0), CW_OK);
    wait_event(&l, CW_EVENT_READABLE);
    CHECK_STATUS(cw_socket_receive(l.peer.s, 1000 * PEER_LIMIT_S, &e), CW_CLOSED);
    close_looped(&l);
}

static void test_misuse(void)
{
    looped l;
    cw_socket *fresh = peer_socket(CW_MESSAGE_SOCKET);
    int fd;

    CHECK_STATUS(cw_socket_poll_begin(fresh, &fd), CW_INVALID_STATE);
    CHECK_INT(fd, -1);
    CHECK_STATUS(cw_socket_poll_end(fresh), CW_INVALID_STATE);
    cw_socket_release(fresh);
    open_looped(&l, CW_MESSAGE_SOCKET, CW_FRAMING_AUTO);
    CHECK_STATUS(cw_socket_poll_begin(l.peer.s, &fd), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_poll_end(l.peer.s), CW_OK);
    CHECK_STATUS(cw_socket_poll_end(l.peer.s), CW_INVALID_STATE);
    cw_socket_abort(l.peer.s);
    CHECK_CLOSED(l.peer.s, 1006, false);
    CHECK_STATUS(cw_socket_poll_begin(l.peer.s, &fd), CW_INVALID_STATE);
    close_looped(&l);
}

static const harness_test tests[] = {
    {"the loop reads, with both codecs", test_loop_reads},
    {"the service thread reads for a busy loop, and the loop reads again", test_service_reads_for_a_busy_loop},
    {"the service thread does not watch what the loop reads", test_service_does_not_watch},
    {"the service thread does not look at a connection that has ended", test_end_is_not_looked_at},
    {"bytes that the descriptor does not show are read for the loop", test_held_bytes_are_read},
    {"a loop that ends and begins to poll", test_loop_begins_again},
    {"a loop's call reads only a part", test_share_of_a_call},
    {"a loop's call that may wait reads only a part", test_share_of_a_waiting_call},
    {"a loop's call reads only a part of a stream", test_share_of_a_read},
    {"a call that gets no lock", test_lock_is_taken},
    {"a ping is answered while the loop is busy (RFC 6455 section 5.5.2)",
     test_pings_are_answered_for_a_busy_loop},
    {"a loop reads a stream", test_stream},
    {"the descriptor stays open until the loop has stopped", test_descriptor_is_kept},
    {"a local close wakes the loop", test_local_close_wakes},
    {"begin twice, end twice, a socket that is not open", test_misuse},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

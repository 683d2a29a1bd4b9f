/* SPDX-License-Identifier: MIT */
/* Tests of CW_EVENT_CHANGED, with which a scheduler of coroutines makes calls with a timeout of 0, and of the pings of
 * pinging.c, which CW_EVENT_PONG tells of too. Each test makes a call, and makes it again after each event until it has its
 * result. */
#include <poll.h>

#include "raw_peer.h"

typedef struct watched {
    raw_peer peer;
    cw_mailbox *mailbox;
} watched;

static void watch_for(watched *w, cw_class socket_class, cw_event_type type)
{
    memset(w, 0, sizeof *w);
    raw_open(&w->peer, peer_socket(socket_class));
    CHECK_STATUS(cw_mailbox_create(&w->mailbox), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(w->peer.s, w->mailbox, type), CW_OK);
}

static void watch(watched *w, cw_class socket_class) { watch_for(w, socket_class, CW_EVENT_CHANGED); }

static void unwatch(watched *w)
{
    raw_end(&w->peer);
    cw_socket_abort(w->peer.s);
    cw_mailbox_release(w->mailbox);
    peer_finish(w->peer.s);
}

static void wait_for(const watched *w, cw_event_type type)
{
    cw_event *e = NULL;

    CHECK_STATUS(cw_mailbox_take(w->mailbox, 1000 * PEER_LIMIT_S, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), type);
    cw_event_free(e);
}

static void wait_change(const watched *w) { wait_for(w, CW_EVENT_CHANGED); }

static void take(const watched *w, const char *wanted)
{
    cw_event *e = NULL;
    cw_status status;
    size_t len;

    while ((status = cw_socket_receive(w->peer.s, 0, &e)) == CW_TIMED_OUT)
        wait_change(w);
    CHECK_STATUS(status, CW_OK);
    CHECK_BYTES(cw_event_data(e, &len), strlen(wanted), wanted, strlen(wanted));
    cw_event_free(e);
}

static void test_messages(void)
{
    watched w;

    watch(&w, CW_MESSAGE_SOCKET);
    RAW_SEND(&w.peer, "\x81\x03one");
    take(&w, "one");
    RAW_SEND(&w.peer, "\x81\x03two\x81\x05three");
    take(&w, "two");
    take(&w, "three");
    unwatch(&w);
}

static void test_stream(void)
{
    char buffer[16];
    size_t have = 0, len;
    watched w;

    watch(&w, CW_STREAM_SOCKET);
    RAW_SEND(&w.peer, "\x82\x03one");
    RAW_SEND(&w.peer, "\x82\x03two");
    while (have < 6) {
        cw_status status = cw_socket_read(w.peer.s, buffer + have, sizeof buffer - have, 0, &len);
        if (status == CW_TIMED_OUT)
            wait_change(&w);
        else
            CHECK_STATUS(status, CW_OK);
        have += len;
    }
    CHECK_BYTES(buffer, have, "onetwo", 6);
    unwatch(&w);
}

/* A call that waits still works: another thread may use the socket in the usual way. */
static void test_waiting_call(void)
{
    cw_event *e = NULL;
    watched w;

    watch(&w, CW_MESSAGE_SOCKET);
    RAW_SEND(&w.peer, "\x81\x03one");
    CHECK_STATUS(cw_socket_receive(w.peer.s, 1000 * PEER_LIMIT_S, &e), CW_OK);
    cw_event_free(e);
    unwatch(&w);
}

static void test_closing(void)
{
    cw_event *e = NULL;
    watched w;

    watch(&w, CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_receive(w.peer.s, 0, &e), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_close_start(w.peer.s, 1000, "", 0), CW_OK);
    wait_change(&w); /* the calling thread has made this change, and others must look */
    CHECK_STATUS(cw_socket_receive(w.peer.s, 0, &e), CW_CLOSED);
    CHECK_STATUS(cw_socket_wait_closed(w.peer.s, 0), CW_TIMED_OUT);
    RAW_SEND(&w.peer, "\x88\x02\x03\xe8");
    while (cw_socket_wait_closed(w.peer.s, 0) == CW_TIMED_OUT)
        wait_change(&w);
    CHECK_INT(cw_socket_state(w.peer.s), CW_STATE_CLOSED);
    unwatch(&w);
}

static void test_flush(void)
{
    static uint8_t data[4 * 1024 * 1024];
    cw_status status;
    watched w;

    watch(&w, CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_send(w.peer.s, CW_BINARY, data, sizeof data, 0), CW_OK);
    CHECK_STATUS(cw_socket_send(w.peer.s, CW_BINARY, data, sizeof data, 0), CW_WOULD_BLOCK);
    CHECK_STATUS(cw_socket_flush(w.peer.s, 0), CW_TIMED_OUT);
    for (size_t left = sizeof data; left > 0;) { /* the frame has a head, which stays for later */
        uint8_t part[65536];
        ssize_t got = recv(w.peer.fd, part, left < sizeof part ? left : sizeof part, 0);
        CHECK(got > 0);
        left -= (size_t)got;
    }
    while ((status = cw_socket_flush(w.peer.s, 0)) == CW_TIMED_OUT)
        wait_change(&w);
    CHECK_STATUS(status, CW_OK);
    CHECK_STATUS(cw_socket_send(w.peer.s, CW_BINARY, "x", 1, 0), CW_OK);
    unwatch(&w);
}

/* Answers the next ping. */
static void answer(raw_peer *p)
{
    raw_frame f;

    CHECK(raw_next(p, &f));
    CHECK_INT(f.head.opcode, CW__OP_PING);
    CHECK_INT(f.head.payload_bytes, 8);
    raw_write(p, "\x8a\x08", 2);
    raw_write(p, f.payload, 8);
    free(f.payload);
}

static void test_ping(void)
{
    cw_ping *first = NULL, *second = NULL;
    int64_t rtt_us = -1;
    cw_status status;
    watched w;

    watch(&w, CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_ping_start(w.peer.s, &first), CW_OK);
    CHECK_STATUS(cw_socket_ping_start(w.peer.s, &second), CW_OK);
    CHECK_STATUS(cw_ping_result(first, &rtt_us), CW_WOULD_BLOCK);
    CHECK_INT(rtt_us, 0);
    answer(&w.peer);
    while ((status = cw_ping_result(first, &rtt_us)) == CW_WOULD_BLOCK)
        wait_change(&w);
    CHECK_STATUS(status, CW_OK);
    CHECK(rtt_us >= 0);
    CHECK_STATUS(cw_ping_result(second, NULL), CW_WOULD_BLOCK);
    cw_ping_free(first);
    raw_end(&w.peer);
    while ((status = cw_ping_result(second, &rtt_us)) == CW_WOULD_BLOCK)
        wait_change(&w);
    CHECK_STATUS(status, CW_CLOSED);
    CHECK_INT(rtt_us, 0);
    CHECK_STATUS(cw_socket_ping_start(w.peer.s, &first), CW_CLOSED);
    CHECK(!first);
    unwatch(&w);
    cw_ping_free(second); /* it may outlive the socket */
    cw_ping_free(NULL);
}

static void test_ping_before_connect(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_ping *p = NULL;

    CHECK_STATUS(cw_socket_ping_start(s, &p), CW_INVALID_STATE);
    CHECK(!p);
    cw_socket_release(s);
}

/* The event comes if the service thread reads the pong, and at each beginning of an end. It comes for nothing else. */
static void test_pong_event(void)
{
    for (int is_ended_here = 0; is_ended_here < 2; is_ended_here++) {
        cw_ping *first = NULL, *second = NULL, *forgotten = NULL;
        cw_event *e = NULL;
        int64_t rtt_us = -1;
        watched w;

        watch_for(&w, CW_MESSAGE_SOCKET, CW_EVENT_PONG);
        CHECK_STATUS(cw_socket_ping_start(w.peer.s, &first), CW_OK);
        CHECK_STATUS(cw_socket_ping_start(w.peer.s, &second), CW_OK);
        CHECK_STATUS(cw_socket_ping_start(w.peer.s, &forgotten), CW_OK);
        RAW_SEND(&w.peer, "\x81\x03one\x8a\x01x"); /* neither a message nor such a pong is a result */
        CHECK_STATUS(cw_socket_receive(w.peer.s, 1000 * PEER_LIMIT_S, &e), CW_OK);
        cw_event_free(e);
        CHECK_STATUS(cw_mailbox_take(w.mailbox, 0, &e), CW_TIMED_OUT);
        answer(&w.peer);
        wait_for(&w, CW_EVENT_PONG);
        CHECK_STATUS(cw_ping_result(first, &rtt_us), CW_OK);
        CHECK(rtt_us >= 0);
        CHECK_STATUS(cw_ping_result(second, NULL), CW_WOULD_BLOCK);
        cw_ping_free(forgotten);
        if (is_ended_here)
            CHECK_STATUS(cw_socket_close_start(w.peer.s, 1000, "", 0), CW_OK);
        else
            raw_end(&w.peer);
        wait_for(&w, CW_EVENT_PONG);
        CHECK_STATUS(cw_ping_result(second, NULL), CW_CLOSED);
        CHECK_STATUS(cw_ping_result(first, &rtt_us), CW_OK); /* its pong has come before */
        cw_ping_free(first);
        cw_ping_free(second);
        unwatch(&w);
    }
}

/* After cw_ping_free nothing waits, so the end of the connection posts no event. */
static void test_forgotten_ping(void)
{
    cw_ping *p = NULL;
    cw_event *e = NULL;
    watched w;

    watch_for(&w, CW_MESSAGE_SOCKET, CW_EVENT_PONG | CW_EVENT_CLOSED);
    CHECK_STATUS(cw_socket_ping_start(w.peer.s, &p), CW_OK);
    cw_ping_free(p);
    answer(&w.peer);
    raw_end(&w.peer);
    wait_for(&w, CW_EVENT_CLOSED);
    CHECK_STATUS(cw_mailbox_take(w.mailbox, 0, &e), CW_TIMED_OUT);
    unwatch(&w);
}

/* An event loop that polls the connection reads the pong itself, and gets the event like all others. */
static void test_pong_for_a_loop(void)
{
    int64_t until_ms = cw__now_ms() + 1000 * PEER_LIMIT_S / 3;
    struct pollfd descriptor = {.events = POLLIN};
    cw_event *e = NULL;
    cw_ping *p = NULL;
    watched w;

    watch_for(&w, CW_MESSAGE_SOCKET, CW_EVENT_PONG);
    CHECK_STATUS(cw_socket_poll_begin(w.peer.s, &descriptor.fd), CW_OK);
    CHECK(cw_socket_try_receive(w.peer.s, &e) != CW_OK); /* now the loop is the reader */
    CHECK_STATUS(cw_socket_ping_start(w.peer.s, &p), CW_OK);
    answer(&w.peer);
    while (cw_ping_result(p, NULL) == CW_WOULD_BLOCK && cw__now_ms() < until_ms)
        if (poll(&descriptor, 1, 1) > 0) {
            cw_socket_poll_ready(w.peer.s);
            CHECK(cw_socket_try_receive(w.peer.s, &e) != CW_OK);
        }
    CHECK_STATUS(cw_ping_result(p, NULL), CW_OK);
    wait_for(&w, CW_EVENT_PONG);
    cw_ping_free(p);
    CHECK_STATUS(cw_socket_poll_end(w.peer.s), CW_OK);
    unwatch(&w);
}

static const harness_test tests[] = {
    {"messages arrive for calls that do not wait", test_messages},
    {"the bytes of a stream arrive for calls that do not wait", test_stream},
    {"a call that waits works beside the subscription", test_waiting_call},
    {"a local close and the end of the connection are told", test_closing},
    {"the written queue is told", test_flush},
    {"pings that nobody waits for in a call", test_ping},
    {"a ping before the connect", test_ping_before_connect},
    {"the results of pings are told", test_pong_event},
    {"a ping that was freed is not told of", test_forgotten_ping},
    {"an event loop that reads a pong is told of it", test_pong_for_a_loop},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

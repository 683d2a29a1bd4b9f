/* SPDX-License-Identifier: MIT */
/* Tests of closing.c: close, abort, release and wait_closed in every state, their effect on calls that wait in other
 * threads, and the closed event. test_closing.c tests the handshake. */
#include "closing.h"
#include "raw_peer.h"

/* ---- The calls ---- */

static void test_arguments(void)
{
    static const int bad[] = {-1, 0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 70000, 65536 + 1000};
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_STATUS(cw_socket_close_start(s, bad[i], NULL, 0), CW_INVALID_ARGUMENT);
        CHECK_HAS(cw_error_message(), "3000-4999");
    }
    CHECK_STATUS(cw_socket_close_start(s, 1005, "a", 1), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_close_start(s, 1000, REASON_123 "x", 124), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "123");
    CHECK_STATUS(cw_socket_close_start(s, 1000, "\xff", 1), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_close_start(s, 1000, "a\xc3", 2), CW_INVALID_ARGUMENT);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, "a", 1);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 999, NULL, 0), CW_INVALID_ARGUMENT); /* refused in any state */
    CHECK_CLOSED(s, 1000, true);
    peer_finish(s);
}

static void test_twice(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/frame:2/hang"));

    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 3000, "first", 5), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 3001, "second", 6), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_CLOSED);
    CHECK_STATUS(cw_socket_ping(s, 0, NULL), CW_CLOSED);
    cw_socket_abort(s);
    CHECK_CLOSED(s, 1006, false);
    CHECK_STATUS(cw_socket_close_start(s, 3002, NULL, 0), CW_OK);
    cw_socket_abort(s);
    CHECK_CLOSED(s, 1006, false);
    check_close_frame(peer_log(), 3000, "first");
    peer_finish(s);
}

/* After a local close no waiting message is returned, even if the connection had ended before. */
static void test_close_when_closed(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161/close:1000/frame:1/end"));

    CHECK_CLOSED(s, 1000, true);
    CHECK_STATUS(cw_socket_close_start(s, 4000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_receive(s, 0, &(cw_event *){NULL}), CW_CLOSED);
    CHECK_CLOSED(s, 1000, true); /* the first end counts */
    peer_finish(s);
}

static void test_new(void)
{
    cw_socket *s = closing_socket(1000);

    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
    CHECK_CLOSED(s, 0, false);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    cw_socket_abort(s);
    cw_socket_release(s);
    s = closing_socket(1000);
    cw_socket_abort(s);
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
    CHECK_STATUS(peer_try_connect(s, peer_script("echo/end"), 0), CW_INVALID_STATE);
    cw_socket_release(s);
}

static void test_abort(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161/hang"));

    UNTIL(LOCKED(s, s->in.inbox.first != NULL));
    cw_socket_abort(s);
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
    CHECK_CLOSED(s, 1006, false);
    check_reason(s, "the connection was dropped by this program");
    CHECK_STATUS(cw_socket_receive(s, 0, &(cw_event *){NULL}), CW_CLOSED);
    CHECK_INT(peer_count_frames(peer_log(), -1), 0); /* no close frame */
    cw_socket_release(s);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/close:1000/hang"));
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    cw_socket_abort(s); /* after the closing handshake, abort drops TCP */
    CHECK_CLOSED(s, 1000, true);
    CHECK_HAS(peer_log(), "\"end\": \"eof\"");
    peer_finish(s);
}

/* A reason may contain NUL, in both directions; the length says where it ends. */
static void test_nul(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/x:88040fa10062/end"));
    char reason[8];
    size_t len_bytes = 0;
    peer_frame f;
    int code;

    CHECK_STATUS(cw_socket_close_start(s, 4000, "a\0b", 3), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK(cw_socket_get_closed(s, &code, reason, sizeof reason, &len_bytes));
    CHECK_INT(code, 4001);
    CHECK_INT(len_bytes, 2);
    CHECK(memcmp(reason, "\0b", 3) == 0);
    CHECK(cw_socket_get_closed(s, &code, reason, 2, &len_bytes)); /* cut to fit */
    CHECK_INT(len_bytes, 2);
    CHECK(memcmp(reason, "\0", 2) == 0);
    CHECK(peer_get_frame(peer_log(), 0, &f));
    CHECK(strncmp(f.payload, "0fa0610062", 10) == 0);
    peer_finish(s);
}

/* Rule 2: the last release of an open socket sends an empty close frame. */
static void test_release(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/close/end"));

    cw_socket_release(s);
    check_close_frame(peer_log(), 1005, "");
    CHECK_HAS(peer_log(), "\"end\": \"server\"");
    cw_shutdown(5000);
}

static bool say_yes(void *arg)
{
    (void)arg;
    return true;
}

static void test_wait_closed(void)
{
    cw_socket *s = closing_socket(20000);

    peer_connect(s, peer_script("frame:2/close:1000/end"));
    CHECK_STATUS(cw_socket_wait_closed(s, 0), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_wait_closed(s, 10), CW_TIMED_OUT);
    cw_set_wait_hook(say_yes, NULL);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_INTERRUPTED);
    cw_set_wait_hook(NULL, NULL);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    peer_finish(s);
}

/* ---- Calls that wait while another thread closes or aborts ---- */

typedef struct blocked {
    cw_socket *s;
    cw_status (*call)(cw_socket *s);
    cw_status status;
    pthread_t thread;
} blocked;

static cw_status call_receive(cw_socket *s)
{
    cw_event *e = NULL;
    return cw_socket_receive(s, CW_TIMEOUT_NEVER, &e);
}

static cw_status call_read(cw_socket *s)
{
    char byte;
    size_t len = 1;
    cw_status status = cw_socket_read(s, &byte, 1, CW_TIMEOUT_NEVER, &len);

    CHECK_INT(len, 0);
    return status;
}

static cw_status call_send(cw_socket *s)
{
    static uint8_t data[8 << 20];
    return cw_socket_send(s, CW_BINARY, data, sizeof data, CW_TIMEOUT_NEVER);
}

static cw_status call_ping(cw_socket *s) { return cw_socket_ping(s, CW_TIMEOUT_NEVER, NULL); }
static cw_status call_flush(cw_socket *s) { return cw_socket_flush(s, CW_TIMEOUT_NEVER); }
static cw_status call_wait_closed(cw_socket *s) { return cw_socket_wait_closed(s, CW_TIMEOUT_NEVER); }

static void *run_blocked(void *arg)
{
    blocked *b = arg;

    b->status = b->call(b->s);
    return NULL;
}

/* The peer does nothing, so only the close can end the call. */
static void ended(cw_class socket_class, cw_status (*call)(cw_socket *s), bool by_abort, cw_status wanted)
{
    static uint8_t data[4 << 20];
    raw_peer p;
    blocked b = {.call = call};

    CHECK_STATUS(cw_socket_create(socket_class, &b.s), CW_OK);
    CHECK_STATUS(cw_socket_set_number(b.s, CW_OPT_CLOSE_TIMEOUT, 100000), CW_OK);
    raw_open(&p, b.s);
    if (call == call_flush)
        CHECK_STATUS(cw_socket_send(b.s, CW_BINARY, data, sizeof data, 0), CW_OK);
    CHECK_INT(pthread_create(&b.thread, NULL, run_blocked, &b), 0);
    UNTIL(peer_is_blocked(b.s));
    if (by_abort)
        cw_socket_abort(b.s);
    else
        CHECK_STATUS(cw_socket_close_start(b.s, 1000, NULL, 0), CW_OK);
    CHECK_INT(pthread_join(b.thread, NULL), 0);
    CHECK_STATUS(b.status, wanted);
    raw_end(&p);
    cw_socket_release(b.s);
}

static void test_ends_receive(void)
{
    ended(CW_MESSAGE_SOCKET, call_receive, false, CW_CLOSED);
    ended(CW_MESSAGE_SOCKET, call_receive, true, CW_CLOSED);
    cw_shutdown(5000);
}

static void test_ends_read(void)
{
    ended(CW_STREAM_SOCKET, call_read, false, CW_OK);
    ended(CW_STREAM_SOCKET, call_read, true, CW_OK);
    cw_shutdown(5000);
}

static void test_ends_send(void)
{
    ended(CW_MESSAGE_SOCKET, call_send, false, CW_CLOSED);
    ended(CW_STREAM_SOCKET, call_send, true, CW_CLOSED);
    cw_shutdown(5000);
}

static void test_ends_ping(void)
{
    ended(CW_MESSAGE_SOCKET, call_ping, false, CW_CLOSED);
    ended(CW_MESSAGE_SOCKET, call_ping, true, CW_CLOSED);
    cw_shutdown(5000);
}

static void test_ends_flush(void)
{
    ended(CW_MESSAGE_SOCKET, call_flush, true, CW_CLOSED);
    ended(CW_MESSAGE_SOCKET, call_flush, false, CW_CLOSED);
    cw_shutdown(5000);
}

/* The peer's close drops the queue. The queued data was not sent, so flush must not return CW_OK. */
static void test_flush_and_their_close(void)
{
    static uint8_t data[4 << 20];
    raw_peer p;
    raw_frame f;
    blocked b = {.call = call_flush};

    b.s = closing_socket(10000);
    CHECK_STATUS(cw_socket_set_number(b.s, CW_OPT_FRAME_SIZE, 1 << 20), CW_OK);
    raw_open(&p, b.s);
    CHECK_STATUS(cw_socket_send(p.s, CW_BINARY, data, sizeof data, 0), CW_OK);
    CHECK_INT(pthread_create(&b.thread, NULL, run_blocked, &b), 0);
    UNTIL(peer_is_blocked(p.s));
    RAW_SEND(&p, "\x88\x02\x03\xe8");
    UNTIL(cw_socket_state(p.s) >= CW_STATE_CLOSING);
    CHECK(raw_next(&p, &f));
    CHECK_INT(f.head.opcode, CW__OP_BINARY);
    CHECK_INT(f.head.payload_bytes, 1 << 20); /* the frame that had begun */
    free(f.payload);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    CHECK_INT(pthread_join(b.thread, NULL), 0);
    CHECK_STATUS(b.status, CW_CLOSED);
    CHECK_STATUS(cw_socket_wait_closed(p.s, CW_TIMEOUT_NEVER), CW_CLOSED); /* this call fails too */
    CHECK_HAS(cw_error_message(), "up to 3145728 bytes that were sent did not reach the server");
    CHECK_STATUS(cw_shutdown(5000), CW_OK); /* the loss has been reported already */
    raw_finish(&p);
}

static void test_ends_wait_closed(void)
{
    ended(CW_MESSAGE_SOCKET, call_wait_closed, true, CW_OK);
    cw_shutdown(5000);
}

/* ---- The closed event ---- */

static void closed_event(const char *steps, void (*end)(cw_socket *s), int code, const char *reason,
                         bool was_clean)
{
    cw_socket *s = closing_socket(10000);
    cw_mailbox *m = NULL;
    cw_event *e = NULL;
    size_t len;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_MESSAGE | CW_EVENT_CLOSED), CW_OK);
    peer_connect(s, peer_script("%s", steps));
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_MESSAGE);
    cw_event_free(e);
    end(s);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_CLOSED);
    CHECK(cw_event_socket(e) == s);
    CHECK_INT(cw_event_close_code(e), code);
    CHECK_INT(cw_event_was_clean(e), was_clean);
    CHECK_BYTES(cw_event_data(e, &len), len, reason, strlen(reason));
    cw_event_free(e);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    cw_socket_abort(s);
    UNTIL(LOCKED(s, !s->is_attached)); /* the end of TCP brings no event either */
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENTS_ALL), CW_OK);
    while (cw_mailbox_take(m, 0, &e) == CW_OK) { /* a new subscription does not repeat the closed event */
        CHECK(cw_event_get_type(e) != CW_EVENT_CLOSED);
        cw_event_free(e);
    }
    cw_socket_release(s);
    cw_mailbox_release(m);
}

static void end_well(cw_socket *s)
{
    CHECK_STATUS(cw_socket_close_start(s, 1001, "bye", 3), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 1002, "bye", 3), CW_OK);
}

static void end_by_abort(cw_socket *s) { cw_socket_abort(s); }
static void end_not(cw_socket *s) { (void)s; }

static void test_closed_event(void)
{
    closed_event("x:810161/frame:1/x:880503e9627965/end", end_well, 1001, "bye", true);
    closed_event("x:810161/x:88040fa06869/frame:1/end", end_not, 4000, "hi", true);
    closed_event("x:810161/x:8800/frame:1/hang", end_not, 1005, "", true);
    closed_event("x:810161/end", end_not, 1006,
                 "the server ended the connection without a close frame; connect again", false);
    closed_event("x:810161/x:880103/frame:1/end", end_not, 1006,
                 "the peer's close frame has a payload of one byte", false);
    closed_event("x:810161/hang", end_by_abort, 1006, "the connection was dropped by this program", false);
    cw_shutdown(5000);
}

static const harness_test tests[] = {
    {"RFC 6455 7.4: close with bad arguments", test_arguments},
    {"close twice, and calls after it", test_twice},
    {"close of a closed socket drops its messages", test_close_when_closed},
    {"close and abort of a new socket", test_new},
    {"a reason with NUL in both directions", test_nul},
    {"abort of an open socket and of one that is closed", test_abort},
    {"lifetime rule 2: release of an open socket", test_release},
    {"wait_closed and its timeouts", test_wait_closed},
    {"close and abort end a receive at once", test_ends_receive},
    {"close and abort end a read at once, as the end of the file", test_ends_read},
    {"close and abort end a send at once", test_ends_send},
    {"close and abort end a ping at once", test_ends_ping},
    {"close and abort end a flush at once", test_ends_flush},
    {"RFC 6455 5.5.1: the peer's close drops queued data, and flush reports it", test_flush_and_their_close},
    {"abort ends wait_closed", test_ends_wait_closed},
    {"lifetime rule 6: one closed event, with code, reason and was_clean", test_closed_event},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

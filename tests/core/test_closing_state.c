/* SPDX-License-Identifier: MIT */
/* Tests of closing.c with access to its state; the clock is an argument. They test the clock of draining, the end of a
 * program, and the calls in each state. test_closing.c and test_draining.c test the same over connections. */
#include "closing.h"
#include "process.h"
#include "raw_peer.h"

/* The tests set the clock, so long times do not make them longer. They pass for the service thread too. */
enum { SEND_TIMEOUT_MS = 100000, CLOSE_TIMEOUT_MS = 30000, LARGE_BYTES = 4 * 1024 * 1024 };

static uint8_t large[LARGE_BYTES];

static cw_socket *open_raw(raw_peer *p)
{
    cw_socket *s = closing_socket(CLOSE_TIMEOUT_MS);

    *p = (raw_peer){0};
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_SEND_TIMEOUT, SEND_TIMEOUT_MS), CW_OK);
    raw_open(p, s);
    return s;
}

/* Closes a socket while all sent data is in the kernel, which cannot deliver it. */
static void close_with_data_in_kernel(cw_socket *s)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, large, sizeof large, 0), CW_OK);
    cw__mutex_lock(&s->lock);
    cw__queue_drop_locked(s); /* drops what the kernel has not taken, so that the queue is empty */
    cw__mutex_unlock(&s->lock);
    UNTIL(LOCKED(s, cw__link_unacknowledged(s->codec->link) > 0));
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK(LOCKED(s, s->drain.is_on));
}

/* An acknowledgement by the server counts as progress, although nothing waits in the socket. The service thread cannot look
 * meanwhile. */
static void test_drain_clock(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    int64_t now_ms, due_ms;
    int held;

    close_with_data_in_kernel(s);
    cw__mutex_lock(&s->lock);
    now_ms = cw__now_ms();
    due_ms = cw__closing_due_locked(s);
    CHECK(due_ms > now_ms &&
          due_ms <= cw__now_ms() + 1000); /* the service thread looks again after a short time */
    cw__closing_attend_locked(s, now_ms);
    held = cw__link_unacknowledged(s->codec->link);
    CHECK_INT(s->drain.held_bytes, held);
    now_ms += SEND_TIMEOUT_MS - 100;
    cw__closing_attend_locked(s, now_ms);
    CHECK_INT(s->close.state, CW__CLOSE_SENT);
    while (cw__link_unacknowledged(s->codec->link) >= held)
        CHECK(raw_read(&p, large, 16 * 1024) > 0);
    cw__closing_attend_locked(s, now_ms);
    CHECK_INT(s->drain.progress_ms, now_ms);
    now_ms += SEND_TIMEOUT_MS - 1;
    s->drain.held_bytes = 0; /* from here on there is no progress */
    cw__closing_attend_locked(s, now_ms);
    CHECK_INT(s->close.state, CW__CLOSE_SENT);
    s->drain.held_bytes = 0;
    cw__closing_attend_locked(s, now_ms + 1);
    CHECK_INT(s->close.state, CW__CLOSE_ENDED);
    CHECK(s->out.lost_bytes > 0);
    CHECK_HAS(s->fault.message, "send_timeout");
    cw__mutex_unlock(&s->lock);
    raw_finish(&p);
}

/* Without a send_timeout, draining still ends after 30 s without progress. */
static void test_drain_limit(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    int64_t now_ms;

    CHECK_STATUS(cw_socket_send(s, CW_BINARY, large, sizeof large, 0), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    cw__mutex_lock(&s->lock);
    CHECK_INT(s->out.last->opcode, CW__OP_CLOSE); /* the close frame is queued after all sent data */
    s->settings.numbers[CW_OPT_SEND_TIMEOUT] = -1;
    now_ms = cw__now_ms();
    cw__closing_attend_locked(s, now_ms);
    s->drain.progress_ms = now_ms;
    cw__closing_attend_locked(s, now_ms + 29999);
    CHECK_INT(s->close.state, CW__CLOSE_SENT);
    s->drain.progress_ms = now_ms;
    cw__closing_attend_locked(s, now_ms + 30000);
    CHECK_INT(s->close.state, CW__CLOSE_ENDED);
    cw__mutex_unlock(&s->lock);
    peer_drop(s);
    raw_end(&p);
    cw_shutdown(0);
}

/* Draining goes on while data waits in any place. */
static void test_drain_places(void)
{
    enum { NOWHERE, QUEUE, CALL, CODEC, PLACES };
    static cw__queued_frame waiting;
    raw_peer p;
    cw_socket *s = open_raw(&p);
    int64_t now_ms;

    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    UNTIL(LOCKED(s, !s->out.first && cw__link_unacknowledged(s->codec->link) == 0));
    cw__mutex_lock(&s->lock);
    now_ms = cw__now_ms();
    for (int place = NOWHERE; place < PLACES; place++) {
        cw__codec_sending before = s->codec->sending;
        s->drain.is_on = true;
        s->drain.progress_ms = now_ms;
        s->out.first = place == QUEUE ? &waiting : NULL;
        s->out.sending = place == CALL ? CW__SENDING_DIRECTLY : CW__SENDING_NOTHING;
        if (place == CODEC)
            s->codec->sending = CW__FRAMES_HELD;
        cw__closing_attend_locked(s, now_ms);
        CHECK_INT(s->drain.is_on, place != NOWHERE);
        s->drain.is_on = false;
        s->out.first = NULL;
        s->out.sending = CW__SENDING_NOTHING;
        s->codec->sending = before;
    }
    cw__mutex_unlock(&s->lock);
    peer_drop(s);
    raw_end(&p);
    cw_shutdown(0);
}

/* The peer breaks a rule while data drains. The connection then has close_timeout to end. */
static void test_drain_violated(void)
{
    static const cw__violation bad = {1002, "bad"};
    raw_peer p;
    cw_socket *s = open_raw(&p);
    int64_t now_ms;

    close_with_data_in_kernel(s);
    cw__mutex_lock(&s->lock);
    now_ms = cw__now_ms();
    cw__closing_violated_locked(s, &bad);
    CHECK_INT(s->close.state, CW__CLOSE_FAILED);
    CHECK(s->close.deadline_ms >= now_ms + CLOSE_TIMEOUT_MS && s->close.deadline_ms != INT64_MAX);
    CHECK_INT(cw__closing_due_locked(s), s->close.deadline_ms);
    cw__mutex_unlock(&s->lock);
    peer_drop(s);
    raw_end(&p);
    cw_shutdown(0);
}

/* A write has failed. The bytes in the kernel are lost, and closing is no longer delayed. */
static void test_drain_broken(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    int64_t now_ms;
    int held;

    close_with_data_in_kernel(s);
    cw__mutex_lock(&s->lock);
    CHECK_INT(s->close.deadline_ms, INT64_MAX);
    CHECK_INT(s->out.lost_bytes, 0);
    held = cw__link_unacknowledged(s->codec->link);
    s->out.is_broken = true;
    now_ms = cw__now_ms();
    cw__closing_attend_locked(s, now_ms);
    CHECK_INT(s->out.lost_bytes, held);
    CHECK(!s->drain.is_on);
    CHECK_INT(s->close.deadline_ms, now_ms + CLOSE_TIMEOUT_MS);
    CHECK_INT(cw__closing_due_locked(s), s->close.deadline_ms);
    cw__mutex_unlock(&s->lock);
    peer_drop(s);
    raw_end(&p);
    cw_shutdown(0);
}

/* cw_shutdown may shorten the time of a closing handshake, but never extends it. */
static void test_shut_down(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    int64_t before_ms, due_ms;

    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    UNTIL(LOCKED(s, s->close.deadline_ms != INT64_MAX));
    before_ms = cw__now_ms();
    cw__mutex_lock(&s->lock);
    cw__closing_shut_down_locked(s, CLOSE_TIMEOUT_MS / 2);
    due_ms = s->close.deadline_ms;
    CHECK(due_ms >= before_ms + CLOSE_TIMEOUT_MS / 2 && due_ms <= cw__now_ms() + CLOSE_TIMEOUT_MS / 2);
    cw__closing_shut_down_locked(s, 4 * CLOSE_TIMEOUT_MS);
    CHECK_INT(s->close.deadline_ms, due_ms);
    cw__mutex_unlock(&s->lock);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    peer_drop(s);
    raw_end(&p);
    cw_shutdown(0);
}

/* The connection does not end before our close frame is written. */
static void test_shut_down_after_violation(void)
{
    static const cw__violation bad = {1002, "bad"};
    raw_peer p;
    cw_socket *s = open_raw(&p);

    cw__mutex_lock(&s->lock);
    cw__closing_violated_locked(s, &bad);
    s->grace_ms = CLOSE_TIMEOUT_MS;
    cw__closing_attend_locked(s, cw__now_ms());
    CHECK_INT(s->close.state, CW__CLOSE_FAILED);
    cw__outbound_flush_locked(s);
    CHECK(s->out.first == NULL);
    cw__closing_attend_locked(s, cw__now_ms());
    CHECK_INT(s->close.state, CW__CLOSE_ENDED);
    cw__mutex_unlock(&s->lock);
    RAW_EXPECT(&p, CW__OP_CLOSE,
               "\x03\xea"
               "bad",
               5);
    CHECK_CLOSED(s, 1006, false);
    raw_finish(&p);
}

/* With 0, connections are dropped without a close frame. */
static void test_shut_down_without_time(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    raw_frame f;

    cw__mutex_lock(&s->lock);
    cw__closing_shut_down_locked(s, 0);
    CHECK_INT(s->close.state, CW__CLOSE_ENDED);
    CHECK(s->is_closed_locally);
    cw__mutex_unlock(&s->lock);
    CHECK(!raw_next(&p, &f));
    CHECK_CLOSED(s, 1006, false);
    raw_finish(&p);
}

/* The question whether a connection is open sends nothing, and takes no message. */
static void test_check_open(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_event *e = NULL;
    raw_frame f;
    raw_peer p;

    CHECK_STATUS(cw_socket_check_open(s), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_check_open(s), CW_CLOSED);
    CHECK_HAS(cw_error_message(), "closed by this program");
    cw_socket_release(s);

    s = open_raw(&p);
    CHECK_STATUS(cw_socket_check_open(s), CW_OK);
    RAW_SEND(&p, "\x81\x01x\x88\x05\x0f\xa0"
                 "bye");
    CHECK_CLOSED(s, 4000, true);
    CHECK_STATUS(cw_socket_check_open(s), CW_CLOSED);
    CHECK_HAS(cw_error_message(), "closed the connection with code 4000: bye");
    CHECK(raw_next(&p, &f));
    CHECK_INT(f.head.opcode, CW__OP_CLOSE); /* nothing came before it */
    free(f.payload);
    CHECK_STATUS(cw_socket_receive(s, 0, &e), CW_OK);
    cw_event_free(e);
    raw_finish(&p);

    s = open_raw(&p);
    cw__mutex_lock(&s->lock);
    cw__error_set(&s->fault, CW_CLOSED, CW_WEB_ConnectionAborted, "writing has failed");
    s->out.is_broken = true; /* the state is still open */
    cw__mutex_unlock(&s->lock);
    CHECK_STATUS(cw_socket_check_open(s), CW_CLOSED);
    CHECK_STR(cw_error_message(), "writing has failed");
    raw_finish(&p);
}

/* A local close is a normal end in every state of the socket. After it there is nothing to wait for. */
static void test_closed_locally(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    raw_peer p;
    char uri[64];
    int listener;

    CHECK_STATUS(cw_socket_wait_closed(s, 0), CW_OK); /* new: there is no connection */
    CHECK(!cw_socket_ended_normally(s));
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK(cw_socket_ended_normally(s));
    cw_socket_release(s);

    listener = raw_listen(uri); /* the peer accepts no connection */
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, 1), CW_TIMED_OUT);
    CHECK_HAS(cw_error_message(), "the end of the connection");
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK(cw_socket_ended_normally(s));
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    cw_socket_release(s);
    s = peer_socket(CW_MESSAGE_SOCKET); /* the same at the end of a program */
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT), CW_OK);
    cw__mutex_lock(&s->lock);
    CHECK(s->connecting != NULL);
    cw__closing_shut_down_locked(s, 100);
    CHECK(s->is_closed_locally);
    cw__mutex_unlock(&s->lock);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    cw_socket_release(s);
    (void)close(listener);

    s = open_raw(&p);
    RAW_SEND(&p, "\x88\x02\x0f\xa0"); /* 4000 */
    CHECK_CLOSED(s, 4000, true);
    CHECK(!cw_socket_ended_normally(s));
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK(cw_socket_ended_normally(s));
    raw_finish(&p);
}

/* RFC 6455 section 5.5.1: nothing is sent after a close frame. So a pong that is still owed is dropped. */
static void test_pong_owed(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    raw_frame f;

    cw__mutex_lock(&s->lock);
    CHECK(cw__pings_owe_locked(s, (const uint8_t *)"x", 1));
    CHECK(s->pings.owed != NULL);
    cw__closing_received_locked(s, (const uint8_t *)"\x03\xe8", 2);
    CHECK(s->pings.owed == NULL);
    cw__mutex_unlock(&s->lock);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    CHECK_INT(shutdown(p.fd, SHUT_WR), 0);
    CHECK(!raw_next(&p, &f));
    CHECK_CLOSED(s, 1000, true);
    raw_finish(&p);
}

/* A pong that is owed is sent before our close frame. */
static void test_pong_before_close(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);

    cw__mutex_lock(&s->lock);
    CHECK(cw__pings_owe_locked(s, (const uint8_t *)"x", 1));
    cw__closing_begin_locked(s, 1000, NULL, 0);
    CHECK(s->pings.owed == NULL);
    cw__mutex_unlock(&s->lock);
    RAW_EXPECT(&p, CW__OP_PONG, "x", 1);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    peer_drop(s);
    raw_end(&p);
    cw_shutdown(0);
}

/* A write has failed, so the peer's close frame cannot be answered and the connection ends. Calls report the failure. */
static void test_broken(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);

    cw__mutex_lock(&s->lock);
    s->out.is_broken = true;
    cw__error_set(&s->fault, CW_CLOSED, CW_WEB_ConnectionAborted, "lost while sending");
    CHECK_STATUS(cw__closing_fail_locked(s), CW_CLOSED);
    CHECK_STR(cw_error_message(), "lost while sending");
    cw__closing_received_locked(s, (const uint8_t *)"\x03\xe8", 2);
    CHECK_INT(s->close.state, CW__CLOSE_ENDED);
    cw__mutex_unlock(&s->lock);
    CHECK_CLOSED(s, 1000, false);
    raw_finish(&p);
}

static void test_without_memory(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);

    cw__mutex_lock(&s->lock);
    cw__alloc_fail_at(0);
    cw__closing_begin_locked(s, 1000, NULL, 0);
    cw__alloc_fail_at(-1);
    cw__mutex_unlock(&s->lock);
    CHECK_CLOSED(s, 1006, false);
    check_reason(s, "no memory for a close frame: free memory and connect again");
    raw_finish(&p);
}

/* wait_closed lets the service thread read at once, if a caller has read before. */
static void test_wait_gives_back(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);

    cw__mutex_lock(&s->lock);
    s->in.reader = CW__READER_CALLER;
    s->in.reclaim_due_ms = INT64_MAX;
    cw__socket_watch_locked(s);
    cw__mutex_unlock(&s->lock);
    RAW_SEND(&p, "\x88\x02\x03\xe8");
    CHECK_STATUS(cw_socket_wait_closed(s, 1000 * PEER_LIMIT_S / 3), CW_OK);
    raw_finish(&p);
}

/* Loses 5 bytes and receives a close frame. wait_closed says why the bytes were lost. */
static void lost_because(const char *fault, const char *reason, int web_status, const char *text)
{
    raw_peer p;
    cw_socket *s = open_raw(&p);
    uint8_t payload[CW__CONTROL_MAX_BYTES];
    size_t len = cw__close_encode(1000, reason, strlen(reason), payload);

    cw__mutex_lock(&s->lock);
    cw__queue_count_lost_locked(s, 5);
    if (fault) {
        s->out.is_broken = true;
        cw__error_set(&s->fault, CW_CLOSED, CW_WEB_ConnectionReset, "%s", fault);
    }
    cw__closing_received_locked(s, payload, len);
    cw__mutex_unlock(&s->lock);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_CLOSED);
    CHECK_STR(cw_error_message(), text);
    CHECK_INT(cw_error_web_status(), web_status);
    raw_finish(&p);
}

#define LOST_BECAUSE(why)                                                                       \
    ("up to 5 bytes that were sent did not reach the server: " why "; send the messages again " \
     "on a new connection")

static void test_loss(void)
{
    lost_because("the write failed", "bye", CW_WEB_ConnectionReset, LOST_BECAUSE("the write failed"));
    lost_because(NULL, "bye", CW_WEB_Disconnected, LOST_BECAUSE("bye"));
    lost_because(NULL, "", CW_WEB_Disconnected, LOST_BECAUSE("the server closed the connection first"));
}

/* The text names the forbidden code, or the control whose limit a message exceeds. */
static void test_violations(void)
{
    static const cw__violation fragments = {1008, "too many fragments"};
    raw_peer p;
    cw_socket *s = open_raw(&p);

    cw__mutex_lock(&s->lock);
    cw__closing_received_locked(s, (const uint8_t *)"\x03\xec", 2);
    cw__mutex_unlock(&s->lock);
    CHECK_CLOSED(s, 1006, false);
    check_reason(s, "the peer's close frame has code 1004, which RFC 6455 forbids there");
    raw_finish(&p);
    s = open_raw(&p);
    cw__mutex_lock(&s->lock);
    s->in.message.max_fragments = 5;
    cw__closing_violated_locked(s, &fragments);
    CHECK_STR(s->fault.message, "a message has more fragments than max_fragments (5)");
    CHECK_INT(s->fault.limit, CW_OPT_MAX_FRAGMENTS + 1);
    cw__mutex_unlock(&s->lock);
    CHECK_CLOSED(s, 1006, false);
    raw_finish(&p);
}

static bool interrupt(void *arg) { return arg == NULL; }

static void test_texts(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    raw_peer p;

    CHECK_STATUS(cw_socket_close_start(s, 1005, "a", 1), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(),
              "code 1005 sends an empty close frame, which has no reason: leave the reason out");
    CHECK_STATUS(cw_socket_close_start(s, 1000, "\xff", 1), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(), "the reason must be UTF-8: encode it as UTF-8");
    cw_socket_release(s);
    s = open_raw(&p);
    cw_set_wait_hook(interrupt, NULL);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_INTERRUPTED);
    CHECK_HAS(cw_error_message(), "interrupted while waiting for the end of the connection");
    cw_set_wait_hook(NULL, NULL);
    RAW_SEND(&p, "\x88\x02\x0f\xa0"); /* 4000, without a reason */
    CHECK_CLOSED(s, 4000, true);
    CHECK_STATUS(cw_socket_receive(s, 0, &(cw_event *){NULL}), CW_CLOSED);
    CHECK_STR(cw_error_message(), "the server closed the connection with code 4000; connect again to go on");
    raw_finish(&p);
}

static cw_socket *inherited;

static void check_in_child(void)
{
    char reason[4] = "xyz";
    int code = 7;

    CHECK(!cw_socket_get_closed(inherited, &code, reason, sizeof reason, NULL));
    CHECK_INT(code, 0);
    CHECK_STR(reason, "");
    reason[0] = 'x';
    CHECK(!cw_socket_get_closed(inherited, &code, reason, 0, NULL)); /* without a buffer for the reason */
    CHECK_INT(reason[0], 'x');
    CHECK(!cw_socket_ended_normally(inherited));
    CHECK_STATUS(cw_socket_check_open(inherited), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_wait_closed(inherited, 0), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_close_start(inherited, 1000, NULL, 0), CW_AFTER_FORK);
}

/* A child has no access to its parent's connections. */
static void test_after_fork(void)
{
    raw_peer p;
    int code;
    char reason[8];

    inherited = open_raw(&p);
    RAW_SEND(&p, "\x88\x05\x03\xe8"
                 "bye");
    CHECK_CLOSED(inherited, 1000, true);
    CHECK(cw_socket_get_closed(inherited, &code, reason, sizeof reason, NULL));
    CHECK_STR(reason, "bye");
    CHECK(cw_socket_ended_normally(inherited));
    CHECK_INT(status_of_child(check_in_child), 0);
    raw_finish(&p);
}

static const harness_test tests[] = {
    {"draining: an acknowledgement by the server is progress", test_drain_clock},
    {"draining: without a send_timeout", test_drain_limit},
    {"draining: data waits in the queue, in a call or in the codec", test_drain_places},
    {"draining: the peer breaks a rule", test_drain_violated},
    {"draining: a write has failed", test_drain_broken},
    {"the end of a program: a closing handshake gets less time, never more", test_shut_down},
    {"the end of a program: our close frame is written first", test_shut_down_after_violation},
    {"the end of a program, without time", test_shut_down_without_time},
    {"a close of our own is a normal end in every state", test_closed_locally},
    {"the question whether a connection is open", test_check_open},
    {"RFC 6455 5.5.1: no pong after a close frame", test_pong_owed},
    {"an owed pong is sent before our close frame", test_pong_before_close},
    {"the peer closes after a write has failed", test_broken},
    {"the peer breaks a rule, or exceeds a limit", test_violations},
    {"no memory for a close frame", test_without_memory},
    {"wait_closed after a caller has read", test_wait_gives_back},
    {"wait_closed says why bytes were lost", test_loss},
    {"the texts of errors", test_texts},
    {"a closed socket in a child", test_after_fork},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

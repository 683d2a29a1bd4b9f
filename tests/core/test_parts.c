/* SPDX-License-Identifier: MIT */
/* Tests of cw_socket_receive_part: a message that is read in parts, and what other calls do meanwhile. */
#include "peer.h"

static cw_socket *open_partial(const char *uri)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_RECEIVE_MODE, CW_PARTIAL_MESSAGE), CW_OK);
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_OK);
    return s;
}

static cw_event *part(cw_socket *s, const void *reader, bool is_first, const char *wanted, bool is_complete)
{
    cw_event *e = NULL;
    size_t len;

    CHECK_STATUS(cw_socket_receive_part(s, reader, is_first, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    CHECK_BYTES(cw_event_data(e, &len), len, wanted, strlen(wanted));
    CHECK_INT(cw_event_is_complete(e), is_complete);
    return e;
}

static void check_skipped(cw_socket *s, const void *reader)
{
    cw_event *e;

    CHECK_STATUS(cw_socket_receive_part(s, reader, false, 0, &e), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "the rest of this message was skipped");
}

static void go_on(cw_socket *s)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "go", 2, CW_TIMEOUT_DEFAULT), CW_OK);
}

static void finish(cw_socket *s)
{
    cw_socket_abort(s);
    peer_finish(s);
}

static void test_each_part(void)
{
    cw_socket *s = open_partial(peer_script("x:020161/x:00016280016381016482016582016682016782016883/hang"));
    int a, b;

    cw_event_free(part(s, &a, true, "a", false));
    cw_event_free(part(s, &a, false, "b", false));
    cw_event_free(part(s, &a, false, "c", true));
    check_skipped(s, &a); /* after the end too */
    cw_event_free(part(s, &b, true, "d", true));
    check_skipped(s, &a);
    cw_event_free(part(s, &b, true, "e", true));
    CHECK_MESSAGE(s, CW_BINARY, "f", 1);
    finish(s);
}

/* The next receive skips the rest: what has arrived, and what is still to come. */
static void test_skips(void)
{
    cw_socket *s =
        open_partial(peer_script("x:020161000162/frame:1/x:800163/x:020164/frame:2/x:000165800166820167/hang"));
    char buffer[4];
    cw_received got;
    cw_event *e;
    int a, b;

    cw_event_free(part(s, &a, true, "a", false));
    CHECK_STATUS(cw_socket_receive(s, 0, &e), CW_TIMED_OUT);
    check_skipped(s, &a);
    go_on(s);
    cw_event_free(part(s, &b, true, "d", false));
    go_on(s);
    CHECK_STATUS(cw_socket_receive_into(s, buffer, sizeof buffer, CW_TIMEOUT_DEFAULT, &got), CW_OK);
    CHECK_BYTES(buffer, got.len_bytes, "g", 1);
    check_skipped(s, &b);
    finish(s);
}

static void test_subscription_skips(void)
{
    cw_socket *s = open_partial(peer_script("x:020161000162/frame:1/x:800163820164/hang"));
    cw_mailbox *m;
    cw_event *e;
    size_t len;
    int a;

    cw_event_free(part(s, &a, true, "a", false));
    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_MESSAGE), CW_OK);
    CHECK_STATUS(cw_socket_receive_part(s, &a, false, 0, &e), CW_INVALID_STATE);
    go_on(s);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_BYTES(cw_event_data(e, &len), len, "d", 1);
    cw_event_free(e);
    cw_mailbox_release(m);
    finish(s);
}

static void test_put_back(void)
{
    cw_socket *s = open_partial(peer_script("x:020161800162820163820164/hang"));
    int a, b;

    cw_socket_put_back(s, part(s, &a, true, "a", false)); /* as if it had not begun */
    check_skipped(s, &a);
    cw_event_free(part(s, &a, true, "a", false));
    cw_socket_put_back(s, part(s, &a, false, "b", true));
    cw_event *e = part(s, &a, false, "b", true);
    cw_event_free(part(s, &b, true, "c", true));
    cw_socket_put_back(s, e); /* too late: the message has been skipped */
    CHECK_MESSAGE(s, CW_BINARY, "d", 1);
    finish(s);
}

static void *receive_last(void *s)
{
    CHECK_MESSAGE(s, CW_BINARY, "c", 1);
    return NULL;
}

/* A receive that waits already does not take parts of the message, and gets the next message. */
static void test_waits_for_the_last_part(void)
{
    cw_socket *s = open_partial(peer_script("frame:1/x:020161/frame:2/x:800162/x:820163/hang"));
    pthread_t thread;
    cw_event *e = NULL;
    int a;

    CHECK_INT(pthread_create(&thread, NULL, receive_last, s), 0);
    UNTIL(peer_is_blocked(s));
    cw__mutex_lock(&s->lock);
    s->in.streamer = &a; /* as a thread has it that took the first part before the waiting thread woke up */
    cw__mutex_unlock(&s->lock);
    go_on(s);
    e = part(s, &a, false, "a", false);
    cw_event_free(e);
    go_on(s);
    cw_event_free(part(s, &a, false, "b", true));
    CHECK_INT(pthread_join(thread, NULL), 0);
    finish(s);
}

static void test_ends(void)
{
    cw_socket *s = open_partial(peer_script("x:020161000162/close:1000/end"));
    cw_event *e;
    int a;

    cw_event_free(part(s, &a, true, "a", false));
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    cw_event_free(part(s, &a, false, "b", false));
    CHECK_STATUS(cw_socket_receive_part(s, &a, false, CW_TIMEOUT_NEVER, &e), CW_CLOSED);
    peer_finish(s);
    s = open_partial(peer_script("x:020161000162/hang"));
    cw_event_free(part(s, &a, true, "a", false));
    cw_socket_abort(s);
    CHECK_STATUS(cw_socket_receive_part(s, &a, false, 0, &e), CW_CLOSED);
    peer_finish(s);
}

static void test_full_mode(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:020161000162800163820164/hang"));
    int a;

    cw_event_free(part(s, &a, true, "abc", true));
    CHECK_MESSAGE(s, CW_BINARY, "d", 1);
    finish(s);
}

static const harness_test tests[] = {
    {"the parts of a message, one after another", test_each_part},
    {"the next receive skips the rest of the message", test_skips},
    {"a subscription skips the rest of the message", test_subscription_skips},
    {"parts that are put back", test_put_back},
    {"a receive that waits already waits for the last part", test_waits_for_the_last_part},
    {"the connection ends in the middle of the message", test_ends},
    {"in full mode the message is one part", test_full_mode},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

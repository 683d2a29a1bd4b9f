/* SPDX-License-Identifier: MIT */
/* Tests of data that goes back into the socket: messages that a caller could not use, and bytes of a stream.
 * Also a message that arrived in the caller's memory while the call was interrupted. */
#include "peer.h"

enum { HALF_BYTES = 100000 };

static bool is_half_there(cw_socket *s)
{
    const cw_event *place;
    bool is_there;

    cw__mutex_lock(&s->lock);
    place = s->in.message.building;
    is_there = place && place->memory == CW__MEMORY_LENT && place->len_bytes > 0;
    cw__mutex_unlock(&s->lock);
    return is_there;
}

static bool has_message(cw_socket *s)
{
    bool has;

    cw__mutex_lock(&s->lock);
    has = s->in.inbox.first != NULL;
    cw__mutex_unlock(&s->lock);
    return has;
}

static void go_on(cw_socket *s)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "go", 2, CW_TIMEOUT_DEFAULT), CW_OK);
}

/* A wait hook. Its first call makes the server begin, because the memory is lent by then. A later call acts as a slow
 * signal handler that raises an error. By then the message has arrived, and the next one too. */
static bool interrupt_late(void *arg)
{
    static bool has_begun;
    cw_socket *s = arg;

    if (!has_begun)
        go_on(s);
    has_begun = true;
    if (!is_half_there(s))
        return false;
    go_on(s);
    UNTIL(has_message(s));
    return true;
}

static void test_interrupted_when_complete(void)
{
    static uint8_t buffer[2 * HALF_BYTES];
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET,
                             peer_script("frame:1/x:827f%016x/repeat:%d:61/frame:2/repeat:%d:61/x:820162",
                                         2 * HALF_BYTES, HALF_BYTES, HALF_BYTES));
    cw_received got;

    cw_set_wait_hook(interrupt_late, s);
    CHECK_STATUS(cw_socket_receive_into(s, buffer, sizeof buffer, CW_TIMEOUT_NEVER, &got), CW_INTERRUPTED);
    cw_set_wait_hook(NULL, NULL);
    CHECK_INT(got.len_bytes, 0);
    memset(buffer, 'x', sizeof buffer);
    CHECK_STATUS(cw_socket_receive_into(s, buffer, sizeof buffer, CW_TIMEOUT_DEFAULT, &got), CW_OK);
    CHECK_INT(got.len_bytes, sizeof buffer);
    CHECK_INT(got.message_type, CW_BINARY);
    CHECK(got.is_complete);
    for (size_t i = 0; i < sizeof buffer; i++)
        if (buffer[i] != 'a')
            HARNESS_FAIL("byte %zu is wrong", i);
    CHECK_MESSAGE(s, CW_BINARY, "b", 1);
    cw_socket_abort(s);
    peer_finish(s);
}

static cw_event *taken(cw_socket *s, const char *wanted)
{
    cw_event *e = NULL;
    size_t len;

    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    CHECK_BYTES(cw_event_data(e, &len), len, wanted, strlen(wanted));
    return e;
}

static void test_messages(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161820162810163/hang"));
    cw_event *a = taken(s, "a"), *b = taken(s, "b"), *boxed = NULL;
    cw_mailbox *m;
    size_t len;

    cw_socket_put_back(s, b);
    cw_socket_put_back(s, a);
    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    b = taken(s, "b");
    CHECK_INT(cw_event_message_type(b), CW_BINARY);
    CHECK(cw_event_is_complete(b));
    cw_socket_put_back(s, b);
    /* this also works when the messages go to a mailbox */
    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_MESSAGE), CW_OK);
    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &boxed), CW_OK);
        CHECK_BYTES(cw_event_data(boxed, &len), len, "b", 1);
        cw_socket_put_back(s, boxed);
    }
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &boxed), CW_OK);
    CHECK_BYTES(cw_event_data(boxed, &len), len, "b", 1);
    CHECK_STATUS(cw_socket_subscribe(s, NULL, 0), CW_OK);
    CHECK_MESSAGE(s, CW_UTF8, "c", 1);
    cw_socket_abort(s);
    cw_socket_put_back(s, boxed); /* after a local close no message is returned */
    CHECK_STATUS(cw_socket_receive(s, 0, &boxed), CW_CLOSED);
    cw_mailbox_release(m);
    peer_finish(s);
}

/* Messages that arrived before the end of the connection can still be taken, and so can messages that were put back. */
static void test_after_the_end(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161/close:1000/end"));
    cw_event *e = taken(s, "a");

    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    cw_socket_put_back(s, e);
    cw_event_free(taken(s, "a"));
    CHECK_STATUS(cw_socket_receive(s, 0, &e), CW_CLOSED);
    peer_finish(s);
}

static void *receive_one(void *s)
{
    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    return NULL;
}

/* A thread that waits for a message gets the message that is put back. */
static void test_wakes(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161/hang"));
    cw_event *e = taken(s, "a");
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, NULL, receive_one, s), 0);
    UNTIL(peer_is_blocked(s));
    cw_socket_put_back(s, e);
    CHECK_INT(pthread_join(thread, NULL), 0);
    cw_socket_abort(s);
    peer_finish(s);
}

static void check_read(cw_socket *s, size_t most, const char *wanted)
{
    char buffer[16];
    size_t len;

    CHECK_STATUS(cw_socket_read(s, buffer, most, CW_TIMEOUT_DEFAULT, &len), CW_OK);
    CHECK_BYTES(buffer, len, wanted, strlen(wanted));
}

static bool unread_and_read(void *s)
{
    cw_status status = cw_socket_unread(s, "xyz", 3);

    if (status != CW_OK)
        CHECK_STATUS(status, CW_NO_MEMORY);
    else
        check_read(s, 16, "xyz");
    return status == CW_OK;
}

static void test_stream(void)
{
    cw_socket *s = peer_open(CW_STREAM_SOCKET, peer_script("x:8204616263648200/frame:1/x:820165/close:1000"));
    cw_socket *other = peer_socket(CW_MESSAGE_SOCKET);

    check_read(s, 2, "ab");
    CHECK_STATUS(cw_socket_unread(s, "b", 1), CW_OK);
    CHECK_STATUS(cw_socket_unread(s, "a", 1), CW_OK);
    CHECK_STATUS(cw_socket_unread(s, NULL, 0), CW_OK);
    check_read(s, 16, "a");
    check_read(s, 16, "b");
    check_read(s, 16, "cd");
    each_allocation_fails(unread_and_read, s);
    CHECK_STATUS(cw_socket_unread(other, "a", 1), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "message socket");
    cw_socket_release(other);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "go", 2, CW_TIMEOUT_DEFAULT), CW_OK);
    check_read(s, 16, "e");
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK_STATUS(cw_socket_unread(s, "e", 1), CW_OK); /* the end comes after these bytes */
    check_read(s, 16, "e");
    check_read(s, 16, "");
    peer_finish(s);
}

static const harness_test tests[] = {
    {"an interrupted receive leaves the message that was completed meanwhile", test_interrupted_when_complete},
    {"messages that are put back are the next ones, here or in a mailbox", test_messages},
    {"a message is put back after the end of the connection", test_after_the_end},
    {"a message that is put back wakes a thread that waits for one", test_wakes},
    {"bytes of a stream that are put back", test_stream},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of mailbox.c and of cw_socket_subscribe: who may subscribe to what, waking and interrupting a take, and a
 * mailbox that is released while events wait in it. test_many.c tests many sockets in one mailbox, test_fork.c tests
 * fork. */
#include "peer.h"

#include <errno.h>
#include <sys/syscall.h>

static bool say_yes(void *asked)
{
    ++*(int *)asked;
    return true;
}

static void test_refused(void)
{
    cw_socket *message = peer_socket(CW_MESSAGE_SOCKET), *stream = peer_socket(CW_STREAM_SOCKET);
    cw_mailbox *one, *other;
    cw_event *e = NULL;
    char byte;
    size_t len;

    CHECK_STATUS(cw_mailbox_create(&one), CW_OK);
    CHECK_STATUS(cw_mailbox_create(&other), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(stream, one, CW_EVENT_MESSAGE), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "stream");
    CHECK_STATUS(cw_socket_subscribe(message, one, CW_EVENTS_ALL), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(message, other, CW_EVENTS_ALL), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "another mailbox");
    CHECK_STATUS(cw_socket_subscribe(message, one, CW_EVENT_CLOSED), CW_OK); /* a new mask, the same mailbox */
    CHECK_STATUS(cw_socket_subscribe(message, NULL, 0), CW_OK);
    /* the socket is still bound to the first mailbox */
    CHECK_STATUS(cw_socket_subscribe(message, other, CW_EVENTS_ALL), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_subscribe(message, one, CW_EVENTS_ALL), CW_OK);
    CHECK_STATUS(cw_socket_receive(stream, 0, &e), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "input stream");
    CHECK_STATUS(cw_socket_read(message, &byte, 1, 0, &len), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "receive its messages");
    cw_socket_release(message);
    cw_socket_release(stream);
    cw_mailbox_release(one);
    cw_mailbox_release(other);
    cw_mailbox_release(NULL);
}

/* With a mask that leaves messages out, the closed event need not wait for them, and no message is lost. */
static void test_closed_first(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161/x:8800/hang"));
    cw_mailbox *m;
    cw_event *e = NULL;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_CLOSED), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_CLOSED);
    cw_event_free(e);
    CHECK_STATUS(cw_socket_receive(s, 0, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_MESSAGE);
    cw_event_free(e);
    CHECK_STATUS(cw_socket_receive(s, 0, &e), CW_CLOSED);
    cw_mailbox_release(m);
    peer_finish(s);
}

/* An inbox is full from its high mark until half of that or less is left. Then the service thread reads again, while the
 * reader still has messages to take. */
static void test_inbox_marks(void)
{
    enum { PAYLOAD_BYTES = 100, COUNT = 8 };
    size_t each_bytes = sizeof(cw_event) + PAYLOAD_BYTES;

    for (size_t odd = 0; odd < 3; odd++) {
        cw__inbox box = {.high_bytes = COUNT * each_bytes - odd};
        size_t left;

        for (size_t i = 1; i <= COUNT; i++) {
            cw_event *e = cw__event_create(CW_EVENT_MESSAGE, PAYLOAD_BYTES);
            CHECK(e != NULL);
            e->len_bytes = PAYLOAD_BYTES;
            e->next = e; /* next may be left from another list */
            cw__inbox_push(&box, e);
            CHECK_INT(box.bytes, i * each_bytes);
            CHECK_INT(box.is_full, i == COUNT);
        }
        for (left = COUNT; left > 0;) {
            cw_event_free(cw__inbox_pop(&box));
            left--;
            CHECK_INT(box.bytes, left * each_bytes);
            CHECK_INT(box.is_full, left * each_bytes > box.high_bytes / 2);
        }
        CHECK(cw__inbox_pop(&box) == NULL);
        for (int twice = 0; twice < 2; twice++) { /* filled to the last byte, and again */
            cw_event *e = cw__event_create(CW_EVENT_MESSAGE, 0);
            CHECK(e != NULL && sizeof *e <= box.high_bytes);
            e->len_bytes = box.high_bytes - sizeof *e;
            cw__inbox_push(&box, e);
            CHECK(box.is_full && box.bytes == box.high_bytes);
            cw_event_free(cw__inbox_pop(&box));
            CHECK(!box.is_full);
        }
        CHECK(box.first == NULL && box.last == NULL);
    }
}

/* An event that is put back comes first, and counts like the others. */
static void test_inbox_put_back(void)
{
    cw__inbox box = {.high_bytes = 2 * sizeof(cw_event)};
    cw_event *events[3];

    for (int i = 0; i < 3; i++) {
        events[i] = cw__event_create(CW_EVENT_MESSAGE, 0);
        CHECK(events[i] != NULL);
    }
    cw__inbox_put_back(&box, events[1]);
    CHECK(box.first == events[1] && box.last == events[1]);
    CHECK_INT(box.bytes, sizeof(cw_event));
    CHECK(!box.is_full);
    cw__inbox_put_back(&box, events[0]);
    CHECK(box.first == events[0] && box.last == events[1]);
    CHECK_INT(box.bytes, 2 * sizeof(cw_event));
    CHECK(box.is_full);
    cw__inbox_push(&box, events[2]);
    for (int i = 0; i < 3; i++) {
        CHECK(cw__inbox_pop(&box) == events[i]);
        cw_event_free(events[i]);
    }
    CHECK(cw__inbox_pop(&box) == NULL);
    CHECK_INT(box.bytes, 0);
}

/* After a wake is reported, the descriptor stays readable for the events that wait too. */
static void test_wake_beside_events(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161/hang"));
    struct pollfd readable = {.events = POLLIN};
    cw_mailbox *m;
    cw_event *e = NULL;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    readable.fd = cw_mailbox_fd(m);
    CHECK_INT(poll(&readable, 1, 0), 0);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_MESSAGE), CW_OK);
    CHECK_INT(poll(&readable, 1, 1000 * PEER_LIMIT_S), 1);
    cw_mailbox_wake(m);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    CHECK_INT(poll(&readable, 1, 0), 1);
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_OK);
    CHECK(cw_event_socket(e) == s);
    cw_event_free(e);
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT);
    CHECK_INT(poll(&readable, 1, 0), 0);
    cw_mailbox_release(m);
    cw_socket_abort(s);
    peer_drop(s);
    cw_shutdown(1000);
}

static void test_hook(void)
{
    cw_mailbox *m;
    cw_event *e = NULL;
    int asked = 0;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    cw_set_wait_hook(say_yes, &asked);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    cw_set_wait_hook(NULL, NULL);
    CHECK_INT(asked, 1);
    CHECK(e == NULL);
    cw_mailbox_release(m);
}

/* ---- Without memory, without descriptors ---- */

static int eventfd_errno; /* the errno with which eventfd fails; 0 = it does not fail */

/* In C it has another name, because the system declares the function. */
__attribute__((visibility("default"))) int hooked_eventfd(unsigned count, int flags) __asm__("eventfd");

int hooked_eventfd(unsigned count, int flags)
{
    if (eventfd_errno) {
        errno = eventfd_errno;
        return -1;
    }
    return (int)syscall(SYS_eventfd2, count, flags);
}

static void test_no_descriptor(void)
{
    cw_mailbox *m;

    eventfd_errno = ENOMEM;
    CHECK_STATUS(cw_mailbox_create(&m), CW_NO_MEMORY);
    CHECK_STR(cw_error_message(), "no memory for a mailbox: free memory and call again");
    eventfd_errno = EMFILE;
    CHECK_STATUS(cw_mailbox_create(&m), CW_SYSTEM_ERROR);
    CHECK_STR(cw_error_message(), "no descriptor for a mailbox: raise the limit (ulimit -n)");
    CHECK_INT(cw_error_os_errno(), EMFILE);
    CHECK(m == NULL);
    eventfd_errno = 0;
    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    cw_mailbox_release(m);
}

/* ---- Released ---- */

/* Events hold their sockets, and sockets hold their mailbox. The owner's release must break that cycle. */
static void test_released_full(void)
{
    cw_socket *s[2] = {peer_open(CW_MESSAGE_SOCKET, peer_script("x:810161/hang")),
                       peer_open(CW_MESSAGE_SOCKET, peer_script("x:810162/hang"))};
    cw_mailbox *m;
    cw_event *e = NULL;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    for (int i = 0; i < 2; i++)
        CHECK_STATUS(cw_socket_subscribe(s[i], m, CW_EVENTS_ALL), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    cw_event_free(e);
    cw_mailbox_release(m);
    for (int i = 0; i < 2; i++) {
        cw_socket_abort(s[i]); /* the closed event goes nowhere */
        peer_drop(s[i]);
    }
    cw_shutdown(1000);
}

static const harness_test tests[] = {
    {"a stream has no message events; a socket has one mailbox", test_refused},
    {"messages outside the mask can be taken after the closed event", test_closed_first},
    {"an inbox is full until half of it is taken", test_inbox_marks},
    {"an event that is put back into an inbox comes first", test_inbox_put_back},
    {"a wake drops no event", test_wake_beside_events},
    {"a take is interrupted by the hook", test_hook},
    {"a lack of memory is not reported as a lack of descriptors", test_no_descriptor},
    {"lifetime rule 3: released with events in it", test_released_full},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

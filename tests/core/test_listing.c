/* SPDX-License-Identifier: MIT */
/* Tests of mailbox.c without sockets and without the service: the subscribers only count, and each test says whether
 * the process has forked. test_mailbox.c tests mailboxes with sockets. */
#include "harness.h"

#include "engine/engine.h"

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

/* ---- Instead of process.c ---- */

static int generation;

int cw__generation(void) { return generation; }

/* ---- A subscriber ---- */

typedef struct counter {
    cw__subscriber subscriber; /* the first member */
    cw_mailbox *mailbox;
    int id, events, holds, drops;
    bool has_no_memory; /* the next take fails, once */
} counter;

static void hold(cw__subscriber *s) { ((counter *)(void *)s)->holds++; }
static void drop(cw__subscriber *s) { ((counter *)(void *)s)->drops++; }

static cw_event *take(cw__subscriber *s, bool *has_no_memory)
{
    counter *c = (counter *)(void *)s;
    cw_event *e = NULL;

    CHECK(!s->is_listed);
    if (c->has_no_memory) {
        c->has_no_memory = false;
        *has_no_memory = true;
    } else if (c->events > 0) {
        c->events--;
        e = cw__event_create(CW_EVENT_MESSAGE, 0);
        CHECK(e != NULL);
        e->close_code = (uint16_t)(c->id);
    }
    if (c->events > 0)
        cw__mailbox_list(c->mailbox, s);
    return e;
}

static counter made(cw_mailbox *m, int id, int events)
{
    return (counter){
        .subscriber = {.take = take, .hold = hold, .drop = drop}, .mailbox = m, .id = id, .events = events};
}

static void list(counter *c) { cw__mailbox_list(c->mailbox, &c->subscriber); }

static cw_mailbox *create(void)
{
    cw_mailbox *m = NULL;

    CHECK_INT(cw_mailbox_create(&m), CW_OK);
    return m;
}

static bool is_readable(cw_mailbox *m)
{
    struct pollfd descriptor = {.fd = cw_mailbox_fd(m), .events = POLLIN};
    int count = poll(&descriptor, 1, 0);

    CHECK(count >= 0);
    return count == 1;
}

/* Takes an event and returns the number of its subscriber; 0 = there was none. */
static void expect(cw_mailbox *m, int id)
{
    cw_event *e = NULL;
    cw_status status = cw_mailbox_take(m, 0, &e);

    CHECK_INT(status, id ? CW_OK : CW_TIMED_OUT);
    CHECK_INT(e ? e->close_code : 0, id);
    cw_event_free(e);
}

/* ---- Tests ---- */

static void test_order(void)
{
    cw_mailbox *m = create();
    counter a = made(m, 1, 2), b = made(m, 2, 1), nothing = made(m, 3, 0), c = made(m, 4, 1);

    CHECK(!is_readable(m));
    list(&a);
    CHECK(is_readable(m));
    list(&a); /* a is listed once */
    list(&nothing);
    list(&b);
    CHECK(a.holds == 1 && a.drops == 0 && a.subscriber.is_listed);
    expect(m, 1);
    CHECK(a.holds == 2 && a.drops == 1); /* a has one more event, and waits behind the others */
    list(&c);
    CHECK(is_readable(m));
    expect(m, 2);
    CHECK(nothing.holds == 1 && nothing.drops == 1);
    expect(m, 1);
    expect(m, 4);
    CHECK(is_readable(m)); /* readable until the list is found empty */
    expect(m, 0);
    CHECK(!is_readable(m));
    CHECK(a.holds == 2 && a.drops == 2 && b.holds == 1 && b.drops == 1 && c.holds == 1 && c.drops == 1);
    list(&c); /* the empty list accepts c again */
    CHECK(is_readable(m));
    expect(m, 0);
    cw_mailbox_release(m);
}

static void test_wake(void)
{
    cw_mailbox *m = create();
    counter a = made(m, 1, 1);
    cw_event *e = NULL;

    cw_mailbox_wake(m);
    CHECK(is_readable(m));
    CHECK_INT(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    CHECK_STR(cw_error_message(), "woken by another thread: call again to go on waiting for an event");
    CHECK(!is_readable(m) && !e);
    expect(m, 0); /* one wake interrupts one take */
    list(&a);
    cw_mailbox_wake(m);
    CHECK_INT(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    CHECK(is_readable(m) && !e && a.subscriber.is_listed);
    expect(m, 1);
    expect(m, 0);
    cw_mailbox_release(m);
}

static void test_no_memory(void)
{
    cw_mailbox *m = create();
    counter a = made(m, 1, 1), b = made(m, 2, 1);
    cw_event *e = NULL;

    a.has_no_memory = true;
    list(&a);
    list(&b);
    CHECK_INT(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_NO_MEMORY);
    CHECK(strstr(cw_error_message(), "no memory") != NULL);
    CHECK(!e && a.drops == 1 && b.drops == 0);
    expect(m, 2);
    expect(m, 1);
    expect(m, 0);
    cw_mailbox_release(m);
}

static void test_released(void)
{
    cw_mailbox *m = create();
    counter a = made(m, 1, 1), b = made(m, 2, 1), c = made(m, 3, 1);
    cw_event *e = NULL;

    cw__mailbox_retain(m);
    list(&a);
    list(&b);
    cw_mailbox_release(m);
    CHECK(a.holds == 1 && a.drops == 1 && b.holds == 1 && b.drops == 1);
    list(&c); /* a released mailbox lists no subscriber */
    CHECK(c.holds == 0 && !c.subscriber.is_listed);
    for (int i = 0; i < 2; i++) {
        CHECK(is_readable(m)); /* the descriptor stays readable, because every waiting thread must leave */
        CHECK_INT(cw_mailbox_take(m, 0, &e), CW_INTERRUPTED);
    }
    cw__mailbox_release(m);
    cw_mailbox_release(NULL);
    m = create(); /* the same without a subscriber */
    cw__mailbox_retain(m);
    cw_mailbox_release(m);
    CHECK(is_readable(m));
    CHECK_INT(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    cw__mailbox_release(m);
}

/* Another generation means that the process has forked since. */
static void test_after_fork(void)
{
    cw_mailbox *m = create();
    counter a = made(m, 1, 1);
    cw_event *e = NULL;
    long live = cw__alloc_live();

    generation++;
    CHECK_INT(cw__mailbox_check(m), CW_AFTER_FORK);
    CHECK(strstr(cw_error_message(), "fork()") != NULL);
    CHECK_INT(cw_mailbox_take(m, 0, &e), CW_AFTER_FORK);
    cw_mailbox_wake(m); /* a wake by the child would wake the parent */
    CHECK(!is_readable(m));
    generation--;
    list(&a);
    generation++;
    cw_mailbox_release(m);
    CHECK_INT(cw__alloc_live(), live);
    CHECK_INT(a.drops, 0);
    generation--;
    CHECK_INT(cw__mailbox_check(m), CW_OK);
    cw_mailbox_release(m);
    CHECK_INT(a.drops, 1);
}

static bool create_once(void *arg)
{
    cw_mailbox *m = (cw_mailbox *)arg;
    cw_status status = cw_mailbox_create(&m);

    CHECK_INT(status, m ? CW_OK : CW_NO_MEMORY);
    if (m)
        cw_mailbox_release(m);
    return m != NULL;
}

static void test_create(void)
{
    struct rlimit limit, none;
    cw_mailbox *m = (cw_mailbox *)(void *)&limit;
    int before = dup(0), after;

    CHECK(before >= 0 && close(before) == 0);
    each_allocation_fails(create_once, &limit);
    after = dup(0);
    CHECK_INT(after, before); /* the mailbox's descriptors were closed too */
    CHECK_INT(close(after), 0);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_INT(cw_mailbox_create(&m), CW_SYSTEM_ERROR);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK(m == NULL);
    CHECK_STR(cw_error_message(), "no descriptor for a mailbox: raise the limit (ulimit -n)");
}

static void *list_later(void *arg)
{
    list(arg);
    return NULL;
}

static bool list_and_go_on(void *arg)
{
    list(arg);
    return false;
}

static bool interrupt(void *arg) { return arg == NULL; }

/* A take that waits returns when a socket is listed, or when its time has passed. */
static void test_waits(void)
{
    cw_mailbox *m = create();
    counter a = made(m, 1, 1);
    cw_event *e = NULL;
    int64_t begin_ms = cw__now_ms();
    pthread_t thread;

    CHECK_INT(cw_mailbox_take(m, 20, &e), CW_TIMED_OUT);
    CHECK(strstr(cw_error_message(), "an event") != NULL);
    CHECK(cw__now_ms() >= begin_ms + 20);
    CHECK_INT(pthread_create(&thread, NULL, list_later, &a), 0);
    CHECK_INT(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(pthread_join(thread, NULL), 0);
    cw_event_free(e);
    a.events = 1;
    cw_set_wait_hook(list_and_go_on, &a);
    CHECK_INT(cw_mailbox_take(m, CW_TIMEOUT_DEFAULT, &e), CW_OK); /* the default timeout has no limit */
    cw_event_free(e);
    cw_set_wait_hook(interrupt, NULL);
    CHECK_INT(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    CHECK(strstr(cw_error_message(), "interrupted") != NULL);
    cw_set_wait_hook(NULL, NULL);
    cw_mailbox_release(m);
}

static const harness_test tests[] = {
    {"subscribers are served in turn, each held while it is listed", test_order},
    {"a wake interrupts one take and drops no event", test_wake},
    {"an event stays in the mailbox while there is no memory", test_no_memory},
    {"a released mailbox lists nothing", test_released},
    {"a mailbox of a parent process", test_after_fork},
    {"a mailbox without memory or a descriptor", test_create},
    {"a take waits for a listing, or for its time", test_waits},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

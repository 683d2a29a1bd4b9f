/* SPDX-License-Identifier: MIT */
/* Tests of mailbox.c without sockets and without the service: subscribers that only count, a service that is this
 * thread or is not, and a process that has forked or has not, as each test says. With sockets: test_mailbox.c. */
#include "harness.h"

#include "engine/engine.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

/* ---- In the place of process.c and service.c ---- */

static int generation;
static bool is_service;
static int hurries;

int cw__generation(void) { return generation; }
bool cw__service_is_here(void) { return is_service; }
void cw__service_hurry(void) { hurries++; }

/* ---- A subscriber ---- */

typedef struct counter {
    cw__subscriber subscriber; /* the first member */
    cw_mailbox *mailbox;
    int id, events, holds, drops;
    bool has_no_memory; /* once */
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
        e->close_code = c->id;
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

/* Takes an event, and checks whose it is; 0: there is none. */
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
    list(&a); /* it is listed once */
    list(&nothing);
    list(&b);
    CHECK(a.holds == 1 && a.drops == 0 && a.subscriber.is_listed);
    expect(m, 1);
    CHECK(a.holds == 2 && a.drops == 1); /* it has one more, behind the others */
    list(&c);
    CHECK(is_readable(m));
    expect(m, 2);
    CHECK(nothing.holds == 1 && nothing.drops == 1);
    expect(m, 1);
    expect(m, 4);
    CHECK(is_readable(m)); /* until a look finds nothing */
    expect(m, 0);
    CHECK(!is_readable(m));
    CHECK(a.holds == 2 && a.drops == 2 && b.holds == 1 && b.drops == 1 && c.holds == 1 && c.drops == 1);
    list(&c); /* the list, which was empty, takes it again */
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
    CHECK_STR(cw_error_message(), "woken by another thread");
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

/* The service signals when it has let go of its locks, and each mailbox once. */
static void test_service_fills(void)
{
    cw_mailbox *m = create(), *other = create();
    counter a = made(m, 1, 1), b = made(m, 2, 1), c = made(other, 3, 1);

    is_service = true;
    cw__mailbox_tell_taker(); /* owes nothing */
    CHECK(!cw__mailbox_end_round(true));
    list(&a);
    list(&b);
    CHECK(!is_readable(m));
    list(&c); /* another mailbox: the first is told at once */
    CHECK(is_readable(m) && !is_readable(other));
    cw__mailbox_tell_taker();
    CHECK(is_readable(other));
    expect(other, 3);
    expect(other, 0);
    cw__mailbox_tell_taker(); /* it was told already */
    CHECK(!is_readable(other));
    c.events = 1;
    list(&c);
    CHECK(!is_readable(other));
    CHECK(!cw__mailbox_end_round(false));
    CHECK(is_readable(other));
    expect(m, 1);
    expect(m, 2);
    expect(other, 3);
    expect(other, 0);
    CHECK(!cw__mailbox_end_round(false));
    CHECK(!is_readable(other));
    is_service = false;
    cw_mailbox_release(m);
    cw_mailbox_release(other);
}

static void stay_on(int processor)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    CHECK_INT(sched_setaffinity(0, sizeof set, &set), 0);
}

/* On the first processor that there is; returns which. */
static int stay_on_one(void)
{
    cpu_set_t set;
    int first = 0;

    CHECK_INT(sched_getaffinity(0, sizeof set, &set), 0);
    while (!CPU_ISSET((size_t)first, &set))
        first++;
    stay_on(first);
    return first;
}

/* Lists all that are not; the service has then filled m. */
static void refill(counter *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        all[i].events = 1;
        list(&all[i]);
    }
}

/* What the service has filled stays until it has told its taker. */
static void test_service_holds(void)
{
    long live = cw__alloc_live();
    cw_mailbox *m = create();
    counter all[5];

    (void)stay_on_one();
    is_service = true;
    for (int i = 0; i < 5; i++)
        all[i] = made(m, i + 1, 1);
    refill(all, 5);
    expect(m, 1);
    cw_mailbox_release(m);
    for (int i = 0; i < 5; i++)
        CHECK(all[i].holds == 1 && all[i].drops == 1);
    CHECK(cw__alloc_live() > live);
    /* nothing is listed any more, so there is nobody to give way to */
    CHECK(!cw__mailbox_end_round(true));
    CHECK_INT(cw__alloc_live(), live);
    is_service = false;
}

typedef struct elsewhere {
    cw_mailbox *mailbox;
    int processor;
} elsewhere;

static void *take_elsewhere(void *arg)
{
    const elsewhere *at = arg;

    stay_on(at->processor);
    expect(at->mailbox, 1);
    return NULL;
}

/* The service gives way to a taker that is at it, has four sockets to serve, and is on the same processor. */
static void test_gives_way(void)
{
    cw_mailbox *m = create();
    counter all[7];

    (void)stay_on_one();
    is_service = true;
    for (int i = 0; i < 7; i++)
        all[i] = made(m, i + 1, 0);
    refill(all, 5);
    CHECK(!cw__mailbox_end_round(true)); /* nobody has taken anything */
    expect(m, 1);
    refill(all, 1);
    CHECK(!cw__mailbox_end_round(false)); /* the service has other things to do */
    expect(m, 2);
    refill(all + 1, 1);
    CHECK(cw__mailbox_end_round(true));
    refill(all + 5, 1);
    CHECK(!cw__mailbox_end_round(true)); /* nothing was taken meanwhile */
    expect(m, 3);
    expect(m, 4);
    expect(m, 5);
    refill(all + 6, 1);
    CHECK(cw__mailbox_end_round(true)); /* four are listed: 1, 2, 6, 7 */
    expect(m, 1);
    expect(m, 2);
    refill(all, 1);
    CHECK(!cw__mailbox_end_round(true)); /* three are */
    expect(m, 6);
    expect(m, 7);
    expect(m, 1);
    expect(m, 0);
    CHECK_INT(hurries, 0); /* at the end of the latest round it did not give way */
    refill(all, 5);
    expect(m, 1);
    CHECK(cw__mailbox_end_round(true));
    for (int id = 2; id <= 5; id++)
        expect(m, id);
    CHECK_INT(hurries, 0);
    expect(m, 0); /* all is taken: the service may go on */
    CHECK_INT(hurries, 1);
    expect(m, 0);
    CHECK_INT(hurries, 1);
    is_service = false;
    cw_mailbox_release(m);
}

static void test_taker_elsewhere(void)
{
    cw_mailbox *m = create();
    elsewhere other = {m, -1};
    counter all[5];
    cpu_set_t set;
    pthread_t thread;
    int here = sched_getcpu();

    CHECK_INT(sched_getaffinity(0, sizeof set, &set), 0);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((size_t)i, &set) && i != here)
            other.processor = i;
    if (other.processor < 0)
        other.processor = here; /* one processor: then the taker is on it */
    stay_on(here);
    is_service = true;
    for (int i = 0; i < 5; i++)
        all[i] = made(m, i + 1, 1);
    refill(all, 5);
    CHECK_INT(pthread_create(&thread, NULL, take_elsewhere, &other), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(cw__mailbox_end_round(true), other.processor == here);
    is_service = false;
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
    for (int i = 0; i < 2; i++) {
        is_service = i == 1;
        list(&c); /* nothing is listed any more */
        cw__mailbox_tell_taker();
        CHECK(c.holds == 0 && !c.subscriber.is_listed);
        CHECK(is_readable(m)); /* for good: each thread that waits has to leave */
        CHECK_INT(cw_mailbox_take(m, 0, &e), CW_INTERRUPTED);
    }
    is_service = false;
    cw__mailbox_release(m);
    cw_mailbox_release(NULL);
}

/* Another generation: the process has forked since. */
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
    cw_mailbox_wake(m); /* would wake the parent */
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
    CHECK_INT(after, before); /* its descriptors went with it */
    CHECK_INT(close(after), 0);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_INT(cw_mailbox_create(&m), CW_SYSTEM_ERROR);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK(m == NULL);
    CHECK(strstr(cw_error_message(), "ulimit") != NULL);
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

/* A take that waits goes on when something is listed, and ends when its time is up. */
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
    CHECK_INT(cw_mailbox_take(m, CW_TIMEOUT_DEFAULT, &e), CW_OK); /* which is without end */
    cw_event_free(e);
    cw_set_wait_hook(interrupt, NULL);
    CHECK_INT(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    CHECK(strstr(cw_error_message(), "interrupted") != NULL);
    cw_set_wait_hook(NULL, NULL);
    cw_mailbox_release(m);
}

static const harness_test tests[] = {
    {"subscribers are served in turn, each held while it is listed", test_order},
    {"a wake interrupts one take and takes nothing away", test_wake},
    {"an event without memory is still to be taken", test_no_memory},
    {"the service signals after its round, each mailbox once", test_service_fills},
    {"the service holds the mailbox that it has filled", test_service_holds},
    {"the service gives way to a taker with much to do", test_gives_way},
    {"the service gives way to no taker on another processor", test_taker_elsewhere},
    {"a mailbox that is released lists nothing any more", test_released},
    {"a mailbox of a parent process", test_after_fork},
    {"a mailbox without memory or a descriptor", test_create},
    {"a take waits for a listing, or for its time", test_waits},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

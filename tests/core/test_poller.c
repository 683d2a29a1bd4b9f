/* SPDX-License-Identifier: MIT */
/* Tests of the system's poller, with pipes and socket pairs. test_poller_poll.c runs them with the other kind of poller. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

enum { MANY = 100, ROUNDS = 300, MOST = 16 };

static int owners[MANY + 1]; /* only their addresses count */
static cw__ready ready[MOST];

static void open_pipe(int ends[2])
{
    CHECK(pipe(ends) == 0);
    CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
}

static void close_pipe(const int ends[2])
{
    CHECK(close(ends[0]) == 0);
    CHECK(close(ends[1]) == 0);
}

static void expect_one(cw__poller *p, int fd, unsigned mask, const void *owner)
{
    CHECK_INT(cw__poller_wait(p, -1, ready, MOST), 1);
    CHECK_INT(ready[0].fd, fd);
    CHECK_INT(ready[0].mask, mask);
    CHECK(ready[0].owner == owner);
}

static void expect_none(cw__poller *p) { CHECK_INT(cw__poller_wait(p, 0, ready, MOST), 0); }

static void test_read_and_write(void)
{
    cw__poller *p = cw__poller_create();
    int ends[2];
    char byte;

    CHECK(p != NULL);
    open_pipe(ends);
    expect_none(p);
    CHECK(cw__poller_set(p, ends[0], CW__READ, &owners[0]));
    expect_none(p);
    CHECK(write(ends[1], "x", 1) == 1);
    expect_one(p, ends[0], CW__READ, &owners[0]);
    expect_one(p, ends[0], CW__READ, &owners[0]); /* level-triggered */
    CHECK(read(ends[0], &byte, 1) == 1);
    expect_none(p);
    CHECK(cw__poller_set(p, ends[1], CW__WRITE, &owners[1]));
    expect_one(p, ends[1], CW__WRITE, &owners[1]);
    cw__poller_forget(p, ends[0]);
    cw__poller_forget(p, ends[1]);
    close_pipe(ends);
    cw__poller_destroy(p);
    cw__poller_destroy(NULL);
}

static void test_both_of_one(void)
{
    cw__poller *p = cw__poller_create();
    int ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(cw__poller_set(p, ends[0], CW__READ | CW__WRITE, &owners[0]));
    expect_one(p, ends[0], CW__READ | CW__WRITE, &owners[0]);
    CHECK(cw__poller_set(p, ends[0], CW__WRITE, &owners[1])); /* the new mask replaces the earlier one */
    expect_one(p, ends[0], CW__WRITE, &owners[1]);
    CHECK(cw__poller_set(p, ends[0], CW__READ, NULL));
    expect_one(p, ends[0], CW__READ, NULL);                  /* an owner may be NULL */
    CHECK(cw__poller_set(p, ends[0], CW__READ, &owners[2])); /* only the owner changes */
    expect_one(p, ends[0], CW__READ, &owners[2]);
    cw__poller_forget(p, ends[0]);
    close_pipe(ends);
    cw__poller_destroy(p);
}

static void test_stop(void)
{
    cw__poller *p = cw__poller_create();
    int ends[2], other[2];

    open_pipe(ends);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(cw__poller_set(p, ends[0], 0, NULL)); /* the descriptor was never watched */
    CHECK(cw__poller_set(p, ends[0], CW__READ, &owners[0]));
    expect_one(p, ends[0], CW__READ, &owners[0]);
    CHECK(cw__poller_set(p, ends[0], 0, NULL));
    expect_none(p);
    CHECK(cw__poller_set(p, ends[0], 0, NULL));
    CHECK(cw__poller_set(p, ends[0], CW__READ, &owners[1]));
    expect_one(p, ends[0], CW__READ, &owners[1]);
    cw__poller_forget(p, ends[0]);
    expect_none(p);
    cw__poller_forget(p, ends[0]);
    open_pipe(other);
    CHECK(cw__poller_set(p, other[1], CW__WRITE, &owners[2]));
    for (int i = 0; i < 4; i++) /* the stopped descriptor takes no place of the other in any round */
        CHECK_INT(cw__poller_wait(p, -1, ready, 1), 1);
    cw__poller_forget(p, other[1]);
    close_pipe(other);
    close_pipe(ends);
    cw__poller_forget(p, ends[0]); /* the descriptor is closed already */
    cw__poller_forget(p, -1);
    errno = 0;
    CHECK(!cw__poller_set(p, -1, CW__READ, NULL));
    CHECK_INT(errno, EBADF);
    cw__poller_destroy(p);
}

/* A descriptor that was closed without forget, and whose number is reused. */
static void test_number_used_again(void)
{
    cw__poller *p = cw__poller_create();
    int first[2], second[2];

    open_pipe(first);
    open_pipe(second);
    CHECK(cw__poller_set(p, first[0], CW__READ, &owners[0]));
    CHECK(dup2(second[0], first[0]) == first[0]);
    CHECK(write(second[1], "x", 1) == 1);
    CHECK(cw__poller_set(p, first[0], CW__READ, &owners[1]));
    expect_one(p, first[0], CW__READ, &owners[1]);
    cw__poller_forget(p, first[0]);
    expect_none(p);
    close_pipe(first);
    close_pipe(second);
    cw__poller_destroy(p);
}

static void test_hangup(void)
{
    cw__poller *p = cw__poller_create();
    int ends[2];

    open_pipe(ends);
    CHECK(cw__poller_set(p, ends[1], CW__WRITE, &owners[0]));
    CHECK(close(ends[0]) == 0);
    CHECK_INT(cw__poller_wait(p, -1, ready, MOST), 1);
    CHECK(ready[0].mask & CW__HANGUP); /* no process can read the other end */
    cw__poller_forget(p, ends[1]);
    CHECK(close(ends[1]) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(cw__poller_set(p, ends[0], CW__READ, &owners[0]));
    CHECK(shutdown(ends[1], SHUT_WR) == 0);
    expect_one(p, ends[0], CW__READ, &owners[0]); /* half closed: we can read the end, and may write */
    CHECK(close(ends[1]) == 0);
    CHECK_INT(cw__poller_wait(p, -1, ready, MOST), 1);
    CHECK(ready[0].mask & CW__READ);
    cw__poller_forget(p, ends[0]);
    CHECK(close(ends[0]) == 0);
    cw__poller_destroy(p);
}

/* More descriptors are ready than fit into the result. The waits take turns, and each descriptor is reported soon. */
static void test_turns(void)
{
    cw__poller *p = cw__poller_create();
    int ends[MANY][2];
    bool was_seen[MANY] = {false};
    int seen = 0;

    for (int i = 0; i < MANY; i++) {
        open_pipe(ends[i]);
        CHECK(write(ends[i][1], "x", 1) == 1);
        CHECK(cw__poller_set(p, ends[i][0], CW__READ, &owners[i]));
    }
    for (int round = 0; round < 2 * MANY && seen < MANY; round++) {
        CHECK_INT(cw__poller_wait(p, -1, ready, 7), 7);
        for (int k = 0; k < 7; k++) {
            ptrdiff_t i = (int *)ready[k].owner - owners;
            CHECK(i >= 0 && i < MANY && ready[k].fd == ends[i][0]);
            seen += !was_seen[i];
            was_seen[i] = true;
        }
    }
    CHECK_INT(seen, MANY);
    for (int i = 0; i < MANY; i++) {
        cw__poller_forget(p, ends[i][0]);
        close_pipe(ends[i]);
    }
    expect_none(p);
    cw__poller_destroy(p);
}

static bool use(void *arg)
{
    const int *ends = arg;
    cw__poller *p = cw__poller_create();
    bool is_set;

    if (!p) {
        CHECK_INT(errno, ENOMEM);
        return false;
    }
    errno = 0;
    is_set = cw__poller_set(p, ends[0], CW__READ, &owners[0]);
    if (is_set)
        is_set = cw__poller_set(p, ends[1], CW__READ, &owners[1]);
    if (is_set)
        expect_one(p, ends[0], CW__READ, &owners[0]);
    else
        CHECK_INT(errno, ENOMEM);
    cw__poller_destroy(p);
    return is_set;
}

/* Uses a low and a high descriptor, so that tables must grow. */
static void test_short_of_memory(void)
{
    int ends[2], fds[2];

    open_pipe(ends);
    CHECK(write(ends[1], "x", 1) == 1);
    fds[0] = ends[0];
    fds[1] = dup2(ends[1], 1020); /* a write end: never readable */
    CHECK_INT(fds[1], 1020);
    each_allocation_fails(use, fds);
}

/* ---- Threads ------------------------------------------------------------------------------------------ */

typedef struct waiter {
    cw__poller *poller;
    atomic_int seen_fd; /* the descriptor that was reported last; -1 = the waiter has seen the change */
    atomic_int is_over;
    bool is_stopping; /* count the reports only; other threads use the descriptors */
} waiter;

static void *wait_for_ever(void *arg)
{
    waiter *w = arg;
    cw__ready mine[MOST];

    while (!atomic_load(&w->is_over)) {
        int got = cw__poller_wait(w->poller, -1, mine, MOST);
        for (int i = 0; i < got; i++) {
            CHECK(mine[i].owner == w);
            if (w->is_stopping)
                CHECK(cw__poller_set(w->poller, mine[i].fd, 0, NULL));
            atomic_store(&w->seen_fd, mine[i].fd);
        }
    }
    return NULL;
}

static void await(atomic_int *value, int wanted)
{
    while (atomic_load(value) != wanted)
        (void)sched_yield();
}

/* A thread that waits without limit sees a set. If it does not, this test never ends. */
static void test_set_while_waiting(void)
{
    waiter w = {cw__poller_create(), -1, 0, true};
    pthread_t thread;
    int ends[2];

    open_pipe(ends);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(pthread_create(&thread, NULL, wait_for_ever, &w) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        int fd = ends[i % 2];
        atomic_store(&w.is_over, i == ROUNDS - 1);
        CHECK(cw__poller_set(w.poller, fd, i % 2 ? CW__WRITE : CW__READ, &w));
        await(&w.seen_fd, fd);
        atomic_store(&w.seen_fd, -1);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    close_pipe(ends);
    cw__poller_destroy(w.poller);
}

static void *set_and_stop(void *arg)
{
    waiter *w = arg;

    for (int i = 0; i < ROUNDS; i++) {
        int ends[2];

        open_pipe(ends);
        CHECK(cw__poller_set(w->poller, ends[0], CW__READ, w));
        CHECK(write(ends[1], "x", 1) == 1);
        CHECK(cw__poller_set(w->poller, ends[0], CW__READ | CW__WRITE, w));
        cw__poller_forget(w->poller, ends[0]);
        close_pipe(ends);
    }
    return NULL;
}

/* Several threads set and forget their own descriptors while one thread waits. A sanitizer checks it. */
static void test_many_threads(void)
{
    waiter w = {cw__poller_create(), -1, 0, false};
    pthread_t waiting, setting[3];
    int ends[2];

    CHECK(pthread_create(&waiting, NULL, wait_for_ever, &w) == 0);
    for (size_t i = 0; i < 3; i++)
        CHECK(pthread_create(&setting[i], NULL, set_and_stop, &w) == 0);
    for (size_t i = 0; i < 3; i++)
        CHECK(pthread_join(setting[i], NULL) == 0);
    open_pipe(ends);
    CHECK(write(ends[1], "x", 1) == 1);
    atomic_store(&w.is_over, 1);
    CHECK(cw__poller_set(w.poller, ends[0], CW__READ, &w));
    CHECK(pthread_join(waiting, NULL) == 0);
    close_pipe(ends);
    cw__poller_destroy(w.poller);
}

/* A poller watches another one. */
static void test_once(void)
{
    cw__poller *p = cw__poller_create(), *inner = cw__poller_create();
    int ends[2], fd = cw__poller_fd(inner);

    open_pipe(ends);
    CHECK(cw__poller_set(inner, ends[0], CW__READ, &owners[1]));
    if (fd >= 0) {
        CHECK(cw__poller_set(p, fd, CW__READ | CW__ONCE, &owners[0]));
        expect_none(p);
        CHECK(write(ends[1], "x", 1) == 1);
        expect_one(p, fd, CW__READ, &owners[0]);
        expect_none(p);
        CHECK(cw__poller_set(p, fd, CW__READ | CW__ONCE, &owners[0]));
        expect_one(p, fd, CW__READ, &owners[0]);
        cw__poller_forget(p, fd);
    }
    cw__poller_forget(inner, ends[0]);
    close_pipe(ends);
    cw__poller_destroy(inner);
    cw__poller_destroy(p);
}

static const harness_test tests[] = {
    {"ready to read, ready to write", test_read_and_write},
    {"both of one descriptor, and a set replaces the one before", test_both_of_one},
    {"stop, forget, and numbers that are no descriptor", test_stop},
    {"a descriptor number that is reused for another file", test_number_used_again},
    {"the other end is gone", test_hangup},
    {"more ready descriptors than fit take turns", test_turns},
    {"each allocation may fail", test_short_of_memory},
    {"a set wakes a thread that waits", test_set_while_waiting},
    {"several threads set while one waits", test_many_threads},
    {"a poller that another poller watches once", test_once},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

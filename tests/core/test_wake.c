/* SPDX-License-Identifier: MIT */
/* Tests of wake.c. They are built with the system's descriptor, and once more with CW_WAKE_PIPE. If a wake-up is lost,
 * the test waits without end, and the harness stops it. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>

enum { PRODUCERS = 3, ITEMS = 3000 };

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd polled = {fd, POLLIN, 0};
    int got;

    do
        got = poll(&polled, 1, timeout_ms);
    while (got < 0 && errno == EINTR);
    return got == 1 && (polled.revents & POLLIN);
}

static void test_signal_and_clear(void)
{
    cw__wake w;

    CHECK(cw__wake_init(&w));
    for (int i = 0; i < 3; i++) {
        CHECK(!is_readable(w.read_fd, 0));
        cw__wake_signal(&w);
        CHECK(is_readable(w.read_fd, 0));
        CHECK(is_readable(w.read_fd, 0)); /* readable until the clear */
        cw__wake_clear(&w);
    }
    cw__wake_clear(&w); /* one clear too many does no harm, and does not block */
    cw__wake_signal(&w);
    CHECK(is_readable(w.read_fd, 0));
    cw__wake_destroy(&w);
}

static void test_coalesces(void)
{
    uint64_t bytes[16];
    cw__wake w;

    CHECK(cw__wake_init(&w));
    for (int i = 0; i < 1000; i++)
        cw__wake_signal(&w);
    CHECK_INT(read(w.read_fd, bytes, sizeof bytes), 8); /* bytes of one write, in either kind of descriptor */
    CHECK_INT(bytes[0], 1);
    CHECK(!is_readable(w.read_fd, 0));
    cw__wake_destroy(&w);
}

static void test_flags(void)
{
    cw__wake w;
    int fds[2];

    CHECK(cw__wake_init(&w));
    fds[0] = w.read_fd;
    fds[1] = w.write_fd;
    for (int i = 0; i < 2; i++) {
        CHECK(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        CHECK(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
    }
    cw__wake_destroy(&w);
    for (int i = 0; i < 2; i++)
        CHECK(fcntl(fds[i], F_GETFD) < 0); /* the descriptor is closed */
    cw__wake_destroy(&w);                  /* a second time does no harm */
}

static void test_no_descriptors(void)
{
    struct rlimit before, none;
    cw__wake w;

    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = (struct rlimit){0, before.rlim_max};
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    errno = 0;
    CHECK(!cw__wake_init(&w));
    CHECK_INT(errno, EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0); /* a leak checker needs descriptors */
    cw__wake_destroy(&w);
}

/* ---- Threads ------------------------------------------------------------------------------------------ */

typedef struct shared {
    cw__wake wake;
    atomic_int slots[PRODUCERS]; /* 1: there is an item */
    int plain[PRODUCERS];        /* not atomic: the memory order that wake.c promises must make them visible */
} shared;

static shared state;

static void *produce(void *arg)
{
    size_t me = (size_t)(uintptr_t)arg;

    for (int i = 1; i <= ITEMS; i++) {
        state.plain[me] = i;
        atomic_store(&state.slots[me], 1);
        cw__wake_signal(&state.wake);
        /* One item at a time: if its wake-up is lost, no later one replaces it. */
        while (atomic_load(&state.slots[me]))
            (void)sched_yield();
    }
    return NULL;
}

static void test_nothing_is_lost(void)
{
    pthread_t threads[PRODUCERS];
    long taken = 0;

    CHECK(cw__wake_init(&state.wake));
    for (size_t i = 0; i < PRODUCERS; i++)
        CHECK(pthread_create(&threads[i], NULL, produce, (void *)(uintptr_t)i) == 0);
    while (taken < (long)PRODUCERS * ITEMS) {
        CHECK(is_readable(state.wake.read_fd, -1));
        cw__wake_clear(&state.wake);
        for (size_t i = 0; i < PRODUCERS; i++) {
            if (!atomic_load(&state.slots[i]))
                continue;
            taken++;
            CHECK(state.plain[i] >= 1 && state.plain[i] <= ITEMS);
            atomic_store(&state.slots[i], 0);
        }
    }
    for (size_t i = 0; i < PRODUCERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    cw__wake_destroy(&state.wake);
}

/* Data written before the signal is visible after the clear, by the memory order of the wake-up alone. */
static int published;
static atomic_int is_taken;

static void *publish(void *arg)
{
    for (int i = 1; i <= ITEMS; i++) {
        published = i;
        atomic_store_explicit(&is_taken, 0, memory_order_relaxed);
        cw__wake_signal(arg);
        while (!atomic_load_explicit(&is_taken, memory_order_acquire))
            (void)sched_yield();
    }
    return NULL;
}

static void test_order(void)
{
    pthread_t thread;
    cw__wake w;

    CHECK(cw__wake_init(&w));
    CHECK(pthread_create(&thread, NULL, publish, &w) == 0);
    for (int i = 1; i <= ITEMS; i++) {
        CHECK(is_readable(w.read_fd, -1));
        cw__wake_clear(&w);
        CHECK_INT(published, i);
        atomic_store_explicit(&is_taken, 1, memory_order_release);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    cw__wake_destroy(&w);
}

static void *clear(void *arg)
{
    cw__wake_clear(arg);
    return NULL;
}

/* A clear that is stopped in the middle of its reads. Until it has read everything, a signal must not write, because
 * the clear would take its byte. The pipe here blocks: a full buffer makes the clear read again, and there it waits. */
static void test_reads_before_it_resets(void)
{
    static const uint8_t full[128];
    cw__wake w = {-1, -1, 1};
    pthread_t thread;
    int ends[2];
    struct pollfd polled;

    CHECK(pipe(ends) == 0);
    w.read_fd = ends[0];
    w.write_fd = ends[1];
    CHECK(write(ends[1], full, sizeof full) == (ssize_t)sizeof full);
    CHECK(pthread_create(&thread, NULL, clear, &w) == 0);
    polled = (struct pollfd){ends[0], POLLIN, 0};
    while (poll(&polled, 1, 0) != 0)
        (void)sched_yield();
    CHECK_INT(atomic_load(&w.is_set), 1);
    cw__wake_signal(&w);
    CHECK(write(ends[1], full, 1) == 1);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_INT(atomic_load(&w.is_set), 0);
    CHECK(!is_readable(w.read_fd, 0));
    cw__wake_signal(&w);
    CHECK(is_readable(w.read_fd, 0));
    cw__wake_destroy(&w);
}

static const harness_test tests[] = {
    {"readable from signal to clear", test_signal_and_clear},
    {"many signals are one write", test_coalesces},
    {"the descriptors do not block, are not inherited, and are closed", test_flags},
    {"without descriptors it fails with errno", test_no_descriptors},
    {"a clear reads before it resets", test_reads_before_it_resets},
    {"no wake-up is lost between threads", test_nothing_is_lost},
    {"data written before the signal is visible after the clear", test_order},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* The harness of the core's unit tests. It prints TAP to stdout. Each test runs in a process of its own, with a time
 * limit. A test fails if a check fails, if it makes no check, or if it makes another number of checks than planned.
 * It also fails if it leaves blocks behind, if a signal ends it, or if it runs too long. A failed check ends its
 * test. The limit counts processor time, which does not pass while other programs use the processor. By the clock,
 * the limit is harness_patience times as long.
 *
 *   static const harness_test tests[] = {{"RFC 6455 5.2: what holds", function}, ...};
 *   int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }
 *
 * Arguments select the tests whose names contain one of them. The core must be built with CW_TEST_ALLOC.
 * SKIPS_AS_FAILS=1 in the environment turns skipped tests into failures. */
#ifndef HARNESS_H
#define HARNESS_H

#include "engine/engine.h"
#include "protocol/protocol.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef CW_TEST_COVERAGE
#include <gcov.h>
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HARNESS_IS_SANITIZED true
#elif defined(__clang__)
#define HARNESS_IS_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define HARNESS_IS_SANITIZED false
#endif
#define HARNESS_LIMIT_S (HARNESS_IS_SANITIZED ? 120 : 30)

enum { HARNESS_FAILED = 1, HARNESS_SKIPPED = 77 };

/* An initializer of a cw_message, and a message for cw_socket_send_fragment. */
#define MESSAGE_OF(message_type_, data_, size_)                                \
    {                                                                          \
        .message_type = (message_type_), .data = (data_), .len_bytes = (size_) \
    }
#define FRAGMENT_OF(message_type_, data_, size_) (&(cw_message)MESSAGE_OF(message_type_, data_, size_))

typedef struct harness_test {
    const char *name;
    void (*run)(void);
} harness_test;

static unsigned harness_limit_s = HARNESS_LIMIT_S; /* seconds of processor time */
static unsigned harness_patience = 8;
static atomic_long harness_checks; /* number of checks in this test */
static size_t harness_index;       /* name of the running test, for a function that several tests share */
static long harness_planned = -1;  /* number of checks that the test announced; -1 = none announced */

/* Ends the test by _Exit, because other threads of the test may still run. */
__attribute__((noreturn)) static inline void harness_end(int exit_code)
{
    (void)fflush(stdout);
#ifdef CW_TEST_COVERAGE
    __gcov_dump(); /* _Exit does not write the coverage */
#endif
    _Exit(exit_code);
}

#define HARNESS_FAIL(...)                        \
    do {                                         \
        printf("# %s:%d: ", __FILE__, __LINE__); \
        printf(__VA_ARGS__);                     \
        printf("\n");                            \
        harness_end(HARNESS_FAILED);             \
    } while (0)

#define CHECK(condition)                              \
    do {                                              \
        atomic_fetch_add(&harness_checks, 1);         \
        if (!(condition))                             \
            HARNESS_FAIL("not true: %s", #condition); \
    } while (0)

/* Compares whole numbers of any type. */
#define CHECK_INT(is, wanted)                                                                   \
    do {                                                                                        \
        intmax_t harness_is = (intmax_t)(is), harness_wanted = (intmax_t)(wanted);              \
        atomic_fetch_add(&harness_checks, 1);                                                   \
        if (harness_is != harness_wanted)                                                       \
            HARNESS_FAIL("%s is %" PRIdMAX ", wanted %s = %" PRIdMAX, #is, harness_is, #wanted, \
                         harness_wanted);                                                       \
    } while (0)

#define CHECK_STR(is, wanted)                                                                           \
    do {                                                                                                \
        const char *harness_is = (is), *harness_wanted = (wanted);                                      \
        atomic_fetch_add(&harness_checks, 1);                                                           \
        if (strcmp(harness_is, harness_wanted) != 0)                                                    \
            HARNESS_FAIL("%s is \"%s\", wanted %s = \"%s\"", #is, harness_is, #wanted, harness_wanted); \
    } while (0)

#define CHECK_BYTES(is, is_bytes, wanted, wanted_bytes)                                                     \
    do {                                                                                                    \
        const uint8_t *harness_a = (const uint8_t *)(is), *harness_b = (const uint8_t *)(wanted);           \
        size_t harness_n = (size_t)(wanted_bytes);                                                          \
        CHECK_INT(is_bytes, wanted_bytes);                                                                  \
        for (size_t harness_i = 0; harness_i < harness_n; harness_i++)                                      \
            if (harness_a[harness_i] != harness_b[harness_i])                                               \
                HARNESS_FAIL("%s: byte %zu is %02x, wanted %s: %02x", #is, harness_i, harness_a[harness_i], \
                             #wanted, harness_b[harness_i]);                                                \
    } while (0)

/* Announces how many checks the test makes; for tests that check in callbacks and threads. */
#define PLAN(count) (harness_planned = (count))

#define SKIP(reason)                       \
    do {                                   \
        printf("# skipped: %s\n", reason); \
        harness_end(HARNESS_SKIPPED);      \
    } while (0)

/* Runs a body repeatedly, with allocation 0, 1, 2, ... failing once, until it makes fewer calls than that. The body
 * frees what it made and returns whether it succeeded; without a failure it must succeed. No block may remain. */
static inline void each_allocation_fails(bool (*body)(void *arg), void *arg)
{
    bool is_over = false;

    for (long n = 0; !is_over; n++) {
        long live = cw__alloc_live();
        bool got_through;

        cw__alloc_fail_at(n);
        got_through = body(arg);
        /* If the failure is still pending, one of the next n + 1 calls fails. */
        for (long i = 0; i <= n && !is_over; i++) {
            void *probe = cw__malloc(1);
            is_over = probe == NULL;
            cw__free(probe);
        }
        cw__alloc_fail_at(-1);
        CHECK_INT(cw__alloc_live(), live);
        if (is_over)
            CHECK(got_through);
    }
}

static inline void harness_run_child(const harness_test *test)
{
    struct itimerval processor_time = {0};

    harness_checks = 0; /* do not count blocks that fork copied */
    harness_planned = -1;
    /* the threads of a test may use all processors */
    processor_time.it_value.tv_sec = (time_t)harness_limit_s * sysconf(_SC_NPROCESSORS_ONLN);
    (void)setitimer(ITIMER_PROF, &processor_time, NULL);
    (void)alarm(harness_limit_s * harness_patience);
    test->run();
    if (harness_checks == 0)
        HARNESS_FAIL("the test checks nothing");
    if (harness_planned >= 0 && harness_checks != harness_planned)
        HARNESS_FAIL("%ld checks were made, %ld planned", (long)harness_checks, harness_planned);
    if (cw__alloc_live() != 0)
        HARNESS_FAIL("%ld blocks were not freed", cw__alloc_live());
    exit(EXIT_SUCCESS); /* not _Exit, because a leak checker must still report */
}

/* Runs one test. Returns whether it passed. */
static inline bool harness_run_one(const harness_test *test, int number)
{
    const char *skips = getenv("SKIPS_AS_FAILS");
    int status;
    pid_t pid;
    bool is_skipped, is_ok;

    (void)fflush(stdout);
    pid = fork();
    if (pid == 0)
        harness_run_child(test);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        status = HARNESS_FAILED << 8; /* report that a check failed */
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
        printf("# took more than %u s of each processor\n", harness_limit_s);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        printf("# ran longer than %u s\n", harness_limit_s * harness_patience);
    else if (WIFSIGNALED(status))
        printf("# ended by signal %d\n", WTERMSIG(status));
    is_skipped = WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_SKIPPED;
    is_ok = status == 0 || (is_skipped && !(skips && strcmp(skips, "1") == 0));
    printf("%s %d - %s%s\n", is_ok ? "ok" : "not ok", number, test->name, is_skipped ? " # SKIP" : "");
    return is_ok;
}

static inline bool harness_is_picked(const harness_test *test, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(test->name, argv[i]))
            return true;
    return argc < 2;
}

/* Returns the exit code: 0 if at least one test was selected and all selected tests passed. */
static inline int harness_run(int argc, char **argv, const harness_test *tests, size_t count)
{
    int picked = 0, passed = 0, number = 0;
    long live = cw__alloc_live();
    void *probe = cw__malloc(1);
    bool is_counted = cw__alloc_live() == live + 1;

    cw__free(probe);
    for (size_t i = 0; i < count; i++)
        picked += harness_is_picked(&tests[i], argc, argv);
    printf("1..%d\n", picked);
    if (!is_counted || picked == 0) {
        printf("Bail out! %s\n", is_counted ? "no test has such a name" : "build with -DCW_TEST_ALLOC");
        return HARNESS_FAILED;
    }
    for (size_t i = 0; i < count; i++)
        if (harness_is_picked(&tests[harness_index = i], argc, argv))
            passed += harness_run_one(&tests[i], ++number);
    return passed == picked ? EXIT_SUCCESS : HARNESS_FAILED;
}

#define HARNESS_MAIN(argc, argv, tests) harness_run(argc, argv, tests, sizeof(tests) / sizeof((tests)[0]))

#endif

/* SPDX-License-Identifier: MIT */
/* Tests of the harness itself: wrong samples fail, and the report says why. Each test runs a harness with sample tests
 * in a child process and reads its report. */
#include "harness.h"

static void passes(void) { CHECK_INT(1, 1); }

static void fails_a_condition(void) { CHECK(harness_checks == 7); }

static void fails_a_number(void) { CHECK_INT(2 + 2, 5); }

static void fails_a_text(void) { CHECK_STR("is", "wanted"); }

static void fails_in_bytes(void) { CHECK_BYTES("abcd", 4, "abXd", 4); }

static void checks_nothing(void) {}

static void leaks(void)
{
    CHECK(cw__malloc(16) != NULL);
    CHECK(cw__malloc(16) != NULL);
}

static void never_ends(void)
{
    CHECK(true);
    for (;;)
        (void)pause();
}

static void computes_for_ever(void)
{
    for (volatile unsigned i = 0;; i++)
        harness_checks = 1;
}

static void breaks_its_plan(void)
{
    PLAN(2);
    CHECK(true);
}

static void keeps_its_plan(void)
{
    PLAN(1);
    CHECK(true);
}

static void dies(void)
{
    CHECK(true);
    (void)raise(SIGKILL);
}

static void skips(void) { SKIP("no reason"); }

static bool gives_up_too_early(void *arg)
{
    (void)arg;
    return false;
}

static void cannot_get_through(void) { each_allocation_fails(gives_up_too_early, NULL); }

static bool leaks_after_a_failure(void *arg)
{
    void *first = cw__malloc(1);
    void *second = first ? cw__malloc(1) : NULL;

    (void)arg;
    if (!second)
        return false;
    cw__free(first);
    cw__free(second);
    return true;
}

static void cleans_up_badly(void) { each_allocation_fails(leaks_after_a_failure, NULL); }

static const harness_test samples[] = {
    {"passes", passes},
    {"fails a condition", fails_a_condition},
    {"fails a number", fails_a_number},
    {"fails a text", fails_a_text},
    {"fails in bytes", fails_in_bytes},
    {"checks nothing", checks_nothing},
    {"leaks", leaks},
    {"never ends", never_ends},
    {"computes for ever", computes_for_ever},
    {"breaks its plan", breaks_its_plan},
    {"keeps its plan", keeps_its_plan},
    {"dies", dies},
    {"skips", skips},
    {"cannot get through", cannot_get_through},
    {"cleans up badly", cleans_up_badly},
};

static char report[4096];

/* Runs the samples that an argument selects, and stores the printed report. Returns the exit code. */
static int run_samples(const char *pick)
{
    char text[64];
    char *argv[] = {text, text, NULL};
    int ends[2], status = -1;
    size_t have = 0;
    ssize_t got;
    pid_t pid;

    (void)snprintf(text, sizeof text, "%s", pick);
    CHECK(pipe(ends) == 0);
    (void)fflush(stdout);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        harness_limit_s = 1;
        harness_patience = strcmp(pick, "never ends") == 0 ? 1 : 1000; /* the tested limit comes first */
        harness_end(HARNESS_MAIN(2, argv, samples));
    }
    (void)close(ends[1]);
    while (have < sizeof report - 1 && (got = read(ends[0], report + have, sizeof report - 1 - have)) > 0)
        have += (size_t)got;
    report[have] = '\0';
    (void)close(ends[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect_failure(const char *pick, const char *why)
{
    char line[128];

    CHECK_INT(run_samples(pick), HARNESS_FAILED);
    (void)snprintf(line, sizeof line, "not ok 1 - %s\n", pick);
    if (!strstr(report, line) || !strstr(report, why))
        HARNESS_FAIL("wanted \"%s\" and \"%s\" in:\n# %s", line, why, report);
}

static void test_pass(void)
{
    CHECK_INT(run_samples("passes"), 0);
    CHECK_STR(report, "1..1\nok 1 - passes\n");
    CHECK_INT(run_samples("keeps its plan"), 0);
}

static void test_checks(void)
{
    expect_failure("fails a condition", ": not true: harness_checks == 7");
    expect_failure("fails a number", "2 + 2 is 4, wanted 5 = 5");
    expect_failure("fails a text", "\"is\" is \"is\", wanted \"wanted\" = \"wanted\"");
    expect_failure("fails in bytes", "byte 2 is 63, wanted \"abXd\": 58");
}

static void test_no_checks(void) { expect_failure("checks nothing", "checks nothing"); }
static void test_leak(void) { expect_failure("leaks", "2 blocks were not freed"); }
static void test_timeout(void)
{
    expect_failure("never ends", "ran longer than 1 s");
    expect_failure("computes for ever", "took more than 1 s of each processor");
}

static void test_plan(void) { expect_failure("breaks its plan", "1 checks were made, 2 planned"); }
static void test_signal(void) { expect_failure("dies", "ended by signal 9"); }

static void test_allocation_helper(void)
{
    expect_failure("cannot get through", "not true: got_through");
    expect_failure("cleans up badly", "is 1, wanted live = 0");
}

static void test_skip(void)
{
    CHECK(unsetenv("SKIPS_AS_FAILS") == 0);
    CHECK_INT(run_samples("skips"), 0);
    CHECK(strstr(report, "ok 1 - skips # SKIP\n") != NULL);
    CHECK(setenv("SKIPS_AS_FAILS", "1", 1) == 0);
    CHECK_INT(run_samples("skips"), HARNESS_FAILED);
    CHECK(strstr(report, "not ok 1 - skips # SKIP\n") != NULL);
}

static void test_pick(void)
{
    CHECK_INT(run_samples("no such test"), HARNESS_FAILED);
    CHECK_STR(report, "1..0\nBail out! no test has such a name\n");
    CHECK_INT(run_samples("its plan"), HARNESS_FAILED); /* one of the two tests fails, so the run fails */
    CHECK(strstr(report, "1..2\n") != NULL);
    CHECK(strstr(report, "\nok 2 - keeps its plan\n") != NULL);
}

static const harness_test tests[] = {
    {"a test that passes passes", test_pass},
    {"a failing check fails and prints file, line and both values", test_checks},
    {"a test without a check fails", test_no_checks},
    {"a leak fails", test_leak},
    {"a test that does not end fails", test_timeout},
    {"a broken plan fails", test_plan},
    {"a test that dies fails", test_signal},
    {"a body that never gets through, or leaves blocks behind, fails", test_allocation_helper},
    {"a skipped test is reported, and fails where skips are failures", test_skip},
    {"arguments pick tests; to pick none fails", test_pick},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of environment.c: a copy of the environment, which later changes do not reach. */
#include "harness.h"

static void test_copy(void)
{
    char *copy;

    CHECK_INT(setenv("CW_TEST_ONE", "a=b", 1), 0);
    CHECK_INT(setenv("CW_TEST_EMPTY", "", 1), 0);
    CHECK_INT(unsetenv("CW_TEST"), 0);
    copy = cw__environment_copy();
    CHECK(copy != NULL);
    CHECK_INT(setenv("CW_TEST_ONE", "changed", 1), 0);
    CHECK_STR(cw__environment_get(copy, "CW_TEST_ONE"), "a=b");
    CHECK_STR(cw__environment_get(copy, "CW_TEST_EMPTY"), "");
    CHECK(cw__environment_get(copy, "CW_TEST") == NULL);
    CHECK(cw__environment_get(copy, "CW_TEST_ONE_") == NULL);
    CHECK_STR(cw__environment_get(copy, "PATH"), getenv("PATH"));
    cw__free(copy);
}

static void test_none(void)
{
    char *copy;

    CHECK_INT(clearenv(), 0);
    copy = cw__environment_copy();
    CHECK(copy && cw__environment_get(copy, "PATH") == NULL);
    cw__free(copy);
    cw__alloc_fail_at(0);
    CHECK(cw__environment_copy() == NULL);
    cw__alloc_fail_at(-1);
}

static const harness_test tests[] = {{"a copy keeps each variable", test_copy},
                                     {"an empty environment, and no memory", test_none}};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

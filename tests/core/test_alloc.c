/* SPDX-License-Identifier: MIT */
/* Tests of alloc.c in a test build: the count of live blocks, and the allocation that fails. */
#include "harness.h"

static void test_count(void)
{
    void *blocks[3];
    char *text;

    CHECK_INT(cw__alloc_live(), 0);
    blocks[0] = cw__malloc(0);
    blocks[1] = cw__calloc(2, 8);
    blocks[2] = cw__realloc(NULL, 5);
    text = cw__strndup("abcdef", 3);
    CHECK(blocks[0] && blocks[1] && blocks[2] && text);
    CHECK_BYTES(blocks[1], 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    CHECK_STR(text, "abc");
    CHECK_INT(cw__alloc_live(), 4);
    blocks[2] = cw__realloc(blocks[2], 5000); /* a moved block counts as the same block */
    CHECK(blocks[2] != NULL);
    CHECK_INT(cw__alloc_live(), 4);
    for (size_t i = 0; i < 3; i++)
        cw__free(blocks[i]);
    cw__free(text);
    cw__free(NULL);
    CHECK_INT(cw__alloc_live(), 0);
}

static void test_failure(void)
{
    void *a, *b, *c;

    cw__alloc_fail_at(1);
    a = cw__malloc(1);
    b = cw__malloc(1);
    c = cw__malloc(1);
    CHECK(a && !b && c);
    cw__alloc_fail_at(0);
    CHECK(cw__realloc(a, 100) == NULL); /* the failed call leaves a as it was */
    cw__alloc_fail_at(0);
    CHECK(cw__calloc(1, 1) == NULL);
    cw__alloc_fail_at(0);
    CHECK(cw__strndup("a", 1) == NULL);
    cw__alloc_fail_at(0);
    cw__alloc_fail_at(-1);
    b = cw__malloc(1);
    CHECK(b != NULL);
    CHECK_INT(cw__alloc_live(), 3);
    cw__free(a);
    cw__free(b);
    cw__free(c);
}

static void test_too_much(void)
{
    volatile size_t huge = SIZE_MAX; /* volatile hides the value from the compiler, which would warn */

    CHECK(cw__strndup("a", huge) == NULL);
    CHECK_INT(cw__alloc_live(), 0);
}

static const harness_test tests[] = {
    {"blocks are counted", test_count},
    {"one call fails, once", test_failure},
    {"an impossible length is refused", test_too_much},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of spare.c: one block is kept, counts as free, and is reused. An allocation that must fail fails here too. */
#include "harness.h"

enum { BLOCK_BYTES = 2000 };

static cw__spare spare;

static void test_kept(void)
{
    void *first = cw__spare_take(&spare, BLOCK_BYTES), *second = cw__spare_take(&spare, BLOCK_BYTES);

    CHECK(first && second && first != second);
    memset(first, 1, BLOCK_BYTES);
    memset(second, 2, BLOCK_BYTES);
    CHECK_INT(cw__alloc_live(), 2);
    cw__spare_give(&spare, first);
    CHECK_INT(cw__alloc_live(), 1);
    cw__spare_give(&spare, second); /* a block is kept already */
    CHECK_INT(cw__alloc_live(), 0);
    CHECK(cw__spare_take(&spare, BLOCK_BYTES) == first);
    CHECK_INT(cw__alloc_live(), 1);
    cw__spare_give(&spare, NULL);
    CHECK_INT(cw__alloc_live(), 1);
    cw__spare_give(&spare, first);
}

static void test_no_memory(void)
{
    void *block = cw__spare_take(&spare, BLOCK_BYTES);

    cw__alloc_fail_at(0);
    CHECK(cw__spare_take(&spare, BLOCK_BYTES) == NULL);
    CHECK_INT(cw__alloc_live(), 1);
    cw__spare_give(&spare, block);
    cw__alloc_fail_at(0);
    CHECK(cw__spare_take(&spare, BLOCK_BYTES) == NULL); /* although a block is kept */
    CHECK_INT(cw__alloc_live(), 0);
    CHECK(cw__spare_take(&spare, BLOCK_BYTES) == block);
    cw__spare_give(&spare, block);
}

static const harness_test tests[] = {
    {"one block is kept", test_kept},
    {"without memory", test_no_memory},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

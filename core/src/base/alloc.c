/* SPDX-License-Identifier: MIT */
/* All allocations of the core go through this file. So tests can count the live blocks and make any single allocation
 * fail. The count and the failures exist only in builds with CW_TEST_ALLOC; a release build pays nothing for them. */
#include "base.h"

#include <stdlib.h>
#include <string.h>

#ifdef CW_TEST_ALLOC

static atomic_long live_count;
static atomic_long calls_until_failure = -1;

bool cw__alloc_must_fail(void)
{
    long left = atomic_load_explicit(&calls_until_failure, memory_order_relaxed);
    while (left >= 0) {
        /* Stop counting below 0, so that only one allocation fails, however many follow. */
        if (atomic_compare_exchange_weak(&calls_until_failure, &left, left - 1))
            return left == 0;
    }
    return false;
}

void cw__alloc_count(const void *block, int change)
{
    if (block)
        atomic_fetch_add_explicit(&live_count, change, memory_order_relaxed);
}

void cw__alloc_fail_at(long n) { atomic_store(&calls_until_failure, n); }
long cw__alloc_live(void) { return atomic_load(&live_count); }

#else

void cw__alloc_fail_at(long n) { (void)n; }
long cw__alloc_live(void) { return 0; }

#endif

static void *counted(void *block)
{
    cw__alloc_count(block, 1);
    return block;
}

/* malloc(0) may return NULL. Here NULL always means "no memory", so ask for at least one byte. */
static size_t at_least_one(size_t size_bytes) { return size_bytes ? size_bytes : 1; }

void *cw__malloc(size_t size_bytes)
{
    return cw__alloc_must_fail() ? NULL : counted(malloc(at_least_one(size_bytes)));
}

void *cw__calloc(size_t count, size_t size_bytes)
{
    return cw__alloc_must_fail() ? NULL : counted(calloc(at_least_one(count), at_least_one(size_bytes)));
}

void *cw__realloc(void *block, size_t size_bytes)
{
    if (!block)
        return cw__malloc(size_bytes);
    if (cw__alloc_must_fail())
        return NULL;
    return realloc(block, at_least_one(size_bytes));
}

char *cw__strndup(const char *text, size_t len_bytes)
{
    char *copy = len_bytes < SIZE_MAX ? cw__malloc(len_bytes + 1) : NULL;

    if (!copy)
        return NULL;
    if (len_bytes)
        memcpy(copy, text, len_bytes);
    copy[len_bytes] = '\0';
    return copy;
}

void cw__free(void *block)
{
    cw__alloc_count(block, -1);
    free(block);
}

/* SPDX-License-Identifier: MIT */
/* Spare: keeps one block of a size for the next that asks (base.h). A block that is kept counts as free for the tests.
 * Called by event.c and codec_native.c; knows alloc.c alone. No locks: the block changes hands in one step. */
#include "base.h"

#include <stdlib.h>

void *cw__spare_take(cw__spare *spare, size_t size_bytes)
{
    void *block;

    if (cw__alloc_must_fail())
        return NULL;
    block = atomic_exchange(&spare->block, NULL);
    if (!block)
        block = malloc(size_bytes);
    cw__alloc_count(block, 1);
    return block;
}

void cw__spare_give(cw__spare *spare, void *block)
{
    void *none = NULL;

    cw__alloc_count(block, -1);
    if (block && !atomic_compare_exchange_strong(&spare->block, &none, block))
        free(block);
}

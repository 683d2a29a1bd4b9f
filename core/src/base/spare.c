/* SPDX-License-Identifier: MIT */
/* Spare: keeps one unused block for the next taker (base.h). Tests count a kept block as free. event.c and
 * codec_native.c call it. It needs no lock: one atomic exchange hands the block over. */
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

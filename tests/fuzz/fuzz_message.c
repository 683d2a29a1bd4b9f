/* SPDX-License-Identifier: MIT */
/* Fuzz target: frames to messages. Messages, control frames and the violation must be the same for every split. fuzz.h checks
 * that texts are UTF-8 and that sizes stay within the limit. No memory may leak. */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static const int64_t limits[] = {-1, 0, 5, 125, 126, 1000, 65536, INT64_MAX};
    fuzz_input in = {data, len_bytes};
    uint8_t flags = fuzz_byte(&in);
    fuzz_wire whole = {.is_partial = flags & 1, .max_bytes = limits[flags >> 1 & 7], .seed = 0};
    fuzz_wire split = whole;
    bool is_violated;
    long live = cw__alloc_live();

    split.seed = (uint32_t)fuzz_number(&in, 2) | 1u; /* 1 = one byte at a time */
    fuzz_wire_run(&whole, in.data, in.len_bytes);
    fuzz_wire_run(&split, in.data, in.len_bytes);
    DEMAND(cw__alloc_live() == live);
    DEMAND(whole.control.len_bytes == split.control.len_bytes &&
           fuzz_begins_with(&whole.control, &split.control));
    /* A split run may deliver parts that come before the bad byte of their frame. All other data must be the same. */
    is_violated = whole.is_partial && split.data.len_bytes > whole.data.len_bytes;
    DEMAND(is_violated || whole.data.len_bytes == split.data.len_bytes);
    DEMAND(fuzz_begins_with(&split.data, &whole.data));
    if (is_violated)
        DEMAND(split.control.len_bytes > 0);
    fuzz_wire_destroy(&whole);
    fuzz_wire_destroy(&split);
    return 0;
}

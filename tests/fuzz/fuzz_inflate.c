/* SPDX-License-Identifier: MIT */
/* Fuzz target: inflating compressed frames. The plain bytes and the verdict must be the same for every split of the input and
 * every size of output, and no memory may leak. With a window below the largest, zlib detects a reference beyond the window
 * only if it no longer has those bytes. In that case the verdicts may differ. */
#include "inflate_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    fuzz_input in = {data, len_bytes};
    uint8_t flags = fuzz_byte(&in);
    cw__compression terms = {.server_bits = (uint8_t)(8 + (flags & 7)), .server_resets = flags >> 3 & 1};
    inflate_way whole = {0, 4096, false},
                split = {(uint32_t)fuzz_number(&in, 2) | 1u, 1 + (size_t)fuzz_byte(&in), true};
    fuzz_log a = {0}, b = {0};
    long live = cw__alloc_live();
    bool is_good = inflate_run(in, terms, whole, &a);

    bool is_split_good = inflate_run(in, terms, split, &b);

    DEMAND(is_split_good == is_good || terms.server_bits < 15 || a.len_bytes >= INFLATE_MOST_BYTES ||
           b.len_bytes >= INFLATE_MOST_BYTES);
    DEMAND(!is_good || !is_split_good || (a.len_bytes == b.len_bytes && fuzz_begins_with(&a, &b)));
    DEMAND(cw__alloc_live() == live);
    free(a.bytes);
    free(b.bytes);
    return 0;
}

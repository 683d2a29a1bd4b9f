/* SPDX-License-Identifier: MIT */
/* Fuzz target: frame headers. Decoding must give the same result for every split. Encoding must give the same bytes back, or
 * fewer if the decoder refused the form of the length. Masking must follow RFC 6455 section 5.3. */
#include "fuzz.h"

static void check_split(const uint8_t *data, size_t len_bytes, uint32_t seed)
{
    cw__frame_decoder whole = {0}, split = {0};
    cw__frame a, b;
    size_t used = 0, done = 0, run_used;
    cw__decode first = cw__frame_decode(&whole, data, len_bytes, &used, &a), second = CW__DECODE_MORE;

    while (second == CW__DECODE_MORE && done < len_bytes) {
        size_t run = fuzz_run(&seed, len_bytes - done);
        second = cw__frame_decode(&split, data + done, run, &run_used, &b);
        DEMAND(second != CW__DECODE_MORE || run_used == run);
        done += run_used;
    }
    DEMAND(first == second && used == done && used <= CW__HEADER_MAX_BYTES);
    if (first != CW__DECODE_MORE)
        DEMAND(split.have_bytes == 0 && a.payload_bytes == b.payload_bytes && a.opcode == b.opcode &&
               a.rsv == b.rsv && a.is_final == b.is_final && memcmp(a.mask, b.mask, 4) == 0);
}

static void check_encode(const uint8_t *data, size_t len_bytes)
{
    uint8_t out[CW__HEADER_MAX_BYTES];
    cw__frame_decoder d = {0};
    cw__frame f;
    size_t used;
    cw__decode decoded = cw__frame_decode(&d, data, len_bytes, &used, &f);
    if (decoded == CW__DECODE_DONE)
        DEMAND(cw__frame_encode(&f, out) == used && memcmp(out, data, used) == 0);
    if (decoded == CW__DECODE_BAD)
        DEMAND(f.payload_bytes > INT64_MAX || cw__frame_encode(&f, out) < used);
}

static void check_mask(const uint8_t *data, size_t len_bytes, uint32_t seed)
{
    const uint8_t mask[4] = {data[0], 1, data[len_bytes - 1], 0x80};
    uint8_t *copy = malloc(len_bytes);
    size_t offset = 0;

    memcpy(copy, data, len_bytes);
    for (size_t run; (run = fuzz_run(&seed, len_bytes - offset)) > 0; offset += run)
        cw__frame_mask(copy + offset, copy + offset, run, mask, offset); /* in place, one piece after another */
    for (size_t i = 0; i < len_bytes; i++)
        DEMAND(copy[i] == (data[i] ^ mask[i & 3]));
    free(copy);
}
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    if (len_bytes > 0) {
        check_split(data + 1, len_bytes - 1, data[0]);
        check_encode(data + 1, len_bytes - 1);
        check_mask(data, len_bytes, data[0]);
    }
    return 0;
}

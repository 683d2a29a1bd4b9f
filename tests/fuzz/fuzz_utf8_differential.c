/* SPDX-License-Identifier: MIT */
/* Fuzz target: compares curlwire's UTF-8 check with GNU libunistring, byte for byte. libunistring tells "broken" from "not
 * finished yet" at every length, so the place of the first bad byte can be compared too. It is small, written in C, and already
 * installed, because libcurl uses libidn2, which needs it. */
#include "fuzz.h"

#include <unistr.h>

/* Returns the number of good bytes as libunistring finds them: those before the first byte that no continuation can repair. */
static size_t good_by_unistring(const uint8_t *data, size_t len_bytes, bool *is_complete)
{
    size_t at = 0;

    *is_complete = true;
    while (at < len_bytes) {
        ucs4_t character;
        size_t have = 1;
        /* libunistring calls a lone F5, F6 or F7 unfinished, but no UTF-8 begins with them (RFC 3629). */
        int taken = data[at] >= 0xf5 ? -1 : u8_mbtoucr(&character, data + at, have);
        while (taken == -2 && at + have < len_bytes)
            taken = u8_mbtoucr(&character, data + at, ++have);
        if (taken > 0) {
            at += (size_t)taken;
            continue;
        }
        *is_complete = taken != -2 && have == 1;
        return at + have - (taken == -1); /* if broken, the last byte is the bad one */
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    fuzz_input in = {data, len_bytes};
    uint32_t seed = (uint32_t)fuzz_number(&in, 2);
    bool is_complete;
    size_t good = good_by_unistring(in.data, in.len_bytes, &is_complete), done = 0;
    bool is_valid = u8_check(in.data, in.len_bytes) == NULL;
    cw__utf8 u = {0};

    DEMAND(cw__utf8_valid(in.data, in.len_bytes) == is_valid);
    DEMAND(is_valid == (good == in.len_bytes && is_complete));
    while (done < in.len_bytes) {
        size_t run = fuzz_run(&seed, in.len_bytes - done);
        bool is_good = cw__utf8_feed(&u, in.data + done, run);
        done += run;
        DEMAND(is_good == (done <= good)); /* the piece with the first bad byte must fail */
        if (!is_good)
            return 0;
    }
    DEMAND(cw__utf8_complete(&u) == is_valid);
    return 0;
}

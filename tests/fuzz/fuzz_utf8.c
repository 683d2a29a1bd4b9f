/* SPDX-License-Identifier: MIT */
/* Fuzz target: incremental UTF-8. The verdict and the place of the first bad byte must not depend on the split. Bytes that are
 * accepted so far can always be completed. After a refused byte nothing is accepted. */
#include "fuzz.h"

/* Feeds bytes up to the end or the first bad byte. Returns the number of good bytes, found piece by piece and then byte by
 * byte. */
static size_t good_bytes(const uint8_t *data, size_t len_bytes, uint32_t seed, cw__utf8 *end)
{
    cw__utf8 u = {0};
    size_t done = 0;

    while (done < len_bytes) {
        size_t run = fuzz_run(&seed, len_bytes - done);
        cw__utf8 before = u;
        if (!cw__utf8_feed(&u, data + done, run)) {
            for (u = before; cw__utf8_feed(&u, data + done, 1); done++)
                DEMAND(run-- > 0);
            break;
        }
        done += run;
    }
    *end = u;
    return done;
}

/* Checks that at most three more bytes complete the character, each the lowest byte that the state accepts. */
static void check_completes(cw__utf8 u)
{
    for (int missing = 0; !cw__utf8_complete(&u); missing++) {
        uint8_t byte = 0x80;
        DEMAND(missing < 3);
        while (!cw__utf8_feed(&u, &byte, 1))
            DEMAND(byte++ < 0xbf);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    fuzz_input in = {data, len_bytes};
    uint32_t seed = (uint32_t)fuzz_number(&in, 2);
    cw__utf8 whole, split, bytes;
    size_t good = good_bytes(in.data, in.len_bytes, 0, &whole);

    DEMAND(good == good_bytes(in.data, in.len_bytes, 1, &bytes) && bytes.state == whole.state);
    DEMAND(good == good_bytes(in.data, in.len_bytes, seed, &split) && split.state == whole.state);
    DEMAND(cw__utf8_valid(in.data, in.len_bytes) == (good == in.len_bytes && cw__utf8_complete(&whole)));
    check_completes(whole);
    return 0;
}

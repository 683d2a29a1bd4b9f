/* SPDX-License-Identifier: MIT */
/* Inflates compressed messages with different splits and sizes, for fuzz_inflate.c. */
#ifndef INFLATE_RUN_H
#define INFLATE_RUN_H

#include "fuzz.h"

enum { INFLATE_MOST_BYTES = 1 << 20 };

typedef struct inflate_way {
    uint32_t seed;    /* the seed of the split of the input */
    size_t out_bytes; /* the size of the output buffer */
    bool is_kept;     /* whether cw__inflater_keep copies unused input */
} inflate_way;

/* Logs the plain bytes of one piece. Returns false if the piece is corrupt. */
static inline bool inflate_drain(cw__inflater *i, const inflate_way *w, fuzz_log *log)
{
    uint8_t buffer[4096];
    cw__inflate_result result = CW__INFLATE_PIECE;
    cw__piece out;

    while (result == CW__INFLATE_PIECE && cw__inflater_has_more(i) && log->len_bytes < INFLATE_MOST_BYTES) {
        result = cw__inflater_give(i, buffer, w->out_bytes, &out);
        DEMAND(result != CW__INFLATE_NO_MEMORY && (!w->is_kept || cw__inflater_keep(i)));
        if (result == CW__INFLATE_PIECE) {
            DEMAND(out.len_bytes <= w->out_bytes && out.remaining == 0 && out.rsv == 0);
            fuzz_note(log, out.data, out.len_bytes);
            if (out.is_final)
                fuzz_note_item(log, 1, NULL, 0);
        }
    }
    return result != CW__INFLATE_BAD && log->len_bytes < INFLATE_MOST_BYTES;
}

/* Inflates the input as messages of two frames each. Returns true if all of it was correct. */
static inline bool inflate_run(fuzz_input in, cw__compression terms, inflate_way w, fuzz_log *log)
{
    cw__inflater *i = cw__inflater_create(&terms);
    bool is_good = true;

    for (unsigned n = 0; is_good && in.len_bytes > 0; n++) {
        size_t len, done = 0, frame_bytes = (size_t)fuzz_number(&in, 2);
        const uint8_t *data = fuzz_bytes(&in, frame_bytes, &len);
        do {
            size_t run_bytes = fuzz_run(&w.seed, len - done);
            cw__piece piece = {.data = data + done,
                               .len_bytes = run_bytes,
                               .remaining = len - done - run_bytes,
                               .opcode = n & 1 ? 0 : 2,
                               .rsv = n & 1 ? 0 : 4,
                               .is_final = n & 1};
            DEMAND(cw__inflater_take(i, &piece));
            is_good = inflate_drain(i, &w, log);
            done += run_bytes;
        } while (is_good && done < len);
    }
    cw__inflater_destroy(i);
    return is_good;
}

#endif

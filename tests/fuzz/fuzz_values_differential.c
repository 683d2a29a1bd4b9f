/* SPDX-License-Identifier: MIT */
/* Fuzz target: the texts of DataReader and DataWriter. It compares the conversion and its verdict with GNU libunistring's, and
 * converts back. */
#include "fuzz.h"

#include <unistr.h>

/* Converts with libunistring. Returns the bytes that the caller frees; NULL if the text is not valid. */
static uint8_t *by_unistring(cw_encoding from, const uint8_t *data, size_t len_bytes, size_t *out_bytes)
{
    size_t units = len_bytes / 2;
    uint16_t *wide = malloc(len_bytes + 1);
    uint8_t *out = NULL;

    DEMAND(wide);
    for (size_t i = 0; i < units; i++)
        wide[i] = (uint16_t)(from == CW_ENCODING_UTF16BE ? data[2 * i] << 8 | data[2 * i + 1]
                                                         : data[2 * i + 1] << 8 | data[2 * i]);
    if (from == CW_ENCODING_UTF8) {
        out = u8_check(data, len_bytes) ? NULL : malloc(len_bytes + 1);
        *out_bytes = len_bytes;
        if (out && len_bytes)
            memcpy(out, data, len_bytes);
    } else if (len_bytes % 2 == 0 && !u16_check(wide, units)) {
        out = malloc(3 * units + 1);
        *out_bytes = 3 * units + 1;
        DEMAND(out && u16_to_u8(wide, units, out, out_bytes) == out);
    }
    free(wide);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    fuzz_input in = {data, len_bytes};
    cw_encoding from = (cw_encoding)(fuzz_byte(&in) % 3);
    size_t wanted_bytes = 0, out_bytes, bad, back_bytes, same, room = 2 * in.len_bytes + 1;
    uint8_t *wanted = by_unistring(from, in.data, in.len_bytes, &wanted_bytes);
    uint8_t *out = malloc(room), *back = malloc(2 * room);
    bool is_valid;

    DEMAND(out && back);
    is_valid = cw_text_convert(from, in.data, in.len_bytes, CW_ENCODING_UTF8, out, room, &out_bytes, &bad);
    DEMAND(is_valid == (wanted != NULL));
    if (is_valid) {
        DEMAND(out_bytes == wanted_bytes && memcmp(out, wanted, out_bytes) == 0);
        DEMAND(cw__utf8_valid(out, out_bytes));
        DEMAND(cw_text_convert(CW_ENCODING_UTF8, out, out_bytes, from, back, 2 * room, &back_bytes, &bad));
        DEMAND(back_bytes == in.len_bytes && memcmp(back, in.data, back_bytes) == 0);
    } else { /* everything before the bad byte is valid, and the character there is not */
        DEMAND(bad < in.len_bytes);
        DEMAND(cw_text_convert(from, in.data, bad, from, back, 2 * room, &back_bytes, &same));
        DEMAND(back_bytes == bad);
    }
    free(wanted);
    free(out);
    free(back);
    return 0;
}

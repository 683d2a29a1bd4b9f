/* SPDX-License-Identifier: MIT */
/* Frame headers and masking on byte arrays (RFC 6455 sections 5.2, 5.3). The codecs and the tests call it. Pure: no I/O
 * and no randomness (the mask is an argument). message.c checks opcodes and RSV bits. */
#include "protocol.h"

#include <string.h>

enum {
    BASE_BYTES = 2, /* the part that every header has */
    BIT_FINAL = 0x80,
    BIT_MASKED = 0x80,
    LENGTH_16 = 126, /* values of the 7-bit length that announce a length of 2 or 8 bytes */
    LENGTH_64 = 127,
    MASK_BYTES = 4,
    WORD_BYTES = 8,
    RUN_BYTES = 4 * WORD_BYTES
};

static void write_big_endian(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

static uint64_t read_big_endian(const uint8_t *data, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | data[i];
    return value;
}

size_t cw__frame_encode(const cw__frame *frame, uint8_t out[CW__HEADER_MAX_BYTES])
{
    size_t length_bytes = frame->payload_bytes < LENGTH_16 ? 0 : frame->payload_bytes <= UINT16_MAX ? 2 : 8;
    size_t used = BASE_BYTES + length_bytes;
    uint8_t length = length_bytes == 0   ? (uint8_t)frame->payload_bytes
                     : length_bytes == 2 ? LENGTH_16
                                         : LENGTH_64;

    out[0] = (uint8_t)((frame->is_final ? BIT_FINAL : 0) | (frame->rsv & 7) << 4 | (frame->opcode & 0xf));
    out[1] = (uint8_t)((frame->is_masked ? BIT_MASKED : 0) | length);
    write_big_endian(out + BASE_BYTES, frame->payload_bytes, length_bytes);
    if (frame->is_masked) {
        memcpy(out + used, frame->mask, MASK_BYTES);
        used += MASK_BYTES;
    }
    return used;
}

static size_t length_bytes_of(uint8_t second)
{
    unsigned length = second & 0x7f;
    return length < LENGTH_16 ? 0 : length == LENGTH_16 ? 2 : 8;
}

static size_t header_bytes_of(uint8_t second)
{
    return BASE_BYTES + length_bytes_of(second) + (second & BIT_MASKED ? MASK_BYTES : 0);
}

static cw__decode read_header(const uint8_t *bytes, cw__frame *frame)
{
    size_t length_bytes = length_bytes_of(bytes[1]);
    uint64_t length = length_bytes ? read_big_endian(bytes + BASE_BYTES, length_bytes) : bytes[1] & 0x7f;

    frame->payload_bytes = length;
    frame->opcode = bytes[0] & 0xf;
    frame->rsv = bytes[0] >> 4 & 7;
    frame->is_final = (bytes[0] & BIT_FINAL) != 0;
    frame->is_masked = (bytes[1] & BIT_MASKED) != 0;
    if (frame->is_masked)
        memcpy(frame->mask, bytes + BASE_BYTES + length_bytes, MASK_BYTES);
    else
        memset(frame->mask, 0, MASK_BYTES);
    if (length_bytes == 2 && length < LENGTH_16)
        return CW__DECODE_BAD;
    if (length_bytes == 8 && (length <= UINT16_MAX || length > INT64_MAX))
        return CW__DECODE_BAD;
    return CW__DECODE_DONE;
}

cw__decode cw__frame_decode(cw__frame_decoder *d, const uint8_t *data, size_t len_bytes, size_t *used,
                            cw__frame *frame)
{
    size_t taken = 0;
    size_t need = d->have_bytes < BASE_BYTES ? BASE_BYTES : header_bytes_of(d->bytes[1]);

    /* Fast path: most headers arrive in one piece and are read without a copy. */
    if (d->have_bytes == 0 && len_bytes >= BASE_BYTES && len_bytes >= header_bytes_of(data[1])) {
        *used = header_bytes_of(data[1]);
        return read_header(data, frame);
    }
    while (d->have_bytes < need && taken < len_bytes) {
        d->bytes[d->have_bytes++] = data[taken++];
        if (d->have_bytes >= BASE_BYTES)
            need = header_bytes_of(d->bytes[1]);
    }
    *used = taken;
    if (d->have_bytes < need)
        return CW__DECODE_MORE;
    d->have_bytes = 0;
    return read_header(d->bytes, frame);
}

static void mask_word(uint8_t *dst, const uint8_t *src, uint64_t mask)
{
    uint64_t word;
    memcpy(&word, src, WORD_BYTES);
    word ^= mask;
    memcpy(dst, &word, WORD_BYTES);
}

/* Each run is loaded as a whole before it is stored. So dst may be src, and the compiler can use vector instructions. */
static void mask_run(uint8_t *dst, const uint8_t *src, uint64_t mask)
{
    uint64_t words[RUN_BYTES / WORD_BYTES];
    memcpy(words, src, RUN_BYTES);
    words[0] ^= mask;
    words[1] ^= mask;
    words[2] ^= mask;
    words[3] ^= mask;
    memcpy(dst, words, RUN_BYTES);
}

void cw__frame_mask(uint8_t *dst, const uint8_t *src, size_t len_bytes, const uint8_t mask[4], uint64_t offset)
{
    uint8_t turned[WORD_BYTES];
    uint64_t wide;
    size_t i = 0;

    for (size_t k = 0; k < WORD_BYTES; k++)
        turned[k] = mask[(offset + k) & 3];
    memcpy(&wide, turned, WORD_BYTES); /* bytes in memory order, so this works for either endianness */
    for (; len_bytes - i >= RUN_BYTES; i += RUN_BYTES)
        mask_run(dst + i, src + i, wide);
    for (; len_bytes - i >= WORD_BYTES; i += WORD_BYTES)
        mask_word(dst + i, src + i, wide);
    for (; i < len_bytes; i++)
        dst[i] = src[i] ^ turned[i & 3];
}

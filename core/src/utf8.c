/* SPDX-License-Identifier: MIT */
/* Incremental UTF-8 validation (RFC 3629; RFC 6455 section 8.1). Called by message.c for text as it arrives, by
 * close.c for reasons, and before sending. Pure: bytes in, verdict out; no allocation.
 *
 * Between two calls the state holds what the next byte has to be:
 *   bits 0-7 continuation bytes still to come, bits 8-15 the least and bits 16-23 the greatest next byte.
 * Only the byte after a lead byte has narrower bounds than 80..BF; those bounds are what keeps out overlong
 * forms (E0, F0), surrogates (ED) and code points over U+10FFFF (F4), each at its first byte that shows it. */
#include "internal.h"

#include <string.h>

enum { WORD_BYTES = 8, RUN_BYTES = 4 * WORD_BYTES, CHARACTER_MAX_BYTES = 4 };

#define HIGH_BITS 0x8080808080808080u

static uint32_t expecting(unsigned left, unsigned least, unsigned greatest)
{
    return left | least << 8 | greatest << 16;
}

/* The state after a lead byte of 80 or more; 0 if no character begins with it. */
static uint32_t after_lead(uint8_t lead)
{
    if (lead < 0xc2)
        return 0;
    if (lead < 0xe0)
        return expecting(1, 0x80, 0xbf);
    if (lead < 0xf0)
        return expecting(2, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf);
    if (lead < 0xf5)
        return expecting(3, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf);
    return 0;
}

static bool may_follow(uint32_t state, uint8_t byte)
{
    return byte >= (state >> 8 & 0xff) && byte <= state >> 16;
}

static uint64_t load_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, WORD_BYTES);
    return word;
}

/* Goes over ASCII; returns the first byte that is none, or the last few before the end. */
static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= RUN_BYTES) {
        uint64_t all = load_word(at) | load_word(at + WORD_BYTES) | load_word(at + (size_t)2 * WORD_BYTES) |
                       load_word(at + (size_t)3 * WORD_BYTES);
        if (all & HIGH_BITS)
            break;
        at += RUN_BYTES;
    }
    while (end - at >= WORD_BYTES) {
        if (!(load_word(at) & HIGH_BITS)) {
            at += WORD_BYTES;
            continue;
        }
        while (*at < 0x80)
            at++;
        break;
    }
    return at;
}

static bool is_continuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

/* The length of the character at a place with four bytes to read; 0 if it is none. */
static size_t character_bytes(const uint8_t *at)
{
    uint32_t state;

    if (at[0] < 0x80)
        return 1;
    state = after_lead(at[0]);
    if (state == 0 || !may_follow(state, at[1]))
        return 0;
    if ((state & 0xff) == 1)
        return 2;
    if (!is_continuation(at[2]))
        return 0;
    if ((state & 0xff) == 2)
        return 3;
    return is_continuation(at[3]) ? 4 : 0;
}

/* Goes over whole characters; returns the first byte of one that is bad or too near to the end. */
static const uint8_t *skip_characters(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= CHARACTER_MAX_BYTES) {
        size_t length = character_bytes(at);

        if (length == 0)
            break;
        at += length;
        if (length == 1)
            at = skip_ascii(at, end);
    }
    return at;
}

bool cw__utf8_feed(cw__utf8 *u, const void *data, size_t len_bytes)
{
    const uint8_t *at = data;
    const uint8_t *end;
    uint32_t state = u->state;

    if (len_bytes == 0)
        return true;
    end = at + len_bytes;
    while (at < end) {
        if (state) {
            if (!may_follow(state, *at))
                return false;
            state = (state & 0xff) > 1 ? expecting((state & 0xff) - 1, 0x80, 0xbf) : 0;
            at++;
            continue;
        }
        at = skip_characters(at, end);
        if (at < end && *at >= 0x80) {
            state = after_lead(*at);
            if (state == 0)
                return false;
        }
        at += at < end;
    }
    u->state = state;
    return true;
}

bool cw__utf8_complete(const cw__utf8 *u) { return u->state == 0; }

bool cw__utf8_valid(const void *data, size_t len_bytes)
{
    cw__utf8 u = {0};
    return cw__utf8_feed(&u, data, len_bytes) && cw__utf8_complete(&u);
}

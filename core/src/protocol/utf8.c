/* SPDX-License-Identifier: MIT */
/* Incremental UTF-8 validation (RFC 3629; RFC 6455 section 8.1). message.c calls it for text as it arrives, close.c for
 * reasons, and the socket before it sends text. Pure: bytes in, result out; no allocation.
 *
 * Between two calls the state describes the next byte:
 *   bits 0-7 number of continuation bytes to come, bits 8-15 the least and bits 16-23 the greatest next byte.
 * Only the byte after a lead byte has narrower limits than 80..BF. These limits reject overlong forms (E0, F0),
 * surrogates (ED) and code points above U+10FFFF (F4), each at the first byte that shows it. */
#include "protocol.h"

#include <string.h>

enum { WORD_BYTES = 8, RUN_BYTES = 4 * WORD_BYTES };

#define HIGH_BITS 0x8080808080808080u

static uint32_t expecting(unsigned left, unsigned least, unsigned greatest)
{
    return left | least << 8 | greatest << 16;
}

/* Returns the state after a lead byte of 80 or more; 0 if no character begins with that byte. */
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

static bool is_ascii_run(const uint8_t *at)
{
    uint64_t all = load_word(at) | load_word(at + WORD_BYTES) | load_word(at + (size_t)2 * WORD_BYTES) |
                   load_word(at + (size_t)3 * WORD_BYTES);

    return (all & HIGH_BITS) == 0;
}

/* Skips ASCII, one word at a time. */
static const uint8_t *skip_ascii(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= WORD_BYTES && !(load_word(at) & HIGH_BITS))
        at += WORD_BYTES;
    return at;
}

/* ---- Long runs: an automaton without branches ----
 *
 * Each byte costs one load and one shift, for any text. A table has a row for each byte. A row has 6 bits for each
 * state: the next state. A state is its own bit position in a row. A byte that is not allowed leads to 0, the bad
 * state, which no byte leaves. */

enum {
    BAD = 0,
    BETWEEN = 6, /* between characters */
    ONE = 12,    /* one continuation byte to come; two, three */
    TWO = 18,
    THREE = 24,
    AFTER_E0 = 30,
    AFTER_ED = 36,
    AFTER_F0 = 42,
    AFTER_F4 = 48,
    STATE_MASK = 63
};

#define GO(from, to) ((uint64_t)(to) << (from))
#define ASCII        GO(BETWEEN, BETWEEN)
#define ANY          (GO(ONE, BETWEEN) | GO(TWO, ONE) | GO(THREE, TWO)) /* in the states that allow 80..BF */
#define LOW          (ANY | GO(AFTER_ED, ONE) | GO(AFTER_F4, TWO))      /* 80..8F */
#define MIDDLE       (ANY | GO(AFTER_ED, ONE) | GO(AFTER_F0, TWO))      /* 90..9F */
#define HIGH         (ANY | GO(AFTER_E0, ONE) | GO(AFTER_F0, TWO))      /* A0..BF */
#define LEAD(state)  GO(BETWEEN, state)
#define TIMES_4(x)   x, x, x, x
#define TIMES_16(x)  TIMES_4(x), TIMES_4(x), TIMES_4(x), TIMES_4(x)

static const uint64_t rows[256] = {
    TIMES_16(ASCII),
    TIMES_16(ASCII),
    TIMES_16(ASCII),
    TIMES_16(ASCII), /* 00 */
    TIMES_16(ASCII),
    TIMES_16(ASCII),
    TIMES_16(ASCII),
    TIMES_16(ASCII), /* 40 */
    TIMES_16(LOW),
    TIMES_16(MIDDLE),
    TIMES_16(HIGH),
    TIMES_16(HIGH), /* 80 */
    BAD,
    BAD,
    LEAD(ONE),
    LEAD(ONE),
    TIMES_4(LEAD(ONE)),
    TIMES_4(LEAD(ONE)),
    TIMES_4(LEAD(ONE)),  /* C0 */
    TIMES_16(LEAD(ONE)), /* D0 */
    LEAD(AFTER_E0),
    LEAD(TWO),
    LEAD(TWO),
    LEAD(TWO),
    TIMES_4(LEAD(TWO)),
    TIMES_4(LEAD(TWO)), /* E0 */
    LEAD(TWO),
    LEAD(AFTER_ED),
    LEAD(TWO),
    LEAD(TWO), /* EC */
    LEAD(AFTER_F0),
    LEAD(THREE),
    LEAD(THREE),
    LEAD(THREE),
    LEAD(AFTER_F4),
    BAD,
    BAD,
    BAD, /* F0 */
    TIMES_4(BAD),
    TIMES_4(BAD), /* F8 */
};

static uint64_t after_word(uint64_t state, const uint8_t *at)
{
    state = rows[at[0]] >> (state & STATE_MASK);
    state = rows[at[1]] >> (state & STATE_MASK);
    state = rows[at[2]] >> (state & STATE_MASK);
    state = rows[at[3]] >> (state & STATE_MASK);
    state = rows[at[4]] >> (state & STATE_MASK);
    state = rows[at[5]] >> (state & STATE_MASK);
    state = rows[at[6]] >> (state & STATE_MASK);
    return rows[at[7]] >> (state & STATE_MASK);
}

/* Validates whole runs, starting between characters. Returns a position between characters near the end; NULL if
 * there is a bad byte. */
static const uint8_t *skip_runs(const uint8_t *at, const uint8_t *end)
{
    uint64_t state = BETWEEN;

    for (; end - at >= RUN_BYTES; at += RUN_BYTES) {
        if ((state & STATE_MASK) == BETWEEN && is_ascii_run(at))
            continue;
        for (size_t i = 0; i < RUN_BYTES; i += WORD_BYTES)
            state = after_word(state, at + i);
        if ((state & STATE_MASK) == BAD)
            return NULL;
    }
    if ((state & STATE_MASK) != BETWEEN) /* back to the start of the character that is cut */
        do
            at--;
        while ((*at & 0xc0) == 0x80);
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
        at = skip_runs(at, end);
        if (!at)
            return false;
        at = skip_ascii(at, end);
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

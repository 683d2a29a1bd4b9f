/* SPDX-License-Identifier: MIT */
/* Punycode (RFC 3492): letters beyond ASCII as letters, digits and hyphens. Code points in, bytes out, and back. idn.c
 * calls it. The names are those of the RFC. */
#include <string.h>

#include "protocol.h"

enum { BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, INITIAL_BIAS = 72, INITIAL_N = 128 };

static uint32_t adapt(uint32_t delta, uint32_t count, bool is_first)
{
    uint32_t k = 0;

    delta = is_first ? delta / DAMP : delta / 2;
    for (delta += delta / count; delta > ((BASE - T_MIN) * T_MAX) / 2; k += BASE)
        delta /= BASE - T_MIN;
    return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

static uint32_t threshold(uint32_t k, uint32_t bias)
{
    return k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
}

static char digit(uint32_t value) { return (char)(value < 26 ? 'a' + value : '0' + (value - 26)); }

static uint32_t value_of(char c)
{
    return c >= 'a' && c <= 'z' ? (uint32_t)(c - 'a') : c >= '0' && c <= '9' ? (uint32_t)(c - '0') + 26 : BASE;
}

/* Writes delta as a number of variable length. False if out is full. */
static bool put_delta(uint32_t delta, uint32_t bias, char *out, size_t size_bytes, size_t *len_bytes)
{
    for (uint32_t k = BASE;; k += BASE) {
        uint32_t t = threshold(k, bias);
        bool is_last = delta < t;
        if (*len_bytes == size_bytes)
            return false;
        out[(*len_bytes)++] = digit(is_last ? delta : t + (delta - t) % (BASE - t));
        if (is_last)
            return true;
        delta = (delta - t) / (BASE - t);
    }
}

static uint32_t least_from(const uint32_t *codes, size_t count, uint32_t n)
{
    uint32_t least = UINT32_MAX;

    for (size_t i = 0; i < count; i++)
        if (codes[i] >= n && codes[i] < least)
            least = codes[i];
    return least;
}

/* Writes the ASCII characters, and a hyphen behind them. False if out is full. */
static bool put_basic(const uint32_t *codes, size_t count, char *out, size_t size_bytes, size_t *len_bytes)
{
    *len_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (codes[i] >= INITIAL_N)
            continue;
        if (*len_bytes + 1 >= size_bytes)
            return false;
        out[(*len_bytes)++] = (char)codes[i];
    }
    if (*len_bytes)
        out[(*len_bytes)++] = '-';
    return true;
}

bool cw__punycode_encode(const uint32_t *codes, size_t count, char *out, size_t size_bytes, size_t *len_bytes)
{
    uint32_t n = INITIAL_N, delta = 0, bias = INITIAL_BIAS, handled, basic;

    if (count > CW__PUNYCODE_AT_MOST || !put_basic(codes, count, out, size_bytes, len_bytes))
        return false;
    basic = *len_bytes ? (uint32_t)*len_bytes - 1 : 0;
    for (handled = basic; handled < count; delta++, n++) {
        uint32_t next = least_from(codes, count, n);
        delta += (next - n) * (handled + 1); /* below 2^32: at most 256 code points of at most 21 bits */
        n = next;
        for (size_t i = 0; i < count; i++) {
            delta += codes[i] < n;
            if (codes[i] != n)
                continue;
            if (!put_delta(delta, bias, out, size_bytes, len_bytes))
                return false;
            bias = adapt(delta, handled + 1, handled == basic);
            delta = 0;
            handled++;
        }
    }
    return true;
}

/* Reads a number of variable length and adds it to *i. False if it is malformed or too large. */
static bool take_delta(const char **at, const char *end, uint32_t bias, uint32_t *i)
{
    uint32_t weight = 1;

    for (uint32_t k = BASE;; k += BASE) {
        uint32_t t = threshold(k, bias), value;
        if (*at == end || (value = value_of(*(*at)++)) >= BASE || value > (UINT32_MAX - *i) / weight)
            return false;
        *i += value * weight;
        if (value < t || weight > UINT32_MAX / (BASE - t)) /* the number ends here, or it is too large */
            return value < t;
        weight *= BASE - t;
    }
}

bool cw__punycode_decode(const char *text, size_t len_bytes, uint32_t *codes, size_t room, size_t *count)
{
    const char *end = text + len_bytes, *at = text;
    uint32_t n = INITIAL_N, bias = INITIAL_BIAS;
    size_t basic = len_bytes;

    while (basic > 0 && text[basic - 1] != '-')
        basic--;
    *count = 0;
    for (; basic > 1 && at < text + basic - 1; at++) {
        if (*count == room)
            return false;
        codes[(*count)++] = (unsigned char)*at;
    }
    at = text + basic;
    for (uint32_t i = 0; at < end; i++) {
        uint32_t before = i, longer = (uint32_t)*count + 1;
        if (*count == room || !take_delta(&at, end, bias, &i))
            return false;
        bias = adapt(i - before, longer, before == 0);
        if (i / longer > 0x10ffff - n)
            return false;
        n += i / longer;
        i %= longer;
        memmove(codes + i + 1, codes + i, (*count - i) * sizeof *codes);
        codes[i] = n;
        (*count)++;
    }
    return true;
}

/* SPDX-License-Identifier: MIT */
/* SHA-1 (RFC 3174) and base64 (RFC 4648), for Sec-WebSocket-Key and Sec-WebSocket-Accept (RFC 6455 section 4), and for
 * the fingerprints and the PEM of certificates. They protect no secret and need not be fast. */
#include "base.h"

enum { ROUNDS = 80 };

static uint32_t rotate_left(uint32_t word, unsigned bits) { return word << bits | word >> (32 - bits); }

static void add_block(uint32_t *hash, uint32_t w[CW__DIGEST_WORDS])
{
    uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];

    for (size_t i = 16; i < ROUNDS; i++)
        w[i] = rotate_left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint32_t mixed, next;

        if (i < 20)
            mixed = ((b & c) | (~b & d)) + 0x5a827999u;
        else if (i < 40)
            mixed = (b ^ c ^ d) + 0x6ed9eba1u;
        else if (i < 60)
            mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu;
        else
            mixed = (b ^ c ^ d) + 0xca62c1d6u;
        next = rotate_left(a, 5) + mixed + e + w[i];
        e = d;
        d = c;
        c = rotate_left(b, 30);
        b = a;
        a = next;
    }
    hash[0] += a;
    hash[1] += b;
    hash[2] += c;
    hash[3] += d;
    hash[4] += e;
}

void cw__sha1(const void *data, size_t len_bytes, uint8_t digest[20])
{
    uint32_t hash[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u};

    cw__digest(data, len_bytes, add_block, hash, digest, 20);
}

void cw__base64(const uint8_t *data, size_t len_bytes, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len_bytes; i += 3) {
        size_t left = len_bytes - i;
        uint32_t group = (uint32_t)data[i] << 16;

        if (left > 1)
            group |= (uint32_t)data[i + 1] << 8;
        if (left > 2)
            group |= data[i + 2];
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *out++ = left > 2 ? digits[group & 63] : '=';
    }
    *out = '\0';
}

/* SPDX-License-Identifier: MIT */
/* Digest: what SHA-1 and SHA-256 share. Both pad the data to blocks of 64 bytes, read a block as words, and write
 * their hash as a digest, all with the highest byte first (FIPS 180-4 sections 5.1.1 and 5.2.1). */
#include "base.h"

#include <string.h>

enum { BLOCK_BYTES = 64, BLOCK_WORDS = 16, LENGTH_BYTES = 8 };

static void add(cw__add_block *add_block, uint32_t *hash, const uint8_t block[BLOCK_BYTES])
{
    uint32_t words[CW__DIGEST_WORDS];

    for (size_t i = 0; i < BLOCK_WORDS; i++)
        words[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                   (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    add_block(hash, words);
}

void cw__digest(const void *data, size_t len_bytes, cw__add_block *add_block, uint32_t *hash, uint8_t *digest,
                size_t digest_bytes)
{
    const uint8_t *at = data;
    size_t left = len_bytes;
    uint64_t len_bits = (uint64_t)len_bytes * 8;
    uint8_t last[BLOCK_BYTES] = {0};

    for (; left >= BLOCK_BYTES; left -= BLOCK_BYTES, at += BLOCK_BYTES)
        add(add_block, hash, at);
    if (left)
        memcpy(last, at, left);
    last[left] = 0x80;
    if (left >= BLOCK_BYTES - LENGTH_BYTES) {
        add(add_block, hash, last);
        memset(last, 0, sizeof last);
    }
    for (size_t i = 0; i < LENGTH_BYTES; i++)
        last[BLOCK_BYTES - 1 - i] = (uint8_t)(len_bits >> 8 * i);
    add(add_block, hash, last);
    for (size_t i = 0; i < digest_bytes; i++)
        digest[i] = (uint8_t)(hash[i / 4] >> (24 - 8 * (i % 4)));
}

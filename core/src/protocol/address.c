/* SPDX-License-Identifier: MIT */
/* Address: reads an IP address, and tells how public it is (RFC 6890 and IANA's registries of special addresses). guard.c calls
 * it for each address that a redirect leads to, login.c for a password, reach.c and proxy_uri.c for the values of controls. Pure:
 * bytes in. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h> /* AF_INET, which FreeBSD has here only */

#include "protocol.h"

/* A block of addresses: those whose first bits equal the prefix. */
typedef struct block {
    uint8_t prefix[8];
    uint8_t bits;
    uint8_t space; /* cw__address_space */
} block;

/* The blocks that are not public. 0.0.0.0 counts as this machine, because connecting to it reaches this machine. */
static const block blocks_4[] = {
    {{0}, 8, CW__SPACE_LOCAL},
    {{127}, 8, CW__SPACE_LOCAL},
    {{10}, 8, CW__SPACE_PRIVATE},
    {{100, 64}, 10, CW__SPACE_PRIVATE},
    {{169, 254}, 16, CW__SPACE_PRIVATE}, /* also where clouds answer with the machine's secrets */
    {{172, 16}, 12, CW__SPACE_PRIVATE},
    {{192, 0, 0}, 24, CW__SPACE_PRIVATE},
    {{192, 0, 2}, 24, CW__SPACE_PRIVATE},
    {{192, 88, 99}, 24, CW__SPACE_PRIVATE},
    {{192, 168}, 16, CW__SPACE_PRIVATE},
    {{198, 18}, 15, CW__SPACE_PRIVATE},
    {{198, 51, 100}, 24, CW__SPACE_PRIVATE},
    {{203, 0, 113}, 24, CW__SPACE_PRIVATE},
    {{224}, 3, CW__SPACE_PRIVATE}, /* multicast, reserved and broadcast */
};

/* Only 2000::/3 is public, without these blocks. */
static const block blocks_6[] = {
    {{0x20, 0x01, 0x00}, 23, CW__SPACE_PRIVATE},
    {{0x20, 0x01, 0x0d, 0xb8}, 32, CW__SPACE_PRIVATE},
    {{0x3f, 0xff, 0x00}, 20, CW__SPACE_PRIVATE},
};

static bool is_in(const uint8_t *address, const block *b)
{
    unsigned rest = b->bits % 8u;

    return memcmp(address, b->prefix, b->bits / 8u) == 0 &&
           (rest == 0 || ((address[b->bits / 8u] ^ b->prefix[b->bits / 8u]) >> (8u - rest)) == 0);
}

static cw__address_space space_of(const uint8_t *address, const block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_in(address, &blocks[i]))
            return (cw__address_space)blocks[i].space;
    return CW__SPACE_PUBLIC;
}

static cw__address_space space_of_4(const uint8_t *address)
{
    return space_of(address, blocks_4, sizeof blocks_4 / sizeof *blocks_4);
}

/* Judges an IPv6 address that leads to an IPv4 address by that one. */
static cw__address_space space_of_6(const uint8_t *address)
{
    static const uint8_t zeros[15] = {0}, mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
                         translated[] = {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0};

    if (memcmp(address, zeros, sizeof zeros) == 0 && address[15] <= 1) /* :: and ::1 */
        return CW__SPACE_LOCAL;
    if (memcmp(address, mapped, sizeof mapped) == 0 || memcmp(address, translated, sizeof translated) == 0)
        return space_of_4(address + 12);
    if (address[0] == 0x20 && address[1] == 0x02) /* 6to4 */
        return space_of_4(address + 2);
    if (address[0] >> 5 != 1)
        return CW__SPACE_PRIVATE;
    return space_of(address, blocks_6, sizeof blocks_6 / sizeof *blocks_6);
}

size_t cw__address_read(const char *text, size_t len_bytes, uint8_t bytes[16])
{
    char copy[INET6_ADDRSTRLEN];

    if (len_bytes == 0 || len_bytes >= sizeof copy || memchr(text, '\0', len_bytes))
        return 0;
    memcpy(copy, text, len_bytes);
    copy[len_bytes] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, copy, bytes) == 1 ? 16 : 0;
}

cw__address_space cw__address_space_of(const uint8_t *address, size_t len_bytes)
{
    return len_bytes == 4 ? space_of_4(address) : space_of_6(address);
}

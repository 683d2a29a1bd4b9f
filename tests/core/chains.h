/* SPDX-License-Identifier: MIT */
/* Makes certificates and Certificate messages for tests. A certificate has only what certificate.c reads. */
#ifndef CHAINS_H
#define CHAINS_H

#include "harness.h"
#include "protocol/protocol.h"

enum { CHAIN_BYTES = 8192, CERTIFICATE_BYTES = 96 };

typedef struct made_chain {
    uint8_t message[CHAIN_BYTES];
    size_t bytes;
} made_chain;

static inline size_t put_name(uint8_t *to, const char *name)
{
    size_t len = strlen(name);

    to[0] = 0x30;
    to[1] = (uint8_t)len;
    memcpy(to + 2, name, len);
    return len + 2;
}

/* Writes a certificate for a subject, signed by an issuer. Returns its length. */
static inline size_t put_certificate(uint8_t *to, const char *subject, const char *issuer)
{
    static const uint8_t head[] = {0x30, 0, 0x30, 0, 2, 1, 1, 0x30, 0}, times[] = {0x30, 4, 0x17, 0, 0x17, 0};
    uint8_t *at = to + sizeof head;

    CHECK(strlen(subject) + strlen(issuer) + 32 < CERTIFICATE_BYTES);
    memcpy(to, head, sizeof head);
    at += put_name(at, issuer);
    memcpy(at, times, sizeof times);
    at += sizeof times;
    at += put_name(at, subject);
    *at++ = 0x30; /* the key */
    *at++ = 0;
    to[1] = (uint8_t)(at - to - 2);
    to[3] = (uint8_t)(at - to - 4);
    return (size_t)(at - to);
}

static inline void put_length(uint8_t *to, size_t len)
{
    to[0] = (uint8_t)(len >> 16);
    to[1] = (uint8_t)(len >> 8);
    to[2] = (uint8_t)len;
}

/* Begins a message without certificates. */
static inline void chain_begin(made_chain *c) { *c = (made_chain){.message = {11, 0, 0, 3}, .bytes = 7}; }

/* Adds a certificate. */
static inline void chain_add(made_chain *c, const char *subject, const char *issuer)
{
    size_t len = put_certificate(c->message + c->bytes + 3, subject, issuer);

    put_length(c->message + c->bytes, len);
    c->bytes += len + 3;
    CHECK(c->bytes + CERTIFICATE_BYTES < CHAIN_BYTES);
    put_length(c->message + 1, c->bytes - 4);
    put_length(c->message + 4, c->bytes - 7);
}

#endif

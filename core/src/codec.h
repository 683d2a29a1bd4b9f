/* SPDX-License-Identifier: MIT */
/* The seam between messages and bytes: frames in, frames out over one libcurl connection. Two makers fill the
 * table: codec_curl.c (libcurl's own framing) and, one day, codec_native.c.
 *
 * Safety: a codec is called under its socket's lock. */
#ifndef CW_CODEC_H
#define CW_CODEC_H

#include "internal.h"

CW__PRIVATE_BEGIN

typedef enum cw__io {
    CW__IO_OK,
    CW__IO_AGAIN,    /* wait until the descriptor is readable (receive) or writable (send) */
    CW__IO_END,      /* the peer has ended TCP */
    CW__IO_FAULT,    /* the connection is lost; codec->fault says how */
    CW__IO_VIOLATION /* the peer broke a rule of framing; codec->violation says which. Receive no more */
} cw__io;

typedef struct cw__codec cw__codec;

typedef struct cw__codec_calls {
    const char *name;
    /* Reads the next run of payload bytes of one frame into buffer; piece->data is set to it. */
    cw__io (*receive)(cw__codec *c, uint8_t *buffer, size_t size_bytes, cw__piece *piece);
    /* Reads and throws away whatever comes, whole frames or not. OK: that was much, and there may be more. */
    cw__io (*discard)(cw__codec *c);
    /* Sends a frame. On AGAIN the frame has begun and must be gone on with: call again with the rest
     * (data + *sent, len - *sent) before any other frame. *sent counts payload bytes, also on AGAIN. */
    cw__io (*send)(cw__codec *c, uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes,
                   size_t *sent);
    void (*destroy)(cw__codec *c); /* the connection is not the codec's: it stays */
} cw__codec_calls;

struct cw__codec {
    const cw__codec_calls *calls;
    cw__error *fault; /* the socket's, filled on FAULT */
    cw__violation violation;
    /* Of the latest send that said AGAIN: the descriptor is writable all the same. TLS wants to read first, which it
     * does in a renegotiation, for as long as the peer likes. */
    bool wants_read;
};

/* ---- From codec_curl.c --------------------------------------------------------------------------------- */

/* easy is a CURL handle whose handshake went well. NULL without memory. */
cw__codec *cw__codec_curl_create(void *easy, cw__error *fault);

CW__PRIVATE_END

#endif

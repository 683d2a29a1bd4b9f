/* SPDX-License-Identifier: MIT */
/* The seam between messages and bytes: frames in, frames out over one libcurl connection. Two makers fill the
 * table: codec_curl.c (libcurl's own framing) and codec_native.c (ours).
 *
 * Safety: a codec and its link are called under their socket's lock. Owns: a codec is its creator's until destroy, which
 * leaves the link; buffers and data are the caller's. */
#ifndef CW_CODEC_H
#define CW_CODEC_H

#include "../protocol/protocol.h"

CW__PRIVATE_BEGIN

typedef enum cw__io {
    CW__IO_OK,
    CW__IO_AGAIN,     /* wait until the descriptor is readable (receive) or writable (send) */
    CW__IO_END,       /* the peer has ended TCP */
    CW__IO_FAULT,     /* the connection is lost; the socket's fault says how */
    CW__IO_VIOLATION, /* the peer broke a rule of framing; codec->violation says which. Receive no more */
    CW__IO_BUSY /* receive only, where cw__link_never_waits is on: another thread is inside libcurl. Try again */
} cw__io;

enum { CW__RSV1 = 0x40 };

typedef struct cw__codec cw__codec;
typedef struct cw__link cw__link; /* transport.h */

typedef struct cw__codec_calls {
    const char *name;
    /* Reads the next run of payload bytes of one frame, at most size_bytes, into buffer or to a place of the
     * codec's own, where they stay until the next call; piece->data is set to them. */
    cw__io (*receive)(cw__codec *c, uint8_t *buffer, size_t size_bytes, cw__piece *piece);
    /* Reads and throws away whatever comes, whole frames or not. OK: that was much, and there may be more. */
    cw__io (*discard)(cw__codec *c);
    /* Sends a frame; CW__RSV1 may be in the opcode, where it is in the frame (native only). On AGAIN the frame has
     * begun and must be gone on with: call again with the rest (data + *sent, len - *sent, which may be nothing)
     * before any other frame. *sent counts payload bytes, also on AGAIN; the codec may hold some of them back, within
     * a bound. While more_follow is set it may also hold whole frames back, which is OK: sending is then
     * CW__FRAMES_HELD. A call without more_follow, or flush, writes them. */
    cw__io (*send)(cw__codec *c, uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes,
                   size_t *sent);
    /* After a receive that said AGAIN: the descriptor need not be readable before so many more bytes have come, which
     * they will whatever follows; 1 = any. NULL for a codec that cannot have it so. */
    void (*await)(cw__codec *c, uint64_t least_bytes);
    /* Writes the frames that are held back. AGAIN: call again. NULL for a codec that holds none back. */
    cw__io (*flush)(cw__codec *c);
    void (*destroy)(cw__codec *c); /* the link is not the codec's: it stays */
} cw__codec_calls;

/* Where sending is; in codec "curl" libcurl alone knows, and it is always the first. */
typedef enum cw__codec_sending {
    CW__FRAME_NEXT, /* the next send begins a frame */
    CW__FRAMES_HELD, /* so it does, and whole frames before it are held back: nobody writes them without being asked to */
    CW__FRAME_BEGUN /* a frame has begun, and must be gone on with */
} cw__codec_sending;

struct cw__codec {
    const cw__codec_calls *calls;
    cw__link *link;
    cw__violation violation;
    cw__codec_sending sending;
    size_t most_bytes; /* of payload in one send, then AGAIN although there may be room; set before; 0 = all */
    bool more_follow;  /* set before a send: a caller that gets OK must send again or flush */
    size_t held_bytes; /* of messages that were held back and are not known to be written */
    bool wants_read;   /* the latest send said AGAIN although the descriptor is writable (transport.h) */
};

/* ---- From link.c (the rest is in transport.h) --------------------------------------------------------------- */

/* Bytes that were written and that the peer's system has not acknowledged; 0 where this system cannot tell. */
int cw__link_unacknowledged(const cw__link *link);
/* How many of those a write of so few bytes makes, at the most. */
size_t cw__link_wire_bytes(const cw__link *link, size_t len_bytes);
/* While it is on, no call waits for another thread that is inside the link's pool, perhaps for the 20 ms of a TLS
 * handshake: a receive says BUSY, a send AGAIN. Returns what it was. */
bool cw__link_never_waits(cw__link *link, bool is_on);

/* ---- From codec_curl.c --------------------------------------------------------------------------------- */

/* The caller's until calls->destroy; NULL without memory. */
cw__codec *cw__codec_curl_create(cw__link *link);

/* ---- From codec_native.c ------------------------------------------------------------------------------- */

/* The same. */
cw__codec *cw__codec_native_create(cw__link *link);
/* Whether the loaded libcurl lets it receive; where not, libcurl's decoder does that for it. No lock. */
bool cw__codec_native_receives(void);

CW__PRIVATE_END

#endif

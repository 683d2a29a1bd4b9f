/* SPDX-License-Identifier: MIT */
/* Codec: reads and writes frames over one libcurl connection. The table cw__codec_calls has two implementations:
 * codec_curl.c (libcurl's framing) and codec_native.c (ours).
 *
 * Safety: a codec and its link are used under the lock of their socket.
 *
 * Owns: the creator owns a codec until destroy, which leaves the link. Buffers and data are the caller's. */
#ifndef CW_CODEC_H
#define CW_CODEC_H

#include "../protocol/protocol.h"

CW__PRIVATE_BEGIN

typedef enum cw__io {
    CW__IO_OK,
    CW__IO_AGAIN,     /* wait until the descriptor is readable (receive) or writable (send) */
    CW__IO_END,       /* the peer has ended TCP */
    CW__IO_FAULT,     /* the connection is lost; the fault of the socket says why */
    CW__IO_VIOLATION, /* the peer broke a rule of framing; codec->violation says which. Do not receive again */
    CW__IO_BUSY       /* receive only, with never_waits: another thread is inside libcurl. Try again */
} cw__io;

enum { CW__RSV1 = 0x40 };

typedef struct cw__codec cw__codec;
typedef struct cw__link cw__link; /* transport.h */

typedef struct cw__codec_calls {
    const char *name;
    /* Reads the next payload bytes of one frame, at most size_bytes. piece->data points to them: in buffer, or in
     * memory of the codec that stays valid until the next call. */
    cw__io (*receive)(cw__codec *c, uint8_t *buffer, size_t size_bytes, cw__piece *piece);
    /* Reads and drops bytes, whole frames or not.
     * Returns OK if it dropped a full share, so that more bytes may wait; else what ended the reading. */
    cw__io (*discard)(cw__codec *c);
    /* Sends a frame. CW__RSV1 in the opcode sets that bit of the frame (native only).
     * If it returns AGAIN, the frame has begun and must be finished before any other frame. Call again with the rest
     * (data + *sent, len - *sent, which may be 0). *sent counts payload bytes even then. The codec may hold some of
     * them back: at most 32 KiB over TLS or a proxy (native), or 64 KiB (libcurl).
     * If more_follow is set, the codec may hold whole frames back and return OK; sending is then CW__FRAMES_HELD. A call
     * without more_follow, or flush, writes them. */
    cw__io (*send)(cw__codec *c, uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes,
                   size_t *sent);
    /* Allows the kernel to report the descriptor readable only when least_bytes more have arrived; 1 = any number. For
     * use after a receive that returned AGAIN, if the peer has announced that many bytes. NULL if the codec cannot do
     * that. */
    void (*await)(cw__codec *c, uint64_t least_bytes);
    /* Writes the frames that are held back. If it returns AGAIN, call it again. NULL if the codec never holds frames
     * back. */
    cw__io (*flush)(cw__codec *c);
    /* Returns whether the codec may hold received bytes, which the descriptor does not show. NULL if it cannot tell: it may. */
    bool (*holds)(const cw__codec *c);
    /* Returns the bytes of frames that the codec holds because the connection has not accepted them, or for a flush. NULL
     * if the codec cannot tell. */
    size_t (*unwritten)(const cw__codec *c);
    /* Returns the number of whole messages in frames that were held back, and that the connection has not accepted to their
     * last byte. A frame that has only begun does not count. NULL if the codec never holds frames back. */
    size_t (*held_messages)(const cw__codec *c);
    void (*destroy)(cw__codec *c); /* frees the codec, not the link */
} cw__codec_calls;

/* How far sending is. Codec "curl" always says CW__FRAME_NEXT, since only libcurl knows. */
typedef enum cw__codec_sending {
    CW__FRAME_NEXT,  /* the next send begins a frame */
    CW__FRAMES_HELD, /* the next send begins a frame, and whole frames before it are held back until a flush */
    CW__FRAME_BEGUN  /* a frame has begun and must be finished */
} cw__codec_sending;

struct cw__codec {
    const cw__codec_calls *calls;
    cw__link *link;
    /* The link's. While it is true, no call waits for a thread that is inside the link's pool, which may take the 20 ms
     * of a TLS handshake. Instead a receive returns BUSY and a send AGAIN. */
    bool *never_waits;
    cw__violation violation;
    cw__codec_sending sending;
    /* set before a send: limit for its payload, after which it returns AGAIN; 0 = no limit */
    size_t most_bytes;
    bool more_follow;  /* set before a send: after OK the caller must send again or flush */
    size_t held_bytes; /* bytes of messages that were held back and may not be written yet */
    /* TLS must read before it can send: the latest send returned AGAIN on a writable descriptor */
    bool wants_read;
    /* The latest read took all bytes that the kernel had, so the next receive may return AGAIN without asking the kernel.
     * Clear it before a receive that must get the bytes that have arrived since. */
    bool is_dry;
};

/* ---- From handshake.c (the rest is in transport.h) ---------------------------------------------------------- */

/* Where something comes from that a tracer gets. The values are libcurl's. */
typedef enum cw__traced { CW__TRACED_WORDS = 0, CW__TRACED_RECEIVED = 1, CW__TRACED_SENT = 2 } cw__traced;

/* Takes libcurl's words, and the bytes of replies and requests, while libcurl connects. Nothing in them is masked. */
typedef struct cw__tracer {
    void (*say)(void *user, cw__traced from, const char *text, size_t len_bytes); /* NULL = there is no trace */
    void *user;
} cw__tracer;

/* ---- From link.c (the rest is in transport.h) --------------------------------------------------------------- */

/* Returns the number of written bytes that the peer's system has not acknowledged; 0 if this system cannot tell. */
int cw__link_unacknowledged(const cw__link *l);
/* Fills in the speed of the connection; zeros if this system cannot tell. */
void cw__link_bandwidth(const cw__link *l, cw_bandwidth_statistics *out);
/* Returns the time since the kernel last got data from the peer, whether it was read or not; 0 if this system cannot tell. */
int64_t cw__link_silent_ms(const cw__link *l);
/* Return the bytes of frames, with their headers, that were passed on and read so far; before TLS. */
uint64_t cw__link_sent_bytes(const cw__link *l);
uint64_t cw__link_received_bytes(const cw__link *l);
/* Returns the most bytes on the wire for a small write of len_bytes. */
size_t cw__link_wire_bytes(const cw__link *l, size_t len_bytes);

/* ---- From codec_curl.c --------------------------------------------------------------------------------- */

/* Makes the codec, which the caller owns until calls->destroy. Returns NULL if there is no memory. */
cw__codec *cw__codec_curl_create(cw__link *link);

/* ---- From codec_native.c ------------------------------------------------------------------------------- */

/* Makes the codec, which the caller owns until calls->destroy. Returns NULL if there is no memory. The codec decides here
 * whether it receives or leaves that to libcurl's decoder, so has_leftover of the link must be set before. */
cw__codec *cw__codec_native_create(cw__link *link);
/* Returns true if this codec can receive on every connection with the loaded libcurl. With an older libcurl it receives
 * only on a link that is read bare from the start. Needs no lock. */
bool cw__codec_native_receives(void);

/* ---- What is known of a connect --------------------------------------------------------------------------- */

extern const cw_timings cw__no_timings; /* all are CW_TIMING_NONE; from timings.c */

enum { CW__TLS_CIPHER_BYTES = 48 };

/* The TLS connection to the server. The texts are empty until libcurl has reported them. */
typedef struct cw__tls_facts {
    char version[12], cipher[CW__TLS_CIPHER_BYTES],
        alpn[12]; /* "TLSv1.3", "TLS_AES_256_GCM_SHA384", "http/1.1" */
    bool is_resumed;
} cw__tls_facts;
/* ---- From reach.c (the rest is in transport.h) ---------------------------------------------------------------- */

/* Checks an item of a control that is a list of texts or pairs. key is the name of the control.
 * Returns CW_OK or CW_INVALID_ARGUMENT. Needs no lock. */
cw_status cw__reach_check_item(cw_option option, const char *key, const char *item, size_t len_bytes);
/* ---- From cookie_jar.c (the rest is in transport.h) ----------------------------------------------------------- */

/* Makes a jar as cw_cookie_jar_create does.
 *   path         NULL = in memory only
 *   only_read    another file, whose cookies those of path replace, because they are newer; NULL = none
 *   is_control   an error is about the controls cookie_jar and cookie_file of a connect
 * Returns CW_OK, or fails with the calling thread's error. Owns: the caller releases *out. */
cw_status cw__cookie_jar_make(const char *path, const char *only_read, bool is_control, cw_cookie_jar **out);
/* Returns CW_OK, or fails because the jar belongs to the parent process. */
cw_status cw__cookie_jar_check(const cw_cookie_jar *j);

CW__PRIVATE_END

#endif

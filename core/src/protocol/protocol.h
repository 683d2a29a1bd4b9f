/* SPDX-License-Identifier: MIT */
/* RFC 6455 and 7692 on bytes: frames, messages, closing, compression, the reply to the handshake, URIs and headers. Pure:
 * no I/O, no locks, no libcurl; "now" is an argument. Needs base.
 *
 * Safety: no function takes a lock. An object is used by one thread at a time, which its owner sees to (a socket by its
 * lock). Owns: what create, init or read makes is the caller's until destroy. Bytes that are passed stay the caller's and
 * are done with at return; what points into an object stays until its next call. Both unless it says otherwise. */
#ifndef CW_PROTOCOL_H
#define CW_PROTOCOL_H

#include "../base/base.h"

CW__PRIVATE_BEGIN

/* ---- From utf8.c: incremental validation (RFC 3629; RFC 6455 section 8.1) ----------------------------- */

typedef struct cw__utf8 {
    uint32_t state; /* 0 = between characters */
} cw__utf8;

/* Goes on with the next bytes. False at the first byte that no continuation could mend. */
bool cw__utf8_feed(cw__utf8 *u, const void *data, size_t len_bytes);
/* True between characters, where a text may end. */
bool cw__utf8_complete(const cw__utf8 *u);
bool cw__utf8_valid(const void *data, size_t len_bytes);

/* ---- From frame.c: header and masking on byte arrays (RFC 6455 sections 5.2, 5.3) --------------------- */

enum {
    CW__OP_CONTINUATION = 0x0,
    CW__OP_TEXT = 0x1,
    CW__OP_BINARY = 0x2,
    CW__OP_CLOSE = 0x8,
    CW__OP_PING = 0x9,
    CW__OP_PONG = 0xa,
    CW__HEADER_MAX_BYTES = 14,
    CW__CONTROL_MAX_BYTES = 125
};

typedef struct cw__frame {
    uint64_t payload_bytes;
    uint8_t opcode; /* 4 bits */
    uint8_t rsv;    /* 3 bits: RSV1 = 4, RSV2 = 2, RSV3 = 1 */
    bool is_final;
    bool is_masked;
    uint8_t mask[4];
} cw__frame;

/* Writes a frame header in its shortest form; returns its length. The mask is written if is_masked. */
size_t cw__frame_encode(const cw__frame *frame, uint8_t out[CW__HEADER_MAX_BYTES]);

typedef enum cw__decode {
    CW__DECODE_MORE, /* all bytes were taken, the header is not complete */
    CW__DECODE_DONE, /* the header is complete; *used says how many bytes it took of this call's */
    CW__DECODE_BAD   /* section 5.2 forbids it: non-minimal length, or 2^63 and more */
} cw__decode;

typedef struct cw__frame_decoder {
    uint8_t bytes[CW__HEADER_MAX_BYTES];
    uint8_t have_bytes;
} cw__frame_decoder;

/* Goes on with a header, after any byte. Zero the decoder first; DONE leaves it ready for the next header. */
cw__decode cw__frame_decode(cw__frame_decoder *d, const uint8_t *data, size_t len_bytes, size_t *used,
                            cw__frame *frame);
/* XORs the mask over a run of payload that begins at offset in its frame. dst may be src. */
void cw__frame_mask(uint8_t *dst, const uint8_t *src, size_t len_bytes, const uint8_t mask[4], uint64_t offset);

/* ---- From close.c: codes, payloads, the closing machine (sections 5.5.1, 7.1, 7.4) --------------------- */

/* Why a connection has to be failed: the close code to send (0 = nothing is wrong), and a text for people. */
typedef struct cw__violation {
    int code;
    const char *text;
} cw__violation;

typedef struct cw__close_payload {
    int code; /* 1005 where the frame was empty */
    uint8_t reason_bytes;
    char reason[CW__CONTROL_MAX_BYTES - 1]; /* 123 bytes at most, and a NUL */
} cw__close_payload;

/* Whether an endpoint may put the code in a close frame: 1000-1003, 1007-1014, 3000-4999. */
bool cw__close_code_valid(int code);
/* Reads the payload of a whole close frame. A violation: one byte, a bad code (1002), a bad reason (1007). */
cw__violation cw__close_decode(const uint8_t *payload, size_t len_bytes, cw__close_payload *out);
/* Writes a close frame's payload; returns its length, 0 for code 1005. */
size_t cw__close_encode(int code, const char *reason, size_t reason_bytes, uint8_t out[CW__CONTROL_MAX_BYTES]);

typedef enum cw__close_state {
    CW__CLOSE_NONE,     /* open both ways */
    CW__CLOSE_SENT,     /* our close frame went first; waiting for the peer's */
    CW__CLOSE_RECEIVED, /* the peer's came first; ours is to be sent */
    CW__CLOSE_BOTH,     /* both exchanged; waiting for the server to end TCP (section 7.1.1) */
    CW__CLOSE_FAILED, /* the peer broke the protocol: our close frame went; nothing more is read for meaning */
    CW__CLOSE_ENDED   /* TCP is gone */
} cw__close_state;

typedef struct cw__close {
    cw__close_state state;
    bool was_clean;           /* both frames were exchanged */
    int64_t deadline_ms;      /* when to end TCP ourselves; INT64_MAX = no deadline yet */
    cw__close_payload result; /* how it ended: the peer's, or 1006 and why */
} cw__close;

void cw__close_init(cw__close *c);
/* We begin (CW__CLOSE_NONE only; elsewhere false and nothing changes). The caller then sends the frame. With timeout_ms
 * INT64_MAX there is no deadline yet. */
bool cw__close_begin(cw__close *c, int64_t now_ms, int64_t timeout_ms);
/* The peer's close frame came. True: a close frame with c->result.code has to be sent in answer (1005: an
 * empty one). In CW__CLOSE_FAILED it changes nothing. */
bool cw__close_received(cw__close *c, const cw__close_payload *payload, int64_t now_ms, int64_t timeout_ms);
/* The answer went out. */
void cw__close_answered(cw__close *c);
/* The peer broke a rule. True: a close frame with violation->code has to be sent. result becomes 1006. */
bool cw__close_failed(cw__close *c, const cw__violation *violation, int64_t now_ms, int64_t timeout_ms);
/* TCP has ended, by the peer, by us, or by a fault; why goes to result unless a close frame came first. */
void cw__close_ended(cw__close *c, const char *why);
/* Sets the deadline, unless an earlier one stands. */
void cw__close_bound(cw__close *c, int64_t now_ms, int64_t timeout_ms);
bool cw__close_expired(const cw__close *c, int64_t now_ms);

/* ---- From message.c: pieces of frames into messages and control frames (sections 5.4, 5.5, 8.1) -------- */

/* A run of payload bytes of one frame, as a codec reads them. An empty frame is one piece of no bytes. */
typedef struct cw__piece {
    const uint8_t *data;
    size_t len_bytes;
    uint64_t offset;    /* of data[0] in the frame's payload */
    uint64_t remaining; /* bytes of the frame that come after this piece */
    uint8_t opcode;     /* as on the wire: 0 in a continuation */
    uint8_t rsv;
    bool is_final;
} cw__piece;

typedef enum cw__message_result {
    CW__MESSAGE_NONE,      /* taken; nothing is complete yet */
    CW__MESSAGE_WHOLE,     /* out->event: a complete message, now the caller's */
    CW__MESSAGE_PART,      /* out->data: borrowed from the piece; kind, is_complete (the message's end) */
    CW__MESSAGE_PING,      /* out->data: the payload, until the next call */
    CW__MESSAGE_PONG,      /* the same */
    CW__MESSAGE_CLOSE,     /* the same */
    CW__MESSAGE_VIOLATION, /* out->violation: fail the connection; feed nothing more */
    CW__MESSAGE_NO_MEMORY  /* feed nothing more */
} cw__message_result;

typedef struct cw__message_output {
    cw_event *event;
    const uint8_t *data;
    size_t len_bytes;
    cw_kind kind;
    bool is_complete;
    cw__violation violation;
} cw__message_output;

typedef struct cw__message {
    cw_event *building;     /* the message in progress, in full mode */
    cw_event *place;        /* lent: the next message is gathered there if its first frame fits; or NULL */
    int64_t max_bytes;      /* -1 = no limit; looked at in full mode only */
    uint64_t refused_bytes; /* the least length of the message that exceeded max_bytes */
    uint64_t frame_left;    /* bytes of the current data frame still to come */
    bool is_partial;        /* parts go out as they come; nothing is kept */
    bool in_message;        /* a data message has begun and its final frame has not ended */
    bool in_control;
    bool is_last_frame; /* the current data frame ends its message */
    uint8_t control_opcode;
    uint8_t kind;
    uint8_t control_bytes;
    uint8_t control[CW__CONTROL_MAX_BYTES];
    cw__utf8 utf8;
} cw__message;

void cw__message_init(cw__message *m, bool is_partial, int64_t max_bytes);
void cw__message_destroy(cw__message *m);
/* Where the next bytes of a large frame should be read to, so that they need no copy: the tail of the message
 * in progress. NULL, and *room_bytes 0: no such place; read into a buffer of your own. In full mode a frame of
 * which more than a buffer's worth is still to come gets room for all of it up to 1 MiB ahead, then doubling,
 * never beyond max_bytes. Without memory it is NULL too. */
uint8_t *cw__message_space(cw__message *m, size_t *room_bytes);
/* Lends a place for the next message. False, with nothing done, if one is under way or another place is lent. */
bool cw__message_lend(cw__message *m, cw_event *place);
/* Takes the place back; what is there of a message that is not complete moves to memory of its own. False without
 * that: feed nothing more. */
bool cw__message_take_back(cw__message *m, cw_event *place);
/* The length of a binary message of one frame of which nothing but the header has come, 0 = there is none. */
uint64_t cw__message_coming(const cw__message *m);
/* Takes one piece. A codec may already have refused what it checks itself; this checks all of section 5 again:
 * RSV bits, reserved opcodes, control frames that are fragmented or over 125 bytes, continuations without a
 * beginning, a new message inside one, UTF-8 at the first bad byte (1007), size as soon as the frame's
 * announced length shows it (1009). */
cw__message_result cw__message_feed(cw__message *m, const cw__piece *piece, cw__message_output *out);
/* Makes an event of a CW__MESSAGE_PART, with room for more bytes: the caller's. NULL without memory. */
cw_event *cw__message_part_event(const cw__message_output *out, size_t room_bytes);

/* ---- From tokens.c: tokens and lists of them in headers --------------------------------------------------- */

/* What may stand around a token or a value. */
static inline bool cw__is_blank(char c) { return c == ' ' || c == '\t'; }
/* Whether a text is a token (RFC 9110 section 5.6.2): a header's name, a subprotocol. */
bool cw__is_token(const char *text, size_t len_bytes);
/* Gives the next item of "a, b" between at and end, without blanks around it, and its length; NULL at the end. */
const char *cw__list_next(const char **at, const char *end, size_t *len_bytes);
bool cw__list_has(const char *at, const char *end, const char *wanted, size_t wanted_bytes, bool any_case);

/* ---- From extension.c: permessage-deflate in the opening handshake (RFC 7692 section 7.1) --------------- */

enum { CW__OFFER_BYTES = 192 };

/* What is offered, and what was agreed. */
typedef struct cw__compression {
    bool is_on;
    uint8_t server_bits, client_bits;  /* of the windows, 8 to 15: of what the server sends, of what we send */
    bool server_resets, client_resets; /* no context takeover: each message is compressed by itself */
} cw__compression;

/* Writes the value of Sec-WebSocket-Extensions. */
void cw__compression_offer(const cw__compression *offer, char out[CW__OFFER_BYTES]);
/* Reads the server's. NULL, and the terms; or what is wrong with it. */
const char *cw__compression_answer(const cw__compression *offer, const char *value, size_t len_bytes,
                                   cw__compression *terms);

/* ---- From deflate.c: permessage-deflate on bytes (RFC 7692 section 7.2) ---------------------------------- */

typedef struct cw__inflater cw__inflater;
typedef struct cw__deflater cw__deflater;

typedef enum cw__inflate_result {
    CW__INFLATE_PIECE,    /* *out is the next piece of a plain message, as if each were a frame */
    CW__INFLATE_DRY,      /* what was taken is used up */
    CW__INFLATE_BAD,      /* it is not what deflate makes: fail the connection; give it nothing more */
    CW__INFLATE_NO_MEMORY /* give it nothing more */
} cw__inflate_result;

/* The caller's until destroy; NULL without memory. */
cw__inflater *cw__inflater_create(const cw__compression *terms);
void cw__inflater_destroy(cw__inflater *i);
/* Takes a piece that belongs to a compressed message; its data stay where they are until they are used up or kept.
 * False: it does not, and goes to cw__message_feed as it is. It has to see every piece, once has_more is false. */
bool cw__inflater_take(cw__inflater *i, const cw__piece *piece);
bool cw__inflater_has_more(const cw__inflater *i);
/* Whether a compressed message has begun and its end has not been inflated. */
bool cw__inflater_in_message(const cw__inflater *i);
/* Gives what the piece that was taken expands to, a buffer at a time, for cw__message_feed. */
cw__inflate_result cw__inflater_give(cw__inflater *i, uint8_t *buffer, size_t size_bytes, cw__piece *out);
/* Copies what is not used up of the piece, the memory of which is about to go. False without memory. */
bool cw__inflater_keep(cw__inflater *i);

/* The same. */
cw__deflater *cw__deflater_create(const cw__compression *terms);
void cw__deflater_destroy(cw__deflater *d);
/* The next part of a message, or all of it; the data stay where they are until give is done. */
void cw__deflater_take(cw__deflater *d, const void *data, size_t len_bytes);
/* Writes the next compressed bytes, size_bytes being 16 at least; is_done: all of the part is out, and the receiver can
 * read it. Returns how many. */
size_t cw__deflater_give(cw__deflater *d, uint8_t *buffer, size_t size_bytes, bool ends_message, bool *is_done);
/* What was given last did not go out: what follows will not refer to it. */
void cw__deflater_forget(cw__deflater *d);

/* ---- From reply.c: the reply to the opening handshake (section 4.1) ------------------------------------- */

enum { CW__KEY_CHARS = 24 }; /* of a Sec-WebSocket-Key: 16 bytes as base64 */

/* Zero it first. */
typedef struct cw__reply {
    char *lines; /* header lines of the latest reply, each "Name: value\r\n"; NUL-ended, or NULL */
    size_t len_bytes, room_bytes;
    size_t head_bytes; /* of all replies: status lines, headers, empty lines */
    bool is_begun;     /* a status line came */
    int http_status;   /* that it names; 0 if it is malformed */
    bool is_cut;       /* it was too long, or there was no memory */
    bool has_no_memory;
    bool is_complete;  /* the empty line came: a reply cut off inside its headers is CURLE_OK with 101 too */
    bool is_malformed; /* the status line, or a header line, which is not kept then */
    bool is_http_1;    /* libcurl finds a status of 200 in some lines that are none */
    bool is_http_1_1;
} cw__reply;

void cw__reply_destroy(cw__reply *r);
/* Forgets the lines of a proxy's reply, since the server's follows; head_bytes stays. */
void cw__reply_forget(cw__reply *r);
/* Takes a status line, a header line without NUL or an empty line. Only header lines of the latest reply are
 * kept: each status line begins anew, so that those of a 100 or 103, or of a proxy, are gone when the final ones
 * come. Folded lines are unfolded. False if it is too much: the connection had better be given up. */
bool cw__reply_line(cw__reply *r, const char *line, size_t len_bytes);
const char *cw__reply_lines(const cw__reply *r);
/* NULL for a 101 that is right, or what is wrong with it.
 *   key        the Sec-WebSocket-Key that it answers
 *   protocols  as offered: "a, b", or empty
 *   protocol   set to the chosen one, in the reply's lines; NULL = none
 * Its extensions are judged by cw__reply_extension_fault. */
const char *cw__reply_fault(const cw__reply *r, const char *key, const char *protocols, const char **protocol,
                            size_t *protocol_bytes);
/* The same of its extensions.
 *   offer       NULL = none was made
 *   terms       set; is_on = false: no compression
 *   extensions  set to the header's value, in the reply's lines; NULL = none */
const char *cw__reply_extension_fault(const cw__reply *r, const cw__compression *offer, cw__compression *terms,
                                      const char **extensions, size_t *extensions_bytes);
/* Fills the error of a server that answered with that status instead of 101. */
void cw__reply_refused(int http_status, cw__error *error);

/* ---- From uri.c: the URI of a connect (RFC 3986, RFC 3987, RFC 6455 section 3) ------------------------- */

/* Limits of ours, below those of libcurl (docs/libcurl.md). */
enum {
    CW__URI_AT_MOST = 128 * 1024, /* bytes, percent-encoded */
    CW__HOST_AT_MOST = 255,
    CW__ZONE_AT_MOST = 15, /* characters of an interface's name */
    CW__URI_FAULT_BYTES = 240
};

/* "user:password@host:port", all of it in the caller's text. */
typedef struct cw__authority {
    const char *userinfo; /* NULL = none */
    const char *host;     /* a name, an IPv4 address, or an IPv6 address without [ ] and zone */
    const char *zone;     /* of the IPv6 address, without the %; NULL = none */
    size_t userinfo_bytes, host_bytes, zone_bytes;
    int port; /* -1 = none */
    bool is_ipv6;
} cw__authority;

/* Reads an authority, which ends before the first of / ? #. Checks the host and the port; not the characters of the
 * userinfo, nor the value of an IPv6 address. False fills fault, which shows no part of the userinfo. */
bool cw__authority_read(const char *text, size_t len_bytes, cw__authority *a, char fault[CW__URI_FAULT_BYTES]);

typedef struct cw__uri {
    bool is_secure; /* wss */
    bool is_ipv6;
    const char *prefix; /* "ws://user:password@", encoded */
    const char *host;   /* as given, without [ ] and zone */
    const char *zone;   /* of an IPv6 address; "" = none */
    const char *suffix; /* ":8080/", or "/" */
    const char *target; /* "/path?query", encoded: visible ASCII */
    char *text;         /* the memory of all of these */
} cw__uri;

typedef enum cw__uri_result { CW__URI_OK, CW__URI_BAD, CW__URI_NO_MEMORY } cw__uri_result;

/* Checks a URI and encodes it. CW__URI_BAD fills fault: what is wrong and what to write. It shows no part of the
 * userinfo or the query but a single character. */
cw__uri_result cw__uri_read(const char *text, size_t len_bytes, cw__uri *uri, char fault[CW__URI_FAULT_BYTES]);
/* For a zeroed one too. */
void cw__uri_destroy(cw__uri *uri);
/* The URI without its path and query, "ws://user:password@host:8080/": the caller's until cw__free. NULL without memory. */
char *cw__uri_base(const cw__uri *uri);
/* Copies a URI that cw__uri_read has taken, without userinfo and query. Returns the length, as snprintf does. */
size_t cw__uri_show(const char *uri, char *buffer, size_t size_bytes);

/* ---- From headers.c: request headers that a caller may give ------------------------------------------ */

/* Limits of ours, all below libcurl's (docs/libcurl.md), which drops a header in silence or fails without a reason. */
enum {
    CW__HEADER_NAME_AT_MOST = 100,
    CW__HEADER_AT_MOST = 256 * 1024,  /* bytes of a value */
    CW__HEADERS_AT_MOST = 512 * 1024, /* bytes of the caller's headers together */
    CW__PROTOCOLS_AT_MOST = 64 * 1024 /* bytes of the list of subprotocols */
};

/* Checks the name and value of a request header. CW_OK or a failure of the calling thread, which names the header and
 * never shows its value. */
cw_status cw__header_check(const char *name, size_t name_bytes, const char *value, size_t value_bytes);
/* NULL if a request may have several headers of that name; or what to do instead. */
const char *cw__header_repeat_fault(const char *name, size_t name_bytes);
/* Whether a list "a, b" consists of tokens, each once (RFC 6455 section 4.1). */
bool cw__header_check_protocols(const char *list);

CW__PRIVATE_END

#endif

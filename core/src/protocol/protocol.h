/* SPDX-License-Identifier: MIT */
/* RFC 6455 and RFC 7692 on bytes: frames, messages, closing, compression, the reply to the handshake, URIs and headers.
 * It is pure: no I/O, no locks, no libcurl; "now" is an argument. It uses base.
 *
 * Thread: no function takes a lock. One thread at a time may use an object; its owner ensures that (a socket by its
 * lock).
 * Owns: the caller owns what create, init or read makes, until destroy. The caller keeps the bytes that it passes;
 * they are not used after the call returns. A pointer into an object is valid until the next call on the object. The
 * comment of a function names exceptions. */
#ifndef CW_PROTOCOL_H
#define CW_PROTOCOL_H

#include "../base/base.h"

CW__PRIVATE_BEGIN

/* ---- From utf8.c: incremental validation (RFC 3629; RFC 6455 section 8.1) ----------------------------- */

typedef struct cw__utf8 {
    uint32_t state; /* 0 = between characters */
} cw__utf8;

/* Validates the next bytes. Returns false as soon as the text can no longer become valid. */
bool cw__utf8_feed(cw__utf8 *u, const void *data, size_t len_bytes);
/* Returns whether the text may end here, because the last character is complete. */
bool cw__utf8_complete(const cw__utf8 *u);
/* Returns whether a whole text is valid. */
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
    CW__CONTROL_MAX_BYTES = 125,
    CW__OPCODE_COUNT = 16, /* all that fit the four bits, reserved ones too */
    CW__OPCODE_BITS = CW__OPCODE_COUNT - 1
};

typedef struct cw__frame {
    uint64_t payload_bytes;
    uint8_t opcode; /* 4 bits */
    uint8_t rsv;    /* 3 bits: RSV1 = 4, RSV2 = 2, RSV3 = 1 */
    bool is_final;
    bool is_masked;
    uint8_t mask[4];
} cw__frame;

/* Writes a frame header in its shortest form, with the mask if is_masked. Returns its length. */
size_t cw__frame_encode(const cw__frame *frame, uint8_t out[CW__HEADER_MAX_BYTES]);

typedef enum cw__decode {
    CW__DECODE_MORE, /* all bytes were used, and the header is not complete */
    CW__DECODE_DONE, /* the header is complete; *used = number of bytes of this call that belong to the header */
    CW__DECODE_BAD   /* section 5.2 forbids the length: it is not minimal, or it is 2^63 or more */
} cw__decode;

typedef struct cw__frame_decoder {
    uint8_t bytes[CW__HEADER_MAX_BYTES];
    uint8_t have_bytes;
} cw__frame_decoder;

/* Decodes the next bytes of a header. The input may be cut at any byte. Zero the decoder before the first header. After
 * DONE it is ready for the next header. */
cw__decode cw__frame_decode(cw__frame_decoder *d, const uint8_t *data, size_t len_bytes, size_t *used,
                            cw__frame *frame);
/* XORs the mask over payload bytes; `offset` is the position of the first byte in its frame. dst may be src. */
void cw__frame_mask(uint8_t *dst, const uint8_t *src, size_t len_bytes, const uint8_t mask[4], uint64_t offset);

/* ---- From close.c: codes, payloads, the state machine of closing (sections 5.5.1, 7.1, 7.4) ------------ */

/* Why a connection must be failed: the close code to send (0 = there is no violation), and a text for people. */
typedef struct cw__violation {
    int code;
    const char *text;
} cw__violation;

typedef struct cw__close_payload {
    int code; /* 1005 if the frame was empty */
    uint8_t reason_bytes;
    char reason[CW__CONTROL_MAX_BYTES - 1]; /* at most 123 bytes, and a NUL */
} cw__close_payload;

/* Returns whether an endpoint may send the code in a close frame: 1000-1003, 1007-1014, 3000-4999. */
bool cw__close_code_valid(int code);
/* Reads the payload of a whole close frame. Violations: a payload of one byte or a bad code (1002), a bad reason
 * (1007). With a bad code, out->code is that code; with any other violation it is -1. */
cw__violation cw__close_decode(const uint8_t *payload, size_t len_bytes, cw__close_payload *out);
/* Writes the payload of a close frame. Returns its length, which is 0 for code 1005. */
size_t cw__close_encode(int code, const char *reason, size_t reason_bytes, uint8_t out[CW__CONTROL_MAX_BYTES]);

typedef enum cw__close_state {
    CW__CLOSE_NONE,     /* open in both directions */
    CW__CLOSE_SENT,     /* we sent our close frame first and wait for the peer's */
    CW__CLOSE_RECEIVED, /* the peer's came first; we still have to send ours */
    CW__CLOSE_BOTH,   /* both close frames were exchanged; we wait until the server ends TCP (section 7.1.1) */
    CW__CLOSE_FAILED, /* the peer broke the protocol and we sent our close frame; input is ignored */
    CW__CLOSE_ENDED   /* TCP has ended */
} cw__close_state;

typedef struct cw__close {
    cw__close_state state;
    bool was_clean;           /* both close frames were exchanged */
    int64_t deadline_ms;      /* when we end TCP ourselves; INT64_MAX = no deadline yet */
    cw__close_payload result; /* how the connection ended: the peer's code and reason, or 1006 and a text */
} cw__close;

void cw__close_init(cw__close *c);
/* Begins closing. Returns true if the state was CW__CLOSE_NONE; the caller must then send the close frame. In any other
 * state it returns false and changes nothing. If timeout_ms is INT64_MAX, there is no deadline yet. */
bool cw__close_begin(cw__close *c, int64_t now_ms, int64_t timeout_ms);
/* Takes the peer's close frame. Returns true if the caller must answer with a close frame that has c->result.code
 * (1005: an empty frame). In CW__CLOSE_FAILED nothing changes. */
bool cw__close_received(cw__close *c, const cw__close_payload *payload, int64_t now_ms, int64_t timeout_ms);
/* Records that the answer was sent. */
void cw__close_answered(cw__close *c);
/* Records that the peer broke a rule; result becomes 1006. Returns true if the caller must send a close frame with
 * violation->code. */
bool cw__close_failed(cw__close *c, const cw__violation *violation, int64_t now_ms, int64_t timeout_ms);
/* Records that TCP has ended: by the peer, by us, or by an error. `why` goes to result, unless a close frame came
 * first. */
void cw__close_ended(cw__close *c, const char *why);
/* Sets the deadline, unless there is an earlier one. */
void cw__close_bound(cw__close *c, int64_t now_ms, int64_t timeout_ms);
/* Returns whether the deadline has passed. */
bool cw__close_expired(const cw__close *c, int64_t now_ms);

/* ---- From message.c: pieces of frames become messages and control frames (sections 5.4, 5.5, 8.1) ------ */

/* Consecutive payload bytes of one frame, as a codec reads them. An empty frame is one piece of 0 bytes. */
typedef struct cw__piece {
    const uint8_t *data;
    size_t len_bytes;
    uint64_t offset;    /* position of data[0] in the frame's payload */
    uint64_t remaining; /* bytes of the frame after this piece */
    uint8_t opcode;     /* the opcode on the wire: 0 in a continuation */
    uint8_t rsv;
    bool is_final;
} cw__piece;

typedef enum cw__message_result {
    CW__MESSAGE_NONE,  /* the piece was taken; nothing is complete yet */
    CW__MESSAGE_WHOLE, /* out->event: a complete message, which the caller now owns */
    CW__MESSAGE_PART, /* out->data: points into the piece; message_type; is_complete at the end of the message */
    CW__MESSAGE_PING,      /* out->data: the payload, valid until the next call */
    CW__MESSAGE_PONG,      /* as for a ping */
    CW__MESSAGE_CLOSE,     /* as for a ping */
    CW__MESSAGE_VIOLATION, /* out->violation: fail the connection; make no further call */
    CW__MESSAGE_NO_MEMORY  /* make no further call */
} cw__message_result;

typedef struct cw__message_output {
    cw_event *event;
    const uint8_t *data;
    size_t len_bytes;
    cw_message_type message_type;
    bool is_complete;
    cw__violation violation;
} cw__message_output;

typedef struct cw__message {
    cw_event *building; /* the message in progress, in full mode */
    cw_event *place;    /* memory that a caller lends for the next message (cw__message_lend); NULL = none */
    int64_t max_bytes;  /* -1 = no limit; applies in full mode only */
    uint64_t refused_bytes;            /* least possible length of the message that exceeded max_bytes */
    uint64_t frame_left;               /* bytes of the current data frame still to come */
    int64_t max_fragments;             /* of one message; -1 = no limit; applies in full mode only */
    int64_t fragment_count;            /* of the current message, as cw__message_count has seen them */
    uint64_t counted_left;             /* as frame_left, for cw__message_count, which sees compressed frames */
    uint64_t frames[CW__OPCODE_COUNT]; /* frames that have begun so far, by opcode */
    bool is_partial;                   /* parts are returned as they arrive; nothing is kept */
    bool in_message;                   /* a message has begun, and its final frame has not ended */
    bool in_control;
    bool is_last_frame; /* the current data frame ends its message */
    uint8_t control_opcode;
    uint8_t message_type;
    uint8_t control_bytes;
    uint8_t control[CW__CONTROL_MAX_BYTES];
    cw__utf8 utf8;
} cw__message;

/* The number of fragments has no limit at first; the caller may set max_fragments. */
void cw__message_init(cw__message *m, bool is_partial, int64_t max_bytes);
void cw__message_destroy(cw__message *m);
/* Returns where to read the next bytes of a large frame, so that they need no copy: the end of the message in
 * progress. Returns NULL and sets *room_bytes to 0 in partial mode, and for a frame with less than 16 KiB still to
 * come. It does the same if there is no memory. The caller then reads into its own buffer. The room is for the whole
 * frame, up to 1 MiB ahead. Beyond that it doubles. It never exceeds max_bytes. */
uint8_t *cw__message_space(cw__message *m, size_t *room_bytes);
/* Lends place, an event in the caller's memory. The next message goes there if its first frame fits. Returns false and
 * changes nothing if a message is in progress or another place is lent. */
bool cw__message_lend(cw__message *m, cw_event *place);
/* Takes the lent place back. An incomplete message in it moves to memory of its own. Returns false if there is no
 * memory for that; make no further call of feed then. */
bool cw__message_take_back(cw__message *m, cw_event *place);
/* Returns the length of a binary message of one frame of which only the header has arrived; 0 = there is none. */
uint64_t cw__message_coming(const cw__message *m);
/* Takes one piece. It checks all rules of section 5, although a codec may have checked some of them. Errors are
 * RSV bits, reserved opcodes, and control frames that are fragmented or longer than 125 bytes. A continuation
 * without a beginning is an error, and so is a new message inside another one. The call reports bad UTF-8 at its
 * first byte (1007). It reports a message that is too large as soon as the announced length of a frame shows it
 * (1009). */
cw__message_result cw__message_feed(cw__message *m, const cw__piece *piece, cw__message_output *out);
/* Counts the fragments of a message. Call it with every piece as it was on the wire, before decompression: a decompressed
 * piece does not show where a frame begins. Returns false for the first piece of a fragment that is one too many. The
 * connection must then fail with out->violation (1008). */
bool cw__message_count(cw__message *m, const cw__piece *piece, cw__violation *out);
/* Creates an event from a CW__MESSAGE_PART, with room_bytes of room. The caller owns the event. NULL = no memory. */
cw_event *cw__message_part_event(const cw__message_output *out, size_t room_bytes);

/* ---- From tokens.c: tokens and lists of them in headers --------------------------------------------------- */

/* Blanks may surround a token or a value. */
static inline bool cw__is_blank(char c) { return c == ' ' || c == '\t'; }
/* Returns whether a text is a token (RFC 9110 section 5.6.2). Names of headers and subprotocols must be tokens. */
bool cw__is_token(const char *text, size_t len_bytes);
/* Returns the next item of "a, b" between at and end, without blanks around it, and its length. NULL at the end. */
const char *cw__list_next(const char **at, const char *end, size_t *len_bytes);
/* Returns whether the list "a, b" between at and end has the item wanted; any_case ignores upper and lower case. */
bool cw__list_has(const char *at, const char *end, const char *wanted, size_t wanted_bytes, bool any_case);

/* ---- From extension.c: permessage-deflate in the opening handshake (RFC 7692 section 7.1) --------------- */

enum { CW__OFFER_BYTES = 192 };

/* An offer, or the agreed terms. */
typedef struct cw__compression {
    bool is_on;
    uint8_t server_bits, client_bits;  /* window bits, 8 to 15: of the server's compressor, of ours */
    bool server_resets, client_resets; /* no context takeover: a message does not refer to earlier messages */
} cw__compression;

/* Writes the offer as a value of Sec-WebSocket-Extensions. */
void cw__compression_offer(const cw__compression *offer, char out[CW__OFFER_BYTES]);
/* Reads the server's value. Returns NULL and sets the terms, or returns what is wrong with it. */
const char *cw__compression_answer(const cw__compression *offer, const char *value, size_t len_bytes,
                                   cw__compression *terms);

/* ---- From deflate.c: permessage-deflate on bytes (RFC 7692 section 7.2) ---------------------------------- */

typedef struct cw__inflater cw__inflater;
typedef struct cw__deflater cw__deflater;

typedef enum cw__inflate_result {
    CW__INFLATE_PIECE,    /* *out is the next piece of plain data, in the form of a frame's piece */
    CW__INFLATE_DRY,      /* all input was used */
    CW__INFLATE_BAD,      /* the data is not valid deflate: fail the connection; make no further call */
    CW__INFLATE_NO_MEMORY /* make no further call */
} cw__inflate_result;

/* Gives the version of the loaded zlib. */
const char *cw__zlib_version(void);
/* Creates an inflater, which the caller owns until destroy. NULL = no memory. */
cw__inflater *cw__inflater_create(const cw__compression *terms);
void cw__inflater_destroy(cw__inflater *i);
/* Takes a piece of a compressed message. Its data must stay valid until all of it is used, or until cw__inflater_keep
 * copies it. Returns false if the piece does not belong to a compressed message; pass it to cw__message_feed
 * unchanged. Call this for every piece, when cw__inflater_has_more has returned false. */
bool cw__inflater_take(cw__inflater *i, const cw__piece *piece);
/* Returns whether the taken piece may have more output. */
bool cw__inflater_has_more(const cw__inflater *i);
/* Returns true from the beginning of a compressed message until its end has been inflated. */
bool cw__inflater_in_message(const cw__inflater *i);
/* Inflates the next buffer of the piece that was taken, for cw__message_feed. */
cw__inflate_result cw__inflater_give(cw__inflater *i, uint8_t *buffer, size_t size_bytes, cw__piece *out);
/* Copies the unused input, because the memory of the piece will be reused. Returns false if there is no memory. */
bool cw__inflater_keep(cw__inflater *i);

/* Creates a deflater, which the caller owns until destroy. NULL = no memory. */
cw__deflater *cw__deflater_create(const cw__compression *terms);
void cw__deflater_destroy(cw__deflater *d);
/* Takes the next part of a message, or all of it. The data must stay valid until cw__deflater_give is done. */
void cw__deflater_take(cw__deflater *d, const void *data, size_t len_bytes);
/* Writes the next compressed bytes. size_bytes must be at least 16. Sets *is_done if all bytes of the part have been
 * written and the receiver can decompress them. Returns the number of bytes. */
size_t cw__deflater_give(cw__deflater *d, uint8_t *buffer, size_t size_bytes, bool ends_message, bool *is_done);
/* Records that the last output was not sent, so that later output does not refer to it. */
void cw__deflater_forget(cw__deflater *d);

/* ---- From reply.c: the reply to the opening handshake (section 4.1) ------------------------------------- */

enum { CW__KEY_CHARS = 24 }; /* length of a Sec-WebSocket-Key: 16 bytes as base64 */

/* Zero it before the first use. */
typedef struct cw__reply {
    char *lines; /* header lines of the latest reply, each "Name: value\r\n"; ends in NUL; may be NULL */
    size_t len_bytes, room_bytes;
    size_t head_bytes; /* size of all replies: status lines, headers, empty lines */
    bool is_begun;     /* a status line has arrived */
    int http_status;   /* status in the status line; 0 if that line is malformed */
    bool is_cut;       /* the reply was too long, or there was no memory */
    bool has_no_memory;
    bool is_complete;  /* the empty line has arrived; without it libcurl may still report CURLE_OK and 101 */
    bool is_malformed; /* the status line or a header line is malformed; such a header line is not kept */
    bool is_http_1;    /* libcurl reports a status of 200 for some lines that are not status lines */
    bool is_http_1_1;
} cw__reply;

void cw__reply_destroy(cw__reply *r);
/* Forgets the lines of a proxy's reply before the server's. head_bytes stays. */
void cw__reply_forget(cw__reply *r);
/* Takes a status line, a header line without NUL, or an empty line. Only header lines of the latest reply are
 * kept. A status line drops earlier lines, so the lines of a 100, of a 103 or of a proxy are gone at the end.
 * Folded lines are unfolded. Returns false if the reply is too long; the caller must then end the connection. */
bool cw__reply_line(cw__reply *r, const char *line, size_t len_bytes);
/* Returns the header lines of the latest reply, each "Name: value\r\n"; "" if there are none. */
const char *cw__reply_lines(const cw__reply *r);
/* Returns NULL for a correct 101, or what is wrong with the reply. cw__reply_extension_fault checks its extensions.
 *   key        the Sec-WebSocket-Key of the request
 *   protocols  the offered subprotocols: "a, b", or empty
 *   protocol   set to the chosen one, which points into the reply's lines; NULL = none */
const char *cw__reply_fault(const cw__reply *r, const char *key, const char *protocols, const char **protocol,
                            size_t *protocol_bytes);
/* Returns NULL if the extensions of the reply are correct, or what is wrong with them.
 *   offer       NULL = none was made
 *   terms       set; is_on = false: no compression
 *   extensions  set to the header's value, which points into the reply's lines; NULL = none */
const char *cw__reply_extension_fault(const cw__reply *r, const cw__compression *offer, cw__compression *terms,
                                      const char **extensions, size_t *extensions_bytes);
/* Returns whether a redirect with this status can be followed. */
bool cw__reply_redirects(int http_status);
/* Fills the error for a server that answered with http_status instead of 101. */
void cw__reply_refused(int http_status, cw__error *error);
/* Returns whether the reply says that it has no body (Content-Length: 0). */
bool cw__reply_is_empty(const cw__reply *r);
/* Returns the seconds of the reply's Retry-After (retry.c), or -1. If the reply has a Date, that is now. So a clock of this
 * machine that is wrong does not matter. */
int64_t cw__reply_retry_after(const cw__reply *r, int64_t now_s);

CW__PRIVATE_END

#include "opening.h"

#endif

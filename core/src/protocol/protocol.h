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
/* Returns the seconds of the reply's Retry-After (retry.c), or -1. If the reply has a Date, that is now. So a clock of this
 * machine that is wrong does not matter. */
int64_t cw__reply_retry_after(const cw__reply *r, int64_t now_s);

/* ---- From retry.c: RFC 9110 sections 5.6.7 and 10.2.3 ------------------------------------------------------- */

#define CW__NO_DATE         INT64_MIN
#define CW__RETRY_AT_MOST_S (INT32_MAX - 1) /* longer times count as this one: 68 years */

/* Reads a date of HTTP, in any of its three forms. now_s decides the century of a year of two digits.
 * Returns the seconds since 1970, or CW__NO_DATE. */
int64_t cw__http_date(const char *value, size_t len_bytes, int64_t now_s);
/* Reads the value of a Retry-After.
 * Returns the seconds from now, 0 for a date in the past, or -1 if the value is malformed. */
int64_t cw__retry_after(const char *value, size_t len_bytes, int64_t now_s);

/* ---- From challenge.c: what WWW-Authenticate offers (RFC 9110 section 11.6.1) ------------------------------ */

enum {
    CW__SCHEME_BASIC = 1,
    CW__SCHEME_DIGEST = 2,
    CW__SCHEME_NEGOTIATE = 4,
    CW__SCHEME_NTLM = 8,
    CW__SCHEME_BEARER = 16,
    CW__SCHEME_OTHER = 32
};

/* Returns the set of schemes that the header lines of a reply offer. */
unsigned cw__challenge_schemes(const char *lines);

/* ---- From punycode.c: RFC 3492 ------------------------------------------------------------------------------ */

enum { CW__PUNYCODE_AT_MOST = 256 }; /* code points */

/* Writes code points as letters, digits and hyphens, without "xn--" and without a NUL. False if they do not fit, or are more
 * than CW__PUNYCODE_AT_MOST. */
bool cw__punycode_encode(const uint32_t *codes, size_t count, char *out, size_t size_bytes, size_t *len_bytes);
/* Does the reverse; text is in lower case. False if it is malformed, or has more code points than room. */
bool cw__punycode_decode(const char *text, size_t len_bytes, uint32_t *codes, size_t room, size_t *count);

/* ---- From idn_table.c: what Unicode says ---------------------------------------------------------------------- */

/* What a run of code points is mapped to. */
typedef enum cw__idn_kind {
    CW__IDN_IS_NO,    /* not allowed */
    CW__IDN_IS_GONE,  /* nothing: it is left out */
    CW__IDN_IS_VALID, /* themselves */
    CW__IDN_IS_PAIRS, /* the second of each two: capital and small letters take turns */
    CW__IDN_IS_MOVED, /* the code point that is `value` further */
    CW__IDN_IS_TEXTS  /* the texts that follow each other from cw__idn_texts[value] on */
} cw__idn_kind;

#define CW__IDN_NO           CW__IDN_IS_NO, 0
#define CW__IDN_GONE         CW__IDN_IS_GONE, 0
#define CW__IDN_VALID        CW__IDN_IS_VALID, 0
#define CW__IDN_PAIRS        CW__IDN_IS_PAIRS, 0
#define CW__IDN_MOVED(value) CW__IDN_IS_MOVED, value
#define CW__IDN_TEXTS(value) CW__IDN_IS_TEXTS, value

/* Each run goes to the first code point of the next. */
typedef struct cw__idn_run {
    uint32_t first : 24, kind : 8;
    int32_t value;
} cw__idn_run;

typedef struct cw__idn_pair {
    uint32_t composed, first, second;
} cw__idn_pair;

typedef enum cw__bidi {
    CW__BIDI_L,
    CW__BIDI_R,
    CW__BIDI_AL,
    CW__BIDI_AN,
    CW__BIDI_EN,
    CW__BIDI_ES,
    CW__BIDI_CS,
    CW__BIDI_ET,
    CW__BIDI_ON,
    CW__BIDI_BN,
    CW__BIDI_NSM,
    CW__BIDI_OTHER
} cw__bidi;

typedef enum cw__joining {
    CW__JOINING_U,
    CW__JOINING_L,
    CW__JOINING_R,
    CW__JOINING_D,
    CW__JOINING_T
} cw__joining;

/* It holds for code points that are mapped to themselves. */
typedef struct cw__idn_property {
    uint32_t first;
    uint8_t combining;   /* the canonical combining class */
    uint8_t bidi : 4;    /* cw__bidi */
    uint8_t joining : 3; /* cw__joining */
    uint8_t is_mark : 1;
} cw__idn_property;

enum { CW__IDN_LAST = 1 << 24 }; /* marks the last code point of a text */

extern const cw__idn_run cw__idn_runs[];
extern const uint32_t cw__idn_texts[];
extern const cw__idn_pair cw__idn_pairs[]; /* sorted by `composed` */
extern const cw__idn_property cw__idn_properties[];
extern const size_t cw__idn_run_count, cw__idn_pair_count, cw__idn_property_count;

/* ---- From idn.c: international host names (UTS #46) ------------------------------------------------------------ */

enum {
    CW__HOST_AT_MOST = 255,     /* characters of a host as it is sent */
    CW__HOST_GIVEN_MOST = 1020, /* bytes of an international host */
    CW__URI_FAULT_BYTES = 240
};

/* Writes the text of a fault and gives false, for idn.c and uri.c. */
#define CW__URI_FAULT(fault, ...) ((void)snprintf(fault, CW__URI_FAULT_BYTES, __VA_ARGS__), false)

/* Writes the ASCII form of a host name that has characters beyond ASCII. False fills fault, which is ASCII. */
bool cw__idn_to_ascii(const char *text, size_t len_bytes, char out[CW__HOST_AT_MOST + 1],
                      char fault[CW__URI_FAULT_BYTES]);

/* ---- From uri.c: the URI of a connect (RFC 3986, RFC 3987, RFC 6455 section 3) ------------------------- */

/* Our limits, which are below libcurl's limits (docs/libcurl.md). */
enum {
    CW__URI_AT_MOST = 128 * 1024, /* bytes, when percent-encoded */
    CW__ZONE_AT_MOST = 15         /* characters of an interface's name */
};

/* The parts of "user:password@host:port". They point into the caller's text, or into this struct, so it is not copied. */
typedef struct cw__authority {
    const char *userinfo; /* NULL = none */
    const char *host;     /* a name in ASCII, an IPv4 address, or an IPv6 address without [ ] and zone */
    const char *zone;     /* zone of the IPv6 address, without the %; NULL = none */
    size_t userinfo_bytes, host_bytes, zone_bytes;
    int port; /* -1 = none */
    bool is_ipv6;
    char ascii[CW__HOST_AT_MOST + 1]; /* the host, if it is an international name */
} cw__authority;

/* Reads an authority, which ends before the first of / ? #. It checks the host and the port. It does not check the
 * characters of the userinfo, or the value of an IPv6 address. If the authority is malformed, it returns false and fills
 * fault, which shows no part of the userinfo. */
bool cw__authority_read(const char *text, size_t len_bytes, cw__authority *a, char fault[CW__URI_FAULT_BYTES]);

typedef struct cw__uri {
    bool is_secure; /* wss */
    bool is_ipv6;
    const char *prefix; /* "ws://user:password@", encoded */
    const char *host;   /* the host in ASCII, without [ ] and zone */
    const char *zone;   /* zone of an IPv6 address; "" = none */
    const char *suffix; /* ":8080/", or "/" */
    const char *target; /* "/path?query", encoded: visible ASCII */
    char *text;         /* owns the memory of the five texts above */
} cw__uri;

typedef enum cw__uri_result { CW__URI_OK, CW__URI_BAD, CW__URI_NO_MEMORY } cw__uri_result;

/* Checks a URI and encodes it. With CW__URI_BAD it fills fault, which says what is wrong and what to write
 * instead. fault shows at most one character of the userinfo and of the query. */
cw__uri_result cw__uri_read(const char *text, size_t len_bytes, cw__uri *uri, char fault[CW__URI_FAULT_BYTES]);
/* Frees a URI; it accepts a zeroed one. */
void cw__uri_destroy(cw__uri *uri);
/* Returns the URI without path and query, "ws://user:password@host:8080/". The caller owns it until cw__free. NULL = no
 * memory. */
char *cw__uri_base(const cw__uri *uri);
/* Copies a URI that cw__uri_read has accepted, without userinfo and query. Returns its whole length, as snprintf does. */
size_t cw__uri_show(const char *uri, char *buffer, size_t size_bytes);

/* ---- From netrc.c: passwords by host ----------------------------------------------------------------------- */

typedef enum cw__netrc_result {
    CW__NETRC_FOUND,
    CW__NETRC_NONE, /* no entry names the host */
    CW__NETRC_BAD,  /* fault says why; it shows no word of the file */
    CW__NETRC_NO_MEMORY
} cw__netrc_result;

/* Finds the first entry `machine host` with a login and a password. user is the login that it must have; NULL = any. The
 * entry `default` is for no host. What follows the entry is not read.
 * Owns: *joined, "user NUL password NUL", is the caller's until cw__free. */
cw__netrc_result cw__netrc_find(const char *text, size_t len_bytes, const char *host, const char *user,
                                char **joined, char fault[CW__URI_FAULT_BYTES]);

/* ---- From redirect.c: where a redirect leads (RFC 9110 section 10.2.2, RFC 3986 section 5) --------------- */

typedef struct cw__redirect {
    cw__uri uri;         /* with the user name and password of the first URI, if is_same_origin */
    char *text;          /* the same without user name and password */
    bool is_same_origin; /* scheme, host and port are those of the URI that redirects */
} cw__redirect;

typedef enum cw__redirect_result {
    CW__REDIRECT_OK,
    CW__REDIRECT_BAD,      /* fault says why */
    CW__REDIRECT_TO_PLAIN, /* from wss to ws; *to is filled */
    CW__REDIRECT_NO_MEMORY
} cw__redirect_result;

/* Finds the header Location in the lines of a reply, and resolves it against the URI of the request. http becomes ws, and
 * https wss. A fragment is dropped. fault is ASCII, and shows no part of a query.
 * Owns: the caller calls cw__redirect_destroy, which accepts a zeroed one. */
cw__redirect_result cw__redirect_read(const char *lines, const cw__uri *from, cw__redirect *to,
                                      char fault[CW__URI_FAULT_BYTES]);
void cw__redirect_destroy(cw__redirect *to);
/* Copies the header lines that another origin may get: those that are known to carry no secret, and those that only
 * remove a header. NULL = no memory. Owns: the caller, until cw__free. */
char *cw__redirect_headers(const char *lines);

/* ---- From address.c: how public an IP address is -------------------------------------------------------- */

/* In the order of publicity. */
typedef enum cw__address_space {
    CW__SPACE_LOCAL,   /* this machine: 127.0.0.0/8, ::1, the unspecified address */
    CW__SPACE_PRIVATE, /* a network that the Internet does not reach, and everything else that is special */
    CW__SPACE_PUBLIC
} cw__address_space;

/* Judges an address of 4 or 16 bytes. */
cw__address_space cw__address_space_of(const uint8_t *address, size_t len_bytes);
/* ---- From proxy_uri.c: the URI of a proxy, and lists of hosts that need none ---------------------------- */

typedef enum cw__proxy_kind { CW__PROXY_NONE, CW__PROXY_HTTP, CW__PROXY_HTTPS, CW__PROXY_SOCKS } cw__proxy_kind;

typedef struct cw__proxy {
    cw__proxy_kind kind;
    char *url;             /* scheme://host:port, without user and password */
    const char *name;      /* host:port, inside url; for messages */
    char *user, *password; /* decoded; NULL = none */
    const char *source;    /* what names the proxy: an environment variable, or a control; static */
    bool has_credential;   /* user and password are those of proxy_credential */
} cw__proxy;

/* The value of the control proxy with which no proxy is used, whatever the environment says. */
#define CW__PROXY_DIRECT "direct"

/* Reads the URI of a proxy into an empty proxy.
 * Returns NULL, or what is wrong with the value. Owns: the caller calls cw__proxy_destroy in both cases. */
const char *cw__proxy_parse(cw__proxy *p, const char *value, bool *has_no_memory);
/* Frees and zeroes a proxy; it accepts a zeroed one. */
void cw__proxy_destroy(cw__proxy *p);
/* Checks the value of a control that names a proxy. key is the control, for the message of a failure, which shows nothing of
 * the value. is_pre: it takes SOCKS proxies only. Sets *kept to "shown NUL value NUL": shown is what may be read, without
 * user and password.
 * Returns CW_OK, CW_INVALID_ARGUMENT or CW_NO_MEMORY. Owns: the caller owns *kept. */
cw_status cw__proxy_keep(const char *key, bool is_pre, const char *value, char **kept);
/* Returns whether a list such as that of no_proxy contains a host and port. */
bool cw__proxy_is_excluded(const char *list, const char *host, unsigned port);
/* ---- From cookie.c: the lines of a cookie file ---------------------------------------------------------- */

enum { CW__COOKIE_AT_MOST = 4096 }; /* bytes of name and value (RFC 6265bis section 5.6) */

/* Reads the next cookie of a cookie file, as cw_cookie_next does, and does not skip a line that is no cookie.
 *   fault   set to what is wrong with the line, which follows "line 7 "; else NULL. It shows nothing of the line */
bool cw__cookie_read(const char *lines, size_t len_bytes, size_t *at_bytes, cw_cookie *out, const char **fault);
/* Writes the line of a cookie, without an end of line. Returns its whole length, as snprintf does. */
size_t cw__cookie_write(const cw_cookie *c, char *buffer, size_t size_bytes);
/* Returns NULL, or why a program cannot set this cookie, and what to do. The text shows nothing of the cookie. */
const char *cw__cookie_fault(const cw_cookie *c);
/* Returns whether the domain of a cookie lets this host have it. */
bool cw__cookie_is_for(const cw_cookie *c, const char *host);

/* ---- From certificate.c: the certificates of a TLS handshake ------------------------------------------- */

/* Finds a certificate in a server's Certificate message, which begins with the type and length of the message. Number 0
 * is the server's own. *der points into the message.
 * Returns false if the message has no such certificate, or is malformed before its end. */
bool cw__chain_find(const void *message, size_t len_bytes, size_t number, const uint8_t **der,
                    size_t *der_len_bytes);

/* The names of a certificate, in DER. They point into the certificate. */
typedef struct cw__certificate_names {
    const uint8_t *issuer, *subject;
    size_t issuer_bytes, subject_bytes;
} cw__certificate_names;

/* Returns false if the bytes are not a certificate. */
bool cw__certificate_read_names(const void *der, size_t der_len_bytes, cw__certificate_names *names);

/* ---- From ignorable.c: errors of the server's certificate that a program ignores ------------------------- */

/* Sets of cw_chain_result: error n is the bit 1 << n. */
enum {
    CW__IGNORABLE = 1 << CW_CHAIN_Untrusted | 1 << CW_CHAIN_IncompleteChain | 1 << CW_CHAIN_InvalidName,
    CW__CHAIN_RESULTS_BYTES = 256 /* room for the names of all errors */
};

/* Checks the name of an error that a program wants to ignore. key is the control, for the message of a failure.
 * Returns CW_OK or CW_INVALID_ARGUMENT. */
cw_status cw__ignorable_check(const char *key, const char *name, size_t len_bytes);
/* Returns the set that a list of names "a, b" stands for. It leaves out what cannot be ignored. */
unsigned cw__ignorable_read(const char *list);
/* Writes the names of a set, "a, b". buffer has CW__CHAIN_RESULTS_BYTES. */
void cw__ignorable_show(unsigned errors, char *buffer);
/* Returns the ends of a server's chain in PEM, which count as trusted if a program ignores Untrusted or IncompleteChain;
 * NULL if the chain has no such end, cannot be read, or there is no memory. Owns: the caller, until cw__free. */
char *cw__ignorable_ends(const void *chain, size_t chain_bytes, cw_chain_result error, size_t *len_bytes);

/* ---- From headers.c: request headers that a caller may set -------------------------------------------- */

/* Our limits, which are below libcurl's limits (docs/libcurl.md). Above its own limits libcurl drops a header
 * silently, or fails without a reason. */
enum {
    CW__HEADER_NAME_AT_MOST = 100,
    CW__HEADER_AT_MOST = 256 * 1024,       /* bytes of a value */
    CW__HEADERS_AT_MOST = 512 * 1024,      /* bytes of all headers that the caller sets */
    CW__PROTOCOLS_AT_MOST = 64 * 1024,     /* bytes of the list of subprotocols */
    CW__HEADER_CONTROL_AT_MOST = 16 * 1024 /* bytes of user_agent, and of origin */
};

/* Checks the name and value of a request header. Returns CW_OK or CW_INVALID_ARGUMENT. The error names the header and
 * does not show its value. */
cw_status cw__header_check(const char *name, size_t name_bytes, const char *value, size_t value_bytes);
/* Checks a control that is the value of a header. The value is not empty. Returns CW_OK or CW_INVALID_ARGUMENT. The error
 * names the control and does not show the value. */
cw_status cw__header_check_control(const char *key, const char *value, size_t value_bytes);
/* Checks a header for a proxy. Returns as cw__header_check. */
cw_status cw__header_check_for_proxy(const cw_header *header);
/* Returns NULL if a request may have several headers of that name, or what to do instead. */
const char *cw__header_repeat_fault(const char *name, size_t name_bytes);
/* Checks that a list "a, b" consists of tokens, each only once (RFC 6455 section 4.1). */
bool cw__header_check_protocols(const char *list);

/* ---- From tls_texts.c: the controls of TLS ------------------------------------------------------------------- */

/* The bytes of a control; len_bytes is 0 if it is unset. They belong to the settings, and stay until the connection ends. */
typedef struct cw__data {
    void *data;
    size_t len_bytes;
} cw__data;

/* The texts are NULL or empty if the control is unset. They belong to the settings. */
typedef struct cw__tls_options {
    cw__data ca, certificate, key; /* ca_data, client_certificate_data, client_key_data */
    const char *pinned_public_key, *ciphers, *ciphers13, *groups, *server_name;
    bool is_13_least, is_12_most; /* tls_min_version is 1.3; tls_max_version is 1.2 */
    bool wants_status;            /* ocsp_stapling */
    bool resumes;                 /* tls_session_resumption */
} cw__tls_options;

/* Checks the form of a control that is text, whose key is the name for errors. It accepts every text for another control.
 * Returns CW_OK or a failure of the calling thread. */
cw_status cw__tls_text_check(cw_option option, const char *key, const char *text);
/* Returns why a version of TLS is not accepted, or NULL if a word names no old version. */
const char *cw__tls_version_fault(const char *word, size_t len_bytes);
/* Returns whether a text of pinned_public_key is a list of hashes; else it is the name of a file. */
bool cw__tls_is_pin_list(const char *text);
/* Reads the host of tls_server_name. Returns false if it is no host, or more than a host. */
bool cw__tls_read_host(const char *text, cw__authority *a);
/* ---- From trace.c: the lines of a trace, without secrets -------------------------------------------------- */

enum {
    CW__TRACE_PAYLOAD_MOST = 1024, /* bytes of a payload that a line shows at most */
    CW__TRACE_LINE_BYTES = 4 * CW__TRACE_PAYLOAD_MOST + 512
};

/* A line, without an end of line. It has only printable ASCII: each other byte is shown as \xNN. What does not fit is left
 * out. */
typedef struct cw__trace_line {
    size_t len_bytes;
    char text[CW__TRACE_LINE_BYTES];
} cw__trace_line;

/* Where a part of a request or a reply ended in the middle of a line. */
typedef struct cw__trace_heads {
    bool is_inside[2]; /* of a received line, of a sent line */
} cw__trace_heads;

/* A frame, and the first bytes of its payload. */
typedef struct cw__trace_frame {
    bool is_sent, is_final;
    uint8_t opcode, rsv;
    uint64_t payload_bytes; /* the length of the whole payload */
    const uint8_t *shown;   /* its first bytes */
    size_t shown_bytes;
} cw__trace_frame;

/* Append a text, and a frame. */
void cw__trace_add(cw__trace_line *line, const char *text);
void cw__trace_add_frame(cw__trace_line *line, const cw__trace_frame *frame);
/* Append a text of any bytes that may hold URIs. Their user names, passwords, queries and fragments are masked. */
void cw__trace_add_masked(cw__trace_line *line, const char *text, size_t len_bytes);
/* Takes the next line from a part of a request or reply, which *text points to, and appends it. Values that are secret are
 * masked. names are those of further headers whose values are secret, joined by ", ".
 * Returns false, and appends nothing, if there is none that can be shown. */
bool cw__trace_add_head(cw__trace_line *line, cw__trace_heads *heads, bool is_sent, const char *names,
                        const char **text, size_t *len_bytes);
/* Appends a text of libcurl's.
 * Returns false, and appends nothing, if the text is not known to be free of secrets. */
bool cw__trace_add_words(cw__trace_line *line, const char *text, size_t len_bytes);

CW__PRIVATE_END

#endif

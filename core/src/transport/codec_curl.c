/* SPDX-License-Identifier: MIT */
/* Codec "curl": frames by curl_ws_recv and curl_ws_send. libcurl's decoder hides the form of a length, so this codec
 * accepts a length that is not minimal. libcurl returns CURLE_RECV_ERROR for a broken rule and for a lost connection;
 * its log tells the two apart. Callers use this file through codec.h. It knows no controls and no rules for messages.
 *
 * Reasons: CW_CLOSED. */
#ifdef __linux__
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#endif

#include <string.h>

#include "transport.h"

enum {
    /* The TCP window: less than the 65535 bytes of libcurl's read chunk, so that a read never fills a chunk
     * (bound_reads). */
    WINDOW_BYTES = 60000,
    /* below this round trip the peer can refill TCP's window while libcurl reads (bound_reads) */
    NEAR_RTT_US = 2000,
    MASK_BYTES = 4
};

typedef struct codec_curl {
    cw__codec base;
    CURLcode pending; /* a fault that is reported when the bytes read before it have been used */
    bool in_message;  /* the next data frame continues a message */
    bool is_sending;  /* a frame has begun */
} codec_curl;

static uint8_t opcode_of(const codec_curl *c, int flags)
{
    if (flags & CURLWS_CLOSE)
        return CW__OP_CLOSE;
    if (flags & CURLWS_PING)
        return CW__OP_PING;
    if (flags & CURLWS_PONG)
        return CW__OP_PONG;
    if (c->in_message)
        return CW__OP_CONTINUATION;
    return flags & CURLWS_TEXT ? CW__OP_TEXT : CW__OP_BINARY;
}

/* Returns our text for the rule that the peer broke. It compares libcurl's text (lib/ws.c, 8.14.1 and 8.22), which is
 * not shown. */
static const char *meaning_of(const char *complaint)
{
    static const struct {
        const char *words, *meaning;
    } rules[] = {
        {"no ongoing fragmented message", "the peer continued a message that it had not begun"},
        {"fragmented message interrupted", "the peer began a message inside another one"},
        {"invalid fragmented", "the peer sent a control frame in fragments"},
        {"reserved bits", "the peer set a reserved bit"},
        {"invalid opcode", "the peer sent a frame with a reserved opcode"},
        {"masked input frame", "the peer sent a masked frame"},
        {"frame is too big", "the peer sent a control frame of more than 125 bytes"},
        {"frame length longer than", "the peer announced a frame of 2^63 bytes or more"},
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (strstr(complaint, rules[i].words))
            return rules[i].meaning;
    return "the peer broke a rule of framing";
}

/* Asks libcurl for payload. A read that failed may have put bytes into libcurl's buffer first (lib/bufq.c, 8.14.1:
 * slurp reads more than once). Later calls return those bytes, and then the failure. */
static CURLcode ask(codec_curl *c, uint8_t *buffer, size_t size_bytes, size_t *len_bytes,
                    const struct curl_ws_frame **meta)
{
    cw__link *l = c->base.link;
    CURLcode code = curl_ws_recv(l->easy, buffer, size_bytes, len_bytes, meta);

    if (code == CURLE_OK || code == CURLE_AGAIN || c->pending != CURLE_OK || l->has_complaint)
        return code;
    c->pending = code;
    return curl_ws_recv(l->easy, buffer, size_bytes, len_bytes, meta);
}

/* Returns the result for a libcurl call that returned no payload. */
static cw__io without_payload(codec_curl *c, CURLcode code)
{
    cw__link *l = c->base.link;
    bool has_complaint = l->has_complaint && code != CURLE_GOT_NOTHING; /* libcurl also logs the end of TCP */

    if (c->pending != CURLE_OK)
        code = c->pending;
    if (code == CURLE_AGAIN)
        return CW__IO_AGAIN;
    if (code == CURLE_GOT_NOTHING)
        return CW__IO_END;
    if (!has_complaint)
        return cw__link_fault(l, code, "receiving");
    c->base.violation = (cw__violation){.code = 1002, .text = meaning_of(l->complaint)};
    return CW__IO_VIOLATION;
}

/* Returns the size of the shortest header of a frame, without a mask. libcurl does not tell. */
static size_t head_bytes(uint64_t payload_bytes)
{
    return payload_bytes < 126 ? 2 : payload_bytes < 65536 ? 4 : 10;
}

static cw__io codec_receive(cw__codec *base, uint8_t *buffer, size_t size_bytes, cw__piece *piece)
{
    codec_curl *c = (codec_curl *)base;
    cw__link *l = base->link;
    const struct curl_ws_frame *meta = NULL;
    size_t len = 0;
    CURLcode code;

    l->has_complaint = false;
    if (c->pending == CURLE_OK)
        cw__link_begin(l);
    if (!cw__link_enter(l))
        return CW__IO_BUSY;
    code = ask(c, buffer, size_bytes, &len, &meta);
    cw__pool_exit(l->pool);
    if (code != CURLE_OK || !meta)
        return without_payload(c, code);
    piece->data = buffer;
    piece->len_bytes = len;
    piece->offset = (uint64_t)meta->offset;
    piece->remaining = (uint64_t)meta->bytesleft;
    piece->rsv = 0; /* libcurl refuses all reserved bits */
    piece->opcode = opcode_of(c, meta->flags);
    piece->is_final = (meta->flags & CURLWS_CONT) == 0;
    l->received_bytes += len;
    if (piece->remaining == 0)
        l->received_bytes += head_bytes(piece->offset + len);
    if (piece->opcode < CW__OP_CLOSE && piece->remaining == 0)
        c->in_message = !piece->is_final;
    return CW__IO_OK;
}

static cw__io codec_discard(cw__codec *base) { return cw__link_discard(base->link); }

static unsigned flags_of(uint8_t opcode, bool is_final)
{
    switch (opcode) {
    case CW__OP_CLOSE:
        return CURLWS_CLOSE;
    case CW__OP_PING:
        return CURLWS_PING;
    case CW__OP_PONG:
        return CURLWS_PONG;
    case CW__OP_TEXT:
        return CURLWS_TEXT | (is_final ? 0u : (unsigned)CURLWS_CONT);
    default: /* in an open message libcurl makes a continuation, whatever this type is */
        return CURLWS_BINARY | (is_final ? 0u : (unsigned)CURLWS_CONT);
    }
}

/* CURLE_OK with less than all sent, and CURLE_AGAIN with something sent, both mean "blocked in the middle" (8.14.1
 * and 8.22: lib/ws.c). The caller must pass the bytes again that were not sent, and only those. given_bytes is the part
 * of len_bytes that was passed to libcurl. */
static cw__io after_send(cw__codec *base, CURLcode code, size_t sent, size_t given_bytes, size_t len_bytes)
{
    cw__link *l = base->link;

    base->wants_read = false;
    if (code != CURLE_OK && code != CURLE_AGAIN)
        return cw__link_fault(l, code, "sending");
    if (code == CURLE_OK && sent == given_bytes)
        return sent == len_bytes ? CW__IO_OK : CW__IO_AGAIN;
    (void)cw__link_is_full(l, sent);
    base->wants_read = l->wants_read;
    return CW__IO_AGAIN;
}

/* With CURLWS_OFFSET libcurl makes a header for the given length of the frame, and ignores the length while a frame is
 * in progress. libcurl keeps at most 64 KiB of a piece, and sends them before the next piece. */
static cw__io codec_send(cw__codec *base, uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes,
                         size_t *sent)
{
    cw__link *l = base->link;
    bool is_all = !base->most_bytes || base->most_bytes >= len_bytes;
    size_t given_bytes = is_all ? len_bytes : base->most_bytes;
    unsigned flags = flags_of(opcode, is_final) | (is_all ? 0u : (unsigned)CURLWS_OFFSET);
    static const uint8_t nothing;
    codec_curl *c = (codec_curl *)base;
    CURLcode code;
    cw__io io;

    *sent = 0;
    cw__link_begin(l);
    if (!cw__link_enter(l)) {
        base->wants_read = false;
        return CW__IO_AGAIN;
    }
    code = curl_ws_send(l->easy, data ? data : &nothing, given_bytes, sent, is_all ? 0 : (curl_off_t)len_bytes,
                        flags);
    cw__pool_exit(l->pool);
    if (!c->is_sending)
        l->sent_bytes += head_bytes(len_bytes) + MASK_BYTES;
    l->sent_bytes += *sent;
    io = after_send(base, code, *sent, given_bytes, len_bytes);
    c->is_sending = io == CW__IO_AGAIN;
    return io;
}

static void codec_destroy(cw__codec *base) { cw__free(base); }

/* Limits how much one curl_ws_recv reads. libcurl reads into chunks of 64 KiB until a read does not fill its chunk
 * (lib/bufq.c, 8.14.1 and 8.22). With a peer that is fast enough, it would never stop. TLS returns 16 KiB at a time,
 * which fills no chunk. With a long round trip, TCP's window ends the reading, because the window takes a round trip to
 * fill again. So only a plain connection with a short round trip gets a window that is smaller than a chunk. */
static void bound_reads(int fd)
{
#ifdef __linux__
    struct tcp_info info;
    socklen_t len = sizeof info;
    int window = WINDOW_BYTES;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 || info.tcpi_rtt >= NEAR_RTT_US)
        return;
    /* Setting SO_RCVBUF stops the kernel from tuning the buffer. Tuning would raise the clamp. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &window, sizeof window);
#else
    (void)fd;
#endif
}

cw__codec *cw__codec_curl_create(cw__link *link)
{
    static const cw__codec_calls calls = {.name = "curl",
                                          .receive = codec_receive,
                                          .discard = codec_discard,
                                          .send = codec_send,
                                          .destroy = codec_destroy};
    codec_curl *c = cw__calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->base.calls = &calls;
    c->base.link = link;
    c->base.never_waits = &link->never_waits;
    if (!link->is_tls)
        bound_reads(link->fd);
    return &c->base;
}

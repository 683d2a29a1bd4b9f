/* SPDX-License-Identifier: MIT */
/* Codec "curl": frames by curl_ws_recv and curl_ws_send. libcurl's decoder hides the form of a length (a
 * non-minimal one passes) and says the same CURLE_RECV_ERROR for a broken rule as for a lost connection; what
 * it logs tells the two apart. Called through codec.h; knows no options and no message rules. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#ifdef __linux__
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#endif

#include "libcurl.h"

enum {
    WINDOW_BYTES = 60000, /* under the 65535 of libcurl's chunk */
    NEAR_RTT_US = 2000,
    DISCARD_BYTES = 128 * 1024 /* in one turn: a peer that goes on must not keep the service from the others */
};

typedef struct codec_curl {
    cw__codec base;
    CURL *easy;
    CURLcode pending; /* a fault that is reported once what was read before it is used up */
    bool is_tls;
    bool in_message;    /* the next data frame continues a message */
    bool has_complaint; /* complaint holds libcurl's latest "[WS] ..." */
    char complaint[100];
    char tls_text[160]; /* what libcurl said first about a failure of TLS in this call */
} codec_curl;

/* "OpenSSL SSL_read: ...", "GnuTLS recv error ...": the codes say no more than that something failed. */
static void keep_tls_text(codec_curl *c, const char *text, size_t len_bytes)
{
    size_t len = len_bytes < sizeof c->tls_text ? len_bytes : sizeof c->tls_text - 1;
    char copy[sizeof c->tls_text];

    memcpy(copy, text, len);
    while (len > 0 && copy[len - 1] == '\n')
        len--;
    copy[len] = '\0';
    if (!*c->tls_text && (strstr(copy, "SSL_read: ") || strstr(copy, "SSL_write: ") || strstr(copy, "GnuTLS")))
        memcpy(c->tls_text, copy, len + 1);
}

/* libcurl (8.14.1, 8.22) writes a failure to the error buffer only once per transfer, and connecting may have
 * used that up; the debug function gets every one. */
static int on_debug(CURL *easy, curl_infotype type, char *text, size_t len_bytes, void *user)
{
    codec_curl *c = user;
    const char prefix[] = "[WS] ";
    size_t skip = sizeof prefix - 1;

    (void)easy;
    if (type == CURLINFO_TEXT)
        keep_tls_text(c, text, len_bytes);
    if (type != CURLINFO_TEXT || len_bytes <= skip || memcmp(text, prefix, skip) != 0 || c->has_complaint)
        return 0;
    len_bytes -= skip;
    if (text[skip + len_bytes - 1] == '\n')
        len_bytes--;
    if (len_bytes >= sizeof c->complaint)
        len_bytes = sizeof c->complaint - 1;
    memcpy(c->complaint, text + skip, len_bytes);
    c->complaint[len_bytes] = '\0';
    c->has_complaint = true;
    return 0;
}

static cw__io fault(codec_curl *c, CURLcode code, const char *doing)
{
    long os_errno = 0;
    const cw__tls_reason *reason = cw__tls_reason_of((int)code, c->tls_text);

    /* What connecting left there (another address refused, say) is not about this connection. */
    (void)curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno == EINPROGRESS || os_errno == ECONNREFUSED || os_errno == EAGAIN)
        os_errno = 0;
    if (reason)
        cw__error_set(c->base.fault, CW_CLOSED, reason->web_status, "%s", reason->message);
    else
        cw__error_set(
            c->base.fault, CW_CLOSED, cw__web_status_of_curl((int)code, (int)os_errno),
            "the connection was lost while %s: %s", doing,
            /* NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its text (glibc 2.32, musl, BSD) */
            os_errno       ? strerror((int)os_errno)
            : *c->tls_text ? c->tls_text
                           : curl_easy_strerror(code));
    c->base.fault->curl_code = (int)code;
    c->base.fault->os_errno = (int)os_errno;
    return CW__IO_FAULT;
}

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

static cw__io receive_failed(codec_curl *c, CURLcode code)
{
    if (code == CURLE_GOT_NOTHING)
        return CW__IO_END;
    if (c->has_complaint) {
        c->base.violation = (cw__violation){.code = 1002, .text = c->complaint};
        return CW__IO_VIOLATION;
    }
    return fault(c, code, "receiving");
}

static cw__io codec_receive(cw__codec *base, uint8_t *buffer, size_t size_bytes, cw__piece *piece)
{
    codec_curl *c = (codec_curl *)base;
    const struct curl_ws_frame *meta = NULL;
    size_t len = 0;
    CURLcode code;

    c->has_complaint = false;
    if (c->pending == CURLE_OK)
        c->tls_text[0] = '\0';
    code = curl_ws_recv(c->easy, buffer, size_bytes, &len, &meta);
    if (code == CURLE_AGAIN && c->pending == CURLE_OK)
        return CW__IO_AGAIN;
    if (code != CURLE_OK && !c->has_complaint && c->pending == CURLE_OK) {
        /* The read that failed may have put bytes into libcurl's buffer before it did (lib/bufq.c, 8.14.1:
         * slurp reads more than once); they are decoded by asking again, until there are none. */
        c->pending = code;
        code = curl_ws_recv(c->easy, buffer, size_bytes, &len, &meta);
    }
    if (code == CURLE_GOT_NOTHING) /* libcurl remarks on that: not a complaint */
        c->has_complaint = false;
    if (code != CURLE_OK || !meta)
        return receive_failed(c, c->pending != CURLE_OK ? c->pending : code);
    piece->data = buffer;
    piece->len_bytes = len;
    piece->offset = (uint64_t)meta->offset;
    piece->remaining = (uint64_t)meta->bytesleft;
    piece->rsv = 0; /* libcurl refuses all others */
    piece->opcode = opcode_of(c, meta->flags);
    piece->is_final = (meta->flags & CURLWS_CONT) == 0;
    if (piece->opcode < CW__OP_CLOSE && piece->remaining == 0)
        c->in_message = !piece->is_final;
    return CW__IO_OK;
}

static cw__io codec_discard(cw__codec *base)
{
    codec_curl *c = (codec_curl *)base;
    uint8_t scrap[16 * 1024];

    for (size_t share = 0; share < DISCARD_BYTES;) {
        size_t len = 0;
        CURLcode code = curl_easy_recv(c->easy, scrap, sizeof scrap, &len);
        if (code == CURLE_AGAIN)
            return CW__IO_AGAIN;
        if (code != CURLE_OK)
            return fault(c, code, "closing");
        if (len == 0)
            return CW__IO_END;
        share += len;
    }
    return CW__IO_OK;
}

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
    default: /* libcurl makes a continuation by itself where a message is open, whatever type it is told */
        return CURLWS_BINARY | (is_final ? 0u : (unsigned)CURLWS_CONT);
    }
}

static bool is_tls(CURL *easy)
{
    const char *scheme = NULL;

    return curl_easy_getinfo(easy, CURLINFO_SCHEME, &scheme) == CURLE_OK && scheme &&
           strcasecmp(scheme, "wss") == 0;
}

static bool is_writable(CURL *easy)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    struct pollfd descriptor;

    if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
        return false;
    descriptor = (struct pollfd){.fd = fd, .events = POLLOUT};
    return poll(&descriptor, 1, 0) == 1 && (descriptor.revents & POLLOUT);
}

static cw__io codec_send(cw__codec *base, uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes,
                         size_t *sent)
{
    codec_curl *c = (codec_curl *)base;
    unsigned flags = flags_of(opcode, is_final);
    static const uint8_t nothing;
    CURLcode code;

    /* OK with less than all sent, and AGAIN with something sent, are both "blocked in the middle" (8.14.1 and
     * 8.22: lib/ws.c). What is reported as sent must not be given again; the rest must. */
    *sent = 0;
    c->tls_text[0] = '\0';
    code = curl_ws_send(c->easy, data ? data : &nothing, len_bytes, sent, 0, flags);
    if (code == CURLE_AGAIN || (code == CURLE_OK && *sent < len_bytes)) {
        base->wants_read = c->is_tls && *sent == 0 && is_writable(c->easy);
        return CW__IO_AGAIN;
    }
    if (code != CURLE_OK)
        return fault(c, code, "sending");
    return CW__IO_OK;
}

static void codec_destroy(cw__codec *base)
{
    codec_curl *c = (codec_curl *)base;

    (void)curl_easy_setopt(c->easy, CURLOPT_VERBOSE, 0L);
    (void)curl_easy_setopt(c->easy, CURLOPT_DEBUGFUNCTION, NULL);
    cw__free(c);
}

/* curl_ws_recv reads on, into as many chunks of 64 KiB as it takes, until a read does not fill its chunk (lib/bufq.c,
 * 8.14.1 and 8.22): a peer that keeps up with that would have no end put to it, in memory or in time. TLS hands
 * out 16 KiB at a time, which fills no chunk. Over a long way the window of TCP is the end: it takes a round trip
 * to fill again. For a plain connection over a short way the window is kept under a chunk. */
static void bound_reads(CURL *easy)
{
#ifdef __linux__
    curl_socket_t fd = CURL_SOCKET_BAD;
    struct tcp_info info;
    socklen_t len = sizeof info;
    int window = WINDOW_BYTES;

    if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
        return;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 || info.tcpi_rtt >= NEAR_RTT_US)
        return;
    /* A buffer of a set size is no longer tuned by the kernel, which would raise the clamp with it. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &window, sizeof window);
#else
    (void)easy;
#endif
}

cw__codec *cw__codec_curl_create(void *easy, cw__error *fault_of_socket)
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
    c->base.fault = fault_of_socket;
    c->easy = easy;
    (void)curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
    (void)curl_easy_setopt(easy, CURLOPT_DEBUGDATA, (void *)c);
    (void)curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
    c->is_tls = is_tls(easy);
    if (!c->is_tls)
        bound_reads(easy);
    return &c->base;
}

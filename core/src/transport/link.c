/* SPDX-License-Identifier: MIT */
/* Link: reads and writes the bytes of an open connection, closes it, and explains libcurl's failures. Both codecs use it,
 * under the socket's lock. It knows no frames.
 *
 * libcurl makes every connection. A bare connection has neither TLS nor a proxy. It is read and written at its
 * descriptor, as libcurl allows for connect-only handles (CURLINFO_ACTIVESOCKET). curl_easy_send looks its connection
 * up in a table at each call (8.14.1, 8.22), which takes a quarter of the time of a small message. Once libcurl holds
 * no bytes of a bare connection, the link takes it over and frees the handle.
 *
 * libcurl (8.14.1, 8.22) writes a failure to the error buffer only once in a transfer, and connecting may have used
 * that up. The debug function gets every failure. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/sockios.h> /* SIOCOUTQ */
#elif defined(__FreeBSD__)
#include <sys/filio.h> /* FIONWRITE */
#endif

#include "transport.h"

enum {
    DISCARD_BYTES = 128 * 1024 /* dropped in one turn, so that the service thread reaches other sockets too */
};

/* ---- libcurl's texts ---- */

/* Keeps texts such as "OpenSSL SSL_read: ..." and "GnuTLS recv error ...", because the CURLcodes only say that
 * something failed. */
static void keep_tls_text(cw__link *l, const char *text, size_t len_bytes)
{
    size_t len = len_bytes < sizeof l->tls_text ? len_bytes : sizeof l->tls_text - 1;
    char copy[sizeof l->tls_text];

    memcpy(copy, text, len);
    while (len > 0 && copy[len - 1] == '\n')
        len--;
    copy[len] = '\0';
    if (!*l->tls_text && (strstr(copy, "SSL_read: ") || strstr(copy, "SSL_write: ") || strstr(copy, "GnuTLS")))
        memcpy(l->tls_text, copy, len + 1);
}

static int on_debug(CURL *easy, curl_infotype type, char *text, size_t len_bytes, void *user)
{
    cw__link *l = user;
    const char prefix[] = "[WS] ";
    size_t skip = sizeof prefix - 1;

    (void)easy;
    if (type == CURLINFO_TEXT)
        keep_tls_text(l, text, len_bytes);
    if (type != CURLINFO_TEXT || len_bytes <= skip || memcmp(text, prefix, skip) != 0 || l->has_complaint)
        return 0;
    len_bytes -= skip;
    if (text[skip + len_bytes - 1] == '\n')
        len_bytes--;
    if (len_bytes >= sizeof l->complaint)
        len_bytes = sizeof l->complaint - 1;
    memcpy(l->complaint, text + skip, len_bytes);
    l->complaint[len_bytes] = '\0';
    l->has_complaint = true;
    return 0;
}

static cw__io lost(cw__link *l, CURLcode code, int os_errno, const char *doing)
{
    cw__failure_lost((int)code, os_errno, l->tls_text, l->party, doing, l->fault);
    return CW__IO_FAULT;
}

bool cw__link_enter(cw__link *l)
{
    if (l->never_waits)
        return cw__pool_try_enter(l->pool);
    cw__pool_enter(l->pool);
    return true;
}

/* Sets the fault. The caller must be inside the pool, because libcurl (8.22) looks the handle up in its multi even for
 * curl_easy_getinfo. */
static cw__io fault_inside(cw__link *l, CURLcode code, const char *doing)
{
    long os_errno = 0;

    (void)curl_easy_getinfo(l->easy, CURLINFO_OS_ERRNO, &os_errno);
    /* These may be left from connecting, for example from another address that refused. They are not about this
     * connection. */
    if (os_errno == EINPROGRESS || os_errno == ECONNREFUSED || os_errno == EAGAIN)
        os_errno = 0;
    return lost(l, code, (int)os_errno, doing);
}

cw__io cw__link_fault(cw__link *l, CURLcode code, const char *doing)
{
    cw__io io;

    cw__pool_enter(l->pool);
    io = fault_inside(l, code, doing);
    cw__pool_exit(l->pool);
    return io;
}

/* ---- Bytes, at the descriptor ---- */

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* libcurl sets SO_NOSIGPIPE on systems without this flag */
#endif

static bool would_block(int os_errno) { return os_errno == EAGAIN || os_errno == EWOULDBLOCK; }

static cw__io recv_bare(cw__link *l, void *buffer, size_t size_bytes, size_t *len_bytes)
{
    ssize_t len;

    do
        len = recv(l->fd, buffer, size_bytes, 0);
    while (len < 0 && errno == EINTR);
    if (len < 0)
        return would_block(errno) ? CW__IO_AGAIN : lost(l, CURLE_RECV_ERROR, errno, "receiving");
    *len_bytes = (size_t)len;
    l->received_bytes += (size_t)len;
    return len > 0 ? CW__IO_OK : CW__IO_END;
}

static cw__io send_bare(cw__link *l, const char *data, size_t len_bytes, size_t *sent_bytes)
{
    while (*sent_bytes < len_bytes) {
        ssize_t sent = send(l->fd, data + *sent_bytes, len_bytes - *sent_bytes, MSG_NOSIGNAL);
        if (sent >= 0) {
            *sent_bytes += (size_t)sent;
            l->sent_bytes += (size_t)sent;
        } else if (would_block(errno))
            return CW__IO_AGAIN;
        else if (errno != EINTR)
            return lost(l, CURLE_SEND_ERROR, errno, "sending");
    }
    return CW__IO_OK;
}

/* ---- Bytes, through libcurl ---- */

void cw__link_begin(cw__link *l) { l->tls_text[0] = '\0'; }

static bool is_writable(int fd)
{
    struct pollfd descriptor = {.fd = fd, .events = POLLOUT};

    return poll(&descriptor, 1, 0) == 1 && (descriptor.revents & POLLOUT);
}

cw__io cw__link_is_full(cw__link *l, size_t sent_bytes)
{
    l->wants_read = l->is_tls && sent_bytes == 0 && is_writable(l->fd);
    return CW__IO_AGAIN;
}

cw__io cw__link_recv(cw__link *l, void *buffer, size_t size_bytes, size_t *len_bytes)
{
    CURLcode code;
    cw__io io;

    *len_bytes = 0;
    if (cw__link_reads_bare(l))
        return recv_bare(l, buffer, size_bytes, len_bytes);
    cw__link_begin(l);
    if (!cw__link_enter(l))
        return CW__IO_BUSY;
    code = curl_easy_recv(l->easy, buffer, size_bytes, len_bytes);
    if (code == CURLE_AGAIN) {
        l->has_leftover = false;
        io = CW__IO_AGAIN;
    } else if (code != CURLE_OK)
        io = fault_inside(l, code, "receiving");
    else
        io = *len_bytes > 0 ? CW__IO_OK : CW__IO_END;
    l->received_bytes += *len_bytes;
    cw__pool_exit(l->pool);
    return io;
}

cw__io cw__link_send(cw__link *l, const void *data, size_t len_bytes, size_t *sent_bytes)
{
    cw__io io = CW__IO_OK;

    *sent_bytes = 0;
    if (l->is_bare)
        return send_bare(l, data, len_bytes, sent_bytes);
    cw__link_begin(l);
    while (io == CW__IO_OK && *sent_bytes < len_bytes) {
        size_t sent = 0;
        CURLcode code;
        if (!cw__link_enter(l)) {
            l->wants_read = false;
            return CW__IO_AGAIN;
        }
        code = curl_easy_send(l->easy, (const char *)data + *sent_bytes, len_bytes - *sent_bytes, &sent);
        if (code != CURLE_OK && code != CURLE_AGAIN)
            io = fault_inside(l, code, "sending");
        else if (sent == 0)
            io = cw__link_is_full(l, *sent_bytes);
        else
            *sent_bytes += sent;
        l->sent_bytes += sent;
        cw__pool_exit(l->pool);
    }
    return io;
}

/* TLS writes each record of 16 KiB by its own call, and TCP would send each record at once. On loopback that takes a
 * third of the time of a 1 MiB message. */
void cw__link_cork(cw__link *l, bool is_held)
{
#ifdef TCP_CORK
    int value = is_held;

    if (l->is_tls)
        (void)setsockopt(l->fd, IPPROTO_TCP, TCP_CORK, &value, sizeof value);
#else
    (void)l, (void)is_held;
#endif
}

cw__io cw__link_discard(cw__link *l)
{
    uint8_t scrap[16 * 1024];
    cw__io io = CW__IO_OK;
    size_t len;

    for (size_t share = 0; io == CW__IO_OK && share < DISCARD_BYTES; share += len)
        io = cw__link_recv(l, scrap, sizeof scrap, &len);
    return io;
}

int cw__link_unacknowledged(const cw__link *l)
{
    int held = 0;
#if defined(SIOCOUTQ)
    bool is_known = ioctl(l->fd, SIOCOUTQ, &held) == 0;
#elif defined(FIONWRITE) /* FreeBSD */
    bool is_known = ioctl(l->fd, FIONWRITE, &held) == 0;
#elif defined(SO_NWRITE) /* macOS */
    socklen_t len = sizeof held;
    bool is_known = getsockopt(l->fd, SOL_SOCKET, SO_NWRITE, &held, &len) == 0;
#else
    bool is_known = false;
    (void)l;
#endif
    /* cppcheck-suppress duplicateExpressionTernary ; where the system can tell, it sets held */
    return is_known ? held : 0;
}

uint64_t cw__link_sent_bytes(const cw__link *l) { return l->sent_bytes; }
uint64_t cw__link_received_bytes(const cw__link *l) { return l->received_bytes; }

size_t cw__link_wire_bytes(const cw__link *l, size_t len_bytes)
{
    enum { RECORD_BYTES = 29 }; /* added to the payload by TLS 1.2 with AES-GCM; TLS 1.3 adds 22 */

    return len_bytes + (l->is_tls ? RECORD_BYTES : 0);
}

void cw__link_set_send_buffer(cw__link *l, int size_bytes)
{
    (void)setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof size_bytes);
}

/* ---- Making and ending ---- */

static bool is_of_scheme(CURL *easy, const char *wanted)
{
    const char *scheme = NULL;

    return curl_easy_getinfo(easy, CURLINFO_SCHEME, &scheme) == CURLE_OK && scheme &&
           strcasecmp(scheme, wanted) == 0;
}

static bool has_proxy(CURL *easy)
{
    long used_proxy = 1;

    return curl_easy_getinfo(easy, CURLINFO_USED_PROXY, &used_proxy) != CURLE_OK || used_proxy;
}

cw__link *cw__link_create(CURL *easy, cw__pool *pool, int fd, cw__error *fault)
{
    cw__link *l = cw__calloc(1, sizeof *l);

    if (!l)
        return NULL;
    l->easy = easy;
    l->pool = pool;
    l->fd = fd;
    l->fault = fault;
    l->is_tls = is_of_scheme(easy, "wss");
    l->is_bare = is_of_scheme(easy, "ws") && !has_proxy(easy);
    l->has_leftover = true;
    l->least_bytes = 1;
    l->party = "the server";
    (void)curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
    (void)curl_easy_setopt(easy, CURLOPT_DEBUGDATA, (void *)l);
    (void)curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
    return l;
}

static void leave_handle(cw__link *l)
{
    if (!l->easy)
        return;
    (void)curl_easy_setopt(l->easy, CURLOPT_VERBOSE, 0L);
    (void)curl_easy_setopt(l->easy, CURLOPT_DEBUGFUNCTION, NULL);
    l->easy = NULL;
}

void cw__link_destroy(cw__link *l)
{
    leave_handle(l);
    cw__free(l);
}

void cw__link_close(cw__link *l)
{
    CURL *easy = l->easy;

    leave_handle(l);
    if (easy)
        cw__pool_end(l->pool, easy);
    else
        (void)close(l->fd);
    l->pool = NULL;
    l->fd = -1;
}

/* The descriptor that libcurl must not close now. */
static _Thread_local int taken_over = -1;

int cw__link_close_socket(void *unused, curl_socket_t fd)
{
    (void)unused;
    return fd == taken_over ? 0 : close(fd);
}

/* libcurl (8.14.1, 8.22) calls neither shutdown nor recv at the end of a connect-only connection (lib/conncache.c). */
void cw__link_take_over(cw__link *l)
{
    int fd = l->fd;

    taken_over = fd;
    cw__link_close(l);
    taken_over = -1;
    l->fd = fd;
}

void cw__link_empty(int fd)
{
    /* A peer that sends more than MOST_BYTES gets an RST. */
    enum { SCRAP_BYTES = 16 * 1024, MOST_BYTES = 8 * 1024 * 1024 };
    uint8_t scrap[SCRAP_BYTES];
    ssize_t len = 1;

    for (size_t total = 0; len > 0 && total < MOST_BYTES; total += (size_t)len)
        len = recv(fd, scrap, sizeof scrap, MSG_DONTWAIT);
}

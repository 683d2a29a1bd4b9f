/* SPDX-License-Identifier: MIT */
/* A server inside the test's own process, for tests that decide when the peer reads and when it writes. It does the
 * opening handshake. After that, the test makes each read and write by a call. Tests use the scripted server of peer.h
 * if that is enough. One thread at a time makes calls here. */
#ifndef RAW_PEER_H
#define RAW_PEER_H

#include "peer.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

enum { RAW_BUFFER_BYTES = 64 * 1024, RAW_SEND_BUFFER_BYTES = 64 * 1024, RAW_SEGMENT_BYTES = 1400 };

typedef struct raw_peer {
    cw_socket *s; /* the client */
    int fd;
    char uri[64];
    uint8_t buffer[RAW_BUFFER_BYTES];
    size_t have_bytes, used_bytes;
} raw_peer;

typedef struct raw_frame {
    cw__frame head;
    uint8_t *payload; /* unmasked; from the C library; the caller frees the payload */
} raw_frame;

static inline int raw_listen(char uri[64])
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), segment = RAW_SEGMENT_BYTES;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* Loopback sends segments of 64 KiB. The last part of a window would wait for a full segment, for 200 ms. */
    CHECK_INT(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment), 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 1) == 0 &&
          getsockname(fd, (struct sockaddr *)&at, &len) == 0);
    (void)snprintf(uri, 64, "ws://127.0.0.1:%d/", ntohs(at.sin_port));
    return fd;
}

static inline void raw_write(raw_peer *p, const void *data, size_t len_bytes)
{
    size_t done = 0;

    while (done < len_bytes) { /* a stop of the process ends a send in the middle */
        ssize_t sent = send(p->fd, (const char *)data + done, len_bytes - done, MSG_NOSIGNAL);
        CHECK(sent > 0);
        done += (size_t)sent;
    }
}

static inline void raw_write_both(raw_peer *p, void *data, size_t len_bytes, const void *more,
                                  size_t more_bytes)
{
    struct iovec parts[2] = {{data, len_bytes}, {(void *)(uintptr_t)more, more_bytes}};

    CHECK_INT(writev(p->fd, parts, more_bytes ? 2 : 1), len_bytes + more_bytes);
}

#define RAW_SEND(p, bytes) raw_write((p), (bytes), sizeof(bytes) - 1)

/* Reads the request and makes the reply, in p->buffer. Returns its length. */
static inline size_t raw_make_reply(raw_peer *p)
{
    char key[64] = "", text[128], accept_value[32], *at;
    size_t len = 0;
    uint8_t digest[20];
    ssize_t got;

    while (len < 4 || memcmp(p->buffer + len - 4, "\r\n\r\n", 4) != 0) {
        got = recv(p->fd, p->buffer + len, sizeof p->buffer - 1 - len, 0);
        CHECK(got > 0);
        len += (size_t)got;
    }
    p->buffer[len] = '\0';
    at = strstr((char *)p->buffer, "Sec-WebSocket-Key: ");
    CHECK(at && sscanf(at, "Sec-WebSocket-Key: %60s", key) == 1);
    (void)snprintf(text, sizeof text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    cw__sha1(text, strlen(text), digest);
    cw__base64(digest, sizeof digest, accept_value);
    p->have_bytes = p->used_bytes = 0;
    return (size_t)snprintf((char *)p->buffer, sizeof p->buffer,
                            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: %s\r\n\r\n",
                            accept_value);
}

/* Reads the request and sends the reply, with more bytes in the same write or in the first packet. */
static inline void raw_answer_with(raw_peer *p, const void *more, size_t more_bytes)
{
    size_t len = raw_make_reply(p);

    raw_write_both(p, p->buffer, len, more, more_bytes);
}

static inline void raw_answer(raw_peer *p) { raw_answer_with(p, NULL, 0); }

/* Opens s, a new socket whose controls are set. Its send buffer is made small, so that little data fills it. */
static inline void raw_open(raw_peer *p, cw_socket *s)
{
    int listener = raw_listen(p->uri), size = RAW_SEND_BUFFER_BYTES, yes = 1;

    p->s = s;
    CHECK_STATUS(cw_socket_connect_start(s, p->uri, strlen(p->uri), CW_TIMEOUT_DEFAULT), CW_OK);
    p->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(p->fd >= 0 && setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
    (void)close(listener);
    raw_answer(p);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_OK);
    cw__mutex_lock(&s->lock);
    CHECK_INT(setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    cw__mutex_unlock(&s->lock);
}

/* Ends the server's TCP by FIN; raw_reset ends it by RST. */
static inline void raw_end(raw_peer *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
}

/* Waits until the client's system has received all written bytes. */
static inline bool raw_is_delivered(raw_peer *p)
{
    int held = 0;

    CHECK_INT(ioctl(p->fd, SIOCOUTQ, &held), 0);
    return held == 0;
}

static inline void raw_reset(raw_peer *p)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    UNTIL(raw_is_delivered(p)); /* a reset drops bytes that are not acknowledged */

    CHECK_INT(setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    raw_end(p);
}

/* Reads len_bytes; fewer only at the end of the connection. */
static inline size_t raw_read(raw_peer *p, uint8_t *to, size_t len_bytes)
{
    size_t done = 0;

    while (done < len_bytes) {
        size_t run = p->have_bytes - p->used_bytes;
        if (run == 0) {
            ssize_t got = recv(p->fd, p->buffer, sizeof p->buffer, 0);
            if (got <= 0)
                return done;
            p->have_bytes = (size_t)got;
            p->used_bytes = 0;
            continue;
        }
        run = run < len_bytes - done ? run : len_bytes - done;
        memcpy(to + done, p->buffer + p->used_bytes, run);
        p->used_bytes += run;
        done += run;
    }
    return done;
}

/* Waits for the client's next frame, which must be masked (RFC 6455 5.1). Returns false at the end of the connection.
 * If the connection ends in the middle of a frame, the test fails. */
static inline bool raw_next(raw_peer *p, raw_frame *f)
{
    cw__frame_decoder decoder = {0};
    size_t used, len;
    uint8_t byte;

    f->payload = NULL;
    for (bool is_first = true;; is_first = false) {
        cw__decode decoded;
        if (raw_read(p, &byte, 1) == 0) {
            CHECK(is_first);
            return false;
        }
        decoded = cw__frame_decode(&decoder, &byte, 1, &used, &f->head);
        CHECK(decoded != CW__DECODE_BAD);
        if (decoded == CW__DECODE_DONE)
            break;
    }
    CHECK(f->head.is_masked);
    len = (size_t)f->head.payload_bytes;
    f->payload = malloc(len + 1);
    CHECK(f->payload != NULL);
    CHECK_INT(raw_read(p, f->payload, len), len);
    cw__frame_mask(f->payload, f->payload, len, f->head.mask, 0);
    f->payload[len] = '\0';
    return true;
}

/* Takes the client's next frame and checks its opcode and payload. */
#define RAW_EXPECT(p, wanted_opcode, wanted, wanted_bytes)                            \
    do {                                                                              \
        raw_frame raw_is;                                                             \
        CHECK(raw_next((p), &raw_is));                                                \
        CHECK_INT(raw_is.head.opcode, wanted_opcode);                                 \
        CHECK_BYTES(raw_is.payload, raw_is.head.payload_bytes, wanted, wanted_bytes); \
        free(raw_is.payload);                                                         \
    } while (0)

/* Reads and drops everything until the end of the connection. For a thread of its own. */
static inline void *raw_drain(void *peer)
{
    raw_peer *p = peer;

    while (recv(p->fd, p->buffer, sizeof p->buffer, 0) > 0)
        continue;
    return NULL;
}

/* Reads a number or a bool of the socket, under its lock. */
#define LOCKED(s, expression)              \
    __extension__({                        \
        cw_socket *locked_s = (s);         \
        int64_t locked_is;                 \
        cw__mutex_lock(&locked_s->lock);   \
        locked_is = (int64_t)(expression); \
        cw__mutex_unlock(&locked_s->lock); \
        locked_is;                         \
    })

static inline void raw_finish(raw_peer *p)
{
    raw_end(p);
    peer_finish(p->s);
}

#endif

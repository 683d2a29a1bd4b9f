/* SPDX-License-Identifier: MIT */
/* The peer of fuzz_socket.c, a thread of the same process. It accepts connections on loopback one after another, answers the
 * handshake, sends the bytes of the run in pieces, and ends the connection in one of several ways. */
#ifndef SOCKET_PEER_H
#define SOCKET_PEER_H

#include "fuzz.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PEER_ANSWERS_RAW = 1, /* sends the bytes instead of the 101 */
    PEER_GREETS = 2,      /* sends the bytes and the 101 in one write */
    PEER_IS_DEAF = 4,     /* reads nothing before it ends */
    PEER_RESETS = 8,
    PEER_STAYS = 16, /* ends only after the client has ended */
};

static struct {
    int listener;
    struct sockaddr_in address;
    char uri[64];
    uint8_t flags; /* the flags of the run; set before the client connects */
    const uint8_t *data;
    size_t len_bytes;
} peer = {.listener = -1};

/* Receives again if a signal has interrupted it, because libFuzzer's timer sends signals. */
static ssize_t peer_recv(int fd, void *to, size_t size_bytes)
{
    ssize_t got;
    do
        got = recv(fd, to, size_bytes, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

static void peer_drain(int fd)
{
    char scrap[4096];
    while (peer_recv(fd, scrap, sizeof scrap) > 0)
        continue;
}

static size_t peer_answer(int fd, char *to, size_t room_bytes)
{
    char request[8192] = "", text[64 + 37] = "", key[64] = "";
    size_t len = 0;
    uint8_t digest[20];
    const char *at;

    while (len + 1 < sizeof request && !strstr(request, "\r\n\r\n")) {
        ssize_t got = peer_recv(fd, request + len, sizeof request - 1 - len);
        if (got <= 0)
            return 0;
        request[len += (size_t)got] = '\0';
    }
    at = strstr(request, "Sec-WebSocket-Key: ");
    DEMAND(at && sscanf(at, "Sec-WebSocket-Key: %60s", key) == 1);
    (void)snprintf(text, sizeof text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    cw__sha1(text, strlen(text), digest);
    cw__base64(digest, sizeof digest, key);
    return (size_t)snprintf(to, room_bytes,
                            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: %s\r\n\r\n",
                            key);
}

static void peer_serve(int fd)
{
    struct timeval limit = {.tv_sec = 30};
    struct linger now = {.l_onoff = 1};
    char first[256 + 4096];
    size_t have, sent = 0;
    uint32_t seed = peer.len_bytes ? peer.data[0] : 0;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    have = peer_answer(fd, first, sizeof first);
    if (have == 0)
        return;
    if (peer.flags & PEER_ANSWERS_RAW)
        have = 0;
    else if (peer.flags & PEER_GREETS)
        while (sent < peer.len_bytes && have < sizeof first)
            first[have++] = (char)peer.data[sent++];
    (void)send(fd, first, have, MSG_NOSIGNAL);
    while (sent < peer.len_bytes) {
        size_t run = fuzz_run(&seed, peer.len_bytes - sent);
        if (send(fd, peer.data + sent, run, MSG_NOSIGNAL) != (ssize_t)run)
            break;
        sent += run;
    }
    if (peer.flags & PEER_RESETS)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    else if (!(peer.flags & PEER_STAYS))
        (void)shutdown(fd, SHUT_WR);
    if (!(peer.flags & PEER_IS_DEAF))
        peer_drain(fd);
}

static void *peer_main(void *unused)
{
    for (;;) {
        int fd = accept(peer.listener, NULL, NULL);
        if (fd < 0)
            continue;
        peer_serve(fd);
        (void)close(fd);
    }
    return unused;
}

static void peer_start(void)
{
    socklen_t len = sizeof peer.address;
    pthread_t thread;

    peer.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer.address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    DEMAND(peer.listener >= 0 && bind(peer.listener, (struct sockaddr *)&peer.address, len) == 0);
    DEMAND(listen(peer.listener, 8) == 0);
    DEMAND(getsockname(peer.listener, (struct sockaddr *)&peer.address, &len) == 0);
    (void)snprintf(peer.uri, sizeof peer.uri, "ws://127.0.0.1:%d/", ntohs(peer.address.sin_port));
    DEMAND(pthread_create(&thread, NULL, peer_main, NULL) == 0 && pthread_detach(thread) == 0);
}

/* Waits until the peer has finished all connections. It makes one more, silent connection and waits for its turn. */
static void peer_settle(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr *address = (struct sockaddr *)&peer.address;

    DEMAND(fd >= 0);
    /* After a signal, the connection goes on, and the next call gives EALREADY or EISCONN. */
    while (connect(fd, address, sizeof peer.address) != 0 && errno != EISCONN)
        DEMAND(errno == EINTR || errno == EALREADY);
    (void)shutdown(fd, SHUT_WR);
    peer_drain(fd);
    (void)close(fd);
}

#endif

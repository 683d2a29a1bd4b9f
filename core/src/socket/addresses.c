/* SPDX-License-Identifier: MIT */
/* Addresses: reads the addresses of both ends of an open connection, for the information about it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "socket.h"

/* Writes "unix:/path", "unix:@abstract", or "unix:" for a socket without a name, which a client has. A name has any bytes.
 * What is not printable ASCII becomes "?". */
static void put_unix(const struct sockaddr_un *address, size_t len_bytes, char out[CW__ADDRESS_BYTES])
{
    size_t start = offsetof(struct sockaddr_un, sun_path), at = strlen("unix:");

    memcpy(out, "unix:", at);
    for (size_t i = 0; start + i < len_bytes && at < CW__ADDRESS_BYTES - 1; i++) {
        char c = address->sun_path[i];
        if (c == '\0' && i > 0 && address->sun_path[0])
            break;
        out[at++] = c == '\0' && i == 0 ? '@' : c >= ' ' && c < 0x7f ? c : '?';
    }
    out[at] = '\0';
}

static void put_address(const struct sockaddr_storage *address, size_t len_bytes, char out[CW__ADDRESS_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "";

    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        (void)snprintf(out, CW__ADDRESS_BYTES, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        (void)snprintf(out, CW__ADDRESS_BYTES, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else if (address->ss_family == AF_UNIX) {
        put_unix((const struct sockaddr_un *)address, len_bytes, out);
    }
}

void cw__addresses_read_locked(cw_socket *s)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;

    if (getsockname(s->fd, (struct sockaddr *)&address, &len) == 0)
        put_address(&address, len, s->local_address);
    len = sizeof address;
    if (getpeername(s->fd, (struct sockaddr *)&address, &len) == 0)
        put_address(&address, len, s->remote_address);
}

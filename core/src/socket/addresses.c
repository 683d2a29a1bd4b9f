/* SPDX-License-Identifier: MIT */
/* Addresses: reads the addresses of both ends of an open connection, for the information about it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "socket.h"

static void put_address(const struct sockaddr_storage *address, char out[CW__ADDRESS_BYTES])
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
    }
}

void cw__addresses_read_locked(cw_socket *s)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;

    if (getsockname(s->fd, (struct sockaddr *)&address, &len) == 0)
        put_address(&address, s->local_address);
    len = sizeof address;
    if (getpeername(s->fd, (struct sockaddr *)&address, &len) == 0)
        put_address(&address, s->remote_address);
}

/* SPDX-License-Identifier: MIT */
/* Bandwidth: what the kernel has measured of a connection (TCP_INFO): its speed, and how long it is silent. Only Linux tells.
 * The socket calls this file. It needs no lock of its own. */
#include <stddef.h>
#include <string.h>

#ifdef __linux__
#include <linux/tcp.h> /* glibc's own netinet/tcp.h lacks tcpi_delivery_rate */
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#include "transport.h"

enum { BITS_PER_BYTE = 8, US_PER_S = 1000000 };

void cw__link_bandwidth(const cw__link *l, cw_bandwidth_statistics *out)
{
#ifdef __linux__
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    memset(out, 0, sizeof *out);
    if (getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return;
    /* What an older kernel does not fill in stays 0. */
    out->outbound_bits_per_second = info.tcpi_delivery_rate * BITS_PER_BYTE;
    out->outbound_bandwidth_peaked = info.tcpi_delivery_rate > 0 && !info.tcpi_delivery_rate_app_limited;
    if (info.tcpi_rcv_rtt > 0)
        out->inbound_bits_per_second =
            (uint64_t)info.tcpi_rcv_space * BITS_PER_BYTE * US_PER_S / info.tcpi_rcv_rtt;
#else
    (void)l;
    memset(out, 0, sizeof *out);
#endif
}

int64_t cw__link_silent_ms(const cw__link *l)
{
#ifdef __linux__
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    return getsockopt(l->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 ? (int64_t)info.tcpi_last_data_recv : 0;
#else
    (void)l;
    return 0;
#endif
}

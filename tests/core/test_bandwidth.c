/* SPDX-License-Identifier: MIT */
/* Tests of bandwidth.c: the speed of a connection, against what the kernel says. */
#include "peer.h"

#include <linux/tcp.h>
#include <netinet/in.h>

enum { BYTES = 1 << 20, MESSAGES = 8 };

static cw_bandwidth_statistics read_it(cw_socket *s)
{
    cw_bandwidth_statistics b;

    memset(&b, 0xff, sizeof b);
    CHECK_STATUS(cw_socket_get_bandwidth_statistics(s, &b), CW_OK);
    return b;
}

static void check_none(cw_socket *s)
{
    cw_bandwidth_statistics b = read_it(s);

    CHECK(b.outbound_bits_per_second == 0 && b.inbound_bits_per_second == 0);
    CHECK(b.outbound_bits_per_second_instability == 0 && b.inbound_bits_per_second_instability == 0);
    CHECK(!b.outbound_bandwidth_peaked && !b.inbound_bandwidth_peaked);
}

/* Compares with TCP_INFO. The connection is idle, so the numbers do not change. */
static void check_same(cw_socket *s)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    cw_bandwidth_statistics b = read_it(s);
    uint64_t inbound = 0;

    CHECK_INT(getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    if (info.tcpi_rcv_rtt)
        inbound = (uint64_t)info.tcpi_rcv_space * 8 * 1000000 / info.tcpi_rcv_rtt;
    CHECK_INT(b.inbound_bits_per_second, inbound);
    CHECK_INT(b.outbound_bits_per_second, info.tcpi_delivery_rate * 8);
    CHECK_INT(b.outbound_bandwidth_peaked, info.tcpi_delivery_rate > 0 && !info.tcpi_delivery_rate_app_limited);
    CHECK_INT(b.outbound_bits_per_second_instability + b.inbound_bits_per_second_instability, 0);
    CHECK(!b.inbound_bandwidth_peaked);
}

static void test_speed(void)
{
    static uint8_t data[BYTES];
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    check_none(s);
    peer_connect(s, peer_script("echo/end"));
    for (int i = 0; i < MESSAGES; i++) {
        CHECK_STATUS(cw_socket_send(s, CW_BINARY, data, sizeof data, CW_TIMEOUT_NEVER), CW_OK);
        CHECK_MESSAGE(s, CW_BINARY, data, sizeof data);
    }
    check_same(s);
    CHECK(read_it(s).outbound_bits_per_second > 0);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK_STATUS(cw_shutdown(5000), CW_OK); /* TCP has ended too */
    check_none(s);
    peer_finish(s);
}

static const harness_test tests[] = {
    {"the speed of a connection", test_speed},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

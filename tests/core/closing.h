/* SPDX-License-Identifier: MIT */
/* Helpers for the tests of closing: test_closing.c, test_closing_calls.c. */
#ifndef CLOSING_H
#define CLOSING_H

#include "peer.h"

static inline cw_socket *closing_socket(int64_t close_timeout_ms)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_CLOSE_TIMEOUT, close_timeout_ms), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 0), CW_OK);
    return s;
}

static inline void check_reason(cw_socket *s, const char *wanted)
{
    char reason[128];
    int code;

    (void)cw_socket_get_closed(s, &code, reason, sizeof reason, NULL);
    CHECK_STR(reason, wanted);
}

/* Returns the client's only close frame. */
static inline void check_close_frame(const char *log, int code, const char *reason)
{
    peer_frame f = {0};
    size_t n = 0;

    CHECK_INT(peer_count_frames(log, CW__OP_CLOSE), 1);
    while (peer_get_frame(log, n, &f) && f.opcode != CW__OP_CLOSE)
        n++;
    CHECK(f.fin && f.masked);
    CHECK_INT(peer_close_code(log), code);
    CHECK_INT(f.length, code == 1005 ? 0 : 2 + strlen(reason));
    if (code != 1005)
        CHECK(strncmp(f.payload + 4, peer_hex(reason), 2 * strlen(reason)) == 0);
    CHECK(!peer_get_frame(log, n + 1, &f)); /* no frame follows the close frame (5.5.1) */
}

#define REASON_123                                                                                \
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890" \
    "123456789012345678901234567890\xc3\xa9"

#endif

/* SPDX-License-Identifier: MIT */
/* Tests of codec_curl.c where it must tell errors of the connection from violations by the peer: a reset, and errors
 * that libcurl reports. The tests of messages, pings and closing test the rest. */
#include "raw_peer.h"

/* A reset is not a violation. It ends in code 1006 with the system's text, after the earlier messages. */
static void check_reset(bool is_receiving)
{
    raw_peer *p = calloc(1, sizeof *p);
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_event *e = NULL;
    char reason[124];
    int code = 0;

    CHECK(p != NULL);
    raw_open(p, s);
    RAW_SEND(p, "\x81\x02hi\x01\x05hal");
    raw_reset(p);
    if (is_receiving) {
        CHECK_MESSAGE(s, CW_UTF8, "hi", 2);
        CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_CLOSED);
        CHECK_INT(cw_error_web_status(), CW_WEB_ConnectionReset);
    } else {
        CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_DEFAULT), CW_OK);
        CHECK_MESSAGE(s, CW_UTF8, "hi", 2);
        CHECK_STATUS(cw_socket_receive(s, 0, &e), CW_CLOSED);
        CHECK_INT(cw_error_web_status(), CW_WEB_ConnectionReset);
    }
    CHECK(!cw_socket_get_closed(s, &code, reason, sizeof reason, NULL));
    CHECK_INT(code, 1006);
    CHECK_HAS(reason, "lost");
    raw_finish(p);
    cw_shutdown(1000);
    free(p);
}

static void test_reset(void) { check_reset(true); }
static void test_reset_unwatched(void) { check_reset(false); }

static const harness_test tests[] = {
    {"RFC 6455 7.1.5: a reset under a receive is 1006 and ConnectionReset", test_reset},
    {"RFC 6455 7.1.5: a reset that the service finds is the same", test_reset_unwatched},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of inbound.c over connections: messages that go into the caller's memory, and large messages that are announced
 * when they begin to arrive. */
#include "gate.h"

/* Ends a test whose server does not answer a close frame. */
static void drop(cw_socket *s)
{
    cw_socket_abort(s);
    peer_finish(s);
}

static void check_long(cw_socket *s, size_t len)
{
    cw_event *e = NULL;
    size_t len_bytes;
    const uint8_t *data;

    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    data = cw_event_data(e, &len_bytes);
    CHECK_INT(len_bytes, len);
    for (size_t i = 0; i < len; i++)
        if (data[i] != 'a')
            HARNESS_FAIL("byte %zu of %zu is %02x", i, len, data[i]);
    cw_event_free(e);
}

#define CHECK_INTO(s, buffer, expected_type, text)                                                             \
    do {                                                                                                       \
        cw_received got_;                                                                                      \
        CHECK_STATUS(cw_socket_receive_into((s), (buffer), sizeof(buffer), CW_TIMEOUT_DEFAULT, &got_), CW_OK); \
        CHECK_INT(got_.message_type, (expected_type));                                                         \
        CHECK(got_.is_complete);                                                                               \
        CHECK_BYTES((buffer), got_.len_bytes, (text), sizeof(text) - 1);                                       \
    } while (0)

static void test_into(void)
{
    cw_socket *s =
        peer_open(CW_MESSAGE_SOCKET, peer_script("drip:010348656c890178000080026c6f8100/x:8203000102/"
                                                 "x:810b48656c6c6f20776f726c642182016181016282026364/"
                                                 "close:1000"));
    uint8_t buffer[16], small[1];
    cw_received got;

    CHECK_INTO(s, buffer, CW_UTF8, "Hello");
    CHECK_INTO(s, buffer, CW_UTF8, "");
    CHECK_INTO(s, buffer, CW_BINARY, "\0\1\2");
    CHECK_STATUS(cw_socket_receive_into(s, small, 1, CW_TIMEOUT_DEFAULT, &got), CW_INVALID_ARGUMENT);
    CHECK_INT(got.len_bytes, 11);
    CHECK_HAS(cw_error_message(), "11 bytes");
    CHECK_STATUS(cw_socket_receive_into(s, NULL, 0, CW_TIMEOUT_DEFAULT, &got), CW_INVALID_ARGUMENT);
    CHECK_MESSAGE(s, CW_UTF8, "Hello world", 11); /* the failed call kept the message */
    drop(s);
}

/* A message that a timeout interrupts continues in the socket's memory. Then any call can take it. */
static void test_into_in_parts(void)
{
    enum { HALF_BYTES = 100000 };
    static uint8_t buffer[2 * HALF_BYTES];
    cw_socket *s =
        peer_open(CW_MESSAGE_SOCKET, peer_script("x:827f%016x/repeat:%d:61/frame:1/repeat:%d:61/x:820162",
                                                 2 * HALF_BYTES, HALF_BYTES, HALF_BYTES));
    cw_received got;

    CHECK_STATUS(cw_socket_receive_into(s, buffer, sizeof buffer, 100, &got), CW_TIMED_OUT);
    CHECK_INT(got.len_bytes, 0);
    memset(buffer, 'x', sizeof buffer);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "go", 2, CW_TIMEOUT_DEFAULT), CW_OK);
    check_long(s, 2 * HALF_BYTES);
    CHECK_INTO(s, buffer, CW_BINARY, "b");
    drop(s);
}

static void test_into_errors(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    uint8_t buffer[8];
    cw_received got;

    CHECK_STATUS(cw_socket_receive_into(s, buffer, 8, 0, &got), CW_INVALID_STATE);
    cw_socket_release(s);
    s = peer_open(CW_STREAM_SOCKET, peer_script("frame:1/close:1000"));
    CHECK_STATUS(cw_socket_receive_into(s, buffer, 8, 0, &got), CW_INVALID_STATE);
    drop(s);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script("x:820161/x:8204616263/end"));
    CHECK_INTO(s, buffer, CW_BINARY, "a");
    CHECK_STATUS(cw_socket_receive_into(s, buffer, 8, CW_TIMEOUT_DEFAULT, &got), CW_CLOSED);
    peer_finish(s);
}

static void check_whole(cw_event *e, size_t coming, size_t size_bytes)
{
    size_t len = 0;

    CHECK_INT(coming, 0);
    (void)cw_event_data(e, &len);
    CHECK_INT(len, size_bytes);
    cw_event_free(e);
}

static void take_into(cw_socket *s, uint8_t *buffer, size_t size_bytes)
{
    cw_received got;

    memset(buffer, 'x', size_bytes);
    CHECK_STATUS(cw_socket_receive_into(s, buffer, size_bytes, CW_TIMEOUT_DEFAULT, &got), CW_OK);
    CHECK_INT(got.len_bytes, size_bytes);
    CHECK_INT(got.message_type, CW_BINARY);
    for (size_t i = 0; i < size_bytes; i++)
        if (buffer[i] != 'a')
            HARNESS_FAIL("byte %zu is wrong", i);
}

/* Takes a message by either call. Returns whether it was announced. */
static bool take_large(cw_socket *s, uint8_t *buffer, size_t size_bytes, bool takes_begun)
{
    cw_event *e = NULL;
    size_t coming = 9;

    CHECK_STATUS(cw_socket_receive_or_announce(s, CW_TIMEOUT_DEFAULT, &e, &coming), CW_OK);
    if (e) { /* the service thread read the message first, or libcurl decodes */
        check_whole(e, coming, size_bytes);
        return false;
    }
    CHECK_INT(coming, size_bytes);
    /* The service thread reads for a thread that has made no call for 10 ms. */
    if (cw_socket_try_receive_or_announce(s, &e, &coming) == CW_OK) {
        if (e) {
            check_whole(e, coming, size_bytes);
            return true;
        }
        CHECK_INT(coming, size_bytes);
    }
    if (takes_begun)
        take_into(s, buffer, size_bytes);
    else
        check_long(s, size_bytes);
    return true;
}

/* A large message is announced before it has arrived, if our own codec receives. */
static void test_begin(void)
{
    enum { LARGE_BYTES = 200000, TURNS = 20 };
    static uint8_t buffer[LARGE_BYTES];
    char steps[TURNS * 64] = "";
    char framing[16];
    size_t len = 0, told = 0;
    cw_socket *s;

    for (int i = 1; i <= TURNS; i++)
        (void)snprintf(steps + strlen(steps), sizeof steps - strlen(steps),
                       "frame:%d/x:827f%016x/repeat:%d:61/", i, LARGE_BYTES, LARGE_BYTES);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script("%shang", steps));
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_FRAMING, framing, sizeof framing, &len), CW_OK);
    for (int i = 0; i < TURNS; i++) {
        if (i == 0)
            hold_service(); /* so that this thread certainly reads one of the messages */
        CHECK_STATUS(cw_socket_send(s, CW_BINARY, "go", 2, CW_TIMEOUT_DEFAULT), CW_OK);
        told += take_large(s, buffer, LARGE_BYTES, i % 2 == 0);
        if (i == 0)
            let_service_go();
    }
    CHECK((told > 0) == (strcmp(framing, "native") == 0));
    drop(s);
}

static const harness_test tests[] = {
    {"receive_into: every type; a message that does not fit is kept", test_into},
    {"receive_into: a timeout in the middle of a message loses nothing", test_into_in_parts},
    {"receive_into: states, classes, a cut message", test_into_errors},
    {"a large message that begins to arrive, with either codec", test_begin},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

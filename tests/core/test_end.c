/* SPDX-License-Identifier: MIT */
/* Tests of when reading ends without an error (closing.c): only if no data can be missing. RFC 6455 section 7.4.1 gives
 * the meaning of the codes. */
#include "raw_peer.h"

#define UNFINISHED "x:010161" /* the start of a text message whose final frame never comes */

typedef struct end_case {
    const char *steps;
    int code;
    bool ends_stream, ends_messages; /* the stream and the messages end without an error */
} end_case;

static const end_case cases[] = {
    {"close:1000", 1000, true, true},
    {"close", 1005, true, true},
    {"close:1001", 1001, false, true},
    {"close:1002", 1002, false, false},
    {"close:1003", 1003, false, false},
    {"close:1007", 1007, false, false},
    {"close:1008", 1008, false, false},
    {"close:1011", 1011, false, false},
    {"close:1012", 1012, false, false},
    {"close:3000", 3000, false, false},
    {"close:4000", 4000, false, false},
    {UNFINISHED "/close:1000", 1000, false, false},
    {UNFINISHED "/close", 1005, false, false},
    {UNFINISHED "/close:1001", 1001, false, false},
    {UNFINISHED "/x:8900/x:000162/close:1000", 1000, false, false},
    {UNFINISHED "/x:800162/close:1000", 1000, true, true}, /* the message was finished */
    {UNFINISHED "/x:8000/close:1000", 1000, true, true},
    {UNFINISHED "/end", 1006, false, false},
    {"x:8802e800", 1006, false, false}, /* the peer breaks the protocol */
    {"end", 1006, false, false},
    {"rst", 1006, false, false},
};

enum { CASES = sizeof cases / sizeof cases[0] };

/* Bytes that arrived are returned first, and the end does not change. */
static void read_to_end(const end_case *c, const char *uri)
{
    cw_socket *s = peer_open(CW_STREAM_SOCKET, uri);
    cw_status wanted = c->ends_stream ? CW_OK : CW_CLOSED, status;
    char got[64];
    size_t total = 0, len = 0;

    while ((status = cw_socket_read(s, got + total, 2, CW_TIMEOUT_DEFAULT, &len)) == CW_OK && len > 0)
        total += len;
    CHECK_STATUS(status, wanted);
    CHECK(total >= 5 && memcmp(got, "bytes", 5) == 0);
    CHECK_STATUS(cw_socket_read(s, got, sizeof got, 0, &len), wanted);
    CHECK_STATUS(cw_socket_read(s, got, sizeof got, CW_TIMEOUT_NEVER, &len), wanted);
    CHECK_INT(len, 0);
    CHECK_INT(cw_socket_ended_normally(s), c->ends_stream);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    /* the same result when the connection has been freed */
    CHECK_INT(cw_socket_ended_normally(s), c->ends_stream);
    cw_socket_release(s);
}

static void test_stream(void)
{
    for (int i = 0; i < CASES; i++)
        read_to_end(&cases[i], peer_script("x:82056279746573/%s", cases[i].steps));
    cw_shutdown(5000);
}

static void test_stream_tls(void)
{
    for (int i = 0; i < CASES; i++)
        read_to_end(&cases[i], peer_script_tls("x:82056279746573/%s", cases[i].steps));
    cw_shutdown(5000);
}

static void receive_to_end(const end_case *c, int64_t receive_mode)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_event *e = NULL;
    cw_status status;
    int code;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_RECEIVE_MODE, receive_mode), CW_OK);
    CHECK(!cw_socket_ended_normally(s));
    peer_connect(s, peer_script("frame:1/x:82056279746573/%s", c->steps));
    CHECK(!cw_socket_ended_normally(s));
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, "bytes", 5);
    while ((status = cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e)) == CW_OK)
        cw_event_free(e);
    CHECK_STATUS(status, CW_CLOSED);
    CHECK_INT(cw_socket_ended_normally(s), c->ends_messages);
    if (strncmp(c->steps, UNFINISHED, sizeof UNFINISHED - 1) == 0 && !c->ends_messages && c->code != 1006)
        CHECK_HAS(cw_error_message(), "in the middle of a message");
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    (void)cw_socket_get_closed(s, &code, NULL, 0, NULL);
    CHECK_INT(code, c->code);
    CHECK_INT(cw_socket_ended_normally(s), c->ends_messages);
    cw_socket_release(s);
}

static void test_messages(void)
{
    for (int i = 0; i < CASES; i++) {
        receive_to_end(&cases[i], CW_FULL_MESSAGE);
        receive_to_end(&cases[i], CW_PARTIAL_MESSAGE);
    }
    cw_shutdown(5000);
}

/* A close or abort by the program is a normal end. */
static void test_ours(void)
{
    static const cw_class classes[] = {CW_MESSAGE_SOCKET, CW_STREAM_SOCKET};

    for (int i = 0; i < 2; i++) {
        cw_socket *s = peer_open(classes[i], peer_script(UNFINISHED "/echo/end"));
        CHECK_STATUS(cw_socket_close_start(s, 4000, NULL, 0), CW_OK);
        CHECK(cw_socket_ended_normally(s));
        CHECK_CLOSED(s, 4000, true);
        CHECK(cw_socket_ended_normally(s));
        cw_socket_release(s);
        s = peer_open(classes[i], peer_script("hang"));
        cw_socket_abort(s);
        CHECK(cw_socket_ended_normally(s));
        cw_socket_release(s);
        s = peer_open(classes[i], peer_script("close:1011")); /* a local close after the peer's close */
        UNTIL(cw_socket_state(s) == CW_STATE_CLOSED);
        CHECK(!cw_socket_ended_normally(s));
        CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
        CHECK(cw_socket_ended_normally(s));
        cw_socket_release(s);
    }
    cw_shutdown(5000);
}

/* Sends until a send fails. */
static void *send_on(void *arg)
{
    static const uint8_t data[4096];

    while (cw_socket_send(arg, CW_BINARY, data, sizeof data, CW_TIMEOUT_NEVER) == CW_OK)
        continue;
    return NULL;
}

/* The server ends TCP right after its close frame, while we send. Our close frame and our data do not arrive. */
static void end_while_sending(const char *uri, bool receives_first)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, uri);
    cw_event *e = NULL;
    pthread_t sender;
    int code;

    CHECK_INT(pthread_create(&sender, NULL, send_on, s), 0);
    if (receives_first)
        CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    CHECK_INT(pthread_join(sender, NULL), 0);
    if (!receives_first)
        CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_NEVER, &e), CW_CLOSED);
    CHECK(cw_socket_ended_normally(s));
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    (void)cw_socket_get_closed(s, &code, NULL, 0, NULL);
    CHECK_INT(code, 1000);
    cw_socket_release(s);
}

static void test_end_while_sending(void)
{
    enum { TIMES = 10 };

    for (int i = 0; i < TIMES; i++) {
        end_while_sending(peer_script("frame:3/stall/x:810161/close:1000/end"), i % 2);
        end_while_sending(peer_script_tls("frame:3/stall/x:810161/close:1000/end"), i % 2);
    }
    cw_shutdown(5000);
}

/* We close while the kernel still holds messages and the peer's close frame, and the peer's TCP has ended. Our close
 * frame cannot be sent, but the peer's code is reported. The inbox is full, so nothing was read before. */
static void test_close_behind_a_broken_write(void)
{
    enum { BYTES = 100, MESSAGES = 100, ROOM = 1024 };
    uint8_t message[2 + BYTES] = {0x82, BYTES};
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    raw_peer p;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_INBOUND_BUFFER_SIZE, ROOM), CW_OK);
    raw_open(&p, s);
    for (int i = 0; i < MESSAGES; i++)
        raw_write(&p, message, sizeof message);
    RAW_SEND(&p, "\x88\x02\x03\xe8");
    UNTIL(LOCKED(s, s->in.inbox.is_full) && raw_is_delivered(&p));
    raw_end(&p);
    UNTIL(cw_socket_send(s, CW_BINARY, "a", 1, 0) != CW_OK);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    CHECK_STATUS(cw_socket_close_start(s, 4000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, false);
    peer_finish(s);
}

static const harness_test tests[] = {
    {"RFC 6455 7.4.1: a stream ends without an error after 1000 and 1005 only, between messages", test_stream},
    {"RFC 6455 7.4.1: the same over TLS", test_stream_tls},
    {"RFC 6455 7.4.1: messages end normally after 1001 too, in no case inside a message", test_messages},
    {"our own close is a normal end", test_ours},
    {"RFC 6455 7.1.5: the server's code counts, although its TCP ends at once while we send",
     test_end_while_sending},
    {"RFC 6455 7.1.5: the server's code counts, although our close frame cannot be sent",
     test_close_behind_a_broken_write},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

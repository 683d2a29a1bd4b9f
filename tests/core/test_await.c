/* SPDX-License-Identifier: MIT */
/* Tests of large messages that arrive fast, so that inbound.c asks the kernel to wait for the rest (await). If the rest
 * does not arrive, no call waits for it for ever, and other calls do not have to wait. */
#include "raw_peer.h"

enum { MIB = 1024 * 1024, MESSAGE_BYTES = 4 * MIB, FAST_BYTES = 2 * MIB, SLOW_BYTES = 1000, SLOW_PARTS = 20 };

static uint8_t zeros[MESSAGE_BYTES];

static cw_socket *open_raw(raw_peer *p, cw_class socket_class)
{
    cw_socket *s = peer_socket(socket_class);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 0), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_RECEIVE_TIMEOUT, 50000), CW_OK);
    raw_open(p, s);
    return s;
}

static void send_head(raw_peer *p)
{
    cw__frame head = {.opcode = CW__OP_BINARY, .is_final = true, .payload_bytes = MESSAGE_BYTES};
    uint8_t bytes[CW__HEADER_MAX_BYTES];

    raw_write(p, bytes, cw__frame_encode(&head, bytes));
}

/* The peer's part, in a thread of its own, while the test's thread receives. */
typedef struct script {
    raw_peer *p;
    void (*end)(raw_peer *p); /* called after the part of the message that arrives fast */
} script;

static void *run_script(void *user)
{
    const script *at = user;

    send_head(at->p);
    raw_write(at->p, zeros, FAST_BYTES);
    UNTIL(raw_is_delivered(at->p));
    at->end(at->p);
    return NULL;
}

static pthread_t start(script *at)
{
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, NULL, run_script, at), 0);
    return thread;
}

static void receive_whole(cw_socket *s)
{
    cw_event *e = NULL;
    size_t len_bytes = 0;

    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    (void)cw_event_data(e, &len_bytes);
    CHECK_INT(len_bytes, MESSAGE_BYTES);
    cw_event_free(e);
}

/* ---- The rest of the message arrives ---- */

static void send_rest_slowly(raw_peer *p)
{
    size_t left = MESSAGE_BYTES - FAST_BYTES;

    for (int i = 0; i < 20; i++, left -= SLOW_BYTES) {
        raw_write(p, zeros, SLOW_BYTES);
        UNTIL(raw_is_delivered(p));
    }
    raw_write(p, zeros, left / 2);
    UNTIL(raw_is_delivered(p));
    for (left -= left / 2; left > 20 * SLOW_BYTES; left -= left / 2)
        raw_write(p, zeros, left / 2);
    for (; left > 0; left--)
        raw_write(p, zeros, 1);
    RAW_SEND(p, "\x82\x01"
                "a");
}

/* A small message after the rest is returned without waiting for more bytes. */
static void test_slow_rest(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p, CW_MESSAGE_SOCKET);
    script at = {&p, send_rest_slowly};
    pthread_t thread = start(&at);

    receive_whole(s);
    CHECK_MESSAGE(s, CW_BINARY, "a", 1);
    CHECK_INT(pthread_join(thread, NULL), 0);
    RAW_SEND(&p, "\x82\x01"
                 "b");
    CHECK_MESSAGE(s, CW_BINARY, "b", 1);
    raw_finish(&p);
}

static void test_many(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p, CW_MESSAGE_SOCKET);
    script at = {&p, send_rest_slowly};

    for (int round = 0; round < 5; round++) {
        pthread_t thread = start(&at);
        receive_whole(s);
        CHECK_MESSAGE(s, CW_BINARY, "a", 1);
        CHECK_INT(pthread_join(thread, NULL), 0);
    }
    raw_finish(&p);
}

/* ---- The rest of the message does not arrive ---- */

static void broken_off(void (*end)(raw_peer *p))
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p, CW_MESSAGE_SOCKET);
    script at = {&p, end};
    cw_event *e = NULL;
    pthread_t thread = start(&at);

    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_CLOSED);
    CHECK_CLOSED(s, 1006, false);
    CHECK_INT(pthread_join(thread, NULL), 0);
    raw_finish(&p);
}

static void test_end(void) { broken_off(raw_end); }
static void test_reset(void) { broken_off(raw_reset); }

/* Sends each part when the part before it has been noted. The parts are far fewer bytes than are awaited. */
static void trickle(raw_peer *p)
{
    for (int i = 0; i < SLOW_PARTS; i++) {
        int64_t before_ms = cw__now_ms();
        raw_write(p, zeros, SLOW_BYTES);
        UNTIL(LOCKED(p->s, p->s->pings.heard_ms >= before_ms));
    }
    raw_write(p, zeros, MESSAGE_BYTES - FAST_BYTES - SLOW_PARTS * SLOW_BYTES);
}

/* Any byte that arrives counts as a sign of life. */
static void test_keepalive(void)
{
    raw_peer p = {0};
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    script at = {&p, trickle};
    pthread_t thread;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 10), CW_OK);
    raw_open(&p, s);
    thread = start(&at);
    receive_whole(s);
    CHECK_INT(pthread_join(thread, NULL), 0);
    raw_finish(&p);
}

/* ---- Calls that do not wait for the whole message ---- */

static void nothing(raw_peer *p) { (void)p; }

static void test_partial(void)
{
    raw_peer p = {0};
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    script at = {&p, nothing};
    pthread_t thread;
    size_t len_bytes;
    cw_event *e;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_RECEIVE_MODE, CW_PARTIAL_MESSAGE), CW_OK);
    raw_open(&p, s);
    thread = start(&at);
    for (size_t done = 0; done < FAST_BYTES; done += len_bytes) {
        CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
        (void)cw_event_data(e, &len_bytes);
        cw_event_free(e);
    }
    CHECK_INT(pthread_join(thread, NULL), 0);
    raw_finish(&p);
}

static void test_stream(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p, CW_STREAM_SOCKET);
    script at = {&p, nothing};
    pthread_t thread = start(&at);
    uint8_t *to = malloc(MESSAGE_BYTES);
    size_t len_bytes;

    CHECK(to != NULL);
    for (size_t done = 0; done < FAST_BYTES; done += len_bytes)
        CHECK_STATUS(cw_socket_read(s, to, MESSAGE_BYTES, CW_TIMEOUT_DEFAULT, &len_bytes), CW_OK);
    free(to);
    CHECK_INT(pthread_join(thread, NULL), 0);
    raw_finish(&p);
}

/* ---- Closing in the middle ---- */

static void finish_and_close(raw_peer *p)
{
    static const uint8_t close_frame[] = {0x88, 2, 0x03, 0xe8};
    raw_frame f;

    CHECK(raw_next(p, &f)); /* the client's close frame */
    CHECK_INT(f.head.opcode, CW__OP_CLOSE);
    free(f.payload);
    raw_write(p, zeros, MESSAGE_BYTES - FAST_BYTES);
    raw_write(p, close_frame, sizeof close_frame);
}

/* RFC 6455 section 5.5.1: the peer finishes its message before it answers. */
static void test_close(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p, CW_MESSAGE_SOCKET);
    script at = {&p, finish_and_close};
    pthread_t thread = start(&at);
    cw_event *e = NULL;

    CHECK_STATUS(cw_socket_receive(s, 200, &e), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    CHECK_INT(pthread_join(thread, NULL), 0);
    raw_finish(&p);
}

static const harness_test tests[] = {
    {"the rest comes slowly, with a small message after it", test_slow_rest},
    {"one after another", test_many},
    {"the server ends TCP in the middle", test_end},
    {"a reset in the middle", test_reset},
    {"a rest that comes slowly is a sign of life", test_keepalive},
    {"partial mode returns the part that has arrived", test_partial},
    {"a stream returns the bytes that have arrived", test_stream},
    {"RFC 6455 5.5.1: closing in the middle", test_close},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

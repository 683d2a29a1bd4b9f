/* SPDX-License-Identifier: MIT */
/* Tests of outbound.c: the bytes that a send writes, fragments, and several senders. test_stalled.c tests a peer that
 * does not read. */
#include "raw_peer.h"

enum { MIB = 1024 * 1024 };

static void close_well(cw_socket *s)
{
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
}

static void check_frame(const char *log, size_t n, int opcode, bool fin, const char *payload)
{
    peer_frame f;

    CHECK(peer_get_frame(log, n, &f));
    CHECK_INT(f.opcode, opcode);
    CHECK_INT(f.fin, fin);
    CHECK_INT(f.rsv, 0);
    CHECK(f.masked);
    CHECK_INT(f.length, strlen(payload) / 2);
    CHECK(strncmp(f.payload, payload, strlen(payload)) == 0);
}

/* ---- The bytes on the wire ---- */

static void test_messages(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:6/echo/end"));
    unsigned minor = 0;
    const char *log;

    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "h\xc3\xa9", 3, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "\0\xff", 2, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, NULL, 0, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, NULL, 0, 0), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "a\0b", 3, CW_TIMEOUT_NEVER), CW_OK);
    close_well(s);
    log = peer_log();
    check_frame(log, 0, CW__OP_TEXT, true, "68c3a9");
    check_frame(log, 1, CW__OP_BINARY, true, "00ff");
    check_frame(log, 2, CW__OP_TEXT, true, "");
    check_frame(log, 3, CW__OP_BINARY, true, "");
    check_frame(log, 4, CW__OP_BINARY, true, "61");
    check_frame(log, 5, CW__OP_TEXT, true, "610062");
    check_frame(log, 6, CW__OP_CLOSE, true, "03e8");
    CHECK_INT(peer_count_frames(log, -1), 7);
    /* libcurl 8.11 to 8.15 use one mask for a whole connection (CVE-2025-10148), unless a distribution fixed it */
    CHECK(sscanf(cw_libcurl_version(), "8.%u", &minor) == 0 || minor > 0);
    if (minor < 11 || minor > 15)
        CHECK_HAS(log, "\"masks_differ\": true");
    peer_finish(s);
}

static void test_bad_text(void)
{
    static const struct {
        const char *text;
        size_t len_bytes;
    } bad[] = {{"\xff", 1},  {"a\xc3", 2}, {"\xc0\xaf", 2}, {"\xed\xa0\x80", 3}, {"\xf4\x90\x80\x80", 4},
               {"ab\x80", 3}};
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/echo/end"));
    const char *log;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_STATUS(cw_socket_send(s, CW_UTF8, bad[i].text, bad[i].len_bytes, 0), CW_INVALID_ARGUMENT);
        CHECK_HAS(cw_error_message(), "UTF-8");
    }
    CHECK_STATUS(cw_socket_send(s, (cw_message_type)2, "a", 1, 0), CW_INVALID_ARGUMENT);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    /* a binary message may have any bytes */
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, bad[0].text, 1, 0), CW_OK);
    close_well(s);
    log = peer_log();
    check_frame(log, 0, CW__OP_BINARY, true, "ff");
    CHECK_INT(peer_count_frames(log, -1), 2);
    peer_finish(s);
}

/* Sends enough frames for several writes, a large message among them. The peer removes the masks. */
static void test_many(void)
{
    enum { COUNT = 700, BIG = 10, TEXT_BYTES = 100 };
    static const char text[TEXT_BYTES + 1] =
        "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"
        "0123456789abcdefghijklmnopqr";
    static cw_message messages[COUNT];
    static uint8_t big[MIB + 5];
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:%d/echo/end", COUNT));
    size_t sent = 0;
    const char *log;

    for (size_t i = 0; i < COUNT; i++)
        messages[i] = (cw_message){
            .message_type = i % 2 ? CW_UTF8 : CW_BINARY, .data = text, .len_bytes = i % TEXT_BYTES};
    messages[BIG] = (cw_message){.message_type = CW_BINARY, .data = big, .len_bytes = sizeof big};
    CHECK_STATUS(cw_socket_send_many(s, messages, COUNT, CW_TIMEOUT_DEFAULT, &sent), CW_OK);
    CHECK_INT(sent, COUNT);
    CHECK_STATUS(cw_socket_send_many(s, NULL, 0, 0, &sent), CW_OK);
    CHECK_INT(sent, 0);
    close_well(s);
    log = peer_log();
    /* a small COUNT, because each search of the record begins at its start */
    for (size_t i = 0; i < COUNT; i++) {
        char expected[TEXT_BYTES] = "";
        CHECK(log);
        memcpy(expected, text, i % TEXT_BYTES);
        if (i != BIG)
            check_frame(log, 0, i % 2 ? CW__OP_TEXT : CW__OP_BINARY, true, peer_hex(expected));
        log = strstr(strstr(log, "{\"opcode\"") + 1, "{\"opcode\"");
    }
    CHECK_INT(peer_count_frames(log, -1), 1);
    check_frame(log, 0, CW__OP_CLOSE, true, "03e8");
    peer_finish(s);
}

static void test_many_partly(void)
{
    const cw_message messages[] = {MESSAGE_OF(CW_UTF8, "a", 1), MESSAGE_OF(CW_BINARY, "\xff", 1),
                                   MESSAGE_OF(CW_UTF8, "\xff", 1), MESSAGE_OF(CW_UTF8, "b", 1)};
    const cw_message strange[] = {MESSAGE_OF(CW_UTF8, "c", 1), MESSAGE_OF((cw_message_type)2, "d", 1)};
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:4/echo/end"));
    size_t sent = 9;
    const char *log;

    CHECK_STATUS(cw_socket_send_many(s, messages, 4, CW_TIMEOUT_DEFAULT, &sent), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "UTF-8");
    CHECK_INT(sent, 2);
    CHECK_STATUS(cw_socket_send_many(s, strange, 2, CW_TIMEOUT_DEFAULT, &sent), CW_INVALID_ARGUMENT);
    CHECK_INT(sent, 1);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "e", 1, 0), CW_OK);
    close_well(s);
    CHECK_STATUS(cw_socket_send_many(s, messages, 2, 0, &sent), CW_CLOSED);
    CHECK_INT(sent, 0);
    log = peer_log();
    check_frame(log, 0, CW__OP_TEXT, true, "61");
    check_frame(log, 1, CW__OP_BINARY, true, "ff");
    check_frame(log, 2, CW__OP_TEXT, true, "63");
    check_frame(log, 3, CW__OP_BINARY, true, "65");
    peer_finish(s);
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_send_many(s, messages, 2, 0, &sent), CW_INVALID_STATE);
    CHECK_INT(sent, 0);
    cw_socket_release(s);
}

/* The call waits for nothing: not for a thread that has the socket's lock either. */
static void test_try(void)
{
    const cw_message one = MESSAGE_OF(CW_UTF8, "a", 1), bad = MESSAGE_OF(CW_UTF8, "\xff", 1);
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *log;

    CHECK_STATUS(cw_socket_try_send(s, &one), CW_INVALID_STATE);
    cw_socket_release(s);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/echo/end"));
    CHECK_STATUS(cw_socket_try_send(s, &bad), CW_INVALID_ARGUMENT);
    cw__mutex_lock(&s->lock);
    CHECK_STATUS(cw_socket_try_send(s, &one), CW_WOULD_BLOCK);
    cw__mutex_unlock(&s->lock);
    while (cw_socket_try_send(s, &one) != CW_OK) /* the service thread may have the lock for a moment */
        CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    close_well(s);
    CHECK_STATUS(cw_socket_try_send(s, &one), CW_CLOSED);
    log = peer_log();
    check_frame(log, 0, CW__OP_TEXT, true, "61");
    peer_finish(s);
}

/* A stream socket sends the binary messages before a text, and does not hold them back. */
static void test_many_of_a_stream(void)
{
    const cw_message messages[] = {MESSAGE_OF(CW_BINARY, "a", 1), MESSAGE_OF(CW_BINARY, "b", 1),
                                   MESSAGE_OF(CW_UTF8, "c", 1)};
    cw_socket *s = peer_open(CW_STREAM_SOCKET, peer_script("frame:2/close:1000"));
    size_t sent = 0;

    CHECK_STATUS(cw_socket_send_many(s, messages, 3, 0, &sent), CW_INVALID_ARGUMENT);
    CHECK_INT(sent, 2);
    CHECK_CLOSED(s, 1000, true); /* the peer has received both */
    peer_finish(s);
}

#define FRAGMENT(s, message_type, text, is_final)                                                         \
    cw_socket_send_fragment((s), FRAGMENT_OF((message_type), (text), sizeof(text) - 1), NULL, (is_final), \
                            CW_TIMEOUT_DEFAULT)

static void test_fragments(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:8/echo/end"));
    const char *log;

    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "one", false), CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "", false), CW_OK); /* an empty fragment is allowed anywhere */
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "two", true), CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "", false), CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "", true), CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "whole", true), CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "", true), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "after", 5, 0), CW_OK);
    close_well(s);
    log = peer_log();
    check_frame(log, 0, CW__OP_BINARY, false, peer_hex("one"));
    check_frame(log, 1, CW__OP_CONTINUATION, false, "");
    check_frame(log, 2, CW__OP_CONTINUATION, true, peer_hex("two"));
    check_frame(log, 3, CW__OP_TEXT, false, "");
    check_frame(log, 4, CW__OP_CONTINUATION, true, "");
    check_frame(log, 5, CW__OP_TEXT, true, peer_hex("whole"));
    check_frame(log, 6, CW__OP_BINARY, true, "");
    check_frame(log, 7, CW__OP_TEXT, true, peer_hex("after"));
    peer_finish(s);
}

static void test_fragments_of_text(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:6/echo/end"));
    const char *log;

    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "\xe2", false), CW_OK); /* cut inside a character */
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "a", false), CW_INVALID_ARGUMENT);
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "", true), CW_INVALID_ARGUMENT); /* the text may not end there */
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "\x82", false), CW_OK); /* the failed call left the message as it was */
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "\x82", true), CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "\xff", true), CW_INVALID_ARGUMENT); /* a message that did not begin */
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "\xc3", true), CW_INVALID_ARGUMENT);
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "\xff", false), CW_OK); /* the previous message left no state */
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "\xc3", true), CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "b", true), CW_OK);
    close_well(s);
    log = peer_log();
    check_frame(log, 0, CW__OP_TEXT, false, "e2");
    check_frame(log, 1, CW__OP_CONTINUATION, false, "82");
    check_frame(log, 2, CW__OP_CONTINUATION, true, "82");
    check_frame(log, 3, CW__OP_BINARY, false, "ff");
    check_frame(log, 4, CW__OP_CONTINUATION, true, "c3");
    check_frame(log, 5, CW__OP_TEXT, true, "62");
    CHECK_INT(peer_count_frames(log, -1), 7);
    peer_finish(s);
}

static void test_fragments_guarded(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/x:8900/frame:5/echo/end"));
    const char *log;

    (void)LOCKED(s, s->pings.heard_ms = 0);
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "a", false), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "x", 1, 0), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "final");
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "x", 1, 0), CW_INVALID_STATE);
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "x", false), CW_INVALID_STATE);
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "x", true), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_ping(s, 0, NULL), CW_TIMED_OUT); /* allowed inside a message (5.4) */
    UNTIL(LOCKED(s, s->pings.heard_ms != 0));               /* the answer to the server's ping is allowed too */
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "b", true), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "c", 1, 0), CW_OK);
    close_well(s);
    log = peer_log();
    check_frame(log, 0, CW__OP_BINARY, false, "61");
    CHECK_INT(peer_count_frames(log, CW__OP_PING), 1);
    CHECK_INT(peer_count_frames(log, CW__OP_PONG), 1);
    check_frame(log, 3, CW__OP_CONTINUATION, true, "62");
    check_frame(log, 4, CW__OP_BINARY, true, "63");
    peer_finish(s);
}

static void test_fragments_of_owners(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:4/echo/end"));
    const cw_message part = {.message_type = CW_BINARY, .data = "a", .len_bytes = 1};
    int mine, other;
    const char *log;

    CHECK_STATUS(cw_socket_send_fragment(s, &part, &mine, false, 0), CW_OK);
    CHECK_STATUS(cw_socket_send_fragment(s, &part, &other, false, 0), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "another call");
    CHECK_STATUS(cw_socket_send_fragment(s, &part, NULL, true, 0), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "x", 1, 0), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "another call");
    CHECK_STATUS(cw_socket_send_fragment(s, &part, &mine, true, 0), CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "b", false), CW_OK);
    CHECK_STATUS(cw_socket_send_fragment(s, &part, &mine, false, 0), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "final frame");
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "c", true), CW_OK);
    close_well(s);
    log = peer_log();
    check_frame(log, 0, CW__OP_BINARY, false, "61");
    check_frame(log, 1, CW__OP_CONTINUATION, true, "61");
    check_frame(log, 2, CW__OP_BINARY, false, "62");
    check_frame(log, 3, CW__OP_CONTINUATION, true, "63");
    peer_finish(s);
}

static void test_stream_fragments(void)
{
    cw_socket *s = peer_open(CW_STREAM_SOCKET, peer_script("frame:2/echo/end"));
    const char *log;

    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "x", 1, 0), CW_INVALID_ARGUMENT);
    CHECK_STATUS(FRAGMENT(s, CW_UTF8, "x", true), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "", 0, 0), CW_OK); /* a stream socket sends no empty message */
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "a", false), CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "b", true), CW_OK);
    close_well(s);
    log = peer_log();
    check_frame(log, 0, CW__OP_BINARY, false, "61");
    check_frame(log, 1, CW__OP_CONTINUATION, true, "62");
    peer_finish(s);
}

static void test_large(void)
{
    static uint8_t data[5 * MIB + 1];
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *log;
    peer_frame f;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i % 2 ? 0x82 : 0xd0); /* two-byte characters, each at an even position */
    data[sizeof data - 1] = 'a';
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAME_SIZE, MIB), CW_OK);
    peer_connect(s, peer_script("frame:9/echo/end"));
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, data, sizeof data, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(
        cw_socket_send_fragment(s, FRAGMENT_OF(CW_BINARY, data, MIB + 1), NULL, false, CW_TIMEOUT_DEFAULT),
        CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "end", true), CW_OK);
    close_well(s);
    log = peer_log();
    for (size_t n = 0; n < 6; n++) {
        CHECK(peer_get_frame(log, n, &f));
        CHECK_INT(f.opcode, n == 0 ? CW__OP_TEXT : CW__OP_CONTINUATION);
        CHECK_INT(f.length, n < 5 ? MIB : 1);
        CHECK_INT(f.fin, n == 5);
    }
    CHECK(peer_get_frame(log, 6, &f) && f.opcode == CW__OP_BINARY && f.length == MIB && !f.fin);
    check_frame(log, 7, CW__OP_CONTINUATION, false, "d0");
    check_frame(log, 8, CW__OP_CONTINUATION, true, peer_hex("end"));
    CHECK_INT(peer_count_frames(log, -1), 10);
    peer_finish(s);
}

/* Some servers do not support continuation frames. So a message is cut only if frame_size says so. */
static void sent_as(int64_t frame_size, size_t len_bytes, size_t frame_count)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    uint8_t *data = calloc(1, len_bytes);

    CHECK(data != NULL);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAME_SIZE, frame_size), CW_OK);
    peer_connect(s, peer_script("frame:%zu/echo/end", frame_count));
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, data, len_bytes, CW_TIMEOUT_DEFAULT), CW_OK);
    close_well(s);
    CHECK_INT(peer_check_frames(peer_log(), frame_count, frame_size < 0 ? UINT64_MAX : (uint64_t)frame_size),
              len_bytes);
    free(data);
    cw_socket_release(s);
}

static void test_frame_size(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    int64_t initial = 0;

    CHECK_STATUS(cw_socket_get_number(s, CW_OPT_FRAME_SIZE, &initial), CW_OK);
    CHECK_INT(initial, 64 * MIB);
    cw_socket_release(s);
    sent_as(initial, 3 * MIB, 1);
    sent_as(-1, 3 * MIB, 1);
    sent_as(1000, 1000, 1);
    sent_as(1000, 1001, 2);
    sent_as(1, 3, 3);
    sent_as(MIB, 3 * MIB, 3);
    cw_shutdown(5000);
}

static void test_send_buffer(void)
{
    enum { WANTED = 100000 };
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    socklen_t len = sizeof(int);
    int by_default = 0, size = 0;

    peer_connect(s, peer_script("echo/end"));
    CHECK_INT(getsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &by_default, &len), 0);
    close_well(s);
    cw_socket_release(s);
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_OUTBOUND_BUFFER_SIZE, WANTED), CW_OK);
    peer_connect(s, peer_script("echo/end"));
    CHECK_INT(getsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &size, &len), 0);
    CHECK(size >= WANTED && size != by_default); /* Linux doubles the size */
    close_well(s);
    peer_finish(s);
}

static void echo_large(const char *uri)
{
    static uint8_t data[3 * MIB + 5];
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, uri);
    int held = -1;
    socklen_t len = sizeof held;

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, data, sizeof data, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_INT(getsockopt(s->fd, IPPROTO_TCP, TCP_CORK, &held, &len), 0);
    CHECK_INT(held, 0); /* otherwise the last bytes would be sent 200 ms later */
    CHECK_MESSAGE(s, CW_BINARY, data, sizeof data);
    peer_finish(s);
}

static void test_large_echo(void) { echo_large(peer_env("CW_ECHO_WS")); }
static void test_large_echo_tls(void) { echo_large(peer_env("CW_ECHO_WSS")); }

/* ---- Senders at once ---- */

enum { SENDERS = 8, EACH = 40 };

typedef struct sender_thread {
    cw_socket *s;
    int sender;
    pthread_t thread;
} sender_thread;

/* The sizes take every way: written at once, queued, written directly, in several frames. */
static size_t numbered_bytes(int sender, int number)
{
    static const size_t sizes[] = {8, 1000, 20000, 100000};

    return number == 10 * (sender % 4) ? MIB + 100 : sizes[(sender + number) % 4];
}

static void *send_many(void *arg)
{
    sender_thread *w = arg;
    int sender = w->sender;
    uint8_t *data = malloc(MIB + 100);

    CHECK(data != NULL);
    for (int i = 0; i < EACH; i++) {
        size_t len = numbered_bytes(sender, i);
        memset(data, sender * EACH % 251 + i, len);
        data[0] = (uint8_t)sender;
        data[1] = (uint8_t)i;
        CHECK_STATUS(cw_socket_send(w->s, CW_BINARY, data, len, CW_TIMEOUT_DEFAULT), CW_OK);
    }
    free(data);
    return NULL;
}

static void test_senders(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    sender_thread senders[SENDERS];
    int next[SENDERS] = {0};

    peer_connect(s, peer_env("CW_ECHO_WS"));
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (sender_thread){.s = s, .sender = i};
        CHECK_INT(pthread_create(&senders[i].thread, NULL, send_many, &senders[i]), 0);
    }
    for (int i = 0; i < SENDERS * EACH; i++) {
        cw_event *e = NULL;
        const uint8_t *data;
        size_t len, same = 2;
        CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
        data = cw_event_data(e, &len);
        CHECK(data[0] < SENDERS);
        CHECK_INT(data[1], next[data[0]]++); /* each sender's messages in order */
        CHECK_INT(len, numbered_bytes(data[0], data[1]));
        while (same < len && data[same] == (uint8_t)(data[0] * EACH % 251 + data[1]))
            same++;
        CHECK_INT(same, len); /* all bytes are of one sender */
        cw_event_free(e);
    }
    for (int i = 0; i < SENDERS; i++)
        CHECK_INT(pthread_join(senders[i].thread, NULL), 0);
    peer_finish(s);
}

static const harness_test tests[] = {
    {"RFC 6455 5.1, 5.3, 5.6: text, binary and empty messages are sent masked", test_messages},
    {"RFC 6455 8.1: a text that is not UTF-8 is refused, with nothing sent", test_bad_text},
    {"many messages at once: the bytes are the same as with single sends", test_many},
    {"many messages at once, of which one cannot be sent", test_many_partly},
    {"many messages at once on a stream socket", test_many_of_a_stream},
    {"a send that never waits, not for the lock either", test_try},
    {"RFC 6455 5.4: fragments, empty ones too", test_fragments},
    {"RFC 6455 5.6, 8.1: a text in fragments, cut inside a character", test_fragments_of_text},
    {"RFC 6455 5.4: only control frames go inside a message in fragments", test_fragments_guarded},
    {"a message in fragments takes fragments of its owner only", test_fragments_of_owners},
    {"a stream socket sends binary only, in fragments too", test_stream_fragments},
    {"RFC 6455 5.4: a large message goes in frames of frame_size, as one message", test_large},
    {"RFC 6455 5.4: a message is cut where frame_size says so, and nowhere else", test_frame_size},
    {"outbound_buffer_size is the kernel's send buffer", test_send_buffer},
    {"a large message and its echo", test_large_echo},
    {"a large message and its echo, over TLS", test_large_echo_tls},
    {"RFC 6455 5.4: eight threads send at once, nothing interleaves", test_senders},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

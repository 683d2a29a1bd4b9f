/* SPDX-License-Identifier: MIT */
/* Tests of statistics.c: each number of a socket against the bytes that a scripted server sends and receives, with both
 * codecs, and the sums of the process. */
#include "gate.h"
#include "process.h"

#include "transport/codec.h"

enum { LONG_BYTES = 200, BIG_BYTES = 100000 };

static cw_statistics of_socket(cw_socket *s)
{
    cw_statistics n;

    memset(&n, 0xff, sizeof n);
    n.size_bytes = sizeof n;
    CHECK_STATUS(cw_socket_get_statistics(s, &n), CW_OK);
    CHECK_INT(n.size_bytes, sizeof n);
    return n;
}

static cw_statistics of_process(void)
{
    cw_statistics n;

    memset(&n, 0xff, sizeof n);
    n.size_bytes = sizeof n;
    CHECK_STATUS(cw_get_statistics(&n), CW_OK);
    return n;
}

#define CHECK_NUMBER(n, member, wanted) CHECK_INT((n).member, wanted)

static void close_it(cw_socket *s)
{
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
}

static void send_it(cw_socket *s, cw_message_type type, const void *data, size_t len_bytes)
{
    CHECK_STATUS(cw_socket_send(s, type, data, len_bytes, CW_TIMEOUT_DEFAULT), CW_OK);
}

/* ---- A socket ---- */

static void check_received(const cw_statistics *n)
{
    CHECK_NUMBER(*n, text_messages_received, 2);   /* "hi", "abc" */
    CHECK_NUMBER(*n, binary_messages_received, 3); /* "ab" in two frames, the long one, and one in two frames */
    CHECK_NUMBER(*n, bytes_received, 2 + 2 + 3 + LONG_BYTES + 3);
    CHECK_NUMBER(*n, text_frames_received, 2);
    CHECK_NUMBER(*n, binary_frames_received, 3);
    CHECK_NUMBER(*n, continuation_frames_received, 2);
    CHECK_NUMBER(*n, pings_received, 1);
    CHECK_NUMBER(*n, pongs_received, 1);
    CHECK_NUMBER(*n, wire_bytes_received,
                 3 + 4 + 3 + 3 + 5 + (4 + LONG_BYTES) + 3 + 4 + 10 + (n->close_frames_received ? 4 : 0));
}

static void check_sent(const cw_statistics *n)
{
    CHECK_NUMBER(*n, text_messages_sent, 1);
    CHECK_NUMBER(*n, binary_messages_sent, 2);
    CHECK_NUMBER(*n, bytes_sent, 3 + LONG_BYTES + 3);
    CHECK_NUMBER(*n, text_frames_sent, 1);
    CHECK_NUMBER(*n, binary_frames_sent, 2);
    CHECK_NUMBER(*n, continuation_frames_sent, 1);
    CHECK_NUMBER(*n, pings_sent, 1);
    CHECK_NUMBER(*n, pongs_sent, 1);
    CHECK_NUMBER(*n, wire_bytes_sent, 9 + (8 + LONG_BYTES) + 7 + 8 + 14 + 7 + (n->close_frames_sent ? 8 : 0));
}

static void check_round_trip(const cw_statistics *n)
{
    CHECK_NUMBER(*n, round_trips, 1);
    CHECK(n->round_trip_last_us > 0);
    CHECK_NUMBER(*n, round_trip_sum_us, n->round_trip_last_us);
    CHECK_NUMBER(*n, round_trip_least_us, n->round_trip_last_us);
    CHECK_NUMBER(*n, round_trip_most_us, n->round_trip_last_us);
    CHECK_NUMBER(*n, round_trip_mean_us, n->round_trip_last_us);
}

static void exchange(cw_socket *s)
{
    static uint8_t data[LONG_BYTES];

    CHECK_MESSAGE(s, CW_UTF8, "hi", 2);
    CHECK_MESSAGE(s, CW_BINARY, "ab", 2);
    send_it(s, CW_UTF8, "abc", 3);
    CHECK_MESSAGE(s, CW_UTF8, "abc", 3);
    send_it(s, CW_BINARY, data, sizeof data);
    CHECK_MESSAGE(s, CW_BINARY, data, sizeof data);
    CHECK_STATUS(cw_socket_send_fragment(s, FRAGMENT_OF(CW_BINARY, "x", 1), NULL, false, CW_TIMEOUT_DEFAULT),
                 CW_OK);
    CHECK_NUMBER(of_socket(s), binary_messages_sent, 1); /* the second is not whole */
    CHECK_STATUS(cw_socket_send_fragment(s, FRAGMENT_OF(CW_BINARY, "yz", 2), NULL, true, CW_TIMEOUT_DEFAULT),
                 CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, "xyz", 3);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_DEFAULT, NULL), CW_OK);
}

static void count_all(cw_framing framing)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_statistics n = of_socket(s);
    int code = -1;
    uint64_t count;

    for (size_t at = sizeof n.size_bytes; at < sizeof n; at += sizeof(uint64_t))
        CHECK_INT(memcmp((const char *)&n + at, &(uint64_t){0}, sizeof(uint64_t)), 0);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, framing), CW_OK);
    peer_connect(s, peer_script("x:890161810268690201618001%s/frame:1/echo", "62"));
    exchange(s);
    n = of_socket(s);
    CHECK_NUMBER(n, open_sockets, 1);
    CHECK_NUMBER(n, connects, 1);
    CHECK_NUMBER(n, ended_connections, 0);
    CHECK_NUMBER(n, close_frames_sent + n.close_frames_received, 0);
    check_received(&n);
    check_sent(&n);
    check_round_trip(&n);
    close_it(s);
    n = of_socket(s);
    CHECK_NUMBER(n, open_sockets, 0);
    CHECK_NUMBER(n, ended_connections, 1);
    CHECK_NUMBER(n, close_frames_sent, 1);
    CHECK_NUMBER(n, close_frames_received, 1);
    check_received(&n);
    check_sent(&n);
    peer_finish(s);
    n = of_process(); /* after the release */
    check_received(&n);
    check_sent(&n);
    check_round_trip(&n);
    CHECK_NUMBER(n, connects, 1);
    CHECK_NUMBER(n, open_sockets, 0);
    CHECK(cw_count_closed_next(&code, &count));
    CHECK_INT(code, 1000);
    CHECK_INT(count, 1);
    CHECK(!cw_count_closed_next(&code, &count));
    CHECK_INT(count, 0);
}

static void test_native(void) { count_all(CW_FRAMING_AUTO); }
static void test_curl(void) { count_all(CW_FRAMING_CURL); }

static void test_large(void)
{
    static uint8_t data[BIG_BYTES];
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_statistics n;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAME_SIZE, 70000), CW_OK);
    peer_connect(s, peer_script("echo"));
    send_it(s, CW_BINARY, data, sizeof data);
    CHECK_MESSAGE(s, CW_BINARY, data, sizeof data);
    n = of_socket(s);
    CHECK_NUMBER(n, binary_messages_sent, 1);
    CHECK_NUMBER(n, binary_frames_sent, 1);
    CHECK_NUMBER(n, continuation_frames_sent, 1);
    CHECK_NUMBER(n, wire_bytes_sent, 14 + 70000 + 8 + 30000);
    CHECK_NUMBER(n, binary_messages_received, 1);
    CHECK_NUMBER(n, wire_bytes_received, 10 + 70000 + 4 + 30000);
    close_it(s);
    peer_finish(s);
}

static void test_stream(void)
{
    cw_socket *s = peer_open(CW_STREAM_SOCKET, peer_script("echo"));
    char buffer[16];
    size_t len = 0, total = 0;
    cw_statistics n;

    send_it(s, CW_BINARY, "hello", 5);
    send_it(s, CW_BINARY, NULL, 0); /* a stream sends nothing for that */
    for (; total < 5; total += len)
        CHECK_STATUS(cw_socket_read(s, buffer, sizeof buffer, CW_TIMEOUT_DEFAULT, &len), CW_OK);
    n = of_socket(s);
    CHECK_NUMBER(n, bytes_sent, 5);
    CHECK_NUMBER(n, binary_messages_sent, 1);
    CHECK_NUMBER(n, bytes_received, 5);
    CHECK_NUMBER(n, binary_messages_received, 1);
    close_it(s);
    peer_finish(s);
}

static void test_compression(void)
{
    static uint8_t data[BIG_BYTES];
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *framing = getenv("CURLWIRE_FRAMING");
    cw_statistics n;

    if (!cw__codec_native_receives() || (framing && strcmp(framing, "curl") == 0)) {
        CHECK(true); /* this libcurl receives no compressed messages */
        cw_socket_release(s);
        return;
    }
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_COMPRESSION, CW_COMPRESSION_DEFLATE), CW_OK);
    peer_connect(s, peer_env("CW_ECHO_WS"));
    send_it(s, CW_BINARY, data, sizeof data);
    CHECK_MESSAGE(s, CW_BINARY, data, sizeof data);
    n = of_socket(s);
    CHECK_NUMBER(n, bytes_sent, BIG_BYTES);
    CHECK_NUMBER(n, bytes_received, BIG_BYTES);
    CHECK(n.wire_bytes_sent < BIG_BYTES / 10);
    CHECK(n.wire_bytes_received < BIG_BYTES / 10);
    close_it(s);
    peer_finish(s);
}

/* ---- Queues ---- */

static void test_receive_queue(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("repeat:3:820161/echo"));
    uint64_t full_bytes = 3 * (sizeof(cw_event) + 1);
    cw_statistics n;

    UNTIL(of_socket(s).receive_queue_bytes == full_bytes); /* the service thread reads */
    for (int i = 0; i < 3; i++)
        CHECK_MESSAGE(s, CW_BINARY, "a", 1);
    n = of_socket(s);
    CHECK_NUMBER(n, receive_queue_bytes, 0);
    CHECK_NUMBER(n, receive_queue_bytes_most, full_bytes);
    close_it(s);
    peer_finish(s);
}

static void test_full_inbox(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_INBOUND_BUFFER_SIZE, 1024), CW_OK);
    peer_connect(s, peer_script("repeat:100:820161/echo"));
    UNTIL(of_socket(s).receive_queue_bytes >= 1024);
    CHECK(s->in.inbox.is_full);
    CHECK(of_socket(s).receive_queue_bytes_most < 1024 + 2 * sizeof(cw_event));
    for (int i = 0; i < 100; i++)
        CHECK_MESSAGE(s, CW_BINARY, "a", 1);
    CHECK(of_socket(s).receive_queue_bytes_most < 1024 + 2 * sizeof(cw_event));
    CHECK_NUMBER(of_process(), receive_queue_bytes_most, of_socket(s).receive_queue_bytes_most);
    close_it(s);
    peer_finish(s);
}

static void test_send_queue(void)
{
    static uint8_t data[BIG_BYTES];
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("stall/hang"));
    unsigned accepted = 0;
    cw_status status;
    cw_statistics n;

    hold_service(); /* so that the queue does not shrink while the numbers are compared */
    while ((status = cw_socket_send(s, CW_BINARY, data, sizeof data, 0)) == CW_OK)
        accepted++;
    CHECK_STATUS(status, CW_WOULD_BLOCK);
    n = of_socket(s);
    CHECK_NUMBER(n, binary_messages_sent, accepted);
    CHECK_NUMBER(n, bytes_sent, (uint64_t)accepted * sizeof data);
    CHECK(n.send_queue_bytes > 0);
    CHECK_NUMBER(n, send_queue_bytes, s->out.data_bytes);
    CHECK(n.send_queue_bytes_most >= n.send_queue_bytes);
    CHECK(n.binary_frames_sent < accepted); /* some still wait */
    CHECK_NUMBER(of_process(), send_queue_bytes, n.send_queue_bytes);
    let_service_go();
    cw_socket_abort(s);
    CHECK_NUMBER(of_socket(s), send_queue_bytes, 0);
    CHECK_NUMBER(of_socket(s), send_queue_bytes_most, n.send_queue_bytes_most);
    cw_socket_release(s);
    cw_shutdown(5000);
    CHECK_NUMBER(of_process(), send_queue_bytes, 0);
    CHECK_NUMBER(of_process(), send_queue_bytes_most, n.send_queue_bytes_most);
}

/* ---- The struct of a caller ---- */

static void test_size(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    cw_statistics n;

    memset(&n, 0xff, sizeof n);
    n.size_bytes = offsetof(cw_statistics, connecting_sockets); /* a program with an older header */
    CHECK_STATUS(cw_socket_get_statistics(s, &n), CW_OK);
    CHECK_NUMBER(n, open_sockets, 1);
    CHECK_NUMBER(n, size_bytes, offsetof(cw_statistics, connecting_sockets));
    CHECK_NUMBER(n, connecting_sockets, -1); /* not touched */
    n.size_bytes = sizeof n + 1000;          /* a program with a newer header; its further members stay */
    CHECK_STATUS(cw_get_statistics(&n), CW_OK);
    CHECK_NUMBER(n, connecting_sockets, 0);
    n.size_bytes = 0;
    CHECK_STATUS(cw_socket_get_statistics(s, &n), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_get_statistics(&n), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "the size of the struct");
    close_it(s);
    peer_finish(s);
}

/* ---- The process ---- */

static void test_failed(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    int web_status = -1;
    uint64_t count;

    CHECK(!cw_count_failed_next(&web_status, &count));
    CHECK_STATUS(peer_try_connect(s, "ws://127.0.0.1:1/", CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_STATUS(peer_try_connect(s, "ws://127.0.0.1:1/", CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_STATUS(peer_try_connect(s, peer_script("hs:%s", peer_hex("HTTP/1.1 404 Not Found\r\n\r\n")),
                                  CW_TIMEOUT_DEFAULT),
                 CW_CONNECT_FAILED);
    CHECK_NUMBER(of_socket(s), failed_connects, 3);
    CHECK_NUMBER(of_socket(s), connects, 0);
    CHECK_NUMBER(of_process(), failed_connects, 3);
    CHECK(cw_count_failed_next(&web_status, &count));
    CHECK_INT(web_status, CW_WEB_CannotConnect);
    CHECK_INT(count, 2);
    CHECK(cw_count_failed_next(&web_status, &count));
    CHECK_INT(web_status, CW_WEB_NotFound);
    CHECK_INT(count, 1);
    CHECK(!cw_count_failed_next(&web_status, &count));
    peer_finish(s);
}

enum { ROUNDS = 40, SENDERS = 3 };

static atomic_int is_over;

static void *use_sockets(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        cw_socket *s = NULL;
        CHECK_STATUS(cw_socket_create(CW_MESSAGE_SOCKET, &s), CW_OK);
        CHECK_STATUS(peer_try_connect(s, peer_env("CW_ECHO_WS"), CW_TIMEOUT_DEFAULT), CW_OK);
        send_it(s, CW_BINARY, "a", 1);
        CHECK_MESSAGE(s, CW_BINARY, "a", 1);
        if (i % 2)
            close_it(s);
        cw_socket_release(s);
    }
    return NULL;
}

/* The sums never shrink, and never count a socket twice, while sockets come and go. */
static void *read_again_and_again(void *arg)
{
    cw_statistics before = of_process();

    (void)arg;
    while (!atomic_load(&is_over)) {
        cw_statistics n = of_process();
        CHECK(n.connects >= before.connects && n.connects <= SENDERS * ROUNDS);
        CHECK(n.bytes_sent >= before.bytes_sent && n.bytes_sent <= n.connects);
        CHECK(n.wire_bytes_sent >= before.wire_bytes_sent);
        CHECK(n.ended_connections >= before.ended_connections);
        CHECK(n.open_sockets <= SENDERS * ROUNDS);
        before = n;
    }
    return NULL;
}

static void test_sums(void)
{
    pthread_t senders[SENDERS], reader;
    cw_statistics n;

    CHECK_INT(pthread_create(&reader, NULL, read_again_and_again, NULL), 0);
    for (int i = 0; i < SENDERS; i++)
        CHECK_INT(pthread_create(&senders[i], NULL, use_sockets, NULL), 0);
    for (int i = 0; i < SENDERS; i++)
        CHECK_INT(pthread_join(senders[i], NULL), 0);
    CHECK_STATUS(cw_shutdown(30000), CW_OK);
    atomic_store(&is_over, 1);
    CHECK_INT(pthread_join(reader, NULL), 0);
    n = of_process();
    CHECK_NUMBER(n, connects, SENDERS * ROUNDS);
    CHECK_NUMBER(n, bytes_sent, SENDERS * ROUNDS);
    CHECK_NUMBER(n, bytes_received, SENDERS * ROUNDS);
    CHECK_NUMBER(n, ended_connections, SENDERS * ROUNDS);
    CHECK_NUMBER(n, open_sockets, 0);
}

static cw_socket *of_parent, *unused;

static void check_child(void)
{
    cw_statistics n = of_process();
    int code = -1;
    uint64_t count;

    CHECK_NUMBER(n, connects, 0);
    CHECK_NUMBER(n, bytes_sent, 0);
    CHECK(!cw_count_closed_next(&code, &count));
    n.size_bytes = sizeof n;
    CHECK_STATUS(cw_socket_get_statistics(of_parent, &n), CW_AFTER_FORK);
    cw_socket_release(of_parent);
    if (UNDER_TSAN) /* it allows no new thread in a child */
        return;
    peer_connect(unused = peer_socket(CW_MESSAGE_SOCKET), peer_script("echo"));
    send_it(unused, CW_BINARY, "abc", 3);
    CHECK_NUMBER(of_process(), bytes_sent, 3);
    close_it(unused);
    peer_finish(unused);
    CHECK_NUMBER(of_process(), bytes_sent, 3);
}

static void test_fork(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));

    close_it(s);
    cw_socket_release(s);
    of_parent = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    send_it(of_parent, CW_BINARY, "ab", 2);
    CHECK_INT(status_of_child(check_child), 0);
    CHECK_NUMBER(of_process(), bytes_sent, 2);
    CHECK_NUMBER(of_process(), connects, 2);
    close_it(of_parent);
    peer_finish(of_parent);
}

static const harness_test tests[] = {
    {"each number of a socket", test_native},
    {"each number of a socket, with libcurl's frames", test_curl},
    {"a message in several frames", test_large},
    {"a stream", test_stream},
    {"compressed messages", test_compression},
    {"received messages that wait", test_receive_queue},
    {"a full inbox", test_full_inbox},
    {"messages that wait to be sent", test_send_queue},
    {"structs of other versions", test_size},
    {"failed connects", test_failed},
    {"the sums while sockets come and go", test_sums},
    {"a child of fork", test_fork},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

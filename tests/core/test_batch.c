/* SPDX-License-Identifier: MIT */
/* Tests of batches (outbound.c, sending.c): small messages are held back and written together. Whatever follows, no
 * message is lost and none overtakes another. Outside a batch nothing is held back: when a send returns, the kernel has
 * the message. */
#include "raw_peer.h"

enum { OUTPUT_BYTES = 32 * 1024, AFTER_BYTES = 100000 };

/* Replaces the core's writes: the library is linked into this program. */
static cw__atomic_int write_count;

ssize_t send(int fd, const void *data, size_t len_bytes, int flags)
{
    (void)atomic_fetch_add(&write_count, 1);
    return sendto(fd, data, len_bytes, flags, NULL, 0);
}

static cw_status send_number(cw_socket *s, uint32_t number)
{
    return cw_socket_send(s, CW_BINARY, &number, sizeof number, CW_TIMEOUT_DEFAULT);
}

static void send_numbers(cw_socket *s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        CHECK_STATUS(send_number(s, i), CW_OK);
}

static void expect_numbers(raw_peer *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        RAW_EXPECT(p, CW__OP_BINARY, &i, sizeof i);
}

static cw_socket *open_raw(raw_peer *p)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 0), CW_OK);
    raw_open(p, s);
    return s;
}

static void begin(cw_socket *s) { CHECK_STATUS(cw_socket_batch_begin(s), CW_OK); }
static void end(cw_socket *s) { CHECK_STATUS(cw_socket_batch_end(s, CW_TIMEOUT_DEFAULT), CW_OK); }

/* Returns true if the peer's system has bytes that the peer still has to read. */
static bool has_arrived(raw_peer *p)
{
    struct pollfd descriptor = {.fd = p->fd, .events = POLLIN};

    return poll(&descriptor, 1, 0) == 1;
}

/* ---- Without a batch ---- */

static void test_no_batch(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    int before = atomic_load(&write_count);

    send_numbers(s, 1000); /* sent as fast as possible */
    CHECK(LOCKED(s, s->out.first == NULL && s->codec->sending != CW__FRAMES_HELD));
    CHECK(atomic_load(&write_count) - before >= 1000);
    expect_numbers(&p, 1000);
    raw_finish(&p);
}

/* ---- The size of a batch ---- */

static void test_together(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    int before;

    begin(s);
    before = atomic_load(&write_count);
    send_numbers(s, 1000);
    CHECK(LOCKED(s, s->codec->sending == CW__FRAMES_HELD));
    CHECK_INT(atomic_load(&write_count), before); /* 10 bytes each */
    CHECK(!has_arrived(&p));
    end(s);
    CHECK(LOCKED(s, s->codec->sending != CW__FRAMES_HELD && s->out.first == NULL));
    CHECK_INT(atomic_load(&write_count), before + 1);
    expect_numbers(&p, 1000);
    raw_finish(&p);
}

/* At most 32 KiB: a send that finds no room writes the held messages. */
static void test_bound(void)
{
    enum { COUNT = 20000, FRAME_BYTES = 10, MOST = COUNT * FRAME_BYTES / (OUTPUT_BYTES - 64) + 2 };
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    pthread_t reader;
    int before = atomic_load(&write_count);

    CHECK_INT(pthread_create(&reader, NULL, raw_drain, &p), 0);
    begin(s);
    send_numbers(s, COUNT);
    end(s);
    CHECK(atomic_load(&write_count) - before >= COUNT * FRAME_BYTES / OUTPUT_BYTES);
    CHECK(atomic_load(&write_count) - before <= 2 * MOST); /* the kernel may take a write in two parts */
    cw_socket_abort(s);
    CHECK_INT(pthread_join(reader, NULL), 0);
    raw_finish(&p);
}

static void test_nested(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    CHECK_STATUS(cw_socket_batch_end(s, 0), CW_INVALID_STATE);
    begin(s);
    begin(s);
    send_numbers(s, 2);
    end(s);
    CHECK(LOCKED(s, s->codec->sending == CW__FRAMES_HELD));
    end(s);
    expect_numbers(&p, 2);
    CHECK_STATUS(cw_socket_batch_end(s, 0), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "batch");
    raw_finish(&p);
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_batch_begin(s), CW_INVALID_STATE);
    cw_socket_release(s);
}

static void test_many_in_a_batch(void)
{
    const cw_message messages[] = {MESSAGE_OF(CW_UTF8, "a", 1), MESSAGE_OF(CW_BINARY, "b", 1)};
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    size_t sent;

    begin(s);
    send_numbers(s, 1);
    CHECK_STATUS(cw_socket_send_many(s, messages, 2, CW_TIMEOUT_DEFAULT, &sent), CW_OK);
    CHECK_INT(sent, 2);
    CHECK(LOCKED(s, s->codec->sending == CW__FRAMES_HELD));
    end(s);
    expect_numbers(&p, 1);
    RAW_EXPECT(&p, CW__OP_TEXT, "a", 1);
    RAW_EXPECT(&p, CW__OP_BINARY, "b", 1);
    raw_finish(&p);
}

/* ---- Calls that write a batch before its end ---- */

static void test_receive(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    cw_event *e = NULL;
    cw_received received;
    char buffer[8];

    begin(s);
    send_numbers(s, 3);
    CHECK_STATUS(cw_socket_receive(s, 1, &e), CW_TIMED_OUT);
    expect_numbers(&p, 3); /* the server may answer only after it gets the held messages */
    send_numbers(s, 2);
    CHECK_STATUS(cw_socket_receive_into(s, buffer, sizeof buffer, 1, &received), CW_TIMED_OUT);
    expect_numbers(&p, 2);
    send_numbers(s, 1);
    CHECK_STATUS(cw_socket_ping(s, 1, NULL), CW_TIMED_OUT);
    expect_numbers(&p, 1);
    end(s);
    raw_finish(&p);
}

static void test_pong(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    begin(s);
    send_numbers(s, 3);
    RAW_SEND(&p, "\x89\x01p");
    expect_numbers(&p, 3);
    RAW_EXPECT(&p, CW__OP_PONG, "p", 1);
    end(s);
    raw_finish(&p);
}

static void test_large_follows(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    uint8_t *large = calloc(1, AFTER_BYTES);

    CHECK(large != NULL);
    begin(s);
    for (int round = 0; round < 5; round++) {
        send_numbers(s, 50);
        CHECK_STATUS(cw_socket_send(s, CW_BINARY, large, AFTER_BYTES, 0), CW_OK);
        expect_numbers(&p, 50);
        RAW_EXPECT(&p, CW__OP_BINARY, large, AFTER_BYTES);
    }
    end(s);
    free(large);
    raw_finish(&p);
}

static void test_fragments_follow(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    begin(s);
    send_numbers(s, 50);
    CHECK_STATUS(cw_socket_send_fragment(s, FRAGMENT_OF(CW_UTF8, "a", 1), NULL, false, CW_TIMEOUT_DEFAULT),
                 CW_OK);
    CHECK_STATUS(cw_socket_send_fragment(s, FRAGMENT_OF(CW_UTF8, "b", 1), NULL, true, CW_TIMEOUT_DEFAULT),
                 CW_OK);
    end(s);
    expect_numbers(&p, 50);
    RAW_EXPECT(&p, CW__OP_TEXT, "a", 1);
    RAW_EXPECT(&p, CW__OP_CONTINUATION, "b", 1);
    raw_finish(&p);
}

static void flush(cw_socket *s) { CHECK_STATUS(cw_socket_flush(s, CW_TIMEOUT_DEFAULT), CW_OK); }
static void close_socket(cw_socket *s) { CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK); }
static void wait_closed(cw_socket *s) { CHECK_STATUS(cw_socket_wait_closed(s, 1), CW_TIMED_OUT); }

static void goes_out_by(void (*call)(cw_socket *s))
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    begin(s);
    send_numbers(s, 50);
    call(s);
    expect_numbers(&p, 50);
    raw_finish(&p);
}

static void test_other_calls(void)
{
    goes_out_by(flush);
    goes_out_by(close_socket);
    goes_out_by(wait_closed);
}

/* The socket is dropped with a batch open. */
static void test_release(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    begin(s);
    send_numbers(s, 50);
    cw_socket_release(s);
    expect_numbers(&p, 50);
    RAW_EXPECT(&p, CW__OP_CLOSE, "", 0);
    RAW_SEND(&p, "\x88\x00");
    raw_end(&p);
    cw_shutdown(5000);
}

static void *expect_end(void *peer)
{
    raw_peer *p = peer;

    expect_numbers(p, 50);
    RAW_EXPECT(p, CW__OP_CLOSE, "\x03\xe9", 2);
    raw_end(p);
    return NULL;
}

static void test_shutdown(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    pthread_t reader;

    begin(s);
    send_numbers(s, 50);
    CHECK_INT(pthread_create(&reader, NULL, expect_end, &p), 0);
    CHECK_STATUS(cw_shutdown(5000), CW_OK);
    CHECK_INT(pthread_join(reader, NULL), 0);
    cw_socket_release(s);
}

/* ---- A peer that does not read ---- */

static void test_stalled(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    uint8_t data[1000] = {0};
    uint32_t count = 0;

    begin(s);
    while (cw_socket_send(s, CW_BINARY, data, sizeof data, 0) == CW_OK)
        count++;
    CHECK_INT(cw_error_web_status(), CW_WEB_Unknown); /* the call would block */
    CHECK_STATUS(cw_socket_batch_end(s, 10), CW_TIMED_OUT);
    CHECK_HAS(cw_error_message(), "still being sent");
    for (uint32_t i = 0; i < count; i++)
        RAW_EXPECT(&p, CW__OP_BINARY, data, sizeof data);
    begin(s);
    send_numbers(s, 5);
    end(s);
    expect_numbers(&p, 5);
    raw_finish(&p);
}

static void test_lost(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    begin(s);
    send_numbers(s, 50);
    raw_reset(&p);
    CHECK_STATUS(cw_socket_batch_end(s, CW_TIMEOUT_DEFAULT), CW_CLOSED);
    raw_finish(&p);
}

/* libcurl's framing holds nothing back, but a batch is allowed. */
static void test_curl(void)
{
    raw_peer p = {0};
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, CW_FRAMING_CURL), CW_OK);
    raw_open(&p, s);
    begin(s);
    send_numbers(s, 3);
    expect_numbers(&p, 3);
    end(s);
    raw_finish(&p);
}

/* ---- How many messages were sent ---- */

/* The peer reads nothing until the call has failed. sent_count is the number of messages that the kernel took whole. */
static void count_of(size_t len_bytes)
{
    enum { MOST_BYTES = 16 * 1024 * 1024 };
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    size_t count = MOST_BYTES / len_bytes, sent_count, got_bytes = 0;
    size_t frame_bytes = len_bytes + (len_bytes < 126 ? 6 : 8);
    cw_message *messages = calloc(count, sizeof *messages);
    uint8_t *data = calloc(1, len_bytes);
    ssize_t len;

    CHECK(messages && data);
    for (size_t i = 0; i < count; i++)
        messages[i] = (cw_message){.message_type = CW_BINARY, .data = data, .len_bytes = len_bytes};
    CHECK_STATUS(cw_socket_send_many(s, messages, count, 50, &sent_count), CW_CLOSED);
    while ((len = recv(p.fd, p.buffer, sizeof p.buffer, 0)) > 0)
        got_bytes += (size_t)len;
    CHECK(got_bytes > 0);
    CHECK_INT(sent_count, got_bytes / frame_bytes);
    free(messages);
    free(data);
    raw_end(&p);
    (void)cw_socket_wait_closed(s, CW_TIMEOUT_NEVER); /* it may report the loss of the rest */
    cw_socket_release(s);
    (void)cw_shutdown(5000);
}

static void test_sent_count(void)
{
    count_of(1);
    count_of(100);
    count_of(1000);
    count_of(10000);
    count_of(31000);
    count_of(100000);
}

static const harness_test tests[] = {
    {"without a batch each message is written by its send", test_no_batch},
    {"a batch writes its messages together", test_together},
    {"a batch holds 32 KiB at most", test_bound},
    {"nested batches; an end without a begin", test_nested},
    {"send_many in a batch", test_many_in_a_batch},
    {"a call that waits to receive writes the batch", test_receive},
    {"RFC 6455 5.5.2: a ping is answered while a batch is open", test_pong},
    {"a batch, then a message that is too large for it", test_large_follows},
    {"RFC 6455 5.4: a batch, then fragments", test_fragments_follow},
    {"flush, close and wait_closed write the batch", test_other_calls},
    {"a socket that is dropped with a batch open", test_release},
    {"the end of the program with a batch open", test_shutdown},
    {"a peer that does not read: the end of the batch times out, nothing is lost", test_stalled},
    {"the connection is lost with a batch open", test_lost},
    {"libcurl's framing holds nothing back", test_curl},
    {"send_many that fails counts what the kernel has taken", test_sent_count},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

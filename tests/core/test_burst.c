/* SPDX-License-Identifier: MIT */
/* Tests of bursts (outbound.c): small messages in quick succession are held back and written together. Whatever
 * follows, none is lost, none overtakes another, and no more wait than may. */
#include "raw_peer.h"

enum { QUEUE_BYTES = 64 * 1024, AFTER_BYTES = 100000 };

/* The core's writes go through here: the library is linked into this program. */
static cw__atomic_int write_count;

ssize_t send(int fd, const void *data, size_t len_bytes, int flags)
{
    (void)atomic_fetch_add(&write_count, 1);
    return sendto(fd, data, len_bytes, flags, NULL, 0);
}

/* Makes the next send one of a burst, however slow the machine is. */
static void hurry(cw_socket *s)
{
    cw__mutex_lock(&s->lock);
    s->out.burst_count = UINT32_MAX / 2;
    s->out.latest_us = INT64_MAX / 2;
    cw__mutex_unlock(&s->lock);
}

static cw_status send_number(cw_socket *s, uint32_t number)
{
    return cw_socket_send(s, CW_BINARY, &number, sizeof number, CW_TIMEOUT_DEFAULT);
}

/* A burst whose last messages may not have been written yet. */
static void send_burst(cw_socket *s, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        hurry(s);
        CHECK_STATUS(send_number(s, i), CW_OK);
    }
}

static void expect_burst(raw_peer *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        RAW_EXPECT(p, CW__OP_BINARY, &i, sizeof i);
}

static cw_socket *open_raw(raw_peer *p)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_OUTBOUND_BUFFER_SIZE, QUEUE_BYTES), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 0), CW_OK);
    raw_open(p, s);
    return s;
}

/* ---- What is held goes out ---- */

static void test_nothing_follows(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    for (uint32_t count = 1; count < 2000; count *= 3) {
        send_burst(s, count);
        expect_burst(&p, count);
    }
    raw_finish(&p);
}

static void *expect_many(void *peer)
{
    raw_peer *p = peer;
    raw_frame f;

    for (uint32_t i = 0, is; i < 20000; i++) {
        CHECK(raw_next(p, &f));
        memcpy(&is, f.payload, sizeof is);
        CHECK_INT(is, i);
        free(f.payload);
    }
    return NULL;
}

static void test_together(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    pthread_t reader;
    int before;

    CHECK_INT(pthread_create(&reader, NULL, expect_many, &p), 0);
    before = atomic_load(&write_count);
    for (uint32_t i = 0; i < 20000; i++)
        CHECK_STATUS(send_number(s, i), CW_OK); /* fast enough by itself, but for a pause now and then */
    CHECK_INT(pthread_join(reader, NULL), 0);
    CHECK(atomic_load(&write_count) - before < 20000 / 2);
    raw_finish(&p);
}

/* A request of a few messages goes out at once, and so does one after each answer. */
static void test_few(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    for (int round = 0; round < 20; round++) {
        CHECK_STATUS(send_number(s, 0), CW_OK);
        CHECK_STATUS(send_number(s, 1), CW_OK);
        CHECK(LOCKED(s, locked_s->out.first == NULL));
        expect_burst(&p, 2);
        RAW_SEND(&p, "\x82\x01"
                     "a");
        CHECK_MESSAGE(s, CW_BINARY, "a", 1);
        CHECK(LOCKED(s, locked_s->out.burst_count == 0));
    }
    raw_finish(&p);
}

/* ---- Order ---- */

static void test_large_follows(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    uint8_t *large = calloc(1, AFTER_BYTES);

    CHECK(large != NULL);
    for (int round = 0; round < 20; round++) {
        send_burst(s, 50);
        CHECK_STATUS(cw_socket_send(s, CW_BINARY, large, AFTER_BYTES, 0), CW_OK);
        expect_burst(&p, 50);
        RAW_EXPECT(&p, CW__OP_BINARY, large, AFTER_BYTES);
    }
    free(large);
    raw_finish(&p);
}

static void test_fragments_follow(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    for (int round = 0; round < 20; round++) {
        send_burst(s, 50);
        CHECK_STATUS(cw_socket_send_fragment(s, CW_UTF8, "a", 1, false, CW_TIMEOUT_DEFAULT), CW_OK);
        CHECK_STATUS(cw_socket_send_fragment(s, CW_UTF8, "b", 1, true, CW_TIMEOUT_DEFAULT), CW_OK);
        expect_burst(&p, 50);
        RAW_EXPECT(&p, CW__OP_TEXT, "a", 1);
        RAW_EXPECT(&p, CW__OP_CONTINUATION, "b", 1);
    }
    raw_finish(&p);
}

static void test_batch_follows(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    const cw_message batch[] = {{.kind = CW_UTF8, .data = "a", .len_bytes = 1},
                                {.kind = CW_UTF8, .data = "b", .len_bytes = 1}};
    size_t sent_count;

    for (int round = 0; round < 20; round++) {
        send_burst(s, 50);
        CHECK_STATUS(cw_socket_send_many(s, batch, 2, CW_TIMEOUT_DEFAULT, &sent_count), CW_OK);
        CHECK_INT(sent_count, 2);
        expect_burst(&p, 50);
        RAW_EXPECT(&p, CW__OP_TEXT, "a", 1);
        RAW_EXPECT(&p, CW__OP_TEXT, "b", 1);
    }
    raw_finish(&p);
}

/* RFC 6455 section 5.5.1: nothing follows a close frame, and nothing that was sent before it stays behind. */
static void test_close_follows(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    send_burst(s, 50);
    CHECK_STATUS(cw_socket_close(s, 1000, NULL, 0), CW_OK);
    expect_burst(&p, 50);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    raw_finish(&p);
}

static void test_abort_follows(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    send_burst(s, 50);
    cw_socket_abort(s);
    expect_burst(&p, 50);
    raw_finish(&p);
}

static void test_flush_follows(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    for (int round = 0; round < 20; round++) {
        send_burst(s, 50);
        CHECK_STATUS(cw_socket_flush(s, CW_TIMEOUT_DEFAULT), CW_OK);
        CHECK(LOCKED(s, locked_s->out.first == NULL));
        expect_burst(&p, 50);
    }
    raw_finish(&p);
}

/* The end of the program drops connections at once, but not what was sent. */
static void test_shut_down_follows(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);

    send_burst(s, 50);
    cw_shutdown(0);
    expect_burst(&p, 50);
    raw_finish(&p);
}

/* At once, so that what is held is not out when the large message begins. */
static void *send_burst_and_large(void *socket)
{
    static const uint8_t large[4 * 1024 * 1024];

    send_burst(socket, 50);
    CHECK_STATUS(cw_socket_send(socket, CW_BINARY, large, sizeof large, CW_TIMEOUT_DEFAULT), CW_OK);
    return NULL;
}

/* RFC 6455 section 5.4: a pong that is due while a thread writes the rest of a frame waits for the frame's end, also
 * where the queue begins with what was held. */
static void test_pong_after_frame(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    uint64_t large_bytes = 0;
    pthread_t sender;
    raw_frame f;
    bool is_pong = false;

    CHECK_INT(pthread_create(&sender, NULL, send_burst_and_large, s), 0);
    UNTIL(LOCKED(s, locked_s->out.is_direct));
    RAW_SEND(&p, "\x89\x01"
                 "p");
    UNTIL(LOCKED(s, locked_s->out.pong_count > 0));
    expect_burst(&p, 50);
    while (large_bytes < 4 * 1024 * 1024 || !is_pong) {
        CHECK(raw_next(&p, &f));
        CHECK(f.head.opcode == CW__OP_PONG ||
              f.head.opcode == (large_bytes ? CW__OP_CONTINUATION : CW__OP_BINARY));
        is_pong = is_pong || f.head.opcode == CW__OP_PONG;
        large_bytes += f.head.opcode == CW__OP_PONG ? 0 : f.head.payload_bytes;
        for (uint64_t i = 0; f.head.opcode != CW__OP_PONG && i < f.head.payload_bytes; i++)
            if (f.payload[i] != 0)
                HARNESS_FAIL("byte %llu is %02x", (unsigned long long)i, f.payload[i]);
        free(f.payload);
    }
    CHECK_INT(pthread_join(sender, NULL), 0);
    raw_finish(&p);
}

/* ---- A peer that does not read, or is gone ---- */

static void test_stalled(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    uint32_t taken = 0;
    cw_status status;

    do {
        hurry(s);
        status = cw_socket_send(s, CW_BINARY, &taken, sizeof taken, 0);
        taken += status == CW_OK;
    } while (status == CW_OK);
    CHECK_STATUS(status, CW_WOULD_BLOCK);
    CHECK(LOCKED(s, locked_s->out.data_bytes <= QUEUE_BYTES));
    expect_burst(&p, taken);
    CHECK_STATUS(cw_socket_flush(s, CW_TIMEOUT_DEFAULT), CW_OK);
    send_burst(s, 50); /* and it goes on */
    expect_burst(&p, 50);
    raw_finish(&p);
}

static void test_gone(void)
{
    raw_peer p = {0};
    cw_socket *s = open_raw(&p);
    cw_status status = CW_OK;

    raw_reset(&p);
    while (status == CW_OK) { /* the reset is known after a write at the latest */
        hurry(s);
        status = send_number(s, 0);
    }
    CHECK_STATUS(status, CW_CLOSED);
    raw_finish(&p);
}

/* The end is behind messages that nobody takes: what cannot go out any more must not wake the service on and on. */
static void test_gone_unread(void)
{
    raw_peer p = {0};
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_status status = CW_OK;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_INBOUND_BUFFER_SIZE, 1024), CW_OK);
    raw_open(&p, s);
    for (int i = 0; i < 100; i++)
        RAW_SEND(&p, "\x82\x14"
                     "aaaaaaaaaaaaaaaaaaaa");
    UNTIL(LOCKED(s, locked_s->in.inbox.is_full));
    raw_reset(&p);
    while (status == CW_OK) {
        hurry(s);
        status = send_number(s, 0);
    }
    CHECK_STATUS(status, CW_CLOSED);
    UNTIL(LOCKED(s, locked_s->out.first == NULL && (locked_s->watched & CW__WRITE) == 0));
    raw_finish(&p);
}

static const harness_test tests[] = {
    {"a burst goes out by itself", test_nothing_follows},
    {"a burst goes out in fewer writes than messages", test_together},
    {"a few messages go out at once, and so do those after an answer", test_few},
    {"a burst, then a large message", test_large_follows},
    {"RFC 6455 5.4: a burst, then fragments", test_fragments_follow},
    {"a burst, then many messages at once", test_batch_follows},
    {"RFC 6455 5.5.1: a burst, then a close frame", test_close_follows},
    {"a burst, then the connection is dropped", test_abort_follows},
    {"a burst is out after a flush", test_flush_follows},
    {"a burst, then the end of the program", test_shut_down_follows},
    {"RFC 6455 5.4: a burst, a large message, and a pong in its middle", test_pong_after_frame},
    {"a burst before a peer that does not read is bounded, and nothing of it is lost", test_stalled},
    {"a burst to a peer that is gone fails", test_gone},
    {"a burst to a peer that is gone, behind messages that nobody takes", test_gone_unread},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

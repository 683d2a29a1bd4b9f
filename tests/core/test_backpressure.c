/* SPDX-License-Identifier: MIT */
/* Tests of sends that do not wait (outbound.c): the controls send_high_water_mark and send_low_water_mark, the buffered
 * amount, and when CW_EVENT_WRITABLE comes. test_stalled.c tests the default marks. */
#include "raw_peer.h"

#include <poll.h>

enum { MESSAGE_BYTES = 1000, COST_BYTES = 64, HEADER_BYTES = 8, HIGH_BYTES = 20000, LOW_BYTES = 5000 };

static cw_socket *socket_of_marks(cw_framing framing, int64_t high, int64_t low)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, framing), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 0), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_SEND_HIGH_WATER_MARK, high), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_SEND_LOW_WATER_MARK, low), CW_OK);
    return s;
}

static cw_status send_now(cw_socket *s, size_t len_bytes)
{
    static uint8_t data[1 << 20];

    return cw_socket_send(s, CW_BINARY, data, len_bytes, 0);
}

static size_t buffered(cw_socket *s)
{
    size_t len_bytes = 1;

    CHECK_STATUS(cw_socket_get_buffered_amount(s, &len_bytes), CW_OK);
    return len_bytes;
}

/* Returns whether the kernel takes more. */
static bool is_ready(cw_socket *s)
{
    struct pollfd fd = {.fd = (int)LOCKED(s, s->fd), .events = POLLOUT};

    return poll(&fd, 1, 0) != 0;
}

/* Sends until the queue is full and the kernel takes nothing more. Returns the number of messages. */
static int fill(cw_socket *s)
{
    bool is_stuck = false;
    int count = 0;

    while (!is_stuck) {
        cw_status status = send_now(s, MESSAGE_BYTES);
        count += status == CW_OK;
        if (status == CW_OK)
            continue;
        CHECK_STATUS(status, CW_WOULD_BLOCK);
        if (cw_socket_flush(s, 250) == CW_OK || is_ready(s)) /* the kernel may take more a little later */
            continue;
        is_stuck = send_now(s, MESSAGE_BYTES) == CW_WOULD_BLOCK;
        count += !is_stuck;
    }
    return count;
}

/* Reads messages in place of the peer. Returns their number. */
static int read_some(raw_peer *p, int count)
{
    raw_frame f;

    for (int i = 0; i < count; i++) {
        CHECK(raw_next(p, &f));
        CHECK_INT(f.head.payload_bytes, MESSAGE_BYTES);
        free(f.payload);
    }
    return count;
}

/* ---- The marks ---- */

static void marks_over(cw_framing framing, int64_t low, int64_t wanted_low)
{
    raw_peer p;
    cw_socket *s = socket_of_marks(framing, HIGH_BYTES, low);
    cw_mailbox *m = NULL;
    cw_event *e = NULL;
    int left;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_WRITABLE), CW_OK);
    raw_open(&p, s);
    CHECK_STATUS(send_now(s, MESSAGE_BYTES), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT); /* no send had to wait, so no event */
    left = 1 + fill(s);
    CHECK(LOCKED(s, s->out.data_bytes) <= HIGH_BYTES);
    CHECK(LOCKED(s, s->out.data_bytes) + MESSAGE_BYTES + COST_BYTES > HIGH_BYTES);
    while (left > 0 && cw_mailbox_take(m, 0, &e) != CW_OK)
        left -= read_some(&p, 1);
    if (left == 0)
        CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_WRITABLE);
    CHECK(LOCKED(s, s->out.data_bytes) <= wanted_low);
    cw_event_free(e);
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT); /* once */
    cw_mailbox_release(m);
    cw_socket_abort(s);
    raw_finish(&p);
}

static void test_marks(void) { marks_over(CW_FRAMING_AUTO, LOW_BYTES, LOW_BYTES); }
static void test_marks_curl(void) { marks_over(CW_FRAMING_CURL, LOW_BYTES, LOW_BYTES); }
static void test_low_above_half(void) { marks_over(CW_FRAMING_AUTO, HIGH_BYTES, HIGH_BYTES / 2); }
static void test_low_zero(void) { marks_over(CW_FRAMING_AUTO, 0, 0); }

/* Nothing but one message waits. */
static void test_high_zero(void)
{
    raw_peer p;
    cw_socket *s = socket_of_marks(CW_FRAMING_AUTO, 0, 0);

    raw_open(&p, s);
    CHECK_STATUS(send_now(s, 1 << 20), CW_OK); /* more than the kernel takes */
    CHECK(buffered(s) > 0);
    CHECK_STATUS(send_now(s, 1), CW_WOULD_BLOCK);
    CHECK_STR(cw_error_message(), "the send buffer is full; wait until the socket is writable and retry");
    CHECK_STATUS(send_now(s, 0), CW_WOULD_BLOCK);
    cw_socket_abort(s);
    CHECK_INT(buffered(s), 0);
    raw_finish(&p);
}

/* An event that nobody took is no longer true after the next send that finds no room. */
static void test_out_of_date(void)
{
    raw_peer p;
    cw_socket *s = socket_of_marks(CW_FRAMING_AUTO, HIGH_BYTES, LOW_BYTES);
    cw_mailbox *m = NULL;
    cw_event *e = NULL;
    int count;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    raw_open(&p, s);
    count = fill(s);
    (void)read_some(&p, count);
    UNTIL(LOCKED(s, s->pending_events) & CW_EVENT_WRITABLE);
    (void)fill(s);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_WRITABLE), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT);
    cw_mailbox_release(m);
    cw_socket_abort(s);
    raw_finish(&p);
}

/* ---- The buffered amount ---- */

/* Compares it with the bytes that were passed to the kernel. */
static void check_amount(cw_socket *s, int count)
{
    cw_statistics n = {.size_bytes = sizeof n};
    uint64_t all_bytes = (uint64_t)count * (HEADER_BYTES + MESSAGE_BYTES), left_bytes;
    size_t amount = buffered(s);

    CHECK_STATUS(cw_socket_get_statistics(s, &n), CW_OK);
    CHECK(n.wire_bytes_sent <= all_bytes);
    left_bytes = all_bytes - n.wire_bytes_sent;
    CHECK(amount <= left_bytes);
    CHECK(amount + HEADER_BYTES * (left_bytes / MESSAGE_BYTES + 1) >= left_bytes);
}

static void test_amount(void)
{
    raw_peer p;
    cw_socket *s = socket_of_marks(CW_FRAMING_NATIVE, HIGH_BYTES, LOW_BYTES);
    int count;

    if (!cw__codec_native_receives()) {
        CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, CW_FRAMING_AUTO), CW_OK);
    }
    CHECK_INT(buffered(s), 0);
    raw_open(&p, s);
    CHECK_INT(buffered(s), 0);
    CHECK_STATUS(send_now(s, MESSAGE_BYTES), CW_OK);
    CHECK_INT(buffered(s), 0); /* the kernel has it */
    count = 1 + fill(s);
    check_amount(s, count);
    CHECK(buffered(s) > HIGH_BYTES / 2);
    (void)read_some(&p, count);
    UNTIL(buffered(s) == 0);
    CHECK_STATUS(cw_socket_flush(s, CW_TIMEOUT_NEVER), CW_OK);
    raw_finish(&p);
}

/* Each state of the queue: between frames, inside one, behind a control frame, and what a batch holds back. */
static void test_amount_of_queue(void)
{
    raw_peer p;
    cw_socket *s = socket_of_marks(CW_FRAMING_AUTO, HIGH_BYTES, LOW_BYTES);

    raw_open(&p, s);
    (void)fill(s);
    cw__mutex_lock(&s->lock);
    CHECK(s->out.first->is_begun && s->out.first->sent_bytes <= s->out.first->len_bytes);
    CHECK_INT(cw__queue_unsent_bytes(s), s->out.data_count * MESSAGE_BYTES - s->out.first->sent_bytes -
                                             (MESSAGE_BYTES - s->out.first->len_bytes));
    CHECK(cw__queue_control_locked(s, CW__OP_PING, (const uint8_t *)"ping", 4, false));
    CHECK_INT(cw__queue_unsent_bytes(s), s->out.data_count * MESSAGE_BYTES - s->out.first->sent_bytes -
                                             (MESSAGE_BYTES - s->out.first->len_bytes));
    cw__queue_drop_locked(s);
    CHECK_INT(s->out.data_count, 1);
    cw__mutex_unlock(&s->lock);
    cw_socket_abort(s);
    CHECK_INT(buffered(s), 0);
    raw_finish(&p);
}

static void test_amount_of_batch(void)
{
    raw_peer p;
    cw_socket *s = socket_of_marks(CW_FRAMING_AUTO, HIGH_BYTES, LOW_BYTES);

    raw_open(&p, s);
    CHECK_STATUS(cw_socket_batch_begin(s), CW_OK);
    CHECK_STATUS(send_now(s, MESSAGE_BYTES), CW_OK);
    CHECK_STATUS(send_now(s, MESSAGE_BYTES), CW_OK);
    CHECK_INT(buffered(s), s->codec->calls->flush ? 2 * (MESSAGE_BYTES + HEADER_BYTES) : 0);
    CHECK_STATUS(cw_socket_batch_end(s, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_INT(buffered(s), 0);
    (void)read_some(&p, 2);
    raw_finish(&p);
}

/* RFC 6455 5.3: the position in the frame decides how a byte is masked, wherever the kernel stopped taking bytes. */
static void test_piece_by_piece(void)
{
    static uint8_t data[1 << 20];
    raw_peer p;
    raw_frame f;
    cw_socket *s = socket_of_marks(CW_FRAMING_AUTO, HIGH_BYTES, LOW_BYTES);

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    raw_open(&p, s);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, data, sizeof data, 0), CW_OK);
    cw__mutex_lock(&s->lock);
    CHECK(cw__queue_unsent_bytes(s) > sizeof data / 2);
    /* What the codec holds would count as sent, and so as progress, on which keepalive relies. */
    CHECK(!s->codec->calls->unwritten || s->codec->calls->unwritten(s->codec) <= CW__HEADER_MAX_BYTES);
    cw__mutex_unlock(&s->lock);
    CHECK(raw_next(&p, &f));
    CHECK_INT(f.head.payload_bytes, sizeof data);
    CHECK_INT(memcmp(f.payload, data, sizeof data), 0);
    free(f.payload);
    raw_finish(&p);
}

/* ---- Two threads ---- */

static void *upload(void *arg)
{
    static uint8_t data[1 << 20];

    CHECK_STATUS(cw_socket_send(arg, CW_BINARY, data, sizeof data, CW_TIMEOUT_NEVER), CW_OK);
    return NULL;
}

/* A send finds that another thread is sending. When that thread has finished, the event comes. */
static void test_beside_sender(void)
{
    raw_peer p;
    raw_frame f;
    cw_socket *s = socket_of_marks(CW_FRAMING_AUTO, HIGH_BYTES, LOW_BYTES);
    cw_mailbox *m = NULL;
    cw_event *e = NULL;
    pthread_t thread;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_WRITABLE), CW_OK);
    raw_open(&p, s);
    CHECK_INT(pthread_create(&thread, NULL, upload, s), 0);
    UNTIL(LOCKED(s, s->out.sending) == CW__SENDING_DIRECTLY);
    CHECK_STATUS(send_now(s, 1), CW_WOULD_BLOCK);
    CHECK_INT(buffered(s) <= 32 * 1024, 1); /* the other call has not accepted its message yet */
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT);
    CHECK(raw_next(&p, &f));
    free(f.payload);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_WRITABLE);
    cw_event_free(e);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_STATUS(send_now(s, 1), CW_OK);
    cw_mailbox_release(m);
    cw_socket_abort(s);
    raw_finish(&p);
}

static void test_bad_marks(void)
{
    static const cw_option marks[] = {CW_OPT_SEND_HIGH_WATER_MARK, CW_OPT_SEND_LOW_WATER_MARK};
    cw_socket *s = peer_socket(CW_STREAM_SOCKET);

    for (int i = 0; i < 2; i++) {
        CHECK_STATUS(cw_socket_set_number(s, marks[i], -1), CW_INVALID_ARGUMENT);
        CHECK_HAS(cw_error_message(), cw_option_key(marks[i]));
        CHECK_STATUS(cw_socket_set_number(s, marks[i], (int64_t)INT32_MAX + 1), CW_INVALID_ARGUMENT);
        CHECK_STATUS(cw_socket_set_number(s, marks[i], INT32_MAX), CW_OK);
    }
    cw_socket_release(s);
}

static const harness_test tests[] = {
    {"the marks: how much is queued, and when the socket is writable again", test_marks},
    {"the marks with libcurl's framing", test_marks_curl},
    {"a low mark above half of the high mark counts as half", test_low_above_half},
    {"a low mark of 0: the queue is empty", test_low_zero},
    {"a high mark of 0: only one message waits", test_high_zero},
    {"a writable event that was not taken is dropped when there is no room again", test_out_of_date},
    {"the buffered amount is what the kernel has not taken", test_amount},
    {"the buffered amount of a queue", test_amount_of_queue},
    {"the buffered amount of a batch", test_amount_of_batch},
    {"RFC 6455 5.3: a large frame that the kernel takes piece by piece", test_piece_by_piece},
    {"a send beside a thread that sends: writable when that has finished", test_beside_sender},
    {"the marks take 0 to 2 GiB", test_bad_marks},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

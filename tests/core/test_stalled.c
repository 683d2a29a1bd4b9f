/* SPDX-License-Identifier: MIT */
/* Tests of outbound.c with a peer that does not read, or is gone. They test the limit of the queue, what ends a
 * send that waits, and pongs that cannot be sent. test_outbound.c tests the rest. */
#include "raw_peer.h"

#include <sys/syscall.h>
#include <time.h>

enum { MIB = 1024 * 1024, QUEUE_BYTES = 256 * 1024 };

#define FRAGMENT(s, message_type, text, is_final)                                                         \
    cw_socket_send_fragment((s), FRAGMENT_OF((message_type), (text), sizeof(text) - 1), NULL, (is_final), \
                            CW_TIMEOUT_DEFAULT)

/* ---- A peer that does not read ---- */

enum { SMALL_BYTES = 4096 };

/* Sends the next of the numbered messages. */
static cw_status send_numbered(cw_socket *s, uint32_t number, int timeout_ms)
{
    uint8_t data[SMALL_BYTES] = {0};

    memcpy(data, &number, sizeof number);
    return cw_socket_send(s, CW_BINARY, data, sizeof data, timeout_ms);
}

/* Sends numbered messages until neither the kernel nor the queue takes another one. Returns the number of messages that
 * they took. The kernel may take a little more a little later. So this looks again, and once more because this thread
 * may have paused for all of the first wait. */
static uint32_t fill(cw_socket *s)
{
    uint32_t number = 0;

    for (int looks = 0; looks < 3;) {
        cw_status status = send_numbered(s, number, 0);
        if (status == CW_OK) {
            number++;
            looks = 0;
            continue;
        }
        CHECK_STATUS(status, CW_WOULD_BLOCK);
        if (++looks < 3)
            CHECK_STATUS(cw_socket_flush(s, 125), CW_TIMED_OUT);
    }
    return number;
}

static cw_socket *bounded_socket(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAME_SIZE, MIB), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 0), CW_OK);
    return s;
}

static void expect_numbered(raw_peer *p, uint32_t count)
{
    raw_frame f;

    for (uint32_t i = 0, is; i < count; i++) {
        CHECK(raw_next(p, &f));
        CHECK_INT(f.head.opcode, CW__OP_BINARY);
        CHECK_INT(f.head.payload_bytes, SMALL_BYTES);
        memcpy(&is, f.payload, sizeof is);
        CHECK_INT(is, i);
        free(f.payload);
    }
}

static bool say_yes(void *arg)
{
    (void)arg;
    return true;
}

static void test_stalled(void)
{
    raw_peer p;
    cw_socket *s = bounded_socket();
    cw_mailbox *m = NULL;
    cw_event *e = NULL;
    uint32_t count;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_WRITABLE), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_SEND_TIMEOUT, 20), CW_OK);
    raw_open(&p, s);
    count = fill(s);
    while (cw_mailbox_take(m, 0, &e) == CW_OK) /* drops events from before the queue was full */
        cw_event_free(e);
    CHECK(LOCKED(s, s->out.data_bytes) <= QUEUE_BYTES);
    CHECK(LOCKED(s, s->out.data_bytes) + SMALL_BYTES + 64 > QUEUE_BYTES);
    CHECK_STATUS(send_numbered(s, 0xdead, 0), CW_WOULD_BLOCK);
    CHECK_STATUS(send_numbered(s, 0xdead, 10), CW_TIMED_OUT);
    CHECK_HAS(cw_error_message(), "took nothing for 0.01 s, so this message was not sent");
    CHECK_STATUS(send_numbered(s, 0xdead, CW_TIMEOUT_DEFAULT), CW_TIMED_OUT);
    CHECK_HAS(cw_error_message(), "took nothing for 0.02 s (send_timeout), so");
    cw_set_wait_hook(say_yes, NULL);
    CHECK_STATUS(send_numbered(s, 0xdead, CW_TIMEOUT_NEVER), CW_INTERRUPTED);
    CHECK_STATUS(cw_socket_flush(s, CW_TIMEOUT_NEVER), CW_INTERRUPTED);
    cw_set_wait_hook(NULL, NULL);
    CHECK_STATUS(cw_socket_flush(s, 10), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_flush(s, 0), CW_TIMED_OUT);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT);
    expect_numbered(&p, count);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_WRITABLE);
    cw_event_free(e);
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT); /* the event comes only once */
    CHECK_STATUS(send_numbered(s, 0, 0), CW_OK);
    CHECK_STATUS(cw_socket_flush(s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK_INT(LOCKED(s, s->out.first == NULL && s->out.data_bytes == 0), 1);
    expect_numbered(&p, 1);
    cw_mailbox_release(m);
    raw_finish(&p);
}

/* Many messages in one call: the counted messages arrive whole and in order; no part of the others arrives. */
static void test_stalled_many(void)
{
    enum { BATCH = 50, MOST = 1 << 16 };
    static uint8_t data[BATCH][SMALL_BYTES];
    cw_message messages[BATCH];
    raw_peer p;
    cw_socket *s = bounded_socket();
    cw_status status = CW_OK;
    uint32_t count = 0;
    size_t sent = 0;

    raw_open(&p, s);
    for (bool is_full = false; !is_full; is_full = status != CW_OK && sent == 0) {
        if (status != CW_OK) /* the kernel may take a little more a little later */
            CHECK_STATUS(cw_socket_flush(s, 250), CW_TIMED_OUT);
        for (uint32_t i = 0; i < BATCH; i++) {
            uint32_t number = count + i;
            memcpy(data[i], &number, sizeof number);
            messages[i] = (cw_message){.message_type = CW_BINARY, .data = data[i], .len_bytes = SMALL_BYTES};
        }
        status = cw_socket_send_many(s, messages, BATCH, 0, &sent);
        CHECK((sent == BATCH) == (status == CW_OK));
        count += (uint32_t)sent;
        CHECK(count < MOST);
    }
    CHECK_STATUS(cw_socket_send_many(s, messages, BATCH, 0, &sent), CW_WOULD_BLOCK);
    CHECK_INT(sent, 0);
    CHECK(LOCKED(s, s->out.data_bytes) <= QUEUE_BYTES);
    expect_numbered(&p, count);
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "end", true), CW_OK);
    RAW_EXPECT(&p, CW__OP_BINARY, "end", 3);
    raw_finish(&p);
}

/* A fragment that was refused does not change the message. */
static void test_stalled_fragment(void)
{
    raw_peer p;
    cw_socket *s = bounded_socket();
    uint8_t data[SMALL_BYTES];
    uint32_t count;

    memset(data, 'x', sizeof data);
    raw_open(&p, s);
    count = fill(s);
    CHECK_STATUS(cw_socket_send_fragment(s, FRAGMENT_OF(CW_UTF8, data, sizeof data), NULL, false, 0),
                 CW_WOULD_BLOCK);
    CHECK_STATUS(cw_socket_send_fragment(s, FRAGMENT_OF(CW_UTF8, data, sizeof data), NULL, false, 10),
                 CW_TIMED_OUT);
    CHECK_INT(LOCKED(s, s->out.fragments), CW__FRAGMENTS_NONE);
    expect_numbered(&p, count);
    /* another type is allowed, because no message is open */
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "a", false), CW_OK);
    CHECK_STATUS(FRAGMENT(s, CW_BINARY, "b", true), CW_OK);
    RAW_EXPECT(&p, CW__OP_BINARY, "a", 1);
    RAW_EXPECT(&p, CW__OP_CONTINUATION, "b", 1);
    raw_finish(&p);
}

/* If the queue is empty, a call that must not wait queues a message that is larger than the queue. */
static void test_large_at_once(void)
{
    static uint8_t data[2 * MIB + 7];
    raw_peer p;
    cw_socket *s = bounded_socket();

    memset(data, 'y', sizeof data);
    raw_open(&p, s);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, data, sizeof data, 0), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, data, 1, 0), CW_WOULD_BLOCK);
    RAW_EXPECT(&p, CW__OP_BINARY, data, MIB);
    RAW_EXPECT(&p, CW__OP_CONTINUATION, data, MIB);
    RAW_EXPECT(&p, CW__OP_CONTINUATION, data, 7);
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "z", 1, CW_TIMEOUT_DEFAULT), CW_OK);
    RAW_EXPECT(&p, CW__OP_TEXT, "z", 1);
    raw_finish(&p);
}

static void broken_off(bool by_hook)
{
    static uint8_t data[2 * MIB];
    raw_peer p;
    cw_socket *s = bounded_socket();

    raw_open(&p, s);
    if (by_hook)
        cw_set_wait_hook(say_yes, NULL);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, data, sizeof data, by_hook ? CW_TIMEOUT_NEVER : 50), CW_CLOSED);
    cw_set_wait_hook(NULL, NULL);
    CHECK_INT(cw_error_web_status(), by_hook ? CW_WEB_OperationCanceled : CW_WEB_Timeout);
    CHECK_HAS(cw_error_message(), by_hook ? "interrupted in the middle of a message"
                                          : "took nothing for 0.05 s in the middle of a message");
    CHECK_CLOSED(s, 1006, false);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_CLOSED);
    CHECK_INT(cw_error_web_status(), by_hook ? CW_WEB_OperationCanceled : CW_WEB_Timeout);
    CHECK_STATUS(cw_socket_flush(s, 0), CW_CLOSED);
    raw_finish(&p);
}

static void test_broken_off_by_timeout(void) { broken_off(false); }
static void test_broken_off_by_hook(void) { broken_off(true); }

/* ---- A send that waits, and calls of other threads meanwhile ---- */

typedef struct sending {
    cw_socket *s;
    size_t len_bytes;
    int timeout_ms;
    cw_status status;
    int web_status;
    pthread_t thread;
} sending;

/* Sends bytes that do not compress: more than the kernel takes at once. */
static void *send_blocked(void *arg)
{
    sending *w = arg;
    uint8_t *data = malloc(w->len_bytes);

    CHECK(data != NULL);
    CHECK(cw__random(data, w->len_bytes));
    data[0] = 0; /* a message of one byte must have a known value */
    w->status = cw_socket_send(w->s, CW_BINARY, data, w->len_bytes, w->timeout_ms);
    w->web_status = cw_error_web_status();
    free(data);
    return NULL;
}

static void begin_sending(sending *w, cw_socket *s, size_t len_bytes, int timeout_ms)
{
    *w = (sending){.s = s, .len_bytes = len_bytes, .timeout_ms = timeout_ms};
    CHECK_INT(pthread_create(&w->thread, NULL, send_blocked, w), 0);
}

static void end_sending(sending *w, cw_status wanted)
{
    CHECK_INT(pthread_join(w->thread, NULL), 0);
    CHECK_STATUS(w->status, wanted);
}

static void test_close_while_sending(void)
{
    raw_peer p;
    sending w;
    raw_frame f;

    raw_open(&p, bounded_socket());
    begin_sending(&w, p.s, 8 * MIB, CW_TIMEOUT_NEVER);
    UNTIL(LOCKED(p.s, p.s->out.sender != NULL));
    CHECK_STATUS(cw_socket_close_start(p.s, 1001, "bye", 3), CW_OK);
    end_sending(&w, CW_CLOSED); /* CW_CLOSED, although the peer has read nothing yet */
    CHECK(raw_next(&p, &f));
    CHECK_INT(f.head.opcode, CW__OP_BINARY);
    CHECK_INT(f.head.payload_bytes, MIB); /* the frame that had begun is completed */
    free(f.payload);
    RAW_EXPECT(&p, CW__OP_CLOSE,
               "\x03\xe9"
               "bye",
               5);
    RAW_SEND(&p, "\x88\x02\x03\xe9");
    CHECK_CLOSED(p.s, 1001, true);
    raw_finish(&p);
}

static void test_abort_while_sending(void)
{
    raw_peer p;
    sending w, second;

    raw_open(&p, bounded_socket());
    begin_sending(&w, p.s, 8 * MIB, CW_TIMEOUT_NEVER);
    UNTIL(LOCKED(p.s, p.s->out.sender != NULL));
    begin_sending(&second, p.s, 1, CW_TIMEOUT_NEVER);
    UNTIL(LOCKED(p.s, p.s->waiting_count > 0));
    cw_socket_abort(p.s);
    end_sending(&w, CW_CLOSED);
    end_sending(&second, CW_CLOSED);
    CHECK_CLOSED(p.s, 1006, false);
    raw_finish(&p);
}

/* While one thread writes a message, other threads wait for their turn, or learn that they would have to wait. */
static void test_waiting_for_turn(void)
{
    raw_peer p;
    sending w, second;
    raw_frame f;

    raw_open(&p, bounded_socket());
    begin_sending(&w, p.s, 3 * MIB, CW_TIMEOUT_NEVER);
    UNTIL(LOCKED(p.s, p.s->out.sender != NULL));
    CHECK_STATUS(cw_socket_send(p.s, CW_BINARY, "a", 1, 0), CW_WOULD_BLOCK);
    CHECK_STATUS(cw_socket_send(p.s, CW_BINARY, "a", 1, 10), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_flush(p.s, 10), CW_TIMED_OUT);
    begin_sending(&second, p.s, 1, CW_TIMEOUT_NEVER);
    UNTIL(LOCKED(p.s, p.s->waiting_count > 0));
    for (int i = 0; i < 3; i++) {
        CHECK(raw_next(&p, &f));
        CHECK_INT(f.head.payload_bytes, MIB);
        CHECK_INT(f.head.is_final, i == 2);
        free(f.payload);
    }
    RAW_EXPECT(&p, CW__OP_BINARY, "", 1);
    end_sending(&w, CW_OK);
    end_sending(&second, CW_OK);
    raw_finish(&p);
}

static atomic_int ahead_s; /* how far the clock of this program is ahead */

/* Replaces the core's clock: the library is linked into this program. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, id, now);

    if (id == CLOCK_MONOTONIC)
        now->tv_sec += atomic_load(&ahead_s);
    return result;
}

/* Returns whether the sender has written more, or has written everything. */
static bool has_sent_more(cw_socket *s, uint64_t before_bytes)
{
    return LOCKED(s, s->out.progress_bytes > before_bytes || s->out.sending == CW__SENDING_NOTHING);
}

/* send_timeout limits only a time without progress, so a slow message may take longer. The clock is set forward, because
 * the time in all is several times send_timeout. */
static void test_slow_progress(void)
{
    enum { CHUNK_BYTES = 512 * 1024, STEP_S = 40, TIMEOUT_MS = 60000, ALL_BYTES = 3 * (MIB + 14) - 1 };
    raw_peer p;
    sending w;
    raw_frame f;
    uint8_t *chunk = malloc(CHUNK_BYTES);
    size_t total = 0;

    CHECK(chunk != NULL);
    raw_open(&p, bounded_socket());
    begin_sending(&w, p.s, 3 * MIB - 1, TIMEOUT_MS);
    UNTIL(LOCKED(p.s, p.s->out.sender != NULL));
    while (total < ALL_BYTES) {
        uint64_t before_bytes;
        (void)atomic_fetch_add(&ahead_s, STEP_S);
        before_bytes = (uint64_t)LOCKED(p.s, p.s->out.progress_bytes);
        total += raw_read(&p, chunk, ALL_BYTES - total < CHUNK_BYTES ? ALL_BYTES - total : CHUNK_BYTES);
        UNTIL(has_sent_more(p.s, before_bytes));
    }
    free(chunk);
    end_sending(&w, CW_OK);
    CHECK_STATUS(cw_socket_send(p.s, CW_BINARY, "a", 1, 0), CW_OK);
    CHECK(raw_next(&p, &f));
    CHECK_INT(f.head.payload_bytes, 1);
    free(f.payload);
    raw_finish(&p);
}

/* Queues a ping if a thread is compressing at this moment. */
static bool queue_while_compressing(cw_socket *s)
{
    return s->out.sending == CW__SENDING_PIECES && cw__queue_control_locked(s, CW__OP_PING, NULL, 0, false);
}

/* A control frame that could not be sent was queued while a large message was compressed. The message waits behind that
 * frame, and so does the send of the message. */
static void test_compressed_behind_control(void)
{
    static const uint8_t junk[SMALL_BYTES];
    raw_peer p;
    sending w;
    cw_socket *s = bounded_socket();

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, CW_FRAMING_AUTO), CW_OK); /* libcurl's: no RSV1 */
    raw_open(&p, s);
    while (LOCKED(s, send(s->fd, junk, sizeof junk, MSG_DONTWAIT)) > 0)
        continue;
    cw__mutex_lock(&s->lock);
    s->compression = (cw__compression){.is_on = true, .server_bits = 15, .client_bits = 15};
    cw__mutex_unlock(&s->lock);
    begin_sending(&w, s, 8 * MIB, CW_TIMEOUT_NEVER);
    UNTIL(LOCKED(s, queue_while_compressing(s) || s->out.sender != NULL));
    /* The send waits for the ping to go. If the kernel took the ping after all, it waits with its own bytes. */
    UNTIL(LOCKED(s, s->waiting_count > 0 || s->out.sender != NULL));
    cw_socket_abort(s);
    end_sending(&w, CW_CLOSED);
    raw_finish(&p);
}

/* ---- Pongs ---- */

static void test_pong_between_frames(void)
{
    raw_peer p;
    sending w;
    raw_frame f;

    raw_open(&p, bounded_socket());
    begin_sending(&w, p.s, 3 * MIB, CW_TIMEOUT_NEVER);
    UNTIL(LOCKED(p.s, p.s->out.sender != NULL));
    RAW_SEND(&p, "\x89\x03now");
    UNTIL(LOCKED(p.s, p.s->out.pong_count == 1));
    CHECK(raw_next(&p, &f));
    CHECK_INT(f.head.opcode, CW__OP_BINARY);
    CHECK(!f.head.is_final);
    free(f.payload);
    RAW_EXPECT(&p, CW__OP_PONG, "now", 3);
    for (int i = 0; i < 2; i++) {
        CHECK(raw_next(&p, &f));
        CHECK_INT(f.head.opcode, CW__OP_CONTINUATION);
        CHECK_INT(f.head.is_final, i == 1);
        free(f.payload);
    }
    end_sending(&w, CW_OK);
    raw_finish(&p);
}

/* Returns whether the newest waiting pong answers the ping with the given number. */
static bool newest_pong_is(cw_socket *s, uint32_t number)
{
    const cw__queued_frame *newest = NULL;

    for (const cw__queued_frame *f = s->out.first; f; f = f->next)
        if (f->opcode == CW__OP_PONG)
            newest = f;
    return newest && newest->len_bytes == sizeof number && memcmp(newest->data, &number, sizeof number) == 0;
}

/* A frame of 1 MiB has begun, of which the kernels take only a part. So no pong can be sent. */
static void test_ping_flood(void)
{
    enum { PINGS = 1000, FRAMES = 3 };
    static uint8_t data[FRAMES * MIB];
    raw_peer p;
    uint32_t count = FRAMES, pongs = 0, latest = 0;
    raw_frame f;

    raw_open(&p, bounded_socket());
    CHECK_STATUS(cw_socket_send(p.s, CW_BINARY, data, sizeof data, 0), CW_OK);
    for (uint32_t i = 0; i < PINGS; i++) {
        uint8_t ping[6] = {0x89, sizeof i};
        memcpy(ping + 2, &i, sizeof i);
        raw_write(&p, ping, sizeof ping);
    }
    UNTIL(LOCKED(p.s, newest_pong_is(p.s, PINGS - 1)));
    CHECK_INT(LOCKED(p.s, p.s->out.pong_count), 16);
    while (count > 0 || latest < PINGS - 1) {
        CHECK(raw_next(&p, &f));
        if (f.head.opcode == CW__OP_PONG) {
            uint32_t number;
            memcpy(&number, f.payload, sizeof number);
            CHECK(pongs == 0 || number > latest); /* pongs come in order */
            latest = number;
            pongs++;
        } else
            count--;
        free(f.payload);
    }
    CHECK_INT(pongs, 16);
    CHECK_INT(LOCKED(p.s, p.s->out.pong_count), 0);
    raw_finish(&p);
}

/* ---- After the peer is gone ---- */

/* Earlier messages are still returned, although a send has noticed the end first. */
static void test_send_after_reset(void)
{
    enum { MESSAGES = 200, BYTES = 100 };
    raw_peer p;
    cw_socket *s = bounded_socket();
    uint8_t message[2 + BYTES] = {0x82, BYTES};
    cw_status status = CW_OK;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_INBOUND_BUFFER_SIZE, 1024), CW_OK);
    raw_open(&p, s);
    for (int i = 0; i < MESSAGES; i++) {
        message[2] = (uint8_t)i;
        raw_write(&p, message, sizeof message);
    }
    UNTIL(LOCKED(s, s->in.inbox.is_full)); /* the service thread no longer reads */
    raw_reset(&p);
    while (status == CW_OK) /* until the reset has arrived */
        status = cw_socket_send(s, CW_BINARY, "a", 1, 0);
    CHECK_STATUS(status, CW_CLOSED);
    CHECK_INT(cw_error_web_status(), CW_WEB_ConnectionReset);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_CLOSED);
    CHECK_STATUS(cw_socket_flush(s, 0), CW_CLOSED);
    CHECK_STATUS(cw_socket_ping(s, 0, NULL), CW_CLOSED);
    for (int i = 0; i < MESSAGES; i++) {
        message[2] = (uint8_t)i;
        CHECK_MESSAGE(s, CW_BINARY, message + 2, BYTES);
    }
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &(cw_event *){NULL}), CW_CLOSED);
    CHECK_CLOSED(s, 1006, false);
    raw_finish(&p);
}

static const harness_test tests[] = {
    {"a peer that does not read: the queue is bounded, refused sends send nothing, the rest goes in order",
     test_stalled},
    {"many messages that would block: only those that were counted are sent", test_stalled_many},
    {"a fragment that would block leaves no message open", test_stalled_fragment},
    {"a large message with timeout 0 is queued whole", test_large_at_once},
    {"a message half sent when the time is up breaks the connection: Timeout", test_broken_off_by_timeout},
    {"a message half sent when the hook interrupts: OperationCanceled", test_broken_off_by_hook},
    {"RFC 6455 5.5.1: close ends a blocked send at once, its frame follows a whole frame",
     test_close_while_sending},
    {"abort ends a send that writes and one that waits", test_abort_while_sending},
    {"a send waits while another thread writes", test_waiting_for_turn},
    {"send_timeout counts the time without progress", test_slow_progress},
    {"a send waits behind a control frame that was queued while it compressed", test_compressed_behind_control},
    {"RFC 6455 5.4, 5.5.2: a pong goes between frames of 1 MiB", test_pong_between_frames},
    {"RFC 6455 5.5.3: pongs that cannot be sent are bounded, the newest ping is answered", test_ping_flood},
    {"messages that came before a reset are returned after a send has found it", test_send_after_reset},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests what happens to queued messages when a socket or the program ends (closing.c, service.c). curlwire keeps
 * sending while the peer takes bytes, and reports the bytes that were lost. */
#include "gate.h"

enum {
    MIB = 1024 * 1024,
    LARGE_BYTES = 4 * MIB, /* more bytes than the kernels of both sides hold */
    SHORT_MS = 40,
    LONG_MS = 20000
};

static uint8_t large[LARGE_BYTES];

/* Opens a connection with these time limits and without keepalive pings. */
static cw_socket *open_raw(raw_peer *p, int send_timeout_ms, int close_timeout_ms)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    *p = (raw_peer){0};
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 0), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_SEND_TIMEOUT, send_timeout_ms), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_CLOSE_TIMEOUT, close_timeout_ms), CW_OK);
    raw_open(p, s);
    return s;
}

/* Sends a large message without waiting, so that most of the data waits in the socket. */
static void send_large(cw_socket *s)
{
    for (size_t i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 2654435761u >> 13);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, large, sizeof large, 0), CW_OK);
    CHECK(LOCKED(s, s->out.first != NULL));
}

/* All data is in the kernel, which cannot deliver it. */
static uint32_t fill_kernel(cw_socket *s)
{
    uint32_t count = 0;

    while (LOCKED(s, s->out.first == NULL)) {
        CHECK_STATUS(cw_socket_send(s, CW_BINARY, large, 1000, 0), CW_OK);
        count++;
    }
    return count;
}

static void close_socket(cw_socket *s) { CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK); }

/* Waits long enough for a wrong reaction to happen. */
static void let_time_pass(int ms) { (void)poll(NULL, 0, ms); }

/* ---- A slow server gets everything ---- */

static void test_longer_than_close_timeout(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, SHORT_MS);

    send_large(s);
    close_socket(s);
    let_time_pass(4 * SHORT_MS);
    CHECK(LOCKED(s, s->drain.is_on && s->close.deadline_ms == INT64_MAX));
    RAW_EXPECT(&p, CW__OP_BINARY, large, sizeof large);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    CHECK_CLOSED(s, 1006, false); /* close_timeout began after the drain, and passed without an answer */
    CHECK_INT(LOCKED(s, s->out.lost_bytes), 0);
    raw_finish(&p);
}

static void test_in_the_kernel(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, SHORT_MS);
    uint32_t count = fill_kernel(s);

    UNTIL(LOCKED(s, cw__link_unacknowledged(s->codec->link) > 0));
    close_socket(s);
    let_time_pass(4 * SHORT_MS);
    CHECK(LOCKED(s, s->drain.is_on));
    (void)LOCKED(s, s->settings.numbers[CW_OPT_CLOSE_TIMEOUT] = LONG_MS); /* for the peer's answer */
    for (uint32_t i = 0; i < count; i++)
        RAW_EXPECT(&p, CW__OP_BINARY, large, 1000);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    RAW_SEND(&p, "\x88\x02\x03\xe8");
    CHECK_CLOSED(s, 1000, true);
    raw_finish(&p);
}

/* Returns the time of the latest progress, after moving it back. */
static int64_t pause_drain(cw_socket *s, int64_t pause_ms)
{
    return LOCKED(s, s->drain.progress_ms -= pause_ms);
}

/* Reads slowly, but never pauses for send_timeout. For each pause the test sets the clock of the drain back, because the
 * whole takes several times send_timeout. */
static void test_steady_reader(void)
{
    enum { CHUNK_BYTES = 512 * 1024, ALL_BYTES = LARGE_BYTES + 14 + 8, PAUSE_MS = LONG_MS / 2 };
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, SHORT_MS);
    uint8_t *chunk = malloc(CHUNK_BYTES);
    size_t total = 0;

    CHECK(chunk != NULL);
    send_large(s);
    close_socket(s);
    while (total < ALL_BYTES) {
        int64_t before_ms = pause_drain(s, PAUSE_MS);
        total += raw_read(&p, chunk, ALL_BYTES - total < CHUNK_BYTES ? ALL_BYTES - total : CHUNK_BYTES);
        UNTIL(LOCKED(s, !s->drain.is_on || s->drain.progress_ms > before_ms));
    }
    free(chunk);
    CHECK_CLOSED(s, 1006, false);
    CHECK_INT(LOCKED(s, s->out.lost_bytes), 0);
    raw_finish(&p);
}

/* If nothing is on its way, close_timeout begins at once. */
static void test_nothing_on_its_way(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, SHORT_MS);

    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, CW_TIMEOUT_DEFAULT), CW_OK);
    RAW_EXPECT(&p, CW__OP_BINARY, "a", 1);
    UNTIL(LOCKED(s, cw__link_unacknowledged(s->codec->link) == 0));
    close_socket(s);
    CHECK(!LOCKED(s, s->drain.is_on));
    CHECK_CLOSED(s, 1006, false);
    raw_finish(&p);
}

/* send_timeout 0 is for sends that must not wait. It is too short for any server, so draining uses 30 s instead. */
static void test_send_timeout_0(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, 0, SHORT_MS);

    send_large(s);
    close_socket(s);
    let_time_pass(2 * SHORT_MS);
    RAW_EXPECT(&p, CW__OP_BINARY, large, sizeof large);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    CHECK_CLOSED(s, 1006, false);
    CHECK_INT(LOCKED(s, s->out.lost_bytes), 0);
    raw_finish(&p);
}

/* The peer's close frame crosses data that is still on its way. The peer may still read all of it, or nothing. */
static cw_socket *crossed(raw_peer *p)
{
    cw_socket *s = open_raw(p, LONG_MS, LONG_MS);

    send_large(s);
    close_socket(s);
    RAW_SEND(p, "\x88\x02\x03\xe8");
    UNTIL(LOCKED(s, s->close.state == CW__CLOSE_BOTH));
    CHECK_STATUS(cw_socket_wait_closed(s, SHORT_MS), CW_TIMED_OUT);
    return s;
}

static void test_crossing(void)
{
    raw_peer p;
    cw_socket *s = crossed(&p);

    RAW_EXPECT(&p, CW__OP_BINARY, large, sizeof large);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe8", 2);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    raw_finish(&p);
}

/* ---- Losses are reported, once ---- */

static void test_crossing_and_reset(void)
{
    raw_peer p;
    cw_socket *s = crossed(&p);

    raw_reset(&p);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_CLOSED);
    CHECK_HAS(cw_error_message(), "did not reach the server");
    peer_finish(s);
}

/* Our close frame is not a message. So nothing is lost if a server reads all messages and ends TCP before that frame. */
static void test_close_frame(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, LONG_MS);

    cw__mutex_lock(&s->lock);
    cw__closing_begin_locked(s, 1000, "", 0);
    s->drain.is_on = true; /* as if the sent data had just been acknowledged */
    s->drain.held_bytes = INT32_MAX;
    cw__outbound_flush_locked(s);
    CHECK_INT(s->out.control_bytes, 8);
    cw__closing_ended_locked(s, "the server ended the connection without a close frame");
    CHECK_INT(s->out.lost_bytes, 0);
    cw__socket_attend_locked(s);
    cw__mutex_unlock(&s->lock);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    raw_finish(&p);
}

/* Lost pongs are not reported: neither pongs that the codec holds, nor pongs that the kernel holds. */
static void test_pongs(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, LONG_MS);

    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "x", 1, CW_TIMEOUT_DEFAULT), CW_OK);
    RAW_EXPECT(&p, CW__OP_BINARY, "x", 1);
    cw__mutex_lock(&s->lock);
    for (int i = 0; i < 2; i++)
        CHECK(cw__queue_control_locked(s, CW__OP_PONG, (const uint8_t *)"p", 1, false));
    cw__outbound_flush_locked(s);
    CHECK_INT(s->out.control_bytes, 14);
    s->drain.is_on = true;
    raw_reset(&p);
    for (int i = 0; i < 2; i++)
        CHECK(cw__queue_control_locked(s, CW__OP_PONG, (const uint8_t *)"p", 1, false));
    cw__outbound_flush_locked(s);
    CHECK(s->out.is_broken);
    cw__closing_ended_locked(s, "the connection was reset");
    CHECK_INT(s->out.lost_bytes, 0);
    cw__socket_attend_locked(s);
    cw__mutex_unlock(&s->lock);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    peer_finish(s);
}

/* The messages of a batch were accepted, so they count too. */
static void test_batch(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, LONG_MS);

    CHECK_STATUS(cw_socket_batch_begin(s), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, large, 1000, CW_TIMEOUT_DEFAULT), CW_OK);
    if (LOCKED(s, s->codec->sending == CW__FRAMES_HELD)) { /* libcurl's framing holds nothing back */
        raw_reset(&p);
        UNTIL(cw_socket_state(s) == CW_STATE_CLOSED);
        CHECK_INT(LOCKED(s, s->out.lost_bytes), 1008);
        CHECK_STATUS(cw_shutdown(5000), CW_CLOSED);
    }
    cw_socket_abort(s);
    raw_finish(&p);
}

static void test_no_progress(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, SHORT_MS, LONG_MS);

    send_large(s);
    close_socket(s);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_CLOSED);
    CHECK_HAS(cw_error_message(), "bytes that were sent did not reach the server");
    CHECK_HAS(cw_error_message(), "0.04 s (send_timeout)");
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_CLOSED); /* every call reports the loss */
    CHECK_STATUS(cw_shutdown(5000), CW_OK);
    raw_finish(&p);
}

static void test_reset(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, LONG_MS);

    send_large(s);
    close_socket(s);
    raw_reset(&p);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_CLOSED);
    CHECK_HAS(cw_error_message(), "did not reach the server");
    /* the cause, which ends in "connect again", is part of this error, so the error does not say that again */
    CHECK_HAS(cw_error_message(), "connect again; send the messages again on a new connection");
    peer_finish(s);
}

/* After the release no caller can report the loss, so cw_shutdown does. */
static void test_released(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, SHORT_MS, LONG_MS);

    send_large(s);
    cw_socket_release(s);
    CHECK_STATUS(cw_shutdown(5000), CW_CLOSED);
    CHECK_HAS(cw_error_message(), "bytes that were sent did not reach their server");
    CHECK_STATUS(cw_shutdown(5000), CW_OK);
    raw_end(&p);
}

static void test_released_to_a_slow_server(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, SHORT_MS);

    send_large(s);
    cw_socket_release(s);
    let_time_pass(4 * SHORT_MS);
    RAW_EXPECT(&p, CW__OP_BINARY, large, sizeof large);
    RAW_EXPECT(&p, CW__OP_CLOSE, "", 0);
    CHECK_STATUS(cw_shutdown(5000), CW_OK);
    raw_end(&p);
}

/* Data that abort drops does not count as lost, because the program asked for it. */
static void test_abort(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, LONG_MS);

    send_large(s);
    cw_socket_abort(s);
    CHECK_CLOSED(s, 1006, false);
    CHECK_STATUS(cw_shutdown(5000), CW_OK);
    raw_finish(&p);
}

/* ---- The end of the program ---- */

static void *read_late(void *peer)
{
    raw_peer *p = peer;

    let_time_pass(4 * SHORT_MS);
    RAW_EXPECT(p, CW__OP_BINARY, large, sizeof large);
    RAW_EXPECT(p, CW__OP_CLOSE, "\x03\xe9", 2);
    return NULL;
}

static void test_shutdown(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, LONG_MS);
    pthread_t reader;
    int64_t begin_ms;

    send_large(s);
    CHECK_INT(pthread_create(&reader, NULL, read_late, &p), 0);
    begin_ms = cw__now_ms();
    CHECK_STATUS(cw_shutdown(SHORT_MS),
                 CW_OK); /* the time passes because the server does not answer the close frame */
    CHECK(cw__now_ms() - begin_ms < LONG_MS);
    CHECK_INT(pthread_join(reader, NULL), 0);
    cw_socket_release(s);
    raw_end(&p);
}

typedef struct shutting_down {
    int timeout_ms;
    cw_status status;
} shutting_down;

static void *shut_down(void *arg)
{
    shutting_down *it = arg;

    it->status = cw_shutdown(it->timeout_ms);
    return NULL;
}

/* On a busy machine the service thread may run late. The time of cw_shutdown begins when that thread knows of it. */
static void test_shutdown_of_late_service(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, LONG_MS);
    shutting_down it = {.timeout_ms = SHORT_MS};
    pthread_t thread;

    send_large(s);
    hold_service();
    CHECK_INT(pthread_create(&thread, NULL, shut_down, &it), 0);
    let_time_pass(4 * SHORT_MS);
    let_service_go();
    RAW_EXPECT(&p, CW__OP_BINARY, large, sizeof large);
    RAW_EXPECT(&p, CW__OP_CLOSE, "\x03\xe9", 2);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_STATUS(it.status, CW_OK);
    cw_socket_release(s);
    raw_end(&p);
}

static void test_shutdown_without_progress(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, 4 * SHORT_MS, LONG_MS);

    send_large(s);
    CHECK_STATUS(cw_shutdown(SHORT_MS), CW_CLOSED);
    CHECK_HAS(cw_error_message(), "did not reach their server");
    cw_socket_release(s);
    raw_end(&p);
}

static void test_shutdown_at_once(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, LONG_MS);

    send_large(s);
    CHECK_STATUS(cw_shutdown(0), CW_CLOSED);
    cw_socket_release(s);
    raw_end(&p);
}

static bool say_yes(void *arg)
{
    (void)arg;
    return true;
}

static void test_shutdown_interrupted(void)
{
    raw_peer p;
    cw_socket *s = open_raw(&p, LONG_MS, LONG_MS);

    CHECK_STATUS(cw_socket_send(s, CW_BINARY, large, 1000, CW_TIMEOUT_DEFAULT), CW_OK);
    (void)fill_kernel(s);
    cw_set_wait_hook(say_yes, NULL);
    CHECK_STATUS(cw_shutdown(LONG_MS), CW_CLOSED); /* the call does not wait for LONG_MS */
    cw_set_wait_hook(NULL, NULL);
    cw_socket_release(s);
    s = open_raw(&p, LONG_MS, LONG_MS);
    cw_set_wait_hook(say_yes, NULL);
    CHECK_STATUS(cw_shutdown(LONG_MS), CW_INTERRUPTED);
    cw_set_wait_hook(NULL, NULL);
    cw_socket_release(s);
    raw_end(&p);
}

static const harness_test tests[] = {
    {"close: a server that is busy for longer than close_timeout gets all that waits",
     test_longer_than_close_timeout},
    {"close: a busy server also gets what the kernel holds", test_in_the_kernel},
    {"close: a server that reads slowly, without a pause of send_timeout", test_steady_reader},
    {"close_timeout begins at once when nothing is on its way", test_nothing_on_its_way},
    {"close: a busy server, with send_timeout 0", test_send_timeout_0},
    {"close: the server closes while our data is on its way, and reads it", test_crossing},
    {"close: the server closes while our data is on its way, and does not read it", test_crossing_and_reset},
    {"a close frame that nobody reads is no loss", test_close_frame},
    {"pongs that are lost are no messages", test_pongs},
    {"messages of a batch count as lost with the connection", test_batch},
    {"close: no progress for send_timeout: wait_closed reports the loss", test_no_progress},
    {"close: the connection is lost meanwhile: wait_closed reports the loss", test_reset},
    {"a released socket: cw_shutdown reports the loss", test_released},
    {"a released socket: a slow server gets everything", test_released_to_a_slow_server},
    {"data that abort drops is not reported as lost", test_abort},
    {"cw_shutdown waits for a server that is busy, and then its time begins", test_shutdown},
    {"cw_shutdown: its time begins when the service thread runs", test_shutdown_of_late_service},
    {"cw_shutdown: no progress for send_timeout: it reports the loss", test_shutdown_without_progress},
    {"cw_shutdown with 0 reports the loss", test_shutdown_at_once},
    {"cw_shutdown: the wait hook ends it", test_shutdown_interrupted},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

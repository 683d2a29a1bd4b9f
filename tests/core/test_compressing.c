/* SPDX-License-Identifier: MIT */
/* Tests of compressing.c through the public calls, with the echo server. Two threads send while a third receives: their
 * messages are sent whole, one after another. A socket may be aborted and released in the middle. Python tests check
 * the bytes on the wire. If libcurl cannot receive compressed messages, the tests check that connect
 * refuses compression. */
#include "peer.h"

#include "transport/codec.h"

enum { THREADS = 2, ROUNDS = 6, LARGE_BYTES = 200000 };

static uint8_t payload[LARGE_BYTES];

static bool has_compression(void)
{
    const char *framing = getenv("CURLWIRE_FRAMING");

    return cw__codec_native_receives() && !(framing && strcmp(framing, "curl") == 0);
}

/* Makes a socket with compression, and fills payload. Returns NULL if there is no memory. */
static cw_socket *made(void)
{
    cw_socket *s = NULL;
    uint32_t seed = 7;

    for (size_t i = 0; i < sizeof payload; i++) {
        seed = seed * 1664525u + 1013904223u;
        payload[i] = (uint8_t)(seed >> 26); /* 6 bits of 8 */
    }
    if (cw_socket_create(CW_MESSAGE_SOCKET, &s) != CW_OK)
        return NULL;
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_COMPRESSION, CW_COMPRESSION_DEFLATE), CW_OK);
    return s;
}

/* Returns true if this libcurl cannot compress. It then also checks that connect fails with CW_UNSUPPORTED, and
 * releases s. */
static bool is_refused(cw_socket *s)
{
    if (has_compression())
        return false;
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_ECHO_WS"), CW_TIMEOUT_DEFAULT), CW_UNSUPPORTED);
    CHECK_HAS(cw_error_message(), "compression");
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    cw_socket_release(s);
    return true;
}

typedef struct job {
    cw_socket *s;
    size_t len_bytes;
    bool goes_on; /* true until a send fails */
} job;

static void *send_many(void *arg)
{
    const job *j = arg;

    for (int n = 0; j->goes_on || n < ROUNDS; n++) {
        cw_status status =
            cw_socket_send(j->s, CW_BINARY, payload, j->len_bytes + (size_t)n, CW_TIMEOUT_DEFAULT);
        if (j->goes_on && status == CW_CLOSED)
            break;
        CHECK_STATUS(status, CW_OK);
    }
    return NULL;
}

static void start(pthread_t threads[THREADS], job jobs[THREADS], cw_socket *s, bool goes_on)
{
    for (size_t t = 0; t < THREADS; t++) {
        jobs[t] = (job){s, t ? 1000 : LARGE_BYTES - 100, goes_on};
        CHECK_INT(pthread_create(&threads[t], NULL, send_many, &jobs[t]), 0);
    }
}

static void test_threads(void)
{
    cw_socket *s = made();
    pthread_t threads[THREADS];
    job jobs[THREADS];
    size_t next[THREADS] = {0};

    if (is_refused(s))
        return;
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_ECHO_WS"), CW_TIMEOUT_DEFAULT), CW_OK);
    start(threads, jobs, s, false);
    for (int n = 0; n < THREADS * ROUNDS; n++) {
        cw_event *e = NULL;
        size_t len, t;
        const void *data;
        CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
        data = cw_event_data(e, &len);
        t = len < 10000;
        CHECK_BYTES(data, len, payload, jobs[t].len_bytes + next[t]);
        next[t]++;
        cw_event_free(e);
    }
    for (size_t t = 0; t < THREADS; t++)
        CHECK_INT(pthread_join(threads[t], NULL), 0);
    CHECK_STATUS(cw_socket_close_start(s, 1000, "", 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_DEFAULT), CW_OK);
    cw_socket_release(s);
    cw_shutdown(5000);
}

static void test_aborted(void)
{
    cw_socket *s = made();
    pthread_t threads[THREADS];
    job jobs[THREADS];
    cw_event *e = NULL;

    if (is_refused(s))
        return;
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_ECHO_WS"), CW_TIMEOUT_DEFAULT), CW_OK);
    start(threads, jobs, s, true);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    cw_event_free(e);
    cw_socket_abort(s);
    for (size_t t = 0; t < THREADS; t++)
        CHECK_INT(pthread_join(threads[t], NULL), 0);
    cw_socket_release(s);
    cw_shutdown(5000);
}

/* ---- Frames on the wire ---- */

enum { MIB = 1024 * 1024 };

static const char *reply(void)
{
    return peer_hex("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n");
}

/* Sends len_bytes bytes that do not compress. */
static void send_random(cw_socket *s, size_t len_bytes)
{
    uint8_t *data = malloc(len_bytes);
    uint32_t seed = 11;

    CHECK(data != NULL);
    for (size_t i = 0; i < len_bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (uint8_t)(seed >> 24);
    }
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, data, len_bytes, CW_TIMEOUT_DEFAULT), CW_OK);
    free(data);
}

static void sent_as(int64_t frame_size, size_t len_bytes, size_t frame_count, size_t most_bytes)
{
    cw_socket *s = made();

    CHECK(s != NULL);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAME_SIZE, frame_size), CW_OK);
    peer_connect(s, peer_script("hs:%s/frame:%zu/echo/end", reply(), frame_count));
    send_random(s, len_bytes);
    CHECK_STATUS(cw_socket_close_start(s, 1000, "", 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK(peer_check_frames(peer_log(), frame_count, most_bytes) >= len_bytes); /* the bytes do not compress */
    cw_socket_release(s);
}

/* A message is sent in one frame if it compresses to 1 MiB or less and frame_size does not say otherwise. */
static void test_frames(void)
{
    enum { FRAME_SIZE = 64 * MIB };
    cw_socket *s = made();

    if (is_refused(s))
        return;
    cw_socket_release(s);
    sent_as(FRAME_SIZE, 100, 1, MIB);
    sent_as(FRAME_SIZE, MIB - 1000, 1, MIB);
    sent_as(FRAME_SIZE, MIB, 2, MIB);
    sent_as(FRAME_SIZE, 3 * MIB - 5000, 3, MIB);
    sent_as(-1, 3 * MIB, 1, 4 * MIB);
    sent_as(1000, 900, 1, 1000);
    sent_as(1000, 9900, 10, 1000);
    cw_shutdown(5000);
}

/* The first compressed message in each direction allocates memory. */
static bool without_memory(void *unused)
{
    cw_socket *s = made();
    cw_event *e = NULL;
    bool got_through;

    (void)unused;
    if (!s)
        return false;
    got_through = peer_try_connect(s, peer_env("CW_ECHO_WS"), CW_TIMEOUT_DEFAULT) == CW_OK &&
                  cw_socket_send(s, CW_BINARY, payload, 60000, CW_TIMEOUT_DEFAULT) == CW_OK &&
                  cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e) == CW_OK;
    if (e) {
        size_t len;
        CHECK(memcmp(cw_event_data(e, &len), payload, 60000) == 0 && len == 60000);
        cw_event_free(e);
    }
    cw_socket_abort(s);
    cw_socket_release(s);
    cw_shutdown(5000);
    return got_through;
}

static void test_no_memory(void)
{
    cw_socket *s = made();

    if (is_refused(s))
        return;
    cw_socket_release(s);
    each_allocation_fails(without_memory, NULL);
}

static const harness_test tests[] = {
    {"RFC 7692: threads send at once, nothing interleaves", test_threads},
    {"a message that compresses to 1 MiB goes in one frame, a larger one in pieces; frame_size", test_frames},
    {"aborted while threads compress", test_aborted},
    {"every allocation fails once", test_no_memory},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Fixed work in the hot paths. check.py counts its instructions under valgrind's callgrind. Each run does one job:
 *   encode-32, encode-64k                encodes headers and masks frames
 *   decode-32, decode-1m                 decodes headers and payloads into messages; the large one in pieces of 64 KiB
 *   utf8-ascii, utf8-mixed               checks 64 KiB
 *   send-32, send-64k, receive-32, receive-64k, roundtrip-32   calls the public functions, with bytes that are made here
 * Only instructions inside the function "counted" count. The program uses cw__ names, which are private to the core, so it is
 * linked with the core's sources and not with the library. */
#include <curl/curl.h>
#include <curlwire.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "bench.h"
#include "protocol/protocol.h"

enum { PIECE_BYTES = 64 * 1024, SMALL = 32, LARGE = 1 << 20 };

static uint8_t block[LARGE + CW__HEADER_MAX_BYTES];
static uint8_t target[LARGE + CW__HEADER_MAX_BYTES];
static size_t block_bytes;
static cw_socket *ws;
static size_t message_bytes;
static unsigned repeats;

static void check(bool is_good, const char *what)
{
    if (!is_good) {
        bench_fail("%s: %s", what, cw_error_message());
    }
}

/* ---- Frames, messages, text -------------------------------------------------------------------------------- */

static void encode(void)
{
    cw__frame frame = {
        .payload_bytes = message_bytes, .opcode = CW__OP_BINARY, .is_final = true, .is_masked = true};
    for (unsigned i = 0; i < repeats; i++) {
        memcpy(frame.mask, &i, sizeof frame.mask);
        size_t header_bytes = cw__frame_encode(&frame, target);
        cw__frame_mask(target + header_bytes, block, message_bytes, frame.mask, 0);
    }
}

/* block holds whole frames from the server, which are decoded again and again. */
static void decode(void)
{
    cw__message message;
    cw__frame_decoder decoder = {.have_bytes = 0};
    cw__message_init(&message, false, 64 << 20);
    for (unsigned i = 0; i < repeats; i++) {
        for (size_t at = 0; at < block_bytes;) {
            cw__frame frame;
            size_t used = 0;
            check(cw__frame_decode(&decoder, block + at, block_bytes - at, &used, &frame) == CW__DECODE_DONE,
                  "header");
            at += used;
            for (uint64_t offset = 0; offset < frame.payload_bytes;) {
                uint64_t left = frame.payload_bytes - offset;
                size_t n = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
                cw__piece piece = {.data = block + at,
                                   .len_bytes = n,
                                   .offset = offset,
                                   .remaining = left - n,
                                   .opcode = frame.opcode,
                                   .is_final = frame.is_final};
                cw__message_output out;
                cw__message_result result = cw__message_feed(&message, &piece, &out);
                check(result == (left == n ? CW__MESSAGE_WHOLE : CW__MESSAGE_NONE), "message");
                if (result == CW__MESSAGE_WHOLE) {
                    cw_event_free(out.event);
                }
                at += n;
                offset += n;
            }
        }
    }
    cw__message_destroy(&message);
}

static void utf8(void)
{
    for (unsigned i = 0; i < repeats; i++) {
        check(cw__utf8_valid(block, message_bytes), "utf8");
    }
}

/* Fills the block with as many frames as fit. */
static void fill_frames(void)
{
    cw__frame frame = {.payload_bytes = message_bytes, .opcode = CW__OP_BINARY, .is_final = true};
    while (block_bytes + CW__HEADER_MAX_BYTES + message_bytes <= sizeof block) {
        block_bytes += cw__frame_encode(&frame, block + block_bytes) + message_bytes;
    }
}

static void fill_text(const char *pattern)
{
    size_t len_bytes = strlen(pattern);
    message_bytes = PIECE_BYTES / len_bytes * len_bytes;
    for (size_t i = 0; i < message_bytes; i++) {
        block[i] = (uint8_t)pattern[i % len_bytes];
    }
}

/* ---- The public calls -------------------------------------------------------------------------------------- */

/* The connection is real until it is open and was used once. From then on this program replaces the system calls
 * `send` and `recv` of a bare connection (linked with --wrap). Its `send` takes everything, and its `recv` always has
 * more of the block. So the figures depend neither on the kernel nor on the server. Our own codec can receive with
 * the replaced version of libcurl. */
static bool is_canned;
static size_t block_at;

curl_version_info_data *__wrap_curl_version_info(CURLversion stamp);
curl_version_info_data *__real_curl_version_info(CURLversion stamp);
ssize_t __wrap_recv(int fd, void *buffer, size_t size_bytes, int flags);
ssize_t __real_recv(int fd, void *buffer, size_t size_bytes, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t len_bytes, int flags);
ssize_t __real_send(int fd, const void *data, size_t len_bytes, int flags);

curl_version_info_data *__wrap_curl_version_info(CURLversion stamp)
{
    static curl_version_info_data data;
    data = *__real_curl_version_info(stamp);
    data.version_num = data.version_num < 0x081500 ? 0x081500 : data.version_num;
    return &data;
}

int __wrap_clock_gettime(clockid_t which, struct timespec *now);
int __real_clock_gettime(clockid_t which, struct timespec *now);

/* Each call advances the clock by a microsecond, so the service thread does not take the socket back, and no
 * keepalive ping is due. */
int __wrap_clock_gettime(clockid_t which, struct timespec *now)
{
    static _Atomic unsigned looks;
    static struct timespec start;
    unsigned look;
    if (!is_canned) {
        return __real_clock_gettime(which, &start) == 0 ? (*now = start, 0) : -1;
    }
    look = atomic_fetch_add(&looks, 1);
    now->tv_sec = start.tv_sec + 1 + look / 1000000;
    now->tv_nsec = (long)(look % 1000000) * 1000;
    return 0;
}

ssize_t __wrap_recv(int fd, void *buffer, size_t size_bytes, int flags)
{
    if (!is_canned) {
        return __real_recv(fd, buffer, size_bytes, flags);
    }
    /* never a short read: after one the core would wait for the real descriptor */
    for (size_t len_bytes = 0; len_bytes < size_bytes;) {
        size_t left = block_bytes - block_at;
        size_t n = left < size_bytes - len_bytes ? left : size_bytes - len_bytes;
        memcpy((uint8_t *)buffer + len_bytes, block + block_at, n);
        block_at = (block_at + n) % block_bytes;
        len_bytes += n;
    }
    return (ssize_t)size_bytes;
}

ssize_t __wrap_send(int fd, const void *data, size_t len_bytes, int flags)
{
    return is_canned ? (ssize_t)len_bytes : __real_send(fd, data, len_bytes, flags);
}

static void open_socket(const char *url, const char *path)
{
    char uri[256];
    (void)snprintf(uri, sizeof uri, "%s%s", url, path);
    check(cw_socket_create(CW_MESSAGE_SOCKET, &ws) == CW_OK, "create");
    /* so that the service thread has nothing to do meanwhile */
    check(cw_socket_set_number(ws, CW_OPT_PING_INTERVAL, 0) == CW_OK, "ping_interval");
    check(cw_socket_connect(ws, uri, strlen(uri), CW_TIMEOUT_DEFAULT) == CW_OK, "connect");
}

static void send_one(void)
{
    check(cw_socket_send(ws, CW_BINARY, block, message_bytes, CW_TIMEOUT_DEFAULT) == CW_OK, "send");
}

static void receive_one(void)
{
    cw_event *e = NULL;
    check(cw_socket_receive(ws, CW_TIMEOUT_DEFAULT, &e) == CW_OK, "receive");
    cw_event_free(e);
}

static void send_all(void)
{
    for (unsigned i = 0; i < repeats; i++) {
        send_one();
    }
}

static void receive_all(void)
{
    for (unsigned i = 0; i < repeats; i++) {
        receive_one();
    }
}

static void round_trips(void)
{
    for (unsigned i = 0; i < repeats; i++) {
        send_one();
        receive_one();
    }
}

/* ---- All --------------------------------------------------------------------------------------------------- */

typedef struct job {
    const char *name;
    bool has_socket;
    void (*run)(void);
    unsigned repeats;
    size_t message_bytes;
} job;

static const job jobs[] = {
    {"encode-32", false, encode, 10000, SMALL},
    {"encode-64k", false, encode, 50, PIECE_BYTES},
    {"decode-32", false, decode, 1, SMALL},
    {"decode-1m", false, decode, 20, LARGE},
    {"utf8-ascii", false, utf8, 50, 0},
    {"utf8-mixed", false, utf8, 10, 0},
    {"send-32", true, send_all, 5000, SMALL},
    {"send-64k", true, send_all, 100, PIECE_BYTES},
    {"receive-32", true, receive_all, 20000, SMALL},
    {"receive-64k", true, receive_all, 400, PIECE_BYTES},
    {"roundtrip-32", true, round_trips, 5000, SMALL},
};

static void (*volatile work)(void);

/* callgrind finds this function by its name, so the compiler must not inline it. */
__attribute__((noinline)) static void counted(void) { work(); }

int main(int argc, char **argv)
{
    const job *j = NULL;
    char framing[16] = "-";
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
            (void)puts(jobs[i].name);
        }
        return 0;
    }
    for (size_t i = 0; argc == 3 && i < sizeof jobs / sizeof *jobs; i++) {
        j = strcmp(argv[1], jobs[i].name) == 0 ? &jobs[i] : j;
    }
    if (j == NULL) {
        bench_fail("usage: %s --list, or %s <job> <ws://host:port>", argv[0], argv[0]);
    }
    repeats = j->repeats;
    message_bytes = j->message_bytes;
    memset(block, 'a', sizeof block);
    if (strcmp(j->name, "utf8-ascii") == 0) {
        fill_text("The quick brown fox jumps over the lazy dog. ");
    } else if (strcmp(j->name, "utf8-mixed") == 0) {
        fill_text("Fuchs \xc3\xbc\xc3\xa4 \xe2\x82\xac\xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\xa6\x8a abc ");
    } else {
        fill_frames();
    }
    if (j->has_socket) {
        open_socket(argv[2], "/echo");
        check(cw_socket_get_info(ws, CW_INFO_FRAMING, framing, sizeof framing, &(size_t){0}) == CW_OK,
              "framing");
        check(strcmp(framing, "native") == 0, "the codec is not our own");
        message_bytes = SMALL;
        send_one();
        receive_one(); /* so that the service thread leaves the socket to this thread */
        send_one();    /* nobody reads its echo, so the descriptor stays readable and no poll waits */
        message_bytes = j->message_bytes;
        is_canned = true;
    }
    work = j->run;
    counted();
    _Exit(0); /* ends without a close frame, which would not reach the server */
}

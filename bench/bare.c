/* SPDX-License-Identifier: MIT */
/* The bare C loops that the benchmark compares with. They show the best that a program could do with one blocking
 * socket, plain or under OpenSSL, if it knew beforehand what arrives. They use neither libcurl nor the core, and
 * print one line of JSON.
 *   roundtrip   calls `write` with a prebuilt masked frame, `poll`, and `read` until the echo is complete
 *   eager       the same, but reads first and polls only if nothing is there, as curlwire does. If the echo is quick,
 *               that saves a system call
 *   receive     calls `read` with a 64 KiB buffer, counts the bytes and divides by the size of a frame. It looks at
 *               none of them, so no client can be as fast
 *   walk        the same, but goes from frame header to frame header and counts those, which every client must do
 *   collect     reads each payload to its place in a message; `recv_into` cannot be faster
 *   send        calls `write` once for each prebuilt masked frame; ends when the server has reported every byte
 *   mask        the same, but copies and masks each message, as every client must
 *   many        makes round trips on many connections at once: calls `epoll_wait` for all of them, and `read` and `write`
 *               for each that is ready */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "tls.h"

#define WORKS "roundtrip|eager|receive|walk|collect|send|mask|many"

enum { READ_BYTES = 64 * 1024, WARM_UP = 200, HEADER_MAX_BYTES = 14 };

static const uint8_t frame_mask[4] = {0x37, 0xfa, 0x21, 0x3d};
static SSL *tls; /* the job's connection; NULL: plain ws */

static void write_all(int fd, const void *data, size_t len_bytes)
{
    const uint8_t *at = data;
    while (len_bytes > 0) {
        ssize_t n = tls != NULL ? tls_write(tls, at, len_bytes) : write(fd, at, len_bytes);
        if (n < 0) {
            bench_fail("write: %s", strerror(errno));
        }
        at += n;
        len_bytes -= (size_t)n;
    }
}

static size_t read_some(int fd, void *buffer, size_t size_bytes)
{
    ssize_t n = 0;
    do {
        n = tls != NULL ? tls_read(tls, buffer, size_bytes) : read(fd, buffer, size_bytes);
    } while (n == 0 && tls != NULL);
    if (n <= 0) {
        bench_fail("read: %s", n < 0 ? strerror(errno) : "the server has closed the connection");
    }
    return (size_t)n;
}

static int open_tcp(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int on = 1;
    int bad = getaddrinfo(host, port, &hints, &found);
    if (bad != 0) {
        bench_fail("%s: %s", host, gai_strerror(bad));
    }
    int fd = socket(found->ai_family, found->ai_socktype, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        bench_fail("connect to %s:%s: %s", host, port, strerror(errno));
    }
    freeaddrinfo(found);
    return fd;
}

/* Connects and upgrades. Reads the reply byte by byte, so that it reads no frame with it. */
static int open_websocket(const char *url, const char *path)
{
    char host[128];
    char port[8];
    char request[512];
    char reply[1024];
    size_t have_bytes = 0;
    bool is_secure = strncmp(url, "wss:", 4) == 0;
    if (sscanf(url, is_secure ? "wss://%127[^:/]:%7[0-9]" : "ws://%127[^:/]:%7[0-9]", host, port) != 2) {
        bench_fail("\"%s\" is not of the form ws://host:port", url);
    }
    int fd = open_tcp(host, port);
    if (is_secure) {
        static SSL_CTX *context;
        const char *ca_file = getenv("BENCH_CA");
        context = context == NULL && ca_file != NULL ? tls_client(ca_file) : context;
        tls = context == NULL ? NULL : tls_open(context, fd, false);
        if (tls == NULL) {
            bench_fail("TLS cannot start. Set BENCH_CA to the file of the certificate to trust");
        }
    }
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                          path, host, port);
    write_all(fd, request, (size_t)length);
    do {
        have_bytes += read_some(fd, reply + have_bytes, 1);
        reply[have_bytes] = '\0';
    } while (strstr(reply, "\r\n\r\n") == NULL && have_bytes + 1 < sizeof reply);
    if (strncmp(reply, "HTTP/1.1 101", 12) != 0) {
        bench_fail("the server refused %s: %.60s", path, reply);
    }
    return fd;
}

static void close_websocket(int fd)
{
    SSL_free(tls);
    tls = NULL;
    (void)close(fd);
}

static size_t put_length(uint8_t *header, size_t payload_bytes)
{
    if (payload_bytes < 126) {
        header[1] = (uint8_t)payload_bytes;
        return 2;
    }
    size_t length_bytes = payload_bytes < 65536 ? 2 : 8;
    header[1] = length_bytes == 2 ? 126 : 127;
    for (size_t i = 0; i < length_bytes; i++) {
        header[2 + i] = (uint8_t)((uint64_t)payload_bytes >> 8 * (length_bytes - 1 - i));
    }
    return 2 + length_bytes;
}

/* Makes a masked frame; the caller frees it. */
static uint8_t *make_frame(uint8_t opcode, size_t payload_bytes, size_t *frame_bytes)
{
    uint8_t *frame = malloc(payload_bytes + HEADER_MAX_BYTES);
    if (frame == NULL) {
        bench_fail("out of memory");
    }
    frame[0] = (uint8_t)(0x80 | opcode);
    size_t header_bytes = put_length(frame, payload_bytes);
    frame[1] |= 0x80;
    memcpy(frame + header_bytes, frame_mask, sizeof frame_mask);
    header_bytes += sizeof frame_mask;
    for (size_t i = 0; i < payload_bytes; i++) {
        frame[header_bytes + i] = (uint8_t)((payload_bytes == 1 ? '?' : 'a') ^ frame_mask[i % 4]);
    }
    *frame_bytes = header_bytes + payload_bytes;
    return frame;
}

static size_t server_frame_bytes(size_t payload_bytes)
{
    uint8_t header[HEADER_MAX_BYTES];
    return put_length(header, payload_bytes) + payload_bytes;
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (tls != NULL && tls_has_more(tls)) {
        return;
    }
    if (poll(&p, 1, 30000) != 1) {
        bench_fail("nothing arrived for 30 s");
    }
}

static void roundtrip(const bench_job *job, bench_clock *from, bool is_eager)
{
    int fd = open_websocket(job->url, "/echo");
    size_t frame_bytes;
    uint8_t *frame = make_frame(2, job->size_bytes, &frame_bytes);
    size_t answer_bytes = server_frame_bytes(job->size_bytes);
    static uint8_t buffer[READ_BYTES];
    for (uint64_t i = 0; i < job->count + WARM_UP; i++) {
        if (i == WARM_UP) {
            *from = bench_now();
        }
        write_all(fd, frame, frame_bytes);
        for (size_t have_bytes = 0; have_bytes < answer_bytes;) {
            ssize_t n = is_eager ? recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) : 0;
            if (n > 0) {
                have_bytes += (size_t)n;
                continue;
            }
            wait_readable(fd);
            have_bytes += read_some(fd, buffer, sizeof buffer);
        }
    }
    free(frame);
    close_websocket(fd);
}

static int open_source(const bench_job *job, bench_clock *from)
{
    char path[96];
    (void)snprintf(path, sizeof path, "/source?size=%zu&count=%" PRIu64 "&wait=1", job->size_bytes, job->count);
    int fd = open_websocket(job->url, path);
    size_t frame_bytes;
    uint8_t *frame = make_frame(2, 1, &frame_bytes);
    *from = bench_now();
    write_all(fd, frame, frame_bytes);
    free(frame);
    return fd;
}

static void receive_bytes(const bench_job *job, bench_clock *from)
{
    static uint8_t buffer[READ_BYTES];
    int fd = open_source(job, from);
    uint64_t want_bytes = job->count * server_frame_bytes(job->size_bytes);
    for (uint64_t have_bytes = 0; have_bytes < want_bytes;) {
        have_bytes += read_some(fd, buffer, sizeof buffer);
    }
    close_websocket(fd);
}

static void receive_walk(const bench_job *job, bench_clock *from)
{
    static uint8_t buffer[READ_BYTES + HEADER_MAX_BYTES];
    int fd = open_source(job, from);
    uint64_t skip_bytes = 0;
    size_t kept_bytes = 0; /* of a cut header, at the front of the buffer */
    uint64_t frames = 0;
    while (frames < job->count || skip_bytes > 0) {
        size_t have_bytes = kept_bytes + read_some(fd, buffer + kept_bytes, READ_BYTES);
        size_t at = skip_bytes < have_bytes ? (size_t)skip_bytes : have_bytes;
        skip_bytes -= at;
        while (have_bytes - at >= 2) {
            uint64_t length = buffer[at + 1];
            size_t header_bytes = 2 + (length == 126 ? 2U : length == 127 ? 8U : 0U);
            if (have_bytes - at < header_bytes) {
                break;
            }
            if (header_bytes > 2) {
                length = 0;
                for (size_t i = 2; i < header_bytes; i++) {
                    length = length << 8 | buffer[at + i];
                }
            }
            frames += buffer[at] == 0x82;
            at += header_bytes;
            skip_bytes = length < have_bytes - at ? 0 : length - (have_bytes - at);
            at += (size_t)(length - skip_bytes);
        }
        kept_bytes = have_bytes - at;
        memmove(buffer, buffer + at, kept_bytes);
    }
    close_websocket(fd);
}

static void receive_collect(const bench_job *job, bench_clock *from)
{
    int fd = open_source(job, from);
    size_t header_bytes = server_frame_bytes(job->size_bytes) - job->size_bytes;
    uint8_t header[HEADER_MAX_BYTES];
    uint8_t *message = malloc(job->size_bytes);
    if (message == NULL) {
        bench_fail("out of memory");
    }
    for (uint64_t i = 0; i < job->count; i++) {
        for (size_t have_bytes = 0; have_bytes < header_bytes;) {
            have_bytes += read_some(fd, header + have_bytes, header_bytes - have_bytes);
        }
        for (size_t have_bytes = 0; have_bytes < job->size_bytes;) {
            have_bytes += read_some(fd, message + have_bytes, job->size_bytes - have_bytes);
        }
    }
    free(message);
    close_websocket(fd);
}

/* Writes the payload again, with a new mask, into a frame that was made before. */
static void mask_frame(uint8_t *frame, size_t frame_bytes, const uint8_t *payload, size_t payload_bytes)
{
    static uint64_t random = 0x9e3779b97f4a7c15U;
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    uint64_t wide_mask = random << 32 | (random & 0xffffffffU);
    uint8_t *at = frame + frame_bytes - payload_bytes;
    memcpy(at - 4, &wide_mask, 4);
    size_t i = 0;
    for (; i + 8 <= payload_bytes; i += 8) {
        uint64_t wide;
        memcpy(&wide, payload + i, sizeof wide);
        wide ^= wide_mask;
        memcpy(at + i, &wide, sizeof wide);
    }
    for (; i < payload_bytes; i++) {
        at[i] = payload[i] ^ (uint8_t)(wide_mask >> i % 4 * 8);
    }
}

static void send_all(const bench_job *job, bench_clock *from, bool is_masking)
{
    int fd = open_websocket(job->url, "/sink");
    size_t frame_bytes;
    size_t question_bytes;
    uint8_t *frame = make_frame(2, job->size_bytes, &frame_bytes);
    uint8_t *question = make_frame(1, 1, &question_bytes);
    uint8_t *payload = calloc(1, job->size_bytes);
    if (payload == NULL) {
        bench_fail("out of memory");
    }
    char answer[32] = "";
    char want[24];
    *from = bench_now();
    for (uint64_t i = 0; i < job->count; i++) {
        if (is_masking) {
            mask_frame(frame, frame_bytes, payload, job->size_bytes);
        }
        write_all(fd, frame, frame_bytes);
    }
    write_all(fd, question, question_bytes);
    int length = snprintf(want, sizeof want, "%" PRIu64, job->count * job->size_bytes);
    for (size_t have_bytes = 0; have_bytes < (size_t)length + 2;) {
        have_bytes += read_some(fd, answer + have_bytes, sizeof answer - 1 - have_bytes);
    }
    if (strcmp(answer + 2, want) != 0) {
        bench_fail("the server counted %s bytes instead of %s", answer + 2, want);
    }
    free(frame);
    free(payload);
    free(question);
    close_websocket(fd);
}

/* Opens the connections of a job, adds them to an epoll set, and sends a frame on each. */
static int begin_many(const bench_job *job, int *fds, const uint8_t *frame, size_t frame_bytes,
                      bench_clock *from)
{
    int set = epoll_create1(0);
    for (size_t i = 0; i < job->connections; i++) {
        fds[i] = open_websocket(job->url, "/echo");
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &event) != 0) {
            bench_fail("epoll: %s", strerror(errno));
        }
    }
    *from = bench_now();
    for (size_t i = 0; i < job->connections; i++) {
        write_all(fds[i], frame, frame_bytes);
    }
    return set;
}

/* A small echo comes whole. */
static void many(bench_job *job, bench_clock *from)
{
    enum { AT_ONCE = 1024 };
    static struct epoll_event events[AT_ONCE];
    static uint8_t buffer[READ_BYTES];
    size_t frame_bytes;
    uint8_t *frame = make_frame(2, job->size_bytes, &frame_bytes);
    int *fds = calloc(job->connections, sizeof *fds);
    if (fds == NULL || strncmp(job->url, "wss:", 4) == 0) {
        bench_fail(fds == NULL ? "out of memory" : "many works over ws only");
    }
    int set = begin_many(job, fds, frame, frame_bytes, from);
    job->count = (job->count + job->connections - 1) / job->connections * job->connections;
    uint64_t sent = job->connections;
    for (uint64_t done = 0; done < job->count;) {
        int ready = epoll_wait(set, events, AT_ONCE, 30000);
        if (ready <= 0) {
            bench_fail("nothing arrived for 30 s");
        }
        for (int i = 0; i < ready; i++) {
            if (read_some(events[i].data.fd, buffer, sizeof buffer) != server_frame_bytes(job->size_bytes)) {
                bench_fail("an echo has come in pieces; choose a smaller size");
            }
            done++;
            if (sent < job->count) {
                write_all(events[i].data.fd, frame, frame_bytes);
                sent++;
            }
        }
    }
    for (size_t i = 0; i < job->connections; i++) {
        (void)close(fds[i]);
    }
    (void)close(set);
    free(fds);
    free(frame);
}

static void run(const bench_job *given)
{
    bench_clock from;
    bench_job copy = *given, *job = &copy;
    if (strcmp(job->work, "roundtrip") == 0) {
        roundtrip(job, &from, false);
    } else if (strcmp(job->work, "eager") == 0) {
        roundtrip(job, &from, strncmp(job->url, "wss:", 4) != 0);
    } else if (strcmp(job->work, "receive") == 0) {
        receive_bytes(job, &from);
    } else if (strcmp(job->work, "walk") == 0) {
        receive_walk(job, &from);
    } else if (strcmp(job->work, "collect") == 0) {
        receive_collect(job, &from);
    } else if (strcmp(job->work, "send") == 0) {
        send_all(job, &from, false);
    } else if (strcmp(job->work, "mask") == 0) {
        send_all(job, &from, true);
    } else if (strcmp(job->work, "many") == 0) {
        many(job, &from);
    } else {
        bench_fail("\"%s\" is not a work of this program. Its works are " WORKS, job->work);
    }
    bench_report("bare", job, from, bench_now(), "");
}

int main(int argc, char **argv) { return bench_main(argc, argv, WORKS, run); }

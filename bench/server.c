/* SPDX-License-Identifier: MIT */
/* The benchmark's server: ws and wss, one thread, one epoll loop. It must be faster than every client that is measured.
 * Start it as "server [port [certificate key]]", as run.py does. It prints its port, then the port of wss if it has a
 * certificate, and ends when its standard input ends. It uses sha1.c and frame.c of the core. It is not an example of a
 * server, and checks little. The paths:
 *   /echo                          returns every data frame
 *   /sink                          discards messages; answers the text message "?" with the payload bytes so far
 *   /source?size=S&count=N         floods with N messages of S bytes, then closes; N = 0: without an end
 *          [&wait=1] [&text=1]     starts at the client's first message; sends text instead of binary
 *   /clock                         answers every message with the monotonic clock in microseconds, for lua_bench.lua: Lua
 *                                  itself has no wall clock finer than a second
 *   /paced?size=S                  the client gets its share of the messages of a /pace, and returns each
 *   /pace?rate=R&count=N           at the first message, N messages at R a second go to the /paced clients in turn; when
 *                                  all have returned, this client gets their latencies (pace.h)
 * With deflate=1 after the path /echo or /source, the server accepts permessage-deflate without context takeover, and
 * refuses a client that has not offered it. It then echoes the frame that arrived, and a source floods with the same text,
 * compressed once. All paths answer pings and close frames.
 *
 * The server turns the bytes of a client into its answer in place, in whatever pieces they arrive. An answer never needs more
 * bytes than the masked frame before it, except for numbers, which are written separately. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "pace.h"
#include "protocol/protocol.h"
#include "tls.h"

enum {
    REQUEST_BYTES = 8192,
    READ_BYTES = 256 * 1024,
    HEAD_BYTES = 16, /* room before the bytes that are read: an answer's header may begin before them */
    BLOCK_BYTES = 256 * 1024, /* of prebuilt frames: large, but fits the cache */
    TURN_BYTES = 8 << 20,     /* that a source writes in one turn */
    PENDING_BYTES = 16 << 20, /* of unread echoes; with more the server stops reading from that client */
    KEEP_BYTES = 64 * 1024,   /* the largest drained buffer that is kept */
    SOURCE_SIZE_BYTES = 64 << 20,
    TLS_RECORD_BYTES = 16 * 1024,
    EVENTS = 256
};

typedef enum mode { MODE_REQUEST, MODE_ECHO, MODE_SINK, MODE_SOURCE, MODE_CLOCK, MODE_PACED, MODE_PACE } mode;

/* Whole frames of one kind, enough for a large write. */
typedef struct block {
    struct block *next;
    size_t payload_bytes;
    size_t frame_bytes;
    size_t len_bytes;
    bool is_text;
    bool is_deflated;
    uint8_t data[];
} block;

typedef struct peer {
    int fd;
    SSL *ssl;           /* NULL: plain ws */
    size_t retry_bytes; /* of a TLS record that the socket did not take; they must be offered again */
    mode mode;
    unsigned watched; /* the events that epoll watches */
    bool is_dead;
    bool is_ending; /* the closing handshake is done; end when everything is written */
    bool close_sent;
    char *request; /* MODE_REQUEST only */
    size_t request_bytes;
    uint8_t *pending; /* what the kernel has not taken: pending_bytes from pending_at on */
    size_t pending_at;
    size_t pending_bytes;
    size_t pending_room;
    cw__frame frame;
    cw__frame_decoder decoder;
    bool in_payload;
    bool is_passing; /* the payload is returned to the client */
    uint8_t first;   /* the first byte, for a payload of one byte */
    uint64_t left;   /* of the payload */
    uint64_t sunk_bytes;
    const block *block;
    size_t block_at;
    uint64_t source_left; /* bytes of frames; UINT64_MAX stands for no end */
    bool is_flooding;
    bool is_deflating;
    uint8_t stamp[PACE_STAMP_BYTES]; /* MODE_PACED: the first bytes of the payload that arrives */
    uint64_t paced_bytes;            /* MODE_PACED: the size of a message */
    uint64_t pace_rate, pace_count;  /* MODE_PACE */
} peer;

enum { PACED_MOST = 8192 };
static peer *paced[PACED_MOST];
static size_t paced_count, paced_turn;
static peer *pacer;  /* the client that gets the report, or NULL */
static int timer_fd; /* rings when a paced message is due */

static int poll_fd;
static block *blocks;
static uint8_t room[HEAD_BYTES + READ_BYTES];
static uint8_t *out = room; /* the end of the answer so far, which begins at room */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- Out ---------------------------------------------------------------------------------------------- */

static void pending_append(peer *p, const uint8_t *data, size_t len_bytes)
{
    if (p->pending_at + p->pending_bytes + len_bytes > p->pending_room) {
        if (p->pending_at > 0) {
            memmove(p->pending, p->pending + p->pending_at, p->pending_bytes);
            p->pending_at = 0;
        }
        if (p->pending_bytes + len_bytes > p->pending_room) {
            size_t want = 2 * (p->pending_bytes + len_bytes);
            uint8_t *bigger = realloc(p->pending, want);
            if (bigger == NULL) {
                p->is_dead = true;
                return;
            }
            p->pending = bigger;
            p->pending_room = want;
        }
    }
    memcpy(p->pending + p->pending_at + p->pending_bytes, data, len_bytes);
    p->pending_bytes += len_bytes;
}

static size_t put_tls(peer *p, const uint8_t *data, size_t len_bytes)
{
    size_t done = 0;
    while (done < len_bytes && !p->is_dead) {
        long n = tls_write(p->ssl, data + done, len_bytes - done);
        p->is_dead = n < 0;
        if (n == 0) {
            size_t left = len_bytes - done;
            p->retry_bytes = left < TLS_RECORD_BYTES ? left : TLS_RECORD_BYTES;
            return done;
        }
        p->retry_bytes = 0;
        done += n < 0 ? 0 : (size_t)n;
    }
    return done;
}

/* Returns the number of bytes that the kernel took. */
static size_t put(peer *p, const uint8_t *data, size_t len_bytes)
{
    if (p->ssl != NULL) {
        return put_tls(p, data, len_bytes);
    }
    ssize_t n = send(p->fd, data, len_bytes, MSG_NOSIGNAL);
    if (n < 0) {
        p->is_dead = errno != EAGAIN && errno != EINTR;
        return 0;
    }
    return (size_t)n;
}

/* Sends an answer, or queues what the kernel does not take. A source queues all: it writes answers between two frames. */
static void send_bytes(peer *p, const uint8_t *data, size_t len_bytes)
{
    size_t done =
        p->pending_bytes == 0 && p->mode != MODE_SOURCE && len_bytes > 0 ? put(p, data, len_bytes) : 0;
    if (done < len_bytes && !p->is_dead) {
        pending_append(p, data + done, len_bytes - done);
    }
}

static void flush_out(peer *p)
{
    if (out > room) {
        send_bytes(p, room, (size_t)(out - room));
        out = room;
    }
}

static void flush_pending(peer *p)
{
    if (p->pending_bytes == 0) {
        return;
    }
    size_t n = put(p, p->pending + p->pending_at, p->pending_bytes);
    p->pending_at += n;
    p->pending_bytes -= n;
    if (p->pending_bytes == 0) {
        p->pending_at = 0;
        if (p->pending_room > KEEP_BYTES) {
            free(p->pending);
            p->pending = NULL;
            p->pending_room = 0;
        }
    }
}

static void watch(peer *p)
{
    bool answers_first = p->mode == MODE_SOURCE && p->pending_bytes > 0 && !p->is_passing;
    unsigned want = p->pending_bytes > PENDING_BYTES || answers_first ? 0U : EPOLLIN;
    if (p->is_flooding || (p->pending_bytes > 0 && !p->is_passing)) {
        want |= EPOLLOUT;
    }
    if (want != p->watched) {
        struct epoll_event e = {.events = want, .data.ptr = p};
        if (epoll_ctl(poll_fd, EPOLL_CTL_MOD, p->fd, &e) != 0) {
            fail("epoll_ctl");
        }
        p->watched = want;
    }
}

static void send_number(peer *p, uint64_t number)
{
    char text[24];
    int digits = snprintf(text + 2, sizeof text - 2, "%" PRIu64, number);
    text[0] = (char)0x81;
    text[1] = (char)digits;
    flush_out(p);
    send_bytes(p, (const uint8_t *)text, (size_t)digits + 2);
}

/* ---- Source ------------------------------------------------------------------------------------------- */

static void fill_letters(uint8_t *to, size_t len_bytes)
{
    for (size_t j = 0; j < len_bytes; j++) {
        to[j] = (uint8_t)('a' + j % 26);
    }
}

/* Makes text that compresses like typical messages: records of equal names and different numbers, as in worker.py. */
static void fill_records(uint8_t *to, size_t len_bytes)
{
    uint32_t number = 1;
    char record[128];
    for (size_t at = 0; at < len_bytes;) {
        number = number * 1103515245U + 12345U;
        int n = snprintf(record, sizeof record, "{\"id\":%u,\"bid\":%u.%02u,\"quantity\":%u}\n", number >> 16,
                         number >> 20, number >> 8 & 63, number >> 4 & 1023);
        size_t run = (size_t)n < len_bytes - at ? (size_t)n : len_bytes - at;
        memcpy(to + at, record, run);
        at += run;
    }
}

/* Compresses a payload in place (RFC 7692 section 7.2.1). Returns its length, or 0 if it does not fit. */
static size_t deflate_in_place(uint8_t *data, size_t len_bytes)
{
    enum { TAIL_BYTES = 4 };
    z_stream z = {0};
    uint8_t *plain = malloc(len_bytes);
    size_t done = 0;
    if (plain != NULL &&
        deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK) {
        memcpy(plain, data, len_bytes);
        z.next_in = plain;
        z.avail_in = (uInt)len_bytes;
        z.next_out = data;
        z.avail_out = (uInt)len_bytes;
        (void)deflate(&z, Z_SYNC_FLUSH);
        done = z.avail_out > 0 ? z.total_out - TAIL_BYTES : 0;
        (void)deflateEnd(&z);
    }
    free(plain);
    return done;
}

/* Fills a block with whole frames of one payload. */
static const block *add_block(const block *kind, const uint8_t *payload, size_t len_bytes)
{
    cw__frame frame = {.payload_bytes = len_bytes,
                       .opcode = kind->is_text ? CW__OP_TEXT : CW__OP_BINARY,
                       .rsv = kind->is_deflated ? 4 : 0,
                       .is_final = true};
    uint8_t header[CW__HEADER_MAX_BYTES];
    size_t header_bytes = cw__frame_encode(&frame, header);
    size_t frame_bytes = header_bytes + len_bytes;
    size_t count = frame_bytes < BLOCK_BYTES ? BLOCK_BYTES / frame_bytes : 1;
    block *b = malloc(sizeof *b + count * frame_bytes);
    if (b == NULL) {
        return NULL;
    }
    *b = *kind;
    b->next = blocks;
    b->frame_bytes = frame_bytes;
    b->len_bytes = count * frame_bytes;
    for (size_t i = 0; i < count; i++) {
        memcpy(b->data + i * frame_bytes, header, header_bytes);
        if (len_bytes > 0) {
            memcpy(b->data + i * frame_bytes + header_bytes, payload, len_bytes);
        }
    }
    blocks = b;
    return b;
}

static const block *block_of(size_t payload_bytes, bool is_text, bool is_deflated)
{
    for (const block *b = blocks; b != NULL; b = b->next) {
        if (b->payload_bytes == payload_bytes && b->is_text == is_text && b->is_deflated == is_deflated) {
            return b;
        }
    }
    block kind = {.payload_bytes = payload_bytes, .is_text = is_text, .is_deflated = is_deflated};
    uint8_t *payload = malloc(payload_bytes + 1);
    size_t len_bytes = payload_bytes;
    const block *b = NULL;
    if (payload != NULL) {
        (is_deflated ? fill_records : fill_letters)(payload, payload_bytes);
        len_bytes = is_deflated ? deflate_in_place(payload, payload_bytes) : payload_bytes;
        b = is_deflated && len_bytes == 0 ? NULL : add_block(&kind, payload, len_bytes);
    }
    free(payload);
    return b;
}

/* Writes frames until the kernel is full or the turn is over. Answers are written between two frames. */
static void flood(peer *p)
{
    static const uint8_t close_frame[] = {0x88, 2, 0x03, 0xe8};
    for (size_t turn = 0; turn < TURN_BYTES && !p->is_dead;) {
        size_t inside = p->block_at % p->block->frame_bytes;
        if (inside == 0 && p->source_left == 0 && p->is_passing) {
            return; /* the rest of a control frame has not arrived yet */
        }
        if (inside == 0 && p->source_left == 0 && !p->close_sent) {
            p->close_sent = true;
            pending_append(p, close_frame, sizeof close_frame);
        }
        if (inside == 0 && p->pending_bytes > 0 && !p->is_passing && p->retry_bytes == 0) {
            flush_pending(p);
            if (p->pending_bytes > 0) {
                return;
            }
        }
        if (inside == 0 && (p->close_sent || p->is_ending)) {
            p->is_flooding = false;
            return;
        }
        size_t n = p->block->len_bytes - p->block_at;
        if (p->pending_bytes > 0 && !p->is_passing) {
            n = p->block->frame_bytes - inside;
        } else if (n > p->source_left) {
            n = (size_t)p->source_left;
        }
        n = n < p->retry_bytes ? p->retry_bytes : n;
        size_t done = put(p, p->block->data + p->block_at, n);
        p->block_at = (p->block_at + done) % p->block->len_bytes;
        p->source_left -= done;
        turn += done;
        if (done < n) {
            return;
        }
    }
}

/* ---- In ----------------------------------------------------------------------------------------------- */

/* dst may overlap src if it begins before it. */
static void unmask(uint8_t *dst, const uint8_t *src, size_t len_bytes, const uint8_t mask[4], uint64_t offset)
{
    uint8_t key[8];
    uint64_t wide_key;
    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = mask[(offset + i) & 3];
    }
    memcpy(&wide_key, key, sizeof wide_key);
    size_t i = 0;
    for (; i + 8 <= len_bytes; i += 8) {
        uint64_t wide;
        memcpy(&wide, src + i, sizeof wide);
        wide ^= wide_key;
        memcpy(dst + i, &wide, sizeof wide);
    }
    for (; i < len_bytes; i++) {
        dst[i] = src[i] ^ key[i & 7];
    }
}

/* Takes header bytes. True: the header is complete. */
static bool take_header(peer *p, const uint8_t **at, const uint8_t *end)
{
    size_t used = 0;
    cw__decode result = cw__frame_decode(&p->decoder, *at, (size_t)(end - *at), &used, &p->frame);
    *at += used;
    if (result == CW__DECODE_MORE) {
        return false;
    }
    p->is_dead = result == CW__DECODE_BAD || !p->frame.is_masked;
    p->left = p->frame.payload_bytes;
    return !p->is_dead;
}

static void begin_frame(peer *p)
{
    cw__frame answer = {.payload_bytes = p->frame.payload_bytes, .is_final = p->frame.is_final};
    switch (p->frame.opcode) {
    case CW__OP_PING:
        answer.opcode = CW__OP_PONG;
        p->is_passing = true;
        break;
    case CW__OP_PONG:
        p->is_passing = false;
        break;
    case CW__OP_CLOSE:
        answer.opcode = CW__OP_CLOSE;
        p->is_passing = !p->close_sent;
        break;
    default:
        answer.opcode = p->frame.opcode;
        answer.rsv = p->frame.rsv;
        p->is_passing = p->mode == MODE_ECHO;
        break;
    }
    p->in_payload = true;
    if (p->is_passing) {
        out += cw__frame_encode(&answer, out);
    }
}

static void begin_pace(peer *p)
{
    pacer = p;
    p->is_dead = paced_count == 0 || !pace_begin(p->pace_rate, p->pace_count, cw__now_us());
    struct itimerspec every = {.it_value.tv_nsec = 1};
    if (!p->is_dead) {
        int64_t interval_us = pace_interval_us();
        every.it_interval =
            (struct timespec){.tv_sec = interval_us / 1000000, .tv_nsec = interval_us % 1000000 * 1000};
        (void)timerfd_settime(timer_fd, 0, &every, NULL);
    }
}

/* Sends the messages that are due. */
static void pace(void)
{
    static uint8_t message[2 + 125];
    uint64_t number;
    (void)read(timer_fd, &number, sizeof number);
    while (pacer != NULL && paced_count > 0 && pace_next(cw__now_us(), &number)) {
        peer *p = paced[paced_turn++ % paced_count];
        message[0] = 0x82;
        message[1] = (uint8_t)p->paced_bytes;
        memcpy(message + 2, &number, sizeof number);
        send_bytes(p, message, 2 + (size_t)message[1]);
        watch(p);
    }
}

static void take_echo(peer *p)
{
    uint64_t number;
    char text[96] = {(char)0x81};
    memcpy(&number, p->stamp, sizeof number);
    if (pacer != NULL && pace_echo(number, cw__now_us())) {
        static const struct itimerspec never;
        (void)timerfd_settime(timer_fd, 0, &never, NULL);
        pace_report(text + 2, sizeof text - 2);
        text[1] = (char)strlen(text + 2);
        send_bytes(pacer, (const uint8_t *)text, 2 + strlen(text + 2));
        watch(pacer);
        pacer = NULL;
    }
}

static void end_frame(peer *p)
{
    p->in_payload = false;
    p->is_passing = false;
    if (p->frame.opcode == CW__OP_CLOSE) {
        p->close_sent = true;
        p->is_ending = true;
    } else if (p->frame.opcode > CW__OP_BINARY) {
        return;
    } else if (p->mode == MODE_SINK) {
        bool is_question = p->frame.opcode == CW__OP_TEXT && p->frame.payload_bytes == 1 && p->first == '?';
        if (is_question) {
            send_number(p, p->sunk_bytes);
        } else {
            p->sunk_bytes += p->frame.payload_bytes;
        }
    } else if (p->mode == MODE_CLOCK && p->frame.is_final) {
        send_number(p, (uint64_t)cw__now_us());
    } else if (p->mode == MODE_SOURCE && !p->is_ending) {
        p->is_flooding = true;
    } else if (p->mode == MODE_PACE) {
        begin_pace(p);
    } else if (p->mode == MODE_PACED && p->frame.payload_bytes >= PACE_STAMP_BYTES) {
        take_echo(p);
    }
}

static void take_stamp(peer *p, const uint8_t *at, size_t len_bytes)
{
    uint64_t offset = p->frame.payload_bytes - p->left;
    for (size_t i = 0; i < len_bytes && offset + i < sizeof p->stamp; i++) {
        p->stamp[offset + i] = at[i] ^ p->frame.mask[(offset + i) & 3];
    }
}

static void take_bytes(peer *p, const uint8_t *at, size_t len_bytes)
{
    const uint8_t *end = at + len_bytes;
    while (!p->is_dead && !p->is_ending) {
        if (!p->in_payload) {
            if (!take_header(p, &at, end)) {
                break;
            }
            begin_frame(p);
        }
        size_t n = (uint64_t)(end - at) < p->left ? (size_t)(end - at) : (size_t)p->left;
        if (p->is_passing) {
            unmask(out, at, n, p->frame.mask, p->frame.payload_bytes - p->left);
            out += n;
        } else if (p->mode == MODE_PACED) {
            take_stamp(p, at, n);
        } else if (n == 1 && p->frame.payload_bytes == 1) {
            p->first = *at ^ p->frame.mask[0];
        }
        at += n;
        p->left -= n;
        if (p->left > 0) {
            break;
        }
        end_frame(p);
    }
    flush_out(p);
}

/* ---- Opening handshake -------------------------------------------------------------------------------- */

static uint64_t parameter(const char *path, const char *name)
{
    const char *found = strstr(path, name);
    return found == NULL ? 0 : strtoull(found + strlen(name), NULL, 10);
}

static bool set_mode(peer *p, const char *path)
{
    p->is_deflating = parameter(path, "deflate=") != 0;
    if (p->is_deflating && strcasestr(p->request, "permessage-deflate") == NULL) {
        return false;
    }
    if (strcmp(path, "/echo") == 0 || strcmp(path, "/echo?deflate=1") == 0) {
        p->mode = MODE_ECHO;
    } else if (strcmp(path, "/sink") == 0) {
        p->mode = MODE_SINK;
    } else if (strcmp(path, "/clock") == 0) {
        p->mode = MODE_CLOCK;
    } else if (strncmp(path, "/source?", 8) == 0) {
        uint64_t size_bytes = parameter(path, "size=");
        uint64_t count = parameter(path, "count=");
        if (size_bytes > SOURCE_SIZE_BYTES) {
            return false;
        }
        p->block = block_of((size_t)size_bytes, parameter(path, "text=") != 0, p->is_deflating);
        if (p->block == NULL || count > UINT64_MAX / p->block->frame_bytes) {
            return false;
        }
        p->source_left = count == 0 ? UINT64_MAX : count * p->block->frame_bytes;
        p->is_flooding = parameter(path, "wait=") == 0;
        p->mode = MODE_SOURCE;
    } else if (strncmp(path, "/paced?", 7) == 0 && paced_count < PACED_MOST) {
        p->paced_bytes = parameter(path, "size=");
        paced[paced_count++] = p;
        p->mode = MODE_PACED;
        return p->paced_bytes >= PACE_STAMP_BYTES && p->paced_bytes <= 125;
    } else if (strncmp(path, "/pace?", 6) == 0) {
        p->pace_rate = parameter(path, "rate=");
        p->pace_count = parameter(path, "count=");
        p->mode = MODE_PACE;
    } else {
        return false;
    }
    return true;
}

static void refuse(peer *p, const char *reply)
{
    (void)put(p, (const uint8_t *)reply, strlen(reply));
    p->is_dead = true;
}

static void answer_request(peer *p)
{
    char path[256];
    char key[24 + 36 + 1];
    char accept_key[29];
    uint8_t digest[20];
    char reply[384];
    const char *line = strcasestr(p->request, "\r\nSec-WebSocket-Key:");
    if (line == NULL || sscanf(line + 20, " %24[^ \r]", key) != 1 ||
        sscanf(p->request, "GET %255[^ \r] HTTP/1.1", path) != 1) {
        refuse(p, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    }
    (void)strcat(key, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    cw__sha1(key, strlen(key), digest);
    cw__base64(digest, sizeof digest, accept_key);
    if (!set_mode(p, path)) {
        refuse(p, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
    }
    int length =
        snprintf(reply, sizeof reply,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "%sSec-WebSocket-Accept: %s\r\n\r\n",
                 p->is_deflating ? "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"
                                   "; client_no_context_takeover\r\n"
                                 : "",
                 accept_key);
    send_bytes(p, (const uint8_t *)reply, (size_t)length);
}

static void take_request(peer *p, const uint8_t *data, size_t len_bytes)
{
    if (p->request == NULL) {
        p->request = malloc(REQUEST_BYTES);
    }
    if (p->request == NULL || p->request_bytes + len_bytes >= REQUEST_BYTES) {
        p->is_dead = true;
        return;
    }
    memcpy(p->request + p->request_bytes, data, len_bytes);
    p->request_bytes += len_bytes;
    p->request[p->request_bytes] = '\0';
    char *end = strstr(p->request, "\r\n\r\n");
    if (end == NULL) {
        return;
    }
    size_t head_bytes = (size_t)(end - p->request) + 4;
    size_t early_bytes = p->request_bytes - head_bytes; /* frames that arrived with the request */
    answer_request(p);
    if (!p->is_dead && early_bytes > 0) {
        take_bytes(p, data + len_bytes - early_bytes, early_bytes);
    }
    free(p->request);
    p->request = NULL;
}

/* ---- Loop --------------------------------------------------------------------------------------------- */

static void drop(peer *p)
{
    for (size_t i = 0; p->mode == MODE_PACED && i < paced_count; i++) {
        if (paced[i] == p) {
            paced[i] = paced[--paced_count];
        }
    }
    pacer = pacer == p ? NULL : pacer;
    if (p->ssl != NULL) {
        (void)SSL_shutdown(p->ssl); /* sends close_notify and does not wait for the answer */
    }
    SSL_free(p->ssl);
    (void)close(p->fd);
    free(p->request);
    free(p->pending);
    free(p);
}

/* Returns whether there was anything to read. */
static bool read_some(peer *p)
{
    long n = p->ssl != NULL ? tls_read(p->ssl, room + HEAD_BYTES, READ_BYTES)
                            : read(p->fd, room + HEAD_BYTES, READ_BYTES);
    if (n <= 0) {
        p->is_dead = p->ssl != NULL ? n < 0 : n == 0 || (errno != EAGAIN && errno != EINTR);
    } else if (p->mode == MODE_REQUEST) {
        take_request(p, room + HEAD_BYTES, (size_t)n);
    } else {
        take_bytes(p, room + HEAD_BYTES, (size_t)n);
    }
    return n > 0;
}

static void serve(peer *p, unsigned events)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
        p->is_dead = true;
    }
    if (!p->is_dead && (events & EPOLLOUT) != 0 && p->mode != MODE_SOURCE) {
        flush_pending(p);
    }
    bool goes_on = (events & EPOLLIN) != 0;
    while (goes_on && !p->is_dead) {
        goes_on = read_some(p) && p->ssl != NULL && tls_has_more(p->ssl);
    }
    if (!p->is_dead && p->is_flooding) {
        flood(p);
    } else if (!p->is_dead && p->mode == MODE_SOURCE && !p->is_passing) {
        flush_pending(p);
    }
    if (p->is_dead || (p->is_ending && !p->is_flooding && p->pending_bytes == 0)) {
        drop(p);
    } else {
        watch(p);
    }
}

static void add(int fd, void *owner)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = owner};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &e) != 0) {
        fail(fd == STDIN_FILENO ? "standard input must be a pipe or a terminal: its end ends the server"
                                : "epoll");
    }
}

static void accept_all(int listener, SSL_CTX *context)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) {
                return;
            }
            fail("accept");
        }
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        peer *p = calloc(1, sizeof *p);
        if (p == NULL) {
            (void)close(fd);
            return;
        }
        p->fd = fd;
        p->ssl = context != NULL ? tls_open(context, fd, true) : NULL;
        p->watched = EPOLLIN;
        add(fd, p);
    }
}

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t length = sizeof address;
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        fail("listen");
    }
    (void)printf("%u\n", ntohs(address.sin_port));
    (void)fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    SSL_CTX *context = argc > 3 ? tls_server(argv[2], argv[3]) : NULL;
    int tls_listener = -1;
    if (argc > 3 && context == NULL) {
        return 1;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    add(STDIN_FILENO, NULL);
    add(timer_fd, &timer_fd);
    int listener = listen_on(argc > 1 ? (uint16_t)strtoul(argv[1], NULL, 10) : 0);
    add(listener, &listener);
    if (context != NULL) {
        tls_listener = listen_on(0);
        add(tls_listener, &tls_listener);
    }
    for (;;) {
        struct epoll_event ready[EVENTS];
        char byte;
        int count = epoll_wait(poll_fd, ready, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.ptr == &listener) {
                accept_all(listener, NULL);
            } else if (ready[i].data.ptr == &tls_listener) {
                accept_all(tls_listener, context);
            } else if (ready[i].data.ptr == &timer_fd) {
                pace();
            } else if (ready[i].data.ptr != NULL) {
                serve(ready[i].data.ptr, ready[i].events);
            } else if (read(STDIN_FILENO, &byte, 1) <= 0) {
                return 0;
            }
        }
    }
}

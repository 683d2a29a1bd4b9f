/* SPDX-License-Identifier: MIT */
/* Tests of message.c. A vector has what a server sends, as hex, and the expected output, as text. Each vector is
 * replayed whole, byte by byte, and cut in two at every place. This is done in full and in partial mode. It is
 * done with and without an empty piece that announces a frame before its payload. */
#include "harness.h"

enum { LOG_BYTES = 4096, WIRE_BYTES = 1024, MIB = 1 << 20 };

void cw_socket_release(cw_socket *s) { (void)s; }

/* Acts as a codec: it decodes frames, makes pieces of them, and writes down the output. */
typedef struct replay {
    cw__message message;
    cw__frame_decoder decoder;
    cw__frame frame;
    uint64_t left; /* position in the frame's payload */
    bool is_announcing;
    bool is_over; /* true after a violation, or when memory ran out */
    bool is_out_of_memory;
    uint8_t parts[WIRE_BYTES]; /* bytes of a message in partial mode */
    size_t parts_bytes;
    char log[LOG_BYTES];
    size_t log_bytes;
} replay;

static void log_bytes(replay *r, const char *name, const uint8_t *data, size_t len_bytes)
{
    r->log_bytes += (size_t)snprintf(r->log + r->log_bytes, LOG_BYTES - r->log_bytes, "%s:", name);
    for (size_t i = 0; i < len_bytes && r->log_bytes < LOG_BYTES; i++)
        r->log_bytes += (size_t)snprintf(r->log + r->log_bytes, LOG_BYTES - r->log_bytes, "%02x", data[i]);
    r->log_bytes += (size_t)snprintf(r->log + r->log_bytes, LOG_BYTES - r->log_bytes, " ");
    CHECK(r->log_bytes < LOG_BYTES);
}

static void log_part(replay *r, const cw__message_output *out, const uint8_t *piece, size_t piece_bytes)
{
    CHECK(out->len_bytes > 0 || out->is_complete);
    CHECK_INT(out->len_bytes, piece_bytes);
    if (piece_bytes)
        CHECK(out->data == piece); /* borrowed, not copied */
    CHECK(r->parts_bytes + out->len_bytes <= sizeof r->parts);
    if (out->len_bytes)
        memcpy(r->parts + r->parts_bytes, out->data, out->len_bytes);
    r->parts_bytes += out->len_bytes;
    if (!out->is_complete)
        return;
    log_bytes(r, out->message_type == CW_UTF8 ? "utf8" : "binary", r->parts, r->parts_bytes);
    r->parts_bytes = 0;
}

static void log_whole(replay *r, const cw__message_output *out)
{
    size_t len_bytes;
    const void *data = cw_event_data(out->event, &len_bytes);

    CHECK_INT(cw_event_get_type(out->event), CW_EVENT_MESSAGE);
    CHECK(cw_event_is_complete(out->event) && !cw_event_is_part(out->event));
    CHECK_INT(cw_event_message_type(out->event), out->message_type);
    log_bytes(r, out->message_type == CW_UTF8 ? "utf8" : "binary", data, len_bytes);
    cw_event_free(out->event);
}

static void log_violation(replay *r, const cw__violation *violation)
{
    char text[16];

    CHECK(violation->text && strlen(violation->text) > 10);
    (void)snprintf(text, sizeof text, "!%d", violation->code);
    log_bytes(r, text, NULL, 0);
    r->is_over = true;
}

/* The payload has a block of its own, so that a sanitizer reports a read beyond the payload. Afterwards the block is freed. */
static void feed_piece(replay *r, const uint8_t *payload, size_t len_bytes, uint64_t remaining)
{
    uint8_t *block = len_bytes ? malloc(len_bytes) : NULL;
    cw__piece piece = {block,
                       len_bytes,
                       r->frame.payload_bytes - remaining - len_bytes,
                       remaining,
                       r->frame.opcode,
                       r->frame.rsv,
                       r->frame.is_final};
    cw__message_output out;
    cw__message_result result;

    if (len_bytes)
        memcpy(block, payload, len_bytes);
    result = cw__message_feed(&r->message, &piece, &out);
    if (result == CW__MESSAGE_PART)
        log_part(r, &out, block, len_bytes);
    free(block);
    if (result == CW__MESSAGE_WHOLE)
        log_whole(r, &out);
    if (result == CW__MESSAGE_PING)
        log_bytes(r, "ping", out.data, out.len_bytes);
    if (result == CW__MESSAGE_PONG)
        log_bytes(r, "pong", out.data, out.len_bytes);
    if (result == CW__MESSAGE_CLOSE)
        log_bytes(r, "close", out.data, out.len_bytes);
    if (result == CW__MESSAGE_VIOLATION)
        log_violation(r, &out.violation);
    if (result == CW__MESSAGE_NO_MEMORY)
        r->is_over = r->is_out_of_memory = true;
}

static void feed_wire(replay *r, const uint8_t *data, size_t len_bytes)
{
    while (len_bytes && !r->is_over) {
        size_t used;

        if (r->left) {
            used = r->left < len_bytes ? (size_t)r->left : len_bytes;
            r->left -= used;
            feed_piece(r, data, used, r->left);
        } else if (cw__frame_decode(&r->decoder, data, len_bytes, &used, &r->frame) == CW__DECODE_DONE) {
            r->left = r->frame.payload_bytes;
            if (r->left == 0 || r->is_announcing)
                feed_piece(r, NULL, 0, r->left);
        }
        data += used;
        len_bytes -= used;
    }
}

/* ---- Vectors ------------------------------------------------------------------------------------------ */

typedef struct vector {
    const char *wire; /* hex */
    const char *log;
} vector;

static size_t read_hex(const char *hex, uint8_t out[WIRE_BYTES])
{
    size_t count = 0;
    unsigned byte;

    for (; *hex; hex += *hex == ' ' ? 1 : 2) {
        if (*hex == ' ')
            continue;
        CHECK(count < WIRE_BYTES && sscanf(hex, "%2x", &byte) == 1);
        out[count++] = (uint8_t)byte;
    }
    return count;
}

/* Feeds the wire in pieces of step bytes; the first piece has first_bytes. */
static void run_once(const vector *v, bool is_partial, bool is_announcing, size_t first_bytes, size_t step)
{
    static replay r;
    uint8_t wire[WIRE_BYTES];
    size_t count = read_hex(v->wire, wire);
    size_t begin = 0, end = first_bytes;

    memset(&r, 0, sizeof r);
    r.is_announcing = is_announcing;
    cw__message_init(&r.message, is_partial, 64);
    for (; begin < count; begin = end, end = end + step < count ? end + step : count)
        feed_wire(&r, wire + begin, end - begin);
    if (strcmp(r.log, v->log) != 0)
        HARNESS_FAIL("partial %d, announcing %d, cut at %zu, then every %zu: %s gives %s, wanted %s",
                     is_partial, is_announcing, first_bytes, step, v->wire, r.log, v->log);
    cw__message_destroy(&r.message);
}

static void run_vector(const vector *v)
{
    uint8_t wire[WIRE_BYTES];
    size_t count = read_hex(v->wire, wire);

    for (int mode = 0; mode < 4; mode++) {
        run_once(v, mode & 1, mode & 2, 1, 1);
        for (size_t cut = 1; cut <= count; cut++)
            run_once(v, mode & 1, mode & 2, cut, count);
    }
}

#define RUN(vectors)                                                        \
    do {                                                                    \
        for (size_t v = 0; v < sizeof(vectors) / sizeof((vectors)[0]); v++) \
            run_vector(&(vectors)[v]);                                      \
    } while (0)

static void test_unfragmented(void)
{
    static const vector vectors[] = {
        {"8105 48656c6c6f", "utf8:48656c6c6f "},
        {"8200", "binary: "},
        {"8100", "utf8: "},
        {"8203 00ff80", "binary:00ff80 "},
        {"8101 61 8201 62 8101 63", "utf8:61 binary:62 utf8:63 "},
    };
    RUN(vectors);
}

static void test_fragmented(void)
{
    static const vector vectors[] = {
        {"0103 48656c 8002 6c6f", "utf8:48656c6c6f "},
        {"0201 01 0001 02 0001 03 8001 04", "binary:01020304 "},
        {"0100 8000", "utf8: "},
        {"0100 0001 61 0000 8000", "utf8:61 "},
        {"0201 01 8000 8201 02", "binary:01 binary:02 "},
    };
    RUN(vectors);
}

static void test_control_between(void)
{
    static const vector vectors[] = {
        {"0101 61 8900 8001 62", "ping: utf8:6162 "},
        {"0101 61 8902 7879 0001 62 8a01 7a 8000", "ping:7879 pong:7a utf8:6162 "},
        {"0201 01 8802 03e8", "close:03e8 "},
        {"0102 c3a9 8900 8002 c3a9", "ping: utf8:c3a9c3a9 "},
        {"0101 c3 8901 ff 8001 a9", "ping:ff utf8:c3a9 "},
        {"8900 8a00 8800", "ping: pong: close: "},
    };
    RUN(vectors);
}

static void test_order(void)
{
    static const vector vectors[] = {
        {"8001 61", "!1002: "},
        {"0001 61", "!1002: "},
        {"8000", "!1002: "},
        {"8101 61 8001 62", "utf8:61 !1002: "},
        {"0101 61 8101 62", "!1002: "},
        {"0101 61 0201 62", "!1002: "},
        {"0100 0100", "!1002: "},
        {"0200 8900 8200", "ping: !1002: "},
        {"0101 61 8001 62 8000", "utf8:6162 !1002: "},
    };
    RUN(vectors);
}

static void run_printed(unsigned first, const char *rest, const char *log)
{
    char wire[512];
    vector v = {wire, log};

    (void)snprintf(wire, sizeof wire, "%02x%s", first, rest);
    run_vector(&v);
}

static void test_reserved_bits(void)
{
    for (unsigned rsv = 1; rsv < 8; rsv++) {
        run_printed(0x81 | rsv << 4, "01 61", "!1002: ");
        run_printed(0x82 | rsv << 4, "00", "!1002: ");
        run_printed(0x89 | rsv << 4, "00", "!1002: ");
        run_printed(0x88 | rsv << 4, "02 03e8", "!1002: ");
    }
}

static void test_reserved_opcodes(void)
{
    for (unsigned opcode = 3; opcode < 16; opcode = opcode == 7 ? 0xb : opcode + 1) {
        run_printed(0x80 | opcode, "00", "!1002: ");
        run_printed(opcode, "01 61", "!1002: ");
    }
}

static void test_control_fragmented(void)
{
    for (unsigned opcode = 8; opcode < 11; opcode++) {
        run_printed(opcode, "00", "!1002: ");
        run_printed(opcode, "01 61 8000", "!1002: ");
    }
}

static void test_control_length(void)
{
    char rest[300] = "7d ", log[300];
    const char *names[] = {"close", "ping", "pong"};

    for (size_t i = 0; i < 125; i++)
        (void)snprintf(rest + 3 + 2 * i, 3, "%02x", (unsigned)i);
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(log, sizeof log, "%s:%s ", names[i], rest + 3);
        run_printed(0x88 + i, rest, log);
        run_printed(0x88 + i, "7e 007e 61", "!1002: ");
        run_printed(0x88 + i, "7f 7fffffffffffffff 61", "!1002: ");
    }
}

static void test_utf8(void)
{
    static const vector vectors[] = {
        {"0103 e282ac 8003 f09f98 ", "!1007: "},
        {"0102 e282 8001 ac", "utf8:e282ac "},
        {"0101 e2 0001 82 0000 8001 ac", "utf8:e282ac "},
        {"0101 e2 8000", "!1007: "},
        {"8102 e282", "!1007: "},
        {"8103 eda080", "!1007: "},
        {"8102 c080", "!1007: "},
        {"8104 f4908080", "!1007: "},
        {"8101 61 8101 ff", "utf8:61 !1007: "},
        {"0102 c3a9 8001 80", "!1007: "},
        {"8201 ff", "binary:ff "},
        {"0201 e2 8001 ff", "binary:e2ff "},
        {"0201 e2 8000 8103 e282ac", "binary:e2 utf8:e282ac "},
    };
    RUN(vectors);
}

/* Byte by byte, the violation is reported at the very byte that makes the text invalid. */
static void test_first_bad_byte(void)
{
    static const struct {
        const char *wire;
        size_t bad; /* index of that byte on the wire */
    } samples[] = {
        {"8105 61ff626364", 3},       {"8105 e282286162", 4}, {"8104 eda08061", 3}, {"8104 f4908080", 3},
        {"0102 61e2 8003 286162", 6}, {"8105 c061616161", 2}, {"8102 e282", 3},     {"0101 e2 8000", 4},
    };

    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        for (int is_partial = 0; is_partial < 2; is_partial++) {
            static replay r;
            uint8_t wire[WIRE_BYTES];
            size_t count = read_hex(samples[i].wire, wire), fed = 0;

            memset(&r, 0, sizeof r);
            cw__message_init(&r.message, is_partial, -1);
            for (; fed < count && !r.is_over; fed++)
                feed_wire(&r, wire + fed, 1);
            CHECK_STR(r.log, "!1007: ");
            CHECK_INT(fed, samples[i].bad + 1);
            cw__message_destroy(&r.message);
        }
    }
}

/* ---- Limits and memory -------------------------------------------------------------------------------- */

static cw__message_result feed(cw__message *m, cw__message_output *out, uint8_t opcode, bool is_final,
                               const void *data, size_t len_bytes, uint64_t remaining)
{
    cw__piece piece = {data, len_bytes, 0, remaining, opcode, 0, is_final};
    return cw__message_feed(m, &piece, out);
}

static void expect_1009(int64_t max_bytes, size_t first_bytes, uint64_t announced)
{
    static const uint8_t zeros[64];
    cw__message m;
    cw__message_output out;
    uint8_t opcode = CW__OP_BINARY;

    cw__message_init(&m, false, max_bytes);
    if (first_bytes) {
        CHECK_INT(feed(&m, &out, opcode, false, zeros, first_bytes, 0), CW__MESSAGE_NONE);
        opcode = CW__OP_CONTINUATION;
    }
    CHECK_INT(feed(&m, &out, opcode, true, NULL, 0, announced), CW__MESSAGE_VIOLATION);
    CHECK_INT(out.violation.code, 1009);
    cw__message_destroy(&m);
}

static void test_too_big(void)
{
    expect_1009(5, 0, 6);
    expect_1009(0, 0, 1);
    expect_1009(5, 5, 1);
    expect_1009(5, 3, 3);
    expect_1009(64 * MIB, 0, 64 * MIB + 1);
    expect_1009(64 * MIB, 1, INT64_MAX);
    expect_1009(INT64_MAX, 1, INT64_MAX);
}

static void test_just_fits(void)
{
    cw__message m;
    cw__message_output out;

    cw__message_init(&m, false, 5);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, false, "123", 3, 0), CW__MESSAGE_NONE);
    CHECK_INT(feed(&m, &out, CW__OP_CONTINUATION, false, "4", 1, 0), CW__MESSAGE_NONE);
    CHECK_INT(m.building->room_bytes, 5); /* the room is not doubled */
    CHECK_INT(feed(&m, &out, CW__OP_CONTINUATION, true, "5", 1, 0), CW__MESSAGE_WHOLE);
    CHECK_BYTES(out.event->data, out.event->len_bytes, "12345", 5);
    cw_event_free(out.event);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, false, "123", 3, 0), CW__MESSAGE_NONE); /* counted from 0 again */
    CHECK_INT(feed(&m, &out, CW__OP_CONTINUATION, true, "4", 1, 0), CW__MESSAGE_WHOLE);
    CHECK_INT(out.event->room_bytes, 4); /* the last frame gets exactly what it needs */
    cw_event_free(out.event);
    cw__message_destroy(&m);
}

static void test_partial_has_no_limit(void)
{
    cw__message m;
    cw__message_output out;
    size_t room;

    cw__message_init(&m, true, 5);
    cw__alloc_fail_at(0);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "abc", 3, INT64_MAX - 3), CW__MESSAGE_PART);
    CHECK(!out.is_complete);
    CHECK(cw__message_space(&m, &room) == NULL);
    CHECK_INT(room, 0);
    CHECK(cw__malloc(1) == NULL); /* this is the first allocation, so the feed made none */
    cw__message_destroy(&m);
}

static void test_announcement_is_not_believed(void)
{
    cw__message m;
    cw__message_output out;
    size_t room;

    cw__message_init(&m, false, -1);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, NULL, 0, INT64_MAX), CW__MESSAGE_NONE);
    CHECK(m.building == NULL);
    CHECK(cw__message_space(&m, &room) != NULL);
    CHECK_INT(room, MIB);
    CHECK_INT(m.building->room_bytes, MIB);
    cw__message_destroy(&m);

    cw__message_init(&m, false, -1);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "ab", 2, INT64_MAX - 2), CW__MESSAGE_NONE);
    CHECK_INT(m.building->room_bytes, MIB);
    cw__message_destroy(&m);
}

/* Reads a frame in place, step bytes at a time, as far as there is room. Then it returns the output. */
static cw_event *read_in_place(int64_t max_bytes, size_t frame_bytes, size_t step)
{
    cw__message m;
    cw__message_output out;
    size_t done = 0, room_before = MIB;

    cw__message_init(&m, false, max_bytes);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, NULL, 0, frame_bytes), CW__MESSAGE_NONE);
    while (done < frame_bytes) {
        uint8_t own[1 << 14];
        size_t room;
        uint8_t *at = cw__message_space(&m, &room);
        size_t n = at ? (room < step ? room : step) : frame_bytes - done;

        if (at) {
            CHECK(at == m.building->data + m.building->len_bytes);
            CHECK(room > 0 && room <= frame_bytes - done);
            CHECK(m.building->room_bytes <= (size_t)max_bytes);
            CHECK(m.building->room_bytes <= 2 * room_before);
            room_before = m.building->room_bytes > MIB ? m.building->room_bytes : MIB;
            if (n < frame_bytes - done)
                cw__alloc_fail_at(0); /* a piece in place must not allocate */
        } else {
            CHECK(n < sizeof own);
            at = own;
        }
        for (size_t i = 0; i < n; i++)
            at[i] = (uint8_t)((done + i) * 7 >> 3);
        done += n;
        CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, at, n, frame_bytes - done),
                  done < frame_bytes ? CW__MESSAGE_NONE : CW__MESSAGE_WHOLE);
        cw__alloc_fail_at(-1);
    }
    cw__message_destroy(&m);
    return out.event;
}

static void test_in_place(void)
{
    static const size_t sizes[] = {1 << 14, (1 << 14) + 1, MIB, MIB + 1, 3 * MIB + 12345, 4 * MIB};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        cw_event *event = read_in_place(4 * MIB, sizes[i], 100000);

        CHECK_INT(event->len_bytes, sizes[i]);
        CHECK(event->room_bytes - event->len_bytes <= event->len_bytes / 4);
        for (size_t k = 0; k < sizes[i]; k++)
            if (event->data[k] != (uint8_t)(k * 7 >> 3))
                HARNESS_FAIL("byte %zu is wrong", k);
        cw_event_free(event);
    }
}

static void test_no_space(void)
{
    cw__message m;
    cw__message_output out;
    size_t room = 1;

    cw__message_init(&m, false, -1);
    CHECK(cw__message_space(&m, &room) == NULL); /* between frames */
    CHECK_INT(room, 0);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, NULL, 0, 1000), CW__MESSAGE_NONE);
    CHECK(cw__message_space(&m, &room) == NULL); /* less than a buffer's worth */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, NULL, 0, MIB), CW__MESSAGE_NONE);
    cw__alloc_fail_at(0);
    CHECK(cw__message_space(&m, &room) == NULL);
    CHECK_INT(room, 0);
    cw__message_destroy(&m);
}

static void test_one_allocation(void)
{
    cw__message m;
    cw__message_output out;

    cw__message_init(&m, false, -1);
    cw__alloc_fail_at(1);
    CHECK_INT(feed(&m, &out, CW__OP_TEXT, true, "Hello", 5, 0), CW__MESSAGE_WHOLE);
    CHECK_INT(out.event->room_bytes, 5);
    CHECK(cw__malloc(1) == NULL); /* this is the second allocation */
    cw_event_free(out.event);
    cw__alloc_fail_at(0);
    CHECK_INT(feed(&m, &out, CW__OP_TEXT, true, "Hello", 5, 0), CW__MESSAGE_NO_MEMORY);
    cw__message_destroy(&m);
}

/* Many fragments: the room doubles, so the number of allocations is logarithmic. */
static void test_many_fragments(void)
{
    cw__message m;
    cw__message_output out;
    size_t rooms = 0, room = 0;

    cw__message_init(&m, false, -1);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, false, "x", 1, 0), CW__MESSAGE_NONE);
    for (int i = 0; i < 100000; i++) {
        CHECK_INT(feed(&m, &out, CW__OP_CONTINUATION, false, "y", 1, 0), CW__MESSAGE_NONE);
        rooms += m.building->room_bytes != room;
        room = m.building->room_bytes;
    }
    CHECK(rooms < 20);
    CHECK_INT(feed(&m, &out, CW__OP_CONTINUATION, true, NULL, 0, 0), CW__MESSAGE_WHOLE);
    CHECK_INT(out.event->len_bytes, 100001);
    CHECK(out.event->room_bytes <= 100001 + 100001 / 4);
    cw_event_free(out.event);
    cw__message_destroy(&m);
}

static bool replay_short_of_memory(void *arg)
{
    static const char hex[] = "0103 48656c 8900 0002 6c6f 8001 21 8200 8101 61 8104 61626364";
    static replay r;
    uint8_t wire[WIRE_BYTES];
    bool is_whole;

    memset(&r, 0, sizeof r);
    cw__message_init(&r.message, false, *(const int64_t *)arg);
    feed_wire(&r, wire, read_hex(hex, wire));
    is_whole = strcmp(r.log, "ping: utf8:48656c6c6f21 binary: utf8:61 utf8:61626364 ") == 0;
    CHECK(is_whole != r.is_out_of_memory);
    cw__message_destroy(&r.message);
    return is_whole;
}

/* A codec that passes more than it announced must not exceed the 125 bytes. */
static void test_control_overrun(void)
{
    static const uint8_t bytes[100];
    cw__piece first = {
        .data = bytes, .len_bytes = 100, .remaining = 20, .opcode = CW__OP_PING, .is_final = true};
    cw__piece more = {.data = bytes, .len_bytes = 26, .offset = 100, .opcode = CW__OP_PING, .is_final = true};
    cw__message_output out;
    cw__message m;

    cw__message_init(&m, false, -1);
    CHECK_INT(cw__message_feed(&m, &first, &out), CW__MESSAGE_NONE);
    CHECK_INT(cw__message_feed(&m, &more, &out), CW__MESSAGE_VIOLATION);
    CHECK(out.violation.code == 1002 && strstr(out.violation.text, "more than 125 bytes"));
    cw__message_destroy(&m);
}

static void test_short_of_memory(void)
{
    int64_t max_bytes = 6;

    each_allocation_fails(replay_short_of_memory, &max_bytes);
}

static const harness_test tests[] = {
    {"RFC 6455 5.4: unfragmented messages", test_unfragmented},
    {"RFC 6455 5.4: fragmented messages", test_fragmented},
    {"RFC 6455 5.4: control frames between fragments", test_control_between},
    {"RFC 6455 5.4: a continuation needs a beginning, and no message begins inside another", test_order},
    {"RFC 6455 5.2: a reserved bit fails the connection", test_reserved_bits},
    {"RFC 6455 5.2: a reserved opcode fails the connection", test_reserved_opcodes},
    {"RFC 6455 5.5: a control frame in fragments fails the connection", test_control_fragmented},
    {"RFC 6455 5.5: a control frame has 125 bytes at most", test_control_length},
    {"RFC 6455 5.5: the limit holds whatever was announced", test_control_overrun},
    {"RFC 6455 8.1: text is UTF-8, also over fragments", test_utf8},
    {"RFC 6455 8.1: text fails at its first bad byte", test_first_bad_byte},
    {"RFC 6455 7.4.1: a message that is too big is refused when it is announced", test_too_big},
    {"a message of exactly the limit is accepted", test_just_fits},
    {"partial mode keeps nothing and has no limit", test_partial_has_no_limit},
    {"a peer's announcement makes us allocate 1 MiB at most", test_announcement_is_not_believed},
    {"a large frame is read in place, within the limit", test_in_place},
    {"no place for small frames, and none without memory", test_no_space},
    {"a small message costs one allocation", test_one_allocation},
    {"a message in many fragments is not copied each time", test_many_fragments},
    {"each allocation may fail", test_short_of_memory},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

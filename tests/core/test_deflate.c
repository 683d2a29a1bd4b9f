/* SPDX-License-Identifier: MIT */
/* Tests of deflate.c on bytes: the examples of RFC 7692 section 7.2.3, every type of block, every split, corrupt data,
 * decompression bombs, and the memory of a connection. zlib itself is the other side. */
#include "harness.h"

#include <malloc.h>
#include <zlib.h>

enum { ROOM_BYTES = 1 << 20, BUFFER_BYTES = 16 * 1024 };

static const cw__compression defaults = {.is_on = true, .server_bits = 15, .client_bits = 15};

/* The result of a compressed message. */
typedef struct outcome {
    uint8_t *data;
    size_t len_bytes;
    cw__inflate_result result; /* result of the last call */
    bool is_complete;
} outcome;

static outcome out;
static bool is_kept = true; /* whether unused input is copied after each step */
static uint8_t *given;      /* the memory of the latest piece */
static size_t given_bytes;

static void begin(void)
{
    out.data = out.data ? out.data : malloc(ROOM_BYTES);
    out.len_bytes = 0;
    out.is_complete = false;
}

/* Takes all output of a piece, size_bytes at a time. Returns false after an error. */
static bool drain(cw__inflater *i, size_t size_bytes)
{
    uint8_t buffer[BUFFER_BYTES];
    cw__piece piece;

    do {
        out.result = cw__inflater_give(i, buffer, size_bytes, &piece);
        if (out.result != CW__INFLATE_PIECE)
            continue;
        CHECK(!out.is_complete && piece.remaining == 0 && piece.rsv == 0 && piece.len_bytes <= size_bytes);
        CHECK_INT(piece.opcode, out.len_bytes == 0 && piece.opcode ? CW__OP_TEXT : CW__OP_CONTINUATION);
        CHECK(out.len_bytes + piece.len_bytes <= ROOM_BYTES);
        memcpy(out.data + out.len_bytes, piece.data, piece.len_bytes);
        out.len_bytes += piece.len_bytes;
        out.is_complete = piece.is_final;
        if (is_kept) { /* and the piece's memory is used again after each step */
            CHECK(cw__inflater_keep(i));
            memset(given, 0x55, given_bytes);
        }
    } while (out.result == CW__INFLATE_PIECE && cw__inflater_has_more(i));
    return out.result <= CW__INFLATE_DRY;
}

/* Feeds one frame in runs of run_bytes, each in memory of its own. */
static bool feed_frame(cw__inflater *i, uint8_t first, const void *data, size_t len_bytes, size_t run_bytes,
                       size_t size_bytes)
{
    size_t done = 0;

    do {
        size_t len = len_bytes - done < run_bytes ? len_bytes - done : run_bytes;
        uint8_t *copy = malloc(len + 1);
        cw__piece piece = {.data = copy, .len_bytes = len, .remaining = len_bytes - done - len};
        bool is_good;
        memcpy(copy, (const uint8_t *)data + done, len);
        given = copy;
        given_bytes = len;
        piece.opcode = first & 0xf;
        piece.rsv = first >> 4 & 7;
        piece.is_final = first >> 7;
        CHECK(cw__inflater_take(i, &piece));
        is_good = drain(i, size_bytes);
        free(copy);
        if (!is_good)
            return false;
        done += len;
    } while (done < len_bytes);
    return true;
}

static bool feed(cw__inflater *i, const void *data, size_t len_bytes, size_t run_bytes)
{
    begin();
    return feed_frame(i, 0xc1, data, len_bytes, run_bytes, BUFFER_BYTES) && out.is_complete;
}

#define CHECK_TEXT(text) CHECK_BYTES(out.data, out.len_bytes, text, strlen(text))
#define FEED(i, bytes)   feed(i, bytes, sizeof(bytes) - 1, SIZE_MAX)

/* ---- The RFC's examples ---- */

static void test_examples(void)
{
    cw__inflater *i = cw__inflater_create(&defaults);

    CHECK(FEED(i, "\xf2\x48\xcd\xc9\xc9\x07\x00")); /* 7.2.3.1 */
    CHECK_TEXT("Hello");
    CHECK(FEED(i, "\xf2\x00\x11\x00\x00")); /* 7.2.3.2: with the previous message as context */
    CHECK_TEXT("Hello");
    CHECK(FEED(i, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00")); /* 7.2.3.3: a block without compression */
    CHECK_TEXT("Hello");
    CHECK(FEED(i, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00")); /* 7.2.3.4: a block that says it is the last */
    CHECK_TEXT("Hello");
    CHECK(FEED(i, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00")); /* 7.2.3.5: two blocks */
    CHECK_TEXT("Hello");
    CHECK(FEED(i, "\x00")); /* 7.2.3.6 */
    CHECK_TEXT("");
    begin();
    /* a message in fragments */
    CHECK(feed_frame(i, 0x41, "\xf2\x48\xcd", 3, 3, BUFFER_BYTES) && !out.is_complete);
    CHECK(feed_frame(i, 0x80, "\xc9\xc9\x07\x00", 4, 4, BUFFER_BYTES) && out.is_complete);
    CHECK_TEXT("Hello");
    cw__inflater_destroy(i);
}

/* Some senders end a message with a block that is marked as the last, and nothing after it. The next message may still
 * refer to it. */
static void test_last_block(void)
{
    cw__inflater *i = cw__inflater_create(&defaults);

    for (int n = 0; n < 3; n++) {
        CHECK(FEED(i, "\xf3\x48\xcd\xc9\xc9\x07\x00"));
        CHECK_TEXT("Hello");
        CHECK(FEED(i, "\xf2\x00\x11\x00\x00"));
        CHECK_TEXT("Hello");
    }
    /* two last blocks in one message */
    CHECK(FEED(i, "\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"));
    CHECK_TEXT("HelloHello");
    cw__inflater_destroy(i);
}

static void test_no_takeover(void)
{
    cw__compression terms = defaults;
    cw__inflater *i;

    terms.server_resets = true;
    i = cw__inflater_create(&terms);
    CHECK(FEED(i, "\xf2\x48\xcd\xc9\xc9\x07\x00"));
    CHECK(FEED(i, "\xf2\x48\xcd\xc9\xc9\x07\x00"));
    CHECK_TEXT("Hello");
    CHECK(FEED(i, "\xf3\x48\xcd\xc9\xc9\x07\x00")); /* a last block, and the next message */
    CHECK(FEED(i, "\xf2\x48\xcd\xc9\xc9\x07\x00"));
    CHECK(!FEED(i, "\xf2\x00\x11\x00\x00")); /* refers to the block before */
    CHECK_INT(out.result, CW__INFLATE_BAD);
    cw__inflater_destroy(i);
    i = cw__inflater_create(&terms);
    CHECK(FEED(i, "\xf3\x48\xcd\xc9\xc9\x07\x00"));
    CHECK(!FEED(i, "")); /* a message has at least one block, also after a last block */
    CHECK_INT(out.result, CW__INFLATE_BAD);
    cw__inflater_destroy(i);
}

/* ---- Every type of block, every split ---- */

static size_t make_text(uint8_t *text, size_t len_bytes)
{
    uint32_t seed = 7;

    for (size_t i = 0; i < len_bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        text[i] = seed >> 28 < 12 ? (uint8_t)('a' + (seed >> 24) % 7) : (uint8_t)(seed >> 20);
    }
    return len_bytes;
}

/* zlib's own raw deflate of one message, without the tail. */
static size_t deflate_by_zlib(int level, int strategy, const uint8_t *data, size_t len_bytes, uint8_t *to)
{
    z_stream z = {0};

    CHECK_INT(deflateInit2(&z, level, Z_DEFLATED, -15, 8, strategy), Z_OK);
    z.next_in = (uint8_t *)(uintptr_t)data;
    z.avail_in = (uInt)len_bytes;
    z.next_out = to;
    z.avail_out = ROOM_BYTES;
    CHECK_INT(deflate(&z, Z_SYNC_FLUSH), Z_OK);
    CHECK_INT(deflateEnd(&z), Z_DATA_ERROR); /* the stream has not ended: the next message would follow */
    return ROOM_BYTES - z.avail_out - 4;
}

static void test_blocks(void)
{
    static const struct {
        int level, strategy;
    } kinds[] = {
        {0, Z_DEFAULT_STRATEGY}, {6, Z_FIXED}, {6, Z_DEFAULT_STRATEGY}, {9, Z_HUFFMAN_ONLY}, {1, Z_RLE}};
    static const size_t output[] = {1, 2, 7, 100, BUFFER_BYTES};
    static uint8_t text[3000], data[ROOM_BYTES];

    (void)make_text(text, sizeof text);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t len = deflate_by_zlib(kinds[k].level, kinds[k].strategy, text, sizeof text, data);
        cw__inflater *i = cw__inflater_create(&defaults);
        for (size_t run = 1; run <= len; run = run < 20 ? run + 1 : 2 * run) {
            for (size_t o = 0; o < sizeof output / sizeof *output; o++) {
                begin();
                CHECK(feed_frame(i, 0xc1, data, len, run, output[o]) && out.is_complete);
                CHECK_BYTES(out.data, out.len_bytes, text, sizeof text);
            }
        }
        cw__inflater_destroy(i);
    }
}

/* Two fragments, cut at every byte. */
static void test_splits(void)
{
    static uint8_t text[400], data[ROOM_BYTES];
    size_t len;
    cw__inflater *i = cw__inflater_create(&defaults);

    (void)make_text(text, sizeof text);
    len = deflate_by_zlib(6, Z_DEFAULT_STRATEGY, text, sizeof text, data);
    for (size_t cut = 0; cut <= len; cut++) {
        begin();
        CHECK(feed_frame(i, 0x41, data, cut, SIZE_MAX, BUFFER_BYTES) && !out.is_complete);
        CHECK(feed_frame(i, 0x80, data + cut, len - cut, SIZE_MAX, BUFFER_BYTES) && out.is_complete);
        CHECK_BYTES(out.data, out.len_bytes, text, sizeof text);
    }
    cw__inflater_destroy(i);
}

/* ---- Frames that are not compressed, and errors ---- */

static void test_frames(void)
{
    cw__inflater *i = cw__inflater_create(&defaults);
    cw__piece piece = {.data = (const uint8_t *)"x", .len_bytes = 1, .opcode = CW__OP_TEXT, .is_final = true};

    CHECK(!cw__inflater_take(i, &piece)); /* uncompressed */
    piece.rsv = 6;
    CHECK(!cw__inflater_take(i, &piece)); /* RSV1 and RSV2 */
    piece.rsv = 4;
    piece.opcode = CW__OP_CONTINUATION;
    CHECK(!cw__inflater_take(i, &piece));
    piece.opcode = 3; /* reserved */
    CHECK(!cw__inflater_take(i, &piece));
    piece.opcode = CW__OP_PING;
    CHECK(!cw__inflater_take(i, &piece));
    begin();
    CHECK(feed_frame(i, 0x41, "\xf2\x48", 2, 2, BUFFER_BYTES)); /* begins a compressed message */
    CHECK(!cw__inflater_take(i, &piece));
    piece.rsv = 0;
    CHECK(!cw__inflater_take(i, &piece));
    piece.opcode = CW__OP_TEXT;
    CHECK(!cw__inflater_take(i, &piece)); /* a message inside another */
    piece.opcode = CW__OP_CONTINUATION;
    piece.rsv = 4;
    CHECK(!cw__inflater_take(i, &piece)); /* RSV1 again */
    cw__inflater_destroy(i);
}

static void test_corrupt(void)
{
    static const struct {
        const char *data;
        size_t len_bytes;
    } bad[] = {
        {"\x07", 1},                           /* block type 3 */
        {"\x00\x05\x00\x05\x00Hello\x00", 11}, /* a length that does not match its complement */
        {"\xf2\x48\xcd", 3},                   /* cut off inside a block */
        {"", 0},                               /* an empty payload is not an empty message */
        {"\x00\x05\x00\xfa\xffHel", 8}, /* cut off inside an uncompressed block that is longer than the tail */
        {"\xf2\x00\x11\x00\x00", 5},    /* refers to data before the beginning */
        {"\x04\xc0\x81\x08\x00\x00\x00\x00\x20\x7f\xeb\x0b", 12}, /* code lengths that form no code */
        {"\xf3\x48\xcd\xc9\xc9\x07\x00\x07", 8},                  /* data after the last block */
    };

    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
        for (size_t run = 1; run <= bad[b].len_bytes + 1; run++) {
            cw__inflater *i = cw__inflater_create(&defaults);
            bool is_good = feed(i, bad[b].data, bad[b].len_bytes, run);
            if (is_good || out.result != CW__INFLATE_BAD)
                HARNESS_FAIL("data %zu, %zu at a time: %d, %zu bytes", b, run, out.result, out.len_bytes);
            CHECK(!is_good);
            cw__inflater_destroy(i);
        }
    }
}

/* A block whose last bytes are the tail is complete, even if it is output in small parts. */
static void test_tail_as_data(void)
{
    static const char data[] = "\x00\x05\x00\xfa\xffx";

    for (size_t size = 1; size <= 6; size++) {
        cw__inflater *i = cw__inflater_create(&defaults);
        begin();
        CHECK(feed_frame(i, 0xc1, data, sizeof data - 1, SIZE_MAX, size));
        CHECK(out.is_complete);
        CHECK_BYTES(out.data, out.len_bytes, "x\x00\x00\xff\xff", 5);
        cw__inflater_destroy(i);
    }
}

/* ---- Bombs, memory ---- */

static size_t heap_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* 1 MiB that expands to 1 GiB of zeros: the output comes one buffer at a time. No buffer needs more memory than the
 * first one. */
static void test_bomb(void)
{
    const size_t gib = (size_t)1 << 30;
    cw__inflater *i = cw__inflater_create(&defaults);
    cw__deflater *d = cw__deflater_create(&defaults);
    uint8_t *zeros = calloc(1, 1 << 20), *bomb = malloc(ROOM_BYTES + (ROOM_BYTES >> 3));
    uint8_t buffer[BUFFER_BYTES];
    size_t len = 0, total = 0, before = 0;
    cw__piece piece = {.opcode = CW__OP_BINARY, .rsv = 4, .is_final = true};

    for (size_t n = 0; n < gib >> 20; n++) { /* one message, flushed in parts */
        bool is_done = false;
        cw__deflater_take(d, zeros, 1 << 20);
        while (!is_done)
            len += cw__deflater_give(d, bomb + len, BUFFER_BYTES, n + 1 == gib >> 20, &is_done);
    }
    cw__deflater_destroy(d);
    CHECK(len < 1100 * 1024);
    piece.data = bomb;
    piece.len_bytes = len;
    CHECK(cw__inflater_take(i, &piece));
    do {
        CHECK_INT(cw__inflater_give(i, buffer, sizeof buffer, &piece), CW__INFLATE_PIECE);
        if (total == 0) /* zlib's state is allocated now */
            before = heap_bytes();
        total += piece.len_bytes;
    } while (!piece.is_final);
    CHECK_INT(total, gib);
    CHECK(HARNESS_IS_SANITIZED || heap_bytes() == before);
    cw__inflater_destroy(i);
    free(zeros);
    free(bomb);
}

/* docs/compression.md has this table. The numbers are KiB, rounded up, with zlib 1.2.13. Each row runs in a process of its
 * own, because freed memory does not show at once. */
static const struct {
    uint8_t bits;
    size_t inflate_kib, deflate_kib;
} memory[] = {{8, 8, 11},   {9, 8, 11},   {10, 9, 15},   {11, 10, 23},
              {12, 12, 39}, {13, 16, 71}, {14, 24, 135}, {15, 40, 263}};

static void check_memory(size_t row)
{
    static uint8_t text[300000];
    cw__compression terms = {.is_on = true, .server_bits = memory[row].bits, .client_bits = memory[row].bits};
    uint8_t buffer[BUFFER_BYTES];
    size_t before, with_deflate, with_both;
    bool is_done = false;
    cw__deflater *d;
    cw__inflater *i;

    (void)make_text(text, sizeof text);
    is_kept = false;
    begin();
    before = heap_bytes();
    d = cw__deflater_create(&terms);
    with_deflate = heap_bytes();
    i = cw__inflater_create(&terms);
    cw__deflater_take(d, text, sizeof text);
    while (!is_done) {
        uint8_t first = out.len_bytes ? 0 : 0x41;
        size_t len = cw__deflater_give(d, buffer, sizeof buffer, true, &is_done);
        CHECK(feed_frame(i, (uint8_t)(first | (is_done ? 0x80 : 0)), buffer, len, SIZE_MAX, BUFFER_BYTES));
    }
    CHECK_BYTES(out.data, out.len_bytes, text, sizeof text);
    with_both = heap_bytes();
    printf("# %2u bits: %6zu bytes to deflate, %6zu to inflate\n", memory[row].bits, with_deflate - before,
           with_both - with_deflate);
    if (!HARNESS_IS_SANITIZED) {
        /* zlib's versions differ slightly */
        CHECK(with_deflate - before <= memory[row].deflate_kib * 1024 * 9 / 8);
        CHECK(with_both - with_deflate <= memory[row].inflate_kib * 1024 * 9 / 8);
    }
    cw__deflater_destroy(d);
    cw__inflater_destroy(i);
}

static void test_memory_8(void) { check_memory(0); }
static void test_memory_9(void) { check_memory(1); }
static void test_memory_10(void) { check_memory(2); }
static void test_memory_11(void) { check_memory(3); }
static void test_memory_12(void) { check_memory(4); }
static void test_memory_13(void) { check_memory(5); }
static void test_memory_14(void) { check_memory(6); }
static void test_memory_15(void) { check_memory(7); }

/* ---- Deflating ---- */

/* Sends parts of a message through both ends and compares. size_bytes: of the buffer. */
static void pass(cw__deflater *d, cw__inflater *i, const uint8_t *data, size_t len_bytes, size_t part_bytes,
                 size_t size_bytes)
{
    uint8_t buffer[BUFFER_BYTES], first = 0x41;
    size_t done = 0;

    begin();
    do {
        size_t part = len_bytes - done < part_bytes ? len_bytes - done : part_bytes;
        bool ends = done + part == len_bytes, is_done = false;
        cw__deflater_take(d, data + done, part);
        while (!is_done) {
            size_t len = cw__deflater_give(d, buffer, size_bytes, ends, &is_done);
            CHECK(feed_frame(i, (uint8_t)(first | (ends && is_done ? 0x80 : 0)), buffer, len, SIZE_MAX,
                             BUFFER_BYTES));
            first = 0;
        }
        done += part;
        CHECK_INT(out.len_bytes, done); /* each part can be read at once */
    } while (done < len_bytes);
    CHECK(out.is_complete);
    CHECK_BYTES(out.data, out.len_bytes, data, len_bytes);
}

static void test_round_trips(void)
{
    static uint8_t text[40000];
    static const size_t lengths[] = {0, 1, 5, 125, 4000, sizeof text}, parts[] = {1000, 7, SIZE_MAX},
                        sizes[] = {16, 17, 100, BUFFER_BYTES};

    (void)make_text(text, sizeof text);
    for (unsigned n = 0; n < 8 * 2; n++) {
        cw__compression terms = {.is_on = true, .server_bits = (uint8_t)(8 + n / 2), .server_resets = n & 1};
        cw__deflater *d;
        cw__inflater *i;
        terms.client_bits = terms.server_bits;
        terms.client_resets = terms.server_resets;
        d = cw__deflater_create(&terms);
        i = cw__inflater_create(&terms);
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (size_t p = 0; p < sizeof parts / sizeof *parts; p++)
                for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
                    if (parts[p] > 7 || lengths[l] < 1000)
                        pass(d, i, text, lengths[l], parts[p], sizes[s]);
        cw__deflater_destroy(d);
        cw__inflater_destroy(i);
    }
}

/* No reference reaches beyond the agreed window: zlib's inflate with that window accepts the data. */
static void test_windows(void)
{
    static uint8_t text[80000];
    uint8_t *data = malloc(ROOM_BYTES), *back = malloc(ROOM_BYTES);

    (void)make_text(text, sizeof text);
    for (int bits = 8; bits <= 15; bits++) {
        cw__compression terms = {.is_on = true, .client_bits = (uint8_t)bits};
        cw__deflater *d = cw__deflater_create(&terms);
        z_stream z = {0};
        bool is_done = false;
        size_t period = ((size_t)1 << bits) + 20; /* the repeated data is farther back than the window */
        for (size_t n = period; n < sizeof text; n++)
            text[n] = text[n - period];
        cw__deflater_take(d, text, sizeof text);
        z.next_in = data;
        z.avail_in = (uInt)cw__deflater_give(d, data, ROOM_BYTES, false, &is_done);
        CHECK(is_done);
        CHECK_INT(inflateInit2(&z, -bits), Z_OK);
        z.next_out = back;
        do { /* one byte at a time, because zlib would use data it has just written, which is more than the window */
            z.avail_out = 1;
            CHECK_INT(inflate(&z, Z_SYNC_FLUSH), Z_OK);
        } while (z.total_out < sizeof text);
        CHECK_BYTES(back, z.total_out, text, sizeof text);
        (void)inflateEnd(&z);
        cw__deflater_destroy(d);
    }
    free(data);
    free(back);
}

static void test_takeover(void)
{
    static const char text[] = "a message that comes again and again";
    uint8_t first[100], second[100];
    cw__compression terms = defaults;
    bool is_done;

    for (int resets = 0; resets < 2; resets++) {
        size_t lens[3];
        cw__deflater *d;
        terms.client_resets = resets;
        d = cw__deflater_create(&terms);
        for (int n = 0; n < 3; n++) {
            cw__deflater_take(d, text, sizeof text);
            lens[n] = cw__deflater_give(d, n ? second : first, sizeof first, true, &is_done);
            if (n == 1) /* the second part was not sent, so the third must not refer to the second */
                cw__deflater_forget(d);
        }
        CHECK(resets ? lens[1] == lens[0] : lens[1] < 12);
        CHECK_BYTES(second, lens[2], first, lens[0]);
        cw__deflater_destroy(d);
    }
}

/* ---- Without memory ---- */

static bool without_memory(void *unused)
{
    cw__inflater *i = cw__inflater_create(&defaults);
    cw__deflater *d = cw__deflater_create(&defaults);
    uint8_t buffer[64];
    cw__piece piece = {.data = (const uint8_t *)"\xf2\x48\xcd\xc9\xc9\x07\x00",
                       .len_bytes = 7,
                       .opcode = 1,
                       .rsv = 4,
                       .is_final = true};
    bool is_good = false;

    (void)unused;
    if (i && d) {
        cw__inflate_result result;
        CHECK(cw__inflater_take(i, &piece));
        result = cw__inflater_give(i, buffer, 3, &piece);
        is_good = result == CW__INFLATE_PIECE && cw__inflater_keep(i);
        CHECK(result == CW__INFLATE_PIECE || result == CW__INFLATE_NO_MEMORY);
    }
    cw__inflater_destroy(i);
    cw__deflater_destroy(d);
    return is_good;
}

static void test_no_memory(void) { each_allocation_fails(without_memory, NULL); }

/* After the first message, no message allocates memory. */
static void test_steady(void)
{
    static uint8_t text[40000];
    cw__deflater *d = cw__deflater_create(&defaults);
    cw__inflater *i = cw__inflater_create(&defaults);

    is_kept = false;
    (void)make_text(text, sizeof text);
    pass(d, i, text, sizeof text, SIZE_MAX, BUFFER_BYTES);
    for (int n = 0; n < 100; n++) {
        cw__alloc_fail_at(0);
        pass(d, i, text, sizeof text, SIZE_MAX, BUFFER_BYTES);
    }
    cw__alloc_fail_at(-1);
    cw__deflater_destroy(d);
    cw__inflater_destroy(i);
}

static const harness_test tests[] = {
    {"RFC 7692 7.2.3: the examples", test_examples},
    {"RFC 7692 7.2.3.4: a last block", test_last_block},
    {"RFC 7692 7.1.1: no context takeover", test_no_takeover},
    {"deflate: every type of block, at every size of input and output", test_blocks},
    {"deflate: fragments cut at every byte", test_splits},
    {"RFC 7692 6.1, 7.2.3.1: which frames are compressed", test_frames},
    {"deflate: corrupt data", test_corrupt},
    {"a block that ends in the tail, in outputs of every size", test_tail_as_data},
    {"deflate: a bomb costs a buffer", test_bomb},
    {"deflate: memory, 8 bits", test_memory_8},
    {"deflate: memory, 9 bits", test_memory_9},
    {"deflate: memory, 10 bits", test_memory_10},
    {"deflate: memory, 11 bits", test_memory_11},
    {"deflate: memory, 12 bits", test_memory_12},
    {"deflate: memory, 13 bits", test_memory_13},
    {"deflate: memory, 14 bits", test_memory_14},
    {"deflate: memory, 15 bits", test_memory_15},
    {"deflate: round trips with every window, with and without takeover", test_round_trips},
    {"RFC 7692 7.1.2: no reference beyond the window", test_windows},
    {"deflate: takeover, and forgetting", test_takeover},
    {"deflate: each allocation fails once", test_no_memory},
    {"deflate: no allocation in the steady state", test_steady},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of deflate.c by single calls: input that is kept, and the choice of zlib's strategy. test_deflate.c tests whole
 * messages. */
#include "harness.h"

#include "protocol/protocol.h"

static const cw__compression defaults = {.is_on = true, .server_bits = 15, .client_bits = 15};

/* Unused input is copied once. Without unused input, and for a copy that fits, there is no allocation. */
static void test_keep(void)
{
    static const uint8_t source[] = "\x00\x05\x00\xfa\xffHello\x00";
    static uint8_t low[sizeof source]; /* below the heap, where the copy is; the other one is above it */
    uint8_t high[sizeof source], byte;
    cw__inflater *i = cw__inflater_create(&defaults);
    cw__piece out_piece;

    cw__alloc_fail_at(0);
    CHECK(cw__inflater_keep(i)); /* there is no piece */
    cw__alloc_fail_at(-1);
    for (int message = 0; message < 3; message++) {
        uint8_t *data = message == 1 ? low : high;
        cw__piece piece = {
            .data = data, .len_bytes = sizeof source - 1, .opcode = 1, .rsv = 4, .is_final = true};
        memcpy(data, source, sizeof source);
        CHECK(cw__inflater_take(i, &piece));
        for (int n = 0; n < 5; n++) {
            CHECK_INT(cw__inflater_give(i, &byte, 1, &out_piece), CW__INFLATE_PIECE);
            CHECK_INT(byte, "Hello"[n]);
            cw__alloc_fail_at(message == 0 && n == 0 ? -1 : 0);
            CHECK(cw__inflater_keep(i));
            cw__alloc_fail_at(-1);
            memset(data, 0x55, sizeof source);
        }
        while (cw__inflater_has_more(i))
            CHECK(cw__inflater_give(i, &byte, 1, &out_piece) <= CW__INFLATE_DRY);
        cw__alloc_fail_at(0);
        CHECK(cw__inflater_keep(i));
        cw__alloc_fail_at(-1);
    }
    cw__inflater_destroy(i);
}

/* A repeat gives output after its input has been used up. Then there is nothing to copy. */
static void test_keep_nothing(void)
{
    static uint8_t text[1000], data[100];
    cw__deflater *d = cw__deflater_create(&defaults);
    size_t len;
    bool is_done, is_found = false;

    cw__deflater_take(d, text, sizeof text);
    len = cw__deflater_give(d, data, sizeof data, true, &is_done);
    cw__deflater_destroy(d);
    /* The shortest beginning of the data that gives 100 bytes is used up by then. */
    for (size_t n = 1; n < len && !is_found; n++) {
        cw__inflater *i = cw__inflater_create(&defaults);
        cw__piece piece = {
            .data = data, .len_bytes = n, .remaining = len - n, .opcode = 1, .rsv = 4, .is_final = true};
        uint8_t byte;
        int count = 0;
        CHECK(cw__inflater_take(i, &piece));
        while (count < 100 && cw__inflater_has_more(i))
            count += cw__inflater_give(i, &byte, 1, &piece) == CW__INFLATE_PIECE;
        is_found = cw__inflater_has_more(i);
        cw__alloc_fail_at(0);
        CHECK(!is_found || cw__inflater_keep(i));
        cw__alloc_fail_at(-1);
        cw__inflater_destroy(i);
    }
    CHECK(is_found);
}

/* A window of 512 bytes or more finds data that repeats every 100 bytes. */
static void test_short_window(void)
{
    uint8_t text[1000], data[2000];

    for (size_t n = 0; n < sizeof text; n++)
        text[n] = (uint8_t)(n % 100 * 37);
    for (int bits = 9; bits <= 15; bits++) {
        cw__compression terms = {.is_on = true, .client_bits = (uint8_t)bits};
        cw__deflater *d = cw__deflater_create(&terms);
        bool is_done;
        cw__deflater_take(d, text, sizeof text);
        CHECK(cw__deflater_give(d, data, sizeof data, true, &is_done) < 300 && is_done);
        cw__deflater_destroy(d);
    }
}

static const harness_test tests[] = {
    {"deflate: unused input is copied once", test_keep},
    {"deflate: no copy without unused input", test_keep_nothing},
    {"deflate: short repeats are found in every window but the smallest", test_short_window},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

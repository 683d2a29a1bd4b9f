/* SPDX-License-Identifier: MIT */
/* Tests of utf8.c. The reference works the other way round: it encodes every code point and records which byte
 * sequences are characters and which are the start of one. Everything else is bad. */
#include "harness.h"

enum { IS_CHARACTER = 1, IS_BEGINNING = 2, LONGEST = 96 };

static uint8_t of_1[1 << 8], of_2[1 << 16], of_3[1 << 24];

static size_t encode(uint32_t point, uint8_t out[4])
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (uint8_t)(0xc0 + point / 64);
        out[1] = (uint8_t)(0x80 + point % 64);
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (uint8_t)(0xe0 + point / 4096);
        out[1] = (uint8_t)(0x80 + point / 64 % 64);
        out[2] = (uint8_t)(0x80 + point % 64);
        return 3;
    }
    out[0] = (uint8_t)(0xf0 + point / 262144);
    out[1] = (uint8_t)(0x80 + point / 4096 % 64);
    out[2] = (uint8_t)(0x80 + point / 64 % 64);
    out[3] = (uint8_t)(0x80 + point % 64);
    return 4;
}

static uint8_t *entry(const uint8_t *bytes, size_t count)
{
    size_t index = 0;

    for (size_t i = 0; i < count; i++)
        index = index << 8 | bytes[i];
    return count == 1 ? &of_1[index] : count == 2 ? &of_2[index] : &of_3[index];
}

static void make_reference(void)
{
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        uint8_t bytes[4];
        size_t count;

        if (point >= 0xd800 && point <= 0xdfff)
            continue;
        count = encode(point, bytes);
        for (size_t i = 1; i < count; i++)
            *entry(bytes, i) |= IS_BEGINNING;
        if (count < 4)
            *entry(bytes, count) |= IS_CHARACTER;
    }
}

static bool is_character_of_4(const uint8_t *bytes)
{
    uint8_t again[4];
    uint32_t point = (uint32_t)(bytes[0] & 7) << 18 | (uint32_t)(bytes[1] & 63) << 12 |
                     (uint32_t)(bytes[2] & 63) << 6 | (bytes[3] & 63);
    return point >= 0x10000 && point <= 0x10ffff && encode(point, again) == 4 && memcmp(bytes, again, 4) == 0;
}

/* Returns the index of the first bad byte, or count. *is_complete tells whether it ends between characters. */
static size_t reference(const uint8_t *bytes, size_t count, bool *is_complete)
{
    size_t begin = 0;

    *is_complete = false;
    for (size_t i = 0; i < count; i++) {
        size_t length = i + 1 - begin;
        uint8_t is = length < 4                         ? *entry(bytes + begin, length)
                     : is_character_of_4(bytes + begin) ? IS_CHARACTER
                                                        : 0;
        if (is & IS_CHARACTER)
            begin = i + 1;
        else if (!(is & IS_BEGINNING))
            return i;
    }
    *is_complete = begin == count;
    return count;
}

__attribute__((noreturn)) static void complain(const uint8_t *bytes, size_t count, const char *what)
{
    char text[3 * LONGEST + 1] = "";

    for (size_t i = 0; i < count && i < LONGEST; i++)
        (void)snprintf(text + 3 * i, 4, "%02x ", bytes[i]);
    HARNESS_FAIL("%s: %s", what, text);
}

/* Feeds the bytes in parts. Bit i of cuts means a cut before byte i + 1. */
static void feed_cut(const uint8_t *bytes, size_t count, unsigned cuts, size_t bad, bool is_complete)
{
    cw__utf8 u = {0};
    size_t begin = 0;

    for (size_t end = 1; end <= count; end++) {
        bool is_good;

        if (end < count && !(cuts >> (end - 1) & 1))
            continue;
        is_good = cw__utf8_feed(&u, bytes + begin, end - begin);
        if (is_good != (bad >= end))
            complain(bytes, count, is_good ? "a bad byte was taken" : "a good byte was refused");
        if (!is_good)
            return;
        begin = end;
    }
    if (cw__utf8_complete(&u) != is_complete)
        complain(bytes, count, "wrong about being complete");
}

static void feed_every_way(const uint8_t *bytes, size_t count)
{
    uint8_t padded[4 + 9];
    bool is_complete;
    size_t bad = reference(bytes, count, &is_complete);

    for (unsigned cuts = 0; cuts < 1u << (count - 1); cuts++)
        feed_cut(bytes, count, cuts, bad, is_complete);
    memcpy(padded, bytes, count); /* the padding makes the text long enough for the fast path */
    memset(padded + count, 'a', 9);
    if (cw__utf8_valid(padded, count + 9) != (bad == count && is_complete))
        complain(padded, count + 9, "wrong verdict");
}

static void every_sequence(size_t count, unsigned lead_from, unsigned lead_to)
{
    uint8_t bytes[3];
    long tried = 0;
    unsigned rests = 1u << 8 * (count - 1);

    for (unsigned lead = lead_from; lead < lead_to; lead++) {
        for (unsigned rest = 0; rest < rests; rest++, tried++) {
            bytes[0] = (uint8_t)lead;
            bytes[1] = (uint8_t)(count == 3 ? rest >> 8 : rest);
            bytes[2] = (uint8_t)rest;
            feed_every_way(bytes, count);
        }
    }
    CHECK_INT(tried, (long)(lead_to - lead_from) * (long)rests);
}

static void test_every_1_and_2(void)
{
    every_sequence(1, 0, 256);
    every_sequence(2, 0, 256);
}

static void test_every_3_a(void) { every_sequence(3, 0x00, 0x40); }
static void test_every_3_b(void) { every_sequence(3, 0x40, 0x80); }
static void test_every_3_c(void) { every_sequence(3, 0x80, 0xc2); }
static void test_every_3_d(void) { every_sequence(3, 0xc2, 0xe0); }
static void test_every_3_e(void) { every_sequence(3, 0xe0, 0x100); }

/* Texts that are long enough for the automaton, which reads 32 bytes at a time. The character is at the start of such a
 * run, across its end, and after a character that its end cuts. */
static void feed_in_runs(const uint8_t *bytes, size_t count, bool is_good)
{
    static const uint8_t filler[] = {0xf0, 0x9f, 0x98, 0x80};
    enum { RUN = 32 };
    uint8_t text[3 * RUN];

    for (size_t at = 0; at <= RUN + 2; at += at == 0 ? RUN - 2 : 2) {
        memset(text, 'a', sizeof text);
        if (at > 0)
            memcpy(text + at - sizeof filler, filler, sizeof filler);
        memcpy(text + at, bytes, count);
        if (cw__utf8_valid(text, sizeof text) != is_good)
            complain(text, sizeof text, "wrong verdict");
    }
}

/* The bytes at which a rule begins or ends, in all four places. */
static void test_sampled_4(void)
{
    static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
                                    0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0,
                                    0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfb, 0xfc, 0xfe, 0xff};
    const size_t n = sizeof edges;
    size_t tried = 0;

    for (; tried < n * n * n * n; tried++) {
        uint8_t bytes[4] = {edges[tried % n], edges[tried / n % n], edges[tried / n / n % n],
                            edges[tried / n / n / n]};
        bool is_complete;
        size_t bad = reference(bytes, 4, &is_complete);
        feed_every_way(bytes, 4);
        feed_in_runs(bytes, 4, bad == 4 && is_complete);
    }
    CHECK_INT(tried, n * n * n * n);
}

static void test_every_point(void)
{
    uint32_t point;

    for (point = 0; point < 0x110000; point++) {
        uint8_t bytes[4];
        size_t count = encode(point, bytes);
        bool is_surrogate = point >= 0xd800 && point <= 0xdfff;

        if (cw__utf8_valid(bytes, count) == is_surrogate)
            complain(bytes, count, "wrong verdict");
        feed_in_runs(bytes, count, !is_surrogate);
    }
    CHECK_INT(point, 0x110000);
}

/* A bad or cut character anywhere in ASCII text, which takes the fast path, and among wide characters. */
static void in_the_middle(const char *filler, size_t filler_bytes)
{
    static const char *const samples[] = {"\x80",     "\xc3",         "\xc3\xa9",         "\xe2\x82\xac",
                                          "\xe2\x82", "\xed\xa0\x80", "\xf0\x9f\x98\x80", "\xf0\x9f\x98",
                                          "\xff",     "\xc0\x80",     "\xf4\x90\x80\x80"};
    uint8_t bytes[LONGEST];

    for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
        size_t length = strlen(samples[s]);

        for (size_t at = 0; at + length <= LONGEST; at += filler_bytes) {
            bool is_complete;
            size_t bad;

            memset(bytes, 'z', LONGEST); /* fills the bytes that the filler does not reach */
            for (size_t i = 0; i < at; i++)
                bytes[i] = (uint8_t)filler[i % filler_bytes];
            for (size_t i = 0; i < (LONGEST - at - length) / filler_bytes * filler_bytes; i++)
                bytes[at + length + i] = (uint8_t)filler[i % filler_bytes];
            memcpy(bytes + at, samples[s], length);
            bad = reference(bytes, LONGEST, &is_complete);
            CHECK_INT(cw__utf8_valid(bytes, LONGEST), bad == LONGEST && is_complete);
            for (size_t cut = 0; cut <= LONGEST; cut++) {
                cw__utf8 u = {0};
                bool is_good = cw__utf8_feed(&u, bytes, cut);
                CHECK_INT(is_good, bad >= cut);
                if (is_good)
                    CHECK_INT(cw__utf8_feed(&u, bytes + cut, LONGEST - cut), bad == LONGEST);
            }
        }
    }
}

static void test_in_the_middle(void)
{
    in_the_middle("a", 1);
    in_the_middle("\xc3\xa9", 2);
    in_the_middle("\xf0\x9f\x98\x80", 4);
}

static void test_nothing(void)
{
    cw__utf8 u = {0};

    CHECK(cw__utf8_valid(NULL, 0));
    CHECK(cw__utf8_feed(&u, "\xe2", 1));
    CHECK(cw__utf8_feed(&u, NULL, 0));
    CHECK(!cw__utf8_complete(&u));
    CHECK(cw__utf8_feed(&u, "\x82\xac", 2));
    CHECK(cw__utf8_complete(&u));
}

static const harness_test tests[] = {
    {"RFC 6455 8.1: every sequence of one and two bytes", test_every_1_and_2},
    {"RFC 6455 8.1: every sequence of three bytes, lead 00..3f", test_every_3_a},
    {"RFC 6455 8.1: every sequence of three bytes, lead 40..7f", test_every_3_b},
    {"RFC 6455 8.1: every sequence of three bytes, lead 80..c1", test_every_3_c},
    {"RFC 6455 8.1: every sequence of three bytes, lead c2..df", test_every_3_d},
    {"RFC 6455 8.1: every sequence of three bytes, lead e0..ff", test_every_3_e},
    {"RFC 6455 8.1: sequences of four bytes at the edges of the rules", test_sampled_4},
    {"RFC 3629 3: every code point, and no surrogate", test_every_point},
    {"RFC 6455 8.1: a bad or cut character anywhere in a longer text", test_in_the_middle},
    {"no bytes change nothing", test_nothing},
};

int main(int argc, char **argv)
{
    make_reference();
    return HARNESS_MAIN(argc, argv, tests);
}

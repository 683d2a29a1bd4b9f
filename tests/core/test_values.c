/* SPDX-License-Identifier: MIT */
/* Tests of values.c: the bytes of numbers, GUIDs and texts. */
#include "harness.h"

static void test_numbers(void)
{
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 0xf8};
    uint8_t out[9];

    CHECK(cw_number_read(bytes, 1, CW_BIG_ENDIAN) == 1);
    CHECK(cw_number_read(bytes, 2, CW_BIG_ENDIAN) == 0x0102);
    CHECK(cw_number_read(bytes, 2, CW_LITTLE_ENDIAN) == 0x0201);
    CHECK(cw_number_read(bytes, 8, CW_BIG_ENDIAN) == UINT64_C(0x01020304050607f8));
    CHECK(cw_number_read(bytes, 8, CW_LITTLE_ENDIAN) == UINT64_C(0xf807060504030201));
    for (size_t size = 1; size <= 8; size++) {
        for (int order = CW_LITTLE_ENDIAN; order <= CW_BIG_ENDIAN; order++) {
            memset(out, 0xaa, sizeof out);
            cw_number_write(out, size, (cw_byte_order)order, cw_number_read(bytes, size, (cw_byte_order)order));
            CHECK(memcmp(out, bytes, size) == 0);
            CHECK_INT(out[size], 0xaa);
        }
    }
    cw_number_write(out, 2, CW_BIG_ENDIAN, 0x12345);
    CHECK(out[0] == 0x23 && out[1] == 0x45);
}

/* The example of Microsoft's GUID: 00112233-4455-6677-8899-aabbccddeeff. */
static void test_guid(void)
{
    static const uint8_t big[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    static const uint8_t little[] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
                                     0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    uint8_t guid[CW_GUID_BYTES];

    memcpy(guid, big, sizeof guid);
    cw_guid_arrange(guid, CW_BIG_ENDIAN);
    CHECK(memcmp(guid, big, sizeof guid) == 0);
    cw_guid_arrange(guid, CW_LITTLE_ENDIAN);
    CHECK(memcmp(guid, little, sizeof guid) == 0);
    cw_guid_arrange(guid, CW_LITTLE_ENDIAN);
    CHECK(memcmp(guid, big, sizeof guid) == 0);
}

/* The same text in each encoding: the first and the last character of each length, and those beside the surrogates. */
static const char utf8[] = "a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"
                           "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf";
static const char utf16be[] = "\0a\0\x7f\0\x80\x07\xff\x08\0\xd7\xff\xe0\0\xff\xff"
                              "\xd8\0\xdc\0\xdb\xff\xdf\xff";

static void check_convert(cw_encoding from, const char *text, size_t len, cw_encoding to, const char *wanted,
                          size_t wanted_len)
{
    size_t out_bytes, bad;
    char *exact = malloc(len), *out = malloc(wanted_len),
         *less = malloc(wanted_len - 1); /* a sanitizer reports an access beyond them */

    CHECK(exact != NULL && out != NULL && less != NULL);
    memcpy(exact, text, len);
    CHECK(cw_text_convert(from, exact, len, to, NULL, 0, &out_bytes, &bad));
    CHECK_INT(out_bytes, wanted_len);
    CHECK(cw_text_convert(from, exact, len, to, less, wanted_len - 1, &out_bytes, &bad));
    CHECK_INT(out_bytes, wanted_len);
    CHECK(cw_text_convert(from, exact, len, to, out, wanted_len, &out_bytes, &bad));
    CHECK_INT(out_bytes, wanted_len);
    CHECK(memcmp(out, wanted, wanted_len) == 0);
    free(exact);
    free(out);
    free(less);
}

static void test_texts(void)
{
    const char *texts[3] = {utf8, NULL, utf16be};
    size_t lengths[3] = {sizeof utf8 - 1, sizeof utf16be - 1, sizeof utf16be - 1}, out_bytes, bad;
    char utf16le[sizeof utf16be - 1];

    for (size_t i = 0; i < sizeof utf16le; i++)
        utf16le[i] = utf16be[i ^ 1];
    texts[CW_ENCODING_UTF16LE] = utf16le;
    check_convert(CW_ENCODING_UTF16BE, "\0a", 2, CW_ENCODING_UTF8, "a", 1); /* ends with a single unit */
    for (int from = 0; from < 3; from++) {
        for (int to = 0; to < 3; to++)
            check_convert((cw_encoding)from, texts[from], lengths[from], (cw_encoding)to, texts[to],
                          lengths[to]);
        CHECK(cw_text_convert((cw_encoding)from, NULL, 0, CW_ENCODING_UTF8, NULL, 0, &out_bytes, &bad));
        CHECK_INT(out_bytes, 0);
    }
}

static void test_bad_texts(void)
{
    static const struct {
        cw_encoding encoding;
        const char *text;
        size_t len, bad;
    } texts[] = {
        {CW_ENCODING_UTF8, "ab\xff", 3, 2},
        {CW_ENCODING_UTF8, "a\x80", 2, 1},
        {CW_ENCODING_UTF8, "\xc1\xbf", 2, 0},
        {CW_ENCODING_UTF8, "\xe0\x9f\xbf", 3, 0},
        {CW_ENCODING_UTF8, "\xf0\x8f\xbf\xbf", 4, 0},
        {CW_ENCODING_UTF8, "\xed\xa0\x80", 3, 0},
        {CW_ENCODING_UTF8, "\xed\xbf\xbf", 3, 0},
        {CW_ENCODING_UTF8, "\xf4\x90\x80\x80", 4, 0},
        {CW_ENCODING_UTF8, "\xf8\x88\x80\x80\x80", 5, 0},
        {CW_ENCODING_UTF8, "a\xe2\x82", 3, 1},
        {CW_ENCODING_UTF8, "\xe2\x82z", 3, 0},
        {CW_ENCODING_UTF16BE, "\0a\0", 3, 2},
        {CW_ENCODING_UTF16BE, "\0a\xd8\0", 4, 2},
        {CW_ENCODING_UTF16BE, "\xd8\0\xd8\0", 4, 0},
        {CW_ENCODING_UTF16BE, "\xd8\0\xe0\0", 4, 0},
        {CW_ENCODING_UTF16BE, "\xdc\0\xdc\0", 4, 0},
        {CW_ENCODING_UTF16BE, "\xd8\0\xdb\xff", 4, 0},
        {CW_ENCODING_UTF16LE, "a\0\0\xdc", 4, 2},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (int to = 0; to < 3; to++) {
            size_t out_bytes = 99, bad = 99;
            char *exact = malloc(texts[i].len), out[16];
            CHECK(exact != NULL);
            memcpy(exact, texts[i].text, texts[i].len);
            CHECK(!cw_text_convert(texts[i].encoding, exact, texts[i].len, (cw_encoding)to, out, sizeof out,
                                   &out_bytes, &bad));
            CHECK_INT(out_bytes, 0);
            CHECK_INT(bad, texts[i].bad);
            free(exact);
        }
    }
}

static const harness_test tests[] = {
    {"numbers of 1 to 8 bytes in both orders", test_numbers},
    {"a GUID in both orders", test_guid},
    {"a text in three encodings", test_texts},
    {"a text that is not valid", test_bad_texts},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

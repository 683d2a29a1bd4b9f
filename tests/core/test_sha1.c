/* SPDX-License-Identifier: MIT */
/* Tests of sha1.c: SHA-1 and base64. */
#include "harness.h"

static void expect_sha1(const void *data, size_t len_bytes, const char *wanted)
{
    uint8_t digest[20];
    char text[41] = "";

    cw__sha1(data, len_bytes, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    CHECK_STR(text, wanted);
}

static void test_sha1_vectors(void)
{
    static char many[1000000];

    memset(many, 'a', sizeof many);
    expect_sha1("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect_sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    expect_sha1(NULL, 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect_sha1(many, sizeof many, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

/* Padding changes at 55, 56 and 64 bytes. This hashes the hashes of all lengths up to 200. */
static void test_sha1_lengths(void)
{
    static uint8_t digests[201 * 20];
    uint8_t data[200];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + 1);
    for (size_t n = 0; n <= sizeof data; n++)
        cw__sha1(data, n, digests + 20 * n);
    expect_sha1(digests, sizeof digests, "2002bd1c15bf88eb87c8352720e5f83a250d3cfb");
}

static void expect_base64(const char *data, size_t len_bytes, const char *wanted)
{
    char out[64];

    memset(out, '!', sizeof out);
    cw__base64((const uint8_t *)data, len_bytes, out);
    CHECK_STR(out, wanted);
    CHECK_INT(strlen(out), 4 * ((len_bytes + 2) / 3));
}

static void test_base64(void)
{
    expect_base64("", 0, "");
    expect_base64("f", 1, "Zg==");
    expect_base64("fo", 2, "Zm8=");
    expect_base64("foo", 3, "Zm9v");
    expect_base64("foob", 4, "Zm9vYg==");
    expect_base64("fooba", 5, "Zm9vYmE=");
    expect_base64("foobar", 6, "Zm9vYmFy");
    expect_base64("\xff\xff\xfe\xfb\xff\xff", 6, "///++///");
    expect_base64("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10", 16,
                  "AQIDBAUGBwgJCgsMDQ4PEA==");
    /* bytes after the data do not affect the result */
    expect_base64("f\xff\xff", 1, "Zg==");
    expect_base64("fo\xff", 2, "Zm8=");
}

static void test_accept(void)
{
    static const char text[] = "dGhlIHNhbXBsZSBub25jZQ=="
                               "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[20];
    char accept[29];

    cw__sha1(text, sizeof text - 1, digest);
    cw__base64(digest, sizeof digest, accept);
    CHECK_STR(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static const harness_test tests[] = {
    {"RFC 3174 7.3: the sample digests", test_sha1_vectors},
    {"RFC 3174 4: the padding at every length", test_sha1_lengths},
    {"RFC 4648 10: the sample texts, and every kind of ending", test_base64},
    {"RFC 6455 1.3: the sample key and its accept value", test_accept},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of sha256.c. */
#include "harness.h"

static void expect_sha256(const void *data, size_t len_bytes, const char *wanted)
{
    uint8_t digest[32];
    char text[65] = "";

    cw__sha256(data, len_bytes, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    CHECK_STR(text, wanted);
}

static void test_vectors(void)
{
    static char many[1000000];

    memset(many, 'a', sizeof many);
    expect_sha256("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_sha256(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_sha256(many, sizeof many, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* Padding changes at 55, 56 and 64 bytes. This hashes the hashes of all lengths up to 200. */
static void test_lengths(void)
{
    static uint8_t digests[201 * 32];
    uint8_t data[200];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + 1);
    for (size_t n = 0; n <= sizeof data; n++)
        cw__sha256(data, n, digests + 32 * n);
    expect_sha256(digests, sizeof digests, "a762260eaf7d0bf0f3e5c702dd2bc7de18bb629df9cad5b668d384084812f4f8");
}

static const harness_test tests[] = {
    {"FIPS 180-4: vectors", test_vectors},
    {"lengths around a block", test_lengths},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of random.c, as far as randomness can be tested: all of a buffer is filled, never twice the same. */
#include "harness.h"

static void test_differs(void)
{
    uint8_t a[32], b[32];

    CHECK(cw__random(a, sizeof a));
    CHECK(cw__random(b, sizeof b));
    CHECK(memcmp(a, b, sizeof a) != 0);
}

/* Of 100,000 bytes every value is expected 390 times; that one is missing, or comes 1,000 times, is less likely
 * than a broken machine. The last bytes differ from what was there in one of eight fills at least. */
static void test_all_of_it(void)
{
    static uint8_t many[100001];
    size_t counts[256] = {0};
    bool is_end_filled = false;

    for (int i = 0; i < 8; i++) {
        memset(many, 0xa5, sizeof many);
        CHECK(cw__random(many, sizeof many - 1));
        CHECK_INT(many[sizeof many - 1], 0xa5); /* and not a byte more */
        is_end_filled = is_end_filled || many[sizeof many - 2] != 0xa5;
    }
    CHECK(is_end_filled);
    for (size_t i = 0; i < sizeof many - 1; i++)
        counts[many[i]]++;
    for (size_t i = 0; i < 256; i++)
        CHECK(counts[i] > 0 && counts[i] < 1000);
}

static void test_nothing(void) { CHECK(cw__random(NULL, 0)); }

static const harness_test tests[] = {
    {"RFC 6455 5.3: two draws differ", test_differs},
    {"a large buffer is filled to its end", test_all_of_it},
    {"no bytes are no error", test_nothing},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

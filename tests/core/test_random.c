/* SPDX-License-Identifier: MIT */
/* Tests of random.c, as far as randomness can be tested: all of a buffer is filled, never twice the same. */
#include "harness.h"

#ifdef __linux__
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#endif

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

#ifdef __linux__
/* A sandbox, or a kernel, without getrandom: the device serves; and if that is out of reach, it is said so. */
static void test_without_call(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
    struct rlimit limit, none;
    uint8_t a[32] = {0}, b[32] = {0};

    CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_INT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
    CHECK_INT(syscall(SYS_getrandom, a, sizeof a, 0), -1);
    for (int i = 0; i < 2000; i++) /* a descriptor left open each time would not last */
        CHECK(cw__random(i % 2 ? a : b, sizeof a));
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK(!cw__random(a, sizeof a));
    CHECK(cw__random(a, 0));
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
#endif

static const harness_test tests[] = {
    {"RFC 6455 5.3: two draws differ", test_differs},
    {"a large buffer is filled to its end", test_all_of_it},
    {"no bytes are no error", test_nothing},
#ifdef __linux__
    {"without getrandom the device serves", test_without_call},
#endif
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

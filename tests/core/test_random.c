/* SPDX-License-Identifier: MIT */
/* Tests of random.c, as far as randomness can be tested: the whole buffer is filled, and never twice with the same
 * bytes. */
#include "harness.h"

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#endif

/* Returns whether a number consists of the bits of the clock, as cw_random_number makes it without a generator. The factor
 * undoes its multiplication. */
static bool is_clock(uint64_t number, int64_t since_us)
{
    uint64_t us = number * UINT64_C(0xf1de83e19937733d);

    return us >= (uint64_t)since_us && us <= (uint64_t)cw__now_us();
}

static void test_numbers(void)
{
    int64_t now_us = cw__now_us();

    CHECK(cw_random_number() != cw_random_number());
    CHECK(!is_clock(cw_random_number(), now_us));
    CHECK(cw_now_ms() >= now_us / 1000 && cw_now_ms() <= cw__now_ms());
}

static void test_differs(void)
{
    uint8_t a[32], b[32];

    CHECK(cw__random(a, sizeof a));
    CHECK(cw__random(b, sizeof b));
    CHECK(memcmp(a, b, sizeof a) != 0);
}

/* In 100,000 bytes each value is expected 390 times. A broken machine is more likely than a missing value, or a value
 * that comes 1,000 times. The last bytes differ from the old ones in at least one of eight fills. */
static void test_all_of_it(void)
{
    static uint8_t many[100001];
    size_t counts[256] = {0};
    bool is_end_filled = false;

    for (int i = 0; i < 8; i++) {
        memset(many, 0xa5, sizeof many);
        CHECK(cw__random(many, sizeof many - 1));
        CHECK_INT(many[sizeof many - 1], 0xa5); /* the byte beyond the end is unchanged */
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
/* In a sandbox, or on a kernel without getrandom, the device is read instead. If that fails too, the call fails. */
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
    int64_t now_us = cw__now_us();

    CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_INT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
    CHECK_INT(syscall(SYS_getrandom, a, sizeof a, 0), -1);
    for (int i = 0; i < 2000; i++) /* descriptors would run out if each call left one open */
        CHECK(cw__random(i % 2 ? a : b, sizeof a));
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK(!cw__random(a, sizeof a));
    CHECK(cw__random(a, 0));
    CHECK(is_clock(cw_random_number(), now_us));
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
#endif

#ifdef __linux__
/* Replaces the system calls of the core. The next step of a script is a number of bytes, or -errno. Without a script,
 * the system's function runs. A call that succeeds does not change errno. */
typedef struct call_step {
    int result;          /* NO_MORE ends a script */
    size_t wanted_bytes; /* size that the core must request */
} call_step;

enum { NO_MORE = 99 };

static const call_step *by_call, *by_device;

static ssize_t next_step(const call_step **script, void *buffer, size_t len_bytes)
{
    static int letter;
    const call_step step = *(*script)++;

    CHECK(step.result != NO_MORE);
    CHECK_INT(len_bytes, step.wanted_bytes);
    if (step.result > 0)
        memset(buffer, 'a' + letter++ % 26, (size_t)step.result);
    errno = step.result < 0 ? -step.result : EINTR;
    return step.result < 0 ? -1 : step.result;
}

ssize_t getrandom(void *buffer, size_t len_bytes, unsigned flags)
{
    if (!by_call)
        return syscall(SYS_getrandom, buffer, len_bytes, flags);
    CHECK_INT(flags, 0);
    return next_step(&by_call, buffer, len_bytes);
}

ssize_t read(int fd, void *buffer, size_t len_bytes)
{
    if (!by_device)
        return syscall(SYS_read, fd, buffer, len_bytes);
    CHECK(fd >= 0);
    CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
    return next_step(&by_device, buffer, len_bytes);
}

#define SCRIPT(name, ...)                                             \
    do {                                                              \
        static const call_step steps[] = {__VA_ARGS__, {NO_MORE, 0}}; \
        (name) = steps;                                               \
    } while (0)

/* Fills 10 bytes and checks them. All steps of both scripts must have been used. */
static void fill(bool is_good, const char *wanted)
{
    char got[12] = "..........!";
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

    CHECK(before >= 0 && close(before) == 0);
    CHECK_INT(cw__random(got, 10), is_good);
    CHECK_STR(got, wanted);
    CHECK_INT(by_call->result, NO_MORE);
    CHECK(!by_device || by_device->result == NO_MORE);
    after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_INT(after, before); /* no descriptor stays open */
    CHECK_INT(close(after), 0);
}

/* The system call may return part of the bytes, or be interrupted. The device provides the missing bytes, and may also
 * return only part of them or be interrupted. */
static void test_in_parts(void)
{
    SCRIPT(by_call, {10, 10});
    fill(true, "aaaaaaaaaa!");
    SCRIPT(by_call, {4, 10}, {-EINTR, 6}, {3, 6}, {3, 3});
    fill(true, "bbbbcccddd!");
    SCRIPT(by_call, {1, 10}, {9, 9});
    fill(true, "efffffffff!");
    SCRIPT(by_call, {4, 10}, {0, 6});
    SCRIPT(by_device, {2, 6}, {-EINTR, 4}, {1, 4}, {3, 3});
    fill(true, "gggghhijjj!");
    SCRIPT(by_call, {-EPERM, 10});
    SCRIPT(by_device, {9, 10}, {1, 1});
    fill(true, "kkkkkkkkkl!");
    SCRIPT(by_call, {-ENOSYS, 10});
    SCRIPT(by_device, {5, 10}, {0, 5});
    fill(false, "mmmmm.....!");
    SCRIPT(by_call, {-ENOSYS, 10});
    SCRIPT(by_device, {-EIO, 10});
    fill(false, "..........!");
    SCRIPT(by_call, {-ENOSYS, 10});
    SCRIPT(by_device, {10, 10});
    CHECK_INT(close(0), 0); /* the device's descriptor may be 0 */
    fill(true, "nnnnnnnnnn!");
}

/* Without a descriptor for the device, nothing is read. */
static void test_no_descriptor(void)
{
    struct rlimit limit, none;
    char got[4] = "";

    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = (struct rlimit){0, limit.rlim_max};
    SCRIPT(by_call, {-ENOSYS, 4});
    SCRIPT(by_device, {4, 4});
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK(!cw__random(got, sizeof got));
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_INT(by_device->result, 4);
}
#endif

static const harness_test tests[] = {
    {"RFC 6455 5.3: two draws differ", test_differs},
    {"numbers for delays are not the clock", test_numbers},
    {"a large buffer is filled to its end", test_all_of_it},
    {"no bytes are no error", test_nothing},
#ifdef __linux__
    {"without getrandom the device is read", test_without_call},
    {"draws in parts, interrupted and cut short", test_in_parts},
    {"no descriptor for the device", test_no_descriptor},
#endif
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of sessions that run out of descriptors, at each place that opens one. The error says so, and nothing stays
 * open. When descriptors are available again, everything works again. */
#include "peer.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static char uri[PEER_URI_BYTES];

/* ---- The limit ---- */

static void limit_to(rlim_t count)
{
    struct rlimit limit;

    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Fills all holes below the highest open descriptor and returns the number above it. A limit that is n higher leaves n
 * descriptors. */
static rlim_t fill_holes(void)
{
    int fd, highest = 2;

    for (fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            highest = fd;
    while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) <= highest)
        CHECK(fd >= 0);
    (void)close(fd);
    return (rlim_t)highest + 1;
}

static pthread_barrier_t is_limited;

typedef void *(*body_call)(void *);

static void *run_limited(void *body)
{
    (void)pthread_barrier_wait(&is_limited);
    return (*(body_call *)body)(NULL);
}

/* Runs a body with 0, 1, 2, ... available descriptors, each time in a new thread, until it succeeds. */
static void each_descriptor_fails(body_call body)
{
    void *got_through = NULL;
    int failures = 0, before;
    pthread_t thread;
    rlim_t base;

    /* a first run without a limit, because some descriptors are kept for good */
    CHECK_INT(pthread_create(&thread, NULL, body, NULL), 0);
    CHECK_INT(pthread_join(thread, &got_through), 0);
    CHECK(got_through != NULL);
    base = fill_holes();
    before = descriptor_count();
    CHECK_INT(pthread_barrier_init(&is_limited, NULL, 2), 0);
    for (rlim_t spare = 0; spare == 0 || !got_through; spare++) {
        /* a sanitizer may need a descriptor for a new thread */
        CHECK_INT(pthread_create(&thread, NULL, run_limited, &body), 0);
        limit_to(base + spare);
        (void)pthread_barrier_wait(&is_limited);
        CHECK_INT(pthread_join(thread, &got_through), 0);
        limit_to(RLIM_INFINITY);
        CHECK_INT(descriptor_count(), before);
        failures += !got_through;
    }
    CHECK(failures >= 4);
}

static bool is_good(cw_status status)
{
    if (status == CW_OK)
        return true;
    CHECK_STATUS(status, CW_SYSTEM_ERROR);
    CHECK_HAS(cw_error_message(), "ulimit -n");
    CHECK_INT(cw_error_os_errno(), EMFILE);
    return false;
}

/* ---- A session ---- */

static bool converse(cw_socket *s)
{
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "text", 4, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_UTF8, "text", 4);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_DEFAULT, NULL), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    return true;
}

static void *session(void *unused)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_mailbox *m = NULL;
    const char *ca_file = peer_env("CW_CA_FILE");
    bool got_through;

    (void)unused;
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, ca_file, strlen(ca_file)), CW_OK);
    got_through = is_good(cw_mailbox_create(&m)) && is_good(cw_socket_subscribe(s, m, CW_EVENT_CLOSED)) &&
                  is_good(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT)) && converse(s);
    cw_mailbox_release(m);
    cw_socket_release(s);
    cw_shutdown(5000);
    return got_through ? uri : NULL;
}

static void test_plain(void)
{
    (void)strcpy(uri, peer_script("echo/end"));
    each_descriptor_fails(session);
}

static void test_tls(void)
{
    (void)strcpy(uri, peer_script_tls("echo/end"));
    each_descriptor_fails(session);
}

/* The same socket connects when descriptors are available again. */
static void test_again(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_status status = CW_OK;

    limit_to(fill_holes());
    (void)strcpy(uri, peer_script("echo/end"));
    for (int i = 0; i < 3; i++) {
        status = peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT);
        CHECK(!is_good(status));
        CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    }
    limit_to(RLIM_INFINITY);
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK(converse(s));
    peer_finish(s);
}

/* Depending on libcurl, a look-up needs a descriptor, or the multi handle needs one before the look-up begins. */
static void test_name(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET), *other = peer_socket(CW_MESSAGE_SOCKET);

    /* such a socket shares no multi */
    CHECK_STATUS(cw_socket_set_number(other, CW_OPT_FRAMING, CW_FRAMING_CURL), CW_OK);
    peer_connect(other, peer_script("echo/end")); /* the service thread has its descriptors already */
    limit_to(fill_holes());
    CHECK(peer_try_connect(s, "ws://name.invalid/", CW_TIMEOUT_DEFAULT) != CW_OK);
    CHECK_HAS(cw_error_message(), "ulimit -n");
    limit_to(RLIM_INFINITY);
    CHECK(converse(other));
    cw_socket_release(other);
    peer_finish(s);
}

/* ---- Waiting ---- */

enum { LARGE_BYTES = 3000 * 1000 };

static cw_socket *open_socket;
static atomic_bool is_last;
static uint8_t large[LARGE_BYTES];

/* In a thread that has no wake-up descriptor yet, and cannot get one. */
static void *wait_without(void *unused)
{
    cw_event *e = NULL;
    size_t len;

    CHECK_STATUS(cw_socket_receive(open_socket, 1, &e), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_send(open_socket, CW_BINARY, large, sizeof large, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_receive(open_socket, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    (void)cw_event_data(e, &len);
    CHECK_INT(len, sizeof large);
    cw_event_free(e);
    atomic_store(&is_last, true);
    CHECK_STATUS(cw_socket_receive(open_socket, CW_TIMEOUT_NEVER, &e), CW_CLOSED);
    return unused;
}

static void test_waiting(void)
{
    pthread_t thread;
    int before;

    open_socket = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    (void)fill_holes();
    before = descriptor_count();
    limit_to(fill_holes());
    CHECK_INT(pthread_create(&thread, NULL, wait_without, NULL), 0);
    UNTIL(atomic_load(&is_last) && peer_is_blocked(open_socket));
    CHECK_STATUS(cw_socket_close_start(open_socket, 1000, NULL, 0), CW_OK);
    CHECK_INT(pthread_join(thread, NULL), 0);
    limit_to(RLIM_INFINITY);
    CHECK_INT(descriptor_count(), before);
    peer_finish(open_socket);
}

/* ---- Random bytes ---- */

/* Makes the kernel refuse getrandom in this process, as an old kernel or a sandbox does. */
static void refuse_getrandom(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof code / sizeof code[0], .filter = code};
    uint8_t byte;

    CHECK_INT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_INT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
    CHECK_INT(getrandom(&byte, 1, 0), -1);
}

static void test_random(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    uint8_t byte;

    refuse_getrandom();
    CHECK(cw__random(&byte, 1)); /* the device works instead */
    limit_to(fill_holes());
    CHECK_STATUS(peer_try_connect(s, peer_script("echo/end"), CW_TIMEOUT_DEFAULT), CW_SYSTEM_ERROR);
    CHECK_HAS(cw_error_message(), "/dev/urandom");
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    limit_to(RLIM_INFINITY);
    peer_finish(s);
}

static const harness_test tests[] = {
    {"no descriptor: a session", test_plain},
    {"no descriptor: a session over TLS", test_tls},
    {"no descriptor: the socket connects later", test_again},
    {"no descriptor: a name", test_name},
    {"no descriptor: a call that waits", test_waiting},
    {"no descriptor: random bytes", test_random},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

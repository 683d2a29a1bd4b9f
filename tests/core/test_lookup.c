/* SPDX-License-Identifier: MIT */
/* Tests of name look-ups. A look-up that never ends delays only its own connect, and changes of ca_file meanwhile are
 * noticed. This file replaces getaddrinfo, also for a static libcurl. */
#include "process.h"
#include "raw_peer.h"
#include "transport/transport.h"

#include <dlfcn.h>
#include <netdb.h>

static atomic_int held_count, may_go;
static int thread_count_before;

typedef int (*look_up)(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);

/* Delays the look-up of names that begin with "held" until the test lets them go. Then they mean this machine. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **found)
{
    look_up real;

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (!node || strncmp(node, "held", 4) != 0)
        return real(node, service, hints, found);
    (void)atomic_fetch_add(&held_count, 1);
    while (!atomic_load(&may_go))
        (void)poll(NULL, 0, 1);
    return real("127.0.0.1", service, hints, found);
}

static void let_go(void)
{
    atomic_store(&may_go, 1);
    if (!UNDER_TSAN) /* ThreadSanitizer adds a thread of its own after the first */
        UNTIL(thread_count() == thread_count_before); /* a leak checker would miss a running thread's memory */
}

/* Starts a connect and waits until its look-up is held. Returns NULL if the time of the connect was over before. */
static cw_socket *start_held(const char *scheme, const char *ca_file, int timeout_ms)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *port =
        strrchr(strcmp(scheme, "ws") == 0 ? peer_env("CW_SCRIPT_WS") : peer_env("CW_SCRIPT_WSS"), ':');
    char uri[PEER_URI_BYTES];

    (void)snprintf(uri, sizeof uri, "%s://held.example%s/s/echo/end", scheme, port);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, ca_file, strlen(ca_file)), CW_OK);
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), timeout_ms), CW_OK);
    UNTIL(atomic_load(&held_count) > 0 || cw_socket_state(s) != CW_STATE_CONNECTING);
    if (atomic_load(&held_count) > 0)
        return s;
    cw_socket_release(s);
    return NULL;
}

/* If the service or cw_shutdown waited for the look-up, this test would not end. */
static void hangs(const char *scheme)
{
    cw_socket *other, *s = NULL;

    thread_count_before = thread_count();
    other = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));
    for (int timeout_ms = 100; !s; timeout_ms *= 2)
        s = start_held(scheme, peer_env("CW_CA_FILE"), timeout_ms);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_CONNECT_FAILED);
    cw_socket_release(s);
    CHECK_STATUS(cw_socket_ping(other, CW_TIMEOUT_DEFAULT, NULL),
                 CW_OK); /* the service thread is not blocked */
    CHECK_STATUS(cw_socket_close_start(other, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(other, 1000, true);
    peer_finish(other);
    let_go();
}

static void test_hangs(void) { hangs("ws"); }
static void test_hangs_tls(void) { hangs("wss"); }

/* libcurl reads ca_file after the look-up. Only that connect trusts the authorities in the file at that time. */
static void test_switched_file(void)
{
    char path[64], other[PEER_URI_BYTES];
    cw_socket *s;

    (void)snprintf(path, sizeof path, "/tmp/curlwire-%ld.pem", (long)getpid());
    (void)snprintf(other, sizeof other, "%s/other-ca.pem", peer_env("CW_TLS_FOLDER"));
    CHECK_INT(symlink(other, path), 0);
    thread_count_before = thread_count();
    s = start_held("wss", path, CW_TIMEOUT_NEVER);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(symlink(peer_env("CW_CA_FILE"), path), 0);
    atomic_store(&may_go, 1);
    /* the certificate is for another name */
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), "another name");
    cw_socket_release(s);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(symlink(other, path), 0);
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, path, strlen(path)), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_script_tls("echo/end"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), "authority");
    CHECK_INT(unlink(path), 0);
    peer_finish(s);
    let_go();
}

static const harness_test tests[] = {
    {"a look-up that hangs delays no other socket", test_hangs},
    {"a look-up that hangs delays no other socket, with TLS", test_hangs_tls},
    {"a ca_file that is replaced for a while", test_switched_file},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of link.c: which connections it takes over from libcurl. A connection that libcurl keeps works as well. */
#include <sys/resource.h>

#include "gate.h"
#include "process.h"

static void converse(cw_socket *s)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "one", 3, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, "one", 3);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    cw_socket_release(s);
}

static cw_socket *open_with(int64_t framing, const char *script)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *uri = peer_script("%s", script);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, framing), CW_OK);
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_OK);
    return s;
}

static void test_which(void)
{
    static const struct {
        int64_t framing;
        const char *script;
        bool is_ours;
    } rows[] = {
        {CW_FRAMING_AUTO, "echo/end", true},
        {CW_FRAMING_AUTO, LIBCURLS, false},
        {CW_FRAMING_CURL, "echo/end", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw_socket *s = open_with(rows[i].framing, rows[i].script);
        CHECK_INT(pool_of(s) == NULL, rows[i].is_ours);
        converse(s);
    }
    cw_shutdown(5000);
}

/* The first connection also opens what the service thread, the C library and the kept multi handle need. */
static void test_descriptors(void)
{
    enum { COUNT = 20 };
    cw_socket *sockets[COUNT];
    int one = 0;

    for (int i = 0; i < COUNT; i++) {
        sockets[i] = open_with(CW_FRAMING_AUTO, "echo/end");
        if (i == 0)
            one = descriptor_count();
    }
    CHECK_INT(descriptor_count(), one + COUNT - 1);
    for (int i = 0; i < COUNT; i++)
        converse(sockets[i]);
    UNTIL(descriptor_count() < one);
    cw_shutdown(5000);
}

static rlim_t limit_descriptors(rlim_t count)
{
    struct rlimit limit;
    rlim_t before;

    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    before = limit.rlim_cur;
    limit.rlim_cur = count;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

/* The limit comes into force between the request and the reply. */
static void test_no_descriptor(void)
{
    raw_peer p = {.s = peer_socket(CW_MESSAGE_SOCKET)};
    int listener = raw_listen(p.uri), yes = 1;
    rlim_t before;
    size_t len;

    CHECK_STATUS(cw_socket_connect_start(p.s, p.uri, strlen(p.uri), CW_TIMEOUT_DEFAULT), CW_OK);
    p.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(p.fd >= 0 && setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
    (void)close(listener);
    len = raw_make_reply(&p);
    before = limit_descriptors(3);
    raw_write(&p, p.buffer, len);
    CHECK_STATUS(cw_socket_wait_connected(p.s, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK(pool_of(p.s) != NULL);
    (void)limit_descriptors(before);
    RAW_SEND(&p, "\x81\x02hi");
    CHECK_MESSAGE(p.s, CW_UTF8, "hi", 2);
    CHECK_STATUS(cw_socket_send(p.s, CW_BINARY, "two", 3, CW_TIMEOUT_DEFAULT), CW_OK);
    RAW_EXPECT(&p, CW__OP_BINARY, "two", 3);
    raw_end(&p);
    CHECK_CLOSED(p.s, 1006, false);
    cw_socket_release(p.s);
    cw_shutdown(5000);
}

/* In the child, the parent's connection is closed, so the server sees the end as soon as the parent ends it. */
static cw_socket *inherited;

static void child(void) { CHECK_STATUS(cw_socket_close_start(inherited, 1000, NULL, 0), CW_AFTER_FORK); }

static void test_fork(void)
{
    inherited = open_with(CW_FRAMING_AUTO, "echo/end");
    hold_service(); /* the fork must not come in the middle of a step */
    CHECK_INT(status_of_child(child), 0);
    let_service_go();
    CHECK(pool_of(inherited) == NULL);
    converse(inherited);
    cw_shutdown(5000);
}

static const harness_test tests[] = {
    {"a plain connection is taken over, unless libcurl holds bytes or makes the frames", test_which},
    {"a connection that was taken over has one descriptor", test_descriptors},
    {"without another descriptor, the connection stays libcurl's", test_no_descriptor},
    {"after fork, the connection is the parent's", test_fork},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

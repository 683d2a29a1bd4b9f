/* SPDX-License-Identifier: MIT */
/* Tests of link.c: which connections it takes over from libcurl (on Linux only). A connection that libcurl keeps works as
 * well. */
#include <errno.h>
#include <fcntl.h>

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
    UNTIL(descriptor_count() <= one); /* a thread that had to poll keeps a descriptor for it (life.c) */
    cw_shutdown(5000);
}

/* Those that connect share a multi handle, which each leaves when it is open. */
static void test_together(void)
{
    enum { COUNT = 24 };
    cw_socket *sockets[COUNT];
    const char *uri = peer_script("echo/end");

    hold_service();
    for (int i = 0; i < COUNT; i++) {
        sockets[i] = peer_socket(CW_MESSAGE_SOCKET);
        CHECK_STATUS(cw_socket_connect_start(sockets[i], uri, strlen(uri), CW_TIMEOUT_DEFAULT), CW_OK);
    }
    let_service_go();
    for (int i = 0; i < COUNT; i++) {
        CHECK_STATUS(cw_socket_wait_connected(sockets[i], CW_TIMEOUT_DEFAULT), CW_OK);
        CHECK(pool_of(sockets[i]) == NULL);
        converse(sockets[i]);
    }
    cw_shutdown(5000);
}

static int inherited;

static void child(void) { CHECK(fcntl(inherited, F_GETFD) < 0 && errno == EBADF); }

static void test_fork(void)
{
    cw_socket *s = open_with(CW_FRAMING_AUTO, "echo/end");

    inherited = (int)LOCKED(s, s->fd);
    hold_service(); /* the fork must not come in the middle of a step */
    CHECK_INT(status_of_child(child), 0);
    let_service_go();
    CHECK(pool_of(s) == NULL);
    converse(s);
    cw_shutdown(5000);
}

static const harness_test tests[] = {
    {"a plain connection is taken over, unless libcurl holds bytes or makes the frames", test_which},
    {"a connection that was taken over has one descriptor", test_descriptors},
    {"24 that connect at once are all taken over", test_together},
    {"after fork, the child has closed the connection", test_fork},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of reach_settings.c, and of the controls of reach.c as a program in C sets them. tests/python/test_reaching.py and
 * tests/faults/test_reaching.py test what the controls do. */
#include "peer.h"
#include "process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Connects to the scripted server, as a program does. */
static int connected(void)
{
    const char *port = strrchr(peer_env("CW_SCRIPT_WS"), ':') + 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Returns the URI of a script, with a host that has no address. */
static const char *nowhere(const char *script)
{
    static char uri[PEER_URI_BYTES];

    (void)snprintf(uri, sizeof uri, "ws://nowhere.invalid%s", strstr(script, "/s/"));
    return uri;
}

static void echo(cw_socket *s)
{
    cw_event *e = NULL;
    size_t len;

    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "hello", 5, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    CHECK(memcmp(cw_event_data(e, &len), "hello", 5) == 0 && len == 5);
    cw_event_free(e);
}

static void test_given(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    int fd = connected();
    char text[64];

    CHECK_INT(setenv("ws_proxy", "http://127.0.0.1:1", 1), 0);
    CHECK_STATUS(cw_socket_set_connected_socket(s, fd), CW_OK);
    (void)close(fd); /* the core has a copy */
    CHECK_STATUS(peer_try_connect(s, nowhere(peer_script("echo")), CW_TIMEOUT_DEFAULT), CW_OK);
    echo(s);
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_REMOTE_ADDRESS, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, peer_env("CW_SCRIPT_WS") + strlen("ws://"));
    CHECK_STATUS(cw_socket_set_connected_socket(s, -1), CW_INVALID_STATE);
    peer_finish(s);
}

static void test_given_once(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    int fd = connected();

    CHECK_STATUS(cw_socket_set_connected_socket(s, fd), CW_OK);
    (void)close(fd);
    CHECK_STATUS(peer_try_connect(s, "ws://[::1", CW_TIMEOUT_DEFAULT),
                 CW_INVALID_ARGUMENT); /* does not use it */
    CHECK_STATUS(peer_try_connect(s, "wss://nowhere.invalid/", CW_TIMEOUT_DEFAULT),
                 CW_CONNECT_FAILED); /* no TLS there */
    CHECK_STATUS(peer_try_connect(s, peer_script("echo"), CW_TIMEOUT_DEFAULT), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "the last connect has used the connection that the program gave");
    CHECK_STATUS(cw_socket_set_connected_socket(s, -1), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_script("echo"), CW_TIMEOUT_DEFAULT), CW_OK);
    echo(s);
    peer_finish(s);
}

/* Every copy is closed, whatever becomes of it. */
static void test_copies(void)
{
    int fd = connected(), before = socket_count();
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_connected_socket(s, fd), CW_OK);
    CHECK_INT(socket_count(), before + 1);
    CHECK_STATUS(cw_socket_set_connected_socket(s, fd), CW_OK); /* takes the place of the last */
    CHECK_INT(socket_count(), before + 1);
    CHECK_STATUS(cw_socket_set_connected_socket(s, -1), CW_OK);
    CHECK_INT(socket_count(), before);
    CHECK_STATUS(cw_socket_set_connected_socket(s, fd), CW_OK);
    cw_socket_release(s); /* never connected */
    CHECK_INT(socket_count(), before);
    (void)close(fd);
}

static void test_bad_descriptors(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    int unconnected = socket(AF_INET, SOCK_STREAM, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK_STATUS(cw_socket_set_connected_socket(s, unconnected), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "is not connected: connect it to the server first");
    CHECK_STATUS(cw_socket_set_connected_socket(s, datagram), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "is not a stream socket");
    CHECK_STATUS(cw_socket_set_connected_socket(s, 0), CW_INVALID_ARGUMENT); /* no socket */
    CHECK_STATUS(cw_socket_set_connected_socket(s, 99999), CW_INVALID_ARGUMENT);
    (void)close(unconnected);
    (void)close(datagram);
    peer_finish(s);
}

static void set(cw_socket *s, cw_option option, const char *value)
{
    CHECK_STATUS(cw_socket_set_text(s, option, value, strlen(value)), CW_OK);
}

static void test_texts(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *port = strrchr(peer_env("CW_SCRIPT_WS"), ':') + 1;
    char lines[128], text[128], uri[PEER_URI_BYTES];

    (void)snprintf(lines, sizeof lines, "other.test:1:::1\nscript.test:%s:127.0.0.1", port);
    set(s, CW_OPT_RESOLVE, lines);
    set(s, CW_OPT_CURL_OPTIONS, "TCP_FASTOPEN=1\nIPRESOLVE=1");
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_RESOLVE, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, lines);
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_CURL_OPTIONS, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, "TCP_FASTOPEN=1\nIPRESOLVE=1");
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CURL_OPTIONS, "IPRESOLVE=1\nVERBOSE=1", 21), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_RESOLVE, "a:1:::1\n\nb:1:::1", 16), CW_INVALID_ARGUMENT);
    (void)snprintf(uri, sizeof uri, "ws://script.test:%s%s", port, strstr(peer_script("echo"), "/s/"));
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_OK);
    echo(s);
    peer_finish(s);
}

/* Each allocation of a connect with these controls fails once. */
static void test_no_memory(void)
{
    cw_status status = CW_NO_MEMORY;
    long count = 0;

    for (; status == CW_NO_MEMORY; count++) {
        cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
        const char *uri = peer_script("echo");
        set(s, CW_OPT_RESOLVE, "a:1:::1\nb:1:::1");
        set(s, CW_OPT_CONNECT_TO, "a:1:b:2");
        set(s, CW_OPT_CURL_OPTIONS, "HAPROXY_CLIENT_IP=192.0.2.1");
        cw__alloc_fail_at(count);
        status = cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT);
        cw__alloc_fail_at(-1);
        cw_socket_abort(s);
        cw_socket_release(s);
    }
    CHECK_STATUS(status, CW_OK);
    CHECK(count > 5);
    cw_shutdown(5000);
}

int main(int argc, char **argv)
{
    static const harness_test tests[] = {
        {"a connection of the program", test_given},
        {"a connection serves one connect", test_given_once},
        {"copies of a descriptor", test_copies},
        {"descriptors that are no connections", test_bad_descriptors},
        {"texts and pairs", test_texts},
        {"no memory", test_no_memory},
    };

    return HARNESS_MAIN(argc, argv, tests);
}

/* SPDX-License-Identifier: MIT */
/* Tests of connect.c: the ways from new to open and back, many connects at once, cancelling, the deadline, and the
 * calls that each state allows. test_handshake.c tests which replies the handshake accepts. */
#include "peer.h"

static void test_information(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *uri = peer_script("echo");
    char text[256];

    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    CHECK_STATUS(cw_socket_wait_connected(s, 0), CW_OK);
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_URI, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, uri);
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_LOCAL_ADDRESS, text, sizeof text, NULL), CW_OK);
    CHECK_HAS(text, "127.0.0.1:");
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_REMOTE_ADDRESS, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, peer_env("CW_SCRIPT_WS") + strlen("ws://"));
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_RESPONSE_HEADERS, text, sizeof text, NULL), CW_OK);
    CHECK_HAS(text, "Sec-WebSocket-Accept: ");                          /* the reply can still be read */
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_OK); /* CW_OK, because the socket was open */
    peer_finish(s);
}

static void test_refused_port(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_mailbox *m = NULL;
    cw_event *e = NULL;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENTS_ALL), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_REFUSED_WS"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_CannotConnect);
    CHECK_INT(cw_error_curl_code(), 7);
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_CONNECT_FAILED);
    cw_event_free(e);
    /* no closed event, because the socket was never open */
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_wait_connected(s, 0), CW_CONNECT_FAILED); /* the details can still be read */
    CHECK_INT(cw_error_web_status(), CW_WEB_CannotConnect);
    /* the socket can connect again */
    CHECK_STATUS(peer_try_connect(s, peer_script("echo"), CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_wait_connected(s, 0), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_CONNECTED);
    cw_event_free(e);
    cw_socket_release(s);
    cw_mailbox_release(m);
    cw_shutdown(5000);
}

static void test_no_name(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(peer_try_connect(s, "ws://no-such-host.invalid/", CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_HostNameNotResolved);
    peer_finish(s);
}

static void test_wrong_order(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_event *e;

    CHECK_STATUS(cw_socket_wait_connected(s, 0), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_send_fragment(s, FRAGMENT_OF(CW_BINARY, "a", 1), NULL, false, 0), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_flush(s, 0), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_ping(s, 0, NULL), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_receive(s, 0, &e), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_try_receive(s, &e), CW_WOULD_BLOCK);
    CHECK_STATUS(cw_socket_wait_closed(s, 0), CW_OK); /* returns at once, because the socket was never open */
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    cw_socket_release(s);
    s = peer_socket(CW_STREAM_SOCKET);
    CHECK_STATUS(cw_socket_read(s, (char[1]){0}, 1, 0, (size_t[1]){0}), CW_INVALID_STATE);
    cw_socket_release(s);
}

/* The URI ends at its length. */
static void test_length_of_uri(void)
{
    static const char uri[] = "ws://127.0.0.1:1/\0 and more";
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_connect(s, uri, sizeof uri - 1, 1000), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "the URI contains NUL");
    CHECK_STATUS(cw_socket_connect(s, NULL, 0, 1000), CW_INVALID_ARGUMENT);
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    CHECK_STATUS(cw_socket_connect(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    peer_finish(s);
}

static void test_never_connected(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
    CHECK_STATUS(peer_try_connect(s, "ws://127.0.0.1/", 1000), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_wait_connected(s, 0), CW_INVALID_STATE); /* the socket was never open */
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 0), CW_CLOSED);
    CHECK_STATUS(cw_socket_ping(s, 0, NULL), CW_CLOSED);
    cw_socket_release(s);
}

static void test_second(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));

    CHECK_STATUS(peer_try_connect(s, peer_uri, 1000), CW_INVALID_STATE);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_NO_DELAY, 0), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, "x", 1), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_set_request_header(s, "A", 1, "b", 1), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_MESSAGE_TYPE, CW_UTF8), CW_OK); /* message_type may change */
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 1000), CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, "a", 1);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_uri, 1000), CW_INVALID_STATE);
    peer_finish(s);
}

static void many(const char *steps, bool is_tls)
{
    enum { COUNT = 200, TLS_COUNT = 20 };
    static cw_socket *sockets[COUNT];
    size_t count = is_tls ? TLS_COUNT : COUNT;

    for (size_t i = 0; i < count; i++) {
        const char *uri = is_tls ? peer_script_tls("%s", steps) : peer_script("%s", steps);
        sockets[i] = peer_socket(CW_MESSAGE_SOCKET);
        (void)cw_socket_set_text(sockets[i], CW_OPT_CA_FILE, peer_env("CW_CA_FILE"),
                                 strlen(peer_env("CW_CA_FILE")));
        CHECK_STATUS(cw_socket_connect_start(sockets[i], uri, strlen(uri), CW_TIMEOUT_DEFAULT), CW_OK);
    }
    for (size_t i = 0; i < count; i++)
        CHECK_STATUS(cw_socket_wait_connected(sockets[i], CW_TIMEOUT_NEVER), CW_OK);
    for (size_t i = 0; i < count; i++) {
        CHECK_STATUS(cw_socket_send(sockets[i], CW_BINARY, &i, sizeof i, CW_TIMEOUT_DEFAULT), CW_OK);
        CHECK_MESSAGE(sockets[i], CW_BINARY, &i, sizeof i);
    }
    for (size_t i = 0; i < count; i++)
        cw_socket_release(sockets[i]);
    cw_shutdown(10000);
}

static void test_many(void) { many("echo", false); }
static void test_many_tls(void) { many("echo", true); }

/* A listening socket that never accepts: the kernel connects, but no server answers. */
static int silent_listener(char uri[64])
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_INT(listen(fd, 16), 0);
    CHECK_INT(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(uri, 64, "ws://127.0.0.1:%d/", ntohs(at.sin_port));
    return fd;
}

static void test_deadline(void)
{
    char uri[64];
    int listener = silent_listener(uri);
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(peer_try_connect(s, uri, 50), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
    CHECK_HAS(cw_error_message(), "0.05 s");
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_CONNECT_TIMEOUT, 60), CW_OK);
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), "0.06 s");
    CHECK_STATUS(peer_try_connect(s, uri, 0), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_NEVER), CW_OK);
    CHECK_STATUS(cw_socket_wait_connected(s, 20), CW_TIMED_OUT);
    CHECK_INT(cw_socket_state(s), CW_STATE_CONNECTING);
    peer_finish(s);
    (void)close(listener);
}

typedef struct waiter {
    cw_socket *s;
    cw_status status;
    int web_status;
} waiter;

static void *wait_connected(void *arg)
{
    waiter *w = arg;

    w->status = cw_socket_wait_connected(w->s, CW_TIMEOUT_NEVER);
    w->web_status = cw_error_web_status();
    return NULL;
}

static void cancel_by(void (*cancel)(cw_socket *s), cw_state then)
{
    char uri[64];
    int listener = silent_listener(uri);
    waiter w = {.s = peer_socket(CW_MESSAGE_SOCKET)};
    pthread_t thread;

    CHECK_STATUS(cw_socket_connect_start(w.s, uri, strlen(uri), CW_TIMEOUT_NEVER), CW_OK);
    CHECK_INT(pthread_create(&thread, NULL, wait_connected, &w), 0);
    UNTIL(peer_is_blocked(w.s));
    CHECK_STATUS(cw_socket_connect_start(w.s, uri, strlen(uri), 0), CW_INVALID_STATE); /* connecting already */
    cancel(w.s);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_STATUS(w.status, CW_CONNECT_FAILED);
    CHECK_INT(w.web_status, CW_WEB_OperationCanceled);
    CHECK_STATUS(cw_socket_wait_closed(w.s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK_INT(cw_socket_state(w.s), then);
    peer_finish(w.s);
    (void)close(listener);
}

static void by_close(cw_socket *s) { CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK); }
static void by_abort(cw_socket *s) { cw_socket_abort(s); }
static void by_shutdown(cw_socket *s) { (void)s, cw_shutdown(0); }

static void test_cancel_by_close(void) { cancel_by(by_close, CW_STATE_CLOSED); }
static void test_cancel_by_abort(void) { cancel_by(by_abort, CW_STATE_CLOSED); }
static void test_cancel_by_shutdown(void) { cancel_by(by_shutdown, CW_STATE_CLOSED); }

/* wait_closed must not return before the state is closed. Right after a close there is no thread that waits. */
static void test_cancel_and_look(void)
{
    char uri[64];
    int listener = silent_listener(uri);

    for (int i = 0; i < 200; i++) {
        cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
        CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_NEVER), CW_OK);
        CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
        CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
        CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
        cw_socket_release(s);
    }
    cw_shutdown(5000);
    (void)close(listener);
}

static void test_release(void)
{
    char uri[64];
    int listener = silent_listener(uri);
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_NEVER), CW_OK);
    cw_socket_release(s);         /* the socket ends a moment later, which the count of blocks shows */
    UNTIL(cw__alloc_live() <= 4); /* the service's own: the heap of timers, two pollers, the table of one */
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_NEVER), CW_OK);
    cw_socket_release(s);
    cw_shutdown(5000);
    (void)close(listener);
}

static bool interrupt(void *asked)
{
    ++*(int *)asked;
    return true;
}

/* Ctrl-C: cw_socket_connect cancels the connect; cw_socket_wait_connected only stops waiting. */
static void test_interrupt(void)
{
    char uri[64];
    int listener = silent_listener(uri), asked = 0;
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    cw_set_wait_hook(interrupt, &asked);
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_NEVER), CW_INTERRUPTED);
    CHECK_INT(asked, 1);
    cw_set_wait_hook(NULL, NULL);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_OperationCanceled);
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW); /* not closed: the socket can connect again */
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_NEVER), CW_OK);
    cw_set_wait_hook(interrupt, &asked);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_INTERRUPTED);
    CHECK_INT(cw_socket_state(s), CW_STATE_CONNECTING);
    cw_set_wait_hook(NULL, NULL);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    peer_finish(s);
    (void)close(listener);
}

/* After each kind of failure the socket connects as a new one would. */
static void test_again(void)
{
    char uri[64];
    int listener = silent_listener(uri);
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(peer_try_connect(s, peer_env("CW_ECHO_WSS"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_CertificateIsInvalid);
    CHECK_STATUS(peer_try_connect(s, uri, 20), CW_CONNECT_FAILED);
    CHECK_STATUS(
        peer_try_connect(s, peer_script("hs:%s", peer_hex("HTTP/1.1 404 No\r\n\r\n")), CW_TIMEOUT_DEFAULT),
        CW_CONNECT_FAILED);
    CHECK_INT(cw_error_http_status(), 404);
    CHECK_STATUS(peer_try_connect(s, peer_script("hs:/end"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_http_status(), 0);
    peer_connect(s, peer_script_tls("echo"));
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "a", 1, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    peer_finish(s);
    (void)close(listener);
}

static const harness_test tests[] = {
    {"information of an open socket, and after its end", test_information},
    {"refused: one event, no closed event, and it can connect again", test_refused_port},
    {"a host name that does not exist", test_no_name},
    {"nothing works before connect", test_wrong_order},
    {"the URI ends at its length; NUL inside is refused", test_length_of_uri},
    {"a socket closed before it was connected", test_never_connected},
    {"a second connect, and controls set late", test_second},
    {"200 connects by one thread", test_many},
    {"20 connects over TLS by one thread", test_many_tls},
    {"the deadline, of the call and of the control", test_deadline},
    {"cancelled by close", test_cancel_by_close},
    {"cancelled by abort", test_cancel_by_abort},
    {"cancelled by cw_shutdown", test_cancel_by_shutdown},
    {"after wait_closed the state is closed, also of a cancelled connect", test_cancel_and_look},
    {"lifetime rule 2: released while connecting", test_release},
    {"interrupted while connecting", test_interrupt},
    {"connect again after each kind of failure", test_again},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of socket.c, life.c and state.c: references in every state and from several threads, and a release
 * during a call that waits. Also what a socket reports about itself, and events that outlive it. test_many.c
 * tests many at once, and without memory. */
#include "peer.h"

#include <fcntl.h>

/* Makes a URI once, because each call makes a new script. */
static cw_status start(cw_socket *s, const char *uri, int timeout_ms)
{
    return cw_socket_connect_start(s, uri, strlen(uri), timeout_ms);
}

static void set_number(cw_socket *s, cw_option option, int64_t value)
{
    CHECK_STATUS(cw_socket_set_number(s, option, value), CW_OK);
}

static void echo_once(cw_socket *s)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "round", 5, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, "round", 5);
}

/* ---- Its information ---- */

static void check_info(cw_socket *s, cw_info info, const char *wanted)
{
    char text[512], cut[4] = "";
    size_t len = 1, same;

    CHECK_STATUS(cw_socket_get_info(s, info, NULL, 0, &len), CW_OK);
    CHECK_STATUS(cw_socket_get_info(s, info, text, sizeof text, &same), CW_OK);
    CHECK_INT(len, same);
    CHECK_INT(len, strlen(text));
    CHECK_HAS(text, wanted);
    if (!*wanted)
        CHECK_STR(text, "");
    CHECK_STATUS(cw_socket_get_info(s, info, cut, sizeof cut, &same), CW_OK);
    CHECK_INT(same, len); /* the length of the whole text */
    CHECK_INT(strlen(cut), len < 3 ? len : 3);
    CHECK(strncmp(cut, text, 3) == 0);
}

static void check_infos(cw_socket *s, const char *uri, const char *local, const char *remote,
                        const char *header)
{
    check_info(s, CW_INFO_URI, uri);
    check_info(s, CW_INFO_PUBLIC_URI, *uri ? "ws://127.0.0.1:" : "");
    check_info(s, CW_INFO_LOCAL_ADDRESS, local);
    check_info(s, CW_INFO_REMOTE_ADDRESS, remote);
    check_info(s, CW_INFO_PROTOCOL, "");
    check_info(s, CW_INFO_RESPONSE_HEADERS, header);
}

static void test_information(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *remote = peer_env("CW_SCRIPT_WS") + strlen("ws://");
    int code = 1;
    char reason[8], shown[256];

    check_infos(s, "", "", "", "");
    CHECK_STATUS(cw_socket_get_info(s, (cw_info)99, reason, sizeof reason, NULL), CW_INVALID_ARGUMENT);
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_REFUSED_WS"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    check_infos(s, peer_env("CW_REFUSED_WS"), "", "", "");
    /* the reply that refused is kept until the next connect */
    CHECK_STATUS(peer_try_connect(s, peer_script("hs:%s", peer_hex("HTTP/1.1 403 No\r\nX: 1\r\n\r\n")),
                                  CW_TIMEOUT_DEFAULT),
                 CW_CONNECT_FAILED);
    check_infos(s, peer_uri, "", "", "X: 1\r\n");
    CHECK_STATUS(start(s, peer_script("echo"), CW_TIMEOUT_DEFAULT), CW_OK);
    check_info(s, CW_INFO_URI, peer_uri);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_OK);
    check_infos(s, peer_uri, "127.0.0.1:", remote, "Upgrade: websocket\r\n");
    CHECK_HAS(peer_uri, "?id=");
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_PUBLIC_URI, shown, sizeof shown, NULL), CW_OK);
    CHECK(strchr(shown, '?') == NULL);
    CHECK_HAS(shown, "/s/echo");
    CHECK(!cw_socket_get_closed(s, &code, reason, sizeof reason, NULL));
    CHECK_INT(code, 0);
    cw_socket_abort(s);
    CHECK_CLOSED(s, 1006, false);
    check_infos(s, peer_uri, "127.0.0.1:", remote, "Upgrade: websocket\r\n");
    peer_finish(s);
}

static void test_lost(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("end"));
    cw_event *e;

    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_CLOSED);
    CHECK_HAS(cw_error_message(), "without a close frame");
    CHECK_CLOSED(s, 1006, false);
    peer_finish(s);
}

static void test_texts(void)
{
    cw_socket *s = NULL;

    CHECK_STR(cw_state_text(CW_STATE_NEW), "new");
    CHECK_STR(cw_state_text(CW_STATE_CONNECTING), "connecting");
    CHECK_STR(cw_state_text(CW_STATE_OPEN), "open");
    CHECK_STR(cw_state_text(CW_STATE_CLOSING), "closing");
    CHECK_STR(cw_state_text(CW_STATE_CLOSED), "closed");
    CHECK_STR(cw_state_text((cw_state)17), "?");
    CHECK_STATUS(cw_socket_create((cw_class)2, &s), CW_INVALID_ARGUMENT);
    CHECK(s == NULL);
    s = peer_socket(CW_STREAM_SOCKET);
    CHECK_INT(cw_socket_class(s), CW_STREAM_SOCKET);
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    CHECK(cw_socket_user(s) == NULL);
    cw_socket_set_user(s, &s);
    CHECK(cw_socket_user(s) == &s);
    cw_socket_release(s);
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_INT(cw_socket_class(s), CW_MESSAGE_SOCKET);
    cw_socket_release(s);
    cw_socket_retain(NULL);
    cw_socket_release(NULL);
}

static void test_states(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    set_number(s, CW_OPT_CLOSE_TIMEOUT, INT32_MAX);
    CHECK_STATUS(start(s, peer_script("frame:1/wait:50/close:1000/end"), CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK(cw_socket_state(s) == CW_STATE_CONNECTING || cw_socket_state(s) == CW_STATE_OPEN);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK(cw_socket_state(s) == CW_STATE_CLOSING || cw_socket_state(s) == CW_STATE_CLOSED);
    CHECK_CLOSED(s, 1000, true);
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
    peer_finish(s);
}

/* ---- References ---- */

static void *retain_and_release(void *s)
{
    for (int i = 0; i < 5000; i++) {
        cw_socket_retain(s);
        (void)cw_socket_state(s);
        cw_socket_release(s);
    }
    cw_socket_release(s); /* the reference that this thread was given */
    return NULL;
}

static void retain_in_threads(cw_socket *s)
{
    enum { COUNT = 4 };
    pthread_t threads[COUNT];

    for (int i = 0; i < COUNT; i++) {
        cw_socket_retain(s);
        CHECK_INT(pthread_create(&threads[i], NULL, retain_and_release, s), 0);
    }
    cw_socket_release(s);
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
}

/* In every state, any thread may make the last release. */
static void test_references(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    retain_in_threads(s);
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_REFUSED_WS"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    retain_in_threads(s);
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(start(s, peer_script("echo/end"), CW_TIMEOUT_DEFAULT), CW_OK);
    retain_in_threads(s);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));
    cw_socket_retain(s);
    retain_in_threads(s);
    echo_once(s); /* one reference is left */
    retain_in_threads(s);
    s = peer_socket(CW_STREAM_SOCKET);
    set_number(s, CW_OPT_CLOSE_TIMEOUT, 50);
    peer_connect(s, peer_script("hang"));
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    retain_in_threads(s);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));
    cw_socket_abort(s);
    retain_in_threads(s);
    cw_shutdown(5000);
}

static void test_release_open(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));
    const char *log;

    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "last", 4, CW_TIMEOUT_DEFAULT), CW_OK);
    cw_socket_release(s);
    log = peer_log(); /* this waits for the end of the connection without a call of the core */
    CHECK_INT(peer_count_frames(log, CW__OP_BINARY), 1);
    CHECK_INT(peer_close_code(log), 1005);
    CHECK_HAS(log, "\"end\": \"server\"");
    cw_shutdown(5000);
}

typedef struct caller {
    cw_socket *s;
    cw_status (*call)(cw_socket *s);
    cw_status status;
} caller;

static cw_status call_receive(cw_socket *s)
{
    cw_event *e;

    return cw_socket_receive(s, CW_TIMEOUT_NEVER, &e);
}

static cw_status call_read(cw_socket *s)
{
    char byte;
    size_t len = 1;
    cw_status status = cw_socket_read(s, &byte, 1, CW_TIMEOUT_NEVER, &len);

    return len == 0 ? status : CW_SYSTEM_ERROR;
}

static cw_status call_send(cw_socket *s)
{
    static const char data[16 << 20];

    return cw_socket_send(s, CW_BINARY, data, sizeof data, CW_TIMEOUT_NEVER);
}

static cw_status call_flush(cw_socket *s) { return cw_socket_flush(s, CW_TIMEOUT_NEVER); }
static cw_status call_ping(cw_socket *s) { return cw_socket_ping(s, CW_TIMEOUT_NEVER, NULL); }
static cw_status call_wait_closed(cw_socket *s) { return cw_socket_wait_closed(s, CW_TIMEOUT_NEVER); }
static cw_status call_wait_connected(cw_socket *s) { return cw_socket_wait_connected(s, CW_TIMEOUT_NEVER); }

static void *run_call(void *arg)
{
    caller *c = arg;

    c->status = c->call(c->s);
    return NULL;
}

/* The last release while other threads are inside a call and have no reference of their own. */
static void release_under(cw_socket *s, cw_status (*call)(cw_socket *s), cw_status wanted)
{
    enum { COUNT = 3 };
    caller callers[COUNT];
    pthread_t threads[COUNT];

    for (unsigned i = 0; i < COUNT; i++) {
        callers[i] = (caller){.s = s, .call = call};
        CHECK_INT(pthread_create(&threads[i], NULL, run_call, &callers[i]), 0);
    }
    /* references of the threads, the program and the service */
    UNTIL(atomic_load(&s->references) == COUNT + 2);
    cw_socket_release(s);
    for (int i = 0; i < COUNT; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        CHECK_STATUS(callers[i].status, wanted);
    }
}

static cw_socket *impatient(cw_class socket_class, const char *uri)
{
    cw_socket *s = peer_socket(socket_class);

    set_number(s, CW_OPT_CLOSE_TIMEOUT, 50);
    set_number(s, CW_OPT_SEND_TIMEOUT, 300);
    peer_connect(s, uri);
    return s;
}

static void test_release_under_receive(void)
{
    release_under(impatient(CW_MESSAGE_SOCKET, peer_script("hang")), call_receive, CW_CLOSED);
    release_under(impatient(CW_STREAM_SOCKET, peer_script_tls("hang")), call_read, CW_OK);
    cw_shutdown(5000);
}

static void test_release_under_send(void)
{
    cw_socket *s;

    release_under(impatient(CW_MESSAGE_SOCKET, peer_script("stall/hang")), call_send, CW_CLOSED);
    s = impatient(CW_MESSAGE_SOCKET, peer_script_tls("stall/hang"));
    do { /* until the kernel takes no more, even after a pause */
        while (cw_socket_send(s, CW_BINARY, (char[65536]){0}, 65536, 0) == CW_OK)
            continue;
    } while (cw_socket_flush(s, 200) == CW_OK);
    release_under(s, call_flush, CW_CLOSED);
    cw_shutdown(5000);
}

static void test_release_under_waiting(void)
{
    cw_socket *s;

    release_under(impatient(CW_MESSAGE_SOCKET, peer_script("frame:100")), call_ping, CW_CLOSED);
    release_under(impatient(CW_STREAM_SOCKET, peer_script("hang")), call_wait_closed, CW_OK);
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(start(s, peer_script("hs:"), CW_TIMEOUT_NEVER), CW_OK);
    release_under(s, call_wait_connected, CW_CONNECT_FAILED);
    cw_shutdown(5000);
}

/* ---- Events ---- */

static void test_events(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));
    cw_mailbox *m = NULL;
    cw_event *mine = NULL, *boxed = NULL;
    size_t len;

    cw_socket_set_user(s, &m);
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "one", 3, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &mine), CW_OK);
    CHECK(cw_event_socket(mine) == NULL);
    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_MESSAGE), CW_OK);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "two", 3, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &boxed), CW_OK);
    cw_socket_release(s);
    cw_mailbox_release(m);
    CHECK_INT(peer_close_code(peer_log()), 1005); /* the last reference was released */
    cw_shutdown(5000);
    /* rule 4: both outlive their origin; the event from the mailbox keeps the socket's memory */
    CHECK(cw_event_socket(boxed) == s);
    CHECK_INT(cw_socket_state(cw_event_socket(boxed)), CW_STATE_CLOSED);
    CHECK(cw_socket_user(cw_event_socket(boxed)) == &m);
    CHECK_BYTES(cw_event_data(boxed, &len), len, "two", 3);
    cw_event_free(boxed);
    CHECK_BYTES(cw_event_data(mine, &len), len, "one", 3);
    CHECK_INT(cw_event_message_type(mine), CW_UTF8);
    CHECK(cw_event_is_complete(mine));
    cw_event_free(mine);
}

/* Every call with results, failing for another reason each. test_fork.c has them after fork(). */
static void test_failed_gives_nothing(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET), *none = s;
    cw_mailbox *m = NULL;
    char text[] = "before";
    size_t len = 7, coming = 7;
    int64_t number = 7;
    cw_received received = {.len_bytes = 7};
    cw_event *e = (void *)text;

    CHECK_STATUS(cw_socket_create((cw_class)7, &none), CW_INVALID_ARGUMENT);
    CHECK(none == NULL);
    CHECK_STATUS(cw_socket_get_number(s, CW_OPT_CA_FILE, &number), CW_INVALID_ARGUMENT);
    CHECK_INT(number, 0);
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_VERIFY, text, sizeof text, &len), CW_INVALID_ARGUMENT);
    CHECK_STR(text, "");
    CHECK_INT(len, 0);
    text[0] = 'x';
    len = 7;
    CHECK_STATUS(cw_socket_get_info(s, (cw_info)77, text, sizeof text, &len), CW_INVALID_ARGUMENT);
    CHECK_STR(text, "");
    CHECK_INT(len, 0);
    number = 7;
    CHECK_STATUS(cw_socket_ping(s, 0, &number), CW_INVALID_STATE);
    CHECK_INT(number, 0);
    CHECK_STATUS(cw_socket_receive_or_announce(s, 0, &e, &coming), CW_INVALID_STATE);
    CHECK(e == NULL && coming == 0);
    CHECK_STATUS(cw_socket_receive_into(s, text, sizeof text, 0, &received), CW_INVALID_STATE);
    CHECK_INT(received.len_bytes, 0);
    len = 7;
    CHECK_STATUS(cw_socket_read(s, text, sizeof text, 0, &len), CW_INVALID_STATE);
    CHECK_INT(len, 0);
    e = (void *)text;
    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT);
    CHECK(e == NULL);
    cw_mailbox_release(m);
    cw_socket_release(s);
}

/* If the poller cannot watch the descriptor, the service thread ends the connection. epoll accepts no regular file. */
static void test_unwatchable(void)
{
#ifdef __linux__
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), fd;
    char reason[256];
    int code;

    CHECK(file >= 0);
    cw__mutex_lock(&s->lock);
    fd = s->fd;
    s->fd = file;
    s->watched = 0;
    s->in.reader = CW__READER_SERVICE;
    cw__socket_watch_locked(s);
    s->fd = fd;
    CHECK_INT(s->watched, 0);
    cw__mutex_unlock(&s->lock);
    (void)close(file);
    CHECK_CLOSED(s, 1006, false);
    (void)cw_socket_get_closed(s, &code, reason, sizeof reason, NULL);
    CHECK_HAS(reason, "no memory to watch");
    peer_finish(s);
#else
    SKIP("for epoll");
#endif
}

static const harness_test tests[] = {
    {"class, states, texts, the user's pointer", test_texts},
    {"information before, during and after, and of failed connects", test_information},
    {"from new to closed", test_states},
    {"a failed call clears its results", test_failed_gives_nothing},
    {"RFC 6455 7.1.5: TCP ends without a close frame", test_lost},
    {"a connection that the system cannot watch ends", test_unwatchable},
    {"lifetime rule 2: references in every state, released by any thread", test_references},
    {"lifetime rule 2: a socket that is released open closes by itself", test_release_open},
    {"lifetime rule 3: released while threads receive and read", test_release_under_receive},
    {"lifetime rule 3: released while threads send and flush", test_release_under_send},
    {"lifetime rule 3: released while threads ping and wait", test_release_under_waiting},
    {"lifetime rules 4 and 5: events outlive their socket, and do not keep it open", test_events},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

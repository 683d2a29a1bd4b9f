/* SPDX-License-Identifier: MIT */
/* Tests of tracing.c: the lines of real connections, in a file and in a mailbox, with both codecs; files that cannot be
 * written; lines that nobody takes. */
#include "peer.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { TEXT_BYTES = 1 << 20 };

static char path[64];

/* Makes a name for a file that does not exist. */
static void new_path(void)
{
    int fd;

    (void)strcpy(path, "/tmp/curlwire-trace-XXXXXX");
    fd = mkstemp(path);
    CHECK(fd >= 0);
    (void)close(fd);
    (void)unlink(path);
}

static const char *content(void)
{
    static char text[TEXT_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;

    if (fd >= 0)
        (void)close(fd);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void set_text(cw_socket *s, cw_option option, const char *text)
{
    CHECK_STATUS(cw_socket_set_text(s, option, text, strlen(text)), CW_OK);
}

static cw_socket *traced(cw_framing framing)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    new_path();
    set_text(s, CW_OPT_TRACE_FILE, path);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, framing), CW_OK);
    return s;
}

static void send_it(cw_socket *s, cw_message_type type, const void *data, size_t len_bytes)
{
    CHECK_STATUS(cw_socket_send(s, type, data, len_bytes, CW_TIMEOUT_DEFAULT), CW_OK);
}

static void close_it(cw_socket *s)
{
    CHECK_STATUS(cw_socket_close_start(s, 1000, "bye", 3), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
}

/* Checks that the lines of a text have these ends in this order, perhaps with others between them. */
static void check_order(const char *text, const char *const *ends, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char wanted[256];
        const char *found;
        (void)snprintf(wanted, sizeof wanted, " %s\n", ends[i]);
        found = strstr(text, wanted);
        if (!found)
            HARNESS_FAIL("no line \"%s\" in the rest: %.3000s", ends[i], text);
        text = found + strlen(wanted) - 1;
        CHECK(true);
    }
}

/* ---- A file ---- */

static void exchange(cw_framing framing)
{
    static const char *const ends[] = {
        "> head Cookie: ***",
        "< head HTTP/1.1 101 Switching Protocols",
        "< frame ping fin=1 len=1 61",
        "< frame binary fin=0 len=1 62",
        "< frame continuation fin=1 len=1 63",
        "> frame pong fin=1 len=1 61",
        "> frame text fin=1 len=5 \"hello\"",
        "< frame text fin=1 len=5 \"hello\"",
        "> frame binary fin=1 len=200 00 00 00 00 00 00 00 00...",
        "< frame binary fin=1 len=200 00 00 00 00 00 00 00 00...",
        "> frame close fin=1 len=5 code=1000 \"bye\"",
        "< frame close fin=1 len=5 code=1000 \"bye\"",
        "* curlwire: the connection has ended: code 1000",
    };
    static uint8_t data[200];
    cw_socket *s = traced(framing);
    struct stat about;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_TRACE_PAYLOAD, 8), CW_OK);
    CHECK_STATUS(cw_socket_set_request_header(s, "Cookie", 6, "a=S3CR3T", 8), CW_OK);
    peer_connect(s, peer_script("x:890161020162800163/frame:1/echo"));
    CHECK_MESSAGE(s, CW_BINARY, "bc", 2);
    send_it(s, CW_UTF8, "hello", 5);
    CHECK_MESSAGE(s, CW_UTF8, "hello", 5);
    send_it(s, CW_BINARY, data, sizeof data);
    CHECK_MESSAGE(s, CW_BINARY, data, sizeof data);
    close_it(s);
    check_order(content(), ends, sizeof ends / sizeof *ends);
    CHECK(strstr(content(), "* Connected to ") != NULL || strstr(content(), "* Established ") != NULL);
    CHECK(!strstr(content(), "S3CR3T") && !strstr(content(), peer_token)); /* the token is in the query */
    CHECK_INT(stat(path, &about), 0);
    CHECK_INT(about.st_mode & 0777, 0600);
    CHECK_INT(strlen(content()), about.st_size);
    CHECK_INT(unlink(path), 0);
    peer_finish(s);
}

static void test_native(void) { exchange(CW_FRAMING_AUTO); }
static void test_curl(void) { exchange(CW_FRAMING_CURL); }

static void test_no_payload(void)
{
    cw_socket *s = traced(CW_FRAMING_AUTO);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_TRACE_PAYLOAD, 0), CW_OK);
    peer_connect(s, peer_script("echo"));
    send_it(s, CW_UTF8, "S3CR3T", 6);
    CHECK_MESSAGE(s, CW_UTF8, "S3CR3T", 6);
    close_it(s);
    CHECK_HAS(content(), "> frame text fin=1 len=6...\n");
    CHECK_HAS(content(), "< frame text fin=1 len=6...\n");
    CHECK_HAS(content(), "> frame close fin=1 len=5...\n");
    CHECK(!strstr(content(), "S3CR3T"));
    (void)unlink(path);
    peer_finish(s);
}

/* A message that is written in many steps, and read in many pieces, has one line in each direction. */
static void test_large(void)
{
    enum { BYTES = 3 << 20 };
    static uint8_t data[BYTES];
    cw_socket *s = traced(CW_FRAMING_AUTO);
    const char *line;

    memset(data, 'x', sizeof data);
    peer_connect(s, peer_script("echo"));
    send_it(s, CW_BINARY, data, sizeof data);
    CHECK_MESSAGE(s, CW_BINARY, data, sizeof data);
    close_it(s);
    CHECK_HAS(content(), "> frame binary fin=1 len=3145728 78 78");
    line = strstr(content(), "> frame binary");
    CHECK(!strstr(line + 1, "> frame binary"));
    line = strstr(content(), "< frame binary fin=1 len=3145728 78 78");
    CHECK(line != NULL);
    CHECK(!strstr(line + 1, "< frame binary"));
    (void)unlink(path);
    peer_finish(s);
}

static void test_failed_connect(void)
{
    cw_socket *s = traced(CW_FRAMING_AUTO);

    CHECK_STATUS(peer_try_connect(s, "ws://u:S3CR3T@127.0.0.1:1/?S3CR3T", 5000), CW_CONNECT_FAILED);
    CHECK_HAS(content(), "* curlwire: the connect has failed: ");
    CHECK_STATUS(peer_try_connect(s, peer_script("hs:%s", peer_hex("HTTP/1.1 403 No\r\nX: y\r\n\r\n")), 5000),
                 CW_CONNECT_FAILED);
    CHECK_HAS(content(), "< head HTTP/1.1 403 No\n");
    CHECK_HAS(content(), "< head X: y\n");
    CHECK(!strstr(content(), "S3CR3T"));
    (void)unlink(path);
    peer_finish(s);
}

static void check_refused(cw_socket *s, const char *name, const char *why)
{
    set_text(s, CW_OPT_TRACE_FILE, name);
    CHECK_STATUS(peer_try_connect(s, peer_script("echo"), 5000), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), "trace_file");
    CHECK_HAS(cw_error_message(), why);
    CHECK_INT(cw_error_option(), CW_OPT_TRACE_FILE);
    CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
}

static void test_bad_files(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    check_refused(s, "/nowhere/trace", "No such file");
    check_refused(s, "/tmp", "Is a directory");
    check_refused(s, "/dev/null", "not a regular file");
    new_path();
    CHECK_INT(mkfifo(path, 0600), 0);
    check_refused(s, path, "not a regular file"); /* without a reader */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    check_refused(s, path, "not a regular file"); /* with one */
    (void)close(fd);
    (void)unlink(path);
    set_text(s, CW_OPT_TRACE_FILE, "");
    peer_connect(s, peer_script("echo"));
    CHECK(s->tracing == NULL || cw__tracing_lost(s) == 0);
    close_it(s);
    peer_finish(s);
}

/* A file that may not grow any more, as on a full disk, ends the trace in the file and nothing else. */
static void test_full_disk(void)
{
    cw_socket *s = traced(CW_FRAMING_AUTO);
    struct rlimit limit = {.rlim_cur = 3000, .rlim_max = 3000};
    cw_statistics n = {.size_bytes = sizeof n};
    cw_mailbox *m;
    cw_event *e;
    bool is_told = false;

    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_TRACE), CW_OK);
    peer_connect(s, peer_script("echo"));
    for (int i = 0; i < 100; i++) {
        send_it(s, CW_UTF8, "hello", 5);
        CHECK_MESSAGE(s, CW_UTF8, "hello", 5);
    }
    CHECK_STATUS(cw_socket_get_statistics(s, &n), CW_OK);
    CHECK(n.lost_trace_lines > 100);
    CHECK(strlen(content()) <= 3000);
    while (cw_mailbox_take(m, 0, &e) == CW_OK) {
        size_t len;
        const char *text = cw_event_data(e, &len);
        char copy[256];
        (void)snprintf(copy, sizeof copy, "%.*s", (int)len, text);
        is_told = is_told || strstr(copy, "* curlwire: trace_file cannot be written any more");
        cw_event_free(e);
    }
    CHECK(is_told);
    close_it(s);
    (void)unlink(path);
    cw_mailbox_release(m);
    peer_finish(s);
}

/* ---- A mailbox ---- */

static size_t take_lines(cw_mailbox *m, char *text, size_t size_bytes)
{
    size_t count = 0, at = 0;
    cw_event *e;

    text[0] = '\0';
    while (cw_mailbox_take(m, 0, &e) == CW_OK) {
        if (cw_event_get_type(e) == CW_EVENT_TRACE) {
            size_t len;
            const char *line = cw_event_data(e, &len);
            at += (size_t)snprintf(text + at, size_bytes - at, "%.*s\n", (int)len, line);
            count++;
        }
        cw_event_free(e);
    }
    return count;
}

static void test_mailbox(void)
{
    static const char *const ends[] = {
        "< head HTTP/1.1 101 Switching Protocols", "> frame text fin=1 len=5 \"hello\"",
        "< frame text fin=1 len=5 \"hello\"", "* curlwire: the connection has ended: code 1000"};
    static char text[TEXT_BYTES];
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_mailbox *m;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_TRACE | CW_EVENT_CLOSED), CW_OK);
    peer_connect(s, peer_script("echo"));
    send_it(s, CW_UTF8, "hello", 5);
    CHECK_MESSAGE(s, CW_UTF8, "hello", 5);
    close_it(s);
    CHECK(take_lines(m, text, sizeof text) > 8);
    check_order(text, ends, sizeof ends / sizeof *ends);
    CHECK(!strstr(text, peer_token));
    cw_mailbox_release(m);
    peer_finish(s);
}

/* Without a subscriber or a file there is no trace, and a subscription to everything else makes none. */
static void test_off(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    static char text[TEXT_BYTES];
    cw_mailbox *m;

    CHECK(s->tracing == NULL);
    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENTS_ALL & ~(unsigned)CW_EVENT_MESSAGE), CW_OK);
    CHECK(s->tracing == NULL);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_TRACE), CW_OK); /* in the middle of a connection */
    send_it(s, CW_UTF8, "a", 1);
    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    CHECK_INT(take_lines(m, text, sizeof text), 2);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_CLOSED), CW_OK);
    CHECK(s->tracing == NULL);
    send_it(s, CW_UTF8, "a", 1);
    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    CHECK_INT(take_lines(m, text, sizeof text), 0);
    close_it(s);
    cw_mailbox_release(m);
    peer_finish(s);
}

/* Lines that nobody takes fill the queue, and then are dropped and counted. */
static void test_dropped(void)
{
    static char text[TEXT_BYTES];
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_statistics n = {.size_bytes = sizeof n};
    unsigned long long dropped = 0;
    size_t count;
    cw_mailbox *m;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_TRACE), CW_OK);
    peer_connect(s, peer_script("echo"));
    do {
        send_it(s, CW_UTF8, "hello", 5);
        CHECK_MESSAGE(s, CW_UTF8, "hello", 5);
        CHECK_STATUS(cw_socket_get_statistics(s, &n), CW_OK);
    } while (n.lost_trace_lines < 10);
    count = take_lines(m, text, sizeof text);
    CHECK(count > 1000 && count < 3000);
    CHECK(!strstr(text, "were dropped"));
    send_it(s, CW_UTF8, "again", 5);
    CHECK_MESSAGE(s, CW_UTF8, "again", 5);
    CHECK_INT(take_lines(m, text, sizeof text), 3);
    CHECK_INT(sscanf(strstr(text, " * c") ? strstr(text, " * c") : "", " * curlwire: %llu lines were dropped",
                     &dropped),
              1);
    CHECK_INT(dropped, n.lost_trace_lines);
    CHECK_HAS(text, "\"again\"");
    close_it(s);
    cw_mailbox_release(m);
    peer_finish(s);
}

/* A lack of memory at any point loses lines at most. */
static bool connect_without_memory(void *arg)
{
    cw_socket *s = NULL;
    bool is_through = false;

    (void)arg;
    if (cw_socket_create(CW_MESSAGE_SOCKET, &s) != CW_OK)
        return false;
    if (cw_socket_set_text(s, CW_OPT_TRACE_FILE, path, strlen(path)) == CW_OK)
        is_through = peer_try_connect(s, "ws://127.0.0.1:1/", 5000) == CW_CONNECT_FAILED &&
                     cw_error_web_status() == CW_WEB_CannotConnect;
    cw_socket_release(s);
    cw_shutdown(5000);
    return is_through;
}

static void test_no_memory(void)
{
    new_path();
    each_allocation_fails(connect_without_memory, NULL);
    (void)unlink(path);
}

static const harness_test tests[] = {
    {"a file", test_native},
    {"a file, with libcurl's frames", test_curl},
    {"payloads that are left out", test_no_payload},
    {"a large message has one line", test_large},
    {"connects that fail", test_failed_connect},
    {"files that cannot be used", test_bad_files},
    {"a file that cannot grow", test_full_disk},
    {"a mailbox", test_mailbox},
    {"off", test_off},
    {"lines that nobody takes", test_dropped},
    {"no memory", test_no_memory},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

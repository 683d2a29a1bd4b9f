/* SPDX-License-Identifier: MIT */
/* Tests of handshake.c and verdict.c alone: how they handle the reply and the log that libcurl passes, and the verdict
 * on each result. test_refusal.c tests the bodies, test_handshake_tls.c what they say of TLS, and test_handshake_options.c the options that they set. */
#include "curl_play.h"

#include <sys/ioctl.h>
#include <sys/resource.h>

static void answer(cw__handshake *h, const char *accept_line)
{
    CHECK(line(h, "HTTP/1.1 101 Switching Protocols\r\n") && line(h, "Upgrade: websocket\r\n") &&
          line(h, "Connection: Upgrade\r\n") && line(h, accept_line));
}

/* Returns the correct answer to the key that was sent. */
static void answer_right(cw__handshake *h)
{
    const struct curl_slist *headers = find(CURLOPT_HTTPHEADER)->is.pointer;
    char text[128], accept[64], value[32];
    uint8_t digest[20];

    CHECK(strncmp(headers->data, "Sec-WebSocket-Key: ", 19) == 0);
    CHECK_INT(strlen(headers->data + 19), CW__KEY_CHARS);
    (void)snprintf(text, sizeof text, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", headers->data + 19);
    cw__sha1(text, strlen(text), digest);
    cw__base64(digest, sizeof digest, value);
    (void)snprintf(accept, sizeof accept, "Sec-WebSocket-Accept: %s\r\n", value);
    answer(h, accept);
}

/* ---- The verdict ---- */

static void test_good(void)
{
    cw__handshake *h;

    wish_nothing();
    wishes.protocols = "a, b";
    wishes.compression = (cw__compression){.is_on = true, .server_bits = 15, .client_bits = 15};
    h = made("ws://server.test/", NULL);
    answer_right(h);
    CHECK(line(h, "Sec-WebSocket-Protocol: b\r\n") &&
          line(h, "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n") &&
          line(h, "\r\n"));
    info.response_code = 101;
    CHECK(cw__handshake_verdict(h, CURLE_OK, 0, &error));
    CHECK_STR(cw__handshake_protocol(h), "b");
    CHECK_STR(cw__handshake_extensions(h), "permessage-deflate; client_no_context_takeover");
    CHECK(cw__handshake_compression(h)->is_on && cw__handshake_compression(h)->client_resets);
    CHECK(strstr(cw__handshake_reply(h), "Connection: Upgrade\r\n") != NULL);
    cw__handshake_destroy(h);
}

static bool keep_reply(void *arg)
{
    cw__handshake *h = arg;
    cw__error failure = {0};
    bool is_good = cw__handshake_verdict(h, CURLE_OK, 0, &failure);

    CHECK(is_good || failure.status == CW_NO_MEMORY);
    return is_good;
}

static void test_reply_without_memory(void)
{
    for (long n = 0; n < 2; n++) {
        cw__handshake *h;
        wish_nothing();
        wishes.protocols = "a, b";
        wishes.compression = (cw__compression){.is_on = true, .server_bits = 15, .client_bits = 15};
        h = made("ws://server.test/", NULL);
        answer_right(h);
        CHECK(line(h, "Sec-WebSocket-Protocol: b\r\n") &&
              line(h, "Sec-WebSocket-Extensions: permessage-deflate\r\n") && line(h, "\r\n"));
        info.response_code = 101;
        cw__alloc_fail_at(n);
        CHECK(!keep_reply(h));
        cw__alloc_fail_at(-1);
        cw__handshake_destroy(h);
    }
}

/* There was no memory for a line of a reply that is right otherwise. */
static void test_line_without_memory(void)
{
    cw__handshake *h;

    wish_nothing();
    h = made("ws://server.test/", NULL);
    answer_right(h);
    CHECK(line(h, "\r\n"));
    info.response_code = 101;
    h->reply.has_no_memory = true;
    expect_verdict(h, CURLE_OK, CW_NO_MEMORY, CW_WEB_Unknown, "no memory for a connection");
    cw__handshake_destroy(h);
}

static void test_bad_replies(void)
{
    cw__handshake *h;

    wish_nothing();
    h = made("ws://server.test/", NULL);
    answer(h, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"); /* correct for the RFC's key */
    CHECK(line(h, "\r\n"));
    info.response_code = 101;
    expect_verdict(h, CURLE_OK, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                   "the server's handshake reply is invalid: the header Sec-WebSocket-Accept");
    CHECK_INT(error.http_status, 101);
    cw__handshake_destroy(h);

    h = made("ws://server.test/", NULL); /* an extension that was not asked for */
    answer_right(h);
    CHECK(line(h, "Sec-WebSocket-Extensions: permessage-deflate\r\n") && line(h, "\r\n"));
    expect_verdict(h, CURLE_OK, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse, "none was offered");
    CHECK_INT(error.http_status, 101);
    cw__handshake_destroy(h);

    h = made("ws://server.test/", NULL);
    CHECK(line(h, "HTTP/1.1 404 Not Found\r\n") && line(h, "\r\n"));
    info.response_code = 404;
    expect_verdict(h, CURLE_HTTP_RETURNED_ERROR, CW_CONNECT_FAILED, CW_WEB_NotFound, "HTTP status 404");
    expect_verdict(h, CURLE_OK, CW_CONNECT_FAILED, CW_WEB_NotFound, "HTTP status 404");
    CHECK_INT(error.http_status, 404);
    expect_verdict(h, CURLE_TOO_LARGE, CW_CONNECT_FAILED, cw__web_status_of_http(404), "HTTP status 404");
    info.response_code = 200;
    expect_verdict(h, CURLE_OK, CW_CONNECT_FAILED, cw__web_status_of_http(200), "HTTP status 200");
    info.response_code = 199;
    expect_verdict(h, CURLE_OK, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                   "the server ended the connection instead of answering");
    info.response_code = 404;
    info.os_errno = ECONNRESET; /* the reply does not matter then */
    CHECK(!cw__handshake_verdict(h, CURLE_RECV_ERROR, 0, &error));
    CHECK(!strstr(error.message, "404"));
    cw__handshake_destroy(h);

    h = made("ws://server.test/", NULL);
    CHECK(line(h, "HTTP/2 200\r\n"));
    info.response_code = 200;
    expect_verdict(h, CURLE_OK, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                   "invalid: the reply is not HTTP/1.1");
    cw__handshake_destroy(h);

    h = made("ws://server.test/", NULL);
    CHECK(line(h, "HTTP/1.1 101 x\r\n"));
    info.response_code = 101;
    expect_verdict(h, CURLE_TOO_LARGE, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                   "the reply's headers are too large");
    CHECK_INT(error.http_status, 101);
    info.response_code = 0;
    expect_verdict(h, CURLE_TOO_LARGE, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                   "the reply's headers are too large");
    CHECK_INT(error.http_status, 0);
    expect_verdict(h, CURLE_WEIRD_SERVER_REPLY, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                   "a line of the reply is malformed");
    CHECK_INT(error.http_status, 101);
    expect_verdict(h, CURLE_OUT_OF_MEMORY, CW_NO_MEMORY, CW_WEB_Unknown, "no memory for a connection");
    cw__handshake_destroy(h);
}

/* libcurl found no HTTP in the answer. */
static void test_no_http(void)
{
    cw__handshake *h;

    wish_nothing();
    h = made("ws://server.test/", NULL);
    expect_verdict(h, CURLE_WEIRD_SERVER_REPLY, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                   "the answer of the server server.test is not valid HTTP");
    cw__handshake_destroy(h);
}

/* libcurl lost the connection after a correct reply: the reply does not count. */
static void test_lost_after_reply(void)
{
    cw__handshake *h;

    wish_nothing();
    wishes.protocols = "a";
    h = made("ws://server.test/", NULL);
    answer_right(h);
    CHECK(line(h, "Sec-WebSocket-Protocol: a\r\n") && line(h, "\r\n"));
    info.response_code = 101;
    CHECK(!cw__handshake_verdict(h, CURLE_RECV_ERROR, 0, &error));
    CHECK(cw__handshake_protocol(h) == NULL);
    cw__handshake_destroy(h);
}

static void test_failures(void)
{
    static const struct {
        CURLcode code;
        int os_errno, shown_errno;
    } rows[] = {{CURLE_COULDNT_CONNECT, ECONNREFUSED, ECONNREFUSED},
                {CURLE_COULDNT_CONNECT, ENETUNREACH, ENETUNREACH},
                {CURLE_COULDNT_CONNECT, EINPROGRESS, 0},
                {CURLE_COULDNT_CONNECT, EAGAIN, 0},
                {CURLE_RECV_ERROR, ECONNREFUSED, 0}, /* the errno comes from another address */
                {CURLE_RECV_ERROR, ENETUNREACH, 0},
                {CURLE_RECV_ERROR, ECONNRESET, ECONNRESET}};
    cw__handshake *h;

    wish_nothing();
    h = made("ws://server.test:8765/", NULL);
    info.os_errno = ECONNREFUSED;
    expect_verdict(h, CURLE_COULDNT_CONNECT, CW_CONNECT_FAILED, CW_WEB_CannotConnect,
                   "cannot connect to the server server.test:8765: ");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        info.os_errno = rows[i].os_errno;
        error = (cw__error){0};
        CHECK(!cw__handshake_verdict(h, rows[i].code, 0, &error));
        CHECK_INT(error.os_errno, rows[i].shown_errno);
        CHECK_INT(error.curl_code, rows[i].code);
    }
    cw__handshake_destroy(h);
    wishes.race = (cw__race *)(void *)&race_fd;
    h = made("ws://server.test/", NULL);
    for (race_state = CW__RACE_GATHERING; race_state <= CW__RACE_LOST; race_state++) {
        info.os_errno = ECONNREFUSED;
        CHECK(!cw__handshake_verdict(h, CURLE_COULDNT_CONNECT, 0, &error));
        CHECK_INT(error.os_errno, race_state == CW__RACE_LOST ? EHOSTUNREACH : ECONNREFUSED);
    }
    cw__handshake_destroy(h);
}

/* ---- Descriptors ---- */

/* libcurl does not report that it got no descriptor. errno does, after the call. */
static void test_no_descriptor(void)
{
    static const struct {
        CURLcode code;
        int os_errno;
        cw_status status;
    } rows[] = {{CURLE_OUT_OF_MEMORY, EMFILE, CW_SYSTEM_ERROR},
                {CURLE_OUT_OF_MEMORY, ENFILE, CW_SYSTEM_ERROR},
                {CURLE_OUT_OF_MEMORY, ENOMEM, CW_NO_MEMORY},
                {CURLE_COULDNT_RESOLVE_HOST, EMFILE, CW_SYSTEM_ERROR},
                {CURLE_COULDNT_RESOLVE_PROXY, EMFILE, CW_SYSTEM_ERROR},
                {CURLE_SSL_CACERT_BADFILE, EMFILE, CW_SYSTEM_ERROR},
                {CURLE_SSL_CACERT_BADFILE, ENOENT, CW_CONNECT_FAILED},
                {CURLE_SSL_CRL_BADFILE, ENFILE, CW_SYSTEM_ERROR},
                {CURLE_SSL_CERTPROBLEM, EMFILE, CW_SYSTEM_ERROR},
                {CURLE_BAD_FUNCTION_ARGUMENT, EMFILE, CW_SYSTEM_ERROR},
                {CURLE_COULDNT_CONNECT, EMFILE, CW_CONNECT_FAILED}, /* libcurl had got a socket */
                {CURLE_RECV_ERROR, EMFILE, CW_CONNECT_FAILED}};
    cw__handshake *h;

    wish_nothing();
    h = made("wss://server.test/", NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        error = (cw__error){0};
        CHECK(!cw__handshake_verdict(h, rows[i].code, rows[i].os_errno, &error));
        CHECK_INT(error.status, rows[i].status);
        CHECK_INT(error.os_errno, rows[i].status == CW_SYSTEM_ERROR ? rows[i].os_errno : 0);
        CHECK_INT(strstr(error.message, "ulimit -n") != NULL, rows[i].status == CW_SYSTEM_ERROR);
        CHECK_INT(error.curl_code, rows[i].code);
    }
    cw__handshake_destroy(h);
}

/* The last reason why libcurl got no socket counts. */
static void test_no_socket(void)
{
    struct curl_sockaddr address = {.family = AF_INET, .socktype = SOCK_STREAM, .protocol = IPPROTO_TCP};
    curl_opensocket_callback on_open;
    struct rlimit limit, none;
    cw__handshake *h;
    int fd;

    wish_nothing();
    h = made("ws://server.test/", NULL);
    CHECK(find(CURLOPT_OPENSOCKETDATA)->is.pointer == h);
    memcpy(&on_open, &find(CURLOPT_OPENSOCKETFUNCTION)->is, sizeof on_open);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_INT(on_open(h, CURLSOCKTYPE_IPCXN, &address), CURL_SOCKET_BAD);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect_verdict(h, CURLE_COULDNT_CONNECT, CW_SYSTEM_ERROR, CW_WEB_Unknown, "ulimit -n");
    CHECK_INT(error.os_errno, EMFILE);
    expect_verdict(h, CURLE_RECV_ERROR, CW_CONNECT_FAILED, CW_WEB_ConnectionAborted,
                   "lost"); /* the errno is about another address */
    address.protocol = IPPROTO_UDP;
    CHECK_INT(on_open(h, CURLSOCKTYPE_IPCXN, &address), CURL_SOCKET_BAD);
    expect_verdict(h, CURLE_COULDNT_CONNECT, CW_CONNECT_FAILED, CW_WEB_CannotConnect, "Protocol not supported");
    address.protocol = IPPROTO_TCP;
    fd = on_open(h, CURLSOCKTYPE_IPCXN, &address);
    CHECK(fd >= 0);
    info.os_errno = ECONNREFUSED;
    expect_verdict(h, CURLE_COULDNT_CONNECT, CW_CONNECT_FAILED, CW_WEB_CannotConnect, "refused");
    (void)close(fd);
    cw__handshake_destroy(h);
}

/* ---- The proxy's part ---- */

static void test_tunnel(void)
{
    static const int codes[] = {100, 199, 200, 250, 299, 300, 407, 502};

    wish_nothing();
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        cw__handshake *h = made("ws://server.test/", "http://proxy.test:3128");
        bool is_open = codes[i] / 100 == 2;
        info.connect_code = codes[i];
        info.response_code = 0;
        CHECK(line(h, "HTTP/1.1 407 or another\r\n") && line(h, "X: y\r\n")); /* libcurl's number counts */
        CHECK(cw__handshake_is_at_proxy(h));
        /* otherwise libcurl goes on for the body only */
        CHECK_INT(line(h, i % 2 ? "\r\n" : "\n"), is_open || cw__refusal_is_begun(h));
        CHECK_INT(cw__refusal_is_begun(h), codes[i] >= 300 && cw__refusal_can_keep());
        CHECK_INT(cw__handshake_is_at_proxy(h), !is_open);
        if (is_open) {
            CHECK_STR(cw__handshake_reply(h), "");
            info.response_code = 101;
            info.connect_code = 502; /* the answer to CONNECT is not checked again */
            answer_right(h);
            CHECK(line(h, "\r\n"));
            CHECK(cw__handshake_verdict(h, CURLE_OK, 0, &error));
        } else {
            expect_verdict(h, CURLE_WRITE_ERROR, CW_CONNECT_FAILED, cw__web_status_of_http(codes[i]),
                           "the proxy proxy.test:3128 (all_proxy) refused");
            CHECK_INT(error.http_status, codes[i]);
        }
        cw__handshake_destroy(h);
    }
}

static void test_proxy_reply_is_invalid(void)
{
    cw__handshake *h;

    wish_nothing();
    h = made("ws://server.test/", "http://proxy.test:3128");
    CHECK(line(h, "HTTP/1.1 200 x\r\n"));
    expect_verdict(
        h, CURLE_TOO_LARGE, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
        "the reply of the proxy proxy.test:3128 (all_proxy) is invalid: the reply's headers are too large");
    cw__handshake_destroy(h);
    h = made("ws://server.test/", "http://proxy.test:3128");
    info.connect_code = 200;
    CHECK(line(h, "HTTP/1.1 200 x\r\n"));
    for (int count = 0; line(h, "X-Name: some value that makes the head of this reply longer\r\n"); count++)
        CHECK(count < 10000);
    CHECK(!line(h, "\r\n")); /* cut off, so the proxy has not accepted the tunnel */
    CHECK(cw__handshake_is_at_proxy(h));
    cw__handshake_destroy(h);
    h = made("ws://server.test/", NULL); /* without a proxy, an answer is the server's */
    info.connect_code = 502;
    CHECK(line(h, "HTTP/1.1 100 Continue\r\n") && line(h, "\r\n"));
    answer_right(h);
    CHECK(line(h, "\r\n"));
    cw__handshake_destroy(h);
}

/* A SOCKS proxy sends no text of its own: it has accepted when the first byte goes to the server. */
static void test_socks(void)
{
    static const struct {
        const char *proxy;
        curl_infotype type;
        bool is_past;
    } rows[] = {{"socks5://proxy.test:1080", CURLINFO_TEXT, false},
                {"socks5://proxy.test:1080", CURLINFO_HEADER_IN, false},
                {"socks5://proxy.test:1080", CURLINFO_HEADER_OUT, true},
                {"socks5://proxy.test:1080", CURLINFO_SSL_DATA_OUT, true},
                {"http://proxy.test:3128", CURLINFO_HEADER_OUT, false},
                {"http://proxy.test:3128", CURLINFO_SSL_DATA_OUT, false},
                {"https://proxy.test:3128", CURLINFO_SSL_DATA_OUT, false}};

    wish_nothing();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw__handshake *h = made("wss://server.test/", rows[i].proxy);
        CHECK(cw__handshake_is_at_proxy(h));
        log_text(h, rows[i].type, "x");
        CHECK_INT(cw__handshake_is_at_proxy(h), !rows[i].is_past);
        cw__handshake_destroy(h);
    }
    { /* libcurl passes a line of the server that came through SOCKS: it is not an answer to CONNECT */
        cw__handshake *h = made("ws://server.test/", "socks5://proxy.test:1080");
        info.connect_code = 502;
        CHECK(line(h, "HTTP/1.1 101 x\r\n") && line(h, "\r\n"));
        cw__handshake_destroy(h);
    }
}

/* Which name cannot be resolved: the proxy's until libcurl has had a socket, and then the server's. */
static void test_names(void)
{
    curl_sockopt_callback on_socket;
    cw__handshake *h;

    wish_nothing();
    h = made("ws://server.test/", "socks5://proxy.test:1080");
    memcpy(&on_socket, &find(CURLOPT_SOCKOPTFUNCTION)->is, sizeof on_socket);
    expect_verdict(h, CURLE_COULDNT_RESOLVE_HOST, CW_CONNECT_FAILED, CW_WEB_HostNameNotResolved,
                   "the host of the proxy proxy.test:1080 cannot be resolved");
    CHECK_INT(on_socket(h, -1, CURLSOCKTYPE_IPCXN), CURL_SOCKOPT_OK);
    expect_verdict(h, CURLE_COULDNT_RESOLVE_HOST, CW_CONNECT_FAILED, CW_WEB_HostNameNotResolved,
                   "the host server.test cannot be resolved here");
    cw__handshake_destroy(h);
}

static int connected_pair(int *server)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 1) == 0 &&
          getsockname(listener, (struct sockaddr *)&at, &len) == 0);
    CHECK_INT(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    *server = accept(listener, NULL, NULL);
    CHECK(*server >= 0);
    (void)close(listener);
    return client;
}

/* Whether libcurl has read the reply and nothing more. */
static void test_is_all(void)
{
    static const char reply[] = "HTTP/1.1 101 x\r\n";
    char buffer[64];
    cw__handshake *h;
    int server, client = connected_pair(&server);

    wish_nothing();
    h = made("ws://server.test/", NULL);
    CHECK(line(h, reply));
    CHECK_INT(send(server, reply, sizeof reply - 1, 0), sizeof reply - 1);
    CHECK_INT(send(server, "frame", 5, 0), 5);
    CHECK_INT(recv(client, buffer, sizeof reply - 1, MSG_WAITALL), sizeof reply - 1);
    for (int unread = 0; unread < 5;)
        CHECK_INT(ioctl(client, FIONREAD, &unread), 0); /* wait for the frame */
    CHECK(cw__handshake_is_all(h, client, true));
    CHECK(!cw__handshake_is_all(h, client, false));
    CHECK(!cw__handshake_is_all(h, -1, true));
    CHECK_INT(recv(client, buffer, 1, 0), 1);
    CHECK(!cw__handshake_is_all(h, client, true)); /* libcurl holds part of the frame */
    (void)close(client);
    (void)close(server);
    cw__handshake_destroy(h);
}

static const harness_test tests[] = {
    {"RFC 6455 4.1: a right reply", test_good},
    {"a right reply without memory", test_reply_without_memory},
    {"a line without memory", test_line_without_memory},
    {"RFC 6455 4.1: replies that are wrong", test_bad_replies},
    {"an answer that is not HTTP", test_no_http},
    {"failures before a reply, and their errno", test_failures},
    {"no descriptor: what libcurl calls it, and errno", test_no_descriptor},
    {"no descriptor: no socket", test_no_socket},
    {"a connection that is lost after a right reply", test_lost_after_reply},
    {"a proxy's answer to CONNECT", test_tunnel},
    {"a proxy's reply that is invalid", test_proxy_reply_is_invalid},
    {"a proxy of SOCKS", test_socks},
    {"the name that cannot be resolved", test_names},
    {"whether the reply is all that was read", test_is_all},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

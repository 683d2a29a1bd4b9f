/* SPDX-License-Identifier: MIT */
/* Tests of handshake.c over connections to the scripted server: the URI, the request that the server receives, the
 * reply as the C interface reports it, and TLS verification. tests/conformance/handshake has the forms of replies.
 * test_connect.c tests the socket around the handshake. */
#include "peer.h"
#include "transport/transport.h"

#define ACCEPT     "Sec-WebSocket-Accept: {accept}\r\n"
#define START      "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE    "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"

static void check_uri(const char *uri, const char *hint)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), 1000), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), hint);
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    cw_socket_release(s);
}

static void test_uri(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    check_uri("not a URI", "wss://host/path");
    check_uri("http://localhost/", "must be ws or wss");
    check_uri("ws://localhost/#top", "fragment");
    check_uri("ws://localhost/a b", "write %20");
    check_uri("ws://[1::2::3]/", "IPv6");
    check_uri("ws://user@256.0.0.1.1:99999/", "0 to 65535");
    CHECK_STATUS(cw_socket_connect_start(s, "ws://a\0b/", 9, 1000), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "NUL");
    cw_socket_release(s);
}

/* Connects to a server that sends this reply. Returns NULL if it was accepted, or the error message. */
static cw_socket *answered(const char *reply, const char *after, const char *protocols, cw_status wanted)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_SUPPORTED_PROTOCOLS, protocols, strlen(protocols)), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_script("hs:%s%s", peer_hex(reply), after), CW_TIMEOUT_DEFAULT),
                 wanted);
    CHECK_INT(cw_socket_state(s), wanted == CW_OK ? CW_STATE_OPEN : CW_STATE_NEW);
    return s;
}

static void accepted(const char *reply) { peer_drop(answered(reply, "", "", CW_OK)); }

static void refused(const char *reply, const char *hint)
{
    cw_socket *s = answered(reply, "/end", "", CW_CONNECT_FAILED);

    CHECK_HAS(cw_error_message(), hint);
    CHECK_INT(cw_error_web_status(), CW_WEB_ErrorHttpInvalidServerResponse);
    cw_socket_release(s);
}

static void test_good_reply(void)
{
    accepted(START UPGRADE CONNECTION ACCEPT "\r\n");
    cw_shutdown(5000);
}

static void test_wrong_reply(void)
{
    refused(START CONNECTION ACCEPT "\r\n", "Upgrade header");
    refused(START UPGRADE CONNECTION "\r\n", "Sec-WebSocket-Accept");
    cw_shutdown(5000);
}

static void test_subprotocol(void)
{
    static const char chosen[] = START UPGRADE CONNECTION ACCEPT "Sec-WebSocket-Protocol: superchat\r\n\r\n";
    char text[32];
    cw_socket *s = answered(chosen, "", "chat, superchat", CW_OK);

    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_PROTOCOL, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, "superchat");
    peer_drop(s);
    cw_shutdown(5000);
    CHECK_HAS(peer_log(), "\\r\\nSec-WebSocket-Protocol: chat, superchat\\r\\n");
    /* no subprotocol was offered */
    peer_drop(answered(START UPGRADE CONNECTION ACCEPT "\r\n", "", "chat", CW_OK));
    refused(chosen, "subprotocol");
    cw_shutdown(5000);
}

static void test_cut_reply(void)
{
    static const char reply[] =
        START UPGRADE CONNECTION "Sec-WebSocket-Accept: xxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n";

    for (size_t len = 0; len < sizeof reply - 1; len += 7) {
        char part[sizeof reply];
        cw_socket *s;
        memcpy(part, reply, len);
        part[len] = '\0';
        s = answered(part, "/end", "", CW_CONNECT_FAILED);
        CHECK(*cw_error_message() != '\0');
        cw_socket_release(s);
    }
    refused(START UPGRADE CONNECTION ACCEPT, "in the middle"); /* everything except the empty line */
    cw_shutdown(5000);
}

static void test_interim(void)
{
    char text[256];
    cw_socket *s = answered(
        "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" START UPGRADE CONNECTION ACCEPT "\r\n", "", "", CW_OK);

    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_RESPONSE_HEADERS, text, sizeof text, NULL), CW_OK);
    CHECK(strstr(text, "Link") == NULL); /* only the headers of the final reply */
    CHECK_HAS(text, "Upgrade: websocket\r\n");
    peer_drop(s);
    cw_shutdown(5000);
}

static void status_refused(int status, int web_status)
{
    char reply[256], text[256];
    bool keeps_body;
    size_t len = 9;
    cw_socket *s;

    (void)snprintf(
        reply, sizeof reply,
        "HTTP/1.1 %d Because\r\nX-Reason: tired\r\nWWW-Authenticate: Basic realm=x\r\nLocation: /b\r\n"
        "Retry-After: 7\r\nContent-Length: 4\r\n\r\nbody",
        status);
    s = answered(reply, "", "", CW_CONNECT_FAILED);
    CHECK_INT(cw_error_http_status(), status);
    CHECK_INT(cw_error_web_status(), web_status);
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_RESPONSE_HEADERS, text, sizeof text, NULL), CW_OK);
    CHECK_HAS(text, "X-Reason: tired\r\n");
    CHECK_INT(cw_error_retry_after(), 7);
    CHECK_STATUS(cw_build_get(CW_BUILD_FEATURES, text, sizeof text, NULL), CW_OK);
    keeps_body = strstr(text, "refusal-body") != NULL;
    memset(text, 'x', sizeof text);
    CHECK_STATUS(cw_socket_get_refusal_body(s, NULL, 0, &len), CW_OK);
    CHECK_INT(len, keeps_body ? 4 : 0);
    CHECK_STATUS(cw_socket_get_refusal_body(s, text, 3, &len), CW_OK); /* cut */
    CHECK_INT(len, keeps_body ? 4 : 0);
    CHECK(memcmp(text, keeps_body ? "bodx" : "xxxx", 4) == 0);
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_REFUSED_WS"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_retry_after(), -1);
    CHECK_STATUS(cw_socket_get_refusal_body(s, text, sizeof text, &len), CW_OK);
    CHECK_INT(len, 0); /* a connect forgets the body of the last one */
    cw_socket_release(s);
}

static void test_refused(void)
{
    status_refused(404, CW_WEB_NotFound);
    status_refused(426, CW_WEB_UnexpectedClientError);
    cw_shutdown(5000);
}

static void set_header(cw_socket *s, const char *name, const char *value)
{
    CHECK_STATUS(cw_socket_set_request_header(s, name, strlen(name), value, strlen(value)), CW_OK);
}

static const char *request_of(cw_socket *s)
{
    peer_connect(s, peer_script("echo"));
    peer_finish(s);
    return peer_log();
}

static void test_request(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    char first[32];
    const char *log = request_of(s), *key = strstr(log, "Sec-WebSocket-Key: ");

    CHECK_HAS(log, "\"request\": \"GET /s/echo?id=");
    CHECK_HAS(log, " HTTP/1.1\\r\\n");
    CHECK_HAS(log, "\\r\\nHost: 127.0.0.1:");
    CHECK_HAS(log, "\\r\\nUpgrade: websocket\\r\\n");
    CHECK_HAS(log, "\\r\\nConnection: Upgrade\\r\\n");
    CHECK_HAS(log, "\\r\\nSec-WebSocket-Version: 13\\r\\n");
    CHECK_HAS(log, "\\r\\nUser-Agent: curlwire/" CW_VERSION " libcurl/");
    CHECK(strstr(log, "Origin") == NULL);
    CHECK(strstr(log, "Sec-WebSocket-Extensions") == NULL);
    CHECK(strstr(log, "Sec-WebSocket-Protocol") == NULL);
    CHECK(key && strncmp(key + 19 + 22, "==\\r\\n", 6) == 0); /* 16 bytes in base64 */
    CHECK(strstr(key + 1, "Sec-WebSocket-Key") == NULL);
    (void)snprintf(first, sizeof first, "%.24s", key + 19);
    log = request_of(peer_socket(CW_MESSAGE_SOCKET));
    CHECK(strstr(log, first) == NULL); /* each connection has a new key */
}

static void test_headers(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *log;

    set_header(s, "X-One", "1");
    set_header(s, "Authorization", "Bearer t:o k");
    set_header(s, "User-Agent", "mine/1");
    set_header(s, "Accept", "");
    set_header(s, "Origin", "https://here");
    set_header(s, "Host", "elsewhere");
    log = request_of(s);
    CHECK_HAS(log, "\\r\\nX-One: 1\\r\\n");
    CHECK_HAS(log, "\\r\\nAuthorization: Bearer t:o k\\r\\n");
    CHECK_HAS(log, "\\r\\nUser-Agent: mine/1\\r\\n");
    CHECK(strstr(log, "curlwire/") == NULL);
    CHECK(strstr(log, "\\r\\nAccept:") == NULL);
    CHECK_HAS(log, "\\r\\nOrigin: https://here\\r\\n");
    CHECK_HAS(log, "\\r\\nHost: elsewhere\\r\\n");
}

/* A header of the program takes precedence over the control of that header. */
static void test_header_controls(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *log;

    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_USER_AGENT, "mine/1 (x)", 10), CW_OK);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_ORIGIN, "https://here", 12), CW_OK);
    log = request_of(s);
    CHECK_HAS(log, "\\r\\nUser-Agent: mine/1 (x)\\r\\n");
    CHECK_HAS(log, "\\r\\nOrigin: https://here\\r\\n");
    CHECK(strstr(log, "curlwire/") == NULL);
    s = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_USER_AGENT, "mine/1", 6), CW_OK);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_ORIGIN, "https://here", 12), CW_OK);
    set_header(s, "user-agent", "other/2");
    set_header(s, "Origin", "");
    log = request_of(s);
    CHECK_HAS(log, "\\r\\nuser-agent: other/2\\r\\n");
    CHECK(strstr(log, "mine/1") == NULL && strstr(log, "Origin") == NULL);
}

static void add_header(cw_socket *s, const char *name, const char *value, cw_status wanted)
{
    CHECK_STATUS(cw_socket_add_request_header(s, name, strlen(name), value, strlen(value)), wanted);
}

static void test_added_headers(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *log;

    set_header(s, "X-Gone", "");
    add_header(s, "X-Tag", "1", CW_OK);
    add_header(s, "x-tag", "", CW_OK);
    add_header(s, "X-Other", " \t ", CW_OK);
    add_header(s, "X-Tag", "\t2 ", CW_OK);
    add_header(s, "Cookie", "a=1", CW_OK);
    add_header(s, "Cookie", "b=2", CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "Cookie must not be repeated: replace the first value, or join");
    log = request_of(s);
    CHECK_HAS(log, "\\r\\nX-Tag: 1\\r\\nx-tag:\\r\\nX-Other:\\r\\nX-Tag: 2\\r\\nCookie: a=1\\r\\n");
    CHECK(strstr(log, "X-Gone") == NULL && strstr(log, "b=2") == NULL);
}

/* Adds a header with a value of len_bytes. Returns the status of the call. */
static cw_status add_large(cw_socket *s, const char *name, size_t len_bytes)
{
    char *value = malloc(len_bytes);
    cw_status status;

    CHECK(value != NULL);
    memset(value, 'v', len_bytes);
    status = cw_socket_add_request_header(s, name, strlen(name), value, len_bytes);
    free(value);
    return status;
}

static void test_header_limits(void)
{
    char name[CW__HEADER_NAME_AT_MOST + 2];
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    add_header(s, name, "1", CW_INVALID_ARGUMENT);
    add_header(s, name + 1, "", CW_OK); /* 100 characters */
    CHECK_STATUS(add_large(s, "X-Large", CW__HEADER_AT_MOST + 1), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "X-Large");
    CHECK(strstr(cw_error_message(), "vv") == NULL);
    CHECK_STATUS(add_large(s, "X-Large", CW__HEADER_AT_MOST), CW_OK);
    CHECK_STATUS(add_large(s, "X-More", CW__HEADERS_AT_MOST - CW__HEADER_AT_MOST), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "X-More");
    CHECK_STATUS(add_large(s, "X-More", CW__HEADERS_AT_MOST - CW__HEADER_AT_MOST - 200), CW_OK);
    cw_socket_release(s);
}

static void test_no_user_agent(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    set_header(s, "User-Agent", "");
    CHECK(strstr(request_of(s), "User-Agent") == NULL);
}

/* ---- TLS ---- */

static cw_status over_tls(const char *uri, const char *ca_file, bool verify)
{
    cw_socket *s = peer_socket(CW_STREAM_SOCKET);
    cw_status status;

    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, ca_file, strlen(ca_file)), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_VERIFY, verify), CW_OK);
    status = peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT);
    cw_socket_release(s);
    return status;
}

static void test_tls(void)
{
    const char *ca_file = peer_env("CW_CA_FILE");

    CHECK_STATUS(over_tls(peer_env("CW_ECHO_WSS"), ca_file, true), CW_OK);
    CHECK_STATUS(over_tls(peer_env("CW_ECHO_WSS"), "", true), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_CertificateIsInvalid);
    CHECK_STATUS(over_tls(peer_env("CW_BADHOST_WSS"), ca_file, true), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_CertificateCommonNameIsIncorrect);
    CHECK_STATUS(over_tls(peer_env("CW_EXPIRED_WSS"), ca_file, true), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_CertificateExpired);
    cw_shutdown(5000);
}

static void test_tls_unverified(void)
{
    CHECK_STATUS(over_tls(peer_env("CW_ECHO_WSS"), "", false), CW_OK);
    CHECK_STATUS(over_tls(peer_env("CW_BADHOST_WSS"), "", false), CW_OK);
    CHECK_STATUS(over_tls(peer_env("CW_EXPIRED_WSS"), "", false), CW_OK);
    cw_shutdown(5000);
}

static void test_tls_faults(void)
{
    char uri[128];

    CHECK_STATUS(over_tls(peer_env("CW_ECHO_WSS"), "/no/such/file.pem", true), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), "/no/such/file.pem");
    CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
    (void)snprintf(uri, sizeof uri, "wss%s", strchr(peer_env("CW_ECHO_WS"), ':')); /* a port without TLS */
    CHECK_STATUS(over_tls(uri, peer_env("CW_CA_FILE"), true), CW_CONNECT_FAILED);
    cw_shutdown(5000);
}

/* ---- Proxies ---- */

static void test_proxy(void)
{
    static const char *const bad[] = {"http://joe:s3c/s3cret@127.0.0.1:3128", "foo://joe:s3cret@127.0.0.1:1",
                                      "http://joe:s3cret@127.0.0.1:99999", "http://joe:s3cret@127.0.0.1:1 "};
    const char *uri = peer_env("CW_ECHO_WS");
    cw_socket *s = peer_socket(CW_STREAM_SOCKET);

    CHECK(unsetenv("no_proxy") == 0 && unsetenv("NO_PROXY") == 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(setenv("ws_proxy", bad[i], 1) == 0);
        CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
        CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
        CHECK_HAS(cw_error_message(), "the environment variable ws_proxy is malformed: ");
        CHECK(!strstr(cw_error_message(), "s3c") && !strstr(cw_error_message(), "joe"));
        CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    }
    CHECK(setenv("ws_proxy", "http://joe:s3cret@127.0.0.1:1", 1) == 0);
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_CannotConnect);
    CHECK_HAS(cw_error_message(), "cannot connect to the proxy 127.0.0.1:1: ");
    CHECK(setenv("no_proxy", strstr(uri, "://") + 3, 1) == 0); /* host:port */
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_OK);
    peer_drop(s);
    cw_shutdown(5000);
}

static const harness_test tests[] = {
    {"RFC 6455 3: malformed URIs, and other schemes", test_uri},
    {"RFC 6455 4.1: a right reply", test_good_reply},
    {"RFC 6455 4.1: wrong replies", test_wrong_reply},
    {"RFC 6455 4.1 (6): the subprotocol, chosen or not offered", test_subprotocol},
    {"a reply cut off anywhere", test_cut_reply},
    {"RFC 8297: an interim reply comes first", test_interim},
    {"RFC 6455 4.1 (1): another status than 101", test_refused},
    {"RFC 6455 4.1: the request as the server got it", test_request},
    {"the caller's request headers", test_headers},
    {"the controls for headers", test_header_controls},
    {"RFC 9110 5.3: headers of one name, and empty ones", test_added_headers},
    {"limits of request headers", test_header_limits},
    {"removing a header of libcurl", test_no_user_agent},
    {"TLS: good, unknown authority, wrong host, expired", test_tls},
    {"TLS: verify off", test_tls_unverified},
    {"TLS: a missing CA file, a server without TLS", test_tls_faults},
    {"a malformed proxy, a proxy that does not answer, a proxy that is excluded", test_proxy},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

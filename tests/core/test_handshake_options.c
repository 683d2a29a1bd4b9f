/* SPDX-License-Identifier: MIT */
/* Tests of handshake.c alone: the options that it sets, and its answer when libcurl asks for a socket.
 * test_proxy_options.c tests those for proxies, and test_handshake_verdict.c the verdict on the result. test_handshake.c, test_addresses.c,
 * tests/python/test_proxy.py and tests/faults test connections. */
#include "curl_play.h"

#include <fcntl.h>

/* ---- Options ---- */

static void test_plain(void)
{
    cw__handshake *h;

    wish_nothing();
    h = made("ws://user:pass@server.test:81/a/../b?c", NULL);
    CHECK_STR(text_of(CURLOPT_URL), "ws://user:pass@server.test:81/");
    CHECK_STR(text_of(CURLOPT_REQUEST_TARGET), "/a/../b?c");
    CHECK_STR(text_of(CURLOPT_PROTOCOLS_STR), "ws,wss");
    CHECK_STR(text_of(CURLOPT_USERAGENT), "curlwire/" CW_VERSION " libcurl/9.9.9");
    CHECK_INT(number_of(CURLOPT_CONNECT_ONLY), 2);
    CHECK_INT(number_of(CURLOPT_WS_OPTIONS), CURLWS_NOAUTOPONG);
    CHECK_INT(number_of(CURLOPT_NOSIGNAL), 1);
    CHECK_INT(number_of(CURLOPT_HTTPPROXYTUNNEL), 1);
    CHECK_INT(number_of(CURLOPT_DNS_CACHE_TIMEOUT), 0);
    CHECK_INT(number_of(CURLOPT_UPLOAD_BUFFERSIZE), 16384);
    CHECK_INT(number_of(CURLOPT_BUFFERSIZE), 1024);
    CHECK_INT(number_of(CURLOPT_TCP_NODELAY), 1);
    CHECK_INT(number_of(CURLOPT_QUICK_EXIT), 1);
    CHECK_INT(number_of(CURLOPT_CONNECTTIMEOUT_MS), 5000);
    CHECK(find(CURLOPT_ERRORBUFFER) && find(CURLOPT_WRITEFUNCTION) && find(CURLOPT_SOCKOPTFUNCTION));
    CHECK(!find(CURLOPT_VERBOSE) && !find(CURLOPT_DEBUGFUNCTION));
    CHECK(find(CURLOPT_OPENSOCKETFUNCTION) && find(CURLOPT_OPENSOCKETDATA)->is.pointer == h);
    CHECK_STR(text_of(CURLOPT_PROXY), "");
    CHECK_STR(text_of(CURLOPT_NOPROXY), "*");
    CHECK(!cw__handshake_is_at_proxy(h));
    CHECK(!find(CURLOPT_USERNAME) && !find(CURLOPT_PASSWORD));
    CHECK_INT(cw__handshake_proxy(h)->kind, CW__PROXY_NONE);
    CHECK_STR(cw__handshake_tls_party(h), "the server");
    CHECK(cw__handshake_easy(h) != NULL);
    cw__handshake_destroy(h);
    wishes.no_delay = false;
    wishes.timeout_ms = -1;
    h = made("ws://server.test/", NULL);
    CHECK_INT(number_of(CURLOPT_TCP_NODELAY), 0);
    CHECK_INT(number_of(CURLOPT_CONNECTTIMEOUT_MS), INT32_MAX);
    cw__handshake_destroy(h);
    wishes.timeout_ms = 1;
    wishes.user = "jim";
    wishes.password = "s:cret";
    h = made("ws://server.test/", NULL);
    CHECK_STR(text_of(CURLOPT_USERNAME), "jim");
    CHECK_STR(text_of(CURLOPT_PASSWORD), "s:cret");
    CHECK_INT(number_of(CURLOPT_CONNECTTIMEOUT_MS), 1);
    cw__handshake_destroy(h);
    wishes.timeout_ms = 0;
    h = made("ws://server.test/", NULL);
    CHECK_INT(number_of(CURLOPT_CONNECTTIMEOUT_MS), INT32_MAX);
    cw__handshake_destroy(h);
}

static void test_tls(void)
{
    cw__handshake *h;

    wish_nothing();
    h = made("wss://server.test/", NULL);
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYPEER), 1);
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYHOST), 2);
    CHECK_INT(number_of(CURLOPT_SSLVERSION), CURL_SSLVERSION_TLSv1_2);
    CHECK_INT(number_of(CURLOPT_SSL_SESSIONID_CACHE), 0);
    CHECK_INT(number_of(CURLOPT_VERBOSE), 1);
    CHECK_STR(text_of(CURLOPT_CAINFO), "/sys/ca.pem"); /* never what libcurl was built with */
    CHECK_STR(text_of(CURLOPT_CAPATH), "(none)");
    CHECK(!find(CURLOPT_CRLFILE));
    cw__handshake_destroy(h);
    wishes.ca_path = "/x/folder";
    h = made("wss://server.test/", NULL);
    CHECK_STR(text_of(CURLOPT_CAINFO), "/in/it.0");
    CHECK_STR(text_of(CURLOPT_CAPATH), "/x/folder");
    cw__handshake_destroy(h);
    wishes.ca_path = "";
    wishes.ca_file = "/x/ca.pem";
    wishes.crl_file = "/x/crl.pem";
    h = made("wss://server.test/", NULL);
    CHECK_STR(text_of(CURLOPT_CAINFO), "/x/ca.pem");
    CHECK_STR(text_of(CURLOPT_CAPATH), "(none)");
    CHECK_STR(text_of(CURLOPT_CRLFILE), "/x/crl.pem");
    cw__handshake_destroy(h);
    version.capath = "/etc/ssl/certs";
    h = made("wss://server.test/", NULL);
    CHECK_STR(text_of(CURLOPT_CAPATH), "/dev/null"); /* since 8.21.0 NULL means that folder */
    cw__handshake_destroy(h);
    version.version_num--;
    h = made("wss://server.test/", NULL);
    CHECK_STR(text_of(CURLOPT_CAPATH), "(none)");
    cw__handshake_destroy(h);
    version.version_num++;
    version.capath = NULL;
    wishes.verify = false; /* no list of revoked certificates either, because it is part of the check */
    h = made("wss://server.test/", NULL);
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYPEER), 0);
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYHOST), 0);
    CHECK(!find(CURLOPT_CAINFO) && !find(CURLOPT_CAPATH) && !find(CURLOPT_CRLFILE));
    CHECK(!cw__handshake_authorities(h)->file);
    cw__handshake_destroy(h);
    has_no_authorities = true;
    cw__handshake_destroy(made("wss://server.test/", NULL)); /* nothing is looked for */
    cw__handshake_destroy(made("ws://server.test/", NULL));
    wishes.verify = true;
    CHECK(create("wss://server.test/", NULL) == NULL);
    CHECK_STR(cw_error_message(), "none");
    CHECK_INT(setting_count, 0);
    has_no_authorities = false;
}

/* Any file that can be read passes: libcurl finds out what is in it. */
static void test_client_certificate(void)
{
    static char some_bytes[] = "x";
    static const struct {
        cw__client_certificate client;
        cw_option option;
        const char *words;
    } bad[] = {
        {{.file = "/nowhere/c.pem", .key = "", .password = "s3cret"},
         CW_OPT_CLIENT_CERTIFICATE,
         "client_certificate '/nowhere/c.pem' cannot be used: No such file or directory; check"},
        {{.file = "/", .key = "", .password = "s3cret"},
         CW_OPT_CLIENT_CERTIFICATE,
         "client_certificate '/' cannot be used: it is not a regular"},
        {{.file = "/dev/null", .key = "", .password = ""},
         CW_OPT_CLIENT_CERTIFICATE,
         "it is not a regular file; set client_certificate"},
        {{.file = "/proc/self/exe", .key = "/nowhere/k.pem", .password = "s3cret"},
         CW_OPT_CLIENT_KEY,
         "client_key '/nowhere/k.pem' cannot be used: No such file"},
        {{.file = "", .key = "/k", .password = ""},
         CW_OPT_CLIENT_KEY,
         "client_key is set without client_certificate: set client_certificate too, or "
         "client_certificate_data"},
        {{.file = "", .key = "", .key_data = {some_bytes, 1}, .password = "s3cret"},
         CW_OPT_CLIENT_KEY_DATA,
         "client_key_data is set without client_certificate"},
        {{.file = "/c", .data = {some_bytes, 1}, .key = "", .password = ""},
         CW_OPT_CLIENT_CERTIFICATE_DATA,
         "client_certificate and client_certificate_data are both set: unset one of them"},
        {{.file = "/c", .key = "/k", .key_data = {some_bytes, 1}, .password = ""},
         CW_OPT_CLIENT_KEY_DATA,
         "client_key and client_key_data are both set: unset one of them"},
        {{.file = "", .key = "", .password = "s3cret"},
         CW_OPT_CLIENT_KEY_PASSWORD,
         "client_key_password is set without client_certificate"},
        {{.file = "/proc/self/exe", .key = "/proc/self/exe", .password = "", .is_pkcs12 = true},
         CW_OPT_CLIENT_KEY,
         "client_key is set beside a PKCS#12 file"},
    };
    cw__handshake *h;

    wish_nothing();
    wishes.client = (cw__client_certificate){.file = "/proc/self/exe", .key = "", .password = ""};
    h = made("wss://server.test/", NULL);
    CHECK_STR(text_of(CURLOPT_SSLCERT), "/proc/self/exe");
    CHECK_STR(text_of(CURLOPT_SSLCERTTYPE), "PEM");
    CHECK_STR(text_of(CURLOPT_KEYPASSWD), ""); /* so that OpenSSL does not ask at the terminal */
    CHECK(!find(CURLOPT_SSLKEY));
    cw__handshake_destroy(h);
    wishes.client.key = "/proc/self/exe";
    wishes.client.password = "s3cret";
    h = made("wss://server.test/", "https://proxy.test:3128");
    CHECK_STR(text_of(CURLOPT_SSLKEY), "/proc/self/exe");
    CHECK_STR(text_of(CURLOPT_KEYPASSWD), "s3cret");
    CHECK(!find(CURLOPT_PROXY_SSLCERT) && !find(CURLOPT_PROXY_SSLKEY) && !find(CURLOPT_PROXY_KEYPASSWD));
    cw__handshake_destroy(h);
    wishes.client.key = "";
    wishes.client.is_pkcs12 = true;
    h = made("wss://server.test/", NULL);
    CHECK_STR(text_of(CURLOPT_SSLCERTTYPE), "P12");
    cw__handshake_destroy(h);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wishes.client = bad[i].client;
        CHECK(create("wss://server.test/", NULL) == NULL);
        CHECK_INT(setting_count, 0);
        CHECK(strstr(cw_error_message(), bad[i].words) && !strstr(cw_error_message(), "s3cret"));
        CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
        CHECK_INT(cw_error_option(), bad[i].option);
        cw__handshake_destroy(made("ws://server.test/", NULL)); /* without TLS nothing is looked at */
        CHECK(!find(CURLOPT_SSLCERT) && !find(CURLOPT_KEYPASSWD));
    }
}

static void test_headers(void)
{
    static const char *const wanted[] = {"Sec-WebSocket-Protocol: a, b",
                                         "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
                                         "X-One: 1", "User-Agent:", NULL};
    const struct curl_slist *at;
    char key[64];
    cw__handshake *h;
    size_t i = 0;

    wish_nothing();
    wishes.protocols = "a, b";
    wishes.request.headers = "X-One: 1\nUser-Agent:\n";
    wishes.compression = (cw__compression){.is_on = true, .server_bits = 15, .client_bits = 15};
    h = made("ws://server.test/", NULL);
    at = find(CURLOPT_HTTPHEADER)->is.pointer;
    (void)snprintf(key, sizeof key, "%s", at->data);
    CHECK(strncmp(key, "Sec-WebSocket-Key: ", 19) == 0 && strlen(key) == 19 + CW__KEY_CHARS);
    for (at = at->next; at; at = at->next)
        CHECK_STR(at->data, wanted[i++]);
    CHECK(wanted[i] == NULL);
    cw__handshake_destroy(h);
    wish_nothing();
    h = made("ws://server.test/", NULL);
    at = find(CURLOPT_HTTPHEADER)->is.pointer;
    CHECK(at && !at->next && strcmp(at->data, key) != 0); /* a new key, and no header that was not asked for */
    cw__handshake_destroy(h);
}

/* The headers of the request after the key, joined by "|". */
static const char *lines_after_key(void)
{
    static char joined[256];
    const struct curl_slist *at = find(CURLOPT_HTTPHEADER)->is.pointer;

    joined[0] = '\0';
    for (at = at->next; at; at = at->next)
        (void)snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s|", at->data);
    return joined;
}

static void test_header_controls(void)
{
    static const struct {
        const char *headers, *origin, *lines;
    } rows[] = {
        {"", "https://a", "Origin: https://a|"},
        {"X-B: 2\nX-A: 1\nX-B: 3\n", "https://a", "Origin: https://a|X-B: 2|X-A: 1|X-B: 3|"},
        {"X: 1\norigin: https://b\n", "https://a", "X: 1|origin: https://b|"},
        {"Origin:\n", "https://a", "Origin:|"},
        {"Origin;\n", "https://a", "Origin;|"},
        {"Origin-X: 1\nX: Origin:\n", "https://a", "Origin: https://a|Origin-X: 1|X: Origin:|"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wish_nothing();
        wishes.request.headers = rows[i].headers;
        wishes.request.origin = rows[i].origin;
        wishes.request.user_agent = "mine/1 (x)";
        cw__handshake_destroy(made("ws://server.test/", NULL));
        CHECK_STR(text_of(CURLOPT_USERAGENT), "mine/1 (x)");
        wishes.request.user_agent = "";
        cw__handshake *h = made("ws://server.test/", NULL);
        CHECK_STR(text_of(CURLOPT_USERAGENT), "curlwire/" CW_VERSION " libcurl/9.9.9");
        CHECK_STR(lines_after_key(), rows[i].lines);
        cw__handshake_destroy(h);
    }
}

/* An option that libcurl refuses is always an error. */
static void test_refused_options(void)
{
    static const char *const proxies[] = {NULL, "http://joe:pass@proxy.test:3128", "https://proxy.test:3128"};

    wish_nothing();
    wishes.ca_file = "/x/ca.pem";
    wishes.crl_file = "/x/crl.pem";
    wishes.race = (cw__race *)(void *)&race_fd;
    wishes.user = wishes.password = "x";
    wishes.client =
        (cw__client_certificate){.file = "/proc/self/exe", .key = "/proc/self/exe", .password = "x"};
    for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) {
        size_t count;
        fail_at = SIZE_MAX;
        cw__handshake_destroy(made("wss://server.test/", proxies[i]));
        count = setting_count;
        CHECK(count > 30);
        for (fail_at = 0; fail_at < count; fail_at++) {
            bool is_no_proxy = !proxies[i] && fail_at >= count - 2; /* libcurl may lack proxies */
            cw__handshake *h;
            fail_with = CURLE_UNKNOWN_OPTION;
            h = create("wss://server.test/", proxies[i]);
            CHECK_INT(h != NULL, is_no_proxy);
            cw__handshake_destroy(h);
            fail_with = CURLE_NOT_BUILT_IN;
            h = create("wss://server.test/", proxies[i]);
            CHECK_INT(h != NULL, is_no_proxy);
            if (!h)
                CHECK(strstr(cw_error_message(), "CURLE_NOT_BUILT_IN") != NULL);
            if (!h)
                CHECK_INT(setting_count, fail_at + 1); /* no option is set after the option that failed */
            cw__handshake_destroy(h);
            fail_with = CURLE_OUT_OF_MEMORY;
            CHECK(create("wss://server.test/", proxies[i]) == NULL);
            CHECK(strstr(cw_error_message(), "no memory") != NULL);
        }
    }
    fail_at = 0;
    fail_with = CURLE_URL_MALFORMAT;
    CHECK(create("ws://server.test/", NULL) == NULL);
    CHECK_STR(cw_error_message(),
              "the host is neither a name nor an IPv4 address: write it as in wss://host/path");
    fail_at = SIZE_MAX;
    has_no_random = true;
    CHECK(create("ws://server.test/", NULL) == NULL);
    CHECK(strstr(cw_error_message(), "the system gives no random bytes: it refuses getrandom") != NULL);
    has_no_random = false;
}

static bool create_once(void *arg)
{
    cw__handshake *h;
    int count = 0;

    (void)arg;
    append_count = 0;
    h = cw__handshake_create(&wishes);
    for (const struct curl_slist *at = h ? find(CURLOPT_HTTPHEADER)->is.pointer : NULL; at; at = at->next)
        count++;
    CHECK_INT(count, h ? 6 : 0); /* none of the request's headers was dropped */
    if (!h)
        CHECK(strstr(cw_error_message(), "no memory") != NULL);
    setting_count = 0;
    cw__handshake_destroy(h);
    return h != NULL;
}

static void test_no_memory(void)
{
    char fault[CW__URI_FAULT_BYTES];

    wish_nothing();
    wishes.protocols = "a";
    wishes.request = (cw__request_settings){.headers = "X: y\n", .user_agent = "u", .origin = "https://a"};
    wishes.compression = (cw__compression){.is_on = true, .server_bits = 15, .client_bits = 15};
    clear_environment();
    CHECK_INT(setenv("all_proxy", "http://joe:pass@proxy.test:3128", 1), 0);
    wishes.login.bearer = "t";
    wishes.proxy.user = wishes.proxy.password = "x";
    CHECK_INT(cw__uri_read("wss://server.test/", 18, &uri, fault), CW__URI_OK);
    wishes.uri = &uri;
    each_allocation_fails(create_once, NULL);
    for (append_fails_at = 0; append_fails_at < 6; append_fails_at++) /* libcurl's own allocations */
        CHECK(!create_once(NULL));
    append_fails_at = SIZE_MAX;
    CHECK(create_once(NULL));
    cw__uri_destroy(&uri);
}

/* ---- Sockets ---- */

static void test_sockets(void)
{
    struct curl_sockaddr address = {.family = AF_INET,
                                    .socktype = SOCK_STREAM,
                                    .protocol = IPPROTO_TCP,
                                    .addrlen = sizeof(struct sockaddr_in),
                                    .addr = {.sa_family = AF_INET}};
    curl_opensocket_callback on_open;
    curl_sockopt_callback on_socket;
    cw__handshake *h;
    int fd;

    wish_nothing();
    wishes.race = (cw__race *)(void *)&race_fd;
    h = made("ws://server.test/", "http://[fe80::1%25lo]:3128"); /* only libcurl applies a zone */
    CHECK(!cw__handshake_races(h));
    cw__handshake_destroy(h);
    h = made("ws://server.test/", NULL);
    CHECK(cw__handshake_races(h));
    CHECK_INT(number_of(CURLOPT_DNS_CACHE_TIMEOUT), -1);
    CHECK(find(CURLOPT_OPENSOCKETDATA)->is.pointer == h && find(CURLOPT_SOCKOPTDATA)->is.pointer == h);
    memcpy(&on_open, &find(CURLOPT_OPENSOCKETFUNCTION)->is, sizeof on_open);
    memcpy(&on_socket, &find(CURLOPT_SOCKOPTFUNCTION)->is, sizeof on_socket);

    race_state = CW__RACE_GATHERING;
    CHECK_INT(on_open(h, CURLSOCKTYPE_IPCXN, &address), CURL_SOCKET_BAD);
    CHECK_INT(race_added, 1);
    race_state = CW__RACE_LOST;
    fd = on_open(h, CURLSOCKTYPE_IPCXN, &address); /* the race has no socket: make one for another connection */
    CHECK(fd >= 0);
    CHECK_INT(address.family, AF_INET);
    CHECK_INT(on_socket(h, fd, CURLSOCKTYPE_IPCXN), CURL_SOCKOPT_OK);
    CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
    race_fd = fd;
    address.addr.sa_family = AF_INET;
    CHECK_INT(on_open(h, CURLSOCKTYPE_IPCXN, &address), fd);
    CHECK_INT(address.family, AF_INET6);
    CHECK_INT(address.addrlen, sizeof(struct sockaddr_in6));
    CHECK_INT(on_socket(h, fd, CURLSOCKTYPE_IPCXN), CURL_SOCKOPT_ALREADY_CONNECTED);
    CHECK_INT(on_socket(NULL, fd, CURLSOCKTYPE_IPCXN), CURL_SOCKOPT_OK); /* after the handle was released */
    CHECK_INT(race_added, 1);
    race_fd = 0; /* 0 is a descriptor too */
    CHECK_INT(on_open(h, CURLSOCKTYPE_IPCXN, &address), 0);
    race_fd = -1;
    CHECK_INT(on_socket(h, fd, CURLSOCKTYPE_IPCXN), CURL_SOCKOPT_ALREADY_CONNECTED);
    (void)close(fd);
    cw__handshake_destroy(h);
}

/* Memory that stays with the handle must not point to memory that is freed. */
static void test_release(void)
{
    static const CURLoption cleared[] = {CURLOPT_HTTPHEADER, CURLOPT_ERRORBUFFER, CURLOPT_HEADERFUNCTION,
                                         CURLOPT_HEADERDATA, CURLOPT_SOCKOPTDATA, CURLOPT_OPENSOCKETFUNCTION,
                                         CURLOPT_WRITEDATA,  CURLOPT_XFERINFODATA};
    cw__handshake *h;
    CURL *easy;

    wish_nothing();
    h = made("ws://server.test/", NULL);
    strcpy((char *)find(CURLOPT_ERRORBUFFER)->is.pointer, "x");
    cw__handshake_restart(h, NULL);
    CHECK_STR((char *)find(CURLOPT_ERRORBUFFER)->is.pointer, "");
    easy = cw__handshake_release_easy(h);
    CHECK(easy && !cw__handshake_easy(h));
    for (size_t i = 0; i < sizeof cleared / sizeof *cleared; i++)
        CHECK(find(cleared[i]) && !find(cleared[i])->is.pointer);
    cw__handshake_destroy(h);
    cw__handshake_destroy(NULL);
    curl_easy_cleanup(easy);
}

static const harness_test tests[] = {
    {"the options of a plain connection", test_plain},
    {"the options of TLS", test_tls},
    {"the options of a client certificate", test_client_certificate},
    {"RFC 6455 4.1: the request's headers", test_headers},
    {"the controls for headers, and the order of headers", test_header_controls},
    {"an option that libcurl refuses is an error", test_refused_options},
    {"each allocation fails once", test_no_memory},
    {"sockets of libcurl and of the race", test_sockets},
    {"a handle that is released", test_release},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

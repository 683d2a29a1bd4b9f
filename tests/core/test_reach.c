/* SPDX-License-Identifier: MIT */
/* Tests of reach.c and of its use in handshake.c, without libcurl: checks, options, socket options, and the texts of errors.
 * tests/python/test_reaching.py and tests/faults/test_reaching.py test connections. */
#include "curl_play.h"
#include "peer.h"

#include <netinet/tcp.h>
#include <unistd.h>

/* The error begins with the name of its control, or says at least which one it is about. */
static void expect_control(const char *message, int option)
{
    CHECK(option != CW_OPTION_NONE);
    CHECK_HAS(message, cw_option_key((cw_option)option));
}

static void check_fails(cw__reach reach, const char *words)
{
    CHECK_STATUS(cw__reach_check(&reach, false, false), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), words);
    expect_control(cw_error_message(), cw_error_option());
    CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
}

static void test_checks(void)
{
    int none = -1, some = 7;
    char path[120] = {0};
    cw__reach good = REACH(.happy_ms = 200);

    CHECK_STATUS(cw__reach_check(&good, true, true), CW_OK);
    memset(path, 'p', 107);
    good.unix_path = path;
    CHECK_STATUS(cw__reach_check(&good, true, true), CW_OK);
    path[107] = 'p';
    check_fails(good, "is longer than the 107 bytes");
    check_fails(REACH(.local_port = 65535, .local_port_range = 2), "beyond port 65535");
    good = REACH(.local_port = 65535);
    CHECK_STATUS(cw__reach_check(&good, true, true), CW_OK);
    check_fails(REACH(.local_port_range = 2), "without local_port");
    check_fails(REACH(.interface = "nope0"), "no such network interface");
    check_fails(REACH(.interface = "host![::1]"), "after host!");
    check_fails(REACH(.doh_url = "https:"), "doh_url cannot be used");
    check_fails(REACH(.given = &some, .connect_to = "::a:"), "connect_to has no effect on");
    check_fails(REACH(.given = &some, .unix_path = "a"), "unix_socket_path has no effect on");
    check_fails(REACH(.given = &some, .abstract_name = "a"), "abstract_unix_socket has no");
    check_fails(REACH(.unix_path = "a", .curl_options = "A=1"), "curl_options has no effect on");
    good = REACH(.given = &some);
    CHECK_STATUS(cw__reach_check(&good, false, false), CW_OK);
    CHECK_STATUS(cw__reach_check(&good, true, true), CW_CONNECT_FAILED);
    CHECK_STATUS(cw__reach_check(&good, false, true), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), "connects a second time");
    CHECK_INT(cw_error_option(), CW_OPTION_NONE); /* two controls together */
    good = REACH(.doh_url = "https://dns.test/");
    CHECK_STATUS(cw__reach_check(&good, true, false), CW_OK);
    CHECK_STATUS(cw__reach_check(&good, false, true), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), "doh_url and ignorable_server_certificate_errors are both set");
    CHECK_INT(cw_error_option(), CW_OPT_DOH_URL);
    good = REACH(.given = &none);
    CHECK_STATUS(cw__reach_check(&good, false, false), CW_INVALID_STATE);
    CHECK_STR(cw_error_message(),
              "the last connect has used the connection that the program gave: give another one, or none");
}

static void test_interfaces(void)
{
    static const char no_interface[] =
        "' cannot be used: this machine has no such network interface; `ip address` "
        "shows interfaces and addresses",
                      no_address[] = "' cannot be used: after host! comes an IP address of this machine";
    static const struct {
        const char *interface, *fault; /* NULL = none */
    } interfaces[] = {
        {"lo", NULL},
        {"if!lo", NULL},
        {"::1", NULL},
        {"127.0.0.1", NULL},
        {"[::1]", NULL},
        {"host!127.0.0.1", NULL},
        {"host!::1", NULL},
        {"ifhost!lo!127.0.0.1", NULL},
        {"ifhost!!127.0.0.1", NULL},
        {"ifhost!lo!1.2.3.4", NULL},
        {"ifhost!nope0!127.0.0.1", no_interface},
        {"ifhost!lo!lo", no_address},
        {"ifhost!lo!", no_address},
        {"ifhost!lo", no_interface},
        {"host!", no_address},
        {"host!lo", no_address},
        {"host![::1]", no_address},
        {"if!nope0", no_interface},
        {"if!127.0.0.1", no_interface},
        {"nope0", no_interface},
        {"LO", no_interface},
    };
    char text[400];

    for (size_t i = 0; i < sizeof interfaces / sizeof *interfaces; i++) {
        cw__reach r = REACH(.interface = interfaces[i].interface);
        cw_status status = cw__reach_check(&r, false, false);
        (void)snprintf(text, sizeof text, "interface '%s%s", r.interface,
                       interfaces[i].fault ? interfaces[i].fault : "");
        CHECK_STR(status == CW_OK ? "" : cw_error_message(), interfaces[i].fault ? text : "");
    }
}

/* The whole text of each error, and the control that it is about. */
static void test_check_texts(void)
{
    static const char nothing[] = " has no effect on a Unix socket: unset it, or unset unix_socket_path",
                      given[] = " has no effect on a connection that the program has made: unset it";
    int some = 7;
    const struct {
        cw__reach with_path, with_given;
        cw_option option;
    } others[] = {
        {REACH(.unix_path = "a", .interface = "lo", .local_port = 1),
         REACH(.given = &some, .interface = "lo", .local_port = 1), CW_OPT_INTERFACE},
        {REACH(.unix_path = "a", .local_port = 1, .resolve = "a:1:::1"),
         REACH(.given = &some, .local_port = 1, .resolve = "a:1:::1"), CW_OPT_LOCAL_PORT},
        {REACH(.unix_path = "a", .resolve = "a:1:::1", .connect_to = ":::"),
         REACH(.given = &some, .resolve = "a:1:::1", .connect_to = ":::"), CW_OPT_RESOLVE},
        {REACH(.unix_path = "a", .connect_to = ":::", .doh_url = "https://a/"),
         REACH(.given = &some, .connect_to = ":::", .doh_url = "https://a/"), CW_OPT_CONNECT_TO},
        {REACH(.unix_path = "a", .doh_url = "https://a/", .curl_options = "A=1"),
         REACH(.given = &some, .doh_url = "https://a/", .curl_options = "A=1"), CW_OPT_DOH_URL},
        {REACH(.unix_path = "a", .curl_options = "A=1"), REACH(.given = &some, .curl_options = "A=1"),
         CW_OPT_CURL_OPTIONS},
    };
    char text[400];

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        cw_option option = others[i].option;
        check_fails(others[i].with_path, "");
        CHECK_INT(cw_error_option(), option);
        (void)snprintf(text, sizeof text, "%s%s", cw_option_key(option), nothing);
        CHECK_STR(cw_error_message(), text);
        check_fails(others[i].with_given, "");
        CHECK_INT(cw_error_option(), option);
        (void)snprintf(text, sizeof text, "%s%s", cw_option_key(option), given);
        CHECK_STR(cw_error_message(), text);
    }
    check_fails(REACH(.unix_path = "a", .abstract_name = "b"),
                "unix_socket_path and abstract_unix_socket are both set: unset one of them");
    CHECK_INT(cw_error_option(), CW_OPT_ABSTRACT_UNIX_SOCKET);
    check_fails(REACH(.abstract_name = "b", .local_port = 1),
                "local_port has no effect on a Unix socket: unset it, or unset abstract_unix_socket");
    check_fails(REACH(.local_port = 65535, .local_port_range = 2),
                "local_port 65535 and local_port_range 2 go beyond port 65535: lower one of them");
    check_fails(REACH(.local_port_range = 2),
                "local_port_range is set without local_port: set local_port to the first port");
    check_fails(REACH(.doh_url = "http://dns.test/"),
                "doh_url cannot be used: write the whole URL of a DNS-over-HTTPS server, as in "
                "https://dns.example/dns-query");
    check_fails(REACH(.given = &some, .abstract_name = "a", .curl_options = "A=1"),
                "curl_options has no effect on a Unix");
}

/* Checks a copy without a NUL, so that AddressSanitizer sees a read after its end. */
static cw_status check_item(cw_option option, const char *item)
{
    size_t len = strlen(item);
    char *copy = malloc(len ? len : 1);
    cw_status status;

    CHECK(copy != NULL);
    memcpy(copy, item, len);
    status = cw__reach_check_item(option, cw_option_key(option), copy, len);
    free(copy);
    return status;
}

static void test_items(void)
{
    static const struct {
        cw_option option;
        const char *good[16], *bad[40];
    } rows[] = {
        {CW_OPT_RESOLVE,
         {"a:1:::1", "*:1:::1", "a_b-c.D9:65535:127.0.0.1", "a:00001:[::1]", "zZ:9:1.2.3.4,::1,[::1]",
          "a:10:::"},
         {"",
          ":",
          "a",
          "a:1",
          "a:1:",
          ":1:::1",
          "**:1:::1",
          "a*:1:::1",
          "[::1]:1:::1",
          "a::::1",
          "a:0:::1",
          "a:65536:::1",
          "a:655350:::1",
          "a:1x:::1",
          "a:x1:::1",
          "a:/:::1",
          "a:;:::1",
          "a:1:[::1",
          "a:1:::1]",
          "a:1:[1.2.3.4]",
          "a:1:[]",
          "a:1:b",
          "a:1:::1,",
          "a:1:,::1",
          "a:1:::1,b",
          "a b:1:::1",
          "a/b:1:::1",
          "\xc3\xbc:1:::1"}},
        {CW_OPT_CONNECT_TO,
         {":::", "a:1:b:2", "::b:", ":1::2", "[::1]:1:[::2]:2", "a_b:65535:c-d.e:1"},
         {"", "a", "a:1", "a:1:b", "::", "a:1:b:2:", "a:1:b:2:3", "a:x:b:2", "a:1:b:x", "a:0:b:2",
          "a:1:b:65536", "*:1:b:2", "a:1:::1:2", "[::1:1:b:2", "[::1]x:1:b:2", "[1.2.3.4]:1:b:2", "[a]:1:b:2",
          "a:1:[]:2", "a b:1:c:2"}},
    };
    char name[400];

    for (size_t i = 0; i < 2; i++) {
        for (const char *const *item = rows[i].good; *item; item++)
            CHECK_STR(check_item(rows[i].option, *item) == CW_OK ? *item : cw_error_message(), *item);
        for (const char *const *item = rows[i].bad; *item; item++) {
            CHECK_STR(check_item(rows[i].option, *item) == CW_INVALID_ARGUMENT ? *item : "", *item);
            CHECK_INT(cw_error_option(), rows[i].option);
        }
    }
    CHECK_STATUS(check_item(CW_OPT_RESOLVE, "a:1:b"), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(), "resolve cannot have the item 'a:1:b': write HOST:PORT:ADDRESS, as in "
                                  "api.example:443:10.0.0.5,[2001:db8::5]; the host is in ASCII, or * for any");
    CHECK_STATUS(check_item(CW_OPT_CONNECT_TO, "a"), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(),
              "connect_to cannot have the item 'a': write HOST1:PORT1:HOST2:PORT2, as in "
              "api.example:443:staging.example:8443; a host is in ASCII, an IPv6 address in [ ]");
    memset(name, 'a', 255);
    (void)snprintf(name + 255, sizeof name - 255, ":1:::1"); /* the longest host */
    CHECK_STATUS(check_item(CW_OPT_RESOLVE, name), CW_OK);
    memset(name, 'a', 256);
    (void)snprintf(name + 256, sizeof name - 256, ":1:::1");
    CHECK_STATUS(check_item(CW_OPT_RESOLVE, name), CW_INVALID_ARGUMENT);
    CHECK_STATUS(check_item(CW_OPT_CURL_OPTIONS, "VERBOSE=1"), CW_INVALID_ARGUMENT);
    CHECK_STATUS(check_item(CW_OPT_CURL_OPTIONS, "HAPROXY_CLIENT_IP=~ "), CW_OK);
    for (char c = 1; c != 0; c++) { /* every byte but NUL */
        char item[] = {'H', 'A', 'P', 'R', 'O', 'X', 'Y', '_', 'C', 'L',
                       'I', 'E', 'N', 'T', '_', 'I', 'P', '=', c,   0};
        bool is_control = (unsigned char)c < ' ' || c == 0x7f;
        CHECK_STATUS(check_item(CW_OPT_CURL_OPTIONS, item), is_control ? CW_INVALID_ARGUMENT : CW_OK);
        if (is_control)
            CHECK_STR(cw_error_message(),
                      "curl_options has an item with a control character: remove the character");
    }
}

/* Which connections cannot use our race, or a shared multi. */
static void test_kinds(void)
{
    int fd = 7;
    cw__reach r[] = {REACH(.happy_ms = 200),
                     REACH(.given = &fd),
                     REACH(.unix_path = "a"),
                     REACH(.abstract_name = "a"),
                     REACH(.interface = "lo"),
                     REACH(.local_port = 5),
                     REACH(.curl_options = "IPRESOLVE=1"),
                     REACH(.resolve = "a:1:::1"),
                     REACH(.doh_url = "https://a/"),
                     REACH(.connect_to = "::a:")};
    static const char kinds[][4] = {"...", "lo.", "lo.", "lo.", ".o.", ".o.", ".oa", "..a", "..a", "..."};

    for (size_t i = 0; i < sizeof r / sizeof *r; i++) {
        CHECK_INT(cw__reach_is_local(&r[i]), kinds[i][0] == 'l');
        CHECK_INT(cw__reach_has_own_socket(&r[i]), kinds[i][1] == 'o');
        CHECK_INT(cw__reach_is_alone(&r[i]), kinds[i][2] == 'a');
    }
}

static void test_options(void)
{
    const struct curl_slist *list;
    cw__handshake *h;

    wish_nothing();
    h = made("ws://server.test/", NULL);
    CHECK_INT(number_of(CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS), 200);
    CHECK(!find(CURLOPT_RESOLVE) && !find(CURLOPT_CONNECT_TO) && !find(CURLOPT_INTERFACE) &&
          !find(CURLOPT_LOCALPORT));
    CHECK(!find(CURLOPT_TCP_KEEPALIVE) && !find(CURLOPT_DOH_URL) && !find(CURLOPT_UNIX_SOCKET_PATH));
    cw__handshake_destroy(h);
    wishes.reach = REACH(.resolve = "a:1:::1\nb:2:127.0.0.1", .connect_to = "::c:", .interface = "lo",
                         .local_port = 5000, .keeps_alive = true, .keep_idle_ms = 1001, .keep_interval_ms = 1,
                         .keep_count = 4, .doh_url = "https://d/", .curl_options = "IPRESOLVE=2");
    wishes.reach.local_port_range = 3;
    h = made("ws://server.test/", NULL);
    list = find(CURLOPT_RESOLVE)->is.pointer;
    CHECK_STR(list->data, "a:1:::1");
    CHECK_STR(list->next->data, "b:2:127.0.0.1");
    CHECK(!list->next->next);
    CHECK_STR(((const struct curl_slist *)find(CURLOPT_CONNECT_TO)->is.pointer)->data, "::c:");
    CHECK_STR(text_of(CURLOPT_INTERFACE), "if!lo");
    CHECK_INT(number_of(CURLOPT_LOCALPORT), 5000);
    CHECK_INT(number_of(CURLOPT_LOCALPORTRANGE), 3);
    CHECK_INT(number_of(CURLOPT_TCP_KEEPIDLE), 2);
    CHECK_INT(number_of(CURLOPT_TCP_KEEPINTVL), 1);
    CHECK_INT(number_of(CURLOPT_TCP_KEEPCNT), 4);
    CHECK_INT(number_of(CURLOPT_IPRESOLVE), 2);
    CHECK_STR(text_of(CURLOPT_DOH_URL), "https://d/");
    CHECK_STR(text_of(CURLOPT_CAINFO), "/sys/ca.pem"); /* for the DNS server */
    curl_easy_cleanup(cw__handshake_release_easy(h));
    CHECK(!find(CURLOPT_RESOLVE)->is.pointer && !find(CURLOPT_CONNECT_TO)->is.pointer);
    cw__handshake_destroy(h);
    wishes.reach = REACH(.keeps_alive = true, .keep_idle_ms = INT32_MAX);
    cw__handshake_destroy(made("ws://server.test/", NULL));
    CHECK_INT(number_of(CURLOPT_TCP_KEEPIDLE), 32767);
    CHECK_INT(number_of(CURLOPT_TCP_KEEPINTVL), 1);
    wishes.reach = REACH(.interface = "host!::1", .unix_path = "");
    cw__handshake_destroy(made("ws://server.test/", NULL));
    CHECK_STR(text_of(CURLOPT_INTERFACE), "host!::1");
    wishes.reach.interface = "::1";
    cw__handshake_destroy(made("ws://server.test/", NULL));
    CHECK_STR(text_of(CURLOPT_INTERFACE), "host!::1");
    wishes.reach.interface = "";
    wishes.reach.unix_path = "/s";
    cw__handshake_destroy(made("ws://server.test/", "http://proxy.test"));
    CHECK_STR(text_of(CURLOPT_UNIX_SOCKET_PATH), "/s");
    CHECK_STR(text_of(CURLOPT_PROXY), "");
}

static void test_refused_options(void)
{
    wish_nothing();
    wishes.reach.abstract_name = "a";
    cw__handshake_destroy(made("ws://server.test/", NULL));
    fail_at = (size_t)(find(CURLOPT_ABSTRACT_UNIX_SOCKET) - settings_made);
    fail_with = CURLE_UNKNOWN_OPTION;
    CHECK(create("ws://server.test/", NULL) == NULL);
    CHECK_STATUS(cw__error_status(), CW_UNSUPPORTED);
    CHECK_HAS(cw_error_message(), "refuses abstract_unix_socket: CURLE_UNKNOWN_OPTION (48); set another value");
    wishes.reach = REACH(.curl_options = "IPRESOLVE=1\nSSL_ENABLE_ALPN=0");
    fail_at = SIZE_MAX;
    cw__handshake_destroy(made("ws://server.test/", NULL));
    fail_at = (size_t)(find(CURLOPT_SSL_ENABLE_ALPN) - settings_made);
    CHECK(create("ws://server.test/", NULL) == NULL);
    CHECK_HAS(cw_error_message(), "refuses SSL_ENABLE_ALPN=0: CURLE_UNKNOWN_OPTION (48)");
    fail_at = SIZE_MAX;
    wishes.reach = REACH(.resolve = "a:1:::1");
    append_fails_at = append_count;
    CHECK(create("ws://server.test/", NULL) == NULL);
    CHECK_STATUS(cw__error_status(), CW_NO_MEMORY);
}

/* Asks for a socket, as libcurl does. */
static int ask(cw__handshake *h)
{
    struct curl_sockaddr address = {
        .family = AF_INET, .socktype = SOCK_STREAM, .addrlen = sizeof(struct sockaddr_in)};
    curl_opensocket_callback on_open;

    address.addr.sa_family = AF_INET;
    memcpy(&on_open, &find(CURLOPT_OPENSOCKETFUNCTION)->is, sizeof on_open);
    return on_open(h, CURLSOCKTYPE_IPCXN, &address);
}

static int tell(cw__handshake *h, int fd)
{
    curl_sockopt_callback on_socket;

    memcpy(&on_socket, &find(CURLOPT_SOCKOPTFUNCTION)->is, sizeof on_socket);
    return on_socket(h, fd, CURLSOCKTYPE_IPCXN);
}

static void test_given(void)
{
    int fd = dup(0), given = fd;
    cw__handshake *h;

    wish_nothing();
    wishes.reach.given = &given;
    h = made("ws://server.test/", "http://proxy.test");
    CHECK_STR(text_of(CURLOPT_PROXY), "");
    CHECK_STR(((const struct curl_slist *)find(CURLOPT_CONNECT_TO)->is.pointer)->data, "::127.0.0.1:");
    CHECK_INT(ask(h), fd);
    CHECK_INT(given, -1);
    CHECK_INT(tell(h, fd), CURL_SOCKOPT_ALREADY_CONNECTED);
    CHECK_INT(ask(h), -1); /* no second connection is made */
    expect_verdict(h, CURLE_COULDNT_CONNECT, CW_CONNECT_FAILED, CW_WEB_CannotConnect,
                   "needs a second connection");
    cw__handshake_destroy(h);
    (void)close(fd);
}

static int option_of(int fd, int level, int option)
{
    int value = 0;
    socklen_t len = sizeof value;

    CHECK_INT(getsockopt(fd, level, option, &value, &len), 0);
    return value;
}

static void test_marks(void)
{
    cw__reach r = REACH(.dscp = 46, .user_timeout_ms = 1500);
    int v4 = socket(AF_INET, SOCK_STREAM, 0), v6 = socket(AF_INET6, SOCK_STREAM, 0), local[2];
    cw__error e = {0};

    CHECK(cw__reach_mark(&r, v4));
    CHECK_INT(option_of(v4, IPPROTO_IP, IP_TOS), 46 << 2);
    CHECK(cw__reach_mark(&r, v6));
    CHECK_INT(option_of(v6, IPPROTO_IPV6, IPV6_TCLASS), 46 << 2);
#ifdef TCP_USER_TIMEOUT
    CHECK_INT(option_of(v4, IPPROTO_TCP, TCP_USER_TIMEOUT), 1500);
    CHECK_INT(option_of(v6, IPPROTO_TCP, TCP_USER_TIMEOUT), 1500);
#endif
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, local), 0);
    CHECK(cw__reach_mark(&r, local[0]));
    CHECK(!r.unset && !cw__reach_explain(&r, CURLE_ABORTED_BY_CALLBACK, 0, "h", &e));
    (void)close(v4);
    v4 = socket(AF_INET, SOCK_DGRAM, 0); /* it has no such timeout */
    CHECK(!cw__reach_mark(&r, v4));
    CHECK(cw__reach_explain(&r, CURLE_ABORTED_BY_CALLBACK, 0, "h", &e));
    CHECK_HAS(e.message, "tcp_user_timeout cannot be set on this connection: ");
    CHECK_INT(e.limit - 1, CW_OPT_TCP_USER_TIMEOUT);
    CHECK(e.os_errno != 0);
    (void)close(v4);
    (void)close(v6);
    (void)close(local[0]);
    (void)close(local[1]);
}

static void explains(cw__reach reach, int curl_code, int os_errno, cw_option option, const char *words)
{
    cw__error e = {0};

    CHECK(cw__reach_explain(&reach, curl_code, os_errno, "server.test", &e));
    CHECK_HAS(e.message, words);
    CHECK_INT(e.curl_code, curl_code);
    CHECK_INT(e.os_errno, os_errno);
    CHECK_INT(e.limit - 1, option);
}

static void test_texts(void)
{
    cw__reach port = REACH(.local_port = 5000), none = REACH(.happy_ms = 200);
    cw__error e = {0};

    port.local_port_range = 10;
    explains(port, CURLE_INTERFACE_FAILED, EADDRINUSE, CW_OPT_LOCAL_PORT,
             "no local port from 5000 to 5009 can be used: Address already");
    explains(REACH(.interface = "lo", .local_port = 1), CURLE_INTERFACE_FAILED, EADDRNOTAVAIL, CW_OPT_INTERFACE,
             "interface 'lo' cannot be used: Cannot assign requested address; it must be up");
    explains(REACH(.interface = "lo"), CURLE_COULDNT_CONNECT, ENETUNREACH, CW_OPT_INTERFACE,
             "interface 'lo' leads to no server: Network is unreachable; it must be up, and have a route to "
             "server.test");
    explains(REACH(.unix_path = "/s"), CURLE_COULDNT_CONNECT, EACCES, CW_OPT_UNIX_SOCKET_PATH,
             "cannot connect to unix_socket_path '/s': Permission denied; check the path and its permissions");
    explains(REACH(.doh_url = "https://u:p@dns.test:1/x?y"), CURLE_COULDNT_RESOLVE_HOST, 0, CW_OPT_DOH_URL,
             "the host server.test cannot be resolved by doh_url https://dns.test: check");
    CHECK(!cw__reach_explain(&none, CURLE_COULDNT_CONNECT, ECONNREFUSED, "h", &e));
    CHECK(!cw__reach_explain(&none, CURLE_INTERFACE_FAILED, 0, "h", &e));
    CHECK(!cw__reach_explain(&none, CURLE_COULDNT_RESOLVE_HOST, 0, "h", &e));
    CHECK(!cw__reach_explain(&port, CURLE_COULDNT_CONNECT, ECONNREFUSED, "h", &e));
}

static void test_more_texts(void)
{
    cw__reach none = REACH(.happy_ms = 200);
    cw__error e = {0};

    explains(REACH(.abstract_name = "n"), CURLE_COULDNT_CONNECT, 0, CW_OPT_ABSTRACT_UNIX_SOCKET,
             "cannot connect to abstract_unix_socket 'n'; check the name, and that the server runs");
    explains(REACH(.interface = "lo", .local_port = 7), CURLE_INTERFACE_FAILED, EACCES, CW_OPT_LOCAL_PORT,
             "no local port from 7 to 7 can be used: Permission denied; raise local_port_range, or choose "
             "other ports");
    explains(REACH(.interface = "lo", .local_port = 7), CURLE_INTERFACE_FAILED, EADDRINUSE, CW_OPT_LOCAL_PORT,
             "no local port from 7 to 7 can be used: Address already in use; raise");
    explains(REACH(.local_port = 7), CURLE_INTERFACE_FAILED, 0, CW_OPT_LOCAL_PORT,
             "no local port from 7 to 7 can be used; raise local_port_range");
    explains(
        REACH(.interface = "lo"), CURLE_INTERFACE_FAILED, EACCES, CW_OPT_INTERFACE,
        "interface 'lo' cannot be used: Permission denied; it must be up, and have an address of the same kind "
        "(IPv4 or IPv6) as the server's");
    explains(
        REACH(.interface = "lo"), CURLE_COULDNT_CONNECT, EHOSTUNREACH, CW_OPT_INTERFACE,
        "interface 'lo' leads to no server: No route to host; it must be up, and have a route to server.test");
    explains(
        REACH(.interface = "lo"), CURLE_OPERATION_TIMEDOUT, ENETDOWN, CW_OPT_INTERFACE,
        "interface 'lo' leads to no server: Network is down; it must be up, and have a route to server.test");
    {
        cw__reach unset = REACH(.unset = "dscp", .fault = CW_OPT_DSCP, .os_errno = EPERM, .is_used_up = true);
        CHECK(cw__reach_explain(&unset, CURLE_ABORTED_BY_CALLBACK, EPIPE, "h", &e));
        CHECK_STR(e.message, "dscp cannot be set on this connection: Operation not permitted; unset it, or set "
                             "another value");
        CHECK_INT(e.os_errno, EPERM);
        CHECK_INT(e.limit - 1, CW_OPT_DSCP);
        unset = REACH(.is_used_up = true);
        CHECK(cw__reach_explain(&unset, CURLE_COULDNT_CONNECT, EPIPE, "h", &e));
        CHECK_STR(e.message,
                  "the connect needs a second connection, and the program has given one: let curlwire "
                  "connect");
        CHECK_INT(e.limit - 1, CW_OPTION_NONE);
    }
    e = (cw__error){0};
    CHECK(!cw__reach_explain(&none, CURLE_COULDNT_CONNECT, ENETUNREACH, "h", &e));
}

int main(int argc, char **argv)
{
    static const harness_test tests[] = {
        {"checks before a connect", test_checks},
        {"names of interfaces", test_interfaces},
        {"the texts of these checks", test_check_texts},
        {"items of resolve, connect_to and curl_options", test_items},
        {"own sockets and own multis", test_kinds},
        {"options", test_options},
        {"options that libcurl refuses", test_refused_options},
        {"a connection of the program", test_given},
        {"options of the socket", test_marks},
        {"texts of errors", test_texts},
        {"further texts of errors", test_more_texts},
    };

    return HARNESS_MAIN(argc, argv, tests);
}

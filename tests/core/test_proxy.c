/* SPDX-License-Identifier: MIT */
/* Tests of proxy.c and proxy_uri.c: which variable is used, what no_proxy excludes, which values are accepted, and that an error shows
 * no part of a refused value. tests/python/test_proxy.py tests connections through proxies. */
#include "harness.h"

#include "transport/transport.h"

enum { ALL = CW__LOGIN_BASIC | CW__LOGIN_DIGEST | CW__LOGIN_NEGOTIATE | CW__LOGIN_NTLM };

/* ---- An environment ---- */

static const char *const *environment; /* name, value, ..., NULL */

static const char *get(const char *name)
{
    for (const char *const *pair = environment; *pair; pair += 2)
        if (strcmp(pair[0], name) == 0)
            return pair[1];
    return NULL;
}

static cw_status choose(cw__proxy *p, bool is_tls, const char *const *variables)
{
    environment = variables;
    return cw__proxy_choose(p, "", is_tls, "server.test", is_tls ? 443 : 80, get);
}

#define VARIABLES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check_variable(bool is_tls, const char *const *variables, const char *wanted)
{
    cw__proxy p;

    CHECK_INT(choose(&p, is_tls, variables), CW_OK);
    CHECK_STR(p.kind == CW__PROXY_NONE ? "" : p.source, wanted);
    cw__proxy_destroy(&p);
}

static void test_order(void)
{
    static const char *const names[] = {"ws_proxy",  "WS_PROXY",    "http_proxy",  "HTTP_PROXY", "wss_proxy",
                                        "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy",  "ALL_PROXY"};
    static const char *const plain[] = {"ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", ""};
    static const char *const tls[] = {"wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                      "ALL_PROXY", ""};
    enum { COUNT = sizeof names / sizeof *names };

    for (int is_tls = 0; is_tls < 2; is_tls++) {
        const char *const *order = is_tls ? tls : plain;
        const char *all[2 * COUNT + 1] = {0};
        for (int i = 0; i < COUNT; i++) {
            all[2 * i] = names[i];
            all[2 * i + 1] = "http://10.0.0.1:3128";
        }
        for (; **order; order++) { /* the variables in order; each is emptied after its turn */
            check_variable(is_tls, all, *order);
            for (int i = 0; i < COUNT; i++)
                if (strcmp(names[i], *order) == 0)
                    all[2 * i + 1] = "";
        }
        check_variable(is_tls, all, "");
    }
    check_variable(false, VARIABLES("HTTP_PROXY", "http://10.0.0.1:3128"), "");
    check_variable(false, VARIABLES("http_proxy", "x", "no_proxy", "server.test"), "");
    check_variable(false, VARIABLES("http_proxy", "x", "NO_PROXY", "server.test"), "");
    check_variable(false, VARIABLES("http_proxy", "x", "no_proxy", "other", "NO_PROXY", "server.test"),
                   "http_proxy");
    check_variable(false, VARIABLES("http_proxy", "x", "no_proxy", "", "NO_PROXY", "server.test"), "");
}

/* The control goes before the variables, and no_proxy does not concern it. */
static void test_control(void)
{
    static const char *const all[] = {"ws_proxy", "http://s3c@ret@x", "no_proxy", "*", NULL};
    cw__proxy p;

    environment = all;
    CHECK_INT(cw__proxy_choose(&p, "https://u:p%40@p.test:1", false, "server.test", 80, get), CW_OK);
    CHECK_STR(p.url, "https://p.test:1");
    CHECK_STR(p.source, "proxy");
    CHECK_STR(p.password, "p@");
    cw__proxy_destroy(&p);
    environment = (const char *const[]){"ws_proxy", "http://p.test:1", NULL};
    CHECK_INT(cw__proxy_choose(&p, CW__PROXY_DIRECT, false, "server.test", 80, get), CW_OK);
    CHECK_INT(p.kind, CW__PROXY_NONE);
    CHECK_INT(cw__proxy_choose(&p, "", false, "server.test", 80, get), CW_OK);
    CHECK_STR(p.source, "ws_proxy");
    cw__proxy_destroy(&p);
    CHECK_INT(choose(&p, false, VARIABLES("http_proxy", "direct")), CW_OK); /* the word is the control's only */
    CHECK_STR(p.url, "http://direct:1080");
    cw__proxy_destroy(&p);
}

static void check_kept(bool is_pre, const char *value, const char *shown, const char *words)
{
    char *kept = NULL;
    cw_status status = cw__proxy_keep("the_key", is_pre, value, &kept);

    CHECK_INT(status, shown ? CW_OK : CW_INVALID_ARGUMENT);
    CHECK((kept != NULL) == (shown != NULL));
    if (kept) {
        CHECK_STR(kept, shown);
        CHECK_STR(kept + strlen(kept) + 1, value);
    } else {
        CHECK(strstr(cw_error_message(), "the control the_key is malformed: ") &&
              strstr(cw_error_message(), words));
        CHECK(!strstr(cw_error_message(), "s3c"));
    }
    cw__free(kept);
}

static void test_keep(void)
{
    long live = cw__alloc_live();

    check_kept(false, "http://u:s3cret@p.test", "http://p.test:1080", NULL);
    check_kept(false, "s3cret@p.test:1", "http://p.test:1", NULL);
    check_kept(false, CW__PROXY_DIRECT, CW__PROXY_DIRECT, NULL);
    check_kept(false, "DIRECT", "http://DIRECT:1080", NULL);
    check_kept(false, "http://u:s3c@ret@p.test", NULL, "Write http://user:password@host:port");
    check_kept(true, "socks5://u:s3cret@p.test", "socks5://p.test:1080", NULL);
    check_kept(true, "http://u:s3cret@p.test", NULL, "only a SOCKS proxy can stand in front");
    check_kept(true, "socks5://u:s3cret@p test", NULL, "there is a blank or a control character");
    check_kept(true, CW__PROXY_DIRECT, NULL, "Write socks5h://user:password@host:port");
    for (long n = 0; n < 5; n++) {
        char *kept;
        cw__alloc_fail_at(n);
        CHECK_INT(cw__proxy_keep("the_key", true, "socks5://u:s3cret@p.test", &kept),
                  n < 4 ? CW_NO_MEMORY : CW_OK);
        cw__alloc_fail_at(-1);
        CHECK((kept == NULL) == (n < 4));
        CHECK(n == 4 || strstr(cw_error_message(), "no memory for the control the_key: free memory"));
        cw__free(kept);
        CHECK_INT(cw__alloc_live(), live);
    }
}

/* ---- no_proxy ---- */

static void test_excluded(void)
{
    static const struct {
        const char *list, *host;
        unsigned port;
        bool is_excluded;
    } rows[] = {
        {"", "a.test", 80, false},
        {"*", "a.test", 80, true},
        {"b.test, *", "a.test", 80, true},
        {"*:80", "a.test", 80, true},
        {"*:81", "a.test", 80, false},
        {"a.test", "a.test", 80, true},
        {"A.Test", "a.tEST", 80, true},
        {"a.test.", "a.test", 80, true},
        {"a.test", "a.test.", 80, true},
        {"a.test", "www.a.test", 80, true},
        {"a.test", "wwwa.test", 80, false},
        {".a.test", "a.test", 80, true},
        {".a.test", "www.a.test", 80, true},
        {"*.a.test", "www.a.test", 80, true},
        {"*.a.test", "xa.test", 80, false},
        {"www.a.test", "a.test", 80, false},
        {"test", "a.test", 80, true},
        {".", "a.test", 80, false},
        {"b.test,a.test", "a.test", 80, true},
        {"b.test a.test", "a.test", 80, true},
        {" ,b.test ,\ta.test ,", "a.test", 80, true},
        {"a.test:80", "a.test", 80, true},
        {"a.test:443", "a.test", 80, false},
        {"a.test:", "a.test", 80, false},
        {"a.test:x", "a.test", 80, false},
        {".a.test:8080", "www.a.test", 8080, true},
        {"10.1.2.3", "10.1.2.3", 80, true},
        {"10.1.2.3", "10.1.2.30", 80, false},
        {"2.3", "10.1.2.3", 80, false}, /* an address has no subdomains */
        {".1.2.3", "10.1.2.3", 80, false},
        {"10.1.2.3:80", "10.1.2.3", 80, true},
        {"10.1.2.3:81", "10.1.2.3", 80, false},
        {"10.0.0.0/8", "10.1.2.3", 80, true},
        {"10.0.0.0/8", "11.1.2.3", 80, false},
        {"10.1.2.0/23", "10.1.3.9", 80, true},
        {"10.1.2.0/23", "10.1.4.0", 80, false},
        {"10.1.2.3/32", "10.1.2.3", 80, true},
        {"10.1.2.3/32", "10.1.2.2", 80, false},
        {"0.0.0.0/0", "10.1.2.3", 80, true},
        {"10.0.0.0/33", "10.0.0.0", 80, false},
        {"10.0.0.0/", "10.0.0.0", 80, false},
        {"10.0.0.0/x", "10.0.0.0", 80, false},
        {"10.0.0.0/00", "10.0.0.0", 80, false},
        {"10.0.0.0/8:81", "10.0.0.1", 80, false},
        {"10.0.0.0/8", "a.test", 80, false},
        {"::1", "[::1]", 80, true},
        {"[::1]", "[::1]", 80, true},
        {"0:0:0:0:0:0:0:1", "[::1]", 80, true},
        {"[::1]:80", "[::1]", 80, true},
        {"[::1]:81", "[::1]", 80, false},
        {"fd00::/8", "[fd12::3]", 80, true},
        {"[fd00::]/8", "[fd12::3]", 80, true},
        {"fd00::/8", "[fe12::3]", 80, false},
        {"fe80::1", "[fe80::1%25eth0]", 80, true},
        {"::/0", "10.1.2.3", 80, false},
        {"127.0.0.1", "localhost", 80, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool is = cw__proxy_is_excluded(rows[i].list, rows[i].host, rows[i].port);
        CHECK_STR(is ? rows[i].list : "",
                  rows[i].is_excluded ? rows[i].list : ""); /* a failed check prints the list */
    }
}

/* ---- Values ---- */

static void test_good(void)
{
    static const struct {
        const char *value;
        cw__proxy_kind kind;
        const char *url, *name, *user, *password;
    } rows[] = {
        {"http://p.test:3128", CW__PROXY_HTTP, "http://p.test:3128", "p.test:3128", "", ""},
        {"http://p.test:3128/", CW__PROXY_HTTP, "http://p.test:3128", "p.test:3128", "", ""},
        {"HTTP://p.test", CW__PROXY_HTTP, "http://p.test:1080", "p.test:1080", "", ""},
        {"p.test:3128", CW__PROXY_HTTP, "http://p.test:3128", "p.test:3128", "", ""},
        {"ftp.p.test", CW__PROXY_HTTP, "http://ftp.p.test:1080", "ftp.p.test:1080", "", ""},
        {"u:p@p.test:3128", CW__PROXY_HTTP, "http://p.test:3128", "p.test:3128", "u", "p"},
        {"https://p.test", CW__PROXY_HTTPS, "https://p.test:443", "p.test:443", "", ""},
        {"socks://p.test", CW__PROXY_SOCKS, "socks://p.test:1080", "p.test:1080", "", ""},
        {"socks4://p.test:1", CW__PROXY_SOCKS, "socks4://p.test:1", "p.test:1", "", ""},
        {"socks4a://p.test", CW__PROXY_SOCKS, "socks4a://p.test:1080", "p.test:1080", "", ""},
        {"socks5://u@p.test", CW__PROXY_SOCKS, "socks5://p.test:1080", "p.test:1080", "u", ""},
        {"SOCKS5H://u:p@p.test:65535", CW__PROXY_SOCKS, "socks5h://p.test:65535", "p.test:65535", "u", "p"},
        {"http://[::1]:3128", CW__PROXY_HTTP, "http://[::1]:3128", "[::1]:3128", "", ""},
        {"http://[::1%eth0]:1", CW__PROXY_HTTP, "http://[::1%eth0]:1", "[::1%eth0]:1", "", ""},
        {"http://[fe80::1%25eth0]", CW__PROXY_HTTP, "http://[fe80::1%25eth0]:1080", "[fe80::1%25eth0]:1080", "",
         ""},
        {"http://@p.test:1", CW__PROXY_HTTP, "http://p.test:1", "p.test:1", "", ""},
        {"http://:p@p.test:1", CW__PROXY_HTTP, "http://p.test:1", "p.test:1", "", "p"},
        {"http://u:p:q@p.test:1", CW__PROXY_HTTP, "http://p.test:1", "p.test:1", "u", "p:q"},
        {"http://u%40x:%2f%3F%23%25%3a%20@p.test:1", CW__PROXY_HTTP, "http://p.test:1", "p.test:1", "u@x",
         "/?#%: "},
        {"http://a_b-c.d:1", CW__PROXY_HTTP, "http://a_b-c.d:1", "a_b-c.d:1", "", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw__proxy p;
        CHECK_INT(choose(&p, false, VARIABLES("ws_proxy", rows[i].value)), CW_OK);
        CHECK_INT(p.kind, rows[i].kind);
        CHECK_STR(p.url, rows[i].url);
        CHECK_STR(p.name, rows[i].name);
        CHECK_STR(p.user ? p.user : "", rows[i].user);
        CHECK_STR(p.password ? p.password : "", rows[i].password);
        cw__proxy_destroy(&p);
    }
}

/* proxy_credential replaces the user and password of the variable. */
static void test_credential(void)
{
    static const char *const values[] = {"http://p.test:1", "http://u:p@p.test:1"};
    cw__error error;

    for (size_t i = 0; i < 2; i++) {
        cw__proxy p;
        CHECK_INT(choose(&p, false, VARIABLES("ws_proxy", values[i])), CW_OK);
        CHECK(!p.has_credential);
        cw__proxy_refused(&p, "host.test", 407, "", 0, ALL, &error);
        CHECK(strstr(error.message, i == 0 ? "set proxy_credential, or write user:password@ before the host"
                                           : "correct them in the URI of the proxy"));
        CHECK(cw__proxy_set_credential(&p, "j0hnny", "s3cret"));
        CHECK_STR(p.user, "j0hnny");
        CHECK_STR(p.password, "s3cret");
        CHECK_STR(p.url, "http://p.test:1");
        cw__proxy_refused(&p, "host.test", 407, "", 0, ALL, &error);
        CHECK(strstr(error.message, "this user and password; correct proxy_credential"));
        CHECK(!strstr(error.message, "j0hnny") && !strstr(error.message, "s3cret"));
        cw__proxy_destroy(&p);
    }
}

static void check_offer(const char *lines, unsigned logins, const char *words)
{
    cw__proxy p;
    cw__error error;

    CHECK_INT(choose(&p, false, VARIABLES("ws_proxy", "http://u:p@p.test:1")), CW_OK);
    cw__proxy_refused(&p, "host.test", 407, lines, logins, ALL, &error);
    CHECK(strstr(error.message, words));
    CHECK_INT(error.http_status, 407);
    CHECK_INT(error.web_status, CW_WEB_ProxyAuthenticationRequired);
    cw__proxy_destroy(&p);
}

/* If the proxy offers none of the logins, the error says so. */
static void test_offers(void)
{
    static const char accepts_not[] = "it does not accept this user and password";

    check_offer("Proxy-Authenticate: Digest realm=\"x\"\r\n", 0,
                "it offers the login Digest only; add it to proxy_auth");
    check_offer("proxy-authenticate: NEGOTIATE\r\nX: Basic\r\nProxy-Authenticate:  ntlm\r\n", CW__LOGIN_DIGEST,
                "the login Negotiate and NTLM only");
    check_offer("Proxy-Authenticate: Digest realm=\"x\", nonce=y , Negotiate,ntlm x\r\n", CW__LOGIN_BASIC,
                "the login Digest and Negotiate and NTLM only");
    check_offer("Proxy-Authenticate: Digest realm=x, Basic realm=y\r\n", 0, accepts_not);
    check_offer("Proxy-Authenticate: Digest realm=x\r\n", CW__LOGIN_DIGEST | CW__LOGIN_NTLM, accepts_not);
    check_offer("Proxy-Authenticate: Bearer\r\nProxy-Authenticate: ,\r\nProxy-Authenticate: Digest2\r\n", 0,
                accepts_not);
    check_offer("WWW-Authenticate: Digest\r\nProxy-Authenticate:\r\n", 0, accepts_not);
}

/* A login that libcurl lacks is no advice. Negotiate needs no user. */
static void test_lacking_logins(void)
{
    static const struct {
        const char *proxy, *lines;
        unsigned logins, available;
        const char *words;
    } rows[] = {
        {"http://u:p@p.test:1", "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n",
         CW__LOGIN_BASIC, CW__LOGIN_BASIC | CW__LOGIN_DIGEST,
         "it offers the login Negotiate and NTLM only, which the loaded libcurl was built without; load "
         "another"},
        {"http://p.test:1", "Proxy-Authenticate: Negotiate\r\n", 0, CW__LOGIN_BASIC,
         "the login Negotiate only, which the loaded libcurl was built without"},
        {"http://p.test:1", "Proxy-Authenticate: Negotiate\r\n", 0, ALL,
         "the login Negotiate only; add it to proxy_auth"},
        {"http://u:p@p.test:1", "Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: Digest x=y\r\n",
         CW__LOGIN_BASIC, CW__LOGIN_BASIC | CW__LOGIN_DIGEST, "the login Digest only; add it to proxy_auth"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw__proxy p;
        cw__error error;
        CHECK_INT(choose(&p, false, VARIABLES("ws_proxy", rows[i].proxy)), CW_OK);
        cw__proxy_refused(&p, "host.test", 407, rows[i].lines, rows[i].logins, rows[i].available, &error);
        CHECK(strstr(error.message, rows[i].words) != NULL);
        CHECK_INT(error.web_status, CW_WEB_ProxyAuthenticationRequired);
        CHECK_INT(error.limit, CW_OPT_PROXY_AUTH + 1);
        cw__proxy_destroy(&p);
    }
}

static void check_text(const char *proxy, int http_status, const char *lines, unsigned logins, int web_status,
                       const char *text)
{
    cw__proxy p;
    cw__error error = {0};

    CHECK_INT(choose(&p, false, VARIABLES("ws_proxy", proxy)), CW_OK);
    cw__proxy_refused(&p, "host.test", http_status, lines, logins, ALL, &error);
    CHECK_STR(error.message, text);
    CHECK_INT(error.status, CW_CONNECT_FAILED);
    CHECK_INT(error.web_status, web_status);
    CHECK_INT(error.http_status, http_status);
    cw__proxy_destroy(&p);
}

#define REFUSED "the proxy p.test:1 (ws_proxy) refused to connect to host.test with HTTP status "

/* Each status with which a proxy refuses, and what to do. */
static void test_refusals(void)
{
    static const char proxy[] = "http://p.test:1", with_user[] = "http://u:p@p.test:1",
                      digest[] = "Proxy-Authenticate:\tDigest\trealm=x\r\n";

    check_text(
        proxy, 0, "", 0, CW_WEB_ErrorHttpInvalidServerResponse,
        "the answer of the proxy p.test:1 (ws_proxy) is not HTTP/1.1: check scheme and port in ws_proxy");
    check_text(proxy, 400, "", 0, CW_WEB_BadRequest, REFUSED "400: ask whoever runs the proxy");
    check_text(proxy, 403, "", 0, CW_WEB_Forbidden,
               REFUSED
               "403: it does not allow this connection; ask whoever runs the proxy, or connect without it "
               "by no_proxy or the control proxy");
    check_text(proxy, 405, "", 0, CW_WEB_MethodNotAllowed,
               REFUSED
               "405: it does not allow this connection; ask whoever runs the proxy, or connect without it "
               "by no_proxy or the control proxy");
    check_text(proxy, 502, "", 0, CW_WEB_BadGateway,
               REFUSED "502: it could not reach the server; check host and port in the URI");
    check_text(proxy, 503, "", 0, CW_WEB_ServiceUnavailable,
               REFUSED "503: it could not reach the server; check host and port in the URI");
    check_text(proxy, 504, "", 0, CW_WEB_GatewayTimeout,
               REFUSED "504: it could not reach the server; check host and port in the URI");
    check_text(proxy, 407, digest, 0, CW_WEB_ProxyAuthenticationRequired,
               REFUSED
               "407: it wants a user and a password; set proxy_credential, or write user:password@ before "
               "the host in the URI of the proxy");
    check_text(with_user, 407, digest, CW__LOGIN_DIGEST, CW_WEB_ProxyAuthenticationRequired,
               REFUSED "407: it does not accept this user and password; correct them in the URI of the proxy");
    check_text(with_user, 403, digest, 0, CW_WEB_Forbidden, /* only 407 is about a login */
               REFUSED
               "403: it does not allow this connection; ask whoever runs the proxy, or connect without it "
               "by no_proxy or the control proxy");
    check_text(
        with_user, 407, digest, 0, CW_WEB_ProxyAuthenticationRequired,
        "the proxy p.test:1 (ws_proxy) refused to connect with HTTP status 407: it offers the login Digest "
        "only; add it to proxy_auth, which does not have it");
    check_text(
        with_user, 407, "Proxy-Authenticate: Digest,\tNTLM ,Negotiate\r\n", 0,
        CW_WEB_ProxyAuthenticationRequired,
        "the proxy p.test:1 (ws_proxy) refused to connect with HTTP status 407: it offers the login Digest "
        "and Negotiate and NTLM only; add it to proxy_auth, which does not have it");
    check_text(with_user, 407,
               "Proxy-Authenticatx: Digest\r\nProxy-Authenticat: Digest\r\nProxy-Authenticate2: "
               "Digest\r\nXroxy-Authenticate: Digest\r\n"
               "Proxy-Authenticate: Basi, Digesu\r\n",
               0, CW_WEB_ProxyAuthenticationRequired,
               REFUSED "407: it does not accept this user and password; correct them in the URI of the proxy");
}

#define USER   "j0hnny"
#define SECRET "s3cret"
#define WITH   USER ":" SECRET

static void test_bad(void)
{
    static const char *const rows[] = {
        "http://" USER ":s3c/" SECRET "@127.0.0.1:3128",
        "http://" USER ":s3c?" SECRET "@127.0.0.1:3128",
        "http://" USER ":s3c#" SECRET "@127.0.0.1:3128",
        "http://" USER ":s3c@" SECRET "@127.0.0.1:3128",
        "http://" USER ":s3c\\" SECRET "@127.0.0.1:3128",
        "http://" USER ":s3c " SECRET "@127.0.0.1:3128",
        "http://" USER ":%2" SECRET "@127.0.0.1:3128",
        "http://" USER ":" SECRET "%@127.0.0.1:3128",
        "http://" USER ":" SECRET "%0a@127.0.0.1:3128",
        "http://" USER ":" SECRET "%00@127.0.0.1:3128",
        "http://" USER "%3a:" SECRET "@127.0.0.1:3128",
        " http://" WITH "@127.0.0.1:3128",
        "http://" WITH "@127.0.0.1:3128 ",
        "http://" WITH "@127.0.0.1:3128\n",
        "\thttp://" WITH "@127.0.0.1:3128",
        "http://" WITH "@127.0.0.1:3128//",
        "http://" WITH "@127.0.0.1:3128/a",
        "http://" WITH "@127.0.0.1:99999",
        "http://" WITH "@127.0.0.1:65536",
        "http://" WITH "@127.0.0.1:0",
        "http://" WITH "@127.0.0.1:-1",
        "http://" WITH "@127.0.0.1:+1",
        "http://" WITH "@127.0.0.1:x",
        "http://" WITH "@127.0.0.1:",
        "http://" WITH "@:3128",
        "http://" WITH "@",
        "http://" WITH "@/",
        "http:" WITH "@127.0.0.1:3128",
        "http:/" WITH "@127.0.0.1:3128",
        "http:///" WITH "@127.0.0.1:3128",
        "http//" WITH "@127.0.0.1:3128",
        "foo://" WITH "@127.0.0.1:3128",
        "socks9://" WITH "@127.0.0.1:1",
        "ws://" WITH "@127.0.0.1:1",
        "://" WITH "@127.0.0.1:1",
        "//" WITH "@127.0.0.1:1",
        WITH "://127.0.0.1:1",
        WITH,
        "http://" WITH "@[::1:3128",
        "http://" WITH "@::1]:3128",
        "http://" WITH "@[]:3128",
        "http://" WITH "@[::g]:3128",
        "http://" WITH "@[:]:3128",
        "http://" WITH "@[::1]:1:3128",
        "http://" WITH "@[::1%]:3128",
        "http://" WITH "@[::1%a*b]:3128",
        "http://" WITH "@[127.0.0.1]:3128",
        "http://" WITH "@::1:3128",
        "http://" WITH "@a,b:3128",
        "http://" WITH "@a%41:3128",
        "http://" WITH "@pr\xc3\xb6xy.test:3128",
        "http://" WITH "@a\"b:3128",
        "http://",
        "/",
        "@",
        ":",
        " ",
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw__proxy p;
        CHECK_STR(choose(&p, true, VARIABLES("https_proxy", rows[i])) == CW_CONNECT_FAILED ? "" : rows[i], "");
        CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
        CHECK(strstr(cw_error_message(), "the environment variable https_proxy is malformed: "));
        CHECK(strstr(cw_error_message(), "Write http://user:password@host:port, or remove"));
        CHECK(!strstr(cw_error_message(), USER) && !strstr(cw_error_message(), "s3c"));
        CHECK_INT(p.kind, CW__PROXY_NONE);
    }
}

static void test_no_memory(void)
{
    long live = cw__alloc_live();

    for (long n = 0;; n++) {
        cw__proxy p;
        cw_status status;
        cw__alloc_fail_at(n);
        status = choose(&p, false, VARIABLES("http_proxy", "http://u:p@p.test:1"));
        cw__alloc_fail_at(-1);
        cw__proxy_destroy(&p);
        CHECK_INT(cw__alloc_live(), live);
        if (status == CW_OK) {
            CHECK_INT(n, 3);
            return;
        }
        CHECK_INT(status, CW_NO_MEMORY);
        CHECK_STR(cw_error_message(), "no memory for a proxy: free memory and call again");
    }
}

static void test_credential_without_memory(void)
{
    for (long n = 0; n < 3; n++) {
        cw__proxy p;
        CHECK_INT(choose(&p, false, VARIABLES("ws_proxy", "http://u:p@p.test:1")), CW_OK);
        cw__alloc_fail_at(n);
        CHECK(cw__proxy_set_credential(&p, "a", "b") == (n == 2));
        cw__alloc_fail_at(-1);
        cw__proxy_destroy(&p);
        CHECK_INT(cw__alloc_live(), 0);
    }
}

static const harness_test tests[] = {
    {"the variables in libcurl's order; an empty one is none, HTTP_PROXY does not count", test_order},
    {"the control goes before the variables", test_control},
    {"what a control keeps", test_keep},
    {"no_proxy: names, ports, addresses, networks, *", test_excluded},
    {"values that are accepted", test_good},
    {"refused values: the error names the variable and shows no part of it", test_bad},
    {"the credential of the control", test_credential},
    {"the logins that a proxy offers", test_offers},
    {"logins that libcurl lacks", test_lacking_logins},
    {"each status with which a proxy refuses", test_refusals},
    {"without memory", test_no_memory},
    {"a credential without memory", test_credential_without_memory},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of curl_options.c: which options a program may set by name, and why it refuses the others. tests/python/test_reaching.py
 * has more reasons. */
#include "peer.h"
#include "transport/transport.h"

static void refuses(const char *item, const char *words)
{
    CHECK_STATUS(cw__curl_option_check(item, strlen(item)), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), words);
}

static void test_names(void)
{
    refuses("VERBOSE=1", "curl_options cannot have VERBOSE, because it could show or send a secret");
    refuses("COOKIE=a", "curl_options cannot have COOKIE: use curlwire's set_request_header");
    refuses("COOKIEFILE=a", "curl_options cannot have COOKIEFILE, because it could show or send a secret");
    refuses("SSL_VERIFYPEER=0", "use curlwire's verify instead");
    refuses("SSL_CIPHER_LIST=a", "it could weaken the check of a certificate");
    refuses("OPENSOCKETDATA=1", "its value is a pointer");
    refuses("DATA=1", "its value is a pointer");
    refuses("CURLOPT_TCP_FASTOPEN=1", "have no CURLOPT_ in front");
    refuses("TCP_FASTOPE=1", "it is not in the list");
    refuses("TCP_FASTOPENS=1", "it is not in the list");
    refuses("tcp_fastopen=1", "it is not in the list");
    refuses("=1", "it is not in the list");
    refuses("", "it is not in the list");
    CHECK_STATUS(cw__curl_option_check("TCP_FASTOPEN=1", 14), CW_OK);
    CHECK_STATUS(cw__curl_option_check("DNS_SERVERS=10.0.0.1,10.0.0.2", 29), CW_OK);
    CHECK_STATUS(cw__curl_option_check("TCP_FASTOPEN=1x", 14), CW_OK); /* only the length counts */
    CHECK(cw_curl_option_is_number("TCP_FASTOPEN", 12) && !cw_curl_option_is_number("TCP_FASTOPEN", 11));
    CHECK(!cw_curl_option_is_number("DNS_SERVERS", 11) && !cw_curl_option_is_number("VERBOSE", 7));
    CHECK(!cw_curl_option_is_number(NULL, 0));
    CHECK_STATUS(cw__curl_option_check(NULL, 0), CW_INVALID_ARGUMENT);
}

#define SECRET  "it could show or send a secret where curlwire would not"
#define PROXY   "the environment names the proxy, as docs/proxies.md shows"
#define OWN     "curlwire sets it itself, and relies on its value"
#define POINTER "its value is a pointer, which only a program in C has"
#define OTHER   "it has no effect on a WebSocket connection"
#define WEAKENS "it could weaken the check of a certificate, for which docs/tls.md has controls"

/* The reason for each name that is refused, or the control to use. The first reason that fits counts. */
static void test_reasons(void)
{
    static const struct {
        const char *name, *reason;
    } rows[] = {
        {"CURLOPT_URL", "the names in curl_options have no CURLOPT_ in front"},
        {"CAINFO", "ca_file"},
        {"CAPATH", "ca_path"},
        {"CONNECTTIMEOUTX", "connect_timeout"},
        {"COOKIE", "set_request_header"},
        {"HAPPY_EYEBALLS_TIMEOUT_MS", "happy_eyeballs_timeout"},
        {"HTTPHEADER", "add_request_header"},
        {"KEYPASSWD", "client_key_password"},
        {"PROXYPASSWORD", "proxy_credential"},
        {"PROXYUSERNAME", "proxy_credential"},
        {"PROXYUSERPWD", "proxy_credential"},
        {"PROXY_CAINFO", "proxy_ca_file"},
        {"PROXY_KEYPASSWD", "proxy_client_key_password"},
        {"PROXY_SSLCERT", "proxy_client_certificate"},
        {"PROXY_SSLCERTTYPE", "proxy_client_certificate_type"},
        {"PROXY_SSLKEY", "proxy_client_key"},
        {"PROXY_SSL_VERIFYX", "proxy_verify"},
        {"REFERER", "set_request_header"},
        {"SSLCERT", "client_certificate"},
        {"SSLCERTTYPE", "client_certificate_type"},
        {"SSLKEY", "client_key"},
        {"SSL_VERIFYHOST", "verify"},
        {"SSL_VERIFYPEER", "verify"},
        {"TCP_NODELAY", "no_delay"},
        {"TIMEOUTX", "connect_timeout"},
        {"USERAGENT", "set_request_header"},
        {"USERNAME", "server_credential"},
        {"PASSWORD", "server_credential"},
        {"USERPWD", "server_credential"},
        {"AWS_SIGV4", SECRET},
        {"COOKIEX", SECRET},
        {"GSSAPI_DELEGATION", SECRET},
        {"NETRCX", SECRET},
        {"SOCKS5_GSSAPI_X", SECRET},
        {"STDERR", SECRET},
        {"UNRESTRICTED_AUTH", SECRET},
        {"VERBOSE", SECRET},
        {"XOAUTH2_BEARER", SECRET},
        {"DOH_SSL_X", WEAKENS},
        {"ISSUERCERTX", WEAKENS},
        {"PINNEDPUBLICKEY", WEAKENS},
        {"PROXY_X", WEAKENS},
        {"SSLX", WEAKENS},
        {"TLSX", WEAKENS},
        {"BUFFERSIZE", OWN},
        {"CONNECT_ONLY", OWN},
        {"CUSTOMREQUEST", OWN},
        {"DNS_CACHE_TIMEOUT", OWN},
        {"FOLLOWLOCATION", OWN},
        {"FORBID_REUSE", OWN},
        {"FRESH_CONNECT", OWN},
        {"HTTP09_ALLOWED", OWN},
        {"HTTPPROXYTUNNEL", OWN},
        {"HTTP_VERSION", OWN},
        {"NOPROXY", PROXY},
        {"NOSIGNAL", OWN},
        {"PROTOCOLSX", OWN},
        {"PROXY", PROXY},
        {"PROXYTYPE", PROXY},
        {"QUICK_EXIT", OWN},
        {"REDIR_PROTOCOLSX", OWN},
        {"REQUEST_TARGET", OWN},
        {"UPLOAD_BUFFERSIZE", OWN},
        {"URL", OWN},
        {"WS_OPTIONS", OWN},
        {"CURLU", POINTER},
        {"ERRORBUFFER", POINTER},
        {"PRIVATE", POINTER},
        {"SHARE", POINTER},
        {"XDATA", POINTER},
        {"XFUNCTION", POINTER},
        {"X_BLOB", POINTER},
        {"ACCEPT_ENCODING", OTHER},
        {"FTPX", OTHER},
        {"KEEP_SENDING_ON_ERROR", OTHER},
        {"LOW_SPEED_X", OTHER},
        {"MAXX", OTHER},
        {"PIPEWAIT", OTHER},
        {"POSTX", OTHER},
        {"RANGE", OTHER},
        {"SSH_X", OTHER},
        {"UPLOAD", OTHER},
        {"COOKIE", "set_request_header"},
        {"SSLVERSION", WEAKENS},
        {"PROXY_CAPATH", WEAKENS},
        {"UPLOAD_FLAGS", NULL},
        {"RANGES", NULL},
        {"XCURLU", NULL},
        {"BLOB", NULL},
    };
    char text[300];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *reason = rows[i].reason;
        if (!reason)
            reason = "it is not in the list of options that are known to be safe, in docs/reaching.md";
        (void)snprintf(text, sizeof text,
                       strchr(reason, ' ') ? "curl_options cannot have %s, because %s: remove it"
                                           : "curl_options cannot have %s: use curlwire's %s instead",
                       rows[i].name, reason);
        CHECK_STATUS(cw__curl_option_check(rows[i].name, strlen(rows[i].name)), CW_INVALID_ARGUMENT);
        CHECK_STR(cw_error_message(), text);
        CHECK_INT(cw_error_option(), CW_OPT_CURL_OPTIONS);
    }
    memset(text, 'X', 100);
    CHECK_STATUS(cw__curl_option_check(text, 100), CW_INVALID_ARGUMENT);
    CHECK(strlen(cw_error_message()) > 60 + 25 && cw_error_message()[25 + 60] == ','); /* 60 bytes are shown */
}

static void test_values(void)
{
    static const char *const bad[] = {
        "x",   "1x",  "x1", " 1", "1 ",         "+1",          "1.5",
        "0x1", "--1", "1-", "-",  "2147483648", "-2147483649", "99999999999999999999"};
    char item[64];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        (void)snprintf(item, sizeof item, "TCP_FASTOPEN=%s", bad[i]);
        refuses(item, "TCP_FASTOPEN in curl_options takes a whole number of at most 31 bits");
    }
    refuses("TCP_FASTOPEN=", "TCP_FASTOPEN in curl_options has no value");
    refuses("TCP_FASTOPEN", "TCP_FASTOPEN in curl_options has no value");
    refuses("DNS_SERVERS=", "DNS_SERVERS in curl_options has no value");
    CHECK_STATUS(cw__curl_option_check("TCP_FASTOPEN=2147483647", 23), CW_OK);
    CHECK_STATUS(cw__curl_option_check("TCP_FASTOPEN=-2147483648", 24), CW_OK);
}

/* libcurl knows every option of the list, and takes its type: a number below this limit, else a text. */
static void test_types(void)
{
    static const char *const names[] = {"ADDRESS_SCOPE",     "DNS_INTERFACE",         "DNS_LOCAL_IP4",
                                        "DNS_LOCAL_IP6",     "DNS_SERVERS",           "HAPROXYPROTOCOL",
                                        "IPRESOLVE",         "DNS_SHUFFLE_ADDRESSES", "TCP_FASTOPEN",
                                        "HAPROXY_CLIENT_IP", "SSL_ENABLE_ALPN"};
    char item[64], refused[CW__CURL_OPTION_BYTES] = "";
    CURL *easy = curl_easy_init();

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CURLcode code;
        (void)snprintf(item, sizeof item, "%s=1", names[i]);
        CHECK_STATUS(cw__curl_option_check(item, strlen(item)), CW_OK);
        code = cw__curl_options_set(item, easy, refused);
        CHECK(code == CURLE_OK || strncmp(names[i], "DNS_", 4) == 0); /* not without c-ares */
    }
    CHECK_INT(cw__curl_options_set("TCP_FASTOPEN=1\nIPRESOLVE=9\nTCP_FASTOPEN=0", easy, refused),
              CURLE_BAD_FUNCTION_ARGUMENT);
    CHECK_STR(refused, "IPRESOLVE=9");
    CHECK_INT(cw__curl_options_set("", easy, refused), CURLE_OK);
    cw__alloc_fail_at(0);
    CHECK_INT(cw__curl_options_set("HAPROXY_CLIENT_IP=192.0.2.1", easy, refused), CURLE_OUT_OF_MEMORY);
    curl_easy_cleanup(easy);
}

int main(int argc, char **argv)
{
    static const harness_test tests[] = {
        {"names", test_names},
        {"reasons", test_reasons},
        {"values", test_values},
        {"the types of libcurl", test_types},
    };

    return HARNESS_MAIN(argc, argv, tests);
}

/* SPDX-License-Identifier: MIT */
/* curl_options: the options of libcurl that a program may set by name, and the reason why each other one is refused. An option
 * is allowed if it can neither show a secret, nor weaken a check, nor change what curlwire relies on: a transfer with
 * CURLOPT_CONNECT_ONLY, HTTP/1.1, and callbacks of its own. reach.c calls this file.
 *
 * Errors: CW_INVALID_ARGUMENT. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"

enum { SHOWN_AT_MOST = 60 };

typedef struct row {
    const char *name;
    CURLoption option;
    bool is_number;
} row;

static const row allowed[] = {
    /* A number for the zone of an IPv6 address. It chooses only among networks of this machine. */
    {"ADDRESS_SCOPE", CURLOPT_ADDRESS_SCOPE, true},
    /* The resolver's servers and the way to them. A libcurl with c-ares has them, curlwire's own has not. Who answers a
     * look-up decides no check: TLS still checks the name. */
    {"DNS_INTERFACE", CURLOPT_DNS_INTERFACE, false},
    {"DNS_LOCAL_IP4", CURLOPT_DNS_LOCAL_IP4, false},
    {"DNS_LOCAL_IP6", CURLOPT_DNS_LOCAL_IP6, false},
    {"DNS_SERVERS", CURLOPT_DNS_SERVERS, false},
    /* The order in which the addresses of a host are tried. */
    {"DNS_SHUFFLE_ADDRESSES", CURLOPT_DNS_SHUFFLE_ADDRESSES, true},
    /* A line with this machine's address in front of the request, for HAProxy. The program asks for it, and it has nothing
     * that the connection does not show. */
    {"HAPROXYPROTOCOL", CURLOPT_HAPROXYPROTOCOL, true},
    {"HAPROXY_CLIENT_IP", CURLOPT_HAPROXY_CLIENT_IP, false},
    /* Which kinds of addresses are used: 0 any, 1 IPv4, 2 IPv6. */
    {"IPRESOLVE", CURLOPT_IPRESOLVE, true},
    /* Whether TLS names the protocol http/1.1. Some servers refuse connections that do. */
    {"SSL_ENABLE_ALPN", CURLOPT_SSL_ENABLE_ALPN, true},
    /* Whether the request goes out with the first packet. curlwire sends one request in a connection, and a WebSocket
     * handshake that arrives twice only makes a second connection. */
    {"TCP_FASTOPEN", CURLOPT_TCP_FASTOPEN, true},
};

typedef struct refusal {
    const char *name;   /* of the option; with * at its end, the start of names */
    const char *reason; /* or one word: the control or call to use */
} refusal;

#define SECRET  "it could show or send a secret where curlwire would not"
#define CHECK   "it could weaken the check of a certificate, for which docs/tls.md has controls"
#define PROXY   "the environment names the proxy, as docs/proxies.md shows"
#define OWN     "curlwire sets it itself, and relies on its value"
#define POINTER "its value is a pointer, which only a program in C has"
#define OTHER   "it has no effect on a WebSocket connection"

/* The first row that fits counts. settings.c refuses the names of controls before. */
static const refusal refusals[] = {
    {"CURLOPT_*", "the names in curl_options have no CURLOPT_ in front"},
    {"CAINFO", "ca_file"},
    {"CAPATH", "ca_path"},
    {"CONNECTTIMEOUT*", "connect_timeout"},
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
    {"PROXY_SSL_VERIFY*", "proxy_verify"},
    {"REFERER", "set_request_header"},
    {"SSLCERT", "client_certificate"},
    {"SSLCERTTYPE", "client_certificate_type"},
    {"SSLKEY", "client_key"},
    {"SSL_VERIFYHOST", "verify"},
    {"SSL_VERIFYPEER", "verify"},
    {"TCP_NODELAY", "no_delay"},
    {"TIMEOUT*", "connect_timeout"},
    {"USERAGENT", "set_request_header"},
    {"USERNAME", "server_credential"},
    {"PASSWORD", "server_credential"},
    {"USERPWD", "server_credential"},

    {"AWS_SIGV4", SECRET},
    {"COOKIE*", SECRET},
    {"GSSAPI_DELEGATION", SECRET},
    {"NETRC*", SECRET},
    {"SOCKS5_GSSAPI_*", SECRET},
    {"STDERR", SECRET},
    {"UNRESTRICTED_AUTH", SECRET},
    {"VERBOSE", SECRET},
    {"XOAUTH2_BEARER", SECRET},

    {"DOH_SSL_*", CHECK},
    {"ISSUERCERT*", CHECK},
    {"PINNEDPUBLICKEY", CHECK},
    {"PROXY_*", CHECK},
    {"SSL*", CHECK},
    {"TLS*", CHECK},

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
    {"PROTOCOLS*", OWN},
    {"PROXY", PROXY},
    {"PROXYTYPE", PROXY},
    {"QUICK_EXIT", OWN},
    {"REDIR_PROTOCOLS*", OWN},
    {"REQUEST_TARGET", OWN},
    {"UPLOAD_BUFFERSIZE", OWN},
    {"URL", OWN},
    {"WS_OPTIONS", OWN},

    {"CURLU", POINTER},
    {"ERRORBUFFER", POINTER},
    {"PRIVATE", POINTER},
    {"SHARE", POINTER},
    {"*DATA", POINTER},
    {"*FUNCTION", POINTER},
    {"*_BLOB", POINTER},

    {"ACCEPT_ENCODING", OTHER},
    {"FTP*", OTHER},
    {"KEEP_SENDING_ON_ERROR", OTHER},
    {"LOW_SPEED_*", OTHER},
    {"MAX*", OTHER},
    {"PIPEWAIT", OTHER},
    {"POST*", OTHER},
    {"RANGE", OTHER},
    {"SSH_*", OTHER},
    {"UPLOAD", OTHER},
};

static bool is_name(const char *name, size_t len_bytes, const char *wanted)
{
    return strlen(wanted) == len_bytes && memcmp(name, wanted, len_bytes) == 0;
}

static const row *row_of(const char *name, size_t len_bytes)
{
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (is_name(name, len_bytes, allowed[i].name))
            return &allowed[i];
    return NULL;
}

/* Returns whether a name fits a pattern with a * at one end, or without. */
static bool fits(const char *name, size_t len_bytes, const char *pattern)
{
    size_t fixed = strlen(pattern) - 1;

    if (pattern[fixed] == '*')
        return len_bytes >= fixed && memcmp(name, pattern, fixed) == 0;
    if (*pattern == '*')
        return len_bytes >= fixed && memcmp(name + len_bytes - fixed, pattern + 1, fixed) == 0;
    return is_name(name, len_bytes, pattern);
}

static const char *reason_for(const char *name, size_t len_bytes)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (fits(name, len_bytes, refusals[i].name))
            return refusals[i].reason;
    return "it is not in the list of options that are known to be safe, in docs/reaching.md";
}

/* Reads a whole number that a long holds everywhere. */
static bool read_number(const char *text, size_t len_bytes, long *number)
{
    char copy[16], *end;

    if (len_bytes == 0 || len_bytes >= sizeof copy)
        return false;
    memcpy(copy, text, len_bytes);
    copy[len_bytes] = '\0';
    if (strspn(copy, "-0123456789") < len_bytes)
        return false;
    errno = 0;
    *number = strtol(copy, &end, 10);
    return errno == 0 && !*end && *number <= INT32_MAX && *number >= INT32_MIN;
}

bool cw_curl_option_is_number(const char *name, size_t len_bytes)
{
    const row *found = row_of(name, len_bytes);

    return found && found->is_number;
}

static cw_status refuse(const char *name, size_t len_bytes)
{
    const char *reason = reason_for(name, len_bytes);
    int shown = (int)(len_bytes < SHOWN_AT_MOST ? len_bytes : SHOWN_AT_MOST);

    if (strchr(reason, ' '))
        return cw__fail_limit(CW_INVALID_ARGUMENT, CW_OPT_CURL_OPTIONS,
                              "curl_options cannot have %.*s, because %s: remove it", shown, name, reason);
    return cw__fail_limit(CW_INVALID_ARGUMENT, CW_OPT_CURL_OPTIONS,
                          "curl_options cannot have %.*s: use curlwire's %s instead", shown, name, reason);
}

cw_status cw__curl_option_check(const char *item, size_t len_bytes)
{
    const char *mark = len_bytes ? memchr(item, '=', len_bytes) : NULL;
    size_t name_bytes = mark ? (size_t)(mark - item) : len_bytes;
    const row *found = row_of(item, name_bytes);
    long number;

    if (!found)
        return refuse(item, name_bytes);
    if (!mark || mark + 1 == item + len_bytes)
        return cw__fail_limit(CW_INVALID_ARGUMENT, CW_OPT_CURL_OPTIONS,
                              "%s in curl_options has no value: give it one", found->name);
    if (found->is_number && !read_number(mark + 1, len_bytes - name_bytes - 1, &number))
        return cw__fail_limit(CW_INVALID_ARGUMENT, CW_OPT_CURL_OPTIONS,
                              "%s in curl_options takes a whole number of at most 31 bits: correct it",
                              found->name);
    return CW_OK;
}

static CURLcode set_line(const char *line, size_t len_bytes, CURL *easy)
{
    const char *mark = memchr(line, '=', len_bytes);
    const row *found = mark ? row_of(line, (size_t)(mark - line)) : NULL;
    size_t value_bytes = mark ? len_bytes - (size_t)(mark + 1 - line) : 0;
    CURLcode code;
    long number;
    char *value;

    if (!found)
        return CURLE_UNKNOWN_OPTION; /* LCOV_EXCL_LINE: cw__curl_option_check has seen it */
    if (found->is_number)
        return read_number(mark + 1, value_bytes, &number) ? curl_easy_setopt(easy, found->option, number)
                                                           : CURLE_BAD_FUNCTION_ARGUMENT;
    value = cw__strndup(mark + 1, value_bytes);
    code = value ? curl_easy_setopt(easy, found->option, value) : CURLE_OUT_OF_MEMORY;
    cw__free(value);
    return code;
}

CURLcode cw__curl_options_set(const char *lines, CURL *easy, char refused[CW__CURL_OPTION_BYTES])
{
    CURLcode code = CURLE_OK;

    while (*lines && code == CURLE_OK) {
        size_t len = strcspn(lines, "\n");
        code = set_line(lines, len, easy);
        if (code != CURLE_OK) {
            size_t shown = len < CW__CURL_OPTION_BYTES ? len : CW__CURL_OPTION_BYTES - 1;
            memcpy(refused, lines, shown);
            refused[shown] = '\0';
        }
        lines += len + (lines[len] == '\n');
    }
    return code;
}

/* SPDX-License-Identifier: MIT */
/* TLS options: the controls of TLS. It checks them, gives them to libcurl, and explains failures that they cause.
 * handshake.c and verdict.c call this file. What the controls name (ciphers, files, keys) is shown in errors, except for
 * data.
 *
 * Errors: CW_CONNECT_FAILED. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "transport.h"

static bool is_set(const char *text) { return text && *text; }

/* ---- When a socket connects ---- */

static cw_status refuse(cw_option option, const char *text)
{
    return cw__fail_limit(CW_CONNECT_FAILED, option, "%s", text);
}

/* Returns whether bytes begin a public key: a PEM block, perhaps after other text, or a SEQUENCE of DER. */
static bool is_public_key(const char *data, size_t len_bytes)
{
    enum { SEQUENCE = 0x30 };
    static const char mark[] = "-----BEGIN PUBLIC KEY-----";

    if (len_bytes > 0 && data[0] == SEQUENCE)
        return true;
    for (size_t i = 0; i + sizeof mark - 1 <= len_bytes; i++)
        if (memcmp(data + i, mark, sizeof mark - 1) == 0)
            return true;
    return false;
}

/* libcurl reports a file that has no key as a key that does not match, so the start of the file is looked at here. */
static cw_status check_pin_file(const char *path)
{
    char start[4096];
    ssize_t bytes = -1;
    cw_status status = cw__file_check(CW_OPT_PINNED_PUBLIC_KEY, "pinned_public_key", path);
    int fd = status == CW_OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (status != CW_OK)
        return status;
    if (fd >= 0) {
        bytes = read(fd, start, sizeof start);
        (void)close(fd);
    }
    if (bytes >= 0 && is_public_key(start, (size_t)bytes))
        return CW_OK;
    return cw__fail_limit(
        CW_CONNECT_FAILED, CW_OPT_PINNED_PUBLIC_KEY,
        "pinned_public_key '%.300s' cannot be used: it is not a public key; write one by `openssl "
        "x509 -in CERTIFICATE -pubkey -noout`",
        path);
}

cw_status cw__tls_options_check(const cw__handshake_settings *settings)
{
    const cw__tls_options *o = &settings->tls;
    const char *pin = is_set(o->pinned_public_key) ? o->pinned_public_key : NULL;

    /* A pin says that only the holder of a key may read what is sent. ws:// proves no key. */
    if (pin && !settings->uri->is_secure)
        return refuse(
            CW_OPT_PINNED_PUBLIC_KEY,
            "pinned_public_key is set, and the URI is ws://, which has no key: use wss://, or unset it");
    if (!settings->uri->is_secure)
        return CW_OK;
    if (o->resumes && settings->cookies)
        return refuse(
            CW_OPT_TLS_SESSION_RESUMPTION,
            "tls_session_resumption and cookies are both set, and libcurl shares only one of them: unset one");
    if (is_set(o->server_name) && is_set(settings->reach.connect_to))
        return refuse(
            CW_OPT_TLS_SERVER_NAME,
            "tls_server_name and connect_to are both set, and libcurl has one option for both: unset one, or "
            "use resolve for the address");
    if (o->is_13_least && o->is_12_most)
        return refuse(CW_OPT_TLS_MAX_VERSION,
                      "tls_min_version is 1.3 and tls_max_version is 1.2, so no version is left: raise "
                      "tls_max_version, or lower tls_min_version");
    if (o->ca.len_bytes > 0 && *settings->ca_file)
        return refuse(CW_OPT_CA_DATA, "ca_file and ca_data are both set: unset one of them");
    if (pin && !cw__tls_is_pin_list(pin))
        return check_pin_file(pin);
    return CW_OK;
}

/* ---- The name ---- */

/* Writes "host" or "[address]", and the port if it is not the usual one. Returns whether it fits. */
static bool write_place(char *out, size_t size_bytes, const cw__uri *uri, const char *zone_mark, unsigned port,
                        bool has_port)
{
    char digits[16] = "";
    int len;

    if (has_port)
        (void)snprintf(digits, sizeof digits, ":%u", port);
    len = snprintf(out, size_bytes, "%s%s%s%s%s%s", uri->is_ipv6 ? "[" : "", uri->host,
                   *uri->zone ? zone_mark : "", uri->zone, uri->is_ipv6 ? "]" : "", digits);
    return len >= 0 && (size_t)len < size_bytes;
}

/* Returns whether the lines have a Host header of the caller's. */
static bool has_host(const char *lines)
{
    while (*lines) {
        if (strncasecmp(lines, "host:", 5) == 0 || strncasecmp(lines, "host;", 5) == 0)
            return true;
        lines += strcspn(lines, "\n");
        lines += *lines == '\n';
    }
    return false;
}

static bool add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer)
        *list = longer;
    return longer != NULL;
}

/* Makes h->url, the URI with the name of TLS for its host. */
static bool make_url(cw__handshake *h, const cw__uri *uri, const char *name)
{
    cw__authority a;
    cw__uri other = *uri;
    char *host;

    if (!cw__tls_read_host(name, &a))
        return false; /* LCOV_EXCL_LINE: it was checked when it was set */
    host = cw__strndup(a.host, a.host_bytes);
    if (!host)
        return false;
    other.host = host;
    other.zone = "";
    other.is_ipv6 = a.is_ipv6;
    h->url = cw__uri_base(&other);
    cw__free(host);
    return h->url != NULL;
}

/* libcurl takes the name for TLS (SNI and the check of the certificate) from the URL. CURLOPT_CONNECT_TO makes it connect
 * to another host, which it also names to a proxy. The Host header stays that of the URI. */
CURLcode cw__tls_options_rename(cw__handshake *h, const cw__handshake_settings *settings, unsigned port)
{
    enum { HTTPS_PORT = 443, PLACE_BYTES = CW__HOST_AT_MOST + 128 };
    const char *name = settings->tls.server_name;
    char place[PLACE_BYTES], line[PLACE_BYTES + 8];

    if (!settings->uri->is_secure || !is_set(name))
        return CURLE_OK;
    if (!make_url(h, settings->uri, name) ||
        !write_place(place, sizeof place, settings->uri, "%25", port, true))
        return CURLE_OUT_OF_MEMORY;
    (void)snprintf(line, sizeof line, "::%s", place);
    if (!add(&h->connect_to, line))
        return CURLE_OUT_OF_MEMORY;
    if (has_host(settings->request.headers))
        return CURLE_OK;
    if (!write_place(place, sizeof place, settings->uri, "%25", port, port != HTTPS_PORT))
        return CURLE_OUT_OF_MEMORY;
    (void)snprintf(line, sizeof line, "Host: %s", place);
    return add(&h->headers, line) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}

/* ---- libcurl's options ---- */

/* Returns whether a session may be resumed. A resumed session makes none of the checks of the first one again. So only
 * sockets whose checks are those of the authorities, the name and a pin may resume. libcurl (8.14.1, 8.22:
 * lib/vtls/vtls_scache.c) resumes a session only for the same host, port, authorities and pin. */
static bool may_resume(const cw__handshake *h, const cw__handshake_settings *settings)
{
    return settings->tls.resumes && h->is_to_tls && settings->verify && !settings->tls.wants_status &&
           !*settings->crl_file && !settings->asks && !settings->ignorable &&
           !cw__client_certificate_is_set(&h->client) && h->proxy.kind != CW__PROXY_HTTPS;
}

static CURLcode set_text(cw__handshake *h, CURLoption option, const char *text, const char *control)
{
    CURLcode code = is_set(text) ? curl_easy_setopt(h->easy, option, text) : CURLE_OK;

    if (code != CURLE_OK && code != CURLE_OUT_OF_MEMORY)
        h->refused = control;
    return code;
}

static CURLcode set_sessions(cw__handshake *h, bool resumes)
{
    CURLSH *sessions = resumes ? cw__sessions() : NULL;
    CURLcode code;

    if (resumes && !sessions)
        return CURLE_OUT_OF_MEMORY;
    /* By default each connect verifies, because a resumed session relies on a certificate that was verified before. To
     * resume saves 5 % of the processor time of a connect, and no round trip with TLS 1.3. */
    code = curl_easy_setopt(h->easy, CURLOPT_SSL_SESSIONID_CACHE, resumes ? 1L : 0L);
    return code == CURLE_OK && sessions ? curl_easy_setopt(h->easy, CURLOPT_SHARE, sessions) : code;
}

CURLcode cw__tls_options_set(cw__handshake *h, const cw__handshake_settings *settings)
{
    const cw__tls_options *o = &settings->tls;
    /* The lowest version is TLS 1.2, even if the system's OpenSSL allows an older one. */
    long versions = (o->is_13_least ? (long)CURL_SSLVERSION_TLSv1_3 : (long)CURL_SSLVERSION_TLSv1_2) |
                    (o->is_12_most ? (long)CURL_SSLVERSION_MAX_TLSv1_2 : 0L);
    CURLcode code = curl_easy_setopt(h->easy, CURLOPT_SSLVERSION, versions);

#define SET_TEXT(option, text, control) \
    if (code == CURLE_OK)               \
    code = set_text(h, option, text, control)
    SET_TEXT(CURLOPT_PINNEDPUBLICKEY, o->pinned_public_key, "pinned_public_key");
    SET_TEXT(CURLOPT_SSL_CIPHER_LIST, o->ciphers, "tls_ciphers");
    SET_TEXT(CURLOPT_TLS13_CIPHERS, o->ciphers13, "tls13_ciphers");
    SET_TEXT(CURLOPT_SSL_EC_CURVES, o->groups, "tls_groups");
#undef SET_TEXT
    if (code == CURLE_OK && o->wants_status && settings->verify) {
        code = curl_easy_setopt(h->easy, CURLOPT_SSL_VERIFYSTATUS, 1L);
        h->refused = code == CURLE_OK ? NULL : "ocsp_stapling";
    }
    if (code == CURLE_OK && h->connect_to) {
        code = curl_easy_setopt(h->easy, CURLOPT_URL, h->url);
        if (code == CURLE_OK)
            code = curl_easy_setopt(h->easy, CURLOPT_CONNECT_TO, h->connect_to);
    }
    return code == CURLE_OK ? set_sessions(h, may_resume(h, settings)) : code;
}

/* ---- What libcurl says ---- */

typedef struct complaint {
    const char *words; /* the start of libcurl's text, or words in it; 8.14.1 and 8.22: lib/vtls/openssl.c */
    cw_option option;
    int web_status;
    cw_chain_result chain_result;
    const char *text; /* $ is the host, and ! the value of the control */
} complaint;

#define STAPLING   "; correct the stapling at the server, or set ocsp_stapling to false"
#define CERT       "the certificate of $ "
#define NO_STATUS  CERT "cannot be checked for revocation: "
#define UNKNOWN    " '!' cannot be used: the TLS library of libcurl "
#define INFO_LACKS CW_CHAIN_RevocationInformationMissing

static const complaint complaints[] = {
    {"failed setting cipher list", CW_OPT_TLS_CIPHERS, CW_WEB_UnexpectedClientError, CW_CHAIN_Success,
     "tls_ciphers" UNKNOWN "has none of these ciphers; see the names in `openssl ciphers`"},
    {"failed setting TLS 1.3", CW_OPT_TLS13_CIPHERS, CW_WEB_UnexpectedClientError, CW_CHAIN_Success,
     "tls13_ciphers" UNKNOWN "lacks one of these ciphers; see the names in `openssl ciphers -tls1_3`"},
    {"failed setting curves", CW_OPT_TLS_GROUPS, CW_WEB_UnexpectedClientError, CW_CHAIN_Success,
     "tls_groups" UNKNOWN "lacks one of these groups; see the names in `openssl list -tls-groups`"},
    {"", CW_OPT_CA_DATA, CW_WEB_UnexpectedClientError, CW_CHAIN_Success,
     "ca_data cannot be used: it must be PEM certificates"},
    {"public key does not match", CW_OPT_PINNED_PUBLIC_KEY, CW_WEB_CertificateIsInvalid, CW_CHAIN_OtherErrors,
     "the public key of $ is not the one in pinned_public_key: check that you connect to the right server, or "
     "pin "
     "its new key"},
    {"revocation reason", CW_OPT_OCSP_STAPLING, CW_WEB_CertificateRevoked, CW_CHAIN_Revoked,
     CERT "has been revoked, as the server itself shows (ocsp_stapling): do not trust it"},
    {"No OCSP response", CW_OPT_OCSP_STAPLING, CW_WEB_CertificateIsInvalid, INFO_LACKS,
     NO_STATUS "the server sent no OCSP status; turn on stapling at the server, or set ocsp_stapling to "
               "false"},
    {"has expired", CW_OPT_OCSP_STAPLING, CW_WEB_CertificateIsInvalid, CW_CHAIN_RevocationFailure,
     NO_STATUS "the OCSP status that the server sent is out of date" STAPLING},
    {"Could not find certificate ID", CW_OPT_OCSP_STAPLING, CW_WEB_CertificateIsInvalid, INFO_LACKS,
     NO_STATUS "the OCSP status that the server sent is for another certificate" STAPLING},
    {"", CW_OPT_OCSP_STAPLING, CW_WEB_CertificateIsInvalid, CW_CHAIN_RevocationFailure,
     NO_STATUS "the OCSP status that the server sent is faulty, or not signed by the authority" STAPLING},
};

/* Returns the value of a control that a complaint is about; NULL = it is unset. Data is not shown. */
static const char *value_of(const cw__tls_options *o, cw_option option)
{
    const char *text = option == CW_OPT_TLS_CIPHERS         ? o->ciphers
                       : option == CW_OPT_TLS13_CIPHERS     ? o->ciphers13
                       : option == CW_OPT_TLS_GROUPS        ? o->groups
                       : option == CW_OPT_PINNED_PUBLIC_KEY ? o->pinned_public_key
                                                            : NULL;

    if (option == CW_OPT_CA_DATA || option == CW_OPT_OCSP_STAPLING)
        return (option == CW_OPT_CA_DATA ? o->ca.len_bytes > 0 : o->wants_status) ? "" : NULL;
    return is_set(text) ? text : NULL;
}

static CURLcode code_of(cw_option option)
{
    return option == CW_OPT_CA_DATA             ? CURLE_SSL_CACERT_BADFILE
           : option == CW_OPT_PINNED_PUBLIC_KEY ? CURLE_SSL_PINNEDPUBKEYNOTMATCH
           : option == CW_OPT_OCSP_STAPLING     ? CURLE_SSL_INVALIDCERTSTATUS
                                                : CURLE_SSL_CIPHER;
}

/* Returns the complaint of a failure, or NULL. */
static const complaint *complaint_of(const cw__tls_options *o, int curl_code, const char *text)
{
    for (size_t i = 0; i < sizeof complaints / sizeof *complaints; i++)
        if (value_of(o, complaints[i].option) && (int)code_of(complaints[i].option) == curl_code &&
            strstr(text, complaints[i].words))
            return &complaints[i];
    return NULL;
}

typedef struct writer {
    char *at, *end;
} writer;

/* Adds a text, of which at most most_bytes bytes are shown. */
static void put(writer *w, const char *text, size_t most_bytes)
{
    while (*text && most_bytes-- > 0 && w->at < w->end)
        *w->at++ = *text++;
    *w->at = '\0';
}

/* Sets the error of a complaint, with $ and ! replaced. */
static void complain(const cw__handshake *h, const complaint *c, cw__error *error)
{
    char message[CW__MESSAGE_BYTES];
    writer writing = {message, message + sizeof message - 1}, *w = &writing;
    const char *value = value_of(&h->tls_options, c->option);

    for (const char *at = c->text; *at; at++) {
        switch (*at) {
        case '$':
            put(w, h->host, 80);
            break;
        case '!':
            put(w, value ? value : "", 100);
            break;
        default:
            put(w, at, 1);
        }
    }
    cw__error_set(error, CW_CONNECT_FAILED, c->web_status, "%s", message);
    error->limit = (int)c->option + 1;
    error->chain_result = (int)c->chain_result;
}

/* Sets the error of a TLS handshake that failed because the two ends have nothing in common, if a control leaves less. */
static bool explain_nothing_shared(const cw__handshake *h, const char *text, cw__error *error)
{
    const cw__tls_options *o = &h->tls_options;
    bool is_version = strstr(text, "unsupported protocol") || strstr(text, "alert protocol version");
    bool has_names = is_set(o->ciphers) || is_set(o->ciphers13) || is_set(o->groups);
    cw_option option;

    if (is_version && (o->is_13_least || o->is_12_most)) {
        option = o->is_13_least ? CW_OPT_TLS_MIN_VERSION : CW_OPT_TLS_MAX_VERSION;
        cw__error_set(
            error, CW_CONNECT_FAILED, CW_WEB_CannotConnect,
            "the server %.80s does not support TLS %s (tls_%s_version): change tls_%s_version, or ask whoever "
            "runs the server to update it",
            h->host, o->is_13_least ? "1.3" : "1.2", o->is_13_least ? "min" : "max",
            o->is_13_least ? "min" : "max");
    } else if (strstr(text, "handshake failure") && has_names) {
        option = is_set(o->ciphers)     ? CW_OPT_TLS_CIPHERS
                 : is_set(o->ciphers13) ? CW_OPT_TLS13_CIPHERS
                                        : CW_OPT_TLS_GROUPS;
        cw__error_set(
            error, CW_CONNECT_FAILED, CW_WEB_CannotConnect,
            "the server %.80s refused the TLS handshake: it may share no cipher or group of%s%s%s; allow "
            "more in the control, or at the server",
            h->host, is_set(o->ciphers) ? " tls_ciphers" : "", is_set(o->ciphers13) ? " tls13_ciphers" : "",
            is_set(o->groups) ? " tls_groups" : "");
    } else {
        return false;
    }
    error->limit = (int)option + 1;
    return true;
}

bool cw__tls_options_explain(const cw__handshake *h, int curl_code, const char *text, cw__error *error)
{
    const complaint *c = complaint_of(&h->tls_options, curl_code, text);

    if (c)
        complain(h, c, error);
    else if (curl_code != CURLE_SSL_CONNECT_ERROR || !explain_nothing_shared(h, text, error))
        return false;
    error->curl_code = curl_code;
    return true;
}

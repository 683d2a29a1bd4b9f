/* SPDX-License-Identifier: MIT */
/* Failure: gives each failure of libcurl a status and a text of our own. It uses the CURLcode, libcurl's texts about
 * TLS, errno, the verdict on a certificate, and the party that failed (server or proxy). libcurl's texts are compared here and
 * never shown, because they may contain a proxy's password. handshake.c and link.c call this file. It needs no lock.
 * Its only I/O finds out why a file cannot be read.
 *
 * Errors: CW_CONNECT_FAILED, CW_CLOSED. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "transport.h"

/* All names of 8.14.1, the oldest accepted libcurl. */
/* clang-format off */
#define NAMES(X) \
    X(CURLE_UNSUPPORTED_PROTOCOL) X(CURLE_FAILED_INIT) X(CURLE_URL_MALFORMAT) X(CURLE_NOT_BUILT_IN) \
    X(CURLE_COULDNT_RESOLVE_PROXY) X(CURLE_COULDNT_RESOLVE_HOST) X(CURLE_COULDNT_CONNECT) \
    X(CURLE_WEIRD_SERVER_REPLY) X(CURLE_REMOTE_ACCESS_DENIED) X(CURLE_FTP_ACCEPT_FAILED) \
    X(CURLE_FTP_WEIRD_PASS_REPLY) X(CURLE_FTP_ACCEPT_TIMEOUT) X(CURLE_FTP_WEIRD_PASV_REPLY) \
    X(CURLE_FTP_WEIRD_227_FORMAT) X(CURLE_FTP_CANT_GET_HOST) X(CURLE_HTTP2) X(CURLE_FTP_COULDNT_SET_TYPE) \
    X(CURLE_PARTIAL_FILE) X(CURLE_FTP_COULDNT_RETR_FILE) X(CURLE_QUOTE_ERROR) X(CURLE_HTTP_RETURNED_ERROR) \
    X(CURLE_WRITE_ERROR) X(CURLE_UPLOAD_FAILED) X(CURLE_READ_ERROR) X(CURLE_OUT_OF_MEMORY) \
    X(CURLE_OPERATION_TIMEDOUT) X(CURLE_FTP_PORT_FAILED) X(CURLE_FTP_COULDNT_USE_REST) \
    X(CURLE_RANGE_ERROR) X(CURLE_SSL_CONNECT_ERROR) X(CURLE_BAD_DOWNLOAD_RESUME) \
    X(CURLE_FILE_COULDNT_READ_FILE) X(CURLE_LDAP_CANNOT_BIND) X(CURLE_LDAP_SEARCH_FAILED) \
    X(CURLE_ABORTED_BY_CALLBACK) X(CURLE_BAD_FUNCTION_ARGUMENT) X(CURLE_INTERFACE_FAILED) \
    X(CURLE_TOO_MANY_REDIRECTS) X(CURLE_UNKNOWN_OPTION) X(CURLE_SETOPT_OPTION_SYNTAX) X(CURLE_GOT_NOTHING) \
    X(CURLE_SSL_ENGINE_NOTFOUND) X(CURLE_SSL_ENGINE_SETFAILED) X(CURLE_SEND_ERROR) X(CURLE_RECV_ERROR) \
    X(CURLE_SSL_CERTPROBLEM) X(CURLE_SSL_CIPHER) X(CURLE_PEER_FAILED_VERIFICATION) \
    X(CURLE_BAD_CONTENT_ENCODING) X(CURLE_FILESIZE_EXCEEDED) X(CURLE_USE_SSL_FAILED) \
    X(CURLE_SEND_FAIL_REWIND) X(CURLE_SSL_ENGINE_INITFAILED) X(CURLE_LOGIN_DENIED) X(CURLE_TFTP_NOTFOUND) \
    X(CURLE_TFTP_PERM) X(CURLE_REMOTE_DISK_FULL) X(CURLE_TFTP_ILLEGAL) X(CURLE_TFTP_UNKNOWNID) \
    X(CURLE_REMOTE_FILE_EXISTS) X(CURLE_TFTP_NOSUCHUSER) X(CURLE_SSL_CACERT_BADFILE) \
    X(CURLE_REMOTE_FILE_NOT_FOUND) X(CURLE_SSH) X(CURLE_SSL_SHUTDOWN_FAILED) X(CURLE_AGAIN) \
    X(CURLE_SSL_CRL_BADFILE) X(CURLE_SSL_ISSUER_ERROR) X(CURLE_FTP_PRET_FAILED) X(CURLE_RTSP_CSEQ_ERROR) \
    X(CURLE_RTSP_SESSION_ERROR) X(CURLE_FTP_BAD_FILE_LIST) X(CURLE_CHUNK_FAILED) \
    X(CURLE_NO_CONNECTION_AVAILABLE) X(CURLE_SSL_PINNEDPUBKEYNOTMATCH) X(CURLE_SSL_INVALIDCERTSTATUS) \
    X(CURLE_HTTP2_STREAM) X(CURLE_RECURSIVE_API_CALL) X(CURLE_AUTH_ERROR) X(CURLE_HTTP3) \
    X(CURLE_QUIC_CONNECT_ERROR) X(CURLE_PROXY) X(CURLE_SSL_CLIENTCERT) X(CURLE_UNRECOVERABLE_POLL) \
    X(CURLE_TOO_LARGE) X(CURLE_ECH_REQUIRED)
/* clang-format on */

const char *cw__curl_name(int curl_code)
{
    switch (curl_code) {
#define CW_X(name) \
    case name:     \
        return #name;
        NAMES(CW_X)
#undef CW_X
    default:
        return "?";
    }
}

int cw__web_status_of_curl(int curl_code, int os_errno)
{
    switch (curl_code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return CW_WEB_HostNameNotResolved;
    case CURLE_COULDNT_CONNECT:
        return cw__web_status_of_errno(os_errno) == CW_WEB_ServerUnreachable ? CW_WEB_ServerUnreachable
                                                                             : CW_WEB_CannotConnect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PROXY:
        return CW_WEB_CannotConnect;
    case CURLE_OPERATION_TIMEDOUT:
        return CW_WEB_Timeout;
    case CURLE_URL_MALFORMAT:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_CERTPROBLEM:
        return CW_WEB_UnexpectedClientError;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return CW_WEB_CertificateIsInvalid;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* for example an HTTP/0.9 reply */
    case CURLE_TOO_LARGE:
        return CW_WEB_ErrorHttpInvalidServerResponse;
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return CW_WEB_Disconnected;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return os_errno ? cw__web_status_of_errno(os_errno) : CW_WEB_ConnectionAborted;
    default:
        return CW_WEB_Unknown;
    }
}

/* ---- Texts ---- */

/* Placeholders in the texts below. $ is "the server a.example" or "the proxy 10.0.0.1:3128", and & is "the
 * server" or "the proxy". ~ is the URI's host. ^ is host and port of the proxy, and # is the variable or control that
 * names it. | is the control for authorities, and ! is the path of a file. * is the name that the certificate should
 * list. % is ": " and the text of errno, if there is one. */
typedef struct party {
    const cw__failure *f;
    const char *name, *role; /* $ and & */
    const char *path;        /* ! */
} party;

typedef struct writer {
    char *at, *end;
} writer;

static void put(writer *w, const char *text)
{
    while (text && *text && w->at < w->end)
        *w->at++ = *text++;
    *w->at = '\0';
}

/* ": Connection refused" */
static void put_errno(writer *w, int os_errno)
{
    if (!os_errno)
        return;
    put(w, ": ");
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its text (glibc 2.32, musl, BSD) */
    put(w, strerror(os_errno));
}

/* ":8765", for the server. The name of a proxy has its port. */
static void put_port(writer *w, const cw__failure *f)
{
    char port[16];

    if (f->at_proxy || f->port == 0)
        return;
    (void)snprintf(port, sizeof port, ":%u", f->port);
    put(w, port);
}

static bool is_set(const char *text) { return text && *text; }

static void put_expanded(writer *w, const char *text, const party *p)
{
    for (; *text; text++) {
        const char one[2] = {*text, '\0'};
        switch (*text) {
        case '$':
            put(w, p->name);
            break;
        case '&':
            put(w, p->role);
            break;
        case '~':
            put(w, p->f->host);
            break;
        case '^':
            put(w, p->f->proxy);
            break;
        case '#':
            put(w, p->f->source);
            break;
        case '%':
            put_errno(w, p->f->os_errno);
            break;
        case '+':
            put_port(w, p->f);
            break;
        case '!':
            put(w, p->path);
            break;
        case '*':
            put(w, p->f->at_proxy ? p->name : is_set(p->f->server_name) ? p->f->server_name : p->f->host);
            break;
        case '|':
            put(w, p->f->at_proxy ? "proxy_ca_file" : "ca_file");
            break;
        default:
            put(w, one);
        }
    }
}

static writer write_to(char *buffer, size_t size_bytes)
{
    buffer[0] = '\0';
    return (writer){buffer, buffer + size_bytes - 1};
}

/* Writes OpenSSL's number of the error ("error:0A000126:..."), which says more than a CURLcode. */
static void put_tls_number(writer *w, const char *text)
{
    const char *number = strstr(text, "error:");

    if (!number || strspn(number + 6, "0123456789abcdefABCDEF") != 8)
        return;
    put(w, " (OpenSSL's error ");
    for (int i = 0; i < 8; i++)
        put(w, (char[2]){number[6 + i], '\0'});
    put(w, ")");
}

/* ---- TLS: certificates ---- */

enum { RESULTS_AT_MOST = 8 };

typedef struct verdict {
    const char *what, *advice;
    int web_status;
    int results
        [RESULTS_AT_MOST]; /* OpenSSL's X509_V_ERR_*, which CURLINFO_SSL_VERIFYRESULT passes on; 0 ends them */
} verdict;

#define CERT           "the certificate of * "
#define RENEW          "give & a new certificate"
#define NAME_AUTHORITY "if you trust that authority, set | to a file with its certificate"
#define ANOTHER_NAME   "use a name or address that the certificate lists, or give & a certificate for this name"
#define NO_REVOCATION  CERT "cannot be checked for revocation"

/* The first row is for a name that does not match, the last for all results that no other row lists. */
static const verdict verdicts[] = {
    {CERT "is for another name", ANOTHER_NAME, CW_WEB_CertificateCommonNameIsIncorrect, {62, 64}},
    {CERT "is not valid yet", "check this machine's clock; else " RENEW, CW_WEB_CertificateExpired, {9}},
    {CERT "has expired", RENEW ", or set this machine's clock", CW_WEB_CertificateExpired, {10}},
    {CERT "has been revoked", "do not trust it; " RENEW, CW_WEB_CertificateRevoked, {23}},
    {CERT "is self-signed", "if you trust it, set | to its file", CW_WEB_CertificateIsInvalid, {18}},
    {CERT "comes from an unknown authority", NAME_AUTHORITY, CW_WEB_CertificateIsInvalid, {2, 19}},
    {CERT "comes from an unknown authority",
     NAME_AUTHORITY ", or let & send its whole chain",
     CW_WEB_CertificateIsInvalid,
     {20, 21}},
    {NO_REVOCATION,
     "crl_file lacks the list of an authority of the chain; add this list",
     CW_WEB_CertificateIsInvalid,
     {3, 33}},
    {NO_REVOCATION, "a list in crl_file is out of date; fetch a new list", CW_WEB_CertificateIsInvalid, {12}},
    {NO_REVOCATION,
     "a list in crl_file is faulty or not valid yet; fetch another list",
     CW_WEB_CertificateIsInvalid,
     {5, 8, 11, 15, 16, 35, 36}},
    {CERT "has a key that is too weak",
     RENEW ", with RSA of 2048 bits or more",
     CW_WEB_CertificateContainsErrors,
     {66}},
    {CERT "comes from an authority whose key or digest is too weak",
     RENEW,
     CW_WEB_CertificateContainsErrors,
     {67, 68}},
    {CERT "is faulty: its signature is wrong", RENEW, CW_WEB_CertificateContainsErrors, {7}},
    {CERT "is faulty", RENEW, CW_WEB_CertificateContainsErrors, {4, 6, 13, 14}},
    {CERT "was not issued for servers", "give & a certificate for servers", CW_WEB_CertificateIsInvalid, {26}},
    {CERT "is not valid: an authority of its chain may not issue certificates",
     RENEW,
     CW_WEB_CertificateIsInvalid,
     {24, 25, 32, 79}},
    {CERT "is not valid", RENEW, CW_WEB_CertificateIsInvalid, {0}},
};

/* libcurl (8.14.1) reports a wrong name only by text, without a result. It sets 1 before it knows the result. */
static const verdict *verdict_of(long verify_result, const char *text)
{
    const verdict *last = verdicts + sizeof verdicts / sizeof *verdicts - 1;

    if (strstr(text, "subject name") || strstr(text, "common name") || strstr(text, "cert name"))
        return verdicts;
    for (const verdict *v = verdicts; v < last; v++)
        for (const int *result = v->results; *result; result++)
            if (*result == verify_result)
                return v;
    return last;
}

/* Returns the verify result for the alert that we sent (RFC 8446 section 6.2); -1 if the alert is not about a
 * certificate. We need it because libcurl 8.14.1 loses the server's verify result behind an https:// proxy. */
static long result_of_alert(const cw__failure *f)
{
    if (f->curl_code != CURLE_SSL_CONNECT_ERROR)
        return -1;
    switch (f->tls.sent_alert) {
    case 44: /* certificate_revoked */
        return 23;
    case 45: /* certificate_expired */
        return 10;
    case 48: /* unknown_ca */
        return 20;
    case 42: /* bad_certificate */
    case 43: /* unsupported_certificate */
    case 46: /* certificate_unknown */
        return 0;
    default:
        return -1;
    }
}

static void explain_certificate(const party *p, long verify_result, cw__error *error)
{
    const cw__failure *f = p->f;
    const verdict *v = verdict_of(verify_result, f->text);
    char message[CW__MESSAGE_BYTES], number[64] = "";
    writer w = write_to(message, sizeof message);

    if (v->results[0] == 0 && verify_result > 1)
        (void)snprintf(number, sizeof number, " (OpenSSL's verify result %ld)", verify_result);
    put_expanded(&w, v->what, p);
    put(&w, number);
    put(&w, ": ");
    put_expanded(&w, v->advice, p);
    cw__error_set(error, CW_CONNECT_FAILED, v->web_status, "%s", message);
}

/* ---- TLS: the rest ---- */

typedef struct reason {
    const char
        *words; /* words of OpenSSL (3.0 to 4.0) or GnuTLS in libcurl's text, by which the row is found */
    int web_status;
    const char *message, *message_of_proxy; /* NULL = as message */
} reason;

#define OLD_TLS  "$ does not support TLS 1.2 or later: ask whoever runs & to update it"
#define NO_TLS   "$ does not speak TLS there: use ws:// or another port"
#define NO_TLS_P "$ does not speak TLS there: write http:// in #, or another port"
#define FAULTY   "the certificate of $ is faulty, or its signature: give & a new certificate"
#define TRUNCATED \
    "$ cut the connection without TLS's close_notify: what it sent may be truncated; connect again"
#define NO_LOOK_UP                                                                                          \
    "cannot connect to $: no descriptor, thread or memory to look a name up; raise the limits (ulimit -n, " \
    "-u, -v)"

static const reason *reason_of(int curl_code, const char *text)
{
    static const reason reasons[] = {
        /* the first row is for the TLS handshake only */
        {"unexpected eof", CW_WEB_CannotConnect,
         "$ ended the connection during the TLS handshake: check the port, and the log of &", NULL},
        {"thread failed to start", CW_WEB_HostNameNotResolved, NO_LOOK_UP, NULL}, /* 8.14.1 */
        {"unsupported protocol", CW_WEB_CannotConnect, OLD_TLS, NULL},
        {"alert protocol version", CW_WEB_CannotConnect, OLD_TLS, NULL},
        {"wrong version number", CW_WEB_CannotConnect, NO_TLS, NO_TLS_P},
        {"packet length too long", CW_WEB_CannotConnect, NO_TLS, NO_TLS_P},
        {"handshake failure", CW_WEB_CannotConnect,
         "$ refused the TLS handshake: it shares no cipher with curlwire; allow another cipher at &", NULL},
        {"unrecognized name", CW_WEB_CannotConnect,
         "$ refused the TLS handshake: it does not know the requested host name; check the name", NULL},
        {"asn1 encoding routines", CW_WEB_CertificateContainsErrors, FAULTY, NULL},
        {"rsa routines", CW_WEB_CertificateContainsErrors, FAULTY, NULL},
        {"provider signature failure", CW_WEB_CertificateContainsErrors, FAULTY, NULL}, /* 3.5 */
        {"certificate required", CW_WEB_UnexpectedClientError,
         "$ demands a client certificate: set client_certificate", NULL},
        {"unexpected eof", CW_WEB_ConnectionAborted, TRUNCATED, NULL},
        {"non-properly terminated", CW_WEB_ConnectionAborted, TRUNCATED, NULL},
        {"bad record mac", CW_WEB_ConnectionAborted,
         "bytes from $ were changed on the way, as TLS found; connect again", NULL},
    };

    for (size_t i = curl_code == CURLE_SSL_CONNECT_ERROR ? 0 : 1; i < sizeof reasons / sizeof *reasons; i++)
        if (strstr(text, reasons[i].words))
            return &reasons[i];
    return NULL;
}

/* ---- Proxies of SOCKS ---- */

typedef struct meaning {
    int code;
    int web_status; /* 0 = the status of the CURLcode */
    const char *text;
} meaning;

static const meaning *meaning_of(const meaning *list, size_t count, int code)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].code == code)
            return &list[i];
    return NULL;
}

#define ASK        ": check host and port, or ask whoever runs the proxy"
#define NOT_SOCKS  "$ does not speak that version of SOCKS: check the scheme in #"
#define NO_ANSWER  "$ ended the connection instead of answering: check the port, and the log of &"
#define WANTS_USER "$ refused the user and password, or wants both: set proxy_credential, or user:pass@ in #"

static const meaning *meaning_of_socks(int proxy_code)
{
    static const meaning list[] = {
        {CURLPX_BAD_VERSION, CW_WEB_CannotConnect, NOT_SOCKS},
        {CURLPX_BAD_ADDRESS_TYPE, CW_WEB_CannotConnect, NOT_SOCKS},
        {CURLPX_UNKNOWN_MODE, CW_WEB_CannotConnect, NOT_SOCKS},
        {CURLPX_NO_AUTH, CW_WEB_ProxyAuthenticationRequired, WANTS_USER},
        {CURLPX_USER_REJECTED, CW_WEB_ProxyAuthenticationRequired, WANTS_USER},
        {CURLPX_IDENTD, CW_WEB_ProxyAuthenticationRequired, WANTS_USER},
        {CURLPX_IDENTD_DIFFER, CW_WEB_ProxyAuthenticationRequired, WANTS_USER},
        {CURLPX_LONG_USER, CW_WEB_UnexpectedClientError,
         "the user name for $ has more than 255 bytes, which SOCKS cannot send: use a shorter user name"},
        {CURLPX_LONG_PASSWD, CW_WEB_UnexpectedClientError,
         "the password for $ has more than 255 bytes, which SOCKS cannot send: use a shorter password"},
        {CURLPX_LONG_HOSTNAME, CW_WEB_UnexpectedClientError,
         "the URI's host has more than 255 bytes, which SOCKS cannot send: use a shorter name"},
        {CURLPX_RESOLVE_HOST, CW_WEB_HostNameNotResolved,
         "the host ~ cannot be resolved here: with socks5h:// or socks4a:// in # the proxy ^ resolves it"},
        {CURLPX_REPLY_HOST_UNREACHABLE, CW_WEB_ServerUnreachable, "$ cannot reach ~" ASK},
        {CURLPX_REPLY_NETWORK_UNREACHABLE, CW_WEB_ServerUnreachable, "$ cannot reach the network of ~" ASK},
        {CURLPX_REPLY_TTL_EXPIRED, CW_WEB_ServerUnreachable, "$ cannot reach ~" ASK},
        {CURLPX_REPLY_CONNECTION_REFUSED, CW_WEB_CannotConnect, "$ says that ~ refused the connection" ASK},
        {CURLPX_REPLY_NOT_ALLOWED, CW_WEB_Forbidden, "$ does not allow connections to ~" ASK},
        {CURLPX_REQUEST_FAILED, CW_WEB_CannotConnect, "$ refused or failed to connect to ~" ASK},
        {CURLPX_REPLY_GENERAL_SERVER_FAILURE, CW_WEB_CannotConnect, "$ could not connect to ~" ASK},
        {CURLPX_REPLY_COMMAND_NOT_SUPPORTED, CW_WEB_CannotConnect, "$ makes no connections: use another proxy"},
        {CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED, CW_WEB_CannotConnect,
         "$ does not accept that kind of address: try socks5h:// or socks4a:// in #"},
        {CURLPX_CLOSED, CW_WEB_CannotConnect, NO_ANSWER},
        {CURLPX_RECV_CONNECT, CW_WEB_CannotConnect, NO_ANSWER},
    };
    const meaning *found = meaning_of(list, sizeof list / sizeof *list, proxy_code);
    static const meaning unknown = {CURLPX_OK, CW_WEB_CannotConnect, "connecting through $ failed" ASK};

    return found ? found : &unknown;
}

/* ---- By CURLcode ---- */

static const meaning *meaning_of_code(const cw__failure *f)
{
    static const meaning list[] = {
        {CURLE_URL_MALFORMAT, CW_WEB_UnexpectedClientError,
         "libcurl refuses the URI: write it as in wss://host/path"},
        {CURLE_COULDNT_RESOLVE_PROXY, 0, "the host of the proxy ^ cannot be resolved: check #"},
        {CURLE_COULDNT_RESOLVE_HOST, 0, "the host ~ cannot be resolved: check its spelling, and the network"},
        {CURLE_COULDNT_CONNECT, 0, "cannot connect to $+%; check host and port, and that & runs"},
        {CURLE_SSL_CONNECT_ERROR, 0, "the TLS handshake with $ failed%; see the log of &"},
        {CURLE_OPERATION_TIMEDOUT, 0,
         "$ did not answer in time (connect_timeout): check the network, or raise connect_timeout"},
        {CURLE_SEND_ERROR, 0, "the connection to $ was lost during the handshake%; connect again"},
        {CURLE_RECV_ERROR, 0, "the connection to $ was lost during the handshake%; connect again"},
        {CURLE_GOT_NOTHING, 0, NO_ANSWER},
        {CURLE_PARTIAL_FILE, 0,
         "$ ended the connection in the middle of its answer: see the log of &, or connect again"},
        {CURLE_UNSUPPORTED_PROTOCOL, 0,
         "the answer of $ is not HTTP/1.1: check the port, and that the URI names a WebSocket server"},
        {CURLE_WEIRD_SERVER_REPLY, 0,
         "the answer of $ is not valid HTTP: check the port, and that the URI names a WebSocket server"},
        {CURLE_SSL_CIPHER, CW_WEB_CannotConnect,
         "the TLS library of the loaded libcurl has none of the chosen ciphers: load another libcurl"},
        {CURLE_SSL_PINNEDPUBKEYNOTMATCH, 0,
         "the key of $ is not the expected key: check that you connect to the right server"},
        {CURLE_INTERFACE_FAILED, CW_WEB_CannotConnect,
         "the network interface cannot be used: check the network"},
    };

    if (f->proxy && f->curl_code == CURLE_PROXY)
        return meaning_of_socks(f->proxy_code);
    /* libcurl 8.22 returns this code in place of CURLE_PROXY. 8.14.1 returns it in place of
     * CURLE_COULDNT_RESOLVE_PROXY, if the look-up ended at once. libcurl looks the proxy up first. */
    if (f->proxy && f->curl_code == CURLE_COULDNT_RESOLVE_HOST)
        return f->has_socket ? meaning_of_socks(CURLPX_RESOLVE_HOST)
                             : meaning_of(list, sizeof list / sizeof *list, CURLE_COULDNT_RESOLVE_PROXY);
    return meaning_of(list, sizeof list / sizeof *list, f->curl_code);
}

static void explain_code(const party *p, cw__error *error)
{
    const cw__failure *f = p->f;
    const meaning *m = meaning_of_code(f);
    char message[CW__MESSAGE_BYTES];
    writer w = write_to(message, sizeof message);
    int web_status = cw__web_status_of_curl(f->curl_code, f->os_errno);

    if (m) {
        put_expanded(&w, m->text, p);
        put_tls_number(&w, f->text);
        cw__error_set(error, CW_CONNECT_FAILED, m->web_status ? m->web_status : web_status, "%s", message);
        return;
    }
    put_tls_number(&w, f->text);
    cw__error_set(error, CW_CONNECT_FAILED, web_status,
                  "connecting to %s failed: %s (%d)%s; look the code up in libcurl-errors(3)", p->name,
                  cw__curl_name(f->curl_code), f->curl_code, message);
}

/* Sets the error for a file that libcurl cannot use. libcurl does not say why, so this checks whether it can be read. */
static void explain_file(const party *p, cw__error *error)
{
    cw__failure f = *p->f;
    bool is_crl = f.curl_code == CURLE_SSL_CRL_BADFILE;
    const char *source = f.ca_source ? f.ca_source : "ca_file";
    const char *text = is_crl ? "crl_file '!' cannot be used%: set crl_file to a PEM file of revocation lists"
                              : " '!' cannot be used%: it must be a PEM file of certificates";
    party with_path = {.f = &f, .name = p->name, .role = p->role, .path = is_crl ? f.crl_file : f.ca_file};
    char message[CW__MESSAGE_BYTES];
    writer w = write_to(message, sizeof message);

    f.os_errno = access(with_path.path ? with_path.path : "", R_OK) == 0 ? 0 : errno;
    if (!is_crl)
        put(&w, source);
    put_expanded(&w, text, &with_path);
    cw__error_set(error, CW_CONNECT_FAILED, cw__web_status_of_curl(f.curl_code, 0), "%s", message);
}

/* ---- The functions that transport.h declares ---- */

static void fill_error(cw__error *error, int web_status, const char *text, const party *p)
{
    char message[CW__MESSAGE_BYTES];
    writer w = write_to(message, sizeof message);

    put_expanded(&w, text, p);
    cw__error_set(error, CW_CONNECT_FAILED, web_status, "%s", message);
}

void cw__failure_explain(const cw__failure *f, cw__error *error)
{
    const reason *r = reason_of(f->curl_code, f->text);
    char name[96];
    party p = {.f = f, .name = name, .role = f->at_proxy ? "the proxy" : "the server"};

    (void)snprintf(name, sizeof name, "%s %.80s", p.role, f->at_proxy ? f->proxy : f->host);
    if (f->curl_code == CURLE_PEER_FAILED_VERIFICATION)
        explain_certificate(&p, f->verify_result, error);
    else if (!r && result_of_alert(f) >= 0)
        explain_certificate(&p, result_of_alert(f), error);
    else if (f->curl_code == CURLE_SSL_CACERT_BADFILE || f->curl_code == CURLE_SSL_CRL_BADFILE)
        explain_file(&p, error);
    else if (cw__client_certificate_is_demanded(f))
        cw__client_certificate_demand(f, name, error);
    else if (r)
        fill_error(error, r->web_status, f->at_proxy && r->message_of_proxy ? r->message_of_proxy : r->message,
                   &p);
    else
        explain_code(&p, error);
    error->curl_code = f->curl_code;
    error->os_errno = f->os_errno;
}

bool cw__failure_is_descriptor(int os_errno) { return os_errno == EMFILE || os_errno == ENFILE; }

void cw__failure_no_descriptor(int os_errno, cw__error *error)
{
    cw__error_set(error, CW_SYSTEM_ERROR, CW_WEB_Unknown,
                  "no descriptor for a connection: raise the limit (ulimit -n)");
    error->os_errno = os_errno;
}

void cw__failure_lost(int curl_code, int os_errno, const char *text, const char *who, const char *doing,
                      cw__error *error)
{
    const reason *r = reason_of(curl_code, text);
    const cw__failure f = {.host = "", .proxy = "", .source = ""};
    const party p = {.f = &f, .name = who, .role = who};
    char message[CW__MESSAGE_BYTES], number[96];
    writer w = write_to(message, sizeof message);

    if (r) {
        put_expanded(&w, r->message, &p);
        cw__error_set(error, CW_CLOSED, r->web_status, "%s", message);
    } else {
        put_errno(&w, os_errno);
        (void)snprintf(number, sizeof number, ": %s (%d)", cw__curl_name(curl_code), curl_code);
        if (!os_errno)
            put(&w, number);
        put_tls_number(&w, text);
        cw__error_set(error, CW_CLOSED, cw__web_status_of_curl(curl_code, os_errno),
                      "the connection was lost while %s%s; connect again", doing, message);
    }
    error->curl_code = curl_code;
    error->os_errno = os_errno;
}

/* SPDX-License-Identifier: MIT */
/* Status: the names and texts of what calls return, the error that each thread keeps, and the one place where
 * a CURLcode, an errno, an HTTP status or a certificate verdict becomes a WebErrorStatus. Called by every room;
 * touches none. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>

#include "internal.h"

static _Thread_local cw__error thread_error;

const char *cw_status_name(cw_status status)
{
    switch (status) {
#define CW_X(name, value, text) \
    case name:                  \
        return #name;
        CW_STATUS_LIST(CW_X)
#undef CW_X
    }
    return "?";
}

const char *cw_status_text(cw_status status)
{
    switch (status) {
#define CW_X(name, value, text) \
    case name:                  \
        return text;
        CW_STATUS_LIST(CW_X)
#undef CW_X
    }
    return "?";
}

const char *cw_web_status_name(int web_status)
{
    switch (web_status) {
#define CW_X(name, value) \
    case value:           \
        return #name;
        CW_WEB_STATUS_LIST(CW_X)
#undef CW_X
    default:
        return NULL;
    }
}

const char *cw_error_message(void) { return thread_error.message; }
int cw_error_web_status(void) { return thread_error.web_status; }
int cw_error_curl_code(void) { return thread_error.curl_code; }
int cw_error_http_status(void) { return thread_error.http_status; }
int cw_error_os_errno(void) { return thread_error.os_errno; }
int cw_error_option(void) { return thread_error.limit > 0 ? thread_error.limit - 1 : CW_OPTION_COUNT; }

cw_status cw__error_status(void) { return thread_error.status; }

/* The WebErrorStatus that a status stands for where nothing more is known. */
static int web_status_of(cw_status status)
{
    switch (status) {
    case CW_TIMED_OUT:
        return CW_WEB_Timeout;
    case CW_INTERRUPTED:
        return CW_WEB_OperationCanceled;
    case CW_CLOSED:
        return CW_WEB_Disconnected;
    case CW_INVALID_ARGUMENT:
    case CW_INVALID_STATE:
    case CW_AFTER_FORK:
    case CW_UNSUPPORTED:
        return CW_WEB_UnexpectedClientError;
    default:
        return CW_WEB_Unknown;
    }
}

static cw_status fail(cw_status status, const char *format, va_list arguments)
{
    memset(&thread_error, 0, offsetof(cw__error, message));
    thread_error.status = status;
    thread_error.web_status = web_status_of(status);
    if (status == CW_SYSTEM_ERROR)
        thread_error.os_errno = errno;
    (void)vsnprintf(thread_error.message, sizeof thread_error.message, format, arguments);
    return status;
}

cw_status cw__fail(cw_status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fail(status, format, arguments);
    va_end(arguments);
    return status;
}

cw_status cw__fail_limit(cw_status status, cw_option option, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fail(status, format, arguments);
    va_end(arguments);
    thread_error.limit = (int)option + 1;
    return status;
}

cw_status cw__fail_with(const cw__error *error)
{
    thread_error = *error;
    return error->status;
}

void cw__error_set(cw__error *error, cw_status status, int web_status, const char *format, ...)
{
    va_list arguments;

    memset(error, 0, offsetof(cw__error, message));
    error->status = status;
    error->web_status = web_status;
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
}

int cw__web_status_of_errno(int os_errno)
{
    switch (os_errno) {
    case ECONNRESET:
    case EPIPE:
        return CW_WEB_ConnectionReset;
    case ECONNABORTED:
        return CW_WEB_ConnectionAborted;
    case ETIMEDOUT:
        return CW_WEB_Timeout;
    case ECONNREFUSED:
        return CW_WEB_CannotConnect;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return CW_WEB_ServerUnreachable;
    default:
        return CW_WEB_Disconnected;
    }
}

int cw__web_status_of_http(int http_status)
{
    if (http_status >= 300 && cw_web_status_name(http_status))
        return http_status;
    if (http_status >= 300 && http_status < 400)
        return CW_WEB_UnexpectedRedirection;
    if (http_status >= 400 && http_status < 500)
        return CW_WEB_UnexpectedClientError;
    if (http_status >= 500 && http_status < 600)
        return CW_WEB_UnexpectedServerError;
    return CW_WEB_UnexpectedStatusCode;
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
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_CLIENTCERT:
        return CW_WEB_UnexpectedClientError;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return CW_WEB_CertificateIsInvalid;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* an HTTP/0.9 reply, among others */
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

/* ---- TLS ---- */

enum { RESULTS_AT_MOST = 8 };

typedef struct verdict {
    const char *what, *mend;
    int web_status;
    int results
        [RESULTS_AT_MOST]; /* OpenSSL's X509_V_ERR_*, which CURLINFO_SSL_VERIFYRESULT passes on; 0 ends them */
} verdict;

#define RENEW          "the server needs a new one"
#define NAME_AUTHORITY "if you trust that authority, name its certificate in ca_file"
#define ANOTHER_NAME   "connect to a name or address that it lists, or give the server one for this"
#define NO_REVOCATION  "cannot be checked for revocation"

/* The first stands for a name that does not fit, the last for all that no other lists. */
static const verdict verdicts[] = {
    {"is for another name", ANOTHER_NAME, CW_WEB_CertificateCommonNameIsIncorrect, {62, 64}},
    {"is not valid yet", "check this machine's clock; else " RENEW, CW_WEB_CertificateExpired, {9}},
    {"has expired", RENEW "; or this machine's clock is wrong", CW_WEB_CertificateExpired, {10}},
    {"has been revoked", "do not trust it; " RENEW, CW_WEB_CertificateRevoked, {23}},
    {"is self-signed", "if you know that it is right, name it in ca_file", CW_WEB_CertificateIsInvalid, {18}},
    {"comes from an unknown authority", NAME_AUTHORITY, CW_WEB_CertificateIsInvalid, {2, 19}},
    {"comes from an unknown authority",
     NAME_AUTHORITY "; or the server leaves out a certificate of the chain",
     CW_WEB_CertificateIsInvalid,
     {20, 21}},
    {NO_REVOCATION,
     "crl_file lacks the list of an authority of its chain",
     CW_WEB_CertificateIsInvalid,
     {3, 33}},
    {NO_REVOCATION, "a list in crl_file is out of date: fetch a new one", CW_WEB_CertificateIsInvalid, {12}},
    {NO_REVOCATION,
     "a list in crl_file is faulty, or not valid yet: fetch another",
     CW_WEB_CertificateIsInvalid,
     {5, 8, 11, 15, 16, 35, 36}},
    {"has a key that is too weak",
     RENEW ", with RSA of 2048 bits or more",
     CW_WEB_CertificateContainsErrors,
     {66}},
    {"comes from an authority whose key or digest is too weak",
     RENEW,
     CW_WEB_CertificateContainsErrors,
     {67, 68}},
    {"is faulty", RENEW, CW_WEB_CertificateContainsErrors, {4, 6, 7, 13, 14}},
    {"is not valid", RENEW, CW_WEB_CertificateIsInvalid, {0}},
};

/* libcurl (8.14.1) finds out about a name without a result; it sets 1 before it knows any. */
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

void cw__error_of_certificate(cw__error *error, const char *host, long verify_result, const char *text)
{
    const verdict *v = verdict_of(verify_result, text);

    cw__error_set(error, CW_CONNECT_FAILED, v->web_status, "the certificate of %.80s %s: %s (%s)", host,
                  v->what, v->mend, text);
}

#define OLD_TLS   "the server has no TLS 1.2 or later: it must be updated"
#define NO_TLS    "the server does not speak TLS there: use ws:// or another port"
#define FAULTY    "the server's certificate is faulty, or its signature: it needs a new one"
#define TRUNCATED "the server cut the connection without TLS's close_notify: what it sent may be truncated"

/* The words are those of OpenSSL's reasons (3.0 to 4.0), and one of GnuTLS; libcurl passes them on as text only. */
const cw__tls_reason *cw__tls_reason_of(int curl_code, const char *text)
{
    static const cw__tls_reason reasons[] = {
        /* the first is for the TLS handshake only */
        {"unexpected eof", CW_WEB_CannotConnect, "the server ended the connection during the TLS handshake"},
        {"unsupported protocol", CW_WEB_CannotConnect, OLD_TLS},
        {"alert protocol version", CW_WEB_CannotConnect, OLD_TLS},
        {"wrong version number", CW_WEB_CannotConnect, NO_TLS},
        {"packet length too long", CW_WEB_CannotConnect, NO_TLS},
        {"handshake failure", CW_WEB_CannotConnect,
         "the server refused the TLS handshake: it shares no cipher, or demands a client certificate"},
        {"asn1 encoding routines", CW_WEB_CertificateContainsErrors, FAULTY},
        {"rsa routines", CW_WEB_CertificateContainsErrors, FAULTY},
        {"provider signature failure", CW_WEB_CertificateContainsErrors, FAULTY}, /* 3.5 */
        {"certificate required", CW_WEB_UnexpectedClientError,
         "the server demands a client certificate, and curlwire has none to give"},
        {"unexpected eof", CW_WEB_ConnectionAborted, TRUNCATED},
        {"non-properly terminated", CW_WEB_ConnectionAborted, TRUNCATED},
        {"bad record mac", CW_WEB_ConnectionAborted, "TLS found that what came was corrupted on its way"},
    };

    for (size_t i = curl_code == CURLE_SSL_CONNECT_ERROR ? 0 : 1; i < sizeof reasons / sizeof *reasons; i++)
        if (strstr(text, reasons[i].words))
            return &reasons[i];
    return NULL;
}

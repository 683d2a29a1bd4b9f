/* SPDX-License-Identifier: MIT */
/* Verdict: decides how a handshake ended (RFC 6455 section 4.1), when libcurl has finished its transfer. It first
 * classifies the end, then describes it. reply.c checks the reply; proxy.c and failure.c have the texts. connect.c
 * calls this file under the socket's lock. It knows nothing of frames.
 *
 * Reasons: CW_CONNECT_FAILED. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#ifdef __linux__
#include <linux/tcp.h> /* glibc's own netinet/tcp.h lacks tcpi_bytes_received */
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#endif

#include "transport.h"

/* ---- Classifying the end of a transfer ---- */

/* How the transfer ended. */
typedef struct ending {
    CURLcode code;
    int os_errno;      /* errno after the libcurl call that ended the transfer; it was 0 before the call */
    long http_status;  /* status of the latest reply, or 0 */
    const char *fault; /* what is wrong with an INVALID reply */
} ending;

typedef enum outcome {
    ACCEPTED, /* a valid 101 */
    INVALID,  /* an invalid 101 */
    REFUSED,  /* another status, in a reply of HTTP/1.1 */
    REFUSED_BY_PROXY,
    NOT_HTTP_1,
    TOO_LARGE,
    MALFORMED,
    NO_ANSWER,
    CHANGED, /* the certificate, since the program accepted it */
    NO_MEMORY,
    NO_DESCRIPTOR,
    TOO_PRIVATE, /* a redirect leads to an address that is not public enough */
    FAILED       /* any other failure before a complete reply */
} outcome;

/* Returns the errno of the transfer; 0 if it comes from an attempt to connect to another address. */
static int errno_of(const cw__handshake *h, CURLcode code)
{
    long os_errno = 0;

    if (h->race && cw__race_state_of(h->race) == CW__RACE_LOST)
        return cw__race_errno(h->race);
    if (code == CURLE_COULDNT_CONNECT && h->socket_errno)
        return h->socket_errno;
    (void)curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno == EINPROGRESS || os_errno == EAGAIN ||
        (code != CURLE_COULDNT_CONNECT && (os_errno == ECONNREFUSED || os_errno == ENETUNREACH)))
        return 0;
    return (int)os_errno;
}

/* Returns the errno of a transfer that may have failed because there was no descriptor. libcurl does not report why it
 * could not open a file or start a look-up, but errno after that libcurl call shows it. */
static int descriptor_errno(const cw__handshake *h, const ending *e)
{
    switch (e->code) {
    case CURLE_COULDNT_CONNECT:
        return errno_of(h, e->code);
    case CURLE_OUT_OF_MEMORY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_BAD_FUNCTION_ARGUMENT: /* the key of the client certificate */
        return e->os_errno;
    default:
        return 0;
    }
}

/* Classifies a transfer that failed before a complete reply. */
static outcome classify_failure(const cw__handshake *h, const ending *e)
{
    /* libcurl itself refuses a line with NUL, one without a colon, and a bare CR (at the latest since 8.21). */
    if (e->code == CURLE_WEIRD_SERVER_REPLY && h->reply.is_begun)
        return MALFORMED;
    if (cw__failure_is_descriptor(descriptor_errno(h, e)))
        return NO_DESCRIPTOR;
    if (h->has_refused_address && e->code == CURLE_COULDNT_CONNECT)
        return TOO_PRIVATE;
    return e->code == CURLE_OUT_OF_MEMORY ? NO_MEMORY : FAILED;
}

/* Classifies the transfer, without checking the headers of a 101. */
static outcome classify(const cw__handshake *h, const ending *e)
{
    bool is_too_large = h->reply.is_cut || e->code == CURLE_TOO_LARGE; /* above our limits, or libcurl's */
    bool is_answer = e->code == CURLE_OK || e->code == CURLE_HTTP_RETURNED_ERROR || is_too_large;

    if (h->reply.has_no_memory)
        return NO_MEMORY;
    if (h->showing == CW__SHOWING_CHANGED)
        return CHANGED;
    if (h->is_refused)
        return REFUSED_BY_PROXY;
    /* However the body ends, the reply is a refusal. */
    if ((is_answer || cw__refusal_is_begun(h)) && e->http_status >= 200)
        return h->reply.is_http_1 ? REFUSED : NOT_HTTP_1;
    if (is_too_large)
        return TOO_LARGE;
    if (e->code != CURLE_OK)
        return classify_failure(h, e);
    /* libcurl returns CURLE_OK when the server ends the connection without a reply (8.14.1, 8.22). */
    return e->http_status == 101 ? ACCEPTED : NO_ANSWER;
}

/* Checks the headers of a 101, and keeps the agreed subprotocol, extensions and terms of compression.
 * Returns NULL, or what is wrong with the reply. If there is no memory, it also returns NULL. */
static const char *read_terms(cw__handshake *h)
{
    const char *protocol, *extensions = NULL;
    size_t len, extensions_bytes;
    const char *fault = cw__reply_fault(&h->reply, h->key, h->protocols, &protocol, &len);

    if (!fault)
        fault = cw__reply_extension_fault(&h->reply, h->offer.is_on ? &h->offer : NULL, &h->terms, &extensions,
                                          &extensions_bytes);
    if (fault)
        return fault;
    if (protocol)
        h->protocol = cw__strndup(protocol, len);
    if (extensions)
        h->extensions = cw__strndup(extensions, extensions_bytes);
    h->reply.has_no_memory = (protocol && !h->protocol) || (extensions && !h->extensions);
    return NULL;
}

static outcome judge(cw__handshake *h, ending *e)
{
    outcome what = classify(h, e);

    if (what != ACCEPTED)
        return what;
    e->fault = read_terms(h);
    if (e->fault)
        return INVALID;
    return h->reply.has_no_memory ? NO_MEMORY : ACCEPTED;
}

/* ---- The errors ---- */

static void invalid_reply(const cw__handshake *h, const char *fault, int http_status, cw__error *error)
{
    if (cw__handshake_is_at_proxy(h))
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                      "the reply of the proxy %.80s (%s) is invalid: %s; report it to whoever runs the proxy",
                      h->proxy.name, h->proxy.source, fault);
    else
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                      "the server's handshake reply is invalid: %s; check the URI, or report it to whoever "
                      "runs the server",
                      fault);
    error->http_status = http_status;
}

static void refused_by_proxy(const cw__handshake *h, cw__error *error)
{
    long http_status = 0;

    (void)curl_easy_getinfo(h->easy, CURLINFO_HTTP_CONNECTCODE, &http_status);
    cw__proxy_refused(&h->proxy, h->host, (int)http_status, cw__reply_lines(&h->reply),
                      h->proxy_settings.logins, cw__proxy_logins_available(), error);
}

/* Fills in which file of authorities was in use. */
static void name_authorities(const cw__handshake *h, cw__failure *f)
{
    bool is_own = f->at_proxy && *h->proxy_settings.ca_file;

    f->ca_file = is_own ? h->proxy_settings.ca_file : h->authorities.file ? h->authorities.file : "";
    f->ca_source = is_own                       ? "proxy_ca_file"
                   : h->authorities.file_source ? h->authorities.file_source
                                                : h->authorities.folder_source;
}

/* Returns what is wrong with the server's certificate, if the error is about it. verify_result is OpenSSL's
 * X509_V_ERR_*. */
static cw_chain_result chain_result_of(int web_status, long verify_result)
{
    switch (web_status) {
    case CW_WEB_CertificateCommonNameIsIncorrect:
        return CW_CHAIN_InvalidName;
    case CW_WEB_CertificateExpired:
        return CW_CHAIN_Expired;
    case CW_WEB_CertificateRevoked:
        return CW_CHAIN_Revoked;
    case CW_WEB_CertificateIsInvalid:
    case CW_WEB_CertificateContainsErrors:
        break;
    default:
        return CW_CHAIN_Success;
    }
    if (verify_result == 2 || verify_result == 18 || verify_result == 19)
        return CW_CHAIN_Untrusted;
    if (verify_result == 20 || verify_result == 21)
        return CW_CHAIN_IncompleteChain;
    if (verify_result == 3 || verify_result == 33)
        return CW_CHAIN_RevocationInformationMissing;
    if (verify_result == 12) /* the only other fault of a list that is common */
        return CW_CHAIN_RevocationFailure;
    if (verify_result == 7)
        return CW_CHAIN_InvalidSignature;
    if (verify_result == 26)
        return CW_CHAIN_WrongUsage;
    if (verify_result == 24 || verify_result == 25 || verify_result == 79)
        return CW_CHAIN_BasicConstraintsError;
    return CW_CHAIN_OtherErrors;
}

static void failed(const cw__handshake *h, CURLcode code, cw__error *error)
{
    bool at_proxy = cw__handshake_is_at_proxy(h);
    bool at_pre_proxy = !h->is_past_pre_proxy; /* which has to connect to the proxy, not to the server */
    const cw__client_certificate *client = at_proxy ? &h->proxy_settings.client : &h->client;
    cw__failure f = {.curl_code = (int)code,
                     .os_errno = errno_of(h, code),
                     .text = h->text,
                     .host = at_pre_proxy ? h->proxy.name : h->host,
                     .port = h->port,
                     .server_name = h->tls_options.server_name,
                     .proxy = cw__handshake_next_proxy(h)->name,
                     .source = cw__handshake_next_proxy(h)->source,
                     .at_proxy = at_proxy,
                     .sends_certificate = cw__client_certificate_is_set(client),
                     .has_socket = h->has_socket,
                     .tls = h->tls,
                     .crl_file = h->crl_file};
    long proxy_code = 0;

    if (cw__reach_explain(&h->reach, (int)code, f.os_errno, h->host, error))
        return;
    if (cw__client_certificate_explain(client, (int)code, h->text, error) ||
        (!at_proxy && cw__tls_options_explain(h, (int)code, h->text, error)))
        return;
    (void)curl_easy_getinfo(h->easy, at_proxy ? CURLINFO_PROXY_SSL_VERIFYRESULT : CURLINFO_SSL_VERIFYRESULT,
                            &f.verify_result);
    (void)curl_easy_getinfo(h->easy, CURLINFO_PROXY_ERROR, &proxy_code);
    f.proxy_code = (int)proxy_code;
    name_authorities(h, &f);
    cw__failure_explain(&f, error);
    if (!at_proxy)
        error->chain_result = (int)chain_result_of(error->web_status, f.verify_result);
}

static void describe(const cw__handshake *h, outcome what, const ending *e, cw__error *error)
{
    switch (what) {
    case ACCEPTED:
        break;
    case INVALID:
        invalid_reply(h, e->fault, 101, error);
        break;
    case REFUSED:
        cw__reply_refused((int)e->http_status, error);
        cw__login_explain(h, error);
        break;
    case REFUSED_BY_PROXY:
        refused_by_proxy(h, error);
        break;
    case NOT_HTTP_1:
        invalid_reply(h, "the reply is not HTTP/1.1", 0, error);
        break;
    case TOO_LARGE:
        invalid_reply(h, "the reply's headers are too large", e->http_status == 101 ? 101 : 0, error);
        break;
    case MALFORMED:
        invalid_reply(h, "a line of the reply is malformed", h->reply.http_status, error);
        break;
    case NO_ANSWER:
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                      "the server ended the connection instead of answering the handshake: check the URI, and "
                      "the server's log");
        break;
    case CHANGED:
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_CertificateIsInvalid,
                      "%s showed no certificate, or not the one that this program accepted: connect again",
                      h->host);
        break;
    case NO_MEMORY:
        cw__error_set(error, CW_NO_MEMORY, CW_WEB_Unknown,
                      "no memory for a connection: free memory and call again");
        break;
    case NO_DESCRIPTOR:
        cw__failure_no_descriptor(descriptor_errno(h, e), error);
        break;
    case TOO_PRIVATE:
        cw__guard_refuse(h->host, error);
        break;
    case FAILED:
        failed(h, e->code, error);
        break;
    }
}

/* ---- The functions that transport.h declares ---- */

bool cw__handshake_verdict(cw__handshake *h, CURLcode code, int os_errno, cw__error *error)
{
    ending e = {.code = code, .os_errno = os_errno};
    outcome what;

    (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &e.http_status);
    what = judge(h, &e);
    if (!cw__cookies_end(h, error) && what == ACCEPTED)
        return false;
    if (what == ACCEPTED)
        return true;
    describe(h, what, &e, error);
    /* The transfer of a body may end in any way, and libcurl without the body always ends like this. */
    error->curl_code = (int)(what == REFUSED || what == REFUSED_BY_PROXY ? CURLE_HTTP_RETURNED_ERROR : code);
    if (error->http_status > 0)
        error->retry_after_s = (int)cw__reply_retry_after(&h->reply, (int64_t)time(NULL)) + 1;
    return false;
}

/* A reply that is cut may have lost its Location, or a part of it. */
int cw__handshake_redirects(const cw__handshake *h, const cw__error *error)
{
    if (error->status != CW_CONNECT_FAILED || h->is_refused || !h->reply.is_complete || h->reply.is_cut)
        return 0;
    return cw__reply_redirects(error->http_status) ? error->http_status : 0;
}

/* Returns true if no frame came with the reply. Then curlwire reads the connection at its descriptor (link.c),
 * and need not call curl_ws_recv. At its first call, curl_ws_recv allocates 64 KiB and zeroes them (8.14.1 and
 * 8.22). No frame came if libcurl has taken exactly the reply's bytes from the socket. Only Linux without TLS
 * can tell; else the result is false. */
bool cw__handshake_is_all(const cw__handshake *h, int fd, bool is_plain)
{
#ifdef __linux__
    struct tcp_info info;
    socklen_t len = sizeof info;
    int unread = 0;

    /* With this order of the two calls, bytes that arrive between them make the result false. */
    return is_plain && ioctl(fd, FIONREAD, &unread) == 0 &&
           getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           len >= offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received &&
           info.tcpi_bytes_received == (uint64_t)h->reply.head_bytes + (uint64_t)unread;
#else
    (void)h, (void)fd, (void)is_plain;
    return false;
#endif
}

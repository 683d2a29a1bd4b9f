/* SPDX-License-Identifier: MIT */
/* Handshake: control settings become libcurl options, the request gets its headers, the reply its verdict
 * (RFC 6455 section 4.1). libcurl connects and exchanges the two; reply.c reads what came back. Called by
 * connect.c, under the socket's lock; knows nothing of frames. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/tcp.h> /* glibc's own netinet/tcp.h lacks tcpi_bytes_received */
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#endif

#include "libcurl.h"

struct cw__handshake {
    CURL *easy;
    struct curl_slist *headers;
    char *protocols;  /* as offered: "a, b", or empty */
    char *protocol;   /* chosen, or NULL */
    char *extensions; /* agreed, or NULL */
    cw__compression offer, terms;
    cw__reply reply;
    char *host; /* of the URI, for messages */
    cw__proxy proxy;
    bool is_past_proxy;                             /* there is none, or it has let the connection through */
    bool is_refused;                                /* by the proxy */
    bool is_to_tls;                                 /* the URI is wss */
    cw__tls_notes tls;                              /* of the party at work */
    const char *ca_file, *proxy_ca_file, *crl_file; /* the settings' */
    bool has_no_random;                             /* for the key */
    char key[CW__KEY_CHARS + 1];
    char text[CURL_ERROR_SIZE];
};

/* ---- Checking what the caller gives ---- */

bool cw__handshake_check_protocols(const char *list)
{
    const char *end = list + strlen(list);
    const char *item;
    size_t len;

    while ((item = cw__list_next(&list, end, &len)))
        if (!cw__is_token(item, len) || cw__list_has(list, end, item, len, false))
            return false;
    return true;
}

cw_status cw__handshake_check_header(const char *name, size_t name_bytes, const char *value, size_t value_bytes)
{
    /* The handshake makes these itself, or they would turn the request into another kind of request. */
    static const char *const ours[] = {"Upgrade", "Connection", "Content-Length", "Transfer-Encoding",
                                       "Expect",  "TE",         "Trailer"};

    if (!cw__is_token(name, name_bytes))
        return cw__fail(CW_INVALID_ARGUMENT, "a header's name is letters, digits and !#$%%&'*+-.^_`|~ only");
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strlen(ours[i]) == name_bytes && strncasecmp(name, ours[i], name_bytes) == 0)
            return cw__fail(CW_INVALID_ARGUMENT, "the header %s is made by curlwire and cannot be set",
                            ours[i]);
    if (name_bytes == 22 && strncasecmp(name, "Sec-WebSocket-Protocol", 22) == 0)
        return cw__fail(CW_INVALID_ARGUMENT, "offer subprotocols by the control supported_protocols");
    if (name_bytes >= 14 && strncasecmp(name, "Sec-WebSocket-", 14) == 0)
        return cw__fail(CW_INVALID_ARGUMENT, "Sec-WebSocket-* headers are made by curlwire and cannot be set");
    for (size_t i = 0; i < value_bytes; i++)
        if (value[i] == '\r' || value[i] == '\n' || value[i] == '\0')
            return cw__fail(CW_INVALID_ARGUMENT, "a header's value must not contain CR, LF or NUL");
    return CW_OK;
}

static char *host_of(const char *uri, unsigned *port)
{
    char *host = NULL, *digits = NULL;
    CURLU *parts = curl_url();

    *port = 0;
    if (parts && curl_url_set(parts, CURLUPART_URL, uri, 0) == CURLUE_OK &&
        curl_url_get(parts, CURLUPART_PORT, &digits, CURLU_DEFAULT_PORT) == CURLUE_OK) {
        *port = (unsigned)strtoul(digits, NULL, 10);
        (void)curl_url_get(parts, CURLUPART_HOST, &host, 0);
    }
    curl_free(digits);
    curl_url_cleanup(parts);
    return host;
}

cw_status cw__handshake_check_uri(const char *uri)
{
    char *scheme = NULL;
    CURLU *parts = curl_url();
    CURLUcode code;
    cw_status status = CW_OK;

    if (!parts)
        return cw__fail(CW_NO_MEMORY, "no memory for a URI");
    code = curl_url_set(parts, CURLUPART_URL, uri, CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    if (code == CURLUE_OUT_OF_MEMORY)
        status = cw__fail(CW_NO_MEMORY, "no memory for a URI");
    else if (code != CURLUE_OK)
        status = cw__fail(CW_INVALID_ARGUMENT, "not a URI (%s); it should look like wss://host/path",
                          curl_url_strerror(code));
    else if (strcasecmp(scheme, "ws") != 0 && strcasecmp(scheme, "wss") != 0)
        status = cw__fail(CW_INVALID_ARGUMENT, "the URI's scheme must be ws or wss, not %.40s", scheme);
    else if (!strstr(uri, "://")) /* libcurl guesses what ws:/host may mean */
        status = cw__fail(CW_INVALID_ARGUMENT, "not a URI; it should look like wss://host/path");
    else if (strchr(uri, '#')) /* curl_url_get gives none for an empty one, which section 3 forbids too */
        status = cw__fail(CW_INVALID_ARGUMENT, "a ws URI has no fragment (RFC 6455 section 3): remove #... or "
                                               "write %%23");
    curl_free(scheme);
    curl_url_cleanup(parts);
    return status;
}

/* ---- Reading the reply ---- */

static bool has_tunnel(const cw__handshake *h)
{
    return h->proxy.kind == CW__PROXY_HTTP || h->proxy.kind == CW__PROXY_HTTPS;
}

/* The head of the proxy's answer to CONNECT is complete. What is no 2xx is final, since all that we have for the proxy was
 * in the request: its body, which may stall, is not waited for. */
static bool proxy_answered(cw__handshake *h)
{
    long http_status = 0;

    (void)curl_easy_getinfo(h->easy, CURLINFO_HTTP_CONNECTCODE, &http_status);
    h->is_refused = http_status / 100 != 2;
    if (h->is_refused)
        return false;
    h->is_past_proxy = true;
    h->tls = (cw__tls_notes){0};
    cw__reply_forget(&h->reply);
    return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    cw__handshake *h = user;
    bool goes_on = cw__reply_line(&h->reply, line, size * count);

    if (goes_on && !h->is_past_proxy && has_tunnel(h) && h->reply.is_complete)
        goes_on = proxy_answered(h);
    return goes_on ? size * count : 0;
}

/* What no result of libcurl's tells; and, of a proxy of SOCKS, that it has let through. */
static int on_debug(CURL *easy, curl_infotype type, char *text, size_t len_bytes, void *user)
{
    cw__handshake *h = user;

    (void)easy;
    if (type == CURLINFO_TEXT)
        cw__failure_note(&h->tls, text, len_bytes);
    if ((type == CURLINFO_SSL_DATA_OUT || type == CURLINFO_HEADER_OUT) && h->proxy.kind == CW__PROXY_SOCKS)
        h->is_past_proxy = true;
    return 0;
}

/* NULL for a reply that is right, or what is wrong with it. */
static const char *reply_fault(cw__handshake *h)
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
    return h->reply.has_no_memory ? "it cannot be kept" : NULL;
}

static void invalid_reply(const cw__handshake *h, const char *fault, cw__error *error)
{
    if (cw__handshake_is_at_proxy(h))
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                      "the reply of the proxy %.80s (%s) is invalid: %s", h->proxy.name, h->proxy.variable,
                      fault);
    else
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                      "the server's handshake reply is invalid: %s", fault);
}

/* errno, unless it is left over from connecting to one address while another one answered. */
static int errno_of(const cw__handshake *h, CURLcode code)
{
    long os_errno = 0;

    (void)curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno == EINPROGRESS || os_errno == EAGAIN ||
        (code != CURLE_COULDNT_CONNECT && (os_errno == ECONNREFUSED || os_errno == ENETUNREACH)))
        return 0;
    return (int)os_errno;
}

/* libcurl found no way to a reply. */
static void failed(const cw__handshake *h, CURLcode code, cw__error *error)
{
    bool at_proxy = cw__handshake_is_at_proxy(h);
    cw__failure f = {.curl_code = (int)code,
                     .os_errno = errno_of(h, code),
                     .text = h->text,
                     .host = h->host,
                     .proxy = h->proxy.name,
                     .variable = h->proxy.variable,
                     .at_proxy = at_proxy,
                     .tls = h->tls,
                     .ca_file = at_proxy ? h->proxy_ca_file : h->ca_file,
                     .crl_file = h->crl_file};
    long proxy_code = 0;
    int lacked = cw__lacked_descriptors_of(code);

    (void)curl_easy_getinfo(h->easy, at_proxy ? CURLINFO_PROXY_SSL_VERIFYRESULT : CURLINFO_SSL_VERIFYRESULT,
                            &f.verify_result);
    (void)curl_easy_getinfo(h->easy, CURLINFO_PROXY_ERROR, &proxy_code);
    f.proxy_code = (int)proxy_code;
    if (lacked) {
        cw__error_set(error, CW_SYSTEM_ERROR, CW_WEB_Unknown,
                      "no descriptor for a connection: raise the limit (ulimit -n)");
        error->os_errno = lacked;
    } else {
        cw__failure_explain(&f, error);
    }
}

bool cw__handshake_verdict(cw__handshake *h, CURLcode code, cw__error *error)
{
    long http_status = 0;
    const char *fault;
    bool is_too_large = h->reply.is_cut || code == CURLE_TOO_LARGE; /* by our bounds or libcurl's */
    bool is_answer = code == CURLE_OK || code == CURLE_HTTP_RETURNED_ERROR || is_too_large;

    (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &http_status);
    fault = code == CURLE_OK && http_status == 101 ? reply_fault(h) : NULL;
    if ((code == CURLE_OUT_OF_MEMORY && !cw__lacked_descriptors(CW__DESCRIPTORS_AT_MOST)) ||
        h->reply.has_no_memory) {
        cw__error_set(error, CW_NO_MEMORY, CW_WEB_Unknown, "no memory for a connection");
    } else if (h->is_refused) {
        (void)curl_easy_getinfo(h->easy, CURLINFO_HTTP_CONNECTCODE, &http_status);
        cw__failure_refused_by_proxy(&h->proxy, h->host, (int)http_status, error);
    } else if (is_answer && http_status >= 200 && h->reply.is_http_1) {
        cw__failure_refused((int)http_status, error);
    } else if (is_answer && http_status >= 200) {
        invalid_reply(h, "the reply is not HTTP/1.1", error);
    } else if (is_too_large) {
        invalid_reply(h, "its headers are too large", error);
        error->http_status = http_status == 101 ? 101 : 0;
    } else if (code == CURLE_WEIRD_SERVER_REPLY && h->reply.is_begun) {
        /* A line that libcurl refuses itself: NUL in it, no colon, a bare CR since 8.21 at the latest. */
        invalid_reply(h, "one of its lines is malformed", error);
        error->http_status = h->reply.http_status;
    } else if (code != CURLE_OK) {
        failed(h, code, error);
    } else if (http_status != 101) {
        /* libcurl calls it a success when the server ends the connection without a word (8.14.1, 8.22). */
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
                      "the server ended the connection instead of answering the handshake");
    } else if (fault) {
        invalid_reply(h, fault, error);
        error->http_status = (int)http_status;
    } else {
        return true;
    }
    error->curl_code = (int)code;
    return false;
}

/* Then the connection may be read at its descriptor (link.c), and libcurl need not be asked for frames that are not
 * there: curl_ws_recv sets 64 KiB aside, zeroed, at its first call (8.14.1 and 8.22). It is certain if libcurl has taken
 * no more off the socket than the reply; that can be told on Linux and without TLS, and in doubt the answer is no. */
bool cw__handshake_is_all(const cw__handshake *h, int fd, bool is_plain)
{
#ifdef __linux__
    struct tcp_info info;
    socklen_t len = sizeof info;
    int unread = 0;

    /* In this order: what comes in between makes it a no. */
    return is_plain && ioctl(fd, FIONREAD, &unread) == 0 &&
           getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           len >= offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received &&
           info.tcpi_bytes_received == (uint64_t)h->reply.head_bytes + (uint64_t)unread;
#else
    (void)h, (void)fd, (void)is_plain;
    return false;
#endif
}

const char *cw__handshake_protocol(const cw__handshake *h) { return h->protocol; }
const char *cw__handshake_reply(const cw__handshake *h) { return cw__reply_lines(&h->reply); }
const char *cw__handshake_extensions(const cw__handshake *h) { return h->extensions; }
const cw__compression *cw__handshake_compression(const cw__handshake *h) { return &h->terms; }

/* ---- Making the request ---- */

static bool add_line(cw__handshake *h, const char *line)
{
    struct curl_slist *longer = curl_slist_append(h->headers, line);

    if (longer)
        h->headers = longer;
    return longer != NULL;
}

static bool add_header(cw__handshake *h, const char *name, const char *value)
{
    size_t bytes = strlen(name) + strlen(value) + 3;
    char *line = cw__malloc(bytes);
    bool is_added;

    if (!line)
        return false;
    (void)snprintf(line, bytes, "%s: %s", name, value);
    is_added = add_line(h, line);
    cw__free(line);
    return is_added;
}

/* A line that is a name and a colon takes libcurl's own header of that name away. */
static bool add_callers(cw__handshake *h, const char *lines)
{
    while (*lines) {
        size_t len = strcspn(lines, "\n");
        char *line = cw__strndup(lines, len);
        bool is_added = line && add_line(h, line);
        cw__free(line);
        if (!is_added)
            return false;
        lines += len + (lines[len] == '\n');
    }
    return true;
}

static bool add_headers(cw__handshake *h, const cw__handshake_settings *settings)
{
    uint8_t nonce[16];

    h->has_no_random = !cw__random(nonce, sizeof nonce);
    if (h->has_no_random)
        return false;
    cw__base64(nonce, sizeof nonce, h->key);
    if (!add_header(h, "Sec-WebSocket-Key", h->key))
        return false;
    if (*h->protocols && !add_header(h, "Sec-WebSocket-Protocol", h->protocols))
        return false;
    if (h->offer.is_on) {
        char offer[CW__OFFER_BYTES];
        cw__compression_offer(&h->offer, offer);
        if (!add_header(h, "Sec-WebSocket-Extensions", offer))
            return false;
    }
    return add_callers(h, settings->headers);
}

/* LCOV_EXCL_START: libcurl (8.14.1, 8.22) drops the body of a refusal itself; were it to hand it over, the default
 * would be to write it to stdout. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static size_t drop_body(char *data, size_t size, size_t count, void *user)
{
    (void)data, (void)user;
    return size * count;
}
/* LCOV_EXCL_STOP */

/* A program that the script starts must not hold the connection open (libcurl does this from 8.19 on). */
static int on_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
    (void)user, (void)purpose;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return CURL_SOCKOPT_OK;
}

/* For CURLOPT_CAPATH, so that ca_file stands in place of the system's authorities and not besides. NULL says that, but
 * since 8.21.0 it stands for the folder that libcurl was built with, if it was (lib/setopt.c, lib/vtls/vtls_config.c).
 * In what is no folder OpenSSL and GnuTLS find no authorities; mbedTLS and wolfSSL refuse it, which is better than to
 * trust more than was asked for. */
static const char *no_folder(void)
{
    enum { NULL_IS_DEFAULT = 0x081500 };
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    return info->version_num >= NULL_IS_DEFAULT && info->capath ? "/dev/null" : NULL;
}

/* The proxy that was chosen, and no other: libcurl is not to look at the environment. */
static CURLcode set_proxy(cw__handshake *h, const cw__handshake_settings *settings)
{
    CURL *easy = h->easy;
    CURLcode code = CURLE_OK;

    if (h->proxy.kind == CW__PROXY_NONE) {
        code = curl_easy_setopt(easy, CURLOPT_PROXY, "");
        if (code == CURLE_OK)
            code = curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
        return code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN ? CURLE_OK : code; /* it knows none */
    }
#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_PROXY, h->proxy.url);
    SET(CURLOPT_NOPROXY, "");
    if (h->proxy.user) {
        SET(CURLOPT_PROXYUSERNAME, h->proxy.user);
        SET(CURLOPT_PROXYPASSWORD, h->proxy.password);
    }
    if (h->proxy.kind != CW__PROXY_HTTPS)
        return code;
    SET(CURLOPT_PROXY_SSL_VERIFYPEER, settings->proxy_verify ? 1L : 0L);
    SET(CURLOPT_PROXY_SSL_VERIFYHOST, settings->proxy_verify ? 2L : 0L);
    SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (*h->proxy_ca_file) {
        SET(CURLOPT_PROXY_CAINFO, h->proxy_ca_file);
        SET(CURLOPT_PROXY_CAPATH, no_folder());
    }
#undef SET
    return code;
}

/* Every result is checked: an option that an older or smaller libcurl lacks must not go unnoticed. */
static CURLcode set_options(cw__handshake *h, const cw__handshake_settings *settings)
{
    CURL *easy = h->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_URL, settings->uri);
    SET(CURLOPT_PROTOCOLS_STR, "ws,wss");
    SET(CURLOPT_CONNECT_ONLY, 2L); /* 2: with the upgrade */
    SET(CURLOPT_WS_OPTIONS, (long)CURLWS_NOAUTOPONG);
    SET(CURLOPT_NOSIGNAL, 1L);          /* without it each send makes extra system calls for SIGPIPE */
    SET(CURLOPT_HTTPPROXYTUNNEL, 1L);   /* before 8.21 a plain ws would go to the proxy as GET ws://... */
    SET(CURLOPT_DNS_CACHE_TIMEOUT, 0L); /* each connect looks its name up, also where several share a multi */
    /* The request's buffer. At its usual 64 KiB the frame buffers take its memory over after the handshake, and
     * libcurl zeroes them: 64 KiB resident for each idle connection. */
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    SET(CURLOPT_BUFFERSIZE, 1024L); /* for the reply; frames do not pass through it */
    SET(CURLOPT_HTTPHEADER, h->headers);
    SET(CURLOPT_USERAGENT, "curlwire/" CW_VERSION);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)h);
    SET(CURLOPT_WRITEFUNCTION, drop_body);
    SET(CURLOPT_SOCKOPTFUNCTION, on_socket);
    SET(CURLOPT_ERRORBUFFER, h->text);
    SET(CURLOPT_TCP_NODELAY, settings->no_delay ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYPEER, settings->verify ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYHOST, settings->verify ? 2L : 0L);
    /* A look-up that is still going on when a connect is given up is left to its thread instead of waited for
     * (8.14.1: lib/asyn-thrdd.c; later ones: pool.c), or it would hold up the service thread and every socket with it. */
    SET(CURLOPT_QUICK_EXIT, 1L);
    /* The deadline itself is the socket's timer; this one makes libcurl share the time out among addresses,
     * and 0 would mean its own 300 seconds. */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(settings->timeout_ms > 0 ? settings->timeout_ms : INT32_MAX));
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); /* at least, whatever the system's OpenSSL allows */
    /* A resumed session rests upon what was verified days ago; each connect verifies. Resuming would spare 5 % of the
     * processor time of a connect, and no round trip with TLS 1.3. */
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    if (*settings->ca_file) {
        SET(CURLOPT_CAINFO, settings->ca_file);
        SET(CURLOPT_CAPATH, no_folder());
    }
    if (*settings->crl_file && settings->verify)
        SET(CURLOPT_CRLFILE, settings->crl_file);
    if (h->is_to_tls || h->proxy.kind != CW__PROXY_NONE) {
        SET(CURLOPT_DEBUGFUNCTION, on_debug);
        SET(CURLOPT_DEBUGDATA, (void *)h);
        SET(CURLOPT_VERBOSE, 1L);
    }
#undef SET
    return code == CURLE_OK ? set_proxy(h, settings) : code;
}

/* NOLINTNEXTLINE(concurrency-mt-unsafe): in the caller's thread, as any program reads its environment */
static const char *variable(const char *name) { return getenv(name); }

/* CW_OK or a failure of the calling thread. */
static cw_status choose_proxy(cw__handshake *h, unsigned port)
{
    cw_status status = cw__proxy_choose(&h->proxy, h->is_to_tls, h->host, port, variable);
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    h->is_past_proxy = h->proxy.kind == CW__PROXY_NONE;
    if (status == CW_OK && h->proxy.kind == CW__PROXY_HTTPS && !(info->features & CURL_VERSION_HTTPS_PROXY))
        return cw__fail(
            CW_UNSUPPORTED,
            "the proxy %.80s (%s) is one of https://, and the loaded libcurl %s was built without those",
            h->proxy.name, h->proxy.variable, info->version);
    return status;
}

/* CW_OK or a failure of the calling thread. */
static cw_status fill(cw__handshake *h, const cw__handshake_settings *settings)
{
    CURLcode code = CURLE_OUT_OF_MEMORY;
    unsigned port;
    cw_status status;

    h->offer = settings->compression;
    h->is_to_tls = strncasecmp(settings->uri, "wss:", 4) == 0;
    h->ca_file = settings->ca_file;
    h->proxy_ca_file = *settings->proxy_ca_file ? settings->proxy_ca_file : settings->ca_file;
    h->crl_file = settings->crl_file;
    h->easy = curl_easy_init();
    h->protocols = cw__strndup(settings->protocols, strlen(settings->protocols));
    h->host = host_of(settings->uri, &port);
    if (h->easy && h->protocols && h->host) {
        status = choose_proxy(h, port);
        if (status != CW_OK)
            return status;
        if (add_headers(h, settings))
            code = set_options(h, settings);
    }
    if (h->has_no_random)
        return cw__fail(CW_SYSTEM_ERROR, "the system has no random bytes to give: it refuses getrandom, and "
                                         "/dev/urandom cannot be opened");
    if (code == CURLE_OUT_OF_MEMORY)
        return cw__fail(CW_NO_MEMORY, "no memory for a connection");
    if (code != CURLE_OK)
        return cw__fail(CW_UNSUPPORTED, "the loaded libcurl refuses an option: %s (%d)",
                        cw__curl_name((int)code), (int)code);
    return CW_OK;
}

cw__handshake *cw__handshake_create(const cw__handshake_settings *settings)
{
    cw__handshake *h = cw__calloc(1, sizeof *h);

    if (!h) {
        (void)cw__fail(CW_NO_MEMORY, "no memory for a connection");
        return NULL;
    }
    if (fill(h, settings) == CW_OK)
        return h;
    cw__handshake_destroy(h);
    return NULL;
}

void cw__handshake_destroy(cw__handshake *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    curl_slist_free_all(h->headers);
    curl_free(h->host);
    cw__proxy_destroy(&h->proxy);
    cw__free(h->protocols);
    cw__free(h->protocol);
    cw__free(h->extensions);
    cw__reply_destroy(&h->reply);
    cw__free(h);
}

const cw__proxy *cw__handshake_proxy(const cw__handshake *h) { return &h->proxy; }
bool cw__handshake_is_at_proxy(const cw__handshake *h) { return !h->is_past_proxy; }

const char *cw__handshake_tls_party(const cw__handshake *h)
{
    if (h->proxy.kind != CW__PROXY_HTTPS)
        return "the server";
    return h->is_to_tls ? "the server or the proxy" : "the proxy";
}

CURL *cw__handshake_easy(cw__handshake *h) { return h->easy; }

CURL *cw__handshake_release_easy(cw__handshake *h)
{
    CURL *easy = h->easy;

    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, NULL);
    h->easy = NULL;
    return easy;
}

/* SPDX-License-Identifier: MIT */
/* Handshake: turns controls into libcurl options. libcurl connects and exchanges request and reply. request.c adds the
 * headers of the request, reply.c reads the reply, and verdict.c decides the result. connect.c calls this file under the
 * socket's lock. It knows nothing of frames. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "transport.h"

/* ---- While libcurl exchanges request and reply ---- */

static bool has_tunnel(const cw__handshake *h)
{
    return h->proxy.kind == CW__PROXY_HTTP || h->proxy.kind == CW__PROXY_HTTPS;
}

/* Handles the end of the server's headers. Returns whether the transfer goes on. libcurl's status counts: it decides whether
 * libcurl reads a body, which may never end. */
static bool server_answered(cw__handshake *h)
{
    long http_status = 0;

    (void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &http_status);
    if (http_status < 200)
        return true;
    cw__refusal_begin(h);
    return h->reply.is_http_1;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    cw__handshake *h = user;
    bool goes_on;

    if (cw__refusal_is_begun(h)) /* a header after the body (RFC 9112 section 7.1.2) */
        return size * count;
    goes_on = cw__reply_line(&h->reply, line, size * count);
    if (goes_on && !h->is_past_proxy && has_tunnel(h) && h->reply.is_complete)
        goes_on = cw__proxy_answered(h);
    else if (goes_on && h->reply.is_complete) {
        cw__moment_note(&h->moments.answered_us);
        goes_on = server_answered(h);
    }
    return goes_on ? size * count : 0;
}

/* Notes a message of the TLS handshake from the server. */
static void note_message(cw__handshake *h, const char *message, size_t len_bytes)
{
    enum { CERTIFICATE = 11, COMPRESSED_CERTIFICATE = 25 }; /* RFC 8446 section 4, RFC 8879 section 7.3 */

    if (len_bytes > 0 && (message[0] == CERTIFICATE || message[0] == COMPRESSED_CERTIFICATE))
        h->tls.has_certificate = true;
    cw__showing_keep(h, message, len_bytes);
}

/* Notes facts that only libcurl's trace has: texts about TLS, the server's certificates, the body of a proxy that refuses, and
 * that a SOCKS proxy has let the connection through. */
static int on_debug(CURL *easy, curl_infotype type, char *text, size_t len_bytes, void *user)
{
    cw__handshake *h = user;

    (void)easy;
    if (h->tracer.say && type <= CURLINFO_HEADER_OUT)
        h->tracer.say(h->tracer.user, (cw__traced)type, text, len_bytes);
    if (type == CURLINFO_TEXT)
        cw__failure_note(&h->tls, text, len_bytes);
    if (type == CURLINFO_SSL_DATA_IN && h->is_past_proxy)
        note_message(h, text, len_bytes);
    cw__proxy_note(h, type, text, len_bytes);
    return 0;
}

const char *cw__handshake_protocol(const cw__handshake *h) { return h->protocol; }
const char *cw__handshake_reply(const cw__handshake *h) { return cw__reply_lines(&h->reply); }
const char *cw__handshake_extensions(const cw__handshake *h) { return h->extensions; }
const cw__compression *cw__handshake_compression(const cw__handshake *h) { return &h->terms; }

/* ---- Options ---- */

/* Sets close-on-exec, so that a program that the script starts does not hold the connection open. libcurl does this
 * since 8.19. */
static int on_socket(void *user, curl_socket_t fd, curlsocktype purpose)
{
    cw__handshake *h = user;
    bool is_connected = h && h->is_handed;

    (void)purpose;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (h && !cw__reach_mark(&h->reach, fd))
        return CURL_SOCKOPT_ERROR;
    if (h)
        h->has_socket = true;
    return is_connected ? CURL_SOCKOPT_ALREADY_CONNECTED : CURL_SOCKOPT_OK;
}

/* Makes the socket that libcurl asks for, and keeps the errno of a failure, which libcurl does not report.
 * If libcurl cannot race addresses itself, race.c does. libcurl then runs two transfers. In the first, this
 * function notes each address for race.c, and refuses the socket. So libcurl offers the next address. After the
 * last address libcurl reports that it cannot connect. race.c connects, and cw__handshake_restart prepares the
 * second transfer. In it this function returns the socket that race.c has connected. If a proxy wants another
 * connection, this function makes a new socket. An address that is not public enough (guard.c) gets no socket. A
 * connection that the program has made takes the place of all this. */
static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    cw__handshake *h = user;
    bool is_gathering = h->race && cw__race_state_of(h->race) == CW__RACE_GATHERING;
    int fd;

    (void)purpose;
    cw__proxy_tries_again(h);
    cw__moment_note(&h->moments.looked_up_us);
    if (h->reach.given) {
        fd = cw__reach_take(&h->reach);
        h->is_handed = fd >= 0;
        return fd >= 0 ? fd : CURL_SOCKET_BAD;
    }
    fd = h->race && !is_gathering ? cw__race_take(h->race, &address->addr, &address->addrlen) : -1;
    h->is_handed = fd >= 0;
    if (h->is_handed) {
        address->family = address->addr.sa_family;
        return fd;
    }
    if (!cw__guard_allows(h->least_public, &address->addr)) {
        h->has_refused_address = true;
        return CURL_SOCKET_BAD;
    }
    if (is_gathering) {
        cw__race_add(h->race, &address->addr, address->addrlen);
        return CURL_SOCKET_BAD;
    }
    fd = socket(address->family, address->socktype, address->protocol);
    h->socket_errno = fd < 0 ? errno : 0;
    return fd;
}

/* Returns the value of CURLOPT_CAPATH with which libcurl trusts no folder, not even the folder that it was built with.
 * Before 8.21.0 this value is NULL. Since 8.21.0 NULL means the folder that libcurl was built with, if there is one
 * (lib/setopt.c, lib/vtls/vtls_config.c). In that case the value is a path that is not a folder. OpenSSL and GnuTLS
 * find no authorities there. mbedTLS and wolfSSL refuse such a path, which is better than to trust authorities that
 * nobody named. */
static const char *no_folder(void)
{
    enum { NULL_IS_DEFAULT = 0x081500 };
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    return info->version_num >= NULL_IS_DEFAULT && info->capath ? "/dev/null" : NULL;
}

/* Sets the options for TLS to the server. */
static CURLcode set_tls(cw__handshake *h, const cw__handshake_settings *settings)
{
    CURL *easy = h->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_SSL_VERIFYPEER, settings->verify ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYHOST, settings->verify ? 2L : 0L);
    if (code == CURLE_OK)
        code = cw__tls_options_set(h, settings);
    if (h->authorities.is_data) {
        if (code == CURLE_OK)
            code = cw__data_set(easy, CURLOPT_CAINFO_BLOB, &settings->tls.ca);
        SET(CURLOPT_CAPATH, h->folder);
    } else if (h->authorities.file) { /* otherwise nothing is verified, and libcurl (8.14.1, 8.22) reads none */
        SET(CURLOPT_CAINFO, h->authorities.file);
        SET(CURLOPT_CAPATH, h->folder);
    }
    if (*settings->crl_file && settings->verify)
        SET(CURLOPT_CRLFILE, settings->crl_file);
#undef SET
    return code == CURLE_OK && h->showing != CW__SHOWING_NONE ? cw__showing_set(h) : code;
}

/* Every result is checked, because an older or smaller libcurl may lack an option. */
static CURLcode set_options(cw__handshake *h, const cw__handshake_settings *settings)
{
    CURL *easy = h->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_URL, h->base);
    SET(CURLOPT_REQUEST_TARGET, settings->uri->target); /* libcurl would resolve /../ and drop an empty query */
    SET(CURLOPT_PROTOCOLS_STR, "ws,wss");
    SET(CURLOPT_CONNECT_ONLY, 2L); /* 2: libcurl also does the WebSocket handshake */
    SET(CURLOPT_WS_OPTIONS, (long)CURLWS_NOAUTOPONG);
    SET(CURLOPT_NOSIGNAL, 1L);        /* without it each send makes extra system calls for SIGPIPE */
    SET(CURLOPT_HTTPPROXYTUNNEL, 1L); /* before 8.21 a plain ws would go to the proxy as GET ws://... */
    /* Each connect looks its name up, even when several connects share a multi. With our race (race.c) no multi
     * is shared, and the second transfer uses the addresses of the first. */
    SET(CURLOPT_DNS_CACHE_TIMEOUT, h->race ? -1L : 0L);
    /* The buffer of the request. With the default of 64 KiB, the frame buffers reuse its memory after the handshake,
     * and libcurl zeroes them: 64 KiB resident for each idle connection. */
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    SET(CURLOPT_BUFFERSIZE, 1024L); /* the buffer of the reply; frames do not pass through this buffer */
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)h);
    SET(CURLOPT_WRITEFUNCTION, cw__refusal_write); /* by default a body would go to stdout */
    SET(CURLOPT_WRITEDATA, (void *)h);
    SET(CURLOPT_SOCKOPTFUNCTION, on_socket);
    SET(CURLOPT_SOCKOPTDATA, (void *)h);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, (void *)h);
    SET(CURLOPT_CLOSESOCKETFUNCTION, cw__link_close_socket);
    SET(CURLOPT_ERRORBUFFER, h->text);
    SET(CURLOPT_TCP_NODELAY, settings->no_delay ? 1L : 0L);
    /* If a connect ends during a name look-up, libcurl does not wait for the thread of the look-up (8.14.1:
     * lib/asyn-thrdd.c; later versions: pool.c). Waiting would stop the service thread and every socket. */
    SET(CURLOPT_QUICK_EXIT, 1L);
    /* The socket's timer is the deadline; 0 would mean libcurl's own 300 seconds. */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(settings->timeout_ms > 0 ? settings->timeout_ms : INT32_MAX));
    if (h->is_to_tls || h->proxy.kind != CW__PROXY_NONE || h->tracer.say) {
        SET(CURLOPT_DEBUGFUNCTION, on_debug);
        SET(CURLOPT_DEBUGDATA, (void *)h);
        SET(CURLOPT_VERBOSE, 1L);
    }
#undef SET
    if (code == CURLE_OK)
        code = cw__request_set(h, &settings->request,
                               cw__login_adds_header(settings) ? settings->login.bearer : "");
    if (code == CURLE_OK)
        code = set_tls(h, settings);
    if (code == CURLE_OK) /* after TLS, because both may set another URL */
        code = cw__login_set(h, settings);
    if (code == CURLE_OK)
        code = cw__client_certificate_set(&h->client, easy);
    if (code == CURLE_OK)
        code = cw__reach_set(&h->reach, easy);
    if (code == CURLE_OK)
        code = cw__cookies_set(h, settings);
    return code == CURLE_OK ? cw__proxy_set_options(h) : code;
}

/* The copy of the environment that this thread reads while it makes a handshake; NULL = none. */
static _Thread_local const char *environment;

static const char *variable(const char *name)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): in the caller's thread, as any program reads its environment */
    return environment ? cw__environment_get(environment, name) : getenv(name);
}

/* Finds the authorities, if a certificate is checked by them, and checks the files that the service thread will read.
 * Returns CW_OK or a failure. */
static cw_status find_authorities(cw__handshake *h, const cw__handshake_settings *settings)
{
    bool is_for_server = (h->is_to_tls && settings->verify) || *h->reach.doh_url;
    bool is_proxy_checked = h->proxy.kind == CW__PROXY_HTTPS && settings->proxy.verify;
    bool is_for_proxy = is_proxy_checked && !*settings->proxy.ca_file;
    cw_status status = CW_OK;

    if (is_proxy_checked && *settings->proxy.ca_file)
        status = cw__file_check_kind(CW_OPT_PROXY_CA_FILE, "proxy_ca_file", settings->proxy.ca_file, true);
    if (status == CW_OK && is_for_server && *settings->crl_file)
        status = cw__file_check_kind(CW_OPT_CRL_FILE, "crl_file", settings->crl_file, true);
    if (status == CW_OK && (is_for_server || is_for_proxy) && *settings->ca_file)
        status = cw__file_check_kind(CW_OPT_CA_FILE, "ca_file", settings->ca_file, true);
    if (status != CW_OK || (!is_for_server && !is_for_proxy))
        return status;
    if (settings->tls.ca.len_bytes > 0)
        return cw__authorities_use_data(settings->ca_path, &h->authorities);
    return cw__authorities_find(settings->ca_file, settings->ca_path, variable, &h->authorities);
}

/* Reads host and port of the URI by libcurl's parser, which knows the forms of IP addresses. */
static CURLcode read_host(cw__handshake *h)
{
    CURLU *parts = curl_url();
    char *digits = NULL;
    CURLUcode code =
        parts ? curl_url_set(parts, CURLUPART_URL, h->base, CURLU_NON_SUPPORT_SCHEME) : CURLUE_OUT_OF_MEMORY;

    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_HOST, &h->host, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_PORT, &digits, CURLU_DEFAULT_PORT);
    h->port = code == CURLUE_OK ? (unsigned)strtoul(digits, NULL, 10) : 0;
    curl_free(digits);
    curl_url_cleanup(parts);
    return code == CURLUE_OK              ? CURLE_OK
           : code == CURLUE_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY
                                          : CURLE_URL_MALFORMAT;
}

static cw_status cannot_create(const cw__handshake *h, CURLcode code)
{
    if (h->has_no_random)
        return cw__fail(CW_SYSTEM_ERROR, "the system gives no random bytes: it refuses getrandom, and "
                                         "/dev/urandom cannot be opened; allow one of them");
    if (code == CURLE_OUT_OF_MEMORY)
        return cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
    if (code == CURLE_URL_MALFORMAT)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the host is neither a name nor an IPv4 address: write it as in wss://host/path");
    if (h->refused)
        return cw__fail(CW_UNSUPPORTED,
                        "the loaded libcurl with %s has no %s: unset it, or load another build of libcurl",
                        curl_version_info(CURLVERSION_NOW)->ssl_version, h->refused);
    if (h->reach.refused)
        return cw__fail_limit(CW_UNSUPPORTED, (cw_option)h->reach.fault,
                              "the loaded libcurl %s refuses %s: %s (%d); set another value, or load "
                              "another build of libcurl",
                              cw_libcurl_version(), h->reach.refused, cw__curl_name((int)code), (int)code);
    return cw__fail(
        CW_UNSUPPORTED,
        "the loaded libcurl refuses an option: %s (%d); load another build of libcurl, 8.14.1 or later",
        cw__curl_name((int)code), (int)code);
}

static void use_race(cw__handshake *h, cw__race *race)
{
    h->race = race;
    if (race)
        cw__race_set_reach(race, &h->reach);
}

/* Fills a handshake from its settings. Returns CW_OK, or fails with the calling thread's error. */
static cw_status fill(cw__handshake *h, const cw__handshake_settings *settings)
{
    CURLcode code = CURLE_OUT_OF_MEMORY;
    cw_status status = CW_OK;
    const char *peer;

    h->offer = settings->compression;
    h->is_to_tls = settings->uri->is_secure;
    h->showing = settings->asks && h->is_to_tls ? CW__SHOWING_FIRST : CW__SHOWING_NONE;
    h->ignorable = settings->ignorable;
    h->tracer = settings->tracer;
    h->proxy_settings = settings->proxy;
    h->crl_file = settings->crl_file;
    if (h->is_to_tls)
        h->client = settings->client;
    else
        h->client = (cw__client_certificate){.file = "", .key = "", .password = ""};
    h->tls_options = settings->tls;
    status = cw__client_certificate_check(&h->client);
    h->reach = settings->reach;
    if (status == CW_OK)
        status = cw__login_check(&settings->login);
    if (status == CW_OK)
        status = cw__tls_options_check(settings);
    if (status == CW_OK)
        status = cw__reach_check(&h->reach, h->showing != CW__SHOWING_NONE, h->is_to_tls && h->ignorable);
    if (status != CW_OK)
        return status;
    h->easy = curl_easy_init();
    h->protocols = cw__strndup(settings->protocols, strlen(settings->protocols));
    h->base = cw__uri_base(settings->uri);
    if (h->easy && h->protocols && h->base)
        code = read_host(h);
    if (code == CURLE_OK)
        status = cw__proxy_prepare(h, h->port, variable);
    if (code == CURLE_OK && status == CW_OK)
        status = cw__guard_check_proxy(h, settings);
    if (code == CURLE_OK && status == CW_OK)
        status = find_authorities(h, settings);
    h->no_folder = no_folder();
    h->folder = h->authorities.folder ? h->authorities.folder : h->no_folder;
    if (status != CW_OK)
        return status;
    h->least_public = h->proxy.kind == CW__PROXY_NONE ? settings->guard.least_public : CW__SPACE_LOCAL;
    peer = h->pre_proxy.name ? h->pre_proxy.name : h->proxy.name;
    if (!cw__reach_has_own_socket(&h->reach) && !(peer && strchr(peer, '%')))
        use_race(h, settings->race);
    if (code == CURLE_OK)
        code = cw__tls_options_rename(h, settings, h->port);
    if (code == CURLE_OK)
        code = set_options(h, settings);
    return code == CURLE_OK ? CW_OK : cannot_create(h, code);
}

cw__handshake *cw__handshake_create(const cw__handshake_settings *settings)
{
    cw__handshake *h = cw__calloc(1, sizeof *h);
    cw_status status;

    if (!h) {
        (void)cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
        return NULL;
    }
    environment = settings->environment;
    status = fill(h, settings);
    environment = NULL;
    if (status == CW_OK)
        return h;
    cw__handshake_destroy(h);
    return NULL;
}

void cw__handshake_destroy(cw__handshake *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    cw_cookie_jar_release(h->cookies);
    curl_slist_free_all(h->headers);
    curl_slist_free_all(h->connect_to);
    cw__free(h->url);
    curl_free(h->host);
    curl_slist_free_all(h->proxy_headers);
    cw__proxy_destroy(&h->proxy);
    cw__proxy_destroy(&h->pre_proxy);
    cw__authorities_destroy(&h->authorities);
    cw__free(h->base);
    cw__free(h->protocols);
    cw__free(h->protocol);
    cw__free(h->extensions);
    cw__free(h->chain);
    cw__reply_destroy(&h->reply);
    cw__reach_release(&h->reach, NULL);
    cw__refusal_forget(h);
    cw__free(h->certificate);
    cw__free(h);
}

const cw__proxy *cw__handshake_proxy(const cw__handshake *h) { return &h->proxy; }
bool cw__handshake_races(const cw__handshake *h) { return h->race != NULL; }

const char *cw__handshake_tls_party(const cw__handshake *h)
{
    if (h->proxy.kind != CW__PROXY_HTTPS)
        return "the server";
    return h->is_to_tls ? "the server or the proxy" : "the proxy";
}

CURL *cw__handshake_easy(cw__handshake *h) { return h->easy; }

cw__tls_facts cw__handshake_tls_facts(const cw__handshake *h)
{
    cw__tls_facts facts = h->tls.facts;

    if (!h->is_to_tls || !h->is_past_proxy)
        return (cw__tls_facts){0};
    facts.is_resumed = *facts.version && h->tls.offers_session && !h->tls.has_certificate;
    return facts;
}

void cw__handshake_restart(cw__handshake *h, cw__race *race)
{
    bool is_same_connection = race && cw__race_state_of(race) == CW__RACE_WON;

    if (!is_same_connection)
        h->moments = (cw__moments){0};
    use_race(h, race);
    h->text[0] = '\0';
    h->tls = (cw__tls_notes){0};
    cw__proxy_restart(h);
    h->is_handed = h->has_socket = h->has_refused_address = false;
    cw__reply_forget(&h->reply);
    cw__refusal_forget(h);
}

CURL *cw__handshake_release_easy(cw__handshake *h)
{
    CURL *easy = h->easy;

    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL);
    if (h->proxy_headers)
        (void)curl_easy_setopt(easy, CURLOPT_PROXYHEADER, NULL);
    if (h->connect_to)
        (void)curl_easy_setopt(easy, CURLOPT_CONNECT_TO, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_XFERINFODATA, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, NULL);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, NULL);
    cw__reach_release(&h->reach, easy);
    if (h->cookies)
        (void)curl_easy_setopt(easy, CURLOPT_SHARE, NULL);
    h->easy = NULL;
    return easy;
}

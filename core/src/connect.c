/* SPDX-License-Identifier: MIT */
/* Connect: a socket on its way from new to open, and libcurl's end of it afterwards. The calling thread checks
 * and prepares, the service thread drives libcurl's multi interface, many connects at once, each within one
 * deadline. One multi per connection for now: handles that share one pay for every call in proportion to
 * their number (see the design); `multi` is the seam where that can change.
 *
 * Safety: under the socket's lock; libcurl is called in the service thread, but for making the handle. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcurl.h"
#include "socket.h"

/* Happy eyeballs has two addresses at work at once, the name look-up a descriptor of its own. */
enum { WATCHED_AT_MOST = 16 };

struct cw__connecting {
    cw__handshake *handshake;
    CURLM *multi;
    int64_t deadline_ms; /* INT64_MAX = none */
    int timeout_ms;      /* for the message */
    int watched[WATCHED_AT_MOST];
    unsigned watched_count;
    bool is_started; /* the handle is in the multi */
    bool is_cancelled;
    bool is_done; /* it has failed; what is left is to be taken down */
};

/* ---- What libcurl waits for ---- */

/* Nothing is watched while libcurl works: it closes descriptors without a word, and another thread may have the
 * number again before anybody could say that it is not to be watched any more. */
static void unwatch(struct cw__connecting *c)
{
    for (unsigned i = 0; i < c->watched_count; i++)
        cw__poller_forget(cw__service_poller(), c->watched[i]);
    c->watched_count = 0;
}

/* Watches what libcurl wants watched now. Asking after each step (curl_multi_waitfds) instead of having it tell
 * (CURLMOPT_SOCKETFUNCTION) spares its table of sockets, 7 KiB for each connection as long as that lives. */
static bool watch(cw_socket *s)
{
    struct cw__connecting *c = s->connecting;
    struct curl_waitfd wanted[WATCHED_AT_MOST];
    unsigned count = 0;

    if (curl_multi_waitfds(c->multi, wanted, WATCHED_AT_MOST, &count) != CURLM_OK)
        return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned mask = (wanted[i].events & (CURL_WAIT_POLLIN | CURL_WAIT_POLLPRI) ? CW__READ : 0u) |
                        (wanted[i].events & CURL_WAIT_POLLOUT ? CW__WRITE : 0u);
        if (!cw__poller_set(cw__service_poller(), wanted[i].fd, mask, &s->client))
            return false;
        c->watched[c->watched_count++] = wanted[i].fd;
    }
    return true;
}

/* ---- Beginning ---- */

static void free_connecting(struct cw__connecting *c)
{
    if (!c)
        return;
    unwatch(c);
    if (c->is_started)
        (void)curl_multi_remove_handle(c->multi, cw__handshake_easy(c->handshake));
    cw__handshake_destroy(c->handshake);
    (void)curl_multi_cleanup(c->multi);
    cw__free(c);
}

static struct cw__connecting *prepare(cw_socket *s, int timeout_ms)
{
    cw__handshake_settings settings = {
        .uri = s->uri,
        .protocols = cw__setting_text(s, CW_OPT_SUPPORTED_PROTOCOLS),
        .ca_file = cw__setting_text(s, CW_OPT_CA_FILE),
        .crl_file = cw__setting_text(s, CW_OPT_CRL_FILE),
        .headers = s->settings.headers ? s->settings.headers : "",
        .verify = cw__setting(s, CW_OPT_VERIFY) != 0,
        .no_delay = cw__setting(s, CW_OPT_NO_DELAY) != 0,
        .timeout_ms = timeout_ms,
        .compression = {.is_on = cw__setting(s, CW_OPT_COMPRESSION) == CW_COMPRESSION_DEFLATE,
                        .server_bits = (uint8_t)cw__setting(s, CW_OPT_SERVER_MAX_WINDOW_BITS),
                        .client_bits = (uint8_t)cw__setting(s, CW_OPT_CLIENT_MAX_WINDOW_BITS),
                        .server_resets = cw__setting(s, CW_OPT_SERVER_NO_CONTEXT_TAKEOVER) != 0,
                        .client_resets = cw__setting(s, CW_OPT_CLIENT_NO_CONTEXT_TAKEOVER) != 0},
    };
    struct cw__connecting *c = cw__calloc(1, sizeof *c);

    if (!c) {
        (void)cw__fail(CW_NO_MEMORY, "no memory for a connection");
        return NULL;
    }
    c->timeout_ms = timeout_ms;
    c->deadline_ms = timeout_ms < 0 ? INT64_MAX : cw__now_ms() + timeout_ms;
    c->handshake = cw__handshake_create(&settings);
    if (!c->handshake) {
        free_connecting(c);
        return NULL;
    }
    c->multi = curl_multi_init();
    if (!c->multi) { /* newer ones have descriptors of their own (8.20) */
        if (cw__lacked_descriptors(CW__DESCRIPTORS_AT_MOST))
            (void)cw__fail(CW_SYSTEM_ERROR, "no descriptor for a connection: raise the limit (ulimit -n)");
        else
            (void)cw__fail(CW_NO_MEMORY, "no memory for a connection");
        free_connecting(c);
        return NULL;
    }
    return c;
}

/* A connect that failed leaves its information behind; the next one begins with none. */
static void forget_last(cw_socket *s)
{
    cw__free(s->protocol);
    cw__free(s->reply);
    cw__free(s->extensions);
    s->protocol = s->reply = s->extensions = NULL;
    s->local_address[0] = s->remote_address[0] = '\0';
    memset(&s->connect_error, 0, sizeof s->connect_error);
    s->pending_events = 0;
}

/* Whether the loaded libcurl can do what the controls ask for. */
static cw_status check_framing(const cw_socket *s)
{
    bool receives = cw__codec_native_receives();

    if (cw__setting(s, CW_OPT_FRAMING) == CW_FRAMING_NATIVE && !receives)
        return cw__fail(
            CW_UNSUPPORTED,
            "native framing needs libcurl 8.21.0 or later to receive, and %s is loaded; framing \"auto\" "
            "sends natively with it",
            cw_libcurl_version());
    if (cw__setting(s, CW_OPT_COMPRESSION) == CW_COMPRESSION_NONE)
        return CW_OK;
    if (!receives)
        return cw__fail(CW_UNSUPPORTED,
                        "compression needs libcurl 8.21.0 or later, and %s is loaded; connect with compression "
                        "\"none\", or load a newer libcurl",
                        cw_libcurl_version());
    if (cw__setting(s, CW_OPT_FRAMING) == CW_FRAMING_CURL)
        return cw__fail(CW_UNSUPPORTED,
                        "libcurl's framing has no compression; connect with framing \"auto\", or with "
                        "compression \"none\"");
    return CW_OK;
}

static cw_status begin_locked(cw_socket *s, const char *uri, size_t uri_bytes, int timeout_ms)
{
    cw_status status;
    char *copy;

    if (cw__socket_state(s) != CW_STATE_NEW)
        return cw__fail(CW_INVALID_STATE, "%s; a socket connects once: make a new one",
                        cw__socket_state(s) == CW_STATE_CLOSED ? "the socket is closed"
                                                               : "the socket is connected already");
    status = check_framing(s);
    if (status != CW_OK)
        return status;
    if (memchr(uri, '\0', uri_bytes))
        return cw__fail(CW_INVALID_ARGUMENT, "the URI contains NUL");
    copy = cw__strndup(uri, uri_bytes);
    if (!copy)
        return cw__fail(CW_NO_MEMORY, "no memory for a URI");
    status = cw__handshake_check_uri(copy);
    if (status != CW_OK) {
        cw__free(copy);
        return status;
    }
    cw__free(s->uri);
    s->uri = copy;
    forget_last(s);
    if (timeout_ms == CW_TIMEOUT_DEFAULT)
        timeout_ms = (int)cw__setting(s, CW_OPT_CONNECT_TIMEOUT);
    s->connecting = prepare(s, timeout_ms < 0 ? -1 : timeout_ms);
    if (!s->connecting)
        return cw__error_status();
    status = cw__service_attach(&s->client);
    if (status != CW_OK) {
        free_connecting(s->connecting);
        s->connecting = NULL;
        return status;
    }
    cw__socket_hold(s); /* for the service */
    s->is_attached = true;
    cw__socket_set_state_locked(s, CW_STATE_CONNECTING);
    return CW_OK;
}

cw_status cw_socket_connect_start(cw_socket *s, const char *uri, size_t uri_bytes, int timeout_ms)
{
    cw_status status = cw__socket_check(s);

    if (status == CW_OK)
        status = cw__libcurl_init();
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = begin_locked(s, uri, uri_bytes, timeout_ms);
    cw__mutex_unlock(&s->lock);
    return status;
}

cw_status cw_socket_wait_connected(cw_socket *s, int timeout_ms)
{
    cw__wait wait;
    cw_status status = cw__socket_check(s);

    if (status != CW_OK)
        return status;
    cw__wait_begin(&wait, timeout_ms, -1);
    cw__mutex_lock(&s->lock);
    while (status == CW_OK && cw__socket_state(s) == CW_STATE_CONNECTING)
        status = cw__socket_wait_locked(s, &wait);
    if (status == CW_TIMED_OUT)
        status = cw__fail(CW_TIMED_OUT, "still connecting");
    else if (status == CW_INTERRUPTED)
        status = cw__fail(CW_INTERRUPTED, "interrupted while connecting");
    else if (s->connect_error.status != CW_OK)
        status = cw__fail_with(&s->connect_error);
    else if (!s->codec && s->close.state == CW__CLOSE_NONE) /* neither is it open, nor was it ever */
        status = cw__fail(CW_INVALID_STATE, "connect first");
    return cw__socket_leave_locked(s, &wait, status);
}

cw_status cw_socket_connect(cw_socket *s, const char *uri, int timeout_ms)
{
    cw_status status = cw_socket_connect_start(s, uri, strlen(uri), timeout_ms);

    if (status != CW_OK)
        return status;
    status = cw_socket_wait_connected(s, CW_TIMEOUT_NEVER);
    if (status == CW_INTERRUPTED) {
        cw__mutex_lock(&s->lock);
        cw__connecting_cancel_locked(s);
        cw__mutex_unlock(&s->lock);
    }
    return status;
}

/* libcurl's descriptors too: the parent's poller would report a descriptor that only the child has open. */
void cw__connecting_forked(cw_socket *s)
{
    for (unsigned i = 0; s->connecting && i < s->connecting->watched_count; i++)
        (void)close(s->connecting->watched[i]);
}

void cw__connecting_cancel_locked(cw_socket *s)
{
    if (!s->connecting || s->connecting->is_done)
        return;
    s->connecting->is_cancelled = true;
    cw__socket_attend_locked(s);
}

/* ---- Ending: well ---- */

static void put_address(const struct sockaddr_storage *address, char out[CW__ADDRESS_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "";

    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        (void)snprintf(out, CW__ADDRESS_BYTES, "%s:%u", host, ntohs(v4->sin_port));
    } else if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        (void)snprintf(out, CW__ADDRESS_BYTES, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

static void read_addresses(cw_socket *s)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;

    if (getsockname(s->fd, (struct sockaddr *)&address, &len) == 0)
        put_address(&address, s->local_address);
    len = sizeof address;
    if (getpeername(s->fd, (struct sockaddr *)&address, &len) == 0)
        put_address(&address, s->remote_address);
}

static bool make_codec(cw_socket *s, CURL *easy)
{
    cw__link *link = cw__link_create(easy, &s->fault);

    if (!link)
        return false;
    if (cw__setting(s, CW_OPT_FRAMING) == CW_FRAMING_CURL)
        s->codec = cw__codec_curl_create(link);
    else
        s->codec = cw__codec_native_create(link);
    if (!s->codec)
        cw__link_destroy(link);
    return s->codec != NULL;
}

/* The handle stays in its multi: a CONNECT_ONLY connection belongs to the multi's pool. */
static bool open_locked(cw_socket *s)
{
    struct cw__connecting *c = s->connecting;
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (curl_easy_getinfo(cw__handshake_easy(c->handshake), CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK ||
        fd == CURL_SOCKET_BAD) {
        cw__error_set(&s->connect_error, CW_CONNECT_FAILED, CW_WEB_Disconnected,
                      "the connection ended right after the handshake");
        return false;
    }
    s->compression = *cw__handshake_compression(c->handshake);
    if (s->compression.is_on)
        s->in.inflater = cw__inflater_create(&s->compression);
    if ((s->compression.is_on && !s->in.inflater) || !make_codec(s, cw__handshake_easy(c->handshake))) {
        cw__inflater_destroy(s->in.inflater);
        s->in.inflater = NULL;
        cw__error_set(&s->connect_error, CW_NO_MEMORY, CW_WEB_Unknown, "no memory for a connection");
        return false;
    }
    s->framing = s->codec->calls->name;
    s->fd = fd;
    s->watched = 0;
    s->in.is_drained = cw__handshake_is_all(c->handshake, fd, strncasecmp(s->uri, "ws:", 3) == 0);
    s->easy = cw__handshake_release_easy(c->handshake);
    s->multi = c->multi;
    read_addresses(s);
    s->connecting = NULL;
    cw__handshake_destroy(c->handshake);
    cw__free(c);
    s->in.inbox.high_bytes = (size_t)cw__setting(s, CW_OPT_INBOUND_BUFFER_SIZE);
    cw__message_init(&s->in.message,
                     s->socket_class == CW_STREAM_SOCKET ||
                         cw__setting(s, CW_OPT_RECEIVE_MODE) == CW_PARTIAL_MESSAGE,
                     cw__setting(s, CW_OPT_MAX_MESSAGE_SIZE));
    cw__pings_start_locked(s, cw__now_ms());
    cw__socket_set_state_locked(s, CW_STATE_OPEN);
    cw__socket_post_locked(s, CW_EVENT_CONNECTED);
    return true;
}

/* Keeps what the handshake brought, also of a reply that refused. False without memory. */
static bool keep_reply(cw_socket *s)
{
    const char *protocol = cw__handshake_protocol(s->connecting->handshake);
    const char *reply = cw__handshake_reply(s->connecting->handshake);
    const char *extensions = cw__handshake_extensions(s->connecting->handshake);

    if (extensions)
        s->extensions = cw__strndup(extensions, strlen(extensions));
    if (protocol)
        s->protocol = cw__strndup(protocol, strlen(protocol));
    s->reply = cw__strndup(reply, strlen(reply));
    if (s->reply && (s->protocol || !protocol) && (s->extensions || !extensions))
        return true;
    cw__error_set(&s->connect_error, CW_NO_MEMORY, CW_WEB_Unknown, "no memory for the server's reply");
    return false;
}

/* ---- Ending: not well ---- */

void cw__connection_teardown_locked(cw_socket *s)
{
    if (s->connecting) {
        free_connecting(s->connecting);
        s->connecting = NULL;
    }
    if (s->codec) {
        cw__poller_forget(cw__service_poller(), s->fd);
        cw__link *link = s->codec->link;
        s->codec->calls->destroy(s->codec);
        cw__link_destroy(link);
        (void)curl_multi_remove_handle(s->multi, s->easy);
        curl_easy_cleanup(s->easy);
        (void)curl_multi_cleanup(s->multi);
        cw__inflater_destroy(s->in.inflater);
        s->in.inflater = NULL;
        if (!s->out.is_reserved) { /* else a thread compresses, without the lock */
            cw__deflater_destroy(s->out.deflater);
            s->out.deflater = NULL;
        }
        s->codec = NULL;
        s->easy = s->multi = NULL;
        s->fd = -1;
    }
}

/* ---- The service's calls ---- */

static bool is_over(cw_socket *s, cw__error *error)
{
    struct cw__connecting *c = s->connecting;

    if (c->is_cancelled)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_OperationCanceled, "connecting was cancelled");
    else if (cw__now_ms() >= c->deadline_ms)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_Timeout, "not connected within %g s",
                      (double)c->timeout_ms / 1000);
    else
        return false;
    return true;
}

static bool is_done(CURLM *multi, CURLcode *code)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left)))
        if (message->msg == CURLMSG_DONE) {
            *code = message->data.result;
            return true;
        }
    return false;
}

static int64_t fail_locked(cw_socket *s)
{
    s->connecting->is_done = true;
    cw__connection_teardown_locked(s);
    return CW__DETACH; /* the state changes in the client's detached call: before, nobody may connect again */
}

static int64_t fail_by_multi(cw_socket *s, const char *what)
{
    cw__error_set(&s->connect_error, CW_CONNECT_FAILED, CW_WEB_Unknown, "cannot connect: %s", what);
    return fail_locked(s);
}

/* When to look again if no descriptor is ready before. */
static int64_t next_due(const struct cw__connecting *c)
{
    long timeout_ms = -1;
    int64_t due_ms = INT64_MAX;

    (void)curl_multi_timeout(c->multi, &timeout_ms);
    if (timeout_ms >= 0)
        due_ms = cw__now_ms() + timeout_ms;
    return due_ms < c->deadline_ms ? due_ms : c->deadline_ms;
}

int64_t cw__connecting_attend_locked(cw_socket *s)
{
    struct cw__connecting *c = s->connecting;
    CURLMcode called = CURLM_OK;
    CURLcode code = CURLE_OK;
    int running;

    if (is_over(s, &s->connect_error))
        return fail_locked(s);
    unwatch(c);
    if (!c->is_started) {
        called = curl_multi_add_handle(c->multi, cw__handshake_easy(c->handshake));
        c->is_started = called == CURLM_OK;
    }
    if (called == CURLM_OK)
        called = curl_multi_perform(c->multi, &running);
    if (called != CURLM_OK)
        return fail_by_multi(s, curl_multi_strerror(called));
    if (is_done(c->multi, &code)) {
        bool is_open = cw__handshake_verdict(c->handshake, code, &s->connect_error);
        if (keep_reply(s) && is_open && open_locked(s))
            return 0; /* attend at once: there may be a greeting */
        return fail_locked(s);
    }
    return watch(s) ? next_due(c) : fail_by_multi(s, "a descriptor cannot be watched");
}

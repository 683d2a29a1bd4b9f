/* SPDX-License-Identifier: MIT */
/* Connect: takes a socket from new to open, and owns its CURL handle afterwards. The calling thread checks and
 * prepares. The service thread takes the steps of all connects. Each connect has one deadline.
 *
 * Safety: under the socket's lock. Only the service thread calls libcurl, except to make the handle. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../transport/transport.h"
#include "socket.h"

struct cw__connecting {
    cw__handshake *handshake;
    cw__race *race; /* NULL if libcurl races itself */
    cw__pool_member member;
    int64_t deadline_ms; /* INT64_MAX = none */
    int timeout_ms;      /* the timeout of the connect, for the text of the error */
    int64_t begun_us;
    bool is_cancelled;
};

/* ---- Beginning ---- */

static bool is_plain(const cw_socket *s) { return strncasecmp(s->uri, "ws:", 3) == 0; }

static void free_connecting(struct cw__connecting *c)
{
    if (!c)
        return;
    cw__pool_quit(&c->member);
    cw__handshake_destroy(c->handshake);
    cw__race_destroy(c->race);
    cw__free(c);
}

/* Returns which other connections may share a multi with this connection (pool.c). A plain connection shares
 * with others that are read and written at their descriptors. A TLS connection shares with connections that have
 * the same file of authorities, which libcurl reads once for a multi. It does not share if it has a folder or the
 * bytes of authorities, a list of revoked certificates, a client certificate or errors to ignore, or if nothing is
 * verified (trust.c). What else a socket demands of TLS (a pin, a name, versions) belongs to its own handle. */
static cw__sharing sharing_of(const cw_socket *s, const cw__handshake *handshake, cw__trust *trust)
{
    const cw__proxy *proxy = cw__handshake_proxy(handshake);
    const cw__authorities *authorities = cw__handshake_authorities(handshake);

    if (proxy->kind == CW__PROXY_HTTPS) /* libcurl reads the authorities of such a proxy too */
        return CW__SHARE_NOT;
    if (cw__setting(s, CW_OPT_FRAMING) == CW_FRAMING_CURL || !cw__codec_native_receives())
        return CW__SHARE_NOT;
    if (is_plain(s))
        return CW__SHARE_BARE;
    if (!cw__libcurl_shares_trust() || !authorities->file || authorities->folder ||
        *cw__setting_text(s, CW_OPT_CRL_FILE) || *cw__setting_text(s, CW_OPT_CLIENT_CERTIFICATE) ||
        cw__setting(s, CW_OPT_CLIENT_CERTIFICATE_DATA) ||
        *cw__setting_text(s, CW_OPT_IGNORABLE_SERVER_CERTIFICATE_ERRORS))
        return CW__SHARE_NOT;
    return cw__trust_read(authorities->file, trust) ? CW__SHARE_TRUST : CW__SHARE_NOT;
}

/* Returns the settings for a handshake. Their texts belong to the socket. */
static cw__handshake_settings settings_of(const cw_socket *s, const cw__uri *uri, cw__race *race,
                                          int timeout_ms)
{
    return (cw__handshake_settings){
        .uri = uri,
        .race = race,
        .protocols = cw__setting_text(s, CW_OPT_SUPPORTED_PROTOCOLS),
        .ca_file = cw__setting_text(s, CW_OPT_CA_FILE),
        .ca_path = cw__setting_text(s, CW_OPT_CA_PATH),
        .crl_file = cw__setting_text(s, CW_OPT_CRL_FILE),
        .proxy_ca_file = cw__setting_text(s, CW_OPT_PROXY_CA_FILE),
        .client = {.file = cw__setting_text(s, CW_OPT_CLIENT_CERTIFICATE),
                   .key = cw__setting_text(s, CW_OPT_CLIENT_KEY),
                   .password = cw__setting_text(s, CW_OPT_CLIENT_KEY_PASSWORD),
                   .is_pkcs12 = cw__setting(s, CW_OPT_CLIENT_CERTIFICATE_TYPE) == CW_CLIENT_CERTIFICATE_P12},
        .tls = cw__tls_settings_of(s),
        .user = cw__setting_user(s, CW_OPT_SERVER_CREDENTIAL),
        .password = cw__setting_password(s, CW_OPT_SERVER_CREDENTIAL),
        .proxy_user = cw__setting_user(s, CW_OPT_PROXY_CREDENTIAL),
        .proxy_password = cw__setting_password(s, CW_OPT_PROXY_CREDENTIAL),
        .headers = s->settings.headers ? s->settings.headers : "",
        .verify = cw__setting(s, CW_OPT_VERIFY) != 0,
        .proxy_verify = cw__setting(s, CW_OPT_PROXY_VERIFY) != 0,
        .no_delay = cw__setting(s, CW_OPT_NO_DELAY) != 0,
        .asks = s->question.is_on,
        .ignorable = cw__ignorable_read(cw__setting_text(s, CW_OPT_IGNORABLE_SERVER_CERTIFICATE_ERRORS)),
        .timeout_ms = timeout_ms,
        .compression = {.is_on = cw__setting(s, CW_OPT_COMPRESSION) == CW_COMPRESSION_DEFLATE,
                        .server_bits = (uint8_t)cw__setting(s, CW_OPT_SERVER_MAX_WINDOW_BITS),
                        .client_bits = (uint8_t)cw__setting(s, CW_OPT_CLIENT_MAX_WINDOW_BITS),
                        .server_resets = cw__setting(s, CW_OPT_SERVER_NO_CONTEXT_TAKEOVER) != 0,
                        .client_resets = cw__setting(s, CW_OPT_CLIENT_NO_CONTEXT_TAKEOVER) != 0},
    };
}

/* Fills c for a connect to uri. */
static cw_status prepare(cw_socket *s, struct cw__connecting *c, const cw__uri *uri, int timeout_ms)
{
    cw__handshake_settings settings;

    /* A race (race.c) tries the addresses of a host side by side. An address with a zone is a single address,
     * and only libcurl applies the zone, so it needs no race. The handshake chooses the proxy. If the proxy's
     * address has a zone, the race is dropped below. */
    if (!cw__libcurl_races() && !*uri->zone && !(c->race = cw__race_create()))
        return cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
    settings = settings_of(s, uri, c->race, timeout_ms);
    c->timeout_ms = timeout_ms;
    c->begun_us = cw__now_us();
    c->deadline_ms = timeout_ms < 0 ? INT64_MAX : cw__now_ms() + timeout_ms;
    c->handshake = cw__handshake_create(&settings);
    if (!c->handshake)
        return cw__error_status();
    if (!cw__handshake_races(c->handshake)) {
        cw__race_destroy(c->race);
        c->race = NULL;
    }
    c->member = (cw__pool_member){.easy = cw__handshake_easy(c->handshake), .client = &s->client};
    c->member.sharing = sharing_of(s, c->handshake, &c->member.trust);
    c->member.ca_file = cw__handshake_authorities(c->handshake)->file;
    s->authorities = cw__authorities_text(cw__handshake_authorities(c->handshake));
    return s->authorities ? CW_OK
                          : cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
}

/* Clears the information about the last failed connect. */
static void forget_last(cw_socket *s)
{
    cw__free(s->protocol);
    cw__free(s->reply);
    cw__free(s->extensions);
    cw__free(s->authorities);
    cw__free(s->chain);
    s->protocol = s->reply = s->extensions = s->authorities = NULL;
    s->chain = NULL;
    s->chain_bytes = 0;
    s->local_address[0] = s->remote_address[0] = '\0';
    memset(&s->connect_error, 0, sizeof s->connect_error);
    s->pending_events = s->ignored = 0;
    s->timings = cw__no_timings;
    s->tls = (cw__tls_facts){0};
    s->question.state = CW__QUESTION_NOT;
    s->question.is_told = false;
}

/* Reads the URI of a connect. The caller must call cw__uri_destroy. */
static cw_status read_uri(const char *text, size_t len_bytes, cw__uri *uri)
{
    char fault[CW__URI_FAULT_BYTES];
    cw__uri_result result = cw__uri_read(text, len_bytes, uri, fault);

    if (result == CW__URI_NO_MEMORY)
        return cw__fail(CW_NO_MEMORY, "no memory for a URI: free memory and call again");
    if (result == CW__URI_BAD)
        return cw__fail(CW_INVALID_ARGUMENT, "%s", fault);
    return CW_OK;
}

/* Makes the state of a connect, and attaches the socket to the service. */
static cw_status attach_locked(cw_socket *s, const cw__uri *uri, int timeout_ms)
{
    struct cw__connecting *c = cw__calloc(1, sizeof *c);
    cw_status status;

    if (!c)
        return cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
    if (timeout_ms == CW_TIMEOUT_DEFAULT)
        timeout_ms = (int)cw__setting(s, CW_OPT_CONNECT_TIMEOUT);
    status = prepare(s, c, uri, timeout_ms < 0 ? -1 : timeout_ms);
    if (status == CW_OK)
        status = cw__service_attach(&s->client);
    if (status != CW_OK) {
        free_connecting(c);
        return status;
    }
    s->connecting = c;
    cw__socket_hold(s); /* the reference of the service */
    s->is_attached = true;
    cw__socket_set_state_locked(s, CW_STATE_CONNECTING);
    return CW_OK;
}

static cw_status begin_locked(cw_socket *s, const char *text, size_t len_bytes, int timeout_ms)
{
    cw_status status;
    cw__uri uri = {0};
    char *copy;

    if (cw__socket_state(s) != CW_STATE_NEW)
        return cw__fail(CW_INVALID_STATE, "%s; a socket connects once: make a new socket",
                        cw__socket_state(s) == CW_STATE_CLOSED ? "the socket is closed"
                                                               : "the socket is connected already");
    status = cw__settings_check_framing(s);
    if (status == CW_OK)
        status = read_uri(text, len_bytes, &uri);
    if (status == CW_OK && !(copy = cw__strndup(text, len_bytes)))
        status = cw__fail(CW_NO_MEMORY, "no memory for a URI: free memory and call again");
    if (status == CW_OK) {
        cw__free(s->uri);
        s->uri = copy;
        forget_last(s);
        status = attach_locked(s, &uri, timeout_ms);
    }
    cw__uri_destroy(&uri);
    return status;
}

cw_status cw_socket_connect_start(cw_socket *s, const char *uri, size_t uri_len_bytes, int timeout_ms)
{
    cw_status status = cw__socket_check(s);

    if (status == CW_OK)
        status = cw__libcurl_init();
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = begin_locked(s, uri, uri_len_bytes, timeout_ms);
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
        status = cw__question_is_here_locked(s) ? CW_QUESTION : cw__socket_wait_locked(s, &wait);
    if (status == CW_QUESTION)
        status = cw__fail(CW_QUESTION, "the server's certificate waits for an answer: answer, and wait again");
    else if (status == CW_TIMED_OUT)
        status = cw__fail(CW_TIMED_OUT, "still connecting: wait again, or close the socket to give up");
    else if (status == CW_INTERRUPTED)
        status = cw__fail(CW_INTERRUPTED, "interrupted while connecting: connect again");
    else if (s->connect_error.status != CW_OK)
        status = cw__fail_with(&s->connect_error);
    else if (!s->codec && s->close.state == CW__CLOSE_NONE) /* the socket is not open and never was */
        status = cw__fail(CW_INVALID_STATE, "the socket is not connected: connect it first");
    return cw__socket_leave_locked(s, &wait, status);
}

/* This call also closes libcurl's descriptors. Otherwise the parent's poller would report a descriptor that only the child
 * still has open. */
void cw__connecting_forked(cw_socket *s)
{
    if (s->connecting && s->connecting->member.pool)
        cw__pool_forked(s->connecting->member.pool);
    if (s->connecting && s->connecting->race)
        cw__race_forked(s->connecting->race);
}

void cw__connecting_cancel_locked(cw_socket *s)
{
    if (!s->connecting)
        return;
    s->connecting->is_cancelled = true;
    cw__socket_attend_locked(s);
}

/* ---- A connect that succeeds ---- */

static bool no_memory(cw_socket *s)
{
    cw__error_set(&s->connect_error, CW_NO_MEMORY, CW_WEB_Unknown,
                  "no memory for a connection: free memory and call again");
    return false;
}

static bool make_codec(cw_socket *s, const cw__pool_member *member, int fd)
{
    cw__link *link = cw__link_create(member->easy, member->pool, fd, &s->fault);

    if (!link)
        return false;
    link->party = cw__handshake_tls_party(s->connecting->handshake);
    link->has_leftover = !s->in.is_drained;
    if (cw__setting(s, CW_OPT_FRAMING) == CW_FRAMING_CURL)
        s->codec = cw__codec_curl_create(link);
    else
        s->codec = cw__codec_native_create(link);
    if (!s->codec)
        cw__link_destroy(link);
    return s->codec != NULL;
}

/* Makes the codec, and the inflater if compression was agreed. Returns false if there is no memory. */
static bool make_rooms(cw_socket *s, int fd)
{
    s->compression = *cw__handshake_compression(s->connecting->handshake);
    if (s->compression.is_on)
        s->in.inflater = cw__inflater_create(&s->compression);
    if ((!s->compression.is_on || s->in.inflater) && make_codec(s, &s->connecting->member, fd))
        return true;
    cw__inflater_destroy(s->in.inflater);
    s->in.inflater = NULL;
    return no_memory(s);
}

/* Keeps the timings of a connect that ends now, and what is known of TLS. */
static void keep_facts(cw_socket *s)
{
    s->timings = cw__handshake_timings(s->connecting->handshake, s->connecting->begun_us);
    s->tls = cw__handshake_tls_facts(s->connecting->handshake);
}

/* Opens the socket. The handle stays in its multi, because a CONNECT_ONLY connection belongs to the multi's pool. */
static bool open_locked(cw_socket *s)
{
    struct cw__connecting *c = s->connecting;
    int fd = cw__pool_settle(&c->member);

    if (fd < 0) {
        cw__error_set(&s->connect_error, CW_CONNECT_FAILED, CW_WEB_Disconnected,
                      "the server ended the connection right after the handshake: see the server's log, or "
                      "connect again");
        return false;
    }
    s->in.is_drained = cw__handshake_is_all(c->handshake, fd, is_plain(s));
    if (!make_rooms(s, fd))
        return false;
    s->framing = s->codec->calls->name;
    keep_facts(s);
    if (cw__setting(s, CW_OPT_OUTBOUND_BUFFER_SIZE) > 0)
        cw__link_set_send_buffer(s->codec->link, (int)cw__setting(s, CW_OPT_OUTBOUND_BUFFER_SIZE));
    s->fd = fd;
    s->watched = 0;
    s->easy = cw__handshake_release_easy(c->handshake);
    s->pool = c->member.pool;
    cw__addresses_read_locked(s);
    s->connecting = NULL;
    cw__handshake_destroy(c->handshake);
    cw__race_destroy(c->race);
    cw__free(c);
    s->in.inbox.high_bytes = (size_t)cw__setting(s, CW_OPT_INBOUND_BUFFER_SIZE);
    cw__message_init(&s->in.message,
                     s->socket_class == CW_STREAM_SOCKET ||
                         cw__setting(s, CW_OPT_RECEIVE_MODE) == CW_PARTIAL_MESSAGE,
                     cw__setting(s, CW_OPT_MAX_MESSAGE_SIZE));
    s->in.message.max_fragments = cw__setting(s, CW_OPT_MAX_FRAGMENTS);
    cw__pings_start_locked(s, cw__now_ms());
    cw__socket_set_state_locked(s, CW_STATE_OPEN);
    cw__socket_post_locked(s, CW_EVENT_CONNECTED);
    return true;
}

/* Keeps the certificates that the server has sent. */
static void keep_chain(cw_socket *s)
{
    cw__free(s->chain);
    s->chain = cw__handshake_release_chain(s->connecting->handshake, &s->chain_bytes);
}

/* Keeps the results of the handshake, even if the server refused it. Returns false if there is no memory. */
static bool keep_reply(cw_socket *s)
{
    const char *protocol = cw__handshake_protocol(s->connecting->handshake);
    const char *reply = cw__handshake_reply(s->connecting->handshake);
    const char *extensions = cw__handshake_extensions(s->connecting->handshake);

    if (extensions)
        s->extensions = cw__strndup(extensions, strlen(extensions));
    if (protocol)
        s->protocol = cw__strndup(protocol, strlen(protocol));
    keep_chain(s);
    s->reply = cw__strndup(reply, strlen(reply));
    if (s->reply && (s->protocol || !protocol) && (s->extensions || !extensions))
        return true;
    cw__error_set(&s->connect_error, CW_NO_MEMORY, CW_WEB_Unknown,
                  "no memory for the server's reply: free memory and call again");
    return false;
}

/* ---- A connect that fails, and the end of a connection ---- */

/* This call clears each field before it closes or frees the object. A child of fork closes the descriptors that
 * it finds in the socket (on_forked), and a closed descriptor's number may already belong to another file. */
void cw__connection_teardown_locked(cw_socket *s)
{
    struct cw__connecting *connecting = s->connecting;

    s->connecting = NULL;
    free_connecting(connecting);
    if (s->codec) {
        cw__link *link = s->codec->link;
        cw__poller_forget(cw__service_poller(), s->fd);
        cw__link_empty(s->fd);
        s->fd = -1;
        s->codec->calls->destroy(s->codec);
        cw__link_destroy(link);
        cw__pool_end(s->pool, s->easy);
        cw__inflater_destroy(s->in.inflater);
        s->in.inflater = NULL;
        if (s->out.sending == CW__SENDING_NOTHING) { /* otherwise a thread is compressing, without the lock */
            cw__deflater_destroy(s->out.deflater);
            s->out.deflater = NULL;
        }
        s->codec = NULL;
        s->easy = NULL;
        s->pool = NULL;
    }
}

/* ---- The service's calls ---- */

static void timed_out(const cw_socket *s, cw__error *error)
{
    const struct cw__connecting *c = s->connecting;
    double seconds = (double)c->timeout_ms / 1000;
    const cw__proxy *proxy = cw__handshake_proxy(c->handshake);

    if (s->question.state == CW__QUESTION_ASKED)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_Timeout,
                      "not connected within %g s: this program has not answered whether it accepts the "
                      "server's certificate; answer sooner, or raise connect_timeout",
                      seconds);
    else if (cw__handshake_is_at_proxy(c->handshake))
        cw__error_set(
            error, CW_CONNECT_FAILED, CW_WEB_Timeout,
            "not connected within %g s: the proxy %.80s (%s) has not let us through; check that it is "
            "up, or raise connect_timeout",
            seconds, proxy->name, proxy->variable);
    else
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_Timeout,
                      "not connected within %g s: check host, port and network, or raise connect_timeout",
                      seconds);
}

static bool is_over(cw_socket *s, cw__error *error)
{
    struct cw__connecting *c = s->connecting;

    if (c->is_cancelled)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_OperationCanceled,
                      "connecting was cancelled by this program: make a new socket to connect again");
    else if (cw__question_is_refused_locked(s))
        cw__question_explain_locked(s, error);
    else if (!c->member.is_done && cw__now_ms() >= c->deadline_ms)
        timed_out(s, error);
    else
        return false;
    return true;
}

static int64_t fail_locked(cw_socket *s)
{
    keep_facts(s);
    cw__connection_teardown_locked(s);
    return CW__DETACH; /* on_detached changes the state: no thread may connect the socket again before that */
}

/* Returns when the next step is due if no descriptor is ready before. */
static int64_t next_due(struct cw__connecting *c)
{
    int64_t due_ms;

    /* While libcurl offers addresses for our race (handshake.c: on_open), step again at once. libcurl's timer
     * for the next address may be lost: in 8.14.1 curl_multi_perform forgets a timer of 0 ms that was set while
     * it ran. */
    if (c->race && cw__race_state_of(c->race) == CW__RACE_GATHERING && cw__race_has_addresses(c->race))
        return 0;
    due_ms = cw__pool_due_ms(&c->member);
    return due_ms < c->deadline_ms ? due_ms : c->deadline_ms;
}

/* Returns whether the race has all addresses and can begin. libcurl has then failed to connect, because on_open
 * in handshake.c refused each socket. */
static bool has_gathered(const struct cw__connecting *c)
{
    return c->race && cw__race_state_of(c->race) == CW__RACE_GATHERING &&
           c->member.code == CURLE_COULDNT_CONNECT;
}

static int64_t begin_race(cw_socket *s)
{
    struct cw__connecting *c = s->connecting;

    if (!cw__race_begin(c->race)) {
        (void)no_memory(s);
        return fail_locked(s);
    }
    cw__pool_rest(&c->member);
    return 0; /* attend at once */
}

/* Takes a step of the race (race.c). Returns false while the race runs. Returns true when an address has
 * connected, so that libcurl begins its second transfer with it, or when all addresses have failed. */
static bool ends_race(cw_socket *s, int64_t *due_ms)
{
    struct cw__connecting *c = s->connecting;

    *due_ms = cw__race_step(c->race, &s->client, cw__now_ms());
    if (*due_ms > c->deadline_ms)
        *due_ms = c->deadline_ms;
    if (cw__race_state_of(c->race) == CW__RACE_RUNNING)
        return false;
    if (cw__race_state_of(c->race) == CW__RACE_WON) {
        cw__handshake_restart(c->handshake, c->race);
        return true;
    }
    c->member.is_done = true;
    c->member.code = cw__race_errno(c->race) == ETIMEDOUT ? CURLE_OPERATION_TIMEDOUT : CURLE_COULDNT_CONNECT;
    return true;
}

/* ---- More than one connection, because of the server's certificate ---- */

/* Asks the question about it, when the first connection has ended. */
static int64_t ask(cw_socket *s)
{
    cw__pool_rest(&s->connecting->member);
    keep_chain(s);
    cw__question_ask_locked(s);
    return s->connecting->deadline_ms;
}

/* Begins another connection, after an answer that accepts or to ignore an error. Returns false if there is no memory. */
static bool begin_again(cw_socket *s)
{
    struct cw__connecting *c = s->connecting;

    if (s->question.state == CW__QUESTION_ANSWERED)
        cw__handshake_accept(c->handshake);
    s->question.state = CW__QUESTION_NOT;
    if (c->race) {
        cw__race_destroy(c->race);
        c->race = cw__race_create();
        if (!c->race)
            return no_memory(s);
    }
    cw__handshake_restart(c->handshake, c->race);
    return true;
}

/* Begins a connection that ignores the error which has ended the last one. */
static int64_t ignore(cw_socket *s)
{
    cw__pool_rest(&s->connecting->member);
    s->ignored = cw__handshake_ignored(s->connecting->handshake);
    memset(&s->connect_error, 0, sizeof s->connect_error);
    return begin_again(s) ? 0 : fail_locked(s);
}

int64_t cw__connecting_attend_locked(cw_socket *s)
{
    struct cw__connecting *c = s->connecting;
    int64_t due_ms;
    bool is_open;

    if (is_over(s, &s->connect_error))
        return fail_locked(s);
    if (s->question.state == CW__QUESTION_ASKED)
        return c->deadline_ms;
    if (s->question.state == CW__QUESTION_ANSWERED && !begin_again(s))
        return fail_locked(s);
    if (c->race && cw__race_state_of(c->race) == CW__RACE_RUNNING && !ends_race(s, &due_ms))
        return due_ms;
    if (!c->member.is_added)
        cw__timings_begin(c->handshake);
    if (!cw__pool_step(&c->member, &s->connect_error))
        return fail_locked(s);
    if (!c->member.is_done)
        return next_due(c);
    if (has_gathered(c))
        return begin_race(s);
    if (cw__handshake_asks(c->handshake))
        return ask(s);
    is_open = cw__handshake_verdict(c->handshake, c->member.code, c->member.os_errno, &s->connect_error);
    if (!is_open && cw__handshake_ignore(c->handshake, s->connect_error.chain_result))
        return ignore(s);
    if (keep_reply(s) && is_open && open_locked(s))
        return 0; /* attend at once, because the server may have sent a message already */
    return fail_locked(s);
}

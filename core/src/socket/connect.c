/* SPDX-License-Identifier: MIT */
/* Connect: takes a socket from new to open, and takes its connection down at the end. The calling thread checks and
 * prepares. The service thread takes the steps of all connects. Each connect has one deadline.
 *
 * Safety: under the socket's lock. Only the service thread calls libcurl, except to make the handle. */
#include <errno.h>
#include <string.h>

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
    cw__hop hop;
    char *netrc;       /* "user NUL password NUL" of netrc_file, or NULL */
    char *environment; /* a copy, for the requests after redirects; NULL if no redirect is followed */
};

/* ---- Beginning ---- */

static void free_connecting(struct cw__connecting *c)
{
    if (!c)
        return;
    cw__pool_quit(&c->member);
    cw__handshake_destroy(c->handshake);
    cw__race_destroy(c->race);
    cw__hop_destroy(&c->hop);
    cw__free(c->environment);
    cw__free(c->netrc);
    cw__free(c);
}

/* Returns which other connections may share a multi with this connection (pool.c). A plain connection shares
 * with others that are read and written at their descriptors. A TLS connection shares with connections that have
 * the same file of authorities, which libcurl reads once for a multi. It does not share if it has a folder or the
 * bytes of authorities, a list of revoked certificates, a client certificate or errors to ignore, or if nothing is
 * verified (trust.c). What else a socket demands of TLS (a pin, a name, versions) belongs to its own handle. */
static cw__sharing sharing_of(const cw_socket *s, const struct cw__connecting *c, cw__trust *trust)
{
    const cw__handshake *handshake = c->handshake;
    const cw__authorities *authorities = cw__handshake_authorities(handshake);

    if (cw__handshake_is_alone(handshake))
        return CW__SHARE_NOT;
    if (cw__setting(s, CW_OPT_FRAMING) == CW_FRAMING_CURL || !cw__codec_native_receives())
        return CW__SHARE_NOT;
    if (!c->hop.uri.is_secure)
        return CW__SHARE_BARE;
    if (!cw__libcurl_shares_trust() || !authorities->file || authorities->folder ||
        *cw__setting_text(s, CW_OPT_CRL_FILE) || *cw__setting_text(s, CW_OPT_CLIENT_CERTIFICATE) ||
        cw__setting(s, CW_OPT_CLIENT_CERTIFICATE_DATA) ||
        *cw__setting_text(s, CW_OPT_IGNORABLE_SERVER_CERTIFICATE_ERRORS))
        return CW__SHARE_NOT;
    return cw__trust_read(authorities->file, trust) ? CW__SHARE_TRUST : CW__SHARE_NOT;
}

/* Returns the settings for a handshake. Their texts belong to the socket. */
static cw__handshake_settings settings_of(cw_socket *s, const cw__uri *uri, cw__race *race, int timeout_ms)
{
    return (cw__handshake_settings){
        .uri = uri,
        .race = race,
        .protocols = cw__setting_text(s, CW_OPT_SUPPORTED_PROTOCOLS),
        .ca_file = cw__setting_text(s, CW_OPT_CA_FILE),
        .ca_path = cw__setting_text(s, CW_OPT_CA_PATH),
        .crl_file = cw__setting_text(s, CW_OPT_CRL_FILE),
        .client = {.file = cw__setting_text(s, CW_OPT_CLIENT_CERTIFICATE),
                   .key = cw__setting_text(s, CW_OPT_CLIENT_KEY),
                   .data = cw__setting_data(s, CW_OPT_CLIENT_CERTIFICATE_DATA),
                   .key_data = cw__setting_data(s, CW_OPT_CLIENT_KEY_DATA),
                   .password = cw__setting_text(s, CW_OPT_CLIENT_KEY_PASSWORD),
                   .is_pkcs12 = cw__setting(s, CW_OPT_CLIENT_CERTIFICATE_TYPE) == CW_CLIENT_CERTIFICATE_P12},
        .tls = cw__tls_settings_of(s),
        .user = cw__setting_user(s, CW_OPT_SERVER_CREDENTIAL),
        .password = cw__setting_hidden(s, CW_OPT_SERVER_CREDENTIAL),
        .request = {.headers = cw__or_empty(s->settings.headers),
                    .user_agent = cw__setting_text(s, CW_OPT_USER_AGENT),
                    .origin = cw__setting_text(s, CW_OPT_ORIGIN)},
        .login = {.auth = (cw_http_auth)cw__setting(s, CW_OPT_HTTP_AUTH),
                  .bearer = cw__setting_text(s, CW_OPT_XOAUTH2_BEARER)},
        .verify = cw__setting(s, CW_OPT_VERIFY) != 0,
        .no_delay = cw__setting(s, CW_OPT_NO_DELAY) != 0,
        .asks = s->question.is_on,
        .ignorable = cw__ignorable_read(cw__setting_text(s, CW_OPT_IGNORABLE_SERVER_CERTIFICATE_ERRORS)),
        .timeout_ms = timeout_ms,
        .tracer = cw__tracing_tracer(s),
        .compression = {.is_on = cw__setting(s, CW_OPT_COMPRESSION) == CW_COMPRESSION_DEFLATE,
                        .server_bits = (uint8_t)cw__setting(s, CW_OPT_SERVER_MAX_WINDOW_BITS),
                        .client_bits = (uint8_t)cw__setting(s, CW_OPT_CLIENT_MAX_WINDOW_BITS),
                        .server_resets = cw__setting(s, CW_OPT_SERVER_NO_CONTEXT_TAKEOVER) != 0,
                        .client_resets = cw__setting(s, CW_OPT_CLIENT_NO_CONTEXT_TAKEOVER) != 0},
    };
}

/* Leaves out what a redirect's URI must not get. Each setting that is a secret, or that names where to connect, needs a
 * line here: it is for the origin of the program's URI. */
static void limit_to_hop(cw__handshake_settings *settings, const struct cw__connecting *c)
{
    settings->environment = c->environment;
    if (c->netrc) {
        settings->user = c->netrc;
        settings->password = c->netrc + strlen(c->netrc) + 1;
    }
    settings->guard = (cw__guard){.least_public = c->hop.least_public, .refuses_proxy = c->hop.refuses_proxy};
    if (!c->hop.is_elsewhere)
        return;
    settings->request.headers = c->hop.headers;
    settings->user = settings->password = NULL;
    settings->login = (cw__login){.auth = CW_HTTP_AUTH_BASIC, .bearer = ""};
    settings->client = (cw__client_certificate){.file = "", .key = "", .password = ""};
    settings->tls.server_name = NULL;
}

/* Makes the handshake for the hop of c. */
static cw_status prepare(cw_socket *s, struct cw__connecting *c)
{
    cw__handshake_settings settings;

    /* race.c tries the addresses of a host side by side. An address with a zone is a single one, which only libcurl
     * can use. If the proxy that the handshake chooses has such an address, the race is dropped below. */
    if (!cw__libcurl_races() && !*c->hop.uri.zone && !(c->race = cw__race_create()))
        return cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
    settings = settings_of(s, &c->hop.uri, c->race, c->timeout_ms);
    cw__proxying_fill(s, &settings.proxy);
    cw__reach_fill_locked(s, &settings.reach);
    limit_to_hop(&settings, c);
    if (cw__cookie_control_make(s, &settings.cookies) != CW_OK)
        return cw__error_status();
    settings.request.has_jar = settings.cookies != NULL;
    c->handshake = cw__handshake_create(&settings);
    cw_cookie_jar_release(settings.cookies); /* the handshake has its own reference */
    if (!c->handshake)
        return cw__error_status();
    if (!cw__handshake_races(c->handshake)) {
        cw__race_destroy(c->race);
        c->race = NULL;
    }
    c->member = (cw__pool_member){.easy = cw__handshake_easy(c->handshake), .client = &s->client};
    c->member.sharing = sharing_of(s, c, &c->member.trust);
    c->member.ca_file = cw__handshake_authorities(c->handshake)->file;
    cw__free(s->authorities);
    s->authorities = cw__authorities_text(cw__handshake_authorities(c->handshake));
    return s->authorities ? CW_OK
                          : cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
}

static cw_status read_netrc(const cw_socket *s, struct cw__connecting *c)
{
    const char *path = cw__setting_text(s, CW_OPT_NETRC_FILE);

    if (!*path || cw__setting_user(s, CW_OPT_SERVER_CREDENTIAL) || *cw__setting_text(s, CW_OPT_XOAUTH2_BEARER))
        return CW_OK;
    return cw__netrc_read(path, &c->hop.uri, &c->netrc);
}

cw_status cw__connecting_init(void) { return cw__libcurl_init(); }

cw_status cw__connecting_begin_locked(cw_socket *s, cw__uri *uri, int timeout_ms)
{
    struct cw__connecting *c = cw__calloc(1, sizeof *c);
    bool follows = cw__setting(s, CW_OPT_FOLLOW_LOCATION) != CW_FOLLOW_NONE;
    cw_status status;

    if (!c || (follows && !(c->environment = cw__environment_copy()))) {
        free_connecting(c);
        return cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
    }
    c->hop.uri = *uri;
    memset(uri, 0, sizeof *uri);
    if (timeout_ms == CW_TIMEOUT_DEFAULT)
        timeout_ms = (int)cw__setting(s, CW_OPT_CONNECT_TIMEOUT);
    c->timeout_ms = timeout_ms < 0 ? -1 : timeout_ms;
    c->begun_us = cw__now_us();
    c->deadline_ms = timeout_ms < 0 ? INT64_MAX : cw__now_ms() + timeout_ms;
    status = read_netrc(s, c);
    if (status == CW_OK)
        status = prepare(s, c);
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

/* Returns whether neither reading nor writing needs libcurl any more. */
static bool can_take_over(const cw_socket *s)
{
    return cw__setting(s, CW_OPT_FRAMING) != CW_FRAMING_CURL && cw__link_reads_bare(s->codec->link);
}

/* Opens the socket. Unless the link takes the connection over, the handle stays in its multi, because a CONNECT_ONLY
 * connection belongs to the multi's pool. */
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
    s->in.is_drained = cw__handshake_is_all(c->handshake, fd, !c->hop.uri.is_secure);
    if (!make_rooms(s, fd))
        return false;
    s->framing = s->codec->calls->name;
    keep_facts(s);
    if (cw__setting(s, CW_OPT_OUTBOUND_BUFFER_SIZE) > 0)
        cw__link_set_send_buffer(s->codec->link, (int)cw__setting(s, CW_OPT_OUTBOUND_BUFFER_SIZE));
    s->fd = fd;
    s->watched = 0;
    (void)cw__handshake_release_easy(c->handshake); /* the link's now */
    cw__addresses_read_locked(s);
    s->connecting = NULL;
    c->member.pool = NULL;
    free_connecting(c);
    if (can_take_over(s))
        cw__link_take_over(s->codec->link);
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
    s->body = cw__handshake_release_body(s->connecting->handshake, &s->body_bytes);
    s->reply = cw__strndup(reply, strlen(reply));
    if (s->reply && (s->protocol || !protocol) && (s->extensions || !extensions))
        return true;
    return no_memory(s);
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
        cw__statistics_disconnected_locked(s);
        cw__poller_forget(cw__service_poller(), s->fd);
        cw__link_empty(s->fd);
        s->fd = -1;
        s->codec->calls->destroy(s->codec);
        cw__link_close(link);
        cw__link_destroy(link);
        cw__inflater_destroy(s->in.inflater);
        s->in.inflater = NULL;
        if (s->out.sending == CW__SENDING_NOTHING) { /* otherwise a thread is compressing, without the lock */
            cw__deflater_destroy(s->out.deflater);
            s->out.deflater = NULL;
        }
        s->codec = NULL;
    }
}

/* ---- The service's calls ---- */

static void timed_out(const cw_socket *s, cw__error *error)
{
    const struct cw__connecting *c = s->connecting;
    double seconds = (double)c->timeout_ms / 1000;
    const cw__proxy *proxy = cw__handshake_next_proxy(c->handshake);

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
            seconds, proxy->name, proxy->source);
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
    else if (!c->member.is_done && !cw__refusal_is_begun(c->handshake) && cw__now_ms() >= c->deadline_ms)
        timed_out(s, error);
    else
        return false;
    return true;
}

static int64_t fail_locked(cw_socket *s)
{
    cw__redirecting_explain(&s->connecting->hop, &s->connect_error);
    keep_facts(s);
    cw__connection_teardown_locked(s);
    return CW__DETACH; /* on_detached changes the state: no thread may connect the socket again before that */
}

/* Returns when the next step is due if no descriptor is ready before. */
static int64_t next_due(struct cw__connecting *c)
{
    int64_t due_ms, end_ms;

    /* While libcurl offers addresses for our race (handshake.c: on_open), step again at once. libcurl's timer
     * for the next address may be lost: in 8.14.1 curl_multi_perform forgets a timer of 0 ms that was set while
     * it ran. */
    if (c->race && cw__race_state_of(c->race) == CW__RACE_GATHERING && cw__race_has_addresses(c->race))
        return 0;
    due_ms = cw__pool_due_ms(&c->member);
    end_ms = cw__handshake_end_ms(c->handshake, c->deadline_ms);
    return due_ms < end_ms ? due_ms : end_ms;
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

/* ---- More than one connection, because of the server's certificate or its challenge ---- */

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

/* Begins a connection that answers the server's challenge. */
static int64_t log_in(cw_socket *s)
{
    cw__pool_rest(&s->connecting->member);
    memset(&s->connect_error, 0, sizeof s->connect_error);
    return begin_again(s) ? 0 : fail_locked(s);
}

/* Begins a connection that ignores the error which has ended the last one. */
static int64_t ignore(cw_socket *s)
{
    cw__pool_rest(&s->connecting->member);
    s->ignored = cw__handshake_ignored(s->connecting->handshake);
    memset(&s->connect_error, 0, sizeof s->connect_error);
    return begin_again(s) ? 0 : fail_locked(s);
}

/* ---- More than one request, because of redirects ---- */

/* Begins the next request, if the server redirects and the program wants to follow. Returns false otherwise; if that is
 * a failure, connect_error says why. */
static bool follow(cw_socket *s)
{
    struct cw__connecting *c = s->connecting, *next;
    cw__redirection from = {.http_status = cw__handshake_redirects(c->handshake, &s->connect_error),
                            .lines = cw__handshake_reply(c->handshake),
                            .protocols = cw__setting_text(s, CW_OPT_SUPPORTED_PROTOCOLS),
                            .headers = cw__or_empty(s->settings.headers),
                            .space = cw__handshake_space(c->handshake),
                            .mode = (cw_follow)cw__setting(s, CW_OPT_FOLLOW_LOCATION),
                            .most = cw__setting(s, CW_OPT_MAX_REDIRS)};

    if (from.mode == CW_FOLLOW_NONE || from.http_status == 0)
        return false;
    next = cw__calloc(1, sizeof *next);
    if (!next)
        return no_memory(s);
    next->timeout_ms = c->timeout_ms;
    next->deadline_ms = c->deadline_ms;
    next->begun_us = c->begun_us;
    next->environment = c->environment;
    next->netrc = c->netrc;
    if (!cw__redirecting_next(&c->hop, &from, &next->hop, &s->connect_error)) {
        next->environment = next->netrc = NULL;
        free_connecting(next);
        return false;
    }
    if (prepare(s, next) != CW_OK) {
        cw__redirecting_fail(from.http_status, &s->connect_error);
        next->environment = next->netrc = NULL;
        free_connecting(next);
        return false;
    }
    c->environment = c->netrc = NULL;
    s->connecting = next; /* a child of fork finds this one */
    free_connecting(c);
    cw__free(s->effective_uri);
    s->effective_uri = cw__strndup(next->hop.text, strlen(next->hop.text));
    s->ignored = 0;
    s->question.state = CW__QUESTION_NOT;
    s->question.is_told = false;
    memset(&s->connect_error, 0, sizeof s->connect_error);
    return s->effective_uri || no_memory(s);
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
    if (!c->member.is_done && !(cw__refusal_is_begun(c->handshake) &&
                                cw__now_ms() >= cw__handshake_end_ms(c->handshake, c->deadline_ms)))
        return next_due(c);
    if (has_gathered(c))
        return begin_race(s);
    if (cw__handshake_asks(c->handshake))
        return ask(s);
    is_open = cw__handshake_verdict(c->handshake, c->member.code, c->member.os_errno, &s->connect_error);
    if (!is_open && cw__handshake_ignore(c->handshake, s->connect_error.chain_result))
        return ignore(s);
    if (!is_open && cw__login_answers(c->handshake, &s->connect_error))
        return log_in(s);
    if (!is_open && follow(s))
        return 0;
    if (keep_reply(s) && is_open && open_locked(s))
        return 0; /* attend at once, because the server may have sent a message already */
    return fail_locked(s);
}

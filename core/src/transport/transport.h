/* SPDX-License-Identifier: MIT */
/* What speaks to libcurl: the library itself, its multi handles, connections, the opening handshake, the frame codecs.
 * Needs engine, protocol and base.
 *
 * Safety: a connection's objects (handshake, member of a pool, race, link, codec) are under the lock of the socket they are
 * of, which each call needs; libcurl is used by one thread at a time. Steps are taken in the service thread only (pool, race).
 * Inside, a pool's lock is taken, after the socket's. Functions of text alone (proxy, failure) need no lock. Owns: what
 * create makes is the caller's until destroy; what is passed stays the caller's; what points into an object stays until
 * that is destroyed. All of it unless it says otherwise. */
#ifndef CW_TRANSPORT_H
#define CW_TRANSPORT_H

#include <curl/curl.h>

#include "../engine/engine.h"
#include "../protocol/protocol.h"
#include "codec.h"

CW__PRIVATE_BEGIN

/* ---- From proxy.c: which proxy a connection uses --------------------------------------------------------- */

typedef enum cw__proxy_kind { CW__PROXY_NONE, CW__PROXY_HTTP, CW__PROXY_HTTPS, CW__PROXY_SOCKS } cw__proxy_kind;

typedef struct cw__proxy {
    cw__proxy_kind kind;
    char *url;             /* scheme://host:port; no user and no password */
    const char *name;      /* host:port, in url; for messages */
    char *user, *password; /* decoded; NULL = none */
    const char *variable;  /* that names it; static */
} cw__proxy;

/* Chooses the proxy for a host and port by the environment; get reads a variable. CW_OK, kind is CW__PROXY_NONE where
 * there is none; or a failure of the calling thread, which shows nothing of the variable's value. */
cw_status cw__proxy_choose(cw__proxy *p, bool is_tls, const char *host, unsigned port,
                           const char *(*get)(const char *name));
void cw__proxy_destroy(cw__proxy *p);
/* Whether a no_proxy list excepts a host and port. */
bool cw__proxy_is_excluded(const char *list, const char *host, unsigned port);
/* Reads the value of a variable into an empty proxy: NULL, or what is wrong with it; what it allocated is destroyed by
 * cw__proxy_destroy either way. */
const char *cw__proxy_parse(cw__proxy *p, const char *value, bool *has_no_memory);
/* Fills the error of a proxy that answered CONNECT with another status than 2xx; 0 = its answer has no status. */
void cw__proxy_refused(const cw__proxy *proxy, const char *host, int http_status, cw__error *error);

/* ---- From failure.c: the status and text of a failure of libcurl's ------------------------------------- */

/* What libcurl says about TLS in its log only. */
typedef struct cw__tls_notes {
    int sent_alert;         /* the latest, or 0 */
    bool wants_certificate; /* the peer has asked for a client certificate */
} cw__tls_notes;

/* Takes note of a text that libcurl logged. */
void cw__failure_note(cw__tls_notes *notes, const char *text, size_t len_bytes);

/* libcurl's texts are matched and never shown: they may hold the user and password of a proxy. */
typedef struct cw__failure {
    int curl_code;
    int os_errno;
    int proxy_code;                 /* CURLINFO_PROXY_ERROR */
    long verify_result;             /* CURLINFO_SSL_VERIFYRESULT, or that of the proxy */
    const char *text;               /* libcurl's */
    const char *host;               /* of the URI */
    const char *proxy;              /* "host:port" of the proxy; NULL = none is used */
    const char *variable;           /* that names the proxy */
    bool at_proxy;                  /* it is the way to the proxy, or the proxy, that failed */
    bool has_socket;                /* libcurl got as far as to connect: the first look-up went well */
    cw__tls_notes tls;              /* of the connection to that party */
    const char *ca_file, *crl_file; /* in use there, or empty */
} cw__failure;

/* Fills the error of a connect that failed. */
void cw__failure_explain(const cw__failure *f, cw__error *error);
/* Fills the error of an open connection that was lost while doing something ("receiving"). who: is at the other
 * end of TLS ("the server"). */
void cw__failure_lost(int curl_code, int os_errno, const char *text, const char *who, const char *doing,
                      cw__error *error);
/* Whether an errno says that there was no descriptor to be had. */
bool cw__failure_is_descriptor(int os_errno);
/* Fills the error of a connect that failed for that. */
void cw__failure_no_descriptor(int os_errno, cw__error *error);
/* The name of a CURLcode, "CURLE_..."; "?" for one that is not known. */
const char *cw__curl_name(int curl_code);
/* The WebErrorStatus of a CURLcode. */
int cw__web_status_of_curl(int curl_code, int os_errno);

/* ---- From libcurl.c ------------------------------------------------------------------------------------ */

/* Any thread, no lock: initialises libcurl once for the process. The status of cw_check_libcurl. */
cw_status cw__libcurl_init(void);
/* Whether it reads the authorities to be trusted once for a multi, instead of for each connection. */
bool cw__libcurl_shares_trust(void);
/* Whether it connects to a host's addresses side by side, and to a bounded number at once; else race.c does. */
bool cw__libcurl_races(void);

/* ---- From race.c: which of a host's addresses connects first --------------------------------------------- */

typedef struct cw__race cw__race;

typedef enum cw__race_state {
    CW__RACE_GATHERING,
    CW__RACE_RUNNING,
    CW__RACE_WON,
    CW__RACE_LOST
} cw__race_state;

struct sockaddr;

/* The caller's until destroy; NULL without memory. */
cw__race *cw__race_create(void);
/* Ends what is under way. Between attach and detached, like all that follow, or before anything was tried. */
void cw__race_destroy(cw__race *r);
/* In a child after fork: closes the copies of the descriptors. */
void cw__race_forked(cw__race *r);
cw__race_state cw__race_state_of(const cw__race *r);
/* errno of the latest attempt that failed. */
int cw__race_errno(const cw__race *r);
/* Adds an address, while gathering. */
void cw__race_add(cw__race *r, const struct sockaddr *to, size_t len_bytes);
bool cw__race_has_addresses(const cw__race *r);
/* All addresses were added: it runs from now on. False without memory, also if one could not be added for want of it. */
bool cw__race_begin(cw__race *r);
/* Goes on, in the name of client, which is attended when there is something to do; returns when to call again at the
 * latest (INT64_MAX = not by itself). It may be won or lost afterwards. */
int64_t cw__race_step(cw__race *r, cw__client *client, int64_t now_ms);
/* The connection that won, and its peer's address, for which there is room; -1 if it was taken already. The descriptor is
 * the caller's. */
int cw__race_take(cw__race *r, struct sockaddr *from, unsigned *len_bytes);

/* ---- From trust.c: what was read of the authorities ------------------------------------------------------ */

/* What the connections with TLS in a multi have in common: the file of authorities, as it was when they began, since
 * libcurl reads it once; and the thread that began them. */
typedef struct cw__trust {
    uintmax_t device, file;
    intmax_t size_bytes, changed_s;
    long changed_ns;
    unsigned thread; /* a number that no later thread has */
} cw__trust;

/* Of the calling thread and a ca_file; "" is the one that libcurl was built with. False, if that cannot be looked at. Any
 * thread. */
bool cw__trust_read(const char *ca_file, cw__trust *trust);
bool cw__trust_is_same(const cw__trust *a, const cw__trust *b);
/* Looks at the file again, in whatever thread: false if it is another one by now. */
bool cw__trust_read_again(const char *ca_file, const cw__trust *before);

/* ---- From pool.c: libcurl's multi handles ---------------------------------------------------------------- */

typedef struct cw__pool cw__pool;

/* With whom a connection shares a multi. */
typedef enum cw__sharing {
    CW__SHARE_NOT,
    CW__SHARE_BARE, /* with those that rarely need libcurl once they are connected, as it will itself */
    CW__SHARE_TRUST /* with those of the same cw__trust */
} cw__sharing;

/* A handle that connects. */
typedef struct cw__pool_member {
    CURL *easy;
    cw__client *client; /* is attended when there is something to do */
    cw__sharing sharing;
    cw__trust trust;     /* these two are of CW__SHARE_TRUST */
    const char *ca_file; /* stays until the member has settled or quit */
    bool is_done;        /* libcurl is; code says how */
    bool is_added;
    CURLcode code;
    int os_errno;   /* what errno was after the call of libcurl's that was done, having been 0 before */
    cw__pool *pool; /* NULL before the first step */
    struct cw__pool_member *next;
} cw__pool_member;

/* Gets on with connecting, and with it all that share the pool; false fills error. */
bool cw__pool_step(cw__pool_member *m, cw__error *error);
/* When to take the next step if nothing asks for it before; INT64_MAX = not by itself. */
int64_t cw__pool_due_ms(cw__pool_member *m);
/* Takes a handle whose transfer has ended out of its multi, but not out of the pool. The next step begins a new one. */
void cw__pool_rest(cw__pool_member *m);
/* It is connected: the handle stays in m->pool until cw__pool_end. The connection's descriptor; negative, and nothing
 * is changed, if it is gone already. */
int cw__pool_settle(cw__pool_member *m);
/* Takes a handle that has not settled out again; it is the caller's. */
void cw__pool_quit(cw__pool_member *m);
/* Takes a handle out, which ends its connection, and frees it. */
void cw__pool_end(cw__pool *p, CURL *easy);
/* Around every call of libcurl's for a handle in the pool that is not of the handle alone. Whoever waits comes in before
 * one that has been in. Any thread. */
void cw__pool_enter(cw__pool *p);
/* The same, but it does not wait: false if another thread is inside, or waits to be. */
bool cw__pool_try_enter(cw__pool *p);
void cw__pool_exit(cw__pool *p);
/* In a child after fork: closes the copies of what is watched. */
void cw__pool_forked(cw__pool *p);

/* ---- From link.c: libcurl's end of an open connection --------------------------------------------------- */

struct cw__link {
    CURL *easy;
    cw__pool *pool;
    cw__error *fault;  /* the socket's */
    int fd;            /* owned by libcurl */
    bool is_tls;       /* to the server */
    bool is_bare;      /* nothing stands between libcurl and the descriptor: neither TLS nor a proxy */
    int least_bytes;   /* for the descriptor to be readable */
    bool has_leftover; /* libcurl may have bytes that came with the 101: it is asked for them first */
    /* Of the latest send that said AGAIN: the descriptor is writable all the same. TLS wants to read first, which it
     * does in a renegotiation, for as long as the peer likes. */
    bool wants_read;
    bool never_waits;   /* for another thread that is inside the pool */
    bool has_complaint; /* complaint holds libcurl's latest "[WS] ..." */
    char complaint[100];
    char tls_text[160]; /* what libcurl said first about a failure of TLS in this call */
    const char *party;  /* who is at the other end of TLS, for messages; static */
};

/* easy is a CURL handle whose handshake went well. NULL without memory. The connection is not the link's: it stays. */
cw__link *cw__link_create(CURL *easy, cw__pool *pool, int fd, cw__error *fault);
/* Whether the next bytes are read at the descriptor. */
static inline bool cw__link_reads_bare(const cw__link *l) { return l->is_bare && !l->has_leftover; }
void cw__link_destroy(cw__link *l);
/* Forgets what libcurl said in earlier calls; before a call of libcurl's that is made here. */
void cw__link_begin(cw__link *l);
/* Enters the pool. False only with never_waits, if another thread is inside. */
bool cw__link_enter(cw__link *l);
/* Never OK with nothing read. BUSY only with never_waits. */
cw__io cw__link_recv(cw__link *l, void *buffer, size_t size_bytes, size_t *len_bytes);
/* Over TLS: holds back what does not fill a segment, until it is let go of. */
void cw__link_cork(cw__link *l, bool is_held);
/* OK: all is out; AGAIN: *sent_bytes of it. */
cw__io cw__link_send(cw__link *l, const void *data, size_t len_bytes, size_t *sent_bytes);
/* As cw__codec_calls.discard. */
cw__io cw__link_discard(cw__link *l);
/* Sets SO_SNDBUF. */
void cw__link_set_send_buffer(cw__link *l, int size_bytes);
/* For a send that took less than all, and sent_bytes: AGAIN, with wants_read set. */
cw__io cw__link_is_full(cw__link *l, size_t sent_bytes);
/* Fills the socket's fault for a connection that was lost while doing something ("receiving"); returns CW__IO_FAULT.
 * Enters the pool and waits for that: for codec_curl, of which no other connection shares the pool. */
cw__io cw__link_fault(cw__link *l, CURLcode code, const char *doing);

/* ---- From await.c ---------------------------------------------------------------------------------------- */

/* Makes poll report the descriptor readable only after so many bytes have arrived, where it is read bare; 1 = any. */
void cw__link_await(cw__link *l, int least_bytes);

/* ---- From handshake.c: control settings to options, and the request --------------------------------------- */

/* What a handshake needs to know of its socket's settings. The three files' names stay until the handshake is destroyed;
 * the rest is copied or used up when it is created. */
typedef struct cw__handshake_settings {
    const cw__uri *uri;
    const char *protocols;       /* "a, b", or empty */
    const char *ca_file;         /* or empty */
    const char *crl_file;        /* or empty */
    const char *proxy_ca_file;   /* or empty: ca_file */
    const char *headers;         /* lines as libcurl reads them, each with "\n" (settings.c), or empty */
    cw__compression compression; /* offered, if it is on */
    bool verify;
    bool proxy_verify;
    bool no_delay;
    int64_t timeout_ms; /* -1 = none */
    /* libcurl names the addresses to it, and takes the connection from it; NULL = libcurl connects. Stays until the handle
     * is released or destroyed. */
    cw__race *race;
} cw__handshake_settings;

typedef struct cw__handshake cw__handshake;

/* For handshake.c and verdict.c alone. */
struct cw__handshake {
    CURL *easy;
    struct curl_slist *headers;
    char *protocols;  /* as offered: "a, b", or empty */
    char *protocol;   /* chosen, or NULL */
    char *extensions; /* agreed, or NULL */
    cw__compression offer, terms;
    cw__reply reply;
    char *base; /* the URI without path and query */
    char *host; /* of the URI, for messages */
    cw__proxy proxy;
    bool is_past_proxy;                             /* there is none, or it has let the connection through */
    bool is_refused;                                /* by the proxy */
    bool is_to_tls;                                 /* the URI is wss */
    cw__tls_notes tls;                              /* of the party at work */
    const char *ca_file, *proxy_ca_file, *crl_file; /* the settings' */
    bool has_no_random;                             /* for the key */
    cw__race *race;                                 /* the connecting's, or NULL */
    bool is_handed, has_socket;                     /* libcurl's latest socket is the race's; it has had any */
    int socket_errno;                               /* why it got no socket the latest time, or 0 */
    char key[CW__KEY_CHARS + 1];
    char text[CURL_ERROR_SIZE];
};

/* Makes an easy handle that will connect; NULL with the calling thread's error. */
cw__handshake *cw__handshake_create(const cw__handshake_settings *settings);
void cw__handshake_destroy(cw__handshake *h);
CURL *cw__handshake_easy(cw__handshake *h);
/* Before a second transfer on the handle: forgets what libcurl said in the first. */
void cw__handshake_restart(cw__handshake *h);
const cw__proxy *cw__handshake_proxy(const cw__handshake *h);
/* Whether a proxy is used and has not let the connection through so far. */
static inline bool cw__handshake_is_at_proxy(const cw__handshake *h) { return !h->is_past_proxy; }
/* Whether it uses the settings' race. */
bool cw__handshake_races(const cw__handshake *h);
/* Who is at the other end of TLS, for cw__link.party. */
const char *cw__handshake_tls_party(const cw__handshake *h);
/* Hands the easy handle over to the caller, cleared of all that points into h. Call before destroy. */
CURL *cw__handshake_release_easy(cw__handshake *h);
/* The subprotocol that the server chose, or NULL; and the reply's header lines: both h's. */
const char *cw__handshake_protocol(const cw__handshake *h);
const char *cw__handshake_reply(const cw__handshake *h);
/* The extensions that the server took on, or NULL; and the terms of compression. */
const char *cw__handshake_extensions(const cw__handshake *h);
const cw__compression *cw__handshake_compression(const cw__handshake *h);

/* ---- From verdict.c: what a handshake came to ------------------------------------------------------------- */

/* The verdict, once libcurl is done: fills error and returns false, or true for an open connection. code and os_errno: of
 * the member of the pool. */
bool cw__handshake_verdict(cw__handshake *h, CURLcode code, int os_errno, cw__error *error);
/* Whether it is certain that no frame came in together with the reply. fd: the connection's. */
bool cw__handshake_is_all(const cw__handshake *h, int fd, bool is_plain);

CW__PRIVATE_END

#endif

/* SPDX-License-Identifier: MIT */
/* Transport: all code that calls libcurl. It starts libcurl, and has its multi handles, the connections, the opening
 * handshake, and the frame codecs. It uses engine, protocol and base.
 *
 * Safety: the objects of a connection (handshake, member of a pool, race, link, codec) are used under the lock of
 * their socket. The reason is that libcurl allows one thread at a time. Only the service thread takes steps (pool, race). A
 * function that calls libcurl takes the pool's lock, after the socket's. Functions on text alone (proxy, failure)
 * need no lock.
 *
 * Owns: the caller owns the result of a create function until destroy. The caller keeps what it passes. A pointer into
 * an object is valid until the object is destroyed. The comment of a function names exceptions. */
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
    char *url;             /* scheme://host:port, without user and password */
    const char *name;      /* host:port, inside url; for messages */
    char *user, *password; /* decoded; NULL = none */
    const char *variable;  /* the environment variable that names the proxy; static */
    bool has_credential;   /* user and password are those of proxy_credential */
} cw__proxy;

/* Chooses the proxy for a host and port by environment variables, which it reads with get.
 * Returns CW_OK, with CW__PROXY_NONE if there is no proxy; or a failure, whose text has nothing of the variable's
 * value. */
cw_status cw__proxy_choose(cw__proxy *p, bool is_tls, const char *host, unsigned port,
                           const char *(*get)(const char *name));
/* Replaces the user and password by those of proxy_credential.
 * Returns false if there is no memory. Owns: the call copies both. */
bool cw__proxy_set_credential(cw__proxy *p, const char *user, const char *password);
void cw__proxy_destroy(cw__proxy *p);
/* Returns whether a no_proxy list contains a host and port. */
bool cw__proxy_is_excluded(const char *list, const char *host, unsigned port);
/* Reads the value of a variable into an empty proxy.
 * Returns NULL, or what is wrong with the value. Owns: the caller calls cw__proxy_destroy in both cases. */
const char *cw__proxy_parse(cw__proxy *p, const char *value, bool *has_no_memory);
/* Sets the error for a proxy that answered CONNECT with a status other than 2xx; 0 = the answer has no status. */
void cw__proxy_refused(const cw__proxy *proxy, const char *host, int http_status, cw__error *error);

/* ---- From failure.c: the status and text of a failure of libcurl's ------------------------------------- */

/* Facts about TLS that libcurl reports only in its log. */
typedef struct cw__tls_notes {
    int sent_alert;         /* the latest alert that we sent, or 0 */
    bool wants_certificate; /* the peer has asked for a client certificate */
} cw__tls_notes;

/* Updates the notes from a line of libcurl's log. */
void cw__failure_note(cw__tls_notes *notes, const char *text, size_t len_bytes);

/* A failure of libcurl. Its texts are compared and never shown, because they may contain the user and password of a
 * proxy. */
typedef struct cw__failure {
    int curl_code;
    int os_errno;
    int proxy_code;                  /* CURLINFO_PROXY_ERROR */
    long verify_result;              /* CURLINFO_SSL_VERIFYRESULT, or CURLINFO_PROXY_SSL_VERIFYRESULT */
    const char *text;                /* libcurl's */
    const char *host;                /* the host of the URI */
    const char *proxy;               /* "host:port" of the proxy; NULL = none is used */
    const char *variable;            /* the variable that names the proxy */
    bool at_proxy;                   /* the connection to the proxy, or the proxy, failed; not the server */
    bool sends_certificate;          /* client_certificate is set */
    bool has_socket;                 /* libcurl has begun to connect, so the first name look-up succeeded */
    cw__tls_notes tls;               /* notes about the connection to the server or proxy that failed */
    const char *ca_file, *ca_source; /* in use for that connection, and what names it: "ca_file", "system" */
    const char *crl_file;            /* or empty */
} cw__failure;

/* Sets the error for a connect that failed. */
void cw__failure_explain(const cw__failure *f, cw__error *error);
/* Sets the error for an open connection that was lost. doing is what curlwire did then ("receiving"). who names the
 * other end of TLS ("the server"). */
void cw__failure_lost(int curl_code, int os_errno, const char *text, const char *who, const char *doing,
                      cw__error *error);
/* Returns whether an errno means that no descriptor was available. */
bool cw__failure_is_descriptor(int os_errno);
/* Sets the error for a connect that found no descriptor. */
void cw__failure_no_descriptor(int os_errno, cw__error *error);
/* Returns the name of a CURLcode, "CURLE_..."; "?" for an unknown one. */
const char *cw__curl_name(int curl_code);
/* Returns the WebErrorStatus of a CURLcode. */
int cw__web_status_of_curl(int curl_code, int os_errno);

/* ---- From client_certificate.c: the certificate that the client shows to a server that asks for one ------- */

/* Its texts are the settings'. */
typedef struct cw__client_certificate {
    const char *file, *key; /* paths, or empty */
    const char *password;   /* or empty; in no text */
    bool is_pkcs12;
} cw__client_certificate;

/* Checks that what a control names is no pipe or device, which libcurl would read in the service thread, and stop it. What
 * cannot be found is left to libcurl, and a folder too if may_be_folder is set.
 * Returns CW_OK or a failure of the calling thread. */
cw_status cw__file_check_kind(const char *control, const char *path, bool may_be_folder);
/* Checks that the files can be read, and that nothing is missing. libcurl reads them in the service thread, which a pipe
 * would block.
 * Returns CW_OK, or a failure of the calling thread. */
cw_status cw__client_certificate_check(const cw__client_certificate *c);
/* Sets libcurl's options. */
CURLcode cw__client_certificate_set(const cw__client_certificate *c, CURL *easy);
/* Sets the error, if libcurl failed because of the client certificate; text is libcurl's. Else it returns false. */
bool cw__client_certificate_explain(const cw__client_certificate *c, int curl_code, const char *text,
                                    cw__error *error);
/* Returns whether a connect failed because of the client certificate, or because there was none. */
bool cw__client_certificate_is_demanded(const cw__failure *f);
/* Sets the error of such a failure. who is the other end, "the server host.example". */
void cw__client_certificate_demand(const cw__failure *f, const char *who, cw__error *error);

/* ---- From libcurl.c ------------------------------------------------------------------------------------ */

/* Initialises libcurl once for the process.
 * Returns the status of cw_check_libcurl. Thread: any, no lock. */
cw_status cw__libcurl_init(void);
/* Returns whether libcurl was built with a scheme ("ws", "wss"). */
bool cw__libcurl_speaks(const curl_version_info_data *info, const char *scheme);
/* Returns true if libcurl reads the authorities once for a multi; false if it reads them for each connection. */
bool cw__libcurl_shares_trust(void);
/* Returns whether libcurl tries a host's addresses side by side, with a limit on their number. If not, race.c does. */
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

/* Makes a race, which the caller owns until destroy. Returns NULL if there is no memory. */
cw__race *cw__race_create(void);
/* Ends all attempts and frees the race. Like all functions below, it is called between attach and detached, or before
 * the first attempt. */
void cw__race_destroy(cw__race *r);
/* Closes the copies of the descriptors, in a child after fork. */
void cw__race_forked(cw__race *r);
cw__race_state cw__race_state_of(const cw__race *r);
/* Returns the errno of the latest attempt that failed. */
int cw__race_errno(const cw__race *r);
/* Adds an address, in state CW__RACE_GATHERING. */
void cw__race_add(cw__race *r, const struct sockaddr *to, size_t len_bytes);
bool cw__race_has_addresses(const cw__race *r);
/* Starts the race. Call it after the last cw__race_add.
 * Returns false if there was no memory, here or in a cw__race_add. */
bool cw__race_begin(cw__race *r);
/* Takes the next step. The service thread attends client when a descriptor of the race is ready. Returns the
 * latest time for the next step; INT64_MAX = none. Afterwards the race may be won or lost. */
int64_t cw__race_step(cw__race *r, cw__client *client, int64_t now_ms);
/* Takes the connection that won, and writes its peer's address to from, which must have room.
 * Returns the descriptor, which the caller owns; -1 if it was taken before. */
int cw__race_take(cw__race *r, struct sockaddr *from, unsigned *len_bytes);

/* ---- From authorities.c: the certificates that TLS trusts ------------------------------------------------ */

/* What was found. libcurl gets a file in every case: without one it would use the file that it was built with. So beside
 * a folder stands a file of that folder, if nobody has named one. */
typedef struct cw__authorities {
    char *file;   /* NULL = nothing was looked for */
    char *folder; /* or a list of folders, "/a:/b"; NULL = none */
    const char *file_source,
        *folder_source; /* what names it: "ca_file", "SSL_CERT_FILE", "system"; static, or in the
                                                block of file. NULL = nothing does: the file is one of the folder */
} cw__authorities;

/* Finds the authorities for a connection, in the order that authorities.c lists. ca_file and ca_path are those of the
 * controls, or empty. It reads environment variables with get. a must be zeroed.
 * Returns CW_OK, or a failure of the calling thread with a zeroed. Its option is CW_OPT_CA_FILE if nothing was found in any
 * place. Owns: the caller calls cw__authorities_destroy. */
cw_status cw__authorities_find(const char *ca_file, const char *ca_path, const char *(*get)(const char *name),
                               cw__authorities *a);
/* Frees and zeroes what was found; it accepts a zeroed one. */
void cw__authorities_destroy(cw__authorities *a);
/* Writes "SSL_CERT_FILE: /x/ca.pem, SSL_CERT_DIR: /x/certs". Returns the length, as snprintf does. */
size_t cw__authorities_show(const cw__authorities *a, char *buffer, size_t size_bytes);

/* ---- From trust.c: the state of the file of authorities --------------------------------------------------- */

/* The properties that all connections with TLS in one multi have in common. One is the state of the file of
 * authorities when the connections began, because libcurl reads the file once for a multi. The other is the
 * thread that began them. */
typedef struct cw__trust {
    uintmax_t device, file;
    intmax_t size_bytes, changed_s;
    long changed_ns;
    unsigned thread; /* a number that no later thread has */
} cw__trust;

/* Reads the state of a file of authorities and the number of the calling thread.
 * Returns false if the file cannot be examined. Thread: any. */
bool cw__trust_read(const char *file, cw__trust *trust);
bool cw__trust_is_same(const cw__trust *a, const cw__trust *b);
/* Returns whether the file still has the state in before. Thread: any. */
bool cw__trust_read_again(const char *file, const cw__trust *before);

/* ---- From pool.c: libcurl's multi handles ---------------------------------------------------------------- */

typedef struct cw__pool cw__pool;

/* Which connections share a multi. */
typedef enum cw__sharing {
    CW__SHARE_NOT,
    CW__SHARE_BARE, /* share with connections that rarely need libcurl once they are connected */
    CW__SHARE_TRUST /* share with connections of the same cw__trust */
} cw__sharing;

/* A handle in a pool. */
typedef struct cw__pool_member {
    CURL *easy;
    cw__client *client; /* the service thread attends it when the member has to take a step */
    cw__sharing sharing;
    cw__trust trust;     /* trust and ca_file are for CW__SHARE_TRUST only */
    const char *ca_file; /* the file of authorities; valid until the member has settled or quit */
    bool is_done;        /* libcurl has finished the transfer; code says how */
    bool is_added;
    CURLcode code;
    int os_errno;   /* errno after the libcurl call that finished the transfer; it was 0 before the call */
    cw__pool *pool; /* NULL before the first step */
    struct cw__pool_member *next;
} cw__pool_member;

/* Takes a step of connecting. One step advances all members of the pool that connect.
 * Returns false with error set. */
bool cw__pool_step(cw__pool_member *m, cw__error *error);
/* Returns the latest time for the next step; INT64_MAX = none. */
int64_t cw__pool_due_ms(cw__pool_member *m);
/* Takes a handle whose transfer has ended out of its multi, but keeps it in the pool. The next step begins a new
 * transfer. */
void cw__pool_rest(cw__pool_member *m);
/* Notes that a member is connected. The handle stays in m->pool until cw__pool_end.
 * Returns the connection's descriptor; a negative number, with nothing changed, if the connection has ended. */
int cw__pool_settle(cw__pool_member *m);
/* Takes a handle that has not settled out of the pool; the caller owns it. */
void cw__pool_quit(cw__pool_member *m);
/* Takes a handle out of the pool, which ends its connection, and frees the handle. */
void cw__pool_end(cw__pool *p, CURL *easy);
/* Take the pool's lock and give it back. For use around each libcurl call that touches more than one handle of the
 * pool. A thread that waits enters before a thread that has just been inside. Thread: any. */
void cw__pool_enter(cw__pool *p);
/* Takes the pool's lock without waiting.
 * Returns false if another thread is inside, or waits. */
bool cw__pool_try_enter(cw__pool *p);
void cw__pool_exit(cw__pool *p);
/* Closes the copies of the watched descriptors, in a child after fork. */
void cw__pool_forked(cw__pool *p);

/* ---- From link.c: libcurl's end of an open connection --------------------------------------------------- */

struct cw__link {
    CURL *easy;
    cw__pool *pool;
    cw__error *fault; /* the socket's */
    int fd;           /* owned by libcurl */
    bool is_tls;      /* the connection to the server uses TLS */
    bool is_bare;     /* neither TLS nor a proxy is between libcurl and the descriptor */
    int least_bytes;  /* number of bytes that must arrive before the descriptor is readable */
    /* libcurl may hold bytes that arrived with the 101, so the next read asks libcurl first */
    bool has_leftover;
    /* TLS must read before it can send: the latest send returned AGAIN on a writable descriptor. This happens in a
     * renegotiation, whose length the peer decides. */
    bool wants_read;
    bool never_waits;   /* calls do not wait for a thread that is inside the pool */
    bool has_complaint; /* complaint is libcurl's latest text "[WS] ..." */
    char complaint[100];
    char tls_text[160]; /* libcurl's first text about a TLS failure in this call */
    const char *party;  /* names the other end of TLS in error messages; static */
};

/* Makes a link for a CURL handle whose handshake succeeded. The link does not own the connection.
 * Returns NULL if there is no memory. */
cw__link *cw__link_create(CURL *easy, cw__pool *pool, int fd, cw__error *fault);
/* Returns true if the next bytes are read from the descriptor; false if libcurl reads them. */
static inline bool cw__link_reads_bare(const cw__link *l) { return l->is_bare && !l->has_leftover; }
void cw__link_destroy(cw__link *l);
/* Forgets libcurl's texts of earlier calls. For use before a libcurl call. */
void cw__link_begin(cw__link *l);
/* Enters the pool.
 * Returns false only if never_waits is set and another thread is inside. */
bool cw__link_enter(cw__link *l);
/* Reads bytes.
 * Returns OK with at least one byte; BUSY only if never_waits is set; else AGAIN, END or FAULT. */
cw__io cw__link_recv(cw__link *l, void *buffer, size_t size_bytes, size_t *len_bytes);
/* Makes TCP hold back bytes that do not fill a segment, until a call with false. Only for TLS. */
void cw__link_cork(cw__link *l, bool is_held);
/* Writes bytes.
 * Returns OK if all were written; AGAIN if only *sent_bytes of them were; else FAULT. */
cw__io cw__link_send(cw__link *l, const void *data, size_t len_bytes, size_t *sent_bytes);
/* Does what cw__codec_calls.discard says. */
cw__io cw__link_discard(cw__link *l);
/* Reads and drops the bytes that the kernel holds unread. If a descriptor with unread data is closed, Linux sends RST
 * instead of FIN, and drops sent data that the peer's system does not have yet. */
void cw__link_empty(int fd);
/* Sets SO_SNDBUF. */
void cw__link_set_send_buffer(cw__link *l, int size_bytes);
/* Sets wants_read for a send that wrote only sent_bytes; returns AGAIN. */
cw__io cw__link_is_full(cw__link *l, size_t sent_bytes);
/* Sets the socket's fault for a connection that was lost. doing is what curlwire did then ("receiving"). The call
 * waits to enter the pool. So only codec_curl may use it, whose pool has no other connection.
 * Returns CW__IO_FAULT. */
cw__io cw__link_fault(cw__link *l, CURLcode code, const char *doing);

/* ---- From await.c ---------------------------------------------------------------------------------------- */

/* Makes poll() report a bare connection's descriptor readable only after least_bytes have arrived; 1 = any number. */
void cw__link_await(cw__link *l, int least_bytes);

/* ---- From handshake.c: control settings to options, and the request --------------------------------------- */

/* The addresses that a handshake may connect to (reach.c). */
typedef struct cw__reach {
    cw__address_space least_public; /* an address that is less public is refused */
    bool refuses_proxy;             /* a proxy would connect to an address that curlwire does not see */
} cw__reach;

/* How to log in at the server. Its texts are the settings'. */
typedef struct cw__login {
    cw_http_auth auth;
    const char *bearer; /* a token, or empty, or NULL; in no text */
} cw__login;

typedef struct cw__login_state {
    cw_http_auth auth;
    bool has_user;     /* a challenge may be answered with a user name and a password */
    bool has_answered; /* this transfer answers a challenge */
} cw__login_state;

/* The settings that a handshake needs. The names of files stay valid until the handshake is destroyed. The rest is copied
 * or used when it is created. */
typedef struct cw__handshake_settings {
    const cw__uri *uri;
    const char *protocols;     /* "a, b", or empty */
    const char *ca_file;       /* a path, or empty */
    const char *ca_path;       /* a path, or empty */
    const char *crl_file;      /* a path, or empty */
    const char *proxy_ca_file; /* a path, or empty for the server's authorities */
    cw__client_certificate client;
    const char *user, *password;             /* for the server; NULL = those of the URI */
    const char *proxy_user, *proxy_password; /* NULL = those of the variable that names the proxy */
    const char *headers;         /* lines in libcurl's form, each with "\n" (settings.c), or empty */
    cw__compression compression; /* the offer, if is_on */
    bool verify;
    bool proxy_verify;
    bool no_delay;
    bool asks;          /* about the certificate of a server with TLS */
    unsigned ignorable; /* the set of errors of the server's certificate to ignore (protocol.h) */
    int64_t timeout_ms; /* -1 = none */
    cw__login login;
    cw__reach reach;
    const char *environment; /* a copy of the variables (environment.c); NULL = the variables themselves */
    /* The race that connects to the addresses that libcurl names. NULL = libcurl connects itself. The race must
     * stay valid until the handle is released or destroyed. */
    cw__race *race;
} cw__handshake_settings;

/* How far the handshake is with showing the server's certificate to the program. */
typedef enum cw__showing {
    CW__SHOWING_NONE,     /* the program does not ask for it */
    CW__SHOWING_FIRST,    /* the first connection ends when it has shown its certificate */
    CW__SHOWING_SHOWN,    /* it has */
    CW__SHOWING_ACCEPTED, /* the second connection must show the same certificate */
    CW__SHOWING_CHANGED   /* it has shown another certificate, or none */
} cw__showing;

typedef struct cw__handshake cw__handshake;

/* Its fields are for handshake.c, showing.c and verdict.c only. */
struct cw__handshake {
    CURL *easy;
    struct curl_slist *headers;
    char *protocols;  /* the offered subprotocols: "a, b", or empty */
    char *protocol;   /* chosen, or NULL */
    char *extensions; /* agreed, or NULL */
    cw__compression offer, terms;
    cw__reply reply;
    char *base; /* the URI without path and query */
    char *host; /* the URI's host, for error messages */
    cw__proxy proxy;
    bool is_past_proxy;                   /* there is no proxy, or it has let the connection through */
    bool is_refused;                      /* the proxy has refused */
    bool is_to_tls;                       /* the URI is wss */
    cw__tls_notes tls;                    /* notes about the proxy or server that libcurl is speaking to */
    cw__authorities authorities;          /* of the server, and of a proxy without a file of its own */
    const char *proxy_ca_file, *crl_file; /* the settings' */
    cw__client_certificate client;        /* the settings' */
    uint8_t *chain;                       /* the server's Certificate message, or NULL */
    size_t chain_bytes;
    bool has_no_random;         /* the system gave no random bytes for the key */
    cw__race *race;             /* the connecting's, or NULL */
    bool is_handed, has_socket; /* libcurl's latest socket came from the race; libcurl has had a socket */
    int socket_errno;           /* why libcurl's latest socket could not be made, or 0 */
    cw__login_state login;
    cw__address_space least_public; /* of the settings, unless a proxy connects */
    bool has_refused_address;       /* an address was less public */
    cw__showing showing;
    uint8_t *certificate; /* the server's, in DER, that each later transfer must show again; NULL before */
    size_t certificate_bytes;
    unsigned ignorable,
        ignored; /* sets of errors of the server's certificate: the settings'; what transfers ignore */
    char key[CW__KEY_CHARS + 1];
    char text[CURL_ERROR_SIZE];
};

/* Makes a handshake, with an easy handle that will connect.
 * Returns NULL with the calling thread's error. */
cw__handshake *cw__handshake_create(const cw__handshake_settings *settings);
void cw__handshake_destroy(cw__handshake *h);
CURL *cw__handshake_easy(cw__handshake *h);
/* Prepares another transfer on the handle: forgets what the last one has left behind. race replaces the race of the
 * settings. */
void cw__handshake_restart(cw__handshake *h, cw__race *race);
/* Returns whether the transfer has ended because the question about the server's certificate has to be answered. */
static inline bool cw__handshake_asks(const cw__handshake *h) { return h->showing == CW__SHOWING_SHOWN; }
/* Notes that the program accepts the certificate, which the next transfer must show again. */
static inline void cw__handshake_accept(cw__handshake *h) { h->showing = CW__SHOWING_ACCEPTED; }
const cw__proxy *cw__handshake_proxy(const cw__handshake *h);
/* Returns true while a proxy still has to let the connection through; false without a proxy. */
static inline bool cw__handshake_is_at_proxy(const cw__handshake *h) { return !h->is_past_proxy; }
/* Returns the authorities of the server and of an https:// proxy; none if no certificate is checked by them. */
static inline const cw__authorities *cw__handshake_authorities(const cw__handshake *h)
{
    return &h->authorities;
}
/* Returns whether the handshake uses the race of its settings. */
bool cw__handshake_races(const cw__handshake *h);
/* Returns the text for cw__link.party, which names the other end of TLS. */
const char *cw__handshake_tls_party(const cw__handshake *h);
/* Gives the easy handle to the caller, who owns it, and removes all its pointers into h. For use before destroy. */
CURL *cw__handshake_release_easy(cw__handshake *h);
/* Return the subprotocol that the server chose, or NULL, and the header lines of its reply. h owns both. */
const char *cw__handshake_protocol(const cw__handshake *h);
const char *cw__handshake_reply(const cw__handshake *h);
/* Return the extensions that the server accepted, or NULL, and the terms of compression. */
const char *cw__handshake_extensions(const cw__handshake *h);
const cw__compression *cw__handshake_compression(const cw__handshake *h);

/* ---- From netrc_file.c ------------------------------------------------------------------------------------- */

/* Finds the user name and the password for a URI that has no password, in the file of netrc_file. *joined is NULL if the
 * file has none.
 * Returns CW_OK or a failure of the calling thread. Owns: the caller frees *joined by cw__free. */
cw_status cw__netrc_read(const char *path, const cw__uri *uri, char **joined);

/* ---- From login.c: who the user is ------------------------------------------------------------------------- */

/* Checks that the login can work.
 * Returns CW_OK or a failure of the calling thread. */
cw_status cw__login_check(const cw__login *login);
/* Sets libcurl's options for the user, the password and the scheme. */
CURLcode cw__login_set(cw__handshake *h, const cw__handshake_settings *settings);
/* Returns whether the request has the header Authorization with the token. */
bool cw__login_adds_header(const cw__handshake_settings *settings);
/* Returns whether another transfer on the handle answers the server's challenge, and prepares it. error is the verdict's. */
bool cw__login_answers(cw__handshake *h, const cw__error *error);
/* Replaces the error for a 401, if the challenge shows what to do. */
void cw__login_explain(const cw__handshake *h, cw__error *error);

/* ---- From reach.c: how public the addresses are ------------------------------------------------------------ */

/* Returns whether the handshake may connect to an address. */
bool cw__reach_allows(cw__address_space least_public, const struct sockaddr *to);
/* Returns how public the server's address is, when the transfer has ended. CW__SPACE_PUBLIC if nobody knows. */
cw__address_space cw__handshake_space(const cw__handshake *h);
/* Sets the error for a redirect whose addresses are not public enough. */
void cw__reach_refuse(const char *host, cw__error *error);
/* Checks that no proxy connects, if the settings want that.
 * Returns CW_OK or a failure of the calling thread. */
cw_status cw__reach_check_proxy(const cw__handshake *h, const cw__handshake_settings *settings);

/* ---- From showing.c: the certificates that the server shows ------------------------------------------------ */

/* Sets the options that end a connection which has shown its certificate, unless it may send the request. */
CURLcode cw__showing_set(cw__handshake *h);
/* Keeps a message of the TLS handshake, if it is the server's Certificate message. */
void cw__showing_keep(cw__handshake *h, const char *message, size_t len_bytes);
/* Returns the server's Certificate message, which the caller owns until cw__free; NULL = none came. */
uint8_t *cw__handshake_release_chain(cw__handshake *h, size_t *len_bytes);
/* Makes the next transfer ignore the error of the server's certificate that has ended this one.
 * Returns false if the program does not want that, or if it cannot be done; the error then stands. */
bool cw__handshake_ignore(cw__handshake *h, int chain_result);
/* Returns the set of errors that the transfer ignores. */
static inline unsigned cw__handshake_ignored(const cw__handshake *h) { return h->ignored; }

/* ---- From verdict.c: the result of a handshake ------------------------------------------------------------ */

/* Decides the result of a handshake, when libcurl has finished the transfer. code and os_errno are the pool member's.
 * Returns true for an open connection, or false with error set. */
bool cw__handshake_verdict(cw__handshake *h, CURLcode code, int os_errno, cw__error *error);
/* Returns the HTTP status of a redirect of the server, which can be followed; 0 = the handshake ended otherwise. error is
 * the verdict's. */
int cw__handshake_redirects(const cw__handshake *h, const cw__error *error);
/* Returns whether it is certain that no frame arrived together with the reply on descriptor fd. */
bool cw__handshake_is_all(const cw__handshake *h, int fd, bool is_plain);

CW__PRIVATE_END

#endif

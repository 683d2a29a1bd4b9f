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

/* Chooses the proxy for a host and port: by the control proxy, or if that is empty by environment variables, which it reads
 * with get.
 * Returns CW_OK, with CW__PROXY_NONE if there is no proxy; or a failure, whose text has nothing of the value. Owns: the
 * caller calls cw__proxy_destroy. */
cw_status cw__proxy_choose(cw__proxy *p, const char *control, bool is_tls, const char *host, unsigned port,
                           const char *(*get)(const char *name));
/* Replaces the user and password by those of proxy_credential.
 * Returns false if there is no memory. Owns: the call copies both. */
bool cw__proxy_set_credential(cw__proxy *p, const char *user, const char *password);
/* Sets of logins. The bits are in the order of the words of proxy_auth. */
enum { CW__LOGIN_BASIC = 1, CW__LOGIN_DIGEST = 2, CW__LOGIN_NEGOTIATE = 4, CW__LOGIN_NTLM = 8 };

/* Sets the error for a proxy that answered CONNECT with a status other than 2xx; 0 = the answer has no status. lines are the
 * headers of its answer. logins is the set that was allowed, available the set that the loaded libcurl has. */
void cw__proxy_refused(const cw__proxy *proxy, const char *host, int http_status, const char *lines,
                       unsigned logins, unsigned available, cw__error *error);

/* ---- From notes.c: what libcurl's log says of TLS ------------------------------------------------------------ */

/* Facts about TLS that libcurl reports only in its log. */
typedef struct cw__tls_notes {
    int sent_alert;         /* the latest alert that we sent, or 0 */
    bool wants_certificate; /* the peer has asked for a client certificate */
    bool offers_session;    /* we have offered to resume a session */
    bool has_certificate;   /* the peer has sent its certificates, so it has resumed no session */
    cw__tls_facts facts;    /* without is_resumed */
} cw__tls_notes;

/* Updates the notes from a line of libcurl's log. */
void cw__failure_note(cw__tls_notes *notes, const char *text, size_t len_bytes);

/* ---- From failure.c: the status and text of a failure of libcurl's ------------------------------------- */

/* A failure of libcurl. Its texts are compared and never shown, because they may contain the user and password of a
 * proxy. */
typedef struct cw__failure {
    int curl_code;
    int os_errno;
    int proxy_code;                  /* CURLINFO_PROXY_ERROR */
    long verify_result;              /* CURLINFO_SSL_VERIFYRESULT, or CURLINFO_PROXY_SSL_VERIFYRESULT */
    const char *text;                /* libcurl's */
    const char *host;                /* the host of the URI */
    unsigned port;                   /* the port of the URI; 0 = not known */
    const char *server_name;         /* tls_server_name; NULL or empty = host */
    const char *proxy;               /* "host:port" of the proxy; NULL = none is used */
    const char *source;              /* the variable or control that names the proxy */
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

/* ---- From client_certificate.c: the certificate that the client shows to a server or proxy that asks for one - */

/* Its texts are the settings'. */
typedef struct cw__client_certificate {
    const char *file, *key;  /* paths, or empty */
    cw__data data, key_data; /* what these files would have */
    const char *password;    /* or empty; in no text, like the data */
    bool is_pkcs12;
    bool is_for_proxy; /* an https:// proxy; else the server */
} cw__client_certificate;

static inline bool cw__client_certificate_is_set(const cw__client_certificate *c)
{
    return *c->file || c->data.len_bytes > 0;
}

/* Checks that what a control names is no pipe or device, which libcurl would read in the service thread, and stop it. What
 * cannot be found is left to libcurl, and a folder too if may_be_folder is set. key is the name of the control.
 * Returns CW_OK or a failure of the calling thread. */
cw_status cw__file_check_kind(cw_option option, const char *key, const char *path, bool may_be_folder);
/* Checks that what a control names is a regular file that can be read.
 * Returns CW_OK or a failure of the calling thread. */
cw_status cw__file_check(cw_option option, const char *key, const char *path);
/* Gives libcurl the bytes of a control, without a copy. */
CURLcode cw__data_set(CURL *easy, CURLoption option, const cw__data *data);
/* Checks that the files can be read, and that nothing is missing. libcurl reads them in the service thread, which a pipe
 * would block.
 * Returns CW_OK, or a failure of the calling thread. */
cw_status cw__client_certificate_check(const cw__client_certificate *c);
/* Sets libcurl's options, if a certificate is set. */
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

/* ---- From curl_options.c: the options that curl_options allows ---------------------------------------------- */

enum { CW__CURL_OPTION_BYTES = 80 };

/* Checks a line "NAME=value".
 * Returns CW_OK or CW_INVALID_ARGUMENT. Thread: any. */
cw_status cw__curl_option_check(const char *item, size_t len_bytes);
/* Sets the options of lines that have been checked. If libcurl refuses one, refused is the start of its line. */
CURLcode cw__curl_options_set(const char *lines, CURL *easy, char refused[CW__CURL_OPTION_BYTES]);

/* ---- From reach.c: how a connection gets to its server ----------------------------------------------------- */

/* The texts are the settings'. A control that is not set is empty or 0. */
typedef struct cw__reach {
    const char *unix_path, *abstract_name, *interface, *doh_url;
    const char *resolve, *connect_to, *curl_options; /* lines */
    int64_t local_port, local_port_range;
    int64_t happy_ms, keep_idle_ms, keep_interval_ms, keep_count, user_timeout_ms;
    int64_t dscp;
    bool keeps_alive;
    int *given; /* the connected descriptor of the program, or -1; NULL = it gave none */
    struct curl_slist *resolves, *targets; /* of resolve and connect_to, for libcurl */
    const char *refused;                   /* the control or option that libcurl refused, or NULL */
    const char *unset;                     /* the control that the system refused, or NULL */
    int fault;                             /* the cw_option of refused or unset */
    int os_errno;                          /* why the system refused it */
    bool is_used_up;                       /* libcurl wanted a second connection in place of the given one */
    char option[CW__CURL_OPTION_BYTES];
} cw__reach;

/* Checks the controls. asks, ignores: the program is asked about the certificate, or ignores errors of it.
 * Returns CW_OK or a failure of the calling thread. */
cw_status cw__reach_check(const cw__reach *r, bool asks, bool ignores);
/* Returns true for a Unix socket or a given connection, which use no proxy. */
bool cw__reach_is_local(const cw__reach *r);
/* Returns true if libcurl must make the socket itself, so that race.c cannot. */
bool cw__reach_has_own_socket(const cw__reach *r);
/* Returns true if the connection must have a multi of its own, because what it sets or learns would concern others. */
bool cw__reach_is_alone(const cw__reach *r);
/* Sets libcurl's options. If libcurl refuses one, r->refused names it. */
CURLcode cw__reach_set(cw__reach *r, CURL *easy);
/* Frees the lists. easy, unless NULL, lives on and forgets them. */
void cw__reach_release(cw__reach *r, CURL *easy);
/* Takes the given descriptor, which the caller then owns; -1 = it has been taken before. */
int cw__reach_take(cw__reach *r);
/* Sets the system's options of a TCP socket before it connects.
 * Returns false if the system refuses; r->unset is then the control. */
bool cw__reach_mark(cw__reach *r, int fd);
/* Sets the error, if a connect failed because of these controls. Else it returns false. */
bool cw__reach_explain(const cw__reach *r, int curl_code, int os_errno, const char *host, cw__error *error);

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
/* Sets the controls for the sockets of the race, which must stay valid while it runs. */
void cw__race_set_reach(cw__race *r, cw__reach *reach);
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
    bool is_data; /* ca_data has them, in place of a file */
    char *file;   /* NULL = nothing was looked for, or is_data */
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
/* Uses the bytes of ca_data, and ca_path or empty. a must be zeroed.
 * Returns as cw__authorities_find. */
cw_status cw__authorities_use_data(const char *ca_path, cw__authorities *a);
/* Frees and zeroes what was found; it accepts a zeroed one. */
void cw__authorities_destroy(cw__authorities *a);
/* Writes "SSL_CERT_FILE: /x/ca.pem, SSL_CERT_DIR: /x/certs". Returns the length, as snprintf does. */
size_t cw__authorities_show(const cw__authorities *a, char *buffer, size_t size_bytes);
/* Returns the same as a text, which the caller owns until cw__free; NULL = no memory. */
char *cw__authorities_text(const cw__authorities *a);

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

/* ---- From link.c: the bytes of an open connection -------------------------------------------------------- */

struct cw__link {
    CURL *easy;                          /* NULL = the link has taken the connection over */
    cw__pool *pool;                      /* the pool of easy, or NULL */
    cw__error *fault;                    /* the socket's */
    int fd;                              /* libcurl's, or the link's if easy is NULL */
    bool is_tls;                         /* the connection to the server uses TLS */
    bool is_bare;                        /* neither TLS nor a proxy is between libcurl and the descriptor */
    uint64_t sent_bytes, received_bytes; /* of frames; the codec "curl" counts its own */
    int least_bytes; /* number of bytes that must arrive before the descriptor is readable */
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

/* Makes a link for a CURL handle whose handshake succeeded.
 * Returns NULL if there is no memory. */
cw__link *cw__link_create(CURL *easy, cw__pool *pool, int fd, cw__error *fault);
/* Takes the connection over from libcurl, and frees the handle. Only for a link that reads bare. Thread: service. */
void cw__link_take_over(cw__link *l);
/* Closes a socket of libcurl's (CURLOPT_CLOSESOCKETFUNCTION), unless a link takes it over. Every handle has it, because a
 * connection keeps the function that it began with. */
int cw__link_close_socket(void *unused, curl_socket_t fd);
/* Ends the connection and frees the handle. Only destroy may follow. Thread: service. */
void cw__link_close(cw__link *l);
/* Returns true if the next bytes are read from the descriptor; false if libcurl reads them. */
static inline bool cw__link_reads_bare(const cw__link *l) { return l->is_bare && !l->has_leftover; }
/* Frees the link, not the connection. */
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

CW__PRIVATE_END

#include "handshake.h"

#endif

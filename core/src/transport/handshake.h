/* SPDX-License-Identifier: MIT */
/* The second half of transport.h, which includes this file: the handshake, and the files that set its options, answer its
 * challenges and judge its result. The rules of transport.h hold here too. */
#ifndef CW_HANDSHAKE_H
#define CW_HANDSHAKE_H

CW__PRIVATE_BEGIN

/* ---- From request.c: the headers of the request ----------------------------------------------------------- */

/* What the program has set for the request. The texts are copied or used when the handshake is created. */
typedef struct cw__request_settings {
    const char *headers;    /* lines in libcurl's form, each with "\n" (settings.c), or empty */
    const char *user_agent; /* empty for the default */
    const char *origin;     /* empty for none */
    bool has_jar;           /* a header Cookie goes out with the cookies of the jar (cookies.c) */
} cw__request_settings;

typedef struct cw__handshake cw__handshake;
typedef struct cw__handshake_settings cw__handshake_settings;

/* Makes the headers, and sets the options for them. A header that the program has set by its name, or removed, takes
 * precedence over user_agent and origin.
 *   token   for the header Authorization, or empty
 * Returns CURLE_OUT_OF_MEMORY also if there are no random bytes (h->has_no_random). */
CURLcode cw__request_set(cw__handshake *h, const cw__request_settings *settings, const char *token);

/* ---- From tls_options.c: the controls of TLS ---------------------------------------------------------------- */

/* Checks that the controls fit together and to the URI, and that the files can be read.
 * Returns CW_OK or a failure of the calling thread. */
cw_status cw__tls_options_check(const cw__handshake_settings *settings);
/* Makes libcurl connect to the URI's host although TLS uses another name, if tls_server_name is set. port is that of the
 * URI. */
CURLcode cw__tls_options_rename(cw__handshake *h, const cw__handshake_settings *settings, unsigned port);
/* Sets libcurl's options. */
CURLcode cw__tls_options_set(cw__handshake *h, const cw__handshake_settings *settings);
/* Sets the error, if libcurl failed because of one of these controls; text is libcurl's. Else it returns false. */
bool cw__tls_options_explain(const cw__handshake *h, int curl_code, const char *text, cw__error *error);

/* ---- From sessions.c: TLS sessions that a later connect may resume ------------------------------------------ */

/* Returns the store of sessions, which the process owns and all sockets with tls_session_resumption share; NULL = no
 * memory. Thread: any. */
CURLSH *cw__sessions(void);

/* ---- From timings.c: how long the parts of a connect take -------------------------------------------------- */

/* Times of cw__now_us; 0 = not yet. */
typedef struct cw__moments {
    int64_t begun_us;    /* this connection */
    int64_t transfer_us; /* libcurl's latest transfer of this connection: our own race needs two */
    int64_t looked_up_us, past_proxy_us, answered_us;
} cw__moments;

/* Notes a moment, unless it is noted already. */
static inline void cw__moment_note(int64_t *moment_us)
{
    if (*moment_us == 0)
        *moment_us = cw__now_us();
}
/* Notes that libcurl begins a transfer. */
void cw__timings_begin(cw__handshake *h);
/* Returns the timings of the handshake until now. begun_us is the time at which the whole connect began. */
cw_timings cw__handshake_timings(const cw__handshake *h, int64_t begun_us);

/* ---- From cookie_file.c: files of cookies ------------------------------------------------------------------ */

enum { CW__COOKIES_AT_MOST = 3000 }; /* in a jar; a browser keeps as many */

/* A file of cookies, and what an error calls it. */
typedef struct cw__cookie_place {
    const char *name; /* "cookie_jar", or "the file" */
    const char *path;
    cw_option option; /* the control that names the file, if is_control is set */
    bool is_control;  /* an error is about a connect */
} cw__cookie_place;

/* Cookies as lines in Netscape's form. The lines belong to the owner of the struct; NULL = none. */
typedef struct cw__cookie_text {
    char *lines;
    size_t len_bytes;
} cw__cookie_text;

/* Reads a file of cookies, and checks its lines. A file that may be missing then has no lines.
 * Returns CW_OK, or a failure with error set. Owns: the caller frees out->lines. */
cw_status cw__cookie_file_read(const cw__cookie_place *place, bool may_be_missing, cw__cookie_text *out,
                               cw__error *error);
/* Checks that the folder of a file can be written. */
cw_status cw__cookie_file_check(const cw__cookie_place *place, cw__error *error);
/* Replaces the file by one with these lines, which only its owner can read. */
cw_status cw__cookie_file_write(const cw__cookie_place *place, const cw__cookie_text *text, cw__error *error);

/* ---- From cookie_jar.c (the rest is in codec.h) ---------------------------------------------------------- */

/* Its fields are for cookie_jar.c and cookies.c only. */
struct cw_cookie_jar {
    cw__atomic_int references;
    pid_t process;      /* that made the jar. cw__generation counts forks only after the first connect */
    cw__mutex saving;   /* one call at a time writes the jar's file; taken before the turn */
    cw__mutex turn;     /* one call at a time uses easy; taken before the locks */
    cw__mutex locks[2]; /* for libcurl: of the share, and of its cookies */
    CURLSH *share;
    CURL *easy;        /* reads and changes the cookies of the share; it never connects */
    char *path;        /* the jar's file; NULL = in memory only */
    uint8_t saved[32]; /* SHA-256 of the lines that the file has, if they come from this jar */
};

/* Adds the cookies of a file, which must exist. All fit, or none is added. Takes the turn. */
cw_status cw__cookie_jar_add_file(cw_cookie_jar *j, const cw__cookie_place *place);
/* Returns CW_OK if that libcurl knows the public suffixes. Else fails with the calling thread's error. */
cw_status cw__cookies_check_libcurl(const curl_version_info_data *info);
/* Fails with the calling thread's error. */
cw_status cw__cookies_fail_memory(void);
size_t cw__cookies_count(const cw__cookie_text *text);

/* Around each step of libcurl that may send or keep cookies. They do nothing with libcurl 8.18.0 and later. */
void cw__cookies_enter(void);
void cw__cookies_exit(void);
/* Take and leave the turn of a jar; within the functions above. */
void cw__cookie_jar_enter(cw_cookie_jar *j);
void cw__cookie_jar_exit(cw_cookie_jar *j);

/* The functions below need the turn of the jar. */

/* Reads all cookies. A line that is no cookie by our rules is left out, so that we can read what we write; only a Host
 * header of the program that is no host name makes one.
 * Returns false if there is no memory. Owns: the caller frees out->lines. */
bool cw__cookie_jar_read(cw_cookie_jar *j, cw__cookie_text *out);
/* Passes a line or a command to CURLOPT_COOKIELIST. Returns false if there is no memory. */
bool cw__cookie_jar_say(cw_cookie_jar *j, const char *line);
/* Adds a cookie whose texts have been checked. Returns false if there is no memory. */
bool cw__cookie_jar_add(cw_cookie_jar *j, const cw_cookie *cookie);
/* Keeps the jar within its limits after a reply of a host. The host pays for what it has set.
 * Returns whether it has dropped cookies. */
bool cw__cookie_jar_prune(cw_cookie_jar *j, const cw__cookie_text *text, const char *host);
/* Notes that the jar's file has these lines. */
void cw__cookie_jar_note(cw_cookie_jar *j, const cw__cookie_text *text);
/* Writes these lines into the jar's file, unless the file has them. The error is about a connect. */
cw_status cw__cookie_jar_save(cw_cookie_jar *j, const cw__cookie_text *text, cw__error *error);

/* ---- From handshake.c: control settings to options -------------------------------------------------------- */

/* The addresses that a handshake may connect to (guard.c). */
typedef struct cw__guard {
    cw__address_space least_public; /* an address that is less public is refused */
    bool refuses_proxy;             /* a proxy would connect to an address that curlwire does not see */
} cw__guard;

/* How to log in at the server. Its texts are the settings'. */
typedef struct cw__login {
    cw_http_auth auth;
    const char *bearer; /* a token, or empty; in no text */
} cw__login;

typedef struct cw__login_state {
    cw_http_auth auth;
    bool has_user;     /* a challenge may be answered with a user name and a password */
    bool has_answered; /* this transfer answers a challenge */
} cw__login_state;

/* The settings for a proxy. */
typedef struct cw__proxy_settings {
    const char *uri;             /* of the control proxy: CW__PROXY_DIRECT, or empty for the environment */
    const char *pre_uri;         /* of the control pre_proxy, or empty */
    const char *headers;         /* lines in libcurl's form, each with "\n", or empty */
    unsigned logins;             /* that may be used; 0 = Basic, without waiting for a challenge */
    const char *user, *password; /* of proxy_credential; NULL = those of the proxy's URI */
    const char *ca_file;         /* a path, or empty for the server's authorities */
    bool verify;
    cw__client_certificate client; /* for an https:// proxy */
} cw__proxy_settings;

/* The settings that a handshake needs. The names of files stay valid until the handshake is destroyed. The rest is copied
 * or used when it is created. */
struct cw__handshake_settings {
    const cw__uri *uri;
    const char *protocols; /* "a, b", or empty */
    const char *ca_file;   /* a path, or empty */
    const char *ca_path;   /* a path, or empty */
    const char *crl_file;  /* a path, or empty */
    cw__client_certificate client;
    cw__tls_options tls;
    const char *user, *password; /* for the server; NULL = those of the URI */
    cw__proxy_settings proxy;
    cw__request_settings request;
    cw__compression compression; /* the offer, if is_on */
    bool verify;
    bool no_delay;
    bool asks;              /* about the certificate of a server with TLS */
    unsigned ignorable;     /* the set of errors of the server's certificate to ignore (protocol.h) */
    cw_cookie_jar *cookies; /* NULL = none are sent or kept; the handshake takes a reference of its own */
    int64_t timeout_ms;     /* -1 = none */
    cw__login login;
    cw__guard guard;
    const char *environment; /* a copy of the variables (environment.c); NULL = the variables themselves */
    /* The race that connects to the addresses that libcurl names. NULL = libcurl connects itself. The race must
     * stay valid until the handle is released or destroyed. */
    cw__race *race;
    cw__reach reach;
    cw__tracer tracer;
};

/* How far the handshake is with showing the server's certificate to the program. */
typedef enum cw__showing {
    CW__SHOWING_NONE,     /* the program does not ask for it */
    CW__SHOWING_FIRST,    /* the first connection ends when it has shown its certificate */
    CW__SHOWING_SHOWN,    /* it has */
    CW__SHOWING_ACCEPTED, /* the second connection must show the same certificate */
    CW__SHOWING_CHANGED   /* it has shown another certificate, or none */
} cw__showing;

/* The body of a reply that refuses (refusal.c). */
typedef struct cw__refusal {
    bool is_begun;  /* the headers of such a reply are complete, and libcurl will not answer it */
    int64_t due_ms; /* reading the body ends then */
    int read_bytes; /* that libcurl has read of a proxy's body and the frames of its chunks */
    uint8_t *body;
    size_t body_bytes, room_bytes;
} cw__refusal;

/* Its fields are for handshake.c, request.c, cookies.c, refusal.c, showing.c, tls_options.c, timings.c and verdict.c only. */
struct cw__handshake {
    CURL *easy;
    struct curl_slist *headers;
    char *protocols;  /* the offered subprotocols: "a, b", or empty */
    char *protocol;   /* chosen, or NULL */
    char *extensions; /* agreed, or NULL */
    cw__compression offer, terms;
    cw__reply reply;
    cw__refusal refusal;
    char *base;                    /* the URI without path and query */
    char *url;                     /* the same with tls_server_name for the host; NULL = that is unset */
    struct curl_slist *connect_to; /* the URI's host and port, in libcurl's form, if url is set */
    char *host;                    /* the URI's host, for error messages */
    unsigned port;                 /* the URI's port, for error messages */
    cw__proxy proxy, pre_proxy;
    struct curl_slist *proxy_headers;
    bool is_past_pre_proxy;            /* there is no proxy in front of the proxy, or it has let us through */
    bool is_past_proxy;                /* there is no proxy, or it has let the connection through */
    int challenges;                    /* of the proxy, that libcurl was allowed to answer */
    bool is_refused;                   /* the proxy has refused */
    bool is_to_tls;                    /* the URI is wss */
    cw__tls_notes tls;                 /* notes about the proxy or server that libcurl is speaking to */
    cw__authorities authorities;       /* of the server, and of a proxy without a file of its own */
    const char *folder, *no_folder;    /* CURLOPT_CAPATH beside the authorities' file; to trust no folder */
    cw__proxy_settings proxy_settings; /* the settings' */
    const char *crl_file;              /* the settings' */
    cw__client_certificate client;     /* the settings' */
    cw__tls_options tls_options;       /* the settings' */
    cw__reach reach;                   /* the settings' */
    const char *refused;               /* the control whose option libcurl refused; NULL = another one */
    cw__moments moments;
    uint8_t *chain; /* the server's Certificate message, or NULL */
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
    cw__tracer tracer;
    cw_cookie_jar *cookies; /* the settings', with a reference; or NULL */
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
/* Returns the proxy that still has to let the connection through: the one in front, or the proxy itself. */
static inline const cw__proxy *cw__handshake_next_proxy(const cw__handshake *h)
{
    return h->is_past_pre_proxy ? &h->proxy : &h->pre_proxy;
}
/* Returns true while a proxy still has to let the connection through; false without a proxy. */
static inline bool cw__handshake_is_at_proxy(const cw__handshake *h) { return !h->is_past_proxy; }
/* Returns the authorities of the server and of an https:// proxy; none if no certificate is checked by them. */
static inline const cw__authorities *cw__handshake_authorities(const cw__handshake *h)
{
    return &h->authorities;
}
/* Returns whether the connection must have a multi of its own: libcurl reads the authorities of an https:// proxy too, and
 * reach.c has other reasons. */
static inline bool cw__handshake_is_alone(const cw__handshake *h)
{
    return h->proxy.kind == CW__PROXY_HTTPS || cw__reach_is_alone(&h->reach);
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
/* Returns what is known of the TLS connection to the server; empty texts before it is made. */
cw__tls_facts cw__handshake_tls_facts(const cw__handshake *h);
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

/* ---- From guard.c: how public the addresses are ------------------------------------------------------------ */

/* Returns whether the handshake may connect to an address. */
bool cw__guard_allows(cw__address_space least_public, const struct sockaddr *to);
/* Returns how public the server's address is, when the transfer has ended. CW__SPACE_PUBLIC if nobody knows. */
cw__address_space cw__handshake_space(const cw__handshake *h);
/* Sets the error for a redirect whose addresses are not public enough. */
void cw__guard_refuse(const char *host, cw__error *error);
/* Checks that no proxy connects, if the settings want that.
 * Returns CW_OK or a failure of the calling thread. */
cw_status cw__guard_check_proxy(const cw__handshake *h, const cw__handshake_settings *settings);

/* ---- From cookies.c: the cookies of a handshake ------------------------------------------------------------ */

/* Sets the options for the jar of the settings, if there is one. */
CURLcode cw__cookies_set(cw__handshake *h, const cw__handshake_settings *settings);
/* Returns whether a line of the request is a Cookie header, which goes out together with the cookies of the jar, so that
 * the request has one such header (RFC 6265 section 5.4). */
bool cw__cookies_take(bool has_jar, const char *line);
/* Keeps the jar within its limits, and writes its file, when the handshake is over.
 * Returns false with error set if the file cannot be written. */
bool cw__cookies_end(cw__handshake *h, cw__error *error);
/* ---- From refusal.c: the body of a refusal ------------------------------------------------------------------ */

/* Notes that the headers of a refusal are complete. */
void cw__refusal_begin(cw__handshake *h);
void cw__refusal_forget(cw__handshake *h);
/* libcurl's write function. user is the handshake, or NULL after the end of the handshake. */
size_t cw__refusal_write(char *data, size_t size, size_t count, void *user);
/* libcurl's progress function, which ends a body of the proxy. user is as for cw__refusal_write. */
int cw__refusal_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                         curl_off_t up);
/* Returns whether libcurl passes on the body of a refusal. */
bool cw__refusal_can_keep(void);
/* Returns whether the server or a proxy has refused, and perhaps still sends the body. */
static inline bool cw__refusal_is_begun(const cw__handshake *h) { return h->refusal.is_begun; }
/* Returns when the transfer must end: at the deadline of the connect, or when the time for the body is over. */
int64_t cw__handshake_end_ms(const cw__handshake *h, int64_t deadline_ms);
/* Returns the body, which the caller owns until cw__free; NULL = none came. */
uint8_t *cw__handshake_release_body(cw__handshake *h, size_t *len_bytes);

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

/* ---- From proxy_options.c: the options for the proxy ------------------------------------------------------ */

/* Chooses the proxy of a handshake to port, and checks what the loaded libcurl supports.
 * Returns CW_OK, or a failure of the calling thread. */
cw_status cw__proxy_prepare(cw__handshake *h, unsigned port, const char *(*get)(const char *name));
/* Sets libcurl's options for the chosen proxy, or for none, so that libcurl does not read the environment. */
CURLcode cw__proxy_set_options(cw__handshake *h);
/* Notes what libcurl's trace says about the way through the proxies. */
void cw__proxy_note(cw__handshake *h, curl_infotype type, char *text, size_t len_bytes);
/* Handles the proxy's reply to CONNECT when its headers are complete. Returns whether the transfer goes on. */
bool cw__proxy_answered(cw__handshake *h);
/* Forgets the refusal of the last connection, because libcurl tries another one, or answers a challenge. */
void cw__proxy_tries_again(cw__handshake *h);
/* Forgets how far the last transfer came. */
void cw__proxy_restart(cw__handshake *h);
/* Returns the set of logins that the loaded libcurl has. */
unsigned cw__proxy_logins_available(void);

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

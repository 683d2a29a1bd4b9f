/* SPDX-License-Identifier: MIT */
/* The second half of protocol.h, which includes this file: what a connect needs before the first frame. URIs, host names,
 * proxies, redirects, logins, cookies, certificates, the texts of controls, and the lines of a trace. The rules of
 * protocol.h hold here too. */
#ifndef CW_OPENING_H
#define CW_OPENING_H

CW__PRIVATE_BEGIN

/* ---- From retry.c: RFC 9110 sections 5.6.7 and 10.2.3 ------------------------------------------------------- */

#define CW__NO_DATE         INT64_MIN
#define CW__RETRY_AT_MOST_S (INT32_MAX - 1) /* longer times count as this one: 68 years */

/* Reads a date of HTTP, in any of its three forms. now_s decides the century of a year of two digits.
 * Returns the seconds since 1970, or CW__NO_DATE. */
int64_t cw__http_date(const char *value, size_t len_bytes, int64_t now_s);
/* Reads the value of a Retry-After.
 * Returns the seconds from now, 0 for a date in the past, or -1 if the value is malformed. */
int64_t cw__retry_after(const char *value, size_t len_bytes, int64_t now_s);

/* ---- From challenge.c: what WWW-Authenticate offers (RFC 9110 section 11.6.1) ------------------------------ */

enum {
    CW__SCHEME_BASIC = 1,
    CW__SCHEME_DIGEST = 2,
    CW__SCHEME_NEGOTIATE = 4,
    CW__SCHEME_NTLM = 8,
    CW__SCHEME_BEARER = 16,
    CW__SCHEME_OTHER = 32
};

/* Returns the set of schemes that the header lines of a reply offer. */
unsigned cw__challenge_schemes(const char *lines);

/* ---- From punycode.c: RFC 3492 ------------------------------------------------------------------------------ */

enum { CW__PUNYCODE_AT_MOST = 256 }; /* code points */

/* Writes code points as letters, digits and hyphens, without "xn--" and without a NUL. False if they do not fit, or are more
 * than CW__PUNYCODE_AT_MOST. */
bool cw__punycode_encode(const uint32_t *codes, size_t count, char *out, size_t size_bytes, size_t *len_bytes);
/* Does the reverse; text is in lower case. False if it is malformed, or has more code points than room. */
bool cw__punycode_decode(const char *text, size_t len_bytes, uint32_t *codes, size_t room, size_t *count);

/* ---- From idn_table.c: what Unicode says ---------------------------------------------------------------------- */

/* What a run of code points is mapped to. */
typedef enum cw__idn_kind {
    CW__IDN_IS_NO,    /* not allowed */
    CW__IDN_IS_GONE,  /* nothing: it is left out */
    CW__IDN_IS_VALID, /* themselves */
    CW__IDN_IS_PAIRS, /* the second of each two: capital and small letters take turns */
    CW__IDN_IS_MOVED, /* the code point that is `value` further */
    CW__IDN_IS_TEXTS  /* the texts that follow each other from cw__idn_texts[value] on */
} cw__idn_kind;

#define CW__IDN_NO           CW__IDN_IS_NO, 0
#define CW__IDN_GONE         CW__IDN_IS_GONE, 0
#define CW__IDN_VALID        CW__IDN_IS_VALID, 0
#define CW__IDN_PAIRS        CW__IDN_IS_PAIRS, 0
#define CW__IDN_MOVED(value) CW__IDN_IS_MOVED, value
#define CW__IDN_TEXTS(value) CW__IDN_IS_TEXTS, value

/* Each run goes to the first code point of the next. */
typedef struct cw__idn_run {
    uint32_t first : 24, kind : 8;
    int32_t value;
} cw__idn_run;

typedef struct cw__idn_pair {
    uint32_t composed, first, second;
} cw__idn_pair;

typedef enum cw__bidi {
    CW__BIDI_L,
    CW__BIDI_R,
    CW__BIDI_AL,
    CW__BIDI_AN,
    CW__BIDI_EN,
    CW__BIDI_ES,
    CW__BIDI_CS,
    CW__BIDI_ET,
    CW__BIDI_ON,
    CW__BIDI_BN,
    CW__BIDI_NSM,
    CW__BIDI_OTHER
} cw__bidi;

typedef enum cw__joining {
    CW__JOINING_U,
    CW__JOINING_L,
    CW__JOINING_R,
    CW__JOINING_D,
    CW__JOINING_T
} cw__joining;

/* It holds for code points that are mapped to themselves. */
typedef struct cw__idn_property {
    uint32_t first;
    uint8_t combining;   /* the canonical combining class */
    uint8_t bidi : 4;    /* cw__bidi */
    uint8_t joining : 3; /* cw__joining */
    uint8_t is_mark : 1;
} cw__idn_property;

enum { CW__IDN_LAST = 1 << 24 }; /* marks the last code point of a text */

extern const cw__idn_run cw__idn_runs[];
extern const uint32_t cw__idn_texts[];
extern const cw__idn_pair cw__idn_pairs[]; /* sorted by `composed` */
extern const cw__idn_property cw__idn_properties[];
extern const size_t cw__idn_run_count, cw__idn_pair_count, cw__idn_property_count;

/* ---- From idn.c: international host names (UTS #46) ------------------------------------------------------------ */

enum {
    CW__HOST_AT_MOST = 255,     /* characters of a host as it is sent */
    CW__HOST_GIVEN_MOST = 1020, /* bytes of an international host */
    CW__URI_FAULT_BYTES = 240
};

/* Writes the text of a fault and gives false, for idn.c and uri.c. */
#define CW__URI_FAULT(fault, ...) ((void)snprintf(fault, CW__URI_FAULT_BYTES, __VA_ARGS__), false)

/* Writes the ASCII form of a host name that has characters beyond ASCII. False fills fault, which is ASCII. */
bool cw__idn_to_ascii(const char *text, size_t len_bytes, char out[CW__HOST_AT_MOST + 1],
                      char fault[CW__URI_FAULT_BYTES]);

/* ---- From uri.c: the URI of a connect (RFC 3986, RFC 3987, RFC 6455 section 3) ------------------------- */

/* Our limits, which are below libcurl's limits (docs/libcurl.md). */
enum {
    CW__URI_AT_MOST = 128 * 1024, /* bytes, when percent-encoded */
    CW__ZONE_AT_MOST = 15         /* characters of an interface's name */
};

/* The parts of "user:password@host:port". They point into the caller's text, or into this struct, so it is not copied. */
typedef struct cw__authority {
    const char *userinfo; /* NULL = none */
    const char *host;     /* a name in ASCII, an IPv4 address, or an IPv6 address without [ ] and zone */
    const char *zone;     /* zone of the IPv6 address, without the %; NULL = none */
    size_t userinfo_bytes, host_bytes, zone_bytes;
    int port; /* -1 = none */
    bool is_ipv6;
    char ascii[CW__HOST_AT_MOST + 1]; /* the host, if it is an international name */
} cw__authority;

/* Reads an authority, which ends before the first of / ? #. It checks the host and the port. It does not check the
 * characters of the userinfo, or the value of an IPv6 address. If the authority is malformed, it returns false and fills
 * fault, which shows no part of the userinfo. */
bool cw__authority_read(const char *text, size_t len_bytes, cw__authority *a, char fault[CW__URI_FAULT_BYTES]);

typedef struct cw__uri {
    bool is_secure; /* wss */
    bool is_ipv6;
    const char *prefix; /* "ws://user:password@", encoded */
    const char *host;   /* the host in ASCII, without [ ] and zone */
    const char *zone;   /* zone of an IPv6 address; "" = none */
    const char *suffix; /* ":8080/", or "/" */
    const char *target; /* "/path?query", encoded: visible ASCII */
    char *text;         /* owns the memory of the five texts above */
} cw__uri;

typedef enum cw__uri_result { CW__URI_OK, CW__URI_BAD, CW__URI_NO_MEMORY } cw__uri_result;

/* Checks a URI and encodes it. With CW__URI_BAD it fills fault, which says what is wrong and what to write
 * instead. fault shows at most one character of the userinfo and of the query. */
cw__uri_result cw__uri_read(const char *text, size_t len_bytes, cw__uri *uri, char fault[CW__URI_FAULT_BYTES]);
/* Frees a URI; it accepts a zeroed one. */
void cw__uri_destroy(cw__uri *uri);
/* Returns the URI without path and query, "ws://user:password@host:8080/". The caller owns it until cw__free. NULL = no
 * memory. */
char *cw__uri_base(const cw__uri *uri);
/* Copies a URI that cw__uri_read has accepted, without userinfo and query. Returns its whole length, as snprintf does. */
size_t cw__uri_show(const char *uri, char *buffer, size_t size_bytes);

/* ---- From netrc.c: passwords by host ----------------------------------------------------------------------- */

typedef enum cw__netrc_result {
    CW__NETRC_FOUND,
    CW__NETRC_NONE, /* no entry names the host */
    CW__NETRC_BAD,  /* fault says why; it shows no word of the file */
    CW__NETRC_NO_MEMORY
} cw__netrc_result;

/* Finds the first entry `machine host` with a login and a password. user is the login that it must have; NULL = any. The
 * entry `default` is for no host. What follows the entry is not read.
 * Owns: *joined, "user NUL password NUL", is the caller's until cw__free. */
cw__netrc_result cw__netrc_find(const char *text, size_t len_bytes, const char *host, const char *user,
                                char **joined, char fault[CW__URI_FAULT_BYTES]);

/* ---- From redirect.c: where a redirect leads (RFC 9110 section 10.2.2, RFC 3986 section 5) --------------- */

typedef struct cw__redirect {
    cw__uri uri;         /* with the user name and password of the first URI, if is_same_origin */
    char *text;          /* the same without user name and password */
    bool is_same_origin; /* scheme, host and port are those of the URI that redirects */
} cw__redirect;

typedef enum cw__redirect_result {
    CW__REDIRECT_OK,
    CW__REDIRECT_BAD,      /* fault says why */
    CW__REDIRECT_TO_PLAIN, /* from wss to ws; *to is filled */
    CW__REDIRECT_NO_MEMORY
} cw__redirect_result;

/* Finds the header Location in the lines of a reply, and resolves it against the URI of the request. http becomes ws, and
 * https wss. A fragment is dropped. fault is ASCII, and shows no part of a query.
 * Owns: the caller calls cw__redirect_destroy, which accepts a zeroed one. */
cw__redirect_result cw__redirect_read(const char *lines, const cw__uri *from, cw__redirect *to,
                                      char fault[CW__URI_FAULT_BYTES]);
void cw__redirect_destroy(cw__redirect *to);
/* Copies the header lines that another origin may get: those that are known to carry no secret, and those that only
 * remove a header. NULL = no memory. Owns: the caller, until cw__free. */
char *cw__redirect_headers(const char *lines);

/* ---- From address.c: IP addresses, and how public they are ----------------------------------------------- */

/* Reads an IPv4 address with four numbers, or an IPv6 address without brackets and zone.
 * Returns the number of its bytes, 4 or 16; 0 if the text is no such address. */
size_t cw__address_read(const char *text, size_t len_bytes, uint8_t bytes[16]);

/* In the order of publicity. */
typedef enum cw__address_space {
    CW__SPACE_LOCAL,   /* this machine: 127.0.0.0/8, ::1, the unspecified address */
    CW__SPACE_PRIVATE, /* a network that the Internet does not reach, and everything else that is special */
    CW__SPACE_PUBLIC
} cw__address_space;

/* Judges an address of 4 or 16 bytes. */
cw__address_space cw__address_space_of(const uint8_t *address, size_t len_bytes);

/* ---- From proxy_uri.c: the URI of a proxy, and lists of hosts that need none ---------------------------- */

typedef enum cw__proxy_kind { CW__PROXY_NONE, CW__PROXY_HTTP, CW__PROXY_HTTPS, CW__PROXY_SOCKS } cw__proxy_kind;

typedef struct cw__proxy {
    cw__proxy_kind kind;
    char *url;             /* scheme://host:port, without user and password */
    const char *name;      /* host:port, inside url; for messages */
    char *user, *password; /* decoded; NULL = none */
    const char *source;    /* what names the proxy: an environment variable, or a control; static */
    bool has_credential;   /* user and password are those of proxy_credential */
} cw__proxy;

/* The value of the control proxy with which no proxy is used, whatever the environment says. */
#define CW__PROXY_DIRECT "direct"

/* Reads the URI of a proxy into an empty proxy.
 * Returns NULL, or what is wrong with the value. Owns: the caller calls cw__proxy_destroy in both cases. */
const char *cw__proxy_parse(cw__proxy *p, const char *value, bool *has_no_memory);
/* Frees and zeroes a proxy; it accepts a zeroed one. */
void cw__proxy_destroy(cw__proxy *p);
/* Checks the value of a control that names a proxy. key is the control, for the message of a failure, which shows nothing of
 * the value. is_pre: it takes SOCKS proxies only. Sets *kept to "shown NUL value NUL": shown is what may be read, without
 * user and password.
 * Returns CW_OK, CW_INVALID_ARGUMENT or CW_NO_MEMORY. Owns: the caller owns *kept. */
cw_status cw__proxy_keep(const char *key, bool is_pre, const char *value, char **kept);
/* Returns whether a list such as that of no_proxy contains a host and port. */
bool cw__proxy_is_excluded(const char *list, const char *host, unsigned port);
/* ---- From cookie.c: the lines of a cookie file ---------------------------------------------------------- */

enum { CW__COOKIE_AT_MOST = 4096 }; /* bytes of name and value (RFC 6265bis section 5.6) */

/* Reads the next cookie of a cookie file, as cw_cookie_next does, and does not skip a line that is no cookie.
 *   fault   set to what is wrong with the line, which follows "line 7 "; else NULL. It shows nothing of the line */
bool cw__cookie_read(const char *lines, size_t len_bytes, size_t *at_bytes, cw_cookie *out, const char **fault);
/* Writes the line of a cookie, without an end of line. Returns its whole length, as snprintf does. */
size_t cw__cookie_write(const cw_cookie *c, char *buffer, size_t size_bytes);
/* Returns NULL, or why a program cannot set this cookie, and what to do. The text shows nothing of the cookie. */
const char *cw__cookie_fault(const cw_cookie *c);
/* Returns whether the domain of a cookie lets this host have it. */
bool cw__cookie_is_for(const cw_cookie *c, const char *host);

/* ---- From certificate.c: the certificates of a TLS handshake ------------------------------------------- */

/* Finds a certificate in a server's Certificate message, which begins with the type and length of the message. Number 0
 * is the server's own. *der points into the message.
 * Returns false if the message has no such certificate, or is malformed before its end. */
bool cw__chain_find(const void *message, size_t len_bytes, size_t number, const uint8_t **der,
                    size_t *der_len_bytes);

/* The names of a certificate, in DER. They point into the certificate. */
typedef struct cw__certificate_names {
    const uint8_t *issuer, *subject;
    size_t issuer_bytes, subject_bytes;
} cw__certificate_names;

/* Returns false if the bytes are not a certificate. */
bool cw__certificate_read_names(const void *der, size_t der_len_bytes, cw__certificate_names *names);

/* ---- From ignorable.c: errors of the server's certificate that a program ignores ------------------------- */

/* Sets of cw_chain_result: error n is the bit 1 << n. */
enum {
    CW__IGNORABLE = 1 << CW_CHAIN_Untrusted | 1 << CW_CHAIN_IncompleteChain | 1 << CW_CHAIN_InvalidName,
    CW__CHAIN_RESULTS_BYTES = 256 /* room for the names of all errors */
};

/* Checks the name of an error that a program wants to ignore. key is the control, for the message of a failure.
 * Returns CW_OK or CW_INVALID_ARGUMENT. */
cw_status cw__ignorable_check(const char *key, const char *name, size_t len_bytes);
/* Returns the set that a list of names "a, b" stands for. It leaves out what cannot be ignored. */
unsigned cw__ignorable_read(const char *list);
/* Writes the names of a set, "a, b". buffer has CW__CHAIN_RESULTS_BYTES. */
void cw__ignorable_show(unsigned errors, char *buffer);
/* Returns the ends of a server's chain in PEM, which count as trusted if a program ignores Untrusted or IncompleteChain;
 * NULL if the chain has no such end, cannot be read, or there is no memory. Owns: the caller, until cw__free. */
char *cw__ignorable_ends(const void *chain, size_t chain_bytes, cw_chain_result error, size_t *len_bytes);

/* ---- From headers.c: request headers that a caller may set -------------------------------------------- */

/* Our limits, which are below libcurl's limits (docs/libcurl.md). Above its own limits libcurl drops a header
 * silently, or fails without a reason. */
enum {
    CW__HEADER_NAME_AT_MOST = 100,
    CW__HEADER_AT_MOST = 256 * 1024,       /* bytes of a value */
    CW__HEADERS_AT_MOST = 512 * 1024,      /* bytes of all headers that the caller sets */
    CW__PROTOCOLS_AT_MOST = 64 * 1024,     /* bytes of the list of subprotocols */
    CW__HEADER_CONTROL_AT_MOST = 16 * 1024 /* bytes of user_agent, and of origin */
};

/* Checks the name and value of a request header. Returns CW_OK or CW_INVALID_ARGUMENT. The error names the header and
 * does not show its value. */
cw_status cw__header_check(const char *name, size_t name_bytes, const char *value, size_t value_bytes);
/* Checks a control that is the value of a header. The value is not empty. Returns CW_OK or CW_INVALID_ARGUMENT. The error
 * names the control and does not show the value. */
cw_status cw__header_check_control(const char *key, const char *value, size_t value_bytes);
/* Checks a header for a proxy. Returns as cw__header_check. */
cw_status cw__header_check_for_proxy(const cw_header *header);
/* Returns NULL if a request may have several headers of that name, or what to do instead. */
const char *cw__header_repeat_fault(const char *name, size_t name_bytes);
/* Checks that a list "a, b" consists of tokens, each only once (RFC 6455 section 4.1). */
bool cw__header_check_protocols(const char *list);

/* ---- From tls_texts.c: the controls of TLS ------------------------------------------------------------------- */

/* The bytes of a control; len_bytes is 0 if it is unset. They belong to the settings, and stay until the connection ends. */
typedef struct cw__data {
    void *data;
    size_t len_bytes;
} cw__data;

/* The texts are NULL or empty if the control is unset. They belong to the settings. */
typedef struct cw__tls_options {
    cw__data ca; /* ca_data */
    const char *pinned_public_key, *ciphers, *ciphers13, *groups, *server_name;
    bool is_13_least, is_12_most; /* tls_min_version is 1.3; tls_max_version is 1.2 */
    bool wants_status;            /* ocsp_stapling */
    bool resumes;                 /* tls_session_resumption */
} cw__tls_options;

/* Checks the form of a control that is text, whose key is the name for errors. It accepts every text for another control.
 * Returns CW_OK or a failure of the calling thread. */
cw_status cw__tls_text_check(cw_option option, const char *key, const char *text);
/* Returns why a version of TLS is not accepted, or NULL if a word names no old version. */
const char *cw__tls_version_fault(const char *word, size_t len_bytes);
/* Returns whether a text of pinned_public_key is a list of hashes; else it is the name of a file. */
bool cw__tls_is_pin_list(const char *text);
/* Reads the host of tls_server_name. Returns false if it is no host, or more than a host. */
bool cw__tls_read_host(const char *text, cw__authority *a);
/* ---- From trace.c: the lines of a trace, without secrets -------------------------------------------------- */

enum {
    CW__TRACE_PAYLOAD_MOST = 1024, /* bytes of a payload that a line shows at most */
    CW__TRACE_LINE_BYTES = 4 * CW__TRACE_PAYLOAD_MOST + 512
};

/* A line, without an end of line. It has only printable ASCII: each other byte is shown as \xNN. What does not fit is left
 * out. */
typedef struct cw__trace_line {
    size_t len_bytes;
    char text[CW__TRACE_LINE_BYTES];
} cw__trace_line;

/* Where a part of a request or a reply ended in the middle of a line. */
typedef struct cw__trace_heads {
    bool is_inside[2]; /* of a received line, of a sent line */
} cw__trace_heads;

/* A frame, and the first bytes of its payload. */
typedef struct cw__trace_frame {
    bool is_sent, is_final;
    uint8_t opcode, rsv;
    uint64_t payload_bytes; /* the length of the whole payload */
    const uint8_t *shown;   /* its first bytes */
    size_t shown_bytes;
} cw__trace_frame;

/* Append a text, and a frame. */
void cw__trace_add(cw__trace_line *line, const char *text);
void cw__trace_add_frame(cw__trace_line *line, const cw__trace_frame *frame);
/* Append a text of any bytes that may hold URIs. Their user names, passwords, queries and fragments are masked. */
void cw__trace_add_masked(cw__trace_line *line, const char *text, size_t len_bytes);
/* Takes the next line from a part of a request or reply, which *text points to, and appends it. Values that are secret are
 * masked. names are those of further headers whose values are secret, joined by ", ".
 * Returns false, and appends nothing, if there is none that can be shown. */
bool cw__trace_add_head(cw__trace_line *line, cw__trace_heads *heads, bool is_sent, const char *names,
                        const char **text, size_t *len_bytes);
/* Appends a text of libcurl's.
 * Returns false, and appends nothing, if the text is not known to be free of secrets. */
bool cw__trace_add_words(cw__trace_line *line, const char *text, size_t len_bytes);

CW__PRIVATE_END

#endif

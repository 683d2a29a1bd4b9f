/* SPDX-License-Identifier: MIT */
/* curlwire: WebSocket clients for scripting runtimes. This is the only header that a binding includes.
 *
 * A cw_socket is one WebSocket connection (RFC 6455). libcurl makes the connection. One service thread per process does
 * the I/O, the timers, the pongs and the closing handshake of every socket; it never runs the caller's code. Messages
 * wait in the socket until the caller takes them. The caller either blocks in cw_socket_receive or cw_socket_read, or
 * uses a cw_mailbox: it gathers the events of many sockets behind one descriptor for an event loop.
 *
 * Lifetime
 *   1. If a create call succeeds, the caller must release the object once. If it fails, there is nothing to release.
 *   2. Release is legal on any thread, in any state, and inside a handler. A socket that is released while it is open
 *      first sends its queued data, then an empty close frame. The service thread finishes that handshake.
 *   3. The last release frees the memory. The caller must keep its reference until a call returns. Calls that wait hold a
 *      reference of their own, so another thread may release the socket while they wait.
 *   4. An event belongs to the caller that took it, until cw_event_free. It may outlive its socket.
 *   5. A pointer that an event call returns is valid as long as the event.
 *   6. A socket that was open gets exactly one closed event. A failed connect gets none.
 *
 * Names
 *   ..._start   only starts something, and returns at once. The service thread does the work. A call with _wait_ in its
 *               name waits for the end
 *   ..._begin   opens something that the caller must close by the call of the same name with ..._end
 *   ..._try_... never waits
 *
 * Texts and bytes
 *   Every text that a caller passes is a pointer and a length in bytes (..._len_bytes), and needs no NUL at its end. A text
 *   is UTF-8. A NUL inside is CW_INVALID_ARGUMENT, and the message names the argument. Only messages and the reason of a
 *   close frame may contain NUL, which RFC 6455 allows there.
 *   A text that a call returns has a length too, if the server, the caller or the machine has a part in it. The call fills
 *   the caller's buffer of size_bytes, or points into an event. A const char * without a length is a text of curlwire
 *   itself: a name, a key or an error message, with a NUL at its end and none inside.
 *   A pointer to nothing is NULL with the length 0.
 *
 * Threads
 *   Any thread may make any call, unless the comment of the call says otherwise. No call holds a lock while it waits. A
 *   call that fails produces no event.
 *   A call that takes the socket's lock may wait for another thread that holds it, for example the service thread. That
 *   takes at most 20 ms: one step of a TLS handshake. cw_socket_try_receive never waits for the lock.
 *
 * Errors
 *   A failed call stores its details in the calling thread: see cw_error_message. It also clears its results: pointers
 *   become NULL, numbers and lengths 0, a text in a buffer "". There are two exceptions: sent_count keeps its count, and
 *   `received` keeps the length of a message that did not fit.
 *
 * After fork() the child cannot use sockets of the parent (CW_AFTER_FORK). Sockets that the child creates work. */
#ifndef CURLWIRE_H
#define CURLWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CW_VERSION "0.1.0"

/* CW_EMBEDDED: the core is compiled into another library, which must not export its functions. */
#if defined(__GNUC__) && defined(CW_EMBEDDED)
#define CW_API __attribute__((visibility("hidden")))
#elif defined(__GNUC__)
#define CW_API __attribute__((visibility("default")))
#else
#define CW_API
#endif

typedef struct cw_socket cw_socket;
typedef struct cw_mailbox cw_mailbox;
typedef struct cw_event cw_event;
struct cw_header;

/* ---- Status ------------------------------------------------------------------------------------------- */

/* The results of calls: name, value, and the text of cw_status_text. 0 is success; failures are negative. */
#define CW_STATUS_LIST(X)                                                                \
    X(CW_OK, 0, "done")                                                                  \
    /* the call did not finish in time or was interrupted; the connection still works */ \
    X(CW_WOULD_BLOCK, -1, "the call would have to wait")                                 \
    X(CW_TIMED_OUT, -2, "the call waited as long as it may")                             \
    X(CW_INTERRUPTED, -3, "the call was interrupted while it waited")                    \
    X(CW_QUESTION, -4, "the server's certificate waits for an answer")                   \
    /* the call is wrong; nothing was done */                                            \
    X(CW_INVALID_ARGUMENT, -10, "an argument cannot be used")                            \
    X(CW_INVALID_STATE, -11, "the call is not allowed in this state")                    \
    X(CW_AFTER_FORK, -12, "the socket belongs to the parent process")                    \
    /* there is no connection, or it has ended */                                        \
    X(CW_CONNECT_FAILED, -20, "the connect failed")                                      \
    X(CW_CLOSED, -21, "the connection is closed")                                        \
    /* the machine lacks a resource */                                                   \
    X(CW_NO_MEMORY, -30, "memory ran out")                                               \
    X(CW_SYSTEM_ERROR, -31, "the system refused a resource")                             \
    X(CW_UNSUPPORTED, -32, "the loaded libcurl cannot do this")

typedef enum cw_status {
#define CW_X(name, value, text) name = (value),
    CW_STATUS_LIST(CW_X)
#undef CW_X
} cw_status;

/* Why a connection failed. Names and numbers are the same as in UWP's WebErrorStatus (Universal Windows Platform). From
 * 300 on, the number is the HTTP status. */
#define CW_WEB_STATUS_LIST(X)              \
    X(Unknown, 0)                          \
    X(CertificateCommonNameIsIncorrect, 1) \
    X(CertificateExpired, 2)               \
    X(CertificateContainsErrors, 3)        \
    X(CertificateRevoked, 4)               \
    X(CertificateIsInvalid, 5)             \
    X(ServerUnreachable, 6)                \
    X(Timeout, 7)                          \
    X(ErrorHttpInvalidServerResponse, 8)   \
    X(ConnectionAborted, 9)                \
    X(ConnectionReset, 10)                 \
    X(Disconnected, 11)                    \
    X(HttpToHttpsOnRedirection, 12)        \
    X(HttpsToHttpOnRedirection, 13)        \
    X(CannotConnect, 14)                   \
    X(HostNameNotResolved, 15)             \
    X(OperationCanceled, 16)               \
    X(RedirectFailed, 17)                  \
    X(UnexpectedStatusCode, 18)            \
    X(UnexpectedRedirection, 19)           \
    X(UnexpectedClientError, 20)           \
    X(UnexpectedServerError, 21)           \
    X(InsufficientRangeSupport, 22)        \
    X(MissingContentLengthSupport, 23)     \
    X(MultipleChoices, 300)                \
    X(MovedPermanently, 301)               \
    X(Found, 302)                          \
    X(SeeOther, 303)                       \
    X(NotModified, 304)                    \
    X(UseProxy, 305)                       \
    X(TemporaryRedirect, 307)              \
    X(BadRequest, 400)                     \
    X(Unauthorized, 401)                   \
    X(PaymentRequired, 402)                \
    X(Forbidden, 403)                      \
    X(NotFound, 404)                       \
    X(MethodNotAllowed, 405)               \
    X(NotAcceptable, 406)                  \
    X(ProxyAuthenticationRequired, 407)    \
    X(RequestTimeout, 408)                 \
    X(Conflict, 409)                       \
    X(Gone, 410)                           \
    X(LengthRequired, 411)                 \
    X(PreconditionFailed, 412)             \
    X(RequestEntityTooLarge, 413)          \
    X(RequestUriTooLong, 414)              \
    X(UnsupportedMediaType, 415)           \
    X(RequestedRangeNotSatisfiable, 416)   \
    X(ExpectationFailed, 417)              \
    X(InternalServerError, 500)            \
    X(NotImplemented, 501)                 \
    X(BadGateway, 502)                     \
    X(ServiceUnavailable, 503)             \
    X(GatewayTimeout, 504)                 \
    X(HttpVersionNotSupported, 505)

typedef enum cw_web_status {
#define CW_X(name, value) CW_WEB_##name = (value),
    CW_WEB_STATUS_LIST(CW_X)
#undef CW_X
} cw_web_status;

/* What is wrong with a server's certificate. Names and numbers are the same as in UWP's ChainValidationResult. */
#define CW_CHAIN_RESULT_LIST(X)             \
    X(Success, 0)                           \
    X(Untrusted, 1)                         \
    X(Revoked, 2)                           \
    X(Expired, 3) /* or not valid yet */    \
    X(IncompleteChain, 4)                   \
    X(InvalidSignature, 5)                  \
    X(WrongUsage, 6)                        \
    X(InvalidName, 7)                       \
    X(InvalidCertificateAuthorityPolicy, 8) \
    X(BasicConstraintsError, 9)             \
    X(UnknownCriticalExtension, 10)         \
    X(RevocationInformationMissing, 11)     \
    X(RevocationFailure, 12)                \
    X(OtherErrors, 13)

typedef enum cw_chain_result {
#define CW_X(name, value) CW_CHAIN_##name = (value),
    CW_CHAIN_RESULT_LIST(CW_X)
#undef CW_X
} cw_chain_result;

/* Returns the ChainValidationResult name of a number ("Expired").
 * Returns  a constant string; NULL if no result has that number
 * Thread   any */
CW_API const char *cw_chain_result_name(int chain_result);

/* Returns the name of a status ("CW_TIMED_OUT"), or its text ("the call waited as long as it may").
 * Returns  a constant string; "?" if no status has that number
 * Thread   any */
CW_API const char *cw_status_name(cw_status status);
CW_API const char *cw_status_text(cw_status status);

/* Returns the WebErrorStatus name of a number ("CannotConnect").
 * Returns  a constant string; NULL if no status has that number
 * Thread   any */
CW_API const char *cw_web_status_name(int web_status);

#define CW_OPTION_NONE (-1) /* CW_OPTION_COUNT would not do: it grows with each version */

/* Return the details of the last failed call in this thread. A successful call does not change them.
 *   message       one line: what happened and what to do
 *   web_status    the cw_web_status; 0 = unknown
 *   curl_code     libcurl's CURLcode; 0 = none
 *   http_status   the HTTP status with which the server or a proxy refused the connection; 0 = none
 *   os_errno      errno of the failed system call; 0 = none
 *   option        the cw_option whose limit ended the call (receive_timeout, ping_timeout, max_message_size, max_fragments,
 *                 max_redirs), that decides what was refused (follow_location), or that a failure of TLS or on the way to the
 *                 server is about (pinned_public_key, client_key, interface, doh_url, ...); CW_OPTION_NONE = none. A binding
 *                 adds how to raise a limit in its language. CW_OPT_CA_FILE: no certificates of authorities were found;
 *                 cw_set_last_authorities can name some
 *   retry_after   the seconds after which the server or proxy that refused wants the next attempt (Retry-After,
 *                 RFC 9110 section 10.2.3); 0 = at once; -1 = it named none. A date counts from the reply's own Date
 * Returns  the value. The message is valid until the next failed call in this thread
 * Thread   any; each thread has its own details */
CW_API const char *cw_error_message(void);
CW_API int cw_error_web_status(void);
CW_API int cw_error_curl_code(void);
CW_API int cw_error_http_status(void);
CW_API int cw_error_os_errno(void);
CW_API int cw_error_option(void);
CW_API int cw_error_retry_after(void);

/* ---- Waiting ------------------------------------------------------------------------------------------ */

/* Timeouts are in milliseconds. 0 does not wait. Two values have names. */
#define CW_TIMEOUT_DEFAULT (-1) /* use the time that a control sets, such as receive_timeout */
#define CW_TIMEOUT_NEVER   (-2) /* wait without a limit */

/* Converts seconds (0 or more) to milliseconds. It rounds up, so that a short time does not become 0.
 * Returns  milliseconds, at most INT_MAX
 * Thread   any */
CW_API int cw_ms_of_seconds(double seconds);

/* A waiting call calls this hook in its own thread, every 50 ms and after each signal. No lock is held during the hook.
 * Returns  true to end the wait with CW_INTERRUPTED */
typedef bool (*cw_wait_hook)(void *arg);

/* Sets the hook of the calling thread; NULL removes it. A runtime uses the hook to react to Ctrl-C during a wait.
 * Thread   any; it sets the hook of the calling thread only */
CW_API void cw_set_wait_hook(cw_wait_hook hook, void *arg);

/* ---- Socket ------------------------------------------------------------------------------------------- */

typedef enum cw_class {
    CW_MESSAGE_SOCKET = 0, /* MessageWebSocket: whole messages */
    CW_STREAM_SOCKET = 1   /* StreamWebSocket: a stream of bytes in constant memory */
} cw_class;

/* The type of a message. The values are the same as in UWP's SocketMessageType. */
typedef enum cw_message_type { CW_BINARY = 0, CW_UTF8 = 1 } cw_message_type;

/* The extension to offer: permessage-deflate (RFC 7692) or none. */
typedef enum cw_compression { CW_COMPRESSION_NONE = 0, CW_COMPRESSION_DEFLATE = 1 } cw_compression;

/* Whether a message is sent compressed, if the server has accepted compression. By default, compression_threshold
 * decides. */
typedef enum cw_compress { CW_COMPRESS_DEFAULT = 0, CW_COMPRESS_NEVER = 1, CW_COMPRESS_ALWAYS = 2 } cw_compress;

/* Which code makes frames: libcurl (curl) or curlwire (native). Auto uses native where libcurl allows it. */
typedef enum cw_framing { CW_FRAMING_AUTO = 0, CW_FRAMING_CURL = 1, CW_FRAMING_NATIVE = 2 } cw_framing;

/* The form of the file client_certificate, or proxy_client_certificate. */
typedef enum cw_client_certificate_type {
    CW_CLIENT_CERTIFICATE_PEM = 0,
    CW_CLIENT_CERTIFICATE_P12 = 1 /* PKCS#12 */
} cw_client_certificate_type;

/* Which redirects are followed. */
typedef enum cw_follow {
    CW_FOLLOW_NONE = 0, /* none: a redirect is an error */
    CW_FOLLOW_ALL = 1,  /* all but those from wss to ws */
    CW_FOLLOW_SAFE = 2  /* also none to an address that is less public than the server's that redirects */
} cw_follow;

/* How the server learns who the user is (RFC 7617, RFC 7616, RFC 4559). */
typedef enum cw_http_auth {
    CW_HTTP_AUTH_BASIC = 0,     /* user name and password, with the first request */
    CW_HTTP_AUTH_DIGEST = 1,    /* a digest of them, in answer to a challenge */
    CW_HTTP_AUTH_NEGOTIATE = 2, /* Kerberos, with a ticket of this machine's user */
    CW_HTTP_AUTH_ANY = 3,       /* Digest, else Basic (but not over ws to another machine), else Negotiate */
    CW_HTTP_AUTH_NTLM = 4       /* refused: it cannot work */
} cw_http_auth;

/* What keeps a connection alive that the program does not use (RFC 6455 sections 5.5.2, 5.5.3). */
typedef enum cw_keepalive {
    CW_KEEPALIVE_IDLE = 0, /* a ping after ping_interval without data and pings */
    CW_KEEPALIVE_PING = 1, /* a ping every ping_interval, also while data arrives */
    /* an unsolicited pong every desired_unsolicited_pong_interval, or if that is 0, every ping_interval. Nothing answers it, so
     * it finds no dead connection */
    CW_KEEPALIVE_PONG = 2,
    CW_KEEPALIVE_OFF = 3 /* neither pings nor unsolicited pongs, whatever the intervals are */
} cw_keepalive;

/* A version of TLS: the numbers of tls_min_version and tls_max_version. */
typedef enum cw_tls_version { CW_TLS_1_2 = 0, CW_TLS_1_3 = 1 } cw_tls_version;

/* Whether receive returns whole messages or parts. The values are the same as in UWP's MessageWebSocketReceiveMode. */
typedef enum cw_receive_mode { CW_FULL_MESSAGE = 0, CW_PARTIAL_MESSAGE = 1 } cw_receive_mode;

#define CW_STATE_LIST(X)                                                                               \
    X(CW_STATE_NEW, 0, "new") /* before a connect, and after a failed connect, which may be retried */ \
    X(CW_STATE_CONNECTING, 1, "connecting")                                                            \
    X(CW_STATE_OPEN, 2, "open")                                                                        \
    X(CW_STATE_CLOSING, 3, "closing") /* a close frame was sent or received */                         \
    X(CW_STATE_CLOSED, 4, "closed")

typedef enum cw_state {
#define CW_X(name, value, text) name = (value),
    CW_STATE_LIST(CW_X)
#undef CW_X
} cw_state;

/* Creates a socket in state new, with every control at its default.
 * Returns  CW_OK, CW_NO_MEMORY
 * Thread   any
 * Owns     the caller must release *out once, by cw_socket_release */
CW_API cw_status cw_socket_create(cw_class socket_class, cw_socket **out);

/* Adds a reference to a socket (retain), or drops one (release). Rule 2 above says what the last release does.
 * Both ignore NULL.
 * Thread   any */
CW_API void cw_socket_retain(cw_socket *s);
CW_API void cw_socket_release(cw_socket *s);

/* Return the class of a socket, its state, and the word for a state ("open").
 * Thread   any; another thread may change the state before the caller looks at it */
CW_API cw_class cw_socket_class(const cw_socket *s);
CW_API cw_state cw_socket_state(const cw_socket *s);
CW_API const char *cw_state_text(cw_state state);

/* Stores a pointer of the binding in the socket, and returns it. The binding uses it to find its object from an event.
 * Thread   any; the binding must order its own calls
 * Owns     nothing: the core never reads what the pointer points to */
CW_API void cw_socket_set_user(cw_socket *s, void *user);
CW_API void *cw_socket_user(const cw_socket *s);

/* ---- Control ------------------------------------------------------------------------------------------ */

typedef enum cw_option_type {
    CW_TYPE_BOOL,       /* number 0 or 1 */
    CW_TYPE_COUNT,      /* number of bytes; -1 = no limit, if the range allows it */
    CW_TYPE_BITS,       /* number of bits */
    CW_TYPE_MS,         /* number of milliseconds; -1 = no limit (a binding shows seconds and none) */
    CW_TYPE_ENUM,       /* number; cw_option_words has its words */
    CW_TYPE_TEXT,       /* UTF-8 text; empty = unset */
    CW_TYPE_LIST,       /* tokens joined by ", " */
    CW_TYPE_BYTES,      /* any bytes; empty = unset */
    CW_TYPE_NUMBER,     /* number of things; -1 = no limit, if the range allows it */
    CW_TYPE_CREDENTIAL, /* user name and password; it is read as the text of the user name, empty = unset */
    CW_TYPE_SECRET,     /* UTF-8 text; it is read as "(set)", or empty = unset */
    CW_TYPE_PROXY,      /* URI of a proxy, or a word of cw_option_words; read without user name and password */
    CW_TYPE_HEADERS,    /* headers; it is read as their names, joined by ", " */
    CW_TYPE_SECRET_BYTES, /* any bytes; they are read as "(set)", or empty = unset */
    CW_TYPE_TEXTS,        /* UTF-8 texts, joined by "\n" */
    CW_TYPE_PAIRS /* texts "NAME=value", joined by "\n"; cw_curl_option_is_number tells the type of a value */
} cw_option_type;

/* The table of controls. The core's settings come from this table. So do the attributes of the bindings with their texts
 * and types, and the table of docs/controls.md. scripts/controls.py writes or compares them. The columns:
 *   name, key   the name in C, and the name everywhere else
 *   type        of the value
 *   default, least, most   of a number; for CW_TYPE_BYTES, CW_TYPE_SECRET_BYTES and CW_TYPE_CREDENTIAL, most is the
 *               largest size in bytes
 *   for         BOTH classes, or sockets of the class MESSAGE
 *   words       of a CW_TYPE_ENUM: word i stands for number i. Of a CW_TYPE_LIST: its only items; NULL = any token. Of a
 *               CW_TYPE_PROXY: the word for no proxy; NULL = none, and it takes SOCKS proxies only
 *   none        the meaning of -1; NULL = -1 is refused
 *   since       the first libcurl that supports it; NULL = 8.14.1, the oldest libcurl that curlwire accepts
 *   text        one line. The scripts add unit, default and none
 * After a connect has begun, only message_type can be set. The environment variable CURLWIRE_FRAMING changes the
 * default of framing. */
/* clang-format off */
#define CW_OPTION_LIST(X) \
    X(CW_OPT_MESSAGE_TYPE, "message_type", CW_TYPE_ENUM, 0, 0, 1, MESSAGE, CW_WORDS("binary", "utf8"), NULL, NULL, \
      "Type of the messages that output_stream and the frame calls send; may be set at any time") \
    X(CW_OPT_RECEIVE_MODE, "receive_mode", CW_TYPE_ENUM, 0, 0, 1, MESSAGE, CW_WORDS("full", "partial"), NULL, NULL, \
      "full: whole messages; partial: parts of messages, as they arrive") \
    X(CW_OPT_MAX_MESSAGE_SIZE, "max_message_size", CW_TYPE_COUNT, 67108864, 0, INT64_MAX, MESSAGE, NULL, "no limit", NULL, \
      "In full mode, a larger message fails the connection with close code 1009") \
    X(CW_OPT_SUPPORTED_PROTOCOLS, "supported_protocols", CW_TYPE_LIST, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Subprotocols to offer to the server, in order of preference") \
    X(CW_OPT_NO_DELAY, "no_delay", CW_TYPE_BOOL, 1, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether small writes are sent at once (TCP_NODELAY)") \
    X(CW_OPT_CONNECT_TIMEOUT, "connect_timeout", CW_TYPE_MS, 60000, 0, INT32_MAX, BOTH, NULL, "no limit", NULL, \
      "Limit for all of connecting: name look-up, every address, proxy, TLS, opening handshake") \
    X(CW_OPT_SEND_TIMEOUT, "send_timeout", CW_TYPE_MS, 30000, 0, INT32_MAX, BOTH, NULL, "no limit", NULL, \
      "How long a send may wait while the connection takes no byte") \
    X(CW_OPT_RECEIVE_TIMEOUT, "receive_timeout", CW_TYPE_MS, 30000, 0, INT32_MAX, BOTH, NULL, "no limit", NULL, \
      "Limit for a blocking receive or read; iterating and handlers wait without a limit") \
    X(CW_OPT_CLOSE_TIMEOUT, "close_timeout", CW_TYPE_MS, 10000, 0, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "Limit for the closing handshake; it starts when the server's system has received all data") \
    X(CW_OPT_PING_INTERVAL, "ping_interval", CW_TYPE_MS, 20000, 0, INT32_MAX, BOTH, NULL, "no pings", NULL, \
      "A keepalive ping is sent this long after the last ping or the last data; 0: no pings") \
    X(CW_OPT_PING_TIMEOUT, "ping_timeout", CW_TYPE_MS, 20000, 0, INT32_MAX, BOTH, NULL, "no limit", NULL, \
      "If nothing arrives for this long after a keepalive ping, the connection counts as lost") \
    X(CW_OPT_CA_FILE, "ca_file", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "PEM file of trusted certificates, used instead of the system's") \
    X(CW_OPT_CRL_FILE, "crl_file", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "PEM file of revocation lists, one for each authority in the server's certificate chain") \
    X(CW_OPT_VERIFY, "verify", CW_TYPE_BOOL, 1, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether the server's certificate and name are checked; false also ignores ca_file, ca_path and crl_file") \
    X(CW_OPT_PROXY_CA_FILE, "proxy_ca_file", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "PEM file of trusted certificates for an https:// proxy; unset: the server's authorities") \
    X(CW_OPT_PROXY_VERIFY, "proxy_verify", CW_TYPE_BOOL, 1, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether the certificate and name of an https:// proxy are checked, whatever verify says") \
    X(CW_OPT_OUTBOUND_BUFFER_SIZE, "outbound_buffer_size", CW_TYPE_COUNT, 0, 0, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "The kernel's send buffer (SO_SNDBUF), which the system may round; 0: the system adapts it") \
    X(CW_OPT_INBOUND_BUFFER_SIZE, "inbound_buffer_size", CW_TYPE_COUNT, 4194304, 1024, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "How much received data may wait in memory; above it reading stops, and TCP makes the server wait") \
    X(CW_OPT_FRAMING, "framing", CW_TYPE_ENUM, 0, 0, 2, BOTH, CW_WORDS("auto", "curl", "native"), NULL, NULL, \
      "Which code makes frames: libcurl (curl) or our faster code (native); auto: native, where libcurl allows it") \
    X(CW_OPT_COMPRESSION, "compression", CW_TYPE_ENUM, 0, 0, 1, BOTH, CW_WORDS("none", "deflate"), NULL, "8.21.0", \
      "deflate: offers to compress messages in both directions (RFC 7692); the server decides") \
    X(CW_OPT_SERVER_MAX_WINDOW_BITS, "server_max_window_bits", CW_TYPE_BITS, 15, 8, 15, BOTH, NULL, NULL, NULL, \
      "Window of the server's compressor, 2^n bytes; a smaller one saves memory and compresses less") \
    X(CW_OPT_CLIENT_MAX_WINDOW_BITS, "client_max_window_bits", CW_TYPE_BITS, 15, 8, 15, BOTH, NULL, NULL, NULL, \
      "Window of our compressor, 2^n bytes; a smaller one saves memory and compresses less") \
    X(CW_OPT_SERVER_NO_CONTEXT_TAKEOVER, "server_no_context_takeover", CW_TYPE_BOOL, 0, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether the server must compress each message without reference to earlier messages") \
    X(CW_OPT_CLIENT_NO_CONTEXT_TAKEOVER, "client_no_context_takeover", CW_TYPE_BOOL, 0, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether curlwire compresses each message without reference to earlier messages") \
    X(CW_OPT_COMPRESSION_THRESHOLD, "compression_threshold", CW_TYPE_COUNT, 128, 0, INT64_MAX, BOTH, NULL, NULL, NULL, \
      "Messages of fewer bytes are sent uncompressed") \
    X(CW_OPT_FRAME_SIZE, "frame_size", CW_TYPE_COUNT, 67108864, 1, INT64_MAX, BOTH, NULL, "no cuts", NULL, \
      "A longer message is sent in frames of this size; a pong waits until the current frame is sent") \
    X(CW_OPT_CA_PATH, "ca_path", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Folder of trusted certificates that `openssl rehash` has prepared, used instead of the system's") \
    X(CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL, "desired_unsolicited_pong_interval", CW_TYPE_MS, 0, 0, INT32_MAX, BOTH, \
      NULL, "no pongs", NULL, \
      "A pong that no ping asked for is sent this often, when no data is arriving; 0: no such pongs") \
    X(CW_OPT_MAX_FRAGMENTS, "max_fragments", CW_TYPE_NUMBER, 131072, 1, INT64_MAX, MESSAGE, NULL, "no limit", NULL, \
      "In full mode, a message in more fragments fails the connection with close code 1008") \
    X(CW_OPT_PING_PAYLOAD, "ping_payload", CW_TYPE_BYTES, 0, 0, 125, BOTH, NULL, NULL, NULL, \
      "What pings carry; unset: a number of eight bytes, which shows the ping that a pong answers") \
    X(CW_OPT_SERVER_CREDENTIAL, "server_credential", CW_TYPE_CREDENTIAL, 0, 0, 65536, BOTH, NULL, NULL, NULL, \
      "User name and password for the server (Basic authentication), in place of those in the URI") \
    X(CW_OPT_PROXY_CREDENTIAL, "proxy_credential", CW_TYPE_CREDENTIAL, 0, 0, 65536, BOTH, NULL, NULL, NULL, \
      "User name and password for the proxy, in place of those in the environment variable") \
    X(CW_OPT_CLIENT_CERTIFICATE, "client_certificate", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "PEM file of the certificate that a server may ask for, and its chain; or a PKCS#12 file") \
    X(CW_OPT_CLIENT_KEY, "client_key", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "PEM file of the key of client_certificate; unset: the key is in client_certificate") \
    X(CW_OPT_CLIENT_KEY_PASSWORD, "client_key_password", CW_TYPE_SECRET, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Password of that key, or of the PKCS#12 file") \
    X(CW_OPT_CLIENT_CERTIFICATE_TYPE, "client_certificate_type", CW_TYPE_ENUM, 0, 0, 1, BOTH, CW_WORDS("pem", "p12"), \
      NULL, NULL, "Form of client_certificate; p12: PKCS#12") \
    X(CW_OPT_IGNORABLE_SERVER_CERTIFICATE_ERRORS, "ignorable_server_certificate_errors", CW_TYPE_LIST, 0, 0, 0, BOTH, \
      CW_WORDS("Untrusted", "IncompleteChain", "InvalidName"), NULL, NULL, \
      "Errors of the server's certificate that do not end the connect; every other check is still made") \
    X(CW_OPT_FOLLOW_LOCATION, "follow_location", CW_TYPE_ENUM, 0, 0, 2, BOTH, CW_WORDS("none", "all", "safe"), NULL, NULL, \
      "Which redirects are followed, never from wss to ws; safe: none to an address that is less public") \
    X(CW_OPT_MAX_REDIRS, "max_redirs", CW_TYPE_NUMBER, 10, 0, 50, BOTH, NULL, NULL, NULL, \
      "How many redirects a connect follows, one after another") \
    X(CW_OPT_HTTP_AUTH, "http_auth", CW_TYPE_ENUM, 0, 0, 4, BOTH, CW_WORDS("basic", "digest", "negotiate", "any", "ntlm"), \
      NULL, NULL, "How the user name and password prove who the user is; basic: sent with the first request; ntlm: an error") \
    X(CW_OPT_XOAUTH2_BEARER, "xoauth2_bearer", CW_TYPE_SECRET, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Access token for the server (Bearer authentication), in place of a user name and password") \
    X(CW_OPT_NETRC_FILE, "netrc_file", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "File of passwords by host (.netrc), for a URI and controls without a password") \
    X(CW_OPT_USER_AGENT, "user_agent", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Header User-Agent; unset: the names and versions of curlwire and libcurl") \
    X(CW_OPT_ORIGIN, "origin", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Header Origin; unset: none is sent") \
    X(CW_OPT_PROXY, "proxy", CW_TYPE_PROXY, 0, 0, 0, BOTH, CW_WORDS("direct"), NULL, NULL, \
      "URI of the proxy for every host; unset: the environment names the proxy, and the hosts that need none") \
    X(CW_OPT_PRE_PROXY, "pre_proxy", CW_TYPE_PROXY, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "URI of a SOCKS proxy in front of an http:// or https:// proxy") \
    X(CW_OPT_PROXY_HEADERS, "proxy_headers", CW_TYPE_HEADERS, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Headers for an http:// or https:// proxy, which never gets the headers for the server") \
    X(CW_OPT_PROXY_AUTH, "proxy_auth", CW_TYPE_LIST, 0, 0, 0, BOTH, CW_WORDS("basic", "digest", "negotiate", "ntlm"), NULL, \
      NULL, "Logins for an http:// or https:// proxy, of which it chooses one; unset: basic") \
    X(CW_OPT_CA_DATA, "ca_data", CW_TYPE_BYTES, 0, 0, 4194304, BOTH, NULL, NULL, NULL, \
      "Trusted certificates as PEM, in place of ca_file") \
    X(CW_OPT_PINNED_PUBLIC_KEY, "pinned_public_key", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "The server's public key: 'sha256//' and its hash in base64, several joined by ';', or a PEM or DER file") \
    X(CW_OPT_TLS_MIN_VERSION, "tls_min_version", CW_TYPE_ENUM, 0, 0, 1, BOTH, CW_WORDS("1.2", "1.3"), NULL, NULL, \
      "Oldest version of TLS that the server may use") \
    X(CW_OPT_TLS_MAX_VERSION, "tls_max_version", CW_TYPE_ENUM, 1, 0, 1, BOTH, CW_WORDS("1.2", "1.3"), NULL, NULL, \
      "Newest version of TLS that the server may use") \
    X(CW_OPT_TLS_CIPHERS, "tls_ciphers", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Ciphers for TLS 1.2, in the form of the TLS library; OpenSSL: names with ':' between them") \
    X(CW_OPT_TLS13_CIPHERS, "tls13_ciphers", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Ciphers for TLS 1.3, names with ':' between them") \
    X(CW_OPT_TLS_GROUPS, "tls_groups", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Groups (curves) for the key exchange, names with ':' between them") \
    X(CW_OPT_CLIENT_CERTIFICATE_DATA, "client_certificate_data", CW_TYPE_SECRET_BYTES, 0, 0, 1048576, BOTH, NULL, NULL, \
      NULL, "What the file client_certificate would have, in place of it") \
    X(CW_OPT_CLIENT_KEY_DATA, "client_key_data", CW_TYPE_SECRET_BYTES, 0, 0, 1048576, BOTH, NULL, NULL, NULL, \
      "What the file client_key would have, in place of it") \
    X(CW_OPT_TLS_SERVER_NAME, "tls_server_name", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Host name that TLS asks for (SNI) and that the certificate must list; unset: the host of the URI") \
    X(CW_OPT_OCSP_STAPLING, "ocsp_stapling", CW_TYPE_BOOL, 0, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether the server must show with its certificate that the certificate is not revoked") \
    X(CW_OPT_TLS_SESSION_RESUMPTION, "tls_session_resumption", CW_TYPE_BOOL, 0, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether a connect may resume a TLS session of an earlier connect, which has checked the certificate") \
    X(CW_OPT_UNIX_SOCKET_PATH, "unix_socket_path", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Path of the Unix socket to connect to, in place of the URI's host and port") \
    X(CW_OPT_ABSTRACT_UNIX_SOCKET, "abstract_unix_socket", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Name of the abstract Unix socket to connect to, without a NUL in front (Linux only)") \
    X(CW_OPT_INTERFACE, "interface", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Where the connection leaves: a network interface or a local address; also if!NAME, host!ADDRESS, ifhost!NAME!ADDRESS") \
    X(CW_OPT_LOCAL_PORT, "local_port", CW_TYPE_NUMBER, 0, 0, 65535, BOTH, NULL, NULL, NULL, \
      "Local port of the connection; 0: the system chooses one") \
    X(CW_OPT_LOCAL_PORT_RANGE, "local_port_range", CW_TYPE_NUMBER, 1, 1, 65535, BOTH, NULL, NULL, NULL, \
      "How many ports to try, from local_port upwards") \
    X(CW_OPT_RESOLVE, "resolve", CW_TYPE_TEXTS, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Addresses of hosts, in place of a name look-up: HOST:PORT:ADDRESS[,ADDRESS]") \
    X(CW_OPT_CONNECT_TO, "connect_to", CW_TYPE_TEXTS, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Where to connect in place of a host and port: HOST1:PORT1:HOST2:PORT2; an empty part means any, or no change") \
    X(CW_OPT_HAPPY_EYEBALLS_TIMEOUT, "happy_eyeballs_timeout", CW_TYPE_MS, 200, 0, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "How long one address of a host may be silent before the next is tried beside it") \
    X(CW_OPT_TCP_KEEPALIVE, "tcp_keepalive", CW_TYPE_BOOL, 0, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether the system sends TCP keepalive probes; pings of ping_interval need no TCP keepalive") \
    X(CW_OPT_TCP_KEEPIDLE, "tcp_keepidle", CW_TYPE_MS, 60000, 0, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "With tcp_keepalive: how long the connection is idle before the first probe, in whole seconds") \
    X(CW_OPT_TCP_KEEPINTVL, "tcp_keepintvl", CW_TYPE_MS, 60000, 0, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "With tcp_keepalive: time between two probes, in whole seconds") \
    X(CW_OPT_TCP_KEEPCNT, "tcp_keepcnt", CW_TYPE_NUMBER, 9, 1, 127, BOTH, NULL, NULL, NULL, \
      "With tcp_keepalive: after so many probes without an answer the connection counts as lost") \
    X(CW_OPT_TCP_USER_TIMEOUT, "tcp_user_timeout", CW_TYPE_MS, 0, 0, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "How long sent data may stay without acknowledgement before the connection counts as lost (Linux only); 0: the system's") \
    X(CW_OPT_DSCP, "dscp", CW_TYPE_NUMBER, 0, 0, 63, BOTH, NULL, NULL, NULL, \
      "Class of the packets for routers (RFC 2474), such as 46 for expedited forwarding; 0: none") \
    X(CW_OPT_DOH_URL, "doh_url", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "URL of a DNS-over-HTTPS server that looks the host up, in place of the system's resolver: https://host/path") \
    X(CW_OPT_CURL_OPTIONS, "curl_options", CW_TYPE_PAIRS, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Other options of libcurl, by name without CURLOPT_, from a list of options that are safe") \
    X(CW_OPT_TRACE_FILE, "trace_file", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "File that gets a trace of the connection: a line for each frame and header, with secrets masked") \
    X(CW_OPT_TRACE_PAYLOAD, "trace_payload", CW_TYPE_COUNT, 64, 0, 1024, BOTH, NULL, NULL, NULL, \
      "How much of a frame's payload a trace shows; 0: nothing") \
    X(CW_OPT_TRACE_SECRET_HEADERS, "trace_secret_headers", CW_TYPE_LIST, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Names of further headers whose values a trace masks") \
    X(CW_OPT_COOKIE_FILE, "cookie_file", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "File of cookies to send, in Netscape's form; it is only read") \
    X(CW_OPT_COOKIE_JAR, "cookie_jar", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "A CookieJar, which sockets may share, or a file of cookies that is read before and written after the handshake") \
    X(CW_OPT_PROXY_CLIENT_CERTIFICATE, "proxy_client_certificate", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "PEM file of the certificate that an https:// proxy may ask for, and its chain; or a PKCS#12 file") \
    X(CW_OPT_PROXY_CLIENT_KEY, "proxy_client_key", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "PEM file of the key of proxy_client_certificate; unset: the key is in proxy_client_certificate") \
    X(CW_OPT_PROXY_CLIENT_KEY_PASSWORD, "proxy_client_key_password", CW_TYPE_SECRET, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Password of that key, or of the PKCS#12 file") \
    X(CW_OPT_KEEPALIVE, "keepalive", CW_TYPE_ENUM, 0, 0, 3, BOTH, CW_WORDS("idle", "ping", "pong", "off"), NULL, NULL, \
      "idle: pings while no data arrives; ping: pings at every ping_interval; pong: unsolicited pongs instead; off: neither") \
    X(CW_OPT_SEND_HIGH_WATER_MARK, "send_high_water_mark", CW_TYPE_COUNT, 262144, 0, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "How much the socket queues for sends that do not wait; an empty queue takes one message of any size") \
    X(CW_OPT_SEND_LOW_WATER_MARK, "send_low_water_mark", CW_TYPE_COUNT, 131072, 0, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "on_writable is called when the queue has fallen to this size; at most half of send_high_water_mark counts") \
    X(CW_OPT_PROXY_CLIENT_CERTIFICATE_TYPE, "proxy_client_certificate_type", CW_TYPE_ENUM, 0, 0, 1, BOTH, \
      CW_WORDS("pem", "p12"), NULL, NULL, "Form of proxy_client_certificate; p12: PKCS#12") \
    X(CW_OPT_PROXY_CLIENT_CERTIFICATE_DATA, "proxy_client_certificate_data", CW_TYPE_SECRET_BYTES, 0, 0, 1048576, BOTH, \
      NULL, NULL, NULL, "What the file proxy_client_certificate would have, in place of it") \
    X(CW_OPT_PROXY_CLIENT_KEY_DATA, "proxy_client_key_data", CW_TYPE_SECRET_BYTES, 0, 0, 1048576, BOTH, NULL, NULL, NULL, \
      "What the file proxy_client_key would have, in place of it")
/* clang-format on */

typedef enum cw_option {
#define CW_X(name, ...) name,
    CW_OPTION_LIST(CW_X)
#undef CW_X
        CW_OPTION_COUNT
} cw_option;

/* Describe a control, so that a binding can offer all controls from one table.
 *   words   of a CW_TYPE_ENUM: a NULL-ended array in which word i stands for number i. Of a CW_TYPE_LIST: the only items
 *           that it takes, or NULL if it takes any token. Of a CW_TYPE_PROXY: the word for no proxy, or NULL. Else NULL
 *   applies whether sockets of that class have it (message_type, receive_mode, max_message_size, max_fragments: message only)
 *   default the value before it is set; 0 for text
 *   range   sets *least and *most, which leave out -1. For bytes and credentials they are sizes; for text both are 0
 *   none    the meaning of -1 ("no limit"), or NULL if -1 is refused
 *   since   the first version of libcurl that supports it ("8.21.0"), or NULL
 *   text    one line, without unit, default and none
 * Returns  constants
 * Thread   any */
CW_API const char *cw_option_key(cw_option option);
CW_API cw_option_type cw_option_type_of(cw_option option);
CW_API const char *const *cw_option_words(cw_option option);
CW_API bool cw_option_applies(cw_option option, cw_class socket_class);
CW_API int64_t cw_option_default(cw_option option);
CW_API void cw_option_range(cw_option option, int64_t *least, int64_t *most);
CW_API const char *cw_option_none(cw_option option);
CW_API const char *cw_option_since(cw_option option);
CW_API const char *cw_option_text(cw_option option);

/* Returns why a control that takes words does not take a word that users may expect ("TLS 1.0 and 1.1 are not secure").
 * A binding adds it to its error about a wrong word.
 * Returns  a constant string; NULL if there is no such reason
 * Thread   any */
CW_API const char *cw_option_word_fault(cw_option option, const char *word, size_t word_len_bytes);

/* Sets or reads a control that is a number (bool, count, bits, ms, enum, number).
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT: out of range, or the control is not a number. CW_INVALID_STATE: to set it after a connect
 *          has begun
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_set_number(cw_socket *s, cw_option option, int64_t value);
CW_API cw_status cw_socket_get_number(cw_socket *s, cw_option option, int64_t *value);

/* Sets a control that is text, a list, bytes or a proxy. A list is joined by commas; each item must be a token (RFC 6455
 * 4.1). Texts and pairs are joined by LF. An error about a proxy shows nothing of its value.
 *   value, len_bytes   UTF-8 without NUL, CR, LF; any bytes for CW_TYPE_BYTES
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT; CW_INVALID_STATE after a connect has begun; CW_NO_MEMORY
 * Thread   any; takes the socket's lock
 * Owns     the call copies value */
CW_API cw_status cw_socket_set_text(cw_socket *s, cw_option option, const void *value, size_t len_bytes);

/* Sets a control that is a user name and a password. No call reads the password.
 *   user       UTF-8 without control characters and without a colon; NULL = unset, else at least one byte
 *   password   UTF-8 without control characters; may be empty. With user it has at most 64 KiB
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT: the message shows nothing of user and password. CW_INVALID_STATE after a connect has
 *          begun; CW_NO_MEMORY
 * Thread   any; takes the socket's lock
 * Owns     the call copies user and password
 * Source   RFC 7617 section 2; UWP's ServerCredential and ProxyCredential */
CW_API cw_status cw_socket_set_credential(cw_socket *s, cw_option option, const char *user,
                                          size_t user_len_bytes, const char *password,
                                          size_t password_len_bytes);

/* Sets a control that is headers. No call reads the values.
 *   headers, count   each as for cw_socket_add_request_header, but not Host, Proxy-Authorization and Proxy-Connection. A name
 *                    may occur more than once. 0 = unset
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT: the message names the header and does not show its value; nothing was set. CW_INVALID_STATE
 *          after a connect has begun; CW_NO_MEMORY
 * Thread   any; takes the socket's lock
 * Owns     the call copies headers */
CW_API cw_status cw_socket_set_headers(cw_socket *s, cw_option option, const struct cw_header *headers,
                                       size_t count);

/* Reads how often the socket sends unsolicited pongs now, on an open connection, until writing fails or closing begins:
 * desired_unsolicited_pong_interval, or what keepalive makes of it.
 *   interval_ms   set to milliseconds; 0 = it sends none
 * Returns  CW_OK
 * Errors   CW_AFTER_FORK
 * Thread   any; takes the socket's lock
 * Source   RFC 6455 section 5.5.3; UWP's ActualUnsolicitedPongInterval */
CW_API cw_status cw_socket_get_actual_pong_interval(cw_socket *s, int64_t *interval_ms);

/* Returns whether the value of an option in curl_options is a whole number; else it is a text.
 *   name   of the option, such as "TCP_FASTOPEN". For a name that curl_options refuses, the result is false
 * Thread   any */
CW_API bool cw_curl_option_is_number(const char *name, size_t len_bytes);

/* Checks whether a text can be an item of a control that is a list. A binding whose language has lists checks each item
 * before it joins them by ", ". Items of texts and pairs are joined by "\n".
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT. The message does not show the item: some servers take a secret token as a subprotocol
 * Thread   any */
CW_API cw_status cw_option_check_item(cw_option option, const char *item, size_t len_bytes);

/* Copies a control that is text, a list or bytes, the user name of a credential, a proxy without user name and password, or
 * the names of headers. It fills the buffer as cw_socket_get_info does. A NUL follows bytes too.
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT: the control is a number
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_get_text(cw_socket *s, cw_option option, void *buffer, size_t size_bytes,
                                    size_t *len_bytes);

/* Sets a header of the opening handshake. It replaces all headers of that name; case does not matter. The headers are
 * sent in the order of the calls. They take precedence over the controls user_agent and origin.
 *   name    a token of at most 100 characters; not Upgrade, Connection, Sec-WebSocket-*, Content-Length,
 *           Transfer-Encoding, Proxy-Authorization, ...
 *   value   at most 256 KiB, and 512 KiB for all headers together; no control characters except tab. Blanks around it
 *           are not sent. An empty value removes the header, even User-Agent and Accept, which are sent by default
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT: the message names the header and does not show its value. CW_INVALID_STATE after a
 *          connect has begun; CW_NO_MEMORY
 * Thread   any; takes the socket's lock
 * Owns     the call copies name and value */
CW_API cw_status cw_socket_set_request_header(cw_socket *s, const char *name, size_t name_len_bytes,
                                              const char *value, size_t value_len_bytes);

/* Adds a header to the opening handshake and keeps other headers of the same name.
 *   name    as for cw_socket_set_request_header
 *   value   as for cw_socket_set_request_header, except that an empty value is sent as an empty header
 * Returns  CW_OK
 * Errors   as for cw_socket_set_request_header. The call also returns CW_INVALID_ARGUMENT for a second header of a name
 *          that a request may have only once: Host, Origin, Authorization, Cookie, User-Agent, ...
 * Thread   any; takes the socket's lock
 * Owns     the call copies name and value */
CW_API cw_status cw_socket_add_request_header(cw_socket *s, const char *name, size_t name_len_bytes,
                                              const char *value, size_t value_len_bytes);

/* ---- Information -------------------------------------------------------------------------------------- */

typedef enum cw_info {
    CW_INFO_URI,      /* the URI that was passed to connect; empty before connect */
    CW_INFO_PROTOCOL, /* the subprotocol that the server chose; empty = none */
    CW_INFO_LOCAL_ADDRESS, /* "127.0.0.1:40000", "[::1]:40000", "unix:/path", "unix:@abstract"; empty before connecting */
    CW_INFO_REMOTE_ADDRESS,   /* the peer's address (the proxy's, if there is one) */
    CW_INFO_RESPONSE_HEADERS, /* lines "Name: value\r\n" of the final reply, even if it refused the connection */
    CW_INFO_FRAMING, /* "curl", "native", or "mixed" (sent natively, received by libcurl); empty before connecting */
    CW_INFO_EXTENSIONS, /* accepted by the server: "permessage-deflate; client_max_window_bits=12"; empty = none */
    CW_INFO_PUBLIC_URI, /* the URI for messages and logs, with the host in ASCII, without user name, password and query,
                           which may be secret */
    CW_INFO_AUTHORITIES, /* the authorities that certificates are checked by, with what names them:
                           "system: /etc/ssl/certs/ca-certificates.crt"; empty = none is checked */
    CW_INFO_SERVER_CERTIFICATE_ERRORS, /* names of cw_chain_result, joined by ", ": the errors that were ignored
                                          (ignorable_server_certificate_errors), and the one that made the connect fail.
                                          TLS libraries report the first fault only */
    CW_INFO_SERVER_CERTIFICATE_ERROR_SEVERITY, /* "fatal" after a connect that failed because of the server's certificate;
                                                 "ignorable" if errors were ignored; "none" if the certificate is known;
                                                 else empty */
    CW_INFO_EFFECTIVE_URI, /* the URI that redirects have led to (follow_location), without user name and password; without
                             a redirect, as CW_INFO_URI */
    /* of the TLS connection to the server, also after a failed connect; empty = no TLS, or the TLS library of libcurl does
     * not tell */
    CW_INFO_TLS_VERSION, /* "TLSv1.3" */
    CW_INFO_TLS_CIPHER,  /* "TLS_AES_256_GCM_SHA384" */
    CW_INFO_TLS_ALPN,    /* "http/1.1"; empty also if the server chose none */
    CW_INFO_TLS_RESUMED  /* "yes" or "no": whether the connect has resumed the session of an earlier one */
} cw_info;

/* Copies a text that describes the connection. It can still be read after close.
 *   buffer, size_bytes   room for the text and a NUL; NULL, 0 to ask for the length
 *   len_bytes            set to the whole length without NUL; may be NULL. If it is size_bytes or more, the copy is cut
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_get_info(cw_socket *s, cw_info info, char *buffer, size_t size_bytes,
                                    size_t *len_bytes);

/* The speed of a connection, as the system has measured it. The members are the same as in UWP's BandwidthStatistics. They
 * are estimates of the TCP connection, which leads to the proxy if there is one.
 *   outbound_bits_per_second    the rate at which the peer's system has lately acknowledged sent bytes
 *   inbound_bits_per_second     the most bytes that the program has taken in a round trip, per second
 *   ..._instability             0: no system measures them
 *   outbound_bandwidth_peaked   whether the line limits the outbound rate, not the program, which has not sent more
 *   inbound_bandwidth_peaked    false: no system measures it */
typedef struct cw_bandwidth_statistics {
    uint64_t outbound_bits_per_second, inbound_bits_per_second;
    uint64_t outbound_bits_per_second_instability, inbound_bits_per_second_instability;
    bool outbound_bandwidth_peaked, inbound_bandwidth_peaked;
} cw_bandwidth_statistics;

/* Reads the speed of the connection. All members are 0 and false without a connection, and on systems other than Linux.
 * Returns  CW_OK
 * Errors   CW_AFTER_FORK
 * Thread   any; takes the socket's lock
 * Source   TCP_INFO of Linux: tcpi_delivery_rate, tcpi_rcv_space, tcpi_rcv_rtt */
CW_API cw_status cw_socket_get_bandwidth_statistics(cw_socket *s, cw_bandwidth_statistics *out);

/* How long the parts of the last connect have taken, in microseconds. CW_TIMING_NONE: there was no such part, it was not
 * reached, or it was not finished. If libcurl has connected several times (cw_socket_ask_certificate,
 * ignorable_server_certificate_errors), the parts are those of the last time, and total has all.
 *   look_up   the name look-up, of the proxy if there is one
 *   tcp       from then until TCP was connected, to the proxy if there is one. The first address that answers counts
 *   proxy     from then until the proxy had connected us, with TLS to an https:// proxy
 *   tls       from then until the TLS handshake with the server was finished
 *   upgrade   from then until the server's reply was complete
 *   total     from the start of the connect to its end, also if it failed */
typedef struct cw_timings {
    int64_t look_up_us, tcp_us, proxy_us, tls_us, upgrade_us, total_us;
} cw_timings;

#define CW_TIMING_NONE (-1)

/* Reads how long the parts of the last connect have taken. They can be read while the socket is open, afterwards, and after
 * a failed connect. All are CW_TIMING_NONE before.
 * Returns  CW_OK
 * Errors   CW_AFTER_FORK
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_get_timings(cw_socket *s, cw_timings *out);

/* How long round trips of pings have taken, in microseconds: of the latest CW_LATENCY_ROUND_TRIPS pings whose pong came before
 * the next ping was sent, those of keepalive too. CW_TIMING_NONE: there was none. cw_statistics has the numbers since the
 * beginning.
 *   last      the latest round trip
 *   minimum   the shortest
 *   mean      the mean
 *   p99       the shortest time within which 99 % of them ended. With fewer than 100, it is the longest */
typedef struct cw_latency {
    int64_t last_us, minimum_us, mean_us, p99_us;
} cw_latency;

enum { CW_LATENCY_ROUND_TRIPS = 128 };

/* Reads how long the latest round trips have taken, also after the end of the connection.
 * Returns  CW_OK
 * Errors   CW_AFTER_FORK
 * Thread   any; takes the socket's lock
 * Source   RFC 6455 section 5.5.2 */
CW_API cw_status cw_socket_get_latency(cw_socket *s, cw_latency *out);

/* Copies a certificate that the server sent in the TLS handshake, in DER. It can be read after a connect that
 * succeeded, and after one that failed because of the certificate, until the next connect.
 *   number               0 is the server's own certificate; the next numbers are those that it sent with it
 *   buffer, size_bytes   room for the bytes; NULL, 0 to ask for the length
 *   len_bytes            set to the whole length. If it is more than size_bytes, the copy is cut. 0 = the server sent no
 *                        such certificate, or the TLS library of libcurl is not OpenSSL
 * Returns  CW_OK
 * Errors   CW_AFTER_FORK
 * Thread   any; takes the socket's lock
 * Source   RFC 5246 section 7.4.2, RFC 8446 section 4.4.2 */
CW_API cw_status cw_socket_get_certificate(cw_socket *s, size_t number, void *buffer, size_t size_bytes,
                                           size_t *len_bytes);

/* Copies the start of the body with which the server or a proxy refused the last connect, at most CW_REFUSAL_BODY_AT_MOST
 * bytes. The transfer coding (chunked) is decoded; a content coding is not. The connect waits for the body for one second at
 * most, and never longer than its timeout. The text is the server's or the proxy's, and may repeat secrets of the request.
 *   buffer, size_bytes, len_bytes   as for cw_socket_get_certificate. 0 = no connect was refused, the refusal has no body,
 *                                   or libcurl drops it: see the feature refusal-body of CW_BUILD_FEATURES
 * Returns  CW_OK
 * Errors   CW_AFTER_FORK
 * Thread   any; takes the socket's lock
 * Source   RFC 9112 section 6 */
#define CW_REFUSAL_BODY_AT_MOST 65536
CW_API cw_status cw_socket_get_refusal_body(cw_socket *s, void *buffer, size_t size_bytes, size_t *len_bytes);

/* The facts about a certificate: name in C, and the key in every language. All are texts:
 *   subject, issuer            "C=DE,O=Example,CN=a.example", in the order of the certificate. A byte that could be taken
 *                              for another part, or that is no printable text, is shown as \XX
 *   serial_number              hexadecimal digits
 *   valid_from, valid_to       "2026-11-27T14:30:00Z", in UTC
 *   subject_alternative_names  lines "DNS:a.example", "IP:192.0.2.1", "email:...", "URI:..." without an end of line
 *                              after the last
 *   sha1_fingerprint, sha256_fingerprint   hexadecimal digits, of the whole certificate
 *   pem                        lines */
#define CW_CERTIFICATE_LIST(X)                                               \
    X(CW_CERTIFICATE_SUBJECT, "subject")                                     \
    X(CW_CERTIFICATE_ISSUER, "issuer")                                       \
    X(CW_CERTIFICATE_SERIAL_NUMBER, "serial_number")                         \
    X(CW_CERTIFICATE_VALID_FROM, "valid_from")                               \
    X(CW_CERTIFICATE_VALID_TO, "valid_to")                                   \
    X(CW_CERTIFICATE_SUBJECT_ALTERNATIVE_NAMES, "subject_alternative_names") \
    X(CW_CERTIFICATE_SHA1_FINGERPRINT, "sha1_fingerprint")                   \
    X(CW_CERTIFICATE_SHA256_FINGERPRINT, "sha256_fingerprint")               \
    X(CW_CERTIFICATE_PEM, "pem")

typedef enum cw_certificate_fact {
#define CW_X(name, key) name,
    CW_CERTIFICATE_LIST(CW_X)
#undef CW_X
        CW_CERTIFICATE_FACT_COUNT
} cw_certificate_fact;

/* Returns the key of a fact ("subject").
 * Returns  a constant string; NULL if no fact has that number
 * Thread   any */
CW_API const char *cw_certificate_key(cw_certificate_fact fact);

/* Copies a fact about a certificate. It decides nothing about trust: the text shows what the bytes say.
 *   der, der_len_bytes   the certificate, from cw_socket_get_certificate
 *   buffer, size_bytes, len_bytes   as for cw_socket_get_info. The text is empty if the certificate lacks the fact, or is
 *                        malformed
 * Thread   any
 * Source   RFC 5280, RFC 4514 */
CW_API void cw_certificate_get(const void *der, size_t der_len_bytes, cw_certificate_fact fact, char *buffer,
                               size_t size_bytes, size_t *len_bytes);

/* A header. No NUL ends its texts. cw_header_next sets both pointers to places in the text that it reads. */
typedef struct cw_header {
    const char *name, *value; /* without blanks around them */
    size_t name_len_bytes, value_len_bytes;
} cw_header;

/* Reads the next header of CW_INFO_RESPONSE_HEADERS. A name can occur more than once.
 *   at_bytes   the position in lines to read from, at first 0; the call sets it to the position after the header
 * Returns  true, or false after the last header
 * Thread   any */
CW_API bool cw_header_next(const char *lines, size_t len_bytes, size_t *at_bytes, cw_header *out);

/* Reports how the connection ended.
 *   code     the peer's close code; 1005 if its close frame had none; 1006 if the connection was lost or the peer broke
 *            the protocol (the reason says how); 0 while the connection has not ended
 *   reason, size_bytes, len_bytes   as buffer for cw_socket_get_info; len_bytes may be NULL. UTF-8 text of at most 123
 *            bytes, which may contain NUL
 * Returns  true if both close frames were exchanged
 * Thread   any; takes the socket's lock */
CW_API bool cw_socket_get_closed(cw_socket *s, int *code, char *reason, size_t size_bytes, size_t *len_bytes);

/* Says whether the connection is open, and if not, how it has ended. It sends nothing and takes no message.
 * Returns  CW_OK: it is open
 * Errors   CW_CLOSED: closing has begun, or writing has failed; the message says how, as that of a send. CW_INVALID_STATE: it has
 *          not been open; CW_AFTER_FORK
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_check_open(cw_socket *s);

/* Returns whether reading may end here without an error. A binding calls it when an iteration over messages gets
 * CW_CLOSED; cw_socket_read applies the same rule itself. The close code decides, not was_clean.
 * Returns  true after this program closed or aborted the connection, and after the peer closed it with code 1000 or
 *          without a code (1005). On a message socket, code 1001 counts too. It returns false if the peer's close frame
 *          came in the middle of a message, or had another code. It also returns false after a lost connection, and while
 *          the connection is open
 * Thread   any; takes the socket's lock */
CW_API bool cw_socket_ended_normally(cw_socket *s);

/* What curlwire counts: member of cw_statistics, key in every language, kind, unit, text. New ones come last.
 *   kind   NOW: a state, which grows and shrinks. TOTAL: a sum since the beginning. LAST, LEAST, MOST and MEAN: of the values
 *          so far
 *   unit   BYTES, US (microseconds; a binding shows seconds), or COUNT
 * A message counts as sent when the call that sends it, or its last fragment, succeeds; so do its bytes. A sent frame
 * counts when its last byte has been passed to the system or to TLS, or is held back in a batch. A message, with its
 * bytes, counts as received when its last frame has arrived; a frame when its header has. With parts, and on a stream
 * socket, the bytes count as they arrive. Wire bytes are those of frames, before TLS, so compression makes them fewer.
 * They leave out the opening handshake. */
/* clang-format off */
#define CW_STATISTICS_LIST(X) \
    X(open_sockets, "open_sockets", NOW, COUNT, "Sockets whose state is open") \
    X(connecting_sockets, "connecting_sockets", NOW, COUNT, "Sockets whose state is connecting") \
    X(connects, "connects", TOTAL, COUNT, "Connects that succeeded") \
    X(failed_connects, "failed_connects", TOTAL, COUNT, "Connects that failed, also because the program gave up") \
    X(ended_connections, "ended_connections", TOTAL, COUNT, "Connections that have ended: the state became closed") \
    X(text_messages_sent, "text_messages_sent", TOTAL, COUNT, "Text messages that were sent") \
    X(binary_messages_sent, "binary_messages_sent", TOTAL, COUNT, "Binary messages that were sent") \
    X(text_messages_received, "text_messages_received", TOTAL, COUNT, "Text messages that have arrived") \
    X(binary_messages_received, "binary_messages_received", TOTAL, COUNT, "Binary messages that have arrived") \
    X(bytes_sent, "bytes_sent", TOTAL, BYTES, "Bytes of the messages that were sent") \
    X(bytes_received, "bytes_received", TOTAL, BYTES, "Bytes of the messages that have arrived") \
    X(wire_bytes_sent, "wire_bytes_sent", TOTAL, BYTES, "Bytes of sent frames, with their headers") \
    X(wire_bytes_received, "wire_bytes_received", TOTAL, BYTES, "Bytes of received frames, with their headers") \
    X(text_frames_sent, "text_frames_sent", TOTAL, COUNT, "First frames of text messages that were sent") \
    X(binary_frames_sent, "binary_frames_sent", TOTAL, COUNT, "First frames of binary messages that were sent") \
    X(continuation_frames_sent, "continuation_frames_sent", TOTAL, COUNT, "Later frames of messages that were sent") \
    X(close_frames_sent, "close_frames_sent", TOTAL, COUNT, "Close frames that were sent") \
    X(pings_sent, "pings_sent", TOTAL, COUNT, "Pings that were sent, those of keepalive too") \
    X(pongs_sent, "pongs_sent", TOTAL, COUNT, "Pongs that were sent") \
    X(text_frames_received, "text_frames_received", TOTAL, COUNT, "First frames of text messages that have arrived") \
    X(binary_frames_received, "binary_frames_received", TOTAL, COUNT, "First frames of binary messages that have arrived") \
    X(continuation_frames_received, "continuation_frames_received", TOTAL, COUNT, "Later frames of messages that have arrived") \
    X(close_frames_received, "close_frames_received", TOTAL, COUNT, "Close frames that have arrived") \
    X(pings_received, "pings_received", TOTAL, COUNT, "Pings that have arrived") \
    X(pongs_received, "pongs_received", TOTAL, COUNT, "Pongs that have arrived") \
    X(round_trips, "round_trips", TOTAL, COUNT, "Pings whose pong came before the next ping was sent") \
    X(round_trip_sum_us, "round_trip_sum", TOTAL, US, "Sum of their round trips") \
    X(round_trip_last_us, "round_trip_last", LAST, US, "The latest round trip") \
    X(round_trip_least_us, "round_trip_least", LEAST, US, "The shortest round trip") \
    X(round_trip_most_us, "round_trip_most", MOST, US, "The longest round trip") \
    X(round_trip_mean_us, "round_trip_mean", MEAN, US, "The mean round trip") \
    X(send_queue_bytes, "send_queue_bytes", NOW, BYTES, "Memory of messages that wait to be sent") \
    X(send_queue_bytes_most, "send_queue_bytes_most", MOST, BYTES, "The most that send_queue_bytes of a socket has been") \
    X(receive_queue_bytes, "receive_queue_bytes", NOW, BYTES, "Memory of received messages that wait for the program") \
    X(receive_queue_bytes_most, "receive_queue_bytes_most", MOST, BYTES, "The most that receive_queue_bytes of a socket has been") \
    X(lost_bytes, "lost_bytes", TOTAL, BYTES, "Bytes of sent messages that did not reach the peer, as far as is known") \
    X(lost_trace_lines, "lost_trace_lines", TOTAL, COUNT, "Lines of a trace that could not be written, or that nobody took in time")
/* clang-format on */

/* The caller sets size_bytes to sizeof(cw_statistics). */
typedef struct cw_statistics {
    size_t size_bytes;
#define CW_X(member, key, kind, unit, text) uint64_t member;
    CW_STATISTICS_LIST(CW_X)
#undef CW_X
} cw_statistics;

/* Reads what curlwire has counted for a socket since it was made. It can still be read after close.
 *   out   its members that lie within size_bytes are set, so that a program that was compiled with an older header works
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT: size_bytes is not set; CW_AFTER_FORK
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_get_statistics(cw_socket *s, cw_statistics *out);

/* ---- Cookies ------------------------------------------------------------------------------------------ */

/* A cookie jar: the cookies that servers have set, and those that the program sets. Sockets that share it send them to the
 * hosts that they are for. libcurl decides that by RFC 6265 and its list of public suffixes: no server can set a cookie for
 * another site, or for a whole suffix such as "co.uk". A cookie marked as secure goes out over wss only, and to this machine:
 * localhost, 127.0.0.1 and ::1.
 *   Limits   4,096 bytes for name and value, 50 cookies from one reply, 180 that one host gets, 3,000 in a jar. If there are
 *            more, the oldest are dropped. A request carries at most 150 cookies and 8,190 bytes of them */
typedef struct cw_cookie_jar cw_cookie_jar;

/* A cookie. The texts need no NUL at their ends.
 *   domain               a host name or an address. It may begin with a dot, which means nothing
 *   expires              seconds since 1970; 0 = a session cookie, which no time ends
 *   secure               whether it is sent over wss only
 *   http_only            whether the scripts of a web page must not see it, which means nothing here
 *   include_subdomains   whether the subdomains of domain get it too. A domain without a dot has none */
typedef struct cw_cookie {
    const char *name, *value, *domain, *path;
    size_t name_len_bytes, value_len_bytes, domain_len_bytes, path_len_bytes;
    int64_t expires;
    bool secure, http_only, include_subdomains;
} cw_cookie;

/* Creates a cookie jar. With a file, the jar begins with the cookies of the file, if it exists. The jar writes its file,
 * readable by its owner only, when a handshake has changed the cookies, by cw_cookie_jar_save, and with its last release.
 *   path   the file, in Netscape's form; empty = a jar in memory only
 * Returns  CW_OK
 * Errors   CW_SYSTEM_ERROR: the file cannot be read, or its folder cannot be written. CW_INVALID_ARGUMENT: it is not a cookie
 *          file; the message names the line and shows nothing of it. CW_UNSUPPORTED: the loaded libcurl has no cookies, or no
 *          list of public suffixes. CW_NO_MEMORY
 * Thread   any
 * Owns     the caller must release *out once. The call copies path */
CW_API cw_status cw_cookie_jar_create(const char *path, size_t path_len_bytes, cw_cookie_jar **out);

/* Adds a reference to a cookie jar, or drops one. The last release writes its file, if its cookies have changed; an error
 * then shows nowhere. Both ignore NULL.
 * Thread   any */
CW_API void cw_cookie_jar_retain(cw_cookie_jar *j);
CW_API void cw_cookie_jar_release(cw_cookie_jar *j);

/* Makes a socket use a cookie jar, in place of its control cookie_jar.
 *   j   NULL = none
 * Returns  CW_OK
 * Errors   CW_INVALID_STATE after a connect has begun; CW_AFTER_FORK
 * Thread   any; takes the socket's lock
 * Owns     the socket takes a reference of its own */
CW_API cw_status cw_socket_set_cookie_jar(cw_socket *s, cw_cookie_jar *j);

/* Copies the cookies of a jar, as lines for cw_cookie_next. Expired cookies are left out. The lines hold secrets. The buffer
 * is filled as by cw_socket_get_info.
 * Returns  CW_OK
 * Errors   CW_AFTER_FORK; CW_NO_MEMORY
 * Thread   any */
CW_API cw_status cw_cookie_jar_get_lines(cw_cookie_jar *j, char *buffer, size_t size_bytes, size_t *len_bytes);

/* Reads the next cookie of such lines. It skips lines that are no cookies. The pointers point into the lines.
 *   at_bytes   the position to read from, at first 0; the call sets it to the position after the cookie
 * Returns  true, or false after the last cookie
 * Thread   any */
CW_API bool cw_cookie_next(const char *lines, size_t len_bytes, size_t *at_bytes, cw_cookie *out);

/* Sets a cookie. It replaces the cookie of the same name, domain and path. If it has expired, it only removes that cookie.
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT: the message shows nothing of the value. CW_INVALID_STATE: the jar is full; CW_AFTER_FORK;
 *          CW_NO_MEMORY
 * Thread   any
 * Owns     the call copies the cookie */
CW_API cw_status cw_cookie_jar_set(cw_cookie_jar *j, const cw_cookie *cookie);

/* Removes all cookies, or session cookies only.
 * Returns  CW_OK
 * Errors   CW_AFTER_FORK
 * Thread   any */
CW_API cw_status cw_cookie_jar_clear(cw_cookie_jar *j, bool only_session_cookies);

/* Adds the cookies of a file to a jar, in place of those of the same name, domain and path. If the call fails, it has added
 * none.
 * Returns  CW_OK
 * Errors   as for cw_cookie_jar_create; CW_INVALID_STATE: the jar is full; CW_AFTER_FORK
 * Thread   any */
CW_API cw_status cw_cookie_jar_load(cw_cookie_jar *j, const char *path, size_t path_len_bytes);

/* Writes the cookies of a jar to a file, which only its owner can read. A file of that name is replaced as a whole.
 *   path   empty = the file of the jar
 * Returns  CW_OK
 * Errors   CW_SYSTEM_ERROR: the file cannot be written. CW_INVALID_ARGUMENT: there is no path, and the jar has no file;
 *          CW_AFTER_FORK; CW_NO_MEMORY
 * Thread   any */
CW_API cw_status cw_cookie_jar_save(cw_cookie_jar *j, const char *path, size_t path_len_bytes);

/* ---- Connecting --------------------------------------------------------------------------------------- */

/* Starts to connect. The service thread does the work. To get the result, call cw_socket_wait_connected or take the
 * event.
 *   uri          UTF-8: ws:// or wss://, without fragment. Non-ASCII characters in user name, password, path and query are
 *                sent percent-encoded; so are the characters "<>^`{|} there, and \ in the query. A % is sent as it
 *                is, so two hex digits must follow it. The host is sent in ASCII: an international name is converted by
 *                UTS #46 (non-transitional), so bücher.example becomes xn--bcher-kva.example. At most 128 KiB when
 *                percent-encoded
 *   timeout_ms   for the whole connect; CW_TIMEOUT_DEFAULT = connect_timeout
 * Returns  CW_OK: connecting has started
 * Errors   CW_INVALID_ARGUMENT for the URI; CW_INVALID_STATE unless the state is new; CW_UNSUPPORTED if the loaded libcurl
 *          is older than 8.14.1, lacks ws, or does not support the chosen framing or compression; CW_CONNECT_FAILED (web
 *          status UnexpectedClientError) if the environment names a malformed proxy or authorities that cannot be used,
 *          or if no authorities are found; CW_NO_MEMORY; CW_SYSTEM_ERROR
 * Thread   any; takes the socket's lock
 * Owns     the call copies uri
 * Source   RFC 6455 section 4.1 */
CW_API cw_status cw_socket_connect_start(cw_socket *s, const char *uri, size_t uri_len_bytes, int timeout_ms);

/* Gives the socket a connection to the server for its next connect, which then connects to no address and uses no proxy. The
 * URI's host remains the name in the request and, over wss, in TLS.
 *   fd   a connected stream socket, of any family; a negative number takes the last one back
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT: fd is not such a descriptor. CW_INVALID_STATE after a connect has begun. CW_SYSTEM_ERROR: no
 *          descriptor is free. If a connect has used the connection and failed, the next connect is CW_INVALID_STATE until
 *          another connection is given
 * Thread   any; takes the socket's lock
 * Owns     the caller keeps fd. The core makes a copy (dup), and closes it. Both are the same connection, which ends when
 *          both are closed. From connect on, the caller must not read, write or change fd; it may close it */
CW_API cw_status cw_socket_set_connected_socket(cw_socket *s, int fd);

/* Decides whether a connect over wss asks the program about the server's certificate, after all other checks have passed.
 * After a redirect (follow_location), the socket asks about the next server too. libcurl then connects twice. It ends the
 * first connection after the TLS handshake, before a byte of the request leaves, and the connect asks. If the program
 * accepts, libcurl connects again. If the second connection shows another certificate, the connect fails, and that server
 * has seen no byte of the request either. The time of the answer counts as time of the connect.
 *   asks   false, the default: no question
 * The question comes in one of two ways. If a mailbox is subscribed to CW_EVENT_CERTIFICATE, it gets that event. Otherwise
 * cw_socket_wait_connected returns CW_QUESTION once for each server.
 * Returns  CW_OK
 * Errors   CW_INVALID_STATE after a connect has begun
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_ask_certificate(cw_socket *s, bool asks);

/* The answers to the question about a certificate. All but the first make the connect fail. */
typedef enum cw_answer {
    CW_ANSWER_ACCEPT = 0,
    CW_ANSWER_REJECT = 1,
    CW_ANSWER_NONE = 2 /* the program can give no answer any more; the error says so */
} cw_answer;

/* Answers the question about the server's certificate. The first answer counts.
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT; CW_INVALID_STATE: the socket does not ask, for example because the connect has ended since
 * Thread   any; a handler may call it; takes the socket's lock */
CW_API cw_status cw_socket_answer_certificate(cw_socket *s, cw_answer answer);

/* Waits until connecting has ended.
 *   timeout_ms   CW_TIMEOUT_NEVER waits until the connect has succeeded or failed
 * Returns  CW_OK: the socket is open, or was open and has ended since
 * Errors   CW_CONNECT_FAILED with the details (web status OperationCanceled if it was cancelled); CW_NO_MEMORY and
 *          CW_SYSTEM_ERROR: the connect failed for lack of memory or of a descriptor; CW_TIMED_OUT and CW_INTERRUPTED:
 *          the socket is still connecting. CW_QUESTION: so is it, and it asks about the server's certificate. Call
 *          cw_socket_answer_certificate, and wait again
 * Blocks   up to timeout_ms
 * Thread   any */
CW_API cw_status cw_socket_wait_connected(cw_socket *s, int timeout_ms);

/* Connects: cw_socket_connect_start, then cw_socket_wait_connected. If it is interrupted, it cancels the connect.
 * Returns  as those two. After CW_QUESTION and the answer, call cw_socket_connect_continue, which does the rest. After a
 *          redirect it may return CW_QUESTION again
 * Blocks   until the connection is open, the connect has failed, or the socket asks about the server's certificate
 * Thread   any */
CW_API cw_status cw_socket_connect(cw_socket *s, const char *uri, size_t uri_len_bytes, int timeout_ms);
CW_API cw_status cw_socket_connect_continue(cw_socket *s);

/* ---- Sending ------------------------------------------------------------------------------------------ */

/* Sends one message. When the call returns CW_OK, the kernel has taken every byte of it. There are two exceptions:
 * - With timeout_ms = 0 the call does not wait. It queues the bytes that the kernel does not take at once, and the
 *   service thread writes them. Over wss and through a proxy, it also queues the message while libcurl is busy with
 *   another connection. An empty queue takes a message of any size; otherwise the queue holds at most
 *   send_high_water_mark. The queue is sent even after close, after release and at the end of the program, as long as the
 *   kernel takes bytes. After CW_WOULD_BLOCK, CW_EVENT_WRITABLE comes when the queue has fallen to send_low_water_mark.
 * - Inside a batch (cw_socket_batch_begin) the message may wait for the end of the batch.
 *
 *   message_type   CW_UTF8: data must be UTF-8
 *   data         NULL, 0 for an empty message; a stream socket does not send empty messages
 *   timeout_ms   time without progress; 0 = do not wait; CW_TIMEOUT_DEFAULT = send_timeout
 * Returns  CW_OK
 * Errors   CW_WOULD_BLOCK (the queue has no room), CW_TIMED_OUT, CW_INTERRUPTED: nothing was sent. If a part was
 *          already sent, the call drops the connection and returns CW_CLOSED with web status Timeout or
 *          OperationCanceled. CW_CLOSED after closing has begun; CW_INVALID_STATE before connect, or between the
 *          fragments of another message; CW_INVALID_ARGUMENT: not UTF-8; CW_NO_MEMORY: nothing was sent
 * Blocks   until the kernel has taken the message, or no byte of it for timeout_ms
 * Thread   any; a handler may call it; takes the socket's lock. Messages of several threads never interleave
 * Owns     the caller keeps data; the call has copied or written it when it returns
 * Source   RFC 6455 section 5.6 */
CW_API cw_status cw_socket_send(cw_socket *s, cw_message_type message_type, const void *data, size_t len_bytes,
                                int timeout_ms);

typedef struct cw_message {
    cw_message_type message_type;
    const void *data;
    size_t len_bytes;
    cw_compress compress; /* ALWAYS sends it uncompressed too, if the server has not accepted compression */
} cw_message;

/* Sends messages one after another, as cw_socket_send does, but writes many small ones together. It stops at the first
 * message that cannot be sent.
 *   timeout_ms   time without progress, for each message; 0 = do not wait
 *   sent_count   set to the number of messages that were sent as by cw_socket_send: the kernel has taken them. No part of the
 *                others was sent, except that the connection may have been lost in the middle of one
 * Returns  CW_OK: all messages were sent
 * Errors   the same as cw_socket_send, for the first message that was not sent. CW_CLOSED: the counted messages may be lost
 *          with the connection, as after any send
 * Blocks   as cw_socket_send, for each message
 * Thread   any; a handler may call it; takes the socket's lock. Messages of other threads may go between them
 * Owns     the caller keeps data; the call has copied or written it when it returns */
CW_API cw_status cw_socket_send_many(cw_socket *s, const cw_message *messages, size_t count, int timeout_ms,
                                     size_t *sent_count);

/* Sends one message and never waits: not for the kernel, not for the socket's lock, and not for libcurl when another
 * connection uses it. So a runtime may call it while it holds its own lock.
 * Returns  CW_OK: the message was sent, as by cw_socket_send with a timeout of 0
 * Errors   CW_WOULD_BLOCK, without details: nothing was sent, but there may be room; cw_socket_send finds out. Others: the
 *          same as cw_socket_send
 * Thread   any; a handler may call it
 * Owns     the caller keeps data; the call has copied or written it when it returns */
CW_API cw_status cw_socket_try_send(cw_socket *s, const cw_message *message);

/* Begins a batch: small messages (up to 32 KiB together) are held back, and one system call writes them. The socket
 * writes them when the next message does not fit, before a control frame or a larger message, and when a call waits to
 * receive. It also writes them at cw_socket_flush, close and release, and at the end of the batch. libcurl's framing
 * holds nothing back. Batches may be nested and may overlap between threads. Together they are one batch, which the last
 * cw_socket_batch_end ends.
 * Returns  CW_OK
 * Errors   CW_INVALID_STATE before connect; CW_CLOSED
 * Thread   any; takes the socket's lock. Messages that other threads send until the end are part of the batch
 * Owns     each begin that returns CW_OK needs one end */
CW_API cw_status cw_socket_batch_begin(cw_socket *s);

/* Ends a batch and waits until the kernel has taken all of it, as cw_socket_flush does.
 *   timeout_ms   time without progress; CW_TIMEOUT_DEFAULT = send_timeout
 * Returns  CW_OK
 * Errors   the same as cw_socket_flush; CW_INVALID_STATE if no batch is open
 * Blocks   as cw_socket_flush
 * Thread   any */
CW_API cw_status cw_socket_batch_end(cw_socket *s, int timeout_ms);

/* Sends one fragment of a message; is_final marks the last fragment. A text may be cut anywhere, even inside a character.
 * If the call fails, the message is as it was before the call. A caller that cannot go on must close the connection.
 *   fragment   the first fragment sets message_type and compress of the message. The others must have the same type
 *   owner      NULL, or an address that only this message uses, such as that of a local variable. A message takes only
 *              fragments of the owner of its first fragment, so that two callers never mix their fragments
 * Returns, Errors, Blocks, Thread, Owns   as cw_socket_send. CW_INVALID_STATE also for another owner or type
 * Source   RFC 6455 section 5.4 */
CW_API cw_status cw_socket_send_fragment(cw_socket *s, const cw_message *fragment, const void *owner,
                                         bool is_final, int timeout_ms);

/* Waits until the kernel has taken everything that is queued in the socket.
 *   timeout_ms   time without progress; CW_TIMEOUT_DEFAULT = send_timeout
 * Returns  CW_OK
 * Errors   CW_TIMED_OUT, CW_INTERRUPTED: the service thread still sends the queue. CW_CLOSED after either side has begun to
 *          close: the queue is then sent before our close frame, or lost with the connection. CW_INVALID_STATE
 * Blocks   until the queue is empty, or the kernel has taken no byte for timeout_ms
 * Thread   any */
CW_API cw_status cw_socket_flush(cw_socket *s, int timeout_ms);

/* Reads how much of the sent messages waits in the socket: bytes that a call has accepted and the kernel has not taken yet.
 * They are those of sends that must not wait, and of a batch. With libcurl's framing and over TLS, libcurl may hold up to
 * 64 KiB more.
 *   len_bytes   set to their number. It may have the headers of frames. Compressed messages count compressed. 0 without a
 *               connection
 * Returns  CW_OK
 * Errors   CW_AFTER_FORK
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_get_buffered_amount(cw_socket *s, size_t *len_bytes);

/* Sends a ping and waits for its pong. With ping_payload all pings are alike, so one pong answers all pings that wait. The
 * round trip is then exact only while one ping is under way.
 *   timeout_ms   CW_TIMEOUT_DEFAULT = ping_timeout
 *   rtt_us       set to the round trip in microseconds; may be NULL
 * Returns  CW_OK if the pong came, even if the wait hook ended the wait at the same time
 * Errors   CW_TIMED_OUT; CW_INTERRUPTED; CW_CLOSED; CW_INVALID_STATE; CW_WOULD_BLOCK if 64 pings wait already
 * Blocks   up to timeout_ms
 * Thread   any; several threads may wait at the same time
 * Source   RFC 6455 section 5.5.2 */
CW_API cw_status cw_socket_ping(cw_socket *s, int timeout_ms, int64_t *rtt_us);

/* A ping that a program has sent without waiting for its pong. */
typedef struct cw_ping cw_ping;

/* Sends a ping and returns at once. cw_ping_result returns the result. CW_EVENT_PONG says when to ask for it.
 * Returns  CW_OK
 * Errors   CW_CLOSED; CW_INVALID_STATE; CW_WOULD_BLOCK if 64 pings wait already; CW_NO_MEMORY; CW_AFTER_FORK
 * Thread   any; takes the socket's lock
 * Owns     the caller must call cw_ping_free(*out) once. It may outlive the socket */
CW_API cw_status cw_socket_ping_start(cw_socket *s, cw_ping **out);

/* Returns the result of a ping.
 *   rtt_us   set to the round trip in microseconds; may be NULL
 * Returns  CW_OK if the pong has come
 * Errors   CW_WOULD_BLOCK: it has not come yet; CW_CLOSED: closing has begun before it came; CW_AFTER_FORK
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_ping_result(cw_ping *p, int64_t *rtt_us);

/* Frees a ping; nothing waits for its pong any more. It ignores NULL.
 * Thread   any; takes the socket's lock */
CW_API void cw_ping_free(cw_ping *p);

/* ---- Receiving ---------------------------------------------------------------------------------------- */

/* Takes the next message (in partial mode: the next part). While it waits, the calling thread polls the connection.
 *   timeout_ms   CW_TIMEOUT_DEFAULT = receive_timeout
 *   out          set to an event of type CW_EVENT_MESSAGE
 * Returns  CW_OK
 * Errors   CW_TIMED_OUT; CW_INTERRUPTED; CW_CLOSED at the end. Messages that arrived before the peer closed or the
 *          connection was lost are returned first; after a local close none are. CW_INVALID_STATE before connect, on a
 *          stream socket, or if messages go to a mailbox; CW_NO_MEMORY
 * Blocks   up to timeout_ms
 * Thread   any; takes the socket's lock
 * Owns     the caller owns *out until cw_event_free */
CW_API cw_status cw_socket_receive(cw_socket *s, int timeout_ms, cw_event **out);

/* Takes the next message and never waits: not for a message, not for the socket's lock, and not for libcurl when another
 * connection uses it. So a runtime may call it while it holds its own lock.
 * Returns  CW_OK
 * Errors   CW_TIMED_OUT: no message is there. CW_WOULD_BLOCK: the call could not read all that is there, because another thread
 *          uses the socket or libcurl, because there is much of it, or because the socket is not open; cw_socket_receive
 *          finds out. Neither sets the error message
 * Thread   any
 * Owns     the caller owns *out until cw_event_free */
CW_API cw_status cw_socket_try_receive(cw_socket *s, cw_event **out);

/* Takes the next part of one message, so that a caller can read a message of any size in bounded memory. In partial mode a
 * part is returned as soon as it arrives. In full mode the only part is the whole message.
 *   reader     an address that only the reader of this message uses, such as that of its object
 *   is_first   true takes the first part of the next message; false the next part of the message of this reader
 * Another receive, or a subscription to messages, ends the reading: it skips the rest of the message. A receive that was
 * waiting already when the message began waits for the last part instead.
 * Returns  CW_OK. cw_event_is_complete is true for the last part
 * Errors   the same as cw_socket_receive: CW_CLOSED if the connection ends before the last part. CW_INVALID_STATE also for
 *          is_first = false after the last part, or after another receive has begun
 * Blocks   up to timeout_ms
 * Thread   any; takes the socket's lock
 * Owns     the caller owns *out until cw_event_free. cw_socket_put_back makes it the next part again */
CW_API cw_status cw_socket_receive_part(cw_socket *s, const void *reader, bool is_first, int timeout_ms,
                                        cw_event **out);

typedef struct cw_received {
    size_t len_bytes;
    cw_message_type message_type;
    bool is_complete; /* false in partial mode, for a part that is not the last */
} cw_received;

/* Takes the next message, as cw_socket_receive does, into the caller's buffer. A message of one frame that begins to
 * arrive during the call is read straight into the buffer.
 *   received   set to the length and type. If the message does not fit, only these two are of use
 * Returns  CW_OK
 * Errors   the same as cw_socket_receive; CW_INVALID_ARGUMENT if the message is longer than size_bytes. A failed call
 *          loses no message, but may have written to the buffer. CW_INTERRUPTED can be returned even if the message
 *          arrived during the call; the next call takes it
 * Blocks   up to timeout_ms
 * Thread   any; takes the socket's lock
 * Owns     the caller keeps the buffer; the core uses it until the call returns */
CW_API cw_status cw_socket_receive_into(cw_socket *s, void *buffer, size_t size_bytes, int timeout_ms,
                                        cw_received *received);

/* Take the next message, or announce a large message. They work like cw_socket_receive and cw_socket_try_receive, but may
 * return as soon as a large binary message (64 KiB up to inbound_buffer_size) begins to arrive. The caller can then
 * allocate its own memory and take the message by cw_socket_receive_into. Only the native codec announces messages;
 * libcurl's decoder returns them whole.
 *   coming_bytes   0, or the length of the announced message, which is the next message; *out is NULL then
 * Returns, Errors, Blocks, Owns   as cw_socket_receive and cw_socket_try_receive
 * Thread   any; if several threads receive, another thread may take that message first */
CW_API cw_status cw_socket_receive_or_announce(cw_socket *s, int timeout_ms, cw_event **out,
                                               size_t *coming_bytes);
CW_API cw_status cw_socket_try_receive_or_announce(cw_socket *s, cw_event **out, size_t *coming_bytes);

/* Puts back a message that was taken from this socket. The next receive, or the mailbox, returns it again. A caller
 * needs this if it lacks memory to convert the message. To put back several, begin with the message that was
 * taken last.
 * Thread   any; takes the socket's lock
 * Owns     the core owns the event again, whatever the state of the socket. After a local close it frees the event */
CW_API void cw_socket_put_back(cw_socket *s, cw_event *e);

/* Reads from a stream socket. It returns as soon as bytes are available. Message boundaries do not show.
 *   len_bytes   set to their number. 0 with CW_OK is the end: this program closed, or the peer closed between two messages
 *               with 1000 or without a code
 * Returns  CW_OK. Bytes that arrived before the end are returned first
 * Errors   CW_TIMED_OUT; CW_INTERRUPTED; CW_CLOSED after any other end, because the data may be incomplete;
 *          CW_INVALID_STATE before connect, or on a message socket; CW_NO_MEMORY
 * Blocks   up to timeout_ms
 * Thread   any; with several readers each would get pieces of the stream; takes the socket's lock */
CW_API cw_status cw_socket_read(cw_socket *s, void *buffer, size_t size_bytes, int timeout_ms,
                                size_t *len_bytes);

/* Puts back bytes that cw_socket_read returned. The next read returns them first. A reader that makes several reads for
 * one result needs this if it is interrupted. To put back several pieces, begin with the piece that was read last.
 * Returns  CW_OK, also after a local close, which drops the bytes
 * Errors   CW_INVALID_STATE on a message socket; CW_NO_MEMORY; CW_AFTER_FORK
 * Thread   any; takes the socket's lock
 * Owns     the call copies data */
CW_API cw_status cw_socket_unread(cw_socket *s, const void *data, size_t len_bytes);

/* Lets the event loop of a runtime read the connection. Between begin and end, the loop polls the descriptor for reading,
 * and takes what has arrived by cw_socket_try_receive, or by cw_socket_read with a timeout of 0. If bytes wait for twice
 * CW_LOOP_GRACE_MS, because the loop is busy, the service thread reads them, answers pings, and posts CW_EVENT_READABLE. It
 * leaves them to the loop for up to four times as long if other bytes have waited just before. So a loop
 * waits for the descriptor and for that event. If the descriptor is readable, the loop calls cw_socket_poll_ready
 * before it takes anything. If it then gets nothing, it polls again; after CW_WOULD_BLOCK it calls cw_socket_receive with a
 * timeout of 0 first, because the message may be in memory already. If the connection ends, CW_EVENT_CLOSED is posted.
 * The system keeps the descriptor until cw_socket_poll_end, so call that soon.
 *   fd   set to the descriptor. Poll it only. It is valid until cw_socket_poll_end
 * Returns  CW_OK
 * Errors   CW_INVALID_STATE: the socket is not open, or another loop has begun; CW_AFTER_FORK
 * Thread   any. begin and end take the socket's lock, ready takes none */
enum { CW_LOOP_GRACE_MS = 10 };
CW_API cw_status cw_socket_poll_begin(cw_socket *s, int *fd);
CW_API void cw_socket_poll_ready(cw_socket *s);
CW_API cw_status cw_socket_poll_end(cw_socket *s);

/* ---- Closing ------------------------------------------------------------------------------------------ */

/* The codes that an endpoint may send; for error messages about other codes. */
#define CW_CLOSE_CODES "1000-1003, 1007-1014, 3000-4999, or 1005 for none"

/* Starts the closing handshake and returns at once. The socket first sends its queued data, then the close frame.
 * close_timeout begins when the peer's system has received all data (if our system reports it: Linux, macOS, FreeBSD).
 * Calls of other threads that wait end with CW_CLOSED (cw_socket_read: 0 bytes). No more messages are returned.
 * During a connect, the call cancels the connect. A second close does nothing.
 *   code       1000-1003, 1007-1014, 3000-4999; 1005 sends an empty close frame
 *   reason     UTF-8, at most 123 bytes, which may contain NUL; must be empty with 1005
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT
 * Thread   any; a handler may call it
 * Owns     the call copies reason
 * Source   RFC 6455 sections 5.5.1, 7.1.2, 7.4 */
CW_API cw_status cw_socket_close_start(cw_socket *s, int code, const char *reason, size_t reason_len_bytes);

/* Waits until the connection has ended. After cw_socket_close_start, the socket first sends its queued data.
 * send_timeout limits how long that may make no progress (30 s if send_timeout is 0 or "no limit"). Afterwards
 * close_timeout limits the handshake.
 *   timeout_ms   CW_TIMEOUT_DEFAULT and CW_TIMEOUT_NEVER wait until the connection has ended
 * Returns  CW_OK: it has ended, and no sent message is known to be lost. A socket that was never open returns CW_OK at once
 * Errors   CW_CLOSED: it has ended, and accepted messages did not reach the peer; the error message says how many bytes at
 *          most. CW_TIMED_OUT; CW_INTERRUPTED
 * Blocks   up to timeout_ms
 * Thread   any */
CW_API cw_status cw_socket_wait_closed(cw_socket *s, int timeout_ms);

/* Drops the connection and its queued data, without a closing handshake.
 * Thread   any; a handler may call it */
CW_API void cw_socket_abort(cw_socket *s);

/* ---- Events ------------------------------------------------------------------------------------------- */

typedef enum cw_event_type {
    CW_EVENT_MESSAGE = 1, /* a message, or a part of one */
    CW_EVENT_CLOSED = 2,  /* the connection has ended; only messages that the mask left out can follow */
    CW_EVENT_WRITABLE =
        4, /* after a send that returned CW_WOULD_BLOCK, the queue has room again: send_low_water_mark */
    CW_EVENT_CONNECTED = 8,       /* the connect that cw_socket_connect_start started has succeeded */
    CW_EVENT_CONNECT_FAILED = 16, /* that connect has failed; cw_socket_wait_connected returns the details */
    CW_EVENT_CERTIFICATE = 32,    /* the connect waits for cw_socket_answer_certificate */
    CW_EVENT_TRACE = 64, /* a line of the trace; subscribing to it begins a trace, as trace_file does */
    CW_EVENT_READABLE =
        128, /* between poll_begin and poll_end, the service thread has read, or a close has begun */
    CW_EVENT_CHANGED = 256, /* a call that would have had to wait may now have its result */
    CW_EVENT_PONG = 512 /* pings of cw_socket_ping_start have a result: a pong, or the end of the connection */
} cw_event_type;

/* CW_EVENT_CHANGED is for a scheduler of coroutines: it makes each call with a timeout of 0, and makes a call that returned
 * CW_TIMED_OUT or CW_WOULD_BLOCK again after this event. The event comes when the service thread has read, has written, got a
 * pong, or when the state has changed. It does not come for what the calling thread has done itself. While a mailbox is
 * subscribed to it, only the service thread reads the connection.
 * CW_EVENT_TRACE: at most 256 KiB of lines wait in a socket. Further ones are dropped, and the next line that has room
 * says how many. docs/tracing.md says what the lines have, and what is masked.
 * CW_EVENT_PONG comes for what the calling thread has done, too: an event loop may read the pong itself. The event comes
 * once for several pings. So ask for the result of each.
 * CW_EVENTS_ALL has none of the three. */

#define CW_EVENTS_ALL 191u

/* Return what an event holds.
 *   socket         the event's socket: borrowed, valid until cw_event_free. NULL if a receive call returned the event. An
 *                  event keeps no connection open. The last cw_socket_release closes it even while events remain
 *   is_complete    true for a whole message, and for the last part
 *   is_part        true for a part in partial mode; a text may then end inside a character
 *   data           payload of CW_EVENT_MESSAGE, reason of CW_EVENT_CLOSED, or line of CW_EVENT_TRACE (ASCII); read-only,
 *                  with no NUL at its end
 *   close_code, was_clean   of CW_EVENT_CLOSED, as cw_socket_get_closed returns them
 * Thread   any; one thread at a time for each event */
CW_API cw_event_type cw_event_get_type(const cw_event *e);
CW_API cw_socket *cw_event_socket(const cw_event *e);
CW_API cw_message_type cw_event_message_type(const cw_event *e);
CW_API bool cw_event_is_complete(const cw_event *e);
CW_API bool cw_event_is_part(const cw_event *e);
CW_API const void *cw_event_data(const cw_event *e, size_t *len_bytes);
CW_API int cw_event_close_code(const cw_event *e);
CW_API bool cw_event_was_clean(const cw_event *e);

/* Frees an event. It ignores NULL.
 * Thread   any */
CW_API void cw_event_free(cw_event *e);

/* ---- Mailbox ------------------------------------------------------------------------------------------ */

/* Creates a mailbox, or releases it. A mailbox gathers the events of subscribed sockets behind one descriptor.
 * Returns  CW_OK, CW_NO_MEMORY, CW_SYSTEM_ERROR
 * Thread   any
 * Owns     the caller must release *out once. Each subscribed socket holds a reference too */
CW_API cw_status cw_mailbox_create(cw_mailbox **out);
CW_API void cw_mailbox_release(cw_mailbox *m);

/* Returns the descriptor that is readable while events wait. Poll it only; do not read from it.
 * Thread   any */
CW_API int cw_mailbox_fd(const cw_mailbox *m);

/* Subscribes a mailbox to the events of a socket, including events that already wait. If the mask leaves messages out,
 * cw_socket_receive still takes them, also after the closed event. A socket stays bound to the first mailbox that
 * subscribes to it.
 *   m            NULL ends the subscription; the socket stays bound
 *   event_mask   cw_event_type bits
 * Returns  CW_OK
 * Errors   CW_INVALID_STATE for messages of a stream socket, or if the socket is bound to another mailbox; CW_AFTER_FORK
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_subscribe(cw_socket *s, cw_mailbox *m, unsigned event_mask);

/* Takes the next event. Sockets take turns; the events of one socket come in order.
 *   timeout_ms   0, more, or CW_TIMEOUT_NEVER
 * Returns  CW_OK
 * Errors   CW_TIMED_OUT, with timeout_ms 0 if no event waits; CW_INTERRUPTED: the wait hook, cw_mailbox_wake, or a release
 *          of the mailbox ended the wait; CW_NO_MEMORY: the event stays in the mailbox
 * Blocks   up to timeout_ms
 * Thread   any; one thread at a time for each mailbox, if handlers must not overlap. It takes the lock of each socket that
 *          it looks at
 * Owns     the caller owns *out until cw_event_free */
CW_API cw_status cw_mailbox_take(cw_mailbox *m, int timeout_ms, cw_event **out);

/* Ends a cw_mailbox_take that waits. If none waits, ends the next call that would wait.
 * Thread   any */
CW_API void cw_mailbox_wake(cw_mailbox *m);

/* ---- Reconnecting --------------------------------------------------------------------------------------- */

/* The rules for reconnecting, which the bindings share: which ends of a connection are worth another attempt, and how long to
 * wait before it. A cw_reconnect only counts and computes. The caller connects, waits, and gives it the time and random
 * numbers:
 *
 *   1. cw_reconnect_attempt, then connect a new socket.
 *   2. If it opens: cw_reconnect_opened, and cw_reconnect_ended when the connection has ended. If it does not open:
 *      cw_reconnect_ended at once.
 *   3. If cw_reconnect_is_retried (or the program) wants another attempt: cw_reconnect_next, wait that long, and go on
 *      with 1.
 *
 * Attempts are counted in a series. A series begins with the first attempt, and anew when a stable connection ends: one that
 * was open for stable_after. A message is no proof of a stable connection, because servers greet. */
typedef struct cw_reconnect cw_reconnect;

/* The settings: name, key, type (MS or NUMBER), default, least, most, the meaning of -1 (NULL = -1 is refused), text. */
/* clang-format off */
#define CW_RECONNECT_LIST(X) \
    X(CW_RECONNECT_FIRST_DELAY, "first_delay", MS, 1000, 1, INT32_MAX, NULL, \
      "Bound of the first delay, which is random from 0 to the bound; the bound doubles with each delay of a series") \
    X(CW_RECONNECT_MAX_DELAY, "max_delay", MS, 60000, 1, INT32_MAX, NULL, "The bound does not grow beyond this") \
    X(CW_RECONNECT_MAX_ATTEMPTS, "max_attempts", NUMBER, -1, 1, INT32_MAX, "no limit", "Most attempts in a series") \
    X(CW_RECONNECT_MAX_ELAPSED, "max_elapsed", MS, -1, 0, INT32_MAX, "no limit", \
      "No attempt begins later than this after the begin of its series") \
    X(CW_RECONNECT_STABLE_AFTER, "stable_after", MS, 10000, 0, INT32_MAX, NULL, \
      "A connection that was open this long is stable: its end begins a new series") \
    X(CW_RECONNECT_MAX_AGE, "max_age", MS, -1, 1, INT32_MAX, "no limit", \
      "A connection is renewed at this age, or up to a tenth earlier, at random")
/* clang-format on */

typedef enum cw_reconnect_setting {
#define CW_X(name, key, type, at_first, least, most, none, text) name,
    CW_RECONNECT_LIST(CW_X)
#undef CW_X
        CW_RECONNECT_COUNT
} cw_reconnect_setting;

enum { CW_RETRY_AFTER_MOST_S = 3600 }; /* a longer Retry-After counts as this one */

/* Creates rules with every setting at its default, or releases them. cw_reconnect_release ignores NULL.
 * Returns  CW_OK, CW_NO_MEMORY
 * Thread   any
 * Owns     the caller must release *out once */
CW_API cw_status cw_reconnect_create(cw_reconnect **out);
CW_API void cw_reconnect_release(cw_reconnect *r);

/* Sets a setting. Times are in milliseconds. It may be set at any time.
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT: the value is out of its range
 * Thread   any, one at a time for each cw_reconnect */
CW_API cw_status cw_reconnect_set(cw_reconnect *r, cw_reconnect_setting which, int64_t value);

/* Decides by the default rules whether another attempt makes sense. Retried: close codes 1001, 1005, 1006 and 1011-1014;
 * HTTP 429 and 500-599; failures of the network. Not retried: every other close code and HTTP status, certificates,
 * mistakes of the program, and connects that the program has cancelled.
 *   close_code    how the connection ended (cw_socket_get_closed); 0 = it never opened
 *   http_status   cw_error_http_status of the connect; 0 = none
 *   web_status    cw_error_web_status of the connect
 * Thread   any */
CW_API bool cw_reconnect_is_retried(int close_code, int http_status, int web_status);

/* Notes that an attempt begins.
 * Returns  its number; all attempts count, from 1
 * Thread   any, one at a time for each cw_reconnect */
CW_API int64_t cw_reconnect_attempt(cw_reconnect *r, int64_t now_ms);

/* Notes that the attempt has opened a connection.
 * Returns  when max_age wants the connection to be renewed; -1 = never
 * Thread   any, one at a time for each cw_reconnect */
CW_API int64_t cw_reconnect_opened(cw_reconnect *r, int64_t now_ms, uint64_t random);

/* Notes that the connection has ended, or that the attempt has failed.
 * Returns  whether the connection was stable, so that a new series begins
 * Thread   any, one at a time for each cw_reconnect */
CW_API bool cw_reconnect_ended(cw_reconnect *r, int64_t now_ms);

/* What cw_reconnect_next decides. */
typedef enum cw_reconnect_verdict {
    CW_RECONNECT_AGAIN = 0,       /* wait *delay_ms, then make another attempt */
    CW_RECONNECT_NO_ATTEMPTS = 1, /* max_attempts is reached */
    CW_RECONNECT_NO_TIME = 2      /* the next attempt would begin after max_elapsed */
} cw_reconnect_verdict;

/* Decides about the next attempt. The delay is random, from 0 to the bound ("full jitter"), so that the clients of a server
 * that has ended do not come back together.
 *   random          64 random bits, such as cw_random_number()
 *   given_ms        a delay of the program's own, in place of the backoff; -1 = none
 *   retry_after_s   cw_error_retry_after: the backoff is added to it, and a given delay is never shorter; -1 = none
 *   delay_ms        set to the delay; 0 unless the verdict is CW_RECONNECT_AGAIN
 * Thread   any, one at a time for each cw_reconnect */
CW_API cw_reconnect_verdict cw_reconnect_next(cw_reconnect *r, int64_t now_ms, uint64_t random,
                                              int64_t given_ms, int64_t retry_after_s, int64_t *delay_ms);

/* Returns the milliseconds to wait before a connection that the program has ended on purpose is made anew: none after a
 * stable connection, else those of the backoff, so that a loop of renewals cannot flood a server. The limits do not apply.
 * Thread   any, one at a time for each cw_reconnect */
CW_API int64_t cw_reconnect_renew(cw_reconnect *r, uint64_t random);

/* Writes why a verdict ended the attempts, as the end of an error text. Empty for CW_RECONNECT_AGAIN.
 * Thread   any, one at a time for each cw_reconnect */
CW_API void cw_reconnect_explain(const cw_reconnect *r, cw_reconnect_verdict verdict, char *buffer,
                                 size_t size_bytes);

/* Return the time of the monotonic clock in milliseconds, and 64 bits of the system's random generator.
 * Thread   any */
CW_API int64_t cw_now_ms(void);
CW_API uint64_t cw_random_number(void);

/* ---- The bytes of values ------------------------------------------------------------------------------ */

/* The layout of numbers and texts in UWP's DataReader and DataWriter. A binding has these two classes, and calls these
 * functions for their bytes. The values of both enumerations are UWP's. */
typedef enum cw_byte_order { CW_LITTLE_ENDIAN = 0, CW_BIG_ENDIAN = 1 } cw_byte_order;
typedef enum cw_encoding { CW_ENCODING_UTF8 = 0, CW_ENCODING_UTF16LE = 1, CW_ENCODING_UTF16BE = 2 } cw_encoding;

enum { CW_GUID_BYTES = 16 };

/* A date is a count of ticks since the start of 1601 (UTC). A time span is a count of ticks. */
#define CW_TICKS_PER_SECOND INT64_C(10000000)           /* a tick has 100 ns */
#define CW_TICKS_TO_1970    INT64_C(116444736000000000) /* ticks from 1601 to 1970 */

/* Reads an unsigned number of 1 to 8 bytes, and writes one. cw_number_write leaves out the higher bits that do not fit.
 * Returns  the number
 * Thread   any */
CW_API uint64_t cw_number_read(const void *data, size_t size_bytes, cw_byte_order order);
CW_API void cw_number_write(void *out, size_t size_bytes, cw_byte_order order, uint64_t number);

/* Converts a GUID between a byte order and RFC 9562's (big-endian), in both directions. The byte order concerns the first
 * three fields only.
 * Thread   any */
CW_API void cw_guid_arrange(uint8_t guid[CW_GUID_BYTES], cw_byte_order order);

/* Converts a text from one encoding to another, or checks it: `from` may be `to`. It neither expects nor writes a byte
 * order mark.
 *   out             NULL if size_bytes is 0, which only measures. If the text does not fit, the content of out is undefined
 *   out_len_bytes   the size of the whole converted text
 *   bad_byte        the place of the first byte that is not valid text: no UTF-8 (RFC 3629), half a unit of UTF-16, or
 *                   a surrogate without its partner
 * Returns  false if the text is not valid; *out_len_bytes is then 0
 * Thread   any */
CW_API bool cw_text_convert(cw_encoding from, const void *data, size_t len_bytes, cw_encoding to, void *out,
                            size_t size_bytes, size_t *out_len_bytes, size_t *bad_byte);

/* ---- Library ------------------------------------------------------------------------------------------ */

/* Return the version of curlwire ("0.1.0"), and of the loaded libcurl ("8.14.1").
 * Returns  constant strings
 * Thread   any */
CW_API const char *cw_version(void);
CW_API const char *cw_libcurl_version(void);

/* Checks whether curlwire can use the loaded libcurl. Connecting makes the same check.
 * Returns  CW_OK
 * Errors   CW_UNSUPPORTED; cw_error_message says how to fix it
 * Thread   any */
CW_API cw_status cw_check_libcurl(void);

/* The facts about this build: name in C, and the key in every language. The texts:
 *   curlwire, libcurl   the versions of curlwire, and of the libcurl that is loaded
 *   libcurl_built       the version of the libcurl that curlwire was built with
 *   libcurl_linked      "embedded" = libcurl is inside curlwire; "system" = a shared library, which the system updates
 *   tls, zlib           the TLS library of libcurl with its version, and the version of zlib; empty = none
 *   authorities         the authorities that a connect without ca_file and ca_path would use now (CW_INFO_AUTHORITIES)
 *   features            the names that cw_build_feature returns, joined by ", " */
#define CW_BUILD_LIST(X)                         \
    X(CW_BUILD_CURLWIRE, "curlwire")             \
    X(CW_BUILD_LIBCURL, "libcurl")               \
    X(CW_BUILD_LIBCURL_BUILT, "libcurl_built")   \
    X(CW_BUILD_LIBCURL_LINKED, "libcurl_linked") \
    X(CW_BUILD_TLS, "tls")                       \
    X(CW_BUILD_ZLIB, "zlib")                     \
    X(CW_BUILD_AUTHORITIES, "authorities")       \
    X(CW_BUILD_FEATURES, "features")

typedef enum cw_build {
#define CW_X(name, key) name,
    CW_BUILD_LIST(CW_X)
#undef CW_X
        CW_BUILD_COUNT
} cw_build;

/* Returns the key of a fact ("libcurl").
 * Returns  a constant string; NULL if no fact has that number
 * Thread   any */
CW_API const char *cw_build_key(cw_build item);

/* Copies a fact about this build. It contains nothing secret. The buffer is filled as by cw_socket_get_info.
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT. CW_BUILD_AUTHORITIES only: CW_CONNECT_FAILED if there are none, as for
 *          cw_socket_connect_start; CW_NO_MEMORY
 * Thread   any */
CW_API cw_status cw_build_get(cw_build item, char *buffer, size_t size_bytes, size_t *len_bytes);

/* Returns the name of a feature that this build has with the loaded libcurl: "ws", "wss", "native-framing",
 * "compression", "https-proxy", "international-names", "ipv6", "shared-authorities", "refusal-body".
 * Returns  a constant string; NULL after the last
 * Thread   any */
CW_API const char *cw_build_feature(size_t number);

/* Names a file of authorities for connects that find none in any other place (docs/tls.md lists the places). A binding
 * calls it after a connect has failed with cw_error_option CW_OPT_CA_FILE, and connects again. Python names the file of
 * its package certifi, which it imports only then.
 *   source   a name of at most 31 bytes for CW_INFO_AUTHORITIES, such as "certifi"; empty = nothing is named any more
 *   path     a PEM file; NULL = there is none, which the error then says. So is a file that cannot be read
 * Returns  CW_OK
 * Errors   CW_INVALID_ARGUMENT; CW_NO_MEMORY
 * Thread   any
 * Owns     the call copies source and path */
CW_API cw_status cw_set_last_authorities(const char *source, size_t source_len_bytes, const char *path,
                                         size_t path_len_bytes);

/* Closes all connections at the end of a program. Open sockets send close code 1001; sockets that are closing may
 * finish. Queued data is sent first; send_timeout of each socket limits how long that may make no progress. When the
 * process exits, the core makes this call with 1 s and writes a line to stderr if data was lost.
 *   timeout_ms   for the closing handshakes; 0 = drop everything
 * Returns  CW_OK
 * Errors   CW_CLOSED: accepted messages did not reach their peer, and no other call has reported it. CW_INTERRUPTED: the
 *          wait hook ended the wait, and the rest was dropped
 * Blocks   until the queued data is sent, and then up to timeout_ms
 * Thread   any; a second caller waits for the first. Later connects work again */
CW_API cw_status cw_shutdown(int timeout_ms);

/* Reads what curlwire has counted in this process: for each member the sum over all sockets that have begun to connect,
 * those that are released too. Of LEAST and MOST it is the least and the most of any socket. A child of fork() counts
 * from 0.
 *   out   as for cw_socket_get_statistics
 * Returns  CW_OK, CW_INVALID_ARGUMENT
 * Thread   any; takes the lock of each socket, one after another. A connect that begins, and the last release of a socket,
 *          wait meanwhile */
CW_API cw_status cw_get_statistics(cw_statistics *out);

/* Read, one after another, how many connections of this process have ended with each close code, and how many connects
 * have failed with each cw_web_status. The codes are those of cw_socket_get_closed.
 *   code, web_status   at first -1; each call sets it to the next number that has been counted
 *   count              set to the number of connections, or of connects
 * Returns  false after the last
 * Thread   any */
CW_API bool cw_count_closed_next(int *code, uint64_t *count);
CW_API bool cw_count_failed_next(int *web_status, uint64_t *count);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* curlwire: WebSocket clients for scripting runtimes. This is the only header that a binding includes.
 *
 * A cw_socket is one WebSocket connection (RFC 6455) made by libcurl. One service thread per process does the
 * I/O, the timers, the pongs and the closing handshake of every socket; it never runs the caller's code. What
 * arrives waits in the socket until the caller takes it: blocking with cw_socket_receive or cw_socket_read, or
 * through a cw_mailbox, which gathers the events of many sockets behind one descriptor for an event loop.
 *
 * Lifetime
 *   1. A create call that failed leaves nothing behind; one that succeeded is owed one release.
 *   2. Release is legal on any thread, in any state, and inside a handler. A socket released while it is open
 *      sends what waits and an empty close frame; the service thread finishes that handshake.
 *   3. Memory goes with the last reference. A call needs one that stays its caller's until it returns, except
 *      the calls that wait: they hold one of their own, so that another thread may release meanwhile.
 *   4. A taken event belongs to its taker until cw_event_free, and may outlive its socket.
 *   5. Pointers got from an event live as long as that event.
 *   6. A socket that was open has exactly one closed event; a connect that failed has none.
 *
 * Threads
 *   Every call may be made from any thread unless its comment says otherwise. No call holds a lock while it
 *   waits. An error return means that no event will follow for that call.
 *   A call that takes the socket's lock may wait for it while another thread, the service's too, works on that socket:
 *   for a step of a TLS handshake, 20 ms, at the most. cw_socket_try_receive never waits, not even for that.
 *
 * Errors
 *   A failed call leaves its details in the calling thread: see cw_error_message and its neighbours. It clears its
 *   results: pointers are set to NULL, numbers and lengths to 0, a text in a buffer to "". Two results stay: sent_count
 *   still counts, and received still has the length of a message that did not fit.
 *
 * After fork() the child may not use sockets of the parent (CW_AFTER_FORK); sockets it makes itself work. */
#ifndef CURLWIRE_H
#define CURLWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CW_VERSION "0.1.0"

/* CW_EMBEDDED: the core is compiled into another library, which shows nothing of it. */
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

/* ---- Status ------------------------------------------------------------------------------------------- */

/* What a call returns: name, value, the text that cw_status_text gives. Zero is success, all else negative. */
#define CW_STATUS_LIST(X)                                             \
    X(CW_OK, 0, "done")                                               \
    /* not now: nothing is wrong with the connection */               \
    X(CW_WOULD_BLOCK, -1, "it would have to wait")                    \
    X(CW_TIMED_OUT, -2, "timed out")                                  \
    X(CW_INTERRUPTED, -3, "interrupted while waiting")                \
    /* the call is wrong: nothing was done */                         \
    X(CW_INVALID_ARGUMENT, -10, "invalid argument")                   \
    X(CW_INVALID_STATE, -11, "not allowed in this state")             \
    X(CW_AFTER_FORK, -12, "the socket belongs to the parent process") \
    /* the connection is not to be had, or no longer */               \
    X(CW_CONNECT_FAILED, -20, "could not connect")                    \
    X(CW_CLOSED, -21, "the connection is closed")                     \
    /* the machine is short of something */                           \
    X(CW_NO_MEMORY, -30, "out of memory")                             \
    X(CW_SYSTEM_ERROR, -31, "the system refused a resource")          \
    X(CW_UNSUPPORTED, -32, "the loaded libcurl cannot do this")

typedef enum cw_status {
#define CW_X(name, value, text) name = value,
    CW_STATUS_LIST(CW_X)
#undef CW_X
} cw_status;

/* WebErrorStatus of Windows.Web, the same names and numbers; HTTP statuses stand for themselves. */
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
#define CW_X(name, value) CW_WEB_##name = value,
    CW_WEB_STATUS_LIST(CW_X)
#undef CW_X
} cw_web_status;

/* Gives the name of a status ("CW_TIMED_OUT"), or its text ("timed out"); "?" for a number that is none.
 * Returns  a constant string
 * Thread   any */
CW_API const char *cw_status_name(cw_status status);
CW_API const char *cw_status_text(cw_status status);

/* Gives the WebErrorStatus name of a number ("CannotConnect"), or NULL where there is none.
 * Returns  a constant string or NULL
 * Thread   any */
CW_API const char *cw_web_status_name(int web_status);

/* The details of the last call in this thread that returned an error. A successful call leaves them alone.
 *   message       one line that says what happened and what to do about it
 *   web_status    the cw_web_status, 0 = unknown
 *   curl_code     libcurl's CURLcode, 0 = none
 *   http_status   the status of the HTTP reply, the server's or a proxy's, that refused the connection, 0 = none
 *   os_errno      errno of the failed system call, 0 = none
 *   option        the cw_option whose limit ended the call (receive_timeout, ping_timeout, max_message_size),
 *                 CW_OPTION_COUNT = none; a binding adds how to raise that limit in its language
 * Returns  the value; the message lives until the next failed call in this thread
 * Thread   any; each thread has its own */
CW_API const char *cw_error_message(void);
CW_API int cw_error_web_status(void);
CW_API int cw_error_curl_code(void);
CW_API int cw_error_http_status(void);
CW_API int cw_error_os_errno(void);
CW_API int cw_error_option(void);

/* ---- Waiting ------------------------------------------------------------------------------------------ */

/* Timeouts are milliseconds: 0 does not wait; these two have names. */
#define CW_TIMEOUT_DEFAULT (-1) /* what the control of that name says */
#define CW_TIMEOUT_NEVER   (-2) /* wait for ever */

/* Gives a time in seconds, 0 or more, as milliseconds: rounded up, so that a short time does not become none; INT_MAX at
 * the most.
 * Thread   any */
CW_API int cw_ms_of_seconds(double seconds);

/* Asked by a waiting call, in the thread that waits, every 50 ms and after each signal, no lock being held.
 * Returns  true to end the wait with CW_INTERRUPTED */
typedef bool (*cw_wait_hook)(void *arg);

/* Sets the hook of the calling thread; NULL takes it away. A runtime uses it to let Ctrl-C through.
 * Thread   sets it for the calling thread only */
CW_API void cw_set_wait_hook(cw_wait_hook hook, void *arg);

/* ---- Socket ------------------------------------------------------------------------------------------- */

typedef enum cw_class {
    CW_MESSAGE_SOCKET = 0, /* MessageWebSocket: whole messages */
    CW_STREAM_SOCKET = 1   /* StreamWebSocket: a flow of bytes in constant memory */
} cw_class;

/* SocketMessageType: the numbers are UWP's. */
typedef enum cw_kind { CW_BINARY = 0, CW_UTF8 = 1 } cw_kind;

/* The extension to offer: permessage-deflate (RFC 7692), or none. */
typedef enum cw_compression { CW_COMPRESSION_NONE = 0, CW_COMPRESSION_DEFLATE = 1 } cw_compression;

typedef enum cw_framing { CW_FRAMING_AUTO = 0, CW_FRAMING_CURL = 1, CW_FRAMING_NATIVE = 2 } cw_framing;

/* MessageWebSocketReceiveMode: the numbers are UWP's. */
typedef enum cw_receive_mode { CW_FULL_MESSAGE = 0, CW_PARTIAL_MESSAGE = 1 } cw_receive_mode;

#define CW_STATE_LIST(X)                                                                    \
    X(CW_STATE_NEW, 0, "new") /* also after a connect that failed: it may be tried again */ \
    X(CW_STATE_CONNECTING, 1, "connecting")                                                 \
    X(CW_STATE_OPEN, 2, "open")                                                             \
    X(CW_STATE_CLOSING, 3, "closing") /* a close frame went out or came in */               \
    X(CW_STATE_CLOSED, 4, "closed")

typedef enum cw_state {
#define CW_X(name, value, text) name = value,
    CW_STATE_LIST(CW_X)
#undef CW_X
} cw_state;

/* Makes a socket in state new, with every control at its default.
 * Returns  CW_OK, CW_NO_MEMORY
 * Owns     *out is owed one cw_socket_release
 * Thread   any */
CW_API cw_status cw_socket_create(cw_class socket_class, cw_socket **out);

/* Takes one more reference, and gives one back; rule 2 says what the last one does. NULL is ignored.
 * Thread   any */
CW_API void cw_socket_retain(cw_socket *s);
CW_API void cw_socket_release(cw_socket *s);

/* What a socket is, and how far it is; cw_state_text gives the word for it ("open").
 * Thread   any; the state may have changed by the time the caller looks at it */
CW_API cw_class cw_socket_class(const cw_socket *s);
CW_API cw_state cw_socket_state(const cw_socket *s);
CW_API const char *cw_state_text(cw_state state);

/* Keeps a pointer of the binding's beside the socket; events find their way back to an object by it.
 * Owns     nothing: the core never looks at it
 * Thread   any; the binding keeps its own uses of it in order */
CW_API void cw_socket_set_user(cw_socket *s, void *user);
CW_API void *cw_socket_user(const cw_socket *s);

/* ---- Control ------------------------------------------------------------------------------------------ */

typedef enum cw_option_type {
    CW_TYPE_BOOL,  /* number 0 or 1 */
    CW_TYPE_COUNT, /* number of bytes; -1 = no limit, where the range allows it */
    CW_TYPE_BITS,  /* number of bits */
    CW_TYPE_MS,    /* number of milliseconds; -1 = for ever (a binding shows seconds and none) */
    CW_TYPE_ENUM,  /* number; its words are in cw_option_words */
    CW_TYPE_TEXT,  /* UTF-8 text; empty = unset */
    CW_TYPE_LIST,  /* tokens, joined by ", " */
    CW_TYPE_BYTES  /* any bytes; empty = unset */
} cw_option_type;

/* The table of controls. The settings of the core, the attributes of the bindings with their texts and types, and the
 * table of docs/controls.md are made of it or compared with it (scripts/controls.py). The columns:
 *   name, key   in C, and everywhere else
 *   type        of the value
 *   default, least, most   of a number; most of CW_TYPE_BYTES is how many bytes it may have
 *   for         BOTH classes, or sockets of the class MESSAGE
 *   words       of a CW_TYPE_ENUM: word i stands for number i
 *   none        what -1 stands for; NULL = it is refused
 *   since       the first libcurl that can do it; NULL = the oldest that we take, 8.14.1
 *   text        one line, without unit, default and none, which are added
 * Once a connect has begun, only message_type can be set. CURLWIRE_FRAMING in the environment changes framing's default. */
/* clang-format off */
#define CW_OPTION_LIST(X) \
    X(CW_OPT_MESSAGE_TYPE, "message_type", CW_TYPE_ENUM, 0, 0, 1, MESSAGE, CW_WORDS("binary", "utf8"), NULL, NULL, \
      "What output_stream and the frame calls send; the only control that may be set while connected") \
    X(CW_OPT_RECEIVE_MODE, "receive_mode", CW_TYPE_ENUM, 0, 0, 1, MESSAGE, CW_WORDS("full", "partial"), NULL, NULL, \
      "Whole messages, or their parts as they come") \
    X(CW_OPT_MAX_MESSAGE_SIZE, "max_message_size", CW_TYPE_COUNT, 67108864, 0, INT64_MAX, MESSAGE, NULL, "no limit", NULL, \
      "A larger message fails the connection with 1009; counts in full mode") \
    X(CW_OPT_SUPPORTED_PROTOCOLS, "supported_protocols", CW_TYPE_LIST, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "Subprotocols to offer, in order of preference") \
    X(CW_OPT_NO_DELAY, "no_delay", CW_TYPE_BOOL, 1, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether small writes go out at once (TCP_NODELAY)") \
    X(CW_OPT_CONNECT_TIMEOUT, "connect_timeout", CW_TYPE_MS, 60000, 0, INT32_MAX, BOTH, NULL, "no limit", NULL, \
      "For all of connecting: name look-up, every address, proxy, TLS, opening handshake") \
    X(CW_OPT_SEND_TIMEOUT, "send_timeout", CW_TYPE_MS, 30000, 0, INT32_MAX, BOTH, NULL, "no limit", NULL, \
      "How long a send may wait while the connection takes no byte") \
    X(CW_OPT_RECEIVE_TIMEOUT, "receive_timeout", CW_TYPE_MS, 30000, 0, INT32_MAX, BOTH, NULL, "no limit", NULL, \
      "Of a blocking receive or read; iterating and handlers wait without a limit") \
    X(CW_OPT_CLOSE_TIMEOUT, "close_timeout", CW_TYPE_MS, 10000, 0, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "Of the closing handshake, which begins when the server's system has all that was sent") \
    X(CW_OPT_PING_INTERVAL, "ping_interval", CW_TYPE_MS, 20000, 0, INT32_MAX, BOTH, NULL, "no pings", NULL, \
      "Time from one keepalive ping to the next, and from the last data to a ping; 0: no pings") \
    X(CW_OPT_PING_TIMEOUT, "ping_timeout", CW_TYPE_MS, 20000, 0, INT32_MAX, BOTH, NULL, "no limit", NULL, \
      "How long nothing may come after a keepalive ping; then the connection counts as lost") \
    X(CW_OPT_CA_FILE, "ca_file", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "PEM file of trusted certificates in place of the system's") \
    X(CW_OPT_CRL_FILE, "crl_file", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "PEM file of revocation lists, one for each authority of the server's chain") \
    X(CW_OPT_VERIFY, "verify", CW_TYPE_BOOL, 1, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether the server's certificate and name are checked; off: ca_file and crl_file do not count") \
    X(CW_OPT_PROXY_CA_FILE, "proxy_ca_file", CW_TYPE_TEXT, 0, 0, 0, BOTH, NULL, NULL, NULL, \
      "PEM file of trusted certificates for a proxy of https://; unset: ca_file, or the system's") \
    X(CW_OPT_PROXY_VERIFY, "proxy_verify", CW_TYPE_BOOL, 1, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether that proxy's certificate and name are checked, whatever verify says") \
    X(CW_OPT_OUTBOUND_BUFFER_SIZE, "outbound_buffer_size", CW_TYPE_COUNT, 0, 0, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "The kernel's send buffer (SO_SNDBUF), which the system may round; 0: it chooses and adapts") \
    X(CW_OPT_INBOUND_BUFFER_SIZE, "inbound_buffer_size", CW_TYPE_COUNT, 4194304, 1024, INT32_MAX, BOTH, NULL, NULL, NULL, \
      "What may wait to be received; above it the socket is not read, and TCP makes the server wait") \
    X(CW_OPT_FRAMING, "framing", CW_TYPE_ENUM, 0, 0, 2, BOTH, CW_WORDS("auto", "curl", "native"), NULL, NULL, \
      "Who makes the frames: libcurl, or we, which is faster; auto: we, where this libcurl lets us") \
    X(CW_OPT_COMPRESSION, "compression", CW_TYPE_ENUM, 0, 0, 1, BOTH, CW_WORDS("none", "deflate"), NULL, "8.21.0", \
      "deflate: offers to compress messages, both ways (RFC 7692); the server decides") \
    X(CW_OPT_SERVER_MAX_WINDOW_BITS, "server_max_window_bits", CW_TYPE_BITS, 15, 8, 15, BOTH, NULL, NULL, NULL, \
      "How far back what the server compresses may refer; less compresses less, in less memory") \
    X(CW_OPT_CLIENT_MAX_WINDOW_BITS, "client_max_window_bits", CW_TYPE_BITS, 15, 8, 15, BOTH, NULL, NULL, NULL, \
      "How far back what we compress may refer; less compresses less, in less memory") \
    X(CW_OPT_SERVER_NO_CONTEXT_TAKEOVER, "server_no_context_takeover", CW_TYPE_BOOL, 0, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether the server must compress each message by itself") \
    X(CW_OPT_CLIENT_NO_CONTEXT_TAKEOVER, "client_no_context_takeover", CW_TYPE_BOOL, 0, 0, 1, BOTH, NULL, NULL, NULL, \
      "Whether we compress each message by itself") \
    X(CW_OPT_COMPRESSION_THRESHOLD, "compression_threshold", CW_TYPE_COUNT, 128, 0, INT64_MAX, BOTH, NULL, NULL, NULL, \
      "Messages of fewer bytes go uncompressed") \
    X(CW_OPT_FRAME_SIZE, "frame_size", CW_TYPE_COUNT, 67108864, 1, INT64_MAX, BOTH, NULL, "no cuts", NULL, \
      "A longer message goes in frames of that size; a pong waits for the one in front of it")
/* clang-format on */

typedef enum cw_option {
#define CW_X(name, ...) name,
    CW_OPTION_LIST(CW_X)
#undef CW_X
        CW_OPTION_COUNT
} cw_option;

/* Describes a control, so that a binding can offer all of them by one table.
 *   words   of a CW_TYPE_ENUM: a NULL-ended array, word i stands for number i; else NULL
 *   applies whether sockets of that class have it (message_type, receive_mode, max_message_size: message only)
 *   default what it is before it is set; 0 for text
 *   range   sets the least and the most value, -1 aside; of bytes, how many there may be; 0 and 0 for text
 *   none    what -1 stands for ("no limit"), or NULL where it is refused
 *   since   the first version of libcurl that can do it ("8.21.0"), or NULL
 *   text    one line, without its unit, default and none
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

/* Sets or reads a control that is a number (bool, count, bits, ms, enum).
 * Returns  CW_OK; CW_INVALID_ARGUMENT out of range or not a number; CW_INVALID_STATE once a connect has begun
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_set_number(cw_socket *s, cw_option option, int64_t value);
CW_API cw_status cw_socket_get_number(cw_socket *s, cw_option option, int64_t *value);

/* Sets a control that is text, a list or bytes. A list is given joined by commas; each item must be a token (RFC 6455 4.1).
 *   value, len_bytes   UTF-8 without NUL, CR, LF; any bytes for CW_TYPE_BYTES
 * Returns  CW_OK; CW_INVALID_ARGUMENT; CW_INVALID_STATE once a connect has begun; CW_NO_MEMORY
 * Owns     value is copied
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_set_text(cw_socket *s, cw_option option, const void *value, size_t len_bytes);

/* Says whether a text can be an item of a control that is a list. A binding whose language has lists asks this of each item
 * before it joins them by ", ".
 * Returns  CW_OK; CW_INVALID_ARGUMENT, without the item: some servers take a secret token as a subprotocol
 * Thread   any */
CW_API cw_status cw_option_check_item(cw_option option, const char *item, size_t len_bytes);

/* Copies a control that is text, a list or bytes, as cw_socket_get_info does: a NUL stands behind bytes too.
 * Returns  CW_OK; CW_INVALID_ARGUMENT if the control is a number
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_get_text(cw_socket *s, cw_option option, void *buffer, size_t size_bytes,
                                    size_t *len_bytes);

/* Sets a header of the opening handshake, in place of all of that name (names are compared without case).
 *   name    a token of at most 100 characters; not Upgrade, Connection, Sec-WebSocket-*, Content-Length,
 *           Transfer-Encoding, Proxy-Authorization, ...
 *   value   at most 256 KiB, and 512 KiB for all headers together; no control characters except tab. Blanks around it
 *           are not sent. An empty one removes the header, also User-Agent and Accept, which are sent by default
 * Returns  CW_OK; CW_INVALID_ARGUMENT, which names the header and does not show its value; CW_INVALID_STATE once a
 *          connect has begun; CW_NO_MEMORY
 * Owns     both are copied
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_set_request_header(cw_socket *s, const char *name, size_t name_len_bytes,
                                              const char *value, size_t value_len_bytes);

/* Adds a header to the opening handshake, beside those of the same name.
 *   name    as above
 *   value   as above, but an empty one is sent as an empty header
 * Returns  as above; CW_INVALID_ARGUMENT also for a second header of a name that a request has once: Host, Origin,
 *          Authorization, Cookie, User-Agent, ...
 * Owns     both are copied
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_add_request_header(cw_socket *s, const char *name, size_t name_len_bytes,
                                              const char *value, size_t value_len_bytes);

/* ---- Information -------------------------------------------------------------------------------------- */

typedef enum cw_info {
    CW_INFO_URI,              /* as given to connect; empty before */
    CW_INFO_PROTOCOL,         /* the subprotocol that the server chose; empty = none */
    CW_INFO_LOCAL_ADDRESS,    /* "127.0.0.1:40000", "[::1]:40000"; empty before connecting */
    CW_INFO_REMOTE_ADDRESS,   /* the same of the peer (of the proxy, where there is one) */
    CW_INFO_RESPONSE_HEADERS, /* lines "Name: value\r\n" of the final reply, also of one that refused */
    CW_INFO_FRAMING, /* "curl", "native", or "mixed": sent natively, received by libcurl; empty before */
    CW_INFO_EXTENSIONS, /* as the server took them on: "permessage-deflate; client_max_window_bits=12"; empty = none */
    CW_INFO_PUBLIC_URI /* the URI without user name, password and query, which may be secrets: for people and logs */
} cw_info;

/* Copies a text that describes the connection. What is there stays readable after close.
 *   buffer, size_bytes   room for the text and a NUL; NULL, 0 to ask for the length
 *   len_bytes            set to the whole length without NUL; if it is not below size_bytes, the copy is cut
 * Returns  CW_OK; CW_INVALID_ARGUMENT
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_get_info(cw_socket *s, cw_info info, char *buffer, size_t size_bytes,
                                    size_t *len_bytes);

/* A header of a reply. Both texts stay where they were read, and do not end in NUL. */
typedef struct cw_header {
    const char *name, *value; /* without blanks around them */
    size_t name_len_bytes, value_len_bytes;
} cw_header;

/* Reads the next header of CW_INFO_RESPONSE_HEADERS. Headers of one name may be several.
 *   at    where to begin: the text at first; set to what comes behind the header
 *   end   of the text
 * Returns  true, or false after the last
 * Thread   any */
CW_API bool cw_header_next(const char **at, const char *end, cw_header *out);

/* How the connection ended. code: the peer's, 1005 if its close frame had none, 1006 if the connection was
 * lost or the peer broke the protocol (reason then says how), 0 while it has not ended.
 *   reason, size_bytes   UTF-8 text, at most 123 bytes, cut to fit and NUL-ended
 * Returns  whether both close frames were exchanged
 * Thread   any; takes the socket's lock */
CW_API bool cw_socket_get_closed(cw_socket *s, int *code, char *reason, size_t size_bytes);

/* Whether reading may end here without an error. A binding asks this where an iteration over messages has met
 * CW_CLOSED; cw_socket_read follows the same rule by itself. The close code decides, not was_clean.
 * Returns  true after a close or an abort by this program, and after the peer's close frame with 1000, or with no code
 *          (1005), and on a message socket with 1001 too. false if that close frame came in the middle of a message, after
 *          every other code, after a lost connection, and while the connection is open
 * Thread   any; takes the socket's lock */
CW_API bool cw_socket_ended_normally(cw_socket *s);

/* ---- Connecting --------------------------------------------------------------------------------------- */

/* Begins to connect; the service thread does the work. The result: cw_socket_wait_connected, or an event.
 *   uri          UTF-8: ws:// or wss://, without fragment. What is not ASCII in the user name, password, path and query
 *                goes out percent-encoded, also the characters "<>^`{|} there and \ in the query; a % stays as it is and
 *                needs two hex digits after it. The host is ASCII. At most 128 KiB, percent-encoded
 *   timeout_ms   for all of it; CW_TIMEOUT_DEFAULT = connect_timeout
 * Returns  CW_OK: under way. CW_INVALID_ARGUMENT for the URI; CW_INVALID_STATE unless new;
 *          CW_UNSUPPORTED if the loaded libcurl is older than 8.14.1, lacks ws, or is too old for the framing or
 *          the compression that was asked for; CW_CONNECT_FAILED (web status UnexpectedClientError) for a malformed proxy
 *          in the environment; CW_NO_MEMORY, CW_SYSTEM_ERROR
 * Owns     uri is copied
 * Thread   any; takes the socket's lock
 * Source   RFC 6455 section 4.1 */
CW_API cw_status cw_socket_connect_start(cw_socket *s, const char *uri, size_t uri_len_bytes, int timeout_ms);

/* Waits for the end of connecting.
 *   timeout_ms   CW_TIMEOUT_NEVER waits as long as the connect itself may take
 * Returns  CW_OK: open (or it was and has ended since); CW_CONNECT_FAILED with the details (cancelled: web
 *          status OperationCanceled); CW_NO_MEMORY, CW_SYSTEM_ERROR: the same, for want of memory or of a
 *          descriptor; CW_TIMED_OUT: still connecting; CW_INTERRUPTED: still connecting
 * Thread   any */
CW_API cw_status cw_socket_wait_connected(cw_socket *s, int timeout_ms);

/* cw_socket_connect_start and cw_socket_wait_connected in one. Interrupted, it cancels the connect.
 * Returns  as those two
 * Thread   any */
CW_API cw_status cw_socket_connect(cw_socket *s, const char *uri, int timeout_ms);

/* ---- Sending ------------------------------------------------------------------------------------------ */

/* Sends one message. When it returns CW_OK, the kernel has taken every byte of it.
 * With timeout_ms = 0 it does not wait: what the kernel does not take at once is queued in the socket, and the service
 * thread writes it. Over wss and through a proxy, it is queued too while libcurl is busy with another connection. An empty queue takes a message of any size; else CW_WOULD_BLOCK if the queue would grow beyond 256 KiB.
 * The queue is written also after close and release and at the end of the program, as long as that makes progress.
 * Inside a batch (cw_socket_batch_begin) CW_OK may also mean that the message waits for the end of the batch.
 *   kind         CW_UTF8: data must be UTF-8
 *   data         NULL, 0 for an empty message, which a stream socket does not send
 *   timeout_ms   time without progress; 0 = do not wait; CW_TIMEOUT_DEFAULT = send_timeout
 * Returns  CW_OK; CW_WOULD_BLOCK, CW_TIMED_OUT or CW_INTERRUPTED with nothing sent (if a part is out already,
 *          the connection is dropped and it says CW_CLOSED with web status Timeout or OperationCanceled);
 *          CW_CLOSED once closing began; CW_INVALID_STATE before connect, or inside a message that is being
 *          sent in fragments; CW_INVALID_ARGUMENT if it is not UTF-8; CW_NO_MEMORY with nothing sent
 * Owns     data is copied or written before return; the caller keeps it
 * Thread   any, also inside a handler; takes the socket's lock; sends of several threads never interleave
 * Source   RFC 6455 section 5.6 */
CW_API cw_status cw_socket_send(cw_socket *s, cw_kind kind, const void *data, size_t len_bytes, int timeout_ms);

typedef struct cw_message {
    cw_kind kind;
    const void *data;
    size_t len_bytes;
} cw_message;

/* Sends messages as cw_socket_send would one after another, small ones many in one write. It stops at the first that
 * cannot be sent.
 *   timeout_ms   time without progress, of each; 0 = do not wait
 *   sent_count   set to the number of messages that are sent, as cw_socket_send sends; the others are not, in no
 *                part
 * Returns  CW_OK: all are; else what cw_socket_send would for the first that is not. CW_CLOSED: what was counted may
 *          be lost with the connection, as after any send
 * Owns     data is copied or written before return; the caller keeps it
 * Thread   any, also inside a handler; takes the socket's lock; messages of other threads may go between */
CW_API cw_status cw_socket_send_many(cw_socket *s, const cw_message *messages, size_t count, int timeout_ms,
                                     size_t *sent_count);

/* Begins a batch: small messages (up to 32 KiB together) are held back and written by one system call. They go out when
 * no more fit, when a control frame or a larger message follows, when a call waits to receive, at cw_socket_flush, close
 * and release, and at the latest when the batch ends. With libcurl's framing nothing is held back. Batches of several
 * threads, or one inside another, count as one batch; the last call of cw_socket_batch_end ends it.
 * Returns  CW_OK; CW_INVALID_STATE before connect; CW_CLOSED
 * Owns     a begin that returned CW_OK is owed one end
 * Thread   any; takes the socket's lock; messages that other threads send meanwhile are part of the batch */
CW_API cw_status cw_socket_batch_begin(cw_socket *s);

/* Ends a batch and waits, as cw_socket_flush, until the kernel has taken all of it.
 *   timeout_ms   time without progress; CW_TIMEOUT_DEFAULT = send_timeout
 * Returns  as cw_socket_flush; CW_INVALID_STATE if no batch is open
 * Thread   any */
CW_API cw_status cw_socket_batch_end(cw_socket *s, int timeout_ms);

/* Sends one fragment of a message; the last has is_final. A text may be cut anywhere between fragments. After
 * a call that failed, the message is as it was before the call.
 * Returns, Owns, Thread   as cw_socket_send
 * Source   RFC 6455 section 5.4 */
CW_API cw_status cw_socket_send_fragment(cw_socket *s, cw_kind kind, const void *data, size_t len_bytes,
                                         bool is_final, int timeout_ms);

/* Waits until nothing waits in the socket to be sent.
 *   timeout_ms   time without progress; CW_TIMEOUT_DEFAULT = send_timeout
 * Returns  CW_OK; CW_TIMED_OUT or CW_INTERRUPTED, and what waits is still to be sent; CW_CLOSED once closing
 *          began, by either side: what waits then goes before our close frame, or is lost with the connection;
 *          CW_INVALID_STATE
 * Thread   any */
CW_API cw_status cw_socket_flush(cw_socket *s, int timeout_ms);

/* Sends a ping and waits for its pong.
 *   timeout_ms   CW_TIMEOUT_DEFAULT = ping_timeout
 *   rtt_us       set to the round trip in microseconds; may be NULL
 * Returns  CW_OK, also where the pong came while the wait hook was ending the wait; CW_TIMED_OUT; CW_INTERRUPTED;
 *          CW_CLOSED; CW_INVALID_STATE; CW_WOULD_BLOCK if 64 wait already
 * Thread   any; several may wait at once
 * Source   RFC 6455 section 5.5.2 */
CW_API cw_status cw_socket_ping(cw_socket *s, int timeout_ms, int64_t *rtt_us);

/* ---- Receiving ---------------------------------------------------------------------------------------- */

/* Takes the next message, or part in partial mode. While it waits, the calling thread polls the connection.
 *   timeout_ms   CW_TIMEOUT_DEFAULT = receive_timeout
 *   out          set to an event of type CW_EVENT_MESSAGE
 * Returns  CW_OK; CW_TIMED_OUT; CW_INTERRUPTED; CW_CLOSED at the end (messages that came before a lost
 *          connection or the peer's close are given out first; after a local close none are); CW_INVALID_STATE
 *          before connect, on a stream socket, or if messages go to a mailbox; CW_NO_MEMORY
 * Owns     *out is the caller's, until cw_event_free
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_receive(cw_socket *s, int timeout_ms, cw_event **out);

/* The same, but it never waits, neither for the socket's lock nor for libcurl while that is busy with another
 * connection: a runtime may call it holding its own lock.
 * Returns  CW_OK; CW_WOULD_BLOCK: ask cw_socket_receive for the answer; there may be a message all the same
 * Owns     *out is the caller's, until cw_event_free
 * Thread   any */
CW_API cw_status cw_socket_try_receive(cw_socket *s, cw_event **out);

typedef struct cw_received {
    size_t len_bytes;
    cw_kind kind;
    bool is_complete; /* false for a part that is not the last, in partial mode */
} cw_received;

/* The same as cw_socket_receive, into memory of the caller's: a message that begins to arrive during the call, in one
 * frame, is read straight to there.
 *   received   set to what it is; its length also where it does not fit
 * Returns  as cw_socket_receive; CW_INVALID_ARGUMENT if the message is longer than size_bytes: it stays the next one.
 *          A call that fails has lost nothing, but the buffer may have been written to. CW_INTERRUPTED: also where the
 *          message was completed while the wait hook was ending the wait; it is the next one
 * Owns     the buffer is used until the call returns
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_receive_into(cw_socket *s, void *buffer, size_t size_bytes, int timeout_ms,
                                        cw_received *received);

/* As cw_socket_receive and cw_socket_try_receive, but they may return when a large binary message (64 KiB up to
 * inbound_buffer_size) only begins to arrive, so that its taker can make room of its own and have the message by
 * cw_socket_receive_into. Codec native only: by libcurl's decoder messages come whole.
 *   coming_bytes   0, or the length of that message, which is the next one, and *out is NULL
 * Thread   any; if several threads receive, another may take that message first */
CW_API cw_status cw_socket_receive_begin(cw_socket *s, int timeout_ms, cw_event **out, size_t *coming_bytes);
CW_API cw_status cw_socket_try_receive_begin(cw_socket *s, cw_event **out, size_t *coming_bytes);

/* Gives a message back that was taken from this socket: it is the next one again, here or in its mailbox. For a taker that
 * has no memory for what it makes of it. Several go back in the opposite order.
 * Owns     the event is the core's, whatever the state of the socket; after a local close it is freed
 * Thread   any; takes the socket's lock */
CW_API void cw_socket_put_back(cw_socket *s, cw_event *e);

/* Reads from a stream socket: as soon as there are bytes, as many as there are, over message boundaries.
 *   len_bytes   set to their number; 0 with CW_OK is the end: this program closed, or the peer closed with 1000 or no
 *               code, between two messages
 * Returns  CW_OK; CW_TIMED_OUT; CW_INTERRUPTED; CW_CLOSED after every other end, because what came may be incomplete.
 *          Bytes that came before the end are given out first. CW_INVALID_STATE before connect or on a message
 *          socket; CW_NO_MEMORY
 * Thread   any; one reader at a time makes sense of the bytes; takes the socket's lock */
CW_API cw_status cw_socket_read(cw_socket *s, void *buffer, size_t size_bytes, int timeout_ms,
                                size_t *len_bytes);

/* Gives bytes back that cw_socket_read gave: they are the next ones to be read. For a reader that gathers more than one
 * read and is interrupted. Several pieces go back in the opposite order.
 * Returns  CW_OK, also after a local close, which drops them; CW_INVALID_STATE on a message socket; CW_NO_MEMORY;
 *          CW_AFTER_FORK
 * Owns     data is copied
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_unread(cw_socket *s, const void *data, size_t len_bytes);

/* ---- Closing ------------------------------------------------------------------------------------------ */

/* The codes that an endpoint may send, for errors about another one. */
#define CW_CLOSE_CODES "1000-1003, 1007-1014, 3000-4999, or 1005 for none"

/* Begins the closing handshake and returns at once: what waits to be sent goes first, then the close frame. close_timeout
 * begins when the peer's system has all that was sent (where the system tells: Linux, macOS, FreeBSD).
 * Blocked calls of other threads end with CW_CLOSED (cw_socket_read: 0 bytes); no further message is given
 * out. While connecting, it cancels that. Closing again does nothing.
 *   code       1000-1003, 1007-1014, 3000-4999; 1005 sends an empty close frame
 *   reason     UTF-8, at most 123 bytes; must be empty with 1005
 * Returns  CW_OK; CW_INVALID_ARGUMENT
 * Owns     reason is copied
 * Thread   any, also inside a handler
 * Source   RFC 6455 sections 5.5.1, 7.1.2, 7.4 */
CW_API cw_status cw_socket_close(cw_socket *s, int code, const char *reason, size_t reason_len_bytes);

/* Waits for the end of the connection. After cw_socket_close what was sent goes out first, as long as that makes progress
 * (send_timeout bounds a time without any; 30 s if it is 0 or has no limit). close_timeout bounds the rest.
 *   timeout_ms   CW_TIMEOUT_DEFAULT, CW_TIMEOUT_NEVER: as long as it takes
 * Returns  CW_OK: closed (at once for a socket that was never open), and nothing that was sent is known to be lost;
 *          CW_CLOSED: closed, and messages that were accepted did not reach the peer (the message says how many bytes at
 *          most); CW_TIMED_OUT; CW_INTERRUPTED
 * Thread   any */
CW_API cw_status cw_socket_wait_closed(cw_socket *s, int timeout_ms);

/* Drops the connection, without closing handshake, and what waits to be sent with it.
 * Thread   any, also inside a handler */
CW_API void cw_socket_abort(cw_socket *s);

/* ---- Events ------------------------------------------------------------------------------------------- */

typedef enum cw_event_type {
    CW_EVENT_MESSAGE = 1,        /* a message, or a part of one */
    CW_EVENT_CLOSED = 2,         /* the connection has ended; the last event of a socket */
    CW_EVENT_WRITABLE = 4,       /* there is room again after a send that said CW_WOULD_BLOCK */
    CW_EVENT_CONNECTED = 8,      /* cw_socket_connect_start went well */
    CW_EVENT_CONNECT_FAILED = 16 /* it did not: cw_socket_wait_connected has the details */
} cw_event_type;

#define CW_EVENTS_ALL 31u

/* What an event holds. The payload is writable by nobody.
 *   socket         of an event from a mailbox: borrowed, valid until cw_event_free; NULL from a receive. The event is no
 *                  reference: the last cw_socket_release closes the connection all the same
 *   is_complete    the message, or its last part
 *   is_part        it came in partial mode: text may end inside a character
 *   data           payload of CW_EVENT_MESSAGE, not NUL-ended; reason of CW_EVENT_CLOSED
 *   close_code, was_clean   of CW_EVENT_CLOSED, as cw_socket_get_closed
 * Thread   any, one at a time per event */
CW_API cw_event_type cw_event_get_type(const cw_event *e);
CW_API cw_socket *cw_event_socket(const cw_event *e);
CW_API cw_kind cw_event_kind(const cw_event *e);
CW_API bool cw_event_is_complete(const cw_event *e);
CW_API bool cw_event_is_part(const cw_event *e);
CW_API const void *cw_event_data(const cw_event *e, size_t *len_bytes);
CW_API int cw_event_close_code(const cw_event *e);
CW_API bool cw_event_was_clean(const cw_event *e);

/* Frees an event. NULL is ignored.
 * Thread   any */
CW_API void cw_event_free(cw_event *e);

/* ---- Mailbox ------------------------------------------------------------------------------------------ */

/* Makes a mailbox: the events of the sockets that subscribe to it, behind one descriptor.
 * Returns  CW_OK, CW_NO_MEMORY, CW_SYSTEM_ERROR
 * Owns     *out is owed one cw_mailbox_release; each subscribed socket holds a reference too
 * Thread   any */
CW_API cw_status cw_mailbox_create(cw_mailbox **out);
CW_API void cw_mailbox_release(cw_mailbox *m);

/* The descriptor that is readable while events wait. For polling only: do not read it.
 * Thread   any */
CW_API int cw_mailbox_fd(const cw_mailbox *m);

/* Sends the events of a socket to a mailbox, those that wait already included. Messages that are not
 * subscribed to stay with cw_socket_receive. The first mailbox that a socket subscribes to is bound to it for good.
 *   m            NULL ends the subscription, and leaves the socket bound
 *   event_mask   cw_event_type bits
 * Returns  CW_OK; CW_INVALID_STATE for messages of a stream socket, or if the socket is bound to another mailbox;
 *          CW_AFTER_FORK
 * Thread   any; takes the socket's lock */
CW_API cw_status cw_socket_subscribe(cw_socket *s, cw_mailbox *m, unsigned event_mask);

/* Takes the next event, the sockets taking turns. The events of one socket come in order.
 *   timeout_ms   0, more, or CW_TIMEOUT_NEVER
 * Returns  CW_OK; CW_TIMED_OUT (also for 0); CW_INTERRUPTED: by the wait hook, by cw_mailbox_wake, or because the
 *          mailbox was released meanwhile; CW_NO_MEMORY: the event stays
 * Owns     *out is the caller's, until cw_event_free
 * Thread   any, one at a time per mailbox if handlers must not overlap; takes the lock of each socket that it looks at */
CW_API cw_status cw_mailbox_take(cw_mailbox *m, int timeout_ms, cw_event **out);

/* Ends a cw_mailbox_take that waits, or the next one that would.
 * Thread   any */
CW_API void cw_mailbox_wake(cw_mailbox *m);

/* ---- Library ------------------------------------------------------------------------------------------ */

/* The version of curlwire ("0.1.0"), and of the libcurl that is loaded ("8.14.1").
 * Returns  constant strings
 * Thread   any */
CW_API const char *cw_version(void);
CW_API const char *cw_libcurl_version(void);

/* Says whether the loaded libcurl will do; connect says the same.
 * Returns  CW_OK; CW_UNSUPPORTED with the mend in cw_error_message
 * Thread   any */
CW_API cw_status cw_check_libcurl(void);

/* Ends what is going on, at the end of a program: open sockets send 1001 and are closed; those that are
 * closing may finish. What was sent goes out first, as long as that makes progress (send_timeout of each socket bounds a
 * time without any). The end of the process calls it with 1 s, and writes a line to stderr if something was lost.
 *   timeout_ms   for the closing handshakes; 0 = drop everything
 * Returns  CW_OK; CW_CLOSED: accepted messages did not reach their peer, and no call had said so yet; CW_INTERRUPTED by
 *          the wait hook: the rest was dropped
 * Thread   any; a second caller waits for the first; later connects work again */
CW_API cw_status cw_shutdown(int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif

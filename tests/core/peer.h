/* SPDX-License-Identifier: MIT */
/* What the core's tests use to reach the servers of the tests. It has the addresses, from the environment that
 * tests/servers/run.py sets, and URIs with scripts. It also has the scripted server's record of the bytes that
 * it received, and common steps. If the environment is missing, the test fails. To see what a thread waits for,
 * tests look at the socket (socket.h), not at the clock. */
#ifndef PEER_H
#define PEER_H

#include "harness.h"
#include "socket/socket.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>

enum { PEER_LIMIT_S = 60, PEER_URI_BYTES = 64 * 1024 };

/* Waits until a condition holds. Fails the test if the condition never holds. */
#define UNTIL(condition)                                                \
    do {                                                                \
        int64_t peer_until_ms = cw__now_ms() + 1000 * PEER_LIMIT_S / 3; \
        while (!(condition)) {                                          \
            if (cw__now_ms() > peer_until_ms)                           \
                HARNESS_FAIL("never true: %s", #condition);             \
            (void)poll(NULL, 0, 1);                                     \
        }                                                               \
        atomic_fetch_add(&harness_checks, 1);                           \
    } while (0)

#define CHECK_STATUS(is, wanted)                                                                 \
    do {                                                                                         \
        cw_status peer_is = (is), peer_wanted = (wanted);                                        \
        atomic_fetch_add(&harness_checks, 1);                                                    \
        if (peer_is != peer_wanted)                                                              \
            HARNESS_FAIL("%s is %s, wanted %s (latest error: %s)", #is, cw_status_name(peer_is), \
                         cw_status_name(peer_wanted), cw_error_message());                       \
    } while (0)

#define CHECK_HAS(text, wanted)                                                        \
    do {                                                                               \
        const char *peer_text = (text), *peer_part = (wanted);                         \
        atomic_fetch_add(&harness_checks, 1);                                          \
        if (!strstr(peer_text, peer_part))                                             \
            HARNESS_FAIL("\"%s\" is not in %s: %.2000s", peer_part, #text, peer_text); \
    } while (0)

static inline const char *peer_env(const char *name)
{
    const char *value = getenv(name);

    if (!value || !*value)
        HARNESS_FAIL("%s is not set: run this by tests/servers/run.py", name);
    return value;
}

/* ---- The scripted server: tests/servers/scripted.py describes it ---- */

static char peer_token[48]; /* the token of the latest script */
static char peer_uri[PEER_URI_BYTES];

static inline const char *peer_build(const char *base, const char *format, va_list arguments)
{
    static unsigned number;
    int len = snprintf(peer_uri, sizeof peer_uri, "%s/s/", peer_env(base));

    (void)snprintf(peer_token, sizeof peer_token, "%d-%u-%" PRId64, (int)getpid(), ++number, cw__now_us());
    len += vsnprintf(peer_uri + len, sizeof peer_uri - (size_t)len, format, arguments);
    if ((size_t)len + sizeof peer_token + 4 >= sizeof peer_uri)
        HARNESS_FAIL("the script is too long");
    (void)snprintf(peer_uri + len, sizeof peer_uri - (size_t)len, "?id=%s", peer_token);
    return peer_uri;
}

/* Returns the URI of a script of steps. It is valid until the next call. */
__attribute__((format(printf, 1, 2))) static inline const char *peer_script(const char *steps, ...)
{
    va_list arguments;
    const char *uri;

    va_start(arguments, steps);
    uri = peer_build("CW_SCRIPT_WS", steps, arguments);
    va_end(arguments);
    return uri;
}

/* As script_uri, over TLS. */
__attribute__((format(printf, 1, 2))) static inline const char *peer_script_tls(const char *steps, ...)
{
    va_list arguments;
    const char *uri;

    va_start(arguments, steps);
    uri = peer_build("CW_SCRIPT_WSS", steps, arguments);
    va_end(arguments);
    return uri;
}

/* Writes bytes as hexadecimal for a step. Up to four results are valid at the same time. */
static inline const char *peer_hex(const char *text)
{
    static char results[4][8192];
    static unsigned turn;
    char *out = results[turn++ % 4];

    *out = '\0';
    for (size_t i = 0; text[i] && 2 * i + 2 < sizeof results[0]; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", (unsigned char)text[i]);
    return out;
}

/* Asks the scripted server for something about a connection. Returns the answer, valid until the next call. */
static inline const char *peer_ask(const char *what, const char *token)
{
    static char *text; /* the C library's: the test counts the core's blocks */
    const char *port = strrchr(peer_env("CW_PLAIN_HTTP"), ':');
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port + 1))};
    size_t len = 0, room = 1 << 16;
    ssize_t got;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char request[128];
    int request_bytes = snprintf(request, sizeof request, "GET /%s/%s HTTP/1.1\r\n\r\n", what, token);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        write(fd, request, (size_t)request_bytes) != request_bytes)
        HARNESS_FAIL("the scripted server does not answer");
    free(text);
    text = malloc(room + 1);
    while (text && (got = read(fd, text + len, room - len)) > 0) {
        len += (size_t)got;
        if (len == room)
            text = realloc(text, (room *= 2) + 1);
    }
    (void)close(fd);
    if (!text || len == 0)
        HARNESS_FAIL("no answer to %s", request);
    text[len] = '\0';
    return strstr(text, "\r\n\r\n") ? strstr(text, "\r\n\r\n") + 4 : text;
}

/* Returns the record of a connection that has ended, as JSON text. It is valid until the next call. */
static inline const char *peer_log_of(const char *token) { return peer_ask("log", token); }
static inline const char *peer_log(void) { return peer_log_of(peer_token); }

/* Lets the latest script pass its step "gate". */
static inline void peer_go(void) { (void)peer_ask("go", peer_token); }

typedef struct peer_frame {
    int opcode, rsv;
    bool fin, masked;
    unsigned long length;
    const char *payload; /* hexadecimal digits up to a quote */
} peer_frame;

/* Finds the n-th frame that the client sent. */
static inline bool peer_get_frame(const char *log, size_t n, peer_frame *out)
{
    const char *at = log;
    char fin[8], masked[8];

    for (size_t i = 0; at && i <= n; i++)
        at = strstr(at + (i > 0), "{\"opcode\"");
    if (!at ||
        sscanf(at, "{\"opcode\": %d, \"fin\": %7[a-z], \"rsv\": %d, \"masked\": %7[a-z], \"length\": %lu",
               &out->opcode, fin, &out->rsv, masked, &out->length) != 5)
        return false;
    out->fin = fin[0] == 't';
    out->masked = masked[0] == 't';
    out->payload = strstr(at, "\"payload\": \"") + 12;
    return true;
}

/* Counts the frames of an opcode; -1 counts all. */
static inline size_t peer_count_frames(const char *log, int opcode)
{
    size_t count = 0;
    peer_frame f;

    for (size_t n = 0; peer_get_frame(log, n, &f); n++)
        count += opcode < 0 || f.opcode == opcode;
    return count;
}

/* Checks that the client sent one binary message in frame_count frames of at most most_bytes each, and a close frame.
 * Returns the bytes of the message. */
static inline uint64_t peer_check_frames(const char *log, size_t frame_count, uint64_t most_bytes)
{
    uint64_t total_bytes = 0;
    peer_frame f;

    CHECK_INT(peer_count_frames(log, -1), frame_count + 1);
    for (size_t n = 0; n < frame_count; n++) {
        CHECK(peer_get_frame(log, n, &f));
        CHECK_INT(f.opcode, n == 0 ? CW__OP_BINARY : CW__OP_CONTINUATION);
        CHECK_INT(f.fin, n == frame_count - 1);
        CHECK(f.length <= most_bytes);
        total_bytes += f.length;
    }
    return total_bytes;
}

/* Returns the code of the client's last close frame: 1005 if it was empty, 0 if there was none. */
static inline int peer_close_code(const char *log)
{
    unsigned code = 0;
    peer_frame f;

    for (size_t n = 0; peer_get_frame(log, n, &f); n++)
        if (f.opcode == CW__OP_CLOSE && (f.length == 0 || sscanf(f.payload, "%4x", &code) != 1))
            code = 1005;
    return (int)code;
}

/* ---- Steps of the client ---- */

static inline cw_socket *peer_socket(cw_class socket_class)
{
    cw_socket *s = NULL;

    CHECK_STATUS(cw_socket_create(socket_class, &s), CW_OK);
    return s;
}

static inline cw_status peer_try_connect(cw_socket *s, const char *uri, int timeout_ms)
{
    return cw_socket_connect(s, uri, strlen(uri), timeout_ms);
}

static inline void peer_connect(cw_socket *s, const char *uri)
{
    if (strncmp(uri, "wss:", 4) == 0)
        (void)cw_socket_set_text(s, CW_OPT_CA_FILE, peer_env("CW_CA_FILE"), strlen(peer_env("CW_CA_FILE")));
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_OK);
}

static inline cw_socket *peer_open(cw_class socket_class, const char *uri)
{
    cw_socket *s = peer_socket(socket_class);

    peer_connect(s, uri);
    return s;
}

/* Takes the next message and checks its type and bytes. */
#define CHECK_MESSAGE(s, wanted_type, wanted, wanted_bytes)                             \
    do {                                                                                \
        cw_event *peer_event = NULL;                                                    \
        size_t peer_bytes;                                                              \
        CHECK_STATUS(cw_socket_receive((s), CW_TIMEOUT_DEFAULT, &peer_event), CW_OK);   \
        CHECK_INT(cw_event_message_type(peer_event), wanted_type);                      \
        (void)cw_event_data(peer_event, &peer_bytes);                                   \
        CHECK_BYTES(cw_event_data(peer_event, NULL), peer_bytes, wanted, wanted_bytes); \
        cw_event_free(peer_event);                                                      \
    } while (0)

/* Waits for a message that never comes. A thread opens its wake-up descriptor when it first polls, and keeps it.
 * Whether a receive has to poll depends on chance. So a test that counts descriptors calls this first. */
static inline void peer_wait_in_vain(cw_socket *s)
{
    cw_event *e = NULL;

    CHECK_STATUS(cw_socket_receive(s, 1, &e), CW_TIMED_OUT);
}

/* Waits for the end of the connection and checks how it ended. */
#define CHECK_CLOSED(s, wanted_code, wanted_clean)                                                            \
    do {                                                                                                      \
        int peer_code;                                                                                        \
        bool peer_clean;                                                                                      \
        char peer_reason[256];                                                                                \
        CHECK_STATUS(cw_socket_wait_closed((s), CW_TIMEOUT_NEVER), CW_OK);                                    \
        peer_clean = cw_socket_get_closed((s), &peer_code, peer_reason, sizeof peer_reason, NULL);            \
        if (peer_code != (wanted_code) || peer_clean != (wanted_clean))                                       \
            HARNESS_FAIL("closed with %d \"%s\", %sclean", peer_code, peer_reason, peer_clean ? "" : "not "); \
    } while (0)

/* Returns whether a thread waits or polls inside a call. */
static inline bool peer_is_blocked(cw_socket *s)
{
    bool is_blocked;

    cw__mutex_lock(&s->lock);
    is_blocked = s->waiting_count > 0 || s->polling_count > 0;
    cw__mutex_unlock(&s->lock);
    return is_blocked;
}

/* Releases a socket whose server would not answer a close frame. */
static inline void peer_drop(cw_socket *s)
{
    cw_socket_abort(s);
    cw_socket_release(s);
}

/* Ends a test: frees everything, so that the harness finds blocks that remain. */
static inline void peer_finish(cw_socket *s)
{
    cw_socket_release(s);
    cw_shutdown(5000);
}

#define PEER_MAIN(argc, argv, tests) (harness_limit_s = PEER_LIMIT_S, HARNESS_MAIN(argc, argv, tests))

#endif

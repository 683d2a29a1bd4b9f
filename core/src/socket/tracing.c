/* SPDX-License-Identifier: MIT */
/* Tracing: makes the lines of a trace (protocol/trace.c writes and masks them), and gives them to a file, to the mailbox, or to
 * both. Whoever acts on the connection writes its lines, also the service thread. So a file is a regular file, which never
 * makes a writer wait for a reader. Each line is one write at the end of the file, so several sockets may use one file.
 *
 * Bounds: lines wait for the mailbox up to QUEUE_BYTES. A write that fails ends the trace in the file.
 *
 * Safety: under the socket's lock. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "socket.h"

enum { QUEUE_BYTES = 256 * 1024, START_BYTES = 64, US_PER_S = 1000000, PRIVATE_FILE = 0600 };

struct cw__tracing {
    int fd;                 /* of trace_file; -1 = none */
    unsigned number;        /* of the socket, in each line */
    uint64_t lost;          /* lines that were not written or not taken */
    uint64_t untold;        /* the part of them of which no line in the queue tells */
    cw_event *first, *last; /* lines that wait for the mailbox */
    size_t queue_bytes;
    cw__trace_heads heads;
    bool is_sending; /* the line about the frame that is being sent has been written */
    size_t shown_bytes;
    uint8_t shown[CW__TRACE_PAYLOAD_MOST]; /* the first bytes of the frame that is being received */
};

/* ---- Giving lines away ---- */

static bool is_subscribed(const cw_socket *s) { return (s->event_mask & CW_EVENT_TRACE) != 0; }

/* Appends an event to the queue of the mailbox. Returns false if there is no memory. */
static bool queue(cw_socket *s, const char *text, size_t len_bytes)
{
    struct cw__tracing *t = s->tracing;
    cw_event *e = cw__event_create(CW_EVENT_TRACE, len_bytes);

    if (!e)
        return false;
    memcpy(e->data, text, len_bytes);
    e->len_bytes = len_bytes;
    if (t->last)
        t->last->next = e;
    else
        t->first = e;
    t->last = e;
    t->queue_bytes += sizeof *e + len_bytes;
    cw__mailbox_list(s->mailbox, &s->subscriber);
    return true;
}

/* Says in the queue how many lines have been dropped. */
static void tell_dropped(cw_socket *s)
{
    cw__trace_line line = {0};
    char number[START_BYTES];

    (void)snprintf(number, sizeof number, "#%u * curlwire: %llu ", s->tracing->number,
                   (unsigned long long)s->tracing->untold);
    cw__trace_add(&line, number);
    cw__trace_add(&line, "lines were dropped, because nobody took them in time");
    if (queue(s, line.text, line.len_bytes))
        s->tracing->untold = 0;
}

static void give_to_mailbox(cw_socket *s, const char *text, size_t len_bytes)
{
    struct cw__tracing *t = s->tracing;

    if (!is_subscribed(s))
        return;
    if (t->queue_bytes < QUEUE_BYTES && t->untold > 0)
        tell_dropped(s);
    if (t->queue_bytes >= QUEUE_BYTES || !queue(s, text, len_bytes)) {
        t->lost++;
        t->untold++;
    }
}

/* Writes a line to the file. After a write that failed, or that wrote only a part, nothing more is written. */
static void give_to_file(cw_socket *s, char *text, size_t len_bytes)
{
    struct cw__tracing *t = s->tracing;
    ssize_t written;

    if (t->fd < 0) {
        t->lost += *cw__setting_text(s, CW_OPT_TRACE_FILE) != '\0';
        return;
    }
    text[len_bytes] = '\n';
    do
        written = write(t->fd, text, len_bytes + 1);
    while (written < 0 && errno == EINTR);
    text[len_bytes] = '\0';
    if (written == (ssize_t)len_bytes + 1)
        return;
    (void)close(t->fd);
    t->fd = -1;
    t->lost++;
}

/* Puts the time and the socket before a line, and gives it away. Returns false if the file could not be written. */
static bool give_once(cw_socket *s, const cw__trace_line *line)
{
    char text[START_BYTES + CW__TRACE_LINE_BYTES + 1];
    bool had_file = s->tracing->fd >= 0;
    struct timespec now;
    struct tm utc;
    size_t len = 0;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (gmtime_r(&now.tv_sec, &utc))
        len = strftime(text, START_BYTES, "%Y-%m-%dT%H:%M:%S", &utc);
    len += (size_t)snprintf(text + len, START_BYTES - len, ".%06ldZ #%u ",
                            now.tv_nsec / (1000000000 / US_PER_S), s->tracing->number);
    memcpy(text + len, line->text, line->len_bytes);
    len += line->len_bytes;
    give_to_file(s, text, len);
    give_to_mailbox(s, text, len);
    return !had_file || s->tracing->fd >= 0;
}

static void give(cw_socket *s, const cw__trace_line *line)
{
    cw__trace_line note = {0};

    if (give_once(s, line))
        return;
    cw__trace_add(&note, "* curlwire: trace_file cannot be written any more, so its trace has ended");
    (void)give_once(s, &note); /* to the handler, because the file is closed */
}

void cw__tracing_say_locked(cw_socket *s, const char *format, ...)
{
    char text[CW__MESSAGE_BYTES];
    cw__trace_line line = {0};
    va_list arguments;

    if (!s->tracing)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cw__trace_add(&line, "* curlwire: ");
    cw__trace_add_masked(&line, text, strlen(text));
    give(s, &line);
}

/* ---- What happens on the connection ---- */

static size_t payload_most(const cw_socket *s) { return (size_t)cw__setting(s, CW_OPT_TRACE_PAYLOAD); }

static void give_frame(cw_socket *s, const cw__trace_frame *frame)
{
    cw__trace_line line = {0};

    cw__trace_add_frame(&line, frame);
    give(s, &line);
}

void cw__tracing_received_locked(cw_socket *s, const cw__piece *piece)
{
    struct cw__tracing *t = s->tracing;
    /* A trace that begins in the middle of a frame shows nothing of its payload. */
    size_t room = piece->offset == t->shown_bytes ? payload_most(s) - t->shown_bytes : 0;
    size_t more = piece->len_bytes < room ? piece->len_bytes : room;

    if (more > 0)
        memcpy(t->shown + t->shown_bytes, piece->data, more);
    t->shown_bytes += more;
    if (piece->remaining > 0)
        return;
    give_frame(s, &(cw__trace_frame){.is_final = piece->is_final,
                                     .opcode = piece->opcode,
                                     .rsv = piece->rsv,
                                     .payload_bytes = piece->offset + piece->len_bytes,
                                     .shown = t->shown,
                                     .shown_bytes = t->shown_bytes});
    t->shown_bytes = 0;
}

void cw__tracing_sent_locked(cw_socket *s, uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes,
                             cw__io io)
{
    bool is_new = !s->tracing->is_sending;
    size_t most = payload_most(s);

    s->tracing->is_sending = io != CW__IO_OK;
    if (is_new)
        give_frame(s, &(cw__trace_frame){.is_sent = true,
                                         .is_final = is_final,
                                         .opcode = opcode & CW__OPCODE_BITS,
                                         .rsv = opcode >> 4 & 7,
                                         .payload_bytes = len_bytes,
                                         .shown = data,
                                         .shown_bytes = len_bytes < most ? len_bytes : most});
}

static void say(void *user, cw__traced from, const char *text, size_t len_bytes)
{
    cw_socket *s = user;
    const char *names = cw__setting_text(s, CW_OPT_TRACE_SECRET_HEADERS);
    bool is_sent = from == CW__TRACED_SENT;

    while (s->tracing && len_bytes > 0) {
        cw__trace_line line = {0};
        bool is_shown;
        if (from == CW__TRACED_WORDS) {
            cw__trace_add(&line, "* ");
            is_shown = cw__trace_add_words(&line, text, len_bytes);
            len_bytes = 0;
        } else {
            cw__trace_add(&line, is_sent ? "> head " : "< head ");
            is_shown = cw__trace_add_head(&line, &s->tracing->heads, is_sent, names, &text, &len_bytes);
        }
        if (is_shown)
            give(s, &line);
    }
}

cw__tracer cw__tracing_tracer(cw_socket *s)
{
    return s->tracing ? (cw__tracer){.say = say, .user = s} : (cw__tracer){0};
}

/* ---- Taking lines ---- */

cw_event *cw__tracing_pop_locked(cw_socket *s)
{
    struct cw__tracing *t = s->tracing;
    cw_event *e = t && is_subscribed(s) ? t->first : NULL;

    if (!e)
        return NULL;
    t->first = e->next;
    if (!t->first)
        t->last = NULL;
    e->next = NULL;
    t->queue_bytes -= sizeof *e + e->len_bytes;
    return e;
}

bool cw__tracing_has_event(const cw_socket *s) { return s->tracing && s->tracing->first && is_subscribed(s); }

uint64_t cw__tracing_lost(const cw_socket *s) { return s->tracing ? s->tracing->lost : 0; }

/* ---- Beginning and ending ---- */

static bool make(cw_socket *s)
{
    static atomic_uint numbers;

    if (s->tracing)
        return true;
    s->tracing = cw__calloc(1, sizeof *s->tracing);
    if (!s->tracing)
        return false;
    s->tracing->fd = -1;
    s->tracing->is_sending = s->codec && s->codec->sending == CW__FRAME_BEGUN;
    s->tracing->number = atomic_fetch_add(&numbers, 1) + 1;
    return true;
}

static cw_status no_memory(void)
{
    return cw__fail(CW_NO_MEMORY, "no memory for a trace: free memory and call again");
}

static cw_status cannot_open(const char *path, const char *why)
{
    cw__error error;

    cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                  "trace_file '%.200s' cannot be used: %s; check the path and its permissions", path, why);
    error.limit = (int)CW_OPT_TRACE_FILE + 1;
    return cw__fail_with(&error);
}

/* Opens the file. With O_NONBLOCK a pipe without a reader does not stop the caller; it is no regular file either. */
static cw_status open_file(cw_socket *s, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, PRIVATE_FILE);
    struct stat about;

    if (fd < 0 && errno != ENXIO)
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its text (glibc 2.32, musl, BSD) */
        return cannot_open(path, strerror(errno));
    if (fd < 0 || fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        if (fd >= 0)
            (void)close(fd);
        return cannot_open(path, "it is not a regular file");
    }
    s->tracing->fd = fd;
    return CW_OK;
}

cw_status cw__tracing_begin_locked(cw_socket *s)
{
    const char *path = cw__setting_text(s, CW_OPT_TRACE_FILE);

    if (cw__socket_state(s) != CW_STATE_NEW || (!*path && !is_subscribed(s)))
        return CW_OK;
    if (!make(s))
        return no_memory();
    memset(&s->tracing->heads, 0, sizeof s->tracing->heads);
    if (s->tracing->fd >= 0)
        (void)close(s->tracing->fd);
    s->tracing->fd = -1;
    return *path ? open_file(s, path) : CW_OK;
}

cw_status cw__tracing_follow_locked(cw_socket *s)
{
    if (is_subscribed(s))
        return make(s) ? CW_OK : no_memory();
    if (s->tracing && s->tracing->fd < 0)
        cw__tracing_end_locked(s);
    return CW_OK;
}

void cw__tracing_end_locked(cw_socket *s)
{
    struct cw__tracing *t = s->tracing;

    s->tracing = NULL;
    if (!t)
        return;
    if (t->fd >= 0)
        (void)close(t->fd);
    while (t->first) {
        cw_event *e = t->first;
        t->first = e->next;
        cw_event_free(e);
    }
    cw__free(t);
}

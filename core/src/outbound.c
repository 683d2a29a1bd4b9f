/* SPDX-License-Identifier: MIT */
/* Outbound: messages and control frames on their way to the codec. A send is written by the calling thread as
 * far as the connection takes it; a rest that fits in outbound_buffer_size is queued for the service, a larger
 * one is written by the calling thread as room appears. Control frames go between frames, so a message is cut
 * into frames of at most FRAME_BYTES.
 *
 * Safety: under the socket's lock, given up only in cw__socket_poll_locked and cw__socket_wait_locked. A frame
 * that has begun is either first in the queue or in the hands of the one direct sender (out.is_direct). */
#include <poll.h>
#include <string.h>

#include "socket.h"

enum {
    FRAME_BYTES = 1024 * 1024,
    FRAME_COST_BYTES = 64, /* what a queued frame takes beside its payload */
    VAIN_AT_MOST = 2,      /* room may have come just after a write */
    PONGS_AT_MOST = 16     /* then the latest replaces the one before (RFC 6455 section 5.5.3 allows it) */
};

static bool is_control(uint8_t opcode) { return (opcode & 0x8) != 0; }

/* ---- The queue ---- */

static cw__outgoing *make(uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes)
{
    cw__outgoing *f = cw__malloc(sizeof *f + len_bytes);

    if (!f)
        return NULL;
    *f = (cw__outgoing){.len_bytes = len_bytes, .opcode = opcode, .is_final = is_final};
    if (len_bytes)
        memcpy(f->data, data, len_bytes);
    return f;
}

static void count(cw_socket *s, const cw__outgoing *f, bool comes)
{
    if (f->opcode == CW__OP_PONG)
        s->out.pong_count += comes ? 1u : -1u;
    if (!is_control(f->opcode)) {
        if (comes)
            s->out.data_bytes += f->len_bytes + FRAME_COST_BYTES;
        else
            s->out.data_bytes -= f->len_bytes + FRAME_COST_BYTES;
    }
}

static void append(cw_socket *s, cw__outgoing *f)
{
    f->next = NULL;
    if (s->out.last)
        s->out.last->next = f;
    else
        s->out.first = f;
    s->out.last = f;
    count(s, f, true);
}

/* Before the first data frame that has not begun, behind other control frames. */
static void insert(cw_socket *s, cw__outgoing *f)
{
    cw__outgoing **place = &s->out.first;

    while (*place && ((*place)->is_begun || is_control((*place)->opcode)))
        place = &(*place)->next;
    f->next = *place;
    *place = f;
    if (!f->next)
        s->out.last = f;
    count(s, f, true);
}

static void remove_first(cw_socket *s)
{
    cw__outgoing *f = s->out.first;

    s->out.first = f->next;
    if (!s->out.first)
        s->out.last = NULL;
    count(s, f, false);
    cw__free(f);
}

static cw__outgoing *last_waiting_pong(const cw_socket *s)
{
    cw__outgoing *found = NULL;

    for (cw__outgoing *f = s->out.first; f; f = f->next)
        if (f->opcode == CW__OP_PONG && !f->is_begun)
            found = f;
    return found;
}

bool cw__outbound_control_locked(cw_socket *s, uint8_t opcode, const uint8_t *data, size_t len_bytes,
                                 bool is_last)
{
    cw__outgoing *f;

    if (opcode == CW__OP_PONG && s->out.pong_count >= PONGS_AT_MOST && (f = last_waiting_pong(s))) {
        if (len_bytes) /* each pong has room for any other */
            memcpy(f->data, data, len_bytes);
        f->len_bytes = len_bytes;
        return true;
    }
    f = cw__malloc(sizeof *f + CW__CONTROL_MAX_BYTES);
    if (!f)
        return false;
    *f = (cw__outgoing){.len_bytes = len_bytes, .opcode = opcode, .is_final = true};
    if (len_bytes)
        memcpy(f->data, data, len_bytes);
    if (is_last)
        append(s, f);
    else
        insert(s, f);
    return true;
}

void cw__outbound_drop_locked(cw_socket *s)
{
    cw__outgoing *begun = s->out.first && s->out.first->is_begun ? s->out.first : NULL;

    while (s->out.first && s->out.first != begun)
        remove_first(s);
    while (begun && begun->next) {
        cw__outgoing *f = begun->next;
        begun->next = f->next;
        count(s, f, false);
        cw__free(f);
    }
    s->out.last = begun;
}

void cw__outbound_destroy(cw__outbound *out)
{
    while (out->first) {
        cw__outgoing *f = out->first;
        out->first = f->next;
        cw__free(f);
    }
    out->last = NULL;
    out->data_bytes = 0;
    out->pong_count = 0;
}

/* ---- Writing ---- */

/* Goes on with a frame; counts what has gone in *sent_bytes. OK: all of it is out, or held back where more_follow
 * says that another frame comes next. */
static cw__io write_frame(cw_socket *s, bool more_follow, uint8_t opcode, bool is_final, const uint8_t *data,
                          size_t len_bytes, size_t *sent_bytes)
{
    size_t sent = 0;
    cw__io io;

    s->codec->more_follow = more_follow;
    io = s->codec->calls->send(s->codec, opcode, is_final, data ? data + *sent_bytes : NULL,
                               len_bytes - *sent_bytes, &sent);

    *sent_bytes += sent;
    s->out.progress_bytes += sent;
    s->out.vain_count = io == CW__IO_AGAIN && s->codec->wants_read ? s->out.vain_count + 1 : 0;
    if (io == CW__IO_FAULT && !s->out.is_broken) {
        /* What the peer sent before it left, messages and a close frame perhaps, is still to be read, when the
         * inbox has room: reading finds the end. */
        s->out.is_broken = true;
        s->in.is_drained = false;
        cw__pings_broken_locked(s, cw__now_ms());
        cw__socket_changed_locked(s);
        cw__socket_attend_locked(s);
    }
    return io;
}

bool cw__outbound_is_vain(const cw_socket *s) { return s->out.vain_count > VAIN_AT_MOST; }

/* A direct sender that was told to leave in the middle of a frame has queued its rest (finish_frame), so the
 * queue may always be written unless one is at work. */
static cw__io write_queue(cw_socket *s)
{
    while (s->codec && s->out.first && s->close.state != CW__CLOSE_ENDED && !s->out.is_broken) {
        cw__outgoing *f = s->out.first;
        bool is_close = f->opcode == CW__OP_CLOSE;
        cw__io io;
        f->is_begun = true;
        io =
            write_frame(s, f->next && !is_close, f->opcode, f->is_final, f->data, f->len_bytes, &f->sent_bytes);
        if (io != CW__IO_OK)
            return io;
        remove_first(s);
        if (is_close)
            cw__closing_sent_locked(s);
    }
    return CW__IO_OK;
}

static size_t limit(const cw_socket *s) { return (size_t)cw__setting(s, CW_OPT_OUTBOUND_BUFFER_SIZE); }

void cw__outbound_flush_locked(cw_socket *s)
{
    size_t before = s->out.data_bytes;

    if (s->out.is_direct)
        return;
    if (write_queue(s) == CW__IO_FAULT)
        cw__outbound_destroy(&s->out);
    if (s->out.is_broken && s->close.state != CW__CLOSE_NONE) /* a close frame that cannot go out */
        cw__closing_ended_locked(s, s->fault.message);
    if (s->out.data_bytes < before || !s->out.first)
        cw__socket_changed_locked(s); /* senders that wait for room, and flush */
    if (s->out.wants_writable && s->out.data_bytes <= limit(s) / 2) {
        s->out.wants_writable = false;
        cw__socket_post_locked(s, CW_EVENT_WRITABLE);
    }
    cw__socket_watch_locked(s);
}

/* ---- Sending a message ---- */

typedef struct parcel {
    const uint8_t *data;
    size_t len_bytes;
    size_t done_bytes;  /* in frames that are out or queued */
    size_t frame_bytes; /* of the frame under way */
    size_t frame_sent;
    uint8_t opcode;      /* of the frame under way */
    bool is_frame_begun; /* the codec has it */
    bool ends_message;
    bool more_follow; /* another message comes next, without fail */
} parcel;

static size_t rest_of(const parcel *p) { return p->len_bytes - p->done_bytes; }

static void next_frame(parcel *p)
{
    p->frame_bytes = rest_of(p) < FRAME_BYTES ? rest_of(p) : FRAME_BYTES;
    p->frame_sent = 0;
    p->is_frame_begun = false;
}

static void frame_done(parcel *p)
{
    p->done_bytes += p->frame_bytes;
    p->opcode = CW__OP_CONTINUATION;
    next_frame(p);
}

static bool is_last_frame(const parcel *p) { return p->done_bytes + p->frame_bytes == p->len_bytes; }

/* Writes frames until the connection takes no more. OK: all is out. */
static cw__io write_parcel(cw_socket *s, parcel *p)
{
    for (;;) {
        cw__io io;
        p->is_frame_begun = true;
        io = write_frame(s, p->more_follow && is_last_frame(p), p->opcode, p->ends_message && is_last_frame(p),
                         p->data + p->done_bytes, p->frame_bytes, &p->frame_sent);
        if (io != CW__IO_OK)
            return io;
        if (is_last_frame(p)) {
            p->done_bytes = p->len_bytes;
            return CW__IO_OK;
        }
        frame_done(p);
        io = write_queue(s); /* control frames that wait to go between */
        if (io != CW__IO_OK)
            return io;
        if (s->close.state != CW__CLOSE_NONE)
            return CW__IO_FAULT;
    }
}

static void prepend(cw_socket *s, cw__outgoing *f)
{
    f->next = s->out.first;
    s->out.first = f;
    if (!s->out.last)
        s->out.last = f;
    count(s, f, true);
}

/* Makes the frame under way, or its rest, ready to be queued. */
static cw__outgoing *make_rest(const parcel *p)
{
    cw__outgoing *f = make(p->opcode, p->ends_message && is_last_frame(p),
                           p->data + p->done_bytes + p->frame_sent, p->frame_bytes - p->frame_sent);

    if (f)
        f->is_begun = p->is_frame_begun;
    return f;
}

/* Queues all that is left of the parcel: a frame that has begun first, the others last. False without memory,
 * with nothing queued. */
static bool queue_parcel(cw_socket *s, parcel *p)
{
    cw__outgoing *list = NULL, **end = &list, *f;
    parcel rest = *p;

    for (;;) {
        f = make_rest(&rest);
        if (!f) {
            while (list) {
                f = list->next;
                cw__free(list);
                list = f;
            }
            return false;
        }
        *end = f;
        end = &f->next;
        if (is_last_frame(&rest))
            break;
        frame_done(&rest);
    }
    while (list) {
        f = list;
        list = f->next;
        if (f->is_begun)
            prepend(s, f);
        else
            append(s, f);
    }
    p->done_bytes = p->len_bytes;
    return true;
}

/* Broken in the middle of a message: it can be neither finished nor taken back. */
cw_status cw__outbound_break_off_locked(cw_socket *s, cw_status status)
{
    const char *why = status == CW_TIMED_OUT   ? "the server took nothing for send_timeout"
                      : status == CW_NO_MEMORY ? "no memory"
                                               : "interrupted";

    cw__error_set(&s->fault, CW_CLOSED, status == CW_TIMED_OUT ? CW_WEB_Timeout : CW_WEB_OperationCanceled,
                  "%s in the middle of a message: connection dropped", why);
    cw__closing_ended_locked(s, s->fault.message);
    return cw__fail_with(&s->fault);
}

/* Queues the rest of a frame that has begun, so that it becomes whole and the close frame can follow. */
static void finish_frame(cw_socket *s, const parcel *p)
{
    cw__outgoing *f;

    if (s->close.state == CW__CLOSE_ENDED || !p->is_frame_begun)
        return;
    f = make_rest(p);
    if (f)
        prepend(s, f);
    else
        cw__closing_ended_locked(s, "no memory for the rest of a frame");
}

/* The calling thread writes a message that does not fit in the queue. */
static cw_status write_directly(cw_socket *s, parcel *p, cw__wait *wait)
{
    cw_status status = CW_OK;
    cw__io io = CW__IO_AGAIN;

    p->more_follow = false; /* closing may begin while this thread waits */
    s->out.is_direct = true;
    while (status == CW_OK && io == CW__IO_AGAIN) {
        uint64_t before = s->out.progress_bytes;
        status = cw__socket_poll_locked(s, POLLOUT, &s->out.sender, wait);
        if (status == CW_OK)
            status = cw__socket_ask_hook_locked(s, wait);
        if (!s->codec || s->close.state != CW__CLOSE_NONE || s->out.is_broken)
            break;
        io = s->out.first && s->out.first->is_begun ? write_queue(s) : CW__IO_OK;
        if (io == CW__IO_OK)
            io = write_parcel(s, p);
        if (s->out.progress_bytes != before) {
            cw__wait_restart(wait);
            if (status == CW_TIMED_OUT)
                status = CW_OK;
        }
        if (io == CW__IO_AGAIN && status == CW_OK && rest_of(p) - p->frame_sent <= limit(s) &&
            queue_parcel(s, p))
            io = CW__IO_OK;
    }
    s->out.is_direct = false;
    if (io == CW__IO_OK)
        status = CW_OK;
    else if (s->out.is_broken)
        status = cw__closing_fail_locked(s);
    else if (s->close.state == CW__CLOSE_NONE)
        status = cw__outbound_break_off_locked(s, status);
    else { /* closed meanwhile: the close frame follows the frame under way */
        finish_frame(s, p);
        status = cw__closing_fail_locked(s);
    }
    cw__outbound_flush_locked(s);
    cw__socket_changed_locked(s);
    return status;
}

/* Waits until this message may be written or queued: no other sender is at work (or it is this one that has reserved)
 * and, if others are queued, there is room. */
cw_status cw__outbound_turn_locked(cw_socket *s, size_t len_bytes, bool has_reserved, cw__wait *wait)
{
    cw_status status = CW_OK;

    while (s->close.state == CW__CLOSE_NONE && s->codec && !s->out.is_broken) {
        uint64_t before = s->out.progress_bytes;
        if (!s->out.is_direct && (has_reserved || !s->out.is_reserved) &&
            (!s->out.first || s->out.data_bytes + len_bytes + FRAME_COST_BYTES <= limit(s)))
            return CW_OK;
        if (status == CW_TIMED_OUT && wait->timeout_ms == 0) {
            s->out.wants_writable = true;
            return cw__fail(CW_WOULD_BLOCK, "the connection takes nothing now");
        }
        if (status == CW_TIMED_OUT)
            return cw__fail(CW_TIMED_OUT, "the server took nothing for send_timeout; nothing was sent");
        if (status == CW_INTERRUPTED)
            return cw__fail(CW_INTERRUPTED, "interrupted while waiting to send; nothing was sent");
        status = cw__socket_wait_locked(s, wait);
        if (s->out.progress_bytes != before)
            cw__wait_restart(wait);
    }
    return cw__closing_fail_locked(s);
}

/* It is this parcel's turn. */
static cw_status send_now(cw_socket *s, parcel *p, cw__wait *wait)
{
    cw__io io;

    next_frame(p);
    if (s->out.first) {
        if (!queue_parcel(s, p))
            return cw__fail(CW_NO_MEMORY, "no memory to send a message");
        return CW_OK;
    }
    io = write_parcel(s, p);
    if (io == CW__IO_OK)
        return CW_OK;
    if (io != CW__IO_AGAIN)
        return cw__closing_fail_locked(s);
    /* A call that may not wait has the rest queued whatever its size: nothing else waits, and the caller has
     * that much memory in hand itself. */
    if ((rest_of(p) - p->frame_sent <= limit(s) || wait->timeout_ms == 0) && queue_parcel(s, p)) {
        cw__socket_watch_locked(s);
        return CW_OK;
    }
    return write_directly(s, p, wait);
}

cw_status cw__outbound_send_locked(cw_socket *s, uint8_t opcode, bool ends_message, const uint8_t *data,
                                   size_t len_bytes, cw__wait *wait)
{
    parcel p = {.data = data, .len_bytes = len_bytes, .opcode = opcode, .ends_message = ends_message};

    return send_now(s, &p, wait);
}

static cw_status send_parcel(cw_socket *s, parcel *p, cw__wait *wait)
{
    cw_status status = cw__outbound_turn_locked(s, p->len_bytes, false, wait);

    return status == CW_OK ? send_now(s, p, wait) : status;
}

/* ---- The public calls ---- */

static cw_status check_locked(cw_socket *s, cw_kind kind, bool is_fragment)
{
    cw_state state = cw__socket_state(s);

    if (state == CW_STATE_NEW || state == CW_STATE_CONNECTING)
        return cw__fail(CW_INVALID_STATE, state == CW_STATE_NEW ? "connect first" : "still connecting");
    if (state != CW_STATE_OPEN || s->out.is_broken)
        return cw__closing_fail_locked(s);
    if (kind != CW_BINARY && kind != CW_UTF8)
        return cw__fail(CW_INVALID_ARGUMENT, "a message is binary or utf8");
    if (kind == CW_UTF8 && s->socket_class == CW_STREAM_SOCKET)
        return cw__fail(CW_INVALID_ARGUMENT, "a stream socket sends binary messages only");
    if (!is_fragment && s->out.in_fragments)
        return cw__fail(CW_INVALID_STATE, "a message sent in fragments is open: send its final frame first");
    if (is_fragment && s->out.in_fragments && kind != s->out.fragments_kind)
        return cw__fail(CW_INVALID_STATE, "message_type cannot change inside a message sent in fragments");
    return CW_OK;
}

/* UTF-8 of a fragment: the state after it, if all is well. */
static cw_status check_text(const cw__utf8 *before, const void *data, size_t len_bytes, bool is_final,
                            cw__utf8 *after)
{
    *after = *before;
    if (!cw__utf8_feed(after, data, len_bytes) || (is_final && !cw__utf8_complete(after)))
        return cw__fail(CW_INVALID_ARGUMENT, "a text message must be UTF-8; send other bytes as binary");
    return CW_OK;
}

static uint8_t opcode_of(cw_kind kind) { return kind == CW_UTF8 ? CW__OP_TEXT : CW__OP_BINARY; }

cw_status cw_socket_send(cw_socket *s, cw_kind kind, const void *data, size_t len_bytes, int timeout_ms)
{
    const cw_message message = {.kind = kind, .data = data, .len_bytes = len_bytes};
    size_t sent_count;

    return cw_socket_send_many(s, &message, 1, timeout_ms, &sent_count);
}

/* The number of messages before the first text that is not UTF-8, which is then the calling thread's error. */
static size_t count_sound(const cw_message *messages, size_t count)
{
    const cw__utf8 beginning = {0};
    cw__utf8 unused;

    for (size_t i = 0; i < count; i++)
        if (messages[i].kind == CW_UTF8 &&
            check_text(&beginning, messages[i].data, messages[i].len_bytes, true, &unused) != CW_OK)
            return i;
    return count;
}

cw_status cw_socket_send_many(cw_socket *s, const cw_message *messages, size_t count, int timeout_ms,
                              size_t *sent_count)
{
    cw_status status = cw__socket_check(s);
    size_t sound;
    cw__wait wait;

    *sent_count = 0;
    if (status != CW_OK)
        return status;
    sound = count_sound(messages, count);
    if (sound == 0 && count > 0)
        return CW_INVALID_ARGUMENT;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_SEND_TIMEOUT));
    for (size_t i = 0; i < sound && status == CW_OK; *sent_count = i) {
        const cw_message *m = &messages[i++];
        parcel p = {
            .data = m->data, .len_bytes = m->len_bytes, .opcode = opcode_of(m->kind), .ends_message = true};
        status = check_locked(s, m->kind, false);
        if (status == CW_OK && cw__compressing_is_wanted(s, m->len_bytes)) {
            status = cw__compressing_send_locked(s, p.opcode | CW__RSV1, true, m->data, m->len_bytes, &wait);
        } else if (status == CW_OK) {
            /* nothing but its kind can keep the next one from going */
            p.more_follow = i < sound && s->socket_class == CW_MESSAGE_SOCKET && messages[i].kind <= CW_UTF8 &&
                            !cw__compressing_is_wanted(s, messages[i].len_bytes);
            status = send_parcel(s, &p, &wait);
        }
        if (status != CW_OK)
            break;
        cw__wait_restart(&wait);
    }
    if (status == CW_OK && sound < count) {
        (void)count_sound(messages + sound, 1); /* again: the text of its error may be gone */
        status = CW_INVALID_ARGUMENT;
    }
    return cw__socket_leave_locked(s, &wait, status);
}

cw_status cw_socket_send_fragment(cw_socket *s, cw_kind kind, const void *data, size_t len_bytes, bool is_final,
                                  int timeout_ms)
{
    cw_status status = cw__socket_check(s);
    parcel p = {.data = data, .len_bytes = len_bytes, .opcode = opcode_of(kind), .ends_message = is_final};
    cw__utf8 after = {0};
    cw__wait wait;
    bool is_compressed;

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_SEND_TIMEOUT));
    is_compressed = s->out.in_fragments && s->out.is_compressing;
    status = check_locked(s, kind, true);
    if (status == CW_OK && kind == CW_UTF8)
        status = check_text(s->out.in_fragments ? &s->out.utf8 : &after, data, len_bytes, is_final, &after);
    if (status == CW_OK) {
        if (s->out.in_fragments)
            p.opcode = CW__OP_CONTINUATION;
        else
            is_compressed = is_final ? cw__compressing_is_wanted(s, len_bytes) : s->compression.is_on;
        if (is_compressed && !s->out.in_fragments)
            p.opcode |= CW__RSV1;
        status = is_compressed ? cw__compressing_send_locked(s, p.opcode, is_final, data, len_bytes, &wait)
                               : send_parcel(s, &p, &wait);
    }
    if (status == CW_OK) {
        s->out.is_compressing = is_compressed;
        s->out.in_fragments = !is_final;
        s->out.fragments_kind = (uint8_t)kind;
        s->out.utf8 = after;
    }
    return cw__socket_leave_locked(s, &wait, status);
}

cw_status cw_socket_flush(cw_socket *s, int timeout_ms)
{
    cw_status status = cw__socket_check(s);
    cw__wait wait;

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_SEND_TIMEOUT));
    if (cw__socket_state(s) < CW_STATE_OPEN)
        status = cw__fail(CW_INVALID_STATE, "connect first");
    else if (cw__socket_state(s) == CW_STATE_CLOSED)
        status = cw__closing_fail_locked(s);
    while (status == CW_OK && (s->out.first || s->out.is_direct || s->out.is_reserved)) {
        uint64_t before = s->out.progress_bytes;
        if (!s->codec || s->close.state != CW__CLOSE_NONE || s->out.is_broken)
            break;
        status = cw__socket_wait_locked(s, &wait);
        if (s->out.progress_bytes != before)
            cw__wait_restart(&wait);
    }
    if (status == CW_TIMED_OUT)
        status = cw__fail(CW_TIMED_OUT, "the server took nothing in time; what waits is still to be sent");
    else if (status == CW_INTERRUPTED)
        status = cw__fail(CW_INTERRUPTED, "interrupted while flushing");
    else if (status == CW_OK && (s->close.state != CW__CLOSE_NONE || s->out.is_broken))
        status = cw__closing_fail_locked(s); /* the peer's close, too, has thrown away what waited */
    return cw__socket_leave_locked(s, &wait, status);
}

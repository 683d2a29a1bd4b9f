/* SPDX-License-Identifier: MIT */
/* Outbound: writes messages and control frames by the codec.
 *
 * A send that may block writes its whole message in the calling thread: when it returns CW_OK, the kernel has
 * accepted every byte. A send that must not block writes the bytes that the kernel accepts and queues the rest, up to
 * send_high_water_mark for all such sends. The service thread writes the queue. Control frames go between frames, so a message
 * is cut into frames of at most frame_size.
 *
 * In a batch (cw_socket_batch_begin) the codec holds small frames back, up to 32 KiB, and writes them together.
 *
 * Safety: under the socket's lock, which only cw__socket_poll_locked and cw__socket_wait_locked give up. A frame that
 * has begun is either the first in the queue, or belongs to the thread that sends directly (out.sending). While a
 * thread sends directly, the queue may wait after a HELD frame.
 *
 * Errors: CW_CLOSED. */
#include <poll.h>
#include <string.h>

#include "socket.h"

enum {
    SHARE_BYTES = 256 * 1024, /* bytes that a thread writes before it lets other threads have the lock */
    CONTROL_HEAD_BYTES = 6,   /* header of a control frame, with the mask */
    HELD = 0x1f /* not an opcode: a queued frame that stands for the frames that the codec holds back */
};

/* ---- Writing ---- */

static void after_write(cw_socket *s, cw__io io)
{
    s->out.wants_read_count = io == CW__IO_AGAIN && s->codec->wants_read ? s->out.wants_read_count + 1 : 0;
    if (io == CW__IO_FAULT && !s->out.is_broken) {
        /* Messages and a close frame that the peer sent before the end may still be unread. The service thread reads them when
         * the inbox has room, and then finds the end. */
        s->out.is_broken = true;
        s->in.is_drained = false;
        cw__pings_broken_locked(s, cw__now_ms());
        if (s->in.is_looped) /* the descriptor need not show that the connection is lost */
            cw__inbound_give_back_locked(s);
        cw__socket_changed_locked(s);
        cw__socket_attend_locked(s);
    }
}

/* Writes more of a frame. It adds the written bytes to *sent_bytes and subtracts them from the share.
 * Returns OK if the whole frame is written, or held back because of more_follow. */
static cw__io write_frame(cw_socket *s, bool more_follow, uint8_t opcode, bool is_final, const uint8_t *data,
                          size_t len_bytes, size_t *sent_bytes, size_t *share)
{
    size_t sent = 0;
    cw__io io;

    s->codec->more_follow = more_follow;
    s->codec->most_bytes = *share;
    io = s->codec->calls->send(s->codec, opcode, is_final, data ? data + *sent_bytes : NULL,
                               len_bytes - *sent_bytes, &sent);

    *sent_bytes += sent;
    s->out.progress_bytes += sent;
    if (!cw__queue_is_control(opcode))
        s->out.control_bytes = 0;
    else if (io == CW__IO_OK)
        s->out.control_bytes += cw__link_wire_bytes(s->codec->link, CONTROL_HEAD_BYTES + len_bytes);
    *share -= *share < sent + CW__FRAME_COST_BYTES ? *share : sent + CW__FRAME_COST_BYTES;
    if (io == CW__IO_OK)
        s->counts.frames_sent[opcode & CW__OPCODE_BITS]++;
    after_write(s, io);
    return io;
}

static cw__io write_held(cw_socket *s)
{
    cw__io io = s->codec->calls->flush(s->codec);

    after_write(s, io);
    return io;
}

/* Writes the queue. This is allowed whenever no thread sends directly. A thread that had to stop in the middle
 * of a frame has queued the rest of the frame (finish_frame). */
static cw__io write_queue(cw_socket *s)
{
    size_t share = SHARE_BYTES;

    while (s->codec && s->out.first && s->close.state != CW__CLOSE_ENDED && !s->out.is_broken) {
        cw__queued_frame *f = s->out.first;
        bool is_close = f->opcode == CW__OP_CLOSE;
        cw__io io;
        if (share == 0)
            return CW__IO_AGAIN;
        f->is_begun = true;
        io = f->opcode == HELD ? write_held(s)
                               : write_frame(s, f->next && !is_close, f->opcode, f->is_final, f->data,
                                             f->len_bytes, &f->sent_bytes, &share);
        if (s->tracing && f->opcode != HELD)
            cw__tracing_sent_locked(s, f->opcode, f->is_final, f->data, f->len_bytes, io);
        if (io != CW__IO_OK)
            return io;
        cw__queue_remove_first_locked(s);
        if (is_close)
            cw__closing_sent_locked(s);
    }
    return CW__IO_OK;
}

/* Writes the queue. If another thread is inside libcurl, only the service thread waits for it, so calls that must not
 * wait may use this function. */
static cw__io write_queue_now(cw_socket *s)
{
    bool never_waited = cw__socket_never_waits_locked(s, !cw__service_is_here());
    cw__io io = write_queue(s);

    (void)cw__socket_never_waits_locked(s, never_waited);
    return io;
}

void cw__outbound_tell_writable_locked(cw_socket *s)
{
    int64_t low = cw__setting(s, CW_OPT_SEND_LOW_WATER_MARK);
    int64_t half = cw__setting(s, CW_OPT_SEND_HIGH_WATER_MARK) / 2;

    if (!s->out.wants_writable || s->out.data_bytes > (size_t)(low < half ? low : half))
        return;
    s->out.wants_writable = false;
    cw__socket_post_locked(s, CW_EVENT_WRITABLE);
}

void cw__outbound_flush_locked(cw_socket *s)
{
    size_t before = s->out.data_bytes;

    if (s->out.sending == CW__SENDING_DIRECTLY)
        return;
    if (write_queue_now(s) == CW__IO_FAULT || s->out.is_broken)
        cw__queue_lose_locked(
            s); /* otherwise the service thread would watch the descriptor for the queue for ever */
    /* The close frame cannot be written. If ours was the first, the peer's may still arrive, and reading finds the end. */
    if (s->out.is_broken && s->close.state != CW__CLOSE_NONE && s->close.state != CW__CLOSE_SENT)
        cw__closing_ended_locked(s, s->fault.message);
    if (s->out.data_bytes < before || !s->out.first)
        cw__socket_changed_locked(s); /* wakes senders that wait for room, and flush */
    cw__outbound_tell_writable_locked(s);
    cw__socket_watch_locked(s);
}

/* ---- Sending a message ---- */

/* A message or a fragment that a caller sends, while it is cut into frames. */
typedef struct message {
    const uint8_t *data;
    size_t len_bytes;
    size_t done_bytes;  /* bytes in frames that are written or queued */
    size_t frame_most;  /* frame_size */
    size_t frame_bytes; /* length of the current frame */
    size_t frame_sent;
    uint8_t opcode;      /* opcode of the current frame */
    bool is_frame_begun; /* the codec has begun the current frame */
    bool ends_message;
    bool more_follow; /* the codec may hold the last frame back, because another send or a flush follows */
} message;

static size_t rest_of(const message *m) { return m->len_bytes - m->done_bytes; }

static void next_frame(message *m)
{
    m->frame_bytes = rest_of(m) < m->frame_most ? rest_of(m) : m->frame_most;
    m->frame_sent = 0;
    m->is_frame_begun = false;
}

static void frame_done(message *m)
{
    m->done_bytes += m->frame_bytes;
    m->opcode = CW__OP_CONTINUATION;
    next_frame(m);
}

static bool is_last_frame(const message *m) { return m->done_bytes + m->frame_bytes == m->len_bytes; }

/* Returns whether to stop although the connection may accept more, because the share is used up and another thread
 * waits for the lock. */
static bool gives_way(const cw_socket *s, size_t *share)
{
    if (*share > 0)
        return false;
    *share = SHARE_BYTES;
    return cw__socket_is_wanted(s);
}

/* Not inlined, so that a send without a trace saves no registers for it. */
__attribute__((noinline, cold)) static void trace_frame(cw_socket *s, const message *m, cw__io io)
{
    cw__tracing_sent_locked(s, m->opcode, m->ends_message && is_last_frame(m),
                            m->data ? m->data + m->done_bytes : NULL, m->frame_bytes, io);
}

/* Writes frames until the connection accepts no more or another thread should have the lock.
 * Returns OK if the whole message is written. */
static cw__io write_message(cw_socket *s, message *m)
{
    size_t share = SHARE_BYTES;

    for (;;) {
        cw__io io;
        m->is_frame_begun = true;
        io = write_frame(s, m->more_follow && is_last_frame(m), m->opcode, m->ends_message && is_last_frame(m),
                         m->data + m->done_bytes, m->frame_bytes, &m->frame_sent, &share);
        if (s->tracing)
            trace_frame(s, m, io);
        if (io == CW__IO_AGAIN && share == 0 && !gives_way(s, &share))
            continue;
        if (io != CW__IO_OK)
            return io;
        if (is_last_frame(m)) {
            m->done_bytes = m->len_bytes;
            return CW__IO_OK;
        }
        frame_done(m);
        io = write_queue(s); /* control frames go between the frames of a message */
        if (io != CW__IO_OK)
            return io;
        if (s->close.state != CW__CLOSE_NONE)
            return CW__IO_FAULT;
        if (gives_way(s, &share))
            return CW__IO_AGAIN;
    }
}

/* ---- Batches ---- */

/* Writes the frames that the codec holds back. If the connection does not accept all of them, the queue gets a HELD
 * frame, and the service thread writes the rest. */
void cw__outbound_release_locked(cw_socket *s)
{
    cw__queued_frame *f;

    if (!s->codec || s->codec->sending != CW__FRAMES_HELD || s->out.sending == CW__SENDING_DIRECTLY)
        return;
    if (!s->out.first) {
        f = cw__queue_make(HELD, true, NULL, 0);
        if (!f) {
            cw__error_set(&s->fault, CW_CLOSED, CW_WEB_Unknown,
                          "no memory to write the messages of a batch: connection dropped; connect again");
            cw__closing_ended_locked(s, s->fault.message);
            return;
        }
        f->is_begun = true; /* no other frame may go before the held frames */
        cw__queue_append_locked(s, f);
    }
    cw__outbound_flush_locked(s);
}

/* Makes a frame for the queue from the unsent part of the current frame. */
static cw__queued_frame *make_rest(const message *m)
{
    cw__queued_frame *f =
        cw__queue_make(m->opcode, m->ends_message && is_last_frame(m), m->data + m->done_bytes + m->frame_sent,
                       m->frame_bytes - m->frame_sent);

    if (f)
        f->is_begun = m->is_frame_begun;
    return f;
}

/* Makes frames for the queue from the rest of the message. Returns NULL if there is no memory. */
static cw__queued_frame *make_frames(message rest)
{
    cw__queued_frame *list = NULL, **end = &list;

    for (;; frame_done(&rest)) {
        *end = make_rest(&rest);
        if (!*end)
            break;
        if (is_last_frame(&rest))
            return list;
        end = &(*end)->next;
    }
    while (list) {
        cw__queued_frame *f = list;
        list = f->next;
        cw__free(f);
    }
    return NULL;
}

/* Returns the name of the control for the error text, if the timeout comes from the control and not from the caller. */
static const char *whose_time(const cw__wait *wait) { return wait->is_default ? " (send_timeout)" : ""; }

cw_status cw__outbound_break_off_locked(cw_socket *s, cw_status status, const cw__wait *wait)
{
    if (status == CW_TIMED_OUT)
        cw__error_set(&s->fault, CW_CLOSED, CW_WEB_Timeout,
                      "the server took nothing for %g s%s in the middle of a message: connection dropped; "
                      "connect again, with a longer timeout",
                      (double)wait->timeout_ms / 1000, whose_time(wait));
    else
        cw__error_set(&s->fault, CW_CLOSED, CW_WEB_OperationCanceled,
                      "%s in the middle of a message: connection dropped; connect again",
                      status == CW_NO_MEMORY ? "memory ran out" : "interrupted");
    cw__closing_ended_locked(s, s->fault.message);
    return cw__fail_with(&s->fault);
}

/* Queues the rest of a frame that has begun, so that the frame becomes whole and the close frame can follow. */
static void finish_frame(cw_socket *s, const message *m)
{
    cw__queued_frame *f;

    if (s->close.state == CW__CLOSE_ENDED || !m->is_frame_begun)
        return;
    f = make_rest(m);
    if (f) {
        f->is_told = true;
        cw__queue_prepend_locked(s, f);
    } else
        cw__closing_ended_locked(s, "no memory for the rest of a frame: free memory and connect again");
}

static bool may_write(const cw_socket *s)
{
    return s->close.state == CW__CLOSE_NONE && s->codec && !s->out.is_broken;
}

/* The progress of a thread that writes its message directly. */
typedef enum progress {
    WRITING, /* the connection accepts no more for now */
    WRITTEN, /* the whole message is written */
    BROKEN,  /* writing has failed */
    CLOSED,  /* the socket is closing: the close frame follows the current frame */
    STOPPED  /* the connection accepted nothing for too long, or the program was interrupted */
} progress;

static progress progress_of(const cw_socket *s, cw__io io, cw_status status)
{
    if (io == CW__IO_OK)
        return WRITTEN;
    if (s->out.is_broken)
        return BROKEN;
    if (!may_write(s))
        return CLOSED;
    return status == CW_OK ? WRITING : STOPPED;
}

/* Waits until the connection accepts more, and writes more of the message. *status says how the wait ended. */
static progress write_more(cw_socket *s, message *m, cw__wait *wait, cw_status *status)
{
    uint64_t before = s->out.progress_bytes;
    cw__io io = CW__IO_AGAIN;

    *status = cw__socket_poll_locked(s, POLLOUT, &s->out.sender, wait);
    if (*status == CW_OK)
        *status = cw__socket_ask_hook_locked(s, wait);
    if (may_write(s)) {
        /* No frame goes into the middle of another. The codec itself writes held frames before the rest of a frame. */
        io = !m->is_frame_begun && s->out.first && s->out.first->is_begun ? write_queue(s) : CW__IO_OK;
        if (io == CW__IO_OK)
            io = write_message(s, m);
    }
    if (s->out.progress_bytes != before) {
        cw__wait_restart(wait);
        if (*status == CW_TIMED_OUT)
            *status = CW_OK;
    }
    return progress_of(s, io, *status);
}

/* Writes the rest of a message in the calling thread, as the connection accepts it. The function is not inlined.
 * Otherwise a send that does not need the function would save registers for it. */
__attribute__((noinline)) static cw_status write_directly(cw_socket *s, message *m, cw__wait *wait)
{
    cw__sending before = s->out.sending;
    cw_status status = CW_OK;
    progress how_far;

    m->more_follow = false; /* closing may begin while this thread waits */
    s->out.sending = CW__SENDING_DIRECTLY;
    do
        how_far = write_more(s, m, wait, &status);
    while (how_far == WRITING);
    s->out.sending = before;
    if (how_far == CLOSED)
        finish_frame(s, m);
    if (how_far == WRITTEN)
        status = CW_OK;
    else if (how_far == STOPPED)
        status = cw__outbound_break_off_locked(s, status, wait);
    else
        status = cw__closing_fail_locked(s);
    cw__outbound_flush_locked(s);
    cw__socket_changed_locked(s);
    return status;
}

/* Returns whether a message may go out now: no other thread sends, and the queue is empty. A send that must not block
 * may also go out if the queue has room for it. */
static bool is_turn(const cw_socket *s, size_t len_bytes, cw__sending mine, const cw__wait *wait)
{
    if (s->out.sending != mine)
        return false;
    return !s->out.first || (wait->timeout_ms == 0 && s->out.data_bytes + len_bytes + CW__FRAME_COST_BYTES <=
                                                          (size_t)cw__setting(s, CW_OPT_SEND_HIGH_WATER_MARK));
}

static cw_status fail_turn(cw_socket *s, cw_status status, const cw__wait *wait)
{
    if (status == CW_INTERRUPTED)
        return cw__fail(CW_INTERRUPTED,
                        "interrupted while waiting to send; nothing of this message was sent: send it again");
    if (wait->timeout_ms == 0) {
        s->out.wants_writable = true;
        s->pending_events &= ~(unsigned)CW_EVENT_WRITABLE; /* an earlier event would be out of date */
        return cw__fail(CW_WOULD_BLOCK, "the send buffer is full; wait until the socket is writable and retry");
    }
    return cw__fail(CW_TIMED_OUT,
                    "the server took nothing for %g s%s, so this message was not sent; retry, or close the "
                    "connection",
                    (double)wait->timeout_ms / 1000, whose_time(wait));
}

/* Not inlined, for the same reason as write_directly. */
__attribute__((noinline)) static cw_status wait_for_turn(cw_socket *s, size_t len_bytes, cw__sending mine,
                                                         cw__wait *wait)
{
    cw_status status = CW_OK;

    while (may_write(s)) {
        uint64_t before = s->out.progress_bytes;
        if (is_turn(s, len_bytes, mine, wait))
            return CW_OK;
        if (status != CW_OK)
            return fail_turn(s, status, wait);
        status = cw__socket_wait_locked(s, wait);
        if (s->out.progress_bytes != before)
            cw__wait_restart(wait);
    }
    return cw__closing_fail_locked(s);
}

cw_status cw__outbound_turn_locked(cw_socket *s, size_t len_bytes, cw__sending mine, cw__wait *wait)
{
    if (may_write(s) && is_turn(s, len_bytes, mine, wait))
        return CW_OK;
    return wait_for_turn(s, len_bytes, mine, wait);
}

/* Queues the rest of a message that the connection has not accepted. A frame that has begun goes first, others go last.
 * The rest may have any size, because the caller has that much memory itself. Not inlined, for the same reason as
 * write_directly. */
__attribute__((noinline)) static cw_status queue_rest(cw_socket *s, const message *m, const cw__wait *wait)
{
    cw__queued_frame *list = make_frames(*m);

    if (!list && (m->is_frame_begun || m->done_bytes > 0))
        return cw__outbound_break_off_locked(s, CW_NO_MEMORY, wait);
    if (!list)
        return cw__fail(
            CW_NO_MEMORY,
            "no memory to send a message of %zu bytes; none of it was sent: free memory and send it again",
            m->len_bytes);
    while (list) {
        cw__queued_frame *f = list;
        list = f->next;
        if (f->is_begun)
            cw__queue_prepend_locked(s, f);
        else
            cw__queue_append_locked(s, f);
    }
    cw__socket_watch_locked(s);
    return CW_OK;
}

/* Writes as much of the message as the connection accepts at once. The queue can have frames here only if the call must
 * not wait (is_turn). Then the message goes into the queue after them. */
static cw__io write_at_once(cw_socket *s, message *m, const cw__wait *wait)
{
    cw__io io;

    if (s->out.first)
        return CW__IO_AGAIN;
    if (wait->timeout_ms != 0)
        return write_message(s, m);
    (void)cw__socket_never_waits_locked(s, true);
    io = write_message(s, m);
    (void)cw__socket_never_waits_locked(s, false);
    return io;
}

/* Sends a message whose turn it is. */
static cw_status send_now(cw_socket *s, message *m, cw__wait *wait)
{
    int64_t frame_size = cw__setting(s, CW_OPT_FRAME_SIZE);
    cw__io io;

    m->frame_most = frame_size > 0 && (uint64_t)frame_size < SIZE_MAX ? (size_t)frame_size : SIZE_MAX;
    m->more_follow = (m->more_follow || s->out.batch_count > 0) && s->codec->calls->flush;
    next_frame(m);
    io = write_at_once(s, m, wait);
    if (io == CW__IO_OK)
        return CW_OK;
    if (io != CW__IO_AGAIN)
        return cw__closing_fail_locked(s);
    return wait->timeout_ms == 0 ? queue_rest(s, m, wait) : write_directly(s, m, wait);
}

cw_status cw__outbound_send_locked(cw_socket *s, uint8_t opcode, bool ends_message, const uint8_t *data,
                                   size_t len_bytes, cw__wait *wait)
{
    message m = {.data = data, .len_bytes = len_bytes, .opcode = opcode, .ends_message = ends_message};

    return send_now(s, &m, wait);
}

cw_status cw__outbound_message_locked(cw_socket *s, uint8_t opcode, bool ends_message, bool more_follow,
                                      const uint8_t *data, size_t len_bytes, cw__wait *wait)
{
    message m = {.data = data,
                 .len_bytes = len_bytes,
                 .opcode = opcode,
                 .ends_message = ends_message,
                 .more_follow = more_follow};
    cw_status status = cw__outbound_turn_locked(s, len_bytes, CW__SENDING_NOTHING, wait);

    return status == CW_OK ? send_now(s, &m, wait) : status;
}

/* SPDX-License-Identifier: MIT */
/* Outbound: messages and control frames on their way to the codec.
 *
 * A send that may block writes its whole message in the calling thread: when it returns CW_OK, the kernel has taken
 * every byte. A send that must not block writes what the kernel takes and queues the rest, up to QUEUE_BYTES for all
 * such sends; the service thread writes the queue. Control frames go between frames, so a message is cut into frames
 * of at most frame_size.
 *
 * Inside a batch (cw_socket_batch_begin) the codec holds small frames back, up to 32 KiB, and writes them together.
 *
 * Safety: under the socket's lock, given up only in cw__socket_poll_locked and cw__socket_wait_locked. A frame
 * that has begun is either first in the queue or in the hands of the one direct sender (out.is_direct), and then what
 * the queue has may wait behind HELD. */
#include <poll.h>
#include <string.h>

#include "socket.h"

enum {
    QUEUE_BYTES = 256 * 1024, /* queued by sends that must not block */
    SHARE_BYTES = 256 * 1024, /* written before others may have the lock */
    CONTROL_HEAD_BYTES = 6,   /* with the mask */
    HELD = 0x1f               /* no opcode: in the queue, stands for the frames that the codec holds back */
};

/* ---- Writing ---- */

static void after_write(cw_socket *s, cw__io io)
{
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
}

/* Goes on with a frame; counts what has gone in *sent_bytes, and takes it off the share. OK: all of it is out, or held
 * back where more_follow says that another frame comes next. */
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
    after_write(s, io);
    return io;
}

static cw__io write_held(cw_socket *s)
{
    cw__io io = s->codec->calls->flush(s->codec);

    after_write(s, io);
    return io;
}

/* A direct sender that was told to leave in the middle of a frame has queued its rest (finish_frame), so the
 * queue may always be written unless one is at work. */
static cw__io write_queue(cw_socket *s)
{
    size_t share = SHARE_BYTES;

    while (s->codec && s->out.first && s->close.state != CW__CLOSE_ENDED && !s->out.is_broken) {
        cw__outgoing *f = s->out.first;
        bool is_close = f->opcode == CW__OP_CLOSE;
        cw__io io;
        if (share == 0)
            return CW__IO_AGAIN;
        f->is_begun = true;
        io = f->opcode == HELD ? write_held(s)
                               : write_frame(s, f->next && !is_close, f->opcode, f->is_final, f->data,
                                             f->len_bytes, &f->sent_bytes, &share);
        if (io != CW__IO_OK)
            return io;
        cw__queue_remove_first_locked(s);
        if (is_close)
            cw__closing_sent_locked(s);
    }
    return CW__IO_OK;
}

/* Called by calls that must not wait, too: while another thread is inside libcurl the service alone waits for that. */
static cw__io write_queue_now(cw_socket *s)
{
    bool never_waited = cw__socket_never_waits_locked(s, !cw__service_is_here());
    cw__io io = write_queue(s);

    (void)cw__socket_never_waits_locked(s, never_waited);
    return io;
}

void cw__outbound_flush_locked(cw_socket *s)
{
    size_t before = s->out.data_bytes;

    if (s->out.is_direct)
        return;
    if (write_queue_now(s) == CW__IO_FAULT || s->out.is_broken)
        cw__queue_lose_locked(s); /* or the service would watch the descriptor for it for ever */
    /* A close frame that cannot go out. Where ours was the first, the peer's may still be read: reading finds the end. */
    if (s->out.is_broken && s->close.state != CW__CLOSE_NONE && s->close.state != CW__CLOSE_SENT)
        cw__closing_ended_locked(s, s->fault.message);
    if (s->out.data_bytes < before || !s->out.first)
        cw__socket_changed_locked(s); /* senders that wait for room, and flush */
    if (s->out.wants_writable && s->out.data_bytes <= QUEUE_BYTES / 2) {
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
    size_t frame_most;  /* frame_size */
    size_t frame_bytes; /* of the frame under way */
    size_t frame_sent;
    uint8_t opcode;      /* of the frame under way */
    bool is_frame_begun; /* the codec has it */
    bool ends_message;
    bool more_follow; /* the codec may hold the last frame back: another send or a flush comes */
} parcel;

static size_t rest_of(const parcel *p) { return p->len_bytes - p->done_bytes; }

static void next_frame(parcel *p)
{
    p->frame_bytes = rest_of(p) < p->frame_most ? rest_of(p) : p->frame_most;
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

/* Whether to stop although the connection may take more: the share is used up, and a thread waits for the lock. */
static bool gives_way(const cw_socket *s, size_t *share)
{
    if (*share > 0)
        return false;
    *share = SHARE_BYTES;
    return cw__socket_is_wanted(s);
}

/* Writes frames until the connection takes no more or others shall have the lock. OK: all is out. */
static cw__io write_parcel(cw_socket *s, parcel *p)
{
    size_t share = SHARE_BYTES;

    for (;;) {
        cw__io io;
        p->is_frame_begun = true;
        io = write_frame(s, p->more_follow && is_last_frame(p), p->opcode, p->ends_message && is_last_frame(p),
                         p->data + p->done_bytes, p->frame_bytes, &p->frame_sent, &share);
        if (io == CW__IO_AGAIN && share == 0 && !gives_way(s, &share))
            continue;
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
        if (gives_way(s, &share))
            return CW__IO_AGAIN;
    }
}

/* ---- Batches ---- */

/* Writes what the codec holds back. What the connection does not take is queued for the service. */
void cw__outbound_release_locked(cw_socket *s)
{
    cw__outgoing *f;

    if (!s->codec || s->codec->sending != CW__SENDING_HELD || s->out.is_direct)
        return;
    if (!s->out.first) {
        f = cw__queue_make(HELD, true, NULL, 0);
        if (!f) {
            cw__error_set(&s->fault, CW_CLOSED, CW_WEB_Unknown,
                          "no memory to write the messages of a batch: connection dropped");
            cw__closing_ended_locked(s, s->fault.message);
            return;
        }
        f->is_begun = true; /* nothing may go before it */
        cw__queue_append_locked(s, f);
    }
    cw__outbound_flush_locked(s);
}

/* Makes the frame under way, or its rest, ready to be queued. */
static cw__outgoing *make_rest(const parcel *p)
{
    cw__outgoing *f = cw__queue_make(p->opcode, p->ends_message && is_last_frame(p),
                                     p->data + p->done_bytes + p->frame_sent, p->frame_bytes - p->frame_sent);

    if (f)
        f->is_begun = p->is_frame_begun;
    return f;
}

/* Queues all that is left of the parcel: a frame that has begun first, the others last. False without memory,
 * with nothing queued. */
__attribute__((noinline)) static bool queue_parcel(cw_socket *s, parcel *p)
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
            cw__queue_prepend_locked(s, f);
        else
            cw__queue_append_locked(s, f);
    }
    p->done_bytes = p->len_bytes;
    return true;
}

/* Names the control where the time is its own and not the caller's. */
static const char *whose_time(const cw__wait *wait) { return wait->is_default ? " (send_timeout)" : ""; }

cw_status cw__outbound_break_off_locked(cw_socket *s, cw_status status, const cw__wait *wait)
{
    if (status == CW_TIMED_OUT)
        cw__error_set(&s->fault, CW_CLOSED, CW_WEB_Timeout,
                      "the server took nothing for %g s%s in the middle of a message: connection dropped",
                      (double)wait->timeout_ms / 1000, whose_time(wait));
    else
        cw__error_set(&s->fault, CW_CLOSED, CW_WEB_OperationCanceled,
                      "%s in the middle of a message: connection dropped",
                      status == CW_NO_MEMORY ? "no memory" : "interrupted");
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
        cw__queue_prepend_locked(s, f);
    else
        cw__closing_ended_locked(s, "no memory for the rest of a frame");
}

/* The calling thread writes the rest of a message as the connection takes it. Not inlined: a send that needs none of this
 * would save registers for it. */
__attribute__((noinline)) static cw_status write_directly(cw_socket *s, parcel *p, cw__wait *wait)
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
        /* Nothing goes into the middle of a frame; what the codec holds back goes out before its rest anyway. */
        io = !p->is_frame_begun && s->out.first && s->out.first->is_begun ? write_queue(s) : CW__IO_OK;
        if (io == CW__IO_OK)
            io = write_parcel(s, p);
        if (s->out.progress_bytes != before) {
            cw__wait_restart(wait);
            if (status == CW_TIMED_OUT)
                status = CW_OK;
        }
    }
    s->out.is_direct = false;
    if (io == CW__IO_OK)
        status = CW_OK;
    else if (s->out.is_broken)
        status = cw__closing_fail_locked(s);
    else if (s->close.state == CW__CLOSE_NONE)
        status = cw__outbound_break_off_locked(s, status, wait);
    else { /* closed meanwhile: the close frame follows the frame under way */
        finish_frame(s, p);
        status = cw__closing_fail_locked(s);
    }
    cw__outbound_flush_locked(s);
    cw__socket_changed_locked(s);
    return status;
}

/* Whether a message may go out now: no other sender is at work (or it is this one that has reserved) and nothing is
 * queued. A send that must not block may join the queue while there is room. */
static bool is_turn(const cw_socket *s, size_t len_bytes, bool has_reserved, const cw__wait *wait)
{
    if (s->out.is_direct || (s->out.is_reserved && !has_reserved))
        return false;
    return !s->out.first ||
           (wait->timeout_ms == 0 && s->out.data_bytes + len_bytes + CW__FRAME_COST_BYTES <= QUEUE_BYTES);
}

static bool may_write(const cw_socket *s)
{
    return s->close.state == CW__CLOSE_NONE && s->codec && !s->out.is_broken;
}

/* Not inlined, as write_directly. */
__attribute__((noinline)) static cw_status wait_for_turn(cw_socket *s, size_t len_bytes, bool has_reserved,
                                                         cw__wait *wait)
{
    cw_status status = CW_OK;

    while (may_write(s)) {
        uint64_t before = s->out.progress_bytes;
        if (is_turn(s, len_bytes, has_reserved, wait))
            return CW_OK;
        if (status == CW_TIMED_OUT && wait->timeout_ms == 0) {
            s->out.wants_writable = true;
            return cw__fail(CW_WOULD_BLOCK,
                            "the send buffer is full; wait until the socket is writable and retry");
        }
        if (status == CW_TIMED_OUT)
            return cw__fail(CW_TIMED_OUT,
                            "the server took nothing for %g s%s, so this message was not sent; retry, "
                            "or close the connection",
                            (double)wait->timeout_ms / 1000, whose_time(wait));
        if (status == CW_INTERRUPTED)
            return cw__fail(CW_INTERRUPTED,
                            "interrupted while waiting to send; nothing of this message was sent");
        status = cw__socket_wait_locked(s, wait);
        if (s->out.progress_bytes != before)
            cw__wait_restart(wait);
    }
    return cw__closing_fail_locked(s);
}

cw_status cw__outbound_turn_locked(cw_socket *s, size_t len_bytes, bool has_reserved, cw__wait *wait)
{
    if (may_write(s) && is_turn(s, len_bytes, has_reserved, wait))
        return CW_OK;
    return wait_for_turn(s, len_bytes, has_reserved, wait);
}

/* It is this parcel's turn. */
static cw_status send_now(cw_socket *s, parcel *p, cw__wait *wait)
{
    int64_t frame_size = cw__setting(s, CW_OPT_FRAME_SIZE);
    cw__io io = CW__IO_AGAIN;

    p->frame_most = frame_size > 0 && (uint64_t)frame_size < SIZE_MAX ? (size_t)frame_size : SIZE_MAX;
    p->more_follow = (p->more_follow || s->out.batch_count > 0) && s->codec->calls->flush;
    next_frame(p);
    if (!s->out.first) {
        if (wait->timeout_ms == 0)
            (void)cw__socket_never_waits_locked(s, true);
        io = write_parcel(s, p);
        if (wait->timeout_ms == 0)
            (void)cw__socket_never_waits_locked(s, false);
        if (io == CW__IO_OK)
            return CW_OK;
        if (io != CW__IO_AGAIN)
            return cw__closing_fail_locked(s);
        if (wait->timeout_ms != 0)
            return write_directly(s, p, wait);
    }
    /* The rest is queued whatever its size: the caller has that much memory in hand itself. */
    if (queue_parcel(s, p)) {
        cw__socket_watch_locked(s);
        return CW_OK;
    }
    if (io == CW__IO_AGAIN && (p->is_frame_begun || p->done_bytes > 0))
        return cw__outbound_break_off_locked(s, CW_NO_MEMORY, wait);
    return cw__fail(CW_NO_MEMORY, "no memory to send a message; nothing of it was sent");
}

cw_status cw__outbound_send_locked(cw_socket *s, uint8_t opcode, bool ends_message, const uint8_t *data,
                                   size_t len_bytes, cw__wait *wait)
{
    parcel p = {.data = data, .len_bytes = len_bytes, .opcode = opcode, .ends_message = ends_message};

    return send_now(s, &p, wait);
}

cw_status cw__outbound_message_locked(cw_socket *s, uint8_t opcode, bool ends_message, bool more_follow,
                                      const uint8_t *data, size_t len_bytes, cw__wait *wait)
{
    parcel p = {.data = data,
                .len_bytes = len_bytes,
                .opcode = opcode,
                .ends_message = ends_message,
                .more_follow = more_follow};
    cw_status status = cw__outbound_turn_locked(s, len_bytes, false, wait);

    return status == CW_OK ? send_now(s, &p, wait) : status;
}

/* SPDX-License-Identifier: MIT */
/* Compressing: messages that are sent compressed (RFC 7692 section 7.2.1), piece by piece in constant memory, each piece
 * by the way that outbound.c has for any data. Called by its public calls.
 *
 * Safety: under the socket's lock, but for compressing itself (out.is_reserved keeps other senders away meanwhile). */
#include "socket.h"

enum { PIECE_BYTES = 16 * 1024 /* a frame; on the stack */ };

bool cw__compressing_is_wanted(const cw_socket *s, size_t len_bytes)
{
    return s->compression.is_on &&
           (uint64_t)len_bytes >= (uint64_t)cw__setting(s, CW_OPT_COMPRESSION_THRESHOLD);
}

/* Compresses the next piece, of a larger message without the lock, for which the service must not have to wait. */
static size_t next_piece(cw_socket *s, uint8_t *buffer, bool is_large, bool ends_message, cw__wait *wait,
                         bool *is_done)
{
    size_t len;

    if (is_large && !wait->is_held) { /* another thread may release the socket meanwhile */
        cw__socket_hold(s);
        wait->is_held = true;
    }
    if (is_large)
        cw__mutex_unlock(&s->lock);
    len = cw__deflater_give(s->out.deflater, buffer, PIECE_BYTES, ends_message, is_done);
    if (is_large)
        cw__mutex_lock(&s->lock);
    return len;
}

/* Waits until the next piece may follow; the first one has its turn. What fails now is the whole message. */
static cw_status next_turn(cw_socket *s, size_t len_bytes, bool is_first, cw__wait *wait)
{
    if (!s->codec || s->close.state != CW__CLOSE_NONE || s->out.is_broken)
        return cw__closing_fail_locked(s);
    if (is_first || wait->timeout_ms == 0) /* who may not wait has the rest queued */
        return CW_OK;
    cw__wait_restart(wait);
    return cw__outbound_turn_locked(s, len_bytes, true, wait);
}

static cw_status send_pieces(cw_socket *s, uint8_t opcode, bool ends_message, bool is_large, cw__wait *wait)
{
    uint8_t buffer[PIECE_BYTES];
    cw_status status = CW_OK;
    bool is_done = false, is_first = true;

    while (status == CW_OK && !is_done) {
        size_t len = next_piece(s, buffer, is_large, ends_message, wait, &is_done);
        status = next_turn(s, len, is_first, wait);
        if (status == CW_OK)
            status = cw__outbound_send_locked(s, opcode, ends_message && is_done, buffer, len, wait);
        if (!is_first && (status == CW_TIMED_OUT || status == CW_INTERRUPTED || status == CW_NO_MEMORY))
            status = cw__outbound_break_off_locked(s, status);
        opcode = CW__OP_CONTINUATION;
        is_first = false;
    }
    return status;
}

cw_status cw__compressing_send_locked(cw_socket *s, uint8_t opcode, bool ends_message, const void *data,
                                      size_t len_bytes, cw__wait *wait)
{
    bool is_large = len_bytes > PIECE_BYTES;
    cw_status status = cw__outbound_turn_locked(s, is_large ? PIECE_BYTES : len_bytes, false, wait);

    if (status != CW_OK)
        return status;
    if (!s->out.deflater && !(s->out.deflater = cw__deflater_create(&s->compression)))
        return cw__fail(CW_NO_MEMORY, "no memory to compress a message");
    s->out.is_reserved = true;
    cw__deflater_take(s->out.deflater, data, len_bytes);
    status = send_pieces(s, opcode, ends_message, is_large, wait);
    s->out.is_reserved = false;
    if (status != CW_OK) /* what comes next must not refer to what did not go out */
        cw__deflater_forget(s->out.deflater);
    cw__socket_changed_locked(s);
    return status;
}

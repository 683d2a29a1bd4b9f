/* SPDX-License-Identifier: MIT */
/* Compressing: sends compressed messages (RFC 7692 section 7.2.1). A message of at most PIECE_BYTES in compressed
 * form goes out in one frame. A longer one goes out in pieces of PIECE_BYTES, which limits the memory. outbound.c
 * sends each piece like any other data. sending.c calls this file.
 *
 * Safety: under the socket's lock. Compressing a large message runs without it; out.sending keeps other senders away. */
#include <string.h>

#include "socket.h"

enum {
    SMALL_BYTES = 16 * 1024,   /* a message of this size is compressed on the stack and under the lock */
    PIECE_BYTES = 1024 * 1024, /* with frame_size -1, a piece is the whole message */
    ROOM_AT_LEAST = 64,        /* room for the next call of the deflater */
    STEP_AT_MOST = 1 << 30     /* zlib counts in 32 bits */
};

/* Compressed data that is not sent yet. */
typedef struct piece {
    uint8_t *data;
    size_t len_bytes, room_bytes, most_bytes;
    uint8_t small[SMALL_BYTES];
} piece;

bool cw__compressing_is_wanted(const cw_socket *s, const cw_message *m)
{
    if (!s->compression.is_on || m->compress == CW_COMPRESS_NEVER)
        return false;
    return m->compress == CW_COMPRESS_ALWAYS ||
           (uint64_t)m->len_bytes >= (uint64_t)cw__setting(s, CW_OPT_COMPRESSION_THRESHOLD);
}

static void free_piece(piece *p)
{
    if (p->data != p->small)
        cw__free(p->data);
}

/* Makes more room. Returns false if there is no memory. */
static bool grow(piece *p)
{
    size_t room_bytes = p->room_bytes * 2 < p->most_bytes ? p->room_bytes * 2 : p->most_bytes;
    bool is_small = p->data == p->small;
    uint8_t *data = cw__realloc(is_small ? NULL : p->data, room_bytes);

    if (!data)
        return false;
    if (is_small)
        memcpy(data, p->small, p->len_bytes);
    p->data = data;
    p->room_bytes = room_bytes;
    return true;
}

/* Compresses into the piece until it is full or this part of the message ends. Returns false if there is no memory. */
static bool fill(cw__deflater *deflater, piece *p, bool ends_message, bool *is_done)
{
    p->len_bytes = 0;
    do {
        size_t room = p->room_bytes - p->len_bytes;
        if (room < ROOM_AT_LEAST && !grow(p))
            return false;
        room = p->room_bytes - p->len_bytes;
        p->len_bytes += cw__deflater_give(deflater, p->data + p->len_bytes,
                                          room < STEP_AT_MOST ? room : STEP_AT_MOST, ends_message, is_done);
    } while (!*is_done && p->most_bytes - p->len_bytes >= ROOM_AT_LEAST);
    return true;
}

/* Compresses the next piece. For a large message this function releases the lock meanwhile, so that the service
 * thread need not wait. */
static bool next_piece(cw_socket *s, piece *p, bool is_large, bool ends_message, cw__wait *wait, bool *is_done)
{
    bool is_well;

    if (is_large) {
        cw__socket_hold_for(s, wait);
        cw__mutex_unlock(&s->lock);
    }
    is_well = fill(s->out.deflater, p, ends_message, is_done);
    if (is_large)
        cw__mutex_lock(&s->lock);
    return is_well;
}

/* Waits until the next piece may go out. The first piece waits too, because a control frame may have been queued while
 * the piece was compressed without the lock. A failure here fails the whole message. */
static cw_status next_turn(cw_socket *s, size_t len_bytes, cw__wait *wait)
{
    if (!s->codec || s->close.state != CW__CLOSE_NONE || s->out.is_broken)
        return cw__closing_fail_locked(s);
    if (wait->timeout_ms == 0) /* a call that must not wait queues the rest */
        return CW_OK;
    cw__wait_restart(wait);
    return cw__outbound_turn_locked(s, len_bytes, CW__SENDING_PIECES, wait);
}

static cw_status send_pieces(cw_socket *s, uint8_t opcode, bool ends_message, bool is_large, cw__wait *wait)
{
    piece p;
    cw_status status = CW_OK;
    bool is_done = false, is_first = true;

    p.data = p.small;
    p.room_bytes = sizeof p.small;
    p.most_bytes = cw__setting(s, CW_OPT_FRAME_SIZE) < 0 ? SIZE_MAX : PIECE_BYTES;
    while (status == CW_OK && !is_done) {
        if (!next_piece(s, &p, is_large, ends_message, wait, &is_done))
            status =
                cw__fail(CW_NO_MEMORY,
                         "no memory to compress a message; none of it was sent: free memory and send it again");
        else
            status = next_turn(s, p.len_bytes, wait);
        if (status == CW_OK)
            status = cw__outbound_send_locked(s, opcode, ends_message && is_done, p.data, p.len_bytes, wait);
        if (!is_first && (status == CW_TIMED_OUT || status == CW_INTERRUPTED || status == CW_NO_MEMORY))
            status = cw__outbound_break_off_locked(s, status, wait);
        opcode = CW__OP_CONTINUATION;
        is_first = false;
    }
    free_piece(&p);
    return status;
}

cw_status cw__compressing_send_locked(cw_socket *s, uint8_t opcode, bool ends_message, const void *data,
                                      size_t len_bytes, cw__wait *wait)
{
    bool is_large = len_bytes > SMALL_BYTES;
    cw_status status =
        cw__outbound_turn_locked(s, is_large ? SMALL_BYTES : len_bytes, CW__SENDING_NOTHING, wait);

    if (status != CW_OK)
        return status;
    if (!s->out.deflater && !(s->out.deflater = cw__deflater_create(&s->compression)))
        return cw__fail(CW_NO_MEMORY,
                        "no memory to compress a message; none of it was sent: free memory and send it again");
    s->out.sending = CW__SENDING_PIECES;
    cw__deflater_take(s->out.deflater, data, len_bytes);
    status = send_pieces(s, opcode, ends_message, is_large, wait);
    s->out.sending = CW__SENDING_NOTHING;
    if (status != CW_OK) /* later data must not refer to data that did not go out */
        cw__deflater_forget(s->out.deflater);
    cw__outbound_tell_writable_locked(s); /* a send may have found that this thread was sending */
    cw__socket_changed_locked(s);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Inbound: from the codec through the message rules to whoever takes messages. Either the service reads, into
 * the inbox and up to its high-water mark, or the threads that call receive and read do it themselves, polling
 * while they wait, so that request and response need no other thread. The service steps aside at the first
 * such call and looks every few milliseconds whether they have left.
 *
 * Safety: under the socket's lock. */
#include <string.h>

#include "socket.h"

enum {
    SCRATCH_BYTES = 16 * 1024, /* on the stack; larger frames are read into their message */
    SHARE_BYTES = 1024 * 1024, /* that the service reads of one socket before it looks at the others */
    STREAM_ROOM_BYTES = 16 * 1024,
    PIECE_COST_BYTES = 64,  /* so that empty frames use the share up too */
    LARGE_BYTES = 64 * 1024 /* a message of this much is worth memory of its taker's own */
};

static void push(cw_socket *s, cw_event *e)
{
    s->in.message.place = NULL; /* whoever lent it has to take this one first */
    cw__inbox_push(&s->in.inbox, e);
    cw__socket_post_locked(s, CW_EVENT_MESSAGE);
}

/* A part of a message in the stream class or in partial mode: bytes for the reader, or an event. */
static void take_part(cw_socket *s, const cw__message_output *out, uint8_t *direct, size_t *direct_bytes)
{
    cw__inbox *box = &s->in.inbox;
    cw_event *e;

    if (s->is_closed_locally || (s->socket_class == CW_STREAM_SOCKET && out->len_bytes == 0))
        return;
    if (direct) { /* the codec was told how much fits */
        if (out->data != direct)
            memcpy(direct, out->data, out->len_bytes);
        *direct_bytes = out->len_bytes;
        return;
    }
    if (s->socket_class == CW_STREAM_SOCKET && box->last &&
        box->last->room_bytes - box->last->len_bytes >= out->len_bytes) {
        memcpy(box->last->data + box->last->len_bytes, out->data, out->len_bytes);
        box->last->len_bytes += out->len_bytes;
        box->bytes += out->len_bytes;
        if (box->bytes >= box->high_bytes)
            box->is_full = true;
        return;
    }
    e = cw__message_part_event(out, s->socket_class == CW_STREAM_SOCKET ? STREAM_ROOM_BYTES : 0);
    if (e)
        push(s, e);
    else
        cw__closing_no_memory_locked(s, "no memory for a message");
}

static bool is_reading_messages(const cw_socket *s)
{
    return s->codec && (s->close.state == CW__CLOSE_NONE || s->close.state == CW__CLOSE_SENT);
}

static void take_piece(cw_socket *s, const cw__piece *piece, uint8_t *direct, size_t *direct_bytes)
{
    cw__message_output out;

    switch (cw__message_feed(&s->in.message, piece, &out)) {
    case CW__MESSAGE_NONE:
        break;
    case CW__MESSAGE_WHOLE:
        if (s->is_closed_locally)
            cw_event_free(out.event);
        else if (!out.event->is_lent) /* else it is where it should be: who lent the place sees it complete */
            push(s, out.event);
        break;
    case CW__MESSAGE_PART:
        take_part(s, &out, direct, direct_bytes);
        break;
    case CW__MESSAGE_PING:
        if (is_reading_messages(s) && !s->out.is_broken && !cw__pings_owe_locked(s, out.data, out.len_bytes))
            cw__closing_no_memory_locked(s, "no memory for a message");
        break;
    case CW__MESSAGE_PONG:
        cw__pings_answered_locked(s, out.data, out.len_bytes);
        break;
    case CW__MESSAGE_CLOSE:
        cw__closing_received_locked(s, out.data, out.len_bytes);
        break;
    case CW__MESSAGE_VIOLATION:
        cw__closing_violated_locked(s, &out.violation);
        break;
    case CW__MESSAGE_NO_MEMORY:
        cw__closing_no_memory_locked(s, "no memory for a message");
        break;
    }
}

/* Has the message rules take what the inflater makes of compressed data, as far as there is room for it; what is left
 * is gone on with in the next step. */
static void inflate(cw_socket *s, uint8_t *direct, size_t direct_size, size_t *direct_bytes, size_t *read_bytes)
{
    static const cw__violation corrupt = {1007, "the peer sent compressed data that is corrupt"};
    uint8_t scratch[SCRATCH_BYTES];
    uint8_t *to = direct ? direct : scratch;
    size_t to_bytes = direct ? direct_size : sizeof scratch;
    cw__inflater *inflater = s->in.inflater;
    cw__inflate_result result = CW__INFLATE_PIECE;
    cw__piece piece;

    while (result == CW__INFLATE_PIECE && is_reading_messages(s) && !s->in.inbox.is_full &&
           !(direct && *direct_bytes > 0) && *read_bytes < SHARE_BYTES) {
        result = cw__inflater_give(inflater, to, to_bytes, &piece);
        if (result == CW__INFLATE_PIECE) {
            *read_bytes += piece.len_bytes;
            take_piece(s, &piece, direct, direct_bytes);
        }
    }
    if (result == CW__INFLATE_BAD)
        cw__closing_violated_locked(s, &corrupt);
    else if (result == CW__INFLATE_NO_MEMORY || !cw__inflater_keep(inflater))
        cw__closing_no_memory_locked(s, "no memory for a message");
}

/* The rest of a large message that comes fast, and is of no use before all of it is there, is worth no wake-up for each
 * part: that is a third of what receiving it costs. */
static void await(cw_socket *s)
{
    const cw__message *m = &s->in.message;
    bool is_worth_it = s->in.run_bytes >= LARGE_BYTES && m->frame_left >= LARGE_BYTES && !m->is_partial &&
                       !s->in.inflater && is_reading_messages(s);

    if (s->codec->calls->await)
        s->codec->calls->await(s->codec, is_worth_it ? m->frame_left : 1);
    s->in.run_bytes = 0;
}

/* Reads one run of bytes and does what it asks for. OK: something was read; BUSY: nothing was, and there may be
 * more; all else is dealt with already, AGAIN but for the waiting. */
static cw__io step(cw_socket *s, uint8_t *direct, size_t direct_size, size_t *direct_bytes, size_t *read_bytes)
{
    uint8_t scratch[SCRATCH_BYTES];
    size_t room = 0;
    uint8_t *to;
    cw__piece piece;
    cw__io io;

    if (s->in.inflater && cw__inflater_has_more(s->in.inflater)) {
        inflate(s, direct, direct_size, direct_bytes, read_bytes);
        return CW__IO_OK;
    }
    to = cw__message_space(&s->in.message, &room);
    if (!to) {
        to =
            direct && !s->in.inflater ? direct : scratch; /* what is compressed must not lie where it goes to */
        room = direct && (direct_size < sizeof scratch || !s->in.inflater) ? direct_size : sizeof scratch;
    }
    io = s->codec->calls->receive(s->codec, to, room, &piece);
    switch (io) {
    case CW__IO_OK:
        cw__pings_note_locked(s, &piece);
        *read_bytes = piece.len_bytes;
        if (s->in.inflater && cw__inflater_take(s->in.inflater, &piece))
            inflate(s, direct, direct_size, direct_bytes, read_bytes);
        else
            take_piece(s, &piece, direct, direct_bytes);
        break;
    case CW__IO_AGAIN:
        s->in.is_drained = true;
        if (s->in.is_heard)
            cw__pings_heard_locked(s, cw__now_ms());
        await(s);
        break;
    case CW__IO_BUSY:
        break;
    case CW__IO_END:
        cw__closing_ended_locked(s, s->out.is_broken ? s->fault.message
                                                     : "the server ended the connection without a close frame");
        break;
    case CW__IO_FAULT:
        cw__closing_ended_locked(s, s->fault.message);
        break;
    case CW__IO_VIOLATION:
        cw__closing_violated_locked(s, &s->codec->violation);
        break;
    }
    return io;
}

/* After the close frames nothing has a meaning any more; TCP's end is waited for. */
static void discard(cw_socket *s)
{
    cw__io io = s->codec->calls->discard(s->codec);

    s->in.is_drained = io != CW__IO_OK;
    if (io != CW__IO_OK && io != CW__IO_AGAIN)
        cw__closing_ended_locked(s, "closed");
}

bool cw__inbound_may_discard(const cw_socket *s)
{
    return s->codec && !is_reading_messages(s) && s->close.state != CW__CLOSE_ENDED && !s->out.first;
}

void cw__inbound_serve_locked(cw_socket *s)
{
    size_t share = 0;

    while (is_reading_messages(s) && !s->in.is_drained && !s->in.inbox.is_full && share < SHARE_BYTES) {
        size_t read_bytes = 0;
        if (step(s, NULL, 0, NULL, &read_bytes) != CW__IO_OK)
            break;
        share += read_bytes + PIECE_COST_BYTES;
    }
    if (s->in.inbox.is_full)
        cw__pings_paused_locked(s);
    /* A close frame of ours goes out before anything is looked for behind the peer's: TCP's end may be there
     * already, and an answer is owed all the same (section 5.5.1). */
    if (s->out.first && !is_reading_messages(s) && s->close.state != CW__CLOSE_ENDED)
        cw__outbound_flush_locked(s);
    if (cw__inbound_may_discard(s) && !s->in.is_drained)
        discard(s);
}

/* ---- Taking ---- */

cw_event *cw__inbound_pop_locked(cw_socket *s)
{
    bool was_full = s->in.inbox.is_full;
    cw_event *e = cw__inbox_pop(&s->in.inbox);

    if (was_full && !s->in.inbox.is_full)
        cw__pings_resumed_locked(s, cw__now_ms());
    return e;
}

/* The length of a large message that comes, if its taker may have it in memory of its own; 0 = there is none. */
static size_t coming_now_locked(const cw_socket *s)
{
    uint64_t len_bytes = cw__message_coming(&s->in.message);

    if (len_bytes < LARGE_BYTES || len_bytes > (uint64_t)cw__setting(s, CW_OPT_INBOUND_BUFFER_SIZE))
        return 0;
    return s->is_closed_locally ? 0 : (size_t)len_bytes;
}

/* Pongs that are owed go out before the caller can answer what it came for, once what came behind their pings is read
 * (pong.c): here, or by the service. Not where a large message has just begun, for which its taker makes room. */
static void pay_pongs(cw_socket *s, bool is_large_coming)
{
    if (s->pings.owed) {
        for (size_t share = 0; !s->in.is_drained && cw__inbound_may_read(s) && !s->in.inbox.is_full &&
                               !is_large_coming && !s->pings.is_behind && share < SHARE_BYTES;) {
            size_t read_bytes = 0;
            if (step(s, NULL, 0, NULL, &read_bytes) == CW__IO_BUSY)
                break;
            share += read_bytes + PIECE_COST_BYTES;
        }
        if (!cw__pings_pay_locked(s, cw__now_ms()))
            cw__closing_no_memory_locked(s, "no memory for a pong");
        if (s->pings.owed && !is_large_coming)
            cw__inbound_give_back_locked(s);
    }
    if (s->out.first)
        cw__outbound_flush_locked(s);
}

/* Reads without waiting, until there is a message in the inbox or in a place that was lent, or, if coming_bytes is
 * asked for, until a large one begins to come. */
void cw__inbound_read_now_locked(cw_socket *s, const cw_event *place, size_t *coming_bytes)
{
    cw__inbound_take_over_locked(s);
    for (size_t share = 0;
         !s->in.is_drained && cw__inbound_may_read(s) && !s->in.inbox.first && share < SHARE_BYTES;) {
        size_t read_bytes = 0;
        if (coming_bytes && (*coming_bytes = coming_now_locked(s)) > 0)
            break;
        if ((place && place->is_complete) || step(s, NULL, 0, NULL, &read_bytes) == CW__IO_BUSY)
            break;
        share += read_bytes + PIECE_COST_BYTES;
    }
    if (s->pings.owed || s->out.first)
        pay_pongs(s, coming_bytes && *coming_bytes > 0);
}

/* Takes bytes from the inbox's first event; what is left of it stays first. */
static size_t read_inbox(cw_socket *s, void *buffer, size_t size_bytes)
{
    cw_event *e = s->in.inbox.first;
    size_t offset, len;

    if (!e)
        return 0;
    offset = e->stream_offset;
    len = e->len_bytes - offset;
    if (len > size_bytes) {
        memcpy(buffer, e->data + offset, size_bytes);
        e->stream_offset += size_bytes;
        return size_bytes;
    }
    memcpy(buffer, e->data + offset, len);
    cw_event_free(cw__inbound_pop_locked(s));
    return len;
}

size_t cw__inbound_read_stream_locked(cw_socket *s, void *buffer, size_t size_bytes)
{
    size_t len = read_inbox(s, buffer, size_bytes);

    if (len > 0 || !cw__inbound_may_read(s))
        return len;
    cw__inbound_take_over_locked(s);
    for (size_t share = 0; len == 0 && !s->in.is_drained && cw__inbound_may_read(s) && share < SHARE_BYTES;) {
        size_t read_bytes = 0;
        (void)step(s, buffer, size_bytes, &len, &read_bytes);
        share += read_bytes + PIECE_COST_BYTES;
    }
    pay_pongs(s, false);
    return len;
}

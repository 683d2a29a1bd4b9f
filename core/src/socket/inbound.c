/* SPDX-License-Identifier: MIT */
/* Inbound: reads from the codec, applies the rules for messages, and fills the inbox.
 *
 * Either the service thread reads, until the inbox is full. Or the threads that call receive and read do it themselves
 * and poll while they wait, so that request and response need no other thread. The service thread stops reading at the first
 * such call, and checks after 10 ms whether the callers have stopped.
 *
 * Safety: under the socket's lock.
 *
 * Errors: CW_CLOSED. */
#include <string.h>

#include "socket.h"

enum {
    SCRATCH_BYTES = 16 * 1024, /* on the stack; larger frames are read into their message */
    SHARE_BYTES = 1024 * 1024, /* read from one socket at most, so that a busy one does not starve the others */
    STREAM_ROOM_BYTES = 16 * 1024,
    PIECE_COST_BYTES = 64,  /* counted for each piece, so that empty frames use up the share too */
    LARGE_BYTES = 64 * 1024 /* a message of this size may be read into its receiver's memory */
};

static void push(cw_socket *s, cw_event *e)
{
    s->in.message.place = NULL; /* the caller that lent the place must take this message first */
    cw__inbox_push(&s->in.inbox, e);
    cw__socket_post_locked(s, CW_EVENT_MESSAGE);
}

/* One round of reading: where a stream's bytes go, and how much was read. */
typedef struct reading {
    uint8_t *buffer; /* the buffer of a stream's reader; NULL = read into the inbox */
    size_t size_bytes;
    size_t len_bytes; /* bytes in the buffer; the round ends when there are any */
    size_t share;     /* the part of SHARE_BYTES that is used */
} reading;

/* Adds a stream's bytes to the last event of the inbox. Returns false if that has no room for them. */
static bool append(cw__inbox *box, const cw__message_output *out)
{
    cw_event *e = box->last;

    if (!e || e->room_bytes - e->len_bytes < out->len_bytes)
        return false;
    memcpy(e->data + e->len_bytes, out->data, out->len_bytes);
    e->len_bytes += out->len_bytes;
    box->bytes += out->len_bytes;
    cw__inbox_grew(box);
    return true;
}

/* Takes a part of a message, for a stream or in partial mode. It copies the part to the reader, or makes an event. */
static void take_part(cw_socket *s, const cw__message_output *out, reading *r)
{
    bool is_stream = s->socket_class == CW_STREAM_SOCKET;
    cw_event *e;

    if (s->in.is_skipping) {
        s->in.is_skipping = !out->is_complete;
        return;
    }
    if (s->is_closed_locally || (is_stream && out->len_bytes == 0))
        return;
    if (r->buffer) { /* the buffer has room, because the codec reads at most size_bytes */
        if (out->data != r->buffer)
            memcpy(r->buffer, out->data, out->len_bytes);
        r->len_bytes = out->len_bytes;
        return;
    }
    if (is_stream && append(&s->in.inbox, out))
        return;
    e = cw__message_part_event(out, is_stream ? STREAM_ROOM_BYTES : 0);
    if (e)
        push(s, e);
    else
        cw__closing_no_memory_locked(s, "no memory for a message: free memory and connect again");
}

static bool is_reading_messages(const cw_socket *s)
{
    return s->codec && (s->close.state == CW__CLOSE_NONE || s->close.state == CW__CLOSE_SENT);
}

static void take_piece(cw_socket *s, const cw__piece *piece, reading *r)
{
    cw__message_output out;

    switch (cw__message_feed(&s->in.message, piece, &out)) {
    case CW__MESSAGE_NONE:
        break;
    case CW__MESSAGE_WHOLE:
        s->counts.messages_received[out.event->message_type]++;
        s->counts.bytes_received += out.event->len_bytes;
        /* A lent event is in the caller's memory, and the caller sees that it is complete. */
        if (s->is_closed_locally)
            cw_event_free(out.event);
        else if (out.event->memory != CW__MEMORY_LENT)
            push(s, out.event);
        break;
    case CW__MESSAGE_PART:
        s->counts.messages_received[out.message_type] += out.is_complete;
        s->counts.bytes_received += out.len_bytes;
        take_part(s, &out, r);
        break;
    case CW__MESSAGE_PING:
        if (is_reading_messages(s) && !s->out.is_broken && !cw__pings_owe_locked(s, out.data, out.len_bytes))
            cw__closing_no_memory_locked(s, "no memory for a message: free memory and connect again");
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
        cw__closing_no_memory_locked(s, "no memory for a message: free memory and connect again");
        break;
    }
}

/* Returns true while a round of reading may go on: until something is in the caller's buffer, or the share is
 * used up. */
static bool goes_on(const reading *r) { return r->len_bytes == 0 && r->share < SHARE_BYTES; }

/* Inflates compressed data and applies the message rules to the result, while there is room. The next step goes on
 * with the rest. */
static void inflate(cw_socket *s, reading *r)
{
    static const cw__violation corrupt = {1007, "the peer sent compressed data that is corrupt"};
    uint8_t scratch[SCRATCH_BYTES];
    uint8_t *to = r->buffer ? r->buffer : scratch;
    size_t to_bytes = r->buffer ? r->size_bytes : sizeof scratch;
    cw__inflater *inflater = s->in.inflater;
    cw__inflate_result result = CW__INFLATE_PIECE;
    cw__piece piece;

    while (result == CW__INFLATE_PIECE && is_reading_messages(s) && !s->in.inbox.is_full && goes_on(r)) {
        result = cw__inflater_give(inflater, to, to_bytes, &piece);
        if (result == CW__INFLATE_PIECE) {
            r->share += piece.len_bytes;
            take_piece(s, &piece, r);
        }
    }
    if (result == CW__INFLATE_BAD)
        cw__closing_violated_locked(s, &corrupt);
    else if (result == CW__INFLATE_NO_MEMORY || !cw__inflater_keep(inflater))
        cw__closing_no_memory_locked(s, "no memory for a message: free memory and connect again");
}

/* Lets the kernel report the rest of a large message at once, if the message arrives fast. The message is of no
 * use before all of it has arrived. A wake-up for each part would be a third of the cost of receiving the
 * message. */
static void await(cw_socket *s)
{
    const cw__message *m = &s->in.message;
    bool is_worth_it = s->in.run_bytes >= LARGE_BYTES && m->frame_left >= LARGE_BYTES && !m->is_partial &&
                       !s->in.inflater && is_reading_messages(s);

    if (s->codec->calls->await)
        s->codec->calls->await(s->codec, is_worth_it ? m->frame_left : 1);
    s->in.run_bytes = 0;
}

/* Chooses the memory for the next bytes: their final place if that is known, else the caller's buffer or the stack. */
static uint8_t *place_for_next(cw_socket *s, const reading *r, uint8_t scratch[SCRATCH_BYTES], size_t *room)
{
    uint8_t *to = cw__message_space(&s->in.message, room);

    if (to)
        return to;
    *room = r->buffer ? r->size_bytes : SCRATCH_BYTES;
    if (!s->in.inflater)
        return r->buffer ? r->buffer : scratch;
    if (*room > SCRATCH_BYTES) /* compressed data goes to the stack, because its content goes to the buffer */
        *room = SCRATCH_BYTES;
    return scratch;
}

static void take_bytes(cw_socket *s, const cw__piece *piece, reading *r)
{
    cw__violation violation;

    cw__pings_note_locked(s, piece);
    if (s->tracing)
        cw__tracing_received_locked(s, piece);
    r->share += piece->len_bytes;
    if (!cw__message_count(&s->in.message, piece, &violation))
        cw__closing_violated_locked(s, &violation);
    else if (s->in.inflater && cw__inflater_take(s->in.inflater, piece))
        inflate(s, r);
    else
        take_piece(s, piece, r);
}

/* Notes that there is nothing more to read for now. */
static void run_dry(cw_socket *s)
{
    s->in.is_drained = true;
    if (s->in.heard != CW__HEARD_NOTHING)
        cw__pings_heard_locked(s, cw__now_ms());
    await(s);
}

/* Reads bytes once and handles them.
 * Returns OK: something was read. BUSY: nothing was read, and there may be more. AGAIN: the caller may wait for more.
 * All other results have been handled. */
static cw__io step(cw_socket *s, reading *r)
{
    uint8_t scratch[SCRATCH_BYTES];
    cw__piece piece;
    uint8_t *to;
    size_t room;
    cw__io io;

    r->share += PIECE_COST_BYTES;
    if (s->in.inflater && cw__inflater_has_more(s->in.inflater)) {
        inflate(s, r);
        return CW__IO_OK;
    }
    to = place_for_next(s, r, scratch, &room);
    io = s->codec->calls->receive(s->codec, to, room, &piece);
    switch (io) {
    case CW__IO_OK:
        take_bytes(s, &piece, r);
        break;
    case CW__IO_AGAIN:
        run_dry(s);
        break;
    case CW__IO_BUSY:
        break;
    case CW__IO_END:
        cw__closing_ended_locked(
            s, s->out.is_broken ? s->fault.message
                                : "the server ended the connection without a close frame; connect again");
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

/* Reads and drops bytes after the closing handshake, until TCP ends. They have no meaning (RFC 6455 section 5.5.1). */
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
    reading r = {0};

    while (is_reading_messages(s) && !s->in.is_drained && !s->in.inbox.is_full && goes_on(&r))
        if (step(s, &r) != CW__IO_OK)
            break;
    if (s->in.inbox.is_full)
        cw__pings_paused_locked(s);
    /* Write our close frame before reading anything after the peer's. TCP may have ended there already, and the peer
     * must still get an answer (RFC 6455 section 5.5.1). */
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

void cw__inbound_skip_locked(cw_socket *s)
{
    bool is_rest_here = !cw__inbound_is_streaming(s);

    s->in.is_skipping = s->in.is_skipping || !is_rest_here;
    if (s->in.streamer)
        cw__socket_wake_locked(s); /* the streamer may be waiting */
    s->in.streamer = NULL;
    while (!is_rest_here && s->in.inbox.first) {
        cw_event *e = cw__inbound_pop_locked(s);

        is_rest_here = e->is_complete;
        s->in.is_skipping = !is_rest_here;
        cw_event_free(e);
    }
}

/* Returns the length of a large message that begins to arrive, if its receiver may lend memory for it; else 0. */
static size_t coming_now_locked(const cw_socket *s)
{
    uint64_t len_bytes = cw__message_coming(&s->in.message);

    if (len_bytes < LARGE_BYTES || len_bytes > (uint64_t)cw__setting(s, CW_OPT_INBOUND_BUFFER_SIZE))
        return 0;
    return s->is_closed_locally ? 0 : (size_t)len_bytes;
}

static bool may_go_on_reading(const cw_socket *s, const reading *r)
{
    return !s->in.is_drained && cw__inbound_may_read(s) && goes_on(r);
}

/* Sends the pongs that we owe, before the caller can answer the message that it waits for. Bytes that arrived
 * after the pings must be read first (pong.c), here or by the service thread. This function stops reading if a
 * large message has just begun, because the receiver of the message is making room for it. */
static void pay_pongs(cw_socket *s, bool is_large_coming)
{
    reading r = {0};

    if (s->pings.owed) {
        while (may_go_on_reading(s, &r) && !s->in.inbox.is_full && !is_large_coming && !s->pings.is_behind)
            if (step(s, &r) == CW__IO_BUSY)
                break;
        if (!cw__pings_pay_locked(s))
            cw__closing_no_memory_locked(s, "no memory for a pong: free memory and connect again");
        if (s->pings.owed && !is_large_coming)
            cw__inbound_give_back_locked(s);
    }
    if (s->out.first)
        cw__outbound_flush_locked(s);
}

void cw__inbound_read_now_locked(cw_socket *s, const cw_event *place, size_t *coming_bytes)
{
    reading r = {0};

    cw__inbound_take_over_locked(s);
    while (may_go_on_reading(s, &r) && !s->in.inbox.first) {
        if (coming_bytes && (*coming_bytes = coming_now_locked(s)) > 0)
            break;
        if ((place && place->is_complete) || step(s, &r) == CW__IO_BUSY)
            break;
    }
    if (s->pings.owed || s->out.first)
        pay_pongs(s, coming_bytes && *coming_bytes > 0);
}

/* Takes bytes from the first event of the inbox. If the event has more bytes, it stays the first event. */
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
    reading r = {.buffer = buffer, .size_bytes = size_bytes, .len_bytes = read_inbox(s, buffer, size_bytes)};

    if (r.len_bytes > 0 || !cw__inbound_may_read(s))
        return r.len_bytes;
    cw__inbound_take_over_locked(s);
    while (may_go_on_reading(s, &r))
        (void)step(s, &r);
    pay_pongs(s, false);
    return r.len_bytes;
}

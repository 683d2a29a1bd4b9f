/* SPDX-License-Identifier: MIT */
/* Receiving: the public calls that take messages and read the stream. A thread that waits polls the connection
 * itself. If another thread already polls, it waits for that thread. inbound.c reads.
 *
 * Safety: each call takes the socket's lock. Only cw__socket_poll_locked and cw__socket_wait_locked give it up. */
#include <poll.h>
#include <string.h>

#include "socket.h"

/* Polls for the next bytes in the calling thread. */
static cw_status poll_locked(cw_socket *s, cw__wait *wait)
{
    cw_status status = cw__socket_poll_locked(s, POLLIN, &s->in.receiver, wait);

    if (status == CW_OK || !s->in.is_looped) /* a loop says itself that the descriptor is readable */
        s->in.is_drained = false;
    if (s->in.reader ==
        CW__READER_POLLING) { /* otherwise the service thread checks on its own, or already reads */
        s->in.reader = CW__READER_CALLER;
        s->in.reclaim_due_ms = cw__now_ms() + CW__LINGER_MS;
        cw__socket_attend_locked(s);
    }
    /* The hook may take long, because a runtime's hook waits for the runtime's lock. This thread no longer reads, so
     * the service thread can take over during the hook. */
    return status == CW_OK ? cw__socket_ask_hook_locked(s, wait) : status;
}

/* Ends a call that reads. */
static cw_status end_locked(cw_socket *s, cw__wait *wait, cw_status status)
{
    cw__inbound_leave_locked(s, status == CW_OK);
    return cw__socket_leave_locked(s, wait, status);
}

/* ---- Messages and bytes that are put back ---- */

/* Makes a message, or a stream's bytes, the next one to be received. The inbox owns it. */
static void put_back_locked(cw_socket *s, cw_event *e)
{
    /* After our close, calls return no more messages. A part is of no use if another receive has skipped its message. */
    if (s->is_closed_locally || (e->reader && e->reader != s->in.streamer)) {
        cw_event_free(e);
        return;
    }
    if (e->reader) {
        if (e->is_start)
            s->in.streamer = NULL;
        s->in.is_stream_ended = false;
        e->reader = NULL;
    }
    s->in.message.place = NULL; /* the caller that lent the place must take this message first */
    cw__inbox_put_back(&s->in.inbox, e);
    cw__socket_post_locked(s, CW_EVENT_MESSAGE);
    cw__socket_wake_locked(s);
}

/* Ends the use of memory that a caller has lent. A copy of the message in it, or of the part that has arrived, becomes
 * the next message.
 * Returns false if there is no memory for a copy. */
static bool take_back_locked(cw_socket *s, cw_event *place)
{
    cw_event *copy;

    if (!place->is_complete)
        return cw__message_take_back(&s->in.message, place);
    copy = cw__event_resize(place, place->len_bytes);
    if (copy)
        put_back_locked(s, copy);
    return copy != NULL;
}

void cw_socket_put_back(cw_socket *s, cw_event *e)
{
    if (s->generation != cw__generation()) {
        cw_event_free(e);
        return;
    }
    if (e->socket)
        e->release(e->socket);
    e->socket = NULL;
    cw__mutex_lock(&s->lock);
    put_back_locked(s, e);
    cw__mutex_unlock(&s->lock);
}

cw_status cw_socket_unread(cw_socket *s, const void *data, size_t len_bytes)
{
    cw_status status = cw__socket_check(s);
    cw_event *e;

    if (status != CW_OK || len_bytes == 0)
        return status;
    if (s->socket_class != CW_STREAM_SOCKET)
        return cw__fail(CW_INVALID_STATE, "cannot put bytes back into a message socket: put its messages back");
    e = cw__event_create(CW_EVENT_MESSAGE, len_bytes);
    if (!e)
        return cw__fail(CW_NO_MEMORY, "no memory to put back %zu bytes: free memory and call again", len_bytes);
    memcpy(e->data, data, len_bytes);
    e->len_bytes = len_bytes;
    cw__mutex_lock(&s->lock);
    put_back_locked(s, e);
    cw__mutex_unlock(&s->lock);
    return CW_OK;
}

/* ---- Messages ---- */

/* Takes the next message from the inbox; if that is empty, from the connection, without waiting. */
static cw_event *next_now_locked(cw_socket *s, size_t *coming_bytes)
{
    cw_event *e = cw__inbound_pop_locked(s);

    if (e || !cw__inbound_may_read(s))
        return e;
    cw__inbound_read_now_locked(s, NULL, coming_bytes);
    return cw__inbound_pop_locked(s);
}

/* Ends the stream of an earlier cw_socket_receive_part, because another receive begins. */
static void skip_stream_locked(cw_socket *s)
{
    if (s->in.streamer && (s->event_mask & CW_EVENT_MESSAGE) == 0)
        cw__inbound_skip_locked(s);
}

static bool takes_messages(const cw_socket *s)
{
    return s->socket_class == CW_MESSAGE_SOCKET && (s->event_mask & CW_EVENT_MESSAGE) == 0 &&
           !s->is_closed_locally && !cw__inbound_is_streaming(s);
}

cw_status cw_socket_try_receive(cw_socket *s, cw_event **out)
{
    return cw_socket_try_receive_or_announce(s, out, NULL);
}

cw_status cw_socket_try_receive_or_announce(cw_socket *s, cw_event **out, size_t *coming_bytes)
{
    cw_status status = CW_WOULD_BLOCK;
    cw_event *e = NULL;
    size_t coming = 0;

    *out = NULL;
    if (coming_bytes)
        *coming_bytes = 0;
    if (s->generation != cw__generation() || !cw__mutex_trylock(&s->lock))
        return CW_WOULD_BLOCK;
    skip_stream_locked(s);
    if (takes_messages(s)) {
        (void)cw__socket_never_waits_locked(s, true);
        e = next_now_locked(s, coming_bytes ? &coming : NULL);
        (void)cw__socket_never_waits_locked(s, false);
        if (e || coming)
            status = CW_OK;
        else if (cw__socket_state(s) == CW_STATE_OPEN && s->in.is_drained)
            status = CW_TIMED_OUT;
        cw__inbound_leave_locked(s, status == CW_OK);
    }
    cw__mutex_unlock(&s->lock);
    if (coming_bytes)
        *coming_bytes = coming;
    /* This call takes no reference, which would cost as much as the lock: the caller has one. */
    *out = e;
    return status;
}

/* Checks that a receive is allowed in this state. */
static cw_status check_locked(cw_socket *s, cw_class wanted)
{
    if (s->socket_class != wanted)
        return cw__fail(CW_INVALID_STATE,
                        wanted == CW_STREAM_SOCKET
                            ? "cannot read a message socket as a stream: receive its messages"
                            : "cannot receive messages from a stream socket: read its input stream");
    if (s->event_mask & CW_EVENT_MESSAGE)
        return cw__fail(CW_INVALID_STATE,
                        "the messages of this socket go to its handler: remove the handler to receive them");
    return cw__socket_check_connected(s);
}

static cw_status describe_end(cw_status status, const cw__wait *wait, const char *what)
{
    if (status == CW_TIMED_OUT)
        return cw__wait_timed_out(wait, what, CW_OPT_RECEIVE_TIMEOUT);
    if (status == CW_INTERRUPTED)
        return cw__fail(CW_INTERRUPTED, "interrupted while waiting for %s: call again to go on", what);
    return status;
}

/* Waits until there may be a message or bytes to take. The calling thread polls, or waits for the thread that polls.
 *   may_read   false: another thread reads a message as a stream, and this call waits for its end */
static cw_status wait_locked(cw_socket *s, cw__wait *wait, bool may_read)
{
    cw__outbound_release_locked(s); /* the caller may wait for the answer to a message of an open batch */
    if (!may_read || !cw__inbound_may_read(s))
        return cw__socket_wait_locked(s, wait);
    cw__inbound_take_over_locked(s);
    if (s->in.is_drained)
        return poll_locked(s, wait);
    /* More bytes can be read at once, but the caller has no message yet. Check the timeout and the hook all the same. */
    if (cw__wait_slice(wait) == 0)
        return CW_TIMED_OUT;
    cw__socket_give_way_locked(s, wait);
    return cw__socket_ask_hook_locked(s, wait);
}

/* Waits until there may be a message to take. may_read is as for wait_locked. */
static cw_status await_message_locked(cw_socket *s, cw__wait *wait, bool may_read)
{
    if (s->is_closed_locally || (may_read && cw__socket_state(s) >= CW_STATE_CLOSING))
        return cw__closing_fail_locked(s);
    return describe_end(wait_locked(s, wait, may_read), wait, "a message");
}

cw_status cw_socket_receive(cw_socket *s, int timeout_ms, cw_event **out)
{
    return cw_socket_receive_or_announce(s, timeout_ms, out, NULL);
}

cw_status cw_socket_receive_or_announce(cw_socket *s, int timeout_ms, cw_event **out, size_t *coming_bytes)
{
    cw_status status = cw__socket_check(s);
    cw_event *e = NULL;
    size_t coming = 0;
    cw__wait wait;

    *out = NULL;
    if (coming_bytes)
        *coming_bytes = 0;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_RECEIVE_TIMEOUT));
    skip_stream_locked(s);
    while ((status = check_locked(s, CW_MESSAGE_SOCKET)) == CW_OK) {
        if (takes_messages(s) && ((e = next_now_locked(s, coming_bytes ? &coming : NULL)) || coming > 0))
            break;
        status = await_message_locked(s, &wait, !cw__inbound_is_streaming(s));
        if (status != CW_OK)
            break;
    }
    if (status == CW_OK)
        *out = e;
    if (coming_bytes)
        *coming_bytes = coming;
    return end_locked(s, &wait, status);
}

/* ---- A message in parts ---- */

/* Checks that the message of an earlier call is still being read by this reader. */
static cw_status check_streamer_locked(const cw_socket *s, const void *reader)
{
    if (s->in.streamer == reader && !s->in.is_stream_ended)
        return CW_OK;
    return cw__fail(CW_INVALID_STATE,
                    "the rest of this message was skipped, because another receive has begun: "
                    "read a message to its end before the next receive");
}

static cw_status next_part_locked(cw_socket *s, const void *reader, bool is_first, cw__wait *wait,
                                  cw_event **out)
{
    cw_status status;

    while ((status = check_locked(s, CW_MESSAGE_SOCKET)) == CW_OK) {
        bool may_read = !is_first || !cw__inbound_is_streaming(s);

        if (!is_first && !s->is_closed_locally && (status = check_streamer_locked(s, reader)) != CW_OK)
            return status;
        if (may_read && !s->is_closed_locally && (*out = next_now_locked(s, NULL)))
            return CW_OK;
        status = await_message_locked(s, wait, may_read);
        if (status != CW_OK)
            return status;
    }
    return status;
}

cw_status cw_socket_receive_part(cw_socket *s, const void *reader, bool is_first, int timeout_ms,
                                 cw_event **out)
{
    cw_status status = cw__socket_check(s);
    cw_event *e = NULL;
    cw__wait wait;

    *out = NULL;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_RECEIVE_TIMEOUT));
    if (is_first)
        skip_stream_locked(s);
    status = next_part_locked(s, reader, is_first, &wait, &e);
    if (status == CW_OK) {
        e->reader = s->in.streamer = reader;
        e->is_start = is_first;
        s->in.is_stream_ended = e->is_complete;
        if (e->is_complete)
            cw__socket_changed_locked(s); /* other threads may wait for the next message */
    }
    *out = e;
    return end_locked(s, &wait, status);
}

/* ---- A message into the caller's memory ---- */

/* Where the next message is, for a caller that has lent memory for it. */
typedef enum whereabouts { NOWHERE, IN_PLACE, IN_INBOX } whereabouts;

static whereabouts where_is_message(const cw_socket *s, const cw_event *place)
{
    if (place->is_complete && !s->is_closed_locally)
        return IN_PLACE;
    return takes_messages(s) && s->in.inbox.first ? IN_INBOX : NOWHERE;
}

/* Waits until a message is complete in the lent memory, or in the inbox. */
static cw_status fill_locked(cw_socket *s, cw_event *place, cw__wait *wait)
{
    cw_status status;

    while ((status = check_locked(s, CW_MESSAGE_SOCKET)) == CW_OK) {
        if (takes_messages(s) && !s->in.inbox.first && cw__inbound_may_read(s)) {
            (void)cw__message_lend(&s->in.message, place);
            cw__inbound_read_now_locked(s, place, NULL);
        }
        if (where_is_message(s, place) != NOWHERE)
            return CW_OK;
        status = await_message_locked(s, wait, !cw__inbound_is_streaming(s));
        if (status != CW_OK)
            return status;
    }
    return status;
}

/* Copies the first message of the inbox into the caller's memory. */
static cw_status unload(cw_socket *s, void *buffer, size_t size_bytes, cw_received *received)
{
    cw_event *e = s->in.inbox.first;

    *received = (cw_received){.len_bytes = e->len_bytes,
                              .message_type = (cw_message_type)e->message_type,
                              .is_complete = e->is_complete};
    if (e->len_bytes > size_bytes)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the next message has %zu bytes, and the buffer has %zu; the message stays the next: "
                        "receive it into a larger buffer",
                        e->len_bytes, size_bytes);
    if (e->len_bytes)
        memcpy(buffer, e->data, e->len_bytes);
    cw_event_free(cw__inbound_pop_locked(s));
    return CW_OK;
}

/* If a message has arrived, the call takes it, even if the wait failed. After an interruption the message stays the
 * next one instead. */
static cw_status take_into_locked(cw_socket *s, cw_event *place, cw_status status, cw_received *received)
{
    whereabouts where = status == CW_INTERRUPTED ? NOWHERE : where_is_message(s, place);

    if (where == IN_PLACE) {
        *received = (cw_received){.len_bytes = place->len_bytes,
                                  .message_type = (cw_message_type)place->message_type,
                                  .is_complete = true};
        return CW_OK;
    }
    if (!take_back_locked(s, place)) {
        cw__closing_no_memory_locked(s, "no memory for a message: free memory and connect again");
        return cw__closing_fail_locked(s);
    }
    return where == IN_INBOX ? unload(s, place->data, place->room_bytes, received) : status;
}

cw_status cw_socket_receive_into(cw_socket *s, void *buffer, size_t size_bytes, int timeout_ms,
                                 cw_received *received)
{
    cw_status status = cw__socket_check(s);
    cw_event place = {
        .type = CW_EVENT_MESSAGE, .data = buffer, .room_bytes = size_bytes, .memory = CW__MEMORY_LENT};
    cw__wait wait;

    *received = (cw_received){0};
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_RECEIVE_TIMEOUT));
    skip_stream_locked(s);
    status = fill_locked(s, &place, &wait);
    status = take_into_locked(s, &place, status, received);
    return end_locked(s, &wait, status);
}

/* ---- The stream ---- */

cw_status cw_socket_read(cw_socket *s, void *buffer, size_t size_bytes, int timeout_ms, size_t *len_bytes)
{
    cw_status status = cw__socket_check(s);
    cw__wait wait;

    *len_bytes = 0;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_RECEIVE_TIMEOUT));
    while ((status = check_locked(s, CW_STREAM_SOCKET)) == CW_OK && size_bytes > 0) {
        if (!s->is_closed_locally && (*len_bytes = cw__inbound_read_stream_locked(s, buffer, size_bytes)) > 0)
            break;
        if (s->is_closed_locally || cw__socket_state(s) >= CW_STATE_CLOSING) {
            if (!cw__closing_is_normal_locked(s))
                status = cw__closing_fail_locked(s);
            break;
        }
        status = describe_end(wait_locked(s, &wait, true), &wait, "bytes to read");
        if (status != CW_OK)
            break;
    }
    return end_locked(s, &wait, status);
}

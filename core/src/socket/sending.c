/* SPDX-License-Identifier: MIT */
/* Sending: the public calls that send messages and fragments. They check the data; outbound.c and compressing.c send
 * it.
 *
 * Safety: each call takes the socket's lock. */
#include "socket.h"

static cw_status check_open_locked(cw_socket *s)
{
    cw_status status;

    if (cw__socket_state(s) == CW_STATE_OPEN && !s->out.is_broken)
        return CW_OK;
    status = cw__socket_check_connected(s);
    return status == CW_OK ? cw__closing_fail_locked(s) : status;
}

/* Checks that the socket is open, and that the message fits. An open message in fragments takes only fragments of its
 * owner. */
static cw_status check_locked(cw_socket *s, cw_message_type message_type, bool is_fragment, const void *owner)
{
    cw_status status = check_open_locked(s);

    if (status != CW_OK)
        return status;
    if (message_type != CW_BINARY && message_type != CW_UTF8)
        return cw__fail(CW_INVALID_ARGUMENT, "there is no type of message %d: use 0 for binary, 1 for utf8",
                        (int)message_type);
    if (message_type == CW_UTF8 && s->socket_class == CW_STREAM_SOCKET)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "cannot send a text message on a stream socket: send it as binary");
    if (s->out.fragments == CW__FRAGMENTS_NONE)
        return CW_OK;
    if (!is_fragment || owner != s->out.fragments_owner)
        return cw__fail(
            CW_INVALID_STATE,
            s->out.fragments_owner
                ? "another call is sending the fragments of a message: wait until it has sent them all"
                : "a message sent in fragments is open: send its final frame first");
    if (message_type != s->out.fragments_message_type)
        return cw__fail(
            CW_INVALID_STATE,
            "message_type cannot change inside a message sent in fragments: send its final frame first");
    return CW_OK;
}

/* Checks the next part of a text: it must be UTF-8, and if it is the final part, no character may be cut at the end. */
static cw_status check_text(cw__utf8 *utf8, const void *data, size_t len_bytes, bool is_final)
{
    if (!cw__utf8_feed(utf8, data, len_bytes) || (is_final && !cw__utf8_complete(utf8)))
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the bytes of the text message are not UTF-8: send them as binary");
    return CW_OK;
}

static uint8_t opcode_of(cw_message_type message_type)
{
    return message_type == CW_UTF8 ? CW__OP_TEXT : CW__OP_BINARY;
}

static cw_status check_whole_text(const cw_message *m)
{
    cw__utf8 utf8 = {0};

    return m->message_type == CW_UTF8 ? check_text(&utf8, m->data, m->len_bytes, true) : CW_OK;
}

/* Counts the messages before the first text that is not UTF-8. If there is such a text, it sets the calling thread's
 * error. */
static size_t count_sound(const cw_message *messages, size_t count)
{
    size_t sound = 0;

    while (sound < count && check_whole_text(&messages[sound]) == CW_OK)
        sound++;
    return sound;
}

/* Returns whether a message can go out in one write with the message before it. */
static bool may_join(const cw_socket *s, const cw_message *m)
{
    return s->socket_class == CW_MESSAGE_SOCKET && m->message_type <= CW_UTF8 &&
           !cw__compressing_is_wanted(s, m);
}

/* Counts what a call has sent. A stream socket has sent no message if it was empty. */
static void count_sent(cw_socket *s, const cw_message *m, bool is_end)
{
    if (m->len_bytes > 0 || s->socket_class == CW_MESSAGE_SOCKET)
        s->counts.messages_sent[m->message_type] += is_end;
    s->counts.bytes_sent += m->len_bytes;
}

/* A stream socket sends nothing for an empty message, because its messages have no meaning. */
static cw_status send_message_locked(cw_socket *s, const cw_message *m, bool more_follow, cw__wait *wait)
{
    cw_status status = check_locked(s, m->message_type, false, NULL);

    if (status != CW_OK || (m->len_bytes == 0 && s->socket_class == CW_STREAM_SOCKET))
        return status;
    if (cw__compressing_is_wanted(s, m))
        return cw__compressing_send_locked(s, opcode_of(m->message_type) | CW__RSV1, true, m->data,
                                           m->len_bytes, wait);
    return cw__outbound_message_locked(s, opcode_of(m->message_type), true, more_follow, m->data, m->len_bytes,
                                       wait);
}

cw_status cw_socket_send(cw_socket *s, cw_message_type message_type, const void *data, size_t len_bytes,
                         int timeout_ms)
{
    const cw_message message = {.message_type = message_type, .data = data, .len_bytes = len_bytes};
    cw_status status = cw__socket_check(s);
    cw__wait wait;

    if (status == CW_OK)
        status = check_whole_text(&message);
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_SEND_TIMEOUT));
    status = send_message_locked(s, &message, false, &wait);
    if (status == CW_OK)
        count_sent(s, &message, true);
    return cw__socket_leave_locked(s, &wait, status);
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
    s->out.unsent_count = 0;
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_SEND_TIMEOUT));
    for (size_t i = 0; i < sound; i++) {
        bool more_follow = i + 1 < sound && may_join(s, &messages[i + 1]);
        status = send_message_locked(s, &messages[i], more_follow, &wait);
        if (status != CW_OK)
            break;
        count_sent(s, &messages[i], true);
        *sent_count = i + 1;
        cw__wait_restart(&wait);
    }
    if (status != CW_OK) /* those that were written together, and that the kernel has not taken */
        *sent_count -= s->out.unsent_count < *sent_count ? s->out.unsent_count : *sent_count;
    /* Check the bad text again, because a later error may have replaced the text of its error. */
    if (status == CW_OK && sound < count)
        status = check_whole_text(&messages[sound]);
    return cw__socket_leave_locked(s, &wait, status);
}

cw_status cw_socket_try_send(cw_socket *s, const cw_message *message)
{
    cw_status status = cw__socket_check(s);
    cw__wait wait;

    if (status == CW_OK)
        status = check_whole_text(message);
    if (status != CW_OK)
        return status;
    if (!cw__mutex_trylock(&s->lock))
        return CW_WOULD_BLOCK;
    cw__wait_begin(&wait, 0, 0);
    status = send_message_locked(s, message, false, &wait);
    if (status == CW_OK)
        count_sent(s, message, true);
    return cw__socket_leave_locked(s, &wait, status);
}

/* Returns whether the message of a fragment is sent compressed. Its first fragment decides. */
static cw__fragments fragments_of(const cw_socket *s, const cw_message *fragment, bool is_final)
{
    bool is_compressed = is_final ? cw__compressing_is_wanted(s, fragment)
                                  : s->compression.is_on && fragment->compress != CW_COMPRESS_NEVER;

    if (s->out.fragments != CW__FRAGMENTS_NONE)
        return s->out.fragments;
    return is_compressed ? CW__FRAGMENTS_COMPRESSED : CW__FRAGMENTS_PLAIN;
}

static cw_status send_fragment_locked(cw_socket *s, const cw_message *fragment, const void *owner,
                                      bool is_final, cw__wait *wait)
{
    bool is_first = s->out.fragments == CW__FRAGMENTS_NONE;
    cw__fragments fragments = fragments_of(s, fragment, is_final);
    uint8_t opcode = is_first ? opcode_of(fragment->message_type) : CW__OP_CONTINUATION;
    cw__utf8 utf8 = s->out.utf8;
    cw_status status = check_locked(s, fragment->message_type, true, owner);

    if (status == CW_OK && fragment->message_type == CW_UTF8)
        status = check_text(&utf8, fragment->data, fragment->len_bytes, is_final);
    if (status == CW_OK && fragments == CW__FRAGMENTS_COMPRESSED)
        status = cw__compressing_send_locked(s, is_first ? opcode | CW__RSV1 : opcode, is_final, fragment->data,
                                             fragment->len_bytes, wait);
    else if (status == CW_OK)
        status =
            cw__outbound_message_locked(s, opcode, is_final, false, fragment->data, fragment->len_bytes, wait);
    if (status != CW_OK)
        return status;
    count_sent(s, fragment, is_final);
    s->out.fragments = is_final ? CW__FRAGMENTS_NONE : fragments;
    s->out.fragments_message_type = fragment->message_type;
    s->out.fragments_owner = is_final ? NULL : owner;
    s->out.utf8 = utf8; /* after a final fragment the state is as new, because the text was complete */
    return CW_OK;
}

cw_status cw_socket_send_fragment(cw_socket *s, const cw_message *fragment, const void *owner, bool is_final,
                                  int timeout_ms)
{
    cw_status status = cw__socket_check(s);
    cw__wait wait;

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_SEND_TIMEOUT));
    status = send_fragment_locked(s, fragment, owner, is_final, &wait);
    return cw__socket_leave_locked(s, &wait, status);
}

/* Waits until the socket has nothing left to send. */
static cw_status flush_locked(cw_socket *s, cw__wait *wait)
{
    cw_status status = CW_OK;

    cw__outbound_release_locked(s);
    while (status == CW_OK && (s->out.first || s->out.sending != CW__SENDING_NOTHING)) {
        uint64_t before = s->out.progress_bytes;
        if (!s->codec || s->close.state != CW__CLOSE_NONE || s->out.is_broken)
            break;
        status = cw__socket_wait_locked(s, wait);
        if (s->out.progress_bytes != before) {
            cw__wait_restart(wait);
            status = status == CW_TIMED_OUT ? CW_OK : status;
        }
    }
    if (status == CW_TIMED_OUT)
        return cw__fail(CW_TIMED_OUT,
                        "the server took nothing for %g s, and the queued data is still being sent: wait "
                        "again, or close the connection",
                        (double)wait->timeout_ms / 1000);
    if (status == CW_INTERRUPTED)
        return cw__fail(CW_INTERRUPTED, "interrupted while flushing, and the queued data is still being sent: "
                                        "flush again to wait for the end");
    if (s->close.state != CW__CLOSE_NONE || s->out.is_broken)
        return cw__closing_fail_locked(s); /* a close by the peer also dropped the queue */
    return CW_OK;
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
        status = cw__fail(CW_INVALID_STATE, "the socket is not connected: connect it first");
    else if (cw__socket_state(s) == CW_STATE_CLOSED)
        status = cw__closing_fail_locked(s);
    if (status == CW_OK)
        status = flush_locked(s, &wait);
    return cw__socket_leave_locked(s, &wait, status);
}

cw_status cw_socket_get_buffered_amount(cw_socket *s, size_t *len_bytes)
{
    cw_status status = cw__socket_check(s);

    *len_bytes = 0;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    if (s->codec && s->close.state != CW__CLOSE_ENDED) {
        *len_bytes = cw__queue_unsent_bytes(s);
        if (s->codec->calls->unwritten)
            *len_bytes += s->codec->calls->unwritten(s->codec);
    }
    cw__mutex_unlock(&s->lock);
    return CW_OK;
}

/* ---- Batches ---- */

cw_status cw_socket_batch_begin(cw_socket *s)
{
    cw_status status = cw__socket_check(s);

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = check_open_locked(s);
    if (status == CW_OK)
        s->out.batch_count++;
    cw__mutex_unlock(&s->lock);
    return status;
}

cw_status cw_socket_batch_end(cw_socket *s, int timeout_ms)
{
    cw_status status = cw__socket_check(s);
    cw__wait wait;

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_SEND_TIMEOUT));
    if (s->out.batch_count == 0)
        status = cw__fail(CW_INVALID_STATE, "no batch is open: begin one first");
    else if (--s->out.batch_count == 0)
        status = flush_locked(s, &wait);
    return cw__socket_leave_locked(s, &wait, status);
}

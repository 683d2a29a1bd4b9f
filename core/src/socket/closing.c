/* SPDX-License-Identifier: MIT */
/* Closing: applies the closing machine (close.c) to a socket. It queues close frames and reports the end once. The
 * public calls are in closing_calls.c.
 *
 * The state becomes CW_STATE_CLOSED as soon as both close frames have been exchanged. The server ends TCP (RFC 6455
 * section 7.1.1). The service thread waits for that up to close_timeout, while no caller has to wait.
 *
 * Data sent before our close frame may still be under way: in the queue, or in the kernel because the server is slow.
 * The connection drains first; send_timeout limits how long that may make no progress. Then close_timeout begins.
 * Ending TCP earlier would lose data: when the peer sends something to a closed connection, our kernel drops all data
 * that the peer has not acknowledged.
 *
 * Safety: under the socket's lock. Nothing here writes, because some of these functions are called from inside a
 * write. They queue frames, and the service thread or the holder of the lock writes them.
 *
 * Errors: CW_CLOSED. */
#include <stdio.h>
#include <string.h>

#include "socket.h"

static void publish(cw_socket *s)
{
    if (cw__socket_state(s) == CW_STATE_CLOSED)
        return;
    cw__socket_set_state_locked(s, CW_STATE_CLOSED);
    cw__statistics_ended_locked(s);
    cw__tracing_say_locked(s, "the connection has ended: code %d%s", s->close.result.code,
                           s->close.was_clean ? "" : ", without both close frames");
    cw__socket_post_locked(s, CW_EVENT_CLOSED);
    cw__socket_wake_locked(s);
}

static void queue_close(cw_socket *s, int code, const char *reason, size_t reason_bytes)
{
    uint8_t payload[CW__CONTROL_MAX_BYTES];
    size_t len = cw__close_encode(code, reason, reason_bytes, payload);

    if (s->out.is_broken) {
        if (s->close.state != CW__CLOSE_SENT) /* in CW__CLOSE_SENT the peer's close frame may still arrive */
            cw__closing_ended_locked(s, s->fault.message);
    } else if (!cw__queue_control_locked(s, CW__OP_CLOSE, payload, len, true))
        cw__closing_ended_locked(s, "no memory for a close frame: free memory and connect again");
}

/* Ends the pings, and makes the service thread read from now on. It waits for the peer's close frame or the end of TCP. */
static void hand_to_service(cw_socket *s)
{
    cw__pings_failed_locked(s);
    cw__inbound_give_back_locked(s);
    cw__socket_wake_locked(s);
    cw__socket_attend_locked(s);
}

enum {
    LOOK_EVERY_MS = 20,    /* no event reports that the peer's system has acknowledged data */
    DRAIN_LIMIT_MS = 30000 /* used if send_timeout is 0 or has no limit, so that draining ends */
};

/* Returns the time for a closing handshake. */
static int64_t handshake_ms(const cw_socket *s)
{
    int64_t timeout_ms = cw__setting(s, CW_OPT_CLOSE_TIMEOUT);

    return s->grace_ms >= 0 && s->grace_ms < timeout_ms ? s->grace_ms : timeout_ms;
}

/* ---- Draining: data sent before the close frame ---- */

/* Returns whether messages wait in the socket or in the kernel. */
static bool has_unsent(const cw_socket *s)
{
    return s->out.first || s->out.sending != CW__SENDING_NOTHING || s->codec->sending == CW__FRAMES_HELD ||
           cw__link_unacknowledged(s->codec->link) > 0;
}

/* Draining goes on when the peer's close frame arrives, because that frame crossed our data on the way. */
bool cw__closing_is_draining(const cw_socket *s)
{
    return s->drain.is_on && (s->close.state == CW__CLOSE_SENT || s->close.state == CW__CLOSE_BOTH);
}

/* Counts the bytes as lost that the peer's system has not acknowledged, except pings, pongs and a close frame after the
 * last message. */
static void lose_unacknowledged(cw_socket *s)
{
    uint64_t held_bytes = s->codec ? (uint64_t)cw__link_unacknowledged(s->codec->link) : 0;

    if (held_bytes > s->out.control_bytes)
        cw__queue_count_lost_locked(s, held_bytes - s->out.control_bytes);
}

static void begin_drain(cw_socket *s, int64_t now_ms)
{
    s->drain.is_on = true;
    s->drain.held_bytes = cw__link_unacknowledged(s->codec->link);
    s->drain.progress_bytes = s->out.progress_bytes;
    s->drain.progress_ms = now_ms;
}

static void end_drain(cw_socket *s, int64_t now_ms)
{
    s->drain.is_on = false;
    cw__close_bound(&s->close, now_ms, handshake_ms(s));
    if (s->close.state == CW__CLOSE_BOTH)
        publish(s);
}

static int64_t drain_timeout_ms(const cw_socket *s)
{
    int64_t timeout_ms = cw__setting(s, CW_OPT_SEND_TIMEOUT);

    return timeout_ms <= 0 ? DRAIN_LIMIT_MS : timeout_ms;
}

static void attend_drain(cw_socket *s, int64_t now_ms)
{
    int held_bytes = cw__link_unacknowledged(s->codec->link);

    if (s->out.progress_bytes != s->drain.progress_bytes || held_bytes < s->drain.held_bytes)
        s->drain.progress_ms = now_ms;
    s->drain.progress_bytes = s->out.progress_bytes;
    s->drain.held_bytes = held_bytes;
    if (s->out.is_broken)
        lose_unacknowledged(s);
    if (s->out.is_broken || !has_unsent(s))
        end_drain(s, now_ms);
    else if (now_ms >= s->drain.progress_ms + drain_timeout_ms(s)) {
        cw__error_set(&s->fault, CW_CLOSED, CW_WEB_Timeout,
                      "the server took nothing for %g s (send_timeout) while the connection was closing: raise "
                      "send_timeout",
                      (double)drain_timeout_ms(s) / 1000);
        cw__closing_ended_locked(s, s->fault.message);
    } else if (s->grace_ms >= 0)
        cw__service_be_patient(s->drain.progress_ms + drain_timeout_ms(s));
}

void cw__closing_attend_locked(cw_socket *s, int64_t now_ms)
{
    if (cw__closing_is_draining(s))
        attend_drain(s, now_ms);
    if (cw__close_expired(&s->close, now_ms))
        cw__closing_ended_locked(s, "the server did not answer the close frame within close_timeout: raise "
                                    "close_timeout if the server is slow");
    /* At the end of the program, do not wait until the server ends TCP. */
    if (s->grace_ms >= 0 && s->close.state >= CW__CLOSE_BOTH && !s->out.first && !cw__closing_is_draining(s))
        cw__closing_ended_locked(s, "closed");
}

int64_t cw__closing_due_locked(const cw_socket *s)
{
    if (cw__closing_is_draining(s))
        return cw__now_ms() + LOOK_EVERY_MS;
    return s->close.deadline_ms;
}

/* ---- The closing handshake ---- */

void cw__closing_begin_locked(cw_socket *s, int code, const char *reason, size_t reason_bytes)
{
    int64_t now_ms = cw__now_ms();
    bool must_drain = s->close.state == CW__CLOSE_NONE && !s->out.is_broken && has_unsent(s);

    s->is_closed_locally = true;
    cw__inbox_clear(&s->in.inbox);
    if (s->close.state == CW__CLOSE_NONE && !cw__pings_pay_all_locked(s))
        cw__closing_no_memory_locked(s, "no memory for a pong: free memory and connect again");
    if (!cw__close_begin(&s->close, now_ms, must_drain ? INT64_MAX : handshake_ms(s)))
        return;
    if (must_drain)
        begin_drain(s, now_ms);
    cw__socket_set_state_locked(s, CW_STATE_CLOSING);
    queue_close(s, code, reason, reason_bytes);
    hand_to_service(s);
}

void cw__closing_received_locked(cw_socket *s, const uint8_t *payload, size_t len_bytes)
{
    cw__close_payload decoded;
    cw__violation violation = cw__close_decode(payload, len_bytes, &decoded);

    if (violation.code) {
        char text[CW__CONTROL_MAX_BYTES];
        if (decoded.code >= 0) {
            (void)snprintf(text, sizeof text,
                           "the peer's close frame has code %d, which RFC 6455 forbids there", decoded.code);
            violation.text = text;
        }
        cw__closing_violated_locked(s, &violation);
        return;
    }
    s->is_cut_short = s->in.message.in_message || (s->in.inflater && cw__inflater_in_message(s->in.inflater));
    if (cw__close_received(&s->close, &decoded, cw__now_ms(), handshake_ms(s))) {
        cw__socket_set_state_locked(s, CW_STATE_CLOSING);
        cw__queue_drop_locked(s); /* the peer reads no more messages */
        queue_close(s, decoded.code, "", 0);
    } else if (s->close.state == CW__CLOSE_BOTH) {
        s->close.was_clean = !s->out.is_broken; /* if writing has failed, our close frame may be lost */
        /* If data is unsent, the peer's close frame crossed that data, and draining goes on. */
        if (!cw__closing_is_draining(s) || !has_unsent(s))
            publish(s);
    }
    cw__pings_forget(&s->pings);
    hand_to_service(s);
}

/* Describes a message that is too big, or has too many fragments. The limit is ours, so the text does not blame the peer.
 * Returns the control that sets the limit, or CW_OPTION_COUNT for a rule that the peer broke. */
static cw_option describe_limit(const cw_socket *s, int code, char text[CW__CONTROL_MAX_BYTES])
{
    if (code == 1009) {
        (void)snprintf(text, CW__CONTROL_MAX_BYTES,
                       "a message of at least %llu bytes exceeds max_message_size (%lld bytes)",
                       (unsigned long long)s->in.message.refused_bytes, (long long)s->in.message.max_bytes);
        return CW_OPT_MAX_MESSAGE_SIZE;
    }
    if (code == 1008) {
        (void)snprintf(text, CW__CONTROL_MAX_BYTES, "a message has more fragments than max_fragments (%lld)",
                       (long long)s->in.message.max_fragments);
        return CW_OPT_MAX_FRAGMENTS;
    }
    return CW_OPTION_COUNT;
}

void cw__closing_violated_locked(cw_socket *s, const cw__violation *violation)
{
    char text[CW__CONTROL_MAX_BYTES];
    cw__violation ours = *violation;
    cw_option limit;
    bool must_send;

    if (s->close.state != CW__CLOSE_NONE && s->close.state != CW__CLOSE_SENT)
        return;
    limit = describe_limit(s, violation->code, text);
    if (limit != CW_OPTION_COUNT) {
        ours.text = text;
        cw__error_set(&s->fault, CW_CLOSED, CW_WEB_ConnectionAborted, "%s", text);
        s->fault.limit = (int)limit + 1;
    } else
        cw__error_set(&s->fault, CW_CLOSED, CW_WEB_ConnectionAborted,
                      "the server broke the protocol: %s (%d); report it to whoever runs the server",
                      violation->text, violation->code);
    must_send = cw__close_failed(&s->close, &ours, cw__now_ms(), handshake_ms(s));
    cw__queue_drop_locked(s);
    cw__pings_forget(&s->pings);
    if (must_send)
        queue_close(s, violation->code, violation->text, strlen(violation->text));
    publish(s);
    hand_to_service(s);
}

void cw__closing_sent_locked(cw_socket *s)
{
    if (s->close.state != CW__CLOSE_RECEIVED)
        return;
    cw__close_answered(&s->close);
    publish(s);
}

void cw__closing_ended_locked(cw_socket *s, const char *why)
{
    if (s->close.state == CW__CLOSE_ENDED)
        return;
    if (cw__closing_is_draining(s))
        lose_unacknowledged(s);
    cw__queue_lose_locked(s);
    cw__close_ended(&s->close, why);
    cw__pings_forget(&s->pings);
    publish(s);
    hand_to_service(s);
}

void cw__closing_no_memory_locked(cw_socket *s, const char *why)
{
    cw__error_set(&s->fault, CW_NO_MEMORY, CW_WEB_Unknown, "%s", why);
    cw__closing_ended_locked(s, why);
}

/* The peer's code alone decides, not was_clean, because a server may end TCP before our close frame reaches it. Code
 * 1001 means that the server went away. That is a normal end for a feed of whole messages. A stream that ends with
 * 1001 may be incomplete. */
bool cw__closing_is_normal_locked(const cw_socket *s)
{
    int code = s->close.result.code;

    if (s->is_closed_locally)
        return true;
    if (code == 1001 && s->socket_class == CW_STREAM_SOCKET)
        return false;
    return (code == 1000 || code == 1001 || code == 1005) && !s->is_cut_short;
}

cw_status cw__closing_fail_locked(cw_socket *s)
{
    int code = s->close.result.code;
    const char *where = s->is_cut_short ? " in the middle of a message" : "";

    if (code == 0 && s->out.is_broken)
        return cw__fail_with(&s->fault);
    if (s->is_closed_locally || code == 0)
        return cw__fail(CW_CLOSED, "the socket was closed by this program: make a new socket to connect again");
    if (code == 1006 && s->fault.status != CW_OK)
        return cw__fail_with(&s->fault);
    if (code == 1006)
        return cw__fail(CW_CLOSED, "%s", s->close.result.reason);
    if (code == 1005)
        return cw__fail(CW_CLOSED, "the server closed the connection without a code%s; connect again to go on",
                        where);
    return cw__fail(CW_CLOSED, "the server closed the connection with code %d%s%s%s; connect again to go on",
                    code, where, s->close.result.reason_bytes ? ": " : "", s->close.result.reason);
}

cw_event *cw__closing_event_locked(cw_socket *s)
{
    cw_event *e = cw__event_create(CW_EVENT_CLOSED, s->close.result.reason_bytes);

    if (!e)
        return NULL;
    memcpy(e->data, s->close.result.reason, s->close.result.reason_bytes);
    e->len_bytes = s->close.result.reason_bytes;
    e->close_code = (uint16_t)s->close.result.code;
    e->was_clean = s->close.was_clean;
    return e;
}

/* SPDX-License-Identifier: MIT */
/* The public calls for closing: they begin the closing handshake, wait for its end, and report the result. closing.c
 * does the work.
 *
 * Safety: each call takes the socket's lock.
 *
 * Errors: CW_CLOSED. */
#include "socket.h"

bool cw_socket_get_closed(cw_socket *s, int *code, char *reason, size_t size_bytes, size_t *len_bytes)
{
    bool was_clean;

    *code = 0;
    cw__text_copy("", 0, reason, size_bytes, len_bytes);
    if (cw__socket_check(s) != CW_OK)
        return false;
    cw__mutex_lock(&s->lock);
    *code = s->close.result.code;
    was_clean = s->close.was_clean;
    cw__text_copy(s->close.result.reason, s->close.result.reason_bytes, reason, size_bytes, len_bytes);
    cw__mutex_unlock(&s->lock);
    return was_clean;
}

cw_status cw_socket_check_open(cw_socket *s)
{
    cw_status status = cw__socket_check(s);

    if (status == CW_OK)
        status = cw__socket_check_connected(s);
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    if (cw__socket_state(s) != CW_STATE_OPEN || s->out.is_broken)
        status = cw__closing_fail_locked(s);
    cw__mutex_unlock(&s->lock);
    return status;
}

bool cw_socket_ended_normally(cw_socket *s)
{
    bool is_normal;

    if (cw__socket_check(s) != CW_OK)
        return false;
    cw__mutex_lock(&s->lock);
    is_normal = cw__closing_is_normal_locked(s);
    cw__mutex_unlock(&s->lock);
    return is_normal;
}

static cw_status check_close(int code, const char *reason, size_t reason_len_bytes)
{
    if (code != 1005 && !cw__close_code_valid(code))
        return cw__fail(CW_INVALID_ARGUMENT, "%d is not a close code that may be sent: use " CW_CLOSE_CODES,
                        code);
    if (code == 1005 && reason_len_bytes > 0)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "code 1005 sends an empty close frame, which has no reason: leave the reason out");
    if (reason_len_bytes > CW__CONTROL_MAX_BYTES - 2)
        return cw__fail(
            CW_INVALID_ARGUMENT,
            "the reason has %zu bytes of UTF-8, and a close frame takes at most 123: shorten the reason",
            reason_len_bytes);
    if (reason_len_bytes > 0 && !cw__utf8_valid(reason, reason_len_bytes))
        return cw__fail(CW_INVALID_ARGUMENT, "the reason must be UTF-8: encode it as UTF-8");
    return CW_OK;
}

static void close_locked(cw_socket *s, int code, const char *reason, size_t reason_len_bytes)
{
    switch (cw__socket_state(s)) {
    case CW_STATE_NEW:
        s->is_closed_locally = true;
        cw__socket_set_state_locked(s, CW_STATE_CLOSED);
        break;
    case CW_STATE_CONNECTING:
        s->is_closed_locally = true;
        cw__connecting_cancel_locked(s);
        break;
    case CW_STATE_CLOSED:
        s->is_closed_locally = true; /* calls return no more received messages */
        cw__inbox_clear(&s->in.inbox);
        break;
    case CW_STATE_OPEN:
    case CW_STATE_CLOSING:
        cw__closing_begin_locked(s, code, reason, reason_len_bytes);
        /* Write the close frame now if possible, because the program may end next. */
        cw__outbound_flush_locked(s);
        break;
    }
    cw__socket_wake_locked(s);
}

cw_status cw_socket_close_start(cw_socket *s, int code, const char *reason, size_t reason_len_bytes)
{
    cw_status status = cw__socket_check(s);

    if (status == CW_OK)
        status = check_close(code, reason, reason_len_bytes);
    if (status != CW_OK)
        return status;
    cw__socket_enter(s);
    close_locked(s, code, reason, reason_len_bytes);
    cw__mutex_unlock(&s->lock);
    return CW_OK;
}

static void abort_locked(cw_socket *s)
{
    if (!s->codec) {
        close_locked(s, 1005, NULL, 0);
        return;
    }
    s->is_closed_locally = true;
    cw__inbox_clear(&s->in.inbox);
    cw__queue_destroy(&s->out); /* the program asked for this, so it does not count as lost */
    cw__queue_forget_held_locked(s);
    s->drain.is_on = false;
    cw__closing_ended_locked(s, "the connection was dropped by this program");
}

void cw_socket_abort(cw_socket *s)
{
    if (cw__socket_check(s) != CW_OK)
        return;
    cw__socket_enter(s);
    abort_locked(s);
    cw__mutex_unlock(&s->lock);
}

void cw__closing_shut_down_locked(cw_socket *s, int grace_ms)
{
    s->grace_ms = grace_ms;
    if (!s->codec || s->connecting) {
        close_locked(s, 1005, NULL, 0);
        return;
    }
    if (cw__socket_state(s) == CW_STATE_OPEN && grace_ms > 0)
        close_locked(s, 1001, "", 0);
    if (grace_ms == 0) {
        s->is_closed_locally = true;
        cw__closing_ended_locked(s, "the program has ended");
    } else if (!cw__closing_is_draining(s))
        cw__close_bound(&s->close, cw__now_ms(), grace_ms);
    cw__socket_attend_locked(s);
}

/* Fails if the socket could not deliver all that it had accepted. */
static cw_status check_loss_locked(cw_socket *s)
{
    const char *why = "the server closed the connection first";
    cw__error error;

    if (s->out.lost_bytes == 0)
        return CW_OK;
    if (!s->out.is_loss_told)
        cw__loss_told(s->out.lost_bytes);
    s->out.is_loss_told = true;
    if (s->fault.status != CW_OK)
        why = s->fault.message;
    else if (*s->close.result.reason)
        why = s->close.result.reason;
    cw__error_set(&error, CW_CLOSED, s->fault.status != CW_OK ? s->fault.web_status : CW_WEB_Disconnected,
                  "up to %llu bytes that were sent did not reach the server: %s; send the messages again on a "
                  "new connection",
                  (unsigned long long)s->out.lost_bytes, why);
    return cw__fail_with(&error);
}

cw_status cw_socket_wait_closed(cw_socket *s, int timeout_ms)
{
    cw_status status = cw__socket_check(s);
    cw__wait wait;

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, -1);
    /* A cancelled connect is detached before its state changes (socket.c: on_detached), so the loop checks both. */
    cw__outbound_release_locked(s);
    while (status == CW_OK && (s->is_attached || cw__socket_state(s) == CW_STATE_CONNECTING) &&
           cw__socket_state(s) != CW_STATE_CLOSED) {
        if (s->codec && !s->in.receiver)
            cw__inbound_give_back_locked(s);
        status = cw__socket_wait_locked(s, &wait);
    }
    if (status == CW_TIMED_OUT)
        status = cw__wait_timed_out(&wait, "the end of the connection", CW_OPTION_COUNT);
    else if (status == CW_INTERRUPTED)
        status = cw__fail(CW_INTERRUPTED,
                          "interrupted while waiting for the end of the connection: call again to go on");
    else if (status == CW_OK)
        status = check_loss_locked(s);
    return cw__socket_leave_locked(s, &wait, status);
}

/* SPDX-License-Identifier: MIT */
/* The public calls that connect a socket, and wait for the result. The calling thread checks the URI; connect.c does the
 * rest.
 *
 * Safety: under the socket's lock. */
#include <string.h>

#include "socket.h"

/* Clears the information about the last failed connect. */
static void forget_last(cw_socket *s)
{
    cw__outcome_forget(s);
    s->question.state = CW__QUESTION_NOT;
    s->question.is_told = false;
}

/* Reads the URI of a connect. The caller must call cw__uri_destroy. */
static cw_status read_uri(const char *text, size_t len_bytes, cw__uri *uri)
{
    char fault[CW__URI_FAULT_BYTES];
    cw__uri_result result = cw__uri_read(text, len_bytes, uri, fault);

    if (result == CW__URI_NO_MEMORY)
        return cw__fail(CW_NO_MEMORY, "no memory for a URI: free memory and call again");
    if (result == CW__URI_BAD)
        return cw__fail(CW_INVALID_ARGUMENT, "%s", fault);
    return CW_OK;
}

static cw_status begin_locked(cw_socket *s, const char *text, size_t len_bytes, int timeout_ms)
{
    cw_status status;
    cw__uri uri = {0};
    char *copy;

    if (cw__socket_state(s) != CW_STATE_NEW)
        return cw__fail(CW_INVALID_STATE, "%s; a socket connects once: make a new socket",
                        cw__socket_state(s) == CW_STATE_CLOSED ? "the socket is closed"
                                                               : "the socket is connected already");
    status = cw__settings_check_framing(s);
    if (status == CW_OK)
        status = read_uri(text, len_bytes, &uri);
    if (status == CW_OK && !(copy = cw__strndup(text, len_bytes)))
        status = cw__fail(CW_NO_MEMORY, "no memory for a URI: free memory and call again");
    if (status == CW_OK) {
        cw__free(s->uri);
        s->uri = copy;
        forget_last(s);
        status = cw__connecting_begin_locked(s, &uri, timeout_ms);
    }
    cw__uri_destroy(&uri);
    return status;
}

cw_status cw_socket_connect_start(cw_socket *s, const char *uri, size_t uri_len_bytes, int timeout_ms)
{
    cw_status status = cw__socket_check(s);

    if (status == CW_OK)
        status = cw__connecting_init();
    if (status != CW_OK)
        return status;
    cw__statistics_enroll(s);
    cw__mutex_lock(&s->lock);
    status = cw__tracing_begin_locked(s);
    if (status == CW_OK)
        status = begin_locked(s, uri, uri_len_bytes, timeout_ms);
    cw__mutex_unlock(&s->lock);
    return status;
}

cw_status cw_socket_wait_connected(cw_socket *s, int timeout_ms)
{
    cw__wait wait;
    cw_status status = cw__socket_check(s);

    if (status != CW_OK)
        return status;
    cw__wait_begin(&wait, timeout_ms, -1);
    cw__mutex_lock(&s->lock);
    while (status == CW_OK && cw__socket_state(s) == CW_STATE_CONNECTING)
        status = cw__question_is_here_locked(s) ? CW_QUESTION : cw__socket_wait_locked(s, &wait);
    if (status == CW_QUESTION)
        status = cw__fail(CW_QUESTION, "the server's certificate waits for an answer: answer, and wait again");
    else if (status == CW_TIMED_OUT)
        status = cw__fail(CW_TIMED_OUT, "still connecting: wait again, or close the socket to give up");
    else if (status == CW_INTERRUPTED)
        status = cw__fail(CW_INTERRUPTED, "interrupted while connecting: connect again");
    else if (s->connect_error.status != CW_OK)
        status = cw__fail_with(&s->connect_error);
    else if (!s->codec && s->close.state == CW__CLOSE_NONE) /* the socket is not open and never was */
        status = cw__fail(CW_INVALID_STATE, "the socket is not connected: connect it first");
    return cw__socket_leave_locked(s, &wait, status);
}

cw_status cw_socket_connect(cw_socket *s, const char *uri, size_t uri_len_bytes, int timeout_ms)
{
    cw_status status;

    cw__socket_hold(s); /* because another thread may release the socket between start and wait */
    status = cw_socket_connect_start(s, uri, uri_len_bytes, timeout_ms);
    if (status == CW_OK)
        status = cw_socket_connect_continue(s);
    cw__socket_drop(s);
    return status;
}

cw_status cw_socket_connect_continue(cw_socket *s)
{
    cw_status status;

    cw__socket_hold(s);
    status = cw_socket_wait_connected(s, CW_TIMEOUT_NEVER);
    if (status == CW_INTERRUPTED) {
        cw__mutex_lock(&s->lock);
        cw__connecting_cancel_locked(s);
        cw__mutex_unlock(&s->lock);
    }
    cw__socket_drop(s);
    return status;
}

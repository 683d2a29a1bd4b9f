/* SPDX-License-Identifier: MIT */
/* Looping: the public calls with which the event loop of a runtime reads the connection. The loop is one more thread that
 * polls (polling_count), so the service thread keeps the descriptor until the loop has stopped. state.c decides who
 * reads, and standby.c finds a loop that is busy.
 *
 * Safety: each call takes the socket's lock. */
#include "socket.h"

cw_status cw_socket_poll_begin(cw_socket *s, int *fd)
{
    cw_status status = cw__socket_check(s);

    *fd = -1;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = cw__socket_check_connected(s);
    if (status == CW_OK && s->in.is_looped)
        status = cw__fail(CW_INVALID_STATE,
                          "an event loop polls this socket already: use the socket in that loop only");
    else if (status == CW_OK && (!s->codec || s->close.state == CW__CLOSE_ENDED))
        status = cw__fail(CW_INVALID_STATE, "the connection has ended: there is nothing to poll");
    if (status == CW_OK) {
        s->in.is_looped = true;
        s->polling_count++;
        *fd = s->fd;
        cw__socket_watch_locked(s);
    }
    cw__mutex_unlock(&s->lock);
    return status;
}

void cw_socket_poll_ready(cw_socket *s) { atomic_store(&s->in.is_ready, 1); }

cw_status cw_socket_poll_end(cw_socket *s)
{
    cw_status status = cw__socket_check(s);

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    if (!s->in.is_looped)
        status = cw__fail(CW_INVALID_STATE, "no event loop polls this socket: begin to poll it first");
    if (status == CW_OK) {
        s->in.is_looped = false;
        s->polling_count--;
        cw__inbound_give_back_locked(s);
        cw__socket_attend_locked(s); /* the descriptor may be closed now */
    }
    cw__mutex_unlock(&s->lock);
    return status;
}

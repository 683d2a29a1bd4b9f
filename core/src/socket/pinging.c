/* SPDX-License-Identifier: MIT */
/* Pinging: the public calls that send a ping without waiting for its pong. A cw_ping is one more ping that waits, beside
 * those of the threads in cw_socket_ping. ping.c sends it and pong.c answers it.
 *
 * Safety: each call takes the socket's lock. */
#include "socket.h"

struct cw_ping {
    cw_socket *s; /* the ping holds a reference */
    cw__ping waiting;
};

cw_status cw_socket_ping_start(cw_socket *s, cw_ping **out)
{
    cw_status status = cw__socket_check(s);
    cw_ping *p;

    *out = NULL;
    if (status != CW_OK)
        return status;
    p = cw__calloc(1, sizeof *p);
    if (!p)
        return cw__fail(CW_NO_MEMORY, "no memory for a ping: free memory and call again");
    cw__mutex_lock(&s->lock);
    status = cw__pings_begin_locked(s, &p->waiting);
    if (status == CW_OK) {
        cw__socket_hold(s);
        p->s = s;
        p->waiting.is_started = true;
        if (!s->in.receiver && !s->in.is_looped) /* nobody polls, so the service thread must read the pong */
            cw__inbound_give_back_locked(s);
    }
    cw__mutex_unlock(&s->lock);
    if (status == CW_OK)
        *out = p;
    else
        cw__free(p);
    return status;
}

cw_status cw_ping_result(cw_ping *p, int64_t *rtt_us)
{
    cw_status status = cw__socket_check(p->s);

    if (rtt_us)
        *rtt_us = 0;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&p->s->lock);
    if (p->waiting.is_answered && rtt_us)
        *rtt_us = p->waiting.rtt_us;
    else if (!p->waiting.is_answered && p->s->close.state == CW__CLOSE_NONE)
        status = cw__fail(CW_WOULD_BLOCK, "the pong has not come yet: ask again");
    else if (!p->waiting.is_answered)
        status = cw__closing_fail_locked(p->s);
    cw__mutex_unlock(&p->s->lock);
    return status;
}

void cw_ping_free(cw_ping *p)
{
    if (!p)
        return;
    if (cw__socket_check(p->s) == CW_OK) { /* a child of fork() leaves the parent's list alone */
        cw__mutex_lock(&p->s->lock);
        cw__pings_take_out_locked(p->s, &p->waiting);
        cw__mutex_unlock(&p->s->lock);
        cw__socket_drop(p->s);
    }
    cw__free(p);
}

/* SPDX-License-Identifier: MIT */
/* Life: a socket's references, its lock, and waiting. The first wait of a call takes a reference, so that the last
 * release by another thread does not free the socket during the wait. A call that need not wait takes none, which
 * saves time.
 *
 * Safety: see socket.h. */
#include <poll.h>

#include "socket.h"

/* ---- References ---- */

static void destroy(cw_socket *s)
{
    cw__statistics_leave(s);
    cw__tracing_end_locked(s);
    cw__message_destroy(&s->in.message);
    cw__inbox_clear(&s->in.inbox);
    cw__queue_destroy(&s->out);
    cw__pings_forget(&s->pings);
    cw__settings_destroy(&s->settings);
    cw__reach_forget_given(s);
    if (s->mailbox)
        cw__mailbox_release(s->mailbox);
    cw__free(s->uri);
    cw__outcome_forget(s);
    cw__inflater_destroy(s->in.inflater);
    cw__deflater_destroy(s->out.deflater);
    cw__cond_destroy(&s->changed);
    cw__mutex_destroy(&s->lock);
    cw__mutex_destroy(&s->turn);
    cw__free(s);
}

void cw__socket_hold(cw_socket *s) { (void)atomic_fetch_add(&s->references, 1); }

void cw__socket_drop(cw_socket *s)
{
    if (atomic_fetch_sub(&s->references, 1) == 1)
        destroy(s);
}

void cw__socket_hold_for(cw_socket *s, cw__wait *wait)
{
    if (!wait->is_held)
        cw__socket_hold(s);
    wait->is_held = true;
}

/* ---- The lock, and waiting ---- */

/* A mutex alone is not fair. A thread that sends or receives much takes the lock again so soon that the service thread
 * and other callers never get it. The turn lets them have it first. */
void cw__socket_enter(cw_socket *s)
{
    if (cw__mutex_trylock(&s->lock))
        return;
    (void)atomic_fetch_add(&s->wanted, 1);
    cw__mutex_lock(&s->turn);
    cw__mutex_lock(&s->lock);
    cw__mutex_unlock(&s->turn);
    (void)atomic_fetch_sub(&s->wanted, 1);
}

bool cw__socket_is_wanted(const cw_socket *s) { return atomic_load(&s->wanted) > 0; }

/* Takes the lock again. This call does not use trylock, because threads that wait in cw__socket_enter come first. */
static void come_back(cw_socket *s)
{
    cw__mutex_lock(&s->turn);
    cw__mutex_lock(&s->lock);
    cw__mutex_unlock(&s->turn);
}

void cw__socket_give_way_locked(cw_socket *s, cw__wait *wait)
{
    cw__socket_hold_for(s, wait);
    cw__mutex_unlock(&s->lock);
    come_back(s);
}

cw_status cw__socket_leave_locked(cw_socket *s, cw__wait *wait, cw_status status)
{
    cw__mutex_unlock(&s->lock);
    if (wait->is_held)
        cw__socket_drop(s);
    return status;
}

cw_status cw__socket_ask_hook_locked(cw_socket *s, cw__wait *wait)
{
    bool is_interrupted;

    if (!cw__wait_wants_hook(wait))
        return CW_OK;
    cw__socket_hold_for(s, wait);
    cw__mutex_unlock(&s->lock);
    is_interrupted = cw__wait_interrupted(wait);
    cw__mutex_lock(&s->lock);
    return is_interrupted ? CW_INTERRUPTED : CW_OK;
}

cw_status cw__socket_wait_locked(cw_socket *s, cw__wait *wait)
{
    int slice_ms = cw__wait_slice(wait);

    if (slice_ms == 0)
        return CW_TIMED_OUT;
    cw__socket_hold_for(s, wait);
    s->waiting_count++;
    cw__cond_wait_ms(&s->changed, &s->lock, slice_ms);
    s->waiting_count--;
    return cw__socket_ask_hook_locked(s, wait);
}

cw_status cw__socket_poll_locked(cw_socket *s, short events, cw__wake **slot, cw__wait *wait)
{
    int slice_ms = cw__wait_slice(wait);
    struct pollfd descriptors[2];
    cw__wake *wake;

    if (slice_ms == 0)
        return CW_TIMED_OUT;
    wake = cw__thread_wake(&slice_ms);
    if (events == POLLOUT && cw__outbound_wants_read(s)) {
        events = 0;
        slice_ms = slice_ms < 0 || slice_ms > CW__WRITE_AGAIN_MS ? CW__WRITE_AGAIN_MS : slice_ms;
    }
    cw__socket_hold_for(s, wait);
    descriptors[0] = (struct pollfd){.fd = s->fd, .events = events};
    descriptors[1] = (struct pollfd){.fd = wake->read_fd, .events = POLLIN};
    *slot = wake;
    s->polling_count++;
    cw__mutex_unlock(&s->lock);
    if (poll(descriptors, 2, slice_ms) < 0)
        cw__wait_signalled(wait);
    come_back(s);
    s->polling_count--;
    *slot = NULL;
    if (wake->read_fd >= 0 && atomic_load(&wake->is_set))
        cw__wake_clear(wake);
    if (s->close.state == CW__CLOSE_ENDED && s->polling_count == 0)
        cw__socket_attend_locked(s); /* the descriptor may be closed now */
    if (s->waiting_count > 0)
        cw__cond_broadcast(&s->changed); /* one of the waiting threads polls next */
    return CW_OK;
}

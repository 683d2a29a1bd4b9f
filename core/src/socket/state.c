/* SPDX-License-Identifier: MIT */
/* State: sets the state of a socket, wakes threads after a change, decides which thread reads the connection, and sets
 * the events that the poller watches. All other files of this folder call this file; it calls none of them.
 *
 * Safety: all functions except the checks need the socket's lock. */

#include "socket.h"

cw_status cw__socket_check(const cw_socket *s)
{
    if (s->generation == cw__generation())
        return CW_OK;
    return cw__fail(
        CW_AFTER_FORK,
        "this socket was made before fork(): use it in the parent, and make a new socket in the child");
}

cw_status cw__socket_check_connected(const cw_socket *s)
{
    switch (cw__socket_state(s)) {
    case CW_STATE_NEW:
        return cw__fail(CW_INVALID_STATE, "the socket is not connected: connect it first");
    case CW_STATE_CONNECTING:
        return cw__fail(CW_INVALID_STATE, "the socket is still connecting: wait until it is open");
    default:
        return CW_OK;
    }
}

/* ---- The state, and wake-ups after a change ---- */

/* Tells a scheduler of coroutines, whose calls do not wait, to make them again. */
static void tell_locked(cw_socket *s)
{
    if ((s->event_mask & ~s->pending_events & CW_EVENT_CHANGED) == 0)
        return;
    s->pending_events |= CW_EVENT_CHANGED;
    cw__mailbox_list(s->mailbox, &s->subscriber);
}

void cw__socket_set_state_locked(cw_socket *s, cw_state state)
{
    atomic_store(&s->state, state);
    cw__socket_changed_locked(s);
    tell_locked(s);
}

void cw__socket_changed_locked(cw_socket *s)
{
    if (s->waiting_count > 0)
        cw__cond_broadcast(&s->changed);
    if ((s->event_mask & CW_EVENT_CHANGED) && cw__service_is_here())
        tell_locked(s);
}

void cw__socket_post_locked(cw_socket *s, cw_event_type type)
{
    /* A loop that reads itself needs no event. */
    if (type == CW_EVENT_MESSAGE && s->in.is_looped && cw__service_is_here())
        type = CW_EVENT_READABLE;
    if (type != CW_EVENT_MESSAGE)
        s->pending_events |= type;
    if (s->event_mask & type)
        cw__mailbox_list(s->mailbox, &s->subscriber);
    cw__socket_changed_locked(s);
}

void cw__socket_wake_locked(cw_socket *s)
{
    if (s->in.receiver)
        cw__wake_signal(s->in.receiver);
    if (s->out.sender)
        cw__wake_signal(s->out.sender);
    if (s->in.is_looped)
        cw__socket_post_locked(s, CW_EVENT_READABLE);
    cw__socket_changed_locked(s);
}

void cw__socket_attend_locked(cw_socket *s)
{
    if (s->is_attached)
        cw__service_attend(&s->client);
}

/* ---- The poller, and the thread that reads ---- */

/* The service thread stands by for the event loop that reads. */
static void stand_by_locked(cw_socket *s)
{
    bool is_wanted = s->in.is_looped && s->in.reader == CW__READER_CALLER && s->close.state != CW__CLOSE_ENDED;

    if (is_wanted == s->in.is_stood_by)
        return;
    if (cw__service_stand_by(&s->client, s->fd, is_wanted))
        s->in.is_stood_by = is_wanted;
    else {
        s->is_unwatchable = true;
        cw__socket_attend_locked(s);
    }
}

void cw__socket_watch_locked(cw_socket *s)
{
    unsigned mask = 0;

    if (!s->codec)
        return;
    stand_by_locked(s);
    if (s->close.state != CW__CLOSE_ENDED) {
        bool is_wanted = s->close.state == CW__CLOSE_NONE ? !s->in.inbox.is_full
                                                          : s->close.state == CW__CLOSE_SENT || !s->out.first;
        if (s->in.reader == CW__READER_SERVICE && is_wanted)
            mask |= CW__READ;
        if (s->out.first && s->out.sending != CW__SENDING_DIRECTLY && !cw__outbound_wants_read(s))
            mask |= CW__WRITE;
    }
    if (mask == s->watched)
        return;
    if (cw__poller_set(cw__service_poller(), s->fd, mask, &s->client))
        s->watched = mask;
    else {
        s->is_unwatchable = true;
        cw__socket_attend_locked(s);
    }
}

/* Lets the callers read for some time, and then checks whether they have read. */
static void linger_locked(cw_socket *s, int64_t now_ms)
{
    s->in.turns_seen = s->in.turns;
    s->in.reclaim_due_ms = now_ms + CW__LINGER_MS;
}

/* Returns whether bytes may have been received that neither the inbox has nor the descriptor shows. */
static bool may_hold(const cw_socket *s)
{
    if (s->in.is_drained)
        return false;
    return (s->in.inflater && cw__inflater_has_more(s->in.inflater)) || !s->codec->calls->holds ||
           s->codec->calls->holds(s->codec);
}

void cw__inbound_leave_locked(cw_socket *s, bool has_result)
{
    if (!s->in.is_looped || s->in.reader != CW__READER_CALLER || !may_hold(s))
        return;
    if (!has_result)
        cw__inbound_give_back_locked(s);
    else if (s->in.reclaim_due_ms == INT64_MAX) {
        linger_locked(s, cw__now_ms());
        cw__socket_attend_locked(s);
    }
}

void cw__inbound_take_over_locked(cw_socket *s)
{
    s->in.turns++;
    if (s->in.is_looped && atomic_load(&s->in.is_ready)) {
        atomic_store(&s->in.is_ready, 0);
        s->in.is_drained = false;
    }
    if (s->in.reader != CW__READER_SERVICE)
        return;
    s->in.reader = CW__READER_CALLER;
    cw__socket_watch_locked(s);
    if (s->in.is_looped)
        return; /* cw__inbound_leave_locked follows */
    linger_locked(s, cw__now_ms());
    cw__socket_attend_locked(s);
}

void cw__inbound_give_back_locked(cw_socket *s)
{
    if (s->in.reader == CW__READER_SERVICE)
        return;
    s->in.reader = CW__READER_SERVICE;
    s->in.reclaim_due_ms = INT64_MAX;
    cw__socket_watch_locked(s);
    cw__socket_attend_locked(s); /* libcurl may hold bytes, and the descriptor does not show them */
}

void cw__inbound_reclaim_locked(cw_socket *s, int64_t now_ms)
{
    if (s->in.reader != CW__READER_CALLER || now_ms < s->in.reclaim_due_ms)
        return;
    if (s->in.receiver) { /* the receiver may poll for long, and tells the service thread when it stops */
        s->in.reader = CW__READER_POLLING;
        s->in.reclaim_due_ms = INT64_MAX;
    } else if (s->in.is_looped && !may_hold(s))
        s->in.reclaim_due_ms = INT64_MAX; /* the service thread stands by */
    else if (s->in.turns != s->in.turns_seen)
        linger_locked(s, now_ms);
    else {
        s->in.reader = CW__READER_SERVICE;
        s->in.reclaim_due_ms = INT64_MAX;
    }
}

bool cw__inbound_look_locked(cw_socket *s, unsigned look)
{
    bool is_left = s->in.is_stood_by && s->in.turns == s->in.look_turns && s->in.look_seen + 1 == look;

    s->in.look_turns = s->in.turns;
    s->in.look_seen = look;
    if (is_left) {
        s->in.is_drained = false;
        cw__inbound_give_back_locked(s);
    }
    return is_left;
}

/* SPDX-License-Identifier: MIT */
/* Socket: the public calls from create to release, the subscription, and the calls of the service and of a mailbox.
 * connect.c, inbound.c, outbound.c, ping.c and closing.c do the work.
 *
 * Safety: see socket.h.
 *
 * Errors: CW_CLOSED. */
#include <unistd.h>

#include "socket.h"

static const cw__client_calls client_calls;
static cw_event *take(cw__subscriber *subscriber, bool *has_no_memory);
static void hold_subscriber(cw__subscriber *subscriber);
static void drop_subscriber(cw__subscriber *subscriber);

/* ---- Life ---- */

cw_status cw_socket_create(cw_class socket_class, cw_socket **out)
{
    cw_socket *s;

    *out = NULL;
    if (socket_class != CW_MESSAGE_SOCKET && socket_class != CW_STREAM_SOCKET)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "there is no class of socket %d: use 0 for messages, 1 for a stream",
                        (int)socket_class);
    s = cw__calloc(1, sizeof *s);
    if (!s)
        return cw__fail(CW_NO_MEMORY, "no memory for a socket: free memory and call again");
    s->client.calls = &client_calls;
    s->subscriber = (cw__subscriber){.take = take, .hold = hold_subscriber, .drop = drop_subscriber};
    atomic_init(&s->handles, 1);
    atomic_init(&s->references, 1);
    atomic_init(&s->state, CW_STATE_NEW);
    s->generation = cw__generation();
    s->socket_class = socket_class;
    s->fd = s->given = -1;
    cw__mutex_init(&s->turn);
    cw__mutex_init(&s->lock);
    cw__cond_init(&s->changed);
    cw__settings_init(&s->settings);
    s->timings = cw__no_timings;
    cw__close_init(&s->close);
    s->in.reclaim_due_ms = INT64_MAX;
    s->grace_ms = -1;
    *out = s;
    return CW_OK;
}

void cw_socket_retain(cw_socket *s)
{
    if (s)
        (void)atomic_fetch_add(&s->handles, 1);
}

/* Ends a socket that the program has released. The service thread does the closing handshake of an open
 * connection. */
static void abandon(cw_socket *s)
{
    cw__socket_enter(s);
    s->event_mask = 0;
    if (s->connecting)
        cw__connecting_cancel_locked(s);
    else if (s->codec) {
        cw__closing_begin_locked(s, 1005, "", 0);
        cw__outbound_flush_locked(s);
    }
    cw__mutex_unlock(&s->lock);
    cw__socket_drop(s);
}

void cw_socket_release(cw_socket *s)
{
    if (!s || atomic_fetch_sub(&s->handles, 1) != 1)
        return;
    /* After fork a thread of the parent may hold the lock, so the child does not touch the socket. */
    if (s->generation == cw__generation())
        abandon(s);
}

cw_class cw_socket_class(const cw_socket *s) { return s->socket_class; }
cw_state cw_socket_state(const cw_socket *s) { return cw__socket_state(s); }
void cw_socket_set_user(cw_socket *s, void *user) { atomic_store(&s->user, user); }
void *cw_socket_user(const cw_socket *s) { return atomic_load(&s->user); }

const char *cw_state_text(cw_state state)
{
    switch (state) {
#define CW_X(name, value, text) \
    case name:                  \
        return text;
        CW_STATE_LIST(CW_X)
#undef CW_X
    }
    return "?";
}

cw_status cw_socket_get_bandwidth_statistics(cw_socket *s, cw_bandwidth_statistics *out)
{
    cw_status status = cw__socket_check(s);

    *out = (cw_bandwidth_statistics){0};
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    if (s->codec)
        cw__link_bandwidth(s->codec->link, out);
    cw__mutex_unlock(&s->lock);
    return CW_OK;
}

/* ---- The service's calls ---- */

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t next_due(const cw_socket *s)
{
    /* After a close frame that cannot be written yet, nothing is read (cw__inbound_serve_locked). */
    int64_t due_ms = INT64_MAX;
    bool may_go_on = s->close.state == CW__CLOSE_NONE || s->close.state == CW__CLOSE_SENT || !s->out.first;

    if (s->in.reader == CW__READER_SERVICE && !s->in.is_drained && !s->in.inbox.is_full && may_go_on)
        return 0; /* the share of this turn was used up, and there is more to read */
    if (s->out.first && s->out.sending != CW__SENDING_DIRECTLY && cw__outbound_wants_read(s))
        due_ms = cw__now_ms() + CW__WRITE_AGAIN_MS;
    return earlier(earlier(due_ms, cw__pings_due_locked(s)),
                   earlier(cw__closing_due_locked(s), s->in.reclaim_due_ms));
}

static void check_keepalive(cw_socket *s, int64_t now_ms)
{
    if (cw__pings_attend_locked(s, now_ms)) {
        if (!s->out.is_broken)
            cw__error_set(&s->fault, CW_CLOSED, CW_WEB_Timeout,
                          "the connection was lost: nothing came for %g s after a keepalive ping "
                          "(ping_timeout); connect again",
                          (double)cw__setting(s, CW_OPT_PING_TIMEOUT) / 1000);
        cw__closing_ended_locked(s, s->fault.message);
    }
}

static int64_t serve_locked(cw_socket *s)
{
    /* A timer that expires during reading is handled in the next turn, which follows at once. */
    int64_t now_ms = cw__now_ms();

    if (s->is_unwatchable)
        cw__closing_ended_locked(
            s, "the system has no memory to watch the connection: free memory and connect again");
    cw__inbound_reclaim_locked(s, now_ms);
    if (s->in.reader == CW__READER_SERVICE)
        cw__inbound_serve_locked(s);
    check_keepalive(s, now_ms);
    cw__inbound_leave_locked(s, true); /* it may have read for a loop */
    if (s->out.first && s->close.state != CW__CLOSE_ENDED)
        cw__outbound_flush_locked(s);
    cw__closing_attend_locked(s, now_ms);
    if (s->close.state == CW__CLOSE_ENDED) {
        if (s->polling_count > 0) {
            cw__socket_watch_locked(s); /* watches nothing, because an ended connection would always be ready */
            cw__socket_wake_locked(s);
            return INT64_MAX; /* the last thread that polls asks the service thread to attend */
        }
        cw__connection_teardown_locked(s);
        return CW__DETACH;
    }
    cw__socket_watch_locked(s);
    return next_due(s);
}

static cw_socket *socket_of(cw__client *client) { return (cw_socket *)(void *)client; }

static int64_t finish(cw_socket *s, int64_t due_ms)
{
    if (due_ms == CW__DETACH)
        s->is_attached = false;
    cw__mutex_unlock(&s->lock);
    return due_ms;
}

static int64_t on_ready(cw__client *client, int fd, unsigned mask)
{
    cw_socket *s = socket_of(client);

    cw__socket_enter(s);
    if (!s->connecting && fd == s->fd && (mask & (CW__READ | CW__HANGUP)))
        s->in.is_drained = false;
    return finish(s, s->connecting ? cw__connecting_attend_locked(s) : serve_locked(s));
}

static int64_t on_attend(cw__client *client)
{
    cw_socket *s = socket_of(client);

    cw__socket_enter(s);
    return finish(s, s->connecting ? cw__connecting_attend_locked(s) : serve_locked(s));
}

static int64_t on_look(cw__client *client, unsigned look)
{
    cw_socket *s = socket_of(client);

    cw__socket_enter(s);
    return finish(s, cw__inbound_look_locked(s, look) ? serve_locked(s) : next_due(s));
}

static void on_shut_down(cw__client *client, int grace_ms)
{
    cw_socket *s = socket_of(client);

    cw__socket_enter(s);
    cw__closing_shut_down_locked(s, grace_ms);
    cw__mutex_unlock(&s->lock);
}

/* The service's last call. A failed connect becomes visible only here, because before this call the client cannot be
 * attached again. */
static void on_detached(cw__client *client)
{
    cw_socket *s = socket_of(client);

    cw__socket_enter(s);
    if (cw__socket_state(s) == CW_STATE_CONNECTING) {
        cw__socket_set_state_locked(s, s->is_closed_locally ? CW_STATE_CLOSED : CW_STATE_NEW);
        cw__statistics_failed_locked(s);
        cw__tracing_say_locked(s, "the connect has failed: %s", s->connect_error.message);
        cw__socket_post_locked(s, CW_EVENT_CONNECT_FAILED);
    }
    cw__mutex_unlock(&s->lock);
    cw__socket_drop(s);
}

static void on_forked(cw__client *client)
{
    cw_socket *s = socket_of(client);
    int fd = s->fd;

    s->fd = -1;
    if (fd >= 0)
        (void)close(fd);
    cw__reach_forget_given(s);
    cw__connecting_forked(s);
}

static const cw__client_calls client_calls = {.ready = on_ready,
                                              .attend = on_attend,
                                              .look = on_look,
                                              .shut_down = on_shut_down,
                                              .detached = on_detached,
                                              .forked = on_forked};

/* ---- The mailbox's calls ---- */

static cw_socket *socket_of_subscriber(cw__subscriber *subscriber)
{
    return (cw_socket *)(void *)((char *)subscriber - offsetof(cw_socket, subscriber));
}

static void hold_subscriber(cw__subscriber *subscriber) { cw__socket_hold(socket_of_subscriber(subscriber)); }
static void drop_subscriber(cw__subscriber *subscriber) { cw__socket_drop(socket_of_subscriber(subscriber)); }

/* Makes the event of a pending bit, if the bit is set and subscribed. */
static cw_event *take_pending(cw_socket *s, cw_event_type type)
{
    cw_event *e;

    if ((s->pending_events & s->event_mask & type) == 0)
        return NULL;
    e = type == CW_EVENT_CLOSED ? cw__closing_event_locked(s) : cw__event_create(type, 0);
    if (e)
        s->pending_events &= ~(unsigned)type;
    return e;
}

static cw_event *next_event(cw_socket *s)
{
    cw_event *e = cw__tracing_pop_locked(s);

    if (!e)
        e = take_pending(s, CW_EVENT_CONNECT_FAILED);
    if (!e)
        e = take_pending(s, CW_EVENT_CERTIFICATE);
    if (!e)
        e = take_pending(s, CW_EVENT_CONNECTED);
    if (!e && (s->event_mask & CW_EVENT_MESSAGE))
        e = cw__inbound_pop_locked(s);
    if (!e)
        e = take_pending(s, CW_EVENT_READABLE);
    if (!e)
        e = take_pending(s, CW_EVENT_CHANGED);
    if (!e)
        e = take_pending(s, CW_EVENT_WRITABLE);
    if (!e)
        e = take_pending(s, CW_EVENT_PONG);
    if (!e)
        e = take_pending(s, CW_EVENT_CLOSED);
    return e;
}

static bool has_event(const cw_socket *s)
{
    return (s->pending_events & s->event_mask) || cw__tracing_has_event(s) ||
           ((s->event_mask & CW_EVENT_MESSAGE) && s->in.inbox.first);
}

/* Takes an event. The event keeps the memory of the socket, but is not a handle. A connection closes when its
 * last handle is released, even if the program keeps events. */
static cw_event *take(cw__subscriber *subscriber, bool *has_no_memory)
{
    cw_socket *s = socket_of_subscriber(subscriber);
    cw_event *e;

    if (atomic_load(&s->handles) == 0)
        return NULL;
    cw__mutex_lock(&s->lock);
    e = next_event(s);
    *has_no_memory = !e && has_event(s);
    if (has_event(s))
        cw__mailbox_list(s->mailbox, subscriber);
    cw__mutex_unlock(&s->lock);
    if (e) {
        cw__socket_hold(s);
        e->socket = s;
        e->release = cw__socket_drop;
    }
    return e;
}

cw_status cw_socket_subscribe(cw_socket *s, cw_mailbox *m, unsigned event_mask)
{
    cw_status status = cw__socket_check(s);

    if (status == CW_OK && m)
        status = cw__mailbox_check(m);
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    if (m && (event_mask & CW_EVENT_MESSAGE) && s->socket_class == CW_STREAM_SOCKET)
        status = cw__fail(CW_INVALID_STATE,
                          "cannot give messages of a stream socket to a handler: read its input stream");
    else if (m && s->mailbox && s->mailbox != m)
        status = cw__fail(CW_INVALID_STATE,
                          "the socket is bound to another mailbox: use that mailbox, or make a new socket");
    if (status == CW_OK) {
        if (m && !s->mailbox) {
            cw__mailbox_retain(m);
            s->mailbox = m;
        }
        s->event_mask = m ? event_mask : 0;
        status = cw__tracing_follow_locked(s);
        if (event_mask & CW_EVENT_MESSAGE)
            cw__inbound_skip_locked(s);
        if (event_mask & (CW_EVENT_MESSAGE | CW_EVENT_CHANGED) && s->codec)
            cw__inbound_give_back_locked(s);
        if (has_event(s))
            cw__mailbox_list(s->mailbox, &s->subscriber);
        cw__socket_wake_locked(s);
    }
    cw__mutex_unlock(&s->lock);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Mailboxes and inboxes: events on their way to a runtime. An inbox holds the received messages of one socket;
 * reading stops at its high mark and goes on at its low mark. A mailbox lists the sockets that have events,
 * behind one descriptor, with one wake-up per batch. The socket and runtimes call this file; it knows nothing of
 * the protocol.
 *
 * Locks: an inbox is under its socket's lock. A mailbox has its own lock. A thread may take the mailbox's lock
 * while it holds a socket's lock, never the other way round. So the mailbox asks a subscriber for events without
 * its own lock. */
#include <errno.h>
#include <poll.h>

#include "engine.h"

void cw__inbox_rose(cw__inbox *box)
{
    if (box->bytes >= box->high_bytes)
        box->is_full = true;
    if (box->bytes > box->most_bytes)
        box->most_bytes = box->bytes;
    box->mark_bytes = box->most_bytes;
    if (box->mark_bytes >= box->high_bytes)
        box->mark_bytes = box->high_bytes - 1;
}

static void count_in(cw__inbox *box, const cw_event *e)
{
    box->bytes += sizeof *e + e->len_bytes;
    cw__inbox_grew(box);
}

void cw__inbox_push(cw__inbox *box, cw_event *e)
{
    e->next = NULL;
    if (box->last)
        box->last->next = e;
    else
        box->first = e;
    box->last = e;
    count_in(box, e);
}

void cw__inbox_put_back(cw__inbox *box, cw_event *e)
{
    e->next = box->first;
    box->first = e;
    if (!box->last)
        box->last = e;
    count_in(box, e);
}

cw_event *cw__inbox_pop(cw__inbox *box)
{
    cw_event *e = box->first;

    if (!e)
        return NULL;
    box->first = e->next;
    if (!box->first)
        box->last = NULL;
    box->bytes -= sizeof *e + e->len_bytes;
    if (box->bytes <= box->high_bytes / 2)
        box->is_full = false;
    return e;
}

void cw__inbox_clear(cw__inbox *box)
{
    cw_event *e;

    while ((e = cw__inbox_pop(box)))
        cw_event_free(e);
}

struct cw_mailbox {
    int generation; /* constant */
    cw__atomic_int references;
    cw__mutex lock;
    cw__wake wake; /* set while a socket is listed, or after cw_mailbox_wake */
    cw__subscriber *first, *last;
    bool is_woken;
    bool is_dead; /* the owner of the mailbox has released it */
};

cw_status cw_mailbox_create(cw_mailbox **out)
{
    cw_mailbox *m = cw__calloc(1, sizeof *m);

    *out = NULL;
    if (!m)
        return cw__fail(CW_NO_MEMORY, "no memory for a mailbox: free memory and call again");
    if (!cw__wake_init(&m->wake)) {
        cw_status status = errno == ENOMEM
                               ? cw__fail(CW_NO_MEMORY, "no memory for a mailbox: free memory and call again")
                               : cw__fail(CW_SYSTEM_ERROR, "no descriptor for a mailbox: raise the "
                                                           "limit (ulimit -n)");
        cw__free(m);
        return status;
    }
    cw__mutex_init(&m->lock);
    atomic_init(&m->references, 1);
    m->generation = cw__generation();
    *out = m;
    return CW_OK;
}

cw_status cw__mailbox_check(const cw_mailbox *m)
{
    if (m->generation == cw__generation())
        return CW_OK;
    return cw__fail(CW_AFTER_FORK, "this mailbox was made before fork(): make a new mailbox in the child");
}

void cw__mailbox_retain(cw_mailbox *m) { (void)atomic_fetch_add(&m->references, 1); }

void cw__mailbox_release(cw_mailbox *m)
{
    if (atomic_fetch_sub(&m->references, 1) != 1)
        return;
    cw__wake_destroy(&m->wake);
    cw__mutex_destroy(&m->lock);
    cw__free(m);
}

/* The owner's release. A listed subscriber holds its socket, and the socket holds the mailbox. So this call drops all
 * listed subscribers and stops further listing. Otherwise they would keep each other alive. It ends a take that waits,
 * because no event will follow. */
void cw_mailbox_release(cw_mailbox *m)
{
    cw__subscriber *listed;

    if (!m || m->generation != cw__generation()) /* a thread of the parent may hold the lock: do not touch m */
        return;
    cw__mutex_lock(&m->lock);
    m->is_dead = true;
    listed = m->first;
    m->first = m->last = NULL;
    cw__mutex_unlock(&m->lock);
    cw__wake_signal(&m->wake); /* the wake-up stays set, because next_listed no longer clears it */
    while (listed) {
        cw__subscriber *next = listed->next;
        listed->drop(listed);
        listed = next;
    }
    cw__mailbox_release(m);
}

int cw_mailbox_fd(const cw_mailbox *m) { return m->wake.read_fd; }

/* ---- Listing and taking ---- */

void cw__mailbox_list(cw_mailbox *m, cw__subscriber *subscriber)
{
    bool is_new;

    cw__mutex_lock(&m->lock);
    is_new = !subscriber->is_listed && !m->is_dead;
    if (is_new) {
        subscriber->hold(subscriber);
        subscriber->is_listed = true;
        subscriber->next = NULL;
        if (m->last)
            m->last->next = subscriber;
        else
            m->first = subscriber;
        m->last = subscriber;
    }
    cw__mutex_unlock(&m->lock);
    if (is_new)
        cw__wake_signal(&m->wake);
}

void cw_mailbox_wake(cw_mailbox *m)
{
    if (m->generation != cw__generation()) /* the parent uses the same descriptor */
        return;
    cw__mutex_lock(&m->lock);
    m->is_woken = true;
    cw__mutex_unlock(&m->lock);
    cw__wake_signal(&m->wake);
}

/* Removes the next subscriber from the list and returns it. The descriptor stays readable until the list is found
 * empty. The wake-up is cleared before the list is checked: a subscriber listed in between is either found or signals
 * again. */
static cw__subscriber *next_listed(cw_mailbox *m, bool *is_woken)
{
    cw__subscriber *subscriber;

    cw__mutex_lock(&m->lock);
    if (!m->first && !m->is_dead)
        cw__wake_clear(&m->wake);
    *is_woken = m->is_woken || m->is_dead;
    m->is_woken = false;
    subscriber = *is_woken ? NULL : m->first;
    if (subscriber) {
        m->first = subscriber->next;
        if (!m->first)
            m->last = NULL;
        subscriber->is_listed = false;
    } else if (m->first) {
        cw__wake_signal(&m->wake); /* the wake-up has been reported, but events remain */
    }
    cw__mutex_unlock(&m->lock);
    return subscriber;
}

static cw_event *take_now(cw_mailbox *m, bool *is_woken, bool *has_no_memory)
{
    cw__subscriber *subscriber;
    cw_event *e = NULL;

    *has_no_memory = false;
    while (!e && !*has_no_memory && (subscriber = next_listed(m, is_woken))) {
        e = subscriber->take(subscriber, has_no_memory); /* lists the subscriber again if it has more */
        subscriber->drop(subscriber);
    }
    return e;
}

static cw_status take(cw_mailbox *m, int timeout_ms, cw_event **out)
{
    cw__wait wait;

    cw__wait_begin(&wait, timeout_ms, -1);
    for (;;) {
        struct pollfd descriptor = {.fd = m->wake.read_fd, .events = POLLIN, .revents = 0};
        bool is_woken = false, has_no_memory;
        int slice_ms;

        *out = take_now(m, &is_woken, &has_no_memory);
        if (*out)
            return CW_OK;
        if (has_no_memory)
            return cw__fail(CW_NO_MEMORY,
                            "no memory for an event; it stays in the mailbox: free memory and call again");
        if (is_woken)
            return cw__fail(CW_INTERRUPTED,
                            "woken by another thread: call again to go on waiting for an event");
        slice_ms = cw__wait_slice(&wait);
        if (slice_ms == 0)
            return cw__wait_timed_out(&wait, "an event", CW_OPTION_COUNT);
        if (poll(&descriptor, 1, slice_ms) < 0)
            cw__wait_signalled(&wait);
        if (cw__wait_wants_hook(&wait) && cw__wait_interrupted(&wait))
            return cw__fail(CW_INTERRUPTED, "interrupted while waiting for an event: call again to go on");
    }
}

/* A call that may wait holds a reference, because another thread may release the mailbox meanwhile. */
cw_status cw_mailbox_take(cw_mailbox *m, int timeout_ms, cw_event **out)
{
    cw_status status = cw__mailbox_check(m);

    *out = NULL;
    if (status != CW_OK)
        return status;
    cw__mailbox_retain(m);
    status = take(m, timeout_ms, out);
    cw__mailbox_release(m);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* The poller for systems without epoll and kqueue: poll(2) over a table. The service thread waits; any thread may call
 * set. It uses base and wake.c.
 *
 * The mutex guards all fields except those marked as the waiter's. It is not held while poll waits. A set during that
 * time wakes the waiter, which then reads the table again. One thread waits at a time. */
#include "engine.h"
#include "poller_choice.h"

#ifdef CW_POLLER_POLL

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { FIRST_ROOM = 64 };

typedef struct slot { /* the index of a slot is the number of its descriptor */
    void *owner;
    unsigned mask;
} slot;

struct cw__poller {
    cw__mutex mutex;
    cw__wake wake;
    slot *slots;
    size_t room;          /* number of slots */
    size_t top;           /* greater than every watched descriptor */
    struct pollfd *spare; /* room + 1 entries, allocated when the table grows; the waiter takes this block */
    bool is_waiting;
    bool is_changed;       /* true after a change that the waiter's list does not have yet */
    struct pollfd *polled; /* the waiter's: the list for poll(); entry 0 is the wake-up */
    size_t polled_count;   /* the waiter's: number of entries in polled */
    /* the waiter's: the entry to begin with, so that a busy low descriptor does not starve a high one */
    size_t next;
};

cw__poller *cw__poller_create(void)
{
    cw__poller *p = cw__calloc(1, sizeof *p);
    struct pollfd *polled = p ? cw__calloc(1, sizeof *polled) : NULL;

    if (!polled || !cw__wake_init(&p->wake)) {
        int saved = polled ? errno : ENOMEM;
        cw__free(polled);
        cw__free(p);
        errno = saved;
        return NULL;
    }
    cw__mutex_init(&p->mutex);
    p->polled = polled;
    p->is_changed = true;
    return p;
}

void cw__poller_destroy(cw__poller *p)
{
    if (!p)
        return;
    cw__mutex_destroy(&p->mutex);
    cw__wake_destroy(&p->wake);
    cw__free(p->slots);
    cw__free(p->spare);
    cw__free(p->polled);
    cw__free(p);
}

/* Grows both tables. The waiter never allocates, because only the caller of this function can report a failure. */
static bool grow_locked(cw__poller *p, size_t room)
{
    size_t more = p->room ? p->room : FIRST_ROOM;
    struct pollfd *spare;
    slot *slots;

    if (room <= p->room)
        return true;
    while (more < room)
        more *= 2;
    spare = cw__calloc(more + 1, sizeof *spare);
    slots = spare ? cw__realloc(p->slots, more * sizeof *slots) : NULL;
    if (!slots) {
        cw__free(spare);
        return false;
    }
    memset(slots + p->room, 0, (more - p->room) * sizeof *slots);
    cw__free(p->spare);
    p->spare = spare;
    p->slots = slots;
    p->room = more;
    return true;
}

static bool set_locked(cw__poller *p, int fd, unsigned mask, void *owner)
{
    size_t index = (size_t)fd;

    if (mask && !grow_locked(p, index + 1))
        return false;
    if (index >= p->room)
        return true; /* fd was never watched */
    if (p->slots[index].mask != mask) {
        p->is_changed = true;
        if (p->is_waiting)
            cw__wake_signal(&p->wake);
    }
    p->slots[index] = (slot){owner, mask};
    if (mask && p->top <= index)
        p->top = index + 1;
    while (p->top && p->slots[p->top - 1].mask == 0)
        p->top--;
    return true;
}

bool cw__poller_set(cw__poller *p, int fd, unsigned mask, void *owner)
{
    bool is_set;

    if (fd < 0) {
        errno = EBADF;
        return false;
    }
    cw__mutex_lock(&p->mutex);
    is_set = set_locked(p, fd, mask & (CW__READ | CW__WRITE), owner);
    cw__mutex_unlock(&p->mutex);
    if (!is_set)
        errno = ENOMEM;
    return is_set;
}

int cw__poller_fd(const cw__poller *p)
{
    (void)p;
    return -1;
}

void cw__poller_forget(cw__poller *p, int fd)
{
    if (fd >= 0)
        (void)cw__poller_set(p, fd, 0, NULL);
}

static void list_locked(cw__poller *p)
{
    if (p->spare) {
        cw__free(p->polled);
        p->polled = p->spare;
        p->spare = NULL;
    }
    p->polled[0] = (struct pollfd){p->wake.read_fd, POLLIN, 0};
    p->polled_count = 1;
    for (size_t i = 0; i < p->top; i++) {
        short events =
            (short)((p->slots[i].mask & CW__READ ? POLLIN : 0) | (p->slots[i].mask & CW__WRITE ? POLLOUT : 0));
        if (events)
            p->polled[p->polled_count++] = (struct pollfd){(int)i, events, 0};
    }
    p->is_changed = false;
}

static unsigned mask_of(const struct pollfd *polled, unsigned wanted)
{
    unsigned mask = (polled->revents & POLLIN ? CW__READ : 0u) | (polled->revents & POLLOUT ? CW__WRITE : 0u);

    /* POLLNVAL: the descriptor was closed without forget. The owner's next call on it fails and shows the error. */
    if (polled->revents & (POLLHUP | POLLERR | POLLNVAL))
        return (mask & wanted) | CW__HANGUP;
    return mask & wanted;
}

/* Reports only descriptors that are still watched, because the table may have changed while poll waited. */
static int collect_locked(cw__poller *p, cw__ready *ready, int most)
{
    size_t count = p->polled_count - 1;
    int filled = 0;

    for (size_t i = 0; i < count && filled < most; i++) {
        size_t index = 1 + (p->next + i) % count;
        const struct pollfd *polled = &p->polled[index];
        const slot *s = &p->slots[polled->fd];
        unsigned mask = s->mask ? mask_of(polled, s->mask) : 0;

        if (!polled->revents || !mask)
            continue;
        ready[filled++] = (cw__ready){s->owner, polled->fd, mask};
        if (filled == most)
            p->next = index;
    }
    return filled;
}

/* Waits once. Returns false if there is nothing to report, because only the table changed. */
static bool wait_once(cw__poller *p, int timeout_ms, cw__ready *ready, int most, int *filled)
{
    bool was_woken;
    int got;

    cw__mutex_lock(&p->mutex);
    if (p->is_changed)
        list_locked(p);
    p->is_waiting = true;
    cw__mutex_unlock(&p->mutex);
    got = poll(p->polled, (nfds_t)p->polled_count, timeout_ms);
    was_woken = got > 0 && p->polled[0].revents;
    cw__mutex_lock(&p->mutex);
    p->is_waiting = false;
    if (was_woken)
        cw__wake_clear(&p->wake);
    *filled = got > 0 ? collect_locked(p, ready, most) : 0;
    cw__mutex_unlock(&p->mutex);
    return *filled > 0 || !was_woken;
}

int cw__poller_wait(cw__poller *p, int timeout_ms, cw__ready *ready, int most)
{
    int64_t end_ms = timeout_ms > 0 ? cw__now_ms() + timeout_ms : 0;
    int filled = 0;

    while (!wait_once(p, timeout_ms, ready, most, &filled)) {
        if (timeout_ms == 0)
            break;
        if (timeout_ms > 0) {
            int64_t left_ms = end_ms - cw__now_ms();
            timeout_ms = left_ms > 0 ? (int)left_ms : 0;
        }
    }
    return filled;
}

#endif

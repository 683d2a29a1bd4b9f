/* SPDX-License-Identifier: MIT */
/* The poller on BSD and macOS (kqueue). The service thread waits; any thread may call set. It uses base only.
 *
 * There is no lock: the kernel's queue is the only state. kqueue has separate filters for reading and writing. So a set
 * makes two changes, and a wait merges what it gets for both into one answer. */
#include "engine.h"
#include "poller_choice.h"

#ifdef CW_POLLER_KQUEUE

#include <errno.h>
#include <fcntl.h>
#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

enum { BATCH = 64 };

struct cw__poller {
    int queue_fd;
};

cw__poller *cw__poller_create(void)
{
    cw__poller *p = cw__calloc(1, sizeof *p);

    if (!p) {
        errno = ENOMEM;
        return NULL;
    }
    p->queue_fd = kqueue();
    if (p->queue_fd < 0) {
        cw__free(p);
        return NULL;
    }
    /* A child of fork does not get the queue, but exec would keep it open. */
    (void)fcntl(p->queue_fd, F_SETFD, FD_CLOEXEC);
    return p;
}

void cw__poller_destroy(cw__poller *p)
{
    if (!p)
        return;
    (void)close(p->queue_fd);
    cw__free(p);
}

/* Makes one change per call. In a call with two, an error of the first (nothing to delete) would prevent the second. */
static bool change(cw__poller *p, int fd, short filter, unsigned short flags, void *owner)
{
    bool is_wanted = flags != EV_DELETE;
    struct kevent event;

    EV_SET(&event, (uintptr_t)fd, filter, flags, 0, 0, owner);
    while (kevent(p->queue_fd, &event, 1, NULL, 0, NULL) < 0) {
        if (errno == EINTR)
            continue;
        return !is_wanted && errno == ENOENT;
    }
    return true;
}

bool cw__poller_set(cw__poller *p, int fd, unsigned mask, void *owner)
{
    unsigned short wanted = mask & CW__ONCE ? EV_ADD | EV_ONESHOT : EV_ADD;
    bool is_read_set = change(p, fd, EVFILT_READ, mask & CW__READ ? wanted : EV_DELETE, owner);
    int saved = errno;

    if (change(p, fd, EVFILT_WRITE, mask & CW__WRITE ? wanted : EV_DELETE, owner) && is_read_set)
        return true;
    saved = is_read_set ? errno : saved;
    cw__poller_forget(p, fd); /* one filter may be set: remove both, so that fd is not watched by half */
    errno = saved;
    return false;
}

int cw__poller_fd(const cw__poller *p) { return p->queue_fd; }

void cw__poller_forget(cw__poller *p, int fd)
{
    int saved = errno;

    (void)change(p, fd, EVFILT_READ, EV_DELETE, NULL);
    (void)change(p, fd, EVFILT_WRITE, EV_DELETE, NULL);
    errno = saved;
}

/* EV_EOF on the read filter means readable: there may be data left. EV_EOF on the write filter means hangup. */
static unsigned mask_of(const struct kevent *event)
{
    if (event->flags & EV_ERROR)
        return CW__HANGUP;
    if (event->filter == EVFILT_READ)
        return CW__READ;
    return event->flags & EV_EOF ? CW__WRITE | CW__HANGUP : CW__WRITE;
}

static int add_ready(cw__ready *ready, int filled, const struct kevent *event)
{
    int fd = (int)event->ident;

    for (int i = 0; i < filled; i++) {
        if (ready[i].fd == fd) {
            ready[i].mask |= mask_of(event);
            return filled;
        }
    }
    ready[filled] = (cw__ready){(void *)event->udata, fd, mask_of(event)};
    return filled + 1;
}

int cw__poller_wait(cw__poller *p, int timeout_ms, cw__ready *ready, int most)
{
    struct kevent events[BATCH];
    struct timespec limit = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
    int got = kevent(p->queue_fd, NULL, 0, events, most < BATCH ? most : BATCH, timeout_ms < 0 ? NULL : &limit);
    int filled = 0;

    for (int i = 0; i < got; i++)
        filled = add_ready(ready, filled, &events[i]);
    return filled;
}

#endif

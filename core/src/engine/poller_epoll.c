/* SPDX-License-Identifier: MIT */
/* The poller on Linux. The service thread waits; any thread sets. It touches nothing of other rooms.
 *
 * Safety: no lock. The kernel's answer has room for a descriptor or for an owner, not for both, so the owners are
 * kept by descriptor in chunks that are made on demand and never move. An entry also says whether the descriptor
 * is watched; a wait that runs at the same time therefore reports no owner that was taken away before it looked.
 * Calls for one descriptor come from one thread at a time: its socket's lock sees to that, or, while it connects, that
 * they are the service's. */
#include "engine.h"
#include "poller_choice.h"

#ifdef CW_POLLER_EPOLL

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CHUNK_COUNT = 1024, CHUNK_OWNERS = 1024, BATCH = 128 };

typedef struct chunk {
    _Atomic(void *) owners[CHUNK_OWNERS]; /* NULL = not watched */
} chunk;

struct cw__poller {
    int epoll_fd;
    _Atomic(chunk *) chunks[CHUNK_COUNT];
};

static char no_owner; /* stands for an owner that is NULL */

cw__poller *cw__poller_create(void)
{
    cw__poller *p = cw__calloc(1, sizeof *p);

    if (!p) {
        errno = ENOMEM;
        return NULL;
    }
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll_fd < 0) {
        cw__free(p);
        return NULL;
    }
    return p;
}

void cw__poller_destroy(cw__poller *p)
{
    if (!p)
        return;
    (void)close(p->epoll_fd);
    for (size_t i = 0; i < CHUNK_COUNT; i++)
        cw__free(atomic_load(&p->chunks[i]));
    cw__free(p);
}

/* The place of a descriptor's owner; NULL if there is none yet. */
static _Atomic(void *) *find_owner(cw__poller *p, int fd)
{
    size_t index = (size_t)fd;
    chunk *c;

    if (fd < 0 || index / CHUNK_OWNERS >= CHUNK_COUNT)
        return NULL;
    c = atomic_load_explicit(&p->chunks[index / CHUNK_OWNERS], memory_order_acquire);
    return c ? &c->owners[index % CHUNK_OWNERS] : NULL;
}

static _Atomic(void *) *make_owner(cw__poller *p, int fd)
{
    size_t index = (size_t)fd;
    chunk *expected = NULL;
    chunk *c;

    if (fd < 0 || index / CHUNK_OWNERS >= CHUNK_COUNT) {
        errno = fd < 0 ? EBADF : EMFILE;
        return NULL;
    }
    if (!find_owner(p, fd)) {
        c = cw__calloc(1, sizeof *c);
        if (!c) {
            errno = ENOMEM;
            return NULL;
        }
        if (!atomic_compare_exchange_strong(&p->chunks[index / CHUNK_OWNERS], &expected, c))
            cw__free(c); /* another thread was faster */
    }
    return find_owner(p, fd);
}

static bool stop(cw__poller *p, int fd)
{
    _Atomic(void *) *owner = find_owner(p, fd);

    if (!owner || !atomic_exchange(owner, NULL))
        return true;
    return epoll_ctl(p->epoll_fd, EPOLL_CTL_DEL, fd, NULL) == 0 || errno == ENOENT;
}

bool cw__poller_set(cw__poller *p, int fd, unsigned mask, void *owner)
{
    struct epoll_event event = {0};
    _Atomic(void *) *place;
    int first, other, error_of_first;

    if (mask == 0)
        return stop(p, fd);
    place = make_owner(p, fd);
    if (!place)
        return false;
    event.events = (mask & CW__READ ? (uint32_t)EPOLLIN : 0) | (mask & CW__WRITE ? (uint32_t)EPOLLOUT : 0);
    event.data.fd = fd;
    /* What we remember is right unless the descriptor was closed behind our back: then the other call is. */
    first = atomic_exchange(place, owner ? owner : &no_owner) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    other = first == EPOLL_CTL_MOD ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    error_of_first = first == EPOLL_CTL_MOD ? ENOENT : EEXIST;
    if (epoll_ctl(p->epoll_fd, first, fd, &event) == 0)
        return true;
    if (errno == error_of_first && epoll_ctl(p->epoll_fd, other, fd, &event) == 0)
        return true;
    atomic_store(place, NULL);
    return false;
}

void cw__poller_forget(cw__poller *p, int fd)
{
    int saved = errno;

    (void)stop(p, fd);
    errno = saved;
}

static unsigned mask_of(uint32_t events)
{
    return (events & EPOLLIN ? CW__READ : 0u) | (events & EPOLLOUT ? CW__WRITE : 0u) |
           (events & (EPOLLHUP | EPOLLERR) ? CW__HANGUP : 0u);
}

int cw__poller_wait(cw__poller *p, int timeout_ms, cw__ready *ready, int most)
{
    struct epoll_event events[BATCH];
    int got = epoll_wait(p->epoll_fd, events, most < BATCH ? most : BATCH, timeout_ms);
    int filled = 0;

    for (int i = 0; i < got; i++) {
        int fd = events[i].data.fd;
        _Atomic(void *) *place = find_owner(p, fd);
        void *owner = place ? atomic_load(place) : NULL;

        if (owner)
            ready[filled++] = (cw__ready){owner == &no_owner ? NULL : owner, fd, mask_of(events[i].events)};
    }
    return filled;
}

#endif

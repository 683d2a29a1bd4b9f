/* SPDX-License-Identifier: MIT */
/* The poller on Linux (epoll). The service thread waits; any thread may call set. It uses base only.
 *
 * There is no lock. epoll returns either a descriptor or an owner, not both. So the owners are stored by descriptor, in
 * chunks that are allocated on demand and never move. An entry also tells whether the descriptor is watched. So a wait
 * that runs at the same time never reports an owner that was removed before the wait read the entry. One thread at a
 * time makes calls for a descriptor: the thread that has the socket's lock, or the service thread during a connect. */
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

/* Returns the place of a descriptor's owner; NULL if its chunk does not exist yet. */
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
            cw__free(c); /* another thread has already allocated this chunk */
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
    event.events = (mask & CW__READ ? (uint32_t)EPOLLIN : 0) | (mask & CW__WRITE ? (uint32_t)EPOLLOUT : 0) |
                   (mask & CW__ONCE ? (uint32_t)EPOLLONESHOT : 0);
    event.data.fd = fd;
    /* If the descriptor was closed without forget, our record is wrong. Then the other call is the right one. */
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

int cw__poller_fd(const cw__poller *p) { return p->epoll_fd; }

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

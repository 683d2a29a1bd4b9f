/* SPDX-License-Identifier: MIT */
/* A wake-up that merges signals: an eventfd on Linux, a pipe elsewhere (CW_WAKE_PIPE forces the pipe). The service thread, the
 * mailbox and the poll(2) poller use it.
 *
 * There is no lock. is_set means that a byte is in the descriptor or about to be written. The thread that changes it
 * from 0 to 1 writes that byte. What a thread stored before cw__wake_signal is visible after cw__wake_clear. */
#include "engine.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#if defined(__linux__) && !defined(CW_WAKE_PIPE)
#include <sys/eventfd.h>

static bool open_both(cw__wake *w)
{
    w->read_fd = w->write_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return w->read_fd >= 0;
}

#else

#ifdef __APPLE__
/* pipe2 is not available here: a fork between the two calls passes the descriptors to a child, which does no harm. */
static bool open_pair(int fds[2])
{
    if (pipe(fds) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) != 0 || fcntl(fds[i], F_SETFL, O_NONBLOCK) != 0) {
            int saved = errno;
            (void)close(fds[0]);
            (void)close(fds[1]);
            errno = saved;
            return false;
        }
    }
    return true;
}
#else
static bool open_pair(int fds[2]) { return pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0; }
#endif

static bool open_both(cw__wake *w)
{
    int fds[2] = {-1, -1};
    bool is_open = open_pair(fds);

    w->read_fd = is_open ? fds[0] : -1;
    w->write_fd = is_open ? fds[1] : -1;
    return is_open;
}

#endif

bool cw__wake_init(cw__wake *w)
{
    atomic_init(&w->is_set, 0);
    return open_both(w);
}

void cw__wake_destroy(cw__wake *w)
{
    int read_fd = w->read_fd, write_fd = w->write_fd;

    /* set before the close: a child of fork must not find closed descriptors here */
    w->read_fd = w->write_fd = -1;
    if (write_fd >= 0 && write_fd != read_fd)
        (void)close(write_fd);
    if (read_fd >= 0)
        (void)close(read_fd);
}

void cw__wake_signal(cw__wake *w)
{
    const uint64_t one = 1; /* an eventfd needs eight bytes; a pipe accepts any number */

    if (atomic_exchange_explicit(&w->is_set, 1, memory_order_acq_rel))
        return;
    /* EAGAIN: the descriptor is full, so it is already readable. */
    while (write(w->write_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void cw__wake_clear(cw__wake *w)
{
    uint64_t bytes[16];
    ssize_t got;

    do
        got = read(w->read_fd, bytes, sizeof bytes);
    while ((got < 0 && errno == EINTR) || got == (ssize_t)sizeof bytes);
    /* Reset is_set after the read, never before. Otherwise the read could take the byte of a signal that came between
     * reset and read. Then is_set would stay 1, and no later signal would write again. A signal between this read and this
     * reset writes nothing. But its thread stored its data before the signal, and we look for data after this line. The
     * exchange reads the signaller's exchange, so we see that data. */
    (void)atomic_exchange_explicit(&w->is_set, 0, memory_order_acq_rel);
}

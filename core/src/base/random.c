/* SPDX-License-Identifier: MIT */
/* Random bytes from the system's cryptographic generator, for masks (RFC 6455 section 5.3) and the handshake's key
 * (section 4.1). Every call is a system call; a caller that needs many small amounts keeps a buffer of its own. This
 * file keeps no state, so two processes never draw the same bytes after a fork. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#if defined(__GLIBC__) && __GLIBC__ == 2 && __GLIBC_MINOR__ < 25
#include <sys/syscall.h> /* glibc has getrandom() since 2.25; the wheels run with 2.17 */
#define SYSTEM_READ(buffer, len_bytes) syscall(SYS_getrandom, buffer, len_bytes, 0)
#elif defined(__linux__)
#include <sys/random.h>
#define SYSTEM_READ(buffer, len_bytes) getrandom(buffer, len_bytes, 0)
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__)
#include <stdlib.h>
#define SYSTEM_FILL(buffer, len_bytes) arc4random_buf(buffer, len_bytes)
#endif

#ifndef SYSTEM_FILL

static bool fill_from_device(uint8_t *at, size_t left)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    while (left) {
        ssize_t got = read(fd, at, left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        at += got;
        left -= (size_t)got;
    }
    (void)close(fd);
    return left == 0;
}

#endif

bool cw__random(void *buffer, size_t len_bytes)
{
#ifdef SYSTEM_FILL
    SYSTEM_FILL(buffer, len_bytes);
    return true;
#else
    uint8_t *at = buffer;
    size_t left = len_bytes;

#ifdef SYSTEM_READ
    while (left) {
        ssize_t got = SYSTEM_READ(at, left);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break; /* an old kernel, or a sandbox that forbids the call: the device may still work */
        at += got;
        left -= (size_t)got;
    }
#endif
    return left == 0 || fill_from_device(at, left);
#endif
}

uint64_t cw_random_number(void)
{
    uint64_t number;

    /* Without a generator the bits of the clock still tell the clients of a server apart. */
    return cw__random(&number, sizeof number) ? number : (uint64_t)cw__now_us() * UINT64_C(0x9e3779b97f4a7c15);
}

int64_t cw_now_ms(void) { return cw__now_ms(); }

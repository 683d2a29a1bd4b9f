/* SPDX-License-Identifier: MIT */
/* Await: makes the kernel report a bare connection readable only when the rest of a large message has arrived
 * (SO_RCVLOWAT). So no thread wakes up for each part. A bare connection has neither TLS nor a proxy, and
 * curlwire reads it at its descriptor (link.c). codec_native.c calls this file. It knows the descriptor of a
 * link, and no frames. */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#include "transport.h"

#ifdef __linux__
static bool can_await;

/* Sets can_await on Linux 5.8 or later. Those versions report a descriptor readable when its buffer is full, whatever
 * SO_RCVLOWAT is. BSD does not, and there a read of fewer bytes than SO_RCVLOWAT gets nothing. */
static void ask_kernel(void)
{
    struct utsname name;
    unsigned long major, minor;
    char *end;

    if (uname(&name) != 0)
        return;
    major = strtoul(name.release, &end, 10);
    minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    can_await = major > 5 || (major == 5 && minor >= 8);
}

void cw__link_await(cw__link *l, int least_bytes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    if (!cw__link_reads_bare(l) || least_bytes == l->least_bytes)
        return;
    (void)pthread_once(&once, ask_kernel);
    if (can_await && setsockopt(l->fd, SOL_SOCKET, SO_RCVLOWAT, &least_bytes, sizeof least_bytes) == 0)
        l->least_bytes = least_bytes;
}
#else
void cw__link_await(cw__link *l, int least_bytes) { (void)l, (void)least_bytes; }
#endif

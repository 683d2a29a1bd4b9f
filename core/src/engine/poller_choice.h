/* SPDX-License-Identifier: MIT */
/* Which poller this build has: the best of the system, unless one is forced by -DCW_POLLER_POLL and the like.
 * The three poller_*.c are compiled everywhere; all but the chosen one are empty. */
#ifndef CW_POLLER_CHOICE_H
#define CW_POLLER_CHOICE_H

#if defined(CW_POLLER_EPOLL) + defined(CW_POLLER_KQUEUE) + defined(CW_POLLER_POLL) > 1
#error "force one poller at most: CW_POLLER_EPOLL, CW_POLLER_KQUEUE or CW_POLLER_POLL"
#elif !defined(CW_POLLER_EPOLL) && !defined(CW_POLLER_KQUEUE) && !defined(CW_POLLER_POLL)
#if defined(__linux__)
#define CW_POLLER_EPOLL
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__)
#define CW_POLLER_KQUEUE
#else
#define CW_POLLER_POLL
#endif
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* Chooses the poller of this build: the fastest that the system has, or the poller that a flag such as
 * -DCW_POLLER_POLL names. Every build compiles all three poller_*.c; the other two are empty. */
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

/* SPDX-License-Identifier: MIT */
/* Runs test_poller.c with the poller for systems without epoll and kqueue. */
#define CW_POLLER_POLL

#include "../../core/src/engine/poller_poll.c" /* NOLINT(bugprone-suspicious-include) */

#include "test_poller.c" /* NOLINT(bugprone-suspicious-include) */

/* SPDX-License-Identifier: MIT */
/* Standby: the descriptors that event loops read. If a loop is busy, the service thread must read for it, to answer pings for
 * example. But it must not wake up for each message that a loop reads. So these descriptors have a poller of their own. The
 * service's poller reports once that one of them has data. From then on the service thread looks at them, until it finds none
 * with data. The client decides at each look whether its loop has read. The first two looks come after CW_LOOP_GRACE_MS each,
 * and the pauses then double up to MOST_MS: a loop with many connections always has some that wait, and looking costs time. If
 * a system's poller cannot report another poller (poll), the service thread looks as long as there are descriptors.
 *
 * Thread: set may be called by any thread. All other calls are the service thread's. */
#include "engine.h"

enum { LOOK_AT_ONCE = 64, MOST_MS = 4 * CW_LOOP_GRACE_MS };

void cw__standby_rouse(cw__standby *s)
{
    s->is_resting = false;
    s->pause_ms = CW_LOOP_GRACE_MS;
    s->look_due_ms = cw__now_ms() + s->pause_ms;
}

/* Looks again when the outer poller says so. */
static void rest(cw__standby *s, cw__poller *outer)
{
    int fd = cw__poller_fd(s->poller);

    cw__standby_rouse(s);
    s->is_resting = fd >= 0 && cw__poller_set(outer, fd, CW__READ | CW__ONCE, s);
}

bool cw__standby_init(cw__standby *s, cw__poller *outer)
{
    *s = (cw__standby){.poller = cw__poller_create()};
    if (s->poller)
        rest(s, outer);
    return s->poller != NULL;
}

void cw__standby_destroy(cw__standby *s) { cw__poller_destroy(s->poller); }

bool cw__standby_set(cw__standby *s, int fd, bool is_wanted, cw__client *c)
{
    if (!cw__poller_set(s->poller, fd, is_wanted ? CW__READ : 0, c))
        return false;
    (void)atomic_fetch_add(&s->count, is_wanted ? 1 : -1);
    return true;
}

int64_t cw__standby_due_ms(cw__standby *s)
{
    /* Without descriptors, a look finds none, and rests. */
    bool is_over = cw__poller_fd(s->poller) < 0 && atomic_load(&s->count) == 0;

    return s->is_resting || is_over ? INT64_MAX : s->look_due_ms;
}

void cw__standby_look(cw__standby *s, cw__poller *outer, void (*look)(cw__client *c, unsigned number))
{
    cw__ready ready[LOOK_AT_ONCE];
    int count = LOOK_AT_ONCE, looked = 0;

    if (cw__standby_due_ms(s) > cw__now_ms())
        return;
    s->look++;
    /* The poller reports many descriptors in turn. It may report one twice, which does no harm. */
    for (; count == LOOK_AT_ONCE && looked <= atomic_load(&s->count); looked += count) {
        count = cw__poller_wait(s->poller, 0, ready, LOOK_AT_ONCE);
        for (int i = 0; i < count; i++)
            look(ready[i].owner, s->look);
    }
    if (looked == 0) {
        rest(s, outer);
        return;
    }
    s->look_due_ms = cw__now_ms() + s->pause_ms;
    s->pause_ms = s->pause_ms < MOST_MS ? s->pause_ms * 2 : MOST_MS;
}

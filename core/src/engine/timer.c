/* SPDX-License-Identifier: MIT */
/* A binary heap of deadlines, the earliest first. Only the service thread uses it. Each timer is a member of its
 * owner's struct and knows its index in the heap, so that moving it needs no search. This file reads no clock and knows
 * no sockets. */
#include "engine.h"

#include <assert.h>

enum { FIRST_ROOM = 16 };

void cw__timer_heap_init(cw__timer_heap *h) { *h = (cw__timer_heap){NULL, 0, 0}; }

void cw__timer_heap_destroy(cw__timer_heap *h)
{
    for (size_t i = 0; i < h->count; i++)
        h->timers[i]->place = 0;
    cw__free(h->timers);
    cw__timer_heap_init(h);
}

bool cw__timer_heap_reserve(cw__timer_heap *h, size_t count)
{
    cw__timer **moved;
    size_t room = h->room ? h->room : FIRST_ROOM;

    if (count <= h->room)
        return true;
    while (room < count) {
        if (room > SIZE_MAX / sizeof *moved / 2) /* NOLINT(bugprone-sizeof-expression): of pointers */
            return false;
        room *= 2;
    }
    moved = cw__realloc(h->timers, room * sizeof *moved); /* NOLINT(bugprone-sizeof-expression): of pointers */
    if (!moved)
        return false;
    h->timers = moved;
    h->room = room;
    return true;
}

static void put(cw__timer_heap *h, size_t index, cw__timer *t)
{
    h->timers[index] = t;
    t->place = index + 1;
}

/* Moves a timer from a free index up, then down, to its place. */
static void settle(cw__timer_heap *h, size_t index, cw__timer *t)
{
    while (index > 0 && t->due_ms < h->timers[(index - 1) / 2]->due_ms) {
        put(h, index, h->timers[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * index + 1;

        if (child + 1 < h->count && h->timers[child + 1]->due_ms < h->timers[child]->due_ms)
            child++;
        if (child >= h->count || h->timers[child]->due_ms >= t->due_ms)
            break;
        put(h, index, h->timers[child]);
        index = child;
    }
    put(h, index, t);
}

static void take_out(cw__timer_heap *h, cw__timer *t)
{
    size_t index = t->place - 1;
    cw__timer *last = h->timers[--h->count];

    t->place = 0;
    if (last != t)
        settle(h, index, last);
}

void cw__timer_set(cw__timer_heap *h, cw__timer *t, int64_t due_ms)
{
    t->due_ms = due_ms;
    if (due_ms == INT64_MAX) {
        if (t->place)
            take_out(h, t);
        return;
    }
    if (!t->place) {
        assert(h->count < h->room);
        put(h, h->count++, t);
    }
    settle(h, t->place - 1, t);
}

bool cw__timer_is_set(const cw__timer *t, int64_t due_ms)
{
    return t->due_ms == due_ms && (t->place || due_ms == INT64_MAX); /* a timer that was popped is not set */
}

cw__timer *cw__timer_pop_due(cw__timer_heap *h, int64_t now_ms)
{
    cw__timer *first = h->count ? h->timers[0] : NULL;

    if (!first || first->due_ms > now_ms)
        return NULL;
    take_out(h, first);
    return first;
}

int64_t cw__timer_next(const cw__timer_heap *h) { return h->count ? h->timers[0]->due_ms : INT64_MAX; }

/* SPDX-License-Identifier: MIT */
/* Tests of timer.c. They compare the heap with a plain list of times. */
#include "harness.h"

enum { COUNT = 200 };

static uint32_t seed = 12345;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void test_empty(void)
{
    cw__timer_heap h;
    cw__timer t = {0, 0};

    cw__timer_heap_init(&h);
    CHECK_INT(cw__timer_next(&h), INT64_MAX);
    CHECK(cw__timer_pop_due(&h, INT64_MAX - 1) == NULL);
    cw__timer_set(&h, &t, INT64_MAX); /* removing a timer that is not in the heap does nothing */
    CHECK_INT(t.place, 0);
    cw__timer_heap_destroy(&h);
}

static void test_order(void)
{
    cw__timer timers[COUNT] = {{0, 0}};
    cw__timer_heap h;
    int64_t last = -1;

    cw__timer_heap_init(&h);
    CHECK(cw__timer_heap_reserve(&h, COUNT));
    for (size_t i = 0; i < COUNT; i++)
        cw__timer_set(&h, &timers[i], (int64_t)(i * 7919 % 101)); /* some times are equal */
    CHECK(cw__timer_pop_due(&h, -1) == NULL);
    for (size_t i = 0; i < COUNT; i++) {
        cw__timer *t = cw__timer_pop_due(&h, 1000);
        CHECK(t && t->due_ms >= last && t->place == 0);
        last = t->due_ms;
    }
    CHECK(cw__timer_pop_due(&h, 1000) == NULL);
    cw__timer_heap_destroy(&h);
}

static void test_is_set(void)
{
    cw__timer t = {INT64_MAX, 0};
    cw__timer_heap h;

    cw__timer_heap_init(&h);
    CHECK(cw__timer_heap_reserve(&h, 1));
    CHECK(cw__timer_is_set(&t, INT64_MAX) && !cw__timer_is_set(&t, 5));
    cw__timer_set(&h, &t, 5);
    CHECK(cw__timer_is_set(&t, 5) && !cw__timer_is_set(&t, 6) && !cw__timer_is_set(&t, INT64_MAX));
    CHECK(cw__timer_pop_due(&h, 5) == &t);
    /* a popped timer would have to be added again */
    CHECK(!cw__timer_is_set(&t, 5) && !cw__timer_is_set(&t, INT64_MAX));
    cw__timer_set(&h, &t, 5);
    CHECK(cw__timer_is_set(&t, 5));
    cw__timer_set(&h, &t, INT64_MAX);
    CHECK(cw__timer_is_set(&t, INT64_MAX) && !cw__timer_is_set(&t, 5));
    cw__timer_heap_destroy(&h);
}

static int64_t earliest(const cw__timer *timers)
{
    int64_t due = INT64_MAX;

    for (size_t i = 0; i < COUNT; i++)
        if (timers[i].place && timers[i].due_ms < due)
            due = timers[i].due_ms;
    return due;
}

static void test_against_a_list(void)
{
    cw__timer timers[COUNT] = {{0, 0}};
    int64_t wanted[COUNT];
    cw__timer_heap h;

    cw__timer_heap_init(&h);
    CHECK(cw__timer_heap_reserve(&h, COUNT));
    for (size_t i = 0; i < COUNT; i++)
        wanted[i] = INT64_MAX;
    for (int round = 0; round < 20000; round++) {
        size_t i = next_random(COUNT);

        if (next_random(4) == 0) {
            int64_t now = next_random(1000);
            cw__timer *t = cw__timer_pop_due(&h, now);

            if (t) {
                CHECK(t->due_ms <= now && t->due_ms == wanted[t - timers]);
                CHECK(earliest(timers) >= t->due_ms);
                wanted[t - timers] = INT64_MAX;
            } else {
                CHECK(earliest(timers) > now);
            }
        } else {
            wanted[i] = next_random(5) == 0 ? INT64_MAX : next_random(1000);
            cw__timer_set(&h, &timers[i], wanted[i]);
        }
        CHECK_INT(timers[i].place == 0, wanted[i] == INT64_MAX);
        CHECK_INT(cw__timer_next(&h), earliest(timers));
    }
    cw__timer_heap_destroy(&h);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_INT(timers[i].place, 0);
}

static bool reserve(void *arg)
{
    cw__timer timers[40] = {{0, 0}};
    cw__timer_heap h;
    bool is_good = true;

    (void)arg;
    cw__timer_heap_init(&h);
    for (size_t i = 0; i < 40 && is_good; i++) {
        is_good = cw__timer_heap_reserve(&h, i + 1);
        if (is_good)
            cw__timer_set(&h, &timers[i], 100 - (int64_t)i);
        CHECK_INT(h.count, is_good ? i + 1 : i);
        CHECK_INT(cw__timer_next(&h), h.count ? 101 - (int64_t)h.count : INT64_MAX); /* unchanged */
    }
    cw__timer_heap_destroy(&h);
    return is_good;
}

static void test_short_of_memory(void)
{
    cw__timer_heap h;

    each_allocation_fails(reserve, NULL);
    cw__timer_heap_init(&h);
    CHECK(!cw__timer_heap_reserve(&h, SIZE_MAX));
    CHECK(!cw__timer_heap_reserve(&h, SIZE_MAX / sizeof(void *) + 2)); /* needs more than SIZE_MAX bytes */
    CHECK(!cw__timer_heap_reserve(&h, SIZE_MAX / sizeof(void *) / 2 + 2));
    CHECK_INT(h.room, 0);
}

/* The room begins with 16 and doubles. Nothing is allocated while there is room. */
static void test_room(void)
{
    static const size_t counts[][2] = {{1, 16}, {16, 16}, {17, 32}, {32, 32}, {100, 128}, {7, 128}, {129, 256}};
    cw__timer timer = {0, 0};
    cw__timer_heap h;

    cw__timer_heap_init(&h);
    CHECK(cw__timer_heap_reserve(&h, 16));
    CHECK_INT(h.room, 16);
    cw__timer_heap_destroy(&h);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        cw__alloc_fail_at(counts[i][1] > h.room);
        CHECK(cw__timer_heap_reserve(&h, counts[i][0]));
        CHECK_INT(h.room, counts[i][1]);
    }
    cw__alloc_fail_at(-1);
    cw__timer_set(&h, &timer, 5);
    cw__timer_heap_destroy(&h);
    CHECK(h.timers == NULL && h.count == 0 && h.room == 0);
    CHECK_INT(cw__timer_next(&h), INT64_MAX);
}

static const harness_test tests[] = {
    {"an empty heap", test_empty},
    {"timers come in the order of their times", test_order},
    {"the time that a timer is set to", test_is_set},
    {"set, move, remove and pop agree with a list", test_against_a_list},
    {"the room doubles", test_room},
    {"reserve may fail and leaves the heap as it was", test_short_of_memory},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

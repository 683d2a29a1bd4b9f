/* SPDX-License-Identifier: MIT */
/* Tests of standby.c: when the service thread looks at the descriptors that event loops read. test_looping.c tests what the
 * sockets do with the looks. test_standby_poll.c runs the same tests with the other kind of poller. */
#include "harness.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { MANY = 200, PIPES = MANY + 1 };

/* As the service thread sees them. */
typedef struct bench {
    cw__poller *outer;
    cw__standby standby;
    int pipes[PIPES][2];
} bench;

static cw__client clients[PIPES];
static unsigned looks[PIPES]; /* the number of the latest look at each */

static void look(cw__client *c, unsigned number) { looks[c - clients] = number; }

static void set(bench *b, int n, bool is_wanted)
{
    CHECK(cw__standby_set(&b->standby, b->pipes[n][0], is_wanted, &clients[n]));
}

static void put(const bench *b, int n) { CHECK(write(b->pipes[n][1], "x", 1) == 1); }

static void get(const bench *b, int n)
{
    char byte;

    CHECK(read(b->pipes[n][0], &byte, 1) == 1);
}

static void begin(bench *b, int count)
{
    memset(looks, 0, sizeof looks);
    memset(b, 0, sizeof *b);
    b->outer = cw__poller_create();
    CHECK(b->outer != NULL && cw__standby_init(&b->standby, b->outer));
    for (int i = 0; i < count; i++) {
        CHECK(pipe(b->pipes[i]) == 0);
        set(b, i, true);
    }
}

static void end(bench *b, int count)
{
    for (int i = 0; i < count; i++) {
        set(b, i, false);
        CHECK(close(b->pipes[i][0]) == 0 && close(b->pipes[i][1]) == 0);
    }
    CHECK_INT(atomic_load(&b->standby.count), 0);
    cw__standby_destroy(&b->standby);
    cw__poller_destroy(b->outer);
}

static bool can_rest(const bench *b) { return cw__poller_fd(b->standby.poller) >= 0; }

/* Waits until the outer poller has reported data. A poller that cannot be polled reports nothing: then it looks anyway. */
static void await_report(bench *b)
{
    cw__ready ready[2];

    if (!can_rest(b))
        return;
    CHECK_INT(cw__poller_wait(b->outer, -1, ready, 2), 1);
    CHECK(ready[0].owner == &b->standby);
    CHECK_INT(cw__poller_wait(b->outer, 0, ready, 2), 0); /* once */
    cw__standby_rouse(&b->standby);
}

/* Waits until a look is due, and looks. */
static void look_now(bench *b)
{
    unsigned before = b->standby.look;

    CHECK(cw__standby_due_ms(&b->standby) != INT64_MAX);
    while (b->standby.look == before)
        cw__standby_look(&b->standby, b->outer, look);
    CHECK_INT(b->standby.look, before + 1);
}

static void test_looks_while_data_waits(void)
{
    bench b;

    begin(&b, 2);
    put(&b, 1);
    await_report(&b);
    look_now(&b);
    look_now(&b);
    CHECK_INT(looks[1], 2);
    CHECK_INT(looks[0], 0);
    get(&b, 1);
    look_now(&b);
    CHECK_INT(looks[1], 2);
    end(&b, 2);
}

static void test_rests(void)
{
    bench b;
    cw__ready ready[2];

    begin(&b, 1);
    for (int round = 0; round < 3; round++) {
        CHECK_INT(cw__standby_due_ms(&b.standby) == INT64_MAX, can_rest(&b));
        CHECK_INT(cw__poller_wait(b.outer, 0, ready, 2), 0);
        put(&b, 0);
        await_report(&b);
        get(&b, 0);
        look_now(&b);
    }
    CHECK_INT(looks[0], 0);
    end(&b, 1);
}

/* Data that came before the rest is reported too. */
static void test_rests_with_data(void)
{
    bench b;

    begin(&b, 2);
    put(&b, 0);
    await_report(&b);
    get(&b, 0);
    look_now(&b);
    put(&b, 1);
    await_report(&b);
    look_now(&b);
    CHECK_INT(looks[1], 2);
    get(&b, 1);
    end(&b, 2);
}

static void test_pauses(void)
{
    bench b;
    int pauses_ms[] = {10, 20, 40, 40, 40};

    begin(&b, 1);
    put(&b, 0);
    await_report(&b);
    if (can_rest(&b))
        CHECK(cw__standby_due_ms(&b.standby) > cw__now_ms() - 1000);
    for (size_t i = 0; i < sizeof pauses_ms / sizeof pauses_ms[0]; i++) {
        int64_t due_ms = b.standby.look_due_ms;
        CHECK_INT(b.standby.pause_ms, pauses_ms[i]);
        look_now(&b);
        CHECK(b.standby.look_due_ms >= due_ms + pauses_ms[i]);
    }
    end(&b, 1);
}

static void test_many(void)
{
    bench b;

    begin(&b, PIPES);
    for (int i = 0; i < MANY; i++)
        put(&b, i);
    await_report(&b);
    set(&b, 0, false);
    look_now(&b);
    for (int i = 1; i < MANY; i++)
        CHECK_INT(looks[i], 1);
    CHECK_INT(looks[0], 0);
    CHECK_INT(looks[MANY], 0);
    set(&b, 0, true);
    end(&b, PIPES);
}

/* The last descriptor goes while a look is due. Standby must rest before the next one comes. */
static void test_none_left(void)
{
    bench b;

    begin(&b, 1);
    put(&b, 0);
    await_report(&b);
    set(&b, 0, false);
    CHECK_INT(cw__standby_due_ms(&b.standby) == INT64_MAX, !can_rest(&b));
    if (can_rest(&b))
        look_now(&b);
    CHECK_INT(cw__standby_due_ms(&b.standby) == INT64_MAX, 1);
    set(&b, 0, true);
    await_report(&b);
    look_now(&b);
    CHECK_INT(looks[0], b.standby.look);
    end(&b, 1);
}

static void test_no_memory(void)
{
    bench b;

    begin(&b, 0);
    CHECK(!cw__standby_set(&b.standby, -1, true, &clients[0]));
    CHECK_INT(atomic_load(&b.standby.count), 0);
    end(&b, 0);
}

static const harness_test tests[] = {
    {"looks as long as data waits", test_looks_while_data_waits},
    {"rests while no data waits, and is reported once", test_rests},
    {"data that comes before a rest is reported", test_rests_with_data},
    {"the pauses between looks", test_pauses},
    {"each of many descriptors at each look", test_many},
    {"the last descriptor goes, and another one comes", test_none_left},
    {"a descriptor that cannot be watched", test_no_memory},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

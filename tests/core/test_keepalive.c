/* SPDX-License-Identifier: MIT */
/* Tests of the control keepalive (ping.c, pong.c): which frames each mode sends, and when. test_ping.c and test_unsolicited.c
 * test the clocks of the pings and of the pongs. */
#include "raw_peer.h"

enum { INTERVAL_MS = 20000, LULL_MS = 250, PATIENCE_MS = 1000 };

static cw_socket *socket_of_mode(cw_keepalive mode, int64_t interval_ms)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_KEEPALIVE, mode), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, interval_ms), CW_OK);
    return s;
}

static int64_t actual_ms(cw_socket *s)
{
    int64_t interval_ms = -1;

    CHECK_STATUS(cw_socket_get_actual_pong_interval(s, &interval_ms), CW_OK);
    return interval_ms;
}

/* ---- The clock. The service's own clock is far behind, so nothing is due for it. ---- */

typedef struct course {
    raw_peer peer;
    cw_socket *s;
    int64_t zero_ms;
} course;

static void begin(course *c, cw_keepalive mode)
{
    c->s = socket_of_mode(CW_KEEPALIVE_OFF, INTERVAL_MS);
    raw_open(&c->peer, c->s);
    c->zero_ms = cw__now_ms() + INT32_MAX;
    cw__mutex_lock(&c->s->lock);
    c->s->settings.numbers[CW_OPT_KEEPALIVE] = mode;
    cw__pings_start_locked(c->s, c->zero_ms);
}

static void end(course *c)
{
    c->s->settings.numbers[CW_OPT_KEEPALIVE] = CW_KEEPALIVE_OFF;
    cw__pings_start_locked(c->s, cw__now_ms());
    cw__mutex_unlock(&c->s->lock);
    raw_finish(&c->peer);
}

static void hear(course *c, int64_t at_ms)
{
    c->s->in.heard = CW__HEARD_MORE;
    cw__pings_heard_locked(c->s, c->zero_ms + at_ms);
}

#define CHECK_DUE(c, at_ms)        CHECK_INT(cw__pings_due_locked((c)->s) - (c)->zero_ms, (at_ms))
#define CHECK_NEVER_DUE(c)         CHECK(cw__pings_due_locked((c)->s) == INT64_MAX)
#define CHECK_PINGS(c, count)      CHECK_INT((c)->s->pings.last_number, (count))
#define CHECK_STILL_OPEN(c, at_ms) CHECK(!cw__pings_attend_locked((c)->s, (c)->zero_ms + (at_ms)))

static void test_idle(void)
{
    course c;

    begin(&c, CW_KEEPALIVE_IDLE);
    CHECK_DUE(&c, INTERVAL_MS);
    hear(&c, INTERVAL_MS - 1000);
    CHECK_DUE(&c, 2 * INTERVAL_MS - 1000);
    CHECK_STILL_OPEN(&c, 2 * INTERVAL_MS - 1001);
    CHECK_PINGS(&c, 0);
    CHECK_STILL_OPEN(&c, 2 * INTERVAL_MS - 1000);
    CHECK_PINGS(&c, 1);
    end(&c);
}

/* Data does not postpone the pings. It only makes a ping wait for a pause, but not for long. */
static void test_ping(void)
{
    course c;

    begin(&c, CW_KEEPALIVE_PING);
    hear(&c, INTERVAL_MS - 1000);
    CHECK_DUE(&c, INTERVAL_MS);
    CHECK_STILL_OPEN(&c, INTERVAL_MS);
    CHECK_PINGS(&c, 1);
    cw__outbound_flush_locked(c.s); /* while a ping waits to be written, there is no second one */
    CHECK_DUE(&c, 2 * INTERVAL_MS);
    hear(&c, 2 * INTERVAL_MS - 100); /* that also ends the wait for the pong */
    CHECK_DUE(&c, 2 * INTERVAL_MS - 100 + LULL_MS);
    CHECK_STILL_OPEN(&c, 2 * INTERVAL_MS);
    CHECK_PINGS(&c, 1);
    CHECK_STILL_OPEN(&c, 2 * INTERVAL_MS - 100 + LULL_MS);
    CHECK_PINGS(&c, 2);
    cw__outbound_flush_locked(c.s);
    for (int64_t at_ms = 3 * INTERVAL_MS - 1; at_ms < 3 * INTERVAL_MS + PATIENCE_MS; at_ms += 100) {
        CHECK_STILL_OPEN(&c, at_ms);
        CHECK_PINGS(&c, 2);
        hear(&c, at_ms);
    }
    CHECK_DUE(&c, 3 * INTERVAL_MS + PATIENCE_MS);
    CHECK_STILL_OPEN(&c, 3 * INTERVAL_MS + PATIENCE_MS);
    CHECK_PINGS(&c, 3);
    CHECK_DUE(&c, 4 * INTERVAL_MS); /* delays do not add up */
    end(&c);
}

/* It finds a dead connection as idle does. */
static void test_ping_silent(void)
{
    course c;

    begin(&c, CW_KEEPALIVE_PING);
    CHECK_STILL_OPEN(&c, INTERVAL_MS);
    cw__outbound_flush_locked(c.s);
    c.s->settings.numbers[CW_OPT_PING_TIMEOUT] = 1000;
    c.s->pings.deadline_ms = c.zero_ms + INTERVAL_MS + 1000;
    CHECK_DUE(&c, INTERVAL_MS + 1000);
    c.s->pings.has_more = false;
    c.s->pings.acknowledged_bytes = INT64_MAX; /* nothing advances */
    CHECK(cw__pings_attend_locked(c.s, c.zero_ms + INTERVAL_MS + 1000));
    end(&c);
}

static void test_pong(void)
{
    course c;

    begin(&c, CW_KEEPALIVE_PONG);
    CHECK_DUE(&c, INTERVAL_MS);
    CHECK_INT(cw__pongs_interval_ms(c.s), INTERVAL_MS);
    hear(&c, INTERVAL_MS - 100);
    CHECK_DUE(&c, INTERVAL_MS - 100 + LULL_MS); /* no pong while data arrives */
    CHECK_STILL_OPEN(&c, INTERVAL_MS - 100 + LULL_MS);
    CHECK_INT(c.s->out.pong_count, 1);
    CHECK_PINGS(&c, 0);
    CHECK_INT(c.s->pings.deadline_ms, INT64_MAX); /* nothing answers a pong */
    c.s->settings.numbers[CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL] = 5000;
    cw__pings_start_locked(c.s, c.zero_ms);
    CHECK_DUE(&c, 5000);
    c.s->settings.numbers[CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL] = 1;
    CHECK_INT(cw__pongs_interval_ms(c.s), 1); /* any wanted interval counts */
    c.s->settings.numbers[CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL] = 0;
    c.s->settings.numbers[CW_OPT_PING_INTERVAL] = -1;
    cw__pings_start_locked(c.s, c.zero_ms);
    CHECK_NEVER_DUE(&c);
    end(&c);
}

static void test_off(void)
{
    course c;

    begin(&c, CW_KEEPALIVE_OFF);
    c.s->settings.numbers[CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL] = 5000;
    cw__pings_start_locked(c.s, c.zero_ms);
    CHECK_NEVER_DUE(&c);
    CHECK_STILL_OPEN(&c, 100 * INTERVAL_MS);
    CHECK(c.s->out.first == NULL);
    c.s->settings.numbers[CW_OPT_KEEPALIVE] = CW_KEEPALIVE_IDLE; /* both run side by side, as before */
    cw__pings_start_locked(c.s, c.zero_ms);
    CHECK_DUE(&c, 5000);
    CHECK_STILL_OPEN(&c, INTERVAL_MS);
    CHECK_PINGS(&c, 1);
    CHECK_INT(c.s->out.pong_count, 1);
    end(&c);
}

/* ---- What the peer gets ---- */

static void modes_over(cw_framing framing)
{
    static const struct {
        cw_keepalive mode;
        uint8_t opcode;
        int actual_ms;
    } modes[] = {{CW_KEEPALIVE_IDLE, CW__OP_PING, 0},
                 {CW_KEEPALIVE_PING, CW__OP_PING, 0},
                 {CW_KEEPALIVE_PONG, CW__OP_PONG, 5}};

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        cw_socket *s = socket_of_mode(modes[i].mode, 5);
        raw_peer p;

        CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, framing), CW_OK);
        CHECK_STATUS(cw_socket_set_text(s, CW_OPT_PING_PAYLOAD, "p", 1), CW_OK);
        CHECK_INT(actual_ms(s), 0);
        raw_open(&p, s);
        CHECK_INT(actual_ms(s), modes[i].actual_ms);
        for (int n = 0; n < 3; n++)
            RAW_EXPECT(&p, modes[i].opcode, "p", modes[i].opcode == CW__OP_PING);
        raw_finish(&p);
    }
}

static void test_modes(void) { modes_over(CW_FRAMING_AUTO); }
static void test_modes_curl(void) { modes_over(CW_FRAMING_CURL); }

/* Off, and the peer still gets answers to its pings. */
static void off_over(cw_framing framing)
{
    cw_socket *s = socket_of_mode(CW_KEEPALIVE_OFF, 1);
    raw_peer p;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, framing), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL, 1), CW_OK);
    raw_open(&p, s);
    CHECK_INT(actual_ms(s), 0);
    for (int n = 0; n < 3; n++) {
        RAW_SEND(&p, "\x89\x01q");
        RAW_EXPECT(&p, CW__OP_PONG, "q", 1);
    }
    raw_finish(&p);
}

static void test_off_answers(void)
{
    off_over(CW_FRAMING_AUTO);
    off_over(CW_FRAMING_CURL);
}

static void test_bad_mode(void)
{
    cw_socket *s = peer_socket(CW_STREAM_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_KEEPALIVE, 4), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "the control keepalive cannot be 4: it takes 0 to 3");
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_KEEPALIVE, -1), CW_INVALID_ARGUMENT);
    cw_socket_release(s);
}

/* ---- Latency ---- */

#define CHECK_LATENCY(s, last, minimum, mean, p99) \
    check_latency((s), (cw_latency){(last), (minimum), (mean), (p99)})

static void check_latency(cw_socket *s, cw_latency wanted)
{
    cw_latency is = {0, 0, 0, 0};

    CHECK_STATUS(cw_socket_get_latency(s, &is), CW_OK);
    CHECK_INT(is.last_us, wanted.last_us);
    CHECK_INT(is.minimum_us, wanted.minimum_us);
    CHECK_INT(is.mean_us, wanted.mean_us);
    CHECK_INT(is.p99_us, wanted.p99_us);
}

static void note(cw_socket *s, int64_t first_us, int64_t last_us, int step)
{
    cw__mutex_lock(&s->lock);
    for (int64_t us = first_us; us != last_us + step; us += step)
        cw__statistics_round_trip_locked(s, us);
    cw__mutex_unlock(&s->lock);
}

static void test_latency(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    cw_latency most;

    CHECK_LATENCY(s, CW_TIMING_NONE, CW_TIMING_NONE, CW_TIMING_NONE, CW_TIMING_NONE);
    note(s, 7, 7, 1);
    CHECK_LATENCY(s, 7, 7, 7, 7);
    note(s, 4, 4, 1);
    CHECK_LATENCY(s, 4, 4, 5, 7);
    note(s, 100, 3, -1); /* the latest 100 are 100 ... 3 after 7, 4 */
    CHECK_LATENCY(s, 3, 3, (98 * 103 / 2 + 11) / 100, 99);
    note(s, 1, 128, 1); /* those before are forgotten */
    CHECK_LATENCY(s, 128, 1, 64, 127);
    note(s, 1000, 1000, 1);
    CHECK_LATENCY(s, 1000, 2, (128 * 129 / 2 - 1 + 1000) / 128, 128);
    note(s, INT64_MAX - 1, INT64_MAX - 1, 1); /* 71 minutes are the most that it keeps */
    CHECK_STATUS(cw_socket_get_latency(s, &most), CW_OK);
    CHECK_INT(most.last_us, UINT32_MAX);
    cw_socket_release(s);
}

/* Every ping with its pong counts, those of keepalive too, and the numbers stay after the end. */
static void latency_over(cw_framing framing)
{
    cw_socket *s = socket_of_mode(CW_KEEPALIVE_PING, 1);
    cw_latency latency = {0, 0, 0, 0};

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, framing), CW_OK);
    peer_connect(s, peer_script("echo"));
    UNTIL(LOCKED(s, s->counts.round_trips) >= 2);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_NEVER, NULL), CW_OK);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK_STATUS(cw_socket_get_latency(s, &latency), CW_OK);
    CHECK(latency.minimum_us > 0 && latency.minimum_us <= latency.mean_us && latency.mean_us <= latency.p99_us);
    CHECK(latency.minimum_us <= latency.last_us);
    peer_finish(s);
}

static void test_latency_of_pings(void)
{
    latency_over(CW_FRAMING_AUTO);
    latency_over(CW_FRAMING_CURL);
}

static const harness_test tests[] = {
    {"RFC 6455 5.5.2: idle: data postpones the keepalive ping", test_idle},
    {"RFC 6455 5.5.2: ping: pings at every interval, also while data arrives", test_ping},
    {"ping: a silent peer is found", test_ping_silent},
    {"RFC 6455 5.5.3: pong: unsolicited pongs, and no pings", test_pong},
    {"off: no pings and no unsolicited pongs", test_off},
    {"RFC 6455 5.5.2, 5.5.3: what each mode sends", test_modes},
    {"RFC 6455 5.5.2, 5.5.3: what each mode sends by libcurl's framing", test_modes_curl},
    {"RFC 6455 5.5.2: off: the peer's pings are answered", test_off_answers},
    {"keepalive takes four modes", test_bad_mode},
    {"latency: last, minimum, mean and p99 of the latest 128 round trips", test_latency},
    {"RFC 6455 5.5.2: latency of pings with both framings", test_latency_of_pings},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

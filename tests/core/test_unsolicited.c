/* SPDX-License-Identifier: MIT */
/* Tests of two controls of ping.c: desired_unsolicited_pong_interval and ping_payload. test_unread.c tests that
 * unsolicited pongs lose no data. */
#include "raw_peer.h"

enum { LULL_MS = 250, INTERVAL_MS = 1000 };

static cw_socket *quiet_socket(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 0), CW_OK);
    return s;
}

/* ---- Unsolicited pongs ---- */

static int64_t actual_ms(cw_socket *s)
{
    int64_t interval_ms = -1;

    CHECK_STATUS(cw_socket_get_actual_pong_interval(s, &interval_ms), CW_OK);
    return interval_ms;
}

static unsigned queued_pongs(const cw_socket *s)
{
    unsigned count = 0;

    for (const cw__queued_frame *f = s->out.first; f; f = f->next) {
        count += f->opcode == CW__OP_PONG;
        CHECK_INT(f->len_bytes, 0);
    }
    CHECK_INT(count, s->out.pong_count);
    return count;
}

/* Takes the step that is due at a time, and checks how many pongs are queued then and when the next one is due. */
static void expect(cw_socket *s, int64_t zero_ms, int64_t at_ms, unsigned pongs, int64_t due_ms)
{
    CHECK(!cw__pings_attend_locked(s, zero_ms + at_ms));
    CHECK_INT(queued_pongs(s), pongs);
    CHECK_INT(cw__pings_due_locked(s) - zero_ms, due_ms);
}

/* Moves the clock. The service's own clock is far behind, so nothing is due for it. */
static void test_clock(void)
{
    raw_peer p;
    int64_t zero_ms = cw__now_ms() + INT32_MAX;
    cw_socket *s = quiet_socket();

    raw_open(&p, s);
    cw__mutex_lock(&s->lock);
    CHECK(cw__pings_due_locked(s) == INT64_MAX); /* off by default */
    s->settings.numbers[CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL] = INTERVAL_MS;
    cw__pings_start_locked(s, zero_ms);
    expect(s, zero_ms, 999, 0, 1000);
    expect(s, zero_ms, 1000, 1, 2000);
    expect(s, zero_ms, 2000, 1, 3000); /* the first one still waits, which is enough */
    cw__outbound_flush_locked(s);
    CHECK_INT(queued_pongs(s), 0);
    s->in.heard = CW__HEARD_MORE; /* data arrives, so the pong waits for a pause of CW__LULL_MS */
    cw__pings_heard_locked(s, zero_ms + 2900);
    expect(s, zero_ms, 3000, 0, 2900 + LULL_MS);
    expect(s, zero_ms, 2900 + LULL_MS, 1, 2900 + LULL_MS + INTERVAL_MS);
    cw__outbound_flush_locked(s);
    s->in.inbox.is_full = true; /* nothing is read, and nothing is sent */
    cw__pings_paused_locked(s);
    CHECK(cw__pings_due_locked(s) == INT64_MAX);
    CHECK(!cw__pings_attend_locked(s, zero_ms + 9000));
    s->in.inbox.is_full = false;
    cw__pings_resumed_locked(s, zero_ms + 9000);
    CHECK_INT(cw__pings_due_locked(s) - zero_ms, 9000 + LULL_MS);
    s->pings.is_behind = false; /* as after that time, in which nothing has arrived */
    s->settings.numbers[CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL] = -1; /* none, as 0 */
    cw__pings_start_locked(s, zero_ms);
    CHECK(cw__pings_due_locked(s) == INT64_MAX);
    s->settings.numbers[CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL] = INTERVAL_MS;
    cw__pings_start_locked(s, zero_ms);
    cw__pings_broken_locked(s, zero_ms);
    CHECK_INT(s->pings.pong_ms, INT64_MAX);
    cw__mutex_unlock(&s->lock);
    RAW_EXPECT(&p, CW__OP_PONG, "", 0);
    RAW_EXPECT(&p, CW__OP_PONG, "", 0);
    raw_finish(&p);
}

/* No memory for a pong: the connection goes on, and the next pong is sent. */
static void test_without_memory(void)
{
    raw_peer p;
    int64_t zero_ms = cw__now_ms() + INT32_MAX;
    cw_socket *s = quiet_socket();

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, CW_FRAMING_CURL),
                 CW_OK); /* it allocates nothing to read */
    raw_open(&p, s);
    cw__mutex_lock(&s->lock);
    s->settings.numbers[CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL] = INTERVAL_MS;
    cw__pings_start_locked(s, zero_ms);
    cw__alloc_fail_at(0);
    expect(s, zero_ms, 1000, 0, 2000);
    cw__alloc_fail_at(-1);
    expect(s, zero_ms, 2000, 1, 3000);
    CHECK_INT(s->close.state, CW__CLOSE_NONE);
    cw__outbound_flush_locked(s);
    cw__mutex_unlock(&s->lock);
    RAW_EXPECT(&p, CW__OP_PONG, "", 0);
    raw_finish(&p);
}

/* Both framings send pongs that nobody asked for, and nothing else. */
static void test_heartbeat(void)
{
    for (int framing = CW_FRAMING_AUTO; framing <= CW_FRAMING_CURL; framing++) {
        cw_socket *s = quiet_socket();
        raw_peer p;

        CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, framing), CW_OK);
        CHECK_STATUS(cw_socket_set_number(s, CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL, 5), CW_OK);
        CHECK_INT(actual_ms(s), 0);
        raw_open(&p, s);
        CHECK_INT(actual_ms(s), 5);
        for (int i = 0; i < 3; i++)
            RAW_EXPECT(&p, CW__OP_PONG, "", 0);
        CHECK_INT(LOCKED(s, s->pings.last_number), 0);
        CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
        CHECK_INT(actual_ms(s), 0);
        raw_finish(&p);
    }
}

static void test_actual(void)
{
    static const int64_t none[] = {0, -1};

    for (int i = 0; i < 2; i++) {
        cw_socket *s = quiet_socket();
        raw_peer p;

        CHECK_STATUS(cw_socket_set_number(s, CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL, none[i]), CW_OK);
        raw_open(&p, s);
        CHECK_INT(actual_ms(s), 0);
        raw_finish(&p);
    }
}

/* ---- ping_payload ---- */

typedef struct pinging {
    cw_socket *s;
    cw_status status;
    int64_t rtt_us;
    pthread_t thread;
} pinging;

static void *ping(void *arg)
{
    pinging *w = arg;

    w->status = cw_socket_ping(w->s, CW_TIMEOUT_NEVER, &w->rtt_us);
    return NULL;
}

static void begin_ping(pinging *w, cw_socket *s, unsigned waiting)
{
    *w = (pinging){.s = s, .rtt_us = -1};
    CHECK_INT(pthread_create(&w->thread, NULL, ping, w), 0);
    UNTIL(LOCKED(s, s->pings.waiting_count) == waiting);
}

static void end_ping(pinging *w)
{
    CHECK_INT(pthread_join(w->thread, NULL), 0);
    CHECK_STATUS(w->status, CW_OK);
    CHECK(w->rtt_us >= 0);
}

static void payload_over(int64_t framing)
{
    cw_socket *s = quiet_socket();
    pinging pings[2];
    raw_peer p;

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, framing), CW_OK);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_PING_PAYLOAD, "\0beat\xff", 6), CW_OK);
    raw_open(&p, s);
    RAW_SEND(&p, "\x8a\x06\0beat\xff"
                 "\x81\x01"
                 "z");
    CHECK_MESSAGE(s, CW_UTF8, "z", 1); /* the pong came before any ping */
    begin_ping(&pings[0], s, 1);
    begin_ping(&pings[1], s, 2);
    RAW_EXPECT(&p, CW__OP_PING, "\0beat\xff", 6);
    RAW_EXPECT(&p, CW__OP_PING, "\0beat\xff", 6);
    RAW_SEND(&p, "\x8a\x00"
                 "\x8a\x05\0beat"
                 "\x8a\x06\0beat!"
                 "\x8a\x08\0\0\0\0\0\0\0\x02"
                 "\x81\x01"
                 "a");
    UNTIL(LOCKED(s, s->in.inbox.first != NULL)); /* all bytes have been read */
    CHECK_INT(LOCKED(s, s->pings.waiting_count == 2 && !s->pings.waiting->is_answered), 1);
    RAW_SEND(&p, "\x8a\x06\0beat\xff"); /* a peer may answer only the latest ping */
    end_ping(&pings[0]);
    end_ping(&pings[1]);
    CHECK_MESSAGE(s, CW_UTF8, "a", 1);
    raw_finish(&p);
}

static void test_payload(void)
{
    payload_over(CW_FRAMING_AUTO);
    payload_over(CW_FRAMING_CURL);
}

/* The largest payload, in a keepalive ping. */
static void test_long_payload(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    uint8_t payload[126];
    raw_peer p;

    memset(payload, 'p', sizeof payload);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_PING_PAYLOAD, payload, 126), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(),
              "the control ping_payload cannot be 126 bytes long: it takes at most 125 bytes");
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_PING_PAYLOAD, payload, 125), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_PING_INTERVAL, 10), CW_OK);
    raw_open(&p, s);
    for (int i = 0; i < 2; i++)
        RAW_EXPECT(&p, CW__OP_PING, payload, 125);
    raw_finish(&p);
}

static const harness_test tests[] = {
    {"RFC 6455 5.5.3: when an unsolicited pong is due", test_clock},
    {"an unsolicited pong without memory", test_without_memory},
    {"unsolicited pongs with both framings", test_heartbeat},
    {"the actual interval without unsolicited pongs", test_actual},
    {"RFC 6455 5.5.3: which pong answers pings that are alike", test_payload},
    {"the largest payload of a ping", test_long_payload},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

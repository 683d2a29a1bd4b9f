/* SPDX-License-Identifier: MIT */
/* Ping: the pings of callers, which measure a round trip, and those of the service, which find out that a
 * connection is dead (RFC 6455 sections 5.5.2, 5.5.3). Every ping carries its number; a pong answers that ping
 * and all before it.
 *
 * Safety: under the socket's lock. The waiting pings are on their callers' stacks, which leave only after
 * taking theirs out. */
#include <string.h>
#ifdef __linux__
#include <linux/sockios.h>
#include <sys/ioctl.h>
#endif

#include "socket.h"

enum { WAITING_AT_MOST = 64, NUMBER_BYTES = 8, BROKEN_LIMIT_MS = 10000 };

static void put_number(uint64_t number, uint8_t out[NUMBER_BYTES])
{
    for (int i = 0; i < NUMBER_BYTES; i++)
        out[i] = (uint8_t)(number >> (8 * (NUMBER_BYTES - 1 - i)));
}

static bool send_ping(cw_socket *s)
{
    uint8_t payload[NUMBER_BYTES];

    put_number(s->pings.last_number + 1, payload);
    if (!cw__outbound_control_locked(s, CW__OP_PING, payload, sizeof payload, false))
        return false;
    s->pings.last_number++;
    return true;
}

void cw__pings_answered_locked(cw_socket *s, const uint8_t *payload, size_t len_bytes)
{
    uint64_t number = 0;
    int64_t now_us;

    if (len_bytes != NUMBER_BYTES) /* an unsolicited pong is no answer; that something came counts anyway */
        return;
    for (int i = 0; i < NUMBER_BYTES; i++)
        number = number << 8 | payload[i];
    if (number > s->pings.last_number)
        return;
    now_us = cw__now_us();
    for (cw__ping *p = s->pings.waiting; p; p = p->next)
        if (!p->is_answered && p->number <= number) {
            p->rtt_us = now_us - p->sent_us;
            p->is_answered = true;
        }
    cw__socket_changed_locked(s);
}

static void take_out(cw_socket *s, cw__ping *ping)
{
    cw__ping **place = &s->pings.waiting;

    while (*place != ping)
        place = &(*place)->next;
    *place = ping->next;
    s->pings.waiting_count--;
}

static cw_status wait_for_pong(cw_socket *s, cw__ping *ping, cw__wait *wait)
{
    cw_status status = CW_OK;

    while (status == CW_OK && !ping->is_answered && s->close.state == CW__CLOSE_NONE) {
        if (!s->in.receiver) /* nobody inside reads: the service shall, and now */
            cw__inbound_give_back_locked(s);
        status = cw__socket_wait_locked(s, wait);
    }
    if (ping->is_answered)
        return CW_OK;
    if (status == CW_TIMED_OUT)
        return cw__wait_timed_out(wait, "a pong", CW_OPT_PING_TIMEOUT);
    if (status == CW_INTERRUPTED)
        return cw__fail(CW_INTERRUPTED, "interrupted while waiting for a pong");
    return cw__closing_fail_locked(s);
}

static cw_status ping_locked(cw_socket *s, cw__wait *wait, int64_t *rtt_us)
{
    cw__ping ping = {.next = s->pings.waiting};
    cw_state state = cw__socket_state(s);
    cw_status status;

    if (state == CW_STATE_NEW || state == CW_STATE_CONNECTING)
        return cw__fail(CW_INVALID_STATE, state == CW_STATE_NEW
                                              ? "the socket is not connected: connect it first"
                                              : "the socket is still connecting: wait until it is open");
    if (state != CW_STATE_OPEN || s->out.is_broken)
        return cw__closing_fail_locked(s);
    if (s->pings.waiting_count >= WAITING_AT_MOST)
        return cw__fail(CW_WOULD_BLOCK, "%d pings wait for their pongs already", WAITING_AT_MOST);
    if (!send_ping(s))
        return cw__fail(CW_NO_MEMORY, "no memory for a ping");
    ping.number = s->pings.last_number;
    ping.sent_us = cw__now_us();
    s->pings.waiting = &ping;
    s->pings.waiting_count++;
    cw__outbound_flush_locked(s);
    status = wait_for_pong(s, &ping, wait);
    take_out(s, &ping);
    if (status == CW_OK && rtt_us)
        *rtt_us = ping.rtt_us;
    return status;
}

cw_status cw_socket_ping(cw_socket *s, int timeout_ms, int64_t *rtt_us)
{
    cw_status status = cw__socket_check(s);
    cw__wait wait;

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_PING_TIMEOUT));
    status = ping_locked(s, &wait, rtt_us);
    return cw__socket_leave_locked(s, &wait, status);
}

/* ---- Keepalive ---- */

static int64_t after(int64_t now_ms, int64_t ms) { return ms <= 0 ? INT64_MAX : now_ms + ms; }

/* Writing has failed: no more pings, and a limit for reading to find the end. */
void cw__pings_broken_locked(cw_socket *s, int64_t now_ms)
{
    s->pings.next_ms = INT64_MAX;
    s->pings.deadline_ms = now_ms + BROKEN_LIMIT_MS;
    s->in.is_heard = false;
}

void cw__pings_start_locked(cw_socket *s, int64_t now_ms)
{
    s->pings.next_ms = after(now_ms, cw__setting(s, CW_OPT_PING_INTERVAL));
    s->pings.deadline_ms = INT64_MAX;
}

/* Bytes that the peer's system has acknowledged, as far as it can be told: what was written less what the
 * kernel still holds. Over TLS it holds a little more than that; only growth is looked at. */
static void take_stock(cw_socket *s)
{
    int held = 0;

#ifdef SIOCOUTQ
    if (ioctl(s->fd, SIOCOUTQ, &held) != 0)
        held = 0;
#endif
    /* cppcheck-suppress knownConditionTrueFalse ; where there is SIOCOUTQ, it sets held */
    s->pings.has_more = held > 0 || s->out.first || s->out.is_direct;
    s->pings.acknowledged_bytes = (int64_t)s->out.progress_bytes - held;
}

/* Whether the ping was, at the last look, or may be still on its way behind other data, and that does get through:
 * an upload over a slow line takes longer than ping_timeout to leave the buffers, and the pong comes after it. */
static bool is_getting_through(cw_socket *s)
{
    int64_t before_bytes = s->pings.acknowledged_bytes;
    bool had_more = s->pings.has_more;

    take_stock(s);
    return (had_more || s->pings.has_more) && s->pings.acknowledged_bytes > before_bytes;
}

/* The verdict on silence. A socket that is not read, because its script is slow and its inbox full, hears
 * nothing and proves nothing; and bytes may wait that a suspended or starved process has not read yet. */
static bool is_silent(cw_socket *s)
{
    if (s->in.inbox.is_full)
        return false;
    if (!s->in.is_heard) {
        s->in.is_drained = false;
        cw__inbound_serve_locked(s);
        cw__socket_wake_locked(s); /* a thread that polls for what was read here would go on waiting */
    }
    return !s->in.is_heard && (s->out.is_broken || !is_getting_through(s));
}

/* What becomes of a deadline that has passed without a verdict of silence. */
static int64_t next_deadline(cw_socket *s, int64_t now_ms)
{
    bool is_answered = s->in.is_heard && !s->in.inbox.is_full;

    if (s->out.is_broken) {
        s->in.is_heard = false;
        return now_ms + BROKEN_LIMIT_MS;
    }
    return is_answered ? INT64_MAX : after(now_ms, cw__setting(s, CW_OPT_PING_TIMEOUT));
}

bool cw__pings_attend_locked(cw_socket *s, int64_t now_ms)
{
    if (s->close.state != CW__CLOSE_NONE)
        return false;
    if (now_ms >= s->pings.deadline_ms) {
        if (is_silent(s))
            return s->close.state == CW__CLOSE_NONE;
        s->pings.deadline_ms = next_deadline(s, now_ms);
    }
    if (now_ms >= s->pings.next_ms) {
        s->pings.next_ms = after(now_ms, cw__setting(s, CW_OPT_PING_INTERVAL));
        if (s->pings.deadline_ms != INT64_MAX)
            return false;
        take_stock(s); /* without the ping itself */
        if (send_ping(s)) {
            s->in.is_heard = false;
            s->pings.deadline_ms = after(now_ms, cw__setting(s, CW_OPT_PING_TIMEOUT));
        }
    }
    return false;
}

int64_t cw__pings_due_locked(const cw_socket *s)
{
    if (s->close.state != CW__CLOSE_NONE)
        return INT64_MAX;
    return s->pings.next_ms < s->pings.deadline_ms ? s->pings.next_ms : s->pings.deadline_ms;
}

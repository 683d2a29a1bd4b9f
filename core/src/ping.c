/* SPDX-License-Identifier: MIT */
/* Ping: the pings of callers, which measure a round trip, and those of the service, which find out that a
 * connection is dead (RFC 6455 sections 5.5.2, 5.5.3). Every ping carries its number; a pong answers that ping
 * and all before it.
 *
 * Safety: under the socket's lock. The waiting pings are on their callers' stacks, which leave only after
 * taking theirs out. */
#include <string.h>

#include "socket.h"

enum { WAITING_AT_MOST = 64, NUMBER_BYTES = 8 };

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

static cw_status wait_for_pong(cw_socket *s, cw__ping *ping, int timeout_ms)
{
    cw_status status = CW_OK;
    cw__wait wait;

    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_PING_TIMEOUT));
    while (status == CW_OK && !ping->is_answered && s->close.state == CW__CLOSE_NONE) {
        if (!s->in.receiver) /* nobody inside reads: the service shall, and now */
            cw__inbound_give_back_locked(s);
        status = cw__socket_wait_locked(s, &wait);
    }
    if (ping->is_answered)
        return CW_OK;
    if (status == CW_TIMED_OUT)
        return cw__fail(CW_TIMED_OUT, "no pong came in time");
    if (status == CW_INTERRUPTED)
        return cw__fail(CW_INTERRUPTED, "interrupted while waiting for a pong");
    return cw__closing_fail_locked(s);
}

static cw_status ping_locked(cw_socket *s, int timeout_ms, int64_t *rtt_us)
{
    cw__ping ping = {.next = s->pings.waiting};
    cw_state state = cw__socket_state(s);
    cw_status status;

    if (state == CW_STATE_NEW || state == CW_STATE_CONNECTING)
        return cw__fail(CW_INVALID_STATE, state == CW_STATE_NEW ? "connect first" : "still connecting");
    if (state != CW_STATE_OPEN)
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
    status = wait_for_pong(s, &ping, timeout_ms);
    take_out(s, &ping);
    if (status == CW_OK && rtt_us)
        *rtt_us = ping.rtt_us;
    return status;
}

cw_status cw_socket_ping(cw_socket *s, int timeout_ms, int64_t *rtt_us)
{
    cw_status status = cw__socket_check(s);

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = ping_locked(s, timeout_ms, rtt_us);
    cw__mutex_unlock(&s->lock);
    return status;
}

/* ---- Keepalive ---- */

static int64_t after(int64_t now_ms, int64_t ms) { return ms < 0 ? INT64_MAX : now_ms + ms; }

void cw__pings_start_locked(cw_socket *s, int64_t now_ms)
{
    s->pings.next_ms = after(now_ms, cw__setting(s, CW_OPT_PING_INTERVAL));
    s->pings.deadline_ms = INT64_MAX;
}

/* The verdict on silence. A socket that is not read, because its script is slow and its inbox full, hears
 * nothing and proves nothing; and bytes may wait that a suspended or starved process has not read yet. */
static bool is_silent(cw_socket *s, int64_t now_ms)
{
    if (s->in.inbox.is_full) {
        s->pings.deadline_ms = after(now_ms, cw__setting(s, CW_OPT_PING_TIMEOUT));
        return false;
    }
    if (!s->in.is_heard) {
        s->in.is_drained = false;
        cw__inbound_serve_locked(s);
    }
    return !s->in.is_heard;
}

bool cw__pings_attend_locked(cw_socket *s, int64_t now_ms)
{
    if (s->close.state != CW__CLOSE_NONE)
        return false;
    if (now_ms >= s->pings.deadline_ms) {
        if (is_silent(s, now_ms))
            return s->close.state == CW__CLOSE_NONE;
        if (now_ms >= s->pings.deadline_ms)
            s->pings.deadline_ms = INT64_MAX;
    }
    if (now_ms >= s->pings.next_ms) {
        s->pings.next_ms = after(now_ms, cw__setting(s, CW_OPT_PING_INTERVAL));
        if (s->pings.deadline_ms == INT64_MAX && send_ping(s)) {
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

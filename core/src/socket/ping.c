/* SPDX-License-Identifier: MIT */
/* Ping: sends the pings of callers and of the service (RFC 6455 sections 5.5.2, 5.5.3). A caller's ping measures
 * a round trip. The service's pings find a dead connection. Each ping has a number, which is its payload unless
 * ping_payload is set. A pong answers the ping with its number and all earlier pings. The service also sends
 * pongs that no ping asked for. pong.c keeps the clocks.
 *
 * Safety: under the socket's lock. A waiting ping is on the stack of its caller, which removes it before it returns,
 * or in a cw_ping (pinging.c). */
#include <string.h>

#include "socket.h"

enum {
    WAITING_AT_MOST = 64,
    PATIENCE_MS = 1000 /* how long a ping of CW_KEEPALIVE_PING waits for a pause */
};

static void put_number(uint64_t number, uint8_t out[CW__PING_NUMBER_BYTES])
{
    for (int i = 0; i < CW__PING_NUMBER_BYTES; i++)
        out[i] = (uint8_t)(number >> (8 * (CW__PING_NUMBER_BYTES - 1 - i)));
}

static bool send_ping(cw_socket *s)
{
    uint8_t number[CW__PING_NUMBER_BYTES];
    size_t own_bytes = (size_t)cw__setting(s, CW_OPT_PING_PAYLOAD);
    const uint8_t *payload = own_bytes ? (const uint8_t *)cw__setting_text(s, CW_OPT_PING_PAYLOAD) : number;

    put_number(s->pings.last_number + 1, number);
    if (!cw__queue_control_locked(s, CW__OP_PING, payload, own_bytes ? own_bytes : sizeof number, false))
        return false;
    s->pings.last_number++;
    s->pings.last_us = cw__now_us();
    return true;
}

void cw__pings_take_out_locked(cw_socket *s, cw__ping *ping)
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
        /* If no caller reads the connection, give it to the service thread now, not after 10 ms. */
        if (!s->in.receiver)
            cw__inbound_give_back_locked(s);
        status = cw__socket_wait_locked(s, wait);
    }
    if (ping->is_answered)
        return CW_OK;
    if (status == CW_TIMED_OUT)
        return cw__wait_timed_out(wait, "a pong", CW_OPT_PING_TIMEOUT);
    if (status == CW_INTERRUPTED)
        return cw__fail(CW_INTERRUPTED, "interrupted while waiting for a pong: ping again");
    return cw__closing_fail_locked(s);
}

cw_status cw__pings_begin_locked(cw_socket *s, cw__ping *ping)
{
    cw_status status = cw__socket_check_connected(s);

    if (status != CW_OK)
        return status;
    if (cw__socket_state(s) != CW_STATE_OPEN || s->out.is_broken)
        return cw__closing_fail_locked(s);
    if (s->pings.waiting_count >= WAITING_AT_MOST)
        return cw__fail(CW_WOULD_BLOCK,
                        "%d pings already wait for their pongs: ping again when a pong has arrived",
                        WAITING_AT_MOST);
    if (!send_ping(s))
        return cw__fail(CW_NO_MEMORY, "no memory for a ping: free memory and call again");
    *ping = (cw__ping){.next = s->pings.waiting, .number = s->pings.last_number, .sent_us = s->pings.last_us};
    s->pings.waiting = ping;
    s->pings.waiting_count++;
    cw__outbound_flush_locked(s);
    return CW_OK;
}

static cw_status ping_locked(cw_socket *s, cw__wait *wait, int64_t *rtt_us)
{
    cw__ping ping = {0};
    cw_status status = cw__pings_begin_locked(s, &ping);

    if (status != CW_OK)
        return status;
    status = wait_for_pong(s, &ping, wait);
    cw__pings_take_out_locked(s, &ping);
    if (status == CW_OK && rtt_us)
        *rtt_us = ping.rtt_us;
    return status;
}

cw_status cw_socket_ping(cw_socket *s, int timeout_ms, int64_t *rtt_us)
{
    cw_status status = cw__socket_check(s);
    cw__wait wait;

    if (rtt_us)
        *rtt_us = 0;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    cw__wait_begin(&wait, timeout_ms, cw__setting(s, CW_OPT_PING_TIMEOUT));
    status = ping_locked(s, &wait, rtt_us);
    return cw__socket_leave_locked(s, &wait, status);
}

/* ---- Keepalive ----
 *
 * The service thread sends a ping ping_interval after the last ping or the last byte of data, whichever is later. A peer that
 * sends is alive, and if it has closed TCP, a ping would destroy the data that is still on its way (pong.c). Pongs do
 * not postpone a ping.
 *
 * After a full inbox the peer's kernel may still hold data (pong.c). So a ping then also waits until nothing has arrived
 * for CW__LULL_MS, even if ping_interval is shorter.
 *
 * With CW_KEEPALIVE_PING data does not postpone pings. A ping that is due while data arrives waits until nothing has
 * arrived for CW__LULL_MS, but only for PATIENCE_MS: the program wants these pings.
 *
 * The connection counts as lost if no byte arrives for ping_timeout after the first ping that follows the last byte.
 * That is at most ping_interval + ping_timeout after the byte. While the inbox is full nothing is read, so there are
 * no pings and the connection does not count as lost. Both clocks start again when reading resumes. */

/* Notes how many bytes the peer's system has acknowledged, as far as our system can tell: written bytes less those
 * that the kernel holds. Over TLS the kernel holds a little more, but only growth is compared. */
static void take_stock(cw_socket *s)
{
    int held = cw__link_unacknowledged(s->codec->link);

    s->pings.has_more = held > 0 || s->out.first || s->out.sending == CW__SENDING_DIRECTLY;
    s->pings.acknowledged_bytes = (int64_t)s->out.progress_bytes - held;
}

/* Notes the acknowledged bytes again. Returns true if the ping may still be behind other data, and that data makes
 * progress. An upload over a slow line can take longer than ping_timeout to leave the buffers, and the pong comes only
 * after it. */
static bool take_stock_of_progress(cw_socket *s)
{
    int64_t before_bytes = s->pings.acknowledged_bytes;
    bool had_more = s->pings.has_more;

    take_stock(s);
    return (had_more || s->pings.has_more) && s->pings.acknowledged_bytes > before_bytes;
}

/* Reads the bytes that have arrived, before the clocks are checked. A suspended or starved process may not have read
 * them yet, or the kernel may hold them back until more arrive (codec.h: await). */
static void listen(cw_socket *s, int64_t now_ms)
{
    s->codec->is_dry = false; /* ask the kernel, whatever the latest read has found */
    s->in.is_drained = false;
    cw__inbound_serve_locked(s);
    cw__pings_heard_locked(s, now_ms);
    /* a thread that polls would otherwise go on waiting for the bytes that were read here */
    cw__socket_wake_locked(s);
}

/* Returns whether a ping is queued. While a ping waits behind an upload, no second ping is queued. */
static bool is_ping_queued(const cw_socket *s)
{
    for (const cw__queued_frame *f = s->out.first; f; f = f->next)
        if (f->opcode == CW__OP_PING)
            return true;
    return false;
}

/* Returns when the next ping is to be sent; INT64_MAX = never. */
static int64_t ping_due_ms(const cw_socket *s)
{
    int64_t next_ms = s->pings.next_ms, lull_ms = s->pings.heard_ms + s->pings.lull_ms;

    if (next_ms == INT64_MAX || lull_ms <= next_ms)
        return next_ms;
    if (cw__setting(s, CW_OPT_KEEPALIVE) != CW_KEEPALIVE_PING)
        return s->pings.is_behind ? lull_ms : next_ms;
    return lull_ms < next_ms + PATIENCE_MS ? lull_ms : next_ms + PATIENCE_MS;
}

static void keep_alive(cw_socket *s, int64_t now_ms)
{
    int64_t interval_ms = cw__pings_interval_ms(s);

    /* The interval runs from due time to due time, so that delays do not add up. */
    s->pings.next_ms =
        cw__pings_after(now_ms - s->pings.next_ms < interval_ms ? s->pings.next_ms : now_ms, interval_ms);
    if (s->pings.deadline_ms == INT64_MAX)
        take_stock(s); /* before the ping is sent, so that the ping is not counted */
    if (!is_ping_queued(s) && !send_ping(s))
        return;
    if (s->pings.deadline_ms == INT64_MAX)
        s->pings.deadline_ms = cw__pings_after(now_ms, cw__setting(s, CW_OPT_PING_TIMEOUT));
}

/* ---- Unsolicited pongs (RFC 6455 section 5.5.3) ----
 *
 * They show the peer that we are alive, and keep the routers between us open. Nothing answers them, so they find no dead
 * connection. Their clock is independent of the keepalive pings.
 *
 * Like a ping, such a pong must not destroy data that a peer that has closed TCP left on its way (pong.c). So it waits
 * until nothing has arrived for CW__LULL_MS. */

/* Returns INT64_MAX (never) if there are none. */
static int64_t unsolicited_due_ms(const cw_socket *s)
{
    int64_t lull_ms = s->pings.heard_ms + s->pings.lull_ms;

    return s->pings.pong_ms > lull_ms ? s->pings.pong_ms : lull_ms;
}

static void send_unsolicited(cw_socket *s, int64_t now_ms)
{
    s->pings.pong_ms = cw__pings_after(now_ms, cw__pongs_interval_ms(s));
    if (s->out.pong_count == 0) /* a pong that still waits to be written does the same */
        (void)cw__queue_control_locked(s, CW__OP_PONG, NULL, 0,
                                       false); /* without memory, the next one follows */
}

cw_status cw_socket_get_actual_pong_interval(cw_socket *s, int64_t *interval_ms)
{
    cw_status status = cw__socket_check(s);
    int64_t wanted_ms;

    *interval_ms = 0;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    wanted_ms = cw__pongs_interval_ms(s);
    if (s->codec && s->close.state == CW__CLOSE_NONE && !s->out.is_broken && wanted_ms > 0)
        *interval_ms = wanted_ms;
    cw__mutex_unlock(&s->lock);
    return CW_OK;
}

/* ---- The service's calls ---- */

bool cw__pings_attend_locked(cw_socket *s, int64_t now_ms)
{
    if (now_ms < cw__pings_due_locked(s))
        return false;
    listen(s, now_ms);
    if (s->close.state != CW__CLOSE_NONE || s->in.inbox.is_full)
        return false;
    cw__pings_lulled_locked(s, now_ms);
    if (!cw__pings_pay_locked(s)) {
        cw__closing_no_memory_locked(s, "no memory for a pong: free memory and connect again");
        return false;
    }
    if (now_ms >= s->pings.deadline_ms) {
        if (s->out.is_broken || !take_stock_of_progress(s))
            return true;
        s->pings.deadline_ms = cw__pings_after(now_ms, cw__setting(s, CW_OPT_PING_TIMEOUT));
    }
    if (now_ms >= ping_due_ms(s))
        keep_alive(s, now_ms);
    if (now_ms >= unsolicited_due_ms(s))
        send_unsolicited(s, now_ms);
    return false;
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t cw__pings_due_locked(const cw_socket *s)
{
    int64_t pong_ms = unsolicited_due_ms(s);

    if (s->close.state != CW__CLOSE_NONE || s->in.inbox.is_full)
        return INT64_MAX;
    if (s->pings.is_behind)
        pong_ms = earlier(pong_ms, s->pings.heard_ms + s->pings.lull_ms);
    pong_ms = earlier(pong_ms, cw__pongs_due_locked(s));
    return earlier(pong_ms, earlier(ping_due_ms(s), s->pings.deadline_ms));
}

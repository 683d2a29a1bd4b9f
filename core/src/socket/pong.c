/* SPDX-License-Identifier: MIT */
/* Pong: handles the peer's pings and pongs (RFC 6455 sections 5.5.2, 5.5.3). It decides when our pongs go out, and
 * keeps the clocks of keepalive. ping.c sends our pings and checks the clocks.
 *
 * Safety: under the socket's lock. */
#include <string.h>

#include "socket.h"

enum {
    BROKEN_LIMIT_MS = 10000,
    OWED_AT_MOST = 16,
    ENOUGH_BYTES = 16 * 1024 * 1024,
    LATE_AT_MOST_MS = 5000, /* a peer that is alive should not wait much longer for its pong */
    WAIT_AT_MOST_MS = 5000  /* shorter than servers wait for a pong, mostly 10 s and more */
};

/* ---- Pongs ----
 *
 * A peer that has fully closed its end of TCP answers any byte from us with RST. Its kernel then drops the data that
 * it still had for us. We cannot tell such a peer from a peer that still sends. So a pong waits:
 * - while the inbox is full. Nothing is read then. The peer may have sent everything, waited for our close frame in
 *   vain, and gone.
 * - until all bytes after the ping have been read. After a full inbox this is not enough, because the peer's kernel
 *   may hold megabytes behind a closed window. Then the pong also waits until nothing has arrived for CW__LULL_MS, and
 *   longer if we have read late.
 *   Only a look at the kernel shows that. Bytes that are read after a pause may have arrived at any time during it,
 *   because the pause may be our own: the process was suspended, or its threads were starved.
 * - but no longer than for ENOUGH_BYTES. That is more than the kernels of both ends hold by default (Linux: 6 MiB
 *   and 4 MiB). So the peer wrote later bytes after we had read its ping: it is alive and may want its pong.
 * - and no longer than for WAIT_AT_MOST_MS in which bytes arrive without such a pause, if we have read them all. A feed
 *   that always sends would otherwise never get its pong after the inbox was full once, and its server would drop us.
 *   Only a peer that has closed TCP, behind a line so slow that its kernel still sends, loses data then.
 * Without a backlog nothing is unread, and the pong goes out at once.
 *
 * Our close frames need no such rule. We answer the peer's close frame when everything before that frame has been
 * read. Nothing after that frame has a meaning (RFC 6455 section 5.5.1). After our own close, or after the peer
 * broke a rule, calls return no more messages. The messages in the inbox are in our memory, where no RST drops them. */

void cw__pings_forget(cw__pings *pings)
{
    while (pings->owed) {
        cw__pong *p = pings->owed;
        pings->owed = p->next;
        cw__free(p);
    }
    pings->owed_count = 0;
    pings->owed_bytes = 0;
}

bool cw__pings_owe_locked(cw_socket *s, const uint8_t *payload, size_t len_bytes)
{
    cw__pong **place = &s->pings.owed;

    /* After our close no more messages are returned, so the pong need not wait. */
    if (s->close.state != CW__CLOSE_NONE)
        return cw__queue_control_locked(s, CW__OP_PONG, payload, len_bytes, false);
    while (*place && (s->pings.owed_count < OWED_AT_MOST || (*place)->next))
        place = &(*place)->next;
    if (!s->pings.owed)
        s->pings.owed_ms = cw__now_ms();
    if (!*place) {
        if (!(*place = cw__calloc(1, sizeof **place)))
            return false;
        s->pings.owed_count++;
    } /* otherwise the new pong replaces the newest one (RFC 6455 section 5.5.3 allows it) */
    (*place)->len_bytes = (uint8_t)len_bytes;
    if (len_bytes)
        memcpy((*place)->data, payload, len_bytes);
    return true;
}

bool cw__pings_pay_all_locked(cw_socket *s)
{
    bool is_sent = true;

    for (const cw__pong *p = s->pings.owed; p && is_sent && !s->out.is_broken; p = p->next)
        is_sent = cw__queue_control_locked(s, CW__OP_PONG, p->data, p->len_bytes, false);
    cw__pings_forget(&s->pings);
    return is_sent;
}

int64_t cw__pongs_due_locked(const cw_socket *s)
{
    if (!s->pings.owed || s->in.inbox.is_full)
        return INT64_MAX;
    if (s->pings.owed_bytes >= ENOUGH_BYTES)
        return 0;
    if (!s->in.is_drained)
        return INT64_MAX;
    return s->pings.is_behind ? s->pings.owed_ms + WAIT_AT_MOST_MS : 0;
}

bool cw__pings_pay_locked(cw_socket *s)
{
    int64_t due_ms = cw__pongs_due_locked(s);

    return due_ms == INT64_MAX || (due_ms > 0 && due_ms > cw__now_ms()) || cw__pings_pay_all_locked(s);
}

/* If our kernel had no room for a segment, the peer's kernel sends it again, after pauses that double: 0.2 s, 0.4 s, 0.8 s.
 * So the next pause may be as long as the time for which that kernel had been waiting when we made room. */
static int64_t late_ms(const cw_socket *s, int64_t now_ms)
{
    int64_t waited_ms = cw__link_silent_ms(s->codec->link) - (now_ms - s->pings.heard_ms);

    return waited_ms < 0 ? 0 : waited_ms < LATE_AT_MOST_MS ? waited_ms : LATE_AT_MOST_MS;
}

void cw__pings_lulled_locked(cw_socket *s, int64_t now_ms)
{
    if (!s->pings.is_behind || !s->in.is_drained || now_ms - s->pings.heard_ms < s->pings.lull_ms)
        return;
    if (s->pings.lull_ms == CW__LULL_MS)
        s->pings.lull_ms += late_ms(s, now_ms);
    if (now_ms - s->pings.heard_ms < s->pings.lull_ms)
        return;
    s->pings.is_behind = false;
    s->pings.lull_ms = CW__LULL_MS;
}

/* ---- Our pings ---- */

/* Returns the number of the latest ping that a pong answers; 0 = none. With ping_payload all pings are alike. A peer may
 * answer only the latest ping, so a pong then counts for all of them. */
static uint64_t answered_number(const cw_socket *s, const uint8_t *payload, size_t len_bytes)
{
    size_t own_bytes = (size_t)cw__setting(s, CW_OPT_PING_PAYLOAD);
    uint64_t number = 0;

    if (own_bytes) {
        bool is_ours =
            len_bytes == own_bytes && memcmp(payload, cw__setting_text(s, CW_OPT_PING_PAYLOAD), own_bytes) == 0;
        return is_ours ? s->pings.last_number : 0;
    }
    if (len_bytes != CW__PING_NUMBER_BYTES)
        return 0;
    for (int i = 0; i < CW__PING_NUMBER_BYTES; i++)
        number = number << 8 | payload[i];
    return number > s->pings.last_number ? 0 : number;
}

void cw__pings_answered_locked(cw_socket *s, const uint8_t *payload, size_t len_bytes)
{
    uint64_t number = answered_number(s, payload, len_bytes);
    int64_t now_us;

    /* An unsolicited pong is no answer, but it counts as a sign of life. */
    if (number == 0)
        return;
    now_us = cw__now_us();
    if (number == s->pings.last_number && s->pings.last_us != 0) {
        cw__statistics_round_trip_locked(s, now_us - s->pings.last_us);
        s->pings.last_us = 0;
    }
    for (cw__ping *p = s->pings.waiting; p; p = p->next)
        if (!p->is_answered && p->number <= number) {
            p->rtt_us = now_us - p->sent_us;
            p->is_answered = true;
            if (p->is_started)
                cw__socket_post_locked(s, CW_EVENT_PONG);
        }
    cw__socket_changed_locked(s);
}

void cw__pings_failed_locked(cw_socket *s)
{
    for (const cw__ping *p = s->pings.waiting; p; p = p->next)
        if (p->is_started && !p->is_answered)
            cw__socket_post_locked(s, CW_EVENT_PONG);
}

/* ---- The clocks of keepalive (ping.c says what they are for) ---- */

int64_t cw__pings_interval_ms(const cw_socket *s)
{
    int64_t mode = cw__setting(s, CW_OPT_KEEPALIVE);

    return mode == CW_KEEPALIVE_IDLE || mode == CW_KEEPALIVE_PING ? cw__setting(s, CW_OPT_PING_INTERVAL) : 0;
}

int64_t cw__pongs_interval_ms(const cw_socket *s)
{
    int64_t mode = cw__setting(s, CW_OPT_KEEPALIVE);
    int64_t desired_ms = cw__setting(s, CW_OPT_DESIRED_UNSOLICITED_PONG_INTERVAL);

    if (mode == CW_KEEPALIVE_OFF)
        return 0;
    return mode == CW_KEEPALIVE_PONG && desired_ms <= 0 ? cw__setting(s, CW_OPT_PING_INTERVAL) : desired_ms;
}

/* Starts the clocks again, because bytes have arrived, or because reading had stopped. */
static void restart(cw_socket *s, int64_t now_ms, bool postpones_ping)
{
    if (now_ms - s->pings.heard_ms >= CW__LULL_MS) /* this pause may be our own, and the bytes from before it */
        s->pings.owed_ms = now_ms;
    s->pings.heard_ms = now_ms;
    s->pings.lull_ms = CW__LULL_MS;
    s->pings.deadline_ms = s->out.is_broken ? now_ms + BROKEN_LIMIT_MS : INT64_MAX;
    if (postpones_ping && !s->out.is_broken)
        s->pings.next_ms = cw__pings_after(now_ms, cw__pings_interval_ms(s));
    s->in.heard = CW__HEARD_NOTHING;
}

void cw__pings_broken_locked(cw_socket *s, int64_t now_ms)
{
    s->pings.next_ms = INT64_MAX;
    s->pings.pong_ms = INT64_MAX;
    restart(s, now_ms, false);
}

void cw__pings_start_locked(cw_socket *s, int64_t now_ms)
{
    restart(s, now_ms, true);
    s->pings.pong_ms = cw__pings_after(now_ms, cw__pongs_interval_ms(s));
}

void cw__pings_heard_locked(cw_socket *s, int64_t now_ms)
{
    if (s->in.heard != CW__HEARD_NOTHING)
        restart(s, now_ms,
                s->in.heard == CW__HEARD_MORE && cw__setting(s, CW_OPT_KEEPALIVE) != CW_KEEPALIVE_PING);
}

void cw__pings_paused_locked(cw_socket *s) { s->pings.is_paused = true; }

/* A full inbox is not always a pause: a single large message fills it until a caller takes the message. */
void cw__pings_resumed_locked(cw_socket *s, int64_t now_ms)
{
    if (s->pings.is_paused || s->in.reader == CW__READER_SERVICE)
        cw__socket_attend_locked(s); /* the service thread then also reads bytes that libcurl holds */
    if (!s->pings.is_paused)
        return;
    s->pings.is_paused = false;
    s->pings.is_behind = true;
    restart(s, now_ms, true);
    s->pings.owed_ms = now_ms;
}

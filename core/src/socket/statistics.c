/* SPDX-License-Identifier: MIT */
/* Statistics: what curlwire has counted for a socket, and for the process. Each socket counts for itself, where its lock is
 * held anyway. The sums of the process are made when they are read: from the sockets that are in the list here, and from
 * what the sockets left behind that have been freed.
 *
 * Locks: `all.lock` guards the list, and comes before the lock of a socket. So no function that takes it may be called
 * under the lock of a socket. The counts of codes and statuses are atomic and need no lock. */
#include <stdlib.h>
#include <string.h>

#include "socket.h"

enum {
    CODES = 5000, /* close codes are less than this number */
    STATUSES = 600
};

static struct statistics {
    cw__mutex lock;
    cw_socket *first;
    cw_statistics freed; /* the sums over the sockets that have left the list */
    int enrolment;       /* grows with each fork, since a child has a list of its own */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .enrolment = 1};

static atomic_uint_fast64_t closed[CODES], failed[STATUSES];
static atomic_uint_fast64_t last_us; /* the latest round trip of any socket */

/* ---- Counting ---- */

static void count(atomic_uint_fast64_t *counts, int most, int number)
{
    if (number >= 0 && number < most)
        (void)atomic_fetch_add_explicit(&counts[number], 1, memory_order_relaxed);
}

void cw__statistics_disconnected_locked(cw_socket *s)
{
    s->counts.wire_bytes_sent = cw__link_sent_bytes(s->codec->link);
    s->counts.wire_bytes_received = cw__link_received_bytes(s->codec->link);
}

void cw__statistics_failed_locked(cw_socket *s)
{
    s->counts.failed_connects++;
    count(failed, STATUSES, s->connect_error.web_status);
}

void cw__statistics_ended_locked(cw_socket *s)
{
    s->counts.ended_connections++;
    count(closed, CODES, s->close.result.code);
}

void cw__statistics_round_trip_locked(cw_socket *s, int64_t rtt_us)
{
    cw__counts *c = &s->counts;
    uint64_t us = rtt_us > 1 ? (uint64_t)rtt_us : 1;

    if (c->round_trips == 0 || us < c->round_trip_least_us)
        c->round_trip_least_us = us;
    if (us > c->round_trip_most_us)
        c->round_trip_most_us = us;
    c->round_trips_us[c->round_trips % CW_LATENCY_ROUND_TRIPS] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    c->round_trips++;
    c->round_trip_sum_us += us;
    c->round_trip_last_us = us;
    atomic_store_explicit(&last_us, us, memory_order_relaxed);
}

/* ---- Reading ---- */

static void set_mean(cw_statistics *out)
{
    out->round_trip_mean_us = out->round_trips ? out->round_trip_sum_us / out->round_trips : 0;
}

static void read_frames(const cw_socket *s, cw_statistics *out)
{
    const uint64_t *sent = s->counts.frames_sent, *received = s->in.message.frames;

    out->text_frames_sent = sent[CW__OP_TEXT];
    out->binary_frames_sent = sent[CW__OP_BINARY];
    out->continuation_frames_sent = sent[CW__OP_CONTINUATION];
    out->close_frames_sent = sent[CW__OP_CLOSE];
    out->pings_sent = sent[CW__OP_PING];
    out->pongs_sent = sent[CW__OP_PONG];
    out->text_frames_received = received[CW__OP_TEXT];
    out->binary_frames_received = received[CW__OP_BINARY];
    out->continuation_frames_received = received[CW__OP_CONTINUATION];
    out->close_frames_received = received[CW__OP_CLOSE];
    out->pings_received = received[CW__OP_PING];
    out->pongs_received = received[CW__OP_PONG];
}

/* Reads the numbers of a socket. Needs its lock, or a socket that no other thread has. */
static void read_socket(const cw_socket *s, cw_statistics *out)
{
    const cw__counts *c = &s->counts;

    *out = (cw_statistics){
        .size_bytes = sizeof *out,
        .open_sockets = cw__socket_state(s) == CW_STATE_OPEN,
        .connecting_sockets = cw__socket_state(s) == CW_STATE_CONNECTING,
        .connects = s->framing != NULL, /* a socket connects once */
        .failed_connects = c->failed_connects,
        .ended_connections = c->ended_connections,
        .text_messages_sent = c->messages_sent[CW_UTF8],
        .binary_messages_sent = c->messages_sent[CW_BINARY],
        .text_messages_received = c->messages_received[CW_UTF8],
        .binary_messages_received = c->messages_received[CW_BINARY],
        .bytes_sent = c->bytes_sent,
        .bytes_received = c->bytes_received,
        .wire_bytes_sent = s->codec ? cw__link_sent_bytes(s->codec->link) : c->wire_bytes_sent,
        .wire_bytes_received = s->codec ? cw__link_received_bytes(s->codec->link) : c->wire_bytes_received,
        .round_trips = c->round_trips,
        .round_trip_sum_us = c->round_trip_sum_us,
        .round_trip_last_us = c->round_trip_last_us,
        .round_trip_least_us = c->round_trip_least_us,
        .round_trip_most_us = c->round_trip_most_us,
        .send_queue_bytes = s->out.data_bytes,
        .send_queue_bytes_most = c->send_queue_bytes_most,
        .receive_queue_bytes = s->in.inbox.bytes,
        .receive_queue_bytes_most = s->in.inbox.most_bytes,
        .lost_bytes = s->out.lost_bytes,
        .lost_trace_lines = cw__tracing_lost(s),
    };
    read_frames(s, out);
    set_mean(out);
}

static void add_NOW(uint64_t *sum, uint64_t number) { *sum += number; }
static void add_TOTAL(uint64_t *sum, uint64_t number) { *sum += number; }
static void add_MOST(uint64_t *most, uint64_t number) { *most = number > *most ? number : *most; }
static void add_LAST(const uint64_t *last, uint64_t number) { (void)last, (void)number; }
static void add_MEAN(const uint64_t *mean, uint64_t number) { (void)mean, (void)number; }

/* 0 means that there is no least number yet; each round trip counts as at least 1. */
static void add_LEAST(uint64_t *least, uint64_t number)
{
    if (number > 0 && (*least == 0 || number < *least))
        *least = number;
}

/* Adds the numbers of a socket to sums. */
static void add(cw_statistics *sums, const cw_statistics *one)
{
#define CW_X(member, key, kind, unit, text) add_##kind(&sums->member, one->member);
    CW_STATISTICS_LIST(CW_X)
#undef CW_X
}

/* Sets the members that a caller's struct has, and its size. */
static cw_status hand_out(const cw_statistics *numbers, cw_statistics *out)
{
    size_t size_bytes = out->size_bytes;

    if (size_bytes < sizeof out->size_bytes)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "size_bytes of the statistics is %zu: set it to the size of the struct", size_bytes);
    memcpy(out, numbers, size_bytes < sizeof *numbers ? size_bytes : sizeof *numbers);
    out->size_bytes = size_bytes;
    return CW_OK;
}

cw_status cw_socket_get_statistics(cw_socket *s, cw_statistics *out)
{
    cw_statistics numbers = {0};
    cw_status status = hand_out(&numbers, out);

    if (status == CW_OK)
        status = cw__socket_check(s);
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    read_socket(s, &numbers);
    cw__mutex_unlock(&s->lock);
    return hand_out(&numbers, out);
}

cw_status cw_get_statistics(cw_statistics *out)
{
    cw_statistics sums, one;

    cw__mutex_lock(&all.lock);
    sums = all.freed;
    for (cw_socket *s = all.first; s; s = s->next_counted) {
        cw__mutex_lock(&s->lock);
        read_socket(s, &one);
        cw__mutex_unlock(&s->lock);
        add(&sums, &one);
    }
    cw__mutex_unlock(&all.lock);
    sums.round_trip_last_us = atomic_load_explicit(&last_us, memory_order_relaxed);
    set_mean(&sums);
    return hand_out(&sums, out);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Sorts the round trips. */
static void summarize(uint32_t *round_trips_us, size_t count, cw_latency *out)
{
    uint64_t sum_us = 0;

    for (size_t i = 0; i < count; i++)
        sum_us += round_trips_us[i];
    qsort(round_trips_us, count, sizeof *round_trips_us, compare);
    out->minimum_us = round_trips_us[0];
    out->mean_us = (int64_t)(sum_us / count);
    out->p99_us = round_trips_us[(count * 99 + 99) / 100 - 1];
}

cw_status cw_socket_get_latency(cw_socket *s, cw_latency *out)
{
    uint32_t round_trips_us[CW_LATENCY_ROUND_TRIPS];
    uint64_t number;
    cw_status status = cw__socket_check(s);

    *out = (cw_latency){CW_TIMING_NONE, CW_TIMING_NONE, CW_TIMING_NONE, CW_TIMING_NONE};
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    number = s->counts.round_trips;
    memcpy(round_trips_us, s->counts.round_trips_us, sizeof round_trips_us);
    cw__mutex_unlock(&s->lock);
    if (number == 0)
        return CW_OK;
    out->last_us = round_trips_us[(number - 1) % CW_LATENCY_ROUND_TRIPS];
    summarize(round_trips_us, number < CW_LATENCY_ROUND_TRIPS ? number : CW_LATENCY_ROUND_TRIPS, out);
    return CW_OK;
}

static bool next(atomic_uint_fast64_t *counts, int most, int *number, uint64_t *found)
{
    *found = 0;
    for (int i = *number < 0 ? 0 : *number + 1; i < most; i++) {
        *found = atomic_load_explicit(&counts[i], memory_order_relaxed);
        if (*found) {
            *number = i;
            return true;
        }
    }
    return false;
}

bool cw_count_closed_next(int *code, uint64_t *count) { return next(closed, CODES, code, count); }
bool cw_count_failed_next(int *web_status, uint64_t *count)
{
    return next(failed, STATUSES, web_status, count);
}

/* ---- The list ---- */

/* A thread of the parent may hold the lock, and the child has only one thread. */
static void after_fork_in_child(void)
{
    cw__mutex_init(&all.lock);
    all.enrolment++;
    all.first = NULL;
    memset(&all.freed, 0, sizeof all.freed);
    for (int i = 0; i < CODES; i++)
        atomic_init(&closed[i], 0);
    for (int i = 0; i < STATUSES; i++)
        atomic_init(&failed[i], 0);
    atomic_init(&last_us, 0);
}

static void prepare_once(void) { (void)pthread_atfork(NULL, NULL, after_fork_in_child); }

void cw__statistics_enroll(cw_socket *s)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, prepare_once);
    cw__mutex_lock(&all.lock);
    if (s->enrolment == 0) {
        s->enrolment = all.enrolment;
        s->previous_counted = NULL;
        s->next_counted = all.first;
        if (all.first)
            all.first->previous_counted = s;
        all.first = s;
    }
    cw__mutex_unlock(&all.lock);
}

void cw__statistics_leave(cw_socket *s)
{
    cw_statistics one;

    cw__mutex_lock(&all.lock);
    if (s->enrolment == all.enrolment) {
        if (s->previous_counted)
            s->previous_counted->next_counted = s->next_counted;
        else
            all.first = s->next_counted;
        if (s->next_counted)
            s->next_counted->previous_counted = s->previous_counted;
        read_socket(s, &one);
        one.open_sockets = one.connecting_sockets = one.send_queue_bytes = one.receive_queue_bytes = 0;
        add(&all.freed, &one);
    }
    cw__mutex_unlock(&all.lock);
}

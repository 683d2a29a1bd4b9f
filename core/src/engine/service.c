/* SPDX-License-Identifier: MIT */
/* Service: the one thread that does I/O and timers for every socket. It starts with the first client, never
 * enters an interpreter and never waits for one. Called by the socket; knows clients only by their calls, and
 * nothing of frames or runtimes.
 *
 * Safety: `lock` guards the lists, the timer heap and the thread's state; it is taken after a socket's lock,
 * never before, and not held during a client's call. `hurry_lock` sees to it that the wake is there for who hurries the
 * thread, and is taken last; the thread does not take it, so that it never waits for who has just woken it. The
 * poller locks for itself. */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

enum {
    READY_AT_ONCE = 256,
    TELL_AFTER = 32, /* clients served: a taker on another processor may begin */
    GIVE_WAY_MS = 1, /* at most: there are others to serve */
    AT_EXIT_MS = 1000
};

/* Ends of shutting down, in the order they are reached. */
typedef enum phase { RUNNING, SHUT_DOWN_POLITELY, SHUT_DOWN_AT_ONCE, STOP } phase;

static struct service {
    cw__mutex lock;
    cw__cond changed; /* client_count, phase, is_stopping */
    cw__poller *poller;
    cw__wake wake;
    cw__timer_heap timers;
    cw__client *clients; /* all that are attached */
    size_t client_count;
    cw__client *attention_first, *attention_last;
    size_t attention_count;
    cw__client *gone; /* let go in this round; told so at its end */
    void (*at_end)(void);
    cw__thread thread;
    phase phase;
    int grace_ms;        /* of SHUT_DOWN_POLITELY, for closing handshakes */
    int64_t patience_ms; /* until then clients that make progress are not dropped */
    bool is_running;
    bool is_stopping; /* a thread is inside cw_shutdown */
} the = {.lock = PTHREAD_MUTEX_INITIALIZER};

static cw__mutex hurry_lock = PTHREAD_MUTEX_INITIALIZER;
static bool can_hurry;
static atomic_uint_fast64_t lost_bytes; /* of all sockets; no call has said so */
static _Thread_local bool in_service;

cw__poller *cw__service_poller(void) { return the.poller; }

bool cw__service_is_here(void) { return in_service; }

void cw__service_hurry(void)
{
    cw__mutex_lock(&hurry_lock);
    if (can_hurry)
        cw__wake_signal(&the.wake);
    cw__mutex_unlock(&hurry_lock);
}

static void let_hurry(bool is_allowed)
{
    cw__mutex_lock(&hurry_lock);
    can_hurry = is_allowed;
    cw__mutex_unlock(&hurry_lock);
}

/* ---- Inside the thread ---- */

static cw__client *client_of_timer(cw__timer *t)
{
    return (cw__client *)(void *)((char *)t - offsetof(cw__client, timer));
}

/* Takes the client out of everything; its owner is told at the end of the round, because the readiness that
 * was fetched for this round may still name it. */
static void let_go(cw__client *c)
{
    cw__mutex_lock(&the.lock);
    cw__timer_set(&the.timers, &c->timer, INT64_MAX);
    if (c->previous)
        c->previous->next = c->next;
    else
        the.clients = c->next;
    if (c->next)
        c->next->previous = c->previous;
    c->is_gone = true;
    c->next = the.gone;
    the.gone = c;
    cw__mutex_unlock(&the.lock);
}

static void queue_locked(cw__client *c)
{
    if (c->is_queued)
        return;
    c->is_queued = true;
    c->next_attention = NULL;
    if (the.attention_last)
        the.attention_last->next_attention = c;
    else
        the.attention_first = c;
    the.attention_last = c;
    the.attention_count++;
}

/* A client that wants to be called again at once has its turn in the next round, after the others. Most want what they
 * wanted before: that costs no lock, and no look at the timers of others, which may be far away in memory. */
static void schedule(cw__client *c, int64_t due_ms)
{
    if (due_ms == CW__DETACH) {
        let_go(c);
        return;
    }
    if (due_ms != 0 && cw__timer_is_set(&c->timer, due_ms)) /* only this thread sets timers */
        return;
    cw__mutex_lock(&the.lock);
    if (due_ms == 0)
        queue_locked(c);
    cw__timer_set(&the.timers, &c->timer, due_ms == 0 ? INT64_MAX : due_ms);
    cw__mutex_unlock(&the.lock);
}

static cw__client *next_attention(void)
{
    cw__client *c;

    cw__mutex_lock(&the.lock);
    c = the.attention_first;
    if (c) {
        the.attention_first = c->next_attention;
        if (!the.attention_first)
            the.attention_last = NULL;
        c->is_queued = false;
        the.attention_count--;
    }
    cw__mutex_unlock(&the.lock);
    return c;
}

/* Tells the owners of clients that were let go. One that asked for attention once more meanwhile stays until
 * the next round has taken it off that list. */
static void tell_gone(void)
{
    cw__client *c, *waiting = NULL;

    for (;;) {
        cw__mutex_lock(&the.lock);
        c = the.gone;
        if (c) {
            the.gone = c->next;
            if (c->is_queued) {
                c->next = waiting;
                waiting = c;
                cw__mutex_unlock(&the.lock);
                continue;
            }
            the.client_count--;
            cw__cond_broadcast(&the.changed);
        } else {
            the.gone = waiting;
        }
        cw__mutex_unlock(&the.lock);
        if (!c)
            return;
        c->calls->detached(c);
    }
}

/* Shuts down every client once per phase; new ones that appear meanwhile too, when they are attended. */
static void shut_down_clients(int grace_ms)
{
    cw__client *c, *next;

    cw__mutex_lock(&the.lock);
    for (c = the.clients; c; c = next) {
        next = c->next;
        cw__mutex_unlock(&the.lock); /* only this thread takes clients out; others add in front */
        c->calls->shut_down(c, grace_ms);
        schedule(c, c->calls->attend(c));
        cw__mutex_lock(&the.lock);
    }
    cw__mutex_unlock(&the.lock);
}

static int wait_ms(void)
{
    int64_t due_ms, left_ms;
    bool is_busy;

    cw__mutex_lock(&the.lock);
    due_ms = cw__timer_next(&the.timers);
    is_busy = the.attention_first != NULL || the.gone != NULL;
    cw__mutex_unlock(&the.lock);
    if (is_busy)
        return 0;
    if (due_ms == INT64_MAX)
        return -1;
    left_ms = due_ms - cw__now_ms();
    return left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

static void serve_ready(const cw__ready *ready, int count)
{
    for (int i = 0; i < count; i++) {
        cw__client *c = ready[i].owner;
        if (!c)
            cw__wake_clear(&the.wake);
        else if (!c->is_gone)
            schedule(c, c->calls->ready(c, ready[i].fd, ready[i].mask));
        if (i % TELL_AFTER == TELL_AFTER - 1)
            cw__mailbox_tell_taker();
    }
    cw__mailbox_tell_taker();
}

/* Those that are due queue up behind those that asked; all that are in the queue then have one turn, so that no
 * client, however busy, keeps the poller and the others waiting. */
static void serve_attention(void)
{
    int64_t now_ms = cw__now_ms();
    cw__client *c;
    size_t turns;

    cw__mutex_lock(&the.lock);
    for (cw__timer *t; (t = cw__timer_pop_due(&the.timers, now_ms));)
        queue_locked(client_of_timer(t));
    turns = the.attention_count;
    cw__mutex_unlock(&the.lock);
    while (turns-- > 0 && (c = next_attention())) {
        if (!c->is_gone)
            schedule(c, c->calls->attend(c));
        if (turns % TELL_AFTER == 0)
            cw__mailbox_tell_taker();
    }
}

/* Lets the taker of what was listed in this round have the processor: what comes meanwhile is read at once then. */
static void give_way(void)
{
    struct pollfd descriptor = {.fd = the.wake.read_fd, .events = POLLIN};

    (void)poll(&descriptor, 1, GIVE_WAY_MS);
}

static void *run(void *unused)
{
    static cw__ready ready[READY_AT_ONCE];
    phase served = RUNNING, wanted;
    int grace_ms;

    (void)unused;
    in_service = true;
    for (;;) {
        int most_ms = wait_ms(), count;
        if (cw__mailbox_end_round(most_ms != 0))
            give_way();
        count = cw__poller_wait(the.poller, most_ms, ready, READY_AT_ONCE);
        serve_ready(ready, count);
        serve_attention();
        cw__mutex_lock(&the.lock);
        wanted = the.phase;
        grace_ms = the.grace_ms;
        cw__mutex_unlock(&the.lock);
        if (wanted != served && wanted != STOP && wanted != RUNNING)
            shut_down_clients(wanted == SHUT_DOWN_AT_ONCE ? 0 : grace_ms);
        served = wanted;
        tell_gone();
        if (wanted == STOP) {
            (void)cw__mailbox_end_round(false);
            if (the.at_end)
                the.at_end();
            return NULL;
        }
    }
}

/* ---- Starting, stopping, forking ---- */

/* The thread runs this library's code: the library must outlive whoever unloads it (lua_close does). The
 * bindings are linked with -z nodelete where their build allows it; this serves everywhere. */
static void pin_library(void)
{
    Dl_info info;

    if (dladdr((void *)&the, &info) && info.dli_fname)
        /* cppcheck-suppress leakReturnValNotUsed ; never to be given back is what it is for */
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

static void before_fork(void) { cw__mutex_lock(&the.lock); }
static void after_fork_in_parent(void) { cw__mutex_unlock(&the.lock); }

/* The child has no service thread and shares every descriptor with its parent. It closes its copies, so that a
 * connection ends when the parent ends it, and starts anew with the next client. Other locks may be held by
 * threads that do not exist here: nothing but plain system calls is safe. */
static void after_fork_in_child(void)
{
    cw__process_forked();
    if (the.is_running) {
        for (cw__client *c = the.clients; c; c = c->next)
            c->calls->forked(c);
        cw__wake_destroy(&the.wake);
        cw__poller_destroy(the.poller);
        cw__timer_heap_destroy(&the.timers);
        memset(&the, 0, sizeof the);
    }
    cw__mutex_init(&the.lock);
    cw__mutex_init(&hurry_lock);
    can_hurry = false;
    cw__cond_init(&the.changed);
}

/* At exit: OpenSSL takes its tables down in its own atexit handler, which was registered before this one and
 * so runs after it. The thread must not be inside TLS then. A binding has shut down before. */
static void at_exit(void)
{
    if (cw_shutdown(AT_EXIT_MS) == CW_CLOSED)
        (void)fprintf(stderr, "curlwire: %s\n", cw_error_message());
}

static void prepare_once(void)
{
    pin_library();
    cw__cond_init(&the.changed);
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    (void)atexit(at_exit);
}

/* A signal is for the program's threads: with all of them blocked here, the kernel never picks this one. */
static int start_thread(void)
{
    sigset_t all, before;
    int error;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&the.thread, NULL, run, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Fills the error for what errno says. */
static cw_status cannot_start(void)
{
    if (errno == ENOMEM)
        return cw__fail(CW_NO_MEMORY, "no memory for the service thread");
    if (errno == EMFILE || errno == ENFILE)
        return cw__fail(CW_SYSTEM_ERROR, "no descriptor for the service: raise the limit (ulimit -n)");
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its text (glibc 2.32, musl, BSD) */
    return cw__fail(CW_SYSTEM_ERROR, "cannot start the service thread: %s", strerror(errno));
}

static cw_status start_locked(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, prepare_once);
    the.poller = cw__poller_create();
    if (!the.poller)
        return cannot_start();
    if (!cw__wake_init(&the.wake)) {
        cw_status status = cannot_start();
        cw__poller_destroy(the.poller);
        return status;
    }
    cw__timer_heap_init(&the.timers);
    the.phase = RUNNING;
    if (!cw__poller_set(the.poller, the.wake.read_fd, CW__READ, NULL) || (errno = start_thread()) != 0) {
        cw_status status = cannot_start();
        cw__wake_destroy(&the.wake);
        cw__poller_destroy(the.poller);
        return status;
    }
    the.is_running = true;
    let_hurry(true);
    return CW_OK;
}

/* ---- What clients call ---- */

cw_status cw__service_attach(cw__client *c)
{
    cw_status status = CW_OK;

    cw__mutex_lock(&the.lock);
    if (the.phase != RUNNING && the.is_running)
        status = cw__fail(CW_INVALID_STATE, "curlwire is shutting down");
    else if (!the.is_running)
        status = start_locked();
    if (status == CW_OK && !cw__timer_heap_reserve(&the.timers, the.client_count + 1))
        status = cw__fail(CW_NO_MEMORY, "no memory for a timer");
    if (status == CW_OK) {
        c->timer = (cw__timer){.due_ms = INT64_MAX, .place = 0};
        c->is_gone = false;
        c->previous = NULL;
        c->next = the.clients;
        if (the.clients)
            the.clients->previous = c;
        the.clients = c;
        the.client_count++;
        queue_locked(c);
    }
    cw__mutex_unlock(&the.lock);
    if (status == CW_OK)
        cw__wake_signal(&the.wake);
    return status;
}

void cw__service_attend(cw__client *c)
{
    cw__mutex_lock(&the.lock);
    queue_locked(c);
    cw__mutex_unlock(&the.lock);
    if (!in_service)
        cw__wake_signal(&the.wake);
}

void cw__service_at_end(void (*call)(void)) { the.at_end = call; }

void cw__service_be_patient(int64_t due_ms)
{
    cw__mutex_lock(&the.lock);
    if (the.patience_ms < due_ms)
        the.patience_ms = due_ms;
    cw__mutex_unlock(&the.lock);
}

void cw__service_lost(uint64_t len_bytes) { (void)atomic_fetch_add(&lost_bytes, len_bytes); }
void cw__service_told(uint64_t len_bytes) { (void)atomic_fetch_sub(&lost_bytes, len_bytes); }

/* ---- Shutting down ---- */

enum { DROPPING_MS = 5000 }; /* for what never waits for a peer */

static void enter_phase_locked(phase wanted)
{
    the.phase = wanted;
    cw__wake_signal(&the.wake);
    cw__cond_broadcast(&the.changed);
}

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* Waits a little, without the lock while the caller's hook is asked; true if that ends the wait. */
static bool wait_locked(int64_t left_ms, cw__wait *wait)
{
    int slice_ms = cw__wait_slice(wait);
    bool is_interrupted;

    cw__cond_wait_ms(&the.changed, &the.lock, left_ms < slice_ms ? left_ms : slice_ms);
    if (!cw__wait_wants_hook(wait))
        return false;
    cw__mutex_unlock(&the.lock);
    is_interrupted = cw__wait_interrupted(wait);
    cw__mutex_lock(&the.lock);
    return is_interrupted;
}

/* Enters a phase and waits for the last client to go, or for another thread to enter the next phase. Clients that make
 * progress put the end off. */
static cw_status stay_in_phase_locked(phase wanted, int64_t timeout_ms)
{
    int64_t deadline_ms = cw__now_ms() + timeout_ms;
    cw__wait wait;

    cw__wait_begin(&wait, CW_TIMEOUT_NEVER, -1);
    the.patience_ms = 0;
    enter_phase_locked(wanted);
    while (the.client_count > 0 && the.phase == wanted) {
        int64_t left_ms = later(deadline_ms, the.patience_ms) - cw__now_ms();
        if (left_ms <= 0)
            break;
        if (wait_locked(left_ms, &wait) && wanted == SHUT_DOWN_POLITELY)
            return CW_INTERRUPTED;
    }
    return CW_OK;
}

/* Another thread is at it: waits for that, and hurries it when this caller's time is up. The end of the program
 * comes here too, and has to find the service thread gone. */
static void join_in_locked(int64_t timeout_ms)
{
    int64_t limit_ms = cw__now_ms() + timeout_ms;
    cw__wait wait;

    cw__wait_begin(&wait, CW_TIMEOUT_NEVER, -1);
    while (the.is_stopping) {
        bool is_polite = the.phase == SHUT_DOWN_POLITELY;
        int64_t end_ms = is_polite ? later(limit_ms, the.patience_ms) : limit_ms + DROPPING_MS;
        int64_t left_ms = end_ms - cw__now_ms();
        if (left_ms <= 0 && !is_polite)
            return;
        if (left_ms <= 0 || (wait_locked(left_ms, &wait) && the.phase == SHUT_DOWN_POLITELY)) {
            limit_ms = cw__now_ms();
            enter_phase_locked(SHUT_DOWN_AT_ONCE);
        }
    }
}

/* What cw_shutdown has to say at its end. */
static cw_status report_loss(cw_status status)
{
    uint64_t lost = atomic_exchange(&lost_bytes, 0);

    if (lost > 0)
        return cw__fail(CW_CLOSED,
                        "up to %llu bytes that were sent did not reach their server: it took nothing for "
                        "send_timeout, or the connection was lost",
                        (unsigned long long)lost);
    return status == CW_INTERRUPTED ? cw__fail(CW_INTERRUPTED, "interrupted while connections were closing")
                                    : status;
}

cw_status cw_shutdown(int timeout_ms)
{
    cw_status status = CW_OK;

    cw__mutex_lock(&the.lock);
    if (the.is_stopping && !in_service)
        join_in_locked(timeout_ms);
    if (!the.is_running || the.phase != RUNNING || in_service) {
        cw__mutex_unlock(&the.lock);
        return report_loss(CW_OK);
    }
    the.is_stopping = true;
    the.grace_ms = timeout_ms;
    if (timeout_ms > 0)
        status = stay_in_phase_locked(SHUT_DOWN_POLITELY, timeout_ms);
    (void)stay_in_phase_locked(SHUT_DOWN_AT_ONCE, DROPPING_MS);
    enter_phase_locked(STOP);
    cw__mutex_unlock(&the.lock);
    (void)pthread_join(the.thread, NULL);
    cw__mutex_lock(&the.lock);
    the.is_stopping = false;
    cw__cond_broadcast(&the.changed);
    if (the.client_count > 0) { /* a thread sits in its wait hook and keeps a descriptor: not started again */
        cw__mutex_unlock(&the.lock);
        return report_loss(status);
    }
    the.is_running = false;
    let_hurry(false);
    cw__timer_heap_destroy(&the.timers);
    cw__wake_destroy(&the.wake);
    cw__poller_destroy(the.poller);
    the.poller = NULL;
    cw__mutex_unlock(&the.lock);
    return report_loss(status);
}

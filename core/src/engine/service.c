/* SPDX-License-Identifier: MIT */
/* The service: one thread does I/O and timers for every socket. It starts with the first client. It never enters an
 * interpreter and never waits for one. The socket calls this file. The service knows clients only by their table of
 * calls, and nothing of frames or runtimes.
 *
 * Locks: `lock` guards the lists, the timer heap and the thread's state. A thread may take it while it holds a
 * socket's lock, never the other way round. The service thread does not hold it while it calls a client. The poller
 * locks for itself. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

enum { READY_AT_ONCE = 256, AT_EXIT_MS = 1000, DROPPING_MS = 5000 /* dropping never waits for a peer */ };

/* From CLOSING to ENDING, some thread is inside cw_shutdown. */
typedef enum phase {
    NOT_STARTED, /* there is no thread, and none of its resources */
    RUNNING,
    CLOSING,  /* there is time for closing handshakes */
    DROPPING, /* the service thread drops connections at once */
    ENDING,   /* the last client is gone; the thread ends */
    STUCK /* the thread has ended but clients remain, because a caller is in its wait hook. It is not started again */
} phase;

static struct service {
    cw__mutex lock;
    cw__cond changed; /* signalled when client_count, phase, served or must_tell changes */
    cw__poller *poller;
    cw__wake wake;
    cw__standby standby;
    cw__timer_heap timers;
    cw__client *clients; /* all attached clients */
    size_t client_count;
    cw__client *attention_first, *attention_last;
    size_t attention_count;
    cw__client *gone; /* clients detached in this round; their owners get detached() when the round ends */
    void (*at_end)(void);
    cw__thread thread;
    phase phase;
    phase served;        /* the latest phase that the thread has told all clients about */
    bool must_tell;      /* the thread must tell them again */
    int grace_ms;        /* the time for closing handshakes in CLOSING */
    int64_t patience_ms; /* until this time, clients that make progress are not dropped */
} service = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool in_service;

cw__poller *cw__service_poller(void) { return service.poller; }

bool cw__service_stand_by(cw__client *c, int fd, bool is_wanted)
{
    if (!cw__standby_set(&service.standby, fd, is_wanted, c))
        return false;
    if (is_wanted && cw__poller_fd(service.standby.poller) < 0)
        cw__wake_signal(&service.wake); /* the service thread must look from now on */
    return true;
}

bool cw__service_is_here(void) { return in_service; }

/* ---- In the service thread ---- */

static cw__client *client_of_timer(cw__timer *t)
{
    return (cw__client *)(void *)((char *)t - offsetof(cw__client, timer));
}

/* Removes a client from all lists. Its owner gets detached() at the end of the round, because events that the
 * poller returned for this round may still name it. */
static void let_go(cw__client *c)
{
    cw__mutex_lock(&service.lock);
    cw__timer_set(&service.timers, &c->timer, INT64_MAX);
    if (c->previous)
        c->previous->next = c->next;
    else
        service.clients = c->next;
    if (c->next)
        c->next->previous = c->previous;
    c->is_gone = true;
    c->next = service.gone;
    service.gone = c;
    cw__mutex_unlock(&service.lock);
}

static void queue_locked(cw__client *c)
{
    if (c->is_queued)
        return;
    c->is_queued = true;
    c->next_attention = NULL;
    if (service.attention_last)
        service.attention_last->next_attention = c;
    else
        service.attention_first = c;
    service.attention_last = c;
    service.attention_count++;
}

/* Schedules the next attend of a client. If it is due at once, it comes in the next round, after the other clients.
 * Most clients ask for the time that is already set. Then this takes no lock and reads no other client's timer, which
 * may be a cache miss. */
static void schedule(cw__client *c, int64_t due_ms)
{
    if (due_ms == CW__DETACH) {
        let_go(c);
        return;
    }
    if (due_ms != 0 && cw__timer_is_set(&c->timer, due_ms)) /* only this thread sets timers */
        return;
    cw__mutex_lock(&service.lock);
    if (due_ms == 0)
        queue_locked(c);
    cw__timer_set(&service.timers, &c->timer, due_ms == 0 ? INT64_MAX : due_ms);
    cw__mutex_unlock(&service.lock);
}

static cw__client *next_attention(void)
{
    cw__client *c;

    cw__mutex_lock(&service.lock);
    c = service.attention_first;
    if (c) {
        service.attention_first = c->next_attention;
        if (!service.attention_first)
            service.attention_last = NULL;
        c->is_queued = false;
        service.attention_count--;
    }
    cw__mutex_unlock(&service.lock);
    return c;
}

/* Tells the owners of detached clients. A client that asked for attention in the meantime stays until the next round
 * has removed it from the list of attention. */
static void tell_gone(void)
{
    cw__client *c, *waiting = NULL;

    for (;;) {
        cw__mutex_lock(&service.lock);
        c = service.gone;
        if (c) {
            service.gone = c->next;
            if (c->is_queued) {
                c->next = waiting;
                waiting = c;
                cw__mutex_unlock(&service.lock);
                continue;
            }
            service.client_count--;
            cw__cond_broadcast(&service.changed);
        } else {
            service.gone = waiting;
        }
        cw__mutex_unlock(&service.lock);
        if (!c)
            return;
        c->calls->detached(c);
    }
}

/* Shuts down every client, in each phase once, and again when the phase's time is up. Clients that are attached later
 * get it when they are attended. */
static void shut_down_clients(int grace_ms)
{
    cw__client *c, *next;

    cw__mutex_lock(&service.lock);
    for (c = service.clients; c; c = next) {
        next = c->next;
        cw__mutex_unlock(&service.lock); /* only this thread removes clients; others add at the front */
        c->calls->shut_down(c, grace_ms);
        schedule(c, c->calls->attend(c));
        cw__mutex_lock(&service.lock);
    }
    cw__mutex_unlock(&service.lock);
}

/* Notes that all clients know the phase. While the thread runs, only the thread changes service.served. */
static void note_served(phase wanted)
{
    cw__mutex_lock(&service.lock);
    service.served = wanted;
    service.must_tell = false;
    cw__cond_broadcast(&service.changed);
    cw__mutex_unlock(&service.lock);
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

static int wait_ms(void)
{
    int64_t due_ms, left_ms;
    bool is_busy;

    cw__mutex_lock(&service.lock);
    due_ms = earlier(cw__timer_next(&service.timers), cw__standby_due_ms(&service.standby));
    is_busy = service.attention_first != NULL || service.gone != NULL;
    cw__mutex_unlock(&service.lock);
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
            cw__wake_clear(&service.wake);
        else if (ready[i].owner == &service.standby)
            cw__standby_rouse(&service.standby);
        else if (!c->is_gone)
            schedule(c, c->calls->ready(c, ready[i].fd, ready[i].mask));
    }
}

static void look(cw__client *c, unsigned number)
{
    if (!c->is_gone)
        schedule(c, c->calls->look(c, number));
}

/* Attends clients. Due timers join the queue behind clients that asked. Then each client in the queue gets one turn, so
 * that a busy client does not delay the poller and the other clients. */
static void serve_attention(void)
{
    int64_t now_ms = cw__now_ms();
    cw__client *c;
    size_t turns;

    cw__mutex_lock(&service.lock);
    for (cw__timer *t; (t = cw__timer_pop_due(&service.timers, now_ms));)
        queue_locked(client_of_timer(t));
    turns = service.attention_count;
    cw__mutex_unlock(&service.lock);
    while (turns-- > 0 && (c = next_attention())) {
        if (!c->is_gone)
            schedule(c, c->calls->attend(c));
    }
}

/* Sets SCHED_BATCH for the service thread. With the default policy, arriving data lets the service thread
 * preempt a thread that handles events, which costs two thread switches for every few messages. With SCHED_BATCH
 * the service thread waits for another processor, or until the other thread's time slice ends (milliseconds). We
 * measured echoes of 32 bytes on 100 connections (Linux 6.18, Python). SCHED_BATCH gave 1.25 times as many
 * echoes if the system chooses the processors, and 1.08 times on one processor. A policy that the program has
 * set stays. */
static void yield_to_handlers(void)
{
#ifdef SCHED_BATCH
    struct sched_param param;
    int policy;

    if (pthread_getschedparam(pthread_self(), &policy, &param) == 0 && policy == SCHED_OTHER)
        (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &param);
#endif
}

static void *run(void *unused)
{
    static cw__ready ready[READY_AT_ONCE];
    phase wanted;
    int grace_ms;
    bool must_tell;

    (void)unused;
    in_service = true;
    yield_to_handlers();
    for (;;) {
        int count = cw__poller_wait(service.poller, wait_ms(), ready, READY_AT_ONCE);
        serve_ready(ready, count);
        cw__standby_look(&service.standby, service.poller, look);
        serve_attention();
        cw__mutex_lock(&service.lock);
        wanted = service.phase;
        grace_ms = service.grace_ms;
        must_tell = service.must_tell || wanted != service.served;
        cw__mutex_unlock(&service.lock);
        if (must_tell && (wanted == CLOSING || wanted == DROPPING))
            shut_down_clients(wanted == DROPPING ? 0 : grace_ms);
        if (must_tell)
            note_served(wanted);
        tell_gone();
        if (wanted == ENDING) {
            if (service.at_end)
                service.at_end();
            return NULL;
        }
    }
}

/* ---- Starting, stopping, forking ---- */

static void free_parts(void)
{
    cw__standby_destroy(&service.standby);
    cw__wake_destroy(&service.wake);
    cw__poller_destroy(service.poller);
    cw__timer_heap_destroy(&service.timers);
}

static void before_fork(void) { cw__mutex_lock(&service.lock); }
static void after_fork_in_parent(void) { cw__mutex_unlock(&service.lock); }

/* In the child there is no service thread, and every descriptor is shared with the parent. The child closes its copies,
 * so that a connection ends when the parent ends it. The next client starts a new service. Threads that do not exist in
 * the child may hold locks; so only plain system calls are safe here. */
static void after_fork_in_child(void)
{
    cw__process_forked();
    if (service.phase != NOT_STARTED) {
        for (cw__client *c = service.clients; c; c = c->next)
            c->calls->forked(c);
        free_parts();
        memset(&service, 0, sizeof service);
    }
    cw__mutex_init(&service.lock);
    cw__cond_init(&service.changed);
}

/* Ends the service when the process exits. OpenSSL frees its tables in an atexit handler that was registered earlier
 * and so runs later. The thread must not be inside TLS then. A binding has usually called cw_shutdown before. */
static void at_exit(void)
{
    if (cw_shutdown(AT_EXIT_MS) == CW_CLOSED)
        (void)fprintf(stderr, "curlwire: %s\n", cw_error_message());
}

static void prepare_once(void)
{
    cw__process_pin_library(); /* the thread runs its code */
    cw__cond_init(&service.changed);
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    (void)atexit(at_exit);
}

/* Starts the thread with all signals blocked, so that the kernel delivers them to the program's threads. */
static int start_thread(void)
{
    sigset_t all, before;
    int error;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&service.thread, NULL, run, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Fails for a thread or descriptor that the system did not provide. errno has the reason. */
static cw_status cannot_start(void)
{
    int error = errno;
    const char *why = strerror(error); /* NOLINT(concurrency-mt-unsafe): each thread has its own text */

    if (error == ENOMEM)
        return cw__fail(CW_NO_MEMORY, "no memory for the service thread: free memory and call again");
    if (error == EMFILE || error == ENFILE)
        return cw__fail(CW_SYSTEM_ERROR, "no descriptor for the service: raise the limit (ulimit -n)");
    return cw__fail(
        CW_SYSTEM_ERROR,
        "cannot start the service thread: %s; check the limits on threads and memory (ulimit -u, -v)", why);
}

static cw_status start_locked(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, prepare_once);
    service.poller = cw__poller_create();
    if (!service.poller)
        return cannot_start();
    if (!cw__wake_init(&service.wake)) {
        cw_status status = cannot_start();
        cw__poller_destroy(service.poller);
        return status;
    }
    cw__timer_heap_init(&service.timers);
    if (!cw__standby_init(&service.standby, service.poller) ||
        !cw__poller_set(service.poller, service.wake.read_fd, CW__READ, NULL) ||
        (errno = start_thread()) != 0) {
        cw_status status = cannot_start();
        free_parts();
        return status;
    }
    service.phase = service.served = RUNNING;
    return CW_OK;
}

/* ---- Calls of clients ---- */

cw_status cw__service_attach(cw__client *c)
{
    cw_status status = CW_OK;

    cw__mutex_lock(&service.lock);
    if (service.phase == NOT_STARTED)
        status = start_locked();
    else if (service.phase != RUNNING)
        status =
            cw__fail(CW_INVALID_STATE, "curlwire is shutting down: connect before the shutdown, or after it");
    if (status == CW_OK && !cw__timer_heap_reserve(&service.timers, service.client_count + 1))
        status = cw__fail(CW_NO_MEMORY, "no memory for a timer: free memory and call again");
    if (status == CW_OK) {
        c->timer = (cw__timer){.due_ms = INT64_MAX, .place = 0};
        c->is_gone = false;
        c->previous = NULL;
        c->next = service.clients;
        if (service.clients)
            service.clients->previous = c;
        service.clients = c;
        service.client_count++;
        queue_locked(c);
    }
    cw__mutex_unlock(&service.lock);
    if (status == CW_OK)
        cw__wake_signal(&service.wake);
    return status;
}

void cw__service_attend(cw__client *c)
{
    cw__mutex_lock(&service.lock);
    queue_locked(c);
    cw__mutex_unlock(&service.lock);
    if (!in_service)
        cw__wake_signal(&service.wake);
}

void cw__service_at_end(void (*call)(void)) { service.at_end = call; }

void cw__service_be_patient(int64_t due_ms)
{
    cw__mutex_lock(&service.lock);
    if (service.patience_ms < due_ms)
        service.patience_ms = due_ms;
    cw__mutex_unlock(&service.lock);
}

/* ---- Shutting down ---- */

static void enter_phase_locked(phase wanted)
{
    service.phase = wanted;
    cw__wake_signal(&service.wake);
    cw__cond_broadcast(&service.changed);
}

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* Returns the time that is left until deadline_ms, or longer if clients make progress. When it is up, the thread first
 * tells all clients again, so that they look for progress: if the whole process was stopped, the caller may run earlier
 * than the thread. *asked_ms is the time that was up when this caller last asked for that; -1 at first. */
static int64_t left_ms_locked(int64_t deadline_ms, int64_t *asked_ms)
{
    int64_t limit_ms = later(deadline_ms, service.patience_ms), left_ms = limit_ms - cw__now_ms();

    if (left_ms > 0)
        return left_ms;
    if (*asked_ms != limit_ms) {
        *asked_ms = limit_ms;
        service.must_tell = true;
        cw__wake_signal(&service.wake);
    }
    return service.must_tell ? DROPPING_MS : 0;
}

/* Waits for one slice. It releases the lock while it calls the caller's hook. Returns true if the hook ended the wait. */
static bool wait_locked(int64_t left_ms, cw__wait *wait)
{
    int slice_ms = cw__wait_slice(wait);
    bool is_interrupted;

    cw__cond_wait_ms(&service.changed, &service.lock, left_ms < slice_ms ? left_ms : slice_ms);
    if (!cw__wait_wants_hook(wait))
        return false;
    cw__mutex_unlock(&service.lock);
    is_interrupted = cw__wait_interrupted(wait);
    cw__mutex_lock(&service.lock);
    return is_interrupted;
}

/* Enters a phase. Then it waits until the last client is gone, or until another thread enters the next phase. The time
 * begins when the service thread has told all clients: on a busy machine that thread may run late, and only then can a
 * client that makes progress extend the time. */
static cw_status stay_in_phase_locked(phase wanted, int64_t timeout_ms)
{
    int64_t deadline_ms = cw__now_ms() + timeout_ms, asked_ms = -1;
    cw__wait wait;

    cw__wait_begin(&wait, CW_TIMEOUT_NEVER, -1);
    service.patience_ms = 0;
    enter_phase_locked(wanted);
    while (service.client_count > 0 && service.phase == wanted) {
        int64_t left_ms;
        if (service.served != wanted)
            deadline_ms = cw__now_ms() + timeout_ms;
        left_ms = left_ms_locked(deadline_ms, &asked_ms);
        if (left_ms == 0)
            break;
        if (wait_locked(left_ms, &wait) && wanted == CLOSING)
            return CW_INTERRUPTED;
    }
    return CW_OK;
}

static bool is_stopping_locked(void) { return service.phase >= CLOSING && service.phase <= ENDING; }

/* Waits for the other thread that is in cw_shutdown. When this caller's time is up, it makes that thread drop
 * everything. The exit of the program uses this too: afterwards the service thread must be gone. */
static void join_in_locked(int64_t timeout_ms)
{
    int64_t limit_ms = cw__now_ms() + timeout_ms, asked_ms = -1;
    cw__wait wait;

    cw__wait_begin(&wait, CW_TIMEOUT_NEVER, -1);
    while (is_stopping_locked()) {
        bool is_polite = service.phase == CLOSING;
        int64_t now_ms = cw__now_ms(), left_ms;
        if (is_polite && service.served != CLOSING)
            limit_ms = now_ms + timeout_ms;
        left_ms = is_polite ? left_ms_locked(limit_ms, &asked_ms) : limit_ms + DROPPING_MS - now_ms;
        if (left_ms <= 0 && !is_polite)
            return;
        if (left_ms <= 0 || (wait_locked(left_ms, &wait) && service.phase == CLOSING)) {
            limit_ms = cw__now_ms();
            enter_phase_locked(DROPPING);
        }
    }
}

/* Returns what cw_shutdown reports at its end: lost bytes, or the status. */
static cw_status result_of(cw_status status)
{
    cw_status loss = cw__loss_report();

    if (loss != CW_OK)
        return loss;
    return status == CW_INTERRUPTED
               ? cw__fail(CW_INTERRUPTED,
                          "interrupted while connections were closing: call again to wait for them")
               : status;
}

/* Ends the thread and frees its resources. It releases the lock while it waits for the thread. */
static void end_thread_locked(void)
{
    enter_phase_locked(ENDING);
    cw__mutex_unlock(&service.lock);
    (void)pthread_join(service.thread, NULL);
    cw__mutex_lock(&service.lock);
    if (service.client_count > 0) {
        enter_phase_locked(STUCK);
        return;
    }
    free_parts();
    service.poller = NULL;
    service.phase = NOT_STARTED;
    cw__cond_broadcast(&service.changed);
}

static cw_status stop_locked(int timeout_ms)
{
    cw_status status = CW_OK;

    service.grace_ms = timeout_ms;
    if (timeout_ms > 0)
        status = stay_in_phase_locked(CLOSING, timeout_ms);
    (void)stay_in_phase_locked(DROPPING, DROPPING_MS);
    end_thread_locked();
    return status;
}

cw_status cw_shutdown(int timeout_ms)
{
    cw_status status = CW_OK;

    if (in_service)
        return result_of(CW_OK);
    cw__mutex_lock(&service.lock);
    if (is_stopping_locked())
        join_in_locked(timeout_ms);
    if (service.phase == RUNNING)
        status = stop_locked(timeout_ms);
    cw__mutex_unlock(&service.lock);
    return result_of(status);
}

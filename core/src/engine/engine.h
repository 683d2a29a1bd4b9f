/* SPDX-License-Identifier: MIT */
/* What runs the sockets: timers, wake-ups, pollers, waiting, the service thread, the mailbox. Needs base.
 *
 * Safety: where a function needs a lock or a thread, it says so. Order of locks: a socket's, a pool's, then the service's or
 * a mailbox's, which are taken and given back inside. Owns: what create or init makes is the caller's until destroy; what
 * is passed stays the caller's unless it says otherwise. */
#ifndef CW_ENGINE_H
#define CW_ENGINE_H

#include "../base/base.h"

CW__PRIVATE_BEGIN

/* ---- From timer.c: a heap of deadlines, under the lock of its owner (the service) ---------------------- */

typedef struct cw__timer {
    int64_t due_ms; /* on the monotonic clock */
    size_t place;   /* 1-based in the heap; 0 = not in it */
} cw__timer;

typedef struct cw__timer_heap {
    cw__timer **timers; /* timers[0] is due first */
    size_t count;
    size_t room;
} cw__timer_heap;

void cw__timer_heap_init(cw__timer_heap *h);
void cw__timer_heap_destroy(cw__timer_heap *h);
/* Makes sure that count timers fit, so that cw__timer_set cannot fail. False without memory. */
bool cw__timer_heap_reserve(cw__timer_heap *h, size_t count);
/* Puts a timer in, or moves it; INT64_MAX takes it out. The timer is its owner's, and stays while it is in. */
void cw__timer_set(cw__timer_heap *h, cw__timer *t, int64_t due_ms);
/* Whether setting it so would change nothing. */
bool cw__timer_is_set(const cw__timer *t, int64_t due_ms);
/* Takes out and returns a timer that is due at now_ms, or NULL: its owner's. */
cw__timer *cw__timer_pop_due(cw__timer_heap *h, int64_t now_ms);
/* When the next is due; INT64_MAX = none. */
int64_t cw__timer_next(const cw__timer_heap *h);

/* ---- From wake.c: a coalescing wake-up, an eventfd or a pipe ------------------------------------------- */

typedef struct cw__wake {
    int read_fd;
    int write_fd; /* the same in the case of an eventfd */
    cw__atomic_int is_set;
} cw__wake;

/* False, with errno, if there is no descriptor to be had. */
bool cw__wake_init(cw__wake *w);
void cw__wake_destroy(cw__wake *w);
/* Makes read_fd readable until the next clear. Any thread; one system call unless it is set already. */
void cw__wake_signal(cw__wake *w);
/* Call it before looking at what the signal may have been about. Any thread. */
void cw__wake_clear(cw__wake *w);

/* ---- From poller_*.c: readiness of descriptors ---------------------------------------------------------- */

typedef struct cw__poller cw__poller;

enum { CW__READ = 1, CW__WRITE = 2, CW__HANGUP = 4 /* out only: read and write will not block */ };

typedef struct cw__ready {
    void *owner;
    int fd;
    unsigned mask;
} cw__ready;

/* NULL, with errno, if there is none to be had. */
cw__poller *cw__poller_create(void);
void cw__poller_destroy(cw__poller *p);
/* Watches fd for mask (level-triggered) on behalf of owner, instead of what was set for it before; 0 stops.
 * Any thread, also while another waits, which then takes note of it. False, with errno, without memory. */
bool cw__poller_set(cw__poller *p, int fd, unsigned mask, void *owner);
/* Forgets a descriptor that is closed or about to be. Unlike set with 0 it expects it may be gone. Any thread. */
void cw__poller_forget(cw__poller *p, int fd);
/* Waits, one thread at a time; timeout_ms -1 = for ever. Returns how many of ready[] it filled; 0 after the timeout or a
 * signal. */
int cw__poller_wait(cw__poller *p, int timeout_ms, cw__ready *ready, int most);

/* ---- From wait.c --------------------------------------------------------------------------------------- */

/* On the stack of a call that waits; of its thread alone. */
typedef struct cw__wait {
    int timeout_ms;      /* CW_TIMEOUT_NEVER, or 0 and more */
    int64_t deadline_ms; /* -1 until the first slice */
    int64_t hook_due_ms; /* the same */
    bool is_held;        /* the call that waits holds a reference to its socket */
    bool is_default;     /* the time is the control's, not the caller's */
} cw__wait;

void cw__wait_begin(cw__wait *w, int timeout_ms, int64_t default_ms);
/* Starts the timeout anew: there was progress. */
void cw__wait_restart(cw__wait *w);
/* How long to wait now at most; 0 = the time is up. */
int cw__wait_slice(cw__wait *w);
/* After each slice: whether the thread's hook is to be asked, and the asking, without locks. A wait
 * that a signal ended makes it due at once. */
bool cw__wait_wants_hook(cw__wait *w);
bool cw__wait_interrupted(cw__wait *w);
void cw__wait_signalled(cw__wait *w);
/* Fails with CW_TIMED_OUT.
 *   what     was waited for: "a message"
 *   option   the control that gives the time by default; CW_OPTION_COUNT = none */
cw_status cw__wait_timed_out(const cw__wait *w, const char *what, cw_option option);
/* A wake-up that is the calling thread's until that ends, for polling beside a descriptor. Where there is none to be had,
 * one that never wakes (its read_fd is negative), and the slice becomes short enough to do without. */
cw__wake *cw__thread_wake(int *slice_ms);

/* ---- From service.c: the I/O thread --------------------------------------------------------------------- */

enum { CW__DETACH = -1 };

typedef struct cw__client cw__client;

/* How the service calls a client: in its thread, no lock held. ready and attend return when to call attend
 * again at the latest (monotonic ms; INT64_MAX = not by itself), or CW__DETACH to be let go. */
typedef struct cw__client_calls {
    int64_t (*ready)(cw__client *client, int fd, unsigned mask);
    int64_t (*attend)(cw__client *client);
    /* The program ends: close within grace_ms, once everything sent has arrived; 0: drop everything. Then attend. */
    void (*shut_down)(cw__client *client, int grace_ms);
    void (*detached)(cw__client *client); /* the service will never touch it again */
    void (*forked)(cw__client *client);   /* in a child: close inherited descriptors */
} cw__client_calls;

struct cw__client {
    const cw__client_calls *calls;
    cw__timer timer;
    cw__client *next_attention;
    cw__client *next, *previous; /* all that are attached */
    bool is_queued;              /* for attention; under the service's lock */
    bool is_gone;                /* service thread only */
};

/* Attaches a client, and starts the thread if it does not run. CW_OK or a failure of the calling thread. The
 * client stays its owner's, and must stay until its detached is called. attend is called soon. The socket's lock may be
 * held. */
cw_status cw__service_attach(cw__client *client);
/* Asks the service to call attend. Any thread, also with the socket's lock. */
void cw__service_attend(cw__client *client);
/* Has a call made in the service's thread before that ends, for what outlives its clients. There is one such call; only
 * between attach and detached. */
void cw__service_at_end(void (*call)(void));
/* The service's poller, for cw__poller_set with the client as owner. Only between attach and
 * detached. */
cw__poller *cw__service_poller(void);
/* Whether the calling thread is the service. */
bool cw__service_is_here(void);
/* Keeps cw_shutdown from dropping everything before due_ms: a client makes progress. Any thread. */
void cw__service_be_patient(int64_t due_ms);
/* Counts bytes of accepted messages that did not reach a peer, and takes them back once a call has said so: cw_shutdown
 * reports the others. Any thread. */
void cw__service_lost(uint64_t len_bytes);
void cw__service_told(uint64_t len_bytes);

/* ---- From mailbox.c ------------------------------------------------------------------------------------- */

/* The messages of one socket that wait to be taken. Under the socket's lock. */
typedef struct cw__inbox {
    cw_event *first, *last;
    size_t bytes; /* payloads and what their events take */
    size_t high_bytes;
    bool is_full; /* from the high mark until the low one, which is half of it */
} cw__inbox;

/* The box owns the event from now on. */
void cw__inbox_push(cw__inbox *box, cw_event *e);
/* The same, in front of the others. */
void cw__inbox_put_back(cw__inbox *box, cw_event *e);
/* The first event, the caller's; or NULL. */
cw_event *cw__inbox_pop(cw__inbox *box);
/* Frees all. */
void cw__inbox_clear(cw__inbox *box);

/* What a mailbox knows of a socket. take is called without locks, by the thread that drains; the event is the caller's.
 * NULL is "nothing any more", unless it sets *has_no_memory. */
typedef struct cw__subscriber cw__subscriber;
struct cw__subscriber {
    cw__subscriber *next;
    bool is_listed; /* under the mailbox's lock */
    cw_event *(*take)(cw__subscriber *subscriber, bool *has_no_memory);
    void (*hold)(cw__subscriber *subscriber); /* one reference while it is listed */
    void (*drop)(cw__subscriber *subscriber);
};

/* CW_OK, or the failure that a mailbox of a parent process deserves. No lock. */
cw_status cw__mailbox_check(const cw_mailbox *m);
/* References beside the owner's, which is given back by cw_mailbox_release. Any thread, no lock needed. */
void cw__mailbox_retain(cw_mailbox *m);
void cw__mailbox_release(cw_mailbox *m);
/* Says that a subscriber has events. Any thread; the caller may hold the socket's lock. */
void cw__mailbox_list(cw_mailbox *m, cw__subscriber *subscriber);

CW__PRIVATE_END

#endif

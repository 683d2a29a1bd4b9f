/* SPDX-License-Identifier: MIT */
/* The parts that run the sockets: timers, wake-ups, pollers, waiting, the service thread, mailboxes. It uses base.
 *
 * Thread: the comment of a function says which lock or thread it needs. Order of locks: a socket's, a pool's, then the
 * service's or a mailbox's. The functions here take and release the last two themselves.
 * Owns: the caller owns what create or init makes, until destroy. It keeps what it passes. The comment of a function
 * names exceptions. */
#ifndef CW_ENGINE_H
#define CW_ENGINE_H

#include "../base/base.h"

CW__PRIVATE_BEGIN

/* ---- From timer.c: a heap of deadlines, under the lock of its owner (the service) ---------------------- */

typedef struct cw__timer {
    int64_t due_ms; /* time on the monotonic clock */
    size_t place;   /* 1-based index in the heap; 0 = not in it */
} cw__timer;

typedef struct cw__timer_heap {
    cw__timer **timers; /* timers[0] is the earliest */
    size_t count;
    size_t room;
} cw__timer_heap;

void cw__timer_heap_init(cw__timer_heap *h);
void cw__timer_heap_destroy(cw__timer_heap *h);
/* Makes room for count timers, so that cw__timer_set cannot fail. Returns false if there is no memory. */
bool cw__timer_heap_reserve(cw__timer_heap *h, size_t count);
/* Adds a timer or moves it; INT64_MAX removes it. The owner keeps the timer, and must not free it while the heap has
 * it. */
void cw__timer_set(cw__timer_heap *h, cw__timer *t, int64_t due_ms);
/* Returns whether cw__timer_set with these arguments would change nothing. */
bool cw__timer_is_set(const cw__timer *t, int64_t due_ms);
/* Removes a timer that is due at now_ms and returns it; NULL if none is due. */
cw__timer *cw__timer_pop_due(cw__timer_heap *h, int64_t now_ms);
/* Returns when the next timer is due; INT64_MAX = none. */
int64_t cw__timer_next(const cw__timer_heap *h);

/* ---- From wake.c: a wake-up that merges signals; an eventfd or a pipe ---------------------------------- */

typedef struct cw__wake {
    int read_fd;
    int write_fd; /* the same as read_fd if it is an eventfd */
    cw__atomic_int is_set;
} cw__wake;

/* Opens the descriptors. Returns false, with errno, if the system has none left. */
bool cw__wake_init(cw__wake *w);
void cw__wake_destroy(cw__wake *w);
/* Makes read_fd readable until the next clear. Any thread. One system call, or none if it is already set. */
void cw__wake_signal(cw__wake *w);
/* Makes read_fd unreadable. Call it before you check what the signal was about, not after. Any thread. */
void cw__wake_clear(cw__wake *w);

/* ---- From poller_*.c: readiness of descriptors ---------------------------------------------------------- */

typedef struct cw__poller cw__poller;

enum {
    CW__READ = 1,
    CW__WRITE = 2,
    CW__HANGUP = 4, /* out only: read and write will not block */
    CW__ONCE = 8    /* in only, for the descriptor of a poller: report once, until the next set */
};

typedef struct cw__ready {
    void *owner;
    int fd;
    unsigned mask;
} cw__ready;

/* Creates a poller. Returns NULL, with errno, if the system provides none. */
cw__poller *cw__poller_create(void);
void cw__poller_destroy(cw__poller *p);
/* Watches fd for mask (level-triggered) for owner, and replaces the previous mask of fd. A mask of 0 stops watching.
 * Any thread. A thread that waits at the same time sees the change. Returns false, with errno, if there is no memory. */
bool cw__poller_set(cw__poller *p, int fd, unsigned mask, void *owner);
/* Returns a descriptor that is readable while the poller has something to report; -1 if the system has none. */
int cw__poller_fd(const cw__poller *p);
/* Forgets a descriptor that is closed or about to be closed. Unlike set with 0, it accepts a closed one. Any thread. */
void cw__poller_forget(cw__poller *p, int fd);
/* Waits for descriptors; timeout_ms -1 = no limit. One thread at a time. Returns the number of entries of ready[] that
 * it filled; 0 after the timeout or a signal. */
int cw__poller_wait(cw__poller *p, int timeout_ms, cw__ready *ready, int most);

/* ---- From wait.c --------------------------------------------------------------------------------------- */

/* The state of one waiting call, on its stack. Only its own thread uses it. */
typedef struct cw__wait {
    int timeout_ms;      /* CW_TIMEOUT_NEVER, or 0 and more */
    int64_t deadline_ms; /* -1 until the first slice */
    int64_t hook_due_ms; /* -1 until the first slice */
    bool is_held;        /* the waiting call holds a reference to the socket */
    bool is_default;     /* the timeout comes from a control, not from the caller */
} cw__wait;

void cw__wait_begin(cw__wait *w, int timeout_ms, int64_t default_ms);
/* Restarts the timeout after progress. */
void cw__wait_restart(cw__wait *w);
/* Returns the most milliseconds to wait before the next check of the hook; 0 = the timeout has passed. */
int cw__wait_slice(cw__wait *w);
/* Call these after each slice. wants_hook returns whether the thread's hook is due. interrupted calls the hook and
 * returns whether that ends the wait; the caller must hold no lock. signalled makes the hook due at once, because a
 * signal ended the slice. */
bool cw__wait_wants_hook(cw__wait *w);
bool cw__wait_interrupted(cw__wait *w);
void cw__wait_signalled(cw__wait *w);
/* Fails with CW_TIMED_OUT.
 *   what     the caller waited for: "a message"
 *   option   the control that sets the default timeout; CW_OPTION_COUNT = none */
cw_status cw__wait_timed_out(const cw__wait *w, const char *what, cw_option option);
/* Returns a wake-up that belongs to the calling thread until the thread ends, to poll together with another
 * descriptor. If there is no descriptor left, the wake-up never wakes, and its read_fd is negative. The call
 * then shortens *slice_ms, so that the caller checks more often. */
cw__wake *cw__thread_wake(int *slice_ms);

/* ---- From service.c: the I/O thread --------------------------------------------------------------------- */

enum { CW__DETACH = -1 };

typedef struct cw__client cw__client;

/* The calls that the service makes, in the service thread and without a lock. ready, attend and look return the latest time
 * of the next attend (monotonic ms; INT64_MAX = none needed), or CW__DETACH to be detached. */
typedef struct cw__client_calls {
    int64_t (*ready)(cw__client *client, int fd, unsigned mask);
    int64_t (*attend)(cw__client *client);
    /* A descriptor that the service stands by for (cw__service_stand_by) has data. look is the number of this look. */
    int64_t (*look)(cw__client *client, unsigned look);
    /* The program ends: close within grace_ms after all sent data has arrived; 0 = drop everything. A call of attend
     * follows. It comes again when the time is up: a client that makes progress then calls cw__service_be_patient. */
    void (*shut_down)(cw__client *client, int grace_ms);
    void (*detached)(cw__client *client); /* the service thread no longer uses the client */
    void (*forked)(cw__client *client);   /* called in a child process: close the inherited descriptors */
} cw__client_calls;

struct cw__client {
    const cw__client_calls *calls;
    cw__timer timer;
    cw__client *next_attention;
    cw__client *next, *previous; /* in the list of all attached clients */
    bool is_queued;              /* the client is in the queue for attend; under the service's lock */
    bool is_gone;                /* detached; only the service thread uses this field */
};

/* Attaches a client, and starts the service thread if it does not run. attend is called soon. Returns CW_OK,
 * CW_NO_MEMORY, CW_SYSTEM_ERROR, or CW_INVALID_STATE during a cw_shutdown. The owner keeps the client and must not free
 * it until `detached` is called. The caller may hold the socket's lock. */
cw_status cw__service_attach(cw__client *c);
/* Makes the service thread call attend soon. Any thread; the caller may hold the socket's lock. */
void cw__service_attend(cw__client *c);
/* Registers a function that the service thread calls before it ends. There is room for one. The function frees
 * objects that outlive the clients. Call this only between attach and detached. */
void cw__service_at_end(void (*call)(void));
/* Returns the service's poller, for cw__poller_set with the client as owner. Only between attach and
 * detached. */
cw__poller *cw__service_poller(void);
/* Begins or ends to stand by for a descriptor that an event loop reads: while it has data, look is called every 10 to 40
 * ms. Any thread, between attach and detached. Returns false, with errno, if there is no memory. */
bool cw__service_stand_by(cw__client *c, int fd, bool is_wanted);
/* Returns whether the calling thread is the service thread. */
bool cw__service_is_here(void);
/* Keeps cw_shutdown from dropping everything before due_ms, because a client makes progress. Any thread. */
void cw__service_be_patient(int64_t due_ms);

/* ---- From loss.c: bytes that did not reach a peer ------------------------------------------------------ */

/* Counts bytes of accepted messages that did not reach a peer. */
void cw__loss_add(uint64_t len_bytes);
/* Subtracts bytes that a call has reported. */
void cw__loss_told(uint64_t len_bytes);
/* Returns CW_OK if no bytes are left to report, and otherwise fails with CW_CLOSED and forgets them. */
cw_status cw__loss_report(void);

/* ---- From standby.c: the descriptors that event loops read --------------------------------------------- */

typedef struct cw__standby {
    cw__poller *poller;
    cw__atomic_int count; /* of the descriptors */
    bool is_resting;      /* the outer poller will report that one of them has data */
    int64_t look_due_ms;  /* when the service thread looks at them next, unless it rests */
    int pause_ms;         /* between that look and the one after it */
    unsigned look;        /* the number of looks so far */
} cw__standby;

/* outer: the poller that reports the standby as owner, once, when a descriptor has data. Returns false, with errno, if the
 * system provides no poller. */
bool cw__standby_init(cw__standby *s, cw__poller *outer);
void cw__standby_destroy(cw__standby *s);
/* Adds or removes a descriptor of a client. Do not add one twice, and remove only what was added: count counts the calls. Any
 * thread. Returns false, with errno, if there is no memory. */
bool cw__standby_set(cw__standby *s, int fd, bool is_wanted, cw__client *c);
/* Returns when the next look is due; INT64_MAX = none. */
int64_t cw__standby_due_ms(cw__standby *s);
/* Makes a look due soon, because the outer poller has reported the standby. */
void cw__standby_rouse(cw__standby *s);
/* Looks, if that is due: calls look for each descriptor with data. number is the number of the look. */
void cw__standby_look(cw__standby *s, cw__poller *outer, void (*look)(cw__client *c, unsigned number));

/* ---- From mailbox.c ------------------------------------------------------------------------------------- */

/* The received messages of one socket that have not been taken. Under the socket's lock. */
typedef struct cw__inbox {
    cw_event *first, *last;
    size_t bytes;      /* payloads and the memory of their events */
    size_t high_bytes; /* at least 1 */
    size_t most_bytes; /* the most that bytes has been */
    size_t mark_bytes; /* cw__inbox_rose has nothing to do up to here */
    bool is_full;      /* true from high_bytes on, until half of high_bytes is reached */
} cw__inbox;

/* Notes that bytes is above mark_bytes. */
void cw__inbox_rose(cw__inbox *box);
/* Notes that bytes has grown. A single comparison finds both a full inbox and a new maximum. */
static inline void cw__inbox_grew(cw__inbox *box)
{
    if (box->bytes > box->mark_bytes)
        cw__inbox_rose(box);
}

/* Appends an event, which the inbox then owns. */
void cw__inbox_push(cw__inbox *box, cw_event *e);
/* Puts an event in front of the others; the inbox then owns it. */
void cw__inbox_put_back(cw__inbox *box, cw_event *e);
/* Removes and returns the first event, or NULL. The caller owns it. */
cw_event *cw__inbox_pop(cw__inbox *box);
/* Frees all events. */
void cw__inbox_clear(cw__inbox *box);

/* The part of a socket that a mailbox knows. The thread that drains the mailbox calls take without a lock, and owns the
 * event. take returns NULL if there are no more events, or if there is no memory (*has_no_memory). */
typedef struct cw__subscriber cw__subscriber;
struct cw__subscriber {
    cw__subscriber *next;
    bool is_listed; /* under the mailbox's lock */
    cw_event *(*take)(cw__subscriber *subscriber, bool *has_no_memory);
    void (*hold)(cw__subscriber *subscriber); /* adds the reference of a mailbox that lists the socket */
    void (*drop)(cw__subscriber *subscriber);
};

/* Returns CW_OK, or fails if the mailbox belongs to the parent process. Takes no lock. */
cw_status cw__mailbox_check(const cw_mailbox *m);
/* Add and drop a reference. The owner's own reference is dropped by cw_mailbox_release. Any thread; needs no lock. */
void cw__mailbox_retain(cw_mailbox *m);
void cw__mailbox_release(cw_mailbox *m);
/* Lists a subscriber that has events. Any thread; the caller may hold the socket's lock. */
void cw__mailbox_list(cw_mailbox *m, cw__subscriber *subscriber);

CW__PRIVATE_END

#endif

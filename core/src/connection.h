/* SPDX-License-Identifier: MIT */
/* What lies between the pure rooms and the socket: waiting, the service thread, the mailbox. */
#ifndef CW_CONNECTION_H
#define CW_CONNECTION_H

#include "internal.h"

CW__PRIVATE_BEGIN

/* ---- From wait.c --------------------------------------------------------------------------------------- */

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
/* After each slice: whether the thread's hook is to be asked, and the asking, without locks. A wait that a signal
 * ended makes it due at once. */
bool cw__wait_wants_hook(cw__wait *w);
bool cw__wait_interrupted(cw__wait *w);
void cw__wait_signalled(cw__wait *w);
/* Fails with CW_TIMED_OUT.
 *   what     was waited for: "a message"
 *   option   the control that gives the time by default; CW_OPTION_COUNT = none */
cw_status cw__wait_timed_out(const cw__wait *w, const char *what, cw_option option);
/* A wake-up that belongs to the calling thread, for polling beside a descriptor. Where there is none to be had, one
 * that never wakes (its read_fd is negative), and the slice becomes short enough to do without. */
cw__wake *cw__thread_wake(int *slice_ms);

/* ---- From service.c: the I/O thread --------------------------------------------------------------------- */

/* Counts the forks that led to this process: what was made under another number belongs to the parent. */
int cw__generation(void);

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
 * client must stay until its detached is called. attend is called soon. */
cw_status cw__service_attach(cw__client *client);
/* Asks the service to call attend. Any thread. */
void cw__service_attend(cw__client *client);
/* Has a call made in the service's thread before that ends, for what outlives its clients. There is one such call; only
 * between attach and detached. */
void cw__service_at_end(void (*call)(void));
/* The poller, for cw__poller_set with the client as owner. Only between attach and detached. */
cw__poller *cw__service_poller(void);
/* Whether the calling thread is the service. */
bool cw__service_is_here(void);
/* Keeps cw_shutdown from dropping everything before due_ms: a client makes progress. Any thread. */
void cw__service_be_patient(int64_t due_ms);
/* Counts bytes of accepted messages that did not reach a peer, and takes them back once a call has said so: cw_shutdown
 * reports the others. Any thread. */
void cw__service_lost(uint64_t len_bytes);
void cw__service_told(uint64_t len_bytes);
/* Ends its giving way (cw__mailbox_end_round). Any thread, without locks. */
void cw__service_hurry(void);

/* ---- From race.c: which of a host's addresses connects first --------------------------------------------- */

typedef struct cw__race cw__race;

typedef enum cw__race_state {
    CW__RACE_GATHERING,
    CW__RACE_RUNNING,
    CW__RACE_WON,
    CW__RACE_LOST
} cw__race_state;

struct sockaddr;

/* NULL without memory. */
cw__race *cw__race_create(void);
/* Ends what is under way. Between attach and detached, like all that follow, or before anything was tried. */
void cw__race_destroy(cw__race *r);
/* In a child after fork: closes the copies of the descriptors. */
void cw__race_forked(cw__race *r);
cw__race_state cw__race_state_of(const cw__race *r);
/* errno of the latest attempt that failed. */
int cw__race_errno(const cw__race *r);
/* Adds an address, while gathering. */
void cw__race_add(cw__race *r, const struct sockaddr *to, size_t len_bytes);
bool cw__race_has_addresses(const cw__race *r);
/* All addresses were added: it runs from now on. False without memory, also if one could not be added for want of it. */
bool cw__race_begin(cw__race *r);
/* Goes on, in the name of client, which is attended when there is something to do; returns when to call again at the
 * latest (INT64_MAX = not by itself). It may be won or lost afterwards. */
int64_t cw__race_step(cw__race *r, cw__client *client, int64_t now_ms);
/* The connection that won, and its peer's address, for which there is room; -1 if it was taken already. */
int cw__race_take(cw__race *r, struct sockaddr *from, unsigned *len_bytes);

/* ---- From mailbox.c ------------------------------------------------------------------------------------- */

/* The messages of one socket that wait to be taken. Under the socket's lock. */
typedef struct cw__inbox {
    cw_event *first, *last;
    size_t bytes; /* payloads and what their events take */
    size_t high_bytes;
    bool is_full; /* from the high mark until the low one, which is half of it */
} cw__inbox;

void cw__inbox_push(cw__inbox *box, cw_event *e);
/* In front of the others. */
void cw__inbox_put_back(cw__inbox *box, cw_event *e);
cw_event *cw__inbox_pop(cw__inbox *box);
void cw__inbox_clear(cw__inbox *box);

/* What a mailbox knows of a socket. take is called without locks, by the thread that drains; NULL is "nothing any
 * more", unless it sets *has_no_memory. */
typedef struct cw__subscriber cw__subscriber;
struct cw__subscriber {
    cw__subscriber *next;
    bool is_listed; /* under the mailbox's lock */
    cw_event *(*take)(cw__subscriber *subscriber, bool *has_no_memory);
    void (*hold)(cw__subscriber *subscriber); /* one reference while it is listed */
    void (*drop)(cw__subscriber *subscriber);
};

/* CW_OK, or the failure that a mailbox of a parent process deserves. */
cw_status cw__mailbox_check(const cw_mailbox *m);
/* References beside the owner's, which is given back by cw_mailbox_release. */
void cw__mailbox_retain(cw_mailbox *m);
void cw__mailbox_release(cw_mailbox *m);
/* Says that a subscriber has events. Any thread; the caller may hold the socket's lock. The service then owes the
 * taker a signal. */
void cw__mailbox_list(cw_mailbox *m, cw__subscriber *subscriber);
/* For the service, without locks: gives the signal that it owes. */
void cw__mailbox_tell_taker(void);
/* The same, at the end of a round; may_wait: nothing else is to be done at once. True: it had better give way to the
 * taker for a little. */
bool cw__mailbox_end_round(bool may_wait);

CW__PRIVATE_END

#endif

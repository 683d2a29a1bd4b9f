/* SPDX-License-Identifier: MIT */
/* The socket object, for the files of this folder. They stand below from the ground up: each calls those above it, and none
 * below it.
 *
 * Safety: everything in the struct is under `lock` unless it says otherwise. A function whose name ends in _locked needs
 * the lock, and keeps it unless it says that it gives it up; the others say what they need. The lock is never held while
 * waiting. Order: socket, pool, then service or mailbox. The CURL handle is touched under the lock only (libcurl: one thread
 * at a time). The descriptor is closed by the service thread alone, and only while no thread polls it (polling_count).
 *
 * Owns: a socket that is passed is the caller's, who holds a reference or is the service; so are texts and data. What a
 * function gives out belongs to the socket unless it says otherwise. */
#ifndef CW_SOCKET_H
#define CW_SOCKET_H

#include "../engine/engine.h"
#include "../transport/codec.h"

CW__PRIVATE_BEGIN

enum { CW__ADDRESS_BYTES = 64 };

typedef struct cw__settings {
    int64_t numbers[CW_OPTION_COUNT]; /* of text, a list or bytes: its length in bytes */
    char *texts[CW_OPTION_COUNT];     /* NULL = empty; a NUL stands behind the last byte */
    char *headers; /* lines, each with "\n", or NULL: "Name: value", "Name;" = empty, "Name:" = not sent */
} cw__settings;

/* A frame that waits to be sent, or its rest. */
typedef struct cw__queued_frame {
    struct cw__queued_frame *next;
    size_t len_bytes, sent_bytes;
    uint8_t opcode;
    bool is_final;
    bool is_begun; /* the codec has it: it must be gone on with before any other frame */
    uint8_t data[];
} cw__queued_frame;

/* What the thread does that is in the middle of sending a message. Other messages wait until it is done. */
typedef enum cw__sending {
    CW__SENDING_NOTHING,
    CW__SENDING_PIECES,  /* of a compressed message; between two of them the queue is written */
    CW__SENDING_DIRECTLY /* it writes what the connection takes; the queue waits */
} cw__sending;

/* The message that cw_socket_send_fragment has begun. */
typedef enum cw__fragments { CW__FRAGMENTS_NONE, CW__FRAGMENTS_PLAIN, CW__FRAGMENTS_COMPRESSED } cw__fragments;

typedef struct cw__outbound {
    cw__queued_frame *first, *last;
    size_t data_bytes;         /* of queued data frames, with what they take */
    uint64_t progress_bytes;   /* that the connection has taken so far */
    unsigned pong_count;       /* queued pongs */
    unsigned wants_read_count; /* writes in a row that took nothing because TLS has to read first */
    cw__sending sending;
    cw__wake *sender;    /* of the thread that sends directly, while it polls */
    bool is_broken;      /* writing has failed; reading finds the end, s->fault says why */
    bool wants_writable; /* a send said CW_WOULD_BLOCK */
    cw__fragments fragments;
    cw_kind fragments_kind;
    unsigned batch_count;   /* batches that are open */
    uint64_t control_bytes; /* of control frames behind the last message, as TCP sees them */
    uint64_t lost_bytes;    /* of accepted messages; as far as is known they did not reach the peer */
    bool is_loss_told;      /* a call has reported it */
    cw__utf8 utf8;          /* of the open text message */
    cw__deflater *deflater; /* of the thread that sends pieces; NULL before the first compressed message */
} cw__outbound;

/* Who reads the connection. */
typedef enum cw__reader {
    CW__READER_SERVICE,
    CW__READER_CALLER, /* threads that call receive and read; the service looks whether they still come */
    CW__READER_POLLING /* the service has found one of them polling, which tells it when it leaves */
} cw__reader;

/* What has come since ping.c was told. */
typedef enum cw__heard { CW__HEARD_NOTHING, CW__HEARD_PONGS, CW__HEARD_MORE } cw__heard;

typedef struct cw__inbound {
    cw__message message;
    cw__inflater *inflater; /* NULL unless compression was agreed */
    cw__inbox inbox;
    cw__reader reader;
    size_t run_bytes; /* that came since there was nothing more */
    bool is_drained;  /* the codec had nothing more: only the descriptor can tell */
    cw__heard heard;
    uint32_t turns, turns_seen; /* of callers, and how many the service has taken note of */
    int64_t reclaim_due_ms;     /* when the service looks whether callers have left */
    cw__wake *receiver;         /* of the thread that polls to receive */
} cw__inbound;

typedef struct cw__ping {
    struct cw__ping *next; /* on the waiting threads' stacks */
    uint64_t number;
    int64_t sent_us, rtt_us;
    bool is_answered;
} cw__ping;

/* An answer to a ping of the peer's. */
typedef struct cw__pong {
    struct cw__pong *next;
    uint8_t len_bytes;
    uint8_t data[CW__CONTROL_MAX_BYTES];
} cw__pong;

typedef struct cw__pings {
    cw__ping *waiting;
    unsigned waiting_count;
    uint64_t last_number;
    int64_t next_ms;     /* when the next keepalive ping is due */
    int64_t deadline_ms; /* when something must have come since the first keepalive ping after the last byte */
    int64_t heard_ms;    /* when something came last, as far as that is noted; or when reading went on */
    int64_t acknowledged_bytes; /* by the peer's system when it was sent, or looked at last */
    bool has_more;              /* data was on its way then */
    bool is_paused;             /* the inbox was found full, and has not been emptied by half since */
    bool is_behind;             /* the inbox was full, and what came meanwhile may not be read yet */
    cw__pong *owed;             /* to the peer's pings, the oldest first; ping.c says when they go out */
    unsigned owed_count;
    uint64_t owed_bytes; /* read since the oldest of those pings */
} cw__pings;

/* What was sent before our close frame is on its way: the time of the closing handshake begins when the peer's system has
 * all of it. */
typedef struct cw__drain {
    bool is_on;
    int held_bytes;          /* by our system, at the latest look */
    uint64_t progress_bytes; /* out.progress_bytes then */
    int64_t progress_ms;     /* when it was last seen to go on */
} cw__drain;

struct cw_socket {
    cw__client client;
    cw__subscriber subscriber;
    cw__atomic_int handles;    /* public references; the last one closes the connection */
    cw__atomic_int references; /* handles (as one), the service, a mailbox's list and events */
    int generation;            /* constant */
    cw_class socket_class;     /* constant */
    _Atomic(void *) user;
    cw__atomic_int state; /* cw_state; written under the lock, read without */

    cw__mutex turn;        /* to have the lock next, where that has to be fair; taken before it */
    cw__atomic_int wanted; /* threads in cw__socket_enter that wait for the lock */
    cw__mutex lock;
    cw__cond changed;
    unsigned waiting_count; /* threads that wait for changed */
    unsigned polling_count; /* threads that poll fd */
    bool is_attached;       /* to the service */

    cw__settings settings;
    char *uri, *protocol, *reply, *extensions;
    cw__compression compression; /* as agreed */
    char local_address[CW__ADDRESS_BYTES], remote_address[CW__ADDRESS_BYTES];

    struct cw__connecting *connecting; /* connect.c; NULL unless connecting */
    cw__error connect_error;           /* CW_OK in it: the connect went well */
    void *easy;                        /* libcurl's, of an open connection; freed by connect.c */
    struct cw__pool *pool;             /* that it belongs to */
    int fd;
    unsigned watched;    /* the mask set in the poller */
    bool is_unwatchable; /* the system has no memory for that: the service ends the connection */
    cw__codec *codec;
    const char *framing; /* the codec's name; NULL before it is there */
    cw__error fault;     /* why the connection ended, for CW_CLOSED */

    cw__inbound in;
    cw__outbound out;
    cw__pings pings;
    cw__close close;
    cw__drain drain;
    bool is_closed_locally; /* nothing is given out any more */
    bool is_cut_short;      /* the peer's close frame came before the end of a message that it had begun */
    int grace_ms;           /* for a closing handshake, once the program ends; -1 before */

    cw_mailbox *mailbox;
    unsigned event_mask;     /* subscribed */
    unsigned pending_events; /* cw_event_type bits, but for messages */
};

/* ---- From state.c: the ground of this folder ----------------------------------------------------------- */

/* CW_OK, or the failure of the calling thread that a socket of a parent process deserves. No lock. */
cw_status cw__socket_check(const cw_socket *s);
/* CW_OK once a connect went well, also after its end; or CW_INVALID_STATE. No lock. */
cw_status cw__socket_check_connected(const cw_socket *s);
void cw__socket_set_state_locked(cw_socket *s, cw_state state);
/* No lock. */
static inline cw_state cw__socket_state(const cw_socket *s) { return (cw_state)atomic_load(&s->state); }
/* Wakes all that wait for something to change. */
void cw__socket_changed_locked(cw_socket *s);
/* Also those that poll. */
void cw__socket_wake_locked(cw_socket *s);
/* Posts an event, or (for messages) says that there is one. */
void cw__socket_post_locked(cw_socket *s, cw_event_type type);
/* Asks the service to attend, if it has the socket. */
void cw__socket_attend_locked(cw_socket *s);
/* Sets the poller to what the socket's state asks for. Where the system has no memory for that, the service ends the
 * connection at its next look. */
void cw__socket_watch_locked(cw_socket *s);
/* Hands the reading to the calling threads, and back. The service looks after CW__LINGER_MS whether they have left. */
enum { CW__LINGER_MS = 10 };
void cw__inbound_take_over_locked(cw_socket *s);
void cw__inbound_give_back_locked(cw_socket *s);
/* Looks whether callers have left. Service thread only. */
void cw__inbound_reclaim_locked(cw_socket *s, int64_t now_ms);

/* ---- From settings.c ----------------------------------------------------------------------------------- */

/* The socket owns the texts. No lock: nobody else has the socket. */
void cw__settings_init(cw__settings *settings);
void cw__settings_destroy(cw__settings *settings);
/* The lock, or a state in which settings do not change any more (connecting and later). */
static inline int64_t cw__setting(const cw_socket *s, cw_option option) { return s->settings.numbers[option]; }
/* The same for text, a list or bytes, which are the socket's; cw__setting gives the length. */
const char *cw__setting_text(const cw_socket *s, cw_option option);

/* ---- From queue.c: frames that wait to be written -------------------------------------------------------- */

enum { CW__FRAME_COST_BYTES = 64 /* what a queued frame takes beside its payload */ };

/* No lock. */
static inline bool cw__queue_is_control(uint8_t opcode) { return (opcode & 0x8) != 0; }

/* A copy of the payload, the caller's until it is queued; cw__free otherwise. NULL without memory. No lock. */
cw__queued_frame *cw__queue_make(uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes);
/* The queue owns the frame from now on: last, or first. */
void cw__queue_append_locked(cw_socket *s, cw__queued_frame *f);
void cw__queue_prepend_locked(cw_socket *s, cw__queued_frame *f);
/* Frees the first. */
void cw__queue_remove_first_locked(cw_socket *s);
/* Queues a copy of a control frame: before queued data that has not begun, or (a close frame) behind it. False without
 * memory. */
bool cw__queue_control_locked(cw_socket *s, uint8_t opcode, const uint8_t *data, size_t len_bytes,
                              bool is_last);
/* Throws away what has not begun, and counts it as lost. */
void cw__queue_drop_locked(cw_socket *s);
/* Throws away everything, and counts it as lost. */
void cw__queue_lose_locked(cw_socket *s);
/* Throws away everything. The lock, or a socket that nobody else has. */
void cw__queue_destroy(cw__outbound *out);
/* Counts bytes of accepted messages that will not reach the peer. */
void cw__queue_count_lost_locked(cw_socket *s, uint64_t len_bytes);

/* ---- From pong.c: what is heard of the peer -------------------------------------------------------------- */

enum {
    CW__PING_NUMBER_BYTES = 8,
    CW__LULL_MS =
        250 /* longer than a round trip, and than it takes a kernel to use a window that opens again */
};

/* A ping came: its pong is owed. False without memory. */
bool cw__pings_owe_locked(cw_socket *s, const uint8_t *payload, size_t len_bytes);
/* Queues the pongs that are owed, if they may go out now. False without memory: they are forgotten, and the connection has
 * to be given up. */
bool cw__pings_pay_locked(cw_socket *s, int64_t now_ms);
/* The same, whether they may or not: before our close frame. */
bool cw__pings_pay_all_locked(cw_socket *s);
/* Drops them: the peer reads no more. The lock, or a socket that nobody else has. */
void cw__pings_forget(cw__pings *pings);
/* Something comes after a time in which nothing did. */
void cw__pings_stirred_locked(cw_socket *s, int64_t now_ms);
/* Takes note of what has come. */
static inline void cw__pings_note_locked(cw_socket *s, const cw__piece *piece)
{
    if (s->pings.is_behind && s->in.run_bytes == 0)
        cw__pings_stirred_locked(s, cw__now_ms());
    if (piece->opcode != CW__OP_PONG)
        s->in.heard = CW__HEARD_MORE;
    else if (s->in.heard == CW__HEARD_NOTHING)
        s->in.heard = CW__HEARD_PONGS;
    if (s->pings.owed)
        s->pings.owed_bytes += piece->len_bytes;
    s->in.run_bytes += piece->len_bytes;
}
/* A pong came. */
void cw__pings_answered_locked(cw_socket *s, const uint8_t *payload, size_t len_bytes);
/* The time on a clock that a control sets; without one, never. */
static inline int64_t cw__pings_after(int64_t now_ms, int64_t ms) { return ms <= 0 ? INT64_MAX : now_ms + ms; }
/* The connection is open: the clocks of keepalive begin. */
void cw__pings_start_locked(cw_socket *s, int64_t now_ms);
/* Writing has failed: no more pings, and a limit for reading to find the end. */
void cw__pings_broken_locked(cw_socket *s, int64_t now_ms);
/* All that had come has been read, at that time; in.heard says what it was. */
void cw__pings_heard_locked(cw_socket *s, int64_t now_ms);
/* Reading stops, because the inbox is full. */
void cw__pings_paused_locked(cw_socket *s);
/* The inbox is no longer full: the service goes on reading. */
void cw__pings_resumed_locked(cw_socket *s, int64_t now_ms);

/* ---- From life.c: references, the lock, waiting ---------------------------------------------------------- */

/* One reference more, which is the caller's until it drops it; the last drop frees the socket. No lock. */
void cw__socket_hold(cw_socket *s);
void cw__socket_drop(cw_socket *s);
/* Takes a reference before a call gives the lock up for the first time: another thread may release the socket meanwhile.
 * It is the wait's until cw__socket_leave_locked. */
void cw__socket_hold_for(cw_socket *s, cw__wait *wait);
/* Takes the lock, and is the next to have it. */
void cw__socket_enter(cw_socket *s);
/* Whether a thread waits in cw__socket_enter. No lock. */
bool cw__socket_is_wanted(const cw_socket *s);
/* As cw__link_never_waits, also while there is no connection. Whoever has turned it on turns it off before giving up
 * the lock. */
bool cw__socket_never_waits_locked(cw_socket *s, bool is_on);
/* Each of the next gives the lock up meanwhile, and has it again when it returns. It calls cw__socket_hold_for first.
 *
 * Lets others have the lock who wait for it, in the middle of a long piece of work. */
void cw__socket_give_way_locked(cw_socket *s, cw__wait *wait);
/* Waits for a change. CW_OK: look again; CW_TIMED_OUT, CW_INTERRUPTED: no error text is set yet. */
cw_status cw__socket_wait_locked(cw_socket *s, cw__wait *wait);
/* Asks the thread's hook if it is time to, without the lock. CW_OK or CW_INTERRUPTED. */
cw_status cw__socket_ask_hook_locked(cw_socket *s, cw__wait *wait);
/* Waits for a change, polling the descriptor for events too; *slot names the thread meanwhile. It does not ask the hook:
 * the caller does, when it has put down what it holds. */
cw_status cw__socket_poll_locked(cw_socket *s, short events, cw__wake **slot, cw__wait *wait);
/* Unlocks for good, at the end of a call that may have waited, and drops the wait's reference; returns status. The socket
 * may be gone afterwards. */
cw_status cw__socket_leave_locked(cw_socket *s, cw__wait *wait, cw_status status);

/* ---- From closing.c: the closing handshake and the end ----------------------------------------------------- */

void cw__closing_begin_locked(cw_socket *s, int code, const char *reason, size_t reason_bytes);
void cw__closing_received_locked(cw_socket *s, const uint8_t *payload, size_t len_bytes);
void cw__closing_violated_locked(cw_socket *s, const cw__violation *violation);
/* The close frame that was queued has gone out. */
void cw__closing_sent_locked(cw_socket *s);
/* TCP has ended, or is given up; s->fault says why, where it is known. What was accepted and has not gone out counts as
 * lost. */
void cw__closing_ended_locked(cw_socket *s, const char *why);
/* The same for want of memory: fills s->fault. */
void cw__closing_no_memory_locked(cw_socket *s, const char *why);
/* Whether what was sent before our close frame is still on its way. The lock. */
bool cw__closing_is_draining(const cw_socket *s);
/* Ends a closing handshake whose time is up. */
void cw__closing_attend_locked(cw_socket *s, int64_t now_ms);
/* When to look again; INT64_MAX = not by itself. */
int64_t cw__closing_due_locked(const cw_socket *s);
/* Whether reading may end here without an error: cw_socket_ended_normally says when. */
bool cw__closing_is_normal_locked(const cw_socket *s);
/* Fills the calling thread's error for a connection that is closed or closing, and returns CW_CLOSED. */
cw_status cw__closing_fail_locked(cw_socket *s);
/* The closed event, once it is due: the caller's. NULL without memory. */
cw_event *cw__closing_event_locked(cw_socket *s);

/* ---- From outbound.c: writing ---------------------------------------------------------------------------- */

/* Whether TLS has to read before it writes (codec.h: wants_read). The descriptor is writable then, so that polling for
 * that would return at once, again and again: writing is tried every CW__WRITE_AGAIN_MS instead. */
enum { CW__WRITE_AGAIN_MS = 10, CW__WANTS_READ_AT_MOST = 2 /* room may have come just after a write */ };
static inline bool cw__outbound_wants_read(const cw_socket *s)
{
    return s->out.wants_read_count > CW__WANTS_READ_AT_MOST;
}
/* Writes what the connection takes. */
void cw__outbound_flush_locked(cw_socket *s);
/* The same for the messages of a batch, which the codec holds back. */
void cw__outbound_release_locked(cw_socket *s);
/* Waits until a message of that length may go out: no thread sends but for mine (what the caller is sending), and nothing is
 * queued. A call that must not wait needs only room in the queue. Gives the lock up meanwhile. */
cw_status cw__outbound_turn_locked(cw_socket *s, size_t len_bytes, cw__sending mine, cw__wait *wait);
/* Sends a frame whose turn it is; CW__RSV1 may be in the opcode. Gives the lock up while it waits; the data stay the
 * caller's, which is done with them when it returns. */
cw_status cw__outbound_send_locked(cw_socket *s, uint8_t opcode, bool ends_message, const uint8_t *data,
                                   size_t len_bytes, cw__wait *wait);
/* Both in one. more_follow: another message comes at once; small ones go in one write. */
cw_status cw__outbound_message_locked(cw_socket *s, uint8_t opcode, bool ends_message, bool more_follow,
                                      const uint8_t *data, size_t len_bytes, cw__wait *wait);
/* Drops the connection for a message of which a part is out already; returns CW_CLOSED. */
cw_status cw__outbound_break_off_locked(cw_socket *s, cw_status status, const cw__wait *wait);

/* ---- From compressing.c ---------------------------------------------------------------------------------- */

/* Whether a message of that length goes out compressed. No lock once the socket is open. */
bool cw__compressing_is_wanted(const cw_socket *s, size_t len_bytes);
/* Sends a message, or a fragment, compressed; CW__RSV1 is in the opcode of a beginning. As a send without. */
cw_status cw__compressing_send_locked(cw_socket *s, uint8_t opcode, bool ends_message, const void *data,
                                      size_t len_bytes, cw__wait *wait);

/* ---- From inbound.c: reading ----------------------------------------------------------------------------- */

/* Reads what there is, within a fair share, for the service. */
void cw__inbound_serve_locked(cw_socket *s);
/* Whether what comes has no meaning any more, and nothing of ours has to go out before it is thrown away. */
bool cw__inbound_may_discard(const cw_socket *s);
/* Whether the calling thread may read the connection itself: nobody else is at it. The lock. */
static inline bool cw__inbound_may_read(const cw_socket *s)
{
    return s->codec && s->close.state == CW__CLOSE_NONE && !s->in.receiver;
}
/* Reads without waiting, until there is a message in the inbox or in a place that was lent, or, if coming_bytes is
 * asked for, until a large one begins to come. */
void cw__inbound_read_now_locked(cw_socket *s, const cw_event *place, size_t *coming_bytes);
/* Reads bytes of a stream without waiting; returns how many. */
size_t cw__inbound_read_stream_locked(cw_socket *s, void *buffer, size_t size_bytes);
/* The next event for a mailbox among the messages: the caller's; or NULL. */
cw_event *cw__inbound_pop_locked(cw_socket *s);

/* ---- From ping.c: our pings -------------------------------------------------------------------------------- */

/* Sends what is due; true if the connection has to be given up for silence. Service thread only. */
bool cw__pings_attend_locked(cw_socket *s, int64_t now_ms);
int64_t cw__pings_due_locked(const cw_socket *s);

/* ---- From connect.c ---------------------------------------------------------------------------------------- */

/* The service's call while connecting. INT64_MAX, a time, or CW__DETACH. */
int64_t cw__connecting_attend_locked(cw_socket *s);
/* In a child after fork: closes the copies of the descriptors. No lock. */
void cw__connecting_forked(cw_socket *s);
/* Makes a connect end with OperationCanceled. */
void cw__connecting_cancel_locked(cw_socket *s);
/* Frees what libcurl holds. Service thread only, nobody polling. */
void cw__connection_teardown_locked(cw_socket *s);

/* ---- From closing_calls.c ---------------------------------------------------------------------------------- */

/* The program ends: the handshake gets so much time at the most, once everything sent has arrived; 0 = drop everything. */
void cw__closing_shut_down_locked(cw_socket *s, int grace_ms);

CW__PRIVATE_END

#endif

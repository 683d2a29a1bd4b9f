/* SPDX-License-Identifier: MIT */
/* The socket object: its struct and the structs of its parts. socket.h, which includes this file, has the functions and says
 * what the lock guards. */
#ifndef CW_SOCKET_PARTS_H
#define CW_SOCKET_PARTS_H

CW__PRIVATE_BEGIN

enum { CW__ADDRESS_BYTES = 128 };

typedef struct cw__settings {
    /* the value of a number; the length in bytes of a text, a list or bytes */
    int64_t numbers[CW_OPTION_COUNT];
    char *texts[CW_OPTION_COUNT]; /* NULL = empty; a NUL follows the last byte */
    /* Lines that end with "\n", or NULL. "Name: value"; "Name;" = an empty value; "Name:" = not sent. */
    char *headers;
    cw_cookie_jar *jar; /* with a reference; NULL = none, or the control cookie_jar names a file */
} cw__settings;

/* A frame, or the rest of one, that waits to be sent. */
typedef struct cw__queued_frame {
    struct cw__queued_frame *next;
    size_t len_bytes, sent_bytes;
    uint8_t opcode;
    bool is_final;
    bool is_begun; /* the codec has begun this frame, which must be finished before any other */
    bool is_told;  /* its send has failed, so the program knows that it may be lost */
    uint8_t data[];
} cw__queued_frame;

/* How a thread sends its message. The messages of other threads wait until it has finished. */
typedef enum cw__sending {
    CW__SENDING_NOTHING, /* no thread is sending */
    /* A thread sends a compressed message in pieces. Between two pieces, this thread and
     * other threads may write the queue. */
    CW__SENDING_PIECES,
    CW__SENDING_DIRECTLY /* a thread writes its message whenever the connection accepts bytes; the queue waits */
} cw__sending;

/* Whether the message that cw_socket_send_fragment has begun and not ended is compressed. */
typedef enum cw__fragments { CW__FRAGMENTS_NONE, CW__FRAGMENTS_PLAIN, CW__FRAGMENTS_COMPRESSED } cw__fragments;

typedef struct cw__outbound {
    cw__queued_frame *first, *last;
    size_t data_bytes;       /* size of the queued data frames, each with CW__FRAME_COST_BYTES */
    unsigned data_count;     /* number of those frames */
    uint64_t progress_bytes; /* bytes that the connection has accepted so far */
    unsigned pong_count;
    unsigned wants_read_count; /* writes in a row that sent nothing because TLS has to read first */
    cw__sending sending;
    cw__wake *sender;    /* wakes the thread that sends directly; NULL unless that thread polls */
    bool is_broken;      /* writing has failed: s->fault says why, and reading finds the end */
    bool wants_writable; /* a send returned CW_WOULD_BLOCK */
    cw__fragments fragments;
    cw_message_type fragments_message_type;
    const void *fragments_owner; /* of the message that is sent in fragments; compared, never read */
    unsigned batch_count;        /* open batches */
    uint64_t control_bytes;      /* bytes of control frames after the last message, as TCP counts them */
    uint64_t lost_bytes;    /* bytes of accepted messages that, as far as is known, did not reach the peer */
    size_t unsent_count;    /* messages that the codec held back when the connection ended */
    bool is_loss_told;      /* a call has reported the lost bytes */
    cw__utf8 utf8;          /* the check of the open text message */
    cw__deflater *deflater; /* used by the thread that sends pieces; NULL before the first compressed message */
} cw__outbound;

/* Who reads the connection. */
typedef enum cw__reader {
    CW__READER_SERVICE, /* the service thread */
    CW__READER_CALLER,  /* threads that call receive; the service thread checks whether they still do */
    CW__READER_POLLING  /* a calling thread, which polls; it tells the service thread when it stops */
} cw__reader;

/* The kinds of frames that were received since cw__pings_heard_locked was last called: none, pongs only, or others. */
typedef enum cw__heard { CW__HEARD_NOTHING, CW__HEARD_PONGS, CW__HEARD_MORE } cw__heard;

typedef struct cw__inbound {
    cw__message message;
    cw__inflater *inflater; /* NULL unless compression was agreed */
    cw__inbox inbox;
    cw__reader reader;
    size_t run_bytes; /* bytes received since the connection was last empty */
    bool is_drained;  /* the codec had no more bytes; the descriptor shows when more arrive */
    cw__heard heard;
    uint32_t turns,
        turns_seen; /* the number of calls that read, and that number when the service thread last looked */
    uint32_t
        look_turns; /* turns, when the service thread last looked after an event loop (cw__service_stand_by) */
    unsigned look_seen;      /* the number of that look */
    int64_t reclaim_due_ms;  /* when the service thread checks whether the callers have stopped */
    cw__wake *receiver;      /* wakes the thread that receives; NULL unless that thread polls */
    const void *streamer;    /* reads the current message by cw_socket_receive_part; NULL = none */
    bool is_stream_ended;    /* the streamer has the last part */
    bool is_skipping;        /* the rest of the message that is arriving is dropped */
    bool is_looped;          /* an event loop polls the descriptor (looping.c) */
    bool is_stood_by;        /* the service thread stands by for it */
    cw__atomic_int is_ready; /* the loop has found the descriptor readable; needs no lock */
} cw__inbound;

typedef struct cw__ping {
    struct cw__ping *next; /* the list lies on the stacks of the waiting threads, and in cw_pings */
    uint64_t number;
    int64_t sent_us, rtt_us;
    bool is_answered;
    bool is_started; /* by cw_socket_ping_start: CW_EVENT_PONG tells of its result */
} cw__ping;

/* The answer to a ping from the peer. */
typedef struct cw__pong {
    struct cw__pong *next;
    uint8_t len_bytes;
    uint8_t data[CW__CONTROL_MAX_BYTES];
} cw__pong;

typedef struct cw__pings {
    cw__ping *waiting;
    unsigned waiting_count;
    uint64_t last_number;
    int64_t last_us;     /* when the ping with last_number was sent; 0 = its pong has come */
    int64_t next_ms;     /* when the next keepalive ping is due */
    int64_t pong_ms;     /* when the next unsolicited pong is due, if no data is arriving */
    int64_t deadline_ms; /* the connection counts as lost then, unless a byte arrives before */
    int64_t heard_ms;    /* when bytes last arrived, as far as noted, or when reading resumed */
    int64_t lull_ms;     /* how long after heard_ms the peer may still send old bytes; at least CW__LULL_MS */
    /* bytes that the peer's system had acknowledged when the ping was sent, or at the last check */
    int64_t acknowledged_bytes;
    bool has_more;  /* data was under way when acknowledged_bytes was set */
    bool is_paused; /* the inbox was found full and is still more than half full */
    bool is_behind; /* the inbox was full, and bytes from that time may still be unread in the kernel */
    cw__pong *owed; /* pongs to the peer's pings, the oldest first; ping.c decides when they are sent */
    unsigned owed_count;
    uint64_t owed_bytes; /* bytes read since the oldest unanswered ping arrived */
    int64_t owed_ms;     /* when that ping arrived, or later, when reading had last stopped */
} cw__pings;

/* The state of draining: data sent before our close frame has not all arrived. The time for the closing handshake
 * begins when the peer's system has all of that data. */
typedef struct cw__drain {
    bool is_on;
    int held_bytes;          /* bytes in our kernel at the last check */
    uint64_t progress_bytes; /* out.progress_bytes at the last check */
    int64_t progress_ms;     /* when progress was last seen */
} cw__drain;

/* What cw_socket_get_statistics shows and no other field has (statistics.c). */
typedef struct cw__counts {
    uint64_t messages_sent[2], messages_received[2]; /* by cw_message_type */
    uint64_t bytes_sent, bytes_received;
    uint64_t frames_sent[CW__OPCODE_COUNT];
    uint64_t wire_bytes_sent, wire_bytes_received; /* those of the link, when there is none any more */
    uint64_t round_trips, round_trip_sum_us, round_trip_last_us, round_trip_least_us, round_trip_most_us;
    uint32_t round_trips_us[CW_LATENCY_ROUND_TRIPS]; /* number i is at i modulo the size */
    uint64_t failed_connects, ended_connections;
    size_t send_queue_bytes_most;
} cw__counts;

/* The question about the server's certificate (question.c). */
typedef struct cw__question {
    bool is_on; /* a connect over wss asks */
    enum { CW__QUESTION_NOT, CW__QUESTION_ASKED, CW__QUESTION_ANSWERED } state;
    bool is_told; /* cw_socket_wait_connected has returned CW_QUESTION */
    cw_answer answer;
} cw__question;

struct cw_socket {
    cw__client client;
    cw__subscriber subscriber;
    cw__atomic_int handles;    /* public references; the last release closes the connection */
    cw__atomic_int references; /* all handles (as one), the service, a mailbox's list, and events */
    int generation;            /* constant */
    cw_class socket_class;     /* constant */
    _Atomic(void *) user;
    cw__atomic_int state; /* cw_state; written under the lock, read without */

    /* A thread that has to wait for lock takes turn first. So waiting threads get lock before a thread that comes back
     * at once. */
    cw__mutex turn;
    cw__atomic_int wanted; /* number of threads that wait for lock in cw__socket_enter */
    cw__mutex lock;
    cw__cond changed;
    unsigned waiting_count; /* threads that wait for changed */
    unsigned polling_count; /* threads that poll fd */
    bool is_attached;       /* the service thread calls this socket */

    cw__settings settings;
    char *uri, *protocol, *reply, *extensions, *authorities;
    char *effective_uri; /* where redirects have led, without user and password; NULL = they have led nowhere */
    uint8_t *chain;      /* the server's Certificate message (TLS), or NULL */
    size_t chain_bytes;
    uint8_t *body; /* of the refusal of the last connect, or NULL */
    size_t body_bytes;
    unsigned ignored;   /* the set of errors of the server's certificate that the last connect has ignored */
    cw_timings timings; /* of the last connect */
    cw__tls_facts tls;  /* the same; empty texts without TLS */
    cw__compression compression; /* the agreed terms */
    char local_address[CW__ADDRESS_BYTES], remote_address[CW__ADDRESS_BYTES];

    int given; /* a copy of the descriptor of cw_socket_set_connected_socket; -1 = none, or a connect has taken it */
    bool is_given; /* one was given, so the socket makes no connection itself */
    cw__question question;
    struct cw__connecting *connecting; /* belongs to connect.c; NULL unless connecting */
    cw__error connect_error;           /* result of the last connect; status CW_OK if it succeeded */
    int fd;
    unsigned watched;    /* the mask set in the poller */
    bool is_unwatchable; /* the poller had no memory to watch fd, so the service thread ends the connection */
    cw__codec *codec;
    const char *framing; /* the name of the codec; NULL before there is one */
    cw__error fault;     /* why the connection ended: the error of calls that return CW_CLOSED */

    cw__inbound in;
    cw__outbound out;
    cw__pings pings;
    cw__counts counts;
    struct cw__tracing *tracing; /* belongs to tracing.c; NULL = no trace */
    cw__close close;
    cw__drain drain;
    bool is_closed_locally; /* this program has closed the socket; calls return no more received messages */
    bool is_cut_short;      /* the peer's close frame came in the middle of a message */
    int grace_ms;           /* time for a closing handshake when the program ends; -1 until the program ends */

    cw_socket *next_counted, *previous_counted; /* under the lock of statistics.c, like enrolment */
    int enrolment;                              /* 0 = not in the list of statistics.c */

    cw_mailbox *mailbox;
    unsigned event_mask;     /* subscribed */
    unsigned pending_events; /* cw_event_type bits, without messages */
};

CW__PRIVATE_END

#endif

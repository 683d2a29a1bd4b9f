/* SPDX-License-Identifier: MIT */
/* The socket object, for the files of this folder. The declarations are in the order of the layers: a file calls only
 * files whose declarations are above its own.
 *
 * Safety: the lock of the socket (`lock`) guards everything in the struct that has no other note. A function whose
 * name ends in _locked needs the lock. It keeps the lock unless its comment says that it gives the lock up. The
 * comments of the other functions say what they need. No thread holds the lock while it waits. The order of locks is:
 * socket, pool, then service, mailbox or the store of TLS sessions. The CURL handle is used under the lock only, because
 * libcurl allows one thread at a time. The service thread alone closes the descriptor, and only while no thread polls
 * it (polling_count).
 *
 * Owns: a socket that is passed belongs to the caller, which holds a reference or is the service thread. Texts and data that
 * are passed belong to the caller too. What a function returns belongs to the socket unless its comment says
 * otherwise. */
#ifndef CW_SOCKET_H
#define CW_SOCKET_H

#include "../engine/engine.h"
#include "../transport/codec.h"
#include "parts.h"

CW__PRIVATE_BEGIN

/* ---- From state.c: the state, wake-ups, and who reads -------------------------------------------------- */

/* Checks that the socket was made in this process, not in the parent of a fork.
 * Returns CW_OK or CW_AFTER_FORK. Needs no lock. */
cw_status cw__socket_check(const cw_socket *s);
/* Checks that a connect has succeeded, even if the connection has ended since.
 * Returns CW_OK or CW_INVALID_STATE. Needs no lock. */
cw_status cw__socket_check_connected(const cw_socket *s);
void cw__socket_set_state_locked(cw_socket *s, cw_state state);
/* No lock. */
static inline cw_state cw__socket_state(const cw_socket *s) { return (cw_state)atomic_load(&s->state); }
/* Wakes all threads that wait for a change in cw__socket_wait_locked. */
void cw__socket_changed_locked(cw_socket *s);
/* Wakes all threads that wait in cw__socket_wait_locked or cw__socket_poll_locked. */
void cw__socket_wake_locked(cw_socket *s);
/* Posts an event to the mailbox, if that subscribes to it. CW_EVENT_MESSAGE means that the inbox has a message. */
void cw__socket_post_locked(cw_socket *s, cw_event_type type);
/* Asks the service to attend to the socket, if it is attached. */
void cw__socket_attend_locked(cw_socket *s);
/* Makes the poller watch for reading, writing, both or none, as the socket's state needs. If the system has no memory
 * for that, the service thread ends the connection when it next attends. */
void cw__socket_watch_locked(cw_socket *s);
/* Hand the reading to the calling threads, and back to the service thread. The service thread checks after
 * CW__LINGER_MS whether the callers have stopped. If an event loop polls the descriptor, it stands by instead. */
enum { CW__LINGER_MS = 10 };
void cw__inbound_take_over_locked(cw_socket *s);
void cw__inbound_give_back_locked(cw_socket *s);
/* Is called when a caller has read. If that was an event loop, the service thread looks after bytes that may have been received
 * already: the descriptor does not show them. If has_result is false, it reads them at once. */
void cw__inbound_leave_locked(cw_socket *s, bool has_result);
/* Notes that data waits at a look of the service thread. Gives the reading to it, and returns true, if the event loop has not
 * read since the look before. Service thread only. */
bool cw__inbound_look_locked(cw_socket *s, unsigned look);
/* Gives the reading back to the service thread if no caller has read for CW__LINGER_MS. Service thread only. */
void cw__inbound_reclaim_locked(cw_socket *s, int64_t now_ms);

/* ---- From statistics.c ----------------------------------------------------------------------------------- */

/* Makes the process count a socket that begins to connect. No lock of a socket may be held. */
void cw__statistics_enroll(cw_socket *s);
/* Adds the numbers of a socket that is freed to the sums of the process. No lock of a socket may be held. */
void cw__statistics_leave(cw_socket *s);
/* Count a connect that failed, the end of a connection, and a round trip. */
void cw__statistics_failed_locked(cw_socket *s);
void cw__statistics_ended_locked(cw_socket *s);
/* Keeps the numbers of the codec, which is about to be destroyed. */
void cw__statistics_disconnected_locked(cw_socket *s);
void cw__statistics_round_trip_locked(cw_socket *s, int64_t rtt_us);

/* ---- From tracing.c: the trace of a connection, if the program wants one ------------------------------------ */

/* Begins a trace for a connect, if the program wants one, and opens its file.
 * Returns CW_OK, or a failure of the calling thread. */
cw_status cw__tracing_begin_locked(cw_socket *s);
/* Begins or ends the trace for a mailbox, after event_mask has changed.
 * Returns CW_OK or CW_NO_MEMORY. */
cw_status cw__tracing_follow_locked(cw_socket *s);
/* Returns what the handshake gets. It calls under the lock. */
cw__tracer cw__tracing_tracer(cw_socket *s);
/* Add a line about a received frame when its last piece has come, and about a frame whose first bytes have been passed on.
 * For use only if there is a trace. */
void cw__tracing_received_locked(cw_socket *s, const cw__piece *piece);
void cw__tracing_sent_locked(cw_socket *s, uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes,
                             cw__io io);
/* Adds a line of curlwire's own, if there is a trace. */
__attribute__((format(printf, 2, 3))) void cw__tracing_say_locked(cw_socket *s, const char *format, ...);
/* Takes the next line for the mailbox; the caller owns it. NULL if there is none. */
cw_event *cw__tracing_pop_locked(cw_socket *s);
bool cw__tracing_has_event(const cw_socket *s);
/* Returns the number of lines that were lost. */
uint64_t cw__tracing_lost(const cw_socket *s);
/* Frees the trace. Needs the lock, or a socket that no other thread has. */
void cw__tracing_end_locked(cw_socket *s);

/* ---- From settings.c ----------------------------------------------------------------------------------- */

/* Copies a text into a caller's buffer, as cw_socket_get_info says. */
void cw__text_copy(const char *text, size_t len, char *buffer, size_t size_bytes, size_t *len_bytes);
/* Set the defaults; free the texts. They need no lock, because no other thread has the socket. */
void cw__settings_init(cw__settings *settings);
void cw__settings_destroy(cw__settings *settings);
/* Returns the number of a control. Needs the lock, or a state in which settings no longer change (connecting and
 * later). */
static inline int64_t cw__setting(const cw_socket *s, cw_option option) { return s->settings.numbers[option]; }
/* Returns the user name of a control that is a credential; NULL = unset. */
static inline const char *cw__setting_user(const cw_socket *s, cw_option option)
{
    return s->settings.texts[option];
}
/* Returns the bytes of a control. They stay until the connection ends, because no control can be set before that. */
static inline cw__data cw__setting_data(const cw_socket *s, cw_option option)
{
    return (cw__data){.data = s->settings.texts[option], .len_bytes = (size_t)cw__setting(s, option)};
}
/* Sets a control to "text that can be read NUL hidden text NUL", or unsets it for NULL.
 * Returns CW_OK, or fails if the control cannot be set now. Owns: the socket owns kept, which it frees if the call fails. */
cw_status cw__setting_keep_locked(cw_socket *s, cw_option option, char *kept);
/* Returns what a control keeps behind the text that can be read: the password of a credential, the whole value of a proxy,
 * the lines of headers; NULL = unset. */
const char *cw__setting_hidden(const cw_socket *s, cw_option option);
/* Checks whether the loaded libcurl supports the chosen framing and compression. */
cw_status cw__settings_check_framing(const cw_socket *s);
static inline const char *cw__or_empty(const char *text) { return text ? text : ""; }
/* Returns the text, list or bytes of a control, which belong to the socket. cw__setting returns the length. */
const char *cw__setting_text(const cw_socket *s, cw_option option);

/* ---- From proxying.c ------------------------------------------------------------------------------------- */

struct cw__proxy_settings;
/* Fills the settings for a proxy (transport.h). Their texts belong to the socket. Needs the lock. */
void cw__proxying_fill(const cw_socket *s, struct cw__proxy_settings *out);
/* ---- From tls_settings.c -------------------------------------------------------------------------------- */

/* Returns the controls of TLS. They belong to the socket. */
cw__tls_options cw__tls_settings_of(const cw_socket *s);
/* ---- From cookie_control.c ------------------------------------------------------------------------------- */

/* Sets *out to the jar for a connect: that of cw_socket_set_cookie_jar, or a new one with the files that the controls name;
 * NULL = no control asks for cookies. Returns CW_OK or a failure. Owns: the caller releases *out. */
cw_status cw__cookie_control_make(const cw_socket *s, cw_cookie_jar **out);
/* ---- From outcome.c: what the last connect has left --------------------------------------------------------- */

/* Forgets it. Needs the lock, or a socket that no other thread has. */
void cw__outcome_forget(cw_socket *s);

/* ---- From addresses.c ----------------------------------------------------------------------------------- */

/* Fills local_address and remote_address. */
void cw__addresses_read_locked(cw_socket *s);

/* ---- From reach_settings.c: how a connection gets to its server ------------------------------------------ */

struct cw__reach;
/* Fills in the controls for reach.c. Their texts belong to the socket. */
void cw__reach_fill_locked(cw_socket *s, struct cw__reach *reach);
/* Closes the given descriptor. Needs the lock, a child of fork, or a socket that no other thread has. */
void cw__reach_forget_given(cw_socket *s);

/* ---- From question.c: what the program says about the server's certificate ------------------------------ */

/* Asks the program. */
void cw__question_ask_locked(cw_socket *s);
/* Returns true, once for each question, if no mailbox gets it, so that the thread that waits for the connect has to
 * answer. */
bool cw__question_is_here_locked(cw_socket *s);
/* Returns whether the answer makes the connect fail; the second function sets the error. */
bool cw__question_is_refused_locked(const cw_socket *s);
void cw__question_explain_locked(const cw_socket *s, cw__error *error);

/* ---- From queue.c: frames that wait to be written -------------------------------------------------------- */

enum { CW__FRAME_COST_BYTES = 64 /* memory that a queued frame takes in addition to its payload */ };

/* No lock. */
static inline bool cw__queue_is_control(uint8_t opcode) { return (opcode & 0x8) != 0; }

/* Makes a frame with a copy of the payload.
 * Returns NULL if there is no memory. Owns: the caller owns the frame until it is queued, and otherwise frees it with
 * cw__free. Needs no lock. */
cw__queued_frame *cw__queue_make(uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes);
/* Put a frame at the end or at the front. The queue owns it from then on. */
void cw__queue_append_locked(cw_socket *s, cw__queued_frame *f);
void cw__queue_prepend_locked(cw_socket *s, cw__queued_frame *f);
/* Removes and frees the first frame. */
void cw__queue_remove_first_locked(cw_socket *s);
/* Queues a copy of a control frame. The frame goes before queued data frames that have not begun. If is_last is true
 * (a close frame), it goes after them.
 * Returns false if there is no memory. */
bool cw__queue_control_locked(cw_socket *s, uint8_t opcode, const uint8_t *data, size_t len_bytes,
                              bool is_last);
/* Drops the queued frames that have not begun, and counts their data as lost. */
void cw__queue_drop_locked(cw_socket *s);
/* Forgets the frames that the codec holds back, and keeps the number of their messages in unsent_count. There must be a
 * codec. */
void cw__queue_forget_held_locked(cw_socket *s);
/* Drops all frames, and counts their data as lost. */
void cw__queue_lose_locked(cw_socket *s);
/* Drops all frames without counting. Needs the lock, or a socket that no other thread has. */
void cw__queue_destroy(cw__outbound *out);
/* Returns how much of the queued messages has not been passed to the codec. Needs the lock. */
size_t cw__queue_unsent_bytes(const cw_socket *s);
/* Counts bytes of accepted messages that will not reach the peer. */
void cw__queue_count_lost_locked(cw_socket *s, uint64_t len_bytes);

/* ---- From pong.c: the peer's pings and pongs, and the clocks of keepalive ---------------------------------- */

enum {
    CW__PING_NUMBER_BYTES = 8,
    CW__LULL_MS = 250 /* longer than a round trip, and than a kernel takes to use a window or to send again */
};

/* Notes that the peer has sent a ping, so that we owe a pong.
 * Returns false if there is no memory. */
bool cw__pings_owe_locked(cw_socket *s, const uint8_t *payload, size_t len_bytes);
/* Returns when the rule in pong.c lets the pongs that we owe go out, if no pause comes before: 0 = now; INT64_MAX = not before
 * more was read. */
int64_t cw__pongs_due_locked(const cw_socket *s);
/* Queues the pongs that we owe, if the rule in pong.c allows them now.
 * Returns false if there is no memory. The pongs are then dropped, and the caller must end the connection. */
bool cw__pings_pay_locked(cw_socket *s);
/* Queues all pongs that we owe, whatever the rule in pong.c says. For use before our close frame.
 * Returns as cw__pings_pay_locked. */
bool cw__pings_pay_all_locked(cw_socket *s);
/* Drops the pongs that we owe, when the peer no longer reads. Needs the lock, or a socket that no other thread has. */
void cw__pings_forget(cw__pings *pings);
/* Ends the time after a full inbox if nothing has arrived for lull_ms, because then no old bytes are left in the kernels.
 * It may make lull_ms longer first. Only for use right after the kernel was asked for bytes. */
void cw__pings_lulled_locked(cw_socket *s, int64_t now_ms);
/* Notes a received piece of a frame. */
static inline void cw__pings_note_locked(cw_socket *s, const cw__piece *piece)
{
    if (piece->opcode != CW__OP_PONG)
        s->in.heard = CW__HEARD_MORE;
    else if (s->in.heard == CW__HEARD_NOTHING)
        s->in.heard = CW__HEARD_PONGS;
    if (s->pings.owed)
        s->pings.owed_bytes += piece->len_bytes;
    s->in.run_bytes += piece->len_bytes;
}
/* Handles a pong: it answers the ping with the same number, and all earlier pings. */
void cw__pings_answered_locked(cw_socket *s, const uint8_t *payload, size_t len_bytes);
/* Tells that the pings of cw_socket_ping_start get no pong any more, because closing has begun. */
void cw__pings_failed_locked(cw_socket *s);
/* Return the intervals of the keepalive pings, and of the unsolicited pongs; 0 or negative = there are none. */
int64_t cw__pings_interval_ms(const cw_socket *s);
int64_t cw__pongs_interval_ms(const cw_socket *s);
/* Returns now_ms + ms; INT64_MAX (never) if ms is 0 or negative. */
static inline int64_t cw__pings_after(int64_t now_ms, int64_t ms) { return ms <= 0 ? INT64_MAX : now_ms + ms; }
/* Starts the clocks of keepalive. For use when the connection has opened. */
void cw__pings_start_locked(cw_socket *s, int64_t now_ms);
/* Stops pings after writing has failed, and limits the time in which reading has to find the end. */
void cw__pings_broken_locked(cw_socket *s, int64_t now_ms);
/* Notes that all bytes that arrived before now_ms have been read. in.heard says which frames they were. */
void cw__pings_heard_locked(cw_socket *s, int64_t now_ms);
/* Notes that reading stops because the inbox is full. */
void cw__pings_paused_locked(cw_socket *s);
/* Notes that the inbox is no longer full, and makes the service thread read again. */
void cw__pings_resumed_locked(cw_socket *s, int64_t now_ms);

/* ---- From life.c: references, the lock, waiting ---------------------------------------------------------- */

/* Take and drop a reference. The reference is the caller's; the last drop frees the socket. They need no lock. */
void cw__socket_hold(cw_socket *s);
void cw__socket_drop(cw_socket *s);
/* Takes a reference before a call gives the lock up for the first time, because another thread may then release the
 * socket. The wait owns the reference until cw__socket_leave_locked. */
void cw__socket_hold_for(cw_socket *s, cw__wait *wait);
/* Takes the lock in turn: a thread that waits here gets the lock before a thread that has just had it. */
void cw__socket_enter(cw_socket *s);
/* Returns whether a thread waits in cw__socket_enter. Needs no lock. */
bool cw__socket_is_wanted(const cw_socket *s);
/* Sets never_waits of the codec; does nothing if there is no codec. A caller that turns it on must turn it off before it
 * gives up the lock. The function is inline, because each message of a fast stream needs it twice.
 * Returns the previous value. */
static inline bool cw__socket_never_waits_locked(cw_socket *s, bool is_on)
{
    bool was_on = s->codec && *s->codec->never_waits;

    if (s->codec)
        *s->codec->never_waits = is_on;
    return was_on;
}
/* The next four calls give the lock up while they wait, and have it again when they return. They call
 * cw__socket_hold_for first.
 *
 * Lets threads that wait for the lock have it. For use in the middle of a long piece of work. */
void cw__socket_give_way_locked(cw_socket *s, cw__wait *wait);
/* Waits until cw__socket_changed_locked is called, or for one slice of the wait.
 * Returns CW_OK: the caller checks its condition again. CW_TIMED_OUT or CW_INTERRUPTED: neither sets an error text. */
cw_status cw__socket_wait_locked(cw_socket *s, cw__wait *wait);
/* Asks the thread's hook whether to stop, if it is time to ask. The hook runs without the lock.
 * Returns CW_OK or CW_INTERRUPTED. */
cw_status cw__socket_ask_hook_locked(cw_socket *s, cw__wait *wait);
/* Waits until poll() reports events for the descriptor, or another thread wakes this thread. Until it returns, *slot is
 * the wake-up of this thread. The call does not ask the hook. The caller asks the hook when its own state is in order.
 * Returns CW_OK or CW_TIMED_OUT. */
cw_status cw__socket_poll_locked(cw_socket *s, short events, cw__wake **slot, cw__wait *wait);
/* Unlocks at the end of a call that may have waited, and drops the reference of the wait. That may free the socket.
 * Returns status. */
cw_status cw__socket_leave_locked(cw_socket *s, cw__wait *wait, cw_status status);

/* ---- From closing.c: the closing handshake and the end ----------------------------------------------------- */

void cw__closing_begin_locked(cw_socket *s, int code, const char *reason, size_t reason_bytes);
void cw__closing_received_locked(cw_socket *s, const uint8_t *payload, size_t len_bytes);
void cw__closing_violated_locked(cw_socket *s, const cw__violation *violation);
/* Notes that the queued close frame has been written. */
void cw__closing_sent_locked(cw_socket *s);
/* Ends the connection: TCP has ended, or curlwire drops it. s->fault says why, if the reason is known. Accepted data
 * that has not been written counts as lost. */
void cw__closing_ended_locked(cw_socket *s, const char *why);
/* Ends the connection because there is no memory; sets s->fault. */
void cw__closing_no_memory_locked(cw_socket *s, const char *why);
/* Returns whether data sent before our close frame is still under way. Needs the lock. */
bool cw__closing_is_draining(const cw_socket *s);
/* Ends a drain that is complete, and a drain or a closing handshake whose time is up. */
void cw__closing_attend_locked(cw_socket *s, int64_t now_ms);
/* Returns when cw__closing_attend_locked is due next; INT64_MAX = never. */
int64_t cw__closing_due_locked(const cw_socket *s);
/* Returns whether reading may end here without an error; cw_socket_ended_normally has the rule. */
bool cw__closing_is_normal_locked(const cw_socket *s);
/* Sets the calling thread's error for a connection that is closed or closing.
 * Returns CW_CLOSED, or the status of s->fault. */
cw_status cw__closing_fail_locked(cw_socket *s);
/* Makes the closed event.
 * Returns NULL if there is no memory. Owns: the caller owns the event. */
cw_event *cw__closing_event_locked(cw_socket *s);

/* ---- From outbound.c: writing ---------------------------------------------------------------------------- */

/* Returns whether TLS has to read before it can write (codec.h: wants_read). The descriptor is writable at that time, so
 * poll() would return at once again and again. Instead, writing is tried every CW__WRITE_AGAIN_MS. */
enum {
    CW__WRITE_AGAIN_MS = 10,
    CW__WANTS_READ_AT_MOST = 2 /* more than 1, because the kernel may have made room just after a write */
};
static inline bool cw__outbound_wants_read(const cw_socket *s)
{
    return s->out.wants_read_count > CW__WANTS_READ_AT_MOST;
}
/* Writes as much of the queue as the connection accepts. */
void cw__outbound_flush_locked(cw_socket *s);
/* Posts CW_EVENT_WRITABLE if a send has found no room and the queue has some now. */
void cw__outbound_tell_writable_locked(cw_socket *s);
/* Writes the messages of a batch that the codec holds back. */
void cw__outbound_release_locked(cw_socket *s);
/* Waits for the caller's turn to send len_bytes: until no other thread sends and the queue is empty. If the call must
 * not wait, room in the queue is enough. mine is the state of sending that the caller has set itself;
 * CW__SENDING_NOTHING if it has begun nothing. Releases the lock while it waits.
 * Returns CW_OK, CW_WOULD_BLOCK, CW_TIMED_OUT, CW_INTERRUPTED, or why the connection has ended. */
cw_status cw__outbound_turn_locked(cw_socket *s, size_t len_bytes, cw__sending mine, cw__wait *wait);
/* Sends a message, or a part of one. Call it after cw__outbound_turn_locked. The opcode may contain CW__RSV1. Releases
 * the lock while it waits. Owns: the caller keeps data, which is not used after the return.
 * Returns CW_OK, CW_NO_MEMORY if nothing was sent, or why the connection has ended. */
cw_status cw__outbound_send_locked(cw_socket *s, uint8_t opcode, bool ends_message, const uint8_t *data,
                                   size_t len_bytes, cw__wait *wait);
/* Calls cw__outbound_turn_locked, then sends as cw__outbound_send_locked does. more_follow means that another message
 * follows at once, so that small messages go out in one write.
 * Returns as those two. */
cw_status cw__outbound_message_locked(cw_socket *s, uint8_t opcode, bool ends_message, bool more_follow,
                                      const uint8_t *data, size_t len_bytes, cw__wait *wait);
/* Drops the connection, because a part of a message was sent and the rest cannot follow. status is the reason:
 * CW_TIMED_OUT, CW_INTERRUPTED or CW_NO_MEMORY.
 * Returns CW_CLOSED. */
cw_status cw__outbound_break_off_locked(cw_socket *s, cw_status status, const cw__wait *wait);

/* ---- From compressing.c ---------------------------------------------------------------------------------- */

/* Returns whether a message is sent compressed. Needs no lock once the socket is open. */
bool cw__compressing_is_wanted(const cw_socket *s, const cw_message *m);
/* Sends a message or a fragment compressed. The opcode of the first fragment contains CW__RSV1.
 * Returns as cw__outbound_message_locked. */
cw_status cw__compressing_send_locked(cw_socket *s, uint8_t opcode, bool ends_message, const void *data,
                                      size_t len_bytes, cw__wait *wait);

/* ---- From inbound.c: reading ----------------------------------------------------------------------------- */

/* Reads the bytes that have arrived, for the service thread: at most 1 MiB, so that other sockets get their turn. */
void cw__inbound_serve_locked(cw_socket *s);
/* Returns true if received bytes may be thrown away. This is so when the peer's close frame has arrived or the
 * peer broke the protocol, and no frame of ours must be written first. */
bool cw__inbound_may_discard(const cw_socket *s);
/* Returns whether the calling thread may read the connection: no other thread does, and no mailbox waits for
 * CW_EVENT_CHANGED. Needs the lock. */
static inline bool cw__inbound_may_read(const cw_socket *s)
{
    return s->codec && s->close.state == CW__CLOSE_NONE && !s->in.receiver &&
           (s->event_mask & CW_EVENT_CHANGED) == 0;
}
/* Reads without waiting, until a message is in the inbox or complete in place (a caller's buffer; may be NULL). If
 * coming_bytes is not NULL, it also stops when a large message begins, and sets *coming_bytes to its length. */
void cw__inbound_read_now_locked(cw_socket *s, const cw_event *place, size_t *coming_bytes);
/* Reads bytes of a stream without waiting, and returns their number. */
size_t cw__inbound_read_stream_locked(cw_socket *s, void *buffer, size_t size_bytes);
/* Takes the next message out of the inbox; the caller owns it. NULL if there is none. */
cw_event *cw__inbound_pop_locked(cw_socket *s);
/* Returns whether a message is being read by cw_socket_receive_part, so that other calls must not take its parts. */
static inline bool cw__inbound_is_streaming(const cw_socket *s)
{
    return s->in.streamer && !s->in.is_stream_ended;
}
/* Drops the rest of the message that is being read by cw_socket_receive_part, including the parts that have yet to
 * arrive. */
void cw__inbound_skip_locked(cw_socket *s);

/* ---- From ping.c: our pings -------------------------------------------------------------------------------- */

/* Sends a ping and lists it as waiting, until cw__pings_take_out_locked. Returns and errors as cw_socket_ping_start. */
cw_status cw__pings_begin_locked(cw_socket *s, cw__ping *ping);
void cw__pings_take_out_locked(cw_socket *s, cw__ping *ping);
/* Sends the keepalive ping and the pongs that are due, also unsolicited pongs. Service thread only.
 * Returns true if the peer was silent for too long. The caller must then end the connection. */
bool cw__pings_attend_locked(cw_socket *s, int64_t now_ms);
/* Returns when cw__pings_attend_locked is due next; INT64_MAX = never. */
int64_t cw__pings_due_locked(const cw_socket *s);

/* ---- From redirecting.c: requests after a redirect ------------------------------------------------------- */

/* A request of a connect: the first one, or one after a redirect. Zero it before use. */
typedef struct cw__hop {
    cw__uri uri;
    char *text;        /* the URI without user name and password; NULL for the first request */
    char *headers;     /* the program's headers that the server may get; NULL unless is_elsewhere */
    unsigned number;   /* of redirects before this request */
    bool is_elsewhere; /* a redirect has left the origin of the program's URI */
    cw__address_space least_public; /* the request goes to no address that is less public */
    bool refuses_proxy;             /* the request goes through no proxy */
} cw__hop;

/* A redirect of the server, and the controls for it. */
typedef struct cw__redirection {
    int http_status;
    const char *lines;               /* the headers of the reply */
    const char *protocols, *headers; /* the program's */
    cw__address_space space;         /* of the server's address */
    cw_follow mode;
    int64_t most; /* redirects */
} cw__redirection;

void cw__hop_destroy(cw__hop *hop);
/* Fills the next request, which was zeroed. Returns false with the error set, if the redirect cannot be followed. Owns: the
 * caller calls cw__hop_destroy for the next request in both cases. */
bool cw__redirecting_next(const cw__hop *hop, const cw__redirection *from, cw__hop *next, cw__error *error);
/* Sets the error for a request after a redirect that could not be made, from the calling thread's error. */
void cw__redirecting_fail(int http_status, cw__error *error);
/* Adds to an error which URI redirects have led to. */
void cw__redirecting_explain(const cw__hop *hop, cw__error *error);

/* ---- From connect.c ---------------------------------------------------------------------------------------- */

/* Starts libcurl.
 * Returns the status of cw_check_libcurl. Needs no lock. */
cw_status cw__connecting_init(void);
/* Makes the state of a connect, and attaches the socket to the service. timeout_ms may be CW_TIMEOUT_DEFAULT. Owns: it takes
 * the URI, and zeroes *uri. */
cw_status cw__connecting_begin_locked(cw_socket *s, cw__uri *uri, int timeout_ms);
/* Takes the next step of a connect, for the service thread.
 * Returns the time of the next call, INT64_MAX, or CW__DETACH. */
int64_t cw__connecting_attend_locked(cw_socket *s);
/* Closes the copies of the descriptors, in a child after fork. Needs no lock. */
void cw__connecting_forked(cw_socket *s);
/* Cancels a connect, which then ends with OperationCanceled. */
void cw__connecting_cancel_locked(cw_socket *s);
/* Frees what libcurl holds for the connection. Service thread only, while no thread polls. */
void cw__connection_teardown_locked(cw_socket *s);

/* ---- From closing_calls.c ---------------------------------------------------------------------------------- */

/* Closes the socket because the program ends. grace_ms limits the closing handshake, which begins when all sent data
 * has arrived. grace_ms 0 drops everything at once. */
void cw__closing_shut_down_locked(cw_socket *s, int grace_ms);

CW__PRIVATE_END

#endif

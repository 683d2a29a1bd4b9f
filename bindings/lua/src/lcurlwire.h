/* SPDX-License-Identifier: MIT */
/* What the files of the Lua module show each other, grouped by the file it comes from. A method checks its
 * arguments, makes one call of the core and converts the result; rules of the protocol stay in the core.
 *
 * Safety. A Lua state runs in one thread at a time and so does everything here. No error of Lua (a longjmp)
 * passes through a frame of the core: the only Lua code that runs under a core call is the poke of lwait.c, and
 * that is a protected call. An event that has been taken is freed or given back whatever happens, because it is
 * turned into Lua values by a protected call too. */
#ifndef LCW_LCURLWIRE_H
#define LCW_LCURLWIRE_H

#include <curlwire.h>

#include "compat.h"

/* Only luaopen_curlwire_core leaves the module. */
#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

#define LCW_MESSAGE_WEBSOCKET "curlwire.MessageWebSocket"
#define LCW_STREAM_WEBSOCKET  "curlwire.StreamWebSocket"
#define LCW_CONTROL           "curlwire.Control"
#define LCW_INFORMATION       "curlwire.Information"
#define LCW_OUTPUT_STREAM     "curlwire.OutputStream"
#define LCW_INPUT_STREAM      "curlwire.InputStream"
#define LCW_ERROR             "curlwire.Error"
#define LCW_STATE             "curlwire.State"

typedef struct lcw_wait lcw_wait;

/* One per Lua state, in the registry. It is made before every socket, so lua_close finalizes it last. */
typedef struct lcw_state {
    cw_mailbox *mailbox;    /* NULL until the first handler, or curlwire.fd */
    lua_State *main_thread; /* NULL = unknown (5.1, loaded by a coroutine) */
    lcw_wait *waiting;      /* the innermost blocking call */
    cw_event
        *undelivered;    /* taken, but for want of memory its handler was not called: the next dispatch tries */
    bool is_handed_over; /* the handler of the event in hand was called */
    bool is_dispatching;
    bool is_interrupted; /* a blocking call was ended by Ctrl-C once */
    bool is_ended;       /* finalized; only finalizers of older objects can still call anything */
    int process_id;      /* of the process that made the mailbox and the anchors */
    int anchored_count;  /* sockets in the anchors table */
    int anchors_ref;     /* table: light userdata of an lcw_socket -> its userdata */
    int poke_ref;        /* a Lua function that does nothing */
    int push_ref;        /* lcw_push_pusher's, as a value: pushing a C function allocates in 5.1 */
    int next_ref;        /* the iterator of messages */
    int deliver_ref;
    int traceback_ref;
} lcw_state;

typedef struct lcw_socket {
    cw_socket *s; /* NULL once finalized */
    lcw_state *state;
    cw_class socket_class;
    cw_kind message_type; /* what control.message_type says */
    unsigned event_mask;  /* what is subscribed to */
    bool was_opened;
    bool is_end_known; /* the closed event has been delivered */
    bool is_anchored;
} lcw_socket;

/* What a socket's own table (its user value) holds. Its parts have that same table as theirs, and so keep the
 * socket alive. */
typedef enum lcw_slot {
    LCW_SLOT_SOCKET = 1,
    LCW_SLOT_CONTROL,
    LCW_SLOT_INFORMATION,
    LCW_SLOT_OUTPUT_STREAM,
    LCW_SLOT_INPUT_STREAM,
    LCW_SLOT_ON_MESSAGE_RECEIVED,
    LCW_SLOT_ON_CLOSED
} lcw_slot;

/* A control or an information object: a view of its socket. */
typedef struct lcw_view {
    lcw_socket *w;
} lcw_view;

/* ---- From largument.c: wrong calls ------------------------------------------------------------------------ */

enum { LCW_MESSAGE_BYTES = 400 };

/* Copies the core's message, and how Lua lifts the limit that it is about. Do it at once: whatever allocates in Lua may run
 * finalizers, and those call the core. */
void lcw_copy_message(char message[LCW_MESSAGE_BYTES]);
/* Raises the core's message for a call that has no "nil, message, err" to give. what goes before it, unless the message
 * names it; may be NULL. */
int lcw_raise(lua_State *L, const char *what);
/* Reads a timeout in seconds as the core's milliseconds; nil or none = otherwise. */
int lcw_check_timeout(lua_State *L, int argument, int otherwise);
/* False if the number at index cannot be one: negative, not a number. math.huge and false = -1. */
bool lcw_to_ms(lua_State *L, int index, int64_t *out);
/* Pushes a value as an error shows it: 1.5, "text" (cut and printable), nan, math.huge, a table. Returns the text. */
const char *lcw_push_shown(lua_State *L, int index);
/* The userdata of that type at index 1, where a method expects its object. */
void *lcw_check_self(lua_State *L, const char *type_name);

/* ---- From lresult.c: results and errors ------------------------------------------------------------------ */

/* Pushes true, or does what lcw_fail does. */
int lcw_result(lua_State *L, lcw_socket *w, cw_status status);
/* Turns a failed call into nil, its message and an error object (returns 3), or into a Lua error where the call was
 * wrong. The message comes before the object because assert of Lua 5.1 and ".." take no object.
 * argument is the index to blame for CW_INVALID_ARGUMENT, 0 = none. w may be NULL. */
int lcw_fail(lua_State *L, lcw_socket *w, cw_status status, int argument);
int lcw_error_tostring(lua_State *L);
/* get_status(err): the WebErrorStatus of an error object, 0 of anything else. */
int lcw_get_status(lua_State *L);
/* Pushes a table of the WebErrorStatus names and numbers, both ways. */
void lcw_push_web_status_table(lua_State *L);

/* ---- From lwait.c: what lets Ctrl-C through ------------------------------------------------------------ */

struct lcw_wait {
    lua_State *L;
    lcw_state *state;
    lcw_wait *outer;
    bool has_failed; /* the error value is on top of the stack */
};

/* Every core call that may wait stands between these two. end raises what a pending debug hook raised. */
void lcw_wait_begin(lua_State *L, lcw_state *state, lcw_wait *wait);
void lcw_wait_end(lcw_wait *wait);

/* ---- From levents.c: mailbox, handlers, dispatch ------------------------------------------------------- */

/* Makes, or finds, the state's record. */
lcw_state *lcw_state_open(lua_State *L);
/* NULL before the first; raises an error at the end of lua_close. */
lcw_state *lcw_state_get(lua_State *L);
int lcw_state_gc(lua_State *L);
/* Sets the handler of a slot to the value at index, which is nil or can be called. socket_index: the socket. */
void lcw_set_handler(lua_State *L, lcw_socket *w, int socket_index, lcw_slot slot, int index);
/* Keeps a socket alive while one of its handlers may still be called, and no longer. */
void lcw_update_anchor(lua_State *L, lcw_socket *w, int socket_index);
int lcw_dispatch(lua_State *L);
int lcw_run(lua_State *L);
int lcw_fd(lua_State *L);

/* ---- From lwebsocket.c: what both classes share -------------------------------------------------------- */

lcw_socket *lcw_check_socket(lua_State *L, int index);
/* Pushes a part of the socket, made at the first use: size_bytes, zeroed but for its lcw_view head. */
void *lcw_push_part(lua_State *L, lcw_socket *w, int socket_index, lcw_slot slot, const char *type_name,
                    size_t size_bytes);
int lcw_message_websocket(lua_State *L);
int lcw_stream_websocket(lua_State *L);
int lcw_connect_function(lua_State *L);
int lcw_websocket_connect(lua_State *L);
int lcw_websocket_set_request_header(lua_State *L);
int lcw_websocket_add_request_header(lua_State *L);
int lcw_websocket_ping(lua_State *L);
int lcw_websocket_flush(lua_State *L);
int lcw_websocket_close(lua_State *L);
int lcw_websocket_wait_closed(lua_State *L);
int lcw_websocket_abort(lua_State *L);
int lcw_websocket_batch(lua_State *L);
int lcw_websocket_scope_end(lua_State *L);
int lcw_websocket_gc(lua_State *L);

/* ---- From lattribute.c: fields of a socket --------------------------------------------------------------- */

/* Upvalue 1 of both: the table of the class's methods. */
int lcw_websocket_index(lua_State *L);
int lcw_websocket_newindex(lua_State *L);
int lcw_websocket_tostring(lua_State *L);

/* ---- From lmessage.c: messages ------------------------------------------------------------------------- */

int lcw_websocket_send(lua_State *L);
int lcw_websocket_send_many(lua_State *L);
int lcw_websocket_receive(lua_State *L);
int lcw_websocket_messages(lua_State *L);
int lcw_websocket_send_final_frame(lua_State *L);
int lcw_websocket_send_nonfinal_frame(lua_State *L);
/* Pushes a function to be called protected, with the light userdata of an event: it returns data, "utf8" or "binary",
 * is_complete. */
void lcw_push_pusher(lua_State *L);
/* Pushes the iterator of messages: one for all sockets of a state, so that LuaJIT's traces meet the same one. */
void lcw_push_next_message(lua_State *L);
void lcw_push_kind(lua_State *L, cw_kind kind);
/* Finds the type of messages that a word names: "binary", "utf8" or, which is the same, "text". */
bool lcw_find_kind(const char *word, cw_kind *out);

/* ---- From lstream.c and linput.c: the streams ------------------------------------------------------------ */

void lcw_push_output_stream(lua_State *L, lcw_socket *w, int socket_index);
int lcw_output_write(lua_State *L);
int lcw_output_flush(lua_State *L);
int lcw_output_setvbuf(lua_State *L);
int lcw_output_close(lua_State *L);
int lcw_output_tostring(lua_State *L);

void lcw_push_input_stream(lua_State *L, lcw_socket *w, int socket_index);
int lcw_input_read(lua_State *L);
int lcw_input_lines(lua_State *L);
int lcw_input_close(lua_State *L);
int lcw_input_tostring(lua_State *L);
int lcw_input_gc(lua_State *L);

/* ---- From lcontrol.c: control ---------------------------------------------------------------------------- */

int lcw_control_index(lua_State *L);
int lcw_control_newindex(lua_State *L);
int lcw_control_tostring(lua_State *L);
/* Sets each key of the table at index but skipped_key (may be NULL). */
void lcw_control_set_all(lua_State *L, lcw_socket *w, int index, const char *skipped_key);

/* ---- From linformation.c: information -------------------------------------------------------------------- */

int lcw_information_index(lua_State *L);
int lcw_information_newindex(lua_State *L);
int lcw_information_tostring(lua_State *L);
/* Pushes a text of the connection, nil where it is empty. */
void lcw_push_info(lua_State *L, lcw_socket *w, cw_info info);
/* Whether the socket was made before fork(), by the parent; the core's error then says so. */
bool lcw_is_of_parent(lcw_socket *w);
/* Pushes a table of the reply's headers, or nil. */
void lcw_push_response_headers(lua_State *L, lcw_socket *w);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif

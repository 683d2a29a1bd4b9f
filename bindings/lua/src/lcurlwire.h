/* SPDX-License-Identifier: MIT */
/* Declares the types and functions that the files of the Lua module share, grouped by file. A method checks its arguments,
 * makes one call of the core and converts the result. The rules of the protocol are in the core.
 *
 * Thread: a Lua state runs in one thread at a time, so all calls here do.
 * Safety: no Lua error (a longjmp) passes through a C frame of the core. Only the poke of lwait.c runs Lua code inside a
 * core call, and it uses a protected call. A protected call also converts each event into Lua values. So an event that
 * was taken is always freed or put back. */
#ifndef LCW_LCURLWIRE_H
#define LCW_LCURLWIRE_H

#include <curlwire.h>

#include "compat.h"

/* Hides all functions of the module. Only luaopen_curlwire_core is exported (lcurlwire.c). */
#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

#define LCW_MESSAGE_WEBSOCKET "curlwire.MessageWebSocket"
#define LCW_STREAM_WEBSOCKET  "curlwire.StreamWebSocket"
#define LCW_CONTROL           "curlwire.Control"
#define LCW_INFORMATION       "curlwire.Information"
#define LCW_OUTPUT_STREAM     "curlwire.OutputStream"
#define LCW_INPUT_STREAM      "curlwire.InputStream"
#define LCW_DATA_READER       "curlwire.DataReader"
#define LCW_DATA_WRITER       "curlwire.DataWriter"
#define LCW_MESSAGE_ARGS      "curlwire.MessageArgs"
#define LCW_COOKIE_JAR        "curlwire.CookieJar"
#define LCW_ERROR             "curlwire.Error"
#define LCW_STATE             "curlwire.State"

typedef struct lcw_wait lcw_wait;

/* The record of a Lua state, in its registry. It is older than each socket, so lua_close finalizes it last. */
typedef struct lcw_state {
    cw_mailbox *mailbox;    /* NULL until the first handler, or curlwire.fd */
    lua_State *main_thread; /* NULL = unknown (5.1, loaded by a coroutine) */
    lcw_wait *waiting;      /* the innermost blocking call */
    /* an event whose handler could not be called without memory; the next dispatch tries again */
    cw_event *undelivered;
    bool is_handed_over; /* the handler of the current event was called */
    bool is_dispatching;
    bool is_interrupted; /* Ctrl-C has ended a blocking call */
    bool is_ended;       /* finalized: only finalizers of older objects can still make calls */
    int process_id;      /* the process that made the mailbox and the anchors */
    int anchored_count;  /* sockets in the anchors table */
    int anchors_ref;     /* table: light userdata of an lcw_socket -> its userdata */
    int poke_ref;        /* a Lua function that does nothing */
    int module_ref;      /* the table of the module, whose field json scripts may set */
    int push_ref;        /* the function of lcw_push_pusher; pushing a C function allocates in 5.1 */
    int next_ref;        /* the iterator that messages returns */
    int deliver_ref;
    int traceback_ref;
    /* Of the coroutines of curlwire.spawn (ltasks.c). The refs are 0 until the first spawn. */
    lua_State *task; /* the coroutine that runs now; only compared */
    bool is_trying;  /* a call of that coroutine must not wait, and looks methods up as other calls do */
    int run_ref, dispatch_ref, changed_ref;
} lcw_state;

typedef struct lcw_socket {
    cw_socket *s; /* NULL when the socket has been finalized */
    lcw_state *state;
    cw_class socket_class;
    cw_message_type message_type; /* control.message_type */
    unsigned event_mask;          /* the events that the socket is subscribed to */
    cw_cookie_jar *cookie_jar;    /* of the control; NULL if that is a text. The core's socket keeps the jar */
    bool was_opened;
    bool is_end_known; /* the closed event has been delivered */
    bool is_anchored;
} lcw_socket;

/* The indexes of a socket's own table (its user value). The socket's parts have the same table as user value, so they keep
 * the socket alive. */
typedef enum lcw_slot {
    LCW_SLOT_SOCKET = 1,
    LCW_SLOT_CONTROL,
    LCW_SLOT_INFORMATION,
    LCW_SLOT_OUTPUT_STREAM,
    LCW_SLOT_INPUT_STREAM,
    LCW_SLOT_ON_MESSAGE_RECEIVED,
    LCW_SLOT_ON_CLOSED,
    LCW_SLOT_ON_VALIDATION,
    LCW_SLOT_ON_TRACE,
    LCW_SLOT_ON_WRITABLE
} lcw_slot;

/* A control or an information object, which refers to its socket. */
typedef struct lcw_view {
    lcw_socket *w;
} lcw_view;

/* ---- From largument.c: wrong calls ------------------------------------------------------------------------ */

enum { LCW_MESSAGE_BYTES = 1400 }; /* the list of places of authorities is the longest */

/* Copies the core's message, and adds how to lift the limit that ended the call. Call it at once: allocating in Lua may run
 * finalizers, whose calls of the core replace the message. */
void lcw_copy_message(char message[LCW_MESSAGE_BYTES]);
/* Raises the core's message, for a call that cannot return "nil, message, err". If the message does not contain the text
 * `what`, "what: " goes before it. what may be NULL. */
int lcw_raise(lua_State *L, const char *what);
/* Returns a timeout, given in seconds, as the core's milliseconds. Returns `otherwise` for nil and for no argument.
 * Errors: raises an argument error for any other value. */
int lcw_check_timeout(lua_State *L, int argument, int otherwise);
/* Converts the seconds at index to milliseconds; math.huge and false become -1. Returns false for a negative number, nan
 * and other types. */
bool lcw_to_ms(lua_State *L, int index, int64_t *out);
/* Pushes a value as an error shows it: 1.5, "text" (shortened and printable), nan, math.huge, a table. Returns the
 * pushed text. */
const char *lcw_push_shown(lua_State *L, int index);
/* __index of a type. The upvalues are the table of its methods, its name, the names of its methods for the error, and those
 * of lcw_push_task_method. Errors: raises an error for a key that is no method. lcw_refuse_key raises that error. */
int lcw_method_index(lua_State *L);
int lcw_refuse_key(lua_State *L);
/* Returns the userdata of that type at index 1, where a method expects its object. Errors: raises an argument error if
 * there is none. */
void *lcw_check_self(lua_State *L, const char *type_name);

/* ---- From lresult.c: results and errors ------------------------------------------------------------------ */

/* Pushes an error object with a message and a name that no cw_status has. */
void lcw_push_error(lua_State *L, const char *name, const char *message);
/* Pushes true if status is CW_OK. Otherwise does what lcw_fail does. */
int lcw_result(lua_State *L, lcw_socket *w, cw_status status);
/* Pushes nil, the message and an error object for a failed call, and returns 3. The message comes before the object because
 * assert of Lua 5.1 and ".." accept no object. argument is the index of the argument that a CW_INVALID_ARGUMENT is about;
 * 0 = none. w may be NULL.
 * Errors: raises the message if the program made the mistake, or if there is no memory. */
int lcw_fail(lua_State *L, lcw_socket *w, cw_status status, int argument);
int lcw_error_tostring(lua_State *L);
/* curlwire.get_status(err): pushes the WebErrorStatus of an error object, and 0 for any other value. */
int lcw_get_status(lua_State *L);
/* Pushes a table that maps the WebErrorStatus names to numbers and the numbers to names. */
void lcw_push_web_status_table(lua_State *L);

/* ---- From lwait.c: Ctrl-C in a call that waits --------------------------------------------------------- */

struct lcw_wait {
    lua_State *L;
    lcw_state *state;
    lcw_wait *outer;
    bool has_failed; /* the error value is on top of the stack */
};

/* Surround each core call that may wait. lcw_wait_end raises the error that a debug hook raised during the call. */
void lcw_wait_begin(lua_State *L, lcw_state *state, lcw_wait *wait);
void lcw_wait_end(lcw_wait *wait);
/* Returns CW_TIMEOUT_DEFAULT, or 0 for a call of a coroutine that must not wait. */
static inline int lcw_default_timeout(const lcw_socket *w)
{
    return w->state->is_trying ? 0 : CW_TIMEOUT_DEFAULT;
}

/* ---- From levents.c: mailbox, handlers, dispatch ------------------------------------------------------- */

/* Returns the state's record, and makes it at the first call. */
lcw_state *lcw_state_open(lua_State *L);
/* Returns the state's record; NULL before lcw_state_open. Errors: raises an error at the end of lua_close. */
lcw_state *lcw_state_get(lua_State *L);
int lcw_state_gc(lua_State *L);
/* Sets the handler of a slot to the value at index. The socket is at socket_index. Errors: raises an error if the value is
 * not nil and cannot be called. */
void lcw_set_handler(lua_State *L, lcw_socket *w, int socket_index, lcw_slot slot, int index);
/* Does the same for on_server_custom_validation_requested, which only connect calls. */
void lcw_set_validation_handler(lua_State *L, lcw_socket *w, int socket_index, int index);
/* Keeps a socket from being collected as long as one of its handlers may still be called. */
void lcw_update_anchor(lua_State *L, lcw_socket *w, int socket_index);
int lcw_dispatch(lua_State *L);
int lcw_run(lua_State *L);
int lcw_fd(lua_State *L);
/* Calls the handlers of the events that wait, or that come within timeout_ms. Returns the status, and counts the events.
 * Errors: raises the error of a handler. */
cw_status lcw_take_events(lua_State *L, lcw_state *state, int timeout_ms, int *count);
/* In a child of fork(), drops the parent's mailbox and anchors. */
void lcw_leave_parent(lua_State *L, lcw_state *state);
/* Makes the mailbox, if there is none. */
cw_status lcw_make_mailbox(lua_State *L, lcw_state *state);
/* Subscribes the state's mailbox to more events of a socket. */
cw_status lcw_subscribe_too(lua_State *L, lcw_socket *w, unsigned mask);

/* ---- From ltasks.c: what curlwire/tasks.lua needs for coroutines -------------------------------------------- */

/* Pushes the table of those functions. */
void lcw_push_tasks(lua_State *L);
/* If a coroutine of curlwire.spawn makes this call, pushes the Lua function that it uses in place of the method at index 2.
 * The upvalue is the state, the next upvalue the table of those functions; both are nil until the first spawn. */
static inline bool lcw_push_task_method(lua_State *L, int upvalue)
{
    const lcw_state *state = lua_touserdata(L, lua_upvalueindex(upvalue));

    if (state == NULL || state->task != L || state->is_trying)
        return false;
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(upvalue + 1));
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

/* ---- From lvalidation.c: the server's certificate ------------------------------------------------------- */

/* Calls the handler of the certificate of the socket at socket_index, and answers the core. Returns false if the handler
 * raised an error, with the error value on top of the stack. */
bool lcw_answer_certificate(lua_State *L, lcw_socket *w, int socket_index);

/* ---- From lwebsocket.c: the socket, for both classes --------------------------------------------------- */

lcw_socket *lcw_check_socket(lua_State *L, int index);
/* Pushes a part of the socket; the first call makes that part. A new part has size_bytes: an lcw_view, then zeros. */
void *lcw_push_part(lua_State *L, lcw_socket *w, int socket_index, lcw_slot slot, const char *type_name,
                    size_t size_bytes);
int lcw_message_websocket(lua_State *L);
int lcw_stream_websocket(lua_State *L);
int lcw_connect_function(lua_State *L);
/* Does the first part of it: makes the socket. Pushes the socket and the timeout in milliseconds. */
int lcw_connect_prepare(lua_State *L);
int lcw_websocket_connect(lua_State *L);
int lcw_websocket_set_request_header(lua_State *L);
int lcw_websocket_add_request_header(lua_State *L);
int lcw_websocket_set_connected_socket(lua_State *L);
int lcw_websocket_ping(lua_State *L);
int lcw_websocket_flush(lua_State *L);
/* curlwire.dispatch and curlwire.fd as methods. All sockets of a Lua state share the descriptor and the events. */
int lcw_websocket_dispatch(lua_State *L);
int lcw_websocket_fileno(lua_State *L);
int lcw_websocket_close(lua_State *L);
int lcw_websocket_wait_closed(lua_State *L);
int lcw_websocket_abort(lua_State *L);
int lcw_websocket_batch(lua_State *L);
int lcw_websocket_scope_end(lua_State *L);
int lcw_websocket_gc(lua_State *L);

/* ---- From lattribute.c: fields of a socket --------------------------------------------------------------- */

/* Upvalue 1 of lcw_websocket_index is the table of the class's methods. */
int lcw_websocket_index(lua_State *L);
/* Pushes the names of the fields of a socket, joined by ", ". */
void lcw_push_field_names(lua_State *L);
int lcw_websocket_newindex(lua_State *L);
int lcw_websocket_tostring(lua_State *L);

/* ---- From lmessage.c: messages ------------------------------------------------------------------------- */

/* Returns the socket at index 1. Errors: raises an error if it is no MessageWebSocket. */
lcw_socket *lcw_check_message_socket(lua_State *L);
/* Converts the argument compress: true, false or nil. Errors: raises an argument error for any other value. */
cw_compress lcw_check_compress(lua_State *L, int argument);
/* Sends a message and pushes the results of send. Argument 2 is the value that the message was made from. */
int lcw_send_message(lua_State *L, lcw_socket *w, const cw_message *m, int timeout_ms);
/* Takes the next message. Errors: raises an error while on_message_received is set. */
cw_status lcw_take_message(lua_State *L, lcw_socket *w, int timeout_ms, cw_event **out);
/* Pushes the three values of a message and frees it. Errors: raises an error if there is no memory; the message stays the
 * next one. */
int lcw_push_message(lua_State *L, lcw_socket *w, cw_event *event);
int lcw_websocket_send(lua_State *L);
int lcw_websocket_try_send(lua_State *L);
int lcw_websocket_send_many(lua_State *L);
/* Does what send_many does, beginning after the first `done` messages of the list. */
int lcw_send_many_from(lua_State *L, size_t done);
/* Sends a fragment: the arguments are the socket, the data or nil for none, the type, compress, an owner, and whether it is
 * the last. The owner is any table that only this message has. It never waits. */
int lcw_try_fragment(lua_State *L);
int lcw_websocket_receive(lua_State *L);
int lcw_websocket_messages(lua_State *L);
int lcw_websocket_send_final_frame(lua_State *L);
int lcw_websocket_send_nonfinal_frame(lua_State *L);
/* Pushes a function that converts an event. It takes the event as light userdata, and returns its data, "utf8" or "binary",
 * and is_complete. Call it protected, because it may run out of memory. */
void lcw_push_pusher(lua_State *L);
/* Pushes the iterator of messages. A state has one iterator for all its sockets, so that LuaJIT's traces stay valid. */
void lcw_push_next_message(lua_State *L);
void lcw_push_message_type(lua_State *L, cw_message_type message_type);
/* Finds the message type of a word: "binary", "utf8" or "text", which means "utf8". Returns false for other words. */
bool lcw_find_message_type(const char *word, cw_message_type *out);

/* ---- From ljson.c: messages that are JSON ------------------------------------------------------------------ */

int lcw_websocket_send_json(lua_State *L);
/* Pushes the JSON of argument 2, by the library that is argument 3. */
int lcw_encode_json(lua_State *L);
int lcw_websocket_receive_json(lua_State *L);

/* ---- From lstream.c and linput.c: the streams ------------------------------------------------------------ */

void lcw_push_output_stream(lua_State *L, lcw_socket *w, int socket_index);
int lcw_output_write(lua_State *L);
int lcw_output_flush(lua_State *L);
int lcw_output_setvbuf(lua_State *L);
int lcw_output_close(lua_State *L);
int lcw_output_tostring(lua_State *L);

void lcw_push_input_stream(lua_State *L, lcw_socket *w, int socket_index);
/* ws:receive_stream: pushes an input stream of the next message, and its type. */
int lcw_websocket_receive_stream(lua_State *L);
int lcw_input_read(lua_State *L);
int lcw_input_lines(lua_State *L);
int lcw_input_close(lua_State *L);
int lcw_input_tostring(lua_State *L);
int lcw_input_gc(lua_State *L);
/* A Lua function: returns what read(count) does, but only waits for the first bytes. */
int lcw_input_read_some(lua_State *L);
/* Pushes a stream with the bytes of the string at index. It needs no socket. */
void lcw_push_memory_stream(lua_State *L, int index);

/* ---- From ldata.c, ldata_reader.c and ldata_writer.c: DataReader and DataWriter ----------------------------- */

int lcw_data_reader(lua_State *L);
int lcw_data_reader_from_buffer(lua_State *L);
int lcw_data_writer(lua_State *L);
int lcw_args_get_data_reader(lua_State *L);
int lcw_args_get_data_stream(lua_State *L);
int lcw_data_close(lua_State *L);
int lcw_data_detach_buffer(lua_State *L);
int lcw_data_detach_stream(lua_State *L);
int lcw_data_gc(lua_State *L);
int lcw_data_tostring(lua_State *L);
int lcw_data_index(lua_State *L);
int lcw_data_newindex(lua_State *L);
int lcw_data_load(lua_State *L);
int lcw_data_read_byte(lua_State *L);
int lcw_data_read_bytes(lua_State *L);
int lcw_data_read_boolean(lua_State *L);
int lcw_data_read_int16(lua_State *L);
int lcw_data_read_int32(lua_State *L);
int lcw_data_read_int64(lua_State *L);
int lcw_data_read_uint16(lua_State *L);
int lcw_data_read_uint32(lua_State *L);
int lcw_data_read_uint64(lua_State *L);
int lcw_data_read_single(lua_State *L);
int lcw_data_read_double(lua_State *L);
int lcw_data_read_guid(lua_State *L);
int lcw_data_read_date_time(lua_State *L);
int lcw_data_read_time_span(lua_State *L);
int lcw_data_read_string(lua_State *L);
int lcw_data_write_byte(lua_State *L);
int lcw_data_write_bytes(lua_State *L);
int lcw_data_write_boolean(lua_State *L);
int lcw_data_write_int16(lua_State *L);
int lcw_data_write_int32(lua_State *L);
int lcw_data_write_int64(lua_State *L);
int lcw_data_write_uint16(lua_State *L);
int lcw_data_write_uint32(lua_State *L);
int lcw_data_write_uint64(lua_State *L);
int lcw_data_write_single(lua_State *L);
int lcw_data_write_double(lua_State *L);
int lcw_data_write_guid(lua_State *L);
int lcw_data_write_date_time(lua_State *L);
int lcw_data_write_time_span(lua_State *L);
int lcw_data_write_string(lua_State *L);
int lcw_data_measure_string(lua_State *L);
int lcw_data_store(lua_State *L);
int lcw_data_flush(lua_State *L);

/* ---- From lcookies.c: cookie jars --------------------------------------------------------------------------- */

int lcw_cookie_jar(lua_State *L);
int lcw_cookie_jar_gc(lua_State *L);
int lcw_cookie_jar_len(lua_State *L);
int lcw_cookie_jar_tostring(lua_State *L);
int lcw_cookie_jar_cookies(lua_State *L);
int lcw_cookie_jar_set(lua_State *L);
int lcw_cookie_jar_clear(lua_State *L);
int lcw_cookie_jar_clear_session(lua_State *L);
int lcw_cookie_jar_load(lua_State *L);
int lcw_cookie_jar_save(lua_State *L);
int lcw_cookie_jar_eq(lua_State *L);
/* Makes a socket use the jar at index. Returns false, and does nothing, if the value is no jar. */
bool lcw_set_cookie_jar(lua_State *L, lcw_socket *w, int index, cw_status *status);
/* Pushes the jar that the socket uses. Returns false, and pushes nothing, if there is none. */
bool lcw_push_cookie_jar(lua_State *L, lcw_socket *w);

/* ---- From lcontrol.c: control ---------------------------------------------------------------------------- */

int lcw_control_index(lua_State *L);
int lcw_control_newindex(lua_State *L);
int lcw_control_tostring(lua_State *L);
/* Sets the controls that are keys of the table at index. In the options of curlwire.connect, it skips the keys that are not
 * controls. */
void lcw_control_set_all(lua_State *L, lcw_socket *w, int index, bool is_of_connect);

/* ---- From lheaders.c: tables of headers ------------------------------------------------------------------ */

typedef void lcw_visit_header(lua_State *L, void *user, const cw_header *header);
/* Calls visit for each header of the table at index `table`: pairs {name, value} in their order, and after them name = value and
 * name = {value, ...}. The header's texts are valid while the table has them. what names the table in errors. */
void lcw_headers_visit(lua_State *L, int table, const char *what, lcw_visit_header *visit, void *user);
/* Sets a control that is headers to the value at index. Errors: raises an error about the value's type. */
cw_status lcw_headers_set(lua_State *L, lcw_socket *w, cw_option option, int index);

/* ---- From lreconnect.c: the rules for reconnecting ------------------------------------------------------- */

/* Makes the type of the rules. */
void lcw_add_reconnect(lua_State *L);
/* Pushes new rules. Only curlwire/init.lua calls it, as _reconnect of the module, and removes it. */
int lcw_reconnect_rules(lua_State *L);

/* ---- From linformation.c: information -------------------------------------------------------------------- */

int lcw_information_index(lua_State *L);
/* Pushes a table of the items of a list "a, b". */
void lcw_push_list(lua_State *L, const char *text);
int lcw_information_newindex(lua_State *L);
int lcw_information_tostring(lua_State *L);
/* Pushes a text of the connection, or nil if it is empty. */
void lcw_push_info(lua_State *L, lcw_socket *w, cw_info info);
/* Returns whether the parent process made the socket, before fork(). If so, it sets the core's error message. */
bool lcw_is_of_parent(lcw_socket *w);
/* Pushes a table of the reply's headers, or nil if there are none. */
void lcw_push_response_headers(lua_State *L, lcw_socket *w);
/* Pushes a table of the speed of the connection. */
void lcw_push_bandwidth(lua_State *L, lcw_socket *w);
int lcw_statistics(lua_State *L);
/* Pushes the number of bytes that wait in the socket. */
void lcw_push_buffered_amount(lua_State *L, lcw_socket *w);

/* ---- From lcertificate.c: the server's certificates ------------------------------------------------------ */

/* Push the table of the server's certificate, or nil; and the list of those that it sent with it. */
void lcw_push_certificate(lua_State *L, lcw_socket *w);
void lcw_push_intermediate_certificates(lua_State *L, lcw_socket *w);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif

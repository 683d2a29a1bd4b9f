/* SPDX-License-Identifier: MIT */
/* The private header of the extension module: the module's state, its objects, and the functions that one file offers to the
 * others, grouped by file. A file calls only functions of files that come before it here; module.c comes last. Only the files
 * of this directory include this header. It includes one header of the core, curlwire.h. */
#ifndef CURLWIRE_PYTHON_STATE_H
#define CURLWIRE_PYTHON_STATE_H

/* No format of this module contains "#": with the headers of Python 3.13, which build the wheels, PY_SSIZE_T_CLEAN has no
 * effect, and Python 3.11 and 3.12 then reject such a format. */
#include <Python.h>

#include <curlwire.h>
#include <stdatomic.h>
#include <structmember.h>

/* Functions and classes that are written in Python. The package passes them to the module by bind(). */
#define HELPER_LIST(X)  \
    X(bandwidth)        \
    X(make_error)       \
    X(batch)            \
    X(cookie)           \
    X(describe)         \
    X(closed_args)      \
    X(headers)          \
    X(information)      \
    X(input_stream)     \
    X(output_stream)    \
    X(check_call)       \
    X(check_handler)    \
    X(check_result)     \
    X(validate)         \
    X(watch)            \
    X(changed)          \
    X(run_forever)      \
    X(find_authorities) \
    X(dumps)            \
    X(loads)            \
    X(refuse_json)      \
    X(values)           \
    X(message_stream)   \
    X(default)

typedef enum helper {
#define CW_X(name) HELPER_##name,
    HELPER_LIST(CW_X)
#undef CW_X
        HELPER_COUNT
} helper;

typedef enum type_index {
    TYPE_WEBSOCKET,
    TYPE_MESSAGE_WEBSOCKET,
    TYPE_STREAM_WEBSOCKET,
    TYPE_MESSAGE_CONTROL,
    TYPE_STREAM_CONTROL,
    TYPE_MESSAGE_BUFFER,
    TYPE_MESSAGE_ARGS,
    TYPE_MAILBOX,
    TYPE_DONE,
    TYPE_MESSAGES,
    TYPE_RECEIVING,
    TYPE_PING,
    TYPE_DATA_READER,
    TYPE_DATA_WRITER,
    TYPE_COOKIE_JAR,
    TYPE_COUNT
} type_index;

typedef enum enum_index {
    ENUM_WEB_STATUS,
    ENUM_MESSAGE_TYPE,
    ENUM_RECEIVE_MODE,
    ENUM_BYTE_ORDER,
    ENUM_UNICODE_ENCODING,
    ENUM_STREAM_OPTIONS,
    ENUM_COUNT
} enum_index;

enum { CONTROL_DOC_BYTES = 300 };

typedef struct blocking blocking;

/* Everything that the module owns. Each object has a pointer to it, and the type of the object keeps the module alive. */
typedef struct module_state {
    PyTypeObject *types[TYPE_COUNT];
    PyObject *enums[ENUM_COUNT];
    PyObject *helpers[HELPER_COUNT];
    PyObject *done_nothing;     /* the Done whose result is None */
    PyObject *get_running_loop; /* the function of asyncio; NULL before its first use */
    PyObject *run_name;         /* "run" */
    PyObject *run_key; /* where a thread's dict has what asyncio notes about a run of a loop; see is_in_loop */
    /* indexed by cw_class; built from the table of controls */
    PyGetSetDef control_members[2][CW_OPTION_COUNT + 2];   /* and one attribute that can only be read */
    char control_docs[CW_OPTION_COUNT][CONTROL_DOC_BYTES]; /* the docstrings of control_members */
    unsigned long main_thread;
    unsigned long
        fork_count;          /* number of forks between the process that imported the module and this process */
    blocking *main_blocking; /* the innermost blocking call of the main thread; used by that thread only */
    atomic_ulong exiting_thread;    /* 0, or the thread that ends the interpreter */
    atomic_ulong dispatcher_thread; /* 0, or the latest thread that calls the handlers */
} module_state;

typedef enum handler_index {
    HANDLER_MESSAGE,
    HANDLER_CLOSED,
    HANDLER_VALIDATION,
    HANDLER_TRACE,
    HANDLER_WRITABLE,
    HANDLER_COUNT
} handler_index;

/* MessageWebSocket or StreamWebSocket. */
typedef struct websocket {
    PyObject_HEAD module_state *state;
    cw_socket *socket;
    PyObject *weak_self; /* cw_socket_user points to it, so that an event finds the object if it still exists */
    PyObject *weak_references;
    PyObject *handlers[HANDLER_COUNT];
    PyObject *retired_handler;  /* the last message handler that was removed */
    PyObject *cookie_jar;       /* the CookieJar of the control; NULL if the control is a text */
    unsigned long fork_count;   /* the module's fork_count when the socket was created */
    atomic_bool was_open;       /* connect succeeded */
    atomic_bool is_subscribed;  /* a handler has been set, so the closed event goes to the dispatcher */
    atomic_bool has_dispatched; /* the dispatcher has handled the closed event */
    /* connect() runs in the dispatcher thread, so it calls the handler of the certificate itself */
    atomic_bool answers_itself;
    PyObject *loop; /* the asyncio loop that owns the socket; NULL = none */
    PyObject *run;  /* asyncio's note of the run of that loop in which the last call was made; NULL = none */
    /* The Receiving that waits for a message; NULL = none. The loop holds the socket while it polls, so it also holds the task. */
    PyObject *waiter;
    bool is_polled;         /* an event loop polls the connection */
    bool is_ready_to_wait;  /* it does, and only a Receiving may wait: a wait need not call _begin_wait() */
    PyObject *own_mailbox;  /* the Mailbox of fileno() and dispatch(), once they are called; else NULL */
    bool is_kept;           /* the object holds a reference to itself */
    unsigned next_count;    /* messages that iteration has asked for */
    atomic_uint called;     /* for check_method: one bit for each method that has been called */
    cw_event *closed_event; /* a closed event that was taken while on_closed was not set; else NULL */
} websocket;

/* Mailbox. */
typedef struct mailbox {
    PyObject_HEAD module_state *state;
    cw_mailbox *mailbox;
    PyObject *late; /* list of sockets whose on_closed was set after their closed event had been taken */
    atomic_bool is_started, must_stop;
    atomic_bool is_dispatching; /* dispatch() of a socket with a mailbox of its own runs */
    atomic_ulong thread;        /* the thread in dispatch(); 0 = none */
} mailbox;

/* ---- From state.c ---------------------------------------------------------------------------------------- */

extern struct PyModuleDef module_definition;

/* Lock and unlock the handler and user pointers. The GIL guards them; only a free-threaded build needs this lock. Code
 * between the two calls must not run Python code. */
#ifdef Py_GIL_DISABLED
void fields_lock(void);
void fields_unlock(void);
/* Frees the lock in a child of fork. Another thread of the parent may have held it. */
void fields_after_fork(void);
#else
static inline void fields_lock(void) {}
static inline void fields_unlock(void) {}
static inline void fields_after_fork(void) {}
#endif

/* The method __reduce_ex__, which copy and pickle call: raises TypeError. */
PyObject *refuse_copy(PyObject *self, PyObject *Py_UNUSED(protocol));
extern const char refuse_copy_doc[];

/* Returns the state of the module that made this type or one of its bases; NULL with TypeError set if there is none. */
module_state *state_of_type(PyTypeObject *type);
/* Frees the memory of an object through its type's tp_free slot. For dealloc functions. */
void free_object(PyObject *self);
/* Converts a function to the void * of a PyType_Slot. ISO C has no direct cast between the two. */
#define SLOT(function) ((void *)(intptr_t)(function))
/* Returns a helper, borrowed; NULL with an exception set if the package has not been imported. */
PyObject *get_helper(module_state *state, helper index);
/* Returns the member of an enumeration that has this number, as a new reference. */
PyObject *enum_member(module_state *state, enum_index index, long number);

/* ---- From texts.c ---------------------------------------------------------------------------------------- */

/* Copy a text of the core. Returns a new str, or bytes for a control that holds bytes. Headers are decoded as Latin-1.
 * Errors: NULL. *status is the core's status and no exception is set, or *status is CW_OK and an exception is set. */
PyObject *copy_info(websocket *ws, cw_info info, cw_status *status);
PyObject *copy_option(websocket *ws, cw_option option, cw_status *status);

/* ---- From errors.c: exceptions, and calls that wait ------------------------------------------------------ */

/* A call of the core that may lock or wait, made without the GIL. In the main thread its waits run Python's signal handlers. */
struct blocking {
    module_state *state;
    PyThreadState *thread;
    blocking *outer; /* the call that waits while a Python signal handler makes this one; NULL = none */
    bool is_main;
    bool is_interrupted; /* a signal handler has raised, and its exception is set */
};
void blocking_begin(module_state *state, blocking *b);
/* Takes the GIL back. Returns the status of the call, or CW_INTERRUPTED if it succeeded but a signal handler has raised. */
cw_status blocking_end(blocking *b, cw_status status);

/* Sets the exception for a failed call of the core. This thread must not have called the core since. Returns NULL.
 *   ws   the socket that the call was for, or NULL */
PyObject *raise_status(module_state *state, websocket *ws, cw_status status);
/* Returns the exception that raise_status would set; NULL if it is no exception of the package, such as MemoryError, which is set. */
PyObject *error_of_status(websocket *ws, cw_status status);
/* Sets the exception for a failed connect: MemoryError for CW_NO_MEMORY, ArgumentError or StateError if the caller made a
 * mistake, else ConnectError. Returns NULL. */
PyObject *raise_connect(websocket *ws, cw_status status);
/* Returns None for CW_OK; else raises as raise_status does. */
PyObject *none_or_raise(websocket *ws, cw_status status);
/* Set the exception for CW_INVALID_ARGUMENT, CW_INVALID_STATE or CW_SYSTEM_ERROR, with the text given here. Return NULL. */
PyObject *raise_argument(module_state *state, const char *format, ...);
PyObject *raise_state(module_state *state, const char *format, ...);
PyObject *raise_system(module_state *state, const char *format, ...);

/* ---- From convert.c: arguments --------------------------------------------------------------------------- */

enum { ARGUMENTS_MAX = 4 };

/* The methods that raise TypeError when the caller awaits them. */
typedef enum method {
    METHOD_CONNECT,
    METHOD_SET_REQUEST_HEADER,
    METHOD_ADD_REQUEST_HEADER,
    METHOD_PING,
    METHOD_FLUSH,
    METHOD_CLOSE,
    METHOD_WAIT_CLOSED,
    METHOD_ABORT,
    METHOD_BATCH,
    METHOD_RUN_FOREVER,
    METHOD_SEND,
    METHOD_SEND_MANY,
    METHOD_RECV,
    METHOD_RECV_INTO,
    METHOD_SEND_FINAL_FRAME,
    METHOD_SEND_NONFINAL_FRAME,
    METHOD_SEND_JSON,
    METHOD_RECV_JSON,
    METHOD_RECV_STREAM,
    METHOD_SET_CONNECTED_SOCKET,
    METHOD_TRY_SEND,
    METHOD_FILENO,
    METHOD_DISPATCH
} method;

typedef struct signature {
    method method;
    const char *name;
    int required;
    const char *parameters[ARGUMENTS_MAX + 1]; /* ends with NULL */
    int keyword_only;                          /* how many of the last parameters must be given by name */
} signature;

/* Checks that the caller does not await the method. Returns false with TypeError set if it does. Only the first call of each
 * method of a socket is checked. */
bool check_method(websocket *ws, method which, const char *name);
/* Sorts the arguments of a METH_FASTCALL | METH_KEYWORDS method by parameter. Returns false with TypeError set if they are wrong.
 *   out[i]   borrowed; NULL if the caller left the argument out */
bool sort_arguments(const signature *sig, PyObject *const *args, Py_ssize_t count, PyObject *names,
                    PyObject *out[ARGUMENTS_MAX]);
/* Calls check_method, then sort_arguments. */
bool parse_arguments(websocket *ws, const signature *sig, PyObject *const *args, Py_ssize_t count,
                     PyObject *names, PyObject *out[ARGUMENTS_MAX]);
/* Converts a timeout argument to milliseconds. NULL and curlwire.DEFAULT give CW_TIMEOUT_DEFAULT, None gives CW_TIMEOUT_NEVER. */
bool parse_timeout(module_state *state, PyObject *value, int *timeout_ms);
/* Calls parse_arguments and parse_timeout, for a method whose only parameter is a timeout. */
bool parse_only_timeout(websocket *ws, const signature *sig, PyObject *const *args, Py_ssize_t count,
                        PyObject *names, int *timeout_ms);
/* Converts seconds to milliseconds, rounded up, and None to none_ms.
 *   or_none   the end of the error text, such as ", or None for no limit"; "" if None is not allowed */
bool parse_seconds(module_state *state, PyObject *value, const char *what, const char *or_none, int64_t none_ms,
                   int64_t *out_ms);
/* Converts an int, or an object with __index__, to a number. Any other object, and a bool, is a TypeError:
 * "WHAT must be KIND, not ...". */
bool parse_int(PyObject *value, const char *what, const char *kind, int64_t *number, int *overflow);
/* Sets the ArgumentError "WHAT cannot be VALUE: it takes TAKES". Returns false. */
bool refuse_value(module_state *state, const char *what, PyObject *value, const char *takes);
/* Borrows the UTF-8 of a str. Any other object is a TypeError. */
bool parse_text(module_state *state, PyObject *value, const char *what, const char **text, size_t *len_bytes);
bool parse_flag(PyObject *value, const char *what, bool *out);

/* A flag that may be left open. */
typedef enum choice { CHOICE_OPEN, CHOICE_NO, CHOICE_YES } choice;
/* Converts True, False, None or NULL. Any other value is a TypeError. */
bool parse_choice(PyObject *value, const char *what, choice *out);

/* The bytes of one message to send: the UTF-8 of a str, or a contiguous buffer. Borrowed until payload_release. */
typedef struct payload {
    cw_message_type message_type;
    const void *data;
    size_t len_bytes;
    Py_buffer view;
    bool has_view;
} payload;
/* Borrows the bytes of an object. Returns false with an exception set if that fails.
 *   what   the call, for a TypeError. NULL: an object that is neither a str nor bytes-like sets no exception */
bool payload_acquire(module_state *state, PyObject *object, const char *what, payload *p);
/* Converts the argument compress=. */
bool parse_compress(PyObject *value, cw_compress *out);
/* Borrows the argument `what`, a function, or the helper if the argument is left out. Returns NULL with TypeError set if it
 * cannot be called. */
PyObject *parse_function(module_state *state, PyObject *value, const char *what, helper otherwise);
/* Applies the argument text=: CHOICE_YES makes the payload text, CHOICE_NO makes it binary. */
static inline void payload_choose(payload *p, choice text)
{
    if (text != CHOICE_OPEN)
        p->message_type = text == CHOICE_YES ? CW_UTF8 : CW_BINARY;
}
/* Releases a payload. This may run Python code that calls the core and so replaces the details of a failed call. Raise the
 * exception of a failed call first. */
void payload_release(payload *p);
/* Finds an attribute. Returns 1 with a new reference in *found; 0 if there is none; -1 with an exception set.
 * PyObject_HasAttrString would say 0 if there is no memory. */
int find_attribute(PyObject *object, const char *name, PyObject **found);

/* ---- From data_reader.c and data_writer.c ------------------------------------------------------------------ */

bool add_data_reader_type(PyObject *module, module_state *state);
bool add_data_writer_type(PyObject *module, module_state *state);
/* Makes a DataReader of a bytes-like object, which it keeps. */
PyObject *data_reader_of_buffer(module_state *state, PyObject *buffer);

/* ---- From events.c: events as objects ------------------------------------------------------------------------- */

bool add_event_types(PyObject *module, module_state *state);
/* Returns the payload of a message as a new str or bytes. The caller still owns the event.
 *   decode   CHOICE_OPEN: by the type of the message. CHOICE_YES: a str; the message must be whole. CHOICE_NO: bytes */
PyObject *event_value(const cw_event *e, choice decode);
/* Puts a message back into the socket, which delivers it again as the next message. An exception may be set. */
void event_put_back(websocket *ws, cw_event *e);
/* Makes a MessageBuffer, or the MessageReceivedEventArgs for a handler. On success the object owns the event. */
PyObject *message_buffer_create(module_state *state, type_index type, cw_event *e);

/* ---- From awaitable.c: awaitables whose result is known ------------------------------------------------------- */

bool add_done_type(PyObject *module, module_state *state);
/* Make a Done: with the result None; with a result, which it steals; with the exception that is set, which it clears; with a
 * message, which it takes over. Return NULL with an exception set if there is no memory.
 *   buffer_type   TYPE_MESSAGE_BUFFER or TYPE_MESSAGE_ARGS: the result is such an object. TYPE_COUNT: a str or bytes */
PyObject *done_of_nothing(module_state *state);
PyObject *done_of_value(module_state *state, PyObject *value);
PyObject *done_of_error(module_state *state);
PyObject *done_of_event(websocket *ws, cw_event *e, choice decode, type_index buffer_type);
/* Returns the result of a Done, or NULL with its exception set. Only the first call does. */
PyObject *done_take(PyObject *self);
/* Sets StopIteration with a value, which it steals. Returns NULL. */
PyObject *stop_iteration(PyObject *value);
/* Sets the exception of the arguments of throw(). Returns false with TypeError set if their number is wrong. */
bool set_thrown(PyObject *const *args, Py_ssize_t count);

/* ---- From mailbox.c ------------------------------------------------------------------------------------------- */

bool add_mailbox_type(PyObject *module, module_state *state);
/* Returns the object as a mailbox, borrowed; NULL with TypeError set if it is not a Mailbox. */
mailbox *mailbox_of(module_state *state, PyObject *object);
/* Asks the dispatcher to call on_closed of a socket whose closed event came before the handler was set. */
int mailbox_add_late(mailbox *m, websocket *ws);

/* ---- From handlers.c ---------------------------------------------------------------------------------------- */

/* Read and write a handler attribute. None stands for no handler. */
PyObject *websocket_get_handler(websocket *ws, handler_index index);
int websocket_set_handler(websocket *ws, handler_index index, PyObject *value);
/* Decides whether connect() or the dispatcher calls the handler of the server's certificate. Returns -1 with an exception
 * set if that fails. For use before a connect. */
int websocket_choose_answerer(websocket *ws, bool answers_itself);
/* Calls the handler of the server's certificate, which answers the core now or later. Raises nothing. */
void websocket_validate(websocket *ws);
bool websocket_has_handlers(websocket *ws);
/* Returns the handler for a message that the dispatcher has taken; NULL without an exception if there is none. */
PyObject *websocket_message_handler(websocket *ws);
/* Returns the handler for the closed event. If there is none, returns NULL, and the socket keeps the event for a handler
 * that is set later. */
PyObject *websocket_closed_handler(websocket *ws, cw_event *e);
/* Returns the Mailbox of a socket that a loop of the program serves, borrowed; else NULL. It stays as long as the socket. */
PyObject *websocket_own_mailbox(websocket *ws);
/* Makes an open socket with handlers hold a reference to itself until its closed event has been dispatched. Call it after
 * every change of its handlers or of its state, while holding a reference. */
void websocket_update_keeping(websocket *ws);
/* Drops the socket's reference to itself, at the interpreter's exit. */
void websocket_stop_keeping(websocket *ws);
/* Wakes run_forever so that it checks the sockets again. Raises nothing. */
void websocket_tell_change(websocket *ws);

/* ---- From dispatch.c ------------------------------------------------------------------------------------------ */

/* Calls the handlers for the events of a mailbox until its stop() is called. The module's function dispatch. Blocks: yes.
 * Thread: one only. */
PyObject *core_dispatch(PyObject *module, PyObject *object);
/* Delivers an event to the handlers of its socket. Takes the event over. */
void dispatch_event(cw_event *e);
/* Calls on_closed of the sockets that were added by mailbox_add_late. */
void dispatch_late(mailbox *m);
/* Takes the next event of a mailbox without waiting. Returns (socket, type of event, line of a trace or None), or None. The
 * module's function take_event. */
PyObject *core_take_event(PyObject *module, PyObject *object);

/* ---- From information.c ------------------------------------------------------------------------------------ */

/* Return the attributes that describe a connection and its end; websocket.c lists them. For information_text the closure is
 * the cw_info to read. That function returns None instead of an empty text. */
PyObject *information_text(PyObject *self, void *closure);
PyObject *information_headers(PyObject *self, void *Py_UNUSED(closure));
PyObject *information_bandwidth(PyObject *self, void *Py_UNUSED(closure));
PyObject *information_timings(PyObject *self, void *Py_UNUSED(closure));
PyObject *information_latency(PyObject *self, void *Py_UNUSED(closure));
PyObject *information_buffered_amount(PyObject *self, void *Py_UNUSED(closure));
/* Returns what curlwire has counted for a socket: a tuple in the order of CW_STATISTICS_LIST. */
PyObject *information_statistics(PyObject *self, void *Py_UNUSED(closure));
/* Returns such a tuple for the process, and the counts of close codes and of failures as dicts. */
PyObject *information_process_statistics(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none));
PyObject *information_state(PyObject *self, void *Py_UNUSED(closure));
PyObject *information_close_code(PyObject *self, void *Py_UNUSED(closure));
PyObject *information_close_reason(PyObject *self, void *Py_UNUSED(closure));
PyObject *information_was_clean(PyObject *self, void *Py_UNUSED(closure));
/* Returns the header lines as a list of (name, value). The module's function parse_headers. */
PyObject *information_parse_headers(PyObject *Py_UNUSED(module), PyObject *lines);

/* ---- From certificate.c ------------------------------------------------------------------------------------ */

/* Returns the certificates that the server sent: a list of bytes in DER, the server's own first. */
PyObject *certificate_chain(PyObject *self, void *Py_UNUSED(closure));
/* Implements certificate_fact(der, key). */
PyObject *certificate_fact(PyObject *Py_UNUSED(module), PyObject *arguments);

/* ---- From control_text.c ------------------------------------------------------------------------------------- */

/* Returns whether a control is a text: a path, a list, bytes or a credential. */
bool control_is_text(cw_option option);
/* Returns the value of such a control; of a credential, the user name. */
PyObject *control_get_text(websocket *ws, cw_option option);
/* Sets such a control. Returns 0, or -1 with an exception set. */
int control_set_text(websocket *ws, cw_option option, PyObject *value);

/* ---- From control_headers.c ---------------------------------------------------------------------------------- */

/* Sets a control that is headers. Returns 0, or -1 with an exception set. */
int control_set_headers(websocket *ws, cw_option option, PyObject *value);
/* ---- From cookies.c ------------------------------------------------------------------------------------------ */

bool add_cookie_jar_type(PyObject *module, module_state *state);
/* Return and set the control cookie_jar: a CookieJar, a path or None. The second returns 0, or -1 with an exception set. */
PyObject *cookie_jar_get_control(websocket *ws);
int cookie_jar_set_control(websocket *ws, PyObject *value);

/* ---- From control.c ------------------------------------------------------------------------------------------ */

bool add_control_types(PyObject *module, module_state *state);
/* Returns a new control object for ws.control. */
PyObject *control_create(websocket *ws);
/* Sets the controls in the keywords of a constructor. Returns false with an exception set if one is wrong. */
bool control_set_all(websocket *ws, PyObject *keywords);

/* ---- From reconnect.c ---------------------------------------------------------------------------------------- */

bool add_reconnect_type(PyObject *module);

/* ---- From connecting.c and closing.c: methods of both classes ----------------------------------------------- */

/* The C types of METH_FASTCALL | METH_KEYWORDS, METH_FASTCALL and METH_NOARGS methods. */
typedef PyObject *keyword_method(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
typedef PyObject *fast_method(PyObject *self, PyObject *const *args, Py_ssize_t count);
typedef PyObject *plain_method(PyObject *self, PyObject *none);
#define FAST(function) ((PyCFunction)(void (*)(void))(function))

/* Names the file of certifi to the core, if it is installed. Only this imports certifi. Returns false with an exception set. */
bool name_authorities(module_state *state);
extern const char connect_doc[], set_request_header_doc[], add_request_header_doc[], set_connected_socket_doc[];
keyword_method websocket_connect, websocket_set_request_header, websocket_add_request_header,
    websocket_set_connected_socket;

extern const char close_doc[], wait_closed_doc[], abort_doc[], run_forever_doc[], exit_doc[], end_error_doc[];
keyword_method websocket_close, websocket_wait_closed;
fast_method websocket_exit;
/* websocket_is_pending returns whether run_forever still has to wait for the end of this socket. */
plain_method websocket_abort, websocket_run_forever, websocket_end_error, websocket_is_pending;

/* ---- From pinging.c: pings of both classes ------------------------------------------------------------------- */

bool add_ping_type(PyObject *module, module_state *state);
extern const char ping_doc[], ping_start_doc[];
keyword_method websocket_ping;
PyObject *websocket_ping_start(PyObject *self, PyObject *timeout);

/* ---- From own_loop.c: handlers in a loop of the program --------------------------------------------------- */

extern const char fileno_doc[], dispatch_doc[];
plain_method websocket_fileno;
keyword_method websocket_dispatch;
/* Does what run_forever() does, for a socket with a mailbox of its own. */
PyObject *websocket_run_own(websocket *ws);

/* ---- From loop.c: what an event loop calls ------------------------------------------------------------------ */

extern const char connect_start_doc[], connect_end_doc[], subscribe_doc[], poll_begin_doc[], poll_end_doc[];
extern const char ask_certificate_doc[];
/* What a message becomes; the numbers are those of curlwire.aio. FORM_NEXT is FORM_VALUE for iteration. */
typedef enum message_form { FORM_VALUE, FORM_BUFFER, FORM_ARGS, FORM_NEXT, FORM_COUNT } message_form;
/* Checks that the calling thread runs the asyncio loop that owns the socket. Returns false with StateError set if not. */
bool is_in_loop(websocket *ws);
/* Sends a message. Returns a Done, or None if it would have to wait, or if the data is neither a str nor bytes-like. */
PyObject *send_soon(websocket *ws, PyObject *data, choice text, cw_compress compress);
/* Takes the next message without waiting. Returns a Done, or None if there is none. */
PyObject *take_message(websocket *ws, choice decode, message_form form);
/* Sets the StateError for a second task that receives. Returns NULL. */
PyObject *raise_alone(module_state *state);
extern const char try_send_doc[], try_fragment_doc[], try_recv_doc[], try_read_doc[];
fast_method websocket_connect_start, websocket_subscribe, websocket_try_send, message_try_fragment,
    message_try_recv;
PyObject *websocket_ask_certificate(PyObject *self, PyObject *asks);
plain_method websocket_connect_end, websocket_poll_begin, websocket_poll_end;
PyObject *stream_try_read(PyObject *self, PyObject *size);

/* ---- From waiting.c: the wait for a message ------------------------------------------------------------------ */

bool add_receiving_type(PyObject *module, module_state *state);
bool add_messages_type(PyObject *module, module_state *state);
extern const char messages_doc[], receive_doc[];
/* Returns an awaitable for the next message: a Done if a message is there and no task waits for it, else a Receiving.
 *   owner   the object of curlwire.aio; its _begin_wait() lets the loop poll the connection */
PyObject *receive_message(websocket *ws, PyObject *owner, choice decode, message_form wanted);
fast_method message_receive_soon;
PyObject *message_messages(PyObject *self, PyObject *owner);
extern const char on_readable_doc[], wake_doc[];
plain_method websocket_on_readable;
PyObject *websocket_wake(PyObject *self, PyObject *is_in_callback);

/* ---- From loop_socket.c: the type LoopSocket, from which curlwire.aio.MessageWebSocket has send() and recv() --------- */

bool add_loop_socket_type(PyObject *module, module_state *state);

/* ---- From websocket.c: the base of both classes ----------------------------------------------------------- */

bool add_websocket_type(PyObject *module, module_state *state);
PyObject *websocket_create(PyTypeObject *type, cw_class socket_class);
/* am_aiter: raises TypeError. */
PyObject *websocket_async_for(PyObject *Py_UNUSED(self));
/* tp_init of both classes: sets the controls that are given as keywords. */
int websocket_init(PyObject *self, PyObject *args, PyObject *keywords);

/* ---- From sending.c and receiving.c: methods of MessageWebSocket ------------------------------------------- */

extern const char send_doc[], try_send_message_doc[], send_many_doc[], send_json_doc[];
extern const char send_final_frame_doc[], send_nonfinal_frame_doc[];
keyword_method message_send, message_try_send, message_send_many, message_send_json;
keyword_method message_send_final_frame, message_send_nonfinal_frame;

extern const char recv_doc[], recv_into_doc[], recv_json_doc[], recv_stream_doc[], receive_part_doc[];
keyword_method message_recv, message_recv_into, message_recv_json, message_recv_stream;
/* Returns the next part of the message that a MessageStream reads, as a MessageBuffer. */
fast_method message_receive_part;
/* Waits for the next message and returns it. Returns NULL with an exception set if that fails. Returns NULL with CW_OK in
 * *status if coming_bytes is not NULL and a large message has begun: *coming_bytes is then its size. */
cw_event *message_receive(websocket *ws, int timeout_ms, size_t *coming_bytes, cw_status *status);
/* Returns the next message as a new str or bytes, as event_value does; NULL with an exception set if that fails. */
PyObject *message_receive_value(websocket *ws, int timeout_ms, choice decode, cw_status *status);

/* ---- From stream_type.c, message_type.c --------------------------------------------------------------------- */

bool add_message_type(PyObject *module, module_state *state);
bool add_stream_type(PyObject *module, module_state *state);
/* Sends a bytes-like object as one message and returns its size. output_stream.write calls it. */
PyObject *websocket_write(PyObject *self, PyObject *data);

#endif

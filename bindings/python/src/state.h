/* SPDX-License-Identifier: MIT */
/* What the files of the extension module share: the module's state, the objects, and the functions that cross a
 * file, grouped by the file they come from. A file calls only those that come before it here; module.c is the last. Only
 * files of this directory include this; it includes no header of the core but curlwire.h. */
#ifndef CURLWIRE_PYTHON_STATE_H
#define CURLWIRE_PYTHON_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <curlwire.h>
#include <stdatomic.h>
#include <structmember.h>

/* What the package gives to the module by bind(): functions and classes that are better written in Python. */
#define HELPER_LIST(X) \
    X(make_error)      \
    X(batch)           \
    X(describe)        \
    X(closed_args)     \
    X(headers)         \
    X(information)     \
    X(input_stream)    \
    X(output_stream)   \
    X(check_call)      \
    X(check_handler)   \
    X(check_result)    \
    X(watch)           \
    X(changed)         \
    X(run_forever)

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
    TYPE_COUNT
} type_index;

typedef enum enum_index { ENUM_WEB_STATUS, ENUM_MESSAGE_TYPE, ENUM_RECEIVE_MODE, ENUM_COUNT } enum_index;

enum { CONTROL_DOC_BYTES = 300 };

typedef struct blocking blocking;

/* Everything the module owns. Each object keeps a pointer to it; its type keeps the module alive. */
typedef struct module_state {
    PyTypeObject *types[TYPE_COUNT];
    PyObject *enums[ENUM_COUNT];
    PyObject *helpers[HELPER_COUNT];
    PyGetSetDef control_members[2][CW_OPTION_COUNT + 1];   /* by cw_class; built from the table of controls */
    char control_docs[CW_OPTION_COUNT][CONTROL_DOC_BYTES]; /* their docstrings */
    unsigned long main_thread;
    unsigned long fork_count;    /* how many forks this process is away from the one that imported us */
    blocking *main_blocking;     /* the innermost blocking call of the main thread; used by that thread only */
    atomic_ulong exiting_thread; /* 0, or the thread that ends the interpreter */
} module_state;

typedef enum handler_index { HANDLER_MESSAGE, HANDLER_CLOSED, HANDLER_COUNT } handler_index;

/* MessageWebSocket or StreamWebSocket. */
typedef struct websocket {
    PyObject_HEAD module_state *state;
    cw_socket *socket;
    PyObject
        *weak_self; /* what cw_socket_user points to, so that an event finds the object, if it still lives */
    PyObject *weak_references;
    PyObject *handlers[HANDLER_COUNT];
    PyObject *retired_handler;  /* the message handler that was taken away last */
    unsigned long fork_count;   /* the module's, when the socket was made */
    atomic_bool was_open;       /* connect went well */
    atomic_bool is_subscribed;  /* a handler was set at some time: the closed event goes to the dispatcher */
    atomic_bool has_dispatched; /* the closed event has been through the dispatcher */
    bool is_kept;               /* the object holds a reference to itself */
    unsigned next_count;        /* messages that iteration has asked for */
    atomic_uint called;         /* the methods that were called, a bit each: for check_method */
    cw_event *closed_event;     /* the closed event, as long as on_closed was not there to get it */
} websocket;

/* Mailbox. */
typedef struct mailbox {
    PyObject_HEAD module_state *state;
    cw_mailbox *mailbox;
    PyObject *late; /* sockets whose closed event has waited for a handler */
    atomic_bool is_started, must_stop;
    atomic_ulong thread; /* the one that dispatches; 0 = none */
} mailbox;

/* ---- From state.c ---------------------------------------------------------------------------------------- */

extern struct PyModuleDef module_definition;

/* Handler and user pointers are guarded by the GIL, or in a free-threaded build by this lock. Nothing that can
 * run Python code may stand between the two. */
#ifdef Py_GIL_DISABLED
void fields_lock(void);
void fields_unlock(void);
#else
static inline void fields_lock(void) {}
static inline void fields_unlock(void) {}
#endif

/* The state of the module that made this type, or that made the type it was derived from. */
module_state *state_of_type(PyTypeObject *type);
/* The memory slot of a type: how a dealloc gives an object back. */
void free_object(PyObject *self);
/* A function as PyType_Slot wants it, which ISO C has no direct cast for. */
#define SLOT(function) ((void *)(intptr_t)(function))
/* A borrowed helper; NULL with an exception set if the package has not been imported. */
PyObject *get_helper(module_state *state, helper index);
/* A new member of an enumeration, from its number. */
PyObject *enum_member(module_state *state, enum_index index, long number);

/* ---- From texts.c ---------------------------------------------------------------------------------------- */

/* A text of the core's as a str; headers are Latin-1. NULL: *status says why, or an exception is set with CW_OK in it. */
PyObject *copy_info(websocket *ws, cw_info info, cw_status *status);
PyObject *copy_option(websocket *ws, cw_option option, cw_status *status);

/* ---- From errors.c: exceptions, and calls that wait ------------------------------------------------------ */

/* A call that may lock or wait, made without the GIL. In the main thread its waits answer to signals. */
struct blocking {
    module_state *state;
    PyThreadState *thread;
    blocking *outer; /* a signal handler of Python's may call us while we wait */
    bool is_main;
    bool is_interrupted; /* a signal handler has raised an exception, which is set */
};
void blocking_begin(module_state *state, blocking *b);
/* Returns the status of the call; CW_INTERRUPTED if it went well but a signal handler has raised meanwhile. */
cw_status blocking_end(blocking *b, cw_status status);

/* Sets the exception for a failed call, which must be this thread's last call of the core. Returns NULL.
 *   ws   whose call it was, or NULL */
PyObject *raise_status(module_state *state, websocket *ws, cw_status status);
/* The same for a connect: all that fails is a ConnectError, but for want of memory and for what the caller did wrong. */
PyObject *raise_connect(websocket *ws, cw_status status);
/* None for CW_OK, else as raise_status. */
PyObject *none_or_raise(websocket *ws, cw_status status);
/* Set the exception that CW_INVALID_ARGUMENT, CW_INVALID_STATE, CW_SYSTEM_ERROR would be, with a text of ours. Return
 * NULL. */
PyObject *raise_argument(module_state *state, const char *format, ...);
PyObject *raise_state(module_state *state, const char *format, ...);
PyObject *raise_system(module_state *state, const char *format, ...);

/* ---- From convert.c: arguments --------------------------------------------------------------------------- */

enum { ARGUMENTS_MAX = 3 };

/* The methods that tell a caller who awaits them that they are synchronous. */
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
    METHOD_SEND_NONFINAL_FRAME
} method;

typedef struct signature {
    method method;
    const char *name;
    int required;
    const char *parameters[ARGUMENTS_MAX + 1]; /* ends with NULL */
} signature;

/* False with an exception set if the caller awaits the method. Looks at the first call of each method of a socket. */
bool check_method(websocket *ws, method which, const char *name);
/* Sorts the arguments of a METH_FASTCALL | METH_KEYWORDS method, after check_method; out[i] is borrowed, NULL where none
 * was given. */
bool parse_arguments(websocket *ws, const signature *sig, PyObject *const *args, Py_ssize_t count,
                     PyObject *names, PyObject *out[ARGUMENTS_MAX]);
/* A timeout: NULL or Ellipsis = as the control says, None = for ever, else seconds. */
bool parse_timeout(module_state *state, PyObject *value, int *timeout_ms);
/* Seconds as milliseconds, rounded up; none_ms for None.
 *   or_none   ", or None for no limit"; "" where None is not allowed */
bool parse_seconds(module_state *state, PyObject *value, const char *what, const char *or_none, int64_t none_ms,
                   int64_t *out_ms);
/* An int, or what has __index__; no bool. Else TypeError: "WHAT must be KIND, not ...". */
bool parse_int(PyObject *value, const char *what, const char *kind, int64_t *number, int *overflow);
/* False, with the ArgumentError "WHAT cannot be VALUE: it takes TAKES". */
bool refuse_value(module_state *state, const char *what, PyObject *value, const char *takes);
/* Borrows the UTF-8 of a str that a parameter must be. */
bool parse_text(module_state *state, PyObject *value, const char *what, const char **text, size_t *len_bytes);
bool parse_flag(PyObject *value, const char *what, bool *out);

/* What is to be sent: a str's UTF-8, or any contiguous buffer; borrowed until payload_release. */
typedef struct payload {
    cw_kind kind;
    const void *data;
    size_t len_bytes;
    Py_buffer view;
    bool has_view;
} payload;
bool payload_acquire(module_state *state, PyObject *object, const char *what, payload *p);
/* May run code of Python's, whose own calls of the core would take the place of a failed one's details: raise first. */
void payload_release(payload *p);

/* ---- From events.c: events as objects ------------------------------------------------------------------------- */

bool add_event_types(PyObject *module, module_state *state);
/* str or bytes with the payload of a message; the event stays the caller's. */
PyObject *event_value(const cw_event *e);
/* Gives a message back that cannot be given out: it is the next one again. An exception may be set. */
void event_put_back(websocket *ws, cw_event *e);
/* A MessageBuffer, or the arguments for a handler; takes the event over, unless it fails. */
PyObject *message_buffer_create(module_state *state, type_index type, cw_event *e);

/* ---- From mailbox.c ------------------------------------------------------------------------------------------- */

bool add_mailbox_type(PyObject *module, module_state *state);
/* Borrowed; NULL with an exception set if it is no Mailbox. */
mailbox *mailbox_of(module_state *state, PyObject *object);
/* Has the dispatcher look at a socket whose closed event has waited for a handler. */
int mailbox_add_late(mailbox *m, websocket *ws);

/* ---- From handlers.c ---------------------------------------------------------------------------------------- */

/* Read or write a handler attribute: None where there is none. */
PyObject *websocket_get_handler(websocket *ws, handler_index index);
int websocket_set_handler(websocket *ws, handler_index index, PyObject *value);
bool websocket_has_handlers(websocket *ws);
/* The handler for a message that was taken; NULL, without exception, where there is none. */
PyObject *websocket_message_handler(websocket *ws);
/* The handler for the closed event. Where there is none, NULL, and the event stays with the socket, for a handler
 * that is set later. */
PyObject *websocket_closed_handler(websocket *ws, cw_event *e);
/* An open socket that has handlers lives until its closed event has been dispatched, whoever else holds it. To be
 * called, with a reference in hand, after what that depends on has changed. */
void websocket_update_keeping(websocket *ws);
/* Ends the keeping, at the interpreter's exit. */
void websocket_stop_keeping(websocket *ws);
/* Lets run_forever look again. Raises nothing. */
void websocket_tell_change(websocket *ws);

/* ---- From dispatch.c ------------------------------------------------------------------------------------------ */

/* The module's function dispatch. */
PyObject *core_dispatch(PyObject *module, PyObject *object);

/* ---- From information.c ------------------------------------------------------------------------------------ */

/* Getters of attributes. The closure of the first one is a cw_info; an empty text is None. */
PyObject *information_text(PyObject *self, void *closure);
PyObject *information_headers(PyObject *self, void *closure);
PyObject *information_state(PyObject *self, void *closure);
PyObject *information_close_code(PyObject *self, void *closure);
PyObject *information_close_reason(PyObject *self, void *closure);
PyObject *information_was_clean(PyObject *self, void *closure);
/* A function of the module: header lines as a list of (name, value). */
PyObject *information_parse_headers(PyObject *module, PyObject *lines);

/* ---- From control.c ------------------------------------------------------------------------------------------ */

bool add_control_types(PyObject *module, module_state *state);
PyObject *control_create(websocket *ws);
/* Sets the controls that a constructor was given as keywords. */
bool control_set_all(websocket *ws, PyObject *keywords);

/* ---- From connecting.c and closing.c: methods of both classes ----------------------------------------------- */

/* What METH_FASTCALL | METH_KEYWORDS, METH_FASTCALL and METH_NOARGS call. */
typedef PyObject *keyword_method(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
typedef PyObject *fast_method(PyObject *self, PyObject *const *args, Py_ssize_t count);
typedef PyObject *plain_method(PyObject *self, PyObject *none);
#define FAST(function) ((PyCFunction)(void (*)(void))(function))

extern const char connect_doc[], set_request_header_doc[], add_request_header_doc[];
keyword_method websocket_connect, websocket_set_request_header, websocket_add_request_header;

extern const char close_doc[], wait_closed_doc[], abort_doc[], run_forever_doc[], exit_doc[];
keyword_method websocket_close, websocket_wait_closed;
fast_method websocket_exit;
/* The last one, for run_forever: whether the end of this socket is still to be waited for. */
plain_method websocket_abort, websocket_run_forever, websocket_is_pending;

/* ---- From websocket.c: what both classes share ------------------------------------------------------------ */

bool add_websocket_type(PyObject *module, module_state *state);
PyObject *websocket_create(PyTypeObject *type, cw_class socket_class);
/* am_aiter: raises TypeError. */
PyObject *websocket_async_for(PyObject *self);
/* tp_init of both: the keywords are controls. */
int websocket_init(PyObject *self, PyObject *args, PyObject *keywords);

/* ---- From stream_type.c, message_type.c --------------------------------------------------------------------- */

bool add_message_type(PyObject *module, module_state *state);
bool add_stream_type(PyObject *module, module_state *state);
/* One write to output_stream: sends a bytes-like object as one message and returns its size. */
PyObject *websocket_write(PyObject *self, PyObject *data);

#endif

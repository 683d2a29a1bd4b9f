/* SPDX-License-Identifier: MIT */
/* The type WebSocket: what MessageWebSocket and StreamWebSocket share. The life of the object, pings, batches, and the tables
 * of its methods and attributes, many of which are in the files before this one. The two class files derive from it. It
 * touches neither messages nor streams. */
#include "state.h"

PyObject *websocket_create(PyTypeObject *type, cw_class socket_class)
{
    module_state *state = state_of_type(type);
    if (state == NULL)
        return NULL;
    websocket *ws = (websocket *)PyType_GenericAlloc(type, 0);
    if (ws == NULL)
        return NULL;
    ws->state = state;
    ws->fork_count = state->fork_count;
    cw_status status = cw_socket_create(socket_class, &ws->socket);
    if (status != CW_OK) {
        raise_status(state, NULL, status);
        Py_DECREF(ws);
        return NULL;
    }
    ws->weak_self = PyWeakref_NewRef((PyObject *)ws, NULL);
    if (ws->weak_self == NULL) {
        Py_DECREF(ws);
        return NULL;
    }
    cw_socket_set_user(ws->socket, ws->weak_self);
    return (PyObject *)ws;
}

int websocket_init(PyObject *self, PyObject *args, PyObject *keywords)
{
    if (PyTuple_Size(args) != 0) {
        PyErr_SetString(PyExc_TypeError, "controls are given by keyword; the URI goes to connect()");
        return -1;
    }
    return keywords == NULL || control_set_all((websocket *)self, keywords) ? 0 : -1;
}

static int websocket_traverse(PyObject *self, visitproc visit, void *arg)
{
    websocket *ws = (websocket *)self;
    Py_VISIT(Py_TYPE(self));
    for (int i = 0; i < HANDLER_COUNT; i++)
        Py_VISIT(ws->handlers[i]);
    Py_VISIT(ws->retired_handler);
    Py_VISIT(ws->weak_self);
    return 0;
}

static int websocket_clear(PyObject *self)
{
    websocket *ws = (websocket *)self;
    for (int i = 0; i < HANDLER_COUNT; i++)
        Py_CLEAR(ws->handlers[i]);
    Py_CLEAR(ws->retired_handler);
    return 0;
}

static void websocket_dealloc(PyObject *self)
{
    websocket *ws = (websocket *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (ws->socket != NULL) {
        fields_lock();
        cw_socket_set_user(ws->socket, NULL);
        fields_unlock();
    }
    if (ws->weak_references != NULL)
        PyObject_ClearWeakRefs(self);
    Py_CLEAR(ws->weak_self);
    websocket_clear(self);
    if (ws->socket != NULL) {
        PyThreadState *thread = PyEval_SaveThread();
        cw_event_free(ws->closed_event);
        cw_socket_release(ws->socket);
        PyEval_RestoreThread(thread);
    }
    free_object(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(ping_doc,
             "ping($self, /, timeout=...)\n--\n\n"
             "Sends a ping, waits for its pong, and returns the round trip in seconds.\n\n"
             "timeout: seconds; ... = control.ping_timeout, None = no limit.\n"
             "Raises WebSocketTimeout, ConnectionClosed, StateError. Blocks. Any thread, several at once.");

static PyObject *websocket_ping(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_PING, "ping", 0, {"timeout", NULL}};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[0], &timeout_ms))
        return NULL;
    int64_t rtt_us = 0;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_ping(ws->socket, timeout_ms, &rtt_us));
    if (status != CW_OK)
        return raise_status(ws->state, ws, status);
    return PyFloat_FromDouble((double)rtt_us / 1e6);
}

PyDoc_STRVAR(flush_doc, "flush($self, /, timeout=...)\n--\n\n"
                        "Waits until everything sent has left the socket.\n\n"
                        "timeout: seconds; ... = control.send_timeout, None = no limit.\n"
                        "Raises WebSocketTimeout, ConnectionClosed, StateError. Blocks. Any thread.");

static PyObject *websocket_flush(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_FLUSH, "flush", 0, {"timeout", NULL}};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[0], &timeout_ms))
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_flush(ws->socket, timeout_ms));
    return none_or_raise(ws, status);
}

PyDoc_STRVAR(batch_doc,
             "batch($self, /)\n--\n\n"
             "Returns a context manager: small messages that are sent in its block are written\n"
             "together, those of other threads too.\n\n"
             "Raises nothing; entering the block raises ConnectionClosed, StateError, leaving it as\n"
             "flush(). Does not block; leaving the block does. Any thread.");

static PyObject *websocket_batch(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    if (!check_method(ws, METHOD_BATCH, "batch"))
        return NULL;
    PyObject *make = get_helper(ws->state, HELPER_batch);
    return make != NULL ? PyObject_CallFunctionObjArgs(make, self, NULL) : NULL;
}

static PyObject *websocket_begin_batch(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    blocking b;
    blocking_begin(ws->state, &b);
    return none_or_raise(ws, blocking_end(&b, cw_socket_batch_begin(ws->socket)));
}

/* cppcheck-suppress constParameter ; the type is Python's */
static PyObject *websocket_end_batch(PyObject *self, PyObject *must_raise)
{
    websocket *ws = (websocket *)self;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_batch_end(ws->socket, CW_TIMEOUT_DEFAULT));
    if (must_raise != Py_True && !PyErr_Occurred())
        Py_RETURN_NONE;
    return none_or_raise(ws, status);
}

PyDoc_STRVAR(enter_doc, "__enter__($self, /)\n--\n\nReturns the socket itself. Does not block. Any thread.");

static PyObject *websocket_enter(PyObject *self, PyObject *Py_UNUSED(none)) { return Py_NewRef(self); }

/* The slots of await, async with and async for raise an error that says what to write instead. */

#define SYNCHRONOUS "curlwire's sockets are synchronous: "
#define IN_A_THREAD \
    "; in an event loop call the blocking methods in a thread, as in await asyncio.to_thread(ws.recv)"

static PyObject *websocket_await(PyObject *Py_UNUSED(self))
{
    PyErr_SetString(PyExc_TypeError, SYNCHRONOUS "leave out 'await'" IN_A_THREAD);
    return NULL;
}

static PyObject *websocket_async_with(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args))
{
    PyErr_SetString(PyExc_TypeError, SYNCHRONOUS "write 'with', not 'async with'" IN_A_THREAD);
    return NULL;
}

PyObject *websocket_async_for(PyObject *Py_UNUSED(self))
{
    PyErr_SetString(PyExc_TypeError, SYNCHRONOUS "write 'for', not 'async for'" IN_A_THREAD);
    return NULL;
}

#define NO_ASYNC_WITH(name) name "($self, /, *args)\n--\n\nRaises TypeError: the class is synchronous."

static PyObject *websocket_has_any_handler(PyObject *self, PyObject *Py_UNUSED(none))
{
    return PyBool_FromLong(websocket_has_handlers((websocket *)self));
}

static PyObject *websocket_let_go(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket_stop_keeping((websocket *)self);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"connect", FAST(websocket_connect), METH_FASTCALL | METH_KEYWORDS, connect_doc},
    {"set_request_header", FAST(websocket_set_request_header), METH_FASTCALL | METH_KEYWORDS,
     set_request_header_doc},
    {"add_request_header", FAST(websocket_add_request_header), METH_FASTCALL | METH_KEYWORDS,
     add_request_header_doc},
    {"ping", FAST(websocket_ping), METH_FASTCALL | METH_KEYWORDS, ping_doc},
    {"flush", FAST(websocket_flush), METH_FASTCALL | METH_KEYWORDS, flush_doc},
    {"batch", websocket_batch, METH_NOARGS, batch_doc},
    {"close", FAST(websocket_close), METH_FASTCALL | METH_KEYWORDS, close_doc},
    {"wait_closed", FAST(websocket_wait_closed), METH_FASTCALL | METH_KEYWORDS, wait_closed_doc},
    {"abort", websocket_abort, METH_NOARGS, abort_doc},
    {"run_forever", websocket_run_forever, METH_NOARGS, run_forever_doc},
    {"__enter__", websocket_enter, METH_NOARGS, enter_doc},
    {"__exit__", FAST(websocket_exit), METH_FASTCALL, exit_doc},
    {"_begin_batch", websocket_begin_batch, METH_NOARGS,
     "_begin_batch($self, /)\n--\n\nHolds small messages back until the batch ends."},
    {"_end_batch", websocket_end_batch, METH_O,
     "_end_batch($self, must_raise, /)\n--\n\nEnds the batch and writes what it holds."},
    {"__aenter__", websocket_async_with, METH_VARARGS, NO_ASYNC_WITH("__aenter__")},
    {"__aexit__", websocket_async_with, METH_VARARGS, NO_ASYNC_WITH("__aexit__")},
    {"_is_pending", websocket_is_pending, METH_NOARGS,
     "_is_pending($self, /)\n--\n\nWhether the end of this socket is still to be waited for."},
    {"_has_handlers", websocket_has_any_handler, METH_NOARGS,
     "_has_handlers($self, /)\n--\n\nWhether on_message_received or on_closed is set."},
    {"_let_go", websocket_let_go, METH_NOARGS,
     "_let_go($self, /)\n--\n\nLets the socket be collected although it is open and has handlers."},
    {NULL, NULL, 0, NULL}};

/* ---- Attributes ---- */

static PyObject *get_control(PyObject *self, void *Py_UNUSED(closure))
{
    return control_create((websocket *)self);
}

/* An object that Python makes for a socket: the closure says by which helper. */
static PyObject *get_by_helper(PyObject *self, void *closure)
{
    PyObject *make = get_helper(((websocket *)self)->state, (helper)(intptr_t)closure);
    return make != NULL ? PyObject_CallFunctionObjArgs(make, self, NULL) : NULL;
}

static PyObject *websocket_repr(PyObject *self)
{
    return get_by_helper(self, (void *)(intptr_t)HELPER_describe);
}

static PyObject *get_on_closed(PyObject *self, void *Py_UNUSED(closure))
{
    return websocket_get_handler((websocket *)self, HANDLER_CLOSED);
}

static int set_on_closed(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return websocket_set_handler((websocket *)self, HANDLER_CLOSED, value);
}

#define INFO(name, info, doc)                                       \
    {                                                               \
        name, information_text, NULL, doc, (void *)(intptr_t)(info) \
    }

static PyGetSetDef attributes[] = {
    INFO("uri", CW_INFO_URI, "The URI as given to connect; None before. Any thread."),
    INFO("_public_uri", CW_INFO_PUBLIC_URI,
         "The URI without user name, password and query; None before. For people and logs. Any thread."),
    INFO("protocol", CW_INFO_PROTOCOL, "The subprotocol that the server chose, or None. Any thread."),
    INFO("extensions", CW_INFO_EXTENSIONS,
         "What compression was agreed on, as the server's header says it, or None. Any thread."),
    INFO("local_address", CW_INFO_LOCAL_ADDRESS,
         "Our end, as 'address:port'; None before connecting. Any thread."),
    INFO("remote_address", CW_INFO_REMOTE_ADDRESS,
         "The other end (the proxy's, where there is one), as 'address:port'; None before. Any thread."),
    INFO("framing", CW_INFO_FRAMING,
         "Who makes the frames: 'native', 'curl' (libcurl), or 'mixed' (sent natively, received by libcurl); "
         "None "
         "before connecting. Any thread."),
    {"response_headers", information_headers, NULL,
     "The headers of the server's reply: a mapping without regard to case. Any thread.", NULL},
    {"state", information_state, NULL, "'new', 'connecting', 'open', 'closing' or 'closed'. Any thread.", NULL},
    {"close_code", information_close_code, NULL,
     "The peer's close code; 1005 where it gave none, 1006 where the connection was lost, None before. Any "
     "thread.",
     NULL},
    {"close_reason", information_close_reason, NULL,
     "The peer's reason, or how the connection was lost. Any thread.", NULL},
    {"was_clean", information_was_clean, NULL, "Whether both close frames were exchanged. Any thread.", NULL},
    {"control", get_control, NULL, "The options of this socket, as attributes. Any thread.", NULL},
    {"information", get_by_helper, NULL,
     "uri, protocol, extensions, local_address, remote_address, framing, response_headers and state in one "
     "object. Any "
     "thread.",
     (void *)(intptr_t)HELPER_information},
    {"output_stream", get_by_helper, NULL,
     "A new raw binary stream (io.RawIOBase) of which each write is one message. Any thread.",
     (void *)(intptr_t)HELPER_output_stream},
    {"on_closed", get_on_closed, set_on_closed,
     "f(ws, args), called once by the dispatcher thread when the connection has ended, or None. Set after the "
     "end it is called then. An open socket that has it lives until it has been called. Any thread.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMemberDef members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(websocket, weak_references), READONLY, NULL},
    {NULL, 0, 0, 0, NULL}};

PyDoc_STRVAR(websocket_doc,
             "What MessageWebSocket and StreamWebSocket have in common; not made by itself.\n\n"
             "A socket that is dropped while open is closed when it is collected; one that has handlers lives\n"
             "until its closed event has been dispatched, which run_forever() waits for.");

static PyType_Slot slots[] = {{Py_tp_doc, (void *)websocket_doc},
                              {Py_tp_dealloc, SLOT(websocket_dealloc)},
                              {Py_tp_traverse, SLOT(websocket_traverse)},
                              {Py_tp_clear, SLOT(websocket_clear)},
                              {Py_tp_repr, SLOT(websocket_repr)},
                              {Py_am_await, SLOT(websocket_await)},
                              {Py_tp_methods, methods},
                              {Py_tp_members, members},
                              {Py_tp_getset, attributes},
                              {0, NULL}};

static PyType_Spec spec = {.name = "curlwire.WebSocket",
                           .basicsize = sizeof(websocket),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC |
                                    Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = slots};

bool add_websocket_type(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    state->types[TYPE_WEBSOCKET] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

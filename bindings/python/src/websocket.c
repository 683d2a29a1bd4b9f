/* SPDX-License-Identifier: MIT */
/* The type WebSocket, the base of MessageWebSocket and StreamWebSocket. This file has the life of the object,
 * batches, and the tables of methods and attributes. Files earlier in state.h implement many of these. This file handles
 * neither messages nor streams. */
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
        PyErr_Format(PyExc_TypeError,
                     "%s() takes no positional arguments: give controls by keyword, and the URI to connect()",
                     cw_socket_class(((websocket *)self)->socket) == CW_MESSAGE_SOCKET ? "MessageWebSocket"
                                                                                       : "StreamWebSocket");
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
    Py_VISIT(ws->cookie_jar);
    Py_VISIT(ws->weak_self);
    Py_VISIT(ws->loop);
    Py_VISIT(ws->run);
    Py_VISIT(ws->waiter);
    Py_VISIT(ws->own_mailbox);
    return 0;
}

static int websocket_clear(PyObject *self)
{
    websocket *ws = (websocket *)self;
    for (int i = 0; i < HANDLER_COUNT; i++)
        Py_CLEAR(ws->handlers[i]);
    Py_CLEAR(ws->retired_handler);
    Py_CLEAR(ws->cookie_jar);
    Py_CLEAR(ws->loop);
    Py_CLEAR(ws->run);
    Py_CLEAR(ws->waiter);
    Py_CLEAR(ws->own_mailbox);
    return 0;
}

/* Emits the ResourceWarning. No reference to the socket may be taken here, because it is being freed. So the warning gets
 * no source object, and the text is made from the socket's facts. */
static int warn_unclosed(websocket *ws, PyTypeObject *type)
{
    cw_status status;
    PyObject *name = PyType_GetName(type);
    PyObject *uri = name != NULL ? copy_info(ws, CW_INFO_PUBLIC_URI, &status) : NULL;
    PyObject *address = uri != NULL ? copy_info(ws, CW_INFO_REMOTE_ADDRESS, &status) : NULL;
    int result = -1;
    if (address != NULL && status == CW_OK)
        result =
            PyErr_WarnFormat(PyExc_ResourceWarning, 1,
                             "unclosed <%U open %U at %U>: call close(), or use 'with'", name, uri, address);
    Py_XDECREF(name);
    Py_XDECREF(uri);
    Py_XDECREF(address);
    return result;
}

/* Warns about a socket that is dropped while it is open. An exception that is set stays set. */
static void check_unclosed(websocket *ws, PyTypeObject *type)
{
    PyObject *error_type, *error, *traceback;
    if (ws->socket == NULL || cw_socket_state(ws->socket) != CW_STATE_OPEN ||
        ws->fork_count != ws->state->fork_count) /* a child of fork() drops the sockets of its parent */
        return;
    PyErr_Fetch(&error_type, &error, &traceback);
    if (warn_unclosed(ws, type) < 0)
        PyErr_WriteUnraisable((PyObject *)type);
    PyErr_Restore(error_type, error, traceback);
}

static void websocket_dealloc(PyObject *self)
{
    websocket *ws = (websocket *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    check_unclosed(ws, type);
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

PyDoc_STRVAR(flush_doc,
             "flush($self, /, timeout=curlwire.DEFAULT)\n--\n\n"
             "Waits until the kernel has taken all messages that were sent.\n\n"
             "timeout: seconds without progress. None = no limit; the default is control.send_timeout.\n"
             "Raises WebSocketTimeout, ConnectionClosed, StateError. Blocks until the kernel has taken the\n"
             "messages. Any thread may call it.");

static PyObject *websocket_flush(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_FLUSH, "flush", 0, {"timeout", NULL}, 0};
    websocket *ws = (websocket *)self;
    int timeout_ms;
    if (!parse_only_timeout(ws, &sig, args, count, names, &timeout_ms))
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_flush(ws->socket, timeout_ms));
    return none_or_raise(ws, status);
}

PyDoc_STRVAR(batch_doc,
             "batch($self, /)\n--\n\n"
             "Returns a Batch, a context manager that writes small messages together.\n\n"
             "The batch applies to all messages that any thread sends during its block.\n"
             "Raises nothing itself. Entering the block raises ConnectionClosed or StateError. Leaving it\n"
             "raises as flush() does, and blocks. Any thread may call it.");

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

/* must_raise is False if an exception leaves the batch's block. A failed write then raises nothing, because it would replace
 * that exception. An exception of a signal handler is raised in any case. */
static PyObject *websocket_end_batch(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    websocket *ws = (websocket *)self;
    int timeout_ms;
    bool must_raise;
    if (count < 1 || count > 2) {
        PyErr_SetString(PyExc_TypeError, "_end_batch() takes 1 or 2 arguments");
        return NULL;
    }
    if (!parse_flag(args[0], "must_raise", &must_raise) ||
        !parse_timeout(ws->state, count == 2 ? args[1] : NULL, &timeout_ms))
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_batch_end(ws->socket, timeout_ms));
    if (!must_raise && !PyErr_Occurred())
        Py_RETURN_NONE;
    return none_or_raise(ws, status);
}

PyDoc_STRVAR(enter_doc,
             "__enter__($self, /)\n--\n\nReturns the socket itself. Does not block. Any thread may call it.");

static PyObject *websocket_enter(PyObject *self, PyObject *Py_UNUSED(none)) { return Py_NewRef(self); }

/* The slots of await, async with and async for raise a TypeError that says what to write instead. */

#define SYNCHRONOUS "curlwire's sockets are synchronous: "
#define IN_A_LOOP   "; in an event loop use curlwire.aio"

static PyObject *websocket_await(PyObject *Py_UNUSED(self))
{
    PyErr_SetString(PyExc_TypeError, SYNCHRONOUS "leave out 'await'" IN_A_LOOP);
    return NULL;
}

static PyObject *websocket_async_with(PyObject *Py_UNUSED(self), PyObject *Py_UNUSED(args))
{
    PyErr_SetString(PyExc_TypeError, SYNCHRONOUS "write 'with', not 'async with'" IN_A_LOOP);
    return NULL;
}

PyObject *websocket_async_for(PyObject *Py_UNUSED(self))
{
    PyErr_SetString(PyExc_TypeError, SYNCHRONOUS "write 'for', not 'async for'" IN_A_LOOP);
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

/* Answers the question about the server's certificate with a cw_answer. */
static PyObject *websocket_answer_certificate(PyObject *self, PyObject *answer)
{
    websocket *ws = (websocket *)self;
    long number = PyLong_AsLong(answer);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    return none_or_raise(ws, blocking_end(&b, cw_socket_answer_certificate(ws->socket, (cw_answer)number)));
}

static PyMethodDef methods[] = {
    {"connect", FAST(websocket_connect), METH_FASTCALL | METH_KEYWORDS, connect_doc},
    {"set_request_header", FAST(websocket_set_request_header), METH_FASTCALL | METH_KEYWORDS,
     set_request_header_doc},
    {"add_request_header", FAST(websocket_add_request_header), METH_FASTCALL | METH_KEYWORDS,
     add_request_header_doc},
    {"set_connected_socket", FAST(websocket_set_connected_socket), METH_FASTCALL | METH_KEYWORDS,
     set_connected_socket_doc},
    {"ping", FAST(websocket_ping), METH_FASTCALL | METH_KEYWORDS, ping_doc},
    {"flush", FAST(websocket_flush), METH_FASTCALL | METH_KEYWORDS, flush_doc},
    {"batch", websocket_batch, METH_NOARGS, batch_doc},
    {"close", FAST(websocket_close), METH_FASTCALL | METH_KEYWORDS, close_doc},
    {"wait_closed", FAST(websocket_wait_closed), METH_FASTCALL | METH_KEYWORDS, wait_closed_doc},
    {"abort", websocket_abort, METH_NOARGS, abort_doc},
    {"run_forever", websocket_run_forever, METH_NOARGS, run_forever_doc},
    {"fileno", websocket_fileno, METH_NOARGS, fileno_doc},
    {"dispatch", FAST(websocket_dispatch), METH_FASTCALL | METH_KEYWORDS, dispatch_doc},
    {"__reduce_ex__", refuse_copy, METH_O, refuse_copy_doc},
    {"__enter__", websocket_enter, METH_NOARGS, enter_doc},
    {"__exit__", FAST(websocket_exit), METH_FASTCALL, exit_doc},
    {"_begin_batch", websocket_begin_batch, METH_NOARGS,
     "_begin_batch($self, /)\n--\n\nBegins a batch, which holds small messages back until its end."},
    {"_end_batch", FAST(websocket_end_batch), METH_FASTCALL,
     "_end_batch($self, must_raise, timeout=curlwire.DEFAULT, /)\n--\n\n"
     "Ends the batch and writes the messages that it holds.\n\n"
     "must_raise: False if an exception leaves the block. Then the call drops a failure of the "
     "batch."},
    {"__aenter__", websocket_async_with, METH_VARARGS, NO_ASYNC_WITH("__aenter__")},
    {"__aexit__", websocket_async_with, METH_VARARGS, NO_ASYNC_WITH("__aexit__")},
    {"_answer_certificate", websocket_answer_certificate, METH_O,
     "_answer_certificate($self, answer, /)\n--\n\nAnswers the question about the server's certificate.\n\n"
     "answer: 0 accepts, 1 rejects, 2 says that there is no answer. Raises StateError if the socket does\n"
     "not ask."},
    {"_connect_start", FAST(websocket_connect_start), METH_FASTCALL, connect_start_doc},
    {"_connect_end", websocket_connect_end, METH_NOARGS, connect_end_doc},
    {"_ask_certificate", websocket_ask_certificate, METH_O, ask_certificate_doc},
    {"_subscribe", FAST(websocket_subscribe), METH_FASTCALL, subscribe_doc},
    {"_poll_begin", websocket_poll_begin, METH_NOARGS, poll_begin_doc},
    {"_on_readable", websocket_on_readable, METH_NOARGS, on_readable_doc},
    {"_wake", websocket_wake, METH_O, wake_doc},
    {"_poll_end", websocket_poll_end, METH_NOARGS, poll_end_doc},
    {"_ping_start", websocket_ping_start, METH_O, ping_start_doc},
    {"_try_send", FAST(websocket_try_send), METH_FASTCALL, try_send_doc},
    {"_end_error", websocket_end_error, METH_NOARGS, end_error_doc},
    {"_is_pending", websocket_is_pending, METH_NOARGS,
     "_is_pending($self, /)\n--\n\nReturns whether run_forever() still has to wait for this socket."},
    {"_has_handlers", websocket_has_any_handler, METH_NOARGS,
     "_has_handlers($self, /)\n--\n\nReturns whether on_message_received, on_closed or on_writable is set."},
    {"_let_go", websocket_let_go, METH_NOARGS,
     "_let_go($self, /)\n--\n\nDrops the reference that keeps an open socket with handlers alive."},
    {NULL, NULL, 0, NULL}};

/* ---- Attributes ---- */

static PyObject *get_control(PyObject *self, void *Py_UNUSED(closure))
{
    return control_create((websocket *)self);
}

/* Calls a Python helper with the socket and returns the result. The closure is the helper. */
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

static PyObject *get_on_validation(PyObject *self, void *Py_UNUSED(closure))
{
    return websocket_get_handler((websocket *)self, HANDLER_VALIDATION);
}

static int set_on_validation(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return websocket_set_handler((websocket *)self, HANDLER_VALIDATION, value);
}

static PyObject *get_on_trace(PyObject *self, void *Py_UNUSED(closure))
{
    return websocket_get_handler((websocket *)self, HANDLER_TRACE);
}

static int set_on_trace(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return websocket_set_handler((websocket *)self, HANDLER_TRACE, value);
}

#define INFO(name, info, doc)                                       \
    {                                                               \
        name, information_text, NULL, doc, (void *)(intptr_t)(info) \
    }

static PyGetSetDef attributes[] = {
    INFO("uri", CW_INFO_URI, "The URI that was passed to connect(), or None. Any thread may read it."),
    INFO("effective_uri", CW_INFO_EFFECTIVE_URI,
         "The URI that redirects have led to (control.follow_location), without user name and password; "
         "without a "
         "redirect, the same as uri. None before connect(). Any thread may read it."),
    INFO("_public_uri", CW_INFO_PUBLIC_URI,
         "The URI without user name, password and query, for logs; None before connect()."),
    INFO("protocol", CW_INFO_PROTOCOL,
         "The subprotocol that the server chose, or None. Any thread may read it."),
    INFO("extensions", CW_INFO_EXTENSIONS,
         "The extension that the server accepted, such as 'permessage-deflate; client_max_window_bits=12', or "
         "None. Any thread may read it."),
    INFO("local_address", CW_INFO_LOCAL_ADDRESS,
         "The local end of the connection as 'address:port'; None before connecting. Any thread may read it."),
    INFO("remote_address", CW_INFO_REMOTE_ADDRESS,
         "The address of the server, or of the proxy, as 'address:port'; None before connecting. Any thread "
         "may read it."),
    INFO(
        "framing", CW_INFO_FRAMING,
        "The code that makes and reads the frames: 'native' (curlwire), 'curl' (libcurl), or 'mixed' (curlwire "
        "sends, libcurl receives). None before connecting. Any thread may read it."),
    INFO("authorities", CW_INFO_AUTHORITIES,
         "The certificates of authorities that the server's certificate is checked by, with what names them: "
         "'system: /etc/ssl/certs/ca-certificates.crt'. None if no certificate is checked. Any thread may read "
         "it."),
    INFO("_server_certificate_errors", CW_INFO_SERVER_CERTIFICATE_ERRORS,
         "What was wrong with the server's certificate, as text; None if nothing was."),
    INFO("_server_certificate_error_severity", CW_INFO_SERVER_CERTIFICATE_ERROR_SEVERITY,
         "How bad that is, or None if the server has sent no certificate."),
    {"_certificate_chain", certificate_chain, NULL,
     "The certificates that the server sent: a list of bytes in DER, the server's own first.", NULL},
    {"_statistics", information_statistics, NULL,
     "What curlwire has counted for this socket: the arguments of Statistics.", NULL},
    {"response_headers", information_headers, NULL,
     "The headers of the server's reply, a Headers mapping; empty before it has come. Names ignore case. Any "
     "thread may read it.",
     NULL},
    {"bandwidth_statistics", information_bandwidth, NULL,
     "The speed of the connection, a BandwidthStatistics. Any thread may read it.", NULL},
    INFO("_tls_version", CW_INFO_TLS_VERSION, "The version of TLS, such as 'TLSv1.3'; None without TLS."),
    INFO("_tls_cipher", CW_INFO_TLS_CIPHER, "The cipher of TLS, or None."),
    INFO("_tls_alpn", CW_INFO_TLS_ALPN, "The protocol that the server chose by ALPN, or None."),
    INFO("_tls_resumed", CW_INFO_TLS_RESUMED,
         "'yes' or 'no', whether a session was resumed; None without TLS."),
    {"_timings", information_timings, NULL,
     "How long the parts of the last connect took: a tuple of float, in seconds, or None.", NULL},
    {"_latency", information_latency, NULL,
     "How long the latest round trips of pings took: the arguments of Latency.", NULL},
    {"buffered_amount", information_buffered_amount, NULL,
     "How many bytes of messages wait in the socket: an int. A call that does not wait, or a batch, has "
     "accepted "
     "them, and the kernel has not taken them yet. The headers of frames may count too. With libcurl's framing "
     "and over TLS, libcurl may hold up to 64 KiB more. Any thread may read it.",
     NULL},
    {"state", information_state, NULL,
     "The state: 'new', 'connecting', 'open', 'closing' or 'closed'. Any thread may read it.", NULL},
    {"close_code", information_close_code, NULL,
     "The peer's close code, an int; None before the connection has ended. 1005 if the peer gave no code, "
     "1006 if the connection was lost. Any thread may read it.",
     NULL},
    {"close_reason", information_close_reason, NULL,
     "The peer's close reason, or a text about how the connection was lost, a str; '' before the connection "
     "has ended. Any thread may read it.",
     NULL},
    {"was_clean", information_was_clean, NULL,
     "Whether both close frames were exchanged, a bool; False before the connection has ended. Any thread may "
     "read it.",
     NULL},
    {"control", get_control, NULL, "The options of this socket, as attributes. Any thread may use it.", NULL},
    {"information", get_by_helper, NULL,
     "An Information object with uri, effective_uri, protocol, extensions, local_address, remote_address, "
     "framing, authorities, response_headers, bandwidth_statistics, statistics, latency, tls, timings, state, "
     "server_certificate, "
     "server_intermediate_certificates, "
     "server_certificate_errors and server_certificate_error_severity. Any thread may read it.",
     (void *)(intptr_t)HELPER_information},
    {"output_stream", get_by_helper, NULL,
     "A new OutputStream (an io.RawIOBase). Each write sends one message. Any thread may use it.",
     (void *)(intptr_t)HELPER_output_stream},
    {"on_closed", get_on_closed, set_on_closed,
     "The handler for the end of the connection, f(ws, args), or None. args is a ClosedEventArgs. The "
     "dispatcher thread calls the handler once, even if it is set after that end. An open socket with a "
     "handler stays alive until that call. Any thread may set the handler.",
     NULL},
    {"on_trace", get_on_trace, set_on_trace,
     "The handler for the lines of the connection's trace, f(ws, line), or None. line is a str. The dispatcher "
     "thread calls the handler. Set it before connect() to see the opening handshake too. It keeps no socket "
     "alive. If it is too slow, lines are dropped, and a line says how many. Secrets are masked, payloads are "
     "not. Any thread may set the handler.",
     NULL},
    {"on_server_custom_validation_requested", get_on_validation, set_on_validation,
     "The handler that may reject the server's certificate, f(ws, args), or None. args is a "
     "ServerCustomValidationRequestedEventArgs. A connect over wss calls the handler once for each server "
     "(redirects lead to others), after all other "
     "checks have passed and before a byte of the request is sent. It runs in the dispatcher thread while "
     "connect() waits. If a handler calls connect(), it runs inside that connect(). An exception that leaves "
     "it rejects the certificate. Setting it raises StateError after connect() has begun. Any thread may set "
     "it.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMemberDef members[] = {
    {"_loop", T_OBJECT, offsetof(websocket, loop), 0, "The event loop that owns the socket, or None."},
    {"_is_ready_to_wait", T_BOOL, offsetof(websocket, is_ready_to_wait), 0,
     "Whether a wait for a message need not call _begin_wait() of its owner."},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(websocket, weak_references), READONLY, NULL},
    {NULL, 0, 0, 0, NULL}};

PyDoc_STRVAR(
    websocket_doc,
    "The base class of MessageWebSocket and StreamWebSocket. Create one of those.\n\n"
    "An open socket without handlers is closed, with a ResourceWarning, when the last reference to it\n"
    "is dropped. An open socket with handlers stays alive until its closed event has been handled.\n"
    "run_forever() waits for that.");

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

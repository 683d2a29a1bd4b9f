/* SPDX-License-Identifier: MIT */
/* The type MessageWebSocket: sending and receiving whole messages, fragments by hand, iteration, and the handler
 * for messages. Iteration and recv are the fast path: they ask cw_socket_try_receive before they give up the GIL. */
#include "state.h"

enum { MESSAGES_PER_BREATH = 256 };

static PyObject *message_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(keywords))
{
    return websocket_create(type, CW_MESSAGE_SOCKET);
}

PyDoc_STRVAR(send_doc,
             "send($self, data, /, timeout=...)\n--\n\n"
             "Sends one message: a str as text, a bytes-like object as binary.\n\n"
             "timeout: seconds without progress; ... = control.send_timeout, None = no limit.\n"
             "Raises WebSocketTimeout, ConnectionClosed, StateError; ArgumentError for text that is not\n"
             "UTF-8. Blocks while the outbound buffer is full. Any thread, also in a handler.");

static PyObject *message_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {"send", 1, 1, {"data", "timeout", NULL}};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    payload p;
    if (!parse_arguments(&sig, args, count, names, given) || !parse_timeout(ws->state, given[1], &timeout_ms) ||
        !payload_acquire(ws->state, given[0], "send()", &p))
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_send(ws->socket, p.kind, p.data, p.len_bytes, timeout_ms));
    payload_release(&p);
    return none_or_raise(ws, status);
}

/* Waits for the next message; NULL with an exception set. */
static cw_event *receive(websocket *ws, int timeout_ms, cw_status *status)
{
    cw_event *e = NULL;
    *status = cw_socket_try_receive(ws->socket, &e);
    if (*status == CW_OK)
        return e;
    if (PyErr_CheckSignals() < 0) { /* a signal of before the wait does not end it */
        *status = CW_INTERRUPTED;
        return NULL;
    }
    blocking b;
    blocking_begin(ws->state, &b);
    *status = blocking_end(&b, cw_socket_receive(ws->socket, timeout_ms, &e));
    if (*status == CW_OK)
        return e;
    cw_event_free(e);
    if (*status == CW_INVALID_STATE && ws->handlers[HANDLER_MESSAGE] != NULL)
        raise_state(ws->state,
                    "messages go to on_message_received; set it to None before you receive yourself");
    else
        raise_status(ws->state, ws, *status);
    return NULL;
}

PyDoc_STRVAR(
    recv_doc,
    "recv($self, /, timeout=..., copy=True)\n--\n\n"
    "Returns the next message: str for text, bytes for binary; in partial mode the next part, as bytes.\n\n"
    "timeout: seconds; ... = control.receive_timeout, None = no limit.\n"
    "copy=False gives a MessageBuffer, which holds the message without a copy.\n"
    "Raises WebSocketTimeout, ConnectionClosed, StateError (also while on_message_received is set).\n"
    "Blocks. Any thread.");

static PyObject *message_recv(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {"recv", 0, 0, {"timeout", "copy", NULL}};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    bool copy = true;
    if (!parse_arguments(&sig, args, count, names, given) || !parse_timeout(ws->state, given[0], &timeout_ms) ||
        (given[1] != NULL && !parse_flag(given[1], "copy", &copy)))
        return NULL;
    cw_status status;
    cw_event *e = receive(ws, timeout_ms, &status);
    if (e == NULL)
        return NULL;
    if (!copy)
        return message_buffer_create(ws->state, TYPE_MESSAGE_BUFFER, e, ws->is_partial);
    PyObject *value = event_value(e, ws->is_partial);
    cw_event_free(e);
    return value;
}

/* An exception is set because the connection is closed: takes it away if that is how an iteration should end. */
static void end_iteration(websocket *ws)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    bool is_clean = ws->we_closed;
    PyObject *judge = is_clean ? NULL : get_helper(ws->state, HELPER_is_clean_end);
    if (judge != NULL && value != NULL) {
        PyObject *verdict = PyObject_CallFunctionObjArgs(judge, value, NULL);
        is_clean = verdict == Py_True;
        Py_XDECREF(verdict);
    }
    if (!is_clean) {
        PyErr_Restore(type, value, traceback);
        return;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

/* list(ws) and its like call us in a loop of C's, which neither answers to signals nor lets other threads in. */
static bool take_breath(websocket *ws)
{
    if (++ws->next_count % MESSAGES_PER_BREATH != 0)
        return true;
    PyThreadState *thread = PyEval_SaveThread();
    PyEval_RestoreThread(thread);
    return PyErr_CheckSignals() == 0;
}

static PyObject *message_next(PyObject *self)
{
    websocket *ws = (websocket *)self;
    cw_status status;
    if (!take_breath(ws))
        return NULL;
    cw_event *e = receive(ws, CW_TIMEOUT_NEVER, &status);
    if (e == NULL) {
        if (status == CW_CLOSED)
            end_iteration(ws);
        return NULL;
    }
    PyObject *value = event_value(e, ws->is_partial);
    cw_event_free(e);
    return value;
}

/* Sends one frame of a message of control.message_type; returns the number of bytes. */
static PyObject *send_frame(PyObject *self, PyObject *data, const char *what, bool is_final)
{
    websocket *ws = (websocket *)self;
    payload p;
    if (!payload_acquire(ws->state, data, what, &p))
        return NULL;
    int64_t kind = CW_BINARY;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = cw_socket_get_number(ws->socket, CW_OPT_MESSAGE_TYPE, &kind);
    if (status == CW_OK)
        status = cw_socket_send_fragment(ws->socket, (cw_kind)kind, p.data, p.len_bytes, is_final,
                                         CW_TIMEOUT_DEFAULT);
    status = blocking_end(&b, status);
    size_t len_bytes = p.len_bytes;
    payload_release(&p);
    if (status != CW_OK)
        return raise_status(ws->state, ws, status);
    return PyLong_FromSize_t(len_bytes);
}

PyDoc_STRVAR(send_final_frame_doc,
             "send_final_frame($self, data, /)\n--\n\n"
             "Sends the last frame of a message of control.message_type, and returns its size in bytes.\n\n"
             "Alone it is a message of one frame. A str goes as its UTF-8.\n"
             "Raises as send(). Blocks as send(). Any thread.");

static PyObject *send_final_frame(PyObject *self, PyObject *data)
{
    return send_frame(self, data, "send_final_frame()", true);
}

PyDoc_STRVAR(send_nonfinal_frame_doc,
             "send_nonfinal_frame($self, data, /)\n--\n\n"
             "Sends a frame of a message that goes on, and returns its size in bytes.\n\n"
             "Until send_final_frame() ends the message, send() raises StateError.\n"
             "Raises as send(). Blocks as send(). Any thread.");

static PyObject *send_nonfinal_frame(PyObject *self, PyObject *data)
{
    return send_frame(self, data, "send_nonfinal_frame()", false);
}

static PyObject *get_on_message_received(PyObject *self, void *Py_UNUSED(closure))
{
    return websocket_get_handler((websocket *)self, HANDLER_MESSAGE);
}

static int set_on_message_received(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return websocket_set_handler((websocket *)self, HANDLER_MESSAGE, value);
}

#define FAST(function) (PyCFunction)(void (*)(void)) function

static PyMethodDef methods[] = {
    {"send", FAST(message_send), METH_FASTCALL | METH_KEYWORDS, send_doc},
    {"recv", FAST(message_recv), METH_FASTCALL | METH_KEYWORDS, recv_doc},
    {"send_final_frame", send_final_frame, METH_O, send_final_frame_doc},
    {"send_nonfinal_frame", send_nonfinal_frame, METH_O, send_nonfinal_frame_doc},
    {"_write", websocket_write, METH_O, "_write($self, data, /)\n--\n\nWhat output_stream.write does."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef members[] = {
    {"on_message_received", get_on_message_received, set_on_message_received,
     "f(ws, args), called by the dispatcher thread for each message, or None. An open socket that has it lives "
     "until its end, whoever else holds it. Any thread.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL}};

PyDoc_STRVAR(message_doc,
             "MessageWebSocket(**control)\n--\n\n"
             "A WebSocket that sends and receives whole messages.\n\n"
             "Iteration gives the messages as recv() does, without time limit. It ends normally at a\n"
             "clean end (close code 1000, 1001, or none) and after our own close(), and raises\n"
             "ConnectionClosed at any other. Every method may be called from any thread.");

static PyType_Slot slots[] = {{Py_tp_doc, (void *)message_doc},
                              {Py_tp_new, SLOT(message_new)},
                              {Py_tp_init, SLOT(websocket_init)},
                              {Py_tp_iter, SLOT(PyObject_SelfIter)},
                              {Py_tp_iternext, SLOT(message_next)},
                              {Py_tp_methods, methods},
                              {Py_tp_getset, members},
                              {0, NULL}};

static PyType_Spec spec = {.name = "curlwire.MessageWebSocket",
                           .basicsize = sizeof(websocket),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, /* and GC, inherited */
                           .slots = slots};

bool add_message_type(PyObject *module, module_state *state)
{
    PyObject *base = (PyObject *)state->types[TYPE_WEBSOCKET];
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, base);
    state->types[TYPE_MESSAGE_WEBSOCKET] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

/* SPDX-License-Identifier: MIT */
/* The type MessageWebSocket: its methods, iteration, and the handler for messages. sending.c and receiving.c have the methods. */
#include "state.h"

enum { MESSAGES_PER_BREATH = 256 };

static PyObject *message_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(keywords))
{
    return websocket_create(type, CW_MESSAGE_SOCKET);
}

/* Lets other threads run, and runs signal handlers, once every MESSAGES_PER_BREATH messages. list(ws) and similar calls loop
 * in C and do neither. Returns false if a signal handler has raised. */
static bool take_breath(websocket *ws)
{
    if (++ws->next_count % MESSAGES_PER_BREATH != 0)
        return true;
    PyThreadState *thread = PyEval_SaveThread();
    PyEval_RestoreThread(thread);
    return PyErr_CheckSignals() == 0;
}

/* Asks the core without the GIL, because the service thread may hold the socket's lock during a TLS handshake of another
 * connection. */
static bool has_ended_normally(websocket *ws)
{
    PyThreadState *thread = PyEval_SaveThread();
    bool is_normal = cw_socket_ended_normally(ws->socket);
    PyEval_RestoreThread(thread);
    return is_normal;
}

static PyObject *message_next(PyObject *self)
{
    websocket *ws = (websocket *)self;
    cw_status status;
    if (!take_breath(ws))
        return NULL;
    PyObject *value = message_receive_value(ws, CW_TIMEOUT_NEVER, CHOICE_OPEN, &status);
    if (value == NULL && status == CW_CLOSED && has_ended_normally(ws))
        PyErr_Clear();
    return value;
}

static PyObject *get_on_message_received(PyObject *self, void *Py_UNUSED(closure))
{
    return websocket_get_handler((websocket *)self, HANDLER_MESSAGE);
}

static int set_on_message_received(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return websocket_set_handler((websocket *)self, HANDLER_MESSAGE, value);
}

static PyObject *get_on_writable(PyObject *self, void *Py_UNUSED(closure))
{
    return websocket_get_handler((websocket *)self, HANDLER_WRITABLE);
}

static int set_on_writable(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return websocket_set_handler((websocket *)self, HANDLER_WRITABLE, value);
}

static PyMethodDef methods[] = {
    {"send", FAST(message_send), METH_FASTCALL | METH_KEYWORDS, send_doc},
    {"try_send", FAST(message_try_send), METH_FASTCALL | METH_KEYWORDS, try_send_message_doc},
    {"send_json", FAST(message_send_json), METH_FASTCALL | METH_KEYWORDS, send_json_doc},
    {"send_many", FAST(message_send_many), METH_FASTCALL | METH_KEYWORDS, send_many_doc},
    {"recv", FAST(message_recv), METH_FASTCALL | METH_KEYWORDS, recv_doc},
    {"recv_json", FAST(message_recv_json), METH_FASTCALL | METH_KEYWORDS, recv_json_doc},
    {"recv_stream", FAST(message_recv_stream), METH_FASTCALL | METH_KEYWORDS, recv_stream_doc},
    {"recv_into", FAST(message_recv_into), METH_FASTCALL | METH_KEYWORDS, recv_into_doc},
    {"send_final_frame", FAST(message_send_final_frame), METH_FASTCALL | METH_KEYWORDS, send_final_frame_doc},
    {"send_nonfinal_frame", FAST(message_send_nonfinal_frame), METH_FASTCALL | METH_KEYWORDS,
     send_nonfinal_frame_doc},
    {"_receive_part", FAST(message_receive_part), METH_FASTCALL, receive_part_doc},
    {"_messages", message_messages, METH_O, messages_doc},
    {"_receive", FAST(message_receive_soon), METH_FASTCALL, receive_doc},
    {"_try_fragment", FAST(message_try_fragment), METH_FASTCALL, try_fragment_doc},
    {"_try_recv", FAST(message_try_recv), METH_FASTCALL, try_recv_doc},
    {"_write", websocket_write, METH_O,
     "_write($self, data, /)\n--\n\nSends one message, for output_stream.write()."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef members[] = {
    {"on_message_received", get_on_message_received, set_on_message_received,
     "The handler for messages, f(ws, args), or None. args is a MessageReceivedEventArgs. The dispatcher "
     "thread calls it for each message. An open socket with a handler stays alive until it has ended. Any "
     "thread may set it.",
     NULL},
    {"on_writable", get_on_writable, set_on_writable,
     "The handler that says that there is room for try_send() again, f(ws, buffered_amount), or None. "
     "buffered_amount is an int. After try_send() has returned False, or send() with timeout=0 has raised "
     "WebSocketTimeout, the dispatcher thread calls the handler once: when the socket's queue has fallen to "
     "control.send_low_water_mark. An open socket with a handler stays alive until it has ended. Any thread "
     "may "
     "set it.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL}};

PyDoc_STRVAR(message_doc,
             "MessageWebSocket(**control)\n--\n\n"
             "A WebSocket that sends and receives whole messages.\n\n"
             "control: the options as keywords, as in MessageWebSocket(receive_timeout=5).\n"
             "Iteration returns the messages as recv(timeout=None) does. Iteration ends without an\n"
             "exception after this program's close(). It also ends so when the server closes with code 1000,\n"
             "1001 or none, but not in the middle of a message. Every other end of the connection\n"
             "raises ConnectionClosed. Any thread may call any method.");

static PyType_Slot slots[] = {{Py_tp_doc, (void *)message_doc},
                              {Py_tp_new, SLOT(message_new)},
                              {Py_tp_init, SLOT(websocket_init)},
                              {Py_tp_iter, SLOT(PyObject_SelfIter)},
                              {Py_tp_iternext, SLOT(message_next)},
                              {Py_am_aiter, SLOT(websocket_async_for)},
                              {Py_tp_methods, methods},
                              {Py_tp_getset, members},
                              {0, NULL}};

static PyType_Spec spec = {.name = "curlwire.MessageWebSocket",
                           .basicsize = sizeof(websocket),
                           .flags =
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, /* the base adds Py_TPFLAGS_HAVE_GC */
                           .slots = slots};

bool add_message_type(PyObject *module, module_state *state)
{
    PyObject *base = (PyObject *)state->types[TYPE_WEBSOCKET];
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, base);
    state->types[TYPE_MESSAGE_WEBSOCKET] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

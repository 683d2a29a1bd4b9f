/* SPDX-License-Identifier: MIT */
/* The type MessageWebSocket: whole messages, single frames, iteration, and the handler for messages. Iteration and recv() are
 * the fast path. They call cw_socket_try_receive_begin before they release the GIL. */
#include "state.h"

enum { MESSAGES_PER_BREATH = 256, BATCH_MESSAGES = 128, BATCH_BYTES = 1 << 20 };

static PyObject *message_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(keywords))
{
    return websocket_create(type, CW_MESSAGE_SOCKET);
}

PyDoc_STRVAR(send_doc,
             "send($self, /, data, timeout=..., *, text=None)\n--\n\n"
             "Sends one message.\n\n"
             "data: a str is sent as text, a bytes-like object as binary.\n"
             "text: True sends bytes as text; they must be UTF-8. False sends a str as binary, in UTF-8.\n"
             "The default is None, by the type of data.\n"
             "timeout: seconds without progress. None = no limit; the default is control.send_timeout.\n"
             "With timeout=0 the call does not wait: the socket queues up to 256 KiB, or one larger message,\n"
             "and the service thread writes it.\n"
             "Raises WebSocketTimeout, ConnectionClosed, StateError, and ArgumentError for text that is not\n"
             "UTF-8, also for a str with lone surrogates. If a part of the message is sent already, a timeout "
             "drops the connection and raises\n"
             "ConnectionClosed. Blocks until the kernel has taken the whole message.\n"
             "Any thread and any handler may call it.");

static PyObject *message_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_SEND, "send", 1, {"data", "timeout", "text", NULL}, 1};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    choice text;
    payload p;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[1], &timeout_ms) || !parse_choice(given[2], "text", &text) ||
        !payload_acquire(ws->state, given[0], "send()", &p))
        return NULL;
    payload_choose(&p, text);
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_send(ws->socket, p.kind, p.data, p.len_bytes, timeout_ms));
    PyObject *result = none_or_raise(ws, status);
    payload_release(&p);
    return result;
}

/* The messages that one call of cw_socket_send_many sends: the Python objects, their bytes, and the core's descriptions. */
typedef struct batch {
    PyObject *objects[BATCH_MESSAGES];
    payload payloads[BATCH_MESSAGES];
    cw_message messages[BATCH_MESSAGES];
    size_t count;
    choice text;
} batch;

/* Takes objects from an iterator until the batch is full. Returns false at the end of the iterator, or with an exception
 * set. */
static bool batch_gather(websocket *ws, batch *b, PyObject *iterator)
{
    size_t bytes = 0;
    b->count = 0;
    while (b->count < BATCH_MESSAGES && bytes < BATCH_BYTES) {
        payload *p = &b->payloads[b->count];
        PyObject *object = PyIter_Next(iterator);
        if (object == NULL)
            return false;
        if (!payload_acquire(ws->state, object, "send_many()", p)) {
            Py_DECREF(object);
            return false;
        }
        payload_choose(p, b->text);
        bytes += p->len_bytes;
        b->messages[b->count] = (cw_message){.kind = p->kind, .data = p->data, .len_bytes = p->len_bytes};
        b->objects[b->count++] = object;
    }
    return true;
}

/* Sends the batch, even if an exception is set. Returns false with an exception set if the send fails, or if an exception
 * was set before. */
static bool batch_send(websocket *ws, batch *b, int timeout_ms, size_t *sent_count)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    cw_status status = CW_OK;
    if (b->count > 0) {
        blocking call;
        size_t sent = 0;
        blocking_begin(ws->state, &call);
        status = blocking_end(&call, cw_socket_send_many(ws->socket, b->messages, b->count, timeout_ms, &sent));
        *sent_count += sent;
    }
    if (status != CW_OK)
        raise_status(ws->state, ws, status);
    for (size_t i = 0; i < b->count; i++) { /* a destructor may run Python code */
        PyObject *error_type, *error, *error_traceback;
        PyErr_Fetch(&error_type, &error, &error_traceback);
        payload_release(&b->payloads[i]);
        Py_DECREF(b->objects[i]);
        PyErr_Restore(error_type, error, error_traceback);
    }
    if (status == CW_OK) {
        PyErr_Restore(type, value, traceback);
        return type == NULL;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return false;
}

/* Adds the number of sent messages to the exception that is set, as its attribute sent_count. */
static void tell_sent_count(size_t sent_count)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *number = PyLong_FromSize_t(sent_count);
    if (number == NULL || value == NULL || PyObject_SetAttrString(value, "sent_count", number) < 0)
        PyErr_Clear(); /* an exception of this class has no room for attributes */
    Py_XDECREF(number);
    PyErr_Restore(type, value, traceback);
}

PyDoc_STRVAR(send_many_doc,
             "send_many($self, /, messages, timeout=..., *, text=None)\n--\n\n"
             "Sends each message of an iterable and returns their number, an int.\n\n"
             "messages: an iterable of str (text) and bytes-like objects (binary). It is read up to 128\n"
             "messages ahead, and small messages are written together.\n"
             "timeout: seconds without progress, for each message. None = no limit; the default is\n"
             "control.send_timeout.\n"
             "text: as for send(), for all messages.\n"
             "Raises as send() does, and every exception of the iterable. The attribute sent_count of the\n"
             "exception is the number of messages that were sent. Blocks until the kernel has taken all\n"
             "messages. Any thread and any handler may call it.");

static PyObject *message_send_many(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_SEND_MANY, "send_many", 1, {"messages", "timeout", "text", NULL}, 1};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    choice text;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[1], &timeout_ms) || !parse_choice(given[2], "text", &text))
        return NULL;
    if (PyUnicode_Check(given[0]) || PyObject_CheckBuffer(given[0])) {
        PyErr_Format(PyExc_TypeError,
                     "send_many() takes an iterable of messages, not %R; send one message by send()",
                     Py_TYPE(given[0]));
        return NULL;
    }
    PyObject *iterator = PyObject_GetIter(given[0]);
    batch *b = iterator != NULL ? PyMem_Malloc(sizeof *b) : NULL;
    size_t sent_count = 0;
    bool goes_on = b != NULL, is_well = b != NULL;
    if (b != NULL)
        b->text = text;
    while (goes_on && is_well) {
        goes_on = batch_gather(ws, b, iterator);
        is_well = batch_send(ws, b, timeout_ms, &sent_count);
    }
    if (iterator != NULL && b == NULL)
        PyErr_NoMemory();
    else if (iterator != NULL && !is_well)
        tell_sent_count(sent_count);
    PyMem_Free(b);
    Py_XDECREF(iterator);
    return is_well ? PyLong_FromSize_t(sent_count) : NULL;
}

static void raise_receive(websocket *ws, cw_status status)
{
    if (status == CW_INVALID_STATE && ws->handlers[HANDLER_MESSAGE] != NULL)
        raise_state(ws->state,
                    "on_message_received gets the messages; set it to None before you receive them yourself");
    else
        raise_status(ws->state, ws, status);
}

/* Waits for the next message and returns it. Returns NULL with an exception set if that fails. Returns NULL with CW_OK in
 * *status if coming_bytes is not NULL and a large message has begun: *coming_bytes is then its size. */
static cw_event *receive(websocket *ws, int timeout_ms, size_t *coming_bytes, cw_status *status)
{
    cw_event *e = NULL;
    *status = cw_socket_try_receive_begin(ws->socket, &e, coming_bytes);
    if (*status == CW_OK)
        return e;
    if (PyErr_CheckSignals() < 0) { /* the wait below does not see a signal that came before it */
        *status = CW_INTERRUPTED;
        return NULL;
    }
    blocking b;
    blocking_begin(ws->state, &b);
    *status = blocking_end(&b, cw_socket_receive_begin(ws->socket, timeout_ms, &e, coming_bytes));
    if (*status == CW_OK)
        return e;
    if (e != NULL)
        event_put_back(ws, e);
    raise_receive(ws, *status);
    return NULL;
}

static PyObject *value_of(const cw_received *received, const void *data, choice decode)
{
    if (decode == CHOICE_OPEN && received->kind == CW_UTF8)
        return PyUnicode_DecodeUTF8(data, (Py_ssize_t)received->len_bytes, NULL);
    return PyBytes_FromStringAndSize(data, (Py_ssize_t)received->len_bytes);
}

/* Receives a large message that has begun, straight into a bytes object. Never used in partial mode or with decode=True.
 * Another thread may take the message first. Then this returns the next message if it fits, else NULL without an exception. */
static PyObject *receive_large(websocket *ws, size_t coming_bytes, int timeout_ms, choice decode,
                               cw_status *status)
{
    PyObject *value = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)coming_bytes);
    if (value == NULL)
        return NULL;
    char *buffer = PyBytes_AsString(value);
    cw_received received;
    blocking b;
    blocking_begin(ws->state, &b);
    *status = cw_socket_receive_into(ws->socket, buffer, coming_bytes, timeout_ms, &received);
    *status = blocking_end(&b, *status);
    if (*status == CW_OK && received.kind == CW_BINARY && received.len_bytes == coming_bytes)
        return value;
    PyObject *other = *status == CW_OK ? value_of(&received, buffer, decode) : NULL;
    bool is_too_long = *status == CW_INVALID_ARGUMENT && received.len_bytes > coming_bytes;
    if (*status != CW_OK && !is_too_long)
        raise_receive(ws, *status);
    Py_DECREF(value);
    return other;
}

/* Returns the next message as a new str or bytes; NULL with an exception set if that fails. */
static PyObject *receive_value(websocket *ws, int timeout_ms, choice decode, cw_status *status)
{
    size_t coming_bytes = 0;
    cw_event *e = receive(ws, timeout_ms, decode == CHOICE_YES ? NULL : &coming_bytes, status);
    if (e == NULL && *status == CW_OK) { /* a large message has begun to arrive */
        PyObject *value = receive_large(ws, coming_bytes, timeout_ms, decode, status);
        if (value != NULL || PyErr_Occurred())
            return value;
        e = receive(ws, timeout_ms, NULL, status);
    }
    if (e == NULL)
        return NULL;
    PyObject *value = NULL;
    if (decode == CHOICE_YES && cw_event_is_part(e))
        raise_state(ws->state, "decode=True needs whole messages, because a part may end inside a character; "
                               "set receive_mode to full, or decode the joined parts");
    else
        value = event_value(e, decode);
    if (value != NULL)
        cw_event_free(e);
    else
        event_put_back(ws, e);
    return value;
}

PyDoc_STRVAR(
    recv_doc,
    "recv($self, /, timeout=..., copy=True, *, decode=None)\n--\n\n"
    "Returns the next message: str for text, bytes for binary. In partial mode the next part, as bytes.\n\n"
    "timeout: seconds. None = no limit; the default is control.receive_timeout.\n"
    "copy: a bool, default True. False returns a MessageBuffer, which does not copy the message.\n"
    "decode: True returns a str for a binary message too, False returns bytes for text too. The default\n"
    "is None, by the type of the message.\n"
    "Raises WebSocketTimeout, ConnectionClosed, and StateError if the socket is not connected or\n"
    "on_message_received is set. With decode=True it raises StateError in partial mode, and\n"
    "UnicodeDecodeError if the message is not UTF-8. Such a message stays the next one. Blocks until a message "
    "has arrived. Any thread may call it.");

static PyObject *message_recv(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_RECV, "recv", 0, {"timeout", "copy", "decode", NULL}, 1};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    bool copy = true;
    choice decode;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[0], &timeout_ms) ||
        (given[1] != NULL && !parse_flag(given[1], "copy", &copy)) ||
        !parse_choice(given[2], "decode", &decode))
        return NULL;
    cw_status status;
    if (copy)
        return receive_value(ws, timeout_ms, decode, &status);
    if (decode != CHOICE_OPEN)
        return raise_argument(ws->state,
                              "decode cannot be used with copy=False, which does not convert the message: "
                              "leave one of them out");
    cw_event *e = receive(ws, timeout_ms, NULL, &status);
    if (e == NULL)
        return NULL;
    PyObject *buffer = message_buffer_create(ws->state, TYPE_MESSAGE_BUFFER, e);
    if (buffer == NULL)
        event_put_back(ws, e);
    return buffer;
}

PyDoc_STRVAR(recv_into_doc,
             "recv_into($self, /, buffer, timeout=...)\n--\n\n"
             "Receives the next message into a buffer and returns its size in bytes, an int.\n\n"
             "buffer: a writable bytes-like object. Text is stored as UTF-8. In partial mode it gets the\n"
             "next part. Large messages are not copied.\n"
             "timeout: seconds. None = no limit; the default is control.receive_timeout.\n"
             "Raises as recv() does, and ArgumentError if the message does not fit. Such a message stays the\n"
             "next one. After an exception the content of the buffer is undefined.\n"
             "Blocks until a message has arrived. Any thread may call it.");

static PyObject *message_recv_into(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_RECV_INTO, "recv_into", 1, {"buffer", "timeout", NULL}, 0};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    Py_buffer view;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[1], &timeout_ms) || PyErr_CheckSignals() < 0)
        return NULL;
    if (PyObject_GetBuffer(given[0], &view, PyBUF_WRITABLE) < 0)
        return NULL;
    cw_received received;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = cw_socket_receive_into(ws->socket, view.buf, (size_t)view.len, timeout_ms, &received);
    status = blocking_end(&b, status);
    PyObject *size = status == CW_OK ? PyLong_FromSize_t(received.len_bytes) : NULL;
    if (status != CW_OK)
        raise_receive(ws, status);
    PyBuffer_Release(&view);
    return size;
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
    PyObject *value = receive_value(ws, CW_TIMEOUT_NEVER, CHOICE_OPEN, &status);
    if (value == NULL && status == CW_CLOSED && has_ended_normally(ws))
        PyErr_Clear();
    return value;
}

/* Sends one frame of a message of the type control.message_type. Returns the number of bytes as a new int. */
static PyObject *send_frame(websocket *ws, PyObject *data, const char *what, bool is_final)
{
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
    PyObject *size = status == CW_OK ? PyLong_FromSize_t(p.len_bytes) : raise_status(ws->state, ws, status);
    payload_release(&p);
    return size;
}

PyDoc_STRVAR(send_final_frame_doc,
             "send_final_frame($self, /, data)\n--\n\n"
             "Sends the last frame of a message and returns its size in bytes, an int.\n\n"
             "data: a str, which is sent as UTF-8, or a bytes-like object. control.message_type is the type\n"
             "of the message. Without earlier frames, this frame is the whole message.\n"
             "Raises and blocks as send() does with control.send_timeout. Any thread may call it.");

static PyObject *send_final_frame(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_SEND_FINAL_FRAME, "send_final_frame", 1, {"data", NULL}, 0};
    PyObject *given[ARGUMENTS_MAX];
    if (!parse_arguments((websocket *)self, &sig, args, count, names, given))
        return NULL;
    return send_frame((websocket *)self, given[0], "send_final_frame()", true);
}

PyDoc_STRVAR(send_nonfinal_frame_doc,
             "send_nonfinal_frame($self, /, data)\n--\n\n"
             "Sends a frame of a message, but not its last frame, and returns its size in bytes, an int.\n\n"
             "data: a str, which is sent as UTF-8, or a bytes-like object. control.message_type is the type\n"
             "of the message. send() raises StateError until send_final_frame() has ended the message.\n"
             "Raises and blocks as send() does with control.send_timeout. Any thread may call it.");

static PyObject *send_nonfinal_frame(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_SEND_NONFINAL_FRAME, "send_nonfinal_frame", 1, {"data", NULL}, 0};
    PyObject *given[ARGUMENTS_MAX];
    if (!parse_arguments((websocket *)self, &sig, args, count, names, given))
        return NULL;
    return send_frame((websocket *)self, given[0], "send_nonfinal_frame()", false);
}

static PyObject *get_on_message_received(PyObject *self, void *Py_UNUSED(closure))
{
    return websocket_get_handler((websocket *)self, HANDLER_MESSAGE);
}

static int set_on_message_received(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return websocket_set_handler((websocket *)self, HANDLER_MESSAGE, value);
}

static PyMethodDef methods[] = {
    {"send", FAST(message_send), METH_FASTCALL | METH_KEYWORDS, send_doc},
    {"send_many", FAST(message_send_many), METH_FASTCALL | METH_KEYWORDS, send_many_doc},
    {"recv", FAST(message_recv), METH_FASTCALL | METH_KEYWORDS, recv_doc},
    {"recv_into", FAST(message_recv_into), METH_FASTCALL | METH_KEYWORDS, recv_into_doc},
    {"send_final_frame", FAST(send_final_frame), METH_FASTCALL | METH_KEYWORDS, send_final_frame_doc},
    {"send_nonfinal_frame", FAST(send_nonfinal_frame), METH_FASTCALL | METH_KEYWORDS, send_nonfinal_frame_doc},
    {"_write", websocket_write, METH_O,
     "_write($self, data, /)\n--\n\nSends one message, for output_stream.write()."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef members[] = {
    {"on_message_received", get_on_message_received, set_on_message_received,
     "The handler for messages, f(ws, args), or None. args is a MessageReceivedEventArgs. The dispatcher "
     "thread calls it for each message. An open socket with a handler stays alive until it has ended. Any "
     "thread may set it.",
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

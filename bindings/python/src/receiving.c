/* SPDX-License-Identifier: MIT */
/* The methods of MessageWebSocket that receive. message_type.c lists them. Iteration and recv() are the fast path. They call
 * cw_socket_try_receive_or_announce before they release the GIL. */
#include "state.h"

static void raise_receive(websocket *ws, cw_status status)
{
    if (status == CW_INVALID_STATE && ws->handlers[HANDLER_MESSAGE] != NULL)
        raise_state(ws->state,
                    "on_message_received gets the messages; set it to None before you receive them yourself");
    else
        raise_status(ws->state, ws, status);
}

cw_event *message_receive(websocket *ws, int timeout_ms, size_t *coming_bytes, cw_status *status)
{
    cw_event *e = NULL;
    *status = cw_socket_try_receive_or_announce(ws->socket, &e, coming_bytes);
    if (*status == CW_OK)
        return e;
    if (PyErr_CheckSignals() < 0) { /* the wait below does not see a signal that came before it */
        *status = CW_INTERRUPTED;
        return NULL;
    }
    blocking b;
    blocking_begin(ws->state, &b);
    *status = blocking_end(&b, cw_socket_receive_or_announce(ws->socket, timeout_ms, &e, coming_bytes));
    if (*status == CW_OK)
        return e;
    if (e != NULL)
        event_put_back(ws, e);
    raise_receive(ws, *status);
    return NULL;
}

static PyObject *value_of(const cw_received *received, const void *data, choice decode)
{
    if (decode == CHOICE_OPEN && received->message_type == CW_UTF8)
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
    if (*status == CW_OK && received.message_type == CW_BINARY && received.len_bytes == coming_bytes)
        return value;
    PyObject *other = *status == CW_OK ? value_of(&received, buffer, decode) : NULL;
    bool is_too_long = *status == CW_INVALID_ARGUMENT && received.len_bytes > coming_bytes;
    if (*status != CW_OK && !is_too_long)
        raise_receive(ws, *status);
    Py_DECREF(value);
    return other;
}

PyObject *message_receive_value(websocket *ws, int timeout_ms, choice decode, cw_status *status)
{
    size_t coming_bytes = 0;
    cw_event *e = message_receive(ws, timeout_ms, decode == CHOICE_YES ? NULL : &coming_bytes, status);
    if (e == NULL && *status == CW_OK) { /* a large message has begun to arrive */
        PyObject *value = receive_large(ws, coming_bytes, timeout_ms, decode, status);
        if (value != NULL || PyErr_Occurred())
            return value;
        e = message_receive(ws, timeout_ms, NULL, status);
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

const char recv_doc[] =
    "recv($self, /, timeout=curlwire.DEFAULT, copy=True, *, decode=None)\n--\n\n"
    "Returns the next message: str for text, bytes for binary. In partial mode the next part, as bytes.\n\n"
    "timeout: seconds. None = no limit; the default is control.receive_timeout.\n"
    "copy: a bool, default True. False returns a MessageBuffer, which does not copy the message.\n"
    "decode: True returns a str for a binary message too, False returns bytes for text too. The default\n"
    "is None, by the type of the message.\n"
    "Raises WebSocketTimeout, ConnectionClosed, and StateError if the socket is not connected or\n"
    "on_message_received is set. With decode=True it raises StateError in partial mode, and\n"
    "UnicodeDecodeError if the message is not UTF-8. Such a message stays the next one. Blocks until a message "
    "has arrived. Any thread may call it.";

PyObject *message_recv(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
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
        return message_receive_value(ws, timeout_ms, decode, &status);
    if (decode != CHOICE_OPEN)
        return raise_argument(ws->state,
                              "decode cannot be used with copy=False, which does not convert the message: "
                              "leave one of them out");
    cw_event *e = message_receive(ws, timeout_ms, NULL, &status);
    if (e == NULL)
        return NULL;
    PyObject *buffer = message_buffer_create(ws->state, TYPE_MESSAGE_BUFFER, e);
    if (buffer == NULL)
        event_put_back(ws, e);
    return buffer;
}

const char recv_into_doc[] =
    "recv_into($self, /, buffer, timeout=curlwire.DEFAULT)\n--\n\n"
    "Receives the next message into a buffer and returns its size in bytes, an int.\n\n"
    "buffer: a writable bytes-like object. Text is stored as UTF-8. In partial mode it gets the\n"
    "next part. Large messages are not copied.\n"
    "timeout: seconds. None = no limit; the default is control.receive_timeout.\n"
    "Raises as recv() does, and ArgumentError if the message does not fit. Such a message stays the\n"
    "next one. After an exception the content of the buffer is undefined.\n"
    "Blocks until a message has arrived. Any thread may call it.";

PyObject *message_recv_into(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
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

/* Raises MessageError for the exception of loads that is set. */
static void refuse_json(websocket *ws, PyObject *data)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(error, traceback);
    PyObject *refuse = get_helper(ws->state, HELPER_refuse_json);
    PyObject *result = refuse != NULL ? PyObject_CallFunctionObjArgs(refuse, data, error, NULL) : NULL;
    Py_XDECREF(result);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
}

const char recv_json_doc[] =
    "recv_json($self, /, timeout=curlwire.DEFAULT, *, loads=None)\n--\n\n"
    "Returns the value of the next message, which is JSON.\n\n"
    "timeout: seconds. None = no limit; the default is control.receive_timeout.\n"
    "loads: a function that takes the message, a str for text or bytes for binary, and returns its\n"
    "value, such as orjson.loads. The default is None: json.loads.\n"
    "Raises MessageError if loads raises an exception. The attribute data of the MessageError is the\n"
    "message, and the next call takes the next message. If Ctrl-C or a lack of memory ends loads, the\n"
    "message stays the next one. Raises StateError in partial mode. Otherwise raises as recv() does.\n"
    "Blocks until a message has arrived. Any thread may call it.";

PyObject *message_recv_json(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_RECV_JSON, "recv_json", 0, {"timeout", "loads", NULL}, 1};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX], *loads, *data = NULL, *value = NULL;
    int timeout_ms;
    cw_status status;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[0], &timeout_ms) ||
        (loads = parse_function(ws->state, given[1], "loads", HELPER_loads)) == NULL)
        return NULL;
    cw_event *e = message_receive(ws, timeout_ms, NULL, &status);
    if (e == NULL)
        return NULL;
    if (cw_event_is_part(e))
        raise_state(ws->state, "recv_json() needs whole messages; set receive_mode to full");
    else
        data = event_value(e, CHOICE_OPEN);
    if (data != NULL)
        value = PyObject_CallFunctionObjArgs(loads, data, NULL);
    bool is_refused = data != NULL && value == NULL && PyErr_ExceptionMatches(PyExc_Exception) &&
                      !PyErr_ExceptionMatches(PyExc_MemoryError);
    if (is_refused)
        refuse_json(ws, data);
    if (is_refused || value != NULL)
        cw_event_free(e);
    else
        event_put_back(ws, e);
    Py_XDECREF(data);
    return value;
}

const char recv_stream_doc[] =
    "recv_stream($self, /, timeout=curlwire.DEFAULT)\n--\n\n"
    "Returns the next message as a MessageStream, a binary file object (an io.RawIOBase).\n\n"
    "With receive_mode='partial' it returns as soon as the message begins to arrive, and needs the same\n"
    "memory for a message of any size. In full mode it returns when the whole message has arrived.\n"
    "timeout: seconds until the message begins. None = no limit; the default is control.receive_timeout,\n"
    "which also limits each read of the stream.\n"
    "The next receive, in any thread, skips what the program has not read of the message. Calls that wait\n"
    "for a message already wait until the message has been read.\n"
    "Raises as recv() does. Blocks until a message has begun. Any thread may call it.";

PyObject *message_recv_stream(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_RECV_STREAM, "recv_stream", 0, {"timeout", NULL}, 0};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    if (!parse_arguments(ws, &sig, args, count, names, given))
        return NULL;
    PyObject *make = get_helper(ws->state, HELPER_message_stream);
    return make != NULL ? PyObject_CallFunctionObjArgs(make, self, given[0], NULL) : NULL;
}

const char receive_part_doc[] =
    "_receive_part($self, stream, is_first, timeout=curlwire.DEFAULT, /)\n--\n\n"
    "Returns the next part of the message that a MessageStream reads, a MessageBuffer.";

PyObject *message_receive_part(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    websocket *ws = (websocket *)self;
    int timeout_ms;
    bool is_first;
    if (count < 2 || count > 3) {
        PyErr_SetString(PyExc_TypeError, "_receive_part() takes 2 or 3 arguments");
        return NULL;
    }
    if (!parse_flag(args[1], "is_first", &is_first) ||
        !parse_timeout(ws->state, count == 3 ? args[2] : NULL, &timeout_ms) || PyErr_CheckSignals() < 0)
        return NULL;
    cw_event *e = NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = cw_socket_receive_part(ws->socket, args[0], is_first, timeout_ms, &e);
    status = blocking_end(&b, status);
    PyObject *part = status == CW_OK ? message_buffer_create(ws->state, TYPE_MESSAGE_BUFFER, e) : NULL;
    if (status != CW_OK)
        raise_receive(ws, status);
    if (part == NULL && e != NULL)
        event_put_back(ws, e);
    return part;
}

/* SPDX-License-Identifier: MIT */
/* The methods with which an event loop runs a socket: the package curlwire.eventloop calls them, in the loop's thread. None of
 * them waits for the connection. The types list them. */
#include "state.h"

#include <string.h>

enum { SMALL_BYTES = 16 * 1024 };

const char connect_start_doc[] =
    "_connect_start($self, uri, timeout, /)\n--\n\n"
    "Begins to connect. The mailbox gets an event when the connect has ended. Raises as connect() does.";

PyObject *websocket_connect_start(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    websocket *ws = (websocket *)self;
    const char *uri;
    size_t len_bytes;
    int timeout_ms;
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "_connect_start() takes 2 arguments");
        return NULL;
    }
    if (!parse_text(ws->state, args[0], "the URI", &uri, &len_bytes) ||
        !parse_timeout(ws->state, args[1], &timeout_ms))
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_connect_start(ws->socket, uri, len_bytes, timeout_ms));
    if (status == CW_CONNECT_FAILED && cw_error_option() == CW_OPT_CA_FILE) { /* no authorities are found */
        if (!name_authorities(ws->state))
            return NULL;
        blocking_begin(ws->state, &b);
        status = blocking_end(&b, cw_socket_connect_start(ws->socket, uri, len_bytes, timeout_ms));
    }
    return status == CW_OK ? Py_NewRef(Py_None) : raise_connect(ws, status);
}

const char connect_end_doc[] = "_connect_end($self, /)\n--\n\n"
                               "Returns whether the connect has ended. Raises its error, as connect() does.";

PyObject *websocket_connect_end(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_wait_connected(ws->socket, 0));
    if (status == CW_TIMED_OUT) { /* it is still connecting; or its own limit has ended it */
        if (cw_socket_state(ws->socket) == CW_STATE_CONNECTING)
            Py_RETURN_FALSE;
        /* It has ended, perhaps between the two calls. Now the status can only be its own. */
        blocking_begin(ws->state, &b);
        status = blocking_end(&b, cw_socket_wait_connected(ws->socket, 0));
    }
    if (status != CW_OK)
        return raise_connect(ws, status);
    ws->was_open = true;
    Py_RETURN_TRUE;
}

const char subscribe_doc[] = "_subscribe($self, mailbox, events, /)\n--\n\n"
                             "Sends the events of a mask to a mailbox.";

PyObject *websocket_subscribe(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    websocket *ws = (websocket *)self;
    mailbox *m = count == 2 ? mailbox_of(ws->state, args[0]) : NULL;
    unsigned long mask = m != NULL ? PyLong_AsUnsignedLong(args[1]) : 0;
    if (m == NULL || PyErr_Occurred()) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "_subscribe() takes 2 arguments");
        return NULL;
    }
    blocking b;
    blocking_begin(ws->state, &b);
    return none_or_raise(ws, blocking_end(&b, cw_socket_subscribe(ws->socket, m->mailbox, (unsigned)mask)));
}

const char poll_begin_doc[] =
    "_poll_begin($self, /)\n--\n\nReturns the descriptor for an event loop to poll, an int.";

PyObject *websocket_poll_begin(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    int fd;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_poll_begin(ws->socket, &fd));
    ws->is_polled = status == CW_OK;
    return status == CW_OK ? PyLong_FromLong(fd) : raise_status(ws->state, ws, status);
}

const char poll_end_doc[] =
    "_poll_end($self, /)\n--\n\nSays that the event loop no longer polls the descriptor.";

PyObject *websocket_poll_end(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    blocking b;
    ws->is_polled = ws->is_ready_to_wait = false;
    blocking_begin(ws->state, &b);
    return none_or_raise(ws, blocking_end(&b, cw_socket_poll_end(ws->socket)));
}

const char ask_certificate_doc[] =
    "_ask_certificate($self, asks, /)\n--\n\n"
    "Makes the connect ask about the server's certificate, or not. Raises StateError after it has begun.";

PyObject *websocket_ask_certificate(PyObject *self, PyObject *asks)
{
    websocket *ws = (websocket *)self;
    bool flag;
    if (!parse_flag(asks, "asks", &flag))
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    return none_or_raise(ws, blocking_end(&b, cw_socket_ask_certificate(ws->socket, flag)));
}

/* Returns asyncio's note of the run of a loop in the calling thread, borrowed; NULL if there is none. Each run has a note of its
 * own. Only Python 3.11 has it here: later versions of asyncio ask the system nothing in _get_running_loop(). */
static PyObject *note_of_run(module_state *state)
{
    PyObject *notes = PyThreadState_GetDict();
    if (state->run_key == NULL)
        state->run_key = PyUnicode_InternFromString("__asyncio_running_event_loop__");
    PyObject *note =
        notes != NULL && state->run_key != NULL ? PyDict_GetItemWithError(notes, state->run_key) : NULL;
    if (note == NULL)
        PyErr_Clear();
    return note;
}

static PyObject *running_loop(module_state *state)
{
    if (state->get_running_loop == NULL) {
        PyObject *module = PyImport_ImportModule("asyncio");
        state->get_running_loop = module != NULL ? PyObject_GetAttrString(module, "_get_running_loop") : NULL;
        Py_XDECREF(module);
    }
    return state->get_running_loop != NULL ? PyObject_CallNoArgs(state->get_running_loop) : NULL;
}

/* In Python 3.11 _get_running_loop() makes a system call, which took half the time of a small message. So the socket keeps the
 * note of the run: as long as the thread has the same note, the same run of the loop goes on. */
bool is_in_loop(websocket *ws)
{
    /* the socket is not connected yet, or it belongs to trio, whose class checks this itself */
    if (ws->loop == NULL)
        return true;
    PyObject *note = note_of_run(ws->state);
    if (note != NULL && note == ws->run)
        return true;
    PyObject *running = running_loop(ws->state);
    if (running == NULL)
        return false;
    bool is_right = running == ws->loop;
    Py_DECREF(running);
    if (!is_right) {
        raise_state(ws->state,
                    "this socket belongs to another event loop: use it in the loop that connected it, or "
                    "make a new socket");
        return false;
    }
    PyObject *old = ws->run;
    ws->run = Py_XNewRef(note);
    Py_XDECREF(old);
    return true;
}

/* ---- Sending ---- */

const char try_send_doc[] =
    "_try_send($self, data, text, compress, /)\n--\n\n"
    "Sends a message, and returns a Done, or None if it would have to wait. Also returns\n"
    "None for data that is neither a str nor bytes-like.";

/* Sends a small message while it holds the GIL: giving the GIL up takes a tenth of the time of the call, and a thread that
 * computes would keep the GIL for 5 ms. */
static cw_status send_at_once(websocket *ws, const cw_message *m)
{
    cw_status status = m->len_bytes <= SMALL_BYTES ? cw_socket_try_send(ws->socket, m) : CW_WOULD_BLOCK;
    if (status != CW_WOULD_BLOCK)
        return status;
    size_t sent_count;
    blocking b;
    blocking_begin(ws->state, &b);
    return blocking_end(&b, cw_socket_send_many(ws->socket, m, 1, 0, &sent_count));
}

PyObject *send_soon(websocket *ws, PyObject *data, choice text, cw_compress compress)
{
    payload p;
    if (!payload_acquire(ws->state, data, NULL, &p))
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    payload_choose(&p, text);
    if (!is_in_loop(ws)) {
        payload_release(&p);
        return done_of_error(ws->state);
    }
    const cw_message m = {
        .message_type = p.message_type, .data = p.data, .len_bytes = p.len_bytes, .compress = compress};
    cw_status status = send_at_once(ws, &m);
    PyObject *result = NULL;
    if (status == CW_OK)
        result = done_of_nothing(ws->state);
    else if (status == CW_WOULD_BLOCK || status == CW_TIMED_OUT)
        result = Py_NewRef(Py_None);
    else if (raise_status(ws->state, ws, status) == NULL)
        result = done_of_error(ws->state);
    payload_release(&p);
    return result;
}

PyObject *websocket_try_send(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    choice text;
    cw_compress compress;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "_try_send() takes 3 arguments");
        return NULL;
    }
    if (!parse_choice(args[1], "text", &text) || !parse_compress(args[2], &compress))
        return NULL;
    return send_soon((websocket *)self, args[0], text, compress);
}

const char try_fragment_doc[] =
    "_try_fragment($self, data, owner, is_final, text, compress, /)\n--\n\n"
    "Sends a fragment of a message. Returns its size in bytes, or None if it would have to wait.\n\n"
    "owner: an object that only this message uses, or None. text: True for a text, False for a binary message.";

PyObject *message_try_fragment(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    websocket *ws = (websocket *)self;
    bool is_final, is_text;
    cw_compress compress;
    payload p;
    if (count != 5) {
        PyErr_SetString(PyExc_TypeError, "_try_fragment() takes 5 arguments");
        return NULL;
    }
    if (!parse_flag(args[2], "is_final", &is_final) || !parse_flag(args[3], "text", &is_text) ||
        !parse_compress(args[4], &compress) || !payload_acquire(ws->state, args[0], "a frame", &p))
        return NULL;
    const cw_message fragment = {.message_type = is_text ? CW_UTF8 : CW_BINARY,
                                 .data = p.data,
                                 .len_bytes = p.len_bytes,
                                 .compress = compress};
    const void *owner = args[1] != Py_None ? args[1] : NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_send_fragment(ws->socket, &fragment, owner, is_final, 0));
    PyObject *size = NULL;
    if (status == CW_WOULD_BLOCK || status == CW_TIMED_OUT)
        size = Py_NewRef(Py_None);
    else
        size = status == CW_OK ? PyLong_FromSize_t(p.len_bytes) : raise_status(ws->state, ws, status);
    payload_release(&p);
    return size;
}

/* ---- Receiving ---- */

/* Takes the next message without waiting. Returns CW_WOULD_BLOCK if there is none. */
static cw_status receive_now(websocket *ws, cw_event **e)
{
    cw_status status = cw_socket_try_receive(ws->socket, e);
    if (status == CW_WOULD_BLOCK) { /* another thread has the socket, or it is not open */
        blocking b;
        blocking_begin(ws->state, &b);
        status = blocking_end(&b, cw_socket_receive(ws->socket, 0, e));
    }
    return status == CW_TIMED_OUT ? CW_WOULD_BLOCK : status;
}

/* Asks the core without the GIL, because the service thread may hold the socket's lock. */
static bool has_ended_normally(websocket *ws)
{
    PyThreadState *thread = PyEval_SaveThread();
    bool is_normal = cw_socket_ended_normally(ws->socket);
    PyEval_RestoreThread(thread);
    return is_normal;
}

PyObject *take_message(websocket *ws, choice decode, message_form form)
{
    static const type_index types[FORM_COUNT] = {TYPE_COUNT, TYPE_MESSAGE_BUFFER, TYPE_MESSAGE_ARGS,
                                                 TYPE_COUNT};
    cw_event *e = NULL;
    cw_status status = receive_now(ws, &e);
    if (status == CW_OK)
        return done_of_event(ws, e, decode, types[form]);
    if (e != NULL)
        event_put_back(ws, e);
    if (status == CW_WOULD_BLOCK)
        Py_RETURN_NONE;
    if (form == FORM_NEXT && status == CW_CLOSED && has_ended_normally(ws))
        PyErr_SetNone(PyExc_StopAsyncIteration);
    else
        (void)raise_status(ws->state, ws, status);
    return done_of_error(ws->state);
}

PyObject *raise_alone(module_state *state)
{
    return raise_state(state, "another task already waits for data from this socket: receive in one task only");
}

const char try_recv_doc[] =
    "_try_recv($self, decode=None, form=0, /)\n--\n\n"
    "Takes the next message, and returns a Done, or None if it would have to wait.\n\n"
    "form: what the message becomes: 0 a str or bytes, 1 a MessageBuffer, 2 a "
    "MessageReceivedEventArgs; 3 as 0, and\n"
    "after a normal end the Done raises StopAsyncIteration. Raises StateError while a task waits.";

PyObject *message_try_recv(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    choice decode = CHOICE_OPEN;
    long wanted = count > 1 ? PyLong_AsLong(args[1]) : FORM_VALUE;
    if (wanted < 0 || wanted >= FORM_COUNT || (count > 0 && !parse_choice(args[0], "decode", &decode))) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "form is 0 to 3");
        return NULL;
    }
    if (((websocket *)self)->waiter != NULL)
        return raise_alone(((websocket *)self)->state);
    return take_message((websocket *)self, decode, (message_form)wanted);
}

const char try_read_doc[] =
    "_try_read($self, size, /)\n--\n\n"
    "Reads up to size bytes of the stream. Returns them; b'' at the end; None if it would have to wait.";

PyObject *stream_try_read(PyObject *self, PyObject *size)
{
    websocket *ws = (websocket *)self;
    Py_ssize_t size_bytes = PyLong_AsSsize_t(size);
    size_t len_bytes = 0;
    if (size_bytes == -1 && PyErr_Occurred())
        return NULL;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, size_bytes);
    if (bytes == NULL)
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(
        &b, cw_socket_read(ws->socket, PyBytes_AsString(bytes), (size_t)size_bytes, 0, &len_bytes));
    PyObject *result = NULL;
    if (status == CW_OK)
        result = PyBytes_FromStringAndSize(PyBytes_AsString(bytes), (Py_ssize_t)len_bytes);
    else if (status == CW_TIMED_OUT)
        result = Py_NewRef(Py_None);
    else
        (void)raise_status(ws->state, ws, status);
    Py_DECREF(bytes);
    return result;
}

/* SPDX-License-Identifier: MIT */
/* The methods that end a socket, wait for its end or tell of it: close(), wait_closed(), abort(), run_forever() and __exit__().
 * Both classes have them, and websocket.c lists them. */
#include "state.h"

#include <limits.h>

/* The close codes that close() and a with block send by default. */
enum { CLOSE_NORMAL = 1000, CLOSE_INTERNAL_ERROR = 1011 };

/* Begins the closing handshake. Returns false with an exception set if that fails. */
static bool begin_close(websocket *ws, int code, const char *reason, size_t len_bytes)
{
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_close_start(ws->socket, code, reason, len_bytes));
    if (status == CW_OK)
        return true;
    raise_status(ws->state, ws, status);
    return false;
}

const char close_doc[] =
    "close($self, /, code=1000, reason='')\n--\n\n"
    "Begins the closing handshake and returns at once. wait_closed() waits for the end of\n"
    "the connection.\n\n"
    "code: an int, " CW_CLOSE_CODES ". The default is 1000.\n"
    "reason: a str of at most 123 bytes of UTF-8. The default is ''.\n"
    "Calls that wait in other threads raise ConnectionClosed. A second close() does nothing.\n"
    "Raises ArgumentError for a code or reason that may not be sent.\n"
    "Does not block. Any thread and any handler may call it.";

PyObject *websocket_close(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_CLOSE, "close", 0, {"code", "reason", NULL}, 0};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int64_t code = CLOSE_NORMAL;
    int overflow = 0;
    const char *reason = "";
    size_t len_bytes = 0;
    if (!parse_arguments(ws, &sig, args, count, names, given))
        return NULL;
    if (given[0] != NULL && !parse_int(given[0], "code", "an int", &code, &overflow))
        return NULL;
    if (overflow != 0 || code < INT_MIN || code > INT_MAX) {
        refuse_value(ws->state, "code", given[0], CW_CLOSE_CODES);
        return NULL;
    }
    if (given[1] != NULL && !parse_text(ws->state, given[1], "a close reason", &reason, &len_bytes))
        return NULL;
    if (!begin_close(ws, (int)code, reason, len_bytes))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *wait_closed(websocket *ws, int timeout_ms)
{
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_wait_closed(ws->socket, timeout_ms));
    return none_or_raise(ws, status);
}

const char wait_closed_doc[] =
    "wait_closed($self, /, timeout=None)\n--\n\n"
    "Waits until the connection has ended.\n\n"
    "After close() the socket first sends its queued messages. It gives up after control.send_timeout\n"
    "without progress (30 s if that is 0 or None). Then control.close_timeout limits the closing\n"
    "handshake.\n"
    "timeout: seconds. The default is None, no limit.\n"
    "Raises WebSocketTimeout after timeout, and ConnectionClosed if sent messages did not reach the\n"
    "server. Blocks until the connection has ended. Any thread may call it.";

PyObject *websocket_wait_closed(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_WAIT_CLOSED, "wait_closed", 0, {"timeout", NULL}, 0};
    websocket *ws = (websocket *)self;
    int timeout_ms;
    if (!parse_only_timeout(ws, &sig, args, count, names, &timeout_ms))
        return NULL;
    return wait_closed(ws, timeout_ms);
}

const char abort_doc[] = "abort($self, /)\n--\n\n"
                         "Drops the connection at once, without a closing handshake.\n\n"
                         "Raises nothing. Does not block. Any thread and any handler may call it.";

PyObject *websocket_abort(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    if (!check_method(ws, METHOD_ABORT, "abort"))
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_socket_abort(ws->socket);
    (void)blocking_end(&b, CW_OK);
    Py_RETURN_NONE;
}

const char run_forever_doc[] =
    "run_forever($self, /)\n--\n\n"
    "Waits until this socket has ended and its on_closed has returned.\n\n"
    "Raises StateError in a handler, because it would wait for itself. Blocks; Ctrl-C ends it.\n"
    "Any thread but the dispatcher thread may call it.";

PyObject *websocket_run_forever(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    if (!check_method(ws, METHOD_RUN_FOREVER, "run_forever"))
        return NULL;
    if (!ws->is_subscribed || ws->fork_count != ws->state->fork_count)
        return wait_closed(ws, CW_TIMEOUT_NEVER);
    if (websocket_own_mailbox(ws) != NULL)
        return websocket_run_own(ws);
    PyObject *run = get_helper(ws->state, HELPER_run_forever);
    return run != NULL ? PyObject_CallFunctionObjArgs(run, self, NULL) : NULL;
}

const char exit_doc[] =
    "__exit__($self, exc_type, exc_value, traceback, /)\n--\n\n"
    "Closes the socket and waits for the end of the connection.\n\n"
    "The close code is 1011 if an exception other than GeneratorExit leaves the block, else 1000.\n"
    "Raises ConnectionClosed if sent messages did not reach the server. If an exception leaves the\n"
    "block, it gets a note about that instead. Blocks as wait_closed() does. Any thread may call it.";

/* Clears the exception that is set, and adds its text as a note to another exception. */
static void add_note(PyObject *to)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *text = value != NULL ? PyObject_Str(value) : NULL;
    PyObject *done = text != NULL ? PyObject_CallMethod(to, "add_note", "O", text) : NULL;
    if (done == NULL)
        PyErr_Clear();
    Py_XDECREF(done);
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
}

PyObject *websocket_exit(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    websocket *ws = (websocket *)self;
    bool has_failed = count > 1 && args[0] != Py_None && args[1] != Py_None &&
                      !PyErr_GivenExceptionMatches(args[0], PyExc_GeneratorExit);
    if (!begin_close(ws, has_failed ? CLOSE_INTERNAL_ERROR : CLOSE_NORMAL, "", 0))
        return NULL;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_wait_closed(ws->socket, CW_TIMEOUT_NEVER));
    if (status != CW_CLOSED || !has_failed)
        return none_or_raise(ws, status);
    (void)raise_status(ws->state, ws, status);
    add_note(args[1]);
    Py_RETURN_NONE;
}

const char end_error_doc[] = "_end_error($self, /)\n--\n\n"
                             "Returns the exception that says how the connection has ended, as a send raises "
                             "it; None while it is open.\n\n"
                             "Sends nothing and takes no message.";

PyObject *websocket_end_error(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_check_open(ws->socket));
    return status == CW_OK ? Py_NewRef(Py_None) : error_of_status(ws, status);
}

PyObject *websocket_is_pending(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    cw_state state = cw_socket_state(ws->socket);
    bool is_alive = state == CW_STATE_CONNECTING || state == CW_STATE_OPEN || state == CW_STATE_CLOSING;
    bool is_ours = ws->fork_count == ws->state->fork_count;
    return PyBool_FromLong(is_ours && !ws->has_dispatched && (ws->was_open || is_alive));
}

/* SPDX-License-Identifier: MIT */
/* The end of a socket: close(), wait_closed(), abort(), run_forever() and the end of a with block, methods of both classes, which
 * websocket.c lists. */
#include "state.h"

#include <limits.h>

/* What close() and with say unless they are told otherwise. */
enum { CLOSE_NORMAL = 1000, CLOSE_INTERNAL_ERROR = 1011 };

/* Begins to close. False with an exception set. */
static bool begin_close(websocket *ws, int code, const char *reason, size_t len_bytes)
{
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_close(ws->socket, code, reason, len_bytes));
    if (status == CW_OK)
        return true;
    raise_status(ws->state, ws, status);
    return false;
}

const char close_doc[] =
    "close($self, /, code=1000, reason='')\n--\n\n"
    "Begins the closing handshake and returns at once; wait_closed() waits for its end.\n\n"
    "code: " CW_CLOSE_CODES "; reason: up to 123 bytes of UTF-8.\n"
    "Calls of other threads that wait end with ConnectionClosed. Closing again does nothing.\n"
    "Raises ArgumentError. Does not block. Any thread, also in a handler.";

PyObject *websocket_close(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_CLOSE, "close", 0, {"code", "reason", NULL}};
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
    "Waits for the end of the connection.\n\n"
    "After close() what was sent goes out first, as long as that makes progress (control.send_timeout);\n"
    "control.close_timeout bounds the rest.\n"
    "timeout: seconds; None = as long as it takes.\n"
    "Raises WebSocketTimeout; ConnectionClosed if messages that were sent did not reach the server.\n"
    "Blocks. Any thread.";

PyObject *websocket_wait_closed(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_WAIT_CLOSED, "wait_closed", 0, {"timeout", NULL}};
    websocket *ws = (websocket *)self;
    PyObject *given[ARGUMENTS_MAX];
    int timeout_ms;
    if (!parse_arguments(ws, &sig, args, count, names, given) ||
        !parse_timeout(ws->state, given[0], &timeout_ms))
        return NULL;
    return wait_closed(ws, timeout_ms);
}

const char abort_doc[] = "abort($self, /)\n--\n\n"
                         "Drops the connection at once, without closing handshake.\n\n"
                         "Raises nothing. Does not block. Any thread, also in a handler.";

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
    "Waits until this socket has ended and its on_closed has run.\n\n"
    "Raises StateError inside a handler. Blocks; Ctrl-C ends it. Any thread but the\n"
    "dispatcher's.";

PyObject *websocket_run_forever(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    if (!check_method(ws, METHOD_RUN_FOREVER, "run_forever"))
        return NULL;
    if (!ws->is_subscribed || ws->fork_count != ws->state->fork_count)
        return wait_closed(ws, CW_TIMEOUT_NEVER);
    PyObject *run = get_helper(ws->state, HELPER_run_forever);
    return run != NULL ? PyObject_CallFunctionObjArgs(run, self, NULL) : NULL;
}

const char exit_doc[] =
    "__exit__($self, exc_type, exc_value, traceback, /)\n--\n\n"
    "Closes with 1000, or 1011 if an exception leaves the block, and waits for the end.\n\n"
    "GeneratorExit is no failure: 1000. Raises ConnectionClosed if messages that were sent did\n"
    "not reach the server; to an exception that leaves the block it adds a note instead.\n"
    "Blocks as wait_closed(). Any thread.";

/* Adds the text of the exception that is set to another one, as a note. */
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

PyObject *websocket_is_pending(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    cw_state state = cw_socket_state(ws->socket);
    bool is_alive = state == CW_STATE_CONNECTING || state == CW_STATE_OPEN || state == CW_STATE_CLOSING;
    bool is_ours = ws->fork_count == ws->state->fork_count;
    return PyBool_FromLong(is_ours && !ws->has_dispatched && (ws->was_open || is_alive));
}

/* SPDX-License-Identifier: MIT */
/* Turns failed calls of the core into exceptions. It also makes calls that wait, which release the GIL and run signal
 * handlers. All files from convert.c on use this file. curlwire/errors.py decides which exception class belongs to which
 * status. */
#include "state.h"

#include <string.h>

/* Runs Python's signal handlers. The core calls it in the waiting thread, which does not hold the GIL. */
static bool check_signals(void *arg)
{
    blocking *b = arg;
    PyEval_RestoreThread(b->thread);
    b->is_interrupted = PyErr_CheckSignals() < 0;
    b->thread = PyEval_SaveThread();
    return b->is_interrupted;
}

void blocking_begin(module_state *state, blocking *b)
{
    b->state = state;
    b->is_interrupted = false;
    b->is_main = PyThread_get_thread_ident() == state->main_thread;
    if (b->is_main) {
        b->outer = state->main_blocking;
        state->main_blocking = b;
        cw_set_wait_hook(check_signals, b);
    }
    b->thread = PyEval_SaveThread();
}

cw_status blocking_end(blocking *b, cw_status status)
{
    PyEval_RestoreThread(b->thread);
    if (b->is_main) {
        b->state->main_blocking = b->outer;
        cw_set_wait_hook(b->outer != NULL ? check_signals : NULL, b->outer);
    }
    return b->is_interrupted && status == CW_OK ? CW_INTERRUPTED : status;
}

/* Sets the exception that belongs to a status, with the given text and no details of the core. */
static PyObject *raise_text(module_state *state, cw_status status, const char *format, va_list arguments)
{
    PyObject *make = get_helper(state, HELPER_make_error);
    PyObject *text = make != NULL ? PyUnicode_FromFormatV(format, arguments) : NULL;
    if (text == NULL)
        return NULL;
    PyObject *error =
        PyObject_CallFunction(make, "sNiiiisisi", cw_status_name(status), text, 0, 0, 0, 0, "", 0, "", 0);
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
    return NULL;
}

PyObject *raise_argument(module_state *state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    raise_text(state, CW_INVALID_ARGUMENT, format, arguments);
    va_end(arguments);
    return NULL;
}

PyObject *raise_state(module_state *state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    raise_text(state, CW_INVALID_STATE, format, arguments);
    va_end(arguments);
    return NULL;
}

PyObject *raise_system(module_state *state, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    raise_text(state, CW_SYSTEM_ERROR, format, arguments);
    va_end(arguments);
    return NULL;
}

/* Returns whether another thread is ending the interpreter. This thread must then end quietly, without a traceback about
 * closed sockets. */
static bool is_exiting(module_state *state)
{
    unsigned long thread = atomic_load(&state->exiting_thread);
    return thread != 0 && thread != PyThread_get_thread_ident();
}

/* Returns the start of the body with which the server refused, as bytes; NULL with an exception set. */
static PyObject *refusal_body(websocket *ws)
{
    size_t len_bytes = 0, again_bytes = 0;
    (void)cw_socket_get_refusal_body(ws->socket, NULL, 0, &len_bytes);
    PyObject *body = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)len_bytes);
    if (body == NULL || len_bytes == 0)
        return body;
    (void)cw_socket_get_refusal_body(ws->socket, PyBytes_AsString(body), len_bytes, &again_bytes);
    if (again_bytes == len_bytes)
        return body;
    Py_DECREF(body); /* another thread has begun a connect meanwhile, which forgets the body */
    return PyBytes_FromStringAndSize(NULL, 0);
}

/* Builds the exception from the error details that the core keeps for this thread. Steals message.
 *   name   the name of the status that decides the class of the exception */
static PyObject *error_of_core(module_state *state, websocket *ws, cw_status status, const char *name,
                               PyObject *message)
{
    PyObject *make = get_helper(state, HELPER_make_error);
    int web_status = cw_error_web_status();
    int curl_code = cw_error_curl_code();
    int http_status = cw_error_http_status();
    int os_errno = cw_error_os_errno();
    int retry_after = cw_error_retry_after();
    const char *option = cw_option_key((cw_option)cw_error_option()); /* NULL = none */
    PyObject *headers = NULL, *body = NULL;
    cw_status info_status;
    int code = 0;
    char reason[256] = "";
    size_t reason_len_bytes = 0;
    bool was_clean = false;
    if (ws != NULL && status == CW_CLOSED) {
        PyThreadState *thread = PyEval_SaveThread();
        was_clean = cw_socket_get_closed(ws->socket, &code, reason, sizeof reason, &reason_len_bytes);
        PyEval_RestoreThread(thread);
    }
    if (ws != NULL && status == CW_CONNECT_FAILED)
        headers = copy_info(ws, CW_INFO_RESPONSE_HEADERS, &info_status);
    if (ws != NULL && status == CW_CONNECT_FAILED && http_status != 0 && !PyErr_Occurred())
        body = refusal_body(ws);
    if (body == NULL && !PyErr_Occurred())
        body = PyBytes_FromStringAndSize(NULL, 0);
    if (headers == NULL && !PyErr_Occurred())
        headers = PyUnicode_FromString("");
    PyObject *reason_text = PyUnicode_DecodeUTF8(reason, (Py_ssize_t)reason_len_bytes, "replace");
    PyObject *error = NULL;
    if (make != NULL && message != NULL && headers != NULL && body != NULL && reason_text != NULL)
        error =
            PyObject_CallFunction(make, "sOiiiiOiOiOiz", name, message, web_status, curl_code, http_status,
                                  os_errno, headers, code, reason_text, was_clean, body, retry_after, option);
    Py_XDECREF(message);
    Py_XDECREF(headers);
    Py_XDECREF(body);
    Py_XDECREF(reason_text);
    return error;
}

/* Returns the end of an error text: how to lift the limit that ended the call. */
static const char *limit_hint(websocket *ws)
{
    switch (cw_error_option()) {
    case CW_OPT_RECEIVE_TIMEOUT:
        if (ws != NULL && cw_socket_class(ws->socket) == CW_STREAM_SOCKET)
            return "; with receive_timeout=None it waits without a limit";
        return "; pass timeout=None to wait without a limit";
    case CW_OPT_PING_TIMEOUT:
        return "; pass timeout=None to wait without a limit";
    case CW_OPT_MAX_MESSAGE_SIZE:
        return "; raise max_message_size, or set it to None for no limit";
    case CW_OPT_MAX_FRAGMENTS:
        return "; raise max_fragments, or set it to None for no limit";
    default:
        return "";
    }
}

/* Returns the exception of a failed call; NULL if another one is set. name: as for error_of_core. */
static PyObject *make_error(module_state *state, websocket *ws, cw_status status, const char *name)
{
    if (PyErr_Occurred()) /* a signal handler has raised, which ended the call */
        return NULL;
    if (status == CW_NO_MEMORY)
        return PyErr_NoMemory();
    if (is_exiting(state)) {
        PyErr_SetNone(PyExc_SystemExit);
        return NULL;
    }
    const char *message = cw_error_message();
    PyObject *core_text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace");
    PyObject *text = core_text != NULL ? PyUnicode_FromFormat("%U%s", core_text, limit_hint(ws)) : NULL;
    Py_XDECREF(core_text);
    return error_of_core(state, ws, status, name, text);
}

PyObject *error_of_status(websocket *ws, cw_status status)
{
    return make_error(ws->state, ws, status, cw_status_name(status));
}

static PyObject *raise_as(module_state *state, websocket *ws, cw_status status, const char *name)
{
    PyObject *error = make_error(state, ws, status, name);
    if (error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_DECREF(error);
    }
    return NULL;
}

PyObject *raise_status(module_state *state, websocket *ws, cw_status status)
{
    return raise_as(state, ws, status, cw_status_name(status));
}

PyObject *raise_connect(websocket *ws, cw_status status)
{
    bool is_misuse = status == CW_INVALID_ARGUMENT || status == CW_INVALID_STATE || status == CW_AFTER_FORK;
    return raise_as(ws->state, ws, status, cw_status_name(is_misuse ? status : CW_CONNECT_FAILED));
}

PyObject *none_or_raise(websocket *ws, cw_status status)
{
    if (status != CW_OK)
        return raise_status(ws->state, ws, status);
    Py_RETURN_NONE;
}

/* SPDX-License-Identifier: MIT */
/* The loop of the dispatcher thread, which takes events from a mailbox and calls the handlers. */
#include "state.h"

#include <poll.h>

enum { NO_MEMORY_PAUSE_MS = 20 };

/* Returns the socket object that an event is for, as a new reference; NULL if it no longer exists. */
static websocket *socket_of_event(cw_event *e)
{
    fields_lock();
    PyObject *weak = cw_socket_user(cw_event_socket(e));
    Py_XINCREF(weak);
    fields_unlock();
    if (weak == NULL)
        return NULL;
    PyObject *ws = PyObject_CallNoArgs(weak);
    if (ws == NULL)
        PyErr_WriteUnraisable(weak);
    else if (ws == Py_None)
        Py_CLEAR(ws);
    Py_DECREF(weak);
    return (websocket *)ws;
}

/* Sets an exception if a handler returned a coroutine, a generator or another awaitable, because nothing awaits it. */
static void check_result(module_state *state, PyObject *handler, PyObject *result)
{
    PyTypeObject *type = Py_TYPE(result);
    if (PyType_GetSlot(type, Py_am_await) == NULL && PyType_GetSlot(type, Py_am_anext) == NULL &&
        PyType_GetSlot(type, Py_tp_iternext) == NULL)
        return;
    PyObject *check = get_helper(state, HELPER_check_result);
    PyObject *none = check != NULL ? PyObject_CallFunctionObjArgs(check, handler, result, NULL) : NULL;
    Py_XDECREF(none);
}

/* Calls a handler, and passes its exception to sys.unraisablehook. args may be NULL with an exception set. */
static void call_handler(PyObject *handler, websocket *ws, PyObject *args)
{
    PyObject *result = NULL;
    if (handler != NULL && args != NULL)
        result = PyObject_CallFunctionObjArgs(handler, (PyObject *)ws, args, NULL);
    if (result != NULL && result != Py_None)
        check_result(ws->state, handler, result);
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(handler);
    Py_XDECREF(result);
}

static PyObject *closed_args(module_state *state, const cw_event *e)
{
    size_t len_bytes;
    const char *reason = cw_event_data(e, &len_bytes);
    PyObject *make = get_helper(state, HELPER_closed_args);
    PyObject *text = make != NULL ? PyUnicode_DecodeUTF8(reason, (Py_ssize_t)len_bytes, "replace") : NULL;
    PyObject *args = NULL;
    if (text != NULL)
        args = PyObject_CallFunction(make, "iOO", cw_event_close_code(e), text,
                                     cw_event_was_clean(e) ? Py_True : Py_False);
    Py_XDECREF(text);
    return args;
}

/* Delivers the closed event, which comes once for each socket. Takes the event over. */
static void dispatch_closed(websocket *ws, cw_event *e)
{
    PyObject *handler = websocket_closed_handler(ws, e);
    if (handler != NULL) {
        PyObject *args = closed_args(ws->state, e);
        call_handler(handler, ws, args);
        Py_XDECREF(args);
        Py_DECREF(handler);
        cw_event_free(e);
        ws->has_dispatched = true;
    }
    websocket_update_keeping(ws);
    websocket_tell_change(ws);
}

/* Waits without the GIL for memory to become free, so that the loop can then take the next event. */
static void pause_without_gil(void)
{
    PyThreadState *thread = PyEval_SaveThread();
    (void)poll(NULL, 0, NO_MEMORY_PAUSE_MS);
    PyEval_RestoreThread(thread);
}

static void dispatch_message(websocket *ws, cw_event *e)
{
    PyObject *args = message_buffer_create(ws->state, TYPE_MESSAGE_ARGS, e);
    if (args == NULL) {
        PyErr_Clear();
        event_put_back(ws, e);
        pause_without_gil();
        return;
    }
    PyObject *handler = websocket_message_handler(ws);
    call_handler(handler, ws, args);
    Py_DECREF(args);
    Py_XDECREF(handler);
}

static PyObject *line_of_trace(const cw_event *e)
{
    size_t len_bytes;
    const char *text = cw_event_data(e, &len_bytes);
    return PyUnicode_DecodeASCII(text, (Py_ssize_t)len_bytes, "replace");
}

static void dispatch_trace(websocket *ws, const cw_event *e)
{
    PyObject *handler = websocket_get_handler(ws, HANDLER_TRACE);
    PyObject *line = handler != Py_None ? line_of_trace(e) : NULL;
    if (handler != Py_None)
        call_handler(handler, ws, line);
    Py_XDECREF(line);
    Py_DECREF(handler);
}

static void dispatch_writable(websocket *ws)
{
    PyObject *handler = websocket_get_handler(ws, HANDLER_WRITABLE);
    if (handler != Py_None) {
        PyObject *amount = information_buffered_amount((PyObject *)ws, NULL);
        call_handler(handler, ws, amount);
        Py_XDECREF(amount);
    }
    Py_DECREF(handler);
}

void dispatch_event(cw_event *e)
{
    websocket *ws = socket_of_event(e);
    if (ws != NULL && cw_event_get_type(e) == CW_EVENT_MESSAGE)
        dispatch_message(ws, e);
    else if (ws != NULL && cw_event_get_type(e) == CW_EVENT_CLOSED)
        dispatch_closed(ws, e);
    else {
        if (ws != NULL && cw_event_get_type(e) == CW_EVENT_CERTIFICATE)
            websocket_validate(ws);
        if (ws != NULL && cw_event_get_type(e) == CW_EVENT_TRACE)
            dispatch_trace(ws, e);
        if (ws != NULL && cw_event_get_type(e) == CW_EVENT_WRITABLE)
            dispatch_writable(ws);
        cw_event_free(e);
    }
    Py_XDECREF((PyObject *)ws);
}

void dispatch_late(mailbox *m)
{
    while (PyList_Size(m->late) > 0) {
        websocket *ws = (websocket *)Py_NewRef(PyList_GetItem(m->late, 0));
        (void)PyList_SetSlice(m->late, 0, 1, NULL);
        fields_lock();
        cw_event *e = ws->closed_event;
        ws->closed_event = NULL;
        fields_unlock();
        if (e != NULL)
            dispatch_closed(ws, e);
        Py_DECREF((PyObject *)ws);
    }
}

PyObject *core_dispatch(PyObject *module, PyObject *object)
{
    mailbox *m = mailbox_of(PyModule_GetState(module), object);
    if (m == NULL)
        return NULL;
    atomic_store(&m->thread, PyThread_get_thread_ident());
    atomic_store(&m->state->dispatcher_thread, PyThread_get_thread_ident());
    while (!atomic_load(&m->must_stop)) {
        cw_event *e = NULL;
        PyThreadState *thread = PyEval_SaveThread();
        cw_status status = cw_mailbox_take(m->mailbox, CW_TIMEOUT_NEVER, &e);
        PyEval_RestoreThread(thread);
        if (status == CW_OK)
            dispatch_event(e);
        else if (status == CW_NO_MEMORY)
            pause_without_gil();
        else if (status != CW_INTERRUPTED && status != CW_TIMED_OUT)
            return raise_status(m->state, NULL, status);
        dispatch_late(m);
    }
    Py_RETURN_NONE;
}

PyObject *core_take_event(PyObject *module, PyObject *object)
{
    mailbox *m = mailbox_of(PyModule_GetState(module), object);
    websocket *ws = NULL;
    cw_event *e = NULL;
    if (m == NULL)
        return NULL;
    while (ws == NULL) {
        PyThreadState *thread = PyEval_SaveThread();
        cw_event_free(e); /* that of a socket that has been dropped */
        cw_status status = cw_mailbox_take(m->mailbox, 0, &e);
        PyEval_RestoreThread(thread);
        if (status == CW_TIMED_OUT || status == CW_INTERRUPTED)
            Py_RETURN_NONE;
        if (status != CW_OK)
            return raise_status(m->state, NULL, status);
        ws = socket_of_event(e);
    }
    cw_event_type type = cw_event_get_type(e);
    PyObject *line = type == CW_EVENT_TRACE ? line_of_trace(e) : Py_NewRef(Py_None);
    cw_event_free(e);
    PyObject *news = line != NULL ? Py_BuildValue("(OiN)", (PyObject *)ws, (int)type, line) : NULL;
    Py_DECREF((PyObject *)ws);
    return news;
}

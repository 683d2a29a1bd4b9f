/* SPDX-License-Identifier: MIT */
/* The handler attributes on_message_received and on_closed: storing them, and having the socket's events go to
 * the dispatcher's mailbox while they are set. The class files show them as attributes; dispatch.c calls them. */
#include "state.h"

PyObject *websocket_get_handler(websocket *ws, handler_index index)
{
    fields_lock();
    PyObject *handler = ws->handlers[index] != NULL ? ws->handlers[index] : Py_None;
    Py_INCREF(handler);
    fields_unlock();
    return handler;
}

PyObject *websocket_handler_to_call(websocket *ws, handler_index index)
{
    fields_lock();
    PyObject *handler = ws->handlers[index];
    if (handler == NULL && index == HANDLER_MESSAGE)
        handler = ws->retired_handler;
    Py_XINCREF(handler);
    fields_unlock();
    return handler;
}

/* Stores a handler or NULL; a message handler that is taken away is remembered for a message that the
 * dispatcher has in its hands already. */
static void store(websocket *ws, handler_index index, PyObject *handler)
{
    PyObject *retired = NULL;
    Py_XINCREF(handler);
    fields_lock();
    PyObject *old = ws->handlers[index];
    ws->handlers[index] = handler;
    if (index == HANDLER_MESSAGE && (old != NULL || handler != NULL)) {
        retired = ws->retired_handler;
        ws->retired_handler = handler == NULL ? Py_XNewRef(old) : NULL;
    }
    fields_unlock();
    Py_XDECREF(old);
    Py_XDECREF(retired);
}

/* Subscribes to what the handlers need, and to the end if somebody waits for it. The closed event is not asked for
 * before: it would come once, and be gone when on_closed is set a little later than on_message_received. */
static int subscribe(websocket *ws)
{
    PyObject *watch = get_helper(ws->state, HELPER_watch);
    if (watch == NULL)
        return -1;
    PyObject *mailbox = PyObject_CallFunctionObjArgs(watch, (PyObject *)ws, NULL);
    if (mailbox == NULL)
        return -1;
    cw_mailbox *m = mailbox_of(ws->state, mailbox);
    cw_status status = CW_OK;
    if (m != NULL) {
        unsigned mask = 0;
        if (ws->handlers[HANDLER_MESSAGE] != NULL)
            mask |= CW_EVENT_MESSAGE;
        if (ws->handlers[HANDLER_CLOSED] != NULL || ws->awaits_end)
            mask |= CW_EVENT_CLOSED;
        ws->is_subscribed = true;
        blocking b;
        blocking_begin(ws->state, &b);
        status = cw_socket_subscribe(ws->socket, m, mask);
        blocking_end(&b);
        if (status != CW_OK)
            raise_status(ws->state, ws, status);
    }
    Py_DECREF(mailbox);
    return m != NULL && status == CW_OK ? 0 : -1;
}

int websocket_set_handler(websocket *ws, handler_index index, PyObject *value)
{
    if (value == Py_None)
        value = NULL;
    if (value != NULL && !PyCallable_Check(value)) {
        PyErr_Format(PyExc_TypeError, "a handler must be callable as f(ws, args), or None; not %R",
                     Py_TYPE(value));
        return -1;
    }
    PyObject *old = websocket_get_handler(ws, index);
    store(ws, index, value);
    int result = 0;
    if (value != NULL || ws->is_subscribed)
        result = subscribe(ws);
    if (result < 0)
        store(ws, index, old != Py_None ? old : NULL);
    Py_DECREF(old);
    return result;
}

int websocket_await_end(websocket *ws)
{
    if (!ws->is_subscribed || ws->awaits_end)
        return 0;
    ws->awaits_end = true;
    return subscribe(ws);
}

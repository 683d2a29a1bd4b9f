/* SPDX-License-Identifier: MIT */
/* The handlers on_message_received, on_closed and others. This file stores them, subscribes the dispatcher's mailbox to the socket's
 * events, and keeps an open socket with handlers alive. The class files define the attributes, and dispatch.c calls the
 * handlers. */
#include "state.h"

PyObject *websocket_get_handler(websocket *ws, handler_index index)
{
    fields_lock();
    PyObject *handler = ws->handlers[index] != NULL ? ws->handlers[index] : Py_None;
    Py_INCREF(handler);
    fields_unlock();
    return handler;
}

PyObject *websocket_own_mailbox(websocket *ws)
{
    fields_lock();
    PyObject *own = ws->own_mailbox;
    fields_unlock();
    return own;
}

PyObject *websocket_message_handler(websocket *ws)
{
    fields_lock();
    PyObject *handler = Py_XNewRef(ws->handlers[HANDLER_MESSAGE]);
    if (handler == NULL)
        handler = Py_XNewRef(ws->retired_handler);
    fields_unlock();
    return handler;
}

PyObject *websocket_closed_handler(websocket *ws, cw_event *e)
{
    fields_lock();
    PyObject *handler = Py_XNewRef(ws->handlers[HANDLER_CLOSED]);
    if (handler == NULL) {
        ws->closed_event = e;
        ws->has_dispatched = true;
    }
    fields_unlock();
    return handler;
}

static bool has_handlers_locked(const websocket *ws)
{
    return ws->handlers[HANDLER_MESSAGE] != NULL || ws->handlers[HANDLER_CLOSED] != NULL ||
           ws->handlers[HANDLER_WRITABLE] != NULL;
}

bool websocket_has_handlers(websocket *ws)
{
    fields_lock();
    bool has_handlers = has_handlers_locked(ws);
    fields_unlock();
    return has_handlers;
}

/* Makes the socket hold a reference to itself, or drops that reference. One lock covers the check and the change. So if
 * two threads call this function, the last call sees the changes of both. */
static void keep(websocket *ws, bool may_be_wanted)
{
    fields_lock();
    bool is_kept = ws->is_kept;
    bool is_wanted = may_be_wanted && ws->was_open && !ws->has_dispatched && has_handlers_locked(ws);
    ws->is_kept = is_wanted;
    fields_unlock();
    if (is_wanted && !is_kept)
        Py_INCREF((PyObject *)ws);
    if (is_kept && !is_wanted)
        Py_DECREF((PyObject *)ws);
}

void websocket_update_keeping(websocket *ws) { keep(ws, true); }

void websocket_stop_keeping(websocket *ws) { keep(ws, false); }

void websocket_tell_change(websocket *ws)
{
    PyObject *changed = get_helper(ws->state, HELPER_changed);
    PyObject *result = changed != NULL ? PyObject_CallFunctionObjArgs(changed, NULL) : NULL;
    if (result == NULL)
        PyErr_WriteUnraisable(changed);
    Py_XDECREF(result);
}

/* Stores a handler, or NULL, and returns the old handler. It also keeps a removed message handler in retired_handler, because
 * the dispatcher may have taken a message for that handler already. */
static PyObject *store(websocket *ws, handler_index index, PyObject *handler)
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
    Py_XDECREF(retired);
    return old;
}

/* Returns the events that the handlers need. The closed event is always among them, because it ends the keeping of the
 * socket. */
static unsigned needed_events(websocket *ws)
{
    fields_lock();
    unsigned mask = CW_EVENT_CLOSED | (ws->handlers[HANDLER_MESSAGE] != NULL ? CW_EVENT_MESSAGE : 0);
    if (ws->handlers[HANDLER_VALIDATION] != NULL && !ws->answers_itself)
        mask |= CW_EVENT_CERTIFICATE;
    if (ws->handlers[HANDLER_TRACE] != NULL)
        mask |= CW_EVENT_TRACE;
    if (ws->handlers[HANDLER_WRITABLE] != NULL)
        mask |= CW_EVENT_WRITABLE;
    fields_unlock();
    return mask;
}

/* Subscribes the mailbox to the events that the handlers need. Another thread may set a handler and subscribe in between. So
 * each thread checks the handlers again after it has subscribed, and the last thread subscribes to the events of both. */
static cw_status subscribe(websocket *ws, mailbox *m)
{
    unsigned mask, needed = needed_events(ws);
    cw_status status;
    ws->is_subscribed = true;
    do {
        mask = needed;
        blocking b;
        blocking_begin(ws->state, &b);
        status = blocking_end(&b, cw_socket_subscribe(ws->socket, m->mailbox, mask));
        needed = needed_events(ws);
    } while (status == CW_OK && needed != mask);
    return status;
}

/* Asks the dispatcher to call on_closed if it was set after the closed event had been taken. Returns -1 with an exception
 * set if that fails. */
static int call_late(websocket *ws, mailbox *m)
{
    fields_lock();
    bool is_late = ws->closed_event != NULL && ws->handlers[HANDLER_CLOSED] != NULL;
    if (is_late)
        ws->has_dispatched = false;
    fields_unlock();
    return is_late ? mailbox_add_late(m, ws) : 0;
}

/* Subscribes the dispatcher's mailbox after a handler has changed. Returns -1 with an exception set if that fails. */
static int follow_handlers(websocket *ws)
{
    PyObject *object = Py_XNewRef(websocket_own_mailbox(ws));
    if (object == NULL) {
        PyObject *watch = get_helper(ws->state, HELPER_watch);
        object = watch != NULL ? PyObject_CallFunctionObjArgs(watch, (PyObject *)ws, NULL) : NULL;
    }
    if (object == NULL)
        return -1;
    int result = -1;
    mailbox *m = mailbox_of(ws->state, object);
    if (m != NULL) {
        cw_status status = subscribe(ws, m);
        if (status == CW_OK)
            result = call_late(ws, m);
        else
            raise_status(ws->state, ws, status);
    }
    Py_DECREF(object);
    return result;
}

/* Checks that a value can be called as a handler. Returns false with TypeError set if it cannot. */
static bool check_handler(websocket *ws, PyObject *value)
{
    if (!PyCallable_Check(value)) {
        PyErr_Format(PyExc_TypeError,
                     "cannot set the handler: it must be callable as f(ws, args), or None, not %R",
                     Py_TYPE(value));
        return false;
    }
    PyObject *check = get_helper(ws->state, HELPER_check_handler);
    PyObject *result = check != NULL ? PyObject_CallFunctionObjArgs(check, value, NULL) : NULL;
    Py_XDECREF(result);
    return result != NULL;
}

int websocket_choose_answerer(websocket *ws, bool answers_itself)
{
    if (ws->answers_itself == answers_itself || ws->handlers[HANDLER_VALIDATION] == NULL)
        return 0;
    ws->answers_itself = answers_itself;
    return follow_handlers(ws);
}

void websocket_validate(websocket *ws)
{
    PyObject *validate = get_helper(ws->state, HELPER_validate);
    PyObject *handler = websocket_get_handler(ws, HANDLER_VALIDATION);
    PyObject *result =
        validate != NULL ? PyObject_CallFunctionObjArgs(validate, (PyObject *)ws, handler, NULL) : NULL;
    if (result == NULL) {
        PyErr_WriteUnraisable(handler);
        (void)cw_socket_answer_certificate(ws->socket, CW_ANSWER_NONE);
    }
    Py_XDECREF(result);
    Py_DECREF(handler);
}

/* Makes the connect ask about the certificate, or not. Returns -1 with an exception set if it is too late. */
static int ask_certificate(websocket *ws, bool asks)
{
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_ask_certificate(ws->socket, asks));
    if (status == CW_OK)
        return 0;
    raise_status(ws->state, ws, status);
    return -1;
}

int websocket_set_handler(websocket *ws, handler_index index, PyObject *value)
{
    if (value == Py_None)
        value = NULL;
    if (value != NULL && !check_handler(ws, value))
        return -1;
    if (index == HANDLER_VALIDATION && value == NULL && ask_certificate(ws, false) < 0)
        return -1;
    if (value == NULL && !ws->is_subscribed)
        return 0;
    PyObject *old = store(ws, index, value);
    int result = follow_handlers(ws);
    if (result == 0 && index == HANDLER_VALIDATION && value != NULL)
        result = ask_certificate(ws, true);
    if (result < 0 && ws->handlers[index] == value) /* otherwise another thread has set a handler since */
        Py_XDECREF(store(ws, index, old));
    Py_XDECREF(old);
    websocket_update_keeping(ws);
    if (result == 0 && value == NULL)
        websocket_tell_change(ws);
    return result;
}

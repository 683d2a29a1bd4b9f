/* SPDX-License-Identifier: MIT */
/* The methods fileno() and dispatch(), with which a program calls the handlers of a socket in a loop of its own. Such a socket
 * has a mailbox of its own, and the dispatcher thread leaves it alone. */
#include "state.h"

enum { MOST_EVENTS_AT_ONCE = 1000 };

/* Returns whether the socket is open and has a handler, or its closed event has yet to be handled. */
static bool is_kept(websocket *ws)
{
    fields_lock();
    bool is_kept = ws->is_kept;
    fields_unlock();
    return is_kept;
}

/* Returns the socket's own mailbox, which the first call makes; NULL with an exception set. */
static mailbox *own_mailbox(websocket *ws)
{
    PyObject *own = websocket_own_mailbox(ws);
    if (own != NULL)
        return (mailbox *)own;
    if (ws->is_subscribed) {
        raise_state(ws->state,
                    "the dispatcher thread calls the handlers of this socket: call fileno() or dispatch() "
                    "before the first handler is set");
        return NULL;
    }
    PyObject *made = PyObject_CallNoArgs((PyObject *)ws->state->types[TYPE_MAILBOX]);
    if (made == NULL)
        return NULL;
    fields_lock();
    own = ws->own_mailbox;
    if (own == NULL)
        ws->own_mailbox = made;
    fields_unlock();
    if (own == NULL)
        return (mailbox *)made;
    Py_DECREF(made); /* another thread was first */
    return (mailbox *)own;
}

const char fileno_doc[] =
    "fileno($self, /)\n--\n\n"
    "Returns a descriptor that is readable while dispatch() has handlers to call.\n\n"
    "It is for a loop of the program. Poll it only. After the first fileno() or dispatch(), the\n"
    "handlers of this socket run in dispatch(), not in the dispatcher thread. Raises StateError if a\n"
    "handler has been set before. Does not block. Any thread may call it.";

PyObject *websocket_fileno(PyObject *self, PyObject *Py_UNUSED(none))
{
    if (!check_method((websocket *)self, METHOD_FILENO, "fileno"))
        return NULL;
    mailbox *m = own_mailbox((websocket *)self);
    return m != NULL ? PyLong_FromLong(cw_mailbox_fd(m->mailbox)) : NULL;
}

/* Takes events and calls their handlers, until none waits. Returns their number, or -1 with an exception set. */
static long dispatch_some(websocket *ws, mailbox *m, int timeout_ms)
{
    long count = 0;
    cw_status status = CW_OK;
    while (count < MOST_EVENTS_AT_ONCE && status == CW_OK) {
        cw_event *e = NULL;
        dispatch_late(m);
        blocking b;
        blocking_begin(ws->state, &b);
        status = blocking_end(&b, cw_mailbox_take(m->mailbox, count == 0 ? timeout_ms : 0, &e));
        if (status == CW_OK) {
            dispatch_event(e);
            count++;
        }
    }
    if (status == CW_OK || status == CW_TIMED_OUT)
        return count;
    if (status == CW_INTERRUPTED && !PyErr_Occurred()) /* dispatch() must call a late on_closed */
        return count;
    raise_status(ws->state, ws, status);
    return -1;
}

/* Lets one thread dispatch at a time, because handlers of a socket must not overlap. */
static long dispatch_alone(websocket *ws, int timeout_ms)
{
    mailbox *m = own_mailbox(ws);
    if (m == NULL)
        return -1;
    if (atomic_exchange(&m->is_dispatching, true)) {
        raise_state(ws->state,
                    "dispatch() already runs: call it in one thread only, and not in a handler of the socket");
        return -1;
    }
    if (timeout_ms == CW_TIMEOUT_NEVER && !is_kept(ws))
        timeout_ms = 0; /* the socket is not open, or has no handler, so no event could end the wait */
    Py_INCREF((PyObject *)m);
    long count = dispatch_some(ws, m, timeout_ms);
    atomic_store(&m->is_dispatching, false);
    Py_DECREF((PyObject *)m);
    return count;
}

const char dispatch_doc[] =
    "dispatch($self, /, timeout=None)\n--\n\n"
    "Calls the handlers of this socket in the calling thread, and returns how many events it handled.\n\n"
    "timeout: seconds to wait for the first event. None = no limit; but without an open connection and\n"
    "a handler, dispatch() does not wait.\n"
    "The exception of a handler goes to sys.unraisablehook. Raises StateError in a handler of the\n"
    "socket, while another thread is in dispatch(), and if the dispatcher thread calls the handlers\n"
    "(see fileno()). Blocks up to timeout; Ctrl-C ends it.";

PyObject *websocket_dispatch(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_DISPATCH, "dispatch", 0, {"timeout", NULL}, 0};
    websocket *ws = (websocket *)self;
    int timeout_ms;
    if (!parse_only_timeout(ws, &sig, args, count, names, &timeout_ms))
        return NULL;
    long handled = dispatch_alone(ws, timeout_ms == CW_TIMEOUT_DEFAULT ? CW_TIMEOUT_NEVER : timeout_ms);
    return handled >= 0 ? PyLong_FromLong(handled) : NULL;
}

PyObject *websocket_run_own(websocket *ws)
{
    while (is_kept(ws))
        if (dispatch_alone(ws, CW_TIMEOUT_NEVER) < 0)
            return NULL;
    Py_RETURN_NONE;
}

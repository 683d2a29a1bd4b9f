/* SPDX-License-Identifier: MIT */
/* The type Mailbox: the loop of the dispatcher thread, which takes events out of a cw_mailbox and calls handlers.
 * curlwire/dispatcher.py makes the thread and knows when it has to end. */
#include "state.h"

typedef struct mailbox {
    PyObject_HEAD module_state *state;
    cw_mailbox *mailbox;
    atomic_bool must_stop;
} mailbox;

cw_mailbox *mailbox_of(module_state *state, PyObject *object)
{
    if (!PyObject_TypeCheck(object, state->types[TYPE_MAILBOX])) {
        PyErr_SetString(PyExc_TypeError, "not a Mailbox");
        return NULL;
    }
    return ((mailbox *)object)->mailbox;
}

static PyObject *mailbox_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(keywords))
{
    module_state *state = state_of_type(type);
    if (state == NULL)
        return NULL;
    mailbox *m = (mailbox *)PyType_GenericAlloc(type, 0);
    if (m == NULL)
        return NULL;
    m->state = state;
    cw_status status = cw_mailbox_create(&m->mailbox);
    if (status != CW_OK) {
        raise_status(state, NULL, status);
        Py_DECREF(m);
        return NULL;
    }
    return (PyObject *)m;
}

static void mailbox_dealloc(PyObject *self)
{
    mailbox *m = (mailbox *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyThreadState *thread = PyEval_SaveThread();
    cw_mailbox_release(m->mailbox);
    PyEval_RestoreThread(thread);
    free_object(self);
    Py_DECREF(type);
}

/* The object that an event is for; NULL if it is gone. */
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

static void call_handler(websocket *ws, handler_index index, PyObject *args)
{
    PyObject *handler = websocket_handler_to_call(ws, index);
    PyObject *result = NULL;
    if (handler != NULL && args != NULL)
        result = PyObject_CallFunctionObjArgs(handler, (PyObject *)ws, args, NULL);
    if (PyErr_Occurred())
        PyErr_WriteUnraisable(handler);
    Py_XDECREF(result);
    Py_XDECREF(handler);
}

/* The closed event, of which there is one: the handlers are not needed any more. */
static void dispatch_closed(websocket *ws, cw_event *e)
{
    size_t len_bytes;
    const char *reason = cw_event_data(e, &len_bytes);
    PyObject *text = PyUnicode_DecodeUTF8(reason, (Py_ssize_t)len_bytes, "replace");
    PyObject *make = get_helper(ws->state, HELPER_closed_args);
    PyObject *args = NULL;
    if (make != NULL && text != NULL)
        args = PyObject_CallFunction(make, "iOO", cw_event_close_code(e), text,
                                     cw_event_was_clean(e) ? Py_True : Py_False);
    Py_XDECREF(text);
    call_handler(ws, HANDLER_CLOSED, args);
    Py_XDECREF(args);
    ws->has_dispatched = true;
    PyObject *changed = get_helper(ws->state, HELPER_changed);
    PyObject *result = changed != NULL ? PyObject_CallFunctionObjArgs(changed, NULL) : NULL;
    if (result == NULL)
        PyErr_WriteUnraisable(changed);
    Py_XDECREF(result);
}

static void free_event(cw_event *e)
{
    PyThreadState *thread = PyEval_SaveThread();
    cw_event_free(e);
    PyEval_RestoreThread(thread);
}

/* Takes the event over. */
static void dispatch_event(module_state *state, cw_event *e)
{
    websocket *ws = socket_of_event(e);
    if (ws == NULL) {
        free_event(e);
        return;
    }
    if (cw_event_get_type(e) == CW_EVENT_MESSAGE) {
        PyObject *args = message_buffer_create(state, TYPE_MESSAGE_ARGS, e, ws->is_partial);
        call_handler(ws, HANDLER_MESSAGE, args);
        Py_XDECREF(args);
    } else {
        if (cw_event_get_type(e) == CW_EVENT_CLOSED)
            dispatch_closed(ws, e);
        free_event(e);
    }
    Py_DECREF(ws);
}

static PyObject *mailbox_dispatch(PyObject *self, PyObject *Py_UNUSED(none))
{
    mailbox *m = (mailbox *)self;
    while (!atomic_load(&m->must_stop)) {
        cw_event *e = NULL;
        PyThreadState *thread = PyEval_SaveThread();
        cw_status status = cw_mailbox_take(m->mailbox, CW_TIMEOUT_NEVER, &e);
        PyEval_RestoreThread(thread);
        if (status == CW_OK)
            dispatch_event(m->state, e);
        else if (status != CW_INTERRUPTED && status != CW_TIMED_OUT)
            return raise_status(m->state, NULL, status);
    }
    Py_RETURN_NONE;
}

static PyObject *mailbox_stop(PyObject *self, PyObject *Py_UNUSED(none))
{
    mailbox *m = (mailbox *)self;
    atomic_store(&m->must_stop, true);
    cw_mailbox_wake(m->mailbox);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"dispatch", mailbox_dispatch, METH_NOARGS,
     "dispatch($self, /)\n--\n\nCalls the handlers for the events that come, until stop(). Blocks. One "
     "thread."},
    {"stop", mailbox_stop, METH_NOARGS, "stop($self, /)\n--\n\nEnds dispatch(). Does not block. Any thread."},
    {NULL, NULL, 0, NULL}};

PyDoc_STRVAR(mailbox_doc,
             "Mailbox()\n--\n\nThe events of the sockets that have handlers. For the package's own use.");

static PyType_Slot slots[] = {{Py_tp_doc, (void *)mailbox_doc},
                              {Py_tp_new, SLOT(mailbox_new)},
                              {Py_tp_dealloc, SLOT(mailbox_dealloc)},
                              {Py_tp_methods, methods},
                              {0, NULL}};

static PyType_Spec spec = {.name = "curlwire._core.Mailbox",
                           .basicsize = sizeof(mailbox),
                           .flags = Py_TPFLAGS_DEFAULT,
                           .slots = slots};

bool add_mailbox_type(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    state->types[TYPE_MAILBOX] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

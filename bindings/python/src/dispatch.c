/* SPDX-License-Identifier: MIT */
/* The type Mailbox: the loop of the dispatcher thread, which takes events out of a cw_mailbox and calls handlers.
 * curlwire/dispatcher.py says when the thread starts and when it ends. The thread is started here and not by threading,
 * whose threads gevent and eventlet replace by greenlets: one that waits in C stops all the others. */
#include "state.h"

#include <poll.h>

enum { NO_MEMORY_PAUSE_MS = 20 };

/* PYTHREAD_INVALID_THREAD_ID, which the limited API lacks */
#define NO_THREAD ((unsigned long)-1)

typedef struct mailbox {
    PyObject_HEAD module_state *state;
    cw_mailbox *mailbox;
    PyObject *late; /* sockets whose closed event has waited for a handler */
    atomic_bool is_started, must_stop;
    atomic_ulong thread; /* the one that dispatches; 0 = none */
} mailbox;

cw_mailbox *mailbox_of(module_state *state, PyObject *object)
{
    if (!PyObject_TypeCheck(object, state->types[TYPE_MAILBOX])) {
        PyErr_SetString(PyExc_TypeError, "not a Mailbox");
        return NULL;
    }
    return ((mailbox *)object)->mailbox;
}

int mailbox_add_late(PyObject *object, websocket *ws)
{
    mailbox *m = (mailbox *)object;
    if (PyList_Append(m->late, (PyObject *)ws) < 0)
        return -1;
    cw_mailbox_wake(m->mailbox);
    return 0;
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
    m->late = PyList_New(0);
    cw_status status = m->late != NULL ? cw_mailbox_create(&m->mailbox) : CW_NO_MEMORY;
    if (status != CW_OK) {
        raise_status(state, NULL, status);
        Py_DECREF(m);
        return NULL;
    }
    return (PyObject *)m;
}

/* There is no tp_clear: what breaks a circle through a mailbox is its list, or a socket in it. */
static int mailbox_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((mailbox *)self)->late);
    return 0;
}

static void mailbox_dealloc(PyObject *self)
{
    mailbox *m = (mailbox *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    PyThreadState *thread = PyEval_SaveThread();
    cw_mailbox_release(m->mailbox);
    PyEval_RestoreThread(thread);
    Py_XDECREF(m->late);
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

/* Sets an exception if a handler returned a coroutine or the like, because nothing awaits it. */
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

/* What a handler raises goes to sys.unraisablehook. args may be NULL with an exception set. */
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

/* Takes the closed event over, of which there is one. */
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

/* Outlasts a shortage of memory, for which an event is still to be taken. */
static void pause_without_gil(void)
{
    PyThreadState *thread = PyEval_SaveThread();
    (void)poll(NULL, 0, NO_MEMORY_PAUSE_MS);
    PyEval_RestoreThread(thread);
}

static void dispatch_message(websocket *ws, cw_event *e)
{
    PyObject *args = message_buffer_create(ws->state, TYPE_MESSAGE_ARGS, e, ws->is_partial);
    if (args == NULL) {
        PyErr_Clear();
        cw_socket_put_back(ws->socket, e);
        pause_without_gil();
        return;
    }
    PyObject *handler = websocket_message_handler(ws);
    call_handler(handler, ws, args);
    Py_DECREF(args);
    Py_XDECREF(handler);
}

/* Takes the event over. */
static void dispatch_event(cw_event *e)
{
    websocket *ws = socket_of_event(e);
    if (ws != NULL && cw_event_get_type(e) == CW_EVENT_MESSAGE)
        dispatch_message(ws, e);
    else if (ws != NULL && cw_event_get_type(e) == CW_EVENT_CLOSED)
        dispatch_closed(ws, e);
    else
        cw_event_free(e);
    Py_XDECREF((PyObject *)ws);
}

static void dispatch_late(mailbox *m)
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

static PyObject *mailbox_dispatch(PyObject *self, PyObject *Py_UNUSED(none))
{
    mailbox *m = (mailbox *)self;
    atomic_store(&m->thread, PyThread_get_thread_ident());
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

/* The whole life of the dispatcher thread. At the interpreter's exit PyGILState_Ensure does not return. */
static void run_thread(void *arg)
{
    PyGILState_STATE gil = PyGILState_Ensure();
    PyObject *run = arg;
    PyObject *result = PyObject_CallNoArgs(run);
    if (result == NULL && PyErr_ExceptionMatches(PyExc_SystemExit))
        PyErr_Clear();
    else if (result == NULL)
        PyErr_WriteUnraisable(run);
    Py_XDECREF(result);
    Py_DECREF(run);
    PyGILState_Release(gil);
}

static PyObject *mailbox_start(PyObject *self, PyObject *run)
{
    mailbox *m = (mailbox *)self;
    if (atomic_exchange(&m->is_started, true))
        Py_RETURN_NONE;
    if (PyThread_start_new_thread(run_thread, Py_NewRef(run)) != NO_THREAD)
        Py_RETURN_NONE;
    Py_DECREF(run);
    atomic_store(&m->is_started, false);
    return raise_system(m->state,
                        "cannot start the thread that calls the handlers; end other threads, or raise "
                        "their limit (ulimit -u)");
}

static PyObject *mailbox_is_own_thread(PyObject *self, PyObject *Py_UNUSED(none))
{
    return PyBool_FromLong(atomic_load(&((mailbox *)self)->thread) == PyThread_get_thread_ident());
}

static PyObject *mailbox_stop(PyObject *self, PyObject *Py_UNUSED(none))
{
    mailbox *m = (mailbox *)self;
    atomic_store(&m->must_stop, true);
    cw_mailbox_wake(m->mailbox);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"start", mailbox_start, METH_O,
     "start($self, run, /)\n--\n\nStarts a thread of the system that calls run(). Does nothing the second "
     "time. Any "
     "thread."},
    {"is_own_thread", mailbox_is_own_thread, METH_NOARGS,
     "is_own_thread($self, /)\n--\n\nWhether the calling thread is the one in dispatch(). Any thread."},
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
                              {Py_tp_traverse, SLOT(mailbox_traverse)},
                              {Py_tp_methods, methods},
                              {0, NULL}};

static PyType_Spec spec = {.name = "curlwire._core.Mailbox",
                           .basicsize = sizeof(mailbox),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                           .slots = slots};

bool add_mailbox_type(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    state->types[TYPE_MAILBOX] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

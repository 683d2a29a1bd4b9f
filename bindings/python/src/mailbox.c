/* SPDX-License-Identifier: MIT */
/* The type Mailbox: a cw_mailbox and the dispatcher thread, which takes its events in dispatch.c. curlwire/dispatcher.py
 * decides when the thread starts and ends. This file starts the thread without the module threading. gevent and eventlet
 * replace the threads of that module by greenlets, and a greenlet that waits in C stops all other greenlets. */
#include "state.h"

/* The value of PYTHREAD_INVALID_THREAD_ID, which the limited API lacks */
#define NO_THREAD ((unsigned long)-1)

mailbox *mailbox_of(module_state *state, PyObject *object)
{
    if (PyObject_TypeCheck(object, state->types[TYPE_MAILBOX]))
        return (mailbox *)object;
    PyErr_Format(PyExc_TypeError, "mailbox must be a Mailbox, not %R", Py_TYPE(object));
    return NULL;
}

int mailbox_add_late(mailbox *m, websocket *ws)
{
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

/* There is no tp_clear, because the collector breaks each cycle through a mailbox at its list or at a socket in the list. */
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

/* The body of the dispatcher thread. PyGILState_Ensure does not return once the interpreter is exiting. */
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
                        "cannot start the dispatcher thread, which calls the handlers: end other threads, "
                        "or raise the limit on threads (ulimit -u)");
}

static PyObject *mailbox_fileno(PyObject *self, PyObject *Py_UNUSED(none))
{
    return PyLong_FromLong(cw_mailbox_fd(((mailbox *)self)->mailbox));
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
     "start($self, run, /)\n--\n\nStarts a system thread that calls run(). A second call does nothing. "
     "Any thread may call it."},
    {"fileno", mailbox_fileno, METH_NOARGS,
     "fileno($self, /)\n--\n\nReturns the descriptor that is readable while events wait. Any thread may call "
     "it."},
    {"is_own_thread", mailbox_is_own_thread, METH_NOARGS,
     "is_own_thread($self, /)\n--\n\nReturns whether the calling thread is in dispatch() for this mailbox. "
     "Any thread may call it."},
    {"stop", mailbox_stop, METH_NOARGS,
     "stop($self, /)\n--\n\nEnds dispatch() for this mailbox. Does not block. Any thread may call it."},
    {NULL, NULL, 0, NULL}};

PyDoc_STRVAR(mailbox_doc,
             "Mailbox()\n--\n\nQueues the events of sockets that have handlers. Only the package uses it.");

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

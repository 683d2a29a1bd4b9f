/* SPDX-License-Identifier: MIT */
/* The type Done: an awaitable whose result is known already. curlwire.aio returns one where a call need not wait, because a
 * coroutine would cost more than the call itself. It has the methods of a coroutine, so that asyncio makes a task of it.
 * A message that nobody awaits goes back into its socket. */
#include "state.h"

typedef struct done {
    PyObject_HEAD PyObject *value; /* the result; NULL if it is an error or an event */
    PyObject *error;               /* an exception */
    websocket *ws;                 /* the socket of the event; NULL without an event */
    cw_event *event;
    choice decode;
    type_index buffer_type; /* what the event becomes; TYPE_COUNT = a str or bytes */
    bool is_shared;         /* any number of awaits may use it, because the result is None */
    bool is_used;
} done;

static done *create(module_state *state) { return (done *)PyType_GenericAlloc(state->types[TYPE_DONE], 0); }

PyObject *done_of_nothing(module_state *state) { return Py_NewRef(state->done_nothing); }

PyObject *done_of_value(module_state *state, PyObject *value)
{
    done *d = create(state);
    if (d != NULL)
        d->value = value;
    else
        Py_DECREF(value);
    return (PyObject *)d;
}

PyObject *done_of_error(module_state *state)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    done *d = error != NULL ? create(state) : NULL;
    if (d != NULL)
        d->error = error;
    else
        Py_XDECREF(error);
    return (PyObject *)d;
}

PyObject *done_of_event(websocket *ws, cw_event *e, choice decode, type_index buffer_type)
{
    done *d = create(ws->state);
    if (d == NULL) {
        event_put_back(ws, e);
        return NULL;
    }
    d->ws = (websocket *)Py_NewRef((PyObject *)ws);
    d->event = e;
    d->decode = decode;
    d->buffer_type = buffer_type;
    return (PyObject *)d;
}

/* Puts a message that nobody took back into its socket. An exception that is set stays set. */
static void give_back(done *d)
{
    PyObject *type, *error, *traceback;
    if (d->event == NULL)
        return;
    PyErr_Fetch(&type, &error, &traceback);
    event_put_back(d->ws, d->event);
    d->event = NULL;
    PyErr_Restore(type, error, traceback);
}

static void done_dealloc(PyObject *self)
{
    done *d = (done *)self;
    PyTypeObject *type = Py_TYPE(self);
    give_back(d);
    Py_XDECREF((PyObject *)d->ws);
    Py_XDECREF(d->value);
    Py_XDECREF(d->error);
    free_object(self);
    Py_DECREF(type);
}

/* Converts the message. If that fails, the message stays the next one. */
static PyObject *value_of_event(done *d)
{
    PyObject *value = NULL;
    if (d->buffer_type != TYPE_COUNT)
        value = message_buffer_create(d->ws->state, d->buffer_type, d->event);
    else if (d->decode == CHOICE_YES && cw_event_is_part(d->event))
        raise_state(d->ws->state,
                    "decode=True needs whole messages, because a part may end inside a character; "
                    "set receive_mode to full, or decode the joined parts");
    else
        value = event_value(d->event, d->decode);
    if (value == NULL) {
        give_back(d);
        return NULL;
    }
    if (d->buffer_type == TYPE_COUNT)
        cw_event_free(d->event);
    d->event = NULL;
    return value;
}

/* Returns the result as a new reference, or NULL with the exception set. */
PyObject *done_take(PyObject *self)
{
    done *d = (done *)self;
    if (d->is_shared)
        return Py_NewRef(Py_None);
    if (d->is_used) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine: call the method again");
        return NULL;
    }
    d->is_used = true;
    if (d->event != NULL)
        return value_of_event(d);
    PyObject *value = d->value;
    d->value = NULL;
    if (d->error != NULL) {
        PyErr_SetObject((PyObject *)Py_TYPE(d->error), d->error);
        Py_CLEAR(d->error);
    }
    return value;
}

static PyObject *done_itself(PyObject *self) { return Py_NewRef(self); }

static PySendResult done_send(PyObject *self, PyObject *Py_UNUSED(value), PyObject **result)
{
    *result = done_take(self);
    return *result != NULL ? PYGEN_RETURN : PYGEN_ERROR;
}

PyObject *stop_iteration(PyObject *value)
{
    /* An instance, because a tuple would be taken for the arguments of StopIteration. */
    PyObject *stop = PyObject_CallFunctionObjArgs(PyExc_StopIteration, value, NULL);
    Py_DECREF(value);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
    return NULL;
}

static PyObject *done_next(PyObject *self)
{
    PyObject *value = done_take(self);
    return value != NULL ? stop_iteration(value) : NULL;
}

static PyObject *done_send_method(PyObject *self, PyObject *Py_UNUSED(value)) { return done_next(self); }

bool set_thrown(PyObject *const *args, Py_ssize_t count)
{
    if (count < 1 || count > 3) {
        PyErr_SetString(PyExc_TypeError, "throw() takes 1 to 3 arguments");
        return false;
    }
    if (PyExceptionInstance_Check(args[0]))
        PyErr_SetObject((PyObject *)Py_TYPE(args[0]), args[0]);
    else
        PyErr_SetObject(args[0], count > 1 && args[1] != Py_None ? args[1] : NULL);
    return true;
}

/* Ends the coroutine with the caller's exception. The message, if there is one, stays the next one. */
static PyObject *done_throw(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (set_thrown(args, count)) {
        ((done *)self)->is_used = true;
        give_back((done *)self);
    }
    return NULL;
}

static PyObject *done_close(PyObject *self, PyObject *Py_UNUSED(none))
{
    ((done *)self)->is_used = true;
    give_back((done *)self);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"send", done_send_method, METH_O, "send($self, value, /)\n--\n\nRaises StopIteration with the result."},
    {"throw", FAST(done_throw), METH_FASTCALL, "throw($self, /, *args)\n--\n\nRaises the exception."},
    {"close", done_close, METH_NOARGS, "close($self, /)\n--\n\nGives the result up."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)"An awaitable whose result is known. Only the package makes it."},
    {Py_tp_dealloc, SLOT(done_dealloc)},
    {Py_tp_iter, SLOT(done_itself)},
    {Py_tp_iternext, SLOT(done_next)},
    {Py_am_await, SLOT(done_itself)},
    {Py_am_send, SLOT(done_send)},
    {Py_tp_methods, methods},
    {0, NULL}};

static PyType_Spec spec = {.name = "curlwire._core.Done",
                           .basicsize = sizeof(done),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = slots};

bool add_done_type(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    state->types[TYPE_DONE] = type;
    if (type == NULL)
        return false;
    done *nothing = create(state);
    if (nothing == NULL)
        return false;
    nothing->is_shared = true;
    state->done_nothing = (PyObject *)nothing;
    return true;
}

/* SPDX-License-Identifier: MIT */
/* The type Receiving: what ws.recv() of curlwire.aio returns if no message is there. A task that awaits it waits until the
 * loop has read one. To asyncio it is a future: it yields itself, and asyncio adds the callback that wakes the task. It calls
 * that callback at once when the loop finds the connection readable. A Future would let the loop poll once more first, which
 * would be a third of the time of a round trip.
 *
 * Thread: that of the event loop only. */
#include "state.h"

typedef enum phase {
    PHASE_NEW,
    PHASE_WAITING,
    PHASE_WOKEN, /* done has the message, or the error */
    PHASE_CANCELLED,
    PHASE_USED
} phase;

typedef struct receiving {
    PyObject_HEAD websocket *ws;
    PyObject *owner; /* the object of curlwire.aio; its _begin_wait() lets the loop poll the connection */
    PyObject *done;  /* a Done, which puts the message back if nobody takes it */
    PyObject *callback, *context;
    PyObject *reason; /* the argument of cancel(), by which a library knows its own cancellation */
    choice decode;
    message_form form;
    phase phase;
    bool is_blocking; /* asyncio's mark that the object has been yielded as a future */
} receiving;

static PyObject *receive_soon(websocket *ws, PyObject *owner, choice decode, message_form form)
{
    receiving *r = (receiving *)PyType_GenericAlloc(ws->state->types[TYPE_RECEIVING], 0);
    if (r == NULL)
        return NULL;
    r->ws = (websocket *)Py_NewRef((PyObject *)ws);
    r->owner = Py_NewRef(owner);
    r->decode = decode;
    r->form = form;
    return (PyObject *)r;
}

/* The caller has a reference to r, since this drops that of the socket. */
static void stop_waiting(receiving *r)
{
    if (r->ws->waiter == (PyObject *)r)
        Py_CLEAR(r->ws->waiter);
}

static int receiving_traverse(PyObject *self, visitproc visit, void *arg)
{
    receiving *r = (receiving *)self;
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)r->ws);
    Py_VISIT(r->owner);
    Py_VISIT(r->done);
    Py_VISIT(r->callback);
    Py_VISIT(r->context);
    Py_VISIT(r->reason);
    return 0;
}

static int receiving_clear(PyObject *self)
{
    receiving *r = (receiving *)self;
    Py_CLEAR(r->owner);
    Py_CLEAR(r->done);
    Py_CLEAR(r->callback);
    Py_CLEAR(r->context);
    Py_CLEAR(r->reason);
    return 0;
}

static void receiving_dealloc(PyObject *self)
{
    receiving *r = (receiving *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    receiving_clear(self);
    Py_XDECREF((PyObject *)r->ws);
    free_object(self);
    Py_DECREF(type);
}

/* Tries to take the message. Returns 1 with r->done set, 0 if there is none, -1 with an exception set. */
static int try_now(receiving *r)
{
    PyObject *done = take_message(r->ws, r->decode, r->form);
    if (done == NULL)
        return -1;
    if (done == Py_None) {
        Py_DECREF(done);
        return 0;
    }
    r->done = done;
    return 1;
}

/* Begins to wait. Returns 1 if the message has come meanwhile, 0 if the task must wait, -1 with an exception set. */
static int begin(receiving *r)
{
    if (r->ws->waiter != NULL) {
        (void)raise_alone(r->ws->state);
        return -1;
    }
    int is_there = try_now(r);
    if (is_there != 0)
        return is_there;
    if (r->ws->is_ready_to_wait)
        return 0;
    PyObject *is_new = PyObject_CallMethod(r->owner, "_begin_wait", NULL);
    if (is_new == NULL)
        return -1;
    r->ws->is_ready_to_wait = r->ws->is_polled;
    if (is_new == Py_True) /* the service thread may have read before the loop began to poll */
        is_there = try_now(r);
    Py_DECREF(is_new);
    return is_there;
}

static PySendResult finish(receiving *r, PyObject **result)
{
    r->phase = PHASE_USED;
    *result = r->done != NULL ? done_take(r->done) : NULL;
    Py_CLEAR(r->done);
    return *result != NULL ? PYGEN_RETURN : PYGEN_ERROR;
}

static PySendResult receiving_send(PyObject *self, PyObject *Py_UNUSED(value), PyObject **result)
{
    receiving *r = (receiving *)self;
    int is_there = 0;
    *result = NULL;
    if (r->phase == PHASE_WOKEN)
        return finish(r, result);
    if (r->phase == PHASE_USED || r->phase == PHASE_CANCELLED) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine: call the method again");
        return PYGEN_ERROR;
    }
    if (r->phase == PHASE_NEW)
        is_there = begin(r);
    if (is_there != 0)
        return finish(r, result);
    r->phase = PHASE_WAITING;
    PyObject *old = r->ws->waiter;
    r->ws->waiter = Py_NewRef(self);
    Py_XDECREF(old);
    r->is_blocking = true;
    *result = Py_NewRef(self);
    return PYGEN_NEXT;
}

static PyObject *receiving_next(PyObject *self)
{
    PyObject *result;
    PySendResult what = receiving_send(self, NULL, &result);
    if (what != PYGEN_RETURN)
        return result;
    return stop_iteration(result);
}

/* Wakes the task that waits. In a callback of the loop, it runs at once; elsewhere the loop runs it soon. */
static bool run_callback(receiving *r, bool is_in_callback)
{
    PyObject *callback = r->callback, *context = r->context, *result;
    r->callback = r->context = NULL;
    if (callback == NULL)
        return true;
    if (is_in_callback && context != NULL) {
        result = PyObject_CallMethodObjArgs(context, r->ws->state->run_name, callback, (PyObject *)r, NULL);
    } else {
        PyObject *call = PyObject_GetAttrString(r->ws->loop, "call_soon");
        PyObject *args = call != NULL ? PyTuple_Pack(2, callback, (PyObject *)r) : NULL;
        PyObject *names = args != NULL && context != NULL ? Py_BuildValue("{s:O}", "context", context) : NULL;
        result = args != NULL && !PyErr_Occurred() ? PyObject_Call(call, args, names) : NULL;
        Py_XDECREF(names);
        Py_XDECREF(args);
        Py_XDECREF(call);
    }
    Py_XDECREF(result);
    Py_DECREF(callback);
    Py_XDECREF(context);
    return result != NULL;
}

/* Tries to take the message for the task that waits. Returns false with an exception set if the task's callback has raised. */
static bool wake(websocket *ws, bool is_in_callback)
{
    receiving *r = (receiving *)Py_NewRef(ws->waiter);
    int is_there = try_now(r);
    bool is_good = is_there >= 0;
    if (is_there > 0) {
        stop_waiting(r);
        r->phase = PHASE_WOKEN;
        is_good = run_callback(r, is_in_callback);
    }
    Py_DECREF((PyObject *)r);
    return is_good;
}

const char on_readable_doc[] =
    "_on_readable($self, /)\n--\n\nThe callback of the loop for a readable descriptor.";

PyObject *websocket_on_readable(PyObject *self, PyObject *Py_UNUSED(none))
{
    websocket *ws = (websocket *)self;
    cw_socket_poll_ready(ws->socket);
    if (ws->waiter == NULL)
        return PyObject_CallMethod(self, "_on_idle", NULL);
    return wake(ws, true) ? Py_NewRef(Py_None) : NULL;
}

const char wake_doc[] = "_wake($self, is_in_callback, /)\n--\n\n"
                        "Lets the task that waits for a message look again, if there is one.";

/* cppcheck-suppress constParameter ; the type is Python's */
PyObject *websocket_wake(PyObject *self, PyObject *is_in_callback)
{
    websocket *ws = (websocket *)self;
    if (ws->waiter != NULL && !wake(ws, is_in_callback == Py_True))
        return NULL;
    Py_RETURN_NONE;
}

/* ---- The methods of a future, which asyncio calls, and of a coroutine ---- */

static PyObject *get_loop(PyObject *self, PyObject *Py_UNUSED(none))
{
    return Py_NewRef(((receiving *)self)->ws->loop);
}

static PyObject *add_done_callback(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    receiving *r = (receiving *)self;
    PyObject *callback = count == 1 ? args[0] : NULL;
    PyObject *context =
        names != NULL && PyTuple_Size(names) > 0 ? args[count] : NULL; /* it has no other keyword */
    if (callback == NULL || r->callback != NULL) {
        PyErr_SetString(PyExc_TypeError,
                        "add_done_callback() takes one callback; make a task of this awaitable");
        return NULL;
    }
    r->callback = Py_NewRef(callback);
    r->context = Py_XNewRef(context);
    Py_RETURN_NONE;
}

static PyObject *cancel(PyObject *self, PyObject *args, PyObject *keywords)
{
    receiving *r = (receiving *)self;
    PyObject *reason = keywords != NULL ? PyDict_GetItemString(keywords, "msg") : NULL;
    if (PyTuple_Size(args) > 0)
        reason = PyTuple_GetItem(args, 0);
    if (r->phase != PHASE_WAITING)
        Py_RETURN_FALSE;
    r->reason = Py_XNewRef(reason);
    stop_waiting(r);
    r->phase = PHASE_CANCELLED;
    return run_callback(r, false) ? Py_NewRef(Py_True) : NULL;
}

/* The task's wake-up asks for the result, to learn of a cancellation. The message comes by the iteration. */
static PyObject *get_result(PyObject *self, PyObject *Py_UNUSED(none))
{
    if (((receiving *)self)->phase != PHASE_CANCELLED)
        Py_RETURN_NONE;
    PyObject *module = PyImport_ImportModule("asyncio");
    PyObject *class = module != NULL ? PyObject_GetAttrString(module, "CancelledError") : NULL;
    PyObject *reason = ((receiving *)self)->reason != Py_None ? ((receiving *)self)->reason : NULL;
    PyObject *error = class != NULL ? PyObject_CallFunctionObjArgs(class, reason, NULL) : NULL;
    if (error != NULL)
        PyErr_SetObject(class, error);
    Py_XDECREF(error);
    Py_XDECREF(class);
    Py_XDECREF(module);
    return NULL;
}

static PyObject *is_done(PyObject *self, PyObject *Py_UNUSED(none))
{
    return PyBool_FromLong(((receiving *)self)->phase >= PHASE_WOKEN);
}

static PyObject *is_cancelled(PyObject *self, PyObject *Py_UNUSED(none))
{
    return PyBool_FromLong(((receiving *)self)->phase == PHASE_CANCELLED);
}

static PyObject *send_method(PyObject *self, PyObject *Py_UNUSED(value)) { return receiving_next(self); }

static void give_up(receiving *r)
{
    stop_waiting(r);
    r->phase = PHASE_USED;
    Py_CLEAR(r->done); /* which puts the message back */
}

static PyObject *throw_method(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    if (!set_thrown(args, count))
        return NULL;
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    give_up((receiving *)self);
    PyErr_Restore(type, error, traceback);
    return NULL;
}

static PyObject *close_method(PyObject *self, PyObject *Py_UNUSED(none))
{
    give_up((receiving *)self);
    Py_RETURN_NONE;
}

static PyObject *itself(PyObject *self) { return Py_NewRef(self); }

#define KEYWORDS(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
    {"get_loop", get_loop, METH_NOARGS, "get_loop($self, /)\n--\n\nReturns the event loop."},
    {"add_done_callback", FAST(add_done_callback), METH_FASTCALL | METH_KEYWORDS,
     "add_done_callback($self, callback, /, *, context=None)\n--\n\nSets the callback that wakes the task."},
    {"cancel", KEYWORDS(cancel), METH_VARARGS | METH_KEYWORDS,
     "cancel($self, /, msg=None)\n--\n\nEnds the wait."},
    {"result", get_result, METH_NOARGS, "result($self, /)\n--\n\nRaises CancelledError after cancel()."},
    {"done", is_done, METH_NOARGS, "done($self, /)\n--\n\nReturns whether the wait has ended."},
    {"cancelled", is_cancelled, METH_NOARGS,
     "cancelled($self, /)\n--\n\nReturns whether cancel() has ended it."},
    {"send", send_method, METH_O, "send($self, value, /)\n--\n\nGoes on, as a coroutine does."},
    {"throw", FAST(throw_method), METH_FASTCALL, "throw($self, /, *args)\n--\n\nRaises the exception."},
    {"close", close_method, METH_NOARGS,
     "close($self, /)\n--\n\nGives the message up, which stays the next one."},
    {NULL, NULL, 0, NULL}};

/* asyncio takes an object for a future if this is not None. Before the first step the object is only a coroutine, so that
 * asyncio.wait_for() and gather() make a task of it. */
static PyObject *get_blocking(PyObject *self, void *Py_UNUSED(closure))
{
    receiving *r = (receiving *)self;
    if (r->phase != PHASE_WAITING)
        Py_RETURN_NONE;
    return PyBool_FromLong(r->is_blocking);
}

/* cppcheck-suppress constParameter ; the type is Python's */
static int set_blocking(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    ((receiving *)self)->is_blocking = value == Py_True;
    return 0;
}

static PyGetSetDef members[] = {
    {"_asyncio_future_blocking", get_blocking, set_blocking, "asyncio's mark of a future, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot slots[] = {{Py_tp_doc, (void *)"A wait for a message. Only the package makes it."},
                              {Py_tp_dealloc, SLOT(receiving_dealloc)},
                              {Py_tp_traverse, SLOT(receiving_traverse)},
                              {Py_tp_clear, SLOT(receiving_clear)},
                              {Py_tp_iter, SLOT(itself)},
                              {Py_tp_iternext, SLOT(receiving_next)},
                              {Py_am_await, SLOT(itself)},
                              {Py_am_send, SLOT(receiving_send)},
                              {Py_tp_methods, methods},
                              {Py_tp_getset, members},
                              {0, NULL}};

static PyType_Spec spec = {.name = "curlwire._core.Receiving",
                           .basicsize = sizeof(receiving),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = slots};

bool add_receiving_type(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    state->types[TYPE_RECEIVING] = type;
    state->run_name = PyUnicode_InternFromString("run");
    return type != NULL && state->run_name != NULL;
}

/* ---- recv() and iteration ---- */

PyObject *receive_message(websocket *ws, PyObject *owner, choice decode, message_form wanted)
{
    if (!is_in_loop(ws))
        return done_of_error(ws->state);
    if (ws->waiter == NULL) {
        PyObject *done = take_message(ws, decode, wanted);
        if (done != Py_None)
            return done;
        Py_DECREF(done);
    }
    return receive_soon(ws, owner, decode, wanted);
}

const char receive_doc[] = "_receive($self, owner, decode, form, /)\n--\n\n"
                           "Returns an awaitable for the next message. form: as for _try_recv().";

PyObject *message_receive_soon(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    choice decode;
    long wanted = count == 3 ? PyLong_AsLong(args[2]) : -1;
    if (wanted < 0 || wanted >= FORM_COUNT || !parse_choice(args[1], "decode", &decode)) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError, "_receive() takes 3 arguments; form is 0 to 3");
        return NULL;
    }
    return receive_message((websocket *)self, args[0], decode, (message_form)wanted);
}

typedef struct messages {
    PyObject_HEAD websocket *ws;
    PyObject *owner; /* the object of curlwire.aio */
} messages;

static PyObject *messages_itself(PyObject *self) { return Py_NewRef(self); }

static PyObject *messages_next(PyObject *self)
{
    messages *m = (messages *)self;
    return receive_message(m->ws, m->owner, CHOICE_OPEN, FORM_NEXT);
}

static int messages_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)((messages *)self)->ws);
    Py_VISIT(((messages *)self)->owner);
    return 0;
}

static void messages_dealloc(PyObject *self)
{
    messages *m = (messages *)self;
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF((PyObject *)m->ws);
    Py_XDECREF(m->owner);
    free_object(self);
    Py_DECREF(type);
}

static PyType_Slot messages_slots[] = {
    {Py_tp_doc, (void *)"The messages of a socket, for 'async for'. Only the package makes it."},
    {Py_tp_dealloc, SLOT(messages_dealloc)},
    {Py_tp_traverse, SLOT(messages_traverse)},
    {Py_am_aiter, SLOT(messages_itself)},
    {Py_am_anext, SLOT(messages_next)},
    {0, NULL}};

static PyType_Spec messages_spec = {.name = "curlwire._core.Messages",
                                    .basicsize = sizeof(messages),
                                    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
                                             Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                    .slots = messages_slots};

bool add_messages_type(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &messages_spec, NULL);
    state->types[TYPE_MESSAGES] = type;
    return type != NULL;
}

const char messages_doc[] = "_messages($self, owner, /)\n--\n\n"
                            "Returns an asynchronous iterator over the messages.";

PyObject *message_messages(PyObject *self, PyObject *owner)
{
    websocket *ws = (websocket *)self;
    messages *m = (messages *)PyType_GenericAlloc(ws->state->types[TYPE_MESSAGES], 0);
    if (m == NULL)
        return NULL;
    m->ws = (websocket *)Py_NewRef(self);
    m->owner = Py_NewRef(owner);
    return (PyObject *)m;
}

/* SPDX-License-Identifier: MIT */
/* Pings: ping(), which waits for the pong, and the type Ping, a ping for which an event loop waits. */
#include "state.h"

const char ping_doc[] =
    "ping($self, /, timeout=curlwire.DEFAULT)\n--\n\n"
    "Sends a ping, waits for its pong, and returns the round-trip time in seconds, a float.\n\n"
    "timeout: seconds. None = no limit; the default is control.ping_timeout.\n"
    "Raises WebSocketTimeout, ConnectionClosed, StateError. Blocks until the pong has arrived. Any\n"
    "number of threads may call it at the same time.";

static PyObject *seconds_of(int64_t rtt_us) { return PyFloat_FromDouble((double)rtt_us / 1e6); }

PyObject *websocket_ping(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_PING, "ping", 0, {"timeout", NULL}, 0};
    websocket *ws = (websocket *)self;
    int timeout_ms;
    if (!parse_only_timeout(ws, &sig, args, count, names, &timeout_ms))
        return NULL;
    int64_t rtt_us = 0;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_ping(ws->socket, timeout_ms, &rtt_us));
    return status == CW_OK ? seconds_of(rtt_us) : raise_status(ws->state, ws, status);
}

/* ---- The type Ping. Thread: that of the event loop only ---- */

typedef struct ping {
    PyObject_HEAD websocket *ws;
    cw_ping *ping; /* NULL after end() */
} ping;

const char ping_start_doc[] = "_ping_start($self, timeout, /)\n--\n\n"
                              "Sends a ping, and returns a Ping, whose result the mailbox announces.\n\n"
                              "timeout: as of ping(); the call only checks it.";

PyObject *websocket_ping_start(PyObject *self, PyObject *timeout)
{
    websocket *ws = (websocket *)self;
    int timeout_ms;
    if (!parse_timeout(ws->state, timeout, &timeout_ms))
        return NULL;
    ping *p = (ping *)PyType_GenericAlloc(ws->state->types[TYPE_PING], 0);
    if (p == NULL)
        return NULL;
    p->ws = (websocket *)Py_NewRef(self);
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_ping_start(ws->socket, &p->ping));
    if (status == CW_OK)
        return (PyObject *)p;
    (void)raise_status(ws->state, ws, status);
    Py_DECREF(p);
    return NULL;
}

static void end(ping *p)
{
    cw_ping *ended = p->ping;
    p->ping = NULL;
    if (ended == NULL)
        return;
    PyThreadState *thread = PyEval_SaveThread(); /* the service thread may hold the socket's lock */
    cw_ping_free(ended);
    PyEval_RestoreThread(thread);
}

static PyObject *ping_result(PyObject *self, PyObject *Py_UNUSED(none))
{
    ping *p = (ping *)self;
    int64_t rtt_us = 0;
    if (p->ping == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the ping has been ended: start another one");
        return NULL;
    }
    blocking b;
    blocking_begin(p->ws->state, &b);
    cw_status status = blocking_end(&b, cw_ping_result(p->ping, &rtt_us));
    if (status == CW_WOULD_BLOCK)
        Py_RETURN_NONE;
    return status == CW_OK ? seconds_of(rtt_us) : raise_status(p->ws->state, p->ws, status);
}

static PyObject *ping_end(PyObject *self, PyObject *Py_UNUSED(none))
{
    end((ping *)self);
    Py_RETURN_NONE;
}

static int ping_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)((ping *)self)->ws);
    return 0;
}

static void ping_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    end((ping *)self);
    Py_DECREF((PyObject *)((ping *)self)->ws);
    free_object(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"result", ping_result, METH_NOARGS,
     "result($self, /)\n--\n\n"
     "Returns the round-trip time in seconds, a float, or None if the pong has not come.\n\n"
     "Raises ConnectionClosed if closing has begun before it came."},
    {"end", ping_end, METH_NOARGS,
     "end($self, /)\n--\n\nForgets the ping: nothing waits for its pong any more. A second call does nothing."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)"A ping for which an event loop waits. Only the package makes it."},
    {Py_tp_dealloc, SLOT(ping_dealloc)},
    {Py_tp_traverse, SLOT(ping_traverse)},
    {Py_tp_methods, methods},
    {0, NULL}};

static PyType_Spec spec = {.name = "curlwire._core.Ping",
                           .basicsize = sizeof(ping),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           .slots = slots};

bool add_ping_type(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    state->types[TYPE_PING] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

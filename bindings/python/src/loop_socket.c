/* SPDX-License-Identifier: MIT */
/* The type LoopSocket, a base of curlwire.aio.MessageWebSocket: its send() and recv(). They are in C because a function of
 * Python took as long as the rest of a small message's way to the kernel. What needs a coroutine is in Python: the methods
 * _send() and _within() of that class.
 *
 * Thread: that of the event loop only; the calls of another thread get StateError. */
#include "state.h"

typedef struct loop_socket {
    PyObject_HEAD websocket *core; /* _core: the socket inside; NULL before it is set */
    PyObject *writers;             /* _writers: a deque of the tasks that wait to send; NULL before it is set */
} loop_socket;

static int loop_socket_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT((PyObject *)((loop_socket *)self)->core);
    Py_VISIT(((loop_socket *)self)->writers);
    return 0;
}

static int loop_socket_clear(PyObject *self)
{
    loop_socket *s = (loop_socket *)self;
    PyObject *core = (PyObject *)s->core;
    s->core = NULL;
    Py_XDECREF(core);
    Py_CLEAR(s->writers);
    return 0;
}

static void loop_socket_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    loop_socket_clear(self);
    free_object(self);
    Py_DECREF(type);
}

/* Returns the socket inside, borrowed; NULL with AttributeError set if the constructor has not set it. */
static websocket *core_of(PyObject *self)
{
    websocket *core = ((loop_socket *)self)->core;
    if (core == NULL)
        PyErr_SetString(PyExc_AttributeError,
                        "the socket is not initialised: call __init__() of its base class in yours");
    return core;
}

static PyObject *get_core(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_XNewRef((PyObject *)core_of(self));
}

static int set_core(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    loop_socket *s = (loop_socket *)self;
    module_state *state = state_of_type(Py_TYPE(self));
    if (state == NULL)
        return -1;
    if (value == NULL || !PyObject_TypeCheck(value, state->types[TYPE_MESSAGE_WEBSOCKET])) {
        PyErr_SetString(PyExc_TypeError, "_core must be a MessageWebSocket of curlwire._core");
        return -1;
    }
    PyObject *old = (PyObject *)s->core;
    s->core = (websocket *)Py_NewRef(value);
    Py_XDECREF(old);
    return 0;
}

static const char loop_send_doc[] =
    "send($self, /, data, timeout=curlwire.DEFAULT, *, text=None, compress=None)\n--\n\n"
    "Sends one message.\n\n"
    "data: a str is sent as text, a bytes-like object as binary. An iterable of them, or an\n"
    "asynchronous one, is sent as one message: each item as a fragment as soon as it comes, then an\n"
    "empty last fragment.\n"
    "timeout: seconds without progress. None = no limit; the default is control.send_timeout.\n"
    "text: True sends bytes as text, False sends a str as binary. The default is None, by the type of\n"
    "data.\n"
    "compress: True or False; the default is None, by control.compression_threshold.\n"
    "The message has been sent, or waits in the socket, which sends it, when the call returns. It waits\n"
    "while the socket holds 256 KiB that the server does not take. A cancelled call has sent the whole\n"
    "message or nothing. If it ends after the first fragment of an iterable, it closes the connection\n"
    "with code 1011.\n"
    "Raises ConnectionClosed, StateError, ArgumentError, and WebSocketTimeout.";

static PyObject *loop_socket_send(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_SEND, "send", 1, {"data", "timeout", "text", "compress", NULL}, 2};
    loop_socket *s = (loop_socket *)self;
    websocket *core = core_of(self);
    PyObject *given[ARGUMENTS_MAX];
    choice text;
    cw_compress compress;
    if (core == NULL || !sort_arguments(&sig, args, count, names, given) ||
        !parse_choice(given[2], "text", &text) || !parse_compress(given[3], &compress))
        return NULL;
    int must_queue = s->writers != NULL ? PyObject_IsTrue(s->writers) : 0;
    if (must_queue < 0)
        return NULL;
    PyObject *done = must_queue ? Py_NewRef(Py_None) : send_soon(core, given[0], text, compress);
    if (done != Py_None)
        return done;
    Py_DECREF(done);
    PyObject *timeout = given[1] != NULL ? given[1] : get_helper(core->state, HELPER_default);
    if (timeout == NULL)
        return NULL;
    return PyObject_CallMethod(self, "_send", "OOOO", given[0], timeout, given[2] != NULL ? given[2] : Py_None,
                               given[3] != NULL ? given[3] : Py_None);
}

static const char loop_recv_doc[] =
    "recv($self, /, timeout=None, copy=True, *, decode=None)\n--\n\n"
    "Returns the next message: str for text, bytes for binary. In partial mode the next part, as bytes.\n\n"
    "timeout: seconds. The default is None, no limit; curlwire.DEFAULT = control.receive_timeout.\n"
    "copy: False returns a MessageBuffer, which does not copy the message.\n"
    "decode: True returns a str for a binary message too, False returns bytes for text too.\n"
    "Raises WebSocketTimeout, ConnectionClosed, and StateError if another task receives. If the task is\n"
    "cancelled, the message stays the next one.";

static PyObject *loop_socket_recv(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    static const signature sig = {METHOD_RECV, "recv", 0, {"timeout", "copy", "decode", NULL}, 1};
    websocket *core = core_of(self);
    PyObject *given[ARGUMENTS_MAX];
    choice decode;
    if (core == NULL || !sort_arguments(&sig, args, count, names, given) ||
        !parse_choice(given[2], "decode", &decode))
        return NULL;
    int copies = given[1] != NULL ? PyObject_IsTrue(given[1]) : 1;
    if (copies < 0)
        return NULL;
    PyObject *receiving = receive_message(core, self, decode, copies ? FORM_VALUE : FORM_BUFFER);
    if (receiving == NULL || given[0] == NULL || given[0] == Py_None)
        return receiving;
    PyObject *within = PyObject_CallMethod(self, "_within", "OO", given[0], receiving);
    Py_DECREF(receiving);
    return within;
}

static PyMethodDef methods[] = {{"send", FAST(loop_socket_send), METH_FASTCALL | METH_KEYWORDS, loop_send_doc},
                                {"recv", FAST(loop_socket_recv), METH_FASTCALL | METH_KEYWORDS, loop_recv_doc},
                                {NULL, NULL, 0, NULL}};

static PyGetSetDef attributes[] = {{"_core", get_core, set_core, "The socket inside.", NULL},
                                   {NULL, NULL, NULL, NULL, NULL}};

static PyMemberDef members[] = {
    {"_writers", T_OBJECT, offsetof(loop_socket, writers), 0, "A deque of the tasks that wait to send."},
    {NULL, 0, 0, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)"What a message socket of asyncio has in C. Only the package uses it."},
    {Py_tp_dealloc, SLOT(loop_socket_dealloc)},
    {Py_tp_traverse, SLOT(loop_socket_traverse)},
    {Py_tp_clear, SLOT(loop_socket_clear)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {Py_tp_members, members},
    {0, NULL}};

static PyType_Spec spec = {.name = "curlwire._core.LoopSocket",
                           .basicsize = sizeof(loop_socket),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                           .slots = slots};

bool add_loop_socket_type(PyObject *module, module_state *state)
{
    (void)state;
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    bool is_good = type != NULL && PyModule_AddType(module, type) == 0;
    Py_XDECREF((PyObject *)type);
    return is_good;
}

/* SPDX-License-Identifier: MIT */
/* Messages as Python objects. A message is a str, bytes or a MessageBuffer. A MessageBuffer owns the core's event and shows its
 * bytes through the buffer protocol. The argument of on_message_received is a subclass of it. */
#include "state.h"

/* MessageBuffer. It needs no garbage collection, because it refers only to a str or bytes. */
typedef struct message_buffer {
    PyObject_HEAD module_state *state;
    cw_event *event;
    PyObject *value; /* the value of .data; NULL before its first use */
} message_buffer;

PyObject *event_value(const cw_event *e, choice decode)
{
    size_t len_bytes;
    const void *data = cw_event_data(e, &len_bytes);
    if (decode == CHOICE_YES ||
        (decode == CHOICE_OPEN && cw_event_message_type(e) == CW_UTF8 && !cw_event_is_part(e)))
        return PyUnicode_DecodeUTF8(data, (Py_ssize_t)len_bytes, NULL);
    return PyBytes_FromStringAndSize(data, (Py_ssize_t)len_bytes);
}

void event_put_back(websocket *ws, cw_event *e)
{
    PyThreadState *thread = PyEval_SaveThread();
    cw_socket_put_back(ws->socket, e);
    PyEval_RestoreThread(thread);
}

PyObject *message_buffer_create(module_state *state, type_index type, cw_event *e)
{
    message_buffer *m = (message_buffer *)PyType_GenericAlloc(state->types[type], 0);
    if (m == NULL)
        return NULL;
    m->state = state;
    m->event = e;
    return (PyObject *)m;
}

static void buffer_dealloc(PyObject *self)
{
    message_buffer *m = (message_buffer *)self;
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(m->value);
    cw_event_free(m->event);
    free_object(self);
    Py_DECREF(type);
}

static int buffer_get(PyObject *self, Py_buffer *view, int flags)
{
    size_t len_bytes;
    const void *data = cw_event_data(((message_buffer *)self)->event, &len_bytes);
    return PyBuffer_FillInfo(view, self, (void *)(uintptr_t)data, (Py_ssize_t)len_bytes, 1, flags);
}

static Py_ssize_t buffer_length(PyObject *self)
{
    size_t len_bytes;
    cw_event_data(((message_buffer *)self)->event, &len_bytes);
    return (Py_ssize_t)len_bytes;
}

static PyObject *get_data(PyObject *self, void *Py_UNUSED(closure))
{
    message_buffer *m = (message_buffer *)self;
    fields_lock();
    PyObject *value = Py_XNewRef(m->value);
    fields_unlock();
    if (value != NULL)
        return value;
    value = event_value(m->event, CHOICE_OPEN);
    if (value == NULL)
        return NULL;
    fields_lock();
    if (m->value == NULL)
        m->value = Py_NewRef(value);
    fields_unlock();
    return value;
}

static PyObject *get_message_type(PyObject *self, void *Py_UNUSED(closure))
{
    message_buffer *m = (message_buffer *)self;
    return enum_member(m->state, ENUM_MESSAGE_TYPE, cw_event_message_type(m->event));
}

static PyObject *get_is_message_complete(PyObject *self, void *Py_UNUSED(closure))
{
    return PyBool_FromLong(cw_event_is_complete(((message_buffer *)self)->event));
}

static PyObject *get_buffer(PyObject *self, void *Py_UNUSED(closure)) { return PyMemoryView_FromObject(self); }

static PyObject *buffer_repr(PyObject *self)
{
    message_buffer *m = (message_buffer *)self;
    PyObject *name = PyType_GetName(Py_TYPE(self));
    if (name == NULL)
        return NULL;
    PyObject *text =
        PyUnicode_FromFormat("<curlwire.%U %s, %zd bytes%s>", name,
                             cw_option_words(CW_OPT_MESSAGE_TYPE)[cw_event_message_type(m->event)],
                             buffer_length(self), cw_event_is_complete(m->event) ? "" : ", to go on");
    Py_DECREF(name);
    return text;
}

static PyGetSetDef buffer_members[] = {
    {"data", get_data, NULL,
     "A copy of the payload: str for text, bytes for binary. In partial mode always bytes. Any thread may "
     "read it.",
     NULL},
    {"message_type", get_message_type, NULL, "The SocketMessageType of the message. Any thread may read it.",
     NULL},
    {"is_message_complete", get_is_message_complete, NULL,
     "True for a whole message, and in partial mode for its last part. Any thread may read it.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyObject *args_get_data_reader(PyObject *self, PyObject *Py_UNUSED(none))
{
    return data_reader_of_buffer(((message_buffer *)self)->state, self);
}

static PyObject *args_get_data_stream(PyObject *self, PyObject *Py_UNUSED(none))
{
    PyObject *io = PyImport_ImportModule("io");
    PyObject *stream = io != NULL ? PyObject_CallMethod(io, "BytesIO", "O", self) : NULL;
    Py_XDECREF(io);
    return stream;
}

static PyMethodDef args_methods[] = {
    {"get_data_reader", args_get_data_reader, METH_NOARGS,
     "get_data_reader($self, /)\n--\n\n"
     "Returns a new DataReader of the payload, without a copy. All its bytes are loaded.\n\n"
     "In partial mode the payload is a part of the message. Each call returns a reader that begins at the "
     "start, also after the handler has returned. Does not block. Any thread may call it."},
    {"get_data_stream", args_get_data_stream, METH_NOARGS,
     "get_data_stream($self, /)\n--\n\n"
     "Returns a new io.BytesIO of the payload: a file object with a copy of the bytes, also for text.\n\n"
     "In partial mode the payload is a part of the message. Each call returns a stream that begins at the "
     "start, also after the handler has returned. Does not block. Any thread may call it."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef args_members[] = {
    {"buffer", get_buffer, NULL, "A memoryview of the payload, without a copy. Any thread may read it.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

PyDoc_STRVAR(buffer_doc,
             "A received message, or a part of one, as a read-only buffer without a copy.\n\n"
             "Use it in memoryview(m), bytes(m), str(m, 'utf-8'), len(m) and every call that takes a buffer.");
PyDoc_STRVAR(args_doc, "The message that on_message_received gets. The handler may keep it after it returns.");

static PyMethodDef buffer_methods[] = {{"__reduce_ex__", refuse_copy, METH_O, refuse_copy_doc},
                                       {NULL, NULL, 0, NULL}};

static PyType_Slot buffer_slots[] = {{Py_tp_doc, (void *)buffer_doc},       {Py_tp_methods, buffer_methods},
                                     {Py_tp_dealloc, SLOT(buffer_dealloc)}, {Py_tp_repr, SLOT(buffer_repr)},
                                     {Py_tp_getset, buffer_members},        {Py_bf_getbuffer, SLOT(buffer_get)},
                                     {Py_sq_length, SLOT(buffer_length)},   {0, NULL}};

static PyType_Slot args_slots[] = {
    {Py_tp_doc, (void *)args_doc}, {Py_tp_getset, args_members}, {Py_tp_methods, args_methods}, {0, NULL}};

static PyType_Spec buffer_spec = {.name = "curlwire.MessageBuffer",
                                  .basicsize = sizeof(message_buffer),
                                  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE |
                                           Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                  .slots = buffer_slots};

static PyType_Spec args_spec = {.name = "curlwire.MessageReceivedEventArgs",
                                .basicsize = sizeof(message_buffer),
                                .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                .slots = args_slots};

bool add_event_types(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &buffer_spec, NULL);
    state->types[TYPE_MESSAGE_BUFFER] = type;
    if (type == NULL || PyModule_AddType(module, type) < 0)
        return false;
    type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &args_spec, (PyObject *)type);
    state->types[TYPE_MESSAGE_ARGS] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

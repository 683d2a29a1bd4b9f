/* SPDX-License-Identifier: MIT */
/* The type StreamWebSocket: a stream of bytes in constant memory. The file objects of curlwire/streams.py call its methods
 * _read_into, _unread and _write. MessageWebSocket has _write too. */
#include "state.h"

static PyObject *stream_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(keywords))
{
    return websocket_create(type, CW_STREAM_SOCKET);
}

static PyObject *stream_read_into(PyObject *self, PyObject *target)
{
    websocket *ws = (websocket *)self;
    Py_buffer view;
    if (!PyObject_CheckBuffer(target)) {
        PyErr_Format(PyExc_TypeError, "readinto() takes a writable buffer, not %R", Py_TYPE(target));
        return NULL;
    }
    if (PyObject_GetBuffer(target, &view, PyBUF_WRITABLE) < 0)
        return NULL;
    size_t len_bytes = 0;
    cw_status status = CW_OK;
    if (view.len > 0) {
        blocking b;
        blocking_begin(ws->state, &b);
        status = blocking_end(
            &b, cw_socket_read(ws->socket, view.buf, (size_t)view.len, CW_TIMEOUT_DEFAULT, &len_bytes));
    }
    PyObject *size = status == CW_OK ? PyLong_FromSize_t(len_bytes) : raise_status(ws->state, ws, status);
    PyBuffer_Release(&view);
    return size;
}

/* cppcheck-suppress constParameter ; the type is Python's */
static PyObject *stream_unread(PyObject *self, PyObject *data)
{
    websocket *ws = (websocket *)self;
    char *bytes;
    Py_ssize_t len_bytes;
    if (PyBytes_AsStringAndSize(data, &bytes, &len_bytes) < 0)
        return NULL;
    PyThreadState *thread = PyEval_SaveThread();
    cw_status status = cw_socket_unread(ws->socket, bytes, (size_t)len_bytes);
    PyEval_RestoreThread(thread);
    return none_or_raise(ws, status);
}

PyObject *websocket_write(PyObject *self, PyObject *data)
{
    websocket *ws = (websocket *)self;
    payload p;
    if (PyUnicode_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "write() takes a bytes-like object, not a str; encode it, as with "
                                         "text.encode('utf-8')");
        return NULL;
    }
    if (!payload_acquire(ws->state, data, "write()", &p))
        return NULL;
    int64_t message_type = CW_BINARY;
    cw_status status = CW_OK;
    blocking b;
    blocking_begin(ws->state, &b);
    if (cw_option_applies(CW_OPT_MESSAGE_TYPE, cw_socket_class(ws->socket)))
        status = cw_socket_get_number(ws->socket, CW_OPT_MESSAGE_TYPE, &message_type);
    if (status == CW_OK)
        status =
            cw_socket_send(ws->socket, (cw_message_type)message_type, p.data, p.len_bytes, CW_TIMEOUT_DEFAULT);
    status = blocking_end(&b, status);
    PyObject *size = status == CW_OK ? PyLong_FromSize_t(p.len_bytes) : raise_status(ws->state, ws, status);
    payload_release(&p);
    return size;
}

static PyObject *get_input_stream(PyObject *self, void *Py_UNUSED(closure))
{
    PyObject *make = get_helper(((websocket *)self)->state, HELPER_input_stream);
    return make != NULL ? PyObject_CallFunctionObjArgs(make, self, NULL) : NULL;
}

static PyMethodDef methods[] = {
    {"_try_read", stream_try_read, METH_O, try_read_doc},
    {"_read_into", stream_read_into, METH_O,
     "_read_into($self, target, /)\n--\n\nReads bytes into a buffer, for input_stream.readinto()."},
    {"_unread", stream_unread, METH_O,
     "_unread($self, data, /)\n--\n\nGives bytes back, which the next read returns again."},
    {"_write", websocket_write, METH_O,
     "_write($self, data, /)\n--\n\nSends one message, for output_stream.write()."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef members[] = {
    {"input_stream", get_input_stream, NULL,
     "A new InputStream (an io.RawIOBase) of the received bytes. Any thread may read it, one at a time.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

PyDoc_STRVAR(stream_doc,
             "StreamWebSocket(**control)\n--\n\n"
             "A WebSocket that carries a stream of bytes through input_stream and output_stream.\n\n"
             "control: the options as keywords, as in StreamWebSocket(receive_timeout=5).\n"
             "The stream uses the same memory for any number of bytes. Any thread may call any method.");

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)stream_doc}, {Py_tp_new, SLOT(stream_new)}, {Py_tp_init, SLOT(websocket_init)},
    {Py_tp_methods, methods},        {Py_tp_getset, members},       {0, NULL}};

static PyType_Spec spec = {.name = "curlwire.StreamWebSocket",
                           .basicsize = sizeof(websocket),
                           .flags =
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, /* the base adds Py_TPFLAGS_HAVE_GC */
                           .slots = slots};

bool add_stream_type(PyObject *module, module_state *state)
{
    PyObject *base = (PyObject *)state->types[TYPE_WEBSOCKET];
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, base);
    state->types[TYPE_STREAM_WEBSOCKET] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

/* SPDX-License-Identifier: MIT */
/* The type StreamWebSocket: a flow of bytes in constant memory. curlwire/streams.py makes Python's file objects of
 * its functions _read_into, _unread and _write; MessageWebSocket has the last one too. */
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
        PyErr_SetString(PyExc_TypeError, "a binary stream takes a bytes-like object, not a str");
        return NULL;
    }
    if (!payload_acquire(ws->state, data, "write()", &p))
        return NULL;
    int64_t kind = CW_BINARY;
    cw_status status = CW_OK;
    blocking b;
    blocking_begin(ws->state, &b);
    if (cw_option_applies(CW_OPT_MESSAGE_TYPE, cw_socket_class(ws->socket)))
        status = cw_socket_get_number(ws->socket, CW_OPT_MESSAGE_TYPE, &kind);
    if (status == CW_OK)
        status = cw_socket_send(ws->socket, (cw_kind)kind, p.data, p.len_bytes, CW_TIMEOUT_DEFAULT);
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
    {"_read_into", stream_read_into, METH_O,
     "_read_into($self, target, /)\n--\n\nWhat input_stream.readinto does."},
    {"_unread", stream_unread, METH_O,
     "_unread($self, data, /)\n--\n\nHas these bytes be the next ones that are read."},
    {"_write", websocket_write, METH_O, "_write($self, data, /)\n--\n\nWhat output_stream.write does."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef members[] = {
    {"input_stream", get_input_stream, NULL,
     "A new raw binary stream (io.RawIOBase) of the bytes that arrive. Any thread, one reader at a time.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL}};

PyDoc_STRVAR(stream_doc,
             "StreamWebSocket(**control)\n--\n\n"
             "A WebSocket that carries a flow of bytes through input_stream and output_stream.\n\n"
             "Memory stays the same whatever is moved. Every method may be called from any thread.");

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)stream_doc}, {Py_tp_new, SLOT(stream_new)}, {Py_tp_init, SLOT(websocket_init)},
    {Py_tp_methods, methods},        {Py_tp_getset, members},       {0, NULL}};

static PyType_Spec spec = {.name = "curlwire.StreamWebSocket",
                           .basicsize = sizeof(websocket),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, /* and GC, inherited */
                           .slots = slots};

bool add_stream_type(PyObject *module, module_state *state)
{
    PyObject *base = (PyObject *)state->types[TYPE_WEBSOCKET];
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, base);
    state->types[TYPE_STREAM_WEBSOCKET] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

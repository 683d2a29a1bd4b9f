/* SPDX-License-Identifier: MIT */
/* The read-only attributes of a socket: what the connection is and how it ended, and the objects that belong to
 * it. ws.information (Python) shows the same ones. */
#include "state.h"

#include <string.h>

/* Where a text comes from; the core gives all of them out in the same manner. */
typedef cw_status (*text_source)(cw_socket *s, int which, char *buffer, size_t size_bytes, size_t *len_bytes);

static cw_status from_info(cw_socket *s, int which, char *buffer, size_t size_bytes, size_t *len_bytes)
{
    return cw_socket_get_info(s, (cw_info)which, buffer, size_bytes, len_bytes);
}

static cw_status from_option(cw_socket *s, int which, char *buffer, size_t size_bytes, size_t *len_bytes)
{
    return cw_socket_get_text(s, (cw_option)which, buffer, size_bytes, len_bytes);
}

/* The whole of a text, which may grow while we look. */
static PyObject *copy_text(websocket *ws, text_source source, int which, const char *encoding,
                           const char *errors)
{
    size_t len_bytes = 255;
    for (;;) {
        size_t room = len_bytes + 1;
        char *text = PyMem_Malloc(room);
        if (text == NULL)
            return PyErr_NoMemory();
        PyThreadState *thread = PyEval_SaveThread();
        cw_status status = source(ws->socket, which, text, room, &len_bytes);
        PyEval_RestoreThread(thread);
        PyObject *result = NULL;
        bool is_whole = status == CW_OK && len_bytes < room;
        if (is_whole)
            result = PyUnicode_Decode(text, (Py_ssize_t)len_bytes, encoding, errors);
        PyMem_Free(text);
        if (is_whole)
            return result;
        if (status != CW_OK)
            return raise_status(ws->state, ws, status);
    }
}

PyObject *websocket_info(websocket *ws, cw_info info)
{
    const char *encoding = info == CW_INFO_RESPONSE_HEADERS ? "latin-1" : "utf-8";
    return copy_text(ws, from_info, (int)info, encoding, "replace");
}

PyObject *websocket_option_text(websocket *ws, cw_option option)
{
    return copy_text(ws, from_option, (int)option, "utf-8", "surrogateescape");
}

/* A text that is None where it is empty. */
static PyObject *get_text(PyObject *self, void *closure)
{
    PyObject *text = websocket_info((websocket *)self, (cw_info)(intptr_t)closure);
    if (text != NULL && PyUnicode_GetLength(text) == 0) {
        Py_DECREF(text);
        Py_RETURN_NONE;
    }
    return text;
}

static PyObject *get_response_headers(PyObject *self, void *Py_UNUSED(closure))
{
    websocket *ws = (websocket *)self;
    PyObject *make = get_helper(ws->state, HELPER_headers);
    PyObject *text = make != NULL ? websocket_info(ws, CW_INFO_RESPONSE_HEADERS) : NULL;
    if (text == NULL)
        return NULL;
    PyObject *headers = PyObject_CallFunctionObjArgs(make, text, NULL);
    Py_DECREF(text);
    return headers;
}

static PyObject *header_pair(const cw_header *header)
{
    PyObject *name = PyUnicode_DecodeUTF8(header->name, (Py_ssize_t)header->name_len_bytes, NULL);
    PyObject *value = PyUnicode_DecodeUTF8(header->value, (Py_ssize_t)header->value_len_bytes, NULL);
    PyObject *pair = name != NULL && value != NULL ? PyTuple_Pack(2, name, value) : NULL;
    Py_XDECREF(name);
    Py_XDECREF(value);
    return pair;
}

PyObject *information_parse_headers(PyObject *Py_UNUSED(module), PyObject *lines)
{
    Py_ssize_t len = 0;
    const char *at = PyUnicode_AsUTF8AndSize(lines, &len); /* what ends names and values is ASCII */
    PyObject *pairs = at != NULL ? PyList_New(0) : NULL;
    const char *end = at != NULL ? at + len : NULL;
    cw_header header;
    while (pairs != NULL && cw_header_next(&at, end, &header)) {
        PyObject *pair = header_pair(&header);
        if (pair == NULL || PyList_Append(pairs, pair) < 0)
            Py_CLEAR(pairs);
        Py_XDECREF(pair);
    }
    return pairs;
}

static PyObject *get_state(PyObject *self, void *Py_UNUSED(closure))
{
    return PyUnicode_FromString(cw_state_text(cw_socket_state(((websocket *)self)->socket)));
}

static bool get_closed(websocket *ws, int *code, char *reason, size_t size_bytes)
{
    PyThreadState *thread = PyEval_SaveThread();
    bool was_clean = cw_socket_get_closed(ws->socket, code, reason, size_bytes);
    PyEval_RestoreThread(thread);
    return was_clean;
}

static PyObject *get_close_code(PyObject *self, void *Py_UNUSED(closure))
{
    int code = 0;
    get_closed((websocket *)self, &code, NULL, 0);
    if (code == 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(code);
}

static PyObject *get_close_reason(PyObject *self, void *Py_UNUSED(closure))
{
    int code = 0;
    char reason[256] = "";
    get_closed((websocket *)self, &code, reason, sizeof reason);
    return PyUnicode_DecodeUTF8(reason, (Py_ssize_t)strlen(reason), "replace");
}

static PyObject *get_was_clean(PyObject *self, void *Py_UNUSED(closure))
{
    int code = 0;
    return PyBool_FromLong(get_closed((websocket *)self, &code, NULL, 0));
}

static PyObject *get_control(PyObject *self, void *Py_UNUSED(closure))
{
    return control_create((websocket *)self);
}

/* An object that Python makes for a socket: the closure says by which helper. */
static PyObject *get_by_helper(PyObject *self, void *closure)
{
    PyObject *make = get_helper(((websocket *)self)->state, (helper)(intptr_t)closure);
    return make != NULL ? PyObject_CallFunctionObjArgs(make, self, NULL) : NULL;
}

PyObject *websocket_repr(PyObject *self) { return get_by_helper(self, (void *)(intptr_t)HELPER_describe); }

static PyObject *get_on_closed(PyObject *self, void *Py_UNUSED(closure))
{
    return websocket_get_handler((websocket *)self, HANDLER_CLOSED);
}

static int set_on_closed(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    return websocket_set_handler((websocket *)self, HANDLER_CLOSED, value);
}

#define INFO(name, info, doc)                               \
    {                                                       \
        name, get_text, NULL, doc, (void *)(intptr_t)(info) \
    }

PyGetSetDef information_members[] = {
    INFO("uri", CW_INFO_URI, "The URI as given to connect; None before. Any thread."),
    INFO("_public_uri", CW_INFO_PUBLIC_URI,
         "The URI without user name, password and query; None before. For people and logs. Any thread."),
    INFO("protocol", CW_INFO_PROTOCOL, "The subprotocol that the server chose, or None. Any thread."),
    INFO("extensions", CW_INFO_EXTENSIONS,
         "What compression was agreed on, as the server's header says it, or None. Any thread."),
    INFO("local_address", CW_INFO_LOCAL_ADDRESS,
         "Our end, as 'address:port'; None before connecting. Any thread."),
    INFO("remote_address", CW_INFO_REMOTE_ADDRESS,
         "The other end (the proxy's, where there is one), as 'address:port'; None before. Any thread."),
    INFO("framing", CW_INFO_FRAMING,
         "Who makes the frames: 'native', 'curl' (libcurl), or 'mixed' (sent natively, received by libcurl); "
         "None "
         "before connecting. Any thread."),
    {"response_headers", get_response_headers, NULL,
     "The headers of the server's reply: a mapping without regard to case. Any thread.", NULL},
    {"state", get_state, NULL, "'new', 'connecting', 'open', 'closing' or 'closed'. Any thread.", NULL},
    {"close_code", get_close_code, NULL,
     "The peer's close code; 1005 where it gave none, 1006 where the connection was lost, None before. Any "
     "thread.",
     NULL},
    {"close_reason", get_close_reason, NULL, "The peer's reason, or how the connection was lost. Any thread.",
     NULL},
    {"was_clean", get_was_clean, NULL, "Whether both close frames were exchanged. Any thread.", NULL},
    {"control", get_control, NULL, "The options of this socket, as attributes. Any thread.", NULL},
    {"information", get_by_helper, NULL,
     "uri, protocol, extensions, local_address, remote_address, framing, response_headers and state in one "
     "object. Any "
     "thread.",
     (void *)(intptr_t)HELPER_information},
    {"output_stream", get_by_helper, NULL,
     "A new raw binary stream (io.RawIOBase) of which each write is one message. Any thread.",
     (void *)(intptr_t)HELPER_output_stream},
    {"on_closed", get_on_closed, set_on_closed,
     "f(ws, args), called once by the dispatcher thread when the connection has ended, or None. Set after the "
     "end it is called then. An open socket that has it lives until it has been called. Any thread.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL}};

/* SPDX-License-Identifier: MIT */
/* Attributes that describe a connection and its end: the functions that return them. websocket.c lists the attributes. The
 * object ws.information, which is written in Python, has them too. */
#include "state.h"

#include <string.h>

static PyObject *info_text(websocket *ws, cw_info info)
{
    cw_status status;
    PyObject *text = copy_info(ws, info, &status);
    if (status != CW_OK)
        raise_status(ws->state, ws, status);
    return text;
}

PyObject *information_text(PyObject *self, void *closure)
{
    PyObject *text = info_text((websocket *)self, (cw_info)(intptr_t)closure);
    if (text != NULL && PyUnicode_GetLength(text) == 0) {
        Py_DECREF(text);
        Py_RETURN_NONE;
    }
    return text;
}

PyObject *information_headers(PyObject *self, void *Py_UNUSED(closure))
{
    websocket *ws = (websocket *)self;
    PyObject *make = get_helper(ws->state, HELPER_headers);
    PyObject *text = make != NULL ? info_text(ws, CW_INFO_RESPONSE_HEADERS) : NULL;
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
    const char *text =
        PyUnicode_AsUTF8AndSize(lines, &len); /* the colons and line ends between names and values are ASCII */
    PyObject *pairs = text != NULL ? PyList_New(0) : NULL;
    size_t at_bytes = 0;
    cw_header header;
    while (pairs != NULL && cw_header_next(text, (size_t)len, &at_bytes, &header)) {
        PyObject *pair = header_pair(&header);
        if (pair == NULL || PyList_Append(pairs, pair) < 0)
            Py_CLEAR(pairs);
        Py_XDECREF(pair);
    }
    return pairs;
}

PyObject *information_bandwidth(PyObject *self, void *Py_UNUSED(closure))
{
    websocket *ws = (websocket *)self;
    PyObject *make = get_helper(ws->state, HELPER_bandwidth);
    if (make == NULL)
        return NULL;
    cw_bandwidth_statistics b;
    PyThreadState *thread = PyEval_SaveThread();
    cw_status status = cw_socket_get_bandwidth_statistics(ws->socket, &b);
    PyEval_RestoreThread(thread);
    if (status != CW_OK)
        return raise_status(ws->state, ws, status);
    return PyObject_CallFunction(make, "KKKKOO", (unsigned long long)b.outbound_bits_per_second,
                                 (unsigned long long)b.inbound_bits_per_second,
                                 (unsigned long long)b.outbound_bits_per_second_instability,
                                 (unsigned long long)b.inbound_bits_per_second_instability,
                                 b.outbound_bandwidth_peaked ? Py_True : Py_False,
                                 b.inbound_bandwidth_peaked ? Py_True : Py_False);
}

/* Returns seconds, or None for a part that did not take place or did not end. */
static PyObject *seconds(int64_t us)
{
    return us == CW_TIMING_NONE ? Py_NewRef(Py_None) : PyFloat_FromDouble((double)us / 1000000);
}

PyObject *information_timings(PyObject *self, void *Py_UNUSED(closure))
{
    websocket *ws = (websocket *)self;
    cw_timings t;
    PyThreadState *thread = PyEval_SaveThread();
    cw_status status = cw_socket_get_timings(ws->socket, &t);
    PyEval_RestoreThread(thread);
    if (status != CW_OK)
        return raise_status(ws->state, ws, status);
    return Py_BuildValue("(NNNNNN)", seconds(t.look_up_us), seconds(t.tcp_us), seconds(t.proxy_us),
                         seconds(t.tls_us), seconds(t.upgrade_us), seconds(t.total_us));
}

PyObject *information_state(PyObject *self, void *Py_UNUSED(closure))
{
    return PyUnicode_FromString(cw_state_text(cw_socket_state(((websocket *)self)->socket)));
}

static bool get_closed(websocket *ws, int *code, char *reason, size_t size_bytes, size_t *len_bytes)
{
    PyThreadState *thread = PyEval_SaveThread();
    bool was_clean = cw_socket_get_closed(ws->socket, code, reason, size_bytes, len_bytes);
    PyEval_RestoreThread(thread);
    return was_clean;
}

PyObject *information_close_code(PyObject *self, void *Py_UNUSED(closure))
{
    int code = 0;
    get_closed((websocket *)self, &code, NULL, 0, NULL);
    if (code == 0)
        Py_RETURN_NONE;
    return PyLong_FromLong(code);
}

PyObject *information_close_reason(PyObject *self, void *Py_UNUSED(closure))
{
    int code = 0;
    char reason[256];
    size_t len_bytes;
    get_closed((websocket *)self, &code, reason, sizeof reason, &len_bytes);
    return PyUnicode_DecodeUTF8(reason, (Py_ssize_t)len_bytes, "replace");
}

PyObject *information_was_clean(PyObject *self, void *Py_UNUSED(closure))
{
    int code = 0;
    return PyBool_FromLong(get_closed((websocket *)self, &code, NULL, 0, NULL));
}

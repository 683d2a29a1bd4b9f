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

PyObject *information_latency(PyObject *self, void *Py_UNUSED(closure))
{
    websocket *ws = (websocket *)self;
    cw_latency l;
    PyThreadState *thread = PyEval_SaveThread();
    cw_status status = cw_socket_get_latency(ws->socket, &l);
    PyEval_RestoreThread(thread);
    if (status != CW_OK)
        return raise_status(ws->state, ws, status);
    return Py_BuildValue("(NNNN)", seconds(l.last_us), seconds(l.minimum_us), seconds(l.mean_us),
                         seconds(l.p99_us));
}

PyObject *information_buffered_amount(PyObject *self, void *Py_UNUSED(closure))
{
    websocket *ws = (websocket *)self;
    size_t len_bytes;
    PyThreadState *thread = PyEval_SaveThread();
    cw_status status = cw_socket_get_buffered_amount(ws->socket, &len_bytes);
    PyEval_RestoreThread(thread);
    return status == CW_OK ? PyLong_FromSize_t(len_bytes) : raise_status(ws->state, ws, status);
}

/* ---- Statistics ---- */

static PyObject *number_COUNT(uint64_t number, bool Py_UNUSED(is_known))
{
    return PyLong_FromUnsignedLongLong(number);
}

static PyObject *number_BYTES(uint64_t number, bool Py_UNUSED(is_known))
{
    return PyLong_FromUnsignedLongLong(number);
}

/* A time in seconds; None if nothing has been measured. */
static PyObject *number_US(uint64_t number, bool is_known)
{
    if (!is_known)
        Py_RETURN_NONE;
    return PyFloat_FromDouble((double)number / 1e6);
}

enum { IS_SUM_NOW = 0, IS_SUM_TOTAL = 1, IS_SUM_LAST = 0, IS_SUM_LEAST = 0, IS_SUM_MOST = 0, IS_SUM_MEAN = 0 };

enum {
#define CW_X(member, key, kind, unit, text) NUMBER_##member,
    CW_STATISTICS_LIST(CW_X)
#undef CW_X
        NUMBER_COUNT
};

/* Returns the numbers as a tuple, in the order of the table. */
static PyObject *tuple_of(const cw_statistics *n)
{
    PyObject *tuple = PyTuple_New(NUMBER_COUNT);
#define CW_X(member, key, kind, unit, text)                                               \
    if (tuple != NULL) {                                                                  \
        PyObject *number = number_##unit(n->member, IS_SUM_##kind || n->round_trips > 0); \
        if (number == NULL)                                                               \
            Py_CLEAR(tuple);                                                              \
        else                                                                              \
            PyTuple_SetItem(tuple, NUMBER_##member, number);                              \
    }
    CW_STATISTICS_LIST(CW_X)
#undef CW_X
    return tuple;
}

PyObject *information_statistics(PyObject *self, void *Py_UNUSED(closure))
{
    websocket *ws = (websocket *)self;
    cw_statistics n = {.size_bytes = sizeof n};
    PyThreadState *thread = PyEval_SaveThread();
    cw_status status = cw_socket_get_statistics(ws->socket, &n);
    PyEval_RestoreThread(thread);
    if (status != CW_OK)
        return raise_status(ws->state, ws, status);
    return tuple_of(&n);
}

/* Returns the counts that a function of the core gives one after another, as a dict. */
static PyObject *counts_of(bool (*next)(int *number, uint64_t *count))
{
    PyObject *counts = PyDict_New();
    uint64_t count;
    int number = -1;
    while (counts != NULL && next(&number, &count)) {
        PyObject *key = PyLong_FromLong(number), *value = PyLong_FromUnsignedLongLong(count);
        if (key == NULL || value == NULL || PyDict_SetItem(counts, key, value) < 0)
            Py_CLEAR(counts);
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return counts;
}

PyObject *information_process_statistics(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(none))
{
    cw_statistics n = {.size_bytes = sizeof n};
    PyThreadState *thread = PyEval_SaveThread();
    (void)cw_get_statistics(&n);
    PyEval_RestoreThread(thread);
    PyObject *numbers = tuple_of(&n);
    PyObject *closed = counts_of(cw_count_closed_next);
    PyObject *failed = counts_of(cw_count_failed_next);
    PyObject *all =
        numbers != NULL && closed != NULL && failed != NULL ? PyTuple_Pack(3, numbers, closed, failed) : NULL;
    Py_XDECREF(numbers);
    Py_XDECREF(closed);
    Py_XDECREF(failed);
    return all;
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

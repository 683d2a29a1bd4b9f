/* SPDX-License-Identifier: MIT */
/* Sets the controls that are headers, from a mapping of names to values or from pairs. control_text.c calls this file. */
#include "state.h"

static int refuse(cw_option option)
{
    PyErr_Format(
        PyExc_TypeError,
        "%s must be a mapping of names to values (or lists of them), or a list of pairs (name, value), all "
        "of str, or None",
        cw_option_key(option));
    return -1;
}

/* Adds the pair (name, value) to a list. Returns 0; -1 with an exception set. */
static int add_pair(cw_option option, PyObject *pairs, PyObject *name, PyObject *value)
{
    PyObject *pair;
    int result;
    if (!PyUnicode_Check(name) || !PyUnicode_Check(value))
        return refuse(option);
    pair = PyTuple_Pack(2, name, value);
    result = pair != NULL ? PyList_Append(pairs, pair) : -1;
    Py_XDECREF(pair);
    return result;
}

/* Adds the values of one name: a str, or a sequence of str. */
static int add_values(cw_option option, PyObject *pairs, PyObject *name, PyObject *values)
{
    if (PyUnicode_Check(values))
        return add_pair(option, pairs, name, values);
    PyObject *tuple = PyBytes_Check(values) ? NULL : PySequence_Tuple(values);
    int result = 0;
    if (tuple == NULL)
        return PyErr_Occurred() != NULL && !PyErr_ExceptionMatches(PyExc_TypeError) ? -1 : refuse(option);
    for (Py_ssize_t i = 0; i < PyTuple_Size(tuple) && result == 0; i++)
        result = add_pair(option, pairs, name, PyTuple_GetItem(tuple, i));
    Py_DECREF(tuple);
    return result;
}

/* Adds an item of a sequence, which must be a pair. */
static int add_item(cw_option option, PyObject *pairs, PyObject *item)
{
    PyObject *pair = PyUnicode_Check(item) || PyBytes_Check(item) ? NULL : PySequence_Tuple(item);
    int result;
    if (pair == NULL)
        return PyErr_Occurred() != NULL && !PyErr_ExceptionMatches(PyExc_TypeError) ? -1 : refuse(option);
    result = PyTuple_Size(pair) != 2
                 ? refuse(option)
                 : add_pair(option, pairs, PyTuple_GetItem(pair, 0), PyTuple_GetItem(pair, 1));
    Py_DECREF(pair);
    return result;
}

/* Returns a new list of pairs; NULL with an exception set. */
static PyObject *pairs_of(cw_option option, PyObject *value)
{
    bool is_mapping = PyMapping_Check(value) && PyObject_HasAttrString(value, "items");
    PyObject *items = is_mapping                                       ? PyMapping_Items(value)
                      : PyUnicode_Check(value) || PyBytes_Check(value) ? NULL
                                                                       : PySequence_Tuple(value);
    PyObject *tuple = items != NULL ? PySequence_Tuple(items) : NULL;
    PyObject *pairs = tuple != NULL ? PyList_New(0) : NULL;
    int result = 0;
    Py_XDECREF(items);
    if (tuple == NULL && (PyErr_Occurred() == NULL || PyErr_ExceptionMatches(PyExc_TypeError)))
        (void)refuse(option);
    for (Py_ssize_t i = 0; pairs != NULL && result == 0 && i < PyTuple_Size(tuple); i++) {
        PyObject *item = PyTuple_GetItem(tuple, i);
        result = is_mapping && PyTuple_Check(item) && PyTuple_Size(item) == 2
                     ? add_values(option, pairs, PyTuple_GetItem(item, 0), PyTuple_GetItem(item, 1))
                     : add_item(option, pairs, item);
    }
    Py_XDECREF(tuple);
    if (result < 0)
        Py_CLEAR(pairs);
    return pairs;
}

/* Fills headers with the texts of a list of pairs, which must stay. Returns false with an exception set. */
static bool fill(module_state *state, PyObject *pairs, cw_header *headers)
{
    for (Py_ssize_t i = 0; i < PyList_Size(pairs); i++) {
        PyObject *pair = PyList_GetItem(pairs, i);
        if (!parse_text(state, PyTuple_GetItem(pair, 0), "a header's name", &headers[i].name,
                        &headers[i].name_len_bytes) ||
            !parse_text(state, PyTuple_GetItem(pair, 1), "a header's value", &headers[i].value,
                        &headers[i].value_len_bytes))
            return false;
    }
    return true;
}

int control_set_headers(websocket *ws, cw_option option, PyObject *value)
{
    PyObject *pairs = value == Py_None ? PyList_New(0) : pairs_of(option, value);
    size_t count = pairs != NULL ? (size_t)PyList_Size(pairs) : 0;
    cw_header *headers = pairs != NULL ? PyMem_Calloc(count + 1, sizeof *headers) : NULL;
    int result = -1;
    if (pairs != NULL && headers == NULL) {
        PyErr_NoMemory();
    } else if (pairs != NULL && fill(ws->state, pairs, headers)) {
        blocking b;
        blocking_begin(ws->state, &b);
        cw_status status = blocking_end(&b, cw_socket_set_headers(ws->socket, option, headers, count));
        result = status == CW_OK ? 0 : -1;
        if (status != CW_OK)
            raise_status(ws->state, ws, status);
    }
    PyMem_Free(headers);
    Py_XDECREF(pairs);
    return result;
}

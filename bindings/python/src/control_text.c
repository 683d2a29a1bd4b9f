/* SPDX-License-Identifier: MIT */
/* Reads and sets the controls that are texts: paths, lists, bytes, and credentials. control.c calls this file. */
#include "state.h"

#include <stdio.h>
#include <string.h>

enum { ITEMS_BYTES = 100 };

bool control_is_text(cw_option option)
{
    switch (cw_option_type_of(option)) {
    case CW_TYPE_TEXT:
    case CW_TYPE_LIST:
    case CW_TYPE_BYTES:
    case CW_TYPE_CREDENTIAL:
    case CW_TYPE_SECRET:
    case CW_TYPE_PROXY:
    case CW_TYPE_HEADERS:
    case CW_TYPE_SECRET_BYTES:
    case CW_TYPE_TEXTS:
    case CW_TYPE_PAIRS:
        return true;
    default:
        return false;
    }
}

/* Returns what joins the items of a list for the core. */
static PyObject *separator_of(cw_option option)
{
    bool is_by_line = cw_option_type_of(option) == CW_TYPE_TEXTS || cw_option_type_of(option) == CW_TYPE_PAIRS;
    return PyUnicode_FromString(is_by_line ? "\n" : ", ");
}

static PyObject *split(cw_option option, PyObject *text)
{
    if (PyUnicode_GetLength(text) == 0)
        return PyList_New(0);
    PyObject *separator = separator_of(option);
    PyObject *list = separator != NULL ? PyUnicode_Split(text, separator, -1) : NULL;
    Py_XDECREF(separator);
    return list;
}

static PyObject *list_value(cw_option option, PyObject *text)
{
    PyObject *list = split(option, text);
    PyObject *tuple = list != NULL ? PySequence_Tuple(list) : NULL;
    Py_XDECREF(list);
    return tuple;
}

/* Returns whether a text is the word for no proxy, which Python writes as False. */
static bool is_no_proxy(cw_option option, PyObject *text)
{
    return cw_option_type_of(option) == CW_TYPE_PROXY && cw_option_words(option) != NULL &&
           PyUnicode_CompareWithASCIIString(text, cw_option_words(option)[0]) == 0;
}

/* Puts "NAME=value" into a dict. The value is an int or a str. */
static bool put_pair(PyObject *dict, PyObject *line)
{
    PyObject *mark = PyUnicode_FromString("=");
    PyObject *parts = mark != NULL ? PyUnicode_Partition(line, mark) : NULL;
    PyObject *value = NULL;
    Py_ssize_t len_bytes;
    if (parts != NULL) {
        const char *name = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(parts, 0), &len_bytes);
        const char *text = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(parts, 2), NULL);
        if (name != NULL && text != NULL)
            value = cw_curl_option_is_number(name, (size_t)len_bytes) ? PyLong_FromString(text, NULL, 10)
                                                                      : PyUnicode_FromString(text);
    }
    bool is_good = value != NULL && PyDict_SetItem(dict, PyTuple_GetItem(parts, 0), value) == 0;
    Py_XDECREF(value);
    Py_XDECREF(parts);
    Py_XDECREF(mark);
    return is_good;
}

static PyObject *pairs_value(PyObject *text)
{
    PyObject *lines = split(CW_OPT_CURL_OPTIONS, text);
    PyObject *dict = lines != NULL ? PyDict_New() : NULL;
    bool is_good = dict != NULL;
    for (Py_ssize_t i = 0; is_good && i < PyList_Size(lines); i++)
        is_good = put_pair(dict, PyList_GetItem(lines, i));
    Py_XDECREF(lines);
    if (!is_good)
        Py_CLEAR(dict);
    return dict;
}

PyObject *control_get_text(websocket *ws, cw_option option)
{
    cw_status status;
    PyObject *text = copy_option(ws, option, &status);
    if (status != CW_OK)
        raise_status(ws->state, ws, status);
    if (text == NULL)
        return NULL;
    cw_option_type type = cw_option_type_of(option);
    bool is_list = type == CW_TYPE_LIST || type == CW_TYPE_TEXTS || type == CW_TYPE_HEADERS;
    PyObject *value = is_list                     ? list_value(option, text)
                      : type == CW_TYPE_PAIRS     ? pairs_value(text)
                      : is_no_proxy(option, text) ? Py_NewRef(Py_False)
                      : PyObject_Size(text) > 0   ? Py_NewRef(text)
                                                  : Py_NewRef(Py_None);
    Py_DECREF(text);
    return value;
}

static int set_text(websocket *ws, cw_option option, const char *text, size_t len_bytes)
{
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(&b, cw_socket_set_text(ws->socket, option, text, len_bytes));
    if (status == CW_OK)
        return 0;
    raise_status(ws->state, ws, status);
    return -1;
}

/* Returns 0 if a value may be a path. Otherwise returns -1 with an exception set. */
static int check_path(cw_option option, PyObject *value)
{
    PyObject *method = NULL;
    if (PyUnicode_Check(value) || PyBytes_Check(value))
        return 0;
    int found = find_attribute(value, "__fspath__", &method);
    Py_XDECREF(method);
    if (found == 0)
        PyErr_Format(PyExc_TypeError, "%s must be a path: a str, bytes, os.PathLike or None, not %R",
                     cw_option_key(option), Py_TYPE(value));
    return found > 0 ? 0 : -1;
}

static int set_path(websocket *ws, cw_option option, PyObject *value)
{
    PyObject *bytes = NULL;
    char *text;
    Py_ssize_t len_bytes;
    if (value == Py_None)
        return set_text(ws, option, "", 0);
    if (PyUnicode_Check(value) && PyUnicode_GetLength(value) == 0)
        return set_text(ws, option, "", 0);
    if (check_path(option, value) < 0)
        return -1;
    if (!PyUnicode_FSConverter(value, &bytes)) {
        if (PyErr_ExceptionMatches(PyExc_ValueError)) {
            PyErr_Clear();
            raise_argument(ws->state,
                           "%s cannot be %R: a path must not contain NUL or characters that the encoding of "
                           "file names lacks",
                           cw_option_key(option), value);
        }
        return -1;
    }
    int result = -1;
    if (PyBytes_AsStringAndSize(bytes, &text, &len_bytes) == 0)
        result = set_text(ws, option, text, (size_t)len_bytes);
    Py_DECREF(bytes);
    return result;
}

static int set_bytes(websocket *ws, cw_option option, PyObject *value)
{
    Py_buffer view;
    if (value == Py_None)
        return set_text(ws, option, "", 0);
    if (!PyObject_CheckBuffer(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be a bytes-like object, or None, not %R", cw_option_key(option),
                     Py_TYPE(value));
        return -1;
    }
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE) < 0)
        return -1;
    int result = set_text(ws, option, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return result;
}

/* Checks one item of a list. The core gets all items joined, so it cannot detect a separator inside an item. */
static bool check_item(websocket *ws, cw_option option, PyObject *item)
{
    const char *text;
    size_t len_bytes;
    if (!PyUnicode_Check(item)) {
        PyErr_Format(PyExc_TypeError, "the items of %s must be str, not %R", cw_option_key(option),
                     Py_TYPE(item));
        return false;
    }
    if (!parse_text(ws->state, item, cw_option_key(option), &text, &len_bytes))
        return false;
    cw_status status = cw_option_check_item(option, text, len_bytes);
    if (status != CW_OK)
        raise_status(ws->state, ws, status);
    return status == CW_OK;
}

/* Checks the items of a tuple, and sets them. */
static int set_items(websocket *ws, cw_option option, PyObject *items)
{
    bool is_good = true;
    for (Py_ssize_t i = 0; is_good && i < PyTuple_Size(items); i++)
        is_good = check_item(ws, option, PyTuple_GetItem(items, i));
    PyObject *separator = is_good ? separator_of(option) : NULL;
    PyObject *joined = separator != NULL ? PyUnicode_Join(separator, items) : NULL;
    int result = -1;
    if (joined != NULL) {
        Py_ssize_t len_bytes;
        const char *text = PyUnicode_AsUTF8AndSize(joined, &len_bytes);
        if (text != NULL)
            result = set_text(ws, option, text, (size_t)len_bytes);
    }
    Py_XDECREF(joined);
    Py_XDECREF(separator);
    return result;
}

static int set_list(websocket *ws, cw_option option, PyObject *value)
{
    if (value == Py_None)
        return set_text(ws, option, "", 0);
    PyObject *items = NULL;
    if (!PyUnicode_Check(value) && !PyBytes_Check(value) && (items = PySequence_Tuple(value)) == NULL &&
        !PyErr_ExceptionMatches(PyExc_TypeError))
        return -1;
    if (items == NULL) {
        PyErr_Format(PyExc_TypeError, "%s must be a list of str, or None, not %R", cw_option_key(option),
                     Py_TYPE(value));
        return -1;
    }
    int result = set_items(ws, option, items);
    Py_DECREF(items);
    return result;
}

/* Returns the item "NAME=value". */
static PyObject *pair_item(cw_option option, PyObject *name, PyObject *value)
{
    const char *key = cw_option_key(option);
    Py_ssize_t len_bytes;
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "the names in %s must be str, not %R", key, Py_TYPE(name));
        return NULL;
    }
    const char *text = PyUnicode_AsUTF8AndSize(name, &len_bytes);
    bool is_text = PyUnicode_Check(value), is_number = PyLong_Check(value) && !PyBool_Check(value);
    if (text == NULL)
        return NULL;
    if (!is_text && !is_number) {
        PyErr_Format(PyExc_TypeError, "the values in %s must be int or str, not %R", key, Py_TYPE(value));
        return NULL;
    }
    PyObject *item = PyUnicode_FromFormat("%U=%S", name, value);
    Py_ssize_t item_bytes;
    const char *line = item != NULL ? PyUnicode_AsUTF8AndSize(item, &item_bytes) : NULL;
    bool is_known = line != NULL && cw_option_check_item(option, line, (size_t)item_bytes) == CW_OK;
    if (is_known && is_number != cw_curl_option_is_number(text, (size_t)len_bytes)) {
        PyErr_Format(PyExc_TypeError, "%U in %s must be %s, not %R", name, key, is_number ? "a str" : "an int",
                     Py_TYPE(value));
        Py_CLEAR(item);
    } else if (line == NULL) {
        Py_CLEAR(item);
    }
    return item;
}

/* Sets options by name, from a dict or another mapping. */
static int set_pairs(websocket *ws, cw_option option, PyObject *value)
{
    if (value == Py_None)
        return set_text(ws, option, "", 0);
    if (!PyDict_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be a dict of names and values, or None, not %R",
                     cw_option_key(option), Py_TYPE(value));
        return -1;
    }
    PyObject *pairs = PyDict_Items(value);
    PyObject *items = pairs != NULL ? PyTuple_New(PyList_Size(pairs)) : NULL;
    bool is_good = items != NULL;
    for (Py_ssize_t i = 0; is_good && i < PyList_Size(pairs); i++) {
        PyObject *pair = PyList_GetItem(pairs, i);
        PyObject *item = pair_item(option, PyTuple_GetItem(pair, 0), PyTuple_GetItem(pair, 1));
        is_good = item != NULL && PyTuple_SetItem(items, i, item) == 0;
    }
    int result = is_good ? set_items(ws, option, items) : -1;
    Py_XDECREF(items);
    Py_XDECREF(pairs);
    return result;
}

/* Sets a secret str. The errors do not show it. */
static int set_secret(websocket *ws, cw_option option, PyObject *value)
{
    const char *text = "";
    size_t len_bytes = 0;
    if (value != Py_None && !parse_text(ws->state, value, cw_option_key(option), &text, &len_bytes))
        return -1;
    return set_text(ws, option, text, len_bytes);
}

/* Sets a proxy. True is the environment's proxy, as None is, and False is no proxy. The errors do not show the value. */
static int set_proxy(websocket *ws, cw_option option, PyObject *value)
{
    const char *const *words = cw_option_words(option);
    const char *text = "";
    size_t len_bytes = 0;
    if (PyBool_Check(value) && words != NULL) {
        text = value == Py_False ? words[0] : "";
        len_bytes = strlen(text);
    } else if (value != Py_None && !PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be a str%s or None, not %R", cw_option_key(option),
                     words != NULL ? ", False, True" : "", Py_TYPE(value));
        return -1;
    } else if (value != Py_None && !parse_text(ws->state, value, cw_option_key(option), &text, &len_bytes)) {
        return -1;
    }
    return set_text(ws, option, text, len_bytes);
}

/* Sets a user name and a password. The errors show nothing of both. */
static int set_credential(websocket *ws, cw_option option, PyObject *value)
{
    const char *key = cw_option_key(option), *user = NULL, *password = NULL;
    size_t user_bytes = 0, password_bytes = 0;
    char items[ITEMS_BYTES];
    if (value != Py_None && (!PyTuple_Check(value) || PyTuple_Size(value) != 2)) {
        PyErr_Format(PyExc_TypeError, "%s must be a tuple of two str, (user, password), or None, not %s%R", key,
                     PyTuple_Check(value) ? "another " : "", Py_TYPE(value));
        return -1;
    }
    (void)snprintf(items, sizeof items, "each item of %s", key);
    if (value != Py_None &&
        !(parse_text(ws->state, PyTuple_GetItem(value, 0), items, &user, &user_bytes) &&
          parse_text(ws->state, PyTuple_GetItem(value, 1), items, &password, &password_bytes)))
        return -1;
    blocking b;
    blocking_begin(ws->state, &b);
    cw_status status = blocking_end(
        &b, cw_socket_set_credential(ws->socket, option, user, user_bytes, password, password_bytes));
    if (status == CW_OK)
        return 0;
    raise_status(ws->state, ws, status);
    return -1;
}

int control_set_text(websocket *ws, cw_option option, PyObject *value)
{
    switch (cw_option_type_of(option)) {
    case CW_TYPE_LIST:
    case CW_TYPE_TEXTS:
        return set_list(ws, option, value);
    case CW_TYPE_PAIRS:
        return set_pairs(ws, option, value);
    case CW_TYPE_BYTES:
    case CW_TYPE_SECRET_BYTES:
        return set_bytes(ws, option, value);
    case CW_TYPE_SECRET:
        return set_secret(ws, option, value);
    case CW_TYPE_PROXY:
        return set_proxy(ws, option, value);
    case CW_TYPE_HEADERS:
        return control_set_headers(ws, option, value);
    case CW_TYPE_CREDENTIAL:
        return set_credential(ws, option, value);
    default:
        return set_path(ws, option, value);
    }
}

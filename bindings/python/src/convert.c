/* SPDX-License-Identifier: MIT */
/* Converts Python arguments to C values: keywords, timeouts, texts and buffers. The files that define types use it. */
#include "state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_CHARACTERS = 100, TAKES_BYTES = 100 };

static int parameter_count(const signature *sig)
{
    int count = 0;
    while (sig->parameters[count] != NULL)
        count++;
    return count;
}

/* Returns the names of the parameters as a new str, such as "uri, timeout". */
static PyObject *parameter_list(const signature *sig)
{
    PyObject *list = PyUnicode_FromString(sig->parameters[0]);
    for (int i = 1; list != NULL && sig->parameters[i] != NULL; i++) {
        PyObject *longer = PyUnicode_FromFormat("%U, %s", list, sig->parameters[i]);
        Py_DECREF(list);
        list = longer;
    }
    return list;
}

static bool place_keyword(const signature *sig, PyObject *name, PyObject *value, PyObject *out[ARGUMENTS_MAX])
{
    for (int i = 0; i < ARGUMENTS_MAX && sig->parameters[i] != NULL; i++) {
        if (PyUnicode_CompareWithASCIIString(name, sig->parameters[i]) != 0)
            continue;
        if (out[i] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got two values for '%U'", sig->name, name);
            return false;
        }
        out[i] = value;
        return true;
    }
    PyObject *list = parameter_list(sig);
    if (list != NULL)
        PyErr_Format(PyExc_TypeError, "%s() has no parameter '%U'; it takes %U", sig->name, name, list);
    Py_XDECREF(list);
    return false;
}

bool check_method(websocket *ws, method which, const char *name)
{
    unsigned bit = 1u << which;
    if (atomic_load_explicit(&ws->called, memory_order_relaxed) & bit)
        return true;
    atomic_fetch_or_explicit(&ws->called, bit, memory_order_relaxed);
    PyObject *check = get_helper(ws->state, HELPER_check_call);
    PyObject *result = check != NULL ? PyObject_CallFunction(check, "s", name) : NULL;
    Py_XDECREF(result);
    return result != NULL;
}

/* Sets the TypeError for a call with too many arguments. Returns false. */
static bool refuse_count(const signature *sig, Py_ssize_t count)
{
    int most = parameter_count(sig) - sig->keyword_only;
    const char *plural = most == 1 ? "" : "s";
    if (sig->keyword_only > 0)
        PyErr_Format(PyExc_TypeError,
                     "%s() takes at most %d argument%s without a name, not %zd; give %s as %s=", sig->name,
                     most, plural, count, sig->parameters[most], sig->parameters[most]);
    else
        PyErr_Format(PyExc_TypeError, "%s() takes at most %d argument%s, not %zd", sig->name, most, plural,
                     count);
    return false;
}

bool sort_arguments(const signature *sig, PyObject *const *args, Py_ssize_t count, PyObject *names,
                    PyObject *out[ARGUMENTS_MAX])
{
    if (count > sig->required && count > parameter_count(sig) - sig->keyword_only)
        return refuse_count(sig, count);
    for (int i = 0; i < ARGUMENTS_MAX; i++)
        out[i] = i < count ? args[i] : NULL;
    Py_ssize_t keywords = names != NULL ? PyTuple_Size(names) : 0;
    for (Py_ssize_t i = 0; i < keywords; i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        if (name == NULL || !place_keyword(sig, name, args[count + i], out))
            return false;
    }
    for (int i = 0; i < sig->required; i++) {
        if (out[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() needs the argument '%s'", sig->name, sig->parameters[i]);
            return false;
        }
    }
    return true;
}

bool parse_arguments(websocket *ws, const signature *sig, PyObject *const *args, Py_ssize_t count,
                     PyObject *names, PyObject *out[ARGUMENTS_MAX])
{
    return check_method(ws, sig->method, sig->name) && sort_arguments(sig, args, count, names, out);
}

/* Returns the repr of a value for an error text, cut at SHOWN_CHARACTERS. Python refuses to print an int of more than 4,300
 * digits, so such an int is only described. */
static PyObject *shown(PyObject *value)
{
    PyObject *text = PyObject_Repr(value);
    if (text == NULL && PyLong_Check(value) && PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        return PyUnicode_FromString("an int of thousands of digits");
    }
    if (text == NULL || PyUnicode_GetLength(text) <= SHOWN_CHARACTERS)
        return text;
    PyObject *start = PyUnicode_Substring(text, 0, SHOWN_CHARACTERS);
    Py_DECREF(text);
    text = start != NULL ? PyUnicode_FromFormat("%U...", start) : NULL;
    Py_XDECREF(start);
    return text;
}

bool refuse_value(module_state *state, const char *what, PyObject *value, const char *takes)
{
    PyObject *text = shown(value);
    if (text != NULL)
        raise_argument(state, "%s cannot be %U: it takes %s", what, text, takes);
    Py_XDECREF(text);
    return false;
}

bool parse_int(PyObject *value, const char *what, const char *kind, int64_t *number, int *overflow)
{
    PyObject *index = PyIndex_Check(value) && !PyBool_Check(value) ? PyNumber_Index(value) : NULL;
    if (index == NULL) {
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_TypeError, "%s must be %s, not %R", what, kind, Py_TYPE(value));
        return false;
    }
    *number = PyLong_AsLongLongAndOverflow(index, overflow);
    Py_DECREF(index);
    return true;
}

/* Converts a number of seconds to a double. An int that is too large for a double becomes plus or minus infinity. */
static bool seconds_of(PyObject *value, const char *what, const char *or_none, double *seconds)
{
    bool is_bool = PyBool_Check(value);
    *seconds = is_bool ? -1.0 : PyFloat_AsDouble(value);
    if (!is_bool && (*seconds != -1.0 || !PyErr_Occurred()))
        return true;
    if (is_bool || PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "%s must be a number of seconds%s, not %R", what, or_none,
                     Py_TYPE(value));
    if (!PyErr_ExceptionMatches(PyExc_OverflowError) || !PyLong_Check(value))
        return false;
    PyErr_Clear();
    int overflow;
    (void)PyLong_AsLongLongAndOverflow(value, &overflow);
    *seconds = overflow * HUGE_VAL;
    return true;
}

bool parse_seconds(module_state *state, PyObject *value, const char *what, const char *or_none, int64_t none_ms,
                   int64_t *out_ms)
{
    char takes[TAKES_BYTES];
    if (value == Py_None && *or_none != '\0') {
        *out_ms = none_ms;
        return true;
    }
    double seconds = -1;
    if (value != Py_None && !seconds_of(value, what, or_none, &seconds))
        return false;
    if (!(seconds >= 0)) {
        (void)snprintf(takes, sizeof takes, "0 or more seconds%s", or_none);
        return refuse_value(state, what, value, takes);
    }
    *out_ms = cw_ms_of_seconds(seconds);
    return true;
}

bool parse_timeout(module_state *state, PyObject *value, int *timeout_ms)
{
    if (value == NULL || value == state->helpers[HELPER_default]) {
        *timeout_ms = CW_TIMEOUT_DEFAULT;
        return true;
    }
    int64_t ms = 0;
    if (!parse_seconds(state, value, "timeout", ", or None for no limit", CW_TIMEOUT_NEVER, &ms))
        return false;
    *timeout_ms = (int)ms;
    return true;
}

bool parse_only_timeout(websocket *ws, const signature *sig, PyObject *const *args, Py_ssize_t count,
                        PyObject *names, int *timeout_ms)
{
    PyObject *given[ARGUMENTS_MAX];
    return parse_arguments(ws, sig, args, count, names, given) &&
           parse_timeout(ws->state, given[0], timeout_ms);
}

/* Borrows the UTF-8 of a str. A lone surrogate has no UTF-8, so it is an ArgumentError. */
static bool borrow_utf8(module_state *state, PyObject *value, const char *what, const char **text,
                        size_t *len_bytes)
{
    Py_ssize_t len;
    *text = PyUnicode_AsUTF8AndSize(value, &len);
    if (*text == NULL) {
        if (PyErr_ExceptionMatches(PyExc_UnicodeError)) {
            PyErr_Clear();
            raise_argument(state,
                           "%s has a lone surrogate, which UTF-8 cannot carry; replace it, as with "
                           "encode(errors='replace')",
                           what);
        }
        return false;
    }
    *len_bytes = (size_t)len;
    return true;
}

bool parse_text(module_state *state, PyObject *value, const char *what, const char **text, size_t *len_bytes)
{
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be a str, not %R", what, Py_TYPE(value));
        return false;
    }
    return borrow_utf8(state, value, what, text, len_bytes);
}

bool parse_flag(PyObject *value, const char *what, bool *out)
{
    if (!PyBool_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be True or False, not %R", what, Py_TYPE(value));
        return false;
    }
    *out = value == Py_True;
    return true;
}

bool parse_choice(PyObject *value, const char *what, choice *out)
{
    *out = CHOICE_OPEN;
    if (value == NULL || value == Py_None)
        return true;
    if (!PyBool_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be True, False or None, not %R", what, Py_TYPE(value));
        return false;
    }
    *out = value == Py_True ? CHOICE_YES : CHOICE_NO;
    return true;
}

bool parse_compress(PyObject *value, cw_compress *out)
{
    static const cw_compress values[] = {CW_COMPRESS_DEFAULT, CW_COMPRESS_NEVER, CW_COMPRESS_ALWAYS};
    choice chosen;
    if (!parse_choice(value, "compress", &chosen))
        return false;
    *out = values[chosen];
    return true;
}

PyObject *parse_function(module_state *state, PyObject *value, const char *what, helper otherwise)
{
    if (value == NULL || value == Py_None)
        return get_helper(state, otherwise);
    if (PyCallable_Check(value))
        return value;
    PyErr_Format(PyExc_TypeError, "%s must be a function, such as json.%s, not %R", what, what, Py_TYPE(value));
    return NULL;
}

bool payload_acquire(module_state *state, PyObject *object, const char *what, payload *p)
{
    p->has_view = false;
    if (PyUnicode_Check(object)) {
        const char *text;
        p->message_type = CW_UTF8;
        if (!borrow_utf8(state, object, "the text", &text, &p->len_bytes))
            return false;
        p->data = text;
        return true;
    }
    p->message_type = CW_BINARY;
    if (!PyObject_CheckBuffer(object)) {
        if (what != NULL)
            PyErr_Format(PyExc_TypeError, "%s takes a str or a bytes-like object, not %R", what,
                         Py_TYPE(object));
        return false;
    }
    if (PyObject_GetBuffer(object, &p->view, PyBUF_SIMPLE) < 0)
        return false;
    p->has_view = true;
    p->data = p->view.buf;
    p->len_bytes = (size_t)p->view.len;
    return true;
}

void payload_release(payload *p)
{
    if (p->has_view)
        PyBuffer_Release(&p->view);
    p->has_view = false;
}

int find_attribute(PyObject *object, const char *name, PyObject **found)
{
    *found = PyObject_GetAttrString(object, name);
    if (*found != NULL)
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_AttributeError))
        return -1;
    PyErr_Clear();
    return 0;
}

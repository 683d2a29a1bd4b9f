/* SPDX-License-Identifier: MIT */
/* The type Reconnect: the core's rules for reconnecting (cw_reconnect), for the package. The package connects and waits. Times
 * are in seconds here, and in milliseconds in the core. module.c adds the type. */
#include "state.h"

#include <string.h>

typedef struct reconnect {
    PyObject_HEAD module_state *state;
    cw_reconnect *rules; /* fields_lock() guards it */
} reconnect;

static int64_t ms_of(double seconds) { return (int64_t)(seconds * 1000); }

static PyObject *reconnect_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    module_state *state = state_of_type(type);
    reconnect *r = state != NULL ? (reconnect *)PyType_GenericAlloc(type, 0) : NULL;
    if (r == NULL)
        return NULL;
    r->state = state;
    cw_status status = cw_reconnect_create(&r->rules);
    if (status == CW_OK && (keywords == NULL || PyDict_Size(keywords) == 0) && PyTuple_Size(args) == 0)
        return (PyObject *)r;
    if (status != CW_OK)
        raise_status(state, NULL, status);
    else
        PyErr_SetString(PyExc_TypeError, "Reconnect() takes no arguments");
    Py_DECREF(r);
    return NULL;
}

static void reconnect_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    cw_reconnect_release(((reconnect *)self)->rules);
    free_object(self);
    Py_DECREF(type);
}

typedef struct setting {
    const char *name;
    bool is_time;
    const char *or_none; /* for error texts; "" = None is not allowed */
} setting;

enum { MS, NUMBER };
static const setting settings[CW_RECONNECT_COUNT] = {
#define CW_X(name, key, type, at_first, least, most, none, text) \
    {key, (type) == MS, (const char *)(none) != NULL ? ", or None for no limit" : ""},
    CW_RECONNECT_LIST(CW_X)
#undef CW_X
};

/* Converts a value of a setting. Returns false with an exception set if it is none. */
static bool parse_setting(module_state *state, const setting *s, PyObject *value, int64_t *number)
{
    int overflow = 0;
    if (s->is_time)
        return parse_seconds(state, value, s->name, s->or_none, -1, number);
    *number = -1;
    if (value == Py_None)
        return true;
    if (!parse_int(value, s->name, "an int, or None for no limit", number, &overflow))
        return false;
    if (overflow == 0 && *number > 0)
        return true;
    return refuse_value(state, s->name, value, "1 or more, or None for no limit");
}

static PyObject *reconnect_set(PyObject *self, PyObject *args)
{
    reconnect *r = (reconnect *)self;
    const char *name;
    PyObject *value;
    int64_t number = 0;
    if (!PyArg_ParseTuple(args, "sO", &name, &value))
        return NULL;
    for (int i = 0; i < CW_RECONNECT_COUNT; i++) {
        if (strcmp(name, settings[i].name) != 0)
            continue;
        if (!parse_setting(r->state, &settings[i], value, &number))
            return NULL;
        fields_lock();
        cw_status status = cw_reconnect_set(r->rules, (cw_reconnect_setting)i, number);
        fields_unlock();
        if (status == CW_OK)
            Py_RETURN_NONE;
        refuse_value(r->state, name, value,
                     settings[i].is_time ? "0.001 to 2147483.647 seconds" : "1 to 2147483647");
        return NULL;
    }
    PyErr_Format(PyExc_TypeError, "there is no setting %s; use a field of ReconnectPolicy", name);
    return NULL;
}

static PyObject *reconnect_begin(PyObject *self, PyObject *args)
{
    double now;
    if (!PyArg_ParseTuple(args, "d", &now))
        return NULL;
    fields_lock();
    int64_t attempt = cw_reconnect_attempt(((reconnect *)self)->rules, ms_of(now));
    fields_unlock();
    return PyLong_FromLongLong(attempt);
}

static PyObject *reconnect_opened(PyObject *self, PyObject *args)
{
    double now;
    if (!PyArg_ParseTuple(args, "d", &now))
        return NULL;
    uint64_t random = cw_random_number();
    fields_lock();
    int64_t renew_ms = cw_reconnect_opened(((reconnect *)self)->rules, ms_of(now), random);
    fields_unlock();
    if (renew_ms < 0)
        Py_RETURN_NONE;
    return PyFloat_FromDouble((double)renew_ms / 1000);
}

static PyObject *reconnect_ended(PyObject *self, PyObject *args)
{
    double now;
    if (!PyArg_ParseTuple(args, "d", &now))
        return NULL;
    fields_lock();
    bool is_new = cw_reconnect_ended(((reconnect *)self)->rules, ms_of(now));
    fields_unlock();
    return PyBool_FromLong(is_new);
}

/* Converts an argument that is seconds or None. */
static bool seconds_or_none(PyObject *value, double *seconds)
{
    *seconds = value == Py_None ? -1 : PyFloat_AsDouble(value);
    return !PyErr_Occurred();
}

static PyObject *reconnect_next(PyObject *self, PyObject *args)
{
    cw_reconnect *rules = ((reconnect *)self)->rules;
    double now, given_s, retry_after_s;
    PyObject *given, *retry_after;
    char text[160];
    int64_t delay_ms;
    if (!PyArg_ParseTuple(args, "dOO", &now, &given, &retry_after) || !seconds_or_none(given, &given_s) ||
        !seconds_or_none(retry_after, &retry_after_s))
        return NULL;
    uint64_t random = cw_random_number();
    int64_t given_ms = given_s < 0 ? -1 : cw_ms_of_seconds(given_s);
    int64_t after_s = retry_after_s < 0 ? -1 : (int64_t)cw_ms_of_seconds(retry_after_s) / 1000;
    fields_lock();
    cw_reconnect_verdict verdict = cw_reconnect_next(rules, ms_of(now), random, given_ms, after_s, &delay_ms);
    cw_reconnect_explain(rules, verdict, text, sizeof text);
    fields_unlock();
    if (verdict == CW_RECONNECT_AGAIN)
        return PyFloat_FromDouble((double)delay_ms / 1000);
    return PyUnicode_FromString(text);
}

static PyObject *reconnect_renew(PyObject *self, PyObject *Py_UNUSED(none))
{
    uint64_t random = cw_random_number();
    fields_lock();
    int64_t delay_ms = cw_reconnect_renew(((reconnect *)self)->rules, random);
    fields_unlock();
    return PyFloat_FromDouble((double)delay_ms / 1000);
}

static PyObject *reconnect_is_retried(PyObject *Py_UNUSED(self), PyObject *args)
{
    int close_code, http_status, web_status;
    if (!PyArg_ParseTuple(args, "iii", &close_code, &http_status, &web_status))
        return NULL;
    return PyBool_FromLong(cw_reconnect_is_retried(close_code, http_status, web_status));
}

static PyMethodDef methods[] = {
    {"set", reconnect_set, METH_VARARGS,
     "set($self, name, value, /)\n--\n\nSets a setting. Times are in seconds; None = no limit."},
    {"begin", reconnect_begin, METH_VARARGS,
     "begin($self, now, /)\n--\n\nNotes that an attempt begins, and returns its number."},
    {"opened", reconnect_opened, METH_VARARGS,
     "opened($self, now, /)\n--\n\nNotes that the connection is open. Returns when max_age wants it renewed, "
     "or "
     "None."},
    {"ended", reconnect_ended, METH_VARARGS,
     "ended($self, now, /)\n--\n\nNotes that the connection has ended, or that the attempt has failed. Returns "
     "whether a new series begins."},
    {"next", reconnect_next, METH_VARARGS,
     "next($self, now, given, retry_after, /)\n--\n\nReturns the seconds to wait before the next attempt, or a "
     "str: why there is none."},
    {"renew", reconnect_renew, METH_NOARGS,
     "renew($self, /)\n--\n\nReturns the seconds to wait before the attempt after an end on purpose."},
    {"is_retried", reconnect_is_retried, METH_VARARGS | METH_STATIC,
     "is_retried(close_code, http_status, web_status, /)\n--\n\nReturns whether the default rules want another "
     "attempt."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_doc, (void *)"Reconnect()\n--\n\nThe rules for reconnecting. Only the package uses it."},
    {Py_tp_new, SLOT(reconnect_new)},
    {Py_tp_dealloc, SLOT(reconnect_dealloc)},
    {Py_tp_methods, methods},
    {0, NULL}};

static PyType_Spec spec = {.name = "curlwire._core.Reconnect",
                           .basicsize = sizeof(reconnect),
                           .flags = Py_TPFLAGS_DEFAULT,
                           .slots = slots};

bool add_reconnect_type(PyObject *module)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    bool is_good = type != NULL && PyModule_AddType(module, type) == 0;
    Py_XDECREF((PyObject *)type);
    return is_good;
}

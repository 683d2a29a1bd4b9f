/* SPDX-License-Identifier: MIT */
/* What DataReader and DataWriter share. data_reader.c and data_writer.c call it. It calls errors.c and convert.c. */
#include "data.h"

data_object *data_create(PyTypeObject *type, PyObject *stream, const char *method)
{
    module_state *state = state_of_type(type);
    data_object *d = state != NULL ? (data_object *)PyType_GenericAlloc(type, 0) : NULL;
    if (d == NULL)
        return NULL;
    d->state = state;
    d->byte_order = CW_BIG_ENDIAN;
    if (stream == NULL)
        return d;
    PyObject *call;
    int is_found = find_attribute(stream, method, &call);
    Py_XDECREF(call);
    if (is_found < 0) {
        Py_DECREF(d);
        return NULL;
    }
    if (!is_found) {
        PyErr_Format(PyExc_TypeError,
                     "the stream of a %s must be a binary file object with %s(), not %R; such objects are "
                     "ws.input_stream, ws.output_stream and open(path, 'rb')",
                     *method == 'r' ? "DataReader" : "DataWriter", method, Py_TYPE(stream));
        Py_DECREF(d);
        return NULL;
    }
    PyObject *io = PyImport_ImportModule("io");
    PyObject *base = io != NULL ? PyObject_GetAttrString(io, "RawIOBase") : NULL;
    int is_raw = base != NULL ? PyObject_IsInstance(stream, base) : -1;
    Py_XDECREF(base);
    Py_XDECREF(io);
    if (is_raw < 0) {
        Py_DECREF(d);
        return NULL;
    }
    d->is_raw = is_raw > 0;
    d->stream = Py_NewRef(stream);
    return d;
}

/* The name of the object's type, for texts. */
static const char *type_name(const data_object *d)
{
    return Py_TYPE((PyObject *)(uintptr_t)d) == d->state->types[TYPE_DATA_READER] ? "DataReader" : "DataWriter";
}

bool data_raise_busy(data_object *d, const char *call)
{
    if (d->is_closed)
        raise_state(d->state, "%s failed: this %s is closed; make a new one", call, type_name(d));
    else
        raise_state(d->state, "%s failed: another call uses this %s; wait until that call has returned", call,
                    type_name(d));
    return false;
}

bool data_raise_no_stream(data_object *d, const char *call)
{
    raise_state(d->state,
                d->was_detached ? "%s failed: the stream of this %s was detached; make a new one with a stream"
                                : "%s failed: this %s has no stream, only memory; make one with a stream",
                call, type_name(d));
    return false;
}

PyObject *data_begin(data_object *d, const char *call)
{
    data_lock(d);
    bool is_free = data_is_free(d);
    PyObject *stream = is_free ? Py_XNewRef(d->stream) : NULL;
    d->is_busy = d->is_busy || stream != NULL;
    data_unlock(d);
    if (stream == NULL)
        (void)(is_free ? data_raise_no_stream(d, call) : data_raise_busy(d, call));
    return stream;
}

void data_end(data_object *d)
{
    data_lock(d);
    d->is_busy = false;
    data_unlock(d);
}

bool data_close(data_object *d)
{
    data_lock(d);
    PyObject *stream = d->stream;
    d->stream = NULL;
    d->is_closed = true;
    data_unlock(d);
    if (stream == NULL)
        return true;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback); /* an exception may be set, by the warning about unstored bytes */
    PyObject *call;
    int has_close = find_attribute(stream, "close", &call);
    PyObject *result = has_close > 0 ? PyObject_CallNoArgs(call) : NULL;
    Py_XDECREF(call);
    Py_DECREF(stream);
    Py_XDECREF(result);
    if (has_close != 0 && result == NULL) {
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return false;
    }
    PyErr_Restore(type, value, traceback);
    return type == NULL;
}

int data_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((data_object *)self)->stream);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

bool data_parse_count(data_object *d, PyObject *value, const char *what, size_t *count)
{
    int64_t number;
    int overflow;
    if (!parse_int(value, what, "an int", &number, &overflow))
        return false;
    if (overflow != 0 || number < 0 || number > PY_SSIZE_T_MAX)
        return refuse_value(d->state, what, value, "0 or more");
    *count = (size_t)number;
    return true;
}

PyObject *data_detach_stream(PyObject *self, PyObject *Py_UNUSED(none))
{
    data_object *d = (data_object *)self;
    data_lock(d);
    bool is_free = data_is_free(d);
    PyObject *stream = is_free ? d->stream : NULL;
    if (stream != NULL) {
        d->stream = NULL;
        d->was_detached = true;
    }
    data_unlock(d);
    if (stream == NULL)
        (void)(is_free ? data_raise_no_stream(d, "detach_stream()") : data_raise_busy(d, "detach_stream()"));
    return stream;
}

PyObject *data_enter(PyObject *self, PyObject *Py_UNUSED(none))
{
    data_object *d = (data_object *)self;
    if (d->is_closed) {
        (void)data_raise_busy(d, "with");
        return NULL;
    }
    return Py_NewRef(self);
}

bool data_parse_choice(module_state *state, PyObject *value, enum_index index, const char *what,
                       const char *const words[], const char *takes, long *number)
{
    if (value == NULL) {
        PyErr_Format(PyExc_AttributeError, "%s cannot be deleted; set a value instead", what);
        return false;
    }
    int is_member = PyObject_IsInstance(value, state->enums[index]);
    if (is_member < 0)
        return false;
    if (is_member > 0) {
        *number = PyLong_AsLong(value);
        return *number != -1 || !PyErr_Occurred();
    }
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be %s or a member of the enumeration, not %R", what, takes,
                     Py_TYPE(value));
        return false;
    }
    for (long i = 0; words[i] != NULL; i++) {
        if (PyUnicode_CompareWithASCIIString(value, words[i]) == 0) {
            *number = i;
            return true;
        }
    }
    return refuse_value(state, what, value, takes);
}

PyObject *data_get_byte_order(PyObject *self, void *Py_UNUSED(closure))
{
    data_object *d = (data_object *)self;
    return enum_member(d->state, ENUM_BYTE_ORDER, d->byte_order);
}

int data_set_byte_order(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    static const char *const words[] = {"little_endian", "big_endian", NULL};
    data_object *d = (data_object *)self;
    long number = 0;
    if (!data_parse_choice(d->state, value, ENUM_BYTE_ORDER, "byte_order", words,
                           "'little_endian' or 'big_endian'", &number))
        return -1;
    d->byte_order = (cw_byte_order)number;
    return 0;
}

PyObject *data_get_encoding(PyObject *self, void *Py_UNUSED(closure))
{
    data_object *d = (data_object *)self;
    return enum_member(d->state, ENUM_UNICODE_ENCODING, d->encoding);
}

int data_set_encoding(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    static const char *const words[] = {"utf8", "utf16le", "utf16be", NULL};
    data_object *d = (data_object *)self;
    long number = 0;
    if (!data_parse_choice(d->state, value, ENUM_UNICODE_ENCODING, "unicode_encoding", words,
                           "'utf8', 'utf16le' or 'utf16be'", &number))
        return -1;
    d->encoding = (cw_encoding)number;
    return 0;
}

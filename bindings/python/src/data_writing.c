/* SPDX-License-Identifier: MIT */
/* The write methods of DataWriter: they append the bytes of values to memory. data_writer.c calls it. */
#include "data.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEAST_ROOM_BYTES = 256, TAKES_BYTES = 80 };

/* ---- The buffer ---- */

static bool reserve_locked(data_writer *w, size_t len_bytes)
{
    size_t have = w->end - w->start;
    if (w->room - w->end >= len_bytes)
        return true;
    if (len_bytes > (size_t)PY_SSIZE_T_MAX / 2 - have)
        return false;
    size_t room = 2 * (have + len_bytes) < LEAST_ROOM_BYTES ? LEAST_ROOM_BYTES : 2 * (have + len_bytes);
    char *bytes = PyMem_Malloc(room);
    if (bytes == NULL)
        return false;
    if (have > 0)
        memcpy(bytes, w->bytes + w->start, have);
    PyMem_Free(w->bytes);
    w->bytes = bytes;
    w->room = room;
    w->start = 0;
    w->end = have;
    return true;
}

/* Begins to append bytes: locks the writer, and makes room. Returns the place; NULL, unlocked, with an exception set. */
static char *append_begin(data_writer *w, const char *call, size_t len_bytes)
{
    data_lock(&w->data);
    bool is_free = data_is_free(&w->data);
    if (is_free && reserve_locked(w, len_bytes)) {
        char *at = w->bytes + w->end;
        w->end += len_bytes;
        return at;
    }
    data_unlock(&w->data);
    if (is_free)
        PyErr_NoMemory();
    else
        (void)data_raise_busy(&w->data, call);
    return NULL;
}

static PyObject *append(data_writer *w, const char *call, const void *data, size_t len_bytes)
{
    char *at = append_begin(w, call, len_bytes);
    if (at == NULL)
        return NULL;
    if (len_bytes > 0)
        memcpy(at, data, len_bytes);
    data_unlock(&w->data);
    Py_RETURN_NONE;
}

/* ---- Writing ---- */

static PyObject *append_number(PyObject *self, const char *call, size_t size_bytes, uint64_t number)
{
    data_writer *w = (data_writer *)self;
    uint8_t bytes[8];
    cw_number_write(bytes, size_bytes, w->data.byte_order, number);
    return append(w, call, bytes, size_bytes);
}

static PyObject *refuse(PyObject *self, const char *call, PyObject *value, const char *takes)
{
    char what[48];
    (void)snprintf(what, sizeof what, "the value of %s", call);
    (void)refuse_value(((data_object *)self)->state, what, value, takes);
    return NULL;
}

static PyObject *append_signed(PyObject *self, const char *call, size_t size_bytes, PyObject *value)
{
    int64_t number, most = (int64_t)(UINT64_MAX >> (65 - 8 * size_bytes));
    int overflow;
    char takes[TAKES_BYTES];
    if (!parse_int(value, call, "an int", &number, &overflow))
        return NULL;
    if (overflow == 0 && number >= -most - 1 && number <= most)
        return append_number(self, call, size_bytes, (uint64_t)number);
    (void)snprintf(takes, sizeof takes, "%lld to %lld", (long long)(-most - 1), (long long)most);
    return refuse(self, call, value, takes);
}

static PyObject *append_unsigned(PyObject *self, const char *call, size_t size_bytes, PyObject *value)
{
    uint64_t number, most = UINT64_MAX >> (64 - 8 * size_bytes);
    int64_t is_int;
    int overflow;
    char takes[TAKES_BYTES];
    if (!parse_int(value, call, "an int", &is_int, &overflow))
        return NULL;
    number = (uint64_t)is_int;
    bool is_good = overflow == 0 && is_int >= 0 && number <= most;
    if (overflow > 0 && size_bytes == 8) { /* beyond 2^63 */
        PyObject *index = PyNumber_Index(value);
        number = index != NULL ? PyLong_AsUnsignedLongLong(index) : 0;
        Py_XDECREF(index);
        is_good = !PyErr_Occurred();
        if (!is_good && !PyErr_ExceptionMatches(PyExc_OverflowError))
            return NULL;
        PyErr_Clear();
    }
    if (is_good)
        return append_number(self, call, size_bytes, number);
    (void)snprintf(takes, sizeof takes, "0 to %llu", (unsigned long long)most);
    return refuse(self, call, value, takes);
}

#define WRITE(name, kind, size_bytes)                              \
    PyObject *name(PyObject *self, PyObject *value)                \
    {                                                              \
        return append_##kind(self, #name "()", size_bytes, value); \
    }

WRITE(write_byte, unsigned, 1)
WRITE(write_uint16, unsigned, 2)
WRITE(write_uint32, unsigned, 4)
WRITE(write_uint64, unsigned, 8)
WRITE(write_int16, signed, 2)
WRITE(write_int32, signed, 4)
WRITE(write_int64, signed, 8)

PyObject *write_boolean(PyObject *self, PyObject *value)
{
    bool flag;
    return parse_flag(value, "write_boolean()", &flag) ? append_number(self, "write_boolean()", 1, flag) : NULL;
}

/* Converts a number to a double. A bool and a str are a TypeError. */
static bool parse_float(PyObject *value, const char *call, double *number)
{
    bool is_bool = PyBool_Check(value);
    *number = is_bool ? -1.0 : PyFloat_AsDouble(value);
    if (!is_bool && (*number != -1.0 || !PyErr_Occurred()))
        return true;
    if (is_bool || PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "%s must be a float or an int, not %R", call, Py_TYPE(value));
    return false;
}

PyObject *write_single(PyObject *self, PyObject *value)
{
    double number;
    uint32_t bits;
    if (!parse_float(value, "write_single()", &number)) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return NULL;
        PyErr_Clear();
        number = DBL_MAX; /* an int that no double holds */
    }
    float single = (float)number;
    if (isinf(single) && !isinf(number))
        return refuse(self, "write_single()", value, "-3.4028235e38 to 3.4028235e38, infinity and nan");
    memcpy(&bits, &single, sizeof bits);
    return append_number(self, "write_single()", sizeof bits, bits);
}

PyObject *write_double(PyObject *self, PyObject *value)
{
    double number;
    uint64_t bits;
    if (!parse_float(value, "write_double()", &number)) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return NULL;
        PyErr_Clear();
        return refuse(self, "write_double()", value, "numbers that a float can hold");
    }
    memcpy(&bits, &number, sizeof bits);
    return append_number(self, "write_double()", sizeof bits, bits);
}

PyObject *write_guid(PyObject *self, PyObject *value)
{
    data_writer *w = (data_writer *)self;
    uint8_t guid[CW_GUID_BYTES];
    char *bytes;
    Py_ssize_t len_bytes;
    PyObject *values = get_helper(w->data.state, HELPER_values);
    PyObject *object = values != NULL ? PyObject_CallMethod(values, "bytes_of_guid", "O", value) : NULL;
    if (object == NULL || PyBytes_AsStringAndSize(object, &bytes, &len_bytes) < 0) {
        Py_XDECREF(object);
        return NULL;
    }
    memcpy(guid, bytes, sizeof guid);
    Py_DECREF(object);
    cw_guid_arrange(guid, w->data.byte_order);
    return append(w, "write_guid()", guid, sizeof guid);
}

/* Writes ticks that a function of curlwire/values.py makes of the value. */
static PyObject *append_ticks(PyObject *self, const char *call, const char *convert, PyObject *value)
{
    PyObject *values = get_helper(((data_object *)self)->state, HELPER_values);
    PyObject *number = values != NULL ? PyObject_CallMethod(values, convert, "O", value) : NULL;
    int overflow = 0;
    long long ticks = number != NULL ? PyLong_AsLongLongAndOverflow(number, &overflow) : 0;
    Py_XDECREF(number);
    if (number == NULL || PyErr_Occurred())
        return NULL;
    if (overflow != 0)
        return refuse(self, call, value, "at most 29,227 years, which 64 bits hold as 100 ns");
    return append_number(self, call, sizeof ticks, (uint64_t)ticks);
}

PyObject *write_date_time(PyObject *self, PyObject *value)
{
    return append_ticks(self, "write_date_time()", "ticks_of_date_time", value);
}

PyObject *write_time_span(PyObject *self, PyObject *value)
{
    return append_ticks(self, "write_time_span()", "ticks_of_time_span", value);
}

static bool get_buffer(PyObject *value, const char *call, Py_buffer *view)
{
    if (!PyObject_CheckBuffer(value)) {
        PyErr_Format(PyExc_TypeError, "%s takes a bytes-like object, not %R%s", call, Py_TYPE(value),
                     PyUnicode_Check(value) ? "; write_string() takes a str" : "");
        return false;
    }
    return PyObject_GetBuffer(value, view, PyBUF_SIMPLE) == 0;
}

PyObject *write_bytes(PyObject *self, PyObject *value)
{
    Py_buffer view;
    if (!get_buffer(value, "write_bytes()", &view))
        return NULL;
    PyObject *result = append((data_writer *)self, "write_bytes()", view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return result;
}

const char write_buffer_doc[] =
    PyDoc_STR("write_buffer($self, /, buffer, start=0, count=None)\n--\n\n"
              "Writes a bytes-like object, or a part of it.\n\n"
              "start: an int, the first byte. Default 0.\n"
              "count: an int, the number of bytes. Default None: up to the end.\n"
              "Raises TypeError for another type, ArgumentError for a part that the object does not have, and\n"
              "StateError after close(). Does not block. Any thread may call it, one at a time.");

PyObject *write_buffer(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"buffer", "start", "count", NULL};
    data_writer *w = (data_writer *)self;
    PyObject *buffer, *start_value = NULL, *count_value = Py_None, *result = NULL;
    size_t start = 0, count = 0;
    Py_buffer view;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|OO:write_buffer", names, &buffer, &start_value,
                                     &count_value) ||
        (start_value != NULL &&
         !data_parse_count(&w->data, start_value, "the start of write_buffer()", &start)) ||
        (count_value != Py_None &&
         !data_parse_count(&w->data, count_value, "the count of write_buffer()", &count)) ||
        !get_buffer(buffer, "write_buffer()", &view))
        return NULL;
    size_t len_bytes = (size_t)view.len;
    if (count_value == Py_None && start <= len_bytes)
        count = len_bytes - start;
    if (start > len_bytes || count > len_bytes - start)
        raise_argument(w->data.state,
                       "write_buffer() cannot take %zu bytes from byte %zu: the buffer has %zu bytes", count,
                       start, len_bytes);
    else
        result = append(w, "write_buffer()", (const char *)view.buf + start, count);
    PyBuffer_Release(&view);
    return result;
}

/* Borrows the UTF-8 of a str, and finds the size of the text in an encoding. */
static bool measure(data_writer *w, PyObject *value, const char *call, cw_encoding encoding, const char **text,
                    size_t *len_bytes, size_t *out_bytes)
{
    size_t bad;
    if (!parse_text(w->data.state, value, call, text, len_bytes))
        return false;
    return cw_text_convert(CW_ENCODING_UTF8, *text, *len_bytes, encoding, NULL, 0, out_bytes, &bad);
}

PyObject *measure_string(PyObject *self, PyObject *value)
{
    data_writer *w = (data_writer *)self;
    const char *text;
    size_t len_bytes, out_bytes;
    if (!measure(w, value, "measure_string()", w->data.encoding, &text, &len_bytes, &out_bytes))
        return NULL;
    return PyLong_FromSize_t(out_bytes);
}

PyObject *write_string(PyObject *self, PyObject *value)
{
    data_writer *w = (data_writer *)self;
    cw_encoding encoding = w->data.encoding;
    const char *text;
    size_t len_bytes, out_bytes, bad;
    if (!measure(w, value, "write_string()", encoding, &text, &len_bytes, &out_bytes))
        return NULL;
    char *at = append_begin(w, "write_string()", out_bytes);
    if (at == NULL)
        return NULL;
    (void)cw_text_convert(CW_ENCODING_UTF8, text, len_bytes, encoding, at, out_bytes, &out_bytes, &bad);
    data_unlock(&w->data);
    return PyLong_FromSize_t(out_bytes);
}

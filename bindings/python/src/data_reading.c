/* SPDX-License-Identifier: MIT */
/* The read methods of DataReader: they take values from the bytes that are loaded. data_reader.c calls it. */
#include "data.h"

#include <string.h>

/* The first and the last tick of the years 1 to 9999, which a datetime can hold. */
static const int64_t first_tick = INT64_C(-504911232000000000), last_tick = INT64_C(2650467743999999999);

/* Raises the exception of a read that could not take its bytes. Returns false. */
static bool miss(data_reader *r, const char *call, size_t count)
{
    size_t have = r->loaded - r->start;
    if (!data_is_free(&r->data))
        return data_raise_busy(&r->data, call);
    if (r->data.stream != NULL || r->end > r->loaded)
        PyErr_Format(PyExc_EOFError, "%s needs %zu bytes, and %zu are loaded; load(%zu) gets the missing bytes",
                     call, count, have, count - have);
    else
        PyErr_Format(PyExc_EOFError,
                     "%s needs %zu bytes, and %zu are left; there is no stream to load more from", call, count,
                     have);
    return false;
}

/* Takes the next bytes. Returns false with an exception set if they are not there. */
static bool take(data_reader *r, const char *call, size_t count, void *out)
{
    data_lock(&r->data);
    bool is_good = data_is_free(&r->data) && count <= r->loaded - r->start;
    if (is_good && count > 0) {
        memcpy(out, r->bytes + r->start, count);
        r->start += count;
    }
    data_unlock(&r->data);
    return is_good || miss(r, call, count);
}

static bool take_number(PyObject *self, const char *call, size_t size_bytes, uint64_t *number)
{
    data_reader *r = (data_reader *)self;
    uint8_t bytes[8];
    if (!take(r, call, size_bytes, bytes))
        return false;
    *number = cw_number_read(bytes, size_bytes, r->data.byte_order);
    return true;
}

#define READ_UNSIGNED(name, size_bytes)                                                                 \
    PyObject *name(PyObject *self, PyObject *Py_UNUSED(none))                                           \
    {                                                                                                   \
        uint64_t number;                                                                                \
        return take_number(self, #name "()", size_bytes, &number) ? PyLong_FromUnsignedLongLong(number) \
                                                                  : NULL;                               \
    }
#define READ_SIGNED(name, size_bytes, type)                                                                   \
    PyObject *name(PyObject *self, PyObject *Py_UNUSED(none))                                                 \
    {                                                                                                         \
        uint64_t number;                                                                                      \
        return take_number(self, #name "()", size_bytes, &number) ? PyLong_FromLongLong((type)number) : NULL; \
    }

READ_UNSIGNED(read_byte, 1)
READ_UNSIGNED(read_uint16, 2)
READ_UNSIGNED(read_uint32, 4)
READ_UNSIGNED(read_uint64, 8)
READ_SIGNED(read_int16, 2, int16_t)
READ_SIGNED(read_int32, 4, int32_t)
READ_SIGNED(read_int64, 8, int64_t)

PyObject *read_boolean(PyObject *self, PyObject *Py_UNUSED(none))
{
    uint64_t number;
    return take_number(self, "read_boolean()", 1, &number) ? PyBool_FromLong(number != 0) : NULL;
}

PyObject *read_single(PyObject *self, PyObject *Py_UNUSED(none))
{
    uint64_t number;
    if (!take_number(self, "read_single()", 4, &number))
        return NULL;
    uint32_t bits = (uint32_t)number;
    float value;
    memcpy(&value, &bits, sizeof value);
    return PyFloat_FromDouble(value);
}

PyObject *read_double(PyObject *self, PyObject *Py_UNUSED(none))
{
    uint64_t bits;
    double value;
    if (!take_number(self, "read_double()", 8, &bits))
        return NULL;
    memcpy(&value, &bits, sizeof value);
    return PyFloat_FromDouble(value);
}

PyObject *read_guid(PyObject *self, PyObject *Py_UNUSED(none))
{
    data_reader *r = (data_reader *)self;
    uint8_t guid[CW_GUID_BYTES];
    PyObject *values = get_helper(r->data.state, HELPER_values);
    if (values == NULL || !take(r, "read_guid()", sizeof guid, guid))
        return NULL;
    cw_guid_arrange(guid, r->data.byte_order);
    PyObject *bytes = PyBytes_FromStringAndSize((char *)guid, sizeof guid);
    if (bytes == NULL)
        return NULL;
    PyObject *result = PyObject_CallMethod(values, "guid", "O", bytes);
    Py_DECREF(bytes);
    return result;
}

PyObject *read_date_time(PyObject *self, PyObject *Py_UNUSED(none))
{
    data_reader *r = (data_reader *)self;
    int64_t ticks = 0;
    PyObject *values = get_helper(r->data.state, HELPER_values);
    if (values == NULL)
        return NULL;
    data_lock(&r->data);
    bool is_there = data_is_free(&r->data) && r->loaded - r->start >= 8;
    if (is_there)
        ticks = (int64_t)cw_number_read(r->bytes + r->start, 8, r->data.byte_order);
    bool is_good = is_there && ticks >= first_tick && ticks <= last_tick;
    r->start += is_good ? 8 : 0;
    data_unlock(&r->data);
    if (is_good)
        return PyObject_CallMethod(values, "date_time", "L", (long long)ticks);
    if (is_there)
        raise_argument(r->data.state,
                       "read_date_time() found %lld ticks, and a datetime has the years 1 to 9999 only; the 8 "
                       "bytes stay, and read_int64() returns the ticks",
                       (long long)ticks);
    else
        (void)miss(r, "read_date_time()", 8);
    return NULL;
}

PyObject *read_time_span(PyObject *self, PyObject *Py_UNUSED(none))
{
    PyObject *values = get_helper(((data_object *)self)->state, HELPER_values);
    uint64_t ticks;
    if (values == NULL || !take_number(self, "read_time_span()", 8, &ticks))
        return NULL;
    return PyObject_CallMethod(values, "time_span", "L", (long long)ticks);
}

/* Takes bytes as a new bytes object. Nothing is allocated if they are not there. */
static PyObject *take_bytes(data_reader *r, const char *call, PyObject *value)
{
    size_t count;
    if (!data_parse_count(&r->data, value, "the count of a read", &count))
        return NULL;
    data_lock(&r->data);
    bool is_there = data_is_free(&r->data) && count <= r->loaded - r->start;
    PyObject *bytes =
        is_there ? PyBytes_FromStringAndSize(count > 0 ? r->bytes + r->start : "", (Py_ssize_t)count) : NULL;
    r->start += bytes != NULL ? count : 0;
    data_unlock(&r->data);
    if (!is_there)
        (void)miss(r, call, count);
    return bytes;
}

PyObject *read_bytes(PyObject *self, PyObject *value)
{
    return take_bytes((data_reader *)self, "read_bytes()", value);
}

PyObject *read_buffer(PyObject *self, PyObject *value)
{
    PyObject *bytes = take_bytes((data_reader *)self, "read_buffer()", value);
    PyObject *view = bytes != NULL ? PyMemoryView_FromObject(bytes) : NULL;
    Py_XDECREF(bytes);
    return view;
}

PyObject *read_bytes_into(PyObject *self, PyObject *target)
{
    Py_buffer view;
    if (PyObject_GetBuffer(target, &view, PyBUF_WRITABLE) < 0) {
        if (PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_BufferError))
            PyErr_Format(PyExc_TypeError,
                         "read_bytes_into() takes a writable bytes-like object, such as a bytearray, not %R",
                         Py_TYPE(target));
        return NULL;
    }
    bool is_good = take((data_reader *)self, "read_bytes_into()", (size_t)view.len, view.buf);
    PyBuffer_Release(&view);
    if (!is_good)
        return NULL;
    Py_RETURN_NONE;
}

const char read_string_doc[] = PyDoc_STR(
    "read_string($self, code_unit_count, /)\n--\n\n"
    "Returns the next text, a str.\n\n"
    "code_unit_count: an int, the bytes of a text in UTF-8, or the 16-bit units of a text in UTF-16.\n"
    "unicode_encoding is the encoding. A byte order mark counts as a character.\n"
    "Raises EOFError if fewer bytes are loaded, and UnicodeDecodeError if they are not a text in that\n"
    "encoding; read_bytes() can then read them. Does not block. Any thread may call it, one at a time.");

/* Decodes bytes. Only C code runs. */
static PyObject *decode(cw_encoding encoding, const char *bytes, Py_ssize_t len_bytes)
{
    int order = encoding == CW_ENCODING_UTF16BE ? 1 : -1;
    if (encoding == CW_ENCODING_UTF8)
        return PyUnicode_DecodeUTF8(bytes, len_bytes, "strict");
    return PyUnicode_DecodeUTF16(bytes, len_bytes, "strict", &order);
}

PyObject *read_string(PyObject *self, PyObject *value)
{
    data_reader *r = (data_reader *)self;
    size_t count, units;
    if (!data_parse_count(&r->data, value, "the count of read_string()", &units))
        return NULL;
    data_lock(&r->data);
    cw_encoding encoding = r->data.encoding;
    count =
        encoding == CW_ENCODING_UTF8 ? units : 2 * units; /* at most SIZE_MAX, because units is a Py_ssize_t */
    bool is_there = data_is_free(&r->data) && count <= r->loaded - r->start;
    PyObject *text =
        is_there ? decode(encoding, count > 0 ? r->bytes + r->start : "", (Py_ssize_t)count) : NULL;
    r->start += text != NULL ? count : 0;
    data_unlock(&r->data);
    if (!is_there)
        (void)miss(r, "read_string()", count);
    return text;
}

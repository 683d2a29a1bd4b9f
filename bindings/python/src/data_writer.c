/* SPDX-License-Identifier: MIT */
/* The type DataWriter: values as bytes, in memory until store() writes them to the stream. */
#include "data.h"

enum { KEEP_BYTES = 262144 };

/* Drops stored bytes from the front. */
static void consume_locked(data_writer *w, size_t len_bytes)
{
    w->start += len_bytes;
    if (w->start < w->end)
        return;
    w->start = w->end = 0;
    if (w->room > KEEP_BYTES) {
        PyMem_Free(w->bytes);
        w->bytes = NULL;
        w->room = 0;
    }
}

/* ---- Storing and closing ---- */

/* Writes all bytes to the stream, in one write unless the stream takes only a part. Returns false with an exception set;
 * *done is the number of bytes that the stream has taken. */
static bool write_all(data_writer *w, PyObject *stream, PyObject *bytes, size_t *done)
{
    size_t len_bytes = (size_t)PyBytes_Size(bytes);
    while (*done < len_bytes) {
        PyObject *view = *done > 0 ? PyMemoryView_FromObject(bytes) : NULL;
        PyObject *rest = *done == 0     ? Py_NewRef(bytes)
                         : view != NULL ? PySequence_GetSlice(view, (Py_ssize_t)*done, (Py_ssize_t)len_bytes)
                                        : NULL;
        PyObject *taken = rest != NULL ? PyObject_CallMethod(stream, "write", "O", rest) : NULL;
        Py_XDECREF(rest);
        Py_XDECREF(view);
        if (taken == NULL)
            return false;
        int64_t count = (int64_t)(len_bytes - *done);
        int overflow = 0;
        bool blocks = taken == Py_None && w->data.is_raw;
        bool is_count = taken == Py_None || parse_int(taken, "the result of the stream's write()",
                                                      "a count of bytes", &count, &overflow);
        Py_DECREF(taken);
        if (!is_count)
            return false;
        if (blocks || (overflow == 0 && count == 0)) {
            PyErr_Format(
                PyExc_BlockingIOError,
                "write() of the stream took no byte, because it would block; %zu of %zu bytes are stored: call "
                "store() again later",
                *done, len_bytes);
            return false;
        }
        if (overflow != 0 || count < 0 || (uint64_t)count > len_bytes - *done) {
            PyErr_Format(
                PyExc_ValueError,
                "write() of the stream must return a count of 0 to %zu bytes; %zu of %zu bytes are stored",
                len_bytes - *done, *done, len_bytes);
            return false;
        }
        *done += (size_t)count;
    }
    return true;
}

PyDoc_STRVAR(
    store_doc,
    "store($self, /)\n--\n\n"
    "Writes everything to the stream, and returns the number of bytes, an int.\n\n"
    "It is one write, so over an output_stream one message. With nothing to store it writes nothing.\n"
    "Raises StateError without a stream, and what the stream's write() raises. After an exception the\n"
    "bytes that the stream has not taken stay: unstored_buffer_length is their number.\n"
    "Blocks as the stream does. Any thread may call it, one at a time.");

static PyObject *writer_store(PyObject *self, PyObject *Py_UNUSED(none))
{
    data_writer *w = (data_writer *)self;
    size_t done = 0;
    PyObject *stream = data_begin(&w->data, "store()");
    if (stream == NULL)
        return NULL;
    PyObject *bytes =
        PyBytes_FromStringAndSize(w->end > 0 ? w->bytes + w->start : "", (Py_ssize_t)(w->end - w->start));
    bool is_good = bytes != NULL && write_all(w, stream, bytes, &done);
    data_lock(&w->data);
    consume_locked(w, done);
    w->data.is_busy = false;
    data_unlock(&w->data);
    Py_XDECREF(bytes);
    Py_DECREF(stream);
    return is_good ? PyLong_FromSize_t(done) : NULL;
}

static PyObject *writer_flush(PyObject *self, PyObject *Py_UNUSED(none))
{
    data_object *d = (data_object *)self;
    PyObject *stream = data_begin(d, "flush()");
    if (stream == NULL)
        return NULL;
    PyObject *call;
    int has_flush = find_attribute(stream, "flush", &call);
    PyObject *result = has_flush > 0 ? PyObject_CallNoArgs(call) : has_flush == 0 ? Py_NewRef(Py_None) : NULL;
    Py_XDECREF(call);
    data_end(d);
    Py_DECREF(stream);
    Py_XDECREF(result);
    if (result == NULL)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *writer_detach_buffer(PyObject *self, PyObject *Py_UNUSED(none))
{
    data_writer *w = (data_writer *)self;
    data_lock(&w->data);
    bool is_free = data_is_free(&w->data);
    PyObject *bytes = is_free ? PyBytes_FromStringAndSize(w->end > 0 ? w->bytes + w->start : "",
                                                          (Py_ssize_t)(w->end - w->start))
                              : NULL;
    if (bytes != NULL)
        consume_locked(w, w->end - w->start);
    data_unlock(&w->data);
    if (!is_free)
        (void)data_raise_busy(&w->data, "detach_buffer()");
    return bytes;
}

/* Closes the writer. Warns about bytes that a stream did not get, unless an exception ends the with block. */
static PyObject *close_writer(data_writer *w, bool warns)
{
    bool is_good = true;
    size_t left = w->end - w->start;
    if (warns && left > 0 && w->data.stream != NULL)
        is_good =
            PyErr_WarnFormat(PyExc_ResourceWarning, 1,
                             "a DataWriter was closed with %zu bytes that were not stored; call store() before",
                             left) == 0;
    is_good = data_close(&w->data) && is_good;
    data_lock(&w->data);
    if (!w->data.is_busy) /* else the end of store() drops them */
        consume_locked(w, w->end - w->start);
    data_unlock(&w->data);
    if (!is_good)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *writer_close(PyObject *self, PyObject *Py_UNUSED(none))
{
    return close_writer((data_writer *)self, true);
}

static PyObject *writer_exit(PyObject *self, PyObject *args)
{
    PyObject *type = PyTuple_Size(args) > 0 ? PyTuple_GetItem(args, 0) : Py_None;
    return close_writer((data_writer *)self, type == Py_None);
}

static PyObject *get_unstored(PyObject *self, void *Py_UNUSED(closure))
{
    data_writer *w = (data_writer *)self;
    data_lock(&w->data);
    size_t count = w->end - w->start;
    data_unlock(&w->data);
    return PyLong_FromSize_t(count);
}

static PyObject *writer_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"stream", NULL};
    PyObject *stream = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|O:DataWriter", names, &stream))
        return NULL;
    return (PyObject *)data_create(type, stream != Py_None ? stream : NULL, "write");
}

static int writer_clear(PyObject *self)
{
    Py_CLEAR(((data_object *)self)->stream);
    return 0;
}

static void writer_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)writer_clear(self);
    PyMem_Free(((data_writer *)self)->bytes);
    free_object(self);
    Py_DECREF(type);
}

static PyObject *writer_repr(PyObject *self)
{
    data_writer *w = (data_writer *)self;
    if (w->data.is_closed)
        return PyUnicode_FromString("<curlwire.DataWriter, closed>");
    return PyUnicode_FromFormat("<curlwire.DataWriter, %zu bytes to store>", w->end - w->start);
}

#define RULE              " Does not block. Any thread may call it, one at a time."
#define TAKES_VALUE(name) name "($self, value, /)\n--\n\n"
#define TYPED             " Raises TypeError for another type, and StateError after close()."
#define FITS \
    " Raises TypeError for another type, ArgumentError if it does not fit, and StateError after close()."

static PyMethodDef methods[] = {
    {"write_byte", write_byte, METH_O,
     TAKES_VALUE("write_byte") "Writes an int of 0 to 255 as a byte." FITS RULE},
    {"write_bytes", write_bytes, METH_O, TAKES_VALUE("write_bytes") "Writes a bytes-like object." TYPED RULE},
    {"write_buffer", FAST(write_buffer), METH_VARARGS | METH_KEYWORDS, write_buffer_doc},
    {"write_boolean", write_boolean, METH_O,
     TAKES_VALUE("write_boolean") "Writes a bool as a byte, 1 or 0." TYPED RULE},
    {"write_int16", write_int16, METH_O,
     TAKES_VALUE("write_int16") "Writes an int as a signed number of 2 bytes." FITS RULE},
    {"write_int32", write_int32, METH_O,
     TAKES_VALUE("write_int32") "Writes an int as a signed number of 4 bytes." FITS RULE},
    {"write_int64", write_int64, METH_O,
     TAKES_VALUE("write_int64") "Writes an int as a signed number of 8 bytes." FITS RULE},
    {"write_uint16", write_uint16, METH_O,
     TAKES_VALUE("write_uint16") "Writes an int as an unsigned number of 2 bytes." FITS RULE},
    {"write_uint32", write_uint32, METH_O,
     TAKES_VALUE("write_uint32") "Writes an int as an unsigned number of 4 bytes." FITS RULE},
    {"write_uint64", write_uint64, METH_O,
     TAKES_VALUE("write_uint64") "Writes an int as an unsigned number of 8 bytes." FITS RULE},
    {"write_single", write_single, METH_O,
     TAKES_VALUE(
         "write_single") "Writes a float as an IEEE 754 number of 4 bytes, rounded to the nearest." FITS RULE},
    {"write_double", write_double, METH_O,
     TAKES_VALUE("write_double") "Writes a float as an IEEE 754 number of 8 bytes." TYPED RULE},
    {"write_guid", write_guid, METH_O,
     TAKES_VALUE(
         "write_guid") "Writes a uuid.UUID as 16 bytes. byte_order applies to its first three fields." TYPED
         RULE},
    {"write_date_time", write_date_time, METH_O,
     TAKES_VALUE(
         "write_date_time") "Writes a datetime with a timezone as 8 bytes: ticks of 100 ns since 1601, UTC.\n\n"
                            "Raises ArgumentError for a datetime without a timezone, TypeError for "
                            "another type, and StateError after close()." RULE},
    {"write_time_span", write_time_span, METH_O,
     TAKES_VALUE("write_time_span") "Writes a timedelta as 8 bytes: ticks of 100 ns.\n\n"
                                    "Raises ArgumentError for more than 29,227 years, TypeError for another "
                                    "type, and StateError after close()." RULE},
    {"write_string", write_string, METH_O,
     TAKES_VALUE(
         "write_string") "Writes a str in unicode_encoding, and returns its size in bytes, an int.\n\n"
                         "It writes no length, no byte order mark and no end mark. Raises ArgumentError for a "
                         "lone surrogate, TypeError for another type, and StateError after close()." RULE},
    {"measure_string", measure_string, METH_O,
     TAKES_VALUE("measure_string") "Returns the bytes that write_string() needs for a str, an int. Raises as "
                                   "write_string() does." RULE},
    {"store", writer_store, METH_NOARGS, store_doc},
    {"flush", writer_flush, METH_NOARGS,
     "flush($self, /)\n--\n\nCalls flush() of the stream. It does not store.\n\nRaises StateError without a "
     "stream. Blocks as the stream does. Any thread may call it, one at a time."},
    {"detach_buffer", writer_detach_buffer, METH_NOARGS,
     "detach_buffer($self, /)\n--\n\nReturns everything that is not stored, as bytes. The writer is then "
     "empty.\n\nRaises StateError after close()." RULE},
    {"detach_stream", data_detach_stream, METH_NOARGS,
     "detach_stream($self, /)\n--\n\nReturns the stream. close() then leaves it open, and store() raises "
     "StateError.\n\nRaises StateError after close(), and without a stream." RULE},
    {"close", writer_close, METH_NOARGS,
     "close($self, /)\n--\n\nCloses the writer and its stream. A second call does nothing.\n\n"
     "Bytes that are not stored are dropped, with a ResourceWarning. Closing a stream of a socket does not "
     "close the connection. Raises what the stream's close() raises, and blocks as it "
     "does. Any thread may call it."},
    {"__enter__", data_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nReturns the writer."},
    {"__exit__", writer_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nCalls close()."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef members[] = {
    {"unstored_buffer_length", get_unstored, NULL,
     "The number of bytes that are written and not yet stored, an int. Any thread may read it.", NULL},
    DATA_SETTINGS,
    {NULL, NULL, NULL, NULL, NULL}};

PyDoc_STRVAR(
    writer_doc,
    "DataWriter(stream=None)\n--\n\n"
    "Makes bytes of numbers, texts and other values, and writes them to a stream.\n\n"
    "stream: a binary file object with write(), such as ws.output_stream. The writer owns it: close()\n"
    "closes it, unless detach_stream() was called. None: detach_buffer() returns the bytes.\n"
    "The write methods fill memory. store() writes all of it to the stream. The write methods raise\n"
    "TypeError for a wrong type, and ArgumentError for a value that does not fit; they then write\n"
    "nothing. After close() they raise StateError.");

static PyType_Slot slots[] = {{Py_tp_doc, (void *)writer_doc},
                              {Py_tp_new, SLOT(writer_new)},
                              {Py_tp_dealloc, SLOT(writer_dealloc)},
                              {Py_tp_traverse, SLOT(data_traverse)},
                              {Py_tp_clear, SLOT(writer_clear)},
                              {Py_tp_repr, SLOT(writer_repr)},
                              {Py_tp_methods, methods},
                              {Py_tp_getset, members},
                              {0, NULL}};

static PyType_Spec spec = {.name = "curlwire.DataWriter",
                           .basicsize = sizeof(data_writer),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                           .slots = slots};

bool add_data_writer_type(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    state->types[TYPE_DATA_WRITER] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

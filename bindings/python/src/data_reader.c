/* SPDX-License-Identifier: MIT */
/* The type DataReader: values from the bytes of a stream or of memory. events.c makes one for a message.
 *
 * bytes[start..loaded) can be read. bytes[loaded..end) came from the stream before a load asked for them: they were read
 * ahead, or a load failed after them. The next load takes them first, so no byte is lost. */
#include "data.h"

#include <string.h>

enum {
    OPTION_PARTIAL = 1,
    OPTION_READ_AHEAD = 2,
    AHEAD_BYTES = 65536,
    MOST_AT_ONCE_BYTES =
        1 << 20, /* for one read of the stream, so that a large load needs no memory before its bytes come */
    KEEP_BYTES = 262144
};

/* ---- The buffer ---- */

static void drop_buffer(data_reader *r)
{
    data_lock(&r->data);
    char *own = r->own;
    bool has_view = r->has_view;
    r->own = NULL;
    r->bytes = NULL;
    r->has_view = false;
    r->start = r->loaded = r->end = r->room = 0;
    data_unlock(&r->data);
    PyMem_Free(own);
    if (has_view)
        PyBuffer_Release(&r->view);
}

/* Makes room for more bytes after the end. */
static bool reserve_locked(data_reader *r, size_t len_bytes)
{
    size_t have = r->end - r->start;
    if (r->room - r->end >= len_bytes)
        return true;
    if (len_bytes > (size_t)PY_SSIZE_T_MAX / 2 - have)
        return false;
    size_t room = have + len_bytes > r->room / 2 ? 2 * (have + len_bytes) : r->room;
    char *own = room == r->room ? r->own : PyMem_Malloc(room);
    if (own == NULL)
        return false;
    if (have > 0)
        memmove(own, r->bytes + r->start, have);
    if (own != r->own)
        PyMem_Free(r->own);
    r->bytes = r->own = own;
    r->room = room;
    r->loaded -= r->start;
    r->end = have;
    r->start = 0;
    return true;
}

/* Appends what a read of the stream has returned. Returns the number of bytes; -1 with an exception set. */
static Py_ssize_t append_chunk(data_reader *r, PyObject *chunk, size_t asked_bytes)
{
    Py_buffer view;
    if (chunk == Py_None) {
        PyErr_SetString(PyExc_BlockingIOError,
                        "the stream has no bytes yet, because it does not block; call load() again later");
        return -1;
    }
    if (!PyObject_CheckBuffer(chunk)) {
        PyErr_Format(PyExc_TypeError,
                     "read() of the stream must return bytes, not %R; open a file in binary mode, as 'rb'",
                     Py_TYPE(chunk));
        return -1;
    }
    if (PyObject_GetBuffer(chunk, &view, PyBUF_SIMPLE) < 0)
        return -1;
    Py_ssize_t len_bytes = view.len;
    if ((size_t)len_bytes > asked_bytes) {
        PyErr_Format(PyExc_ValueError, "read(%zu) of the stream returned %zd bytes; it must return at most %zu",
                     asked_bytes, len_bytes, asked_bytes);
        len_bytes = -1;
    } else if (len_bytes > 0) {
        data_lock(&r->data);
        bool is_closed = r->data.is_closed;
        bool is_good = !is_closed && reserve_locked(r, (size_t)len_bytes);
        if (is_good) {
            memcpy(r->own + r->end, view.buf, (size_t)len_bytes);
            r->end += (size_t)len_bytes;
        }
        data_unlock(&r->data);
        if (is_closed)
            (void)data_raise_busy(&r->data, "load()");
        else if (!is_good)
            PyErr_NoMemory();
        if (!is_good)
            len_bytes = -1;
    }
    PyBuffer_Release(&view);
    return len_bytes;
}

/* Reads from the stream until a load of so many bytes is satisfied, or to the end of the stream. Returns false with an
 * exception set. */
static bool fill(data_reader *r, PyObject *stream, size_t count)
{
    size_t least = (r->options & OPTION_PARTIAL) && count > 0 ? 1 : count;
    const char *method = r->options != 0 && r->has_read1 ? "read1" : "read";
    bool reads_ahead = (r->options & OPTION_READ_AHEAD) && (r->has_read1 || r->data.is_raw);
    while (r->end - r->loaded < least) {
        size_t ask = count - (r->end - r->loaded);
        if (ask > MOST_AT_ONCE_BYTES)
            ask = MOST_AT_ONCE_BYTES;
        if (reads_ahead && ask < AHEAD_BYTES)
            ask = AHEAD_BYTES;
        PyObject *chunk = PyObject_CallMethod(stream, method, "n", (Py_ssize_t)ask);
        Py_ssize_t got = chunk != NULL ? append_chunk(r, chunk, ask) : -1;
        Py_XDECREF(chunk);
        if (got <= 0)
            return got == 0;
    }
    return true;
}

/* ---- Loading and closing ---- */

PyDoc_STRVAR(
    load_doc,
    "load($self, count, /)\n--\n\n"
    "Reads bytes from the stream, so that the read methods can take them. Returns their number, an int.\n\n"
    "count: an int, the bytes to load beyond those that are loaded already.\n"
    "With the options NONE it returns less than count only at the end of the stream. With PARTIAL it\n"
    "returns as soon as it has one byte. 0 means the end of the stream.\n"
    "Raises StateError without a stream, and what the stream's read() raises. After an exception no byte\n"
    "is lost: the next load() gets those that had arrived. Blocks as the stream does.\n"
    "Any thread may call it, one at a time.");

static PyObject *reader_load(PyObject *self, PyObject *value)
{
    data_reader *r = (data_reader *)self;
    size_t count, loaded = 0;
    if (!data_parse_count(&r->data, value, "the count of load()", &count))
        return NULL;
    bool takes_rest =
        r->data.stream == NULL && r->end > r->loaded; /* read ahead, before the stream was detached */
    PyObject *stream = takes_rest ? NULL : data_begin(&r->data, "load()");
    if (stream == NULL && !takes_rest)
        return NULL;
    bool is_good = takes_rest || fill(r, stream, count);
    data_lock(&r->data);
    if (is_good) {
        loaded = r->end - r->loaded < count ? r->end - r->loaded : count;
        r->loaded += loaded;
    }
    data_unlock(&r->data);
    if (stream != NULL) {
        if (r->start == r->end && r->room > KEEP_BYTES)
            drop_buffer(r);
        data_end(&r->data);
    }
    Py_XDECREF(stream);
    return is_good ? PyLong_FromSize_t(loaded) : NULL;
}

PyDoc_STRVAR(detach_buffer_doc,
             "detach_buffer($self, /)\n--\n\n"
             "Returns all bytes that were not read, also those that were read ahead, as bytes. "
             "The reader is then empty.\n\n"
             "Raises StateError after close(). Does not block. Any thread may call it, one at a time.");

static PyObject *reader_detach_buffer(PyObject *self, PyObject *Py_UNUSED(none))
{
    data_reader *r = (data_reader *)self;
    data_lock(&r->data);
    bool is_free = data_is_free(&r->data);
    PyObject *bytes = is_free ? PyBytes_FromStringAndSize(r->end > 0 ? r->bytes + r->start : "",
                                                          (Py_ssize_t)(r->end - r->start))
                              : NULL;
    data_unlock(&r->data);
    if (!is_free)
        (void)data_raise_busy(&r->data, "detach_buffer()");
    if (bytes != NULL)
        drop_buffer(r);
    return bytes;
}

static PyObject *reader_close(PyObject *self, PyObject *Py_UNUSED(none))
{
    data_reader *r = (data_reader *)self;
    bool is_good = data_close(&r->data);
    if (!r->data.is_busy) /* else the load that runs uses the buffer, and the deallocation frees it */
        drop_buffer(r);
    if (!is_good)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *reader_exit(PyObject *self, PyObject *Py_UNUSED(args)) { return reader_close(self, NULL); }

/* ---- The type ---- */

static PyObject *get_unconsumed(PyObject *self, void *Py_UNUSED(closure))
{
    data_reader *r = (data_reader *)self;
    data_lock(&r->data);
    size_t count = r->loaded - r->start;
    data_unlock(&r->data);
    return PyLong_FromSize_t(count);
}

static PyObject *get_options(PyObject *self, void *Py_UNUSED(closure))
{
    data_reader *r = (data_reader *)self;
    return enum_member(r->data.state, ENUM_STREAM_OPTIONS, r->options);
}

static int set_options(PyObject *self, PyObject *value, void *Py_UNUSED(closure))
{
    static const char *const words[] = {"none", "partial", "read_ahead", NULL};
    data_reader *r = (data_reader *)self;
    long number = 0;
    if (!data_parse_choice(r->data.state, value, ENUM_STREAM_OPTIONS, "input_stream_options", words,
                           "'none', 'partial' or 'read_ahead'", &number))
        return -1;
    if (number & ~(long)(OPTION_PARTIAL | OPTION_READ_AHEAD)) {
        (void)refuse_value(r->data.state, "input_stream_options", value, "PARTIAL, READ_AHEAD, or both");
        return -1;
    }
    r->options = number;
    return 0;
}

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"stream", NULL};
    PyObject *stream;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O:DataReader", names, &stream))
        return NULL;
    data_object *d = data_create(type, stream, "read");
    if (d == NULL)
        return NULL;
    PyObject *call;
    int has_read1 = find_attribute(stream, "read1", &call);
    Py_XDECREF(call);
    if (has_read1 < 0) {
        Py_DECREF(d);
        return NULL;
    }
    ((data_reader *)d)->has_read1 = has_read1 != 0;
    return (PyObject *)d;
}

PyObject *data_reader_of_buffer(module_state *state, PyObject *buffer)
{
    if (!PyObject_CheckBuffer(buffer)) {
        PyErr_Format(PyExc_TypeError, "from_buffer() takes a bytes-like object, not %R; encode a str first",
                     Py_TYPE(buffer));
        return NULL;
    }
    data_reader *r = (data_reader *)data_create(state->types[TYPE_DATA_READER], NULL, "read");
    if (r == NULL || PyObject_GetBuffer(buffer, &r->view, PyBUF_SIMPLE) < 0) {
        Py_XDECREF((PyObject *)r);
        return NULL;
    }
    r->has_view = true;
    r->bytes = r->view.buf;
    r->loaded = r->end = (size_t)r->view.len;
    return (PyObject *)r;
}

static PyObject *reader_from_buffer(PyObject *type, PyObject *buffer)
{
    module_state *state = state_of_type((PyTypeObject *)type);
    return state != NULL ? data_reader_of_buffer(state, buffer) : NULL;
}

static int reader_traverse(PyObject *self, visitproc visit, void *arg)
{
    data_reader *r = (data_reader *)self;
    if (r->has_view)
        Py_VISIT(r->view.obj);
    return data_traverse(self, visit, arg);
}

static int reader_clear(PyObject *self)
{
    drop_buffer((data_reader *)self);
    Py_CLEAR(((data_object *)self)->stream);
    return 0;
}

static void reader_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    (void)reader_clear(self);
    free_object(self);
    Py_DECREF(type);
}

static PyObject *reader_repr(PyObject *self)
{
    data_reader *r = (data_reader *)self;
    if (r->data.is_closed)
        return PyUnicode_FromString("<curlwire.DataReader, closed>");
    return PyUnicode_FromFormat("<curlwire.DataReader, %zu bytes to read>", r->loaded - r->start);
}

#define NEEDS(bytes)                                                         \
    " Raises EOFError if fewer than " bytes                                  \
    " are loaded, and StateError after close(). Does not block. Any thread " \
    "may call it, one at a time."
#define TAKES_NOTHING(name) name "($self, /)\n--\n\n"

static PyMethodDef methods[] = {
    {"from_buffer", reader_from_buffer, METH_O | METH_CLASS,
     "from_buffer($type, data, /)\n--\n\n"
     "Returns a DataReader of a bytes-like object. All its bytes are loaded.\n\n"
     "The object is not copied. A bytearray keeps its size as long as the reader uses it. Does not block. Any "
     "thread may call it."},
    {"load", reader_load, METH_O, load_doc},
    {"read_byte", read_byte, METH_NOARGS,
     TAKES_NOTHING("read_byte") "Returns a byte as an int." NEEDS("1 byte")},
    {"read_bytes", read_bytes, METH_O,
     "read_bytes($self, count, /)\n--\n\nReturns count bytes, as bytes." NEEDS("count bytes")},
    {"read_bytes_into", read_bytes_into, METH_O,
     "read_bytes_into($self, buffer, /)\n--\n\nFills a writable bytes-like object completely." NEEDS(
         "len(buffer) bytes")},
    {"read_buffer", read_buffer, METH_O,
     "read_buffer($self, count, /)\n--\n\nReturns count bytes as a memoryview of their own copy." NEEDS(
         "count bytes")},
    {"read_boolean", read_boolean, METH_NOARGS,
     TAKES_NOTHING("read_boolean") "Returns a byte as a bool: True if it is not 0." NEEDS("1 byte")},
    {"read_int16", read_int16, METH_NOARGS,
     TAKES_NOTHING("read_int16") "Returns a signed number of 2 bytes, an int." NEEDS("2 bytes")},
    {"read_int32", read_int32, METH_NOARGS,
     TAKES_NOTHING("read_int32") "Returns a signed number of 4 bytes, an int." NEEDS("4 bytes")},
    {"read_int64", read_int64, METH_NOARGS,
     TAKES_NOTHING("read_int64") "Returns a signed number of 8 bytes, an int." NEEDS("8 bytes")},
    {"read_uint16", read_uint16, METH_NOARGS,
     TAKES_NOTHING("read_uint16") "Returns an unsigned number of 2 bytes, an int." NEEDS("2 bytes")},
    {"read_uint32", read_uint32, METH_NOARGS,
     TAKES_NOTHING("read_uint32") "Returns an unsigned number of 4 bytes, an int." NEEDS("4 bytes")},
    {"read_uint64", read_uint64, METH_NOARGS,
     TAKES_NOTHING("read_uint64") "Returns an unsigned number of 8 bytes, an int." NEEDS("8 bytes")},
    {"read_single", read_single, METH_NOARGS,
     TAKES_NOTHING("read_single") "Returns an IEEE 754 number of 4 bytes, a float." NEEDS("4 bytes")},
    {"read_double", read_double, METH_NOARGS,
     TAKES_NOTHING("read_double") "Returns an IEEE 754 number of 8 bytes, a float." NEEDS("8 bytes")},
    {"read_guid", read_guid, METH_NOARGS,
     TAKES_NOTHING(
         "read_guid") "Returns a GUID of 16 bytes, a uuid.UUID. byte_order applies to its first three "
                      "fields." NEEDS("16 bytes")},
    {"read_date_time", read_date_time, METH_NOARGS,
     TAKES_NOTHING(
         "read_date_time") "Returns a date of 8 bytes, a datetime in UTC.\n\nThe bytes count ticks of 100 "
                           "ns since 1601. The datetime is rounded down to microseconds. Raises "
                           "ArgumentError for a date outside the years 1 to 9999, and leaves its bytes." NEEDS(
                               "8 bytes")},
    {"read_time_span", read_time_span, METH_NOARGS,
     TAKES_NOTHING(
         "read_time_span") "Returns a time span of 8 bytes, a timedelta.\n\nThe bytes count ticks of 100 "
                           "ns. The timedelta is rounded down to microseconds." NEEDS("8 bytes")},
    {"read_string", read_string, METH_O, read_string_doc},
    {"detach_buffer", reader_detach_buffer, METH_NOARGS, detach_buffer_doc},
    {"detach_stream", data_detach_stream, METH_NOARGS,
     "detach_stream($self, /)\n--\n\n"
     "Returns the stream. close() then leaves it open. Loaded bytes can still be read.\n\n"
     "Bytes that were read ahead stay in the reader: detach_buffer() returns them. Raises StateError after "
     "close(), and "
     "without a stream. Does not block. Any thread may call it, one at a time."},
    {"close", reader_close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Closes the reader and its stream. A second call does nothing.\n\n"
     "Closing a stream of a socket does not close the connection. Raises what the stream's close() raises, and "
     "blocks as it does. Any thread may call it."},
    {"__enter__", data_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nReturns the reader."},
    {"__exit__", reader_exit, METH_VARARGS, "__exit__($self, /, *args)\n--\n\nCalls close()."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef members[] = {
    {"unconsumed_buffer_length", get_unconsumed, NULL,
     "The number of bytes that are loaded and not yet read, an int. Any thread may read it.", NULL},
    DATA_SETTINGS,
    {"input_stream_options", get_options, set_options,
     "How load() waits, as InputStreamOptions. Default NONE. The words 'none', 'partial' and 'read_ahead' set "
     "it too.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL}};

PyDoc_STRVAR(reader_doc,
             "DataReader(stream)\n--\n\n"
             "Reads numbers, texts and other values from the bytes of a stream.\n\n"
             "stream: a binary file object with read(), such as ws.input_stream. The reader owns it: close()\n"
             "closes it, unless detach_stream() was called. DataReader.from_buffer(data) reads memory.\n"
             "load() gets bytes from the stream. The read methods take loaded bytes, do not block, and take\n"
             "nothing if they raise. After close() they raise StateError.");

static PyType_Slot slots[] = {{Py_tp_doc, (void *)reader_doc},
                              {Py_tp_new, SLOT(reader_new)},
                              {Py_tp_dealloc, SLOT(reader_dealloc)},
                              {Py_tp_traverse, SLOT(reader_traverse)},
                              {Py_tp_clear, SLOT(reader_clear)},
                              {Py_tp_repr, SLOT(reader_repr)},
                              {Py_tp_methods, methods},
                              {Py_tp_getset, members},
                              {0, NULL}};

static PyType_Spec spec = {.name = "curlwire.DataReader",
                           .basicsize = sizeof(data_reader),
                           .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                           .slots = slots};

bool add_data_reader_type(PyObject *module, module_state *state)
{
    PyTypeObject *type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    state->types[TYPE_DATA_READER] = type;
    return type != NULL && PyModule_AddType(module, type) == 0;
}

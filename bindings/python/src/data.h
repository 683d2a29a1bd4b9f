/* SPDX-License-Identifier: MIT */
/* What DataReader and DataWriter share: the stream, the settings, and the rule that one call at a time uses the object. Only
 * the files data*.c include this header. */
#ifndef CURLWIRE_PYTHON_DATA_H
#define CURLWIRE_PYTHON_DATA_H

#include "state.h"

typedef struct data_object {
    PyObject_HEAD module_state *state;
    PyObject *stream; /* NULL = none */
    cw_byte_order byte_order;
    cw_encoding encoding;
    bool is_busy; /* a load or a store uses the stream; other calls fail meanwhile */
    bool is_closed;
    bool was_detached;
    bool is_raw; /* the stream is an io.RawIOBase */
#ifdef Py_GIL_DISABLED
    PyMutex mutex;
#endif
} data_object;

/* Lock and unlock the object. The GIL guards it; only a free-threaded build needs this lock. Code between the two calls must
 * not run Python code. */
#ifdef Py_GIL_DISABLED
static inline void data_lock(data_object *d) { PyMutex_Lock(&d->mutex); }
static inline void data_unlock(data_object *d) { PyMutex_Unlock(&d->mutex); }
#else
static inline void data_lock(data_object *d) { (void)d; }
static inline void data_unlock(data_object *d) { (void)d; }
#endif

/* Returns whether a call may use the object now. */
static inline bool data_is_free(const data_object *d) { return !d->is_busy && !d->is_closed; }

/* Makes an object of a type with this stream; NULL = none.
 *   method   the method that the stream must have */
data_object *data_create(PyTypeObject *type, PyObject *stream, const char *method);
/* Raises StateError because data_is_free is false. Returns false. */
bool data_raise_busy(data_object *d, const char *call);
/* Raises StateError because the object has no stream. Returns false. */
bool data_raise_no_stream(data_object *d, const char *call);
/* Begins a call that uses the stream. Returns the stream as a new reference; NULL with StateError set. */
PyObject *data_begin(data_object *d, const char *call);
void data_end(data_object *d);
/* Marks the object as closed, and closes the stream. Returns false with an exception set if the stream's close() raises. */
bool data_close(data_object *d);
int data_traverse(PyObject *self, visitproc visit, void *arg);
/* Converts a count of bytes or code units. WHAT is "the count of load()". */
bool data_parse_count(data_object *d, PyObject *value, const char *what, size_t *count);

/* Methods and attributes of both types. */
plain_method data_detach_stream, data_enter;
PyObject *data_get_byte_order(PyObject *self, void *Py_UNUSED(closure));
int data_set_byte_order(PyObject *self, PyObject *value, void *Py_UNUSED(closure));
PyObject *data_get_encoding(PyObject *self, void *Py_UNUSED(closure));
int data_set_encoding(PyObject *self, PyObject *value, void *Py_UNUSED(closure));
/* Their rows in the attributes of both types. */
#define DATA_SETTINGS                                                                                \
    {"byte_order", data_get_byte_order, data_set_byte_order,                                         \
     "The ByteOrder of numbers, GUIDs, dates and time spans. Default BIG_ENDIAN. The words "         \
     "'little_endian' and 'big_endian' set it too.",                                                 \
     NULL},                                                                                          \
    {                                                                                                \
        "unicode_encoding", data_get_encoding, data_set_encoding,                                    \
            "The UnicodeEncoding of texts. Default UTF8. The words 'utf8', 'utf16le' and 'utf16be' " \
            "set it too.",                                                                           \
            NULL                                                                                     \
    }
/* Converts a member of an enumeration, or its word, to a number.
 *   words   ends with NULL; the number of a word is its index
 *   takes   "'utf8', 'utf16le' or 'utf16be'" */
bool data_parse_choice(module_state *state, PyObject *value, enum_index index, const char *what,
                       const char *const words[], const char *takes, long *number);

/* ---- DataReader ---------------------------------------------------------------------------------------------- */

/* bytes[start..loaded) can be read. bytes[loaded..end) came from the stream before a load asked for them: they were read
 * ahead, or a load failed after them. The next load takes them first, so no byte is lost. */
typedef struct data_reader {
    data_object data;
    long options;
    bool has_read1;
    const char *bytes;
    size_t start, loaded, end, room;
    char *own; /* bytes, if this object has allocated them */
    Py_buffer view;
    bool has_view; /* bytes are those of view */
} data_reader;

/* From data_reading.c: the read methods. */
extern const char read_string_doc[];
plain_method read_byte, read_boolean, read_int16, read_int32, read_int64, read_uint16, read_uint32, read_uint64,
    read_single, read_double, read_guid, read_date_time, read_time_span, read_bytes, read_bytes_into,
    read_buffer, read_string;

/* ---- DataWriter ---------------------------------------------------------------------------------------------- */

/* bytes[start..end) are not stored. */
typedef struct data_writer {
    data_object data;
    char *bytes;
    size_t start, end, room;
} data_writer;

/* From data_writing.c: the write methods. */
extern const char write_buffer_doc[];
plain_method write_byte, write_boolean, write_int16, write_int32, write_int64, write_uint16, write_uint32,
    write_uint64, write_single, write_double, write_guid, write_date_time, write_time_span, write_bytes,
    write_string, measure_string;
PyObject *write_buffer(PyObject *self, PyObject *args, PyObject *keywords);

#endif

/* SPDX-License-Identifier: MIT */
/* What DataReader and DataWriter share: the buffer, the stream, and the settings. Only ldata.c, ldata_reader.c and
 * ldata_writer.c include this header. */
#ifndef LCW_LDATA_H
#define LCW_LDATA_H

#include "lcurlwire.h"

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

/* A reader or a writer. Its user value is a table with the stream at index 1.
 *
 * A reader can read bytes[start..loaded). bytes[loaded..end) came from the stream in a load that failed; the next load takes
 * them first. The bytes of a writer are bytes[start..end). */
typedef struct data_object {
    char *bytes;
    size_t start, loaded, end, room;
    cw_byte_order byte_order;
    cw_encoding encoding;
    bool is_reader, is_partial, is_read_ahead;
    bool has_stream, was_detached, is_closed;
    bool is_busy; /* load, store, flush or close calls the stream */
} data_object;

/* Pushes a new reader or writer. The stream is at index 1, unless has_stream is false. */
data_object *data_push(lua_State *L, bool is_reader, bool has_stream);
/* Returns the object at index 1. Errors: raises an error if it is closed, or in use by a call of the stream. */
data_object *data_check(lua_State *L, const char *type_name);
/* As data_check, and pushes the stream. Errors: also raises an error if there is none. */
data_object *data_check_stream(lua_State *L, const char *type_name, const char *call);
/* Appends bytes. Errors: raises an error if there is no memory. */
void data_append(lua_State *L, data_object *d, const void *bytes, size_t len_bytes);
/* Makes room for more bytes after the end. Returns false if there is no memory. */
bool data_reserve(data_object *d, size_t len_bytes);
/* Drops bytes from the front, and a large buffer that is empty. */
void data_consume(data_object *d, size_t len_bytes);
/* Calls the function below `arguments` values on the stack, for three results. Errors: raises its error. */
void data_call(lua_State *L, data_object *d, int arguments);
/* Returns a count of bytes or units. Errors: raises an argument error. */
size_t data_check_count(lua_State *L, int argument);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif

/* SPDX-License-Identifier: MIT */
/* What DataReader and DataWriter share. ldata_reader.c and ldata_writer.c call it. */
#include "ldata.h"

#include <stdlib.h>
#include <string.h>

enum { KEEP_BYTES = 262144 };

static const char *type_of(const data_object *d) { return d->is_reader ? LCW_DATA_READER : LCW_DATA_WRITER; }

data_object *data_push(lua_State *L, bool is_reader, bool has_stream)
{
    data_object *d = lua_newuserdata(L, sizeof *d);

    *d = (data_object){.byte_order = CW_BIG_ENDIAN, .is_reader = is_reader, .has_stream = has_stream};
    luaL_getmetatable(L, type_of(d));
    lua_setmetatable(L, -2);
    lua_newtable(L);
    if (has_stream) {
        lua_pushvalue(L, 1);
        lua_rawseti(L, -2, 1);
    }
    lcw_set_uservalue(L, -2);
    return d;
}

data_object *data_check(lua_State *L, const char *type_name)
{
    data_object *d = lcw_check_self(L, type_name);

    if (d->is_closed)
        (void)luaL_error(L, "this %s is closed: make a new one", type_name);
    if (d->is_busy)
        (void)luaL_error(L, "this %s is in use: wait until its call of the stream has returned", type_name);
    return d;
}

static void push_stream(lua_State *L)
{
    lcw_get_uservalue(L, 1);
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
}

data_object *data_check_stream(lua_State *L, const char *type_name, const char *call)
{
    data_object *d = data_check(L, type_name);

    if (!d->has_stream)
        (void)luaL_error(L,
                         d->was_detached
                             ? "%s failed: the stream was detached: make a new %s with a stream"
                             : "%s failed: there is no stream, only memory: make a %s with a stream",
                         call, type_name);
    push_stream(L);
    return d;
}

bool data_reserve(data_object *d, size_t len_bytes)
{
    size_t have = d->end - d->start, room;
    char *bytes;

    if (d->room - d->end >= len_bytes)
        return true;
    if (len_bytes > SIZE_MAX / 4 - have)
        return false;
    room = 2 * (have + len_bytes);
    bytes = malloc(room);
    if (bytes == NULL)
        return false;
    if (have > 0)
        memcpy(bytes, d->bytes + d->start, have);
    free(d->bytes);
    d->bytes = bytes;
    d->room = room;
    d->loaded = d->loaded > d->start ? d->loaded - d->start : 0;
    d->end = have;
    d->start = 0;
    return true;
}

void data_append(lua_State *L, data_object *d, const void *bytes, size_t len_bytes)
{
    if (!data_reserve(d, len_bytes))
        (void)luaL_error(L, "not enough memory for %s: free memory, and try again", type_of(d));
    if (len_bytes > 0)
        memcpy(d->bytes + d->end, bytes, len_bytes);
    d->end += len_bytes;
}

static void drop(data_object *d)
{
    free(d->bytes);
    d->bytes = NULL;
    d->start = d->loaded = d->end = d->room = 0;
}

void data_consume(data_object *d, size_t len_bytes)
{
    d->start += len_bytes;
    if (d->start < d->end)
        return;
    d->start = d->loaded = d->end = 0;
    if (d->room > KEEP_BYTES)
        drop(d);
}

void data_call(lua_State *L, data_object *d, int arguments)
{
    int status;

    d->is_busy = true;
    status = lua_pcall(L, arguments, 3, 0);
    d->is_busy = false;
    if (status != 0)
        (void)lua_error(L);
}

size_t data_check_count(lua_State *L, int argument)
{
    int64_t count = 0;

    if (lua_type(L, argument) != LUA_TNUMBER || !lcw_exact_integer(L, argument, &count) || count < 0)
        (void)luaL_argerror(L, argument,
                            lua_pushfstring(L, "a count must be a whole number, 0 or more, not %s",
                                            lcw_push_shown(L, argument)));
    return (size_t)count;
}

/* ---- Methods of both types ---- */

static data_object *check_either(lua_State *L)
{
    bool is_writer = lcw_test_userdata(L, 1, LCW_DATA_WRITER) != NULL;

    return data_check(L, is_writer ? LCW_DATA_WRITER : LCW_DATA_READER);
}

int lcw_data_detach_buffer(lua_State *L)
{
    data_object *d = check_either(L);

    lua_pushlstring(L, d->end > 0 ? d->bytes + d->start : "", d->end - d->start);
    drop(d);
    return 1;
}

int lcw_data_detach_stream(lua_State *L)
{
    data_object *d = check_either(L);

    (void)data_check_stream(L, type_of(d), "detach_stream");
    d->has_stream = false;
    d->was_detached = true;
    lcw_get_uservalue(L, 1);
    lua_pushnil(L);
    lua_rawseti(L, -2, 1);
    lua_pop(L, 1);
    return 1;
}

/* Closes the object and its stream. Returns what the stream's close returns if that fails. */
int lcw_data_close(lua_State *L)
{
    data_object *d = lcw_test_userdata(L, 1, LCW_DATA_WRITER);
    bool had_stream;

    if (d == NULL)
        d = lcw_check_self(L, LCW_DATA_READER);
    if (d->is_busy)
        d = check_either(L); /* raises */
    lua_settop(L, 1);
    had_stream = d->has_stream;
    d->is_closed = true;
    d->has_stream = false;
    drop(d);
    if (had_stream) {
        push_stream(L);
        lua_getfield(L, 2, "close");
        if (!lua_isnil(L, 3)) {
            lua_insert(L, 2);
            data_call(L, d, 1);
            if (!lua_toboolean(L, 2) && !lua_isnil(L, 3))
                return 3;
        }
    }
    lua_pushboolean(L, 1);
    return 1;
}

int lcw_data_gc(lua_State *L)
{
    drop(lua_touserdata(L, 1));
    return 0;
}

int lcw_data_tostring(lua_State *L)
{
    data_object *d = lua_touserdata(L, 1);

    if (d->is_closed)
        lua_pushfstring(L, "%s (closed)", type_of(d));
    else
        lua_pushfstring(L, "%s (%d bytes)", type_of(d), (int)((d->is_reader ? d->loaded : d->end) - d->start));
    return 1;
}

/* ---- Attributes ---- */

static const char *const orders[] = {"little_endian", "big_endian", NULL};
static const char *const encodings[] = {"utf8", "utf16le", "utf16be", NULL};
static const char *const options[] = {"none", "partial", "read_ahead", "partial_read_ahead", NULL};

/* Upvalue 1 is the table of methods; the next two are those of lcw_push_task_method. */
int lcw_data_index(lua_State *L)
{
    data_object *d = lua_touserdata(L, 1);
    const char *key;

    if (lcw_push_task_method(L, 2))
        return 1;
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1) || lua_type(L, 2) != LUA_TSTRING)
        return 1;
    key = lua_tostring(L, 2);
    if (strcmp(key, "byte_order") == 0)
        lua_pushstring(L, orders[d->byte_order]);
    else if (strcmp(key, "unicode_encoding") == 0)
        lua_pushstring(L, encodings[d->encoding]);
    else if (d->is_reader && strcmp(key, "input_stream_options") == 0)
        lua_pushstring(L, options[(d->is_partial ? 1 : 0) + (d->is_read_ahead ? 2 : 0)]);
    else if (strcmp(key, d->is_reader ? "unconsumed_buffer_length" : "unstored_buffer_length") == 0)
        lua_pushinteger(L, (lua_Integer)((d->is_reader ? d->loaded : d->end) - d->start));
    return 1;
}

/* Returns the number of the word at index 3. Errors: raises an error for any other value. */
static int check_word(lua_State *L, const char *const words[])
{
    int i;

    for (i = 0; words[i] != NULL; i++) {
        if (lua_type(L, 3) == LUA_TSTRING && strcmp(lua_tostring(L, 3), words[i]) == 0)
            return i;
    }
    lua_pushfstring(L, "%s cannot be %s: it takes \"%s\"", lua_tostring(L, 2), lcw_push_shown(L, 3), words[0]);
    for (i = 1; words[i] != NULL; i++) {
        lua_pushfstring(L, " or \"%s\"", words[i]);
        lua_concat(L, 2);
    }
    return luaL_error(L, "%s", lua_tostring(L, -1));
}

int lcw_data_newindex(lua_State *L)
{
    data_object *d = lua_touserdata(L, 1);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

    if (strcmp(key, "byte_order") == 0) {
        d->byte_order = (cw_byte_order)check_word(L, orders);
    } else if (strcmp(key, "unicode_encoding") == 0) {
        d->encoding = (cw_encoding)check_word(L, encodings);
    } else if (d->is_reader && strcmp(key, "input_stream_options") == 0) {
        int number = check_word(L, options);
        d->is_partial = (number & 1) != 0;
        d->is_read_ahead = (number & 2) != 0;
    } else {
        return luaL_error(L, "%s has no field %s that can be set: set byte_order or unicode_encoding%s",
                          type_of(d), lcw_push_shown(L, 2), d->is_reader ? " or input_stream_options" : "");
    }
    return 0;
}

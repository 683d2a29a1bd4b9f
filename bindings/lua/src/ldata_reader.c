/* SPDX-License-Identifier: MIT */
/* Implements curlwire.DataReader: values from the bytes of a stream or of a string. Scripts call it, and so does levents.c for
 * the arguments of a handler. It needs no socket. A read that raises an error takes nothing. */
#include <stdio.h>
#include <string.h>

#include "ldata.h"

enum { MOST_AT_ONCE_BYTES = 1048576 };

/* ---- Making readers ---- */

/* curlwire.DataReader(stream), the __call of the table curlwire.DataReader, which is argument 1. */
int lcw_data_reader(lua_State *L)
{
    bool has_read = false;

    lua_remove(L, 1);
    lua_settop(L, 1);
    if (lua_istable(L, 1) || lua_type(L, 1) == LUA_TUSERDATA) {
        lua_getfield(L, 1, "read");
        has_read = !lua_isnil(L, -1);
        lua_pop(L, 1);
    }
    if (!has_read)
        return luaL_error(L,
                          "DataReader takes a stream with the method read, as ws.input_stream, not %s: for a "
                          "string there is DataReader.from_buffer",
                          lcw_push_shown(L, 1));
    (void)data_push(L, true, true);
    return 1;
}

static int push_of_string(lua_State *L, int index)
{
    size_t len_bytes;
    const char *bytes = lua_tolstring(L, index, &len_bytes);
    data_object *d = data_push(L, true, false);

    data_append(L, d, bytes, len_bytes);
    d->loaded = d->end;
    return 1;
}

int lcw_data_reader_from_buffer(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    return push_of_string(L, 1);
}

/* Pushes the data of a handler's args, which are argument 1. */
static void push_args_data(lua_State *L)
{
    if (lua_istable(L, 1)) {
        lua_pushliteral(L, "data");
        lua_rawget(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING)
            return;
    }
    (void)luaL_argerror(L, 1,
                        "the args of a message expected: call it with a colon, as in args:get_data_reader()");
}

int lcw_args_get_data_reader(lua_State *L)
{
    push_args_data(L);
    return push_of_string(L, -1);
}

int lcw_args_get_data_stream(lua_State *L)
{
    push_args_data(L);
    lcw_push_memory_stream(L, -1);
    return 1;
}

/* ---- Loading ---- */

/* Reads from the stream at index 3 once. Returns false at its end, and after a failure, which *is_failed tells. The failure's
 * values are on top. */
static bool read_once(lua_State *L, data_object *d, size_t ask, bool *is_failed)
{
    size_t len_bytes;
    const char *bytes;

    lua_settop(L, 3);
    if (d->is_partial && lcw_test_userdata(L, 3, LCW_INPUT_STREAM) != NULL)
        lua_pushcfunction(L, lcw_input_read_some);
    else
        lua_getfield(L, 3, "read");
    lua_pushvalue(L, 3);
    lua_pushinteger(L, (lua_Integer)ask);
    data_call(L, d, 2);
    *is_failed = lua_isnil(L, 4) && !lua_isnil(L, 5);
    if (lua_isnil(L, 4))
        return false;
    if (lua_type(L, 4) != LUA_TSTRING)
        return luaL_error(L, "read of the stream must return a string or nil, not %s", lcw_push_shown(L, 4));
    bytes = lua_tolstring(L, 4, &len_bytes);
    if (len_bytes > ask)
        return luaL_error(
            L, "read(%d) of the stream returned %d bytes: it must not return more than it is asked for",
            (int)ask, (int)len_bytes);
    data_append(L, d, bytes, len_bytes);
    return len_bytes > 0;
}

int lcw_data_load(lua_State *L)
{
    data_object *d;
    size_t count, least, loaded;
    bool is_failed = false;

    (void)data_check(L, LCW_DATA_READER);
    count = data_check_count(L, 2);
    lua_settop(L, 2);
    d = data_check_stream(L, LCW_DATA_READER, "load");
    least = d->is_partial && count > 0 ? 1 : count;
    while (d->end - d->loaded < least) {
        size_t ask = count - (d->end - d->loaded);
        if (!read_once(L, d, ask < MOST_AT_ONCE_BYTES ? ask : MOST_AT_ONCE_BYTES, &is_failed))
            break;
    }
    if (is_failed)
        return 3;
    loaded = d->end - d->loaded < count ? d->end - d->loaded : count;
    d->loaded += loaded;
    lua_pushinteger(L, (lua_Integer)loaded);
    return 1;
}

/* ---- Reading ---- */

/* Returns the next bytes, which stay. Errors: raises an error if there are fewer. */
static const char *peek(lua_State *L, data_object *d, const char *call, size_t count)
{
    size_t have = d->loaded - d->start;
    char text[160];

    if (count <= have)
        return count > 0 ? d->bytes + d->start : "";
    if (d->has_stream || d->end > d->loaded)
        (void)snprintf(text, sizeof text,
                       "%s needs %zu bytes, and %zu are loaded: load(%zu) gets the missing bytes", call, count,
                       have, count - have);
    else
        (void)snprintf(text, sizeof text,
                       "%s needs %zu bytes, and %zu are left: there is no stream to load more from", call,
                       count, have);
    (void)luaL_error(L, "%s", text);
    return NULL;
}

/* Takes bytes that are there. */
static void taken(data_object *d, size_t count)
{
    d->start += count;
    if (d->start == d->end)
        data_consume(d, 0);
}

static uint64_t take_number(lua_State *L, const char *call, size_t size_bytes)
{
    data_object *d = data_check(L, LCW_DATA_READER);
    uint64_t number = cw_number_read(peek(L, d, call, size_bytes), size_bytes, d->byte_order);

    taken(d, size_bytes);
    return number;
}

#define READ_SMALL(name, size_bytes, type)                                        \
    int lcw_data_##name(lua_State *L)                                             \
    {                                                                             \
        lua_pushinteger(L, (lua_Integer)(type)take_number(L, #name, size_bytes)); \
        return 1;                                                                 \
    }

READ_SMALL(read_byte, 1, uint8_t)
READ_SMALL(read_int16, 2, int16_t)
READ_SMALL(read_int32, 4, int32_t)
READ_SMALL(read_uint16, 2, uint16_t)
READ_SMALL(read_uint32, 4, uint32_t)

/* Pushes a number of 8 bytes. Errors: raises an error if Lua's numbers cannot hold it; the bytes stay. */
static int read_large(lua_State *L, const char *call, bool is_signed)
{
    data_object *d = data_check(L, LCW_DATA_READER);
    uint64_t number = cw_number_read(peek(L, d, call, 8), 8, d->byte_order);
    char text[32];

    if ((!is_signed && number > INT64_MAX) || !lcw_push_int64(L, (int64_t)number)) {
        (void)snprintf(text, sizeof text, is_signed ? "%lld" : "%llu", (long long)number);
        return luaL_error(
            L, "%s found %s, which is beyond this Lua's whole numbers: read_bytes(8) returns its bytes", call,
            text);
    }
    taken(d, 8);
    return 1;
}

int lcw_data_read_int64(lua_State *L) { return read_large(L, "read_int64", true); }
int lcw_data_read_uint64(lua_State *L) { return read_large(L, "read_uint64", false); }

int lcw_data_read_boolean(lua_State *L)
{
    lua_pushboolean(L, take_number(L, "read_boolean", 1) != 0);
    return 1;
}

int lcw_data_read_single(lua_State *L)
{
    uint32_t bits = (uint32_t)take_number(L, "read_single", 4);
    float value;

    memcpy(&value, &bits, sizeof value);
    lua_pushnumber(L, (lua_Number)value);
    return 1;
}

int lcw_data_read_double(lua_State *L)
{
    uint64_t bits = take_number(L, "read_double", 8);
    double value;

    memcpy(&value, &bits, sizeof value);
    lua_pushnumber(L, (lua_Number)value);
    return 1;
}

int lcw_data_read_guid(lua_State *L)
{
    data_object *d = data_check(L, LCW_DATA_READER);
    const char *bytes = peek(L, d, "read_guid", CW_GUID_BYTES);
    uint8_t guid[CW_GUID_BYTES];
    char text[40];

    if (bytes == NULL) /* peek has raised an error, which analysers do not know */
        return 0;
    memcpy(guid, bytes, sizeof guid);
    taken(d, sizeof guid);
    cw_guid_arrange(guid, d->byte_order);
    (void)snprintf(text, sizeof text, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                   guid[0], guid[1], guid[2], guid[3], guid[4], guid[5], guid[6], guid[7], guid[8], guid[9],
                   guid[10], guid[11], guid[12], guid[13], guid[14], guid[15]);
    lua_pushstring(L, text);
    return 1;
}

/* Pushes ticks as whole seconds since the epoch, and the ticks after them. */
static int read_ticks(lua_State *L, const char *call, int64_t epoch_s)
{
    int64_t ticks = (int64_t)take_number(L, call, 8);
    int64_t seconds = ticks / CW_TICKS_PER_SECOND, rest = ticks % CW_TICKS_PER_SECOND;

    if (rest < 0) {
        rest += CW_TICKS_PER_SECOND;
        seconds--;
    }
    (void)lcw_push_int64(L, seconds - epoch_s);
    lua_pushinteger(L, (lua_Integer)rest);
    return 2;
}

int lcw_data_read_date_time(lua_State *L)
{
    return read_ticks(L, "read_date_time", CW_TICKS_TO_1970 / CW_TICKS_PER_SECOND);
}

int lcw_data_read_time_span(lua_State *L) { return read_ticks(L, "read_time_span", 0); }

int lcw_data_read_bytes(lua_State *L)
{
    data_object *d = data_check(L, LCW_DATA_READER);
    size_t count = data_check_count(L, 2);

    lua_pushlstring(L, peek(L, d, "read_bytes", count), count);
    taken(d, count);
    return 1;
}

int lcw_data_read_string(lua_State *L)
{
    static const char *const names[] = {"UTF-8", "UTF-16LE", "UTF-16BE"};
    data_object *d = data_check(L, LCW_DATA_READER);
    size_t units = data_check_count(L, 2), out_bytes, bad;
    size_t count = d->encoding == CW_ENCODING_UTF8 ? units : units > SIZE_MAX / 2 ? SIZE_MAX : 2 * units;
    const char *bytes = peek(L, d, "read_string", count);
    char text[160];

    if (!cw_text_convert(d->encoding, bytes, count, CW_ENCODING_UTF8, NULL, 0, &out_bytes, &bad)) {
        (void)snprintf(
            text, sizeof text,
            "read_string found bytes that are not %s, after %zu bytes: they stay, and read_bytes returns them",
            names[d->encoding], bad);
        return luaL_error(L, "%s", text);
    }
    if (d->encoding == CW_ENCODING_UTF8) {
        lua_pushlstring(L, bytes, count);
    } else {
        char *out = lua_newuserdata(L, out_bytes + 1);
        (void)cw_text_convert(d->encoding, bytes, count, CW_ENCODING_UTF8, out, out_bytes, &out_bytes, &bad);
        lua_pushlstring(L, out, out_bytes);
    }
    taken(d, count);
    return 1;
}

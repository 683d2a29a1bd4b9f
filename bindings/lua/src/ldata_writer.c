/* SPDX-License-Identifier: MIT */
/* Implements curlwire.DataWriter: values as bytes, in memory until store writes them to the stream. Scripts call it. It needs no
 * socket. A write that raises an error writes nothing. */
#include <stdio.h>
#include <string.h>

#include "ldata.h"

/* The whole seconds that 64 bits hold as ticks; beyond them there are only some ticks of the next second. */
#define MOST_SECONDS INT64_C(922337203685)
#define MOST_REST    INT64_C(4775807)
#define LEAST_REST   INT64_C(5224192)

int lcw_data_writer(lua_State *L)
{
    bool has_write = false;

    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        (void)data_push(L, false, false);
        return 1;
    }
    if (lua_istable(L, 1) || lua_type(L, 1) == LUA_TUSERDATA) {
        lua_getfield(L, 1, "write");
        has_write = !lua_isnil(L, -1);
        lua_pop(L, 1);
    }
    if (!has_write)
        return luaL_error(
            L, "DataWriter takes a stream with the method write, as ws.output_stream, or nil, not %s",
            lcw_push_shown(L, 1));
    (void)data_push(L, false, true);
    return 1;
}

/* ---- Writing ---- */

static int append_number(lua_State *L, data_object *d, size_t size_bytes, uint64_t number)
{
    uint8_t bytes[8];

    cw_number_write(bytes, size_bytes, d->byte_order, number);
    data_append(L, d, bytes, size_bytes);
    return 0;
}

/* Appends the number of argument 2. Errors: raises an argument error if it is not a whole number of this size. */
static int append_integer(lua_State *L, size_t size_bytes, bool is_signed)
{
    data_object *d = data_check(L, LCW_DATA_WRITER);
    int64_t most = (int64_t)(UINT64_MAX >> (64 - 8 * size_bytes + (is_signed || size_bytes == 8 ? 1 : 0)));
    int64_t least = is_signed ? -most - 1 : 0, number = 0;
    char text[80];

    if (lua_type(L, 2) == LUA_TNUMBER && lcw_exact_integer(L, 2, &number) && number >= least && number <= most)
        return append_number(L, d, size_bytes, (uint64_t)number);
    (void)snprintf(text, sizeof text, "a whole number from %lld to %lld", (long long)least, (long long)most);
    return luaL_argerror(L, 2, lua_pushfstring(L, "%s expected, got %s", text, lcw_push_shown(L, 2)));
}

int lcw_data_write_byte(lua_State *L) { return append_integer(L, 1, false); }
int lcw_data_write_int16(lua_State *L) { return append_integer(L, 2, true); }
int lcw_data_write_int32(lua_State *L) { return append_integer(L, 4, true); }
int lcw_data_write_int64(lua_State *L) { return append_integer(L, 8, true); }
int lcw_data_write_uint16(lua_State *L) { return append_integer(L, 2, false); }
int lcw_data_write_uint32(lua_State *L) { return append_integer(L, 4, false); }
int lcw_data_write_uint64(lua_State *L) { return append_integer(L, 8, false); }

int lcw_data_write_boolean(lua_State *L)
{
    data_object *d = data_check(L, LCW_DATA_WRITER);

    luaL_checktype(L, 2, LUA_TBOOLEAN);
    return append_number(L, d, 1, lua_toboolean(L, 2) ? 1 : 0);
}

int lcw_data_write_single(lua_State *L)
{
    data_object *d = data_check(L, LCW_DATA_WRITER);
    double number;
    float single;
    uint32_t bits;

    luaL_checktype(L, 2, LUA_TNUMBER);
    number = (double)lua_tonumber(L, 2);
    single = (float)number;
    if (isinf(single) && !isinf(number))
        return luaL_argerror(L, 2,
                             lua_pushfstring(L, "a number from -3.4028235e38 to 3.4028235e38 expected, got %s",
                                             lcw_push_shown(L, 2)));
    memcpy(&bits, &single, sizeof bits);
    return append_number(L, d, sizeof bits, bits);
}

int lcw_data_write_double(lua_State *L)
{
    data_object *d = data_check(L, LCW_DATA_WRITER);
    double number;
    uint64_t bits;

    luaL_checktype(L, 2, LUA_TNUMBER);
    number = (double)lua_tonumber(L, 2);
    memcpy(&bits, &number, sizeof bits);
    return append_number(L, d, sizeof bits, bits);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Reads "00112233-4455-6677-8899-aabbccddeeff". */
static bool parse_guid(const char *text, size_t len, uint8_t guid[CW_GUID_BYTES])
{
    size_t at = 0, i;

    if (len != 36)
        return false;
    for (i = 0; i < CW_GUID_BYTES; i++) {
        int high, low;
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-')
            return false;
        high = hex_value(text[at++]);
        low = hex_value(text[at++]);
        if (high < 0 || low < 0)
            return false;
        guid[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int lcw_data_write_guid(lua_State *L)
{
    data_object *d = data_check(L, LCW_DATA_WRITER);
    uint8_t guid[CW_GUID_BYTES];
    size_t len = 0;
    const char *text = lua_type(L, 2) == LUA_TSTRING ? lua_tolstring(L, 2, &len) : "";

    if (!parse_guid(text, len, guid))
        return luaL_argerror(
            L, 2,
            lua_pushfstring(L, "a GUID such as \"00112233-4455-6677-8899-aabbccddeeff\" expected, got %s",
                            lcw_push_shown(L, 2)));
    cw_guid_arrange(guid, d->byte_order);
    data_append(L, d, guid, sizeof guid);
    return 0;
}

/* Appends seconds (argument 2) and ticks (argument 3, 0 by default) since the epoch as ticks. */
static int append_ticks(lua_State *L, int64_t epoch_s)
{
    data_object *d = data_check(L, LCW_DATA_WRITER);
    double number, whole;
    int64_t seconds, rest = 0;

    luaL_checktype(L, 2, LUA_TNUMBER);
    number = (double)lua_tonumber(L, 2);
    if (!lua_isnoneornil(L, 3) && (lua_type(L, 3) != LUA_TNUMBER || !lcw_exact_integer(L, 3, &rest) ||
                                   rest < 0 || rest >= CW_TICKS_PER_SECOND))
        return luaL_argerror(L, 3,
                             lua_pushfstring(L,
                                             "ticks of 100 ns must be a whole number from 0 to 9999999, not %s",
                                             lcw_push_shown(L, 3)));
    whole = floor(number);
    if (!(fabs(whole) < 1e15))
        return luaL_argerror(L, 2,
                             lua_pushfstring(L, "a number of seconds expected, got %s", lcw_push_shown(L, 2)));
    seconds = (int64_t)whole + epoch_s;
    rest += (int64_t)floor((number - whole) * (double)CW_TICKS_PER_SECOND + 0.5);
    if (rest >= CW_TICKS_PER_SECOND) {
        rest -= CW_TICKS_PER_SECOND;
        seconds++;
    }
    if (seconds > MOST_SECONDS || (seconds == MOST_SECONDS && rest > MOST_REST) ||
        seconds < -MOST_SECONDS - 1 || (seconds == -MOST_SECONDS - 1 && rest < LEAST_REST))
        return luaL_argerror(L, 2,
                             lua_pushfstring(L,
                                             "%s seconds are more than 64 bits hold as ticks of 100 ns: "
                                             "give less than 29,227 years",
                                             lcw_push_shown(L, 2)));
    if (seconds < 0) /* in this order nothing overflows */
        return append_number(L, d, 8,
                             (uint64_t)((seconds + 1) * CW_TICKS_PER_SECOND + (rest - CW_TICKS_PER_SECOND)));
    return append_number(L, d, 8, (uint64_t)(seconds * CW_TICKS_PER_SECOND + rest));
}

int lcw_data_write_date_time(lua_State *L) { return append_ticks(L, CW_TICKS_TO_1970 / CW_TICKS_PER_SECOND); }
int lcw_data_write_time_span(lua_State *L) { return append_ticks(L, 0); }

int lcw_data_write_bytes(lua_State *L)
{
    data_object *d = data_check(L, LCW_DATA_WRITER);
    size_t len_bytes;
    const char *bytes;

    luaL_checktype(L, 2, LUA_TSTRING);
    bytes = lua_tolstring(L, 2, &len_bytes);
    data_append(L, d, bytes, len_bytes);
    return 0;
}

/* Returns the text of argument 2, its size, and its size in the writer's encoding. Errors: raises an argument error. */
static const char *check_text(lua_State *L, const data_object *d, size_t *len_bytes, size_t *out_bytes)
{
    const char *text;
    size_t bad;
    char fault[120];

    luaL_checktype(L, 2, LUA_TSTRING);
    text = lua_tolstring(L, 2, len_bytes);
    if (!cw_text_convert(CW_ENCODING_UTF8, text, *len_bytes, d->encoding, NULL, 0, out_bytes, &bad)) {
        (void)snprintf(fault, sizeof fault,
                       "the text is not UTF-8, after %zu bytes: write_bytes writes any bytes", bad);
        (void)luaL_argerror(L, 2, fault);
    }
    return text;
}

int lcw_data_measure_string(lua_State *L)
{
    data_object *d = data_check(L, LCW_DATA_WRITER);
    size_t len_bytes, out_bytes;

    (void)check_text(L, d, &len_bytes, &out_bytes);
    lua_pushinteger(L, (lua_Integer)out_bytes);
    return 1;
}

int lcw_data_write_string(lua_State *L)
{
    data_object *d = data_check(L, LCW_DATA_WRITER);
    size_t len_bytes, out_bytes, bad;
    const char *text = check_text(L, d, &len_bytes, &out_bytes);

    if (!data_reserve(d, out_bytes))
        return luaL_error(L, "not enough memory for a text of %d bytes: free memory, and try again",
                          (int)out_bytes);
    (void)cw_text_convert(CW_ENCODING_UTF8, text, len_bytes, d->encoding, d->bytes + d->end, out_bytes,
                          &out_bytes, &bad);
    d->end += out_bytes;
    lua_pushinteger(L, (lua_Integer)out_bytes);
    return 1;
}

/* ---- Storing ---- */

int lcw_data_store(lua_State *L)
{
    data_object *d;
    size_t len_bytes;

    lua_settop(L, 1);
    d = data_check_stream(L, LCW_DATA_WRITER, "store");
    len_bytes = d->end - d->start;
    if (len_bytes > 0) {
        lua_getfield(L, 2, "write");
        lua_insert(L, 2);
        lua_pushlstring(L, d->bytes + d->start, len_bytes);
        data_call(L, d, 2);
        if (!lua_toboolean(L, 2))
            return 3;
        data_consume(d, len_bytes);
    }
    lua_pushinteger(L, (lua_Integer)len_bytes);
    return 1;
}

int lcw_data_flush(lua_State *L)
{
    data_object *d;

    lua_settop(L, 1);
    d = data_check_stream(L, LCW_DATA_WRITER, "flush");
    lua_getfield(L, 2, "flush");
    if (!lua_isnil(L, 3)) {
        lua_insert(L, 2);
        data_call(L, d, 1);
        if (!lua_toboolean(L, 2) && !lua_isnil(L, 3))
            return 3;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* SPDX-License-Identifier: MIT */
/* Checks the arguments of methods, and raises Lua errors about them. All files call it; it calls no other file. */
#include <stdio.h>
#include <string.h>

#include "lcurlwire.h"

enum { SHOWN_BYTES = 25 };

/* Returns a text that says how to lift, in Lua, the limit that ended a call. */
static const char *limit_hint(void)
{
    switch (cw_error_option()) {
    case CW_OPT_RECEIVE_TIMEOUT:
        return "; to wait without a limit, set the timeout or receive_timeout to math.huge";
    case CW_OPT_PING_TIMEOUT:
        return "; to wait without a limit, set the timeout to math.huge";
    case CW_OPT_MAX_MESSAGE_SIZE:
        return "; raise max_message_size, or set it to math.huge for no limit";
    case CW_OPT_MAX_FRAGMENTS:
        return "; raise max_fragments, or set it to math.huge for no limit";
    default:
        return "";
    }
}

void lcw_copy_message(char message[LCW_MESSAGE_BYTES])
{
    /* cppcheck-suppress ctuuninitvar ; message is written, not read */
    (void)snprintf(message, LCW_MESSAGE_BYTES, "%s%s", cw_error_message(), limit_hint());
}

int lcw_raise(lua_State *L, const char *what)
{
    char message[LCW_MESSAGE_BYTES];

    lcw_copy_message(message);
    if (what != NULL && strstr(message, what) == NULL)
        return luaL_error(L, "%s: %s", what, message);
    return luaL_error(L, "%s", message);
}

/* ---- Missing members ---- */

int lcw_refuse_key(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(2)) + strlen("curlwire.");

    return luaL_error(L, "%s has no %s: it has %s", name, lcw_push_shown(L, 2),
                      lua_tostring(L, lua_upvalueindex(3)));
}

int lcw_method_index(lua_State *L)
{
    lua_settop(L, 2);
    if (lcw_push_task_method(L, 4))
        return 1;
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    return lua_isnil(L, -1) ? lcw_refuse_key(L) : 1;
}

/* ---- Arguments ---- */

/* Pushes a string in quotes. It shows at most 24 bytes, and ? for each that is not printable ASCII. */
static void push_quoted(lua_State *L, int index)
{
    char text[SHOWN_BYTES];
    size_t len, i;
    const char *value = lua_tolstring(L, index, &len);

    for (i = 0; i < len && i < sizeof text - 1; i++)
        text[i] = (char)(value[i] >= ' ' && value[i] <= '~' ? value[i] : '?');
    text[i] = '\0';
    lua_pushfstring(L, "\"%s%s\"", text, i < len ? "..." : "");
}

const char *lcw_push_shown(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TNUMBER: {
        double number = (double)lua_tonumber(L, index);
        if (isnan(number))
            lua_pushliteral(L, "nan"); /* the C library prints some of them as -nan */
        else if (isinf(number))
            lua_pushstring(L, number > 0 ? "math.huge" : "-math.huge");
        else
            lua_pushvalue(L, index);
        break;
    }
    case LUA_TSTRING:
        push_quoted(L, index);
        break;
    case LUA_TNIL:
        lua_pushliteral(L, "nil");
        break;
    default:
        lua_pushfstring(L, "a %s", luaL_typename(L, index));
    }
    return lua_tostring(L, -1);
}

/* Returns the name of a value's type for "x expected, got y". */
static const char *type_of(lua_State *L, int index)
{
    static const char *const types[] = {LCW_MESSAGE_WEBSOCKET, LCW_STREAM_WEBSOCKET, LCW_OUTPUT_STREAM,
                                        LCW_INPUT_STREAM,      LCW_DATA_READER,      LCW_DATA_WRITER};
    size_t i;

    for (i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (lcw_test_userdata(L, index, types[i]) != NULL)
            return types[i];
    }
    return luaL_typename(L, index);
}

void *lcw_check_self(lua_State *L, const char *type_name)
{
    void *self = lcw_test_userdata(L, 1, type_name);

    if (self == NULL)
        (void)luaL_argerror(
            L, 1,
            lua_pushfstring(L, "%s expected, got %s: call methods with a colon, as in object:method()",
                            type_name, type_of(L, 1)));
    return self;
}

bool lcw_to_ms(lua_State *L, int index, int64_t *out)
{
    double seconds;

    if (lua_isboolean(L, index) && !lua_toboolean(L, index)) {
        *out = -1;
        return true;
    }
    if (lua_type(L, index) != LUA_TNUMBER)
        return false;
    seconds = (double)lua_tonumber(L, index);
    if (!(seconds >= 0))
        return false;
    if (isinf(seconds))
        *out = -1;
    else
        *out = cw_ms_of_seconds(seconds);
    return true;
}

int lcw_check_timeout(lua_State *L, int argument, int otherwise)
{
    int64_t ms;

    if (lua_isnoneornil(L, argument))
        return otherwise;
    if (!lcw_to_ms(L, argument, &ms))
        return luaL_argerror(L, argument,
                             lua_pushfstring(L,
                                             "a timeout must be a number of seconds, 0 or more, or false (or "
                                             "math.huge) to wait without a limit, not %s",
                                             lcw_push_shown(L, argument)));
    return ms < 0 ? CW_TIMEOUT_NEVER : (int)ms;
}

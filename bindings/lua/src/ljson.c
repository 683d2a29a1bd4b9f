/* SPDX-License-Identifier: MIT */
/* Sends and receives messages that are JSON. Lua has no JSON of its own, so scripts give a library: a table with the
 * functions encode and decode, as lua-cjson, dkjson and lunajson have. Scripts call this file. */
#include <string.h>

#include "lcurlwire.h"

enum { DECODED_VALUES = 3 };

/* Pushes the function of the library at index `argument`, or of curlwire.json. Errors: raises an error if there is none. */
static void push_function(lua_State *L, const lcw_socket *w, int argument, const char *name)
{
    bool is_given = !lua_isnoneornil(L, argument);

    if (is_given) {
        lua_pushvalue(L, argument);
    } else {
        lua_rawgeti(L, LUA_REGISTRYINDEX, w->state->module_ref);
        lua_getfield(L, -1, "json");
        lua_remove(L, -2);
    }
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, name);
        lua_remove(L, -2);
        if (!lua_isnil(L, -1))
            return;
        (void)luaL_error(L, "the JSON library has no function %s: use one such as lua-cjson or dkjson", name);
    }
    if (is_given)
        (void)luaL_argerror(L, argument,
                            lua_pushfstring(L, "a JSON library must be a table with encode and decode, not %s",
                                            lcw_push_shown(L, argument)));
    (void)luaL_error(
        L,
        "no JSON library is set: set curlwire.json once, as in curlwire.json = require \"cjson\", or give the "
        "library to each call");
}

int lcw_encode_json(lua_State *L)
{
    lcw_socket *w = lcw_check_message_socket(L);

    luaL_checkany(L, 2);
    lua_settop(L, 3);
    push_function(L, w, 3, "encode");
    lua_pushvalue(L, 2);
    lua_call(L, 1, 1);
    if (lua_type(L, -1) != LUA_TSTRING)
        return luaL_error(L, "encode returned a %s: it must return the JSON as a string", luaL_typename(L, -1));
    return 1;
}

int lcw_websocket_send_json(lua_State *L)
{
    lcw_socket *w = lcw_check_message_socket(L);
    int timeout_ms = lcw_check_timeout(L, 4, CW_TIMEOUT_DEFAULT);
    cw_message m = {.message_type = CW_UTF8, .compress = lcw_check_compress(L, 5)};

    (void)lcw_encode_json(L);
    m.data = lua_tolstring(L, -1, &m.len_bytes);
    return lcw_send_message(L, w, &m, timeout_ms);
}

/* Returns whether decode failed. Its three results are at `first`. lua-cjson raises an error, cjson.safe returns nil and a
 * text, dkjson returns nil, a position and a text. */
static bool has_failed(lua_State *L, int first)
{
    return lua_isnil(L, first) && (lua_type(L, first + 1) == LUA_TSTRING || !lua_isnil(L, first + 2));
}

/* Returns whether the error on top is that of Ctrl-C in the standard interpreters. */
static bool is_interruption(lua_State *L)
{
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

    return strstr(text, "interrupted!") != NULL;
}

/* Pushes nil, a message and an error object. The message is at index `data`. No text contains it or the library's own
 * message, which may contain a part of it. */
static int refuse(lua_State *L, int data)
{
    static const char message[] = "cannot read the message as JSON: the field data of the error is the message";

    lua_pushnil(L);
    lua_pushstring(L, message);
    lcw_push_error(L, "NOT_JSON", message);
    lua_pushvalue(L, data);
    lua_setfield(L, -2, "data");
    return 3;
}

int lcw_websocket_receive_json(lua_State *L)
{
    lcw_socket *w = lcw_check_message_socket(L);
    int timeout_ms = lcw_check_timeout(L, 2, CW_TIMEOUT_DEFAULT), data, first;
    cw_event *event = NULL;
    cw_status status;

    lua_settop(L, 3);
    push_function(L, w, 3, "decode");
    status = lcw_take_message(L, w, timeout_ms, &event);
    if (status != CW_OK)
        return lcw_fail(L, w, status, 0);
    if (cw_event_is_part(event)) {
        cw_socket_put_back(w->s, event);
        return luaL_error(L, "receive_json needs whole messages: set receive_mode to \"full\"");
    }
    (void)lcw_push_message(L, w, event);
    lua_pop(L, 2);
    data = lua_gettop(L);
    lua_pushvalue(L, data - 1);
    lua_pushvalue(L, data);
    first = data + 1;
    if (lua_pcall(L, 1, DECODED_VALUES, 0) != 0)
        return is_interruption(L) ? lua_error(L) : refuse(L, data);
    if (has_failed(L, first))
        return refuse(L, data);
    lua_settop(L, first);
    return 1;
}

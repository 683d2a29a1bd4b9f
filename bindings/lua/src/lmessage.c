/* SPDX-License-Identifier: MIT */
/* Sends, receives and iterates over messages, and sends fragments. Scripts call it. The core checks the messages. A received
 * message is copied once, from the event into a Lua string. */
#include <stdio.h>
#include <string.h>

#include "lcurlwire.h"

enum { SEND_AT_ONCE = 100, ITEM_BYTES = 400 };

static lcw_socket *check_message_socket(lua_State *L)
{
    lcw_socket *w = lcw_check_self(L, LCW_MESSAGE_WEBSOCKET);

    if (w->s == NULL)
        (void)luaL_error(L, "the socket has been collected: keep a reference to it as long as you use it");
    return w;
}

/* ---- Sending ---- */

bool lcw_find_kind(const char *word, cw_kind *out)
{
    *out = strcmp(word, "binary") == 0 ? CW_BINARY : CW_UTF8;
    return *out == CW_BINARY || strcmp(word, "utf8") == 0 || strcmp(word, "text") == 0;
}

static cw_kind check_kind(lua_State *L, int argument, cw_kind otherwise)
{
    cw_kind kind = otherwise;

    if (lua_isnoneornil(L, argument))
        return otherwise;
    if (lua_type(L, argument) != LUA_TSTRING || !lcw_find_kind(lua_tostring(L, argument), &kind))
        (void)luaL_argerror(
            L, argument,
            lua_pushfstring(L,
                            lua_type(L, argument) == LUA_TNUMBER
                                ? "the type of a message must be \"utf8\" or \"binary\", not %s; give a "
                                  "timeout after the type, as in send(data, nil, 5)"
                                : "the type of a message must be \"utf8\" or \"binary\", not %s",
                            lcw_push_shown(L, argument)));
    return kind;
}

int lcw_websocket_send(lua_State *L)
{
    lcw_socket *w = check_message_socket(L);
    cw_kind kind = check_kind(L, 3, w->message_type);
    int timeout_ms = lcw_check_timeout(L, 4, CW_TIMEOUT_DEFAULT);
    size_t len_bytes;
    const char *data;
    cw_status status;
    lcw_wait wait;

    luaL_checktype(L, 2, LUA_TSTRING);
    data = lua_tolstring(L, 2, &len_bytes);
    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_send(w->s, kind, data, len_bytes, timeout_ms);
    lcw_wait_end(&wait);
    if (status != CW_OK)
        return lcw_fail(L, w, status, 2);
    lua_pushboolean(L, 1);
    return 1;
}

/* Returns the number of strings in a list. Call it before the first send, so that a list with a wrong item sends nothing.
 * Errors: raises an argument error if an item is not a string. */
static size_t check_list(lua_State *L, int argument)
{
    size_t count;

    luaL_checktype(L, argument, LUA_TTABLE);
    for (count = 0;; count++) {
        int type;
        lua_rawgeti(L, argument, (int)count + 1);
        type = lua_type(L, -1);
        lua_pop(L, 1);
        if (type == LUA_TNIL)
            return count;
        if (type != LUA_TSTRING)
            (void)luaL_argerror(L, argument,
                                lua_pushfstring(L, "item %d of the list is a %s: send strings only",
                                                (int)count + 1, lua_typename(L, type)));
    }
}

/* Sends `count` messages after the first `done`. The strings stay on the stack during the call, because a debug hook could
 * remove them from the list meanwhile. */
static cw_status send_some(lua_State *L, lcw_socket *w, cw_kind kind, size_t done, size_t count, int timeout_ms,
                           size_t *sent_count)
{
    cw_message messages[SEND_AT_ONCE];
    cw_status status;
    lcw_wait wait;
    size_t i;

    luaL_checkstack(L, SEND_AT_ONCE + LUA_MINSTACK, "too many messages");
    for (i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (int)(done + i) + 1);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2,
                      "the list changed while it was being sent: leave it as it is until send_many returns");
        messages[i].kind = kind;
        messages[i].data = lua_tolstring(L, -1, &messages[i].len_bytes);
    }
    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_send_many(w->s, messages, count, timeout_ms, sent_count);
    lcw_wait_end(&wait);
    lua_pop(L, (int)count);
    return status;
}

int lcw_websocket_send_many(lua_State *L)
{
    lcw_socket *w = check_message_socket(L);
    size_t count = check_list(L, 2), done = 0;
    cw_kind kind = check_kind(L, 3, w->message_type);
    int timeout_ms = lcw_check_timeout(L, 4, CW_TIMEOUT_DEFAULT);
    cw_status status = CW_OK;
    char text[ITEM_BYTES];

    while (done < count && status == CW_OK) {
        size_t sent = 0, left = count - done;
        status = send_some(L, w, kind, done, left < SEND_AT_ONCE ? left : SEND_AT_ONCE, timeout_ms, &sent);
        done += sent;
    }
    if (status == CW_INVALID_ARGUMENT) {
        (void)snprintf(text, sizeof text, "item %zu: %s", done + 1, cw_error_message());
        return luaL_argerror(L, 2, text);
    }
    if (status != CW_OK)
        (void)lcw_fail(L, w, status, 2);
    lua_pushinteger(L, (lua_Integer)done);
    if (status == CW_OK)
        return 1;
    lua_setfield(L, -2, "sent_count");
    return 3;
}

static int send_frame(lua_State *L, bool is_final)
{
    lcw_socket *w = check_message_socket(L);
    size_t len_bytes;
    const char *data;
    cw_status status;
    lcw_wait wait;

    luaL_checktype(L, 2, LUA_TSTRING);
    data = lua_tolstring(L, 2, &len_bytes);
    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_send_fragment(w->s, w->message_type, data, len_bytes, is_final, CW_TIMEOUT_DEFAULT);
    lcw_wait_end(&wait);
    if (status != CW_OK)
        return lcw_fail(L, w, status, 2);
    lua_pushinteger(L, (lua_Integer)len_bytes);
    return 1;
}

int lcw_websocket_send_final_frame(lua_State *L) { return send_frame(L, true); }
int lcw_websocket_send_nonfinal_frame(lua_State *L) { return send_frame(L, false); }

/* ---- Receiving ---- */

void lcw_push_kind(lua_State *L, cw_kind kind)
{
    if (kind == CW_UTF8)
        lua_pushliteral(L, "utf8");
    else
        lua_pushliteral(L, "binary");
}

/* Pushes the data, the type and is_complete of an event. The two types are upvalues, because Lua looks up a literal each
 * time. */
static int push_message(lua_State *L)
{
    const cw_event *event = lua_touserdata(L, 1);
    size_t len_bytes;
    const char *data = cw_event_data(event, &len_bytes);

    lua_pushlstring(L, data, len_bytes);
    lua_pushvalue(L, cw_event_kind(event) == CW_UTF8 ? lua_upvalueindex(1) : lua_upvalueindex(2));
    lua_pushboolean(L, cw_event_is_complete(event));
    return 3;
}

void lcw_push_pusher(lua_State *L)
{
    lcw_push_kind(L, CW_UTF8);
    lcw_push_kind(L, CW_BINARY);
    lua_pushcclosure(L, push_message, 2);
}

/* Pushes the three values of a message and frees it. Errors: raises an error if there is no memory; the message stays the
 * next one. */
static int push_and_free(lua_State *L, lcw_socket *w, cw_event *event)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->state->push_ref);
    lua_pushlightuserdata(L, event);
    if (lua_pcall(L, 1, 3, 0) != 0) {
        cw_socket_put_back(w->s, event);
        return lua_error(L);
    }
    cw_event_free(event);
    return 3;
}

static cw_status take(lua_State *L, lcw_socket *w, int timeout_ms, cw_event **out)
{
    cw_status status;
    lcw_wait wait;

    if (cw_socket_try_receive(w->s, out) == CW_OK)
        return CW_OK;
    if (w->event_mask & CW_EVENT_MESSAGE)
        (void)luaL_error(
            L, "on_message_received is set and gets the messages: set it to nil to receive them here");
    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_receive(w->s, timeout_ms, out);
    lcw_wait_end(&wait);
    return status;
}

int lcw_websocket_receive(lua_State *L)
{
    lcw_socket *w = check_message_socket(L);
    int timeout_ms = lcw_check_timeout(L, 2, CW_TIMEOUT_DEFAULT);
    cw_event *event = NULL;
    cw_status status = take(L, w, timeout_ms, &event);

    if (status != CW_OK)
        return lcw_fail(L, w, status, 0);
    return push_and_free(L, w, event);
}

/* Returns the socket that is the first argument. It compares the metatable with the upvalue, because luaL_checkudata looks
 * the metatable up by its name, which takes 10 % of the time of a small message. Errors: as check_message_socket. */
static lcw_socket *check_iterated(lua_State *L)
{
    lcw_socket *w = lua_touserdata(L, 1);
    bool is_socket = w != NULL && lua_getmetatable(L, 1) != 0 && lua_rawequal(L, -1, lua_upvalueindex(1)) != 0;

    lua_settop(L, 1);
    return is_socket && w->s != NULL ? w : check_message_socket(L);
}

/* The iterator that ws:messages() returns. The loop calls it with the socket. */
static int next_message(lua_State *L)
{
    lcw_socket *w = check_iterated(L);
    cw_event *event = NULL;
    cw_status status;

    status = take(L, w, CW_TIMEOUT_NEVER, &event);
    if (status == CW_OK)
        return push_and_free(L, w, event);
    if (status == CW_CLOSED && cw_socket_ended_normally(w->s)) {
        lua_pushnil(L);
        return 1;
    }
    lcw_fail(L, w, status, 0);
    return lua_error(L);
}

void lcw_push_next_message(lua_State *L)
{
    luaL_getmetatable(L, LCW_MESSAGE_WEBSOCKET);
    lua_pushcclosure(L, next_message, 1);
}

/* ws:messages() returns the iterator and the socket, as pairs does. A closure with the socket would never be collected in
 * LuaJIT, because a compiled trace keeps the functions that it calls. */
int lcw_websocket_messages(lua_State *L)
{
    lcw_socket *w = check_message_socket(L);

    lua_rawgeti(L, LUA_REGISTRYINDEX, w->state->next_ref);
    lua_pushvalue(L, 1);
    return 2;
}

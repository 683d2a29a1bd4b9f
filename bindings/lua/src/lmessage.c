/* SPDX-License-Identifier: MIT */
/* Sends, receives and iterates over messages, and sends fragments. Scripts call it. The core checks the messages. A received
 * message is copied once, from the event into a Lua string. */
#include <stdio.h>
#include <string.h>

#include "lcurlwire.h"

enum { SEND_AT_ONCE = 100, ITEM_BYTES = 400, CLOSE_INTERNAL_ERROR = 1011 };

lcw_socket *lcw_check_message_socket(lua_State *L)
{
    lcw_socket *w = lcw_check_self(L, LCW_MESSAGE_WEBSOCKET);

    if (w->s == NULL)
        (void)luaL_error(L, "the socket has been collected: keep a reference to it as long as you use it");
    return w;
}

/* ---- Sending ---- */

bool lcw_find_message_type(const char *word, cw_message_type *out)
{
    *out = strcmp(word, "binary") == 0 ? CW_BINARY : CW_UTF8;
    return *out == CW_BINARY || strcmp(word, "utf8") == 0 || strcmp(word, "text") == 0;
}

static cw_message_type check_message_type(lua_State *L, int argument, cw_message_type otherwise)
{
    cw_message_type message_type = otherwise;

    if (lua_isnoneornil(L, argument))
        return otherwise;
    if (lua_type(L, argument) != LUA_TSTRING ||
        !lcw_find_message_type(lua_tostring(L, argument), &message_type))
        (void)luaL_argerror(
            L, argument,
            lua_pushfstring(L,
                            lua_type(L, argument) == LUA_TNUMBER
                                ? "the type of a message must be \"utf8\" or \"binary\", not %s; give a "
                                  "timeout after the type, as in send(data, nil, 5)"
                                : "the type of a message must be \"utf8\" or \"binary\", not %s",
                            lcw_push_shown(L, argument)));
    return message_type;
}

cw_compress lcw_check_compress(lua_State *L, int argument)
{
    if (lua_isnoneornil(L, argument))
        return CW_COMPRESS_DEFAULT;
    if (!lua_isboolean(L, argument))
        (void)luaL_argerror(
            L, argument,
            lua_pushfstring(L, "compress must be true, false or nil, not %s", lcw_push_shown(L, argument)));
    return lua_toboolean(L, argument) ? CW_COMPRESS_ALWAYS : CW_COMPRESS_NEVER;
}

int lcw_send_message(lua_State *L, lcw_socket *w, const cw_message *m, int timeout_ms)
{
    cw_status status;
    size_t sent_count;
    lcw_wait wait;

    lcw_wait_begin(L, w->state, &wait);
    if (m->compress == CW_COMPRESS_DEFAULT)
        status = cw_socket_send(w->s, m->message_type, m->data, m->len_bytes, timeout_ms);
    else
        status = cw_socket_send_many(w->s, m, 1, timeout_ms, &sent_count);
    lcw_wait_end(&wait);
    if (status != CW_OK)
        return lcw_fail(L, w, status, 2);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- The results of a function as the fragments of one message ---- */

typedef struct pieces {
    cw_message next; /* type and compress are those of the message */
    bool is_begun;   /* a fragment has been sent, and the last has not */
    int timeout_ms;
} pieces;

/* Closes the connection, because a message has begun and cannot be ended. */
static void abandon(const lcw_socket *w, const pieces *m)
{
    static const char reason[] = "a message could not be completed";

    if (m->is_begun)
        (void)cw_socket_close_start(w->s, CLOSE_INTERNAL_ERROR, reason, sizeof reason - 1);
}

/* Sends the next fragment. Errors: raises the error of a debug hook, such as "interrupted!". */
static cw_status send_piece(lua_State *L, lcw_socket *w, pieces *m, bool is_final)
{
    cw_status status;
    lcw_wait wait;

    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_send_fragment(w->s, &m->next, m, is_final, m->timeout_ms);
    if (status == CW_OK)
        m->is_begun = !is_final;
    if (wait.has_failed)
        abandon(w, m);
    lcw_wait_end(&wait);
    return status;
}

/* Calls the function at index 2, and leaves its result at index 3. Errors: raises the function's error, and an error for
 * a result that is neither a string nor nil. */
static void call_for_piece(lua_State *L, const lcw_socket *w, const pieces *m)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_pcall(L, 0, 1, 0) != 0) {
        abandon(w, m);
        (void)lua_error(L);
    }
    if (lua_isnil(L, 3) || lua_type(L, 3) == LUA_TSTRING)
        return;
    abandon(w, m);
    (void)luaL_error(L, "the function for send returned a %s: return a string, or nil at the end",
                     luaL_typename(L, 3));
}

static int send_pieces(lua_State *L, lcw_socket *w, cw_message_type message_type, cw_compress compress,
                       int timeout_ms)
{
    pieces m = {.next = {.message_type = message_type, .compress = compress}, .timeout_ms = timeout_ms};
    cw_status status = CW_OK;
    bool is_end = false;

    while (!is_end && status == CW_OK) {
        call_for_piece(L, w, &m);
        is_end = lua_isnil(L, 3);
        m.next.data = lua_tolstring(L, 3, &m.next.len_bytes);
        if (is_end)
            m.next.len_bytes = 0;
        if (!is_end || m.is_begun)
            status = send_piece(L, w, &m, is_end);
    }
    if (status == CW_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    abandon(w, &m);
    return lcw_fail(L, w, status, 2);
}

int lcw_websocket_send(lua_State *L)
{
    lcw_socket *w = lcw_check_message_socket(L);
    cw_message m = {.message_type = check_message_type(L, 3, w->message_type)};
    int timeout_ms = lcw_check_timeout(L, 4, CW_TIMEOUT_DEFAULT);

    m.compress = lcw_check_compress(L, 5);
    if (lua_isfunction(L, 2))
        return send_pieces(L, w, m.message_type, m.compress, timeout_ms);
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_argerror(L, 2,
                             lua_pushfstring(L, "string or function expected, got %s", luaL_typename(L, 2)));
    m.data = lua_tolstring(L, 2, &m.len_bytes);
    return lcw_send_message(L, w, &m, timeout_ms);
}

int lcw_websocket_try_send(lua_State *L)
{
    lcw_socket *w = lcw_check_message_socket(L);
    cw_message m = {.message_type = check_message_type(L, 3, w->message_type)};
    cw_status status;
    size_t sent_count;
    lcw_wait wait;

    m.compress = lcw_check_compress(L, 4);
    luaL_checktype(L, 2, LUA_TSTRING);
    m.data = lua_tolstring(L, 2, &m.len_bytes);
    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_send_many(w->s, &m, 1, 0, &sent_count);
    lcw_wait_end(&wait);
    if (status != CW_OK && status != CW_WOULD_BLOCK)
        return lcw_fail(L, w, status, 2);
    lua_pushboolean(L, status == CW_OK);
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
static cw_status send_some(lua_State *L, lcw_socket *w, const cw_message *how, size_t done, size_t count,
                           int timeout_ms, size_t *sent_count)
{
    cw_message messages[SEND_AT_ONCE];
    cw_status status;
    lcw_wait wait;
    size_t i;

    if (!lua_checkstack(L, SEND_AT_ONCE + LUA_MINSTACK)) /* luaL_checkstack would say "stack overflow" */
        (void)luaL_error(L, "no memory for the messages of a list: free memory and call again");
    for (i = 0; i < count; i++) {
        lua_rawgeti(L, 2, (int)(done + i) + 1);
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2,
                      "the list changed while it was being sent: leave it as it is until send_many returns");
        messages[i] = *how;
        messages[i].data = lua_tolstring(L, -1, &messages[i].len_bytes);
    }
    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_send_many(w->s, messages, count, timeout_ms, sent_count);
    lcw_wait_end(&wait);
    lua_pop(L, (int)count);
    return status;
}

int lcw_websocket_send_many(lua_State *L) { return lcw_send_many_from(L, 0); }

int lcw_send_many_from(lua_State *L, size_t done)
{
    lcw_socket *w = lcw_check_message_socket(L);
    size_t count = check_list(L, 2);
    cw_message how = {.message_type =
                          check_message_type(L, 3, w->message_type)}; /* type and compress of all messages */
    int timeout_ms = lcw_check_timeout(L, 4, CW_TIMEOUT_DEFAULT);
    cw_status status = CW_OK;
    char text[ITEM_BYTES];

    how.compress = lcw_check_compress(L, 5);
    while (done < count && status == CW_OK) {
        size_t sent = 0, left = count - done;
        status = send_some(L, w, &how, done, left < SEND_AT_ONCE ? left : SEND_AT_ONCE, timeout_ms, &sent);
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

int lcw_try_fragment(lua_State *L)
{
    lcw_socket *w = lcw_check_message_socket(L);
    cw_message fragment = {.message_type = check_message_type(L, 3, w->message_type),
                           .compress = lcw_check_compress(L, 4)};
    cw_status status;

    fragment.data = lua_tolstring(L, 2, &fragment.len_bytes);
    if (fragment.data == NULL)
        fragment.len_bytes = 0;
    status = cw_socket_send_fragment(w->s, &fragment, lua_topointer(L, 5), lua_toboolean(L, 6) != 0, 0);
    return lcw_result(L, w, status);
}

static int send_frame(lua_State *L, bool is_final)
{
    lcw_socket *w = lcw_check_message_socket(L);
    cw_message fragment = {.message_type = w->message_type};
    cw_status status;
    lcw_wait wait;

    luaL_checktype(L, 2, LUA_TSTRING);
    fragment.data = lua_tolstring(L, 2, &fragment.len_bytes);
    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_send_fragment(w->s, &fragment, NULL, is_final, lcw_default_timeout(w));
    lcw_wait_end(&wait);
    if (status != CW_OK)
        return lcw_fail(L, w, status, 2);
    lua_pushinteger(L, (lua_Integer)fragment.len_bytes);
    return 1;
}

int lcw_websocket_send_final_frame(lua_State *L) { return send_frame(L, true); }
int lcw_websocket_send_nonfinal_frame(lua_State *L) { return send_frame(L, false); }

/* ---- Receiving ---- */

void lcw_push_message_type(lua_State *L, cw_message_type message_type)
{
    if (message_type == CW_UTF8)
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
    lua_pushvalue(L, cw_event_message_type(event) == CW_UTF8 ? lua_upvalueindex(1) : lua_upvalueindex(2));
    lua_pushboolean(L, cw_event_is_complete(event));
    return 3;
}

void lcw_push_pusher(lua_State *L)
{
    lcw_push_message_type(L, CW_UTF8);
    lcw_push_message_type(L, CW_BINARY);
    lua_pushcclosure(L, push_message, 2);
}

int lcw_push_message(lua_State *L, lcw_socket *w, cw_event *event)
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

cw_status lcw_take_message(lua_State *L, lcw_socket *w, int timeout_ms, cw_event **out)
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
    lcw_socket *w = lcw_check_message_socket(L);
    int timeout_ms = lcw_check_timeout(L, 2, CW_TIMEOUT_DEFAULT);
    cw_event *event = NULL;
    cw_status status = lcw_take_message(L, w, timeout_ms, &event);

    if (status != CW_OK)
        return lcw_fail(L, w, status, 0);
    return lcw_push_message(L, w, event);
}

/* Returns the socket that is the first argument. It compares the metatable with the upvalue, because luaL_checkudata looks
 * the metatable up by its name, which takes 10 % of the time of a small message. Errors: as lcw_check_message_socket. */
static lcw_socket *check_iterated(lua_State *L)
{
    lcw_socket *w = lua_touserdata(L, 1);
    bool is_socket = w != NULL && lua_getmetatable(L, 1) != 0 && lua_rawequal(L, -1, lua_upvalueindex(1)) != 0;

    lua_settop(L, 1);
    return is_socket && w->s != NULL ? w : lcw_check_message_socket(L);
}

/* The iterator that ws:messages() returns. The loop calls it with the socket. */
static int next_message(lua_State *L)
{
    lcw_socket *w = check_iterated(L);
    cw_event *event = NULL;
    cw_status status;

    status = lcw_take_message(L, w, CW_TIMEOUT_NEVER, &event);
    if (status == CW_OK)
        return lcw_push_message(L, w, event);
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
    lcw_socket *w = lcw_check_message_socket(L);

    lua_rawgeti(L, LUA_REGISTRYINDEX, w->state->next_ref);
    lua_pushvalue(L, 1);
    return 2;
}

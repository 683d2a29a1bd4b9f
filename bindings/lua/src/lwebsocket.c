/* SPDX-License-Identifier: MIT */
/* Implements the calls of both classes: making, connecting, pinging, closing and collecting a socket. Scripts call it. The
 * table that is a socket's user value holds its parts (control, information, streams) and its handlers. */
#include <limits.h>
#include <string.h>

#include "lcurlwire.h"

enum { CLOSE_NORMAL = 1000, CLOSE_INTERNAL_ERROR = 1011 };

lcw_socket *lcw_check_socket(lua_State *L, int index)
{
    lcw_socket *w = lcw_test_userdata(L, index, LCW_MESSAGE_WEBSOCKET);

    if (w == NULL)
        w = lcw_test_userdata(L, index, LCW_STREAM_WEBSOCKET);
    if (w == NULL) {
        const char *message = lua_pushfstring(
            L, "a curlwire socket expected, got %s: call methods with a colon, as in object:method()",
            luaL_typename(L, index));
        (void)luaL_argerror(L, index, message);
    } else if (w->s == NULL) {
        (void)luaL_error(L, "the socket has been collected: keep a reference to it as long as you use it");
    }
    return w;
}

void *lcw_push_part(lua_State *L, lcw_socket *w, int socket_index, lcw_slot slot, const char *type_name,
                    size_t size_bytes)
{
    lcw_view *view;

    lcw_get_uservalue(L, socket_index);
    lua_rawgeti(L, -1, (int)slot);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        view = lua_newuserdata(L, size_bytes);
        memset(view, 0, size_bytes);
        view->w = w;
        luaL_getmetatable(L, type_name);
        lua_setmetatable(L, -2);
        lua_pushvalue(L, -2);
        lcw_set_uservalue(L, -2);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (int)slot);
    }
    lua_remove(L, -2);
    return lua_touserdata(L, -1);
}

/* ---- Making a socket ---- */

static lcw_socket *push_socket(lua_State *L, cw_class socket_class)
{
    lcw_socket *w = lua_newuserdata(L, sizeof *w);

    *w = (lcw_socket){.state = lcw_state_get(L), .socket_class = socket_class};
    luaL_getmetatable(L, socket_class == CW_MESSAGE_SOCKET ? LCW_MESSAGE_WEBSOCKET : LCW_STREAM_WEBSOCKET);
    lua_setmetatable(L, -2);
    lua_createtable(L, LCW_SLOT_ON_CLOSED, 0);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, LCW_SLOT_SOCKET);
    lcw_set_uservalue(L, -2);
    if (cw_socket_create(socket_class, &w->s) != CW_OK) {
        w->s = NULL;
        (void)lcw_raise(L, NULL);
    }
    cw_socket_set_user(w->s, w);
    return w;
}

static int make(lua_State *L, cw_class socket_class)
{
    lcw_socket *w;

    if (!lua_isnoneornil(L, 1))
        luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    w = push_socket(L, socket_class);
    if (lua_istable(L, 1))
        lcw_control_set_all(L, w, 1, false);
    lua_settop(L, 2);
    return 1;
}

int lcw_message_websocket(lua_State *L) { return make(L, CW_MESSAGE_SOCKET); }
int lcw_stream_websocket(lua_State *L) { return make(L, CW_STREAM_SOCKET); }

/* ---- Connecting ---- */

static cw_status connect_socket(lua_State *L, lcw_socket *w, int uri_argument, int timeout_ms)
{
    size_t len_bytes;
    const char *uri;
    cw_status status;
    lcw_wait wait;

    luaL_checktype(L, uri_argument, LUA_TSTRING);
    uri = lua_tolstring(L, uri_argument, &len_bytes);
    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_connect(w->s, uri, len_bytes, timeout_ms);
    lcw_wait_end(&wait);
    while (status == CW_QUESTION) { /* the socket is at index 1: only the method connect can ask */
        bool has_failed = !lcw_answer_certificate(L, w, 1);
        lcw_wait_begin(L, w->state, &wait);
        status = cw_socket_connect_continue(w->s);
        lcw_wait_end(&wait);
        if (has_failed)
            (void)lua_error(L);
    }
    w->was_opened = w->was_opened || status == CW_OK;
    return status;
}

int lcw_websocket_connect(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    int timeout_ms = lcw_check_timeout(L, 3, CW_TIMEOUT_DEFAULT);
    cw_status status = connect_socket(L, w, 2, timeout_ms);

    if (status != CW_OK)
        return lcw_fail(L, w, status, 2);
    lcw_update_anchor(L, w, 1);
    lua_pushboolean(L, 1);
    return 1;
}

typedef cw_status (*give_header)(cw_socket *s, const char *name, size_t name_len, const char *value,
                                 size_t value_len);

static cw_status give(lua_State *L, lcw_socket *w, give_header call, int name_index, int value_index)
{
    size_t name_len, value_len;
    const char *name = lua_tolstring(L, name_index, &name_len);
    const char *value = lua_tolstring(L, value_index, &value_len);

    return call(w->s, name, name_len, value, value_len);
}

static int give_request_header(lua_State *L, give_header call)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    cw_status status;

    luaL_checktype(L, 2, LUA_TSTRING);
    luaL_checktype(L, 3, LUA_TSTRING);
    status = give(L, w, call, 2, 3);
    return status == CW_OK ? lcw_result(L, w, status) : lcw_fail(L, w, status, 2);
}

int lcw_websocket_set_request_header(lua_State *L)
{
    return give_request_header(L, cw_socket_set_request_header);
}
int lcw_websocket_add_request_header(lua_State *L)
{
    return give_request_header(L, cw_socket_add_request_header);
}

/* Gives the descriptor at index to the socket. */
static cw_status give_connection(lua_State *L, lcw_socket *w, int index)
{
    int64_t fd = -1;

    if (!lua_isnil(L, index) &&
        (lua_type(L, index) != LUA_TNUMBER || !lcw_exact_integer(L, index, &fd) || fd < 0 || fd > INT_MAX))
        (void)luaL_error(L,
                         "sock must be a descriptor, a number such as luasocket's sock:getfd(), or nil, not %s",
                         lcw_push_shown(L, index));
    return cw_socket_set_connected_socket(w->s, (int)fd);
}

int lcw_websocket_set_connected_socket(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    cw_status status;

    lua_settop(L, 2);
    status = give_connection(L, w, 2);
    return status == CW_OK ? lcw_result(L, w, status) : lcw_fail(L, w, status, 2);
}

/* Adds a header of curlwire.connect. */
static void add_header(lua_State *L, void *user, const cw_header *header)
{
    lcw_socket *w = user;

    if (cw_socket_add_request_header(w->s, header->name, header->name_len_bytes, header->value,
                                     header->value_len_bytes) != CW_OK)
        (void)lcw_raise(L, "headers");
}

static void collect(lcw_socket *w)
{
    cw_socket *s = w->s;

    if (s == NULL)
        return;
    w->s = NULL;
    cw_socket_set_user(s, NULL);
    if (w->event_mask != 0)
        (void)cw_socket_subscribe(s, NULL, 0);
    if (w->is_anchored) /* lua_close finalizes this socket, or a script that found __gc */
        w->state->anchored_count--;
    w->is_anchored = false;
    cw_socket_release(s);
}

/* Returns the class that the options at index 2 name: the function curlwire.MessageWebSocket or curlwire.StreamWebSocket. */
static cw_class check_class(lua_State *L)
{
    lua_CFunction class_function;

    lua_getfield(L, 2, "socket_class");
    class_function = lua_tocfunction(L, -1);
    if (!lua_isnil(L, -1) && class_function != lcw_message_websocket && class_function != lcw_stream_websocket)
        (void)luaL_error(L,
                         "socket_class must be curlwire.MessageWebSocket or curlwire.StreamWebSocket, not %s",
                         lcw_push_shown(L, -1));
    lua_pop(L, 1);
    return class_function == lcw_stream_websocket ? CW_STREAM_SOCKET : CW_MESSAGE_SOCKET;
}

/* Sets supported_protocols to the value of subprotocols. The options are at index 2. */
static void set_subprotocols(lua_State *L, lcw_socket *w)
{
    int top = lua_gettop(L);

    lua_getfield(L, 2, "subprotocols");
    lua_getfield(L, 2, "supported_protocols");
    if (!lua_isnil(L, top + 1) && !lua_isnil(L, top + 2))
        (void)luaL_error(L, "subprotocols and supported_protocols are the same option: give one of them");
    if (!lua_isnil(L, top + 1)) {
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, top + 1);
        lua_setfield(L, -2, "supported_protocols");
        lcw_control_set_all(L, w, lua_gettop(L), false);
    }
    lua_settop(L, top);
}

/* Applies the options at index 2 to a new socket. Returns the timeout. */
static int take_options(lua_State *L, lcw_socket *w)
{
    int64_t timeout_ms = CW_TIMEOUT_DEFAULT;
    int top = lua_gettop(L);

    lcw_control_set_all(L, w, 2, true);
    lua_settop(L, top);
    set_subprotocols(L, w);
    lua_getfield(L, 2, "headers");
    if (lua_istable(L, -1))
        lcw_headers_visit(L, lua_gettop(L), "headers", add_header, w);
    else if (!lua_isnil(L, -1))
        (void)luaL_error(L, "headers must be a table {name = value}, not a %s", luaL_typename(L, -1));
    lua_settop(L, top);
    lua_getfield(L, 2, "sock");
    if (!lua_isnil(L, -1) && give_connection(L, w, lua_gettop(L)) != CW_OK)
        (void)lcw_raise(L, "sock");
    lua_settop(L, top);
    lua_getfield(L, 2, "timeout");
    if (!lua_isnil(L, -1)) {
        if (!lcw_to_ms(L, -1, &timeout_ms))
            (void)luaL_error(L,
                             "timeout must be a number of seconds, 0 or more, or false (or math.huge) to wait "
                             "without a limit, not %s",
                             lcw_push_shown(L, -1));
        timeout_ms = timeout_ms < 0 ? CW_TIMEOUT_NEVER : timeout_ms;
    }
    lua_settop(L, top);
    return (int)timeout_ms;
}

/* Makes the socket of curlwire.connect, and pushes it. */
static lcw_socket *prepare(lua_State *L, int *timeout_ms)
{
    lcw_socket *w;

    *timeout_ms = CW_TIMEOUT_DEFAULT;
    luaL_checktype(L, 1, LUA_TSTRING);
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    w = push_socket(L, lua_istable(L, 2) ? check_class(L) : CW_MESSAGE_SOCKET);
    if (lua_istable(L, 2))
        *timeout_ms = take_options(L, w);
    return w;
}

int lcw_connect_prepare(lua_State *L)
{
    int timeout_ms;

    (void)prepare(L, &timeout_ms);
    lua_pushinteger(L, timeout_ms);
    return 2;
}

/* curlwire.connect(uri, {control..., headers = {...}, ...}): pushes an open socket. */
int lcw_connect_function(lua_State *L)
{
    int timeout_ms;
    lcw_socket *w = prepare(L, &timeout_ms);
    cw_status status = connect_socket(L, w, 1, timeout_ms);

    if (status != CW_OK) {
        int count = lcw_fail(L, w, status, 1);
        collect(w);
        return count;
    }
    return 1;
}

/* ---- While open ---- */

int lcw_websocket_ping(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    int timeout_ms = lcw_check_timeout(L, 2, CW_TIMEOUT_DEFAULT);
    int64_t rtt_us = 0;
    cw_status status;
    lcw_wait wait;

    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_ping(w->s, timeout_ms, &rtt_us);
    lcw_wait_end(&wait);
    if (status != CW_OK)
        return lcw_fail(L, w, status, 0);
    lua_pushnumber(L, (lua_Number)rtt_us / 1e6);
    return 1;
}

int lcw_websocket_flush(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    int timeout_ms = lcw_check_timeout(L, 2, CW_TIMEOUT_DEFAULT);
    cw_status status;
    lcw_wait wait;

    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_flush(w->s, timeout_ms);
    lcw_wait_end(&wait);
    return lcw_result(L, w, status);
}

/* Calls a function, and writes the small messages that it sends together. If the function failed, raises its error
 * afterwards. */
int lcw_websocket_batch(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    cw_status status;
    lcw_wait wait;
    int failure;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    status = cw_socket_batch_begin(w->s);
    if (status != CW_OK)
        return lcw_fail(L, w, status, 0);
    failure = lua_pcall(L, 0, 0, 0);
    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_batch_end(w->s, CW_TIMEOUT_DEFAULT);
    lcw_wait_end(&wait);
    return failure != 0 ? lua_error(L) : lcw_result(L, w, status);
}

int lcw_websocket_dispatch(lua_State *L)
{
    (void)lcw_check_socket(L, 1);
    lua_remove(L, 1);
    return lcw_dispatch(L);
}

int lcw_websocket_fileno(lua_State *L)
{
    (void)lcw_check_socket(L, 1);
    return lcw_fd(L);
}

/* ---- Closing ---- */

int lcw_websocket_close(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    int64_t code = CLOSE_NORMAL;
    size_t len_bytes = 0;
    const char *reason = "";
    cw_status status;

    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TNUMBER);
        if (!lcw_exact_integer(L, 2, &code) || code < 0 || code > UINT16_MAX)
            return luaL_argerror(L, 2,
                                 lua_pushfstring(L,
                                                 "%s is not a close code that may be sent: use " CW_CLOSE_CODES,
                                                 lcw_push_shown(L, 2)));
    }
    if (!lua_isnoneornil(L, 3)) {
        luaL_checktype(L, 3, LUA_TSTRING);
        reason = lua_tolstring(L, 3, &len_bytes);
    }
    status = cw_socket_close_start(w->s, (int)code, reason, len_bytes);
    if (status != CW_OK) /* the text says which of the two is wrong */
        return lcw_fail(L, w, status, strstr(cw_error_message(), " reason") != NULL ? 3 : 2);
    return lcw_result(L, w, status);
}

static cw_status wait_closed(lua_State *L, lcw_socket *w, int timeout_ms)
{
    cw_status status;
    lcw_wait wait;

    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_wait_closed(w->s, timeout_ms);
    lcw_wait_end(&wait);
    return status;
}

int lcw_websocket_wait_closed(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    int timeout_ms = lcw_check_timeout(L, 2, CW_TIMEOUT_NEVER);

    return lcw_result(L, w, wait_closed(L, w, timeout_ms));
}

int lcw_websocket_abort(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);

    cw_socket_abort(w->s);
    return lcw_result(L, w, CW_OK);
}

/* __close of Lua 5.4: closes with 1011 if an error leaves the scope, else with 1000. Waits for the end of the connection. */
int lcw_websocket_scope_end(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    bool has_failed = !lua_isnoneornil(L, 2);
    cw_status status;

    (void)cw_socket_close_start(w->s, has_failed ? CLOSE_INTERNAL_ERROR : CLOSE_NORMAL, "", 0);
    status = wait_closed(L, w, CW_TIMEOUT_NEVER);
    if (status != CW_CLOSED || has_failed) /* a second error would replace the error that leaves the scope */
        return 0;
    (void)lcw_fail(L, w, status, 0);
    return lua_error(L);
}

int lcw_websocket_gc(lua_State *L)
{
    lcw_socket *w = lcw_test_userdata(L, 1, LCW_MESSAGE_WEBSOCKET);

    if (w == NULL)
        w = lcw_test_userdata(L, 1, LCW_STREAM_WEBSOCKET);
    if (w != NULL)
        collect(w);
    return 0;
}

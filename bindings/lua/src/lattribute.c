/* SPDX-License-Identifier: MIT */
/* Reads and sets the fields of a socket, and makes its text. The metamethods of both classes call this file. */
#include <string.h>

#include "lcurlwire.h"

enum { REASON_BYTES = 256 };

/* ---- Reading: a getter pushes one value; the socket is at index 1 ---- */

static void get_control(lua_State *L, lcw_socket *w)
{
    (void)lcw_push_part(L, w, 1, LCW_SLOT_CONTROL, LCW_CONTROL, sizeof(lcw_view));
}

static void get_information(lua_State *L, lcw_socket *w)
{
    (void)lcw_push_part(L, w, 1, LCW_SLOT_INFORMATION, LCW_INFORMATION, sizeof(lcw_view));
}

static void get_output_stream(lua_State *L, lcw_socket *w) { lcw_push_output_stream(L, w, 1); }

static void get_input_stream(lua_State *L, lcw_socket *w)
{
    if (w->socket_class == CW_MESSAGE_SOCKET)
        (void)luaL_error(
            L, "cannot read input_stream of a MessageWebSocket: use receive, messages or on_message_received, "
               "or a StreamWebSocket");
    lcw_push_input_stream(L, w, 1);
}

static void get_state(lua_State *L, lcw_socket *w) { lua_pushstring(L, cw_state_text(cw_socket_state(w->s))); }
static void get_uri(lua_State *L, lcw_socket *w) { lcw_push_info(L, w, CW_INFO_URI); }
static void get_effective_uri(lua_State *L, lcw_socket *w) { lcw_push_info(L, w, CW_INFO_EFFECTIVE_URI); }
static void get_protocol(lua_State *L, lcw_socket *w) { lcw_push_info(L, w, CW_INFO_PROTOCOL); }
static void get_extensions(lua_State *L, lcw_socket *w) { lcw_push_info(L, w, CW_INFO_EXTENSIONS); }
static void get_local_address(lua_State *L, lcw_socket *w) { lcw_push_info(L, w, CW_INFO_LOCAL_ADDRESS); }
static void get_remote_address(lua_State *L, lcw_socket *w) { lcw_push_info(L, w, CW_INFO_REMOTE_ADDRESS); }
static void get_framing(lua_State *L, lcw_socket *w) { lcw_push_info(L, w, CW_INFO_FRAMING); }
static void get_authorities(lua_State *L, lcw_socket *w) { lcw_push_info(L, w, CW_INFO_AUTHORITIES); }

static void get_close_code(lua_State *L, lcw_socket *w)
{
    char reason[REASON_BYTES];
    int code = 0;

    (void)cw_socket_get_closed(w->s, &code, reason, sizeof reason, NULL);
    if (code != 0)
        lua_pushinteger(L, code);
    else
        lua_pushnil(L);
}

static void get_close_reason(lua_State *L, lcw_socket *w)
{
    char reason[REASON_BYTES];
    size_t len_bytes = 0;
    int code = 0;

    (void)cw_socket_get_closed(w->s, &code, reason, sizeof reason, &len_bytes);
    if (code != 0)
        lua_pushlstring(L, reason, len_bytes);
    else
        lua_pushnil(L);
}

static void get_was_clean(lua_State *L, lcw_socket *w)
{
    char reason[REASON_BYTES];
    int code = 0;
    bool was_clean = cw_socket_get_closed(w->s, &code, reason, sizeof reason, NULL);

    if (code != 0)
        lua_pushboolean(L, was_clean);
    else
        lua_pushnil(L);
}

static void get_handler(lua_State *L, lcw_slot slot)
{
    lcw_get_uservalue(L, 1);
    lua_rawgeti(L, -1, (int)slot);
    lua_remove(L, -2);
}

static void get_on_closed(lua_State *L, lcw_socket *w)
{
    (void)w;
    get_handler(L, LCW_SLOT_ON_CLOSED);
}

static void get_on_validation(lua_State *L, lcw_socket *w)
{
    (void)w;
    get_handler(L, LCW_SLOT_ON_VALIDATION);
}

static void get_on_trace(lua_State *L, lcw_socket *w)
{
    (void)w;
    get_handler(L, LCW_SLOT_ON_TRACE);
}

static void refuse_on_stream(lua_State *L, const lcw_socket *w, const char *key)
{
    if (w->socket_class == CW_STREAM_SOCKET)
        (void)luaL_error(
            L, "cannot use %s of a StreamWebSocket: use input_stream and output_stream, or a MessageWebSocket",
            key);
}

static void get_on_writable(lua_State *L, lcw_socket *w)
{
    refuse_on_stream(L, w, "on_writable");
    get_handler(L, LCW_SLOT_ON_WRITABLE);
}

static void get_on_message_received(lua_State *L, lcw_socket *w)
{
    refuse_on_stream(L, w, "on_message_received");
    get_handler(L, LCW_SLOT_ON_MESSAGE_RECEIVED);
}

static const struct {
    const char *key;
    void (*get)(lua_State *L, lcw_socket *w);
} fields[] = {
    {"control", get_control},
    {"information", get_information},
    {"input_stream", get_input_stream},
    {"output_stream", get_output_stream},
    {"state", get_state},
    {"close_code", get_close_code},
    {"close_reason", get_close_reason},
    {"was_clean", get_was_clean},
    {"on_message_received", get_on_message_received},
    {"on_closed", get_on_closed},
    {"on_server_custom_validation_requested", get_on_validation},
    {"on_trace", get_on_trace},
    {"on_writable", get_on_writable},
    {"buffered_amount", lcw_push_buffered_amount},
    {"uri", get_uri},
    {"protocol", get_protocol},
    {"extensions", get_extensions},
    {"local_address", get_local_address},
    {"remote_address", get_remote_address},
    {"framing", get_framing},
    {"authorities", get_authorities},
    {"effective_uri", get_effective_uri},
    {"response_headers", lcw_push_response_headers},
    {"bandwidth_statistics", lcw_push_bandwidth},
};

void lcw_push_field_names(lua_State *L)
{
    luaL_Buffer names;
    size_t i;

    luaL_buffinit(L, &names);
    for (i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        luaL_addstring(&names, i == 0 ? "" : ", ");
        luaL_addstring(&names, fields[i].key);
    }
    luaL_pushresult(&names);
}

/* The upvalues: the table of methods, the type's name, the names of all methods and fields, and the table of the methods of a
 * MessageWebSocket, and those of lcw_push_task_method. */
int lcw_websocket_index(lua_State *L)
{
    lcw_socket *w;
    const char *key;
    size_t i;

    if (lcw_push_task_method(L, 5))
        return 1;
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1))
        return 1;
    w = lcw_check_socket(L, 1);
    lua_settop(L, 2);
    key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    for (i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].key, key) == 0) {
            fields[i].get(L, w);
            return 1;
        }
    }
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(4));
    if (!lua_isnil(L, -1))
        refuse_on_stream(L, w, key);
    return lcw_refuse_key(L);
}

/* ---- Setting ---- */

int lcw_websocket_newindex(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    size_t i;

    lua_settop(L, 3);
    if (strcmp(key, "on_closed") == 0) {
        lcw_set_handler(L, w, 1, LCW_SLOT_ON_CLOSED, 3);
        return 0;
    }
    if (strcmp(key, "on_trace") == 0) {
        lcw_set_handler(L, w, 1, LCW_SLOT_ON_TRACE, 3);
        return 0;
    }
    if (strcmp(key, "on_server_custom_validation_requested") == 0) {
        lcw_set_validation_handler(L, w, 1, 3);
        return 0;
    }
    if (strcmp(key, "on_message_received") == 0) {
        refuse_on_stream(L, w, key);
        lcw_set_handler(L, w, 1, LCW_SLOT_ON_MESSAGE_RECEIVED, 3);
        return 0;
    }
    if (strcmp(key, "on_writable") == 0) {
        refuse_on_stream(L, w, key);
        lcw_set_handler(L, w, 1, LCW_SLOT_ON_WRITABLE, 3);
        return 0;
    }
    for (i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].key, key) == 0)
            return luaL_error(L, "%s can only be read: settings are in control", key);
    }
    return luaL_error(
        L,
        "cannot set the field %s of a socket: settings are in control, handlers are %son_closed, on_trace and "
        "on_server_custom_validation_requested",
        lcw_push_shown(L, 2), w->socket_class == CW_MESSAGE_SOCKET ? "on_message_received, on_writable, " : "");
}

/* ---- Text ---- */

int lcw_websocket_tostring(lua_State *L)
{
    bool is_stream = lcw_test_userdata(L, 1, LCW_STREAM_WEBSOCKET) != NULL;
    const char *name = is_stream ? LCW_STREAM_WEBSOCKET : LCW_MESSAGE_WEBSOCKET;
    lcw_socket *w = is_stream ? lua_touserdata(L, 1) : luaL_checkudata(L, 1, LCW_MESSAGE_WEBSOCKET);
    const char *state;

    if (w->s == NULL) {
        lua_pushfstring(L, "%s (collected)", name);
        return 1;
    }
    if (lcw_is_of_parent(w)) {
        lua_pushfstring(L, "%s (of the parent process)", name);
        return 1;
    }
    state = cw_state_text(cw_socket_state(w->s));
    lua_settop(L, 1);
    lcw_push_info(L, w, CW_INFO_PUBLIC_URI);
    lcw_push_info(L, w, CW_INFO_REMOTE_ADDRESS);
    if (lua_isnil(L, 2))
        lua_pushfstring(L, "%s (%s)", name, state);
    else if (lua_isnil(L, 3))
        lua_pushfstring(L, "%s (%s %s)", name, state, lua_tostring(L, 2));
    else
        lua_pushfstring(L, "%s (%s %s at %s)", name, state, lua_tostring(L, 2), lua_tostring(L, 3));
    return 1;
}

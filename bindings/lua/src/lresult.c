/* SPDX-License-Identifier: MIT */
/* Makes "nil, message, err" for a failed call, as all methods do through lcw_fail. It reads the details that the core keeps
 * for each thread. Blocks: never. */
#include "lcurlwire.h"

enum { REASON_BYTES = 256 };

/* A copy of the core's error. Making tables may run finalizers, whose calls of the core replace the original. */
typedef struct details {
    cw_status status;
    int web_status;
    int curl_code;
    int http_status;
    int os_errno;
    int retry_after;
    const char *option; /* a constant, or NULL */
    char message[LCW_MESSAGE_BYTES];
} details;

static void take_details(details *d, cw_status status)
{
    lcw_copy_message(d->message);
    d->status = status;
    d->web_status = cw_error_web_status();
    d->curl_code = cw_error_curl_code();
    d->http_status = cw_error_http_status();
    d->os_errno = cw_error_os_errno();
    d->retry_after = cw_error_retry_after();
    d->option = cw_option_key((cw_option)cw_error_option());
}

static void set_number(lua_State *L, const char *key, int number)
{
    if (number == 0)
        return;
    lua_pushinteger(L, number);
    lua_setfield(L, -2, key);
}

/* Pushes the start of the body with which the server refused, as a string. */
static void push_refusal_body(lua_State *L, lcw_socket *w)
{
    size_t len_bytes = 0, again_bytes = 0;
    char *buffer;

    (void)cw_socket_get_refusal_body(w->s, NULL, 0, &len_bytes);
    buffer = lua_newuserdata(L, len_bytes + 1);
    (void)cw_socket_get_refusal_body(w->s, buffer, len_bytes, &again_bytes);
    /* another thread may have begun a connect meanwhile, which forgets the body */
    lua_pushlstring(L, buffer, again_bytes == len_bytes ? len_bytes : 0);
    lua_remove(L, -2);
}

static void push_details(lua_State *L, lcw_socket *w, const details *d)
{
    const char *status_name = cw_web_status_name(d->web_status);
    char reason[REASON_BYTES];
    size_t len_bytes = 0;
    bool was_clean;
    int code = 0;

    lua_createtable(L, 0, 8);
    lua_pushstring(L, d->message);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, cw_status_name(d->status));
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, d->web_status);
    lua_setfield(L, -2, "status");
    if (status_name != NULL) {
        lua_pushstring(L, status_name);
        lua_setfield(L, -2, "status_name");
    }
    set_number(L, "curl_code", d->curl_code);
    set_number(L, "http_status", d->http_status);
    set_number(L, "os_errno", d->os_errno);
    if (w != NULL && d->http_status != 0) {
        lcw_push_response_headers(L, w);
        lua_setfield(L, -2, "headers");
        push_refusal_body(L, w);
        lua_setfield(L, -2, "body");
    }
    if (d->retry_after >= 0) {
        lua_pushnumber(L, d->retry_after);
        lua_setfield(L, -2, "retry_after");
    }
    if (d->option != NULL) {
        lua_pushstring(L, d->option);
        lua_setfield(L, -2, "option");
    }
    if (w != NULL && d->status == CW_CLOSED) {
        was_clean = cw_socket_get_closed(w->s, &code, reason, sizeof reason, &len_bytes);
        if (code != 0) {
            set_number(L, "code", code);
            lua_pushlstring(L, reason, len_bytes);
            lua_setfield(L, -2, "reason");
            lua_pushboolean(L, was_clean);
            lua_setfield(L, -2, "was_clean");
        }
    }
    luaL_getmetatable(L, LCW_ERROR);
    lua_setmetatable(L, -2);
}

void lcw_push_error(lua_State *L, const char *name, const char *message)
{
    lua_createtable(L, 0, 4);
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, CW_WEB_Unknown);
    lua_setfield(L, -2, "status");
    luaL_getmetatable(L, LCW_ERROR);
    lua_setmetatable(L, -2);
}

int lcw_fail(lua_State *L, lcw_socket *w, cw_status status, int argument)
{
    details d;

    take_details(&d, status);
    if (status == CW_INVALID_ARGUMENT && argument != 0)
        return luaL_argerror(L, argument, d.message);
    if (status == CW_INVALID_ARGUMENT || status == CW_INVALID_STATE || status == CW_AFTER_FORK ||
        status == CW_NO_MEMORY)
        return luaL_error(L, "%s", d.message);
    lua_pushnil(L);
    lua_pushstring(L, d.message);
    push_details(L, w, &d);
    return 3;
}

int lcw_result(lua_State *L, lcw_socket *w, cw_status status)
{
    if (status != CW_OK)
        return lcw_fail(L, w, status, 0);
    lua_pushboolean(L, 1);
    return 1;
}

int lcw_error_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "message");
    return 1;
}

/* ---- WebErrorStatus ---- */

int lcw_get_status(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_istable(L, 1) && lua_getmetatable(L, 1)) {
        luaL_getmetatable(L, LCW_ERROR);
        if (lua_rawequal(L, -1, -2)) {
            lua_getfield(L, 1, "status");
            return 1;
        }
    }
    lua_pushinteger(L, CW_WEB_Unknown);
    return 1;
}

void lcw_push_web_status_table(lua_State *L)
{
    static const int numbers[] = {
#define CW_X(name, value) value,
        CW_WEB_STATUS_LIST(CW_X)
#undef CW_X
    };
    size_t i;

    lua_newtable(L);
    for (i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const char *name = cw_web_status_name(numbers[i]);
        lua_pushinteger(L, numbers[i]);
        lua_setfield(L, -2, name);
        lua_pushstring(L, name);
        lua_rawseti(L, -2, numbers[i]);
    }
}

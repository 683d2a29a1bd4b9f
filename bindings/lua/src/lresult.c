/* SPDX-License-Identifier: MIT */
/* Results and errors: the one place that makes "nil, message, err" of a failed call, or a Lua error of a wrong one.
 * Called by every method; looks at the details that the core keeps per thread, and calls nothing that waits. */
#include <stdio.h>
#include <string.h>

#include "lcurlwire.h"

enum { MESSAGE_BYTES = 400, REASON_BYTES = 256, SHOWN_BYTES = 25 };

/* The details, copied at once: making tables may run finalizers, and those call the core. */
typedef struct details {
    cw_status status;
    int web_status;
    int curl_code;
    int http_status;
    int os_errno;
    char message[MESSAGE_BYTES];
} details;

/* How Lua lifts the limit that ended a call. */
static const char *limit_hint(void)
{
    switch (cw_error_option()) {
    case CW_OPT_RECEIVE_TIMEOUT:
        return "; math.huge, as the timeout or as receive_timeout, waits without a limit";
    case CW_OPT_PING_TIMEOUT:
        return "; math.huge as the timeout waits without a limit";
    case CW_OPT_MAX_MESSAGE_SIZE:
        return "; raise max_message_size, or set it to math.huge for no limit";
    default:
        return "";
    }
}

static void take_details(details *d, cw_status status)
{
    /* cppcheck-suppress ctuuninitvar ; it is written, not read */
    (void)snprintf(d->message, sizeof d->message, "%s%s", cw_error_message(), limit_hint());
    d->status = status;
    d->web_status = cw_error_web_status();
    d->curl_code = cw_error_curl_code();
    d->http_status = cw_error_http_status();
    d->os_errno = cw_error_os_errno();
}

static void set_number(lua_State *L, const char *key, int number)
{
    if (number == 0)
        return;
    lua_pushinteger(L, number);
    lua_setfield(L, -2, key);
}

static void push_details(lua_State *L, lcw_socket *w, const details *d)
{
    const char *status_name = cw_web_status_name(d->web_status);
    char reason[REASON_BYTES];
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
    }
    if (w != NULL && d->status == CW_CLOSED) {
        was_clean = cw_socket_get_closed(w->s, &code, reason, sizeof reason);
        if (code != 0) {
            set_number(L, "code", code);
            lua_pushstring(L, reason);
            lua_setfield(L, -2, "reason");
            lua_pushboolean(L, was_clean);
            lua_setfield(L, -2, "was_clean");
        }
    }
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

int lcw_raise(lua_State *L, const char *what)
{
    details d;

    take_details(&d, CW_OK);
    if (what != NULL && strstr(d.message, what) == NULL)
        return luaL_error(L, "%s: %s", what, d.message);
    return luaL_error(L, "%s", d.message);
}

int lcw_error_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "message");
    return 1;
}

/* ---- Arguments ---- */

/* Pushes a string in quotes, cut and printable. */
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
            lua_pushliteral(L, "nan"); /* the C library says -nan too */
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

/* What a value is called in "x expected, got y". */
static const char *type_of(lua_State *L, int index)
{
    static const char *const types[] = {LCW_MESSAGE_WEBSOCKET, LCW_STREAM_WEBSOCKET, LCW_OUTPUT_STREAM,
                                        LCW_INPUT_STREAM};
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
        (void)luaL_argerror(L, 1,
                            lua_pushfstring(L,
                                            "%s expected, got %s; call methods with a colon: object:method()",
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

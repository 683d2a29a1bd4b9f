/* SPDX-License-Identifier: MIT */
/* Implements ws.control with the core's table of controls (cw_option_*). Scripts and the constructors call this file. It
 * knows two controls by name: message_type, which the socket also keeps for send, and cookie_jar, which may be a CookieJar.
 *
 * In Lua a time is a number of seconds, a size is a number of bytes, and a list is a table of strings. To remove a limit, set
 * it to math.huge or false; reading it then returns math.huge. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lcurlwire.h"

enum { TEXT_BYTES = 512, RANGE_BYTES = 100, NO_LIMIT = -1 };

static lcw_socket *check_control(lua_State *L)
{
    lcw_view *view = luaL_checkudata(L, 1, LCW_CONTROL);

    if (view->w->s == NULL)
        (void)luaL_error(L, "the socket has been collected: keep a reference to it as long as you use it");
    return view->w;
}

static bool find_option(const lcw_socket *w, const char *key, cw_option *out)
{
    int i;

    for (i = 0; i < CW_OPTION_COUNT; i++) {
        if (cw_option_applies((cw_option)i, w->socket_class) && strcmp(cw_option_key((cw_option)i), key) == 0) {
            *out = (cw_option)i;
            return true;
        }
    }
    return false;
}

/* Returns a hint where to set a key that is not a control, or "". */
static const char *belongs_where(lua_State *L, int index)
{
    const char *key = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : NULL;

    if (key == NULL)
        return " (give controls as name = value)";
    if (strcmp(key, "headers") == 0)
        return " (give headers to curlwire.connect, or call set_request_header)";
    if (strncmp(key, "on_", 3) == 0)
        return " (set a handler on the socket itself)";
    return "";
}

/* Returns the control that the value at index names. Errors: raises an error that lists the names. */
static cw_option check_option(lua_State *L, const lcw_socket *w, int index)
{
    cw_option option = CW_OPTION_COUNT;
    luaL_Buffer names;
    int i;
    bool is_first = true;

    if (lua_type(L, index) == LUA_TSTRING && find_option(w, lua_tostring(L, index), &option))
        return option;
    luaL_buffinit(L, &names);
    for (i = 0; i < CW_OPTION_COUNT; i++) {
        if (!cw_option_applies((cw_option)i, w->socket_class))
            continue;
        luaL_addstring(&names, is_first ? "" : ", ");
        luaL_addstring(&names, cw_option_key((cw_option)i));
        is_first = false;
    }
    luaL_pushresult(&names);
    lcw_push_shown(L, index);
    (void)luaL_error(L, "%s has no control %s%s: it has %s",
                     w->socket_class == CW_MESSAGE_SOCKET ? "MessageWebSocket" : "StreamWebSocket",
                     lua_tostring(L, -1), belongs_where(L, index), lua_tostring(L, -2));
    return option;
}

/* ---- Reading ---- */

/* The only attribute that is not a control: it tells what a control does. */
#define ACTUAL_INTERVAL "actual_unsolicited_pong_interval"

static bool is_actual_interval(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING && strcmp(lua_tostring(L, index), ACTUAL_INTERVAL) == 0;
}

/* Pushes the text or the bytes of a control. */
static const char *push_text(lua_State *L, lcw_socket *w, cw_option option)
{
    char small[TEXT_BYTES];
    char *buffer = small;
    size_t size_bytes = sizeof small;
    size_t len_bytes;
    cw_status status;

    while ((status = cw_socket_get_text(w->s, option, buffer, size_bytes, &len_bytes)) == CW_OK &&
           len_bytes >= size_bytes) {
        size_bytes = len_bytes + 1;
        buffer = lua_newuserdata(L, size_bytes);
    }
    if (status != CW_OK)
        (void)lcw_raise(L, cw_option_key(option));
    lua_pushlstring(L, buffer, len_bytes);
    return lua_tostring(L, -1);
}

static void push_number(lua_State *L, lcw_socket *w, cw_option option)
{
    int64_t value = 0;
    cw_option_type type = cw_option_type_of(option);

    if (cw_socket_get_number(w->s, option, &value) != CW_OK)
        (void)lcw_raise(L, cw_option_key(option));
    if (type == CW_TYPE_BOOL)
        lua_pushboolean(L, value != 0);
    else if (type == CW_TYPE_ENUM)
        lua_pushstring(L, cw_option_words(option)[value]);
    else if (value < 0)
        lua_pushnumber(L, (lua_Number)HUGE_VAL);
    else if (type == CW_TYPE_MS)
        lua_pushnumber(L, (lua_Number)value / 1000);
    else
        lua_pushinteger(L, (lua_Integer)value);
}

/* Returns whether a text is the word for no proxy, which Lua writes as false. */
static bool is_no_proxy(cw_option option, const char *text)
{
    const char *const *words = cw_option_words(option);

    return cw_option_type_of(option) == CW_TYPE_PROXY && words != NULL && strcmp(words[0], text) == 0;
}

/* Sets t[name] to the value of "NAME=value", for the table on top of the stack. */
static void set_pair(lua_State *L, const char *line, size_t len_bytes)
{
    size_t name_bytes = strcspn(line, "=");

    lua_pushlstring(L, line, name_bytes);
    lua_pushlstring(L, line + name_bytes + 1, len_bytes - name_bytes - 1);
    if (cw_curl_option_is_number(line, name_bytes)) {
        lua_pushinteger(L, (lua_Integer)strtol(lua_tostring(L, -1), NULL, 10));
        lua_remove(L, -2);
    }
    lua_rawset(L, -3);
}

/* Pushes a list of lines, or a table of pairs. */
static void push_lines(lua_State *L, const char *text, bool is_pairs)
{
    int count = 0;

    lua_newtable(L);
    while (*text != '\0') {
        size_t len_bytes = strcspn(text, "\n");
        if (is_pairs) {
            set_pair(L, text, len_bytes);
        } else {
            lua_pushlstring(L, text, len_bytes);
            lua_rawseti(L, -2, ++count);
        }
        text += len_bytes + (text[len_bytes] == '\n');
    }
}

int lcw_control_index(lua_State *L)
{
    lcw_socket *w = check_control(L);
    cw_option option;

    if (is_actual_interval(L, 2)) {
        int64_t interval_ms = 0;
        if (cw_socket_get_actual_pong_interval(w->s, &interval_ms) != CW_OK)
            (void)lcw_raise(L, ACTUAL_INTERVAL);
        lua_pushnumber(L, (lua_Number)interval_ms / 1000);
        return 1;
    }
    option = check_option(L, w, 2);
    if (option == CW_OPT_COOKIE_JAR && lcw_push_cookie_jar(L, w))
        return 1;
    switch (cw_option_type_of(option)) {
    case CW_TYPE_LIST:
    case CW_TYPE_HEADERS:
        lcw_push_list(L, push_text(L, w, option));
        return 1;
    case CW_TYPE_TEXTS:
    case CW_TYPE_PAIRS:
        push_lines(L, push_text(L, w, option), cw_option_type_of(option) == CW_TYPE_PAIRS);
        return 1;
    case CW_TYPE_TEXT:
    case CW_TYPE_BYTES:
    case CW_TYPE_CREDENTIAL:
    case CW_TYPE_SECRET:
    case CW_TYPE_PROXY:
    case CW_TYPE_SECRET_BYTES:
        (void)push_text(L, w, option);
        if (lcw_raw_length(L, -1) == 0)
            lua_pushnil(L);
        else if (is_no_proxy(option, lua_tostring(L, -1)))
            lua_pushboolean(L, false);
        return 1;
    case CW_TYPE_BOOL:
    case CW_TYPE_COUNT:
    case CW_TYPE_BITS:
    case CW_TYPE_MS:
    case CW_TYPE_ENUM:
    case CW_TYPE_NUMBER:
        break;
    }
    push_number(L, w, option);
    return 1;
}

/* ---- Setting ---- */

static int refuse(lua_State *L, cw_option option, const char *expected, int index)
{
    return luaL_error(L, "%s must be %s, not %s", cw_option_key(option), expected, lcw_push_shown(L, index));
}

/* Returns what a whole number counts: " of bytes". */
static const char *counted(cw_option option)
{
    switch (cw_option_type_of(option)) {
    case CW_TYPE_COUNT:
        return " of bytes";
    case CW_TYPE_BITS:
        return " of bits";
    default:
        return "";
    }
}

/* Raises an error with the range of a number in seconds, bytes or bits, and the meaning of false and math.huge. */
static int refuse_number(lua_State *L, cw_option option, int index)
{
    const char *none = cw_option_none(option);
    char range[RANGE_BYTES];
    int64_t least, most;
    bool is_endless;

    cw_option_range(option, &least, &most);
    is_endless =
        lua_isboolean(L, index) ? !lua_toboolean(L, index) : lua_tonumber(L, index) == (lua_Number)HUGE_VAL;
    if (cw_option_type_of(option) == CW_TYPE_MS)
        (void)snprintf(range, sizeof range, "a number of seconds, %g or more", (double)least / 1000);
    else if (most == INT64_MAX)
        (void)snprintf(range, sizeof range, "a whole number%s from %lld to 2^63-1", counted(option),
                       (long long)least);
    else
        (void)snprintf(range, sizeof range, "a whole number%s from %lld to %lld", counted(option),
                       (long long)least, (long long)most);
    return luaL_error(L, "%s must be %s%s%s, not %s%s", cw_option_key(option), range,
                      none != NULL ? ", or false (or math.huge) for " : "", none != NULL ? none : "",
                      lcw_push_shown(L, index), is_endless && none == NULL ? ": give a limit" : "");
}

static int64_t check_word(lua_State *L, cw_option option, int index)
{
    const char *const *words = cw_option_words(option);
    const char *value, *fault;
    size_t len_bytes = 0;
    cw_message_type message_type;
    int i;

    value = lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, &len_bytes) : NULL;
    if (value != NULL && strlen(value) == len_bytes) { /* a string with NUL is no word */
        if (option == CW_OPT_MESSAGE_TYPE && lcw_find_message_type(value, &message_type))
            return message_type;
        for (i = 0; words[i] != NULL; i++) {
            if (strcmp(words[i], value) == 0)
                return i;
        }
    }
    fault = value != NULL ? cw_option_word_fault(option, value, len_bytes) : NULL;
    lua_pushliteral(L, "");
    for (i = 0; words[i] != NULL; i++) {
        lua_pushfstring(L, "%s\"%s\"", i == 0 ? "" : " or ", words[i]);
        lua_concat(L, 2);
    }
    if (fault != NULL)
        return luaL_error(L, "%s must be %s (%s), not %s", cw_option_key(option), lua_tostring(L, -1), fault,
                          lcw_push_shown(L, index));
    return refuse(L, option, lua_tostring(L, -1), index);
}

/* Reads a whole number; math.huge and false become -1 (no limit). Returns false for all other values. */
static bool to_count(lua_State *L, int index, int64_t *value)
{
    *value = NO_LIMIT;
    if (lua_isboolean(L, index))
        return !lua_toboolean(L, index);
    if (lua_type(L, index) != LUA_TNUMBER)
        return false;
    if (lua_tonumber(L, index) == HUGE_VAL)
        return true;
    return lcw_exact_integer(L, index, value) && *value >= 0;
}

/* Returns the number for a control. Errors: raises an error as refuse_number does. */
static int64_t check_number(lua_State *L, cw_option option, int index)
{
    cw_option_type type = cw_option_type_of(option);
    int64_t value = 0, least, most;

    if (type == CW_TYPE_ENUM)
        return check_word(L, option, index);
    if (type == CW_TYPE_BOOL) {
        if (!lua_isboolean(L, index))
            (void)refuse(L, option, "true or false", index);
        return lua_toboolean(L, index);
    }
    cw_option_range(option, &least, &most);
    if (!(type == CW_TYPE_MS ? lcw_to_ms(L, index, &value) : to_count(L, index, &value)) ||
        ((value < least || value > most) && !(value == NO_LIMIT && cw_option_none(option) != NULL)))
        (void)refuse_number(L, option, index);
    return value;
}

/* Returns the number of keys of a table. A table with more keys than its length is not a list, or a list with holes. */
static size_t count_keys(lua_State *L, int index)
{
    size_t count = 0;

    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        count++;
        lua_pop(L, 1);
    }
    return count;
}

/* Pushes the items of a table of strings, joined for the core. Errors: raises an error that shows no item, because some servers
 * take a token as a subprotocol. */
static const char *push_joined(lua_State *L, cw_option option, int index, size_t *len_bytes)
{
    int count, i;

    if (!lua_istable(L, index))
        (void)luaL_error(L, "%s must be a list of strings: {\"one\", \"two\"}, not a %s", cw_option_key(option),
                         luaL_typename(L, index));
    count = (int)lcw_raw_length(L, index);
    if (count_keys(L, index) != (size_t)count)
        (void)luaL_error(L, "%s must be a list without holes and without other keys: {\"one\", \"two\"}",
                         cw_option_key(option));
    lua_pushliteral(L, "");
    for (i = 1; i <= count; i++) {
        const char *item;
        size_t len;
        lua_pushstring(L, i == 1 ? "" : cw_option_type_of(option) == CW_TYPE_LIST ? ", " : "\n");
        lua_rawgeti(L, index, i);
        if (lua_type(L, -1) != LUA_TSTRING)
            (void)luaL_error(L, "%s must be a list of strings, but item %d is a %s", cw_option_key(option), i,
                             luaL_typename(L, -1));
        item = lua_tolstring(L, -1, &len);
        if (cw_option_check_item(option, item, len) != CW_OK)
            (void)lcw_raise(L, NULL);
        lua_concat(L, 3);
    }
    return lua_tolstring(L, -1, len_bytes);
}

static bool is_secret(cw_option option)
{
    return cw_option_type_of(option) == CW_TYPE_SECRET || cw_option_type_of(option) == CW_TYPE_SECRET_BYTES;
}

/* Checks "NAME=value", which is on top of the stack; the name and the value are below. */
static void check_pair(lua_State *L, cw_option option)
{
    size_t name_bytes, len_bytes;
    const char *name = lua_tolstring(L, -3, &name_bytes), *item = lua_tolstring(L, -1, &len_bytes);
    bool is_number = cw_curl_option_is_number(name, name_bytes);

    if (cw_option_check_item(option, item, len_bytes) != CW_OK)
        (void)lcw_raise(L, NULL);
    if (is_number != (lua_type(L, -2) == LUA_TNUMBER))
        (void)luaL_error(L, "%s in %s must be a %s, not a %s", name, cw_option_key(option),
                         is_number ? "number" : "string", luaL_typename(L, -2));
}

/* Pushes the pairs of a table as lines "NAME=value". */
static const char *push_pairs(lua_State *L, cw_option option, int index, size_t *len_bytes)
{
    int64_t number = 0;
    char digits[24];

    if (!lua_istable(L, index))
        (void)luaL_error(L, "%s must be a table of names and values: {NAME = 1}, not a %s",
                         cw_option_key(option), luaL_typename(L, index));
    lua_pushliteral(L, ""); /* all lines */
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        bool is_number = lua_type(L, -1) == LUA_TNUMBER;
        if (lua_type(L, -2) != LUA_TSTRING || (!is_number && lua_type(L, -1) != LUA_TSTRING))
            (void)luaL_error(L, "%s must be a table of names and values, but has a %s for a %s",
                             cw_option_key(option), luaL_typename(L, -1), luaL_typename(L, -2));
        if (is_number && !lcw_exact_integer(L, -1, &number)) {
            const char *name = lua_tostring(L, -2);
            (void)luaL_error(L, "%s in %s must be a whole number, not %s", name, cw_option_key(option),
                             lcw_push_shown(L, lua_gettop(L)));
        }
        if (is_number)
            (void)snprintf(digits, sizeof digits, "%lld", (long long)number);
        lua_pushvalue(L, -2);
        lua_pushliteral(L, "=");
        if (is_number)
            lua_pushstring(L, digits);
        else
            lua_pushvalue(L, -3);
        lua_concat(L, 3); /* all lines, name, value, line */
        check_pair(L, option);
        lua_pushvalue(L, -4);
        if (lcw_raw_length(L, -1) > 0)
            lua_pushliteral(L, "\n");
        else
            lua_pushliteral(L, "");
        lua_pushvalue(L, -3);
        lua_concat(L, 3);
        lua_replace(L, -5);
        lua_pop(L, 2);
    }
    return lua_tolstring(L, -1, len_bytes);
}

static cw_status set_text(lua_State *L, lcw_socket *w, cw_option option, int index)
{
    size_t len_bytes = 0;
    const char *text = "";

    if (cw_option_type_of(option) == CW_TYPE_LIST || cw_option_type_of(option) == CW_TYPE_TEXTS)
        text = push_joined(L, option, index, &len_bytes);
    else if (cw_option_type_of(option) == CW_TYPE_PAIRS)
        text = push_pairs(L, option, index, &len_bytes);
    else if (lua_type(L, index) == LUA_TSTRING)
        text = lua_tolstring(L, index, &len_bytes);
    else if (is_secret(option) && !lua_isnil(L, index))
        (void)luaL_error(L, "%s must be a string, or nil for none, not a %s", cw_option_key(option),
                         luaL_typename(L, index));
    else if (!lua_isnil(L, index))
        (void)refuse(L, option, "a string, or nil for none", index);
    return cw_socket_set_text(w->s, option, text, len_bytes);
}

/* Sets a proxy. True is the environment's proxy, as nil is, and false is no proxy. Errors: raises an error that does not
 * show the value. */
static cw_status set_proxy(lua_State *L, lcw_socket *w, cw_option option, int index)
{
    const char *const *words = cw_option_words(option);
    const char *text = "";
    size_t len_bytes = 0;

    if (lua_type(L, index) == LUA_TSTRING) {
        text = lua_tolstring(L, index, &len_bytes);
    } else if (lua_isboolean(L, index) && words != NULL) {
        text = lua_toboolean(L, index) ? "" : words[0];
        len_bytes = strlen(text);
    } else if (!lua_isnil(L, index)) {
        (void)luaL_error(L, "%s must be a string%s or nil, not a %s", cw_option_key(option),
                         words != NULL ? ", false, true" : "", luaL_typename(L, index));
    }
    return cw_socket_set_text(w->s, option, text, len_bytes);
}

/* Sets a user name and a password. Errors: raises an error that shows neither. */
static cw_status set_credential(lua_State *L, lcw_socket *w, cw_option option, int index)
{
    const char *user, *password;
    size_t user_bytes, password_bytes;

    if (lua_isnil(L, index))
        return cw_socket_set_credential(w->s, option, NULL, 0, NULL, 0);
    if (!lua_istable(L, index) || lcw_raw_length(L, index) != 2 || count_keys(L, index) != 2)
        (void)luaL_error(L, "%s must be a table of two strings, {user, password}, or nil for none, not %s %s",
                         cw_option_key(option), lua_istable(L, index) ? "another" : "a",
                         luaL_typename(L, index));
    lua_rawgeti(L, index, 1);
    lua_rawgeti(L, index, 2);
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
        (void)luaL_error(L, "%s must be a table of two strings, {user, password}, not of a %s and a %s",
                         cw_option_key(option), luaL_typename(L, -2), luaL_typename(L, -1));
    user = lua_tolstring(L, -2, &user_bytes);
    password = lua_tolstring(L, -1, &password_bytes);
    return cw_socket_set_credential(w->s, option, user, user_bytes, password, password_bytes);
}

/* Sets the control that the value at key_index names to the value at index. Both indexes must be positive. */
static void set_option(lua_State *L, lcw_socket *w, int key_index, int index)
{
    cw_option option = check_option(L, w, key_index);
    cw_option_type type = cw_option_type_of(option);
    int64_t value = 0;
    cw_status status;

    if (type == CW_TYPE_CREDENTIAL) {
        status = set_credential(L, w, option, index);
    } else if (option == CW_OPT_COOKIE_JAR && lcw_set_cookie_jar(L, w, index, &status)) {
        /* the value was a jar, not a text */
    } else if (type == CW_TYPE_HEADERS) {
        status = lcw_headers_set(L, w, option, index);
    } else if (type == CW_TYPE_PROXY) {
        status = set_proxy(L, w, option, index);
    } else if (type == CW_TYPE_TEXT || type == CW_TYPE_LIST || type == CW_TYPE_BYTES || type == CW_TYPE_TEXTS ||
               type == CW_TYPE_PAIRS || is_secret(option)) {
        status = set_text(L, w, option, index);
    } else {
        value = check_number(L, option, index);
        status = cw_socket_set_number(w->s, option, value);
    }
    if (status != CW_OK)
        (void)lcw_raise(L, cw_option_key(option));
    if (option == CW_OPT_COOKIE_JAR && lcw_test_userdata(L, index, LCW_COOKIE_JAR) == NULL)
        w->cookie_jar = NULL;
    if (option == CW_OPT_MESSAGE_TYPE)
        w->message_type = value == CW_UTF8 ? CW_UTF8 : CW_BINARY;
}

int lcw_control_newindex(lua_State *L)
{
    lcw_socket *w = check_control(L);

    lua_settop(L, 3);
    if (is_actual_interval(L, 2))
        return luaL_error(L, ACTUAL_INTERVAL " can only be read: set desired_unsolicited_pong_interval");
    set_option(L, w, 2, 3);
    return 0;
}

/* Returns whether the value at index is an option of curlwire.connect that is not a control. */
static bool is_connect_option(lua_State *L, int index)
{
    static const char *const keys[] = {"headers", "subprotocols", "socket_class", "sock", "timeout"};
    const char *key = lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index) : "";
    size_t i;

    for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

void lcw_control_set_all(lua_State *L, lcw_socket *w, int index, bool is_of_connect)
{
    int top = lua_gettop(L);

    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        if (!is_of_connect || !is_connect_option(L, top + 1))
            set_option(L, w, top + 1, top + 2);
        lua_settop(L, top + 1);
    }
}

int lcw_control_tostring(lua_State *L)
{
    lcw_view *view = luaL_checkudata(L, 1, LCW_CONTROL);

    lua_pushfstring(L, "curlwire.Control (%p)", (void *)view->w);
    return 1;
}

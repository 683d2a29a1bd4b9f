/* SPDX-License-Identifier: MIT */
/* CookieJar, and the control cookie_jar, whose value it may be. lcontrol.c calls this file. No text shows the value of a
 * cookie. */
#include <string.h>

#include "lcurlwire.h"

enum { LINES_BYTES = 1024 };

#define COLLECTED "the jar has been collected: keep a reference to it as long as you use it"

typedef struct lcw_jar {
    cw_cookie_jar *jar; /* NULL when the jar has been finalized */
} lcw_jar;

static cw_cookie_jar *check_jar(lua_State *L)
{
    lcw_jar *j = lcw_check_self(L, LCW_COOKIE_JAR);

    if (j->jar == NULL)
        (void)luaL_error(L, COLLECTED);
    return j->jar;
}

/* Pushes an object without a jar. */
static lcw_jar *push_jar(lua_State *L)
{
    lcw_jar *j = lua_newuserdata(L, sizeof *j);

    j->jar = NULL;
    luaL_getmetatable(L, LCW_COOKIE_JAR);
    lua_setmetatable(L, -2);
    return j;
}

/* Returns the path at an index. Errors: raises an argument error for another value and for an empty path. */
static const char *check_path(lua_State *L, int index, size_t *len_bytes)
{
    const char *path = luaL_checklstring(L, index, len_bytes);

    luaL_argcheck(L, *len_bytes > 0, index, "the path is empty: name a file");
    return path;
}

int lcw_cookie_jar(lua_State *L)
{
    size_t len_bytes = 0;
    const char *path = NULL;
    lcw_jar *j;
    cw_status status;

    lua_settop(L, 1);
    if (!lua_isnil(L, 1))
        path = check_path(L, 1, &len_bytes);
    j = push_jar(L);
    status = cw_cookie_jar_create(path, len_bytes, &j->jar);
    return status == CW_OK ? 1 : lcw_fail(L, NULL, status, 1);
}

int lcw_cookie_jar_gc(lua_State *L)
{
    lcw_jar *j = luaL_checkudata(L, 1, LCW_COOKIE_JAR);
    cw_cookie_jar *jar = j->jar;

    j->jar = NULL;
    cw_cookie_jar_release(jar);
    return 0;
}

/* ---- Reading ---- */

/* Pushes the lines of the cookies. If another thread adds cookies meanwhile, it tries again with more room. */
static const char *push_lines(lua_State *L, cw_cookie_jar *jar, size_t *len_bytes)
{
    size_t size_bytes = LINES_BYTES;
    char *lines;
    cw_status status;

    lines = lua_newuserdata(L, size_bytes);
    while ((status = cw_cookie_jar_get_lines(jar, lines, size_bytes, len_bytes)) == CW_OK &&
           *len_bytes >= size_bytes) {
        lua_pop(L, 1);
        size_bytes = *len_bytes + 1;
        lines = lua_newuserdata(L, size_bytes);
    }
    if (status != CW_OK)
        (void)lcw_raise(L, NULL);
    return lines;
}

static void set_text(lua_State *L, const char *key, const char *text, size_t len_bytes)
{
    lua_pushlstring(L, text, len_bytes);
    lua_setfield(L, -2, key);
}

static void set_flag(lua_State *L, const char *key, bool flag)
{
    lua_pushboolean(L, flag);
    lua_setfield(L, -2, key);
}

/* Pushes a table of a cookie. */
static void push_cookie(lua_State *L, const cw_cookie *cookie)
{
    lua_createtable(L, 0, 8);
    set_text(L, "name", cookie->name, cookie->name_len_bytes);
    set_text(L, "value", cookie->value, cookie->value_len_bytes);
    set_text(L, "domain", cookie->domain, cookie->domain_len_bytes);
    set_text(L, "path", cookie->path, cookie->path_len_bytes);
    set_flag(L, "secure", cookie->secure);
    set_flag(L, "http_only", cookie->http_only);
    set_flag(L, "include_subdomains", cookie->include_subdomains);
    if (cookie->expires > 0) {
        if (!lcw_push_int64(L, cookie->expires))
            lua_pushnumber(L, (lua_Number)cookie->expires);
        lua_setfield(L, -2, "expires");
    }
}

int lcw_cookie_jar_cookies(lua_State *L)
{
    size_t len_bytes = 0, at_bytes = 0;
    const char *lines = push_lines(L, check_jar(L), &len_bytes);
    cw_cookie cookie;
    int place = 0;

    lua_newtable(L);
    while (cw_cookie_next(lines, len_bytes, &at_bytes, &cookie)) {
        push_cookie(L, &cookie);
        lua_rawseti(L, -2, ++place);
    }
    return 1;
}

static int count_of(lua_State *L, cw_cookie_jar *jar)
{
    size_t len_bytes = 0, at_bytes = 0;
    const char *lines = push_lines(L, jar, &len_bytes);
    cw_cookie cookie;
    int count = 0;

    while (cw_cookie_next(lines, len_bytes, &at_bytes, &cookie))
        count++;
    lua_pop(L, 1);
    return count;
}

int lcw_cookie_jar_len(lua_State *L)
{
    lua_pushinteger(L, count_of(L, check_jar(L)));
    return 1;
}

int lcw_cookie_jar_tostring(lua_State *L)
{
    lcw_jar *j = luaL_checkudata(L, 1, LCW_COOKIE_JAR);
    size_t len_bytes = 0;
    int count;

    if (j->jar == NULL || cw_cookie_jar_get_lines(j->jar, NULL, 0, &len_bytes) != CW_OK) {
        lua_pushliteral(L, "curlwire.CookieJar"); /* finalized, or of the parent process */
        return 1;
    }
    count = count_of(L, j->jar);
    lua_pushfstring(L, "curlwire.CookieJar of %d cookie%s", count, count == 1 ? "" : "s");
    return 1;
}

/* ---- Changing ---- */

/* Returns a flag of the options at index 5. */
static bool check_flag(lua_State *L, const char *key)
{
    bool flag;

    lua_getfield(L, 5, key);
    if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
        (void)luaL_error(L, "%s must be true or false, not %s", key, lcw_push_shown(L, -1));
    flag = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    return flag;
}

static int64_t check_expires(lua_State *L)
{
    lua_Number seconds;

    lua_getfield(L, 5, "expires");
    if (lua_isnil(L, -1))
        return 0;
    seconds = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (!(seconds >= 1 && seconds < 9e15))
        (void)luaL_error(L,
                         "expires must be seconds since 1970, 1 or more, or nil for a session cookie, not %s",
                         lcw_push_shown(L, -1));
    lua_pop(L, 1);
    return (int64_t)seconds;
}

/* Raises an error for a key of the options at index 5 that is none of them. */
static void check_keys(lua_State *L)
{
    static const char *const keys[] = {"path", "expires", "secure", "http_only", "include_subdomains"};
    bool is_key = true;
    size_t i;

    lua_pushnil(L);
    while (is_key && lua_next(L, 5) != 0) {
        lua_pop(L, 1);
        is_key = false;
        for (i = 0; i < sizeof keys / sizeof keys[0] && lua_type(L, -1) == LUA_TSTRING; i++)
            is_key = is_key || strcmp(lua_tostring(L, -1), keys[i]) == 0;
    }
    if (!is_key)
        (void)luaL_error(L, "a cookie has no %s: it has path, expires, secure, http_only, include_subdomains",
                         lcw_push_shown(L, -1));
}

static void check_options(lua_State *L, cw_cookie *cookie)
{
    luaL_checktype(L, 5, LUA_TTABLE);
    check_keys(L);
    cookie->secure = check_flag(L, "secure");
    cookie->http_only = check_flag(L, "http_only");
    cookie->include_subdomains = check_flag(L, "include_subdomains");
    cookie->expires = check_expires(L);
    lua_getfield(L, 5, "path"); /* stays on the stack, which keeps it */
    if (lua_isnil(L, -1))
        return;
    if (lua_type(L, -1) != LUA_TSTRING)
        (void)luaL_error(L, "path must be a string, not %s", lcw_push_shown(L, -1));
    cookie->path = lua_tolstring(L, -1, &cookie->path_len_bytes);
}

int lcw_cookie_jar_set(lua_State *L)
{
    cw_cookie_jar *jar = check_jar(L);
    cw_cookie cookie = {.path = "/", .path_len_bytes = 1};

    lua_settop(L, 5);
    cookie.name = luaL_checklstring(L, 2, &cookie.name_len_bytes);
    cookie.value = luaL_checklstring(L, 3, &cookie.value_len_bytes);
    cookie.domain = luaL_checklstring(L, 4, &cookie.domain_len_bytes);
    if (!lua_isnil(L, 5))
        check_options(L, &cookie);
    return lcw_result(L, NULL, cw_cookie_jar_set(jar, &cookie));
}

int lcw_cookie_jar_clear(lua_State *L) { return lcw_result(L, NULL, cw_cookie_jar_clear(check_jar(L), false)); }

int lcw_cookie_jar_clear_session(lua_State *L)
{
    return lcw_result(L, NULL, cw_cookie_jar_clear(check_jar(L), true));
}

int lcw_cookie_jar_load(lua_State *L)
{
    cw_cookie_jar *jar = check_jar(L);
    size_t len_bytes;
    const char *path = check_path(L, 2, &len_bytes);

    return lcw_result(L, NULL, cw_cookie_jar_load(jar, path, len_bytes));
}

int lcw_cookie_jar_save(lua_State *L)
{
    cw_cookie_jar *jar = check_jar(L);
    size_t len_bytes = 0;
    const char *path = lua_isnoneornil(L, 2) ? NULL : check_path(L, 2, &len_bytes);

    return lcw_result(L, NULL, cw_cookie_jar_save(jar, path, len_bytes));
}

/* ---- The control cookie_jar ---- */

bool lcw_set_cookie_jar(lua_State *L, lcw_socket *w, int index, cw_status *status)
{
    lcw_jar *j = lcw_test_userdata(L, index, LCW_COOKIE_JAR);

    if (j == NULL)
        return false;
    if (j->jar == NULL)
        (void)luaL_error(L, COLLECTED);
    *status = cw_socket_set_cookie_jar(w->s, j->jar);
    if (*status == CW_OK)
        w->cookie_jar = j->jar;
    return true;
}

bool lcw_push_cookie_jar(lua_State *L, lcw_socket *w)
{
    lcw_jar *j;

    if (w->cookie_jar == NULL)
        return false;
    j = push_jar(L);
    cw_cookie_jar_retain(w->cookie_jar);
    j->jar = w->cookie_jar;
    return true;
}

/* A control gives a new object each time, so jars are compared by what they stand for. */
int lcw_cookie_jar_eq(lua_State *L)
{
    lcw_jar *a = luaL_checkudata(L, 1, LCW_COOKIE_JAR), *b = luaL_checkudata(L, 2, LCW_COOKIE_JAR);

    lua_pushboolean(L, a->jar == b->jar);
    return 1;
}

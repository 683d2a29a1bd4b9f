/* SPDX-License-Identifier: MIT */
/* Reads tables of headers, for curlwire.connect and for the controls that are headers. */
#include <string.h>

#include "lcurlwire.h"

typedef struct collection {
    cw_header *items; /* NULL while they are counted */
    size_t count;
} collection;

static void refuse(lua_State *L, const char *what)
{
    (void)luaL_error(L,
                     "%s must be a table of name = value, name = {value, ...}, or of pairs {name, value}, all "
                     "strings",
                     what);
}

static void visit_pair(lua_State *L, const char *what, int name, int value, lcw_visit_header *visit, void *user)
{
    cw_header header;

    if (lua_type(L, name) != LUA_TSTRING || lua_type(L, value) != LUA_TSTRING)
        (void)luaL_error(L, "%s must be a table of strings: one name is a %s and its value is a %s", what,
                         luaL_typename(L, name), luaL_typename(L, value));
    header.name = lua_tolstring(L, name, &header.name_len_bytes);
    header.value = lua_tolstring(L, value, &header.value_len_bytes);
    visit(L, user, &header);
}

/* Returns whether a table has no other keys than 1 to its length, and strings if may_have_strings is set. */
static bool is_list(lua_State *L, int table, bool may_have_strings)
{
    size_t left = lcw_raw_length(L, table);

    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
        if (lua_type(L, -2) == LUA_TNUMBER ? left-- == 0
                                           : !may_have_strings || lua_type(L, -2) != LUA_TSTRING) {
            lua_pop(L, 2);
            return false;
        }
    return left == 0;
}

void lcw_headers_visit(lua_State *L, int table, const char *what, lcw_visit_header *visit, void *user)
{
    int top = lua_gettop(L), name = top + 1, value = top + 2;

    if (!is_list(L, table, true))
        refuse(L, what);
    for (size_t i = 1; i <= lcw_raw_length(L, table); i++) {
        lua_rawgeti(L, table, (int)i);
        if (!lua_istable(L, name) || !is_list(L, name, false) || lcw_raw_length(L, name) != 2)
            refuse(L, what);
        lua_rawgeti(L, name, 1);
        lua_rawgeti(L, name, 2);
        visit_pair(L, what, name + 1, name + 2, visit, user);
        lua_settop(L, top);
    }
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_settop(L, name)) {
        if (lua_type(L, name) == LUA_TNUMBER)
            continue;
        if (!lua_istable(L, value)) {
            visit_pair(L, what, name, value, visit, user);
            continue;
        }
        if (!is_list(L, value, false))
            refuse(L, what);
        for (size_t i = 1; i <= lcw_raw_length(L, value); i++) {
            lua_rawgeti(L, value, (int)i);
            visit_pair(L, what, name, value + 1, visit, user);
            lua_settop(L, value);
        }
    }
}

static void collect(lua_State *L, void *user, const cw_header *header)
{
    collection *c = user;

    (void)L;
    if (c->items != NULL)
        c->items[c->count] = *header;
    c->count++;
}

cw_status lcw_headers_set(lua_State *L, lcw_socket *w, cw_option option, int index)
{
    const char *key = cw_option_key(option);
    collection c = {NULL, 0};

    if (!lua_isnil(L, index)) {
        if (!lua_istable(L, index))
            (void)luaL_error(L, "%s must be a table {name = value}, or nil for none, not a %s", key,
                             luaL_typename(L, index));
        lcw_headers_visit(L, index, key, collect, &c);
        c.items = lua_newuserdata(L, (c.count + 1) * sizeof *c.items);
        c.count = 0;
        lcw_headers_visit(L, index, key, collect, &c); /* the table keeps the strings */
    }
    return cw_socket_set_headers(w->s, option, c.items, c.count);
}

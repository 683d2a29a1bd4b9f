/* SPDX-License-Identifier: MIT */
/* Hides the differences between Lua 5.1, LuaJIT, 5.2, 5.3 and 5.4. Each file of the module includes this header through
 * lcurlwire.h. No other file may look at the version of Lua. Lua 5.1 and LuaJIT share the code below, which uses only
 * functions that both have. */
#ifndef LCW_COMPAT_H
#define LCW_COMPAT_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>

#if LUA_VERSION_NUM < 501 || LUA_VERSION_NUM > 504
#error "curlwire is tested with Lua 5.1 to 5.4 and LuaJIT 2.1, not this one. Use one of them"
#endif

#if LUA_VERSION_NUM < 502

/* Set or push the table of a userdata. Lua 5.1 has no user values, so the table is the userdata's environment. The
 * collector follows an environment as it follows a user value, so it collects cycles through handlers. */
static inline void lcw_set_uservalue(lua_State *L, int index) { lua_setfenv(L, index); }
static inline void lcw_get_uservalue(lua_State *L, int index) { lua_getfenv(L, index); }

static inline size_t lcw_raw_length(lua_State *L, int index) { return lua_objlen(L, index); }

static inline void lcw_set_functions(lua_State *L, const luaL_Reg *list)
{
    for (; list->name != NULL; list++) {
        lua_pushcfunction(L, list->func);
        lua_setfield(L, -2, list->name);
    }
}

static inline void *lcw_test_userdata(lua_State *L, int index, const char *type_name)
{
    void *block = lua_touserdata(L, index);
    bool is_one;
    if (block == NULL || !lua_getmetatable(L, index))
        return NULL;
    luaL_getmetatable(L, type_name);
    is_one = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
    return is_one ? block : NULL;
}

/* Adds the traceback to the message on top. Without the debug library the message stays as it is. */
static inline void lcw_add_traceback(lua_State *L)
{
    lua_getfield(L, LUA_GLOBALSINDEX, "debug");
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "traceback");
        lua_remove(L, -2);
    }
    if (!lua_isfunction(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_insert(L, -2);
    lua_pushinteger(L, 2);
    lua_call(L, 2, 1);
}

/* Returns the main thread, or NULL if it is unknown. Lua 5.1 does not say which thread it is, so L counts only if the
 * main thread loads the module. LuaJIT does not need it: its debug hooks belong to the state, not to a coroutine. */
static inline lua_State *lcw_main_thread(lua_State *L)
{
    bool is_main = lua_pushthread(L) != 0;
    lua_pop(L, 1);
    return is_main ? L : NULL;
}

#else

static inline void lcw_set_uservalue(lua_State *L, int index) { lua_setuservalue(L, index); }
static inline void lcw_get_uservalue(lua_State *L, int index) { lua_getuservalue(L, index); }

static inline size_t lcw_raw_length(lua_State *L, int index) { return (size_t)lua_rawlen(L, index); }

static inline void lcw_set_functions(lua_State *L, const luaL_Reg *list) { luaL_setfuncs(L, list, 0); }

static inline void *lcw_test_userdata(lua_State *L, int index, const char *type_name)
{
    return luaL_testudata(L, index, type_name);
}

static inline void lcw_add_traceback(lua_State *L)
{
    luaL_traceback(L, L, lua_tostring(L, -1), 1);
    lua_remove(L, -2);
}

static inline lua_State *lcw_main_thread(lua_State *L)
{
    lua_State *main_thread;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    main_thread = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main_thread;
}

#endif

#if LUA_VERSION_NUM < 503 /* all numbers are doubles, and lua_tointegerx of 5.2 rounds */

static inline bool lcw_exact_integer(lua_State *L, int index, int64_t *out)
{
    double number = lua_tonumber(L, index);
    if (!(number >= -9223372036854775808.0 && number < 9223372036854775808.0) || floor(number) != number)
        return false;
    *out = (int64_t)number;
    return true;
}

/* Pushes a whole number. Returns false, and pushes nothing, if a Lua number cannot hold it exactly. */
static inline bool lcw_push_int64(lua_State *L, int64_t number)
{
    if (number > INT64_C(9007199254740992) || number < -INT64_C(9007199254740992))
        return false;
    lua_pushnumber(L, (lua_Number)number);
    return true;
}

#else

static inline bool lcw_exact_integer(lua_State *L, int index, int64_t *out)
{
    int is_integer = 0;
    lua_Integer number = lua_tointegerx(L, index, &is_integer);
    *out = (int64_t)number;
    return is_integer != 0;
}

static inline bool lcw_push_int64(lua_State *L, int64_t number)
{
    lua_pushinteger(L, (lua_Integer)number);
    return true;
}

#endif

/* Pushes a count: an integer, also in a Lua that has floats beside integers. One beyond the exact numbers is rounded. */
static inline void lcw_push_count(lua_State *L, uint64_t number)
{
    if (number > INT64_MAX || !lcw_push_int64(L, (int64_t)number))
        lua_pushnumber(L, (lua_Number)number);
}

#endif

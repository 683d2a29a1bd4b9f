/* SPDX-License-Identifier: MIT */
/* Runs a script in one Lua state after another. In each run the next allocation fails:
 *
 *     host WHOSE SCRIPT URL
 *
 * WHOSE is "lua" (the allocator of the state) or a part of the path of a library (failing.c). The script must succeed, or fail
 * with an error about memory or about the connection. Each state is then closed, and must leave no memory of Lua, curlwire or
 * libcurl. Prints "done" at the end. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "failing.h"

/* LuaJIT 2.1 itself leaks a few bytes if it has no memory for a closure. */
#ifdef LUA_JITLIBNAME
#define LOSES_OBJECTS true
#else
#define LOSES_OBJECTS false
#endif

enum { LIMIT_S = 270, OUR_MODULES = 2 };

/* The data of a state's allocator. It fails twice in a row, because Lua 5.2 and later collect garbage and try again. */
typedef struct budget {
    long left; /* allocations until the failures; -1 = no failure */
    long used_bytes;
    bool has_failed;
} budget;

static void *allocate(void *data, void *block, size_t old_bytes, size_t new_bytes)
{
    budget *b = data;
    void *moved;

    if (!block)
        old_bytes = 0; /* for a new block Lua passes the kind of object instead of a size */
    if (new_bytes == 0) {
        b->used_bytes -= (long)old_bytes;
        free(block);
        return NULL;
    }
    if (new_bytes > old_bytes && b->left >= 0 && --b->left < 1) {
        b->has_failed = true;
        return NULL; /* when left is 0 and when it is -1 */
    }
    moved = realloc(block, new_bytes);
    b->used_bytes += (long)new_bytes - (long)old_bytes;
    return moved;
}

__attribute__((noreturn)) static void fail(long n, const char *what, const char *text)
{
    printf("allocation %ld: %s: %s\n", n, what, text ? text : "?");
    exit(1);
}

/* Returns whether a lack of memory may lead to this error of a script. */
static bool is_expected(lua_State *L, int status)
{
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

    /* The blank excludes the name of the script, memory.lua, which begins the text. */
    return status == LUA_ERRMEM || lua_type(L, -1) == LUA_TTABLE || (text && strstr(text, " memory"));
}

/* Runs the script while allocation n fails (-1 = none). Returns whether an allocation has failed. */
static bool run_once(long n, bool is_lua, char **arguments, long *bad_count)
{
    budget b = {.left = -1};
    lua_State *L = lua_newstate(allocate, &b);
    bool has_failed;
    int status;

    if (!L)
        fail(n, "no state", NULL);
    luaL_openlibs(L);
    /* Lua never calls a finalizer again if it has no memory to call it. So call none before lua_close, which has memory. */
    (void)lua_gc(L, LUA_GCSTOP, 0);
    if (luaL_loadfile(L, arguments[0]) != 0)
        fail(n, "not loaded", lua_tostring(L, -1));
    lua_pushstring(L, arguments[1]);
    if (is_lua) {
        /* Lua never calls a finalizer again if it has no memory to call it, and the socket of the object would leak. That
         * is a fault of Lua. So all finalizers wait for lua_close, which has memory. */
        (void)lua_gc(L, LUA_GCSTOP, 0);
        b.left = n < 0 ? -1 : n + 1;
    } else {
        failing_at(n);
    }
    status = lua_pcall(L, 1, 0, 0);
    b.left = -1;
    has_failed = is_lua ? b.has_failed : failing_happened();
    failing_at(-1);
    if (status != 0 && !(has_failed && is_expected(L, status)))
        fail(n, "not about memory", lua_tostring(L, -1));
    *bad_count += status != 0;
    lua_close(L);
    if (b.used_bytes != 0 && !LOSES_OBJECTS)
        fail(n, "Lua's memory is not back", NULL);
    return has_failed;
}

/* Loads the libraries, which stay loaded. */
static void load(void)
{
    lua_State *L = luaL_newstate();

    if (!L)
        fail(-1, "no state", NULL);
    luaL_openlibs(L);
    if (luaL_loadstring(L, "require 'curlwire'") != 0 || lua_pcall(L, 0, 0, 0) != 0)
        fail(-1, "not loaded", lua_tostring(L, -1));
    lua_close(L);
}

int main(int count, char **arguments)
{
    static const char *const ours[OUR_MODULES] = {"curlwire/core", "libcurl"};
    long n = 0, live, bad_count = 0;
    bool is_lua, has_failed = true;

    if (count != 4)
        return 2;
    (void)alarm(LIMIT_S);
    is_lua = strcmp(arguments[1], "lua") == 0;
    load();
    /* All blocks count, also those that curlwire keeps for its next use: which one it keeps may change. */
    for (int i = 0; i < OUR_MODULES; i++)
        if (failing_watch(ours[i], FAILING_COUNTS | (strcmp(ours[i], arguments[1]) == 0 ? FAILING_FAILS : 0)) ==
            0)
            fail(n, "no such library", ours[i]);
    (void)run_once(-1, is_lua, arguments + 2, &bad_count);
    live = failing_live();
    for (; has_failed; n++) {
        has_failed = run_once(n, is_lua, arguments + 2, &bad_count);
        if (failing_live() != live) {
            printf("allocation %ld: %ld blocks are left\n", n, failing_live() - live);
            return 1;
        }
    }
    printf("%ld allocations, %ld errors\n", n - 1, bad_count);
    if (bad_count < 10)
        return 1;
    (void)puts("done");
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* A host that runs a script in one Lua state after another, taking memory away at each allocation in turn:
 *
 *     host WHOSE SCRIPT URL
 *
 * WHOSE is "lua", the state's own allocator, or a part of the path of a library (failing.c). The script either ends
 * well or by an error that is about memory or about the connection; each state is then closed, and has to leave
 * neither memory of Lua's nor of curlwire's or libcurl's. Says "done" at the end. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "failing.h"

/* LuaJIT 2.1 loses a few bytes itself where it has no memory for a closure. */
#ifdef LUA_JITLIBNAME
#define LOSES_OBJECTS true
#else
#define LOSES_OBJECTS false
#endif

enum { LIMIT_S = 90, OUR_MODULES = 2 };

/* What a state's allocator knows. Since 5.2 Lua collects and tries again, so that one failure is none: two it is. */
typedef struct budget {
    long left; /* until the failures; -1 = none */
    long used_bytes;
    bool has_failed;
} budget;

static void *allocate(void *data, void *block, size_t old_bytes, size_t new_bytes)
{
    budget *b = data;
    void *moved;

    if (!block)
        old_bytes = 0; /* Lua tells the kind of object there */
    if (new_bytes == 0) {
        b->used_bytes -= (long)old_bytes;
        free(block);
        return NULL;
    }
    if (new_bytes > old_bytes && b->left >= 0 && --b->left < 1) {
        b->has_failed = true;
        return NULL; /* at 0 and at -1 */
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

/* Whether a script's error is one that want of memory may lead to. */
static bool is_expected(lua_State *L, int status)
{
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;

    /* with a blank: the script's own name is in front */
    return status == LUA_ERRMEM || lua_type(L, -1) == LUA_TTABLE || (text && strstr(text, " memory"));
}

/* Runs the script while number n fails (-1: none does). Whether one failed. */
static bool run_once(long n, bool is_lua, char **arguments, long *bad_count)
{
    budget b = {.left = -1};
    lua_State *L = lua_newstate(allocate, &b);
    bool has_failed;
    int status;

    if (!L)
        fail(n, "no state", NULL);
    luaL_openlibs(L);
    /* A finalizer that Lua has no memory to call is lost, whatever it is of: none is called before lua_close. */
    (void)lua_gc(L, LUA_GCSTOP, 0);
    if (luaL_loadfile(L, arguments[0]) != 0)
        fail(n, "not loaded", lua_tostring(L, -1));
    lua_pushstring(L, arguments[1]);
    if (is_lua) {
        /* Where Lua has no memory to call a finalizer with, it never calls that one, and its socket stays: not our
         * doing. So they all wait for lua_close, which has memory. */
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

int main(int count, char **arguments)
{
    static const char *const ours[OUR_MODULES] = {"curlwire/core", "libcurl"};
    long n = 0, live, bad_count = 0;
    bool is_lua, has_failed = true;

    if (count != 4)
        return 2;
    (void)alarm(LIMIT_S);
    is_lua = strcmp(arguments[1], "lua") == 0;
    (void)run_once(-1, is_lua, arguments + 2, &bad_count); /* loads the libraries */
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

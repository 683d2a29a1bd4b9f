/* SPDX-License-Identifier: MIT */
/* A Lua module for the tests. in_child(f) calls f in a child of this process and returns the child's exit status: 0 if f
 * returned, 1 after an error, more if the child was killed. The child prints the error to standard error. test_fork.lua
 * compiles this file. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

int luaopen_cwfork(lua_State *L);

static int in_child(lua_State *L)
{
    int status = 0;
    pid_t child;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    (void)fflush(NULL);
    child = fork();
    if (child < 0)
        return luaL_error(L, "fork failed");
    if (child == 0) {
        int has_failed = lua_pcall(L, 0, 0, 0) != 0;
        if (has_failed)
            (void)fprintf(stderr, "%s\n", lua_isstring(L, -1) ? lua_tostring(L, -1) : "no text");
        (void)fflush(NULL);
        _exit(has_failed);
    }
    if (waitpid(child, &status, 0) != child)
        return luaL_error(L, "waitpid failed");
    lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status);
    return 1;
}

int luaopen_cwfork(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, in_child);
    lua_setfield(L, -2, "in_child");
    return 1;
}

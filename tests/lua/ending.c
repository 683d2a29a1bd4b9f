/* SPDX-License-Identifier: MIT */
/* A host program with two threads. One runs the program of argv[1] in a Lua state and closes the state. Until curlwire
 * has ended, the other thread makes one child after another; each child opens and closes a new state.
 *     ending PROGRAM
 * It prints what is wrong, and exits with 0 if nothing is. test_states.lua compiles and runs it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { LIMIT_S = 60 };

static atomic_int is_closing, has_ended, has_stopped;

/* The finalizer of an object that is older than the module. So curlwire has ended, and Lua 5.2 and later unload its
 * library next. A child that is made meanwhile finds a lock of ThreadSanitizer's dlopen locked and waits for ever. */
static int stop_children(lua_State *L)
{
    (void)L;
    atomic_store(&has_ended, 1);
    while (!atomic_load(&has_stopped))
        (void)usleep(1000);
    return 0;
}

static void push_older_object(lua_State *L)
{
    (void)lua_newuserdata(L, 1);
    lua_newtable(L);
    lua_pushcfunction(L, stop_children);
    lua_setfield(L, -2, "__gc");
    (void)lua_setmetatable(L, -2);
    lua_setglobal(L, "older_than_the_module");
}

static void *live(void *program)
{
    lua_State *L = luaL_newstate();

    luaL_openlibs(L);
    push_older_object(L);
    if (luaL_loadfile(L, program) != 0 || lua_pcall(L, 0, 0, 0) != 0)
        (void)puts(lua_tostring(L, -1));
    atomic_store(&is_closing, 1);
    lua_close(L);
    return NULL;
}

static void live_in_child(void)
{
    lua_State *L = luaL_newstate();

    (void)alarm(LIMIT_S);
    luaL_openlibs(L);
    if (luaL_loadstring(L, "require 'curlwire'") != 0 || lua_pcall(L, 0, 0, 0) != 0)
        _exit(1);
    lua_close(L);
    _exit(0);
}

int main(int count, char **arguments)
{
    pthread_t thread;
    int status = 0;

    if (count != 2 || pthread_create(&thread, NULL, live, arguments[1]) != 0)
        return 2;
    while (!atomic_load(&is_closing))
        (void)usleep(1000);
    while (status == 0 && !atomic_load(&has_ended)) {
        pid_t child = fork();
        if (child == 0)
            live_in_child();
        if (child < 0 || waitpid(child, &status, 0) != child)
            return 2;
    }
    atomic_store(&has_stopped, 1);
    if (status != 0)
        printf("a child ended with %d\n", status);
    (void)pthread_join(thread, NULL);
    return status != 0;
}

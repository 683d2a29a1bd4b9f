/* SPDX-License-Identifier: MIT */
/* A host with two threads. Each runs the program of argv[1] in a Lua state of its own, ROUNDS times. Both close their
 * states at the same time: the one that is not the last opens its next while the last is still closing.
 * test_states.lua compiles and runs it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { THREADS = 2, ROUNDS = 6 };

static pthread_barrier_t before_closing;

static void *live(void *program)
{
    char *failure = NULL;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        lua_State *L = luaL_newstate();
        luaL_openlibs(L);
        if ((luaL_loadfile(L, program) != 0 || lua_pcall(L, 0, 0, 0) != 0) && failure == NULL) {
            const char *text = lua_tostring(L, -1);
            failure = malloc(1000);
            (void)snprintf(failure, 1000, "%s", text != NULL ? text : "?");
        }
        (void)pthread_barrier_wait(&before_closing);
        lua_close(L);
    }
    return failure;
}

int main(int count, char **arguments)
{
    pthread_t threads[THREADS];
    int i, failures = 0;

    if (count != 2 || pthread_barrier_init(&before_closing, NULL, THREADS) != 0)
        return 2;
    for (i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, live, arguments[1]) != 0)
            return 2;
    }
    for (i = 0; i < THREADS; i++) {
        void *failure;
        (void)pthread_join(threads[i], &failure);
        if (failure != NULL) {
            failures++;
            (void)puts(failure);
        }
        free(failure);
    }
    return failures;
}

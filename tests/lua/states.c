/* SPDX-License-Identifier: MIT */
/* A host program with several threads. In each round each thread runs the program of argv[1] in a new Lua state. All
 * threads close their states at the same time, so that some open their next state while the last is still closing.
 *     states PROGRAM [THREADS ROUNDS]     by default 2 threads and 6 rounds
 * test_states.lua compiles and runs this file. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { THREADS_AT_MOST = 16 };

static int thread_count = 2, round_count = 6;
static pthread_barrier_t before_closing;

static void *live(void *program)
{
    char *failure = NULL;
    int i;

    for (i = 0; i < round_count; i++) {
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
    pthread_t threads[THREADS_AT_MOST];
    int i, failures = 0;

    if (count == 4) {
        thread_count = atoi(arguments[2]);
        round_count = atoi(arguments[3]);
    }
    if ((count != 2 && count != 4) || thread_count < 1 || thread_count > THREADS_AT_MOST ||
        pthread_barrier_init(&before_closing, NULL, (unsigned)thread_count) != 0)
        return 2;
    for (i = 0; i < thread_count; i++) {
        if (pthread_create(&threads[i], NULL, live, arguments[1]) != 0)
            return 2;
    }
    for (i = 0; i < thread_count; i++) {
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

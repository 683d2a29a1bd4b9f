/* SPDX-License-Identifier: MIT */
/* Environment: a copy of the environment's variables, made in the thread of a caller. The service thread reads the copy,
 * because getenv in one thread races with setenv in another. connect.c makes it, handshake.c reads it. */
#include <string.h>

#include "base.h"

#ifdef __APPLE__
#include <crt_externs.h>
#define environ (*_NSGetEnviron())
#else
extern char **environ;
#endif

/* A copy is "NAME=value" NUL ... NUL. An empty text ends it. */
char *cw__environment_copy(void)
{
    size_t bytes = 1;
    char *copy, *out;

    for (char **variable = environ; variable && *variable; variable++)
        bytes += strlen(*variable) + 1;
    copy = out = cw__malloc(bytes);
    if (!copy)
        return NULL;
    for (char **variable = environ; variable && *variable; variable++) {
        size_t len = strlen(*variable) + 1;
        if (len == 1 ||
            len >= bytes) /* empty, or another thread has changed the environment: leave the rest out */
            continue;
        memcpy(out, *variable, len);
        out += len;
        bytes -= len;
    }
    *out = '\0';
    return copy;
}

const char *cw__environment_get(const char *copy, const char *name)
{
    size_t len = strlen(name);

    for (; *copy; copy += strlen(copy) + 1)
        if (strncmp(copy, name, len) == 0 && copy[len] == '=')
            return copy + len + 1;
    return NULL;
}

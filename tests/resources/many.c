/* SPDX-License-Identifier: MIT */
/* Makes COUNT connections that end in every way, and checks that the number of descriptors and the memory do not grow:
 *
 *     many URL REFUSED COUNT
 *
 * URL is the benchmark's server. REFUSED is an address where nobody listens. Prints "done" at the end. test_many.py compiles
 * this file with the core as it is built for tests. */
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

enum { AT_ONCE = 40, WARM_UP = 1000, LIMIT_S = 270, SLACK_BYTES = 128 * 1024, FATES = 10 };

static const char *base, *refused;
static long outcome[2];

#define CHECK(condition)                                                                      \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            printf("line %d: not true: %s (%s)\n", __LINE__, #condition, cw_error_message()); \
            exit(1);                                                                          \
        }                                                                                     \
    } while (0)

static long descriptor_count(void)
{
    DIR *d = opendir("/proc/self/fd");
    long count = 0;

    CHECK(d != NULL);
    while (readdir(d))
        count++;
    (void)closedir(d);
    return count;
}

static size_t used_bytes(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static void begin(cw_socket *s, int fate)
{
    static const char *const paths[FATES] = {"/echo", "/echo", "/echo", "",      "/nowhere",
                                             "/echo", "/echo", "/echo", "/echo", "/source?size=9&count=2"};
    char uri[200];
    int len = snprintf(uri, sizeof uri, "%s%s", fate == 3 ? refused : base, paths[fate]);

    CHECK(cw_socket_connect_start(s, uri, (size_t)len, CW_TIMEOUT_DEFAULT) == CW_OK);
}

static void echo(cw_socket *s)
{
    cw_event *e;

    CHECK(cw_socket_send(s, CW_BINARY, "echo", 4, CW_TIMEOUT_DEFAULT) == CW_OK);
    CHECK(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e) == CW_OK);
    cw_event_free(e);
}

/* Ends a socket, or leaves it in an earlier state, as its fate says. */
static void finish(cw_socket *s, int fate)
{
    cw_status status = fate < 5 || fate > 6 ? cw_socket_wait_connected(s, CW_TIMEOUT_NEVER) : CW_OK;

    CHECK((status == CW_OK) == (fate != 3 && fate != 4));
    outcome[status == CW_OK]++;
    if (fate == 0)
        echo(s);
    /* 1 closes and waits. 2 is dropped during the closing handshake, 5 while connecting, 7 while open. 6 closes while
     * connecting. */
    if (fate == 0 || fate == 1) {
        CHECK(cw_socket_close_start(s, 1000, "end", 3) == CW_OK);
        CHECK(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER) == CW_OK);
        CHECK(cw_socket_close_start(s, 1000, "again", 5) == CW_OK);
    } else if (fate == 2 || fate == 6) {
        CHECK(cw_socket_close_start(s, 1000, NULL, 0) == CW_OK);
    } else if (fate == 8) {
        cw_socket_abort(s);
    } else if (fate == 9) {
        CHECK(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER) == CW_OK);
    }
    cw_socket_release(s);
}

static void live(long count)
{
    cw_socket *sockets[AT_ONCE];

    for (long done = 0; done < count; done += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++) {
            CHECK(cw_socket_create(i % 3 || i % FATES == 0 ? CW_MESSAGE_SOCKET : CW_STREAM_SOCKET,
                                   &sockets[i]) == CW_OK);
            begin(sockets[i], i % FATES);
        }
        for (int i = 0; i < AT_ONCE; i++)
            finish(sockets[i], i % FATES);
    }
    cw_shutdown(20000);
    CHECK(cw__alloc_live() == 0);
}

int main(int count, char **arguments)
{
    size_t before_bytes, after_bytes;
    long descriptors;

    if (count != 4)
        return 2;
    (void)alarm(LIMIT_S);
    base = arguments[1];
    refused = arguments[2];
    live(WARM_UP);
    descriptors = descriptor_count();
    before_bytes = used_bytes();
    live(atol(arguments[3]));
    CHECK(descriptor_count() == descriptors);
    after_bytes = used_bytes();
    printf("%ld opened, %ld did not; %zu bytes of the heap became %zu\n", outcome[1], outcome[0], before_bytes,
           after_bytes);
    CHECK(after_bytes < before_bytes + SLACK_BYTES);
    (void)puts("done");
    return 0;
}

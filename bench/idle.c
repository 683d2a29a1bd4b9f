/* SPDX-License-Identifier: MIT */
/* Measures what idle connections cost. Opens many through curlwire.h, one after another, and prints one line of JSON:
 *   memory      the growth of RSS and PSS for each connection, from the first to the last, and again after one text
 *               message was echoed on each
 *   processor   the time that all threads used while nothing happened
 *   threads     the number of threads of the process
 *   descriptors the number for each connection
 * The kernel's memory for a connection (socket buffers) is not counted. Linux only. */
#include <curlwire.h>
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

typedef struct usage {
    long rss_kib;
    long pss_kib;
    long descriptors;
} usage;

static void check(cw_status status, const char *what)
{
    if (status != CW_OK) {
        bench_fail("%s: %s: %s", what, cw_status_name(status), cw_error_message());
    }
}

/* Returns the number after a name at the start of a line, as in /proc/self/status. */
static long field(const char *path, const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        bench_fail("%s: %s", path, strerror(errno));
    }
    while (value < 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtol(line + strlen(name), NULL, 10);
        }
    }
    (void)fclose(file);
    return value;
}

static long count_descriptors(void)
{
    long count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        bench_fail("/proc/self/fd: %s", strerror(errno));
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory);
    return count;
}

static usage usage_now(void)
{
    return (usage){.rss_kib = field("/proc/self/smaps_rollup", "Rss:"),
                   .pss_kib = field("/proc/self/smaps_rollup", "Pss:"),
                   .descriptors = count_descriptors()};
}

static void echo_one(cw_socket *s)
{
    cw_event *e = NULL;
    check(cw_socket_send(s, CW_UTF8, "Hello, World!", 13, CW_TIMEOUT_DEFAULT), "send");
    check(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), "receive");
    cw_event_free(e);
}

static cw_socket *open_socket(const char *url)
{
    char uri[256];
    cw_socket *s = NULL;
    (void)snprintf(uri, sizeof uri, "%s/echo", url);
    check(cw_socket_create(CW_MESSAGE_SOCKET, &s), "create");
    check(cw_socket_connect(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT), uri);
    return s;
}

static void allow_descriptors(uint64_t count)
{
    struct rlimit files;
    rlim_t need = (rlim_t)count * 4 + 64;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        bench_fail("getrlimit: %s", strerror(errno));
    }
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < need) {
        bench_fail("%" PRIu64
                   " connections may need %llu descriptors, but the limit is %llu. Raise it: ulimit -n",
                   count, (unsigned long long)need, (unsigned long long)files.rlim_cur);
    }
}

/* Returns the growth from the first connection to the last, divided by the number of connections after the first. */
static double each(long from, long to, uint64_t count) { return (double)(to - from) / (double)(count - 1); }

static void report(uint64_t count, const usage *first, const usage *opened, const usage *used)
{
    (void)printf("{\"program\": \"idle\", \"connections\": %" PRIu64 ", \"rss_kib_each\": %.2f"
                 ", \"pss_kib_each\": %.2f, \"rss_kib_each_after_message\": %.2f"
                 ", \"pss_kib_each_after_message\": %.2f, \"rss_kib_first\": %ld, \"descriptors_each\": %.2f",
                 count, each(first->rss_kib, opened->rss_kib, count),
                 each(first->pss_kib, opened->pss_kib, count), each(first->rss_kib, used->rss_kib, count),
                 each(first->pss_kib, used->pss_kib, count), first->rss_kib,
                 each(first->descriptors, used->descriptors, count));
}

static void measure(const char *url, cw_socket **sockets, uint64_t count, unsigned idle_s)
{
    sockets[0] = open_socket(url);
    usage first = usage_now();
    bench_clock open_from = bench_now();
    for (uint64_t i = 1; i < count; i++) {
        sockets[i] = open_socket(url);
    }
    bench_clock open_to = bench_now();
    usage opened = usage_now();
    for (uint64_t i = 0; i < count; i++) {
        echo_one(sockets[i]);
    }
    usage used = usage_now();
    report(count, &first, &opened, &used);
    bench_clock idle_from = bench_now();
    (void)sleep(idle_s);
    bench_clock idle_to = bench_now();
    (void)printf(", \"threads\": %ld, \"open_seconds\": %.6f, \"idle_seconds\": %.3f"
                 ", \"idle_processor_seconds\": %.6f, \"libcurl\": \"%s\"}\n",
                 field("/proc/self/status", "Threads:"), open_to.wall_s - open_from.wall_s,
                 idle_to.wall_s - idle_from.wall_s, idle_to.processor_s - idle_from.processor_s,
                 cw_libcurl_version());
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        bench_fail("usage: %s <ws://host:port> <connections> <idle seconds>", argv[0]);
    }
    uint64_t count = bench_number(argv[2], 100000);
    uint64_t idle_s = bench_number(argv[3], 3600);
    if (count < 2) {
        bench_fail("at least 2 connections are needed to measure the cost of one more");
    }
    allow_descriptors(count);
    cw_socket **sockets = calloc(count, sizeof(cw_socket *));
    if (sockets == NULL) {
        bench_fail("out of memory");
    }
    measure(argv[1], sockets, count, (unsigned)idle_s);
    for (uint64_t i = 0; i < count; i++) {
        cw_socket_release(sockets[i]);
    }
    free(sockets);
    cw_shutdown(5000);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Code that the C programs of the benchmark share: arguments, clocks, the line of JSON. bare.c, core.c, libcurl.c and
 * idle.c include it. It knows nothing of WebSocket and must not use the core.
 *
 * A program does the job that its arguments give. With the single argument "-" it reads jobs from its standard input,
 * one in each line ("receive ws://127.0.0.1:9001 1000 32"), until that ends. For wss, BENCH_CA names the file of the
 * certificate to trust. */
#ifndef BENCH_H
#define BENCH_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct bench_job {
    const char *work; /* "roundtrip", "receive", ... */
    const char *url;  /* "ws://127.0.0.1:40000" or wss, without a path */
    uint64_t count;   /* messages */
    size_t size_bytes;
    size_t connections;
} bench_job;

typedef struct bench_clock {
    double wall_s;
    double processor_s; /* of all threads */
} bench_clock;

/* Prints what went wrong on one line, and ends the program. */
__attribute__((format(printf, 1, 2), noreturn)) static inline void bench_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    exit(1);
}

static inline uint64_t bench_number(const char *text, uint64_t most)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value == 0 || value > most) {
        bench_fail("\"%s\" is not a number from 1 to %" PRIu64, text, most);
    }
    return value;
}

static inline bench_job bench_arguments(int argc, char **argv, const char *works)
{
    if (argc < 4 || argc > 6) {
        bench_fail("usage: %s -, or %s <%s> <ws://host:port> <count> [size in bytes, 32] [connections, 1]",
                   argv[0], argv[0], works);
    }
    return (bench_job){.work = argv[1],
                       .url = argv[2],
                       .count = bench_number(argv[3], UINT64_C(1) << 40),
                       .size_bytes = argc >= 5 ? (size_t)bench_number(argv[4], UINT64_C(1) << 26) : 32,
                       .connections = argc == 6 ? (size_t)bench_number(argv[5], UINT64_C(1) << 16) : 1};
}

static inline bench_clock bench_now(void)
{
    struct timespec t;
    struct rusage use;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    (void)getrusage(RUSAGE_SELF, &use);
    return (bench_clock){.wall_s = (double)t.tv_sec + (double)t.tv_nsec / 1e9,
                         .processor_s = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                                        (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6};
}

/* Runs the jobs. A job that fails ends the program. */
static inline int bench_main(int argc, char **argv, const char *works, void (*run)(const bench_job *job))
{
    char line[512];
    if (argc != 2 || strcmp(argv[1], "-") != 0) {
        bench_job job = bench_arguments(argc, argv, works);
        run(&job);
        return 0;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[7] = {argv[0]};
        int count = 1;
        char *rest = line;
        for (char *word; count < 7 && (word = strtok_r(rest, " \n", &rest)) != NULL;) {
            words[count++] = word;
        }
        bench_job job = bench_arguments(count, words, works);
        run(&job);
        (void)fflush(stdout);
    }
    return 0;
}

static inline void bench_report(const char *program, const bench_job *job, bench_clock from, bench_clock to,
                                const char *versions)
{
    (void)printf("{\"program\": \"%s\", \"work\": \"%s\", \"size_bytes\": %zu, \"count\": %" PRIu64
                 ", \"seconds\": %.6f, \"processor_seconds\": %.6f%s}\n",
                 program, job->work, job->size_bytes, job->count, to.wall_s - from.wall_s,
                 to.processor_s - from.processor_s, versions);
}

#endif

/* SPDX-License-Identifier: MIT */
/* Counts the descriptors and threads of this process in /proc. */
#ifndef PROCESS_H
#define PROCESS_H

#include "harness.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static inline const char *open_folder(DIR **out, const char *folder)
{
    *out = opendir(folder);
    CHECK(*out != NULL);
    return folder;
}

/* Returns the next entry whose name is a number; -1 after the last. */
static inline int next_number(DIR *d)
{
    struct dirent *entry;

    while ((entry = readdir(d)))
        if (entry->d_name[0] != '.')
            return atoi(entry->d_name);
    (void)closedir(d);
    return -1;
}

static inline int count_numbers(const char *folder)
{
    DIR *d;
    int count = 0;

    (void)open_folder(&d, folder);
    while (next_number(d) >= 0)
        count++;
    return count;
}

/* Counts the descriptors, including the descriptor that reads the folder. */
static inline int descriptor_count(void) { return count_numbers("/proc/self/fd"); }
static inline int thread_count(void) { return count_numbers("/proc/self/task"); }

/* Counts the descriptors that are sockets. */
static inline int socket_count(void)
{
    char path[64], target[64];
    int count = 0, fd;
    ssize_t len;
    DIR *d;

    (void)open_folder(&d, "/proc/self/fd");
    while ((fd = next_number(d)) >= 0) {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        len = readlink(path, target, sizeof target);
        if (len > 7 && memcmp(target, "socket:", 7) == 0)
            count++;
    }
    return count;
}

/* ThreadSanitizer allows no new thread after fork. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__clang__)
#define UNDER_TSAN __has_feature(thread_sanitizer)
#else
#define UNDER_TSAN 0
#endif

/* ---- Children ---- */

enum { FORKING_S = 5, FORKS_AT_MOST = 4 };

static bool harness_is_forking;

static inline void harness_arm_fork(void)
{
    if (harness_is_forking)
        (void)alarm(FORKING_S);
}

/* Register this before the core registers its handlers: they run in the order of registration. */
__attribute__((constructor)) static inline void harness_prepare_fork(void)
{
    (void)pthread_atfork(NULL, NULL, harness_arm_fork);
}

/* Runs a function in a child, which may not hang. Returns its status. ThreadSanitizer (gcc 12) does not hold its
 * allocator's locks over fork. So a child whose fork handler allocates may hang inside fork itself. Only such a child
 * is tried again. */
static inline int status_of_child(void (*work)(void))
{
    atomic_int *is_through =
        mmap(NULL, sizeof *is_through, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;

    CHECK(is_through != MAP_FAILED);
    harness_is_forking = UNDER_TSAN;
    for (int i = 0; i < FORKS_AT_MOST; i++) {
        pid_t child;

        (void)fflush(stdout);
        child = fork();
        if (child == 0) {
            atomic_store(is_through, 1);
            (void)alarm(harness_limit_s);
            work();
            harness_end(EXIT_SUCCESS);
        }
        CHECK(child > 0);
        CHECK_INT(waitpid(child, &status, 0), child);
        if (atomic_load(is_through) || !WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM)
            break;
    }
    harness_is_forking = false;
    CHECK_INT(munmap(is_through, sizeof *is_through), 0);
    return status;
}

#endif

/* SPDX-License-Identifier: MIT */
/* What the operating system says of this process: its descriptors and its threads, counted in /proc. */
#ifndef PROCESS_H
#define PROCESS_H

#include "harness.h"

#include <dirent.h>
#include <unistd.h>

static inline const char *open_folder(DIR **out, const char *folder)
{
    *out = opendir(folder);
    CHECK(*out != NULL);
    return folder;
}

/* The next entry whose name is a number; -1 after the last. */
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

/* The one that looks is among them. */
static inline int descriptor_count(void) { return count_numbers("/proc/self/fd"); }
static inline int thread_count(void) { return count_numbers("/proc/self/task"); }

/* Those that are sockets. */
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

/* ThreadSanitizer allows no thread after fork. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__clang__)
#define UNDER_TSAN __has_feature(thread_sanitizer)
#else
#define UNDER_TSAN 0
#endif

#endif

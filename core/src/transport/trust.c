/* SPDX-License-Identifier: MIT */
/* Trust: decides which connections with TLS may share a multi. libcurl (8.22: lib/vtls/openssl.c, lib/vtls/gtls.c)
 * reads the authorities once for a multi. With a system's bundle that costs 820 KiB and 20 ms. libcurl does not notice
 * for 24 hours that the file has changed, so a changed file counts as another file here. Only connections that one
 * thread has begun share a multi, so that threads do not wait for each other. connect.c and pool.c call this file. It
 * knows files and threads. */
#include <sys/stat.h>

#include "transport.h"

static unsigned thread_number(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned number;

    if (number == 0)
        number = atomic_fetch_add(&threads, 1) + 1;
    return number;
}

bool cw__trust_read(const char *file, cw__trust *trust)
{
    struct stat now;

    if (stat(file, &now) != 0)
        return false;
#ifdef __APPLE__
    trust->changed_ns = now.st_ctimespec.tv_nsec;
#else
    trust->changed_ns = now.st_ctim.tv_nsec;
#endif
    trust->changed_s = now.st_ctime; /* the time of modification can be set back, so it is not used */
    trust->size_bytes = now.st_size;
    trust->device = (uintmax_t)now.st_dev;
    trust->file = now.st_ino;
    trust->thread = thread_number();
    return true;
}

static bool is_same_file(const cw__trust *a, const cw__trust *b)
{
    return a->file == b->file && a->device == b->device && a->size_bytes == b->size_bytes &&
           a->changed_s == b->changed_s && a->changed_ns == b->changed_ns;
}

bool cw__trust_is_same(const cw__trust *a, const cw__trust *b)
{
    return a->thread == b->thread && is_same_file(a, b);
}

bool cw__trust_read_again(const char *file, const cw__trust *before)
{
    cw__trust now;

    return cw__trust_read(file, &now) && is_same_file(&now, before);
}

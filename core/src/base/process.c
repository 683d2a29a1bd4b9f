/* SPDX-License-Identifier: MIT */
/* What concerns the process as a whole. It counts the forks that led to this process (the generation): an object from
 * before a fork has another generation than the child, and so belongs to the parent. And it keeps this library in memory. */
#include "base.h"

#include <dlfcn.h>

static cw__atomic_int generation;

int cw__generation(void) { return atomic_load(&generation); }
void cw__process_forked(void) { (void)atomic_fetch_add(&generation, 1); }

void cw__process_pin_library(void)
{
    Dl_info info;

    if (dladdr((void *)&generation, &info) && info.dli_fname)
        /* cppcheck-suppress leakReturnValNotUsed ; the handle must never be closed */
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

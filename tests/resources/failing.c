/* SPDX-License-Identifier: MIT */
/* A malloc that fails on demand, for tests of the released modules. It is preloaded into Python and linked into the Lua host.
 * It recognises the allocations of chosen libraries by the return address. It makes the n-th of them fail once, and counts the
 * blocks that are not yet freed. It needs glibc, whose allocator it calls. */
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "failing.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

enum { RANGES = 16, SLOTS = 1 << 18 };

static struct range {
    uintptr_t begin, end;
    int how;
} ranges[RANGES];
static atomic_int range_count;
static atomic_long left = -1, live;
static atomic_bool has_failed;

/* The addresses of the counted blocks that are not yet freed: a hash table with open addressing. The lock guards it. */
static uintptr_t blocks[SLOTS];
static atomic_flag is_locked = ATOMIC_FLAG_INIT;

static void lock(void)
{
    while (atomic_flag_test_and_set(&is_locked))
        continue;
}

static void unlock(void) { atomic_flag_clear(&is_locked); }

static size_t home_of(uintptr_t block) { return (block >> 4) * 2654435761u % SLOTS; }

static void *noted(int how, void *block)
{
    size_t at = home_of((uintptr_t)block);

    if (!block || !(how & FAILING_COUNTS))
        return block;
    lock();
    while (blocks[at])
        at = (at + 1) % SLOTS;
    blocks[at] = (uintptr_t)block;
    unlock();
    (void)atomic_fetch_add(&live, 1);
    return block;
}

/* Removes a block from the table. Returns whether it was there. Moves later entries up, so that a search still finds them. */
static bool forget(void *block)
{
    size_t at = home_of((uintptr_t)block), hole;

    if (!block || atomic_load(&range_count) == 0)
        return false;
    lock();
    while (blocks[at] && blocks[at] != (uintptr_t)block)
        at = (at + 1) % SLOTS;
    if (!blocks[at]) {
        unlock();
        return false;
    }
    for (hole = at;;) {
        at = (at + 1) % SLOTS;
        if (!blocks[at])
            break;
        if ((at + SLOTS - home_of(blocks[at])) % SLOTS >= (at + SLOTS - hole) % SLOTS) {
            blocks[hole] = blocks[at];
            hole = at;
        }
    }
    blocks[hole] = 0;
    unlock();
    (void)atomic_fetch_sub(&live, 1);
    return true;
}

/* Returns what to do with an allocation of this caller: FAILING_FAILS, FAILING_COUNTS, both or 0. */
static int watched(const void *caller)
{
    int count = atomic_load(&range_count);

    for (int i = 0; i < count; i++)
        if ((uintptr_t)caller >= ranges[i].begin && (uintptr_t)caller < ranges[i].end)
            return ranges[i].how;
    return 0;
}

static bool must_fail(int how)
{
    long now = how & FAILING_FAILS ? atomic_load(&left) : -1;

    while (now >= 0) {
        if (!atomic_compare_exchange_weak(&left, &now, now - 1))
            continue;
        if (now == 0) {
            atomic_store(&has_failed, true);
            errno = ENOMEM;
        }
        return now == 0;
    }
    return false;
}

void *malloc(size_t size)
{
    int how = watched(__builtin_return_address(0));

    return must_fail(how) ? NULL : noted(how, __libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    int how = watched(__builtin_return_address(0));

    return must_fail(how) ? NULL : noted(how, __libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
    int how = watched(__builtin_return_address(0));
    bool was_counted;
    void *moved;

    if (must_fail(how))
        return NULL;
    was_counted = forget(block);
    moved = __libc_realloc(block, size);
    if (was_counted)
        how = FAILING_COUNTS;
    (void)noted(how, moved || !was_counted ? moved : block);
    return moved;
}

void free(void *block)
{
    (void)forget(block);
    __libc_free(block);
}

/* ---- Called by the tests ---- */

static int how_now;

static int add_ranges(struct dl_phdr_info *info, size_t size, void *name)
{
    const char *path = info->dlpi_name ? info->dlpi_name : "";
    bool is_main = strcmp(name, "main") == 0 && *path == '\0';

    (void)size;
    if (!is_main && !strstr(path, name))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        int count = atomic_load(&range_count);
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X) || count == RANGES)
            continue;
        ranges[count].how = how_now;
        ranges[count].begin = info->dlpi_addr + part->p_vaddr;
        ranges[count].end = ranges[count].begin + part->p_memsz;
        atomic_store(&range_count, count + 1);
    }
    return 0;
}

int failing_watch(const char *name, int how)
{
    int before = atomic_load(&range_count);

    how_now = how;
    (void)dl_iterate_phdr(add_ranges, (void *)(uintptr_t)name);
    return atomic_load(&range_count) - before;
}

void failing_at(long n)
{
    atomic_store(&has_failed, false);
    atomic_store(&left, n);
}

int failing_happened(void) { return atomic_load(&has_failed); }
long failing_live(void) { return atomic_load(&live); }

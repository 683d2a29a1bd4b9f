/* SPDX-License-Identifier: MIT */
/* Waiting: deadlines, the hook that lets a runtime react to Ctrl-C, and the wake-up of a thread that polls. Public
 * calls that may block use it. It touches no socket.
 *
 * There is no lock: each thread has its own state. */
#include <limits.h>
#include <stdlib.h>

#include "engine.h"

enum { HOOK_EVERY_MS = 50, LOOK_EVERY_MS = 50 };

static _Thread_local cw_wait_hook thread_hook;
static _Thread_local void *thread_hook_arg;

void cw_set_wait_hook(cw_wait_hook hook, void *arg)
{
    thread_hook = hook;
    thread_hook_arg = arg;
}

int cw_ms_of_seconds(double seconds)
{
    double ms = seconds * 1000;

    if (!(ms < INT_MAX))
        return INT_MAX;
    return (int)ms + ((int)ms < ms);
}

void cw__wait_begin(cw__wait *w, int timeout_ms, int64_t default_ms)
{
    w->is_default = timeout_ms == CW_TIMEOUT_DEFAULT;
    if (w->is_default)
        timeout_ms = default_ms < 0 ? CW_TIMEOUT_NEVER : (int)default_ms;
    w->timeout_ms = timeout_ms;
    w->deadline_ms = -1;
    w->hook_due_ms = -1;
    w->is_held = false;
}

/* The first slice reads the clock. Most calls find what they want without a wait, and so never read it. */
void cw__wait_restart(cw__wait *w) { w->deadline_ms = -1; }

int cw__wait_slice(cw__wait *w)
{
    int64_t left_ms = INT32_MAX;

    if (w->timeout_ms >= 0) {
        int64_t now_ms = w->timeout_ms ? cw__now_ms() : 0;
        if (w->timeout_ms == 0)
            return 0;
        if (w->deadline_ms < 0)
            w->deadline_ms = now_ms + w->timeout_ms;
        left_ms = w->deadline_ms - now_ms;
        if (left_ms <= 0)
            return 0;
    }
    if (thread_hook) {
        int64_t now_ms = cw__now_ms();
        if (w->hook_due_ms < 0)
            w->hook_due_ms = now_ms + HOOK_EVERY_MS;
        if (left_ms > w->hook_due_ms - now_ms)
            left_ms = w->hook_due_ms > now_ms ? w->hook_due_ms - now_ms : 1;
    }
    return (int)left_ms;
}

bool cw__wait_wants_hook(cw__wait *w)
{
    int64_t now_ms;

    if (!thread_hook)
        return false;
    now_ms = cw__now_ms();
    if (w->hook_due_ms < 0)
        w->hook_due_ms = now_ms + HOOK_EVERY_MS;
    return now_ms >= w->hook_due_ms;
}

void cw__wait_signalled(cw__wait *w) { w->hook_due_ms = 0; }

bool cw__wait_interrupted(cw__wait *w)
{
    w->hook_due_ms = cw__now_ms() + HOOK_EVERY_MS;
    return thread_hook && thread_hook(thread_hook_arg);
}

/* Returns the key of a control. cw_option_key is in a higher folder, which this file must not call. */
static const char *key_of(cw_option option)
{
    static const char *const keys[] = {
#define CW_X(name, key, ...) [name] = (key),
        CW_OPTION_LIST(CW_X)
#undef CW_X
    };

    return keys[option];
}

cw_status cw__wait_timed_out(const cw__wait *w, const char *what, cw_option option)
{
    double seconds = (double)w->timeout_ms / 1000;

    if (w->is_default && option < CW_OPTION_COUNT)
        return cw__fail_limit(CW_TIMED_OUT, option,
                              "timed out after %g s waiting for %s (%s): call again, or wait longer", seconds,
                              what, key_of(option));
    return cw__fail(CW_TIMED_OUT, "timed out after %g s waiting for %s: call again, or wait longer", seconds,
                    what);
}

/* ---- The wake-up of a thread that polls: made at its first wait, freed when the thread ends ---- */

typedef struct thread_wake {
    cw__wake wake;
    int generation;
} thread_wake;

static pthread_key_t wake_key;
static pthread_once_t wake_once = PTHREAD_ONCE_INIT;
static bool wake_key_made;

static void free_thread_wake(void *pointer)
{
    thread_wake *t = pointer;

    cw__wake_destroy(&t->wake);
    free(t); /* not by alloc.c, because the block lives as long as its thread, which outlives a test */
}

static void make_wake_key(void) { wake_key_made = pthread_key_create(&wake_key, free_thread_wake) == 0; }

/* Returns the thread's wake-up; NULL if there is no memory or no descriptor. */
static thread_wake *own_wake(void)
{
    thread_wake *t;

    (void)pthread_once(&wake_once, make_wake_key);
    if (!wake_key_made)
        return NULL;
    t = pthread_getspecific(wake_key);
    /* After fork, the child shares the descriptor with the parent's thread. Make a new one. */
    if (t && t->generation != cw__generation()) {
        free_thread_wake(t);
        (void)pthread_setspecific(wake_key, NULL);
        t = NULL;
    }
    if (!t) {
        t = malloc(sizeof *t);
        if (!t)
            return NULL;
        if (!cw__wake_init(&t->wake)) {
            free(t);
            return NULL;
        }
        t->generation = cw__generation();
        if (pthread_setspecific(wake_key, t) != 0) {
            free_thread_wake(t);
            return NULL;
        }
    }
    return t;
}

cw__wake *cw__thread_wake(int *slice_ms)
{
    /* This wake-up is always set, so that no thread writes to it. poll ignores a negative descriptor. */
    static cw__wake none = {.read_fd = -1, .write_fd = -1, .is_set = 1};
    thread_wake *t = own_wake();

    if (t)
        return &t->wake;
    if (*slice_ms > LOOK_EVERY_MS)
        *slice_ms = LOOK_EVERY_MS;
    return &none;
}

/* SPDX-License-Identifier: MIT */
/* Thin wrappers for mutexes, conditions, threads, atomics and the monotonic clock. */
#ifndef CW_THREAD_H
#define CW_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

typedef pthread_mutex_t cw__mutex;
typedef pthread_cond_t cw__cond;
typedef pthread_t cw__thread;
typedef atomic_int cw__atomic_int;

#ifdef CW_TEST_ALLOC
/* In tests, a thread that locks a mutex twice, or unlocks one that it has not locked, ends the process. */
static inline void cw__mutex_init(cw__mutex *m)
{
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    (void)pthread_mutex_init(m, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
}
static inline void cw__mutex_must(int error)
{
    if (error)
        abort();
}
#else
static inline void cw__mutex_init(cw__mutex *m) { (void)pthread_mutex_init(m, NULL); }
static inline void cw__mutex_must(int error) { (void)error; }
#endif
static inline void cw__mutex_destroy(cw__mutex *m) { (void)pthread_mutex_destroy(m); }
static inline void cw__mutex_lock(cw__mutex *m) { cw__mutex_must(pthread_mutex_lock(m)); }
static inline bool cw__mutex_trylock(cw__mutex *m) { return pthread_mutex_trylock(m) == 0; }
static inline void cw__mutex_unlock(cw__mutex *m) { cw__mutex_must(pthread_mutex_unlock(m)); }

static inline int64_t cw__now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static inline int64_t cw__now_ms(void) { return cw__now_us() / 1000; }

static inline void cw__cond_init(cw__cond *c)
{
#ifdef __APPLE__
    (void)pthread_cond_init(c, NULL);
#else
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(c, &attributes);
    (void)pthread_condattr_destroy(&attributes);
#endif
}

static inline void cw__cond_destroy(cw__cond *c) { (void)pthread_cond_destroy(c); }
static inline void cw__cond_broadcast(cw__cond *c) { (void)pthread_cond_broadcast(c); }

/* Waits at most wait_ms. It may return earlier. */
static inline void cw__cond_wait_ms(cw__cond *c, cw__mutex *m, int64_t wait_ms)
{
    struct timespec t;
#ifdef __APPLE__
    t.tv_sec = (time_t)(wait_ms / 1000);
    t.tv_nsec = (long)(wait_ms % 1000) * 1000000;
    (void)pthread_cond_timedwait_relative_np(c, m, &t);
#else
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(wait_ms / 1000);
    t.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(c, m, &t);
#endif
}

#endif

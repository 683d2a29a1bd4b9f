/* SPDX-License-Identifier: MIT */
/* Sessions: keeps TLS sessions, so that a later connect can resume one (tls_session_resumption). libcurl's share object is
 * the store. It keeps the latest 2 sessions of 25 peers at most. tls_options.c gives it to the handles that may resume.
 *
 * Safety: any thread. libcurl calls lock and unlock around each use, in the thread that reads or writes the connection.
 * They are taken after the pool's lock, and no other lock is taken inside. */
#include "transport.h"

enum { LOCKS = CURL_LOCK_DATA_LAST };

static cw__mutex creating = PTHREAD_MUTEX_INITIALIZER; /* for the three below */
static CURLSH *sessions;
static int generation;
static cw__mutex locks[LOCKS]; /* one for each kind of data that libcurl shares */

/* A fork takes the lock first, for the reason that authorities.c gives. */
static void before_fork(void) { cw__mutex_lock(&creating); }
static void after_fork(void) { cw__mutex_unlock(&creating); }
static void watch_forks(void) { (void)pthread_atfork(before_fork, after_fork, after_fork); }

static void lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *user)
{
    (void)easy, (void)access, (void)user;
    cw__mutex_lock(&locks[data]);
}

static void unlock(CURL *easy, curl_lock_data data, void *user)
{
    (void)easy, (void)user;
    cw__mutex_unlock(&locks[data]);
}

static CURLSH *create(void)
{
    CURLSH *share = curl_share_init();

    if (!share)
        return NULL;
    for (int i = 0; i < LOCKS; i++)
        cw__mutex_init(&locks[i]);
    if (curl_share_setopt(share, CURLSHOPT_LOCKFUNC, lock) == CURLSHE_OK &&
        curl_share_setopt(share, CURLSHOPT_UNLOCKFUNC, unlock) == CURLSHE_OK &&
        curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK)
        return share;
    (void)curl_share_cleanup(share);
    return NULL;
}

CURLSH *cw__sessions(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    CURLSH *found;

    (void)pthread_once(&once, watch_forks);
    cw__mutex_lock(&creating);
    if (!sessions ||
        generation != cw__generation()) { /* the store of a parent stays: its handles still name it */
        sessions = create();
        generation = cw__generation();
    }
    found = sessions;
    cw__mutex_unlock(&creating);
    return found;
}

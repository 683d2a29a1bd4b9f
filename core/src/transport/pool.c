/* SPDX-License-Identifier: MIT */
/* Pool: owns libcurl's multi handles, decides which connections share a multi, and advances all pending connects in it.
 * connect.c calls this file. It knows clients of the service, and nothing of sockets or of the handshake's meaning.
 *
 * A multi costs 14 KiB and, since 8.20, descriptors of its own. Members of a pool enter it for every libcurl call,
 * and libcurl walks a list of all connections at each call.
 * - Connections that are read and written at their descriptor (link.c) need their multi only to connect, and to end
 *   unless the link has taken them over. So several of them share a multi.
 * - Connections with TLS need their multi for every read and write. They still share a multi, so that libcurl reads the
 *   authorities only once (trust.c). A thread waits for another thread for a piece of 32 KiB at most. Walking the list
 *   took 3 % of an echo with 32 members, and half of that with 16.
 * The last multi of each kind is kept when it has no members, for the next connect.
 *
 * Only connect-only handles may enter these multis. For any other handle libcurl (8.22) looks for connections to
 * reuse. It ends connections that are old or have something to read (lib/url.c).
 *
 * Safety: service thread only, except entering. Lock order: socket, pool, service. */
#include <errno.h>
#include <unistd.h>

#include "transport.h"

/* A connect has up to six addresses in progress (happy eyeballs, 8.22), and the name look-up has a descriptor of its
 * own. */
enum { BARE_AT_MOST = 8, TRUST_AT_MOST = 16, WATCHED_AT_MOST = 8 * TRUST_AT_MOST };
enum { QUICK_EXIT = 21 }; /* CURLMOPT_QUICK_EXIT, which older headers lack */

struct cw__pool {
    cw__mutex turn; /* the right to take the lock next; taken before the lock */
    cw__mutex lock;
    CURLM *multi;
    cw__pool_member *connecting;
    unsigned member_count;     /* members that connect or are connected */
    cw__sharing sharing;       /* which connections may join */
    cw__trust trust;           /* for CW__SHARE_TRUST only */
    bool is_listed;            /* the pool is in the list of pools with room */
    cw__pool *next, *previous; /* neighbours in the list of pools with room */
    int watched[WATCHED_AT_MOST];
    unsigned watched_count;
};

/* Shared pools with room for another member. They belong to the process that made them (cw__generation). */
static cw__pool *with_room;
/* The last pool of each kind without members, which is kept for the next connect; or NULL. */
static cw__pool *kept[CW__SHARE_TRUST + 1];
static int with_room_generation;

/* A mutex alone is not fair. A thread that sends much takes the lock again so soon that the service thread and other
 * callers never get it. The turn lets them have it first. */
void cw__pool_enter(cw__pool *p)
{
    cw__mutex_lock(&p->turn);
    cw__mutex_lock(&p->lock);
    cw__mutex_unlock(&p->turn);
}

bool cw__pool_try_enter(cw__pool *p)
{
    bool is_inside;

    if (!cw__mutex_trylock(&p->turn))
        return false;
    is_inside = cw__mutex_trylock(&p->lock);
    cw__mutex_unlock(&p->turn);
    return is_inside;
}

void cw__pool_exit(cw__pool *p) { cw__mutex_unlock(&p->lock); }

/* ---- Joining and leaving ---- */

static bool has_room(const cw__pool *p)
{
    static const unsigned at_most[] = {[CW__SHARE_BARE] = BARE_AT_MOST, [CW__SHARE_TRUST] = TRUST_AT_MOST};

    return p->sharing != CW__SHARE_NOT && p->member_count < at_most[p->sharing];
}

static void unlist(cw__pool *p)
{
    if (!p->is_listed)
        return;
    p->is_listed = false;
    if (p->previous)
        p->previous->next = p->next;
    else
        with_room = p->next;
    if (p->next)
        p->next->previous = p->previous;
}

/* Puts the pool on the list of pools with room, or takes it off. For use whenever its room has changed. */
static void update_list(cw__pool *p)
{
    if (!has_room(p)) {
        unlist(p);
    } else if (!p->is_listed) {
        p->is_listed = true;
        p->previous = NULL;
        p->next = with_room;
        if (with_room)
            with_room->previous = p;
        with_room = p;
    }
}

static void destroy(cw__pool *p)
{
    unlist(p);
    (void)curl_multi_cleanup(p->multi);
    cw__mutex_destroy(&p->lock);
    cw__mutex_destroy(&p->turn);
    cw__free(p);
}

/* Drops the kept pool of a kind, and keeps another pool, or none. */
static void keep(cw__sharing kind, cw__pool *p)
{
    cw__pool *before = kept[kind];

    kept[kind] = p;
    if (before)
        destroy(before);
}

static void keep_nothing(void)
{
    keep(CW__SHARE_BARE, NULL);
    keep(CW__SHARE_TRUST, NULL);
}

static cw__pool *create(const cw__pool_member *m)
{
    cw__pool *p = cw__calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->multi = curl_multi_init();
    if (!p->multi) {
        cw__free(p);
        return NULL;
    }
    /* If a connect ends during a name look-up, do not wait for the thread of the look-up. Since 8.20 these threads
     * belong to the multi, which would otherwise wait for them at its end. An older libcurl neither knows nor needs the
     * option. */
    /* NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): headers before 8.20 lack its name */
    (void)curl_multi_setopt(p->multi, (CURLMoption)QUICK_EXIT, 1L);
    cw__mutex_init(&p->turn);
    cw__mutex_init(&p->lock);
    p->sharing = m->sharing;
    p->trust = m->trust;
    return p;
}

static bool suits(const cw__pool *p, const cw__pool_member *m)
{
    return p->sharing == m->sharing &&
           (p->sharing != CW__SHARE_TRUST || cw__trust_is_same(&p->trust, &m->trust));
}

static cw__pool *join(const cw__pool_member *m)
{
    cw__pool *p;

    if (with_room_generation != cw__generation()) { /* after fork: the parent's pools are not ours */
        with_room = kept[CW__SHARE_BARE] = kept[CW__SHARE_TRUST] = NULL;
        with_room_generation = cw__generation();
    }
    p = with_room;
    while (p && !suits(p, m))
        p = p->next;
    if (!p && !(p = create(m)))
        return NULL;
    if (p == kept[p->sharing])
        kept[p->sharing] = NULL;
    p->member_count++;
    update_list(p);
    return p;
}

static void leave(cw__pool *p)
{
    p->member_count--;
    update_list(p);
    if (p->member_count > 0)
        return;
    if (p->sharing == CW__SHARE_NOT) {
        destroy(p);
    } else {
        keep(p->sharing, p);
        cw__service_at_end(keep_nothing);
    }
}

/* ---- The descriptors that libcurl waits for ---- */

/* Stops watching all descriptors while libcurl works. libcurl closes descriptors without telling us, and another thread
 * may get the same number before we could stop watching it. */
static void unwatch(cw__pool *p)
{
    for (unsigned i = 0; i < p->watched_count; i++)
        cw__poller_forget(cw__service_poller(), p->watched[i]);
    p->watched_count = 0;
}

/* Watches the descriptors that libcurl waits for, with the client of one connecting member as owner. The pool asks
 * libcurl after each step (curl_multi_waitfds). CURLMOPT_SOCKETFUNCTION would need a table of sockets: 7 KiB for each
 * connection, for its whole life. */
static bool watch(cw__pool *p)
{
    struct curl_waitfd wanted[WATCHED_AT_MOST];
    unsigned count = 0;

    if (!p->connecting)
        return true;
    if (curl_multi_waitfds(p->multi, wanted, WATCHED_AT_MOST, &count) != CURLM_OK)
        return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned mask = (wanted[i].events & (CURL_WAIT_POLLIN | CURL_WAIT_POLLPRI) ? CW__READ : 0u) |
                        (wanted[i].events & CURL_WAIT_POLLOUT ? CW__WRITE : 0u);
        if (!cw__poller_set(cw__service_poller(), wanted[i].fd, mask, p->connecting->client))
            return false;
        p->watched[p->watched_count++] = wanted[i].fd;
    }
    return true;
}

void cw__pool_forked(cw__pool *p)
{
    while (p->watched_count > 0)
        (void)close(p->watched[--p->watched_count]);
}

/* ---- Steps ---- */

/* Notes the transfers that libcurl has finished. Makes the service thread attend each finished client. It skips
 * the client of at_work, whose step made this call. os_errno is errno after libcurl's call; errno was 0 before
 * the call. */
static void note_done(cw__pool *p, const cw__pool_member *at_work, int os_errno)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(p->multi, &left))) {
        cw__pool_member *m = p->connecting;
        while (m && m->easy != message->easy_handle)
            m = m->next;
        if (message->msg != CURLMSG_DONE || !m)
            continue;
        m->code = message->data.result;
        m->os_errno = os_errno;
        m->is_done = true;
        if (m != at_work)
            cw__service_attend(m->client);
    }
}

static CURLMcode perform(cw__pool *p, cw__pool_member *m)
{
    CURLMcode code = CURLM_OK;
    int running, os_errno;

    if (!m->is_added) {
        code = curl_multi_add_handle(p->multi, m->easy);
        if (code != CURLM_OK)
            return code;
        m->is_added = true;
        m->next = p->connecting;
        p->connecting = m;
    }
    cw__cookies_enter();
    errno = 0;
    code = curl_multi_perform(p->multi, &running);
    os_errno = errno;
    cw__cookies_exit();
    note_done(p, m, os_errno);
    return code;
}

/* Sets the error for a multi that could not be made. Since 8.20 a multi needs descriptors of its own. */
static void explain_none(int os_errno, cw__error *error)
{
    if (cw__failure_is_descriptor(os_errno))
        cw__failure_no_descriptor(os_errno, error);
    else
        cw__error_set(error, CW_NO_MEMORY, CW_WEB_Unknown,
                      "no memory for a connection: free memory and call again");
}

bool cw__pool_step(cw__pool_member *m, cw__error *error)
{
    CURLMcode code;
    bool is_watched;

    if (m->is_done)
        return true;
    errno = 0;
    if (!m->pool && !(m->pool = join(m))) {
        explain_none(errno, error);
        return false;
    }
    cw__pool_enter(m->pool);
    unwatch(m->pool);
    code = perform(m->pool, m);
    is_watched = watch(m->pool);
    cw__pool_exit(m->pool);
    if (code == CURLM_OK && is_watched)
        return true;
    if (code == CURLM_OK)
        cw__error_set(
            error, CW_CONNECT_FAILED, CW_WEB_Unknown,
            "cannot connect: a descriptor cannot be watched; free memory, or raise the limit (ulimit -n)");
    else
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_Unknown,
                      "cannot connect: libcurl's multi says CURLMcode %d; try another version of libcurl",
                      (int)code);
    return false;
}

int64_t cw__pool_due_ms(cw__pool_member *m)
{
    long timeout_ms = -1;

    cw__pool_enter(m->pool);
    (void)curl_multi_timeout(m->pool->multi, &timeout_ms);
    cw__pool_exit(m->pool);
    return timeout_ms >= 0 ? cw__now_ms() + timeout_ms : INT64_MAX;
}

/* ---- Ending ---- */

/* Checks the file of authorities again, because libcurl reads it later than trust.c, and it may have changed in
 * between. If it has changed, no other connection may join this pool. */
static void look_again(cw__pool *p, const cw__pool_member *m)
{
    if (p->sharing != CW__SHARE_TRUST || cw__trust_read_again(m->ca_file, &m->trust))
        return;
    p->sharing = CW__SHARE_NOT;
    update_list(p);
}

/* Takes a member off the list of connecting members. Then the first other member watches the descriptors and takes the
 * steps. */
static void stop_connecting_locked(cw__pool *p, cw__pool_member *m)
{
    cw__pool_member **place = &p->connecting;

    while (*place && *place != m)
        place = &(*place)->next;
    if (*place)
        *place = m->next;
    unwatch(p);
    (void)watch(p); /* if this fails, it fails again in the next step, which reports the error */
    if (p->connecting)
        cw__service_attend(p->connecting->client);
}

void cw__pool_rest(cw__pool_member *m)
{
    cw__pool_enter(m->pool);
    unwatch(m->pool);
    (void)curl_multi_remove_handle(m->pool->multi, m->easy);
    stop_connecting_locked(m->pool, m);
    cw__pool_exit(m->pool);
    m->is_added = m->is_done = false;
}

int cw__pool_settle(cw__pool_member *m)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    cw__pool_enter(m->pool);
    if (curl_easy_getinfo(m->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK)
        fd = CURL_SOCKET_BAD;
    if (fd != CURL_SOCKET_BAD)
        stop_connecting_locked(m->pool, m);
    cw__pool_exit(m->pool);
    look_again(m->pool, m);
    return fd == CURL_SOCKET_BAD ? -1 : fd;
}

void cw__pool_quit(cw__pool_member *m)
{
    if (!m->pool)
        return;
    if (m->is_added) {
        cw__pool_enter(m->pool);
        unwatch(m->pool);
        (void)curl_multi_remove_handle(m->pool->multi, m->easy);
        stop_connecting_locked(m->pool, m);
        cw__pool_exit(m->pool);
        look_again(m->pool, m);
    }
    leave(m->pool);
    m->pool = NULL;
}

void cw__pool_end(cw__pool *p, CURL *easy)
{
    cw__pool_enter(p);
    (void)curl_multi_remove_handle(p->multi, easy);
    cw__pool_exit(p);
    curl_easy_cleanup(easy);
    leave(p);
}

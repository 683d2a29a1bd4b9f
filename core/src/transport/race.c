/* SPDX-License-Identifier: MIT */
/* Race: connects to the addresses of a host side by side (Happy Eyeballs, RFC 8305), for a libcurl that cannot
 * do so well. Before 8.16 libcurl tries the addresses of one family one after another, each for half of the time
 * that is left. Before 8.20 it tries any number of them at a time. libcurl looks up the name of the host or the
 * proxy, and takes over the first connection. connect.c and handshake.c call this file. It knows only addresses.
 *
 * The rules are the same as in libcurl 8.20 and later. The families take turns, IPv6 first. The next address is
 * tried after happy_eyeballs_timeout. At most six attempts are in progress; a seventh ends the oldest. In addition, the next
 * address is tried at once when an attempt fails.
 *
 * Safety: service thread only, under the socket's lock. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport.h"

enum { AT_ONCE = 6 };

typedef struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to;
    socklen_t len_bytes;
} address;

typedef struct attempt {
    int fd;
    const address *at;
} attempt;

/* LCOV_EXCL_START: coverage is measured with a libcurl that races itself. tests/core/test_addresses.c tests this file
 * with the system's libcurl. */

struct cw__race {
    cw__race_state state;
    cw__reach *reach;
    address *addresses;
    size_t count, room, next;  /* next: the first address that was not tried */
    attempt attempts[AT_ONCE]; /* the oldest is first */
    unsigned attempt_count;
    int64_t next_ms; /* when the next address is due */
    attempt winner;  /* fd -1 = there is no winner, or cw__race_take has taken it */
    int os_errno;    /* errno of the latest attempt that failed */
    bool has_no_memory;
};

cw__race *cw__race_create(void)
{
    cw__race *r = cw__calloc(1, sizeof *r);

    if (r)
        r->winner.fd = -1;
    return r;
}

void cw__race_set_reach(cw__race *r, cw__reach *reach) { r->reach = reach; }

static void end_attempt(int fd)
{
    cw__poller_forget(cw__service_poller(), fd);
    (void)close(fd);
}

/* Removes an attempt from the table. Call it before end_attempt: the child of a fork must not find a closed descriptor
 * here (cw__race_forked). */
static void remove_attempt(cw__race *r, unsigned place)
{
    r->attempt_count--;
    memmove(r->attempts + place, r->attempts + place + 1, (r->attempt_count - place) * sizeof *r->attempts);
}

static void end_attempts(cw__race *r)
{
    while (r->attempt_count > 0)
        end_attempt(r->attempts[--r->attempt_count].fd);
}

void cw__race_destroy(cw__race *r)
{
    if (!r)
        return;
    end_attempts(r);
    if (r->winner.fd >= 0)
        (void)close(r->winner.fd);
    cw__free(r->addresses);
    cw__free(r);
}

void cw__race_forked(cw__race *r)
{
    int winner = r->winner.fd;

    r->winner.fd = -1;
    if (winner >= 0)
        (void)close(winner);
    while (r->attempt_count > 0)
        (void)close(r->attempts[--r->attempt_count].fd);
}

cw__race_state cw__race_state_of(const cw__race *r) { return r->state; }
bool cw__race_has_addresses(const cw__race *r) { return r->count > 0; }
int cw__race_errno(const cw__race *r) { return r->os_errno; }

/* ---- Gathering ---- */

void cw__race_add(cw__race *r, const struct sockaddr *to, size_t len_bytes)
{
    if ((to->sa_family != AF_INET && to->sa_family != AF_INET6) || len_bytes > sizeof r->addresses->to)
        return; /* an address of another family cannot be tried */
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 8;
        address *more = cw__realloc(r->addresses, room * sizeof *more);
        if (!more) {
            r->has_no_memory = true;
            return;
        }
        r->addresses = more;
        r->room = room;
    }
    memset(&r->addresses[r->count], 0, sizeof *r->addresses);
    memcpy(&r->addresses[r->count].to, to, len_bytes);
    r->addresses[r->count++].len_bytes = (socklen_t)len_bytes;
}

/* Returns the next address of a family, or NULL. */
static const address *next_of(const cw__race *r, sa_family_t family, size_t *at)
{
    while (*at < r->count) {
        const address *a = &r->addresses[(*at)++];
        if (a->to.any.sa_family == family)
            return a;
    }
    return NULL;
}

bool cw__race_begin(cw__race *r)
{
    address *sorted = r->has_no_memory ? NULL : cw__malloc((r->count ? r->count : 1) * sizeof *sorted);
    size_t at6 = 0, at4 = 0;

    if (!sorted)
        return false;
    for (size_t i = 0; i < r->count;) {
        const address *v6 = next_of(r, AF_INET6, &at6);
        const address *v4 = next_of(r, AF_INET, &at4);
        if (v6)
            sorted[i++] = *v6;
        if (v4)
            sorted[i++] = *v4;
    }
    cw__free(r->addresses);
    r->addresses = sorted;
    r->state = CW__RACE_RUNNING;
    return true;
}

/* ---- Running ---- */

static void win(cw__race *r, attempt winner)
{
    cw__poller_forget(cw__service_poller(), winner.fd);
    end_attempts(r);
    r->winner = winner;
    r->state = CW__RACE_WON;
}

/* Tries the next address. Returns false if that failed at once. */
static bool try_next(cw__race *r, cw__client *client)
{
    const address *at = &r->addresses[r->next++];
    int fd;

    if (r->attempt_count == AT_ONCE) {
        fd = r->attempts[0].fd;
        remove_attempt(r, 0);
        end_attempt(fd);
    }
    fd = socket(at->to.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0) {
        r->os_errno = errno;
        return false;
    }
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    if (!cw__reach_mark(r->reach, fd)) { /* libcurl, which gets no socket, reports it */
        r->os_errno = r->reach->os_errno;
        (void)close(fd);
        return false;
    }
    if (connect(fd, &at->to.any, at->len_bytes) == 0) {
        win(r, (attempt){fd, at});
        return true;
    }
    if (errno != EINPROGRESS || !cw__poller_set(cw__service_poller(), fd, CW__WRITE, client)) {
        r->os_errno = errno;
        (void)close(fd);
        return false;
    }
    r->attempts[r->attempt_count++] = (attempt){fd, at};
    return true;
}

/* Checks all attempts in progress. Returns true if one of them failed and none has won. */
static bool look(cw__race *r)
{
    bool has_failed = false;

    for (unsigned i = 0; i < r->attempt_count;) {
        attempt a = r->attempts[i];
        struct pollfd ready = {.fd = a.fd, .events = POLLOUT};
        socklen_t len = sizeof r->os_errno;
        int os_errno = 0;
        if (poll(&ready, 1, 0) <= 0) {
            i++;
            continue;
        }
        if (getsockopt(a.fd, SOL_SOCKET, SO_ERROR, &os_errno, &len) != 0)
            os_errno = errno;
        remove_attempt(r, i);
        if (os_errno == 0) {
            win(r, a);
            return false;
        }
        end_attempt(a.fd);
        r->os_errno = os_errno;
        has_failed = true;
    }
    return has_failed;
}

int64_t cw__race_step(cw__race *r, cw__client *client, int64_t now_ms)
{
    bool is_due = look(r) || now_ms >= r->next_ms;

    while (r->state == CW__RACE_RUNNING && r->next < r->count && (is_due || r->attempt_count == 0)) {
        is_due = !try_next(r, client);
        r->next_ms = now_ms + r->reach->happy_ms;
    }
    if (r->state == CW__RACE_RUNNING && r->attempt_count == 0)
        r->state = CW__RACE_LOST;
    return r->next < r->count ? r->next_ms : INT64_MAX;
}

int cw__race_take(cw__race *r, struct sockaddr *from, unsigned *len_bytes)
{
    int fd = r->winner.fd;

    if (fd < 0)
        return -1;
    memcpy(from, &r->winner.at->to, r->winner.at->len_bytes);
    *len_bytes = r->winner.at->len_bytes;
    r->winner.fd = -1;
    return fd;
}
/* LCOV_EXCL_STOP */

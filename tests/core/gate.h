/* SPDX-License-Identifier: MIT */
/* Makes other threads wait: a client that blocks the service thread, and a thread that stays inside a pool, as the
 * service does during a TLS handshake. */
#ifndef GATE_H
#define GATE_H

#include "raw_peer.h"
#include "transport/transport.h"

/* ---- The service ---- */

/* A client that blocks the service thread. The connects that begin meanwhile are served in one round, in the order in
 * which they began. */
static cw__client gate;
static cw__mutex gate_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int gate_is_reached, gate_is_gone;

static inline int64_t gate_attend(cw__client *client)
{
    (void)client;
    atomic_store(&gate_is_reached, 1);
    cw__mutex_lock(&gate_lock);
    cw__mutex_unlock(&gate_lock);
    return CW__DETACH;
}

static inline int64_t gate_ready(cw__client *client, int fd, unsigned mask)
{
    (void)fd, (void)mask;
    return gate_attend(client);
}

static inline void gate_shut_down(cw__client *client, int grace_ms) { (void)client, (void)grace_ms; }
static inline void gate_forked(cw__client *client) { (void)client; }

static inline void gate_detached(cw__client *client)
{
    (void)client;
    atomic_store(&gate_is_gone, 1);
}

static inline void hold_service(void)
{
    static const cw__client_calls calls = {.ready = gate_ready,
                                           .attend = gate_attend,
                                           .shut_down = gate_shut_down,
                                           .detached = gate_detached,
                                           .forked = gate_forked};

    gate = (cw__client){.calls = &calls};
    atomic_store(&gate_is_reached, 0);
    atomic_store(&gate_is_gone, 0);
    cw__mutex_lock(&gate_lock);
    CHECK_STATUS(cw__service_attach(&gate), CW_OK);
    UNTIL(atomic_load(&gate_is_reached));
}

static inline void let_service_go(void)
{
    cw__mutex_unlock(&gate_lock);
    UNTIL(atomic_load(&gate_is_gone));
}

/* ---- Inside a pool ---- */

enum { INSIDE_AT_MOST_MS = 10000 }; /* after this time a waiting call goes on and finds is_inside false */

static cw__pool *occupied;
static pthread_t occupant;
static atomic_int is_inside, may_leave;

static inline void *stay_inside(void *unused)
{
    int64_t until_ms = cw__now_ms() + INSIDE_AT_MOST_MS;

    cw__pool_enter(occupied);
    atomic_store(&is_inside, 1);
    while (!atomic_load(&may_leave) && cw__now_ms() < until_ms)
        (void)poll(NULL, 0, 1);
    atomic_store(&is_inside, 0);
    cw__pool_exit(occupied);
    return unused;
}

static inline void occupy(cw__pool *pool)
{
    occupied = pool;
    atomic_store(&may_leave, 0);
    CHECK_INT(pthread_create(&occupant, NULL, stay_inside, NULL), 0);
    UNTIL(atomic_load(&is_inside));
}

static inline void vacate(void)
{
    atomic_store(&may_leave, 1);
    CHECK_INT(pthread_join(occupant, NULL), 0);
}

/* ---- Connections that libcurl still owns ---- */

/* A script whose reply has a pong in the same packet. libcurl holds it, so the connection stays libcurl's (link.c). */
#define LIBCURLS "join/x:8a00/echo/end"

/* Returns the pool that the connection of s is in; NULL = libcurl does not own it. */
static inline cw__pool *pool_of(cw_socket *s)
{
    cw__pool *pool;

    cw__mutex_lock(&s->lock);
    pool = s->codec ? s->codec->link->pool : NULL;
    cw__mutex_unlock(&s->lock);
    return pool;
}

/* ---- Calls that must not wait ---- */

/* s is open, and its peer echoes. Checks that each call returns although another thread is inside the pool, and that
 * the rest of its work is done later. Releases s. */
static inline void check_never_waits(cw_socket *s)
{
    struct pollfd readable = {.fd = s->fd, .events = POLLIN};
    size_t coming;
    cw_event *e;

    hold_service();
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "one", 3, CW_TIMEOUT_DEFAULT), CW_OK);
    UNTIL(poll(&readable, 1, 0) == 1);
    (void)LOCKED(s, s->in.is_drained = false); /* as when the descriptor becomes readable */
    occupy(pool_of(s));
    CHECK_STATUS(cw_socket_try_receive(s, &e), CW_WOULD_BLOCK);
    CHECK_STATUS(cw_socket_try_receive_or_announce(s, &e, &coming), CW_WOULD_BLOCK);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "two", 3, 0), CW_OK);
    CHECK(atomic_load(&is_inside));
    vacate();
    UNTIL(cw_socket_try_receive(s, &e) == CW_OK);
    CHECK_BYTES(cw_event_data(e, &coming), coming, "one", 3);
    cw_event_free(e);
    let_service_go();
    CHECK_MESSAGE(s, CW_BINARY, "two", 3);
    hold_service();
    occupy(pool_of(s));
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK(atomic_load(&is_inside));
    vacate();
    let_service_go();
    CHECK_CLOSED(s, 1000, true);
    cw_socket_release(s);
}

/* Checks that abort (if aborts) and release of the open s do not wait for a thread inside the pool. */
static inline void check_drop_never_waits(cw_socket *s, bool aborts)
{
    hold_service();
    occupy(pool_of(s));
    if (aborts)
        cw_socket_abort(s);
    cw_socket_release(s);
    CHECK(atomic_load(&is_inside));
    vacate();
    let_service_go();
}

#endif

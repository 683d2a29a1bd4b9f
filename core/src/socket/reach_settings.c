/* SPDX-License-Identifier: MIT */
/* Reach settings: passes the controls about how to reach the server to transport/reach.c, and keeps the connection that the
 * program has made, until a connect takes it.
 *
 * Safety: under the socket's lock. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../transport/transport.h"
#include "socket.h"

void cw__reach_fill_locked(cw_socket *s, cw__reach *reach)
{
    *reach = (cw__reach){
        .unix_path = cw__setting_text(s, CW_OPT_UNIX_SOCKET_PATH),
        .abstract_name = cw__setting_text(s, CW_OPT_ABSTRACT_UNIX_SOCKET),
        .interface = cw__setting_text(s, CW_OPT_INTERFACE),
        .doh_url = cw__setting_text(s, CW_OPT_DOH_URL),
        .resolve = cw__setting_text(s, CW_OPT_RESOLVE),
        .connect_to = cw__setting_text(s, CW_OPT_CONNECT_TO),
        .curl_options = cw__setting_text(s, CW_OPT_CURL_OPTIONS),
        .local_port = cw__setting(s, CW_OPT_LOCAL_PORT),
        .local_port_range = cw__setting(s, CW_OPT_LOCAL_PORT_RANGE),
        .happy_ms = cw__setting(s, CW_OPT_HAPPY_EYEBALLS_TIMEOUT),
        .keeps_alive = cw__setting(s, CW_OPT_TCP_KEEPALIVE) != 0,
        .keep_idle_ms = cw__setting(s, CW_OPT_TCP_KEEPIDLE),
        .keep_interval_ms = cw__setting(s, CW_OPT_TCP_KEEPINTVL),
        .keep_count = cw__setting(s, CW_OPT_TCP_KEEPCNT),
        .user_timeout_ms = cw__setting(s, CW_OPT_TCP_USER_TIMEOUT),
        .dscp = cw__setting(s, CW_OPT_DSCP),
        .given = s->is_given ? &s->given : NULL,
    };
}

void cw__reach_forget_given(cw_socket *s)
{
    int fd = s->given;

    s->given = -1;
    if (fd >= 0)
        (void)close(fd);
}

/* Checks that fd is a connected stream socket, and copies it. Returns CW_OK or a failure. */
static cw_status copy(int fd, int *out)
{
    struct sockaddr_storage peer;
    socklen_t peer_bytes = sizeof peer, type_bytes = sizeof(int);
    int type = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_bytes) != 0 || type != SOCK_STREAM)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the descriptor %d is not a stream socket: give a connected socket", fd);
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_bytes) != 0)
        return cw__fail(CW_INVALID_ARGUMENT, "the socket %d is not connected: connect it to the server first",
                        fd);
    *out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return *out >= 0 ? CW_OK
                     : cw__fail(CW_SYSTEM_ERROR, "no descriptor for a connection: raise the limit (ulimit -n)");
}

cw_status cw_socket_set_connected_socket(cw_socket *s, int fd)
{
    cw_status status = cw__socket_check(s); /* check before locking: after fork the lock may be held for ever */
    int given = -1;

    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    if (cw__socket_state(s) != CW_STATE_NEW)
        status = cw__fail(CW_INVALID_STATE,
                          "a connection cannot be given once a connect has begun; give it before connect");
    if (status == CW_OK && fd >= 0)
        status = copy(fd, &given);
    if (status == CW_OK) {
        cw__reach_forget_given(s);
        s->given = given;
        s->is_given = fd >= 0;
    }
    cw__mutex_unlock(&s->lock);
    return status;
}

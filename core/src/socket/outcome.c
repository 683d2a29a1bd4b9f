/* SPDX-License-Identifier: MIT */
/* Outcome: what the last connect has left: the reply, the server's certificates, the body of a refusal, the addresses.
 * connect.c and life.c call this file.
 *
 * Safety: see socket.h. */
#include <string.h>

#include "socket.h"

void cw__outcome_forget(cw_socket *s)
{
    cw__free(s->protocol);
    cw__free(s->reply);
    cw__free(s->extensions);
    cw__free(s->authorities);
    cw__free(s->chain);
    cw__free(s->body);
    cw__free(s->effective_uri);
    s->protocol = s->reply = s->extensions = s->authorities = s->effective_uri = NULL;
    s->chain = s->body = NULL;
    s->chain_bytes = s->body_bytes = 0;
    s->local_address[0] = s->remote_address[0] = '\0';
    memset(&s->connect_error, 0, sizeof s->connect_error);
    s->pending_events = s->ignored = 0;
    s->timings = cw__no_timings;
    s->tls = (cw__tls_facts){0};
}

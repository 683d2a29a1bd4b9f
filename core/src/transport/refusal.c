/* SPDX-License-Identifier: MIT */
/* Refusal: keeps the start of the body of a reply with which a server or a proxy refuses, because the body often says why.
 * libcurl decodes the body. handshake.c begins, verdict.c and connect.c use the result.
 *
 * Only the libcurl inside passes the body on (scripts/build_libcurl.sh). Another one ends the transfer at the empty line. */
#include <string.h>

#include "transport.h"

enum {
    BODY_MS = 1000,              /* the time for a body, so that one that stalls does not hold the error back */
    READ_BYTES_AT_MOST = 1 << 18 /* of a proxy's body, with the frames of its chunks */
};

bool cw__refusal_can_keep(void)
{
#ifdef CW_LIBCURL_KEEPS_BODY
    return true;
#else
    return false;
#endif
}

void cw__refusal_begin(cw__handshake *h)
{
    h->refusal.is_begun = true;
    h->refusal.due_ms = cw__now_ms() + BODY_MS;
}

void cw__refusal_forget(cw__handshake *h)
{
    cw__free(h->refusal.body);
    h->refusal = (cw__refusal){0};
}

size_t cw__refusal_write(char *data, size_t size, size_t count, void *user)
{
    cw__handshake *h = user;
    size_t len_bytes = size * count, left_bytes;

    if (!h) /* the handshake is over */
        return len_bytes;
    left_bytes = CW_REFUSAL_BODY_AT_MOST - h->refusal.body_bytes;
    if (len_bytes > left_bytes)
        len_bytes = left_bytes;
    if (h->refusal.body_bytes + len_bytes > h->refusal.room_bytes) {
        size_t room_bytes = 2 * (h->refusal.body_bytes + len_bytes);
        uint8_t *grown = cw__realloc(h->refusal.body, room_bytes);
        if (!grown)
            return 0; /* the error of the refusal says more than one about memory; the body ends here */
        h->refusal.body = grown;
        h->refusal.room_bytes = room_bytes;
    }
    if (len_bytes > 0)
        memcpy(h->refusal.body + h->refusal.body_bytes, data, len_bytes);
    h->refusal.body_bytes += len_bytes;
    return len_bytes; /* if the body is full, libcurl ends the transfer */
}

/* libcurl reads the body of a proxy byte by byte, and calls this function for each byte. It does not return before the proxy
 * pauses. Without a limit on bytes, a fast proxy would hold the service thread for ever. On a busy machine, these bytes can
 * take longer than the time for a body. */
int cw__refusal_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    cw__handshake *h = user;

    (void)down_total, (void)down, (void)up_total, (void)up;
    if (!h || !h->is_refused)
        return 0;
    if (h->refusal.is_begun &&
        (h->refusal.body_bytes == CW_REFUSAL_BODY_AT_MOST || cw__now_ms() >= h->refusal.due_ms))
        return 1;
    return h->refusal.read_bytes++ == READ_BYTES_AT_MOST;
}

int64_t cw__handshake_end_ms(const cw__handshake *h, int64_t deadline_ms)
{
    return h->refusal.is_begun && h->refusal.due_ms < deadline_ms ? h->refusal.due_ms : deadline_ms;
}

uint8_t *cw__handshake_release_body(cw__handshake *h, size_t *len_bytes)
{
    uint8_t *body = h->refusal.body;

    *len_bytes = h->refusal.body_bytes;
    h->refusal.body = NULL;
    cw__refusal_forget(h);
    return body;
}

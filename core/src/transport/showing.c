/* SPDX-License-Identifier: MIT */
/* Showing: keeps the certificates that the server shows, and ends a first connection before its request, so that the
 * program can look at the certificate (on_server_custom_validation_requested). The second connection must show the same
 * certificate. handshake.c and connect.c call this file under the socket's lock. It knows no request and no reply. */
#include <string.h>

#include "transport.h"

/* Keeps the server's Certificate message. The trace has it also if the certificate is then refused, which
 * CURLOPT_CERTINFO has not (8.14.1). CERTINFO would also cost 8 KiB for each certificate, as long as the connection. */
void cw__showing_keep(cw__handshake *h, const char *message, size_t len_bytes)
{
    const uint8_t *der;
    size_t der_bytes;

    if (h->chain || !cw__chain_find(message, len_bytes, 0, &der, &der_bytes))
        return;
    h->chain = cw__malloc(len_bytes);
    h->reply.has_no_memory = h->reply.has_no_memory || !h->chain;
    if (!h->chain)
        return;
    memcpy(h->chain, message, len_bytes);
    h->chain_bytes = len_bytes;
}

uint8_t *cw__handshake_release_chain(cw__handshake *h, size_t *len_bytes)
{
    uint8_t *chain = h->chain;

    *len_bytes = h->chain_bytes;
    h->chain = NULL;
    h->chain_bytes = 0;
    return chain;
}

/* Looks at the certificate that the connection has shown. Returns how far the question is now. */
static cw__showing look_at_certificate(cw__handshake *h)
{
    const uint8_t *der;
    size_t der_bytes;

    if (!h->chain || !cw__chain_find(h->chain, h->chain_bytes, 0, &der, &der_bytes))
        return CW__SHOWING_CHANGED;
    if (h->showing == CW__SHOWING_ACCEPTED)
        return der_bytes == h->certificate_bytes && memcmp(der, h->certificate, der_bytes) == 0
                   ? CW__SHOWING_ACCEPTED
                   : CW__SHOWING_CHANGED;
    if (h->showing != CW__SHOWING_FIRST) /* a transfer shows its certificate once, so this fails closed */
        return CW__SHOWING_CHANGED;
    h->certificate = cw__malloc(der_bytes);
    h->reply.has_no_memory = !h->certificate;
    if (!h->certificate)
        return CW__SHOWING_CHANGED;
    memcpy(h->certificate, der, der_bytes);
    h->certificate_bytes = der_bytes;
    return CW__SHOWING_SHOWN;
}

/* Is called after the TLS handshake, before libcurl sends the request (8.14.1, 8.22: MSTATE_DO in lib/multi.c). It runs in
 * the service thread, which must not wait for an answer. So it ends the first connection. If the second connection shows
 * another certificate, it ends that one too. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static int on_request(void *user, char *peer, char *local, int peer_port, int local_port)
{
    cw__handshake *h = user;

    (void)peer, (void)local, (void)peer_port, (void)local_port;
    h->showing = look_at_certificate(h);
    return h->showing == CW__SHOWING_ACCEPTED ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

CURLcode cw__showing_set(cw__handshake *h)
{
    CURLcode code = curl_easy_setopt(h->easy, CURLOPT_PREREQFUNCTION, on_request);

    return code == CURLE_OK ? curl_easy_setopt(h->easy, CURLOPT_PREREQDATA, (void *)h) : code;
}

/* SPDX-License-Identifier: MIT */
/* Showing: keeps the certificates that the server shows, for two purposes. It ends a first connection before its request,
 * so that the program can look at the certificate (on_server_custom_validation_requested). And after a connection that has
 * failed because of the certificate, it makes the next connection ignore that error, if the program wants it
 * (ignorable_server_certificate_errors). The later connections must show the same certificate.
 *
 * handshake.c and connect.c call this file under the socket's lock. It knows no request and no reply. */
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

/* Keeps the certificate that the connection has shown, if it is the first. Returns whether it is the same on each. */
static bool is_same_certificate(cw__handshake *h)
{
    const uint8_t *der;
    size_t der_bytes;

    if (!h->chain || !cw__chain_find(h->chain, h->chain_bytes, 0, &der, &der_bytes))
        return false;
    if (h->certificate)
        return der_bytes == h->certificate_bytes && memcmp(der, h->certificate, der_bytes) == 0;
    h->certificate = cw__malloc(der_bytes);
    h->reply.has_no_memory = !h->certificate;
    if (!h->certificate)
        return false;
    memcpy(h->certificate, der, der_bytes);
    h->certificate_bytes = der_bytes;
    return true;
}

/* Looks at the certificate that the connection has shown. Returns how far the question is now. */
static cw__showing look_at_certificate(cw__handshake *h)
{
    bool is_first = !h->certificate;

    if (!is_same_certificate(h))
        return CW__SHOWING_CHANGED;
    if (h->showing == CW__SHOWING_FIRST)
        return CW__SHOWING_SHOWN;
    /* A transfer shows its certificate once, and the first one has no request. Everything else fails closed. */
    return is_first || h->showing == CW__SHOWING_SHOWN ? CW__SHOWING_CHANGED : h->showing;
}

/* Is called after the TLS handshake, before libcurl sends the request (8.14.1, 8.22: MSTATE_DO in lib/multi.c). It runs in
 * the service thread, which must not wait for an answer. So it ends the first connection. If a later connection shows
 * another certificate, it ends that one too. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static int on_request(void *user, char *peer, char *local, int peer_port, int local_port)
{
    cw__handshake *h = user;

    (void)peer, (void)local, (void)peer_port, (void)local_port;
    h->showing = look_at_certificate(h);
    return h->showing == CW__SHOWING_ACCEPTED || h->showing == CW__SHOWING_NONE ? CURL_PREREQFUNC_OK
                                                                                : CURL_PREREQFUNC_ABORT;
}

CURLcode cw__showing_set(cw__handshake *h)
{
    CURLcode code = curl_easy_setopt(h->easy, CURLOPT_PREREQFUNCTION, on_request);

    return code == CURLE_OK ? curl_easy_setopt(h->easy, CURLOPT_PREREQDATA, (void *)h) : code;
}

/* ---- Ignoring an error ---- */

/* Makes the ends of the server's chain the only trusted certificates, so that libcurl checks everything else. Since
 * libcurl accepts no such end that is not a root together with a list of revoked certificates (8.14.1, 8.22:
 * lib/vtls/openssl.c), an incomplete chain then stays an error. */
static bool trust_ends(cw__handshake *h, cw_chain_result error)
{
    struct curl_blob blob = {.flags = CURL_BLOB_COPY};
    bool is_set;

    if (error == CW_CHAIN_IncompleteChain && *h->crl_file)
        return false;
    blob.data = cw__ignorable_ends(h->chain, h->chain_bytes, error, &blob.len);
    is_set = blob.data && curl_easy_setopt(h->easy, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK;
    cw__free(blob.data);
    return is_set;
}

bool cw__handshake_ignore(cw__handshake *h, int chain_result)
{
    cw_chain_result error = (cw_chain_result)chain_result;
    bool is_listed = (h->ignorable & ~h->ignored & 1u << error) != 0;
    bool is_early = h->showing == CW__SHOWING_NONE || h->showing == CW__SHOWING_FIRST;

    if (!is_listed || !is_early || !is_same_certificate(h) || cw__showing_set(h) != CURLE_OK)
        return false;
    if (error == CW_CHAIN_InvalidName ? curl_easy_setopt(h->easy, CURLOPT_SSL_VERIFYHOST, 0L) != CURLE_OK
                                      : !trust_ends(h, error))
        return false;
    h->ignored |= 1u << error;
    cw__free(h->chain);
    h->chain = NULL;
    return true;
}

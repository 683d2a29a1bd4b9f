/* SPDX-License-Identifier: MIT */
/* The public calls that tell about a socket and its connection: texts, the certificates of the server,
 * and the body of a refusal. They change
 * nothing.
 *
 * Safety: under the socket's lock. */
#include <string.h>

#include "socket.h"

/* Returns whether the last connect failed because of the server's certificate. */
static bool is_refused(const cw_socket *s) { return s->connect_error.chain_result != CW_CHAIN_Success; }

/* Returns the text of an information; NULL if the number is unknown. errors has room for CW__CHAIN_RESULTS_BYTES. For
 * CW_INFO_PUBLIC_URI it returns the whole URI, which the caller shortens. */
static const char *info_text(const cw_socket *s, cw_info info, char *errors)
{
    switch (info) {
    case CW_INFO_URI:
    case CW_INFO_PUBLIC_URI:
        return cw__or_empty(s->uri);
    case CW_INFO_EFFECTIVE_URI:
        return s->effective_uri ? s->effective_uri : cw__or_empty(s->uri);
    case CW_INFO_PROTOCOL:
        return cw__or_empty(s->protocol);
    case CW_INFO_LOCAL_ADDRESS:
        return s->local_address;
    case CW_INFO_REMOTE_ADDRESS:
        return s->remote_address;
    case CW_INFO_RESPONSE_HEADERS:
        return cw__or_empty(s->reply);
    case CW_INFO_FRAMING:
        return cw__or_empty(s->framing);
    case CW_INFO_EXTENSIONS:
        return cw__or_empty(s->extensions);
    case CW_INFO_AUTHORITIES:
        return cw__or_empty(s->authorities);
    case CW_INFO_SERVER_CERTIFICATE_ERRORS:
        cw__ignorable_show(s->ignored | (is_refused(s) ? 1u << s->connect_error.chain_result : 0), errors);
        return errors;
    case CW_INFO_SERVER_CERTIFICATE_ERROR_SEVERITY:
        return is_refused(s) ? "fatal" : s->ignored ? "ignorable" : s->chain ? "none" : "";
    case CW_INFO_TLS_VERSION:
        return s->tls.version;
    case CW_INFO_TLS_CIPHER:
        return s->tls.cipher;
    case CW_INFO_TLS_ALPN:
        return s->tls.alpn;
    case CW_INFO_TLS_RESUMED:
        return !*s->tls.version ? "" : s->tls.is_resumed ? "yes" : "no";
    }
    return NULL;
}

static void copy_public_uri(const char *uri, char *buffer, size_t size_bytes, size_t *len_bytes)
{
    size_t len = cw__uri_show(uri, buffer, size_bytes);

    if (len_bytes)
        *len_bytes = len;
}

cw_status cw_socket_get_info(cw_socket *s, cw_info info, char *buffer, size_t size_bytes, size_t *len_bytes)
{
    char errors[CW__CHAIN_RESULTS_BYTES];
    const char *text;
    cw_status status = cw__socket_check(s);

    cw__text_copy("", 0, buffer, size_bytes, len_bytes);
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    text = info_text(s, info, errors);
    if (!text)
        status = cw__fail(CW_INVALID_ARGUMENT,
                          "there is no information with the number %d: use a number of the list of information",
                          (int)info);
    else if (info == CW_INFO_PUBLIC_URI)
        copy_public_uri(text, buffer, size_bytes, len_bytes);
    else
        cw__text_copy(text, strlen(text), buffer, size_bytes, len_bytes);
    cw__mutex_unlock(&s->lock);
    return status;
}

cw_status cw_socket_get_certificate(cw_socket *s, size_t number, void *buffer, size_t size_bytes,
                                    size_t *len_bytes)
{
    const uint8_t *der;
    size_t der_bytes;
    cw_status status = cw__socket_check(s);

    *len_bytes = 0;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    if (s->chain && cw__chain_find(s->chain, s->chain_bytes, number, &der, &der_bytes)) {
        *len_bytes = der_bytes;
        if (size_bytes)
            memcpy(buffer, der, der_bytes < size_bytes ? der_bytes : size_bytes);
    }
    cw__mutex_unlock(&s->lock);
    return status;
}

cw_status cw_socket_get_timings(cw_socket *s, cw_timings *out)
{
    cw_status status = cw__socket_check(s);

    *out = cw__no_timings;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    *out = s->timings;
    cw__mutex_unlock(&s->lock);
    return CW_OK;
}

cw_status cw_socket_get_refusal_body(cw_socket *s, void *buffer, size_t size_bytes, size_t *len_bytes)
{
    cw_status status = cw__socket_check(s);

    *len_bytes = 0;
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    *len_bytes = s->body_bytes;
    if (s->body_bytes && size_bytes)
        memcpy(buffer, s->body, s->body_bytes < size_bytes ? s->body_bytes : size_bytes);
    cw__mutex_unlock(&s->lock);
    return status;
}

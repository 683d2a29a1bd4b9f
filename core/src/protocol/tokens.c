/* SPDX-License-Identifier: MIT */
/* Tokens and lists of tokens in headers (RFC 9110 sections 5.6.1, 5.6.2): names of headers and extensions,
 * subprotocols. reply.c, extension.c and headers.c call it. Pure. */
#include "protocol.h"

#include <string.h>
#include <strings.h>

bool cw__is_token(const char *text, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c <= ' ' || c >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", c))
            return false;
    }
    return len_bytes > 0;
}

const char *cw__list_next(const char **at, const char *end, size_t *len_bytes)
{
    const char *item = *at;
    size_t len = 0;

    while (item < end && (cw__is_blank(*item) || *item == ','))
        item++;
    if (item == end)
        return NULL;
    while (item + len < end && item[len] != ',')
        len++;
    *at = item + len;
    while (len > 0 && cw__is_blank(item[len - 1]))
        len--;
    *len_bytes = len;
    return item;
}

bool cw__list_has(const char *at, const char *end, const char *wanted, size_t wanted_bytes, bool any_case)
{
    const char *item;
    size_t len;

    while ((item = cw__list_next(&at, end, &len)))
        if (len == wanted_bytes &&
            (any_case ? strncasecmp(item, wanted, len) == 0 : memcmp(item, wanted, len) == 0))
            return true;
    return false;
}

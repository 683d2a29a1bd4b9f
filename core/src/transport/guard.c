/* SPDX-License-Identifier: MIT */
/* Reach: judges the addresses that libcurl connects to by how public they are (address.c), for a redirect that may only
 * lead to addresses as public as the server's that sent it. handshake.c asks before each attempt to connect, so that
 * the address that is judged is the one that is used. A name that resolves to another address later gains nothing. */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "transport.h"

bool cw__guard_allows(cw__address_space least_public, const struct sockaddr *to)
{
    if (least_public == CW__SPACE_LOCAL)
        return true;
    if (to->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, to, sizeof v4);
        return cw__address_space_of((const uint8_t *)&v4.sin_addr, 4) >= least_public;
    }
    if (to->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, to, sizeof v6);
        return cw__address_space_of((const uint8_t *)&v6.sin6_addr, 16) >= least_public;
    }
    return false; /* such as a Unix socket, which is on this machine */
}

cw__address_space cw__handshake_space(const cw__handshake *h)
{
    const char *text = NULL;
    uint8_t bytes[16];
    size_t len_bytes;

    if (h->proxy.kind != CW__PROXY_NONE)
        return CW__SPACE_PUBLIC; /* only the proxy knows the server's address */
    if (curl_easy_getinfo(h->easy, CURLINFO_PRIMARY_IP, &text) != CURLE_OK || !text)
        return CW__SPACE_PUBLIC;
    len_bytes = cw__address_read(text, strlen(text), bytes);
    return len_bytes ? cw__address_space_of(bytes, len_bytes) : CW__SPACE_PUBLIC;
}

void cw__guard_refuse(const char *host, cw__error *error)
{
    cw__error_set(
        error, CW_CONNECT_FAILED, CW_WEB_RedirectFailed,
        "the redirect to %.80s leads to an address that is less public than that of the server that sent "
        "it: connect to that URI, or set follow_location to \"all\"",
        host);
}

cw_status cw__guard_check_proxy(const cw__handshake *h, const cw__handshake_settings *settings)
{
    bool is_local = cw__reach_is_local(&h->reach);
    cw__error error;

    if (!settings->guard.refuses_proxy || (h->proxy.kind == CW__PROXY_NONE && !is_local))
        return CW_OK;
    if (is_local) {
        cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_RedirectFailed,
                      "the redirect to %.80s goes through a Unix socket or a connection of this program, so "
                      "that curlwire "
                      "cannot judge its address: connect to that URI, or set follow_location to \"all\"",
                      h->host);
        return cw__fail_with(&error);
    }
    cw__error_set(
        &error, CW_CONNECT_FAILED, CW_WEB_RedirectFailed,
        "the redirect to %.80s goes through the proxy %.80s (%s), so that curlwire cannot judge its address: "
        "connect to that URI, or set follow_location to \"all\"",
        h->host, h->proxy.name, h->proxy.source);
    return cw__fail_with(&error);
}

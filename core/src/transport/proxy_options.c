/* SPDX-License-Identifier: MIT */
/* Proxy options: gives the chosen proxy and the controls about proxies to libcurl. handshake.c calls this file. Every result
 * is checked, because an older or smaller libcurl may lack an option.
 *
 * Errors: CW_UNSUPPORTED, CW_NO_MEMORY, and those of proxy.c. */
#include "transport.h"

cw_status cw__proxy_prepare(cw__handshake *h, unsigned port, const char *(*get)(const char *name))
{
    const cw__proxy_settings *settings = &h->proxy_settings;
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    cw_status status = cw__proxy_choose(&h->proxy, settings->uri, h->is_to_tls, h->host, port, get);

    h->is_past_proxy = h->proxy.kind == CW__PROXY_NONE;
    if (status != CW_OK)
        return status;
    if (h->proxy.kind == CW__PROXY_HTTPS && !(info->features & CURL_VERSION_HTTPS_PROXY))
        return cw__fail(CW_UNSUPPORTED,
                        "the proxy %.80s (%s) is an https:// proxy, and the loaded libcurl %s supports none: "
                        "use http://, or load another libcurl",
                        h->proxy.name, h->proxy.source, info->version);
    if (h->proxy.kind != CW__PROXY_NONE && settings->user &&
        !cw__proxy_set_credential(&h->proxy, settings->user, settings->password))
        return cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
    return CW_OK;
}

/* Makes libcurl use no proxy. */
static CURLcode set_none(CURL *easy)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROXY, "");

    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    return code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN
               ? CURLE_OK
               : code; /* the loaded libcurl has no proxies */
}

#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)

/* Sets the options for TLS to an https:// proxy. */
static CURLcode set_tls(const cw__handshake *h)
{
    const cw__proxy_settings *settings = &h->proxy_settings;
    CURL *easy = h->easy;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_PROXY_SSL_VERIFYPEER, settings->verify ? 1L : 0L);
    SET(CURLOPT_PROXY_SSL_VERIFYHOST, settings->verify ? 2L : 0L);
    SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (*settings->ca_file) {
        SET(CURLOPT_PROXY_CAINFO, settings->ca_file);
        SET(CURLOPT_PROXY_CAPATH, h->no_folder);
    } else if (h->authorities.file) {
        SET(CURLOPT_PROXY_CAINFO, h->authorities.file);
        SET(CURLOPT_PROXY_CAPATH, h->folder);
    }
    return code;
}

CURLcode cw__proxy_set_options(const cw__handshake *h)
{
    CURL *easy = h->easy;
    CURLcode code = CURLE_OK;

    if (h->proxy.kind == CW__PROXY_NONE)
        return set_none(easy);
    SET(CURLOPT_PROXY, h->proxy.url);
    SET(CURLOPT_NOPROXY, "");
    if (h->proxy.user) {
        SET(CURLOPT_PROXYUSERNAME, h->proxy.user);
        SET(CURLOPT_PROXYPASSWORD, h->proxy.password);
    }
    return code == CURLE_OK && h->proxy.kind == CW__PROXY_HTTPS ? set_tls(h) : code;
}

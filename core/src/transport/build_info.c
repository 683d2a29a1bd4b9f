/* SPDX-License-Identifier: MIT */
/* Build info: versions and features, for bug reports and tests. The facts are one table, CW_BUILD_LIST in curlwire.h, so
 * that every binding has the same. It contains nothing secret: the only paths are those of authorities. Bindings call
 * this; it calls no lower file but libcurl.c, authorities.c and deflate.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"

static const char *const keys[] = {
#define CW_X(name, key) key,
    CW_BUILD_LIST(CW_X)
#undef CW_X
};

/* libcurl's headers need this macro where libcurl is static, so every build with libcurl inside defines it. */
#ifdef CURL_STATICLIB
static const char linked[] = "embedded";
#else
static const char linked[] = "system";
#endif

const char *cw_build_key(cw_build item) { return (int)item >= 0 && item < CW_BUILD_COUNT ? keys[item] : NULL; }

/* ---- Features ---- */

static bool always(const curl_version_info_data *info)
{
    (void)info;
    return true;
}

static bool has_ws(const curl_version_info_data *info) { return cw__libcurl_speaks(info, "ws"); }
static bool has_wss(const curl_version_info_data *info) { return cw__libcurl_speaks(info, "wss"); }
static bool has_ipv6(const curl_version_info_data *info) { return info->features & CURL_VERSION_IPV6; }
static bool has_https_proxy(const curl_version_info_data *info)
{
    return info->features & CURL_VERSION_HTTPS_PROXY;
}

static bool receives_natively(const curl_version_info_data *info)
{
    (void)info;
    return cw__codec_native_receives();
}

static bool shares_trust(const curl_version_info_data *info)
{
    (void)info;
    return cw__libcurl_shares_trust();
}

/* Only the libcurl inside can do this: scripts/build_libcurl.sh changes some lines of it. */
static bool keeps_body(const curl_version_info_data *info)
{
    (void)info;
    return cw__refusal_can_keep();
}

/* Compression needs frames that we receive ourselves. */
static const struct {
    const char *name;
    bool (*has)(const curl_version_info_data *info);
} features[] = {
    {"ws", has_ws},
    {"wss", has_wss},
    {"native-framing", receives_natively},
    {"compression", receives_natively},
    {"https-proxy", has_https_proxy},
    {"international-names", always},
    {"ipv6", has_ipv6},
    {"shared-authorities", shares_trust},
    {"refusal-body", keeps_body},
};

const char *cw_build_feature(size_t number)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (features[i].has(info) && number-- == 0)
            return features[i].name;
    return NULL;
}

/* ---- Texts ---- */

static void copy(const char *text, char *buffer, size_t size_bytes, size_t *len_bytes)
{
    int len = snprintf(buffer, size_bytes, "%s", text ? text : "");

    *len_bytes = (size_t)len;
}

/* NOLINTNEXTLINE(concurrency-mt-unsafe): in the caller's thread, as any program reads its environment */
static const char *variable(const char *name) { return getenv(name); }

static cw_status copy_authorities(char *buffer, size_t size_bytes, size_t *len_bytes)
{
    cw__authorities found = {0};
    cw_status status = cw__authorities_find("", "", variable, &found);

    if (status == CW_OK)
        *len_bytes = cw__authorities_show(&found, buffer, size_bytes);
    cw__authorities_destroy(&found);
    return status;
}

static void copy_features(char *buffer, size_t size_bytes, size_t *len_bytes)
{
    const char *name;

    for (size_t i = 0; (name = cw_build_feature(i)); i++) {
        size_t at = *len_bytes < size_bytes ? *len_bytes : size_bytes;
        *len_bytes += (size_t)snprintf(at < size_bytes ? buffer + at : NULL, size_bytes - at, "%s%s",
                                       i ? ", " : "", name);
    }
}

cw_status cw_build_get(cw_build item, char *buffer, size_t size_bytes, size_t *len_bytes)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    size_t len = 0;
    cw_status status = CW_OK;

    if (size_bytes > 0)
        *buffer = '\0';
    switch (item) {
    case CW_BUILD_CURLWIRE:
        copy(CW_VERSION, buffer, size_bytes, &len);
        break;
    case CW_BUILD_LIBCURL:
        copy(info->version, buffer, size_bytes, &len);
        break;
    case CW_BUILD_LIBCURL_BUILT:
        copy(LIBCURL_VERSION, buffer, size_bytes, &len);
        break;
    case CW_BUILD_LIBCURL_LINKED:
        copy(linked, buffer, size_bytes, &len);
        break;
    case CW_BUILD_TLS:
        copy(info->ssl_version, buffer, size_bytes, &len);
        break;
    case CW_BUILD_ZLIB:
        copy(cw__zlib_version(), buffer, size_bytes, &len);
        break;
    case CW_BUILD_AUTHORITIES:
        status = copy_authorities(buffer, size_bytes, &len);
        break;
    case CW_BUILD_FEATURES:
        copy_features(buffer, size_bytes, &len);
        break;
    default:
        status = cw__fail(CW_INVALID_ARGUMENT, "there is no build item of the number %d: use the number of one",
                          (int)item);
    }
    if (len_bytes)
        *len_bytes = len;
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Libcurl: checks whether curlwire accepts the loaded libcurl, and starts libcurl once. Each connect calls this file. */
#include <string.h>

#include "transport.h"

/* 8.14.0 is the first version with CURLWS_NOAUTOPONG. But after a control frame between two fragments, its decoder
 * takes the second fragment as more of the control frame. */
enum { FLOOR_VERSION = 0x080e01 };

const char *cw_version(void) { return CW_VERSION; }
const char *cw_libcurl_version(void) { return curl_version_info(CURLVERSION_NOW)->version; }

bool cw__libcurl_speaks(const curl_version_info_data *info, const char *scheme)
{
    for (const char *const *protocol = info->protocols; *protocol; protocol++)
        if (strcmp(*protocol, scheme) == 0)
            return true;
    return false;
}

cw_status cw_check_libcurl(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    const char *missing;

    if (info->version_num < FLOOR_VERSION)
        return cw__fail(CW_UNSUPPORTED,
                        "the loaded libcurl is %s, and curlwire needs 8.14.1 or later: build curlwire without "
                        "LIBCURL=system, or set LD_LIBRARY_PATH to the folder of a newer libcurl",
                        info->version);
    missing = cw__libcurl_speaks(info, "ws") ? (cw__libcurl_speaks(info, "wss") ? NULL : "wss") : "ws and wss";
    if (missing)
        return cw__fail(CW_UNSUPPORTED,
                        "the loaded libcurl %s was built without %s: install a libcurl that has them "
                        "(configure --enable-websockets, with TLS)",
                        info->version, missing);
    return CW_OK;
}

static CURLcode init_result;

static void init_once(void) { init_result = curl_global_init(CURL_GLOBAL_DEFAULT); }

cw_status cw__libcurl_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    cw_status status = cw_check_libcurl();

    if (status != CW_OK)
        return status;
    (void)pthread_once(&once, init_once);
    if (init_result != CURLE_OK)
        return cw__fail(CW_UNSUPPORTED,
                        "libcurl cannot start: %s (%d); check the configuration of its TLS library",
                        cw__curl_name((int)init_result), (int)init_result);
    return CW_OK;
}

/* A libcurl that was built with a folder of authorities in addition to a bundle does not share them (8.22:
 * lib/vtls/openssl.c, lib/vtls/gtls.c). */
bool cw__libcurl_shares_trust(void) { return !curl_version_info(CURLVERSION_NOW)->capath; }

bool cw__libcurl_races(void)
{
    enum { RACES = 0x081400 }; /* lib/cf-ip-happy.c: side by side since 8.16.0, at most six since 8.20.0 */

    return curl_version_info(CURLVERSION_NOW)->version_num >= RACES;
}

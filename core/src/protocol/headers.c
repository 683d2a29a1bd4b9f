/* SPDX-License-Identifier: MIT */
/* Checks the request headers and the subprotocols that a caller sets. settings.c calls it. Pure, except that it sets
 * the calling thread's error.
 *
 * Reasons: CW_INVALID_ARGUMENT. */
#include <string.h>
#include <strings.h>

#include "protocol.h"

bool cw__header_check_protocols(const char *list)
{
    const char *end = list + strlen(list);
    const char *item;
    size_t len;

    while ((item = cw__list_next(&list, end, &len)))
        if (!cw__is_token(item, len) || cw__list_has(list, end, item, len, false))
            return false;
    return true;
}

static bool is_name(const char *name, size_t name_bytes, const char *wanted)
{
    return name_bytes == strlen(wanted) && strncasecmp(name, wanted, name_bytes) == 0;
}

static cw_status check_name(const char *name, size_t name_bytes)
{
    /* A caller may not set these headers. The handshake writes some of them. The others would change what the request
     * is. */
    static const char *const ours[] = {"Upgrade", "Connection", "Content-Length", "Transfer-Encoding",
                                       "Expect",  "TE",         "Trailer"};

    if (!cw__is_token(name, name_bytes))
        return cw__fail(CW_INVALID_ARGUMENT,
                        "a header's name is not a token: use letters, digits and !#$%%&'*+-.^_`|~ only");
    if (name_bytes > CW__HEADER_NAME_AT_MOST)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "a header's name has %zu characters: at most %d can be sent, so shorten the name",
                        name_bytes, CW__HEADER_NAME_AT_MOST);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (is_name(name, name_bytes, ours[i]))
            return cw__fail(CW_INVALID_ARGUMENT,
                            "the header %s is made by curlwire and cannot be set: leave it out", ours[i]);
    if (is_name(name, name_bytes, "Sec-WebSocket-Protocol"))
        return cw__fail(CW_INVALID_ARGUMENT, "the header Sec-WebSocket-Protocol cannot be set: offer "
                                             "subprotocols by the control supported_protocols");
    if (name_bytes >= 14 && strncasecmp(name, "Sec-WebSocket-", 14) == 0)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "Sec-WebSocket-* headers are made by curlwire and cannot be set: leave them out");
    if (is_name(name, name_bytes, "Proxy-Authorization"))
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the header Proxy-Authorization would go to the server: set proxy_credential, or "
                        "put the user name and password into the proxy's URI (the control proxy, or http_proxy "
                        "and https_proxy)");
    return CW_OK;
}

cw_status cw__header_check_control(const char *key, const char *value, size_t value_bytes)
{
    if (value_bytes > CW__HEADER_CONTROL_AT_MOST)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the control %s has %zu bytes: at most %d KiB are sent, so shorten it", key,
                        value_bytes, CW__HEADER_CONTROL_AT_MOST / 1024);
    for (size_t i = 0; i < value_bytes; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
            return cw__fail(CW_INVALID_ARGUMENT,
                            "the control %s contains the control character 0x%02X, which no header may have: "
                            "remove the character",
                            key, (unsigned)value[i]);
    if (cw__is_blank(value[0]) || cw__is_blank(value[value_bytes - 1]))
        return cw__fail(
            CW_INVALID_ARGUMENT,
            "the control %s begins or ends with a blank, which no header may have: remove the blank", key);
    return CW_OK;
}

cw_status cw__header_check(const char *name, size_t name_bytes, const char *value, size_t value_bytes)
{
    cw_status status = check_name(name, name_bytes);

    if (status != CW_OK)
        return status;
    if (value_bytes > CW__HEADER_AT_MOST)
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the header %.*s has a value of %zu bytes: at most %d KiB can be sent, so shorten it",
                        (int)name_bytes, name, value_bytes, CW__HEADER_AT_MOST / 1024);
    for (size_t i = 0; i < value_bytes; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
            return cw__fail(
                CW_INVALID_ARGUMENT,
                "the value of the header %.*s contains the control character 0x%02X, and no control "
                "character except a tab is allowed: remove it",
                (int)name_bytes, name, (unsigned)value[i]);
    if (value_bytes == 0 && is_name(name, name_bytes, "Host"))
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the header Host must not be empty, because every request needs it: give it a value");
    return CW_OK;
}

cw_status cw__header_check_for_proxy(const cw_header *header)
{
    static const char *const ours[] = {"Host", "Proxy-Connection"};

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (is_name(header->name, header->name_len_bytes, ours[i]))
            return cw__fail(CW_INVALID_ARGUMENT,
                            "the header %s for a proxy is made by curlwire and cannot be set: leave it out",
                            ours[i]);
    if (is_name(header->name, header->name_len_bytes, "Proxy-Authorization"))
        return cw__fail(CW_INVALID_ARGUMENT, "the header Proxy-Authorization is made by curlwire and cannot be "
                                             "set: set proxy_credential");
    return cw__header_check(header->name, header->name_len_bytes, header->value, header->value_len_bytes);
}

const char *cw__header_repeat_fault(const char *name, size_t name_bytes)
{
    /* RFC 9110 section 5.3: a header whose value is not a list may be sent only once. */
    static const char *const single[] = {"Host",    "Authorization", "Origin", "User-Agent",
                                         "Referer", "Content-Type",  "From",   "Max-Forwards",
                                         "Range",   "If-Range"};

    if (is_name(name, name_bytes, "Cookie")) /* RFC 6265 section 5.4 */
        return "join the values by \"; \"";
    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        if (is_name(name, name_bytes, single[i]))
            return "give the header once";
    return NULL;
}

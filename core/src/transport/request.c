/* SPDX-License-Identifier: MIT */
/* Request: the headers of the opening handshake (RFC 6455 section 4.1). libcurl writes the request line, Host, Upgrade,
 * Connection and Sec-WebSocket-Version. curlwire's headers follow, and then the program's, in its order. handshake.c
 * calls this file. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "transport.h"

static bool add_line(cw__handshake *h, const char *line)
{
    struct curl_slist *longer = curl_slist_append(h->headers, line);

    if (longer)
        h->headers = longer;
    return longer != NULL;
}

static bool add_header(cw__handshake *h, const char *name, const char *value)
{
    size_t bytes = strlen(name) + strlen(value) + 3;
    char *line = cw__malloc(bytes);
    bool is_added;

    if (!line)
        return false;
    (void)snprintf(line, bytes, "%s: %s", name, value);
    is_added = add_line(h, line);
    cw__free(line);
    return is_added;
}

static bool add_token(cw__handshake *h, const char *token)
{
    static const char scheme[] = "Bearer ";
    size_t size_bytes = sizeof scheme + strlen(token);
    char *value = cw__malloc(size_bytes);
    bool is_added;

    if (!value)
        return false;
    (void)snprintf(value, size_bytes, "%s%s", scheme, token);
    is_added = add_header(h, "Authorization", value);
    cw__free(value);
    return is_added;
}

/* Adds the caller's headers. A line that is only a name and a colon removes libcurl's own header of that name. */
static bool add_callers(cw__handshake *h, const cw__request_settings *settings)
{
    const char *lines = settings->headers;

    while (*lines) {
        size_t len = strcspn(lines, "\n");
        char *line = cw__strndup(lines, len);
        bool is_added = line && (cw__cookies_take(settings->has_jar, line) || add_line(h, line));
        cw__free(line);
        if (!is_added)
            return false;
        lines += len + (lines[len] == '\n');
    }
    return true;
}

/* Returns whether the program has a header of that name, or has removed libcurl's own. */
static bool has_callers(const char *lines, const char *name)
{
    size_t name_bytes = strlen(name);

    for (; *lines; lines += strcspn(lines, "\n") + 1)
        if (strncasecmp(lines, name, name_bytes) == 0 && (lines[name_bytes] == ':' || lines[name_bytes] == ';'))
            return true;
    return false;
}

static bool add_headers(cw__handshake *h, const cw__request_settings *settings, const char *token)
{
    uint8_t nonce[16];

    h->has_no_random = !cw__random(nonce, sizeof nonce);
    if (h->has_no_random)
        return false;
    cw__base64(nonce, sizeof nonce, h->key);
    if (!add_header(h, "Sec-WebSocket-Key", h->key))
        return false;
    if (*h->protocols && !add_header(h, "Sec-WebSocket-Protocol", h->protocols))
        return false;
    if (h->offer.is_on) {
        char offer[CW__OFFER_BYTES];
        cw__compression_offer(&h->offer, offer);
        if (!add_header(h, "Sec-WebSocket-Extensions", offer))
            return false;
    }
    if (*settings->origin && !has_callers(settings->headers, "Origin") &&
        !add_header(h, "Origin", settings->origin))
        return false;
    if (*token && !add_token(h, token))
        return false;
    return add_callers(h, settings);
}

CURLcode cw__request_set(cw__handshake *h, const cw__request_settings *settings, const char *token)
{
    char agent[80];
    CURLcode code;

    if (!add_headers(h, settings, token))
        return CURLE_OUT_OF_MEMORY;
    (void)snprintf(agent, sizeof agent, "curlwire/" CW_VERSION " libcurl/%s",
                   curl_version_info(CURLVERSION_NOW)->version);
    code = curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, h->headers);
    /* A header User-Agent of the program replaces it. */
    return code == CURLE_OK ? curl_easy_setopt(h->easy, CURLOPT_USERAGENT,
                                               *settings->user_agent ? settings->user_agent : agent)
                            : code;
}

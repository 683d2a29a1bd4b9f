/* SPDX-License-Identifier: MIT */
/* Cookies: the public calls for cookie jars, and the cookies of a handshake. cookie_jar.c keeps the cookies, by libcurl.
 * handshake.c and verdict.c call this file, and so do bindings. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "transport.h"

/* ---- The public calls ---- */

/* Copies the path of a call. */
static cw_status copy_path(const char *path, size_t len_bytes, char **out)
{
    *out = NULL;
    if (len_bytes == 0)
        return CW_OK;
    if (memchr(path, '\0', len_bytes))
        return cw__fail(CW_INVALID_ARGUMENT, "the path of a cookie file contains NUL: remove it");
    *out = cw__strndup(path, len_bytes);
    return *out ? CW_OK : cw__cookies_fail_memory();
}

cw_status cw_cookie_jar_create(const char *path, size_t path_len_bytes, cw_cookie_jar **out)
{
    char *copy;
    cw_status status = copy_path(path, path_len_bytes, &copy);

    *out = NULL;
    if (status == CW_OK)
        status = cw__cookie_jar_make(copy, NULL, false, out);
    cw__free(copy);
    return status;
}

cw_status cw_cookie_jar_get_lines(cw_cookie_jar *j, char *buffer, size_t size_bytes, size_t *len_bytes)
{
    cw__cookie_text text = {.lines = NULL};
    cw_status status = cw__cookie_jar_check(j);
    size_t len;

    if (status == CW_OK) {
        cw__cookie_jar_enter(j);
        status = cw__cookie_jar_read(j, &text) ? CW_OK : cw__cookies_fail_memory();
        cw__cookie_jar_exit(j);
    }
    len = status == CW_OK ? text.len_bytes : 0;
    if (len_bytes)
        *len_bytes = len;
    if (size_bytes > 0) {
        size_t fits = len < size_bytes ? len : size_bytes - 1;
        if (fits > 0)
            memcpy(buffer, text.lines, fits);
        buffer[fits] = '\0';
    }
    cw__free(text.lines);
    return status;
}

static cw_status set_locked(cw_cookie_jar *j, const cw_cookie *cookie)
{
    cw__cookie_text have;
    bool is_removal = cookie->expires > 0 && cookie->expires < (int64_t)time(NULL);
    size_t count;

    if (!cw__cookie_jar_read(j, &have))
        return cw__cookies_fail_memory();
    count = cw__cookies_count(&have);
    cw__free(have.lines);
    if (count >= CW__COOKIES_AT_MOST && !is_removal)
        return cw__fail(CW_INVALID_STATE,
                        "the cookie jar is full: it holds 3,000 cookies; clear it, or use another jar");
    return cw__cookie_jar_add(j, cookie) ? CW_OK : cw__cookies_fail_memory();
}

cw_status cw_cookie_jar_set(cw_cookie_jar *j, const cw_cookie *cookie)
{
    cw_status status = cw__cookie_jar_check(j);
    const char *fault = cw__cookie_fault(cookie);

    if (status != CW_OK)
        return status;
    if (fault)
        return cw__fail(CW_INVALID_ARGUMENT, "%s", fault);
    cw__cookie_jar_enter(j);
    status = set_locked(j, cookie);
    cw__cookie_jar_exit(j);
    return status;
}

cw_status cw_cookie_jar_clear(cw_cookie_jar *j, bool only_session_cookies)
{
    cw_status status = cw__cookie_jar_check(j);

    if (status != CW_OK)
        return status;
    cw__cookie_jar_enter(j);
    (void)cw__cookie_jar_say(j, only_session_cookies ? "SESS" : "ALL");
    cw__cookie_jar_exit(j);
    return CW_OK;
}

cw_status cw_cookie_jar_load(cw_cookie_jar *j, const char *path, size_t path_len_bytes)
{
    cw__cookie_place place = {.name = "the file"};
    char *copy;
    cw_status status = copy_path(path, path_len_bytes, &copy);

    if (status == CW_OK && !copy)
        status = cw__fail(CW_INVALID_ARGUMENT, "the path of a cookie file is empty: name a file");
    place.path = copy;
    if (status == CW_OK)
        status = cw__cookie_jar_add_file(j, &place);
    cw__free(copy);
    return status;
}

/* A disk may be slow, so the turn is not held while the file is written. */
static cw_status save(cw_cookie_jar *j, const char *path)
{
    cw__cookie_place place = {.name = "the file", .path = path ? path : j->path};
    cw__cookie_text text;
    cw__error error;
    cw_status status;
    bool has_memory;

    if (!place.path)
        return cw__fail(CW_INVALID_ARGUMENT, "the cookie jar has no file of its own: name the file to write");
    cw__cookie_jar_enter(j);
    has_memory = cw__cookie_jar_read(j, &text);
    cw__cookie_jar_exit(j);
    if (!has_memory)
        return cw__cookies_fail_memory();
    status = cw__cookie_file_write(&place, &text, &error);
    if (status == CW_OK && !path)
        cw__cookie_jar_note(j, &text);
    cw__free(text.lines);
    return status == CW_OK ? CW_OK : cw__fail_with(&error);
}

cw_status cw_cookie_jar_save(cw_cookie_jar *j, const char *path, size_t path_len_bytes)
{
    char *copy;
    cw_status status = cw__cookie_jar_check(j);

    if (status == CW_OK)
        status = copy_path(path, path_len_bytes, &copy);
    if (status != CW_OK)
        return status;
    if (!copy) /* another file may be written beside a handshake */
        cw__mutex_lock(&j->saving);
    status = save(j, copy);
    if (!copy)
        cw__mutex_unlock(&j->saving);
    cw__free(copy);
    return status;
}

/* ---- The cookies of a handshake ---- */

#define COOKIE "Cookie:"

bool cw__cookies_take(bool has_jar, const char *line)
{
    return has_jar && strncasecmp(line, COOKIE, strlen(COOKIE)) == 0;
}

/* Returns the value of the caller's own Cookie header; NULL = there is none. */
static const char *own_cookies(const cw__handshake_settings *settings, size_t *len_bytes)
{
    for (const char *line = settings->request.headers; *line; line += strcspn(line, "\n") + 1)
        if (cw__cookies_take(settings->cookies != NULL, line)) {
            const char *value = line + strlen(COOKIE);
            value += strspn(value, " ");
            *len_bytes = strcspn(value, "\n");
            return value;
        }
    return NULL;
}

/* Returns the URI with its path, by which libcurl chooses the cookies. */
static char *url_of(const cw__handshake *h, const char *target)
{
    const char *base = h->url ? h->url : h->base; /* ends with the / with which the target begins */
    size_t size_bytes = strlen(base) + strlen(target) + 1;
    char *url = cw__malloc(size_bytes);

    if (url)
        (void)snprintf(url, size_bytes, "%s%s", base, target + 1);
    return url;
}

CURLcode cw__cookies_set(cw__handshake *h, const cw__handshake_settings *settings)
{
    size_t own_bytes = 0;
    const char *own;
    char *copy, *url;
    CURLcode code;

    if (!settings->cookies)
        return CURLE_OK;
    cw_cookie_jar_retain(settings->cookies);
    h->cookies = settings->cookies;
    own = own_cookies(settings, &own_bytes);
    copy = own_bytes > 0 ? cw__strndup(own, own_bytes) : NULL;
    url = url_of(h, settings->uri->target);
    code = url && (copy || own_bytes == 0) ? CURLE_OK : CURLE_OUT_OF_MEMORY;
#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(h->easy, option, value)
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PATH_AS_IS, 1L); /* the server gets /../ as it is, so cookies are chosen by it as it is */
    SET(CURLOPT_SHARE, h->cookies->share);
    SET(CURLOPT_COOKIEFILE, ""); /* makes libcurl use the cookies of the share */
    if (copy)
        SET(CURLOPT_COOKIE, copy);
#undef SET
    cw__free(copy);
    cw__free(url);
    return code;
}

/* Writes the file in the thread of the caller, which is the service thread: docs/cookies.md says why. */
static bool end_saving(cw_cookie_jar *j, const char *host, cw__error *error)
{
    cw__cookie_text text;
    bool has_memory, is_good;

    cw__cookie_jar_enter(j);
    has_memory = cw__cookie_jar_read(j, &text);
    if (has_memory && cw__cookie_jar_prune(j, &text, host)) {
        cw__free(text.lines);
        has_memory = cw__cookie_jar_read(j, &text);
    }
    cw__cookie_jar_exit(j);
    if (!has_memory) {
        cw__error_set(error, CW_NO_MEMORY, CW_WEB_Unknown, "no memory for cookies: free memory and call again");
        return false;
    }
    is_good = !j->path || cw__cookie_jar_save(j, &text, error) == CW_OK;
    cw__free(text.lines);
    return is_good;
}

bool cw__cookies_end(cw__handshake *h, cw__error *error)
{
    cw_cookie_jar *j = h->cookies;
    bool is_good;
    char host[256]; /* without the brackets of an IPv6 address */

    if (!j)
        return true;
    (void)snprintf(host, sizeof host, "%s", h->host + (*h->host == '['));
    host[strcspn(host, "]")] = '\0';
    if (j->path)
        cw__mutex_lock(&j->saving);
    is_good = end_saving(j, host, error);
    if (j->path)
        cw__mutex_unlock(&j->saving);
    return is_good;
}

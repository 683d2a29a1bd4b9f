/* SPDX-License-Identifier: MIT */
/* Cookie jar: a jar is a share of libcurl (CURLSH), which keeps the cookies, decides which requests get them, and refuses
 * those that a server may not set. libcurl has no limit for their number, so there is one here. cookie_file.c reads and writes
 * the files. cookies.c and connects call this file.
 *
 * Safety: any thread. The locks of a jar are the last in the order of locks. libcurl calls lock and unlock. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "transport.h"

enum { OF_HOST_AT_MOST = 180 }; /* cookies that one host can get; a browser keeps as many for a site */

cw_status cw__cookies_fail_memory(void)
{
    return cw__fail(CW_NO_MEMORY, "no memory for cookies: free memory and call again");
}

/* ---- The jar as libcurl sees it ---- */

static cw__mutex *lock_of(cw_cookie_jar *j, curl_lock_data data)
{
    return &j->locks[data == CURL_LOCK_DATA_COOKIE];
}

static void lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *user)
{
    (void)easy, (void)access;
    cw__mutex_lock(lock_of(user, data));
}

static void unlock(CURL *easy, curl_lock_data data, void *user)
{
    (void)easy;
    cw__mutex_unlock(lock_of(user, data));
}

/* libcurl before 8.18.0 chooses the cookies of a request under the lock of the share, but writes the request from them
 * after it has released the lock (lib/http.c, http_cookies; 8.14.1). Another thread that changes the jar would free what is
 * written. So with such a libcurl, one thread at a time uses cookies. */
static cw__mutex use = PTHREAD_MUTEX_INITIALIZER;

/* Another thread of the parent may have been in the middle. The child refuses the parent's jars. */
static void after_fork_in_child(void) { cw__mutex_init(&use); }

static bool writes_unlocked; /* whether the loaded libcurl is such a one */

static void find_out(void)
{
    enum { WRITES_LOCKED = 0x081200 };

    writes_unlocked = curl_version_info(CURLVERSION_NOW)->version_num < WRITES_LOCKED;
    if (writes_unlocked)
        (void)pthread_atfork(NULL, NULL, after_fork_in_child);
}

void cw__cookies_enter(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, find_out);
    if (writes_unlocked)
        cw__mutex_lock(&use);
}

void cw__cookies_exit(void)
{
    if (writes_unlocked)
        cw__mutex_unlock(&use);
}

void cw__cookie_jar_enter(cw_cookie_jar *j)
{
    cw__cookies_enter();
    cw__mutex_lock(&j->turn);
}

void cw__cookie_jar_exit(cw_cookie_jar *j)
{
    cw__mutex_unlock(&j->turn);
    cw__cookies_exit();
}

/* Without the list of public suffixes, a server of one site could set cookies for all sites of "co.uk". */
cw_status cw__cookies_check_libcurl(const curl_version_info_data *info)
{
    if (info->features & CURL_VERSION_PSL)
        return CW_OK;
    return cw__fail(
        CW_UNSUPPORTED,
        "the loaded libcurl %s has no list of public suffixes (libpsl), which keeps a server from setting "
        "cookies for other sites: load another build of libcurl, or use no cookies",
        info->version);
}

static bool make_share(cw_cookie_jar *j, CURLSHcode *code)
{
    j->share = curl_share_init();
    j->easy = curl_easy_init();
    *code = j->share && j->easy ? CURLSHE_OK : CURLSHE_NOMEM;
#define SET(option, value)   \
    if (*code == CURLSHE_OK) \
    *code = curl_share_setopt(j->share, option, value)
    SET(CURLSHOPT_LOCKFUNC, lock);
    SET(CURLSHOPT_UNLOCKFUNC, unlock);
    SET(CURLSHOPT_USERDATA, (void *)j);
    SET(CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
#undef SET
    return *code == CURLSHE_OK && curl_easy_setopt(j->easy, CURLOPT_SHARE, j->share) == CURLE_OK;
}

/* ---- The cookies as lines ---- */

/* libcurl 8.14.1 lists such a cookie until it adds another one. */
static bool has_expired(const cw_cookie *c) { return c->expires > 0 && c->expires < (int64_t)time(NULL); }

bool cw__cookie_jar_read(cw_cookie_jar *j, cw__cookie_text *out)
{
    struct curl_slist *list = NULL;
    size_t size_bytes = 1;
    cw_cookie cookie;

    (void)curl_easy_getinfo(j->easy, CURLINFO_COOKIELIST, &list);
    for (const struct curl_slist *line = list; line; line = line->next)
        size_bytes += strlen(line->data) + 1;
    *out = (cw__cookie_text){.lines = cw__malloc(size_bytes)};
    for (const struct curl_slist *line = list; line && out->lines; line = line->next) {
        size_t len = strlen(line->data), at_bytes = 0;
        if (!cw_cookie_next(line->data, len, &at_bytes, &cookie) || has_expired(&cookie))
            continue;
        memcpy(out->lines + out->len_bytes, line->data, len);
        out->lines[out->len_bytes + len] = '\n';
        out->len_bytes += len + 1;
    }
    if (out->lines)
        out->lines[out->len_bytes] = '\0';
    curl_slist_free_all(list);
    return out->lines != NULL;
}

size_t cw__cookies_count(const cw__cookie_text *text)
{
    cw_cookie cookie;
    size_t at_bytes = 0, count = 0;

    while (cw_cookie_next(text->lines, text->len_bytes, &at_bytes, &cookie))
        count++;
    return count;
}

bool cw__cookie_jar_say(cw_cookie_jar *j, const char *line)
{
    return curl_easy_setopt(j->easy, CURLOPT_COOKIELIST, line) == CURLE_OK;
}

bool cw__cookie_jar_add(cw_cookie_jar *j, const cw_cookie *cookie)
{
    char none[1];
    size_t size_bytes = cw__cookie_write(cookie, none, sizeof none) + 1;
    char *line = cw__malloc(size_bytes);
    bool is_added;

    if (!line)
        return false;
    (void)cw__cookie_write(cookie, line, size_bytes);
    is_added = cw__cookie_jar_say(j, line);
    cw__free(line);
    return is_added;
}

/* ---- The limits ---- */

/* Removes a cookie of the lines that libcurl has written. The same line replaces it, in which the life has ended. */
static void drop(cw_cookie_jar *j, const char *lines, const cw_cookie *cookie)
{
    const char *line = cookie->name;
    char *copy, *time;

    while (line > lines && line[-1] != '\n')
        line--;
    copy = time = cw__strndup(line, (size_t)(cookie->value + cookie->value_len_bytes - line));
    for (int tabs = 0; time && tabs < 4; tabs++)
        time = strchr(time, '\t') + 1;
    if (time) {
        size_t digits = strspn(time, "0123456789"); /* one at least */
        memset(time, '0', digits);
        time[digits - 1] = '1'; /* a second after the start of 1970 */
        (void)cw__cookie_jar_say(j, copy);
    }
    cw__free(copy);
}

/* Drops up to `excess` cookies that a host can get; NULL = any. The oldest come first. Returns how many more there are. */
static size_t drop_some(cw_cookie_jar *j, const cw__cookie_text *text, const char *host, size_t excess)
{
    cw_cookie cookie;
    size_t at_bytes = 0;

    while (excess > 0 && cw_cookie_next(text->lines, text->len_bytes, &at_bytes, &cookie))
        if (!host || cw__cookie_is_for(&cookie, host)) {
            drop(j, text->lines, &cookie);
            excess--;
        }
    return excess;
}

bool cw__cookie_jar_prune(cw_cookie_jar *j, const cw__cookie_text *text, const char *host)
{
    cw_cookie cookie;
    size_t at_bytes = 0, total = 0, of_host = 0, excess;

    while (cw_cookie_next(text->lines, text->len_bytes, &at_bytes, &cookie)) {
        total++;
        of_host += cw__cookie_is_for(&cookie, host);
    }
    excess = total > CW__COOKIES_AT_MOST ? total - CW__COOKIES_AT_MOST : 0;
    if (of_host > OF_HOST_AT_MOST && of_host - OF_HOST_AT_MOST > excess)
        excess = of_host - OF_HOST_AT_MOST;
    if (excess > 0)
        (void)drop_some(j, text, NULL, drop_some(j, text, host, excess));
    return excess > 0;
}

/* ---- The file ---- */

/* Returns the file of the jar. is_control: an error is about a connect, whose control the jar is. */
static cw__cookie_place place_of(const cw_cookie_jar *j, bool is_control)
{
    return (cw__cookie_place){.name = is_control ? "cookie_jar" : "the file",
                              .path = j->path,
                              .option = CW_OPT_COOKIE_JAR,
                              .is_control = is_control};
}

void cw__cookie_jar_note(cw_cookie_jar *j, const cw__cookie_text *text)
{
    cw__sha256(text->lines, text->len_bytes, j->saved);
}

cw_status cw__cookie_jar_save(cw_cookie_jar *j, const cw__cookie_text *text, cw__error *error)
{
    cw__cookie_place place = place_of(j, true);
    uint8_t digest[sizeof j->saved];
    cw_status status;

    cw__sha256(text->lines, text->len_bytes, digest);
    if (memcmp(digest, j->saved, sizeof digest) == 0)
        return CW_OK;
    status = cw__cookie_file_write(&place, text, error);
    if (status == CW_OK)
        memcpy(j->saved, digest, sizeof digest);
    return status;
}

/* Adds the lines of a file, which have been checked. */
static cw_status add_lines(cw_cookie_jar *j, const cw__cookie_text *from)
{
    cw__cookie_text have;
    cw_cookie cookie;
    size_t at_bytes = 0, count;

    if (!cw__cookie_jar_read(j, &have))
        return cw__cookies_fail_memory();
    count = cw__cookies_count(&have);
    cw__free(have.lines);
    if (count + cw__cookies_count(from) > CW__COOKIES_AT_MOST)
        return cw__fail(CW_INVALID_STATE,
                        "the cookie jar is full: it holds 3,000 cookies; clear it, or use another jar");
    while (cw_cookie_next(from->lines, from->len_bytes, &at_bytes, &cookie))
        if (!cw__cookie_jar_add(j, &cookie))
            return cw__cookies_fail_memory();
    return CW_OK;
}

cw_status cw__cookie_jar_add_file(cw_cookie_jar *j, const cw__cookie_place *place)
{
    cw__cookie_text text;
    cw__error error;
    cw_status status = cw__cookie_jar_check(j);

    if (status != CW_OK)
        return status;
    if (cw__cookie_file_read(place, false, &text, &error) != CW_OK)
        return cw__fail_with(&error);
    cw__cookie_jar_enter(j);
    status = add_lines(j, &text);
    cw__cookie_jar_exit(j);
    cw__free(text.lines);
    return status;
}

/* Reads the file of a new jar, which need not exist yet, and notes what it has. */
static cw_status begin_file(cw_cookie_jar *j, bool is_control)
{
    cw__cookie_place place = place_of(j, is_control);
    cw__cookie_text text, now;
    cw__error error;
    cw_status status = cw__cookie_file_check(&place, &error);

    if (status == CW_OK)
        status = cw__cookie_file_read(&place, true, &text, &error);
    if (status != CW_OK)
        return cw__fail_with(&error);
    status = text.lines ? add_lines(j, &text) : CW_OK;
    cw__free(text.lines);
    if (status != CW_OK)
        return status;
    if (!cw__cookie_jar_read(j, &now))
        return cw__cookies_fail_memory();
    cw__cookie_jar_note(j, &now);
    cw__free(now.lines);
    return CW_OK;
}

/* ---- Life of a jar ---- */

static void destroy(cw_cookie_jar *j)
{
    curl_easy_cleanup(j->easy);
    if (j->share)
        (void)curl_share_cleanup(j->share);
    cw__mutex_destroy(&j->saving);
    cw__mutex_destroy(&j->turn);
    cw__mutex_destroy(&j->locks[0]);
    cw__mutex_destroy(&j->locks[1]);
    cw__free(j->path);
    cw__free(j);
}

static cw_status fill(cw_cookie_jar *j, const char *path, const char *only_read, bool is_control)
{
    cw__cookie_place first = {
        .name = "cookie_file", .path = only_read, .option = CW_OPT_COOKIE_FILE, .is_control = is_control};
    cw_status status;
    CURLSHcode code;

    if (path && !(j->path = cw__strndup(path, strlen(path))))
        return cw__cookies_fail_memory();
    if (!make_share(j, &code)) {
        if (code == CURLSHE_OK || code == CURLSHE_NOMEM)
            return cw__cookies_fail_memory();
        return cw__fail(CW_UNSUPPORTED,
                        "the loaded libcurl %s was built without cookies: load another build of libcurl",
                        cw_libcurl_version());
    }
    status = only_read ? cw__cookie_jar_add_file(j, &first) : CW_OK;
    status = status == CW_OK && path ? begin_file(j, is_control) : status;
    if (only_read) /* the file of the jar lacks these cookies */
        memset(j->saved, 0, sizeof j->saved);
    return status;
}

cw_status cw__cookie_jar_make(const char *path, const char *only_read, bool is_control, cw_cookie_jar **out)
{
    cw_status status = cw__libcurl_init();
    cw_cookie_jar *j;

    *out = NULL;
    if (status == CW_OK)
        status = cw__cookies_check_libcurl(curl_version_info(CURLVERSION_NOW));
    if (status != CW_OK)
        return status;
    j = cw__calloc(1, sizeof *j);
    if (!j)
        return cw__cookies_fail_memory();
    atomic_init(&j->references, 1);
    j->process = getpid();
    cw__mutex_init(&j->saving);
    cw__mutex_init(&j->turn);
    cw__mutex_init(&j->locks[0]);
    cw__mutex_init(&j->locks[1]);
    status = fill(j, path, only_read, is_control);
    if (status == CW_OK)
        *out = j;
    else
        destroy(j);
    return status;
}

cw_status cw__cookie_jar_check(const cw_cookie_jar *j)
{
    if (j->process == getpid())
        return CW_OK;
    return cw__fail(CW_AFTER_FORK,
                    "the cookie jar belongs to the parent process: make a new jar in this process");
}

void cw_cookie_jar_retain(cw_cookie_jar *j)
{
    if (j)
        (void)atomic_fetch_add(&j->references, 1);
}

/* In a child after fork, another thread of the parent may hold the locks of the jar, and the file is the parent's. So the jar
 * stays as it is. */
void cw_cookie_jar_release(cw_cookie_jar *j)
{
    cw__cookie_text text;
    cw__error error;

    if (!j || atomic_fetch_sub(&j->references, 1) != 1 || j->process != getpid())
        return;
    if (j->path && cw__cookie_jar_read(j, &text)) {
        (void)cw__cookie_jar_save(j, &text, &error);
        cw__free(text.lines);
    }
    destroy(j);
}

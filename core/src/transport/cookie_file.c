/* SPDX-License-Identifier: MIT */
/* Cookie file: reads a file of cookies and writes one. libcurl can do both, but reports no error, and writes a file that
 * others can read. cookie_jar.c and cookies.c call this file. protocol/cookie.c knows the lines. No text shows anything of a
 * cookie.
 *
 * Reasons: CW_CONNECT_FAILED, CW_INVALID_ARGUMENT, CW_SYSTEM_ERROR. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport.h"

enum { FILE_AT_MOST = 16 * 1024 * 1024, SUFFIX_BYTES = sizeof ".XXXXXX" };

/* ---- Errors ---- */

static cw_status fail(const cw__cookie_place *place, cw_status status, int os_errno, const char *fault,
                      cw__error *error)
{
    cw__error_set(error, place->is_control ? CW_CONNECT_FAILED : status, CW_WEB_UnexpectedClientError,
                  "%s '%.150s' %s", place->name, place->path, fault);
    error->os_errno = os_errno;
    error->limit = place->is_control ? (int)place->option + 1 : 0;
    return error->status;
}

/* Fails because of errno. doing is "used" or "written". */
static cw_status fail_errno(const cw__cookie_place *place, const char *doing, const char *advice,
                            cw__error *error)
{
    int os_errno = errno;
    char fault[160];

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its text (glibc 2.32, musl, BSD) */
    (void)snprintf(fault, sizeof fault, "cannot be %s: %.60s; %s", doing, strerror(os_errno), advice);
    return fail(place, CW_SYSTEM_ERROR, os_errno, fault, error);
}

#define CHECK_PATH   "check the path and its permissions"
#define CHECK_FOLDER "check that its folder exists and can be written"

static cw_status fail_memory(cw__error *error)
{
    cw__error_set(error, CW_NO_MEMORY, CW_WEB_Unknown, "no memory for cookies: free memory and call again");
    return error->status;
}

static cw_status fail_line(const cw__cookie_place *place, size_t number, const char *what, cw__error *error)
{
    char fault[160];

    (void)snprintf(fault, sizeof fault, "cannot be used: line %zu %s; name a cookie file in Netscape's form",
                   number, what);
    return fail(place, CW_INVALID_ARGUMENT, 0, fault, error);
}

static cw_status fail_kind(const cw__cookie_place *place, cw__error *error)
{
    return fail(place, CW_INVALID_ARGUMENT, 0, "cannot be used: it is not a regular file; name a file", error);
}

/* Returns whether a file is the null device, /dev/null: an empty jar, or one that is thrown away. */
static bool is_null(const struct stat *about)
{
    struct stat null;

    return S_ISCHR(about->st_mode) && stat("/dev/null", &null) == 0 && S_ISCHR(null.st_mode) &&
           about->st_rdev == null.st_rdev;
}

/* ---- Reading ---- */

static cw_status read_all(const cw__cookie_place *place, int fd, size_t size_bytes, cw__cookie_text *out,
                          cw__error *error)
{
    ssize_t got = 1;

    out->lines = cw__malloc(size_bytes + 1);
    if (!out->lines)
        return fail_memory(error);
    while (got > 0 && out->len_bytes < size_bytes) {
        got = read(fd, out->lines + out->len_bytes, size_bytes - out->len_bytes);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            out->len_bytes += (size_t)got;
    }
    out->lines[out->len_bytes] = '\0';
    return got < 0 ? fail_errno(place, "used", CHECK_PATH, error) : CW_OK;
}

/* A pipe or another device would stop the caller, so it is not read. */
static cw_status read_open(const cw__cookie_place *place, int fd, cw__cookie_text *out, cw__error *error)
{
    struct stat about;

    if (fstat(fd, &about) != 0)
        return fail_errno(place, "used", CHECK_PATH, error);
    if (!S_ISREG(about.st_mode) && !is_null(&about))
        return fail_kind(place, error);
    if (about.st_size > FILE_AT_MOST)
        return fail(place, CW_INVALID_ARGUMENT, 0, "cannot be used: it has more than 16 MiB; name another file",
                    error);
    return read_all(place, fd, (size_t)about.st_size, out, error);
}

/* Checks each line of the file, so that nothing of a file that is no cookie file gets into a jar. */
static cw_status check(const cw__cookie_place *place, const cw__cookie_text *text, cw__error *error)
{
    const char *fault;
    cw_cookie cookie;
    size_t at_bytes = 0, count = 0;

    while (cw__cookie_read(text->lines, text->len_bytes, &at_bytes, &cookie, &fault)) {
        if (fault) {
            size_t number = 0;
            for (size_t i = 0; i < at_bytes; i++)
                number += text->lines[i] == '\n' || i + 1 == text->len_bytes;
            return fail_line(place, number, fault, error);
        }
        if (++count > CW__COOKIES_AT_MOST)
            return fail(place, CW_INVALID_ARGUMENT, 0,
                        "cannot be used: it has more than 3,000 cookies, which a jar cannot hold; remove some",
                        error);
    }
    return CW_OK;
}

cw_status cw__cookie_file_read(const cw__cookie_place *place, bool may_be_missing, cw__cookie_text *out,
                               cw__error *error)
{
    int fd = open(place->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    cw_status status;

    *out = (cw__cookie_text){.lines = NULL};
    if (fd < 0)
        return errno == ENOENT && may_be_missing ? CW_OK : fail_errno(place, "used", CHECK_PATH, error);
    status = read_open(place, fd, out, error);
    (void)close(fd);
    if (status == CW_OK)
        status = check(place, out, error);
    if (status != CW_OK) {
        cw__free(out->lines);
        *out = (cw__cookie_text){.lines = NULL};
    }
    return status;
}

/* ---- Writing ---- */

cw_status cw__cookie_file_check(const cw__cookie_place *place, cw__error *error)
{
    const char *slash = strrchr(place->path, '/');
    cw_status status = CW_OK;
    struct stat about;
    char *folder;

    if (stat(place->path, &about) == 0 && is_null(&about)) /* its folder cannot be written */
        return CW_OK;
    folder = slash ? cw__strndup(place->path, (size_t)(slash - place->path) + 1) : cw__strndup(".", 1);
    if (!folder)
        return fail_memory(error);
    if (access(folder, W_OK | X_OK) != 0)
        status = fail_errno(place, "written", CHECK_FOLDER, error);
    cw__free(folder);
    return status;
}

static bool write_all(int fd, const char *text, size_t len_bytes)
{
    while (len_bytes > 0) {
        ssize_t sent = write(fd, text, len_bytes);
        if (sent < 0 && errno != EINTR)
            return false;
        if (sent > 0) {
            text += sent;
            len_bytes -= (size_t)sent;
        }
    }
    return true;
}

/* mkstemp makes a file that only its owner can read. The rename replaces the old file as a whole, so that a reader and a
 * crash find the old or the new one. */
static bool replace(const char *path, char *temporary, const cw__cookie_text *text)
{
    static const char head[] = "# Netscape HTTP Cookie File\n# curlwire/" CW_VERSION "\n\n";
    int fd = mkstemp(temporary);
    bool is_done;
    int os_errno;

    if (fd < 0)
        return false;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    is_done = write_all(fd, head, sizeof head - 1) && write_all(fd, text->lines, text->len_bytes);
    os_errno = errno;
    if (close(fd) != 0 && is_done) {
        is_done = false;
        os_errno = errno;
    }
    if (is_done && rename(temporary, path) == 0)
        return true;
    os_errno = is_done ? errno : os_errno;
    (void)unlink(temporary);
    errno = os_errno;
    return false;
}

/* The rename would also replace a device or a pipe. */
cw_status cw__cookie_file_write(const cw__cookie_place *place, const cw__cookie_text *text, cw__error *error)
{
    struct stat about;
    size_t len = strlen(place->path);
    char *temporary;
    cw_status status = CW_OK;

    if (stat(place->path, &about) == 0 && !S_ISREG(about.st_mode))
        return is_null(&about) ? CW_OK : fail_kind(place, error);
    temporary = cw__malloc(len + SUFFIX_BYTES);
    if (!temporary)
        return fail_memory(error);
    memcpy(temporary, place->path, len);
    memcpy(temporary + len, ".XXXXXX", SUFFIX_BYTES);
    if (!replace(place->path, temporary, text))
        status = fail_errno(place, "written", CHECK_FOLDER, error);
    cw__free(temporary);
    return status;
}

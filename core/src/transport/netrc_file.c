/* SPDX-License-Identifier: MIT */
/* Reads the file that netrc_file names, in the calling thread at connect (netrc.c).
 *
 * Errors: CW_CONNECT_FAILED. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport.h"

enum { FILE_AT_MOST = 1 << 20 };

/* Reads the whole file. Returns NULL with errno set, EFBIG if it is too large. */
static char *read_all(const char *path, size_t *len_bytes)
{
    FILE *file = fopen(path, "re");
    char *text = file ? cw__malloc(FILE_AT_MOST) : NULL;
    int os_errno = file ? ENOMEM : errno;

    if (text) {
        *len_bytes = fread(text, 1, FILE_AT_MOST, file);
        os_errno = ferror(file) ? errno : *len_bytes == FILE_AT_MOST ? EFBIG : 0;
    }
    if (file)
        (void)fclose(file);
    if (os_errno == 0)
        return text;
    cw__free(text);
    errno = os_errno;
    return NULL;
}

static cw_status cannot_read(const char *path, int os_errno)
{
    if (os_errno == ENOMEM)
        return cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
    return cw__fail(
        CW_CONNECT_FAILED, "netrc_file '%.300s' cannot be used: %s; check the path and its permissions", path,
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its text (glibc 2.32, musl, BSD) */
        strerror(os_errno));
}

/* Decodes the user name of "ws://user@" in place; cw__uri_read has checked its escapes. Returns NULL if there is none. */
static char *user_of(const cw__uri *uri)
{
    const char *from = strstr(uri->prefix, "://") + 3;
    const char *at = strrchr(from, '@');
    char *user = at ? cw__strndup(from, (size_t)(at - from)) : NULL;
    char *out = user;
    for (const char *in = user; in && *in; in++) {
        if (*in == '%') {
            const char digits[] = {in[1], in[2], '\0'};
            *out++ = (char)strtoul(digits, NULL, 16);
            in += 2;
        } else
            *out++ = *in;
    }
    if (out)
        *out = '\0';
    return user;
}

cw_status cw__netrc_read(const char *path, const cw__uri *uri, char **joined)
{
    char fault[CW__URI_FAULT_BYTES];
    bool has_user = strchr(uri->prefix, '@') != NULL;
    cw__netrc_result result;
    cw_status status = cw__file_check_kind(CW_OPT_NETRC_FILE, "netrc_file", path, false);
    char *text = NULL, *user = NULL;
    size_t len_bytes = 0;

    *joined = NULL;
    if (status != CW_OK || (has_user && strchr(strstr(uri->prefix, "://") + 3, ':')))
        return status; /* the URI has its password */
    if (has_user && !(user = user_of(uri)))
        return cannot_read(path, ENOMEM);
    if (!(text = read_all(path, &len_bytes))) {
        cw__free(user);
        return cannot_read(path, errno);
    }
    result = cw__netrc_find(text, len_bytes, uri->host, user, joined, fault);
    if (len_bytes == 0) {
        result = CW__NETRC_BAD; /* surely a mistake */
        (void)CW__URI_FAULT(fault, "the file is empty");
    }
    cw__free(text);
    cw__free(user);
    if (result == CW__NETRC_BAD)
        return cw__fail(CW_CONNECT_FAILED, "netrc_file '%.300s' cannot be used: %s; correct the file", path,
                        fault);
    return result == CW__NETRC_NO_MEMORY ? cannot_read(path, ENOMEM) : CW_OK;
}

/* SPDX-License-Identifier: MIT */
/* The headers that the program has set for the request and for a proxy, one line each, as request.c and handshake.c pass
 * them on. This file has the public calls that set them. They change only the settings.
 *
 * Safety: under the socket's lock. */
#include <string.h>
#include <strings.h>

#include "socket.h"

static bool is_line_of(const char *line, const char *name, size_t name_len_bytes)
{
    return strncasecmp(line, name, name_len_bytes) == 0 &&
           (line[name_len_bytes] == ':' || line[name_len_bytes] == ';');
}

/* Returns whether a line is sent. The line "Name:" is not sent: it only removes libcurl's own header of that name. */
static bool is_sent(const char *line)
{
    size_t name_len_bytes = strcspn(line, ":;");

    return line[name_len_bytes] == ';' || line[name_len_bytes + 1] != '\n';
}

static bool has_header(const cw__settings *settings, const char *name, size_t name_len_bytes)
{
    for (const char *line = settings->headers; line && *line; line += strcspn(line, "\n") + 1)
        if (is_line_of(line, name, name_len_bytes) && is_sent(line))
            return true;
    return false;
}

/* Copies the lines, except the lines with the given name. If keeps_sent is true, it leaves out only the lines of that name
 * that are not sent. Returns the end of the copy. */
static char *copy_others(char *to, const char *lines, const char *name, size_t name_len_bytes, bool keeps_sent)
{
    while (lines && *lines) {
        size_t len = strcspn(lines, "\n") + 1;
        if (!is_line_of(lines, name, name_len_bytes) || (keeps_sent && is_sent(lines))) {
            memcpy(to, lines, len);
            to += len;
        }
        lines += len;
    }
    *to = '\0';
    return to;
}

static void put_header(char *to, const char *name, size_t name_len_bytes, const char *value,
                       size_t value_len_bytes, bool is_sent_empty)
{
    memcpy(to, name, name_len_bytes);
    to += name_len_bytes;
    *to++ = value_len_bytes == 0 && is_sent_empty ? ';' : ':';
    if (value_len_bytes > 0) {
        *to++ = ' ';
        memcpy(to, value, value_len_bytes);
        to += value_len_bytes;
    }
    memcpy(to, "\n", 2);
}

static cw_status put_header_locked(cw_socket *s, const char *name, size_t name_len_bytes, const char *value,
                                   size_t value_len_bytes, bool adds)
{
    size_t have_bytes = s->settings.headers ? strlen(s->settings.headers) : 0;
    bool is_sent_empty = adds || value_len_bytes > 0; /* a value of only blanks is sent as an empty one */
    const char *advice = adds ? cw__header_repeat_fault(name, name_len_bytes) : NULL;
    char *lines, *end;

    if (cw__socket_state(s) != CW_STATE_NEW)
        return cw__fail(CW_INVALID_STATE,
                        "the request headers cannot change once a connect has begun; set them before connect");
    if (advice && has_header(&s->settings, name, name_len_bytes))
        return cw__fail(CW_INVALID_ARGUMENT,
                        "the header %.*s must not be repeated: replace the first value, or %s",
                        (int)name_len_bytes, name, advice);
    /* Blanks around a value are not part of it (RFC 9110 section 5.5). */
    while (value_len_bytes > 0 && cw__is_blank(value[value_len_bytes - 1]))
        value_len_bytes--;
    for (; value_len_bytes > 0 && cw__is_blank(*value); value++)
        value_len_bytes--;
    lines = cw__malloc(have_bytes + name_len_bytes + value_len_bytes + 4);
    if (!lines)
        return cw__fail(CW_NO_MEMORY, "no memory for a header: free memory and call again");
    end = copy_others(lines, s->settings.headers, name, name_len_bytes, adds);
    if ((size_t)(end - lines) + name_len_bytes + value_len_bytes > CW__HEADERS_AT_MOST) {
        cw__free(lines);
        return cw__fail(CW_INVALID_ARGUMENT,
                        "with the header %.*s, the headers have more than %d KiB, which cannot be sent: "
                        "shorten or remove headers",
                        (int)name_len_bytes, name, CW__HEADERS_AT_MOST / 1024);
    }
    put_header(end, name, name_len_bytes, value, value_len_bytes, is_sent_empty);
    cw__free(s->settings.headers);
    s->settings.headers = lines;
    return CW_OK;
}

static cw_status give_header(cw_socket *s, const char *name, size_t name_len_bytes, const char *value,
                             size_t value_len_bytes, bool adds)
{
    cw_status status = cw__socket_check(s);

    if (status == CW_OK)
        status = cw__header_check(name, name_len_bytes, value, value_len_bytes);
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = put_header_locked(s, name, name_len_bytes, value, value_len_bytes, adds);
    cw__mutex_unlock(&s->lock);
    return status;
}

cw_status cw_socket_set_request_header(cw_socket *s, const char *name, size_t name_len_bytes, const char *value,
                                       size_t value_len_bytes)
{
    return give_header(s, name, name_len_bytes, value, value_len_bytes, false);
}

cw_status cw_socket_add_request_header(cw_socket *s, const char *name, size_t name_len_bytes, const char *value,
                                       size_t value_len_bytes)
{
    return give_header(s, name, name_len_bytes, value, value_len_bytes, true);
}

/* ---- Headers for a proxy ---- */

/* Returns "A, B NUL A: value LF B; LF NUL". NULL = no memory. */
static char *join_headers(const cw_header *headers, size_t count, size_t room_bytes)
{
    char *kept = cw__malloc(room_bytes), *to = kept;

    for (size_t i = 0; kept && i < count; i++) {
        if (i > 0) {
            memcpy(to, ", ", 2);
            to += 2;
        }
        memcpy(to, headers[i].name, headers[i].name_len_bytes);
        to += headers[i].name_len_bytes;
    }
    if (kept)
        *to++ = '\0';
    for (size_t i = 0; kept && i < count; i++) {
        put_header(to, headers[i].name, headers[i].name_len_bytes, headers[i].value, headers[i].value_len_bytes,
                   true);
        to += strlen(to);
    }
    return kept;
}

/* Checks the headers, and sets *kept to the form in which the setting keeps them; to NULL if there are none. */
static cw_status keep_headers(const cw_header *headers, size_t count, char **kept)
{
    size_t sent_bytes = 0, names_bytes = 0;
    cw_status status = CW_OK;

    *kept = NULL;
    for (size_t i = 0; i < count && status == CW_OK; i++) {
        status = cw__header_check_for_proxy(&headers[i]);
        sent_bytes += headers[i].name_len_bytes + headers[i].value_len_bytes;
        names_bytes += headers[i].name_len_bytes + 2;
        if (status == CW_OK && sent_bytes > CW__HEADERS_AT_MOST)
            status = cw__fail(CW_INVALID_ARGUMENT,
                              "the headers for a proxy have more than %d KiB, which cannot be sent: shorten or "
                              "remove headers",
                              CW__HEADERS_AT_MOST / 1024);
    }
    if (status != CW_OK || count == 0)
        return status;
    *kept = join_headers(headers, count, names_bytes + sent_bytes + 3 * count + 2);
    return *kept ? CW_OK : cw__fail(CW_NO_MEMORY, "no memory for a header: free memory and call again");
}

cw_status cw_socket_set_headers(cw_socket *s, cw_option option, const cw_header *headers, size_t count)
{
    char *kept;
    cw_status status = cw__socket_check(s);

    if (status == CW_OK && (!cw_option_key(option) || cw_option_type_of(option) != CW_TYPE_HEADERS))
        status = cw__fail(CW_INVALID_ARGUMENT,
                          "the control with the number %d is not headers: use the calls for "
                          "its type",
                          (int)option);
    if (status == CW_OK)
        status = keep_headers(headers, count, &kept);
    if (status != CW_OK)
        return status;
    cw__mutex_lock(&s->lock);
    status = cw__setting_keep_locked(s, option, kept);
    cw__mutex_unlock(&s->lock);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* Redirect: finds the URI that a redirect leads to (RFC 9110 section 10.2.2, RFC 3986 section 5), and what may be sent
 * there. redirecting.c calls it. Bytes in; a URI, or the text of a fault out.
 *
 * Reasons: CW_CONNECT_FAILED. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "protocol.h"

/* ---- The header Location ---- */

typedef struct text {
    const char *at;
    size_t len_bytes;
} text;

/* Returns whether there is exactly one Location. Two would be a matter of taste, and a way to smuggle one in. */
static bool find_location(const char *lines, text *location, char fault[CW__URI_FAULT_BYTES])
{
    size_t all_bytes = strlen(lines), at_bytes = 0;
    cw_header header;

    *location = (text){NULL, 0};
    while (cw_header_next(lines, all_bytes, &at_bytes, &header)) {
        if (header.name_len_bytes != 8 || strncasecmp(header.name, "Location", 8) != 0)
            continue;
        if (location->at)
            return CW__URI_FAULT(fault, "the reply has more than one header Location");
        *location = (text){header.value, header.value_len_bytes};
    }
    return location->at != NULL || CW__URI_FAULT(fault, "the reply has no header Location");
}

/* ---- The parts of a reference (RFC 3986 section 4.2) ---- */

typedef struct reference {
    bool is_secure, has_scheme, has_authority, has_query;
    text authority, path, query;
} reference;

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* Returns the length of the scheme; 0 if the text begins with none. */
static size_t scheme_bytes(text t)
{
    size_t len = 0;

    while (len < t.len_bytes &&
           (is_letter(t.at[len]) || (len > 0 && ((t.at[len] >= '0' && t.at[len] <= '9') || t.at[len] == '+' ||
                                                 t.at[len] == '-' || t.at[len] == '.'))))
        len++;
    return len < t.len_bytes && t.at[len] == ':' ? len : 0;
}

static bool read_scheme(text *t, reference *r, char fault[CW__URI_FAULT_BYTES])
{
    static const char *const names[] = {"ws", "http", "wss", "https"};
    size_t len = scheme_bytes(*t);

    for (size_t i = 0; len > 0 && i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && strncasecmp(names[i], t->at, len) == 0) {
            r->has_scheme = true;
            r->is_secure = i >= 2;
        }
    if (len == 0)
        return true;
    if (!r->has_scheme)
        return CW__URI_FAULT(fault, "the scheme is neither ws, wss, http nor https");
    *t = (text){t->at + len + 1, t->len_bytes - len - 1};
    return true;
}

/* Returns the length of the text before the first of the characters. */
static size_t before(text t, const char *characters)
{
    size_t len = 0;

    while (len < t.len_bytes && !strchr(characters, t.at[len]))
        len++;
    return len;
}

static text cut(text *t, size_t len_bytes)
{
    text head = {t->at, len_bytes};

    *t = (text){t->at + len_bytes, t->len_bytes - len_bytes};
    return head;
}

static bool read_reference(text t, reference *r, char fault[CW__URI_FAULT_BYTES])
{
    memset(r, 0, sizeof *r);
    t.len_bytes = before(t, "#"); /* a WebSocket URI has no fragment */
    if (!read_scheme(&t, r, fault))
        return false;
    if (t.len_bytes >= 2 && memcmp(t.at, "//", 2) == 0) {
        r->has_authority = true;
        (void)cut(&t, 2);
        r->authority = cut(&t, before(t, "/?"));
    } else if (r->has_scheme) {
        return CW__URI_FAULT(fault, "it has a scheme and no host");
    }
    /* RFC 9110 section 4.2.4: a URI from someone else must not choose the user. */
    if (r->authority.len_bytes && memchr(r->authority.at, '@', r->authority.len_bytes))
        return CW__URI_FAULT(fault, "it has a user name or a password");
    r->path = cut(&t, before(t, "?"));
    r->has_query = t.len_bytes > 0;
    if (r->has_query)
        r->query = (text){t.at + 1, t.len_bytes - 1};
    return true;
}

/* ---- Resolving (RFC 3986 section 5.2) ---- */

/* Removes the segments . and .. of a path that begins with /, in place. Returns its end. */
static char *remove_dots(char *path, const char *end)
{
    char *out = path;

    for (const char *at = path; at < end;) {
        size_t len = 1 + strcspn(at + 1, "/"); /* "/segment" */
        bool is_last = at + len == end;
        if (len == 2 && at[1] == '.') {
            if (is_last)
                *out++ = '/';
        } else if (len == 3 && at[1] == '.' && at[2] == '.') {
            while (out > path && *--out != '/')
                continue;
            if (is_last)
                *out++ = '/';
        } else {
            memmove(out, at, len);
            out += len;
        }
        at += len;
    }
    *out = '\0';
    return out;
}

static char *put(char *out, text t)
{
    if (t.len_bytes)
        memcpy(out, t.at, t.len_bytes);
    out[t.len_bytes] = '\0';
    return out + t.len_bytes;
}

static text text_of(const char *at) { return (text){at, strlen(at)}; }

/* Writes the path and the query. */
static void put_target(char *out, const reference *r, const cw__uri *from)
{
    text base_path = text_of(from->target), base_query;
    char *path = out;

    base_query = base_path;
    base_path = cut(&base_query, before(base_query, "?"));
    if (r->has_authority || (r->path.len_bytes && *r->path.at == '/')) {
        out = put(out, r->path.len_bytes ? r->path : text_of("/"));
        out = remove_dots(path, out);
    } else if (r->path.len_bytes) {
        while (base_path.at[base_path.len_bytes - 1] != '/') /* the target begins with / */
            base_path.len_bytes--;
        out = put(put(out, base_path), r->path);
        out = remove_dots(path, out);
    } else {
        out = put(out, base_path);
        if (!r->has_query)
            (void)put(out, base_query);
    }
    if (r->has_query)
        (void)put(put(out, text_of("?")), r->query);
}

/* Returns the URI without user name and password; NULL = no memory. */
static char *resolve(const reference *r, const cw__uri *from)
{
    bool is_secure = r->has_scheme ? r->is_secure : from->is_secure;
    size_t room = strlen(from->host) + strlen(from->zone) + strlen(from->suffix) + strlen(from->target) +
                  r->authority.len_bytes + r->path.len_bytes + r->query.len_bytes + 32;
    char *whole = cw__malloc(room);
    char *out = whole;

    if (!whole)
        return NULL;
    out = put(out, text_of(is_secure ? "wss://" : "ws://"));
    if (r->has_authority) {
        out = put(out, r->authority);
    } else {
        out = put(put(out, text_of(from->is_ipv6 ? "[" : "")), text_of(from->host));
        out = put(put(out, text_of(*from->zone ? "%25" : "")), text_of(from->zone));
        out = put(out, text_of(from->is_ipv6 ? "]" : ""));
        out = put(out, (text){from->suffix, strlen(from->suffix) - 1}); /* without its / */
    }
    put_target(out, r, from);
    return whole;
}

/* ---- The origin (RFC 6454 section 5) ---- */

static unsigned long port_of(const cw__uri *uri)
{
    if (*uri->suffix == ':' && uri->suffix[1] != '/')
        return strtoul(uri->suffix + 1, NULL, 10);
    return uri->is_secure ? 443 : 80;
}

/* Two forms of one host ("example.com" and "example.com.") count as two hosts, which is the safe error. */
static bool is_same_origin(const cw__uri *a, const cw__uri *b)
{
    return a->is_secure == b->is_secure && strcasecmp(a->host, b->host) == 0 && strcmp(a->zone, b->zone) == 0 &&
           port_of(a) == port_of(b);
}

/* Reads the text again with the user name and password of the URI that has led there. */
static cw__uri_result with_user(cw__redirect *to, const cw__uri *from, char fault[CW__URI_FAULT_BYTES])
{
    size_t scheme = from->is_secure ? 6 : 5;
    size_t room = strlen(from->prefix) + strlen(to->text) + 1;
    char *whole = cw__malloc(room);
    cw__uri_result result;

    if (!whole)
        return CW__URI_NO_MEMORY;
    (void)snprintf(whole, room, "%s%s", from->prefix, to->text + scheme);
    cw__uri_destroy(&to->uri);
    result = cw__uri_read(whole, strlen(whole), &to->uri, fault);
    cw__free(whole);
    return result;
}

/* ---- The functions that protocol.h declares ---- */

cw__redirect_result cw__redirect_read(const char *lines, const cw__uri *from, cw__redirect *to,
                                      char fault[CW__URI_FAULT_BYTES])
{
    cw__uri_result result = CW__URI_BAD;
    reference r;
    text location;

    memset(to, 0, sizeof *to);
    if (find_location(lines, &location, fault) && read_reference(location, &r, fault)) {
        to->text = resolve(&r, from);
        result = to->text ? cw__uri_read(to->text, strlen(to->text), &to->uri, fault) : CW__URI_NO_MEMORY;
    }
    if (result == CW__URI_OK) {
        to->is_same_origin = is_same_origin(from, &to->uri);
        if (to->is_same_origin && strchr(from->prefix, '@'))
            result = with_user(to, from, fault);
    }
    if (result == CW__URI_OK)
        return from->is_secure && !to->uri.is_secure ? CW__REDIRECT_TO_PLAIN : CW__REDIRECT_OK;
    cw__redirect_destroy(to);
    return result == CW__URI_BAD ? CW__REDIRECT_BAD : CW__REDIRECT_NO_MEMORY;
}

void cw__redirect_destroy(cw__redirect *to)
{
    cw__uri_destroy(&to->uri);
    cw__free(to->text);
    memset(to, 0, sizeof *to);
}

/* These headers carry no secret. Any other header that the program has set may carry one, such as X-Api-Key. */
static bool is_public(const char *line, size_t name_bytes)
{
    static const char *const names[] = {"User-Agent", "Accept",          "Accept-Language",
                                        "Origin",     "Accept-Encoding", "Cache-Control"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == name_bytes && strncasecmp(names[i], line, name_bytes) == 0)
            return true;
    return false;
}

char *cw__redirect_headers(const char *lines)
{
    char *kept = cw__malloc(strlen(lines) + 1);
    char *out = kept;

    if (!kept)
        return NULL;
    for (*out = '\0'; *lines;) {
        size_t len = strcspn(lines, "\n") + 1, name_bytes = strcspn(lines, ":;");
        bool removes =
            lines[name_bytes] == ':' && lines[name_bytes + 1] == '\n'; /* a header of libcurl's own */
        if (removes || is_public(lines, name_bytes))
            out = put(out, (text){lines, len});
        lines += len;
    }
    return kept;
}

/* SPDX-License-Identifier: MIT */
/* Checks the URI that a caller gives, and encodes it for the request (RFC 3986, RFC 3987 section 3.1, RFC 6455 section
 * 3). Bytes in; bytes or the text of a fault out. handshake.c calls it. It knows nothing of libcurl.
 *
 * A fault never shows the user name, the password, the query, or a port that is not a number. A password that contains
 * a / or # can end up in any of these. A fault shows a single character at most, and what to write instead.
 *
 * Errors: CW_INVALID_ARGUMENT. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "protocol.h"

#define FORM     "write it as in wss://host/path"
#define TOO_LONG "the URI is too long: at most %d KiB can be sent, percent-encoded"

typedef enum part { USERINFO, PATH, QUERY } part;

static const char *const part_names[] = {"user name or password", "path", "query"};

/* ---- Characters ---- */

static bool is_alphanumeric(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(unsigned char c, const char *characters)
{
    return c != '\0' && strchr(characters, c) != NULL;
}

static bool is_control(unsigned char c) { return c < 0x20 || c == 0x7f; }

/* Characters that are sent unchanged. RFC 3986 does not allow [ and ] in a path or query. But browsers send them,
 * servers accept them, and RFC 3987 section 3.1 forbids encoding them. */
static bool is_plain(unsigned char c, part where)
{
    return is_alphanumeric(c) || is_one_of(c, "-._~!$&'()*+,;=:") ||
           (where != USERINFO && is_one_of(c, "@/[]")) || (where == QUERY && c == '?');
}

/* ASCII characters that are sent percent-encoded. RFC 3987 section 3.1 allows it for these, and browsers do it. \ is
 * encoded only in the query: before it, a browser reads \ as /. */
static bool is_encoded(unsigned char c, part where)
{
    return c >= 0x80 || is_one_of(c, "\"<>^`{|}") || (where == QUERY && c == '\\');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool fail_character(unsigned char c, const char *where, char fault[CW__URI_FAULT_BYTES])
{
    if (c == ' ')
        return CW__URI_FAULT(fault, "the %s contains a space: write %%20", where);
    if (is_control(c))
        return CW__URI_FAULT(fault, "the %s contains the control character 0x%02X: remove it, or write %%%02X",
                             where, c, c);
    return CW__URI_FAULT(fault, "the %s contains the character %c: write %%%02X", where, c, c);
}

/* ---- Encoding ---- */

/* Checks the escape sequence that begins with a '%'. */
static bool check_escape(const char *at, const char *end, part where, char fault[CW__URI_FAULT_BYTES])
{
    int value;

    if (end - at < 3 || hex_value(at[1]) < 0 || hex_value(at[2]) < 0)
        return CW__URI_FAULT(
            fault, "a %% in the %s is not followed by two hex digits: write %%25 for the character %% itself",
            part_names[where]);
    value = hex_value(at[1]) * 16 + hex_value(at[2]);
    if (value == 0)
        return CW__URI_FAULT(fault, "the %s contains %%00: a NUL is not allowed; remove it", part_names[where]);
    if (where == USERINFO && is_control((unsigned char)value))
        return CW__URI_FAULT(fault, "the %s contains a control character: remove it", part_names[where]);
    return true;
}

/* Appends an encoded part to out, which has room for three times its length. Returns the end of out; NULL with a fault. */
static char *encode(char *out, const char *text, size_t len_bytes, part where, char fault[CW__URI_FAULT_BYTES])
{
    static const char digits[] = "0123456789ABCDEF";
    const char *end = text + len_bytes;

    for (; text < end; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '%' ? check_escape(text, end, where, fault) : is_plain(c, where)) {
            *out++ = *text;
        } else if (c == '%') {
            return NULL;
        } else if (is_encoded(c, where)) {
            *out++ = '%';
            *out++ = digits[c >> 4];
            *out++ = digits[c & 15];
        } else if (where == USERINFO) {
            (void)CW__URI_FAULT(
                fault,
                "the user name or password contains a character that must be percent-encoded: write / as "
                "%%2F, @ as %%40, [ as %%5B, \\ as %%5C, a space as %%20");
            return NULL;
        } else {
            (void)fail_character(c, part_names[where], fault);
            return NULL;
        }
    }
    return out;
}

/* ---- The authority ---- */

static bool read_port(const char *text, const char *end, cw__authority *a, char fault[CW__URI_FAULT_BYTES])
{
    long port = 0;

    for (; text < end; text++) {
        if (*text < '0' || *text > '9' || (port = 10 * port + (*text - '0')) > UINT16_MAX)
            return CW__URI_FAULT(
                fault, "the port after the host must be a number from 0 to 65535: write an IPv6 address in "
                       "[ ], and in a user name or password / as %%2F, ? as %%3F, # as %%23");
        a->port = (int)port;
    }
    return true;
}

/* Reads "[::1]" or "[fe80::1%25eth0]". It accepts a bare % in place of %25 (RFC 6874 section 2). Returns the position
 * after the ]. */
static const char *read_bracketed(const char *text, const char *end, cw__authority *a,
                                  char fault[CW__URI_FAULT_BYTES])
{
    const char *close = memchr(text, ']', (size_t)(end - text));
    const char *percent = close ? memchr(text, '%', (size_t)(close - text)) : NULL;
    uint8_t address[16];

    a->is_ipv6 = true;
    a->host = text + 1;
    a->host_bytes = close ? (size_t)((percent ? percent : close) - a->host) : 0;
    if (percent) {
        a->zone = percent + (close - percent > 3 && percent[1] == '2' && percent[2] == '5' ? 3 : 1);
        a->zone_bytes = (size_t)(close - a->zone);
    }
    if (cw__address_read(a->host, a->host_bytes, address) != sizeof address) {
        (void)CW__URI_FAULT(fault, "the host in [ ] is not an IPv6 address: write it as in wss://[::1]/");
        return NULL;
    }
    for (size_t i = 0; i < a->zone_bytes; i++)
        if (!is_alphanumeric((unsigned char)a->zone[i]) && !is_one_of((unsigned char)a->zone[i], "-._~"))
            a->zone_bytes = 0;
    if (a->zone && (a->zone_bytes == 0 || a->zone_bytes > CW__ZONE_AT_MOST)) {
        (void)CW__URI_FAULT(
            fault, "the zone of the IPv6 address is not the name or number of an interface: write it as "
                   "in [fe80::1%%25eth0]");
        return NULL;
    }
    return close + 1;
}

static void fail_host(unsigned char c, char fault[CW__URI_FAULT_BYTES])
{
    if (c == '%')
        (void)CW__URI_FAULT(fault, "the host contains a %%: write the name itself, not percent-encoded");
    else if (c == ' ')
        (void)CW__URI_FAULT(fault,
                            "the host contains a space: remove it, or write %%20 in a path, query or password");
    else if (is_control(c))
        (void)CW__URI_FAULT(fault, "the host contains the control character 0x%02X: remove it", c);
    else
        (void)CW__URI_FAULT(fault, "the host contains the character %c, which no host name has: remove it", c);
}

/* Checks the ASCII characters of a host. *is_ascii says whether there are others. */
static bool check_name(const char *text, size_t len_bytes, bool *is_ascii, char fault[CW__URI_FAULT_BYTES])
{
    *is_ascii = true;
    for (size_t i = 0; i < len_bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        *is_ascii = *is_ascii && c < 0x80;
        if (c < 0x80 && !is_alphanumeric(c) && !is_one_of(c, "-._~")) {
            fail_host(c, fault);
            return false;
        }
    }
    return true;
}

static const char *read_name(const char *text, const char *end, cw__authority *a,
                             char fault[CW__URI_FAULT_BYTES])
{
    const char *colon = memchr(text, ':', (size_t)(end - text));
    size_t len_bytes = (size_t)((colon ? colon : end) - text);
    bool is_ascii;

    a->host = text;
    a->host_bytes = len_bytes;
    if (!check_name(text, len_bytes, &is_ascii, fault))
        return NULL;
    if (len_bytes > (is_ascii ? CW__HOST_AT_MOST : CW__HOST_GIVEN_MOST)) {
        (void)CW__URI_FAULT(fault, "the host has more than %d characters: shorten it", CW__HOST_AT_MOST);
        return NULL;
    }
    if (!is_ascii) {
        if (!cw__idn_to_ascii(text, len_bytes, a->ascii, fault))
            return NULL;
        a->host = a->ascii;
        a->host_bytes = strlen(a->ascii);
    }
    return text + len_bytes;
}

bool cw__authority_read(const char *text, size_t len_bytes, cw__authority *a, char fault[CW__URI_FAULT_BYTES])
{
    const char *end = text + len_bytes;
    const char *at = memchr(text, '@', len_bytes);

    memset(a, 0, sizeof *a);
    a->port = -1;
    if (at) {
        a->userinfo = text;
        a->userinfo_bytes = (size_t)(at - text);
        text = at + 1;
        if (memchr(text, '@', (size_t)(end - text)))
            return CW__URI_FAULT(
                fault, "there is more than one @ before the path: in a user name or password, write @ as %%40");
    }
    if (text == end || *text == ':')
        return CW__URI_FAULT(fault, "the URI has no host: " FORM);
    text = *text == '[' ? read_bracketed(text, end, a, fault) : read_name(text, end, a, fault);
    if (!text)
        return false;
    if (text < end && *text != ':')
        return CW__URI_FAULT(
            fault, "only a port, with a colon before it, may follow the ] of an IPv6 address: remove the rest");
    return text == end || read_port(text + 1, end, a, fault);
}

/* ---- The whole URI ---- */

/* Reads "ws://" or "wss://". Returns the position after the scheme; NULL with a fault. */
static const char *read_scheme(const char *text, size_t len_bytes, cw__uri *uri,
                               char fault[CW__URI_FAULT_BYTES])
{
    size_t len = 0;

    while (len < len_bytes &&
           (is_alphanumeric((unsigned char)text[len]) || is_one_of((unsigned char)text[len], "+-.")))
        len++;
    if (len == 0 || len > 40 || len_bytes - len < 3 || memcmp(text + len, "://", 3) != 0) {
        (void)CW__URI_FAULT(fault, "this is not a URI: " FORM);
        return NULL;
    }
    uri->is_secure = len == 3 && strncasecmp(text, "wss", 3) == 0;
    if (!uri->is_secure && (len != 2 || strncasecmp(text, "ws", 2) != 0)) {
        (void)CW__URI_FAULT(fault, "the URI's scheme must be ws or wss, not %.*s: write ws:// or wss://",
                            (int)len, text);
        return NULL;
    }
    return text + len + 3;
}

static char *append(char *out, const char *text, size_t len_bytes)
{
    if (len_bytes)
        memcpy(out, text, len_bytes);
    return out + len_bytes;
}

/* Writes "user:password@", encoded. It writes nothing if both are empty, because some versions of libcurl (8.14.1) would
 * then send empty credentials, and others would not. */
static char *put_userinfo(char *out, const cw__authority *a, char fault[CW__URI_FAULT_BYTES])
{
    size_t user_bytes = 0;

    if (a->userinfo_bytes == 0 || (a->userinfo_bytes == 1 && *a->userinfo == ':'))
        return out;
    for (; user_bytes < a->userinfo_bytes && a->userinfo[user_bytes] != ':'; user_bytes++)
        if (a->userinfo_bytes - user_bytes >= 3 && strncasecmp(a->userinfo + user_bytes, "%3a", 3) == 0) {
            (void)CW__URI_FAULT(fault,
                                "the user name has a colon (%%3A), which HTTP cannot send (RFC 7617), because "
                                "the server would take the rest for the password: remove the colon");
            return NULL;
        }
    out = encode(out, a->userinfo, a->userinfo_bytes, USERINFO, fault);
    return out ? append(out, "@", 1) : NULL;
}

/* Writes everything before and after the host. */
static char *put_base(char *out, const cw__authority *a, cw__uri *uri, char fault[CW__URI_FAULT_BYTES])
{
    char port[sizeof ":2147483647"] = "";

    uri->prefix = out;
    out = uri->is_secure ? append(out, "wss://", 6) : append(out, "ws://", 5);
    if (!(out = put_userinfo(out, a, fault)))
        return NULL;
    *out++ = '\0';
    uri->host = out;
    out = append(out, a->host, a->host_bytes);
    *out++ = '\0';
    uri->suffix = out;
    if (a->port >= 0)
        (void)snprintf(port, sizeof port, ":%d", a->port);
    out = append(out, port, strlen(port));
    out = append(out, "/", 2);
    uri->zone = out;
    if (a->zone)
        out = append(out, a->zone, a->zone_bytes);
    *out++ = '\0';
    return out;
}

static bool put_all(const char *text, const char *end, cw__uri *uri, char fault[CW__URI_FAULT_BYTES])
{
    size_t authority_bytes = strcspn(text, "/?#");
    const char *path = text + authority_bytes;
    const char *query = memchr(path, '?', (size_t)(end - path));
    cw__authority a;
    char *out;

    if (!cw__authority_read(text, authority_bytes, &a, fault))
        return false;
    if (strchr(path, '#'))
        return CW__URI_FAULT(
            fault,
            "the URI contains # (a fragment), which RFC 6455 section 3 does not allow: remove # and the text "
            "after it, or write # as %%23");
    uri->is_ipv6 = a.is_ipv6;
    out = put_base(uri->text, &a, uri, fault);
    if (!out)
        return false;
    uri->target = out;
    if (*path != '/')
        *out++ = '/';
    out = encode(out, path, (size_t)((query ? query : end) - path), PATH, fault);
    if (out && query)
        out = encode(append(out, "?", 1), query + 1, (size_t)(end - query - 1), QUERY, fault);
    if (!out)
        return false;
    *out = '\0';
    if (out - uri->text > CW__URI_AT_MOST)
        return CW__URI_FAULT(fault, TOO_LONG, CW__URI_AT_MOST / 1024);
    return true;
}

static bool check_text(const char *text, size_t len_bytes, char fault[CW__URI_FAULT_BYTES])
{
    if (len_bytes > CW__URI_AT_MOST)
        return CW__URI_FAULT(fault, TOO_LONG, CW__URI_AT_MOST / 1024);
    if (len_bytes > 0 && memchr(text, '\0', len_bytes))
        return CW__URI_FAULT(fault, "the URI contains NUL: remove it");
    if (!cw__utf8_valid(text, len_bytes))
        return CW__URI_FAULT(fault, "the URI is not UTF-8: percent-encode bytes that are not text");
    return true;
}

cw__uri_result cw__uri_read(const char *text, size_t len_bytes, cw__uri *uri, char fault[CW__URI_FAULT_BYTES])
{
    enum { BESIDES = 64 + CW__HOST_AT_MOST }; /* put_base adds at most this number of bytes */
    const char *authority;
    cw__uri_result result = CW__URI_NO_MEMORY;
    char *copy;

    memset(uri, 0, sizeof *uri);
    if (!check_text(text, len_bytes, fault) || !(authority = read_scheme(text, len_bytes, uri, fault)))
        return CW__URI_BAD;
    copy = cw__strndup(authority, (size_t)(text + len_bytes - authority));
    uri->text = copy ? cw__malloc(3 * len_bytes + BESIDES) : NULL;
    if (uri->text)
        result = put_all(copy, copy + strlen(copy), uri, fault) ? CW__URI_OK : CW__URI_BAD;
    cw__free(copy);
    if (result != CW__URI_OK)
        cw__uri_destroy(uri);
    return result;
}

void cw__uri_destroy(cw__uri *uri)
{
    cw__free(uri->text);
    memset(uri, 0, sizeof *uri);
}

/* The last @ ends the userinfo. So no part of the userinfo is shown, whatever it contains. An international host is shown in
 * ASCII, because two names may look the same. */
size_t cw__uri_show(const char *uri, char *buffer, size_t size_bytes)
{
    const char *separator = strstr(uri, "://");
    const char *shown = separator ? separator + 3 : uri;
    int scheme_bytes = (int)(shown - uri);
    char fault[CW__URI_FAULT_BYTES];
    cw__authority a;
    size_t given = 0; /* bytes of the host that its ASCII form stands for */

    for (const char *at = shown, *end = shown + strcspn(shown, "/?#"); at < end; at++)
        if (*at == '@')
            shown = at + 1;
    if (cw__authority_read(shown, strcspn(shown, "/?#"), &a, fault) && a.host == a.ascii)
        given = strcspn(shown, ":/?#");
    return (size_t)snprintf(buffer, size_bytes, "%.*s%s%.*s", scheme_bytes, uri, given ? a.ascii : "",
                            (int)(strcspn(shown, "?#") - given), shown + given);
}

char *cw__uri_base(const cw__uri *uri)
{
    size_t bytes = strlen(uri->prefix) + strlen(uri->host) + strlen(uri->zone) + strlen(uri->suffix) + 6;
    char *base = cw__malloc(bytes);

    if (base)
        (void)snprintf(base, bytes, "%s%s%s%s%s%s%s", uri->prefix, uri->is_ipv6 ? "[" : "", uri->host,
                       *uri->zone ? "%25" : "", uri->zone, uri->is_ipv6 ? "]" : "", uri->suffix);
    return base;
}

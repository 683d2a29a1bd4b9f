/* SPDX-License-Identifier: MIT */
/* Cookie: reads and writes the lines of a cookie file in Netscape's form, and checks a cookie that a program sets.
 * Bindings read the list of a jar with it; cookie_file.c and cookies.c in transport/ call it. No error shows the value of a
 * cookie. libcurl parses Set-Cookie itself.
 *
 * A line has seven fields, separated by tabs: domain, whether subdomains get the cookie, path, whether only wss sends it,
 * the end of its life in seconds since 1970 (0 = it ends with the session), name, value. "#HttpOnly_" before the domain marks
 * a cookie that scripts of a page must not see. Other lines that begin with # are comments.
 *
 * Reasons: CW_INVALID_ARGUMENT, CW_CONNECT_FAILED. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "protocol.h"

/* The fields of a line, and their number. */
enum { DOMAIN, SUBDOMAINS, PATH, SECURE, EXPIRES, NAME, VALUE, FIELDS };
enum { PATH_AT_MOST = 1024, DOMAIN_AT_MOST = 253 };

#define HTTP_ONLY "#HttpOnly_"

typedef struct field {
    const char *text;
    size_t len_bytes;
} field;

static bool is_word(const field *f, const char *word)
{
    return f->len_bytes == strlen(word) && strncasecmp(f->text, word, f->len_bytes) == 0;
}

static bool has_control(const char *text, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return true;
    return false;
}

/* Returns whether a text can be a domain: a host name in ASCII or an IP address, after a dot or none. Only an IPv6 address has
 * colons, two at least, so that no domain looks like the start of a header line, or has a port. */
static bool is_domain(const char *text, size_t len_bytes)
{
    const char *colon = memchr(text, ':', len_bytes);
    bool is_ipv6 = colon && memchr(colon + 1, ':', len_bytes - (size_t)(colon + 1 - text));

    if (len_bytes > 0 && *text == '.') {
        text++;
        len_bytes--;
    }
    if (len_bytes == 0 || *text == '.')
        return false;
    for (size_t i = 0; i < len_bytes; i++) {
        char c = text[i];
        if (is_ipv6 ? !c || !strchr("0123456789abcdefABCDEF:.", c)
                    : c <= ' ' || c > '~' || strchr("\"#%/:;<=>?@[\\]^`{|}", c))
            return false;
    }
    return true;
}

/* ---- Reading ---- */

/* Splits a line at its tabs. Returns the number of fields, also of those that do not fit. */
static size_t split(const char *line, size_t len_bytes, field fields[FIELDS])
{
    const char *end = line + len_bytes;
    size_t count = 0;

    for (const char *next = line; next; count++) {
        const char *tab = memchr(next, '\t', (size_t)(end - next));
        if (count < FIELDS)
            fields[count] = (field){next, (size_t)((tab ? tab : end) - next)};
        next = tab ? tab + 1 : NULL;
    }
    return count;
}

/* Reads seconds since 1970. No digits mean 0: http.cookiejar of Python writes nothing for a session cookie. Some
 * programs write a fraction. A number that is too large means the largest one. */
static bool read_time(const field *f, int64_t *seconds)
{
    size_t i = 0;

    *seconds = 0;
    for (; i < f->len_bytes && f->text[i] >= '0' && f->text[i] <= '9'; i++) {
        int digit = f->text[i] - '0';
        *seconds = *seconds > (INT64_MAX - digit) / 10 ? INT64_MAX : *seconds * 10 + digit;
    }
    return i == f->len_bytes || (i > 0 && f->text[i] == '.');
}

/* Takes the dot at the start of a domain away. A domain without a dot, such as a top-level domain or a host of a private
 * network, has no subdomains that may share a cookie. An IP address has none either. */
static void read_domain(const field *f, cw_cookie *out)
{
    bool has_dot = *f->text == '.', is_address;
    size_t len = f->len_bytes - has_dot;
    const char *domain = f->text + has_dot, *dot;

    dot = memchr(domain, '.', len);
    is_address = memchr(domain, ':', len) || strspn(domain, "0123456789.") >= len;
    out->domain = domain;
    out->domain_len_bytes = len;
    out->include_subdomains = out->include_subdomains && dot && dot + 1 < domain + len && !is_address;
}

static const char *read_line(const char *line, size_t len_bytes, cw_cookie *out)
{
    field f[FIELDS];
    size_t count;

    *out = (cw_cookie){.name = NULL};
    out->http_only = len_bytes >= strlen(HTTP_ONLY) && memcmp(line, HTTP_ONLY, strlen(HTTP_ONLY)) == 0;
    if (out->http_only) {
        line += strlen(HTTP_ONLY);
        len_bytes -= strlen(HTTP_ONLY);
    }
    count = split(line, len_bytes, f);
    if (count == FIELDS - 1) { /* an editor may have removed the last tab, behind which the value is empty */
        f[VALUE] = (field){line + len_bytes, 0};
        count++;
    }
    if (count != FIELDS)
        return "does not have seven fields that tabs separate";
    if (!is_word(&f[SUBDOMAINS], "TRUE") && !is_word(&f[SUBDOMAINS], "FALSE"))
        return "has no TRUE or FALSE as its second field";
    if (!is_word(&f[SECURE], "TRUE") && !is_word(&f[SECURE], "FALSE"))
        return "has no TRUE or FALSE as its fourth field";
    out->include_subdomains = is_word(&f[SUBDOMAINS], "TRUE");
    out->secure = is_word(&f[SECURE], "TRUE");
    if (!read_time(&f[EXPIRES], &out->expires))
        return "has no number of seconds as its fifth field";
    if (!is_domain(f[DOMAIN].text, f[DOMAIN].len_bytes))
        return "has no host name as its first field";
    read_domain(&f[DOMAIN], out);
    if (has_control(f[NAME].text, f[NAME].len_bytes) || has_control(f[VALUE].text, f[VALUE].len_bytes))
        return "has a control character in its name or value";
    out->path = f[PATH].len_bytes ? f[PATH].text : "/";
    out->path_len_bytes = f[PATH].len_bytes ? f[PATH].len_bytes : 1;
    out->name = f[NAME].text;
    out->name_len_bytes = f[NAME].len_bytes;
    out->value = f[VALUE].text;
    out->value_len_bytes = f[VALUE].len_bytes;
    return NULL;
}

bool cw__cookie_read(const char *lines, size_t len_bytes, size_t *at_bytes, cw_cookie *out, const char **fault)
{
    *fault = NULL;
    while (*at_bytes < len_bytes) {
        const char *line = lines + *at_bytes;
        const char *end = memchr(line, '\n', len_bytes - *at_bytes);
        size_t len = end ? (size_t)(end - line) : len_bytes - *at_bytes;
        bool is_comment;
        *at_bytes += len + (end ? 1 : 0);
        /* cppcheck-suppress knownConditionTrueFalse ; an empty line has no byte */
        if (len > 0 && line[len - 1] == '\r')
            len--;
        is_comment = len > 0 && *line == '#' &&
                     !(len >= strlen(HTTP_ONLY) && memcmp(line, HTTP_ONLY, strlen(HTTP_ONLY)) == 0);
        if (len == 0 || is_comment)
            continue;
        *fault = read_line(line, len, out);
        return true;
    }
    return false;
}

bool cw_cookie_next(const char *lines, size_t len_bytes, size_t *at_bytes, cw_cookie *out)
{
    const char *fault;

    while (cw__cookie_read(lines, len_bytes, at_bytes, out, &fault))
        if (!fault)
            return true;
    *out = (cw_cookie){.name = NULL};
    return false;
}

/* ---- Writing ---- */

size_t cw__cookie_write(const cw_cookie *c, char *buffer, size_t size_bytes)
{
    bool has_dot = c->domain_len_bytes > 0 && *c->domain == '.';

    return (size_t)snprintf(
        buffer, size_bytes, "%s%s%.*s\t%s\t%.*s\t%s\t%lld\t%.*s\t%.*s", c->http_only ? HTTP_ONLY : "",
        c->include_subdomains && !has_dot ? "." : "", (int)c->domain_len_bytes, c->domain,
        c->include_subdomains ? "TRUE" : "FALSE", (int)c->path_len_bytes, c->path, c->secure ? "TRUE" : "FALSE",
        (long long)c->expires, (int)c->name_len_bytes, c->name, (int)c->value_len_bytes, c->value);
}

/* ---- Checking what a program sets ---- */

#define NO "a cookie cannot be set: "

static bool begins_with(const char *text, size_t len_bytes, const char *start)
{
    return len_bytes >= strlen(start) && strncasecmp(text, start, strlen(start)) == 0;
}

static const char *check_domain(const cw_cookie *c)
{
    if (c->domain_len_bytes > DOMAIN_AT_MOST)
        return NO "its domain has more than 253 characters: shorten it";
    if (!is_domain(c->domain, c->domain_len_bytes))
        return NO "its domain is no host name: write it in ASCII, without scheme, port and path";
    return NULL;
}

/* RFC 6265bis section 4.1.3, and section 5.7: case does not matter. libcurl drops such cookies without a word, 8.14.1 also
 * those in another case. */
static const char *check_prefix(const cw_cookie *c)
{
    if (begins_with(c->name, c->name_len_bytes, "__Secure-") && !c->secure)
        return NO "its name begins with __Secure-, so secure must be true";
    if (begins_with(c->name, c->name_len_bytes, "__Host-") &&
        (!c->secure || c->include_subdomains || c->path_len_bytes != 1))
        return NO
            "its name begins with __Host-, so secure must be true, the path /, and include_subdomains false";
    return NULL;
}

const char *cw__cookie_fault(const cw_cookie *c)
{
    const char *fault;

    if (c->name_len_bytes == 0)
        return NO "its name is empty: give it a name";
    if (c->name_len_bytes + c->value_len_bytes > CW__COOKIE_AT_MOST)
        return NO "its name and value have more than 4,096 bytes: shorten them";
    if (has_control(c->name, c->name_len_bytes) || memchr(c->name, '=', c->name_len_bytes) ||
        memchr(c->name, ';', c->name_len_bytes))
        return NO "its name has a control character, = or ;, which a name cannot have: remove it";
    if (has_control(c->value, c->value_len_bytes) || memchr(c->value, ';', c->value_len_bytes))
        return NO
            "its value has a control character or ;, which would end it: encode the value, for example by "
            "%XX";
    if (c->path_len_bytes == 0 || *c->path != '/' || c->path_len_bytes > PATH_AT_MOST ||
        has_control(c->path, c->path_len_bytes) || memchr(c->path, ';', c->path_len_bytes))
        return NO "its path must begin with /, have at most 1,024 characters, and no control character or ;: "
                  "correct it";
    if (c->expires < 0)
        return NO "its end is before 1970: use the seconds since then, or 0 for a session cookie";
    fault = check_domain(c);
    return fault ? fault : check_prefix(c);
}

bool cw__cookie_is_for(const cw_cookie *c, const char *host)
{
    size_t host_bytes = strlen(host), len = c->domain_len_bytes;

    if (host_bytes < len || strncasecmp(host + host_bytes - len, c->domain, len) != 0)
        return false;
    return host_bytes == len || (c->include_subdomains && host[host_bytes - len - 1] == '.');
}

/* SPDX-License-Identifier: MIT */
/* Reads the URI of a proxy, and lists such as that of no_proxy. transport/proxy.c calls this file for the environment, and
 * socket/proxy_settings.c for the controls. A value that was refused is never shown, because it may have a password
 * anywhere. libcurl gets only what was read here: with some malformed values, 8.14.1 connects directly. Pure, except that it sets
 * the calling thread's error.
 *
 * Reasons: CW_CONNECT_FAILED, CW_INVALID_ARGUMENT. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "protocol.h"

enum { PORT_MOST = 65535, HOST_MOST_BYTES = 255 };

typedef struct text {
    const char *at;
    size_t len_bytes;
} text;

typedef struct scheme {
    const char *name;
    cw__proxy_kind kind;
    unsigned port; /* libcurl's default port */
} scheme;

/* Some desktops write "socks"; libcurl treats that as socks4. */
static const scheme schemes[] = {
    {"http", CW__PROXY_HTTP, 1080},     {"https", CW__PROXY_HTTPS, 443},   {"socks4", CW__PROXY_SOCKS, 1080},
    {"socks4a", CW__PROXY_SOCKS, 1080}, {"socks5", CW__PROXY_SOCKS, 1080}, {"socks5h", CW__PROXY_SOCKS, 1080},
    {"socks", CW__PROXY_SOCKS, 1080},
};

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static text text_of(const char *at, size_t len_bytes) { return (text){at, len_bytes}; }

/* ---- no_proxy ---- */

/* Returns the number of a port; 0 if the text is not one. */
static unsigned port_of(text t)
{
    unsigned port = 0;

    if (t.len_bytes > 5)
        return 0;
    for (size_t i = 0; i < t.len_bytes; i++) {
        if (t.at[i] < '0' || t.at[i] > '9')
            return 0;
        port = port * 10 + (unsigned)(t.at[i] - '0');
    }
    return port <= PORT_MOST ? port : 0;
}

/* Removes the brackets of an IPv6 address, or the dot at the end of a name. */
static text bare(text host)
{
    if (host.len_bytes >= 2 && host.at[0] == '[' && host.at[host.len_bytes - 1] == ']')
        return text_of(host.at + 1, host.len_bytes - 2);
    if (host.len_bytes > 1 && host.at[host.len_bytes - 1] == '.')
        host.len_bytes--;
    return host;
}

/* Works as cw__address_read. Ignores a zone. */
static size_t address_of(text t, unsigned char bytes[16])
{
    const char *zone = memchr(t.at, '%', t.len_bytes);

    return cw__address_read(t.at, zone ? (size_t)(zone - t.at) : t.len_bytes, bytes);
}

static bool is_in_network(const unsigned char *address, const unsigned char *network, unsigned bits)
{
    unsigned rest = bits % 8;

    return memcmp(address, network, bits / 8) == 0 &&
           (rest == 0 || ((address[bits / 8] ^ network[bits / 8]) & (0xff00 >> rest & 0xff)) == 0);
}

/* Compares an address with an item such as "10.1.2.3", "10.0.0.0/8", "::1" or "fd00::/8". */
static bool matches_address(text item, const unsigned char *address, size_t address_bytes)
{
    unsigned char network[16];
    const char *slash = memchr(item.at, '/', item.len_bytes);
    size_t len = slash ? (size_t)(slash - item.at) : item.len_bytes;
    unsigned bits = (unsigned)address_bytes * 8;

    if (address_of(bare(text_of(item.at, len)), network) != address_bytes)
        return false;
    if (slash) {
        text number = text_of(slash + 1, item.len_bytes - len - 1);
        bits = port_of(number);
        if (bits == 0 && (number.len_bytes != 1 || *number.at != '0'))
            return false;
    }
    return bits <= address_bytes * 8 && is_in_network(address, network, bits);
}

/* Compares a name with an item. "example.com", ".example.com" and "*.example.com" mean that name and all names below
 * it. */
static bool matches_name(text item, text host)
{
    const char *end;

    item = bare(item);
    if (item.len_bytes > 2 && item.at[0] == '*' && item.at[1] == '.')
        item.at++, item.len_bytes--;
    if (item.len_bytes > 1 && item.at[0] == '.')
        item.at++, item.len_bytes--;
    if (item.len_bytes == 0 || item.len_bytes > host.len_bytes)
        return false;
    end = host.at + host.len_bytes - item.len_bytes;
    return strncasecmp(end, item.at, item.len_bytes) == 0 && (end == host.at || end[-1] == '.');
}

/* Removes the port from an item "host:port". Returns true if the item has no port, or the given one. An IPv6 address
 * has colons of its own. */
static bool fits_port(text *item, unsigned port)
{
    const char *colon = NULL;
    size_t len = item->len_bytes;

    while (len > 0 && item->at[len - 1] != ':' && item->at[len - 1] != ']')
        len--;
    if (len > 0 && item->at[len - 1] == ':')
        colon = item->at + len - 1;
    if (!colon || (item->at[0] != '[' && memchr(item->at, ':', (size_t)(colon - item->at))))
        return true;
    if (port_of(text_of(colon + 1, item->len_bytes - len)) != port)
        return false;
    item->len_bytes = len - 1;
    return true;
}

bool cw__proxy_is_excluded(const char *list, const char *host, unsigned port)
{
    static const char separators[] = ", \t";
    text name = bare(text_of(host, strlen(host)));
    unsigned char address[16];
    size_t address_bytes = address_of(name, address);

    for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
        text item = text_of(list, strcspn(list, separators));
        list += item.len_bytes;
        if (!fits_port(&item, port))
            continue;
        if (item.len_bytes == 1 && *item.at == '*')
            return true;
        if (address_bytes ? matches_address(item, address, address_bytes) : matches_name(item, name))
            return true;
    }
    return false;
}

/* ---- The URI ---- */

static const char *host_fault(text host)
{
    char fault[CW__URI_FAULT_BYTES];
    cw__authority a;

    if (host.len_bytes == 0)
        return "there is no host";
    if (host.at[0] == '[') /* as in the URI of a server, also with a zone */
        return host.at[host.len_bytes - 1] == ']' && cw__authority_read(host.at, host.len_bytes, &a, fault)
                   ? NULL
                   : "the host in [ ] is not an IPv6 address";
    if (memchr(host.at, ':', host.len_bytes))
        return "there is more than one colon after the user; write an IPv6 address between [ and ]";
    for (size_t i = 0; i < host.len_bytes; i++)
        if (!is_alnum(host.at[i]) && !strchr("-._~", host.at[i]))
            return "the host has characters that no host name has; write a name in another script as xn--...";
    return host.len_bytes > HOST_MOST_BYTES ? "the host is longer than 255 bytes" : NULL;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %xx into a new text. */
static const char *decode(text t, char **out)
{
    char *to = *out = cw__malloc(t.len_bytes + 1);

    if (!to)
        return NULL;
    for (size_t i = 0; i < t.len_bytes; i++) {
        char c = t.at[i];
        if (c == '%') {
            int high = i + 2 < t.len_bytes ? digit_of(t.at[i + 1]) : -1;
            int low = i + 2 < t.len_bytes ? digit_of(t.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return "a % in the user or password is not followed by two hexadecimal digits; write % as %25";
            c = (char)(high << 4 | low);
            i += 2;
        }
        if ((unsigned char)c < ' ' || c == 0x7f)
            return "the user or password has a control character";
        *to++ = c;
    }
    *to = '\0';
    return NULL;
}

/* Reads "user" or "user:password". Returns NULL, or what is wrong. Sets *has_no_memory if the text is correct but there
 * is no memory. */
static const char *take_user(cw__proxy *p, text t, bool *has_no_memory)
{
    const char *colon = memchr(t.at, ':', t.len_bytes);
    size_t len = colon ? (size_t)(colon - t.at) : t.len_bytes;
    const char *fault = decode(text_of(t.at, len), &p->user);

    if (!fault && p->user)
        fault = decode(colon ? text_of(colon + 1, t.len_bytes - len - 1) : text_of("", 0), &p->password);
    *has_no_memory = !fault && !p->password;
    if (!fault && p->user && strchr(p->user, ':') && p->kind != CW__PROXY_SOCKS)
        return "the user has a colon, which HTTP cannot send (RFC 7617)";
    return fault;
}

static const scheme *scheme_of(text name)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strlen(schemes[i].name) == name.len_bytes &&
            strncasecmp(schemes[i].name, name.at, name.len_bytes) == 0)
            return &schemes[i];
    return NULL;
}

/* Finds host and port in "host" or "host:port".
 * Returns NULL, or what is wrong. */
static const char *split_port(text t, text *host, unsigned *port)
{
    size_t len = t.len_bytes;
    const char *fault;

    while (len > 0 && t.at[len - 1] != ':' && t.at[len - 1] != ']')
        len--;
    *host = len > 0 && t.at[len - 1] == ':' ? text_of(t.at, len - 1) : t;
    fault = host_fault(*host);
    if (!fault && host->len_bytes < t.len_bytes) {
        *port = port_of(text_of(t.at + len, t.len_bytes - len));
        if (*port == 0)
            return "the port is not a number from 1 to 65535";
    }
    return fault;
}

static bool keep_url(cw__proxy *p, const scheme *s, text host, unsigned port)
{
    size_t room_bytes = strlen(s->name) + host.len_bytes + sizeof "://:65535";

    p->url = cw__malloc(room_bytes);
    if (!p->url)
        return false;
    (void)snprintf(p->url, room_bytes, "%s://%.*s:%u", s->name, (int)host.len_bytes, host.at, port);
    p->name = p->url + strlen(s->name) + 3;
    return true;
}

#define RESERVED_AS "write / in user or password as %2F, ? as %3F, # as %23, @ as %40"

/* The form is [scheme://][user[:password]@]host[:port][/]. */
const char *cw__proxy_parse(cw__proxy *p, const char *value, bool *has_no_memory)
{
    const char *after = strstr(value, "://");
    const scheme *s;
    const char *at, *fault = NULL;
    text rest, host;
    unsigned port;

    *has_no_memory = false;
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return "there is a blank or a control character; write a blank in user or password as %20";
    s = &schemes[0];
    if (after)
        s = scheme_of(text_of(value, (size_t)(after - value)));
    if (!s)
        return "the value does not begin with http://, https://, socks4://, socks4a://, socks5:// or "
               "socks5h://";
    rest = after ? text_of(after + 3, strlen(after + 3)) : text_of(value, strlen(value));
    if (rest.len_bytes > 0 && rest.at[rest.len_bytes - 1] == '/')
        rest.len_bytes--;
    for (size_t i = 0; i < rest.len_bytes; i++)
        if (strchr("/?#\\", rest.at[i]))
            return "only one / may follow the host and port; " RESERVED_AS;
    p->kind = s->kind;
    port = s->port;
    at = memchr(rest.at, '@', rest.len_bytes);
    if (at) {
        text user = text_of(rest.at, (size_t)(at - rest.at));
        rest = text_of(at + 1, rest.len_bytes - user.len_bytes - 1);
        if (memchr(rest.at, '@', rest.len_bytes))
            return "there is more than one @; " RESERVED_AS;
        if (!after && scheme_of(text_of(user.at, strcspn(user.at, ":@"))))
            return "the scheme is not followed by ://";
        if (user.len_bytes > 0)
            fault = take_user(p, user, has_no_memory);
    }
    if (!fault)
        fault = split_port(rest, &host, &port);
    if (!fault && !*has_no_memory)
        *has_no_memory = !keep_url(p, s, host, port);
    return fault;
}

void cw__proxy_destroy(cw__proxy *p)
{
    cw__free(p->url);
    cw__free(p->user);
    cw__free(p->password);
    memset(p, 0, sizeof *p);
}

/* ---- The controls ---- */

static char *join(const char *shown, const char *value)
{
    size_t shown_bytes = strlen(shown) + 1, value_bytes = strlen(value) + 1;
    char *kept = cw__malloc(shown_bytes + value_bytes);

    if (!kept)
        return NULL;
    memcpy(kept, shown, shown_bytes);
    memcpy(kept + shown_bytes, value, value_bytes);
    return kept;
}

cw_status cw__proxy_keep(const char *key, bool is_pre, const char *value, char **kept)
{
    cw__proxy p = {.kind = CW__PROXY_NONE};
    bool is_direct = strcmp(value, CW__PROXY_DIRECT) == 0, has_no_memory;
    const char *fault = cw__proxy_parse(&p, value, &has_no_memory); /* direct, too, has the form of a host */

    *kept = NULL;
    if (!fault && is_pre && p.kind != CW__PROXY_SOCKS)
        fault = "only a SOCKS proxy can stand in front of another proxy";
    if (!fault && !has_no_memory)
        *kept = join(is_direct ? value : p.url, value);
    cw__proxy_destroy(&p);
    if (fault)
        return cw__fail(CW_INVALID_ARGUMENT, "the control %s is malformed: %s. Write %s", key, fault,
                        is_pre ? "socks5h://user:password@host:port" : "http://user:password@host:port");
    if (!*kept)
        return cw__fail(CW_NO_MEMORY, "no memory for the control %s: free memory and call again", key);
    return CW_OK;
}

/* SPDX-License-Identifier: MIT */
/* Proxy: decides which proxy a connection uses, from the environment variables that libcurl would read. This
 * file checks the values, and libcurl gets the checked result. So an unusable proxy is an error with every
 * libcurl. (With some malformed values, 8.14.1 connects directly.) A value is never shown, because a malformed
 * value may have a password anywhere. handshake.c calls this file. It reads variables only through a function
 * that the caller passes.
 *
 * Reasons: CW_CONNECT_FAILED. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transport.h"

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

static bool is_among(const char *all, char c) { return c != '\0' && strchr(all, c); }

static text text_of(const char *at, size_t len_bytes) { return (text){at, len_bytes}; }

/* ---- no_proxy ---- */

/* Returns the number of a port; 0 if the text is not one. */
static unsigned port_of(text t)
{
    unsigned port = 0;

    if (t.len_bytes == 0 || t.len_bytes > 5)
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

/* Reads an IP address. Returns the number of its bytes, 4 or 16; 0 if the text is not an address. Ignores a zone. */
static size_t address_of(text t, unsigned char bytes[16])
{
    char copy[INET6_ADDRSTRLEN + 1];
    const char *zone = memchr(t.at, '%', t.len_bytes);

    if (zone)
        t.len_bytes = (size_t)(zone - t.at);
    if (t.len_bytes >= sizeof copy)
        return 0;
    memcpy(copy, t.at, t.len_bytes);
    copy[t.len_bytes] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1)
        return 4;
    return inet_pton(AF_INET6, copy, bytes) == 1 ? 16 : 0;
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

/* ---- The value of a variable ---- */

static const char *host_fault(text host)
{
    unsigned char address[16];

    if (host.len_bytes == 0)
        return "there is no host";
    if (host.at[0] == '[')
        return host.at[host.len_bytes - 1] == ']' && address_of(bare(host), address) == 16
                   ? NULL
                   : "the host in [ ] is not an IPv6 address";
    if (memchr(host.at, ':', host.len_bytes))
        return "there is more than one colon after the user; write an IPv6 address between [ and ]";
    for (size_t i = 0; i < host.len_bytes; i++)
        if (!is_alnum(host.at[i]) && !is_among("-._~", host.at[i]))
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
    *has_no_memory = !p->user || (!fault && !p->password);
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
        if (is_among("/?#\\", rest.at[i]))
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

/* ---- The choice ---- */

/* Finds the variable, in libcurl's order (8.14.1 and 8.22). An empty variable counts as unset. HTTP_PROXY is ignored: a
 * web server that runs a program for a request sets HTTP_PROXY to the request's header Proxy. */
static const char *value_of(const char *(*get)(const char *name), bool is_tls, const char **variable)
{
    static const char *const plain[] = {"ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const tls[] = {"wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY",
                                      "all_proxy", "ALL_PROXY", NULL};

    for (const char *const *name = is_tls ? tls : plain; *name; name++) {
        const char *value = get(*name);
        if (value && *value) {
            *variable = *name;
            return value;
        }
    }
    return NULL;
}

cw_status cw__proxy_choose(cw__proxy *p, bool is_tls, const char *host, unsigned port,
                           const char *(*get)(const char *name))
{
    const char *list = get("no_proxy"), *value, *fault;
    bool has_no_memory;
    cw__error error;

    memset(p, 0, sizeof *p);
    if (!list || !*list)
        list = get("NO_PROXY");
    if (list && cw__proxy_is_excluded(list, host, port))
        return CW_OK;
    value = value_of(get, is_tls, &p->variable);
    if (!value)
        return CW_OK;
    fault = cw__proxy_parse(p, value, &has_no_memory);
    if (!fault && !has_no_memory)
        return CW_OK;
    if (has_no_memory)
        cw__error_set(&error, CW_NO_MEMORY, CW_WEB_Unknown,
                      "no memory for a proxy: free memory and call again");
    else
        cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "the proxy in the environment variable %s is malformed: %s. Write "
                      "http://user:password@host:port, or remove the variable",
                      p->variable, fault);
    cw__proxy_destroy(p);
    return cw__fail_with(&error);
}

bool cw__proxy_set_credential(cw__proxy *p, const char *user, const char *password)
{
    cw__free(p->user);
    cw__free(p->password);
    p->user = cw__strndup(user, strlen(user));
    p->password = cw__strndup(password, strlen(password));
    p->has_credential = true;
    return p->user && p->password;
}

void cw__proxy_destroy(cw__proxy *p)
{
    cw__free(p->url);
    cw__free(p->user);
    cw__free(p->password);
    memset(p, 0, sizeof *p);
}

void cw__proxy_refused(const cw__proxy *proxy, const char *host, int http_status, cw__error *error)
{
    const char *hint = ": ask whoever runs the proxy";

    if (http_status == 407)
        hint = proxy->has_credential ? ": it does not accept this user and password; correct proxy_credential"
               : proxy->user ? ": it does not accept this user and password; correct them in that variable"
                             : ": it wants a user and a password; set proxy_credential, or write "
                               "user:password@ before the host in that variable";
    else if (http_status == 403 || http_status == 405)
        hint = ": it does not allow this connection; ask whoever runs the proxy, or list the host in no_proxy";
    else if (http_status == 502 || http_status == 503 || http_status == 504)
        hint = ": it could not reach the server; check host and port in the URI";
    if (http_status > 0)
        cw__error_set(error, CW_CONNECT_FAILED, cw__web_status_of_http(http_status),
                      "the proxy %.80s (%s) refused to connect to %.80s with HTTP status %d%s", proxy->name,
                      proxy->variable, host, http_status, hint);
    else
        cw__error_set(
            error, CW_CONNECT_FAILED, CW_WEB_ErrorHttpInvalidServerResponse,
            "the answer of the proxy %.80s (%s) is not HTTP/1.1: check scheme and port in that variable",
            proxy->name, proxy->variable);
    error->http_status = http_status;
}

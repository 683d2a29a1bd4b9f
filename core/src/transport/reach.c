/* SPDX-License-Identifier: MIT */
/* Reach: the controls that say how a connection gets to its server: Unix sockets, interfaces and local ports, addresses in
 * place of a look-up, a connected descriptor, DNS over HTTPS, and the options of a TCP socket. It checks the controls, gives
 * them to libcurl, and explains what is wrong with them. handshake.c, verdict.c, race.c and settings.c call this file.
 *
 * libcurl (8.14.1, 8.22) goes on without a word where a value cannot be used: it leaves out an address of `resolve` that it
 * cannot read, and asks the resolver. So curlwire checks every value before.
 *
 * Errors: CW_CONNECT_FAILED. */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "transport.h"

enum { PART_BYTES = 256 };

/* Returns the name of a control. */
static const char *key_of(int option)
{
    switch (option) {
#define CW_X(name, key, ...) \
    case name:               \
        return key;
        CW_OPTION_LIST(CW_X)
#undef CW_X
    default:
        return "";
    }
}

/* ---- Items of resolve and connect_to ---- */

static bool is_address(const char *text, size_t len_bytes)
{
    uint8_t bytes[16];

    if (len_bytes > 2 && text[0] == '[' && text[len_bytes - 1] == ']')
        return cw__address_read(text + 1, len_bytes - 2, bytes) == 16;
    return cw__address_read(text, len_bytes, bytes) > 0;
}

/* Returns whether a text can be a host name in ASCII. */
static bool is_name(const char *text, size_t len_bytes)
{
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

    for (size_t i = 0; i < len_bytes; i++)
        if (!memchr(all, text[i], sizeof all - 1))
            return false;
    return len_bytes > 0 && len_bytes < PART_BYTES;
}

static bool is_port(const char *text, size_t len_bytes)
{
    unsigned port = 0;

    for (size_t i = 0; i < len_bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
        if (port > 65535)
            return false;
    }
    return port > 0;
}

/* Takes the text up to the next colon, or all if there is none; a host in brackets is one part. *at becomes NULL after the
 * last part. */
static const char *next_part(const char **at, const char *end, size_t *len_bytes)
{
    const char *part = *at;
    const char *from = part < end && *part == '[' ? memchr(part, ']', (size_t)(end - part)) : part;
    const char *colon = from ? memchr(from, ':', (size_t)(end - from)) : NULL;

    *len_bytes = (size_t)((colon ? colon : end) - part);
    *at = colon ? colon + 1 : NULL;
    return part;
}

static cw_status check_resolve(const char *item, size_t len_bytes)
{
    const char *at = item, *end = item + len_bytes;
    size_t len;
    const char *part = next_part(&at, end, &len);
    bool is_good = at && ((len == 1 && *part == '*') || is_name(part, len));

    if (is_good) {
        part = next_part(&at, end, &len);
        is_good = at && is_port(part, len);
    }
    while (is_good && at) { /* the rest is addresses, which have colons */
        const char *comma = memchr(at, ',', (size_t)(end - at));
        is_good = is_address(at, (size_t)((comma ? comma : end) - at));
        at = comma ? comma + 1 : NULL;
    }
    if (is_good)
        return CW_OK;
    return cw__fail_limit(CW_INVALID_ARGUMENT, CW_OPT_RESOLVE,
                          "resolve cannot have the item '%.*s': write HOST:PORT:ADDRESS, as in "
                          "api.example:443:10.0.0.5,[2001:db8::5]; the host is in ASCII, or * for any",
                          (int)len_bytes, item);
}

static cw_status check_connect_to(const char *item, size_t len_bytes)
{
    const char *at = item, *end = item + len_bytes;
    bool is_good = true;

    for (int i = 0; i < 4 && is_good; i++) {
        size_t len;
        const char *part = at ? next_part(&at, end, &len) : NULL;
        is_good = part && (i < 3) == (at != NULL) &&
                  (len == 0 || (i % 2 == 1 ? is_port(part, len)
                                           : is_name(part, len) || (*part == '[' && is_address(part, len))));
    }
    if (is_good)
        return CW_OK;
    return cw__fail_limit(CW_INVALID_ARGUMENT, CW_OPT_CONNECT_TO,
                          "connect_to cannot have the item '%.*s': write HOST1:PORT1:HOST2:PORT2, as in "
                          "api.example:443:staging.example:8443; a host is in ASCII, an IPv6 address in [ ]",
                          (int)len_bytes, item);
}

cw_status cw__reach_check_item(cw_option option, const char *key, const char *item, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        if ((unsigned char)item[i] < ' ' || item[i] == 0x7f)
            return cw__fail_limit(CW_INVALID_ARGUMENT, option,
                                  "%s has an item with a control character: remove the character", key);
    switch (option) {
    case CW_OPT_RESOLVE:
        return check_resolve(item, len_bytes);
    case CW_OPT_CONNECT_TO:
        return check_connect_to(item, len_bytes);
    case CW_OPT_CURL_OPTIONS:
        return cw__curl_option_check(item, len_bytes);
    default:
        return CW_OK;
    }
}

/* ---- Checks before a connect ---- */

#define REFUSE(option, ...)                                                               \
    (cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError, __VA_ARGS__), \
     error.limit = (int)(option) + 1, cw__fail_with(&error))

/* Returns the first control that is set and chooses an address or a socket, or CW_OPTION_NONE. */
static int chooser(const cw__reach *r)
{
    return *r->interface      ? CW_OPT_INTERFACE
           : r->local_port    ? CW_OPT_LOCAL_PORT
           : *r->resolve      ? CW_OPT_RESOLVE
           : *r->connect_to   ? CW_OPT_CONNECT_TO
           : *r->doh_url      ? CW_OPT_DOH_URL
           : *r->curl_options ? CW_OPT_CURL_OPTIONS
                              : CW_OPTION_NONE;
}

/* Returns the control of a Unix socket, or CW_OPTION_NONE. */
static int unix_control(const cw__reach *r)
{
    return *r->abstract_name ? CW_OPT_ABSTRACT_UNIX_SOCKET
           : *r->unix_path   ? CW_OPT_UNIX_SOCKET_PATH
                             : CW_OPTION_NONE;
}

static cw_status check_unix(const cw__reach *r)
{
    bool is_abstract = *r->abstract_name != '\0';
    int control = unix_control(r), other = chooser(r);
    const char *path = is_abstract ? r->abstract_name : r->unix_path;
    size_t room = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;
    cw__error error;

    if (is_abstract && *r->unix_path)
        return REFUSE(control, "unix_socket_path and abstract_unix_socket are both set: unset one of them");
    if (strlen(path) > room)
        return REFUSE(control,
                      "%s '%.120s' is longer than the %zu bytes that the system allows: use a shorter path",
                      key_of(control), path, room);
    if (*path && other != CW_OPTION_NONE)
        return REFUSE(other, "%s has no effect on a Unix socket: unset it, or unset %s", key_of(other),
                      key_of(control));
#ifndef __linux__
    if (is_abstract)
        return REFUSE(control, "abstract_unix_socket works on Linux only: use unix_socket_path");
#endif
    return CW_OK;
}

static cw_status check_interface(const cw__reach *r)
{
    const char *name = r->interface, *address = NULL;
    char copy[PART_BYTES];
    char *mark;
    cw__error error;

    (void)snprintf(copy, sizeof copy, "%s", name);
    if (strncmp(copy, "ifhost!", 7) == 0 && (mark = strchr(copy + 7, '!'))) {
        *mark = '\0';
        name = copy + 7;
        address = mark + 1;
    } else if (strncmp(copy, "host!", 5) == 0) {
        name = NULL;
        address = copy + 5;
    } else if (strncmp(copy, "if!", 3) == 0) {
        name = copy + 3;
    } else if (is_address(copy, strlen(copy))) {
        name = NULL;
    }
    if (address && (*address == '[' || !is_address(address, strlen(address))))
        return REFUSE(CW_OPT_INTERFACE,
                      "interface '%.200s' cannot be used: after host! comes an IP address of this machine",
                      r->interface);
    if (name && *name && if_nametoindex(name) == 0)
        return REFUSE(
            CW_OPT_INTERFACE,
            "interface '%.200s' cannot be used: this machine has no such network interface; `ip address` "
            "shows interfaces and addresses",
            r->interface);
    return CW_OK;
}

/* Writes scheme and host of doh_url, because the rest may be secret. Returns whether the URL can be used. */
static bool show_doh(const cw__reach *r, char text[PART_BYTES])
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL;
    bool is_good = parts && curl_url_set(parts, CURLUPART_URL, r->doh_url, 0) == CURLUE_OK &&
                   curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                   curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK;

    (void)snprintf(text, PART_BYTES, "%s://%.200s", is_good ? scheme : "", is_good ? host : "");
    is_good = is_good && strcmp(scheme, "https") == 0;
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return is_good;
}

static cw_status check_tcp(const cw__reach *r)
{
    char shown[PART_BYTES];
    cw__error error;

    if (*r->doh_url && !show_doh(r, shown))
        return REFUSE(CW_OPT_DOH_URL,
                      "doh_url cannot be used: write the whole URL of a DNS-over-HTTPS server, as in "
                      "https://dns.example/dns-query");
    if (r->local_port && r->local_port + r->local_port_range - 1 > 65535)
        return REFUSE(CW_OPT_LOCAL_PORT,
                      "local_port %lld and local_port_range %lld go beyond port 65535: lower one of them",
                      (long long)r->local_port, (long long)r->local_port_range);
    if (!r->local_port && r->local_port_range > 1)
        return REFUSE(CW_OPT_LOCAL_PORT_RANGE,
                      "local_port_range is set without local_port: set local_port to the first port");
#ifndef TCP_USER_TIMEOUT
    if (r->user_timeout_ms > 0)
        return REFUSE(
            CW_OPT_TCP_USER_TIMEOUT,
            "tcp_user_timeout works on Linux only: unset it; ping_timeout finds lost connections too");
#endif
    return check_interface(r);
}

static cw_status check_given(const cw__reach *r, bool connects_twice)
{
    int other = chooser(r) != CW_OPTION_NONE ? chooser(r) : unix_control(r);
    cw__error error;

    if (*r->given < 0)
        return cw__fail(CW_INVALID_STATE,
                        "the last connect has used the connection that the program gave: give another "
                        "one, or none");
    if (other != CW_OPTION_NONE)
        return REFUSE(other, "%s has no effect on a connection that the program has made: unset it",
                      key_of(other));
    if (connects_twice)
        return REFUSE(
            CW_OPTION_NONE,
            "to ask about a certificate, or to ignore its errors, curlwire connects a second time, which a "
            "connection that the program has made does not allow: let curlwire connect");
    return CW_OK;
}

cw_status cw__reach_check(const cw__reach *r, bool asks, bool ignores)
{
    cw_status status = check_unix(r);
    cw__error error;

    if (*r->doh_url &&
        ignores) /* libcurl (8.14.1, 8.22) would trust the server's certificate for the DNS server too */
        return REFUSE(
            CW_OPT_DOH_URL,
            "doh_url and ignorable_server_certificate_errors are both set, which libcurl cannot keep apart: "
            "unset one of them");

    if (status == CW_OK)
        status = check_tcp(r);
    return status == CW_OK && r->given ? check_given(r, asks || ignores) : status;
}

bool cw__reach_is_local(const cw__reach *r) { return r->given || *r->unix_path || *r->abstract_name; }

bool cw__reach_has_own_socket(const cw__reach *r)
{
    return cw__reach_is_local(r) || *r->interface || r->local_port || *r->curl_options;
}

bool cw__reach_is_alone(const cw__reach *r) { return *r->resolve || *r->doh_url || *r->curl_options; }

/* ---- libcurl's options ---- */

/* Makes a list of the lines of a text, which stays empty if the text is. */
static CURLcode split(const char *lines, struct curl_slist **list)
{
    while (*lines) {
        size_t len = strcspn(lines, "\n");
        char *line = cw__strndup(lines, len);
        struct curl_slist *longer = line ? curl_slist_append(*list, line) : NULL;
        cw__free(line);
        if (!longer)
            return CURLE_OUT_OF_MEMORY;
        *list = longer;
        lines += len + (lines[len] == '\n');
    }
    return CURLE_OK;
}

static void note_refused(cw__reach *r, int control)
{
    r->refused = key_of(control);
    r->fault = control;
}

/* Sets an option, and notes the control if libcurl refuses it. */
#define SET(control, option, value)                       \
    do {                                                  \
        if (code == CURLE_OK) {                           \
            code = curl_easy_setopt(easy, option, value); \
            if (code != CURLE_OK)                         \
                note_refused(r, control);                 \
        }                                                 \
    } while (0)

/* Returns the seconds that the system takes for a keepalive: Linux takes 1 to 32767. */
static long whole_seconds(int64_t ms)
{
    int64_t seconds = (ms + 999) / 1000;

    return seconds < 1 ? 1 : seconds > 32767 ? 32767 : (long)seconds;
}

static CURLcode set_tcp(cw__reach *r, CURL *easy)
{
    char name[PART_BYTES + 8];
    CURLcode code = CURLE_OK;

    if (*r->interface) {
        bool is_plain =
            !strchr(r->interface, '!'); /* with a prefix libcurl does not look a name up, which blocks */
        bool is_host = is_address(r->interface, strlen(r->interface));
        (void)snprintf(name, sizeof name, "%s%s", !is_plain ? "" : is_host ? "host!" : "if!", r->interface);
        SET(CW_OPT_INTERFACE, CURLOPT_INTERFACE, name);
    }
    if (r->local_port) {
        SET(CW_OPT_LOCAL_PORT, CURLOPT_LOCALPORT, (long)r->local_port);
        SET(CW_OPT_LOCAL_PORT_RANGE, CURLOPT_LOCALPORTRANGE, (long)r->local_port_range);
    }
    if (r->keeps_alive) {
        SET(CW_OPT_TCP_KEEPALIVE, CURLOPT_TCP_KEEPALIVE, 1L);
        SET(CW_OPT_TCP_KEEPIDLE, CURLOPT_TCP_KEEPIDLE, whole_seconds(r->keep_idle_ms));
        SET(CW_OPT_TCP_KEEPINTVL, CURLOPT_TCP_KEEPINTVL, whole_seconds(r->keep_interval_ms));
        SET(CW_OPT_TCP_KEEPCNT, CURLOPT_TCP_KEEPCNT, (long)r->keep_count);
    }
    SET(CW_OPT_HAPPY_EYEBALLS_TIMEOUT, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, (long)r->happy_ms);
    return code;
}

CURLcode cw__reach_set(cw__reach *r, CURL *easy)
{
    CURLcode code = split(r->resolve, &r->resolves);

    if (code == CURLE_OK) /* a given connection needs an address, so that libcurl looks none up */
        code = split(r->given ? "::127.0.0.1:" : r->connect_to, &r->targets);
    if (*r->unix_path)
        SET(CW_OPT_UNIX_SOCKET_PATH, CURLOPT_UNIX_SOCKET_PATH, r->unix_path);
    if (*r->abstract_name)
        SET(CW_OPT_ABSTRACT_UNIX_SOCKET, CURLOPT_ABSTRACT_UNIX_SOCKET, r->abstract_name);
    if (r->resolves)
        SET(CW_OPT_RESOLVE, CURLOPT_RESOLVE, r->resolves);
    if (r->targets)
        SET(CW_OPT_CONNECT_TO, CURLOPT_CONNECT_TO, r->targets);
    if (*r->doh_url)
        SET(CW_OPT_DOH_URL, CURLOPT_DOH_URL, r->doh_url);
    if (code == CURLE_OK)
        code = set_tcp(r, easy);
    if (code == CURLE_OK && (code = cw__curl_options_set(r->curl_options, easy, r->option)) != CURLE_OK) {
        r->refused = r->option;
        r->fault = CW_OPT_CURL_OPTIONS;
    }
    return code;
}

void cw__reach_release(cw__reach *r, CURL *easy)
{
    if (easy && r->resolves)
        (void)curl_easy_setopt(easy, CURLOPT_RESOLVE, NULL);
    if (easy && r->targets)
        (void)curl_easy_setopt(easy, CURLOPT_CONNECT_TO, NULL);
    curl_slist_free_all(r->resolves);
    curl_slist_free_all(r->targets);
    r->resolves = r->targets = NULL;
}

/* ---- The socket ---- */

int cw__reach_take(cw__reach *r)
{
    int fd = *r->given;

    *r->given = -1;
    r->is_used_up = fd < 0;
    return fd;
}

static bool set_number(cw__reach *r, int control, int fd, int level, int option, int value)
{
    if (setsockopt(fd, level, option, &value, sizeof value) == 0)
        return true;
    r->unset = key_of(control);
    r->fault = control;
    r->os_errno = errno;
    return false;
}

bool cw__reach_mark(cw__reach *r, int fd)
{
    struct sockaddr_storage own = {0};
    socklen_t len = sizeof own;
    bool is_good = true;

    if (getsockname(fd, (struct sockaddr *)&own, &len) != 0 ||
        (own.ss_family != AF_INET && own.ss_family != AF_INET6))
        return true;
    if (r->dscp && own.ss_family == AF_INET)
        is_good = set_number(r, CW_OPT_DSCP, fd, IPPROTO_IP, IP_TOS, (int)r->dscp << 2);
    if (r->dscp && own.ss_family == AF_INET6)
        is_good = set_number(r, CW_OPT_DSCP, fd, IPPROTO_IPV6, IPV6_TCLASS, (int)r->dscp << 2);
#ifdef TCP_USER_TIMEOUT
    if (is_good && r->user_timeout_ms > 0)
        is_good =
            set_number(r, CW_OPT_TCP_USER_TIMEOUT, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)r->user_timeout_ms);
#endif
    return is_good;
}

/* ---- Errors after a connect ---- */

/* Writes ": Permission denied (EACCES)"-like words for an errno, or nothing. */
static const char *why(int os_errno, char text[PART_BYTES])
{
    *text = '\0';
    if (os_errno) /* NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its text (glibc 2.32, musl, BSD) */
        (void)snprintf(text, PART_BYTES, ": %.100s", strerror(os_errno));
    return text;
}

static cw_option explain_binding(const cw__reach *r, int os_errno, cw__error *error)
{
    long long last = (long long)(r->local_port + r->local_port_range - 1);
    char words[PART_BYTES];

    if (r->local_port && (os_errno == EADDRINUSE || os_errno == EACCES || !*r->interface)) {
        cw__error_set(
            error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
            "no local port from %lld to %lld can be used%s; raise local_port_range, or choose other ports",
            (long long)r->local_port, last, why(os_errno, words));
        return CW_OPT_LOCAL_PORT;
    }
    cw__error_set(
        error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
        "interface '%.200s' cannot be used%s; it must be up, and have an address of the same kind (IPv4 or "
        "IPv6) as the server's",
        r->interface, why(os_errno, words));
    return CW_OPT_INTERFACE;
}

static void explain_unix(const cw__reach *r, int os_errno, cw__error *error)
{
    bool is_abstract = *r->abstract_name != '\0';
    char words[PART_BYTES];

    cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_CannotConnect,
                  "cannot connect to %s '%.120s'%s; check the %s, and that the server runs",
                  is_abstract ? "abstract_unix_socket" : "unix_socket_path",
                  is_abstract ? r->abstract_name : r->unix_path, why(os_errno, words),
                  is_abstract ? "name" : "path and its permissions");
}

bool cw__reach_explain(const cw__reach *r, int curl_code, int os_errno, const char *host, cw__error *error)
{
    int control = CW_OPTION_NONE;
    char words[PART_BYTES];

    if (r->unset) {
        control = r->fault;
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s cannot be set on this connection%s; unset it, or set another value", r->unset,
                      why(r->os_errno, words));
    } else if (r->is_used_up) {
        cw__error_set(
            error, CW_CONNECT_FAILED, CW_WEB_CannotConnect,
            "the connect needs a second connection, and the program has given one: let curlwire connect");
    } else if (curl_code == CURLE_INTERFACE_FAILED && (*r->interface || r->local_port)) {
        control = (int)explain_binding(r, os_errno, error);
    } else if (curl_code == CURLE_COULDNT_CONNECT && unix_control(r) != CW_OPTION_NONE) {
        control = unix_control(r);
        explain_unix(r, os_errno, error);
    } else if (*r->interface && (os_errno == ENETUNREACH || os_errno == EHOSTUNREACH || os_errno == ENETDOWN)) {
        control = CW_OPT_INTERFACE;
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_ServerUnreachable,
                      "interface '%.200s' leads to no server%s; it must be up, and have a route to %.80s",
                      r->interface, why(os_errno, words), host);
    } else if (curl_code == CURLE_COULDNT_RESOLVE_HOST && *r->doh_url) {
        control = CW_OPT_DOH_URL;
        (void)show_doh(r, words);
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_HostNameNotResolved,
                      "the host %.80s cannot be resolved by doh_url %s: check the host's spelling, the path of "
                      "doh_url, and that its certificate is trusted (ca_file)",
                      host, words);
    } else {
        return false;
    }
    if (!error->os_errno)
        error->os_errno = r->unset ? r->os_errno : os_errno;
    error->curl_code = curl_code;
    error->limit = control + 1;
    return true;
}

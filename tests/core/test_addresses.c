/* SPDX-License-Identifier: MIT */
/* Tests of a host with several addresses (RFC 8305): in which order they are tried, and how many at once. A dead or
 * silent address costs 200 ms, not a share of connect_timeout, with every libcurl. This file replaces the look-up and
 * the system's connect: addresses from the ranges for documentation are silent, refuse, or lead to a server here. */
#include "process.h"
#include "raw_peer.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>

enum { ADDRESSES_AT_MOST = 16, AT_ONCE = 6, DELAY_MS = 200, SLACK_MS = 10000, LONG_MS = 600000 };

/* Each address is two characters: d = silent, r = refuses, l = live; then 4 or 6. */
static const char *host_addresses;
static char tried[2 * ADDRESSES_AT_MOST + 1];
/* for each address: number of other attempts under way at its attempt */
static unsigned pending_at[ADDRESSES_AT_MOST];
static int fds[ADDRESSES_AT_MOST];
static atomic_uint tried_count;
static in_port_t silent_port, refused_port;
static atomic_uint zone; /* the zone of the link-local address that was tried last */

/* ---- The look-up ---- */

typedef int (*look_up)(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
typedef void (*give_back)(struct addrinfo *found);

typedef struct entry {
    struct addrinfo info;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } to;
} entry;

static void fill(entry *e, const char *address, unsigned number, in_port_t port)
{
    bool is_v6 = address[1] == '6';
    char text[64];

    e->info.ai_family = is_v6 ? AF_INET6 : AF_INET;
    e->info.ai_socktype = SOCK_STREAM;
    e->info.ai_protocol = IPPROTO_TCP;
    e->info.ai_addr = &e->to.any;
    e->info.ai_addrlen = is_v6 ? sizeof e->to.v6 : sizeof e->to.v4;
    e->to.any.sa_family = (sa_family_t)e->info.ai_family;
    (void)snprintf(text, sizeof text, is_v6 ? "2001:db8::%x" : "192.0.2.%u", number);
    if (is_v6) {
        CHECK_INT(inet_pton(AF_INET6, text, &e->to.v6.sin6_addr), 1);
        e->to.v6.sin6_port = port;
    } else {
        CHECK_INT(inet_pton(AF_INET, text, &e->to.v4.sin_addr), 1);
        e->to.v4.sin_port = port;
    }
}

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **found)
{
    size_t count = strlen(host_addresses) / 2, used = 0;
    entry *entries;
    look_up real;

    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (!node || strcmp(node, "many.example") != 0)
        return real(node, service, hints, found);
    entries = calloc(count, sizeof *entries);
    CHECK(entries != NULL);
    for (unsigned i = 0; i < count; i++) { /* libcurl 8.22 asks for each family separately */
        bool is_wanted = !hints || hints->ai_family == AF_UNSPEC ||
                         hints->ai_family == (host_addresses[2 * i + 1] == '6' ? AF_INET6 : AF_INET);
        if (!is_wanted)
            continue;
        fill(&entries[used], host_addresses + 2 * i, i, htons((in_port_t)(service ? atoi(service) : 0)));
        if (used > 0)
            entries[used - 1].info.ai_next = &entries[used].info;
        used++;
    }
    if (used == 0) {
        free(entries);
        return EAI_NONAME;
    }
    *found = &entries->info;
    return 0;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *found)
{
    give_back real;

    *(void **)&real = dlsym(RTLD_NEXT, "freeaddrinfo");
    if (found && found->ai_addr == &((entry *)found)->to.any)
        free(found);
    else
        real(found);
}

/* ---- The system's connect ---- */

typedef int (*connecting)(int fd, const struct sockaddr *to, socklen_t len);

/* Returns the index in host_addresses of one of our addresses; -1 for another address. */
static int number_of(const struct sockaddr *to)
{
    char text[INET6_ADDRSTRLEN] = "";
    const char *last;

    if (to->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)to)->sin_addr, text, sizeof text);
    else if (to->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)to)->sin6_addr, text,
                        sizeof text);
    if (strncmp(text, "192.0.2.", 8) == 0)
        return atoi(text + 8);
    if (strncmp(text, "2001:db8:", 9) != 0)
        return -1;
    last = strrchr(text, ':') + 1;
    return (int)strtol(last, NULL, 16);
}

static unsigned pending_count(unsigned count)
{
    unsigned pending = 0;

    for (unsigned i = 0; i < count; i++) {
        struct tcp_info info;
        socklen_t len = sizeof info;
        bool is_other = true;
        for (unsigned j = i + 1; j < count; j++)
            is_other = is_other && fds[j] != fds[i]; /* the descriptor number has been reused */
        if (is_other && getsockopt(fds[i], IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
            info.tcpi_state == TCP_SYN_SENT)
            pending++;
    }
    return pending;
}

/* Returns the address to connect to instead, so that the address behaves as its letter says. */
static in_port_t port_of(char kind, const struct sockaddr *to)
{
    if (kind == 'd')
        return silent_port;
    if (kind == 'r')
        return refused_port;
    return to->sa_family == AF_INET ? ((const struct sockaddr_in *)(const void *)to)->sin_port
                                    : ((const struct sockaddr_in6 *)(const void *)to)->sin6_port;
}

/* In C it has another name, because glibc declares the function with a type of its own. */
__attribute__((visibility("default"))) int hooked_connect(int fd, const struct sockaddr *to,
                                                          socklen_t len) __asm__("connect");

int hooked_connect(int fd, const struct sockaddr *to, socklen_t len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    unsigned count = atomic_load(&tried_count);
    int number = number_of(to);
    connecting real;

    *(void **)&real = dlsym(RTLD_NEXT, "connect");
    if (to->sa_family == AF_INET6 &&
        IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)(const void *)to)->sin6_addr))
        atomic_store(&zone, ((const struct sockaddr_in6 *)(const void *)to)->sin6_scope_id);
    if (number < 0 || count == ADDRESSES_AT_MOST)
        return real(fd, to, len);
    pending_at[count] = pending_count(count);
    fds[count] = fd;
    memcpy(tried + (size_t)2 * count, host_addresses + (size_t)2 * (unsigned)number, 2);
    atomic_store(&tried_count, count + 1);
    v4.sin_port = v6.sin6_port = port_of(host_addresses[2 * number], to);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6.sin6_addr), 1);
    return to->sa_family == AF_INET ? real(fd, (struct sockaddr *)&v4, sizeof v4)
                                    : real(fd, (struct sockaddr *)&v6, sizeof v6);
}

/* ---- The tests ---- */

static in_port_t port_at(int fd)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;

    CHECK_INT(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    return at.sin_port;
}

/* A port whose queue is full answers no SYN (Linux). The queue stays full, because nothing accepts. */
static void make_silent_port(void)
{
    enum { FILLERS = 4 };
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK_INT(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_INT(listen(listener, 0), 0);
    silent_port = at.sin_port = port_at(listener);
    for (int i = 0; i < FILLERS; i++)
        (void)connect(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), (struct sockaddr *)&at,
                      sizeof at);
}

static void begin(const char *addresses)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    CHECK_INT(unsetenv("http_proxy"), 0);
    CHECK_INT(bind(fd, (struct sockaddr *)&at, sizeof at), 0); /* bound, but not listening */
    refused_port = port_at(fd);
    make_silent_port();
    host_addresses = addresses;
    memset(tried, 0, sizeof tried);
    atomic_store(&tried_count, 0);
}

static const char *uri_of_many(void)
{
    static char uri[PEER_URI_BYTES];

    (void)snprintf(uri, sizeof uri, "ws://many.example%s/s/echo", strrchr(peer_env("CW_SCRIPT_WS"), ':'));
    return uri;
}

/* Connects in much less time than connect_timeout divided by the number of addresses. order has the expected attempts. */
static void reaches(const char *addresses, const char *order)
{
    int64_t begun_ms = cw__now_ms();
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    char address[64];

    begin(addresses);
    CHECK_STATUS(peer_try_connect(s, uri_of_many(), LONG_MS), CW_OK);
    CHECK(cw__now_ms() - begun_ms < (int64_t)strlen(addresses) / 2 * DELAY_MS + SLACK_MS);
    CHECK_STR(tried, order);
    for (unsigned i = 0; i < atomic_load(&tried_count); i++)
        CHECK(pending_at[i] < AT_ONCE);
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_REMOTE_ADDRESS, address, sizeof address, NULL), CW_OK);
    CHECK_HAS(address, "127.0.0.1");
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "hello", 5, CW_TIMEOUT_DEFAULT), CW_OK);
    peer_finish(s);
}

static void test_one(void) { reaches("l4", "l4"); }
static void test_one_dead(void) { reaches("d4l4", "d4l4"); }
static void test_refused_first(void) { reaches("r4r4r4l4", "r4r4r4l4"); }
static void test_families(void) { reaches("d4d4l4d6r6d6", "d6d4r6d4d6l4"); }
static void test_other_family(void) { reaches("d6d6d6l6d4", "d6d4d6d6l6"); }
static void test_mixed(void) { reaches("d4r4d4r4d4l4", "d4r4d4r4d4l4"); }

/* Earlier attempts continue, so that a slow one can still win. The seventh attempt replaces the oldest. */
static void test_many_dead(void)
{
    reaches("d4d4d4d4d4d4d4d4l4", "d4d4d4d4d4d4d4d4l4");
    for (unsigned i = 0; i < 9; i++)
        CHECK_INT(pending_at[i], i < AT_ONCE ? i : AT_ONCE - 1);
}

static void test_all_refused(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    begin("r4r6r4r6");
    CHECK_STATUS(peer_try_connect(s, uri_of_many(), LONG_MS), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_CannotConnect);
    CHECK_INT(cw_error_curl_code(), 7);
    CHECK_INT(cw_error_os_errno(), ECONNREFUSED);
    if (curl_version_info(CURLVERSION_NOW)->version_num < 0x081400)
        CHECK_STR(tried, "r6r4r6r4");
    else /* libcurl's own race: on a busy machine it sees both refusals of IPv6 before it tries IPv4 */
        CHECK_INT(atomic_load(&tried_count), 4);
    peer_finish(s);
}

/* connect_timeout limits all attempts together. The socket can connect again afterwards. */
static void test_all_silent(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    int before;

    begin("d4d4d4d4d4d4d4d4d4d4d4d4d4d4");
    before = socket_count();
    CHECK_STATUS(peer_try_connect(s, uri_of_many(), 10 * DELAY_MS), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
    CHECK(atomic_load(&tried_count) >= 2 && atomic_load(&tried_count) <= 11);
    cw_shutdown(5000);
    CHECK_INT(socket_count(), before); /* no attempt is left */
    host_addresses = "l4";
    CHECK_STATUS(peer_try_connect(s, uri_of_many(), LONG_MS), CW_OK);
    peer_finish(s);
}

static void test_cancelled(void)
{
    const char *uri;
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    begin("d4d4d4");
    uri = uri_of_many();
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), LONG_MS), CW_OK);
    UNTIL(atomic_load(&tried_count) == 2);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_OperationCanceled);
    peer_finish(s);
}

/* The service thread serves other sockets meanwhile. */
static void test_others_go_on(void)
{
    cw_socket *other = peer_open(CW_MESSAGE_SOCKET, peer_script("echo")), *s = peer_socket(CW_MESSAGE_SOCKET);
    const char *uri;

    begin("d4d4d4l4");
    uri = uri_of_many();
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), LONG_MS), CW_OK);
    while (atomic_load(&tried_count) < 3)
        CHECK_STATUS(cw_socket_ping(other, CW_TIMEOUT_DEFAULT, NULL), CW_OK);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_OK);
    peer_drop(other);
    peer_finish(s);
}

/* The addresses of a proxy are tried in the same way. */
static void test_proxy(void)
{
    static const char uri[] = "ws://behind.example:1/", granted[] = "HTTP/1.1 200 Go\r\n\r\n";
    raw_peer peer = {.s = peer_socket(CW_MESSAGE_SOCKET)};
    int listener = raw_listen(peer.uri);
    char proxy[64];
    size_t len = 0;

    begin("d6r6d4l4");
    (void)snprintf(proxy, sizeof proxy, "http://many.example%s", strrchr(peer.uri, ':'));
    CHECK_INT(setenv("http_proxy", proxy, 1), 0);
    CHECK_INT(unsetenv("no_proxy"), 0);
    CHECK_INT(unsetenv("NO_PROXY"), 0);
    CHECK_STATUS(cw_socket_connect_start(peer.s, uri, strlen(uri), LONG_MS), CW_OK);
    peer.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (len < 4 || memcmp(peer.buffer + len - 4, "\r\n\r\n", 4) != 0) {
        CHECK_INT(recv(peer.fd, peer.buffer + len, 1, 0), 1);
        len++;
    }
    CHECK(memcmp(peer.buffer, "CONNECT behind.example:1 ", 25) == 0);
    raw_write(&peer, granted, sizeof granted - 1);
    raw_answer(&peer);
    CHECK_STATUS(cw_socket_wait_connected(peer.s, CW_TIMEOUT_NEVER), CW_OK);
    CHECK_STR(tried, "d6d4r6l4");
    (void)close(listener);
    raw_finish(&peer);
}

/* RFC 4007 section 11: the zone of an address, of the server or of a proxy, works with every libcurl. */
static void test_zone(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    begin("");
    CHECK_STATUS(peer_try_connect(s, "ws://[fe80::1%25lo]:1/", LONG_MS), CW_CONNECT_FAILED);
    CHECK_INT(atomic_exchange(&zone, 0), if_nametoindex("lo"));
    CHECK_INT(setenv("http_proxy", "http://[fe80::1%25lo]:1", 1), 0);
    CHECK_STATUS(peer_try_connect(s, "ws://behind.example/", LONG_MS), CW_CONNECT_FAILED);
    CHECK_INT(atomic_exchange(&zone, 0), if_nametoindex("lo"));
    CHECK_HAS(cw_error_message(), "the proxy [fe80::1%25lo]:1");
    peer_finish(s);
}

static const harness_test tests[] = {
    {"one address", test_one},
    {"a silent address before the live one", test_one_dead},
    {"refused addresses before the live one", test_refused_first},
    {"silent and refused addresses before the live one", test_mixed},
    {"RFC 8305 4: the families take turns", test_families},
    {"RFC 8305 4: the live one is IPv6", test_other_family},
    {"RFC 8305 5: the earlier attempts go on, six at most", test_many_dead},
    {"every address refuses", test_all_refused},
    {"every address is silent", test_all_silent},
    {"cancelled while addresses are tried", test_cancelled},
    {"other sockets are served while addresses are tried", test_others_go_on},
    {"a proxy with silent addresses", test_proxy},
    {"an address with a zone", test_zone},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of redirecting.c, of guard.c and of the loop in connect.c: connects that follow redirects of the scripted server.
 * tests/python/test_redirects.py tests what each server gets. */
#include "peer.h"
#include "process.h"

#include "transport/transport.h"

enum { LOCATION_BYTES = 20000 };

/* Returns the URI of a server that redirects to a URI, which may be peer_uri. */
static const char *redirect_to(const char *uri, int http_status)
{
    static char head[LOCATION_BYTES];
    static char hex[2 * LOCATION_BYTES + 1];

    (void)snprintf(head, sizeof head, "HTTP/1.1 %d Go\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                   http_status, uri);
    for (size_t i = 0; head[i]; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", (unsigned char)head[i]);
    return peer_script("hs:%s/end", hex);
}

static cw_socket *following(cw_follow mode)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FOLLOW_LOCATION, mode), CW_OK);
    return s;
}

static const char *effective(cw_socket *s)
{
    static char text[PEER_URI_BYTES];

    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_EFFECTIVE_URI, text, sizeof text, NULL), CW_OK);
    return text;
}

static void test_statuses(void)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    char target[PEER_URI_BYTES], text[PEER_URI_BYTES];

    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        cw_socket *s = following(CW_FOLLOW_ALL);
        (void)strcpy(target, peer_script("x:810161/echo"));
        peer_connect(s, redirect_to(target, statuses[i]));
        CHECK_STR(effective(s), target);
        CHECK_STATUS(cw_socket_get_info(s, CW_INFO_URI, text, sizeof text, NULL), CW_OK);
        CHECK_STR(text, peer_uri);
        CHECK_MESSAGE(s, CW_UTF8, "a", 1);
        CHECK_STATUS(cw_socket_send(s, CW_UTF8, "b", 1, CW_TIMEOUT_DEFAULT), CW_OK);
        CHECK_MESSAGE(s, CW_UTF8, "b", 1);
        peer_finish(s);
    }
}

/* Other statuses of redirects are errors in each mode. So is every status by default. */
static void test_not_followed(void)
{
    static const struct {
        int http_status, web_status;
        cw_follow mode;
    } rows[] = {{300, CW_WEB_MultipleChoices, CW_FOLLOW_ALL},
                {304, CW_WEB_NotModified, CW_FOLLOW_ALL},
                {305, CW_WEB_UseProxy, CW_FOLLOW_ALL},
                {306, CW_WEB_UnexpectedRedirection, CW_FOLLOW_ALL},
                {309, CW_WEB_UnexpectedRedirection, CW_FOLLOW_SAFE},
                {301, CW_WEB_MovedPermanently, CW_FOLLOW_NONE},
                {308, CW_WEB_UnexpectedRedirection, CW_FOLLOW_NONE}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw_socket *s = following(rows[i].mode);
        CHECK_STATUS(peer_try_connect(s, redirect_to("/", rows[i].http_status), CW_TIMEOUT_DEFAULT),
                     CW_CONNECT_FAILED);
        CHECK_INT(cw_error_http_status(), rows[i].http_status);
        CHECK_INT(cw_error_web_status(), rows[i].web_status);
        CHECK_HAS(cw_error_message(), rows[i].mode == CW_FOLLOW_NONE
                                          ? "it redirects; set follow_location, or connect to"
                                          : "it redirects; connect to the address in its Location header");
        CHECK_INT(cw_error_option(), rows[i].mode == CW_FOLLOW_NONE ? CW_OPT_FOLLOW_LOCATION : CW_OPTION_NONE);
        CHECK_STR(effective(s), peer_uri);
        peer_finish(s);
    }
}

/* Returns a URI that redirects to itself. */
static const char *circle(void) { return redirect_to("?id=circle", 302); }

static void test_limit(void)
{
    for (int most = 0; most <= 3; most++) {
        char words[80];
        cw_socket *s = following(CW_FOLLOW_SAFE);
        CHECK_STATUS(cw_socket_set_number(s, CW_OPT_MAX_REDIRS, most), CW_OK);
        CHECK_STATUS(peer_try_connect(s, circle(), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
        CHECK_INT(cw_error_web_status(), CW_WEB_RedirectFailed);
        CHECK_INT(cw_error_http_status(), 302);
        CHECK_INT(cw_error_option(), CW_OPT_MAX_REDIRS);
        (void)snprintf(words, sizeof words, "with HTTP status 302 after %d redirects", most);
        CHECK_HAS(cw_error_message(), words);
        CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
        peer_finish(s);
    }
}

/* A failure after a redirect names the URI that failed, without its query; the socket may connect again. */
static void test_failure(void)
{
    char target[256], words[300];
    cw_socket *s = following(CW_FOLLOW_ALL);

    (void)strcpy(target, peer_script("hs:%s/end", peer_hex("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")));
    CHECK_STATUS(peer_try_connect(s, redirect_to(target, 302), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Unauthorized);
    (void)snprintf(words, sizeof words, "(after 1 redirect, at %.60s", target);
    CHECK_HAS(cw_error_message(), words);
    CHECK(!strstr(cw_error_message(), "?id="));
    CHECK(!strstr(cw_error_message(), "another origin"));
    CHECK_STR(effective(s), target);
    peer_connect(s, peer_script("echo"));
    CHECK_STR(effective(s), peer_uri);
    peer_finish(s);
}

static void test_timeout(void)
{
    char target[256];
    cw_socket *s = following(CW_FOLLOW_ALL);

    (void)strcpy(target, peer_script("hs:/hang"));
    CHECK_STATUS(peer_try_connect(s, redirect_to(target, 302), 5000), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
    CHECK_HAS(cw_error_message(), "not connected within 5 s");
    CHECK_HAS(cw_error_message(), "(after 1 redirect, at ws://127.0.0.1:");
    peer_finish(s);
}

static bool has_followed(cw_socket *s)
{
    bool has;

    cw__mutex_lock(&s->lock);
    has = s->effective_uri != NULL;
    cw__mutex_unlock(&s->lock);
    return has;
}

/* Starts a connect that waits in its second request. */
static cw_socket *in_the_middle(void)
{
    char target[256];
    cw_socket *s = following(CW_FOLLOW_ALL);
    const char *uri;

    (void)strcpy(target, peer_script("hs:/hang"));
    uri = redirect_to(target, 302);
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_NEVER), CW_OK);
    UNTIL(has_followed(s));
    return s;
}

static void test_cancel(void)
{
    cw_socket *s = in_the_middle();

    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_OperationCanceled);
    CHECK_STR(cw_error_message(),
              "connecting was cancelled by this program: make a new socket to connect again");
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
    peer_finish(s);
    peer_finish(in_the_middle()); /* released while it connects */
}

static cw_socket *parents;

static void in_child(void)
{
    CHECK_STATUS(cw_socket_wait_connected(parents, CW_TIMEOUT_NEVER), CW_AFTER_FORK);
    cw_socket_release(parents);
    if (UNDER_TSAN) /* ThreadSanitizer allows no thread after fork */
        return;
    parents = following(CW_FOLLOW_ALL);
    peer_connect(parents, redirect_to(peer_env("CW_ECHO_WS"), 302));
    peer_finish(parents);
}

static void test_fork(void)
{
    parents = in_the_middle();
    CHECK_INT(status_of_child(in_child), 0);
    CHECK_STATUS(cw_socket_wait_connected(parents, 0), CW_TIMED_OUT);
    peer_finish(parents);
}

static const char *first_uri;

static bool redirected_life(void *unused)
{
    cw_socket *s = NULL;
    cw_status status = cw_socket_create(CW_MESSAGE_SOCKET, &s);

    (void)unused;
    if (status == CW_OK)
        status = cw_socket_set_number(s, CW_OPT_FOLLOW_LOCATION, CW_FOLLOW_SAFE);
    if (status == CW_OK)
        status = cw_socket_set_request_header(s, "X-A", 3, "1", 1);
    if (status == CW_OK)
        status = peer_try_connect(s, first_uri, CW_TIMEOUT_DEFAULT);
    if (status != CW_OK)
        CHECK_STATUS(status, CW_NO_MEMORY);
    cw_socket_release(s);
    cw_shutdown(5000);
    return status == CW_OK;
}

static void test_no_memory(void)
{
    static char uri[PEER_URI_BYTES], other[PEER_URI_BYTES];
    const char *port = strrchr(peer_env("CW_ECHO_WS"), ':');

    (void)snprintf(other, sizeof other, "ws://localhost%s/", port); /* another origin */
    (void)strcpy(uri, redirect_to(other, 302));
    (void)strcpy(uri, redirect_to(uri, 302)); /* and the same origin before it */
    first_uri = uri;
    each_allocation_fails(redirected_life, NULL);
}

/* A reply that ends in its headers may have lost its Location. */
static void test_cut(void)
{
    cw_socket *s = following(CW_FOLLOW_ALL);

    CHECK_STATUS(peer_try_connect(s, peer_script("hs:%s/end", peer_hex("HTTP/1.1 302 Go\r\nLocation: /s\r\n")),
                                  CW_TIMEOUT_DEFAULT),
                 CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Found);
    CHECK_STR(effective(s), peer_uri);
    peer_finish(s);
}

/* libcurl's parser refuses some hosts that ours accepts. */
static void test_bad_host(void)
{
    cw_socket *s = following(CW_FOLLOW_ALL);

    CHECK_STATUS(peer_try_connect(s, redirect_to("http://[::1:2:3:4:5:6:7:8:9]/", 302), CW_TIMEOUT_DEFAULT),
                 CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_RedirectFailed);
    CHECK_INT(cw_error_http_status(), 302);
    CHECK_HAS(cw_error_message(), "to a place that cannot be used (the host in [ ] is not an IPv6 address");
    peer_finish(s);
}

/* The address of the attempt counts, and what is not an IP address is on this machine. */
static void test_guard(void)
{
    static const struct {
        const char *address;
        cw__address_space space;
    } rows[] = {{"127.0.0.1", CW__SPACE_LOCAL},  {"::1", CW__SPACE_LOCAL},
                {"10.0.0.1", CW__SPACE_PRIVATE}, {"fd00::1", CW__SPACE_PRIVATE},
                {"8.8.8.8", CW__SPACE_PUBLIC},   {"2606:4700::1", CW__SPACE_PUBLIC}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int least = CW__SPACE_LOCAL; least <= CW__SPACE_PUBLIC; least++) {
            struct sockaddr_storage to = {.ss_family = AF_INET};
            struct sockaddr_in *v4 = (struct sockaddr_in *)&to;
            struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to;
            if (inet_pton(AF_INET, rows[i].address, &v4->sin_addr) != 1) {
                to.ss_family = AF_INET6;
                CHECK_INT(inet_pton(AF_INET6, rows[i].address, &v6->sin6_addr), 1);
            }
            CHECK_INT(cw__guard_allows((cw__address_space)least, (struct sockaddr *)&to),
                      (int)rows[i].space >= least);
            to.ss_family = AF_UNIX;
            CHECK_INT(cw__guard_allows((cw__address_space)least, (struct sockaddr *)&to),
                      least == CW__SPACE_LOCAL);
        }
}

static const harness_test tests[] = {
    {"each status that is followed", test_statuses},
    {"statuses and modes that are not followed", test_not_followed},
    {"max_redirs", test_limit},
    {"a failure after a redirect", test_failure},
    {"connect_timeout limits all requests together", test_timeout},
    {"cancelled in the second request", test_cancel},
    {"fork in the second request", test_fork},
    {"no memory", test_no_memory},
    {"a redirect that is cut", test_cut},
    {"a host that libcurl refuses", test_bad_host},
    {"how public an address must be", test_guard},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

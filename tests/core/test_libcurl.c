/* SPDX-License-Identifier: MIT */
/* Tests of libcurl.c: the versions; the loaded library is accepted; others are refused. The linker's --wrap replaces
 * libcurl's curl_version_info and curl_global_init by functions here, which works with a static libcurl too. Also tests
 * what a build of libcurl must have for later calls. Needs no peer. */
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "transport/transport.h"

curl_version_info_data *real_version_info(CURLversion age) __asm__("__real_curl_version_info");
curl_version_info_data *play_version_info(CURLversion age) __asm__("__wrap_curl_version_info");
CURLcode real_global_init(long flags) __asm__("__real_curl_global_init");
CURLcode play_global_init(long flags) __asm__("__wrap_curl_global_init");

static const char *const *protocols; /* protocols of the simulated library; NULL = the real library */
static unsigned version_num;
static CURLcode init_code;

curl_version_info_data *play_version_info(CURLversion age)
{
    static curl_version_info_data played;

    if (!protocols)
        return real_version_info(age);
    played = *real_version_info(age);
    played.version = "0.0.0";
    played.version_num = version_num;
    played.protocols = protocols;
    return &played;
}

CURLcode play_global_init(long flags) { return init_code ? init_code : real_global_init(flags); }

static void test_versions(void)
{
    unsigned major = 0, minor = 0, patch = 0;

    CHECK_STR(cw_version(), CW_VERSION);
    CHECK_STR(cw_libcurl_version(), curl_version_info(CURLVERSION_NOW)->version);
    CHECK_INT(sscanf(cw_libcurl_version(), "%u.%u.%u", &major, &minor, &patch), 3);
    CHECK(major * 10000 + minor * 100 + patch >= 81401);
}

static void test_check(void)
{
    CHECK_INT(cw_check_libcurl(), CW_OK);
    CHECK_INT(cw__libcurl_init(), CW_OK);
    CHECK_INT(cw__libcurl_init(), CW_OK); /* libcurl is started only once */
}

static void check_refused(unsigned number, const char *const *speaks, const char *why)
{
    cw_socket *s;

    version_num = number;
    protocols = speaks;
    CHECK_INT(cw_check_libcurl(), CW_UNSUPPORTED);
    CHECK(strstr(cw_error_message(), why) != NULL);
    CHECK_INT(cw__libcurl_init(), CW_UNSUPPORTED);
    CHECK_INT(cw_socket_create(CW_MESSAGE_SOCKET, &s), CW_OK);
    CHECK_INT(cw_socket_connect(s, "ws://127.0.0.1:9/", 17, 1000), CW_UNSUPPORTED);
    CHECK(strstr(cw_error_message(), why) != NULL);
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    cw_socket_release(s);
    protocols = NULL;
}

static void test_refused(void)
{
    static const char *const both[] = {"http", "ws", "wss", NULL}, *const plain[] = {"ws", NULL};
    static const char *const neither[] = {"http", "https", NULL};

    check_refused(0x080e00, both, "needs 8.14.1");
    check_refused(0x080e01, plain, "without wss:");
    check_refused(0x081600, neither, "without ws and wss:");
    CHECK_INT(cw_check_libcurl(), CW_OK);
}

static void test_init_fails(void)
{
    init_code = CURLE_FAILED_INIT;
    CHECK_INT(cw__libcurl_init(), CW_UNSUPPORTED);
    CHECK(strstr(cw_error_message(), "cannot start") != NULL);
    init_code = CURLE_OK; /* the check was made once, and its result stays */
    CHECK_INT(cw__libcurl_init(), CW_UNSUPPORTED);
}

static int client_end; /* of a connection that libcurl gets */

static curl_socket_t give_end(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)data, (void)purpose, (void)address;
    return client_end;
}

static int say_connected(void *data, curl_socket_t fd, curlsocktype purpose)
{
    (void)data, (void)fd, (void)purpose;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* A host may set cookies for its own domain, but not for a suffix under which others have names too. */
static void test_public_suffix(void)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nSet-Cookie: own=1; Domain=example.co.uk\r\n"
                                "Set-Cookie: wide=1; Domain=co.uk\r\nContent-Length: 0\r\n\r\n";
    struct curl_slist *address = curl_slist_append(NULL, "www.example.co.uk:80:127.0.0.1"), *cookies = NULL;
    CURL *easy = curl_easy_init();
    int ends[2];

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    client_end = ends[1];
    CHECK_INT(write(ends[0], reply, sizeof reply - 1), sizeof reply - 1);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_URL, "http://www.example.co.uk/"), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_RESOLVE, address), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_PROXY, ""), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, give_end), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, say_connected), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_COOKIEFILE, ""), CURLE_OK);
    CHECK_INT(curl_easy_perform(easy), CURLE_OK);
    CHECK_INT(curl_easy_getinfo(easy, CURLINFO_COOKIELIST, &cookies), CURLE_OK);
    CHECK(cookies && strstr(cookies->data, "own") && !cookies->next);
    curl_slist_free_all(cookies);
    curl_slist_free_all(address);
    curl_easy_cleanup(easy);
    (void)close(ends[0]);
}

static size_t keep_part(char *data, size_t size, size_t count, void *user)
{
    (void)strncat(user, data, size * count);
    return size * count;
}

/* libcurl keeps the body of a refusal, if this build can do that, and answers no challenge within the transfer. */
static void test_refusal(void)
{
    static const char reply[] = "HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n"
                                "Content-Length: 2\r\n\r\nno";
    struct curl_slist *address = curl_slist_append(NULL, "server.test:80:127.0.0.1");
    CURL *easy = curl_easy_init();
    char request[2048] = "", body[16] = "";
    ssize_t got;
    int ends[2];

    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    client_end = ends[1];
    CHECK_INT(write(ends[0], reply, sizeof reply - 1), sizeof reply - 1);
    CHECK_INT(shutdown(ends[0], SHUT_WR), 0); /* a second request gets no reply */
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_URL, "ws://server.test/"), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 2L), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_RESOLVE, address), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_PROXY, ""), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, give_end), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, say_connected), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_DIGEST), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_USERPWD, "user:password"), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep_part), CURLE_OK);
    CHECK_INT(curl_easy_setopt(easy, CURLOPT_WRITEDATA, body), CURLE_OK);
#ifdef CW_LIBCURL_KEEPS_BODY
    CHECK_INT(curl_easy_perform(easy), CURLE_OK);
    CHECK_STR(body, "no");
#else
    CHECK_INT(curl_easy_perform(easy), CURLE_HTTP_RETURNED_ERROR);
    CHECK_STR(body, "");
#endif
    curl_easy_cleanup(easy); /* closes ends[1] */
    got = read(ends[0], request, sizeof request - 1);
    CHECK(got > 0 && strncmp(request, "GET / ", 6) == 0 && !strstr(request + 1, "GET /"));
    curl_slist_free_all(address);
    (void)close(ends[0]);
}

static const harness_test tests[] = {
    {"the versions", test_versions},
    {"the loaded libcurl is accepted", test_check},
    {"a libcurl that is too old, or lacks ws or wss, is refused", test_refused},
    {"a cookie for a public suffix is refused", test_public_suffix},
    {"libcurl keeps the body of a refusal, and answers no challenge", test_refusal},
    {"a libcurl that cannot start is refused", test_init_fails},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of login.c and of netrc_file.c in connects. Each of the core's allocations fails in turn. The rest is in
 * tests/python/test_login.py, with real servers. */
#include "peer.h"

static char netrc_path[64], uri[PEER_URI_BYTES];
static const char *token;
static cw_http_auth http_auth;

static bool life(void *unused)
{
    cw_socket *s = NULL;
    cw_status status = cw_socket_create(CW_MESSAGE_SOCKET, &s);

    (void)unused;
    if (status == CW_OK)
        status = cw_socket_set_text(s, CW_OPT_NETRC_FILE, netrc_path, strlen(netrc_path));
    if (status == CW_OK)
        status = cw_socket_set_text(s, CW_OPT_XOAUTH2_BEARER, token, strlen(token));
    if (status == CW_OK)
        status = cw_socket_set_number(s, CW_OPT_HTTP_AUTH, http_auth);
    if (status == CW_OK)
        status = peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT);
    if (status != CW_OK)
        CHECK_STATUS(status, CW_NO_MEMORY);
    cw_socket_release(s);
    cw_shutdown(5000);
    return status == CW_OK;
}

static void write_netrc(void)
{
    FILE *file;

    (void)snprintf(netrc_path, sizeof netrc_path, "/tmp/curlwire-netrc-%d", (int)getpid());
    file = fopen(netrc_path, "w");
    CHECK(file &&
          fprintf(file, "machine 127.0.0.1 login user password \"%s\"\n", peer_env("CW_LOGIN_PASSWORD")) > 0);
    CHECK_INT(fclose(file), 0);
}

static void test_digest(void)
{
    write_netrc();
    http_auth = CW_HTTP_AUTH_DIGEST;
    token = "";
    (void)snprintf(uri, sizeof uri, "ws://us%%65r@%s/digest/",
                   strstr(peer_env("CW_LOGIN_APACHE_WS"), "//") + 2);
    each_allocation_fails(life, NULL);
    (void)unlink(netrc_path);
}

static void test_bearer(void)
{
    token = "token";
    (void)strcpy(uri, peer_script("echo"));
    each_allocation_fails(life, NULL);
}

static void test_refused(void)
{
    cw_socket *s = peer_socket(CW_STREAM_SOCKET);

    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_HTTP_AUTH, CW_HTTP_AUTH_NTLM), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_ECHO_WS"), CW_TIMEOUT_DEFAULT), CW_UNSUPPORTED);
    CHECK_HAS(cw_error_message(), "http_auth cannot be \"ntlm\": its three messages need one connection");
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_HTTP_AUTH, CW_HTTP_AUTH_BASIC), CW_OK);
    peer_connect(s, peer_env("CW_ECHO_WS"));
    peer_finish(s);
}

/* With `any`, Basic goes to another machine over wss only. */
static void test_any(void)
{
    static const char target[] = "192.0.2.1::127.0.0.1:";
    const char *port = strrchr(peer_env("CW_LOGIN_NGINX_WS"), ':') + 1;
    const char *const hosts[] = {"127.0.0.1", "localhost", "192.0.2.1"};

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
        const char *password = peer_env("CW_LOGIN_PASSWORD");
        CHECK_STATUS(cw_socket_set_number(s, CW_OPT_HTTP_AUTH, CW_HTTP_AUTH_ANY), CW_OK);
        CHECK_STATUS(
            cw_socket_set_credential(s, CW_OPT_SERVER_CREDENTIAL, "user", 4, password, strlen(password)),
            CW_OK);
        CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CONNECT_TO, target, strlen(target)), CW_OK);
        (void)snprintf(uri, sizeof uri, "ws://%s:%s/basic/", hosts[i], port);
        if (i < 2) {
            peer_connect(s, uri);
        } else {
            CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
            CHECK_HAS(cw_error_message(), "http_auth \"any\" sends no password over ws");
            CHECK_INT(cw_error_http_status(), 401);
        }
        peer_finish(s);
    }
}

static const harness_test tests[] = {{"no memory for a digest, and a file of passwords", test_digest},
                                     {"no memory for a token", test_bearer},
                                     {"NTLM", test_refused},
                                     {"any login over ws", test_any}};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

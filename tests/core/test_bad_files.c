/* SPDX-License-Identifier: MIT */
/* Tests of the controls that name files: each file that cannot be used makes the connect fail, with an error that names the
 * control. A new control for a file is tested without a change here, if a connect to a server with TLS, or through a proxy
 * with TLS, reads the file. */
#include "peer.h"

#include <sys/stat.h>

static char place[] = "/tmp/curlwire-files-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[PEER_URI_BYTES];

    (void)snprintf(path, sizeof path, "%s/%s", place, name);
    return path;
}

static void set(cw_socket *s, cw_option o, const char *path)
{
    CHECK_STATUS(cw_socket_set_text(s, o, path, strlen(path)), CW_OK);
}

static void set_of_folder(cw_socket *s, cw_option o, const char *name)
{
    char path[PEER_URI_BYTES];

    (void)snprintf(path, sizeof path, "%s/%s", peer_env("CW_TLS_FOLDER"), name);
    set(s, o, path);
}

static void expect_refusal(cw_option o, const char *path)
{
    char wanted[PEER_URI_BYTES + 64];
    cw_socket *s = peer_socket(CW_STREAM_SOCKET);

    if (o != CW_OPT_CA_FILE && o != CW_OPT_CA_PATH)
        set_of_folder(s, CW_OPT_CA_FILE, "ca.pem");
    if (o == CW_OPT_CLIENT_KEY)
        set_of_folder(s, CW_OPT_CLIENT_CERTIFICATE, "purpose.pem");
    if (o == CW_OPT_PROXY_CLIENT_KEY)
        set_of_folder(s, CW_OPT_PROXY_CLIENT_CERTIFICATE, "purpose.pem");
    set(s, o, path);
    CHECK_STATUS(peer_try_connect(s, peer_script_tls("echo/end"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    (void)snprintf(wanted, sizeof wanted, "%s '%s' cannot be used", cw_option_key(o), path);
    CHECK_HAS(cw_error_message(), wanted);
    CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
    CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    cw_socket_release(s);
}

/* Makes the TLS server the proxy of every connection, because only a connect through a proxy with TLS reads its files. */
static void use_proxy(void)
{
    char proxy[PEER_URI_BYTES];
    const char *host = strstr(peer_script_tls("end"), "://") + 3;

    (void)snprintf(proxy, sizeof proxy, "https://%.*s", (int)strcspn(host, "/"), host);
    CHECK_INT(setenv("all_proxy", proxy, 1), 0);
}

/* The other controls that are text are names, or have tests of their own: test_reach.c has those of reach.c,
 * test_tracing.c has trace_file, and test_cookies.c the files of cookies, which may be empty. */
static bool is_path(cw_option o)
{
    static const cw_option others[] = {CW_OPT_TLS_CIPHERS,      CW_OPT_TLS13_CIPHERS,        CW_OPT_TLS_GROUPS,
                                       CW_OPT_TLS_SERVER_NAME,  CW_OPT_USER_AGENT,           CW_OPT_ORIGIN,
                                       CW_OPT_UNIX_SOCKET_PATH, CW_OPT_ABSTRACT_UNIX_SOCKET, CW_OPT_INTERFACE,
                                       CW_OPT_DOH_URL,          CW_OPT_TRACE_FILE,           CW_OPT_COOKIE_FILE,
                                       CW_OPT_COOKIE_JAR};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (o == others[i])
            return false;
    return cw_option_type_of(o) == CW_TYPE_TEXT;
}

static void test_files(void)
{
    static const char *const names[] = {"nowhere", "empty", "empty/below", "text", "pipe", "."};
    FILE *text;

    CHECK(mkdtemp(place) != NULL);
    CHECK_INT(mkfifo(path_of("pipe"), 0600), 0);
    CHECK_INT(fclose(fopen(path_of("empty"), "w")), 0);
    text = fopen(path_of("text"), "w");
    CHECK(text && fputs("hello\n", text) >= 0 && fclose(text) == 0);
    for (int o = 0; o < CW_OPTION_COUNT; o++) {
        if (!is_path((cw_option)o))
            continue;
        if (strncmp(cw_option_key((cw_option)o), "proxy_", 6) == 0)
            use_proxy();
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            expect_refusal((cw_option)o, path_of(names[i]));
        CHECK_INT(unsetenv("all_proxy"), 0);
    }
    CHECK_INT(unlink(path_of("pipe")), 0);
    CHECK_INT(unlink(path_of("empty")), 0);
    CHECK_INT(unlink(path_of("text")), 0);
    CHECK_INT(rmdir(place), 0);
    cw_shutdown(5000);
}

static const harness_test tests[] = {{"files that cannot be used", test_files}};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

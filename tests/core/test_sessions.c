/* SPDX-License-Identifier: MIT */
/* Tests of sessions.c, and of the calls that tell about TLS and about the time of a connect: against a server with TLS. Run it
 * under ThreadSanitizer too: libcurl uses the store of sessions in each thread that reads. */
#include "peer.h"

#include "transport/transport.h"

static const char *uri_of(const char *name)
{
    static char uri[PEER_URI_BYTES];
    char word[64];
    const char *found;

    (void)snprintf(word, sizeof word, " %s=", name);
    (void)snprintf(uri, sizeof uri, " %s", peer_env("CW_TLS_PORTS"));
    found = strstr(uri, word);
    CHECK(found != NULL);
    {
        int port = atoi(found + strlen(word));
        (void)snprintf(uri, sizeof uri, "wss://localhost:%d/s/echo/end", port);
    }
    return uri;
}

static cw_socket *make(bool resumes)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    char path[PEER_URI_BYTES];

    (void)snprintf(path, sizeof path, "%s/ca.pem", peer_env("CW_TLS_FOLDER"));
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, path, strlen(path)), CW_OK);
    CHECK_STATUS(cw_socket_set_number(s, CW_OPT_TLS_SESSION_RESUMPTION, resumes), CW_OK);
    return s;
}

/* Sends a message and receives it, so that the tickets of the server have been read. */
static void talk(cw_socket *s)
{
    cw_event *e;

    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "x", 1, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_DEFAULT, &e), CW_OK);
    cw_event_free(e);
}

static void end(cw_socket *s)
{
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
    cw_socket_release(s);
}

static const char *fact(cw_socket *s, cw_info info)
{
    static char text[64];

    CHECK_STATUS(cw_socket_get_info(s, info, text, sizeof text, NULL), CW_OK);
    return text;
}

static void check_facts(cw_socket *s, const char *resumed)
{
    cw_timings t;

    CHECK_STR(fact(s, CW_INFO_TLS_VERSION), "TLSv1.3");
    CHECK_STR(fact(s, CW_INFO_TLS_CIPHER), "TLS_AES_256_GCM_SHA384");
    CHECK_STR(fact(s, CW_INFO_TLS_ALPN), "");
    CHECK_STR(fact(s, CW_INFO_TLS_RESUMED), resumed);
    CHECK_STATUS(cw_socket_get_timings(s, &t), CW_OK);
    CHECK(t.look_up_us >= 0 && t.tcp_us >= 0 && t.tls_us >= 0 && t.upgrade_us >= 0);
    CHECK_INT(t.proxy_us, CW_TIMING_NONE);
    CHECK(t.look_up_us + t.tcp_us + t.tls_us + t.upgrade_us <= t.total_us);
}

static void test_resumption(void)
{
    /* the server of these tests gives its very first connection a context of its own */
    static const char *const wanted[] = {"no", NULL, "yes", "no"};

    for (int i = 0; i < 4; i++) {
        cw_socket *s = make(i < 3);
        cw_timings t;
        CHECK_STR(fact(s, CW_INFO_TLS_VERSION), "");
        CHECK_STR(fact(s, CW_INFO_TLS_RESUMED), "");
        CHECK_STATUS(cw_socket_get_timings(s, &t), CW_OK);
        CHECK_INT(t.total_us, CW_TIMING_NONE);
        CHECK_STATUS(peer_try_connect(s, uri_of("good"), CW_TIMEOUT_DEFAULT), CW_OK);
        talk(s);
        if (wanted[i])
            check_facts(s, wanted[i]);
        cw_socket_abort(s);
        CHECK_STATUS(cw_socket_wait_closed(s, CW_TIMEOUT_NEVER), CW_OK);
        if (wanted[i])
            check_facts(s, wanted[i]); /* after the end too */
        cw_socket_release(s);
    }
    CHECK(cw__sessions() == cw__sessions());
    cw_shutdown(5000);
}

enum { THREADS = 4, CONNECTS = 6 };

static void *connect_often(void *uri)
{
    for (int i = 0; i < CONNECTS; i++) {
        cw_socket *s = make(true);
        CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_OK);
        talk(s);
        end(s);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    char uri[PEER_URI_BYTES];

    (void)snprintf(uri, sizeof uri, "%s", uri_of("good"));
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, connect_often, uri), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    cw_shutdown(5000);
}

/* A child has a store of its own, because its parent's may be in use at that moment. */
static void test_fork(void)
{
    CURLSH *ours = cw__sessions();
    pid_t child;
    int status;

    CHECK(ours != NULL);
    child = fork();
    if (child == 0) {
        cw__process_forked();
        _exit(cw__sessions() != ours && cw__sessions() ? 0 : 1);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    CHECK(cw__sessions() == ours);
}

static const harness_test tests[] = {{"a session is resumed", test_resumption},
                                     {"many threads use the store", test_threads},
                                     {"a child has a store of its own", test_fork}};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

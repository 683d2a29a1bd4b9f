/* SPDX-License-Identifier: MIT */
/* Tests of cookie_jar.c, cookie_file.c, cookies.c and cookie_control.c: the life of a jar, its files, threads, fork and a lack
 * of memory. test_cookie.c tests lines, and tests/python/test_cookies.py tests what hosts get. */
#include "peer.h"
#include "transport/transport.h"

#include <errno.h>
#include <sys/stat.h>

static char folder[] = "/tmp/curlwire-cookies-XXXXXX";

static const char *path_of(const char *name)
{
    static char paths[2][128];
    static unsigned turn;
    char *path = paths[turn++ % 2];

    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");

    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static const char *lines_of(cw_cookie_jar *j)
{
    static char lines[8192];
    size_t len_bytes = 0;

    CHECK_STATUS(cw_cookie_jar_get_lines(j, lines, sizeof lines, &len_bytes), CW_OK);
    CHECK_INT(len_bytes, strlen(lines));
    return lines;
}

static cw_cookie cookie_of(const char *name, const char *value, const char *domain)
{
    return (cw_cookie){.name = name,
                       .name_len_bytes = strlen(name),
                       .value = value,
                       .value_len_bytes = strlen(value),
                       .domain = domain,
                       .domain_len_bytes = strlen(domain),
                       .path = "/",
                       .path_len_bytes = 1};
}

static cw_status set(cw_cookie_jar *j, const char *name, const char *value)
{
    cw_cookie c = cookie_of(name, value, "127.0.0.1");

    return cw_cookie_jar_set(j, &c);
}

static cw_cookie_jar *made(const char *path)
{
    cw_cookie_jar *j;

    CHECK_STATUS(cw_cookie_jar_create(path, path ? strlen(path) : 0, &j), CW_OK);
    return j;
}

#define LINE(name, value) "127.0.0.1\tFALSE\t/\tFALSE\t0\t" name "\t" value "\n"

static void test_jar(void)
{
    cw_cookie_jar *j = made(NULL);
    size_t len_bytes = 0;
    char small[4];

    CHECK_STR(lines_of(j), "");
    CHECK_STATUS(set(j, "a", "1"), CW_OK);
    CHECK_STATUS(set(j, "b", "2"), CW_OK);
    CHECK_STATUS(set(j, "a", "3"), CW_OK);
    CHECK_STR(lines_of(j), LINE("b", "2") LINE("a", "3"));
    CHECK_STATUS(cw_cookie_jar_get_lines(j, small, sizeof small, &len_bytes), CW_OK);
    CHECK_STR(small, "127");
    CHECK_INT(len_bytes, strlen(LINE("b", "2") LINE("a", "3")));
    CHECK_STATUS(cw_cookie_jar_get_lines(j, NULL, 0, NULL), CW_OK);
    CHECK_STATUS(set(j, "a", "s3cret;"), CW_INVALID_ARGUMENT);
    CHECK(!strstr(cw_error_message(), "s3cret"));
    CHECK_STATUS(cw_cookie_jar_clear(j, true), CW_OK);
    CHECK_STR(lines_of(j), "");
    CHECK_STATUS(set(j, "a", "1"), CW_OK);
    CHECK_STATUS(cw_cookie_jar_clear(j, false), CW_OK);
    CHECK_STR(lines_of(j), "");
    CHECK_STATUS(cw_cookie_jar_save(j, "", 0), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_cookie_jar_save(j, "a\0b", 3), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_cookie_jar_load(j, "", 0), CW_INVALID_ARGUMENT);
    cw_cookie_jar_retain(j);
    cw_cookie_jar_release(j);
    cw_cookie_jar_release(j);
    cw_cookie_jar_retain(NULL);
    cw_cookie_jar_release(NULL);
}

static void test_files(void)
{
    cw_cookie_jar *j;
    struct stat about;

    CHECK(mkdtemp(folder) != NULL);
    write_file("jar", LINE("a", "1"));
    CHECK_INT(chmod(path_of("jar"), 0644), 0);
    j = made(path_of("jar"));
    CHECK_STR(lines_of(j), LINE("a", "1"));
    cw_cookie_jar_release(j); /* unchanged, so the file stays */
    CHECK(stat(path_of("jar"), &about) == 0 && (about.st_mode & 0777) == 0644);
    j = made(path_of("jar"));
    CHECK_STATUS(set(j, "b", "2"), CW_OK);
    cw_cookie_jar_release(j);
    CHECK(stat(path_of("jar"), &about) == 0 && (about.st_mode & 0777) == 0600);
    j = made(path_of("jar"));
    CHECK_STR(lines_of(j), LINE("a", "1") LINE("b", "2"));
    write_file("bad", LINE("c", "3") "s3cret\n");
    CHECK_STATUS(cw_cookie_jar_load(j, path_of("bad"), strlen(path_of("bad"))), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "cannot be used: line 2 does not have seven fields");
    CHECK(!strstr(cw_error_message(), "s3cret"));
    CHECK_STR(lines_of(j), LINE("a", "1") LINE("b", "2"));
    CHECK_STATUS(cw_cookie_jar_load(j, path_of("nowhere"), strlen(path_of("nowhere"))), CW_SYSTEM_ERROR);
    CHECK_INT(cw_error_os_errno(), ENOENT);
    CHECK_INT(mkfifo(path_of("pipe"), 0600), 0);
    CHECK_STATUS(cw_cookie_jar_save(j, path_of("pipe"), strlen(path_of("pipe"))), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "cannot be used: it is not a regular file");
    CHECK(stat(path_of("pipe"), &about) == 0 && S_ISFIFO(about.st_mode)); /* it was not replaced */
    CHECK_STATUS(cw_cookie_jar_load(j, "/dev/null", 9), CW_OK);           /* it is empty */
    CHECK_STATUS(cw_cookie_jar_save(j, "/dev/null", 9), CW_OK);
    CHECK(stat("/dev/null", &about) == 0 && S_ISCHR(about.st_mode));
    CHECK_STATUS(cw_cookie_jar_load(j, "/dev/zero", 9), CW_INVALID_ARGUMENT);
    CHECK_STATUS(cw_cookie_jar_save(j, "/dev/zero", 9), CW_INVALID_ARGUMENT);
    cw_cookie_jar_release(j);
    CHECK_INT(unlink(path_of("jar")) | unlink(path_of("bad")) | unlink(path_of("pipe")), 0);
    CHECK_INT(rmdir(folder), 0); /* no other file is left */
}

/* Reads, uses and writes a jar with files by a socket. */
static bool connect_once(void *arg)
{
    cw_cookie_jar *j = NULL;
    cw_socket *s = NULL;
    const char *uri = arg;
    cw_status status = cw_cookie_jar_create(path_of("jar"), strlen(path_of("jar")), &j);

    if (status == CW_OK)
        status = cw_socket_create(CW_MESSAGE_SOCKET, &s);
    if (status == CW_OK)
        status = set(j, "b", "2");
    if (status == CW_OK)
        status = cw_socket_set_cookie_jar(s, j);
    if (status == CW_OK)
        status = cw_cookie_jar_load(j, path_of("other"), strlen(path_of("other")));
    if (status == CW_OK)
        status = cw_cookie_jar_get_lines(j, NULL, 0, NULL);
    cw_cookie_jar_release(j); /* the socket keeps it */
    if (status == CW_OK)
        status = cw_socket_connect(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT);
    CHECK(status == CW_OK || status == CW_NO_MEMORY);
    if (s)
        cw_socket_abort(s);
    cw_socket_release(s);
    (void)cw_shutdown(0);
    return status == CW_OK;
}

static void test_no_memory(void)
{
    char uri[PEER_URI_BYTES];

    CHECK(mkdtemp(folder) != NULL);
    write_file("jar", LINE("a", "1"));
    write_file("other", LINE("c", "3"));
    (void)snprintf(
        uri, sizeof uri, "%s",
        peer_script("hs:%s", peer_hex("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                      "Sec-WebSocket-Accept: {accept}\r\nSet-Cookie: d=4\r\n\r\n")));
    CHECK(connect_once(uri)); /* what is made once for a process is not counted */
    each_allocation_fails(connect_once, uri);
    CHECK_INT(unlink(path_of("jar")) | unlink(path_of("other")), 0);
    CHECK_INT(rmdir(folder), 0);
}

static void test_controls(void)
{
    cw_socket *s = peer_socket(CW_STREAM_SOCKET);
    cw_cookie_jar *j = made(NULL);
    char text[16];

    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_COOKIE_JAR, "/x", 2), CW_OK);
    CHECK_STATUS(cw_socket_set_cookie_jar(s, j), CW_OK);
    CHECK_STATUS(cw_socket_get_text(s, CW_OPT_COOKIE_JAR, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, "");
    CHECK(s->settings.jar == j);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_COOKIE_FILE, "/x", 2), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_script("end"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), "cookie_file is set beside a cookie jar");
    CHECK_INT(cw_error_option(), CW_OPT_COOKIE_FILE);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_COOKIE_JAR, "/", 1), CW_OK);
    CHECK(!s->settings.jar);
    CHECK_STATUS(peer_try_connect(s, peer_script("end"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), "cookie_file '/x' cannot be used: No such file");
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_COOKIE_FILE, "", 0), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_script("end"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_HAS(cw_error_message(), "cookie_jar '/' cannot be used: it is not a regular file");
    CHECK_INT(cw_error_option(), CW_OPT_COOKIE_JAR);
    CHECK_STATUS(cw_socket_set_cookie_jar(s, j), CW_OK);
    CHECK_STATUS(cw_socket_set_cookie_jar(s, NULL), CW_OK);
    CHECK(!s->settings.jar);
    CHECK_STATUS(cw_socket_set_cookie_jar(s, j), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_script("hang"), CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_set_cookie_jar(s, NULL), CW_INVALID_STATE);
    cw_cookie_jar_release(j);
    cw_socket_abort(s);
    cw_socket_release(s);
    (void)cw_shutdown(0);
}

/* The list of public suffixes keeps cookies from other sites, so a libcurl without it keeps none. */
static void test_libcurl_without_suffixes(void)
{
    curl_version_info_data info = *curl_version_info(CURLVERSION_NOW);

    CHECK_STATUS(cw__cookies_check_libcurl(&info), CW_OK);
    info.features &= ~CURL_VERSION_PSL;
    CHECK_STATUS(cw__cookies_check_libcurl(&info), CW_UNSUPPORTED);
    CHECK_HAS(cw_error_message(), "has no list of public suffixes (libpsl)");
}

static void test_fork(void)
{
    cw_cookie_jar *j = made(NULL);
    int status = 0;
    pid_t child;

    CHECK_STATUS(set(j, "a", "1"), CW_OK);
    cw__mutex_lock(&j->turn); /* as another thread of the parent might hold them */
    cw__mutex_lock(&j->locks[0]);
    cw__mutex_lock(&j->locks[1]);
    child = fork();
    if (child == 0) {
        cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
        cw_cookie_jar *own = made(NULL);
        CHECK_STATUS(set(j, "b", "2"), CW_AFTER_FORK);
        CHECK_STATUS(cw_cookie_jar_get_lines(j, NULL, 0, NULL), CW_AFTER_FORK);
        CHECK_STATUS(cw_cookie_jar_clear(j, false), CW_AFTER_FORK);
        CHECK_STATUS(cw_cookie_jar_load(j, "/x", 2), CW_AFTER_FORK);
        CHECK_STATUS(cw_cookie_jar_save(j, "/x", 2), CW_AFTER_FORK);
        CHECK_STATUS(cw_socket_set_cookie_jar(s, j), CW_AFTER_FORK);
        CHECK_STATUS(set(own, "b", "2"), CW_OK);
        cw_cookie_jar_release(j);
        cw_cookie_jar_release(own);
        cw_socket_release(s);
        harness_end(0);
    }
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_INT(status, 0);
    cw__mutex_unlock(&j->locks[1]);
    cw__mutex_unlock(&j->locks[0]);
    cw__mutex_unlock(&j->turn);
    CHECK_STR(lines_of(j), LINE("a", "1"));
    cw_cookie_jar_release(j);
}

static const char *threads_uri;

static void *connect_often(void *arg)
{
    for (int i = 0; i < 10; i++) {
        cw_socket *s = NULL;
        char name[16];
        (void)snprintf(name, sizeof name, "own%d", i);
        CHECK_STATUS(cw_socket_create(CW_MESSAGE_SOCKET, &s), CW_OK);
        CHECK_STATUS(set(arg, name, "1"), CW_OK);
        CHECK_STATUS(cw_socket_set_cookie_jar(s, arg), CW_OK);
        CHECK_STATUS(cw_socket_connect(s, threads_uri, strlen(threads_uri), CW_TIMEOUT_DEFAULT), CW_OK);
        CHECK_STATUS(cw_cookie_jar_get_lines(arg, NULL, 0, NULL), CW_OK);
        cw_socket_abort(s);
        cw_socket_release(s);
    }
    return NULL;
}

static void test_threads(void)
{
    cw_cookie_jar *j = made(NULL);
    pthread_t threads[3];
    cw_cookie c;
    size_t at_bytes = 0, count = 0;
    const char *lines;

    threads_uri =
        peer_script("hs:%s", peer_hex("HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                      "Sec-WebSocket-Accept: {accept}\r\nSet-Cookie: d=4; Path=/\r\n\r\n"));
    for (size_t i = 0; i < 3; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, connect_often, j), 0);
    for (size_t i = 0; i < 3; i++)
        CHECK_INT(pthread_join(threads[i], NULL), 0);
    lines = lines_of(j);
    while (cw_cookie_next(lines, strlen(lines), &at_bytes, &c))
        count++;
    CHECK_INT(count, 11);
    cw_cookie_jar_release(j);
    (void)cw_shutdown(0);
}

/* A slow disk: another thread writes the file of a jar, as `saving` says. A connect with a jar in memory, and a save elsewhere, do
 * not wait for that. */
static void test_slow_disk(void)
{
    cw_cookie_jar *j = made("");
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);
    char path[64];

    (void)snprintf(path, sizeof path, "/tmp/curlwire-elsewhere-%d", (int)getpid());
    cw__mutex_lock(&j->saving);
    CHECK_STATUS(set(j, "a", "1"), CW_OK);
    CHECK_STATUS(cw_socket_set_cookie_jar(s, j), CW_OK);
    peer_connect(s, peer_script("echo"));
    CHECK_STATUS(cw_cookie_jar_save(j, path, strlen(path)), CW_OK);
    cw__mutex_unlock(&j->saving);
    peer_finish(s);
    cw_cookie_jar_release(j);
    CHECK_INT(unlink(path), 0);
}

static const harness_test tests[] = {
    {"a jar in memory", test_jar},
    {"a jar with a file", test_files},
    {"the controls", test_controls},
    {"each allocation fails", test_no_memory},
    {"a libcurl without public suffixes keeps no cookies", test_libcurl_without_suffixes},
    {"a jar after fork", test_fork},
    {"threads share a jar", test_threads},
    {"a file that is written slowly", test_slow_disk},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

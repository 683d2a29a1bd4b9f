/* SPDX-License-Identifier: MIT */
/* Tests of pool.c and trust.c: which connections share the authorities that libcurl has read, which have their own, and
 * which multi is kept afterwards. If libcurl cannot receive natively, or reads the authorities for each connection,
 * every socket has a multi of its own, and the tests must pass too. */
#include "gate.h"
#include "process.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { AT_MOST = 16 };

static bool is_sharing(void) { return cw__codec_native_receives() && cw__libcurl_shares_trust(); }

static char uri[PEER_URI_BYTES];

static const char *path_of(const char *name)
{
    static char path[PEER_URI_BYTES];

    (void)snprintf(path, sizeof path, "%s/%s", peer_env("CW_TLS_FOLDER"), name);
    return path;
}

static cw_socket *make(const char *ca_path)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, ca_path, strlen(ca_path)), CW_OK);
    return s;
}

static cw_socket *open_made(cw_socket *s)
{
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_OK);
    return s;
}

static cw_socket *open_tls(void) { return open_made(make(path_of("ca.pem"))); }

/* Copies a file of the folder to a file of this test, which always has the same size. */
static const char *own_path(unsigned number)
{
    static char path[PEER_URI_BYTES];

    (void)snprintf(path, sizeof path, "/tmp/curlwire-%ld-%u.pem", (long)getpid(), number);
    return path;
}

static void write_own(unsigned number, const char *name)
{
    char text[8192];
    FILE *from = fopen(path_of(name), "r"), *to = fopen(own_path(number), "w");

    CHECK(from && to);
    memset(text, '\n', sizeof text);
    CHECK(fread(text, 1, sizeof text, from) > 0);
    CHECK(fwrite(text, 1, sizeof text, to) == sizeof text);
    CHECK_INT(fclose(from), 0);
    CHECK_INT(fclose(to), 0);
}

static void echo_once(cw_socket *s, size_t number)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, &number, sizeof number, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, &number, sizeof number);
}

static void close_now(cw_socket *s)
{
    echo_once(s, 1000);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    cw_socket_release(s);
}

static bool are_together(cw_socket *one, cw_socket *other) { return pool_of(one) == pool_of(other); }

/* ---- Which connections share ---- */

static void *open_elsewhere(void *unused)
{
    (void)unused;
    return open_tls();
}

static void test_threads_of_their_own(void)
{
    cw_socket *sockets[3] = {open_tls(), open_tls(), NULL},
              *plain = peer_open(CW_MESSAGE_SOCKET, peer_script(LIBCURLS));
    void *elsewhere;
    pthread_t thread;

    CHECK_INT(pthread_create(&thread, NULL, open_elsewhere, NULL), 0);
    CHECK_INT(pthread_join(thread, &elsewhere), 0);
    sockets[2] = elsewhere;
    CHECK_INT(are_together(sockets[0], sockets[1]), is_sharing());
    CHECK(!are_together(sockets[0], sockets[2]));
    CHECK(!are_together(sockets[0], plain));
    close_now(plain);
    for (size_t i = 0; i < 3; i++)
        close_now(sockets[i]);
    cw_shutdown(5000);
}

/* Gives a control the bytes of a file. With ca_data, there is no ca_file. */
static void set_data(cw_socket *s, cw_option o, const char *name)
{
    char text[8192];
    FILE *from = fopen(path_of(name), "r");
    size_t bytes = from ? fread(text, 1, sizeof text, from) : 0;

    CHECK(from && bytes > 0 && fclose(from) == 0);
    CHECK_STATUS(cw_socket_set_text(s, o, text, bytes), CW_OK);
    if (o == CW_OPT_CA_DATA)
        CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, NULL, 0), CW_OK);
}

/* Connections with authorities that libcurl does not share, or with libcurl's own frames. */
static void test_alone(void)
{
    enum { OTHER_FILE, REVOKED, CLIENT, CLIENT_DATA, DATA, IGNORED, NOT_VERIFIED, FRAMING, KINDS };
    cw_socket *first = open_tls(), *s;
    const char *crl;

    write_own(0, "ca.pem");
    for (int kind = 0; kind < KINDS; kind++) {
        s = make(kind == OTHER_FILE ? own_path(0) : path_of("ca.pem"));
        crl = path_of("crl.pem");
        if (kind == REVOKED)
            CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CRL_FILE, crl, strlen(crl)), CW_OK);
        else if (kind == CLIENT)
            CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CLIENT_CERTIFICATE, path_of("client-both.pem"),
                                            strlen(path_of("client-both.pem"))),
                         CW_OK);
        else if (kind == CLIENT_DATA)
            set_data(s, CW_OPT_CLIENT_CERTIFICATE_DATA, "client-both.pem");
        else if (kind == DATA)
            set_data(s, CW_OPT_CA_DATA, "ca.pem");
        else if (kind == IGNORED)
            CHECK_STATUS(cw_socket_set_text(s, CW_OPT_IGNORABLE_SERVER_CERTIFICATE_ERRORS, "InvalidName", 11),
                         CW_OK);
        else if (kind == NOT_VERIFIED)
            CHECK_STATUS(cw_socket_set_number(s, CW_OPT_VERIFY, 0), CW_OK);
        else if (kind == FRAMING)
            CHECK_STATUS(cw_socket_set_number(s, CW_OPT_FRAMING, CW_FRAMING_CURL), CW_OK);
        CHECK(!are_together(open_made(s), first));
        close_now(s);
    }
    CHECK_INT(unlink(own_path(0)), 0);
    close_now(first);
    cw_shutdown(5000);
}

/* The file is read again, even if its size and its time of modification are unchanged. */
static void test_changed_file(void)
{
    cw_socket *first, *s;
    struct stat before;

    write_own(0, "ca.pem");
    CHECK_INT(stat(own_path(0), &before), 0);
    first = open_made(make(own_path(0)));
    echo_once(first, 0);
    write_own(0, "other-ca.pem");
    CHECK_INT(utimensat(AT_FDCWD, own_path(0), (struct timespec[]){before.st_atim, before.st_mtim}, 0), 0);
    s = make(own_path(0));
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    cw_socket_release(s);
    write_own(0, "ca.pem");
    s = open_made(make(own_path(0)));
    CHECK(!are_together(s, first));
    CHECK_INT(unlink(own_path(0)), 0);
    close_now(s);
    close_now(first);
    cw_shutdown(5000);
}

static void test_many(void)
{
    enum { COUNT = AT_MOST + 2 };
    cw_socket *sockets[COUNT];

    for (size_t i = 0; i < COUNT; i++)
        sockets[i] = open_tls();
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_INT(are_together(sockets[i], sockets[0]), i == 0 || (is_sharing() && i < AT_MOST));
        echo_once(sockets[i], i);
    }
    for (size_t i = 0; i < COUNT; i++)
        close_now(sockets[i]);
    cw_shutdown(5000);
}

/* A refused certificate does not affect other connections that share. */
static void test_refused_beside(void)
{
    cw_socket *first = open_tls(), *s = make(path_of("ca.pem"));

    CHECK_STATUS(peer_try_connect(s, peer_env("CW_BADHOST_WSS"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    cw_socket_release(s);
    s = make(path_of("other-ca.pem"));
    CHECK_STATUS(peer_try_connect(s, uri, CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    cw_socket_release(s);
    echo_once(first, 1);
    close_now(first);
    cw_shutdown(5000);
}

/* ---- The multi that is kept ---- */

static void test_kept(void)
{
    cw_socket *s = open_tls(), *plain;
    const cw__pool *pool = pool_of(s);

    close_now(s);
    /* its pool takes the memory of a freed pool */
    plain = peer_open(CW_MESSAGE_SOCKET, peer_script(LIBCURLS));
    s = open_tls();
    if (is_sharing()) /* otherwise the multi is freed, and a new one may get its address */
        CHECK(pool_of(s) == pool);
    CHECK(!are_together(s, plain));
    close_now(plain);
    close_now(s);
    cw_shutdown(5000);
    CHECK_INT(cw__alloc_live(), 0);
}

/* The library keeps at most one pool without members, for the next connect. */
static void test_kept_once(void)
{
    cw_socket *first = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));
    int descriptors = 0, sockets;

    peer_wait_in_vain(first);
    sockets = socket_count();
    for (unsigned i = 0; i < 3; i++) {
        write_own(i, "ca.pem");
        close_now(open_made(make(own_path(i))));
        CHECK_INT(unlink(own_path(i)), 0);
        UNTIL(socket_count() == sockets); /* the service thread closes the socket meanwhile */
        if (i == 0)
            descriptors = descriptor_count();
        else
            UNTIL(descriptor_count() == descriptors);
    }
    close_now(first);
    cw_shutdown(5000);
    CHECK_INT(cw__alloc_live(), 0);
}

/* ---- Threads ---- */

enum { THREADS = 4, ROUNDS = 150 };

typedef struct job {
    cw_socket *s;
    size_t large_bytes;
} job;

static void *converse(void *argument)
{
    job *j = argument;
    uint8_t *large = calloc(1, j->large_bytes);

    CHECK(large != NULL);
    for (size_t i = 0; i < ROUNDS; i++) {
        echo_once(j->s, i);
        if (i % 16 == 0) {
            CHECK_STATUS(cw_socket_send(j->s, CW_BINARY, large, j->large_bytes, CW_TIMEOUT_DEFAULT), CW_OK);
            CHECK_MESSAGE(j->s, CW_BINARY, large, j->large_bytes);
        }
    }
    free(large);
    return NULL;
}

/* Each thread has a socket of its own, and all of these share. Meanwhile other sockets come and go. */
static void test_used_by_threads(void)
{
    job jobs[THREADS];
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        jobs[i] = (job){.s = open_tls(), .large_bytes = 100000 + i};
    for (size_t i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, converse, &jobs[i]), 0);
    for (size_t i = 0; i < 20; i++)
        close_now(open_tls());
    for (size_t i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_join(threads[i], NULL), 0);
        close_now(jobs[i].s);
    }
    cw_shutdown(5000);
}

/* As after a TLS handshake of another connection in the pool. */
static void test_never_waits(void)
{
    check_never_waits(open_tls());
    check_drop_never_waits(open_tls(), false);
    check_drop_never_waits(open_tls(), true);
    cw_shutdown(5000);
}

/* ---- Fork ---- */

static cw_socket *inherited;

static void child_opens_its_own(void)
{
    cw_socket_release(inherited);
    if (UNDER_TSAN) /* ThreadSanitizer allows no thread after fork */
        return;
    close_now(open_tls());
    cw_shutdown(5000);
}

/* The multis that the parent shares and keeps do not belong to the child. */
static void test_fork(void)
{
    cw_socket *other;

    close_now(open_tls());
    CHECK_INT(status_of_child(child_opens_its_own), 0); /* the parent keeps a multi */
    inherited = open_tls();
    CHECK_INT(status_of_child(child_opens_its_own), 0);
    other = open_tls();
    CHECK_INT(are_together(inherited, other), is_sharing());
    close_now(other);
    close_now(inherited);
    cw_shutdown(5000);
}

static const harness_test tests[] = {
    {"connects of one thread share, others do not", test_threads_of_their_own},
    {"not shared: another ca_file, a crl_file, a client certificate, verify off, libcurl's framing",
     test_alone},
    {"a ca_file that changes", test_changed_file},
    {"18 connections of one thread", test_many},
    {"a refused connection does not affect an open one that shares", test_refused_beside},
    {"the last multi is kept for the next connection", test_kept},
    {"at most one multi is kept", test_kept_once},
    {"4 threads use connections of one thread, while others come and go", test_used_by_threads},
    {"calls that must not wait, while another thread is inside the pool", test_never_waits},
    {"fork", test_fork},
};

int main(int argc, char **argv)
{
    (void)strcpy(uri, peer_script_tls("echo/end"));
    return PEER_MAIN(argc, argv, tests);
}

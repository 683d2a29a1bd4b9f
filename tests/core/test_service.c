/* SPDX-License-Identifier: MIT */
/* Tests of service.c: one thread for all sockets, fair shares, signals, cw_shutdown, the end of the program.
 * test_fork.c tests what a fork leaves in a child. */
#include "peer.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

static void set_ms(cw_socket *s, cw_option option, int64_t ms)
{
    CHECK_STATUS(cw_socket_set_number(s, option, ms), CW_OK);
}

static void echo_once(cw_socket *s)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "round", 5, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, "round", 5);
}

/* ---- The thread ---- */

static void test_one_thread(void)
{
    enum { COUNT = 50 };
    cw_socket *sockets[COUNT];
    int before = thread_count(), with_one;

    sockets[0] =
        peer_open(CW_MESSAGE_SOCKET, peer_script("echo")); /* a sanitizer starts its own thread here too */
    with_one = thread_count();
    CHECK(with_one > before);
    for (int i = 1; i < COUNT; i++)
        sockets[i] = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    for (int i = 0; i < COUNT; i++)
        echo_once(sockets[i]);
    CHECK_INT(thread_count(), with_one);
    for (int i = 0; i < COUNT; i++)
        cw_socket_release(sockets[i]);
    cw_shutdown(5000);
    UNTIL(thread_count() == with_one - 1);
}

/* The peer that floods has sent its close frame. Its data is read and dropped, so only the service's fair shares limit
 * it. */
static void test_fairness(void)
{
    cw_socket *flooding = peer_socket(CW_MESSAGE_SOCKET), *other;
    char token[sizeof peer_token];
    const char *log;

    set_ms(flooding, CW_OPT_CLOSE_TIMEOUT, INT32_MAX);
    peer_connect(flooding, peer_script("repeat:100000000:8200"));
    (void)strcpy(token, peer_token);
    CHECK_STATUS(cw_socket_close_start(flooding, 1000, NULL, 0), CW_OK);
    other = peer_open(CW_MESSAGE_SOCKET, peer_env("CW_ECHO_WS"));
    for (int i = 0; i < 50; i++)
        CHECK_STATUS(cw_socket_ping(other, CW_TIMEOUT_DEFAULT, NULL), CW_OK);
    CHECK_INT(cw_socket_state(flooding), CW_STATE_CLOSING);
    cw_socket_abort(flooding);
    /* the peer still floods; its connection ends by FIN or RST, depending on the unread bytes */
    log = peer_log_of(token);
    CHECK(strstr(log, "\"end\": \"reset\"") || strstr(log, "\"end\": \"eof\""));
    cw_socket_release(flooding);
    peer_finish(other);
}

static void test_attach_again(void)
{
    cw_socket *other = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    for (int i = 0; i < 100; i++) {
        CHECK_STATUS(peer_try_connect(s, peer_env("CW_REFUSED_WS"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
        CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
        if (i % 10 == 0)
            echo_once(other);
    }
    cw_socket_release(other);
    cw_shutdown(5000); /* ends the thread; the next socket starts a new one */
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_REFUSED_WS"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    peer_connect(s, peer_script("echo"));
    echo_once(s);
    peer_finish(s);
}

/* ---- Sockets of one mailbox ---- */

enum { TAKEN_FROM = 40, ROUNDS = 50 };

static cw_mailbox *open_subscribed(cw_socket *sockets[TAKEN_FROM])
{
    cw_mailbox *m;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    for (int i = 0; i < TAKEN_FROM; i++) {
        sockets[i] = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
        CHECK_STATUS(cw_socket_subscribe(sockets[i], m, CW_EVENT_MESSAGE), CW_OK);
    }
    return m;
}

static void drop_subscribed(cw_mailbox *m, cw_socket *sockets[TAKEN_FROM])
{
    for (int i = 0; i < TAKEN_FROM; i++)
        cw_socket_release(sockets[i]);
    cw_mailbox_release(m);
    cw_shutdown(5000);
}

static void send_number(cw_socket *s, int number)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, &number, sizeof number, CW_TIMEOUT_DEFAULT), CW_OK);
}

/* Takes the next message. Its number must be the next one of its socket, which is returned. */
static int take_next(cw_mailbox *m, cw_socket *sockets[TAKEN_FROM], int next[TAKEN_FROM])
{
    cw_event *e = NULL;
    int i = 0;

    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    while (sockets[i] != cw_event_socket(e))
        i++;
    CHECK_BYTES(cw_event_data(e, NULL), sizeof(int), &next[i], sizeof next[i]);
    next[i]++;
    cw_event_free(e);
    return i;
}

/* Each message is answered when it is taken. */
static void test_takes_many(void)
{
    static cw_socket *sockets[TAKEN_FROM];
    int next[TAKEN_FROM] = {0};
    cw_mailbox *m = open_subscribed(sockets);
    cw_event *e = NULL;

    for (int i = 0; i < TAKEN_FROM; i++)
        send_number(sockets[i], 0);
    for (int taken = 0; taken < TAKEN_FROM * ROUNDS; taken++) {
        int i = take_next(m, sockets, next);
        if (next[i] < ROUNDS)
            send_number(sockets[i], next[i]);
    }
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT);
    drop_subscribed(m, sockets);
}

/* A handler that takes long, or stops before it has taken all messages, does not delay other sockets. */
static void test_taker_away(void)
{
    static cw_socket *sockets[TAKEN_FROM];
    int next[TAKEN_FROM] = {0};
    cw_mailbox *m = open_subscribed(sockets);
    cw_socket *other = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < TAKEN_FROM; i++)
            send_number(sockets[i], round);
        (void)take_next(m, sockets, next);
        CHECK_STATUS(cw_socket_ping(other, CW_TIMEOUT_DEFAULT, NULL), CW_OK);
        for (int i = 1; i < TAKEN_FROM; i++)
            (void)take_next(m, sockets, next);
    }
    cw_socket_release(other);
    drop_subscribed(m, sockets);
}

/* The service thread does not wait for a released mailbox. */
static void test_taker_gone(void)
{
    static cw_socket *sockets[TAKEN_FROM];
    int next[TAKEN_FROM] = {0};
    cw_mailbox *m = open_subscribed(sockets);

    for (int i = 0; i < TAKEN_FROM; i++)
        send_number(sockets[i], 0);
    (void)take_next(m, sockets, next);
    for (int i = 0; i < TAKEN_FROM; i++)
        send_number(sockets[i], 1);
    drop_subscribed(m, sockets);
    m = open_subscribed(sockets); /* the thread has ended, and starts again */
    drop_subscribed(m, sockets);
}

/* ---- Signals ---- */

static atomic_int signals_handled;

static void on_signal(int number)
{
    (void)number;
    (void)atomic_fetch_add(&signals_handled, 1);
}

static unsigned long long blocked_signals(int thread)
{
    char path[64], line[256];
    unsigned long long mask = 0;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
    file = fopen(path, "re");
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "SigBlk:", 7) == 0)
            mask = strtoull(line + 7, NULL, 16);
    (void)fclose(file);
    return mask;
}

static void check_blocked(unsigned long long mask)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGALRM, SIGPIPE, SIGUSR1, SIGWINCH};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        CHECK(mask >> (numbers[i] - 1) & 1);
}

static void test_signals(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    sigset_t user, pending, before;
    DIR *d;
    int others = 0, thread;

    (void)open_folder(&d, "/proc/self/task");
    while ((thread = next_number(d)) >= 0)
        if (thread != getpid()) {
            others++;
            check_blocked(blocked_signals(thread));
        }
    CHECK(others > 0);
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    (void)sigemptyset(&user);
    (void)sigaddset(&user, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &user, &before);
    CHECK(!sigismember(&before, SIGUSR1)); /* connecting has not changed this thread's mask */
    CHECK_INT(kill(getpid(), SIGUSR1), 0); /* sent to the process: every thread blocks it */
    echo_once(s);
    CHECK_STATUS(cw_socket_ping(s, CW_TIMEOUT_DEFAULT, NULL), CW_OK);
    (void)sigpending(&pending);
    CHECK(sigismember(&pending, SIGUSR1));
    CHECK_INT(atomic_load(&signals_handled), 0);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    UNTIL(atomic_load(&signals_handled) == 1);
    peer_finish(s);
}

/* ---- The scheduling policy ---- */

#ifdef SCHED_BATCH
static int threads_of_policy(int policy)
{
    DIR *d;
    int count = 0, thread;

    (void)open_folder(&d, "/proc/self/task");
    while ((thread = next_number(d)) >= 0)
        count += sched_getscheduler(thread) == policy;
    return count;
}

/* The service thread wakes up without preempting a thread that handles events. A policy that the program chose stays. */
static void test_policy(void)
{
    struct sched_param param = {.sched_priority = 0};
    int before = threads_of_policy(SCHED_BATCH);
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));

    CHECK_INT(before, 0);
    CHECK_INT(threads_of_policy(SCHED_BATCH), 1);
    CHECK_INT(sched_getscheduler(0), SCHED_OTHER);
    peer_finish(s);
    UNTIL(threads_of_policy(SCHED_BATCH) == 0); /* a thread that was joined is listed a little longer */
    CHECK_INT(sched_setscheduler(0, SCHED_IDLE, &param), 0);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    CHECK_INT(threads_of_policy(SCHED_BATCH), 0);
    peer_finish(s);
}
#endif

/* ---- cw_shutdown ---- */

static void *shut_down(void *timeout_ms)
{
    cw_shutdown(*(int *)timeout_ms);
    return NULL;
}

static void test_polite(void)
{
    /* the server answers, but does not end TCP */
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    cw_socket *tls = peer_open(CW_STREAM_SOCKET, peer_script_tls("echo/end"));
    cw_mailbox *m = NULL;
    cw_event *e = NULL;

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENTS_ALL), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(tls, m, CW_EVENT_CLOSED), CW_OK);
    cw_shutdown(20000);
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
    CHECK_INT(cw_socket_state(tls), CW_STATE_CLOSED);
    CHECK_INT(peer_close_code(peer_log()), 1001);
    CHECK_CLOSED(s, 1001, true);
    CHECK_CLOSED(tls, 1001, true);
    for (int closed = 0; closed < 2;) {
        CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_OK);
        if (cw_event_get_type(e) == CW_EVENT_CLOSED) {
            CHECK_INT(cw_event_close_code(e), 1001);
            closed++;
        }
        cw_event_free(e);
    }
    CHECK_STATUS(cw_mailbox_take(m, 0, &e), CW_TIMED_OUT);
    cw_socket_release(s);
    cw_socket_release(tls);
    cw_mailbox_release(m);
}

static void test_closing_finish(void)
{
    static int timeout_ms = 20000;
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("frame:1/gate/close:1000/end"));
    cw_socket *late = peer_socket(CW_MESSAGE_SOCKET);
    pthread_t thread;

    CHECK_STATUS(cw_socket_close_start(s, 1000, "done", 4), CW_OK);
    CHECK_INT(pthread_create(&thread, NULL, shut_down, &timeout_ms), 0);
    UNTIL(peer_try_connect(late, peer_env("CW_REFUSED_WS"), CW_TIMEOUT_DEFAULT) == CW_INVALID_STATE);
    peer_go(); /* now the shutdown has begun */
    CHECK_INT(pthread_join(thread, NULL), 0);
    cw_socket_release(late);
    CHECK_CLOSED(s, 1000, true);
    CHECK_INT(peer_close_code(peer_log()), 1000);
    cw_socket_release(s);
}

static void test_limits(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("hang"));

    cw_shutdown(50); /* the server never answers */
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
    CHECK_CLOSED(s, 1006, false);
    CHECK_INT(peer_close_code(peer_log()), 1001);
    cw_socket_release(s);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    cw_shutdown(0);
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
    CHECK_CLOSED(s, 1006, false);
    CHECK_INT(peer_close_code(peer_log()), 0); /* dropped: no close frame */
    cw_socket_release(s);
}

static void test_used_after(void)
{
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));
    cw_socket *stream = peer_open(CW_STREAM_SOCKET, peer_script("echo/end"));
    char byte[1];
    size_t len = 1;
    cw_event *e;

    cw_shutdown(5000);
    cw_shutdown(5000);
    cw_shutdown(0);
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "a", 1, 1000), CW_CLOSED);
    CHECK_STATUS(cw_socket_send_fragment(s, FRAGMENT_OF(CW_BINARY, "a", 1), NULL, false, 1000), CW_CLOSED);
    CHECK_STATUS(cw_socket_flush(s, 1000), CW_CLOSED);
    CHECK_STATUS(cw_socket_ping(s, 1000, NULL), CW_CLOSED);
    CHECK_STATUS(cw_socket_receive(s, 1000, &e), CW_CLOSED);
    CHECK_STATUS(cw_socket_try_receive(s, &e), CW_WOULD_BLOCK);
    CHECK_STATUS(cw_socket_read(stream, byte, 1, 1000, &len), CW_OK);
    CHECK_INT(len, 0); /* the end */
    CHECK_STATUS(peer_try_connect(s, peer_uri, 1000), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    cw_socket_abort(s);
    CHECK_STATUS(cw_socket_wait_closed(s, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_connected(s, 0), CW_OK);
    cw_socket_release(s);
    cw_socket_release(stream);
    s = peer_open(CW_MESSAGE_SOCKET, peer_script("echo")); /* new sockets work */
    echo_once(s);
    peer_finish(s);
}

/* A client that says only when it is told a second time that it makes progress, and ends when it is told again. */
static cw__client slow_client;
static atomic_int graces_ms[3], telling_count, slow_is_gone;

static int64_t slow_attend(cw__client *c)
{
    int64_t due_ms = cw__now_ms() + 1;

    (void)c;
    if (atomic_load(&telling_count) == 2) {
        cw__service_be_patient(due_ms);
        UNTIL(cw__now_ms() > due_ms);
    }
    return atomic_load(&telling_count) == 3 ? CW__DETACH : INT64_MAX;
}

static void slow_shut_down(cw__client *c, int grace_ms)
{
    (void)c;
    atomic_store(&graces_ms[atomic_fetch_add(&telling_count, 1)], grace_ms);
}

static void slow_detached(cw__client *c)
{
    (void)c;
    atomic_store(&slow_is_gone, 1);
}

static void slow_forked(cw__client *c) { (void)c; }

/* If the whole process is stopped for a while, the time may be up before the service thread can look for progress. The
 * time that the client asks for is up before cw_shutdown sees it, and then the client is asked again all the same. */
static void test_asks_before_dropping(void)
{
    static const cw__client_calls calls = {
        .attend = slow_attend, .shut_down = slow_shut_down, .detached = slow_detached, .forked = slow_forked};

    slow_client = (cw__client){.calls = &calls};
    CHECK_STATUS(cw__service_attach(&slow_client), CW_OK);
    cw_shutdown(20);
    CHECK_INT(atomic_load(&slow_is_gone), 1);
    CHECK_INT(atomic_load(&telling_count), 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_INT(atomic_load(&graces_ms[i]), 20); /* never 0: nothing was dropped */
}

/* Two calls at once: both return when the shutdown is done, and the shorter limit applies. */
static void test_two_threads(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET), *late = peer_socket(CW_MESSAGE_SOCKET);
    int timeout_ms = INT32_MAX;
    pthread_t thread;

    set_ms(s, CW_OPT_CLOSE_TIMEOUT, INT32_MAX);
    peer_connect(s, peer_script("hang"));
    CHECK_INT(pthread_create(&thread, NULL, shut_down, &timeout_ms), 0);
    UNTIL(cw_socket_state(s) == CW_STATE_CLOSING);
    CHECK_STATUS(peer_try_connect(late, peer_script("echo"), 1000), CW_INVALID_STATE);
    CHECK_HAS(cw_error_message(), "shutting down");
    cw_shutdown(0);
    CHECK_INT(cw_socket_state(s), CW_STATE_CLOSED);
    CHECK_INT(pthread_join(thread, NULL), 0);
    peer_connect(late, peer_script("echo"));
    echo_once(late);
    cw_socket_release(s);
    peer_finish(late);
}

/* ---- exit() ---- */

/* Runs a body in a child that then calls exit(0). The child must end with 0 and print nothing. */
static void check_exit(void (*body)(void))
{
    char output[2048];
    size_t len = 0;
    ssize_t got;
    int ends[2], status;
    pid_t child;

    CHECK_INT(pipe2(ends, O_CLOEXEC), 0);
    (void)fflush(stdout);
    child = fork();
    if (child == 0) {
        (void)alarm(harness_limit_s);
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close(ends[1]);
        body();
        exit(EXIT_SUCCESS);
    }
    (void)close(ends[1]);
    while ((got = read(ends[0], output + len, sizeof output - 1 - len)) > 0)
        len += (size_t)got;
    (void)close(ends[0]);
    output[len] = '\0';
    CHECK_INT(waitpid(child, &status, 0), child);
    CHECK_STR(output, "");
    CHECK_INT(status, 0);
}

enum { HELD = 8 };
static cw_socket *held[HELD]; /* static, so that a leak checker finds the pointers */

static void leave_open(void)
{
    held[0] = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    echo_once(held[0]);
    held[1] = peer_open(CW_STREAM_SOCKET, peer_script("x:820161"));
    held[2] = peer_open(CW_MESSAGE_SOCKET, peer_script("hang"));
    CHECK_STATUS(cw_socket_close_start(held[2], 1000, NULL, 0), CW_OK);
}

/* The keepalive pings of these sockets keep the service thread inside OpenSSL, which frees its tables at exit. */
static void leave_open_tls(void)
{
    held[0] = peer_open(CW_STREAM_SOCKET, peer_script_tls("x:820161"));
    for (int i = 1; i < HELD; i++) {
        held[i] = peer_socket(CW_MESSAGE_SOCKET);
        set_ms(held[i], CW_OPT_PING_INTERVAL, 1);
        peer_connect(held[i], peer_script_tls("echo"));
        echo_once(held[i]);
    }
}

static void *receive_until_closed(void *s)
{
    cw_event *e = NULL;

    while (cw_socket_receive(s, CW_TIMEOUT_NEVER, &e) == CW_OK)
        cw_event_free(e);
    return NULL;
}

static void leave_receiving(const char *uri)
{
    pthread_t thread;

    held[0] = peer_open(CW_MESSAGE_SOCKET, uri);
    CHECK_INT(pthread_create(&thread, NULL, receive_until_closed, held[0]), 0);
    CHECK_INT(pthread_detach(thread), 0);
    UNTIL(peer_is_blocked(held[0]));
}

static void leave_receiving_plain(void) { leave_receiving(peer_script("hang")); }
static void leave_receiving_tls(void) { leave_receiving(peer_script_tls("hang")); }

/* A thread is inside cw_shutdown with a long limit. The end of the program does not wait for it. */
static void leave_shutting_down(void)
{
    static int timeout_ms = INT32_MAX;
    pthread_t thread;

    held[0] = peer_socket(CW_MESSAGE_SOCKET);
    set_ms(held[0], CW_OPT_CLOSE_TIMEOUT, INT32_MAX);
    peer_connect(held[0], peer_script_tls("hang"));
    CHECK_INT(pthread_create(&thread, NULL, shut_down, &timeout_ms), 0);
    CHECK_INT(pthread_detach(thread), 0);
    UNTIL(cw_socket_state(held[0]) == CW_STATE_CLOSING);
}

static void check_exits(void (*body)(void))
{
    for (int i = 0; i < 3; i++)
        check_exit(body);
}

static void test_exit(void) { check_exits(leave_open); }
static void test_exit_tls(void) { check_exits(leave_open_tls); }
static void test_exit_receiving(void) { check_exits(leave_receiving_plain); }
static void test_exit_receiving_tls(void) { check_exits(leave_receiving_tls); }
static void test_exit_shutting_down(void) { check_exits(leave_shutting_down); }

static const harness_test tests[] = {
    {"one thread, however many sockets", test_one_thread},
    {"a flooding socket does not starve the pings of another", test_fairness},
    {"attached, detached and attached again; the thread started again", test_attach_again},
    {"a mailbox of many sockets, each with messages in their order", test_takes_many},
    {"a handler that stops in the middle delays no other socket", test_taker_away},
    {"a mailbox that is released while the service fills it", test_taker_gone},
    {"signals are for the program's threads", test_signals},
#ifdef SCHED_BATCH
    {"the service thread leaves the processor to threads that handle events", test_policy},
#endif
    {"RFC 6455 7.4.1: cw_shutdown closes open sockets with 1001", test_polite},
    {"cw_shutdown lets those finish that are closing", test_closing_finish},
    {"cw_shutdown keeps to its limit; 0 drops everything", test_limits},
    {"after cw_shutdown, also twice: clear errors, and new sockets work", test_used_after},
    {"cw_shutdown asks once more for progress when its time is up", test_asks_before_dropping},
    {"cw_shutdown in two threads", test_two_threads},
    {"exit() with open sockets", test_exit},
    {"exit() with open sockets, TLS", test_exit_tls},
    {"exit() while a thread receives", test_exit_receiving},
    {"exit() while a thread receives, TLS", test_exit_receiving_tls},
    {"exit() while a thread is inside cw_shutdown", test_exit_shutting_down},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of fork and of other programs. A child can use no socket and no mailbox of its parent. Such a call does not
 * hang, and the child keeps no connection of the parent open. */
#include "gate.h"
#include "process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__clang__)
#define UNDER_ASAN __has_feature(address_sanitizer)
#else
#define UNDER_ASAN 0
#endif

static void echo_once(cw_socket *s)
{
    CHECK_STATUS(cw_socket_send(s, CW_BINARY, "round", 5, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_BINARY, "round", 5);
}

static void *receive_until_closed(void *s)
{
    cw_event *e = NULL;

    while (cw_socket_receive(s, CW_TIMEOUT_NEVER, &e) == CW_OK)
        cw_event_free(e);
    return NULL;
}

/* ---- Open connections ---- */

static cw_socket *message, *stream; /* the parent's sockets */
static cw_mailbox *mailbox;
static cw_event *taken;
static cw_socket *held;
static int message_fd, stream_fd;

static void in_child(void (*checks)(void)) { CHECK_INT(status_of_child(checks), 0); }

static void open_in_parent(void)
{
    CHECK_STATUS(cw_mailbox_create(&mailbox), CW_OK);
    message = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
    stream = peer_open(CW_STREAM_SOCKET, peer_script_tls("echo"));
    message_fd = message->fd;
    stream_fd = stream->fd;
    CHECK_STATUS(cw_socket_subscribe(message, mailbox, CW_EVENT_CONNECTED | CW_EVENT_CLOSED), CW_OK);
    CHECK_STATUS(cw_mailbox_take(mailbox, CW_TIMEOUT_NEVER, &taken), CW_OK);
}

static void finish_in_parent(void)
{
    char byte = 0;
    size_t len;

    echo_once(message);
    CHECK_STATUS(cw_socket_ping(stream, CW_TIMEOUT_DEFAULT, NULL), CW_OK);
    CHECK_STATUS(cw_socket_send(stream, CW_BINARY, "x", 1, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_socket_read(stream, &byte, 1, CW_TIMEOUT_DEFAULT, &len), CW_OK);
    CHECK_INT(byte, 'x');
    cw_event_free(taken);
    cw_socket_release(stream);
    cw_mailbox_release(mailbox);
    peer_finish(message);
}

static void child_settings(void)
{
    cw_bandwidth_statistics speed;
    cw_timings timings;
    char text[64];
    int64_t number;

    CHECK_STATUS(cw_socket_set_number(message, CW_OPT_MESSAGE_TYPE, 1), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_get_number(message, CW_OPT_NO_DELAY, &number), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_get_actual_pong_interval(message, &number), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_get_bandwidth_statistics(message, &speed), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_get_timings(message, &timings), CW_AFTER_FORK);
    CHECK_INT(timings.total_us, CW_TIMING_NONE);
    CHECK_STATUS(cw_socket_set_text(message, CW_OPT_CA_FILE, "x", 1), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_get_text(message, CW_OPT_CA_FILE, text, sizeof text, NULL), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_set_request_header(message, "A", 1, "b", 1), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_get_info(message, CW_INFO_URI, text, sizeof text, NULL), CW_AFTER_FORK);
}

static void child_calls(void)
{
    int code = 1;
    char reason[8] = "x", byte;
    cw_latency latency;
    size_t len = 1;
    cw_event *e;

    child_settings();
    CHECK_STATUS(cw_socket_connect_start(message, peer_uri, strlen(peer_uri), 1000), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_wait_connected(message, 1000), CW_AFTER_FORK);
    CHECK_STATUS(peer_try_connect(message, peer_uri, 1000), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_send(message, CW_BINARY, "a", 1, 1000), CW_AFTER_FORK);
    CHECK_HAS(cw_error_message(), "fork()");
    CHECK_STATUS(cw_socket_send_fragment(message, FRAGMENT_OF(CW_BINARY, "a", 1), NULL, true, 1000),
                 CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_flush(message, 1000), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_ping(message, 1000, NULL), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_get_buffered_amount(message, &len), CW_AFTER_FORK);
    CHECK_INT(len, 0);
    CHECK_STATUS(cw_socket_get_latency(message, &latency), CW_AFTER_FORK);
    CHECK_INT(latency.last_us, CW_TIMING_NONE);
    CHECK_STATUS(cw_socket_receive(message, 1000, &e), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_try_receive(message, &e), CW_WOULD_BLOCK);
    CHECK_STATUS(cw_socket_read(stream, &byte, 1, 1000, &len), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_close_start(message, 1000, NULL, 0), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_wait_closed(message, 1000), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_subscribe(message, mailbox, CW_EVENTS_ALL), CW_AFTER_FORK);
    CHECK(!cw_socket_get_closed(message, &code, reason, sizeof reason, NULL));
    CHECK_INT(code, 0);
    CHECK_STR(reason, "");
    CHECK_INT(cw_socket_class(stream), CW_STREAM_SOCKET);
    CHECK_INT(cw_socket_state(message), CW_STATE_OPEN); /* unchanged */
    CHECK(cw_socket_user(message) == NULL);
    cw_socket_abort(message);
    cw_socket_retain(message);
    cw_socket_release(message);
    cw_event_free(taken);
    cw_socket_release(message);
    cw_socket_release(stream);
    cw_shutdown(1000);
}

/* A failed call clears its results. */
static void child_gets_nothing(void)
{
    char text[] = "before";
    size_t len = 7, coming = 7;
    int64_t number = 7, rtt_us = 7;
    cw_received received = {.len_bytes = 7, .message_type = CW_UTF8, .is_complete = true};
    const cw_message one = {.message_type = CW_BINARY, .data = "x", .len_bytes = 1};
    cw_event *e = taken;

    CHECK_STATUS(cw_socket_get_number(message, CW_OPT_NO_DELAY, &number), CW_AFTER_FORK);
    CHECK_INT(number, 0);
    CHECK_STATUS(cw_socket_get_text(message, CW_OPT_CA_FILE, text, sizeof text, &len), CW_AFTER_FORK);
    CHECK_INT(len, 0);
    CHECK_STR(text, "");
    len = 7;
    text[0] = 'x';
    CHECK_STATUS(cw_socket_get_info(message, CW_INFO_URI, text, sizeof text, &len), CW_AFTER_FORK);
    CHECK_INT(len, 0);
    CHECK_STR(text, "");
    CHECK_STATUS(cw_socket_ping(message, 1000, &rtt_us), CW_AFTER_FORK);
    CHECK_INT(rtt_us, 0);
    len = 7;
    CHECK_STATUS(cw_socket_try_send(message, &one), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_send_many(message, &one, 1, 1000, &len), CW_AFTER_FORK);
    CHECK_INT(len, 0);
    CHECK_STATUS(cw_socket_receive(message, 1000, &e), CW_AFTER_FORK);
    CHECK(e == NULL);
    e = taken;
    CHECK_STATUS(cw_socket_try_receive(message, &e), CW_WOULD_BLOCK);
    CHECK(e == NULL);
    e = taken;
    CHECK_STATUS(cw_socket_receive_or_announce(message, 1000, &e, &coming), CW_AFTER_FORK);
    CHECK(e == NULL && coming == 0);
    e = taken;
    coming = 7;
    CHECK_STATUS(cw_socket_try_receive_or_announce(message, &e, &coming), CW_WOULD_BLOCK);
    CHECK(e == NULL && coming == 0);
    CHECK_STATUS(cw_socket_receive_into(message, text, sizeof text, 1000, &received), CW_AFTER_FORK);
    CHECK(received.len_bytes == 0 && received.message_type == CW_BINARY && !received.is_complete);
    len = 7;
    CHECK_STATUS(cw_socket_read(stream, text, sizeof text, 1000, &len), CW_AFTER_FORK);
    CHECK_INT(len, 0);
    e = taken;
    CHECK_STATUS(cw_mailbox_take(mailbox, 1000, &e), CW_AFTER_FORK);
    CHECK(e == NULL);
}

static void child_mailbox(void)
{
    cw_socket *own = peer_socket(CW_MESSAGE_SOCKET);
    cw_event *e;

    CHECK_STATUS(cw_mailbox_take(mailbox, 1000, &e), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_subscribe(own, mailbox, CW_EVENTS_ALL), CW_AFTER_FORK);
    CHECK(cw_mailbox_fd(mailbox) >= 0);
    cw_mailbox_wake(mailbox);
    cw_mailbox_release(mailbox);
    cw_socket_release(own);
}

/* A thread, such as the service thread, may hold a lock at the moment of the fork. So no call in the child may need
 * that lock. */
static void test_fork_calls(void)
{
    open_in_parent();
    cw__mutex_lock(&message->lock);
    cw__mutex_lock(&stream->lock);
    in_child(child_gets_nothing);
    in_child(child_calls);
    cw__mutex_unlock(&stream->lock);
    cw__mutex_unlock(&message->lock);
    finish_in_parent();
}

static atomic_int is_over;

static void *wake_on_and_on(void *unused)
{
    do {
        cw_mailbox_wake(mailbox);
        (void)sched_yield(); /* the lock is not fair */
    } while (!atomic_load(&is_over));
    return unused;
}

/* At some of these moments another thread holds the mailbox's lock. */
static void test_fork_mailbox(void)
{
    cw_event *e;
    pthread_t thread;

    open_in_parent();
    CHECK_INT(pthread_create(&thread, NULL, wake_on_and_on, NULL), 0);
    for (int i = 0; i < 10; i++)
        in_child(child_mailbox);
    atomic_store(&is_over, 1);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_STATUS(cw_mailbox_take(mailbox, 1000, &e), CW_INTERRUPTED);
    finish_in_parent();
}

static void child_own(void)
{
    cw_socket *own;
    cw_mailbox *m = NULL;
    cw_event *e = NULL;

    CHECK_INT(fcntl(message_fd, F_GETFD), -1);
    CHECK_INT(fcntl(stream_fd, F_GETFD), -1);
    if (UNDER_TSAN) /* ThreadSanitizer allows no thread after fork */
        return;
    own = peer_open(CW_MESSAGE_SOCKET, peer_script("echo/end"));
    echo_once(own);
    CHECK_STATUS(cw_socket_ping(own, CW_TIMEOUT_DEFAULT, NULL), CW_OK);
    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(own, m, CW_EVENT_CLOSED), CW_OK);
    CHECK_STATUS(cw_socket_close_start(own, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_close_code(e), 1000);
    cw_event_free(e);
    cw_mailbox_release(m);
    peer_finish(own);
    CHECK_STATUS(cw_socket_send(message, CW_BINARY, "a", 1, 1000), CW_AFTER_FORK); /* the same failure again */
}

static void test_fork_own(void)
{
    pthread_t thread;

    open_in_parent();
    held = peer_open(CW_MESSAGE_SOCKET, peer_script("hang"));
    CHECK_INT(pthread_create(&thread, NULL, receive_until_closed, held), 0);
    UNTIL(peer_is_blocked(held));
    echo_once(message); /* this thread now has its own wake-up descriptor, which the child must not share */
    in_child(child_own);
    cw_socket_abort(held);
    CHECK_INT(pthread_join(thread, NULL), 0);
    cw_socket_release(held);
    finish_in_parent();
}

/* ---- While connecting; other programs ---- */

static void end_with_socket_count(void) { harness_end(socket_count()); }

static int socket_count_of_child(void)
{
    int status = status_of_child(end_with_socket_count);

    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void child_while_connecting(void)
{
    cw_socket *own;

    CHECK_STATUS(cw_socket_wait_connected(message, 1000), CW_AFTER_FORK);
    CHECK_STATUS(cw_socket_close_start(message, 1000, NULL, 0), CW_AFTER_FORK);
    cw_socket_release(message);
    if (!UNDER_TSAN) {
        own = peer_open(CW_MESSAGE_SOCKET, peer_script("echo"));
        echo_once(own);
        peer_finish(own);
    }
    if (!UNDER_ASAN) /* its leak checker does not see memory that the parent's other threads hold */
        exit(EXIT_SUCCESS);
}

static void test_fork_connecting(void)
{
    char uri[64], byte;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), before = socket_count(), peer;

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_INT(listen(listener, 4), 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(uri, sizeof uri, "ws://127.0.0.1:%d/", ntohs(at.sin_port));
    message = peer_socket(CW_MESSAGE_SOCKET);
    CHECK_STATUS(cw_socket_connect_start(message, uri, strlen(uri), CW_TIMEOUT_NEVER), CW_OK);
    peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK_INT(recv(peer, &byte, 1, 0), 1); /* the request has arrived, so libcurl has its descriptor */
    UNTIL(socket_count_of_child() == before + 1);
    in_child(child_while_connecting);
    CHECK_INT(cw_socket_state(message), CW_STATE_CONNECTING);
    CHECK_INT(recv(peer, &byte, 1, 0), 1); /* the child's exit has cancelled nothing */
    CHECK_STATUS(cw_socket_close_start(message, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_closed(message, CW_TIMEOUT_NEVER), CW_OK);
    (void)close(peer);
    (void)close(listener);
    peer_finish(message);
}

/* ---- Fork after a descriptor is closed, before the thread that closes it continues ---- */

/* The descriptor number to watch, and what a child then does. By then the number belongs to another file. */
static atomic_int closing_fd = -1, closed_count;
static void (*in_child_then)(void);

static void fork_now(int fd)
{
    int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (other != fd) {
        CHECK_INT(dup3(other, fd, O_CLOEXEC), fd);
        (void)syscall(SYS_close, other);
    }
    in_child(in_child_then);
    (void)syscall(SYS_close, fd);
    atomic_fetch_add(&closed_count, 1);
}

/* In C it has another name, because the system declares the function. */
__attribute__((visibility("default"))) int hooked_close(int fd) __asm__("close");

int hooked_close(int fd)
{
    int is_watched = fd >= 0 && fd == atomic_load(&closing_fd);
    int result = (int)syscall(SYS_close, fd);

    if (is_watched) {
        atomic_store(&closing_fd, -1);
        fork_now(fd);
    }
    return result;
}

static int watched_fd;

static void watch_for(int fd, void (*work)(void))
{
    watched_fd = fd;
    in_child_then = work;
    atomic_store(&closed_count, 0);
    atomic_store(&closing_fd, fd);
}

/* The core's fork handlers have run by now. */
static void child_still_has_it(void) { CHECK(fcntl(watched_fd, F_GETFD) >= 0); }

static void test_fork_behind_teardown(void)
{
    for (int i = 0; i < 2; i++) {
        cw_socket *s =
            peer_open(CW_MESSAGE_SOCKET, i == 0 ? peer_script("echo/end") : peer_script_tls("echo/end"));
        watch_for(s->fd, child_still_has_it);
        CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
        UNTIL(atomic_load(&closed_count) == 1);
        cw_socket_release(s);
    }
    cw_shutdown(5000);
}

static cw__race *race;

static void child_ends_race(void)
{
    cw__race_forked(race);
    child_still_has_it();
}

/* The seventh address replaces the first. Its port answers nothing: the queue is full, and nothing accepts. */
static void test_fork_behind_race(void)
{
    enum { ADDRESSES = 7, FILLERS = 4, STEP_MS = 1000 };
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), lowest;

    CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 0) == 0);
    CHECK_INT(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    for (int i = 0; i < FILLERS; i++)
        (void)connect(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), (struct sockaddr *)&at,
                      sizeof at);
    hold_service(); /* the service thread has started, and attends to nothing */
    race = cw__race_create();
    cw__race_set_reach(race, &(cw__reach){.happy_ms = STEP_MS});
    for (int i = 0; i < ADDRESSES; i++)
        cw__race_add(race, (struct sockaddr *)&at, sizeof at);
    CHECK(cw__race_begin(race));
    lowest = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the descriptor number that the first attempt gets */
    (void)syscall(SYS_close, lowest);
    watch_for(lowest, child_ends_race);
    for (int i = 1; i <= ADDRESSES; i++) {
        CHECK_INT(atomic_load(&closed_count), 0);
        (void)cw__race_step(race, &gate, i * STEP_MS);
    }
    CHECK_INT(atomic_load(&closed_count), 1);
    cw__race_destroy(race);
    let_service_go();
    cw_shutdown(5000);
}

static cw__wake wake;

static void child_destroys_wake(void)
{
    cw__wake_destroy(&wake);
    child_still_has_it();
}

static void test_fork_behind_wake(void)
{
    CHECK(cw__wake_init(&wake));
    watch_for(wake.read_fd, child_destroys_wake);
    cw__wake_destroy(&wake);
    CHECK_INT(atomic_load(&closed_count), 1);
}

static void test_other_program(void)
{
    char path[64], target[64] = "", command[160];
    bool was_open[256];
    int fd;
    DIR *d;

    for (fd = 0; fd < 256; fd++)
        was_open[fd] = fcntl(fd, F_GETFD) >= 0;
    open_in_parent();
    echo_once(message);
    (void)open_folder(&d, "/proc/self/fd");
    while ((fd = next_number(d)) >= 0)
        CHECK(fd >= 256 || was_open[fd] || (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", message->fd);
    CHECK(readlink(path, target, sizeof target - 1) > 0);
    CHECK_HAS(target, "socket:");
    (void)snprintf(command, sizeof command, "ls -l /proc/self/fd | grep -qF '%s'", target);
    CHECK_INT(WEXITSTATUS(system(command)), 1); /* not found */
    (void)snprintf(command, sizeof command, "ls -l /proc/%d/fd | grep -qF '%s'", (int)getpid(), target);
    CHECK_INT(WEXITSTATUS(system(command)), 0); /* found here */
    finish_in_parent();
}

static const harness_test tests[] = {
    {"fork: a child's use of inherited sockets", test_fork_calls},
    {"fork: a child's use of an inherited mailbox", test_fork_mailbox},
    {"fork: descriptors closed, a socket of the child's own", test_fork_own},
    {"fork while connecting", test_fork_connecting},
    {"fork after a connection's descriptor is closed", test_fork_behind_teardown},
    {"fork after an attempt's descriptor is closed", test_fork_behind_race},
    {"fork after a wake-up's descriptor is closed", test_fork_behind_wake},
    {"other programs inherit nothing", test_other_program},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

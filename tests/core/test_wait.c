/* SPDX-License-Identifier: MIT */
/* Tests of wait.c: the slices of a deadline, the thread's hook, and that a signal makes the hook due at once. The tests
 * of each call test how it is interrupted. */
#include "engine/engine.h"
#include "peer.h"
#include <limits.h>
#include <math.h>

static bool say(void *answer)
{
    bool is_yes = *(int *)answer > 0;

    ++*(int *)answer;
    return is_yes;
}

static void test_slices(void)
{
    cw__wait w;

    cw__wait_begin(&w, 0, 1000);
    CHECK_INT(cw__wait_slice(&w), 0);
    cw__wait_begin(&w, CW_TIMEOUT_DEFAULT, 0);
    CHECK_INT(cw__wait_slice(&w), 0);
    cw__wait_begin(&w, CW_TIMEOUT_DEFAULT, INT64_MAX / 2); /* longer than a poll takes */
    CHECK(cw__wait_slice(&w) > 1000);
    cw__wait_begin(&w, CW_TIMEOUT_NEVER, 0);
    CHECK(cw__wait_slice(&w) != 0);
    cw__wait_begin(&w, 60000, 0);
    CHECK(cw__wait_slice(&w) > 50000);
    cw__wait_restart(&w);
    CHECK(cw__wait_slice(&w) > 50000);
}

static void test_seconds(void)
{
    CHECK_INT(cw_ms_of_seconds(0), 0);
    CHECK_INT(cw_ms_of_seconds(1e-9), 1);
    CHECK_INT(cw_ms_of_seconds(0.25), 250);
    CHECK_INT(cw_ms_of_seconds(0.2501), 251);
    CHECK_INT(cw_ms_of_seconds(2147483.647), INT_MAX);
    CHECK_INT(cw_ms_of_seconds(2147483.5), 2147483500);
    CHECK_INT(cw_ms_of_seconds(1e300), INT_MAX);
    CHECK_INT(cw_ms_of_seconds(HUGE_VAL), INT_MAX);
}

/* With a hook, no slice is longer than 50 ms. The hook is called after that time, not before. */
static void test_texts(void)
{
    cw__wait w;

    cw__wait_begin(&w, CW_TIMEOUT_DEFAULT, 30000);
    CHECK_INT(cw__wait_timed_out(&w, "a message", CW_OPT_RECEIVE_TIMEOUT), CW_TIMED_OUT);
    CHECK_STR(cw_error_message(),
              "timed out after 30 s waiting for a message (receive_timeout): call again, or wait longer");
    CHECK_INT(cw_error_option(), CW_OPT_RECEIVE_TIMEOUT);
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
    cw__wait_begin(&w, 1500, 30000);
    CHECK_INT(cw__wait_timed_out(&w, "a message", CW_OPT_RECEIVE_TIMEOUT), CW_TIMED_OUT);
    CHECK_STR(cw_error_message(), "timed out after 1.5 s waiting for a message: call again, or wait longer");
    CHECK_INT(cw_error_option(), CW_OPTION_NONE);
    cw__wait_begin(&w, CW_TIMEOUT_DEFAULT, 10);
    CHECK_INT(cw__wait_timed_out(&w, "an event", CW_OPTION_COUNT), CW_TIMED_OUT);
    CHECK_STR(cw_error_message(), "timed out after 0.01 s waiting for an event: call again, or wait longer");
    CHECK_INT(cw_error_option(), CW_OPTION_NONE);
}

static void test_hook(void)
{
    enum { SLICE_MS = 50 };
    cw__wait w;
    int64_t asked_ms;
    int answer = 0;

    cw__wait_begin(&w, 60000, 0);
    CHECK(!cw__wait_wants_hook(&w));
    cw_set_wait_hook(say, &answer);
    cw__wait_begin(&w, 60000, 0);
    CHECK(cw__wait_slice(&w) <= SLICE_MS);
    cw__wait_signalled(&w);
    CHECK(cw__wait_wants_hook(&w));
    asked_ms = cw__now_ms();
    CHECK(!cw__wait_interrupted(&w));
    CHECK(cw__wait_slice(&w) <= SLICE_MS);
    CHECK(!cw__wait_wants_hook(&w) || cw__now_ms() >= asked_ms + SLICE_MS); /* just called */
    UNTIL(cw__wait_wants_hook(&w));
    CHECK(cw__wait_interrupted(&w));
    CHECK_INT(answer, 2);
    cw_set_wait_hook(NULL, NULL);
}

static void nothing(int number) { (void)number; }

static void *send_signals(void *thread)
{
    for (int i = 0; i < 20; i++) {
        (void)pthread_kill(*(pthread_t *)thread, SIGUSR1);
        (void)poll(NULL, 0, 5);
    }
    return NULL;
}

/* Signals end a poll early. The wait continues until the hook, which is called for each, returns true. */
static void test_signals(void)
{
    struct sigaction action = {.sa_handler = nothing};
    cw_socket *s = peer_open(CW_MESSAGE_SOCKET, peer_script("hang"));
    pthread_t self = pthread_self(), other;
    cw_event *e = NULL;
    cw_mailbox *m;
    int answer = 0;

    CHECK_INT(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    cw_set_wait_hook(say, &answer);
    CHECK_INT(pthread_create(&other, NULL, send_signals, &self), 0);
    CHECK_STATUS(cw_socket_receive(s, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    CHECK_HAS(cw_error_message(), "waiting for a message");
    CHECK_INT(answer, 2);
    answer = 0;
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_INTERRUPTED);
    CHECK_INT(answer, 2);
    cw_set_wait_hook(NULL, NULL);
    CHECK_INT(pthread_join(other, NULL), 0);
    CHECK_INT(cw_socket_state(s), CW_STATE_OPEN);
    cw_mailbox_release(m);
    cw_socket_abort(s);
    peer_drop(s);
    cw_shutdown(1000);
}

static const harness_test tests[] = {
    {"seconds are rounded up to milliseconds, and have a maximum", test_seconds},
    {"the text of a timeout, and the control that set it", test_texts},
    {"slices of a timeout", test_slices},
    {"the hook is called every 50 ms, and after a signal", test_hook},
    {"signals do not end a wait, the hook does", test_signals},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

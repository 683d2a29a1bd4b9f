/* SPDX-License-Identifier: MIT */
/* Tests of question.c: the question about the server's certificate, which a connect over wss asks the program. */
#include "peer.h"

static cw_socket *asking(void)
{
    cw_socket *s = peer_socket(CW_MESSAGE_SOCKET);

    CHECK_STATUS(cw_socket_ask_certificate(s, true), CW_OK);
    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_CA_FILE, peer_env("CW_CA_FILE"), strlen(peer_env("CW_CA_FILE"))),
                 CW_OK);
    return s;
}

static void check_echo(cw_socket *s)
{
    CHECK_STATUS(cw_socket_send(s, CW_UTF8, "hello", 5, CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_MESSAGE(s, CW_UTF8, "hello", 5);
}

/* The thread that waits for the connect gets the question once, and answers it. */
static void test_accept(void)
{
    cw_socket *s = asking();

    CHECK_STATUS(peer_try_connect(s, peer_script_tls("echo"), CW_TIMEOUT_DEFAULT), CW_QUESTION);
    CHECK_INT(cw_socket_state(s), CW_STATE_CONNECTING);
    CHECK_STATUS(cw_socket_ask_certificate(s, false), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_wait_connected(s, 0), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_answer_certificate(s, CW_ANSWER_ACCEPT), CW_OK);
    CHECK_STATUS(cw_socket_answer_certificate(s, CW_ANSWER_REJECT), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_OK);
    check_echo(s);
    CHECK_STATUS(cw_socket_answer_certificate(s, CW_ANSWER_REJECT), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_CLOSED(s, 1000, true);
    peer_finish(s);
}

/* After a rejection the same socket may connect again, and asks again. */
static void test_reject(void)
{
    static const cw_answer answers[] = {CW_ANSWER_REJECT, CW_ANSWER_NONE, CW_ANSWER_ACCEPT};
    static const char *const words[] = {"rejected", "no answer"};
    cw_socket *s = asking();

    for (size_t i = 0; i < 3; i++) {
        CHECK_STATUS(peer_try_connect(s, peer_script_tls("echo"), CW_TIMEOUT_DEFAULT), CW_QUESTION);
        CHECK_STATUS(cw_socket_answer_certificate(s, answers[i]), CW_OK);
        if (answers[i] == CW_ANSWER_ACCEPT)
            break;
        CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_CONNECT_FAILED);
        CHECK_INT(cw_error_web_status(), CW_WEB_CertificateIsInvalid);
        CHECK_HAS(cw_error_message(), words[i]);
        CHECK_INT(cw_socket_state(s), CW_STATE_NEW);
    }
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_OK);
    check_echo(s);
    peer_finish(s);
}

/* connect_timeout limits the time of the answer. A late answer is an error. */
static void test_timeout(void)
{
    cw_socket *s = asking();

    CHECK_STATUS(peer_try_connect(s, peer_script_tls("echo"), 5000), CW_QUESTION);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
    CHECK_HAS(cw_error_message(), "not connected within 5 s: this program has not answered");
    CHECK_STATUS(cw_socket_answer_certificate(s, CW_ANSWER_ACCEPT), CW_INVALID_STATE);
    peer_finish(s);
}

static void test_cancel(void)
{
    cw_socket *s = asking();

    CHECK_STATUS(peer_try_connect(s, peer_script_tls("echo"), CW_TIMEOUT_DEFAULT), CW_QUESTION);
    CHECK_STATUS(cw_socket_close_start(s, 1000, NULL, 0), CW_OK);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_OperationCanceled);
    peer_finish(s);
    s = asking();
    CHECK_STATUS(peer_try_connect(s, peer_script_tls("echo"), CW_TIMEOUT_DEFAULT), CW_QUESTION);
    peer_finish(s); /* released while it asks */
}

/* A subscribed mailbox gets the question, and the thread that waits for the connect does not. */
static void test_mailbox(void)
{
    cw_socket *s = asking();
    cw_mailbox *m = NULL;
    cw_event *e = NULL;
    const char *uri = peer_script_tls("echo");

    CHECK_STATUS(cw_mailbox_create(&m), CW_OK);
    CHECK_STATUS(cw_socket_subscribe(s, m, CW_EVENT_CERTIFICATE | CW_EVENT_CONNECTED), CW_OK);
    CHECK_STATUS(cw_socket_connect_start(s, uri, strlen(uri), CW_TIMEOUT_DEFAULT), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_CERTIFICATE);
    CHECK(cw_event_socket(e) == s);
    cw_event_free(e);
    CHECK_STATUS(cw_socket_wait_connected(s, 0), CW_TIMED_OUT);
    CHECK_STATUS(cw_socket_answer_certificate(s, CW_ANSWER_ACCEPT), CW_OK);
    CHECK_STATUS(cw_mailbox_take(m, CW_TIMEOUT_NEVER, &e), CW_OK);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_CONNECTED);
    cw_event_free(e);
    check_echo(s);
    cw_socket_release(s);
    cw_mailbox_release(m);
    cw_shutdown(5000);
}

/* There is no question without TLS, without cw_socket_ask_certificate, or if another check has failed. */
static void test_unasked(void)
{
    cw_socket *s = asking();

    CHECK_STATUS(cw_socket_answer_certificate(s, CW_ANSWER_ACCEPT), CW_INVALID_STATE);
    CHECK_STATUS(cw_socket_answer_certificate(s, (cw_answer)7), CW_INVALID_ARGUMENT);
    CHECK_STATUS(peer_try_connect(s, peer_script("echo"), CW_TIMEOUT_DEFAULT), CW_OK);
    peer_finish(s);
    s = asking();
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_BADHOST_WSS"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_web_status(), CW_WEB_CertificateCommonNameIsIncorrect);
    CHECK_STATUS(cw_socket_ask_certificate(s, false), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_script_tls("echo"), CW_TIMEOUT_DEFAULT), CW_OK);
    peer_finish(s);
}

/* An error that is ignored: the question shows it, and each connection verifies everything else. */
static void test_ignored(void)
{
    const char *key = "InvalidName";
    char text[64];
    cw_socket *s = asking();

    CHECK_STATUS(cw_socket_set_text(s, CW_OPT_IGNORABLE_SERVER_CERTIFICATE_ERRORS, key, strlen(key)), CW_OK);
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_EXPIRED_WSS"), CW_TIMEOUT_DEFAULT), CW_CONNECT_FAILED);
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_SERVER_CERTIFICATE_ERRORS, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, "Expired");
    CHECK_STATUS(peer_try_connect(s, peer_env("CW_BADHOST_WSS"), CW_TIMEOUT_DEFAULT), CW_QUESTION);
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_SERVER_CERTIFICATE_ERRORS, text, sizeof text, NULL), CW_OK);
    CHECK_STR(text, key);
    CHECK_STATUS(cw_socket_get_info(s, CW_INFO_SERVER_CERTIFICATE_ERROR_SEVERITY, text, sizeof text, NULL),
                 CW_OK);
    CHECK_STR(text, "ignorable");
    CHECK_STATUS(cw_socket_answer_certificate(s, CW_ANSWER_ACCEPT), CW_OK);
    CHECK_STATUS(cw_socket_wait_connected(s, CW_TIMEOUT_NEVER), CW_OK);
    check_echo(s);
    peer_finish(s);
}

static const harness_test tests[] = {
    {"accept", test_accept},
    {"reject, and no answer", test_reject},
    {"connect_timeout limits the answer", test_timeout},
    {"cancel and release while it asks", test_cancel},
    {"a mailbox gets the question", test_mailbox},
    {"no question", test_unasked},
    {"an error that is ignored", test_ignored},
};

int main(int argc, char **argv) { return PEER_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of status.c: names and texts, each thread's error, and the web status of an errno or an HTTP status. Needs no
 * peer. */
#include "harness.h"

#include <errno.h>

static void test_names(void)
{
    CHECK_STR(cw_status_name(CW_OK), "CW_OK");
    CHECK_STR(cw_status_name(CW_UNSUPPORTED), "CW_UNSUPPORTED");
    CHECK_STR(cw_status_text(CW_TIMED_OUT), "the call waited as long as it may");
    CHECK_STR(cw_status_name((cw_status)1), "?");
    CHECK_STR(cw_status_text((cw_status)-999), "?");
    CHECK_STR(cw_web_status_name(14), "CannotConnect");
    CHECK_STR(cw_web_status_name(404), "NotFound");
    CHECK_STR(cw_web_status_name(0), "Unknown");
    CHECK(cw_web_status_name(418) == NULL);
    CHECK(cw_web_status_name(-1) == NULL);
}

/* Each status of the list has its name and text, and each web status that the core sets has a name. */
static void test_all(void)
{
#define CW_X(name, value, text)                         \
    CHECK_STR(cw_status_name((cw_status)value), #name); \
    CHECK_STR(cw_status_text((cw_status)value), text);
    CW_STATUS_LIST(CW_X)
#undef CW_X
#define CW_X(name, value) CHECK_STR(cw_web_status_name(value), #name);
    CW_WEB_STATUS_LIST(CW_X)
#undef CW_X
#define CW_X(name, value) CHECK_STR(cw_chain_result_name(value), #name);
    CW_CHAIN_RESULT_LIST(CW_X)
#undef CW_X
    CHECK(cw_chain_result_name(-1) == NULL && cw_chain_result_name(9999) == NULL);
    for (int os_errno = 0; os_errno < 200; os_errno++)
        CHECK(cw_web_status_name(cw__web_status_of_errno(os_errno)) != NULL);
}

static void test_fail(void)
{
    errno = EMFILE;
    CHECK_INT(cw__fail(CW_SYSTEM_ERROR, "no %s", "luck"), CW_SYSTEM_ERROR);
    CHECK_STR(cw_error_message(), "no luck");
    CHECK_INT(cw_error_os_errno(), EMFILE);
    CHECK_INT(cw__error_status(), CW_SYSTEM_ERROR);
    CHECK_INT(cw__fail(CW_TIMED_OUT, "late"), CW_TIMED_OUT);
    CHECK_INT(cw_error_os_errno(), 0); /* no detail of the previous error is left */
    CHECK_INT(cw_error_web_status(), CW_WEB_Timeout);
    (void)cw__fail(CW_INTERRUPTED, "x");
    CHECK_INT(cw_error_web_status(), CW_WEB_OperationCanceled);
    (void)cw__fail(CW_CLOSED, "x");
    CHECK_INT(cw_error_web_status(), CW_WEB_Disconnected);
    for (size_t i = 0; i < 5; i++) {
        static const cw_status own[] = {CW_INVALID_STATE, CW_INVALID_ARGUMENT, CW_AFTER_FORK, CW_UNSUPPORTED,
                                        CW_CONNECT_FAILED};
        (void)cw__fail(own[i], "x");
        CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
    }
    (void)cw__fail(CW_NO_MEMORY, "x");
    CHECK_INT(cw_error_web_status(), CW_WEB_Unknown);
}

static void test_kept(void)
{
    cw__error error;

    cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_NotFound, "status %d", 404);
    error.http_status = 404;
    error.curl_code = 22;
    CHECK_INT(cw__fail_with(&error), CW_CONNECT_FAILED);
    CHECK_STR(cw_error_message(), "status 404");
    CHECK_INT(cw_error_http_status(), 404);
    CHECK_INT(cw_error_curl_code(), 22);
    CHECK_INT(cw_error_web_status(), 404);
    cw__error_set(&error, CW_CLOSED, CW_WEB_Disconnected, "gone");
    CHECK_INT(error.http_status, 0);
}

/* An error of a limit names the control, also the first one. */
static void test_details(void)
{
    cw__error error, copy;

    CHECK_INT(cw_error_option(), CW_OPTION_NONE);
    CHECK_INT(cw_error_retry_after(), -1);
    CHECK_INT(cw__fail_limit(CW_TIMED_OUT, (cw_option)0, "%s", "late"), CW_TIMED_OUT);
    CHECK_INT(cw_error_option(), 0);
    CHECK_STR(cw_error_message(), "late");
    cw__error_get(&copy);
    CHECK_INT(copy.limit, 1);
    CHECK_INT(copy.status, CW_TIMED_OUT);
    CHECK_STR(copy.message, "late");
    (void)cw__fail(CW_CLOSED, "gone");
    CHECK_INT(cw_error_option(), CW_OPTION_NONE);
    cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_ServiceUnavailable, "later");
    error.retry_after_s = 1;
    CHECK_INT(cw__fail_with(&error), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_retry_after(), 0);
}

static void test_long(void)
{
    char text[2000];
    cw__error error;

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)cw__fail(CW_CLOSED, "%s", text);
    CHECK_INT(strlen(cw_error_message()), CW__LONG_MESSAGE_BYTES - 1);
    cw__error_get(&error);
    CHECK_INT(strlen(error.message), CW__MESSAGE_BYTES - 1);
    cw__error_set(&error, CW_CLOSED, CW_WEB_Disconnected, "%s", text);
    CHECK_INT(cw__fail_with(&error), CW_CLOSED);
    CHECK_INT(strlen(cw_error_message()), CW__MESSAGE_BYTES - 1);
}

static void *other_thread(void *unused)
{
    (void)unused;
    CHECK_STR(cw_error_message(), "");
    (void)cw__fail(CW_CLOSED, "theirs");
    CHECK_STR(cw_error_message(), "theirs");
    return NULL;
}

static void test_threads(void)
{
    pthread_t thread;

    (void)cw__fail(CW_TIMED_OUT, "ours");
    CHECK_INT(pthread_create(&thread, NULL, other_thread, NULL), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_STR(cw_error_message(), "ours");
    CHECK_INT(cw__error_status(), CW_TIMED_OUT);
}

static void test_http(void)
{
    CHECK_INT(cw__web_status_of_http(404), CW_WEB_NotFound);
    CHECK_INT(cw__web_status_of_http(301), CW_WEB_MovedPermanently);
    CHECK_INT(cw__web_status_of_http(308), CW_WEB_UnexpectedRedirection);
    CHECK_INT(cw__web_status_of_http(418), CW_WEB_UnexpectedClientError);
    CHECK_INT(cw__web_status_of_http(299), CW_WEB_UnexpectedStatusCode);
    CHECK_INT(cw__web_status_of_http(300), CW_WEB_MultipleChoices);
    CHECK_INT(cw__web_status_of_http(399), CW_WEB_UnexpectedRedirection);
    CHECK_INT(cw__web_status_of_http(400), CW_WEB_BadRequest);
    CHECK_INT(cw__web_status_of_http(499), CW_WEB_UnexpectedClientError);
    CHECK_INT(cw__web_status_of_http(500), CW_WEB_InternalServerError);
    CHECK_INT(cw__web_status_of_http(599), CW_WEB_UnexpectedServerError);
    CHECK_INT(cw__web_status_of_http(600), CW_WEB_UnexpectedStatusCode);
    CHECK_INT(cw__web_status_of_http(200), CW_WEB_UnexpectedStatusCode);
    CHECK_INT(cw__web_status_of_http(22), CW_WEB_UnexpectedStatusCode); /* though 22 has a name */
    CHECK_INT(cw__web_status_of_http(999), CW_WEB_UnexpectedStatusCode);
}

static void test_errno(void)
{
    CHECK_INT(cw__web_status_of_errno(ECONNRESET), CW_WEB_ConnectionReset);
    CHECK_INT(cw__web_status_of_errno(EPIPE), CW_WEB_ConnectionReset);
    CHECK_INT(cw__web_status_of_errno(ECONNABORTED), CW_WEB_ConnectionAborted);
    CHECK_INT(cw__web_status_of_errno(ETIMEDOUT), CW_WEB_Timeout);
    CHECK_INT(cw__web_status_of_errno(ECONNREFUSED), CW_WEB_CannotConnect);
    CHECK_INT(cw__web_status_of_errno(EHOSTUNREACH), CW_WEB_ServerUnreachable);
    CHECK_INT(cw__web_status_of_errno(ENETUNREACH), CW_WEB_ServerUnreachable);
    CHECK_INT(cw__web_status_of_errno(ENETDOWN), CW_WEB_ServerUnreachable);
    CHECK_INT(cw__web_status_of_errno(EHOSTDOWN), CW_WEB_ServerUnreachable);
    CHECK_INT(cw__web_status_of_errno(0), CW_WEB_Disconnected);
}

static const harness_test tests[] = {
    {"names and texts, and a question mark for other numbers", test_names},
    {"every status has a name and a text", test_all},
    {"a failure fills the thread's error and clears the previous one", test_fail},
    {"a stored error is restored completely", test_kept},
    {"the control and the time to wait that an error names", test_details},
    {"a long message is cut", test_long},
    {"each thread has its own error", test_threads},
    {"HTTP statuses", test_http},
    {"errno", test_errno},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

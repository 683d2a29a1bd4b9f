/* SPDX-License-Identifier: MIT */
/* Statuses: their names and texts, and the error that each thread stores. Also the WebErrorStatus of an errno or
 * an HTTP status; failure.c has the WebErrorStatus of a CURLcode. Every folder calls this file. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base.h"

/* The message has a buffer of its own, because a text that is never stored in a socket may be longer. */
static _Thread_local cw__error thread_error;
static _Thread_local char thread_message[CW__LONG_MESSAGE_BYTES];

const char *cw_status_name(cw_status status)
{
    switch (status) {
#define CW_X(name, value, text) \
    case name:                  \
        return #name;
        CW_STATUS_LIST(CW_X)
#undef CW_X
    }
    return "?";
}

const char *cw_status_text(cw_status status)
{
    switch (status) {
#define CW_X(name, value, text) \
    case name:                  \
        return text;
        CW_STATUS_LIST(CW_X)
#undef CW_X
    }
    return "?";
}

const char *cw_web_status_name(int web_status)
{
    switch (web_status) {
#define CW_X(name, value) \
    case value:           \
        return #name;
        CW_WEB_STATUS_LIST(CW_X)
#undef CW_X
    default:
        return NULL;
    }
}

const char *cw_chain_result_name(int chain_result)
{
    switch (chain_result) {
#define CW_X(name, value) \
    case value:           \
        return #name;
        CW_CHAIN_RESULT_LIST(CW_X)
#undef CW_X
    default:
        return NULL;
    }
}

const char *cw_error_message(void) { return thread_message; }
int cw_error_web_status(void) { return thread_error.web_status; }
int cw_error_curl_code(void) { return thread_error.curl_code; }
int cw_error_http_status(void) { return thread_error.http_status; }
int cw_error_os_errno(void) { return thread_error.os_errno; }
int cw_error_option(void) { return thread_error.limit > 0 ? thread_error.limit - 1 : CW_OPTION_NONE; }

int cw_error_retry_after(void) { return thread_error.retry_after_s - 1; }

cw_status cw__error_status(void) { return thread_error.status; }

void cw__error_get(cw__error *error)
{
    memcpy(error, &thread_error, offsetof(cw__error, message));
    (void)snprintf(error->message, sizeof error->message, "%.*s", (int)sizeof error->message - 1,
                   thread_message);
}

/* Returns the WebErrorStatus for a status without further details. */
static int web_status_of(cw_status status)
{
    switch (status) {
    case CW_TIMED_OUT:
        return CW_WEB_Timeout;
    case CW_INTERRUPTED:
        return CW_WEB_OperationCanceled;
    case CW_CLOSED:
        return CW_WEB_Disconnected;
    case CW_INVALID_ARGUMENT:
    case CW_INVALID_STATE:
    case CW_AFTER_FORK:
    case CW_UNSUPPORTED:
    case CW_CONNECT_FAILED: /* before anything was sent */
        return CW_WEB_UnexpectedClientError;
    default:
        return CW_WEB_Unknown;
    }
}

static cw_status fail(cw_status status, const char *format, va_list arguments)
{
    memset(&thread_error, 0, offsetof(cw__error, message));
    thread_error.status = status;
    thread_error.web_status = web_status_of(status);
    if (status == CW_SYSTEM_ERROR)
        thread_error.os_errno = errno;
    (void)vsnprintf(thread_message, sizeof thread_message, format, arguments);
    return status;
}

cw_status cw__fail(cw_status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fail(status, format, arguments);
    va_end(arguments);
    return status;
}

cw_status cw__fail_limit(cw_status status, cw_option option, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)fail(status, format, arguments);
    va_end(arguments);
    thread_error.limit = (int)option + 1;
    return status;
}

cw_status cw__fail_with(const cw__error *error)
{
    memcpy(&thread_error, error, offsetof(cw__error, message));
    memcpy(thread_message, error->message, sizeof error->message);
    return error->status;
}

void cw__error_set(cw__error *error, cw_status status, int web_status, const char *format, ...)
{
    va_list arguments;

    memset(error, 0, offsetof(cw__error, message));
    error->status = status;
    error->web_status = web_status;
    va_start(arguments, format);
    (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
}

int cw__web_status_of_errno(int os_errno)
{
    switch (os_errno) {
    case ECONNRESET:
    case EPIPE:
        return CW_WEB_ConnectionReset;
    case ECONNABORTED:
        return CW_WEB_ConnectionAborted;
    case ETIMEDOUT:
        return CW_WEB_Timeout;
    case ECONNREFUSED:
        return CW_WEB_CannotConnect;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return CW_WEB_ServerUnreachable;
    default:
        return CW_WEB_Disconnected;
    }
}

int cw__web_status_of_http(int http_status)
{
    if (http_status >= 300 && cw_web_status_name(http_status))
        return http_status;
    if (http_status >= 300 && http_status < 400)
        return CW_WEB_UnexpectedRedirection;
    if (http_status >= 400 && http_status < 500)
        return CW_WEB_UnexpectedClientError;
    if (http_status >= 500 && http_status < 600)
        return CW_WEB_UnexpectedServerError;
    return CW_WEB_UnexpectedStatusCode;
}

/* SPDX-License-Identifier: MIT */
/* Redirecting: decides whether a connect follows a redirect, and what the next request may contain. connect.c makes the
 * request. libcurl cannot follow: it ends the transfer at any reply but 101. No secret of the program leaves the origin
 * of its URI, and nothing comes back once a redirect has left it.
 *
 * Safety: these functions need no lock; connect.c calls them under the socket's lock.
 *
 * Reasons: CW_CONNECT_FAILED. */
#include <stdio.h>
#include <string.h>

#include "socket.h"

void cw__hop_destroy(cw__hop *hop)
{
    cw__uri_destroy(&hop->uri);
    cw__free(hop->text);
    cw__free(hop->headers);
    memset(hop, 0, sizeof *hop);
}

static bool no_memory(cw__error *error)
{
    cw__error_set(error, CW_NO_MEMORY, CW_WEB_Unknown, "no memory for a redirect: free memory and call again");
    return false;
}

static bool too_many(const cw__hop *hop, const cw__redirection *from, cw__error *error)
{
    cw__error_set(
        error, CW_CONNECT_FAILED, CW_WEB_RedirectFailed,
        "the server redirects with HTTP status %d after %u redirects: check whether they go in a circle, or "
        "raise max_redirs",
        from->http_status, hop->number);
    error->http_status = from->http_status;
    error->limit = CW_OPT_MAX_REDIRS + 1;
    return false;
}

static bool malformed(const cw__redirection *from, const char *fault, cw__error *error)
{
    cw__error_set(
        error, CW_CONNECT_FAILED, CW_WEB_RedirectFailed,
        "the server redirects with HTTP status %d to a place that cannot be used (%s): ask whoever runs "
        "the server",
        from->http_status, fault);
    error->http_status = from->http_status;
    return false;
}

static bool to_plain(const cw__redirection *from, const char *text, cw__error *error)
{
    char shown[120];

    (void)cw__uri_show(text, shown, sizeof shown);
    cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_HttpsToHttpOnRedirection,
                  "the server redirects from wss to %s, and curlwire never gives up TLS: ask whoever runs the "
                  "server, or connect to that URI",
                  shown);
    error->http_status = from->http_status;
    return false;
}

/* Some servers take a secret token as a subprotocol. To connect without the subprotocols would surprise a program that
 * needs them. */
static bool has_protocols(const cw__redirection *from, const char *text, cw__error *error)
{
    char shown[100];

    (void)cw__uri_show(text, shown, sizeof shown);
    cw__error_set(
        error, CW_CONNECT_FAILED, CW_WEB_RedirectFailed,
        "the server redirects to another origin, %s, which does not get supported_protocols, because one "
        "may be a secret token: connect to that URI, or offer no subprotocols",
        shown);
    error->http_status = from->http_status;
    return false;
}

/* Fills the next hop. Owns: it takes the URI and the text of *to. */
static bool fill(const cw__hop *hop, const cw__redirection *from, cw__redirect *to, cw__hop *next)
{
    next->uri = to->uri;
    next->text = to->text;
    next->number = hop->number + 1;
    next->is_elsewhere = hop->is_elsewhere || !to->is_same_origin;
    if (from->mode == CW_FOLLOW_SAFE) {
        next->least_public = from->space;
        next->refuses_proxy = from->space == CW__SPACE_PUBLIC && !to->is_same_origin;
    }
    if (next->is_elsewhere)
        next->headers = cw__redirect_headers(from->headers);
    return !next->is_elsewhere || next->headers;
}

bool cw__redirecting_next(const cw__hop *hop, const cw__redirection *from, cw__hop *next, cw__error *error)
{
    char fault[CW__URI_FAULT_BYTES];
    cw__redirect to;
    bool is_fine = false;

    if ((int64_t)hop->number >= from->most)
        return too_many(hop, from, error);
    switch (cw__redirect_read(from->lines, &hop->uri, &to, fault)) {
    case CW__REDIRECT_OK:
        is_fine = to.is_same_origin || !*from->protocols || has_protocols(from, to.text, error);
        break;
    case CW__REDIRECT_TO_PLAIN:
        is_fine = to_plain(from, to.text, error);
        break;
    case CW__REDIRECT_BAD:
        return malformed(from, fault, error);
    case CW__REDIRECT_NO_MEMORY:
        return no_memory(error);
    }
    if (is_fine)
        return fill(hop, from, &to, next) || no_memory(error);
    cw__redirect_destroy(&to);
    return false;
}

void cw__redirecting_fail(int http_status, cw__error *error)
{
    cw__error own;

    cw__error_get(&own);
    if (own.status != CW_INVALID_ARGUMENT) {
        *error = own;
        return;
    }
    /* libcurl's parser has refused the host */
    cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_RedirectFailed,
                  "the server redirects with HTTP status %d to a place that cannot be used (%.200s): ask "
                  "whoever runs the server",
                  http_status, own.message);
    error->http_status = http_status;
}

void cw__redirecting_explain(const cw__hop *hop, cw__error *error)
{
    size_t len = strlen(error->message);
    char shown[100];

    if (hop->number == 0 || error->web_status == CW_WEB_OperationCanceled)
        return;
    (void)cw__uri_show(hop->text, shown, sizeof shown);
    (void)snprintf(error->message + len, sizeof error->message - len, " (after %u redirect%s, at %s%s)",
                   hop->number, hop->number == 1 ? "" : "s", shown,
                   hop->is_elsewhere && (error->http_status == 401 || error->http_status == 403)
                       ? ", which is another origin and got no credentials"
                       : "");
}

/* SPDX-License-Identifier: MIT */
/* Login: how the handshake proves to the server who the user is. handshake.c sets the options, and connect.c asks whether
 * another transfer answers the server's challenge. verdict.c adds to the error for a 401.
 *
 * libcurl (8.14.1, 8.22) ends a WebSocket transfer at a 401, before it chooses a scheme (lib/http.c: http_on_response).
 * But it has read the challenge then, and the next transfer of the same handle answers it. The connection is gone: after
 * such an error libcurl closes it. So NTLM, which needs three messages on one connection, cannot work.
 *
 * Errors: CW_UNSUPPORTED, CW_INVALID_ARGUMENT, CW_CONNECT_FAILED. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "transport.h"

/* Returns whether the script has set the header Authorization, which goes before everything else. */
static bool has_own_header(const char *lines)
{
    static const char name[] = "Authorization";

    for (; *lines; lines += strcspn(lines, "\n") + 1)
        if (strncasecmp(lines, name, sizeof name - 1) == 0 && strchr(":;", lines[sizeof name - 1]))
            return true;
    return false;
}

static bool has_token(const cw__login *login) { return login->bearer && *login->bearer; }

/* RFC 6750 section 2.1. */
static bool is_bearer_token(const char *token)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
    size_t len = strspn(token, allowed);

    return len > 0 && token[len + strspn(token + len, "=")] == '\0';
}

cw_status cw__login_check(const cw__login *login)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    if (has_token(login) && !is_bearer_token(login->bearer))
        return cw__fail_limit(
            CW_INVALID_ARGUMENT, CW_OPT_XOAUTH2_BEARER,
            "xoauth2_bearer has a character that no token has (RFC 6750): use letters, digits and -._~+/, "
            "and = at the end");
    if (login->auth == CW_HTTP_AUTH_NTLM)
        return cw__fail_limit(
            CW_UNSUPPORTED, CW_OPT_HTTP_AUTH,
            "http_auth cannot be \"ntlm\": its three messages need one connection, and libcurl closes the "
            "connection when a server refuses a WebSocket; use another scheme of the server");
    if (login->auth == CW_HTTP_AUTH_NEGOTIATE && !(info->features & CURL_VERSION_SPNEGO))
        return cw__fail_limit(
            CW_UNSUPPORTED, CW_OPT_HTTP_AUTH,
            "http_auth cannot be \"negotiate\": the loaded libcurl %s was built without GSSAPI; load "
            "another libcurl, or use another scheme",
            info->version);
    return CW_OK;
}

/* Returns libcurl's bits for the first request. With several bits, libcurl sends nothing before a challenge. */
static long first_bits(cw_http_auth auth)
{
    switch (auth) {
    case CW_HTTP_AUTH_DIGEST:
        return (long)CURLAUTH_DIGEST;
    case CW_HTTP_AUTH_NEGOTIATE:
        return (long)CURLAUTH_NEGOTIATE;
    case CW_HTTP_AUTH_ANY:
        return (long)(CURLAUTH_DIGEST | CURLAUTH_BASIC);
    default:
        return (long)CURLAUTH_BASIC;
    }
}

/* libcurl writes the path of CURLOPT_URL into a digest, and not CURLOPT_REQUEST_TARGET. So both must come from the URL. */
static CURLcode set_whole_url(const cw__handshake *h, const char *target)
{
    const char *base = h->url ? h->url : h->base;
    size_t room_bytes = strlen(base) + strlen(target) + 1;
    char *url = cw__malloc(room_bytes);
    const long is_on = 1;
    CURLcode code;

    if (!url)
        return CURLE_OUT_OF_MEMORY;
    (void)snprintf(url, room_bytes, "%s%s", base, target + 1); /* the base ends in / */
    code = curl_easy_setopt(h->easy, CURLOPT_URL, url);
    if (code == CURLE_OK)
        code = curl_easy_setopt(h->easy, CURLOPT_PATH_AS_IS, is_on);
    if (code == CURLE_OK)
        code = curl_easy_setopt(h->easy, CURLOPT_REQUEST_TARGET, (char *)NULL);
    cw__free(url);
    return code;
}

CURLcode cw__login_set(cw__handshake *h, const cw__handshake_settings *settings)
{
    bool has_user = settings->user || strchr(settings->uri->prefix, '@');
    bool is_decided = has_own_header(settings->request.headers) || has_token(&settings->login);
    CURLcode code = CURLE_OK;

    h->login = (cw__login_state){.auth = settings->login.auth, .has_user = has_user && !is_decided};
    if (is_decided)
        return CURLE_OK; /* the header is sent, and libcurl sends no Basic beside it */
    if (settings->user) {
        code = curl_easy_setopt(h->easy, CURLOPT_USERNAME, settings->user);
        if (code == CURLE_OK)
            code = curl_easy_setopt(h->easy, CURLOPT_PASSWORD, settings->password);
    }
    if (code == CURLE_OK && h->login.auth != CW_HTTP_AUTH_BASIC)
        code = curl_easy_setopt(h->easy, CURLOPT_HTTPAUTH, first_bits(h->login.auth));
    if (code == CURLE_OK && h->login.auth != CW_HTTP_AUTH_BASIC)
        code = set_whole_url(h, settings->uri->target);
    return code;
}

bool cw__login_adds_header(const cw__handshake_settings *settings)
{
    return has_token(&settings->login) && !has_own_header(settings->request.headers);
}

/* Returns whether a host is this machine, by its text alone: "localhost", a name below it, or an address. */
static bool is_this_machine(const char *host)
{
    static const char localhost[] = "localhost";
    bool has_brackets = host[0] == '[';
    size_t len = strlen(host) - (has_brackets ? 2 : 0), end = sizeof localhost - 1;
    uint8_t bytes[16];
    size_t address_bytes = cw__address_read(host + has_brackets, len, bytes);

    if (address_bytes)
        return cw__address_space_of(bytes, address_bytes) == CW__SPACE_LOCAL;
    if (len > 0 && host[len - 1] == '.')
        len--;
    return len >= end && strncasecmp(host + len - end, localhost, end) == 0 &&
           (len == end || host[len - end - 1] == '.');
}

/* Returns whether nobody else reads what goes to the server. The name alone is not enough, because `resolve` or /etc/hosts
 * may lead it elsewhere. The address alone is not enough either, because the next look-up of a name may give another one. */
static bool is_private(const cw__handshake *h)
{
    if (h->is_to_tls || *h->reach.unix_path || *h->reach.abstract_name)
        return true;
    return h->proxy.kind == CW__PROXY_NONE && is_this_machine(h->host) &&
           cw__handshake_space(h) == CW__SPACE_LOCAL;
}

/* Returns libcurl's bit for the scheme that answers the challenge; 0 = none can. With `any` the challenge chooses, and whoever
 * stands on the way of a ws connection can write it. So Basic, which shows the password, is not an answer there. */
static unsigned long choose(const cw__handshake *h, unsigned offered)
{
    bool is_any = h->login.auth == CW_HTTP_AUTH_ANY;
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    if (h->login.has_user && (is_any || h->login.auth == CW_HTTP_AUTH_DIGEST) && offered & CW__SCHEME_DIGEST)
        return CURLAUTH_DIGEST;
    if (h->login.has_user && is_any && offered & CW__SCHEME_BASIC && is_private(h))
        return CURLAUTH_BASIC;
    /* Kerberos needs no user name, but the program may have meant one for another scheme. */
    if (!h->login.has_user && is_any && offered & CW__SCHEME_NEGOTIATE && info->features & CURL_VERSION_SPNEGO)
        return CURLAUTH_NEGOTIATE;
    return 0;
}

/* A second 401 is final. */
bool cw__login_answers(cw__handshake *h, const cw__error *error)
{
    unsigned long bit;

    if (h->login.auth == CW_HTTP_AUTH_BASIC || h->login.has_answered || error->http_status != 401 ||
        error->status != CW_CONNECT_FAILED || h->is_refused || !h->reply.is_complete)
        return false;
    bit = choose(h, cw__challenge_schemes(cw__reply_lines(&h->reply)));
    h->login.has_answered = bit && curl_easy_setopt(h->easy, CURLOPT_HTTPAUTH, (long)bit) == CURLE_OK;
    return h->login.has_answered;
}

void cw__login_explain(const cw__handshake *h, cw__error *error)
{
    unsigned offered = cw__challenge_schemes(cw__reply_lines(&h->reply));
    const char *advice = NULL;

    if (error->http_status != 401)
        return;
    if (offered & CW__SCHEME_DIGEST && !(offered & CW__SCHEME_BASIC) && h->login.auth == CW_HTTP_AUTH_BASIC)
        advice = "it wants Digest authentication; set server_credential, and http_auth to \"digest\"";
    else if (offered & CW__SCHEME_BASIC && h->login.auth == CW_HTTP_AUTH_ANY && h->login.has_user &&
             !h->login.has_answered)
        advice = "it offers no login that hides the password, and http_auth \"any\" sends no password over ws; "
                 "connect to wss, or set http_auth to \"basic\" if everybody on the way may read the password";
    else if (offered == CW__SCHEME_BEARER)
        advice =
            "it wants a token, or does not accept this one; set xoauth2_bearer, or the header Authorization";
    else if (offered == CW__SCHEME_NTLM)
        advice = "it offers NTLM only, which cannot work for a WebSocket; let the server offer another scheme";
    else if (offered == CW__SCHEME_NEGOTIATE || offered == (CW__SCHEME_NEGOTIATE | CW__SCHEME_NTLM))
        advice = "it wants Kerberos (Negotiate), or does not accept this ticket; set http_auth to "
                 "\"negotiate\", and "
                 "get a ticket with kinit";
    else if (h->login.has_answered)
        advice = "it does not accept this user and password; correct them";
    if (!advice)
        return;
    cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_Unauthorized,
                  "the server refused the WebSocket with HTTP status 401: %s", advice);
    error->http_status = 401;
}

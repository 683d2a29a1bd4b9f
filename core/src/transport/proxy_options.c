/* SPDX-License-Identifier: MIT */
/* Proxy options: gives the chosen proxy and the controls about proxies to libcurl. handshake.c calls this file. Every result
 * is checked, because an older or smaller libcurl may lack an option.
 *
 * Errors: CW_UNSUPPORTED, CW_NO_MEMORY, and those of proxy.c. */
#include <stdio.h>
#include <string.h>

#include "transport.h"

enum { CHALLENGES_AT_MOST = 4 }; /* NTLM needs two, Digest two if a nonce is stale */

void cw__proxy_restart(cw__handshake *h)
{
    h->challenges = 0;
    h->is_refused = false;
    h->is_past_pre_proxy = h->pre_proxy.kind == CW__PROXY_NONE;
    h->is_past_proxy = h->proxy.kind == CW__PROXY_NONE;
}

static void passed(cw__handshake *h)
{
    h->is_past_proxy = true;
    cw__moment_note(&h->moments.past_proxy_us);
}

void cw__proxy_tries_again(cw__handshake *h)
{
    if (!h->is_refused)
        return;
    h->is_refused = false;
    cw__refusal_forget(h);
}

/* A SOCKS proxy has let the connection through when the first bytes for the next party go out: a request, or TLS. Only the
 * body of a reply to CONNECT comes as data before that. */
void cw__proxy_note(cw__handshake *h, curl_infotype type, char *text, size_t len_bytes)
{
    if (type == CURLINFO_DATA_IN && h->is_refused)
        (void)cw__refusal_write(text, 1, len_bytes, h);
    if (type == CURLINFO_HEADER_OUT)
        cw__proxy_tries_again(h); /* the request is the answer to a challenge */
    if (type != CURLINFO_SSL_DATA_OUT && type != CURLINFO_HEADER_OUT)
        return;
    h->is_past_pre_proxy = true;
    if (h->proxy.kind == CW__PROXY_SOCKS)
        passed(h);
}

/* Returns whether libcurl has a login for the challenge of a 407, other than the one that each request has. */
static bool has_answer(const cw__handshake *h)
{
    unsigned challenged = h->proxy_settings.logins & ~(unsigned)CW__LOGIN_BASIC;

    return challenged && (h->proxy.user || challenged & CW__LOGIN_NEGOTIATE);
}

/* Any status but 2xx is final, because the request already had all credentials that we have. Only a challenge that libcurl may
 * answer (proxy_auth) is not final: libcurl reads the body and sends another request. If it has no answer, the transfer
 * fails. */
bool cw__proxy_answered(cw__handshake *h)
{
    long http_status = 0;

    (void)curl_easy_getinfo(h->easy, CURLINFO_HTTP_CONNECTCODE, &http_status);
    h->is_refused = http_status / 100 != 2;
    if (!h->is_refused) {
        passed(h);
        h->tls = (cw__tls_notes){0};
        cw__reply_forget(&h->reply);
        return true;
    }
    if (http_status == 407 && has_answer(h))
        return h->challenges++ < CHALLENGES_AT_MOST;
    if (http_status < 300 || !cw__refusal_can_keep() || cw__reply_is_empty(&h->reply))
        return false;
    cw__refusal_begin(h);
    return true;
}

unsigned cw__proxy_logins_available(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    unsigned logins = CW__LOGIN_BASIC | CW__LOGIN_DIGEST;

    if (info->features & CURL_VERSION_SPNEGO)
        logins |= CW__LOGIN_NEGOTIATE;
    if (info->features & CURL_VERSION_NTLM)
        logins |= CW__LOGIN_NTLM;
    return logins;
}

/* Leaves out the logins that the loaded libcurl lacks. Fails if it lacks all of them. */
static cw_status check_logins(cw__handshake *h, const curl_version_info_data *info)
{
    unsigned logins = h->proxy_settings.logins;

    h->proxy_settings.logins &= cw__proxy_logins_available();
    if (!logins || h->proxy_settings.logins || h->proxy.kind == CW__PROXY_NONE ||
        h->proxy.kind == CW__PROXY_SOCKS)
        return CW_OK;
    return cw__fail_limit(
        CW_UNSUPPORTED, CW_OPT_PROXY_AUTH,
        "proxy_auth cannot be used: the loaded libcurl %s was built without %s; add digest or basic to "
        "proxy_auth, or load another libcurl",
        info->version,
        logins == CW__LOGIN_NEGOTIATE ? "GSSAPI, which negotiate needs"
        : logins == CW__LOGIN_NTLM    ? "NTLM"
                                      : "GSSAPI and NTLM");
}

/* Reads the control pre_proxy. */
static cw_status prepare_pre_proxy(cw__handshake *h)
{
    bool has_no_memory;

    if (!*h->proxy_settings.pre_uri)
        return CW_OK;
    if (h->proxy.kind != CW__PROXY_HTTP && h->proxy.kind != CW__PROXY_HTTPS) {
        cw__error error;
        cw__error_set(
            &error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
            "pre_proxy is set, and no http:// or https:// proxy stands behind it: set proxy to one, or "
            "set proxy to that SOCKS proxy in place of pre_proxy");
        return cw__fail_with(&error);
    }
    /* the control was checked when it was set */
    (void)cw__proxy_parse(&h->pre_proxy, h->proxy_settings.pre_uri, &has_no_memory);
    h->pre_proxy.source = "pre_proxy";
    return has_no_memory ? cw__fail(CW_NO_MEMORY, "no memory for a proxy: free memory and call again") : CW_OK;
}

cw_status cw__proxy_prepare(cw__handshake *h, unsigned port, const char *(*get)(const char *name))
{
    const cw__proxy_settings *settings = &h->proxy_settings;
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    bool is_local = cw__reach_is_local(&h->reach);
    cw_status status = CW_OK;

    if (is_local && *settings->uri && strcmp(settings->uri, CW__PROXY_DIRECT) != 0)
        return cw__fail(
            CW_INVALID_ARGUMENT,
            "a connection to a Unix socket, or one that the program has made, uses no proxy: unset proxy");
    if (!is_local)
        status = cw__proxy_choose(&h->proxy, settings->uri, h->is_to_tls, h->host, port, get);

    if (status == CW_OK)
        status = prepare_pre_proxy(h);
    if (status == CW_OK)
        status = check_logins(h, info);
    if (status == CW_OK && h->proxy.kind == CW__PROXY_HTTPS)
        status = cw__client_certificate_check(&settings->client);
    if (status != CW_OK)
        return status;
    cw__proxy_restart(h);
    if (h->proxy.kind == CW__PROXY_HTTPS && !(info->features & CURL_VERSION_HTTPS_PROXY))
        return cw__fail(CW_UNSUPPORTED,
                        "the proxy %.80s (%s) is an https:// proxy, and the loaded libcurl %s supports none: "
                        "use http://, or load another libcurl",
                        h->proxy.name, h->proxy.source, info->version);
    if (h->proxy.kind != CW__PROXY_NONE && settings->user &&
        !cw__proxy_set_credential(&h->proxy, settings->user, settings->password))
        return cw__fail(CW_NO_MEMORY, "no memory for a connection: free memory and call again");
    return CW_OK;
}

/* Makes libcurl use no proxy. */
static CURLcode set_none(CURL *easy)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_PROXY, "");

    if (code == CURLE_OK)
        code = curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    return code == CURLE_UNKNOWN_OPTION || code == CURLE_NOT_BUILT_IN
               ? CURLE_OK
               : code; /* the loaded libcurl has no proxies */
}

#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)

/* Sets the options for TLS to an https:// proxy. */
static CURLcode set_tls(const cw__handshake *h)
{
    const cw__proxy_settings *settings = &h->proxy_settings;
    CURL *easy = h->easy;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_PROXY_SSL_VERIFYPEER, settings->verify ? 1L : 0L);
    SET(CURLOPT_PROXY_SSL_VERIFYHOST, settings->verify ? 2L : 0L);
    SET(CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (*settings->ca_file) {
        SET(CURLOPT_PROXY_CAINFO, settings->ca_file);
        SET(CURLOPT_PROXY_CAPATH, h->no_folder);
    } else if (h->authorities.is_data) {
        if (code == CURLE_OK)
            code = cw__data_set(easy, CURLOPT_PROXY_CAINFO_BLOB, &h->tls_options.ca);
        SET(CURLOPT_PROXY_CAPATH, h->folder);
    } else if (h->authorities.file) {
        SET(CURLOPT_PROXY_CAINFO, h->authorities.file);
        SET(CURLOPT_PROXY_CAPATH, h->folder);
    }
    return code == CURLE_OK ? cw__client_certificate_set(&settings->client, easy) : code;
}

/* Copies a text and percent-encodes all that is not a letter or a digit. Returns the end of the copy. */
static char *put_encoded(char *to, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
            *to++ = *text;
            continue;
        }
        *to++ = '%';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
    }
    return to;
}

/* Sets the proxy in front. libcurl takes its user and password only from its URL. */
static CURLcode set_pre_proxy(const cw__handshake *h)
{
    const cw__proxy *p = &h->pre_proxy;
    size_t scheme_bytes = (size_t)(p->name - p->url);
    char *url, *to;
    CURLcode code;

    if (!p->user)
        return curl_easy_setopt(h->easy, CURLOPT_PRE_PROXY, p->url);
    url = to = cw__malloc(strlen(p->url) + 3 * (strlen(p->user) + strlen(p->password)) + 3);
    if (!url)
        return CURLE_OUT_OF_MEMORY;
    memcpy(to, p->url, scheme_bytes);
    to = put_encoded(to + scheme_bytes, p->user);
    *to++ = ':';
    to = put_encoded(to, p->password);
    *to++ = '@';
    memcpy(to, p->name, strlen(p->name) + 1);
    code = curl_easy_setopt(h->easy, CURLOPT_PRE_PROXY, url);
    cw__free(url);
    return code;
}

/* Adds the lines of the control proxy_headers. */
static CURLcode set_headers(cw__handshake *h)
{
    const char *lines = h->proxy_settings.headers;

    while (*lines) {
        size_t len = strcspn(lines, "\n");
        char *line = cw__strndup(lines, len);
        struct curl_slist *longer = line ? curl_slist_append(h->proxy_headers, line) : NULL;
        cw__free(line);
        if (!longer)
            return CURLE_OUT_OF_MEMORY;
        h->proxy_headers = longer;
        lines += len + (lines[len] == '\n');
    }
    return h->proxy_headers ? curl_easy_setopt(h->easy, CURLOPT_PROXYHEADER, h->proxy_headers) : CURLE_OK;
}

/* Sets the logins. With Basic alone libcurl logs in at once. Otherwise it waits for a challenge, and takes the safest login
 * that the proxy offers and that is allowed. */
static CURLcode set_logins(const cw__handshake *h)
{
    static const unsigned long bits[] = {CURLAUTH_BASIC, CURLAUTH_DIGEST, CURLAUTH_NEGOTIATE, CURLAUTH_NTLM};
    unsigned logins = h->proxy_settings.logins;
    unsigned long allowed = 0;
    CURLcode code = CURLE_OK;
    CURL *easy = h->easy;

    if (!logins)
        return code;
    for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++)
        allowed |= logins & (1u << i) ? bits[i] : 0;
    SET(CURLOPT_PROXYAUTH, (long)allowed);
    if (!h->proxy.user && logins & CW__LOGIN_NEGOTIATE) { /* libcurl takes the user from the ticket */
        SET(CURLOPT_PROXYUSERNAME, "");
        SET(CURLOPT_PROXYPASSWORD, "");
    }
    return code;
}

/* Sets the options for a proxy that gets an HTTP request. */
static CURLcode set_http(cw__handshake *h)
{
    CURL *easy = h->easy;
    CURLcode code = CURLE_OK;

    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* the proxy does not get the headers for the server */
    SET(CURLOPT_XFERINFOFUNCTION, cw__refusal_progress);
    SET(CURLOPT_XFERINFODATA, (void *)h);
    SET(CURLOPT_NOPROGRESS, 0L);
    if (code == CURLE_OK)
        code = set_headers(h);
    if (code == CURLE_OK)
        code = set_logins(h);
    if (code == CURLE_OK && h->pre_proxy.kind != CW__PROXY_NONE)
        code = set_pre_proxy(h);
    return code == CURLE_OK && h->proxy.kind == CW__PROXY_HTTPS ? set_tls(h) : code;
}

CURLcode cw__proxy_set_options(cw__handshake *h)
{
    CURL *easy = h->easy;
    CURLcode code = CURLE_OK;

    if (h->proxy.kind == CW__PROXY_NONE)
        return set_none(easy);
    SET(CURLOPT_PROXY, h->proxy.url);
    SET(CURLOPT_NOPROXY, "");
    if (h->proxy.user) {
        SET(CURLOPT_PROXYUSERNAME, h->proxy.user);
        SET(CURLOPT_PROXYPASSWORD, h->proxy.password);
    }
    return code == CURLE_OK && h->proxy.kind != CW__PROXY_SOCKS ? set_http(h) : code;
}

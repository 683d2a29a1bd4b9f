/* SPDX-License-Identifier: MIT */
/* Proxy certificate: checks the controls that name the client certificate for an https:// proxy, gives them to libcurl, and
 * explains what is wrong with them. proxy_options.c and verdict.c call this file. libcurl's texts are compared and never
 * shown. The password is in no text.
 *
 * Errors: CW_CONNECT_FAILED. */
#include <string.h>

#include "transport.h"

static bool is_start(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

cw_status cw__proxy_certificate_check(const cw__client_certificate *c)
{
    cw__error error;
    cw_status status;

    if (!*c->file && (*c->key || *c->password)) {
        cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s is set without proxy_client_certificate: set proxy_client_certificate too",
                      *c->key ? "proxy_client_key" : "proxy_client_key_password");
        return cw__fail_with(&error);
    }
    status = *c->file ? cw__file_check("proxy_client_certificate", c->file) : CW_OK;
    return status == CW_OK && *c->key ? cw__file_check("proxy_client_key", c->key) : status;
}

CURLcode cw__proxy_certificate_set(const cw__client_certificate *c, CURL *easy)
{
    CURLcode code = CURLE_OK;

    if (!*c->file)
        return code;
#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_PROXY_SSLCERT, c->file);
    SET(CURLOPT_PROXY_SSLCERTTYPE, "PEM");
    /* Without a password, OpenSSL would ask for it at the terminal, and the service thread would wait for an answer. */
    SET(CURLOPT_PROXY_KEYPASSWD, c->password);
    if (*c->key)
        SET(CURLOPT_PROXY_SSLKEY, c->key);
#undef SET
    return code;
}

/* client_certificate.c explains the texts and codes of libcurl. */
bool cw__proxy_certificate_explain(const cw__client_certificate *c, int curl_code, const char *text,
                                   cw__error *error)
{
    bool is_key = is_start(text, "unable to set private key") || is_start(text, "Private key does not match");

    if (!*c->file ||
        (curl_code != CURLE_SSL_CERTPROBLEM && !(curl_code == CURLE_BAD_FUNCTION_ARGUMENT && is_key)))
        return false;
    if (is_key)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s '%.300s' cannot be used: it has no PEM key, its key does not fit the certificate, or "
                      "proxy_client_key_password is missing or wrong; correct them",
                      *c->key ? "proxy_client_key" : "proxy_client_certificate", *c->key ? c->key : c->file);
    else
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "proxy_client_certificate '%.300s' cannot be used: it is not a PEM file of certificates; "
                      "correct it",
                      c->file);
    return true;
}

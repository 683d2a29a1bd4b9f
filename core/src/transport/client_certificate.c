/* SPDX-License-Identifier: MIT */
/* Client certificate: checks the controls that name it, gives them to libcurl, and explains what is wrong with them. It also
 * checks the kind of the other files. handshake.c, verdict.c and failure.c call this file. libcurl's texts are compared and
 * never shown. The password is in no text.
 *
 * Errors: CW_CONNECT_FAILED. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport.h"

cw_status cw__file_check_kind(const char *control, const char *path, bool may_be_folder)
{
    struct stat about;
    cw__error error;

    if (stat(path, &about) != 0 || S_ISREG(about.st_mode) || (S_ISDIR(about.st_mode) && may_be_folder))
        return CW_OK;
    cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                  "%s '%.300s' cannot be used: it is not a regular file; set %s to a file", control, path,
                  control);
    return cw__fail_with(&error);
}

static cw_status check_file(const char *control, const char *path)
{
    struct stat about;
    cw__error error;

    if (stat(path, &about) != 0 || (S_ISREG(about.st_mode) && access(path, R_OK) != 0)) {
        cw__error_set(
            &error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
            "%s '%.300s' cannot be used: %s; check the path and its permissions", control, path,
            /* NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its text (glibc 2.32, musl, BSD) */
            strerror(errno));
        return cw__fail_with(&error);
    }
    return cw__file_check_kind(control, path, false);
}

cw_status cw__client_certificate_check(const cw__client_certificate *c)
{
    cw__error error;
    cw_status status;

    if (!*c->file && (*c->key || *c->password)) {
        cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s is set without client_certificate: set client_certificate too",
                      *c->key ? "client_key" : "client_key_password");
        return cw__fail_with(&error);
    }
    if (c->is_pkcs12 && *c->key) {
        cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "client_key is set beside a PKCS#12 file, which has the key: unset client_key");
        return cw__fail_with(&error);
    }
    status = *c->file ? check_file("client_certificate", c->file) : CW_OK;
    return status == CW_OK && *c->key ? check_file("client_key", c->key) : status;
}

CURLcode cw__client_certificate_set(const cw__client_certificate *c, CURL *easy)
{
    CURLcode code = CURLE_OK;

    if (!*c->file)
        return code;
#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_SSLCERT, c->file);
    SET(CURLOPT_SSLCERTTYPE, c->is_pkcs12 ? "P12" : "PEM");
    /* Without a password, OpenSSL would ask for it at the terminal, and the service thread would wait for an answer. */
    SET(CURLOPT_KEYPASSWD, c->password);
    if (*c->key)
        SET(CURLOPT_SSLKEY, c->key);
#undef SET
    return code;
}

static bool is_start(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

/* libcurl's text does not tell a wrong password from a key that does not fit (8.14.1 and 8.22, lib/vtls/openssl.c). Its
 * code is then CURLE_BAD_FUNCTION_ARGUMENT. */
bool cw__client_certificate_explain(const cw__client_certificate *c, int curl_code, const char *text,
                                    cw__error *error)
{
    bool is_key = is_start(text, "unable to set private key") || is_start(text, "Private key does not match");

    if (!*c->file ||
        (curl_code != CURLE_SSL_CERTPROBLEM && !(curl_code == CURLE_BAD_FUNCTION_ARGUMENT && is_key)))
        return false;
    if (c->is_pkcs12)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "client_certificate '%.300s' cannot be used: it is not a PKCS#12 file with a certificate "
                      "and its key, or client_key_password is missing or wrong; correct them",
                      c->file);
    else if (is_key)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s '%.300s' cannot be used: it has no PEM key, its key does not fit the certificate, or "
                      "client_key_password is missing or wrong; correct them",
                      *c->key ? "client_key" : "client_certificate", *c->key ? c->key : c->file);
    else
        cw__error_set(
            error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
            "client_certificate '%.300s' cannot be used: it is not a PEM file of certificates; correct "
            "it, or set client_certificate_type",
            c->file);
    return true;
}

/* ---- What the other end says to it ---- */

/* Returns whether an alert may mean that the server got no certificate (RFC 8446 section 6.2). The alert depends on the
 * server's library and the version of TLS. Alone, each may mean something else. */
static bool is_refusal(const char *text)
{
    static const char *const alerts[] = {
        "certificate required",      "alert handshake failure",   "alert bad certificate",
        "alert certificate unknown", "alert access denied",       "alert unknown ca",
        "alert certificate expired", "alert certificate revoked", "alert unsupported certificate"};

    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
        if (strstr(text, alerts[i]))
            return true;
    return false;
}

/* Returns whether the end of the connection may have lost such an alert. In TLS 1.3 the alert comes after the
 * handshake. If the peer resets TCP right after the alert, libcurl (8.14.1, 8.22) fails to send its request and does
 * not read the alert. */
static bool is_cut_off(const cw__failure *f)
{
    bool is_reset = f->os_errno == ECONNRESET || f->os_errno == EPIPE;

    return f->curl_code == CURLE_SEND_ERROR || (f->curl_code == CURLE_RECV_ERROR && is_reset);
}

bool cw__client_certificate_is_demanded(const cw__failure *f)
{
    bool is_asked = f->tls.wants_certificate || strstr(f->text, "certificate required");

    return is_asked && (is_refusal(f->text) || is_cut_off(f));
}

void cw__client_certificate_demand(const cw__failure *f, const char *who, cw__error *error)
{
    const int web_status = CW_WEB_UnexpectedClientError;

    if (f->at_proxy)
        cw__error_set(error, CW_CONNECT_FAILED, web_status,
                      "%s demands a client certificate, and curlwire sends none to a proxy: use a proxy that "
                      "demands none",
                      who);
    else if (!f->sends_certificate)
        cw__error_set(error, CW_CONNECT_FAILED, web_status,
                      "%s demands a client certificate: set client_certificate to one that it accepts", who);
    else if (is_refusal(f->text))
        cw__error_set(error, CW_CONNECT_FAILED, web_status,
                      "%s does not accept the client certificate: set client_certificate to another one", who);
    else
        cw__error_set(error, CW_CONNECT_FAILED, web_status,
                      "%s asked for a client certificate and then ended the connection: it may not accept "
                      "client_certificate; see its log",
                      who);
}

/* SPDX-License-Identifier: MIT */
/* Client certificate: checks the controls that name it, gives them to libcurl, and explains what is wrong with them. It also
 * checks the kind of the other files. handshake.c, verdict.c and failure.c call this file. libcurl's texts are compared and
 * never shown. The password is in no text.
 *
 * Errors: CW_CONNECT_FAILED. */
#include <errno.h>
#include <stdio.h>
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

cw_status cw__file_check(const char *control, const char *path)
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

CURLcode cw__data_set(CURL *easy, CURLoption option, const cw__data *data)
{
    struct curl_blob blob = {.data = data->data, .len = data->len_bytes, .flags = CURL_BLOB_NOCOPY};

    return curl_easy_setopt(easy, option, &blob);
}

static cw_status check_together(const cw__client_certificate *c)
{
    bool has_key = *c->key || c->key_data.len_bytes > 0;
    const char *key = *c->key ? "client_key" : "client_key_data";

    if (!cw__client_certificate_is_set(c) && (has_key || *c->password))
        return cw__fail(CW_CONNECT_FAILED,
                        "%s is set without client_certificate: set client_certificate too, or "
                        "client_certificate_data",
                        has_key ? key : "client_key_password");
    if (*c->file && c->data.len_bytes > 0)
        return cw__fail(CW_CONNECT_FAILED,
                        "client_certificate and client_certificate_data are both set: unset one of them");
    if (*c->key && c->key_data.len_bytes > 0)
        return cw__fail(CW_CONNECT_FAILED, "client_key and client_key_data are both set: unset one of them");
    if (c->is_pkcs12 && has_key)
        return cw__fail(CW_CONNECT_FAILED, "%s is set beside a PKCS#12 file, which has the key: unset %s", key,
                        key);
    return CW_OK;
}

cw_status cw__client_certificate_check(const cw__client_certificate *c)
{
    cw_status status = check_together(c);

    if (status == CW_OK && *c->file)
        status = cw__file_check("client_certificate", c->file);
    return status == CW_OK && *c->key ? cw__file_check("client_key", c->key) : status;
}

CURLcode cw__client_certificate_set(const cw__client_certificate *c, CURL *easy)
{
    CURLcode code = CURLE_OK;

    if (!cw__client_certificate_is_set(c))
        return code;
#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)
    if (*c->file) {
        SET(CURLOPT_SSLCERT, c->file);
    } else {
        code = cw__data_set(easy, CURLOPT_SSLCERT_BLOB, &c->data);
    }
    SET(CURLOPT_SSLCERTTYPE, c->is_pkcs12 ? "P12" : "PEM");
    /* Without a password, OpenSSL would ask for it at the terminal, and the service thread would wait for an answer. */
    SET(CURLOPT_KEYPASSWD, c->password);
    if (*c->key)
        SET(CURLOPT_SSLKEY, c->key);
#undef SET
    if (code == CURLE_OK && c->key_data.len_bytes > 0)
        code = cw__data_set(easy, CURLOPT_SSLKEY_BLOB, &c->key_data);
    return code;
}

static bool is_start(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

enum { SUBJECT_BYTES = 64 };

/* Writes "client_key 'path'", or "client_key_data", whose bytes are in no text. */
static void name_control(char subject[SUBJECT_BYTES + CW__MESSAGE_BYTES], const char *control, const char *path)
{
    if (*path)
        (void)snprintf(subject, SUBJECT_BYTES + CW__MESSAGE_BYTES, "%s '%.300s'", control, path);
    else
        (void)snprintf(subject, SUBJECT_BYTES + CW__MESSAGE_BYTES, "%s_data", control);
}

/* libcurl's text does not tell a wrong password from a key that does not fit (8.14.1 and 8.22, lib/vtls/openssl.c). Its
 * code is then CURLE_BAD_FUNCTION_ARGUMENT. */
bool cw__client_certificate_explain(const cw__client_certificate *c, int curl_code, const char *text,
                                    cw__error *error)
{
    bool is_key = is_start(text, "unable to set private key") || is_start(text, "Private key does not match");
    bool has_key = *c->key || c->key_data.len_bytes > 0;
    char subject[SUBJECT_BYTES + CW__MESSAGE_BYTES];

    if (!cw__client_certificate_is_set(c) ||
        (curl_code != CURLE_SSL_CERTPROBLEM && !(curl_code == CURLE_BAD_FUNCTION_ARGUMENT && is_key)))
        return false;
    if (!c->is_pkcs12 && is_key && has_key)
        name_control(subject, "client_key", c->key);
    else
        name_control(subject, "client_certificate", c->file);
    if (c->is_pkcs12)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s cannot be used: it is not a PKCS#12 file with a certificate and its key, or "
                      "client_key_password is missing or wrong; correct them",
                      subject);
    else if (is_key)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s cannot be used: it has no PEM key, its key does not fit the certificate, or "
                      "client_key_password is missing or wrong; correct them",
                      subject);
    else
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s cannot be used: it is not a PEM file of certificates; correct it, or set "
                      "client_certificate_type",
                      subject);
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
    const char *control = f->at_proxy ? "proxy_client_certificate" : "client_certificate";

    if (!f->sends_certificate)
        cw__error_set(error, CW_CONNECT_FAILED, web_status,
                      "%s demands a client certificate: set %s to one that it accepts", who, control);
    else if (is_refusal(f->text))
        cw__error_set(error, CW_CONNECT_FAILED, web_status,
                      "%s does not accept the client certificate: set %s to another one", who, control);
    else
        cw__error_set(
            error, CW_CONNECT_FAILED, web_status,
            "%s asked for a client certificate and then ended the connection: it may not accept %s; see its "
            "log",
            who, control);
}

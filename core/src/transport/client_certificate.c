/* SPDX-License-Identifier: MIT */
/* Client certificate: checks the controls that name the certificate for the server, or for an https:// proxy, gives them to
 * libcurl, and explains what is wrong with them. It also checks the kind of the other files. handshake.c, proxy_options.c,
 * verdict.c and failure.c call this file. libcurl's texts are compared and never shown. The password is in no text.
 *
 * Errors: CW_CONNECT_FAILED. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport.h"

typedef struct control {
    cw_option option;
    const char *key;
} control;

/* The controls of the certificate for one of the two, and libcurl's options for them. */
typedef struct side {
    control file, data, type, key, key_data, password;
    CURLoption ssl_cert, ssl_cert_blob, ssl_cert_type, ssl_key, ssl_key_blob, key_passwd;
} side;

static const side *side_of(const cw__client_certificate *c)
{
    static const side server = {{CW_OPT_CLIENT_CERTIFICATE, "client_certificate"},
                                {CW_OPT_CLIENT_CERTIFICATE_DATA, "client_certificate_data"},
                                {CW_OPT_CLIENT_CERTIFICATE_TYPE, "client_certificate_type"},
                                {CW_OPT_CLIENT_KEY, "client_key"},
                                {CW_OPT_CLIENT_KEY_DATA, "client_key_data"},
                                {CW_OPT_CLIENT_KEY_PASSWORD, "client_key_password"},
                                CURLOPT_SSLCERT,
                                CURLOPT_SSLCERT_BLOB,
                                CURLOPT_SSLCERTTYPE,
                                CURLOPT_SSLKEY,
                                CURLOPT_SSLKEY_BLOB,
                                CURLOPT_KEYPASSWD};
    static const side proxy = {{CW_OPT_PROXY_CLIENT_CERTIFICATE, "proxy_client_certificate"},
                               {CW_OPT_PROXY_CLIENT_CERTIFICATE_DATA, "proxy_client_certificate_data"},
                               {CW_OPT_PROXY_CLIENT_CERTIFICATE_TYPE, "proxy_client_certificate_type"},
                               {CW_OPT_PROXY_CLIENT_KEY, "proxy_client_key"},
                               {CW_OPT_PROXY_CLIENT_KEY_DATA, "proxy_client_key_data"},
                               {CW_OPT_PROXY_CLIENT_KEY_PASSWORD, "proxy_client_key_password"},
                               CURLOPT_PROXY_SSLCERT,
                               CURLOPT_PROXY_SSLCERT_BLOB,
                               CURLOPT_PROXY_SSLCERTTYPE,
                               CURLOPT_PROXY_SSLKEY,
                               CURLOPT_PROXY_SSLKEY_BLOB,
                               CURLOPT_PROXY_KEYPASSWD};

    return c->is_for_proxy ? &proxy : &server;
}

/* ---- Before a connect ---- */

cw_status cw__file_check_kind(cw_option option, const char *key, const char *path, bool may_be_folder)
{
    struct stat about;
    cw__error error;

    if (stat(path, &about) != 0 || S_ISREG(about.st_mode) || (S_ISDIR(about.st_mode) && may_be_folder))
        return CW_OK;
    cw__error_set(&error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                  "%s '%.300s' cannot be used: it is not a regular file; set %s to a file", key, path, key);
    if (option != CW_OPT_CA_FILE) /* which stands for a connect without authorities */
        error.limit = (int)option + 1;
    return cw__fail_with(&error);
}

cw_status cw__file_check(cw_option option, const char *key, const char *path)
{
    struct stat about;

    if (stat(path, &about) != 0 || (S_ISREG(about.st_mode) && access(path, R_OK) != 0))
        return cw__fail_limit(
            CW_CONNECT_FAILED, option, "%s '%.300s' cannot be used: %s; check the path and its permissions",
            key, path,
            /* NOLINTNEXTLINE(concurrency-mt-unsafe): each thread has its text (glibc 2.32, musl, BSD) */
            strerror(errno));
    return cw__file_check_kind(option, key, path, false);
}

CURLcode cw__data_set(CURL *easy, CURLoption option, const cw__data *data)
{
    struct curl_blob blob = {.data = data->data, .len = data->len_bytes, .flags = CURL_BLOB_NOCOPY};

    return curl_easy_setopt(easy, option, &blob);
}

static bool has_key(const cw__client_certificate *c) { return *c->key || c->key_data.len_bytes > 0; }

static cw_status refuse_two(const control *file, const control *data)
{
    return cw__fail_limit(CW_CONNECT_FAILED, data->option, "%s and %s are both set: unset one of them",
                          file->key, data->key);
}

static cw_status check_together(const cw__client_certificate *c)
{
    const side *s = side_of(c);
    const control *key = *c->key ? &s->key : &s->key_data;
    const control *lone = has_key(c) ? key : &s->password;

    if (!cw__client_certificate_is_set(c) && (has_key(c) || *c->password))
        return cw__fail_limit(CW_CONNECT_FAILED, lone->option, "%s is set without %s: set %s too, or %s",
                              lone->key, s->file.key, s->file.key, s->data.key);
    if (*c->file && c->data.len_bytes > 0)
        return refuse_two(&s->file, &s->data);
    if (*c->key && c->key_data.len_bytes > 0)
        return refuse_two(&s->key, &s->key_data);
    if (c->is_pkcs12 && has_key(c))
        return cw__fail_limit(CW_CONNECT_FAILED, key->option,
                              "%s is set beside a PKCS#12 file, which has the key: unset %s", key->key,
                              key->key);
    return CW_OK;
}

static cw_status check_file(const control *c, const char *path)
{
    return *path ? cw__file_check(c->option, c->key, path) : CW_OK;
}

cw_status cw__client_certificate_check(const cw__client_certificate *c)
{
    cw_status status = check_together(c);

    if (status == CW_OK)
        status = check_file(&side_of(c)->file, c->file);
    return status == CW_OK ? check_file(&side_of(c)->key, c->key) : status;
}

CURLcode cw__client_certificate_set(const cw__client_certificate *c, CURL *easy)
{
    const side *s = side_of(c);
    CURLcode code = CURLE_OK;

    if (!cw__client_certificate_is_set(c))
        return code;
#define SET(option, value) \
    if (code == CURLE_OK)  \
    code = curl_easy_setopt(easy, option, value)
    if (*c->file) {
        SET(s->ssl_cert, c->file);
    } else {
        code = cw__data_set(easy, s->ssl_cert_blob, &c->data);
    }
    SET(s->ssl_cert_type, c->is_pkcs12 ? "P12" : "PEM");
    /* Without a password, OpenSSL would ask for it at the terminal, and the service thread would wait for an answer. */
    SET(s->key_passwd, c->password);
    if (*c->key)
        SET(s->ssl_key, c->key);
#undef SET
    if (code == CURLE_OK && c->key_data.len_bytes > 0)
        code = cw__data_set(easy, s->ssl_key_blob, &c->key_data);
    return code;
}

/* ---- When libcurl cannot use it ---- */

static bool is_start(const char *text, const char *with) { return strncmp(text, with, strlen(with)) == 0; }

enum { SUBJECT_BYTES = 64 };

/* Writes "client_key 'path'", or "client_key_data", whose bytes are in no text. */
static void name_control(char subject[SUBJECT_BYTES + CW__MESSAGE_BYTES], const control *c, const char *path)
{
    if (*path)
        (void)snprintf(subject, SUBJECT_BYTES + CW__MESSAGE_BYTES, "%s '%.300s'", c->key, path);
    else
        (void)snprintf(subject, SUBJECT_BYTES + CW__MESSAGE_BYTES, "%s", c->key);
}

/* libcurl's text does not tell a wrong password from a key that does not fit (8.14.1 and 8.22, lib/vtls/openssl.c). Its
 * code is then CURLE_BAD_FUNCTION_ARGUMENT. */
bool cw__client_certificate_explain(const cw__client_certificate *c, int curl_code, const char *text,
                                    cw__error *error)
{
    const side *s = side_of(c);
    bool is_key = is_start(text, "unable to set private key") || is_start(text, "Private key does not match");
    bool is_own_key = is_key && !c->is_pkcs12 && has_key(c);
    const char *path = is_own_key ? c->key : c->file;
    const control *with_path = is_own_key ? &s->key : &s->file,
                  *with_data = is_own_key ? &s->key_data : &s->data;
    const control *culprit = *path ? with_path : with_data;
    char subject[SUBJECT_BYTES + CW__MESSAGE_BYTES];

    if (!cw__client_certificate_is_set(c) ||
        (curl_code != CURLE_SSL_CERTPROBLEM && !(curl_code == CURLE_BAD_FUNCTION_ARGUMENT && is_key)))
        return false;
    name_control(subject, culprit, path);
    if (c->is_pkcs12)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s cannot be used: it is not a PKCS#12 file with a certificate and its key, or "
                      "%s is missing or wrong; correct them",
                      subject, s->password.key);
    else if (is_key)
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s cannot be used: it has no PEM key, its key does not fit the certificate, or "
                      "%s is missing or wrong; correct them",
                      subject, s->password.key);
    else
        cw__error_set(error, CW_CONNECT_FAILED, CW_WEB_UnexpectedClientError,
                      "%s cannot be used: it is not a PEM file of certificates; correct it, or set %s", subject,
                      s->type.key);
    error->limit = (int)culprit->option + 1;
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
    const control *file = &side_of(&(cw__client_certificate){.is_for_proxy = f->at_proxy})->file;

    if (!f->sends_certificate)
        cw__error_set(error, CW_CONNECT_FAILED, web_status,
                      "%s demands a client certificate: set %s to one that it accepts", who, file->key);
    else if (is_refusal(f->text))
        cw__error_set(error, CW_CONNECT_FAILED, web_status,
                      "%s does not accept the client certificate: set %s to another one", who, file->key);
    else
        cw__error_set(
            error, CW_CONNECT_FAILED, web_status,
            "%s asked for a client certificate and then ended the connection: it may not accept %s; see its "
            "log",
            who, file->key);
    error->limit = (int)file->option + 1;
}

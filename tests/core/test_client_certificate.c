/* SPDX-License-Identifier: MIT */
/* Tests of client_certificate.c: what does not fit together, files of another kind, and the texts of failures, each for the
 * server's controls and for the proxy's. test_tls_options.c and test_proxy_options.c test what libcurl is told. */
#include <curl/curl.h>
#include <errno.h>

#include "harness.h"

#include "transport/transport.h"

enum { TEXT_BYTES = 600 };

static char bytes[] = "x";

/* Writes a text with the name of the proxy's controls for that of the server's, if it is_for_proxy: client_key becomes
 * proxy_client_key. */
static const char *named(const char *text, bool is_for_proxy)
{
    static char out[TEXT_BYTES];
    size_t len = 0;

    for (; *text; text++) {
        if (is_for_proxy && strncmp(text, "client_", 7) == 0)
            len += (size_t)snprintf(out + len, sizeof out - len, "proxy_");
        CHECK(len + 1 < sizeof out);
        out[len++] = *text;
    }
    out[len] = '\0';
    return out;
}

static cw_option option_of(cw_option server, bool is_for_proxy)
{
    switch (server) {
    case CW_OPT_CLIENT_CERTIFICATE:
        return is_for_proxy ? CW_OPT_PROXY_CLIENT_CERTIFICATE : server;
    case CW_OPT_CLIENT_CERTIFICATE_DATA:
        return is_for_proxy ? CW_OPT_PROXY_CLIENT_CERTIFICATE_DATA : server;
    case CW_OPT_CLIENT_KEY:
        return is_for_proxy ? CW_OPT_PROXY_CLIENT_KEY : server;
    case CW_OPT_CLIENT_KEY_DATA:
        return is_for_proxy ? CW_OPT_PROXY_CLIENT_KEY_DATA : server;
    case CW_OPT_CLIENT_KEY_PASSWORD:
        return is_for_proxy ? CW_OPT_PROXY_CLIENT_KEY_PASSWORD : server;
    default:
        return CW_OPTION_COUNT;
    }
}

/* ---- Files ---- */

static void test_kinds(void)
{
    CHECK_INT(cw__file_check_kind(CW_OPT_CRL_FILE, "crl_file", "/nowhere", false), CW_OK);
    CHECK_INT(cw__file_check_kind(CW_OPT_CRL_FILE, "crl_file", "/proc/self/exe", false), CW_OK);
    CHECK_INT(cw__file_check_kind(CW_OPT_CRL_FILE, "crl_file", "/", true), CW_OK);
    CHECK_INT(cw__file_check_kind(CW_OPT_CRL_FILE, "crl_file", "/", false), CW_CONNECT_FAILED);
    CHECK_STR(cw_error_message(),
              "crl_file '/' cannot be used: it is not a regular file; set crl_file to a file");
    CHECK_INT(cw_error_option(), CW_OPT_CRL_FILE);
    CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
    CHECK_INT(cw__file_check_kind(CW_OPT_CA_FILE, "ca_file", "/dev/null", true), CW_CONNECT_FAILED);
    CHECK_INT(cw_error_option(), CW_OPTION_NONE);
    CHECK_INT(cw__file_check(CW_OPT_CRL_FILE, "crl_file", "/proc/self/exe"), CW_OK);
    CHECK_INT(cw__file_check(CW_OPT_CRL_FILE, "crl_file", "/dev/null"), CW_CONNECT_FAILED);
    CHECK_INT(cw__file_check(CW_OPT_CRL_FILE, "crl_file", "/"), CW_CONNECT_FAILED);
    CHECK_INT(cw__file_check(CW_OPT_CRL_FILE, "crl_file", "/nowhere"), CW_CONNECT_FAILED);
    CHECK_STR(
        cw_error_message(),
        "crl_file '/nowhere' cannot be used: No such file or directory; check the path and its permissions");
    CHECK_INT(cw_error_option(), CW_OPT_CRL_FILE);
}

/* ---- What does not fit together ---- */

#define CERTIFICATE(...) \
    (cw__client_certificate) { __VA_ARGS__ }

static void test_together(void)
{
    const cw__data data = {bytes, 1};
    const struct {
        cw__client_certificate c;
        cw_option option;
        const char *text;
    } rows[] = {
        {CERTIFICATE("", "/k", .password = ""), CW_OPT_CLIENT_KEY,
         "client_key is set without client_certificate: set client_certificate too, or "
         "client_certificate_data"},
        {CERTIFICATE("", "", .key_data = data, .password = "p"), CW_OPT_CLIENT_KEY_DATA,
         "client_key_data is set without client_certificate: set client_certificate too, or "
         "client_certificate_data"},
        {CERTIFICATE("", "", .password = "p"), CW_OPT_CLIENT_KEY_PASSWORD,
         "client_key_password is set without client_certificate: set client_certificate too, or "
         "client_certificate_data"},
        {CERTIFICATE("/c", "", data, .password = ""), CW_OPT_CLIENT_CERTIFICATE_DATA,
         "client_certificate and client_certificate_data are both set: unset one of them"},
        {CERTIFICATE("", "/k", data, data, .password = ""), CW_OPT_CLIENT_KEY_DATA,
         "client_key and client_key_data are both set: unset one of them"},
        {CERTIFICATE("", "/k", data, .password = "", .is_pkcs12 = true), CW_OPT_CLIENT_KEY,
         "client_key is set beside a PKCS#12 file, which has the key: unset client_key"},
        {CERTIFICATE("", "", data, data, .password = "", .is_pkcs12 = true), CW_OPT_CLIENT_KEY_DATA,
         "client_key_data is set beside a PKCS#12 file, which has the key: unset client_key_data"},
        {CERTIFICATE("/nowhere/c", "", .password = ""), CW_OPT_CLIENT_CERTIFICATE,
         "client_certificate '/nowhere/c' cannot be used: No such file or directory; check the path and its "
         "permissions"},
        {CERTIFICATE("/proc/self/exe", "/nowhere/k", .password = ""), CW_OPT_CLIENT_KEY,
         "client_key '/nowhere/k' cannot be used: No such file or directory; check the path and its "
         "permissions"},
    };
    const cw__client_certificate good[] = {
        CERTIFICATE("", "", .password = ""),
        CERTIFICATE("", "", .password = "", .is_pkcs12 = true),
        CERTIFICATE("", "", data, .password = "p", .is_pkcs12 = true),
        CERTIFICATE("", "", data, data, .password = "p"),
        CERTIFICATE("", "/proc/self/exe", data, .password = "p"),
        CERTIFICATE("/proc/self/exe", "", .key_data = data, .password = ""),
    };

    for (int is_for_proxy = 0; is_for_proxy < 2; is_for_proxy++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            cw__client_certificate c = rows[i].c;
            c.is_for_proxy = is_for_proxy;
            CHECK_INT(cw__client_certificate_check(&c), CW_CONNECT_FAILED);
            CHECK_STR(cw_error_message(), named(rows[i].text, is_for_proxy));
            CHECK_INT(cw_error_option(), option_of(rows[i].option, is_for_proxy));
        }
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
            cw__client_certificate c = good[i];
            c.is_for_proxy = is_for_proxy;
            CHECK_INT(cw__client_certificate_check(&c), CW_OK);
        }
    }
}

/* ---- When libcurl cannot use it ---- */

#define NO_KEY   "unable to set private key file: '/k' type PEM"
#define NO_MATCH "Private key does not match the certificate public key"

static void test_unusable(void)
{
    const cw__data data = {bytes, 1};
    static const char pkcs12[] = " cannot be used: it is not a PKCS#12 file with a certificate and its key, or "
                                 "client_key_password is missing or wrong; correct them",
                      key[] = " cannot be used: it has no PEM key, its key does not fit the certificate, or "
                              "client_key_password is missing or wrong; correct them",
                      pem[] = " cannot be used: it is not a PEM file of certificates; correct it, or set "
                              "client_certificate_type";
    const struct {
        cw__client_certificate c;
        int curl_code;
        const char *text;
        cw_option option; /* CW_OPTION_COUNT = libcurl's failure is another one */
        const char *subject, *rest;
    } rows[] = {
        {CERTIFICATE("/c", "", .password = ""), CURLE_SSL_CERTPROBLEM, "x", CW_OPT_CLIENT_CERTIFICATE,
         "client_certificate '/c'", pem},
        {CERTIFICATE("", "/k", data, .password = ""), CURLE_SSL_CERTPROBLEM, "x",
         CW_OPT_CLIENT_CERTIFICATE_DATA, "client_certificate_data", pem},
        {CERTIFICATE("/c", "/k", .password = ""), CURLE_SSL_CERTPROBLEM, NO_KEY, CW_OPT_CLIENT_KEY,
         "client_key '/k'", key},
        {CERTIFICATE("/c", "/k", .password = ""), CURLE_BAD_FUNCTION_ARGUMENT, NO_MATCH, CW_OPT_CLIENT_KEY,
         "client_key '/k'", key},
        {CERTIFICATE("/c", "", .key_data = data, .password = ""), CURLE_SSL_CERTPROBLEM, NO_MATCH,
         CW_OPT_CLIENT_KEY_DATA, "client_key_data", key},
        {CERTIFICATE("/c", "", .password = ""), CURLE_SSL_CERTPROBLEM, NO_KEY, CW_OPT_CLIENT_CERTIFICATE,
         "client_certificate '/c'", key},
        {CERTIFICATE("", "", data, .password = ""), CURLE_SSL_CERTPROBLEM, NO_KEY,
         CW_OPT_CLIENT_CERTIFICATE_DATA, "client_certificate_data", key},
        {CERTIFICATE("/c", "/k", .password = "", .is_pkcs12 = true), CURLE_SSL_CERTPROBLEM, NO_KEY,
         CW_OPT_CLIENT_CERTIFICATE, "client_certificate '/c'", pkcs12},
        {CERTIFICATE("/c", "", .password = "", .is_pkcs12 = true), CURLE_SSL_CERTPROBLEM, "x",
         CW_OPT_CLIENT_CERTIFICATE, "client_certificate '/c'", pkcs12},
        {CERTIFICATE("/c", "/k", .password = ""), CURLE_SSL_CERTPROBLEM, "x " NO_KEY, CW_OPT_CLIENT_CERTIFICATE,
         "client_certificate '/c'", pem},
        {CERTIFICATE("/c", "/k", .password = ""), CURLE_BAD_FUNCTION_ARGUMENT, "x", CW_OPTION_COUNT, "", ""},
        {CERTIFICATE("/c", "/k", .password = ""), CURLE_SSL_CONNECT_ERROR, NO_KEY, CW_OPTION_COUNT, "", ""},
        {CERTIFICATE("", "/k", .password = ""), CURLE_SSL_CERTPROBLEM, NO_KEY, CW_OPTION_COUNT, "", ""},
    };

    for (int is_for_proxy = 0; is_for_proxy < 2; is_for_proxy++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            cw__client_certificate c = rows[i].c;
            cw__error error = {0};
            char text[TEXT_BYTES];
            c.is_for_proxy = is_for_proxy;
            CHECK(cw__client_certificate_explain(&c, rows[i].curl_code, rows[i].text, &error) ==
                  (rows[i].option != CW_OPTION_COUNT));
            (void)snprintf(text, sizeof text, "%s%s", rows[i].subject, rows[i].rest);
            CHECK_STR(error.message, named(text, is_for_proxy));
            if (rows[i].option == CW_OPTION_COUNT)
                continue;
            CHECK_INT(error.limit, (int)option_of(rows[i].option, is_for_proxy) + 1);
            CHECK_INT(error.web_status, CW_WEB_UnexpectedClientError);
        }
}

/* A path of 300 bytes and more is cut. */
static void test_long_path(void)
{
    char path[400], wanted[500];
    cw__client_certificate c = CERTIFICATE(path, "", .password = "");

    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_INT(cw__client_certificate_check(&c), CW_CONNECT_FAILED);
    (void)snprintf(wanted, sizeof wanted, "client_certificate '%.300s' cannot be used: ", path);
    CHECK(strncmp(cw_error_message(), wanted, strlen(wanted)) == 0);
}

/* ---- What the other end says to it ---- */

static void test_demands(void)
{
    static const char *const alerts[] = {
        "certificate required",      "alert handshake failure",   "alert bad certificate",
        "alert certificate unknown", "alert access denied",       "alert unknown ca",
        "alert certificate expired", "alert certificate revoked", "alert unsupported certificate"};
    static const struct {
        int curl_code, os_errno;
        const char *text;
        bool is_asked, is;
    } rows[] = {
        {CURLE_RECV_ERROR, ECONNRESET, "", true, true},
        {CURLE_RECV_ERROR, EPIPE, "", true, true},
        {CURLE_RECV_ERROR, 0, "", true, false},
        {CURLE_SEND_ERROR, 0, "", true, true},
        {CURLE_SEND_ERROR, 0, "", false, false},
        {CURLE_GOT_NOTHING, EPIPE, "", true, false},
        {CURLE_GOT_NOTHING, 0, "certificate required", false, true},
        {CURLE_GOT_NOTHING, 0, "alert bad certificate", false, false},
        {CURLE_GOT_NOTHING, 0, "alert", true, false},
    };
    cw__failure f = {.host = "a.example"};
    cw__error error;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        f.curl_code = rows[i].curl_code;
        f.os_errno = rows[i].os_errno;
        f.text = rows[i].text;
        f.tls.wants_certificate = rows[i].is_asked;
        CHECK(cw__client_certificate_is_demanded(&f) == rows[i].is);
    }
    f.curl_code = CURLE_GOT_NOTHING;
    f.tls.wants_certificate = true;
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++) {
        f.text = alerts[i];
        CHECK(cw__client_certificate_is_demanded(&f));
    }
    for (int at_proxy = 0; at_proxy < 2; at_proxy++) {
        int limit = (int)option_of(CW_OPT_CLIENT_CERTIFICATE, at_proxy) + 1;
        f.at_proxy = at_proxy;
        f.text = "";
        f.sends_certificate = false;
        cw__client_certificate_demand(&f, "the peer", &error);
        CHECK_STR(error.message,
                  named("the peer demands a client certificate: set client_certificate to one that it "
                        "accepts",
                        at_proxy));
        CHECK_INT(error.limit, limit);
        f.sends_certificate = true;
        cw__client_certificate_demand(&f, "the peer", &error);
        CHECK_STR(
            error.message,
            named("the peer asked for a client certificate and then ended the connection: it may not accept "
                  "client_certificate; see its log",
                  at_proxy));
        CHECK_INT(error.limit, limit);
        f.text = "certificate required";
        cw__client_certificate_demand(&f, "the peer", &error);
        CHECK_STR(error.message,
                  named("the peer does not accept the client certificate: set client_certificate to "
                        "another one",
                        at_proxy));
        CHECK_INT(error.limit, limit);
        CHECK_INT(error.web_status, CW_WEB_UnexpectedClientError);
        CHECK_INT(error.status, CW_CONNECT_FAILED);
    }
}

static const harness_test tests[] = {
    {"kinds of files", test_kinds},
    {"what does not fit together", test_together},
    {"what libcurl cannot use", test_unusable},
    {"long paths", test_long_path},
    {"what the other end says", test_demands},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

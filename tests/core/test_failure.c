/* SPDX-License-Identifier: MIT */
/* Tests of failure.c: each failure has a text of our own without libcurl's, and it names who failed.
 * tests/faults/tls.txt and tests/python/test_proxy.py cause failures with real servers and proxies. */
#include <curl/curl.h>
#include <errno.h>

#include "harness.h"

#include "transport/transport.h"

#define THEIRS "Unsupported proxy syntax in 'http://joe:s3cret@h' s3cret"

static cw__failure at_server(int curl_code, const char *text)
{
    return (cw__failure){.curl_code = curl_code,
                         .text = text,
                         .host = "host.example",
                         .port = 8765,
                         .ca_file = "/x/ca.pem",
                         .ca_source = "ca_file",
                         .crl_file = "/x/crl.pem"};
}

static cw__failure at_proxy(int curl_code, const char *text)
{
    cw__failure f = at_server(curl_code, text);

    f.at_proxy = true;
    f.ca_source = "proxy_ca_file";
    f.proxy = "proxy.example:3128";
    f.source = "http_proxy";
    return f;
}

static void check_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        CHECK_STR(text, part); /* this check prints both texts if it fails */
    CHECK(strstr(text, part) != NULL);
}

/* All codes, from the server and from the proxy, with text that libcurl might add. */
static void test_all(void)
{
    static const char *const texts[] = {"",
                                        THEIRS,
                                        "error:0A000126:SSL routines::s3cret",
                                        "unexpected eof s3cret",
                                        "subject name s3cret",
                                        "wrong version number s3cret",
                                        "handshake failure s3cret",
                                        "certificate required s3cret",
                                        "bad record mac s3cret",
                                        "error:s3cret"};
    static const int errors[] = {0, ECONNRESET, ECONNREFUSED, EHOSTUNREACH};
    cw__error error;

    for (int code = 1; code < CURL_LAST + 2; code++)
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            for (int n = 0; n < 16; n++) {
                cw__failure f = n & 1 ? at_proxy(code, texts[i]) : at_server(code, texts[i]);
                f.os_errno = errors[n >> 2];
                f.tls.wants_certificate = n & 2;
                f.proxy_code = code % CURLPX_LAST;
                cw__failure_explain(&f, &error);
                CHECK(!strstr(error.message, "s3cret") && *error.message != '\0');
                CHECK_INT(error.status, CW_CONNECT_FAILED);
                CHECK(cw_web_status_name(error.web_status) != NULL);
                CHECK_INT(error.curl_code, code);
                cw__failure_lost(code, f.os_errno, texts[i], "the server", "sending", &error);
                CHECK(!strstr(error.message, "s3cret") && *error.message != '\0');
                CHECK_INT(error.status, CW_CLOSED);
                if (f.os_errno == 0 || f.os_errno == ECONNRESET) /* the text is also a close reason */
                    CHECK(strlen(error.message) <= CW__CONTROL_MAX_BYTES - 2);
            }
    for (long result = 0; result < 100; result++) {
        cw__failure f = at_server(CURLE_PEER_FAILED_VERIFICATION, THEIRS);
        f.verify_result = result;
        cw__failure_explain(&f, &error);
        CHECK(cw_web_status_name(error.web_status) != NULL && !strstr(error.message, "s3cret"));
        check_has(error.message, "the certificate of host.example ");
    }
}

static void test_names(void)
{
    cw__error error;
    cw__failure f = at_server(CURLE_FTP_WEIRD_PASS_REPLY, THEIRS);

    CHECK_STR(cw__curl_name(CURLE_WEIRD_SERVER_REPLY), "CURLE_WEIRD_SERVER_REPLY");
    CHECK_STR(cw__curl_name(CURLE_ECH_REQUIRED), "CURLE_ECH_REQUIRED");
    CHECK_STR(cw__curl_name(0), "?");
    CHECK_STR(cw__curl_name(9999), "?");
    cw__failure_explain(&f, &error);
    CHECK_STR(error.message, "connecting to the server host.example failed: CURLE_FTP_WEIRD_PASS_REPLY (11); "
                             "look the code up in libcurl-errors(3)");
    f = at_proxy(9999, THEIRS);
    cw__failure_explain(&f, &error);
    CHECK_STR(
        error.message,
        "connecting to the proxy proxy.example:3128 failed: ? (9999); look the code up in libcurl-errors(3)");
    cw__failure_lost(CURLE_RECV_ERROR, 0, "OpenSSL SSL_read: error:0A000139:SSL routines::s3cret", "the server",
                     "receiving", &error);
    CHECK_STR(error.message, "the connection was lost while receiving: CURLE_RECV_ERROR (56) (OpenSSL's error "
                             "0A000139); connect again");
}

/* The text says who failed, and what to do. */
static void test_texts(void)
{
    static const struct {
        int code;
        bool at_proxy;
        int os_errno, proxy_code;
        const char *text;
        int web_status;
        const char *words;
    } rows[] = {
        {CURLE_COULDNT_RESOLVE_HOST, false, 0, 0, "", CW_WEB_HostNameNotResolved,
         "the host host.example cannot be"},
        {CURLE_COULDNT_RESOLVE_HOST, true, 0, 0, "", CW_WEB_HostNameNotResolved,
         "the host host.example cannot be resolved here: with socks5h:// or socks4a:// in http_proxy"},
        {CURLE_COULDNT_RESOLVE_PROXY, true, 0, 0, THEIRS, CW_WEB_HostNameNotResolved,
         "the host of the proxy proxy.example:3128 cannot be resolved: check http_proxy"},
        {CURLE_COULDNT_RESOLVE_HOST, false, 0, 0, "getaddrinfo() thread failed to start",
         CW_WEB_HostNameNotResolved,
         "cannot connect to the server host.example: no descriptor, thread or memory to look a name up; raise "
         "the "
         "limits (ulimit -n"},
        {CURLE_URL_MALFORMAT, false, 0, 0, THEIRS, CW_WEB_UnexpectedClientError, "refuses the URI"},
        {CURLE_COULDNT_CONNECT, false, ECONNREFUSED, 0, "", CW_WEB_CannotConnect,
         "cannot connect to the server host.example:8765: Connection refused; check host and port"},
        {CURLE_COULDNT_CONNECT, true, EHOSTUNREACH, 0, "", CW_WEB_ServerUnreachable,
         "cannot connect to the proxy proxy.example:3128: "},
        {CURLE_SSL_CONNECT_ERROR, true, 0, 0, "error:0A00010B:SSL routines::wrong version number",
         CW_WEB_CannotConnect,
         "the proxy proxy.example:3128 does not speak TLS there: write http:// in http_proxy"},
        {CURLE_SSL_CONNECT_ERROR, false, 0, 0, "wrong version number", CW_WEB_CannotConnect,
         "the server host.example does not speak TLS there: use ws://"},
        {CURLE_SSL_CONNECT_ERROR, false, 0, 0, "error:0A00042F:SSL routines::other", CW_WEB_CannotConnect,
         "the TLS handshake with the server host.example failed; see the log of the server (OpenSSL's error "
         "0A00042F)"},
        {CURLE_SSL_CACERT_BADFILE, false, 0, 0, "", CW_WEB_UnexpectedClientError,
         "ca_file '/x/ca.pem' cannot be used: No such file or directory: it must be a PEM file of "
         "certificates"},
        {CURLE_SSL_CACERT_BADFILE, true, 0, 0, "", CW_WEB_UnexpectedClientError,
         "proxy_ca_file '/x/ca.pem' cannot"},
        {CURLE_SSL_CRL_BADFILE, false, 0, 0, "", CW_WEB_UnexpectedClientError,
         "crl_file '/x/crl.pem' cannot be used"},
        {CURLE_PROXY, true, 0, CURLPX_USER_REJECTED, "", CW_WEB_ProxyAuthenticationRequired,
         "the proxy proxy.example:3128 refused the user and password, or wants both: set proxy_credential, or "
         "user:pass@"},
        {CURLE_PROXY, true, 0, CURLPX_REPLY_HOST_UNREACHABLE, "", CW_WEB_ServerUnreachable,
         "the proxy proxy.example:3128 cannot reach host.example"},
        {CURLE_PROXY, true, 0, CURLPX_RESOLVE_HOST, "", CW_WEB_HostNameNotResolved,
         "the host host.example cannot be"},
        {CURLE_PROXY, true, 0, CURLPX_LAST, "", CW_WEB_CannotConnect,
         "connecting through the proxy proxy.example:3128"},
        {CURLE_RECV_ERROR, true, 0, 0, "", CW_WEB_ConnectionAborted,
         "the connection to the proxy proxy.example:3128 was lost"},
        {CURLE_RECV_ERROR, false, ECONNRESET, 0, "", CW_WEB_ConnectionReset,
         "was lost during the handshake: Conn"},
    };
    cw__failure f;
    cw__error error;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        f = rows[i].at_proxy ? at_proxy(rows[i].code, rows[i].text) : at_server(rows[i].code, rows[i].text);
        f.os_errno = rows[i].os_errno;
        f.proxy_code = rows[i].proxy_code;
        f.has_socket = true;
        cw__failure_explain(&f, &error);
        check_has(error.message, rows[i].words);
        CHECK_INT(error.web_status, rows[i].web_status);
        CHECK_INT(error.os_errno, rows[i].os_errno);
    }
    /* 8.14.1 sometimes reports a failed proxy look-up with this code */
    f = at_proxy(CURLE_COULDNT_RESOLVE_HOST, "");
    cw__failure_explain(&f, &error);
    check_has(error.message, "the host of the proxy proxy.example:3128 cannot be resolved");
}

/* Failures that no server of the tests can cause. */
static void test_certificates(void)
{
    static const struct {
        long verify_result;
        const char *text;
        int web_status;
        const char *words;
    } rows[] = {
        {0, "SSL: certificate subject name 'a' does not match target hostname 'b'",
         CW_WEB_CertificateCommonNameIsIncorrect, "host.example is for another name: "},
        {1, "SSL: unable to obtain common name from peer certificate", CW_WEB_CertificateCommonNameIsIncorrect,
         "is for another name: "},
        {1, "SSL certificate verification failed", CW_WEB_CertificateIsInvalid,
         "is not valid: give the server"},
        {62, "x", CW_WEB_CertificateCommonNameIsIncorrect, "is for another name: "},
        {5, "x", CW_WEB_CertificateIsInvalid, "a list in crl_file is faulty"},
        {36, "x", CW_WEB_CertificateIsInvalid, "a list in crl_file is faulty"},
        {68, "x", CW_WEB_CertificateContainsErrors, "whose key or digest is too weak: "},
        {24, "x", CW_WEB_CertificateIsInvalid, "is not valid: an authority of its chain may not issue"},
        {47, "x", CW_WEB_CertificateIsInvalid,
         "is not valid (OpenSSL's verify result 47): give the server a new certificate"},
    };
    cw__failure f;
    cw__error error;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        f = at_server(CURLE_PEER_FAILED_VERIFICATION, rows[i].text);
        f.verify_result = rows[i].verify_result;
        cw__failure_explain(&f, &error);
        CHECK_INT(error.web_status, rows[i].web_status);
        check_has(error.message, rows[i].words);
    }
    for (int alert = 0; alert < 256; alert++) { /* the result of the check was lost; the alert was recorded */
        char text[64];
        f = at_server(CURLE_SSL_CONNECT_ERROR, "error:00000000:lib(0)::reason(0)");
        (void)snprintf(text, sizeof text, "TLSv1.3 (OUT), TLS alert, some words (%d):\n", 0x200 | alert);
        cw__failure_note(&f.tls, text, strlen(text));
        CHECK_INT(f.tls.sent_alert, alert);
        cw__failure_explain(&f, &error);
        CHECK_INT(error.web_status, alert == 44                                 ? CW_WEB_CertificateRevoked
                                    : alert == 45                               ? CW_WEB_CertificateExpired
                                    : alert == 48                               ? CW_WEB_CertificateIsInvalid
                                    : alert == 42 || alert == 43 || alert == 46 ? CW_WEB_CertificateIsInvalid
                                                                                : CW_WEB_CannotConnect);
    }
    f = at_proxy(CURLE_PEER_FAILED_VERIFICATION, "x");
    f.verify_result = 10;
    cw__failure_explain(&f, &error);
    CHECK_STR(error.message,
              "the certificate of the proxy proxy.example:3128 has expired: give the proxy a new certificate, "
              "or set this machine's clock");
    f.verify_result = 19;
    cw__failure_explain(&f, &error);
    check_has(error.message, "set proxy_ca_file to a file with its certificate");
}

static void test_client_certificate(void)
{
    static const struct {
        int code, os_errno;
        const char *text;
        bool is_demand;
    } rows[] = {
        {CURLE_SEND_ERROR, EPIPE, "Send failure: Broken pipe", true},
        {CURLE_SEND_ERROR, 0, "OpenSSL SSL_write: Broken pipe, errno 32", true},
        {CURLE_RECV_ERROR, ECONNRESET, "Recv failure: Connection reset by peer", true},
        {CURLE_SSL_CONNECT_ERROR, 0, "sslv3 alert handshake failure", true},
        {CURLE_RECV_ERROR, 0, "ssl/tls alert bad certificate", true},
        {CURLE_RECV_ERROR, 0, "unexpected eof while reading",
         false}, /* an alert would have come before the end */
        {CURLE_GOT_NOTHING, 0, "", false},
        {CURLE_RECV_ERROR, 0, "bad record mac", false},
    };
    cw__failure f;
    cw__error error;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int asked = 0; asked < 2; asked++) {
            f = at_proxy(rows[i].code, rows[i].text);
            f.os_errno = rows[i].os_errno;
            f.tls.wants_certificate = asked;
            cw__failure_explain(&f, &error);
            CHECK_INT(error.web_status == CW_WEB_UnexpectedClientError, asked && rows[i].is_demand);
            CHECK_INT(strstr(error.message, "demands a client certificate") != NULL,
                      asked && rows[i].is_demand);
            CHECK(strstr(error.message, "proxy.example:3128") != NULL);
        }
    f = at_server(CURLE_RECV_ERROR, "OpenSSL SSL_read: tlsv13 alert certificate required");
    cw__failure_explain(&f, &error);
    CHECK_STR(error.message,
              "the server host.example demands a client certificate: set client_certificate to one that it "
              "accepts");
    f.tls.wants_certificate = f.sends_certificate = true;
    cw__failure_explain(&f, &error);
    CHECK_STR(error.message, "the server host.example does not accept the client certificate: set "
                             "client_certificate to another one");
    f = at_server(CURLE_SEND_ERROR, "");
    f.tls.wants_certificate = f.sends_certificate = true;
    cw__failure_explain(&f, &error);
    check_has(error.message, "then ended the connection: it may not accept client_certificate; see its log");
}

static void test_notes(void)
{
    static const char request[] = "(IN), TLS handshake, Request CERT";
    cw__tls_notes notes = {0};
    char text[400];

    for (const char *no =
             "TLSv1.3 (OUT), TLS handshake, Request CERT (13):\n|TLSv1.3 (IN), TLS alert, x (560):\n|x|";
         *no; no += strcspn(no, "|") + 1)
        cw__failure_note(&notes, no, strcspn(no, "|"));
    CHECK(!notes.wants_certificate && notes.sent_alert == 0);
    memset(text, '(', sizeof text);
    cw__failure_note(&notes, text, sizeof text);
    cw__failure_note(&notes, "(OUT), TLS alert", 16); /* without a number */
    CHECK(!notes.wants_certificate && notes.sent_alert == 0);
    cw__failure_note(&notes, "TLSv1.2 (IN), TLS handshake, Request CERT (13):\n", 48);
    CHECK(notes.wants_certificate);
    notes = (cw__tls_notes){0};
    memset(text, ' ', sizeof text);
    memcpy(text + 159 - strlen(request), request, strlen(request)); /* 159 bytes of a line are looked at */
    cw__failure_note(&notes, text, 158);
    CHECK(!notes.wants_certificate);
    cw__failure_note(&notes, text, sizeof text);
    CHECK(notes.wants_certificate);
}

static void test_tls(void)
{
    const char *eof = "OpenSSL SSL_read: error:0A000126:SSL routines::unexpected eof while reading, errno 0";
    cw__failure f = at_server(CURLE_SSL_CONNECT_ERROR, eof);
    cw__error error;

    cw__failure_explain(&f, &error);
    CHECK_INT(error.web_status, CW_WEB_CannotConnect);
    check_has(error.message, "the server host.example ended the connection during the TLS handshake");
    cw__failure_lost(CURLE_RECV_ERROR, 0, eof, "the server or the proxy", "receiving", &error);
    CHECK_INT(error.web_status, CW_WEB_ConnectionAborted);
    check_has(error.message, "the server or the proxy cut the connection without TLS's close_notify");
    CHECK(strlen(error.message) <= CW__CONTROL_MAX_BYTES - 2);
    cw__failure_lost(CURLE_RECV_ERROR, 0, "decryption failed or bad record mac", "the proxy", "receiving",
                     &error);
    check_has(error.message, "bytes from the proxy were changed on the way");
    cw__failure_lost(CURLE_RECV_ERROR, ECONNRESET, "OpenSSL SSL_read: Connection reset by peer, errno 104",
                     "the server", "receiving", &error);
    CHECK_INT(error.web_status, CW_WEB_ConnectionReset);
    CHECK_STR(error.message,
              "the connection was lost while receiving: Connection reset by peer; connect again");
}

/* Each code has a WebErrorStatus. */
static void test_status(void)
{
    for (int code = 1; code < CURL_LAST; code++)
        CHECK(cw_web_status_name(cw__web_status_of_curl(code, 0)) != NULL);
    CHECK_INT(cw__web_status_of_curl(CURLE_COULDNT_RESOLVE_HOST, 0), CW_WEB_HostNameNotResolved);
    CHECK_INT(cw__web_status_of_curl(CURLE_COULDNT_CONNECT, ECONNREFUSED), CW_WEB_CannotConnect);
    CHECK_INT(cw__web_status_of_curl(CURLE_COULDNT_CONNECT, ENETUNREACH), CW_WEB_ServerUnreachable);
    CHECK_INT(cw__web_status_of_curl(CURLE_COULDNT_CONNECT, 0), CW_WEB_CannotConnect);
    CHECK_INT(cw__web_status_of_curl(CURLE_OPERATION_TIMEDOUT, 0), CW_WEB_Timeout);
    CHECK_INT(cw__web_status_of_curl(CURLE_RECV_ERROR, ECONNRESET), CW_WEB_ConnectionReset);
    CHECK_INT(cw__web_status_of_curl(CURLE_RECV_ERROR, 0), CW_WEB_ConnectionAborted);
    CHECK_INT(cw__web_status_of_curl(CURLE_GOT_NOTHING, 0), CW_WEB_Disconnected);
    CHECK_INT(cw__web_status_of_curl(CURLE_WEIRD_SERVER_REPLY, 0), CW_WEB_ErrorHttpInvalidServerResponse);
    CHECK_INT(cw__web_status_of_curl(CURLE_SSL_ISSUER_ERROR, 0), CW_WEB_CertificateIsInvalid);
    CHECK_INT(cw__web_status_of_curl(CURLE_SSL_CRL_BADFILE, 0), CW_WEB_UnexpectedClientError);
    CHECK_INT(cw__web_status_of_curl(CURLE_FTP_WEIRD_PASS_REPLY, 0), CW_WEB_Unknown);
}

static const harness_test tests[] = {
    {"every code, of the server and of the proxy: only our own text", test_all},
    {"a code without a text shows its name", test_names},
    {"who failed, and what to do", test_texts},
    {"certificate verdicts, of the server and of the proxy", test_certificates},
    {"a demand for a client certificate whose alert was lost", test_client_certificate},
    {"what is recorded from libcurl's log", test_notes},
    {"reasons of TLS", test_tls},
    {"CURLcode", test_status},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

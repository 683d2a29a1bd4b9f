/* SPDX-License-Identifier: MIT */
/* Tests of failure.c: the whole text and the WebErrorStatus of each failure that it tells from others. test_failure.c tests that
 * no text shows libcurl's. */
#include <curl/curl.h>
#include <errno.h>
#include <unistd.h>

#include "harness.h"

#include "transport/transport.h"

static cw__failure at_server(int curl_code, const char *text)
{
    return (cw__failure){.curl_code = curl_code,
                         .text = text,
                         .host = "a.example",
                         .ca_file = "/x/ca.pem",
                         .ca_source = "ca_file",
                         .crl_file = "/x/crl.pem"};
}

static cw__failure at_proxy(int curl_code, const char *text)
{
    cw__failure f = at_server(curl_code, text);

    f.at_proxy = true;
    f.proxy = "p.example:1";
    f.source = "ws_proxy";
    return f;
}

static void check(const cw__failure *f, int web_status, const char *text)
{
    cw__error error;

    cw__failure_explain(f, &error);
    CHECK_STR(error.message, text);
    CHECK_INT(error.web_status, web_status);
    CHECK_INT(error.curl_code, f->curl_code);
    CHECK_INT(error.os_errno, f->os_errno);
}

/* ---- Certificates ---- */

#define RENEW ": give the server a new certificate"
#define NAME \
    ": use a name or address that the certificate lists, or give the server a certificate for this name"
#define SET_CA  ": if you trust that authority, set ca_file to a file with its certificate"
#define NO_CRL  "cannot be checked for revocation: "
#define UNKNOWN "comes from an unknown authority"

typedef struct row {
    int results[8];
    int web_status;
    const char *text;
} row;

/* What each of OpenSSL's results means. */
static const row results[] = {
    {{62, 64}, CW_WEB_CertificateCommonNameIsIncorrect, "is for another name" NAME},
    {{9},
     CW_WEB_CertificateExpired,
     "is not valid yet: check this machine's clock; else give the server a new certificate"},
    {{10}, CW_WEB_CertificateExpired, "has expired" RENEW ", or set this machine's clock"},
    {{23}, CW_WEB_CertificateRevoked, "has been revoked: do not trust it; give the server a new certificate"},
    {{18}, CW_WEB_CertificateIsInvalid, "is self-signed: if you trust it, set ca_file to its file"},
    {{2, 19}, CW_WEB_CertificateIsInvalid, UNKNOWN SET_CA},
    {{20, 21}, CW_WEB_CertificateIsInvalid, UNKNOWN SET_CA ", or let the server send its whole chain"},
    {{3, 33},
     CW_WEB_CertificateIsInvalid,
     NO_CRL "crl_file lacks the list of an authority of the chain; add this list"},
    {{12}, CW_WEB_CertificateIsInvalid, NO_CRL "a list in crl_file is out of date; fetch a new list"},
    {{5, 8, 11, 15, 16, 35, 36},
     CW_WEB_CertificateIsInvalid,
     NO_CRL "a list in crl_file is faulty or not valid yet; fetch another list"},
    {{66},
     CW_WEB_CertificateContainsErrors,
     "has a key that is too weak" RENEW ", with RSA of 2048 bits or more"},
    {{67, 68},
     CW_WEB_CertificateContainsErrors,
     "comes from an authority whose key or digest is too weak" RENEW},
    {{7}, CW_WEB_CertificateContainsErrors, "is faulty: its signature is wrong" RENEW},
    {{4, 6, 13, 14}, CW_WEB_CertificateContainsErrors, "is faulty" RENEW},
    {{26},
     CW_WEB_CertificateIsInvalid,
     "was not issued for servers: give the server a certificate for servers"},
    {{24, 25, 32, 79},
     CW_WEB_CertificateIsInvalid,
     "is not valid: an authority of its chain may not issue certificates" RENEW},
};

static const row *row_of(int result)
{
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        for (const int *r = results[i].results; *r; r++)
            if (*r == result)
                return &results[i];
    return NULL;
}

static void test_results(void)
{
    char text[400];

    for (int result = 0; result < 100; result++) {
        const row *r = row_of(result);
        cw__failure f = at_server(CURLE_PEER_FAILED_VERIFICATION, "");
        f.verify_result = result;
        if (r)
            (void)snprintf(text, sizeof text, "the certificate of a.example %s", r->text);
        else if (result > 1)
            (void)snprintf(text, sizeof text,
                           "the certificate of a.example is not valid (OpenSSL's verify result %d)%s", result,
                           RENEW);
        else
            (void)snprintf(text, sizeof text, "the certificate of a.example is not valid" RENEW);
        check(&f, r ? r->web_status : CW_WEB_CertificateIsInvalid, text);
    }
}

/* A wrong name has no result, but a text. The name that the certificate should list may be another than the URI's. */
static void test_names(void)
{
    static const char *const texts[] = {"x subject name", "x common name x", "cert name x"};
    cw__failure f;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        f = at_server(CURLE_PEER_FAILED_VERIFICATION, texts[i]);
        f.verify_result = 10;
        check(&f, CW_WEB_CertificateCommonNameIsIncorrect,
              "the certificate of a.example is for another name" NAME);
        f.server_name = "b.example";
        check(&f, CW_WEB_CertificateCommonNameIsIncorrect,
              "the certificate of b.example is for another name" NAME);
        f.server_name = "";
        check(&f, CW_WEB_CertificateCommonNameIsIncorrect,
              "the certificate of a.example is for another name" NAME);
    }
    f = at_proxy(CURLE_PEER_FAILED_VERIFICATION, "");
    f.server_name = "b.example"; /* which is the server's */
    f.verify_result = 18;
    check(&f, CW_WEB_CertificateIsInvalid,
          "the certificate of the proxy p.example:1 is self-signed: if you trust it, set proxy_ca_file to its "
          "file");
}

/* The alert that we sent stands for a result that libcurl has lost. An alert beside another code, or beside a reason of
 * TLS, does not. */
static void test_alerts(void)
{
    static const struct {
        int alert;
        int web_status;
        const char *text;
    } rows[] = {
        {42, CW_WEB_CertificateIsInvalid, "the certificate of a.example is not valid" RENEW},
        {43, CW_WEB_CertificateIsInvalid, "the certificate of a.example is not valid" RENEW},
        {44, CW_WEB_CertificateRevoked,
         "the certificate of a.example has been revoked: do not trust it; give the server a new certificate"},
        {45, CW_WEB_CertificateExpired,
         "the certificate of a.example has expired" RENEW ", or set this machine's clock"},
        {46, CW_WEB_CertificateIsInvalid, "the certificate of a.example is not valid" RENEW},
        {48, CW_WEB_CertificateIsInvalid,
         "the certificate of a.example " UNKNOWN SET_CA ", or let the server send its whole chain"},
        {41, CW_WEB_CannotConnect,
         "the TLS handshake with the server a.example failed; see the log of the server"},
        {47, CW_WEB_CannotConnect,
         "the TLS handshake with the server a.example failed; see the log of the server"},
        {49, CW_WEB_CannotConnect,
         "the TLS handshake with the server a.example failed; see the log of the server"},
    };
    cw__failure f;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        f = at_server(CURLE_SSL_CONNECT_ERROR, "");
        f.tls.sent_alert = rows[i].alert;
        check(&f, rows[i].web_status, rows[i].text);
        f.curl_code = CURLE_GOT_NOTHING;
        check(&f, CW_WEB_Disconnected,
              "the server a.example ended the connection instead of answering: check the port, and the log of "
              "the "
              "server");
        f = at_server(CURLE_SSL_CONNECT_ERROR, "handshake failure");
        f.tls.sent_alert = rows[i].alert;
        check(
            &f, CW_WEB_CannotConnect,
            "the server a.example refused the TLS handshake: it shares no cipher with curlwire; allow another "
            "cipher at the server");
    }
}

/* ---- Words of a TLS library ---- */

static void test_reasons(void)
{
    static const struct {
        const char *words;
        int web_status;
        const char *text; /* behind "the server a.example" */
    } rows[] = {
        {"unsupported protocol", CW_WEB_CannotConnect,
         " does not support TLS 1.2 or later: ask whoever runs the server to update it"},
        {"alert protocol version", CW_WEB_CannotConnect,
         " does not support TLS 1.2 or later: ask whoever runs the server to update it"},
        {"wrong version number", CW_WEB_CannotConnect, " does not speak TLS there: use ws:// or another port"},
        {"packet length too long", CW_WEB_CannotConnect,
         " does not speak TLS there: use ws:// or another port"},
        {"handshake failure", CW_WEB_CannotConnect,
         " refused the TLS handshake: it shares no cipher with curlwire; allow another cipher at the server"},
        {"unrecognized name", CW_WEB_CannotConnect,
         " refused the TLS handshake: it does not know the requested host name; check the name"},
        {"non-properly terminated", CW_WEB_ConnectionAborted,
         " cut the connection without TLS's close_notify: what it sent may be truncated; connect again"},
    };
    static const char *const faulty[] = {"asn1 encoding routines", "rsa routines",
                                         "provider signature failure"};
    char text[400], words[100];
    cw__failure f;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)snprintf(text, sizeof text, "the server a.example%s", rows[i].text);
        (void)snprintf(words, sizeof words, "error:%s x", rows[i].words);
        f = at_server(CURLE_RECV_ERROR, words);
        check(&f, rows[i].web_status, text);
    }
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        f = at_server(CURLE_SSL_CONNECT_ERROR, faulty[i]);
        check(&f, CW_WEB_CertificateContainsErrors,
              "the certificate of the server a.example is faulty, or its signature: give the server a new "
              "certificate");
    }
    f = at_server(CURLE_SSL_CONNECT_ERROR, "bad record mac");
    check(&f, CW_WEB_ConnectionAborted,
          "bytes from the server a.example were changed on the way, as TLS found; connect again");
    f = at_server(CURLE_SSL_CONNECT_ERROR, "thread failed to start");
    check(
        &f, CW_WEB_HostNameNotResolved,
        "cannot connect to the server a.example: no descriptor, thread or memory to look a name up; raise the "
        "limits (ulimit -n, -u, -v)");
    f = at_server(CURLE_SSL_CONNECT_ERROR, "unexpected eof");
    check(&f, CW_WEB_CannotConnect,
          "the server a.example ended the connection during the TLS handshake: check the port, and the log of "
          "the "
          "server");
    f = at_server(CURLE_RECV_ERROR, "unexpected eof");
    check(&f, CW_WEB_ConnectionAborted,
          "the server a.example cut the connection without TLS's close_notify: what it sent may be truncated; "
          "connect "
          "again");
    f = at_proxy(CURLE_SSL_CONNECT_ERROR, "packet length too long");
    check(&f, CW_WEB_CannotConnect,
          "the proxy p.example:1 does not speak TLS there: write http:// in ws_proxy, or another port");
    f = at_proxy(CURLE_SSL_CONNECT_ERROR, "handshake failure");
    check(&f, CW_WEB_CannotConnect,
          "the proxy p.example:1 refused the TLS handshake: it shares no cipher with curlwire; allow another "
          "cipher at "
          "the proxy");
}

/* After the handshake there is no client certificate to demand: the words name the reason. */
static void test_lost(void)
{
    cw__error error;

    cw__failure_lost(CURLE_RECV_ERROR, 0, "certificate required", "the server", "receiving", &error);
    CHECK_STR(error.message, "the server demands a client certificate: set client_certificate");
    CHECK_INT(error.web_status, CW_WEB_UnexpectedClientError);
    CHECK_INT(error.status, CW_CLOSED);
    cw__failure_lost(CURLE_SEND_ERROR, EPIPE, "error:0A00013", "the server", "sending", &error);
    CHECK_STR(error.message, "the connection was lost while sending: Broken pipe; connect again");
    CHECK_INT(error.curl_code, CURLE_SEND_ERROR);
    CHECK_INT(error.os_errno, EPIPE);
    cw__failure_lost(CURLE_SEND_ERROR, 0, "error:0aF19zC6", "the server", "sending", &error);
    CHECK_STR(error.message, "the connection was lost while sending: CURLE_SEND_ERROR (55); connect again");
    CHECK_INT(error.web_status, CW_WEB_ConnectionAborted);
    cw__failure_lost(CURLE_SEND_ERROR, 0, "error:0aF19bC6:", "the server", "sending", &error);
    CHECK_STR(error.message, "the connection was lost while sending: CURLE_SEND_ERROR (55) (OpenSSL's error "
                             "0aF19bC6); connect again");
}

/* ---- Proxies of SOCKS ---- */

#define P   "the proxy p.example:1 "
#define ASK ": check host and port, or ask whoever runs the proxy"

static void test_socks(void)
{
    static const char not_socks[] = P "does not speak that version of SOCKS: check the scheme in ws_proxy",
                      user[] = P "refused the user and password, or wants both: set proxy_credential, or "
                                 "user:pass@ in ws_proxy",
                      no_answer[] =
                          P "ended the connection instead of answering: check the port, and the log of "
                            "the proxy";
    static const struct {
        int web_status;
        const char *text;
    } rows[CURLPX_LAST + 1] = {
        [CURLPX_BAD_VERSION] = {CW_WEB_CannotConnect, not_socks},
        [CURLPX_BAD_ADDRESS_TYPE] = {CW_WEB_CannotConnect, not_socks},
        [CURLPX_UNKNOWN_MODE] = {CW_WEB_CannotConnect, not_socks},
        [CURLPX_NO_AUTH] = {CW_WEB_ProxyAuthenticationRequired, user},
        [CURLPX_USER_REJECTED] = {CW_WEB_ProxyAuthenticationRequired, user},
        [CURLPX_IDENTD] = {CW_WEB_ProxyAuthenticationRequired, user},
        [CURLPX_IDENTD_DIFFER] = {CW_WEB_ProxyAuthenticationRequired, user},
        [CURLPX_LONG_USER] =
            {CW_WEB_UnexpectedClientError,
             "the user name for the proxy p.example:1 has more than 255 bytes, which SOCKS cannot "
             "send: use a shorter user name"},
        [CURLPX_LONG_PASSWD] =
            {CW_WEB_UnexpectedClientError,
             "the password for the proxy p.example:1 has more than 255 bytes, which SOCKS cannot "
             "send: use a shorter password"},
        [CURLPX_LONG_HOSTNAME] =
            {CW_WEB_UnexpectedClientError,
             "the URI's host has more than 255 bytes, which SOCKS cannot send: use a shorter "
             "name"},
        [CURLPX_RESOLVE_HOST] = {CW_WEB_HostNameNotResolved,
                                 "the host a.example cannot be resolved here: with socks5h:// or socks4a:// in "
                                 "ws_proxy the proxy p.example:1 resolves it"},
        [CURLPX_REPLY_HOST_UNREACHABLE] = {CW_WEB_ServerUnreachable, P "cannot reach a.example" ASK},
        [CURLPX_REPLY_NETWORK_UNREACHABLE] = {CW_WEB_ServerUnreachable,
                                              P "cannot reach the network of a.example" ASK},
        [CURLPX_REPLY_TTL_EXPIRED] = {CW_WEB_ServerUnreachable, P "cannot reach a.example" ASK},
        [CURLPX_REPLY_CONNECTION_REFUSED] = {CW_WEB_CannotConnect,
                                             P "says that a.example refused the connection" ASK},
        [CURLPX_REPLY_NOT_ALLOWED] = {CW_WEB_Forbidden, P "does not allow connections to a.example" ASK},
        [CURLPX_REQUEST_FAILED] = {CW_WEB_CannotConnect, P "refused or failed to connect to a.example" ASK},
        [CURLPX_REPLY_GENERAL_SERVER_FAILURE] = {CW_WEB_CannotConnect, P "could not connect to a.example" ASK},
        [CURLPX_REPLY_COMMAND_NOT_SUPPORTED] = {CW_WEB_CannotConnect,
                                                P "makes no connections: use another proxy"},
        [CURLPX_REPLY_ADDRESS_TYPE_NOT_SUPPORTED] = {CW_WEB_CannotConnect, P
                                                     "does not accept that kind of address: try socks5h:// or "
                                                     "socks4a:// in ws_proxy"},
        [CURLPX_CLOSED] = {CW_WEB_CannotConnect, no_answer},
        [CURLPX_RECV_CONNECT] = {CW_WEB_CannotConnect, no_answer},
    };

    for (int code = 0; code <= CURLPX_LAST; code++) {
        cw__failure f = at_proxy(CURLE_PROXY, "");
        f.proxy_code = code;
        if (rows[code].text)
            check(&f, rows[code].web_status, rows[code].text);
        else
            check(&f, CW_WEB_CannotConnect, "connecting through the proxy p.example:1 failed" ASK);
    }
}

/* ---- CURLcodes ---- */

#define S    "the server a.example "
#define LOST "the connection to the server a.example was lost during the handshake; connect again"

static const struct {
    int code, web_status;
    const char *text; /* NULL = the name of the code */
} codes[] = {
    {CURLE_URL_MALFORMAT, CW_WEB_UnexpectedClientError,
     "libcurl refuses the URI: write it as in wss://host/path"},
    {CURLE_COULDNT_RESOLVE_HOST, CW_WEB_HostNameNotResolved,
     "the host a.example cannot be resolved: check its spelling, and the network"},
    {CURLE_COULDNT_CONNECT, CW_WEB_CannotConnect,
     "cannot connect to the server a.example; check host and port, and that the server runs"},
    {CURLE_SSL_CONNECT_ERROR, CW_WEB_CannotConnect,
     "the TLS handshake with the server a.example failed; see the log of the server"},
    {CURLE_OPERATION_TIMEDOUT, CW_WEB_Timeout,
     S "did not answer in time (connect_timeout): check the network, or raise connect_timeout"},
    {CURLE_SEND_ERROR, CW_WEB_ConnectionAborted, LOST},
    {CURLE_RECV_ERROR, CW_WEB_ConnectionAborted, LOST},
    {CURLE_GOT_NOTHING, CW_WEB_Disconnected,
     S "ended the connection instead of answering: check the port, and the log of the server"},
    {CURLE_PARTIAL_FILE, CW_WEB_Disconnected,
     S "ended the connection in the middle of its answer: see the log of the server, or connect again"},
    {CURLE_UNSUPPORTED_PROTOCOL, CW_WEB_ErrorHttpInvalidServerResponse,
     "the answer of the server a.example is not HTTP/1.1: check the port, and that the URI names a WebSocket "
     "server"},
    {CURLE_WEIRD_SERVER_REPLY, CW_WEB_ErrorHttpInvalidServerResponse,
     "the answer of the server a.example is not valid HTTP: check the port, and that the URI names a WebSocket "
     "server"},
    {CURLE_SSL_CIPHER, CW_WEB_CannotConnect,
     "the TLS library of the loaded libcurl has none of the chosen ciphers: load another libcurl"},
    {CURLE_SSL_PINNEDPUBKEYNOTMATCH, CW_WEB_CertificateIsInvalid,
     "the key of the server a.example is not the expected key: check that you connect to the right server"},
    {CURLE_INTERFACE_FAILED, CW_WEB_CannotConnect, "the network interface cannot be used: check the network"},
    {CURLE_PROXY, CW_WEB_CannotConnect, NULL},
    {CURLE_SSL_CLIENTCERT, CW_WEB_UnexpectedClientError, NULL},
    {CURLE_SSL_CERTPROBLEM, CW_WEB_UnexpectedClientError, NULL},
    {CURLE_SSL_ISSUER_ERROR, CW_WEB_CertificateIsInvalid, NULL},
    {CURLE_SSL_INVALIDCERTSTATUS, CW_WEB_CertificateIsInvalid, NULL},
    {CURLE_TOO_LARGE, CW_WEB_ErrorHttpInvalidServerResponse, NULL},
    {CURLE_READ_ERROR, CW_WEB_Unknown, NULL},
};

static void test_codes(void)
{
    char text[400];
    cw__failure f;

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        f = at_server(codes[i].code, "");
        (void)snprintf(
            text, sizeof text,
            "connecting to the server a.example failed: %s (%d); look the code up in libcurl-errors(3)",
            cw__curl_name(codes[i].code), codes[i].code);
        check(&f, codes[i].web_status, codes[i].text ? codes[i].text : text);
    }
    f = at_proxy(CURLE_COULDNT_RESOLVE_PROXY, "");
    f.os_errno = EPIPE; /* a text that has no place for it does not show it */
    check(&f, CW_WEB_HostNameNotResolved,
          "the host of the proxy p.example:1 cannot be resolved: check ws_proxy");
    f = at_server(CURLE_READ_ERROR, "error:0A000126:x");
    check(&f, CW_WEB_Unknown,
          "connecting to the server a.example failed: CURLE_READ_ERROR (26) (OpenSSL's error 0A000126); look "
          "the code "
          "up in libcurl-errors(3)");
    f = at_server(CURLE_RECV_ERROR, "error:0A000126:x");
    f.os_errno = ECONNRESET;
    check(&f, CW_WEB_ConnectionReset,
          "the connection to the server a.example was lost during the handshake: Connection reset by peer; "
          "connect "
          "again (OpenSSL's error 0A000126)");
    /* a proxy that is not at fault changes nothing */
    f = at_server(CURLE_COULDNT_CONNECT, "");
    f.proxy = "p.example:1";
    check(&f, CW_WEB_CannotConnect,
          "cannot connect to the server a.example; check host and port, and that the server runs");
}

/* ---- Files, descriptors, and the room for a text ---- */

static void test_files(void)
{
    char path[] = "/tmp/curlwire-failure-XXXXXX";
    int fd = mkstemp(path);
    char text[400];
    cw__failure f = at_server(CURLE_SSL_CRL_BADFILE, "");
    cw__error error;

    CHECK(fd >= 0);
    cw__failure_explain(&f, &error);
    CHECK_STR(error.message,
              "crl_file '/x/crl.pem' cannot be used: No such file or directory: set crl_file to a PEM "
              "file of revocation lists");
    f.crl_file = path;
    cw__failure_explain(&f, &error);
    (void)snprintf(text, sizeof text,
                   "crl_file '%s' cannot be used: set crl_file to a PEM file of revocation lists", path);
    CHECK_STR(error.message, text);
    f = at_server(CURLE_SSL_CACERT_BADFILE, "");
    f.ca_file = path;
    f.ca_source = NULL;
    f.os_errno = EPIPE; /* of an earlier call: it says nothing of the file */
    (void)snprintf(text, sizeof text, "ca_file '%s' cannot be used: it must be a PEM file of certificates",
                   path);
    check(&f, CW_WEB_UnexpectedClientError, text);
    f.ca_file = NULL;
    f.ca_source = "SSL_CERT_FILE";
    check(&f, CW_WEB_UnexpectedClientError,
          "SSL_CERT_FILE '' cannot be used: No such file or directory: it must be a PEM file of certificates");
    CHECK(close(fd) == 0 && unlink(path) == 0);
}

static void test_descriptors(void)
{
    cw__error error;

    CHECK(cw__failure_is_descriptor(EMFILE) && cw__failure_is_descriptor(ENFILE));
    CHECK(!cw__failure_is_descriptor(0) && !cw__failure_is_descriptor(EPIPE));
    cw__failure_no_descriptor(EMFILE, &error);
    CHECK_STR(error.message, "no descriptor for a connection: raise the limit (ulimit -n)");
    CHECK_INT(error.status, CW_SYSTEM_ERROR);
    CHECK_INT(error.os_errno, EMFILE);
    CHECK_INT(error.web_status, CW_WEB_Unknown);
}

/* What is too long is cut. */
static void test_long(void)
{
    char host[1000], wanted[400];
    cw__failure f = at_server(CURLE_RECV_ERROR, "");
    cw__error error;

    memset(host, 'h', sizeof host - 1);
    host[sizeof host - 1] = '\0';
    f.host = host;
    cw__failure_explain(&f, &error);
    (void)snprintf(wanted, sizeof wanted,
                   "the connection to the server %.80s was lost during the handshake; connect again", host);
    CHECK_STR(error.message, wanted);
    f = at_server(CURLE_SSL_CACERT_BADFILE, "");
    f.ca_file = host;
    cw__failure_explain(&f, &error);
    (void)snprintf(wanted, sizeof wanted, "ca_file '%.*s", (int)sizeof error.message - 1 - 9, host);
    CHECK_STR(error.message, wanted);
}

static const harness_test tests[] = {
    {"the results of OpenSSL", test_results},
    {"names in certificates", test_names},
    {"alerts that we sent", test_alerts},
    {"words of a TLS library", test_reasons},
    {"an open connection that was lost", test_lost},
    {"the codes of a SOCKS proxy", test_socks},
    {"CURLcodes", test_codes},
    {"files that cannot be used", test_files},
    {"no descriptor", test_descriptors},
    {"long texts are cut", test_long},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of handshake.c and verdict.c alone: what they say of TLS, its files and the certificates, and which party a failure
 * of TLS is about. */
#include "curl_play.h"

/* Which file of authorities the text names, and what a SOCKS proxy said. */
static void test_parties(void)
{
    cw__error other = {0};
    cw__handshake *h;

    wish_nothing();
    wishes.ca_file = "/x/server.pem";
    wishes.proxy.ca_file = "/x/proxy.pem";
    h = made("wss://server.test/", "https://proxy.test:3128");
    CHECK(!cw__handshake_verdict(h, CURLE_SSL_CACERT_BADFILE, 0, &error));
    CHECK(strstr(error.message, "proxy_ca_file '/x/proxy.pem'") != NULL);
    info.connect_code = 200;
    CHECK(line(h, "HTTP/1.1 200 x\r\n") && line(h, "\r\n"));
    CHECK(!cw__handshake_verdict(h, CURLE_SSL_CACERT_BADFILE, 0, &error));
    CHECK(strstr(error.message, "ca_file '/x/server.pem'") != NULL);
    cw__handshake_destroy(h);
    wish_nothing();
    wishes.ca_path = "/x/folder";
    h = made("wss://server.test/", NULL);
    CHECK(!cw__handshake_verdict(h, CURLE_SSL_CACERT_BADFILE, 0, &error));
    CHECK(strstr(error.message, "ca_path '/in/it.0'") != NULL);
    cw__handshake_destroy(h);
    wish_nothing();
    h = made("wss://server.test/", "https://proxy.test:3128");
    CHECK(!cw__handshake_verdict(h, CURLE_SSL_CACERT_BADFILE, 0, &error));
    CHECK(strstr(error.message, "system '/sys/ca.pem'") != NULL);
    cw__handshake_destroy(h);
    info.connect_code = 0;
    h = made("ws://server.test/", "socks5://proxy.test:1080");
    CHECK(!cw__handshake_verdict(h, CURLE_PROXY, 0, &error));
    info.proxy_error = CURLPX_USER_REJECTED;
    CHECK(!cw__handshake_verdict(h, CURLE_PROXY, 0, &other));
    CHECK_INT(other.web_status, CW_WEB_ProxyAuthenticationRequired);
    CHECK(error.web_status != other.web_status);
    cw__handshake_destroy(h);
}

/* libcurl's code and text say what is wrong with the files of the client certificate. */
static void test_client_certificate(void)
{
    static const struct {
        CURLcode code;
        const char *text, *words;
        bool is_pkcs12;
    } rows[] = {
        {CURLE_SSL_CERTPROBLEM, "could not load PEM client s3cret",
         "it is not a PEM file of certificates; correct", false},
        {CURLE_SSL_CERTPROBLEM, "Private key does not match s3cret",
         "client_key '/proc/self/exe' cannot be used", false},
        {CURLE_BAD_FUNCTION_ARGUMENT, "unable to set private key file: s3cret",
         "client_key_password is missing", false},
        {CURLE_BAD_FUNCTION_ARGUMENT, "something else s3cret", "CURLE_BAD_FUNCTION_ARGUMENT", false},
        {CURLE_SSL_CERTPROBLEM, "could not parse PKCS12 file s3cret", "it is not a PKCS#12 file with", true},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw__handshake *h;
        wish_nothing();
        wishes.client = (cw__client_certificate){.file = "/proc/self/exe",
                                                 .key = rows[i].is_pkcs12 ? "" : "/proc/self/exe",
                                                 .password = "s3cret",
                                                 .is_pkcs12 = rows[i].is_pkcs12};
        h = made("wss://server.test/", NULL);
        (void)snprintf(h->text, sizeof h->text, "%s", rows[i].text);
        CHECK(!cw__handshake_verdict(h, rows[i].code, 0, &error));
        CHECK(strstr(error.message, rows[i].words) && !strstr(error.message, "s3cret"));
        CHECK_INT(error.curl_code, rows[i].code);
        cw__handshake_destroy(h);
        h = made("wss://server.test/", "https://proxy.test:3128"); /* TLS with the proxy has no such files */
        (void)snprintf(h->text, sizeof h->text, "%s", rows[i].text);
        CHECK(!cw__handshake_verdict(h, rows[i].code, 0, &error));
        CHECK(!strstr(error.message, "client_") && !strstr(error.message, "s3cret"));
        cw__handshake_destroy(h);
    }
    wish_nothing();
}

/* What OpenSSL's result says of the server's certificate. A proxy's certificate is not the server's. */
static void test_chain_results(void)
{
    static const struct {
        long verify_result;
        cw_chain_result chain_result;
    } rows[] = {{10, CW_CHAIN_Expired},
                {23, CW_CHAIN_Revoked},
                {62, CW_CHAIN_InvalidName},
                {1, CW_CHAIN_OtherErrors},
                {2, CW_CHAIN_Untrusted},
                {3, CW_CHAIN_RevocationInformationMissing},
                {7, CW_CHAIN_InvalidSignature},
                {12, CW_CHAIN_RevocationFailure},
                {18, CW_CHAIN_Untrusted},
                {19, CW_CHAIN_Untrusted},
                {20, CW_CHAIN_IncompleteChain},
                {21, CW_CHAIN_IncompleteChain},
                {24, CW_CHAIN_BasicConstraintsError},
                {25, CW_CHAIN_BasicConstraintsError},
                {26, CW_CHAIN_WrongUsage},
                {33, CW_CHAIN_RevocationInformationMissing},
                {79, CW_CHAIN_BasicConstraintsError}};

    for (int at_proxy = 0; at_proxy < 2; at_proxy++) {
        cw__handshake *h;
        wish_nothing();
        h = made("wss://server.test/", at_proxy ? "https://proxy.test:3128" : NULL);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            info.verify_result = info.proxy_verify_result = rows[i].verify_result;
            error = (cw__error){0};
            CHECK(!cw__handshake_verdict(h, CURLE_PEER_FAILED_VERIFICATION, 0, &error));
            CHECK_INT(error.chain_result, at_proxy ? CW_CHAIN_Success : rows[i].chain_result);
        }
        error = (cw__error){0};
        CHECK(!cw__handshake_verdict(h, CURLE_RECV_ERROR, 0, &error));
        CHECK_INT(error.chain_result, CW_CHAIN_Success);
        cw__handshake_destroy(h);
    }
}

/* The server shows another certificate than the one that the program accepted. */
static void test_changed(void)
{
    cw__handshake *h;

    wish_nothing();
    h = made("wss://server.test/", NULL);
    h->showing = CW__SHOWING_CHANGED;
    expect_verdict(h, CURLE_OK, CW_CONNECT_FAILED, CW_WEB_CertificateIsInvalid,
                   "server.test showed no certificate, or not the one that this program accepted");
    cw__handshake_destroy(h);
}

/* ---- The server's certificate, and the question about it ---- */

/* A Certificate message before TLS 1.3, with one certificate of the two bytes. */
#define CHAIN(two_bytes) "\x0b\0\0\x08\0\0\x05\0\0\x02" two_bytes
enum { CHAIN_BYTES = 12 };

static void log_chain(cw__handshake *h, curl_infotype type, const char *message)
{
    char copy[CHAIN_BYTES];
    curl_debug_callback on_debug;

    memcpy(&on_debug, &find(CURLOPT_DEBUGFUNCTION)->is, sizeof on_debug);
    memcpy(copy, message, sizeof copy);
    CHECK_INT(on_debug(NULL, type, copy, sizeof copy, h), 0);
}

/* Expects the certificate that is kept, or none if it is NULL. A second call gets none. */
static void expect_chain(cw__handshake *h, const char *message)
{
    size_t len_bytes;
    uint8_t *chain = cw__handshake_release_chain(h, &len_bytes);

    CHECK_BYTES(chain, len_bytes, message, message ? CHAIN_BYTES : 0);
    cw__free(chain);
    CHECK(cw__handshake_release_chain(h, &len_bytes) == NULL);
    CHECK_INT(len_bytes, 0);
}

static void test_chain(void)
{
    cw__handshake *h;

    wish_nothing();
    h = made("wss://server.test/", "https://proxy.test:3128");
    log_chain(h, CURLINFO_SSL_DATA_IN, CHAIN("pr")); /* the proxy's */
    expect_chain(h, NULL);
    info.connect_code = 200;
    CHECK(line(h, "HTTP/1.1 200 x\r\n") && line(h, "\r\n"));
    log_chain(h, CURLINFO_SSL_DATA_OUT, CHAIN("me")); /* the client's */
    log_chain(h, CURLINFO_SSL_DATA_IN, "\x0c\0\0\x08\0\0\x05\0\0\x02no");
    expect_chain(h, NULL);
    log_chain(h, CURLINFO_SSL_DATA_IN, CHAIN("ab"));
    log_chain(h, CURLINFO_SSL_DATA_IN, CHAIN("xy")); /* the first one counts */
    expect_chain(h, CHAIN("ab"));
    cw__handshake_destroy(h);
    h = made("wss://server.test/", NULL);
    cw__alloc_fail_at(0);
    log_chain(h, CURLINFO_SSL_DATA_IN, CHAIN("ab"));
    cw__alloc_fail_at(-1);
    log_chain(h, CURLINFO_SSL_DATA_IN, CHAIN("ab"));
    expect_verdict(h, CURLE_OK, CW_NO_MEMORY, CW_WEB_Unknown, "no memory for a connection");
    cw__handshake_destroy(h);
}

/* Asks what libcurl asks before it sends the request. Returns whether libcurl goes on. */
static bool may_send(cw__handshake *h)
{
    curl_prereq_callback on_request;
    char ip[] = "127.0.0.1";
    int answer;

    CHECK(find(CURLOPT_PREREQFUNCTION) && find(CURLOPT_PREREQDATA)->is.pointer == h);
    memcpy(&on_request, &find(CURLOPT_PREREQFUNCTION)->is, sizeof on_request);
    answer = on_request(h, ip, ip, 443, 40000);
    CHECK(answer == CURL_PREREQFUNC_OK || answer == CURL_PREREQFUNC_ABORT);
    return answer == CURL_PREREQFUNC_OK;
}

static void expect_changed(cw__handshake *h)
{
    expect_verdict(h, CURLE_ABORTED_BY_CALLBACK, CW_CONNECT_FAILED, CW_WEB_CertificateIsInvalid,
                   "server.test showed no certificate, or not the one that this program accepted");
}

/* Nothing is sent to a server until the program has accepted its certificate, and then only if the server shows that
 * certificate again. */
static void test_question(void)
{
    static const char *const second[] = {CHAIN("ab"), CHAIN("ax"),
                                         "\x0b\0\0\x08\0\0\x05\0\0\x01"
                                         "ab",
                                         NULL};
    cw__handshake *h;

    wish_nothing();
    cw__handshake_destroy(made("wss://server.test/", NULL));
    CHECK(!find(CURLOPT_PREREQFUNCTION));
    wishes.asks = true;
    cw__handshake_destroy(made("ws://server.test/", NULL)); /* without TLS there is nothing to ask */
    CHECK(!find(CURLOPT_PREREQFUNCTION));
    for (size_t i = 0; i < sizeof second / sizeof *second; i++) {
        h = made("wss://server.test/", NULL);
        log_chain(h, CURLINFO_SSL_DATA_IN, CHAIN("ab"));
        CHECK(!cw__handshake_asks(h));
        CHECK(!may_send(h) && cw__handshake_asks(h));
        expect_chain(h, CHAIN("ab"));
        cw__handshake_restart(h, NULL);
        cw__handshake_accept(h);
        CHECK(!cw__handshake_asks(h));
        if (second[i])
            log_chain(h, CURLINFO_SSL_DATA_IN, second[i]);
        CHECK_INT(may_send(h), i == 0);
        if (i > 0)
            expect_changed(h);
        cw__handshake_destroy(h);
    }
    h = made("wss://server.test/", NULL);
    CHECK(!may_send(h) && !cw__handshake_asks(h)); /* the server has shown no certificate */
    expect_changed(h);
    cw__handshake_destroy(h);
    h = made("wss://server.test/", NULL);
    log_chain(h, CURLINFO_SSL_DATA_IN, CHAIN("ab"));
    CHECK(!may_send(h) && !may_send(h)); /* no answer in between */
    expect_changed(h);
    cw__handshake_destroy(h);
    h = made("wss://server.test/", NULL);
    log_chain(h, CURLINFO_SSL_DATA_IN, CHAIN("ab"));
    cw__alloc_fail_at(0);
    CHECK(!may_send(h));
    cw__alloc_fail_at(-1);
    expect_verdict(h, CURLE_ABORTED_BY_CALLBACK, CW_NO_MEMORY, CW_WEB_Unknown, "no memory for a connection");
    cw__handshake_destroy(h);
}

/* The second connection begins anew: nothing of the first one counts. */
static void test_second_connection(void)
{
    static const char wish[] = "TLSv1.3 (IN), TLS handshake, Request CERT (13):";
    cw__handshake *h;

    wish_nothing();
    wishes.asks = true;
    h = made("wss://server.test/", NULL);
    cw__handshake_restart(h, NULL);
    CHECK(!cw__handshake_is_at_proxy(h));
    cw__handshake_destroy(h);
    h = made("wss://server.test/", "https://proxy.test:3128");
    info.connect_code = 200;
    CHECK(line(h, "HTTP/1.1 200 x\r\n") && line(h, "\r\n") && line(h, "HTTP/1.1 101 x\r\n"));
    log_text(h, CURLINFO_TEXT, wish);
    h->is_handed = h->has_socket = true;
    h->tls.sent_alert = 42;
    (void)snprintf(h->text, sizeof h->text, "an error");
    cw__handshake_restart(h, (cw__race *)(void *)&race_fd);
    CHECK(cw__handshake_is_at_proxy(h) && cw__handshake_races(h));
    CHECK_STR(cw__handshake_reply(h), "");
    CHECK_STR(h->text, "");
    CHECK(!h->is_handed && !h->has_socket && h->tls.sent_alert == 0);
    info.os_errno = EPIPE;
    race_state = CW__RACE_GATHERING;
    CHECK(!cw__handshake_verdict(h, CURLE_SEND_ERROR, 0, &error));
    CHECK(!strstr(error.message, "client certificate"));
    cw__handshake_destroy(h);
}

/* A request for a client certificate in TLS only changes the text, and only for the party that is being connected. */
static void test_notes(void)
{
    static const char wish[] = "TLSv1.3 (IN), TLS handshake, Request CERT (13):";

    wish_nothing();
    for (int is_text_logged = 0; is_text_logged < 2; is_text_logged++) {
        cw__handshake *h = made("wss://server.test/", NULL);
        log_text(h, is_text_logged ? CURLINFO_TEXT : CURLINFO_DATA_IN, wish);
        info.os_errno = EPIPE;
        CHECK(!cw__handshake_verdict(h, CURLE_SEND_ERROR, 0, &error));
        CHECK_INT(strstr(error.message, "client certificate") != NULL, is_text_logged);
        cw__handshake_destroy(h);
    }
    { /* the request of the proxy is forgotten when the proxy has accepted */
        cw__handshake *h = made("wss://server.test/", "https://proxy.test:3128");
        log_text(h, CURLINFO_TEXT, wish);
        info.connect_code = 200;
        CHECK(line(h, "HTTP/1.1 200 x\r\n") && line(h, "\r\n"));
        CHECK(!cw__handshake_verdict(h, CURLE_SEND_ERROR, 0, &error));
        CHECK(!strstr(error.message, "client certificate"));
        cw__handshake_destroy(h);
    }
}

/* A server that ends the connection after its request for a certificate: the advice depends on whether one is set. */
static void test_advice(void)
{
    static const char *const words[] = {"demands a client certificate: set client_certificate",
                                        "it may not accept client_certificate"};

    for (int is_set = 0; is_set < 2; is_set++) {
        cw__handshake *h;
        wish_nothing();
        wishes.client.file = is_set ? "/proc/self/exe" : "";
        h = made("wss://server.test/", NULL);
        log_text(h, CURLINFO_TEXT, "TLSv1.3 (IN), TLS handshake, Request CERT (13):");
        info.os_errno = EPIPE;
        CHECK(!cw__handshake_verdict(h, CURLE_SEND_ERROR, 0, &error));
        CHECK(strstr(error.message, words[is_set]) != NULL);
        cw__handshake_destroy(h);
    }
}

static const harness_test tests[] = {
    {"failures of the proxy and of the server", test_parties},
    {"files of the client certificate that cannot be used", test_client_certificate},
    {"what is wrong with the server's certificate", test_chain_results},
    {"a certificate that has changed", test_changed},
    {"what libcurl logs of TLS", test_notes},
    {"a server that wants a client certificate", test_advice},
    {"the server's certificates that are kept", test_chain},
    {"the question about the server's certificate", test_question},
    {"the connection after an accepted certificate", test_second_connection},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

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
    wishes.proxy_ca_file = "/x/proxy.pem";
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

static const harness_test tests[] = {
    {"failures of the proxy and of the server", test_parties},
    {"files of the client certificate that cannot be used", test_client_certificate},
    {"what is wrong with the server's certificate", test_chain_results},
    {"a certificate that has changed", test_changed},
    {"what libcurl logs of TLS", test_notes},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

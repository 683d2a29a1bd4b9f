/* SPDX-License-Identifier: MIT */
/* Tests of proxy_options.c alone, with client_certificate.c: the options that they set, and which challenges of a proxy libcurl may
 * answer. tests/python/test_proxies.py tests connections. */
#include "curl_play.h"

static void test_proxies(void)
{
    cw__handshake *h;
    CURL *easy;

    wish_nothing();
    wishes.ca_file = "/x/ca.pem";
    h = made("ws://server.test/", "http://joe:p%40ss@proxy.test:3128");
    CHECK_STR(text_of(CURLOPT_PROXY), "http://proxy.test:3128");
    CHECK_STR(text_of(CURLOPT_NOPROXY), "");
    CHECK_STR(text_of(CURLOPT_PROXYUSERNAME), "joe");
    CHECK_STR(text_of(CURLOPT_PROXYPASSWORD), "p@ss");
    CHECK(!find(CURLOPT_PROXY_SSL_VERIFYPEER) && !find(CURLOPT_PROXY_CAINFO));
    CHECK_INT(number_of(CURLOPT_VERBOSE), 1);
    CHECK(cw__handshake_is_at_proxy(h));
    CHECK_STR(cw__handshake_tls_party(h), "the server");
    cw__handshake_destroy(h);

    wishes.proxy.user = "jim";
    wishes.proxy.password = "";
    cw__handshake_destroy(made("ws://server.test/", NULL)); /* there is no proxy to send it to */
    CHECK(!find(CURLOPT_PROXYUSERNAME) && !find(CURLOPT_PROXYPASSWORD) && !find(CURLOPT_USERNAME));
    h = made("ws://server.test/", "http://joe:p%40ss@proxy.test:3128");
    CHECK_STR(text_of(CURLOPT_PROXYUSERNAME), "jim"); /* the control, not the variable */
    CHECK_STR(text_of(CURLOPT_PROXYPASSWORD), "");
    CHECK(!find(CURLOPT_USERNAME));
    cw__handshake_destroy(h);
    wishes.proxy.user = wishes.proxy.password = NULL;

    wishes.proxy.uri = "socks5h://joe:p%40ss@other.test"; /* the control, not the variable */
    h = made("ws://server.test/", "http://proxy.test:3128");
    CHECK_STR(text_of(CURLOPT_PROXY), "socks5h://other.test:1080");
    CHECK_STR(text_of(CURLOPT_PROXYUSERNAME), "joe");
    CHECK_STR(text_of(CURLOPT_PROXYPASSWORD), "p@ss");
    cw__handshake_destroy(h);
    wishes.proxy.uri = CW__PROXY_DIRECT;
    h = made("ws://server.test/", "http://proxy.test:3128");
    CHECK_STR(text_of(CURLOPT_PROXY), "");
    CHECK_STR(text_of(CURLOPT_NOPROXY), "*");
    cw__handshake_destroy(h);
    wishes.proxy.uri = "";

    wishes.proxy.headers = "A: 1\nB;\n";
    wishes.proxy.pre_uri = "socks5h://jo-e:p%40%20%c3%bc@pre.test";
    h = made("ws://server.test/", "http://proxy.test:3128");
    CHECK_STR(text_of(CURLOPT_PRE_PROXY), "socks5h://jo%2De:p%40%20%C3%BC@pre.test:1080");
    CHECK_STR(text_of(CURLOPT_PROXY), "http://proxy.test:3128");
    CHECK_INT(number_of(CURLOPT_HEADEROPT), CURLHEADER_SEPARATE);
    CHECK_STR(((struct curl_slist *)find(CURLOPT_PROXYHEADER)->is.pointer)->data, "A: 1");
    CHECK_STR(((struct curl_slist *)find(CURLOPT_PROXYHEADER)->is.pointer)->next->data, "B;");
    CHECK_STR(cw__handshake_next_proxy(h)->source, "pre_proxy");
    log_text(h, CURLINFO_HEADER_OUT, "CONNECT");
    CHECK_STR(cw__handshake_next_proxy(h)->source, "all_proxy");
    CHECK(cw__handshake_is_at_proxy(h));
    cw__handshake_restart(h, NULL);
    CHECK_STR(cw__handshake_next_proxy(h)->source, "pre_proxy");
    easy = cw__handshake_release_easy(h);
    CHECK(easy != NULL);
    CHECK(find(CURLOPT_PROXYHEADER)->is.pointer == NULL);
    cw__handshake_destroy(h);
    curl_easy_cleanup(easy);
    wishes.proxy.pre_uri = "socks5://pre.test";
    cw__handshake_destroy(made("ws://server.test/", "https://proxy.test:3128"));
    CHECK_STR(text_of(CURLOPT_PRE_PROXY), "socks5://pre.test:1080");
    CHECK(create("ws://server.test/", "socks5://proxy.test") == NULL);
    CHECK(create("ws://server.test/", NULL) == NULL);
    CHECK(strstr(cw_error_message(), "pre_proxy is set, and no http:// or https:// proxy stands behind it"));
    wishes.proxy.headers = wishes.proxy.pre_uri = "";

    h = made("ws://server.test/", "https://proxy.test:3128");
    CHECK(!find(CURLOPT_PRE_PROXY) && !find(CURLOPT_PROXYHEADER));
    CHECK_INT(number_of(CURLOPT_HEADEROPT), CURLHEADER_SEPARATE);
    CHECK(!find(CURLOPT_PROXYUSERNAME) && !find(CURLOPT_PROXYPASSWORD));
    CHECK_INT(number_of(CURLOPT_PROXY_SSL_VERIFYPEER), 1);
    CHECK_INT(number_of(CURLOPT_PROXY_SSL_VERIFYHOST), 2);
    CHECK_INT(number_of(CURLOPT_PROXY_SSLVERSION), CURL_SSLVERSION_TLSv1_2);
    CHECK_STR(text_of(CURLOPT_PROXY_CAINFO), "/x/ca.pem"); /* ca_file, unless proxy_ca_file is set */
    CHECK_STR(text_of(CURLOPT_PROXY_CAPATH), "(none)");
    CHECK_STR(cw__handshake_tls_party(h), "the proxy");
    cw__handshake_destroy(h);

    wishes.proxy.verify = false;
    wishes.proxy.ca_file = "/x/proxy.pem";
    h = made("wss://server.test/", "https://proxy.test:3128");
    CHECK_INT(number_of(CURLOPT_PROXY_SSL_VERIFYPEER), 0);
    CHECK_INT(number_of(CURLOPT_PROXY_SSL_VERIFYHOST), 0);
    CHECK_STR(text_of(CURLOPT_PROXY_CAINFO), "/x/proxy.pem");
    CHECK_STR(text_of(CURLOPT_PROXY_CAPATH), "(none)"); /* not a folder that libcurl was built with */
    CHECK_STR(cw__handshake_tls_party(h), "the server or the proxy");
    cw__handshake_destroy(h);

    wish_nothing();
    h = made("ws://server.test/", "https://proxy.test:3128");
    CHECK_STR(text_of(CURLOPT_PROXY_CAINFO), "/sys/ca.pem");
    cw__handshake_destroy(h);
    wishes.ca_path = "/x/folder";
    h = made("wss://server.test/", "https://proxy.test:3128");
    CHECK_STR(text_of(CURLOPT_PROXY_CAINFO), "/in/it.0");
    CHECK_STR(text_of(CURLOPT_PROXY_CAPATH), "/x/folder");
    cw__handshake_destroy(h);
    has_no_authorities = true;
    CHECK(create("ws://server.test/", "https://proxy.test:3128") == NULL);
    wishes.proxy.ca_file = "/x/proxy.pem"; /* needs no others */
    cw__handshake_destroy(made("ws://server.test/", "https://proxy.test:3128"));
    wishes.proxy.ca_file = "";
    wishes.proxy.verify = false;
    cw__handshake_destroy(made("ws://server.test/", "https://proxy.test:3128"));
    has_no_authorities = false;
    wish_nothing();

    version.features = 0;
    CHECK(create("ws://server.test/", "https://proxy.test:3128") == NULL);
    CHECK(strstr(cw_error_message(), "proxy.test:3128") && strstr(cw_error_message(), "9.9.9"));
    CHECK_INT(setting_count, 0);
    h = made("ws://server.test/", "http://proxy.test:3128");
    cw__handshake_destroy(h);
    CHECK(create("ws://server.test/", "foo://proxy.test:3128") == NULL); /* an error of proxy.c is returned */
    CHECK(!strstr(cw_error_message(), "9.9.9"));
    CHECK(create("ws://server.test:80/", "https://proxy.test:99999") == NULL);
    CHECK(!strstr(cw_error_message(), "9.9.9"));
}

static char some_bytes[] = "x";

static void test_proxy_certificate(void)
{
    static const struct {
        cw__client_certificate client;
        cw_option option;
        const char *words;
    } bad[] = {
        {{.file = "/nowhere/c.pem", .key = "", .password = "s3cret"},
         CW_OPT_PROXY_CLIENT_CERTIFICATE,
         "proxy_client_certificate '/nowhere/c.pem' cannot be used: No such file or directory; check"},
        {{.file = "/dev/null", .key = "", .password = ""},
         CW_OPT_PROXY_CLIENT_CERTIFICATE,
         "set proxy_client_certificate to a file"},
        {{.file = "/proc/self/exe", .key = "/nowhere/k.pem", .password = "s3cret"},
         CW_OPT_PROXY_CLIENT_KEY,
         "proxy_client_key '/nowhere/k.pem' cannot be used: No such file"},
        {{.file = "", .key = "/k", .password = ""},
         CW_OPT_PROXY_CLIENT_KEY,
         "proxy_client_key is set without proxy_client_certificate: set proxy_client_certificate too, or "
         "proxy_client_certificate_data"},
        {{.file = "", .key = "", .key_data = {some_bytes, 1}, .password = ""},
         CW_OPT_PROXY_CLIENT_KEY_DATA,
         "proxy_client_key_data is set without proxy_client_certificate"},
        {{.file = "", .key = "", .password = "s3cret"},
         CW_OPT_PROXY_CLIENT_KEY_PASSWORD,
         "proxy_client_key_password is set without"},
        {{.file = "/c", .data = {some_bytes, 1}, .key = "", .password = ""},
         CW_OPT_PROXY_CLIENT_CERTIFICATE_DATA,
         "proxy_client_certificate and proxy_client_certificate_data are both set: unset one of them"},
        {{.file = "/c", .key = "/k", .key_data = {some_bytes, 1}, .password = ""},
         CW_OPT_PROXY_CLIENT_KEY_DATA,
         "proxy_client_key and proxy_client_key_data are both set: unset one of them"},
        {{.file = "/c", .key = "", .key_data = {some_bytes, 1}, .password = "", .is_pkcs12 = true},
         CW_OPT_PROXY_CLIENT_KEY_DATA,
         "proxy_client_key_data is set beside a PKCS#12 file, which has the key: unset proxy_client_key_data"},
    };

    wish_nothing();
    wishes.proxy.client =
        (cw__client_certificate){.file = "/proc/self/exe", .key = "", .password = "", .is_for_proxy = true};
    cw__handshake_destroy(made("wss://server.test/", "https://proxy.test:3128"));
    CHECK_STR(text_of(CURLOPT_PROXY_SSLCERT), "/proc/self/exe");
    CHECK_STR(text_of(CURLOPT_PROXY_SSLCERTTYPE), "PEM");
    CHECK_STR(text_of(CURLOPT_PROXY_KEYPASSWD), ""); /* so that OpenSSL does not ask at the terminal */
    CHECK(!find(CURLOPT_PROXY_SSLKEY) && !find(CURLOPT_SSLCERT) && !find(CURLOPT_KEYPASSWD));
    wishes.proxy.client.key = "/proc/self/exe";
    wishes.proxy.client.password = "s3cret";
    cw__handshake_destroy(made("ws://server.test/", "https://proxy.test:3128"));
    CHECK_STR(text_of(CURLOPT_PROXY_SSLKEY), "/proc/self/exe");
    CHECK_STR(text_of(CURLOPT_PROXY_KEYPASSWD), "s3cret");
    wishes.proxy.client.key = wishes.proxy.client.file = "";
    wishes.proxy.client.data = (cw__data){some_bytes, 1};
    wishes.proxy.client.is_pkcs12 = true;
    cw__handshake_destroy(made("ws://server.test/", "https://proxy.test:3128"));
    CHECK(find(CURLOPT_PROXY_SSLCERT_BLOB) && !find(CURLOPT_PROXY_SSLCERT) && !find(CURLOPT_SSLCERT_BLOB));
    CHECK(!find(CURLOPT_PROXY_SSLKEY) && !find(CURLOPT_PROXY_SSLKEY_BLOB));
    CHECK_STR(text_of(CURLOPT_PROXY_SSLCERTTYPE), "P12");
    wishes.proxy.client.is_pkcs12 = false;
    wishes.proxy.client.key_data = wishes.proxy.client.data;
    cw__handshake_destroy(made("ws://server.test/", "https://proxy.test:3128"));
    CHECK(find(CURLOPT_PROXY_SSLKEY_BLOB) && !find(CURLOPT_PROXY_SSLKEY) && !find(CURLOPT_SSLKEY_BLOB));
    CHECK_STR(text_of(CURLOPT_PROXY_SSLCERTTYPE), "PEM");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wishes.proxy.client = bad[i].client;
        wishes.proxy.client.is_for_proxy = true;
        CHECK(create("wss://server.test/", "https://proxy.test:3128") == NULL);
        CHECK(strstr(cw_error_message(), bad[i].words) && !strstr(cw_error_message(), "s3c"));
        CHECK_INT(cw_error_web_status(), CW_WEB_UnexpectedClientError);
        CHECK_INT(cw_error_option(), bad[i].option);
        cw__handshake_destroy(
            made("wss://server.test/", "http://proxy.test")); /* without TLS nothing is looked at */
        CHECK(!find(CURLOPT_PROXY_SSLCERT) && !find(CURLOPT_PROXY_KEYPASSWD));
    }
}

/* Returns whether libcurl may answer a 407. */
static bool may_answer(cw__handshake *h)
{
    bool goes_on;

    info.connect_code = 407;
    goes_on = cw__proxy_answered(h);
    CHECK(h->is_refused);
    CHECK_INT(cw__refusal_is_begun(h), cw__refusal_can_keep() && !h->challenges);
    return goes_on && !cw__refusal_is_begun(h);
}

static void test_logins(void)
{
    static const struct {
        unsigned logins;
        int features;
        const char *words; /* of the error; NULL = none */
    } rows[] = {{CW__LOGIN_NEGOTIATE, 0, "was built without GSSAPI, which negotiate needs; add digest"},
                {CW__LOGIN_NTLM, CURL_VERSION_SPNEGO, "was built without NTLM;"},
                {CW__LOGIN_NTLM | CW__LOGIN_NEGOTIATE, 0, "was built without GSSAPI and NTLM;"},
                {CW__LOGIN_NTLM, CURL_VERSION_NTLM, NULL},
                {CW__LOGIN_NTLM | CW__LOGIN_NEGOTIATE, CURL_VERSION_SPNEGO, NULL},
                {CW__LOGIN_NTLM | CW__LOGIN_DIGEST, 0, NULL}};
    cw__handshake *h;

    wish_nothing();
    cw__handshake_destroy(made("ws://server.test/", "http://u:p@proxy.test:3128"));
    CHECK(!find(CURLOPT_PROXYAUTH));
    wishes.proxy.logins = CW__LOGIN_BASIC | CW__LOGIN_DIGEST;
    h = made("ws://server.test/", "http://u:p@proxy.test:3128");
    CHECK_INT(number_of(CURLOPT_PROXYAUTH), CURLAUTH_BASIC | CURLAUTH_DIGEST);
    for (int i = 0; i < 2; i++) { /* a limit that a restart resets */
        for (int n = 0; n < 4; n++)
            CHECK(may_answer(h));
        CHECK(!may_answer(h));
        cw__handshake_restart(h, NULL);
    }
    cw__handshake_destroy(h);
    wishes.proxy.logins = CW__LOGIN_BASIC;
    h = made("ws://server.test/", "http://u:p@proxy.test:3128");
    CHECK_INT(number_of(CURLOPT_PROXYAUTH), CURLAUTH_BASIC);
    CHECK(!may_answer(h)); /* it is sent at once */
    cw__handshake_destroy(h);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        wishes.proxy.logins = rows[i].logins;
        version.features = rows[i].features;
        h = create("ws://server.test/", "http://proxy.test:3128");
        CHECK((h == NULL) == (rows[i].words != NULL));
        if (rows[i].words)
            CHECK(strstr(cw_error_message(), rows[i].words) && strstr(cw_error_message(), "9.9.9") &&
                  cw_error_option() == CW_OPT_PROXY_AUTH);
        else if (rows[i].logins & CW__LOGIN_NEGOTIATE)
            CHECK(strcmp(text_of(CURLOPT_PROXYUSERNAME), "") == 0 && may_answer(h));
        else
            CHECK(!find(CURLOPT_PROXYUSERNAME) && !may_answer(h)); /* there is no user */
        cw__handshake_destroy(h);
        cw__handshake_destroy(made("ws://server.test/", "socks5://proxy.test")); /* it has no such login */
        CHECK(!find(CURLOPT_PROXYAUTH));
        cw__handshake_destroy(made("ws://server.test/", NULL));
    }
    version.features = CURL_VERSION_HTTPS_PROXY;
}

/* Only a status of 2xx lets the connection through. */
static void test_statuses(void)
{
    static const struct {
        long http_status;
        bool passes, goes_on; /* goes_on: libcurl reads the body of the refusal */
    } rows[] = {{199, false, false}, {200, true, true},  {299, true, true},
                {300, false, true},  {403, false, true}, {0, false, false}};

    wish_nothing();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw__handshake *h = made("ws://server.test/", "http://proxy.test:3128");
        info.connect_code = rows[i].http_status;
        CHECK_INT(cw__proxy_answered(h), rows[i].goes_on && (rows[i].passes || cw__refusal_can_keep()));
        CHECK_INT(h->is_past_proxy, rows[i].passes);
        CHECK_INT(h->is_refused, !rows[i].passes);
        CHECK_INT(h->moments.past_proxy_us > 0, rows[i].passes);
        cw__handshake_destroy(h);
    }
}

static const harness_test tests[] = {
    {"the options of proxies", test_proxies},
    {"the logins of proxies", test_logins},
    {"the statuses of proxies", test_statuses},
    {"the client certificate for a proxy", test_proxy_certificate},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

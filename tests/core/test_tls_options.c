/* SPDX-License-Identifier: MIT */
/* Tests of tls_options.c, notes.c and timings.c: what libcurl is told, and what its texts mean. The tests in Python and Lua
 * check the same against servers. */
#include "curl_play.h"

#define PIN "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static char some_pem[] = "-----BEGIN";

static void refuse(const char *uri_text, int option, const char *words)
{
    CHECK(create(uri_text, NULL) == NULL);
    CHECK_INT(cw_error_option(), option);
    if (!strstr(cw_error_message(), words))
        CHECK_STR(cw_error_message(), words);
    CHECK(strstr(cw_error_message(), words) != NULL);
}

static void test_defaults(void)
{
    cw__handshake *h;

    wish_nothing();
    h = made("wss://server.test/", NULL);
    CHECK_INT(number_of(CURLOPT_SSLVERSION), CURL_SSLVERSION_TLSv1_2);
    CHECK_INT(number_of(CURLOPT_SSL_SESSIONID_CACHE), 0);
    CHECK(!find(CURLOPT_SHARE) && !find(CURLOPT_PINNEDPUBLICKEY) && !find(CURLOPT_SSL_CIPHER_LIST));
    CHECK(!find(CURLOPT_TLS13_CIPHERS) && !find(CURLOPT_SSL_EC_CURVES) && !find(CURLOPT_SSL_VERIFYSTATUS));
    CHECK(!find(CURLOPT_CAINFO_BLOB) && !find(CURLOPT_SSLCERT_BLOB) && !find(CURLOPT_CONNECT_TO));
    cw__handshake_destroy(h);
}

static void test_options(void)
{
    cw__handshake *h;

    wish_nothing();
    wishes.tls = (cw__tls_options){.pinned_public_key = PIN,
                                   .ciphers = "A:B",
                                   .ciphers13 = "C",
                                   .groups = "D",
                                   .is_13_least = true,
                                   .wants_status = true};
    h = made("wss://server.test/", NULL);
    CHECK_STR(text_of(CURLOPT_PINNEDPUBLICKEY), PIN);
    CHECK_STR(text_of(CURLOPT_SSL_CIPHER_LIST), "A:B");
    CHECK_STR(text_of(CURLOPT_TLS13_CIPHERS), "C");
    CHECK_STR(text_of(CURLOPT_SSL_EC_CURVES), "D");
    CHECK_INT(number_of(CURLOPT_SSLVERSION), CURL_SSLVERSION_TLSv1_3);
    CHECK_INT(number_of(CURLOPT_SSL_VERIFYSTATUS), 1);
    cw__handshake_destroy(h);
    wishes.verify = false; /* the pin is checked all the same */
    h = made("wss://server.test/", NULL);
    CHECK_STR(text_of(CURLOPT_PINNEDPUBLICKEY), PIN);
    CHECK(!find(CURLOPT_SSL_VERIFYSTATUS));
    cw__handshake_destroy(h);
    wish_nothing();
    wishes.tls.is_12_most = true;
    h = made("wss://server.test/", NULL);
    CHECK_INT(number_of(CURLOPT_SSLVERSION), CURL_SSLVERSION_TLSv1_2 | (long)CURL_SSLVERSION_MAX_TLSv1_2);
    cw__handshake_destroy(h);
}

static void test_data(void)
{
    cw__data data = {.data = some_pem, .len_bytes = sizeof some_pem - 1};

    for (int with_folder = 0; with_folder < 2; with_folder++) {
        cw__handshake *h;
        wish_nothing();
        wishes.ca_path = with_folder ? "/some/folder" : "";
        wishes.tls = (cw__tls_options){.ca = data};
        wishes.client.data = wishes.client.key_data = data;
        h = made("wss://server.test/", "https://proxy.test:3128");
        CHECK(find(CURLOPT_CAINFO_BLOB) && find(CURLOPT_PROXY_CAINFO_BLOB) && !find(CURLOPT_CAINFO) &&
              !find(CURLOPT_PROXY_CAINFO));
        CHECK_STR(text_of(CURLOPT_CAPATH), with_folder ? "/some/folder" : "(none)");
        CHECK_STR(text_of(CURLOPT_PROXY_CAPATH), with_folder ? "/some/folder" : "(none)");
        CHECK(find(CURLOPT_SSLCERT_BLOB) && find(CURLOPT_SSLKEY_BLOB) && !find(CURLOPT_SSLCERT) &&
              !find(CURLOPT_SSLKEY));
        CHECK_STR(text_of(CURLOPT_SSLCERTTYPE), "PEM");
        cw__handshake_destroy(h);
    }
    wish_nothing();
    wishes.tls.ca = data;
    wishes.ca_file = "/x/ca.pem";
    refuse("wss://server.test/", CW_OPT_CA_DATA, "ca_file and ca_data are both set: unset one of them");
    cw__handshake_destroy(made("ws://server.test/", NULL)); /* without TLS they do not matter */
}

/* libcurl connects to the URI's host, and the request has that host, whatever TLS asks for. */
static void test_server_name(void)
{
    static const struct {
        const char *uri, *name, *url, *connect_to, *host;
    } rows[] = {
        {"wss://server.test/x", "other.test", "wss://other.test/", "::server.test:443", "Host: server.test"},
        {"wss://server.test:443/", "other.test", "wss://other.test:443/", "::server.test:443",
         "Host: server.test"},
        {"wss://u:p@server.test:8443/", "[::1]", "wss://u:p@[::1]:8443/", "::server.test:8443",
         "Host: server.test:8443"},
        {"wss://[::1]:8443/", "b\xc3\xbc.test", "wss://xn--b-eha.test:8443/", "::[::1]:8443",
         "Host: [::1]:8443"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw__handshake *h;
        wish_nothing();
        wishes.tls.server_name = rows[i].name;
        h = made(rows[i].uri, NULL);
        CHECK_STR(text_of(CURLOPT_URL), rows[i].url);
        CHECK(h->connect_to && find(CURLOPT_CONNECT_TO)->is.pointer == h->connect_to);
        CHECK_STR(h->connect_to->data, rows[i].connect_to);
        CHECK_STR(h->headers->data, rows[i].host);
        curl_easy_cleanup(cw__handshake_release_easy(h));
        CHECK(find(CURLOPT_CONNECT_TO)->is.pointer == NULL);
        cw__handshake_destroy(h);
    }
    wish_nothing();
    wishes.tls.server_name = "other.test";
    for (int i = 0; i < 2; i++) {
        cw__handshake *h;
        wishes.request.headers = i ? "X: y\nhost: mine.test\n" : "Hosting: x\n";
        h = made("wss://server.test/", NULL);
        CHECK(strcmp(h->headers->data, "Host: server.test") == 0 ? i == 0 : i == 1); /* the caller's own wins */
        cw__handshake_destroy(h);
    }
    wishes.request.headers = "";
    {
        cw__handshake *h = made("ws://server.test/", NULL); /* without TLS the name does not matter */
        CHECK(!find(CURLOPT_CONNECT_TO) && strcmp(text_of(CURLOPT_URL), "ws://server.test/") == 0);
        cw__handshake_destroy(h);
    }
}

static bool make_named(void *unused)
{
    cw__handshake *h;

    (void)unused;
    setting_count = 0;
    h = cw__handshake_create(&wishes);
    if (!h)
        CHECK_INT(cw__error_status(), CW_NO_MEMORY);
    cw__handshake_destroy(h);
    return h != NULL;
}

static void test_no_memory(void)
{
    static const char text[] = "wss://server.test/";
    char fault[CW__URI_FAULT_BYTES];

    clear_environment();
    wish_nothing();
    CHECK_INT(cw__uri_read(text, sizeof text - 1, &uri, fault), CW__URI_OK);
    wishes.uri = &uri;
    wishes.ca_path = "/some/folder";
    wishes.tls = (cw__tls_options){.server_name = "other.test", .ca = {.data = some_pem, .len_bytes = 5}};
    each_allocation_fails(make_named, NULL);
    append_count = 0;
    for (append_fails_at = 0; !make_named(NULL); append_fails_at++)
        append_count = 0;
    CHECK(append_fails_at >= 3); /* the place to connect to, Host, and the headers of each request */
    append_fails_at = SIZE_MAX;
    cw__uri_destroy(&uri);
}

static void test_refused(void)
{
    wish_nothing();
    wishes.tls.pinned_public_key = PIN;
    refuse("ws://server.test/", CW_OPT_PINNED_PUBLIC_KEY,
           "pinned_public_key is set, and the URI is ws://, which has no key: use wss://, or unset it");
    wishes.tls.pinned_public_key = "/nowhere/key.pem";
    refuse("wss://server.test/", CW_OPT_PINNED_PUBLIC_KEY,
           "pinned_public_key '/nowhere/key.pem' cannot be used: No such file");
    wishes.tls.pinned_public_key = "/proc/self/exe";
    refuse(
        "wss://server.test/", CW_OPT_PINNED_PUBLIC_KEY,
        "pinned_public_key '/proc/self/exe' cannot be used: it is not a public key; write one by `openssl x509 "
        "-in CERTIFICATE -pubkey -noout`");
    wishes.tls = (cw__tls_options){.is_13_least = true, .is_12_most = true};
    refuse("wss://server.test/", CW_OPT_TLS_MAX_VERSION,
           "tls_min_version is 1.3 and tls_max_version is 1.2, so no version is left: raise tls_max_version, "
           "or lower "
           "tls_min_version");
    wishes.tls = (cw__tls_options){.server_name = "a.test"};
    wishes.reach = REACH(.connect_to = "::b:");
    refuse("wss://server.test/", CW_OPT_TLS_SERVER_NAME,
           "tls_server_name and connect_to are both set, and libcurl has one option for both: unset one, or "
           "use resolve "
           "for the address");
}

/* The file of a pin has a key in DER, or in PEM behind anything. */
static void test_pin_files(void)
{
    static const char mark[] = "-----BEGIN PUBLIC KEY-----";
    static const struct {
        const char *start;
        size_t mark_bytes;
        bool is_good;
    } rows[] = {{"", 0, false},    {"0", 0, true},   {"1", 0, false},          {"", sizeof mark - 1, true},
                {"x\n", 26, true}, {"10", 26, true}, {"-----BEGIN", 26, true}, {"", sizeof mark - 2, false},
                {"x", 25, false}};
    char path[] = "/tmp/curlwire-pin-XXXXXX";
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t start_bytes = strlen(rows[i].start);
        cw__handshake *h;
        CHECK(ftruncate(fd, 0) == 0);
        CHECK(pwrite(fd, rows[i].start, start_bytes, 0) == (ssize_t)start_bytes);
        CHECK(pwrite(fd, mark, rows[i].mark_bytes, (off_t)start_bytes) == (ssize_t)rows[i].mark_bytes);
        wish_nothing();
        wishes.tls.pinned_public_key = path;
        h = create("wss://server.test/", NULL);
        CHECK((h != NULL) == rows[i].is_good);
        cw__handshake_destroy(h);
    }
    CHECK(close(fd) == 0 && unlink(path) == 0);
}

/* A TLS library that lacks an option. */
static void test_lacking(void)
{
    static const struct {
        CURLoption option;
        const char *control;
    } rows[] = {{CURLOPT_PINNEDPUBLICKEY, "pinned_public_key"},
                {CURLOPT_SSL_CIPHER_LIST, "tls_ciphers"},
                {CURLOPT_TLS13_CIPHERS, "tls13_ciphers"},
                {CURLOPT_SSL_EC_CURVES, "tls_groups"},
                {CURLOPT_SSL_VERIFYSTATUS, "ocsp_stapling"}};

    wish_nothing();
    version.ssl_version = "NoTLS/1.0";
    wishes.tls = (cw__tls_options){
        .pinned_public_key = PIN, .ciphers = "A", .ciphers13 = "B", .groups = "C", .wants_status = true};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char words[100];
        size_t at = 0;
        fail_at = SIZE_MAX;
        cw__handshake_destroy(made("wss://server.test/", NULL));
        while (settings_made[at].option != rows[i].option)
            at++;
        fail_at = at;
        fail_with = CURLE_NOT_BUILT_IN;
        (void)snprintf(words, sizeof words, "with NoTLS/1.0 has no %s: unset it", rows[i].control);
        refuse("wss://server.test/", CW_OPTION_NONE, words);
        CHECK_INT(cw__error_status(), CW_UNSUPPORTED);
    }
    fail_at = SIZE_MAX;
}

/* A session is resumed only where it replaces no other check than those of the authorities, the name and a pin. */
static void test_resumption(void)
{
    for (int i = 0; i < 10; i++) {
        cw__handshake *h;
        wish_nothing();
        wishes.tls.resumes = i != 1;
        wishes.verify = i != 2;
        wishes.tls.wants_status = i == 3;
        wishes.crl_file = i == 4 ? "/proc/self/exe" : "";
        wishes.asks = i == 5;
        wishes.ignorable = i == 6 ? 1u << CW_CHAIN_InvalidName : 0;
        wishes.client.file = i == 7 ? "/proc/self/exe" : "";
        wishes.tls.pinned_public_key = i == 8 ? NULL : PIN;
        h = made(i == 8 ? "ws://server.test/" : "wss://server.test/", i == 9 ? "https://proxy.test:1" : NULL);
        CHECK_INT(number_of(CURLOPT_SSL_SESSIONID_CACHE), i == 0);
        CHECK_INT(find(CURLOPT_SHARE) != NULL, i == 0);
        if (i == 0)
            CHECK(find(CURLOPT_SHARE)->is.pointer == cw__sessions());
        cw__handshake_destroy(h);
    }
}

#define LIBRARY   " cannot be used: the TLS library of libcurl "
#define NO_STATUS "the certificate of server.test cannot be checked for revocation: "
#define SENT      "the OCSP status that the server sent is "
#define CORRECT   "; correct the stapling at the server, or set ocsp_stapling to false"
#define OR_UPDATE ", or ask whoever runs the server to update it"

static void test_complaints(void)
{
    static const struct {
        CURLcode code;
        const char *text, *words;
        int web_status;
        cw_chain_result chain_result;
        cw_option option;
    } rows[] = {
        {CURLE_SSL_CIPHER, "failed setting cipher list: A",
         "tls_ciphers 'A'" LIBRARY "has none of these ciphers; see the names in `openssl ciphers`",
         CW_WEB_UnexpectedClientError, CW_CHAIN_Success, CW_OPT_TLS_CIPHERS},
        {CURLE_SSL_CIPHER, "failed setting TLS 1.3 cipher suite: B",
         "tls13_ciphers 'B'" LIBRARY "lacks one of these ciphers; see the names in `openssl ciphers -tls1_3`",
         CW_WEB_UnexpectedClientError, CW_CHAIN_Success, CW_OPT_TLS13_CIPHERS},
        {CURLE_SSL_CIPHER, "failed setting curves list: 'C'",
         "tls_groups 'C'" LIBRARY "lacks one of these groups; see the names in `openssl list -tls-groups`",
         CW_WEB_UnexpectedClientError, CW_CHAIN_Success, CW_OPT_TLS_GROUPS},
        {CURLE_SSL_CACERT_BADFILE, "anything", "ca_data cannot be used: it must be PEM certificates",
         CW_WEB_UnexpectedClientError, CW_CHAIN_Success, CW_OPT_CA_DATA},
        {CURLE_SSL_PINNEDPUBKEYNOTMATCH, "SSL: public key does not match pinned public key",
         "the public key of server.test is not the one in pinned_public_key: check that you connect to the "
         "right "
         "server, or pin its new key",
         CW_WEB_CertificateIsInvalid, CW_CHAIN_OtherErrors, CW_OPT_PINNED_PUBLIC_KEY},
        {CURLE_SSL_INVALIDCERTSTATUS, "SSL certificate revocation reason: keyCompromise (1)",
         "the certificate of server.test has been revoked, as the server itself shows (ocsp_stapling): do not "
         "trust it",
         CW_WEB_CertificateRevoked, CW_CHAIN_Revoked, CW_OPT_OCSP_STAPLING},
        {CURLE_SSL_INVALIDCERTSTATUS, "No OCSP response received",
         NO_STATUS
         "the server sent no OCSP status; turn on stapling at the server, or set ocsp_stapling to false",
         CW_WEB_CertificateIsInvalid, CW_CHAIN_RevocationInformationMissing, CW_OPT_OCSP_STAPLING},
        {CURLE_SSL_INVALIDCERTSTATUS, "OCSP response has expired", NO_STATUS SENT "out of date" CORRECT,
         CW_WEB_CertificateIsInvalid, CW_CHAIN_RevocationFailure, CW_OPT_OCSP_STAPLING},
        {CURLE_SSL_INVALIDCERTSTATUS, "Could not find certificate ID in OCSP response",
         NO_STATUS SENT "for another certificate" CORRECT, CW_WEB_CertificateIsInvalid,
         CW_CHAIN_RevocationInformationMissing, CW_OPT_OCSP_STAPLING},
        {CURLE_SSL_INVALIDCERTSTATUS, "OCSP response verification failed",
         NO_STATUS SENT "faulty, or not signed by the authority" CORRECT, CW_WEB_CertificateIsInvalid,
         CW_CHAIN_RevocationFailure, CW_OPT_OCSP_STAPLING},
        {CURLE_SSL_CONNECT_ERROR, "error:0A000410: ssl/tls alert handshake failure",
         "the server server.test refused the TLS handshake: it may share no cipher or group of tls_ciphers "
         "tls13_ciphers tls_groups; allow more in the control, or at the server",
         CW_WEB_CannotConnect, CW_CHAIN_Success, CW_OPT_TLS_CIPHERS},
        {CURLE_SSL_CONNECT_ERROR, "error:0A000102: unsupported protocol",
         "the server server.test does not support TLS 1.3 (tls_min_version): change tls_min_version" OR_UPDATE,
         CW_WEB_CannotConnect, CW_CHAIN_Success, CW_OPT_TLS_MIN_VERSION},
        {CURLE_SSL_CONNECT_ERROR, "error:0A00042E: tlsv1 alert protocol version", "does not support TLS 1.3",
         CW_WEB_CannotConnect, CW_CHAIN_Success, CW_OPT_TLS_MIN_VERSION},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw__handshake *h;
        wish_nothing();
        wishes.tls = (cw__tls_options){.ca = {.data = some_pem, .len_bytes = 5},
                                       .ciphers = "A",
                                       .ciphers13 = "B",
                                       .groups = "C",
                                       .pinned_public_key = PIN,
                                       .wants_status = true,
                                       .is_13_least = true};
        h = made("wss://server.test/", NULL);
        (void)snprintf(h->text, sizeof h->text, "%s", rows[i].text);
        expect_verdict(h, rows[i].code, CW_CONNECT_FAILED, rows[i].web_status, rows[i].words);
        CHECK_INT(error.chain_result, rows[i].chain_result);
        CHECK_INT(error.limit, (int)rows[i].option + 1);
        cw__handshake_destroy(h);
        h = made("wss://server.test/", "https://proxy.test:1");
        (void)snprintf(h->text, sizeof h->text, "%s", rows[i].text);
        CHECK(!cw__handshake_verdict(h, rows[i].code, 0, &error));
        CHECK(error.limit == 0 && error.chain_result == 0);
        cw__handshake_destroy(h);
        wish_nothing(); /* without the controls, and at a proxy, the error is another one */
        h = made("wss://server.test/", NULL);
        (void)snprintf(h->text, sizeof h->text, "%s", rows[i].text);
        CHECK(!cw__handshake_verdict(h, rows[i].code, 0, &error));
        CHECK(!strstr(error.message, "tls_") && !strstr(error.message, "ca_data"));
        CHECK(!strstr(error.message, "ocsp_") && !strstr(error.message, "in the control"));
        cw__handshake_destroy(h);
        wishes.tls = (cw__tls_options){.ciphers = "", .ciphers13 = "", .groups = "", .pinned_public_key = ""};
        h = made("wss://server.test/", NULL);
        CHECK(!cw__tls_options_explain(h, (int)rows[i].code, rows[i].text, &error)); /* nor with empty ones */
        cw__handshake_destroy(h);
    }
    wish_nothing();
    wishes.tls.is_12_most = true;
    {
        cw__handshake *h = made("wss://server.test/", NULL);
        (void)snprintf(h->text, sizeof h->text, "tlsv1 alert protocol version");
        expect_verdict(h, CURLE_SSL_CONNECT_ERROR, CW_CONNECT_FAILED, CW_WEB_CannotConnect,
                       "the server server.test does not support TLS 1.2 (tls_max_version): change "
                       "tls_max_version" OR_UPDATE);
        cw__handshake_destroy(h);
    }
}

/* Whichever option libcurl has no memory for, the connect fails. */
static void test_each_option(void)
{
    size_t count;

    wish_nothing();
    wishes.tls = (cw__tls_options){.pinned_public_key = PIN,
                                   .ciphers = "A",
                                   .ciphers13 = "B",
                                   .groups = "C",
                                   .server_name = "other.test",
                                   .wants_status = true};
    cw__handshake_destroy(made("wss://server.test/", NULL));
    count = setting_count;
    fail_with = CURLE_OUT_OF_MEMORY;
    for (fail_at = 0; fail_at < count; fail_at++) {
        CHECK(create("wss://server.test/", NULL) == NULL);
        CHECK_INT(cw__error_status(), CW_NO_MEMORY);
    }
    fail_at = SIZE_MAX;
}

/* The error names the controls that are set, and no other. */
static void test_one_control(void)
{
    static const struct {
        cw__tls_options options;
        cw_option option;
        const char *words;
    } rows[] = {{{.ciphers = "A"}, CW_OPT_TLS_CIPHERS, "no cipher or group of tls_ciphers; allow"},
                {{.ciphers13 = "A"}, CW_OPT_TLS13_CIPHERS, "no cipher or group of tls13_ciphers; allow"},
                {{.groups = "A"}, CW_OPT_TLS_GROUPS, "no cipher or group of tls_groups; allow"},
                {{.ciphers13 = "A", .groups = "B"},
                 CW_OPT_TLS13_CIPHERS,
                 "no cipher or group of tls13_ciphers tls_groups; allow"}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cw__handshake *h;
        wish_nothing();
        wishes.tls = rows[i].options;
        h = made("wss://server.test/", NULL);
        (void)snprintf(h->text, sizeof h->text, "alert handshake failure");
        expect_verdict(h, CURLE_SSL_CONNECT_ERROR, CW_CONNECT_FAILED, CW_WEB_CannotConnect, rows[i].words);
        CHECK_INT(error.limit, (int)rows[i].option + 1);
        CHECK(!cw__tls_options_explain(h, CURLE_RECV_ERROR, h->text, &error)); /* after the TLS handshake */
        cw__handshake_destroy(h);
    }
}

/* ---- What the log says ---- */

static void test_facts(void)
{
    cw__handshake *h;
    cw__tls_facts facts;

    wish_nothing();
    h = made("wss://server.test/", "https://proxy.test:1");
    log_text(h, CURLINFO_TEXT, "SSL connection using TLSv1.2 / PROXY / x / y\n");
    CHECK_STR(cw__handshake_tls_facts(h).version, ""); /* the proxy's do not count */
    info.connect_code = 200;
    CHECK(line(h, "HTTP/1.1 200 x\r\n") && line(h, "\r\n"));
    CHECK_STR(cw__handshake_tls_facts(h).version, "");
    log_text(h, CURLINFO_TEXT, "SSL reusing session with ALPN '-'\n");
    log_text(h, CURLINFO_TEXT, "SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384 / X25519 / RSASSA-PSS\n");
    log_text(h, CURLINFO_TEXT, "ALPN: server accepted http/1.1\n");
    facts = cw__handshake_tls_facts(h);
    CHECK_STR(facts.version, "TLSv1.3");
    CHECK_STR(facts.cipher, "TLS_AES_256_GCM_SHA384");
    CHECK_STR(facts.alpn, "http/1.1");
    CHECK(facts.is_resumed);
    log_text(h, CURLINFO_SSL_DATA_IN, "\x19 a compressed certificate");
    CHECK(!cw__handshake_tls_facts(h).is_resumed);
    cw__handshake_restart(h, NULL);
    CHECK_STR(cw__handshake_tls_facts(h).version, "");
    h->is_past_proxy = true;
    log_text(h, CURLINFO_TEXT, "ALPN: server confirmed to use 'http/1.1'\n");
    CHECK_STR(cw__handshake_tls_facts(h).alpn, "http/1.1");
    log_text(h, CURLINFO_TEXT, "SSL connection using a form that we do not know");
    log_text(h, CURLINFO_TEXT,
             "SSL connection using TLSv1.3 / "
             "A_CIPHER_WITH_A_NAME_THAT_IS_LONGER_THAN_THE_ROOM_FOR_IT_HERE / x");
    facts = cw__handshake_tls_facts(h);
    CHECK_STR(facts.alpn, "http/1.1");
    CHECK_STR(facts.version, "TLSv1.3");
    CHECK_STR(facts.cipher, "");
    CHECK(!facts.is_resumed);
    cw__handshake_destroy(h);
    h = made("ws://server.test/", "https://proxy.test:1");
    h->is_past_proxy = true;
    log_text(h, CURLINFO_TEXT, "SSL connection using TLSv1.2 / PROXY / x / y\n");
    CHECK_STR(cw__handshake_tls_facts(h).version, "");
    cw__handshake_destroy(h);
}

static void expect_parts(const cw__handshake *h, int64_t look_up, int64_t tcp, int64_t proxy, int64_t tls,
                         int64_t upgrade)
{
    cw_timings t = cw__handshake_timings(h, cw__now_us() - 1000);

    CHECK_INT(t.look_up_us, look_up);
    CHECK_INT(t.tcp_us, tcp);
    CHECK_INT(t.proxy_us, proxy);
    CHECK_INT(t.tls_us, tls);
    CHECK_INT(t.upgrade_us, upgrade);
    CHECK(t.total_us >= 1000);
}

static void test_timings(void)
{
    enum { NONE = CW_TIMING_NONE };
    cw__handshake *h;

    wish_nothing();
    h = made("wss://server.test/", "http://proxy.test:1");
    CHECK_INT(h->moments.begun_us, 0);
    cw__timings_begin(h);
    CHECK(h->moments.begun_us > 0 && h->moments.transfer_us >= h->moments.begun_us);
    expect_parts(h, NONE, NONE, NONE, NONE, NONE);
    h->moments = (cw__moments){.begun_us = 1000, .transfer_us = 1000, .looked_up_us = 1007};
    expect_parts(h, 7, NONE, NONE, NONE, NONE);
    info.connect_us = 20;
    info.appconnect_us = 50; /* TLS to the proxy, while the proxy has not connected us */
    expect_parts(h, 7, 13, NONE, NONE, NONE);
    info.connect_code = 200;
    CHECK(line(h, "HTTP/1.1 200 x\r\n") && line(h, "\r\n"));
    CHECK(h->moments.past_proxy_us > 0 && h->moments.answered_us == 0);
    h->moments.past_proxy_us = 1040;
    expect_parts(h, 7, 13, 20, 10, NONE);
    CHECK(line(h, "HTTP/1.1 101 x\r\n") && line(h, "\r\n"));
    CHECK(h->moments.answered_us > 0);
    h->moments.answered_us = 1100;
    expect_parts(h, 7, 13, 20, 10, 50);
    h->moments.looked_up_us =
        1030; /* a later measurement than libcurl's makes no time negative, and counts once */
    expect_parts(h, 30, 0, 10, 10, 50);
    cw__handshake_restart(h, NULL);
    CHECK_INT(h->moments.begun_us, 0);
    cw__handshake_destroy(h);
    h = made("ws://server.test/", NULL);
    h->moments =
        (cw__moments){.begun_us = 1000, .transfer_us = 1000, .looked_up_us = 1001, .answered_us = 1060};
    expect_parts(h, 1, 19, NONE, NONE, 40); /* no TLS */
    race_state = CW__RACE_WON;
    cw__handshake_restart(h, (cw__race *)&race_state); /* the second transfer of the same connection */
    CHECK_INT(h->moments.begun_us, 1000);
    race_state = CW__RACE_GATHERING;
    cw__handshake_restart(h, (cw__race *)&race_state);
    CHECK_INT(h->moments.begun_us, 0);
    cw__handshake_destroy(h);
    info.connect_us = info.appconnect_us = 0;
}

int main(int argc, char **argv)
{
    static const harness_test tests[] = {
        {"no control is set", test_defaults},
        {"versions, names and pins reach libcurl", test_options},
        {"certificates and keys from memory", test_data},
        {"a name for TLS beside the URI's host", test_server_name},
        {"no memory for a name and data", test_no_memory},
        {"controls that do not fit together", test_refused},
        {"files of a pin", test_pin_files},
        {"a TLS library without an option", test_lacking},
        {"no memory for an option", test_each_option},
        {"which sockets resume sessions", test_resumption},
        {"failures that a control causes", test_complaints},
        {"failures that one of several controls causes", test_one_control},
        {"what libcurl's log says of TLS", test_facts},
        {"the parts of a connect", test_timings},
    };

    return HARNESS_MAIN(argc, argv, tests);
}

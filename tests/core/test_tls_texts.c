/* SPDX-License-Identifier: MIT */
/* Tests of tls_texts.c: which texts the controls of TLS take. */
#include "harness.h"

#define HASH "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define PIN  "sha256//" HASH

static bool takes(cw_option option, const char *text)
{
    return cw__tls_text_check(option, "key", text) == CW_OK;
}

static void test_pins(void)
{
    static const char *const good[] = {PIN,      PIN ";" PIN, "key.pem",       "/x/key.der",
                                       "sha256", "a;b",       "sha-256/" HASH, HASH};
    static const char *const bad[] = {
        "sha256/" HASH,
        "sha256:" HASH,
        "SHA256//" HASH,
        "SHA256:" HASH,
        "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU!",
        "Sha256/x",
        "sha256//",
        PIN ";",
        PIN ";;" PIN,
        PIN " ",
        ";" PIN "x;sha256//",
        PIN "," PIN,
        PIN ";" HASH,
        PIN ";key.pem",
        PIN "=",
        "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF=",   /* a character too few */
        "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFUx=", /* one too many */
        "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",  /* another form of the same bytes */
        "sha256//47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",  /* base64url */
        "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSu==FU", /* = in between */
        "sha256//e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(takes(CW_OPT_PINNED_PUBLIC_KEY, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (bad[i][0] != ';') /* such a text names a file */
            CHECK(!takes(CW_OPT_PINNED_PUBLIC_KEY, bad[i]));
    CHECK(cw__tls_is_pin_list(PIN) && !cw__tls_is_pin_list("sha256.pem"));
}

/* The last character before = carries four bits: exactly 16 of the 64 are its only form. */
static void test_last_character(void)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char pin[] = PIN;
    int good = 0;

    for (size_t i = 0; i < 64; i++) {
        pin[sizeof pin - 3] = base64[i];
        CHECK_INT(takes(CW_OPT_PINNED_PUBLIC_KEY, pin), i % 4 == 0);
        good += takes(CW_OPT_PINNED_PUBLIC_KEY, pin);
    }
    CHECK_INT(good, 16);
}

static void test_names(void)
{
    static const char *const good[] = {"a.example",
                                       "A",
                                       "xn--bcher-kva.example",
                                       "b\xc3\xbc"
                                       "cher.example",
                                       "127.0.0.1",
                                       "[::1]",
                                       "a.example."};
    static const char *const bad[] = {
        "a.example:443", "a:0", "a:",  "wss://a",          "a/",        "a/b",  "a?b", "a#b", "u@a",
        "[::1",          "::1", "a b", "[fe80::1%25eth0]", "[::1]:443", "a%20b"};
    cw__authority a;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(takes(CW_OPT_TLS_SERVER_NAME, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (takes(CW_OPT_TLS_SERVER_NAME, bad[i]))
            HARNESS_FAIL("it takes %s", bad[i]);
    CHECK(cw__tls_read_host("b\xc3\xbc"
                            "cher",
                            &a));
    CHECK_BYTES(a.host, a.host_bytes, "xn--bcher-kva", 13);
}

static void test_lists(void)
{
    static const cw_option options[] = {CW_OPT_TLS_CIPHERS, CW_OPT_TLS13_CIPHERS, CW_OPT_TLS_GROUPS};

    for (size_t i = 0; i < 3; i++) {
        CHECK(takes(options[i], "A:B-C_d!+@SECLEVEL=2~"));
        CHECK(!takes(options[i], "A B") && !takes(options[i], "A\t") && !takes(options[i], "\xc3\xa4") &&
              !takes(options[i], "A\x7f"));
    }
    CHECK(takes(CW_OPT_CA_FILE, "a b:\xc3\xa4")); /* another control */
}

static void test_errors(void)
{
    CHECK(!takes(CW_OPT_PINNED_PUBLIC_KEY, "sha256/x"));
    CHECK_STR(cw_error_message(),
              "key cannot be 'sha256/x': write sha256// and the hash of the key in base64 (44 "
              "characters), with ; between several, or the path of a PEM or DER file");
    CHECK(!takes(CW_OPT_TLS_SERVER_NAME, "a b"));
    CHECK_STR(cw_error_message(),
              "key cannot be 'a b': write a host name or an IP address (IPv6 in [ ]), without "
              "scheme, port and path");
    CHECK(!takes(CW_OPT_TLS_CIPHERS, "a b"));
    CHECK_STR(cw_error_message(),
              "key cannot be 'a b': write names in ASCII, with : between them and without blanks");
}

/* RFC 7568, RFC 8996: words that ask for an old version get a reason. */
static void test_old_versions(void)
{
    static const struct {
        const char *word;
        bool is_old;
    } rows[] = {{"1.0", true},  {"1.1", true},  {"TLSv1.1", true}, {"1.0x", true},
                {"1.1x", true}, {"SSL", true},  {"SSLv3", true},   {"xSSL", true},
                {"1.2", false}, {"1.3", false}, {"TLSv1", false},  {"ssl", false},
                {"SSX", false}, {"", false},    {"1.", false},     {"x1.", false}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].word);
        char *exact = malloc(len + 1);
        const char *fault;
        CHECK(exact != NULL);
        memcpy(exact + 1, rows[i].word, len);
        fault = cw__tls_version_fault(exact + 1, len);
        if (rows[i].is_old)
            CHECK_STR(fault, "SSL, TLS 1.0 and TLS 1.1 are not secure (RFC 7568, RFC 8996)");
        else
            CHECK(fault == NULL);
        free(exact);
    }
    CHECK(cw__tls_version_fault("1.0", 2) == NULL); /* only so much of the word */
}

int main(int argc, char **argv)
{
    static const harness_test tests[] = {{"pinned_public_key takes hashes and files", test_pins},
                                         {"a hash has one form", test_last_character},
                                         {"tls_server_name takes a host", test_names},
                                         {"lists of names are ASCII", test_lists},
                                         {"the errors say what to write", test_errors},
                                         {"RFC 8996: old versions of TLS", test_old_versions}};

    return HARNESS_MAIN(argc, argv, tests);
}

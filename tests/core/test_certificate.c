/* SPDX-License-Identifier: MIT */
/* Tests of certificate.c: the certificates in a message of a TLS handshake, and the facts in a certificate. */
#include "harness.h"

#include "protocol/protocol.h"

/* An Ed25519 certificate with names of every kind, some of them made to confuse a reader. */
static const char sample[] =
    "\x30\x82\x01\x9e\x30\x82\x01\x50\xa0\x03\x02\x01\x02\x02\x03\x00\x80\xab\x30\x05\x06\x03\x2b\x65"
    "\x70\x30\x1d\x31\x1b\x30\x09\x06\x03\x55\x04\x0b\x0c\x02\x5c\x78\x30\x0e\x06\x03\x55\x04\x03\x0c"
    "\x07\x62\xc3\xbc\x63\x68\x65\x72\x30\x20\x17\x0d\x32\x36\x30\x31\x30\x32\x30\x33\x30\x34\x30\x35"
    "\x5a\x18\x0f\x32\x30\x35\x31\x30\x36\x30\x37\x30\x38\x30\x39\x31\x30\x5a\x30\x4a\x31\x0b\x30\x09"
    "\x06\x03\x55\x04\x06\x13\x02\x44\x45\x31\x11\x30\x0f\x06\x03\x55\x04\x0a\x0c\x08\x20\x41\x2c\x20"
    "\x22\x42\x22\x0a\x31\x11\x30\x0f\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01\x0c\x01\x78\x31"
    "\x15\x30\x13\x06\x03\x55\x04\x03\x1e\x0c\x00\x62\x00\xfc\x00\x63\x00\x68\x00\x65\x00\x72\x30\x2a"
    "\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x3b\x6a\x27\xbc\xce\xb6\xa4\x2d\x62\xa3\xa8\xd0\x2a\x6f"
    "\x0d\x73\x65\x32\x15\x77\x1d\xe2\x43\xa6\x3a\xc0\x48\xa1\x8b\x59\xda\x29\xa3\x81\x83\x30\x81\x80"
    "\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00\x30\x70\x06\x03\x55\x1d\x11\x04\x69\x30"
    "\x67\x82\x09\x61\x2e\x65\x78\x61\x6d\x70\x6c\x65\x82\x0b\x2a\x2e\x62\x2e\x65\x78\x61\x6d\x70\x6c"
    "\x65\x87\x04\xc0\x00\x02\x01\x87\x10\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\xff\x00\x00"
    "\x01\x81\x0b\x6a\x40\x61\x2e\x65\x78\x61\x6d\x70\x6c\x65\x86\x1b\x68\x74\x74\x70\x73\x3a\x2f\x2f"
    "\x61\x2e\x65\x78\x61\x6d\x70\x6c\x65\x2f\x0a\x44\x4e\x53\x3a\x65\x76\x69\x6c\xa0\x0b\x06\x03\x2a"
    "\x03\x04\xa0\x04\x0c\x02\x7a\x7a\x30\x05\x06\x03\x2b\x65\x70\x03\x41\x00\x7c\x56\x51\x6a\xbd\xa2"
    "\x07\x05\x07\x25\x47\xb5\x6b\xcc\xb9\xec\x5d\xe0\x9d\x69\x4e\xf5\xa7\x4b\x17\x67\x33\xa6\xe2\x46"
    "\x40\xa8\x82\x0b\x90\xf3\x9c\xa4\xd1\x7b\x11\x9e\x9d\x2f\xc2\x07\xbf\xbf\x90\x7b\xd7\x50\x1a\x5f"
    "\x6e\xcb\xcf\xbb\xfe\xd0\xf8\x20\xb2\x01";
enum { SAMPLE_BYTES = sizeof sample - 1, TEXT_BYTES = 2048 };

static const char *fact_of(const void *der, size_t der_bytes, cw_certificate_fact fact)
{
    static char text[TEXT_BYTES];
    size_t len_bytes = 99;
    void *exact = malloc(der_bytes + 1); /* so that a sanitizer reports a read beyond the end */

    CHECK(exact != NULL);
    memcpy((char *)exact + 1, der, der_bytes);
    memset(text, '!', sizeof text);
    cw_certificate_get((char *)exact + 1, der_bytes, fact, text, sizeof text, &len_bytes);
    free(exact);
    CHECK_INT(strlen(text), len_bytes);
    return text;
}

static const char *fact(cw_certificate_fact fact) { return fact_of(sample, SAMPLE_BYTES, fact); }

static void test_facts(void)
{
    CHECK_STR(fact(CW_CERTIFICATE_SUBJECT),
              "C=DE,O=\\20A\\2c \\22B\\22\\0a,0.9.2342.19200300.100.1.1=x,CN=#1e0c006200fc0063006800650072");
    CHECK_STR(fact(CW_CERTIFICATE_ISSUER), "OU=\\5cx+CN=b\xc3\xbc"
                                           "cher");
    CHECK_STR(fact(CW_CERTIFICATE_SERIAL_NUMBER), "80ab");
    CHECK_STR(fact(CW_CERTIFICATE_VALID_FROM), "2026-01-02T03:04:05Z");
    CHECK_STR(fact(CW_CERTIFICATE_VALID_TO), "2051-06-07T08:09:10Z");
    CHECK_STR(fact(CW_CERTIFICATE_SUBJECT_ALTERNATIVE_NAMES),
              "DNS:a.example\nDNS:*.b.example\nIP:192.0.2.1\nIP:2001:db8:0:0:0:0:ff00:1\nemail:j@a.example\n"
              "URI:https://a.example/\\0aDNS:evil");
    CHECK_STR(fact(CW_CERTIFICATE_SHA1_FINGERPRINT), "4fb6af317af11f7740a402038066f725599c7eb9");
    CHECK_STR(fact(CW_CERTIFICATE_SHA256_FINGERPRINT),
              "aedf53d44678ba1c425d515d81ba3ceb612b5667b40f345959c3684604e7d716");
    CHECK(strncmp(fact(CW_CERTIFICATE_PEM), "-----BEGIN CERTIFICATE-----\nMIIBnjCCAVCgAwIBAgIDAICrMAUGAytlcDAd",
                  62) == 0);
    CHECK(strstr(fact(CW_CERTIFICATE_PEM), "+CCyAQ==\n-----END CERTIFICATE-----\n"));
    CHECK_STR(fact(CW_CERTIFICATE_FACT_COUNT), "");
}

static void test_keys(void)
{
    CHECK_STR(cw_certificate_key(CW_CERTIFICATE_SUBJECT), "subject");
    CHECK_STR(cw_certificate_key(CW_CERTIFICATE_PEM), "pem");
    CHECK(!cw_certificate_key(CW_CERTIFICATE_FACT_COUNT) && !cw_certificate_key((cw_certificate_fact)-1));
    CHECK_STR(cw_chain_result_name(CW_CHAIN_InvalidName), "InvalidName");
    CHECK(!cw_chain_result_name(14));
}

static void test_short_buffers(void)
{
    char text[4] = "!!!";
    size_t len_bytes = 0;

    cw_certificate_get(sample, SAMPLE_BYTES, CW_CERTIFICATE_SERIAL_NUMBER, NULL, 0, &len_bytes);
    CHECK_INT(len_bytes, 4);
    cw_certificate_get(sample, SAMPLE_BYTES, CW_CERTIFICATE_SERIAL_NUMBER, text, sizeof text, &len_bytes);
    CHECK_INT(len_bytes, 4);
    CHECK_STR(text, "80a");
}

/* Every beginning of a certificate, and one with a byte too many, is malformed, so it has no facts. */
static void test_malformed(void)
{
    char longer[SAMPLE_BYTES + 1] = "";

    for (size_t len = 0; len < SAMPLE_BYTES; len++)
        CHECK_STR(fact_of(sample, len, CW_CERTIFICATE_SUBJECT), "");
    memcpy(longer, sample, SAMPLE_BYTES);
    CHECK_STR(fact_of(longer, sizeof longer, CW_CERTIFICATE_SUBJECT), "");
    CHECK_STR(fact_of("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 48,
                      CW_CERTIFICATE_PEM), /* exactly one line */
              "-----BEGIN CERTIFICATE-----\n"
              "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\n"
              "-----END CERTIFICATE-----\n");
    CHECK_STR(fact_of("junk", 4, CW_CERTIFICATE_SHA1_FINGERPRINT), "c911297212d955d650502555d84de2c922b6e4f9");
}

/* An extension with the identifier 2.37.29.17, which is 2.5.29.17 if letters are compared without regard to case. */
static void test_other_extension(void)
{
    char changed[SAMPLE_BYTES];
    char *at = changed;

    memcpy(changed, sample, SAMPLE_BYTES);
    while (memcmp(at, "\x55\x1d\x11", 3) != 0)
        at++;
    *at = 0x75;
    CHECK_STR(fact_of(changed, sizeof changed, CW_CERTIFICATE_SUBJECT_ALTERNATIVE_NAMES), "");
}

/* Changes the time of the beginning, and returns what is then shown. */
static const char *from(const char *digits)
{
    char changed[SAMPLE_BYTES];
    char *at = changed;

    memcpy(changed, sample, SAMPLE_BYTES);
    while (memcmp(at, "260102030405Z", 13) != 0)
        at++;
    memcpy(at, digits, 13);
    return fact_of(changed, sizeof changed, CW_CERTIFICATE_VALID_FROM);
}

static void test_times(void)
{
    static const char *const bad[] = {"260002030405Z", "261302030405Z", "260100030405Z", "260132030405Z",
                                      "260102240405Z", "260102036005Z", "260102030460Z", "2601020304050",
                                      "26010203040/Z", "26010203040:Z"};

    CHECK_STR(from("491231235959Z"), "2049-12-31T23:59:59Z");
    CHECK_STR(from("500101000000Z"), "1950-01-01T00:00:00Z");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_STR(from(bad[i]), "");
}

/* ---- The message of the handshake ---- */

static bool find(const char *message, size_t len_bytes, size_t number, const char *wanted)
{
    const uint8_t *der = NULL;
    size_t der_bytes = 0;
    char *exact = malloc(len_bytes + 1);
    bool is_found;

    CHECK(exact != NULL);
    memcpy(exact + 1, message, len_bytes);
    is_found = cw__chain_find(exact + 1, len_bytes, number, &der, &der_bytes);
    if (is_found)
        CHECK_BYTES(der, der_bytes, wanted, strlen(wanted));
    free(exact);
    return is_found;
}

#define TLS_1_2                    \
    "\x0b\0\0\x0c\0\0\x09\0\0\x01" \
    "a"                            \
    "\0\0\x02"                     \
    "bc"
#define TLS_1_3                      \
    "\x0b\0\0\x13\0\0\0\x0f\0\0\x01" \
    "a"                              \
    "\0\x02"                         \
    "xy"                             \
    "\0\0\x02"                       \
    "bc"                             \
    "\0\0"

static void test_chain(void)
{
    CHECK(find(TLS_1_2, sizeof TLS_1_2 - 1, 0, "a") && find(TLS_1_2, sizeof TLS_1_2 - 1, 1, "bc"));
    CHECK(find(TLS_1_3, sizeof TLS_1_3 - 1, 0, "a") && find(TLS_1_3, sizeof TLS_1_3 - 1, 1, "bc"));
    CHECK(!find(TLS_1_2, sizeof TLS_1_2 - 1, 2, "") && !find(TLS_1_3, sizeof TLS_1_3 - 1, 2, ""));
    for (size_t len = 0; len < sizeof TLS_1_2 - 1; len++)
        CHECK(!find(TLS_1_2, len, 0, ""));
    for (size_t len = 0; len < sizeof TLS_1_3 - 1; len++)
        CHECK(!find(TLS_1_3, len, 0, ""));
}

static void test_bad_chain(void)
{
    CHECK(!find("\x0c\0\0\x07\0\0\x04\0\0\x01"
                "a",
                11, 0, "")); /* another message */
    CHECK(!find("\x0b\0\0\x07\0\0\x05\0\0\x01"
                "a",
                11, 0, ""));                      /* the list is shorter than its length */
    CHECK(!find("\x0b\0\0\x03\0\0\0", 7, 0, "")); /* an empty list */
    CHECK(!find("\x0b\0\0\x07\0\0\x04\0\0\x02"
                "a",
                11, 0, "")); /* a certificate is cut */
    CHECK(!find("\x0b\0\0\x08\x01\0\0\x04\0\0\x01"
                "a",
                12, 0, "")); /* a client's answer to a request */
    CHECK(!find("\x0b\0\0\x08\0\0\0\x04\0\0\x01"
                "a",
                12, 0, "")); /* no extensions */
}

/* Returns the position of some bytes in the sample. */
static size_t position_of(const char *bytes, size_t len_bytes)
{
    const char *found = memmem(sample, SAMPLE_BYTES, bytes, len_bytes);

    CHECK(found != NULL);
    return (size_t)(found - (const char *)sample);
}

/* A certificate that is malformed in one place has no fact at all, also none of the places before. */
static void test_malformed_inside(void)
{
    size_t san = position_of("\x06\x03\x55\x1d\x11\x04", 6), start = position_of("\xa0\x03\x02\x01\x02\x02", 6);
    size_t extensions = san, positions[16], count = 0;
    uint8_t copy[SAMPLE_BYTES];

    while (((const uint8_t *)sample)[extensions] != 0xa3) /* [3] */
        extensions--;
    positions[count++] = start + 5;      /* the tag of the serial number */
    positions[count++] = start + 6;      /* its length */
    positions[count++] = extensions + 1; /* the length of the extensions */
    positions[count++] =
        extensions + (((const uint8_t *)sample)[extensions + 1] > 0x80 ? 3 : 2); /* the list in them */
    positions[count++] = san - 2;                                                /* the tag of an extension */
    positions[count++] = san;                                                    /* the tag of its OID */
    positions[count++] = san + 5;                                                /* the tag of its value */
    positions[count++] = san + 7; /* the tag of the names in it */
    for (size_t i = 0; i < count; i++) {
        memcpy(copy, sample, SAMPLE_BYTES);
        copy[positions[i]] = 0x85; /* no tag that is wanted, and no length that is taken */
        CHECK_STR(fact_of(copy, SAMPLE_BYTES, CW_CERTIFICATE_SERIAL_NUMBER), "");
        CHECK_STR(fact_of(copy, SAMPLE_BYTES, CW_CERTIFICATE_SUBJECT), "");
    }
}

/* Returns a fact of the sample in which one byte is another one: that at offset in the bytes that are given. */
static const char *fact_changed(cw_certificate_fact fact, const char *bytes, size_t len_bytes, size_t offset,
                                int to)
{
    char changed[SAMPLE_BYTES];

    memcpy(changed, sample, SAMPLE_BYTES);
    changed[position_of(bytes, len_bytes) + offset] = (char)to;
    return fact_of(changed, SAMPLE_BYTES, fact);
}

#define OU "\x06\x03\x55\x04\x0b\x0c\x02\x5c\x78"
#define BUECHER    \
    "CN=b\xc3\xbc" \
    "cher"
#define IP "\x87\x04\xc0\x00\x02\x01"

static void test_changed(void)
{
    static const struct {
        int first;
        const char *start;
    } arcs[] = {{0, "0.0"}, {39, "0.39"}, {40, "1.0"}, {42, "1.2"}, {79, "1.39"}, {80, "2.0"}, {119, "2.39"}};
    char text[64];

    for (size_t i = 0; i < sizeof arcs / sizeof *arcs; i++) { /* the first byte of an OID has two numbers */
        (void)snprintf(text, sizeof text, "%s.4.11=\\5cx+" BUECHER, arcs[i].start);
        CHECK_STR(fact_changed(CW_CERTIFICATE_ISSUER, OU, 9, 2, arcs[i].first), text);
    }
    CHECK_STR(fact_changed(CW_CERTIFICATE_ISSUER, OU, 9, 4, 5), "2.5.4.5=\\5cx+" BUECHER);
    CHECK_STR(fact_changed(CW_CERTIFICATE_ISSUER, OU, 9, 8, ' '), "OU=\\5c\\20+" BUECHER);
    for (int tag = 0x10; tag < 0x1f; tag++) { /* PrintableString and IA5String are shown as text */
        bool is_text = tag == 0x13 || tag == 0x16;
        (void)snprintf(text, sizeof text, "OU=#%02x025c78+" BUECHER, (unsigned)tag);
        CHECK_STR(fact_changed(CW_CERTIFICATE_ISSUER, OU, 9, 5, tag), is_text ? "OU=\\5cx+" BUECHER : text);
    }
    CHECK(strstr(fact_changed(CW_CERTIFICATE_SUBJECT_ALTERNATIVE_NAMES, IP, 6, 0, 0x82),
                 "\nDNS:\\c0\\00\\02\\01\nIP:2001:"));
    CHECK(
        strstr(fact_changed(CW_CERTIFICATE_SUBJECT_ALTERNATIVE_NAMES, IP, 6, 0, 0x88), "b.example\nIP:2001:"));
    CHECK_STR(fact_changed(CW_CERTIFICATE_SUBJECT, "\x17\x0d\x32\x36", 4, 0, 0x1f),
              ""); /* a tag of two bytes */
}

/* ---- Certificates that are made here ---- */

#define BYTES(text) (text), sizeof(text) - 1

/* Returns the begin of the validity of a certificate whose serial number, subject and rest are these DER values; "" if it is
 * malformed. Nothing looks at its signature. */
static const char *made_of(const char *serial, size_t serial_bytes, const char *rest, size_t rest_bytes)
{
    static const char middle[] = "\x30\x00" /* algorithm */
                                 "\x30\x00" /* issuer */
                                 "\x30\x1e\x17\x0d"
                                 "260102030405Z"
                                 "\x17\x0d"
                                 "270102030405Z";
    size_t body_bytes = serial_bytes + sizeof middle - 1 + rest_bytes, at = 0;
    char der[600];

    CHECK(body_bytes + 8 <= sizeof der);
    der[at++] = 0x30;
    der[at++] = (char)0x82;
    der[at++] = (char)((body_bytes + 4) >> 8);
    der[at++] = (char)(body_bytes + 4);
    der[at++] = 0x30;
    der[at++] = (char)0x82;
    der[at++] = (char)(body_bytes >> 8);
    der[at++] = (char)body_bytes;
    memcpy(der + at, serial, serial_bytes);
    at += serial_bytes;
    memcpy(der + at, middle, sizeof middle - 1);
    at += sizeof middle - 1;
    memcpy(der + at, rest, rest_bytes);
    return fact_of(der, at + rest_bytes, CW_CERTIFICATE_VALID_FROM);
}

#define SERIAL BYTES("\x02\x01\x05")
#define REST   BYTES("\x30\x00\x30\x00") /* subject and key */

/* X.690 section 8.1.3: a length is one byte up to 127, or has 1 to 3 bytes. More, and a length without end, are refused. */
static void test_lengths(void)
{
    static const char good[] = "2026-01-02T03:04:05Z";
    char serial[140];

    CHECK_STR(made_of(SERIAL, REST), good);
    CHECK_STR(made_of(BYTES("\x02\x81\x01\x05"), REST), good);
    CHECK_STR(made_of(BYTES("\x02\x82\x00\x01\x05"), REST), good);
    CHECK_STR(made_of(BYTES("\x02\x83\x00\x00\x01\x05"), REST), good);
    CHECK_STR(made_of(BYTES("\x02\x84\x00\x00\x00\x01\x05"), REST), "");
    CHECK_STR(made_of(BYTES("\x02\x80"), REST), "");
    memset(serial, 5, sizeof serial);
    serial[0] = 2;
    serial[1] = 127;
    CHECK_STR(made_of(serial, 2 + 127, REST), good);
    serial[1] = (char)0x80;
    CHECK_STR(made_of(serial, 2 + 128, REST), "");
}

/* Subject and key are in each certificate. Other values may follow, and only extensions are read. */
static void test_rest(void)
{
    cw__certificate_names names;

    CHECK_STR(made_of(SERIAL, BYTES("\x30\x00")), "");
    CHECK_STR(made_of(SERIAL, BYTES("\x31\x00\x30\x00")), "");
    CHECK_STR(made_of(SERIAL, BYTES("\x30\x00\x30\x00\x81\x01\x00")), "2026-01-02T03:04:05Z");
    CHECK_STR(made_of(SERIAL, BYTES("\x30\x00\x30\x00\xa3\x01\x00")), "");
    CHECK(cw__certificate_read_names(sample, SAMPLE_BYTES, &names));
    CHECK(!cw__certificate_read_names(sample, SAMPLE_BYTES - 1, &names));
    CHECK(!cw__certificate_read_names("", 0, &names));
}

static const harness_test tests[] = {
    {"RFC 5280: the facts", test_facts},
    {"keys and names", test_keys},
    {"short buffers", test_short_buffers},
    {"malformed certificates", test_malformed},
    {"RFC 5280 4.1.2.5: times", test_times},
    {"RFC 8446 4.4.2: the chain", test_chain},
    {"malformed in one place", test_malformed_inside},
    {"names with other types, tags and OIDs", test_changed},
    {"X.690 8.1.3: lengths", test_lengths},
    {"what follows the validity", test_rest},
    {"malformed chains", test_bad_chain},
    {"an extension that is not the names", test_other_extension},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

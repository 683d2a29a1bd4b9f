/* SPDX-License-Identifier: MIT */
/* Tests of redirect.c: the URI that a Location leads to, the origin, and the headers that another origin may get. */
#include "harness.h"

typedef struct row {
    const char *location, *result; /* the URI, or words of the fault after "!" */
    bool leaves;                   /* the origin */
} row;

static cw__redirect_result redirect(const char *base, const char *location, cw__redirect *to,
                                    char fault[CW__URI_FAULT_BYTES])
{
    static char lines[CW__URI_AT_MOST + 64];
    cw__redirect_result result;
    cw__uri from;

    (void)snprintf(lines, sizeof lines, "Server: x\r\nlocation: %s\r\nX: y\r\n", location);
    CHECK_INT(cw__uri_read(base, strlen(base), &from, fault), CW__URI_OK);
    result = cw__redirect_read(lines, &from, to, fault);
    cw__uri_destroy(&from);
    return result;
}

static void check_row(const char *base, const row *r)
{
    char fault[CW__URI_FAULT_BYTES] = "";
    cw__redirect to;
    cw__redirect_result result = redirect(base, r->location, &to, fault);

    if (*r->result == '!') {
        if (result != CW__REDIRECT_BAD || !strstr(fault, r->result + 1))
            HARNESS_FAIL("%s: %d, %s, wanted %s", r->location, (int)result, fault, r->result);
        atomic_fetch_add(&harness_checks, 1);
        return;
    }
    if (result != CW__REDIRECT_OK)
        HARNESS_FAIL("%s: %d, %s", r->location, (int)result, fault);
    CHECK_STR(to.text, r->result);
    CHECK_INT(to.is_same_origin, !r->leaves);
    cw__redirect_destroy(&to);
}

#define CHECK_ROWS(base, rows)                                 \
    for (size_t i = 0; i < sizeof(rows) / sizeof *(rows); i++) \
    check_row(base, &(rows)[i])

/* RFC 3986 section 5.4, without the URIs of other schemes and with fragments cut off. */
static void test_examples(void)
{
    static const row rows[] = {
        {"g", "ws://a/b/c/g", false},
        {"./g", "ws://a/b/c/g", false},
        {"g/", "ws://a/b/c/g/", false},
        {"/g", "ws://a/g", false},
        {"//g", "ws://g/", true},
        {"?y", "ws://a/b/c/d;p?y", false},
        {"g?y", "ws://a/b/c/g?y", false},
        {"#s", "ws://a/b/c/d;p?q", false},
        {"g#s", "ws://a/b/c/g", false},
        {"g?y#s", "ws://a/b/c/g?y", false},
        {";x", "ws://a/b/c/;x", false},
        {"g;x", "ws://a/b/c/g;x", false},
        {"g;x?y#s", "ws://a/b/c/g;x?y", false},
        {"", "ws://a/b/c/d;p?q", false},
        {".", "ws://a/b/c/", false},
        {"./", "ws://a/b/c/", false},
        {"..", "ws://a/b/", false},
        {"../", "ws://a/b/", false},
        {"../g", "ws://a/b/g", false},
        {"../..", "ws://a/", false},
        {"../../", "ws://a/", false},
        {"../../g", "ws://a/g", false},
        {"../../../g", "ws://a/g", false},
        {"../../../../g", "ws://a/g", false},
        {"/./g", "ws://a/g", false},
        {"/../g", "ws://a/g", false},
        {"g.", "ws://a/b/c/g.", false},
        {".g", "ws://a/b/c/.g", false},
        {"g..", "ws://a/b/c/g..", false},
        {"..g", "ws://a/b/c/..g", false},
        {"./../g", "ws://a/b/g", false},
        {"./g/.", "ws://a/b/c/g/", false},
        {"g/./h", "ws://a/b/c/g/h", false},
        {"g/../h", "ws://a/b/c/h", false},
        {"g;x=1/./y", "ws://a/b/c/g;x=1/y", false},
        {"g;x=1/../y", "ws://a/b/c/y", false},
        {"g?y/./x", "ws://a/b/c/g?y/./x", false},
        {"g?y/../x", "ws://a/b/c/g?y/../x", false},
        {"http:g", "!a scheme and no host", false},
    };

    CHECK_ROWS("ws://a/b/c/d;p?q", rows);
}

static void test_absolute(void)
{
    static const row rows[] = {
        {"http://a.example/x", "ws://a.example/x", false},
        {"HTTP://A.EXAMPLE:80/x", "ws://A.EXAMPLE:80/x", false},
        {"ws://a.example", "ws://a.example/", false},
        {"ws://a.example?q", "ws://a.example/?q", false},
        {"ws://a.example:/x", "ws://a.example:/x", false},
        {"https://a.example/x", "wss://a.example/x", true},
        {"wss://a.example:80/x", "wss://a.example:80/x", true},
        {"ws://a.example:8080/", "ws://a.example:8080/", true},
        {"ws://a.example./", "ws://a.example./", true},
        {"ws://b.example/..//a.example/./x", "ws://b.example//a.example/x", true},
        {"http://a.example@b.example/", "!a user name or a password", false},
        {"//@b.example/", "!a user name or a password", false},
        {"http://b.example/@a.example", "ws://b.example/@a.example", true},
        {"http:///b.example/", "!has no host", false},
        {"http:\\\\b.example/", "!a scheme and no host", false},
        {"/\\b.example/", "!character \\", false},
        {"\\\\b.example/", "!character \\", false},
        {"http://b.example\\@a.example/", "!a user name or a password", false},
        {"http://b.example\\.a.example/", "!character \\", false},
        {"http://b%2eexample/", "!contains a %", false},
        {"http://b.example:99999/", "!port", false},
        {"ftp://b.example/", "!neither ws, wss, http nor https", false},
        {"javascript:alert(1)", "!neither ws, wss, http nor https", false},
        {"file:///etc/passwd", "!neither ws, wss, http nor https", false},
        {"httpss://b.example/", "!neither ws, wss, http nor https", false},
        {"1http://b.example/", "ws://a.example/p/1http://b.example/", false},
        /* RFC 3986 section 3.1: a scheme is a letter, and letters, digits, +, - and . */
        {"A:x", "!neither ws", false},
        {"Z:x", "!neither ws", false},
        {"z:x", "!neither ws", false},
        {"a0:x", "!neither ws", false},
        {"a9:x", "!neither ws", false},
        {"a+:x", "!neither ws", false},
        {"a-:x", "!neither ws", false},
        {"a.:x", "!neither ws", false},
        {"{:x", "ws://a.example/p/{:x", false},
        {"[:x", "ws://a.example/p/[:x", false},
        {"a!:x", "ws://a.example/p/a!:x", false},
        {"//", "!has no host", false},
        {"?", "ws://a.example/p/x?", false},
        {"/\001", "!control character 0x01", false},
        {"ws://a.example:8/", "ws://a.example:8/", true},
        {"ws://a.example:0/", "ws://a.example:0/", true},
        {"/a b", "!a space", false},
        {"/\xff", "!not UTF-8", false},
        {"/\xc3\xa4?\xc3\xa4", "ws://a.example/\xc3\xa4?\xc3\xa4", false},
        {"/%zz", "!two hex digits", false},
        {"http://b\xc3\xbc"
         "cher.example/",
         "ws://b\xc3\xbc"
         "cher.example/",
         true},
    };

    CHECK_ROWS("ws://a.example/p/x?token", rows);
}

/* Never from wss to ws. Everything else of a wss URI stays wss. */
static void test_plain(void)
{
    static const row rows[] = {{"https://a/x", "wss://a/x", false},
                               {"wss://a:443/x", "wss://a:443/x", false},
                               {"//a/x", "wss://a/x", false},
                               {"x", "wss://a/x", false},
                               {"https://a:8443/", "wss://a:8443/", true}};
    static const char *const plain[] = {"ws://a/", "http://a:443/", "HTTP://b/"};
    char fault[CW__URI_FAULT_BYTES];
    cw__redirect to;

    CHECK_ROWS("wss://a/", rows);
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        CHECK_INT(redirect("wss://a/", plain[i], &to, fault), CW__REDIRECT_TO_PLAIN);
        CHECK(to.text && strncmp(to.text, "ws://", 5) == 0);
        cw__redirect_destroy(&to);
    }
}

/* The user name and password of the URI stay with its origin, and are in no text. */
static void test_user(void)
{
    static const struct {
        const char *location;
        bool keeps;
    } rows[] = {{"/x", true},           {"?x", true},
                {"ws://a:80/x", true},  {"http://A/x", true},
                {"//b/x", false},       {"wss://a/x", false},
                {"ws://a:81/x", false}, {"ws://a.a/", false},
                {"ws://b/", false},     {"https://a:80/", false}};
    char fault[CW__URI_FAULT_BYTES];
    cw__redirect to;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_INT(redirect("ws://us%65r:s%2Fcret@a/?q", rows[i].location, &to, fault), CW__REDIRECT_OK);
        CHECK_INT(to.is_same_origin, rows[i].keeps);
        CHECK(!strstr(to.text, "cret") && !strchr(to.text, '@'));
        if (rows[i].keeps)
            CHECK_STR(to.uri.prefix, "ws://us%65r:s%2Fcret@");
        else
            CHECK(!strchr(to.uri.prefix, '@'));
        cw__redirect_destroy(&to);
    }
    CHECK_INT(redirect("wss://u:p@host/", "/x", &to, fault), CW__REDIRECT_OK);
    CHECK_STR(to.uri.prefix, "wss://u:p@");
    CHECK_STR(to.uri.host, "host");
    CHECK_STR(to.uri.target, "/x");
    cw__redirect_destroy(&to);
}

/* Long parts, one at a time (AddressSanitizer). */
static void test_long_parts(void)
{
#define D60 "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
    static const row long_path = {"g", "wss://a/" D60 "/g", false},
                     long_query = {"?" D60, "wss://a/?" D60, false},
                     long_host = {"//" D60 "/x", "wss://" D60 "/x", true},
                     long_zone = {"/x", "wss://[fe80::1%25abcdefghijklmno]:65535/x", false};

    check_row("wss://a/" D60 "/x", &long_path);
    check_row("wss://a/", &long_query);
    check_row("wss://a/", &long_host);
    check_row("wss://[fe80::1%25abcdefghijklmno]:65535/", &long_zone);
}

/* An IPv6 address keeps its zone, and another zone is another host. */
static void test_zone(void)
{
    static const row rows[] = {{"/x", "ws://[fe80::1%25eth0]:90/x", false},
                               {"ws://[fe80::1%25eth0]:90/", "ws://[fe80::1%25eth0]:90/", false},
                               {"ws://[fe80::1%25eth1]:90/", "ws://[fe80::1%25eth1]:90/", true},
                               {"ws://[fe80::1%25ETH0]:90/", "ws://[fe80::1%25ETH0]:90/", true},
                               {"ws://[fe80::1]:90/", "ws://[fe80::1]:90/", true},
                               {"//[::1", "!IPv6", false}};

    CHECK_ROWS("ws://[fe80::1%25eth0]:90/", rows);
}

static void test_location(void)
{
    static const struct {
        const char *lines, *fault;
    } rows[] = {{"", "no header Location"},
                {"X-Location: /\r\nLocation2: /\r\n", "no header Location"},
                {"Locatiom: /\r\nRelocate: /\r\n", "no header Location"},
                {"Location: /a\r\nlocation: /a\r\n", "more than one header Location"}};
    char fault[CW__URI_FAULT_BYTES];
    cw__redirect to;
    cw__uri from;

    CHECK_INT(cw__uri_read("ws://a/", 7, &from, fault), CW__URI_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(&to, 0xff, sizeof to); /* the call sets it also if it fails */
        CHECK_INT(cw__redirect_read(rows[i].lines, &from, &to, fault), CW__REDIRECT_BAD);
        if (!strstr(fault, rows[i].fault))
            CHECK_STR(fault, rows[i].fault);
        CHECK(!to.text && !to.uri.text);
    }
    CHECK_INT(cw__redirect_read("Location: \r\n", &from, &to, fault), CW__REDIRECT_OK);
    CHECK_STR(to.text, "ws://a/");
    cw__redirect_destroy(&to);
    cw__uri_destroy(&from);
}

/* A Location cannot make the URI longer than a program may make it. */
static void test_length(void)
{
    static char location[CW__URI_AT_MOST + 2];
    char fault[CW__URI_FAULT_BYTES];
    cw__redirect to;

    memset(location, 'a', sizeof location - 1);
    CHECK_INT(redirect("ws://a/", location, &to, fault), CW__REDIRECT_BAD);
    CHECK(strstr(fault, "too long") != NULL);
}

static bool redirect_once(void *location)
{
    char fault[CW__URI_FAULT_BYTES];
    cw__redirect to;
    cw__uri from;
    cw__redirect_result result;

    if (cw__uri_read("ws://u:p@a/b", 12, &from, fault) != CW__URI_OK)
        return false;
    result = cw__redirect_read(location, &from, &to, fault);
    CHECK(result == CW__REDIRECT_OK || result == CW__REDIRECT_NO_MEMORY);
    if (result == CW__REDIRECT_OK)
        CHECK_STR(to.uri.prefix, to.is_same_origin ? "ws://u:p@" : "ws://");
    cw__redirect_destroy(&to);
    cw__uri_destroy(&from);
    return result == CW__REDIRECT_OK;
}

static void test_no_memory(void)
{
    static char same[] = "Location: /x\r\n", other[] = "Location: ws://b/\r\n";

    each_allocation_fails(redirect_once, same);
    each_allocation_fails(redirect_once, other);
    cw__alloc_fail_at(0);
    CHECK(cw__redirect_headers("") == NULL);
    cw__alloc_fail_at(-1);
}

static void test_headers(void)
{
    char *kept =
        cw__redirect_headers("Authorization: Bearer s\nuser-agent: me\nCookie: a=s\nX-Api-Key: s\nAccept:\n"
                             "Host: a\nAccept-Language: de\nX-Empty;\nUser-AgentX: s\nCookie:\n"
                             "Referer: s\nORIGIN: https://a\nAccept-Encoding;\nAcc: s\n");

    CHECK_STR(kept,
              "user-agent: me\nAccept:\nAccept-Language: de\nCookie:\nORIGIN: https://a\nAccept-Encoding;\n");
    cw__free(kept);
    kept = cw__redirect_headers("Accept: x\nCache-Control: no-cache\n"); /* it fits exactly */
    CHECK_STR(kept, "Accept: x\nCache-Control: no-cache\n");
    cw__free(kept);
    kept = cw__redirect_headers("");
    CHECK_STR(kept, "");
    cw__free(kept);
}

static const harness_test tests[] = {
    {"RFC 3986 5.4: the examples", test_examples},
    {"absolute URIs, and what is refused", test_absolute},
    {"never from wss to ws", test_plain},
    {"the user and password of the URI stay with its origin", test_user},
    {"long parts", test_long_parts},
    {"zones of IPv6 addresses", test_zone},
    {"there is one Location", test_location},
    {"too long", test_length},
    {"no memory", test_no_memory},
    {"headers that another origin may get", test_headers},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of uri.c: how a URI is encoded, and which URIs are refused, with which advice. */
#include "peer.h"

#define SECRET "sesame" /* in userinfo and queries: no fault may show it */

typedef struct good_uri {
    const char *uri, *base, *target;
} good_uri;

static const good_uri good[] = {
    {"ws://h", "ws://h/", "/"},
    {"WSS://Host.Example", "wss://Host.Example/", "/"},
    {"Ws://Z9/Z9", "ws://Z9/", "/Z9"},
    {"ws://h:/", "ws://h/", "/"}, /* RFC 3986 section 3.2.3: an empty port */
    {"ws://h:0/", "ws://h:0/", "/"},
    {"ws://h:9090/", "ws://h:9090/", "/"},
    {"ws://h:0080/", "ws://h:80/", "/"},
    {"ws://h:65535?", "ws://h:65535/", "/?"},
    {"ws://h?a=1", "ws://h/", "/?a=1"},
    {"ws://h/?", "ws://h/", "/?"},
    {"ws://h//a/../b/./", "ws://h/", "//a/../b/./"}, /* dot segments stay */
    {"ws://127.0.0.1:8080/a", "ws://127.0.0.1:8080/", "/a"},
    {"ws://[::1]/", "ws://[::1]/", "/"},
    {"ws://[::]/", "ws://[::]/", "/"},
    {"ws://[1:2:3:4:5:6:7:8]/", "ws://[1:2:3:4:5:6:7:8]/", "/"},
    {"ws://[1111:2222:3333:4444:5555:6666:123.123.123.123]/",
     "ws://[1111:2222:3333:4444:5555:6666:123.123.123.123]/", "/"},
    {"ws://[2001:DB8::1.2.3.4]:1/", "ws://[2001:DB8::1.2.3.4]:1/", "/"},
    {"ws://[fe80::1%25eth0]:1/", "ws://[fe80::1%25eth0]:1/", "/"}, /* RFC 6874 section 2 */
    {"ws://[fe80::1%eth0]/", "ws://[fe80::1%25eth0]/", "/"},
    {"ws://[fe80::1%25]/", "ws://[fe80::1%2525]/", "/"}, /* an interface's number */
    {"ws://[fe80::1%25e]/", "ws://[fe80::1%25e]/", "/"},
    {"ws://[fe80::1%2eth0]/", "ws://[fe80::1%252eth0]/", "/"}, /* not %25 */
    {"ws://[fe80::1%a5b]/", "ws://[fe80::1%25a5b]/", "/"},
    {"ws://[fe80::1%25a-._~b]/", "ws://[fe80::1%25a-._~b]/", "/"},
    {"ws://[::1%25abcdefghijklmno]/", "ws://[::1%25abcdefghijklmno]/", "/"}, /* the longest zone */
    {"ws://u@h/", "ws://u@h/", "/"},
    {"ws://a%3Bb:c%20d@h/", "ws://a%3Bb:c%20d@h/", "/"},
    {"ws://u:p:q@h/", "ws://u:p:q@h/", "/"},
    {"ws://:@h/", "ws://h/", "/"}, /* no user and no password: no credentials are sent */
    {"ws://@[::1]:1/", "ws://[::1]:1/", "/"},
    {"ws://:p%3Aq@h/", "ws://:p%3Aq@h/", "/"},
    {"ws://\xc3\xb6:p%40|^@h/", "ws://%C3%B6:p%40%7C%5E@h/", "/"},
    /* RFC 3987 section 3.1: UTF-8 is percent-encoded; escapes in the URI stay as they are */
    {"ws://h/caf\xc3\xa9?a=1", "ws://h/", "/caf%C3%A9?a=1"},
    {"ws://h/?name=\xc3\xb6", "ws://h/", "/?name=%C3%B6"},
    {"ws://h/a%20b?q=\xc3\xa9%20x", "ws://h/", "/a%20b?q=%C3%A9%20x"},
    {"ws://h/?t=\xe2\x80\x8b\xf0\x9f\x98\x80", "ws://h/", "/?t=%E2%80%8B%F0%9F%98%80"},
    {"ws://h/%39%9f%aF%Fa%0A?%7f", "ws://h/", "/%39%9f%aF%Fa%0A?%7f"},
    {"ws://h/%c3%b6%C3%B6?%2f%25%7e", "ws://h/", "/%c3%b6%C3%B6?%2f%25%7e"},
    {"ws://h/\"<>^`{|}?\"<>\\^`{|}", "ws://h/", "/%22%3C%3E%5E%60%7B%7C%7D?%22%3C%3E%5C%5E%60%7B%7C%7D"},
    {"ws://h/a-._~!$&'()*+,;=:@/[]b", "ws://h/", "/a-._~!$&'()*+,;=:@/[]b"},
    {"ws://h/?a-._~!$&'()*+,;=:@/?[]b", "ws://h/", "/?a-._~!$&'()*+,;=:@/?[]b"},
    {"ws://h/?at=a@b", "ws://h/", "/?at=a@b"},
    /* UTS 46; test_idn.c has the rules */
    {"ws://b\u00fccher.example", "ws://xn--bcher-kva.example/", "/"},
    {"wss://u:p@B\u00dcCHER.example.:81?q", "wss://u:p@xn--bcher-kva.example.:81/", "/?q"},
    {"ws://\u00fc", "ws://xn--tda/", "/"},
};

typedef struct bad_uri {
    const char *uri, *advice;
} bad_uri;

static const bad_uri bad[] = {
    {"", "this is not a URI: write it as in wss://host/path"},
    {"ws", "write it as in wss://host/path"},
    {"localhost:8080", "write it as in wss://host/path"},
    {"//h/", "write it as in wss://host/path"},
    {"ws:/h/", "this is not a URI"},
    {"://h/", "this is not a URI"},
    {"a123456789012345678901234567890123456789x://h/", "this is not a URI"},
    {"a123456789012345678901234567890123456789://h/", "must be ws or wss"},
    {"ws:h", "write it as in wss://host/path"},
    {" ws://h/", "write it as in wss://host/path"},
    {"ws://", "no host"},
    {"ws:///path", "no host"},
    {"ws://:80/", "no host"},
    {"ws://" SECRET "@/", "no host"},
    {"ws://" SECRET "@:80/", "no host"},
    {"http://h/", "must be ws or wss, not http"},
    {"wsss://h/", "must be ws or wss, not wsss"},
    {"wst://h/", "must be ws or wss, not wst"},
    {"xss://h/", "must be ws or wss, not xss"},
    {"wx://h/", "must be ws or wss, not wx"},
    {"xy://h/", "must be ws or wss, not xy"},
    {"x://h/", "must be ws or wss, not x"},
    {"a+b-c.d://h/", "must be ws or wss, not a+b-c.d: write ws:// or wss://"},
    /* RFC 6455 section 3 */
    {"ws://h/#top",
     "the URI contains # (a fragment), which RFC 6455 section 3 does not allow: remove # and the text after "
     "it, or write # as %23"},
    {"ws://h/#", "write # as %23"},
    {"ws://h#", "write # as %23"},
    {"ws://h/?" SECRET "#", "write # as %23"},
    /* the port */
    {"ws://h:65536/", "0 to 65535"},
    {"ws://h:-1/", "0 to 65535"},
    {"ws://h:8:/", "0 to 65535"},
    {"ws://h:8 0/", "0 to 65535"},
    {"ws://h:99999999999999999999/", "0 to 65535"},
    {"ws://joe:" SECRET "/x@h/", "%2F"},
    {"ws://joe:" SECRET "#x@h/", "# as %23"},
    {"ws://joe:" SECRET "?x@h/", "? as %3F"},
    /* the host */
    {"ws://a b/", "a space"},
    {"ws://h\n/", "control character 0x0A"},
    {"ws://a%2eb/", "not percent-encoded"},
    {"ws://b\u00fccher\u2028.example/", "U+2028, which no host name may have"},
    {"ws://\u0308.example:" SECRET "/", "begins with the mark U+0308"},
    {"ws://b\u00fc%20.example/", "not percent-encoded"},
    {"ws://b\u00fccher.example:8 0/", "0 to 65535"},
    {"ws://a\\b/", "character \\"},
    {"ws://a_b*/", "character *"},
    {"ws://*a/", "character *"},
    {"ws://a\x7f/", "the host contains the control character 0x7F: remove it"},
    {"ws://::1/", "no host"},
    {"ws://2001:db8::1/", "write an IPv6 address in [ ]"},
    {"ws://[::1/", "not an IPv6 address"},
    {"ws://[]/", "not an IPv6 address"},
    {"ws://[", "not an IPv6 address"},
    {"ws://[]", "not an IPv6 address"},
    {"ws://[:]/", "not an IPv6 address"},
    {"ws://[:::]/", "not an IPv6 address"},
    {"ws://[::1", "not an IPv6 address"},
    {"ws://[::1::]/", "not an IPv6 address"},
    {"ws://[1:2:3:4:5:6:7]/", "not an IPv6 address"},
    {"ws://[1:2:3:4:5:6:7:8:9]/", "not an IPv6 address"},
    {"ws://[::12345]/", "not an IPv6 address"},
    {"ws://[::1.2.3]/", "not an IPv6 address"},
    {"ws://[::1.2.3.256]/", "not an IPv6 address"},
    {"ws://[ ::1]/", "not an IPv6 address"},
    {"ws://[%25lo]/", "not an IPv6 address"},
    {"ws://[:%25lo]/", "not an IPv6 address"},
    {"ws://[[::1]]/", "not an IPv6 address"},
    {"ws://[::1]]/", "only a port"},
    {"ws://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/", "not an IPv6 address"},
    {"ws://[v1.x]/", "not an IPv6 address"},
    {"ws://[127.0.0.1]/", "not an IPv6 address"},
    {"ws://[::g]/", "not an IPv6 address"},
    {"ws://[g::1]/", "not an IPv6 address"},
    {"ws://[:g]/", "not an IPv6 address"},
    {"ws://[::1]x/", "only a port"},
    {"ws://[::1%25 ab]/", "write it as in [fe80::1%25eth0]"},
    {"ws://[::1%]/", "interface"},
    {"ws://[::1%25a b]/", "interface"},
    {"ws://[::1%25abcdefghijklmnop]/", "interface"},
    {"ws://h]/", "character ]"},
    /* the user name and password */
    {"ws://joe:" SECRET "@x@h/", "@ as %40"},
    {"ws://joe:" SECRET " @h/",
     "percent-encoded: write / as %2F, @ as %40, [ as %5B, \\ as %5C, a space as %20"},
    {"ws://joe\\:" SECRET "@h/", "percent-encoded"},
    {"ws://joe:" SECRET "[@h/", "percent-encoded"},
    {"ws://joe:" SECRET "%@h/",
     "a % in the user name or password is not followed by two hex digits: write %25"},
    /* RFC 7617 section 2: the first colon ends the user name */
    {"ws://jo%3Ae:" SECRET "@h/",
     "the user name has a colon (%3A), which HTTP cannot send (RFC 7617), because the server "
     "would take the rest for the password: remove the colon"},
    {"ws://" SECRET "%3a@h/", "the user name has a colon"},
    {"ws://joe:" SECRET "%00@h/", "NUL"},
    {"ws://joe:" SECRET "%0a@h/", "control character"},
    {"ws://joe:" SECRET "%7f@h/", "control character"},
    {"ws://joe:" SECRET "%1F@h/", "control character"},
    {"ws://joe:" SECRET "%7F@h/", "control character"},
    {"ws://joe:" SECRET "\x7f@h/", "percent-encoded"},
    /* the path and the query */
    {"ws://h/a b", "the path contains a space: write %20"},
    {"ws://h/?" SECRET " b", "the query contains a space: write %20"},
    {"ws://h/ ", "write %20"},
    {"ws://h/\n", "the control character 0x0A: remove it, or write %0A"},
    {"ws://h/?" SECRET "\r\nX: y", "0x0D"},
    {"ws://h/\x7f", "0x7F"},
    {"ws://h/a\\b", "the character \\: write %5C"},
    {"ws://h/%00", "%00"},
    {"ws://h/?" SECRET "%00", "%00"},
    {"ws://h/%", "write %25"},
    {"ws://h/100%?" SECRET, "write %25"},
    {"ws://h/?" SECRET "=%1", "write %25"},
    {"ws://h/?" SECRET "=%zz", "write %25"},
    {"ws://h/?" SECRET "=%1g", "write %25"},
    {"ws://h/?" SECRET "=%z1", "write %25"},
    {"ws://h/?" SECRET "=%:0", "write %25"},
    {"ws://h/?" SECRET "=%G0", "write %25"},
    /* RFC 3629: no surrogates, no overlong forms, no cut characters */
    {"ws://h/\xff", "not UTF-8"},
    {"ws://h/\xc3", "not UTF-8"},
    {"ws://h/\xc0\xaf", "not UTF-8"},
    {"ws://h/\xed\xa0\x80", "not UTF-8"},
    {"ws://h/?" SECRET "\xe9", "not UTF-8"},
};

static void test_good(void)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char fault[CW__URI_FAULT_BYTES], *base;
        cw__uri uri;
        CHECK_INT(cw__uri_read(good[i].uri, strlen(good[i].uri), &uri, fault), CW__URI_OK);
        base = cw__uri_base(&uri);
        CHECK_STR(base, good[i].base);
        CHECK_STR(uri.target, good[i].target);
        CHECK_INT(uri.is_secure, strncmp(good[i].base, "wss", 3) == 0);
        cw__free(base);
        cw__uri_destroy(&uri);
    }
}

static void test_bad(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char fault[CW__URI_FAULT_BYTES] = "";
        cw__uri uri;
        memset(&uri, 0xff, sizeof uri); /* the call sets it also if it fails */
        if (cw__uri_read(bad[i].uri, strlen(bad[i].uri), &uri, fault) != CW__URI_BAD)
            HARNESS_FAIL("taken: %s", bad[i].uri);
        CHECK_HAS(fault, bad[i].advice);
        CHECK(strstr(fault, SECRET) == NULL);
        CHECK(strlen(fault) < sizeof fault - 1); /* nothing was cut off */
        CHECK(uri.text == NULL);
    }
}

/* The text for people has no userinfo and no query, whatever they contain. */
static void test_show(void)
{
    static const struct {
        const char *uri, *shown;
    } rows[] = {
        {"ws://h", "ws://h"},
        {"WSS://Host:8080/a/b", "WSS://Host:8080/a/b"},
        {"ws://u@h/", "ws://h/"},
        {"ws://joe:" SECRET "@h:1/a", "ws://h:1/a"},
        {"ws://joe:" SECRET "@x@h/", "ws://h/"},
        {"ws://:" SECRET "@[::1]:1/", "ws://[::1]:1/"},
        {"ws://@h/", "ws://h/"},
        {"ws://h/a?" SECRET, "ws://h/a"},
        {"ws://h?" SECRET, "ws://h"},
        {"ws://h/?" SECRET "?/#", "ws://h/"},
        {"ws://h/a#" SECRET, "ws://h/a"},
        {"ws://h#" SECRET "@x", "ws://h"},
        {"ws://joe:" SECRET "@h?" SECRET "@x", "ws://h"},
        {"ws://h/a@b", "ws://h/a@b"}, /* the @ is part of the path */
        {"ws://h/a?b://" SECRET, "ws://h/a"},
        {"joe:" SECRET "@h/?x", "h/"}, /* not a URI, so joe: is not taken for a scheme */
        {"ws://joe:" SECRET "@b\u00fccher.h:1/\u00fc?" SECRET, "ws://xn--bcher-kva.h:1/\u00fc"},
        {"ws://\u00fc", "ws://xn--tda"},
        {"ws://b\u00fccher.h:x/", "ws://b\u00fccher.h:x/"}, /* a URI with a fault stays as it is */
        {"", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64], cut[4] = "xxx";
        CHECK_INT(cw__uri_show(rows[i].uri, text, sizeof text), strlen(rows[i].shown));
        CHECK_STR(text, rows[i].shown);
        CHECK_INT(cw__uri_show(rows[i].uri, NULL, 0), strlen(rows[i].shown));
        CHECK_INT(cw__uri_show(rows[i].uri, cut, sizeof cut), strlen(rows[i].shown));
        CHECK_INT(strlen(cut), strlen(rows[i].shown) < 3 ? strlen(rows[i].shown) : 3);
        CHECK(strncmp(cut, rows[i].shown, 3) == 0);
    }
}

/* Every character in every place: it is sent as visible ASCII that decodes to it, or the fault names it. */
static void check_character(int c, const char *format)
{
    char text[64], fault[CW__URI_FAULT_BYTES] = "", escape[4], named[8];
    cw__uri uri;

    (void)snprintf(text, sizeof text, format, c);
    (void)snprintf(escape, sizeof escape, "%%%02X", (unsigned)c);
    (void)snprintf(named, sizeof named, c < 0x20 || c == 0x7f ? "0x%02X" : c == ' ' ? "space" : "%c", c);
    if (cw__uri_read(text, strlen(text), &uri, fault) == CW__URI_OK) {
        const char *at = strstr(uri.target, "a") + 1;
        CHECK(*at == c || strncmp(at, escape, 3) == 0);
        CHECK_INT(
            strspn(at, "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrst"
                       "uvwxyz{|}~"),
            strlen(at));
    } else {
        CHECK_HAS(fault, named);
        CHECK_HAS(fault, escape);
    }
    cw__uri_destroy(&uri);
}

static void test_characters(void)
{
    for (int c = 1; c < 0x80; c++) {
        check_character(c, c == '%' ? "ws://h/a%c25z" : "ws://h/a%cz");
        check_character(c, c == '%' ? "ws://h/?a%c25z" : "ws://h/?a%cz");
    }
}

static void test_nul(void)
{
    static const char *const texts[] = {"ws://h/a\0b", "ws://a\0b/?", "ws\0://ab/?", "ws://h/?ab\0"};
    char fault[CW__URI_FAULT_BYTES];
    cw__uri uri;

    CHECK_INT(cw__uri_read("", 1, &uri, fault), CW__URI_BAD);
    CHECK_HAS(fault, "NUL");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CHECK_INT(cw__uri_read(texts[i], 10 + (i == 3), &uri, fault), CW__URI_BAD);
        CHECK_HAS(fault, "NUL");
    }
}

/* Reads a URI whose path is count times the character. */
static cw__uri_result read_long(const char *character, size_t count, char fault[CW__URI_FAULT_BYTES])
{
    size_t each = strlen(character), len = 7;
    char *text = malloc(len + count * each);
    cw__uri_result result;
    cw__uri uri;

    CHECK(text != NULL);
    fault[0] = '\0';
    memcpy(text, "ws://h/", 7);
    for (; count > 0; count--, len += each)
        memcpy(text + len, character, each);
    result = cw__uri_read(text, len, &uri, fault);
    cw__uri_destroy(&uri);
    free(text);
    return result;
}

/* Only so much of the text is read. */
static void test_cuts(void)
{
    char fault[CW__URI_FAULT_BYTES];
    cw__uri uri;

    for (size_t len = 0; len <= 5; len++) {
        CHECK_INT(cw__uri_read("wss://h/", len, &uri, fault), CW__URI_BAD);
        CHECK_HAS(fault, "this is not a URI");
    }
    CHECK_INT(cw__uri_read("wss://h/x", 7, &uri, fault), CW__URI_OK);
    CHECK_STR(uri.target, "/");
    cw__uri_destroy(&uri);
}

/* Reads a URI whose host is count times the text. */
static cw__uri_result read_host(const char *part, size_t count, char fault[CW__URI_FAULT_BYTES])
{
    static char text[8192];
    cw__uri_result result;
    cw__uri uri;

    (void)strcpy(text, "ws://");
    for (; count > 0; count--)
        (void)strcat(text, part);
    result = cw__uri_read(text, strlen(text), &uri, fault);
    cw__uri_destroy(&uri);
    return result;
}

/* A host in ASCII has at most 255 characters. In UTF-8 it may have more bytes, since its ASCII form may be shorter. */
static void test_long_hosts(void)
{
    static const char label[] =
        "\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc."; /* 29 bytes */
    char fault[CW__URI_FAULT_BYTES];

    CHECK_INT(read_host("a", CW__HOST_AT_MOST, fault), CW__URI_OK);
    CHECK_INT(read_host("a", CW__HOST_AT_MOST + 1, fault), CW__URI_BAD);
    CHECK_STR(fault, "the host has more than 255 characters: shorten it");
    CHECK_INT(read_host(label, 10, fault), CW__URI_OK);
    fault[0] = '\0';
    CHECK_INT(read_host("\u00fc", CW__HOST_GIVEN_MOST / 2 + 1, fault), CW__URI_BAD);
    CHECK_STR(fault, "the host has more than 255 characters: shorten it");
    CHECK_INT(read_host("\u00fc", CW__HOST_GIVEN_MOST / 2, fault), CW__URI_BAD);
    CHECK_HAS(fault, "in its ASCII form");
}

static void test_limits(void)
{
    char fault[CW__URI_FAULT_BYTES];

    /* The bytes before the path count too: 12, with the ends of the texts that are kept. */
    CHECK_INT(read_long("a", CW__URI_AT_MOST - 12, fault), CW__URI_OK);
    CHECK_INT(read_long("a", CW__URI_AT_MOST - 11, fault), CW__URI_BAD);
    CHECK_HAS(fault, "128 KiB");
    CHECK_INT(read_long("#", CW__URI_AT_MOST - 7, fault), CW__URI_BAD);
    CHECK_HAS(fault, "fragment");
    CHECK_INT(read_long("#", CW__URI_AT_MOST - 6, fault), CW__URI_BAD); /* a longer text is not looked at */
    CHECK_HAS(fault, "128 KiB");
    CHECK_INT(read_long("a", CW__URI_AT_MOST - 100, fault), CW__URI_OK);
    CHECK_INT(read_long("a", CW__URI_AT_MOST, fault), CW__URI_BAD);
    CHECK_HAS(fault, "128 KiB");
    CHECK_INT(read_long("\xc3\xb6", CW__URI_AT_MOST / 6 - 100, fault), CW__URI_OK);
    /* the limit counts encoded bytes */
    CHECK_INT(read_long("\xc3\xb6", CW__URI_AT_MOST / 6 + 100, fault), CW__URI_BAD);
    CHECK_HAS(fault, "128 KiB");
}

static void test_no_memory(void)
{
    char fault[CW__URI_FAULT_BYTES];
    cw__uri uri;

    for (long n = 0; n < 2; n++) {
        cw__alloc_fail_at(n);
        CHECK_INT(cw__uri_read("ws://h/", 7, &uri, fault), CW__URI_NO_MEMORY);
        cw__alloc_fail_at(-1);
        cw__uri_destroy(&uri);
    }
    CHECK_INT(cw__uri_read("ws://h/", 7, &uri, fault), CW__URI_OK);
    cw__alloc_fail_at(0);
    CHECK(cw__uri_base(&uri) == NULL);
    cw__alloc_fail_at(-1);
    cw__uri_destroy(&uri);
}

/* For the address of a proxy. */
static void test_authority(void)
{
    static const char text[] = "joe:pass@[::1%25lo]:3128";
    char fault[CW__URI_FAULT_BYTES];
    cw__authority a;

    CHECK(cw__authority_read(text, strlen(text), &a, fault));
    CHECK_BYTES(a.userinfo, a.userinfo_bytes, "joe:pass", 8);
    CHECK_BYTES(a.host, a.host_bytes, "::1", 3);
    CHECK_BYTES(a.zone, a.zone_bytes, "lo", 2);
    CHECK(a.is_ipv6);
    CHECK_INT(a.port, 3128);
    CHECK(cw__authority_read("h", 1, &a, fault));
    CHECK(a.userinfo == NULL && a.zone == NULL && !a.is_ipv6);
    CHECK_INT(a.port, -1);
    CHECK(!cw__authority_read("", 0, &a, fault));
}

static const harness_test tests[] = {
    {"RFC 3987 3.1: the encoded URI is ASCII, and nothing is encoded twice", test_good},
    {"RFC 3986: refused URIs, and what to write instead", test_bad},
    {"RFC 3986 2: every character of ASCII in a path and a query", test_characters},
    {"NUL", test_nul},
    {"a text that is cut", test_cuts},
    {"limits of length", test_limits},
    {"RFC 1035 2.3.4: long hosts", test_long_hosts},
    {"without memory", test_no_memory},
    {"RFC 3986 3.2: an authority alone", test_authority},
    {"the parts of a URI that people see", test_show},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

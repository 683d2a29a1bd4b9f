/* SPDX-License-Identifier: MIT */
/* Tests of proxy_uri.c on texts: each part of the URI of a proxy, each fault, and lists such as that of no_proxy.
 * test_proxy.c tests the variables and controls that have such texts. */
#include "harness.h"

#include "protocol/protocol.h"

/* Parses a copy that ends with its NUL, so that AddressSanitizer sees a read before or after it. */
static const char *parse(cw__proxy *p, const char *value)
{
    size_t size_bytes = strlen(value) + 1;
    char *copy = malloc(size_bytes);
    bool has_no_memory = true;
    const char *fault;

    CHECK(copy != NULL);
    memcpy(copy, value, size_bytes);
    *p = (cw__proxy){.kind = CW__PROXY_NONE};
    fault = cw__proxy_parse(p, copy, &has_no_memory);
    CHECK(!has_no_memory);
    free(copy);
    return fault ? fault : "";
}

/* ---- URIs that are accepted ---- */

static void check_url(const char *value, const char *url)
{
    cw__proxy p;

    CHECK_STR(parse(&p, value), "");
    CHECK_STR(p.url, url);
    cw__proxy_destroy(&p);
    CHECK(!p.url && !p.user && !p.password && p.kind == CW__PROXY_NONE);
}

static void test_hosts(void)
{
    char value[300] = "http://", url[320];

    check_url("http://p", "http://p:1080");
    check_url("https://p", "https://p:443");
    check_url("socks4://p", "socks4://p:1080");
    check_url("socks4a://p", "socks4a://p:1080");
    check_url("socks5://p", "socks5://p:1080");
    check_url("socks5h://p", "socks5h://p:1080");
    check_url("socks://p", "socks://p:1080");
    check_url("p", "http://p:1080");
    check_url("p/", "http://p:1080");
    check_url("p:1909", "http://p:1909");
    check_url("p:00001", "http://p:1");
    check_url("http://09azAZ-._~:65535", "http://09azAZ-._~:65535");
    check_url("[::1]", "http://[::1]:1080");
    check_url("[::]", "http://[::]:1080");
    check_url("[fe80::1%25eth0]:9", "http://[fe80::1%25eth0]:9");
    memset(value + 7, 'a', 255);
    (void)snprintf(url, sizeof url, "%s:1080", value);
    check_url(value, url);
}

static void check_user(const char *value, const char *user, const char *password)
{
    cw__proxy p;

    CHECK_STR(parse(&p, value), "");
    CHECK((p.user != NULL) == (user != NULL) && (p.password != NULL) == (user != NULL));
    if (user) {
        CHECK_STR(p.user, user);
        CHECK_STR(p.password, password);
    }
    cw__proxy_destroy(&p);
}

static void test_users(void)
{
    check_user("p", NULL, NULL);
    check_user("@p", NULL, NULL); /* as libcurl, which then sends none */
    check_user("u@p", "u", "");
    check_user(":@p", "", "");
    check_user("http://http:p@p", "http", "p"); /* a name that is a scheme is one only without a scheme */
    check_user("socks5://a%3ab:p@p", "a:b", "p");
    check_user("%20%7e%80:%4a%4A%aF%Fa@p", " ~\x80", "JJ\xaf\xfa");
    check_user("%30%39:@p", "09", "");
}

/* ---- Faults ---- */

#define RESERVED "; write / in user or password as %2F, ? as %3F, # as %23, @ as %40"

static const char
    blank[] = "there is a blank or a control character; write a blank in user or password as %20",
    scheme[] = "the value does not begin with http://, https://, socks4://, socks4a://, "
               "socks5:// or socks5h://",
    slash[] = "only one / may follow the host and port" RESERVED, at[] = "there is more than one @" RESERVED,
    no_slashes[] = "the scheme is not followed by ://", no_host[] = "there is no host",
    address[] = "the host in [ ] is not an IPv6 address",
    colons[] = "there is more than one colon after the user; write an IPv6 address between [ and ]",
    characters[] = "the host has characters that no host name has; write a name in another script as xn--...",
    port[] = "the port is not a number from 1 to 65535",
    hexadecimal[] = "a % in the user or password is not followed by two hexadecimal digits; write "
                    "% as %25",
    control[] = "the user or password has a control character",
    colon[] = "the user has a colon, which HTTP cannot send (RFC 7617)";

static void test_faults(void)
{
    static const struct {
        const char *value, *fault;
    } rows[] = {
        {"", no_host},
        {"http://", no_host},
        {":", no_host},
        {":80", no_host},
        {"http://@", no_host},
        {"/", no_host},
        {"http:///", no_host},
        {"http://p p", blank},
        {"http://p\x7f", blank},
        {"http://p\x01", blank},
        {"http://p!", characters},
        {"http://p\x80", characters},
        {"http://a`b", characters},
        {"http://a{b", characters},
        {"http://{a", characters},
        {"http://a[b:1", characters},
        {"htt://p", scheme},
        {"httpx://p", scheme},
        {"file://p", scheme},
        {"://p", scheme},
        {"http:///p", slash},
        {"p/p", slash},
        {"p?", slash},
        {"p#", slash},
        {"p\\", slash},
        {"p//", slash},
        {"a@b@p", at},
        {"http:u@p", no_slashes},
        {"SOCKS5@p", no_slashes},
        {"[", address},
        {"[]", address},
        {"[::1", address},
        {"[::1]p:80", address},
        {"[::1]p", address},
        {"[1.2.3.4]", address},
        {"::1", colons},
        {"p:1:1", colons},
        {"p:", port},
        {"p:0", port},
        {"p:65536", port},
        {"p:012345", port},
        {"p:8a", port},
        {"[::1]:", port},
        {"[::1]::90", address},
        {"u:%@p", hexadecimal},
        {"u:%4@p", hexadecimal},
        {"u:%0g@p", hexadecimal},
        {"u:%g0@p", hexadecimal},
        {"u:%`0@p", hexadecimal},
        {"u:%0`@p", hexadecimal},
        {"u:%:0@p", hexadecimal},
        {"u%:p@p", hexadecimal},
        {"u%:p@!", hexadecimal},
        {"a%3ab%:p@p", hexadecimal},
        {"a%3ab:%@p", hexadecimal},
        {"u:%1f@p", control},
        {"u:%7f@p", control},
        {"u:%00@p", control},
        {"a%3ab@p", colon},
        {"a%3ab@!", colon},
        {"https://a%3ab:p@p", colon},
    };
    char value[300] = "http://";
    cw__proxy p;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_STR(parse(&p, rows[i].value), rows[i].fault);
        CHECK(p.url == NULL);
        cw__proxy_destroy(&p);
    }
    memset(value + 7, 'a', 256);
    CHECK_STR(parse(&p, value), "the host is longer than 255 bytes");
    cw__proxy_destroy(&p);
}

/* ---- Lists ---- */

static void test_lists(void)
{
    static const struct {
        const char *list, *host;
        bool is_excluded;
    } rows[] = {
        {"a.test", "b.test", false},
        {"*a.test", "a.test", false},
        {"*.b.test", "a.test", false},
        {"*.a", "a", true},
        {"a", "b.test", false},
        {".a", "a", true},
        {"a.", "a", true},
        {".", ".", true},
        {"[]", "a..", false},
        {"[]", "[]", false},
        {"]", "a.]", true},
        {"a]", "a]", true},
        {":80", "a.test", false},
        {":80", "10.1.2.3", false},
        {"a:80:80", "a", false},
        {"[::1]x", "[::1]", false},
        {"[::1]:80", "::1", true},
        {"fd00::1:80", "[fd00::1:80]", true}, /* without brackets, the last part is no port */
        {"fd00::1:81", "[fd00::1:81]", true},
        /* the network's bits are compared as they are, and all of them */
        {"65.0.0.0/8", "97.0.0.0", false},
        {"10.0.1.0/24", "10.0.2.0", false},
        {"10.1.2.3", "10.1.2.4", false},
        {"fd00::2/127", "[fd00::3]", true},
        {"fd00::2/127", "[fd00::4]", false},
        {"10.0.0.0/9", "10.127.0.0", true},
        {"10.0.0.0/9", "10.128.0.0", false},
        {"10.0.0.0/15", "10.1.0.0", true},
        {"10.0.0.0/15", "10.2.0.0", false},
        {"10.0.0.0/1", "127.0.0.0", true},
        {"10.0.0.0/1", "128.0.0.0", false},
        {"10.0.0.0/0", "255.0.0.0", true},
        {"10.0.0.0/1/", "10.0.0.0", false},
        {"10.0.0.0/08", "10.0.0.0", true},
        {"fd00::/1:", "[fd00::]", false},
        {"fd00::/128", "[fd00::]", true},
        {"fd00::/129", "[fd00::]", false},
        {"fd00::1/128", "[fd00::]", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size_bytes = strlen(rows[i].list) + 1;
        char *copy = malloc(size_bytes); /* AddressSanitizer sees a read before or after it */
        bool is;
        CHECK(copy != NULL);
        memcpy(copy, rows[i].list, size_bytes);
        is = cw__proxy_is_excluded(copy, rows[i].host, 80);
        free(copy);
        if (is != rows[i].is_excluded)
            CHECK_STR(rows[i].list, is ? "excludes the host" : "does not exclude the host");
    }
    CHECK(!cw__proxy_is_excluded("", "a.test", 80));
}

static const harness_test tests[] = {
    {"schemes, hosts and ports", test_hosts},
    {"users and passwords", test_users},
    {"the text of each fault", test_faults},
    {"lists of hosts", test_lists},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

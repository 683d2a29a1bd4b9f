/* SPDX-License-Identifier: MIT */
/* Tests of headers.c: which request headers and subprotocols a caller may set, and each error's text. */
#include "peer.h"

#define MADE "is made by curlwire and cannot be set: leave it out"

static char large[CW__HEADER_AT_MOST + 1];

/* Checks a header. wanted is the whole error; NULL = the header is accepted. */
static void check_one(const char *name, const char *value, size_t value_bytes, const char *wanted)
{
    CHECK_INT(cw__header_check(name, strlen(name), value, value_bytes), wanted ? CW_INVALID_ARGUMENT : CW_OK);
    if (wanted)
        CHECK_STR(cw_error_message(), wanted);
}

static void check_name(const char *name, const char *wanted) { check_one(name, "v", 1, wanted); }

static void test_names(void)
{
    static const char token[] = "a header's name is not a token: use letters, digits and !#$%&'*+-.^_`|~ only";
    static const char *const wrong[] = {"", " ", "A B", "A:", "A\r", "A\n", "caf\xc3\xa9", "A\x7f"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_name(wrong[i], token);
    check_name("!#$%&'*+-.^_`|~aZ09", NULL);
    memset(large, 'a', sizeof large);
    CHECK_INT(cw__header_check(large, CW__HEADER_NAME_AT_MOST, "v", 1), CW_OK);
    CHECK_INT(cw__header_check(large, CW__HEADER_NAME_AT_MOST + 1, "v", 1), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(),
              "a header's name has 101 characters: at most 100 can be sent, so shorten the name");
}

/* The handshake makes these headers (RFC 6455 section 4.1), or they would change what the request is (RFC 9110
 * sections 7.6.1 and 10.1). Case does not matter. A longer or shorter name is another header. */
static void test_forbidden(void)
{
    static const char key[] = "Sec-WebSocket-* headers are made by curlwire and cannot be set: leave them out";

    check_name("upgrade", "the header Upgrade " MADE);
    check_name("CONNECTION", "the header Connection " MADE);
    check_name("Content-Length", "the header Content-Length " MADE);
    check_name("transfer-encoding", "the header Transfer-Encoding " MADE);
    check_name("Expect", "the header Expect " MADE);
    check_name("te", "the header TE " MADE);
    check_name("Trailer", "the header Trailer " MADE);
    check_name("Upgrad", NULL);
    check_name("Upgrade-Insecure-Requests", NULL);
    check_name("T", NULL);
    check_name("sec-websocket-key", key);
    check_name("Sec-WebSocket-", key);
    check_name("Sec-WebSocket", NULL);
    CHECK_INT(cw__header_check("Sec-WebSocket-Key", 13, "v", 1), CW_OK); /* only so much of the name */
    check_name("Sec-WebSockets", NULL);
    check_name("Sec-WebSocket-protocol",
               "the header Sec-WebSocket-Protocol cannot be set: offer subprotocols by "
               "the control supported_protocols");
    check_name("proxy-authorization",
               "the header Proxy-Authorization would go to the server: set proxy_credential, or put the user "
               "name and password into the proxy's URI (the control proxy, or http_proxy and https_proxy)");
}

/* RFC 9110 section 5.5: a value has no control character but the tab. */
static void test_values(void)
{
    for (int c = 0; c < 256; c++) {
        const char value[] = {'a', (char)c};
        char wanted[160];
        (void)snprintf(
            wanted, sizeof wanted,
            "the value of the header X contains the control character 0x%02X, and no control character "
            "except a tab is allowed: remove it",
            (unsigned)c);
        check_one("X", value, 2, (c < 0x20 && c != '\t') || c == 0x7f ? wanted : NULL);
        check_one("X", value, 1, NULL);
    }
    check_one(
        "X", "\001a", 2,
        "the value of the header X contains the control character 0x01, and no control character except a tab "
        "is allowed: remove it");
    check_one("X", "", 0, NULL);
    check_one("host", "", 0,
              "the header Host must not be empty, because every request needs it: give it a value");
    check_one("Host", "a", 1, NULL);
    memset(large, 'a', sizeof large);
    check_one("X", large, CW__HEADER_AT_MOST, NULL);
    check_one("X-Large", large, CW__HEADER_AT_MOST + 1,
              "the header X-Large has a value of 262145 bytes: at most 256 KiB can be sent, so shorten it");
}

/* The same for a control that is a header's value. It is sent as it is, so no blank may be lost at its ends. */
static void test_controls(void)
{
    static const char *const blank[] = {" a", "a ", "\ta", "a\t", " ", "\t"};

    for (int c = 0; c < 256; c++) {
        const char value[] = {'a', (char)c, 'b'};
        char wanted[160];
        bool is_control = (c < 0x20 && c != '\t') || c == 0x7f;
        (void)snprintf(wanted, sizeof wanted,
                       "the control origin contains the control character 0x%02X, which no header may have: "
                       "remove the character",
                       (unsigned)c);
        CHECK_INT(cw__header_check_control("origin", value, 3), is_control ? CW_INVALID_ARGUMENT : CW_OK);
        if (is_control)
            CHECK_STR(cw_error_message(), wanted);
    }
    CHECK_INT(cw__header_check_control("origin", "\001a", 2), CW_INVALID_ARGUMENT);
    CHECK_HAS(cw_error_message(), "the control character 0x01");
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++) {
        CHECK_INT(cw__header_check_control("origin", blank[i], strlen(blank[i])), CW_INVALID_ARGUMENT);
        CHECK_STR(cw_error_message(),
                  "the control origin begins or ends with a blank, which no header may have: "
                  "remove the blank");
    }
    CHECK_INT(cw__header_check_control("origin", "a b", 1), CW_OK);
    memset(large, 'a', sizeof large);
    CHECK_INT(cw__header_check_control("origin", large, CW__HEADER_CONTROL_AT_MOST), CW_OK);
    CHECK_INT(cw__header_check_control("origin", large, CW__HEADER_CONTROL_AT_MOST + 1), CW_INVALID_ARGUMENT);
    CHECK_STR(cw_error_message(), "the control origin has 16385 bytes: at most 16 KiB are sent, so shorten it");
}

static void check_for_proxy(const char *name, const char *wanted)
{
    const cw_header header = {name, "v", strlen(name), 1};

    CHECK_INT(cw__header_check_for_proxy(&header), wanted ? CW_INVALID_ARGUMENT : CW_OK);
    if (wanted)
        CHECK_STR(cw_error_message(), wanted);
}

static void test_for_proxy(void)
{
    check_for_proxy("host", "the header Host for a proxy " MADE);
    check_for_proxy("PROXY-Connection", "the header Proxy-Connection for a proxy " MADE);
    check_for_proxy(
        "proxy-authorization",
        "the header Proxy-Authorization is made by curlwire and cannot be set: set proxy_credential");
    check_for_proxy("TE", "the header TE " MADE); /* the rules for a server's headers hold too */
    check_for_proxy("X-Proxy", NULL);
}

/* RFC 9110 section 5.3: only a header whose value is a list may be sent several times. */
static void test_repeats(void)
{
    static const char *const single[] = {"host",    "Authorization", "ORIGIN", "User-Agent",
                                         "Referer", "Content-Type",  "From",   "max-forwards",
                                         "Range",   "If-Range"};
    static const char *const several[] = {"X", "Accept", "Hos", "Hosts", "Cookie2", "If-Match"};

    for (size_t i = 0; i < sizeof single / sizeof *single; i++)
        CHECK_STR(cw__header_repeat_fault(single[i], strlen(single[i])), "give the header once");
    for (size_t i = 0; i < sizeof several / sizeof *several; i++)
        CHECK(cw__header_repeat_fault(several[i], strlen(several[i])) == NULL);
    CHECK_STR(cw__header_repeat_fault("cookie", 6), "join the values by \"; \""); /* RFC 6265 section 5.4 */
}

/* RFC 6455 section 4.1: subprotocols are tokens, each only once. Case matters. */
static void test_protocols(void)
{
    CHECK(cw__header_check_protocols("chat"));
    CHECK(cw__header_check_protocols("chat, superchat"));
    CHECK(cw__header_check_protocols("chat, CHAT"));
    CHECK(!cw__header_check_protocols("chat, superchat, chat"));
    CHECK(!cw__header_check_protocols("a b"));
    CHECK(!cw__header_check_protocols("a, b/1"));
}

static const harness_test tests[] = {
    {"names of headers: tokens of at most 100 characters", test_names},
    {"the headers that the handshake makes", test_forbidden},
    {"RFC 9110 5.5: the values of headers", test_values},
    {"RFC 9110 5.5: controls that are values of headers", test_controls},
    {"the headers for a proxy", test_for_proxy},
    {"RFC 9110 5.3: headers that may be sent only once", test_repeats},
    {"RFC 6455 4.1: the list of subprotocols", test_protocols},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

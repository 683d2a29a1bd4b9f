/* SPDX-License-Identifier: MIT */
/* Tests of reply.c on lines. test_handshake.c tests how libcurl passes a reply on, and test_handshake_vectors.c the
 * forms that a reply may have. */
#include "harness.h"

#include <ctype.h>

#define KEY     "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 section 1.3 */
#define ACCEPT  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define START   "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\n"

static char chosen[64]; /* subprotocol of the latest reply; "-" = none */

/* Feeds a text line by line. Returns NULL, or what is wrong with it. */
static const char *fault_of(const char *text, const char *protocols)
{
    cw__reply r = {0};
    cw__compression terms;
    const char *protocol = NULL, *extensions, *fault;
    size_t bytes = 0, extensions_bytes, run;

    for (; *text; text += run) {
        run = strcspn(text, "\n");
        run += text[run] == '\n';
        (void)cw__reply_line(&r, text, run);
    }
    fault = cw__reply_fault(&r, KEY, protocols, &protocol, &bytes);
    if (!fault)
        fault = cw__reply_extension_fault(&r, NULL, &terms, &extensions, &extensions_bytes);
    (void)snprintf(chosen, sizeof chosen, "%.*s", protocol ? (int)bytes : 1, protocol ? protocol : "-");
    cw__reply_destroy(&r);
    return fault;
}

#define CHECK_GOOD(text, protocols) CHECK_STR(fault_of(text, protocols) ? fault_of(text, protocols) : "", "")
#define CHECK_BAD(text, protocols, part)                 \
    do {                                                 \
        const char *bad = fault_of(text, protocols);     \
        CHECK(bad != NULL && strstr(bad, part) != NULL); \
    } while (0)

static void test_good(void)
{
    CHECK_GOOD(START UPGRADE "Connection: Upgrade\r\n" ACCEPT "\r\n", "");
    CHECK_STR(chosen, "-");
    CHECK_GOOD(START UPGRADE "Connection: Upgrade\r\n" ACCEPT "Sec-WebSocket-Protocol:\tb \r\n\r\n", "a, b");
    CHECK_STR(chosen, "b");
}

/* RFC 6455 section 4.1, item 4. Base64 is case-sensitive, so a letter in the other case makes it the answer to another
 * key. The value must be exact: nothing before it, nothing after it, nothing missing. */
static void test_accept(void)
{
    static const char right[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", name[] = "Sec-WebSocket-Accept";
    char reply[256], value[sizeof right];

    for (size_t i = 0; right[i]; i++) {
        if (!isalpha((unsigned char)right[i]))
            continue;
        memcpy(value, right, sizeof right);
        value[i] ^= 0x20; /* the letter in the other case */
        (void)snprintf(reply, sizeof reply, START UPGRADE "Connection: Upgrade\r\n%s: %s\r\n\r\n", name, value);
        CHECK_BAD(reply, "", name);
    }
    (void)snprintf(reply, sizeof reply, START UPGRADE "Connection: Upgrade\r\n%s: %sx\r\n\r\n", name, right);
    CHECK_BAD(reply, "", name);
    (void)snprintf(reply, sizeof reply, START UPGRADE "Connection: Upgrade\r\n%s: x%s\r\n\r\n", name, right);
    CHECK_BAD(reply, "", name);
    (void)snprintf(reply, sizeof reply, START UPGRADE "Connection: Upgrade\r\n%s: %.27s\r\n\r\n", name, right);
    CHECK_BAD(reply, "", name);
    (void)snprintf(reply, sizeof reply, START UPGRADE "Connection: Upgrade\r\n%s:\t%s \r\n\r\n", name, right);
    CHECK_GOOD(reply, "");
}

/* A list may have any length. A token must match as a whole. */
static void test_long_connection(void)
{
    static const char filler[] = "Connection: "
                                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx,,";
    char text[1024];

    (void)snprintf(text, sizeof text, START UPGRADE "%supgrade\r\n" ACCEPT "\r\n", filler);
    CHECK_GOOD(text, "");
    (void)snprintf(text, sizeof text, START UPGRADE "%sxx, Upgrade\r\n" ACCEPT "\r\n", filler);
    CHECK_GOOD(text, "");
    for (int drop = 0; drop < 16; drop++) { /* a cut inside "upgrades" must not turn it into "upgrade" */
        (void)snprintf(text, sizeof text, START UPGRADE "Connection: %supgrades\r\n" ACCEPT "\r\n",
                       filler + strlen("Connection: ") + drop);
        CHECK_BAD(text, "", "Connection header");
    }
}

static void test_unfinished(void)
{
    CHECK_BAD(START UPGRADE "Connection: Upgrade\r\n" ACCEPT, "", "in the middle");
    CHECK_BAD("", "", "in the middle");
    /* newer versions of libcurl pass on the line that the end of the connection cut */
    CHECK_BAD(START UPGRADE "Connection: Upgrade\r\n" ACCEPT "\r", "", "in the middle");
    CHECK_BAD(START UPGRADE "Connection: Upgrade\r\n" ACCEPT "X-Mo", "", "in the middle");
    CHECK_BAD("HTTP/1.0 101 OK\r\n\r\n", "", "HTTP/1.1");
    CHECK_BAD("HTTP/\r\n\r\n", "", "HTTP/1.1");
    CHECK_BAD(START "\r\n", "", "Upgrade header");
}

/* Passes a line in a block of exactly its length, so that a sanitizer reports a read beyond it. */
static bool feed_bytes(cw__reply *r, const char *line, size_t len_bytes)
{
    char *exact = malloc(len_bytes); /* the C library's: the test counts the core's blocks */
    bool wants_more;

    CHECK(exact != NULL);
    memcpy(exact, line, len_bytes);
    wants_more = cw__reply_line(r, exact, len_bytes);
    free(exact);
    return wants_more;
}

static bool feed(cw__reply *r, const char *line) { return feed_bytes(r, line, strlen(line)); }

static void check_status(const char *line, int http_status, bool is_http_1, bool is_http_1_1)
{
    cw__reply r = {.http_status = 7};

    CHECK(feed(&r, line));
    CHECK(r.is_begun && !r.is_complete);
    CHECK_INT(r.http_status, http_status);
    CHECK_INT(r.is_malformed, http_status == 0);
    CHECK_INT(r.is_http_1, is_http_1);
    CHECK_INT(r.is_http_1_1, is_http_1_1);
    cw__reply_destroy(&r);
}

/* RFC 9112 section 4: version, one blank, three digits, and a blank before the reason. */
static void test_status_lines(void)
{
    char line[] = "HTTP/1.1 101 reason\n";

    check_status(START, 101, true, true);
    check_status("HTTP/1.1 101\r\n", 101, true, true);
    check_status("HTTP/1.1 987\n", 987, true, true);
    check_status("HTTP/1.1 090 \r\n", 90, true, true);
    check_status("HTTP/1.0 250 x\r\n", 250, true, false);
    check_status("HTTP/2.1 250 x\r\n", 250, false, false);
    check_status("http/1.1 250 x\r\n", 250, false, false);
    check_status("HTTP/1,1 250 x\r\n", 250, false, false);
    check_status("HTTP/2 200\r\n", 0, false, false);
    check_status("HTTP/1\n", 0, false, false);
    check_status("HTTP\n", 0, false, false);
    check_status("\n", 0, false, false);
    check_status("HTTP/1.\n", 0, true, false);
    check_status("HTTP/1.1\n", 0, true, true);
    check_status("HTTP/1.1 \n", 0, true, true);
    check_status("HTTP/1.1 10\n", 0, true, true);
    check_status("HTTP/1.1 1011\n", 0, true, true);
    check_status("HTTP/1.1 101\tx\n", 0, true, true);
    check_status("HTTP/1.1\t101 x\n", 0, true, true);
    check_status("HTTP/1.1 101 \x7f\n", 0, true, true);
    check_status("\001TTP/1.1 101 x\n", 0, false, false);
    for (size_t at = 9; at < 12; at++)
        for (char c = ' '; c < 0x7f; c++) {
            memcpy(line + 9, "101", 3);
            line[at] = c;
            check_status(line, c < '0' || c > '9' ? 0 : atoi(line + 9), true, true);
        }
}

/* The header lines are kept, without the blanks at their ends. A fold becomes one blank (RFC 9112 section 5.2). */
static void test_kept_lines(void)
{
    cw__reply r = {0};

    CHECK_STR(cw__reply_lines(&r), "");
    CHECK(feed(&r, START) && feed(&r, "A: b \t \r\n") && feed(&r, "C:\n"));
    CHECK_STR(cw__reply_lines(&r), "A: b\r\nC:\r\n");
    CHECK(feed(&r, " \t d\t\r\n") && feed(&r, "\te\n") && feed(&r, " \t \r\n") && feed(&r, "F: \r\n"));
    CHECK_STR(cw__reply_lines(&r), "A: b\r\nC: d e\r\nF:\r\n");
    CHECK(!r.is_malformed);
    CHECK(feed_bytes(&r, "G: partial", 10)); /* the connection ended inside the line */
    CHECK(!r.is_malformed && !r.is_complete);
    CHECK(feed_bytes(&r, "", 0)); /* an empty text counts as the empty line */
    CHECK(r.is_complete && !r.is_malformed);
    CHECK_STR(cw__reply_lines(&r), "A: b\r\nC: d e\r\nF:\r\n");
    cw__reply_destroy(&r);
}

/* Each of these lines makes a reply malformed, after a header and as its first line. */
static void test_malformed_lines(void)
{
    static const char *const lines[] = {"no colon\r\n", ": no name\r\n",   "a b: c\r\n", "A: b\rc\r\n",
                                        "A: \001\r\n",  "A: \x7f\r\n",     "\r\r\n",     "\rA: b\r\n",
                                        "A : b\r\n",    " folded\001\r\n", " \001\r\n",  "A: \x1f\n"};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (int has_header = 0; has_header < 2; has_header++) {
            cw__reply r = {0};
            CHECK(feed(&r, START));
            CHECK(!has_header || feed(&r, "X: y\r\n"));
            CHECK(!r.is_malformed);
            CHECK(feed(&r, lines[i]));
            CHECK(r.is_malformed);
            cw__reply_destroy(&r);
        }
    CHECK_BAD(START " folded\r\n\r\n", "", "malformed");
    CHECK_BAD(START "\n", "", "Upgrade header"); /* LF alone ends the header section */
}

/* A header is found by its whole name only. */
static void test_names(void)
{
    CHECK_GOOD(START "Upgrade-X: y\r\n" UPGRADE "Connection-X: y\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept-X: y\r\n" ACCEPT "Seventy: y\r\n\r\n",
               "");
    CHECK_GOOD(START "Seventy: y\r\n" UPGRADE "Connection: Upgrade\r\n" ACCEPT "\r\n", "");
    CHECK_BAD(START "Seventy: websocket\r\nConnection: Upgrade\r\n" ACCEPT "\r\n", "", "Upgrade header");
    CHECK_BAD(START "Upgrade-: websocket\r\nConnection: Upgrade\r\n" ACCEPT "\r\n", "", "Upgrade header");
    CHECK_BAD(START UPGRADE UPGRADE "Connection: Upgrade\r\n" ACCEPT "\r\n", "", "Upgrade header");
}

/* A status line drops everything before it, including the end of that reply. */
static void test_begins_anew(void)
{
    CHECK_BAD(START UPGRADE "Connection: Upgrade\r\n" ACCEPT "\r\n" START "\r\n", "", "Upgrade header");
    CHECK_BAD(START UPGRADE "Connection: Upgrade\r\n" ACCEPT "\r\n" START, "", "in the middle");
    CHECK_GOOD("HTTP/1.0 200 proxy\r\nX: y\r\n\r\n" START UPGRADE "Connection: Upgrade\r\n" ACCEPT "\r\n", "");
}

static void test_protocols(void)
{
#define REPLY(lines) START UPGRADE "Connection: Upgrade\r\n" ACCEPT lines "\r\n"
    CHECK_BAD(REPLY("Sec-WebSocket-Protocol: c\r\n"), "a, b", "subprotocol");
    CHECK_BAD(REPLY("Sec-WebSocket-Protocol: a, b\r\n"), "a, b", "subprotocol");
    CHECK_BAD(REPLY("Sec-WebSocket-Protocol: A\r\n"), "a, b", "subprotocol");
    CHECK_BAD(REPLY("Sec-WebSocket-Protocol:\r\n"), "a, b", "subprotocol");
    CHECK_BAD(REPLY("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a\r\n"), "a, b", "subprotocol");
    CHECK_BAD(REPLY("Sec-WebSocket-Protocol: a\r\n"), "", "subprotocol");
    CHECK_BAD(REPLY("Sec-WebSocket-Extensions:\r\nSec-WebSocket-Extensions: x\r\n"), "", "extension");
#undef REPLY
}

/* A reply that is too long is refused, although the lines that matter are there. */
static void test_too_large(void)
{
    cw__reply r = {0};
    const char *protocol;
    size_t bytes, kept = 0;
    char line[1024];

    (void)memset(line, 'x', sizeof line);
    memcpy(line, "X: ", 3);
    line[sizeof line - 1] = '\n';
    CHECK(cw__reply_line(&r, START, strlen(START)));
    while (cw__reply_line(&r, line, sizeof line))
        kept++;
    CHECK_INT(kept, 128 * 1024 / (sizeof line + 1)); /* LF is kept as CRLF */
    CHECK(!cw__reply_line(&r, "\r\n", 2));
    CHECK_STR(cw__reply_fault(&r, KEY, "", &protocol, &bytes), "the reply's headers are too large");
    CHECK_INT(r.len_bytes, kept * (sizeof line + 1));
    CHECK_INT(r.head_bytes, strlen(START) + (kept + 1) * sizeof line + 2);
    cw__reply_destroy(&r);
}

/* A reply of exactly the limit is kept. Beyond it nothing is kept, however short. */
static void test_limit(void)
{
    cw__reply r = {0};
    char line[1024], longer[2 * sizeof line];

    (void)memset(line, 'x', sizeof line);
    memcpy(line, "X: ", 3);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    CHECK(feed(&r, START));
    for (size_t i = 0; i < 128; i++)
        CHECK(feed_bytes(&r, line, sizeof line));
    CHECK_INT(r.len_bytes, 128 * 1024);
    CHECK(!r.is_cut);
    CHECK(!feed(&r, "A: b\r\n") && r.is_cut);
    CHECK(!feed(&r, " \r\n") && r.is_cut);
    CHECK(!feed(&r, "\n") && r.is_cut && r.is_complete);
    cw__reply_destroy(&r);
    CHECK(feed(&r, START));
    for (size_t i = 0; i < 127; i++)
        CHECK(feed_bytes(&r, line, sizeof line));
    memcpy(line + sizeof line - 2, "xx", 2);
    for (size_t i = 0; i < 2; i++)
        memcpy(longer + i * sizeof line, line, sizeof line);
    memcpy(longer + sizeof longer - 2, "\r\n", 2);
    CHECK(!feed_bytes(&r, longer, sizeof longer) && r.is_cut);
    CHECK(!feed(&r, "A: b\r\n") && r.is_cut); /* refused, although there would be room for this line */
    cw__reply_destroy(&r);
}

static bool gather(void *arg)
{
    cw__reply r = {0};
    bool is_good = feed(&r, START);

    (void)arg;
    for (int i = 0; i < 20 && is_good; i++)
        is_good = feed(&r, "Name: value\r\n");
    CHECK_INT(r.has_no_memory, !is_good);
    CHECK_INT(r.is_cut, !is_good);
    CHECK_INT(r.len_bytes % 13, 0);
    cw__reply_destroy(&r);
    return is_good;
}

/* The room doubles: 5,000 lines, which libcurl accepts, need fewer than 16 allocations. */
static void test_memory(void)
{
    cw__reply r = {0};

    each_allocation_fails(gather, NULL);
    CHECK(feed(&r, START));
    cw__alloc_fail_at(16);
    for (int i = 0; i < 5000; i++)
        CHECK(feed(&r, "Name: value\r\n"));
    cw__alloc_fail_at(-1);
    CHECK_INT(r.len_bytes, 5000 * 13);
    cw__reply_destroy(&r);
}

/* Results that the reply does not mention are cleared. */
static void test_no_extension(void)
{
    cw__reply r = {0};
    cw__compression terms, nothing = {0};
    const char *extensions = "x";
    size_t bytes = 0;

    memset(&terms, 0xff, sizeof terms);
    CHECK(feed(&r, START));
    CHECK(cw__reply_extension_fault(&r, NULL, &terms, &extensions, &bytes) == NULL);
    CHECK(!terms.is_on && !terms.server_resets && !terms.client_resets);
    CHECK_INT(terms.server_bits, nothing.server_bits);
    CHECK_INT(terms.client_bits, nothing.client_bits);
    CHECK(extensions == NULL);
    cw__reply_destroy(&r);
}

/* Endless interim replies do not bypass the limit, and neither do folds. */
static void test_endless(void)
{
    cw__reply r = {0};
    size_t count = 0;

    while (cw__reply_line(&r, "HTTP/1.1 100\r\n", 14) && cw__reply_line(&r, "\r\n", 2))
        count++;
    CHECK_INT(count, 256 * 1024 / 16);
    cw__reply_destroy(&r);
    CHECK(cw__reply_line(&r, START, strlen(START)) && cw__reply_line(&r, "X: y\r\n", 6));
    for (count = 0; cw__reply_line(&r, " folded\n", 8); count++)
        continue;
    CHECK(count > 16 * 1024 && r.len_bytes <= 128 * 1024);
    cw__reply_destroy(&r);
}

/* ---- cw_header_next ---- */

/* Returns all headers of a text as "name=value|name=value|". The text has no NUL at its end, so that AddressSanitizer
 * reports a read beyond it. */
static const char *headers_of(const char *text)
{
    static char out[256];
    size_t len = strlen(text), used = 0, at_bytes = 0;
    char *copy = malloc(len ? len : 1);
    cw_header h;

    CHECK(copy != NULL);
    if (len)
        memcpy(copy, text, len);
    out[0] = '\0';
    while (cw_header_next(copy, len, &at_bytes, &h))
        used += (size_t)snprintf(out + used, sizeof out - used, "%.*s=%.*s|", (int)h.name_len_bytes, h.name,
                                 (int)h.value_len_bytes, h.value);
    CHECK(at_bytes == len);
    CHECK(h.name == NULL && h.value == NULL && h.name_len_bytes == 0 && h.value_len_bytes == 0);
    free(copy);
    return out;
}

static void test_headers(void)
{
    CHECK_STR(headers_of(""), "");
    CHECK_STR(headers_of("A: b\r\n"), "A=b|");
    CHECK_STR(headers_of("A: b\r\nC:d\r\n\r\n"), "A=b|C=d|");
    CHECK_STR(headers_of("A: b\r\na: c\r\n"), "A=b|a=c|"); /* headers in their order */
    CHECK_STR(headers_of("A: \t b c \t\r\n"), "A=b c|");
    CHECK_STR(headers_of(" A\t: b\r\n"), "A=b|");
    CHECK_STR(headers_of("A:\r\nB: \t\r\nC:"), "A=|B=|C=|");
    CHECK_STR(headers_of("A: http://b:1/\r\n"), "A=http://b:1/|");
    CHECK_STR(headers_of(":x\r\n"), "=x|");
    CHECK_STR(headers_of("none\r\n\nA: b"), "A=b|"); /* lines without a colon are not headers */
    CHECK_STR(headers_of("A: b\nC: d\n"), "A=b|C=d|");
    CHECK_STR(headers_of("\r\n\rA: b\r\r\n"), "\rA=b\r|"); /* a CR alone ends nothing */
    CHECK_STR(headers_of("A: b\r"), "A=b|");
    CHECK_STR(headers_of("\nA: b\n"), "A=b|");
    CHECK_STR(headers_of("none"), "");
}

/* What a refusal advises. */
static void test_refused(void)
{
    static const char other_redirect[] = ": it redirects; connect to the address in its Location header",
                      redirect[] =
                          ": it redirects; set follow_location, or connect to the address in its Location "
                          "header",
                      credentials[] = ": it wants credentials or does not accept these; set server_credential, "
                                      "user:password@ in the URI, or the header Authorization",
                      path[] = ": there is no such path; check the path in the URI",
                      plain[] = ": there is an HTTP server, but no WebSocket at this path; check the path in "
                                "the URI",
                      other[] = ": ask whoever runs the server";
    static const struct {
        int http_status;
        const char *hint;
    } rows[] = {{200, plain},          {201, other},    {299, other},       {300, other_redirect},
                {301, redirect},       {302, redirect}, {303, redirect},    {304, other_redirect},
                {306, other_redirect}, {307, redirect}, {308, redirect},    {309, other_redirect},
                {399, other_redirect}, {400, other},    {401, credentials}, {402, other},
                {404, path},           {405, other},    {403, credentials}, {425, other},
                {426, plain},          {427, other},    {503, other}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char wanted[CW__MESSAGE_BYTES];
        cw__error error = {0};
        cw__reply_refused(rows[i].http_status, &error);
        (void)snprintf(wanted, sizeof wanted, "the server refused the WebSocket with HTTP status %d%s",
                       rows[i].http_status, rows[i].hint);
        CHECK_STR(error.message, wanted);
        CHECK_INT(error.status, CW_CONNECT_FAILED);
        CHECK_INT(error.http_status, rows[i].http_status);
        CHECK_INT(error.limit, rows[i].hint == redirect ? CW_OPT_FOLLOW_LOCATION + 1 : 0);
        CHECK_INT(error.web_status, cw__web_status_of_http(rows[i].http_status));
    }
}

static const harness_test tests[] = {
    {"a right reply, with and without a subprotocol", test_good},
    {"RFC 6455 4.1: Sec-WebSocket-Accept must match exactly", test_accept},
    {"a long Connection list counts to its end and not beyond a token", test_long_connection},
    {"a reply that is cut off, or of another version", test_unfinished},
    {"RFC 9112 4: status lines", test_status_lines},
    {"RFC 9112 5.2: the lines that are kept", test_kept_lines},
    {"RFC 9112 2.2, RFC 9110 5.5: malformed lines", test_malformed_lines},
    {"headers are found by their whole names", test_names},
    {"each status line drops the lines before it", test_begins_anew},
    {"subprotocol and extension: only what was asked for, once", test_protocols},
    {"without an extension there are no terms", test_no_extension},
    {"headers beyond the limit", test_too_large},
    {"headers up to the limit", test_limit},
    {"collecting lines: without memory, and in few allocations", test_memory},
    {"endless interim replies and folds", test_endless},
    {"what a refusal advises", test_refused},
    {"cw_header_next: names and values, in their order", test_headers},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of reply.c on lines alone. What libcurl makes of a reply before is tested in test_handshake.c;
 * the forms that a reply may have, in test_handshake_vectors.c. */
#include "harness.h"

#include <ctype.h>

#define KEY     "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455 section 1.3 */
#define ACCEPT  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define START   "HTTP/1.1 101 Switching Protocols\r\n"
#define UPGRADE "Upgrade: websocket\r\n"

static char chosen[64]; /* of the latest reply; "-" = none */

/* Feeds a text line by line; NULL or what is wrong with it. */
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

/* RFC 6455 section 4.1, item 4: base64 tells upper case from lower case, so a letter of the other case is another key's
 * answer. The value is also whole: nothing before it, nothing after it, nothing missing. */
static void test_accept(void)
{
    static const char right[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", name[] = "Sec-WebSocket-Accept";
    char reply[256], value[sizeof right];

    for (size_t i = 0; right[i]; i++) {
        if (!isalpha((unsigned char)right[i]))
            continue;
        memcpy(value, right, sizeof right);
        value[i] ^= 0x20; /* the letter in its other case */
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

/* A list may be of any length; a token counts as a whole. */
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
    for (int drop = 0; drop < 16; drop++) { /* a cut inside "upgrades" must not make "upgrade" of it */
        (void)snprintf(text, sizeof text, START UPGRADE "Connection: %supgrades\r\n" ACCEPT "\r\n",
                       filler + strlen("Connection: ") + drop);
        CHECK_BAD(text, "", "Connection header");
    }
}

static void test_unfinished(void)
{
    CHECK_BAD(START UPGRADE "Connection: Upgrade\r\n" ACCEPT, "", "in the middle");
    CHECK_BAD("", "", "in the middle");
    /* newer versions of libcurl hand over the line that the end of the connection cut */
    CHECK_BAD(START UPGRADE "Connection: Upgrade\r\n" ACCEPT "\r", "", "in the middle");
    CHECK_BAD(START UPGRADE "Connection: Upgrade\r\n" ACCEPT "X-Mo", "", "in the middle");
    CHECK_BAD("HTTP/1.0 101 OK\r\n\r\n", "", "HTTP/1.1");
    CHECK_BAD("HTTP/\r\n\r\n", "", "HTTP/1.1");
    CHECK_BAD(START "\r\n", "", "Upgrade header");
}

/* What came before the latest status line is forgotten, with its end. */
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

/* More than is kept is refused, though the lines that count are there. */
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

/* Interim replies without end are no way around it, nor is a fold. */
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

static const harness_test tests[] = {
    {"a right reply, with and without a subprotocol", test_good},
    {"RFC 6455 4.1: Sec-WebSocket-Accept to the letter", test_accept},
    {"a long Connection list counts to its end and not beyond a token", test_long_connection},
    {"a reply that is cut off, or of another version", test_unfinished},
    {"each status line begins anew", test_begins_anew},
    {"subprotocol and extension: only what was asked for, once", test_protocols},
    {"headers beyond the limit", test_too_large},
    {"interim replies and folds without end", test_endless},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

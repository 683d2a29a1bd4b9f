/* SPDX-License-Identifier: MIT */
/* Tests of trace.c on bytes: what a line of a trace shows, and what it masks. */
#include "harness.h"

/* ---- Heads of requests and replies ---- */

/* Copies bytes without a NUL, so that AddressSanitizer sees a read before or after them. The caller frees the copy. */
static char *exact(const char *text, size_t len)
{
    char *copy = malloc(len);

    CHECK(copy != NULL || len == 0);
    if (len > 0)
        memcpy(copy, text, len);
    return copy;
}

/* Returns the lines that a head gives, joined by "|". The head comes in pieces of piece_bytes; 0 = whole. */
static const char *heads_of(const char *text, size_t len, bool is_sent, const char *names, size_t piece_bytes)
{
    static char all[8192];
    cw__trace_heads heads = {{false, false}};

    all[0] = '\0';
    for (size_t at = 0; at < len;) {
        size_t more = piece_bytes && piece_bytes < len - at ? piece_bytes : len - at;
        char *copy = exact(text + at, more);
        const char *rest = copy;
        at += more;
        for (;;) {
            cw__trace_line line = {0};
            if (!cw__trace_add_head(&line, &heads, is_sent, names, &rest, &more))
                break;
            (void)snprintf(all + strlen(all), sizeof all - strlen(all), "%s|", line.text);
        }
        free(copy);
    }
    return all;
}

static const char *head_of(const char *text, bool is_sent, const char *names)
{
    return heads_of(text, strlen(text), is_sent, names, 0);
}

static void test_heads(void)
{
    static const struct {
        bool is_sent;
        const char *text, *shown;
    } cases[] = {
        {true, "GET /chat HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET /chat HTTP/1.1|Host: a.example|"},
        {true, "GET /chat?token=S3CR3T HTTP/1.1\r\n", "GET /chat?*** HTTP/1.1|"},
        {true, "GET /chat?a=1?b=S3CR3T@x HTTP/1.1\r\n", "GET /chat*** HTTP/1.1|"},
        {true, "CONNECT host:443 HTTP/1.1\r\nProxy-Authorization: Basic UzNDUjNU\r\n",
         "CONNECT host:443 HTTP/1.1|Proxy-Authorization: ***|"},
        {true, "Authorization: Bearer S3CR3T\r\n", "Authorization: ***|"},
        {true, "aUtHoRiZaTiOn:S3CR3T\r\n", "aUtHoRiZaTiOn: ***|"},
        {true, "Cookie: a=S3CR3T\r\n", "Cookie: ***|"},
        {true, "X-Api-Key: S3CR3T\r\nX-Auth-Token: S3CR3T\r\n", "X-Api-Key: ***|X-Auth-Token: ***|"},
        {true, "X-Else: Bearer S3CR3T\r\n", "X-Else: ***|"},
        {true, "X-Else: basic\tS3CR3T\r\n", "X-Else: ***|"},
        {true, "X-Else: Basically, no\r\n", "X-Else: Basically, no|"},
        {true, "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
         "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==|"},
        {true, "Referer: wss://u:S3CR3T@h/p?S3CR3T#S3CR3T\r\n", "Referer: wss://***@h/p?***|"},
        {true, "Referer: wss://u:S3CR?3T@h/p\r\n", "Referer: wss://***|"},
        {true, "Referer: u:S3CR?3T@h/p\r\n", "Referer: ***|"},
        {true, "Referer: /p?a#b@S3CR3T\r\n", "Referer: /p***|"},
        {true, "Referer: ?S3CR3T\r\n", "Referer: ?***|"},
        {true, "Referer: http://h/a//b:c@S3CR3T?\r\n", "Referer: http://***@S3CR3T?***|"},
        {false, "HTTP/1.1 101 Switching Protocols\r\n", "HTTP/1.1 101 Switching Protocols|"},
        {false, "Set-Cookie: id=S3CR3T; Path=/\r\n", "Set-Cookie: ***|"},
        {false, "Location: //u:S3CR3T@h/\r\n", "Location: //***@h/|"},
        {false, "Location: http://u:S3CR3T/p\r\n", "Location: http://***/p|"},
        {false, "Location: http://h:8080/p#S3CR3T\r\n", "Location: http://h:8080/p#***|"},
        {false, "Location: http://[::1]:80/p\r\n", "Location: http://[::1]:80/p|"},
        {false, "Location: /p?next=http://h:S3CR3T/\r\n", "Location: /p?***|"},
        {false, "WWW-Authenticate: Negotiate S3CR3T\r\n", "WWW-Authenticate: Negotiate ***|"},
        {false, "WWW-Authenticate: Basic\r\n", "WWW-Authenticate: Basic|"},
        {false, "Location: #S3CR3T\r\n", "Location: #***|"},
        {false, "Location: #1S3CR3T\r\n", "Location: #***|"},
        {false, "Location: #0/?S3CR3T\r\n", "Location: #***|"},
        {false, "Location: #09\r\n", "Location: #09|"},
        {false, "Location: http://\r\n", "Location: http://|"},
        {false, "Location: http://?S3CR3T@h\r\n", "Location: http://***|"},
        {false, "Location: a?S3CR3T@//h\r\n", "Location: ***|"},
        {false, "Location: http://h:9090/p\r\n", "Location: http://h:9090/p|"},
        {false, "Location: http://u:80:80/p\r\n", "Location: http://***/p|"},
        {false, "Location: http://u:8-0/p\r\n", "Location: http://***/p|"},
        {false, "Location: http:///p\r\n", "Location: http:///p|"},
        {false, "Location: http://[S3CR3T@h/p\r\n", "Location: http://***@h/p|"},
        {false, "Link: <ws://u:S3CR3T@h>;a=\"ws://u:S3CR3T@h\"\r\n",
         "Link: <ws://***@h>;a=\\\"ws://***@h\\\"|"},
        {false, "X: 'ws://u:S3CR3T@h'\tws://u:S3CR3T@h\r\n", "X: 'ws://***@h'\\x09ws://***@h|"},
        {false, "X: ~ \x1f\x7f!\r\n", "X: ~ \\x1f\\x7f!|"},
        {false, "X:\r\n", "X: |"},
        {false, "X: \t \r\n", "X: |"},
        {false, "X: \t a\r\r\n", "X: a|"},
        {false, "Proxy-Authenticate: NTLM S3CR3T\r\n", "Proxy-Authenticate: NTLM ***|"},
        {false, "HTTP/1.1\r\n", "HTTP/1.1|"},
        {true, "GET ws://h/p HTTP/1.1\r\n", "GET ws://h/p HTTP/1.1|"},
        {true, "GET / HTTP/1.1\r\n", "GET / HTTP/1.1|"},
        {false, "Server: \x1b[31m\"a\\b\"\xff\r\n", "Server: \\x1b[31m\\\"a\\\\b\\\"\\xff|"},
        /* what is malformed is not shown */
        {true, "Authorization Bearer S3CR3T\r\n", "***|"},
        {true, "Authorization : S3CR3T\r\n", "***|"},
        {true, " S3CR3T: folded\r\n", "***|"},
        {true, "\tS3CR3T\r\n", "***|"},
        {true, ": S3CR3T\r\n", "***|"},
        {true, "GET /S3CR3T\r\n", "***|"},
        {true, "PUT /S3CR3T HTTP/1.1\r\n", "***|"},
        {true, "get /S3CR3T HTTP/1.1\r\n", "***|"},
        {true, "GET /S3CR3T http/1.1\r\n", "***|"},
        {true, "HTTP/1.1\r\n", "***|"},
        {true, "TTP/1.1\r\n", "***|"},
        {true, "xHTTP/1.1\r\n", "***|"},
        {false, "HTTP/1.\r\n", "***|"},
        {false, "http/1.1 S3CR3T\r\n", "***|"},
        {false, "S3CR3T\r\n", "***|"},
        {true, "X: a\nCookie: S3CR3T\n\n", "X: a|Cookie: ***|"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_STR(head_of(cases[i].text, cases[i].is_sent, ""), cases[i].shown);
    CHECK_STR(heads_of("X: ws://u:S3\0CR3T@h\r\n", 21, true, "", 0), "X: ws://***@h|");
}

/* A part of a header's name says that its value is secret. */
static void test_secret_names(void)
{
    static const char *const names[] = {"Authorization", "X-AUTH",    "Cookie2",       "Token",
                                        "X-Secret-2",    "Passwd",    "My-Credential", "ApiKey",
                                        "X-Session-Id",  "Signature", "X-JWT",         "X-CSRF",
                                        "Assertion",     "X-Api-Key", "User-Password", "Xsec-WebSocket-Key"};
    static const char *const schemes[] = {"Basic", "bearer", "Digest", "Negotiate", "NTLM", "Token"};
    char text[64], wanted[64];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(text, sizeof text, "%s: S3CR3T\r\n", names[i]);
        (void)snprintf(wanted, sizeof wanted, "%s: ***|", names[i]);
        CHECK_STR(head_of(text, true, ""), wanted);
    }
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        (void)snprintf(text, sizeof text, "X: %s S3CR3T\r\n", schemes[i]);
        CHECK_STR(head_of(text, true, ""), "X: ***|");
        (void)snprintf(text, sizeof text, "X: %s\r\n", schemes[i]); /* no secret follows */
        (void)snprintf(wanted, sizeof wanted, "X: %s|", schemes[i]);
        CHECK_STR(head_of(text, true, ""), wanted);
    }
    CHECK_STR(head_of("Key: a\r\nAut: b\r\n", true, ""), "Key: a|Aut: b|");
}

static void test_own_names(void)
{
    CHECK_STR(head_of("X-Mine: S3CR3T\r\n", true, "x-other, X-MINE"), "X-Mine: ***|");
    CHECK_STR(head_of("X-Mine: shown\r\n", true, "X-Min, X-Mine-Too"), "X-Mine: shown|");
    CHECK_STR(head_of("Sec-WebSocket-Protocol: chat\r\n", true, "sec-websocket-protocol"),
              "Sec-WebSocket-Protocol: ***|");
}

static void test_protocols(void)
{
    static const struct {
        const char *items, *shown;
    } cases[] = {
        {"chat, superchat", "chat, superchat"},
        {"graphql-transport-ws", "graphql-transport-ws"},
        {"v12.stomp,mqtt", "v12.stomp,mqtt"},
        {"base64.binary.k8s.io", "base64.binary.k8s.io"},
        {"access_token, eyJhbGciOiJIUzI1NiJ9.e30.S3CR3T", "access_token, ***"},
        {"base64url.bearer.authorization.k8s.io.S3CR3T", "***"},
        {"chat, 0123456789", "chat, ***"},
        {"chat, Abc1", "chat, ***"},
        {"chat, a+b", "chat, ***"},
        {"chat, a:b, a@b, a[b, a`b, a{b", "chat, ***, ***, ***, ***, ***"},
        {"A/Z_a.z-m", "A/Z_a.z-m"},
        {"A1, Z9, a1234, z09", "***, ***, a1234, z09"},
        {"a12345", "***"},
        {"chat,\tsuperchat,", "chat,\\x09superchat,"},
        {"abcdefghijklmnopqrstuvwxyzabcdefg", "***"},
        {"abcdefghijklmnopqrstuvwxyzabcdef", "abcdefghijklmnopqrstuvwxyzabcdef"},
    };
    char text[256], wanted[256];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(text, sizeof text, "Sec-WebSocket-Protocol: %s\r\n", cases[i].items);
        (void)snprintf(wanted, sizeof wanted, "Sec-WebSocket-Protocol: %s|", cases[i].shown);
        CHECK_STR(head_of(text, true, ""), wanted);
    }
}

/* A head may come in pieces that end anywhere, even inside a secret. */
static void test_pieces(void)
{
    static const char text[] = "GET /p?S3CR3T HTTP/1.1\r\nHost: h\r\nCookie: a=S3CR3T; b: S3CR3T\r\n"
                               "Authorization: Basic S3CR3T\r\nX: http://u:S3CR3T@h/\r\n\r\n";

    for (size_t piece = 1; piece < sizeof text; piece++) {
        const char *shown = heads_of(text, sizeof text - 1, true, "", piece);
        for (const char *part = "S3CR3T"; part[2]; part++) /* no three characters of it */
            CHECK(!strstr(shown, (char[]){part[0], part[1], part[2], 0}));
        CHECK(strchr(shown, '*') != NULL);
    }
}

static void test_long_values(void)
{
    char text[2000] = "X: ", wanted[2000] = "X: ";
    const char *shown;

    memset(text + 3, 'a', 1500);
    memcpy(text + 1503, "S3CR3T@h\r\n", 11);
    shown = head_of(text, true, "");
    CHECK_STR(shown, "X: ...|"); /* the end of the word says that it is secret */
    memset(text + 3, ' ', 1500);
    CHECK(strlen(head_of(text, true, "")) < 400);
    memset(text + 3, 'a', 1500);
    memset(text + 203, ' ', 1);
    CHECK(strstr(head_of(text, true, ""), "aaa ...|") != NULL);
    memset(wanted + 3, 'a', 300); /* the limit is 300 bytes */
    memcpy(text + 203, "a", 1);
    memcpy(text + 303, "\r\n", 3);
    memcpy(wanted + 303, "|", 2);
    CHECK_STR(head_of(text, true, ""), wanted);
    memcpy(text + 303, "a\r\n", 4);
    CHECK_STR(head_of(text, true, ""), "X: ...|");
    memcpy(text + 303, " b\r\n", 5);
    memcpy(wanted + 303, " ...|", 6);
    CHECK_STR(head_of(text, true, ""), wanted);
    memcpy(text + 302, " b\r\n", 5);
    memcpy(wanted + 302, " ...|", 6);
    CHECK_STR(head_of(text, true, ""), wanted);
}

/* A text that does not fit is left out as a whole. */
static void test_full_line(void)
{
    static char text[CW__TRACE_LINE_BYTES + 1];
    cw__trace_line line = {0};

    memset(text, 'a', CW__TRACE_LINE_BYTES);
    cw__trace_add(&line, text);
    CHECK_INT(line.len_bytes, 0);
    cw__trace_add(&line, text + 3);
    CHECK_INT(line.len_bytes, CW__TRACE_LINE_BYTES - 3);
    cw__trace_add(&line, "bcd");
    CHECK_INT(line.len_bytes, CW__TRACE_LINE_BYTES - 3);
    cw__trace_add(&line, "bc");
    CHECK_INT(line.len_bytes, CW__TRACE_LINE_BYTES - 1);
    CHECK_STR(line.text + CW__TRACE_LINE_BYTES - 4, "abc");
    cw__trace_add(&line, "b");
    CHECK_INT(line.len_bytes, CW__TRACE_LINE_BYTES - 1);
}

/* ---- libcurl's words ---- */

static const char *words_of(const char *text)
{
    static cw__trace_line line;
    char *copy = exact(text, strlen(text));
    bool is_known;

    line.len_bytes = 0;
    line.text[0] = '\0';
    is_known = cw__trace_add_words(&line, copy, strlen(text));
    free(copy);
    return is_known ? line.text : NULL;
}

static void test_words(void)
{
    static const char *const hidden[] = {
        "Server auth using Basic with user 'S3CR3T'\n",
        "Proxy auth using Basic with user 'S3CR3T'\n",
        "Issue another request to this URL: 'ws://u:S3CR3T@h/'\n",
        "Uses proxy env variable http_proxy == 'http://u:S3CR3T@h'\n",
        "Added cookie id=\"S3CR3T\" for domain h, path /, expire 0\n",
        "a text of a later version: S3CR3T\n",
        "connected to S3CR3T\n",
        "GnuTL",
        "SOCKS5 server authenticated user S3CR3T with GSS-API.\n",
        "",
        "\n",
    };

    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        CHECK(words_of(hidden[i]) == NULL);
    CHECK_STR(words_of("  Trying 127.0.0.1:80...\n"), "  Trying 127.0.0.1:80...");
    CHECK_STR(words_of("Connected to h (127.0.0.1) port 80\n"), "Connected to h (127.0.0.1) port 80");
    CHECK_STR(words_of("Connection #0 to host h:80 left intact"), "Connection #0 to host h:80 left intact");
    CHECK_STR(words_of("Could not resolve host: u:S3CR3T@h"), "Could not resolve host: ***@h");
    CHECK_STR(words_of("  issuer: CN=a\x01\n"), "  issuer: CN=a\\x01");
    CHECK_STR(words_of("Connection #0"), "Connection #0");
    CHECK_STR(words_of("CONNECT"), "CONNECT");
    CHECK_STR(words_of("GnuTLS\r\n\n"), "GnuTLS");
}

/* ---- Frames ---- */

static const char *frame_of(const cw__trace_frame *frame)
{
    static cw__trace_line line;

    line.len_bytes = 0;
    line.text[0] = '\0';
    cw__trace_add_frame(&line, frame);
    return line.text;
}

#define FRAME(text, bytes, ...)                                   \
    frame_of(&(cw__trace_frame){.shown = (const uint8_t *)(text), \
                                .shown_bytes = sizeof(text) - 1,  \
                                .payload_bytes = (bytes),         \
                                .is_final = true,                 \
                                __VA_ARGS__})

static void test_frames(void)
{
    CHECK_STR(FRAME("hi", 2, .opcode = CW__OP_TEXT, .is_sent = true), "> frame text fin=1 len=2 \"hi\"");
    CHECK_STR(FRAME("\"\n\xc3\xa4", 10, .opcode = CW__OP_TEXT),
              "< frame text fin=1 len=10 \"\\\"\\x0a\\xc3\\xa4\"...");
    CHECK_STR(FRAME("\0\xff", 2, .opcode = CW__OP_BINARY), "< frame binary fin=1 len=2 00 ff");
    CHECK_STR(FRAME("hi", 2, .opcode = CW__OP_TEXT, .rsv = 4), "< frame text fin=1 len=2 rsv=4 68 69");
    CHECK_STR(FRAME("\x03\xe8"
                    "bye",
                    5, .opcode = CW__OP_CLOSE),
              "< frame close fin=1 len=5 code=1000 \"bye\"");
    CHECK_STR(FRAME("\x0b\xb9", 2, .opcode = CW__OP_CLOSE), "< frame close fin=1 len=2 code=3001");
    CHECK_STR(FRAME("\x03\xe8"
                    "a",
                    3, .opcode = CW__OP_CLOSE, .rsv = 1),
              "< frame close fin=1 len=3 rsv=1 code=1000 61");
    CHECK_STR(FRAME("a", 1, .opcode = CW__OP_PING), "< frame ping fin=1 len=1 61");
    CHECK_STR(FRAME("\x03", 2, .opcode = CW__OP_CLOSE), "< frame close fin=1 len=2 \"\\x03\"...");
    CHECK_STR(FRAME("", 0, .opcode = CW__OP_PING), "< frame ping fin=1 len=0");
    CHECK_STR(FRAME("", UINT64_MAX, .opcode = CW__OP_PONG), "< frame pong fin=1 len=18446744073709551615...");
    CHECK_STR(frame_of(&(cw__trace_frame){.opcode = CW__OP_CONTINUATION}), "< frame continuation fin=0 len=0");
    CHECK_STR(FRAME("", 0, .opcode = 0xb), "< frame opcode=11 fin=1 len=0");
}

/* The largest payload fits, in both forms. */
static void test_large_frames(void)
{
    static uint8_t data[CW__TRACE_PAYLOAD_MOST];
    cw__trace_frame frame = {
        .shown = data, .shown_bytes = sizeof data, .payload_bytes = sizeof data, .opcode = 1};

    memset(data, 0xff, sizeof data);
    CHECK_INT(strlen(frame_of(&frame)), strlen("< frame text fin=0 len=1024 \"\"") + 4 * sizeof data);
    frame.opcode = 2;
    CHECK_INT(strlen(frame_of(&frame)), strlen("< frame binary fin=0 len=1024 ") + 3 * sizeof data - 1);
}

static const harness_test tests[] = {
    {"requests and replies", test_heads},
    {"names of headers whose values are secret", test_secret_names},
    {"further headers", test_own_names},
    {"subprotocols that look like tokens", test_protocols},
    {"a head that comes in pieces", test_pieces},
    {"long values are cut", test_long_values},
    {"a line that is full", test_full_line},
    {"libcurl's words", test_words},
    {"frames", test_frames},
    {"large frames", test_large_frames},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

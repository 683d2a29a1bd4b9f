/* SPDX-License-Identifier: MIT */
/* Trace: writes the lines of a trace, and masks what is secret in them. What is not known to be harmless is left out: a
 * malformed header line, a text of libcurl that is not in the list here. Pure: no I/O, no lock, no clock. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "protocol.h"

enum {
    VALUE_BYTES = 300,  /* of a header's value or a text, at most */
    NAME_BYTES = 32,    /* a longer subprotocol counts as a token */
    DIGITS_AT_MOST = 4, /* a subprotocol with more digits counts as a token */
    CLOSE_CODE_BYTES = 2
};

#define MASK "***"

/* ---- Writing ---- */

static void put(cw__trace_line *line, const char *text, size_t len_bytes)
{
    size_t room = sizeof line->text - 1 - line->len_bytes;

    if (len_bytes > room)
        return; /* a part of an escape would mislead */
    memcpy(line->text + line->len_bytes, text, len_bytes);
    line->len_bytes += len_bytes;
    line->text[line->len_bytes] = '\0';
}

void cw__trace_add(cw__trace_line *line, const char *text) { put(line, text, strlen(text)); }

__attribute__((format(printf, 2, 3))) static void print(cw__trace_line *line, const char *format, ...)
{
    char text[64];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cw__trace_add(line, text);
}

static void put_escaped(cw__trace_line *line, const char *text, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        char c = text[i];
        if (c == '"' || c == '\\')
            put(line, (const char[]){'\\', c}, 2);
        else if (c >= ' ' && c <= '~')
            put(line, &c, 1);
        else
            print(line, "\\x%02x", (unsigned char)c);
    }
}

/* ---- URIs ---- */

static const char *find(const char *text, size_t len_bytes, const char *wanted)
{
    size_t wanted_bytes = strlen(wanted);

    for (size_t i = 0; i + wanted_bytes <= len_bytes; i++)
        if (memcmp(text + i, wanted, wanted_bytes) == 0)
            return text + i;
    return NULL;
}

/* Returns the length of the text before the first of some characters. */
static size_t span(const char *text, size_t len_bytes, const char *ends)
{
    size_t i = 0;

    while (i < len_bytes && (text[i] == '\0' || !strchr(ends, text[i])))
        i++;
    return i;
}

/* Returns whether the part of a URI between "//" and "/" may hold a user name and a password although it has no "@":
 * something other than a port follows a colon. */
static bool is_suspect(const char *authority, size_t len_bytes)
{
    size_t i = span(authority, len_bytes, ":");

    if (len_bytes > 0 && authority[0] == '[')
        return false;
    for (i += i < len_bytes; i < len_bytes; i++)
        if (authority[i] < '0' || authority[i] > '9')
            return true;
    return false;
}

/* Shows what is no secret at the start of a word, in which a "?" or "#" comes before an "@". So either the user name or
 * password has a "?", or the query has an "@". */
static void put_start(cw__trace_line *line, const char *word, size_t query, size_t user)
{
    put_escaped(line, word, user > 0 || word[0] != '/' ? user : query);
    cw__trace_add(line, MASK);
}

/* Returns the length of a word before its query or fragment. A "#" before nothing but digits is no fragment: libcurl
 * writes "Connection #0". */
static size_t before_query(const char *word, size_t len_bytes)
{
    size_t i = 1;

    if (len_bytes == 0 || word[0] != '#')
        return span(word, len_bytes, "?#");
    while (i < len_bytes && word[i] >= '0' && word[i] <= '9')
        i++;
    return i < len_bytes ? 0 : len_bytes;
}

/* Shows a word without what is secret if it is a URI, or a malformed one: all before its last "@", and all after its first
 * "?" or "#". */
static void put_word(cw__trace_line *line, const char *word, size_t len_bytes)
{
    size_t query = before_query(word, len_bytes);
    const char *slashes = find(word, query, "//");
    size_t user = slashes ? (size_t)(slashes - word) + 2 : 0, at = len_bytes, end;

    for (size_t i = 0; i < len_bytes; i++)
        if (word[i] == '@')
            at = i;
    if (at < len_bytes && query < at) {
        put_start(line, word, query, user);
        return;
    }
    end = slashes ? user + span(word + user, query - user, "/") : 0;
    if (at < len_bytes || (slashes && is_suspect(word + user, end - user))) {
        put_escaped(line, word, user);
        cw__trace_add(line, MASK);
        user = at < len_bytes ? at : end;
    } else
        user = 0;
    put_escaped(line, word + user, query - user);
    if (query < len_bytes) {
        put(line, word + query, 1);
        cw__trace_add(line, MASK);
    }
}

void cw__trace_add_masked(cw__trace_line *line, const char *text, size_t len_bytes)
{
    size_t shown = len_bytes < VALUE_BYTES ? len_bytes : VALUE_BYTES;

    /* cppcheck-suppress knownConditionTrueFalse ; it takes shown for 0 */
    for (size_t i = 0; i < shown; i++) {
        size_t word_bytes = span(text + i, len_bytes - i, " \t\"'<>");
        if (i + word_bytes > shown) /* the end of the word decides what is secret in it */
            break;
        put_word(line, text + i, word_bytes);
        i += word_bytes;
        if (i < len_bytes)
            put_escaped(line, text + i, 1);
    }
    /* cppcheck-suppress knownConditionTrueFalse ; the same */
    if (shown < len_bytes)
        cw__trace_add(line, "...");
}

/* ---- Headers ---- */

static bool is_same(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    return a_bytes == b_bytes && strncasecmp(a, b, a_bytes) == 0;
}

static bool is_name(const char *name, size_t len_bytes, const char *wanted)
{
    return is_same(name, len_bytes, wanted, strlen(wanted));
}

static bool has_word(const char *name, size_t len_bytes, const char *word)
{
    size_t word_bytes = strlen(word);

    for (size_t i = 0; i + word_bytes <= len_bytes; i++)
        if (strncasecmp(name + i, word, word_bytes) == 0)
            return true;
    return false;
}

/* Returns whether the value of a header is secret, by the header's name. */
static bool is_secret(const char *name, size_t len_bytes, const char *names)
{
    static const char *const words[] = {"auth",       "cookie",    "token",   "secret",    "passw",
                                        "credential", "apikey",    "session", "signature", "jwt",
                                        "csrf",       "assertion", "-key",    "-password"};

    while (*names) {
        size_t item_bytes = strcspn(names, ", ");
        if (is_same(name, len_bytes, names, item_bytes))
            return true;
        names += item_bytes;
        names += strspn(names, ", ");
    }
    if (is_name(name, len_bytes, "Sec-WebSocket-Key")) /* random, and of no use to others */
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (has_word(name, len_bytes, words[i]))
            return true;
    return false;
}

/* Returns whether an item of Sec-WebSocket-Protocol looks like a token and not like the name of a protocol. */
static bool is_token(const char *item, size_t len_bytes)
{
    size_t digits = 0;
    bool has_upper = false;

    for (size_t i = 0; i < len_bytes; i++) {
        char c = item[i];
        bool is_digit = c >= '0' && c <= '9', is_upper = c >= 'A' && c <= 'Z';
        bool is_mark = c == '-' || c == '.' || c == '_' || c == '/';
        if (!is_digit && !is_upper && !is_mark && !(c >= 'a' && c <= 'z'))
            return true;
        digits += is_digit;
        has_upper = has_upper || is_upper;
    }
    return len_bytes > NAME_BYTES || digits > DIGITS_AT_MOST || (has_upper && digits > 0);
}

static void put_protocols(cw__trace_line *line, const char *value, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        size_t item_bytes = span(value + i, len_bytes - i, ", \t");
        if (is_token(value + i, item_bytes))
            cw__trace_add(line, MASK);
        else
            put_escaped(line, value + i, item_bytes);
        i += item_bytes;
        if (i < len_bytes)
            put_escaped(line, value + i, 1);
    }
}

/* Returns whether a value begins with a scheme of HTTP authentication. */
static bool has_scheme(const char *value, size_t len_bytes)
{
    static const char *const schemes[] = {"Basic", "Bearer", "Digest", "Negotiate", "NTLM", "Token"};
    size_t word_bytes = span(value, len_bytes, " \t");

    for (size_t i = 0; word_bytes < len_bytes && i < sizeof schemes / sizeof *schemes; i++)
        if (is_name(value, word_bytes, schemes[i]))
            return true;
    return false;
}

static void put_header(cw__trace_line *line, const char *text, size_t name_bytes, size_t len_bytes,
                       const char *names)
{
    const char *value = text + name_bytes + 1;
    size_t value_bytes = len_bytes - name_bytes - 1;

    for (; value_bytes > 0 && (*value == ' ' || *value == '\t'); value++)
        value_bytes--;
    put_escaped(line, text, name_bytes);
    cw__trace_add(line, ": ");
    if (is_name(text, name_bytes, "WWW-Authenticate") || is_name(text, name_bytes, "Proxy-Authenticate")) {
        size_t word_bytes = span(value, value_bytes, " \t"); /* Negotiate has a ticket behind it */
        put_escaped(line, value, word_bytes);
        if (word_bytes < value_bytes)
            cw__trace_add(line, " " MASK);
    } else if (is_secret(text, name_bytes, names) || has_scheme(value, value_bytes))
        cw__trace_add(line, MASK);
    else if (is_name(text, name_bytes, "Sec-WebSocket-Protocol"))
        put_protocols(line, value, value_bytes);
    else
        cw__trace_add_masked(line, value, value_bytes);
}

/* Returns whether a line is the first of a request or of a reply. */
static bool is_first(const char *text, size_t len_bytes, bool is_sent)
{
    static const char version[] = "HTTP/1.", *const methods[] = {"GET /", "GET ws", "CONNECT "};
    size_t version_bytes = sizeof version - 1;

    if (!is_sent)
        return len_bytes > version_bytes && memcmp(text, version, version_bytes) == 0;
    if (len_bytes < version_bytes + 2 ||
        memcmp(text + len_bytes - version_bytes - 1, version, version_bytes) != 0)
        return false;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (memcmp(text, methods[i], strlen(methods[i])) == 0) /* none is longer than the version and 2 bytes */
            return true;
    return false;
}

static void put_line(cw__trace_line *line, const char *text, size_t len_bytes, bool is_sent, const char *names)
{
    size_t name_bytes = span(text, len_bytes, ":");

    if (is_first(text, len_bytes, is_sent))
        cw__trace_add_masked(line, text, len_bytes);
    else if (name_bytes < len_bytes && cw__is_token(text, name_bytes))
        put_header(line, text, name_bytes, len_bytes, names);
    else /* it continues a header, or is malformed */
        cw__trace_add(line, MASK);
}

bool cw__trace_add_head(cw__trace_line *line, cw__trace_heads *heads, bool is_sent, const char *names,
                        const char **text, size_t *len_bytes)
{
    while (*len_bytes > 0) {
        const char *start = *text;
        size_t line_bytes = span(start, *len_bytes, "\n"), used = line_bytes + (line_bytes < *len_bytes);
        bool was_inside = heads->is_inside[is_sent];

        heads->is_inside[is_sent] = line_bytes == *len_bytes;
        *text += used;
        *len_bytes -= used;
        while (line_bytes > 0 && start[line_bytes - 1] == '\r')
            line_bytes--;
        if (was_inside || line_bytes == 0) /* the rest of a line of which a part was shown */
            continue;
        /* The line may end in the middle of its value, so that what follows a masked word is not known. */
        if (heads->is_inside[is_sent])
            cw__trace_add(line, MASK);
        else
            put_line(line, start, line_bytes, is_sent, names);
        return true;
    }
    return false;
}

/* ---- libcurl's words ---- */

/* The beginnings of texts of libcurl (8.14.1, 8.22) that hold addresses, names of hosts, versions, files, and parts of
 * certificates. Texts about authentication and URIs are not among them. */
static const char *const known[] = {
    "  Trying ",
    "Trying ",
    "Connected to ",
    "Established ",
    "Host ",
    "IPv4: ",
    "IPv6: ",
    "Name '",
    "Local ",
    "Immediate connect fail",
    "Failed to connect to ",
    "connect to ",
    "Could not resolve",
    "Connection timed out",
    "Connection timeout",
    "Connection refused",
    "connection timeout",
    "Recv failure",
    "Send failure",
    "Connection #",
    "Connection died",
    "closing connection",
    "shutting down connection",
    "Closing connection",
    "Empty reply from server",
    "Connection closed abruptly",
    "getpeername() failed",
    "Hostname ",
    "ALPN: ",
    "TLSv1.",
    "SSL connection using ",
    "SSL certificate ",
    "SSL: ",
    "SSL Trust",
    "  CA",
    " CA",
    "Server certificate:",
    "Proxy certificate:",
    "  subject: ",
    " subject: ",
    "  issuer: ",
    " issuer: ",
    "  start date: ",
    " start date: ",
    "  expire date: ",
    " expire date: ",
    "  subjectAltName: ",
    " subjectAltName",
    "  Certificate level ",
    " SSL certificate ",
    "  OpenSSL default",
    "OpenSSL verify",
    "OpenSSL SSL_",
    "TLS connect error: ",
    "GnuTLS",
    "found ",
    "using HTTP/1",
    "Request completely sent off",
    "Received 101, ",
    "Refused WebSocket upgrade",
    "[WS] ",
    "CONNECT",
    "Establish HTTP proxy tunnel to ",
    "Establishing HTTP",
    "Proxy CONNECT",
    "SOCKS4",
    "SOCKS5 connect to ",
    "SOCKS5 request granted",
    "SOCKS5: ",
    "SOCKS5 reply",
    "SOCKS5 connection",
    "Opened ",
    "HTTP 1.0, assume close",
    "Operation timed out",
    "Header without colon",
    "Nul byte in header",
    "Invalid status line",
    "Received HTTP/0.9",
    "Too large response headers",
    "Unsupported HTTP",
    "error adding trust anchors",
    "error loading CRL",
};

bool cw__trace_add_words(cw__trace_line *line, const char *text, size_t len_bytes)
{
    while (len_bytes > 0 && (text[len_bytes - 1] == '\n' || text[len_bytes - 1] == '\r'))
        len_bytes--;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t known_bytes = strlen(known[i]);
        if (len_bytes >= known_bytes && memcmp(text, known[i], known_bytes) == 0) {
            cw__trace_add_masked(line, text, len_bytes);
            return true;
        }
    }
    return false;
}

/* ---- Frames ---- */

static void put_hex(cw__trace_line *line, const uint8_t *data, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++)
        print(line, i ? " %02x" : "%02x", data[i]);
}

static void put_quoted(cw__trace_line *line, const uint8_t *data, size_t len_bytes)
{
    cw__trace_add(line, "\"");
    put_escaped(line, (const char *)data, len_bytes);
    cw__trace_add(line, "\"");
}

void cw__trace_add_frame(cw__trace_line *line, const cw__trace_frame *frame)
{
    const cw__trace_frame *f = frame;
    static const char *const words[CW__OPCODE_COUNT] = {"continuation", "text", "binary", NULL,   NULL,  NULL,
                                                        NULL,           NULL,   "close",  "ping", "pong"};
    const char *word = words[f->opcode & CW__OPCODE_BITS];
    const uint8_t *data = f->shown;
    size_t len = f->shown_bytes;

    print(line, "%s frame ", f->is_sent ? ">" : "<");
    if (word)
        cw__trace_add(line, word);
    else
        print(line, "opcode=%u", f->opcode & (unsigned)CW__OPCODE_BITS);
    print(line, " fin=%d len=%llu", f->is_final, (unsigned long long)f->payload_bytes);
    if (f->rsv)
        print(line, " rsv=%u", f->rsv);
    if (f->opcode == CW__OP_CLOSE && len >= CLOSE_CODE_BYTES) {
        print(line, " code=%u", (unsigned)data[0] << 8 | data[1]);
        data += CLOSE_CODE_BYTES, len -= CLOSE_CODE_BYTES;
    }
    if (len > 0) {
        cw__trace_add(line, " ");
        if ((f->opcode == CW__OP_TEXT || f->opcode == CW__OP_CLOSE) && !f->rsv)
            put_quoted(line, data, len);
        else
            put_hex(line, data, len);
    }
    if (f->shown_bytes < f->payload_bytes)
        cw__trace_add(line, "...");
}

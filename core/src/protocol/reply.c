/* SPDX-License-Identifier: MIT */
/* The reply to the opening handshake: it collects the header lines and checks them (RFC 6455 section 4.1). libcurl
 * (8.14.1 and 8.22) does not check Sec-WebSocket-Accept, nor whether Upgrade, Connection, extension and subprotocol fit
 * the request. So this file does. handshake.c passes the lines from libcurl; verdict.c asks for the result. Pure: lines
 * in, result out; no I/O, no libcurl.
 *
 * Reasons: CW_CONNECT_FAILED. */
#include "protocol.h"

#include <string.h>
#include <strings.h>

/* libcurl's own limits: 100 KiB for a line, 5000 lines, 300 KiB for all replies to a request (8.14.1). */
enum {
    ACCEPT_CHARS = 28,
    STATUS_LINE_BYTES = 12,         /* "HTTP/1.1 101"; the reason may be missing */
    LINES_LIMIT_BYTES = 128 * 1024, /* the header lines that are kept */
    HEAD_LIMIT_BYTES = 256 * 1024   /* all replies together, interim replies too */
};

/* ---- Collecting lines ---- */

void cw__reply_destroy(cw__reply *r)
{
    cw__free(r->lines);
    memset(r, 0, sizeof *r);
}

void cw__reply_forget(cw__reply *r)
{
    size_t head_bytes = r->head_bytes;

    cw__reply_destroy(r);
    r->head_bytes = head_bytes;
}

const char *cw__reply_lines(const cw__reply *r) { return r->len_bytes ? r->lines : ""; }

/* Checks the characters of a value or a reason (RFC 9110 section 5.5). A CR is not allowed, because some programs take
 * it for the end of a line. */
static bool is_text(const char *text, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Returns whether a line is a status line (RFC 9112 section 4). libcurl is less strict: it accepts more than three
 * digits and uses three, and it accepts a tab as the blank. */
static bool is_status_line(const char *line, size_t len_bytes)
{
    return len_bytes >= STATUS_LINE_BYTES && line[8] == ' ' && is_digit(line[9]) && is_digit(line[10]) &&
           is_digit(line[11]) && (len_bytes == STATUS_LINE_BYTES || line[12] == ' ') &&
           is_text(line, len_bytes);
}

static bool is_header(const char *line, size_t len_bytes)
{
    const char *colon = memchr(line, ':', len_bytes);

    return colon && cw__is_token(line, (size_t)(colon - line)) && is_text(line, len_bytes);
}

static void begin(cw__reply *r, const char *line, size_t len_bytes)
{
    r->is_begun = true;
    r->is_complete = false;
    r->len_bytes = 0;
    r->is_http_1 = len_bytes >= 7 && memcmp(line, "HTTP/1.", 7) == 0;
    r->is_http_1_1 = r->is_http_1 && len_bytes > 7 && line[7] == '1';
    r->is_malformed = !is_status_line(line, len_bytes);
    r->http_status = r->is_malformed ? 0 : (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
}

/* Keeps a line. Blanks at its end are not part of the value and are removed; the line then ends in CRLF. */
static bool keep(cw__reply *r, const char *line, size_t len_bytes)
{
    size_t need_bytes;

    while (len_bytes > 0 && cw__is_blank(line[len_bytes - 1]))
        len_bytes--;
    need_bytes = r->len_bytes + len_bytes + 2;
    if (need_bytes > LINES_LIMIT_BYTES)
        return false;
    if (need_bytes + 1 > r->room_bytes) {
        char *grown = cw__realloc(r->lines, 2 * need_bytes);
        if (!grown) {
            r->has_no_memory = true;
            return false;
        }
        r->lines = grown;
        r->room_bytes = 2 * need_bytes;
    }
    memcpy(r->lines + r->len_bytes, line, len_bytes);
    memcpy(r->lines + need_bytes - 2, "\r\n", 3);
    r->len_bytes = need_bytes;
    return true;
}

/* Appends a folded line to the value before it, after one blank (RFC 9112 section 5.2). libcurl before 8.18 passes
 * folded lines on unchanged; later versions unfold them. */
static bool unfold(cw__reply *r, const char *line, size_t len_bytes)
{
    while (len_bytes > 0 && cw__is_blank(line[0]))
        line++, len_bytes--;
    if (len_bytes == 0)
        return true;
    r->len_bytes -= 2;
    r->lines[r->len_bytes++] = ' '; /* replaces the CR */
    return keep(r, line, len_bytes);
}

bool cw__reply_line(cw__reply *r, const char *line, size_t len_bytes)
{
    bool ends_head = len_bytes == 0 || line[0] == '\r' || line[0] == '\n'; /* libcurl's rule too */

    r->head_bytes += len_bytes;
    if (r->head_bytes > HEAD_LIMIT_BYTES)
        r->is_cut = true;
    if (len_bytes > 0 && line[len_bytes - 1] != '\n')
        return !r->is_cut; /* the connection ended within the line; libcurl (at the latest 8.21) still passes on such a line */
    if (len_bytes > 0)
        len_bytes -= len_bytes > 1 && line[len_bytes - 2] == '\r' ? 2 : 1;
    if (!r->is_begun || r->is_complete) {
        begin(r, line, len_bytes);
    } else if (ends_head) {
        r->is_complete = true;
        r->is_malformed = r->is_malformed || len_bytes > 0;
    } else if (cw__is_blank(line[0]) && r->len_bytes > 0 && is_text(line, len_bytes)) {
        r->is_cut = r->is_cut || !unfold(r, line, len_bytes);
    } else if (is_header(line, len_bytes)) {
        r->is_cut = r->is_cut || !keep(r, line, len_bytes);
    } else {
        r->is_malformed = true;
    }
    return !r->is_cut;
}

/* ---- Reading the lines ---- */

static const char *without_blanks(const char *text, const char *end, size_t *len_bytes)
{
    while (text < end && cw__is_blank(*text))
        text++;
    while (text < end && cw__is_blank(end[-1]))
        end--;
    *len_bytes = (size_t)(end - text);
    return text;
}

bool cw_header_next(const char *lines, size_t len_bytes, size_t *at_bytes, cw_header *out)
{
    *out = (cw_header){0};
    while (*at_bytes < len_bytes) {
        const char *line = lines + *at_bytes, *end = lines + len_bytes;
        const char *feed = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = feed ? feed : end;
        const char *colon;

        *at_bytes = (size_t)((feed ? feed + 1 : end) - lines);
        if (line_end > line && line_end[-1] == '\r')
            line_end--;
        colon = memchr(line, ':', (size_t)(line_end - line));
        if (!colon)
            continue;
        out->name = without_blanks(line, colon, &out->name_len_bytes);
        out->value = without_blanks(colon + 1, line_end, &out->value_len_bytes);
        return true;
    }
    return false;
}

/* ---- Checking the reply ---- */

/* Returns the value of the n-th header called name; NULL if there are fewer. */
static const char *value_of(const cw__reply *r, const char *name, int n, size_t *len_bytes)
{
    const char *lines = cw__reply_lines(r);
    size_t all_bytes = strlen(lines), at_bytes = 0;
    cw_header header;

    while (cw_header_next(lines, all_bytes, &at_bytes, &header))
        if (header.name_len_bytes == strlen(name) && strncasecmp(header.name, name, strlen(name)) == 0 &&
            n-- <= 0) {
            *len_bytes = header.value_len_bytes;
            return header.value;
        }
    return NULL;
}

/* Returns whether the header called name occurs exactly once and has the value wanted. */
static bool has_once(const cw__reply *r, const char *name, const char *wanted, bool any_case)
{
    size_t len, more;
    const char *value = value_of(r, name, 0, &len);

    return value && !value_of(r, name, 1, &more) && len == strlen(wanted) &&
           (any_case ? strncasecmp(value, wanted, len) == 0 : memcmp(value, wanted, len) == 0);
}

/* Returns whether a Connection header has the token Upgrade. The header may occur several times, with several tokens
 * each. */
static bool connection_has_upgrade(const cw__reply *r)
{
    size_t len;
    const char *value;

    for (int n = 0; (value = value_of(r, "Connection", n, &len)); n++)
        if (cw__list_has(value, value + len, "upgrade", 7, true))
            return true;
    return false;
}

static void expected_accept(const char key[CW__KEY_CHARS + 1], char accept[ACCEPT_CHARS + 1])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[CW__KEY_CHARS + sizeof guid];
    uint8_t digest[20];

    memcpy(text, key, CW__KEY_CHARS);
    memcpy(text + CW__KEY_CHARS, guid, sizeof guid);
    cw__sha1(text, sizeof text - 1, digest);
    cw__base64(digest, sizeof digest, accept);
}

const char *cw__reply_fault(const cw__reply *r, const char *key, const char *protocols, const char **protocol,
                            size_t *protocol_bytes)
{
    char accept[ACCEPT_CHARS + 1];
    size_t len, more;
    const char *value;

    *protocol = NULL;
    if (!r->is_complete)
        return "the server ended its reply in the middle";
    if (r->is_cut)
        return "the reply's headers are too large";
    if (!r->is_http_1_1)
        return "the reply is not HTTP/1.1";
    if (r->is_malformed)
        return "a line of the reply is malformed";
    if (!has_once(r, "Upgrade", "websocket", true))
        return "the Upgrade header is missing or is not \"websocket\"";
    if (!connection_has_upgrade(r))
        return "the Connection header is missing or lacks \"Upgrade\"";
    expected_accept(key, accept);
    if (!has_once(r, "Sec-WebSocket-Accept", accept, false))
        return "the header Sec-WebSocket-Accept is missing or does not answer our key";
    value = value_of(r, "Sec-WebSocket-Protocol", 0, &len);
    if (!value)
        return NULL;
    if (value_of(r, "Sec-WebSocket-Protocol", 1, &more) ||
        !cw__list_has(protocols, protocols + strlen(protocols), value, len, false))
        return "the server chose a subprotocol that was not offered";
    *protocol = value;
    *protocol_bytes = len;
    return NULL;
}

const char *cw__reply_extension_fault(const cw__reply *r, const cw__compression *offer, cw__compression *terms,
                                      const char **extensions, size_t *extensions_bytes)
{
    size_t len, more;
    const char *value = value_of(r, "Sec-WebSocket-Extensions", 0, &len);

    *terms = (cw__compression){0};
    *extensions = NULL;
    if (!value)
        return NULL;
    if (value_of(r, "Sec-WebSocket-Extensions", 1, &more)) /* RFC 6455 section 11.3.2 */
        return "the extension header Sec-WebSocket-Extensions comes more than once";
    if (len == 0)
        return NULL;
    if (!offer)
        return "the server accepted an extension, and none was offered";
    *extensions = value;
    *extensions_bytes = len;
    return cw__compression_answer(offer, value, len, terms);
}

bool cw__reply_redirects(int http_status)
{
    return (http_status >= 301 && http_status <= 303) || http_status == 307 || http_status == 308;
}

void cw__reply_refused(int http_status, cw__error *error)
{
    const char *hint = ": ask whoever runs the server";

    if (cw__reply_redirects(http_status))
        hint = ": it redirects; set follow_location, or connect to the address in its Location header";
    else if (http_status >= 300 && http_status < 400)
        hint = ": it redirects; connect to the address in its Location header";
    else if (http_status == 401 || http_status == 403)
        hint = ": it wants credentials or does not accept these; set server_credential, user:password@ in the "
               "URI, or the header Authorization";
    else if (http_status == 404)
        hint = ": there is no such path; check the path in the URI";
    else if (http_status == 200 || http_status == 426)
        hint = ": there is an HTTP server, but no WebSocket at this path; check the path in the URI";
    cw__error_set(error, CW_CONNECT_FAILED, cw__web_status_of_http(http_status),
                  "the server refused the WebSocket with HTTP status %d%s", http_status, hint);
    error->http_status = http_status;
    if (cw__reply_redirects(http_status))
        error->limit = CW_OPT_FOLLOW_LOCATION + 1;
}

bool cw__reply_is_empty(const cw__reply *r)
{
    size_t len;
    const char *value = value_of(r, "Content-Length", 0, &len);

    return value && len == 1 && *value == '0' && !value_of(r, "Transfer-Encoding", 0, &len);
}

int64_t cw__reply_retry_after(const cw__reply *r, int64_t now_s)
{
    size_t len, date_bytes;
    const char *value = value_of(r, "Retry-After", 0, &len);
    const char *date = value ? value_of(r, "Date", 0, &date_bytes) : NULL;
    int64_t sent_s = date ? cw__http_date(date, date_bytes, now_s) : CW__NO_DATE;

    return value ? cw__retry_after(value, len, sent_s == CW__NO_DATE ? now_s : sent_s) : -1;
}

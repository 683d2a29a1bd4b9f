/* SPDX-License-Identifier: MIT */
/* Runs the vectors of tests/conformance/handshake against reply.c: the lines of each reply that its verdict is about,
 * as libcurl would pass them. The Python and Lua suites run vectors whose result depends on libcurl or the connection
 * (a status other than 101, an end, TLS). All tests run in the root of the tree. */
#include "harness.h"

#include <dirent.h>

#define FOLDER "tests/conformance/handshake/"
#define KEY    "AQIDBAUGBwgJCgsMDQ4PEA=="

enum { LINE_LIMIT_BYTES = 100 * 1024 /* libcurl's, for a line */, ENDLESS = 200000, REPLY_BYTES = 8 << 20 };

/* One vector, as far as this test needs it. */
typedef struct vector {
    char name[64], protocols[128], opens[64], fails[64], says[128], extensions[128], terms[64];
    cw__compression offer; /* is_on = false: none */
    char *reply;           /* the reply, which may contain NUL */
    size_t reply_bytes;
} vector;

static void append(vector *v, const char *data, size_t len_bytes)
{
    CHECK(v->reply_bytes + len_bytes <= REPLY_BYTES);
    memcpy(v->reply + v->reply_bytes, data, len_bytes);
    v->reply_bytes += len_bytes;
}

static void put_accept(char accept_value[32])
{
    static const char text[] = KEY "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t digest[20];

    cw__sha1(text, sizeof text - 1, digest);
    cw__base64(digest, sizeof digest, accept_value);
}

/* Replaces escapes and placeholders by their values. */
static size_t unescape(const char *text, char *out)
{
    char *at = out, accept_value[32];

    put_accept(accept_value);
    while (*text) {
        unsigned value;
        if (strncmp(text, "{accept}", 8) == 0) {
            at += sprintf(at, "%s", accept_value);
            text += 8;
        } else if (strncmp(text, "{key}", 5) == 0) {
            at += sprintf(at, "%s", KEY);
            text += 5;
        } else if (text[0] == '\\' && text[1] == 'x') {
            CHECK_INT(sscanf(text + 2, "%2x", &value), 1);
            *at++ = (char)value;
            text += 4;
        } else if (text[0] == '\\') {
            const char *which = strchr("r\rn\nt\ts 0\0\\\\", text[1]);
            CHECK(which != NULL);
            *at++ = which[1];
            text += 2;
        } else {
            *at++ = *text++;
        }
    }
    return (size_t)(at - out);
}

static void append_many(vector *v, const char *text, unsigned long count)
{
    char data[4096];
    size_t len = unescape(text, data);

    for (unsigned long i = 0; i < count && v->reply_bytes + len <= REPLY_BYTES; i++)
        append(v, data, len);
}

static void set_control(vector *v, const char *text)
{
    char name[64];
    unsigned value;

    if (strcmp(text, "compression deflate") == 0) {
        v->offer = (cw__compression){.is_on = true, .server_bits = 15, .client_bits = 15};
        return;
    }
    CHECK_INT(sscanf(text, "%63s %u", name, &value), 2);
    CHECK(v->offer.is_on);
    if (strcmp(name, "server_max_window_bits") == 0)
        v->offer.server_bits = (uint8_t)value;
    else if (strcmp(name, "client_max_window_bits") == 0)
        v->offer.client_bits = (uint8_t)value;
    else if (strcmp(name, "server_no_context_takeover") == 0)
        v->offer.server_resets = value;
    else if (strcmp(name, "client_no_context_takeover") == 0)
        v->offer.client_resets = value;
    else
        HARNESS_FAIL("%s: no such control: %s", v->name, text);
}

/* Reads one line of a file; it skips a line that this test does not need. */
static void take(vector *v, const char *line)
{
    char *rest;

    if (line[0] == '>') {
        append_many(v, line[1] ? line + 2 : "", 1);
        append(v, "\r\n", 2);
    } else if (line[0] == '+') {
        append_many(v, line + 2, 1);
    } else if (strncmp(line, "many: ", 6) == 0) {
        unsigned long count = strtoul(line + 6, &rest, 10);
        append_many(v, rest + 1, count);
    } else if (strncmp(line, "endless: ", 9) == 0) {
        append_many(v, line + 9, ENDLESS);
    } else if (strncmp(line, "control: ", 9) == 0) {
        set_control(v, line + 9);
    } else {
        (void)(sscanf(line, "extensions: %127[^\n]", v->extensions) ||
               sscanf(line, "terms: %63[^\n]", v->terms) ||
               sscanf(line, "protocols: %127[^\n]", v->protocols) || sscanf(line, "opens: %63s", v->opens) ||
               sscanf(line, "fails: %63[^\n]", v->fails) || sscanf(line, "says: %127[^\n]", v->says));
    }
}

/* Feeds the lines up to the end of the final reply. Returns false if a line is longer than libcurl accepts. */
static bool feed(const vector *v, cw__reply *r)
{
    const char *at = v->reply, *end = v->reply + v->reply_bytes, *lf;
    int status = 0;

    while ((lf = memchr(at, '\n', (size_t)(end - at)))) {
        size_t len = (size_t)(lf + 1 - at);
        bool begins = !r->is_begun || r->is_complete;
        if (len > LINE_LIMIT_BYTES)
            return false;
        if (begins)
            status = len > 12 ? atoi(at + 9) : 0;
        if (!cw__reply_line(r, at, len) || (r->is_complete && (status < 100 || status > 199 || status == 101)))
            return true;
        at = lf + 1;
    }
    return end - at <= LINE_LIMIT_BYTES;
}

/* "10 15 0 0": window bits of the server's and of our compressor, and whether each resets after a message. */
static void check_terms(const vector *v, const cw__compression *terms)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%u %u %d %d", terms->server_bits, terms->client_bits,
                   terms->server_resets, terms->client_resets);
    if (!terms->is_on || strcmp(text, v->terms) != 0)
        HARNESS_FAIL("%s: \"%s\" instead of \"%s\"", v->name, text, v->terms);
}

static void judge(const vector *v)
{
    cw__reply r = {0};
    cw__compression terms;
    const char *protocol, *extensions = NULL, *fault;
    size_t len = 0, extensions_bytes = 0;

    if (*v->fails && strcmp(v->fails, "ErrorHttpInvalidServerResponse 101") != 0)
        return;
    if (!feed(v, &r)) {
        CHECK_STR(v->says, "too large");
    } else {
        fault = r.is_cut ? "the reply's headers are too large"
                         : cw__reply_fault(&r, KEY, v->protocols, &protocol, &len);
        if (!fault)
            fault = cw__reply_extension_fault(&r, v->offer.is_on ? &v->offer : NULL, &terms, &extensions,
                                              &extensions_bytes);
        if (*v->opens && fault)
            HARNESS_FAIL("%s: \"%s\"", v->name, fault);
        if (*v->fails && (!fault || !strstr(fault, v->says)))
            HARNESS_FAIL("%s: \"%s\" instead of \"%s\"", v->name, fault ? fault : "it opens", v->says);
        if (*v->opens && strcmp(v->opens, "-") != 0)
            CHECK_BYTES(protocol, len, v->opens, strlen(v->opens));
        if (*v->opens && *v->extensions) {
            char wanted[128];
            size_t wanted_bytes = strcmp(v->extensions, "-") == 0 ? 0 : unescape(v->extensions, wanted);
            CHECK_BYTES(extensions, extensions_bytes, wanted, wanted_bytes);
        }
        if (*v->opens && *v->terms)
            check_terms(v, &terms);
        CHECK((*v->opens != '\0') != (*v->fails != '\0'));
    }
    cw__reply_destroy(&r);
}

static void run_file(const char *name)
{
    char path[128], line[4096];
    vector v = {.reply = malloc(REPLY_BYTES)};
    FILE *file;

    (void)snprintf(path, sizeof path, FOLDER "%s.txt", name);
    file = fopen(path, "r");
    CHECK(file != NULL && v.reply != NULL);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "name: ", 6) == 0) {
            char *reply = v.reply;
            if (*v.name)
                judge(&v);
            memset(&v, 0, sizeof v);
            v.reply = reply;
            (void)snprintf(v.name, sizeof v.name, "%.60s", line + 6);
        } else if (*line && *line != '#') {
            take(&v, line);
        }
    }
    judge(&v);
    (void)fclose(file);
    free(v.reply);
}

#define FILES(X)   \
    X(accept)      \
    X(compression) \
    X(connection)  \
    X(ends) X(extensions) X(interim) X(lines) X(protocol) X(sizes) X(start) X(status) X(tls) X(upgrade)

#define TEST(name) \
    static void test_##name(void) { run_file(#name); }
FILES(TEST)

/* No file is left out. */
static void test_files(void)
{
#define COUNT(name) +1
    int wanted = 0 FILES(COUNT), found = 0;
    DIR *folder = opendir(FOLDER);
    struct dirent *entry;

    CHECK(folder != NULL);
    while ((entry = readdir(folder)))
        found += strstr(entry->d_name, ".txt") != NULL;
    (void)closedir(folder);
    CHECK_INT(found, wanted);
}

static const harness_test tests[] = {
#define ROW(name) {"vectors: " #name, test_##name},
    FILES(ROW){"vectors: every file", test_files},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

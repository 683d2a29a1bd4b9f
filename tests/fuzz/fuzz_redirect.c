/* SPDX-License-Identifier: MIT */
/* Fuzz target: what a server may write into Location and WWW-Authenticate, and the text of a .netrc file. A redirect that can
 * be followed has a URI without user name and fragment, never leads from wss to ws, and stays where it is if it is resolved
 * against itself. Credentials stay only with the same host and port. */
#include "fuzz.h"

#include <strings.h>

static const char *const bases[] = {"ws://u:p@a.example/b/c?d", "wss://u@a.example:8443/",
                                    "ws://[fe80::1%25eth0]:90/x", "wss://u:p@[::1]/a/b/"};

static void check_followed(const cw__uri *from, const cw__redirect *to)
{
    char fault[CW__URI_FAULT_BYTES];
    size_t target_bytes;
    const char *path;
    cw__redirect again;
    char *lines;

    DEMAND(!from->is_secure || to->uri.is_secure);
    DEMAND(!strchr(to->text, '#'));
    path = strstr(to->text, "://") + 3;
    path += strcspn(path, "/?");
    DEMAND(!memchr(to->text, '@', (size_t)(path - to->text)));
    DEMAND(to->is_same_origin || !strchr(to->uri.prefix, '@'));
    DEMAND(!to->is_same_origin || strcmp(to->uri.prefix, from->prefix) == 0);
    DEMAND(!to->is_same_origin || strcasecmp(to->uri.host, from->host) == 0);
    target_bytes = strcspn(to->uri.target, "?");
    for (const char *dots = to->uri.target; (dots = strstr(dots, "/.")); dots++) {
        size_t len = 1 + strcspn(dots + 1, "/?");
        DEMAND((size_t)(dots - to->uri.target) >= target_bytes || (len != 2 && (len != 3 || dots[2] != '.')));
    }
    lines = malloc(strlen(to->text) + 16);
    DEMAND(lines);
    (void)sprintf(lines, "Location: %s\r\n", to->text);
    DEMAND(cw__redirect_read(lines, &to->uri, &again, fault) == CW__REDIRECT_OK);
    DEMAND(again.is_same_origin && strcmp(again.uri.target, to->uri.target) == 0);
    cw__redirect_destroy(&again);
    free(lines);
}

static void follow(const char *base, const char *lines)
{
    char fault[CW__URI_FAULT_BYTES] = "";
    cw__uri from;
    cw__redirect to;

    DEMAND(cw__uri_read(base, strlen(base), &from, fault) == CW__URI_OK);
    switch (cw__redirect_read(lines, &from, &to, fault)) {
    case CW__REDIRECT_OK:
        check_followed(&from, &to);
        break;
    case CW__REDIRECT_TO_PLAIN:
        DEMAND(from.is_secure && !to.uri.is_secure && !to.is_same_origin);
        break;
    case CW__REDIRECT_BAD:
        DEMAND(*fault && !to.text && !to.uri.text);
        for (const char *at = fault; *at; at++)
            DEMAND(*at >= ' ' && *at < 0x7f);
        break;
    case CW__REDIRECT_NO_MEMORY:
        DEMAND(false);
    }
    cw__redirect_destroy(&to);
    cw__uri_destroy(&from);
}

static void find(const uint8_t *data, size_t len_bytes)
{
    char fault[CW__URI_FAULT_BYTES] = "";
    char *joined;
    cw__netrc_result result = cw__netrc_find((const char *)data, len_bytes, "a.example", "u", &joined, fault);

    DEMAND((result == CW__NETRC_FOUND) == (joined != NULL) && (result == CW__NETRC_BAD) == (*fault != '\0'));
    DEMAND(!joined || strcmp(joined, "u") == 0);
    cw__free(joined);
}

static void challenge(const uint8_t *data, size_t len_bytes)
{
    static const char name[] = "WWW-Authenticate: ";
    char *line = malloc(len_bytes + sizeof name);

    DEMAND(line);
    memcpy(line, name, sizeof name);
    if (len_bytes)
        memcpy(line + sizeof name - 1, data, len_bytes);
    line[sizeof name - 1 + len_bytes] = '\0';
    DEMAND(cw__challenge_schemes(line) < 2 * CW__SCHEME_OTHER);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    static const char name[] = "Location: ";
    cw__reply reply = {0};
    char *line = malloc(len_bytes + sizeof name + 2);
    size_t len = 0;

    DEMAND(line);
    if (len_bytes == 0) {
        free(line);
        return 0;
    }
    find(data + 1, len_bytes - 1);
    (void)cw__reply_line(&reply, "HTTP/1.1 302 x\r\n", 16);
    (void)strcpy(line, name);
    len = sizeof name - 1;
    for (size_t i = 1; i < len_bytes; i++)
        if (data[i] != '\0' && data[i] != '\n' && data[i] != '\r')
            line[len++] = (char)data[i];
    memcpy(line + len, "\r\n", 3);
    (void)cw__reply_line(&reply, line, len + 2);
    (void)cw__reply_line(&reply, "\r\n", 2);
    follow(bases[data[0] % (sizeof bases / sizeof *bases)], cw__reply_lines(&reply));
    cw__reply_destroy(&reply);
    free(line);
    challenge(data + 1, len_bytes - 1);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Netrc: finds the user name and the password of a host in the text of a .netrc file. netrc_file.c reads the file.
 * libcurl's own reader is not used, because its entry `default` would give a password to every host. Pure.
 *
 * Reasons: CW_CONNECT_FAILED. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "protocol.h"

enum { TOKEN_BYTES = 4096 };

typedef struct reader {
    const char *at, *end;
    unsigned line;
    char token[TOKEN_BYTES]; /* the latest; in no text */
    char *fault;
} reader;

/* The entry that is being read. Its texts are of TOKEN_BYTES. */
typedef struct entry {
    bool is_wanted; /* it is of the host */
    bool has_user, has_password;
    char user[TOKEN_BYTES], password[TOKEN_BYTES];
} entry;

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static char unescape(char c) { return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c; }

static bool skip_spaces(reader *r)
{
    while (r->at < r->end && is_space(*r->at))
        r->line += *r->at++ == '\n';
    return r->at < r->end;
}

static void skip_line(reader *r)
{
    while (r->at < r->end && *r->at != '\n')
        r->at++;
}

/* Reads a word, or a text in quotes as curl takes it. Returns false at the end, or with a fault. */
static bool next_token(reader *r)
{
    bool is_quoted;
    size_t len = 0;

    if (!skip_spaces(r))
        return false;
    is_quoted = *r->at == '"';
    r->at += is_quoted;
    while (r->at < r->end && (is_quoted ? *r->at != '"' : !is_space(*r->at))) {
        char c = *r->at++;
        if (is_quoted && c == '\\' && r->at < r->end)
            c = unescape(*r->at++);
        if (c == '\0' || len + 1 == sizeof r->token)
            return CW__URI_FAULT(r->fault, "a word in line %u is too long, or contains NUL", r->line);
        r->token[len++] = c;
    }
    r->token[len] = '\0';
    if (is_quoted && r->at == r->end)
        return CW__URI_FAULT(r->fault, "the \" in line %u has no end", r->line);
    r->at += is_quoted;
    return true;
}

/* A macro ends at an empty line. */
static void skip_macro(reader *r)
{
    while (r->at < r->end) {
        skip_line(r);
        if (r->at < r->end)
            r->at++;
        r->line++;
        if (r->at < r->end && (*r->at == '\n' || *r->at == '\r'))
            return;
    }
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

/* Reads the value of a keyword into a text of the entry. */
static bool take_value(reader *r, char *to, bool *is_there)
{
    if (!next_token(r))
        return *r->fault ? false : CW__URI_FAULT(r->fault, "line %u ends in the middle of an entry", r->line);
    if (has_control(r->token))
        return CW__URI_FAULT(r->fault, "a value in line %u has a control character", r->line);
    memcpy(to, r->token, strlen(r->token) + 1);
    *is_there = true;
    return true;
}

/* Takes the next keyword. Returns false with a fault. */
static bool take_keyword(reader *r, entry *e)
{
    char account[TOKEN_BYTES]; /* read and not used */
    bool is_there;

    if (strcmp(r->token, "login") == 0)
        return take_value(r, e->user, &e->has_user);
    if (strcmp(r->token, "password") == 0)
        return take_value(r, e->password, &e->has_password);
    if (strcmp(r->token, "account") == 0)
        return take_value(r, account, &is_there);
    if (strcmp(r->token, "macdef") == 0) {
        skip_macro(r);
        return true;
    }
    return CW__URI_FAULT(r->fault,
                         "line %u has a word that is neither machine, login, password, account, default "
                         "nor macdef",
                         r->line);
}

static bool fits(const entry *e, const char *user)
{
    return e->is_wanted && e->has_user && e->has_password && *e->user && (!user || strcmp(user, e->user) == 0);
}

/* Reads entries into *e, which is empty at first, until one fits. Returns whether one does. */
static bool find(reader *r, entry *e, const char *host, const char *user)
{
    while (skip_spaces(r)) {
        if (*r->at == '#') {
            skip_line(r);
            continue;
        }
        if (!next_token(r))
            return false;
        if (strcmp(r->token, "machine") == 0 || strcmp(r->token, "default") == 0) {
            bool has_name = *r->token == 'm';
            if (fits(e, user))
                return true;
            memset(e, 0, sizeof *e);
            if (has_name && !next_token(r))
                return *r->fault ? false : CW__URI_FAULT(r->fault, "machine in line %u has no name", r->line);
            e->is_wanted = has_name && strcasecmp(r->token, host) == 0;
        } else if (!take_keyword(r, e)) {
            return false;
        }
    }
    return fits(e, user);
}

cw__netrc_result cw__netrc_find(const char *text, size_t len_bytes, const char *host, const char *user,
                                char **joined, char fault[CW__URI_FAULT_BYTES])
{
    struct {
        reader r;
        entry e;
    } *state = cw__calloc(1, sizeof *state);
    cw__netrc_result result = CW__NETRC_NONE;
    size_t user_bytes, password_bytes;

    *joined = NULL;
    *fault = '\0';
    if (!state)
        return CW__NETRC_NO_MEMORY;
    state->r = (reader){.at = text, .end = text + len_bytes, .line = 1, .fault = fault};
    if (find(&state->r, &state->e, host, user)) {
        user_bytes = strlen(state->e.user) + 1;
        password_bytes = strlen(state->e.password) + 1;
        *joined = cw__malloc(user_bytes + password_bytes);
        result = *joined ? CW__NETRC_FOUND : CW__NETRC_NO_MEMORY;
        if (strchr(state->e.user, ':'))
            (void)CW__URI_FAULT(fault,
                                "the user name of that host has a colon, which HTTP cannot send (RFC 7617)");
        if (*joined) {
            memcpy(*joined, state->e.user, user_bytes);
            memcpy(*joined + user_bytes, state->e.password, password_bytes);
        }
    }
    if (*fault) {
        cw__free(*joined);
        *joined = NULL;
        result = CW__NETRC_BAD;
    }
    cw__free(state);
    return result;
}

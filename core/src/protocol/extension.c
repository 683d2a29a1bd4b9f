/* SPDX-License-Identifier: MIT */
/* permessage-deflate in the opening handshake (RFC 7692 section 7.1): it writes the client's offer, and checks whether
 * the server's answer fits the offer. handshake.c asks for the offer, reply.c for the check. Pure: texts in, terms or a
 * fault out.
 *
 * Reasons: CW_CONNECT_FAILED. */
#include "protocol.h"

#include <stdio.h>
#include <string.h>

#define NAME "permessage-deflate"

enum { LEAST_BITS = 8, MOST_BITS = 15 };

void cw__compression_offer(const cw__compression *offer, char out[CW__OFFER_BYTES])
{
    char server_bits[32] = "", client_bits[8] = "";

    if (offer->server_bits < MOST_BITS)
        (void)snprintf(server_bits, sizeof server_bits, "; server_max_window_bits=%u", offer->server_bits);
    if (offer->client_bits < MOST_BITS)
        (void)snprintf(client_bits, sizeof client_bits, "=%u", offer->client_bits);
    (void)snprintf(out, CW__OFFER_BYTES, NAME "%s%s%s; client_max_window_bits%s",
                   offer->server_resets ? "; server_no_context_takeover" : "",
                   offer->client_resets ? "; client_no_context_takeover" : "", server_bits, client_bits);
}

/* ---- Reading the answer ---- */

typedef struct text {
    const char *at, *end;
} text;

static void skip_blanks(text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\t'))
        t->at++;
}

static bool skip_char(text *t, char c)
{
    skip_blanks(t);
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

/* Returns the next token; an empty one if there is none. */
static text take_token(text *t)
{
    text token;

    skip_blanks(t);
    token.at = t->at;
    while (t->at < t->end && cw__is_token(t->at, 1))
        t->at++;
    token.end = t->at;
    return token;
}

/* Reads a value, which may be quoted, but must be a token without the quotes (RFC 6455 section 9.1). Our values are
 * numbers, which no server escapes. */
static text take_value(text *t)
{
    text value, none = {NULL, NULL};

    if (!skip_char(t, '"'))
        return take_token(t);
    value = take_token(t);
    return t->at < t->end && *t->at == '"' ? (t->at++, value) : none;
}

static bool is_word(text token, const char *word)
{
    size_t len = (size_t)(token.end - token.at);

    return len == strlen(word) && memcmp(token.at, word, len) == 0;
}

/* Returns a number from 8 to 15, written without leading zeros; 0 if value is not such a number. */
static uint8_t bits_of(text value)
{
    size_t len = (size_t)(value.end - value.at);
    unsigned bits = 0;

    if (len == 1 && value.at[0] >= '8' && value.at[0] <= '9')
        bits = (unsigned)(value.at[0] - '0');
    else if (len == 2 && value.at[0] == '1' && value.at[1] >= '0' && value.at[1] <= '5')
        bits = 10 + (unsigned)(value.at[1] - '0');
    return (uint8_t)bits;
}

enum { SERVER_RESETS = 1, CLIENT_RESETS = 2, SERVER_BITS = 4, CLIENT_BITS = 8 };

static const struct {
    const char *name;
    unsigned flag;
    bool has_value;
} parameters[] = {{"server_no_context_takeover", SERVER_RESETS, false},
                  {"client_no_context_takeover", CLIENT_RESETS, false},
                  {"server_max_window_bits", SERVER_BITS, true},
                  {"client_max_window_bits", CLIENT_BITS, true}};

/* Reads one parameter. Returns NULL, or what is wrong with it. */
static const char *take_parameter(text *t, cw__compression *terms, unsigned *seen)
{
    text name = take_token(t), value = {NULL, NULL};
    bool has_value = skip_char(t, '=');
    size_t i = 0, count = sizeof parameters / sizeof *parameters;

    if (has_value)
        value = take_value(t);
    while (i < count && !is_word(name, parameters[i].name))
        i++;
    if (i == count)
        return "permessage-deflate has an unknown parameter";
    if (*seen & parameters[i].flag)
        return "permessage-deflate has a parameter twice";
    *seen |= parameters[i].flag;
    if (has_value != parameters[i].has_value || (has_value && bits_of(value) == 0))
        return "permessage-deflate has a parameter with a bad value";
    if (parameters[i].flag == SERVER_RESETS)
        terms->server_resets = true;
    else if (parameters[i].flag == CLIENT_RESETS)
        terms->client_resets = true;
    else if (parameters[i].flag == SERVER_BITS)
        terms->server_bits = bits_of(value);
    else
        terms->client_bits = bits_of(value);
    return NULL;
}

const char *cw__compression_answer(const cw__compression *offer, const char *value, size_t len_bytes,
                                   cw__compression *terms)
{
    text t = {value, value + len_bytes};
    const char *fault;
    unsigned seen = 0;

    /* Parameters that the server leaves out: its own get the defaults of RFC 7692, ours stay as we chose them. */
    *terms = (cw__compression){.is_on = true,
                               .server_bits = MOST_BITS,
                               .client_bits = offer->client_bits,
                               .client_resets = offer->client_resets};
    if (!is_word(take_token(&t), NAME))
        return "the server accepted an extension that was not offered";
    while (skip_char(&t, ';'))
        if ((fault = take_parameter(&t, terms, &seen)))
            return fault;
    if (skip_char(&t, ','))
        return "the server accepted more extensions than were offered";
    if (t.at != t.end)
        return "the header Sec-WebSocket-Extensions is malformed";
    if (offer->server_resets && !terms->server_resets)
        return "the server accepted compression without the demanded server_no_context_takeover";
    if (terms->server_bits > offer->server_bits)
        return "server_max_window_bits is missing or larger than demanded";
    if (terms->client_bits > offer->client_bits)
        return "client_max_window_bits is larger than offered";
    return NULL;
}

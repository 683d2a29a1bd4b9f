/* SPDX-License-Identifier: MIT */
/* Challenge: reads which authentication schemes a server offers in WWW-Authenticate (RFC 9110 section 11.6.1). login.c
 * chooses one of them. libcurl reads the parameters of the schemes. Pure. */
#include <string.h>
#include <strings.h>

#include "protocol.h"

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (cw__is_blank(*at) || *at == ','))
        at++;
    return at;
}

/* Skips a quoted text, in which a comma separates nothing. */
static const char *skip_quoted(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && at + 1 < end)
            at++;
    return at < end ? at + 1 : end;
}

/* Returns the position after the next comma that separates. */
static const char *skip_item(const char *at, const char *end)
{
    while (at < end && *at != ',')
        at = *at == '"' ? skip_quoted(at, end) : at + 1;
    return at;
}

static unsigned scheme_of(const char *name, size_t len_bytes)
{
    static const struct {
        const char *name;
        unsigned scheme;
    } schemes[] = {{"Basic", CW__SCHEME_BASIC},
                   {"Digest", CW__SCHEME_DIGEST},
                   {"Negotiate", CW__SCHEME_NEGOTIATE},
                   {"NTLM", CW__SCHEME_NTLM},
                   {"Bearer", CW__SCHEME_BEARER}};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strlen(schemes[i].name) == len_bytes && strncasecmp(schemes[i].name, name, len_bytes) == 0)
            return schemes[i].scheme;
    return CW__SCHEME_OTHER;
}

/* An item begins with a scheme, unless it is a parameter "name=value". A scheme may be followed by a blank and its first
 * parameter. */
static unsigned schemes_of(const char *at, const char *end)
{
    unsigned schemes = 0;

    while ((at = skip_blanks(at, end)) < end) {
        const char *name = at;
        size_t len = 0;
        while (name + len < end && cw__is_token(name + len, 1))
            len++;
        at = name + len;
        while (at < end && cw__is_blank(*at))
            at++;
        if (len > 0 && (at == end || *at == ',' || (at > name + len && *at != '=')))
            schemes |= scheme_of(name, len);
        at = skip_item(at, end);
    }
    return schemes;
}

unsigned cw__challenge_schemes(const char *lines)
{
    static const char wanted[] = "WWW-Authenticate";
    size_t all_bytes = strlen(lines), at_bytes = 0;
    unsigned schemes = 0;
    cw_header header;

    while (cw_header_next(lines, all_bytes, &at_bytes, &header))
        if (header.name_len_bytes == sizeof wanted - 1 &&
            strncasecmp(header.name, wanted, sizeof wanted - 1) == 0)
            schemes |= schemes_of(header.value, header.value + header.value_len_bytes);
    return schemes;
}

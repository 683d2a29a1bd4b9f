/* SPDX-License-Identifier: MIT */
/* Fuzz target: URIs. An accepted URI must be sent as visible ASCII that decodes to the input and parses to itself. The text for
 * errors must contain neither userinfo nor query. A refused URI must have a reason in visible ASCII. */
#include "fuzz.h"

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Returns the next byte, decoded if it is percent-encoded; -1 at the end. */
static int next_byte(const uint8_t **at, const uint8_t *end)
{
    const uint8_t *c = *at;

    if (c == end)
        return -1;
    *at += 1;
    if (*c != '%')
        return *c;
    DEMAND(end - c >= 3 && hex(c[1]) >= 0 && hex(c[2]) >= 0);
    *at += 2;
    return hex(c[1]) * 16 + hex(c[2]);
}

static void demand_visible(const char *text, uint8_t least)
{
    for (; *text; text++)
        DEMAND((uint8_t)*text >= least && (uint8_t)*text < 0x7f);
}

static void check_good(const cw__uri *uri, const uint8_t *data, size_t len_bytes)
{
    const uint8_t *given = data, *end = data + len_bytes;
    const uint8_t *sent = (const uint8_t *)uri->target, *sent_end = sent + strlen(uri->target);
    char fault[CW__URI_FAULT_BYTES], *base = cw__uri_base(uri), *whole;
    size_t base_bytes;
    cw__uri again;

    DEMAND(base && *uri->target == '/' && strlen(uri->target) < CW__URI_AT_MOST);
    demand_visible(base, '!');
    demand_visible(uri->target, '!');
    given += uri->is_secure ? 6 : 5;
    while (given < end && *given != '/' && *given != '?')
        given++;
    if (given == end || *given == '?') /* an empty path */
        sent++;
    for (int wanted = 0; wanted >= 0;) {
        wanted = next_byte(&given, end);
        DEMAND(next_byte(&sent, sent_end) == wanted && wanted != 0);
    }
    base_bytes = strlen(base) - 1;
    whole = malloc(base_bytes + strlen(uri->target) + 1);
    DEMAND(whole);
    memcpy(whole, base, base_bytes);
    memcpy(whole + base_bytes, uri->target, strlen(uri->target) + 1);
    DEMAND(cw__uri_read(whole, strlen(whole), &again, fault) == CW__URI_OK);
    DEMAND(strcmp(again.target, uri->target) == 0 && strcmp(again.host, uri->host) == 0);
    free(whole);
    cw__free(base);
    cw__uri_destroy(&again);
}

/* Checks that the text for errors is the same URI without userinfo and query, with the host in ASCII. */
static void check_shown(const cw__uri *uri, const uint8_t *data, size_t len_bytes)
{
    size_t room = len_bytes + CW__HOST_AT_MOST + 1; /* a host in ASCII may be longer than the given one */
    char *given = calloc(1, len_bytes + 1), *shown = calloc(1, room), fault[CW__URI_FAULT_BYTES];
    cw__uri again;

    DEMAND(given && shown);
    memcpy(given, data, len_bytes);
    DEMAND(cw__uri_show(given, shown, room) == strlen(shown));
    DEMAND(cw__uri_read(shown, strlen(shown), &again, fault) == CW__URI_OK);
    DEMAND(!strchr(again.prefix, '@') && !strchr(again.target, '?'));
    DEMAND(strcmp(again.host, uri->host) == 0 && strcmp(again.suffix, uri->suffix) == 0);
    DEMAND(strncmp(again.target, uri->target, strlen(again.target)) == 0);
    cw__uri_destroy(&again);
    free(given);
    free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    char fault[CW__URI_FAULT_BYTES] = "";
    cw__uri uri;

    if (cw__uri_read((const char *)data, len_bytes, &uri, fault) == CW__URI_OK) {
        check_good(&uri, data, len_bytes);
        check_shown(&uri, data, len_bytes);
    } else {
        DEMAND(*fault && strlen(fault) < sizeof fault - 1 && !uri.text);
        demand_visible(fault, ' ');
    }
    cw__uri_destroy(&uri);
    return 0;
}

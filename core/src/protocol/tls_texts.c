/* SPDX-License-Identifier: MIT */
/* TLS texts: the forms of the controls of TLS that are texts: a pin, a host name, lists of names. settings.c checks a control
 * here when it is set.
 *
 * Errors: CW_INVALID_ARGUMENT. */
#include <string.h>
#include <strings.h>

#include "protocol.h"

#define PIN_START "sha256//"

enum { PIN_START_CHARS = sizeof PIN_START - 1, HASH_CHARS = 44 /* of 32 bytes in base64 */ };

/* Returns whether a text is the base64 of 32 bytes. libcurl compares it with its own, so it must be the only form of these
 * bytes: the last character before "=" has two bits that must be 0. */
static bool is_hash(const char *text, size_t len_bytes)
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    return len_bytes == HASH_CHARS && text[HASH_CHARS - 1] == '=' && strspn(text, base64) == HASH_CHARS - 1 &&
           strchr("AEIMQUYcgkosw048", text[HASH_CHARS - 2]);
}

/* Returns whether a text is "sha256//HASH;sha256//HASH". */
static bool is_good_list(const char *text)
{
    for (;;) {
        size_t bytes = strcspn(text, ";");
        if (bytes < PIN_START_CHARS || memcmp(text, PIN_START, PIN_START_CHARS) != 0 ||
            !is_hash(text + PIN_START_CHARS, bytes - PIN_START_CHARS))
            return false;
        if (!text[bytes])
            return true;
        text += bytes + 1;
    }
}

bool cw__tls_is_pin_list(const char *text) { return strncmp(text, PIN_START, PIN_START_CHARS) == 0; }

/* Accepts the name of a file too, unless somebody meant it as hashes. */
static bool is_pin(const char *text)
{
    bool is_meant = strncasecmp(text, "sha256/", sizeof "sha256/" - 1) == 0 ||
                    strncasecmp(text, "sha256:", sizeof "sha256:" - 1) == 0;

    return !is_meant || is_good_list(text);
}

bool cw__tls_read_host(const char *text, cw__authority *a)
{
    size_t len_bytes = strlen(text);
    char fault[CW__URI_FAULT_BYTES];

    return !text[strcspn(text, "/?#@")] && cw__authority_read(text, len_bytes, a, fault) && a->port < 0 &&
           !a->zone && text[len_bytes - 1] != ':';
}

static bool is_visible(const char *text)
{
    while (*text >= '!' && *text <= '~')
        text++;
    return !*text;
}

cw_status cw__tls_text_check(cw_option option, const char *key, const char *text)
{
    cw__authority a;

    switch ((int)option) {
    case CW_OPT_PINNED_PUBLIC_KEY:
        if (is_pin(text))
            return CW_OK;
        return cw__fail_limit(CW_INVALID_ARGUMENT, option,
                              "%s cannot be '%.200s': write sha256// and the hash of the key in base64 (44 "
                              "characters), with ; between several, or the path of a PEM or DER file",
                              key, text);
    case CW_OPT_TLS_SERVER_NAME:
        if (cw__tls_read_host(text, &a))
            return CW_OK;
        return cw__fail_limit(
            CW_INVALID_ARGUMENT, option,
            "%s cannot be '%.200s': write a host name or an IP address (IPv6 in [ ]), without "
            "scheme, port and path",
            key, text);
    case CW_OPT_TLS_CIPHERS:
    case CW_OPT_TLS13_CIPHERS:
    case CW_OPT_TLS_GROUPS:
        if (is_visible(text))
            return CW_OK;
        return cw__fail_limit(
            CW_INVALID_ARGUMENT, option,
            "%s cannot be '%.200s': write names in ASCII, with : between them and without blanks", key, text);
    default:
        return CW_OK;
    }
}

const char *cw__tls_version_fault(const char *word, size_t len_bytes)
{
    for (size_t i = 0; i + 3 <= len_bytes; i++)
        if (memcmp(word + i, "1.0", 3) == 0 || memcmp(word + i, "1.1", 3) == 0 ||
            memcmp(word + i, "SSL", 3) == 0)
            return "SSL, TLS 1.0 and TLS 1.1 are not secure (RFC 7568, RFC 8996)";
    return NULL;
}

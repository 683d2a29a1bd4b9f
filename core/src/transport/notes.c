/* SPDX-License-Identifier: MIT */
/* Notes: facts about TLS that libcurl reports only in the lines of its log. handshake.c passes the lines. They are compared
 * and never shown, except for the names of a version, a cipher and a protocol. The tests fail if libcurl changes a line. */
#include <stdlib.h>
#include <string.h>

#include "transport.h"

/* Copies a word, which ends at a blank or at the end of the line. */
static void note_word(char *out, size_t size_bytes, const char *word)
{
    size_t len = strcspn(word, " \n");

    if (len >= size_bytes)
        return;
    memcpy(out, word, len);
    out[len] = '\0';
}

/* Returns the text behind a start, or NULL if it has another start. */
static const char *strip(const char *text, const char *start)
{
    size_t len = strlen(start);

    return strncmp(text, start, len) == 0 ? text + len : NULL;
}

/* Notes what the two ends have agreed on: "SSL connection using TLSv1.3 / TLS_AES_256_GCM_SHA384 / X25519 / RSASSA-PSS" and
 * "ALPN: server accepted http/1.1" (8.14.1, 8.22: lib/vtls/openssl.c, lib/vtls/vtls.c). */
static void note_agreement(cw__tls_facts *facts, const char *text)
{
    const char *version = strip(text, "SSL connection using ");
    const char *cipher = version ? strstr(version, " / ") : NULL;
    const char *accepted = strip(text, "ALPN: server accepted ");
    const char *confirmed = strip(text, "ALPN: server confirmed to use '");

    if (cipher) {
        note_word(facts->version, sizeof facts->version, version);
        note_word(facts->cipher, sizeof facts->cipher, cipher + 3);
    }
    if (accepted || confirmed)
        note_word(facts->alpn, sizeof facts->alpn, accepted ? accepted : confirmed);
    facts->alpn[strcspn(facts->alpn, "'")] = '\0';
}

/* The lines of libcurl's trace of OpenSSL (8.14.1, 8.22) are "TLSv1.3 (IN), TLS handshake, Request CERT (13):" and
 * "TLSv1.3 (OUT), TLS alert, unknown CA (560):". The low byte of the second number is the alert. */
void cw__failure_note(cw__tls_notes *notes, const char *text, size_t len_bytes)
{
    char copy[160];
    const char *number;

    if (len_bytes >= sizeof copy)
        len_bytes = sizeof copy - 1;
    memcpy(copy, text, len_bytes);
    copy[len_bytes] = '\0';
    note_agreement(&notes->facts, copy);
    if (strip(copy, "SSL reusing session"))
        notes->offers_session = true;
    if (strstr(copy, "(IN), TLS handshake, Request CERT"))
        notes->wants_certificate = true;
    if (strstr(copy, "(OUT), TLS alert") && (number = strrchr(copy, '(')))
        notes->sent_alert = (int)(strtoul(number + 1, NULL, 10) & 0xff);
}

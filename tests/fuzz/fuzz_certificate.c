/* SPDX-License-Identifier: MIT */
/* Fuzz target: certificates. The input is a Certificate message of a TLS handshake, and a certificate. Each certificate
 * that is found lies inside the message. Each fact is the same text in any buffer, and neither it nor a line of it can be
 * taken for two. */
#include "fuzz.h"

static void check_text(cw_certificate_fact fact, const char *text)
{
    bool may_have_lines = fact == CW_CERTIFICATE_SUBJECT_ALTERNATIVE_NAMES || fact == CW_CERTIFICATE_PEM;

    DEMAND(cw__utf8_valid(text, strlen(text)));
    for (; *text; text++)
        DEMAND(((uint8_t)*text >= ' ' && *text != 0x7f) || (*text == '\n' && may_have_lines));
}

static void check_fact(const uint8_t *der, size_t der_bytes, cw_certificate_fact fact)
{
    size_t len_bytes = 0, again_bytes = 0;
    char small[16], *text;

    cw_certificate_get(der, der_bytes, fact, NULL, 0, &len_bytes);
    DEMAND(len_bytes <= 16 * der_bytes + 128);
    text = malloc(len_bytes + 1);
    DEMAND(text);
    cw_certificate_get(der, der_bytes, fact, text, len_bytes + 1, &again_bytes);
    DEMAND(again_bytes == len_bytes && strlen(text) == len_bytes);
    check_text(fact, text);
    cw_certificate_get(der, der_bytes, fact, small, sizeof small, &again_bytes);
    DEMAND(again_bytes == len_bytes && strncmp(small, text, strlen(small)) == 0);
    DEMAND(strlen(small) == (len_bytes < sizeof small ? len_bytes : sizeof small - 1));
    free(text);
}

static void check_certificate(const uint8_t *der, size_t der_bytes)
{
    for (int fact = 0; fact <= CW_CERTIFICATE_FACT_COUNT; fact++)
        check_fact(der, der_bytes, (cw_certificate_fact)fact);
}

/* The ends of a chain are certificates of the message, and the ends of an incomplete chain are no roots. */
static void check_ends(const uint8_t *message, size_t message_bytes, cw_chain_result error)
{
    size_t len_bytes = 0, found = 0;
    char *ends = cw__ignorable_ends(message, message_bytes, error, &len_bytes);
    const uint8_t *der;
    size_t der_bytes;

    DEMAND(ends ? len_bytes > 0 && strlen(ends) == len_bytes : len_bytes == 0);
    for (size_t number = 0; ends && cw__chain_find(message, message_bytes, number, &der, &der_bytes);
         number++) {
        cw__certificate_names names;
        char *pem;
        size_t pem_bytes;
        bool is_root;
        DEMAND(number < 32 && cw__certificate_read_names(der, der_bytes, &names));
        is_root = names.issuer_bytes == names.subject_bytes &&
                  memcmp(names.issuer, names.subject, names.issuer_bytes) == 0;
        cw_certificate_get(der, der_bytes, CW_CERTIFICATE_PEM, NULL, 0, &pem_bytes);
        pem = malloc(pem_bytes + 1);
        DEMAND(pem);
        cw_certificate_get(der, der_bytes, CW_CERTIFICATE_PEM, pem, pem_bytes + 1, &pem_bytes);
        if (found < len_bytes && strncmp(ends + found, pem, pem_bytes) == 0) {
            DEMAND(is_root == (error == CW_CHAIN_Untrusted));
            found += pem_bytes;
        }
        free(pem);
    }
    DEMAND(found == len_bytes);
    cw__free(ends);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    const uint8_t *der;
    size_t der_bytes;

    for (size_t number = 0; cw__chain_find(data, len_bytes, number, &der, &der_bytes); number++) {
        DEMAND(der >= data && der_bytes <= len_bytes && (size_t)(der - data) <= len_bytes - der_bytes);
        check_certificate(der, der_bytes);
        if (number > 8) /* empty certificates take three bytes each */
            break;
    }
    check_ends(data, len_bytes, CW_CHAIN_Untrusted);
    check_ends(data, len_bytes, CW_CHAIN_IncompleteChain);
    if (len_bytes)
        check_certificate(data, len_bytes);
    return 0;
}

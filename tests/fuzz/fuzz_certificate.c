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
    if (len_bytes)
        check_certificate(data, len_bytes);
    return 0;
}

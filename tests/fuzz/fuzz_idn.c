/* SPDX-License-Identifier: MIT */
/* Fuzz target: international host names, and Punycode. An accepted name must be ASCII that is accepted as it is, with labels
 * that are not too long. A refused name must have a reason in visible ASCII. Punycode must come back as it was. */
#include "fuzz.h"

static void demand_right(const char *name)
{
    char again[CW__HOST_AT_MOST + 1], fault[CW__URI_FAULT_BYTES];
    size_t len = strlen(name), label = 0;

    DEMAND(len > 0 && len <= 254);
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        DEMAND((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("-._~", c));
        label = c == '.' ? 0 : label + 1;
        DEMAND(label <= 63);
    }
    DEMAND(cw__idn_to_ascii(name, len, again, fault));
    DEMAND(strcmp(name, again) == 0);
}

static void check_punycode(const uint8_t *data, size_t len_bytes)
{
    uint32_t codes[CW__PUNYCODE_AT_MOST], back[CW__PUNYCODE_AT_MOST];
    char text[4 * CW__PUNYCODE_AT_MOST];
    size_t count, len, back_count;

    if (cw__punycode_decode((const char *)data, len_bytes, codes, CW__PUNYCODE_AT_MOST, &count) &&
        cw__punycode_encode(codes, count, text, sizeof text, &len)) {
        DEMAND(cw__punycode_decode(text, len, back, count, &back_count));
        DEMAND(back_count == count && memcmp(codes, back, count * sizeof *codes) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    char name[CW__HOST_AT_MOST + 1], fault[CW__URI_FAULT_BYTES] = "";

    if (cw__idn_to_ascii((const char *)data, len_bytes, name, fault)) {
        demand_right(name);
    } else {
        DEMAND(*fault && strlen(fault) < sizeof fault - 1);
        for (const char *c = fault; *c; c++)
            DEMAND(*c >= ' ' && *c < 0x7f);
    }
    check_punycode(data, len_bytes);
    return 0;
}

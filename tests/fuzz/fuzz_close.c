/* SPDX-License-Identifier: MIT */
/* Fuzz target: close payloads and the state machine of closing. A payload that decodes must encode to the same bytes. A payload
 * that does not must give a visible reason. The machine must keep the promises of protocol.h for every order of calls. */
#include "fuzz.h"

static void check_payload(const uint8_t *data, size_t len_bytes)
{
    uint8_t out[CW__CONTROL_MAX_BYTES];
    cw__close_payload p;
    cw__violation v = cw__close_decode(data, len_bytes, &p);
    int code = len_bytes < 2 ? 0 : data[0] << 8 | data[1];
    bool may_be = cw__close_code_valid(code) && len_bytes <= CW__CONTROL_MAX_BYTES;

    DEMAND(p.reason_bytes <= CW__CONTROL_MAX_BYTES - 2 && p.reason[p.reason_bytes] == '\0');
    DEMAND((v.code == 0) == (len_bytes == 0 || (may_be && cw__utf8_valid(data + 2, len_bytes - 2))));
    DEMAND(v.code == 0 || v.code == (may_be ? 1007 : 1002));
    if (v.code == 0)
        DEMAND(cw__close_encode(p.code, p.reason, p.reason_bytes, out) == len_bytes &&
               (len_bytes == 0 || memcmp(out, data, len_bytes) == 0));
    if (len_bytes > 1) { /* our own reason may have any length, and is cut between characters */
        size_t cut = cw__close_encode(1000, (const char *)data, len_bytes, out);
        DEMAND(cut >= 2 && cut <= sizeof out && memcmp(out + 2, data, cut - 2) == 0);
        DEMAND(!cw__utf8_valid(data, len_bytes) || cw__utf8_valid(out + 2, cut - 2));
    }
}

static void check_machine(fuzz_input *in)
{
    static const cw__violation broken = {1002, "broken"};
    cw__close_payload p = {.code = 1000};
    cw__close c;

    cw__close_init(&c);
    for (int64_t now = 0; in->len_bytes && c.state != CW__CLOSE_ENDED; now += fuzz_byte(in)) {
        cw__close before = c;
        uint8_t call = fuzz_byte(in) % 5;
        int64_t timeout = call == 4 ? 0 : (int64_t)(fuzz_number(in, 8) >> 1);
        bool is_asked = call == 0   ? cw__close_begin(&c, now, timeout)
                        : call == 1 ? cw__close_received(&c, &p, now, timeout)
                        : call == 2 ? cw__close_failed(&c, &broken, now, timeout)
                                    : (call == 3 ? cw__close_answered(&c) : cw__close_ended(&c, "end"), false);
        bool is_new = before.state == CW__CLOSE_NONE;
        DEMAND(!is_asked || is_new); /* at most one close frame is sent */
        DEMAND(c.state == before.state || is_new ||
               (c.state == CW__CLOSE_BOTH && before.state != CW__CLOSE_FAILED) ||
               (c.state == CW__CLOSE_FAILED && before.state == CW__CLOSE_SENT) || c.state == CW__CLOSE_ENDED);
        DEMAND(call == 4 ? c.deadline_ms == INT64_MAX : c.deadline_ms <= before.deadline_ms);
        DEMAND(!before.was_clean || c.was_clean);
        DEMAND(c.state != CW__CLOSE_BOTH || (c.was_clean && c.result.code == 1000));
        DEMAND(c.state != CW__CLOSE_ENDED || (cw__close_ended(&c, "again"), c.result.code != 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    check_payload(data, len_bytes);
    check_machine(&(fuzz_input){data, len_bytes});
    return 0;
}

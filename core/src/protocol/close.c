/* SPDX-License-Identifier: MIT */
/* The closing handshake: close codes, payloads, and a state machine (RFC 6455 sections 5.5.1, 7.1, 7.4). The files of
 * the socket call it, and send and receive the frames. Pure: no I/O; "now" is an argument.
 *
 *            begin               received
 *   NONE ------------> SENT ------------------> BOTH
 *    |                  |                         ^
 *    |  received        |               answered  |
 *    +------------------------> RECEIVED ---------+
 *    |  failed          |  failed
 *    +------------------+-----> FAILED            any state -- ended --> ENDED
 *
 * All bytes of the peer after its close frame are ignored (section 5.5.1). So no transition leads from RECEIVED or
 * BOTH to FAILED. One deadline limits the whole handshake; a later step never extends it. If the close begins while our
 * data is still on its way, there is no deadline at first; cw__close_bound sets it later.
 *
 * Reasons: CW_CLOSED. */
#include "protocol.h"

#include <assert.h>
#include <string.h>

enum { CODE_BYTES = 2, REASON_MAX_BYTES = CW__CONTROL_MAX_BYTES - CODE_BYTES };

bool cw__close_code_valid(int code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* Returns the length of a text, cut to the room of a close frame and not inside a character. */
static size_t cut_bytes(const char *text, size_t len_bytes)
{
    size_t cut = REASON_MAX_BYTES;

    if (len_bytes <= cut)
        return len_bytes;
    while (cut && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    return cut;
}

static void set_payload(cw__close_payload *p, int code, const char *reason, size_t reason_bytes)
{
    size_t cut = cut_bytes(reason, reason_bytes);

    p->code = code;
    p->reason_bytes = (uint8_t)cut;
    if (cut)
        memcpy(p->reason, reason, cut);
    p->reason[cut] = '\0';
}

cw__violation cw__close_decode(const uint8_t *payload, size_t len_bytes, cw__close_payload *out)
{
    static const cw__violation none = {0, NULL};
    int code;

    set_payload(out, len_bytes == 0 ? 1005 : -1, "", 0);
    if (len_bytes == 0)
        return none;
    if (len_bytes < CODE_BYTES)
        return (cw__violation){1002, "the peer's close frame has a payload of one byte"};
    if (len_bytes > CW__CONTROL_MAX_BYTES)
        return (cw__violation){1002, "the peer's close frame is longer than 125 bytes"};
    code = payload[0] << 8 | payload[1];
    if (!cw__close_code_valid(code)) {
        out->code = code;
        return (cw__violation){1002, "the peer's close frame has a code that no close frame may have"};
    }
    if (!cw__utf8_valid(payload + CODE_BYTES, len_bytes - CODE_BYTES))
        return (cw__violation){1007, "the reason in the peer's close frame is not UTF-8"};
    set_payload(out, code, (const char *)payload + CODE_BYTES, len_bytes - CODE_BYTES);
    return none;
}

size_t cw__close_encode(int code, const char *reason, size_t reason_bytes, uint8_t out[CW__CONTROL_MAX_BYTES])
{
    size_t cut;

    if (code == 1005)
        return 0;
    cut = reason_bytes ? cut_bytes(reason, reason_bytes) : 0;
    out[0] = (uint8_t)(code >> 8);
    out[1] = (uint8_t)code;
    if (cut)
        memcpy(out + CODE_BYTES, reason, cut);
    return CODE_BYTES + cut;
}

static bool is_legal(cw__close_state from, cw__close_state to)
{
    switch (to) {
    case CW__CLOSE_NONE: /* LCOV_EXCL_LINE: no caller reaches it */
        return false;    /* LCOV_EXCL_LINE */
    case CW__CLOSE_SENT:
    case CW__CLOSE_RECEIVED:
        return from == CW__CLOSE_NONE;
    case CW__CLOSE_BOTH:
        return from == CW__CLOSE_SENT || from == CW__CLOSE_RECEIVED;
    case CW__CLOSE_FAILED:
        return from == CW__CLOSE_NONE || from == CW__CLOSE_SENT;
    case CW__CLOSE_ENDED:
        return from != CW__CLOSE_ENDED;
    }
    return false; /* LCOV_EXCL_LINE: for compilers that do not see that the switch covers every state */
}

static void move(cw__close *c, cw__close_state to)
{
    bool may_move = is_legal(c->state, to);

    assert(may_move);
    (void)may_move; /* used even in builds without assertions */
    c->state = to;
}

void cw__close_bound(cw__close *c, int64_t now_ms, int64_t timeout_ms)
{
    int64_t due_ms = timeout_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + timeout_ms;

    if (due_ms < c->deadline_ms)
        c->deadline_ms = due_ms;
}

void cw__close_init(cw__close *c)
{
    memset(c, 0, sizeof *c);
    c->state = CW__CLOSE_NONE;
    c->deadline_ms = INT64_MAX;
}

bool cw__close_begin(cw__close *c, int64_t now_ms, int64_t timeout_ms)
{
    if (c->state != CW__CLOSE_NONE)
        return false;
    move(c, CW__CLOSE_SENT);
    cw__close_bound(c, now_ms, timeout_ms);
    return true;
}

bool cw__close_received(cw__close *c, const cw__close_payload *payload, int64_t now_ms, int64_t timeout_ms)
{
    bool must_answer = c->state == CW__CLOSE_NONE;

    if (c->state != CW__CLOSE_NONE && c->state != CW__CLOSE_SENT)
        return false;
    c->result = *payload;
    c->was_clean = !must_answer;
    move(c, must_answer ? CW__CLOSE_RECEIVED : CW__CLOSE_BOTH);
    cw__close_bound(c, now_ms, timeout_ms);
    return must_answer;
}

void cw__close_answered(cw__close *c)
{
    if (c->state != CW__CLOSE_RECEIVED)
        return; /* TCP may have ended while our close frame was being sent */
    move(c, CW__CLOSE_BOTH);
    c->was_clean = true;
}

bool cw__close_failed(cw__close *c, const cw__violation *violation, int64_t now_ms, int64_t timeout_ms)
{
    bool must_send = c->state == CW__CLOSE_NONE;

    if (c->state != CW__CLOSE_NONE && c->state != CW__CLOSE_SENT)
        return false;
    set_payload(&c->result, 1006, violation->text, strlen(violation->text));
    move(c, CW__CLOSE_FAILED);
    cw__close_bound(c, now_ms, timeout_ms);
    return must_send; /* no other frame may follow our close frame (section 5.5.1) */
}

void cw__close_ended(cw__close *c, const char *why)
{
    if (c->state == CW__CLOSE_ENDED)
        return;
    if (c->state == CW__CLOSE_NONE || c->state == CW__CLOSE_SENT)
        set_payload(&c->result, 1006, why, strlen(why));
    move(c, CW__CLOSE_ENDED);
    c->deadline_ms = INT64_MAX;
}

bool cw__close_expired(const cw__close *c, int64_t now_ms) { return now_ms >= c->deadline_ms; }

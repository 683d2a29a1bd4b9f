/* SPDX-License-Identifier: MIT */
/* Tests of close.c: codes, payloads and the state machine of closing. */
#include "harness.h"

enum { LIMIT_MS = 10000 };

static void test_codes(void)
{
    for (int code = -1; code <= 70000; code++) {
        bool wanted = (code >= 1000 && code < 5000 && code != 1004 && code != 1005 && code != 1006) &&
                      (code <= 1014 || code >= 3000);
        CHECK_INT(cw__close_code_valid(code), wanted);
    }
}

static void expect_payload(const char *payload, size_t len_bytes, int code, const char *reason)
{
    cw__close_payload out;
    cw__violation violation = cw__close_decode((const uint8_t *)payload, len_bytes, &out);

    CHECK_INT(violation.code, 0);
    CHECK_INT(out.code, code);
    CHECK_STR(out.reason, reason);
    CHECK_INT(out.reason_bytes, strlen(reason));
}

static void expect_refusal(const char *payload, size_t len_bytes, int code)
{
    cw__close_payload out;
    cw__violation violation = cw__close_decode((const uint8_t *)payload, len_bytes, &out);

    CHECK_INT(violation.code, code);
    CHECK(violation.text && strlen(violation.text) > 10);
    CHECK_INT(out.reason_bytes, 0); /* no part of a bad frame is returned */
}

static void test_decode(void)
{
    char longest[126] = "\x0f\xa0";

    memset(longest + 2, 'r', 123);
    expect_payload(NULL, 0, 1005, "");
    expect_payload("\x03\xe8", 2, 1000, "");
    expect_payload("\x03\xe9going", 7, 1001, "going");
    expect_payload("\x03\xf6", 2, 1014, "");
    expect_payload("\x13\x87\xe2\x82\xac", 5, 4999, "\xe2\x82\xac");
    expect_payload(longest, 125, 4000, longest + 2);
}

static void test_one_byte(void)
{
    expect_refusal("\x03", 1, 1002);
    expect_refusal("\0", 1, 1002);
}

static void test_bad_codes(void)
{
    for (int code = 0; code < 65536; code++) {
        char payload[2] = {(char)(code >> 8), (char)code};

        if (cw__close_code_valid(code))
            expect_payload(payload, 2, code, "");
        else
            expect_refusal(payload, 2, 1002);
    }
}

/* The error names the code that no close frame may have. */
static void test_names_code(void)
{
    cw__close_payload out;

    CHECK_INT(cw__close_decode((const uint8_t *)"\x03\xee", 2, &out).code, 1002);
    CHECK_INT(out.code, 1006);
    CHECK_INT(cw__close_decode((const uint8_t *)"\x03\xed", 2, &out).code, 1002);
    CHECK_INT(out.code, 1005);
    CHECK_INT(cw__close_decode((const uint8_t *)"\x03", 1, &out).code, 1002);
    CHECK_INT(out.code, -1);
    CHECK_INT(cw__close_decode((const uint8_t *)"\x03\xe8\xff", 3, &out).code, 1007);
    CHECK_INT(out.code, -1);
}

static void test_bad_reason(void)
{
    expect_refusal("\x03\xe8\xff", 3, 1007);
    expect_refusal("\x03\xe8 abc\xe2\x82", 8, 1007);
    expect_refusal("\x03\xe8\xed\xa0\x80", 5, 1007);
}

static void test_too_long(void)
{
    char payload[126] = "\x03\xe8";

    memset(payload + 2, 'r', 124);
    expect_refusal(payload, 126, 1002);
}

static void test_encode(void)
{
    uint8_t out[CW__CONTROL_MAX_BYTES];
    char reason[200];
    cw__close_payload back;
    char no_text[1 + 200] = "a";

    CHECK_INT(cw__close_encode(1005, NULL, 0, out), 0);
    CHECK_INT(cw__close_encode(1000, NULL, 0, out), 2);
    CHECK_BYTES(out, 2, "\x03\xe8", 2);
    CHECK_INT(cw__close_encode(4999, "bye", 3, out), 5);
    CHECK_BYTES(out, 5,
                "\x13\x87"
                "bye",
                5);
    memset(reason, 'a', sizeof reason);
    CHECK_INT(cw__close_encode(1000, reason, 123, out), 125);
    CHECK_INT(cw__close_encode(1000, reason, 200, out), 125);
    for (size_t at = 118; at < 124; at++) { /* a character is never cut in two */
        memset(reason, 'a', sizeof reason);
        memcpy(reason + at, "\xf0\x9f\x98\x80", 4);
        CHECK_INT(cw__close_encode(1000, reason, 200, out), at < 120 ? 125 : 2 + at > 125 ? 125 : 2 + at);
        CHECK_INT(cw__close_decode(out, cw__close_encode(1000, reason, 200, out), &back).code, 0);
    }
    /* no character begins in these bytes, so the cut stops at the start */
    memset(no_text + 1, 0x80, sizeof no_text - 1);
    CHECK_INT(cw__close_encode(1000, no_text + 1, sizeof no_text - 1, out), 2);
}

/* ---- The state machine -------------------------------------------------------------------------------- */

static const cw__close_payload goodbye = {1001, 3, "bye"};
static const cw__violation bad_text = {1007, "not UTF-8"};

static void expect(const cw__close *c, cw__close_state state, int code, const char *reason, bool was_clean)
{
    CHECK_INT(c->state, state);
    CHECK_INT(c->result.code, code);
    CHECK_STR(c->result.reason, reason);
    CHECK_INT(c->result.reason_bytes, strlen(reason));
    CHECK_INT(c->was_clean, was_clean);
}

static cw__close started(void)
{
    cw__close c;
    memset(&c, 0xff, sizeof c);
    cw__close_init(&c);
    return c;
}

static void test_we_begin(void)
{
    cw__close c = started();

    expect(&c, CW__CLOSE_NONE, 0, "", false);
    CHECK(cw__close_begin(&c, 1000, LIMIT_MS));
    expect(&c, CW__CLOSE_SENT, 0, "", false);
    CHECK(!cw__close_begin(&c, 2000, LIMIT_MS)); /* a second close is refused */
    CHECK(!cw__close_received(&c, &goodbye, 3000, LIMIT_MS));
    expect(&c, CW__CLOSE_BOTH, 1001, "bye", true);
    CHECK_INT(c.deadline_ms, 1000 + LIMIT_MS); /* the answer does not extend the deadline */
    cw__close_ended(&c, "the server ended the connection");
    expect(&c, CW__CLOSE_ENDED, 1001, "bye", true);
    CHECK_INT(c.deadline_ms, INT64_MAX);
}

static void test_peer_begins(void)
{
    cw__close c = started();

    CHECK(cw__close_received(&c, &goodbye, 1000, LIMIT_MS));
    expect(&c, CW__CLOSE_RECEIVED, 1001, "bye", false);
    CHECK(!cw__close_begin(&c, 1500, LIMIT_MS));
    CHECK(!cw__close_received(&c, &(cw__close_payload){1000, 0, ""}, 1500, LIMIT_MS)); /* the first counts */
    cw__close_answered(&c);
    expect(&c, CW__CLOSE_BOTH, 1001, "bye", true);
    CHECK(!cw__close_received(&c, &(cw__close_payload){1000, 0, ""}, 1500, LIMIT_MS));
    cw__close_ended(&c, "x");
    expect(&c, CW__CLOSE_ENDED, 1001, "bye", true);
}

static void test_empty_close(void)
{
    cw__close c = started();
    cw__close_payload empty;

    CHECK_INT(cw__close_decode(NULL, 0, &empty).code, 0);
    CHECK(cw__close_received(&c, &empty, 0, LIMIT_MS));
    expect(&c, CW__CLOSE_RECEIVED, 1005, "", false);
}

static void test_lost(void)
{
    cw__close c = started();

    cw__close_ended(&c, "the connection was reset");
    expect(&c, CW__CLOSE_ENDED, 1006, "the connection was reset", false);
    cw__close_ended(&c, "again"); /* the first reason stays */
    expect(&c, CW__CLOSE_ENDED, 1006, "the connection was reset", false);
    CHECK(!cw__close_begin(&c, 0, LIMIT_MS));
    CHECK(!cw__close_received(&c, &goodbye, 0, LIMIT_MS));
    CHECK(!cw__close_failed(&c, &bad_text, 0, LIMIT_MS));
    cw__close_answered(&c);
    expect(&c, CW__CLOSE_ENDED, 1006, "the connection was reset", false);

    c = started();
    CHECK(cw__close_begin(&c, 0, LIMIT_MS));
    cw__close_ended(&c, "lost");
    expect(&c, CW__CLOSE_ENDED, 1006, "lost", false);
}

static void test_lost_before_the_answer(void)
{
    cw__close c = started();

    CHECK(cw__close_received(&c, &goodbye, 0, LIMIT_MS));
    cw__close_ended(&c, "lost");
    /* the peer's code counts, although the end was not clean */
    expect(&c, CW__CLOSE_ENDED, 1001, "bye", false);
    cw__close_answered(&c);
    expect(&c, CW__CLOSE_ENDED, 1001, "bye", false);
}

static void test_failed(void)
{
    cw__close c = started();

    CHECK(cw__close_failed(&c, &bad_text, 1000, LIMIT_MS)); /* send 1007 */
    expect(&c, CW__CLOSE_FAILED, 1006, "not UTF-8", false);
    CHECK_INT(c.deadline_ms, 1000 + LIMIT_MS);
    CHECK(!cw__close_received(&c, &goodbye, 2000, LIMIT_MS));
    CHECK(!cw__close_failed(&c, &(cw__violation){1002, "other"}, 2000, LIMIT_MS));
    CHECK(!cw__close_begin(&c, 2000, LIMIT_MS));
    cw__close_answered(&c);
    expect(&c, CW__CLOSE_FAILED, 1006, "not UTF-8", false);
    cw__close_ended(&c, "reset");
    expect(&c, CW__CLOSE_ENDED, 1006, "not UTF-8", false);
}

static void test_failed_after_sent(void)
{
    cw__close c = started();

    CHECK(cw__close_begin(&c, 1000, LIMIT_MS));
    CHECK(!cw__close_failed(&c, &bad_text, 2000, LIMIT_MS)); /* no second close frame is sent */
    expect(&c, CW__CLOSE_FAILED, 1006, "not UTF-8", false);
    CHECK_INT(c.deadline_ms, 1000 + LIMIT_MS);
}

static void test_nothing_after_the_peers_close(void)
{
    cw__close c = started();

    CHECK(cw__close_received(&c, &goodbye, 0, LIMIT_MS));
    CHECK(!cw__close_failed(&c, &bad_text, 0, LIMIT_MS));
    expect(&c, CW__CLOSE_RECEIVED, 1001, "bye", false);
    cw__close_answered(&c);
    CHECK(!cw__close_failed(&c, &bad_text, 0, LIMIT_MS));
    expect(&c, CW__CLOSE_BOTH, 1001, "bye", true);
}

static void test_deadline(void)
{
    cw__close c = started();

    CHECK_INT(c.deadline_ms, INT64_MAX);
    CHECK(!cw__close_expired(&c, INT64_MAX - 1));
    CHECK(cw__close_begin(&c, 1000, 5));
    CHECK(!cw__close_expired(&c, 1004));
    CHECK(cw__close_expired(&c, 1005));
    cw__close_ended(&c, "x");
    CHECK(!cw__close_expired(&c, 1005));
    c = started();
    CHECK(cw__close_begin(&c, 1000, INT64_MAX)); /* INT64_MAX must not overflow */
    CHECK_INT(c.deadline_ms, INT64_MAX);
}

static void test_long_texts(void)
{
    char why[301] = "";
    cw__close c = started();

    memset(why, 'w', 300);
    cw__close_ended(&c, why);
    CHECK_INT(c.result.reason_bytes, 123);
    CHECK_INT(strlen(c.result.reason), 123);
}

static const harness_test tests[] = {
    {"RFC 6455 7.4: the codes that a close frame may have", test_codes},
    {"RFC 6455 5.5.1: payloads are read", test_decode},
    {"RFC 6455 5.5.1: a payload of one byte is refused with 1002", test_one_byte},
    {"RFC 6455 7.4.1: a bad code is refused with 1002", test_bad_codes},
    {"RFC 6455 7.4.2: a code that is not allowed is told", test_names_code},
    {"RFC 6455 8.1: a reason that is not UTF-8 is refused with 1007", test_bad_reason},
    {"RFC 6455 5.5: a payload over 125 bytes is refused with 1002", test_too_long},
    {"RFC 6455 5.5.1: payloads are written, reasons cut between characters", test_encode},
    {"RFC 6455 7.1.2: we begin, the peer answers", test_we_begin},
    {"RFC 6455 5.5.1: the peer begins, we answer once", test_peer_begins},
    {"RFC 6455 7.1.5: an empty close frame is 1005", test_empty_close},
    {"RFC 6455 7.1.5: a lost connection is 1006", test_lost},
    {"RFC 6455 7.1.4: lost before our answer is not clean", test_lost_before_the_answer},
    {"RFC 6455 7.1.7: a broken rule fails the connection", test_failed},
    {"RFC 6455 5.5.1: after our close frame no second one goes out", test_failed_after_sent},
    {"RFC 6455 5.5.1: nothing counts after the peer's close frame", test_nothing_after_the_peers_close},
    {"RFC 6455 7.1.1: one deadline bounds the closing", test_deadline},
    {"a long text is cut", test_long_texts},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

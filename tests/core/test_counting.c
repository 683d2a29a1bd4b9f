/* SPDX-License-Identifier: MIT */
/* Tests of the frames that message.c counts for the statistics. test_message.c tests what becomes of them. */
#include "harness.h"

/* Feeds a piece as inbound.c does. */
static void feed(cw__message *m, uint8_t opcode, bool is_final, size_t len_bytes, size_t offset,
                 uint64_t remaining)
{
    static const uint8_t zeros[8];
    cw__piece piece = {zeros, len_bytes, offset, remaining, opcode, 0, is_final};
    cw__message_output out;
    cw__violation violation;

    CHECK(cw__message_count(m, &piece, &violation));
    out.event = NULL;
    if (cw__message_feed(m, &piece, &out) == CW__MESSAGE_WHOLE)
        cw_event_free(out.event);
}

/* A frame counts once, in however many pieces it comes, and also if control frames come in between. */
static void test_counts(void)
{
    cw__message m;

    cw__message_init(&m, false, -1);
    feed(&m, CW__OP_BINARY, true, 3, 0, 0);
    CHECK_INT(m.frames[CW__OP_BINARY], 1);
    feed(&m, CW__OP_BINARY, false, 3, 0, 2);
    feed(&m, CW__OP_BINARY, false, 2, 3, 0);
    CHECK_INT(m.frames[CW__OP_BINARY], 2);
    feed(&m, CW__OP_PING, true, 1, 0, 3);
    feed(&m, CW__OP_PING, true, 3, 1, 0);
    feed(&m, CW__OP_PONG, true, 0, 0, 0);
    feed(&m, CW__OP_PONG, true, 0, 0, 0);
    feed(&m, CW__OP_CONTINUATION, false, 1, 0, 0);
    feed(&m, CW__OP_CONTINUATION, true, 1, 0, 0);
    feed(&m, CW__OP_TEXT, true, 1, 0, 0);
    feed(&m, CW__OP_CLOSE, true, 2, 0, 0);
    CHECK_INT(m.frames[CW__OP_CONTINUATION], 2);
    CHECK_INT(m.frames[CW__OP_TEXT], 1);
    CHECK_INT(m.frames[CW__OP_BINARY], 2);
    CHECK_INT(m.frames[CW__OP_PING], 1);
    CHECK_INT(m.frames[CW__OP_PONG], 2);
    CHECK_INT(m.frames[CW__OP_CLOSE], 1);
    cw__message_destroy(&m);
}

static const harness_test tests[] = {{"a frame counts once, by its opcode", test_counts}};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of message.c: messages that are gathered in a place which their taker lends, and the telling of large ones.
 * The same over connections is in test_into.c. */
#include "harness.h"

#include "internal.h"

static cw__message_result feed(cw__message *m, cw__message_output *out, uint8_t opcode, bool is_final,
                               const void *data, size_t len_bytes, uint64_t remaining)
{
    cw__piece piece = {data, len_bytes, 0, remaining, opcode, 0, is_final};
    return cw__message_feed(m, &piece, out);
}

static void lend(cw_event *place, uint8_t *data, size_t room_bytes)
{
    memset(place, 0, sizeof *place);
    place->type = CW_EVENT_MESSAGE;
    place->data = data;
    place->room_bytes = room_bytes;
    place->is_lent = true;
}

static void test_lent(void)
{
    uint8_t own[8];
    cw_event place, other;
    cw__message m;
    cw__message_output out;

    lend(&place, own, sizeof own);
    cw__message_init(&m, false, -1);
    CHECK(cw__message_lend(&m, &place));
    lend(&other, own, sizeof own);
    CHECK(!cw__message_lend(&m, &other)); /* one at a time */
    CHECK(cw__message_take_back(&m, &other));
    CHECK_INT(feed(&m, &out, CW__OP_TEXT, false, "abc", 3, 0), CW__MESSAGE_NONE);
    CHECK(!cw__message_lend(&m, &other)); /* not in the middle of a message */
    CHECK_INT(feed(&m, &out, CW__OP_CONTINUATION, true, "defgh", 5, 0), CW__MESSAGE_WHOLE);
    CHECK(out.event == &place);
    CHECK(place.is_complete);
    CHECK_INT(place.kind, CW_UTF8);
    CHECK_BYTES(own, place.len_bytes, "abcdefgh", 8);
    cw_event_free(out.event); /* nothing happens */
    CHECK(cw__message_take_back(&m, &place));
    CHECK_INT(feed(&m, &out, CW__OP_TEXT, true, "ij", 2, 0), CW__MESSAGE_WHOLE);
    CHECK(out.event != &place);
    CHECK_BYTES(own, sizeof own, "abcdefgh", 8);
    cw_event_free(out.event);
    cw__message_destroy(&m);
}

static void test_lent_is_too_small(void)
{
    uint8_t own[4];
    cw_event place;
    cw__message m;
    cw__message_output out;

    lend(&place, own, sizeof own);
    cw__message_init(&m, false, -1);
    CHECK(cw__message_lend(&m, &place));
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "a", 1, 4), CW__MESSAGE_NONE); /* the header shows it */
    CHECK_INT(place.len_bytes, 0);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "bcde", 4, 0), CW__MESSAGE_WHOLE);
    CHECK_BYTES(out.event->data, out.event->len_bytes, "abcde", 5);
    cw_event_free(out.event);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, false, "abc", 3, 0), CW__MESSAGE_NONE); /* or a later fragment */
    CHECK_INT(place.len_bytes, 3);
    CHECK_INT(feed(&m, &out, CW__OP_CONTINUATION, true, "de", 2, 0), CW__MESSAGE_WHOLE);
    CHECK(out.event != &place);
    CHECK_BYTES(out.event->data, out.event->len_bytes, "abcde", 5);
    CHECK(!place.is_complete);
    cw_event_free(out.event);
    cw__message_destroy(&m);
}

static void test_lent_is_taken_back(void)
{
    uint8_t own[8];
    cw_event place;
    cw__message m;
    cw__message_output out;

    lend(&place, own, sizeof own);
    cw__message_init(&m, false, -1);
    CHECK(cw__message_lend(&m, &place));
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "abc", 3, 2), CW__MESSAGE_NONE);
    CHECK(m.building == &place);
    CHECK(cw__message_take_back(&m, &place));
    memset(own, 'x', sizeof own);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "de", 2, 0), CW__MESSAGE_WHOLE);
    CHECK_BYTES(out.event->data, out.event->len_bytes, "abcde", 5);
    cw_event_free(out.event);

    lend(&place, own, sizeof own);
    CHECK(cw__message_lend(&m, &place));
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "abc", 3, 2), CW__MESSAGE_NONE);
    cw__alloc_fail_at(0);
    CHECK(!cw__message_take_back(&m, &place));
    CHECK(m.building == NULL);
    cw__message_destroy(&m);
}

static void test_coming(void)
{
    uint8_t own[8];
    cw_event place;
    cw__message m;
    cw__message_output out;

    lend(&place, own, sizeof own);
    cw__message_init(&m, false, -1);
    CHECK_INT(cw__message_coming(&m), 0);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, NULL, 0, 5), CW__MESSAGE_NONE);
    CHECK_INT(cw__message_coming(&m), 5);
    CHECK(cw__message_lend(&m, &place));
    CHECK_INT(cw__message_coming(&m), 0); /* somebody has it already */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "abcde", 5, 0), CW__MESSAGE_WHOLE);
    CHECK(out.event == &place);
    CHECK_INT(cw__message_coming(&m), 0);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "a", 1, 4), CW__MESSAGE_NONE); /* more than its header */
    CHECK_INT(cw__message_coming(&m), 0);
    cw__message_destroy(&m);
    cw__message_init(&m, false, -1);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, false, NULL, 0, 5), CW__MESSAGE_NONE); /* its length is not known */
    CHECK_INT(cw__message_coming(&m), 0);
    cw__message_destroy(&m);
    cw__message_init(&m, false, -1);
    CHECK_INT(feed(&m, &out, CW__OP_TEXT, true, NULL, 0, 5), CW__MESSAGE_NONE);
    CHECK_INT(cw__message_coming(&m), 0);
    cw__message_destroy(&m);
}

static const harness_test tests[] = {
    {"a message is gathered in a place that is lent", test_lent},
    {"one that does not fit there is gathered elsewhere", test_lent_is_too_small},
    {"a place is taken back in the middle of a message", test_lent_is_taken_back},
    {"a large binary message is told of by its header", test_coming},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

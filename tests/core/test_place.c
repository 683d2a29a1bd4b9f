/* SPDX-License-Identifier: MIT */
/* Tests of where message.c gathers messages: in events that grow, and in places that callers lend. test_into.c tests
 * the same over connections. */
#include "harness.h"

#include "protocol/protocol.h"

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
    place->memory = CW__MEMORY_LENT;
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
    CHECK(!cw__message_lend(&m, &other)); /* one place at a time */
    CHECK(cw__message_take_back(&m, &other));
    CHECK_INT(feed(&m, &out, CW__OP_TEXT, false, "abc", 3, 0), CW__MESSAGE_NONE);
    CHECK(!cw__message_lend(&m, &other)); /* refused in the middle of a message */
    CHECK_INT(feed(&m, &out, CW__OP_CONTINUATION, true, "defgh", 5, 0), CW__MESSAGE_WHOLE);
    CHECK(out.event == &place);
    CHECK(place.is_complete);
    CHECK_INT(place.message_type, CW_UTF8);
    CHECK_BYTES(own, place.len_bytes, "abcdefgh", 8);
    cw_event_free(out.event); /* freeing a lent event does nothing */
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
    /* the header shows that the message is too long */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "a", 1, 4), CW__MESSAGE_NONE);
    CHECK_INT(place.len_bytes, 0);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "bcde", 4, 0), CW__MESSAGE_WHOLE);
    CHECK_BYTES(out.event->data, out.event->len_bytes, "abcde", 5);
    cw_event_free(out.event);
    /* a later fragment makes the message too long */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, false, "abc", 3, 0), CW__MESSAGE_NONE);
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
    CHECK_INT(cw__message_coming(&m), 0); /* the message has been taken already */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "abcde", 5, 0), CW__MESSAGE_WHOLE);
    CHECK(out.event == &place);
    CHECK_INT(cw__message_coming(&m), 0);
    /* more than the header has arrived */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "a", 1, 4), CW__MESSAGE_NONE);
    CHECK_INT(cw__message_coming(&m), 0);
    cw__message_destroy(&m);
    cw__message_init(&m, false, -1);
    /* the length of a fragmented message is not known */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, false, NULL, 0, 5), CW__MESSAGE_NONE);
    CHECK_INT(cw__message_coming(&m), 0);
    cw__message_destroy(&m);
    cw__message_init(&m, false, -1);
    CHECK_INT(feed(&m, &out, CW__OP_TEXT, true, NULL, 0, 5), CW__MESSAGE_NONE);
    CHECK_INT(cw__message_coming(&m), 0);
    cw__message_destroy(&m);
    cw__message_init(&m, true, -1); /* returned in parts */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, NULL, 0, 5), CW__MESSAGE_NONE);
    CHECK_INT(cw__message_coming(&m), 0);
    cw__message_destroy(&m);
}

/* Every way to take a place back, and every way not to use it. */
static void test_lent_in_vain(void)
{
    static uint8_t own[20000], bytes[17000];
    cw_event place;
    cw__message m;
    cw__message_output out;
    size_t room;

    lend(&place, own, 3);
    cw__message_init(&m, false, -1);
    CHECK(cw__message_lend(&m, &place));
    CHECK(cw__message_take_back(&m, &place)); /* taken back before any byte arrived */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "abc", 3, 0), CW__MESSAGE_WHOLE);
    CHECK(out.event != &place);
    cw_event_free(out.event);
    CHECK(cw__message_lend(&m, &place));
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "abc", 3, 0), CW__MESSAGE_WHOLE); /* the message just fits */
    CHECK(out.event == &place);
    /* the place is for one message only */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "abc", 3, 0), CW__MESSAGE_WHOLE);
    CHECK(out.event != &place);
    cw_event_free(out.event);
    lend(&place, own, 3);
    CHECK(cw__message_lend(&m, &place));
    /* the message does not fit */
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "abcd", 4, 1), CW__MESSAGE_NONE);
    CHECK(cw__message_take_back(&m, &place));
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "e", 1, 0), CW__MESSAGE_WHOLE);
    CHECK_BYTES(out.event->data, out.event->len_bytes, "abcde", 5);
    cw_event_free(out.event);
    lend(&place, own, sizeof own);
    CHECK(cw__message_lend(&m, &place));
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, NULL, 0, sizeof bytes), CW__MESSAGE_NONE);
    CHECK(cw__message_space(&m, &room) == own); /* bytes are to be read into the place, but none has arrived */
    CHECK_INT(room, sizeof bytes);
    CHECK(cw__message_take_back(&m, &place));
    CHECK(m.building == NULL);
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, bytes, sizeof bytes, 0), CW__MESSAGE_WHOLE);
    CHECK(out.event != &place);
    CHECK_INT(out.event->len_bytes, sizeof bytes);
    cw_event_free(out.event);
    lend(&place, own, sizeof own);
    CHECK(cw__message_lend(&m, &place));
    CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, "a", 1, 0), CW__MESSAGE_WHOLE);
    CHECK(out.event == &place); /* even if much of the place is unused */
    cw__message_destroy(&m);
}

/* ---- The room of an event ---- */

typedef struct fragment {
    size_t len_bytes;
    uint64_t remaining;
    bool is_final;
    size_t wanted_room; /* the room after the fragment */
} fragment;

/* Feeds the fragments of a message; the last one ends it. Checks the room after each. */
static void grow(int64_t max_bytes, const fragment *fragments, size_t count)
{
    static const uint8_t zeros[1 << 16];
    cw__message m;
    cw__message_output out;
    size_t len = 0;

    cw__message_init(&m, false, max_bytes);
    for (size_t i = 0; i < count; i++) {
        const fragment *f = &fragments[i];
        bool is_end = f->is_final && f->remaining == 0;
        memset(&out, 0xff, sizeof out);
        CHECK_INT(feed(&m, &out, i ? CW__OP_CONTINUATION : CW__OP_BINARY, f->is_final, zeros, f->len_bytes,
                       f->remaining),
                  is_end ? CW__MESSAGE_WHOLE : CW__MESSAGE_NONE);
        len += f->len_bytes;
        CHECK_INT(out.is_complete, is_end);
        CHECK(out.data == NULL && out.len_bytes == 0 && out.violation.code == 0 && !out.violation.text);
        CHECK((out.event != NULL) == is_end);
        CHECK_INT((is_end ? out.event : m.building)->room_bytes, f->wanted_room);
        CHECK_INT((is_end ? out.event : m.building)->len_bytes, len);
        if (is_end)
            cw_event_free(out.event);
    }
    cw__message_destroy(&m);
    CHECK(m.building == NULL);
}

#define GROW(max_bytes, ...)                                              \
    do {                                                                  \
        static const fragment fragments[] = {__VA_ARGS__};                \
        grow(max_bytes, fragments, sizeof fragments / sizeof *fragments); \
    } while (0)

/* The room doubles, or grows by the announced length. The last frame gets exactly what it needs. */
static void test_rooms(void)
{
    enum { MIB = 1 << 20 };

    GROW(-1, {0, 0, true, 0});
    GROW(-1, {1, 0, false, 1}, {1, 0, false, 2}, {1, 0, false, 4}, {1, 0, true, 4});
    GROW(-1, {10, 0, false, 10}, {1, 0, false, 20}, {12, 0, true, 23});
    GROW(-1, {10, 0, false, 10}, {1, 0, false, 20}, {10, 5, true, 26}, {5, 0, true, 26});
    GROW(-1, {10, 0, false, 10}, {1, 14, false, 25}, {14, 0, false, 25});
    GROW(-1, {10, 0, false, 10}, {1, 3 * MIB, false, MIB + 10});
    GROW(-1, {10, 0, false, 10}, {1, 3 * MIB, true, MIB + 10});
    GROW(5, {3, 0, false, 3}, {1, 0, false, 5}, {1, 0, true, 5});
}

/* Unused room is returned if it is more than 4 KiB and more than a quarter of the message. */
static void test_waste(void)
{
    GROW(-1, {4097, 0, false, 4097}, {1, 0, false, 8194}, {0, 0, true, 8194});
    GROW(-1, {4098, 0, false, 4098}, {1, 0, false, 8196}, {0, 0, true, 4099});
    GROW(30000, {24000, 0, false, 24000}, {1, 0, false, 30000}, {0, 0, true, 30000});
    GROW(30001, {24000, 0, false, 24000}, {1, 0, false, 30001}, {0, 0, true, 30001});
    GROW(30002, {24000, 0, false, 24000}, {1, 0, false, 30002}, {0, 0, true, 24001});
}

/* A frame of 16 KiB or more is read directly to its place. */
static void test_space(void)
{
    enum { LEAST_BYTES = 16 << 10 };

    for (int more = -1; more < 2; more++) {
        cw__message m;
        cw__message_output out;
        size_t room;
        uint8_t *at;
        cw__message_init(&m, false, -1);
        CHECK_INT(feed(&m, &out, CW__OP_BINARY, true, NULL, 0, (uint64_t)(LEAST_BYTES + more)),
                  CW__MESSAGE_NONE);
        at = cw__message_space(&m, &room);
        CHECK_INT(at != NULL, more >= 0);
        CHECK_INT(room, more >= 0 ? LEAST_BYTES + more : 0);
        cw__message_destroy(&m);
    }
}

static const harness_test tests[] = {
    {"a message is gathered in a lent place", test_lent},
    {"a message that does not fit into the lent place", test_lent_is_too_small},
    {"a lent place is taken back in the middle of a message", test_lent_is_taken_back},
    {"a lent place that is not used, or used for one message", test_lent_in_vain},
    {"the room of a message grows", test_rooms},
    {"unused room is returned", test_waste},
    {"large frames are read directly to their place", test_space},
    {"a large binary message is announced by its header", test_coming},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

/* SPDX-License-Identifier: MIT */
/* Tests of event.c. */
#include "harness.h"

static int releases;
static cw_socket *released;

static void release(cw_socket *s)
{
    releases++;
    released = s;
}

static void test_create(void)
{
    cw_event *e = cw__event_create(CW_EVENT_CLOSED, 3);
    size_t len_bytes = 7;

    CHECK(e != NULL);
    CHECK_INT(cw_event_get_type(e), CW_EVENT_CLOSED);
    CHECK_INT(e->room_bytes, 3);
    CHECK(cw_event_socket(e) == NULL);
    CHECK_INT(cw_event_message_type(e), CW_BINARY);
    CHECK(!cw_event_is_complete(e) && !cw_event_was_clean(e));
    CHECK_INT(cw_event_close_code(e), 0);
    CHECK(cw_event_data(e, &len_bytes) == e->data);
    CHECK_INT(len_bytes, 0);
    e->message_type = CW_UTF8;
    e->is_complete = e->was_clean = true;
    e->close_code = 4000;
    CHECK_INT(cw_event_message_type(e), CW_UTF8);
    CHECK(cw_event_is_complete(e) && cw_event_was_clean(e));
    CHECK_INT(cw_event_close_code(e), 4000);
    cw_event_free(e);
    cw_event_free(NULL);
    CHECK_INT(releases, 0);
}

static void test_free_releases(void)
{
    cw_event *e = cw__event_create(CW_EVENT_MESSAGE, 0);
    cw_socket *socket = (cw_socket *)(void *)&releases;

    e->socket = socket;
    e->release = release;
    CHECK(cw_event_socket(e) == socket);
    cw_event_free(e);
    CHECK_INT(releases, 1);
    CHECK(released == socket);
}

static bool resize(void *arg)
{
    cw_event *e = cw__event_create(CW_EVENT_MESSAGE, 4);
    cw_event *moved;

    (void)arg;
    if (!e)
        return false;
    memcpy(e->data, "abcd", 4);
    e->len_bytes = 4;
    moved = cw__event_resize(e, 100000);
    if (moved)
        e = moved;
    CHECK_INT(e->room_bytes, moved ? 100000 : 4);
    CHECK_BYTES(e->data, e->len_bytes, "abcd", 4);
    if (moved && (moved = cw__event_resize(e, 2)) != NULL) {
        e = moved;
        CHECK_BYTES(e->data, e->len_bytes, "ab", 2);
    }
    cw_event_free(e);
    return moved != NULL;
}

static void test_resize(void)
{
    cw_event *e = cw__event_create(CW_EVENT_MESSAGE, 1);

    CHECK(cw__event_resize(e, SIZE_MAX) == NULL);
    CHECK_INT(e->room_bytes, 1);
    cw_event_free(e);
    CHECK(cw__event_create(CW_EVENT_MESSAGE, SIZE_MAX) == NULL);
    each_allocation_fails(resize, NULL);
}

/* Events that are too large for glibc's cache share one block, which fits the largest of them. */
static void test_spare(void)
{
    enum { STORE_BYTES = 1032, MOST_BYTES = 2048, LEAST_BYTES = STORE_BYTES - (int)sizeof(cw_event) };
    static const size_t rooms[] = {0, LEAST_BYTES, LEAST_BYTES + 1, 1500, MOST_BYTES, MOST_BYTES + 1, 100000};

    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        cw_event *e = cw__event_create(CW_EVENT_MESSAGE, rooms[i]), *next;
        void *first = e, *other;
        bool is_of_spare = rooms[i] > LEAST_BYTES && rooms[i] <= MOST_BYTES;
        CHECK(e != NULL);
        CHECK_INT(e->memory == CW__MEMORY_SPARE, is_of_spare);
        memset(e->data, 'x', rooms[i]);
        cw_event_free(e);
        other = malloc(sizeof *e + MOST_BYTES); /* if the block had been freed, malloc would return it here */
        next = cw__event_create(CW_EVENT_MESSAGE, MOST_BYTES);
        CHECK(other && next && next->memory == CW__MEMORY_SPARE);
        CHECK(other != first || !is_of_spare);
        CHECK(next == first || !is_of_spare);
        memset(next->data, 'x', MOST_BYTES); /* a sanitizer reports this write if the block is too small */
        free(other);
        next = cw__event_resize(next, 1500); /* its block now has its own size */
        CHECK(next && next->memory == CW__MEMORY_BLOCK);
        cw_event_free(next);
    }
}

/* The lender owns a lent event: it is neither freed nor moved. A resize copies it. */
static bool copy_lent(void *arg)
{
    const size_t *room = arg;
    char text[] = "abcd";
    cw_event lent = {.memory = CW__MEMORY_LENT,
                     .data = (uint8_t *)text,
                     .len_bytes = 4,
                     .room_bytes = 5,
                     .message_type = CW_UTF8,
                     .is_complete = true};
    cw_event *copy = cw__event_resize(&lent, *room);
    size_t wanted = *room < 4 ? *room : 4;

    lent.type = CW_EVENT_MESSAGE;
    cw_event_free(&lent);
    CHECK(lent.data == (uint8_t *)text && lent.len_bytes == 4 && lent.room_bytes == 5);
    if (!copy)
        return false;
    CHECK(copy != &lent && copy->memory != CW__MEMORY_LENT);
    CHECK_INT(copy->room_bytes, *room);
    CHECK_INT(cw_event_message_type(copy), CW_UTF8);
    CHECK(copy->is_complete);
    CHECK_BYTES(copy->data, copy->len_bytes, text, wanted);
    CHECK(cw_event_data(copy, NULL) == copy->data);
    cw_event_free(copy);
    return true;
}

static void test_lent(void)
{
    for (size_t room = 0; room < 10; room++)
        each_allocation_fails(copy_lent, &room);
}

static const harness_test tests[] = {
    {"an event returns its properties", test_create},
    {"lifetime rule 4: freeing an event drops its reference to the socket", test_free_releases},
    {"medium events share one block", test_spare},
    {"a lent event is copied and left alone", test_lent},
    {"resizing keeps the payload, and without memory the event", test_resize},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

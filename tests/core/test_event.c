/* SPDX-License-Identifier: MIT */
/* Tests of event.c. */
#include "harness.h"

static int releases;
static cw_socket *released;

void cw_socket_release(cw_socket *s)
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
    CHECK_INT(cw_event_kind(e), CW_BINARY);
    CHECK(!cw_event_is_complete(e) && !cw_event_was_clean(e));
    CHECK_INT(cw_event_close_code(e), 0);
    CHECK(cw_event_data(e, &len_bytes) == e->data);
    CHECK_INT(len_bytes, 0);
    e->kind = CW_UTF8;
    e->is_complete = e->was_clean = true;
    e->close_code = 4000;
    CHECK_INT(cw_event_kind(e), CW_UTF8);
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

static const harness_test tests[] = {
    {"an event shows what it holds", test_create},
    {"lifetime 4: freeing an event gives its socket's reference back", test_free_releases},
    {"resizing keeps the payload, and without memory the event", test_resize},
};

int main(int argc, char **argv) { return HARNESS_MAIN(argc, argv, tests); }

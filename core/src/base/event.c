/* SPDX-License-Identifier: MIT */
/* Events on their way to a runtime. An event is one block: first the struct, then the payload. message.c and socket.c
 * create events, the mailbox passes them on, and the runtime that takes one frees it. There are no locks: an event has
 * one owner at a time. */
#include "base.h"

#include <string.h>

/* An event in this range is allocated with the largest size, so that one spare block fits all of them. glibc itself
 * caches smaller blocks. */
enum { STORE_BYTES = 1032, SPARE_LEAST_BYTES = STORE_BYTES - (int)sizeof(cw_event), SPARE_MOST_BYTES = 2048 };

static cw__spare spare;

cw_event *cw__event_create(cw_event_type type, size_t room_bytes)
{
    bool is_of_spare = room_bytes > SPARE_LEAST_BYTES && room_bytes <= SPARE_MOST_BYTES;
    cw_event *e;

    if (room_bytes > SIZE_MAX - sizeof *e)
        return NULL;
    e = is_of_spare ? cw__spare_take(&spare, sizeof *e + SPARE_MOST_BYTES) : cw__malloc(sizeof *e + room_bytes);
    if (!e)
        return NULL;
    memset(e, 0, sizeof *e);
    e->room_bytes = room_bytes;
    e->memory = is_of_spare ? CW__MEMORY_SPARE : CW__MEMORY_BLOCK;
    e->type = (uint16_t)type;
    e->data = e->own;
    return e;
}

static cw_event *copy_of(const cw_event *e, size_t room_bytes)
{
    cw_event *copy = cw__event_create((cw_event_type)e->type, room_bytes);

    if (!copy)
        return NULL;
    copy->message_type = e->message_type;
    copy->is_complete = e->is_complete;
    copy->len_bytes = e->len_bytes < room_bytes ? e->len_bytes : room_bytes;
    if (copy->len_bytes)
        memcpy(copy->data, e->data, copy->len_bytes);
    return copy;
}

cw_event *cw__event_resize(cw_event *e, size_t room_bytes)
{
    cw_event *moved;

    if (room_bytes > SIZE_MAX - sizeof *e)
        return NULL;
    if (e->memory == CW__MEMORY_LENT)
        return copy_of(e, room_bytes);
    moved = cw__realloc(e, sizeof *e + room_bytes);
    if (!moved)
        return NULL;
    moved->memory = CW__MEMORY_BLOCK;
    moved->data = moved->own;
    moved->room_bytes = room_bytes;
    if (moved->len_bytes > room_bytes)
        moved->len_bytes = room_bytes;
    return moved;
}

cw_event_type cw_event_get_type(const cw_event *e) { return (cw_event_type)e->type; }
cw_socket *cw_event_socket(const cw_event *e) { return e->socket; }
cw_message_type cw_event_message_type(const cw_event *e) { return (cw_message_type)e->message_type; }
bool cw_event_is_complete(const cw_event *e) { return e->is_complete; }
bool cw_event_is_part(const cw_event *e) { return e->is_part; }
int cw_event_close_code(const cw_event *e) { return e->close_code; }
bool cw_event_was_clean(const cw_event *e) { return e->was_clean; }

const void *cw_event_data(const cw_event *e, size_t *len_bytes)
{
    if (len_bytes)
        *len_bytes = e->len_bytes;
    return e->data;
}

void cw_event_free(cw_event *e)
{
    if (!e || e->memory == CW__MEMORY_LENT)
        return;
    if (e->socket)
        e->release(e->socket);
    if (e->memory == CW__MEMORY_SPARE)
        cw__spare_give(&spare, e);
    else
        cw__free(e);
}

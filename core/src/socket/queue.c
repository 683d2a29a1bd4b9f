/* SPDX-License-Identifier: MIT */
/* Queue: the frames of a socket that wait to be written, in order, and the count of lost bytes. outbound.c writes
 * them.
 *
 * Safety: under the socket's lock. */
#include <string.h>

#include "socket.h"

enum {
    PONGS_AT_MOST = 16 /* then a new pong replaces the newest one (RFC 6455 section 5.5.3 allows it) */
};

cw__queued_frame *cw__queue_make(uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes)
{
    cw__queued_frame *f = cw__malloc(sizeof *f + len_bytes);

    if (!f)
        return NULL;
    *f = (cw__queued_frame){.len_bytes = len_bytes, .opcode = opcode, .is_final = is_final};
    if (len_bytes)
        memcpy(f->data, data, len_bytes);
    return f;
}

static void count(cw_socket *s, const cw__queued_frame *f, bool comes)
{
    if (f->opcode == CW__OP_PONG)
        s->out.pong_count += comes ? 1u : -1u;
    if (!cw__queue_is_control(f->opcode)) {
        s->out.data_count += comes ? 1u : -1u;
        if (comes) {
            s->out.data_bytes += f->len_bytes + CW__FRAME_COST_BYTES;
            if (s->out.data_bytes > s->counts.send_queue_bytes_most)
                s->counts.send_queue_bytes_most = s->out.data_bytes;
        } else
            s->out.data_bytes -= f->len_bytes + CW__FRAME_COST_BYTES;
    }
}

void cw__queue_append_locked(cw_socket *s, cw__queued_frame *f)
{
    f->next = NULL;
    if (s->out.last)
        s->out.last->next = f;
    else
        s->out.first = f;
    s->out.last = f;
    count(s, f, true);
}

void cw__queue_prepend_locked(cw_socket *s, cw__queued_frame *f)
{
    f->next = s->out.first;
    s->out.first = f;
    if (!s->out.last)
        s->out.last = f;
    count(s, f, true);
}

/* Inserts a control frame: before the first data frame that has not begun, and after other control frames. */
static void insert(cw_socket *s, cw__queued_frame *f)
{
    cw__queued_frame **place = &s->out.first;

    while (*place && ((*place)->is_begun || cw__queue_is_control((*place)->opcode)))
        place = &(*place)->next;
    f->next = *place;
    *place = f;
    if (!f->next)
        s->out.last = f;
    count(s, f, true);
}

void cw__queue_remove_first_locked(cw_socket *s)
{
    cw__queued_frame *f = s->out.first;

    s->out.first = f->next;
    if (!s->out.first)
        s->out.last = NULL;
    count(s, f, false);
    cw__free(f);
}

static cw__queued_frame *last_waiting_pong(const cw_socket *s)
{
    cw__queued_frame *found = NULL;

    for (cw__queued_frame *f = s->out.first; f; f = f->next)
        if (f->opcode == CW__OP_PONG && !f->is_begun)
            found = f;
    return found;
}

bool cw__queue_control_locked(cw_socket *s, uint8_t opcode, const uint8_t *data, size_t len_bytes, bool is_last)
{
    cw__queued_frame *f;

    if (opcode == CW__OP_PONG && s->out.pong_count >= PONGS_AT_MOST && (f = last_waiting_pong(s))) {
        if (len_bytes) /* every control frame has room for the largest payload */
            memcpy(f->data, data, len_bytes);
        f->len_bytes = len_bytes;
        return true;
    }
    f = cw__malloc(sizeof *f + CW__CONTROL_MAX_BYTES);
    if (!f)
        return false;
    *f = (cw__queued_frame){.len_bytes = len_bytes, .opcode = opcode, .is_final = true};
    if (len_bytes)
        memcpy(f->data, data, len_bytes);
    if (is_last)
        cw__queue_append_locked(s, f);
    else
        insert(s, f);
    return true;
}

size_t cw__queue_unsent_bytes(const cw_socket *s)
{
    const cw__queued_frame *f = s->out.first;
    size_t sent_bytes =
        f && !cw__queue_is_control(f->opcode) ? f->sent_bytes : 0; /* only the first may have begun */

    return s->out.data_bytes - (size_t)s->out.data_count * CW__FRAME_COST_BYTES - sent_bytes;
}

void cw__queue_count_lost_locked(cw_socket *s, uint64_t len_bytes)
{
    s->out.lost_bytes += len_bytes;
    cw__loss_add(len_bytes);
}

static void count_lost(cw_socket *s, const cw__queued_frame *f)
{
    if (!cw__queue_is_control(f->opcode) && !f->is_told)
        cw__queue_count_lost_locked(s, f->len_bytes - f->sent_bytes);
}

void cw__queue_drop_locked(cw_socket *s)
{
    cw__queued_frame *begun = s->out.first && s->out.first->is_begun ? s->out.first : NULL;

    while (s->out.first && s->out.first != begun) {
        count_lost(s, s->out.first);
        cw__queue_remove_first_locked(s);
    }
    while (begun && begun->next) {
        cw__queued_frame *f = begun->next;
        begun->next = f->next;
        count_lost(s, f);
        count(s, f, false);
        cw__free(f);
    }
    s->out.last = begun;
}

void cw__queue_forget_held_locked(cw_socket *s)
{
    if (s->codec->calls->held_messages)
        s->out.unsent_count = s->codec->calls->held_messages(s->codec);
    s->codec->held_bytes = 0;
}

void cw__queue_lose_locked(cw_socket *s)
{
    for (cw__queued_frame *f = s->out.first; f; f = f->next)
        count_lost(s, f);
    if (s->codec && s->codec->held_bytes) {
        cw__queue_count_lost_locked(s, s->codec->held_bytes);
        cw__queue_forget_held_locked(s);
    }
    cw__queue_destroy(&s->out);
}

void cw__queue_destroy(cw__outbound *out)
{
    while (out->first) {
        cw__queued_frame *f = out->first;
        out->first = f->next;
        cw__free(f);
    }
    out->last = NULL;
    out->data_bytes = 0;
    out->data_count = 0;
    out->pong_count = 0;
}

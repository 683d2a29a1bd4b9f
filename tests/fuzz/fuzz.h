/* SPDX-License-Identifier: MIT */
/* Shared by the fuzz targets: an assertion, a reader of the input, a log of outputs, and the code that decodes bytes from the
 * wire into that log. Each file fuzz_*.c is one target. run.py builds and runs them. */
#ifndef FUZZ_H
#define FUZZ_H

#include "protocol/protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

/* Checks an invariant. If it does not hold, the program aborts, which is a finding. */
#define DEMAND(condition)                                                                   \
    do {                                                                                    \
        if (!(condition)) {                                                                 \
            (void)fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                        \
        }                                                                                   \
    } while (0)

/* The input, which is read from its front. Reading past its end gives zeros. */
typedef struct fuzz_input {
    const uint8_t *data;
    size_t len_bytes;
} fuzz_input;

static inline uint8_t fuzz_byte(fuzz_input *in)
{
    if (in->len_bytes == 0)
        return 0;
    in->len_bytes--;
    return *in->data++;
}

static inline uint64_t fuzz_number(fuzz_input *in, unsigned bytes)
{
    uint64_t number = 0;
    while (bytes--)
        number = number << 8 | fuzz_byte(in);
    return number;
}

/* Takes up to most_bytes of the input, without a copy. */
static inline const uint8_t *fuzz_bytes(fuzz_input *in, size_t most_bytes, size_t *len_bytes)
{
    const uint8_t *at = in->data;
    *len_bytes = most_bytes < in->len_bytes ? most_bytes : in->len_bytes;
    in->data += *len_bytes;
    in->len_bytes -= *len_bytes;
    return at;
}

/* Returns the length of the next piece of a split. The seed decides the lengths: 0 = all at once, 1 = one byte each. */
static inline size_t fuzz_run(uint32_t *seed, size_t left_bytes)
{
    if (*seed < 2)
        return *seed && left_bytes ? 1 : left_bytes;
    *seed = (*seed * 1664525u + 1013904223u) | 2u;
    return left_bytes ? 1 + (*seed >> 16) % (left_bytes < 24 ? left_bytes : 24) : 0;
}

typedef struct fuzz_log {
    uint8_t *bytes;
    size_t len_bytes, room_bytes;
} fuzz_log;

static inline void fuzz_note(fuzz_log *log, const void *data, size_t len_bytes)
{
    if (log->len_bytes + len_bytes > log->room_bytes) {
        log->room_bytes = 2 * (log->len_bytes + len_bytes);
        log->bytes = realloc(log->bytes, log->room_bytes);
        DEMAND(log->bytes);
    }
    if (len_bytes)
        memcpy(log->bytes + log->len_bytes, data, len_bytes);
    log->len_bytes += len_bytes;
}

/* Logs one output: its bytes, then a mark and their number. */
static inline void fuzz_note_item(fuzz_log *log, int mark, const void *data, size_t len_bytes)
{
    uint64_t end[2] = {(uint64_t)mark, len_bytes};
    fuzz_note(log, data, len_bytes);
    fuzz_note(log, end, sizeof end);
}

static inline bool fuzz_begins_with(const fuzz_log *log, const fuzz_log *beginning)
{
    return beginning->len_bytes <= log->len_bytes &&
           (beginning->len_bytes == 0 || memcmp(log->bytes, beginning->bytes, beginning->len_bytes) == 0);
}

/* The settings for decoding bytes from the wire, and the logs of the outputs. */
typedef struct fuzz_wire {
    bool is_partial, is_lax; /* lax accepts a length that is not minimal, as libcurl does */
    int64_t max_bytes;
    uint32_t seed;          /* the seed of the split into pieces */
    fuzz_log data, control; /* messages or parts; control frames and the violation */
    fuzz_log open;          /* the payloads of the frames of the unfinished message */
} fuzz_wire;

/* Logs one output, and checks that it has the bytes of the frames. Returns true if more outputs may follow. */
static inline bool fuzz_take(fuzz_wire *w, cw__message_result result, cw__message_output *out,
                             const fuzz_log *payload)
{
    bool is_over = result == CW__MESSAGE_VIOLATION || result == CW__MESSAGE_CLOSE;

    switch (result) {
    case CW__MESSAGE_NONE:
        return true;
    case CW__MESSAGE_WHOLE:
        DEMAND(out->event->is_complete &&
               (w->max_bytes < 0 || out->event->len_bytes <= (uint64_t)w->max_bytes));
        DEMAND(out->event->message_type != CW_UTF8 || cw__utf8_valid(out->event->data, out->event->len_bytes));
        DEMAND(out->event->len_bytes == w->open.len_bytes &&
               fuzz_begins_with(&w->open, &(fuzz_log){out->event->data, out->event->len_bytes, 0}));
        fuzz_note_item(&w->data, out->event->message_type, out->event->data, out->event->len_bytes);
        cw_event_free(out->event);
        w->open.len_bytes = 0;
        return true;
    case CW__MESSAGE_PART:
        fuzz_note(&w->data, out->data, out->len_bytes);
        if (out->is_complete)
            fuzz_note_item(&w->data, (int)out->message_type, NULL, 0);
        return true;
    case CW__MESSAGE_VIOLATION:
        DEMAND(out->violation.text && out->violation.code >= 1002 && out->violation.code <= 1009);
        break;
    default:
        DEMAND(result != CW__MESSAGE_NO_MEMORY && out->len_bytes <= CW__CONTROL_MAX_BYTES);
        DEMAND(out->len_bytes == payload->len_bytes && memcmp(out->data, payload->bytes, out->len_bytes) == 0);
    }
    fuzz_note_item(&w->control, is_over ? out->violation.code : (int)result, out->data, out->len_bytes);
    return !is_over;
}

/* Feeds the payload of one frame in pieces. Some pieces are read directly into the message. */
static inline bool fuzz_feed_frame(fuzz_wire *w, cw__message *m, const cw__frame *f, const uint8_t *data,
                                   size_t len_bytes)
{
    const fuzz_log payload = {(uint8_t *)(uintptr_t)data, len_bytes, 0};
    size_t offset = 0;

    do {
        size_t run = fuzz_run(&w->seed, len_bytes - offset), room = 0;
        uint8_t *space =
            m->frame_left && !m->in_control && !(f->opcode & 8) ? cw__message_space(m, &room) : NULL;
        cw__piece piece = {.data = data + offset, .offset = offset, .opcode = f->opcode, .rsv = f->rsv};
        cw__message_output out;
        if (space && run > room)
            run = room;
        if (space && run && (w->seed & 4)) {
            memcpy(space, piece.data, run);
            piece.data = space;
        }
        piece.len_bytes = run;
        piece.is_final = f->is_final;
        piece.remaining = f->payload_bytes - offset - run;
        offset += run;
        if (!(f->opcode & 8))
            fuzz_note(&w->open, piece.data, run);
        if (!fuzz_take(w, cw__message_feed(m, &piece, &out), &out, &payload))
            return false;
    } while (offset < len_bytes);
    return true;
}

/* Decodes bytes as a codec does, until their end, the first violation or the first close frame. */
static inline void fuzz_wire_run(fuzz_wire *w, const uint8_t *data, size_t len_bytes)
{
    bool goes_on = true;
    cw__message m;

    cw__message_init(&m, w->is_partial, w->max_bytes);
    while (goes_on && len_bytes) {
        cw__frame_decoder decoder = {0};
        cw__frame f;
        size_t used, have;
        cw__decode decoded = cw__frame_decode(&decoder, data, len_bytes, &used, &f);
        if (decoded == CW__DECODE_MORE ||
            (decoded == CW__DECODE_BAD && (!w->is_lax || f.payload_bytes > INT64_MAX)) || f.is_masked)
            break;
        data += used;
        len_bytes -= used;
        have = f.payload_bytes < len_bytes ? (size_t)f.payload_bytes : len_bytes;
        goes_on = fuzz_feed_frame(w, &m, &f, data, have);
        data += have;
        len_bytes -= have;
    }
    cw__message_destroy(&m);
}

static inline void fuzz_wire_destroy(fuzz_wire *w)
{
    free(w->open.bytes);
    free(w->data.bytes);
    free(w->control.bytes);
}

#endif

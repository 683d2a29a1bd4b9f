/* SPDX-License-Identifier: MIT */
/* permessage-deflate on bytes (RFC 7692 section 7.2). It turns pieces of compressed frames into pieces of plain frames,
 * and plain bytes into compressed payload. inbound.c and outbound.c call it; extension.c negotiates the terms. Pure
 * except for zlib, which only this file uses. libcurl depends on zlib anyway, so every machine has it.
 *
 * Memory: zlib's state is allocated with the first compressed message of each direction and then kept. A message
 * allocates nothing else. Inflated data is returned one buffer at a time, so a decompression bomb costs one buffer. The
 * caller limits how much inflated data it keeps (max_message_size, the inbox). */
#include "protocol.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

enum {
    RSV1 = 4,
    OP_IS_CONTROL = 0x8,
    TAIL_BYTES = 4, /* the end of the last empty block of a message, 00 00 ff ff, is not sent (section 7.2.1) */
    ZLIB_LEAST_BITS = 9, /* zlib refuses 8 for a raw stream; before 1.2.9 it used 9 instead */
    BOUNDARY = 128,      /* bit in data_type: a block has ended and no other has begun */
    UNUSED_BITS = 63     /* bits in data_type: number of unused bits in the last byte */
};

static const uint8_t tail[TAIL_BYTES] = {0x00, 0x00, 0xff, 0xff};

static void *allocate(void *unused, unsigned count, unsigned size_bytes)
{
    (void)unused;
    return cw__malloc((size_t)count * size_bytes);
}

static void release(void *unused, void *block)
{
    (void)unused;
    cw__free(block);
}

/* ---- Inflating ---- */

struct cw__inflater {
    z_stream z;
    uint8_t window_bits;
    bool resets;         /* no context takeover */
    bool is_open;        /* zlib's state is allocated */
    bool in_message;     /* a compressed message has begun and not ended */
    bool is_begun;       /* the first piece of that message has been returned */
    bool is_pending;     /* the taken piece may have more output */
    bool is_last;        /* the taken piece ends the message */
    bool has_tail;       /* zlib has been given the tail */
    bool is_ended;       /* a block was marked as the last; others may still follow (section 7.2.3.4) */
    uint64_t frame_left; /* bytes of the current data frame still to come */
    uint8_t opcode;
    uint8_t *kept; /* input that was copied for later */
    size_t kept_room_bytes;
};

const char *cw__zlib_version(void) { return zlibVersion(); }

cw__inflater *cw__inflater_create(const cw__compression *terms)
{
    cw__inflater *i = cw__calloc(1, sizeof *i);

    if (!i)
        return NULL;
    i->window_bits = terms->server_bits < ZLIB_LEAST_BITS ? ZLIB_LEAST_BITS : terms->server_bits;
    i->resets = terms->server_resets;
    i->z.zalloc = allocate;
    i->z.zfree = release;
    return i;
}

void cw__inflater_destroy(cw__inflater *i)
{
    if (!i)
        return;
    if (i->is_open)
        (void)inflateEnd(&i->z);
    cw__free(i->kept);
    cw__free(i);
}

static void take_input(cw__inflater *i, const cw__piece *piece)
{
    i->z.next_in = (uint8_t *)(uintptr_t)piece->data; /* zlib 1.2 has no const here, but only reads */
    i->z.avail_in = (uInt)piece->len_bytes;
    i->is_last = piece->is_final && piece->remaining == 0;
    i->is_pending = true;
}

bool cw__inflater_take(cw__inflater *i, const cw__piece *piece)
{
    bool begins_frame = i->frame_left == 0;

    if (piece->opcode & OP_IS_CONTROL)
        return false;
    i->frame_left = piece->remaining;
    if (!begins_frame)
        return i->in_message && (take_input(i, piece), true);
    if (i->in_message) {
        if (piece->opcode != CW__OP_CONTINUATION || piece->rsv != 0)
            return false; /* not allowed inside another message; cw__message_feed reports the violation */
    } else {
        if (piece->rsv != RSV1 || (piece->opcode != CW__OP_TEXT && piece->opcode != CW__OP_BINARY))
            return false;
        i->in_message = true;
        i->is_begun = false;
        i->has_tail = false;
        i->opcode = piece->opcode;
    }
    take_input(i, piece);
    return true;
}

bool cw__inflater_has_more(const cw__inflater *i) { return i->is_pending; }

bool cw__inflater_in_message(const cw__inflater *i) { return i->in_message; }

bool cw__inflater_keep(cw__inflater *i)
{
    size_t len = i->z.avail_in;

    if (!i->is_pending || len == 0 ||
        (i->kept && i->z.next_in >= i->kept && i->z.next_in < i->kept + i->kept_room_bytes))
        return true;
    if (!i->kept || len > i->kept_room_bytes) {
        uint8_t *grown = cw__realloc(i->kept, len);
        if (!grown)
            return false;
        i->kept = grown;
        i->kept_room_bytes = len;
    }
    memcpy(i->kept, i->z.next_in, len);
    i->z.next_in = i->kept;
    return true;
}

/* Adds the tail at the end of a message. For use when all input is used up. Returns whether it added the tail. */
static bool add_tail(cw__inflater *i)
{
    if (!i->is_last || i->has_tail || i->is_ended)
        return false;
    i->z.next_in = (uint8_t *)(uintptr_t)tail;
    i->z.avail_in = TAIL_BYTES;
    i->has_tail = true;
    return true;
}

/* Inflates until the output is full or the input is used up. Returns zlib's result; Z_OK if there is no error. */
static int run(cw__inflater *i)
{
    for (;;) {
        int code, before = i->z.data_type;
        if (i->is_ended && i->z.avail_in > 0) { /* keep the window: it is the context of the next block */
            (void)inflateResetKeep(&i->z);
            i->is_ended = false;
        }
        code = i->is_ended ? Z_OK : inflate(&i->z, Z_SYNC_FLUSH);
        /* Z_BUF_ERROR: zlib had nothing to do. zlib 1.2.13 then forgets that it is between two blocks. */
        if (code == Z_STREAM_END)
            i->is_ended = true;
        else if (code == Z_BUF_ERROR)
            i->z.data_type = before;
        else if (code != Z_OK)
            return code;
        if (i->z.avail_out == 0 || (i->z.avail_in == 0 && !add_tail(i)))
            return Z_OK;
    }
}

/* A message must end between two blocks. */
static bool end_message(cw__inflater *i)
{
    if (!i->is_ended && (i->z.data_type & (BOUNDARY | UNUSED_BITS)) != BOUNDARY)
        return false;
    i->in_message = false;
    if (i->resets) {
        (void)inflateReset(&i->z);
        i->is_ended = false;
    }
    return true;
}

cw__inflate_result cw__inflater_give(cw__inflater *i, uint8_t *buffer, size_t size_bytes, cw__piece *out)
{
    bool is_dry;
    int code;

    if (!i->is_pending)
        return CW__INFLATE_DRY;
    if (!i->is_open && inflateInit2(&i->z, -i->window_bits) != Z_OK)
        return CW__INFLATE_NO_MEMORY;
    i->is_open = true;
    i->z.next_out = buffer;
    i->z.avail_out = (uInt)(size_bytes < INT_MAX ? size_bytes : INT_MAX);
    code = run(i);
    if (code != Z_OK)
        return code == Z_MEM_ERROR ? CW__INFLATE_NO_MEMORY : CW__INFLATE_BAD;
    is_dry = i->z.avail_out > 0;
    i->is_pending = !is_dry;
    *out = (cw__piece){.data = buffer,
                       .len_bytes = (size_t)(i->z.next_out - buffer),
                       .opcode = i->is_begun ? CW__OP_CONTINUATION : i->opcode,
                       .is_final = is_dry && i->is_last};
    if (out->is_final && !end_message(i))
        return CW__INFLATE_BAD;
    if (i->is_begun && out->len_bytes == 0 && !out->is_final)
        return CW__INFLATE_DRY;
    i->is_begun = true;
    return CW__INFLATE_PIECE;
}

/* ---- Deflating ---- */

struct cw__deflater {
    z_stream z;
    bool resets;
    const uint8_t *rest; /* input that zlib has not seen yet */
    size_t rest_bytes;
    uint8_t held[TAIL_BYTES]; /* the last output bytes: they may be the tail */
    uint8_t held_bytes;
};

cw__deflater *cw__deflater_create(const cw__compression *terms)
{
    enum { LEVEL_MOST = 8, LEVEL_FOR_BITS = 7 };
    cw__deflater *d = cw__calloc(1, sizeof *d);
    int bits = terms->client_bits < ZLIB_LEAST_BITS ? ZLIB_LEAST_BITS : terms->client_bits;
    int memory_level = bits - LEVEL_FOR_BITS; /* memory as large as the window's */
    /* Z_RLE looks back one byte only, which any window allows. */
    int strategy = terms->client_bits < ZLIB_LEAST_BITS ? Z_RLE : Z_DEFAULT_STRATEGY;

    if (!d)
        return NULL;
    d->resets = terms->client_resets;
    d->z.zalloc = allocate;
    d->z.zfree = release;
    if (deflateInit2(&d->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -bits,
                     memory_level < LEVEL_MOST ? memory_level : LEVEL_MOST, strategy) == Z_OK)
        return d;
    cw__free(d);
    return NULL;
}

void cw__deflater_destroy(cw__deflater *d)
{
    if (!d)
        return;
    (void)deflateEnd(&d->z);
    cw__free(d);
}

void cw__deflater_take(cw__deflater *d, const void *data, size_t len_bytes)
{
    d->rest = data;
    d->rest_bytes = len_bytes;
}

void cw__deflater_forget(cw__deflater *d)
{
    (void)deflateReset(&d->z);
    d->z.avail_in = 0;
    d->rest_bytes = 0;
    d->held_bytes = 0;
}

/* Deflates. Returns true if the input is used up and flushed, or false if the output is full. */
static bool deflate_all(cw__deflater *d)
{
    for (;;) {
        if (d->z.avail_in == 0 && d->rest_bytes > 0) {
            size_t run_bytes = d->rest_bytes < INT_MAX ? d->rest_bytes : INT_MAX;
            d->z.next_in = (uint8_t *)(uintptr_t)d->rest;
            d->z.avail_in = (uInt)run_bytes;
            d->rest += run_bytes;
            d->rest_bytes -= run_bytes;
        }
        (void)deflate(&d->z, d->rest_bytes > 0 ? Z_NO_FLUSH : Z_SYNC_FLUSH); /* fails only without work */
        if (d->z.avail_out == 0)
            return false;
        if (d->z.avail_in == 0 && d->rest_bytes == 0)
            return true;
    }
}

size_t cw__deflater_give(cw__deflater *d, uint8_t *buffer, size_t size_bytes, bool ends_message, bool *is_done)
{
    size_t len;

    memcpy(buffer, d->held, d->held_bytes);
    d->z.next_out = buffer + d->held_bytes;
    d->z.avail_out = (uInt)(size_bytes - d->held_bytes);
    d->held_bytes = 0;
    *is_done = deflate_all(d);
    len = (size_t)(d->z.next_out - buffer);
    if (!*is_done) {
        d->held_bytes = TAIL_BYTES;
        memcpy(d->held, buffer + len - TAIL_BYTES, TAIL_BYTES);
        return len - TAIL_BYTES;
    }
    if (!ends_message)
        return len;
    if (d->resets)
        (void)deflateReset(&d->z);
    if (len > 0)
        return len - TAIL_BYTES;
    /* without input since the last flush, send the start of one more empty block (section 7.2.3.6) */
    buffer[0] = 0;
    return 1;
}

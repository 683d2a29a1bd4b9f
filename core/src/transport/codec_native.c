/* SPDX-License-Identifier: MIT */
/* Codec "native": our own frames over libcurl's connection (link.c). A libcurl before 8.21 passes the bytes that
 * arrived with the 101 only to its own decoder. Unless it is certain that there are no such bytes, that decoder receives
 * all frames, and the codec is called "mixed". Callers use this file through codec.h. It knows no controls and no rules
 * for messages.
 *
 * Memory: an idle codec has only its struct. It has an input buffer only while input is unused, and an output buffer
 * only while output is held back or not accepted by the connection. The process keeps one unused input buffer, so that
 * a small message on a quiet connection needs no allocation.
 *
 * Reasons: CW_CLOSED. */
#include <string.h>

#include "transport.h"

enum {
    INPUT_BYTES = 64 * 1024,
    DIRECT_BYTES = 16 * 1024, /* a payload with this much left is read into its final place */
    LARGE_BYTES = 64 * 1024,  /* a frame of this size is announced before its payload is returned */
    AWAIT_BYTES = 512 * 1024, /* limit for await; the kernel makes its buffer twice as large */
    /* read after a large frame: the next frame may be large too, and has a place of its own */
    PEEK_BYTES = 512,
    OUTPUT_BYTES = 32 * 1024, /* masked and written at a time; on the stack */
    /* this much of a large frame on a bare connection. On loopback a message of 1 MiB takes a sixth less processor time
     * than with 32 KiB. 64 KiB gain nothing, and neither does all of it at once, which does not fit the processor's cache */
    LARGE_OUTPUT_BYTES = 256 * 1024,
    CORK_BYTES = 32 * 1024, /* a frame of this size goes out in full segments, over TLS */
    MASKS_BYTES = 256       /* fetched from the generator at a time */
};

typedef struct codec_native {
    cw__codec base;
    cw__codec *decoder; /* the codec "curl" if libcurl receives, else NULL */

    uint8_t *input; /* input[input_start..input_end) was read and is not used yet */
    size_t input_start, input_end;
    cw__frame_decoder header;
    cw__frame frame;       /* the frame that is being received */
    uint64_t frame_offset; /* payload bytes of that frame that were returned to the caller */
    bool in_frame;
    bool is_after_large;

    uint8_t *output; /* output[output_start..output_end) waits for the connection to accept it */
    size_t output_start, output_end;
    uint8_t mask[4];      /* mask of the frame that is being sent */
    uint64_t sent_offset; /* payload bytes of that frame that were masked */
    uint8_t masks[MASKS_BYTES];
    unsigned masks_left_bytes;
} codec_native;

/* ---- Receiving ---- */

static cw__io no_memory(codec_native *c)
{
    cw__error_set(c->base.link->fault, CW_NO_MEMORY, CW_WEB_Unknown,
                  "no memory to read or write: free memory and connect again");
    return CW__IO_FAULT;
}

static cw__spare spare_input;

static void free_input(codec_native *c)
{
    if (c->input)
        cw__spare_give(&spare_input, c->input);
    c->input = NULL;
    c->input_start = c->input_end = 0;
}

static cw__io fetch(codec_native *c, uint8_t *to, size_t size_bytes, size_t *len_bytes)
{
    cw__io io = cw__link_recv(c->base.link, to, size_bytes, len_bytes);

    /* TLS returns one record at a time. A short read of a bare connection took all bytes that the kernel had. */
    c->base.is_dry = io == CW__IO_OK && cw__link_reads_bare(c->base.link) && *len_bytes < size_bytes;
    return io;
}

/* Reads more when all input has been used. */
static cw__io fill(codec_native *c)
{
    size_t len = 0;
    cw__io io;

    if (c->base.is_dry) { /* reading again would only cost a system call; poll() reports when there is more */
        c->base.is_dry = false;
        free_input(c);
        return CW__IO_AGAIN;
    }
    if (!c->input && !(c->input = cw__spare_take(&spare_input, INPUT_BYTES)))
        return no_memory(c);
    io = fetch(c, c->input, c->is_after_large ? PEEK_BYTES : INPUT_BYTES, &len);
    c->is_after_large = false;
    if (io == CW__IO_OK) {
        c->input_start = 0;
        c->input_end = len;
    } else
        free_input(c);
    return io;
}

static cw__io violation(codec_native *c, const char *text)
{
    c->base.violation = (cw__violation){.code = 1002, .text = text};
    return CW__IO_VIOLATION;
}

/* Reads the next frame's header. */
static cw__io begin_frame(codec_native *c)
{
    for (;;) {
        size_t used = 0;
        cw__decode decode = CW__DECODE_MORE;
        if (c->input_start < c->input_end)
            decode = cw__frame_decode(&c->header, c->input + c->input_start, c->input_end - c->input_start,
                                      &used, &c->frame);
        c->input_start += used;
        if (decode == CW__DECODE_BAD)
            return violation(c, "the peer sent a length that is not in its shortest form, or beyond 2^63");
        if (decode == CW__DECODE_DONE)
            break;
        cw__io io = fill(c);
        if (io != CW__IO_OK)
            return io;
    }
    if (c->frame.is_masked) /* RFC 6455 section 5.1 */
        return violation(c, "the peer sent a masked frame");
    c->in_frame = true;
    c->frame_offset = 0;
    return CW__IO_OK;
}

static cw__io give(codec_native *c, const uint8_t *data, size_t len_bytes, cw__piece *piece)
{
    *piece = (cw__piece){.data = data,
                         .len_bytes = len_bytes,
                         .offset = c->frame_offset,
                         .remaining = c->frame.payload_bytes - c->frame_offset - len_bytes,
                         .opcode = c->frame.opcode,
                         .rsv = c->frame.rsv,
                         .is_final = c->frame.is_final};
    c->frame_offset += len_bytes;
    c->in_frame = piece->remaining > 0;
    return CW__IO_OK;
}

static size_t least(uint64_t a, size_t b) { return a < b ? (size_t)a : b; }

/* Returns the part of the frame that is in the input. If the input has nothing else and the connection has no more, it
 * frees the buffer, because no byte may arrive for a long time. */
static cw__io give_input(codec_native *c, uint8_t *buffer, size_t size_bytes, cw__piece *piece)
{
    size_t len_bytes =
        least(least(c->frame.payload_bytes - c->frame_offset, size_bytes), c->input_end - c->input_start);
    const uint8_t *data = c->input + c->input_start;

    c->input_start += len_bytes;
    if (c->input_start == c->input_end && c->base.is_dry) {
        if (len_bytes)
            memcpy(buffer, data, len_bytes);
        data = buffer;
        free_input(c);
    }
    return give(c, data, len_bytes, piece);
}

/* Reads payload into its final place. */
static cw__io give_directly(codec_native *c, uint8_t *buffer, size_t size_bytes, cw__piece *piece)
{
    size_t len = 0;
    cw__io io;

    free_input(c);
    io = fetch(c, buffer, least(c->frame.payload_bytes - c->frame_offset, size_bytes), &len);
    c->is_after_large = c->frame.payload_bytes >= LARGE_BYTES;
    return io == CW__IO_OK ? give(c, buffer, len, piece) : io;
}

/* Where the next payload of a frame comes from. */
typedef enum source {
    NOWHERE,    /* the frame is only announced, so that a broken rule is found before its payload arrives */
    INPUT,      /* the input buffer */
    CONNECTION, /* the connection, through the input buffer */
    CONNECTION_DIRECTLY /* the connection, without a copy */
} source;

static source source_of(const codec_native *c, bool is_new, size_t size_bytes)
{
    uint64_t left = c->frame.payload_bytes - c->frame_offset;
    bool has_input = c->input_start < c->input_end;

    if (left == 0)
        return INPUT;
    if (is_new && (!has_input || left >= LARGE_BYTES))
        return NOWHERE;
    if (has_input)
        return INPUT;
    return left >= DIRECT_BYTES && size_bytes >= DIRECT_BYTES && !c->base.is_dry ? CONNECTION_DIRECTLY
                                                                                 : CONNECTION;
}

static cw__io codec_receive(cw__codec *base, uint8_t *buffer, size_t size_bytes, cw__piece *piece)
{
    codec_native *c = (codec_native *)base;
    bool is_new = !c->in_frame;
    cw__io io = is_new ? begin_frame(c) : CW__IO_OK;

    if (io != CW__IO_OK)
        return io;
    switch (source_of(c, is_new, size_bytes)) {
    case NOWHERE:
        return give(c, buffer, 0, piece);
    case CONNECTION_DIRECTLY:
        return give_directly(c, buffer, size_bytes, piece);
    case CONNECTION:
        io = fill(c);
        break;
    case INPUT:
        break;
    }
    return io == CW__IO_OK ? give_input(c, buffer, size_bytes, piece) : io;
}

static cw__io codec_discard(cw__codec *base)
{
    free_input((codec_native *)base);
    return cw__link_discard(base->link);
}

static void codec_await(cw__codec *base, uint64_t least_bytes)
{
    cw__link_await(base->link, least_bytes < AWAIT_BYTES ? (int)least_bytes : AWAIT_BYTES);
}

static bool codec_holds(const cw__codec *base)
{
    const codec_native *c = (const codec_native *)base;

    return c->input_start < c->input_end || !cw__link_reads_bare(base->link);
}

static cw__io decoder_receive(cw__codec *base, uint8_t *buffer, size_t size_bytes, cw__piece *piece)
{
    codec_native *c = (codec_native *)base;
    cw__io io = c->decoder->calls->receive(c->decoder, buffer, size_bytes, piece);

    c->base.violation = c->decoder->violation;
    return io;
}

static cw__io decoder_discard(cw__codec *base)
{
    codec_native *c = (codec_native *)base;

    return c->decoder->calls->discard(c->decoder);
}

/* ---- Sending ---- */

/* Takes a new mask for each frame from the system's generator (RFC 6455 section 5.3). */
static bool next_mask(codec_native *c)
{
    if (c->masks_left_bytes == 0) {
        if (!cw__random(c->masks, sizeof c->masks))
            return false;
        c->masks_left_bytes = sizeof c->masks;
    }
    c->masks_left_bytes -= (unsigned)sizeof c->mask;
    memcpy(c->mask, c->masks + c->masks_left_bytes, sizeof c->mask);
    return true;
}

/* Makes room for output. Returns false if there is no memory. */
static bool hold_output(codec_native *c)
{
    if (c->output)
        return true;
    c->output = cw__malloc(OUTPUT_BYTES);
    c->output_start = c->output_end = 0;
    return c->output != NULL;
}

/* Handles the rest of a part that the connection has not accepted. On a bare connection the caller passes the payload again.
 * Over TLS the same bytes must be written again, so the codec keeps them. After a failure it keeps nothing. */
static cw__io handle_rest(codec_native *c, cw__io io, const uint8_t *rest, size_t rest_bytes,
                          size_t payload_bytes, size_t *sent)
{
    bool is_kept = io == CW__IO_AGAIN && !c->base.link->is_bare;
    size_t back_bytes = is_kept ? 0 : least(rest_bytes, payload_bytes);

    *sent -= back_bytes;
    c->sent_offset -= back_bytes;
    rest_bytes -= back_bytes;
    if (io != CW__IO_AGAIN || rest_bytes == 0)
        return io;
    if (!hold_output(c))
        return no_memory(c);
    memcpy(c->output, rest, rest_bytes);
    c->output_end = rest_bytes;
    return CW__IO_AGAIN;
}

/* Writes a part of a frame: the rest of its header, and payload, which it adds to *sent. */
static cw__io write_part(codec_native *c, const uint8_t *data, size_t header_bytes, size_t payload_bytes,
                         size_t *sent)
{
    size_t written = 0, len_bytes = header_bytes + payload_bytes;
    cw__io io = cw__link_send(c->base.link, data, len_bytes, &written);

    c->base.wants_read = c->base.link->wants_read;
    *sent += payload_bytes;
    c->sent_offset += payload_bytes;
    return io == CW__IO_OK ? io : handle_rest(c, io, data + written, len_bytes - written, payload_bytes, sent);
}

static cw__io write_kept(codec_native *c)
{
    size_t sent = 0;
    cw__io io =
        cw__link_send(c->base.link, c->output + c->output_start, c->output_end - c->output_start, &sent);

    c->base.wants_read = c->base.link->wants_read;
    c->output_start += sent;
    if (io == CW__IO_OK) {
        cw__free(c->output);
        c->output = NULL;
        c->base.held_bytes = 0;
    }
    return io;
}

static cw__io begin_output(codec_native *c, uint8_t opcode, bool is_final, uint64_t payload_bytes, uint8_t *to,
                           size_t *used)
{
    cw__frame frame = {.payload_bytes = payload_bytes,
                       .opcode = opcode & 0xf,
                       .rsv = opcode >> 4 & 7,
                       .is_final = is_final,
                       .is_masked = true};

    if (!next_mask(c)) {
        cw__error_set(c->base.link->fault, CW_SYSTEM_ERROR, CW_WEB_Unknown,
                      "the system gives no random bytes: allow getrandom, or /dev/urandom");
        return CW__IO_FAULT;
    }
    memcpy(frame.mask, c->mask, sizeof frame.mask);
    *used = cw__frame_encode(&frame, to);
    c->sent_offset = 0;
    c->base.sending = CW__FRAME_BEGUN;
    return CW__IO_OK;
}

/* Adds a small frame of a batch to the held frames. They are written with the last frame, or when no more fit. */
static cw__io send_in_batch(codec_native *c, uint8_t opcode, bool is_final, const uint8_t *data,
                            size_t len_bytes, size_t *sent)
{
    size_t used = 0;
    cw__io io;

    if (!hold_output(c))
        return no_memory(c);
    io = begin_output(c, opcode, is_final, len_bytes, c->output + c->output_end, &used);
    if (io != CW__IO_OK)
        return io;
    c->output_end += used;
    if (len_bytes)
        cw__frame_mask(c->output + c->output_end, data, len_bytes, c->mask, 0);
    c->output_end += len_bytes;
    *sent = len_bytes;
    if (!(opcode & 8)) /* a control frame carries no message that could be lost */
        c->base.held_bytes = c->output_end;
    if (c->base.more_follow) {
        c->base.sending = CW__FRAMES_HELD;
        return CW__IO_OK;
    }
    io = write_kept(c);
    if (io == CW__IO_OK)
        c->base.sending = CW__FRAME_NEXT;
    return io;
}

/* Returns whether the output buffer has room for a frame of len_bytes after the held frames. */
static bool fits_batch(const codec_native *c, size_t len_bytes)
{
    size_t held_bytes = c->output ? c->output_end : 0;

    return len_bytes <= (size_t)OUTPUT_BYTES - CW__HEADER_MAX_BYTES &&
           held_bytes <= (size_t)OUTPUT_BYTES - CW__HEADER_MAX_BYTES - len_bytes;
}

/* Returns whether a frame of len_bytes is held back with the held frames, or as the first of them. */
static bool joins_batch(const codec_native *c, size_t len_bytes)
{
    switch (c->base.sending) {
    case CW__FRAMES_HELD:
        return fits_batch(c, len_bytes);
    case CW__FRAME_NEXT:
        return c->base.more_follow && fits_batch(c, len_bytes);
    case CW__FRAME_BEGUN:
        break;
    }
    return false;
}

/* Writes the bytes that must go before a frame of len_bytes. These are output that was not accepted before, and
 * held frames that leave no room for this frame. */
static cw__io make_way(codec_native *c, size_t len_bytes)
{
    if (!c->output || (c->base.sending == CW__FRAMES_HELD && fits_batch(c, len_bytes)))
        return CW__IO_OK;
    if (c->base.sending == CW__FRAMES_HELD)
        c->base.sending = CW__FRAME_NEXT;
    return write_kept(c);
}

/* Masks the rest of a frame and writes it in parts of part_bytes, after the used bytes of its first part. */
static cw__io write_frame(codec_native *c, uint8_t *part, size_t part_bytes, size_t used, const uint8_t *data,
                          size_t len_bytes, size_t *sent)
{
    size_t most = c->base.most_bytes ? least(len_bytes, c->base.most_bytes) : len_bytes;
    bool is_large = most >= CORK_BYTES;
    cw__io io = CW__IO_OK;

    if (is_large)
        cw__link_cork(c->base.link, true);
    while (io == CW__IO_OK && (used > 0 || *sent < most)) {
        size_t len = least(most - *sent, part_bytes - used);
        if (len > 0)
            cw__frame_mask(part + used, data + *sent, len, c->mask, c->sent_offset);
        io = write_part(c, part, used, len, sent);
        used = 0;
    }
    if (is_large)
        cw__link_cork(c->base.link, false);
    if (io != CW__IO_OK)
        return io;
    if (*sent < len_bytes) { /* the limit most_bytes was reached */
        c->base.wants_read = false;
        return CW__IO_AGAIN;
    }
    c->base.sending = CW__FRAME_NEXT;
    return CW__IO_OK;
}

static cw__io codec_send(cw__codec *base, uint8_t opcode, bool is_final, const uint8_t *data, size_t len_bytes,
                         size_t *sent)
{
    codec_native *c = (codec_native *)base;
    uint8_t small[OUTPUT_BYTES], *large = NULL;
    size_t used = 0;
    cw__io io;

    *sent = 0;
    io = make_way(c, len_bytes);
    if (io == CW__IO_OK && joins_batch(c, len_bytes))
        return send_in_batch(c, opcode, is_final, data, len_bytes, sent);
    if (io == CW__IO_OK && len_bytes >= LARGE_OUTPUT_BYTES && base->link->is_bare)
        large = cw__malloc(LARGE_OUTPUT_BYTES); /* without memory for it, small parts do */
    if (io == CW__IO_OK && base->sending == CW__FRAME_NEXT)
        io = begin_output(c, opcode, is_final, len_bytes, large ? large : small, &used);
    if (io == CW__IO_OK)
        io = write_frame(c, large ? large : small, large ? LARGE_OUTPUT_BYTES : OUTPUT_BYTES, used, data,
                         len_bytes, sent);
    if (large) /* spares a small message the call */
        cw__free(large);
    return io;
}

static cw__io codec_flush(cw__codec *base)
{
    codec_native *c = (codec_native *)base;

    if (base->sending == CW__FRAMES_HELD)
        base->sending = CW__FRAME_NEXT;
    return c->output ? write_kept(c) : CW__IO_OK;
}

static size_t codec_unwritten(const cw__codec *base)
{
    const codec_native *c = (const codec_native *)base;

    return c->output ? c->output_end - c->output_start : 0;
}

/* The held frames are read again, since only a failure needs their number. The last frame may be one that has begun. */
static size_t codec_held_messages(const cw__codec *base)
{
    const codec_native *c = (const codec_native *)base;
    cw__frame_decoder decoder = {0};
    cw__frame frame;
    size_t count = 0, used;

    if (!c->output || base->held_bytes == 0)
        return 0;
    for (size_t at = 0; at < c->output_end; at += (size_t)frame.payload_bytes) {
        if (cw__frame_decode(&decoder, c->output + at, c->output_end - at, &used, &frame) != CW__DECODE_DONE)
            break;
        at += used;
        count += frame.is_final && !(frame.opcode & 8) && at + frame.payload_bytes > c->output_start;
    }
    return count - (base->sending == CW__FRAME_BEGUN && count > 0);
}

/* ---- Making ---- */

static void codec_destroy(cw__codec *base)
{
    codec_native *c = (codec_native *)base;

    if (c->decoder)
        c->decoder->calls->destroy(c->decoder);
    free_input(c);
    cw__free(c->output);
    cw__free(c);
}

bool cw__codec_native_receives(void)
{
    /* since 8.21.0 curl_easy_recv returns the bytes that came with the 101 */
    enum { GIVES_ALL_BYTES = 0x081500 };

    return curl_version_info(CURLVERSION_NOW)->version_num >= GIVES_ALL_BYTES;
}

/* Says whether no byte of a frame can be in libcurl's own decoder. An old libcurl puts all that it reads with the 101,
 * or after it, into that decoder (lib/ws.c). So it must have read nothing beyond the 101, and never read again. */
static bool can_receive(const cw__link *link)
{
    return cw__codec_native_receives() || cw__link_reads_bare(link);
}

cw__codec *cw__codec_native_create(cw__link *link)
{
    static const cw__codec_calls native = {.name = "native",
                                           .receive = codec_receive,
                                           .discard = codec_discard,
                                           .await = codec_await,
                                           .holds = codec_holds,
                                           .send = codec_send,
                                           .flush = codec_flush,
                                           .unwritten = codec_unwritten,
                                           .held_messages = codec_held_messages,
                                           .destroy = codec_destroy};
    static const cw__codec_calls mixed = {.name = "mixed",
                                          .receive = decoder_receive,
                                          .discard = decoder_discard,
                                          .send = codec_send,
                                          .flush = codec_flush,
                                          .unwritten = codec_unwritten,
                                          .held_messages = codec_held_messages,
                                          .destroy = codec_destroy};
    codec_native *c = cw__calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->base.calls = can_receive(link) ? &native : &mixed;
    c->base.link = link;
    c->base.never_waits = &link->never_waits;
    if (c->base.calls == &mixed && !(c->decoder = cw__codec_curl_create(link))) {
        cw__free(c);
        return NULL;
    }
    return &c->base;
}

/* SPDX-License-Identifier: MIT */
/* Turns pieces of frames into messages, parts and control frames (RFC 6455 sections 5.4, 5.5, 8.1). inbound.c passes
 * the pieces that a codec reads. Pure: no I/O, no lock, no clock. Its only memory is the message in progress.
 *
 * A frame begins with the first piece after the end of the previous frame. frame_left (data frames) and in_control
 * (control frames) record the position. Control frames may come between the frames of a message, never inside a frame.
 * The offset of a piece does not show where a frame begins, because a codec may announce a frame by an empty piece
 * before its payload arrives.
 *
 * Reasons: CW_CLOSED. */
#include "protocol.h"

#include <string.h>

enum {
    OP_IS_CONTROL = 0x8,
    AHEAD_BYTES = 1 << 20,     /* limit for memory that is allocated before its bytes arrive */
    IN_PLACE_BYTES = 16 << 10, /* below this, a buffer that also takes the next frames needs fewer reads */
    WASTE_BYTES = 4 << 10      /* fewer unused bytes are not worth a call of realloc */
};

void cw__message_init(cw__message *m, bool is_partial, int64_t max_bytes)
{
    memset(m, 0, sizeof *m);
    m->is_partial = is_partial;
    m->max_bytes = max_bytes;
    m->max_fragments = -1;
}

void cw__message_destroy(cw__message *m)
{
    cw_event_free(m->building);
    m->building = NULL;
}

static cw__message_result violation(cw__message_output *out, int code, const char *text)
{
    out->violation = (cw__violation){code, text};
    return CW__MESSAGE_VIOLATION;
}

static size_t gathered_bytes(const cw__message *m) { return m->building ? m->building->len_bytes : 0; }

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Returns the room for the message in progress when its frame announces coming_bytes more, of which must_bytes have
 * arrived. Doubling keeps the copying linear for a message in many pieces. Room for a whole frame, up to AHEAD_BYTES,
 * avoids even those copies. The caller has checked that the announced sum is within max_bytes. */
static uint64_t wanted_room(const cw__message *m, uint64_t coming_bytes, size_t must_bytes, bool is_final)
{
    uint64_t have = gathered_bytes(m);
    uint64_t room = m->building ? m->building->room_bytes : 0;
    uint64_t wanted = have + least(coming_bytes, AHEAD_BYTES);

    if (wanted < 2 * room)
        wanted = 2 * room;
    if (wanted > have + coming_bytes && is_final)
        wanted = have + coming_bytes;
    if (m->max_bytes >= 0)
        wanted = least(wanted, (uint64_t)m->max_bytes);
    return wanted > have + must_bytes ? wanted : have + must_bytes;
}

/* Makes room for at least must_bytes more. */
static bool make_room(cw__message *m, uint64_t coming_bytes, size_t must_bytes, bool is_final)
{
    uint64_t wanted;
    cw_event *event;

    if (!m->building && m->place && coming_bytes <= m->place->room_bytes) {
        m->building = m->place;
        m->place = NULL;
    }
    if (m->building && m->building->room_bytes - m->building->len_bytes >= must_bytes)
        return true;
    wanted = wanted_room(m, coming_bytes, must_bytes, is_final);
    if (wanted > SIZE_MAX)
        return false;
    event = m->building ? cw__event_resize(m->building, (size_t)wanted)
                        : cw__event_create(CW_EVENT_MESSAGE, (size_t)wanted);
    if (event)
        m->building = event;
    return event != NULL;
}

uint8_t *cw__message_space(cw__message *m, size_t *room_bytes)
{
    size_t left;

    *room_bytes = 0;
    if (m->is_partial || m->frame_left < IN_PLACE_BYTES)
        return NULL;
    if (!make_room(m, m->frame_left, IN_PLACE_BYTES, m->is_last_frame))
        return NULL;
    left = m->building->room_bytes - m->building->len_bytes;
    *room_bytes = (size_t)least(left, m->frame_left);
    return m->building->data + m->building->len_bytes;
}

bool cw__message_lend(cw__message *m, cw_event *place)
{
    if (m->building || m->place)
        return false;
    m->place = place;
    return true;
}

bool cw__message_take_back(cw__message *m, cw_event *place)
{
    if (m->place == place)
        m->place = NULL;
    if (m->building != place)
        return true;
    m->building = NULL;
    if (place->len_bytes == 0)
        return true;
    m->building = cw__event_resize(place, place->len_bytes + (size_t)least(m->frame_left, AHEAD_BYTES));
    return m->building != NULL;
}

uint64_t cw__message_coming(const cw__message *m)
{
    bool is_begun = m->building || m->place || m->is_partial;

    return m->in_message && m->is_last_frame && m->message_type == CW_BINARY && !is_begun ? m->frame_left : 0;
}

static bool gather(cw__message *m, const cw__piece *piece)
{
    uint64_t coming_bytes = piece->len_bytes + piece->remaining;
    uint8_t *tail;

    if (piece->len_bytes == 0)
        return true;
    if (!make_room(m, coming_bytes, piece->len_bytes, piece->is_final))
        return false;
    tail = m->building->data + m->building->len_bytes;
    if (piece->data != tail) /* otherwise the piece was read into its place, and the event did not move */
        memcpy(tail, piece->data, piece->len_bytes);
    m->building->len_bytes += piece->len_bytes;
    return true;
}

/* Begins a data frame, and checks that it may begin now (RFC 6455 section 5.4). */
static cw__message_result begin_frame(cw__message *m, const cw__piece *piece, cw__message_output *out)
{
    if (piece->opcode == CW__OP_CONTINUATION)
        return m->in_message ? CW__MESSAGE_NONE
                             : violation(out, 1002, "the peer continued a message that it had not begun");
    if (piece->opcode != CW__OP_TEXT && piece->opcode != CW__OP_BINARY)
        return violation(out, 1002, "the peer sent a frame with a reserved opcode");
    if (m->in_message)
        return violation(out, 1002, "the peer began a message inside another one");
    m->in_message = true;
    m->message_type = piece->opcode == CW__OP_TEXT ? CW_UTF8 : CW_BINARY;
    return CW__MESSAGE_NONE;
}

static bool is_too_big(const cw__message *m, const cw__piece *piece)
{
    uint64_t spare;

    if (m->is_partial || m->max_bytes < 0)
        return false;
    spare = (uint64_t)m->max_bytes - gathered_bytes(m);
    return piece->len_bytes > spare || piece->remaining > spare - piece->len_bytes;
}

/* The peer reads this text. It does not know our controls, so the text names none. */
static cw__message_result too_big(cw__message *m, const cw__piece *piece, cw__message_output *out)
{
    m->refused_bytes = gathered_bytes(m) + piece->len_bytes + piece->remaining;
    return violation(out, 1009, "the message is bigger than this client accepts");
}

/* Frees the memory that doubling left unused, because a message may wait long until it is taken. */
static cw_event *without_waste(cw_event *event)
{
    size_t waste = event->room_bytes - event->len_bytes;
    cw_event *smaller = NULL;

    if (event->memory != CW__MEMORY_LENT && waste > WASTE_BYTES && waste > event->len_bytes / 4)
        smaller = cw__event_resize(event, event->len_bytes);
    return smaller ? smaller : event;
}

static cw__message_result give_whole(cw__message *m, cw__message_output *out)
{
    cw_event *event = m->building;

    if (event)
        event = without_waste(event);
    else
        event = cw__event_create(CW_EVENT_MESSAGE, 0);
    if (!event)
        return CW__MESSAGE_NO_MEMORY;
    m->building = NULL;
    m->in_message = false;
    event->message_type = m->message_type;
    event->is_complete = true;
    out->event = event;
    out->message_type = (cw_message_type)m->message_type;
    out->is_complete = true;
    return CW__MESSAGE_WHOLE;
}

static cw__message_result give_part(cw__message *m, const cw__piece *piece, bool is_end,
                                    cw__message_output *out)
{
    if (is_end)
        m->in_message = false;
    else if (piece->len_bytes == 0)
        return CW__MESSAGE_NONE;
    out->data = piece->data;
    out->len_bytes = piece->len_bytes;
    out->message_type = (cw_message_type)m->message_type;
    out->is_complete = is_end;
    return CW__MESSAGE_PART;
}

static cw__message_result feed_data(cw__message *m, const cw__piece *piece, cw__message_output *out)
{
    bool is_end = piece->is_final && piece->remaining == 0;

    if (m->frame_left == 0) {
        cw__message_result result = begin_frame(m, piece, out);
        if (result != CW__MESSAGE_NONE)
            return result;
    }
    m->frame_left = piece->remaining;
    m->is_last_frame = piece->is_final;
    if (is_too_big(m, piece))
        return too_big(m, piece, out);
    if (m->message_type == CW_UTF8 &&
        (!cw__utf8_feed(&m->utf8, piece->data, piece->len_bytes) || (is_end && !cw__utf8_complete(&m->utf8))))
        return violation(out, 1007, "the peer sent a text message that is not UTF-8");
    if (m->is_partial)
        return give_part(m, piece, is_end, out);
    if (!gather(m, piece))
        return CW__MESSAGE_NO_MEMORY;
    return is_end ? give_whole(m, out) : CW__MESSAGE_NONE;
}

/* Begins a control frame, and checks that it is allowed (RFC 6455 section 5.5). */
static cw__message_result begin_control(cw__message *m, const cw__piece *piece, cw__message_output *out)
{
    if (piece->opcode != CW__OP_CLOSE && piece->opcode != CW__OP_PING && piece->opcode != CW__OP_PONG)
        return violation(out, 1002, "the peer sent a frame with a reserved opcode");
    if (!piece->is_final)
        return violation(out, 1002, "the peer sent a control frame in fragments");
    if (piece->len_bytes > CW__CONTROL_MAX_BYTES || piece->remaining > CW__CONTROL_MAX_BYTES - piece->len_bytes)
        return violation(out, 1002, "the peer sent a control frame of more than 125 bytes");
    m->frames[piece->opcode]++;
    m->control_opcode = piece->opcode;
    m->control_bytes = 0;
    return CW__MESSAGE_NONE;
}

static cw__message_result feed_control(cw__message *m, const cw__piece *piece, cw__message_output *out)
{
    if (!m->in_control) {
        cw__message_result result = begin_control(m, piece, out);
        if (result != CW__MESSAGE_NONE)
            return result;
    }
    if (piece->len_bytes > (size_t)(CW__CONTROL_MAX_BYTES - m->control_bytes))
        return violation(out, 1002, "the peer sent a control frame of more than 125 bytes");
    if (piece->len_bytes)
        memcpy(m->control + m->control_bytes, piece->data, piece->len_bytes);
    m->control_bytes = (uint8_t)(m->control_bytes + piece->len_bytes);
    m->in_control = piece->remaining > 0;
    if (m->in_control)
        return CW__MESSAGE_NONE;
    out->data = m->control;
    out->len_bytes = m->control_bytes;
    switch (m->control_opcode) {
    case CW__OP_PING:
        return CW__MESSAGE_PING;
    case CW__OP_PONG:
        return CW__MESSAGE_PONG;
    default:
        return CW__MESSAGE_CLOSE;
    }
}

cw__message_result cw__message_feed(cw__message *m, const cw__piece *piece, cw__message_output *out)
{
    memset(out, 0, sizeof *out);
    if (piece->rsv)
        return violation(out, 1002, "the peer set a reserved bit that no agreed extension uses");
    return piece->opcode & OP_IS_CONTROL ? feed_control(m, piece, out) : feed_data(m, piece, out);
}

bool cw__message_count(cw__message *m, const cw__piece *piece, cw__violation *out)
{
    bool begins_frame = m->counted_left == 0;

    if (piece->opcode & OP_IS_CONTROL)
        return true;
    m->counted_left = piece->remaining;
    if (!begins_frame)
        return true;
    m->frames[piece->opcode]++;
    m->fragment_count = piece->opcode == CW__OP_CONTINUATION ? m->fragment_count + 1 : 1;
    if (m->is_partial || m->max_fragments < 0 || m->fragment_count <= m->max_fragments)
        return true;
    *out = (cw__violation){1008, "the message has more fragments than this client accepts"};
    return false;
}

cw_event *cw__message_part_event(const cw__message_output *out, size_t room_bytes)
{
    cw_event *e = cw__event_create(CW_EVENT_MESSAGE, room_bytes > out->len_bytes ? room_bytes : out->len_bytes);

    if (!e)
        return NULL;
    if (out->len_bytes)
        memcpy(e->data, out->data, out->len_bytes);
    e->len_bytes = out->len_bytes;
    e->message_type = (uint8_t)out->message_type;
    e->is_complete = out->is_complete;
    e->is_part = true;
    return e;
}

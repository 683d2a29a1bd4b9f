/* SPDX-License-Identifier: MIT */
/* Implements ws.input_stream of a StreamWebSocket, the stream of one message that ws:receive_stream returns, and the stream
 * of a message that was received. All read as a Lua file does. Scripts call it. It keeps received bytes that were not read:
 * about 64 KiB, or as much as the formats of one read need. A read that fails or times out leaves all bytes for the next
 * read, including the bytes that its first formats had taken.
 *
 * After CW_CLOSED from cw_socket_read the data may be incomplete. A count of bytes means "up to" that count, so such a read
 * returns the rest, and the next one fails. A line or "a" would look complete, so that read fails at once. The bytes stay,
 * and a count of bytes still returns them. */
#include <stdlib.h>
#include <string.h>

#include "lcurlwire.h"

enum { CHUNK_BYTES = 65536, MOST_AT_ONCE_BYTES = 1048576, KEEP_BYTES = 262144, MOST_FORMATS = 250 };

typedef struct input {
    lcw_view view;
    bool is_closed;
    bool is_at_end;
    bool is_waiting;
    /* data[start..end) was received and not yet read; the current read has taken data[mark..start). */
    char *data;
    size_t mark;
    size_t start;
    size_t end;
    size_t room;
    /* Of the stream of one message: its latest part, of which bytes from part_at on are not in data yet. */
    bool is_message;
    bool is_last;
    cw_event *part;
    size_t part_at;
} input;

void lcw_push_input_stream(lua_State *L, lcw_socket *w, int socket_index)
{
    (void)lcw_push_part(L, w, socket_index, LCW_SLOT_INPUT_STREAM, LCW_INPUT_STREAM, sizeof(input));
}

void lcw_push_memory_stream(lua_State *L, int index)
{
    size_t len_bytes;
    const char *bytes = lua_tolstring(L, index, &len_bytes);
    input *in = lua_newuserdata(L, sizeof *in);

    *in = (input){.is_at_end = true};
    luaL_getmetatable(L, LCW_INPUT_STREAM);
    lua_setmetatable(L, -2);
    if (len_bytes == 0)
        return;
    in->data = malloc(len_bytes);
    if (in->data == NULL) {
        (void)luaL_error(L, "not enough memory for a stream of %d bytes: free memory, and try again",
                         (int)len_bytes);
        return;
    }
    memcpy(in->data, bytes, len_bytes);
    in->end = in->room = len_bytes;
}

/* Returns whether the stream can be used no more. A memory stream has no socket. */
static bool is_over(const input *in) { return in->is_closed || (in->view.w != NULL && in->view.w->s == NULL); }

static input *check_open(lua_State *L, input *in)
{
    if (is_over(in) && in->view.w == NULL)
        (void)luaL_error(L, "attempt to use a closed stream: call get_data_stream again to get another stream");
    if (is_over(in) && in->is_message)
        (void)luaL_error(L, "attempt to use a closed stream: receive_stream returns the next message's");
    if (is_over(in))
        (void)luaL_error(L, "attempt to use a closed stream: connect a new socket to get another stream");
    if (in->is_waiting)
        (void)luaL_error(L, "the stream is in use by a read that waits: read again after it has returned");
    return in;
}

static input *check_input(lua_State *L) { return check_open(L, lcw_check_self(L, LCW_INPUT_STREAM)); }

/* ---- The buffer ---- */

static void drop(input *in)
{
    free(in->data);
    in->data = NULL;
    in->mark = in->start = in->end = in->room = 0;
    cw_event_free(in->part);
    in->part = NULL;
}

/* Drops the bytes that a read has returned. */
static void consume(input *in)
{
    in->mark = in->start;
    if (in->start < in->end)
        return;
    in->mark = in->start = in->end = 0;
    if (in->room > KEEP_BYTES) {
        free(in->data);
        in->data = NULL;
        in->room = 0;
    }
}

static void reserve(lua_State *L, input *in, size_t tail_bytes)
{
    size_t room = in->room;
    char *data;

    if (room - in->end >= tail_bytes)
        return;
    if (in->mark > 0) {
        memmove(in->data, in->data + in->mark, in->end - in->mark);
        in->end -= in->mark;
        in->start -= in->mark;
        in->mark = 0;
        if (room - in->end >= tail_bytes)
            return;
    }
    room = room * 2 > in->end + tail_bytes ? room * 2 : in->end + tail_bytes;
    data = realloc(in->data, room);
    if (data == NULL)
        (void)luaL_error(L, "not enough memory to read from the stream: free memory, and read again");
    in->data = data;
    in->room = room;
}

/* Receives the next part of the message, if all bytes of the latest part are in data. */
static cw_status receive_part(lua_State *L, input *in, bool is_first, int timeout_ms)
{
    cw_status status = CW_OK;
    lcw_wait wait;

    if (in->part != NULL || in->is_last)
        return CW_OK;
    lcw_wait_begin(L, in->view.w->state, &wait);
    in->is_waiting = true; /* a debug hook may run Lua code during the wait */
    status = cw_socket_receive_part(in->view.w->s, in, is_first, timeout_ms, &in->part);
    in->is_waiting = false;
    in->part_at = 0;
    in->is_last = in->part != NULL && cw_event_is_complete(in->part);
    if (is_first && wait.has_failed && in->part != NULL) { /* the script gets no stream */
        cw_socket_put_back(in->view.w->s, in->part);
        in->part = NULL;
    }
    lcw_wait_end(&wait);
    return status;
}

/* Moves bytes of a message to the buffer. A part without bytes is skipped. */
static cw_status fill_from_message(lua_State *L, input *in, int timeout_ms)
{
    size_t moved = 0;

    while (moved == 0 && !in->is_at_end) {
        size_t len_bytes;
        const char *data;
        cw_status status = receive_part(L, in, false, timeout_ms);
        if (status != CW_OK)
            return status;
        if (in->part == NULL) {
            in->is_at_end = true;
            break;
        }
        data = cw_event_data(in->part, &len_bytes);
        moved = len_bytes - in->part_at < in->room - in->end ? len_bytes - in->part_at : in->room - in->end;
        if (moved > 0)
            memcpy(in->data + in->end, data + in->part_at, moved);
        in->end += moved;
        in->part_at += moved;
        if (in->part_at == len_bytes) {
            cw_event_free(in->part);
            in->part = NULL;
        }
    }
    return CW_OK;
}

/* Waits for bytes and reads them into the buffer, with room for wanted_bytes or 64 KiB, but at most 1 MiB at once. At the
 * end of the stream it reads no bytes. */
static cw_status fill(lua_State *L, input *in, size_t wanted_bytes, int timeout_ms)
{
    size_t tail_bytes = wanted_bytes < CHUNK_BYTES ? CHUNK_BYTES : wanted_bytes;
    size_t len_bytes = 0;
    cw_status status;
    lcw_wait wait;

    if (in->is_at_end)
        return CW_OK;
    reserve(L, in, tail_bytes < MOST_AT_ONCE_BYTES ? tail_bytes : MOST_AT_ONCE_BYTES);
    if (in->is_message)
        return fill_from_message(L, in, timeout_ms);
    lcw_wait_begin(L, in->view.w->state, &wait);
    in->is_waiting = true; /* a debug hook may run Lua code during the read */
    status = cw_socket_read(in->view.w->s, in->data + in->end, in->room - in->end, timeout_ms, &len_bytes);
    in->is_waiting = false;
    lcw_wait_end(&wait);
    if (status == CW_OK) {
        in->end += len_bytes;
        in->is_at_end = len_bytes == 0;
    }
    return status;
}

/* ---- Formats: each pushes its value, and nil at the end of the stream ---- */

static void push_bytes(lua_State *L, input *in, size_t len_bytes, size_t skipped_bytes)
{
    lua_pushlstring(L, in->data != NULL ? in->data + in->start : "", len_bytes);
    in->start += len_bytes + skipped_bytes;
}

static cw_status read_count(lua_State *L, input *in, size_t count, int timeout_ms)
{
    size_t least = count > 0 ? count : 1;

    while (in->end - in->start < least && !in->is_at_end) {
        cw_status status = fill(L, in, least - (in->end - in->start), timeout_ms);
        if (status == CW_CLOSED && in->end > in->start)
            break;
        if (status != CW_OK)
            return status;
    }
    if (in->start == in->end)
        lua_pushnil(L);
    else
        push_bytes(L, in, in->end - in->start < count ? in->end - in->start : count, 0);
    return CW_OK;
}

static cw_status read_line(lua_State *L, input *in, bool keeps_end, int timeout_ms)
{
    size_t searched = 0;
    const char *found = NULL;

    for (;;) {
        cw_status status;
        size_t have = in->end - in->start;
        if (have > searched)
            found = memchr(in->data + in->start + searched, '\n', have - searched);
        if (found != NULL || in->is_at_end)
            break;
        searched = have;
        status = fill(L, in, 0, timeout_ms);
        if (status != CW_OK)
            return status;
    }
    if (found != NULL) {
        size_t len_bytes = (size_t)(found - (in->data + in->start));
        push_bytes(L, in, len_bytes + (keeps_end ? 1 : 0), keeps_end ? 0 : 1);
    } else if (in->start == in->end) {
        lua_pushnil(L);
    } else {
        push_bytes(L, in, in->end - in->start, 0);
    }
    return CW_OK;
}

static cw_status read_all(lua_State *L, input *in, int timeout_ms)
{
    while (!in->is_at_end) {
        cw_status status = fill(L, in, 0, timeout_ms);
        if (status != CW_OK)
            return status;
    }
    push_bytes(L, in, in->end - in->start, 0);
    return CW_OK;
}

static cw_status read_format(lua_State *L, input *in, int argument, int timeout_ms)
{
    const char *format;

    if (lua_type(L, argument) == LUA_TNUMBER) {
        int64_t count = 0;
        if (!lcw_exact_integer(L, argument, &count) || count < 0)
            (void)luaL_argerror(L, argument,
                                lua_pushfstring(L, "a count of bytes must be a whole number, 0 or more, not %s",
                                                lcw_push_shown(L, argument)));
        return read_count(L, in, (size_t)count, timeout_ms);
    }
    format = luaL_checkstring(L, argument);
    if (*format == '*')
        format++;
    switch (*format) {
    case 'l':
        return read_line(L, in, false, timeout_ms);
    case 'L':
        return read_line(L, in, true, timeout_ms);
    case 'a':
        return read_all(L, in, timeout_ms);
    case 'n':
        (void)luaL_argerror(L, argument, "format \"n\" is not supported: read a line and use tonumber");
        break;
    default:
        (void)luaL_argerror(L, argument,
                            lua_pushfstring(L, "invalid format %s: use \"l\", \"L\", \"a\" or a count of bytes",
                                            lcw_push_shown(L, argument)));
    }
    return CW_OK;
}

static cw_status read_each(lua_State *L, input *in, int first, int last, int timeout_ms)
{
    cw_status status = CW_OK;
    int i;

    if (first > last)
        return read_line(L, in, false, timeout_ms);
    for (i = first; i <= last && status == CW_OK; i++) {
        status = read_format(L, in, i, timeout_ms);
        if (status == CW_OK && lua_isnil(L, -1))
            break;
    }
    return status;
}

/* Reads the formats at first..last. Returns the number of values. After a failure it sets *status, and returns the result
 * of lcw_fail. */
static int read_formats(lua_State *L, input *in, int first, int last, int timeout_ms, cw_status *status)
{
    int base = lua_gettop(L);

    luaL_checkstack(L, last - first + 4, "too many formats");
    in->start = in->mark; /* an error may have ended the last read */
    *status = read_each(L, in, first, last, timeout_ms);
    if (*status != CW_OK) {
        in->start = in->mark;
        return lcw_fail(L, in->view.w, *status, 0);
    }
    consume(in);
    return lua_gettop(L) - base;
}

int lcw_websocket_receive_stream(lua_State *L)
{
    lcw_socket *w = lcw_check_message_socket(L);
    int timeout_ms = lcw_check_timeout(L, 2, CW_TIMEOUT_DEFAULT);
    input *in;
    cw_status status;

    lua_settop(L, 1);
    in = lua_newuserdata(L, sizeof *in);
    *in = (input){.view = {w}, .is_message = true};
    luaL_getmetatable(L, LCW_INPUT_STREAM);
    lua_setmetatable(L, -2);
    lcw_get_uservalue(L, 1); /* keeps the socket alive */
    lcw_set_uservalue(L, -2);
    status = receive_part(L, in, true, timeout_ms);
    if (status != CW_OK)
        return lcw_fail(L, w, status, 0);
    lcw_push_message_type(L, cw_event_message_type(in->part));
    return 2;
}

/* A memory stream has no socket and never waits. */
static int default_timeout(const input *in)
{
    return in->view.w != NULL ? lcw_default_timeout(in->view.w) : CW_TIMEOUT_DEFAULT;
}

int lcw_input_read(lua_State *L)
{
    input *in = check_input(L);
    cw_status status;

    return read_formats(L, in, 2, lua_gettop(L), default_timeout(in), &status);
}

int lcw_input_read_some(lua_State *L)
{
    input *in = check_input(L);
    size_t count = (size_t)luaL_checkinteger(L, 2), have;
    cw_status status = CW_OK;

    in->start = in->mark; /* an error may have ended the last read */
    if (in->start == in->end)
        status = fill(L, in, 0, default_timeout(in));
    if (status != CW_OK)
        return lcw_fail(L, in->view.w, status, 0);
    have = in->end - in->start;
    if (have == 0)
        lua_pushnil(L);
    else
        push_bytes(L, in, have < count ? have : count, 0);
    consume(in);
    return 1;
}

/* The iterator of lines. It waits without a limit, as each iteration does, and raises errors, as io.lines does. Its upvalues
 * are the stream, the number of formats, and the formats. */
static int next_line(lua_State *L)
{
    input *in = check_open(L, lua_touserdata(L, lua_upvalueindex(1)));
    int count = (int)lua_tointeger(L, lua_upvalueindex(2));
    cw_status status;
    int i, values;

    lua_settop(L, 0);
    luaL_checkstack(L, count, "too many formats");
    for (i = 1; i <= count; i++)
        lua_pushvalue(L, lua_upvalueindex(2 + i));
    values = read_formats(L, in, 1, count, CW_TIMEOUT_NEVER, &status);
    return status == CW_OK ? values : lua_error(L);
}

int lcw_input_lines(lua_State *L)
{
    int count = lua_gettop(L) - 1;

    (void)check_input(L);
    luaL_argcheck(L, count <= MOST_FORMATS, MOST_FORMATS + 2, "too many formats: give at most 250");
    lua_pushinteger(L, count);
    lua_insert(L, 2);
    lua_pushcclosure(L, next_line, count + 2);
    return 1;
}

/* Closes the stream, not the connection. */
int lcw_input_close(lua_State *L)
{
    input *in = check_input(L);

    in->is_closed = true;
    drop(in);
    lua_pushboolean(L, 1);
    return 1;
}

int lcw_input_gc(lua_State *L)
{
    drop(luaL_checkudata(L, 1, LCW_INPUT_STREAM));
    return 0;
}

int lcw_input_tostring(lua_State *L)
{
    input *in = luaL_checkudata(L, 1, LCW_INPUT_STREAM);

    if (is_over(in))
        lua_pushliteral(L, "curlwire.InputStream (closed)");
    else
        lua_pushfstring(L, "curlwire.InputStream (%p)", (void *)in);
    return 1;
}

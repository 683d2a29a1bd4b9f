/* SPDX-License-Identifier: MIT */
/* Implements ws.output_stream of both classes, which writes as a Lua file does. Scripts call it. It has no buffer: each
 * write joins its arguments and sends them as one message. */
#include "lcurlwire.h"

typedef struct output {
    lcw_view view;
    bool is_closed;
} output;

void lcw_push_output_stream(lua_State *L, lcw_socket *w, int socket_index)
{
    (void)lcw_push_part(L, w, socket_index, LCW_SLOT_OUTPUT_STREAM, LCW_OUTPUT_STREAM, sizeof(output));
}

static output *check_output(lua_State *L)
{
    output *out = lcw_check_self(L, LCW_OUTPUT_STREAM);

    if (out->is_closed || out->view.w->s == NULL)
        (void)luaL_error(L, "attempt to use a closed stream: connect a new socket to get another stream");
    return out;
}

int lcw_output_write(lua_State *L)
{
    output *out = check_output(L);
    lcw_socket *w = out->view.w;
    int count = lua_gettop(L);
    int i;
    size_t len_bytes;
    const char *data;
    cw_status status;
    lcw_wait wait;

    for (i = 2; i <= count; i++)
        (void)luaL_checklstring(L, i, NULL);
    if (count > 1) {
        lua_concat(L, count - 1);
        data = lua_tolstring(L, 2, &len_bytes);
        lcw_wait_begin(L, w->state, &wait);
        status = cw_socket_send(w->s, w->message_type, data, len_bytes, lcw_default_timeout(w));
        lcw_wait_end(&wait);
        if (status != CW_OK)
            return lcw_fail(L, w, status, 2);
    }
    lua_settop(L, 1);
    return 1;
}

static cw_status flush(lua_State *L, lcw_socket *w)
{
    cw_status status;
    lcw_wait wait;

    lcw_wait_begin(L, w->state, &wait);
    status = cw_socket_flush(w->s, lcw_default_timeout(w));
    lcw_wait_end(&wait);
    return status;
}

int lcw_output_flush(lua_State *L)
{
    lcw_socket *w = check_output(L)->view.w;
    cw_status status = flush(L, w);

    if (status != CW_OK)
        return lcw_fail(L, w, status, 0);
    lua_settop(L, 1);
    return 1;
}

/* Accepts the arguments of a Lua file's setvbuf. It sets nothing, because the stream has no buffer. */
int lcw_output_setvbuf(lua_State *L)
{
    static const char *const modes[] = {"no", "full", "line", NULL};

    (void)check_output(L);
    (void)luaL_checkoption(L, 2, NULL, modes);
    (void)luaL_optinteger(L, 3, 0);
    lua_pushboolean(L, 1);
    return 1;
}

/* Flushes and closes the stream, not the connection. */
int lcw_output_close(lua_State *L)
{
    output *out = check_output(L);
    lcw_socket *w = out->view.w;
    cw_status status = CW_OK;

    if (cw_socket_state(w->s) == CW_STATE_OPEN)
        status = flush(L, w);
    out->is_closed = true;
    return lcw_result(L, w, status);
}

int lcw_output_tostring(lua_State *L)
{
    output *out = luaL_checkudata(L, 1, LCW_OUTPUT_STREAM);

    if (out->is_closed || out->view.w->s == NULL)
        lua_pushliteral(L, "curlwire.OutputStream (closed)");
    else
        lua_pushfstring(L, "curlwire.OutputStream (%p)", (void *)out);
    return 1;
}

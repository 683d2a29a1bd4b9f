/* SPDX-License-Identifier: MIT */
/* The functions with which curlwire/tasks.lua runs coroutines. They are no part of the public module. None of them waits,
 * except take_events and sleep, which the scheduler calls outside the coroutines.
 *
 * A call of a coroutine is a Lua function of tasks.lua. It makes the usual call by try, which does not wait, and yields until
 * the socket has changed (CW_EVENT_CHANGED). Lua 5.1 and LuaJIT cannot yield from a C function and go on in it, so the
 * waiting is in Lua, for all versions alike. */
#include <string.h>
#include <time.h>

#include "lcurlwire.h"

#define LCW_PING "curlwire.Ping"

enum { SOCKET_UPVALUE = 5, METHOD_UPVALUE = 4, DATA_UPVALUE = 2 };

/* ---- The coroutine that runs ---- */

/* enter(coroutine or nil): notes which coroutine runs. Its calls look methods up in the tables of install. */
static int enter(lua_State *L)
{
    lcw_state *state = lcw_state_get(L);

    state->task = lua_tothread(L, 1);
    state->is_trying = false;
    return 0;
}

/* Returns whether a function belongs to the files of curlwire that call try. */
static bool is_own(const lua_Debug *function)
{
    return strstr(function->short_src, "curlwire/calls.lua") != NULL ||
           strstr(function->short_src, "curlwire/tasks.lua") != NULL;
}

/* Raises the error on top. The text gets the place in the script, which is behind the functions of calls.lua. */
static int raise_in_script(lua_State *L)
{
    lua_Debug function;
    int level = 1;

    if (lua_type(L, -1) != LUA_TSTRING || strstr(lua_tostring(L, -1), "curlwire/calls.lua:") != NULL)
        return lua_error(L);
    while (lua_getstack(L, level, &function) != 0) {
        (void)lua_getinfo(L, "Sl", &function);
        if (function.currentline > 0 && !is_own(&function)) {
            lua_pushfstring(L, "%s:%d: %s", function.short_src, function.currentline, lua_tostring(L, -1));
            break;
        }
        level++;
    }
    return lua_error(L);
}

/* try(f, ...): calls f, whose calls do not wait if they have no timeout of their own. */
static int try_call(lua_State *L)
{
    lcw_state *state = lcw_state_get(L);
    int failure;

    state->is_trying = true;
    failure = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    state->is_trying = false;
    return failure == 0 ? lua_gettop(L) : raise_in_script(L);
}

/* install(type_name, methods [, scope_end]): sets the functions that coroutines use in place of the methods of a type.
 * Returns the table of the methods, and __close. scope_end replaces __close. */
static int install(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    bool is_socket = strcmp(name, LCW_MESSAGE_WEBSOCKET) == 0 || strcmp(name, LCW_STREAM_WEBSOCKET) == 0;
    bool is_data = strcmp(name, LCW_DATA_READER) == 0 || strcmp(name, LCW_DATA_WRITER) == 0;
    int upvalue = is_socket ? SOCKET_UPVALUE : is_data ? DATA_UPVALUE : METHOD_UPVALUE;

    lua_settop(L, 3);
    luaL_getmetatable(L, name);
    lua_getfield(L, 4, "__index");
    lua_pushlightuserdata(L, lcw_state_get(L));
    (void)lua_setupvalue(L, 5, upvalue);
    lua_pushvalue(L, 2);
    (void)lua_setupvalue(L, 5, upvalue + 1);
    (void)lua_getupvalue(L, 5, 1);
    lua_getfield(L, 4, "__close");
    if (lua_isfunction(L, 3)) {
        lua_pushvalue(L, 3);
        lua_setfield(L, 4, "__close");
    }
    return 2;
}

static int take_ref(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

/* redirect(run, dispatch, changed): sets the functions that curlwire.run and curlwire.dispatch call, and the function that
 * gets the key of each socket that has changed. */
static int redirect(lua_State *L)
{
    lcw_state *state = lcw_state_get(L);

    state->run_ref = take_ref(L, 1);
    state->dispatch_ref = take_ref(L, 2);
    state->changed_ref = take_ref(L, 3);
    return 0;
}

/* ---- Events and time ---- */

/* take_events(seconds): calls handlers, for at most so many seconds until the first event. Returns their number. */
static int take_events(lua_State *L)
{
    lcw_state *state = lcw_state_get(L);
    int64_t timeout_ms = 0;
    int count;
    cw_status status;

    (void)lcw_to_ms(L, 1, &timeout_ms);
    status = lcw_take_events(L, state, timeout_ms < 0 ? CW_TIMEOUT_NEVER : (int)timeout_ms, &count);
    if (status != CW_OK)
        return lcw_fail(L, NULL, status, 0);
    lua_pushinteger(L, count);
    return 1;
}

/* handler_count(): returns the number of sockets whose handlers may still be called, and the id of the process. */
static int handler_count(lua_State *L)
{
    lcw_state *state = lcw_state_get(L);

    lcw_leave_parent(L, state);
    lua_pushinteger(L, state->anchored_count);
    lua_pushinteger(L, state->process_id);
    return 2;
}

/* wake(): makes the descriptor of curlwire.fd readable, so that another loop calls dispatch. */
static int wake(lua_State *L)
{
    lcw_state *state = lcw_state_get(L);

    if (lcw_make_mailbox(L, state) != CW_OK)
        return lcw_raise(L, NULL);
    cw_mailbox_wake(state->mailbox);
    return 0;
}

static int now(lua_State *L)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
    return 1;
}

/* sleep(seconds): blocks this thread. Ctrl-C ends it. */
static int sleep_now(lua_State *L)
{
    lcw_state *state = lcw_state_get(L);
    cw_mailbox *m = NULL;
    cw_event *event = NULL;
    cw_status status;
    int64_t ms = 0;
    lcw_wait wait;

    (void)lcw_to_ms(L, 1, &ms);
    if (cw_mailbox_create(&m) != CW_OK)
        return lcw_raise(L, NULL);
    lcw_wait_begin(L, state, &wait);
    status = cw_mailbox_take(m, ms < 0 ? CW_TIMEOUT_NEVER : (int)ms, &event);
    cw_mailbox_release(m);
    lcw_wait_end(&wait);
    lua_pushboolean(L, status == CW_TIMED_OUT);
    return 1;
}

/* seconds(value): returns the value of a timeout in seconds, math.huge for no limit; nil if it is no timeout, and how an
 * error shows it. */
static int seconds(lua_State *L)
{
    int64_t ms;

    if (lcw_to_ms(L, 1, &ms)) {
        lua_pushnumber(L, ms < 0 ? (lua_Number)HUGE_VAL : (lua_Number)ms / 1e3);
        return 1;
    }
    lua_pushnil(L);
    (void)lcw_push_shown(L, 1);
    return 2;
}

/* ---- Sockets ---- */

/* watch(socket): asks for the changes of a socket. Returns whether that is new. */
static int watch(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    bool is_new = (w->event_mask & CW_EVENT_CHANGED) == 0;

    if (is_new && lcw_subscribe_too(L, w, CW_EVENT_CHANGED) != CW_OK)
        return lcw_raise(L, NULL);
    lua_pushboolean(L, is_new);
    return 1;
}

/* key(socket): returns what changed gets for this socket. */
static int key(lua_State *L)
{
    lua_pushlightuserdata(L, lcw_check_socket(L, 1));
    return 1;
}

static bool is_type(lua_State *L, int index, const char *a, const char *b)
{
    return lcw_test_userdata(L, index, a) != NULL || lcw_test_userdata(L, index, b) != NULL;
}

/* socket_of(stream, or DataReader or DataWriter): returns the socket that it reads or writes; nil if there is none. */
static int socket_of(lua_State *L)
{
    lua_settop(L, 1);
    if (is_type(L, 1, LCW_DATA_READER, LCW_DATA_WRITER)) {
        lcw_get_uservalue(L, 1);
        if (!lua_istable(L, 2))
            return 0;
        lua_rawgeti(L, 2, 1);
        lua_replace(L, 1);
        lua_settop(L, 1);
    }
    if (!is_type(L, 1, LCW_INPUT_STREAM, LCW_OUTPUT_STREAM))
        return 0;
    if (((lcw_view *)lua_touserdata(L, 1))->w == NULL) /* the stream of a string */
        return 0;
    lcw_get_uservalue(L, 1);
    lua_rawgeti(L, 2, LCW_SLOT_SOCKET);
    return 1;
}

/* queued_bytes(socket): returns the bytes that wait to be sent, to see whether they make progress. */
static int queued_bytes(lua_State *L)
{
    cw_statistics all = {.size_bytes = sizeof all};

    (void)cw_socket_get_statistics(lcw_check_socket(L, 1)->s, &all);
    lua_pushnumber(L, (lua_Number)all.send_queue_bytes);
    return 1;
}

static int ended_normally(lua_State *L)
{
    lua_pushboolean(L, cw_socket_ended_normally(lcw_check_socket(L, 1)->s));
    return 1;
}

/* ---- Connecting ---- */

/* connect_start(socket, uri, timeout_ms) */
static int connect_start(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    size_t len_bytes;
    const char *uri;
    cw_status status;

    luaL_checktype(L, 2, LUA_TSTRING);
    uri = lua_tolstring(L, 2, &len_bytes);
    status = cw_socket_connect_start(w->s, uri, len_bytes, (int)luaL_checkinteger(L, 3));
    return status == CW_OK ? lcw_result(L, w, status) : lcw_fail(L, w, status, 2);
}

/* timeout_ms(timeout): converts the timeout of ws:connect. */
static int connect_timeout_ms(lua_State *L)
{
    lua_pushinteger(L, lcw_check_timeout(L, 1, CW_TIMEOUT_DEFAULT));
    return 1;
}

/* connect_end(socket): returns true if it is connected, false if it still connects, "question" if answer is to be called. */
static int connect_end(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    bool was_connecting = cw_socket_state(w->s) == CW_STATE_CONNECTING;
    cw_status status = cw_socket_wait_connected(w->s, 0);

    if (status == CW_TIMED_OUT && was_connecting) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (status == CW_QUESTION) {
        lua_pushliteral(L, "question");
        return 1;
    }
    if (status != CW_OK)
        return lcw_fail(L, w, status, 0);
    w->was_opened = true;
    lcw_update_anchor(L, w, 1);
    lua_pushboolean(L, 1);
    return 1;
}

/* answer(socket): calls the handler of the server's certificate. Errors: raises its error, after the answer. */
static int answer(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);

    lua_settop(L, 1);
    return lcw_answer_certificate(L, w, 1) ? 0 : lua_error(L);
}

/* ---- Sending ---- */

static int batch_begin(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);

    return lcw_result(L, w, cw_socket_batch_begin(w->s));
}

/* batch_end(socket): ends the batch. If its result is CW_TIMED_OUT, flush waits for the rest. */
static int batch_end(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);

    return lcw_result(L, w, cw_socket_batch_end(w->s, 0));
}

/* send_many(socket, list, type, 0, compress, done) */
static int send_many(lua_State *L)
{
    size_t done = (size_t)luaL_checkinteger(L, 6);

    lua_settop(L, 5);
    return lcw_send_many_from(L, done);
}

/* ---- Pings ---- */

typedef struct pinging {
    cw_ping *ping; /* NULL if it did not begin */
} pinging;

static int ping_gc(lua_State *L)
{
    pinging *p = luaL_checkudata(L, 1, LCW_PING);

    cw_ping_free(p->ping);
    p->ping = NULL;
    return 0;
}

/* ping_start(socket): returns a ping, or nil, message, err. */
static int ping_start(lua_State *L)
{
    lcw_socket *w = lcw_check_socket(L, 1);
    pinging *p = lua_newuserdata(L, sizeof *p);
    cw_status status;

    p->ping = NULL;
    luaL_getmetatable(L, LCW_PING);
    lua_setmetatable(L, -2);
    status = cw_socket_ping_start(w->s, &p->ping);
    return status == CW_OK ? 1 : lcw_fail(L, w, status, 0);
}

/* ping_result(ping, socket): returns the round trip in seconds. */
static int ping_result(lua_State *L)
{
    pinging *p = luaL_checkudata(L, 1, LCW_PING);
    int64_t rtt_us;
    cw_status status = cw_ping_result(p->ping, &rtt_us);

    if (status != CW_OK)
        return lcw_fail(L, lcw_check_socket(L, 2), status, 0);
    lua_pushnumber(L, (lua_Number)rtt_us / 1e6);
    return 1;
}

/* ---- The table ---- */

static const luaL_Reg functions[] = {{"answer", answer},
                                     {"batch_begin", batch_begin},
                                     {"batch_end", batch_end},
                                     {"connect_end", connect_end},
                                     {"connect_prepare", lcw_connect_prepare},
                                     {"connect_start", connect_start},
                                     {"connect_timeout_ms", connect_timeout_ms},
                                     {"encode", lcw_encode_json},
                                     {"ended_normally", ended_normally},
                                     {"enter", enter},
                                     {"fragment", lcw_try_fragment},
                                     {"handler_count", handler_count},
                                     {"install", install},
                                     {"key", key},
                                     {"now", now},
                                     {"ping_free", ping_gc},
                                     {"ping_result", ping_result},
                                     {"ping_start", ping_start},
                                     {"queued_bytes", queued_bytes},
                                     {"redirect", redirect},
                                     {"seconds", seconds},
                                     {"send_many", send_many},
                                     {"sleep", sleep_now},
                                     {"socket_of", socket_of},
                                     {"take_events", take_events},
                                     {"try", try_call},
                                     {"wake", wake},
                                     {"watch", watch},
                                     {NULL, NULL}};

void lcw_push_tasks(lua_State *L)
{
    luaL_newmetatable(L, LCW_PING);
    lua_pushcfunction(L, ping_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    lcw_set_functions(L, functions);
}

/* SPDX-License-Identifier: MIT */
/* Calls handlers. Each Lua state has one mailbox. A socket with a handler is subscribed to it. dispatch takes events from
 * the mailbox and calls the handlers in the calling Lua thread. lattribute.c and curlwire.dispatch, run and fd call this
 * file. It does not interpret messages.
 *
 * A socket's own table holds its handlers, so a socket and handlers that refer to it are collected together. But while an
 * open socket has a handler, the anchors table keeps the socket, because the handler may still be called. The socket leaves
 * the table when its closed event has been delivered or its handlers are removed.
 *
 * Safety: states may run in several threads. The last state to close shuts the core down. A state that opens during the
 * shutdown waits for its end. There is no lock, because a child of fork() would find it locked for ever. */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "lcurlwire.h"

enum { MOST_EVENTS_PER_DISPATCH = 1000, SHUTDOWN_MS = 1000, INTERRUPTED_SHUTDOWN_MS = 20, LOOK_EVERY_MS = 1 };

static const char state_key = 0;

/* The number of open states in this process. While the last state closes, the number is minus the id of the process. A
 * child of fork() inherits the number but not the closing thread. By the id it knows that there is nothing to wait for. */
static atomic_int open_states;

static void count_state(void)
{
    int count = atomic_load(&open_states);

    for (;;) {
        if (count < 0 && count == -(int)getpid()) {
            (void)poll(NULL, 0, LOOK_EVERY_MS);
            count = atomic_load(&open_states);
        } else if (atomic_compare_exchange_weak(&open_states, &count, count < 0 ? 1 : count + 1)) {
            return;
        }
    }
}

/* Counts one state less. After the last state it shuts the core down: open sockets send their queues and a close frame. */
static void uncount_state(int shutdown_ms)
{
    int count = atomic_load(&open_states);
    int left;

    do
        left = count > 1 ? count - 1 : -(int)getpid();
    while (!atomic_compare_exchange_weak(&open_states, &count, left));
    if (left > 0)
        return;
    if (cw_shutdown(shutdown_ms) == CW_CLOSED)
        (void)fprintf(stderr, "curlwire: %s\n", cw_error_message());
    atomic_store(&open_states, 0);
}

/* ---- The state's record ---- */

lcw_state *lcw_state_get(lua_State *L)
{
    lcw_state *state;

    lua_pushlightuserdata(L, (void *)(uintptr_t)&state_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    state = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (state != NULL && state->is_ended) /* Lua would never finalize a socket that is made now */
        (void)luaL_error(
            L, "curlwire has ended, because its Lua state is being closed: call curlwire before that");
    return state;
}

/* The message handler for deliver. It adds a traceback to a text; other values stay as they are. */
static int add_traceback(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING)
        lcw_add_traceback(L);
    return 1;
}

static int deliver(lua_State *L);

lcw_state *lcw_state_open(lua_State *L)
{
    lcw_state *state = lcw_state_get(L);

    if (state != NULL)
        return state;
    state = lua_newuserdata(L, sizeof *state);
    *state = (lcw_state){0};
    luaL_getmetatable(L, LCW_STATE);
    count_state(); /* if anything below fails, lcw_state_gc uncounts it */
    lua_setmetatable(L, -2);
    state->process_id = (int)getpid();
    state->main_thread = lcw_main_thread(L);
    lua_newtable(L);
    state->anchors_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    if (luaL_loadbuffer(L, "return", 6, "=curlwire") != 0)
        (void)lua_error(L);
    state->poke_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lcw_push_pusher(L);
    state->push_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lcw_push_next_message(L);
    state->next_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, deliver);
    state->deliver_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, add_traceback);
    state->traceback_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushlightuserdata(L, (void *)(uintptr_t)&state_key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    return state;
}

/* Clears the pointers before it frees the objects, because another thread may fork meanwhile. Its child must not see
 * pointers to freed objects. */
static void drop_mailbox(lcw_state *state)
{
    cw_event *undelivered = state->undelivered;
    cw_mailbox *m = state->mailbox;

    state->undelivered = NULL;
    state->mailbox = NULL;
    cw_event_free(undelivered);
    cw_mailbox_release(m);
}

/* Ends the module at lua_close, after all sockets are finalized. Sockets that were just released may still have to send their
 * queues and close frames, and the process may end right after. So this function waits for them up to 1 s, or 20 ms after
 * Ctrl-C. */
int lcw_state_gc(lua_State *L)
{
    lcw_state *state = luaL_checkudata(L, 1, LCW_STATE);

    if (state->is_ended)
        return 0;
    state->is_ended = true;
    drop_mailbox(state);
    uncount_state(state->is_interrupted ? INTERRUPTED_SHUTDOWN_MS : SHUTDOWN_MS);
    return 0;
}

/* The child never calls handlers of the parent's sockets. */
void lcw_leave_parent(lua_State *L, lcw_state *state)
{
    if (state->process_id == (int)getpid())
        return;
    state->process_id = (int)getpid();
    drop_mailbox(state);
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->anchors_ref);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        lcw_socket *w = lua_touserdata(L, -2);
        w->is_anchored = false;
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, -4);
    }
    lua_pop(L, 1);
    state->anchored_count = 0;
}

cw_status lcw_make_mailbox(lua_State *L, lcw_state *state)
{
    lcw_leave_parent(L, state);
    return state->mailbox != NULL ? CW_OK : cw_mailbox_create(&state->mailbox);
}

/* ---- Handlers ---- */

void lcw_update_anchor(lua_State *L, lcw_socket *w, int socket_index)
{
    bool is_wanted = w->was_opened && !w->is_end_known && (w->event_mask & CW_EVENT_CLOSED) != 0;

    if (is_wanted == w->is_anchored)
        return;
    lua_pushvalue(L, socket_index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->state->anchors_ref);
    lua_pushlightuserdata(L, w);
    if (is_wanted)
        lua_pushvalue(L, -3);
    else
        lua_pushnil(L);
    lua_rawset(L, -3);
    lua_pop(L, 2);
    w->is_anchored = is_wanted;
    w->state->anchored_count += is_wanted ? 1 : -1;
}

static bool can_be_called(lua_State *L, int index)
{
    if (lua_isfunction(L, index))
        return true;
    if (!luaL_getmetafield(L, index, "__call"))
        return false;
    lua_pop(L, 1);
    return true;
}

static void check_handler(lua_State *L, const char *name, int index)
{
    if (!lua_isnil(L, index) && !can_be_called(L, index))
        (void)luaL_error(L, "%s must be a function or nil, not a %s", name, luaL_typename(L, index));
}

void lcw_set_validation_handler(lua_State *L, lcw_socket *w, int socket_index, int index)
{
    static const char name[] = "on_server_custom_validation_requested";

    check_handler(L, name, index);
    if (cw_socket_ask_certificate(w->s, !lua_isnil(L, index)) != CW_OK)
        (void)lcw_raise(L, name);
    lcw_get_uservalue(L, socket_index);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, LCW_SLOT_ON_VALIDATION);
    lua_pop(L, 1);
}

/* The slots of the handlers that a mailbox calls, with the events that each needs. */
static const struct {
    lcw_slot slot;
    const char *name;
    unsigned mask;
} handlers[] = {{LCW_SLOT_ON_MESSAGE_RECEIVED, "on_message_received", CW_EVENT_MESSAGE | CW_EVENT_CLOSED},
                {LCW_SLOT_ON_CLOSED, "on_closed", CW_EVENT_CLOSED},
                {LCW_SLOT_ON_TRACE, "on_trace", CW_EVENT_TRACE},
                {LCW_SLOT_ON_WRITABLE, "on_writable", CW_EVENT_WRITABLE | CW_EVENT_CLOSED}};

/* Pushes the table of the sockets that have had an on_trace: light userdata = socket. It keeps no socket alive. */
static void push_traced(lua_State *L)
{
    static char key;

    lua_pushlightuserdata(L, &key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_pushlightuserdata(L, &key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

static void remember_traced(lua_State *L, lcw_socket *w, int socket_index)
{
    push_traced(L);
    lua_pushlightuserdata(L, w);
    lua_pushvalue(L, socket_index);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static cw_status subscribe(lua_State *L, lcw_socket *w, unsigned mask)
{
    cw_status status = mask != w->event_mask ? lcw_make_mailbox(L, w->state) : CW_OK;

    if (status == CW_OK && mask != w->event_mask)
        status = cw_socket_subscribe(w->s, mask != 0 ? w->state->mailbox : NULL, mask);
    if (status == CW_OK)
        w->event_mask = mask;
    return status;
}

cw_status lcw_subscribe_too(lua_State *L, lcw_socket *w, unsigned mask)
{
    return subscribe(L, w, w->event_mask | mask);
}

void lcw_set_handler(lua_State *L, lcw_socket *w, int socket_index, lcw_slot slot, int index)
{
    const char *name = "";
    unsigned mask = 0;
    size_t i;

    for (i = 0; i < sizeof handlers / sizeof handlers[0]; i++)
        if (handlers[i].slot == slot)
            name = handlers[i].name;
    check_handler(L, name, index);
    if (lcw_is_of_parent(w))
        (void)lcw_raise(L, name);
    if (slot == LCW_SLOT_ON_TRACE)
        remember_traced(L, w, socket_index);
    lcw_get_uservalue(L, socket_index);
    for (i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        if (handlers[i].slot == slot)
            lua_pushvalue(L, index);
        else
            lua_rawgeti(L, -1, (int)handlers[i].slot);
        mask |= lua_isnil(L, -1) ? 0 : handlers[i].mask;
        lua_pop(L, 1);
    }
    if (subscribe(L, w, mask | (w->event_mask & CW_EVENT_CHANGED)) != CW_OK)
        (void)lcw_raise(L, name);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, (int)slot);
    lua_pop(L, 1);
    lcw_update_anchor(L, w, socket_index);
}

/* ---- Dispatch ---- */

static void push_message_args(lua_State *L, const cw_event *event)
{
    size_t len_bytes;
    const char *data = cw_event_data(event, &len_bytes);

    lua_createtable(L, 0, 3);
    lua_pushlstring(L, data, len_bytes);
    lua_setfield(L, -2, "data");
    lcw_push_message_type(L, cw_event_message_type(event));
    lua_setfield(L, -2, "message_type");
    lua_pushboolean(L, cw_event_is_complete(event));
    lua_setfield(L, -2, "is_message_complete");
    luaL_getmetatable(L, LCW_MESSAGE_ARGS);
    lua_setmetatable(L, -2);
}

static void push_closed_args(lua_State *L, const cw_event *event)
{
    size_t len_bytes;
    const char *reason = cw_event_data(event, &len_bytes);

    lua_createtable(L, 0, 3);
    lua_pushinteger(L, cw_event_close_code(event));
    lua_setfield(L, -2, "code");
    lua_pushlstring(L, reason, len_bytes);
    lua_setfield(L, -2, "reason");
    lua_pushboolean(L, cw_event_was_clean(event));
    lua_setfield(L, -2, "was_clean");
}

/* Calls on_trace with the line of an event, if the socket still exists. */
static int deliver_trace(lua_State *L, lcw_socket *w, const cw_event *event)
{
    size_t len_bytes;
    const char *line = cw_event_data(event, &len_bytes);

    push_traced(L);
    lua_pushlightuserdata(L, w);
    lua_rawget(L, 2);
    if (lua_isnil(L, 3))
        return 0;
    lcw_get_uservalue(L, 3);
    lua_rawgeti(L, 4, LCW_SLOT_ON_TRACE);
    lua_pushvalue(L, 3);
    lua_pushlstring(L, line, len_bytes);
    w->state->is_handed_over = true;
    if (!lua_isnil(L, 5))
        lua_call(L, 2, 0);
    return 0;
}

/* Tells the scheduler (tasks.lua) that the calls of coroutines on this socket may go on. */
static int deliver_change(lua_State *L, lcw_socket *w)
{
    w->state->is_handed_over = true;
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->state->changed_ref);
    lua_pushlightuserdata(L, w);
    lua_call(L, 1, 0);
    return 0;
}

/* Calls the handler of an event, which is light userdata. The caller owns the event, and uses a protected call. */
static int deliver(lua_State *L)
{
    const cw_event *event = lua_touserdata(L, 1);
    cw_event_type type = cw_event_get_type(event);
    bool is_closed = type == CW_EVENT_CLOSED;
    lcw_socket *w = cw_socket_user(cw_event_socket(event));

    if (w == NULL)
        return 0;
    if (type == CW_EVENT_TRACE)
        return deliver_trace(L, w, event);
    if (cw_event_get_type(event) == CW_EVENT_CHANGED)
        return deliver_change(L, w);
    lua_rawgeti(L, LUA_REGISTRYINDEX, w->state->anchors_ref);
    lua_pushlightuserdata(L, w);
    lua_rawget(L, 2);
    if (lua_isnil(L, 3))
        return 0;
    lcw_get_uservalue(L, 3);
    lua_rawgeti(L, 4,
                is_closed                   ? LCW_SLOT_ON_CLOSED
                : type == CW_EVENT_WRITABLE ? LCW_SLOT_ON_WRITABLE
                                            : LCW_SLOT_ON_MESSAGE_RECEIVED);
    lua_pushvalue(L, 3);
    if (is_closed)
        push_closed_args(L, event);
    else if (type == CW_EVENT_WRITABLE)
        lcw_push_buffered_amount(L, w);
    else
        push_message_args(L, event);
    if (is_closed) {
        w->is_end_known = true;
        lcw_update_anchor(L, w, 3);
    }
    w->state->is_handed_over = true;
    if (!lua_isnil(L, 5))
        lua_call(L, 2, 0);
    return 0;
}

static cw_status take(lua_State *L, lcw_state *state, int timeout_ms, cw_event **out)
{
    cw_status status;
    lcw_wait wait;

    if (state->undelivered != NULL) {
        *out = state->undelivered;
        state->undelivered = NULL;
        return CW_OK;
    }
    lcw_wait_begin(L, state, &wait);
    state->is_dispatching = true;
    status = cw_mailbox_take(state->mailbox, timeout_ms, out);
    state->is_dispatching = false;
    lcw_wait_end(&wait);
    return status;
}

/* Takes one event and calls its handler. Errors: raises the handler's error, after it has freed the event. If there is no
 * memory to call the handler, it keeps the event for the next dispatch. */
static cw_status dispatch_one(lua_State *L, lcw_state *state, int timeout_ms)
{
    cw_event *event = NULL;
    cw_status status;
    bool has_failed;

    luaL_checkstack(L, 4, "too many values");
    status = take(L, state, timeout_ms, &event);
    if (status != CW_OK)
        return status;
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->traceback_ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, state->deliver_ref);
    lua_pushlightuserdata(L, event);
    state->is_handed_over = false;
    state->is_dispatching = true;
    has_failed = lua_pcall(L, 1, 0, -3) != 0;
    state->is_dispatching = false;
    if (has_failed && !state->is_handed_over)
        state->undelivered = event;
    else
        cw_event_free(event);
    if (has_failed)
        (void)lua_error(L);
    lua_pop(L, 1);
    return CW_OK;
}

static lcw_state *check_outside_handler(lua_State *L, const char *name)
{
    lcw_state *state = lcw_state_get(L);

    if (state->is_dispatching)
        (void)luaL_error(L, "curlwire.%s cannot be called inside a handler: return from the handler first",
                         name);
    return state;
}

cw_status lcw_take_events(lua_State *L, lcw_state *state, int timeout_ms, int *count)
{
    cw_status status = lcw_make_mailbox(L, state);

    *count = 0;
    while (*count < MOST_EVENTS_PER_DISPATCH && status == CW_OK) {
        status = dispatch_one(L, state, *count == 0 ? timeout_ms : 0);
        if (status == CW_OK)
            (*count)++;
    }
    return *count > 0 || status == CW_TIMED_OUT || status == CW_INTERRUPTED ? CW_OK : status;
}

/* Calls the scheduler of the coroutines (tasks.lua) with the arguments on the stack. */
static int call_scheduler(lua_State *L, int ref)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

int lcw_dispatch(lua_State *L)
{
    int timeout_ms = lcw_check_timeout(L, 1, CW_TIMEOUT_NEVER);
    lcw_state *state = check_outside_handler(L, "dispatch");
    cw_status status;
    int count;

    lua_settop(L, 1);
    if (state->dispatch_ref != 0)
        return call_scheduler(L, state->dispatch_ref);
    if (timeout_ms == CW_TIMEOUT_NEVER && state->anchored_count == 0)
        timeout_ms = 0; /* no open socket has a handler, so no event could end the wait */
    status = lcw_take_events(L, state, timeout_ms, &count);
    if (status != CW_OK)
        return lcw_fail(L, NULL, status, 0);
    lua_pushinteger(L, count);
    return 1;
}

int lcw_run(lua_State *L)
{
    lcw_state *state = check_outside_handler(L, "run");

    lua_settop(L, 0);
    if (state->run_ref != 0)
        return call_scheduler(L, state->run_ref);
    lcw_leave_parent(L, state);
    while (state->anchored_count > 0) {
        cw_status status = dispatch_one(L, state, CW_TIMEOUT_NEVER);
        if (status == CW_AFTER_FORK) /* a handler has called fork() and returned in the child */
            lcw_leave_parent(L, state);
        else if (status != CW_OK && status != CW_INTERRUPTED)
            return lcw_fail(L, NULL, status, 0);
    }
    lua_pushboolean(L, 1);
    return 1;
}

int lcw_fd(lua_State *L)
{
    lcw_state *state = lcw_state_get(L);
    cw_status status = lcw_make_mailbox(L, state);

    if (status != CW_OK)
        return lcw_fail(L, NULL, status, 0);
    lua_pushinteger(L, cw_mailbox_fd(state->mailbox));
    return 1;
}

/* SPDX-License-Identifier: MIT */
/* Lets Ctrl-C end a call that waits in the core. At SIGINT the standard interpreters set a debug hook. It raises
 * "interrupted!" at the next Lua instruction or call, but no Lua runs while the core waits. So the core calls its wait hook
 * (poke) every 50 ms and after each signal, and poke calls a Lua function that does nothing. That call fires a pending debug
 * hook. The error of the debug hook ends the wait, and lcw_wait_end raises it again after the core has returned.
 *
 * Outside LuaJIT a debug hook belongs to one coroutine, and the interpreters set theirs on the main thread. A call that
 * waits in another coroutine would never see it. So poke also sets the main thread's hook on the coroutine, if the hook is
 * of the interpreters' kind: for calls, returns and every instruction. The hook stays set on the main thread, which stops
 * too when it runs again. */
#include "lcurlwire.h"

enum { STACK_SLOTS = 16 };

static bool is_interrupt_hook(lua_State *L)
{
    const int form = LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT;

    return lua_gethook(L) != NULL && (lua_gethookmask(L) & form) == form && lua_gethookcount(L) == 1;
}

/* The wait hook. The core calls it in the waiting thread. It catches each error, because no longjmp may pass the core. */
static bool poke(void *arg)
{
    lcw_wait *wait = arg;
    lua_State *L = wait->L;
    lua_State *main_thread = wait->state->main_thread;
    lua_Hook hook = lua_gethook(L);
    int mask = lua_gethookmask(L);
    int count = lua_gethookcount(L);
    bool is_lent = main_thread != NULL && main_thread != L && hook == NULL && is_interrupt_hook(main_thread);

    if (wait->has_failed)
        return true;
    if (is_lent)
        lua_sethook(L, lua_gethook(main_thread), lua_gethookmask(main_thread), lua_gethookcount(main_thread));
    lua_rawgeti(L, LUA_REGISTRYINDEX, wait->state->poke_ref);
    wait->has_failed = lua_pcall(L, 0, 0, 0) != 0;
    wait->state->is_interrupted = wait->state->is_interrupted || wait->has_failed;
    if (is_lent)
        lua_sethook(L, hook, mask, count);
    return wait->has_failed;
}

static void set_hook(lcw_wait *wait) { cw_set_wait_hook(wait != NULL ? poke : NULL, wait); }

void lcw_wait_begin(lua_State *L, lcw_state *state, lcw_wait *wait)
{
    luaL_checkstack(L, STACK_SLOTS, "too many values");
    if (state->task == L && !state->is_trying)
        (void)luaL_error(
            L, "this call would stop all coroutines of curlwire.spawn: inside such a coroutine call "
               "ws:receive() or curlwire.connect() by these names, not a function that was taken from "
               "the socket or the module before");
    wait->L = L;
    wait->state = state;
    wait->outer = state->waiting;
    wait->has_failed = false;
    state->waiting = wait;
    set_hook(wait);
}

void lcw_wait_end(lcw_wait *wait)
{
    wait->state->waiting = wait->outer;
    set_hook(wait->outer);
    if (wait->has_failed)
        (void)lua_error(wait->L);
}

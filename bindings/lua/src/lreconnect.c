/* SPDX-License-Identifier: MIT */
/* The rules for reconnecting, for curlwire/reconnecting.lua: a userdata around cw_reconnect, the clock, and a wait. Times are in
 * seconds here, and in milliseconds in the core. lcurlwire.c calls this file. */
#include <string.h>

#include "lcurlwire.h"

#define LCW_RECONNECT "curlwire.Reconnect"

typedef struct lcw_reconnect {
    cw_reconnect *rules; /* NULL when it has been finalized */
} lcw_reconnect;

static cw_reconnect *check_rules(lua_State *L)
{
    lcw_reconnect *r = luaL_checkudata(L, 1, LCW_RECONNECT);

    luaL_argcheck(L, r->rules != NULL, 1, "the rules have been collected: keep a reference to the socket");
    return r->rules;
}

static int64_t check_time_ms(lua_State *L, int index) { return (int64_t)(luaL_checknumber(L, index) * 1000); }

static int rules_gc(lua_State *L)
{
    lcw_reconnect *r = luaL_checkudata(L, 1, LCW_RECONNECT);

    cw_reconnect_release(r->rules);
    r->rules = NULL;
    return 0;
}

typedef struct setting {
    const char *name;
    bool is_time;
    bool may_be_none;
} setting;

enum { MS, NUMBER };
static const setting settings[CW_RECONNECT_COUNT] = {
#define CW_X(name, key, type, at_first, least, most, none, text) \
    {key, (type) == MS, (const char *)(none) != NULL},
    CW_RECONNECT_LIST(CW_X)
#undef CW_X
};

/* rules:set(name, value) sets a setting. math.huge and false mean no limit. Returns false if there is no such setting.
 * Errors: raises an error about the value. */
static int rules_set(lua_State *L)
{
    cw_reconnect *rules = check_rules(L);
    const char *name = luaL_checkstring(L, 2);
    int64_t number = 0;
    int i = 0;

    while (i < CW_RECONNECT_COUNT && strcmp(settings[i].name, name) != 0)
        i++;
    if (i == CW_RECONNECT_COUNT) {
        lua_pushboolean(L, 0);
        return 1;
    }
    if (lcw_to_ms(L, 3, &number)) {
        if (number >= 0 && !settings[i].is_time) {
            number /= 1000; /* it is a count, and no time */
            if (lua_tonumber(L, 3) != (lua_Number)number)
                number = -2;
        }
        if ((number != -1 || settings[i].may_be_none) &&
            cw_reconnect_set(rules, (cw_reconnect_setting)i, number) == CW_OK) {
            lua_pushboolean(L, 1);
            return 1;
        }
    }
    return luaL_error(L, "%s cannot be %s: it takes %s%s", name, lcw_push_shown(L, 3),
                      settings[i].is_time ? "a number of seconds, 0.001 to 2147483.647"
                                          : "a whole number of 1 or more",
                      settings[i].may_be_none ? ", or math.huge for no limit" : "");
}

/* rules:begin(now) returns the number of the attempt. */
static int rules_begin(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)cw_reconnect_attempt(check_rules(L), check_time_ms(L, 2)));
    return 1;
}

/* rules:opened(now) returns when the connection must be renewed, or math.huge. */
static int rules_opened(lua_State *L)
{
    int64_t renew_ms = cw_reconnect_opened(check_rules(L), check_time_ms(L, 2), cw_random_number());

    lua_pushnumber(L, renew_ms < 0 ? (lua_Number)HUGE_VAL : (lua_Number)renew_ms / 1000);
    return 1;
}

/* rules:ended(now) returns whether a new series begins. */
static int rules_ended(lua_State *L)
{
    lua_pushboolean(L, cw_reconnect_ended(check_rules(L), check_time_ms(L, 2)));
    return 1;
}

/* rules:next(now, given or nil, retry_after or nil) returns the delay; or nil and why there is none. */
static int rules_next(lua_State *L)
{
    cw_reconnect *rules = check_rules(L);
    int64_t now_ms = check_time_ms(L, 2);
    int64_t given_ms = lua_isnoneornil(L, 3) ? -1 : cw_ms_of_seconds(luaL_checknumber(L, 3));
    int64_t after_s = lua_isnoneornil(L, 4) ? -1 : (int64_t)luaL_checknumber(L, 4);
    int64_t delay_ms;
    char text[160];
    cw_reconnect_verdict verdict =
        cw_reconnect_next(rules, now_ms, cw_random_number(), given_ms, after_s, &delay_ms);

    if (verdict == CW_RECONNECT_AGAIN) {
        lua_pushnumber(L, (lua_Number)delay_ms / 1000);
        return 1;
    }
    cw_reconnect_explain(rules, verdict, text, sizeof text);
    lua_pushnil(L);
    lua_pushstring(L, text);
    return 2;
}

/* rules:renew() returns the delay after an end on purpose. */
static int rules_renew(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)cw_reconnect_renew(check_rules(L), cw_random_number()) / 1000);
    return 1;
}

/* rules:is_retried(close_code, http_status, web_status) */
static int rules_is_retried(lua_State *L)
{
    (void)check_rules(L);
    lua_pushboolean(L, cw_reconnect_is_retried((int)luaL_checkinteger(L, 2), (int)luaL_checkinteger(L, 3),
                                               (int)luaL_checkinteger(L, 4)));
    return 1;
}

/* rules:now() returns the time of the monotonic clock. */
static int rules_now(lua_State *L)
{
    (void)check_rules(L);
    lua_pushnumber(L, (lua_Number)cw_now_ms() / 1000);
    return 1;
}

/* rules:sleep(seconds) waits. Ctrl-C ends the wait. It takes from a mailbox that has no sockets. */
static int rules_sleep(lua_State *L)
{
    lcw_wait wait;
    cw_mailbox *mailbox;
    cw_event *event = NULL;
    cw_status status;

    (void)check_rules(L);
    status = cw_mailbox_create(&mailbox);
    if (status != CW_OK)
        return lcw_fail(L, NULL, status, 0);
    lcw_wait_begin(L, lcw_state_get(L), &wait);
    (void)cw_mailbox_take(mailbox, cw_ms_of_seconds(lua_tonumber(L, 2)), &event);
    cw_event_free(event);
    cw_mailbox_release(mailbox);
    lcw_wait_end(&wait);
    lua_pushboolean(L, 1);
    return 1;
}

/* rules:failure(name, message) returns an error object. */
static int rules_failure(lua_State *L)
{
    (void)check_rules(L);
    lcw_push_error(L, luaL_checkstring(L, 2), luaL_checkstring(L, 3));
    return 1;
}

void lcw_add_reconnect(lua_State *L)
{
    static const luaL_Reg methods[] = {{"begin", rules_begin},
                                       {"ended", rules_ended},
                                       {"failure", rules_failure},
                                       {"is_retried", rules_is_retried},
                                       {"next", rules_next},
                                       {"now", rules_now},
                                       {"opened", rules_opened},
                                       {"renew", rules_renew},
                                       {"set", rules_set},
                                       {"sleep", rules_sleep},
                                       {NULL, NULL}};

    luaL_newmetatable(L, LCW_RECONNECT);
    lua_pushcfunction(L, rules_gc);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    lcw_set_functions(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "protected");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

int lcw_reconnect_rules(lua_State *L)
{
    lcw_reconnect *r = lua_newuserdata(L, sizeof *r);
    cw_status status;

    r->rules = NULL;
    luaL_getmetatable(L, LCW_RECONNECT);
    lua_setmetatable(L, -2);
    status = cw_reconnect_create(&r->rules);
    return status == CW_OK ? 1 : lcw_fail(L, NULL, status, 0);
}

/* SPDX-License-Identifier: MIT */
/* Calls the handler on_server_custom_validation_requested, which may reject the server's certificate. lwebsocket.c calls
 * this file while connect waits for the answer, in the Lua thread that called connect. Nothing else of that Lua state runs
 * meanwhile. So a deferral must be complete when the handler returns; otherwise the certificate counts as rejected. */
#include "lcurlwire.h"

/* What the handler has said so far. The functions of the arguments and of the deferrals have it as upvalue 1. */
typedef struct question {
    bool is_rejected, is_answered;
    int deferral_count; /* those that are not complete */
} question;

static question *question_of(lua_State *L, const char *name)
{
    question *q = lua_touserdata(L, lua_upvalueindex(1));

    if (q->is_answered)
        (void)luaL_error(L, "%s() comes too late: call it before the handler of the certificate returns", name);
    return q;
}

static int reject(lua_State *L)
{
    question_of(L, "reject")->is_rejected = true;
    return 0;
}

/* Upvalue 2 says whether this deferral is complete. */
static int complete(lua_State *L)
{
    question *q;

    if (lua_toboolean(L, lua_upvalueindex(2)))
        return 0;
    q = question_of(L, "complete");
    lua_pushboolean(L, 1);
    lua_replace(L, lua_upvalueindex(2));
    q->deferral_count--;
    return 0;
}

static int get_deferral(lua_State *L)
{
    question *q = question_of(L, "get_deferral");

    lua_createtable(L, 0, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushboolean(L, 0);
    lua_pushcclosure(L, complete, 2);
    lua_setfield(L, -2, "complete");
    q->deferral_count++;
    return 1;
}

/* Copies the fields of information about the server's certificate to the arguments at index 6. */
static void push_certificates(lua_State *L)
{
    static const char *const keys[] = {"server_certificate", "server_intermediate_certificates",
                                       "server_certificate_errors", "server_certificate_error_severity"};

    lua_getfield(L, 1, "information");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        lua_getfield(L, -1, keys[i]);
        lua_setfield(L, 6, keys[i]);
    }
    lua_pop(L, 1);
}

/* Calls the handler, in a protected call. Argument 1 is the socket, argument 2 the question as light userdata, to which the
 * result is written. */
static int call(lua_State *L)
{
    question *result = lua_touserdata(L, 2), *q;

    lcw_get_uservalue(L, 1);
    lua_rawgeti(L, 3, LCW_SLOT_ON_VALIDATION);
    lua_pushvalue(L, 1);
    lua_createtable(L, 0, 6);
    q = lua_newuserdata(L, sizeof *q); /* 7 */
    *q = *result;
    lua_pushvalue(L, 7);
    lua_pushcclosure(L, reject, 1);
    lua_setfield(L, 6, "reject");
    lua_pushvalue(L, 7);
    lua_pushcclosure(L, get_deferral, 1);
    lua_setfield(L, 6, "get_deferral");
    push_certificates(L);
    lua_insert(L, 3); /* the question, below the handler and its arguments */
    lua_remove(L, 4);
    lua_call(L, 2, 0);
    q->is_answered = true;
    *result = *q;
    return 0;
}

bool lcw_answer_certificate(lua_State *L, lcw_socket *w, int socket_index)
{
    question q = {0};
    cw_answer answer = CW_ANSWER_NONE;
    int failure;

    lua_pushcfunction(L, call);
    lua_pushvalue(L, socket_index);
    lua_pushlightuserdata(L, &q);
    failure = lua_pcall(L, 2, 0, 0);
    if (failure == 0 && q.is_rejected)
        answer = CW_ANSWER_REJECT;
    else if (failure == 0 && q.deferral_count == 0)
        answer = CW_ANSWER_ACCEPT;
    (void)cw_socket_answer_certificate(w->s, answer);
    return failure == 0;
}

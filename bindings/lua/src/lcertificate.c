/* SPDX-License-Identifier: MIT */
/* Makes the tables of the server's certificates. linformation.c calls this file. */
#include <string.h>

#include "lcurlwire.h"

/* Pushes a certificate in DER. Returns false, with nothing pushed, if the server has not sent so many. */
static bool push_der(lua_State *L, lcw_socket *w, size_t number)
{
    size_t len_bytes = 0, again_bytes = 0;
    char *buffer;

    if (cw_socket_get_certificate(w->s, number, NULL, 0, &len_bytes) != CW_OK)
        (void)lcw_raise(L, NULL);
    if (len_bytes == 0)
        return false;
    buffer = lua_newuserdata(L, len_bytes);
    (void)cw_socket_get_certificate(w->s, number, buffer, len_bytes, &again_bytes);
    lua_pushlstring(L, buffer, len_bytes);
    lua_remove(L, -2);
    if (again_bytes !=
        len_bytes) /* another thread has begun a connect meanwhile, which forgets the certificates */
        lua_pop(L, 1);
    return again_bytes == len_bytes;
}

/* Pushes a fact about the certificate in the string at index, or nil if it is empty. */
static void push_fact(lua_State *L, int index, cw_certificate_fact fact)
{
    size_t der_bytes, len_bytes = 0;
    const char *der = lua_tolstring(L, index, &der_bytes);
    char *buffer;

    cw_certificate_get(der, der_bytes, fact, NULL, 0, &len_bytes);
    if (len_bytes == 0) {
        lua_pushnil(L);
        return;
    }
    buffer = lua_newuserdata(L, len_bytes + 1);
    cw_certificate_get(der, der_bytes, fact, buffer, len_bytes + 1, NULL);
    lua_pushlstring(L, buffer, len_bytes);
    lua_remove(L, -2);
}

/* Replaces a text of lines, or nil, by a list of the lines. */
static void split_lines(lua_State *L)
{
    const char *at = lua_tostring(L, -1);
    int place = 0;

    lua_newtable(L);
    while (at && *at) {
        size_t len = strcspn(at, "\n");
        lua_pushlstring(L, at, len);
        lua_rawseti(L, -2, ++place);
        at += len + (at[len] == '\n');
    }
    lua_remove(L, -2);
}

/* Replaces a certificate in DER by a table of its facts. */
static void make_table(lua_State *L)
{
    int fact, der = lua_gettop(L);

    lua_newtable(L);
    for (fact = 0; fact < CW_CERTIFICATE_FACT_COUNT; fact++) {
        push_fact(L, der, (cw_certificate_fact)fact);
        if (fact == CW_CERTIFICATE_SUBJECT_ALTERNATIVE_NAMES)
            split_lines(L);
        lua_setfield(L, der + 1, cw_certificate_key((cw_certificate_fact)fact));
    }
    lua_pushvalue(L, der);
    lua_setfield(L, der + 1, "der");
    lua_remove(L, der);
}

void lcw_push_certificate(lua_State *L, lcw_socket *w)
{
    if (push_der(L, w, 0))
        make_table(L);
    else
        lua_pushnil(L);
}

void lcw_push_intermediate_certificates(lua_State *L, lcw_socket *w)
{
    int place;

    lua_newtable(L);
    for (place = 1; push_der(L, w, (size_t)place); place++) {
        make_table(L);
        lua_rawseti(L, -2, place);
    }
}

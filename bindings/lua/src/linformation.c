/* SPDX-License-Identifier: MIT */
/* Implements ws.information: facts about the connection, which can only be read. Each access reads them from the core.
 * Scripts and lattribute.c call this file. */
#include <string.h>

#include "lcurlwire.h"

enum { TEXT_BYTES = 1024 };

bool lcw_is_of_parent(lcw_socket *w) { return cw_socket_get_info(w->s, CW_INFO_URI, NULL, 0, NULL) != CW_OK; }

/* Removes all values above base except the top one. */
static void keep_top(lua_State *L, int base)
{
    if (lua_gettop(L) > base + 1)
        lua_replace(L, base + 1);
    lua_settop(L, base + 1);
}

/* Pushes the text, which may be empty. Errors: raises an error in a child of fork(), where the core returns no text. */
static const char *push_text(lua_State *L, lcw_socket *w, cw_info info, size_t *len_bytes)
{
    char small[TEXT_BYTES];
    char *buffer = small;
    size_t size_bytes = sizeof small;
    int base = lua_gettop(L);
    cw_status status;

    while ((status = cw_socket_get_info(w->s, info, buffer, size_bytes, len_bytes)) == CW_OK &&
           *len_bytes >= size_bytes) {
        size_bytes = *len_bytes + 1;
        buffer = lua_newuserdata(L, size_bytes);
    }
    if (status != CW_OK)
        (void)lcw_raise(L, NULL);
    lua_pushlstring(L, buffer, *len_bytes);
    keep_top(L, base);
    return lua_tostring(L, -1);
}

void lcw_push_info(lua_State *L, lcw_socket *w, cw_info info)
{
    size_t len_bytes;

    (void)push_text(L, w, info, &len_bytes);
    if (len_bytes == 0) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
}

static void push_lower(lua_State *L, const char *text, size_t len_bytes)
{
    luaL_Buffer lower;
    size_t i;

    luaL_buffinit(L, &lower);
    for (i = 0; i < len_bytes; i++) {
        char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + ('a' - 'A')) : text[i];
        luaL_addlstring(&lower, &c, 1);
    }
    luaL_pushresult(&lower);
}

/* Adds one header to the table at index: as a pair {name, value} at `place`, and under its name in lower case. */
static void add_header(lua_State *L, int index, int place, const cw_header *header)
{
    lua_createtable(L, 2, 0);
    lua_pushlstring(L, header->name, header->name_len_bytes);
    lua_rawseti(L, -2, 1);
    lua_pushlstring(L, header->value, header->value_len_bytes);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, index, place);
    push_lower(L, header->name, header->name_len_bytes);
    lua_pushvalue(L, -1);
    lua_rawget(L, index);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, header->value, header->value_len_bytes);
    } else {
        lua_pushliteral(L, ", ");
        lua_pushlstring(L, header->value, header->value_len_bytes);
        lua_concat(L, 3);
    }
    lua_rawset(L, index);
}

void lcw_push_response_headers(lua_State *L, lcw_socket *w)
{
    int base = lua_gettop(L);
    size_t len_bytes, at_bytes = 0;
    const char *lines = push_text(L, w, CW_INFO_RESPONSE_HEADERS, &len_bytes);
    int index, place = 0;
    cw_header header;

    if (len_bytes == 0) {
        lua_pop(L, 1);
        lua_pushnil(L);
        return;
    }
    lua_newtable(L);
    index = lua_gettop(L);
    while (cw_header_next(lines, len_bytes, &at_bytes, &header))
        add_header(L, index, ++place, &header);
    keep_top(L, base);
}

void lcw_push_bandwidth(lua_State *L, lcw_socket *w)
{
    cw_bandwidth_statistics b;

    if (cw_socket_get_bandwidth_statistics(w->s, &b) != CW_OK)
        (void)lcw_raise(L, NULL);
    lua_newtable(L);
    lcw_push_count(L, b.outbound_bits_per_second);
    lua_setfield(L, -2, "outbound_bits_per_second");
    lcw_push_count(L, b.inbound_bits_per_second);
    lua_setfield(L, -2, "inbound_bits_per_second");
    lcw_push_count(L, b.outbound_bits_per_second_instability);
    lua_setfield(L, -2, "outbound_bits_per_second_instability");
    lcw_push_count(L, b.inbound_bits_per_second_instability);
    lua_setfield(L, -2, "inbound_bits_per_second_instability");
    lua_pushboolean(L, b.outbound_bandwidth_peaked);
    lua_setfield(L, -2, "outbound_bandwidth_peaked");
    lua_pushboolean(L, b.inbound_bandwidth_peaked);
    lua_setfield(L, -2, "inbound_bandwidth_peaked");
}

static void set_seconds(lua_State *L, const char *key, int64_t us)
{
    if (us == CW_TIMING_NONE)
        return;
    lua_pushnumber(L, (lua_Number)us / 1000000);
    lua_setfield(L, -2, key);
}

static void push_timings(lua_State *L, lcw_socket *w)
{
    cw_timings t;

    if (cw_socket_get_timings(w->s, &t) != CW_OK)
        (void)lcw_raise(L, NULL);
    lua_newtable(L);
    set_seconds(L, "look_up", t.look_up_us);
    set_seconds(L, "tcp", t.tcp_us);
    set_seconds(L, "proxy", t.proxy_us);
    set_seconds(L, "tls", t.tls_us);
    set_seconds(L, "upgrade", t.upgrade_us);
    set_seconds(L, "total", t.total_us);
}

static void push_latency(lua_State *L, lcw_socket *w)
{
    cw_latency l;

    if (cw_socket_get_latency(w->s, &l) != CW_OK)
        (void)lcw_raise(L, NULL);
    lua_newtable(L);
    set_seconds(L, "last", l.last_us);
    set_seconds(L, "minimum", l.minimum_us);
    set_seconds(L, "mean", l.mean_us);
    set_seconds(L, "p99", l.p99_us);
}

void lcw_push_buffered_amount(lua_State *L, lcw_socket *w)
{
    size_t len_bytes;

    if (cw_socket_get_buffered_amount(w->s, &len_bytes) != CW_OK)
        (void)lcw_raise(L, NULL);
    lua_pushinteger(L, (lua_Integer)len_bytes);
}

static void push_tls(lua_State *L, lcw_socket *w)
{
    size_t len_bytes;

    (void)push_text(L, w, CW_INFO_TLS_VERSION, &len_bytes);
    if (len_bytes == 0) {
        lua_pop(L, 1);
        lua_pushnil(L);
        return;
    }
    lua_newtable(L);
    lua_insert(L, -2);
    lua_setfield(L, -2, "version");
    lcw_push_info(L, w, CW_INFO_TLS_CIPHER);
    lua_setfield(L, -2, "cipher");
    lcw_push_info(L, w, CW_INFO_TLS_ALPN);
    lua_setfield(L, -2, "alpn");
    lcw_push_info(L, w, CW_INFO_AUTHORITIES);
    lua_setfield(L, -2, "authorities");
    lua_pushboolean(L, strcmp(push_text(L, w, CW_INFO_TLS_RESUMED, &len_bytes), "yes") == 0);
    lua_remove(L, -2);
    lua_setfield(L, -2, "is_resumed");
}

static void push_COUNT(lua_State *L, uint64_t number, bool is_known)
{
    (void)is_known;
    lcw_push_count(L, number);
}

static void push_BYTES(lua_State *L, uint64_t number, bool is_known) { push_COUNT(L, number, is_known); }

/* A time in seconds; nil if nothing has been measured. */
static void push_US(lua_State *L, uint64_t number, bool is_known)
{
    if (is_known)
        lua_pushnumber(L, (lua_Number)number / 1e6);
    else
        lua_pushnil(L);
}

enum { IS_SUM_NOW, IS_SUM_LAST = 0, IS_SUM_LEAST = 0, IS_SUM_MOST = 0, IS_SUM_MEAN = 0, IS_SUM_TOTAL };

/* Pushes a table of the numbers. */
static void push_numbers(lua_State *L, const cw_statistics *n)
{
    lua_newtable(L);
#define CW_X(member, key, kind, unit, text)                         \
    push_##unit(L, n->member, IS_SUM_##kind || n->round_trips > 0); \
    lua_setfield(L, -2, key);
    CW_STATISTICS_LIST(CW_X)
#undef CW_X
}

static void push_statistics(lua_State *L, lcw_socket *w)
{
    cw_statistics n = {.size_bytes = sizeof n};

    if (cw_socket_get_statistics(w->s, &n) != CW_OK)
        (void)lcw_raise(L, NULL);
    push_numbers(L, &n);
}

/* statistics(): returns a table of what curlwire has counted in this process. */
int lcw_statistics(lua_State *L)
{
    cw_statistics n = {.size_bytes = sizeof n};
    uint64_t count;
    int number;

    (void)cw_get_statistics(&n);
    push_numbers(L, &n);
    lua_newtable(L);
    for (number = -1; cw_count_closed_next(&number, &count);) {
        lcw_push_count(L, count);
        lua_rawseti(L, -2, number);
    }
    lua_setfield(L, -2, "closed");
    lua_newtable(L);
    for (number = -1; cw_count_failed_next(&number, &count);) {
        lcw_push_count(L, count);
        lua_setfield(L, -2, cw_web_status_name(number));
    }
    lua_setfield(L, -2, "failed");
    return 1;
}

void lcw_push_list(lua_State *L, const char *text)
{
    int count = 0;

    lua_newtable(L);
    while (*text != '\0') {
        size_t len = strcspn(text, ",");
        lua_pushlstring(L, text, len);
        lua_rawseti(L, -2, ++count);
        text += len;
        text += strspn(text, ", ");
    }
}

/* Pushes the list of what was wrong with the server's certificate. */
static void push_certificate_errors(lua_State *L, lcw_socket *w)
{
    const char *names;

    lcw_push_info(L, w, CW_INFO_SERVER_CERTIFICATE_ERRORS);
    names = lua_tostring(L, -1);
    lcw_push_list(L, names ? names : "");
    lua_remove(L, -2);
}

static void push_state(lua_State *L, lcw_socket *w) { lua_pushstring(L, cw_state_text(cw_socket_state(w->s))); }

int lcw_information_index(lua_State *L)
{
    static const struct {
        const char *key;
        cw_info info;
    } texts[] = {{"uri", CW_INFO_URI},
                 {"effective_uri", CW_INFO_EFFECTIVE_URI},
                 {"protocol", CW_INFO_PROTOCOL},
                 {"extensions", CW_INFO_EXTENSIONS},
                 {"local_address", CW_INFO_LOCAL_ADDRESS},
                 {"remote_address", CW_INFO_REMOTE_ADDRESS},
                 {"framing", CW_INFO_FRAMING},
                 {"authorities", CW_INFO_AUTHORITIES},
                 {"server_certificate_error_severity", CW_INFO_SERVER_CERTIFICATE_ERROR_SEVERITY}};
    static const struct {
        const char *key;
        void (*push)(lua_State *L, lcw_socket *w);
    } others[] = {{"response_headers", lcw_push_response_headers},
                  {"bandwidth_statistics", lcw_push_bandwidth},
                  {"statistics", push_statistics},
                  {"latency", push_latency},
                  {"server_certificate", lcw_push_certificate},
                  {"server_intermediate_certificates", lcw_push_intermediate_certificates},
                  {"server_certificate_errors", push_certificate_errors},
                  {"tls", push_tls},
                  {"timings", push_timings},
                  {"state", push_state}};
    lcw_view *view = luaL_checkudata(L, 1, LCW_INFORMATION);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    size_t i;

    if (view->w->s == NULL)
        return luaL_error(L, "the socket has been collected: keep a reference to it as long as you use it");
    for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(texts[i].key, key) == 0) {
            lcw_push_info(L, view->w, texts[i].info);
            return 1;
        }
    }
    for (i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(others[i].key, key) == 0) {
            others[i].push(L, view->w);
            return 1;
        }
    }
    return luaL_error(L,
                      "information has no %s: it has uri, effective_uri, protocol, extensions, local_address, "
                      "remote_address, framing, authorities, response_headers, bandwidth_statistics, "
                      "statistics, latency, tls, timings, "
                      "state, server_certificate, server_intermediate_certificates, server_certificate_errors, "
                      "server_certificate_error_severity",
                      lcw_push_shown(L, 2));
}

int lcw_information_newindex(lua_State *L)
{
    return luaL_error(L, "information can only be read: settings are in control");
}

int lcw_information_tostring(lua_State *L)
{
    lcw_view *view = luaL_checkudata(L, 1, LCW_INFORMATION);

    lua_pushfstring(L, "curlwire.Information (%p)", (void *)view->w);
    return 1;
}

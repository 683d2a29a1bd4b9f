/* SPDX-License-Identifier: MIT */
/* Makes the module curlwire.core: luaopen, and the tables of its functions and types. require "curlwire" loads it. */
#include "lcurlwire.h"

/* Exports luaopen_curlwire_core, which Lua looks up. CW_API does not export it: CW_API hides functions if the core is
 * embedded. */
#if defined(__GNUC__)
#define LCW_EXPORT __attribute__((visibility("default")))
#else
#define LCW_EXPORT
#endif

LCW_EXPORT int luaopen_curlwire_core(lua_State *L);

static void push_features(lua_State *L)
{
    const char *name;
    size_t i;

    lua_newtable(L);
    for (i = 0; (name = cw_build_feature(i)) != NULL; i++) {
        lua_pushstring(L, name);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

/* build_info(): returns a table of the facts about this build. A fact that there is not is nil. */
static int build_info(lua_State *L)
{
    int i;

    lua_newtable(L);
    for (i = 0; i < CW_BUILD_COUNT; i++) {
        char text[2048] = "";

        if (i == CW_BUILD_FEATURES)
            push_features(L);
        else if (cw_build_get((cw_build)i, text, sizeof text, NULL) == CW_OK && text[0] != '\0')
            lua_pushstring(L, text);
        else
            lua_pushnil(L);
        lua_setfield(L, -2, cw_build_key((cw_build)i));
    }
    return 1;
}

static const luaL_Reg module_functions[] = {{"MessageWebSocket", lcw_message_websocket},
                                            {"StreamWebSocket", lcw_stream_websocket},
                                            {"build_info", build_info},
                                            {"connect", lcw_connect_function},
                                            {"dispatch", lcw_dispatch},
                                            {"fd", lcw_fd},
                                            {"get_status", lcw_get_status},
                                            {"run", lcw_run},
                                            {NULL, NULL}};

static const luaL_Reg socket_methods[] = {{"abort", lcw_websocket_abort},
                                          {"add_request_header", lcw_websocket_add_request_header},
                                          {"batch", lcw_websocket_batch},
                                          {"close", lcw_websocket_close},
                                          {"connect", lcw_websocket_connect},
                                          {"flush", lcw_websocket_flush},
                                          {"ping", lcw_websocket_ping},
                                          {"set_request_header", lcw_websocket_set_request_header},
                                          {"wait_closed", lcw_websocket_wait_closed},
                                          {NULL, NULL}};

static const luaL_Reg message_methods[] = {{"messages", lcw_websocket_messages},
                                           {"receive", lcw_websocket_receive},
                                           {"receive_json", lcw_websocket_receive_json},
                                           {"send", lcw_websocket_send},
                                           {"send_json", lcw_websocket_send_json},
                                           {"send_many", lcw_websocket_send_many},
                                           {"send_final_frame", lcw_websocket_send_final_frame},
                                           {"send_nonfinal_frame", lcw_websocket_send_nonfinal_frame},
                                           {NULL, NULL}};

static const luaL_Reg socket_metamethods[] = {{"__close", lcw_websocket_scope_end},
                                              {"__gc", lcw_websocket_gc},
                                              {"__tostring", lcw_websocket_tostring},
                                              {NULL, NULL}};

static const luaL_Reg output_methods[] = {{"close", lcw_output_close},
                                          {"flush", lcw_output_flush},
                                          {"setvbuf", lcw_output_setvbuf},
                                          {"write", lcw_output_write},
                                          {NULL, NULL}};

static const luaL_Reg output_metamethods[] = {{"__tostring", lcw_output_tostring}, {NULL, NULL}};

static const luaL_Reg input_methods[] = {
    {"close", lcw_input_close}, {"lines", lcw_input_lines}, {"read", lcw_input_read}, {NULL, NULL}};

static const luaL_Reg input_metamethods[] = {
    {"__gc", lcw_input_gc}, {"__tostring", lcw_input_tostring}, {NULL, NULL}};

static const luaL_Reg control_metamethods[] = {{"__index", lcw_control_index},
                                               {"__newindex", lcw_control_newindex},
                                               {"__tostring", lcw_control_tostring},
                                               {NULL, NULL}};

static const luaL_Reg information_metamethods[] = {{"__index", lcw_information_index},
                                                   {"__newindex", lcw_information_newindex},
                                                   {"__tostring", lcw_information_tostring},
                                                   {NULL, NULL}};

static const luaL_Reg error_metamethods[] = {{"__tostring", lcw_error_tostring}, {NULL, NULL}};

static const luaL_Reg state_metamethods[] = {{"__gc", lcw_state_gc}, {NULL, NULL}};

/* Pushes a new metatable. getmetatable does not return it, so scripts cannot call __gc. */
static void new_type(lua_State *L, const char *type_name, const luaL_Reg *metamethods)
{
    luaL_newmetatable(L, type_name);
    lcw_set_functions(L, metamethods);
    lua_pushstring(L, type_name);
    lua_setfield(L, -2, "__name");
    lua_pushliteral(L, "protected");
    lua_setfield(L, -2, "__metatable");
}

/* Pushes the names of functions, joined by ", ". */
static void push_names(lua_State *L, const luaL_Reg *functions)
{
    luaL_Buffer names;
    const luaL_Reg *f;

    luaL_buffinit(L, &names);
    for (f = functions; f->name != NULL; f++) {
        luaL_addstring(&names, f == functions ? "" : ", ");
        luaL_addstring(&names, f->name);
    }
    luaL_pushresult(&names);
}

/* Makes a type. methods is the table for __index; NULL if metamethods has an __index. */
static void add_type(lua_State *L, const char *type_name, const luaL_Reg *metamethods, const luaL_Reg *methods)
{
    new_type(L, type_name, metamethods);
    if (methods != NULL) {
        lua_newtable(L);
        lcw_set_functions(L, methods);
        lua_pushstring(L, type_name);
        push_names(L, methods);
        lua_pushcclosure(L, lcw_method_index, 3);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

/* Pushes the names of all methods and fields of a socket. */
static void push_member_names(lua_State *L, const luaL_Reg *methods)
{
    push_names(L, socket_methods);
    lua_pushliteral(L, ", ");
    if (methods != NULL) {
        push_names(L, methods);
        lua_pushliteral(L, ", ");
        lua_concat(L, 4);
    } else {
        lua_concat(L, 2);
    }
    lcw_push_field_names(L);
    lua_concat(L, 2);
}

static void add_socket_type(lua_State *L, const char *type_name, const luaL_Reg *methods)
{
    new_type(L, type_name, socket_metamethods);
    lua_newtable(L);
    lcw_set_functions(L, socket_methods);
    if (methods != NULL)
        lcw_set_functions(L, methods);
    lua_pushstring(L, type_name);
    push_member_names(L, methods);
    lua_newtable(L);
    lcw_set_functions(L, message_methods);
    lua_pushcclosure(L, lcw_websocket_index, 4);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, lcw_websocket_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pop(L, 1);
}

int luaopen_curlwire_core(lua_State *L)
{
    lcw_state *state;

    add_type(L, LCW_STATE, state_metamethods, NULL);
    add_type(L, LCW_ERROR, error_metamethods, NULL);
    add_type(L, LCW_CONTROL, control_metamethods, NULL);
    add_type(L, LCW_INFORMATION, information_metamethods, NULL);
    add_type(L, LCW_OUTPUT_STREAM, output_metamethods, output_methods);
    add_type(L, LCW_INPUT_STREAM, input_metamethods, input_methods);
    add_socket_type(L, LCW_MESSAGE_WEBSOCKET, message_methods);
    add_socket_type(L, LCW_STREAM_WEBSOCKET, NULL);
    /* call this after the types are made: the iterator of messages keeps a metatable */
    state = lcw_state_open(L);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    state->module_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lcw_set_functions(L, module_functions);
    lcw_push_web_status_table(L);
    lua_setfield(L, -2, "WebErrorStatus");
    lua_pushstring(L, cw_version());
    lua_setfield(L, -2, "_VERSION");
    lua_pushstring(L, cw_libcurl_version());
    lua_setfield(L, -2, "libcurl_version");
    return 1;
}

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

static const luaL_Reg module_functions[] = {{"CookieJar", lcw_cookie_jar},
                                            {"MessageWebSocket", lcw_message_websocket},
                                            {"StreamWebSocket", lcw_stream_websocket},
                                            {"DataWriter", lcw_data_writer},
                                            {"build_info", build_info},
                                            {"connect", lcw_connect_function},
                                            {"dispatch", lcw_dispatch},
                                            {"fd", lcw_fd},
                                            {"get_status", lcw_get_status},
                                            {"run", lcw_run},
                                            {"statistics", lcw_statistics},
                                            {NULL, NULL}};

static const luaL_Reg socket_methods[] = {{"abort", lcw_websocket_abort},
                                          {"add_request_header", lcw_websocket_add_request_header},
                                          {"batch", lcw_websocket_batch},
                                          {"close", lcw_websocket_close},
                                          {"connect", lcw_websocket_connect},
                                          {"dispatch", lcw_websocket_dispatch},
                                          {"fileno", lcw_websocket_fileno},
                                          {"flush", lcw_websocket_flush},
                                          {"ping", lcw_websocket_ping},
                                          {"set_connected_socket", lcw_websocket_set_connected_socket},
                                          {"set_request_header", lcw_websocket_set_request_header},
                                          {"wait_closed", lcw_websocket_wait_closed},
                                          {NULL, NULL}};

static const luaL_Reg message_methods[] = {{"messages", lcw_websocket_messages},
                                           {"receive", lcw_websocket_receive},
                                           {"receive_json", lcw_websocket_receive_json},
                                           {"receive_stream", lcw_websocket_receive_stream},
                                           {"send", lcw_websocket_send},
                                           {"send_json", lcw_websocket_send_json},
                                           {"send_many", lcw_websocket_send_many},
                                           {"send_final_frame", lcw_websocket_send_final_frame},
                                           {"send_nonfinal_frame", lcw_websocket_send_nonfinal_frame},
                                           {"try_send", lcw_websocket_try_send},
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

static const luaL_Reg reader_methods[] = {{"close", lcw_data_close},
                                          {"detach_buffer", lcw_data_detach_buffer},
                                          {"detach_stream", lcw_data_detach_stream},
                                          {"load", lcw_data_load},
                                          {"read_boolean", lcw_data_read_boolean},
                                          {"read_byte", lcw_data_read_byte},
                                          {"read_bytes", lcw_data_read_bytes},
                                          {"read_date_time", lcw_data_read_date_time},
                                          {"read_double", lcw_data_read_double},
                                          {"read_guid", lcw_data_read_guid},
                                          {"read_int16", lcw_data_read_int16},
                                          {"read_int32", lcw_data_read_int32},
                                          {"read_int64", lcw_data_read_int64},
                                          {"read_single", lcw_data_read_single},
                                          {"read_string", lcw_data_read_string},
                                          {"read_time_span", lcw_data_read_time_span},
                                          {"read_uint16", lcw_data_read_uint16},
                                          {"read_uint32", lcw_data_read_uint32},
                                          {"read_uint64", lcw_data_read_uint64},
                                          {NULL, NULL}};

static const luaL_Reg writer_methods[] = {{"close", lcw_data_close},
                                          {"detach_buffer", lcw_data_detach_buffer},
                                          {"detach_stream", lcw_data_detach_stream},
                                          {"flush", lcw_data_flush},
                                          {"measure_string", lcw_data_measure_string},
                                          {"store", lcw_data_store},
                                          {"write_boolean", lcw_data_write_boolean},
                                          {"write_byte", lcw_data_write_byte},
                                          {"write_bytes", lcw_data_write_bytes},
                                          {"write_date_time", lcw_data_write_date_time},
                                          {"write_double", lcw_data_write_double},
                                          {"write_guid", lcw_data_write_guid},
                                          {"write_int16", lcw_data_write_int16},
                                          {"write_int32", lcw_data_write_int32},
                                          {"write_int64", lcw_data_write_int64},
                                          {"write_single", lcw_data_write_single},
                                          {"write_string", lcw_data_write_string},
                                          {"write_time_span", lcw_data_write_time_span},
                                          {"write_uint16", lcw_data_write_uint16},
                                          {"write_uint32", lcw_data_write_uint32},
                                          {"write_uint64", lcw_data_write_uint64},
                                          {NULL, NULL}};

static const luaL_Reg data_metamethods[] = {{"__close", lcw_data_close},
                                            {"__gc", lcw_data_gc},
                                            {"__newindex", lcw_data_newindex},
                                            {"__tostring", lcw_data_tostring},
                                            {NULL, NULL}};

static const luaL_Reg args_methods[] = {
    {"get_data_reader", lcw_args_get_data_reader}, {"get_data_stream", lcw_args_get_data_stream}, {NULL, NULL}};

static const luaL_Reg jar_methods[] = {{"clear", lcw_cookie_jar_clear},
                                       {"clear_session_cookies", lcw_cookie_jar_clear_session},
                                       {"cookies", lcw_cookie_jar_cookies},
                                       {"load", lcw_cookie_jar_load},
                                       {"save", lcw_cookie_jar_save},
                                       {"set", lcw_cookie_jar_set},
                                       {NULL, NULL}};

static const luaL_Reg jar_metamethods[] = {{"__eq", lcw_cookie_jar_eq},
                                           {"__gc", lcw_cookie_jar_gc},
                                           {"__len", lcw_cookie_jar_len},
                                           {"__tostring", lcw_cookie_jar_tostring},
                                           {NULL, NULL}};

static const luaL_Reg no_metamethods[] = {{NULL, NULL}};

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
        lua_pushnil(L);
        lua_pushnil(L);
        lua_pushcclosure(L, lcw_method_index, 5);
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
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushcclosure(L, lcw_websocket_index, 6);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, lcw_websocket_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pop(L, 1);
}

static void add_data_type(lua_State *L, const char *type_name, const luaL_Reg *methods)
{
    new_type(L, type_name, data_metamethods);
    lua_newtable(L);
    lcw_set_functions(L, methods);
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushcclosure(L, lcw_data_index, 3);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* Pushes the table curlwire.DataReader, which can be called as a function. */
static void push_data_reader(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, lcw_data_reader_from_buffer);
    lua_setfield(L, -2, "from_buffer");
    lua_newtable(L);
    lua_pushcfunction(L, lcw_data_reader);
    lua_setfield(L, -2, "__call");
    lua_setmetatable(L, -2);
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
    add_type(L, LCW_COOKIE_JAR, jar_metamethods, jar_methods);
    add_type(L, LCW_MESSAGE_ARGS, no_metamethods, args_methods);
    add_data_type(L, LCW_DATA_READER, reader_methods);
    add_data_type(L, LCW_DATA_WRITER, writer_methods);
    add_socket_type(L, LCW_MESSAGE_WEBSOCKET, message_methods);
    add_socket_type(L, LCW_STREAM_WEBSOCKET, NULL);
    lcw_add_reconnect(L);
    /* call this after the types are made: the iterator of messages keeps a metatable */
    state = lcw_state_open(L);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    state->module_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lcw_set_functions(L, module_functions);
    lcw_push_tasks(L);
    lua_setfield(L, -2, "_tasks"); /* init.lua takes it out */
    push_data_reader(L);
    lua_setfield(L, -2, "DataReader");
    lcw_push_web_status_table(L);
    lua_setfield(L, -2, "WebErrorStatus");
    lua_pushcfunction(L, lcw_reconnect_rules);
    lua_setfield(L, -2, "_reconnect");
    lua_pushstring(L, cw_version());
    lua_setfield(L, -2, "_VERSION");
    lua_pushstring(L, cw_libcurl_version());
    lua_setfield(L, -2, "libcurl_version");
    return 1;
}

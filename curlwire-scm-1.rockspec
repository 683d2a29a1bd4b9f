-- SPDX-License-Identifier: MIT
package = "curlwire"
version = "scm-1"
source = {
    url = "git+file://.",
}
description = {
    summary = "WebSocket clients over libcurl, with callbacks and file-like streams",
    detailed = [[
MessageWebSocket and StreamWebSocket over ws and wss. libcurl makes the connections. A background thread of the
library does the I/O, the timers, the pongs and the closing handshake. So a busy script keeps its connections.]],
    license = "MIT",
}
dependencies = {
    "lua >= 5.1, < 5.5", -- the tests run with 5.1 to 5.4 and LuaJIT; compat.h rejects the others too
}
-- The Makefile builds libcurl, and the module that contains it. It needs a C compiler and the headers of OpenSSL and zlib.
build = {
    type = "make",
    build_target = "lua",
    install_target = "install-rock",
    variables = {
        CFLAGS = "$(CFLAGS)",
        LUA_INCDIR = "$(LUA_INCDIR)",
        ROCK_LUADIR = "$(LUADIR)",
        ROCK_LIBDIR = "$(LIBDIR)",
    },
}

-- SPDX-License-Identifier: MIT
package = "curlwire"
version = "scm-1"
source = {
    url = "git+file://.",
}
description = {
    summary = "WebSocket clients over libcurl, with callbacks and file-like streams",
    detailed = [[
MessageWebSocket and StreamWebSocket over ws and wss. libcurl makes the connections; a thread of the library does
the I/O, the timers, the pongs and the closing handshake, so that a script which computes keeps its connections.]],
    license = "MIT",
}
dependencies = {
    "lua >= 5.1, < 5.5",
}
-- The library alone is looked for: it comes with the headers, and Debian keeps those where LuaRocks 3.8 does not
-- look but the compiler does. Elsewhere: luarocks make CURL_DIR=/where/it/is.
external_dependencies = {
    CURL = {
        library = "curl",
    },
}
build = {
    type = "builtin",
    modules = {
        curlwire = "bindings/lua/curlwire/init.lua",
        ["curlwire.annotations"] = "bindings/lua/curlwire/annotations.lua",
        ["curlwire.core"] = {
            sources = {
                "bindings/lua/src/lattribute.c",
                "bindings/lua/src/lcontrol.c",
                "bindings/lua/src/lcurlwire.c",
                "bindings/lua/src/levents.c",
                "bindings/lua/src/linformation.c",
                "bindings/lua/src/linput.c",
                "bindings/lua/src/lmessage.c",
                "bindings/lua/src/lresult.c",
                "bindings/lua/src/lstream.c",
                "bindings/lua/src/lwait.c",
                "bindings/lua/src/lwebsocket.c",
                "core/src/alloc.c",
                "core/src/close.c",
                "core/src/closing.c",
                "core/src/codec_curl.c",
                "core/src/codec_native.c",
                "core/src/compressing.c",
                "core/src/connect.c",
                "core/src/deflate.c",
                "core/src/event.c",
                "core/src/extension.c",
                "core/src/failure.c",
                "core/src/frame.c",
                "core/src/handshake.c",
                "core/src/headers.c",
                "core/src/inbound.c",
                "core/src/libcurl.c",
                "core/src/link.c",
                "core/src/mailbox.c",
                "core/src/message.c",
                "core/src/outbound.c",
                "core/src/ping.c",
                "core/src/poller_epoll.c",
                "core/src/poller_kqueue.c",
                "core/src/poller_poll.c",
                "core/src/pool.c",
                "core/src/proxy.c",
                "core/src/race.c",
                "core/src/random.c",
                "core/src/reply.c",
                "core/src/sending.c",
                "core/src/service.c",
                "core/src/settings.c",
                "core/src/sha1.c",
                "core/src/socket.c",
                "core/src/status.c",
                "core/src/timer.c",
                "core/src/uri.c",
                "core/src/utf8.c",
                "core/src/wait.c",
                "core/src/wake.c",
            },
            defines = {"_GNU_SOURCE", "CW_EMBEDDED"}, -- the latter: the module exports luaopen alone
            incdirs = {"core/include", "$(CURL_INCDIR)"},
            libdirs = {"$(CURL_LIBDIR)"},
            libraries = {"curl", "z", "pthread"},
        },
    },
}

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
-- LuaRocks looks for the library only, not for the header. Debian has the header in a folder where the compiler looks
-- but LuaRocks 3.8 does not. If libcurl is in another place: luarocks make CURL_DIR=/where/it/is.
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
                "bindings/lua/src/largument.c",
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
                "core/src/base/alloc.c",
                "core/src/base/event.c",
                "core/src/base/process.c",
                "core/src/base/random.c",
                "core/src/base/sha1.c",
                "core/src/base/spare.c",
                "core/src/base/status.c",
                "core/src/protocol/close.c",
                "core/src/protocol/deflate.c",
                "core/src/protocol/extension.c",
                "core/src/protocol/frame.c",
                "core/src/protocol/headers.c",
                "core/src/protocol/idn.c",
                "core/src/protocol/idn_table.c",
                "core/src/protocol/message.c",
                "core/src/protocol/punycode.c",
                "core/src/protocol/reply.c",
                "core/src/protocol/tokens.c",
                "core/src/protocol/uri.c",
                "core/src/protocol/utf8.c",
                "core/src/engine/mailbox.c",
                "core/src/engine/poller_epoll.c",
                "core/src/engine/poller_kqueue.c",
                "core/src/engine/poller_poll.c",
                "core/src/engine/service.c",
                "core/src/engine/timer.c",
                "core/src/engine/wait.c",
                "core/src/engine/wake.c",
                "core/src/transport/authorities.c",
                "core/src/transport/await.c",
                "core/src/transport/build_info.c",
                "core/src/transport/codec_curl.c",
                "core/src/transport/codec_native.c",
                "core/src/transport/failure.c",
                "core/src/transport/handshake.c",
                "core/src/transport/libcurl.c",
                "core/src/transport/link.c",
                "core/src/transport/pool.c",
                "core/src/transport/proxy.c",
                "core/src/transport/race.c",
                "core/src/transport/trust.c",
                "core/src/transport/verdict.c",
                "core/src/socket/closing.c",
                "core/src/socket/closing_calls.c",
                "core/src/socket/compressing.c",
                "core/src/socket/connect.c",
                "core/src/socket/inbound.c",
                "core/src/socket/life.c",
                "core/src/socket/outbound.c",
                "core/src/socket/ping.c",
                "core/src/socket/pong.c",
                "core/src/socket/queue.c",
                "core/src/socket/receiving.c",
                "core/src/socket/sending.c",
                "core/src/socket/settings.c",
                "core/src/socket/socket.c",
                "core/src/socket/state.c",
            },
            defines = {"_GNU_SOURCE", "CW_EMBEDDED"}, -- CW_EMBEDDED hides the core: only luaopen is exported
            incdirs = {"core/include", "$(CURL_INCDIR)"},
            libdirs = {"$(CURL_LIBDIR)"},
            libraries = {"curl", "z", "pthread"},
        },
    },
}

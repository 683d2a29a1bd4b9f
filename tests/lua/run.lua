-- SPDX-License-Identifier: MIT
-- Runs the Lua suite. It needs the servers of tests/servers/run.py, and curlwire on LUA_PATH and LUA_CPATH:
--
--     lua5.4 tests/lua/run.lua [--match PATTERN] [FILE...]
--
-- Without files it runs all of them. The exit status is 0 only if each case passed.

local here = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local harness = require "harness"

local files, pattern = {}, nil
local i = 1
while arg[i] do
    if arg[i] == "--match" then
        pattern = arg[i + 1]
        i = i + 1
    else
        files[#files + 1] = arg[i]
    end
    i = i + 1
end
if #files == 0 then
    for _, name in ipairs {
        "harness", "messages", "sending", "handlers", "validation", "streams", "message_stream", "closing", "control",
        "errors", "tls", "tls_options", "bad_input", "peers", "compression", "lua", "states", "fork", "interrupt",
        "handshake_vectors", "security", "ends", "cases", "delivery", "data", "cookies", "bad_controls", "login",
        "redirects", "refusals", "proxies", "reaching", "statistics", "tracing", "backpressure", "tasks", "loops",
        "reconnecting",
    } do
        files[#files + 1] = ("%s/test_%s.lua"):format(here, name)
    end
end
for _, file in ipairs(files) do
    dofile(file)
end
os.exit(harness.run(pattern) and 0 or 1, true) -- Lua 5.2 and later close the state first, which leak checkers need

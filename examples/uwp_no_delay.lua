-- SPDX-License-Identifier: MIT
-- Turns Nagle's algorithm on before connecting, and writes to the stream: uwp_no_delay.lua [URI]
local curlwire = require "curlwire"

local URI = arg[1] or "ws://localhost:8765/"

local function check(result, message)
    if not result then
        io.stderr:write("uwp_no_delay.lua: ", message, "\n")
        os.exit(1)
    end
end

local ws = curlwire.StreamWebSocket()
ws.control.no_delay = false
check(ws:connect(URI))
print("writing: small")
check(ws.output_stream:write("small"))
if not pcall(function() ws.control.no_delay = true end) then
    print("no_delay cannot change after connecting")
end
ws:close()

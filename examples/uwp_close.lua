-- SPDX-License-Identifier: MIT
-- Closes a connection with a code and a reason: uwp_close.lua [URI]
local curlwire = require "curlwire"

local URI = arg[1] or "ws://localhost:8765/"

local function on_closed(_, args)
    print("closed: " .. args.code)
end

local ws = curlwire.MessageWebSocket()
ws.on_closed = on_closed
local is_connected, message = ws:connect(URI)
if not is_connected then
    io.stderr:write("uwp_close.lua: ", tostring(message), "\n")
    os.exit(1)
end
print("closing: 1000")
ws:close(1000, "")
curlwire.run() -- until the server has answered, or close_timeout is over

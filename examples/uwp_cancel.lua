-- SPDX-License-Identifier: MIT
-- Gives a connect a limit of 5 s: uwp_cancel.lua [URI [SECONDS]]
-- The limit belongs to the call. It does nothing to a connection that is open when the time is over.
local curlwire = require "curlwire"

local URI = arg[1] or "ws://localhost:8765/"
local SECONDS = tonumber(arg[2]) or 5.0

local function check(result, message, err)
    if not result and curlwire.get_status(err) == curlwire.WebErrorStatus.Timeout then
        print(("gave up after %g s"):format(SECONDS))
        os.exit(1)
    elseif not result then
        io.stderr:write("uwp_cancel.lua: ", message, "\n")
        os.exit(1)
    end
    return result
end

local ws = curlwire.MessageWebSocket{message_type = "utf8"}
check(ws:connect(URI, SECONDS))
print("connected in time")
check(ws:send("hello"))
print("received: " .. check(ws:receive()))
ws:close()

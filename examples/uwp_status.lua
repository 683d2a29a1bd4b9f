-- SPDX-License-Identifier: MIT
-- Converts the error of a failed connect to a WebErrorStatus: uwp_status.lua [URI], by default a dead one.
local curlwire = require "curlwire"

local URI = arg[1] or "ws://localhost:1/"
local WebErrorStatus = curlwire.WebErrorStatus

local ws = curlwire.MessageWebSocket()
local is_connected, message, err = ws:connect(URI)
if is_connected then
    print("connected")
    ws:close()
else
    local status = curlwire.get_status(err)
    print("status: " .. status)
    if status == WebErrorStatus.CannotConnect then
        print("no server listens there")
    elseif status == WebErrorStatus.NotFound then
        print("the server does not have this path")
    else
        print(message)
    end
end

-- SPDX-License-Identifier: MIT
-- Calls that annotations.lua does not allow. scripts/annotations.py checks that a checker of types refuses each marked
-- line, and no other line.

local curlwire = require "curlwire"

local ws = assert(curlwire.connect("ws://localhost/"))
curlwire.connect(12) -- wrong
curlwire.connect("ws://localhost/", {message_type = "utf9"}) -- wrong
curlwire.connect("ws://localhost/", {ping_interval = "long"}) -- wrong
curlwire.MessageWebSocket {proxy_client_certificate_type = "der"} -- wrong
curlwire.StreamWebSocket():send("text") -- wrong
print(curlwire.no_such_function) -- wrong
ws:no_such_method() -- wrong
ws:send({}) -- wrong
ws:close("1000") -- wrong
ws.control.receive_timeout = "long" -- wrong
print(ws:receive():upper()) -- wrong: it may be nil
print(ws:ping() + 1) -- wrong: it may be nil
print(ws.information.no_such_part) -- wrong
ws.on_closed = function(_, args) print(args.no_such_part) end -- wrong

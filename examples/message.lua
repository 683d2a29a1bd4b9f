-- SPDX-License-Identifier: MIT
-- Sends a line, prints what comes back: message.lua ws://HOST/PATH [TEXT]
local curlwire = require "curlwire"

local ws = assert(curlwire.connect(arg[1], {message_type = "utf8"}))
assert(ws:send(arg[2] or "Hello, World!"))
print(assert(ws:receive()))
ws:close()

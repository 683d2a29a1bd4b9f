-- SPDX-License-Identifier: MIT
-- Sends a text and prints the reply: message.lua ws://HOST/PATH [TEXT]
local curlwire = require "curlwire"

local uri = assert(arg[1], "usage: message.lua ws://HOST/PATH [TEXT]")
local ws = assert(curlwire.connect(uri, {message_type = "utf8"}))
assert(ws:send(arg[2] or "Hello, World!"))
local message = assert(ws:receive())
print(message)
ws:close()

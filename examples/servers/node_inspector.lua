-- SPDX-License-Identifier: MIT
-- Evaluates an expression in a Node program: node_inspector.lua ws://127.0.0.1:PORT/ID EXPRESSION
-- `node --inspect=127.0.0.1:0 program.js` writes the URI to stderr. Node drops a client that sends a ping or a message
-- in more than one frame. This needs a JSON library: lua-cjson.
local curlwire = require "curlwire"
curlwire.json = require "cjson"

if #arg ~= 2 then
    error("usage: node_inspector.lua ws://127.0.0.1:PORT/ID EXPRESSION", 0)
end
local ws = assert(curlwire.connect(arg[1], {keepalive = "off", frame_size = math.huge}))
local params = {expression = arg[2], returnByValue = true}
assert(ws:send_json({id = 1, method = "Runtime.evaluate", params = params}))
local reply
repeat
    reply = assert(ws:receive_json())
until reply.id == 1 -- messages without an id are events
ws:close()
if reply.error then
    error("node_inspector.lua: " .. reply.error.message, 0)
elseif reply.result.exceptionDetails then
    error("node_inspector.lua: " .. reply.result.result.description, 0)
end
print(reply.result.result.value)

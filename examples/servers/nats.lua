-- SPDX-License-Identifier: MIT
-- Publishes a text by NATS and receives it: nats.lua ws://HOST:PORT/ SUBJECT TEXT
-- NATS is lines in a stream of bytes. The server sends its first line at once, and compresses if its configuration has
-- `compression: true`.
local curlwire = require "curlwire"

if #arg ~= 3 then
    error("usage: nats.lua ws://HOST:PORT/ SUBJECT TEXT", 0)
end
local uri, subject, data = arg[1], arg[2], arg[3]
local ws = assert(curlwire.connect(uri, {socket_class = curlwire.StreamWebSocket, compression = "deflate"}))
local input, output = ws.input_stream, ws.output_stream
local info = assert(input:read("l"))
print("NATS " .. info:match('"version":"(.-)"') .. ", compression: " .. (ws.information.extensions or "none"))
assert(output:write('CONNECT {"verbose": false}\r\n'))
assert(output:write("SUB " .. subject .. " 1\r\n"))
assert(output:write("PUB " .. subject .. " " .. #data .. "\r\n" .. data .. "\r\n"))
for line in input:lines() do
    local verb = line:match("^%S+")
    if verb == "PING" then
        assert(output:write("PONG\r\n"))
    elseif verb == "-ERR" then
        error("nats.lua: " .. line, 0)
    elseif verb == "MSG" then
        local size = tonumber(line:match("(%d+)\r$"))
        print(line:match("^MSG (%S+)") .. ": " .. assert(input:read(size)))
        break
    end
end
ws:close()

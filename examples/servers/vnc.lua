-- SPDX-License-Identifier: MIT
-- Prints the size and the name of a VNC server's screen: vnc.lua ws://HOST:PORT/
-- `websockify PORT HOST:5900` carries the bytes of VNC's protocol, RFB (RFC 6143), in binary messages. It closes with
-- 1003 if a client sends text. The numbers of RFB are big-endian, as in a DataReader.
local curlwire = require "curlwire"

local NO_PASSWORD, SHARED = string.char(1), string.char(1)

if #arg ~= 1 then
    error("usage: vnc.lua ws://HOST:PORT/", 0)
end
local ws = assert(curlwire.connect(arg[1], {socket_class = curlwire.StreamWebSocket}))
local writer, reader = curlwire.DataWriter(ws.output_stream), curlwire.DataReader(ws.input_stream)

local function read_uint32()
    assert(reader:load(4))
    return reader:read_uint32()
end

local function read_text(size)
    assert(reader:load(size))
    return reader:read_string(size)
end

local function send(data)
    writer:write_bytes(data)
    assert(writer:store())
end

local version = read_text(12)
send("RFB 003.008\n")
assert(reader:load(1))
local count = reader:read_byte()
if count == 0 then
    error("vnc.lua: the server refuses: " .. read_text(read_uint32()), 0)
end
assert(reader:load(count))
if not reader:read_bytes(count):find(NO_PASSWORD, 1, true) then
    error("vnc.lua: the server wants a password", 0)
end
send(NO_PASSWORD)
if read_uint32() ~= 0 then
    error("vnc.lua: the login failed: " .. read_text(read_uint32()), 0)
end
send(SHARED)
assert(reader:load(4 + 16))
local width, height = reader:read_uint16(), reader:read_uint16()
reader:read_bytes(16) -- the form of a pixel
print(("%s, %d x %d, %s"):format(version:sub(1, 11), width, height, read_text(read_uint32())))
ws:close()

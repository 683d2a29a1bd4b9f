-- SPDX-License-Identifier: MIT
-- Runs code in a Jupyter kernel and prints its output: jupyter.lua ws://HOST:PORT/api/kernels/ID/channels CODE
-- The variable JUPYTER_TOKEN is the server's token. `POST /api/kernels` starts a kernel and returns its ID. A message
-- of the subprotocol has numbers of 8 bytes, little-endian: how many offsets follow, and the offsets of its parts.
-- This needs a JSON library: lua-cjson.
local curlwire = require "curlwire"
local json = require "cjson"

local SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"
local PARTS = {"header", "parent_header", "metadata", "content"} -- they follow the name of the channel

local function encoded(channel, message)
    local parts = {channel}
    for _, name in ipairs(PARTS) do
        table.insert(parts, json.encode(message[name]))
    end
    local writer = curlwire.DataWriter()
    writer.byte_order = "little_endian"
    writer:write_uint64(#parts + 1)
    local offset = 8 * (#parts + 2)
    writer:write_uint64(offset)
    for _, part in ipairs(parts) do
        offset = offset + #part
        writer:write_uint64(offset)
    end
    writer:write_bytes(table.concat(parts))
    return writer:detach_buffer()
end

local function decoded(data)
    local reader = curlwire.DataReader.from_buffer(data)
    reader.byte_order = "little_endian"
    local offsets = {}
    for index = 1, tonumber(reader:read_uint64()) do
        offsets[index] = tonumber(reader:read_uint64())
    end
    local message = {}
    for index, name in ipairs(PARTS) do
        message[name] = json.decode(data:sub(offsets[index + 1] + 1, offsets[index + 2]))
    end
    return message
end

local token = os.getenv("JUPYTER_TOKEN")
if #arg ~= 2 or not token then
    error("usage: JUPYTER_TOKEN=TOKEN jupyter.lua ws://HOST:PORT/api/kernels/ID/channels CODE", 0)
end
local ws = assert(curlwire.connect(arg[1], {xoauth2_bearer = token, subprotocols = {SUBPROTOCOL}}))
local number = tostring(os.time())
assert(ws:send(encoded("shell", {
    header = {msg_id = number, msg_type = "execute_request", session = number, username = "", version = "5.3"},
    parent_header = {},
    metadata = {},
    content = {code = arg[2], silent = false},
})))
for data in ws:messages() do
    local message = decoded(data)
    local kind, content = message.header.msg_type, message.content
    if message.parent_header.msg_id == number then
        if kind == "stream" then
            io.write(content.text)
        elseif kind == "error" then
            error(content.ename .. ": " .. content.evalue, 0)
        elseif kind == "status" and content.execution_state == "idle" then
            break
        end
    end
end
ws:close()

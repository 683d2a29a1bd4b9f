-- SPDX-License-Identifier: MIT
-- Publishes a text by MQTT 3.1.1 and receives it: mosquitto.lua ws://HOST:PORT/ TOPIC TEXT
-- MQTT is a stream of bytes: a packet may come in several messages, and a message may have several packets. Without the
-- subprotocol `mqtt`, Mosquitto accepts the connection and never answers.
local curlwire = require "curlwire"

local CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK, DISCONNECT = 0x10, 0x20, 0x30, 0x82, 0x90, 0xE0
local CLEAN_SESSION, KEEPALIVE_S = 0x02, 60

-- A text as MQTT has it: its length, and its bytes.
local function text(value)
    local writer = curlwire.DataWriter()
    writer:write_uint16(writer:measure_string(value))
    writer:write_string(value)
    return writer:detach_buffer()
end

-- Sends a packet. Its length takes 7 bits of each byte, the lowest first.
local function send(writer, kind, body)
    writer:write_byte(kind)
    local length = #body
    while length > 127 do
        writer:write_byte(length % 128 + 128)
        length = math.floor(length / 128)
    end
    writer:write_byte(length)
    writer:write_bytes(body)
    assert(writer:store())
end

-- Returns a reader of the body of the next packet of a kind.
local function receive(reader, kind)
    while true do
        assert(reader:load(1))
        local got = reader:read_byte()
        got = got - got % 16
        local length, factor = 0, 1
        repeat
            assert(reader:load(1))
            local digit = reader:read_byte()
            length = length + digit % 128 * factor
            factor = factor * 128
        until digit < 128
        assert(reader:load(length))
        local body = reader:read_bytes(length)
        if got == kind then
            return curlwire.DataReader.from_buffer(body)
        end
    end
end

if #arg ~= 3 then
    error("usage: mosquitto.lua ws://HOST:PORT/ TOPIC TEXT", 0)
end
local uri, topic, message = arg[1], arg[2], arg[3]
local ws = assert(curlwire.connect(uri, {socket_class = curlwire.StreamWebSocket, subprotocols = {"mqtt"}}))
local writer, reader = curlwire.DataWriter(ws.output_stream), curlwire.DataReader(ws.input_stream)
local options = string.char(4, CLEAN_SESSION, 0, KEEPALIVE_S)
send(writer, CONNECT, text("MQTT") .. options .. text("curlwire"))
local refusal = receive(reader, CONNACK):read_bytes(2):byte(2)
if refusal ~= 0 then
    error("mosquitto.lua: the server refuses with " .. refusal, 0)
end
send(writer, SUBSCRIBE, string.char(0, 1) .. text(topic) .. string.char(0))
receive(reader, SUBACK)
send(writer, PUBLISH, text(topic) .. message)
local body = receive(reader, PUBLISH)
local name = body:read_string(body:read_uint16())
print(name .. ": " .. body:read_string(body.unconsumed_buffer_length))
send(writer, DISCONNECT, "")
ws:close()

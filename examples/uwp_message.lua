-- SPDX-License-Identifier: MIT
-- Sends a text, reads the echo in a handler, and closes the socket in that handler: uwp_message.lua [URI]
local curlwire = require "curlwire"

local URI = arg[1] or "ws://localhost:8765/"

local function check(result, message)
    if not result then
        io.stderr:write("uwp_message.lua: ", message, "\n")
        os.exit(1)
    end
end

local function on_message_received(ws, args)
    local reader = args:get_data_reader()
    print("received: " .. reader:read_string(reader.unconsumed_buffer_length))
    ws:close()
end

local function on_closed(_, args)
    print("closed: " .. args.code)
end

local ws = curlwire.MessageWebSocket{message_type = "utf8"}
ws.on_message_received = on_message_received
ws.on_closed = on_closed
check(ws:connect(URI))
print("sending: Hello, World!")
local writer = curlwire.DataWriter(ws.output_stream)
writer:write_string("Hello, World!")
check(writer:store())
writer:detach_stream()
curlwire.run() -- until the socket is closed

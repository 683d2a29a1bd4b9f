-- SPDX-License-Identifier: MIT
-- Writes ten bytes to a stream and reads the echo: uwp_stream.lua [URI]. Lua has no threads, so the write comes first.
local curlwire = require "curlwire"

local URI = arg[1] or "ws://localhost:8765/"
local DATA = string.char(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)

local function check(result, message)
    if not result then
        io.stderr:write("uwp_stream.lua: ", message, "\n")
        os.exit(1)
    end
    return result
end

local function on_closed(_, args)
    print("closed: " .. args.code)
end

local function read(ws)
    local reader = curlwire.DataReader(ws.input_stream)
    reader.input_stream_options = "partial"
    while reader.unconsumed_buffer_length < #DATA and check(reader:load(256)) > 0 do end
    print("read: " .. table.concat({reader:read_bytes(#DATA):byte(1, -1)}, " "))
end

local ws = curlwire.StreamWebSocket()
ws.on_closed = on_closed
check(ws:connect(URI))
print("writing: " .. table.concat({DATA:byte(1, -1)}, " "))
local writer = curlwire.DataWriter(ws.output_stream)
writer:write_bytes(DATA)
check(writer:store())
writer:detach_stream()
read(ws)
ws:close()
curlwire.run() -- until the socket is closed

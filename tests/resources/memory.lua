-- SPDX-License-Identifier: MIT
-- A session for host.c, which makes an allocation in it fail. It catches no error.

local URL = ...

local curlwire = require "curlwire"

local LARGE = string.rep("0123456789abcdef", 12000)

local function good(value, message, err)
    if not value then
        error(err or message, 0)
    end
    return value
end

-- Makes the thread allocate the objects with which it waits, and which it keeps.
local function wait_once()
    local ws = good(curlwire.connect(URL .. "/echo", {receive_timeout = 0.01}))
    ws:receive()
    ws:close()
end

local function message()
    local ws = curlwire.MessageWebSocket {receive_timeout = 20, supported_protocols = {"a", "b"}}
    ws.control.message_type = "utf8"
    ws:set_request_header("X-A", "1")
    good(ws:connect(URL .. "/echo"))
    good(ws:send("text"))
    local text = good(ws:receive())
    assert(text == "text")
    good(ws:send(LARGE))
    local large = good(ws:receive())
    assert(large == LARGE)
    good(ws:send_nonfinal_frame("frag"))
    good(ws:ping(20))
    good(ws:send_final_frame("ments"))
    local fragments = good(ws:receive())
    assert(fragments == "fragments")
    assert(tostring(ws) and ws.information.remote_address and ws.information.response_headers)
    ws:close(1000, "done")
    good(ws:wait_closed(20))
end

local function stream()
    local ws = curlwire.StreamWebSocket {receive_timeout = 20}
    good(ws:connect(URL .. "/echo"))
    good(ws.output_stream:write(LARGE, "\n"))
    local line = good(ws.input_stream:read("l"))
    assert(line == LARGE)
    ws:close()
    assert(ws.input_stream:read("a") == "")
end

-- Makes the mailbox and its descriptor. A failure that is returned is about the network or descriptors, so it fails the
-- test. A lack of memory is raised.
local function mailbox()
    local count, _, err = curlwire.dispatch(0) -- makes the mailbox
    assert(count == 0, err and "dispatch: " .. err.name)
    local fd, _, lack = curlwire.fd()
    assert(fd, lack and "fd: " .. lack.name)
end

local function handlers()
    local ws = curlwire.MessageWebSocket {receive_timeout = 20}
    local heard, code
    ws.on_message_received = function(_, args)
        heard = args.data
        ws:close()
    end
    ws.on_closed = function(_, args) code = args.code end
    good(ws:connect(URL .. "/echo"))
    good(ws:send(LARGE))
    curlwire.run()
    assert(heard == LARGE or code == 1006)
end

-- Sends that do not wait, and messages that are read as streams.
local function sending()
    local ws = curlwire.MessageWebSocket {receive_timeout = 20, keepalive = "off", send_low_water_mark = 0}
    ws.on_writable = function() end
    good(ws:connect(URL .. "/echo"))
    good(ws:try_send("text", "utf8"))
    good(ws:try_send(LARGE))
    local text, message_type, err = ws:receive_stream()
    good(text, message_type, err)
    assert(message_type == "utf8" and good(text:read("a")) == "text")
    local large = good(ws:receive_stream())
    assert(good(large:read(1000)) == LARGE:sub(1, 1000))
    large:close()
    good(ws:send_many {"a", "b"})
    assert(good(ws:receive()) == "a" and good(ws:receive()) == "b")
    local latency = ws.information.latency
    assert(latency.last == nil and ws.buffered_amount == 0)
    ws.on_writable = nil
    ws:close()
end

-- A message for which memory was short stays the next one. So a handler that is set afterwards gets it.
local function kept()
    local ws = curlwire.MessageWebSocket {receive_timeout = 20}
    good(ws:connect(URL .. "/echo"))
    good(ws:send(LARGE))
    local is_good, heard, text, err = pcall(ws.receive, ws)
    if is_good then
        good(heard, text, err)
        ws:close()
    else
        ws.on_message_received = function(_, args)
            heard = args.data
            ws:close()
        end
        curlwire.run()
    end
    assert(heard == LARGE or ws.close_code == 1006)
end

local function failed()
    local ws = curlwire.MessageWebSocket()
    local is_open, text, err = ws:connect(URL .. "/nowhere")
    assert(not is_open and text == err.message)
    if err.http_status ~= 404 then
        error(err, 0)
    end
    assert(err.headers and curlwire.get_status(err) and tostring(err))
end

wait_once()
message()
stream()
mailbox()
sending()
handlers()
kept()
failed()

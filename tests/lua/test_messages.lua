-- SPDX-License-Identifier: MIT
-- Messages come back from an echo server, whole, in parts and in fragments. Also tests timeouts and pings.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local open, finish, assert_echo = support.open, support.finish, support.assert_echo
local curlwire = harness.curlwire
local WebErrorStatus = curlwire.WebErrorStatus

local function with_echo(body, options)
    return function(expect)
        local ws = open(support.echo(), options)
        body(ws, expect)
        finish(ws)
    end
end

test("hello_text", with_echo(function(ws) assert_echo(ws, "Hello, World!", "utf8") end))

test("hello_binary", with_echo(function(ws) assert_echo(ws, "Hello, World!", "binary") end))

test("hello_tls", function()
    local ws = open(support.echo_tls(), {ca_file = support.ca_file()})
    assert_echo(ws, "Hello, World!", "utf8")
    assert_echo(ws, "Hello, World!", "binary")
    finish(ws)
end)

test("connect_function", function()
    local ws = open(support.echo(), {message_type = "utf8", headers = {["X-One"] = "1"}})
    equal(ws.state, "open")
    assert(tostring(ws):find("^curlwire.MessageWebSocket"))
    equal(ws.control.message_type, "utf8")
    finish(ws)
end)

test("empty_message", with_echo(function(ws)
    assert_echo(ws, "", "utf8")
    assert_echo(ws, "", "binary")
end))

test("all_of_utf8", with_echo(function(ws)
    assert_echo(ws, "A\0\194\128\223\191\224\160\128\239\191\191\240\144\128\128\244\143\191\191z", "utf8")
end))

local function all_bytes()
    local bytes = {}
    for i = 0, 255 do
        bytes[#bytes + 1] = string.char(i)
    end
    return table.concat(bytes)
end

test("all_of_binary", with_echo(function(ws) assert_echo(ws, all_bytes(), "binary") end))

test("large_message", with_echo(function(ws) assert_echo(ws, all_bytes():rep(3 * 4096), "binary") end))

test("send_many", with_echo(function(ws)
    local messages = {}
    for i = 1, 1000 do
        messages[i] = ("x"):rep(i % 40)
    end
    table.insert(messages, 500, all_bytes():rep(8192))
    equal(ws:send_many(messages), 1001)
    for i, message in ipairs(messages) do
        local data, message_type = ws:receive(50)
        equal(message_type, "binary")
        assert(data == message, "message " .. i)
    end
    equal(ws:send_many({}), 0)
    equal(ws:send_many({"a", "b"}, "utf8"), 2)
    equal(select(2, ws:receive(50)), "utf8")
    equal(ws:receive(50), "b")
end))

test("text_is_utf8", with_echo(function(ws)
    for _, word in ipairs {"text", "utf8"} do
        assert_echo(ws, "as an argument", "utf8", word)
        ws.control.message_type = word
        equal(ws.control.message_type, "utf8")
        assert_echo(ws, "by the control", "utf8", nil)
        equal(curlwire.MessageWebSocket({message_type = word}).control.message_type, "utf8")
        equal(ws:send_many({"of a list"}, word), 1)
        equal(select(2, ws:receive(50)), "utf8")
        ws.control.message_type = "binary"
    end
end))

test("send_many_partly", with_echo(function(ws)
    raises(function() ws:send_many({"never", 5}) end, "item 2 of the list is a number")
    raises(function() ws:send_many("text") end, "table expected")
    raises(function() ws:send_many({"a", "b", "\255", "c"}, "utf8") end, "UTF-8")
    ws:send("d")
    equal(ws:receive(50) .. ws:receive(50) .. ws:receive(50), "abd")
    finish(ws)
    local err = failed(ws:send_many({"e"}))
    equal(err.name, "CW_CLOSED")
    equal(err.sent_count, 0)
    equal(select("#", ws:send_many({"e"})), 3)
end))

test("flood_in_order", function()
    local count, last_type = 0, nil
    local ws = open(support.echo("/flood?count=20000&size=32&kind=text"))
    for message, message_type in ws:messages() do
        count, last_type = count + 1, message_type
        equal(message, ("x"):rep(32))
    end
    equal(count, 20000, "the count")
    equal(last_type, "utf8")
    assert(ws:wait_closed(50))
    equal(ws.close_code, 1000)

    local steps = {}
    for i = 1, 100 do
        steps[i] = support.text_frame(tostring(i))
    end
    steps[#steps + 1] = "close:1000"
    ws = open(support.script(support.unpack(steps)))
    local number = 0
    for message in ws:messages() do
        number = number + 1
        equal(message, tostring(number))
    end
    equal(number, 100)
    assert(ws:wait_closed(50))
end)

local function receive_parts(ws)
    local parts = {}
    while true do
        local data, message_type, is_complete = ws:receive()
        parts[#parts + 1] = assert(data, message_type)
        if is_complete then
            return table.concat(parts), message_type, #parts
        end
    end
end

test("partial_mode", with_echo(function(ws)
    local data = all_bytes():rep(4096)
    assert(ws:send(data, "binary"))
    local joined, message_type, count = receive_parts(ws)
    equal(joined, data)
    equal(message_type, "binary")
    assert(count > 1, "it came in one part")
end, {receive_mode = "partial"}))

test("partial_text", function()
    local first, second = support.frame(1, "a\226\130", true), support.frame(0, "\172b")
    local ws = open(support.script("x:" .. first, "x:" .. second, "echo"), {receive_mode = "partial"})
    local joined, message_type = receive_parts(ws)
    equal(joined, "a\226\130\172b")
    equal(message_type, "utf8")
    finish(ws)
end)

test("without_copy", nil, "a Lua string is always a copy, the one that crosses the boundary")

test("fragments_by_hand", with_echo(function(ws)
    equal(ws:send_nonfinal_frame("one "), 4)
    equal(ws:send_nonfinal_frame("two "), 4)
    equal(ws:send_final_frame("three"), 5)
    local data, message_type = ws:receive()
    equal(data, "one two three")
    equal(message_type, "binary")
end))

test("fragments_of_text", with_echo(function(ws)
    equal(ws:send_nonfinal_frame("a\226\130"), 3)
    equal(ws:send_final_frame("\172"), 1)
    local data, message_type = ws:receive()
    equal(data, "a\226\130\172")
    equal(message_type, "utf8")
end, {message_type = "utf8"}))

test("fragments_guarded", with_echo(function(ws)
    assert(ws:send_nonfinal_frame("one "))
    raises(function() ws:send("between") end, "test_messages.lua:")
    assert(ws:send_final_frame("two"))
    equal(ws:receive(), "one two")
end))

test("message_type_live", with_echo(function(ws)
    local function write()
        assert(ws.output_stream:write("x"))
        local _, message_type = ws:receive()
        return message_type
    end
    equal(write(), "binary")
    ws.control.message_type = "utf8"
    equal(write(), "utf8")
    ws.control.message_type = "binary"
    equal(write(), "binary")
end))

test("receive_timeout", with_echo(function(ws)
    equal(failed(ws:receive(0.01)).status, WebErrorStatus.Timeout)
    equal(failed(ws:receive(0)).status, WebErrorStatus.Timeout)
    assert_echo(ws, "still here", "utf8")
end))

test("receive_timeout_control", with_echo(function(ws)
    local err = failed(ws:receive())
    equal(err.status, WebErrorStatus.Timeout)
    equal(err.name, "CW_TIMED_OUT")
    equal(err.message, "timed out after 0.01 s waiting for a message (receive_timeout): call again, or wait longer; "
        .. "to wait without a limit, set the timeout or receive_timeout to math.huge")
    assert(ws:send("still here", "utf8"))
    equal(ws:receive(50), "still here")
end, {receive_timeout = 0.01}))

test("ping", with_echo(function(ws)
    local seconds = ws:ping(50)
    assert(type(seconds) == "number" and seconds > 0 and seconds < 10, tostring(seconds))
end))

test("ping_payload", function()
    local token = support.token("payload")
    local uri = support.script("echo", "end") .. "?id=" .. token
    local ws = open(uri, {ping_payload = "\0\255beat", ping_interval = false})
    assert(assert(ws:ping(50)) > 0)
    support.finish(ws)
    assert(support.log(token):find('"opcode": 9, .-"payload": "00ff62656174"'), "no ping with that payload")
end)

test("unsolicited_pongs", function()
    local token = support.token("pongs")
    local ws = curlwire.MessageWebSocket {
        ping_interval = false, desired_unsolicited_pong_interval = 0.01, close_timeout = 0.1,
    }
    equal(ws.control.actual_unsolicited_pong_interval, 0)
    assert(ws:connect(support.script("frame:3", "gate", "close:1000") .. "?id=" .. token))
    equal(ws.control.actual_unsolicited_pong_interval, 0.01)
    support.go(token)
    assert(ws:wait_closed(50))
    equal(ws.close_code, 1000)
    equal(ws.control.actual_unsolicited_pong_interval, 0)
    local _, count = support.log(token):gsub('"opcode": 10, "fin": true, "rsv": 0, "masked": true, "length": 0', "")
    assert(count >= 3, count .. " pongs")
    harness.raises(function() ws.control.actual_unsolicited_pong_interval = 1 end,
        "actual_unsolicited_pong_interval can only be read: set desired_unsolicited_pong_interval")
end)

test("ping_timeout", function()
    local ws = open(support.script("hang"))
    equal(failed(ws:ping(0.01)).status, WebErrorStatus.Timeout)
    equal(ws.state, "open")
    ws:abort()
end)

test("flush", with_echo(function(ws)
    assert(ws:send(("x"):rep(1000000), "binary"))
    equal(ws:flush(50), true)
    equal(#ws:receive(), 1000000)
end))

test("greeting", function()
    local ws = open(support.script("join", support.text_frame("welcome"), "echo"))
    equal(ws:receive(), "welcome")
    finish(ws)
end)

test("bytewise_frames", function()
    local frames = support.frame(1, "He", true) .. support.frame(0, "l", true) .. support.frame(0, "lo")
    local ws = open(support.script("drip:" .. frames, "echo"))
    equal(ws:receive(), "Hello")
    finish(ws)
end)

test("control_between_fragments", function()
    local ws = open(support.script("x:" .. support.frame(1, "He", true), "x:" .. support.frame(9, "?"), "frame:1",
        "x:" .. support.frame(0, "llo"), "echo"))
    equal(ws:receive(), "Hello")
    finish(ws)
end)

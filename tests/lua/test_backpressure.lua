-- SPDX-License-Identifier: MIT
-- try_send, buffered_amount, the water marks and on_writable; keepalive and latency.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local open, finish, assert_echo = support.open, support.finish, support.assert_echo
local curlwire = harness.curlwire

local HIGH, LOW, SIZE = 100000, 30000, 5000

-- Returns a socket with small buffers that is connected to a server which does not read before support.go(token). It
-- then reads, and records the frames.
local function stalled(token, ...)
    return open(support.script("stall", "gate", "resume", ...) .. "?id=" .. token, {
        send_high_water_mark = HIGH, send_low_water_mark = LOW, outbound_buffer_size = 32768, keepalive = "off",
    })
end

local function numbered(number) return ("%08d"):format(number) .. ("x"):rep(SIZE - 8) end

-- Sends numbered messages until there is no room. Returns the number of the next message.
local function fill(ws, first)
    local number = first or 0
    while ws:try_send(numbered(number)) do number = number + 1 end
    return number
end

-- Checks that the server has got these numbered messages once each, in order. It records at most 4 MiB.
local function check_recorded(token, count)
    local numbers, wanted = {}, {}
    for frame in support.log(token):gmatch("{[^{}]*\"opcode\": 2[^{}]*}") do
        local digits = frame:match("\"payload\": \"(%x+)\""):sub(1, 16)
        numbers[#numbers + 1] = tonumber((digits:gsub("3(%d)", "%1")))
    end
    assert(#numbers == count or count > 500, #numbers)
    for i in ipairs(numbers) do wanted[i] = i - 1 end
    equal(table.concat(numbers, " "), table.concat(wanted, " "))
end

test("try_send", function()
    local token = support.token("try_send")
    local ws = stalled(token, "echo", "end")
    equal(ws.buffered_amount, 0)
    local count = fill(ws)
    assert(count * SIZE > HIGH)
    equal(ws.state, "open")
    support.go(token)
    assert(ws:flush(50))
    equal(ws.buffered_amount, 0)
    equal(ws:try_send(numbered(count)), true)
    finish(ws)
    check_recorded(token, count + 1)
end)

test("try_send_forms", function()
    local ws = open(support.echo())
    for _, row in ipairs {{"ab"}, {"ab", "binary"}, {"\195\164b", "utf8", false}, {"ab", "text", true}, {"", "utf8"}} do
        equal(ws:try_send(support.unpack(row, 1, 3)), true)
        local data, message_type = ws:receive(50)
        equal(data, row[1])
        equal(message_type, (row[2] or "binary"):gsub("text", "utf8"), nil)
    end
    finish(ws)
end)

test("try_send_wrong", function()
    raises(function() support.message_socket():try_send("x") end, "not connected")
    local ws = open(support.echo())
    raises(function() ws:try_send() end, "string expected")
    raises(function() ws:try_send({}) end, "string expected")
    raises(function() ws:try_send(function() end) end, "string expected")
    raises(function() ws:try_send("x", 5) end, "the type of a message must be")
    raises(function() ws:try_send("x", nil, 5) end, "compress must be true, false or nil")
    raises(function() ws:try_send("\255", "utf8") end, "not UTF-8")
    assert_echo(ws, "still", "utf8")
    ws:close()
    equal(failed(ws:try_send("x")).name, "CW_CLOSED")
    finish(ws)
    raises(function() return support.stream_socket().try_send end, "try_send")
    raises(function() return support.stream_socket().on_writable end, "on_writable")
    raises(function() support.stream_socket().on_writable = print end, "on_writable")
end)

test("buffered_amount", function()
    equal(support.message_socket().buffered_amount, 0)
    equal(support.stream_socket().buffered_amount, 0)
    raises(function() support.message_socket().buffered_amount = 1 end, "can only be read")
    local token = support.token("amount")
    local ws = stalled(token, "hang")
    repeat fill(ws) until ws.buffered_amount > 0
    assert(ws.buffered_amount <= HIGH + 65536)
    support.go(token)
    assert(ws:flush(50))
    equal(ws.buffered_amount, 0)
    assert(ws:batch(function()
        assert(ws:try_send(("x"):rep(1000)))
        equal(ws.buffered_amount, ws.framing == "curl" and 0 or 1008)
    end))
    equal(ws.buffered_amount, 0)
    ws:abort()
end)

test("on_writable", function()
    local token = support.token("writable")
    local ws, calls = stalled(token, "hang"), {}
    local function on_writable(socket, buffered_amount)
        calls[#calls + 1] = {socket, buffered_amount}
    end
    ws.on_writable = on_writable
    equal(ws.on_writable, on_writable)
    assert(ws:try_send("x"))
    equal(curlwire.dispatch(0), 0)
    fill(ws)
    support.go(token)
    while #calls == 0 do curlwire.dispatch(1) end
    equal(#calls, 1)
    equal(calls[1][1], ws)
    assert(calls[1][2] <= LOW, calls[1][2])
    assert(ws:flush(50))
    equal(curlwire.dispatch(0), 0)
    ws.on_writable = nil
    equal(ws.on_writable, nil)
    ws:abort()
end)

test("on_writable_sends_the_rest", function()
    local token = support.token("writable")
    local ws, number = stalled(token, "echo", "end"), 0
    local function send_more(socket)
        while number < 200 and socket:try_send(numbered(number)) do number = number + 1 end
        if number == 200 then socket:close() end
    end
    ws.on_writable = send_more
    send_more(ws)
    assert(number < 200)
    ws = nil -- luacheck: ignore 311
    collectgarbage()
    support.go(token)
    curlwire.run()
    equal(number, 200)
    check_recorded(token, 200)
end)

test("on_writable_wrong", function()
    local ws = support.message_socket()
    raises(function() ws.on_writable = 5 end, "on_writable must be a function or nil, not a number")
    equal(ws.on_writable, nil)
end)

test("bad_marks", function()
    for _, name in ipairs {"send_high_water_mark", "send_low_water_mark"} do
        local ws = support.message_socket()
        for _, value in ipairs {-1, 2 ^ 31, 1.5, "1", true, {}} do
            raises(function() ws.control[name] = value end, name)
        end
        ws.control[name] = 0
        equal(ws.control[name], 0)
    end
end)

-- Returns the opcodes that the server has got before a message of its own came, and the close.
local function opcodes_of(options, ...)
    local token, found = support.token("keepalive"), {}
    local steps = {...}
    for _, step in ipairs {support.text_frame("enough"), "echo", "end"} do steps[#steps + 1] = step end
    local ws = open(support.script(support.unpack(steps)) .. "?id=" .. token, options)
    local actual = ws.control.actual_unsolicited_pong_interval
    equal(ws:receive(50), "enough")
    finish(ws)
    for opcode in support.log(token):gmatch("\"opcode\": (%d+)") do found[#found + 1] = opcode end
    return table.concat(found, " "), actual
end

-- RFC 6455 5.5.2, 5.5.3
for _, framing in ipairs {"auto", "curl"} do
    test("keepalive_modes_" .. framing, function()
        for mode, opcode in pairs {idle = "9", ping = "9", pong = "10"} do
            local opcodes, actual =
                opcodes_of({keepalive = mode, ping_interval = 0.01, framing = framing}, "frame:3")
            equal(opcodes:match("^%d+ %d+ %d+"), ("%s %s %s"):format(opcode, opcode, opcode), mode)
            equal(actual, mode == "pong" and 0.01 or 0)
        end
    end)
end
test("keepalive_modes", function()
    raises(function() support.message_socket().control.keepalive = "on" end, "keepalive")
    raises(function() support.message_socket().control.keepalive = 5 end, "keepalive")
    equal(support.message_socket().control.keepalive, "idle")
end)

test("keepalive_off", function()
    local opcodes, actual = opcodes_of(
        {keepalive = "off", ping_interval = 0.001, desired_unsolicited_pong_interval = 0.001},
        "wait:50", "x:8900", "frame:1")
    equal(opcodes, "10 8")
    equal(actual, 0)
end)

test("latency", function()
    equal(next(support.message_socket().information.latency), nil)
    local ws, trips, sum = open(support.echo(), {keepalive = "off"}), {}, 0
    equal(ws.information.latency.last, nil)
    for i = 1, 5 do
        trips[i] = assert(ws:ping(50))
        sum = sum + trips[i]
    end
    finish(ws)
    local latency = ws.information.latency
    equal(latency.last, trips[5])
    equal(latency.minimum, math.min(support.unpack(trips)))
    equal(latency.p99, math.max(support.unpack(trips)))
    assert(math.abs(latency.mean - sum / 5) < 2e-6)
end)

-- SPDX-License-Identifier: MIT
-- curlwire.ReconnectingWebSocket. tests/core/test_reconnect.c tests the rules alone.

local harness = require "harness"
local support = require "support"

local test, equal, raises = harness.test, harness.equal, harness.raises
local curlwire = harness.curlwire

local WAIT = 60

local function text(payload) return "x:" .. support.frame(1, payload) end

local function refusal(status, ...)
    local lines = {"HTTP/1.1 " .. status .. " No", "Content-Length: 0", ...}
    return {support.reply(support.unpack(lines)), "end"}
end

-- Returns a function for the URI: attempt number n runs script number n; a string is a URI itself.
local function scripts(...)
    local all = {...}
    return function(attempt)
        local steps = all[attempt]
        return type(steps) == "string" and steps or support.script(support.unpack(steps))
    end
end

local function make(uri, options)
    local all = {close_timeout = 0.1, receive_timeout = WAIT, policy = {first_delay = 0.001, max_delay = 0.001}}
    for name, value in pairs(options or {}) do all[name] = value end
    return curlwire.ReconnectingWebSocket(uri, all)
end

local function joined(list)
    local texts = {}
    for i, item in ipairs(list) do texts[i] = tostring(item) end
    return table.concat(texts, " ")
end

test("reconnecting_messages_of_several_connections", function()
    local seen = {}
    local ws = make(scripts({text "a", "close:1012"}, {text "b", "end"}, {text "c", "close:1000"}))
    ws.on_connected = function(_, attempt) seen[#seen + 1] = attempt end
    ws.on_disconnected = function(_, reason) seen[#seen + 1] = reason.code end
    ws.on_closed = function(_, args) seen[#seen + 1] = "closed " .. args.code end
    assert(ws:connect(WAIT))
    for message, message_type in ws:messages() do
        equal(message_type, "utf8")
        seen[#seen + 1] = message
    end
    equal(joined(seen), "1 a 1012 2 b 1006 3 c 1000 closed 1000")
    equal(ws.state, "closed")
    equal(ws.attempt, 3)
    equal(tostring(ws), "curlwire.ReconnectingWebSocket (closed, attempt 3)")
end)

test("reconnecting_what_is_not_retried", function()
    local ws = make(scripts({text "x", "close:4000"}))
    assert(ws:connect(WAIT))
    equal(ws:receive(), "x")
    for _ = 1, 2 do
        local data, _, err = ws:receive()
        equal(data, nil)
        equal(err.code, 4000)
    end
    local sent, _, why = ws:send("x")
    equal(sent, nil)
    equal(why.code, 4000)
    ws = make(scripts(refusal(503), refusal(403)))
    local ok, _, err = ws:connect(WAIT)
    equal(ok, nil)
    equal(err.http_status, 403)
    equal(ws.attempt, 2)
end)

test("reconnecting_max_attempts_and_delays", function()
    local ws = make("ws://localhost:1/", {policy = {first_delay = 0.001, max_attempts = 3}})
    local ok, message, err = ws:connect(WAIT)
    equal(ok, nil)
    assert(message:find("; gave up after 3 attempts in a row (max_attempts)", 1, true), message)
    equal(err.name, "CW_CONNECT_FAILED")
    ws = make("ws://localhost:1/", {policy = {delays = {0, 0.001}}})
    ok, message = ws:connect(WAIT)
    equal(ok, nil)
    assert(message:find("; gave up: delays has no further delay", 1, true), message)
    equal(ws.attempt, 3)
    local delays = {0, 0}
    ws = make("ws://localhost:1/", {policy = {delays = function() return table.remove(delays) end}})
    equal(ws:connect(WAIT), nil)
    equal(ws.attempt, 3)
end)

test("reconnecting_timeout_in_a_delay", function()
    local ws = make(scripts({"close:1012"}, {text "x", "close:1000"}), {policy = {delays = {1000}}})
    assert(ws:connect(WAIT))
    local data, message, err = ws:receive(0.01)
    if data == nil and err.name == "CW_TIMED_OUT" and ws.state == "open" then -- the close frame was late
        repeat data, message, err = ws:receive(0.01) until ws.state == "connecting"
    end
    equal(data, nil)
    equal(err.name, "CW_TIMED_OUT")
    equal(message, "timed out after 0.01 s waiting for a message, because the socket is connecting: call again, or "
        .. "wait longer")
    ws:reconnect() -- ends the delay
    equal(ws:receive(), "x")
end)

test("reconnecting_functions_of_each_attempt", function()
    local token = support.token("reconnecting")
    local calls = {}
    local ws = make(function(attempt)
        calls[#calls + 1] = "uri " .. attempt
        return support.script("close:1000") .. "?id=" .. token
    end, {
        headers = function(attempt)
            calls[#calls + 1] = "headers " .. attempt
            if attempt == 1 then error("no token yet") end
            return {["X-Token"] = "token-" .. attempt}
        end,
        subprotocols = function(attempt) return {"p" .. attempt} end,
    })
    assert(ws:connect(WAIT))
    equal(ws:receive(), nil)
    equal(joined(calls), "uri 1 headers 1 uri 2 headers 2")
    local log = support.log(token)
    assert(log:find("X-Token: token-2", 1, true), log)
    assert(log:find("Sec-WebSocket-Protocol: p2", 1, true), log)
    ws = make(function() error("never") end, {policy = {first_delay = 0.001, max_attempts = 2}})
    local ok, message, err = ws:connect(WAIT)
    equal(ok, nil)
    equal(err.name, "FUNCTION_FAILED")
    assert(message:find("the function for uri failed: .*never"), message)
end)

test("reconnecting_should_retry", function()
    local asked = {}
    local ws = make(scripts(refusal(401), {text "x", "close:1012"}), {policy = {
        first_delay = 0.001,
        should_retry = function(err)
            asked[#asked + 1] = err.http_status or err.code
            if err.http_status then return true end
            return err.code ~= 1012
        end,
    }})
    assert(ws:connect(WAIT))
    equal(ws:receive(), "x")
    equal(ws:receive(), nil)
    equal(joined(asked), "401 1012")
end)

test("reconnecting_on_connected_logs_in", function()
    local token = support.token("reconnecting")
    local answer
    local ws = make(support.script("frame:1", text "welcome", "frame:2", "close:1000") .. "?id=" .. token)
    ws.on_connected = function(socket, attempt)
        assert(socket:send("login " .. attempt, "utf8"))
        answer = socket:receive(WAIT)
    end
    assert(ws:connect(WAIT))
    assert(ws:send("payload", "utf8"))
    equal(ws:receive(), nil)
    equal(answer, "welcome")
    local log = support.log(token)
    assert(log:find(support.hex("login 1"), 1, true) < log:find(support.hex("payload"), 1, true))
end)

test("reconnecting_kept_messages", function()
    local token = support.token("reconnecting")
    local uri = support.script("frame:3", "close:1000") .. "?id=" .. token
    local ws = make(scripts({"close:1012"}, uri), {policy = {delays = {1000}}, unsent_buffer_size = 8})
    assert(ws:connect(WAIT))
    repeat ws:receive(0.01) until ws.state == "connecting"
    equal(ws:send("one"), true)
    equal(ws:send_many({"two", "3"}), 2)
    equal(ws.unsent_count, 3)
    local ok, message, err = ws:send("four", nil, 0.01)
    equal(ok, nil)
    equal(err.name, "CW_TIMED_OUT")
    assert(message:find("unsent_buffer_size", 1, true), message)
    ws:reconnect()
    equal(ws:receive(), nil)
    equal(ws.unsent_count, 0)
    local log = support.log(token)
    assert(log:find(support.hex("one"), 1, true) < log:find(support.hex("two"), 1, true))
    ws = make(scripts({"close:1012"}), {policy = {delays = {1000}}})
    assert(ws:connect(WAIT))
    repeat ws:receive(0.01) until ws.state == "connecting"
    assert(ws:send("lost"))
    assert(ws:close())
    ok, message = ws:wait_closed(WAIT)
    equal(ok, nil)
    assert(message:find("1 messages of 4 bytes", 1, true), message)
    ws = make(scripts({"close:1012"}), {policy = {delays = {1000}}, unsent = "drop"})
    assert(ws:connect(WAIT))
    repeat ws:receive(0.01) until ws.state == "connecting"
    equal(ws:send("gone"), true)
    equal(ws.dropped_count, 1)
    ws:close()
end)

test("reconnecting_send_alone_connects_again", function()
    local ws = make(scripts({"close:1012"}, support.echo()))
    assert(ws:connect(WAIT))
    repeat assert(ws:send("x", "utf8")) until ws.attempt == 2 and ws.state == "open"
    equal(ws:receive(), "x")
    ws:close()
end)

test("reconnecting_renewals", function()
    local ws = make(scripts({text "1", text "2", "hang"}, {text "3", "close:1000"}))
    assert(ws:connect(WAIT))
    equal(ws:receive(), "1")
    while ws.socket.information.statistics.text_messages_received < 2 do ws:receive(0) end
    ws:reconnect()
    local data = ws:receive()
    if data == "2" then data = ws:receive() end
    equal(data, "3")
    -- a busy machine may renew the third connection too, before its message has come
    ws = make(function(attempt)
        return attempt < 3 and support.script("hang") or support.script(text "x", "close:1000")
    end, {policy = {first_delay = 0.001, max_age = 0.02}})
    assert(ws:connect(WAIT))
    equal(ws:receive(), "x")
    assert(ws.attempt >= 3)
end)

test("reconnecting_run", function()
    local seen = {}
    local ws = make(scripts({text "a", "close:1012"}, {text "b", "hang"}), {
        on_message_received = function(socket, args)
            seen[#seen + 1] = args.data
            if args.data == "b" then socket:close(4001) end
        end,
        on_closed = function(_, args) seen[#seen + 1] = args.code end,
    })
    equal(ws:run(), true)
    equal(joined(seen), "a b 4001")
end)

test("reconnecting_close_at_any_point", function()
    for _, name in ipairs {"on_connected", "on_disconnected", "headers"} do
        local ws
        local function close() ws:close(4001) end
        ws = make(scripts({"close:1012"}), {[name] = close})
        ws:connect(WAIT)
        ws:receive()
        equal(ws.state, "closed")
        equal(ws.attempt, 1)
        equal(select(3, ws:receive()).code, 4001)
        equal(ws:wait_closed(WAIT), true)
    end
    local ws = make(support.echo())
    equal(ws:close(), true)
    raises(function() ws:connect() end, "that is closed; a socket connects once: make a new socket")
    ws = make(support.echo())
    assert(ws:connect(WAIT))
    assert(ws:ping(WAIT) > 0)
    equal(ws:abort(), true)
    equal(ws:abort(), true)
end)

test("reconnecting_errors_of_handlers_leave_the_call", function()
    local ws = make(scripts({text "x", "close:1000"}))
    ws.on_connected = function() error("a bug in on_connected") end
    raises(function() ws:connect(WAIT) end, "a bug in on_connected")
    equal(ws:receive(), "x")
end)

test("reconnecting_wrong_use", function()
    local uri = "ws://localhost:1/"
    raises(function() curlwire.ReconnectingWebSocket(5) end, "uri must be a string or a function")
    raises(function() make(uri, {unsent = "never"}) end, 'use "keep" or "drop"')
    raises(function() make(uri, {unsent_buffer_size = -1}) end, "0 or more bytes")
    raises(function() make(uri, {policy = 5}) end, "policy must be a table")
    raises(function() make(uri, {policy = {first_delay = 0}}) end, "first_delay cannot be 0: it takes")
    raises(function() make(uri, {policy = {first_delay = math.huge}}) end, "first_delay cannot be math.huge")
    raises(function() make(uri, {policy = {max_attempts = 1.5}}) end, "max_attempts cannot be 1.5: it takes")
    raises(function() make(uri, {policy = {max_age = "1"}}) end, "max_age cannot be")
    raises(function() make(uri, {policy = {patience = 1}}) end, "policy has no patience")
    raises(function() make(uri, {policy = {delays = 5}}) end, "delays cannot be a number")
    raises(function() make(uri, {nonsense = 5}) end, "nonsense")
    raises(function() make(uri, {on_connected = 5}) end, "on_connected must be a function")
    make(uri, {policy = {max_attempts = math.huge, max_elapsed = false, stable_after = 0}})
    local ws = make(uri)
    raises(function() return ws.nonsense end, "has no nonsense: it has abort")
    raises(function() ws.nonsense = 1 end, "has no field nonsense")
    raises(function() ws.on_closed = 1 end, "on_closed must be a function or nil")
    raises(function() ws:receive() end, "call connect first")
    raises(function() ws:send("x") end, "call connect first")
    raises(function() ws:send(5) end, "takes a string")
    raises(function() ws:ping() end, "no connection to ping, because the socket is new: ping while it is open")
    raises(function() ws:connect(-1) end, "timeout cannot be -1")
    raises(function() make(uri, {policy = {delays = {-1}}}):connect() end, "delays must give")
    raises(function() make("http://localhost/"):connect() end, "ws://")
    equal(ws.state, "new")
end)

-- The delay would never end, so the other coroutine must run meanwhile.
test("reconnecting_in_coroutines", function(expect)
    local ws = make(scripts({text "a", "close:1012"}, support.echo()), {policy = {delays = {1e6}}})
    local seen = {}
    curlwire.spawn(expect(function()
        assert(ws:connect(WAIT))
        equal(ws:receive(), "a")
        equal(ws:receive(1e7), "b")
        assert(ws:close())
        equal(ws:receive(), nil)
        seen[#seen + 1] = "closed"
    end))
    curlwire.spawn(expect(function()
        while ws.state ~= "connecting" or ws.attempt == 0 or ws.last_error == nil do curlwire.sleep(0.001) end
        seen[#seen + 1] = "lost"
        assert(ws:send("b", "utf8"))
        ws:reconnect()
        while ws.attempt < 2 do curlwire.sleep(0.001) end
    end))
    equal(curlwire.run(), true)
    equal(joined(seen), "lost closed")
    equal(ws.attempt, 2)
end)

-- While one coroutine connects, the time limit of another one holds. close and abort end the attempt.
test("reconnecting_beside_an_attempt", function(expect)
    for _, name in ipairs {"close", "abort"} do
        local token = support.token("reconnecting")
        local ws = make(support.script("hs:", "hang") .. "?id=" .. token, {timeout = math.huge})
        local is_over = false
        curlwire.spawn(expect(function()
            equal(ws:connect(), nil)
            is_over = true
        end))
        curlwire.spawn(expect(function()
            while ws.state ~= "connecting" do curlwire.sleep(0.001) end
            local data, _, err = ws:receive(0.02)
            equal(data, nil)
            equal(err.name, "CW_TIMED_OUT")
            equal(is_over, false)
            equal(ws[name](ws), true)
        end))
        equal(curlwire.run(), true)
        equal(ws.state, "closed")
        equal(ws.attempt, 1)
        assert(not support.log(token):find('"end": "timeout"', 1, true), "the attempt went on")
    end
end)

-- A server that accepts each connection and closes it at once. Only the waits move the clock.
test("reconnecting_no_flood", function()
    local module = require "curlwire"
    local time, sleep = 1000, rawget(module, "sleep")
    local ws = curlwire.ReconnectingWebSocket(support.script(text "hello", "close:1011"), {
        close_timeout = 0.1, policy = {max_elapsed = 60},
    })
    module._clock = function() return time end
    module.sleep = function(seconds) time = time + seconds end
    local ok, why = pcall(function()
        assert(ws:connect())
        local data, _, err
        repeat data, _, err = ws:receive(math.huge) until data == nil
        assert(err.code == 1011 and err.message:find("max_elapsed", 1, true), err.message)
        assert(ws.attempt >= 2 and ws.attempt <= 30, ws.attempt)
    end)
    module._clock, module.sleep = nil, sleep
    assert(ok, why)
end)

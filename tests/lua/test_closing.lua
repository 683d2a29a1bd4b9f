-- SPDX-License-Identifier: MIT
-- Connections that end: by close(), by the peer, by a loss, by the end of a scope, by the collector.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local open, finish = support.open, support.finish
local load_text = support.load

test("close_handshake", function()
    local ws = open(support.echo())
    equal(ws.close_code, nil)
    equal(ws.close_reason, nil)
    equal(ws.was_clean, nil)
    equal(ws:close(1000, "bye"), true)
    equal(ws:wait_closed(50), true)
    equal(ws.state, "closed")
    equal(ws.close_code, 1000)
    equal(ws.was_clean, true)
end)

test("close_by_peer", function()
    local ws = open(support.echo("/close?code=4001&reason=enough"))
    local err = failed(ws:receive())
    equal(err.name, "CW_CLOSED")
    equal(err.code, 4001)
    equal(err.reason, "enough")
    equal(type(err.was_clean), "boolean")
    assert(err.message:find("4001", 1, true))
    assert(ws:wait_closed(50))
end)

test("close_empty", function()
    local ws = open(support.script("close"))
    local err = failed(ws:receive())
    equal(err.code, 1005)
    equal(err.reason, "")
    assert(ws:wait_closed(50))
    equal(ws.close_code, 1005)
    equal(ws.close_reason, "")
end)

test("close_lost", function()
    for _, step in ipairs {"end", "rst", "x:8105"} do
        local ws = open(support.script(step, step == "x:8105" and "end" or nil))
        equal(failed(ws:receive()).code, 1006)
        assert(ws:wait_closed(50))
        equal(ws.close_code, 1006)
        equal(ws.was_clean, false)
    end
end)

test("close_protocol_error", function()
    for _, bytes in ipairs {"c10161", "830161", "8101ff"} do -- RSV1 is set; a reserved opcode; text that is not UTF-8
        local ws = open(support.script("x:" .. bytes))
        local err = failed(ws:receive())
        equal(err.code, 1006)
        assert(#err.reason > 0)
        assert(ws:wait_closed(50))
        equal(ws.close_code, 1006)
        equal(ws.close_reason, err.reason)
        equal(ws.was_clean, false)
    end
end)

test("close_forbidden_code", function()
    local token = support.token("forbidden")
    local ws = open(support.script("x:" .. support.frame(8, "\3\238"), "frame:1", "end") .. "?id=" .. token)
    local err = failed(ws:receive(50))
    local named = "the peer's close frame has code 1006, which RFC 6455 forbids there"
    equal(err.message, "the server broke the protocol: " .. named .. " (1002); report it to whoever runs the server")
    equal(ws.close_code, 1006)
    equal(ws.close_reason, named)
    assert(support.log(token):find('"payload": "03ea', 1, true), "no close frame with 1002")
end)

test("close_reason_with_nul", function()
    local token = support.token("nul")
    local ws = open(support.script("x:" .. support.frame(8, "\15\161\0bye"), "hang") .. "?id=" .. token)
    equal(failed(ws:receive(50)).reason, "\0bye")
    equal(ws.close_reason, "\0bye")
    ws:abort()
    ws = open(support.script("frame:1", "close", "end") .. "?id=" .. token .. "b")
    assert(ws:close(4001, "a\0b"))
    assert(ws:wait_closed(50))
    assert(support.log(token .. "b"):find('"payload": "0fa1610062"', 1, true))
end)

test("close_attributes_before_the_end", function()
    local ws = curlwire.MessageWebSocket()
    local function none()
        equal(ws.close_code, nil)
        equal(ws.close_reason, nil)
        equal(ws.was_clean, nil)
    end
    none()
    assert(ws:connect(support.echo()))
    none()
    assert(ws:close(1000, "bye"))
    assert(ws:wait_closed(50))
    equal(ws.close_code, 1000)
    equal(ws.was_clean, true)
end)

test("close_twice", function()
    local ws = open(support.echo())
    assert(ws:close(4000, "first"))
    assert(ws:close(4001, "second"))
    assert(ws:wait_closed(50))
    assert(ws:close(4002, "third"))
    equal(ws.close_code, 4000)
end)

test("close_new", function()
    local ws = support.message_socket()
    equal(ws:close(), true)
    equal(ws:wait_closed(50), true)
    assert(ws.state == "closed" or ws.state == "new")
    support.message_socket():abort()
end)

local scopes = load_text("local x <close> = nil") ~= nil

test("close_scope", function()
    local program = [[
        local open, check = ...
        local kept
        do
            local ws <close> = open()
            kept = ws
        end
        check(kept, 1000)
        pcall(function()
            local ws <close> = open()
            kept = ws
            error("on purpose")
        end)
        check(kept, 1011)]]
    assert(load_text(program))(function() return open(support.echo()) end, function(ws, code)
        equal(ws.state, "closed")
        equal(ws.close_code, code)
        equal(ws.was_clean, true)
    end)
end, not scopes and "this Lua has no scoped variables" or nil)

test("close_abort", function()
    local ws = open(support.echo())
    equal(ws:abort(), true)
    equal(ws.state, "closed")
    equal(ws.close_code, 1006)
    equal(ws.was_clean, false)
    local err = failed(ws:receive())
    equal(err.code, 1006)
end)

test("close_iteration_clean", function()
    for _, last in ipairs {{"close:1000", 1000}, {"close:1001", 1001}, {"close", 1005}} do
        local messages = {}
        local ws = open(support.script(support.text_frame("one"), last[1]))
        for message in ws:messages() do
            messages[#messages + 1] = message
        end
        equal(#messages, 1)
        equal(ws.close_code, last[2])
        assert(ws:wait_closed(50))
    end

    local ws = open(support.echo()) -- close() ends the iteration too
    assert(ws:send("one", "utf8"))
    for _ in ws:messages() do
        ws:close(4000)
    end
    finish(ws)
end)

test("close_iteration_sending", function()
    for _ = 1, 5 do
        local ws = open(support.script("frame:3", "stall", support.text_frame("a"), "close:1000", "end"))
        local messages = {}
        while ws:send(("x"):rep(4096)) do -- luacheck: ignore
        end
        for message in ws:messages() do
            messages[#messages + 1] = message
        end
        equal(table.concat(messages, "|"), "a")
        assert(ws:wait_closed(50))
        equal(ws.close_code, 1000) -- was_clean depends on whether the answer left before TCP ended
    end
end)

test("close_iteration_error", function()
    for _, steps in ipairs {
        {"close:4002", 4002}, {"end", 1006}, {"x:830161", 1006}, {"x:010161/close:1000", 1000},
    } do
        local ws = open(support.script(support.text_frame("one"), steps[1]))
        local count = 0
        local ok, err = pcall(function()
            for _ in ws:messages() do
                count = count + 1
            end
        end)
        equal(ok, false)
        equal(count, 1)
        equal(err.name, "CW_CLOSED")
        equal(err.code, steps[2])
        assert(ws:wait_closed(50))
    end
end)

test("close_collected", function()
    local token = support.token("collected")
    local module = require "curlwire" -- not the harness's module, which would keep the socket
    do
        local ws = assert(module.connect(support.script("echo", "end") .. "?id=" .. token))
        assert(ws:send("x"))
        assert(ws:receive(50))
    end
    collectgarbage()
    collectgarbage()
    local log = support.log(token)
    assert(log:find('"opcode": 8', 1, true), log)
end)

test("close_reason_of_the_longest", function()
    local ws = open(support.echo())
    assert(ws:close(4000, ("\195\164"):rep(61) .. "x")) -- 123 bytes
    assert(ws:wait_closed(50))
    equal(ws.was_clean, true)
end)

test("close_while_receiving_in_handler", function(expect)
    local ws, other = open(support.echo()), open(support.echo())
    ws.on_message_received = expect(function()
        other:close()
        equal(failed(other:receive()).name, "CW_CLOSED")
    end)
    assert(ws:send("x"))
    equal(curlwire.dispatch(50), 1)
    finish(ws)
    assert(other:wait_closed(50))
end)

test("wait_closed_timeout", function()
    local ws = open(support.echo())
    local err = failed(ws:wait_closed(0.01))
    equal(err.name, "CW_TIMED_OUT")
    raises(function() ws:wait_closed("soon") end, "timeout")
    equal(ws.state, "open")
    finish(ws)
end)

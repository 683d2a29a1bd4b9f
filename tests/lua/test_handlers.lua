-- SPDX-License-Identifier: MIT
-- Tests on_message_received and on_closed, which curlwire.dispatch and curlwire.run call.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local open, finish = support.open, support.finish

test("handler_message", function(expect)
    local ws = support.message_socket {message_type = "utf8"}
    ws.on_message_received = expect(function(sender, args)
        equal(sender, ws, "the sender")
        equal(args.data, "Hello")
        equal(args.message_type, "utf8")
        equal(args.is_message_complete, true)
        ws:close()
    end)
    assert(ws:connect(support.echo()))
    assert(ws:send("Hello"))
    equal(curlwire.run(), true)
    equal(ws.state, "closed")
end)

test("handler_dispose", function(expect)
    local ws = support.message_socket {message_type = "utf8"}
    ws.on_message_received = expect(function(sender) sender:close(1000, "enough") end)
    ws.on_closed = expect(function(sender, args)
        equal(sender.state, "closed")
        equal(args.code, 1000)
        equal(args.reason, "enough")
    end)
    assert(ws:connect(support.echo()))
    assert(ws:send("Hello, World!"))
    curlwire.run()
end)

test("handler_closed_by_peer", function(expect)
    local ws = support.message_socket()
    ws.on_closed = expect(function(_, args)
        equal(args.code, 4000)
        equal(args.reason, "bye")
        equal(args.was_clean, true)
    end)
    assert(ws:connect(support.echo("/close?code=4000&reason=bye")))
    curlwire.run()
    equal(ws.close_code, 4000)
    equal(ws.close_reason, "bye")
    equal(ws.was_clean, true)
end)

test("handler_closed_by_us", function(expect)
    local ws = open(support.echo())
    ws.on_closed = expect(function(_, args)
        equal(args.code, 1000)
        equal(args.was_clean, true)
    end)
    ws:close(1000, "done")
    curlwire.run()
end)

test("handler_closed_lost", function(expect)
    local ws = support.message_socket()
    ws.on_closed = expect(function(_, args)
        equal(args.code, 1006)
        equal(args.was_clean, false)
    end)
    assert(ws:connect(support.script("end")))
    curlwire.run()
    equal(ws.state, "closed")
end)

test("handler_closed_once", function(expect)
    local ws = open(support.echo())
    ws.on_closed = expect(function() end)
    ws:close()
    ws:close(4000, "again")
    assert(ws:wait_closed(50))
    ws:abort()
    ws:close()
    curlwire.run()
    equal(curlwire.dispatch(0), 0)

    ws = open(support.echo()) -- a handler that is set after the end is called too, once
    finish(ws)
    ws.on_closed = expect(function() end)
    curlwire.run()
    ws.on_closed = nil
    ws.on_closed = expect(function() end, 0)
    curlwire.run()
end)

test("handler_none_after_failure", function(expect)
    local ws = support.message_socket()
    ws.on_message_received = expect(function() end, 0)
    ws.on_closed = expect(function() end, 0)
    failed(ws:connect(support.refused()))
    equal(curlwire.dispatch(0), 0)
    equal(curlwire.run(), true)
end)

test("handler_order", function(expect)
    local count, closed = 0, false
    local ws = support.message_socket()
    ws.on_message_received = expect(function(_, args)
        count = count + 1
        equal(closed, false)
        equal(#args.data, 32)
    end, 5000)
    ws.on_closed = expect(function() closed = true end)
    assert(ws:connect(support.echo("/flood?count=5000&size=32&kind=binary")))
    curlwire.run()
    equal(count, 5000)
end)

test("handler_set_late", function(expect)
    local ws = open(support.script(support.text_frame("one"), support.text_frame("two"), support.text_frame("three"),
        "echo"))
    equal(ws:receive(), "one")
    local got = {}
    ws.on_message_received = expect(function(_, args) got[#got + 1] = args.data end, 2)
    support.dispatch_until(function() return #got == 2 end)
    equal(table.concat(got, " "), "two three")
    finish(ws)
end)

test("handler_removed", function(expect)
    local ws, got = open(support.echo()), nil
    ws.on_message_received = expect(function(_, args) got = args.data end)
    assert(ws:send("one"))
    support.dispatch_until(function() return got end)
    equal(got, "one")
    ws.on_message_received = nil
    equal(ws.on_message_received, nil)
    assert(ws:send("two"))
    equal(ws:receive(), "two")
    finish(ws)
end)

test("handler_error", function(expect)
    local ws, count = open(support.echo()), 0
    ws.on_message_received = expect(function()
        count = count + 1
        if count == 1 then
            error("first on purpose")
        elseif count == 2 then
            error({code = 42})
        end
    end, 3)
    local function dispatch() return curlwire.dispatch(50) end
    assert(ws:send("one"))
    local text = raises(dispatch, "first on purpose", "test_handlers.lua:", "traceback")
    assert(text:find("first on purpose.*traceback"))
    equal(ws.state, "open")
    assert(ws:send("two"))
    local ok, err = pcall(dispatch)
    equal(ok, false)
    equal(err.code, 42, "the code in the error value")
    assert(ws:send("three"))
    equal(dispatch(), 1)
    finish(ws)
end)

test("handler_receive_conflict", function(expect)
    local ws = open(support.echo())
    ws.on_message_received = expect(function() end, 0)
    raises(function() ws:receive() end, "on_message_received", "test_handlers.lua:")
    raises(function() ws:receive(0) end, "on_message_received")
    raises(function()
        for _ in ws:messages() do -- luacheck: ignore
        end
    end, "on_message_received", "test_handlers.lua:")
    equal(ws.state, "open")
    finish(ws)
end)

test("handler_wrong_type", function(expect)
    local ws, called = open(support.echo()), false
    local handler = expect(function() called = true end)
    ws.on_message_received = handler
    raises(function() ws.on_message_received = 42 end, "on_message_received", "function", "number")
    raises(function() ws.on_closed = "f" end, "on_closed", "function", "string")
    raises(function() ws.on_closed = {} end, "on_closed", "function", "table")
    equal(ws.on_message_received, handler)
    equal(ws.on_closed, nil)
    assert(ws:send("x"))
    support.dispatch_until(function() return called end)
    local object = setmetatable({}, {__call = expect(function(_, sender) equal(sender, ws) end)})
    ws.on_closed = object
    equal(ws.on_closed, object)
    finish(ws)
end)

test("run_until_closed", function(expect)
    local first = support.message_socket()
    local second = support.stream_socket()
    local ends = 0
    first.on_closed = expect(function() ends = ends + 1 end)
    second.on_closed = expect(function() ends = ends + 1 end)
    assert(first:connect(support.echo("/flood?count=10&size=1")))
    assert(second:connect(support.echo("/close?code=1001")))
    equal(curlwire.run(), true)
    equal(ends, 2)
    equal(curlwire.run(), true)
end)

test("dispatch_nested", function(expect)
    local ws = open(support.echo())
    ws.on_message_received = expect(function()
        raises(function() curlwire.dispatch(0) end, "inside a handler")
        raises(function() curlwire.run() end, "inside a handler")
        raises(coroutine.wrap(function() curlwire.dispatch(0) end), "inside a handler")
    end)
    assert(ws:send("x"))
    equal(curlwire.dispatch(50), 1)
    equal(curlwire.dispatch(0), 0)
    finish(ws)
end)

test("dispatch_without_sockets", function()
    equal(curlwire.dispatch(), 0) -- no open socket has a handler, so it must not wait
    equal(curlwire.dispatch(math.huge), 0)
    equal(curlwire.dispatch(0.01), 0)
    equal(curlwire.run(), true)
    assert(curlwire.fd() >= 0)
    equal(curlwire.fd(), curlwire.fd())
end)

test("handler_in_a_handler", function(expect)
    local first, second = open(support.echo()), open(support.echo())
    first.on_message_received = expect(function(ws)
        support.assert_echo(second, "nested", "utf8") -- a handler may make blocking calls of other sockets
        ws.on_message_received = expect(function(_, args) equal(args.data, "two") ws:close() end)
    end)
    assert(first:send("one"))
    assert(first:send("two"))
    curlwire.run()
    finish(second)
end)

test("handler_keeps_socket", function(expect)
    local name = expect(function(_, args) equal(args.code, 1000) end)
    do
        local ws = curlwire.connect(support.echo("/flood?count=100&size=10"))
        ws.on_message_received = expect(function() collectgarbage() end, 100)
        ws.on_closed = name
    end
    collectgarbage()
    collectgarbage()
    curlwire.run()
end)

test("handler_cycle_is_collected", function()
    local weak = setmetatable({}, {__mode = "v"})
    do
        local ws = support.message_socket()
        ws.on_closed = function() return ws end
        weak[1] = ws
        local open_one = require("curlwire").connect(support.echo())
        open_one.on_closed = function() return open_one end
        open_one:close()
        weak[2] = open_one
    end
    curlwire.run()
    -- weak[1] is still in the harness's list; the harness checks at the end of the case that it is collected
    collectgarbage()
    collectgarbage()
    equal(weak[2], nil)
end)

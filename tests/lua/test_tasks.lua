-- SPDX-License-Identifier: MIT
-- Tests the coroutines of curlwire.spawn. A test that needs the time of a wait measures its order, not its length.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local open, script, text_frame = support.open, support.script, support.text_frame

local IS_51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")
local NO_YIELD = IS_51 and "Lua 5.1 cannot yield in the iterator of a for loop" or nil
local LONG_S = 30 -- longer than any wait of these tests

-- As harness.raises, for a function that waits: Lua 5.1 cannot yield in pcall.
local function raises_later(f, ...)
    local results = {curlwire.pcall(f)}
    return raises(function() return results[1] or error(results[2], 0) end, ...)
end

-- Runs functions in coroutines until all have ended.
local function together(...)
    for _, f in ipairs {...} do
        curlwire.spawn(f)
    end
    equal(curlwire.run(), true)
end

-- Closes a socket in a coroutine.
local function leave(ws)
    assert(ws:close())
    equal(ws:wait_closed(), true)
    equal(ws.state, "closed")
end

-- ---- Each call that waits ----

test("tasks_receive", function(expect)
    local log = {}
    local function talk(name)
        return expect(function()
            local ws = open(support.echo())
            for i = 1, 3 do
                equal(ws:send(name .. i, "utf8"), true)
                local data, kind, is_complete = ws:receive()
                equal(data, name .. i)
                equal(kind, "utf8")
                equal(is_complete, true)
                log[#log + 1] = name
            end
            leave(ws)
        end)
    end
    together(talk "a", talk "b")
    equal(#log, 6)
end)

-- Each coroutine can go on only after the other has, so none blocks the other.
test("tasks_take_turns", function(expect)
    local one, other = open(support.echo()), open(support.echo())
    local function relay(from, to, first)
        return expect(function()
            if first then
                assert(to:send(first, "utf8"))
            end
            for _ = 1, 20 do
                local data = assert(from:receive(LONG_S))
                assert(to:send(data .. "+", "utf8"))
            end
        end)
    end
    together(relay(one, other), relay(other, one, "0"))
    for _, ws in ipairs {one, other} do
        support.finish(ws)
    end
end)

test("tasks_connect_fails", function(expect)
    together(expect(function()
        equal(failed(curlwire.connect(support.refused())).name, "CW_CONNECT_FAILED")
        local ws = support.message_socket()
        equal(failed(ws:connect(support.refused(), LONG_S)).name, "CW_CONNECT_FAILED")
        raises(function() require "curlwire".connect(nil) end, "test_tasks.lua:", "string expected")
        raises(function() ws:connect("http://localhost/") end, "ws://")
        raises(function() ws:connect(support.echo(), "soon") end, "soon")
        raises(function() ws:receive() end, "test_tasks.lua:", "not connected")
        equal(ws:connect(support.echo()), true)
        leave(ws)
    end))
end)

test("tasks_connect_beside_another", function(expect)
    local silent = support.message_socket()
    together(expect(function()
        equal(failed(silent:connect(script("hs:", "hang"), LONG_S)).status_name, "OperationCanceled")
    end), expect(function()
        leave(open(support.echo()))
        silent:abort()
    end))
end)

test("tasks_ping", function(expect)
    together(expect(function()
        local ws = open(support.echo())
        assert(ws:ping() > 0)
        leave(ws)
    end), expect(function()
        local ws = open(script("frame:1", "hang"))
        equal(failed(ws:ping(0.05)).message, "timed out after 0.05 s waiting for a pong: call again, or wait longer")
        equal(failed(ws:ping(0)).name, "CW_WOULD_BLOCK")
        ws:abort()
        equal(failed(ws:ping()).name, "CW_CLOSED")
    end))
end)

test("tasks_iterate", function(expect)
    together(expect(function()
        local ws = open(script(text_frame "a", text_frame "b", "close:1000"))
        local got = {}
        for data, kind in ws:messages() do
            got[#got + 1] = data .. kind
        end
        equal(table.concat(got, " "), "autf8 butf8")
        ws = open(script(text_frame "a", "end"))
        local ok, err = pcall(function()
            for data in ws:messages() do
                equal(data, "a")
            end
        end)
        equal(ok, false)
        equal(err.name, "CW_CLOSED")
    end))
end, NO_YIELD)

test("tasks_iterate_in_5_1", function(expect)
    together(expect(function()
        local ws = open(script("frame:1", "hang"))
        raises(function()
            for _ in ws:messages() do
                error("no message was sent")
            end
        end, "attempt to yield across")
        equal(failed(ws:receive(0.01)).name, "CW_TIMED_OUT")
        ws:abort()
    end))
end, not IS_51 and "only Lua 5.1 cannot" or nil)

test("tasks_time_out", function(expect)
    together(expect(function()
        local ws = open(script("hang"), {receive_timeout = 0.05})
        local err = failed(ws:receive())
        equal(err.message, "timed out after 0.05 s waiting for a message (receive_timeout): call again, or wait "
            .. "longer; to wait without a limit, set the timeout or receive_timeout to math.huge")
        equal(err.option, "receive_timeout")
        err = failed(ws:receive(0.1))
        equal(err.option, nil)
        equal(err.message, "timed out after 0.1 s waiting for a message: call again, or wait longer")
        equal(err.name, "CW_TIMED_OUT")
        equal(failed(ws:receive(0)).name, "CW_TIMED_OUT")
        equal(failed(ws:wait_closed(0.01)).name, "CW_TIMED_OUT")
        raises(function() ws:receive("now") end, "timeout must be a number of seconds", "now")
        raises(function() ws:receive(-1) end, "timeout must be a number of seconds", "-1")
        ws:abort()
    end))
end)

test("tasks_send_waits", function(expect)
    local data, token = ("x"):rep(8 * 1024 * 1024), support.token("tasks")
    local ws, is_sending = open(script("stall", "gate", "resume", "frame:3", "close:1000") .. "?id=" .. token), false
    together(expect(function()
        assert(ws:send(data, "binary"))
        is_sending = true
        equal(ws:send_many({data, "end"}, "binary"), 2)
        is_sending = false
        equal(failed(ws:receive()).code, 1000)
    end), expect(function()
        equal(is_sending, true)
        support.go(token)
    end))
    ws, is_sending = open(script("stall", "hang")), false
    together(expect(function()
        assert(ws:send(data, "binary"))
        is_sending = true
        equal(failed(ws:send(data, "binary", LONG_S)).name, "CW_CLOSED")
    end), expect(function()
        equal(is_sending, true)
        equal(failed(ws:ping(0.01)).name, "CW_TIMED_OUT")
        ws:abort()
    end))
end)

test("tasks_send_times_out", function(expect)
    local data = ("x"):rep(8 * 1024 * 1024)
    together(expect(function()
        local ws = open(script("stall", "hang"), {send_timeout = 0.1})
        assert(ws:send(data, "binary"))
        local late = failed(ws:send(data, "binary"))
        equal(late.message,
            "timed out after 0.1 s waiting for the server to take data (send_timeout): call again, or wait longer")
        equal(late.option, "send_timeout")
        equal(late.status_name, "Timeout")
        equal(curlwire.get_status(late), curlwire.WebErrorStatus.Timeout)
        equal(failed(ws:send(data, "binary", 0)).name, "CW_WOULD_BLOCK")
        local count, _, err = ws:send_many({data, data}, "binary", 0.01)
        equal(count, nil)
        equal(err.name, "CW_TIMED_OUT")
        equal(err.sent_count, 0)
        equal(failed(ws:flush()).name, "CW_TIMED_OUT")
        ws:abort()
    end))
end)

test("tasks_send_kinds", function(expect)
    local json = {encode = function(value) return "[" .. value .. "]" end, decode = function(text) return #text end}
    together(expect(function()
        local ws = open(support.echo())
        local pieces = {"one ", "two"}
        assert(ws:send(function()
            curlwire.sleep(0)
            return table.remove(pieces, 1)
        end, "utf8"))
        equal(ws:receive(), "one two")
        assert(ws:send(function() return nil end))
        assert(ws:send_json("x", json))
        equal(ws:receive_json(LONG_S, json), 3)
        equal(ws:send_nonfinal_frame("a"), 1)
        equal(ws:send_final_frame("b"), 1)
        equal(ws:receive(), "ab")
        equal(ws:batch(function()
            assert(ws:send("1"))
            assert(ws:send("2"))
        end), true)
        equal(ws:receive() .. ws:receive(), "12")
        raises(function() ws:batch(function() error("stop") end) end, "stop")
        raises(function() ws:batch(1) end, "function expected, got number")
        raises(function() ws:send(1) end, "string or function expected")
        raises(function() ws:send("\255", "utf8") end, "UTF-8")
        raises(function() ws:send_many({"a", "\255"}, "utf8") end, "item 2")
        equal(ws:receive(), "a")
        equal(ws:flush(), true)
        raises(function() ws:send(function() return 1 end) end, "returned a number")
        raises(function() ws:send(function() error("broken", 0) end) end, "broken")
        leave(ws)
    end))
end)

test("tasks_receive_stream", function(expect)
    together(expect(function()
        local ws = open(script(text_frame "first line", "frame:1", text_frame "x\ny"), {receive_mode = "partial"})
        local stream, kind = ws:receive_stream()
        equal(kind, "utf8")
        equal(stream:read(5, "a"), "first")
        assert(ws:send("go"))
        stream = ws:receive_stream()
        equal(stream:read("l"), "x")
        equal(stream:read("a"), "y")
        equal(stream:read("l"), nil)
        equal(failed(ws:receive_stream(0.01)).name, "CW_TIMED_OUT")
        ws:abort()
    end))
end)

test("tasks_streams", function(expect)
    together(expect(function()
        local ws = support.open_stream(support.echo())
        equal(ws.output_stream:write("one\n", 2, "\n"), ws.output_stream)
        equal(ws.input_stream:read("l", "L"), "one")
        assert(ws.output_stream:write("3\n4"))
        equal(ws.output_stream:flush(), ws.output_stream)
        equal(ws.input_stream:read(3), "3\n4")
        local writer, reader = curlwire.DataWriter(ws.output_stream), curlwire.DataReader(ws.input_stream)
        writer:write_int32(7)
        equal(writer:store(), 4)
        equal(writer:flush(), true)
        equal(reader:load(4), 4)
        equal(reader:read_int32(), 7)
        equal(ws.output_stream:close(), true)
        raises(function() ws.output_stream:write("x") end, "closed stream")
        leave(ws)
        ws = support.stream_socket {receive_timeout = 0.05}
        assert(ws:connect(script("x:820161", "hang")))
        equal(support.until_value(ws.input_stream.read, ws.input_stream, 1), "a")
        local err = failed(ws.input_stream:read("a"))
        equal(err.name, "CW_TIMED_OUT")
        assert(err.message:find("0.05 s waiting for bytes to read %(receive_timeout%)"), err.message)
        ws:abort()
    end))
end)

test("tasks_lines", function(expect)
    together(expect(function()
        local ws, got = support.stream_socket(), {}
        assert(ws:connect(script("x:8203610a62", "x:82020a63", "close:1000")))
        for line in ws.input_stream:lines() do
            got[#got + 1] = line
        end
        equal(table.concat(got, ","), "a,b,c")
        ws = support.stream_socket()
        assert(ws:connect(script("x:820161", "end")))
        local ok, err = pcall(function()
            for line in ws.input_stream:lines() do
                error("half a line: " .. line)
            end
        end)
        equal(ok, false)
        equal(err.name, "CW_CLOSED")
    end))
end, NO_YIELD)

test("tasks_close_in_scope", function(expect)
    together(expect(function()
        local kept
        local chunk = assert(support.load("local open, keep = ... local ws <close> = open() keep(ws)"))
        chunk(function() return open(support.echo()) end, function(ws) kept = ws end)
        equal(kept.state, "closed")
        equal(kept.close_code, 1000)
        raises(function()
            support.load("local open, keep = ... local ws <close> = open() keep(ws) error('away')")(
                function() return open(support.echo()) end, function(ws) kept = ws end)
        end, "away")
        equal(kept.close_code, 1011)
    end))
end, not support.load("local x <close> = nil") and "only Lua 5.4 has <close>" or nil)

test("tasks_certificate", function(expect)
    local options = {ca_file = support.ca_file()}
    together(expect(function()
        local ws = support.message_socket(options)
        ws.on_server_custom_validation_requested = expect(function(sender, args)
            equal(sender, ws)
            assert(args.server_certificate.subject)
        end)
        assert(ws:connect(support.echo_tls()))
        leave(ws)
        ws = support.message_socket(options)
        ws.on_server_custom_validation_requested = function(_, args) args.reject() end
        equal(failed(ws:connect(support.echo_tls())).name, "CW_CONNECT_FAILED")
        ws = support.message_socket(options)
        ws.on_server_custom_validation_requested = function() error("no answer") end
        raises_later(function() ws:connect(support.echo_tls()) end, "no answer")
    end))
end)

-- ---- Ends, errors ----

test("tasks_close_wakes_others", function(expect)
    local ws = open(support.echo())
    together(expect(function() equal(failed(ws:receive(LONG_S)).name, "CW_CLOSED") end), expect(function()
        curlwire.sleep(0)
        leave(ws)
    end))
end)

test("tasks_error", function(expect)
    local ws = open(support.echo())
    curlwire.spawn(function()
        curlwire.sleep(0)
        error("first")
    end)
    local after_first = curlwire.spawn(function()
        local function inner()
            assert(ws:send("x", "utf8"))
            error("second: " .. ws:receive())
        end
        coroutine.yield() -- receive need not wait, so without this yield the second error may come first
        inner()
    end)
    local last = curlwire.spawn(expect(function()
        coroutine.yield()
        leave(ws)
    end))
    local first = raises(curlwire.run, "test_tasks.lua", "stack traceback")
    curlwire.resume(after_first)
    local second = raises(curlwire.run, "test_tasks.lua", "stack traceback")
    curlwire.resume(last)
    assert(first:find(": first\n"), first)
    assert(second:find(": second: x\n"), second)
    assert(second:find("in .*inner"), second)
    equal(curlwire.run(), true)
    curlwire.spawn(function() error({code = 7}) end)
    local ok, err = pcall(curlwire.run)
    equal(ok, false)
    equal(err.code, 7)
    equal(curlwire.run(), true)
end)

test("tasks_resume", function(expect)
    local log = {}
    local sleeper = curlwire.spawn(expect(function(...)
        equal(select("#", ...), 2)
        log[1] = table.concat({coroutine.yield()}, ",")
        log[2] = select("#", coroutine.yield())
    end), 1, nil)
    curlwire.spawn(expect(function()
        equal(curlwire.resume(sleeper, "a", "b"), true)
        equal(curlwire.resume(sleeper), false, "a second resume")
        curlwire.sleep(0)
        curlwire.sleep(0)
        equal(curlwire.resume(sleeper, nil, nil), true)
    end))
    equal(curlwire.run(), true)
    equal(log[1], "a,b")
    equal(log[2], 2)
    raises(function() curlwire.resume(sleeper) end, "has ended")
    raises(function() curlwire.spawn(1) end, "function expected, got number")
end)

test("tasks_deadlock", function(expect)
    local function wait_for_nothing()
        coroutine.yield()
    end
    local stuck = curlwire.spawn(expect(wait_for_nothing))
    raises(curlwire.run, "deadlock: 1 coroutines wait", "curlwire.resume", "test_tasks.lua")
    equal(curlwire.dispatch(), 0)
    equal(curlwire.resume(stuck), true)
    equal(curlwire.run(), true)
end)

test("tasks_two_receivers", function(expect)
    local ws = open(support.echo())
    together(expect(function() equal(ws:receive(LONG_S), "x") end), expect(function()
        raises(function() ws:receive() end, "another coroutine already waits for data")
        raises(function() ws:receive_stream() end, "another coroutine already waits for data")
        assert(ws:send("x"))
    end))
    support.finish(ws)
end)

-- ---- Beside handlers and other code ----

test("tasks_handlers", function(expect)
    local with, got = open(support.echo()), {}
    with.on_message_received = expect(function(ws, args)
        got[#got + 1] = args.data
        curlwire.spawn(expect(function()
            curlwire.sleep(0)
            assert(ws:close())
        end))
    end)
    with.on_closed = expect(function() got[#got + 1] = "closed" end)
    together(expect(function()
        local ws = open(support.echo())
        assert(with:send("hello"))
        assert(ws:send("x"))
        equal(ws:receive(), "x")
        leave(ws)
    end))
    equal(table.concat(got, " "), "hello closed")
end)

test("tasks_handler_error", function(expect)
    local ws = open(script(text_frame "a", text_frame "b", "close:1000"))
    ws.on_message_received = expect(function(_, args) error("handler of " .. args.data) end, 2)
    ws.on_closed = expect(function() end)
    curlwire.spawn(expect(function() curlwire.sleep(0.01) end))
    raises(curlwire.run, "handler of a")
    raises(curlwire.run, "handler of b")
    equal(curlwire.run(), true)
end)

test("tasks_dispatch_inside", function(expect)
    local ws, count = open(support.echo()), 0
    ws.on_message_received = function() count = count + 1 end
    together(expect(function()
        equal(curlwire.dispatch(0), 0)
        assert(ws:send("x"))
        repeat
            assert(ws:dispatch(LONG_S))
        until count > 0
        equal(curlwire.dispatch(0.01), 0)
        assert(ws:send("y"))
        repeat
            assert(curlwire.dispatch())
        until count > 1
        raises(function() curlwire.run() end, "because it runs already")
        ws.on_message_received = nil
        equal(curlwire.dispatch(), 0)
        leave(ws)
    end))
end)

test("tasks_foreign_coroutine", function(expect)
    local ws, order = open(support.echo()), {}
    local function exchange()
        assert(ws:send("x"))
        order[#order + 1] = ws:receive()
    end
    coroutine.wrap(exchange)() -- outside of spawn it blocks
    equal(order[1], "x")
    together(expect(function()
        coroutine.wrap(exchange)() -- and in a coroutine that the script resumes
        order[#order + 1] = "y"
    end), expect(function() order[#order + 1] = "z" end))
    equal(table.concat(order, ""), "xxyz")
    support.finish(ws)
end)

test("tasks_functions_taken_before", function(expect)
    local ws = open(support.echo())
    local receive, connect = ws.receive, require "curlwire".connect
    local taken
    together(expect(function()
        taken = ws.receive
        raises(function() receive(ws) end, "would stop all coroutines")
        if connect ~= require "curlwire".connect then -- taken before the first spawn
            raises(function() connect(support.echo()) end, "would stop all coroutines")
        end
    end))
    assert(ws:send("x"))
    equal(taken(ws), "x") -- a function of a coroutine blocks outside
    support.finish(ws)
end)

test("tasks_pcall", function(expect)
    local ws = open(support.echo())
    together(expect(function()
        local ok, data = curlwire.pcall(function(...)
            equal(select("#", ...), 2)
            assert(ws:send("x"))
            local outer = {curlwire.pcall(function() return ws:receive(), coroutine.yield ~= nil end)}
            equal(outer[1], true)
            return outer[2]
        end, 1, nil)
        equal(ok, true)
        equal(data, "x")
        local _, err = curlwire.pcall(function()
            curlwire.sleep(0)
            error({7})
        end)
        equal(err[1], 7)
    end))
    equal(select("#", curlwire.pcall(function() return nil, nil end)), 3)
    support.finish(ws)
end)

test("tasks_sleep", function(expect)
    local count = 0
    local function sleep(seconds)
        return expect(function()
            equal(curlwire.sleep(seconds), true)
            count = count + 1
        end)
    end
    together(sleep(0.04), sleep(0.01), sleep(0.03), sleep(0), sleep(0.02))
    equal(count, 5)
    equal(curlwire.sleep(0.01), true)
    raises(function() curlwire.sleep() end, "timeout must be")
end)

-- The next deadline counts, in whatever order the waits begin and end.
test("tasks_deadlines", function(expect)
    local limits, sockets, has_ended = {5000, 1000, 7000, 3000, 4000, 2000, 6000}, {}, {}
    for i, limit in ipairs(limits) do
        sockets[limit] = open(support.echo())
        curlwire.spawn(expect(function()
            equal(failed(sockets[limit]:receive(limit)).name, "CW_CLOSED")
            has_ended[limit] = true
        end))
        curlwire.dispatch(0)
        local least = math.huge
        for k = 1, i do
            least = math.min(least, limits[k])
        end
        assert(curlwire.timeout() <= least and curlwire.timeout() > least - 500)
    end
    for _, closed in ipairs {3000, 1000, 7000, 2000, 4000, 5000} do
        sockets[closed]:abort()
        repeat
            curlwire.dispatch(LONG_S)
        until has_ended[closed]
        sockets[closed] = nil
        local least = math.huge
        for limit in pairs(sockets) do
            least = math.min(least, limit)
        end
        assert(curlwire.timeout() <= least and curlwire.timeout() > least - 500)
    end
    sockets[6000]:abort()
    equal(curlwire.run(), true)
end)

test("tasks_timeout", function(expect)
    equal(curlwire.timeout(), nil)
    local ws = open(support.echo())
    ws.on_closed = function() end
    equal(curlwire.timeout(), math.huge)
    curlwire.spawn(expect(function() equal(failed(ws:receive(LONG_S)).name, "CW_CLOSED") end))
    local sleeper = curlwire.spawn(expect(function() coroutine.yield() end))
    equal(curlwire.timeout(), 0)
    assert(curlwire.dispatch(0) >= 2)
    local left = curlwire.timeout()
    assert(left > LONG_S / 2 and left <= LONG_S, left)
    equal(ws:fileno(), curlwire.fd())
    curlwire.resume(sleeper)
    assert(ws:dispatch(0) >= 1)
    ws:close()
    equal(curlwire.run(), true)
    equal(curlwire.timeout(), nil)
end)

-- A coroutine that always has data does not keep others from running.
test("tasks_fair", function(expect)
    local ws, count, is_over = open(support.echo()), 0, false
    for _ = 1, 2000 do
        assert(ws:send("x"))
    end
    together(expect(function()
        while count < 2000 do
            assert(ws:receive())
            count = count + 1
        end
        is_over = true
    end), expect(function()
        while count == 0 do
            curlwire.sleep(0)
        end
        equal(is_over, false)
    end))
    support.finish(ws)
end)

test("tasks_many", function(expect)
    local bodies = {}
    for i = 1, 50 do
        bodies[i] = expect(function()
            local ws = open(support.echo())
            for k = 1, 4 do
                assert(ws:send(i .. "." .. k))
                equal(ws:receive(), i .. "." .. k)
                curlwire.sleep(0.001 * (i % 5))
            end
            leave(ws)
        end)
    end
    together(support.unpack(bodies))
end)

test("tasks_interrupt", function()
    local output = support.run_program(([[
        local curlwire = require "curlwire"
        curlwire.spawn(function()
            local ws = assert(curlwire.connect(%q))
            io.stdout:write("ready\n") io.stdout:flush()
            ws:receive(50)
        end)
        curlwire.run()]]):format(support.echo()), [[sh -c '
        %s > "$0" 2>&1 & pid=$!
        until grep -q ready "$0" 2>/dev/null; do kill -0 $pid 2>/dev/null || break; sleep 0.02; done
        kill -INT $pid; wait $pid; cat "$0"; rm -f "$0"' ]] .. os.tmpname())
    assert(output:find("interrupted!", 1, true), output)
end)

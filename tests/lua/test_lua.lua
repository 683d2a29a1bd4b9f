-- SPDX-License-Identifier: MIT
-- Tests that only Lua needs: coroutines, the collector, the end of a state, loading.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal, raises = harness.test, harness.equal, harness.raises
local open, finish = support.open, support.finish

test("coroutine_calls", function()
    local ws = open(support.echo())
    local messages = coroutine.wrap(function()
        for message in ws:messages() do
            coroutine.yield(message)
        end
    end)
    for i = 1, 10 do
        assert(ws:send(tostring(i), "utf8"))
        equal(messages(), tostring(i))
    end
    equal(coroutine.wrap(function() return ws:ping(50) end)() > 0, true)
    ws:close()
    equal(messages(), nil)
    finish(ws)
end)

test("coroutine_made_and_dropped", function(expect)
    local ws = coroutine.wrap(function()
        local made = open(support.echo())
        made.on_message_received = expect(function(_, args) equal(args.data, "x") end)
        return made
    end)()
    collectgarbage()
    assert(ws:send("x"))
    equal(coroutine.wrap(function() return curlwire.dispatch(50) end)(), 1)
    finish(ws)
end)

test("parts_keep_their_socket", function()
    local control = curlwire.MessageWebSocket().control
    local output = require("curlwire").StreamWebSocket().output_stream
    collectgarbage()
    collectgarbage()
    equal(control.verify, true)
    raises(function() output:write("x") end, "test_lua.lua:")
end)

test("collected_socket_is_refused", function()
    local program = ([[
        local curlwire = require "curlwire"
        local gc = debug.getregistry()["curlwire.MessageWebSocket"].__gc
        local ws = curlwire.MessageWebSocket()
        gc(ws)
        gc(ws)
        local open = assert(curlwire.connect(%q))
        open.on_closed = print
        gc(open)
        curlwire.run() -- does not wait, because no event can come
        print(tostring(ws))
        print(pcall(function() return ws.state end))
        print(pcall(function() ws:send("x") end))
        print(pcall(function() ws.control.verify = false end))]]):format(support.echo())
    local output, status = support.run_program(program)
    equal(status, 0, output)
    local _, count = output:gsub("collected", "")
    assert(count >= 3, output)
end)

test("state_ends_with_open_sockets", function()
    local token = support.token("state")
    local program = ([[
        local curlwire = require "curlwire"
        local first = assert(curlwire.connect(%q))
        first.on_message_received = function() end
        local second = assert(curlwire.connect(%q))
        local stream = curlwire.StreamWebSocket()
        assert(stream:connect(%q))
        stream.input_stream:read(1)
        kept = {first, second, stream}
        print("end of the program")]]):format(support.script("echo", "end") .. "?id=" .. token, support.echo("/ticker"),
        support.echo("/flood?count=100000&size=100"))
    local output, status = support.run_program(program)
    equal(output, "end of the program\n")
    equal(status, 0)
    local log = support.log(token)
    assert(log:find('"opcode": 8', 1, true), log)
end)

test("finalizers_after_the_end", function()
    local program = ([[
        local curlwire
        local function last_words()
            print(pcall(curlwire.connect, %q))
            print(pcall(curlwire.StreamWebSocket))
            print(pcall(curlwire.fd))
            print(pcall(function() return kept.state end))
        end
        if newproxy then -- this object is older than the module, so its finalizer runs after the module's
            holder = newproxy(true)
            getmetatable(holder).__gc = last_words
        else
            holder = setmetatable({}, {__gc = last_words})
        end
        curlwire = require "curlwire"
        kept = assert(curlwire.connect(%q))]]):format(support.echo(), support.echo())
    local output, status = support.run_program(program)
    equal(status, 0, output)
    local _, ended = output:gsub("false\t[^\n]*has ended, because its Lua state", "")
    equal(ended, 3, output)
    assert(output:find("false\t[^\n]*collected"), output)
end)

test("module_loaded_twice", function()
    local core = package.loaded["curlwire.core"]
    local ws = open(support.echo())
    package.loaded["curlwire.core"] = nil
    local again = require "curlwire.core"
    package.loaded["curlwire.core"] = core
    local err = select(3, again.connect(support.refused()))
    equal(curlwire.get_status(err), curlwire.WebErrorStatus.CannotConnect)
    equal(again.fd(), curlwire.fd())
    support.assert_echo(ws, "x", "utf8")
    finish(ws)
end)

test("memory_stays_level", function()
    local ws = open(support.echo())
    local function use(count)
        for _ = 1, count do
            assert(ws:send("some message", "utf8"))
            assert(ws:receive())
            ws.on_closed = function() return ws end
            ws.on_closed = nil
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage("count")
    end
    use(50)
    local before = use(50)
    local after = use(500)
    assert(after < before + 16, ("%.1f KiB became %.1f KiB"):format(before, after))
    finish(ws)
end)

test("error_objects", function()
    local err = select(3, curlwire.connect(support.refused()))
    equal(getmetatable(err), "protected")
    equal(tostring(err), err.message)
    equal(pcall(error, err), false)
    equal(select(2, pcall(error, err)), err)
end)

test("annotations_agree", function()
    local text = support.annotations()
    local function documented(what)
        assert(text:find(what, 1, true), "annotations.lua does not tell of " .. what)
    end
    for name, value in pairs(require "curlwire") do
        documented(type(value) == "function" and "function curlwire." .. name .. "(" or "field " .. name .. " ")
    end
    -- each function of annotations.lua exists
    local message, stream = support.message_socket(), support.stream_socket()
    local objects = {
        curlwire = require "curlwire", MessageWebSocket = message, StreamWebSocket = stream, WebSocket = message,
        OutputStream = stream.output_stream, InputStream = stream.input_stream,
        DataReader = curlwire.DataReader.from_buffer(""), DataWriter = curlwire.DataWriter(),
        CookieJar = curlwire.CookieJar(),
        ReconnectingWebSocket = curlwire.ReconnectingWebSocket(support.refused()),
        MessageArgs = {get_data_reader = error, get_data_stream = error}, -- test_data.lua calls them
    }
    local count = 0
    for name, method in text:gmatch("\nfunction (%w+)[.:]([%w_]+)%(") do
        count = count + 1
        equal(type(objects[name][method]), "function", name .. "." .. method)
    end
    assert(count > 20)
    for _, name in ipairs {
        "abort", "add_request_header", "close", "connect", "flush", "ping", "set_connected_socket",
        "set_request_header", "wait_closed",
    } do
        documented("function WebSocket:" .. name .. "(")
    end
    for _, name in ipairs {"send", "receive", "messages", "send_final_frame", "send_nonfinal_frame"} do
        documented("function MessageWebSocket:" .. name .. "(")
    end
    local ok, names = pcall(function() return message.control.none end)
    equal(ok, false)
    for key in names:match("it has (.*)"):gmatch("[%w_]+") do
        documented("field " .. key)
    end
end)

-- SPDX-License-Identifier: MIT
-- Tests traces: trace_file and on_trace.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local finish = support.finish
local curlwire = require "curlwire"

local SECRET = "S3cr3t"

local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

local function has(text, part) assert(text:find(part, 1, true), part .. " is not in: " .. text) end

test("trace_file", function()
    local path = os.tmpname()
    local ws = support.message_socket {
        trace_file = path, trace_payload = 4, trace_secret_headers = {"X-Mine"}, message_type = "utf8",
        supported_protocols = {"chat", SECRET .. "0"},
    }
    ws:set_request_header("X-Mine", SECRET)
    ws:set_request_header("Cookie", "a=" .. SECRET)
    assert(ws:connect((support.echo():gsub("://", "://us:" .. SECRET .. "@")) .. "?token=" .. SECRET))
    assert(ws:send("hello"))
    equal(ws:receive(50), "hello")
    finish(ws)
    local text = read(path)
    os.remove(path)
    has(text, "> head GET /?*** HTTP/1.1\n")
    has(text, "> head X-Mine: ***\n")
    has(text, "> head Cookie: ***\n")
    has(text, "> head Authorization: ***\n")
    has(text, "> head Sec-WebSocket-Protocol: chat, ***\n")
    has(text, '> frame text fin=1 len=5 "hell"...\n')
    has(text, '< frame text fin=1 len=5 "hell"...\n')
    has(text, "* curlwire: the connection has ended: code 1000\n")
    assert(not text:find(SECRET, 1, true), text)
end)

test("trace_file_bad", function()
    local ws = support.message_socket {trace_file = "/nowhere/trace"}
    local err = failed(ws:connect(support.echo()))
    has(err.message, "trace_file '/nowhere/trace' cannot be used: No such file or directory; check the path")
    equal(ws.state, "new")
end)

test("on_trace", function()
    local lines = {}
    local ws = support.message_socket {message_type = "utf8"}
    ws.on_trace = function(sender, line)
        equal(sender, ws)
        lines[#lines + 1] = line
    end
    equal(type(ws.on_trace), "function")
    assert(ws:connect(support.echo()))
    assert(ws:send("hello"))
    equal(ws:receive(50), "hello")
    assert(ws:close())
    assert(ws:wait_closed(50))
    while curlwire.dispatch(0) > 0 do end
    local text = table.concat(lines, "\n")
    has(text, "< head HTTP/1.1 101 ")
    has(text, '> frame text fin=1 len=5 "hello"')
    has(lines[#lines], "the connection has ended: code 1000")
    equal(curlwire.run(), true) -- a socket that has only on_trace does not make run wait
end)

-- The lines of a connect that failed are delivered, though the socket was never open.
test("on_trace_failed", function()
    local lines = {}
    local ws = support.message_socket()
    ws.on_trace = function(_, line) lines[#lines + 1] = line end
    failed(ws:connect("ws://127.0.0.1:1/"))
    while curlwire.dispatch(0) > 0 do end
    has(lines[#lines], "* curlwire: the connect has failed: ")
    ws.on_trace = nil
    local count = #lines
    failed(ws:connect("ws://127.0.0.1:1/"))
    while curlwire.dispatch(0) > 0 do end
    equal(#lines, count)
    raises(function() ws.on_trace = 1 end, "on_trace must be a function")
end)

test("on_trace_beside_others", function()
    local lines, messages, closed = 0, {}, nil
    local ws = support.message_socket {message_type = "utf8"}
    ws.on_trace = function() lines = lines + 1 end
    ws.on_message_received = function(_, args)
        messages[#messages + 1] = args.data
        ws:close()
    end
    ws.on_closed = function(_, args) closed = args.code end
    assert(ws:connect(support.echo()))
    assert(ws:send("hello"))
    curlwire.run()
    equal(#messages, 1)
    equal(closed, 1000)
    assert(lines > 8)
end)

-- A socket that is collected gets no more lines.
test("on_trace_keeps_nothing", function()
    local held = setmetatable({}, {__mode = "v"})
    do
        local ws = curlwire.connect(support.echo()) -- the harness would keep its own
        ws.on_trace = function() end
        held[1] = ws
    end
    collectgarbage()
    collectgarbage()
    equal(held[1], nil)
    while curlwire.dispatch(0) > 0 do end
end)

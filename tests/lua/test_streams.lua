-- SPDX-License-Identifier: MIT
-- Tests input_stream and output_stream, which have the methods of Lua's files.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local open, open_stream, finish = support.open, support.open_stream, support.finish
local WebErrorStatus = harness.curlwire.WebErrorStatus

-- Opens a StreamWebSocket. Its server sends each text as a message, and then closes with 1000.
local function open_with(...)
    local steps = {}
    for i, text in ipairs {...} do
        steps[i] = "x:" .. support.frame(2, text)
    end
    steps[#steps + 1] = "close:1000"
    return open_stream(support.script(support.unpack(steps)))
end

test("stream_echo", function()
    local ws = open_stream(support.echo())
    local bytes = "\0\1\2\3\4\5\6\7\8\9"
    equal(ws.output_stream:write(bytes), ws.output_stream, "what write returns")
    equal(ws.input_stream:read(4), bytes:sub(1, 4))
    equal(ws.input_stream:read(6), bytes:sub(5))
    finish(ws)
end)

test("stream_large", function()
    local ws = open_stream(support.echo())
    local pieces = {}
    for i = 1, 64 do
        pieces[i] = string.char(i):rep(131072)
        assert(ws.output_stream:write(pieces[i]))
        equal(ws.input_stream:read(131072), pieces[i], "piece " .. i)
    end
    assert(ws.output_stream:write(table.concat(pieces, "", 1, 16)))
    equal(ws.input_stream:read(16 * 131072), table.concat(pieces, "", 1, 16), "16 pieces in one")
    finish(ws)
end)

test("stream_lines", function()
    local ws = open_with("one\ntw", "o\n", "\nlast")
    local lines = {}
    for line in ws.input_stream:lines() do
        lines[#lines + 1] = line
    end
    equal(table.concat(lines, "|"), "one|two||last")
    equal(ws.input_stream:read("l"), nil)
    assert(ws:wait_closed(50))

    ws = open_with("one\ntwo\n")
    lines = {}
    for line in ws.input_stream:lines("L") do
        lines[#lines + 1] = line
    end
    equal(table.concat(lines, "|"), "one\n|two\n")
    assert(ws:wait_closed(50))

    ws = open_with("12345")
    lines = {}
    for a, b in ws.input_stream:lines(2, "*l") do
        lines[#lines + 1] = a .. "," .. tostring(b)
    end
    equal(table.concat(lines, "|"), "12,345")
    assert(ws:wait_closed(50))
end)

test("stream_formats", function()
    local ws = open_with("line\nmore\nrest of ", "it")
    local stream = ws.input_stream
    equal(stream:read(0), "")
    equal(stream:read(), "line")
    local a, b, c = stream:read(2, "*L", 0)
    equal(a, "mo")
    equal(b, "re\n")
    equal(c, "")
    equal(stream:read("a"), "rest of it")
    equal(stream:read("*a"), "")
    equal(stream:read(0), nil)
    local x, y, z = stream:read("a", 1, "a")
    equal(x, "")
    equal(y, nil)
    equal(z, nil)
    equal(select("#", stream:read(1, "a")), 1)
    raises(function() stream:read("n") end, "\"n\" is not supported", "tonumber", "test_streams.lua:")
    raises(function() stream:read("x") end, "invalid format \"x\": use \"l\", \"L\", \"a\" or a count of bytes")
    raises(function() stream:read(-1) end, "a count of bytes must be a whole number, 0 or more, not -1")
    raises(function() stream:read(0.5) end, "not 0.5")
    raises(function() stream.read(5) end, "curlwire.InputStream expected, got number", "with a colon")
    raises(function() stream:read(1.5) end, "whole number")
    raises(function() stream:read({}) end, "string expected")
    assert(ws:wait_closed(50))
end)

test("stream_line_without_end", function()
    local ws = open_stream(support.echo())
    local line = ("0123456789"):rep(50000)
    assert(ws.output_stream:write(line, "\n"))
    equal(ws.input_stream:read("l"), line)
    finish(ws)
end)

test("stream_timeout_keeps_bytes", function()
    local ws = open_stream(support.echo(), {receive_timeout = 0.05})
    assert(ws.output_stream:write("half"))
    equal(failed(ws.input_stream:read(8)).status, WebErrorStatus.Timeout)
    equal(failed(ws.input_stream:read("l")).status, WebErrorStatus.Timeout)
    assert(ws.output_stream:write(" way\n"))
    equal(support.until_value(ws.input_stream.read, ws.input_stream, "l"), "half way")
    finish(ws)
end)

test("stream_text_frames", function()
    local ws = open_stream(support.script(support.text_frame("text"), "x:" .. support.frame(2, "bytes"), "close:1000"))
    equal(ws.input_stream:read("a"), "textbytes")
    assert(ws:wait_closed(50))
end)

test("stream_end_clean", function()
    local ws = open_with("last")
    equal(ws.input_stream:read(100), "last")
    equal(ws.input_stream:read(100), nil)
    equal(select("#", ws.input_stream:read(100)), 1)
    assert(ws:wait_closed(50))
    equal(ws.close_code, 1000)
end)

test("stream_end_ours", function()
    local ws = open_stream(support.echo())
    ws:close()
    equal(ws.input_stream:read(1), nil)
    equal(select("#", ws.input_stream:read("l")), 1)
    equal(ws.input_stream:read("a"), "")
    finish(ws)
end)

test("stream_end_lost", function()
    local ws = open_stream(support.script("x:" .. support.frame(2, "cut"), "end"))
    local err = failed(ws.input_stream:read("a"))
    equal(err.code, 1006)
    equal(ws.input_stream:read(3), "cut", "what came is still there")
    failed(ws.input_stream:read(1))
    raises(function()
        for _ in ws.input_stream:lines() do -- luacheck: ignore
        end
    end)
    equal(ws.state, "closed")
end)

local CUT_ENDS = {
    {"close:1001", code = 1001},
    {"close:1008", code = 1008},
    {"close:1011", code = 1011},
    {"close:4000", code = 4000},
    {"end", code = 1006},
    {"x:0200", "close:1000", code = 1000}, -- a message has begun and not ended
    {"x:0200", "close", code = 1005},
}

-- Calls check with a stream for each of these ends; a text comes first. Then checks that reading still fails.
local function each_cut(check)
    for _, row in ipairs(CUT_ENDS) do
        local ws = open_stream(support.script("x:" .. support.frame(2, "one\ntwo"), support.unpack(row)))
        local err = check(ws.input_stream)
        equal(err.name, "CW_CLOSED", row[1])
        equal(err.code, row.code, row[1])
        equal(failed(ws.input_stream:read("a")).code, row.code)
        ws:close()
    end
end

local function drain(stream, format)
    local pieces = {}
    while true do
        local piece, err, object = stream:read(format)
        if not piece then
            return table.concat(pieces, "|"), object or err
        end
        pieces[#pieces + 1] = piece
    end
end

-- Runs an iteration. Returns its values, joined, and the error that it raised.
local function drain_lines(...)
    local pieces, next_line = {}, ...
    local ok, err = pcall(function()
        for line in next_line do
            pieces[#pieces + 1] = line
        end
    end)
    equal(ok, false)
    return table.concat(pieces, "|"), err
end

-- A count of bytes returns the rest before it fails. A line or "a" would look complete, so it fails at once and the
-- bytes stay.
test("stream_end_cut", function()
    each_cut(function(stream)
        local text, err = drain(stream, 100)
        equal(text, "one\ntwo")
        return err
    end)
    each_cut(function(stream)
        local text, err = drain(stream, "l")
        equal(text, "one")
        equal(stream:read(10), "two")
        return err
    end)
    each_cut(function(stream)
        local text, err = drain(stream, "L")
        equal(text, "one\n")
        return err
    end)
    each_cut(function(stream)
        local err = failed(stream:read("a"))
        equal(stream:read(3), "one")
        return err
    end)
    each_cut(function(stream)
        local text, err = drain_lines(stream:lines())
        equal(text, "one")
        return err
    end)
    each_cut(function(stream)
        local text, err = drain_lines(stream:lines(4))
        equal(text, "one\n|two")
        return err
    end)
    each_cut(function(stream)
        return (select(2, drain_lines(stream:lines("a"))))
    end)
    for _, last in ipairs {"close:1000", "close"} do
        local ws = open_stream(support.script("x:" .. support.frame(2, "one\ntwo"), last))
        equal(ws.input_stream:read("l", "a"), "one")
        equal(ws.input_stream:read("a"), "")
        ws:close()
    end
end)

test("stream_message_output", function()
    local ws = open(support.echo(), {message_type = "utf8"})
    assert(ws.output_stream:write("one ", 2, " three"))
    local data, message_type = ws:receive()
    equal(data, "one 2 three")
    equal(message_type, "utf8")
    assert(ws.output_stream:write(""))
    equal(ws:receive(), "")
    equal(ws.output_stream:write(), ws.output_stream) -- without arguments it writes nothing, as a file does
    assert(ws.output_stream:write("next"))
    equal(ws:receive(), "next")
    raises(function() ws.output_stream:write({}) end, "string expected", "test_streams.lua:")
    raises(function() ws.output_stream:write("a", nil) end, "string expected")
    equal(ws.output_stream:flush(), ws.output_stream)
    equal(ws.output_stream:setvbuf("full", 1024), true)
    equal(ws.output_stream:setvbuf("no"), true)
    raises(function() ws.output_stream:setvbuf("some") end, "invalid option")
    finish(ws)
end)

test("stream_closed_stream", function()
    local ws = open_stream(support.echo())
    local output, input = ws.output_stream, ws.input_stream
    assert(output:write("abc"))
    equal(output:close(), true)
    raises(function() output:write("x") end, "closed stream", "test_streams.lua:")
    raises(function() output:flush() end, "closed stream")
    raises(function() output:close() end, "closed stream")
    raises(function() ws.output_stream:write("x") end, "closed stream")
    equal(tostring(output), "curlwire.OutputStream (closed)")
    equal(ws.state, "open") -- WebSocket has no half-close: both directions go on
    equal(input:read(3), "abc")
    local lines = input:lines()
    equal(input:close(), true)
    raises(function() input:read() end, "closed stream")
    raises(function() input:lines() end, "closed stream")
    raises(function() lines() end, "closed stream")
    equal(tostring(input), "curlwire.InputStream (closed)")
    equal(ws.state, "open")
    assert(ws:ping(50))
    finish(ws)
end)

test("stream_close_is_no_half_close", function()
    local token = support.token("half")
    local ws = open(support.script("echo", "end") .. "?id=" .. token, {message_type = "utf8"})
    assert(ws.output_stream:write("one"))
    equal(ws.output_stream:close(), true)
    equal(ws:receive(50), "one")
    support.assert_echo(ws, "two", "utf8") -- only the stream object is closed
    finish(ws)
    local _, count = support.log(token):gsub('"opcode": 8', "")
    equal(count, 1, "close frames, the one of close()")
end)

test("stream_members", function()
    local message, stream = support.message_socket(), support.stream_socket()
    raises(function() return message.input_stream end, "cannot read input_stream of a MessageWebSocket", "receive")
    for _, key in ipairs {"receive", "messages", "send", "send_final_frame", "send_nonfinal_frame"} do
        raises(function() return stream[key] end, "cannot use " .. key .. " of a StreamWebSocket", "input_stream")
    end
    raises(function() return stream.on_message_received end, "cannot use on_message_received of a StreamWebSocket")
    raises(function() stream.on_message_received = print end, "cannot use on_message_received of a StreamWebSocket")
    -- what a class lacks is an error that lists what it has
    for _, ws in ipairs {message, stream} do
        for _, key in ipairs {"sned", 1, true} do
            local text = raises(function() return ws[key] end, "WebSocket has no ", ": it has abort, ",
                "test_streams.lua:")
            assert(text:find(", on_closed, ", 1, true), text)
            equal(text:find(", send_many, ", 1, true) ~= nil, ws == message, text)
        end
    end
    raises(function() message:recieve() end, "MessageWebSocket has no \"recieve\": it has ", " receive, ")
    raises(function() stream:sned() end, "StreamWebSocket has no \"sned\": it has ")
    raises(function() stream.output_stream:read() end,
        "OutputStream has no \"read\": it has close, flush, setvbuf, write")
    raises(function() stream.input_stream:write("x") end, "InputStream has no \"write\": it has close, lines, read")
    raises(function() return stream.input_stream[1] end, "InputStream has no 1: it has")
    raises(function() message.receive(stream) end, "MessageWebSocket expected")
    equal(message.output_stream, message.output_stream)
    equal(stream.input_stream, stream.input_stream)
    assert(tostring(stream.input_stream):find("^curlwire.InputStream %(0x"))
    assert(tostring(stream.output_stream):find("^curlwire.OutputStream %(0x"))
end)

test("stream_failed_read_keeps_all", function()
    local ws = open_stream(support.script(support.text_frame("one\ntw"), "hang"), {receive_timeout = 0.05})
    local input = ws.input_stream
    equal(support.until_value(input.read, input, 0), "") -- the bytes have come
    failed(input:read("l", "l"))
    raises(function() input:read("l", "x") end, "invalid format")
    raises(function() input:read(2, {}) end, "bad argument #2")
    equal(input:read("l"), "one")
    failed(input:read(1, 5))
    equal(input:read(1, 1), "t")
    failed(input:read(0))
    ws:abort()
end)

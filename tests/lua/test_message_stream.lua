-- SPDX-License-Identifier: MIT
-- receive_stream, which returns one message as a stream.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local open, hex = support.open, support.hex

-- "one\n", an empty part, "two\nth", then the text "next"
local PARTS = "x:0204" .. hex("one\n") .. "0000" .. "8006" .. hex("two\nth") .. support.frame(1, "next")

test("stream_of_a_message", function()
    for _, mode in ipairs {"full", "partial"} do
        local ws = open(support.script(PARTS, "hang"), {receive_mode = mode})
        local stream, message_type = ws:receive_stream()
        equal(message_type, "binary")
        local lines = {}
        for line in stream:lines() do
            lines[#lines + 1] = line
        end
        equal(table.concat(lines, "|"), "one|two|th")
        equal(stream:read("a"), "")
        stream, message_type = ws:receive_stream(60)
        equal(message_type, "utf8")
        equal(stream:read(2), "ne")
        equal(stream:read("a"), "xt")
        equal(select("#", stream:read(1)), 1) -- a single nil: the end
        stream:close()
        raises(function() stream:read(1) end, "receive_stream returns the next message's")
        ws:abort()
    end
end)

test("stream_of_a_large_message", function()
    local options = {receive_mode = "partial", max_message_size = 1000}
    for _, compression in ipairs(support.has_compression and {"none", "deflate"} or {"none"}) do
        options.compression = compression
        local ws = open(support.echo(), options)
        local block, count, sent = ("0123456789abcdef"):rep(4096), 200, 0
        assert(ws:send(function()
            sent = sent + 1
            return sent <= count and block or nil
        end))
        local stream = assert(ws:receive_stream(60))
        for _ = 1, count do
            equal(stream:read(#block), block)
        end
        equal(stream:read(1), nil)
        ws:abort()
    end
end)

test("stream_is_skipped", function()
    local first = "0203" .. hex("abc") .. "0003" .. hex("def")
    local ws = open(support.script("x:" .. first, "frame:1",
        "x:8003" .. hex("ghi") .. support.frame(1, "one") .. support.frame(1, "two"), "hang"),
        {receive_mode = "partial"})
    local stream = ws:receive_stream(60)
    equal(stream:read(1), "a")
    assert(ws:send("go"))
    equal(ws:receive(60), "one")
    equal(stream:read(2), "bc")
    raises(function() stream:read(1) end, "the rest of this message was skipped")
    equal(ws:receive_stream(60):read("a"), "two")
    equal(failed(ws:receive_stream(0)).name, "CW_TIMED_OUT")
    ws.on_message_received = function() end
    raises(function() ws:receive_stream() end, "handler")
    ws.on_message_received = nil
    ws:abort()
end)

test("stream_ends_in_the_middle", function()
    local ws = open(support.script("x:0203" .. hex("abc"), "frame:1", "close:1000", "end"), {receive_mode = "partial"})
    local stream = ws:receive_stream(60)
    assert(ws:send("go"))
    equal(failed(stream:read("a")).name, "CW_CLOSED")
    equal(failed(stream:read("l")).name, "CW_CLOSED")
    equal(stream:read(9), "abc")
    equal(failed(stream:read(1)).name, "CW_CLOSED")
    equal(failed(ws:receive_stream()).name, "CW_CLOSED")
end)

test("stream_outlives_the_variable_of_its_socket", function()
    local weak = setmetatable({}, {__mode = "v"})
    weak[1] = open(support.script(PARTS, "hang"), {receive_mode = "partial"})
    local stream = weak[1]:receive_stream(60)
    collectgarbage()
    collectgarbage()
    equal(stream:read("a"), "one\ntwo\nth")
    weak[1]:abort()
end)

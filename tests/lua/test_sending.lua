-- SPDX-License-Identifier: MIT
-- send with a function, whose results are the fragments of one message; compress; and messages that are JSON.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local open, finish, assert_echo = support.open, support.finish, support.assert_echo
local curlwire = harness.curlwire

-- Returns a function that returns the values one after another. A function among them is called instead.
local function each(...)
    local values, at = {...}, 0
    return function()
        at = at + 1
        if type(values[at]) == "function" then
            return values[at]()
        end
        return values[at]
    end
end

-- Returns an open socket, and a function that closes it and returns the frames that the server has recorded, as in
-- "1-61 0+62": opcode, + for a final frame, * for a compressed one, and the payload.
local function recorded(options, ...)
    local token = support.token("sending")
    local steps = {...}
    steps[#steps + 1], steps[#steps + 2] = "echo", "end"
    local ws = open(support.script(support.unpack(steps)) .. "?id=" .. token, options)
    return ws, function()
        ws:close()
        assert(ws:wait_closed(50))
        local frames = {}
        for frame in support.log(token):gmatch("{[^{}]*\"opcode\"[^{}]*}") do
            local opcode = assert(frame:match("\"opcode\": (%d+)"), frame)
            local fin = frame:match("\"fin\": (%a+)") == "true" and "+" or "-"
            local mark = frame:find("\"rsv\": 4") and "*" or ""
            frames[#frames + 1] = opcode .. fin .. mark .. frame:match("\"payload\": \"(%x*)\"")
        end
        return table.concat(frames, " ")
    end
end

test("fragments_of_an_iterable", function()
    local ws, frames = recorded(nil, "frame:6")
    assert(ws:send(each("a", "b")))
    assert(ws:send(each("c", "\195", "\169"), "utf8"))
    local sent = frames()
    assert(sent:find("^2%-61 0%-62 0%+ 1%-63 0%-c3 0%-a9"), sent)
    ws = open(support.echo())
    assert(ws:send(each("x", "\226\130", "\172"), "text"))
    equal(ws:receive(), "x\226\130\172")
    equal(ws:send(each()), true) -- nothing is sent
    assert_echo(ws, "still", "utf8")
    finish(ws)
end)

test("fragments_go_out_at_once", function()
    local ws, frames = recorded(nil, "frame:1", support.text_frame("go"), "frame:3")
    assert(ws:send(each("a", function()
        equal(ws:receive(), "go")
        return "b"
    end)))
    assert(frames():find("^2%-61 0%-62 0%+ 8"))
end)

test("fragments_fail_before_the_first", function()
    local ws = open(support.echo())
    raises(function() ws:send(function() error("own", 0) end) end, "own")
    raises(function() ws:send(each({})) end, "the function for send returned a table: return a string, or nil")
    raises(function() ws:send(each(5)) end, "returned a number")
    raises(function() ws:send(each("\255"), "utf8") end, "UTF-8")
    assert_echo(ws, "still", "utf8")
    finish(ws)
end)

test("fragments_fail_in_the_middle", function()
    for _, case in ipairs {
        {function() error("own", 0) end, nil, "own"}, {{}, nil, "returned a table"}, {"\255", "utf8", "UTF-8"},
        {"\195", "utf8", "UTF-8"},
    } do
        local ws, frames = recorded({close_timeout = 0.1}, "frame:2") -- nothing answers the close frame
        raises(function() ws:send(each("a", case[1]), case[2]) end, case[3])
        equal(failed(ws:send("later")).name, "CW_CLOSED")
        local sent = frames()
        assert(sent:find("^[12]%-61 .*8%+03f3" .. support.hex("a message could not be completed") .. "$"), sent)
        assert(not sent:find("0%+"), sent)
    end
end)

test("fragments_of_others", function()
    local ws = open(support.echo())
    assert(ws:send(each("a", function()
        for _, call in ipairs {
            function() ws:send("x") end, function() ws:send(each("x")) end, function() ws:send_many{"x"} end,
            function() ws:send_nonfinal_frame("x") end, function() ws:send_final_frame("x") end,
        } do
            raises(call, "another call is sending the fragments")
        end
        return "b"
    end)))
    equal(ws:receive(), "ab")
    assert(ws:send_nonfinal_frame("c"))
    raises(function() ws:send(each("x")) end, "final frame")
    assert(ws:send_final_frame("d"))
    equal(ws:receive(), "cd")
    finish(ws)
end)

test("bad_compress", function()
    local ws = open(support.echo())
    for _, call in ipairs {
        function() ws:send("x", nil, nil, 1) end, function() ws:send_many({"x"}, nil, nil, "yes") end,
        function() ws:send_json(1, {encode = tostring}, nil, {}) end,
    } do
        raises(call, "compress must be true, false or nil")
    end
    assert_echo(ws, "still", "utf8")
    finish(ws)
end)

if support.has_compression then
    test("compress_of_one_message", function()
        local reply = support.reply("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Accept: {accept}", "Sec-WebSocket-Extensions: permessage-deflate")
        -- whether a small message, a large one and fragments are compressed
        for _, case in ipairs {{nil, "", "*", "*"}, {true, "*", "*", "*"}, {false, "", "", ""}} do
            local compress = case[1]
            local ws, frames = recorded({compression = "deflate", message_type = "utf8"}, reply, "frame:7")
            assert(ws:send("a", nil, nil, compress))
            assert(ws:send(("a"):rep(200), nil, nil, compress))
            equal(ws:send_many({"b", ("b"):rep(200)}, nil, nil, compress), 2)
            assert(ws:send_json("c", {encode = function(text) return text end}, nil, compress))
            assert(ws:send(each("d"), nil, nil, compress))
            local small, large, fragments = case[2], case[3], case[4]
            local marks = {}
            for mark in frames():gmatch("1[-+](%**)") do
                marks[#marks + 1] = mark .. "."
            end
            equal(table.concat(marks), table.concat({small, large, small, large, small, fragments}, ".") .. ".")
        end
    end)
end

-- ---- JSON ----

-- A library whose JSON is an array of one number.
local library = {
    encode = function(value) return "[" .. assert(tonumber(value), "not a number") .. "]" end,
    decode = function(text)
        return {tonumber(text:match("^%[(.*)%]$")) or error("bad JSON: " .. text)}
    end,
}

test("json", function()
    local ws = open(support.echo())
    assert(ws:send_json(5, library))
    equal(ws:receive_json(50, library)[1], 5)
    assert(ws:send_json(6, library))
    local data, message_type = ws:receive()
    equal(data .. message_type, "[6]utf8")
    require("curlwire").json = library
    assert(ws:send_json(7, nil, 5, false))
    equal(ws:receive_json()[1], 7)
    assert(ws:send("[8]", "binary"))
    equal(ws:receive_json(nil, {decode = function(text) return text .. "!" end}), "[8]!")
    raises(function() ws:send_json("x") end, "not a number")
    raises(function() ws:send_json(1, {encode = function() return 5 end}) end, "encode returned a number")
    raises(function() ws:send_json(1, {encode = function() return "\255" end}) end, "UTF-8")
    raises(function() ws:send_json() end, "bad argument")
    raises(function() ws:send_json(1, {}) end, "has no function encode")
    raises(function() ws:receive_json(nil, {}) end, "has no function decode")
    raises(function() ws:receive_json(nil, "cjson") end, "must be a table with encode and decode, not \"cjson\"")
    require("curlwire").json = nil
    raises(function() ws:send_json(1) end, "curlwire.json = require")
    raises(function() ws:receive_json() end, "curlwire.json = require")
    assert_echo(ws, "still", "utf8")
    finish(ws)
    equal(failed(ws:receive_json(1, library)).name, "CW_CLOSED")
    equal(failed(ws:send_json(1, library)).name, "CW_CLOSED")
end)

test("json_refused", function()
    local ws = open(support.echo())
    for _, decode in ipairs {
        library.decode, function() error({}) end, function(text) return nil, "bad: " .. text end,
        function(text) return nil, 1, "bad: " .. text end,
    } do
        assert(ws:send("secret", "utf8"))
        local value, message, err = ws:receive_json(50, {decode = decode})
        equal(value, nil)
        equal(message, "cannot read the message as JSON: the field data of the error is the message")
        equal(tostring(err), message)
        equal(err.name, "NOT_JSON")
        equal(err.data, "secret")
        equal(curlwire.get_status(err), 0)
    end
    assert(ws:send("null", "utf8"))
    equal(select("#", ws:receive_json(50, {decode = function() return nil, 5 end})), 1)
    finish(ws)
end)

test("json_partial", function()
    local ws = open(support.echo(), {receive_mode = "partial"})
    assert(ws:send_json(5, library))
    raises(function() ws:receive_json(50, library) end, "receive_mode")
    equal(ws:receive(), "[5]")
    finish(ws)
end)

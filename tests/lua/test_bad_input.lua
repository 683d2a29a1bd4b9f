-- SPDX-License-Identifier: MIT
-- Bad input raises one clear error with the position of the call. Afterwards the object is in a defined state.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local open, finish, assert_echo = support.open, support.finish, support.assert_echo

local HERE = "test_bad_input.lua:"

-- Checks that connect raises an error for each URI, and that the same socket can connect afterwards.
local function refuse_uris(uris, part)
    local ws = support.message_socket()
    for _, uri in ipairs(uris) do
        raises(function() ws:connect(uri) end, HERE, "bad argument #1 to", part)
        equal(ws.state, "new", uri)
        raises(function() require("curlwire").connect(uri) end, HERE, "bad argument #1 to", part)
    end
    assert(ws:connect(support.echo()))
    finish(ws)
end

test("bad_uri", function() refuse_uris({"not a uri", "", "ws://", "localhost", "ws:localhost"}, "") end)

test("bad_scheme", function()
    local address = support.echo():match("//.*")
    refuse_uris({"http:" .. address, "https:" .. address, "ftp:" .. address}, "ws or wss")
end)

test("bad_fragment", function() refuse_uris({support.echo("/#part"), support.echo("#")}, "fragment") end)

test("bad_uri_characters", function()
    refuse_uris({support.echo("/\r\nX: y"), support.echo("/\n"), support.echo("/\r"), support.echo("/a\0b")}, "")
end)

test("bad_uri_encoding", function()
    for advice, path in pairs {
        ["write %20"] = "/a b", ["write %25"] = "/100%", ["%00"] = "/?%00", ["not UTF-8"] = "/\255",
        ["write %5C"] = "/a\\b",
    } do
        refuse_uris({support.echo(path)}, advice)
    end
    refuse_uris({"ws://b\195\188cher.-\195\188/", "wss://b\195\188cher.-\195\188/"}, "begins or ends with a hyphen")
end)

local function refuse_headers(list, body)
    local ws = support.message_socket()
    for _, header in ipairs(list) do
        raises(function() ws:set_request_header(header[1], header[2]) end, HERE, "bad argument #1 to")
        equal(ws.state, "new")
    end
    body(ws)
end

test("bad_header", function()
    refuse_headers({
        {"X\r", "v"}, {"X\n", "v"}, {"X\0", "v"}, {"", "v"}, {"X Y", "v"}, {"X:", "v"}, {"X", "v\r\nY: z"},
        {"X", "v\n"}, {"X", "v\r"}, {"X", "v\0"},
    }, function(ws)
        local token = support.token("bad")
        assert(ws:connect(support.script("echo", "end") .. "?id=" .. token))
        finish(ws)
        local log = support.log(token)
        assert(not log:find("\\r\\nX", 1, true), log)
    end)
end)

test("bad_header_forbidden", function()
    refuse_headers({
        {"Upgrade", "x"}, {"connection", "x"}, {"Sec-WebSocket-Key", "x"}, {"sec-websocket-version", "12"},
        {"Sec-WebSocket-Protocol", "x"}, {"Sec-WebSocket-Extensions", "x"},
    }, function(ws)
        assert(ws:connect(support.echo()))
        finish(ws)
    end)
end)

test("bad_header_late", function()
    local ws = open(support.echo())
    raises(function() ws:set_request_header("X", "y") end, HERE)
    equal(ws.state, "open")
    assert_echo(ws, "still", "utf8")
    finish(ws)
end)

test("bad_subprotocol", function()
    local ws = support.message_socket({supported_protocols = {"chat", "superchat"}})
    for _, item in ipairs {"a\r", "a\n", "a\0b", "a b", "a,b", ""} do
        raises(function() ws.control.supported_protocols = {"one", item} end, HERE, "supported_protocols")
        equal(table.concat(ws.control.supported_protocols, " "), "chat superchat")
    end
end)

test("bad_list", function()
    local ws = support.message_socket({supported_protocols = {"chat"}})
    for _, list in ipairs {{chat = true}, {"one", two = "two"}, {[2] = "two"}, {[0] = "none", "one"}} do
        raises(function() ws.control.supported_protocols = list end, HERE, "supported_protocols", "list")
        equal(table.concat(ws.control.supported_protocols, " "), "chat")
    end
end)

test("bad_limit", function()
    local ws = support.message_socket()
    for _, key in ipairs {"close_timeout", "outbound_buffer_size", "inbound_buffer_size"} do
        local before = ws.control[key]
        raises(function() ws.control[key] = math.huge end, HERE, key, "limit")
        raises(function() ws.control[key] = false end, HERE, key, "limit")
        equal(ws.control[key], before)
    end
end)

test("bad_close_code", function()
    local ws = open(support.echo())
    for _, code in ipairs {0, 999, 1004, 1006, 1015, 2999, 5000, 70000, -1, 2 ^ 40, 1000.5} do
        raises(function() ws:close(code) end, HERE, "bad argument #1 to")
        equal(ws.state, "open", code)
    end
    raises(function() ws:close(1e30) end, HERE, "1e+30 is not a close code", "3000-4999", "1005 for none")
    raises(function() ws:close(0 / 0) end, HERE, "nan is not a close code")
    raises(function() ws:close(-1) end, HERE, "-1 is not a close code")
    raises(function() ws:close(999, "reason") end, HERE, "bad argument #1 to", "999 is not a close code")
    raises(function() ws:close(1000, ("x"):rep(124)) end, HERE, "bad argument #2 to", "the reason has 124 bytes")
    raises(function() ws:close(1000, "\255") end, HERE, "bad argument #2 to", "the reason must be UTF-8")
    raises(function() ws:close(1005, "x") end, HERE, "bad argument #2 to", "leave the reason out")
    raises(function() ws:close(1000.5) end, HERE, "1000.5 is not a close code")
    raises(function() ws:close(999) end, HERE, "999 is not a close code")
    raises(function() ws:close(1005, "reason") end, HERE)
    raises(function() ws:close("1000") end, HERE, "number expected")
    equal(ws.state, "open")
    assert_echo(ws, "still", "utf8")
    assert(ws:close(1005))
    assert(ws:wait_closed(50))
end)

test("bad_close_reason", function()
    local ws = open(support.echo())
    raises(function() ws:close(1000, ("x"):rep(124)) end, HERE, "123")
    raises(function() ws:close(1000, "\255") end, HERE, "UTF-8")
    raises(function() ws:close(1000, 5) end, HERE, "string expected")
    equal(ws.state, "open")
    assert(ws:close(1000, ("x"):rep(123)))
    assert(ws:wait_closed(50))
    equal(ws.was_clean, true)
end)

test("bad_text", function()
    local ws = open(support.echo(), {message_type = "utf8"})
    for _, text in ipairs {"\255", "\192\128", "\237\160\128", "\244\144\128\128", "a\226\130"} do
        raises(function() ws:send(text) end, HERE, "bad argument #1 to", "UTF-8")
        raises(function() ws.output_stream:write(text) end, HERE, "UTF-8")
        equal(ws.state, "open")
    end
    assert_echo(ws, "still", "utf8")
    finish(ws)
end)

test("bad_types", function()
    local ws = open(support.echo())
    local method = ws.send
    for _, f in ipairs {
        function() ws:send(42) end, function() ws:send() end, function() ws:send({}) end,
        function() ws:send("x", 1) end, function() ws:send("x", "TEXT") end, function() ws:send("x", {}) end,
        function() ws:send_final_frame(1) end, function() ws:send_nonfinal_frame() end, function() method("x") end,
        function() method(nil, "x") end, function() ws.ping(5) end, function() ws.close() end,
        function() ws:connect(5) end, function() ws:connect() end, function() ws:set_request_header("X") end,
        function() ws:set_request_header(1, 2) end, function() curlwire.dispatch("x") end,
        function() method(support.stream_socket(), "x") end,
    } do
        raises(f, HERE, "bad argument")
        equal(ws.state, "open")
    end
    raises(function() ws:send() end, "string or function expected, got no value")
    raises(function() ws:send({}) end, "string or function expected, got table")
    raises(function() ws:send("x", "TEXT") end, "must be \"utf8\" or \"binary\", not \"TEXT\"")
    raises(function() ws:send("x", 5) end, "must be \"utf8\" or \"binary\", not 5; give a timeout after the type")
    raises(function() ws:send("x", {}) end, "not a table")
    raises(function() ws.send("x") end, "curlwire.MessageWebSocket expected, got string", "with a colon")
    raises(function() ws.receive() end, "curlwire.MessageWebSocket expected, got no value", "with a colon")
    raises(function() ws.close() end, "a curlwire socket expected, got no value", "with a colon")
    raises(function() method(support.stream_socket(), "x") end, "expected, got curlwire.StreamWebSocket")
    raises(function() ws.output_stream.write("x") end, "curlwire.OutputStream expected, got string", "with a colon")
    raises(function() ws:connect() end, "string expected, got no value")
    raises(function() ws:receive(-1) end, "a timeout must be a number of seconds, 0 or more, or false (or math.huge)",
        "to wait without a limit, not -1")
    raises(function() ws:receive("1") end, "not \"1\"")
    raises(function() ws:ping({}) end, "not a table")
    raises(function() curlwire.connect(support.echo(), {headers = {Authorization = 5}}) end, "one name is a string",
        "its value is a number")
    raises(function() ws:send_many({"a", "b\255"}, "text") end, "item 2: ", "UTF-8")
    local many = {}
    for i = 1, 250 do
        many[i] = i == 203 and "\255" or "x"
    end
    equal(ws:receive(50), "a")
    raises(function() ws:send_many(many, "text") end, "item 203: ")
    for _ = 1, 202 do
        equal(ws:receive(50), "x")
    end
    for _, name in ipairs {
        "send", "try_send", "send_json", "send_many", "receive", "receive_json", "messages", "send_final_frame",
        "send_nonfinal_frame",
    } do
        raises(function() return support.stream_socket()[name] end, "cannot use " .. name .. " of a StreamWebSocket")
    end
    raises(function() return ws.send.x end)
    raises(function() return #ws end)
    equal(getmetatable(ws), "protected")
    assert_echo(ws, "still", "utf8")
    finish(ws)
end)

test("bad_timeout", function()
    local ws = open(support.echo())
    for _, timeout in ipairs {-1, -0.001, 0 / 0, -math.huge, "1", true, {}} do
        raises(function() ws:receive(timeout) end, HERE, "timeout")
        raises(function() ws:ping(timeout) end, HERE, "timeout")
        raises(function() ws:flush(timeout) end, HERE, "timeout")
        raises(function() ws:wait_closed(timeout) end, HERE, "timeout")
        raises(function() curlwire.dispatch(timeout) end, HERE, "timeout")
    end
    local new = support.message_socket()
    raises(function() new:connect(support.echo(), -1) end, HERE, "timeout")
    equal(new.state, "new")
    equal(ws.state, "open")
    assert(ws:send("x"))
    equal(ws:receive(math.huge), "x")
    assert(ws:send("y"))
    equal(ws:receive(false), "y")
    finish(ws)
end)

local function refuse_use(ws)
    for _, f in ipairs {
        function() ws:send("x") end, function() ws:receive() end, function() ws:receive(0) end,
        function() ws:ping() end, function() ws:flush() end, function() ws.output_stream:write("x") end,
        function() ws.output_stream:flush() end, function() ws:send_final_frame("x") end,
        function()
            local next_message, state = ws:messages()
            next_message(state)
        end,
    } do
        raises(f, HERE)
        equal(ws.state, "new")
    end
end

test("use_before_connect", function()
    refuse_use(support.message_socket())
    local stream = support.stream_socket()
    raises(function() stream.output_stream:write("x") end, HERE)
    raises(function() stream.input_stream:read(1) end, HERE)
    equal(stream.state, "new")
end)

test("use_after_close", function()
    local ws = open(support.echo("/close?code=4005&reason=over"))
    assert(ws:wait_closed(50))
    for _, f in ipairs {
        function() return ws:send("x") end, function() return ws:receive() end, function() return ws:receive(0) end,
        function() return ws:ping() end, function() return ws:flush() end,
        function() return ws.output_stream:write("x") end,
    } do
        local err = failed(f())
        equal(err.name, "CW_CLOSED")
        equal(err.code, 4005)
        equal(err.reason, "over")
        equal(ws.state, "closed")
    end
end)

test("use_after_failure", function()
    local ws = support.message_socket()
    failed(ws:connect(support.refused()))
    refuse_use(ws)
end)

test("connect_twice", function()
    local ws = open(support.echo())
    raises(function() ws:connect(support.echo()) end, HERE)
    equal(ws.state, "open")
    assert_echo(ws, "still", "utf8")
    finish(ws)
end)

test("connect_after_close", function()
    local ws = open(support.echo())
    finish(ws)
    raises(function() ws:connect(support.echo()) end, HERE, "new")
    equal(ws.state, "closed")
end)

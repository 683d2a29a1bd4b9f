-- SPDX-License-Identifier: MIT
-- Tests control, information, request headers, subprotocols, and the text that tostring makes of a socket.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local open, finish = support.open, support.finish
local curlwire = require "curlwire" -- the harness's constructors would be the position in their errors

-- From the table of controls: the default of each key, and another value that reads back unchanged.
local options, message_only, can_be_nil = {}, {}, {}
for _, row in ipairs(support.controls()) do
    local others = {
        BOOL = not row.default, MS = row.none and math.huge or 0.25, BITS = row.least,
        COUNT = row.none and math.huge or math.max(row.least, math.min(row.most, 4096) - 1), NUMBER = 5,
        ENUM = row.words[#row.words],
        TEXT = "nowhere.pem", PROXY = "socks5://h.test:1080", BYTES = "\0\255\r\n\0",
    }
    if row.key == "tls_max_version" then others.ENUM = "1.2" end
    if others[row.type] ~= nil then
        options[row.key] = {row.default, others[row.type]}
        assert(options[row.key][2] ~= row.default, row.key)
    end
    message_only[row.key] = row.is_of_messages or nil
    can_be_nil[row.key] = row.type == "TEXT" or row.type == "BYTES" or row.type == "PROXY" or nil
end
options.framing[1] = os.getenv("CURLWIRE_FRAMING") or options.framing[1]

local function each_socket()
    return ipairs {curlwire.MessageWebSocket(), curlwire.StreamWebSocket()}
end

test("control_defaults", function()
    for i, ws in each_socket() do
        for key, values in pairs(options) do
            if i == 1 or not message_only[key] then
                equal(ws.control[key], values[1], key)
            end
        end
        equal(#ws.control.supported_protocols, 0)
        equal(ws.control, ws.control)
    end
end)

test("control_set", function()
    for i, ws in each_socket() do
        for key, values in pairs(options) do
            if i == 1 or not message_only[key] then
                ws.control[key] = values[2]
                equal(ws.control[key], values[2], key)
            end
        end
        ws.control.supported_protocols = {"chat", "superchat"}
        equal(table.concat(ws.control.supported_protocols, "+"), "chat+superchat")
        ws.control.supported_protocols = {}
        equal(#ws.control.supported_protocols, 0)
        for key in pairs(can_be_nil) do
            if i == 1 or not message_only[key] then
                ws.control[key] = nil
                equal(ws.control[key], nil)
            end
        end
        ws.control.send_timeout = false
        equal(ws.control.send_timeout, math.huge)
    end
    local ws = curlwire.MessageWebSocket()
    ws.control.max_message_size = math.huge
    equal(ws.control.max_message_size, math.huge)
    ws.control.max_message_size = 5
    ws.control.max_message_size = false
    equal(ws.control.max_message_size, math.huge)
end)

test("control_proxy", function()
    local ws = curlwire.MessageWebSocket {proxy = "http://j0hnny:s3cret@proxy.test:3128/"}
    equal(ws.control.proxy, "http://proxy.test:3128")
    for _, given in ipairs {false, "direct"} do
        ws.control.proxy = given
        equal(ws.control.proxy, false)
    end
    ws.control.proxy = true
    equal(ws.control.proxy, nil)
end)

test("control_headers", function()
    local ws = curlwire.MessageWebSocket()
    equal(#ws.control.proxy_headers, 0)
    ws.control.proxy_headers = {{"X-A", "1"}, {"X-A", ""}, ["x-b"] = {"2", "3"}}
    equal(table.concat(ws.control.proxy_headers, "+"), "X-A+X-A+x-b+x-b")
    for _, none in ipairs {{}, {X = {}}} do
        ws.control.proxy_headers = none
        equal(#ws.control.proxy_headers, 0)
    end
    ws.control.proxy_headers = {X = "y"}
    ws.control.proxy_headers = nil
    equal(#ws.control.proxy_headers, 0)
end)

test("control_secret", function()
    local ws = curlwire.MessageWebSocket {client_key_password = "s3cret"}
    equal(ws.control.client_key_password, "(set)")
    for bad, words in pairs {[5] = "not a number", [{"s3cret"}] = "not a table", ["s3cret\n"] = "CR, LF or NUL"} do
        local text = raises(function() ws.control.client_key_password = bad end, "client_key_password", words)
        assert(not text:find("s3cret"), text)
    end
    ws.control.client_key_password = nil
    equal(ws.control.client_key_password, nil)
end)

test("control_credential", function()
    for _, key in ipairs {"server_credential", "proxy_credential"} do
        for _, ws in each_socket() do
            equal(ws.control[key], nil)
            ws.control[key] = {"j\195\182", "p:\195\164"}
            equal(ws.control[key], "j\195\182")
            for bad, words in pairs {
                [5] = "must be a table of two strings, {user, password}, or nil for none, not a number",
                [{}] = "not another table", [{"j0hnny"}] = "not another table",
                [{"j0hnny", "s3cret", ""}] = "not another table", [{"j0hnny", password = "s3cret"}] = "another table",
                [{"j0hnny", 5}] = "not of a string and a number", [{"", "s3cret"}] = "is empty",
                [{"j0hnny:", "s3cret"}] = "has a colon", [{"j0hnny", "s3cret\n"}] = "has a control character",
                [{"j0hnny", "s3cret\255"}] = "must be UTF-8", ["j0hnny"] = "not a string",
            } do
                local text = raises(function() ws.control[key] = bad end, key, words, "test_control.lua:")
                assert(not text:find("j0hnny") and not text:find("s3cret"), text)
                equal(ws.control[key], "j\195\182")
            end
            ws.control[key] = nil
            equal(ws.control[key], nil)
        end
        equal(curlwire.StreamWebSocket({[key] = {"user", ""}}).control[key], "user")
    end
    local ws = open(support.echo(), {server_credential = {"user", "password"}})
    raises(function() ws.control.server_credential = nil end, "server_credential")
    equal(ws.control.server_credential, "user")
    finish(ws)
end)

test("control_constructor", function()
    local ws = curlwire.MessageWebSocket {message_type = "utf8", receive_timeout = 1.5, supported_protocols = {"a"}}
    equal(ws.control.message_type, "utf8")
    equal(ws.control.receive_timeout, 1.5)
    equal(ws.control.supported_protocols[1], "a")
    equal(curlwire.StreamWebSocket({no_delay = false}).control.no_delay, false)
    equal(curlwire.StreamWebSocket(nil).state, "new")
    raises(function() curlwire.MessageWebSocket("utf8") end, "table expected", "test_control.lua:")
end)

test("control_unknown", function()
    for i, ws in each_socket() do
        local texts = {
            raises(function() ws.control.no_delays = 1 end, "no control \"no_delays\"", "test_control.lua:"),
            raises(function() return ws.control.no_delays end, "no control \"no_delays\""),
        }
        for key in pairs(options) do
            for _, text in ipairs(texts) do
                equal(text:find(key, 1, true) ~= nil, i == 1 or not message_only[key], key .. " in the names")
            end
        end
    end
    local ws = curlwire.MessageWebSocket()
    raises(function() ws.control[1] = 1 end, "no control 1 (give controls as name = value): it has message_type,")
    raises(function() curlwire.MessageWebSocket {nothing = 1} end, "control \"nothing\": it has", "test_control.lua:")
    raises(function() curlwire.MessageWebSocket {"utf8"} end, "no control 1 (give controls as name = value)")
    raises(function() curlwire.MessageWebSocket {headers = {}} end, "no control \"headers\" (give headers to")
    raises(function() curlwire.StreamWebSocket {on_closed = print} end, "\"on_closed\" (set a handler on")
    raises(function() curlwire.connect(support.echo(), {nothing = 1}) end, "no control \"nothing\"")
    raises(function() ws.anything = 1 end, "cannot set the field \"anything\" of a socket: settings are in control")
    raises(function() ws[1] = 1 end, "cannot set the field 1 of a socket")
    raises(function() ws.state = "open" end, "state can only be read")
    raises(function() ws.information.uri = "x" end, "only be read")
    raises(function() return ws.information.url end, "no \"url\"", "response_headers")
    raises(function() return ws.information[1] end, "no 1:")
end)

test("control_wrong_type", function()
    local ws = curlwire.MessageWebSocket()
    for key, wrong in pairs {
        message_type = {1, true, "txt", "BINARY"}, receive_mode = {0, "none"}, max_message_size = {"big", true, 1.5},
        no_delay = {1, "yes"}, connect_timeout = {"1", true, {}}, ca_file = {1, true},
        crl_file = {1, true}, verify = {0, "no"}, proxy_ca_file = {1, true}, proxy_verify = {0, "no"},
        supported_protocols = {"chat", 1, {1}, {true}}, ping_interval = {"20"},
    } do
        for _, value in ipairs(wrong) do
            local before = ws.control[key]
            raises(function() ws.control[key] = value end, key, "test_control.lua:")
            if type(before) ~= "table" then
                equal(ws.control[key], before, key)
            else
                equal(#ws.control[key], 0)
            end
        end
        if not key:find("_file$") then
            raises(function() ws.control[key] = nil end, key)
        end
    end
end)

test("control_out_of_range", function()
    local ws = curlwire.MessageWebSocket()
    for key, wrong in pairs {
        max_message_size = {-1, -2, -math.huge, 0 / 0}, connect_timeout = {-1, -0.001, 0 / 0},
        close_timeout = {math.huge, false}, outbound_buffer_size = {-1, math.huge, 2 ^ 40},
        inbound_buffer_size = {-5, 1}, frame_size = {0, -1}, framing = {"libcurl", ""},
    } do
        for _, value in ipairs(wrong) do
            local before = ws.control[key]
            raises(function() ws.control[key] = value end, key)
            equal(ws.control[key], before, key)
        end
    end
end)

-- Errors name the wrong value, and say in Lua's units what it must be.
local seconds = "must be a number of seconds, 0 or more"
local no_limit = ", or false (or math.huge) for no limit"
local buffer = "must be a whole number of bytes from 1024 to 2147483647"
local size = "must be a whole number of bytes from 0 to 2^63-1"
local said = {
    {"connect_timeout", -1, seconds .. no_limit .. ", not -1"},
    {"connect_timeout", 0 / 0, seconds .. no_limit .. ", not nan"},
    {"connect_timeout", -math.huge, seconds .. no_limit .. ", not -math.huge"},
    {"connect_timeout", "1", seconds .. no_limit .. ", not \"1\""},
    {"connect_timeout", true, seconds .. no_limit .. ", not true"},
    {"connect_timeout", nil, seconds .. no_limit .. ", not nil"},
    {"close_timeout", false, seconds .. ", not false: give a limit"},
    {"close_timeout", math.huge, seconds .. ", not math.huge: give a limit"},
    {"close_timeout", -5, seconds .. ", not -5"},
    {"close_timeout", true, seconds .. ", not true"},
    {"close_timeout", {}, seconds .. ", not a table"},
    {"inbound_buffer_size", -1, buffer .. ", not -1"},
    {"inbound_buffer_size", 0, buffer .. ", not 0"},
    {"inbound_buffer_size", 1023, buffer .. ", not 1023"},
    {"inbound_buffer_size", 2500.5, buffer .. ", not 2500.5"},
    {"inbound_buffer_size", 1e300, buffer .. ", not 1e+300"},
    {"inbound_buffer_size", false, buffer .. ", not false: give a limit"},
    {"max_message_size", -1, size .. no_limit .. ", not -1"},
    {"max_message_size", 1e30, size .. no_limit .. ", not 1e+30"},
    {"max_message_size", 0.5, size .. no_limit .. ", not 0.5"},
    {"max_message_size", "big", size .. no_limit .. ", not \"big\""},
    {"compression_threshold", -1, size .. ", not -1"},
    {"client_max_window_bits", 16, "must be a whole number of bits from 8 to 15, not 16"},
    {"server_max_window_bits", false, "must be a whole number of bits from 8 to 15, not false: give a limit"},
    {"verify", 0, "must be true or false, not 0"},
    {"no_delay", "yes", "must be true or false, not \"yes\""},
    {"framing", "libcurl", "must be \"auto\" or \"curl\" or \"native\", not \"libcurl\""},
    {"framing", ("x"):rep(100), "not \"xxxxxxxxxxxxxxxxxxxxxxxx...\""},
    {"framing", "a\0b\n", "not \"a?b?\""},
    {"message_type", "TEXT", "must be \"binary\" or \"utf8\", not \"TEXT\""},
    {"receive_mode", 1, "must be \"full\" or \"partial\", not 1"},
    {"ca_file", 5, "must be a string, or nil for none, not 5"},
    {"supported_protocols", "chat", "must be a list of strings: {\"one\", \"two\"}, not a string"},
    {"supported_protocols", {"a", 5}, "must be a list of strings, but item 2 is a number"},
    {"supported_protocols", {"a", "b,c"}, "has an item that is not a token (letters, digits and !#$%&'*+-.^_`|~)"},
    {"supported_protocols", {"a", " b"}, "has an item that is not a token"},
    {"supported_protocols", {""}, "has an item that is not a token"},
    {"supported_protocols", {"a\0"}, "has an item that is not a token"},
    {"supported_protocols", {"a", "a"}, "or an item twice"},
    {"supported_protocols", {x = "a"}, "must be a list without holes and without other keys"},
}

test("control_errors", function()
    local ws = curlwire.MessageWebSocket()
    for _, case in ipairs(said) do
        local key, value, words = case[1], case[2], case[3]
        local text = raises(function() ws.control[key] = value end, "test_control.lua:", words)
        assert(text:find(": " .. key .. (words:find("^:") and "" or " "), 1, true), text)
        if value ~= nil and not words:find("x%.%.%.") then -- the constructors raise the same text
            equal(raises(function() curlwire.MessageWebSocket {[key] = value} end, words):match("%d: (.*)"),
                text:match("%d: (.*)"))
        end
    end
    -- the largest numbers that are allowed
    ws.control.max_message_size = 2 ^ 60
    equal(ws.control.max_message_size, 2 ^ 60)
    ws.control.close_timeout = 1e30 -- it is reduced to 2^31-1 ms, 24 days
    equal(ws.control.close_timeout, 2147483.647)
end)

test("control_late", function()
    for _, ws in ipairs {open(support.echo()), support.open_stream(support.echo())} do
        for key, values in pairs(options) do
            if not message_only[key] then
                local before = ws.control[key]
                raises(function() ws.control[key] = values[2] end, key)
                equal(ws.control[key], before, key)
            end
        end
        raises(function() ws.control.supported_protocols = {"x"} end, "supported_protocols")
        equal(ws.state, "open")
        finish(ws)
    end
    local ws = open(support.echo())
    raises(function() ws.control.receive_mode = "partial" end, "receive_mode", "test_control.lua:")
    raises(function() ws.control.max_message_size = 5 end, "max_message_size")
    ws.control.message_type = "utf8"
    support.assert_echo(ws, "x", "utf8")
    finish(ws)
end)

test("control_class", function()
    local stream = curlwire.StreamWebSocket()
    for key in pairs(message_only) do
        raises(function() return stream.control[key] end, "StreamWebSocket has no control \"" .. key)
        raises(function() stream.control[key] = 1 end, "StreamWebSocket has no control \"" .. key)
    end
end)

test("max_message_size", function()
    local ws = open(support.echo(), {max_message_size = 1000})
    support.assert_echo(ws, ("x"):rep(1000), "binary")
    assert(ws:send(("x"):rep(1001), "binary"))
    local err = failed(ws:receive())
    equal(err.name, "CW_CLOSED")
    equal(err.message, "a message of at least 1001 bytes exceeds max_message_size (1000 bytes); "
        .. "raise max_message_size, or set it to math.huge for no limit")
    assert(ws:wait_closed(50))
    equal(ws.close_code, 1006)

    local token = support.token("size")
    local message = "x:" .. support.frame(2, "123456")
    ws = open(support.script(message, "frame:1", "end") .. "?id=" .. token, {max_message_size = 5})
    failed(ws:receive())
    assert(ws:wait_closed(50))
    assert(support.log(token):find('"payload": "03f1', 1, true), "no close frame with 1009")
end)

test("max_fragments", function()
    local token = support.token("fragments")
    local ws = open(support.script("x:" .. support.frame(2, "a", true) .. support.frame(0, "b", true)
        .. support.frame(0, "c", true), "frame:1", "end") .. "?id=" .. token, {max_fragments = 2})
    equal(failed(ws:receive()).message, "a message has more fragments than max_fragments (2); "
        .. "raise max_fragments, or set it to math.huge for no limit")
    assert(support.log(token):find('"payload": "03f0', 1, true), "no close frame with 1008")
    raises(function() ws.control.max_fragments = 0 end, "max_fragments must be a whole number from 1 to 2^63-1, "
        .. "or false (or math.huge) for no limit, not 0")
end)

test("subprotocol", function()
    local ws = open(support.echo("/subprotocol"), {supported_protocols = {"superchat", "chat"}})
    local chosen = ws.protocol
    assert(chosen == "chat" or chosen == "superchat", tostring(chosen))
    equal(ws.information.protocol, chosen)
    ws:abort()
end)

test("options_of_connect", function()
    local ws = assert(harness.curlwire.connect(support.echo("/subprotocol"), {
        socket_class = curlwire.StreamWebSocket, subprotocols = {"superchat", "chat"}, timeout = math.huge,
    }))
    assert(tostring(ws):find("StreamWebSocket"))
    equal(ws.protocol, "superchat")
    finish(ws)
    local function connect(given) return harness.curlwire.connect(support.echo(), given) end
    raises(function() connect {subprotocols = {"a"}, supported_protocols = {"a"}} end, "give one of them")
    raises(function() connect {socket_class = "stream"} end, "socket_class must be curlwire.MessageWebSocket or")
    raises(function() connect {timeout = "5"} end, "timeout must be a number of seconds", 'not "5"')
    raises(function() curlwire.MessageWebSocket {timeout = 5} end, 'no control "timeout"')
    equal(failed(connect {socket_class = curlwire.MessageWebSocket, timeout = 0}).status_name, "Timeout")
end)

test("subprotocol_none", function()
    local ws = open(support.echo())
    equal(ws.protocol, nil)
    equal(ws.information.protocol, nil)
    finish(ws)
end)

local function assert_information(ws, state)
    local information = ws.information
    equal(information.uri, support.echo())
    equal(ws.uri, support.echo())
    equal(ws.effective_uri, support.echo())
    equal(information.effective_uri, ws.uri)
    assert(information.local_address:find("^127%.0%.0%.1:%d+$"), information.local_address)
    equal("ws://" .. information.remote_address .. "/", support.echo())
    equal(ws.local_address, information.local_address)
    equal(ws.remote_address, information.remote_address)
    equal(information.response_headers.upgrade:lower(), "websocket")
    equal(type(ws.response_headers[1][1]), "string")
    equal(type(ws.response_headers[1][2]), "string")
    equal(information.state, state)
    equal(ws.state, state)
    equal(ws.information, information)
end

test("information", function()
    local new = support.message_socket()
    for _, key in ipairs {"uri", "effective_uri", "protocol", "local_address", "remote_address", "response_headers"} do
        equal(new.information[key], nil, key)
    end
    equal(new.information.state, "new")
    local ws = open(support.echo())
    assert_information(ws, "open")
    finish(ws)
end)

test("framing", function()
    for _, framing in ipairs {"auto", "curl"} do
        local ws = support.message_socket({framing = framing})
        equal(ws.framing, nil)
        assert(ws:connect(support.echo()))
        local expected = framing == "curl" and "curl" or "native"
        equal(ws.framing, expected)
        equal(ws.information.framing, expected)
        for _, data in ipairs {"", "binary", ("\0"):rep(300), ("x"):rep(70000), ("y"):rep(2 ^ 19)} do
            assert(ws:send(data))
            equal(assert(ws:receive(50)) == data, true, #data)
        end
        assert(assert(ws:ping()) > 0)
        finish(ws)
        equal(ws.framing, expected)
    end
end)

test("framing_native", function()
    local ws = support.message_socket({framing = "native"})
    if not support.has_native_decoder() then
        assert(failed(ws:connect(support.echo())).message:find("8.21.0", 1, true))
        equal(ws.state, "new")
        ws.control.framing = "auto"
    end
    assert(ws:connect(support.echo()))
    equal(ws.framing, "native")
    finish(ws)
end)

test("bandwidth", function()
    local members = {
        outbound_bits_per_second = 0, inbound_bits_per_second = 0, outbound_bits_per_second_instability = 0,
        inbound_bits_per_second_instability = 0, outbound_bandwidth_peaked = false, inbound_bandwidth_peaked = false,
    }
    local function check(speed)
        for key, value in pairs(members) do
            equal(type(speed[key]), type(value), key)
            if value == 0 then equal(support.number_type(speed[key]), "integer", key) end
        end
        for key in pairs(speed) do
            assert(members[key] ~= nil, key)
        end
    end
    local new = support.message_socket().information.bandwidth_statistics
    check(new)
    for key, value in pairs(members) do equal(new[key], value, key) end
    local ws = open(support.echo())
    assert(ws:send(("x"):rep(1000000)))
    equal(#assert(ws:receive(50)), 1000000)
    check(ws.bandwidth_statistics)
    assert(ws.information.bandwidth_statistics.outbound_bits_per_second > 0)
    finish(ws)
end)

test("information_after_close", function()
    local ws = open(support.echo())
    finish(ws)
    assert_information(ws, "closed")
end)

test("international_host", function()
    local token = support.token("host")
    local uri = support.script("echo", "end"):gsub("127%.0%.0%.1", "b\195\188cher.localhost")
    local ws = open(uri .. "?id=" .. token)
    equal(ws.uri, uri .. "?id=" .. token)
    assert(tostring(ws):find("//xn--bcher-kva.localhost:", 1, true), tostring(ws))
    finish(ws)
    assert(support.log(token):find("Host: xn--bcher-kva.localhost:", 1, true), support.log(token))
    local port = support.new_tls("wildcard")
    finish(open(support.tls(port, "B\195\156CHER.cw.localhost"), {ca_file = support.tls_file("ca.pem")}))
    assert(support.tls_log(port):find('"sni": "xn--bcher-kva.cw.localhost"', 1, true))
end)

test("response_headers_repeated", function()
    local ws = support.message_socket()
    failed(ws:connect(support.script(support.reply("HTTP/1.1 403 No", "X-A: 1", "X-Empty:", "x-a:  2 ",
        "Content-Length: 0"))))
    local headers = ws.response_headers
    equal(headers["x-a"]:gsub("%s", ""), "1,2")
    equal(headers["x-empty"], "")
    equal(headers[1][1], "X-A")
    equal(headers[1][2], "1")
end)

test("request_header", function()
    local token = support.token("header")
    local ws = support.message_socket()
    equal(ws:set_request_header("X-Test", "first"), true)
    equal(ws:set_request_header("x-test", "second"), true)
    equal(ws:set_request_header("X-Gone", "x"), true)
    equal(ws:set_request_header("X-Gone", ""), true)
    assert(ws:connect(support.script("echo", "end") .. "?id=" .. token))
    finish(ws)
    local log = support.log(token)
    assert(log:find("x-test: second\\r\\n", 1, true), log)
    assert(not log:find("first", 1, true), log)
    assert(not log:find("X-Gone", 1, true), log)

    token = support.token("headers")
    ws = open(support.script("echo", "end") .. "?id=" .. token, {headers = {["X-One"] = "1", {"X-Two", "2"}}})
    finish(ws)
    log = support.log(token)
    assert(log:find("X-One: 1\\r\\n", 1, true), log)
    assert(log:find("X-Two: 2\\r\\n", 1, true), log)
    for _, wrong in ipairs {
        5, "X: 1", {{"X"}}, {X = 1}, {[5] = "x"}, {{"X", "1", "2"}}, {[5] = {"X", "1"}}, {{"X", "1"}, [3] = {"Y", "2"}},
        {X = {a = "1"}}, {X = {"1", 2}}, {X = {"1", nil, "3"}}, {[true] = "x"}, {"X", "1"},
    } do
        raises(function() curlwire.connect(support.echo(), {headers = wrong}) end, "headers must be a table")
    end
    raises(function() curlwire.connect(support.echo(), {headers = {Upgrade = "x"}}) end, "headers: ")
end)

local function lines_of(log, name)
    local values = {}
    for value in log:gmatch("\\r\\n" .. name:gsub("%-", "%%-") .. ":([^\\]*)") do values[#values + 1] = value end
    return table.concat(values, ",")
end

test("request_headers_of_one_name", function()
    for _, headers in ipairs {
        {{"X-Tag", "1"}, {"X-Tag", "2"}, {"X-Other", "o"}, {"X-Tag", "3"}},
        {["X-Tag"] = {"1", "2", "3"}, ["X-Other"] = "o"},
    } do
        local token = support.token("tags")
        finish(open(support.script("echo", "end") .. "?id=" .. token, {headers = headers}))
        local log = support.log(token)
        equal(lines_of(log, "X-Tag"), " 1, 2, 3", log)
        equal(lines_of(log, "X-Other"), " o", log)
    end
    local token = support.token("added")
    local ws = support.message_socket()
    equal(ws:add_request_header("X-Tag", "1"), true)
    equal(ws:add_request_header("X-Tag", ""), true)
    equal(ws:add_request_header("X-Tag", " 2\t"), true)
    assert(ws:connect(support.script("echo", "end") .. "?id=" .. token))
    finish(ws)
    equal(lines_of(support.log(token), "X-Tag"), " 1,, 2")
end)

test("user_agent_and_origin", function()
    local default = "curlwire/" .. curlwire._VERSION .. " libcurl/" .. curlwire.libcurl_version:match("^%S+")
    for _, case in ipairs {
        {{}, " " .. default, ""},
        {{user_agent = "mine/1 (x)", origin = "https://here"}, " mine/1 (x)", " https://here"},
        {{user_agent = "mine/1", origin = "https://here", headers = {["user-agent"] = "other/2", Origin = "null"}},
            " other/2", " null"},
    } do
        local token = support.token("agent")
        finish(open(support.script("echo", "end") .. "?id=" .. token, case[1]))
        local log = support.log(token)
        equal(lines_of(log, case[1].headers and "user-agent" or "User-Agent"), case[2], log)
        equal(lines_of(log, "Origin"), case[3], log)
    end
    for _, value in ipairs {"swordfish\1", " swordfish", ("swordfish"):rep(2000)} do
        for _, key in ipairs {"user_agent", "origin"} do
            local ok, message = pcall(curlwire.MessageWebSocket, {[key] = value})
            equal(ok, false)
            assert(tostring(message):find("control " .. key, 1, true), message)
            assert(not tostring(message):find("swordfish", 1, true), message)
        end
    end
end)

test("request_headers_that_cannot_be_sent", function()
    local ws = support.message_socket()
    local secret = ("swordfish"):rep(40000)
    for _, case in ipairs {
        {"X-Large", secret, "X%-Large.*256 KiB"}, {"Cookie", "swordfish", "Cookie must not be repeated"},
        {"Proxy-Authorization", "swordfish", "Proxy%-Authorization"}, {"Host", "", "Host"},
    } do
        if case[1] == "Cookie" then ws:add_request_header("cookie", "a=1") end
        local ok, message = pcall(ws.add_request_header, ws, case[1], case[2])
        equal(ok, false)
        assert(tostring(message):find(case[3]), message)
        assert(not tostring(message):find("swordfish", 1, true), message)
    end
    raises(function() curlwire.connect(support.echo(), {headers = {{"Origin", "a"}, {"origin", "b"}}}) end, "headers: ",
        "origin must not be repeated")
end)

test("uri_is_encoded", function()
    for given, sent in pairs {
        ["q=\195\182%20x"] = "q=%C3%B6%20x", ["{\"a|b\"}[]"] = "%7B%22a%7Cb%22%7D[]", ["a=/../b"] = "a=/../b",
        ["\240\159\152\128%2f"] = "%F0%9F%98%80%2f",
    } do
        local token = support.token("uri")
        local uri = support.script("echo", "end") .. "?id=" .. token .. "&" .. given
        local ws = open(uri)
        equal(ws.information.uri, uri)
        finish(ws)
        local log = support.log(token)
        assert(log:find("?id=" .. token .. "&" .. sent .. " HTTP/1.1\\r\\n", 1, true), log)
    end
end)

test("representation", function()
    local ws = support.message_socket()
    equal(tostring(ws), "curlwire.MessageWebSocket (new)")
    equal(tostring(support.stream_socket()), "curlwire.StreamWebSocket (new)")
    local address = support.echo():match("//(.*)/")
    assert(ws:connect("ws://user:secret@" .. address .. "/?token=secret2"))
    equal(tostring(ws), ("curlwire.MessageWebSocket (open ws://%s/ at %s)"):format(address, address))
    finish(ws)
    equal(tostring(ws), ("curlwire.MessageWebSocket (closed ws://%s/ at %s)"):format(address, address))
    assert(tostring(ws.control):find("^curlwire.Control"))
    assert(tostring(ws.information):find("^curlwire.Information"))
end)

-- SPDX-License-Identifier: MIT
-- After a failure of the network a call returns nil, a message and an error object with the details.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal, failed = harness.test, harness.equal, harness.failed
local open, finish = support.open, support.finish
local WebErrorStatus = curlwire.WebErrorStatus

-- Checks that connect fails with a WebErrorStatus, and that the socket is new afterwards.
local function refuse(uri, status, options)
    local ws = support.message_socket(options)
    local err = failed(ws:connect(uri))
    equal(ws.state, "new")
    if status then
        equal(err.status_name, status)
        equal(err.status, WebErrorStatus[status])
    end
    return err, ws
end

test("refused", function()
    local err = refuse(support.refused(), "CannotConnect")
    equal(err.name, "CW_CONNECT_FAILED")
    local address = support.refused(""):match("ws://(.*)") -- with its port
    local start = "cannot connect to the server " .. address
    equal(err.message:sub(1, #start), start)
    assert(err.message:find("^[:;] ", #start + 1), err.message) -- libcurl does not always tell why
    assert(err.curl_code > 0)
    equal(err.http_status, nil)
    equal(err.headers, nil)
    equal(err.code, nil)
    equal(failed(curlwire.connect(support.refused())).status, WebErrorStatus.CannotConnect)
end)

test("host_unknown", function() refuse("ws://no-such-host.invalid/", "HostNameNotResolved") end)

test("connect_timeout", function()
    refuse(support.script(support.reply("") .. "00", "hang"), nil, {connect_timeout = 5})
    local silent = support.script("hs:", "hang")
    refuse(silent, "Timeout", {connect_timeout = 0.1})
    local ws = support.message_socket()
    equal(failed(ws:connect(silent, 0.1)).status, WebErrorStatus.Timeout)
    equal(ws.state, "new")
end)

test("http_refusal", function()
    local uri = support.script(support.reply("HTTP/1.1 404 Not Found", "X-Why: no such thing", "Content-Length: 0"))
    local err, ws = refuse(uri, "NotFound")
    equal(err.http_status, 404)
    equal(err.headers["x-why"], "no such thing")
    equal(ws.response_headers["x-why"], "no such thing")
    equal(select(3, curlwire.connect(uri)).headers["x-why"], "no such thing")
end)

local upgrade = {"HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"}

test("bad_accept", function()
    local err = refuse(support.script(support.reply(upgrade[1], upgrade[2], upgrade[3],
        "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=")), "ErrorHttpInvalidServerResponse")
    assert(err.message:find("Accept", 1, true), err.message)
end)

test("bad_protocol_choice", function()
    local uri = support.script(support.reply(upgrade[1], upgrade[2], upgrade[3], "Sec-WebSocket-Accept: {accept}",
        "Sec-WebSocket-Protocol: surprise"))
    refuse(uri, "ErrorHttpInvalidServerResponse")
    refuse(uri, "ErrorHttpInvalidServerResponse", {supported_protocols = {"chat"}})
    finish(open(support.script(support.reply(upgrade[1], upgrade[2], upgrade[3], "Sec-WebSocket-Accept: {accept}",
        "Sec-WebSocket-Protocol: chat"), "echo"), {supported_protocols = {"chat"}}))
end)

test("certificate_unknown", function()
    local err = refuse(support.echo_tls())
    assert(err.status >= 1 and err.status <= 5, err.status_name)
    assert(err.curl_code > 0)
end)

test("certificate_name", function()
    refuse(support.badhost(), "CertificateCommonNameIsIncorrect", {ca_file = support.ca_file()})
end)

test("certificate_expired", function()
    refuse(support.expired(), "CertificateExpired", {ca_file = support.ca_file()})
end)

test("verify_off", function()
    local ws = open(support.badhost(), {verify = false})
    support.assert_echo(ws, "unverified", "utf8")
    finish(ws)
end)

test("connect_again", function()
    local _, ws = refuse(support.refused(), "CannotConnect")
    ws.control.supported_protocols = {"chat"}
    ws.control.supported_protocols = {}
    assert(ws:connect(support.echo()))
    support.assert_echo(ws, "at last", "utf8")
    finish(ws)
end)

-- Makes each function fail that the network can make fail. The names come from annotations.lua.
local function fail_all(try)
    local refused, closed = support.message_socket(), open(support.echo("/close?code=4005&reason=over"))
    try("curlwire.connect", curlwire.connect(support.refused()))
    try("WebSocket:connect", refused:connect(support.refused()))
    assert(closed:wait_closed(50))
    try("MessageWebSocket:send", closed:send("x"))
    try("MessageWebSocket:try_send", closed:try_send("x"))
    try("MessageWebSocket:send_many", closed:send_many({"x"}))
    try("MessageWebSocket:receive", closed:receive())
    local library = {encode = function() return "1" end, decode = function() return 1 end}
    try("MessageWebSocket:send_json", closed:send_json(1, library))
    try("MessageWebSocket:receive_json", closed:receive_json(nil, library))
    try("MessageWebSocket:receive_stream", closed:receive_stream())
    try("MessageWebSocket:send_final_frame", closed:send_final_frame("x"))
    try("MessageWebSocket:send_nonfinal_frame", closed:send_nonfinal_frame("x"))
    try("WebSocket:ping", closed:ping())
    try("WebSocket:flush", closed:flush())
    try("WebSocket:batch", closed:batch(function() end))
    try("OutputStream:write", closed.output_stream:write("x"))
    try("OutputStream:flush", closed.output_stream:flush())
    local lost = support.open_stream(support.script("end"))
    try("InputStream:read", lost.input_stream:read("a"))
    try("DataReader:load", curlwire.DataReader(lost.input_stream):load(1))
    local writer = curlwire.DataWriter(closed.output_stream)
    writer:write_byte(1)
    try("DataWriter:store", writer:store())
    try("DataWriter:flush", writer:flush())
    local stalled = open(support.script("stall"), {send_timeout = 0.05})
    try("WebSocket:wait_closed", stalled:wait_closed(0.01))
    repeat
        local ok, message, err = stalled:send(("x"):rep(65536), "binary", 0)
    until try("MessageWebSocket:send", ok, message, err)
    try("OutputStream:close", stalled.output_stream:close())
    stalled:abort()
    local jar = curlwire.CookieJar()
    try("curlwire.CookieJar", curlwire.CookieJar("/nowhere/file"))
    try("CookieJar:load", jar:load("/nowhere/file"))
    try("CookieJar:save", jar:save("/nowhere/file"))
    return closed, lost
end

-- The functions that never return nil in fail_all. Iterators raise errors. The others fail only without memory or
-- descriptors.
local never = {
    ["curlwire.MessageWebSocket"] = true, ["curlwire.StreamWebSocket"] = true, ["curlwire.dispatch"] = true,
    ["curlwire.run"] = true, ["curlwire.fd"] = true, ["curlwire.get_status"] = true,
    ["curlwire.build_info"] = true, ["curlwire.statistics"] = true,
    ["curlwire.spawn"] = true, ["curlwire.resume"] = true, ["curlwire.sleep"] = true, ["curlwire.timeout"] = true,
    ["curlwire.pcall"] = true, ["WebSocket:fileno"] = true, ["WebSocket:dispatch"] = true,
    ["WebSocket:set_request_header"] = true, ["WebSocket:add_request_header"] = true,
    ["WebSocket:set_connected_socket"] = true,
    ["WebSocket:close"] = true, ["WebSocket:abort"] = true,
    ["MessageWebSocket:messages"] = true, ["OutputStream:setvbuf"] = true, ["InputStream:lines"] = true,
    ["InputStream:close"] = true,
    ["curlwire.DataWriter"] = true, ["curlwire.DataReader.from_buffer"] = true,
    ["MessageArgs:get_data_reader"] = true, ["MessageArgs:get_data_stream"] = true,
    ["DataWriter:measure_string"] = true,
    ["CookieJar:set"] = true, ["CookieJar:cookies"] = true, ["CookieJar:clear"] = true,
    ["CookieJar:clear_session_cookies"] = true, ["curlwire.ReconnectingWebSocket"] = true,
}

-- test_reconnecting.lua tries ReconnectingWebSocket. Reads and writes of values use memory alone.
-- The others return what the stream returns (test_data.lua).
local function never_fails(name)
    return never[name] or name:find("^ReconnectingWebSocket:") or name:find("^DataReader:read_") or
        name:find("^DataWriter:write_") or
        name:find("^Data%w+:detach_") or name:find("^Data%w+:close$")
end

test("failure_is_nil_message_object", function()
    local tried = {}
    local closed, lost = fail_all(function(name, ok, message, err, ...)
        tried[name] = true
        if ok == true then
            return false
        end
        equal(select("#", ...), 0, name .. ": values after the third")
        failed(ok, message, err)
        equal("it failed: " .. message, "it failed: " .. tostring(err), name)
        local raised, text = pcall(assert, ok, message, err)
        equal(raised, false)
        equal(text, message, name .. ": what assert raises")
        return true
    end)
    for name in support.annotations():gmatch("\nfunction ([%w_.:]+)%(") do
        assert(tried[name] or never_fails(name), name .. " is not tried")
    end
    -- iterators raise errors, because nil means their end
    for _, iterate in ipairs {
        function() for _ in closed:messages() do error("a message") end end,
        function() for _ in lost.input_stream:lines() do error("a line") end end,
    } do
        local raised, err = pcall(iterate)
        equal(raised, false)
        equal(err.name, "CW_CLOSED")
        equal(tostring(err), err.message)
    end
end)

test("sent_count", function()
    local ws, list = open(support.script("stall")), {}
    for i = 1, 500 do
        list[i] = ("x"):rep(65536)
    end
    local err = failed(ws:send_many(list, "binary", 0)) -- 32 MB, more than a kernel accepts at once
    equal(err.name, "CW_WOULD_BLOCK")
    assert(err.sent_count > 0 and err.sent_count < 500, err.sent_count)
    repeat -- the kernels may accept more meanwhile, but not without end
        err = failed(ws:send_many(list, "binary", 0))
    until err.sent_count == 0
    repeat
        local ok, _, why = ws:send(list[1], "binary", 0)
        err = why
    until not ok
    equal(err.name, "CW_WOULD_BLOCK")
    equal(err.sent_count, nil)
    ws:abort()
end)

test("get_status", function()
    local err = refuse(support.refused(), "CannotConnect")
    equal(curlwire.get_status(err), 14)
    equal(WebErrorStatus[14], "CannotConnect")
    for _, foreign in ipairs {"text", 5, true, {}, {status = 14}, setmetatable({status = 14}, {})} do
        equal(curlwire.get_status(foreign), WebErrorStatus.Unknown)
    end
    equal(curlwire.get_status(nil), 0)
    harness.raises(function() curlwire.get_status() end, "value expected")
end)

test("web_error_status", function()
    local names, numbers = 0, 0
    for key, value in pairs(WebErrorStatus) do
        equal(WebErrorStatus[value], key)
        if type(key) == "number" then
            numbers = numbers + 1
        else
            names = names + 1
        end
    end
    equal(names, numbers)
    equal(names, 24 + 7 + 18 + 6)
    equal(WebErrorStatus.Timeout, 7)
    equal(WebErrorStatus.HttpVersionNotSupported, 505)
end)

test("module_fields", function()
    assert(curlwire._VERSION:find("^%d+%.%d+%.%d+$"))
    assert(curlwire.libcurl_version:find("^%d+%.%d+"))
end)

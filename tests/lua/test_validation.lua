-- SPDX-License-Identifier: MIT
-- on_server_custom_validation_requested: the program accepts or rejects the server's certificate.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises

local function asking(handler)
    local ws = support.message_socket {ca_file = support.tls_file("ca.pem"), message_type = "utf8"}
    ws.on_server_custom_validation_requested = handler
    return ws
end

local function assert_works(ws)
    support.assert_echo(ws, "over tls", "utf8")
    support.finish(ws)
end

test("silence_accepts", function(expect)
    local ws
    ws = asking(expect(function(sender, args)
        equal(sender, ws)
        equal(args.server_certificate.pem, sender.information.server_certificate.pem)
        assert(args.server_certificate.pem:find("BEGIN CERTIFICATE", 1, true))
        equal(#args.server_intermediate_certificates, 0)
        equal(#args.server_certificate_errors, 0)
        equal(args.server_certificate_error_severity, "none")
        equal(sender.state, "connecting")
    end))
    assert(ws:connect(support.tls("good")))
    assert_works(ws)
end)

test("a_rejected_server_sees_no_byte_of_the_request", function()
    local port = support.new_tls("good")
    local ws = asking(function(_, args) args:reject() end)
    local err = failed(ws:connect(support.tls(port)))
    assert(err.message:find("this program rejected the server's certificate", 1, true), err.message)
    equal(err.status_name, "CertificateIsInvalid")
    assert(support.tls_log(port):find('"plain_bytes": 0', 1, true))
    equal(ws.state, "new")
    ws.on_server_custom_validation_requested = nil
    assert(ws:connect(support.tls("good")))
    assert_works(ws)
end)

test("another_certificate_on_the_second_connection", function()
    local port = support.new_tls("twofaced")
    local err = failed(asking(function() end):connect(support.tls(port)))
    assert(err.message:find("not the one that this program accepted", 1, true), err.message)
    assert(support.tls_log(port):find('"plain_bytes": 0', 1, true))
end)

test("the_handler_cannot_widen_trust", function()
    local ws = asking(function() error("called") end)
    equal(failed(ws:connect(support.tls("expired"))).status_name, "CertificateExpired")
end)

test("deferrals", function()
    local ws = asking(function(_, args)
        local deferral = args:get_deferral()
        deferral:complete()
        deferral:complete()
    end)
    assert(ws:connect(support.tls("good")))
    assert_works(ws)
    local kept, late
    ws = asking(function(_, args) kept, late = args:get_deferral(), args end)
    local err = failed(ws:connect(support.tls("good")))
    assert(err.message:find("gave no answer about the server's certificate", 1, true), err.message)
    raises(function() kept:complete() end, "complete() comes too late")
    raises(function() late:reject() end, "reject() comes too late")
    raises(function() late:get_deferral() end, "get_deferral() comes too late")
end)

test("an_error_in_the_handler_leaves_connect", function()
    local ws = asking(function() error("oops") end)
    raises(function() ws:connect(support.tls("good")) end, "oops")
    equal(ws.state, "new")
end)

test("the_handler_is_set_before_connect_only", function()
    local ws = asking(function() end)
    equal(type(ws.on_server_custom_validation_requested), "function")
    assert(ws:connect(support.tls("good")))
    raises(function() ws.on_server_custom_validation_requested = nil end, "once a connect has begun: set it")
    raises(function() curlwire.MessageWebSocket().on_server_custom_validation_requested = 1 end,
        "must be a function or nil, not a number")
    support.finish(ws)
end)

test("a_stream_socket_asks_too", function()
    local ws = curlwire.StreamWebSocket {ca_file = support.tls_file("ca.pem")}
    ws.on_server_custom_validation_requested = function(_, args) args:reject() end
    failed(ws:connect(support.tls("good")))
end)

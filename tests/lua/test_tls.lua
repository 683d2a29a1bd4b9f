-- SPDX-License-Identifier: MIT
-- Faults of TLS: the rows of tests/faults/tls.txt, and cases that a row cannot describe.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local curlwire = harness.curlwire

local each_row = support.each_tls_row

local function assert_words(text, words)
    for word in (words .. "; "):gmatch("(.-); ") do
        assert(text:find(word, 1, true), ("no '%s' in: %s"):format(word, text))
    end
end

local function trusted(port, path, options)
    options = options or {}
    options.ca_file = support.tls_file("ca.pem")
    return support.open(support.tls(port, nil, path), options)
end

local function assert_works(ws)
    support.assert_echo(ws, "over tls", "utf8")
    support.finish(ws)
    equal(ws.was_clean, true)
end

test("build_info", function()
    local info = curlwire.build_info()
    equal(info.curlwire, curlwire._VERSION)
    equal(info.libcurl, curlwire.libcurl_version)
    for _, key in ipairs {"libcurl_built", "zlib"} do
        assert(info[key]:find("^%d+%.%d+"), info[key])
    end
    local file = assert(io.open("/proc/self/maps"))
    local is_shared = file:read("*a"):find("/libcurl.so", 1, true)
    file:close()
    equal(info.libcurl_linked, is_shared and "system" or "embedded")
    assert(info.tls)
    assert(info.authorities == nil or info.authorities:find("^[%w_]+: /"), info.authorities)
    local features = table.concat(info.features, " ")
    assert_words(features, "ws; wss; international-names")
    equal(features:find("compression", 1, true) ~= nil, support.has_native_decoder())
end)

test("tls_authorities", function()
    local plain = support.open(support.echo())
    equal(plain.information.authorities, nil)
    support.finish(plain)
    local ca_file, ca_path = support.tls_file("ca.pem"), support.tls_file("ca-folder")
    local ws = trusted("good", nil, {ca_path = ca_path})
    equal(ws.authorities, ("ca_file: %s, ca_path: %s"):format(ca_file, ca_path))
    equal(ws.information.authorities, ws.authorities)
    assert_works(ws)
    ws = support.message_socket({ca_path = ca_file})
    local err = failed(ws:connect(support.tls("good")))
    equal(err.status_name, "UnexpectedClientError")
    assert_words(err.message, "ca_path '; cannot be used (Not a directory): name a folder")
end)

test("tls_connect", function()
    each_row("connect", function(port, host, controls, outcome, words)
        local ws = support.message_socket()
        for name, file in controls:gmatch("([%w_]+)=(%S+)") do
            ws.control[name] = support.tls_file(file)
        end
        local uri = support.tls(port, host)
        if outcome ~= "open" then
            local err = failed(ws:connect(uri))
            equal(err.status_name, outcome)
            equal(err.name, "CW_CONNECT_FAILED")
            assert(err.curl_code > 0)
            assert_words(err.message, words)
            equal(ws.state, "new")
            if not outcome:find("^Certificate") then
                return
            end
            ws.control.verify = false -- the same socket must forget the refused certificate
        end
        assert(ws:connect(uri))
        assert_works(ws)
    end)
end)

local function read_file(name)
    local file = assert(io.open(support.tls_file(name), "rb"))
    local text = file:read("*a")
    file:close()
    return text:match("%-%-%-%-%-BEGIN CERT.*")
end

test("server_certificate", function()
    each_row("chain", function(port, host, controls, names, fault)
        local ws = support.message_socket()
        for name, file in controls:gmatch("([%w_]+)=(%S+)") do
            ws.control[name] = support.tls_file(file)
        end
        local information = ws.information
        equal(information.server_certificate, nil)
        equal(information.server_certificate_error_severity, nil)
        if fault ~= "" or names == "" then
            failed(ws:connect(support.tls(port, host)))
        else
            assert(ws:connect(support.tls(port, host)))
        end
        local sent = information.server_intermediate_certificates
        table.insert(sent, 1, information.server_certificate)
        local count = 0
        for name in names:gmatch("%S+") do
            count = count + 1
            equal(sent[count].pem, read_file(name .. ".pem"))
        end
        equal(#sent, count)
        local found = information.server_certificate_errors[1]
        assert(fault:find(found or "", 1, true), found)
        equal(#information.server_certificate_errors, fault ~= "" and 1 or 0)
        equal(information.server_certificate_error_severity,
            fault ~= "" and "fatal" or names ~= "" and "none" or nil)
        ws:abort()
    end)
end)

-- ignorable_server_certificate_errors: what is ignored, and that nothing else is.
test("ignore", function()
    each_row("ignore", function(port, host, controls, kinds, outcome, errors)
        local ws = support.message_socket()
        for name, file in controls:gmatch("([%w_]+)=(%S+)") do
            ws.control[name] = support.tls_file(file)
        end
        local list = {}
        for kind in kinds:gmatch("%S+") do list[#list + 1] = kind end
        ws.control.ignorable_server_certificate_errors = list
        equal(table.concat(ws.control.ignorable_server_certificate_errors, " "), kinds)
        local uri = support.tls(port, host)
        if outcome == "open" then
            assert(ws:connect(uri))
            assert_works(ws)
        else
            equal(failed(ws:connect(uri)).status_name, outcome)
        end
        local found = table.concat(ws.information.server_certificate_errors, " ")
        local is_found = false
        for one in (errors .. "/"):gmatch("%s*(.-)%s*/") do is_found = is_found or one == found end
        assert(is_found, found)
        equal(ws.information.server_certificate_error_severity, port ~= "plain"
            and (outcome ~= "open" and "fatal" or errors ~= "" and "ignorable" or "none") or nil)
    end)
end)

test("ignore_kinds", function()
    local key = "ignorable_server_certificate_errors"
    local ws = support.message_socket()
    for kind, words in pairs {
        Success = "is no error: leave it out", OtherErrors = "any other fault: leave it out",
        Revoked = "unset crl_file", RevocationFailure = "unset crl_file",
        RevocationInformationMissing = "unset crl_file",
        Expired = "set verify to false, and check", InvalidSignature = "set verify to false",
        WrongUsage = "set verify to false",
        InvalidCertificateAuthorityPolicy = "set verify to", BasicConstraintsError = "set verify to false",
        UnknownCriticalExtension = "set verify to false",
    } do
        raises(function() ws.control[key] = {"Untrusted", kind} end, key .. " cannot have " .. kind .. ", ", words)
        raises(function() curlwire.MessageWebSocket {[key] = {kind}} end, key .. " cannot have " .. kind .. ", ", words)
    end
    for _, wrong in ipairs {{"untrusted"}, {"Everything"}, {""}, {"Untrusted", "Untrusted"}, {1}, "Untrusted", 5} do
        raises(function() ws.control[key] = wrong end, key)
    end
    equal(#ws.control[key], 0)
    ws.control.ca_file = support.tls_file("ca.pem")
    ws.control[key] = {"Untrusted", "InvalidName"}
    ws.on_server_custom_validation_requested = function(_, args)
        equal(table.concat(args.server_certificate_errors, " "), "Untrusted InvalidName")
        equal(args.server_certificate_error_severity, "ignorable")
        args:reject()
    end
    local port = support.new_tls("selfsigned")
    local err = failed(ws:connect(support.tls(port, "a.cw.localhost")))
    assert_words(err.message, "this program rejected the server's certificate")
    assert(support.tls_log(port):find('"plain_bytes": 0', 1, true))
    ws.on_server_custom_validation_requested = nil
    assert(ws:connect(support.tls("selfsigned", "a.cw.localhost")))
    assert_works(ws)
    local strict = support.message_socket {ca_file = support.tls_file("ca.pem")} -- nothing is shared
    equal(failed(strict:connect(support.tls("selfsigned"))).status_name, "CertificateIsInvalid")
end)

test("certificate_facts", function()
    local ws = trusted("good")
    local certificate = ws.information.server_certificate
    equal(certificate.subject, "CN=localhost")
    equal(certificate.issuer, "CN=curlwire test ca")
    assert(certificate.serial_number:find("^%x+$"))
    assert(certificate.valid_from:find("^20%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"))
    assert(certificate.valid_from < certificate.valid_to)
    equal(table.concat(certificate.subject_alternative_names, " "),
        "DNS:localhost IP:127.0.0.1 IP:0:0:0:0:0:0:0:1")
    equal(#certificate.sha1_fingerprint, 40)
    equal(#certificate.sha256_fingerprint, 64)
    equal(certificate.der:sub(1, 1), "0")
    assert_works(ws)
    equal(ws.information.server_certificate.der, certificate.der)
    local plain = support.open(support.echo())
    equal(plain.information.server_certificate, nil)
    equal(#plain.information.server_intermediate_certificates, 0)
    support.finish(plain)
end)

test("tls_end", function()
    each_row("end", function(port, path, messages, code, clean, words)
        local ws = trusted(port, "/s/" .. path)
        local received = ""
        local message, _, err = ws:receive()
        while message do
            received = received .. message
            message, _, err = ws:receive()
        end
        equal(received, messages)
        assert(ws:wait_closed(50))
        equal(err.name, "CW_CLOSED")
        equal(err.code, tonumber(code))
        equal(ws.close_code, tonumber(code))
        equal(ws.was_clean, clean == "yes")
        assert_words(ws.close_reason, words)
        assert_words(err.message, words)
        if words:find("truncated") then
            equal(err.status_name, "ConnectionAborted")
        end
    end)
end)

test("tls_cut_reply", function()
    for _, reply in ipairs {"", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso"} do
        local ws = support.message_socket {ca_file = support.tls_file("ca.pem")}
        local err = failed(ws:connect(support.tls("cut", nil, "/s/hs:" .. support.hex(reply) .. "/end")))
        equal(err.status_name, "ConnectionAborted")
        assert_words(err.message, "close_notify")
    end
end)

test("tls_server_name", function()
    for _, row in ipairs {
        {"good", "localhost", '"localhost"'}, {"wildcard", "a.cw.localhost", '"a.cw.localhost"'},
        {"iponly", "127.0.0.1", "null"}, -- an IP address is not sent as a host name (RFC 6066 section 3)
    } do
        local port = support.new_tls(row[1])
        assert_works(support.open(support.tls(port, row[2]), {ca_file = support.tls_file("ca.pem")}))
        assert_words(support.tls_log(port), '"sni": ' .. row[3])
    end
end)

test("tls_nothing_before_verification", function()
    for _, name in ipairs {"expired", "unknown", "badhost", "badhost12"} do
        local port = support.new_tls(name)
        local ws = support.message_socket {ca_file = support.tls_file("ca.pem")}
        ws:set_request_header("Authorization", "Bearer swordfish")
        local err = failed(ws:connect(support.tls(port, nil, "/secret?token=swordfish")))
        assert(not err.message:find("swordfish"))
        local record = support.tls_log(port)
        assert_words(record, '"plain_bytes": 0')
        assert(#record:match('"raw": "(%x*)"') > 0, record)
        assert(not record:find(support.hex("swordfish"), 1, true))
        if name == "badhost12" then -- before TLS 1.3 the types of records are visible: 23 is data
            local types = record:match('"record_types": %[(.-)%]')
            assert(types:find("22") and not types:find("23"), types)
        end
    end
end)

test("tls_renegotiation", function()
    local port = support.new_tls("renegotiate")
    local ws = trusted(port)
    for number = 1, 10 do
        support.assert_echo(ws, tostring(number), "utf8")
    end
    support.assert_echo(ws, ("all of it"):rep(100000), "binary")
    support.finish(ws)
    equal(ws.was_clean, true)
    assert(tonumber(support.tls_log(port):match('"handshakes": (%d+)')) > 10)
end)

test("client_certificate", function()
    local certificate, key = support.tls_file("purpose.pem"), support.tls_file("purpose.key")
    for _, port in ipairs {"client", "client12"} do
        for _, options in ipairs {
            {client_certificate = certificate, client_key = key},
            {client_certificate = support.tls_file("client-both.pem")},
            {client_certificate = certificate, client_key = support.tls_file("client-locked.key"),
                client_key_password = "s3cret"},
            {client_certificate = support.tls_file("client.p12"), client_certificate_type = "p12",
                client_key_password = "s3cret"},
        } do
            local ws = trusted(port, nil, options)
            support.assert_echo(ws, "x", "utf8")
            support.finish(ws)
        end
    end
    for _, case in ipairs {
        {{client_certificate = "/nowhere/c.pem"}, "client_certificate '/nowhere/c.pem' cannot be used: No such file"},
        {{client_certificate = certificate}, "purpose.pem' cannot be used: it has no PEM key"},
        {{client_certificate = certificate, client_key = support.tls_file("server.key")}, "does not fit"},
        {{client_certificate = certificate, client_key = support.tls_file("client-locked.key"),
            client_key_password = "s3creT"}, "client_key_password is missing or wrong"},
        {{client_key_password = "s3creT"}, "client_key_password is set without client_certificate"},
    } do
        case[1].ca_file = support.tls_file("ca.pem")
        local err = failed(support.message_socket(case[1]):connect(support.tls("client")))
        assert(err.message:find(case[2], 1, true), err.message)
        assert(not err.message:find("s3cre"), err.message)
        equal(err.status_name, "UnexpectedClientError")
    end
end)

-- The server starts a renegotiation and stops reading. TLS cannot write data until the renegotiation ends.
test("tls_renegotiation_stuck", function()
    local ws = trusted("stuck", nil, {send_timeout = 1, close_timeout = 0})
    assert(ws:send("begin", "utf8"))
    equal(failed(ws:receive(0.2)).name, "CW_TIMED_OUT")
    local busy = os.clock()
    assert(ws:send("waits in the socket", "utf8", 0)) -- the service thread tries to send it
    equal(failed(ws:receive(0.5)).name, "CW_TIMED_OUT")
    local ok, _, err
    repeat -- this thread tries to send it
        ok, _, err = ws:send(("x"):rep(100000), "binary")
    until not ok
    assert(err.name == "CW_TIMED_OUT" or err.name == "CW_CLOSED", err.name)
    busy = os.clock() - busy
    assert(busy < 0.5, busy)
    ws:abort()
end)

-- SPDX-License-Identifier: MIT
-- The controls of TLS against servers, and what information tells of TLS and of the time that a connect took. The rows
-- "option" of tests/faults/tls.txt are shared with test_tls_options.py.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises

local function assert_words(text, words)
    for word in (words .. "; "):gmatch("(.-); ") do
        assert(text:find(word, 1, true), ("no '%s' in: %s"):format(word, text))
    end
end

local function bytes_of(name)
    local file = assert(io.open(support.tls_file(name), "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

local function assert_works(ws)
    support.assert_echo(ws, "over tls", "utf8")
    support.finish(ws)
    equal(ws.was_clean, true)
end

local words_of = {["true"] = true, ["false"] = false}

-- Returns a socket with the controls of a row, such as "ca_file=ca.pem tls_min_version:=1.3 ca_data<=ca.pem".
local function socket_with(controls)
    local ws = support.message_socket()
    for word in controls:gmatch("%S+") do
        local name, kind, value = word:match("^([%w_]+)([:<]?=)(.*)$")
        if kind == "=" then
            ws.control[name] = support.tls_file(value)
        elseif kind == "<=" then
            ws.control[name] = bytes_of(value)
        elseif words_of[value] ~= nil then
            ws.control[name] = words_of[value]
        else
            ws.control[name] = value
        end
    end
    return ws
end

test("tls_option", function()
    support.each_tls_row("option", function(port, host, controls, outcome, words, version, cipher)
        local ws = socket_with(controls)
        equal(ws.information.tls, nil)
        local uri = support.tls(port, host)
        if outcome ~= "open" then
            local err = failed(ws:connect(uri))
            equal(err.status_name, outcome)
            assert_words(err.message, words)
            assert(not err.message:find("s3cre", 1, true), err.message)
            equal(ws.state, "new")
            equal(#ws.information.server_certificate_errors > 0, outcome:find("^Certificate") ~= nil)
            return
        end
        assert(ws:connect(uri))
        assert_works(ws)
        local tls = ws.information.tls
        assert(tls and tls.version:find("^TLSv1%.[23]$"), tls and tls.version)
        if version then equal(tls.version, version) end
        if cipher then equal(tls.cipher, cipher) end
    end)
end)

test("tls_option_is_wrong", function()
    local ws = support.message_socket()
    local rows = {
        {"pinned_public_key", "sha256/abc", "write sha256//"},
        {"pinned_public_key", "sha256//" .. ("A"):rep(43) .. "=;", "44 characters"},
        {"tls_server_name", "a.example:443", "without scheme, port and path"},
        {"tls_ciphers", "A B", "without blanks"}, {"tls13_ciphers", "\195\132", "ASCII"},
        {"tls_groups", "A B", "with : between them"},
        {"tls_min_version", "1.4", 'must be "1.2" or "1.3"'},
    }
    for _, ending in ipairs {"min", "max"} do
        for _, old in ipairs {"1.0", "1.1", "TLSv1.1", "SSLv3"} do
            rows[#rows + 1] = {"tls_" .. ending .. "_version", old, "TLS 1.0 and TLS 1.1 are not secure (RFC"}
        end
    end
    for _, row in ipairs(rows) do
        local before = ws.control[row[1]]
        raises(function() ws.control[row[1]] = row[2] end, row[1], row[2], row[3])
        equal(ws.control[row[1]], before)
    end
end)

test("pin_needs_tls", function()
    local ws = support.message_socket {pinned_public_key = bytes_of("server.pin")}
    assert_words(failed(ws:connect(support.echo())).message, "pinned_public_key is set, and the URI is ws://")
end)

test("nothing_before_the_pin", function()
    for _, verify in ipairs {true, false} do
        local port = support.new_tls("good")
        local ws = support.message_socket {
            ca_file = support.tls_file("ca.pem"), pinned_public_key = bytes_of("badhost.pin"), verify = verify,
        }
        local err = failed(ws:connect(support.tls(port, nil, "/secret?token=swordfish")))
        equal(err.status_name, "CertificateIsInvalid")
        assert(not err.message:find("swordfish"))
        assert_words(support.tls_log(port), '"plain_bytes": 0')
    end
end)

-- A server with the pinned key cannot send us to one with another key.
test("pin_and_redirect", function()
    local target = support.new_tls("nameonly")
    local there = "Location: https://localhost:" .. target .. "/s/echo/end"
    local path = "/s/" .. support.reply("HTTP/1.1 302 Found", there, "Content-Length: 0") .. "/end"
    for _, verify in ipairs {true, false} do
        local ws = support.message_socket {
            ca_file = support.tls_file("ca.pem"), pinned_public_key = bytes_of("server.pin"), verify = verify,
            follow_location = "all",
        }
        local err = failed(ws:connect(support.tls("good", nil, path)))
        equal(err.status_name, "CertificateIsInvalid")
        assert_words(err.message, "is not the one in pinned_public_key")
        assert_words(support.tls_log(target), '"plain_bytes": 0')
    end
end)

test("secret_data_is_not_shown", function()
    local key = bytes_of("purpose.key")
    local secret = assert(key:match("\n(%S+)\n"))
    local ws = support.message_socket {client_certificate_data = key, client_key_data = key}
    equal(ws.control.client_certificate_data, "(set)")
    equal(ws.control.client_key_data, "(set)")
    local err = failed(ws:connect(support.tls("client")))
    assert(not (err.message .. tostring(err) .. tostring(ws)):find(secret, 1, true))
    local text = raises(function() ws.control.client_key_data = key:rep(10000) end, "client_key_data")
    assert(not text:find(secret, 1, true))
    ws.control.client_key_data = nil
    equal(ws.control.client_key_data, nil)
end)

-- RFC 8446 section 4.2.7: the extension supported_groups, with the two groups in this order.
test("groups_are_offered", function()
    local port = support.new_tls("good")
    local options = {ca_file = support.tls_file("ca.pem"), tls_groups = "P-384:P-256"}
    assert_works(support.open(support.tls(port), options))
    assert_words(support.tls_log(port), "000a" .. "0006" .. "0004" .. "0018" .. "0017")
end)

test("server_name_is_only_for_tls", function()
    for _, row in ipairs {{"127.0.0.1", "localhost", '"localhost"'}, {"localhost", "[::1]", "null"}} do
        local port = support.new_tls("good")
        local options = {ca_file = support.tls_file("ca.pem"), tls_server_name = row[2]}
        assert_works(support.open(support.tls(port, row[1]), options))
        assert_words(support.tls_log(port), ('"sni": %s; "host": "%s:%s"'):format(row[3], row[1], port))
    end
    local port = support.new_tls("good")
    local ws = support.message_socket {ca_file = support.tls_file("ca.pem"), tls_server_name = "localhost"}
    ws:set_request_header("Host", "mine.example")
    assert(ws:connect(support.tls(port, "127.0.0.1")))
    assert_works(ws)
    assert_words(support.tls_log(port), '"sni": "localhost"; "host": "mine.example"')
end)

test("resumption", function()
    for _, name in ipairs {"good", "tls12"} do
        local port = support.new_tls(name)
        local options = {ca_file = support.tls_file("ca.pem"), tls_session_resumption = true}
        local found = {}
        for number = 1, 4 do
            if number == 4 then options.tls_session_resumption = false end
            local ws = support.open(support.tls(port), options)
            found[number] = tostring(ws.information.tls.is_resumed)
            equal(ws.information.server_certificate == nil, ws.information.tls.is_resumed)
            assert_works(ws)
        end
        equal(table.concat(found, " "), "false false true false") -- tls.py gives the first one a context of its own
        for _, control in ipairs {"ca_file", "pinned_public_key"} do
            local ws = support.message_socket {
                ca_file = support.tls_file(control == "ca_file" and "other-ca.pem" or "ca.pem"),
                pinned_public_key = control ~= "ca_file" and bytes_of("badhost.pin") or nil,
                tls_session_resumption = true,
            }
            equal(failed(ws:connect(support.tls(port))).status_name, "CertificateIsInvalid")
        end
    end
end)

test("information_tls", function()
    local ca_file = support.tls_file("ca.pem")
    local ws = support.open(support.tls("alpn"), {ca_file = ca_file})
    for _ = 1, 2 do -- while it is open, and after the end
        local tls = ws.information.tls
        equal(tls.version, "TLSv1.3")
        equal(tls.cipher, "TLS_AES_256_GCM_SHA384")
        equal(tls.alpn, nil) -- libcurl offers no protocol by ALPN for wss (8.14.1, 8.22)
        equal(tls.authorities, "ca_file: " .. ca_file)
        equal(tls.is_resumed, false)
        if ws.state == "open" then assert_works(ws) end
    end
    local plain = support.open(support.echo())
    equal(plain.information.tls, nil)
    support.finish(plain)
end)

test("timings", function()
    local ws = support.message_socket {ca_file = support.tls_file("ca.pem")}
    equal(next(ws.information.timings), nil)
    failed(ws:connect(support.tls("badhost12")))
    local timings = ws.information.timings
    assert(timings.look_up >= 0 and timings.tcp >= 0 and timings.total > 0)
    equal(timings.tls, nil)
    equal(timings.upgrade, nil)
    assert(ws:connect(support.tls("good")))
    local opened = ws.information.timings
    equal(opened.proxy, nil)
    assert(opened.look_up + opened.tcp + opened.tls + opened.upgrade <= opened.total)
    assert_works(ws)
    equal(ws.information.timings.total, opened.total)
end)

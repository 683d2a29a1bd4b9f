-- SPDX-License-Identifier: MIT
-- Tests the promises of SECURITY.md that depend on the Lua binding: what it shows and sends, and what is on by default.
-- tests/python/test_security.py tests the others, which the core keeps.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

local secret = "hunter2secret"
local basic = "dXNlcjpodW50ZXIyc2VjcmV0" -- Base64 of user:hunter2secret

local function with_credentials(uri) return (uri:gsub("://", "://user:" .. secret .. "@", 1)) end

local function assert_clean(...)
    for _, text in ipairs {...} do
        assert(not text:find(secret, 1, true), text)
        assert(not text:find(basic, 1, true), text)
    end
end

-- Returns all texts of an error object.
local function words_of(err)
    local words = {tostring(err)}
    for _, key in ipairs {"name", "status_name", "reason", "http_status", "curl_code"} do
        words[#words + 1] = tostring(err[key])
    end
    return table.concat(words, " ")
end

local function shown(ws)
    return tostring(ws) .. tostring(ws.control) .. tostring(ws.information)
end

test("security_redirect", function()
    for _, status in ipairs {301, 302, 303, 307, 308} do
        local token = support.token("redirect")
        local ws = support.message_socket()
        ws:set_request_header("Authorization", "Bearer " .. secret)
        local reply = support.reply(
            ("HTTP/1.1 %d Go"):format(status), "Location: " .. support.echo(), "Content-Length: 0")
        local ok, _, err = ws:connect(support.script(reply, "end") .. "?id=" .. token)
        equal(ok, nil)
        equal(err.http_status, status)
        equal(ws.state, "new")
        assert_clean(words_of(err), shown(ws))
        assert(support.log(token):find("Bearer " .. secret, 1, true))
    end
end)

test("security_credentials_of_the_uri", function()
    local token = support.token("basic")
    local ws = support.message_socket()
    local ok, _, err = ws:connect(with_credentials(support.script(
        support.reply("HTTP/1.1 401 No", "WWW-Authenticate: Basic", "Content-Length: 0"), "end")) .. "?id=" .. token)
    equal(ok, nil)
    equal(err.http_status, 401)
    assert_clean(words_of(err), shown(ws))
    assert(support.log(token):find("Authorization: Basic " .. basic .. "\\r\\n", 1, true))
end)

test("security_server_credential", function()
    for _, case in ipairs {{"", basic}, {"other:password@", basic}, {"", "Bearer token", "Bearer token"}} do
        local token = support.token("credential")
        local ws = support.message_socket({server_credential = {"user", secret}, proxy_credential = {"proxy", secret}})
        if case[3] then ws:set_request_header("Authorization", case[3]) end
        local uri = support.script(support.reply("HTTP/1.1 401 No", "Content-Length: 0"), "end") .. "?id=" .. token
        local ok, _, err = ws:connect((uri:gsub("://", "://" .. case[1], 1)))
        equal(ok, nil)
        equal(err.http_status, 401)
        assert_clean(words_of(err), shown(ws))
        local log = support.log(token)
        assert(log:find("Authorization: " .. (case[3] or "Basic " .. basic) .. "\\r\\n", 1, true), log)
        equal(select(2, log:gsub("Authorization:", "")), 1)
        assert(not log:find("Proxy-Authorization", 1, true))
    end
end)

test("security_errors_about_the_uri", function()
    for _, uri in ipairs {
        "ws://user:" .. secret .. " x@127.0.0.1/", "ws://user:" .. secret .. "@127.0.0.1:99999/",
        "ws://user:" .. secret .. "@[::1/", "user:" .. secret .. "@127.0.0.1", "ftp://user:" .. secret .. "@127.0.0.1/",
        "ws://user:" .. secret .. "@127.0.0.1/#" .. secret, "ws://user:" .. secret .. "%00@127.0.0.1/",
        with_credentials(support.refused()),
    } do
        local ws = support.message_socket()
        local called, ok, message, err = pcall(ws.connect, ws, uri)
        assert(not called or not ok, uri)
        assert_clean(called and message .. words_of(err) or ok, shown(ws))
    end
end)

test("security_errors_about_headers", function()
    local ws = support.message_socket()
    for name, value in pairs {Authorization = secret .. "\r\nX: y", ["X " .. secret] = "1", Connection = secret} do
        local called, message = pcall(ws.set_request_header, ws, name, value)
        equal(called, false)
        assert_clean(message)
    end
end)

-- Tests each row of proxies.txt in a new program, with the row's value in an environment variable.
test("security_proxy", function()
    local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
    local program = [[
        local curlwire = require "curlwire"
        local result = {curlwire.MessageWebSocket():connect("ws://server.invalid/")}
        local err = result[#result]
        for _, value in pairs {err, err.message, err.name, err.status_name, err.reason or "", err.http_status} do
            print(value)
        end
        print(tostring(err))]]
    local names, count = {"http_proxy", "ws_proxy", "WS_PROXY", "all_proxy", "ALL_PROXY"}, 0
    for line in io.lines(here .. "/../faults/proxies.txt") do
        local kind, value, rest = line:match("^(%l+) *| [^|]*| (%S*) *| (.*)$")
        if kind == "malformed" or kind == "unusable" and value:find("{refused}", 1, true) then
            count = count + 1
            local name, port = names[count % #names + 1], support.refused():match(":(%d+)/")
            value = value:gsub("\\s", " "):gsub("\\t", "\t"):gsub("{refused}", port)
            local clean = "env -u no_proxy -u NO_PROXY -u http_proxy -u ws_proxy -u WS_PROXY -u all_proxy -u ALL_PROXY"
            local output, status = support.run_program(
                program, ("%s %s='%s' %%s"):format(clean, name, (value:gsub("%%", "%%%%"))))
            equal(status, 0, output)
            local words = kind == "malformed" and name .. " is malformed: " or "the proxy 127.0.0.1:" .. port
            assert(output:find(words, 1, true), line .. ": " .. output)
            assert(output:find(kind == "malformed" and "UnexpectedClientError" or rest:match("^%a+"), 1, true), output)
            assert(not output:find("s3c") and not output:find("j0hnny"), output)
        end
    end
    assert(count > 35, count)
end)

-- Some servers take a token as a subprotocol, so errors must not show one.
test("security_errors_about_subprotocols", function()
    local ws = support.message_socket()
    for _, value in ipairs {secret, {secret .. ","}, {secret .. " x"}, {"a", secret .. "\n"}, {[secret] = "a"}} do
        local called, message = pcall(function() ws.control.supported_protocols = value end)
        equal(called, false)
        assert_clean(message)
    end
end)

test("security_verify_is_on", function()
    equal(support.message_socket().control.verify, true)
    equal(support.stream_socket().control.verify, true)
    local ok, _, err = support.message_socket():connect(support.echo_tls())
    equal(ok, nil)
    assert(err.status_name:find("Certificate"), err.status_name)
end)

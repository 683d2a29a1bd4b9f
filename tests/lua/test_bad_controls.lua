-- SPDX-License-Identifier: MIT
-- Bad values of every control: the error comes when the value is set, or at the connect, and names the control. A new
-- type of control, or a control for a new file, fails until it has rows here.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local curlwire = harness.curlwire

local function numbers(row)
    local bad = {"1", {}, 1.5, row.least - 1, 0 / 0, -math.huge, true}
    if row.most < 2 ^ 53 then bad[#bad + 1] = row.most + 1 end
    if not row.none then bad[#bad + 1] = math.huge end
    return bad
end

local function words(row)
    return {"another", "", 1, true, row.words[1] and row.words[1] .. "\0"}
end

local bad_values = {
    BOOL = function() return {1, "yes", {}} end,
    ENUM = words,
    TEXT = function() return {7, true, {}, "a\0", "a\n", "\r", "\255"} end,
    LIST = function() return {"chat", 7, true, {1}, {""}, {"a b"}, {"a,b"}, {"a", "a"}, {"\127"}, {x = "a"}} end,
    TEXTS = function()
        return {"a:1:::1", 7, true, {1}, {""}, {"a"}, {"a:1:b c:2"}, {"a:1:::1\n"}, {"\127"}, {x = "a:1:::1"}}
    end,
    PAIRS = function()
        return {"A=1", 7, true, {1}, {[""] = 1}, {VERBOSE = 1}, {TCP_FASTOPEN = "1"}, {TCP_FASTOPEN = 2 ^ 31}}
    end,
    BYTES = function(row) return {7, true, {}, row.most < 2 ^ 31 and ("x"):rep(row.most + 1) or false} end,
    SECRET = function() return {7, true, {"s3cret"}, "s3cret\0", "s3cret\n", "s3cret\255"} end,
    HEADERS = function()
        return {
            7, true, "X: s3cret", {"ab"}, {{"X"}}, {{"X", "a", "b"}}, {X = 7}, {X = {"s3cret", 7}}, {[1.5] = "a"},
        }
    end,
    PROXY = function(row)
        return {
            7, {}, {"s3cret@h.test"}, "socks5://u:s3cret@h.test:0", "u:s3cret@", "s3cret\0", "s3cret\n", "s3cret\255",
            not row.words[1] and "direct" or nil, not row.words[1] or nil,
        }
    end,
    SECRET_BYTES = function(row) return {7, true, {"s3cret"}, ("s3cret"):rep(row.most)} end,
    CREDENTIAL = function(row)
        return {
            "user", 7, {}, {"user"}, {"user", "s3cret", ""}, {"user", 7}, {"", "s3cret"}, {"a:b", "s3cret"},
            {"user", "s3cret\n"}, {"user", ("s3cret"):rep(row.most)},
        }
    end,
    MS = function(row) return {"1", {}, -1, 0 / 0, -math.huge, true, not row.none and math.huge or nil} end,
    COUNT = numbers, NUMBER = numbers, BITS = numbers,
}

test("bad_headers_for_a_proxy", function()
    local ws = curlwire.MessageWebSocket {proxy_headers = {A = "1"}}
    for name, advice in pairs {
        ["Proxy-Authorization"] = "set proxy_credential", host = "header Host", ["Proxy-Connection"] = "leave it out",
        Upgrade = "header Upgrade", ["a b"] = "not a token", ["Sec-WebSocket-Key"] = "leave them out",
    } do
        local text = raises(function() ws.control.proxy_headers = {[name] = "s3cret"} end, advice)
        assert(not text:find("s3cret"), text)
    end
    local text = raises(function() ws.control.proxy_headers = {A = "2", X = "s3cret\r\nB: y"} end, "header X", "0x0D")
    assert(not text:find("s3cret"), text)
    equal(table.concat(ws.control.proxy_headers, "+"), "A")
end)

test("bad_values", function()
    for _, row in ipairs(support.controls()) do
        local ws = curlwire.MessageWebSocket()
        local before = ws.control[row.key]
        for _, bad in ipairs(assert(bad_values[row.type], row.type)(row)) do
            for _, attempt in ipairs {
                function() ws.control[row.key] = bad end,
                function() curlwire.MessageWebSocket {[row.key] = bad} end,
                function() curlwire.connect(support.echo(), {[row.key] = bad}) end,
            } do
                local is_done, text = pcall(raises, attempt, row.key)
                assert(is_done, ("%s = %s: %s"):format(row.key, tostring(bad), tostring(text)))
                assert(not text:find("s3cret"), text)
            end
        end
        if type(before) ~= "table" then equal(ws.control[row.key], before, row.key) end
    end
end)

-- trace_file is written: see test_tracing.lua.
local files = {
    ca_file = {}, ca_path = {}, crl_file = {ca_file = "ca.pem"}, client_certificate = {ca_file = "ca.pem"},
    client_key = {ca_file = "ca.pem", client_certificate = "purpose.pem"}, proxy_ca_file = {},
    proxy_client_certificate = {proxy_ca_file = "ca.pem"},
    proxy_client_key = {proxy_ca_file = "ca.pem", proxy_client_certificate = "purpose.pem"},
    user_agent = false, origin = false, -- no files
    pinned_public_key = {ca_file = "ca.pem"}, tls_ciphers = false, tls13_ciphers = false, tls_groups = false,
    tls_server_name = false,
    -- texts that name no file; test_reaching.lua has their bad values
    unix_socket_path = false, abstract_unix_socket = false, interface = false, doh_url = false,
    trace_file = false,
    cookie_file = false, cookie_jar = false, -- test_cookies.lua has their rows: an empty file is a cookie file
    netrc_file = {ca_file = "ca.pem"},
}

test("bad_files", function()
    local empty = os.tmpname()
    for _, row in ipairs(support.controls()) do
        local others = files[row.key]
        assert(row.type ~= "TEXT" or others ~= nil, row.key)
        for _, path in ipairs(others and {"/nowhere/file", empty, empty .. "/below", "/", "/dev/null"} or {}) do
            local ws = support.message_socket()
            for key, name in pairs(others) do ws.control[key] = support.tls_file(name) end
            ws.control[row.key] = path
            if row.key:find("^proxy_") then ws.control.proxy = support.proxy("tls", "https") end
            local err = failed(ws:connect(support.tls("good")))
            assert(err.message:find(("%s '%s' cannot be used"):format(row.key, path), 1, true), err.message)
            equal(err.status_name, "UnexpectedClientError")
            equal(ws.state, "new")
        end
    end
    os.remove(empty)
end)

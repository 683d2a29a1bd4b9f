-- SPDX-License-Identifier: MIT
-- Tests of the controls about proxies, with the real proxies of tests/servers/proxy_settings.py.

local harness = require "harness"
local support = require "support"

local test, equal, failed = harness.test, harness.equal, harness.failed
local curlwire, proxy, login = harness.curlwire, support.proxy, support.proxy_login

local function works(uri, options)
    local ws = assert(curlwire.connect(uri, options))
    assert(ws:send("through"))
    equal((ws:receive(60)), "through")
    support.finish(ws)
end

-- A connect fails. Returns the error, which shows no user and no password.
local function fails(uri, options)
    local err = failed(curlwire.connect(uri, options))
    assert(not err.message:find("s3c") and not err.message:find("j0hnny"), err.message)
    return err
end

for _, row in ipairs {
    {"open", "http"}, {"basic", "http", login}, {"tls", "https"}, {"socks", "socks5h"},
    {"socks_login", "socks5", login}, {"ssh", "socks4"}, {"ssh", "socks4a"},
} do
    test("proxies_real_" .. row[1] .. "_" .. row[2], function()
        local options = {proxy = proxy(support.unpack(row, 1, 3)), ca_file = support.ca_file()}
        works(support.echo(), options)
        works(support.echo_tls():gsub("localhost", "127.0.0.1"), options)
        equal(curlwire.MessageWebSocket(options).control.proxy, proxy(row[1], row[2]))
    end)
end

test("proxies_login", function()
    for _, row in ipairs {{"basic", "http"}, {"socks_login", "socks5h"}} do
        local uri = proxy(row[1], row[2])
        works(support.echo(), {proxy = uri, proxy_credential = support.proxy_credential})
        equal(fails(support.echo(), {proxy = uri}).status_name, "ProxyAuthenticationRequired")
        local err = fails(support.echo(), {proxy = uri, proxy_credential = {"j0hnny", "s3cret"}})
        equal(err.status_name, "ProxyAuthenticationRequired")
        assert(err.message:find("proxy_credential", 1, true), err.message)
    end
end)

test("proxies_refusal", function()
    local err = fails("ws://denied.test/", {proxy = proxy("open")})
    equal(err.status_name, "Forbidden")
    equal(err.http_status, 403)
    local words = "the proxy " .. proxy("open"):sub(8) .. " (proxy) refused to connect to denied.test"
    assert(err.message:find(words, 1, true), err.message)
    local keeps_body = table.concat(curlwire.build_info().features, " "):find("refusal-body", 1, true) ~= nil
    equal(err.body:find("Access Denied", 1, true) ~= nil, keeps_body)
end)

test("proxies_auth", function()
    local credential = support.proxy_credential
    works(support.echo(), {proxy = proxy("digest"), proxy_credential = credential, proxy_auth = {"digest", "basic"}})
    works(support.echo(), {proxy = proxy("either"), proxy_credential = credential, proxy_auth = {"digest"}})
    local err = fails(support.echo(), {proxy = proxy("digest"), proxy_credential = credential})
    equal(err.http_status, 407)
    assert(err.message:find("it offers the login Digest only; add it to proxy_auth", 1, true), err.message)
    local wrong = {proxy = proxy("digest"), proxy_credential = {"j0hnny", "s3cret"}, proxy_auth = {"digest"}}
    err = fails(support.echo(), wrong)
    assert(err.message:find("correct proxy_credential", 1, true), err.message)
    err = fails(support.echo(), {proxy = proxy("basic"), proxy_credential = credential, proxy_auth = {"negotiate"}})
    assert(err.http_status == 407 or err.message:find("was built without GSSAPI", 1, true), err.message)
    equal(err.option, "proxy_auth")
end)

test("proxies_pre_proxy", function()
    local pre = proxy("socks_login", "socks5h", login)
    works(support.echo(), {pre_proxy = pre, proxy = proxy("basic"), proxy_credential = support.proxy_credential})
    local err = fails("ws://denied.test/", {pre_proxy = pre, proxy = proxy("open")})
    equal(err.status_name, "Forbidden")
    err = fails(support.echo(), {pre_proxy = proxy("socks_login", "socks5", "j0hnny:s3cret"), proxy = proxy("open")})
    assert(err.message:find("in pre_proxy", 1, true), err.message)
    err = fails(support.echo(), {pre_proxy = pre, proxy = false})
    assert(err.message:find("no http:// or https:// proxy stands behind it", 1, true), err.message)
end)

test("proxies_headers", function()
    local headers = {["X-Team"] = "s3cret", {"X-Many", "1"}, {"X-Many", "2"}}
    works(support.echo(), {proxy = proxy("open"), proxy_headers = headers})
    -- The header goes to the proxy only: the scripted server records the request.
    local token = support.token("proxies")
    local uri = support.script(support.reply("HTTP/1.1 404 No", "Content-Length: 0"), "end") .. "?id=" .. token
    equal(fails(uri, {proxy = proxy("open"), proxy_headers = headers}).http_status, 404)
    local log = support.log(token)
    assert(log:find("Sec-WebSocket-Key", 1, true), log)
    assert(not log:find("X-Team", 1, true) and not log:find("s3cret", 1, true), log)
end)

test("proxies_client_certificate", function()
    local options = {proxy = proxy("mutual", "https"), proxy_ca_file = support.ca_file()}
    local err = fails(support.echo(), options)
    equal(err.status_name, "UnexpectedClientError")
    assert(err.message:find("set proxy_client_certificate to one that it accepts", 1, true), err.message)
    options.proxy_client_certificate = support.tls_file("purpose.pem")
    options.proxy_client_key = support.tls_file("client-locked.key")
    err = fails(support.echo(), options)
    assert(err.message:find("proxy_client_key_password is missing or wrong", 1, true), err.message)
    options.proxy_client_key_password = "s3cret"
    works(support.echo(), options)
    local both = support.tls_file("client-both.pem")
    works(support.echo_tls(), {
        proxy = options.proxy, ca_file = support.ca_file(), proxy_client_certificate = both,
    })
end)

test("proxies_client_certificate_of_another_form", function()
    local function with(controls)
        controls.proxy, controls.proxy_ca_file = proxy("mutual", "https"), support.ca_file()
        return controls
    end
    local function read(name)
        local file = assert(io.open(support.tls_file(name), "rb"))
        local bytes = file:read("*a")
        file:close()
        return bytes
    end
    works(support.echo(), with {
        proxy_client_certificate = support.tls_file("client.p12"), proxy_client_certificate_type = "p12",
        proxy_client_key_password = "s3cret",
    })
    works(support.echo(), with {
        proxy_client_certificate_data = read("client.p12"), proxy_client_certificate_type = "p12",
        proxy_client_key_password = "s3cret",
    })
    works(support.echo(), with {
        proxy_client_certificate_data = read("purpose.pem"), proxy_client_key_data = read("purpose.key"),
    })
    local err = fails(support.echo(), with {
        proxy_client_certificate_data = read("purpose.pem"), proxy_client_key_data = read("server.key"),
    })
    equal(err.option, "proxy_client_key_data")
    equal(err.status_name, "UnexpectedClientError")
    assert(err.message:find("proxy_client_key_data cannot be used: it has no PEM key", 1, true), err.message)
end)

-- The rows of test_controls_of_a_client_certificate_that_do_not_fit_together in tests/python/test_proxies.py.
test("proxies_client_certificate_controls_together", function()
    local path = support.tls_file("client-both.pem")
    for _, start in ipairs {"", "proxy_"} do
        local certificate, key = start .. "client_certificate", start .. "client_key"
        for _, row in ipairs {
            {key, key .. " is set without " .. certificate, {[key] = path}},
            {key .. "_data", key .. "_data is set without " .. certificate, {[key .. "_data"] = "PEM"}},
            {key .. "_password", key .. "_password is set without ", {[key .. "_password"] = "s3cret"}},
            {
                certificate .. "_data", certificate .. " and " .. certificate .. "_data are both set",
                {[certificate] = path, [certificate .. "_data"] = "PEM"},
            },
            {
                key .. "_data", key .. " and " .. key .. "_data are both set",
                {[certificate] = path, [key] = path, [key .. "_data"] = "PEM"},
            },
            {
                key, key .. " is set beside a PKCS#12 file",
                {[certificate] = path, [certificate .. "_type"] = "p12", [key] = path},
            },
        } do
            row[3].proxy = "https://localhost:1"
            local err = fails("wss://localhost:1/", row[3])
            assert(err.message:find(row[2], 1, true), err.message)
            equal(err.option, row[1])
            equal(err.status_name, "UnexpectedClientError")
            equal(curlwire.get_status(err), curlwire.WebErrorStatus.UnexpectedClientError)
        end
    end
end)

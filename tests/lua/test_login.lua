-- SPDX-License-Identifier: MIT
-- Tests logging in at the server, with Apache and nginx. tests/python/test_login.py tests the core's rules.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

local secret = "hunter2secret"
local function apache(path) return os.getenv("CW_LOGIN_APACHE_WS") .. path end
local function nginx(path) return os.getenv("CW_LOGIN_NGINX_WS") .. path end
local function right() return {"user", os.getenv("CW_LOGIN_PASSWORD")} end

local function check(uri, control)
    local ws = support.message_socket(control)
    assert(ws:connect(uri))
    assert(ws:send("hello"))
    equal((ws:receive()), "hello")
    support.finish(ws)
end

local function refused(uri, control)
    local ws = support.message_socket(control)
    local err = harness.failed(ws:connect(uri))
    assert(not (err.message .. tostring(ws.control)):find(secret, 1, true))
    return err
end

test("login_digest", function()
    for _, kind in ipairs {"digest", "any"} do
        check(apache("/digest/?a=b"), {http_auth = kind, server_credential = right()})
        local err = refused(apache("/digest/"), {http_auth = kind, server_credential = {"user", secret}})
        equal(err.status_name, "Unauthorized")
        assert(err.message:find("does not accept this user and password", 1, true), err.message)
    end
    local err = refused(apache("/digest/"), {server_credential = right()})
    assert(err.message:find('http_auth to "digest"', 1, true), err.message)
end)

test("login_basic", function()
    for _, kind in ipairs {"basic", "any"} do
        check(apache("/basic/"), {http_auth = kind, server_credential = right()})
        check(nginx("/basic/"), {http_auth = kind, server_credential = right()})
    end
    equal(refused(nginx("/basic/"), {server_credential = {"user", secret}}).http_status, 401)
end)

test("login_any_over_ws", function()
    local port = nginx("/basic/"):match(":(%d+)/")
    local options = {
        http_auth = "any", server_credential = right(), resolve = {"server.test:" .. port .. ":127.0.0.1"},
    }
    local err = refused("ws://server.test:" .. port .. "/basic/", options)
    assert(err.message:find('http_auth "any" sends no password over ws', 1, true), err.message)
    options.http_auth = "basic"
    check("ws://server.test:" .. port .. "/basic/", options)
end)

test("login_bearer", function()
    local token = support.token("bearer")
    local ws = support.message_socket({xoauth2_bearer = secret})
    equal(ws.control.xoauth2_bearer, "(set)")
    assert(ws:connect(support.script("end") .. "?id=" .. token))
    ws:close()
    assert(support.log(token):find("Authorization: Bearer " .. secret .. "\\r\\n", 1, true))
    ws = support.message_socket({xoauth2_bearer = secret .. " x"})
    local called, message = pcall(ws.connect, ws, support.echo())
    equal(called, false)
    assert(message:find("xoauth2_bearer has a character", 1, true), message)
    assert(not message:find(secret, 1, true))
end)

test("login_netrc", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(('machine 127.0.0.1 login user password "%s"\ndefault login user password %s\n'):format(
        right()[2], secret))
    file:close()
    check(nginx("/basic/"), {netrc_file = path})
    check(apache("/digest/"), {netrc_file = path, http_auth = "digest"})
    equal(refused(nginx("/basic/"):gsub("127%.0%.0%.1", "localhost"), {netrc_file = path}).http_status, 401)
    os.remove(path)
    local err = refused(nginx("/basic/"), {netrc_file = path})
    assert(err.message:find("cannot be used", 1, true), err.message)
end)

test("login_refused", function()
    local err = refused(nginx("/basic/"), {http_auth = "ntlm"})
    equal(err.name, "CW_UNSUPPORTED")
    equal(err.option, "http_auth")
    assert(err.message:find("three messages", 1, true), err.message)
    assert(not pcall(support.message_socket, {http_auth = "kerberos"}))
end)

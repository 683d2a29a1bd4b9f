-- SPDX-License-Identifier: MIT
-- Tests redirects in Lua. tests/python/test_redirects.py tests what the core does with more of them.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

local secret = "hunter2secret"

local function redirect(target, status)
    return support.script(support.reply(("HTTP/1.1 %d Go"):format(status or 302), "Location: " .. target,
        "Content-Length: 0"), "end")
end

local function following(mode, control)
    control = control or {}
    control.follow_location = mode
    return support.message_socket(control)
end

test("redirect_followed", function()
    for _, mode in ipairs {"all", "safe"} do
        for _, status in ipairs {301, 302, 303, 307, 308} do
            local ws = following(mode)
            assert(ws:connect(redirect(support.echo(), status)))
            equal(ws.effective_uri, support.echo())
            equal(ws.information.effective_uri, support.echo())
            assert(ws.uri:find("/s/hs:", 1, true))
            assert(ws:send("hello"))
            equal((ws:receive()), "hello")
            support.finish(ws)
        end
    end
    local ws = following("safe")
    assert(ws:connect(support.echo("/moved")))
    equal(ws.effective_uri, support.echo())
    support.finish(ws)
end)

test("redirect_default", function()
    local ws = support.message_socket()
    equal(ws.control.follow_location, "none")
    equal(ws.control.max_redirs, 10)
    local err = harness.failed(ws:connect(support.echo("/moved")))
    equal(err.status_name, "Found")
    equal(err.http_status, 302)
    assert(err.message:find("it redirects; set follow_location", 1, true), err.message)
end)

-- Each row: the URI of the first server, and whether the second is another origin.
test("redirect_secrets", function()
    for _, case in ipairs {{"127.0.0.1", false}, {"localhost", true}} do
        local first, second = support.token("first"), support.token("second")
        local target = support.script("end"):gsub("127%.0%.0%.1", case[1]) .. "?id=" .. second
        local ws = following("safe", {server_credential = {"user", secret}})
        for _, name in ipairs {"Cookie", "X-Api-Key"} do ws:set_request_header(name, secret) end
        ws:set_request_header("User-Agent", "me")
        assert(ws:connect(redirect(target) .. "?id=" .. first))
        equal(ws.effective_uri, target)
        support.finish(ws)
        local before, after = support.log(first), support.log(second)
        for _, word in ipairs {"Cookie", "X-Api-Key", "Authorization"} do
            assert(before:find(word, 1, true), before)
            equal(after:find(word, 1, true) == nil, case[2])
        end
        assert(after:find("User-Agent: me", 1, true), after)
    end
end)

test("redirect_errors", function()
    local ws = following("all", {supported_protocols = {"chat"}})
    local err = harness.failed(ws:connect(redirect((support.echo():gsub("127%.0%.0%.1", "localhost")))))
    equal(err.status_name, "RedirectFailed")
    assert(err.message:find("supported_protocols", 1, true), err.message)
    ws = following("all", {ca_file = support.ca_file()})
    local secure = redirect(support.echo()):gsub("^ws://[^/]*", (os.getenv("CW_SCRIPT_WSS")))
    err = harness.failed(ws:connect(secure))
    equal(err.status_name, "HttpsToHttpOnRedirection")
    equal(err.headers.location, support.echo())
    ws = following("all", {max_redirs = 2})
    err = harness.failed(ws:connect(redirect("?x")))
    equal(err.status_name, "RedirectFailed")
    assert(err.message:find("after 2 redirects", 1, true), err.message)
end)

-- The program is asked about each server with TLS, in the thread that connects.
test("redirect_question", function()
    local base = os.getenv("CW_SCRIPT_WSS")
    local target = support.script("end"):gsub("^ws://[^/]*", base)
    local first = redirect(target):gsub("^ws://[^/]*", base)
    for rejected = 1, 3 do
        local asked = {}
        local ws = following("all", {ca_file = support.ca_file()})
        ws.on_server_custom_validation_requested = function(_, args)
            asked[#asked + 1] = ws.effective_uri
            assert(args.server_certificate)
            if #asked == rejected then args:reject() end
        end
        local ok, _, err = ws:connect(first)
        equal(#asked, math.min(rejected, 2), tostring(err))
        equal(asked[1], first)
        equal(asked[2], rejected > 1 and target or nil)
        equal(asked[3], nil)
        if rejected < 3 then equal(err.status_name, "CertificateIsInvalid") else assert(ok) end
        ws:abort()
    end
end)

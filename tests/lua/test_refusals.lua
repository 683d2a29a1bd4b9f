-- SPDX-License-Identifier: MIT
-- A server that refuses: the body and Retry-After of its reply. tests/python/test_refusals.py has more cases.

local harness = require "harness"
local support = require "support"

local test, equal, failed = harness.test, harness.equal, harness.failed
local curlwire = harness.curlwire

local keeps_body = table.concat(curlwire.build_info().features, " "):find("refusal-body", 1, true) ~= nil

local function kept(body) return keeps_body and body or "" end

-- Returns the error of a connect to a server that answers so.
local function refused(reply, is_secure, end_step, options)
    local uri = support.script("hs:" .. support.hex(reply), end_step or "hang")
    if is_secure then uri = support.tls("good", nil, uri:match("/s/.*")) end
    local all = {ca_file = support.ca_file(), connect_timeout = 50}
    for key, value in pairs(options or {}) do all[key] = value end
    return failed(curlwire.connect(uri, all))
end

local function head(...) return table.concat({"HTTP/1.1 403 Forbidden", ...}, "\r\n") .. "\r\n\r\n" end

local long = ("0123456789abcdef"):rep(4096) -- 64 KiB

test("bodies", function()
    for name, case in pairs {
        length = {head("Content-Length: 13") .. "token expired", "token expired"},
        none = {head("Content-Length: 0"), ""},
        bytes = {head("Content-Length: 4") .. "\0\r\n\255", "\0\r\n\255"},
        chunked = {head("Transfer-Encoding: chunked") .. "3\r\ntok\r\n2;x=y\r\nen\r\n0\r\nX-Sum: 1\r\n\r\n", "token"},
        no_length = {head() .. "gone", "gone", "end"},
        cut = {head("Content-Length: 9") .. "half", "half", "end"},
    } do
        for _, is_secure in ipairs {false, true} do
            local err = refused(case[1], is_secure, case[3])
            equal(err.http_status, 403, name)
            equal(err.body, kept(case[2]), name)
            equal((err.headers or {})["x-sum"], nil)
            equal(err.retry_after, nil)
        end
    end
end)

-- The scripted server takes a path of limited length, so the long body is repeated there. "join" lets it come with the
-- head, because curlwire waits for a body only 1 s.
test("a_body_has_64_kib_at_most", function()
    local reply = "hs:" .. support.hex(head("Content-Length: 1000000"))
    local body = "repeat:100:" .. support.hex(long:sub(1, 1024))
    local err = failed(curlwire.connect(support.script(reply, "join", body, "hang"), {connect_timeout = 50}))
    equal(#err.body, keeps_body and 65536 or 0)
    equal(err.body, kept(long))
end)

test("body_that_stalls", function()
    local err = refused(head("Content-Length: 100") .. "half")
    equal(err.http_status, 403)
    equal(err.body, kept("half"))
    local timeout = 0.3
    repeat -- on a busy machine the timeout may come before the head
        err = refused(head("Content-Length: 100") .. "half", false, "hang", {connect_timeout = timeout})
        timeout = 2 * timeout
    until err.http_status or timeout > 50
    equal(err.http_status, 403)
    equal(err.body, kept("half"))
end)

test("retry_after", function()
    local date = "Date: Sun, 06 Nov 1994 08:49:37 GMT"
    for value, seconds in pairs {
        ["120"] = 120, ["0"] = 0, ["Sun, 06 Nov 1994 08:50:37 GMT"] = 60, ["Sunday, 06-Nov-94 08:50:37 GMT"] = 60,
        ["Sun Nov  6 08:50:37 1994"] = 60, ["Sun, 06 Nov 1994 08:49:36 GMT"] = 0,
    } do
        equal(refused(head(date, "Retry-After: " .. value, "Content-Length: 0")).retry_after, seconds, value)
    end
    equal(refused(head(date, "Retry-After: soon", "Content-Length: 0")).retry_after, nil)
end)

test("body_is_in_no_text", function()
    local err = refused(head("Content-Length: 9") .. "swordfish")
    equal(err.body, kept("swordfish"))
    assert(not tostring(err):find("swordfish", 1, true))
    assert(not err.message:find("swordfish", 1, true))
end)


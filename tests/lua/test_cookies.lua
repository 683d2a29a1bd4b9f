-- SPDX-License-Identifier: MIT
-- Tests cookies over the Lua binding: jars, the controls and the files. tests/python/test_cookies.py tests which hosts
-- get them.

local harness = require "harness"
local support = require "support"

local test, equal, raises, failed = harness.test, harness.equal, harness.raises, harness.failed
local curlwire = harness.curlwire

local secret = "hunter2secret"

-- Connects to a server that sets these cookies. Returns the cookies of the request, sorted; nil = none.
local function visit(options, path, ...)
    local token = support.token("cookies")
    local lines = {"HTTP/1.1 101 OK", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: {accept}"}
    for _, cookie in ipairs {...} do
        lines[#lines + 1] = "Set-Cookie: " .. cookie
    end
    local ws = support.message_socket(options)
    assert(ws:connect(support.script(support.reply(support.unpack(lines)), "end", path or "end") .. "?id=" .. token))
    ws:abort()
    local list = {}
    for cookie in (support.log(token):match("\\r\\nCookie: (.-)\\r\\n") or ""):gmatch("[^; ]+") do
        list[#list + 1] = cookie
    end
    table.sort(list)
    return list[1] and table.concat(list, "; ")
end

local function names(jar)
    local list = {}
    for _, cookie in ipairs(jar:cookies()) do
        list[#list + 1] = cookie.name
    end
    table.sort(list)
    return table.concat(list, " ")
end

local function read(path)
    local file = io.open(path)
    if not file then return nil end
    local text = file:read("*a")
    file:close()
    return text
end

local function write(path, text)
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
end

test("cookies_no_jar", function()
    equal(visit(nil, nil, "a=1; Path=/"), nil)
    equal(visit(), nil)
end)

test("cookies_jar_is_shared", function()
    local jar = curlwire.CookieJar()
    equal(visit({cookie_jar = jar}, nil, "a=1; Path=/", "evil=1; Domain=com; Path=/", "b=2; Path=/other"), nil)
    equal(names(jar), "a b")
    equal(visit({cookie_jar = jar}), "a=1")
    equal(visit({cookie_jar = curlwire.CookieJar()}), nil)
    local ws = support.stream_socket({cookie_jar = jar})
    equal(ws.control.cookie_jar, jar)
    ws.control.cookie_jar = nil
    equal(ws.control.cookie_jar, nil)
    ws.control.cookie_jar = "/x"
    equal(ws.control.cookie_jar, "/x")
    ws.control.cookie_jar = jar
    assert(ws.control.cookie_jar ~= curlwire.CookieJar())
    equal(names(ws.control.cookie_jar), "a b")
end)

test("cookies_jar_is_collected_before_its_socket", function()
    local ws = support.message_socket({cookie_jar = curlwire.CookieJar()})
    collectgarbage()
    collectgarbage()
    ws.control.cookie_jar:set("a", "1", "x.example")
    equal(names(ws.control.cookie_jar), "a")
end)

test("cookies_of_a_jar", function()
    local jar = curlwire.CookieJar()
    local ends = os.time() + 1000
    jar:set("a", secret, ".x.example", {path = "/p", expires = ends + 0.5, secure = true, http_only = true,
        include_subdomains = true})
    local cookie = jar:cookies()[1]
    equal(cookie.name, "a")
    equal(cookie.value, secret)
    equal(cookie.domain, "x.example")
    equal(cookie.path, "/p")
    equal(cookie.expires, ends)
    equal(cookie.secure and cookie.http_only and cookie.include_subdomains, true)
    jar:set("b", "", "x.example")
    equal(tostring(jar), "curlwire.CookieJar of 2 cookies")
    if _VERSION ~= "Lua 5.1" then equal(#jar, 2) end
    cookie = jar:cookies()[2].name == "b" and jar:cookies()[2] or jar:cookies()[1]
    equal(cookie.expires, nil)
    equal(cookie.secure or cookie.http_only or cookie.include_subdomains, false)
    jar:clear_session_cookies()
    equal(names(jar), "a")
    jar:set("a", "", "x.example", {path = "/p", expires = 1, include_subdomains = true})
    equal(names(jar), "")
    jar:set("b", "", "x.example")
    jar:clear()
    equal(tostring(jar), "curlwire.CookieJar of 0 cookies")
end)

test("cookies_that_cannot_be_set", function()
    local jar = curlwire.CookieJar()
    for _, row in ipairs {
        {"its name is empty", "", secret, "x.example"}, {"its name has", "a=b", secret, "x.example"},
        {"its value has", "a", secret .. ";", "x.example"}, {"its value has", "a", secret .. "\r\n", "x.example"},
        {"no host name", "a", secret, "http://x"}, {"no host name", "a", secret, "Set-Cookie:"},
        {"path must begin", "a", secret, "x", {path = "x"}}, {"path must be a string", "a", secret, "x", {path = 1}},
        {"expires must be", "a", secret, "x", {expires = 0}}, {"expires must be", "a", secret, "x", {expires = "1"}},
        {"secure must be true or false", "a", secret, "x", {secure = 1}},
        {"a cookie has no \"domain\"", "a", secret, "x", {domain = "y"}}, {"a cookie has no 1", "a", secret, "x", {1}},
        {"__Secure-", "__Secure-a", secret, "x"}, {"table expected", "a", secret, "x", 5},
        {"string expected", "a", nil, "x"},
    } do
        local text = raises(function() jar:set(row[2], row[3], row[4], row[5]) end, row[1])
        assert(not text:find(secret, 1, true), text)
    end
    equal(names(jar), "")
    raises(function() jar.set({}, "a", "b", "c") end, "CookieJar")
    raises(function() return jar.nothing end, "CookieJar has no \"nothing\"", "cookies")
    raises(function() curlwire.CookieJar("") end, "the path is empty")
    raises(function() jar:load() end, "string expected")
    raises(function() jar:save() end, "no file of its own")
    raises(function() support.message_socket({cookie_jar = 5}) end, "cookie_jar")
end)

test("cookies_files", function()
    local path = os.tmpname()
    os.remove(path)
    equal(visit({cookie_jar = path}), nil)
    equal(read(path), nil)
    equal(visit({cookie_jar = path}, nil, "a=1; Path=/", "b=2; HttpOnly; Path=/"), nil)
    assert(read(path):find("\n#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t0\tb\t2\n", 1, true), read(path))
    local pipe = assert(io.popen("stat -c %a " .. path))
    equal(pipe:read("*l"), "600")
    pipe:close()
    equal(visit({cookie_jar = path}), "a=1; b=2")
    local before = read(path)
    equal(visit({cookie_file = path}, nil, "a=3; Path=/"), "a=1; b=2")
    equal(read(path), before)
    local jar = assert(curlwire.CookieJar(path))
    equal(names(jar), "a b")
    jar:set("c", "3", "x.example")
    equal(jar:save(), true)
    local other = curlwire.CookieJar()
    equal(other:load(path), true)
    equal(names(other), "a b c")
    equal(other:save(path .. ".other"), true)
    equal(names(curlwire.CookieJar(path .. ".other")), "a b c")
    jar:clear()
    jar:set("d", "4", "x.example")
    jar = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    equal(names(curlwire.CookieJar(path)), "d")
    os.remove(path)
    os.remove(path .. ".other")
end)

test("cookies_files_that_cannot_be_used", function()
    local path = os.tmpname()
    write(path, "x.example\tFALSE\t/\tFALSE\t0\tn\tv\n" .. secret .. "\n")
    for key, rows in pairs {
        cookie_file = {
            {"/nowhere/file", "cannot be used: No such file"}, {"/", "not a regular file"},
            {"/dev/zero", "not a regular file"},
            {path, "cannot be used: line 2 does not have seven fields"},
        },
        cookie_jar = {
            {"/nowhere/file", "cannot be written: No such file"}, {"/", "not a regular file"},
            {path, "cannot be used: line 2 does not have seven fields"},
        },
    } do
        for _, row in ipairs(rows) do
            local ws = support.message_socket({[key] = row[1]})
            local err = failed(ws:connect(support.echo()))
            assert(err.message:find(("%s '%s' "):format(key, row[1]), 1, true), err.message)
            assert(err.message:find(row[2], 1, true), err.message)
            assert(not err.message:find(secret, 1, true), err.message)
            equal(err.status_name, "UnexpectedClientError")
            equal(ws.state, "new")
        end
    end
    for _, key in ipairs {"cookie_file", "cookie_jar"} do
        local ws = support.message_socket({[key] = "/dev/null"})
        assert(ws:connect(support.echo()))
        ws:close()
        assert(ws:wait_closed())
    end
    local jar = curlwire.CookieJar()
    raises(function() jar:load(path) end, "line 2 does not have seven fields")
    raises(function() curlwire.CookieJar(path) end, "line 2 does not have seven fields")
    assert(failed(jar:load("/nowhere/file")).os_errno)
    assert(failed(jar:save("/nowhere/file")).os_errno)
    assert(failed(curlwire.CookieJar("/nowhere/file")).os_errno)
    equal(names(jar), "")
    local err = failed(support.message_socket({cookie_jar = jar, cookie_file = path}):connect(support.echo()))
    assert(err.message:find("cookie_file is set beside a cookie jar", 1, true), err.message)
    os.remove(path)
end)

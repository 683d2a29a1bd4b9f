-- SPDX-License-Identifier: MIT
-- How a connection reaches its server: Unix sockets, local ends, addresses without a look-up, DNS over HTTPS, other
-- options of libcurl. tests/faults/test_reaching.py has what needs a network or a connected descriptor.

local harness = require "harness"
local support = require "support"

local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local curlwire = require "curlwire" -- the harness's constructors would be the position in their errors

local function base(name) return assert(os.getenv(name), name .. " is not set; run tests/servers/run.py") end

local NOWHERE = "ws://nowhere.invalid/"
local tls_port = base("CW_REACHING_WSS"):match(":(%d+)$")
local unix_path, abstract_name = base("CW_UNIX_PATH"), base("CW_ABSTRACT_NAME")

local function reach(uri, options)
    local ws = support.open(uri, options)
    assert(ws:send("hello", "utf8"))
    equal(assert(ws:receive(50)), "hello")
    local addresses, remote = ws.information.local_address, ws.information.remote_address
    support.finish(ws)
    return addresses, remote
end

local function refused(uri, options) return failed(harness.curlwire.connect(uri, options)) end

local function has(text, words) assert(text:find(words, 1, true), text .. " has no " .. words) end

test("unix_socket", function()
    for _, framing in ipairs {"auto", "curl"} do
        local here, there = reach(NOWHERE, {unix_socket_path = unix_path, framing = framing})
        equal(here, "unix:")
        equal(there, "unix:" .. unix_path)
        here, there = reach(NOWHERE, {abstract_unix_socket = abstract_name, framing = framing})
        equal(here, "unix:")
        equal(there, "unix:@" .. abstract_name)
    end
end)

test("unix_socket_errors", function()
    local err = refused(NOWHERE, {unix_socket_path = "/nowhere/s"})
    equal(err.message, "cannot connect to unix_socket_path '/nowhere/s': No such file or directory; check the path and "
        .. "its permissions, and that the server runs")
    equal(err.status_name, "CannotConnect")
    has(refused(NOWHERE, {unix_socket_path = ("n"):rep(108)}).message, "longer than the 107 bytes")
end)

test("interface", function()
    has(reach(support.echo(), {interface = "127.0.0.77"}), "127.0.0.77:")
    has(reach(support.echo(), {interface = "lo"}), "127.0.0.1:")
    local err = refused(support.echo(), {interface = "nope0"})
    has(err.message, "this machine has no such network interface")
    equal(err.option, "interface")
    equal(refused("ws://127.0.0.1:1/").option, nil)
    has(refused(support.echo(), {interface = "192.0.2.1"}).message, "Cannot assign requested address")
end)

test("local_port", function()
    local ws = support.open(support.echo(), {interface = "127.0.0.80", local_port = 20000, local_port_range = 9999})
    local taken = tonumber(ws.local_address:match(":(%d+)$"))
    assert(taken >= 20000 and taken < 29999, taken)
    local err = refused(support.echo(), {interface = "127.0.0.80", local_port = taken})
    has(err.message, ("no local port from %d to %d can be used: Address already in use"):format(taken, taken))
    support.finish(ws)
    has(refused(support.echo(), {local_port = 65535, local_port_range = 2}).message, "go beyond port 65535")
end)

test("resolve", function()
    local options = {ca_file = support.ca_file(), resolve = {("api.example:%s:127.0.0.1"):format(tls_port)}}
    local _, there = reach(("wss://api.example:%s/"):format(tls_port), options)
    equal(there, "127.0.0.1:" .. tls_port)
end)

test("connect_to", function()
    local options = {ca_file = support.ca_file(), connect_to = {("api.example:443:localhost:%s"):format(tls_port)}}
    local _, there = reach("wss://api.example/", options)
    equal(there, "127.0.0.1:" .. tls_port)
end)

test("lists_of_texts", function()
    local ws = curlwire.MessageWebSocket {resolve = {"a:1:::1,127.0.0.1", "b:2:[::1]"}}
    equal(table.concat(ws.control.resolve, " "), "a:1:::1,127.0.0.1 b:2:[::1]")
    raises(function() ws.control.resolve = {"a:1:x"} end, "test_reaching.lua:", "resolve cannot have the item 'a:1:x'")
    raises(function() ws.control.connect_to = {"a"} end, "connect_to cannot have the item 'a'")
    raises(function() ws.control.resolve = {"a:1:::1\nb:1:::1"} end, "control character")
    raises(function() ws.control.resolve = "a:1:::1" end, "resolve must be a list of strings")
    equal(#ws.control.resolve, 2)
    ws.control.resolve = {}
    equal(#ws.control.resolve, 0)
end)

test("doh_url", function()
    local doh = ("https://localhost:%s/dns-query"):format(tls_port)
    local uri = ("wss://api.example:%s/"):format(tls_port)
    local _, there = reach(uri, {ca_file = support.ca_file(), doh_url = doh})
    equal(there, "127.0.0.1:" .. tls_port)
    local err = refused(uri, {ca_file = support.ca_file(), doh_url = "https://localhost:1/?key=s3cret"})
    has(err.message, "the host api.example cannot be resolved by doh_url https://localhost: check")
    equal(err.status_name, "HostNameNotResolved")
    has(refused(uri, {doh_url = "http://s3cret"}).message, "doh_url cannot be used: write the whole URL")
end)

test("curl_options", function()
    local ws = curlwire.MessageWebSocket {curl_options = {TCP_FASTOPEN = 1, HAPROXY_CLIENT_IP = "192.0.2.7"}}
    equal(ws.control.curl_options.TCP_FASTOPEN, 1)
    equal(ws.control.curl_options.HAPROXY_CLIENT_IP, "192.0.2.7")
    ws.control.curl_options = {}
    equal(next(ws.control.curl_options), nil)
    reach(support.echo(), {curl_options = {TCP_FASTOPEN = 1, IPRESOLVE = 1}})
    has(refused(support.echo(), {curl_options = {IPRESOLVE = 9}}).message, "refuses IPRESOLVE=9: CURLE_BAD_FUNC")
    for wrong, words in pairs {
        [{SSL_VERIFYPEER = 0}] = "curl_options cannot have SSL_VERIFYPEER: use curlwire's verify instead",
        [{VERBOSE = 1}] = "curl_options cannot have VERBOSE, because it could show",
        [{TCP_FASTOPEN = "1"}] = "TCP_FASTOPEN in curl_options must be a number, not a string",
        [{DNS_SERVERS = 1}] = "DNS_SERVERS in curl_options must be a string, not a number",
        [{TCP_FASTOPEN = 1.5}] = "TCP_FASTOPEN in curl_options must be a whole number, not 1.5",
        [{TCP_FASTOPEN = 2 ^ 31}] = "takes a whole number of at most 31 bits",
        [{TCP_FASTOPEN = true}] = "must be a table of names and values, but has a boolean for a string",
        [{"TCP_FASTOPEN"}] = "must be a table of names and values, but has a string for a number",
        [{HAPROXY_CLIENT_IP = "1\nTCP_FASTOPEN=1"}] = "control character",
    } do
        raises(function() ws.control.curl_options = wrong end, "test_reaching.lua:", words)
    end
    raises(function() ws.control.curl_options = "x" end, "must be a table of names and values: {NAME = 1}, not a str")
    raises(function() ws.control.curl_options = nil end, "not a nil")
end)

test("sock", function()
    local port = tonumber(base("CW_ECHO_WS"):match(":(%d+)$"))
    for _, class in ipairs {curlwire.MessageWebSocket, curlwire.StreamWebSocket} do
        local sock = assert(require("socket").connect("127.0.0.1", port))
        local ws = assert(harness.curlwire.connect(NOWHERE, {sock = sock:getfd(), socket_class = class}))
        equal(ws.local_address, ("%s:%s"):format(sock:getsockname()))
        sock:close()
        assert(ws:ping() > 0)
        equal(ws.remote_address, "127.0.0.1:" .. port)
        support.finish(ws)
    end
    local ws = support.message_socket()
    local sock = assert(require("socket").connect("127.0.0.1", port))
    ws:set_connected_socket(sock:getfd())
    sock:close()
    failed(ws:connect("wss://nowhere.invalid/")) -- the server speaks no TLS
    raises(function() return ws:connect(support.echo()) end, "the last connect has used the connection")
end)

test("connected_socket", function()
    local ws = curlwire.MessageWebSocket()
    for bad, words in pairs {
        [9999] = "is not a stream socket", [-1] = "must be a descriptor", [1.5] = "must be a descriptor",
        ["7"] = "must be a descriptor",
    } do
        raises(function() ws:set_connected_socket(bad) end, "test_reaching.lua:", words)
        raises(function() curlwire.connect(NOWHERE, {sock = bad}) end, words)
    end
    equal(ws:set_connected_socket(nil), true)
end)

test("tcp_options", function()
    reach(support.echo(), {
        tcp_keepalive = true, tcp_keepidle = 5, tcp_keepintvl = 1.5, tcp_keepcnt = 3, tcp_user_timeout = 10, dscp = 46,
        happy_eyeballs_timeout = 0.05,
    })
end)


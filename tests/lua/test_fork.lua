-- SPDX-License-Identifier: MIT
-- After fork() a child must not use the sockets of its parent: each call raises an error that says so. fork.c makes the
-- child. The suite "valgrind" runs this file too. It finds values that a failed call has not set.

local harness = require "harness"
local support = require "support"

local test, equal, raises = harness.test, harness.equal, harness.raises
local curlwire = require "curlwire"

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local fork

-- Compiles fork.c once.
local function load_fork()
    if fork then
        return fork
    end
    local package_name = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("[%d.]+")
    local library = os.tmpname()
    local pipe = assert(io.popen(("cc -std=c11 -D_GNU_SOURCE -Wall -shared -fPIC -o %s %s/fork.c " ..
        "$(pkg-config --cflags %s) 2>&1"):format(library, here, package_name)))
    equal(pipe:read("*a"), "", "what the compiler says")
    pipe:close()
    fork = assert(package.loadlib(library, "luaopen_cwfork"))()
    os.remove(library)
    return fork
end

-- ThreadSanitizer allows no new thread after fork(), so under it the child makes no socket.
local can_connect = not (os.getenv("CW_TEST_LUA") or ""):find("tsan", 1, true)

local function in_child(body) equal(load_fork().in_child(body), 0, "the child's exit status") end

local controls = {
    "no_delay", "connect_timeout", "send_timeout", "receive_timeout", "close_timeout", "ping_interval", "ping_timeout",
    "ca_file", "crl_file", "verify", "proxy_ca_file", "proxy_verify", "outbound_buffer_size", "inbound_buffer_size",
    "framing", "compression", "server_max_window_bits", "client_max_window_bits", "server_no_context_takeover",
    "client_no_context_takeover", "compression_threshold", "frame_size", "ca_path", "supported_protocols",
    "desired_unsolicited_pong_interval", "ping_payload", "server_credential", "proxy_credential",
    "client_certificate", "client_key", "client_key_password", "client_certificate_type",
    "ignorable_server_certificate_errors", "follow_location", "max_redirs", "http_auth", "xoauth2_bearer",
    "netrc_file", "user_agent", "origin", "proxy", "pre_proxy", "proxy_headers", "proxy_auth", "ca_data",
    "pinned_public_key", "tls_min_version", "tls_max_version", "tls_ciphers", "tls13_ciphers", "tls_groups",
    "client_certificate_data", "client_key_data", "tls_server_name", "ocsp_stapling", "tls_session_resumption",
    "unix_socket_path", "abstract_unix_socket", "interface", "local_port", "local_port_range", "resolve",
    "connect_to", "happy_eyeballs_timeout", "tcp_keepalive", "tcp_keepidle", "tcp_keepintvl", "tcp_keepcnt",
    "tcp_user_timeout", "dscp", "doh_url", "curl_options", "trace_file", "trace_payload",
    "trace_secret_headers", "cookie_file", "cookie_jar",
    "proxy_client_certificate", "proxy_client_key", "proxy_client_key_password", "keepalive", "send_high_water_mark",
    "send_low_water_mark", "proxy_client_certificate_type", "proxy_client_certificate_data", "proxy_client_key_data",
}
local message_controls = {"message_type", "receive_mode", "max_message_size", "max_fragments"}
local information = {
    "uri", "effective_uri", "protocol", "extensions", "local_address", "remote_address", "framing", "authorities",
    "response_headers", "bandwidth_statistics",
}
local only_of_information = {"statistics", "latency", "tls", "timings"}
local ends = {"close_code", "close_reason", "was_clean"}

local FORKED = "made before fork()"

local function read_all(ws, of_messages)
    for _, list in ipairs {controls, of_messages and message_controls or {}} do
        for _, key in ipairs(list) do
            raises(function() return ws.control[key] end, FORKED)
        end
    end
    raises(function() return ws.control.actual_unsolicited_pong_interval end, FORKED)
    raises(function() return ws.buffered_amount end, FORKED)
    for _, key in ipairs(information) do
        raises(function() return ws[key] end, FORKED)
        raises(function() return ws.information[key] end, FORKED)
    end
    for _, key in ipairs(only_of_information) do
        raises(function() return ws.information[key] end, FORKED)
    end
    for _, key in ipairs(ends) do
        equal(ws[key], nil, key)
    end
    equal(ws.state, "open") -- the state stays as it was at fork()
    equal(ws.information.state, "open")
    assert(tostring(ws):find("of the parent process", 1, true), tostring(ws))
    assert(tostring(ws.control) and tostring(ws.information))
end

test("fork_reads", function()
    local ws, stream = support.open(support.echo()), support.open_stream(support.echo())
    -- The error about an unknown control lists all controls, so it shows whether the lists above are complete.
    local text = raises(function() return ws.control.nothing end, "nothing")
    local names = "," .. text:match("it has (.*)$"):gsub("%s", "") .. ","
    for _, list in ipairs {controls, message_controls} do
        for _, key in ipairs(list) do
            local count
            names, count = names:gsub("," .. key .. ",", ",")
            equal(count, 1, key)
        end
    end
    equal(names, ",", "the controls that are not tried")
    in_child(function()
        read_all(ws, true)
        read_all(stream, false)
    end)
    support.assert_echo(ws, "still", "binary")
    support.finish(ws)
    support.finish(stream)
end)

test("fork_calls", function()
    local ws, stream = support.open(support.echo()), support.open_stream(support.echo())
    in_child(function()
        for _, f in ipairs {
            function() return ws:send("x") end, function() return ws:send_many({"x"}) end,
            function() return ws:try_send("x") end, function() ws.on_writable = print end,
            function() return ws:send_final_frame("x") end, function() return ws:receive() end,
            function() return ws:receive(0) end, function() return ws:ping() end, function() return ws:flush() end,
            function() return ws:close() end, function() return ws:wait_closed() end,
            function() return ws:connect(support.echo()) end,
            function() return ws:set_request_header("X", "y") end,
            function() ws.control.no_delay = false end, function() ws.control.ca_file = "x" end,
            function() ws.on_closed = print end,
            function()
                local next_message, state = ws:messages()
                return next_message(state)
            end,
            function() return stream.input_stream:read(1) end, function() return stream.input_stream:lines()() end,
            function() return stream.output_stream:write("x") end,
            function() return stream.output_stream:flush() end,
        } do
            raises(f, FORKED)
        end
        equal(ws:abort(), true)
    end)
    support.assert_echo(ws, "still", "binary")
    support.finish(ws)
    support.finish(stream)
end)

test("fork_own", function()
    local ws = support.open(support.echo())
    in_child(function()
        if not can_connect then
            return
        end
        local own = assert(curlwire.connect(support.echo(), {receive_timeout = 50}))
        assert(own:send("the child's", "utf8"))
        equal(assert(own:receive()), "the child's")
        assert(own:close())
        assert(own:wait_closed(50))
    end)
    support.assert_echo(ws, "still", "binary")
    support.finish(ws)
end)

test("fork_handlers", function()
    local ws, forked = support.open(support.echo()), nil
    ws.on_message_received = function(_, args)
        if args.data == "fork" then
            forked = load_fork().in_child(function() raises(function() return ws.uri end, FORKED) end)
        end
    end
    in_child(function()
        local heard
        curlwire.run() -- it does not wait for handlers of the parent
        equal(curlwire.dispatch(), 0)
        local own = curlwire.MessageWebSocket()
        own.on_message_received = function(socket, args)
            heard = args.data
            socket:close()
        end
        if can_connect then
            assert(own:connect(support.echo()))
            assert(own:send("the child's"))
            assert(curlwire.run())
            equal(heard, "the child's")
        end
        raises(function() ws.on_closed = print end, FORKED)
        collectgarbage()
    end)
    assert(ws:send("fork"))
    support.dispatch_until(function() return forked end)
    equal(forked, 0)
    support.finish(ws)
end)

test("fork_in_handler", function()
    local ws = support.open(support.echo())
    ws.on_message_received = function(socket)
        in_child(function() equal(socket.state, "open") end)
        socket:close()
    end
    assert(ws:send("x"))
    assert(curlwire.run())
end)

-- A coroutine that waited in the parent does not wait for ever in the child.
test("fork_coroutine", function()
    local ws = support.open(support.echo())
    local result
    curlwire.spawn(function() result = {ws:receive(50)} end)
    assert(curlwire.dispatch(0) >= 1)
    in_child(function() raises(curlwire.run, FORKED) end)
    ws:close()
    equal(curlwire.run(), true)
    equal(result[3].name, "CW_CLOSED")
    assert(ws:wait_closed(50))
end)

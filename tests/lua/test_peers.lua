-- SPDX-License-Identifier: MIT
-- Tests other servers, and that a busy interpreter keeps its connections.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

local function echo_both(uri, options)
    local ws = support.open(uri, options)
    support.assert_echo(ws, "text \226\130\172", "utf8")
    support.assert_echo(ws, "\0\255 binary", "binary")
    support.assert_echo(ws, ("x"):rep(100000), "binary")
    support.finish(ws)
    equal(ws.was_clean, true)
end

test("peer_node", function() echo_both(support.node()) end)
test("peer_nginx", function() echo_both(support.nginx()) end)
test("peer_nginx_tls", function() echo_both(support.nginx_tls(), {ca_file = support.ca_file()}) end)

-- Computes for 6 s of processor time. The server pings each 0.3 s and drops a client that has not answered within 4 s.
-- The service thread runs within 4 s on a busy machine too. os.clock counts the time of all threads, but the others use
-- little. So 6 s of it take more than 4 s by the clock.
local function be_busy()
    local until_s = os.clock() + 6
    local n = 0
    while os.clock() < until_s do
        n = n + 1
    end
    return n
end

local function assert_numbers(messages)
    assert(#messages > 10, "only " .. #messages .. " messages came")
    local first = tonumber(messages[1]:match("%d+"))
    for i, message in ipairs(messages) do
        equal(tonumber(message:match("%d+")), first + i - 1, "message " .. i)
    end
end

test("promise", function()
    local ws = support.open(support.ping("/ticker"))
    be_busy()
    local messages = {}
    while true do
        local message, message_type, err = ws:receive(0)
        if not message then
            equal(harness.failed(message, message_type, err).name, "CW_TIMED_OUT")
            break
        end
        messages[#messages + 1] = message
    end
    assert_numbers(messages)
    equal(ws.state, "open")
    assert(ws:ping(50))
    support.finish(ws)
end)

test("promise_with_handler", function()
    local ws, messages = support.open(support.ping("/ticker")), {}
    ws.on_message_received = function(_, args) messages[#messages + 1] = args.data end
    be_busy()
    harness.curlwire.dispatch(0)
    assert_numbers(messages)
    equal(ws.state, "open")
    support.finish(ws)
end)

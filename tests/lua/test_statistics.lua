-- SPDX-License-Identifier: MIT
-- Tests information.statistics and curlwire.statistics().

local harness = require "harness"
local support = require "support"

local test, equal, failed = harness.test, harness.equal, harness.failed
local open, finish, script = support.open, support.finish, support.script
local curlwire = require "curlwire"

local names = {}
do
    local header = assert(io.open("core/include/curlwire.h")):read("*a")
    local list = header:match("CW_STATISTICS_LIST%(X%)(.-)clang%-format on")
    for key, kind, unit in list:gmatch('X%([%w_]+, "([%w_]+)", (%u+), (%u+), "[^"]+"%)') do
        names[key] = {kind = kind, unit = unit}
    end
end

test("new", function()
    local n, count = support.message_socket().information.statistics, 0
    for key, row in pairs(names) do
        count = count + 1
        if row.unit == "US" and row.kind ~= "TOTAL" then equal(n[key], nil, key) else equal(n[key], 0, key) end
        if row.unit ~= "US" then equal(support.number_type(n[key]), "integer", key) end
    end
    assert(count > 30)
    for key in pairs(n) do assert(names[key], key) end
end)

for _, framing in ipairs {"auto", "curl"} do
    test("numbers_" .. framing, function()
        local ws = open(script("x:890161810168", "frame:1", "echo"), {framing = framing, message_type = "utf8"})
        equal(ws:receive(50), "h") -- the pong has been sent before
        assert(ws:send("abc"))
        equal(ws:receive(50), "abc")
        local round_trip = assert(ws:ping(50))
        local n = ws.information.statistics
        equal(n.open_sockets, 1)
        equal(n.text_messages_sent, 1)
        equal(n.text_messages_received, 2)
        equal(n.bytes_sent, 3)
        equal(n.bytes_received, 4)
        equal(n.pings_received, 1)
        equal(n.pongs_sent, 1)
        equal(n.wire_bytes_sent, 7 + 9 + 14)
        equal(n.wire_bytes_received, 3 + 3 + 5 + 10)
        equal(n.round_trips, 1)
        equal(n.round_trip_last, round_trip)
        equal(n.round_trip_mean, round_trip)
        finish(ws)
        equal(ws.information.statistics.ended_connections, 1)
    end)
end

test("process", function()
    local before = curlwire.statistics()
    local ws = open(support.echo())
    assert(ws:send("abc"))
    equal(ws:receive(50), "abc")
    equal(curlwire.statistics().bytes_sent, before.bytes_sent + 3)
    ws:close(3211)
    assert(ws:wait_closed(50))
    failed(curlwire.connect("ws://127.0.0.1:1/"))
    local after = curlwire.statistics()
    equal(after.connects, before.connects + 1)
    equal(after.failed_connects, before.failed_connects + 1)
    equal(after.closed[3211], (before.closed[3211] or 0) + 1)
    equal(after.failed.CannotConnect, (before.failed.CannotConnect or 0) + 1)
    equal(support.number_type(after.closed[3211]), "integer")
    equal(support.number_type(after.failed.CannotConnect), "integer")
end)

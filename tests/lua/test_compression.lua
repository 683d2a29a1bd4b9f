-- SPDX-License-Identifier: MIT
-- permessage-deflate (RFC 7692) with the servers of other projects. With a libcurl before 8.21 the tests check that it
-- is refused. The Python tests check the bytes on the wire.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

test("compression_controls", function()
    local ws = support.message_socket {compression = "deflate", client_max_window_bits = 9}
    equal(ws.control.compression, "deflate")
    equal(ws.control.client_max_window_bits, 9)
    equal(ws.control.server_max_window_bits, 15)
    equal(ws.control.server_no_context_takeover, false)
    equal(ws.control.compression_threshold, 128)
    equal(ws.extensions, nil)
    for _, bad in ipairs {7, 16, 9.5, -1, "9", math.huge} do
        harness.raises(function() ws.control.server_max_window_bits = bad end, "server_max_window_bits")
    end
    harness.raises(function() ws.control.server_max_window_bits = false end, "number of bits")
    harness.raises(function() ws.control.compression = "gzip" end, '"none" or "deflate"')
    harness.raises(function() ws.extensions = "x" end, "can only be read")
end)

if not support.has_compression then
    test("compression_refused", function()
        local ws = support.message_socket {compression = "deflate"}
        support.compression_refused(ws:connect(support.echo()))
        equal(ws.state, "new")
        ws.control.compression = "none"
        assert(ws:connect(support.echo()))
        equal(ws.information.extensions, nil)
        support.finish(ws)
    end)
    return
end

local noise = {}
do
    local seed = 7
    for i = 1, 100000 do
        seed = (seed * 16807) % 2147483647
        noise[i] = string.char(math.floor(seed / 65536) % 256)
    end
    noise = table.concat(noise)
end

local settings = {
    {},
    {client_max_window_bits = 9, server_max_window_bits = 9},
    {client_no_context_takeover = true, server_no_context_takeover = true},
    {compression_threshold = 0},
}

for _, name in ipairs {"echo", "node", "aiohttp", "nginx"} do
    test("compression_" .. name, function()
        for _, options in ipairs(settings) do
            local all = {compression = "deflate"}
            for key, value in pairs(options) do
                all[key] = value
            end
            local ws = support.open(support[name](), all)
            assert(ws.extensions:find("^permessage%-deflate"), ws.extensions)
            equal(ws.information.extensions, ws.extensions)
            for _ = 1, 2 do
                support.assert_echo(ws, ("text \226\130\172 "):rep(1000), "utf8")
                support.assert_echo(ws, noise, "binary")
                support.assert_echo(ws, ("x"):rep(300000), "binary")
                support.assert_echo(ws, "", "utf8")
            end
            support.finish(ws)
            equal(ws.was_clean, true)
        end
    end)
end

test("compression_fragments", function()
    local ws = support.open(support.echo(), {compression = "deflate", message_type = "utf8"})
    assert(ws:send_nonfinal_frame(("abc"):rep(100)))
    assert(ws:send_nonfinal_frame(""))
    assert(ws:send_final_frame("d"))
    equal(assert(ws:receive()), ("abc"):rep(100) .. "d")
    support.finish(ws)
end)

test("compression_stream", function()
    local ws = support.open_stream(support.echo(), {compression = "deflate"})
    assert(ws.output_stream:write(noise, ("line\n"):rep(1000)))
    equal(ws.input_stream:read(#noise), noise)
    for _ = 1, 1000 do
        equal(ws.input_stream:read("l"), "line")
    end
    support.finish(ws)
end)

test("compression_bomb", function()
    local ws = support.open(support.echo(), {compression = "deflate", max_message_size = 100000})
    assert(ws:send(("x"):rep(200000), "binary"))
    local err = harness.failed(ws:receive())
    equal(err.name, "CW_CLOSED")
    assert(err.message:find("max_message_size", 1, true), err.message)
end)

-- SPDX-License-Identifier: MIT
-- Messages that were sent arrive, whichever way the program ends and however slow the server is. If some cannot arrive,
-- the program is told. This file also tests batches.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

local MESSAGES, PROCESSES = 1000, 3

-- Returns the address of a scripted connection, a function that returns the messages it received, and its token.
local function recorded(...)
    local token = support.token("delivery")
    return support.script(...) .. "?id=" .. token, function()
        local payloads = {}
        for opcode, payload in support.log(token):gmatch('"opcode": (%d+).-"payload": "(%x*)"') do
            if opcode ~= "8" then
                payloads[#payloads + 1] = payload
            end
        end
        return payloads
    end, token
end

local function hex_numbers(count)
    local payloads = {}
    for number = 1, count do
        payloads[number] = support.hex(tostring(number))
    end
    return table.concat(payloads, " ")
end

local SEND = [[
    local curlwire = require "curlwire"
    ws = assert(curlwire.connect(%q)) -- a global is never collected
    for number = 1, %d do
        assert(ws:send(tostring(number)))
    end
    ]]

-- Checks that no message is lost after send has returned, because the kernel has it.
local function loses_nothing(ending, wanted_status)
    for _ = 1, PROCESSES do
        local uri, arrived = recorded("hang")
        -- drops the shell's own "Killed"
        local output, status = support.run_program(SEND:format(uri, MESSAGES) .. ending, "{ %s; } 2>/dev/null")
        equal(status, wanted_status, output)
        equal(table.concat(arrived(), " "), hex_numbers(MESSAGES))
    end
end

test("delivery_os_exit", function() loses_nothing("os.exit(3, false)", 3) end)

test("delivery_killed", function()
    loses_nothing('os.execute("kill -9 " .. io.open("/proc/self/stat"):read("*n"))', 128 + 9)
end)

-- The server reads nothing until the program has sent what it can, and for 1.6 s more. close_timeout is 0.5 s, and the
-- end of a program waits 1 s for handshakes.
local FILL = [[
    local curlwire = require "curlwire"
    ws = assert(curlwire.connect(%q, {close_timeout = 0.5}))
    local data, sent_count = ("x"):rep(1000), 0
    while ws:send(data, "binary", 0) do -- until the kernel and the socket are full
        sent_count = sent_count + 1
    end
    print(sent_count)
    assert(io.popen(%q)):read("*a")
    ]]

for name, ending in pairs {
    end_of_script = "",
    error = "error()",
    close = "ws:close()",
    close_and_wait = "ws:close() assert(ws:wait_closed())",
    dropped = "ws = nil collectgarbage() collectgarbage()",
} do
    test("delivery_slow_server_" .. name, function()
        local uri, arrived, token = recorded("stall", "gate", "wait:1600", "resume", "hang")
        local output = support.run_program(FILL:format(uri, support.go_command(token)) .. ending)
        assert(not output:find("curlwire:", 1, true), output)
        equal(#arrived(), tonumber(output:match("^(%d+)\n")))
    end)
end

local LARGE = ("x"):rep(12000000)

-- Returns a socket of a server that reads nothing. It has sent more bytes than the kernels can hold.
local function stuck()
    local ws = support.open(support.script("stall", "hang"), {send_timeout = 0.2})
    assert(ws:send(LARGE, "binary", 0))
    return ws
end

test("delivery_loss_told_by_wait_closed", function()
    local ws = stuck()
    ws:close()
    local err = harness.failed(ws:wait_closed())
    assert(tostring(err):find("bytes that were sent did not reach the server", 1, true), tostring(err))
    equal(err.code, 1006)
end)

test("delivery_loss_told_at_exit", function()
    local output, status = support.run_program(([[
        local curlwire = require "curlwire"
        local ws = assert(curlwire.connect(%q, {send_timeout = 0.2}))
        assert(ws:send(("x"):rep(12000000), "binary", 0))]]):format(support.script("stall", "hang")))
    assert(output:find("^curlwire: up to %d+ bytes that were sent did not reach their server"), output)
    equal(status, 0)
end)

local scopes = support.load("local x <close> = nil") ~= nil

test("delivery_loss_told_by_scope", function()
    local program = assert(support.load [[
        local stuck = ...
        local ws <close> = stuck()]])
    local ok, err = pcall(program, stuck)
    equal(ok, false)
    assert(tostring(err):find("did not reach the server", 1, true), tostring(err))
end, not scopes and "this Lua has no scoped variables" or nil)

-- ---- batches

test("batch_order", function()
    local ws = support.open(support.echo())
    equal(ws:batch(function()
        for number = 1, MESSAGES do
            assert(ws:send(tostring(number)))
        end
    end), true)
    for number = 1, MESSAGES do
        equal(ws:receive(), tostring(number))
    end
    support.finish(ws)
end)

test("batch_receive", function()
    local ws = support.open(support.echo())
    assert(ws:batch(function()
        assert(ws:send("question"))
        equal(ws:receive(), "question")
    end))
    support.finish(ws)
end)

test("batch_error", function()
    local uri, arrived = recorded("frame:2", "hang")
    local ws, reason = support.open(uri), {}
    local ok, err = pcall(ws.batch, ws, function()
        assert(ws:send("1"))
        assert(ws:send("2"))
        error(reason)
    end)
    equal(ok, false)
    equal(err, reason)
    ws:abort()
    equal(table.concat(arrived(), " "), hex_numbers(2))
end)

test("batch_of_stream", function()
    local uri, arrived = recorded("hang")
    local ws = support.open_stream(uri)
    assert(ws:batch(function()
        assert(ws.output_stream:write("1"))
        assert(ws.output_stream:write("2"))
    end))
    ws:abort()
    equal(table.concat(arrived(), " "), hex_numbers(2))
end)

test("batch_misuse", function()
    local ws = support.message_socket()
    equal(pcall(ws.batch, ws, function() end), false)
    equal(pcall(ws.batch, ws), false)
    ws = support.open(support.echo())
    ws:close()
    harness.failed(ws:batch(function() end))
    assert(ws:wait_closed(50))
end)

test("batch_end_waits", function()
    local ws = support.open(support.script("stall", "hang"), {send_timeout = 0.2})
    local err = harness.failed(ws:batch(function() assert(ws:send(LARGE, "binary", 0)) end))
    assert(tostring(err):find("still being sent", 1, true), tostring(err))
    ws:abort()
end)

-- SPDX-License-Identifier: MIT
-- Several Lua states in one process, each in a thread of its own, that come and go. states.c is the host.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local package_name = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("[%d.]+")

-- Runs a program in the states of the host.
local function run_in_states(program)
    local host = os.tmpname()
    local pipe = assert(io.popen(
        ("cc -std=c11 -D_GNU_SOURCE -Wall -pthread -o %s %s/states.c $(pkg-config --cflags --libs %s) 2>&1")
        :format(host, here, package_name)))
    equal(pipe:read("*a"), "", "what the compiler says")
    pipe:close()
    -- no leak check, which would find the loader's own: the other cases have it
    local command = "env ASAN_OPTIONS=detect_leaks=0 " .. support.interpreter():gsub("%S+$", host)
    local output, status = support.run_program(program, nil, command)
    os.remove(host)
    return output, status
end

-- The server never answers the close frame, so that the last state to close waits for a while; the other thread's
-- next state opens meanwhile, and must not get into that.
test("states_open_while_the_last_closes", function()
    local output, status = run_in_states(([[
        local curlwire = require "curlwire"
        local ws = assert(curlwire.connect(%q))
        assert(ws:send("x"))
        local other = assert(curlwire.connect(%q, {receive_timeout = 10}))
        assert(other:send("y", "text"))
        assert(assert(other:receive()) == "y")]]):format(support.script("hang"), support.echo()))
    equal(output, "")
    equal(status, 0)
end)

-- SPDX-License-Identifier: MIT
-- Several Lua states in one process, each in a thread of its own, that come and go. states.c and ending.c are hosts.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local package_name = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("[%d.]+")

-- Runs a program in the states of a host ("states.c"). words: further arguments of the host.
local function run_in_host(source, program, words)
    local host = os.tmpname()
    local pipe = assert(io.popen(
        ("cc -std=c11 -D_GNU_SOURCE -Wall -pthread -o %s %s/%s $(pkg-config --cflags --libs %s) 2>&1")
        :format(host, here, source, package_name)))
    equal(pipe:read("*a"), "", "what the compiler says")
    pipe:close()
    -- no leak check, which would find the loader's own: the other cases have it
    local command = "env ASAN_OPTIONS=detect_leaks=0 " .. support.interpreter():gsub("%S+$", host)
    local output, status = support.run_program(program, "%s " .. (words or ""), command)
    os.remove(host)
    return output, status
end

-- threads: "THREADS ROUNDS", if not the host's own.
local function run_in_states(program, threads) return run_in_host("states.c", program, threads) end

-- The server never answers the close frame, so that the last state to close waits for a while; the other thread's
-- next state opens meanwhile, and must not get into that.
test("states_open_while_the_last_closes", function()
    local output, status = run_in_states(([[
        local curlwire = require "curlwire"
        local ws = assert(curlwire.connect(%q))
        assert(ws:send("x"))
        local other = assert(curlwire.connect(%q, {receive_timeout = 10}))
        assert(other:send("y", "utf8"))
        assert(assert(other:receive()) == "y")]]):format(support.script("hang"), support.echo()))
    equal(output, "")
    equal(status, 0)
end)

-- The server never answers the close frame, so that the last state to close waits for a while. Children that another
-- thread makes meanwhile have no such thread to wait for.
test("states_fork_while_the_last_closes", function()
    local output, status = run_in_host("ending.c", ([[
        local curlwire = require "curlwire"
        local ws = assert(curlwire.connect(%q))
        assert(ws:send("x"))]]):format(support.script("hang")))
    equal(output, "")
    equal(status, 0)
end)

-- Each state has four sockets, to different servers, and does this and that with them: sends numbered messages, takes
-- what has come, pings, closes one in the middle and opens another. What was sent on a socket that stood comes back
-- once, in order; one that was closed gives the beginning of it.
test("states_stress", function()
    local output, status = run_in_states(([[
        local curlwire = require "curlwire"
        local uris = {%q, %q, %q, %q}
        local seed = tonumber(tostring({}):match("%%x+$"), 16) %% 2147483647

        local function random(below)
            seed = (seed * 16807) %% 2147483647
            return seed %% below
        end

        local function payload(number) return ("%%d %%s"):format(number, ("%%d,"):format(number):rep(number %% 700)) end

        local function open(place)
            local ws = assert(curlwire.connect(uris[place], {ca_file = %q, receive_timeout = 10, ping_interval = 0.5}))
            return {ws = ws, place = place, sent = 0, taken = 0}
        end

        local function take(one, timeout)
            local data, kind, err = one.ws:receive(timeout)
            if not data then
                assert(err.name == "CW_TIMED_OUT", kind)
                return
            end
            one.taken = one.taken + 1
            assert(data == payload(one.taken), "out of order")
            assert(kind == (one.taken %% 4 == 0 and "utf8" or "binary"), kind)
        end

        local function finish(one)
            while one.taken < one.sent do
                take(one, 10)
            end
            assert(one.ws:ping(10)) -- its pong comes behind all that was sent
            take(one, 0)
            assert(one.taken == one.sent, "twice")
            assert(one.ws:close())
            assert(one.ws:wait_closed(10))
            assert(one.ws.close_code == 1000)
        end

        local function cut(one)
            if random(2) == 0 then
                one.ws:abort()
            else
                assert(one.ws:close())
                assert(one.ws:wait_closed(10))
            end
            assert(not one.ws:receive(0))
        end

        local sockets = {}
        for place = 1, #uris do
            sockets[place] = open(place)
        end
        for _ = 1, 1500 do
            local one = sockets[random(#uris) + 1]
            local choice = random(200)
            if choice < 2 then
                if choice == 0 then finish(one) else cut(one) end
                sockets[one.place] = open(one.place)
            elseif choice < 90 then
                one.sent = one.sent + 1
                assert(one.ws:send(payload(one.sent), one.sent %% 4 == 0 and "utf8" or "binary"))
            elseif choice < 190 then
                take(one, choice %% 5 / 1000)
            else
                assert(one.ws:ping(10))
            end
        end
        for _, one in ipairs(sockets) do
            finish(one)
        end]]):format(support.echo(), support.echo_tls(), support.node(), support.nginx_tls(), support.ca_file()),
        "8 2")
    equal(output, "")
    equal(status, 0)
end)

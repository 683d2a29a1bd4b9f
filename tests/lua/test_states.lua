-- SPDX-License-Identifier: MIT
-- Several Lua states in one process open and close, each in its own thread. states.c and ending.c are host programs.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

local here = arg[0]:match("^(.*)/[^/]*$") or "."
local package_name = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("[%d.]+")

-- Runs a program in the Lua states of a host ("states.c"). words: more arguments for the host.
local function run_in_host(source, program, words)
    local host = os.tmpname()
    local pipe = assert(io.popen(
        ("cc -std=c11 -D_GNU_SOURCE -Wall -pthread -o %s %s/%s $(pkg-config --cflags --libs %s) 2>&1")
        :format(host, here, source, package_name)))
    equal(pipe:read("*a"), "", "what the compiler says")
    pipe:close()
    -- no leak check, because it reports leaks of the loader; the other cases have it
    local command = "env ASAN_OPTIONS=detect_leaks=0 " .. support.interpreter():gsub("%S+$", host)
    local output, status = support.run_program(program, "%s " .. (words or ""), command)
    os.remove(host)
    return output, status
end

-- threads: "THREADS ROUNDS", or nil for the host's defaults.
local function run_in_states(program, threads) return run_in_host("states.c", program, threads) end

-- The server never answers the close frame, so the last state takes a while to close. The other thread opens its next
-- state meanwhile. That state must wait until the core is shut down.
test("states_open_while_the_last_closes", function()
    local output, status = run_in_states(([[
        local curlwire = require "curlwire"
        local ws = assert(curlwire.connect(%q))
        assert(ws:send("x"))
        local other = assert(curlwire.connect(%q, {receive_timeout = 50}))
        assert(other:send("y", "utf8"))
        assert(assert(other:receive()) == "y")]]):format(support.script("hang"), support.echo()))
    equal(output, "")
    equal(status, 0)
end)

-- The server never answers the close frame, so the last state takes a while to close. Another thread forks meanwhile.
-- The children must not wait for the closing thread, because they do not have it.
test("states_fork_while_the_last_closes", function()
    local output, status = run_in_host("ending.c", ([[
        local curlwire = require "curlwire"
        local ws = assert(curlwire.connect(%q))
        assert(ws:send("x"))]]):format(support.script("hang")))
    equal(output, "")
    equal(status, 0)
end)

-- Each state has four sockets, to different servers. At random it sends numbered messages, receives, pings, closes a
-- socket and opens another. A socket that stays open gets all its messages back once, in order. A socket that is closed
-- gets the first of them.
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
            local ws = assert(curlwire.connect(uris[place], {ca_file = %q, receive_timeout = 50, ping_interval = 0.5}))
            return {ws = ws, place = place, sent = 0, taken = 0}
        end

        local function take(one, timeout)
            local data, message_type, err = one.ws:receive(timeout)
            if not data then
                assert(err.name == "CW_TIMED_OUT", message_type)
                return
            end
            one.taken = one.taken + 1
            assert(data == payload(one.taken), "out of order")
            assert(message_type == (one.taken %% 4 == 0 and "utf8" or "binary"), message_type)
        end

        local function finish(one)
            while one.taken < one.sent do
                take(one, 50)
            end
            assert(one.ws:ping(50)) -- the pong comes after the echoes of all messages
            take(one, 0)
            assert(one.taken == one.sent, "twice")
            assert(one.ws:close())
            assert(one.ws:wait_closed(50))
            assert(one.ws.close_code == 1000)
        end

        local function cut(one)
            if random(2) == 0 then
                one.ws:abort()
            else
                assert(one.ws:close())
                assert(one.ws:wait_closed(50))
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
                assert(one.ws:ping(50))
            end
        end
        for _, one in ipairs(sockets) do
            finish(one)
        end]]):format(support.echo(), support.echo_tls(), support.node(), support.nginx_tls(), support.ca_file()),
        "8 2")
    equal(output, "")
    equal(status, 0)
end)

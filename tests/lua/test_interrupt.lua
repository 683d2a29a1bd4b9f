-- SPDX-License-Identifier: MIT
-- Ctrl-C (SIGINT) ends a blocking call of the standard interpreter with an error. The program prints "ready" just
-- before it waits, and then the shell sends the signal. If the signal has no effect, the program's limit of 50 s ends
-- it with another text.

local harness = require "harness"
local support = require "support"

local test, equal = harness.test, harness.equal

-- For sh: starts the program, waits for its "ready", interrupts it, and exits with its exit status.
local SHELL = [[
    %s > "$0.out" 2>&1 & pid=$!
    until grep -q ready "$0.out" 2>/dev/null; do kill -0 $pid 2>/dev/null || break; sleep 0.02; done
    kill -INT $pid; wait $pid; code=$?
    cat "$0.out"; rm -f "$0.out"; exit $code]]

local function interrupt(body)
    local name = os.tmpname()
    local shell = ("sh -c %s %s"):format("'" .. SHELL:gsub("'", "'\\''") .. "'", name)
    local output, status = support.run_program(([[
        io.stdout:setvbuf("no")
        local curlwire = require "curlwire"
        local options = {connect_timeout = 50, receive_timeout = 50, send_timeout = 50, close_timeout = 50}
        local function ready() print("ready") end
        local ECHO, SCRIPT, SILENT, STALLED = %q, %q, %q, %q
        ]]):format(support.echo(), support.script("hang"), support.script("hs:", "hang"),
        support.script("stall", "hang")) .. body, shell)
    os.remove(name)
    assert(output:find("interrupted!", 1, true), output)
    equal(status, 1, output)
    return output
end

test("interrupt_receive", function()
    interrupt "local ws = assert(curlwire.connect(ECHO, options)) ready() ws:receive()"
end)

test("interrupt_iteration", function()
    interrupt "local ws = assert(curlwire.connect(ECHO, options)) ready() for _ in ws:messages() do end"
end)

test("interrupt_run", function()
    interrupt [[
        local ws = assert(curlwire.connect(ECHO, options))
        ws.on_closed = print
        ready()
        curlwire.run()]]
end)

test("interrupt_dispatch", function() interrupt "ready() curlwire.dispatch(50)" end)

test("interrupt_connect", function()
    interrupt "ready() curlwire.connect(SILENT, options)"
end)

test("interrupt_ping", function()
    interrupt "local ws = assert(curlwire.connect(SCRIPT, options)) ready() ws:ping(50)"
end)

test("interrupt_send", function()
    interrupt [[
        local ws = assert(curlwire.connect(STALLED, options))
        ready()
        while assert(ws:send(("x"):rep(100000))) do end]]
end)

test("interrupt_read", function()
    interrupt [[
        local ws = curlwire.StreamWebSocket(options)
        assert(ws:connect(ECHO))
        ready()
        ws.input_stream:read("a")]]
end)

test("interrupt_wait_closed", function()
    interrupt "local ws = assert(curlwire.connect(ECHO, options)) ready() ws:wait_closed(50)"
end)

test("interrupt_in_a_coroutine", function()
    interrupt [[
        local ws = assert(curlwire.connect(ECHO, options))
        local wait = coroutine.wrap(function()
            local ok, err = pcall(ws.receive, ws)
            print("caught", err)
            error(err, 0)
        end)
        ready()
        wait()]]
end)

test("interrupt_leaves_the_socket_usable", function()
    local output = interrupt [[
        local ws = assert(curlwire.connect(ECHO, options))
        print(pcall(function() -- the signal may come before receive begins
            ready()
            return ws:receive()
        end))
        assert(ws:send("still here", "utf8"))
        print(ws:receive())
        error("interrupted! and went on", 0)]]
    assert(output:find("still here", 1, true), output)
end)

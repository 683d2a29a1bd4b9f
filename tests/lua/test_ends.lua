-- SPDX-License-Identifier: MIT
-- Programs that end while sockets are busy, and handlers that do unusual things.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal = harness.test, harness.equal

local PROMPT = 25 -- seconds on a busy machine; below send_timeout (30 s), which the program must not wait for

local function ends_promptly(program, ...)
    local begin = os.time()
    local output, status = support.run_program(program:format(...))
    equal(output, "done\n")
    equal(status, 0)
    assert(os.time() - begin < PROMPT)
end

local FLOOD = "repeat:1000000000:" .. support.frame(2, ("x"):rep(100))

-- os.exit closes the state while dispatch is still on its stack. Lua 5.2 and later, and LuaJIT, do that.
test("handler_ends_the_state", function()
    ends_promptly([[
        local curlwire = require "curlwire"
        local ws, other = curlwire.MessageWebSocket(), assert(curlwire.connect(%q))
        ws.on_message_received = function(_, args)
            print(args.data)
            os.exit(0, true)
        end
        assert(ws:connect(%q))
        assert(ws:send("done"))
        curlwire.run()
        other:close()]], support.echo("/ticker"), support.echo())
end)

test("error_of_a_handler_ends_the_state", function()
    local output, status = support.run_program(([[
        local curlwire = require "curlwire"
        local ws = curlwire.MessageWebSocket()
        ws.on_message_received = function() error("on purpose", 0) end
        assert(ws:connect(%q))
        assert(ws:send("x"))
        curlwire.run()]]):format(support.echo()))
    assert(output:find("on purpose", 1, true), output)
    assert(status ~= 0)
end)

test("state_ends_with_the_service_busy", function()
    ends_promptly([[
        local curlwire = require "curlwire"
        kept = {}
        for i = 1, 10 do
            kept[i] = assert(curlwire.connect(%q))
        end
        for i = 1, 5 do
            kept[i].on_message_received = function() end
        end
        curlwire.dispatch(50)
        local full = assert(curlwire.connect(%q))
        pcall(full.send, full, ("x"):rep(30000000), 0)
        print("done")]], support.script(FLOOD), support.script("stall", "frame:1000"))
end)

test("handler_deletes_its_socket", function(expect)
    local closed = expect(function(args) equal(args.code, 4000) end)
    local held = {support.message_socket()}
    held[1].on_message_received = expect(function()
        held[1] = nil
        collectgarbage()
        collectgarbage()
    end)
    held[1].on_closed = function(_, args) closed(args) end
    assert(held[1]:connect(support.script(support.text_frame("x"), "close:4000", "end")))
    curlwire.run()
    equal(held[1], nil)
end)

test("handler_connects_anew", function()
    local codes = {}
    local function connect(left)
        local ws = support.message_socket()
        ws.on_closed = function(_, args)
            codes[#codes + 1] = args.code
            if left > 0 then
                connect(left - 1)
            end
        end
        assert(ws:connect(support.script("close:" .. 4000 + left, "end")))
    end
    connect(5)
    curlwire.run()
    equal(table.concat(codes, " "), "4005 4004 4003 4002 4001 4000")
end)

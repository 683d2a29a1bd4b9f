-- SPDX-License-Identifier: MIT
-- Programs that end while sockets are busy, and handlers that do unusual things.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal = harness.test, harness.equal

local PROMPT_S = 200 -- below the timeouts of these programs, for which they must not wait
local OPTIONS = "{send_timeout = 300, receive_timeout = 300, close_timeout = 300}"

-- Runs a program, with OPTIONS in place of the first %s. Returns its output.
local function ends_promptly(program, ...)
    local begin = os.time()
    local output, status = support.run_program(program:format(OPTIONS, ...))
    equal(status, 0, output)
    assert(os.time() - begin < PROMPT_S)
    return output
end

local FLOOD = "repeat:1000000000:" .. support.frame(2, ("x"):rep(100))

-- os.exit closes the state while dispatch is still on its stack. Lua 5.2 and later, and LuaJIT, do that.
test("handler_ends_the_state", function()
    local output = ends_promptly([[
        local curlwire, options = require "curlwire", %s
        local ws, other = curlwire.MessageWebSocket(options), assert(curlwire.connect(%q, options))
        ws.on_message_received = function(_, args)
            print(args.data)
            os.exit(0, true)
        end
        assert(ws:connect(%q))
        assert(ws:send("done"))
        curlwire.run()
        other:close()]], support.echo("/ticker"), support.echo())
    equal(output, "done\n")
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
    local output = ends_promptly([[
        local curlwire, options = require "curlwire", %s
        kept = {}
        for i = 1, 10 do
            kept[i] = assert(curlwire.connect(%q, options))
        end
        for i = 1, 5 do
            kept[i].on_message_received = function() end
        end
        curlwire.dispatch(50)
        local full = assert(curlwire.connect(%q, {send_timeout = 0.2}))
        assert(full:send(("x"):rep(30000000), "binary", 0))
        print("done")]], support.script(FLOOD), support.script("stall", "frame:1000"))
    assert(output:find("done\n", 1, true), output)
    assert(output:find("curlwire: up to %d+ bytes that were sent did not reach their server"), output)
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

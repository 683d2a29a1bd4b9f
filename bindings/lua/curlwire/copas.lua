-- SPDX-License-Identifier: MIT
-- Runs the handlers and coroutines of curlwire beside the threads of copas:
--
--     local copas = require "copas"
--     local loop = require "curlwire.copas"
--     copas.addthread(function() ... end)
--     curlwire.spawn(function() ... end)
--     loop.run()

local copas = require "copas" ---@type any the library, which a checker takes for this file
local curlwire = require "curlwire"

local module = {}
local thread

-- Looks to copas like a socket of luasocket that never has data. So its thread keeps the descriptor in copas's select.
local client = {
    getfd = function() return curlwire.fd() end,
    dirty = function() return false end,
    receive = function() return nil, "timeout" end,
    settimeout = function() return 1 end,
    close = function() return 1 end,
}

-- Runs the threads of copas that can run, and what of curlwire is due. timeout: seconds to wait for the first; nil: no
-- limit. Returns false if curlwire has nothing left to wait for.
function module.step(timeout)
    thread = thread or copas.addthread(function() copas.receive(client) end)
    local seconds = curlwire.timeout()
    if timeout and seconds then
        seconds = math.min(timeout, seconds)
    end
    seconds = seconds or timeout
    copas.step(seconds ~= math.huge and seconds or nil)
    curlwire.dispatch(0)
    return curlwire.timeout() ~= nil
end

-- Runs copas and curlwire, until no coroutine and no open socket with handlers is left. The error of a handler or of a
-- coroutine comes out of run, and the program may call it again.
function module.run()
    while curlwire.timeout() do
        module.step()
    end
end

return module

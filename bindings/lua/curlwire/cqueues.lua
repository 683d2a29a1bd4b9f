-- SPDX-License-Identifier: MIT
-- Runs the handlers and coroutines of curlwire in a controller of cqueues:
--
--     local cqueues = require "cqueues"
--     local loop = cqueues.new()
--     require "curlwire.cqueues".start(loop)
--     curlwire.spawn(function() ... end)
--     assert(loop:loop())

local cqueues = require "cqueues" ---@type any the library, which a checker takes for this file
local curlwire = require "curlwire"

local module = {}
local running = setmetatable({}, {__mode = "k"}) -- controllers that run curlwire

-- What cqueues.poll waits for.
local descriptor = {}
function descriptor.pollfd() return curlwire.fd() end
function descriptor.events() return "r" end
function descriptor.timeout()
    local seconds = curlwire.timeout()
    return seconds ~= math.huge and seconds or nil
end

-- Makes a controller run curlwire, until no coroutine and no open socket with handlers is left. A program that goes on
-- calls start again. The error of a handler or of a coroutine comes out of the controller's loop or step, which can
-- go on with the rest.
function module.start(controller)
    if running[controller] then
        return
    end
    running[controller] = true
    controller:wrap(function()
        while curlwire.timeout() do
            cqueues.poll(descriptor)
            local is_ok, err = pcall(curlwire.dispatch, 0)
            if not is_ok then
                controller:wrap(error, err, 0)
            end
        end
        running[controller] = nil
    end)
end

return module

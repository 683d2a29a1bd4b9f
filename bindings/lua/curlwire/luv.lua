-- SPDX-License-Identifier: MIT
-- Runs the handlers and coroutines of curlwire in a libuv loop:
--
--     local uv = require "luv"
--     require "curlwire.luv".start()
--     curlwire.spawn(function() ... end)
--     uv.run()

local curlwire = require "curlwire"

local module = {}

-- Makes start and stop for a loop.
--   uv      the module luv, or another with its calls
--   later   gets a function, and returns one that calls it when Lua code may run
function module.new(uv, later)
    local handles ---@type {poll: any, timer: any}? nil: the loop does not run curlwire
    local wait ---@type fun()

    local function stop()
        if handles then
            handles.poll:close()
            handles.timer:close()
            handles = nil
        end
    end

    -- Calls what is due. Its error goes to the loop, which goes on with the rest.
    local step = later(function()
        if not handles then
            return
        end
        local is_ok, err = pcall(curlwire.dispatch, 0)
        if curlwire.timeout() then
            wait()
        else
            stop()
        end
        if not is_ok then
            error(err, 0)
        end
    end)

    -- Waits once. The poll ends before step runs, which may be later, because the descriptor stays readable until then.
    function wait()
        local seconds = curlwire.timeout() or 0
        local function go_on()
            if handles then
                handles.poll:stop()
                handles.timer:stop()
                step()
            end
        end
        if not handles then
            return
        end
        handles.poll:start("r", go_on)
        if seconds < math.huge then
            handles.timer:start(math.ceil(seconds * 1000), 0, go_on)
        end
    end

    -- Makes the loop run curlwire, until no coroutine and no open socket with handlers is left. Then the loop may end,
    -- and a program that goes on calls start again. A second start does nothing.
    local function start()
        if not handles then
            handles = {poll = assert(uv.new_poll(curlwire.fd())), timer = assert(uv.new_timer())}
            wait()
        end
    end

    return {start = start, stop = stop}
end

-- The functions for require "luv". stop makes the loop forget curlwire; start goes on.
local own

local function get(name)
    own = own or module.new(require "luv", function(f) return f end)
    return own[name]()
end

function module.start() get "start" end
function module.stop() get "stop" end

return module

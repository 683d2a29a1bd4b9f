-- SPDX-License-Identifier: MIT
-- The scheduler of curlwire.spawn: its coroutines, their timers, curlwire.run and curlwire.dispatch.
--
-- calls.lua has the calls that the coroutines make in place of the methods in C. It yields by functions of this file.
-- init.lua loads this file when a script first uses coroutines.

local create, resume, yield, status = coroutine.create, coroutine.resume, coroutine.yield, coroutine.status
local running, huge, floor = coroutine.running, math.huge, math.floor
local unpack = rawget(_G, "unpack") or rawget(table, "unpack") -- Lua 5.1 has it as a global

local CAN_YIELD_IN_PCALL = rawget(_G, "_VERSION") ~= "Lua 5.1" or rawget(_G, "jit") ~= nil
local TURNS = 100 -- calls that a coroutine makes without waiting before it lets the others run
local WAIT, OUTSIDE = {}, {} -- what the calls of this file yield; a yield of the script gives other values
local CANNOT_YIELD = " (a call of a coroutine cannot wait inside a C function; in Lua 5.1 also not inside pcall, the "
    .. "iterator of a for loop, or a metamethod: use curlwire.pcall, and a while loop with ws:receive)"

-- Functions of ltasks.c, which the function at the end sets.
local internal ---@type curlwire.Internal
local watch ---@type fun(ws: curlwire.WebSocket): boolean
local key_of ---@type fun(ws: curlwire.WebSocket): lightuserdata
local now ---@type fun(): number

---A coroutine that has not ended.
---@class curlwire.Task
---@field co thread the coroutine
---@field values? curlwire.Packed what resume passes to it next; nil = is_in_time
---@field is_in_time? boolean whether a wait has ended before its deadline
---@field key? lightuserdata of the socket that it waits for
---@field socket? curlwire.WebSocket keeps that socket alive
---@field is_receiving? boolean whether it waits for the data of that socket
---@field slot? integer its place in timers
---@field deadline number the end of its wait, if it is in timers
---@field is_idle? boolean it waits in coroutine.yield() for curlwire.resume
---@field is_dispatching? boolean it waits in curlwire.dispatch
---@field is_once? boolean for the next look at the events only

local tasks = {} ---@type table<thread, curlwire.Task?>
local task_count, idle_count = 0, 0
local current ---@type thread? the coroutine that runs, whose calls wait here
local turns = 0
local ready, first_ready, last_ready = {}, 1, 0
local waiting = {} ---@type table<lightuserdata, curlwire.Task[]?> by the key of a socket
local receivers = {} ---@type table<lightuserdata, curlwire.Task?> by the key of a socket, for its data
local dispatching = {} ---@type curlwire.Task[] those in curlwire.dispatch
local timers = {} ---@type table<integer, curlwire.Task> a heap: the next deadline is the first
local change_count = 0
local process_id ---@type integer
local is_busy = false -- in run or dispatch

---@return curlwire.Packed
local function pack(...)
    return {n = select("#", ...), ...}
end

local function is_in_task()
    return current ~= nil and running() == current
end

-- ---- Timers ----

local function put(slot, t)
    timers[slot] = t
    t.slot = slot
end

local function sift_up(slot, t)
    while slot > 1 do
        local parent = floor(slot / 2)
        if timers[parent].deadline <= t.deadline then
            break
        end
        put(slot, timers[parent])
        slot = parent
    end
    put(slot, t)
end

---@param slot integer
local function sift_down(slot, t)
    local count = #timers
    while slot * 2 <= count do
        local child = slot * 2
        if child < count and timers[child + 1].deadline < timers[child].deadline then
            child = child + 1
        end
        if t.deadline <= timers[child].deadline then
            break
        end
        put(slot, timers[child])
        slot = child
    end
    put(slot, t)
end

local function start_timer(t, deadline)
    t.deadline = deadline
    sift_up(#timers + 1, t)
end

local function stop_timer(t)
    local slot, last = t.slot, table.remove(timers)
    t.slot = nil
    if last ~= t then
        last.slot = nil
        if slot > 1 and timers[floor(slot / 2)].deadline > last.deadline then
            sift_up(slot, last)
        else
            sift_down(slot, last)
        end
    end
end

-- ---- Ready and waiting ----

local function push(t)
    last_ready = last_ready + 1
    ready[last_ready] = t
end

local function take_out(list, t)
    for i = 1, #list do
        if list[i] == t then
            return table.remove(list, i)
        end
    end
end

local function make_ready(t, is_in_time)
    if t.slot then
        stop_timer(t)
    end
    if t.key then
        local list = waiting[t.key]
        if list then
            take_out(list, t)
            if #list == 0 then
                waiting[t.key] = nil
            end
        end
        if t.is_receiving then
            receivers[t.key] = nil
        end
        t.key, t.socket, t.is_receiving = nil, nil, nil
    end
    if t.is_dispatching then
        take_out(dispatching, t)
        t.is_dispatching = false
    end
    t.is_in_time = is_in_time
    push(t)
end

-- The module calls it for each socket that has changed.
local function changed(key)
    local list = waiting[key]
    change_count = change_count + 1
    if list then
        waiting[key] = nil
        for i = 1, #list do
            make_ready(list[i], true)
        end
    end
end

-- Wakes the tasks that wait in curlwire.dispatch, or those that only wait for one look.
local function wake_dispatching(count, is_for_all)
    for i = #dispatching, 1, -1 do
        local t = dispatching[i]
        if is_for_all or t.is_once then
            t.values = pack(count)
            make_ready(t, true)
        end
    end
end

-- ---- Waiting ----
--
-- A call that waits yields the function that notes what it waits for. So if Lua cannot yield there, nothing is noted.

local function await_change(t, ws, deadline, is_receiving)
    local key = key_of(ws)
    local list = waiting[key]
    t.key, t.socket, t.is_receiving = key, ws, is_receiving
    if is_receiving then
        receivers[key] = t
    end
    if list then
        list[#list + 1] = t
    else
        waiting[key] = {t}
    end
    if deadline < huge then
        start_timer(t, deadline)
    end
end

---Yields until the socket changes or the deadline has passed, which returns false.
---@async
local function wait(ws, deadline, is_receiving)
    if watch(ws) then
        return true -- it may have changed before
    end
    return yield(WAIT, await_change, ws, deadline, is_receiving)
end

local function await_events(t, seconds)
    t.is_dispatching, t.is_once = true, seconds == 0
    dispatching[#dispatching + 1] = t
    if seconds > 0 and seconds < huge then
        start_timer(t, now() + seconds)
    end
end

local function await_time(t, seconds)
    if seconds < huge then
        start_timer(t, now() + seconds)
    end
end

---Lets the others run after so many calls, or at once.
---@async
local function turn(is_now)
    turns = turns + 1
    if is_now or turns > TURNS then
        turns = 0
        yield(WAIT, push)
    end
end

-- ---- Running the coroutines ----

-- Raises the error of a coroutine, with its traceback.
local function raise(co, err)
    local debug = rawget(_G, "debug")
    if type(err) == "string" then
        err = err .. (err:find("attempt to yield across", 1, true) and CANNOT_YIELD or "")
        err = debug and debug.traceback(co, err) or err
    end
    error(err, 0)
end

-- Handles what a coroutine has yielded, or its end. Errors: raises the error of the coroutine.
local function after(t, is_ok, request, f, ...)
    local co = t.co
    current = nil
    internal.enter(nil)
    if not is_ok or status(co) == "dead" then
        tasks[co] = nil
        task_count = task_count - 1
        if not is_ok then
            raise(co, request)
        end
    elseif request == OUTSIDE then
        t.values = pack(pcall(f, ...))
        push(t)
    elseif request == WAIT then
        f(t, ...)
    else
        t.is_idle = true
        idle_count = idle_count + 1
    end
end

local function run_task(t)
    local values = t.values
    t.values = nil
    current, turns = t.co, 0
    internal.enter(t.co)
    if values then
        after(t, resume(t.co, unpack(values, 1, values.n)))
    else
        after(t, resume(t.co, t.is_in_time))
    end
end

-- Runs the coroutines that are ready now. Returns their number.
local function run_ready()
    local count, last = 0, last_ready
    while first_ready <= last do
        local t = ready[first_ready]
        ready[first_ready] = nil
        first_ready = first_ready + 1
        count = count + 1
        run_task(t)
    end
    return count
end

local function expire()
    if #timers > 0 then
        local time = now()
        while #timers > 0 and timers[1].deadline <= time do
            make_ready(timers[1], false)
        end
    end
end

local function has_ready()
    return first_ready <= last_ready
end

-- Returns the seconds until a coroutine has something to do that no event announces.
local function next_timeout()
    if has_ready() then
        return 0
    end
    return #timers > 0 and math.max(0, timers[1].deadline - now()) or huge
end

-- Returns the number of sockets with handlers. In a child of fork() the parent's sockets tell nothing, so calls on them
-- must fail now.
local function count_handlers()
    local count, id = internal.handler_count()
    if process_id ~= id then
        process_id = id
        for key in pairs(waiting) do
            changed(key)
            change_count = change_count - 1
        end
    end
    if count == 0 then
        wake_dispatching(0, true)
    end
    return count
end

-- Returns whether no event can come and no coroutine can run.
local function is_stuck()
    return count_handlers() == 0 and idle_count == task_count and not has_ready()
end

-- Runs the coroutines, and calls the handlers of the events that come within some seconds. Returns how many of both.
local function round(seconds)
    expire()
    local count = run_ready()
    local is_looking = #dispatching > 0 and dispatching[#dispatching].is_once
    change_count = 0
    local limit = (count > 0 or is_looking) and 0 or math.min(seconds, next_timeout())
    local taken, message, err = internal.take_events(limit)
    if not taken then
        return taken, message, err
    end
    taken = taken - change_count
    wake_dispatching(taken, taken > 0)
    expire()
    return count + taken + run_ready()
end

local function finish(is_ok, ...)
    is_busy = false
    if not is_ok then
        error((...), 0)
    end
    return ...
end

local function busily(name, f, ...)
    if is_busy then
        error(("curlwire.%s cannot be called while curlwire.run or curlwire.dispatch runs: return first"):format(name),
            3)
    end
    is_busy = true
    return finish(pcall(f, ...))
end

local function deadlock()
    local places = {}
    for co in pairs(tasks) do
        local debug = rawget(_G, "debug")
        places[#places + 1] = debug and #places < 3 and debug.traceback(co, "a coroutine:") or nil
    end
    local text = "deadlock: %d coroutines wait in coroutine.yield(), and nothing is left that could call "
        .. "curlwire.resume for them. Resume them, or let them end\n%s"
    return text:format(task_count, table.concat(places, "\n"))
end

local function run()
    while task_count > 0 or count_handlers() > 0 do
        if is_stuck() then
            error(deadlock(), 0)
        end
        local count, message, err = round(huge)
        if not count then
            return nil, message, err
        end
    end
    return true
end

local function dispatch(seconds)
    local deadline = now() + seconds
    repeat
        if seconds == huge and is_stuck() then
            return 0
        end
        local count, message, err = round(math.max(0, deadline - now()))
        if count ~= 0 then
            return count, message, err
        end
    until now() >= deadline
    return 0
end

-- ---- For calls.lua ----

local function check_timeout(timeout, level)
    local seconds, shown = internal.seconds(timeout)
    return seconds or error(
        "timeout must be a number of seconds, 0 or more, or false (or math.huge) to wait without a limit, not "
            .. shown, level + 1)
end

---Calls f in a protected call in which calls may wait. In Lua 5.1 that needs a coroutine of its own, whose yields go on
---to run.
---@async
local function protected(f, ...)
    if not is_in_task() or CAN_YIELD_IN_PCALL then
        return pcall(f, ...)
    end
    local outer, inner = current, create(f)
    ---@async
    local function step(...)
        current = inner
        internal.enter(inner)
        local results = pack(resume(inner, ...))
        current = outer
        internal.enter(outer)
        if status(inner) == "dead" then
            return unpack(results, 1, results.n)
        end
        return step(yield(unpack(results, 2, results.n)))
    end
    return step(...)
end

---Lets run call f outside of the coroutine, and returns the results.
---@async
local function call_outside(f, argument) return yield(OUTSIDE, f, argument) end

local own = {} -- the functions of the module that differ in a coroutine

---@async
function own.dispatch(timeout)
    local seconds = timeout == nil and huge or check_timeout(timeout, 2)
    if seconds == huge and internal.handler_count() == 0 then
        return 0
    end
    return yield(WAIT, await_events, seconds) or 0
end

function own.run()
    error("curlwire.run cannot be called in a coroutine of curlwire.spawn, because it runs already: return instead", 2)
end

-- ---- The functions of the module ----

local module = {}

-- Returns f in a coroutine of spawn, and otherwise g.
local function choose(f, g)
    return function(...)
        if is_in_task() then
            return f(...)
        end
        return g(...)
    end
end

function module.spawn(f, ...)
    if type(f) ~= "function" then
        error(("bad argument #1 to 'spawn' (function expected, got %s)"):format(type(f)), 2)
    end
    local t = {co = create(f), values = pack(...), deadline = huge}
    tasks[t.co] = t
    task_count = task_count + 1
    push(t)
    if not is_busy then
        internal.wake()
    end
    return t.co
end

function module.resume(co, ...)
    local t = tasks[co]
    if not t then
        error("this coroutine has ended, or is none of curlwire.spawn: resume only coroutines of spawn that run", 2)
    end
    if not t.is_idle then
        return false
    end
    t.is_idle = false
    idle_count = idle_count - 1
    t.values = pack(...)
    push(t)
    if not is_busy then
        internal.wake()
    end
    return true
end

---@async
function module.sleep(seconds)
    local wanted = check_timeout(seconds, 2)
    if not is_in_task() then
        return internal.sleep(wanted)
    end
    yield(WAIT, await_time, wanted)
    return true
end

function module.timeout()
    if task_count == 0 and count_handlers() == 0 then
        return nil
    end
    return next_timeout()
end

module.pcall = protected

-- ---- Installing ----

-- __close of a socket.
local function end_scope(ws, problem)
    ws:close(problem == nil and 1000 or 1011)
    local ok, _, err = ws:wait_closed()
    if not ok and err.name == "CW_CLOSED" and problem == nil then
        error(err, 0)
    end
end

-- scope_end: what __close of the type does in a coroutine
local function install(type_name, make, scope_end)
    local chosen = {}
    local original, close = internal.install(type_name, chosen)
    for name, f in pairs(make(original)) do
        chosen[name] = choose(f, original[name])
    end
    if close then
        internal.install(type_name, chosen, choose(scope_end or chosen.close, close))
    end
end

local is_installed = false

---Sets the functions of coroutines. Returns the functions of the module.
---@param core curlwire
---@param functions curlwire.Internal
---@return table<string, function>
return function(core, functions)
    if is_installed then
        return module
    end
    is_installed, internal = true, functions
    watch, key_of, now = functions.watch, functions.key, functions.now
    local methods = require "curlwire.calls"({
        wait = wait,
        turn = turn,
        is_received = function(ws) return receivers[key_of(ws)] ~= nil end,
        outside = call_outside,
        pcall = protected,
        check_timeout = check_timeout,
        dispatch = own.dispatch,
        pack = pack,
        unpack = unpack,
    }, functions)
    local _, id = internal.handler_count()
    process_id = id
    internal.redirect(
        function() return busily("run", run) end,
        function(timeout) return busily("dispatch", dispatch, timeout == nil and huge or internal.seconds(timeout)) end,
        changed)
    install("curlwire.MessageWebSocket", methods.message, end_scope)
    install("curlwire.StreamWebSocket", methods.socket, end_scope)
    install("curlwire.InputStream", methods.input)
    install("curlwire.OutputStream", methods.output)
    install("curlwire.DataReader", methods.reader)
    install("curlwire.DataWriter", methods.writer)
    local inside, outside = {}, {}
    own.connect = methods.module.connect
    for name, f in pairs(own) do
        outside[name], core[name] = core[name], nil
        inside[name] = choose(f, outside[name])
    end
    setmetatable(core, {__index = function(_, name) return (is_in_task() and inside or outside)[name] end})
    return module
end


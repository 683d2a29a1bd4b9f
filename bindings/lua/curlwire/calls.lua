-- SPDX-License-Identifier: MIT
-- The calls of the coroutines of curlwire.spawn, in place of the methods in C.
--
-- Each makes the usual call, which does not wait there (ltasks.c). If that would have to wait, the coroutine yields,
-- and makes the call again when the socket has changed. So one mechanism serves Lua 5.1 to 5.4 and LuaJIT, and the core
-- keeps all data: a coroutine that is dropped while it waits loses nothing.

local huge = math.huge
local TIMEOUT = 7 -- the number of this WebErrorStatus

---What this file needs of tasks.lua, which explains it.
---@class curlwire.Scheduler
---@field wait fun(ws: curlwire.WebSocket, deadline: number, is_receiving: boolean?): boolean
---@field turn fun(is_now: boolean?)
---@field is_received fun(ws: curlwire.WebSocket): boolean
---@field outside fun(f: function, argument: any): boolean, any
---@field pcall fun(f: function, ...: any): boolean, ...
---@field check_timeout fun(timeout: any, level: integer): number
---@field dispatch fun(timeout: any): integer
---@field pack fun(...: any): curlwire.Packed
---@field unpack fun(list: any[], first: integer, last: integer): ...

---@class curlwire.Packed
---@field [integer] any
---@field n integer the number of values; some may be nil

---@alias curlwire.Methods table<string, function>

---The functions of ltasks.c, which explains them. A call that can fail returns nil, a message and an error object.
---@class curlwire.Internal
---@field answer fun(ws: curlwire.WebSocket)
---@field batch_begin fun(ws: curlwire.WebSocket): true?, string?, curlwire.Error?
---@field batch_end fun(ws: curlwire.WebSocket): true?, string?, curlwire.Error?
---@field connect_end fun(ws: curlwire.WebSocket): boolean|"question"|nil, string?, curlwire.Error?
---@field connect_prepare fun(uri: any, options: any): curlwire.WebSocket, integer
---@field connect_start fun(ws: curlwire.WebSocket, uri: any, timeout_ms: integer): true?, string?, curlwire.Error?
---@field connect_timeout_ms fun(timeout: any): integer
---@field encode fun(ws: curlwire.WebSocket, value: any, library: any): string
---@field ended_normally fun(ws: curlwire.WebSocket): boolean
---@field enter fun(co: thread?)
---@field fragment function
---@field handler_count fun(): integer, integer
---@field install fun(type_name: string, methods: curlwire.Methods, scope_end: function?): curlwire.Methods, function?
---@field key fun(ws: curlwire.WebSocket): lightuserdata
---@field now fun(): number
---@field ping_free fun(ping: userdata)
---@field ping_result function
---@field ping_start function
---@field queued_bytes fun(ws: curlwire.WebSocket): integer
---@field redirect fun(run: function, dispatch: function, changed: fun(key: lightuserdata))
---@field seconds fun(timeout: any): number?, string?
---@field send_many function
---@field sleep fun(seconds: number): boolean
---@field socket_of fun(object: any): curlwire.WebSocket?
---@field take_events fun(seconds: number): integer?, string?, curlwire.Error?
---@field try fun(f: function, ...: any): ...
---@field wake fun()
---@field watch fun(ws: curlwire.WebSocket): boolean

-- The function at the end sets these.
---@type curlwire.Scheduler
local scheduler
---@type curlwire.Internal
local internal
---@type fun(f: function, ...: any): ...
local try
---@type fun(ws: curlwire.WebSocket): boolean
local watch
---@type fun(): number
local now

-- Returns the seconds that a call may take.
local function limit_of(ws, timeout, option)
    if timeout ~= nil then
        return scheduler.check_timeout(timeout, 3)
    end
    return option and internal.seconds(ws.control[option]) or huge
end

local function would_wait(result, err)
    return result == nil and type(err) == "table" and (err.name == "CW_TIMED_OUT" or err.name == "CW_WOULD_BLOCK")
end

local HINTS = {
    receive_timeout = "; to wait without a limit, set the timeout or receive_timeout to math.huge",
    ping_timeout = "; to wait without a limit, set the timeout to math.huge",
}

-- Returns the results of a call that has waited for too long.
local function time_out(err, seconds, option)
    local what = option == "send_timeout" and "the server to take data"
        or err.message:match("waiting for ([^:(]*)") or "a pong"
    err.name, err.option, err.status, err.status_name = "CW_TIMED_OUT", option, TIMEOUT, "Timeout"
    err.message = ("timed out after %g s waiting for %s%s: call again, or wait longer%s"):format(
        seconds, what, option and " (" .. option .. ")" or "", HINTS[option] or "")
    return nil, err.message, err
end

-- Returns one value if the others are nil, as the calls in C do.
local function trim(a, b, c)
    if b == nil and c == nil then
        return a
    end
    return a, b, c
end

-- Calls f(...) until it does not have to wait. Returns at most three results. The limit is the timeout, or else the
-- option of the socket. For sends it begins anew when bytes have been sent. Only one coroutine may wait for the data of
-- a socket.
local function until_done(ws, timeout, option, is_receiving, f, ...)
    scheduler.turn()
    local a, b, c = try(f, ...)
    if not would_wait(a, c) then
        return trim(a, b, c)
    end
    local seconds = limit_of(ws, timeout, option)
    local deadline = now() + seconds
    local queued = option == "send_timeout" and internal.queued_bytes(ws)
    if seconds == 0 then
        scheduler.turn(true)
        return trim(a, b, c)
    end
    repeat
        local is_in_time = scheduler.wait(ws, deadline, is_receiving)
        a, b, c = try(f, ...)
        if not would_wait(a, c) then
            return trim(a, b, c)
        end
        if queued and internal.queued_bytes(ws) ~= queued then
            queued, deadline = internal.queued_bytes(ws), now() + seconds
        end
    until not is_in_time
    return time_out(c, seconds, timeout == nil and option or nil)
end

local function sending(ws, timeout, f, ...)
    return until_done(ws, timeout, "send_timeout", false, f, ...)
end

local function receiving(ws, timeout, f, ...)
    if scheduler.is_received(ws) then
        error("another coroutine already waits for data from this socket: receive in one coroutine only", 3)
    end
    return until_done(ws, timeout, "receive_timeout", true, f, ...)
end

local function check(timeout)
    return timeout ~= nil and scheduler.check_timeout(timeout, 3) and nil
end

local function connect_rest(ws)
    local failure ---@type any[]|false|nil
    while true do
        local result, message, err = internal.connect_end(ws)
        if result == "question" then
            local is_ok, problem = scheduler.outside(internal.answer, ws)
            failure = failure or not is_ok and {problem}
        elseif result == false then
            scheduler.wait(ws, huge)
        elseif failure then
            error(failure[1], 0)
        else
            return trim(result, message, err)
        end
    end
end

-- The methods, by type. Each gets the table of the methods in C.
local methods = {}

function methods.socket(original)
    local own = {}

    function own.connect(ws, uri, timeout)
        local ms = try(internal.connect_timeout_ms, timeout)
        watch(ws)
        local ok, message, err = try(internal.connect_start, ws, uri, ms)
        if not ok then
            return trim(ok, message, err)
        end
        return connect_rest(ws)
    end

    function own.flush(ws, timeout)
        check(timeout)
        return sending(ws, timeout, original.flush, ws, 0)
    end

    function own.wait_closed(ws, timeout)
        check(timeout)
        return until_done(ws, timeout, nil, false, original.wait_closed, ws, 0)
    end

    function own.ping(ws, timeout)
        check(timeout)
        local ping, message, err = try(internal.ping_start, ws)
        if not ping then
            return trim(ping, message, err)
        end
        local a, b, c = until_done(ws, timeout, "ping_timeout", false, internal.ping_result, ping, ws)
        internal.ping_free(ping)
        return trim(a, b, c)
    end

    function own.batch(ws, f)
        if type(f) ~= "function" then
            error(("bad argument #1 to 'batch' (function expected, got %s)"):format(type(f)), 2)
        end
        local ok, message, err = try(internal.batch_begin, ws)
        if not ok then
            return trim(ok, message, err)
        end
        local is_ok, problem = scheduler.pcall(f)
        ok, message, err = internal.batch_end(ws)
        if would_wait(ok, err) then
            ok, message, err = own.flush(ws)
        end
        if not is_ok then
            error(problem, 0)
        end
        return trim(ok, message, err)
    end

    function own.dispatch(_, timeout)
        return scheduler.dispatch(timeout)
    end

    return own
end

-- Sends the results of f as the fragments of one message.
local function send_pieces(ws, f, kind, timeout, compress)
    local owner, is_begun = {}, false
    local is_ok, piece, ok, message, err
    local function abandon()
        if is_begun then
            ws:close(1011, "a message could not be completed")
        end
    end
    repeat
        is_ok, piece = scheduler.pcall(f)
        if not is_ok or piece ~= nil and type(piece) ~= "string" then
            abandon()
            local problem = "the function for send returned a %s: return a string, or nil at the end"
            error(is_ok and problem:format(type(piece)) or piece, is_ok and 3 or 0)
        end
        if piece or is_begun then
            ok, message, err = sending(ws, timeout, internal.fragment, ws, piece, kind, compress, owner,
                piece == nil)
            is_begun = ok and piece ~= nil or is_begun
        end
    until not piece or not ok
    if ok == nil and not err then
        return true -- there was no piece at all
    elseif not ok then
        abandon()
    end
    return trim(ok, message, err)
end

function methods.message(original)
    local own = methods.socket(original)

    function own.send(ws, data, kind, timeout, compress)
        check(timeout)
        if type(data) == "function" then
            return send_pieces(ws, data, kind, timeout, compress)
        end
        return sending(ws, timeout, original.send, ws, data, kind, 0, compress)
    end

    function own.send_json(ws, value, library, timeout, compress)
        check(timeout)
        return own.send(ws, try(internal.encode, ws, value, library), "utf8", timeout, compress)
    end

    function own.send_many(ws, list, kind, timeout, compress)
        check(timeout)
        local done = 0
        local function go_on()
            local count, message, err = internal.send_many(ws, list, kind, 0, compress, done)
            done = count or err.sent_count
            return count, message, err
        end
        local count, message, err = sending(ws, timeout, go_on)
        if err then
            err.sent_count = done
        end
        return trim(count, message, err)
    end

    for _, name in ipairs {"send_final_frame", "send_nonfinal_frame"} do
        own[name] = function(ws, data)
            return sending(ws, nil, original[name], ws, data)
        end
    end

    function own.receive(ws, timeout)
        check(timeout)
        return receiving(ws, timeout, original.receive, ws, 0)
    end

    function own.receive_json(ws, timeout, library)
        check(timeout)
        return receiving(ws, timeout, original.receive_json, ws, 0, library)
    end

    function own.receive_stream(ws, timeout)
        check(timeout)
        return receiving(ws, timeout, original.receive_stream, ws, 0)
    end

    local function next_message(ws)
        local data, kind, is_complete = receiving(ws, huge, original.receive, ws, 0)
        if data or is_complete.name == "CW_CLOSED" and internal.ended_normally(ws) then
            return data, data and kind, data and is_complete
        end
        error(is_complete, 0)
    end

    function own.messages(ws)
        original.messages(ws) -- checks ws
        return next_message, ws
    end

    return own
end

function methods.input(original)
    local own = {}

    local function read_packed(...)
        local results = scheduler.pack(original.read(...))
        if results.n == 3 and results[1] == nil then
            return scheduler.unpack(results, 1, 3)
        end
        return results
    end

    local function read(stream, timeout, ...)
        local ws = internal.socket_of(stream)
        if not ws then
            return scheduler.pack(original.read(stream, ...))
        end
        local results, message, err = receiving(ws, timeout, read_packed, stream, ...)
        return results or {nil, message, err, n = 3}
    end

    function own.read(stream, ...)
        local results = read(stream, nil, ...)
        return scheduler.unpack(results, 1, results.n)
    end

    function own.lines(stream, ...)
        local formats = scheduler.pack(...)
        original.lines(stream, ...) -- checks the arguments
        return function()
            local results = read(stream, huge, scheduler.unpack(formats, 1, formats.n))
            if results.n == 3 and results[1] == nil then
                error(results[3], 0)
            end
            return scheduler.unpack(results, 1, results.n)
        end
    end

    return own
end

-- Makes a method that sends, or that flushes, on the socket of a stream, a DataReader or a DataWriter.
local function sender(original)
    return function(object, ...)
        local ws = internal.socket_of(object)
        if not ws then
            return original(object, ...)
        end
        return sending(ws, nil, original, object, ...)
    end
end

-- Makes close of a stream or a DataWriter, which flushes first.
local function closer(original)
    return function(object)
        local ws = internal.socket_of(object)
        if ws and ws.state == "open" then
            local ok, message, err = ws:flush()
            if not ok then
                return trim(ok, message, err)
            end
        end
        return try(original, object)
    end
end

function methods.output(original)
    return {write = sender(original.write), flush = sender(original.flush), close = closer(original.close)}
end

function methods.reader(original)
    return {
        close = function(reader) return try(original.close, reader) end,
        load = function(reader, count)
            local ws = internal.socket_of(reader)
            if not ws then
                return original.load(reader, count)
            end
            return receiving(ws, nil, original.load, reader, count)
        end,
    }
end

function methods.writer(original)
    return {store = sender(original.store), flush = sender(original.flush), close = closer(original.close)}
end

-- The functions of the module that differ in a coroutine.
methods.module = {}

function methods.module.connect(uri, options)
    local ws, ms = try(internal.connect_prepare, uri, options)
    watch(ws)
    local ok, message, err = try(internal.connect_start, ws, uri, ms)
    if ok then
        ok, message, err = connect_rest(ws)
    end
    if ok then
        return ws
    end
    ws:abort()
    return trim(ok, message, err)
end

-- Sets the functions of the scheduler and of ltasks.c. Returns the methods, by type.
return function(functions_of_scheduler, functions)
    scheduler, internal = functions_of_scheduler, functions
    try, watch, now = functions.try, functions.watch, functions.now
    return methods
end

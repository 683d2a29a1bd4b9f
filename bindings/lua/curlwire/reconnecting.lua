-- SPDX-License-Identifier: MIT
-- curlwire.ReconnectingWebSocket: a MessageWebSocket that connects again when its connection is lost. The rules are in
-- the core, and the same for every language. There is no thread here: the calls that wait connect again.

---The rules of the core, by lreconnect.c, which explains them. Times are in seconds.
---@class curlwire.ReconnectRules
---@field begin fun(self: curlwire.ReconnectRules, now: number): integer
---@field ended fun(self: curlwire.ReconnectRules, now: number): boolean
---@field failure fun(self: curlwire.ReconnectRules, name: string, message: string): curlwire.Error
---@field is_retried fun(self: curlwire.ReconnectRules, code: integer, http_status: integer, status: integer): boolean
---@field next fun(self: curlwire.ReconnectRules, now: number, given: number?, retry_after: number?): number?, string?
---@field now fun(self: curlwire.ReconnectRules): number
---@field opened fun(self: curlwire.ReconnectRules, now: number): number
---@field renew fun(self: curlwire.ReconnectRules): number
---@field set fun(self: curlwire.ReconnectRules, name: string, value: any): boolean
---@field sleep fun(self: curlwire.ReconnectRules, seconds: number)

---The state of a ReconnectingWebSocket.
---@class curlwire.ReconnectingState
---@field state curlwire.State
---@field rules curlwire.ReconnectRules
---@field handlers table<string, function?>
---@field uri string|fun(attempt: integer): string
---@field headers? table|fun(attempt: integer): table
---@field subprotocols? string[]|fun(attempt: integer): string[]
---@field timeout? curlwire.Timeout of one attempt
---@field control curlwire.Options the settings for each connection
---@field policy curlwire.ReconnectPolicy
---@field receive_timeout number
---@field send_timeout number
---@field ws? curlwire.MessageWebSocket the connection that is open
---@field greeting? curlwire.MessageWebSocket the connection during on_connected
---@field sockets curlwire.MessageWebSocket[] connections whose messages the program has not taken yet, the oldest first
---@field last_socket? curlwire.MessageWebSocket the connection that close has closed
---@field attempt integer
---@field delay_count integer of policy.delays
---@field next_at number when the next attempt begins
---@field renew_at number when the connection is renewed
---@field must_renew? boolean
---@field is_busy? boolean while an attempt is made
---@field closed_here? boolean
---@field ended_normally? boolean whether the last connection did
---@field close_args any[]
---@field error? curlwire.Error after which no further attempt followed
---@field last_error? curlwire.Error
---@field unsent {data: string, message_type: curlwire.MessageTypeGiven?, compress: boolean?}[]
---@field unsent_bytes integer
---@field unsent_buffer_size number
---@field drops? boolean whether messages without a connection are dropped
---@field dropped_count integer

---@param core curlwire
---@param make_rules fun(): curlwire.ReconnectRules
---@param prepare fun(uri: any, options: any): curlwire.WebSocket, integer makes a socket for core.connect
return function(core, make_rules, prepare)
    local unpack = rawget(table, "unpack") or rawget(_G, "unpack")
    local KEPT_SOCKETS = 4 -- ended connections whose messages the program has not taken yet
    local SLICE_S = 0.1    -- a wait looks this often whether another coroutine has called close or reconnect
    local BUSY_S = 0.01    -- the same, while another coroutine connects
    local PARTS = {"uri", "headers", "subprotocols"}
    ---@type table<string, boolean?>
    local HANDLERS = {on_connected = true, on_disconnected = true, on_message_received = true, on_closed = true}

    local Reconnecting, methods = {}, {}
    local method_of = methods ---@type table<string, function?>
    ---@type table<curlwire.ReconnectingWebSocket, curlwire.ReconnectingState>
    local private = setmetatable({}, {__mode = "k"})

    -- ---- times

    local function now(d)
        local clock = rawget(core, "_clock") -- only tests set it
        return clock and clock() or d.rules:now()
    end

    local function sleep(d, seconds)
        local sleep_of_tasks = rawget(core, "sleep") ---@type function? it lets other coroutines run
        if sleep_of_tasks then
            sleep_of_tasks(seconds)
        else
            d.rules:sleep(seconds)
        end
    end

    local function check_timeout(timeout, default)
        if timeout == nil then timeout = default end
        if timeout == false then return math.huge end
        if type(timeout) ~= "number" or timeout < 0 or timeout ~= timeout then
            local text = "timeout cannot be %s: it takes 0 or more seconds, or math.huge for no limit"
            error(text:format(tostring(timeout)), 3)
        end
        return timeout
    end

    local function timed_out(d, what, seconds)
        local text = "timed out after %g s waiting for %s, because the socket is %s: call again, or wait longer"
        local message = text:format(seconds, what, d.state)
        return nil, message, d.rules:failure("CW_TIMED_OUT", message)
    end

    -- ---- the end, and what follows a failure

    local function call_handler(self, d, name, argument)
        local handler = d.handlers[name]
        if handler then handler(self, argument) end
    end

    local function finish(self, d, err)
        d.state, d.error, d.ws = "closed", err, nil
        call_handler(self, d, "on_closed", {
            code = err.code or 1006, reason = err.reason or err.message, was_clean = err.was_clean or false,
        })
    end

    -- Returns the next delay of the program, or false if there is none.
    local function given_delay(d)
        local delays = d.policy.delays
        if not delays then return nil end
        local delay
        if type(delays) == "function" then
            delay = delays()
        else
            d.delay_count = d.delay_count + 1
            delay = delays[d.delay_count]
        end
        if delay == nil then return false end
        if type(delay) ~= "number" or delay ~= delay or delay < 0 or delay == math.huge then
            error(("delays must give 0 or more seconds, not %s"):format(tostring(delay)), 0)
        end
        return delay
    end

    -- Decides after a failed attempt or a lost connection. is_own: a function of the program has failed.
    local function decide(self, d, err, is_own)
        local answer = d.policy.should_retry and d.policy.should_retry(err)
        d.last_error = err
        if answer == nil or not d.policy.should_retry then
            local code = err.code or (err.name == "CW_CLOSED" and 1006 or 0)
            answer = is_own or d.rules:is_retried(code, err.http_status or 0, err.status or 0)
        end
        if not answer then return finish(self, d, err) end
        local given = given_delay(d)
        local delay, why = nil, "gave up: delays has no further delay"
        if given ~= false then
            delay, why = d.rules:next(now(d), given, err.retry_after)
        end
        if not delay then
            err.message = err.message .. "; " .. why
            return finish(self, d, err)
        end
        d.next_at = now(d) + delay
    end

    local function ended(d)
        if d.rules:ended(now(d)) then d.delay_count = 0 end
    end

    local function remove(list, item)
        for i, other in ipairs(list) do
            if other == item then return table.remove(list, i) end
        end
    end

    -- Notes that the connection of the senders is lost.
    local function lost(self, d, err)
        d.ws = nil
        if d.state ~= "open" then return end
        d.state = "connecting"
        ended(d)
        call_handler(self, d, "on_disconnected", err)
        if d.state == "connecting" then decide(self, d, err) end
    end

    -- Ends a connection on purpose.
    local function renew(self, d)
        local ws = d.ws
        d.must_renew, d.ws, d.state = false, nil, "connecting"
        remove(d.sockets, ws)
        ws:close(1000)
        ws:wait_closed(1) -- the service thread finishes a handshake that takes longer
        ended(d)
        local message = "this program has renewed the connection: go on with the next one"
        local err = d.rules:failure("CW_CLOSED", message)
        err.code, err.reason, err.was_clean = 1000, "", true
        call_handler(self, d, "on_disconnected", err)
        d.next_at = now(d) + d.rules:renew()
    end

    -- ---- connecting

    -- Sends the messages that were kept.
    local function send_kept(self, d, ws)
        while d.ws == ws and d.unsent[1] do
            local m = d.unsent[1]
            local ok, _, err = ws:send(m.data, m.message_type, nil, m.compress)
            if ok then
                table.remove(d.unsent, 1)
                d.unsent_bytes = d.unsent_bytes - #m.data
            elseif err.name ~= "CW_TIMED_OUT" then
                return lost(self, d, err)
            end
        end
    end

    local function use(self, d, ws)
        d.renew_at = d.rules:opened(now(d))
        d.must_renew, d.greeting = false, ws
        local protected = rawget(core, "pcall") or pcall
        local ok, err = protected(call_handler, self, d, "on_connected", d.attempt)
        d.greeting = nil
        if d.state == "closed" then
            ws:close(unpack(d.close_args))
        else
            d.state, d.ws = "open", ws
            d.sockets[#d.sockets + 1] = ws
            while #d.sockets > KEPT_SOCKETS do
                table.remove(d.sockets, 1)
            end
            send_kept(self, d, ws)
        end
        if not ok then error(err, 0) end
    end

    -- Makes one attempt.
    local function attempt(self, d)
        local values = {}
        d.attempt = d.rules:begin(now(d))
        for _, name in ipairs(PARTS) do
            local part = d[name]
            if type(part) == "function" then
                local ok, value = (rawget(core, "pcall") or pcall)(part, d.attempt)
                if not ok then
                    if type(value) == "string" and value:find("interrupted!", 1, true) then error(value, 0) end
                    local text = ("the function for %s failed: %s"):format(name, tostring(value))
                    local err = d.rules:failure("FUNCTION_FAILED", text)
                    err.value = value
                    ended(d)
                    return decide(self, d, err, true)
                end
                part = value
            end
            values[name] = part
        end
        if d.state == "closed" then return end
        local options = {timeout = d.timeout, headers = values.headers, subprotocols = values.subprotocols}
        for name, value in pairs(d.control) do
            options[name] = value
        end
        local ws = prepare(values.uri, options)
        d.connecting = ws -- so that another coroutine can end the attempt
        local ok, _, err = ws:connect(values.uri, d.timeout)
        d.connecting = nil
        if ok and d.state ~= "closed" then return use(self, d, ws) end
        ws:abort()
        if d.state ~= "closed" then
            ended(d)
            decide(self, d, err)
        end
    end

    -- Makes an attempt. An error of the program ends the socket.
    local function try(self, d)
        d.is_busy = true
        local ok, err = (rawget(core, "pcall") or pcall)(attempt, self, d)
        d.is_busy, d.connecting = false, nil
        if not ok then
            if d.state ~= "open" and d.state ~= "closed" then
                d.state, d.error = "closed", d.rules:failure("PROGRAM_FAILED", tostring(err))
            end
            error(err, 0)
        end
    end

    local function check(d)
        if d.state == "new" then error("the socket is not connected: call connect first", 3) end
        if d.state == "closed" then return nil, d.error.message, d.error end
        return true
    end

    -- Goes on until there is a connection. Returns true; or nil, the message and the error.
    local function drive(self, d, deadline, what, seconds)
        while not d.ws do
            if d.state == "closed" then return nil, d.error.message, d.error end
            local left, wait = deadline - now(d), d.next_at - now(d)
            if wait <= 0 and not d.is_busy then
                try(self, d)
            elseif left <= 0 then
                return timed_out(d, what, seconds)
            else -- for the next attempt, or for that of another coroutine
                sleep(d, math.min(d.is_busy and BUSY_S or wait, left, SLICE_S))
            end
        end
        return true
    end

    -- ---- methods

    function methods.connect(self, timeout)
        local d = private[self]
        if d.state ~= "new" then
            local text = "connect on a socket that is %s; a socket connects once: make a new socket"
            error(text:format(d.state), 2)
        end
        local seconds = check_timeout(timeout, math.huge)
        d.state, d.next_at = "connecting", now(d)
        return drive(self, d, now(d) + seconds, "the first connection", seconds)
    end

    function methods.reconnect(self)
        local d = private[self]
        if d.state == "connecting" and not d.is_busy then
            d.next_at = now(d)
        elseif d.ws or d.greeting then
            d.must_renew = true
        end
        return true
    end

    local function end_here(self, d, code, reason, is_abort)
        local ws = d.greeting or d.ws
        if d.connecting then d.connecting:abort() end
        if ws and is_abort then ws:abort() elseif ws then ws:close(code, reason) end
        if d.state == "closed" then return true end
        local err = d.rules:failure("CW_CLOSED", "this program has closed the socket: make a new one to connect again")
        err.code, err.reason, err.was_clean = code, reason, true
        d.last_socket, d.close_args, d.sockets, d.closed_here = ws, {code, reason}, {}, true
        finish(self, d, err)
        return true
    end

    function methods.close(self, code, reason)
        return end_here(self, private[self], code or 1000, reason or "")
    end

    function methods.abort(self) return end_here(self, private[self], 1000, "", true) end

    function methods.wait_closed(self, timeout)
        local d = private[self]
        if d.state ~= "closed" and d.state ~= "new" then
            error("wait_closed before close: call close first", 2)
        end
        if d.last_socket then
            local ok, message, err = d.last_socket:wait_closed(timeout)
            if not ok then return nil, message, err end
        end
        if d.unsent[1] then
            local text = "%d messages of %d bytes were kept for a connection and not sent: send them again on a new "
                .. "socket"
            local message = text:format(#d.unsent, d.unsent_bytes)
            return nil, message, d.rules:failure("CW_CLOSED", message)
        end
        return true
    end

    -- Calls a method that receives on the first connection that has messages.
    local function receive(self, name, timeout)
        local d = private[self]
        if d.greeting then return d.greeting[name](d.greeting, timeout) end
        local seconds = check_timeout(timeout, d.receive_timeout)
        local deadline = now(d) + seconds
        if d.state == "new" then error("the socket is not connected: call connect first", 3) end
        while true do
            local ws = d.sockets[1]
            if not ws then
                local ok, message, err = drive(self, d, deadline, "a message", seconds)
                if not ok then return nil, message, err end
            else
                local is_due = ws == d.ws and (d.must_renew or now(d) >= d.renew_at)
                local limit = is_due and 0 or deadline - now(d) ---@type number
                if ws == d.ws then limit = math.min(limit, d.renew_at - now(d)) end
                local first, second, third = ws[name](ws, math.max(limit, 0))
                if first ~= nil or type(third) ~= "table" then return first, second, third end
                if third.name == "CW_CLOSED" then
                    d.ended_normally = pcall(ws:messages())
                    remove(d.sockets, ws)
                    if ws == d.ws then lost(self, d, third) end
                elseif third.name ~= "CW_TIMED_OUT" then
                    return first, second, third
                elseif is_due and ws == d.ws then
                    renew(self, d) -- nothing waits any more
                elseif now(d) >= deadline then
                    return first, second, third
                end
            end
        end
    end

    function methods.receive(self, timeout) return receive(self, "receive", timeout) end
    function methods.receive_json(self, timeout) return receive(self, "receive_json", timeout) end

    local function next_message(self)
        local data, second, third = receive(self, "receive", math.huge)
        if data ~= nil then return data, second end
        local d = private[self]
        if third.name == "CW_CLOSED" and (d.closed_here or d.ended_normally) then return nil end
        error(third, 0)
    end

    function methods.messages(self) return next_message, self end

    -- Keeps or drops a message. Returns false if there is no room.
    local function keep(d, data, message_type, compress)
        if d.drops then
            d.dropped_count = d.dropped_count + 1
            return true
        elseif d.unsent_bytes + #data > d.unsent_buffer_size then
            return false
        end
        d.unsent[#d.unsent + 1] = {data = data, message_type = message_type, compress = compress}
        d.unsent_bytes = d.unsent_bytes + #data
        return true
    end

    function methods.send(self, data, message_type, timeout, compress)
        local d = private[self]
        if type(data) ~= "string" then
            error("send of a ReconnectingWebSocket takes a string, not a " .. type(data), 2)
        end
        if d.greeting then return d.greeting:send(data, message_type, timeout, compress) end
        local seconds = check_timeout(timeout, d.send_timeout)
        local deadline = now(d) + seconds
        while true do
            local ok, message, err = check(d)
            if not ok then return nil, message, err end
            local ws = d.ws
            if ws and not d.unsent[1] then
                ok, message, err = ws:send(data, message_type, timeout, compress)
                if ok or err.name ~= "CW_CLOSED" then return ok, message, err end
                -- No part that the server could use has been sent. Another coroutine may have noticed the loss first.
                if d.ws == ws then lost(self, d, err) end
            elseif keep(d, data, message_type, compress) then
                if not d.ws and now(d) >= d.next_at and not d.is_busy then
                    try(self, d) -- so that a program that only sends gets its connection back
                end
                ok, message, err = check(d)
                return ok, message, err
            else
                ok, message, err = drive(self, d, deadline, "room in unsent_buffer_size", seconds)
                if not ok then return nil, message, err end
            end
        end
    end

    function methods.send_json(self, value, timeout, compress)
        local json = rawget(core, "json")
        if not json then error('send_json needs a library: set one, as in curlwire.json = require "cjson"', 2) end
        return methods.send(self, json.encode(value), "utf8", timeout, compress)
    end

    function methods.send_many(self, messages, message_type, timeout, compress)
        for i, data in ipairs(messages) do
            local ok, message, err = methods.send(self, data, message_type, timeout, compress)
            if not ok then
                err.sent_count = i - 1
                return nil, message, err
            end
        end
        return #messages
    end

    function methods.ping(self, timeout)
        local d = private[self]
        local ws = d.greeting or d.ws
        if not ws then
            local text = "there is no connection to ping, because the socket is %s: ping while it is open"
            error(text:format(d.state), 2)
        end
        return ws:ping(timeout)
    end

    -- Calls on_message_received for each message, until no further attempt follows.
    function methods.run(self)
        local d = private[self]
        if d.state == "new" then
            local ok, message, err = methods.connect(self)
            if not ok then return nil, message, err end
        end
        while true do
            local data, second, third = receive(self, "receive", math.huge)
            if data == nil then
                if third.name == "CW_CLOSED" and (d.closed_here or d.ended_normally) then return true end
                return nil, second, third
            end
            local args = {data = data, message_type = second, is_message_complete = third}
            call_handler(self, d, "on_message_received", args)
        end
    end

    -- ---- the object

    ---@type table<string, (fun(d: curlwire.ReconnectingState): any)?>
    local facts = {
        state = function(d) return d.state end,
        attempt = function(d) return d.attempt end,
        socket = function(d) return d.greeting or d.ws end,
        last_error = function(d) return d.last_error end,
        unsent_count = function(d) return #d.unsent end,
        dropped_count = function(d) return d.dropped_count end,
    }

    local function names(...)
        local all = {}
        for _, list in ipairs {...} do
            for name in pairs(list) do all[#all + 1] = name end
        end
        table.sort(all)
        return table.concat(all, ", ")
    end

    function Reconnecting.__index(self, key)
        local d = private[self]
        local method, fact = method_of[key], facts[key]
        if method then return method end
        if fact then return fact(d) end
        if HANDLERS[key] then return d.handlers[key] end
        error(("ReconnectingWebSocket has no %s: it has %s"):format(tostring(key), names(methods, facts, HANDLERS)), 2)
    end

    function Reconnecting.__newindex(self, key, value)
        if not HANDLERS[key] then
            local text = "ReconnectingWebSocket has no field %s that can be set: it has %s"
            error(text:format(tostring(key), names(HANDLERS)), 2)
        end
        if value ~= nil and type(value) ~= "function" then
            error(("%s must be a function or nil, not a %s"):format(key, type(value)), 2)
        end
        private[self].handlers[key] = value
    end

    function Reconnecting.__tostring(self)
        local d = private[self]
        return ("curlwire.ReconnectingWebSocket (%s, attempt %d)"):format(d.state, d.attempt)
    end

    function Reconnecting.__close(self, err)
        methods.close(self, err ~= nil and 1011 or 1000)
        local ok, message = methods.wait_closed(self)
        if not ok and err == nil then error(message, 0) end
    end

    local function set_policy(d, policy)
        if type(policy) ~= "table" then error("policy must be a table, not a " .. type(policy), 4) end
        for name, value in pairs(policy) do
            if name == "delays" or name == "should_retry" then
                local kind = type(value)
                if kind ~= "function" and (kind ~= "table" or name ~= "delays") then
                    local takes = name == "delays" and "a function or a table" or "a function"
                    error(("%s cannot be a %s: it takes %s"):format(name, kind, takes), 4)
                end
            elseif not d.rules:set(tostring(name), value) then
                error(("policy has no %s: it has delays, first_delay, max_age, max_attempts, max_delay, max_elapsed, "
                    .. "should_retry, stable_after"):format(tostring(name)), 4)
            end
        end
        d.policy = policy
    end

    local function new(uri, options)
        ---@type curlwire.ReconnectingState
        local d = {
            state = "new", rules = make_rules(), handlers = {}, sockets = {}, unsent = {}, unsent_bytes = 0,
            dropped_count = 0, attempt = 0, delay_count = 0, policy = {}, control = {}, uri = uri,
            unsent_buffer_size = 1048576, close_args = {1000, ""}, next_at = 0, renew_at = math.huge,
            receive_timeout = 0, send_timeout = 0,
        }
        if type(uri) ~= "string" and type(uri) ~= "function" then
            error("uri must be a string or a function, not a " .. type(uri), 3)
        end
        for name, value in pairs(options or {}) do
            if name == "policy" then
                set_policy(d, value)
            elseif name == "headers" or name == "subprotocols" or name == "timeout" then
                d[name] = value
            elseif name == "unsent" then
                if value ~= "keep" and value ~= "drop" then
                    error(("unsent cannot be %s: use \"keep\" or \"drop\""):format(tostring(value)), 3)
                end
                d.drops = value == "drop"
            elseif name == "unsent_buffer_size" then
                if type(value) ~= "number" or value < 0 then
                    error("unsent_buffer_size must be 0 or more bytes", 3)
                end
                d.unsent_buffer_size = value
            elseif HANDLERS[name] then
                if type(value) ~= "function" then error(name .. " must be a function", 3) end
                d.handlers[name] = value
            else
                d.control[name] = value
            end
        end
        local control = core.MessageWebSocket(d.control).control -- checks the names and values
        d.receive_timeout, d.send_timeout = control.receive_timeout or math.huge, control.send_timeout or math.huge
        local self = setmetatable({}, Reconnecting) ---@type curlwire.ReconnectingWebSocket
        private[self] = d
        return self
    end

    return new
end

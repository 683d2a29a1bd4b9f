-- SPDX-License-Identifier: MIT
-- client.py in Lua: the head there says what a line of input means, and what is written.

local curlwire = require "curlwire"

local LIMIT = 15
local is_odd = {CW_CLOSED = true, CW_CONNECT_FAILED = true}

local function say(...)
    local words = {...}
    for i = 1, select("#", ...) do
        words[i] = tostring(words[i])
    end
    io.stdout:write(table.concat(words, " "), "\n")
end

local function hex(bytes)
    return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local function unhex(text)
    return (text:gsub("..", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- The driver's word for a type of messages.
local function word_of(message_type) return message_type == "utf8" and "text" or message_type end

-- Milliseconds that only go forward, in steps of 10; Lua has no such clock.
local function now()
    local file = assert(io.open("/proc/uptime"))
    local seconds = file:read("*n")
    file:close()
    return seconds * 1000
end

local Session = {}
Session.__index = Session

local function options_of(text)
    local options = {}
    for name, value in text:gmatch("([%w_]+)=([%d.]+)") do
        options[name] = tonumber(value)
    end
    return options
end

local function new_session(class, mode, uri, options)
    local self = setmetatable({uri = uri, messages = 0, taken = 0, closed = 0}, Session)
    self.is_stream, self.has_handlers = class == "stream", mode == "handlers"
    self.ws = (self.is_stream and curlwire.StreamWebSocket or curlwire.MessageWebSocket)(options_of(options))
    self.ws.control.ca_file = os.getenv("CW_FAULTS_CA_FILE")
    if self.has_handlers then
        self.ws.on_message_received = function(_, args)
            say("message", word_of(args.message_type), hex(args.data))
            self.messages = self.messages + 1
        end
    end
    self.ws.on_closed = function(_, args)
        say("closed", args.code, args.was_clean and 1 or 0, hex(args.reason))
        self.closed = self.closed + 1
    end
    return self
end

-- Runs handlers until done().
local function dispatch_until(done)
    local limit = now() + LIMIT * 1000
    while not done() do
        if now() > limit then
            error("client.lua: it does not come")
        end
        assert(curlwire.dispatch(1))
    end
end

local function lost(self)
    return nil, "closed", {name = "CW_CLOSED", status = 0, code = self.ws.close_code or 0}
end

-- ---- the ops: each returns true, or nil, a message and an error object

local ops = {}

local function send(self, data, message_type)
    if self.is_stream then
        return self.ws.output_stream:write(data)
    end
    return self.ws:send(data, message_type)
end

function ops.connect(self)
    local ok, message, err = self.ws:connect(self.uri)
    self.was_open = ok
    return ok, message, err
end

function ops.text(self, data) return send(self, unhex(data), "utf8") end
function ops.binary(self, data) return send(self, unhex(data), "binary") end
function ops.big(self, size) return send(self, ("\0"):rep(tonumber(size)), "binary") end

function ops.fill(self, size, limit_ms)
    local rest = ("\0"):rep(tonumber(size) - 8)
    local number, begin, ok, message, err = 0
    repeat
        begin = now()
        ok, message, err = self.ws:send(unhex(("%016x"):format(number)) .. rest, "binary", 0)
        if ok then
            number = number + 1
        elseif err.name == "CW_WOULD_BLOCK" then -- the queue is full
            ok, message, err = self.ws:flush(tonumber(limit_ms) and tonumber(limit_ms) / 1000)
        end
    until not ok
    say("took", number, ("%.0f"):format(now() - begin))
    io.stdout:flush() -- the driver may wait for it
    return ok, message, err
end

function ops.part(self, data) return self.ws:send_nonfinal_frame(unhex(data)) end
function ops.last(self, data) return self.ws:send_final_frame(unhex(data)) end

function ops.recv(self, count)
    if self.is_stream then
        local data, message, err = self.ws.input_stream:read(tonumber(count) or 1)
        if not data then
            if err then
                return nil, message, err
            end
            return lost(self)
        end
        say("message", "bytes", hex(data))
    elseif self.has_handlers then
        self.taken = self.taken + 1
        dispatch_until(function() return self.messages >= self.taken or self.closed > 0 end)
        if self.messages < self.taken then
            return lost(self)
        end
    else
        local data, message_type, err = self.ws:receive()
        if not data then
            return nil, message_type, err
        end
        say("message", word_of(message_type), hex(data))
    end
    return true
end

function ops.ping(self) return self.ws:ping() end
function ops.flush(self) return self.ws:flush() end
function ops.close(self, code, reason) return self.ws:close(tonumber(code), unhex(reason or "")) end
function ops.wait(self) return self.ws:wait_closed(LIMIT) end

function ops.pause(_, milliseconds)
    local limit = now() + tonumber(milliseconds)
    repeat
        assert(curlwire.dispatch(math.max(0, limit - now()) / 1000))
    until now() >= limit
    return true
end

-- ---- the end

function Session:receive_rest()
    if self.has_handlers then
        return
    end
    local ok, message, err
    repeat
        ok, message, err = ops.recv(self, "1")
    until not ok
    assert(err.name == "CW_CLOSED", message)
end

function Session:finish()
    if not self.was_open then
        return
    end
    if self.ws.state ~= "closed" then
        self.ws:abort()
    end
    dispatch_until(function() return self.closed > 0 end)
end

local function run(line)
    local words = {}
    for word in line:gmatch("%S+") do
        words[#words + 1] = word
    end
    local session = new_session(words[1], words[2], words[3], words[4])
    for i = 5, #words do
        local name, first, second = words[i]:match("^(%w+):?([^:]*):?(.*)$")
        local begin = now()
        local ok, _, err = ops[name](session, first ~= "" and first or nil, second)
        local elapsed = ("%.0f"):format(now() - begin)
        if ok then
            say("op", i - 5, name, elapsed, "ok")
        else
            say("op", i - 5, name, elapsed, err.name, err.status, err.code or 0)
            if err.name == "CW_CLOSED" then
                session:receive_rest()
            end
            if is_odd[err.name] then
                break
            end
        end
    end
    session:finish()
    assert(curlwire.dispatch(0)) -- a second closed event would come now
    say("end")
    io.stdout:flush()
end

for line in io.lines() do
    run(line)
end

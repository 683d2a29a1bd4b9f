-- SPDX-License-Identifier: MIT
-- Runs test cases and prints TAP. A case is a name and a function that gets `expect`. expect(f, n) returns a function
-- that must be called n times before the case ends; n is 1 by default. Garbage is collected before and after each case.
-- A case fails if it leaves a socket of harness.curlwire open, or if that socket cannot be collected afterwards. A
-- socket that is closing gets time to end.

local curlwire = require "curlwire"

local CLOSING_S = 50

local harness = {cases = {}, names = {}}
local made, kept -- the sockets of the running case: strong and weak references

local function track(ws, ...)
    if ws and made then
        made[#made + 1] = ws
        kept[#kept + 1] = ws
    end
    return ws, ...
end

-- The module, with constructors that record the sockets they make.
harness.curlwire = setmetatable({
    MessageWebSocket = function(...) return track(curlwire.MessageWebSocket(...)) end,
    StreamWebSocket = function(...) return track(curlwire.StreamWebSocket(...)) end,
    connect = function(...) return track(curlwire.connect(...)) end,
}, {__index = curlwire})

-- Registers a case. skipped: the reason why this interpreter cannot run it, or nil.
function harness.test(name, body, skipped)
    if harness.names[name] then
        error("two cases have the name " .. name .. ": rename one", 2)
    end
    harness.names[name] = true
    harness.cases[#harness.cases + 1] = {name = name, body = body, skipped = skipped}
end

local function collect()
    local jit = rawget(_G, "jit")
    if jit then
        jit.flush() -- compiled traces keep what they treat as constant, for example a socket in an upvalue
    end
    collectgarbage()
    collectgarbage()
end

local function unclosed()
    for _, ws in ipairs(made) do
        if ws.state == "closing" then -- receive fails before the answer to the server's close frame is written
            ws:wait_closed(CLOSING_S)
        end
        if ws.state ~= "closed" and ws.state ~= "new" then
            local text = tostring(ws)
            ws:abort()
            return "left open: " .. text
        end
    end
end

local function uncollected()
    made = {}
    collect()
    local _, ws = next(kept)
    return ws and "cannot be collected: " .. tostring(ws)
end

local function make_expect(counters)
    return function(f, wanted)
        local counter = {wanted = wanted or 1, got = 0, where = debug.traceback("expected at", 2)}
        counters[#counters + 1] = counter
        return function(...)
            counter.got = counter.got + 1
            return f(...)
        end
    end
end

local function miscounted(counters)
    for _, counter in ipairs(counters) do
        if counter.got ~= counter.wanted then
            return ("called %d times instead of %d; %s"):format(counter.got, counter.wanted, counter.where)
        end
    end
end

local function describe(err)
    return debug.traceback(tostring(err), 2)
end

-- Runs one body. Returns nil, or a text that says what is wrong.
function harness.run_body(body)
    local outer_made, outer_kept = made, kept
    local counters = {}
    made, kept = {}, setmetatable({}, {__mode = "v"})
    collect()
    local ok, err = xpcall(function() body(make_expect(counters)) end, describe)
    local open = unclosed()
    local wrong = not ok and err or open or miscounted(counters)
    local leaked = uncollected() -- also after a failure, so that the next case begins clean
    made, kept = outer_made, outer_kept
    return wrong or leaked
end

-- Runs each case whose name contains pattern. Returns whether all of them passed.
function harness.run(pattern)
    local cases, failed = {}, 0
    for _, case in ipairs(harness.cases) do
        if not pattern or case.name:find(pattern) then
            cases[#cases + 1] = case
        end
    end
    print("TAP version 13\n1.." .. #cases)
    for number, case in ipairs(cases) do
        local wrong = not case.skipped and harness.run_body(case.body)
        if case.skipped then
            print(("ok %d - %s # SKIP %s"):format(number, case.name, case.skipped))
        elseif wrong then
            failed = failed + 1
            print(("not ok %d - %s\n# %s"):format(number, case.name, (wrong:gsub("\n", "\n# "))))
        else
            print(("ok %d - %s"):format(number, case.name))
        end
        io.stdout:flush()
    end
    print(("# %d cases, %d failed"):format(#cases, failed))
    return failed == 0 and #cases > 0
end

-- ---- Checks for cases ----

function harness.equal(got, wanted, what)
    if got ~= wanted then
        error(("%s is %s instead of %s"):format(what or "it", tostring(got), tostring(wanted)), 2)
    end
end

-- Checks that f raises a text that contains each of the plain texts that follow. Returns the text.
function harness.raises(f, ...)
    local ok, err = pcall(f)
    if ok then
        error("no error was raised", 2)
    end
    err = tostring(err)
    for _, part in ipairs {...} do
        if not err:find(part, 1, true) then
            error(("the error %q does not say %q"):format(err, part), 2)
        end
    end
    return err
end

-- Checks that a call returned nil, a message and an error object. Returns the object.
function harness.failed(result, message, err)
    if result ~= nil then
        error("it did not fail: " .. tostring(result), 2)
    end
    if type(message) ~= "string" or message == "" then
        error("no message: " .. tostring(message), 2)
    end
    if type(err) ~= "table" or type(err.status) ~= "number" or type(err.message) ~= "string" then
        error("no error object: " .. tostring(err), 2)
    end
    harness.equal(err.message, message, "the error's message")
    harness.equal(tostring(err), message, "the error's text")
    return err
end

return harness

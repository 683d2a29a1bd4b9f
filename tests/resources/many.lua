-- SPDX-License-Identifier: MIT
-- Makes COUNT connections that end in every way, and checks that the number of descriptors and the memory do not grow.
--
--     many.lua URL REFUSED COUNT
--
-- It does the same as many.c, and prints "done" at the end.

local url, refused, count = arg[1], arg[2], tonumber(arg[3])
local WARM_UP, KEPT, PAGE_BYTES = 600, 20, 4096
local SLACK_BYTES, SLACK_KIB = 3000000, 64

local curlwire = require "curlwire"

local function connect(path, control)
    return assert(curlwire.connect(url .. path, control))
end

local function connect_stream()
    local ws = curlwire.StreamWebSocket()
    assert(ws:connect(url .. "/echo"))
    return ws
end

local function fail(address)
    local ws = curlwire.MessageWebSocket()
    assert(not ws:connect(address))
    return ws
end

local fates = {
    function()
        local ws = connect("/echo")
        assert(ws:send("echo"))
        assert(ws:receive() == "echo")
        ws:close(1000, "end")
        assert(ws:wait_closed())
        ws:close()
        return ws
    end,
    function()
        local ws = connect_stream()
        ws:close()
        return ws
    end,
    function() return connect("/echo") end,
    function()
        local ws = curlwire.MessageWebSocket()
        ws.on_closed = function() ws:close() end
        assert(ws:connect(url .. "/echo"))
        ws:close()
        return ws
    end,
    function()
        local ws = connect("/echo")
        ws:abort()
        return ws
    end,
    function()
        local ws, seen = connect("/source?size=9&count=2"), 0
        for _ in ws:messages() do
            seen = seen + 1
        end
        assert(seen == 2)
        return ws
    end,
    function()
        local ws = connect_stream()
        assert(ws.output_stream:write("echo"))
        assert(ws.input_stream:read(4) == "echo")
        return ws
    end,
    function() return fail(refused) end,
    function() return fail(url .. "/nowhere") end,
    function() return curlwire.MessageWebSocket() end,
}

local function read(path, pattern)
    local file = assert(io.open(path))
    local text = file:read("*l")
    file:close()
    return tonumber(text:match(pattern))
end

-- Returns the number of this process's descriptors whose description contains a word.
local function descriptor_count(word)
    local command = "ls -l /proc/%d/fd 2>/dev/null | grep -c %s"
    local pipe = assert(io.popen(command:format(read("/proc/self/stat", "^%d+"), word)))
    local number = tonumber(pipe:read("*l"))
    pipe:close()
    return number
end

-- Waits until no socket is left and at most so many descriptors, and returns their number. The service thread closes
-- the descriptors of dropped sockets, and libcurl's descriptors beside them, a little later.
local function settled_descriptor_count(most)
    for _ = 1, 2000 do
        local number = descriptor_count("socket:") == 0 and descriptor_count(".")
        if number and number <= most then
            return number
        end
        curlwire.dispatch(0.05)
    end
    error("the descriptors do not settle")
end

-- Uses so many sockets. Returns the number of descriptors afterwards, which falls to `most`, the bytes of memory, and
-- the KiB of Lua's memory.
local function live(sockets, most)
    local kept = {}
    for number = 1, sockets do
        kept[number % KEPT] = fates[number % #fates + 1]()
        curlwire.dispatch(0)
        if number % 200 == 0 then -- a socket is small, for Lua, and a descriptor is nothing
            collectgarbage()
        end
    end
    for place in pairs(kept) do
        kept[place] = nil
    end
    curlwire.run()
    collectgarbage()
    collectgarbage()
    return settled_descriptor_count(most), read("/proc/self/statm", "^%d+ (%d+)") * PAGE_BYTES, collectgarbage("count")
end

do -- the thread keeps what it waits with
    local ws = connect("/echo", {receive_timeout = 0.01})
    assert(not ws:receive())
    ws:close()
end
local before = {live(WARM_UP, math.huge)}
local after = {live(count, before[1])}
print("descriptors, bytes, KiB:", before[1], before[2], before[3], after[1], after[2], after[3])
assert(after[2] < before[2] + SLACK_BYTES)
assert(after[3] < before[3] + SLACK_KIB)
print("done")

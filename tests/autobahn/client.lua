-- SPDX-License-Identifier: MIT
-- Answers the cases of Autobahn's fuzzing server with curlwire for Lua: echoes each message.
--
--     lua client.lua BASE AGENT [OPTION=VALUE ...]    the options of connect, such as compression=deflate
--     lua client.lua --version                        prints the versions

local curlwire = require "curlwire"

local MAX_MESSAGE_BYTES = 64 * 1024 * 1024 -- the largest message of the suite has 16 MiB

-- Ends a connection, and waits until the server has ended it too.
local function finish(ws)
    ws:close()
    ws:wait_closed()
end

local function ask(uri)
    local ws = assert(curlwire.connect(uri))
    local answer = assert(ws:receive())
    finish(ws)
    return answer
end

-- Runs a case. Returns which codec received, or nil and an error.
local function echo(uri, options)
    local ws, err = curlwire.connect(uri, options)
    if not ws then
        return nil, err
    end
    local data, message_type = ws:receive(math.huge)
    -- many cases end without a close frame on purpose; the server judges the end
    while data and ws:send(data, message_type) do
        data, message_type = ws:receive(math.huge)
    end
    finish(ws)
    return ws.framing
end

-- Makes the server write its reports, and waits until it has.
local function update_reports(uri)
    local ws = assert(curlwire.connect(uri))
    ws:receive(math.huge)
    finish(ws)
end

if arg[1] == "--version" then
    print(("libcurl %s, %s"):format(curlwire.libcurl_version, rawget(_G, "jit") and _G.jit.version or _VERSION))
    return
end

local base, agent = arg[1], arg[2]
local options = {max_message_size = MAX_MESSAGE_BYTES}
for i = 3, #arg do
    local name, value = arg[i]:match("^(.-)=(.*)$")
    options[name] = value
end
local framings = {}
for case = 1, tonumber(ask(base .. "/getCaseCount")) do
    local framing, err = echo(("%s/runCase?case=%d&agent=%s"):format(base, case, agent), options)
    if framing then
        framings[framing] = (framings[framing] or 0) + 1
    else
        print(("case %d: %s"):format(case, tostring(err)))
    end
end
update_reports(("%s/updateReports?agent=%s"):format(base, agent))
for framing, count in pairs(framings) do
    print(("%d cases with framing %s"):format(count, framing))
end

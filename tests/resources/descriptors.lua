-- SPDX-License-Identifier: MIT
-- Runs one session while only COUNT descriptors are free, and a second one when there are enough again:
--
--     descriptors.lua URL COUNT
--
-- Prints "through" or "refused" for the first session, and "done" at the end. The error must say what is missing.

local url, count = arg[1], tonumber(arg[2])

local curlwire = require "curlwire"

-- Runs one session. Returns true, or the results of a connect that failed. Every other failure raises an error.
local function session()
    local heard, code
    local ws = curlwire.MessageWebSocket {receive_timeout = 20}
    ws.on_message_received = function(_, args)
        heard = args.data
        ws:close()
    end
    ws.on_closed = function(_, args) code = args.code end
    local is_open, why, err = ws:connect(url .. "/echo")
    if not is_open then
        return nil, why, err
    end
    assert(ws:send("text"))
    curlwire.run()
    assert(heard == "text" and code == 1000)
    local other = assert(curlwire.connect(url .. "/echo", {receive_timeout = 0.05}))
    local message, why_not, late = other:receive() -- makes this thread poll
    assert(not message and late.status_name == "Timeout", why_not)
    other:close()
    assert(other:wait_closed(20))
    return true
end

local files = {}
repeat
    local file = io.open("/dev/null")
    files[#files + 1] = file
until not file
for _ = 1, count do
    table.remove(files):close()
end
local is_fine, result, message, err = pcall(session)
for _, file in ipairs(files) do
    file:close()
end
if is_fine and result then
    print("through")
else
    local text = tostring(is_fine and message or result)
    assert(text:find("ulimit", 1, true), text)
    assert(not is_fine or err.os_errno == 24)
    print("refused")
end
local _ = assert(session())
print("done")

-- SPDX-License-Identifier: MIT
-- Takes a picture of a page with Chromium: chromium.lua ws://127.0.0.1:9222/devtools/page/ID ADDRESS FILE
-- `chromium --headless --remote-debugging-port=9222` starts the browser (as root also with --no-sandbox), and
-- http://127.0.0.1:9222/json/list shows the URI. Chromium refuses an Origin that --remote-allow-origins does not name.
-- curlwire sends none. This needs a JSON library: lua-cjson.
local curlwire = require "curlwire"
curlwire.json = require "cjson"

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function from_base64(text)
    local values = {["="] = 0}
    for index = 1, #ALPHABET do
        values[ALPHABET:sub(index, index)] = index - 1
    end
    local bytes = text:gsub("(.)(.)(.)(.)", function(a, b, c, d)
        local number = values[a] * 262144 + values[b] * 4096 + values[c] * 64 + values[d]
        return string.char(math.floor(number / 65536), math.floor(number / 256) % 256, number % 256)
    end)
    return bytes:sub(1, #bytes - #text:match("=*$"))
end

if #arg ~= 3 then
    error("usage: chromium.lua ws://127.0.0.1:9222/devtools/page/ID ADDRESS FILE", 0)
end
local uri, address, name = arg[1], arg[2], arg[3]
local ws = assert(curlwire.connect(uri))
local number = 0
local events = {} -- those that came while we waited for a reply

local function call(method, params)
    number = number + 1
    assert(ws:send_json({id = number, method = method, params = params}))
    while true do
        local message = assert(ws:receive_json())
        if message.id ~= number then
            table.insert(events, message)
        elseif message.error then
            error(method .. ": " .. message.error.message, 0)
        else
            return message.result
        end
    end
end

local function wait_until_loaded(loader)
    repeat
        local event = table.remove(events, 1) or assert(ws:receive_json())
        local params = event.params or {}
    until params.loaderId == loader and params.name == "load"
end

call("Page.enable")
call("Page.setLifecycleEventsEnabled", {enabled = true})
wait_until_loaded(call("Page.navigate", {url = address}).loaderId)
local picture = from_base64(call("Page.captureScreenshot", {format = "png"}).data)
ws:close()
local file = assert(io.open(name, "wb"))
assert(file:write(picture))
assert(file:close())
print(name .. ": " .. #picture .. " bytes")

-- SPDX-License-Identifier: MIT
-- require "curlwire" loads this file and returns the C module: WebSocket clients for Lua 5.1, 5.2, 5.3, 5.4 and
-- LuaJIT. curlwire/annotations.lua describes every call of the module.

local core = require "curlwire.core" ---@type curlwire
local functions = rawget(core, "_tasks") -- for tasks.lua only

if functions then
    rawset(core, "_tasks", nil)
    -- The calls for coroutines. A script that uses none of them does not load tasks.lua.
    for _, name in ipairs {"pcall", "resume", "sleep", "spawn", "timeout"} do
        core[name] = function(...)
            local module = require "curlwire.tasks"(core, functions)
            core[name] = module[name]
            return module[name](...)
        end
    end
end

local make_rules = rawget(core, "_reconnect") -- for reconnecting.lua only

if make_rules then
    rawset(core, "_reconnect", nil)
    -- A script that does not reconnect does not load reconnecting.lua.
    core.ReconnectingWebSocket = function(...)
        core.ReconnectingWebSocket = require "curlwire.reconnecting"(core, make_rules, functions.connect_prepare)
        return core.ReconnectingWebSocket(...)
    end
end

return core

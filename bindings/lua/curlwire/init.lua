-- SPDX-License-Identifier: MIT
-- require "curlwire" loads this file and returns the C module: WebSocket clients for Lua 5.1, 5.2, 5.3, 5.4 and
-- LuaJIT. curlwire/annotations.lua describes every call of the module.

return require "curlwire.core"

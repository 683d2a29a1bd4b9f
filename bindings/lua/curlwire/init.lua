-- SPDX-License-Identifier: MIT
-- WebSocket clients for Lua 5.1, 5.2, 5.3, 5.4 and LuaJIT. This is what require "curlwire" gives: the C module, of
-- which curlwire/annotations.lua describes every call.

return require "curlwire.core"

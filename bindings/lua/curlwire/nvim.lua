-- SPDX-License-Identifier: MIT
-- Runs the handlers and coroutines of curlwire in Neovim's loop. They run by vim.schedule, so they may call all Neovim
-- functions:
--
--     require "curlwire.nvim".start()
--     local ws = curlwire.MessageWebSocket()
--     ws.on_message_received = function(_, args) vim.api.nvim_buf_set_lines(0, -1, -1, true, {args.data}) end
--
-- start and stop are those of curlwire/luv.lua.

local vim = rawget(_G, "vim")
if not vim then
    error "curlwire.nvim needs Neovim: in other programs use curlwire.luv"
end

return require "curlwire.luv".new(vim.uv or vim.loop, vim.schedule_wrap)

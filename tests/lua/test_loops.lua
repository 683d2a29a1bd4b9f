-- SPDX-License-Identifier: MIT
-- Tests curlwire in the event loops of luv, Neovim, copas and cqueues. Each test also runs something of the loop itself
-- at the same time.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal, raises = harness.test, harness.equal, harness.raises
local open, script, text_frame = support.open, support.script, support.text_frame

local IS_JIT = rawget(_G, "jit") ~= nil
local NO_COPAS = (_VERSION == "Lua 5.3" or _VERSION == "Lua 5.4") and "Debian 12 has copas for Lua 5.1 and 5.2" or nil
local NO_NVIM = not IS_JIT and "Neovim has LuaJIT" or nil

-- Two coroutines that receive, and a socket with a handler. Returns a function that checks that all have ended.
local function begin(expect)
    local log = {}
    local with = open(script(text_frame "handled", "close:1000"))
    with.on_message_received = expect(function(_, args) log[#log + 1] = args.data end)
    with.on_closed = expect(function() log[#log + 1] = "closed" end)
    for i = 1, 2 do
        curlwire.spawn(expect(function()
            local ws = open(support.echo())
            for k = 1, 3 do
                assert(ws:send(i .. "-" .. k))
                equal(ws:receive(), i .. "-" .. k)
                curlwire.sleep(0.005)
            end
            ws:close()
            equal(ws:wait_closed(), true)
            log[#log + 1] = "coroutine"
        end))
    end
    return function()
        equal(curlwire.timeout(), nil)
        table.sort(log)
        equal(table.concat(log, " "), "closed coroutine coroutine handled")
    end
end

-- ---- luv ----

test("loops_luv", function(expect)
    local uv, loop, ticks = require "luv", require "curlwire.luv", 0
    local timer = uv.new_timer()
    timer:start(1, 1, function() ticks = ticks + 1 end)
    loop.start()
    loop.start()
    local check = begin(expect)
    curlwire.spawn(expect(function()
        while ticks < 5 do
            curlwire.sleep(0.002)
        end
        timer:close()
    end))
    uv.run()
    check()
    uv.run() -- there is nothing left that would keep it
    loop.start()
    local is_waiting = false
    local task = curlwire.spawn(expect(function()
        is_waiting = true
        coroutine.yield()
    end))
    local resumer = uv.new_timer()
    local resume = expect(function()
        equal(curlwire.resume(task), true)
        resumer:close()
    end)
    resumer:start(5, 5, function()
        if is_waiting then -- the timer may come first if the machine is busy
            resume()
        end
    end)
    uv.run()
    loop.start()
    loop.stop()
    uv.run()
end)

-- luv ends the program when a callback raises an error.
test("loops_luv_error", function()
    local output, status = support.run_program [[
        local curlwire, uv = require "curlwire", require "luv"
        require "curlwire.luv".start()
        curlwire.spawn(function() error "from the coroutine" end)
        uv.run()]]
    assert(output:find("from the coroutine", 1, true), output)
    assert(status ~= 0, output)
end)

-- ---- Neovim ----

-- Runs a script in Neovim without a screen. Returns what it printed.
local function in_nvim(body)
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write(("package.path, package.cpath = %q, %q\n"):format(package.path, package.cpath))
    file:write("local curlwire, loop = require 'curlwire', require 'curlwire.nvim'\n", body)
    file:close()
    local command = "timeout 120 nvim --headless -n -i NONE -u NONE -c 'luafile %s' -c 'qa!' 2>&1"
    local pipe = assert(io.popen(command:format(name)))
    local text = pipe:read("*a")
    pipe:close()
    os.remove(name)
    return text
end

test("loops_nvim", function()
    local output = in_nvim(([[
        loop.start()
        local lines, is_over = {}, false
        local ws = curlwire.MessageWebSocket {message_type = "utf8"}
        ws.on_message_received = function(_, args)
            vim.api.nvim_buf_set_lines(0, 0, -1, true, {args.data}) -- not allowed in a callback of the loop
            ws:close()
        end
        ws.on_closed = function(_, args) lines[#lines + 1] = "closed " .. args.code end
        assert(ws:connect(%q))
        assert(ws:send("from the handler"))
        curlwire.spawn(function()
            local other = assert(curlwire.connect(%q))
            assert(other:send("from the coroutine"))
            local data = other:receive() -- first, because other lines come meanwhile
            lines[#lines + 1] = data
            curlwire.sleep(0.01)
            other:close()
            other:wait_closed()
            is_over = true
        end)
        assert(vim.wait(50000, function() return is_over and #lines == 2 and curlwire.timeout() == nil end, 1))
        table.sort(lines)
        print(vim.api.nvim_buf_get_lines(0, 0, 1, true)[1], table.concat(lines, "; "))
    ]]):format(support.echo(), support.echo()))
    assert(output:find("from the handler closed 1000; from the coroutine", 1, true), output)
end, NO_NVIM)

test("loops_nvim_error", function()
    local output = in_nvim [[
        loop.start()
        local is_over = false
        curlwire.spawn(function() error "from the coroutine" end)
        curlwire.spawn(function() curlwire.sleep(0.01) is_over = true end)
        print(vim.wait(50000, function() return is_over end, 1), curlwire.timeout())
    ]]
    assert(output:find("from the coroutine", 1, true), output)
    assert(output:find("true", 1, true), output)
end, NO_NVIM)

test("loops_nvim_is_needed", function()
    raises(function() require "curlwire.nvim" end, "curlwire.nvim needs Neovim")
end)

-- ---- copas ----

test("loops_copas", function(expect)
    local copas, socket = require "copas", require "socket"
    local host, port = support.http():match("^http://([^:/]+):(%d+)")
    local check, reply = begin(expect), nil
    copas.addthread(expect(function()
        local client = copas.wrap(socket.tcp())
        assert(copas.connect(client.socket, host, tonumber(port)))
        client:send("GET / HTTP/1.0\r\n\r\n")
        reply = client:receive("*l")
    end))
    curlwire.spawn(expect(function()
        while not reply do
            curlwire.sleep(0.002)
        end
    end))
    require "curlwire.copas".run()
    check()
    assert(reply:find("^HTTP/1"), reply)
    equal(require "curlwire.copas".step(0.01), false)
    curlwire.spawn(function() error("from the coroutine") end)
    raises(require "curlwire.copas".run, "from the coroutine")
end, NO_COPAS)

-- ---- cqueues ----

test("loops_cqueues", function(expect)
    local cqueues = require "cqueues"
    local loop, ticks = cqueues.new(), 0
    require "curlwire.cqueues".start(loop)
    require "curlwire.cqueues".start(loop)
    local check = begin(expect)
    loop:wrap(expect(function()
        while ticks < 5 do
            cqueues.sleep(0.001)
            ticks = ticks + 1
        end
    end))
    curlwire.spawn(expect(function()
        while ticks < 5 do
            curlwire.sleep(0.002)
        end
    end))
    assert(loop:loop())
    check()
    require "curlwire.cqueues".start(loop)
    curlwire.spawn(function() error("from the coroutine") end)
    curlwire.spawn(expect(function() curlwire.sleep(0.001) end))
    local ok, message = loop:loop()
    assert(not ok)
    assert(tostring(message):find("from the coroutine", 1, true), message)
    assert(loop:loop())
end)

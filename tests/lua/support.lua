-- SPDX-License-Identifier: MIT
-- Helpers of several case files: the addresses of the servers, which tests/servers/run.py sets, and sockets with a
-- limit on each wait. Also frames in the notation of the scripted server.

local harness = require "harness"

local equal = harness.equal
local WAIT_S = 50 -- for what must happen, long enough for any busy machine

-- Lua 5.1 has these functions under other names.
local support = {unpack = rawget(_G, "unpack") or rawget(table, "unpack"), load = rawget(_G, "loadstring") or load}

local function base(name)
    return os.getenv(name) or error(name .. " is not set: run this under tests/servers/run.py", 3)
end

-- Each function returns the address of a server: support.echo("/path")
for key, name in pairs {
    echo = "CW_ECHO_WS", echo_tls = "CW_ECHO_WSS", ping = "CW_PING_WS", node = "CW_NODE_WS", nginx = "CW_NGINX_WS",
    aiohttp = "CW_AIOHTTP_WS",
    nginx_tls = "CW_NGINX_WSS", badhost = "CW_BADHOST_WSS", expired = "CW_EXPIRED_WSS", refused = "CW_REFUSED_WS",
    http = "CW_PLAIN_HTTP",
} do
    support[key] = function(path) return base(name) .. (path or "/") end
end

-- Returns the address of the scripted server for these steps: support.script("x:8100", "close:1000")
function support.script(...)
    return base("CW_SCRIPT_WS") .. "/s/" .. table.concat({...}, "/")
end

function support.ca_file() return base("CW_CA_FILE") end

-- For tests of TLS. tls returns the address of a port of tls.py, by its name or number. tls_file returns the path of a
-- file that certs.py made. new_tls returns a new port, for one test, which behaves as the named port. tls_log returns
-- what that port recorded of its last connection, as JSON text.
function support.tls(name, host, path)
    local port = tonumber(name) or assert((" " .. base("CW_TLS_PORTS")):match(" " .. name .. "=(%d+)"), name)
    return ("wss://%s:%s%s"):format(host or "localhost", port, path or "/s/echo/end")
end
function support.tls_file(name) return name:find("^/") and name or base("CW_TLS_FOLDER") .. "/" .. name end

-- Returns the URI of a proxy of proxy_settings.py, by its name there.
function support.proxy(name, scheme, user)
    local port = assert((" " .. base("CW_PROXIES")):match(" " .. name .. "=(%d+)"), name)
    local host = scheme == "https" and "localhost" or "127.0.0.1"
    return ("%s://%s%s:%s"):format(scheme or "http", user and user .. "@" or "", host, port)
end
support.proxy_login, support.proxy_credential = "j0hnny:s3c%3Aret%2F%40", {"j0hnny", "s3c:ret/@"}

function support.new_tls(name) return support.fetch(base("CW_TLS_LOG") .. "/new/" .. name) end
function support.tls_log(port) return support.fetch(base("CW_TLS_LOG") .. "/" .. port) end

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."

-- Calls check for each row of a kind in tests/faults/tls.txt, with the columns after the name.
function support.each_tls_row(kind, check)
    local count = 0
    for line in io.lines(here .. "/../faults/tls.txt") do
        local row = {}
        for column in (line:find("^#") and "" or line .. "|"):gmatch("([^|]*)|") do
            row[#row + 1] = column:match("^%s*(.-)%s*$")
        end
        if row[1] == kind then
            count = count + 1
            local ok, err = pcall(check, support.unpack(row, 3, 10))
            if not ok then
                error(row[2] .. ": " .. tostring(err), 0)
            end
        end
    end
    assert(count > 9, count)
end

-- Returns the type of a number. A Lua without integers has only one.
function support.number_type(number)
    local type_of = rawget(math, "type")
    return type_of and type_of(number) or "integer"
end

function support.hex(bytes)
    return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- Returns a server's frame in hexadecimal. The payload has at most 125 bytes.
function support.frame(opcode, payload, is_fragment)
    assert(#payload < 126)
    return support.hex(string.char(opcode + (is_fragment and 0 or 128), #payload) .. payload)
end

function support.text_frame(payload) return "x:" .. support.frame(1, payload) end

-- Returns the step that answers the upgrade request with these bytes.
function support.reply(...)
    return "hs:" .. support.hex(table.concat({...}, "\r\n") .. "\r\n\r\n")
end

-- Returns the shell command that prints the body that an http address answers with.
local function command_to_fetch(uri)
    local program = "import sys, urllib.request as r; sys.stdout.write(r.urlopen(sys.argv[1]).read().decode())"
    return ("python3 -c %q %q"):format(program, uri)
end

function support.fetch(uri)
    local pipe = assert(io.popen(command_to_fetch(uri)))
    local text = pipe:read("*a")
    pipe:close()
    return text
end

-- Returns what the scripted server recorded of a connection, as JSON text.
function support.log(token) return support.fetch(support.http("/log/" .. token)) end

-- Lets a connection of the scripted server pass its step "gate". go_command returns the shell command for that.
function support.go(token) equal(support.fetch(support.http("/go/" .. token)), "{}") end
function support.go_command(token) return command_to_fetch(support.http("/go/" .. token)) end

-- Returns whether the native codec can receive with the loaded libcurl. It needs libcurl 8.21.0, which hands over the
-- bytes that came with the reply.
function support.has_native_decoder()
    local major, minor = harness.curlwire.libcurl_version:match("^(%d+)%.(%d+)")
    return tonumber(major) * 100 + tonumber(minor) >= 821
end

-- Whether compression is available, and a check of a connect's error where it is not.
support.has_compression = support.has_native_decoder() and os.getenv("CURLWIRE_FRAMING") ~= "curl"
function support.compression_refused(...)
    local err = harness.failed(...)
    harness.equal(err.name, "CW_UNSUPPORTED")
    assert(err.message:find("^compression needs libcurl 8%.21%.0") or
        err.message:find("^libcurl's framing has no compression"), err.message)
end

-- Returns the table of controls. Its rows have key, type, default, least, most, is_of_messages, words and none.
function support.controls()
    local pipe = assert(io.popen("python3 scripts/controls.py --lua"))
    local text = pipe:read("*a")
    pipe:close()
    return assert(support.load(text))()
end

-- Returns the text of annotations.lua, which is in the folder of init.lua.
function support.annotations()
    for template in package.path:gmatch("[^;]+") do
        local file = io.open((template:gsub("%?", "curlwire/annotations")))
        if file then
            local text = file:read("*a")
            file:close()
            return text
        end
    end
    error("curlwire/annotations.lua is not in a folder of package.path", 2)
end

-- Returns a token for support.log that no other run uses.
function support.token(name)
    local file = assert(io.open("/dev/urandom", "rb"))
    local bytes = file:read(12)
    file:close()
    return name .. "-" .. support.hex(bytes)
end

local function bounded(options)
    local all =
        {connect_timeout = WAIT_S, receive_timeout = WAIT_S, send_timeout = WAIT_S, close_timeout = 5}
    for key, value in pairs(options or {}) do
        all[key] = value
    end
    return all
end

function support.message_socket(options) return harness.curlwire.MessageWebSocket(bounded(options)) end
function support.stream_socket(options) return harness.curlwire.StreamWebSocket(bounded(options)) end

-- Return an open MessageWebSocket and an open StreamWebSocket.
function support.open(uri, options)
    return assert(harness.curlwire.connect(uri, bounded(options)))
end

function support.open_stream(uri, options)
    local ws = support.stream_socket(options)
    assert(ws:connect(uri))
    return ws
end

-- Closes a socket with the closing handshake, and dispatches its closed event.
function support.finish(ws)
    assert(ws:close())
    assert(ws:wait_closed(WAIT_S))
    harness.curlwire.run()
end

-- Checks the echo of a message. message_type: "utf8" or "binary", the type that comes back; word: the type that send
-- gets, by default message_type
function support.assert_echo(ws, data, message_type, ...)
    local word = message_type
    if select("#", ...) > 0 then
        word = ...
    end
    assert(ws:send(data, word))
    local got, got_type, is_complete = ws:receive()
    assert(got, got_type)
    harness.equal(got, data, "the echo")
    harness.equal(got_type, message_type, "its type")
    harness.equal(is_complete, true, "is_complete")
end

-- Calls dispatch until done() returns true. Fails after about a minute of waiting.
function support.dispatch_until(done)
    for _ = 1, 10 * WAIT_S do
        if done() then
            return
        end
        assert(harness.curlwire.dispatch(0.1))
    end
    error("the events did not come", 2)
end

-- Calls f(...) until it returns a value, and returns it. A call may time out before that, if the machine is busy. Fails
-- after about a minute, if a call takes 0.05 s.
function support.until_value(f, ...)
    for _ = 1, 20 * WAIT_S do
        local value = f(...)
        if value ~= nil then
            return value
        end
    end
    error("no value came", 2)
end

-- Returns the command line of this interpreter.
function support.interpreter()
    if os.getenv("CW_TEST_LUA") then -- under a sanitizer it needs more than the interpreter's name
        return os.getenv("CW_TEST_LUA")
    end
    local first = 0
    while arg[first - 1] do
        first = first - 1
    end
    return arg[first]
end

-- Runs a program in a new interpreter. shell: a shell command with %s in place of the interpreter's command. host: the
-- command of another interpreter. Returns the standard output and error, and the exit status.
function support.run_program(program, shell, host)
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write(("package.path, package.cpath = %q, %q\n"):format(package.path, package.cpath), program)
    file:close()
    local command = ("%s %s"):format(host or support.interpreter(), name)
    local pipe = assert(io.popen(("(" .. (shell or "%s") .. ") 2>&1; echo status $?"):format(command)))
    local text = pipe:read("*a")
    pipe:close()
    os.remove(name)
    local output, status = text:match("^(.*)status (%d+)\n$")
    return output, tonumber(status)
end

return support

-- SPDX-License-Identifier: MIT
-- Shows the main uses of curlwire in Lua: messages with handlers, a stream, a large file, an error. scripts/demo.sh
-- starts it.
--
--     lua5.4 demo.lua [MIB]     the size of the file, 256 by default
--
-- Environment: CW_ECHO_WSS is the address of a wss:// echo server. CW_CA_FILE is a file with the certificate of its
-- authority. CW_REFUSED_WS is an address that refuses connections.

local curlwire = require "curlwire"
local digest = require "openssl.digest" -- SHA-256, which Lua lacks: Debian package lua-luaossl

local ECHO = os.getenv("CW_ECHO_WSS") .. "/"
local CA_FILE = os.getenv("CW_CA_FILE")
local REFUSED = os.getenv("CW_REFUSED_WS") .. "/"
local CHUNK_BYTES = 1024 * 1024

local function say(format, ...)
    print(string.format(format, ...))
end

local function check(held, what)
    if not held then
        io.stderr:write("demo.lua: this did not hold: ", what, "\n")
        os.exit(1)
    end
end

local function messages()
    say("(1) MessageWebSocket, text, by handlers")
    local text, code
    local ws = curlwire.MessageWebSocket{message_type = "utf8", ca_file = CA_FILE}
    ws.on_message_received = function(socket, args)
        say("    handler: received %q; disposing", args.data)
        text = args.data
        socket:close(1000, "that was all")
    end
    ws.on_closed = function(_, args)
        local clean = tostring(args.was_clean)
        say("    handler: closed, code %d, reason %q, clean %s", args.code, args.reason, clean)
        code = args.code
    end
    assert(ws:connect(ECHO))
    say("    connected: %s", tostring(ws))
    say("    sending \"Hello, World!\"")
    assert(ws:send("Hello, World!"))
    curlwire.run()
    check(text == "Hello, World!", "the echo comes back")
    check(code == 1000, "the closed event comes with 1000")
end

local function stream()
    say("(2) StreamWebSocket: ten bytes, read back in parts")
    local ws = curlwire.StreamWebSocket{ca_file = CA_FILE}
    assert(ws:connect(ECHO))
    local sent = string.char(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert(ws.output_stream:write(sent))
    say("    written: 0 1 2 3 4 5 6 7 8 9")
    local back = ""
    while #back < #sent do
        local part = assert(ws.input_stream:read(math.min(4, #sent - #back)))
        say("    read:    %s", table.concat({part:byte(1, -1)}, " "))
        back = back .. part
    end
    ws:close()
    check(back == sent, "the same bytes come back")
end

-- The progress bar is shown on a terminal only.
local is_terminal = os.execute("test -t 1") == true

local function progress(done, total)
    if is_terminal then
        local width = math.floor(40 * done / total)
        io.write("\r    back [", ("#"):rep(width), ("."):rep(40 - width), "] ", done // CHUNK_BYTES, " MiB ")
        if done == total then
            io.write("\r\27[K")
        end
        io.flush()
    end
end

local function hex(bytes)
    return (bytes:gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end

local function peak_memory_mib()
    for line in io.lines("/proc/self/status") do
        local kib = line:match("^VmHWM:%s*(%d+) kB")
        if kib then
            return assert(tonumber(kib)) / 1024
        end
    end
end

-- Sends the file chunk by chunk, and reads each chunk back after the next one is sent.
local function large_file(mib)
    say("(3) StreamWebSocket: a file of %d MiB up and back by a read and write loop", mib)
    local there, back = os.tmpname(), os.tmpname()
    local random, file = assert(io.open("/dev/urandom", "rb")), assert(io.open(there, "wb"))
    for _ = 1, mib do
        assert(file:write((assert(random:read(CHUNK_BYTES)))))
    end
    random:close()
    file:close()

    local sent, received = digest.new("sha256"), digest.new("sha256")
    local source, target = assert(io.open(there, "rb")), assert(io.open(back, "wb"))
    local ws = curlwire.StreamWebSocket{ca_file = CA_FILE}
    assert(ws:connect(ECHO))
    local input, output = ws.input_stream, ws.output_stream
    ---@type number, number, number
    local total, behind, done = mib * CHUNK_BYTES, 0, 0
    local function take(count)
        local chunk = assert(input:read(count))
        received:update(chunk)
        assert(target:write(chunk))
        done = done + #chunk
        progress(done, total)
        return #chunk
    end
    for chunk in function() return source:read(CHUNK_BYTES) end do
        sent:update(chunk)
        assert(output:write(chunk))
        if behind > 0 then
            behind = behind - take(behind)
        end
        behind = behind + #chunk
    end
    while done < total do
        take(total - done < CHUNK_BYTES and total - done or CHUNK_BYTES)
    end
    ws:close()
    source:close()
    target:close()
    os.remove(there)
    os.remove(back)

    local there_sha, back_sha = hex(sent:final()), hex(received:final())
    say("    SHA-256 there: %s", there_sha)
    say("    SHA-256 back:  %s", back_sha)
    local peak_mib = peak_memory_mib()
    say("    peak memory of this process: %.0f MiB", peak_mib)
    check(there_sha == back_sha, "the two are equal")
    check(peak_mib < 128, "memory does not grow with the file")
end

local function refused()
    say("(4) an error on purpose: nobody listens")
    local ws, message, err = curlwire.connect(REFUSED)
    check(ws == nil, "a refused connection is an error")
    assert(message and err)
    say("    %s", message)
    say("    status: %d %s", err.status, err.status_name)
    check(err.status == curlwire.WebErrorStatus.CannotConnect, "the status is CannotConnect")
end

io.stdout:setvbuf("line")
say("==== %s", _VERSION)
messages()
stream()
large_file(tonumber(arg[1] or "256"))
refused()
say("demo.lua: all four held")

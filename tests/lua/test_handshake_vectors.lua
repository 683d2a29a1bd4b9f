-- SPDX-License-Identifier: MIT
-- Replays the vectors of tests/conformance/handshake against the whole client; README.md there describes the files.
-- Each file is a case. After a failure the same object connects to a server that answers correctly. So it is new again,
-- and the connection that never opened has raised no closed event. One more case counts descriptors.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local equal = harness.equal

local folder = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") .. "/../conformance/handshake/"
local files = {
    "accept", "compression", "connection", "ends", "extensions", "interim", "lines", "protocol", "sizes", "start",
    "status", "tls", "upgrade",
}

local escapes = {r = "\r", n = "\n", t = "\t", s = " ", ["0"] = "\0", ["\\"] = "\\"}

local function unescape(text)
    return (text:gsub("\\x(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
        :gsub("\\([rnts0\\])", escapes))
end

local function version_number(text)
    local major, minor, patch = text:match("^(%d+)%.(%d+)%.(%d+)")
    return major * 65536 + minor * 256 + patch
end

-- Reads the lines with the expected outcome; the server reads the others.
local function load(file)
    local vectors = {}
    for line in io.lines(folder .. file .. ".txt") do
        local vector = vectors[#vectors]
        local key, value = line:match("^(%l[%l_]*): (.*)$")
        if key == "name" then
            vectors[#vectors + 1] = {name = value, control = {}, header = {}, receives = {}}
        elseif key == "header" or key == "receives" or key == "control" then
            table.insert(vector[key], value)
        elseif key == "since" then -- this libcurl and later ones make it fail
            local version, status = value:match("^(%S+) (%S+)$")
            if version_number(curlwire.libcurl_version) >= version_number(version) then
                vector.opens, vector.fails = nil, status
            end
        elseif key then
            vector[key] = value
        end
    end
    return vectors
end

local function address(vector, query)
    local plain, tls = os.getenv("CW_HANDSHAKE_WS"), os.getenv("CW_HANDSHAKE_WSS")
    local path = "/" .. vector.name .. query
    if vector.over == "ws-on-wss" then
        return tls:gsub("^wss", "ws") .. path
    elseif vector.over == "wss-on-ws" then
        return ("wss://%s.localhost:%s/"):format(vector.name, plain:match("%d+$"))
    end
    return (vector.over == "wss" and tls or plain) .. path
end

local function check_headers(vector, headers)
    for _, header in ipairs(vector.header) do
        local name, value = header:match("^(%S+) = ?(.*)$")
        local got = headers[name:lower()]
        equal(type(got) == "table" and table.concat(got, ", ") or got, unescape(value), name)
    end
end

local function check_failure(vector, err)
    local status, http = vector.fails:match("^(%S+) ?(%d*)$")
    equal(err.status_name, status, vector.name .. ": " .. err.message)
    equal(err.http_status, tonumber(http), vector.name .. ": http_status")
    assert(err.message:find(vector.says or "", 1, true), vector.name .. ": " .. err.message)
    check_headers(vector, err.headers or {})
end

local function check_open(vector, ws)
    equal(ws.protocol or "-", vector.opens, vector.name .. ": protocol")
    if vector.extensions then
        equal(ws.information.extensions or "-", unescape(vector.extensions), vector.name .. ": extensions")
    end
    check_headers(vector, ws.response_headers)
    for _, text in ipairs(vector.receives) do
        equal(assert(ws:receive()), text, vector.name)
    end
end

local function run(vector, query)
    local protocols = {}
    for protocol in (vector.protocols or ""):gmatch("[^, ]+") do
        protocols[#protocols + 1] = protocol
    end
    local ws = support.message_socket {
        supported_protocols = protocols, ca_file = support.ca_file(), message_type = "utf8",
        connect_timeout = tonumber(vector.connect_timeout or 50),
    }
    for _, control in ipairs(vector.control) do
        local name, value = control:match("^(%S+) (%S+)$")
        if name:find("takeover$") then
            ws.control[name] = value == "1"
        else
            ws.control[name] = tonumber(value) or value
        end
    end
    if vector.control[1] and not support.has_compression then
        support.compression_refused(ws:connect(address(vector, query)))
        return
    end
    local codes = {}
    ws.on_closed = function(_, args) codes[#codes + 1] = args.code end
    local ok, message, err = ws:connect(address(vector, query))
    if vector.fails then
        check_failure(vector, harness.failed(ok, message, err))
        equal(ws.state, "new", vector.name .. ": state")
        assert(ws:connect(os.getenv("CW_HANDSHAKE_WS") .. "/plain", 50))
    else
        assert(ok, ok or vector.name .. ": " .. tostring(message))
        check_open(vector, ws)
    end
    support.assert_echo(ws, "still here", "utf8")
    support.finish(ws)
    equal(table.concat(codes, " "), "1000", vector.name .. ": closed events")
end

local function descriptors()
    local stat = assert(io.open("/proc/self/stat"))
    local pid = stat:read("*l"):match("^%d+")
    stat:close()
    local pipe = io.popen("ls /proc/" .. pid .. "/fd | wc -l")
    local count = tonumber(pipe:read("*l"))
    pipe:close()
    return count
end

local function run_file(file, query)
    local vectors = load(file)
    assert(#vectors > 5, file)
    for _, vector in ipairs(vectors) do
        run(vector, query)
    end
end

for _, file in ipairs(files) do
    harness.test("handshake_vectors_" .. file, function() run_file(file, "") end)
end

-- The Python suite replays all files byte by byte.
for _, file in ipairs {"accept", "lines", "start"} do
    harness.test("handshake_vectors_bytewise_" .. file, function() run_file(file, "?bytewise") end)
end

harness.test("handshake_vectors_descriptors", function()
    local failing = {
        name = "accept_missing", control = {}, header = {}, receives = {}, fails = "ErrorHttpInvalidServerResponse 101",
    }
    run(failing, "")
    local before = descriptors()
    for _ = 1, 20 do
        run(failing, "")
    end
    local after
    for _ = 1, 100 do -- the service thread closes them later; descriptors() starts a process, so this takes a while
        after = descriptors()
        if after <= before then
            return
        end
        assert(curlwire.dispatch(0))
    end
    equal(after, before, "the number of descriptors")
end)

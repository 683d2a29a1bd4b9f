-- SPDX-License-Identifier: MIT
-- Replays the vectors of tests/conformance against the whole library, through handlers. Each vector is a case, which
-- tests it in all ways of sending; under a sanitizer only whole and one byte at a time. The first case replays all
-- vectors, 24 connections at a time. Each case then checks the outcome of its vector.
--
-- run.lua runs this file only if it is named.

local curlwire = require "curlwire"
local harness = require "harness"
local support = require "support"

local CLOSE = "\3\232" -- payload of the close frame (code 1000) after a vector without an end
local FILES = {
    "closing", "compression", "fragmentation", "framing", "limits", "mixed", "opcodes", "partial", "ping_pong",
    "reserved_bits", "utf8",
}
local SPLITS = 20
local AT_ONCE = 24

local here = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$") or "."
local is_short = os.getenv("CW_TEST_LUA") ~= nil -- run_tests.py sets it under a sanitizer

-- ---- The reader ----

local function number_bytes(number, count)
    local bytes = {}
    for i = count, 1, -1 do
        bytes[i] = string.char(number % 256)
        number = math.floor(number / 256)
    end
    return table.concat(bytes)
end

local function frame(first, payload)
    if #payload < 126 then
        return first .. string.char(#payload) .. payload
    elseif #payload < 65536 then
        return first .. "\126" .. number_bytes(#payload, 2) .. payload
    end
    return first .. "\127" .. number_bytes(#payload, 8) .. payload
end

local parse_items

-- Parses the item at a place of the text. Returns its bytes, and the place after it.
local function parse_item(text, at)
    local times, past = text:match("^(%d+)%*()", at)
    at = past or at
    local open = text:sub(at, at)
    local bytes, after
    if open == '"' then
        bytes, after = text:match('^"([^"]*)"()', at)
    elseif open == "(" or open == "{" then
        bytes, after = parse_items(text, at + 1, open == "(" and ")" or "}")
        if open == "{" then
            bytes = frame(bytes:sub(1, 1), bytes:sub(2))
        end
    else
        local digits
        digits, after = text:match("^(%x+)()", at)
        assert(digits and #digits % 2 == 0, "not bytes: " .. text:sub(at))
        bytes = digits:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
    end
    assert(bytes, "not bytes: " .. text:sub(at))
    return bytes:rep(tonumber(times or 1)), after
end

function parse_items(text, at, close)
    local parts = {}
    while true do
        at = text:match("^ *()", at)
        if text:sub(at, at) == close then
            return table.concat(parts), at + 1
        end
        parts[#parts + 1], at = parse_item(text, at)
    end
end

local function parse_bytes(text)
    return (parse_items(text, 1, ""))
end

-- Adds the expectation of a line: a message, a pong or the end.
local function add_expectation(expected, word, rest)
    local name, times = word:match("^(.-)%*(%d+)$")
    name = name or word
    for _ = 1, tonumber(times or 1) do
        if name:find("^text") or name:find("^binary") then
            local message_type, begun = name:match("^(%l+)(_?%l*)$")
            assert(begun == "" or begun == "_begun", name)
            message_type = message_type == "text" and "utf8" or message_type -- the vectors use RFC 6455's word
            local message = {message_type = message_type, is_begun = begun ~= "", data = parse_bytes(rest)}
            table.insert(expected.messages, message)
        elseif name == "pong" or name == "pong?" then
            table.insert(expected.pongs, {must = name == "pong", data = parse_bytes(rest)})
        else
            assert(name == "closed" or name == "fail" or name == "lost", name)
            assert(not expected.ending, "a second end")
            expected.ending = name
            expected.payload = name == "fail" and number_bytes(tonumber(rest), 2) or parse_bytes(rest)
        end
    end
end

local function expectation(lines)
    local expected = {messages = {}, pongs = {}}
    for _, line in ipairs(lines) do
        add_expectation(expected, line[1], line[2])
    end
    if not expected.ending then
        add_expectation(expected, "closed", "")
        expected.payload = CLOSE
    end
    return expected
end

local function control_value(text)
    return text == "none" and math.huge or tonumber(text) or text
end

-- Makes a vector from its lines. It makes the bytes only when they are needed, because they are large.
local function make_vector(name, category)
    local vector = {name = name, category = category, control = {}, send = {}, full = {}, curl = {}}
    function vector.add(word, rest)
        if word == "section" then
            vector.section = rest
        elseif word == "control" then
            local key, value = rest:match("^(%S+) (%S+)$")
            vector.control[key] = control_value(value)
        elseif word == "client_closes" then
            vector.client_closes = parse_bytes(rest)
        elseif word == "send" then
            table.insert(vector.send, rest)
        elseif word == "curl" then
            table.insert(vector.curl, {rest:match("^(%S+) ?(.*)$")})
        else
            table.insert(vector.full, {word, rest})
        end
    end
    -- Returns a function that gives the expectation for the codec that receives, "native" or "curl".
    function vector.expectations()
        local known = {}
        return function(codec)
            known[codec] = known[codec] or
                expectation(codec == "curl" and #vector.curl > 0 and vector.curl or vector.full)
            return known[codec]
        end
    end
    return vector
end

local function read_vectors()
    local vectors = {}
    for _, category in ipairs(FILES) do
        for line in io.lines(("%s/../conformance/%s.txt"):format(here, category)) do
            local word, rest = line:match("^(%S+) ?(.*)$")
            if word == "vector" then
                vectors[#vectors + 1] = make_vector(rest, category)
            elseif word and word:sub(1, 1) ~= "#" then
                vectors[#vectors].add(word, rest)
            end
        end
    end
    return vectors
end

local function ways_of(vector)
    local ways = {"whole", "bytes"}
    if not is_short then
        if not vector.client_closes then
            ways[#ways + 1] = "joined"
        end
        for place = 1, math.min(SPLITS, #parse_bytes(table.concat(vector.send, " ")) - 1) do
            ways[#ways + 1] = tostring(place)
        end
    end
    return ways
end

-- ---- Replays ----

local function url(path)
    local base = os.getenv("CW_VECTORS_WS") or error("CW_VECTORS_WS is not set: run this under tests/servers/run.py")
    return base .. path
end

-- Adds a message or a part to the list. The parts are joined later. Lua stores equal strings once, which saves memory.
local function take_message(messages, args)
    local last = messages[#messages]
    if not last or last.is_complete then
        last = {message_type = args.message_type, parts = {}}
        messages[#messages + 1] = last
    end
    if last.message_type ~= args.message_type then
        last.message_type = "a message that changed its type"
    end
    last.parts[#last.parts + 1] = args.data
    last.is_complete = args.is_message_complete
end

-- Returns the code and the reason of a close frame's payload.
local function close_payload(payload)
    if payload == "" then
        return 1005, ""
    end
    return payload:byte(1) * 256 + payload:byte(2), payload:sub(3)
end

local function check_messages(messages, expected)
    local place = 0
    for _, wanted in ipairs(expected.messages) do
        local got = messages[place + 1]
        local data = got and table.concat(got.parts)
        if wanted.is_begun and not got then
            break -- no part of it came
        end
        place = place + 1
        assert(got, "a message is missing")
        harness.equal(got.message_type, wanted.message_type, "the type of message " .. place)
        harness.equal(got.is_complete, not wanted.is_begun, "is_message_complete of message " .. place)
        if wanted.is_begun then
            assert(wanted.data:sub(1, #data) == data, "what came of the message is wrong")
        else
            harness.equal(#data, #wanted.data, "the length of message " .. place)
            assert(data == wanted.data, "message " .. place .. " differs")
        end
    end
    harness.equal(#messages, place, "the number of messages")
end

local function check_closed(closed, expected)
    harness.equal(#closed, 1, "the number of closed events")
    local args = closed[1]
    if expected.ending == "closed" then
        local code, reason = close_payload(expected.payload)
        harness.equal(args.code, code, "the code")
        harness.equal(args.reason, reason, "the reason")
        harness.equal(args.was_clean, true, "was_clean")
    else
        harness.equal(args.code, 1006, "the code")
        harness.equal(args.was_clean, false, "was_clean")
        assert(#args.reason > 10, "the reason says what happened")
    end
end

local function check_answers(record, vector, expected)
    assert(record, "the server has no record")
    local frames = {}
    for word in record:gmatch("%S+") do
        frames[#frames + 1] = word
    end
    harness.equal(table.remove(frames, 1), "server", "TCP was ended first by")
    if vector.client_closes then
        harness.equal(table.remove(frames, 1), "close:" .. support.hex(vector.client_closes), "the first frame")
    end
    for _, pong in ipairs(expected.pongs) do
        if frames[1] == "pong:" .. support.hex(pong.data) then
            table.remove(frames, 1)
        else
            assert(not pong.must, "a pong is missing before " .. tostring(frames[1]))
        end
    end
    local last = table.remove(frames)
    harness.equal(#frames, 0, "the number of other frames before the last")
    if expected.ending == "lost" or vector.client_closes then
        harness.equal(last, nil, "the last frame")
    elseif expected.ending == "closed" then
        harness.equal(last, "close:" .. support.hex(expected.payload:sub(1, 2)), "the last frame")
    else
        local wanted = "^close:" .. support.hex(expected.payload) .. "%x%x" -- a reason must follow
        assert(last and last:find(wanted), "the last frame is " .. tostring(last))
    end
end

-- Libcurl receives with framing "curl", and with an old libcurl if frames came with the 101.
local function codec_of(ws) return ws.framing == "native" and "native" or "curl" end

-- Connects, and sets handlers that check the replay. At the end they call leave with nil, or with what is wrong.
-- Returns the codec that receives.
local function start(vector, way, run, expectations, leave)
    local messages, closed = {}, {}
    local control = {connect_timeout = 50, close_timeout = 50, ping_interval = false}
    for key, value in pairs(vector.control) do
        control[key] = value
    end
    local ws = curlwire.MessageWebSocket(control)
    function ws.on_message_received(_, args)
        if #closed > 0 then
            closed[#closed + 1] = "a message came after it"
        end
        take_message(messages, args)
    end
    function ws.on_closed(_, args)
        closed[#closed + 1] = args
        local ok, err = pcall(function()
            local expected = expectations(codec_of(ws))
            check_messages(messages, expected)
            check_closed(closed, expected)
        end)
        leave(not ok and tostring(err) or nil)
    end
    assert(ws:connect(url(("/vector/%s/%s/%s"):format(run, vector.name, way))))
    if vector.client_closes then
        ws:close(close_payload(vector.client_closes))
    end
    return codec_of(ws)
end

-- Adds the lines of the server's log to the outcomes of the vectors.
local function read_log(run, outcomes)
    local ws = assert(curlwire.connect(url("/log/" .. run)))
    for text in ws:messages() do
        for name, way, record in text:gmatch("(%S+) (%S+) ([^\n]+)") do
            outcomes[name].records[way] = record
        end
    end
end

-- Replays all vectors and returns their outcomes. ended[way] counts the closed events; wrong lists what is wrong. The
-- messages are checked at the end of each replay, so that they need not be kept.
local function replay(vectors)
    local run = support.token("lua"):gsub("%-", "")
    local outcomes, active = {}, 0
    for _, vector in ipairs(vectors) do
        local expectations = vector.expectations()
        local outcome = {ended = {}, codecs = {}, records = {}, wrong = {}}
        outcomes[vector.name] = outcome
        for _, way in ipairs(ways_of(vector)) do
            outcome.ended[way] = 0
            outcome.codecs[way] = start(vector, way, run, expectations, function(wrong)
                active = active - 1
                outcome.ended[way] = outcome.ended[way] + 1
                outcome.wrong[#outcome.wrong + 1] = wrong and way .. ": " .. wrong
            end)
            active = active + 1
            while active >= AT_ONCE do
                assert(assert(curlwire.dispatch(50)) > 0, "no event came within 50 s")
            end
        end
    end
    assert(curlwire.run())
    read_log(run, outcomes)
    return outcomes
end

-- ---- Cases ----

local vectors = {}
for _, vector in ipairs(read_vectors()) do
    if support.has_compression or not vector.control.compression then
        vectors[#vectors + 1] = vector
    end
end
local outcomes

local function check(vector)
    local outcome = outcomes[vector.name]
    local expectations = vector.expectations()
    assert(next(outcome.ended), "it was not replayed")
    for way, count in pairs(outcome.ended) do
        harness.equal(count, 1, "the number of closed events, sent as " .. way)
        local expected = expectations(outcome.codecs[way])
        local ok, err = pcall(check_answers, outcome.records[way], vector, expected)
        outcome.wrong[#outcome.wrong + 1] = not ok and way .. ": " .. tostring(err) or nil
    end
    if #outcome.wrong > 0 then
        local wrong = table.concat(outcome.wrong, "\n")
        error(("%s.txt, RFC 6455 %s, sent as %s"):format(vector.category, vector.section, wrong))
    end
end

for _, vector in ipairs(vectors) do
    harness.test(vector.name, function()
        outcomes = outcomes or replay(vectors)
        check(vector)
        outcomes[vector.name] = nil
    end)
end

harness.test("vectors_are_enough", function()
    assert(#vectors >= 400) -- harness.test has checked that each name is unique
    for _, vector in ipairs(vectors) do
        assert(vector.section and vector.section:find("^%d+%.%d"), vector.name)
    end
end)

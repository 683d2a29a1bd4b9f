-- SPDX-License-Identifier: MIT
-- Tests DataReader and DataWriter, and get_data_reader and get_data_stream of a handler's args.

local harness = require "harness"
local support = require "support"

local curlwire = harness.curlwire
local test, equal, failed, raises = harness.test, harness.equal, harness.failed, harness.raises
local DataReader, DataWriter = curlwire.DataReader, curlwire.DataWriter

local has_integers = math.type ~= nil -- luacheck: ignore 143
local GUID = "00112233-4455-6677-8899-aabbccddeeff"

local function reader_of(bytes, settings)
    local reader = DataReader.from_buffer(bytes)
    for key, value in pairs(settings or {}) do
        reader[key] = value
    end
    return reader
end

local function bytes_of(settings, name, ...)
    local writer = DataWriter()
    for key, value in pairs(settings or {}) do
        writer[key] = value
    end
    writer["write_" .. name](writer, ...)
    return support.hex(writer:detach_buffer())
end

local NUMBERS = {
    {"byte", 0, "00"}, {"byte", 255, "ff"},
    {"int16", -32768, "8000"}, {"int16", 32767, "7fff"}, {"uint16", 65535, "ffff"}, {"uint16", 258, "0102"},
    {"int32", -2147483648, "80000000"}, {"int32", -2, "fffffffe"}, {"uint32", 4294967295, "ffffffff"},
    {"int64", -1, "ffffffffffffffff"}, {"int64", 9007199254740992, "0020000000000000"},
    {"int64", -9007199254740992, "ffe0000000000000"}, {"uint64", 258, "0000000000000102"},
    {"uint64", 9007199254740992, "0020000000000000"},
    {"single", -1.5, "bfc00000"}, {"single", math.huge, "7f800000"}, {"double", -1.5, "bff8000000000000"},
    {"boolean", true, "01"}, {"boolean", false, "00"},
}

local function unhex(hex)
    return (hex:gsub("..", function(byte) return string.char(tonumber(byte, 16)) end))
end

test("data_numbers", function()
    for _, row in ipairs(NUMBERS) do
        local name, value, hex = row[1], row[2], row[3]
        equal(bytes_of(nil, name, value), hex, name)
        local reader = reader_of(unhex(hex))
        equal(reader["read_" .. name](reader), value, name)
        equal(reader.unconsumed_buffer_length, 0)
        local little = support.hex(unhex(hex):reverse())
        equal(bytes_of({byte_order = "little_endian"}, name, value), little, name)
        reader = reader_of(unhex(little), {byte_order = "little_endian"})
        equal(reader["read_" .. name](reader), value, name)
    end
    equal(reader_of("\7"):read_boolean(), true)
    local nan = reader_of(unhex("7ff8000000000000")):read_double()
    assert(nan ~= nan)
end)

test("data_large_numbers", function()
    local least, most = unhex "8000000000000000", unhex "7fffffffffffffff"
    if has_integers then
        equal(reader_of(least):read_int64(), math.mininteger) -- luacheck: ignore 143
        equal(reader_of(most):read_uint64(), math.maxinteger) -- luacheck: ignore 143
        equal(bytes_of(nil, "int64", math.mininteger), "8000000000000000") -- luacheck: ignore 143
        equal(bytes_of(nil, "uint64", math.maxinteger), "7fffffffffffffff") -- luacheck: ignore 143
    else
        for _, bytes in ipairs {least, most, unhex "0020000000000001"} do
            local reader = reader_of(bytes)
            raises(function() reader:read_int64() end, "read_int64 found ", "read_bytes(8) returns its bytes")
            equal(reader:read_bytes(8), bytes)
        end
    end
    local reader = reader_of(unhex "8000000000000001")
    raises(function() reader:read_uint64() end, "9223372036854775809", "read_bytes(8) returns its bytes")
    equal(reader:read_bytes(8), unhex "8000000000000001")
end)

test("data_numbers_out_of_range", function()
    local writer = DataWriter()
    for _, row in ipairs {
        {"byte", -1, 256, "from 0 to 255 expected"}, {"uint16", -1, 65536, "from 0 to 65535 expected"},
        {"int16", -32769, 32768, "from -32768 to 32767 expected"}, {"uint32", -1, 4294967296, "from 0 to 4294967295"},
        {"int32", -2147483649, 2147483648, "from -2147483648 to 2147483647"},
        {"int64", -2 ^ 64, 2 ^ 63, "from -9223372036854775808 to 9223372036854775807"},
        {"uint64", -1, 2 ^ 63, "from 0 to 9223372036854775807"},
    } do
        local write = writer["write_" .. row[1]]
        for _, value in ipairs {row[2], row[3], 1.5, "1", {}, true, 0 / 0, math.huge} do
            raises(function() write(writer, value) end, row[4], "got ")
        end
        raises(function() write(writer) end, row[4], "got ")
    end
    raises(function() writer:write_single(1e39) end, "from -3.4028235e38 to 3.4028235e38 expected")
    for _, name in ipairs {"single", "double"} do
        raises(function() writer["write_" .. name](writer, "1") end, "number expected")
    end
    raises(function() writer:write_boolean(1) end, "boolean expected")
    equal(writer.unstored_buffer_length, 0)
end)

test("data_guid", function()
    equal(bytes_of(nil, "guid", GUID:upper()), (GUID:gsub("-", "")))
    local little = "33221100554477668899aabbccddeeff"
    equal(bytes_of({byte_order = "little_endian"}, "guid", GUID), little)
    equal(reader_of(unhex(little), {byte_order = "little_endian"}):read_guid(), GUID)
    equal(reader_of(unhex((GUID:gsub("-", "")))):read_guid(), GUID)
    for _, wrong in ipairs {"", GUID .. "0", (GUID:gsub("-", "0")), (GUID:gsub("a", "g")), 5, "{" .. GUID .. "}"} do
        raises(function() bytes_of(nil, "guid", wrong) end, "a GUID such as")
    end
end)

test("data_dates_and_spans", function()
    equal(bytes_of(nil, "date_time", 0), "019db1ded53e8000")
    equal(bytes_of(nil, "date_time", -11644473600), "0000000000000000")
    equal(bytes_of(nil, "time_span", 1.5), "0000000000e4e1c0")
    equal(bytes_of(nil, "time_span", -1, 9999999), "ffffffffffffffff")
    equal(bytes_of(nil, "time_span", 1.99999999999), "0000000001312d00")
    for _, hex in ipairs {"0000000000000000", "ffffffffffffffff", "7fffffffffffffff", "8000000000000000",
                          "019db1ded53e8001"} do
        for _, name in ipairs {"date_time", "time_span"} do
            local reader = reader_of(unhex(hex))
            local seconds, ticks = reader["read_" .. name](reader)
            assert(seconds % 1 == 0 and ticks >= 0 and ticks <= 9999999)
            equal(bytes_of(nil, name, seconds, ticks), hex, name)
        end
    end
    local seconds, ticks = reader_of(unhex "019db1ded53e8001"):read_date_time()
    equal(seconds, 0)
    equal(ticks, 1)
    equal(os.date("!%Y-%m-%d", seconds), "1970-01-01")
    for _, wrong in ipairs {922337203686, -922337203687, 1e300, 0 / 0, math.huge} do
        raises(function() bytes_of(nil, "time_span", wrong) end, "seconds")
    end
    raises(function() bytes_of(nil, "time_span", 922337203685, 4775808) end, "more than 64 bits hold")
    raises(function() bytes_of(nil, "time_span", -922337203686, 5224191) end, "more than 64 bits hold")
    for _, wrong in ipairs {-1, 10000000, 0.5, "1"} do
        raises(function() bytes_of(nil, "date_time", 0, wrong) end, "ticks of 100 ns must be")
    end
    raises(function() bytes_of(nil, "date_time", "0") end, "number expected")
end)

test("data_strings", function()
    local text, big = "a\194\128\224\160\128\240\144\128\128", "0061" .. "0080" .. "0800" .. "d800dc00"
    equal(bytes_of(nil, "string", text), support.hex(text))
    equal(bytes_of({unicode_encoding = "utf16be"}, "string", text), big)
    local writer = DataWriter()
    writer.unicode_encoding = "utf16le"
    equal(writer:measure_string(text), 10)
    equal(writer:write_string(text), 10)
    equal(writer.unstored_buffer_length, 10)
    local reader = reader_of(writer:detach_buffer(), {unicode_encoding = "utf16le"})
    equal(reader:read_string(0), "")
    equal(reader:read_string(5), text)
    reader = reader_of(text)
    equal(reader:read_string(#text), text)
    for _, row in ipairs {
        {"utf8", "ab\255", 3, "not UTF-8, after 2 bytes"}, {"utf16le", "a\0\0\220", 2, "not UTF-16LE, after 2 bytes"},
        {"utf16be", "\216\0", 1, "not UTF-16BE, after 0 bytes"},
    } do
        reader = reader_of(row[2], {unicode_encoding = row[1]})
        raises(function() reader:read_string(row[3]) end, row[4], "read_bytes returns them")
        equal(reader:read_bytes(#row[2]), row[2])
    end
    raises(function() writer:write_string("a\255") end, "the text is not UTF-8, after 1 bytes")
    raises(function() writer:measure_string(5) end, "string expected")
    equal(writer.unstored_buffer_length, 0)
end)

test("data_too_few_bytes", function()
    for name, size in pairs {
        byte = 1, boolean = 1, int16 = 2, uint16 = 2, int32 = 4, uint32 = 4, int64 = 8, uint64 = 8, single = 4,
        double = 8, guid = 16, date_time = 8, time_span = 8, bytes = 9, string = 9,
    } do
        local reader = reader_of(("x"):rep(size - 1))
        local call = "read_" .. name
        raises(function() reader[call](reader, 9) end,
            ("%s needs %d bytes, and %d are left: there is no stream"):format(call, size, size - 1))
        equal(reader.unconsumed_buffer_length, size - 1)
    end
    local reader = reader_of("x", {unicode_encoding = "utf16le"})
    raises(function() reader:read_string(1) end, "read_string needs 2 bytes, and 1 are left")
    for _, wrong in ipairs {-1, 1.5, "1", {}} do
        raises(function() reader:read_bytes(wrong) end, "a count must be a whole number, 0 or more, not ")
    end
end)

-- Returns a stream that gives these pieces, one for each read.
local function pieces(...)
    local list, asked = {...}, {}
    return {
        asked = asked,
        read = function(_, count)
            asked[#asked + 1] = count
            return support.unpack(table.remove(list, 1) or {})
        end,
        close = function(self)
            self.is_closed = true
            return true
        end,
    }
end

test("data_load", function()
    local stream = pieces({"a"}, {"bc"}, {nil, "for the test", 5}, {"d"}, {"e"})
    local reader = DataReader(stream)
    equal(reader:load(3), 3)
    equal(table.concat(stream.asked, " "), "3 2")
    local count, message, number = reader:load(2)
    equal(count, nil)
    equal(message, "for the test")
    equal(number, 5)
    raises(function() reader:read_bytes(4) end, "read_bytes needs 4 bytes, and 3 are loaded: load(1) gets")
    equal(reader:load(2), 2)
    equal(reader:load(2), 0)
    equal(reader:load(0), 0)
    equal(reader:read_string(5), "abcde")
    equal(reader:detach_stream(), stream)
    raises(function() reader:load(1) end, "load failed: the stream was detached")
    reader:close()
    equal(stream.is_closed, nil)

    reader = DataReader(pieces({"ab"}))
    reader.input_stream_options = "partial"
    equal(reader:load(10), 2)
    reader.input_stream_options = "partial_read_ahead"
    equal(reader.input_stream_options, "partial_read_ahead")
    raises(function() DataReader(pieces({"ab"})):load(1) end, "returned 2 bytes: it must not return more")
    raises(function() DataReader(pieces({5})):load(1) end, "must return a string or nil, not 5")
end)

test("data_load_that_raises", function()
    local reader
    local stream = {read = function() return reader:load(1) end}
    reader = DataReader(stream)
    raises(function() reader:load(1) end, "is in use: wait until its call of the stream has returned")
    stream.read = function() return "x" end
    equal(reader:load(1), 1)
end)

test("data_store", function()
    local parts, result = {}, {true}
    local stream = {
        write = function(_, bytes)
            parts[#parts + 1] = bytes
            return support.unpack(result, 1, 3)
        end,
    }
    local writer = DataWriter(stream)
    equal(writer:store(), 0)
    equal(#parts, 0)
    writer:write_bytes("abc")
    writer:write_byte(100)
    equal(writer:store(), 4)
    equal(table.concat(parts, "|"), "abcd")
    equal(writer:flush(), true)
    result = {nil, "for the test", 5}
    writer:write_bytes("rest")
    local count, message, number = writer:store()
    equal(count, nil)
    equal(message, "for the test")
    equal(number, 5)
    equal(writer.unstored_buffer_length, 4)
    result = {true}
    equal(writer:store(), 4)
    equal(writer:close(), true)
end)

test("data_closing", function()
    for make, type_name in pairs {[DataReader] = "curlwire.DataReader", [DataWriter] = "curlwire.DataWriter"} do
        local stream = pieces()
        stream.write = function() end
        local object = make(stream)
        equal(object:close(), true)
        equal(stream.is_closed, true)
        equal(object:close(), true)
        equal(tostring(object), type_name .. " (closed)")
        raises(function() object:detach_buffer() end, "this " .. type_name .. " is closed: make a new one")
        raises(function() object.detach_stream() end, "call methods with a colon")
        stream.close = function() return nil, "for the test", 5 end
        local result, message = make(stream):close()
        equal(result, nil)
        equal(message, "for the test")
    end
    local memory = DataWriter()
    raises(function() memory:store() end, "store failed: there is no stream, only memory")
    raises(function() memory:flush() end, "flush failed: there is no stream")
    raises(function() memory:detach_stream() end, "detach_stream failed: there is no stream")
    raises(function() DataReader("text") end, "DataReader takes a stream with the method read", "from_buffer")
    raises(function() DataReader() end, "DataReader takes a stream")
    raises(function() DataReader({}) end, "DataReader takes a stream")
    raises(function() DataWriter("text") end, "DataWriter takes a stream with the method write")
    raises(function() DataReader.from_buffer(5) end, "string expected")
end)

test("data_settings", function()
    local reader, writer = DataReader.from_buffer(""), DataWriter()
    for _, object in ipairs {reader, writer} do
        equal(object.byte_order, "big_endian")
        equal(object.unicode_encoding, "utf8")
        raises(function() object.byte_order = "big" end,
            'byte_order cannot be "big": it takes "little_endian" or "big_endian"')
        raises(function() object.unicode_encoding = 1 end,
            'unicode_encoding cannot be 1: it takes "utf8" or "utf16le" or "utf16be"')
        raises(function() object.order = 1 end, 'has no field "order" that can be set')
        equal(object.order, nil)
    end
    equal(reader.input_stream_options, "none")
    equal(writer.input_stream_options, nil)
    raises(function() writer.input_stream_options = "none" end, "has no field")
end)

test("data_file", function()
    local name = os.tmpname()
    local writer = DataWriter(assert(io.open(name, "wb")))
    for number = 1, 1000 do
        writer:write_uint32(number)
    end
    equal(writer:store(), 4000)
    equal(writer:flush(), true)
    equal(writer:close(), true)
    local reader = DataReader(assert(io.open(name, "rb")))
    equal(reader:load(10000), 4000)
    for number = 1, 1000 do
        equal(reader:read_uint32(), number)
    end
    equal(reader:load(1), 0)
    equal(reader:close(), true)
    os.remove(name)
end)

test("data_stream_socket", function()
    local ws = support.open_stream(support.echo())
    local writer, reader = DataWriter(ws.output_stream), DataReader(ws.input_stream)
    writer:write_guid(GUID)
    equal(writer:store(), 16)
    writer:write_string("text")
    equal(writer:store(), 4)
    equal(reader:load(20), 20)
    equal(reader:read_guid(), GUID)
    equal(reader:read_string(4), "text")
    reader.input_stream_options = "partial"
    writer:write_bytes("some")
    equal(writer:store(), 4)
    local count = reader:load(256)
    assert(count >= 1 and count <= 4, count)
    equal(writer:close(), true)
    raises(function() ws.output_stream:write("x") end, "closed stream")
    support.finish(ws)
end)

test("data_lost_connection", function()
    local ws = support.open_stream(support.script("x:" .. support.frame(2, "abc"), "end"))
    local reader = DataReader(ws.input_stream)
    equal(failed(reader:load(10)).name, "CW_CLOSED")
    equal(reader:load(3), 3)
    equal(reader:read_string(3), "abc")
    assert(ws:wait_closed(50))
end)

test("data_message_args", function(expect)
    local kept
    local ws = support.message_socket()
    ws.on_message_received = expect(function(sender, args)
        kept = args
        equal(args:get_data_reader():read_uint16(), 0x6865)
        sender:close()
    end)
    assert(ws:connect(support.echo()))
    assert(ws:send("hello\nworld"))
    curlwire.run()
    local first, second = kept:get_data_reader(), kept:get_data_reader()
    equal(first:read_string(11), "hello\nworld")
    equal(second.unconsumed_buffer_length, 11)
    local stream = kept:get_data_stream()
    equal(stream:read("l"), "hello")
    equal(stream:read(100), "world")
    equal(stream:read(1), nil)
    equal(stream:read("a"), "")
    stream = kept:get_data_stream()
    local lines = {}
    for line in stream:lines() do
        lines[#lines + 1] = line
    end
    equal(table.concat(lines, "|"), "hello|world")
    equal(stream:close(), true)
    raises(function() stream:read(1) end, "closed stream: call get_data_stream again")
    equal(tostring(stream), "curlwire.InputStream (closed)")
    local reader = DataReader(kept:get_data_stream())
    reader.input_stream_options = "partial"
    equal(reader:load(5), 5)
    equal(reader:load(100), 6)
    equal(reader:load(1), 0)
    raises(function() kept.get_data_reader() end, "call it with a colon")
end)

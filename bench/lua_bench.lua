-- SPDX-License-Identifier: MIT
-- The work of bare.c through curlwire's Lua module, with blocking calls. Prints one line of JSON. For any Lua
-- from 5.1 on.
--   roundtrip   ws:send, ws:receive
--   receive     "for message in ws:messages()", from a flooding server, to the end of the connection
--   send        ws:send in a loop; ends when the server says that all have come
-- Lua has no wall clock finer than a second, so the server's is asked, over a second connection that is idle
-- while the work is done.

local curlwire = require("curlwire")

local WARM_UP = 200

local work, url, count, size = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4] or 32)
if not (work and url and count and size) then
  io.stderr:write("usage: lua_bench.lua <roundtrip|receive|send> <ws://host:port> <count> [bytes, 32]\n")
  os.exit(1)
end

local clock = assert(curlwire.connect(url .. "/clock"))

local function now()
  assert(clock:send("?"))
  return { wall_us = tonumber((assert(clock:receive()))), processor_s = os.clock() }
end

local works = {}

function works.roundtrip()
  local payload = string.rep("a", size)
  local ws = assert(curlwire.connect(url .. "/echo"))
  for _ = 1, WARM_UP do
    assert(ws:send(payload))
    assert(ws:receive())
  end
  local from = now()
  for _ = 1, count do
    ws:send(payload)
    ws:receive()
  end
  local to = now()
  assert(ws:send(payload))
  assert(ws:receive())
  ws:close()
  return from, to
end

function works.receive()
  local path = string.format("/source?size=%d&count=%d&wait=1", size, count)
  local ws = assert(curlwire.connect(url .. path))
  local got, last = 0, nil
  local from = now()
  assert(ws:send("go"))
  for message in ws:messages() do
    got = got + 1
    last = message
  end
  local to = now()
  assert(got == count, "the number of messages is wrong")
  assert(#last == size, "the size of the messages is wrong")
  return from, to
end

function works.send()
  local payload = string.rep("a", size)
  local ws = assert(curlwire.connect(url .. "/sink"))
  local from = now()
  for _ = 1, count do
    ws:send(payload)
  end
  ws.control.message_type = "utf8"
  assert(ws:send("?"))
  local answer = assert(ws:receive())
  local to = now()
  assert(tonumber(answer) == count * size, "the server has not counted all bytes")
  ws:close()
  return from, to
end

if not works[work] then
  io.stderr:write(string.format("%q is no work of this program: roundtrip, receive, send\n", work))
  os.exit(1)
end
local from, to = works[work]()
clock:close()
print(
  string.format(
    '{"program": "lua", "work": "%s", "size_bytes": %d, "count": %d, "seconds": %.6f, '
      .. '"processor_seconds": %.6f, "lua": "%s"}',
    work,
    size,
    count,
    (to.wall_us - from.wall_us) / 1e6,
    to.processor_s - from.processor_s,
    rawget(_G, "jit") and rawget(_G, "jit").version or _VERSION
  )
)

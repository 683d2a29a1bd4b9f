-- SPDX-License-Identifier: MIT
-- The benchmark's works (worker.py) through curlwire's Lua module: blocking calls, the iterator, and handlers for many
-- connections. Lua has no wall clock finer than a second. So this asks the server for the time, over a second
-- connection that is idle during the work.

package.path = (arg[0]:match("^(.*/)") or "./") .. "?.lua;" .. package.path

local curlwire = require("curlwire")
local worker = require("lua_worker")

local clocks = {}
local client = { works = {}, versions = "" }

function client.open(url)
  local compression = url:find("deflate=1", 1, true) and "deflate" or "none"
  return assert(curlwire.connect(url, { ca_file = os.getenv("BENCH_CA"), compression = compression }))
end

function client.now(job)
  local clock = clocks[job.url] or client.open(job.url .. "/clock")
  clocks[job.url] = clock
  assert(clock:send("?"))
  return tonumber((assert(clock:receive())))
end

local any = assert(curlwire.MessageWebSocket())

client.has_deflate = true
client.send = any.send
client.receive = any.receive
client.messages = any.messages

function client.send_text(ws, text)
  ws.control.message_type = "utf8"
  local ok, message = ws:send(text)
  ws.control.message_type = "binary"
  return ok, message
end

function client.close(ws)
  ws:close()
end

local function open_with_handler(url, count, handler)
  local sockets = {}
  for i = 1, count do
    local ws = curlwire.MessageWebSocket({ ca_file = os.getenv("BENCH_CA") })
    ws.on_message_received = handler
    assert(ws:connect(url))
    sockets[i] = ws
  end
  return sockets
end

function client.works.many(_, job)
  local payload = string.rep("a", job.size)
  local total = math.max(1, math.floor(job.count / job.connections)) * job.connections
  local to_send, to_come = total - job.connections, total
  local sockets = open_with_handler(job.url .. "/echo", job.connections, function(ws, args)
    to_come = to_come - 1
    if to_send > 0 then
      to_send = to_send - 1
      ws:send(args.data)
    end
  end)
  local from = worker.clock(client, job)
  for i = 1, #sockets do
    assert(sockets[i]:send(payload))
  end
  while to_come > 0 do
    curlwire.dispatch(10)
  end
  local to = worker.clock(client, job)
  for i = 1, #sockets do
    sockets[i].on_message_received = nil
    sockets[i]:close()
  end
  job.count = total
  return from, to
end

function client.works.latency(_, job)
  local report
  local sockets = open_with_handler(job.url .. "/paced?size=32", job.connections, function(ws, args)
    ws:send(args.data)
  end)
  local path = string.format("/pace?rate=%d&count=%d", job.size, job.count)
  local control = open_with_handler(job.url .. path, 1, function(_, args)
    report = args.data
  end)[1]
  local from = worker.clock(client, job)
  assert(control:send("go"))
  while not report do
    curlwire.dispatch(10)
  end
  local to = worker.clock(client, job)
  sockets[#sockets + 1] = control
  for i = 1, #sockets do
    sockets[i].on_message_received = nil
    sockets[i]:close()
  end
  return from, to, worker.latencies(report)
end

worker.main(client, arg)

-- SPDX-License-Identifier: MIT
-- The benchmark's works (worker.py) through lua-http's WebSocket client: blocking calls, as its documentation shows.
-- With many connections, each has a coroutine under cqueues.

package.path = (arg[0]:match("^(.*/)") or "./") .. "?.lua;" .. package.path

local cqueues = require("cqueues")
local tls = require("http.tls")
local websocket = require("http.websocket")
local store = require("openssl.x509.store")
local worker = require("lua_worker")

local client = { works = {}, versions = ', "lua-http": "' .. require("http.version").version .. '"' }
local context -- the TLS context of all connections

local function tls_context()
  if not context then
    context = tls.new_client_context()
    context:setVerify(require("openssl.ssl.context").VERIFY_PEER)
    local trusted = store.new()
    trusted:add(os.getenv("BENCH_CA"))
    context:setStore(trusted)
  end
  return context
end

function client.open(url)
  local ws = websocket.new_from_uri(url)
  if url:sub(1, 4) == "wss:" then
    ws.request.ctx = tls_context()
  end
  assert(ws:connect(30))
  return ws
end

function client.now()
  return cqueues.monotime() * 1e6
end

function client.send(ws, data)
  return ws:send(data, "binary")
end

function client.send_text(ws, text)
  return ws:send(text, "text")
end

function client.receive(ws)
  return (ws:receive())
end

function client.messages(ws)
  return ws:each()
end

function client.close(ws)
  ws:close()
end

local function together(count, work)
  local loop = cqueues.new()
  for i = 1, count do
    loop:wrap(function()
      work(i)
    end)
  end
  assert(loop:loop())
end

function client.works.many(_, job)
  local payload = string.rep("a", job.size)
  local trips = math.max(1, math.floor(job.count / job.connections))
  local sockets = {}
  for i = 1, job.connections do
    sockets[i] = client.open(job.url .. "/echo")
  end
  local from = worker.clock(client, job)
  together(job.connections, function(i)
    for _ = 1, trips do
      assert(sockets[i]:send(payload, "binary"))
      assert(sockets[i]:receive())
    end
  end)
  local to = worker.clock(client, job)
  for i = 1, #sockets do
    client.close(sockets[i])
  end
  job.count = trips * job.connections
  return from, to
end

function client.works.latency(_, job)
  -- the server serves them in turn, so each gets the same number
  local share = math.max(1, math.floor(job.count / job.connections))
  local sockets = {}
  job.count = share * job.connections
  for i = 1, job.connections do
    sockets[i] = client.open(job.url .. "/paced?size=32")
  end
  sockets[job.connections + 1] = client.open(job.url .. string.format("/pace?rate=%d&count=%d", job.size, job.count))
  local report
  local from = worker.clock(client, job)
  together(job.connections + 1, function(i)
    local ws = sockets[i]
    if i > job.connections then
      assert(ws:send("go", "text"))
      report = assert(ws:receive())
      return
    end
    for _ = 1, share do
      assert(ws:send(assert(ws:receive()), "binary"))
    end
  end)
  local to = worker.clock(client, job)
  for i = 1, #sockets do
    client.close(sockets[i])
  end
  return from, to, worker.latencies(report)
end

worker.main(client, arg)

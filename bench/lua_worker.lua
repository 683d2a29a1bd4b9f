-- SPDX-License-Identifier: MIT
-- Code that the Lua programs of the benchmark share: it reads jobs and prints lines of JSON. worker.py describes the
-- works. A client is a table of functions, and a connection is a value of any type:
--   open(url), send(ws, data), send_text(ws, text), receive(ws), close(ws)
--   messages(ws)    returns an iterator until the end, or nil
--   now(job)        returns the wall clock in microseconds
--   together(connections, work)   runs work(i) for each at once; nil if the client cannot
--   has_deflate     whether it can compress
--   versions        the text at the end of the line of JSON
-- The client's own works are in the same table, by name. Works with Lua 5.1 and later.

local WARM_UP = 200

local M = {}

function M.number_after(path, name)
  for line in io.lines(path) do
    if line:sub(1, #name) == name then
      return tonumber(line:match("%d+"))
    end
  end
end

local function rss_kib()
  return M.number_after("/proc/self/smaps_rollup", "Rss:")
end

function M.clock(client, job)
  return { wall_us = client.now(job), processor_s = os.clock() }
end

-- The type of a connection in the functions below.
function M.open(client, job, path)
  return client.open(job.url .. path)
end

-- Text that compresses like typical messages. worker.py uses other numbers, which take 64 bits.
local function records(size)
  local number, lines, length = 1, {}, 0
  while length < size do
    number = (number * 16807) % 2147483647
    lines[#lines + 1] = string.format(
      '{"id":%d,"bid":%d.%02d,"quantity":%d}\n',
      math.floor(number / 32768),
      math.floor(number / 524288),
      number % 64,
      number % 1024
    )
    length = length + #lines[#lines]
  end
  return table.concat(lines):sub(1, size)
end

local works = {}

function works.roundtrip(client, job)
  local payload = job.is_deflated and records(job.size) or string.rep("a", job.size)
  local ws = M.open(client, job, job.is_deflated and "/echo?deflate=1" or "/echo")
  local send, receive = client.send, client.receive
  for _ = 1, WARM_UP do
    assert(send(ws, payload))
    assert(receive(ws))
  end
  local from = M.clock(client, job)
  for _ = 1, job.count do
    send(ws, payload)
    receive(ws)
  end
  local to = M.clock(client, job)
  assert(send(ws, payload))
  assert(receive(ws))
  client.close(ws)
  return from, to
end

function works.receive(client, job)
  local path = string.format("/source?size=%d&count=%d&wait=1", job.size, job.count)
  path = path .. (job.is_deflated and "&deflate=1" or "")
  local ws = M.open(client, job, path)
  local got, last = 0, nil
  local from = M.clock(client, job)
  assert(client.send_text(ws, "go"))
  for message in client.messages(ws) do
    got = got + 1
    last = message
  end
  local to = M.clock(client, job)
  assert(got == job.count, "the number of messages is wrong")
  assert(#last == job.size, "the size of the messages is wrong")
  client.close(ws)
  return from, to
end

function works.send(client, job)
  local payload = string.rep("a", job.size)
  local ws = M.open(client, job, "/sink")
  local send = client.send
  local from = M.clock(client, job)
  for _ = 1, job.count do
    send(ws, payload)
  end
  assert(client.send_text(ws, "?"))
  local answer = assert(client.receive(ws))
  local to = M.clock(client, job)
  assert(tonumber(answer) == job.count * job.size, "the server has not counted all bytes")
  client.close(ws)
  return from, to
end

function works.connect(client, job)
  client.close(M.open(client, job, "/echo"))
  local sockets = {}
  local from = M.clock(client, job)
  for i = 1, job.count do
    sockets[i] = M.open(client, job, "/echo")
  end
  local to = M.clock(client, job)
  for i = 1, job.count do
    client.close(sockets[i])
  end
  return from, to
end

function works.idle(client, job)
  local payload = string.rep("a", job.size)
  local sockets = { M.open(client, job, "/echo") }
  local from = M.clock(client, job)
  collectgarbage()
  local first = rss_kib()
  for i = 2, job.connections do
    sockets[i] = M.open(client, job, "/echo")
  end
  collectgarbage()
  local opened = rss_kib()
  local to = M.clock(client, job)
  for i = 1, job.connections do
    assert(client.send(sockets[i], payload))
    assert(client.receive(sockets[i]))
  end
  collectgarbage()
  local each = job.connections - 1
  local more = string.format(
    ', "rss_kib_each": %.2f, "rss_kib_each_after_message": %.2f',
    (opened - first) / each,
    (rss_kib() - first) / each
  )
  for i = 1, job.connections do
    client.close(sockets[i])
  end
  return from, to, more
end

-- Returns the report of /pace as JSON.
function M.latencies(report)
  local p50, p99, p999, most = report:match("^%d+ (%d+) (%d+) (%d+) (%d+)$")
  return string.format(', "p50_us": %s, "p99_us": %s, "p999_us": %s, "max_us": %s', p50, p99, p999, most)
end

local function do_job(client, line)
  local words = {}
  for word in line:gmatch("%S+") do
    words[#words + 1] = word
  end
  local job = {
    work = words[1],
    url = words[2],
    count = tonumber(words[3]),
    size = tonumber(words[4] or 32),
    connections = tonumber(words[5] or 1),
  }
  if not (job.work and job.url and job.count) then
    io.stderr:write("usage: <work> <ws://host:port> <count> [bytes, 32] [connections, 1], or -\n")
    os.exit(1)
  end
  job.is_deflated = job.work:match("^deflated%-") ~= nil
  job.work = job.work:gsub("^deflated%-", "")
  if job.is_deflated and not client.has_deflate then
    print(string.format('{"work": "%s", "unsupported": "this client has no compression"}', job.work))
    return
  end
  local work = client.works[job.work] or works[job.work]
  if not work then
    print(string.format('{"work": "%s", "unsupported": "this client has no %s"}', job.work, job.work))
    return
  end
  local from, to, more = work(client, job)
  print(
    string.format(
      '{"work": "%s", "size_bytes": %d, "count": %d, "connections": %d, "seconds": %.6f, '
        .. '"processor_seconds": %.6f, "lua": "%s"%s%s}',
      job.work,
      job.size,
      job.count,
      job.connections,
      (to.wall_us - from.wall_us) / 1e6,
      to.processor_s - from.processor_s,
      rawget(_G, "jit") and rawget(_G, "jit").version or _VERSION,
      client.versions,
      more or ""
    )
  )
end

function M.main(client, arguments)
  if arguments[1] ~= "-" then
    do_job(client, table.concat(arguments, " "))
    return
  end
  for line in io.lines() do
    do_job(client, line)
    io.stdout:flush()
    collectgarbage()
  end
end

return M

-- SPDX-License-Identifier: MIT
-- Calls that agree with annotations.lua. scripts/annotations.py checks that a checker of types accepts all of them.

local curlwire = require "curlwire"

local ws = assert(curlwire.connect("ws://localhost/", {message_type = "utf8", timeout = 5, headers = {["X-A"] = "1"}}))
assert(ws:send("text", "text"))
local data, message_type = ws:receive(1.5)
print(data and data:upper(), message_type)
for each in ws:messages() do print(each:upper()) end
local _, message, err = ws:ping(false)
print(message and message:upper(), err and err.status_name, curlwire.get_status(err))
ws.control.message_type = "binary"
print(ws.control.receive_timeout, ws.control.max_redirs + 1, ws.control.tls_min_version == "1.2")
print(ws.information.statistics.bytes_sent + 1, ws.information.latency.mean)
ws.on_closed = function(socket, args) print(socket.state, args.code + 1, args.reason:upper()) end
ws.on_message_received = function(_, args) print(args.data:upper()) end
ws:close(1000, "done")

local stream = assert(curlwire.connect("ws://localhost/", {socket_class = curlwire.StreamWebSocket}))
assert(stream.output_stream:write("bytes"))
stream:close()

local again = curlwire.ReconnectingWebSocket("ws://localhost/", {
    policy = {first_delay = 0.5}, ping_interval = 5,
    headers = function(attempt) return {["X-N"] = tostring(attempt)} end,
})
again.on_connected = function(socket, attempt) print(socket:send("hello"), attempt + 1) end
local socket = curlwire.MessageWebSocket {
    proxy = "http://localhost:3128", proxy_auth = {"digest"}, client_certificate_type = "p12", verify = true,
}
assert(socket:connect("ws://localhost/"))

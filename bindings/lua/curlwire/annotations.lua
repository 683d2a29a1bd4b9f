-- SPDX-License-Identifier: MIT
-- luacheck: no unused, no max line length
---@meta curlwire
-- Every call of the module: types, results and errors, for the Lua language server and for people.
--
-- Errors. A failure of the network (no connection, a timeout, the peer's close) is returned: nil, a message and an
-- error object. assert(curlwire.connect(uri)) raises the message. A program that has to tell failures apart uses the
-- third result:
--
--     local ws, message, err = curlwire.connect(uri)
--     if not ws then print(message, err.status_name, err.http_status) end
--
-- What the program does wrong (a wrong type, a bad argument, a call that the state does not allow) is raised by
-- error(), with the position of the call. Iterators (messages, lines) cannot return a failure: they raise the error
-- object. The interpreter of Lua 5.1 (not LuaJIT) shows no message of an object that nobody catches.
--
-- Times are seconds, with fractions. math.huge, or false, waits for ever; reading a setting gives math.huge.
--
-- Threads. The I/O is done by a thread of the library that runs no Lua: a script that computes for a minute keeps
-- its connections. Handlers are run by dispatch and run only, in the Lua state that calls these. A blocking call
-- blocks its whole Lua state; the standard interpreters' Ctrl-C ends it with the error "interrupted!". Calls may be
-- made in any coroutine; handlers cannot yield. In Lua 5.1, Ctrl-C reaches a call in a coroutine if the module
-- was loaded by the main chunk.

---@class curlwire
---@field _VERSION string the version of curlwire, "0.1.0"
---@field libcurl_version string the version of the libcurl that is loaded, "8.14.1"
---@field WebErrorStatus table<string|integer, integer|string> the statuses of Windows.Web: name to number, number to name
local curlwire = {}

---The third result of a call that failed. tostring(err) gives the message. Fields that do not apply are nil.
---@class curlwire.Error
---@field message string one line that says what happened and what to do about it
---@field name string what the call returned: "CW_TIMED_OUT", "CW_CLOSED", "CW_CONNECT_FAILED", "CW_WOULD_BLOCK", ...
---@field status integer the WebErrorStatus; 0 = Unknown
---@field status_name string|nil its name: "CannotConnect"
---@field curl_code integer|nil libcurl's CURLcode
---@field http_status integer|nil the status of the reply that refused, the server's or a proxy's
---@field headers curlwire.Headers|nil the headers of that reply
---@field os_errno integer|nil errno of the system call that failed
---@field code integer|nil of a closed connection: the peer's close code, 1005 if it sent none, 1006 if it was lost
---@field reason string|nil and the reason
---@field was_clean boolean|nil and whether both close frames were exchanged
---@field sent_count integer|nil of send_many: how many messages were sent; the others are not, in no part

---Headers under their names in lower case (values of the same name joined by ", "), and as pairs {name, value}
---in the order in which they came.
---@alias curlwire.Headers table<string|integer, string|string[]>

---@alias curlwire.State "new"|"connecting"|"open"|"closing"|"closed"

---@alias curlwire.Timeout number|false

---The type of a message. "text" may be given in place of "utf8"; what a call returns is always "utf8" or "binary".
---@alias curlwire.MessageType "utf8"|"binary"
---@alias curlwire.MessageTypeGiven curlwire.MessageType|"text"

---Settings, read and written as ws.control.key and given to the constructors. Setting one once a connect has begun
---raises an error, message_type excepted; so do unknown keys and values that a setting cannot have.
---@class curlwire.Control
---@field message_type curlwire.MessageTypeGiven Type of the messages that output_stream and the frame calls send; may be set at any time. Default "binary"; MessageWebSocket only
---@field receive_mode "full"|"partial" full: whole messages; partial: parts of messages, as they arrive. Default "full"; MessageWebSocket only
---@field max_message_size integer|number|false In full mode, a larger message fails the connection with close code 1009. Bytes, default 67108864; math.huge = no limit; MessageWebSocket only
---@field supported_protocols string[] Subprotocols to offer to the server, in order of preference. Default {}
---@field no_delay boolean Whether small writes are sent at once (TCP_NODELAY). Default true
---@field connect_timeout curlwire.Timeout Limit for all of connecting: name look-up, every address, proxy, TLS, opening handshake. Seconds, default 60; math.huge = no limit
---@field send_timeout curlwire.Timeout How long a send may wait while the connection takes no byte. Seconds, default 30; math.huge = no limit
---@field receive_timeout curlwire.Timeout Limit for a blocking receive or read; iterating and handlers wait without a limit. Seconds, default 30; math.huge = no limit
---@field close_timeout number Limit for the closing handshake; it starts when the server's system has received all data. Seconds, default 10
---@field ping_interval curlwire.Timeout Time between two keepalive pings, and from the last data to a ping; 0: no pings. Seconds, default 20; math.huge = no pings
---@field ping_timeout curlwire.Timeout If nothing arrives for this long after a keepalive ping, the connection counts as lost. Seconds, default 20; math.huge = no limit
---@field ca_file string|nil PEM file of trusted certificates, used instead of the system's. Default nil
---@field crl_file string|nil PEM file of revocation lists, one for each authority in the server's certificate chain. Default nil
---@field verify boolean Whether the server's certificate and name are checked; false also ignores ca_file and crl_file. Default true
---@field proxy_ca_file string|nil PEM file of trusted certificates for an https:// proxy; unset: ca_file, or else the system's. Default nil
---@field proxy_verify boolean Whether the certificate and name of an https:// proxy are checked, whatever verify says. Default true
---@field outbound_buffer_size integer The kernel's send buffer (SO_SNDBUF), which the system may round; 0: the system adapts it. Bytes, default 0
---@field inbound_buffer_size integer How much received data may wait in memory; above it reading stops, and TCP makes the server wait. Bytes, default 4194304
---@field framing "auto"|"curl"|"native" Which code makes frames: libcurl (curl) or our faster code (native); auto: native, where libcurl allows it. Default "auto"
---@field compression "none"|"deflate" deflate: offers to compress messages in both directions (RFC 7692); the server decides. Default "none"; needs libcurl 8.21.0
---@field server_max_window_bits integer Window of the server's compressor, 2^n bytes; a smaller one saves memory and compresses less. 8 to 15 bits, default 15
---@field client_max_window_bits integer Window of our compressor, 2^n bytes; a smaller one saves memory and compresses less. 8 to 15 bits, default 15
---@field server_no_context_takeover boolean Whether the server must compress each message without reference to earlier ones. Default false
---@field client_no_context_takeover boolean Whether we compress each message without reference to earlier ones. Default false
---@field compression_threshold integer Messages of fewer bytes are sent uncompressed. Bytes, default 128
---@field frame_size integer|number|false A longer message is sent in frames of this size; a pong waits until the current frame is sent. Bytes, default 67108864; math.huge = no cuts

---What curlwire.connect takes beside the settings.
---@class curlwire.ConnectOptions: curlwire.Control
---@field headers table<string|integer, string|string[]>|nil request headers: name = value, name = {value, ...}, or pairs {name, value}; each is sent

---What is known of the connection. Nothing of it can be set; it stays readable after close.
---@class curlwire.Information
---@field uri string|nil as given to connect
---@field protocol string|nil the subprotocol that the server chose
---@field extensions string|nil what compression was agreed on, as the server's header says it
---@field local_address string|nil "127.0.0.1:40000"
---@field remote_address string|nil
---@field framing "curl"|"native"|"mixed"|nil who makes the frames; mixed: sent natively, received by libcurl
---@field response_headers curlwire.Headers|nil of the reply to the opening handshake
---@field state curlwire.State

---@class curlwire.MessageArgs
---@field data string
---@field message_type curlwire.MessageType
---@field is_message_complete boolean false for a part that is not the last, in partial mode

---@class curlwire.ClosedArgs
---@field code integer the peer's, 1005 if it sent none, 1006 if the connection was lost
---@field reason string
---@field was_clean boolean whether both close frames were exchanged

---What both classes have. While an open socket has a handler it is kept alive until its closed event has been
---dispatched; another open socket that is collected is closed. Its handlers and it are collected together. In
---Lua 5.4 it can be a to-be-closed variable: the end of the scope closes it, with 1000 or, after an error, 1011,
---and waits for the closing handshake.
---@class curlwire.WebSocket
---@field control curlwire.Control
---@field information curlwire.Information
---@field output_stream curlwire.OutputStream
---@field on_closed nil|fun(ws: curlwire.WebSocket, args: curlwire.ClosedArgs) called once for every socket that was open; nil takes it away
---@field state curlwire.State
---@field uri string|nil
---@field protocol string|nil
---@field extensions string|nil what compression was agreed on, as the server's header says it
---@field local_address string|nil
---@field remote_address string|nil
---@field framing "curl"|"native"|"mixed"|nil who makes the frames; mixed: sent natively, received by libcurl
---@field response_headers curlwire.Headers|nil
---@field close_code integer|nil how it ended: the peer's code, 1005, 1006; nil before
---@field close_reason string|nil
---@field was_clean boolean|nil
local WebSocket = {}

---One connection of whole messages.
---@class curlwire.MessageWebSocket: curlwire.WebSocket
---@field on_message_received nil|fun(ws: curlwire.MessageWebSocket, args: curlwire.MessageArgs) called for each message, those that wait already included; nil takes it away
local MessageWebSocket = {}

---One connection read and written as a flow of bytes, in constant memory.
---@class curlwire.StreamWebSocket: curlwire.WebSocket
---@field input_stream curlwire.InputStream

---The writing half of a file. One write is one message.
---@class curlwire.OutputStream
local OutputStream = {}

---The reading half of a file.
---@class curlwire.InputStream
local InputStream = {}

---Makes a socket that is not connected.
---@param control curlwire.Control|nil
---@return curlwire.MessageWebSocket
function curlwire.MessageWebSocket(control) end

---Makes a socket that is not connected.
---@param control curlwire.Control|nil
---@return curlwire.StreamWebSocket
function curlwire.StreamWebSocket(control) end

---Makes a MessageWebSocket and connects it. Blocks.
---@param uri string ws:// or wss:// in UTF-8, without fragment; another one is raised as an error
---@param options curlwire.ConnectOptions|nil
---@return curlwire.MessageWebSocket|nil
---@return string|nil message
---@return curlwire.Error|nil err
function curlwire.connect(uri, options) end

---Waits for events of sockets with handlers and runs the handlers, 1000 events at most. An error in a handler comes
---out of it, with a traceback if it is text; the other events wait for the next call. Inside a handler it raises an
---error. Without a timeout it waits until there is an event, or returns 0 at once if no open socket has a handler.
---@param timeout curlwire.Timeout|nil 0 does not wait
---@return integer|nil handled the number of events; 0 after the timeout
---@return string|nil message
---@return curlwire.Error|nil err
function curlwire.dispatch(timeout) end

---Runs handlers until every socket that has some has ended. Errors as dispatch.
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function curlwire.run() end

---The descriptor that is readable while events wait, for another loop: when it is, call dispatch(0). Do not read it.
---@return integer|nil
---@return string|nil message
---@return curlwire.Error|nil err
function curlwire.fd() end

---The WebErrorStatus of an error object, 0 (Unknown) of any other value.
---@param err any
---@return integer
function curlwire.get_status(err) end

---Connects. Blocks. After a failure it may be tried again.
---@param uri string ws:// or wss:// in UTF-8, without fragment; another one is raised as an error
---@param timeout curlwire.Timeout|nil for all of it, in place of control.connect_timeout
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:connect(uri, timeout) end

---Sets a header of the opening handshake, in place of all of that name. Raises an error for names of the handshake
---itself, for control characters, for a value over 256 KiB or all headers over 512 KiB, and once a connect has begun.
---@param name string
---@param value string empty takes the header away
---@return true
function WebSocket:set_request_header(name, value) end

---Adds a header to the opening handshake, beside those of the same name. Raises an error as set_request_header does, and
---for a second header of a name that a request has once: Host, Origin, Authorization, Cookie, User-Agent.
---@param name string
---@param value string empty is sent as an empty header
---@return true
function WebSocket:add_request_header(name, value) end

---Sends a ping and waits for its pong.
---@param timeout curlwire.Timeout|nil in place of control.ping_timeout
---@return number|nil seconds the round trip
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:ping(timeout) end

---Waits until everything sent has left the socket.
---@param timeout curlwire.Timeout|nil in place of control.send_timeout
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:flush(timeout) end

---Calls a function; the small messages that it sends are written together, up to 32 KiB at a time. They go out when no
---more fit, when a call waits to receive, and at the latest at the end. The end waits until the kernel has taken all of
---them. Then an error of the function is raised. With libcurl's framing nothing is held back.
---@param f fun()
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:batch(f) end

---Begins the closing handshake and returns at once. Closing again does nothing. Raises an error for codes that
---may not be sent and for reasons that are too long or not UTF-8.
---@param code integer|nil 1000-1003, 1007-1014, 3000-4999, or 1005 for none. Default 1000
---@param reason string|nil up to 123 bytes of UTF-8
---@return true
function WebSocket:close(code, reason) end

---Waits for the end of the connection, whoever closes it. After close() what was sent goes out first, as long as that
---makes progress (control.send_timeout); control.close_timeout bounds the rest. Fails with the name "CW_CLOSED" if
---messages that were sent did not reach the server.
---@param timeout curlwire.Timeout|nil as long as it takes by default
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:wait_closed(timeout) end

---Drops the connection without closing handshake.
---@return true
function WebSocket:abort() end

---Sends one message. Text that is not UTF-8 is raised as an error.
---@param data string
---@param kind curlwire.MessageTypeGiven|nil what control.message_type says by default
---@param timeout curlwire.Timeout|nil in place of control.send_timeout; 0 does not wait
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function MessageWebSocket:send(data, kind, timeout) end

---Sends the messages of a list one after another, small ones many in one write. A list with anything but strings is
---raised as an error, and nothing is sent; so is text that is not UTF-8, after what comes before it was sent.
---@param messages string[]
---@param kind curlwire.MessageTypeGiven|nil of all of them; what control.message_type says by default
---@param timeout curlwire.Timeout|nil of each, in place of control.send_timeout; 0 does not wait
---@return integer|nil count of messages that were sent
---@return string|nil message
---@return curlwire.Error|nil err err.sent_count says how many were sent
function MessageWebSocket:send_many(messages, kind, timeout) end

---Takes the next message, or part. Raises an error while on_message_received is set.
---@param timeout curlwire.Timeout|nil in place of control.receive_timeout; 0 does not wait
---@return string|nil data
---@return curlwire.MessageType|string kind or the error's message
---@return boolean|curlwire.Error is_complete or the error
function MessageWebSocket:receive(timeout) end

---Iterates over messages, waiting for ever: for data, kind, is_complete in ws:messages() do. It ends normally after our
---own close, and after the peer's with 1000, 1001 or no code, between two messages. Every other end, a lost connection
---too, raises the error object that receive would return.
---@return fun(ws: curlwire.MessageWebSocket): string|nil, curlwire.MessageType|nil, boolean|nil
---@return curlwire.MessageWebSocket ws what the function has to be called with
function MessageWebSocket:messages() end

---Sends the last fragment of a message, or a message of one.
---@param data string
---@return integer|nil bytes
---@return string|nil message
---@return curlwire.Error|nil err
function MessageWebSocket:send_final_frame(data) end

---Sends a fragment of a message that goes on. Until its final frame, send is an error.
---@param data string
---@return integer|nil bytes
---@return string|nil message
---@return curlwire.Error|nil err
function MessageWebSocket:send_nonfinal_frame(data) end

---Sends one message made of all arguments: binary on a StreamWebSocket (where no bytes send nothing), else as
---control.message_type says.
---@param ... string|number
---@return curlwire.OutputStream|nil
---@return string|nil message
---@return curlwire.Error|nil err
function OutputStream:write(...) end

---Waits until everything sent has left the socket.
---@return curlwire.OutputStream|nil
---@return string|nil message
---@return curlwire.Error|nil err
function OutputStream:flush() end

---Takes what files take, and changes nothing: writes are never gathered.
---@param mode "no"|"full"|"line"
---@param size integer|nil
---@return true
function OutputStream:setvbuf(mode, size) end

---Flushes and closes the stream; the connection stands. Using it afterwards raises an error.
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function OutputStream:close() end

---Reads as files do: "l" (the default), "L", "a", a count of bytes, each also with "*", several at once. nil alone
---is the end of the stream: our own close, or the server's with 1000 or no code, between two messages. A timeout and
---every other end return nil, a message and an error, and keep what came before for the next read. After such an end a
---count of bytes gives what is left before it fails. "n" raises an error. Memory stays within about 64 KiB, or what the
---format asks for.
---@param ... "l"|"L"|"a"|"*l"|"*L"|"*a"|integer
---@return string|nil
---@return string|curlwire.Error|nil ...
function InputStream:read(...) end

---Iterates as files do, waiting for ever. Where read would return an error object, it raises that object.
---@param ... "l"|"L"|"a"|"*l"|"*L"|"*a"|integer
---@return fun(): string|nil, ...
function InputStream:lines(...) end

---Closes the stream; the connection stands. Using it afterwards raises an error.
---@return true
function InputStream:close() end

return curlwire

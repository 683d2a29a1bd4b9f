-- SPDX-License-Identifier: MIT
-- luacheck: no unused, no max line length
---@meta curlwire
-- These are all calls of the Lua module, with their types, results and errors. The Lua language server reads them.
--
-- Errors. If the network fails (no connection, a timeout, the peer's close), a call returns nil, a message and an
-- error object. assert(curlwire.connect(uri)) raises the message. To tell failures apart, use the third result:
--
--     local ws, message, err = curlwire.connect(uri)
--     if not ws then print(message, err.status_name, err.http_status) end
--
-- If the program makes a mistake, the call raises an error with error(), and with the position of the call. Mistakes
-- are a wrong type, a bad argument, and a call that the state does not allow. Iterators (messages, lines) cannot return a
-- failure, so they raise the error object. The interpreter of Lua 5.1 (not LuaJIT) does not show the message of an
-- error object that nobody catches.
--
-- Times are seconds, with fractions. math.huge and false mean no limit; reading such a setting returns math.huge.
--
-- Threads. A background thread of the library does the I/O and runs no Lua. So a script that computes for a minute
-- keeps its connections. Only dispatch and run call handlers, in the Lua state that calls dispatch or run. A blocking
-- call blocks its whole Lua state. In the standard interpreters Ctrl-C ends it with the error "interrupted!". Any
-- coroutine may make calls, but handlers cannot yield. In Lua 5.1, Ctrl-C reaches a call in a coroutine only if the
-- main chunk loaded the module.

---@class curlwire
---@field _VERSION string the version of curlwire, "0.1.0"
---@field libcurl_version string the version of the loaded libcurl, "8.14.1"
---@field json curlwire.JsonLibrary|nil the library of send_json and receive_json; a script sets it once: curlwire.json = require "cjson"
---@field DataReader curlwire.DataReaderClass makes readers of values: DataReader(stream), and DataReader.from_buffer(string)
---@field WebErrorStatus table<string|integer, integer|string> the statuses of Windows.Web; maps names to numbers, and numbers to names
local curlwire = {}

---Describes a failure: the third result of a call that failed. tostring(err) returns the message. A field that does not apply is nil.
---@class curlwire.Error
---@field message string one line: what failed, and what to do
---@field name string the name of the failure: "CW_TIMED_OUT", "CW_CLOSED", "CW_CONNECT_FAILED", "CW_WOULD_BLOCK", ..., "NOT_JSON"
---@field status integer the WebErrorStatus; 0 = Unknown
---@field status_name string|nil the name of that status: "CannotConnect"
---@field curl_code integer|nil libcurl's CURLcode
---@field http_status integer|nil the HTTP status of the reply that refused the connection; the server or a proxy sent it
---@field headers curlwire.Headers|nil the headers of the reply with http_status
---@field body string|nil the start of the body of that reply, at most 64 KiB; no text shows it, because it may repeat secrets. It is empty without "refusal-body" in build_info().features
---@field retry_after number|nil the seconds after which the server or proxy wants the next attempt
---@field os_errno integer|nil the errno of the system call that failed
---@field option string|nil the name of the control that the error is about, such as "receive_timeout" or "interface"
---@field code integer|nil if the connection has ended: the peer's close code; 1005 if the peer sent none, 1006 if the connection was lost
---@field reason string|nil if the connection has ended: the peer's close reason
---@field was_clean boolean|nil if the connection has ended: whether both close frames were exchanged
---@field data string|nil after receive_json with the name "NOT_JSON": the message
---@field sent_count integer|nil after send_many: the number of messages that were sent; no part of the others was sent

---The headers of a reply. Each name, in lower case, is a key. If a name occurs more than once, its values are joined by ", ".
---The indexes 1, 2, ... hold all headers as pairs {name, value}, in the order of the reply.
---@alias curlwire.Headers table<string|integer, string|string[]>

---@alias curlwire.State "new"|"connecting"|"open"|"closing"|"closed"

---@alias curlwire.Timeout number|false

---The type of a message. A call accepts "text" in place of "utf8"; it returns "utf8" or "binary".
---@alias curlwire.MessageType "utf8"|"binary"
---@alias curlwire.MessageTypeGiven curlwire.MessageType|"text"

---A JSON library, such as lua-cjson, dkjson or lunajson.
---@class curlwire.JsonLibrary
---@field encode fun(value: any): string
---@field decode fun(text: string): any

---Settings of a socket, for its constructor. An unknown key and a wrong value raise an error.
---@class curlwire.Options
---@field message_type? curlwire.MessageTypeGiven Type of the messages that output_stream and the frame calls send; may be set at any time. Default "binary"; MessageWebSocket only
---@field receive_mode? "full"|"partial" full: whole messages; partial: parts of messages, as they arrive. Default "full"; MessageWebSocket only
---@field max_message_size? integer|number|false In full mode, a larger message fails the connection with close code 1009. Bytes, default 67108864; math.huge = no limit; MessageWebSocket only
---@field supported_protocols? string[] Subprotocols to offer to the server, in order of preference. Default {}
---@field no_delay? boolean Whether small writes are sent at once (TCP_NODELAY). Default true
---@field connect_timeout? curlwire.Timeout Limit for all of connecting: name look-up, every address, proxy, TLS, opening handshake. Seconds, default 60; math.huge = no limit
---@field send_timeout? curlwire.Timeout How long a send may wait while the connection takes no byte. Seconds, default 30; math.huge = no limit
---@field receive_timeout? curlwire.Timeout Limit for a blocking receive or read; iterating and handlers wait without a limit. Seconds, default 30; math.huge = no limit
---@field close_timeout? number Limit for the closing handshake; it starts when the server's system has received all data. Seconds, default 10
---@field ping_interval? curlwire.Timeout A keepalive ping is sent this long after the last ping or the last data; 0: no pings. Seconds, default 20; math.huge = no pings
---@field ping_timeout? curlwire.Timeout If nothing arrives for this long after a keepalive ping, the connection counts as lost. Seconds, default 20; math.huge = no limit
---@field ca_file? string PEM file of trusted certificates, used instead of the system's. Default nil
---@field crl_file? string PEM file of revocation lists, one for each authority in the server's certificate chain. Default nil
---@field verify? boolean Whether the server's certificate and name are checked; false also ignores ca_file, ca_path and crl_file. Default true
---@field proxy_ca_file? string PEM file of trusted certificates for an https:// proxy; unset: the server's authorities. Default nil
---@field proxy_verify? boolean Whether the certificate and name of an https:// proxy are checked, whatever verify says. Default true
---@field outbound_buffer_size? integer The kernel's send buffer (SO_SNDBUF), which the system may round; 0: the system adapts it. Bytes, default 0
---@field inbound_buffer_size? integer How much received data may wait in memory; above it reading stops, and TCP makes the server wait. Bytes, default 4194304
---@field framing? "auto"|"curl"|"native" Which code makes frames: libcurl (curl) or our faster code (native); auto: native, where libcurl allows it. Default "auto"
---@field compression? "none"|"deflate" deflate: offers to compress messages in both directions (RFC 7692); the server decides. Default "none"; needs libcurl 8.21.0
---@field server_max_window_bits? integer Window of the server's compressor, 2^n bytes; a smaller one saves memory and compresses less. 8 to 15 bits, default 15
---@field client_max_window_bits? integer Window of our compressor, 2^n bytes; a smaller one saves memory and compresses less. 8 to 15 bits, default 15
---@field server_no_context_takeover? boolean Whether the server must compress each message without reference to earlier messages. Default false
---@field client_no_context_takeover? boolean Whether curlwire compresses each message without reference to earlier messages. Default false
---@field compression_threshold? integer Messages of fewer bytes are sent uncompressed. Bytes, default 128
---@field frame_size? integer|number|false A longer message is sent in frames of this size; a pong waits until the current frame is sent. Bytes, default 67108864; math.huge = no cuts
---@field ca_path? string Folder of trusted certificates that `openssl rehash` has prepared, used instead of the system's. Default nil
---@field desired_unsolicited_pong_interval? curlwire.Timeout A pong that no ping asked for is sent this often, when no data is arriving; 0: no such pongs. Seconds, default 0; math.huge = no pongs
---@field max_fragments? integer|number|false In full mode, a message in more fragments fails the connection with close code 1008. Default 131072; math.huge = no limit; MessageWebSocket only
---@field ping_payload? string What pings carry; unset: a number of eight bytes, which shows the ping that a pong answers. At most 125 bytes, default nil
---@field server_credential? string[]|string User name and password for the server (Basic authentication), in place of those in the URI. Default nil
---@field proxy_credential? string[]|string User name and password for the proxy, in place of those in the environment variable. Default nil
---@field client_certificate? string PEM file of the certificate that a server may ask for, and its chain; or a PKCS#12 file. Default nil
---@field client_key? string PEM file of the key of client_certificate; unset: the key is in client_certificate. Default nil
---@field client_key_password? string Password of that key, or of the PKCS#12 file. Default nil
---@field client_certificate_type? "pem"|"p12" Form of client_certificate; p12: PKCS#12. Default "pem"
---@field ignorable_server_certificate_errors? ("Untrusted"|"IncompleteChain"|"InvalidName")[] Errors of the server's certificate that do not end the connect; every other check is still made. Default {}
---@field follow_location? "none"|"all"|"safe" Which redirects are followed, never from wss to ws; safe: none to an address that is less public. Default "none"
---@field max_redirs? integer How many redirects a connect follows, one after another. Default 10
---@field http_auth? "basic"|"digest"|"negotiate"|"any"|"ntlm" How the user name and password prove who the user is; basic: sent with the first request; ntlm: an error. Default "basic"
---@field xoauth2_bearer? string Access token for the server (Bearer authentication), in place of a user name and password. Default nil
---@field netrc_file? string File of passwords by host (.netrc), for a URI and controls without a password. Default nil
---@field user_agent? string Header User-Agent; unset: the names and versions of curlwire and libcurl. Default nil
---@field origin? string Header Origin; unset: none is sent. Default nil
---@field proxy? string|boolean URI of the proxy for every host; unset: the environment names the proxy, and the hosts that need none. Default nil
---@field pre_proxy? string URI of a SOCKS proxy in front of an http:// or https:// proxy. Default nil
---@field proxy_headers? table<string, string|string[]>|string[][]|string[] Headers for an http:// or https:// proxy, which never gets the headers for the server. Default {}
---@field proxy_auth? ("basic"|"digest"|"negotiate"|"ntlm")[] Logins for an http:// or https:// proxy, of which it chooses one; unset: basic. Default {}
---@field ca_data? string Trusted certificates as PEM, in place of ca_file. At most 4194304 bytes, default nil
---@field pinned_public_key? string The server's public key: 'sha256//' and its hash in base64, several joined by ';', or a PEM or DER file. Default nil
---@field tls_min_version? "1.2"|"1.3" Oldest version of TLS that the server may use. Default "1.2"
---@field tls_max_version? "1.2"|"1.3" Newest version of TLS that the server may use. Default "1.3"
---@field tls_ciphers? string Ciphers for TLS 1.2, in the form of the TLS library; OpenSSL: names with ':' between them. Default nil
---@field tls13_ciphers? string Ciphers for TLS 1.3, names with ':' between them. Default nil
---@field tls_groups? string Groups (curves) for the key exchange, names with ':' between them. Default nil
---@field client_certificate_data? string What the file client_certificate would have, in place of it. At most 1048576 bytes, default nil
---@field client_key_data? string What the file client_key would have, in place of it. At most 1048576 bytes, default nil
---@field tls_server_name? string Host name that TLS asks for (SNI) and that the certificate must list; unset: the host of the URI. Default nil
---@field ocsp_stapling? boolean Whether the server must show with its certificate that the certificate is not revoked. Default false
---@field tls_session_resumption? boolean Whether a connect may resume a TLS session of an earlier connect, which has checked the certificate. Default false
---@field unix_socket_path? string Path of the Unix socket to connect to, in place of the URI's host and port. Default nil
---@field abstract_unix_socket? string Name of the abstract Unix socket to connect to, without a NUL in front (Linux only). Default nil
---@field interface? string Where the connection leaves: a network interface or a local address; also if!NAME, host!ADDRESS, ifhost!NAME!ADDRESS. Default nil
---@field local_port? integer Local port of the connection; 0: the system chooses one. Default 0
---@field local_port_range? integer How many ports to try, from local_port upwards. Default 1
---@field resolve? string[] Addresses of hosts, in place of a name look-up: HOST:PORT:ADDRESS[,ADDRESS]. Default {}
---@field connect_to? string[] Where to connect in place of a host and port: HOST1:PORT1:HOST2:PORT2; an empty part means any, or no change. Default {}
---@field happy_eyeballs_timeout? number How long one address of a host may be silent before the next is tried beside it. Seconds, default 0.2
---@field tcp_keepalive? boolean Whether the system sends TCP keepalive probes; pings of ping_interval need no TCP keepalive. Default false
---@field tcp_keepidle? number With tcp_keepalive: how long the connection is idle before the first probe, in whole seconds. Seconds, default 60
---@field tcp_keepintvl? number With tcp_keepalive: time between two probes, in whole seconds. Seconds, default 60
---@field tcp_keepcnt? integer With tcp_keepalive: after so many probes without an answer the connection counts as lost. Default 9
---@field tcp_user_timeout? number How long sent data may stay without acknowledgement before the connection counts as lost (Linux only); 0: the system's. Seconds, default 0
---@field dscp? integer Class of the packets for routers (RFC 2474), such as 46 for expedited forwarding; 0: none. Default 0
---@field doh_url? string URL of a DNS-over-HTTPS server that looks the host up, in place of the system's resolver: https://host/path. Default nil
---@field curl_options? table<string, integer|string> Other options of libcurl, by name without CURLOPT_, from a list of options that are safe. Default {}
---@field trace_file? string File that gets a trace of the connection: a line for each frame and header, with secrets masked. Default nil
---@field trace_payload? integer How much of a frame's payload a trace shows; 0: nothing. Bytes, default 64
---@field trace_secret_headers? string[] Names of further headers whose values a trace masks. Default {}
---@field cookie_file? string File of cookies to send, in Netscape's form; it is only read. Default nil
---@field cookie_jar? curlwire.CookieJar|string A CookieJar, which sockets may share, or a file of cookies that is read before and written after the handshake. Default nil
---@field proxy_client_certificate? string PEM file of the certificate that an https:// proxy may ask for, and its chain; or a PKCS#12 file. Default nil
---@field proxy_client_key? string PEM file of the key of proxy_client_certificate; unset: the key is in proxy_client_certificate. Default nil
---@field proxy_client_key_password? string Password of that key, or of the PKCS#12 file. Default nil
---@field keepalive? "idle"|"ping"|"pong"|"off" idle: pings while no data arrives; ping: pings at every ping_interval; pong: unsolicited pongs instead; off: neither. Default "idle"
---@field send_high_water_mark? integer How much the socket queues for sends that do not wait; an empty queue takes one message of any size. Bytes, default 262144
---@field send_low_water_mark? integer on_writable is called when the queue has fallen to this size; at most half of send_high_water_mark counts. Bytes, default 131072
---@field proxy_client_certificate_type? "pem"|"p12" Form of proxy_client_certificate; p12: PKCS#12. Default "pem"
---@field proxy_client_certificate_data? string What the file proxy_client_certificate would have, in place of it. At most 1048576 bytes, default nil
---@field proxy_client_key_data? string What the file proxy_client_key would have, in place of it. At most 1048576 bytes, default nil

---Settings of a socket, as ws.control.key reads them. Setting a key has the errors of the constructor. After a connect has begun,
---setting any key but message_type raises an error too.
---@class curlwire.Control: curlwire.Options
---@field message_type curlwire.MessageTypeGiven
---@field receive_mode "full"|"partial"
---@field max_message_size integer|number|false
---@field supported_protocols string[]
---@field no_delay boolean
---@field connect_timeout curlwire.Timeout
---@field send_timeout curlwire.Timeout
---@field receive_timeout curlwire.Timeout
---@field close_timeout number
---@field ping_interval curlwire.Timeout
---@field ping_timeout curlwire.Timeout
---@field verify boolean
---@field proxy_verify boolean
---@field outbound_buffer_size integer
---@field inbound_buffer_size integer
---@field framing "auto"|"curl"|"native"
---@field compression "none"|"deflate"
---@field server_max_window_bits integer
---@field client_max_window_bits integer
---@field server_no_context_takeover boolean
---@field client_no_context_takeover boolean
---@field compression_threshold integer
---@field frame_size integer|number|false
---@field desired_unsolicited_pong_interval curlwire.Timeout
---@field max_fragments integer|number|false
---@field client_certificate_type "pem"|"p12"
---@field ignorable_server_certificate_errors ("Untrusted"|"IncompleteChain"|"InvalidName")[]
---@field follow_location "none"|"all"|"safe"
---@field max_redirs integer
---@field http_auth "basic"|"digest"|"negotiate"|"any"|"ntlm"
---@field proxy_auth ("basic"|"digest"|"negotiate"|"ntlm")[]
---@field tls_min_version "1.2"|"1.3"
---@field tls_max_version "1.2"|"1.3"
---@field ocsp_stapling boolean
---@field tls_session_resumption boolean
---@field local_port integer
---@field local_port_range integer
---@field resolve string[]
---@field connect_to string[]
---@field happy_eyeballs_timeout number
---@field tcp_keepalive boolean
---@field tcp_keepidle number
---@field tcp_keepintvl number
---@field tcp_keepcnt integer
---@field tcp_user_timeout number
---@field dscp integer
---@field curl_options table<string, integer|string>
---@field trace_payload integer
---@field trace_secret_headers string[]
---@field keepalive "idle"|"ping"|"pong"|"off"
---@field send_high_water_mark integer
---@field send_low_water_mark integer
---@field proxy_client_certificate_type "pem"|"p12"
---@field actual_unsolicited_pong_interval number How often the socket sends unsolicited pongs now. Seconds; 0 = it sends none. Read-only

---Options of curlwire.connect: all settings, and these.
---@class curlwire.ConnectOptions: curlwire.Options
---@field headers table<string|integer, string|string[]>|nil request headers: name = value, name = {value, ...}, or pairs {name, value}; all of them are sent
---@field subprotocols string[]|nil the same as supported_protocols; give one of them
---@field socket_class function|nil curlwire.MessageWebSocket (the default) or curlwire.StreamWebSocket
---@field sock integer|nil a connection to the server that the program has made, as for set_connected_socket
---@field timeout curlwire.Timeout|nil limit for the whole connect, in place of connect_timeout

---Options of curlwire.connect for a StreamWebSocket.
---@class curlwire.StreamConnectOptions: curlwire.ConnectOptions
---@field socket_class function curlwire.StreamWebSocket

---The speed of a connection, as the system has measured it: the members of UWP's BandwidthStatistics. All are 0 and false
---without a connection, and on systems other than Linux. They are estimates of the TCP connection, which leads to the proxy
---if there is one.
---@class curlwire.BandwidthStatistics
---@field outbound_bits_per_second integer the rate at which the peer's system has lately acknowledged sent bytes
---@field inbound_bits_per_second integer the most bytes that the program has taken in a round trip, per second
---@field outbound_bits_per_second_instability integer 0; no system measures it
---@field inbound_bits_per_second_instability integer 0; no system measures it
---@field outbound_bandwidth_peaked boolean whether the line limits the outbound rate, not the program
---@field inbound_bandwidth_peaked boolean false; no system measures it

---The TLS connection to the server.
---@class curlwire.TlsInformation
---@field version string "TLSv1.3"
---@field cipher string|nil "TLS_AES_256_GCM_SHA384"
---@field alpn string|nil the protocol that the server chose
---@field authorities string|nil the authorities that the server's certificate is checked by
---@field is_resumed boolean whether the connect has resumed the session of an earlier one

---How long the parts of the last connect took, in seconds. nil: there was no such part, or it was not finished.
---@class curlwire.Timings
---@field look_up number|nil the name look-up, of the proxy if there is one
---@field tcp number|nil until TCP was connected, to the proxy if there is one
---@field proxy number|nil until the proxy had connected us
---@field tls number|nil until the TLS handshake with the server was finished
---@field upgrade number|nil until the server's reply was complete
---@field total number|nil the whole connect, also if it failed

---What curlwire has counted for a socket since it was made. A message counts as sent when the call that sends it, or its last
---fragment, succeeds; so do its bytes. A sent frame counts when its last byte has been passed to the system or to TLS, or is
---held back in a batch. A message, with its bytes, counts as received when its last frame has arrived; a frame when its
---header has. With parts, and on a StreamWebSocket, the bytes count as they arrive. Times are in seconds, nil if nothing
---has been measured.
---@class curlwire.Statistics
---@field open_sockets integer sockets whose state is open
---@field connecting_sockets integer sockets whose state is connecting
---@field connects integer connects that succeeded
---@field failed_connects integer connects that failed, also because the program gave up
---@field ended_connections integer connections that have ended: the state became closed
---@field text_messages_sent integer text messages that were sent
---@field binary_messages_sent integer binary messages that were sent
---@field text_messages_received integer text messages that have arrived
---@field binary_messages_received integer binary messages that have arrived
---@field bytes_sent integer bytes of the messages that were sent
---@field bytes_received integer bytes of the messages that have arrived
---@field wire_bytes_sent integer bytes of sent frames, with their headers
---@field wire_bytes_received integer bytes of received frames, with their headers
---@field text_frames_sent integer first frames of text messages that were sent
---@field binary_frames_sent integer first frames of binary messages that were sent
---@field continuation_frames_sent integer later frames of messages that were sent
---@field close_frames_sent integer close frames that were sent
---@field pings_sent integer pings that were sent, those of keepalive too
---@field pongs_sent integer pongs that were sent
---@field text_frames_received integer first frames of text messages that have arrived
---@field binary_frames_received integer first frames of binary messages that have arrived
---@field continuation_frames_received integer later frames of messages that have arrived
---@field close_frames_received integer close frames that have arrived
---@field pings_received integer pings that have arrived
---@field pongs_received integer pongs that have arrived
---@field round_trips integer pings whose pong came before the next ping was sent
---@field round_trip_sum number sum of their round trips
---@field round_trip_last number|nil the latest round trip
---@field round_trip_least number|nil the shortest round trip
---@field round_trip_most number|nil the longest round trip
---@field round_trip_mean number|nil the mean round trip
---@field send_queue_bytes integer memory of messages that wait to be sent
---@field send_queue_bytes_most integer the most that send_queue_bytes of a socket has been
---@field receive_queue_bytes integer memory of received messages that wait for the program
---@field receive_queue_bytes_most integer the most that receive_queue_bytes of a socket has been
---@field lost_bytes integer bytes of sent messages that did not reach the peer, as far as is known
---@field lost_trace_lines integer lines of a trace that could not be written, or that nobody took in time

---What curlwire has counted in this process: sums over all sockets that have begun to connect, those that are gone too. The
---least and the most are those of any socket.
---@class curlwire.ProcessStatistics: curlwire.Statistics
---@field closed table<integer, integer> how many connections have ended with each close code; 1006 is a lost connection
---@field failed table<string, integer> how many connects have failed with each WebErrorStatus

---How long round trips of pings took, from a ping to its pong, in seconds; nil if there was none. They are the latest 128
---round trips, of ping and of keepalive. A ping counts if its pong came before the next ping was sent. statistics has the
---numbers since the beginning.
---@class curlwire.Latency
---@field last number|nil the latest
---@field minimum number|nil the shortest
---@field mean number|nil the mean
---@field p99 number|nil the shortest time within which 99 % of them ended; with fewer than 100, the longest

---Facts about the connection. They can only be read. They stay readable after the connection has ended.
---@class curlwire.Information
---@field bandwidth_statistics curlwire.BandwidthStatistics the speed of the connection
---@field statistics curlwire.Statistics what curlwire has counted for this socket
---@field latency curlwire.Latency how long the latest round trips of pings took
---@field uri string|nil the URI that was passed to connect
---@field effective_uri string|nil the URI that redirects have led to, without user name and password; without a redirect, as uri
---@field protocol string|nil the subprotocol that the server chose
---@field extensions string|nil the extension that the server accepted, "permessage-deflate; client_max_window_bits=12"
---@field local_address string|nil "127.0.0.1:40000"
---@field remote_address string|nil "127.0.0.1:443"
---@field framing "curl"|"native"|"mixed"|nil which code makes the frames: libcurl (curl) or curlwire (native); mixed: curlwire sends, libcurl receives
---@field authorities string|nil the authorities that certificates are checked by, and what names them: "system: /etc/ssl/cert.pem"; nil if none is checked
---@field response_headers curlwire.Headers|nil the headers of the reply to the opening handshake
---@field tls curlwire.TlsInformation|nil the TLS connection to the server; nil without TLS
---@field timings curlwire.Timings how long the parts of the last connect took
---@field state curlwire.State
---@field server_certificate curlwire.Certificate|nil the certificate that the server sent, also if the connect failed because of it; nil without TLS, and if the TLS library is not OpenSSL
---@field server_intermediate_certificates curlwire.Certificate[] the certificates that the server sent with it, in its order
---@field server_certificate_errors string[] what is wrong with the server's certificate, by the names of UWP's ChainValidationResult: {"Expired"}; the errors that were ignored, and the one that made the connect fail
---@field server_certificate_error_severity "none"|"ignorable"|"fatal"|nil fatal: the connect failed because of the certificate; ignorable: all its errors were ignored; nil if server_certificate is

---A certificate, as the server sent it. A fact that it lacks, or that is malformed, is nil.
---@class curlwire.Certificate
---@field subject string|nil whom it is for: "C=DE,O=Example,CN=a.example"
---@field issuer string|nil the authority that signed it
---@field serial_number string|nil hexadecimal digits
---@field valid_from string|nil "2026-11-27T14:30:00Z", in UTC
---@field valid_to string|nil "2027-11-27T14:30:00Z", in UTC
---@field subject_alternative_names string[] "DNS:a.example", "IP:192.0.2.1", "email:...", "URI:..."
---@field sha1_fingerprint string 40 hexadecimal digits
---@field sha256_fingerprint string 64 hexadecimal digits
---@field pem string
---@field der string

---@class curlwire.MessageArgs
---@field data string
---@field message_type curlwire.MessageType
---@field is_message_complete boolean false in partial mode, for each part but the last
local MessageArgs = {}

---Returns a new reader of the data, all of whose bytes are loaded. It works repeatedly, also after the handler has returned.
---@return curlwire.DataReader
function MessageArgs:get_data_reader() end

---Returns a new stream of the data, with read, lines and close. It works repeatedly, also after the handler has returned.
---@return curlwire.InputStream
function MessageArgs:get_data_stream() end

---What on_server_custom_validation_requested gets. If the handler returns and nothing was rejected, the certificate is
---accepted.
---@class curlwire.ValidationArgs
---@field server_certificate curlwire.Certificate|nil as in information
---@field server_intermediate_certificates curlwire.Certificate[] as in information
---@field server_certificate_errors string[] as in information
---@field server_certificate_error_severity "none"|"ignorable"|"fatal"|nil as in information
---@field reject fun(self: curlwire.ValidationArgs) rejects the certificate: connect fails, and the server sees no request
---@field get_deferral fun(self: curlwire.ValidationArgs): curlwire.Deferral nothing else runs while connect waits, so complete the deferral before the handler returns; otherwise the certificate is rejected

---@class curlwire.Deferral
---@field complete fun(self: curlwire.Deferral)

---@class curlwire.ClosedArgs
---@field code integer the peer's close code; 1005 if the peer sent none, 1006 if the connection was lost
---@field reason string the peer's close reason
---@field was_clean boolean whether both close frames were exchanged

---The calls and fields of both classes. An open socket with a handler is not collected until its closed event has been
---dispatched. An open socket without a handler can be collected, which closes the connection. A socket and its handlers are
---collected together. In Lua 5.4 a socket can be a to-be-closed variable. At the end of the scope it is closed with 1000,
---or with 1011 after an error, and the program waits for the closing handshake.
---@class curlwire.WebSocket
---@field bandwidth_statistics curlwire.BandwidthStatistics the speed of the connection
---@field control curlwire.Control
---@field information curlwire.Information
---@field output_stream curlwire.OutputStream
---@field on_closed nil|fun(ws: curlwire.WebSocket, args: curlwire.ClosedArgs) called once for each socket that was open; nil removes it
---@field on_server_custom_validation_requested nil|fun(ws: curlwire.WebSocket, args: curlwire.ValidationArgs) may reject the server's certificate. connect calls it once, over wss, after all other checks have passed and before a byte of the request is sent. An error in it makes the connect fail, and leaves connect. It can only be set before connect
---@field on_trace nil|fun(ws: curlwire.WebSocket, line: string) called for each line of the connection's trace, by curlwire.dispatch and curlwire.run; set it before connect to see the opening handshake too. It keeps no socket alive. Lines that are not dispatched in time are dropped, and a line says how many
---@field buffered_amount integer how many bytes of messages wait in the socket: a call that does not wait, or a batch, has accepted them, and the kernel has not taken them yet. The headers of frames may count too. With libcurl's framing and over TLS, libcurl may hold up to 64 KiB more
---@field state curlwire.State
---@field uri string|nil
---@field effective_uri string|nil as in information
---@field protocol string|nil
---@field extensions string|nil the extension that the server accepted, "permessage-deflate; client_max_window_bits=12"
---@field local_address string|nil
---@field remote_address string|nil
---@field framing "curl"|"native"|"mixed"|nil which code makes the frames: libcurl (curl) or curlwire (native); mixed: curlwire sends, libcurl receives
---@field authorities string|nil the authorities that certificates are checked by, and what names them: "system: /etc/ssl/cert.pem"; nil if none is checked
---@field response_headers curlwire.Headers|nil
---@field close_code integer|nil the peer's close code; 1005 if the peer sent none, 1006 if the connection was lost; nil before the end
---@field close_reason string|nil the peer's close reason; nil before the end
---@field was_clean boolean|nil whether both close frames were exchanged; nil before the end
local WebSocket = {}

---A connection that sends and receives messages.
---@class curlwire.MessageWebSocket: curlwire.WebSocket
---@field on_message_received nil|fun(ws: curlwire.MessageWebSocket, args: curlwire.MessageArgs) called for each message, including messages that wait already; nil removes it
---@field on_writable nil|fun(ws: curlwire.MessageWebSocket, buffered_amount: integer) called once after try_send has returned false, or send with timeout 0 has failed with "CW_WOULD_BLOCK": when the socket's queue has fallen to control.send_low_water_mark; nil removes it
local MessageWebSocket = {}

---A connection that is read and written as a stream of bytes, in constant memory.
---@class curlwire.StreamWebSocket: curlwire.WebSocket
---@field input_stream curlwire.InputStream

---Writes to the connection, with the methods of a Lua file. Each write sends one message.
---@class curlwire.OutputStream
local OutputStream = {}

---Reads from the connection, with the methods of a Lua file.
---@class curlwire.InputStream
local InputStream = {}

---Makes a socket that is not connected.
---@param control curlwire.Options|nil
---@return curlwire.MessageWebSocket
function curlwire.MessageWebSocket(control) end

---Makes a socket that is not connected.
---@param control curlwire.Options|nil
---@return curlwire.StreamWebSocket
function curlwire.StreamWebSocket(control) end

---When a ReconnectingWebSocket connects again. All times are in seconds. docs/reconnecting.md explains the rules.
---@class curlwire.ReconnectPolicy
---@field first_delay number|nil bound of the first delay, default 1; each delay is random from 0 to its bound, which doubles
---@field max_delay number|nil the bound does not grow beyond this, default 60
---@field max_attempts integer|number|nil most attempts in a series; no limit by default
---@field max_elapsed number|nil no attempt begins later than this after the begin of its series; no limit by default
---@field stable_after number|nil the end of a connection that was open this long begins a new series, default 10
---@field max_age number|nil a connection is renewed at this age, or up to a tenth earlier; no limit by default
---@field delays? number[]|fun(): number|nil delays in place of the backoff; a list begins anew with each series. At its end the socket gives up
---@field should_retry nil|fun(err: curlwire.Error): boolean|nil decides after each failure; nil means the default rules

---@class curlwire.ReconnectingOptions: curlwire.Options
---@field headers table|nil|fun(attempt: integer): table as for curlwire.connect
---@field subprotocols string[]|nil|fun(attempt: integer): string[] to offer to the server
---@field timeout curlwire.Timeout|nil limit for each attempt, in place of connect_timeout
---@field policy curlwire.ReconnectPolicy|nil
---@field unsent "keep"|"drop"|nil keep, the default: a message without a connection is sent after the next connect
---@field unsent_buffer_size integer|nil bytes of kept messages, default 1048576; above it, send waits
---@field on_connected nil|fun(ws: curlwire.ReconnectingWebSocket, attempt: integer)
---@field on_disconnected nil|fun(ws: curlwire.ReconnectingWebSocket, reason: curlwire.Error)
---@field on_message_received nil|fun(ws: curlwire.ReconnectingWebSocket, args: curlwire.MessageArgs)
---@field on_closed nil|fun(ws: curlwire.ReconnectingWebSocket, args: curlwire.ClosedArgs)

---A MessageWebSocket that connects again when its connection is lost. There is no thread: the calls that wait connect, and
---call the handlers. An error of a handler leaves the call. After the end of the socket each call returns nil, the message
---and the error after which no further attempt followed.
---@class curlwire.ReconnectingWebSocket
---@field on_connected nil|fun(ws: curlwire.ReconnectingWebSocket, attempt: integer) called for each connection before anything else uses it; ws:send and ws:receive in it use the new connection
---@field on_disconnected nil|fun(ws: curlwire.ReconnectingWebSocket, reason: curlwire.Error) called at each loss; reason.code is the close code
---@field on_message_received nil|fun(ws: curlwire.ReconnectingWebSocket, args: curlwire.MessageArgs) called by run; args has data, message_type and is_message_complete
---@field on_closed nil|fun(ws: curlwire.ReconnectingWebSocket, args: curlwire.ClosedArgs) called once, when no further attempt follows
---@field state curlwire.State "connecting" also between two attempts
---@field attempt integer the number of attempts that have begun
---@field socket curlwire.MessageWebSocket|nil the connection that is open now; do not receive on it and do not close it
---@field last_error curlwire.Error|nil the error of the last failed attempt or lost connection
---@field unsent_count integer messages that wait for a connection
---@field dropped_count integer messages that send has dropped with unsent = "drop"
local ReconnectingWebSocket = {}

---Makes a socket that connects again. It is not connected yet. The URI, the headers and the subprotocols may be functions,
---which are called for each attempt with its number. If one raises an error, the attempt has failed.
---@param uri string|fun(attempt: integer): string
---@param options curlwire.ReconnectingOptions|nil
---@return curlwire.ReconnectingWebSocket
function curlwire.ReconnectingWebSocket(uri, options) end

---Connects, with as many attempts as the policy allows.
---@param timeout curlwire.Timeout|nil no limit by default; an attempt that has begun may take longer, up to connect_timeout
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function ReconnectingWebSocket:connect(timeout) end

---Renews the connection in the next call that waits; ends a delay. Does not block.
---@return true
function ReconnectingWebSocket:reconnect() end

---Closes the connection, or ends the attempt that another coroutine makes, and makes no further attempt. Does not block.
---@param code integer|nil default 1000
---@param reason string|nil
---@return true
function ReconnectingWebSocket:close(code, reason) end

---Drops the connection without a closing handshake, or ends the attempt, and makes no further attempt.
---@return true
function ReconnectingWebSocket:abort() end

---Waits until the connection has ended after close. Fails with the name "CW_CLOSED" if sent or kept messages did not reach
---the server.
---@param timeout curlwire.Timeout|nil no limit by default
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function ReconnectingWebSocket:wait_closed(timeout) end

---Returns the next message of any connection, as MessageWebSocket:receive does. Connects again if it must.
---@param timeout curlwire.Timeout|nil in place of control.receive_timeout; an attempt that has begun may take longer
---@return string|nil data
---@return curlwire.MessageType|string message_type
---@return boolean|curlwire.Error is_complete
function ReconnectingWebSocket:receive(timeout) end

---As MessageWebSocket:receive_json.
---@param timeout curlwire.Timeout|nil
---@return any value
---@return string|nil message
---@return curlwire.Error|nil err
function ReconnectingWebSocket:receive_json(timeout) end

---Iterates over the messages of all connections: for data, message_type in ws:messages() do. It ends after close, and after
---code 1000. Raises the error of every other end.
---@return fun(ws: curlwire.ReconnectingWebSocket): string|nil, curlwire.MessageType|nil
---@return curlwire.ReconnectingWebSocket
function ReconnectingWebSocket:messages() end

---Calls on_message_received for each message until the socket has ended. Connects first if it is new.
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function ReconnectingWebSocket:run() end

---Sends one message. Without a connection it keeps or drops the message, as unsent says. No message is sent twice.
---@param data string
---@param message_type curlwire.MessageTypeGiven|nil
---@param timeout curlwire.Timeout|nil in place of control.send_timeout; also the limit for room among the kept messages
---@param compress boolean|nil
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function ReconnectingWebSocket:send(data, message_type, timeout, compress) end

---Sends a value as JSON, as MessageWebSocket:send_json does.
---@param value any
---@param timeout curlwire.Timeout|nil
---@param compress boolean|nil
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function ReconnectingWebSocket:send_json(value, timeout, compress) end

---Sends each message of a list, as send does.
---@param messages string[]
---@param message_type curlwire.MessageTypeGiven|nil
---@param timeout curlwire.Timeout|nil
---@param compress boolean|nil
---@return integer|nil count
---@return string|nil message
---@return curlwire.Error|nil err err.sent_count is the number of messages before the one that failed
function ReconnectingWebSocket:send_many(messages, message_type, timeout, compress) end

---Sends a ping and returns the round trip in seconds. Raises an error if there is no connection now.
---@param timeout curlwire.Timeout|nil
---@return number|nil seconds
---@return string|nil message
---@return curlwire.Error|nil err
function ReconnectingWebSocket:ping(timeout) end

---Makes a socket and connects it. Blocks.
---@param uri string ws:// or wss:// in UTF-8, without a fragment; raises an error for any other
---@param options curlwire.ConnectOptions|nil
---@return curlwire.MessageWebSocket|nil
---@return string|nil message
---@return curlwire.Error|nil err
---@overload fun(uri: string, options: curlwire.StreamConnectOptions): curlwire.StreamWebSocket|nil, string|nil, curlwire.Error|nil
function curlwire.connect(uri, options) end

---Waits for events, and calls the handlers of at most 1000 of them. It also runs the coroutines of spawn that can go on. If a
---handler or a coroutine raises an error, dispatch raises it too, with a traceback if the error is a text. The others wait for
---the next call. Raises an error inside a handler. Without a timeout it waits until there is an event. It returns 0 at once if
---no open socket has a handler, and no coroutine can go on. In a coroutine of spawn it waits until run has called handlers.
---@param timeout curlwire.Timeout|nil 0 does not wait
---@return integer|nil handled the number of events and of coroutines; 0 after the timeout
---@return string|nil message
---@return curlwire.Error|nil err
function curlwire.dispatch(timeout) end

---Calls handlers, and runs the coroutines of spawn, until each socket with a handler and each coroutine has ended. Raises the
---errors that dispatch raises; it may be called again. Raises an error that begins with "deadlock" if all coroutines wait in
---coroutine.yield(), and no handler is left that could resume one. Raises an error in a coroutine of spawn.
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function curlwire.run() end

---Returns a descriptor for an event loop. It is readable while events wait, or coroutines can go on: then call dispatch(0). Do
---not read from it.
---@return integer|nil
---@return string|nil message
---@return curlwire.Error|nil err
function curlwire.fd() end

---Makes a coroutine that calls f(...). run and dispatch run it. In it, each call that waits lets the other coroutines run
---(docs/lua-loops.md). Its error comes out of run or dispatch.
---@param f fun(...: any)
---@param ... any
---@return thread
function curlwire.spawn(f, ...) end

---Lets a coroutine of spawn go on that waits in coroutine.yield(), which returns the other arguments. It runs when run or
---dispatch comes to it. Raises an error if the coroutine has ended, or is not one of spawn.
---@param co thread
---@param ... any
---@return boolean waited false if it does not wait in coroutine.yield(); then nothing has happened
function curlwire.resume(co, ...) end

---Waits. In a coroutine of spawn it lets the others run; elsewhere it blocks, and Ctrl-C ends it.
---@param seconds curlwire.Timeout
---@return boolean
function curlwire.sleep(seconds) end

---Returns after how many seconds an event loop must call dispatch(0), even if the descriptor of fd stays silent.
---@return number|nil seconds math.huge if there is no such time; nil if no coroutine and no open socket with a handler is left
function curlwire.timeout() end

---Calls a function in a protected call, as pcall does. In a coroutine of spawn its calls may wait, also in Lua 5.1, whose pcall
---allows no yield.
---@param f fun(...: any): ...
---@param ... any
---@return boolean
---@return any ...
function curlwire.pcall(f, ...) end

---The table that build_info returns. A fact that there is not is nil.
---@class curlwire.BuildInfo
---@field curlwire string the version of curlwire
---@field libcurl string the version of the loaded libcurl
---@field libcurl_built string the version of the libcurl that curlwire was built with
---@field libcurl_linked "embedded"|"system" whether libcurl is inside curlwire, or a shared library that the system updates
---@field tls string|nil the TLS library of libcurl with its version: "OpenSSL/3.5.2"
---@field zlib string the version of zlib
---@field authorities string|nil the certificates of authorities that a connect would use now, as information.authorities
---@field features string[] "ws", "wss", "native-framing", "compression", "https-proxy", "international-names", "ipv6", "shared-authorities", "refusal-body", as far as this build has them

---Returns the facts about this build, for bug reports. It contains nothing secret.
---@return curlwire.BuildInfo
function curlwire.build_info() end

---Returns what curlwire has counted in this process. A child of fork() counts from 0.
---@return curlwire.ProcessStatistics
function curlwire.statistics() end

---Returns the WebErrorStatus of an error object, and 0 (Unknown) for any other value.
---@param err any
---@return integer
function curlwire.get_status(err) end

---Connects. Blocks. After a failure it may be called again.
---@param uri string ws:// or wss:// in UTF-8, without a fragment; raises an error for any other
---@param timeout curlwire.Timeout|nil limit for the whole call, in place of control.connect_timeout
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:connect(uri, timeout) end

---Sets a header of the opening handshake. It replaces all headers of that name. Raises an error for a header that the
---handshake makes itself, and for control characters. Also raises an error for a value over 256 KiB, for more than 512 KiB
---of headers, and after a connect has begun.
---@param name string
---@param value string an empty value removes the header
---@return true
function WebSocket:set_request_header(name, value) end

---Adds a header to the opening handshake, and keeps the headers of the same name. Raises an error where set_request_header
---does. Also raises an error for a second header that a request has only once: Host, Origin, Authorization, Cookie,
---User-Agent.
---@param name string
---@param value string an empty value is sent as an empty header
---@return true
function WebSocket:add_request_header(name, value) end

---Gives the connection for the next connect, which then connects to no address and uses no proxy. curlwire works on a copy.
---The caller keeps the descriptor, and closes it after connect: the connection ends when both are closed. Raises an error if
---it is not a connected socket, and after a connect has begun.
---@param sock integer|nil a descriptor, such as luasocket's sock:getfd(); nil takes the last one back
---@return true
function WebSocket:set_connected_socket(sock) end

---Sends a ping and waits for its pong.
---@param timeout curlwire.Timeout|nil in place of control.ping_timeout
---@return number|nil seconds the round-trip time
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:ping(timeout) end

---Waits until the kernel has taken everything that was sent.
---@param timeout curlwire.Timeout|nil in place of control.send_timeout
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:flush(timeout) end

---Calls a function, and writes the small messages that it sends together, up to 32 KiB at a time. They go out when no more
---fit, when a call waits to receive, and when the function ends. Then batch waits until the kernel has taken all of them.
---If the function raised an error, batch raises it afterwards. With libcurl's framing each message goes out at once.
---@param f fun()
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:batch(f) end

---Begins the closing handshake and returns at once. A second call does nothing. Raises an error for a code that must not
---be sent, and for a reason that is too long or not UTF-8.
---@param code integer|nil 1000-1003, 1007-1014, 3000-4999, or 1005 to send no code. Default 1000
---@param reason string|nil up to 123 bytes of UTF-8
---@return true
function WebSocket:close(code, reason) end

---Waits for the end of the connection, whichever side closes it. After close() the messages that were sent go out first;
---control.send_timeout limits the time without progress. Then control.close_timeout limits the closing handshake. Fails with
---the name "CW_CLOSED" if a message that was sent did not reach the server.
---@param timeout curlwire.Timeout|nil limit for the whole call; no limit by default
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:wait_closed(timeout) end

---Drops the connection without a closing handshake.
---@return true
function WebSocket:abort() end

---Returns the descriptor of curlwire.fd, which all sockets of a Lua state share.
---@return integer|nil
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:fileno() end

---Does what curlwire.dispatch does, for all sockets of the Lua state.
---@param timeout curlwire.Timeout|nil 0 does not wait
---@return integer|nil handled
---@return string|nil message
---@return curlwire.Error|nil err
function WebSocket:dispatch(timeout) end

---Sends one message. Raises an error if a text is not UTF-8. A function is called until it returns nil. Its results are the
---fragments of one message, and each goes out at once. If the function raises an error after the first fragment, or if a
---later fragment cannot be sent, the connection is closed with code 1011. The function cannot yield.
---@param data string|fun(): string|nil
---@param message_type curlwire.MessageTypeGiven|nil the type of the message; by default control.message_type
---@param timeout curlwire.Timeout|nil in place of control.send_timeout; 0 does not wait
---@param compress boolean|nil true: compress a message of any size, if the server has accepted compression; false: do not compress; nil: by control.compression_threshold
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function MessageWebSocket:send(data, message_type, timeout, compress) end

---Sends one message if that needs no waiting. The socket queues what the kernel does not take at once, up to
---control.send_high_water_mark, or one larger message, and the service thread writes it. Raises an error if a text is not UTF-8.
---@param data string
---@param message_type curlwire.MessageTypeGiven|nil the type of the message; by default control.message_type
---@param compress boolean|nil as for send
---@return boolean|nil accepted false: the queue has no room, or another thread is sending; nothing was sent. on_writable is called when there is room again
---@return string|nil message
---@return curlwire.Error|nil err
function MessageWebSocket:try_send(data, message_type, compress) end

---Sends a value as JSON, in one text message. Raises each error of the library's function encode; nothing is sent then.
---@param value any
---@param library curlwire.JsonLibrary|nil by default curlwire.json
---@param timeout curlwire.Timeout|nil in place of control.send_timeout; 0 does not wait
---@param compress boolean|nil as for send
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function MessageWebSocket:send_json(value, library, timeout, compress) end

---Returns the value of the next message, which is JSON. If the library cannot decode it, the name of the error is "NOT_JSON",
---and err.data is the message. The next call takes the next message. A value may be nil, if the library returns nil for null.
---Raises an error in partial mode.
---@param timeout curlwire.Timeout|nil in place of control.receive_timeout; 0 does not wait
---@param library curlwire.JsonLibrary|nil by default curlwire.json
---@return any value
---@return string|nil message
---@return curlwire.Error|nil err
function MessageWebSocket:receive_json(timeout, library) end

---Sends the messages of a list one after another. It writes many small messages with one system call. If an item is not a
---string, it raises an error and sends nothing. If a text is not UTF-8, it sends the messages before it and raises an error.
---@param messages string[]
---@param message_type curlwire.MessageTypeGiven|nil the type of all messages; by default control.message_type
---@param timeout curlwire.Timeout|nil limit for each message, in place of control.send_timeout; 0 does not wait
---@param compress boolean|nil as for send, for all messages
---@return integer|nil count the number of messages that were sent
---@return string|nil message
---@return curlwire.Error|nil err err.sent_count is the number of messages that were sent
function MessageWebSocket:send_many(messages, message_type, timeout, compress) end

---Returns the next message; in partial mode, the next part. Raises an error while on_message_received is set.
---@param timeout curlwire.Timeout|nil in place of control.receive_timeout; 0 does not wait
---@return string|nil data
---@return curlwire.MessageType|string message_type the type; after a failure, the message of the error
---@return boolean|curlwire.Error is_complete false for each part but the last; after a failure, the error object
function MessageWebSocket:receive(timeout) end

---Returns the next message as a stream, which is read bit by bit. In partial mode, it returns as soon as the message begins to
---arrive, and a message of any size needs the same memory. In full mode, it waits for the whole message. The stream ends only
---at the end of the message. If the connection ends before, read fails with the name "CW_CLOSED". The next receive skips what
---has not been read of the message; read then raises an error. It raises an error while on_message_received is set.
---@param timeout curlwire.Timeout|nil limit until the message begins, in place of control.receive_timeout; 0 does not wait
---@return curlwire.InputStream|nil stream
---@return curlwire.MessageType|string message_type the type; after a failure, the message of the error
---@return curlwire.Error|nil err
function MessageWebSocket:receive_stream(timeout) end

---Iterates over messages: for data, message_type, is_complete in ws:messages() do. It waits for each without a limit. The
---loop ends without an error after close(). It also ends so when the peer closes with code 1000, 1001 or none, but not in
---the middle of a message. After every other end, such as a lost connection, it raises the error object that receive would return.
---@return fun(ws: curlwire.MessageWebSocket): string|nil, curlwire.MessageType|nil, boolean|nil
---@return curlwire.MessageWebSocket ws the argument of the iterator
function MessageWebSocket:messages() end

---Sends the last fragment of a message. Without earlier fragments it is the whole message.
---@param data string
---@return integer|nil bytes
---@return string|nil message
---@return curlwire.Error|nil err
function MessageWebSocket:send_final_frame(data) end

---Sends a fragment of a message that is not the last. Until send_final_frame is called, send raises an error.
---@param data string
---@return integer|nil bytes
---@return string|nil message
---@return curlwire.Error|nil err
function MessageWebSocket:send_nonfinal_frame(data) end

---Joins all arguments and sends them as one message. A StreamWebSocket sends binary messages, and nothing if there are no
---bytes. A MessageWebSocket sends messages of the type control.message_type.
---@param ... string|number
---@return curlwire.OutputStream|nil
---@return string|nil message
---@return curlwire.Error|nil err
function OutputStream:write(...) end

---Waits until the kernel has taken everything that was sent.
---@return curlwire.OutputStream|nil
---@return string|nil message
---@return curlwire.Error|nil err
function OutputStream:flush() end

---Accepts the arguments of a Lua file's setvbuf and changes nothing: the stream has no buffer.
---@param mode "no"|"full"|"line"
---@param size integer|nil
---@return true
function OutputStream:setvbuf(mode, size) end

---Flushes and closes the stream, not the connection. Using the stream afterwards raises an error.
---@return true|nil
---@return string|nil message
---@return curlwire.Error|nil err
function OutputStream:close() end

---Reads as a Lua file does. The formats are "l" (the default), "L", "a" and a count of bytes; a letter may have "*" before it.
---Several formats return several values. A single nil is the end of the stream: close(), or the server's close between two
---messages with code 1000 or none. After a timeout and after every other end it returns nil, a message and an error object.
---The bytes received before stay for the next read. After such an end, a count of bytes returns the rest before it fails.
---"n" raises an error. The stream keeps at most about 64 KiB in memory, or as much as the formats need.
---@param ... "l"|"L"|"a"|"*l"|"*L"|"*a"|integer
---@return string|nil
---@return string|curlwire.Error|nil ...
function InputStream:read(...) end

---Iterates as a Lua file's lines does. It waits without a limit. Where read would return an error object, lines raises it.
---@param ... "l"|"L"|"a"|"*l"|"*L"|"*a"|integer
---@return fun(): string|nil, ...
function InputStream:lines(...) end

---Closes the stream, not the connection. Using the stream afterwards raises an error.
---@return true
function InputStream:close() end

---Reads values from the bytes of a stream or of a string. A read method raises an error if too few bytes are loaded, and takes
---nothing then. Every method but close raises an error after close.
---@class curlwire.DataReader
---@field unconsumed_buffer_length integer the bytes that are loaded and not yet read; read-only
---@field byte_order "big_endian"|"little_endian" the order of the bytes of numbers, GUIDs, dates and time spans. Default "big_endian"
---@field unicode_encoding "utf8"|"utf16le"|"utf16be" the encoding of texts. Default "utf8"
---@field input_stream_options "none"|"partial"|"read_ahead"|"partial_read_ahead" how load waits: for all bytes, or (partial) for one byte at least. Default "none"
local DataReader = {}

---A cookie of a CookieJar.
---@class curlwire.Cookie
---@field name string
---@field value string
---@field domain string a host name or an IP address
---@field path string
---@field expires integer|nil seconds since 1970; nil = a session cookie
---@field secure boolean whether it goes out over wss only, and to this machine
---@field http_only boolean whether the scripts of a web page must not see it
---@field include_subdomains boolean whether the subdomains of domain get it too

---The options of CookieJar:set. path is "/" by default. A time in expires that has passed removes the cookie.
---@class curlwire.CookieOptions
---@field path string|nil
---@field expires number|nil seconds since 1970; nil = a session cookie
---@field secure boolean|nil
---@field http_only boolean|nil
---@field include_subdomains boolean|nil

---Cookies that servers set and that the program sets. Sockets share it by the control cookie_jar. It holds at most 3,000.
---#jar is the number of cookies (not in Lua 5.1). After fork, the child needs a jar of its own.
---@class curlwire.CookieJar
---@operator len: integer
local CookieJar = {}

---Makes a cookie jar. It reads the file, if the file exists. It writes the file when a handshake has changed the cookies, by
---save, and when it is collected; an error then shows nowhere.
---@param path string|nil a file in Netscape's form; nil = in memory only
---@return curlwire.CookieJar|nil jar
---@return string|nil message if the file cannot be read, or its folder cannot be written
---@return curlwire.Error|nil err
function curlwire.CookieJar(path) end

---Returns the cookies.
---@return curlwire.Cookie[]
function CookieJar:cookies() end

---Sets a cookie. It replaces the cookie of the same name, domain and path. Raises an error, which shows nothing of the value, for
---what cannot be sent, and if the jar is full.
---@param name string
---@param value string
---@param domain string a host name in ASCII, or an IP address
---@param options curlwire.CookieOptions|nil
---@return true
function CookieJar:set(name, value, domain, options) end

---Removes all cookies.
---@return true
function CookieJar:clear() end

---Removes the cookies whose life no time ends.
---@return true
function CookieJar:clear_session_cookies() end

---Adds the cookies of a file in Netscape's form, in place of those of the same name, domain and path. Raises an error if the
---file is not a cookie file; then it adds nothing.
---@param path string
---@return true|nil
---@return string|nil message if the file cannot be read
---@return curlwire.Error|nil err
function CookieJar:load(path) end

---Writes the cookies to a file, which only its owner can read, and replaces it as a whole.
---@param path string|nil nil = the file of the jar
---@return true|nil
---@return string|nil message if the file cannot be written
---@return curlwire.Error|nil err
function CookieJar:save(path) end

---Makes values into bytes. The write methods fill memory, and store writes it to the stream. A write method raises an error for
---a wrong type or a value that does not fit, and writes nothing then. Every method but close raises an error after close.
---@class curlwire.DataWriter
---@field unstored_buffer_length integer the bytes that are written and not yet stored; read-only
---@field byte_order "big_endian"|"little_endian" the order of the bytes of numbers, GUIDs, dates and time spans. Default "big_endian"
---@field unicode_encoding "utf8"|"utf16le"|"utf16be" the encoding of texts. Default "utf8"
local DataWriter = {}

---A stream of a socket, a Lua file, or any object with these methods. A reader needs read, a writer needs write.
---@class curlwire.AnyStream
---@field read nil|fun(self: any, count: integer): string|nil, any, any at most count bytes; nil at the end; nil and a message after a failure
---@field write nil|fun(self: any, bytes: string): any, any, any nil or false, and a message, after a failure
---@field flush nil|fun(self: any): any, any, any
---@field close nil|fun(self: any): any, any, any

---Makes readers: curlwire.DataReader(stream), and curlwire.DataReader.from_buffer(string).
---@class curlwire.DataReaderClass
---@overload fun(stream: curlwire.AnyStream|curlwire.InputStream|file*): curlwire.DataReader
curlwire.DataReader = {}

---Makes a reader of a string, all of whose bytes are loaded.
---@param bytes string
---@return curlwire.DataReader
function curlwire.DataReader.from_buffer(bytes) end

---Makes a writer. It owns the stream: close closes it, unless detach_stream was called. Without a stream it fills memory.
---@param stream curlwire.AnyStream|curlwire.OutputStream|file*|nil
---@return curlwire.DataWriter
function curlwire.DataWriter(stream) end

---Reads bytes from the stream, beyond those that are loaded. Blocks as the stream does. After a failure no byte is lost.
---@param count integer
---@return integer|nil count less than the argument at the end of the stream or with the option partial; 0 at the end
---@return any message what the stream's read returned
---@return any err
function DataReader:load(count) end

---Returns a byte, 0 to 255.
---@return integer
function DataReader:read_byte() end

---Returns a byte; true if it is not 0.
---@return boolean
function DataReader:read_boolean() end

---Returns a signed number of 2 bytes.
---@return integer
function DataReader:read_int16() end

---Returns a signed number of 4 bytes.
---@return integer
function DataReader:read_int32() end

---Returns a signed number of 8 bytes. Lua 5.1, 5.2 and LuaJIT raise an error beyond 2^53, and the bytes stay.
---@return integer
function DataReader:read_int64() end

---Returns an unsigned number of 2 bytes.
---@return integer
function DataReader:read_uint16() end

---Returns an unsigned number of 4 bytes.
---@return integer
function DataReader:read_uint32() end

---Returns an unsigned number of 8 bytes. It raises an error beyond 2^63 - 1 (Lua 5.1, 5.2 and LuaJIT: 2^53), and the bytes stay.
---@return integer
function DataReader:read_uint64() end

---Returns an IEEE 754 number of 4 bytes.
---@return number
function DataReader:read_single() end

---Returns an IEEE 754 number of 8 bytes.
---@return number
function DataReader:read_double() end

---Returns a GUID of 16 bytes, as "00112233-4455-6677-8899-aabbccddeeff".
---@return string
function DataReader:read_guid() end

---Returns a date of 8 bytes as whole seconds since 1970, for os.date, and the ticks of 100 ns after them.
---@return integer seconds
---@return integer ticks 0 to 9999999
function DataReader:read_date_time() end

---Returns a time span of 8 bytes as whole seconds, rounded down, and the ticks of 100 ns after them.
---@return integer seconds
---@return integer ticks 0 to 9999999
function DataReader:read_time_span() end

---Returns bytes.
---@param count integer
---@return string
function DataReader:read_bytes(count) end

---Returns a text as UTF-8. Raises an error if the bytes are not a text in unicode_encoding; they stay.
---@param code_unit_count integer bytes of UTF-8, or 16-bit units of UTF-16
---@return string
function DataReader:read_string(code_unit_count) end

---Returns everything that was not read. The object is then empty.
---@return string
function DataReader:detach_buffer() end

---Returns the stream, which close then leaves open.
---@return any
function DataReader:detach_stream() end

---Closes the object and its stream. A second call does nothing. Closing a stream of a socket does not close the connection.
---@return true|nil
---@return any message what the stream's close returned
---@return any err
function DataReader:close() end

---Returns everything that is not stored. The object is then empty.
---@return string
function DataWriter:detach_buffer() end

---Returns the stream, which close then leaves open.
---@return any
function DataWriter:detach_stream() end

---Closes the object and its stream. A second call does nothing. Closing a stream of a socket does not close the connection.
---@return true|nil
---@return any message what the stream's close returned
---@return any err
function DataWriter:close() end

---Writes a byte, 0 to 255.
---@param value integer
function DataWriter:write_byte(value) end

---Writes a byte, 1 or 0.
---@param value boolean
function DataWriter:write_boolean(value) end

---Writes a signed number of 2 bytes.
---@param value integer
function DataWriter:write_int16(value) end

---Writes a signed number of 4 bytes.
---@param value integer
function DataWriter:write_int32(value) end

---Writes a signed number of 8 bytes.
---@param value integer
function DataWriter:write_int64(value) end

---Writes an unsigned number of 2 bytes.
---@param value integer
function DataWriter:write_uint16(value) end

---Writes an unsigned number of 4 bytes.
---@param value integer
function DataWriter:write_uint32(value) end

---Writes an unsigned number of 8 bytes, at most 2^63 - 1.
---@param value integer
function DataWriter:write_uint64(value) end

---Writes an IEEE 754 number of 4 bytes, rounded to the nearest.
---@param value number
function DataWriter:write_single(value) end

---Writes an IEEE 754 number of 8 bytes.
---@param value number
function DataWriter:write_double(value) end

---Writes a GUID of 16 bytes, given as "00112233-4455-6677-8899-aabbccddeeff".
---@param value string
function DataWriter:write_guid(value) end

---Writes bytes.
---@param value string
function DataWriter:write_bytes(value) end

---Writes a date of 8 bytes.
---@param seconds number since 1970, with fractions
---@param ticks integer|nil 100 ns each, 0 to 9999999, which are added. Default 0
function DataWriter:write_date_time(seconds, ticks) end

---Writes a time span of 8 bytes.
---@param seconds number with fractions
---@param ticks integer|nil 100 ns each, 0 to 9999999, which are added. Default 0
function DataWriter:write_time_span(seconds, ticks) end

---Writes a text in unicode_encoding, without a length and without an end mark. Raises an error if it is not UTF-8.
---@param text string
---@return integer bytes
function DataWriter:write_string(text) end

---Returns the bytes that write_string needs for a text.
---@param text string
---@return integer bytes
function DataWriter:measure_string(text) end

---Writes everything to the stream in one write, so over an output_stream as one message. With nothing to store it writes nothing.
---@return integer|nil bytes
---@return any message what the stream's write returned
---@return any err
function DataWriter:store() end

---Calls the stream's flush. It does not store.
---@return true|nil
---@return any message what the stream's flush returned
---@return any err
function DataWriter:flush() end

return curlwire

# SPDX-License-Identifier: MIT
# The types of the extension module. scripts/stub_docs.py copies the docstrings from the built module.

import io
import os
import socket
import sys
import types
from asyncio import AbstractEventLoop
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from datetime import datetime, timedelta
from enum import IntEnum, IntFlag
from typing import Any, Literal, Self, TypeAlias, TypeVar, final, overload
from uuid import UUID

from _typeshed import ReadableBuffer, WriteableBuffer
from typing_extensions import Buffer, Unpack, disjoint_base

from curlwire.batching import Batch
from curlwire.cookies import Cookie
from curlwire.defaults import DEFAULT, Default
from curlwire.errors import WebSocketError
from curlwire.information import BandwidthStatistics, BuildInfo, ClosedEventArgs, Headers, Information
from curlwire.options import MessageOptions, Options
from curlwire.streams import InputStream, MessageStream, OutputStream
from curlwire.validation import ServerCustomValidationRequestedEventArgs
from curlwire.values import Readable, Writable

_Value = TypeVar("_Value")
_Timeout: TypeAlias = float | Default | None
_Headers: TypeAlias = Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str]]
_Soon: TypeAlias = Coroutine[Any, Any, _Value]  # what curlwire.aio awaits

version: str
libcurl_version: str
is_main_interpreter: bool

class WebErrorStatus(IntEnum):
    """The reason of a failure. Names and numbers are the same as in Windows.Web. HTTP statuses keep their
    own numbers.
    """

    UNKNOWN = 0
    CERTIFICATE_COMMON_NAME_IS_INCORRECT = 1
    CERTIFICATE_EXPIRED = 2
    CERTIFICATE_CONTAINS_ERRORS = 3
    CERTIFICATE_REVOKED = 4
    CERTIFICATE_IS_INVALID = 5
    SERVER_UNREACHABLE = 6
    TIMEOUT = 7
    ERROR_HTTP_INVALID_SERVER_RESPONSE = 8
    CONNECTION_ABORTED = 9
    CONNECTION_RESET = 10
    DISCONNECTED = 11
    HTTP_TO_HTTPS_ON_REDIRECTION = 12
    HTTPS_TO_HTTP_ON_REDIRECTION = 13
    CANNOT_CONNECT = 14
    HOST_NAME_NOT_RESOLVED = 15
    OPERATION_CANCELED = 16
    REDIRECT_FAILED = 17
    UNEXPECTED_STATUS_CODE = 18
    UNEXPECTED_REDIRECTION = 19
    UNEXPECTED_CLIENT_ERROR = 20
    UNEXPECTED_SERVER_ERROR = 21
    INSUFFICIENT_RANGE_SUPPORT = 22
    MISSING_CONTENT_LENGTH_SUPPORT = 23
    MULTIPLE_CHOICES = 300
    MOVED_PERMANENTLY = 301
    FOUND = 302
    SEE_OTHER = 303
    NOT_MODIFIED = 304
    USE_PROXY = 305
    TEMPORARY_REDIRECT = 307
    BAD_REQUEST = 400
    UNAUTHORIZED = 401
    PAYMENT_REQUIRED = 402
    FORBIDDEN = 403
    NOT_FOUND = 404
    METHOD_NOT_ALLOWED = 405
    NOT_ACCEPTABLE = 406
    PROXY_AUTHENTICATION_REQUIRED = 407
    REQUEST_TIMEOUT = 408
    CONFLICT = 409
    GONE = 410
    LENGTH_REQUIRED = 411
    PRECONDITION_FAILED = 412
    REQUEST_ENTITY_TOO_LARGE = 413
    REQUEST_URI_TOO_LONG = 414
    UNSUPPORTED_MEDIA_TYPE = 415
    REQUESTED_RANGE_NOT_SATISFIABLE = 416
    EXPECTATION_FAILED = 417
    INTERNAL_SERVER_ERROR = 500
    NOT_IMPLEMENTED = 501
    BAD_GATEWAY = 502
    SERVICE_UNAVAILABLE = 503
    GATEWAY_TIMEOUT = 504
    HTTP_VERSION_NOT_SUPPORTED = 505

class SocketMessageType(IntEnum):
    """The type of a message: BINARY (bytes) or UTF8 (text)."""

    BINARY = 0
    UTF8 = 1

class MessageWebSocketReceiveMode(IntEnum):
    """How messages are received: whole, or in parts as they arrive."""

    FULL_MESSAGE = 0
    PARTIAL_MESSAGE = 1

class ByteOrder(IntEnum):
    """The order of the bytes of a number."""

    LITTLE_ENDIAN = 0
    BIG_ENDIAN = 1

class UnicodeEncoding(IntEnum):
    """The encoding of texts in a DataReader or a DataWriter."""

    UTF8 = 0
    UTF16LE = 1
    UTF16BE = 2

class InputStreamOptions(IntFlag):
    """How DataReader.load() waits: for all bytes (NONE), or for one byte at least (PARTIAL). READ_AHEAD also
    lets it read more from the stream than was asked for.
    """

    NONE = 0
    PARTIAL = 1
    READ_AHEAD = 2

class _Control:
    @property
    def supported_protocols(self) -> tuple[str, ...]:
        """Subprotocols to offer to the server, in order of preference. Default ()."""
    @supported_protocols.setter
    def supported_protocols(self, value: Sequence[str] | None) -> None: ...
    no_delay: bool
    """Whether small writes are sent at once (TCP_NODELAY). Default True."""
    connect_timeout: float | None
    """Limit for all of connecting: name look-up, every address, proxy, TLS, opening handshake. Seconds,
    default 60; None = no limit.
    """
    send_timeout: float | None
    """How long a send may wait while the connection takes no byte. Seconds, default 30; None = no limit."""
    receive_timeout: float | None
    """Limit for a blocking receive or read; iterating and handlers wait without a limit. Seconds, default
    30; None = no limit.
    """
    close_timeout: float
    """Limit for the closing handshake; it starts when the server's system has received all data. Seconds,
    default 10.
    """
    ping_interval: float | None
    """A keepalive ping is sent this long after the last ping or the last data; 0: no pings. Seconds, default
    20; None = no pings.
    """
    ping_timeout: float | None
    """If nothing arrives for this long after a keepalive ping, the connection counts as lost. Seconds,
    default 20; None = no limit.
    """
    @property
    def ca_file(self) -> str | None:
        """PEM file of trusted certificates, used instead of the system's. Default None."""
    @ca_file.setter
    def ca_file(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def crl_file(self) -> str | None:
        """PEM file of revocation lists, one for each authority in the server's certificate chain. Default
        None.
        """
    @crl_file.setter
    def crl_file(self, value: str | os.PathLike[str] | None) -> None: ...
    verify: bool
    """Whether the server's certificate and name are checked; false also ignores ca_file, ca_path and
    crl_file. Default True.
    """
    @property
    def proxy_ca_file(self) -> str | None:
        """PEM file of trusted certificates for an https:// proxy; unset: the server's authorities. Default
        None.
        """
    @proxy_ca_file.setter
    def proxy_ca_file(self, value: str | os.PathLike[str] | None) -> None: ...
    proxy_verify: bool
    """Whether the certificate and name of an https:// proxy are checked, whatever verify says. Default True."""
    outbound_buffer_size: int
    """The kernel's send buffer (SO_SNDBUF), which the system may round; 0: the system adapts it. Bytes,
    default 0.
    """
    inbound_buffer_size: int
    """How much received data may wait in memory; above it reading stops, and TCP makes the server wait.
    Bytes, default 4194304.
    """
    framing: Literal["auto", "curl", "native"]
    """Which code makes frames: libcurl (curl) or our faster code (native); auto: native, where libcurl
    allows it. 'auto', 'curl' or 'native', default 'auto'.
    """
    compression: Literal["none", "deflate"]
    """deflate: offers to compress messages in both directions (RFC 7692); the server decides. 'none' or
    'deflate', default 'none'; needs libcurl 8.21.0.
    """
    server_max_window_bits: int
    """Window of the server's compressor, 2^n bytes; a smaller one saves memory and compresses less. 8 to 15,
    default 15.
    """
    client_max_window_bits: int
    """Window of our compressor, 2^n bytes; a smaller one saves memory and compresses less. 8 to 15, default
    15.
    """
    server_no_context_takeover: bool
    """Whether the server must compress each message without reference to earlier messages. Default False."""
    client_no_context_takeover: bool
    """Whether curlwire compresses each message without reference to earlier messages. Default False."""
    compression_threshold: int
    """Messages of fewer bytes are sent uncompressed. Bytes, default 128."""
    frame_size: int | None
    """A longer message is sent in frames of this size; a pong waits until the current frame is sent. Bytes,
    default 67108864; None = no cuts.
    """
    @property
    def ca_path(self) -> str | None:
        """Folder of trusted certificates that `openssl rehash` has prepared, used instead of the system's.
        Default None.
        """
    @ca_path.setter
    def ca_path(self, value: str | os.PathLike[str] | None) -> None: ...
    desired_unsolicited_pong_interval: float | None
    """A pong that no ping asked for is sent this often, when no data is arriving; 0: no such pongs. Seconds,
    default 0; None = no pongs.
    """
    @property
    def ping_payload(self) -> bytes | None:
        """What pings carry; unset: a number of eight bytes, which shows the ping that a pong answers. At
        most 125 bytes, default None.
        """
    @ping_payload.setter
    def ping_payload(self, value: bytes | bytearray | memoryview | None) -> None: ...
    @property
    def server_credential(self) -> str | None:
        """User name and password for the server (Basic authentication), in place of those in the URI. A
        tuple (user, password), read as the user alone; default None.
        """
    @server_credential.setter
    def server_credential(self, value: tuple[str, str] | None) -> None: ...
    @property
    def proxy_credential(self) -> str | None:
        """User name and password for the proxy, in place of those in the environment variable. A tuple
        (user, password), read as the user alone; default None.
        """
    @proxy_credential.setter
    def proxy_credential(self, value: tuple[str, str] | None) -> None: ...
    @property
    def client_certificate(self) -> str | None:
        """PEM file of the certificate that a server may ask for, and its chain; or a PKCS#12 file. Default
        None.
        """
    @client_certificate.setter
    def client_certificate(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def client_key(self) -> str | None:
        """PEM file of the key of client_certificate; unset: the key is in client_certificate. Default None."""
    @client_key.setter
    def client_key(self, value: str | os.PathLike[str] | None) -> None: ...
    client_key_password: str | None
    """Password of that key, or of the PKCS#12 file. A str, read as '(set)'. Default None."""
    client_certificate_type: Literal["pem", "p12"]
    """Form of client_certificate; p12: PKCS#12. 'pem' or 'p12', default 'pem'."""
    @property
    def ignorable_server_certificate_errors(self) -> tuple[str, ...]:
        """Errors of the server's certificate that do not end the connect; every other check is still made. A
        collection of 'Untrusted', 'IncompleteChain' or 'InvalidName'. Default ().
        """
    @ignorable_server_certificate_errors.setter
    def ignorable_server_certificate_errors(self, value: Collection[str] | None) -> None: ...
    follow_location: Literal["none", "all", "safe"]
    """Which redirects are followed, never from wss to ws; safe: none to an address that is less public.
    'none', 'all' or 'safe', default 'none'.
    """
    max_redirs: int
    """How many redirects a connect follows, one after another. Default 10."""
    http_auth: Literal["basic", "digest", "negotiate", "any", "ntlm"]
    """How the user name and password prove who the user is; basic: sent with the first request; ntlm: an
    error. 'basic', 'digest', 'negotiate', 'any' or 'ntlm', default 'basic'.
    """
    xoauth2_bearer: str | None
    """Access token for the server (Bearer authentication), in place of a user name and password. A str, read
    as '(set)'. Default None.
    """
    @property
    def netrc_file(self) -> str | None:
        """File of passwords by host (.netrc), for a URI and controls without a password. Default None."""
    @netrc_file.setter
    def netrc_file(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def user_agent(self) -> str | None:
        """Header User-Agent; unset: the names and versions of curlwire and libcurl. Default None."""
    @user_agent.setter
    def user_agent(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def origin(self) -> str | None:
        """Header Origin; unset: none is sent. Default None."""
    @origin.setter
    def origin(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def proxy(self) -> str | Literal[False] | None:
        """URI of the proxy for every host; unset: the environment names the proxy, and the hosts that need
        none. A str, read without user name and password; False = no proxy; True = None; default None.
        """
    @proxy.setter
    def proxy(self, value: str | bool | None) -> None: ...
    pre_proxy: str | None
    """URI of a SOCKS proxy in front of an http:// or https:// proxy. A str, read without user name and
    password; default None.
    """
    @property
    def proxy_headers(self) -> tuple[str, ...]:
        """Headers for an http:// or https:// proxy, which never gets the headers for the server. A mapping
        or pairs of str, read as the names alone; default ().
        """
    @proxy_headers.setter
    def proxy_headers(self, value: _Headers | None) -> None: ...
    @property
    def proxy_auth(self) -> tuple[str, ...]:
        """Logins for an http:// or https:// proxy, of which it chooses one; unset: basic. A collection of
        'basic', 'digest', 'negotiate' or 'ntlm'. Default ().
        """
    @proxy_auth.setter
    def proxy_auth(self, value: Collection[str] | None) -> None: ...
    @property
    def ca_data(self) -> bytes | None:
        """Trusted certificates as PEM, in place of ca_file. At most 4194304 bytes, default None."""
    @ca_data.setter
    def ca_data(self, value: bytes | bytearray | memoryview | None) -> None: ...
    @property
    def pinned_public_key(self) -> str | None:
        """The server's public key: 'sha256//' and its hash in base64, several joined by ';', or a PEM or DER
        file. Default None.
        """
    @pinned_public_key.setter
    def pinned_public_key(self, value: str | os.PathLike[str] | None) -> None: ...
    tls_min_version: Literal["1.2", "1.3"]
    """Oldest version of TLS that the server may use. '1.2' or '1.3', default '1.2'."""
    tls_max_version: Literal["1.2", "1.3"]
    """Newest version of TLS that the server may use. '1.2' or '1.3', default '1.3'."""
    @property
    def tls_ciphers(self) -> str | None:
        """Ciphers for TLS 1.2, in the form of the TLS library; OpenSSL: names with ':' between them. Default
        None.
        """
    @tls_ciphers.setter
    def tls_ciphers(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def tls13_ciphers(self) -> str | None:
        """Ciphers for TLS 1.3, names with ':' between them. Default None."""
    @tls13_ciphers.setter
    def tls13_ciphers(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def tls_groups(self) -> str | None:
        """Groups (curves) for the key exchange, names with ':' between them. Default None."""
    @tls_groups.setter
    def tls_groups(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def client_certificate_data(self) -> str | None:
        """What the file client_certificate would have, in place of it. At most 1048576 bytes, read as
        '(set)'; default None.
        """
    @client_certificate_data.setter
    def client_certificate_data(self, value: bytes | bytearray | memoryview | None) -> None: ...
    @property
    def client_key_data(self) -> str | None:
        """What the file client_key would have, in place of it. At most 1048576 bytes, read as '(set)';
        default None.
        """
    @client_key_data.setter
    def client_key_data(self, value: bytes | bytearray | memoryview | None) -> None: ...
    @property
    def tls_server_name(self) -> str | None:
        """Host name that TLS asks for (SNI) and that the certificate must list; unset: the host of the URI.
        Default None.
        """
    @tls_server_name.setter
    def tls_server_name(self, value: str | os.PathLike[str] | None) -> None: ...
    ocsp_stapling: bool
    """Whether the server must show with its certificate that the certificate is not revoked. Default False."""
    tls_session_resumption: bool
    """Whether a connect may resume a TLS session of an earlier connect, which has checked the certificate.
    Default False.
    """
    @property
    def unix_socket_path(self) -> str | None:
        """Path of the Unix socket to connect to, in place of the URI's host and port. Default None."""
    @unix_socket_path.setter
    def unix_socket_path(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def abstract_unix_socket(self) -> str | None:
        """Name of the abstract Unix socket to connect to, without a NUL in front (Linux only). Default None."""
    @abstract_unix_socket.setter
    def abstract_unix_socket(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def interface(self) -> str | None:
        """Where the connection leaves: a network interface or a local address; also if!NAME, host!ADDRESS,
        ifhost!NAME!ADDRESS. Default None.
        """
    @interface.setter
    def interface(self, value: str | os.PathLike[str] | None) -> None: ...
    local_port: int
    """Local port of the connection; 0: the system chooses one. Default 0."""
    local_port_range: int
    """How many ports to try, from local_port upwards. Default 1."""
    @property
    def resolve(self) -> tuple[str, ...]:
        """Addresses of hosts, in place of a name look-up: HOST:PORT:ADDRESS[,ADDRESS]. Default ()."""
    @resolve.setter
    def resolve(self, value: Sequence[str] | None) -> None: ...
    @property
    def connect_to(self) -> tuple[str, ...]:
        """Where to connect in place of a host and port: HOST1:PORT1:HOST2:PORT2; an empty part means any, or
        no change. Default ().
        """
    @connect_to.setter
    def connect_to(self, value: Sequence[str] | None) -> None: ...
    happy_eyeballs_timeout: float
    """How long one address of a host may be silent before the next is tried beside it. Seconds, default 0.2."""
    tcp_keepalive: bool
    """Whether the system sends TCP keepalive probes; pings of ping_interval need no TCP keepalive. Default
    False.
    """
    tcp_keepidle: float
    """With tcp_keepalive: how long the connection is idle before the first probe, in whole seconds. Seconds,
    default 60.
    """
    tcp_keepintvl: float
    """With tcp_keepalive: time between two probes, in whole seconds. Seconds, default 60."""
    tcp_keepcnt: int
    """With tcp_keepalive: after so many probes without an answer the connection counts as lost. Default 9."""
    tcp_user_timeout: float
    """How long sent data may stay without acknowledgement before the connection counts as lost (Linux only);
    0: the system's. Seconds, default 0.
    """
    dscp: int
    """Class of the packets for routers (RFC 2474), such as 46 for expedited forwarding; 0: none. Default 0."""
    @property
    def doh_url(self) -> str | None:
        """URL of a DNS-over-HTTPS server that looks the host up, in place of the system's resolver:
        https://host/path. Default None.
        """
    @doh_url.setter
    def doh_url(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def curl_options(self) -> dict[str, int | str]:
        """Other options of libcurl, by name without CURLOPT_, from a list of options that are safe. A dict
        of int and str. Default {}.
        """
    @curl_options.setter
    def curl_options(self, value: dict[str, int | str] | dict[str, int] | dict[str, str] | None) -> None: ...
    @property
    def trace_file(self) -> str | None:
        """File that gets a trace of the connection: a line for each frame and header, with secrets masked.
        Default None.
        """
    @trace_file.setter
    def trace_file(self, value: str | os.PathLike[str] | None) -> None: ...
    trace_payload: int
    """How much of a frame's payload a trace shows; 0: nothing. Bytes, default 64."""
    @property
    def trace_secret_headers(self) -> tuple[str, ...]:
        """Names of further headers whose values a trace masks. Default ()."""
    @trace_secret_headers.setter
    def trace_secret_headers(self, value: Sequence[str] | None) -> None: ...
    @property
    def cookie_file(self) -> str | None:
        """File of cookies to send, in Netscape's form; it is only read. Default None."""
    @cookie_file.setter
    def cookie_file(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def cookie_jar(self) -> CookieJar | str | None:
        """A CookieJar, which sockets may share, or a file of cookies that is read before and written after
        the handshake. Default None.
        """
    @cookie_jar.setter
    def cookie_jar(self, value: CookieJar | str | os.PathLike[str] | None) -> None: ...
    @property
    def proxy_client_certificate(self) -> str | None:
        """PEM file of the certificate that an https:// proxy may ask for, and its chain; or a PKCS#12 file.
        Default None.
        """
    @proxy_client_certificate.setter
    def proxy_client_certificate(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def proxy_client_key(self) -> str | None:
        """PEM file of the key of proxy_client_certificate; unset: the key is in proxy_client_certificate.
        Default None.
        """
    @proxy_client_key.setter
    def proxy_client_key(self, value: str | os.PathLike[str] | None) -> None: ...
    proxy_client_key_password: str | None
    """Password of that key, or of the PKCS#12 file. A str, read as '(set)'. Default None."""
    keepalive: Literal["idle", "ping", "pong", "off"]
    """idle: pings while no data arrives; ping: pings at every ping_interval; pong: unsolicited pongs
    instead; off: neither. 'idle', 'ping', 'pong' or 'off', default 'idle'.
    """
    send_high_water_mark: int
    """How much the socket queues for sends that do not wait; an empty queue takes one message of any size.
    Bytes, default 262144.
    """
    send_low_water_mark: int
    """on_writable is called when the queue has fallen to this size; at most half of send_high_water_mark
    counts. Bytes, default 131072.
    """
    proxy_client_certificate_type: Literal["pem", "p12"]
    """Form of proxy_client_certificate; p12: PKCS#12. 'pem' or 'p12', default 'pem'."""
    @property
    def proxy_client_certificate_data(self) -> str | None:
        """What the file proxy_client_certificate would have, in place of it. At most 1048576 bytes, read as
        '(set)'; default None.
        """
    @proxy_client_certificate_data.setter
    def proxy_client_certificate_data(self, value: bytes | bytearray | memoryview | None) -> None: ...
    @property
    def proxy_client_key_data(self) -> str | None:
        """What the file proxy_client_key would have, in place of it. At most 1048576 bytes, read as '(set)';
        default None.
        """
    @proxy_client_key_data.setter
    def proxy_client_key_data(self, value: bytes | bytearray | memoryview | None) -> None: ...
    @property
    def actual_unsolicited_pong_interval(self) -> float:
        """How often the socket sends unsolicited pongs now. Seconds, a float: as keepalive and
        desired_unsolicited_pong_interval say while the connection is open, else 0. Read-only.
        """

@final
class StreamWebSocketControl(_Control):
    """The options of a socket, as attributes. A change after connect() raises StateError."""

@final
class MessageWebSocketControl(_Control):
    """The options of a socket, as attributes. A change after connect() raises StateError."""
    @property
    def message_type(self) -> SocketMessageType:
        """Type of the messages that output_stream and the frame calls send; may be set at any time. 'binary'
        or 'utf8', default 'binary'.
        """
    @message_type.setter
    def message_type(self, value: SocketMessageType | Literal["binary", "utf8"]) -> None: ...
    @property
    def receive_mode(self) -> MessageWebSocketReceiveMode:
        """full: whole messages; partial: parts of messages, as they arrive. 'full' or 'partial', default
        'full'.
        """
    @receive_mode.setter
    def receive_mode(self, value: MessageWebSocketReceiveMode | Literal["full", "partial"]) -> None: ...
    max_message_size: int | None
    """In full mode, a larger message fails the connection with close code 1009. Bytes, default 67108864;
    None = no limit.
    """
    max_fragments: int | None
    """In full mode, a message in more fragments fails the connection with close code 1008. Default 131072;
    None = no limit.
    """

@disjoint_base
class MessageBuffer(Buffer):
    """A received message, or a part of one, as a read-only buffer without a copy.

    Use it in memoryview(m), bytes(m), str(m, 'utf-8'), len(m) and every call that takes a buffer.
    """
    @property
    def data(self) -> str | bytes:
        """A copy of the payload: str for text, bytes for binary. In partial mode always bytes. Any thread
        may read it.
        """
    @property
    def message_type(self) -> SocketMessageType:
        """The SocketMessageType of the message. Any thread may read it."""
    @property
    def is_message_complete(self) -> bool:
        """True for a whole message, and in partial mode for its last part. Any thread may read it."""
    def __len__(self) -> int: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class MessageReceivedEventArgs(MessageBuffer):
    """The message that on_message_received gets. The handler may keep it after it returns."""
    @property
    def buffer(self) -> memoryview:
        """A memoryview of the payload, without a copy. Any thread may read it."""
    def get_data_reader(self) -> DataReader:
        """Returns a new DataReader of the payload, without a copy. All its bytes are loaded.

        In partial mode the payload is a part of the message. Each call returns a reader that begins at the
        start, also after the handler has returned. Does not block. Any thread may call it.
        """
    def get_data_stream(self) -> io.BytesIO:
        """Returns a new io.BytesIO of the payload: a file object with a copy of the bytes, also for text.

        In partial mode the payload is a part of the message. Each call returns a stream that begins at the
        start, also after the handler has returned. Does not block. Any thread may call it.
        """

@final
class DataReader:
    """Reads numbers, texts and other values from the bytes of a stream.

    stream: a binary file object with read(), such as ws.input_stream. The reader owns it: close()
    closes it, unless detach_stream() was called. DataReader.from_buffer(data) reads memory.
    load() gets bytes from the stream. The read methods take loaded bytes, do not block, and take
    nothing if they raise. After close() they raise StateError.
    """
    def __new__(cls, stream: Readable) -> Self: ...
    @classmethod
    def from_buffer(cls, data: ReadableBuffer, /) -> DataReader:
        """Returns a DataReader of a bytes-like object. All its bytes are loaded.

        The object is not copied. A bytearray keeps its size as long as the reader uses it. Does not block. Any
        thread may call it.
        """
    @property
    def unconsumed_buffer_length(self) -> int:
        """The number of bytes that are loaded and not yet read, an int. Any thread may read it."""
    @property
    def byte_order(self) -> ByteOrder:
        """The ByteOrder of numbers, GUIDs, dates and time spans. Default BIG_ENDIAN. The words
        'little_endian' and 'big_endian' set it too.
        """
    @byte_order.setter
    def byte_order(self, value: ByteOrder | Literal["little_endian", "big_endian"]) -> None: ...
    @property
    def unicode_encoding(self) -> UnicodeEncoding:
        """The UnicodeEncoding of texts. Default UTF8. The words 'utf8', 'utf16le' and 'utf16be' set it too."""
    @unicode_encoding.setter
    def unicode_encoding(self, value: UnicodeEncoding | Literal["utf8", "utf16le", "utf16be"]) -> None: ...
    @property
    def input_stream_options(self) -> InputStreamOptions:
        """How load() waits, as InputStreamOptions. Default NONE. The words 'none', 'partial' and
        'read_ahead' set it too.
        """
    @input_stream_options.setter
    def input_stream_options(
        self, value: InputStreamOptions | Literal["none", "partial", "read_ahead"]
    ) -> None: ...
    def load(self, count: int, /) -> int:
        """Reads bytes from the stream, so that the read methods can take them. Returns their number, an int.

        count: an int, the bytes to load beyond those that are loaded already.
        With the options NONE it returns less than count only at the end of the stream. With PARTIAL it
        returns as soon as it has one byte. 0 means the end of the stream.
        Raises StateError without a stream, and what the stream's read() raises. After an exception no byte
        is lost: the next load() gets those that had arrived. Blocks as the stream does.
        Any thread may call it, one at a time.
        """
    def read_byte(self) -> int:
        """Returns a byte as an int. Raises EOFError if fewer than 1 byte are loaded, and StateError after
        close(). Does not block. Any thread may call it, one at a time.
        """
    def read_bytes(self, count: int, /) -> bytes:
        """Returns count bytes, as bytes. Raises EOFError if fewer than count bytes are loaded, and
        StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_bytes_into(self, buffer: WriteableBuffer, /) -> None:
        """Fills a writable bytes-like object completely. Raises EOFError if fewer than len(buffer) bytes are
        loaded, and StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_buffer(self, count: int, /) -> memoryview:
        """Returns count bytes as a memoryview of their own copy. Raises EOFError if fewer than count bytes
        are loaded, and StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_boolean(self) -> bool:
        """Returns a byte as a bool: True if it is not 0. Raises EOFError if fewer than 1 byte are loaded,
        and StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_int16(self) -> int:
        """Returns a signed number of 2 bytes, an int. Raises EOFError if fewer than 2 bytes are loaded, and
        StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_int32(self) -> int:
        """Returns a signed number of 4 bytes, an int. Raises EOFError if fewer than 4 bytes are loaded, and
        StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_int64(self) -> int:
        """Returns a signed number of 8 bytes, an int. Raises EOFError if fewer than 8 bytes are loaded, and
        StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_uint16(self) -> int:
        """Returns an unsigned number of 2 bytes, an int. Raises EOFError if fewer than 2 bytes are loaded,
        and StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_uint32(self) -> int:
        """Returns an unsigned number of 4 bytes, an int. Raises EOFError if fewer than 4 bytes are loaded,
        and StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_uint64(self) -> int:
        """Returns an unsigned number of 8 bytes, an int. Raises EOFError if fewer than 8 bytes are loaded,
        and StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_single(self) -> float:
        """Returns an IEEE 754 number of 4 bytes, a float. Raises EOFError if fewer than 4 bytes are loaded,
        and StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_double(self) -> float:
        """Returns an IEEE 754 number of 8 bytes, a float. Raises EOFError if fewer than 8 bytes are loaded,
        and StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def read_guid(self) -> UUID:
        """Returns a GUID of 16 bytes, a uuid.UUID. byte_order applies to its first three fields. Raises
        EOFError if fewer than 16 bytes are loaded, and StateError after close(). Does not block. Any
        thread may call it, one at a time.
        """
    def read_date_time(self) -> datetime:
        """Returns a date of 8 bytes, a datetime in UTC.

        The bytes count ticks of 100 ns since 1601. The datetime is rounded down to microseconds. Raises
        ArgumentError for a date outside the years 1 to 9999, and leaves its bytes. Raises EOFError if fewer
        than 8 bytes are loaded, and StateError after close(). Does not block. Any thread may call it, one at a
        time.
        """
    def read_time_span(self) -> timedelta:
        """Returns a time span of 8 bytes, a timedelta.

        The bytes count ticks of 100 ns. The timedelta is rounded down to microseconds. Raises EOFError if fewer
        than 8 bytes are loaded, and StateError after close(). Does not block. Any thread may call it, one at a
        time.
        """
    def read_string(self, code_unit_count: int, /) -> str:
        """Returns the next text, a str.

        code_unit_count: an int, the bytes of a text in UTF-8, or the 16-bit units of a text in UTF-16.
        unicode_encoding is the encoding. A byte order mark counts as a character.
        Raises EOFError if fewer bytes are loaded, and UnicodeDecodeError if they are not a text in that
        encoding; read_bytes() can then read them. Does not block. Any thread may call it, one at a time.
        """
    def detach_buffer(self) -> bytes:
        """Returns all bytes that were not read, also those that were read ahead, as bytes. The reader is then
        empty.

        Raises StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def detach_stream(self) -> Any:
        """Returns the stream. close() then leaves it open. Loaded bytes can still be read.

        Bytes that were read ahead stay in the reader: detach_buffer() returns them. Raises StateError after
        close(), and without a stream. Does not block. Any thread may call it, one at a time.
        """
    def close(self) -> None:
        """Closes the reader and its stream. A second call does nothing.

        Closing a stream of a socket does not close the connection. Raises what the stream's close() raises, and
        blocks as it does. Any thread may call it.
        """
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...

@final
class DataWriter:
    """Makes bytes of numbers, texts and other values, and writes them to a stream.

    stream: a binary file object with write(), such as ws.output_stream. The writer owns it: close()
    closes it, unless detach_stream() was called. None: detach_buffer() returns the bytes.
    The write methods fill memory. store() writes all of it to the stream. The write methods raise
    TypeError for a wrong type, and ArgumentError for a value that does not fit; they then write
    nothing. After close() they raise StateError.
    """
    def __new__(cls, stream: Writable | None = None) -> Self: ...
    @property
    def unstored_buffer_length(self) -> int:
        """The number of bytes that are written and not yet stored, an int. Any thread may read it."""
    @property
    def byte_order(self) -> ByteOrder:
        """The ByteOrder of numbers, GUIDs, dates and time spans. Default BIG_ENDIAN. The words
        'little_endian' and 'big_endian' set it too.
        """
    @byte_order.setter
    def byte_order(self, value: ByteOrder | Literal["little_endian", "big_endian"]) -> None: ...
    @property
    def unicode_encoding(self) -> UnicodeEncoding:
        """The UnicodeEncoding of texts. Default UTF8. The words 'utf8', 'utf16le' and 'utf16be' set it too."""
    @unicode_encoding.setter
    def unicode_encoding(self, value: UnicodeEncoding | Literal["utf8", "utf16le", "utf16be"]) -> None: ...
    def write_byte(self, value: int, /) -> None:
        """Writes an int of 0 to 255 as a byte. Raises TypeError for another type, ArgumentError if it does
        not fit, and StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def write_bytes(self, value: ReadableBuffer, /) -> None:
        """Writes a bytes-like object. Raises TypeError for another type, and StateError after close(). Does
        not block. Any thread may call it, one at a time.
        """
    def write_buffer(self, buffer: ReadableBuffer, start: int = 0, count: int | None = None) -> None:
        """Writes a bytes-like object, or a part of it.

        start: an int, the first byte. Default 0.
        count: an int, the number of bytes. Default None: up to the end.
        Raises TypeError for another type, ArgumentError for a part that the object does not have, and
        StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def write_boolean(self, value: bool, /) -> None:
        """Writes a bool as a byte, 1 or 0. Raises TypeError for another type, and StateError after close().
        Does not block. Any thread may call it, one at a time.
        """
    def write_int16(self, value: int, /) -> None:
        """Writes an int as a signed number of 2 bytes. Raises TypeError for another type, ArgumentError if
        it does not fit, and StateError after close(). Does not block. Any thread may call it, one at a
        time.
        """
    def write_int32(self, value: int, /) -> None:
        """Writes an int as a signed number of 4 bytes. Raises TypeError for another type, ArgumentError if
        it does not fit, and StateError after close(). Does not block. Any thread may call it, one at a
        time.
        """
    def write_int64(self, value: int, /) -> None:
        """Writes an int as a signed number of 8 bytes. Raises TypeError for another type, ArgumentError if
        it does not fit, and StateError after close(). Does not block. Any thread may call it, one at a
        time.
        """
    def write_uint16(self, value: int, /) -> None:
        """Writes an int as an unsigned number of 2 bytes. Raises TypeError for another type, ArgumentError
        if it does not fit, and StateError after close(). Does not block. Any thread may call it, one at a
        time.
        """
    def write_uint32(self, value: int, /) -> None:
        """Writes an int as an unsigned number of 4 bytes. Raises TypeError for another type, ArgumentError
        if it does not fit, and StateError after close(). Does not block. Any thread may call it, one at a
        time.
        """
    def write_uint64(self, value: int, /) -> None:
        """Writes an int as an unsigned number of 8 bytes. Raises TypeError for another type, ArgumentError
        if it does not fit, and StateError after close(). Does not block. Any thread may call it, one at a
        time.
        """
    def write_single(self, value: float, /) -> None:
        """Writes a float as an IEEE 754 number of 4 bytes, rounded to the nearest. Raises TypeError for
        another type, ArgumentError if it does not fit, and StateError after close(). Does not block. Any
        thread may call it, one at a time.
        """
    def write_double(self, value: float, /) -> None:
        """Writes a float as an IEEE 754 number of 8 bytes. Raises TypeError for another type, and StateError
        after close(). Does not block. Any thread may call it, one at a time.
        """
    def write_guid(self, value: UUID, /) -> None:
        """Writes a uuid.UUID as 16 bytes. byte_order applies to its first three fields. Raises TypeError for
        another type, and StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def write_date_time(self, value: datetime, /) -> None:
        """Writes a datetime with a timezone as 8 bytes: ticks of 100 ns since 1601, UTC.

        Raises ArgumentError for a datetime without a timezone, TypeError for another type, and StateError after
        close(). Does not block. Any thread may call it, one at a time.
        """
    def write_time_span(self, value: timedelta, /) -> None:
        """Writes a timedelta as 8 bytes: ticks of 100 ns.

        Raises ArgumentError for more than 29,227 years, TypeError for another type, and StateError after
        close(). Does not block. Any thread may call it, one at a time.
        """
    def write_string(self, value: str, /) -> int:
        """Writes a str in unicode_encoding, and returns its size in bytes, an int.

        It writes no length, no byte order mark and no end mark. Raises ArgumentError for a lone surrogate,
        TypeError for another type, and StateError after close(). Does not block. Any thread may call it, one at
        a time.
        """
    def measure_string(self, value: str, /) -> int:
        """Returns the bytes that write_string() needs for a str, an int. Raises as write_string() does. Does
        not block. Any thread may call it, one at a time.
        """
    def store(self) -> int:
        """Writes everything to the stream, and returns the number of bytes, an int.

        It is one write, so over an output_stream one message. With nothing to store it writes nothing.
        Raises StateError without a stream, and what the stream's write() raises. After an exception the
        bytes that the stream has not taken stay: unstored_buffer_length is their number.
        Blocks as the stream does. Any thread may call it, one at a time.
        """
    def flush(self) -> None:
        """Calls flush() of the stream. It does not store.

        Raises StateError without a stream. Blocks as the stream does. Any thread may call it, one at a time.
        """
    def detach_buffer(self) -> bytes:
        """Returns everything that is not stored, as bytes. The writer is then empty.

        Raises StateError after close(). Does not block. Any thread may call it, one at a time.
        """
    def detach_stream(self) -> Any:
        """Returns the stream. close() then leaves it open, and store() raises StateError.

        Raises StateError after close(), and without a stream. Does not block. Any thread may call it, one at a
        time.
        """
    def close(self) -> None:
        """Closes the writer and its stream. A second call does nothing.

        Bytes that are not stored are dropped, with a ResourceWarning. Closing a stream of a socket does not
        close the connection. Raises what the stream's close() raises, and blocks as it does. Any thread may
        call it.
        """
    def __enter__(self) -> Self: ...
    def __exit__(self, *args: object) -> None: ...

@final
class CookieJar:
    """Cookies that servers set and that the program sets. Sockets share it by the control cookie_jar.

    path: a file in Netscape's form, whose cookies the jar begins with, if it exists. The jar writes the
    file when a handshake has changed the cookies, by save(), and when it is freed; an error then shows
    nowhere. None: in memory only. Iterating gives each Cookie. A jar holds at most 3,000 cookies.
    Raises WebSocketError with os_errno if the file cannot be read or its folder cannot be written, and
    ArgumentError if it is not a cookie file. Any thread may use it. After fork() the child needs a jar
    of its own.
    """
    def __init__(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None = None) -> None: ...
    def __iter__(self) -> Iterator[Cookie]: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def set(
        self,
        name: str,
        value: str,
        domain: str,
        *,
        path: str = "/",
        expires: float | None = None,
        secure: bool = False,
        http_only: bool = False,
        include_subdomains: bool = False,
    ) -> None:
        """Sets a cookie. It replaces the cookie of the same name, domain and path.

        domain: a host name in ASCII, or an IP address. expires: seconds since 1970; None = a session
        cookie; a time that has passed removes the cookie. secure: the cookie goes out over wss only, and to
        this machine. include_subdomains: the subdomains of domain get it too.
        Raises ArgumentError, which shows nothing of the value, and StateError if the jar is full. Does not
        block. Any thread may call it.
        """
    def clear(self) -> None:
        """Removes all cookies. Raises StateError in a child after fork(). Does not block. Any thread may
        call it.
        """
    def clear_session_cookies(self) -> None:
        """Removes the cookies whose life no time ends. Raises StateError in a child after fork(). Does not
        block. Any thread may call it.
        """
    def load(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes], /) -> None:
        """Adds the cookies of a file in Netscape's form, in place of those of the same name, domain and path.

        Raises WebSocketError with os_errno if the file cannot be read, and ArgumentError if it is not a
        cookie file; then it adds nothing. Blocks while it reads. Any thread may call it.
        """
    def save(self, path: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None = None) -> None:
        """Writes the cookies to a file, which only its owner can read, and replaces it as a whole.

        path: None = the file of the jar. Raises WebSocketError with os_errno if the file cannot be
        written, and ArgumentError without a file. Blocks while it writes. Any thread may call it.
        """

@disjoint_base
class WebSocket:
    """The base class of MessageWebSocket and StreamWebSocket. Create one of those.

    An open socket without handlers is closed, with a ResourceWarning, when the last reference to it
    is dropped. An open socket with handlers stays alive until its closed event has been handled.
    run_forever() waits for that.
    """
    @property
    def uri(self) -> str | None:
        """The URI that was passed to connect(), or None. Any thread may read it."""
    @property
    def effective_uri(self) -> str | None:
        """The URI that redirects have led to (control.follow_location), without user name and password;
        without a redirect, the same as uri. None before connect(). Any thread may read it.
        """
    @property
    def _server_certificate_errors(self) -> str | None:
        """What was wrong with the server's certificate, as text; None if nothing was."""
    @property
    def _server_certificate_error_severity(self) -> Literal["none", "ignorable", "fatal"] | None:
        """How bad that is, or None if the server has sent no certificate."""
    @property
    def _tls_version(self) -> str | None: ...
    @property
    def _tls_cipher(self) -> str | None: ...
    @property
    def _tls_alpn(self) -> str | None: ...
    @property
    def _tls_resumed(self) -> Literal["yes", "no"] | None: ...
    @property
    def _timings(
        self,
    ) -> tuple[float | None, float | None, float | None, float | None, float | None, float | None]: ...
    @property
    def _statistics(self) -> tuple[Any, ...]:
        """What curlwire has counted for this socket: the arguments of Statistics."""
    @property
    def _certificate_chain(self) -> list[bytes]:
        """The certificates that the server sent: a list of bytes in DER, the server's own first."""
    @property
    def _public_uri(self) -> str | None:
        """The URI without user name, password and query, for logs; None before connect()."""
    @property
    def protocol(self) -> str | None:
        """The subprotocol that the server chose, or None. Any thread may read it."""
    @property
    def extensions(self) -> str | None:
        """The extension that the server accepted, such as 'permessage-deflate; client_max_window_bits=12',
        or None. Any thread may read it.
        """
    @property
    def local_address(self) -> str | None:
        """The local end of the connection as 'address:port'; None before connecting. Any thread may read it."""
    @property
    def remote_address(self) -> str | None:
        """The address of the server, or of the proxy, as 'address:port'; None before connecting. Any thread
        may read it.
        """
    @property
    def framing(self) -> Literal["curl", "native", "mixed"] | None:
        """The code that makes and reads the frames: 'native' (curlwire), 'curl' (libcurl), or 'mixed'
        (curlwire sends, libcurl receives). None before connecting. Any thread may read it.
        """
    @property
    def authorities(self) -> str | None:
        """The certificates of authorities that the server's certificate is checked by, with what names them:
        'system: /etc/ssl/certs/ca-certificates.crt'. None if no certificate is checked. Any thread may
        read it.
        """
    @property
    def response_headers(self) -> Headers:
        """The headers of the server's reply, a Headers mapping; empty before it has come. Names ignore case.
        Any thread may read it.
        """
    @property
    def state(self) -> Literal["new", "connecting", "open", "closing", "closed"]:
        """The state: 'new', 'connecting', 'open', 'closing' or 'closed'. Any thread may read it."""
    @property
    def buffered_amount(self) -> int:
        """How many bytes of messages wait in the socket: an int. A call that does not wait, or a batch, has
        accepted them, and the kernel has not taken them yet. The headers of frames may count too. With
        libcurl's framing and over TLS, libcurl may hold up to 64 KiB more. Any thread may read it.
        """
    @property
    def _latency(self) -> tuple[float | None, float | None, float | None, float | None]: ...
    @property
    def close_code(self) -> int | None:
        """The peer's close code, an int; None before the connection has ended. 1005 if the peer gave no
        code, 1006 if the connection was lost. Any thread may read it.
        """
    @property
    def close_reason(self) -> str:
        """The peer's close reason, or a text about how the connection was lost, a str; '' before the
        connection has ended. Any thread may read it.
        """
    @property
    def was_clean(self) -> bool:
        """Whether both close frames were exchanged, a bool; False before the connection has ended. Any
        thread may read it.
        """
    @property
    def control(self) -> _Control:
        """The options of this socket, as attributes. Any thread may use it."""
    @property
    def on_closed(self) -> Callable[[Self, ClosedEventArgs], object] | None:
        """The handler for the end of the connection, f(ws, args), or None. args is a ClosedEventArgs. The
        dispatcher thread calls the handler once, even if it is set after that end. An open socket with a
        handler stays alive until that call. Any thread may set the handler.
        """
    @on_closed.setter
    def on_closed(self, value: Callable[[Self, ClosedEventArgs], object] | None) -> None: ...
    @property
    def on_trace(self) -> Callable[[Self, str], object] | None:
        """The handler for the lines of the connection's trace, f(ws, line), or None. line is a str. The
        dispatcher thread calls the handler. Set it before connect() to see the opening handshake too. It
        keeps no socket alive. If it is too slow, lines are dropped, and a line says how many. Secrets are
        masked, payloads are not. Any thread may set the handler.
        """
    @on_trace.setter
    def on_trace(self, value: Callable[[Self, str], object] | None) -> None: ...
    @property
    def on_server_custom_validation_requested(
        self,
    ) -> Callable[[Self, ServerCustomValidationRequestedEventArgs], object] | None:
        """The handler that may reject the server's certificate, f(ws, args), or None. args is a
        ServerCustomValidationRequestedEventArgs. A connect over wss calls the handler once for each
        server (redirects lead to others), after all other checks have passed and before a byte of the
        request is sent. It runs in the dispatcher thread while connect() waits. If a handler calls
        connect(), it runs inside that connect(). An exception that leaves it rejects the certificate.
        Setting it raises StateError after connect() has begun. Any thread may set it.
        """
    @on_server_custom_validation_requested.setter
    def on_server_custom_validation_requested(
        self, value: Callable[[Self, ServerCustomValidationRequestedEventArgs], object] | None
    ) -> None: ...
    @property
    def information(self) -> Information:
        """An Information object with uri, effective_uri, protocol, extensions, local_address,
        remote_address, framing, authorities, response_headers, bandwidth_statistics, statistics, latency,
        tls, timings, state, server_certificate, server_intermediate_certificates,
        server_certificate_errors and server_certificate_error_severity. Any thread may read it.
        """
    @property
    def bandwidth_statistics(self) -> BandwidthStatistics:
        """The speed of the connection, a BandwidthStatistics. Any thread may read it."""
    @property
    def output_stream(self) -> OutputStream:
        """A new OutputStream (an io.RawIOBase). Each write sends one message. Any thread may use it."""
    def connect(self, uri: str, timeout: _Timeout = DEFAULT) -> None:
        """Connects to a WebSocket server.

        uri: a str that begins with ws:// or wss://.
        timeout: seconds for the whole connect. None = no limit; the default is control.connect_timeout.
        Raises ConnectError or a subclass (HandshakeError, CertificateError, ConnectTimeout) if the
        connect fails, ArgumentError for a bad URI, StateError for a socket that is not new.
        Blocks until connected. Any thread may call it. close() in another thread cancels it.
        """
    def set_request_header(self, name: str, value: str) -> None:
        """Sets a header of the opening handshake and replaces all headers of that name.

        name: a str. value: a str; '' removes the header.
        Raises ArgumentError for a header that the WebSocket protocol sets, and for control characters.
        Also raises it for a value over 256 KiB, and for more than 512 KiB of headers. Raises StateError
        after connect() has begun. Does not block. Any thread may call it.
        """
    def add_request_header(self, name: str, value: str) -> None:
        """Adds a header to the opening handshake and keeps others of the same name.

        name: a str. value: a str; '' sends an empty header.
        Raises as set_request_header() does. It also raises ArgumentError for a second header of a name
        that a request may have only once. Examples: Host, Origin, Authorization, Cookie, User-Agent.
        Does not block. Any thread may call it.
        """
    def set_connected_socket(self, sock: socket.socket | int | None) -> None:
        """Gives the connection for the next connect(), which then connects to no address and uses no proxy.

        sock: a connected socket.socket, which the method closes, because the WebSocket has the connection
        now. Or an int, a descriptor that the caller keeps and may close. None takes the last one back.
        Raises ArgumentError if it is not connected, TypeError for an ssl.SSLSocket: curlwire makes TLS
        itself for a wss:// URI. Raises StateError after connect() has begun. Does not block.
        Any thread may call it.
        """
    def ping(self, timeout: _Timeout = DEFAULT) -> float:
        """Sends a ping, waits for its pong, and returns the round-trip time in seconds, a float.

        timeout: seconds. None = no limit; the default is control.ping_timeout.
        Raises WebSocketTimeout, ConnectionClosed, StateError. Blocks until the pong has arrived. Any
        number of threads may call it at the same time.
        """
    def flush(self, timeout: _Timeout = DEFAULT) -> None:
        """Waits until the kernel has taken all messages that were sent.

        timeout: seconds without progress. None = no limit; the default is control.send_timeout.
        Raises WebSocketTimeout, ConnectionClosed, StateError. Blocks until the kernel has taken the
        messages. Any thread may call it.
        """
    def batch(self) -> Batch:
        """Returns a Batch, a context manager that writes small messages together.

        The batch applies to all messages that any thread sends during its block.
        Raises nothing itself. Entering the block raises ConnectionClosed or StateError. Leaving it
        raises as flush() does, and blocks. Any thread may call it.
        """
    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begins the closing handshake and returns at once. wait_closed() waits for the end of
        the connection.

        code: an int, 1000-1003, 1007-1014, 3000-4999, or 1005 for none. The default is 1000.
        reason: a str of at most 123 bytes of UTF-8. The default is ''.
        Calls that wait in other threads raise ConnectionClosed. A second close() does nothing.
        Raises ArgumentError for a code or reason that may not be sent.
        Does not block. Any thread and any handler may call it.
        """
    def wait_closed(self, timeout: float | None = None) -> None:
        """Waits until the connection has ended.

        After close() the socket first sends its queued messages. It gives up after control.send_timeout
        without progress (30 s if that is 0 or None). Then control.close_timeout limits the closing
        handshake.
        timeout: seconds. The default is None, no limit.
        Raises WebSocketTimeout after timeout, and ConnectionClosed if sent messages did not reach the
        server. Blocks until the connection has ended. Any thread may call it.
        """
    def abort(self) -> None:
        """Drops the connection at once, without a closing handshake.

        Raises nothing. Does not block. Any thread and any handler may call it.
        """
    def run_forever(self) -> None:
        """Waits until this socket has ended and its on_closed has returned.

        Raises StateError in a handler, because it would wait for itself. Blocks; Ctrl-C ends it.
        Any thread but the dispatcher thread may call it.
        """
    def fileno(self) -> int:
        """Returns a descriptor that is readable while dispatch() has handlers to call.

        It is for a loop of the program. Poll it only. After the first fileno() or dispatch(), the
        handlers of this socket run in dispatch(), not in the dispatcher thread. Raises StateError if a
        handler has been set before. Does not block. Any thread may call it.
        """
    def dispatch(self, timeout: float | None = None) -> int:
        """Calls the handlers of this socket in the calling thread, and returns how many events it handled.

        timeout: seconds to wait for the first event. None = no limit; but without an open connection and
        a handler, dispatch() does not wait.
        The exception of a handler goes to sys.unraisablehook. Raises StateError in a handler of the
        socket, while another thread is in dispatch(), and if the dispatcher thread calls the handlers
        (see fileno()). Blocks up to timeout; Ctrl-C ends it.
        """
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: types.TracebackType | None,
        /,
    ) -> None: ...
    def _begin_batch(self) -> None: ...
    def _end_batch(self, must_raise: bool, timeout: _Timeout = DEFAULT, /) -> None: ...
    def _answer_certificate(self, answer: int, /) -> None: ...
    _loop: AbstractEventLoop | None
    _is_ready_to_wait: bool
    def _connect_start(self, uri: str, timeout: _Timeout, /) -> None: ...
    def _connect_end(self) -> bool: ...
    def _ask_certificate(self, asks: bool, /) -> None: ...
    def _subscribe(self, mailbox: Mailbox, events: int, /) -> None: ...
    def _poll_begin(self) -> int: ...
    def _on_readable(self) -> None: ...
    def _wake(self, is_in_callback: bool, /) -> None: ...
    def _poll_end(self) -> None: ...
    def _ping_start(self, timeout: _Timeout, /) -> Ping: ...
    def _try_send(
        self, data: str | ReadableBuffer, text: bool | None, compress: bool | None, /
    ) -> _Soon[None] | None: ...
    def _end_error(self) -> WebSocketError | None: ...
    def _is_pending(self) -> bool: ...
    def _has_handlers(self) -> bool: ...
    def _let_go(self) -> None: ...

class MessageWebSocket(WebSocket):
    """A WebSocket that sends and receives whole messages.

    control: the options as keywords, as in MessageWebSocket(receive_timeout=5).
    Iteration returns the messages as recv(timeout=None) does. Iteration ends without an
    exception after this program's close(). It also ends so when the server closes with code 1000,
    1001 or none, but not in the middle of a message. Every other end of the connection
    raises ConnectionClosed. Any thread may call any method.
    """
    def __init__(self, **control: Unpack[MessageOptions]) -> None: ...
    @property
    def control(self) -> MessageWebSocketControl:
        """The options of this socket, as attributes. Any thread may use it."""
    @property
    def on_message_received(self) -> Callable[[Self, MessageReceivedEventArgs], object] | None:
        """The handler for messages, f(ws, args), or None. args is a MessageReceivedEventArgs. The dispatcher
        thread calls it for each message. An open socket with a handler stays alive until it has ended.
        Any thread may set it.
        """
    @on_message_received.setter
    def on_message_received(self, value: Callable[[Self, MessageReceivedEventArgs], object] | None) -> None: ...
    @property
    def on_writable(self) -> Callable[[Self, int], object] | None:
        """The handler that says that there is room for try_send() again, f(ws, buffered_amount), or None.
        buffered_amount is an int. After try_send() has returned False, or send() with timeout=0 has
        raised WebSocketTimeout, the dispatcher thread calls the handler once: when the socket's queue has
        fallen to control.send_low_water_mark. An open socket with a handler stays alive until it has
        ended. Any thread may set it.
        """
    @on_writable.setter
    def on_writable(self, value: Callable[[Self, int], object] | None) -> None: ...
    def send(
        self,
        data: str | ReadableBuffer | Iterable[str | ReadableBuffer],
        timeout: _Timeout = DEFAULT,
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> None:
        """Sends one message.

        data: a str is sent as text, a bytes-like object as binary. An iterable of them is sent as one
        message: each item as a fragment as soon as the iterable returns it, then an empty last fragment.
        text: True sends bytes as text; they must be UTF-8. False sends a str as binary, in UTF-8.
        The default is None, by the type of data, or of the first item of an iterable.
        compress: True compresses the message whatever its size, if the server has accepted compression.
        False does not compress it. The default is None, by control.compression_threshold.
        timeout: seconds without progress. None = no limit; the default is control.send_timeout.
        With timeout=0 the call does not wait, as try_send(), and raises WebSocketTimeout in place of False.
        Raises WebSocketTimeout, ConnectionClosed, StateError, and ArgumentError for text that is not
        UTF-8, also for a str with lone surrogates. If a part of the message is sent already, a timeout
        drops the connection and raises ConnectionClosed. An exception after the first fragment of an
        iterable closes the connection with code 1011, because the message cannot be taken back. An
        iterable without items sends nothing. Blocks until the kernel has taken the whole message.
        Any thread and any handler may call it. It raises StateError while another call sends an iterable.
        """
    @overload
    def recv(
        self, timeout: _Timeout = DEFAULT, copy: Literal[True] = True, *, decode: None = None
    ) -> str | bytes:
        """Returns the next message: str for text, bytes for binary. In partial mode the next part, as bytes.

        timeout: seconds. None = no limit; the default is control.receive_timeout.
        copy: a bool, default True. False returns a MessageBuffer, which does not copy the message.
        decode: True returns a str for a binary message too, False returns bytes for text too. The default
        is None, by the type of the message.
        Raises WebSocketTimeout, ConnectionClosed, and StateError if the socket is not connected or
        on_message_received is set. With decode=True it raises StateError in partial mode, and
        UnicodeDecodeError if the message is not UTF-8. Such a message stays the next one. Blocks until a
        message has arrived. Any thread may call it.
        """
    @overload
    def recv(
        self, timeout: _Timeout = DEFAULT, copy: Literal[True] = True, *, decode: Literal[True]
    ) -> str: ...
    @overload
    def recv(
        self, timeout: _Timeout = DEFAULT, copy: Literal[True] = True, *, decode: Literal[False]
    ) -> bytes: ...
    @overload
    def recv(
        self, timeout: _Timeout = DEFAULT, copy: Literal[True] = True, *, decode: bool | None
    ) -> str | bytes: ...
    @overload
    def recv(
        self, timeout: _Timeout = DEFAULT, *, copy: Literal[False], decode: None = None
    ) -> MessageBuffer: ...
    @overload
    def recv(self, timeout: _Timeout, copy: Literal[False], *, decode: None = None) -> MessageBuffer: ...
    def send_json(
        self,
        value: Any,
        timeout: _Timeout = DEFAULT,
        *,
        dumps: Callable[[Any], str | ReadableBuffer] | None = None,
        compress: bool | None = None,
    ) -> None:
        """Sends a value as JSON, in one text message.

        value: what dumps takes.
        timeout, compress: as for send().
        dumps: a function that returns the JSON of a value, a str or UTF-8 bytes, such as orjson.dumps. The
        default is None: json.dumps, which raises ValueError for nan and inf here.
        Raises every exception of dumps, before anything is sent. Raises and blocks as send() does.
        Any thread and any handler may call it.
        """
    @overload
    def recv_json(self, timeout: _Timeout = DEFAULT, *, loads: None = None) -> Any:
        """Returns the value of the next message, which is JSON.

        timeout: seconds. None = no limit; the default is control.receive_timeout.
        loads: a function that takes the message, a str for text or bytes for binary, and returns its
        value, such as orjson.loads. The default is None: json.loads.
        Raises MessageError if loads raises an exception. The attribute data of the MessageError is the
        message, and the next call takes the next message. If Ctrl-C or a lack of memory ends loads, the
        message stays the next one. Raises StateError in partial mode. Otherwise raises as recv() does.
        Blocks until a message has arrived. Any thread may call it.
        """
    @overload
    def recv_json(self, timeout: _Timeout = DEFAULT, *, loads: Callable[[str | bytes], _Value]) -> _Value: ...
    def try_send(
        self, data: str | ReadableBuffer, *, text: bool | None = None, compress: bool | None = None
    ) -> bool:
        """Sends one message if that needs no waiting. Returns True if the message was accepted, else False.

        data: a str is sent as text, a bytes-like object as binary.
        text, compress: as for send().
        The socket queues what the kernel does not take at once, up to control.send_high_water_mark, or one
        larger message, and the service thread writes it. False means that the queue has no room, or that
        another thread is sending; nothing was sent. on_writable is called when there is room again.
        Raises ConnectionClosed, StateError, ArgumentError, as send() does. Does not block. Any thread and
        any handler may call it.
        """
    def send_many(
        self,
        messages: Iterable[str | ReadableBuffer],
        timeout: _Timeout = DEFAULT,
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> int:
        """Sends each message of an iterable and returns their number, an int.

        messages: an iterable of str (text) and bytes-like objects (binary). It is read up to 128
        messages ahead, and small messages are written together.
        timeout: seconds without progress, for each message. None = no limit; the default is
        control.send_timeout.
        text, compress: as for send(), for all messages.
        Raises as send() does, and every exception of the iterable. The attribute sent_count of the
        exception is the number of messages that were sent. Blocks until the kernel has taken all
        messages. Any thread and any handler may call it.
        """
    def recv_into(self, buffer: WriteableBuffer, timeout: _Timeout = DEFAULT) -> int:
        """Receives the next message into a buffer and returns its size in bytes, an int.

        buffer: a writable bytes-like object. Text is stored as UTF-8. In partial mode it gets the
        next part. Large messages are not copied.
        timeout: seconds. None = no limit; the default is control.receive_timeout.
        Raises as recv() does, and ArgumentError if the message does not fit. Such a message stays the
        next one. After an exception the content of the buffer is undefined.
        Blocks until a message has arrived. Any thread may call it.
        """
    def recv_stream(self, timeout: _Timeout = DEFAULT) -> MessageStream:
        """Returns the next message as a MessageStream, a binary file object (an io.RawIOBase).

        With receive_mode='partial' it returns as soon as the message begins to arrive, and needs the same
        memory for a message of any size. In full mode it returns when the whole message has arrived.
        timeout: seconds until the message begins. None = no limit; the default is control.receive_timeout,
        which also limits each read of the stream.
        The next receive, in any thread, skips what the program has not read of the message. Calls that wait
        for a message already wait until the message has been read.
        Raises as recv() does. Blocks until a message has begun. Any thread may call it.
        """
    def send_final_frame(self, data: str | ReadableBuffer) -> int:
        """Sends the last frame of a message and returns its size in bytes, an int.

        data: a str, which is sent as UTF-8, or a bytes-like object. control.message_type is the type
        of the message. Without earlier frames, this frame is the whole message.
        Raises and blocks as send() does with control.send_timeout. Any thread may call it.
        """
    def send_nonfinal_frame(self, data: str | ReadableBuffer) -> int:
        """Sends a frame of a message, but not its last frame, and returns its size in bytes, an int.

        data: a str, which is sent as UTF-8, or a bytes-like object. control.message_type is the type
        of the message. send() raises StateError until send_final_frame() has ended the message.
        Raises and blocks as send() does with control.send_timeout. Any thread may call it.
        """
    def __iter__(self) -> Self: ...
    def __next__(self) -> str | bytes: ...
    def _try_fragment(
        self,
        data: str | ReadableBuffer,
        owner: object,
        is_final: bool,
        text: bool,
        compress: bool | None,
        /,
    ) -> int | None: ...
    def _receive(self, owner: object, decode: bool | None, form: int, /) -> _Soon[Any]: ...
    def _messages(self, owner: object, /) -> AsyncIterator[str | bytes]: ...
    def _try_recv(self, decode: bool | None = ..., form: int = ..., /) -> _Soon[Any] | None: ...
    def _receive_part(
        self, stream: object, is_first: bool, timeout: _Timeout = DEFAULT, /
    ) -> MessageBuffer: ...
    def _write(self, data: ReadableBuffer, /) -> int: ...

@final
class Ping:
    """A ping for which an event loop waits. Only the package makes it."""
    def result(self) -> float | None:
        """Returns the round-trip time in seconds, a float, or None if the pong has not come.

        Raises ConnectionClosed if closing has begun before it came.
        """
    def end(self) -> None:
        """Forgets the ping: nothing waits for its pong any more. A second call does nothing."""

@disjoint_base
class LoopSocket:
    """What a message socket of asyncio has in C. Only the package uses it."""

    _core: MessageWebSocket
    _writers: Any
    def send(
        self,
        data: str | ReadableBuffer | Iterable[str | ReadableBuffer] | AsyncIterable[str | ReadableBuffer],
        timeout: _Timeout = DEFAULT,
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> Awaitable[None]:
        """Sends one message.

        data: a str is sent as text, a bytes-like object as binary. An iterable of them, or an
        asynchronous one, is sent as one message: each item as a fragment as soon as it comes, then an
        empty last fragment.
        timeout: seconds without progress. None = no limit; the default is control.send_timeout.
        text: True sends bytes as text, False sends a str as binary. The default is None, by the type of
        data.
        compress: True or False; the default is None, by control.compression_threshold.
        The message has been sent, or waits in the socket, which sends it, when the call returns. It waits
        while the socket holds 256 KiB that the server does not take. A cancelled call has sent the whole
        message or nothing. If it ends after the first fragment of an iterable, it closes the connection
        with code 1011.
        Raises ConnectionClosed, StateError, ArgumentError, and WebSocketTimeout.
        """
    def recv(
        self, timeout: _Timeout = None, copy: bool = True, *, decode: bool | None = None
    ) -> Awaitable[Any]:
        """Returns the next message: str for text, bytes for binary. In partial mode the next part, as bytes.

        timeout: seconds. The default is None, no limit; curlwire.DEFAULT = control.receive_timeout.
        copy: False returns a MessageBuffer, which does not copy the message.
        decode: True returns a str for a binary message too, False returns bytes for text too.
        Raises WebSocketTimeout, ConnectionClosed, and StateError if another task receives. If the task is
        cancelled, the message stays the next one.
        """

class StreamWebSocket(WebSocket):
    """A WebSocket that carries a stream of bytes through input_stream and output_stream.

    control: the options as keywords, as in StreamWebSocket(receive_timeout=5).
    The stream uses the same memory for any number of bytes. Any thread may call any method.
    """
    def __init__(self, **control: Unpack[Options]) -> None: ...
    @property
    def control(self) -> StreamWebSocketControl:
        """The options of this socket, as attributes. Any thread may use it."""
    @property
    def input_stream(self) -> InputStream:
        """A new InputStream (an io.RawIOBase) of the received bytes. Any thread may read it, one at a time."""
    def _try_read(self, size: int, /) -> bytes | None: ...
    def _read_into(self, target: WriteableBuffer, /) -> int: ...
    def _unread(self, data: bytes, /) -> None: ...
    def _write(self, data: ReadableBuffer, /) -> int: ...

@final
class Mailbox:
    def start(self, run: Callable[[], object], /) -> None: ...
    def fileno(self) -> int: ...
    def is_own_thread(self) -> bool: ...
    def stop(self) -> None: ...

@final
class Reconnect:
    def set(self, name: str, value: float | None, /) -> None: ...
    def begin(self, now: float, /) -> int: ...
    def opened(self, now: float, /) -> float | None: ...
    def ended(self, now: float, /) -> bool: ...
    def next(self, now: float, given: float | None, retry_after: float | None, /) -> float | str: ...
    def renew(self) -> float: ...
    @staticmethod
    def is_retried(close_code: int, http_status: int, web_status: int, /) -> bool: ...

def build_info() -> BuildInfo:
    """Returns the facts about this build, a BuildInfo, for bug reports. It contains nothing secret.

    Does not block. Any thread may call it.
    """

def bind(**helpers: object) -> None: ...
def dispatch(mailbox: Mailbox, /) -> None: ...
def take_event(mailbox: Mailbox, /) -> tuple[WebSocket, int, str | None] | None: ...
def shutdown(timeout: float, /) -> str | None: ...
def after_fork() -> None: ...
def process_statistics() -> tuple[tuple[Any, ...], dict[int, int], dict[int, int]]: ...
def parse_headers(lines: str, /) -> list[tuple[str, str]]: ...
def certificate_fact(der: bytes, key: str, /) -> str: ...

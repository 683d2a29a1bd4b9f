# SPDX-License-Identifier: MIT
# The types of the extension module. The docstrings are the module's: scripts/stub_docs.py writes them.

import os
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Literal, Self, TypeAlias, final, overload

from _typeshed import ReadableBuffer, WriteableBuffer
from typing_extensions import Buffer, Unpack, disjoint_base

from curlwire.batching import Batch
from curlwire.information import ClosedEventArgs, Headers, Information
from curlwire.options import Control, MessageControl
from curlwire.streams import InputStream, OutputStream

_Timeout: TypeAlias = float | types.EllipsisType | None

version: str
libcurl_version: str
is_main_interpreter: bool

class WebErrorStatus(IntEnum):
    """Why something failed: the names and numbers of Windows.Web, HTTP statuses as they are."""

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
    """What a message is: bytes or text."""

    BINARY = 0
    UTF8 = 1

class MessageWebSocketReceiveMode(IntEnum):
    """Whether messages are received whole or in parts as they come."""

    FULL_MESSAGE = 0
    PARTIAL_MESSAGE = 1

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
    """Time between two keepalive pings, and from the last data to a ping; 0: no pings. Seconds, default 20;
    None = no pings.
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
    """Whether the server's certificate and name are checked; false also ignores ca_file and crl_file.
    Default True.
    """
    @property
    def proxy_ca_file(self) -> str | None:
        """PEM file of trusted certificates for an https:// proxy; unset: ca_file, or else the system's.
        Default None.
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
    """Whether the server must compress each message without reference to earlier ones. Default False."""
    client_no_context_takeover: bool
    """Whether we compress each message without reference to earlier ones. Default False."""
    compression_threshold: int
    """Messages of fewer bytes are sent uncompressed. Bytes, default 128."""
    frame_size: int | None
    """A longer message is sent in frames of this size; a pong waits until the current frame is sent. Bytes,
    default 67108864; None = no cuts.
    """

@final
class StreamWebSocketControl(_Control):
    """The options of a socket, as attributes; a change after connect raises StateError."""

@final
class MessageWebSocketControl(_Control):
    """The options of a socket, as attributes; a change after connect raises StateError."""
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

@disjoint_base
class MessageBuffer(Buffer):
    """A received message, or part of one, without a copy: a read-only buffer of bytes.

    memoryview(m), bytes(m), str(m, 'utf-8'), len(m) and everything that takes a buffer work.
    """
    @property
    def data(self) -> str | bytes:
        """The payload copied: str for text, bytes for binary; always bytes in partial mode. Any thread."""
    @property
    def message_type(self) -> SocketMessageType:
        """The SocketMessageType of the message. Any thread."""
    @property
    def is_message_complete(self) -> bool:
        """True for a whole message, and for the last part of one in partial mode. Any thread."""
    def __len__(self) -> int: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class MessageReceivedEventArgs(MessageBuffer):
    """What on_message_received gets: the message. It may be kept after the handler returned."""
    @property
    def buffer(self) -> memoryview:
        """A memoryview of the payload, without a copy. Any thread."""

@disjoint_base
class WebSocket:
    """What MessageWebSocket and StreamWebSocket have in common; not made by itself.

    A socket that is dropped while open is closed when it is collected; one that has handlers lives
    until its closed event has been dispatched, which run_forever() waits for.
    """
    @property
    def uri(self) -> str | None:
        """The URI as given to connect; None before. Any thread."""
    @property
    def _public_uri(self) -> str | None:
        """The URI without user name, password and query; None before. For people and logs. Any thread."""
    @property
    def protocol(self) -> str | None:
        """The subprotocol that the server chose, or None. Any thread."""
    @property
    def extensions(self) -> str | None:
        """What compression was agreed on, as the server's header says it, or None. Any thread."""
    @property
    def local_address(self) -> str | None:
        """Our end, as 'address:port'; None before connecting. Any thread."""
    @property
    def remote_address(self) -> str | None:
        """The other end (the proxy's, where there is one), as 'address:port'; None before. Any thread."""
    @property
    def framing(self) -> Literal["curl", "native", "mixed"] | None:
        """Who makes the frames: 'native', 'curl' (libcurl), or 'mixed' (sent natively, received by libcurl);
        None before connecting. Any thread.
        """
    @property
    def response_headers(self) -> Headers:
        """The headers of the server's reply: a mapping without regard to case. Any thread."""
    @property
    def state(self) -> Literal["new", "connecting", "open", "closing", "closed"]:
        """'new', 'connecting', 'open', 'closing' or 'closed'. Any thread."""
    @property
    def close_code(self) -> int | None:
        """The peer's close code; 1005 where it gave none, 1006 where the connection was lost, None before.
        Any thread.
        """
    @property
    def close_reason(self) -> str:
        """The peer's reason, or how the connection was lost. Any thread."""
    @property
    def was_clean(self) -> bool:
        """Whether both close frames were exchanged. Any thread."""
    @property
    def control(self) -> _Control:
        """The options of this socket, as attributes. Any thread."""
    @property
    def on_closed(self) -> Callable[[Self, ClosedEventArgs], object] | None:
        """f(ws, args), called once by the dispatcher thread when the connection has ended, or None. Set
        after the end it is called then. An open socket that has it lives until it has been called. Any
        thread.
        """
    @on_closed.setter
    def on_closed(self, value: Callable[[Self, ClosedEventArgs], object] | None) -> None: ...
    @property
    def information(self) -> Information:
        """uri, protocol, extensions, local_address, remote_address, framing, response_headers and state in
        one object. Any thread.
        """
    @property
    def output_stream(self) -> OutputStream:
        """A new raw binary stream (io.RawIOBase) of which each write is one message. Any thread."""
    def connect(self, uri: str, timeout: _Timeout = ...) -> None:
        """Connects to a ws:// or wss:// URI.

        timeout: seconds for all of it; ... = control.connect_timeout, None = no limit.
        Raises ConnectError (HandshakeError, CertificateError, ConnectTimeout) for whatever fails,
        ArgumentError for the URI, StateError. Blocks until connected. Any thread; close() of
        another thread cancels it.
        """
    def set_request_header(self, name: str, value: str) -> None:
        """Sets a header of the opening handshake, in place of all of that name; '' takes it away.

        Raises ArgumentError for headers that WebSocket itself sets, for control characters, for a
        value over 256 KiB and for more than 512 KiB together; StateError once connect has begun.
        Does not block. Any thread.
        """
    def add_request_header(self, name: str, value: str) -> None:
        """Adds a header to the opening handshake, beside those of the same name; '' is sent empty.

        Raises as set_request_header does; ArgumentError also for a second header of a name that a
        request has once: Host, Origin, Authorization, Cookie, User-Agent and a few more.
        Does not block. Any thread.
        """
    def ping(self, timeout: _Timeout = ...) -> float:
        """Sends a ping, waits for its pong, and returns the round trip in seconds.

        timeout: seconds; ... = control.ping_timeout, None = no limit.
        Raises WebSocketTimeout, ConnectionClosed, StateError. Blocks. Any thread, several at once.
        """
    def flush(self, timeout: _Timeout = ...) -> None:
        """Waits until everything sent has left the socket.

        timeout: seconds; ... = control.send_timeout, None = no limit.
        Raises WebSocketTimeout, ConnectionClosed, StateError. Blocks. Any thread.
        """
    def batch(self) -> Batch:
        """Returns a context manager: small messages that are sent in its block are written
        together, those of other threads too.

        Raises nothing; entering the block raises ConnectionClosed, StateError, leaving it as
        flush(). Does not block; leaving the block does. Any thread.
        """
    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begins the closing handshake and returns at once; wait_closed() waits for its end.

        code: 1000-1003, 1007-1014, 3000-4999, or 1005 for none; reason: up to 123 bytes of UTF-8.
        Calls of other threads that wait end with ConnectionClosed. Closing again does nothing.
        Raises ArgumentError. Does not block. Any thread, also in a handler.
        """
    def wait_closed(self, timeout: float | None = None) -> None:
        """Waits for the end of the connection.

        After close() what was sent goes out first, as long as that makes progress (control.send_timeout);
        control.close_timeout bounds the rest.
        timeout: seconds; None = as long as it takes.
        Raises WebSocketTimeout; ConnectionClosed if messages that were sent did not reach the server.
        Blocks. Any thread.
        """
    def abort(self) -> None:
        """Drops the connection at once, without closing handshake.

        Raises nothing. Does not block. Any thread, also in a handler.
        """
    def run_forever(self) -> None:
        """Waits until this socket has ended and its on_closed has run.

        Raises StateError inside a handler. Blocks; Ctrl-C ends it. Any thread but the
        dispatcher's.
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
    def _end_batch(self, must_raise: bool, /) -> None: ...
    def _is_pending(self) -> bool: ...
    def _has_handlers(self) -> bool: ...
    def _let_go(self) -> None: ...

class MessageWebSocket(WebSocket):
    """A WebSocket that sends and receives whole messages.

    Iteration gives the messages as recv() does, without time limit. It ends normally after
    the server's close with 1000, 1001 or no code, between two messages, and after our own
    close(). Every other end raises ConnectionClosed. Any thread may call any method.
    """
    def __init__(self, **control: Unpack[MessageControl]) -> None: ...
    @property
    def control(self) -> MessageWebSocketControl:
        """The options of this socket, as attributes. Any thread."""
    @property
    def on_message_received(self) -> Callable[[Self, MessageReceivedEventArgs], object] | None:
        """f(ws, args), called by the dispatcher thread for each message, or None. An open socket that has it
        lives until its end, whoever else holds it. Any thread.
        """
    @on_message_received.setter
    def on_message_received(self, value: Callable[[Self, MessageReceivedEventArgs], object] | None) -> None: ...
    def send(self, data: str | ReadableBuffer, timeout: _Timeout = ...) -> None:
        """Sends one message: a str as text, a bytes-like object as binary.

        When it returns, the kernel has taken the whole message.
        timeout: seconds without progress; ... = control.send_timeout, None = no limit; 0 does not wait:
        what the kernel does not take is queued in the socket (256 KiB) and written in the background.
        Raises WebSocketTimeout, ConnectionClosed, StateError; ArgumentError for text that is not
        UTF-8. Blocks until the kernel has taken the message. Any thread, also in a handler.
        """
    @overload
    def recv(self, timeout: _Timeout = ..., copy: Literal[True] = True) -> str | bytes:
        """Returns the next message: str for text, bytes for binary; in partial mode the next part, as bytes.

        timeout: seconds; ... = control.receive_timeout, None = no limit.
        copy=False gives a MessageBuffer, which holds the message without a copy.
        Raises WebSocketTimeout, ConnectionClosed, StateError (also while on_message_received is set).
        Blocks. Any thread.
        """
    @overload
    def recv(self, timeout: _Timeout = ..., *, copy: Literal[False]) -> MessageBuffer: ...
    @overload
    def recv(self, timeout: _Timeout, copy: Literal[False]) -> MessageBuffer: ...
    def send_many(self, messages: Iterable[str | ReadableBuffer], timeout: _Timeout = ...) -> int:
        """Sends each message of an iterable as send() would, small ones many in one write, and returns
        their number.

        timeout: seconds without progress, of each; ... = control.send_timeout, None = no limit.
        Raises as send(), and what the iterable raises; the exception's sent_count then says how many
        were sent. They may be gathered up to 128 at a time before they are sent.
        Blocks until the kernel has taken the messages. Any thread, also in a handler.
        """
    def recv_into(self, buffer: WriteableBuffer, timeout: _Timeout = ...) -> int:
        """Receives the next message into a writable buffer, a large one without a copy, and returns its
        size in bytes; text comes as UTF-8, in partial mode the next part.

        timeout: seconds; ... = control.receive_timeout, None = no limit.
        Raises as recv(); ArgumentError if the message does not fit: it stays the next one. What an
        exception leaves in the buffer means nothing.
        Blocks. Any thread.
        """
    def send_final_frame(self, data: str | ReadableBuffer) -> int:
        """Sends the last frame of a message of control.message_type, and returns its size in bytes.

        Alone it is a message of one frame. A str goes as its UTF-8.
        Raises as send(). Blocks as send(). Any thread.
        """
    def send_nonfinal_frame(self, data: str | ReadableBuffer) -> int:
        """Sends a frame of a message that goes on, and returns its size in bytes.

        Until send_final_frame() ends the message, send() raises StateError.
        Raises as send(). Blocks as send(). Any thread.
        """
    def __iter__(self) -> Self: ...
    def __next__(self) -> str | bytes: ...
    def _write(self, data: ReadableBuffer, /) -> int: ...

class StreamWebSocket(WebSocket):
    """A WebSocket that carries a flow of bytes through input_stream and output_stream.

    Memory stays the same whatever is moved. Every method may be called from any thread.
    """
    def __init__(self, **control: Unpack[Control]) -> None: ...
    @property
    def control(self) -> StreamWebSocketControl:
        """The options of this socket, as attributes. Any thread."""
    @property
    def input_stream(self) -> InputStream:
        """A new raw binary stream (io.RawIOBase) of the bytes that arrive. Any thread, one reader at a time."""
    def _read_into(self, target: WriteableBuffer, /) -> int: ...
    def _unread(self, data: bytes, /) -> None: ...
    def _write(self, data: ReadableBuffer, /) -> int: ...

@final
class Mailbox:
    def start(self, run: Callable[[], object], /) -> None: ...
    def is_own_thread(self) -> bool: ...
    def stop(self) -> None: ...

def bind(**helpers: object) -> None: ...
def dispatch(mailbox: Mailbox, /) -> None: ...
def shutdown(timeout: float, /) -> str | None: ...
def after_fork() -> None: ...
def parse_headers(lines: str, /) -> list[tuple[str, str]]: ...

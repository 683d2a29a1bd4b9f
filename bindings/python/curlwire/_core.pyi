# SPDX-License-Identifier: MIT
# The types of the extension module; its docstrings say what everything does.

import os
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Literal, Self, TypeAlias, final, overload

from _typeshed import ReadableBuffer, WriteableBuffer
from typing_extensions import Buffer, Unpack, disjoint_base

from curlwire.information import ClosedEventArgs, Headers, Information
from curlwire.options import Control, MessageControl
from curlwire.streams import InputStream, OutputStream

_Timeout: TypeAlias = float | types.EllipsisType | None

version: str
libcurl_version: str
is_main_interpreter: bool

class WebErrorStatus(IntEnum):
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
    BINARY = 0
    UTF8 = 1

class MessageWebSocketReceiveMode(IntEnum):
    FULL_MESSAGE = 0
    PARTIAL_MESSAGE = 1

class _Control:
    @property
    def supported_protocols(self) -> tuple[str, ...]: ...
    @supported_protocols.setter
    def supported_protocols(self, value: Sequence[str] | None) -> None: ...
    no_delay: bool
    connect_timeout: float | None
    send_timeout: float | None
    receive_timeout: float | None
    close_timeout: float
    ping_interval: float | None
    ping_timeout: float | None
    @property
    def ca_file(self) -> str | None: ...
    @ca_file.setter
    def ca_file(self, value: str | os.PathLike[str] | None) -> None: ...
    @property
    def crl_file(self) -> str | None: ...
    @crl_file.setter
    def crl_file(self, value: str | os.PathLike[str] | None) -> None: ...
    verify: bool
    outbound_buffer_size: int
    inbound_buffer_size: int
    framing: Literal["auto", "curl", "native"]
    compression: Literal["none", "deflate"]
    server_max_window_bits: int
    client_max_window_bits: int
    server_no_context_takeover: bool
    client_no_context_takeover: bool
    compression_threshold: int

@final
class StreamWebSocketControl(_Control): ...

@final
class MessageWebSocketControl(_Control):
    @property
    def message_type(self) -> SocketMessageType: ...
    @message_type.setter
    def message_type(self, value: SocketMessageType | Literal["binary", "utf8"]) -> None: ...
    @property
    def receive_mode(self) -> MessageWebSocketReceiveMode: ...
    @receive_mode.setter
    def receive_mode(self, value: MessageWebSocketReceiveMode | Literal["full", "partial"]) -> None: ...
    max_message_size: int | None

@disjoint_base
class MessageBuffer(Buffer):
    @property
    def data(self) -> str | bytes: ...
    @property
    def message_type(self) -> SocketMessageType: ...
    @property
    def is_message_complete(self) -> bool: ...
    def __len__(self) -> int: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class MessageReceivedEventArgs(MessageBuffer):
    @property
    def buffer(self) -> memoryview: ...

@disjoint_base
class WebSocket:
    @property
    def uri(self) -> str | None: ...
    @property
    def protocol(self) -> str | None: ...
    @property
    def extensions(self) -> str | None: ...
    @property
    def local_address(self) -> str | None: ...
    @property
    def remote_address(self) -> str | None: ...
    @property
    def framing(self) -> Literal["curl", "native", "mixed"] | None: ...
    @property
    def response_headers(self) -> Headers: ...
    @property
    def state(self) -> Literal["new", "connecting", "open", "closing", "closed"]: ...
    @property
    def close_code(self) -> int | None: ...
    @property
    def close_reason(self) -> str: ...
    @property
    def was_clean(self) -> bool: ...
    @property
    def control(self) -> _Control: ...
    @property
    def on_closed(self) -> Callable[[Self, ClosedEventArgs], object] | None: ...
    @on_closed.setter
    def on_closed(self, value: Callable[[Self, ClosedEventArgs], object] | None) -> None: ...
    @property
    def information(self) -> Information: ...
    @property
    def output_stream(self) -> OutputStream: ...
    def connect(self, uri: str, timeout: _Timeout = ...) -> None: ...
    def set_request_header(self, name: str, value: str) -> None: ...
    def ping(self, timeout: _Timeout = ...) -> float: ...
    def flush(self, timeout: _Timeout = ...) -> None: ...
    def close(self, code: int = 1000, reason: str = "") -> None: ...
    def wait_closed(self, timeout: float | None = None) -> None: ...
    def abort(self) -> None: ...
    def run_forever(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: types.TracebackType | None,
        /,
    ) -> None: ...
    def _is_pending(self) -> bool: ...
    def _has_handlers(self) -> bool: ...
    def _let_go(self) -> None: ...

class MessageWebSocket(WebSocket):
    def __init__(self, **control: Unpack[MessageControl]) -> None: ...
    @property
    def control(self) -> MessageWebSocketControl: ...
    @property
    def on_message_received(self) -> Callable[[Self, MessageReceivedEventArgs], object] | None: ...
    @on_message_received.setter
    def on_message_received(self, value: Callable[[Self, MessageReceivedEventArgs], object] | None) -> None: ...
    def send(self, data: str | ReadableBuffer, timeout: _Timeout = ...) -> None: ...
    @overload
    def recv(self, timeout: _Timeout = ..., copy: Literal[True] = True) -> str | bytes: ...
    @overload
    def recv(self, timeout: _Timeout = ..., *, copy: Literal[False]) -> MessageBuffer: ...
    @overload
    def recv(self, timeout: _Timeout, copy: Literal[False]) -> MessageBuffer: ...
    def send_many(self, messages: Iterable[str | ReadableBuffer], timeout: _Timeout = ...) -> int: ...
    def recv_into(self, buffer: WriteableBuffer, timeout: _Timeout = ...) -> int: ...
    def send_final_frame(self, data: str | ReadableBuffer) -> int: ...
    def send_nonfinal_frame(self, data: str | ReadableBuffer) -> int: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> str | bytes: ...
    def _write(self, data: ReadableBuffer, /) -> int: ...

class StreamWebSocket(WebSocket):
    def __init__(self, **control: Unpack[Control]) -> None: ...
    @property
    def control(self) -> StreamWebSocketControl: ...
    @property
    def input_stream(self) -> InputStream: ...
    def _read_into(self, target: WriteableBuffer, /) -> int: ...
    def _write(self, data: ReadableBuffer, /) -> int: ...

@final
class Mailbox:
    def start(self, run: Callable[[], object], /) -> None: ...
    def is_own_thread(self) -> bool: ...
    def dispatch(self) -> None: ...
    def stop(self) -> None: ...

def bind(**helpers: object) -> None: ...
def shutdown(timeout: float, /) -> None: ...
def after_fork() -> None: ...

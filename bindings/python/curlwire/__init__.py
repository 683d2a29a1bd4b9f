# SPDX-License-Identifier: MIT
"""WebSocket clients: MessageWebSocket for messages, StreamWebSocket for a stream of bytes.

libcurl makes the connections, and one background thread in C keeps them alive. The thread needs no GIL. So a
script that computes, or is stopped in a debugger, keeps its connections.
"""

from typing import TYPE_CHECKING

from curlwire import (
    _core,
    authorities,
    batching,
    dispatcher,
    errors,
    information,
    json_messages,
    streams,
    synchronous,
    validation,
    values,
)
from curlwire._core import (
    ByteOrder,
    CookieJar,
    DataReader,
    DataWriter,
    InputStreamOptions,
    MessageBuffer,
    MessageReceivedEventArgs,
    MessageWebSocket,
    MessageWebSocketControl,
    MessageWebSocketReceiveMode,
    SocketMessageType,
    StreamWebSocket,
    StreamWebSocketControl,
    UnicodeEncoding,
    WebErrorStatus,
    WebSocket,
    build_info,
)
from curlwire.batching import Batch
from curlwire.certificates import Certificate, ChainValidationResult
from curlwire.connecting import connect
from curlwire.defaults import DEFAULT, Default
from curlwire.dispatcher import run_forever
from curlwire.errors import (
    ArgumentError,
    CertificateError,
    ConnectError,
    ConnectionClosed,
    ConnectTimeout,
    HandshakeError,
    MessageError,
    StateError,
    WebSocketError,
    WebSocketTimeout,
    get_status,
)
from curlwire.information import (
    BandwidthStatistics,
    BuildInfo,
    ClosedEventArgs,
    Headers,
    Information,
    Latency,
    Timings,
    TlsInformation,
)
from curlwire.streams import InputStream, MessageStream, OutputStream
from curlwire.validation import Deferral, ServerCustomValidationRequestedEventArgs

if TYPE_CHECKING:
    from curlwire.cookies import Cookie
    from curlwire.counting import ProcessStatistics, Statistics, statistics
    from curlwire.options import MessageOptions, Options
    from curlwire.reconnect_policy import ReconnectPolicy
    from curlwire.reconnecting import ReconnectingWebSocket
    from curlwire.tracing import log_trace

__all__ = [
    "DEFAULT",
    "ArgumentError",
    "BandwidthStatistics",
    "Batch",
    "BuildInfo",
    "ByteOrder",
    "Certificate",
    "CertificateError",
    "ChainValidationResult",
    "ClosedEventArgs",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionClosed",
    "Cookie",
    "CookieJar",
    "DataReader",
    "DataWriter",
    "Default",
    "Deferral",
    "HandshakeError",
    "Headers",
    "Information",
    "InputStream",
    "InputStreamOptions",
    "Latency",
    "MessageBuffer",
    "MessageError",
    "MessageOptions",
    "MessageReceivedEventArgs",
    "MessageStream",
    "MessageWebSocket",
    "MessageWebSocketControl",
    "MessageWebSocketReceiveMode",
    "Options",
    "OutputStream",
    "ProcessStatistics",
    "ReconnectPolicy",
    "ReconnectingWebSocket",
    "ServerCustomValidationRequestedEventArgs",
    "SocketMessageType",
    "StateError",
    "Statistics",
    "StreamWebSocket",
    "StreamWebSocketControl",
    "Timings",
    "TlsInformation",
    "UnicodeEncoding",
    "WebErrorStatus",
    "WebSocket",
    "WebSocketError",
    "WebSocketTimeout",
    "__version__",
    "build_info",
    "connect",
    "get_status",
    "libcurl_version",
    "log_trace",
    "run_forever",
    "statistics",
]

__version__: str = _core.version
libcurl_version: str = _core.libcurl_version

# The first use imports these: dataclasses and logging take a quarter of the time of importing curlwire.
_LATE = {
    "Cookie": "cookies",
    "MessageOptions": "options",
    "Options": "options",
    "ProcessStatistics": "counting",
    "ReconnectPolicy": "reconnect_policy",
    "ReconnectingWebSocket": "reconnecting",
    "Statistics": "counting",
    "statistics": "counting",
    "log_trace": "tracing",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module 'curlwire' has no attribute {name!r}", name=name)
    from importlib import import_module

    value: object = getattr(import_module(f"curlwire.{_LATE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATE})


def _make_cookie(*arguments: object) -> object:
    from curlwire.cookies import Cookie

    return Cookie(*arguments)  # type: ignore[arg-type]


_core.bind(
    make_error=errors.make_error,
    bandwidth=BandwidthStatistics,
    batch=batching.Batch,
    cookie=_make_cookie,
    describe=information.describe,
    closed_args=ClosedEventArgs,
    headers=Headers,
    information=Information,
    input_stream=streams.InputStream,
    output_stream=streams.OutputStream,
    check_call=synchronous.check_call,
    check_handler=synchronous.check_handler,
    check_result=synchronous.check_result,
    validate=validation.validate,
    watch=dispatcher.watch,
    changed=dispatcher.changed,
    run_forever=dispatcher.run_forever_of,
    find_authorities=authorities.find,
    dumps=json_messages.dumps,
    loads=json_messages.loads,
    refuse_json=json_messages.refuse,
    values=values,
    message_stream=streams.MessageStream,
    default=DEFAULT,
)

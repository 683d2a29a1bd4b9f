# SPDX-License-Identifier: MIT
"""The connection of the synchronous client."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self, overload

from curlwire import _core
from curlwire.compat.websockets.client import ClientProtocol
from curlwire.compat.websockets.connecting import connection_controls
from curlwire.compat.websockets.connection import INTERNAL_ERROR, Connection, Transport, check_ping, check_pong
from curlwire.compat.websockets.exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedOK,
    ProtocolError,
)
from curlwire.compat.websockets.frames import CloseCode
from curlwire.compat.websockets.typing import Data, DataLike
from curlwire.errors import ArgumentError, StateError, WebSocketTimeout
from curlwire.errors import ConnectionClosed as CoreClosed

__all__ = ["ClientConnection"]

_SIMPLE = (str, bytes, bytearray, memoryview)


class ClientConnection(Connection):
    """A connection, as connect() returns it. Any thread may use it.

    Iterating over it gives the messages. The iteration ends when the connection closes with 1000, 1001 or no
    code, and raises ConnectionClosedError after every other end. max_queue is checked, and has no effect:
    curlwire limits what waits by bytes.
    """

    def __init__(
        self,
        sock: Transport | None,
        protocol: ClientProtocol,
        *,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        max_queue: int | tuple[int | None, int | None] | None = 16,
    ) -> None:
        controls = connection_controls(protocol, ping_interval, ping_timeout, close_timeout, max_queue)
        super().__init__(protocol, _core.MessageWebSocket(**controls))

    def _open(self, timeout: float | None) -> None:
        self._core.connect(self.protocol.target, timeout)
        self._opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(CloseCode.NORMAL_CLOSURE if exc_type is None else INTERNAL_ERROR)

    @property
    def socket(self) -> Transport:
        """The addresses and TLS of the connection."""
        return self._view()

    def _ended(self, cause: BaseException | None) -> ConnectionClosed:
        """Waits for the end of the connection, and returns the exception for it."""
        with suppress(CoreClosed):
            self._core.wait_closed()
        return self._closed(cause)

    # ---- receiving

    @overload
    def recv(self, timeout: float | None, decode: Literal[True]) -> str: ...

    @overload
    def recv(self, timeout: float | None, decode: Literal[False]) -> bytes: ...

    @overload
    def recv(self, timeout: float | None = None, *, decode: Literal[True]) -> str: ...

    @overload
    def recv(self, timeout: float | None = None, *, decode: Literal[False]) -> bytes: ...

    @overload
    def recv(self, timeout: float | None = None, decode: bool | None = None) -> Data: ...

    def recv(self, timeout: float | None = None, decode: bool | None = None) -> Data:
        """Returns the next message: str for text, bytes for binary.

        timeout: seconds; None = no limit; 0 or less takes a message that has arrived already.
        decode: True returns a str for a binary message too, False returns bytes for text too.
        Raises TimeoutError and ConnectionClosed. Several threads may receive; each message goes to one.
        """
        try:
            limit = max(0, timeout) if isinstance(timeout, (int, float)) else timeout
            return self._core.recv(limit, decode=decode)
        except CoreClosed as error:
            raise self._ended(error)
        except UnicodeDecodeError as error:
            self.close(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
            raise self._ended(error) from error

    @overload
    def recv_streaming(self, decode: Literal[True]) -> Iterator[str]: ...

    @overload
    def recv_streaming(self, decode: Literal[False]) -> Iterator[bytes]: ...

    @overload
    def recv_streaming(self, decode: bool | None = None) -> Iterator[Data]: ...

    def recv_streaming(self, decode: bool | None = None) -> Iterator[Data]:
        """Yields the next message in one piece, whatever its fragments. Raises as recv() does."""
        yield self.recv(None, decode)

    def __iter__(self) -> Iterator[Data]:
        try:
            yield from self._core
        except CoreClosed as error:
            raise self._ended(error)
        with suppress(ConnectionClosedOK):
            raise self._ended(None)

    # ---- sending

    def send(self, message: DataLike | Iterable[DataLike], *, text: bool | None = None) -> None:
        """Sends a message: a str as text, a bytes-like object as binary.

        An iterable of them is sent as one message, each item as a fragment.
        text: True sends bytes as text, False sends a str as binary.
        Raises ConnectionClosed, ConcurrencyError while another thread sends fragments, and TypeError.
        """
        if not isinstance(message, _SIMPLE):
            if isinstance(message, Mapping):
                raise TypeError("data is a dict-like object")
            if not isinstance(message, Iterable):
                raise TypeError("data must be str, bytes, or iterable")
            message = _uniform(message)
        try:
            self._core.send(message, text=text)
        except CoreClosed as error:
            raise self._ended(error)
        except StateError as error:
            if self._core.state == "open":
                raise ConcurrencyError(
                    "cannot call send while another thread is already running send"
                ) from error
            raise self._ended(error)

    # ---- closing and pings

    def close(self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Closes the connection, and waits for its end. A second call only waits.

        Raises ProtocolError for a code or reason that may not be sent.
        """
        self._note_close(code, reason)
        try:
            self._core.close(int(code), reason)
            self._core.wait_closed()
        except ArgumentError as error:
            self._asked = None
            raise ProtocolError(str(error)) from error
        except CoreClosed as error:
            self.logger.warning("%s", error)  # messages did not reach the server

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Waits until the connection has ended.

        timeout: seconds; None = no limit. Returns whether the connection has ended.
        """
        try:
            self._core.wait_closed(timeout)
        except WebSocketTimeout:
            return False
        except CoreClosed:
            pass
        return True

    def ping(self, data: DataLike | None = None, *, ack_on_close: bool = False) -> threading.Event:
        """Sends a ping. Returns an event that is set when the pong comes.

        data: must be None; the control ping_payload sets the payload of all pings.
        ack_on_close: True also sets the event when the connection ends.
        Raises ConnectionClosed.
        """
        check_ping(data)
        try:
            self._check_open()
        except CoreClosed as error:
            raise self._ended(error)
        event = threading.Event()
        arguments = (self._core, event, ack_on_close)
        threading.Thread(target=_await_pong, args=arguments, name="curlwire-ping", daemon=True).start()
        return event

    def pong(self, data: DataLike = b"") -> None:
        """Raises NotImplementedError: the control desired_unsolicited_pong_interval sends pongs."""
        check_pong(data)


def _await_pong(core: _core.MessageWebSocket, event: threading.Event, ack_on_close: bool) -> None:
    try:
        core.ping(None)
    except (CoreClosed, StateError):
        if not ack_on_close:
            return
    event.set()


def _uniform(items: Iterable[DataLike]) -> Iterator[Any]:
    """Checks that the fragments of a message have the same type."""
    is_text: bool | None = None
    for item in items:
        if not isinstance(item, _SIMPLE):
            raise TypeError("iterable must contain bytes or str")
        if is_text is not None and isinstance(item, str) is not is_text:
            raise TypeError("iterable must contain uniform types")
        is_text = isinstance(item, str)
        yield item

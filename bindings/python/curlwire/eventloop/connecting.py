# SPDX-License-Identifier: MIT
"""The function connect() for an event loop: awaitable, and an async context manager."""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, overload

from curlwire.connecting import HeaderPairs, make_socket
from curlwire.defaults import DEFAULT, Default
from curlwire.eventloop.sockets import MessageWebSocket, StreamWebSocket
from curlwire.options import MessageOptions, Options

if TYPE_CHECKING:
    import socket
    from types import TracebackType

_AnySocket = TypeVar("_AnySocket", bound=MessageWebSocket | StreamWebSocket)
_Message = TypeVar("_Message", bound=MessageWebSocket)
_Stream = TypeVar("_Stream", bound=StreamWebSocket)
_OtherMessage = TypeVar("_OtherMessage", bound=MessageWebSocket)
_OtherStream = TypeVar("_OtherStream", bound=StreamWebSocket)


class Connecting(Generic[_AnySocket]):
    """What connect() returns: await it, or use it in 'async with'."""

    def __init__(self, uri: str, socket: _AnySocket, timeout: float | Default | None) -> None:
        self._uri = uri
        self._socket = socket
        self._timeout = timeout

    async def _connect(self) -> _AnySocket:
        await self._socket.connect(self._uri, self._timeout)
        return self._socket

    def __await__(self) -> Generator[Any, None, _AnySocket]:
        return self._connect().__await__()

    async def __aenter__(self) -> _AnySocket:
        return await self._connect()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        await self._socket.__aexit__(exc_type, exc_value, traceback)


class Connector(Generic[_Message, _Stream]):
    """Connects to a server: connect(uri) returns an awaitable of the open socket.

    Use it as 'ws = await connect(uri)' or as 'async with connect(uri) as ws'. The block closes the socket at
    its end. The arguments are those of curlwire.connect(). socket_class is a class of this package; the
    default is MessageWebSocket. Raises as curlwire.connect() does.
    """

    def __init__(self, package: str, message_class: type[_Message], stream_class: type[_Stream]) -> None:
        self._package = package
        self._message_class = message_class
        self._stream_class = stream_class

    @overload
    def __call__(
        self,
        uri: str,
        socket_class: type[_OtherStream],
        *,
        headers: HeaderPairs | None = None,
        subprotocols: Sequence[str] | None = None,
        timeout: float | Default | None = DEFAULT,
        sock: "socket.socket | int | None" = None,
        **control: Unpack[Options],
    ) -> Connecting[_OtherStream]: ...

    @overload
    def __call__(
        self,
        uri: str,
        socket_class: type[_OtherMessage],
        *,
        headers: HeaderPairs | None = None,
        subprotocols: Sequence[str] | None = None,
        timeout: float | Default | None = DEFAULT,
        sock: "socket.socket | int | None" = None,
        **control: Unpack[MessageOptions],
    ) -> Connecting[_OtherMessage]: ...

    @overload
    def __call__(
        self,
        uri: str,
        socket_class: None = None,
        *,
        headers: HeaderPairs | None = None,
        subprotocols: Sequence[str] | None = None,
        timeout: float | Default | None = DEFAULT,
        sock: "socket.socket | int | None" = None,
        **control: Unpack[MessageOptions],
    ) -> Connecting[_Message]: ...

    def __call__(
        self,
        uri: str,
        socket_class: type[Any] | None = None,
        *,
        headers: HeaderPairs | None = None,
        subprotocols: Sequence[str] | None = None,
        timeout: float | Default | None = DEFAULT,
        sock: "socket.socket | int | None" = None,
        **control: Any,
    ) -> Connecting[Any]:
        """Returns an awaitable that connects to a server and returns the open socket."""
        classes = (self._message_class, self._stream_class)
        made = make_socket(
            self._message_class if socket_class is None else socket_class,
            classes,
            f" of curlwire.{self._package}",
            headers,
            subprotocols,
            sock,
            control,
        )
        return Connecting(uri, made, timeout)

# SPDX-License-Identifier: MIT
"""The function connect() for an event loop: awaitable, an async context manager, and an async iterator."""

from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, overload

from curlwire.connecting import HeaderPairs, make_socket
from curlwire.defaults import DEFAULT, Default
from curlwire.eventloop.reconnecting import Connections
from curlwire.eventloop.sockets import MessageWebSocket, StreamWebSocket
from curlwire.options import MessageOptions, Options
from curlwire.reconnect_policy import ReconnectPolicy, Target

if TYPE_CHECKING:
    import socket
    from types import TracebackType

_AnySocket = TypeVar("_AnySocket", bound=MessageWebSocket | StreamWebSocket)
_Message = TypeVar("_Message", bound=MessageWebSocket)
_Stream = TypeVar("_Stream", bound=StreamWebSocket)
_OtherMessage = TypeVar("_OtherMessage", bound=MessageWebSocket)
_OtherStream = TypeVar("_OtherStream", bound=StreamWebSocket)


class Connecting(Generic[_AnySocket]):
    """What connect() returns: await it, or use it in 'async with' or 'async for'."""

    def __init__(
        self, socket: _AnySocket, target: Target, policy: ReconnectPolicy | None, is_given: bool
    ) -> None:
        self._socket = socket
        self._target = target
        self._policy = policy
        self._is_given = is_given

    def __aiter__(self) -> AsyncIterator[_AnySocket]:
        if self._is_given:
            raise TypeError("sock is for one connection: leave it out in 'async for', which connects again")
        socket_class = type(self._socket)
        return Connections(socket_class._hub_class.running(), self._target, socket_class, self._policy)

    async def _connect(self) -> _AnySocket:
        target = self._target
        if callable(target.uri) or callable(target.headers) or callable(target.subprotocols):
            raise TypeError(
                "functions for the URI, headers or subprotocols need 'async for', or ReconnectingWebSocket"
            )
        await self._socket.connect(target.uri, target.timeout)
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
    'async for ws in connect(uri)' gives an open socket, and another one for each turn of the loop. After an end
    that is retried, the next turn waits and connects again. The loop ends after close code 1000, and raises the
    error of every other end or failure that is not retried. If a turn ends while its socket is open, the socket
    is closed. Only for 'async for': policy, a ReconnectPolicy, says when to connect again; uri, headers and
    subprotocols may be functions f(attempt), also coroutine functions.
    """

    def __init__(self, package: str, message_class: type[_Message], stream_class: type[_Stream]) -> None:
        self._package = package
        self._message_class = message_class
        self._stream_class = stream_class

    @overload
    def __call__(
        self,
        uri: str | Callable[[int], Any],
        socket_class: type[_OtherStream],
        *,
        headers: HeaderPairs | Callable[[int], Any] | None = None,
        subprotocols: Sequence[str] | Callable[[int], Any] | None = None,
        timeout: float | Default | None = DEFAULT,
        sock: "socket.socket | int | None" = None,
        policy: ReconnectPolicy | None = None,
        **control: Unpack[Options],
    ) -> Connecting[_OtherStream]: ...

    @overload
    def __call__(
        self,
        uri: str | Callable[[int], Any],
        socket_class: type[_OtherMessage],
        *,
        headers: HeaderPairs | Callable[[int], Any] | None = None,
        subprotocols: Sequence[str] | Callable[[int], Any] | None = None,
        timeout: float | Default | None = DEFAULT,
        sock: "socket.socket | int | None" = None,
        policy: ReconnectPolicy | None = None,
        **control: Unpack[MessageOptions],
    ) -> Connecting[_OtherMessage]: ...

    @overload
    def __call__(
        self,
        uri: str | Callable[[int], Any],
        socket_class: None = None,
        *,
        headers: HeaderPairs | Callable[[int], Any] | None = None,
        subprotocols: Sequence[str] | Callable[[int], Any] | None = None,
        timeout: float | Default | None = DEFAULT,
        sock: "socket.socket | int | None" = None,
        policy: ReconnectPolicy | None = None,
        **control: Unpack[MessageOptions],
    ) -> Connecting[_Message]: ...

    def __call__(
        self,
        uri: str | Callable[[int], Any],
        socket_class: type[Any] | None = None,
        *,
        headers: HeaderPairs | Callable[[int], Any] | None = None,
        subprotocols: Sequence[str] | Callable[[int], Any] | None = None,
        timeout: float | Default | None = DEFAULT,
        sock: "socket.socket | int | None" = None,
        policy: ReconnectPolicy | None = None,
        **control: Any,
    ) -> Connecting[Any]:
        """Returns an awaitable that connects to a server and returns the open socket."""
        target = Target(uri, headers, subprotocols, timeout, dict(control))
        made = make_socket(
            self._message_class if socket_class is None else socket_class,
            (self._message_class, self._stream_class),
            f" of curlwire.{self._package}",
            None if callable(headers) else headers,
            None if callable(subprotocols) else subprotocols,
            sock,
            control,
        )
        return Connecting(made, target, policy, sock is not None)

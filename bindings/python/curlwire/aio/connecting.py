# SPDX-License-Identifier: MIT
"""The function connect() for asyncio: awaitable, and an async context manager."""

from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, overload

from curlwire.aio.reconnect_driver import connections
from curlwire.aio.sockets import MessageWebSocket, StreamWebSocket
from curlwire.connecting import HeaderPairs, add_headers
from curlwire.defaults import DEFAULT, Default
from curlwire.options import MessageOptions, Options
from curlwire.reconnect_policy import ReconnectPolicy, Target

if TYPE_CHECKING:
    from types import TracebackType

_AnySocket = TypeVar("_AnySocket", bound=MessageWebSocket | StreamWebSocket)


class Connecting(Generic[_AnySocket]):
    """What connect() returns: await it, or use it in 'async with' or 'async for'."""

    def __init__(
        self,
        uri: Any,
        socket: _AnySocket,
        timeout: float | Default | None,
        target: Target,
        policy: ReconnectPolicy | None,
    ) -> None:
        self._uri = uri
        self._socket = socket
        self._timeout = timeout
        self._target = target
        self._policy = policy

    def __aiter__(self) -> AsyncIterator[_AnySocket]:
        return connections(self._target, type(self._socket), self._policy)

    async def _connect(self) -> _AnySocket:
        if callable(self._uri) or callable(self._target.headers) or callable(self._target.subprotocols):
            raise TypeError(
                "functions for the URI, headers or subprotocols need 'async for', or ReconnectingWebSocket"
            )
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


@overload
def connect(
    uri: str | Callable[[int], Any],
    socket_class: type[StreamWebSocket],
    *,
    headers: HeaderPairs | Callable[[int], Any] | None = None,
    subprotocols: Sequence[str] | Callable[[int], Any] | None = None,
    timeout: float | Default | None = DEFAULT,
    policy: ReconnectPolicy | None = None,
    **control: Unpack[Options],
) -> Connecting[StreamWebSocket]: ...


@overload
def connect(
    uri: str | Callable[[int], Any],
    socket_class: type[MessageWebSocket] = ...,
    *,
    headers: HeaderPairs | Callable[[int], Any] | None = None,
    subprotocols: Sequence[str] | Callable[[int], Any] | None = None,
    timeout: float | Default | None = DEFAULT,
    policy: ReconnectPolicy | None = None,
    **control: Unpack[MessageOptions],
) -> Connecting[MessageWebSocket]: ...


def connect(
    uri: str | Callable[[int], Any],
    socket_class: type[Any] = MessageWebSocket,
    *,
    headers: HeaderPairs | Callable[[int], Any] | None = None,
    subprotocols: Sequence[str] | Callable[[int], Any] | None = None,
    timeout: float | Default | None = DEFAULT,
    policy: ReconnectPolicy | None = None,
    **control: Any,
) -> Connecting[Any]:
    """Returns an awaitable that connects to a server and returns the open socket.

    Use it as 'ws = await connect(uri)' or as 'async with connect(uri) as ws'. The block closes the socket at
    its end. The arguments are those of curlwire.connect(). socket_class is one of this package.
    'async for ws in connect(uri)' gives an open socket, and another one for each turn of the loop. After an end
    that is retried, the next turn waits and connects again. The loop ends after close code 1000, and raises the
    error of every other end or failure that is not retried. If a turn ends while its socket is open, the socket
    is closed. Only for 'async for': policy, a ReconnectPolicy, says when to connect again; uri, headers and
    subprotocols may be functions f(attempt), also coroutine functions.
    Raises as curlwire.connect() does.
    """
    if not isinstance(socket_class, type) or not issubclass(socket_class, (MessageWebSocket, StreamWebSocket)):
        raise TypeError(
            f"socket_class must be MessageWebSocket or StreamWebSocket of curlwire.aio, not {socket_class!r}"
        )
    target = Target(uri, headers, subprotocols, timeout, dict(control))
    socket = socket_class(**target.options(None if callable(subprotocols) else subprotocols))
    add_headers(socket, None if callable(headers) else headers)
    return Connecting(uri, socket, timeout, target, policy)

# SPDX-License-Identifier: MIT
"""The function connect() for asyncio: awaitable, and an async context manager."""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, overload

from curlwire.aio.sockets import MessageWebSocket, StreamWebSocket
from curlwire.connecting import HeaderPairs, add_headers
from curlwire.defaults import DEFAULT, Default
from curlwire.options import MessageOptions, Options

if TYPE_CHECKING:
    from types import TracebackType

_AnySocket = TypeVar("_AnySocket", bound=MessageWebSocket | StreamWebSocket)


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


@overload
def connect(
    uri: str,
    socket_class: type[StreamWebSocket],
    *,
    headers: HeaderPairs | None = None,
    subprotocols: Sequence[str] | None = None,
    timeout: float | Default | None = DEFAULT,
    **control: Unpack[Options],
) -> Connecting[StreamWebSocket]: ...


@overload
def connect(
    uri: str,
    socket_class: type[MessageWebSocket] = ...,
    *,
    headers: HeaderPairs | None = None,
    subprotocols: Sequence[str] | None = None,
    timeout: float | Default | None = DEFAULT,
    **control: Unpack[MessageOptions],
) -> Connecting[MessageWebSocket]: ...


def connect(
    uri: str,
    socket_class: type[Any] = MessageWebSocket,
    *,
    headers: HeaderPairs | None = None,
    subprotocols: Sequence[str] | None = None,
    timeout: float | Default | None = DEFAULT,
    **control: Any,
) -> Connecting[Any]:
    """Returns an awaitable that connects to a server and returns the open socket.

    Use it as 'ws = await connect(uri)' or as 'async with connect(uri) as ws'. The block closes the socket at
    its end. The arguments are those of curlwire.connect(). socket_class is one of this package.
    Raises as curlwire.connect() does.
    """
    if not isinstance(socket_class, type) or not issubclass(socket_class, (MessageWebSocket, StreamWebSocket)):
        raise TypeError(
            f"socket_class must be MessageWebSocket or StreamWebSocket of curlwire.aio, not {socket_class!r}"
        )
    if subprotocols is not None and control.setdefault("supported_protocols", subprotocols) is not subprotocols:
        raise TypeError("subprotocols and supported_protocols are the same option: give one of them")
    socket = socket_class(**control)
    add_headers(socket, headers)
    return Connecting(uri, socket, timeout)

# SPDX-License-Identifier: MIT
"""The function connect(), which creates a socket and connects it."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, Unpack, overload

from curlwire._core import MessageWebSocket, StreamWebSocket
from curlwire.defaults import DEFAULT, Default
from curlwire.synchronous import refuse_await

if TYPE_CHECKING:
    import socket

    from curlwire.options import MessageOptions, Options

HeaderPairs = Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str]]
_Message = TypeVar("_Message", bound=MessageWebSocket)
_Stream = TypeVar("_Stream", bound=StreamWebSocket)


def _pairs(headers: HeaderPairs) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    if not isinstance(headers, Mapping):
        for pair in headers:
            if isinstance(pair, str):  # a str of two characters would pass for a pair
                raise TypeError
            name, value = pair
            pairs.append((name, value))
        return pairs
    for name, values in headers.items():
        pairs += [(name, value) for value in ([values] if isinstance(values, str) else values)]
    return pairs


class _HasHeaders(Protocol):
    def add_request_header(self, name: str, value: str) -> None: ...


def add_headers(ws: _HasHeaders, headers: HeaderPairs | None) -> None:
    """Adds the argument headers of connect() to a socket."""
    if headers is None:
        return
    try:
        pairs = _pairs(headers)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "headers must be a mapping of names to values (or lists of them), or a list of pairs (name, value)"
        ) from error
    for name, value in pairs:
        ws.add_request_header(name, value)


def make_socket(
    socket_class: type[Any],
    classes: tuple[type[Any], ...],
    of_package: str,
    headers: HeaderPairs | None,
    subprotocols: Sequence[str] | None,
    sock: "socket.socket | int | None",
    control: dict[str, Any],
) -> Any:
    """Makes the socket of a connect() from its arguments, and checks those that the socket does not check.

    of_package: the end of the sentence that names the classes, if they are not those of curlwire.
    """
    if not isinstance(socket_class, type) or not issubclass(socket_class, classes):
        raise TypeError(
            f"socket_class must be MessageWebSocket or StreamWebSocket{of_package}, not {socket_class!r}"
        )
    if subprotocols is not None and control.setdefault("supported_protocols", subprotocols) is not subprotocols:
        raise TypeError("subprotocols and supported_protocols are the same option: give one of them")
    made = socket_class(**control)
    add_headers(made, headers)
    if sock is not None:
        made.set_connected_socket(sock)
    return made


@overload
def connect(
    uri: str,
    socket_class: type[_Message],
    *,
    headers: HeaderPairs | None = None,
    subprotocols: Sequence[str] | None = None,
    timeout: float | Default | None = DEFAULT,
    sock: "socket.socket | int | None" = None,
    **control: "Unpack[MessageOptions]",
) -> _Message: ...


@overload
def connect(
    uri: str,
    socket_class: type[_Stream],
    *,
    headers: HeaderPairs | None = None,
    subprotocols: Sequence[str] | None = None,
    timeout: float | Default | None = DEFAULT,
    sock: "socket.socket | int | None" = None,
    **control: "Unpack[Options]",
) -> _Stream: ...


@overload
def connect(
    uri: str,
    socket_class: type[MessageWebSocket] = ...,
    *,
    headers: HeaderPairs | None = None,
    subprotocols: Sequence[str] | None = None,
    timeout: float | Default | None = DEFAULT,
    sock: "socket.socket | int | None" = None,
    **control: "Unpack[MessageOptions]",
) -> MessageWebSocket: ...


def connect(
    uri: str,
    socket_class: type[MessageWebSocket] | type[StreamWebSocket] = MessageWebSocket,
    *,
    headers: HeaderPairs | None = None,
    subprotocols: Sequence[str] | None = None,
    timeout: float | Default | None = DEFAULT,
    sock: "socket.socket | int | None" = None,
    **control: Any,
) -> MessageWebSocket | StreamWebSocket:
    """Creates a socket, connects it to a server, and returns it open.

    uri: a str that begins with ws:// or wss://.
    socket_class: MessageWebSocket (the default), StreamWebSocket, or a subclass of one.
    headers: added to the opening handshake: {name: value}, {name: [value, ...]} or [(name, value), ...].
    subprotocols: to offer to the server, in order of preference; the same as supported_protocols.
    timeout: seconds for the whole connect. None = no limit; the default is the option connect_timeout.
    sock: a connection to the server that the program has made, as for set_connected_socket().
    control: the options of the socket, as keywords.
    Raises ConnectError or a subclass if the connect fails, ArgumentError for a bad value, TypeError for a bad
    type.
    Blocks until connected. Any thread may call it.
    """
    refuse_await("connect", sys._getframe(1))
    classes = (MessageWebSocket, StreamWebSocket)
    ws: MessageWebSocket | StreamWebSocket = make_socket(
        socket_class, classes, "", headers, subprotocols, sock, control
    )
    ws.connect(uri, timeout=timeout)
    return ws

# SPDX-License-Identifier: MIT
"""connect(): a connected socket in one call."""

import sys
from collections.abc import Iterable, Mapping
from types import EllipsisType
from typing import Any, TypeVar, Unpack, overload

from curlwire._core import MessageWebSocket, StreamWebSocket
from curlwire.options import Control, MessageControl
from curlwire.synchronous import refuse_await

_HeaderPairs = Mapping[str, str] | Iterable[tuple[str, str]]
_Message = TypeVar("_Message", bound=MessageWebSocket)
_Stream = TypeVar("_Stream", bound=StreamWebSocket)


def _pairs(headers: _HeaderPairs | None) -> list[tuple[str, str]]:
    if headers is None:
        return []
    try:
        return [(name, value) for name, value in (headers.items() if isinstance(headers, Mapping) else headers)]
    except (TypeError, ValueError) as error:
        raise TypeError("headers must be a mapping, or a list of pairs, of names to values") from error


@overload
def connect(
    uri: str,
    socket_class: type[_Message],
    *,
    headers: _HeaderPairs | None = None,
    timeout: float | EllipsisType | None = ...,
    **control: Unpack[MessageControl],
) -> _Message: ...


@overload
def connect(
    uri: str,
    socket_class: type[_Stream],
    *,
    headers: _HeaderPairs | None = None,
    timeout: float | EllipsisType | None = ...,
    **control: Unpack[Control],
) -> _Stream: ...


@overload
def connect(
    uri: str,
    socket_class: type[MessageWebSocket] = ...,
    *,
    headers: _HeaderPairs | None = None,
    timeout: float | EllipsisType | None = ...,
    **control: Unpack[MessageControl],
) -> MessageWebSocket: ...


def connect(
    uri: str,
    socket_class: type[MessageWebSocket] | type[StreamWebSocket] = MessageWebSocket,
    *,
    headers: _HeaderPairs | None = None,
    timeout: float | EllipsisType | None = ...,
    **control: Any,
) -> MessageWebSocket | StreamWebSocket:
    """Makes a socket, connects it to a ws:// or wss:// URI, and returns it open.

    socket_class: MessageWebSocket, StreamWebSocket, or a class derived from one; headers: for the opening
    handshake; timeout: seconds for all of connecting, ... = connect_timeout, None = no limit; control: options
    of the socket.
    Raises ConnectError and its kind, ArgumentError, TypeError. Blocks until connected. Any thread.
    """
    refuse_await("connect", sys._getframe(1))
    if not isinstance(socket_class, type) or not issubclass(socket_class, (MessageWebSocket, StreamWebSocket)):
        raise TypeError(f"socket_class must be MessageWebSocket or StreamWebSocket, not {socket_class!r}")
    socket = socket_class(**control)
    for name, value in _pairs(headers):
        socket.set_request_header(name, value)
    socket.connect(uri, timeout=timeout)
    return socket

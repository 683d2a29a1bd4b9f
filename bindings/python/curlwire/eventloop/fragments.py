# SPDX-License-Identifier: MIT
"""Sends the items of an iterable as the fragments of one message."""

from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any

from curlwire._core import WebSocket
from curlwire.eventloop.base import Socket

if TYPE_CHECKING:
    from curlwire.defaults import Default
    from curlwire.eventloop.sockets import MessageWebSocket

_INTERNAL_ERROR = 1011


class _Pieces:
    """A message of which a part has been sent."""

    def __init__(
        self,
        socket: "MessageWebSocket",
        timeout: "float | Default | None",
        text: bool | None,
        compress: bool | None,
    ) -> None:
        self._socket = socket
        self._timeout = timeout
        self._text = text
        self._compress = compress
        self._is_of_str: bool | None = None  # the type of the first item
        self.is_begun: bool = False

    async def send(self, item: Any, is_final: bool = False) -> None:
        """Sends an item."""
        is_str = self._is_of_str if is_final else isinstance(item, str)
        if self._text is None and self._is_of_str not in (None, is_str):
            raise TypeError(
                "the items of an iterable for send() must be all str or all bytes; to mix them, give text=True "
                "or text=False"
            )
        text = bool(is_str) if self._text is None else self._text
        await self._socket._send_fragment(item, self, is_final, text, self._compress, self._timeout)
        self._is_of_str = is_str
        self.is_begun = True


async def send_items(
    socket: "MessageWebSocket",
    items: Any,
    timeout: "float | Default | None",
    text: bool | None,
    compress: bool | None,
) -> None:
    """Sends the items as they come, and an empty final fragment after them.

    Raises TypeError if items is not iterable. If a message has begun and cannot be ended, it closes the
    connection.
    """
    if isinstance(items, dict):
        raise TypeError("send() cannot send a dict; send it by send_json()")
    is_socket = isinstance(items, (Socket, WebSocket))
    if is_socket or not isinstance(items, (Iterable, AsyncIterable)):
        raise TypeError(f"send() takes a str, a bytes-like object or an iterable of them, not {type(items)!r}")
    await socket._checkpoint()
    pieces = _Pieces(socket, timeout, text, compress)
    try:
        if isinstance(items, AsyncIterable):
            async for item in items:
                await pieces.send(item)
        else:
            for item in items:
                await pieces.send(item)
        if pieces.is_begun:
            await pieces.send(b"", is_final=True)
    except BaseException:
        if pieces.is_begun:
            socket._begin_close(_INTERNAL_ERROR, "a message could not be completed")
        raise

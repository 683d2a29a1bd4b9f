# SPDX-License-Identifier: MIT
"""The classes MessageWebSocket, StreamWebSocket and ReconnectingWebSocket for trio.

Each call that can be awaited is a checkpoint, as in trio itself: it lets other tasks run, and if it is
cancelled already, it does nothing.
"""

from collections.abc import AsyncIterator
from typing import Any

import trio

from curlwire.defaults import DEFAULT, Default
from curlwire.eventloop import reconnecting_socket, sockets
from curlwire.eventloop.connecting import Connector
from curlwire.trio.hub import Hub

_NEXT = 3  # the form of a message for iteration


class MessageWebSocket(sockets.MessageWebSocket):
    """A WebSocket for trio that sends and receives whole messages.

    control: the options as keywords, as for curlwire.MessageWebSocket.
    All calls belong to the run of trio that has connected the socket. One task receives at a time; any number
    may send.
    """

    _hub_class = Hub

    async def _checkpoint(self) -> None:
        await trio.lowlevel.checkpoint()

    async def _receive(self, decode: bool | None, form: int) -> Any:
        return await (await self._until(lambda: self._core._try_recv(decode, form), None, "a message"))

    def __aiter__(self) -> AsyncIterator[Any]:
        return _Messages(self)

    async def send(
        self,
        data: Any,
        timeout: float | Default | None = DEFAULT,
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> None:
        """Sends one message, as curlwire.aio.MessageWebSocket.send() does."""
        await self._send(data, timeout, text, compress)


class _Messages:
    """The messages of a socket, for 'async for'."""

    def __init__(self, socket: MessageWebSocket) -> None:
        self._socket = socket

    def __aiter__(self) -> "_Messages":
        return self

    async def __anext__(self) -> Any:
        return await self._socket._receive(None, _NEXT)


class StreamWebSocket(sockets.StreamWebSocket):
    """A WebSocket for trio whose messages are one stream of bytes.

    control: the options as keywords, as for curlwire.StreamWebSocket.
    input_stream and output_stream have the methods of asyncio.StreamReader and asyncio.StreamWriter.
    """

    _hub_class = Hub

    async def _checkpoint(self) -> None:
        await trio.lowlevel.checkpoint()


class ReconnectingWebSocket(reconnecting_socket.ReconnectingWebSocket[MessageWebSocket]):
    """A WebSocket for trio that connects again when its connection is lost.

    The arguments are those of curlwire.ReconnectingWebSocket. The functions for the URI, the headers and the
    subprotocols, should_retry and all handlers may be coroutine functions.
    It has the calls of MessageWebSocket. Iteration returns the messages of all connections. It ends as that of
    a MessageWebSocket, but only when no further attempt follows. A system task of trio connects. All calls
    belong to the run of trio that has connected the socket. One task receives at a time; any number may send.
    Raises ArgumentError for a bad value, TypeError for a bad type.
    """

    _package = "curlwire.trio"
    _socket_class = MessageWebSocket

    async def _checkpoint(self) -> None:
        await trio.lowlevel.checkpoint()


connect: Connector[MessageWebSocket, StreamWebSocket] = Connector("trio", MessageWebSocket, StreamWebSocket)

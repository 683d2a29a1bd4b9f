# SPDX-License-Identifier: MIT
"""The classes MessageWebSocket, StreamWebSocket and ReconnectingWebSocket for asyncio."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

from curlwire import _core
from curlwire.aio.hub import Hub
from curlwire.eventloop import reconnecting_socket, sockets
from curlwire.eventloop.connecting import Connector


class MessageWebSocket(_core.LoopSocket, sockets.MessageWebSocket):
    """A WebSocket for asyncio that sends and receives whole messages.

    control: the options as keywords, as for curlwire.MessageWebSocket.
    All calls belong to the loop that has connected the socket. One task receives at a time; any number may
    send.
    """

    _hub_class = Hub

    def _receive(self, decode: bool | None, form: int) -> Awaitable[Any]:
        return self._core._receive(self, decode, form)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._core._messages(self)


class StreamWebSocket(sockets.StreamWebSocket):
    """A WebSocket for asyncio whose messages are one stream of bytes.

    control: the options as keywords, as for curlwire.StreamWebSocket.
    input_stream and output_stream have the methods of asyncio.StreamReader and asyncio.StreamWriter.
    """

    _hub_class = Hub


class ReconnectingWebSocket(reconnecting_socket.ReconnectingWebSocket[MessageWebSocket]):
    """A WebSocket for asyncio that connects again when its connection is lost.

    The arguments are those of curlwire.ReconnectingWebSocket. The functions for the URI, the headers and the
    subprotocols, should_retry and all handlers may be coroutine functions.
    It has the calls of MessageWebSocket. Iteration returns the messages of all connections. It ends as that of
    a MessageWebSocket, but only when no further attempt follows. A task of its own connects. All calls belong
    to the loop that has connected the socket. One task receives at a time; any number may send.
    Raises ArgumentError for a bad value, TypeError for a bad type.
    """

    _package = "curlwire.aio"
    _socket_class = MessageWebSocket


connect: Connector[MessageWebSocket, StreamWebSocket] = Connector("aio", MessageWebSocket, StreamWebSocket)

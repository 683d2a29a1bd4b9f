# SPDX-License-Identifier: MIT
"""The classes MessageWebSocket and StreamWebSocket for asyncio."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

from curlwire import _core
from curlwire.aio.hub import Hub
from curlwire.eventloop import sockets
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


connect: Connector[MessageWebSocket, StreamWebSocket] = Connector("aio", MessageWebSocket, StreamWebSocket)

# SPDX-License-Identifier: MIT
"""The streams of a StreamWebSocket, with the methods of asyncio.StreamReader and asyncio.StreamWriter."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from curlwire.aio.sockets import StreamWebSocket

_CHUNK_BYTES = 65536
_LIMIT_BYTES = 65536  # of a line, as in asyncio


class InputStream:
    """The bytes that a StreamWebSocket receives. The borders of messages do not show.

    The stream ends after this program's close(). It also ends when the server closes with code 1000 or none,
    but not in the middle of a message. After every other end, each call raises ConnectionClosed when all bytes
    have been read. One task reads at a time.
    """

    def __init__(self, socket: "StreamWebSocket") -> None:
        self._socket = socket
        self._buffer = socket._unread
        self._is_at_end = False

    async def _fill(self) -> bool:
        """Reads more bytes into the buffer. Returns False at the end of the stream."""
        data = b"" if self._is_at_end else await self._socket._read(_CHUNK_BYTES)
        self._buffer += data
        self._is_at_end = not data
        return bool(data)

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def read(self, n: int = -1) -> bytes:
        """Reads up to n bytes, as soon as there are some; b'' at the end. With -1 it reads to the end."""
        if n == 0:
            return b""
        if n < 0:
            while await self._fill():
                pass
            return self._take(len(self._buffer))
        if not self._buffer:
            await self._fill()
        return self._take(n)

    async def readexactly(self, n: int) -> bytes:
        """Reads n bytes.

        Raises asyncio.IncompleteReadError if the stream ends before; its partial has what was left.
        """
        if n < 0:
            raise ValueError(f"readexactly() takes 0 or more, not {n}")
        while len(self._buffer) < n and await self._fill():
            pass
        if len(self._buffer) < n:
            raise asyncio.IncompleteReadError(self._take(len(self._buffer)), n)
        return self._take(n)

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Reads up to and including a separator.

        Raises asyncio.IncompleteReadError if the stream ends before, and asyncio.LimitOverrunError if there is
        no separator in 64 KiB; the bytes then stay in the stream.
        """
        if not separator:
            raise ValueError("readuntil() takes a separator of at least one byte")
        start = 0
        while (at := self._buffer.find(separator, start)) < 0:
            start = max(0, len(self._buffer) - len(separator) + 1)
            if start > _LIMIT_BYTES:
                raise asyncio.LimitOverrunError(f"there is no separator in {_LIMIT_BYTES} bytes", start)
            if not await self._fill():
                raise asyncio.IncompleteReadError(self._take(len(self._buffer)), None)
        return self._take(at + len(separator))

    async def readline(self) -> bytes:
        """Reads a line with its end. At the end of the stream it returns what is left.

        Raises ValueError for a line of more than 64 KiB.
        """
        try:
            return await self.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            return error.partial
        except asyncio.LimitOverrunError as error:
            raise ValueError(error.args[0]) from None

    def at_eof(self) -> bool:
        """Returns whether the stream has ended and all its bytes have been read."""
        return self._is_at_end and not self._buffer

    def __aiter__(self) -> "InputStream":
        return self

    async def __anext__(self) -> bytes:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line


class OutputStream:
    """The bytes that a StreamWebSocket sends. Each write is one message."""

    def __init__(self, socket: "StreamWebSocket") -> None:
        self._socket = socket

    def write(self, data: "ReadableBuffer") -> None:
        """Sends bytes, or keeps them until drain(). Does not wait."""
        self._socket._write(bytes(data))

    def writelines(self, data: "Iterable[ReadableBuffer]") -> None:
        """Sends the items joined, as write() does."""
        self.write(b"".join(bytes(item) for item in data))

    async def drain(self) -> None:
        """Waits until the socket has taken everything that was written.

        Raises ConnectionClosed, StateError, and WebSocketTimeout after control.send_timeout.
        """
        await self._socket._drain()

    def can_write_eof(self) -> bool:
        """Returns False, because a WebSocket has no half-close."""
        return False

    def is_closing(self) -> bool:
        """Returns whether the connection is closing or has ended."""
        return self._socket.state in ("closing", "closed")

    def close(self) -> None:
        """Begins to close the socket, with code 1000."""
        self._socket._core.close()

    async def wait_closed(self) -> None:
        """Waits for the end of the connection, and raises as that call of the socket does."""
        await self._socket.wait_closed()

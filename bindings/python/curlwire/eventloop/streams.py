# SPDX-License-Identifier: MIT
"""The streams of the classes for an event loop.

They have the methods of asyncio.StreamReader and asyncio.StreamWriter.
"""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, Self

from curlwire.errors import WebSocketTimeout

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from curlwire._core import MessageBuffer, SocketMessageType
    from curlwire.eventloop.base import Socket
    from curlwire.eventloop.sockets import MessageWebSocket, StreamWebSocket

_CHUNK_BYTES = 65536
_LIMIT_BYTES = 65536  # of a line, as in asyncio


def _raise_incomplete(partial: bytes, expected: int | None) -> NoReturn:
    from asyncio import IncompleteReadError  # here, because a program for trio imports no asyncio

    raise IncompleteReadError(partial, expected)


def _raise_overrun(start: int) -> NoReturn:
    from asyncio import LimitOverrunError

    raise LimitOverrunError(f"there is no separator in {_LIMIT_BYTES} bytes: take the bytes by read()", start)


class Reader:
    """The methods of asyncio.StreamReader. Each call is a checkpoint, also if it need not wait."""

    def __init__(self, socket: "Socket[Any]", buffer: bytearray) -> None:
        self._checkpoint: Callable[[], Awaitable[None]] = socket._checkpoint
        self._buffer = buffer

    @abstractmethod
    def _has_ended(self) -> bool:
        """Returns whether a call has found the end of the stream."""

    @abstractmethod
    async def _fill(self) -> bool:
        """Reads more bytes into the buffer. Returns False at the end of the stream."""

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def read(self, n: int = -1) -> bytes:
        """Reads up to n bytes, as soon as there are some; b'' at the end. With -1 it reads to the end."""
        await self._checkpoint()
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
        await self._checkpoint()
        while len(self._buffer) < n and await self._fill():
            pass
        if len(self._buffer) < n:
            _raise_incomplete(self._take(len(self._buffer)), n)
        return self._take(n)

    async def readuntil(self, separator: bytes = b"\n") -> bytes:
        """Reads up to and including a separator.

        Raises asyncio.IncompleteReadError if the stream ends before, and asyncio.LimitOverrunError if there is
        no separator in 64 KiB; the bytes then stay in the stream.
        """
        if not separator:
            raise ValueError("readuntil() takes a separator of at least one byte")
        data = await self._line(separator)
        if data is None:
            _raise_overrun(len(self._buffer))
        if not data:
            _raise_incomplete(self._take(len(self._buffer)), None)
        return data

    async def _line(self, separator: bytes) -> bytes | None:
        """Returns the bytes up to a separator; b'' if the stream ends before, None if it is too far away."""
        await self._checkpoint()
        start = 0
        while (at := self._buffer.find(separator, start)) < 0:
            start = max(0, len(self._buffer) - len(separator) + 1)
            if start > _LIMIT_BYTES:
                return None
            if not await self._fill():
                return b""
        return self._take(at + len(separator))

    async def readline(self) -> bytes:
        """Reads a line with its end. At the end of the stream it returns what is left.

        Raises ValueError for a line of more than 64 KiB.
        """
        line = await self._line(b"\n")
        if line is None:
            raise ValueError(f"there is no end of line in {_LIMIT_BYTES} bytes: take the bytes by read()")
        return line or self._take(len(self._buffer))

    def at_eof(self) -> bool:
        """Returns whether the stream has ended and all its bytes have been read."""
        return self._has_ended() and not self._buffer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line


class InputStream(Reader):
    """The bytes that a StreamWebSocket receives. The borders of messages do not show.

    The stream ends after this program's close(). It also ends when the server closes with code 1000 or none,
    but not in the middle of a message. After every other end, each call raises ConnectionClosed when all bytes
    have been read. One task reads at a time.
    """

    def __init__(self, socket: "StreamWebSocket") -> None:
        super().__init__(socket, socket._unread)
        self._socket = socket

    def _has_ended(self) -> bool:
        return self._socket._is_at_end

    async def _fill(self) -> bool:
        socket = self._socket
        data = b"" if socket._is_at_end else await socket._read(_CHUNK_BYTES)
        self._buffer += data
        socket._is_at_end = not data  # there, because each access to input_stream makes a new object
        return bool(data)


class MessageStream(Reader):
    """One received message. ws.recv_stream() returns it.

    Its calls raise StateError after the next receive, which skips what has not been read of the message, and
    ConnectionClosed if the connection ends before the end of the message.
    """

    def __init__(self, socket: "MessageWebSocket") -> None:
        super().__init__(socket, bytearray())
        self._socket = socket
        self._is_at_end = False
        part = socket._core._receive_part(self, True, 0)
        self._message_type = part.message_type
        self._add(part)

    def _has_ended(self) -> bool:
        return self._is_at_end

    def _add(self, part: "MessageBuffer") -> None:
        self._buffer += part
        self._is_last = part.is_message_complete

    def _try_next(self) -> bool | None:
        """Adds the next part. Returns None if it has not arrived."""
        with suppress(WebSocketTimeout):
            self._add(self._socket._core._receive_part(self, False, 0))
            return True
        return None

    async def _fill(self) -> bool:
        if self._is_last:
            self._is_at_end = True
            return False
        await self._socket._until(self._try_next, None, "a part of the message")
        return True

    @property
    def message_type(self) -> "SocketMessageType":
        """The SocketMessageType of the message. Text is read as UTF-8 bytes."""
        return self._message_type


def _bytes(data: "ReadableBuffer", takes: str) -> bytes:
    """Returns the bytes of a bytes-like object. bytes() alone would make NULs of a number."""
    try:
        memoryview(data)
    except TypeError:
        hint = "a str; encode it, as with text.encode('utf-8')" if isinstance(data, str) else repr(type(data))
        raise TypeError(f"{takes}, not {hint}") from None
    return bytes(data)


class OutputStream:
    """The bytes that a socket sends. Each write is one message.

    The messages of a MessageWebSocket have the type control.message_type. Those of a StreamWebSocket are
    binary.
    """

    def __init__(self, socket: "Socket[Any]") -> None:
        self._socket = socket

    def write(self, data: "ReadableBuffer") -> None:
        """Sends a bytes-like object, or keeps it until drain(). Does not wait."""
        self._socket._write(_bytes(data, "write() takes a bytes-like object"))

    def writelines(self, data: "Iterable[ReadableBuffer]") -> None:
        """Sends bytes-like objects joined, as write() does."""
        self.write(b"".join(_bytes(item, "writelines() takes bytes-like objects") for item in data))

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
        """Begins to close the socket, with code 1000. Await drain() before, because the call does not wait.

        What was not sent is lost then, and wait_closed() raises ConnectionClosed.
        """
        self._socket._check_loop()
        self._socket._begin_close(1000, "")

    async def wait_closed(self) -> None:
        """Waits for the end of the connection, and raises as that call of the socket does."""
        await self._socket.wait_closed()

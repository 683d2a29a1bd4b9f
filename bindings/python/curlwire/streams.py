# SPDX-License-Identifier: MIT
"""ws.input_stream and ws.output_stream: Python's raw binary file objects over a socket.

Like the files of socket.makefile(), a stream is a view: closing it, or dropping it, ends that object only and
leaves the connection as it is; ws.close() closes the connection. So io.BufferedReader, io.TextIOWrapper and the
like can be put on a stream, and be forgotten, without harm. Every access to the attribute makes a new view.
"""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from curlwire._core import MessageWebSocket, StreamWebSocket


_CHUNK_BYTES = 65536


class _Stream(io.RawIOBase):
    """What both directions share: closing ends the view and nothing else."""

    _is_closed = False

    @property
    def closed(self) -> bool:
        """Whether this stream object was closed; not whether the connection is."""
        return self._is_closed

    def close(self) -> None:
        """Ends this stream object; the connection stands. Does not block. Any thread."""
        self._is_closed = True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Raises UnsupportedOperation: this stream goes the other way."""
        raise io.UnsupportedOperation("not readable")

    def write(self, buffer: "ReadableBuffer", /) -> int:
        """Raises UnsupportedOperation: this stream goes the other way."""
        raise io.UnsupportedOperation("not writable")

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("I/O operation on a closed stream; take a new one from the socket")


class InputStream(_Stream):
    """The bytes that arrive at a StreamWebSocket, as one flow, whatever the messages they came in."""

    def __init__(self, socket: "StreamWebSocket") -> None:
        super().__init__()
        self._socket = socket

    def readable(self) -> bool:
        """Returns True."""
        self._check_open()
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Reads into a buffer as soon as there are bytes, and returns their number; 0 at the end.

        The end is our own close, or the server's with 1000 or no code, between two messages. Raises
        ConnectionClosed after every other end, when all that came was read, because the transfer may be
        incomplete; WebSocketTimeout after control.receive_timeout. Blocks. One reader at a time.
        """
        self._check_open()
        return self._socket._read_into(buffer)

    def readall(self) -> bytes:
        """Reads up to the end; if that fails, all that has come is still to be read.

        Raises as readinto(). Blocks. One reader at a time.
        """
        chunks: list[bytes] = []
        try:
            while chunk := self.read(_CHUNK_BYTES):
                chunks.append(chunk)
            return b"".join(chunks)
        except BaseException:
            while chunks:
                self._socket._unread(chunks.pop())
            raise

    def __repr__(self) -> str:
        return f"<curlwire.InputStream of {self._socket!r}>"


class OutputStream(_Stream):
    """What is written goes out: one write is one message, of control.message_type or, on a stream, binary."""

    def __init__(self, socket: "MessageWebSocket | StreamWebSocket") -> None:
        super().__init__()
        self._socket = socket

    def writable(self) -> bool:
        """Returns True."""
        self._check_open()
        return True

    def write(self, buffer: "ReadableBuffer", /) -> int:
        """Sends a buffer as one message and returns its size.

        Raises ConnectionClosed, WebSocketTimeout after control.send_timeout, StateError; ArgumentError if the
        type is utf8 and the bytes are not. Blocks while the outbound buffer is full. Any thread.
        """
        self._check_open()
        return self._socket._write(buffer)

    def flush(self) -> None:
        """Waits until everything sent has left the socket. Raises as ws.flush(). Blocks. Any thread."""
        self._check_open()
        self._socket.flush()

    def __repr__(self) -> str:
        return f"<curlwire.OutputStream of {self._socket!r}>"

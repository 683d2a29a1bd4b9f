# SPDX-License-Identifier: MIT
"""The raw binary file objects of a socket: ws.input_stream and ws.output_stream.

A stream is a view of the socket, as the files of socket.makefile() are. Closing or dropping it does not close
the connection; only ws.close() does. So a program may wrap a stream in io.BufferedReader or io.TextIOWrapper
and drop that object. Each access to the attribute makes a new stream.
"""

import io
from typing import TYPE_CHECKING, NoReturn, SupportsIndex

from curlwire.defaults import DEFAULT
from curlwire.information import refuse_copy

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from curlwire._core import MessageBuffer, MessageWebSocket, SocketMessageType, StreamWebSocket, _Timeout


_CHUNK_BYTES = 65536


class _Stream(io.RawIOBase):
    """The base of both streams."""

    _is_closed = False

    @property
    def closed(self) -> bool:
        """Whether this stream object was closed. The connection may still be open."""
        return self._is_closed

    def close(self) -> None:
        """Closes this stream object but not the connection.

        Raises nothing. Does not block. Any thread may call it.
        """
        self._is_closed = True

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        refuse_copy(self)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Raises UnsupportedOperation, because this stream only writes."""
        raise io.UnsupportedOperation("an output stream is not readable; read from input_stream or call recv()")

    def write(self, buffer: "ReadableBuffer", /) -> int:
        """Raises UnsupportedOperation, because this stream only reads."""
        raise io.UnsupportedOperation("an input stream is not writable; write to output_stream")

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("I/O operation on a closed stream; take a new stream from the socket")


class InputStream(_Stream):
    """The bytes that a StreamWebSocket receives, as one stream. The borders of messages do not show."""

    def __init__(self, socket: "StreamWebSocket") -> None:
        super().__init__()
        self._socket = socket

    def readable(self) -> bool:
        """Returns True."""
        self._check_open()
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Reads bytes into a buffer and returns their number, an int; 0 at the end of the stream.

        The stream ends after this program's close(). It also ends when the server closes with code 1000 or
        none, but not in the middle of a message. After every other end, when all bytes have been read,
        it raises ConnectionClosed, because the transfer may be incomplete. Raises WebSocketTimeout after
        control.receive_timeout. Blocks until bytes have arrived. Any thread may call it, one at a time.
        """
        self._check_open()
        return self._socket._read_into(buffer)

    def readall(self) -> bytes:
        """Reads and returns all bytes up to the end of the stream.

        Raises as readinto() does. After an exception, the next read returns the received bytes again.
        Blocks until the end of the stream. Any thread may call it, one at a time.
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


class MessageStream(_Stream):
    """One received message as a binary file object. ws.recv_stream() returns it.

    Closing or dropping it skips what has not been read: the next receive returns the next message.
    """

    def __init__(self, socket: "MessageWebSocket", timeout: "_Timeout" = DEFAULT, /) -> None:
        super().__init__()
        self._socket = socket
        self._take(socket._receive_part(self, True, timeout))

    def _take(self, part: "MessageBuffer") -> None:
        self._message_type = part.message_type
        self._is_last = part.is_message_complete
        self._rest = memoryview(part)

    @property
    def message_type(self) -> "SocketMessageType":
        """The SocketMessageType of the message. Text is read as UTF-8 bytes."""
        return self._message_type

    def readable(self) -> bool:
        """Returns True."""
        self._check_open()
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Reads bytes into a buffer and returns their number, an int; 0 only at the end of the message.

        Raises ConnectionClosed if the connection ends before the end of the message, StateError if
        another receive has begun since, and WebSocketTimeout after control.receive_timeout. Blocks until
        bytes have arrived. Any thread may call it, one at a time.
        """
        self._check_open()
        target = memoryview(buffer).cast("B")
        while target and not self._rest and not self._is_last:
            self._take(self._socket._receive_part(self, False))
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def readall(self) -> bytes:
        """Reads and returns all bytes up to the end of the message.

        Raises as readinto() does. After an exception, the next read returns the received bytes again.
        Blocks until the end of the message. Any thread may call it, one at a time.
        """
        self._check_open()
        chunks = [bytes(self._rest)]
        try:
            while not self._is_last:
                self._take(self._socket._receive_part(self, False))
                chunks.append(bytes(self._rest))
        except BaseException:
            self._rest = memoryview(b"".join(chunks))
            raise
        self._rest = memoryview(b"")
        return b"".join(chunks)

    def close(self) -> None:
        """Closes this stream object. The next receive skips what has not been read of the message.

        Raises nothing. Does not block. Any thread may call it.
        """
        super().close()
        self._rest = memoryview(b"")

    def __repr__(self) -> str:
        return f"<curlwire.MessageStream of {self._socket!r}>"


class OutputStream(_Stream):
    """A file whose writes are sent. Each write is one message.

    The messages of a MessageWebSocket have the type control.message_type. Those of a StreamWebSocket are
    binary.
    """

    def __init__(self, socket: "MessageWebSocket | StreamWebSocket") -> None:
        super().__init__()
        self._socket = socket

    def writable(self) -> bool:
        """Returns True."""
        self._check_open()
        return True

    def write(self, buffer: "ReadableBuffer", /) -> int:
        """Sends a bytes-like object as one message and returns its size in bytes, an int.

        Raises ConnectionClosed, StateError, WebSocketTimeout after control.send_timeout without progress, and
        ArgumentError if control.message_type is utf8 and the bytes are not UTF-8.
        Blocks until the kernel has taken the message. Any thread may call it.
        """
        self._check_open()
        return self._socket._write(buffer)

    def flush(self) -> None:
        """Waits until the kernel has taken all messages that were sent.

        Raises and blocks as ws.flush() does. Any thread may call it.
        """
        self._check_open()
        self._socket.flush()

    def __repr__(self) -> str:
        return f"<curlwire.OutputStream of {self._socket!r}>"

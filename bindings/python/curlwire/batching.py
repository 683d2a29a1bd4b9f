# SPDX-License-Identifier: MIT
"""The context manager that ws.batch() returns."""

from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curlwire._core import WebSocket


class Batch:
    """A block in which the socket holds small messages back and writes them with one system call.

    The socket writes them when they fill 32 KiB, when a call waits to receive, and at the end of the block. The
    end of the block waits until the kernel has taken all of them. With framing="curl" the socket holds no
    message back.
    """

    __slots__ = ("_socket",)

    def __init__(self, socket: "WebSocket") -> None:
        self._socket = socket

    def __enter__(self) -> None:
        """Begins the batch.

        Raises ConnectionClosed, StateError. Does not block. Any thread may call it.
        """
        self._socket._begin_batch()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the batch and writes its messages, even if an exception leaves the block.

        Raises ConnectionClosed, and WebSocketTimeout after control.send_timeout without progress. Raises
        nothing if an exception leaves the block. Blocks until the kernel has taken the messages. Any thread may
        call it.
        """
        self._socket._end_batch(exc_type is None)

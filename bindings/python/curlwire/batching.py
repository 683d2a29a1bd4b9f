# SPDX-License-Identifier: MIT
"""ws.batch(): small messages are written together."""

from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curlwire._core import WebSocket


class Batch:
    """A block in which the socket holds small messages back and writes them by one system call.

    They go out when no more fit (32 KiB), when a call waits to receive, and at the latest at the end of the
    block, which waits until the kernel has taken all of it. With libcurl's framing nothing is held back.
    """

    __slots__ = ("_socket",)

    def __init__(self, socket: "WebSocket") -> None:
        self._socket = socket

    def __enter__(self) -> None:
        """Begins the batch. Raises ConnectionClosed, StateError. Does not block. Any thread."""
        self._socket._begin_batch()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the batch and writes it, also where an exception leaves the block.

        Raises WebSocketTimeout after control.send_timeout without progress, ConnectionClosed; nothing
        if an exception leaves the block. Blocks. Any thread.
        """
        self._socket._end_batch(exc_type is None)

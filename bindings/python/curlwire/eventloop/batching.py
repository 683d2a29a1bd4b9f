# SPDX-License-Identifier: MIT
"""The async context manager that ws.batch() returns."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from curlwire.eventloop.base import Socket


class Batch:
    """A block in which the socket holds small messages back and writes them with one system call.

    It is as curlwire.Batch. Use it in 'async with'.
    """

    __slots__ = ("_socket",)

    def __init__(self, socket: "Socket[Any]") -> None:
        self._socket = socket

    async def __aenter__(self) -> None:
        """Begins the batch. Raises ConnectionClosed, StateError."""
        self._socket._loop()
        self._socket._core._begin_batch()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        """Ends the batch, writes its messages, and waits as flush() does, if no exception leaves the block."""
        self._socket._core._end_batch(False, 0)
        if exc_type is None:
            await self._socket.flush()

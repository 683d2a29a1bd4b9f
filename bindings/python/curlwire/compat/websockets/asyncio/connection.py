# SPDX-License-Identifier: MIT
"""The connection of the client for asyncio."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, Self, overload

from curlwire import aio
from curlwire.compat.websockets.client import ClientProtocol
from curlwire.compat.websockets.connecting import connection_controls
from curlwire.compat.websockets.connection import INTERNAL_ERROR, Connection, Transport, check_ping, check_pong
from curlwire.compat.websockets.exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedOK,
    ProtocolError,
)
from curlwire.compat.websockets.frames import CloseCode
from curlwire.compat.websockets.typing import Data, DataLike
from curlwire.errors import ArgumentError, StateError
from curlwire.errors import ConnectionClosed as CoreClosed

__all__ = ["ClientConnection"]

_SIMPLE = (str, bytes, bytearray, memoryview)


class ClientConnection(Connection):
    """A connection, as connect() returns it.

    Iterating over it gives the messages. The iteration ends when the connection closes with 1000, 1001 or no
    code, and raises ConnectionClosedError after every other end. max_queue is checked. Like write_limit, it has
    no effect: curlwire limits what waits by bytes.
    """

    def __init__(
        self,
        protocol: ClientProtocol,
        *,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        max_queue: int | tuple[int | None, int | None] | None = 16,
        write_limit: int | tuple[int, int | None] = 2**15,
    ) -> None:
        controls = connection_controls(protocol, ping_interval, ping_timeout, close_timeout, max_queue)
        self._ws: aio.MessageWebSocket = aio.MessageWebSocket(**controls)
        super().__init__(protocol, self._ws._core)
        self._fragments: asyncio.Future[None] | None = None  # a message that is sent in fragments

    async def _open(self, timeout: float | None) -> None:
        await self._ws.connect(self.protocol.target, timeout)
        self._opened()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close(CloseCode.NORMAL_CLOSURE if exc_type is None else INTERNAL_ERROR)

    @property
    def transport(self) -> Transport:
        """The addresses and TLS of the connection, and abort()."""
        return self._view()

    async def _ended(self, cause: BaseException | None) -> ConnectionClosed:
        """Waits for the end of the connection, and returns the exception for it.

        Raise the result at once. A local variable would make a reference cycle, which keeps the connection.
        """
        with suppress(CoreClosed):
            await self._ws.wait_closed()
        return self._closed(cause)

    # ---- receiving

    @overload
    async def recv(self, decode: Literal[True]) -> str: ...

    @overload
    async def recv(self, decode: Literal[False]) -> bytes: ...

    @overload
    async def recv(self, decode: bool | None = None) -> Data: ...

    async def recv(self, decode: bool | None = None) -> Data:
        """Returns the next message: str for text, bytes for binary.

        decode: True returns a str for a binary message too, False returns bytes for text too.
        Raises ConnectionClosed, and ConcurrencyError if another task receives. A cancelled call loses nothing.
        """
        try:
            message: Data = await self._ws.recv(decode=decode)
        except CoreClosed as error:
            raise await self._ended(error)
        except StateError as error:
            if "another task" not in str(error):
                raise
            raise ConcurrencyError(
                "cannot call recv while another coroutine is already running recv or recv_streaming"
            ) from error
        except UnicodeDecodeError as error:
            await self.close(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
            raise await self._ended(error) from error
        return message

    @overload
    def recv_streaming(self, decode: Literal[True]) -> AsyncIterator[str]: ...

    @overload
    def recv_streaming(self, decode: Literal[False]) -> AsyncIterator[bytes]: ...

    @overload
    def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Data]: ...

    async def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Data]:
        """Yields the next message in one piece, whatever its fragments. Raises as recv() does."""
        yield await self.recv(decode)

    async def __aiter__(self) -> AsyncIterator[Data]:
        try:
            async for message in self._ws:
                yield message
        except CoreClosed as error:
            raise await self._ended(error)
        with suppress(ConnectionClosedOK):
            raise await self._ended(None)

    # ---- sending

    async def send(
        self,
        message: DataLike | Iterable[DataLike] | AsyncIterable[DataLike],
        *,
        text: bool | None = None,
    ) -> None:
        """Sends a message: a str as text, a bytes-like object as binary.

        An iterable, or asynchronous iterable, of them is sent as one message, each item as a fragment.
        text: True sends bytes as text, False sends a str as binary.
        Raises ConnectionClosed, and TypeError for another type.
        """
        while self._fragments is not None:
            await asyncio.shield(self._fragments)
        try:
            if isinstance(message, _SIMPLE):
                await self._ws.send(message, text=text)
            elif isinstance(message, Mapping):
                raise TypeError("data is a dict-like object")
            elif isinstance(message, Iterable):
                await self._send_fragments(_each(message), text)
            elif isinstance(message, AsyncIterable):
                await self._send_fragments(aiter(message), text)
            else:
                raise TypeError("data must be str, bytes, iterable, or async iterable")
        except CoreClosed as error:
            raise await self._ended(error)

    async def _send_fragments(self, items: AsyncIterator[DataLike], text: bool | None) -> None:
        """Sends the items as the fragments of one message, in a thread, because a frame may have to wait."""
        try:
            first = await anext(items)
        except StopAsyncIteration:
            return
        if not isinstance(first, _SIMPLE):
            raise TypeError("iterable must contain bytes or str")
        loop = asyncio.get_running_loop()
        core = self._core
        done = self._fragments = loop.create_future()
        try:
            is_text = isinstance(first, str) if text is None else text
            core.control.message_type = "utf8" if is_text else "binary"
            await loop.run_in_executor(None, core.send_nonfinal_frame, first)
            async for item in items:
                if not isinstance(item, _SIMPLE) or isinstance(item, str) is not isinstance(first, str):
                    raise TypeError("iterable must contain uniform types")
                await loop.run_in_executor(None, core.send_nonfinal_frame, item)
            await loop.run_in_executor(None, core.send_final_frame, b"")
        except BaseException:
            self._note_close(INTERNAL_ERROR, "error in fragmented message")
            core.close(INTERNAL_ERROR, "error in fragmented message")
            raise
        finally:
            self._fragments = None
            done.set_result(None)

    # ---- closing and pings

    async def close(self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Closes the connection, and waits for its end. A second call only waits.

        Raises ProtocolError for a code or reason that may not be sent.
        """
        if self._fragments is not None:
            code, reason = INTERNAL_ERROR, "close during fragmented message"
        self._note_close(code, reason)
        try:
            await self._ws.close(int(code), reason)
        except ArgumentError as error:
            self._asked = None
            raise ProtocolError(str(error)) from error
        except CoreClosed as error:
            self.logger.warning("%s", error)  # messages did not reach the server

    async def wait_closed(self) -> None:
        """Waits until the connection has ended."""
        with suppress(CoreClosed):
            await self._ws.wait_closed()

    async def ping(self, data: DataLike | None = None) -> Awaitable[float]:
        """Sends a ping. Returns an awaitable of its round trip in seconds.

        data: must be None; the control ping_payload sets the payload of all pings.
        Raises ConnectionClosed, and so does the awaitable.
        """
        check_ping(data)
        try:
            self._check_open()
        except CoreClosed as error:
            raise await self._ended(error)
        task = asyncio.get_running_loop().create_task(self._ping())
        task.add_done_callback(_forget)
        await asyncio.sleep(0)
        return task

    async def _ping(self) -> float:
        try:
            return await self._ws.ping(None)
        except CoreClosed as error:
            raise await self._ended(error)

    async def pong(self, data: DataLike = b"") -> None:
        """Raises NotImplementedError: the control desired_unsolicited_pong_interval sends pongs."""
        check_pong(data)


def _forget(task: "asyncio.Task[Any]") -> None:
    """Takes the exception of a ping, which a program need not await."""
    if not task.cancelled():
        task.exception()


async def _each(items: Iterable[DataLike]) -> AsyncIterator[DataLike]:
    for item in items:
        yield item

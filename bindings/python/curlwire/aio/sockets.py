# SPDX-License-Identifier: MIT
"""The classes MessageWebSocket and StreamWebSocket for asyncio."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from curlwire import _core, json_messages
from curlwire.aio.base import MessageCore, Socket, StreamCore
from curlwire.aio.streams import InputStream, OutputStream
from curlwire.errors import ConnectionClosed, WebSocketTimeout

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_VALUE, _BUFFER, _ARGS = 0, 1, 2  # the forms of a message that the core knows
_MANY = 128  # messages that send_many() takes from its iterable at once


class MessageWebSocket(Socket[_core.MessageWebSocket]):
    """A WebSocket for asyncio that sends and receives whole messages.

    control: the options as keywords, as for curlwire.MessageWebSocket.
    All calls belong to the loop that has connected the socket. One task receives at a time; any number may
    send.
    """

    _make_core = MessageCore

    def __init__(self, **control: Any) -> None:
        super().__init__(**control)
        self._on_message: Callable[[Self, _core.MessageReceivedEventArgs], object] | None = None
        self._on_writable: Callable[[Self, int], object] | None = None
        self._receiver: asyncio.Task[None] | None = None

    @property
    def control(self) -> _core.MessageWebSocketControl:
        """The options, as of curlwire.MessageWebSocket."""
        return self._core.control

    # ---- receiving

    def recv(
        self, timeout: float | None = None, copy: bool = True, *, decode: bool | None = None
    ) -> "Awaitable[Any]":
        """Returns the next message: str for text, bytes for binary.

        timeout: seconds. The default is None, no limit.
        copy: False returns a MessageBuffer, which does not copy the message.
        decode: True returns a str for a binary message too, False returns bytes for text too.
        Raises WebSocketTimeout, ConnectionClosed, and StateError if another task receives. If the task is
        cancelled, the message stays the next one.
        """
        receiving = self._core._receive(self, decode, _VALUE if copy else _BUFFER)
        return receiving if timeout is None else self._within(timeout, receiving)

    async def _within(self, timeout: float, receiving: "Awaitable[Any]") -> Any:
        try:
            async with asyncio.timeout(timeout):
                return await receiving
        except TimeoutError:
            raise WebSocketTimeout(f"timed out after {timeout:g} s while waiting for a message") from None

    async def recv_json(
        self, timeout: float | None = None, *, loads: Callable[[Any], Any] | None = None
    ) -> Any:
        """Returns the value of the next message, which is JSON.

        timeout: as for recv(). loads: a function, such as orjson.loads; the default is None: json.loads.
        Raises MessageError if loads fails; otherwise as recv() does.
        """
        data = await self.recv(timeout)
        try:
            return (loads or json_messages.loads)(data)
        except MemoryError:
            raise
        except Exception as error:
            json_messages.refuse(data, error)

    async def recv_into(self, buffer: "WriteableBuffer", timeout: float | None = None) -> int:
        """Receives the next message into a buffer and returns its size in bytes.

        Raises as recv() does, and ArgumentError if the message does not fit. Such a message stays the next one.
        """
        core = self._core
        while True:
            await self._readable(timeout)
            with suppress(WebSocketTimeout):
                return core.recv_into(buffer, 0)

    async def _readable(self, timeout: float | None) -> None:
        """Waits until a message is there, which stays the next one."""
        core = self._core

        def attempt() -> bool | None:
            done = core._try_recv(None, _BUFFER)
            if done is not None:
                done.close()
            return True if done is not None else None

        try:
            await self._until(attempt, timeout)
        except TimeoutError:
            raise WebSocketTimeout(f"timed out after {timeout:g} s while waiting for a message") from None

    def _put_back(self, result: Any) -> None:
        pass  # _readable() has put the message back

    def __aiter__(self) -> AsyncIterator[Any]:
        """Iterates over the messages, as recv() returns them.

        Iteration ends after this program's close(), and when the server closes with code 1000, 1001 or none,
        but not in the middle of a message. Every other end raises ConnectionClosed.
        """
        return self._core._messages(self)

    # ---- sending

    def send(
        self,
        data: "str | ReadableBuffer",
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> "Awaitable[None]":
        """Sends one message.

        data: a str is sent as text, a bytes-like object as binary.
        text: True sends bytes as text, False sends a str as binary. The default is None, by the type of data.
        compress: True or False; the default is None, by control.compression_threshold.
        The message has been sent, or waits in the socket, which sends it, when the call returns. It waits while
        the socket holds 256 KiB that the server does not take. A cancelled call has sent the whole message or
        nothing.
        Raises ConnectionClosed, StateError, ArgumentError, and WebSocketTimeout after control.send_timeout.
        """
        if not self._writers:
            done = self._core._try_send(data, text, compress)
            if done is not None:
                return done
        return self._send(data, text, compress)

    async def _send(self, data: Any, text: bool | None, compress: bool | None) -> None:
        core = self._core
        await (await self._send_later(lambda: core._try_send(data, text, compress)))

    def try_send(
        self, data: "str | ReadableBuffer", *, text: bool | None = None, compress: bool | None = None
    ) -> bool:
        """Sends one message if that needs no waiting. Returns True if the message was accepted, else False.

        data, text, compress: as for send().
        The socket queues up to control.send_high_water_mark, or one larger message. False means that the queue
        has no room, or that a task waits in send(); nothing was sent. on_writable is called when there is room
        again. Raises as send() does.
        """
        done = None if self._writers else self._core._try_send(data, text, compress)
        if done is None:
            return False
        with suppress(StopIteration):
            done.send(None)
        return True

    async def send_json(self, value: Any, *, dumps: Callable[[Any], Any] | None = None) -> None:
        """Sends a value as JSON, in one text message.

        dumps: a function, such as orjson.dumps; the default is None: json.dumps.
        """
        await self.send((dumps or json_messages.dumps)(value), text=True)

    async def send_many(
        self,
        messages: "Iterable[str | ReadableBuffer]",
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> int:
        """Sends each message of an iterable and returns their number. Small messages are written together."""
        iterator = iter(messages)
        count = 0
        while chunk := list(islice(iterator, _MANY)):
            sent = 0

            def attempt(chunk: list[Any] = chunk) -> bool | None:
                nonlocal sent
                try:
                    sent += self._core.send_many(chunk[sent:], 0, text=text, compress=compress)
                except WebSocketTimeout as error:
                    sent += getattr(error, "sent_count", 0)
                    return None
                return True

            await self._send_later(attempt)
            count += len(chunk)
        return count

    # ---- handlers

    @property
    def on_message_received(self) -> "Callable[[Self, _core.MessageReceivedEventArgs], object] | None":
        """The handler for messages, f(ws, args), or None. It may be a coroutine function, which is awaited.

        The calls come one after another.
        """
        return self._on_message

    @on_message_received.setter
    def on_message_received(
        self, handler: "Callable[[Self, _core.MessageReceivedEventArgs], object] | None"
    ) -> None:
        self._on_message = handler
        if handler is None and self._receiver is not None:
            self._receiver.cancel()
            self._receiver = None
        elif handler is not None and self._receiver is None and self._core.state == "open":
            self._start()

    @property
    def on_writable(self) -> "Callable[[Self, int], object] | None":
        """The handler that says that there is room for try_send() again, f(ws, buffered_amount), or None.

        It may be a coroutine function. After try_send() has returned False or a send() had to wait, it is
        called once: when the socket's queue has fallen to control.send_low_water_mark.
        """
        return self._on_writable

    @on_writable.setter
    def on_writable(self, handler: "Callable[[Self, int], object] | None") -> None:
        self._on_writable = handler

    def _tell_writable(self) -> None:
        handler = self._on_writable
        if handler is not None:
            self._spawn(self._call(handler, self.buffered_amount))

    def _start(self) -> None:
        if self._on_message is not None and self._receiver is None:
            self._receiver = self._spawn(self._deliver())

    async def _deliver(self) -> None:
        """Calls the handler for each message, and on_closed after the last one."""
        try:
            while (handler := self._on_message) is not None:
                await self._call(handler, await self._core._receive(self, None, _ARGS))
        except ConnectionClosed:
            while self._is_in_hub and not self._has_ended:
                await self._change()
            self._receiver = None
            super()._tell_closed()

    def _tell_closed(self) -> None:
        if self._receiver is None:
            super()._tell_closed()


class StreamWebSocket(Socket[_core.StreamWebSocket]):
    """A WebSocket for asyncio whose messages are one stream of bytes.

    control: the options as keywords, as for curlwire.StreamWebSocket.
    input_stream and output_stream have the methods of asyncio.StreamReader and asyncio.StreamWriter.
    """

    _make_core = StreamCore

    def __init__(self, **control: Any) -> None:
        super().__init__(**control)

        self._unread = bytearray()  # what an input stream has read ahead
        self._unwritten: deque[bytes] = deque()  # writes that the socket had no room for
        self._failure: Exception | None = None  # of a write; drain() raises it

    @property
    def control(self) -> _core.StreamWebSocketControl:
        """The options, as of curlwire.StreamWebSocket."""
        return self._core.control

    @property
    def input_stream(self) -> InputStream:
        """The bytes that arrive, with the methods of asyncio.StreamReader. Each access makes a new view."""
        return InputStream(self)

    @property
    def output_stream(self) -> OutputStream:
        """The bytes to send, with the methods of asyncio.StreamWriter. Each access makes a new view."""
        return OutputStream(self)

    async def _read(self, size: int) -> bytes:
        """Reads up to size bytes; b'' at the end."""
        core = self._core
        return await self._until(lambda: core._try_read(size), None)

    def _put_back(self, result: Any) -> None:
        self._core._unread(result)

    def _write(self, data: bytes) -> None:
        """Sends a message, or keeps it for _drain()."""
        done = None if self._unwritten or self._writers else self._core._try_send(data, False, None)
        if done is None:
            self._unwritten.append(data)
            return
        try:
            done.send(None)
        except StopIteration:
            pass
        except ConnectionClosed as error:
            self._failure = error

    async def _drain(self) -> None:
        core = self._core
        while self._unwritten and self._failure is None:
            data = self._unwritten[0]
            await (await self._send_later(partial(core._try_send, data, False, None)))
            self._unwritten.popleft()
        if self._failure is not None:
            raise self._failure

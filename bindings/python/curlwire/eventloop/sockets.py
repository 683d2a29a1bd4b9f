# SPDX-License-Identifier: MIT
"""The classes MessageWebSocket and StreamWebSocket, as far as they do not depend on the library of the loop."""

from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from curlwire import _core, json_messages
from curlwire.defaults import DEFAULT, Default
from curlwire.errors import ConnectionClosed, WebSocketTimeout, timed_out
from curlwire.eventloop.base import MessageCore, Socket, StreamCore
from curlwire.eventloop.fragments import send_items
from curlwire.eventloop.handlers import checked
from curlwire.eventloop.hub import Task
from curlwire.eventloop.streams import InputStream, MessageStream

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_VALUE, _BUFFER, _ARGS = 0, 1, 2  # the forms of a message that the core knows
_MANY = 128  # messages that send_many() takes from its iterable at once


def _option(timeout: float | Default | None) -> str | None:
    """Returns the control that limits a receive, for its WebSocketTimeout."""
    return "receive_timeout" if timeout is DEFAULT else None


class MessageWebSocket(Socket[_core.MessageWebSocket]):
    """A WebSocket for an event loop that sends and receives whole messages."""

    _make_core = MessageCore

    def __init__(self, **control: Any) -> None:
        super().__init__(**control)
        self._on_message: Callable[[Self, _core.MessageReceivedEventArgs], object] | None = None
        self._on_writable: Callable[[Self, int], object] | None = None
        self._receiver: Task | None = None

    @property
    def control(self) -> _core.MessageWebSocketControl:
        """The options, as of curlwire.MessageWebSocket."""
        return self._core.control

    # ---- receiving

    @abstractmethod
    def _receive(self, decode: bool | None, form: int) -> "Awaitable[Any]":
        """Returns an awaitable for the next message."""

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[Any]:
        """Iterates over the messages, as recv() returns them.

        Iteration ends after this program's close(), and when the server closes with code 1000, 1001 or none,
        but not in the middle of a message. Every other end raises ConnectionClosed.
        """

    def recv(
        self, timeout: float | Default | None = None, copy: bool = True, *, decode: bool | None = None
    ) -> "Awaitable[Any]":
        """Returns the next message: str for text, bytes for binary. In partial mode the next part, as bytes.

        timeout: seconds. The default is None, no limit; curlwire.DEFAULT = control.receive_timeout.
        copy: False returns a MessageBuffer, which does not copy the message.
        decode: True returns a str for a binary message too, False returns bytes for text too.
        Raises WebSocketTimeout, ConnectionClosed, and StateError if another task receives. If the task is
        cancelled, the message stays the next one.
        """
        if timeout is not None:
            self._seconds(timeout, None)  # before there is a coroutine, which would have to be awaited
        receiving = self._receive(decode, _VALUE if copy else _BUFFER)
        return receiving if timeout is None else self._within(timeout, receiving)

    async def _within(self, timeout: float | Default, receiving: "Awaitable[Any]") -> Any:
        limit = self._seconds(timeout, self._core.control.receive_timeout)
        try:
            async with self._loop().timeout(limit):
                return await receiving
        except TimeoutError:
            raise timed_out(limit, "a message", _option(timeout)) from None

    async def recv_json(
        self, timeout: float | Default | None = None, *, loads: Callable[[Any], Any] | None = None
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

    async def recv_into(self, buffer: "WriteableBuffer", timeout: float | Default | None = None) -> int:
        """Receives the next message into a buffer and returns its size in bytes.

        timeout: as for recv().
        Raises as recv() does, and ArgumentError if the message does not fit. Such a message stays the next one.
        """
        while True:
            await self._readable(timeout)
            with suppress(WebSocketTimeout):
                return self._core.recv_into(buffer, 0)

    async def recv_stream(self, timeout: float | Default | None = None) -> MessageStream:
        """Returns the next message as a MessageStream, with the methods of asyncio.StreamReader.

        With receive_mode='partial' it returns as soon as the message begins to arrive, and needs the same
        memory for a message of any size. In full mode it returns when the whole message has arrived.
        timeout: as for recv(), until the message begins.
        The next receive skips what the program has not read of the message. Raises as recv() does.
        """
        while True:
            await self._readable(timeout)
            with suppress(WebSocketTimeout):
                return MessageStream(self)

    async def _readable(self, timeout: float | Default | None) -> None:
        """Waits until a message is there, which stays the next one."""

        def attempt() -> bool | None:
            done = self._core._try_recv(None, _BUFFER)
            if done is None:
                return None
            done.close()
            return True

        limit = self._seconds(timeout, self._core.control.receive_timeout)
        await self._until(attempt, limit, "a message", _option(timeout))

    def _put_back(self, result: Any) -> None:
        if result is not True:  # else the attempt has put the message back, or keeps it
            result.close()

    # ---- sending

    @abstractmethod
    def send(
        self,
        data: "str | ReadableBuffer | Iterable[str | ReadableBuffer] | AsyncIterable[str | ReadableBuffer]",
        timeout: float | Default | None = DEFAULT,
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> "Awaitable[None]":
        """Sends one message, as curlwire.aio.MessageWebSocket.send() does."""

    def try_send(
        self, data: "str | ReadableBuffer", *, text: bool | None = None, compress: bool | None = None
    ) -> bool:
        """Sends one message if that needs no waiting. Returns True if the message was accepted, else False.

        data, text, compress: as for send().
        The socket queues up to control.send_high_water_mark, or one larger message. False means that the queue
        has no room, or that a task waits in send(); nothing was sent. on_writable is called when there is room
        again. Raises as send() does.
        """
        self._loop()
        done = None if self._writers else self._core._try_send(data, text, compress)
        if done is None:
            if not isinstance(data, str) and not _has_buffer(data):
                raise TypeError(f"try_send() takes a str or a bytes-like object, not {type(data)!r}")
            return False
        with suppress(StopIteration):
            done.send(None)
        return True

    async def _send(
        self, data: Any, timeout: float | Default | None, text: bool | None, compress: bool | None
    ) -> None:
        if isinstance(data, str) or _has_buffer(data):
            await (await self._send_later(lambda: self._core._try_send(data, text, compress), timeout))
        else:
            await send_items(self, data, timeout, text, compress)

    async def _send_fragment(
        self,
        data: "str | ReadableBuffer",
        owner: object,
        is_final: bool,
        text: bool,
        compress: bool | None,
        timeout: float | Default | None = DEFAULT,
    ) -> int:
        return await self._send_later(
            lambda: self._core._try_fragment(data, owner, is_final, text, compress), timeout
        )

    async def send_final_frame(self, data: "str | ReadableBuffer") -> int:
        """Sends the last frame of a message and returns its size in bytes.

        data: a str, which is sent as UTF-8, or a bytes-like object. control.message_type is the type of the
        message. Without earlier frames, this frame is the whole message. Raises as send() does.
        """
        return await self._send_fragment(data, None, True, self._is_stream_text(), None)

    async def send_nonfinal_frame(self, data: "str | ReadableBuffer") -> int:
        """Sends a frame of a message, but not its last frame, and returns its size in bytes.

        data: as for send_final_frame(). send() raises StateError until send_final_frame() has ended the
        message.
        """
        return await self._send_fragment(data, None, False, self._is_stream_text(), None)

    def _is_stream_text(self) -> bool:
        return self.control.message_type == _core.SocketMessageType.UTF8

    async def send_json(
        self,
        value: Any,
        timeout: float | Default | None = DEFAULT,
        *,
        dumps: Callable[[Any], Any] | None = None,
        compress: bool | None = None,
    ) -> None:
        """Sends a value as JSON, in one text message.

        timeout, compress: as for send().
        dumps: a function, such as orjson.dumps; the default is None: json.dumps, which raises ValueError for
        nan and inf here.
        """
        data = (dumps or json_messages.dumps)(value)
        if not isinstance(data, str) and not _has_buffer(data):
            raise TypeError(f"dumps must return a str or a bytes-like object, not {type(data)!r}")
        await self.send(data, timeout, text=True, compress=compress)

    async def send_many(
        self,
        messages: "Iterable[str | ReadableBuffer]",
        timeout: float | Default | None = DEFAULT,
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> int:
        """Sends each message of an iterable and returns their number. Small messages are written together.

        messages: an iterable of str (text) and bytes-like objects (binary).
        timeout: seconds without progress. None = no limit; the default is control.send_timeout.
        text, compress: as for send(), for all messages.
        Raises as send() does. The attribute sent_count of the exception is the number of messages that were
        sent. A cancelled call has sent the first messages, whole.
        """
        if isinstance(messages, str) or _has_buffer(messages):
            raise TypeError(
                f"send_many() takes an iterable of messages, not {type(messages)!r}; send one message by send()"
            )
        self._seconds(timeout, None)
        await self._checkpoint()
        iterator = iter(messages)
        count = 0
        waiting: deque[str | ReadableBuffer] = deque()

        def attempt() -> bool | None:
            nonlocal count
            try:
                sent = self._core.send_many(waiting, 0, text=text, compress=compress)
            except Exception as error:
                sent = getattr(error, "sent_count", 0)
                count += sent
                for _ in range(sent):
                    waiting.popleft()
                if isinstance(error, WebSocketTimeout):
                    return None
                error.sent_count = count  # type: ignore[attr-defined]
                raise
            count += sent
            waiting.clear()
            return True

        while chunk := list(islice(iterator, _MANY)):
            waiting.extend(chunk)
            await self._send_later(attempt, timeout)
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
        self._on_message = checked(handler)
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
        self._on_writable = checked(handler)

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
                await self._call(handler, await self._receive(None, _ARGS))
        except ConnectionClosed:
            while self._is_in_hub and not self._has_ended:
                await self._change()
            self._receiver = None
            super()._tell_closed()
        except Exception as error:  # such as StateError, because another task receives
            self._receiver = None
            self._report(error)

    def _tell_closed(self) -> None:
        if self._receiver is None:
            super()._tell_closed()


class StreamWebSocket(Socket[_core.StreamWebSocket]):
    """A WebSocket for an event loop whose messages are one stream of bytes."""

    _make_core = StreamCore

    def __init__(self, **control: Any) -> None:
        super().__init__(**control)
        self._unread = bytearray()  # what an input stream has read ahead
        self._is_at_end = False  # an input stream has found the end

    @property
    def control(self) -> _core.StreamWebSocketControl:
        """The options, as of curlwire.StreamWebSocket."""
        return self._core.control

    @property
    def input_stream(self) -> InputStream:
        """The bytes that arrive, with the methods of asyncio.StreamReader. Each access makes a new view."""
        return InputStream(self)

    async def _read(self, size: int) -> bytes:
        """Reads up to size bytes; b'' at the end."""
        core = self._core
        return await self._until(lambda: core._try_read(size), None, "bytes")

    def _put_back(self, result: Any) -> None:
        self._core._unread(result)


def _has_buffer(data: object) -> bool:
    try:
        memoryview(data)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True

# SPDX-License-Identifier: MIT
"""What the classes MessageWebSocket and StreamWebSocket for asyncio share.

Each has a socket of curlwire._core inside, which never waits. While a task waits for data, the event loop polls
the connection and reads it itself. Otherwise, and if the loop is blocked, the service thread reads.
"""

import asyncio
import atexit
import inspect
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

from curlwire import _core
from curlwire.aio.hub import Hub, hub_of
from curlwire.defaults import DEFAULT, Default
from curlwire.errors import ConnectionClosed, StateError, WebSocketTimeout
from curlwire.information import ClosedEventArgs, Headers, Information

if TYPE_CHECKING:
    from types import TracebackType


_CONNECTED, _CONNECT_FAILED, _CLOSED, _WRITABLE, _READABLE = 8, 16, 2, 4, 128  # the values of cw_event_type
_EVENTS = _CONNECTED | _CONNECT_FAILED | _CLOSED | _WRITABLE | _READABLE
_GONE = 1011  # the close code of a block that an exception leaves

_Core = TypeVar("_Core", _core.MessageWebSocket, _core.StreamWebSocket)
_T = TypeVar("_T")


class MessageCore(_core.MessageWebSocket):
    """The socket of the core, with a reference to the object that the program uses."""

    _owner: "weakref.ref[Socket[Any]]"

    def _on_idle(self) -> None:
        _on_idle(self._owner)


class StreamCore(_core.StreamWebSocket):
    """The socket of the core, with a reference to the object that the program uses."""

    _owner: "weakref.ref[Socket[Any]]"

    def _on_idle(self) -> None:
        _on_idle(self._owner)


# The cores whose connections a loop polls. The system keeps their descriptors, so the exit must give them up.
_polled: weakref.WeakSet[Any] = weakref.WeakSet()


def _stop_polling(core: Any) -> None:
    if core in _polled:
        _polled.discard(core)
        core._poll_end()


def _stop_at_exit() -> None:
    for core in list(_polled):
        _stop_polling(core)


atexit.register(_stop_at_exit)  # runs before the exit function of the dispatcher, which was registered before


def _wrong_loop() -> StateError:
    return StateError(
        "this socket belongs to another event loop: use it in the loop that connected it, or make a new socket"
    )


def _on_idle(reference: "weakref.ref[Socket[Any]]") -> None:
    socket = reference()
    if socket is not None:
        socket._on_idle()


class _Waiter:
    """A task that waits until attempt() returns something other than None."""

    __slots__ = ("attempt", "future")

    def __init__(self, attempt: Callable[[], object | None], future: "asyncio.Future[Any]") -> None:
        self.attempt = attempt
        self.future = future

    def try_again(self) -> None:
        if self.future.done():
            return
        try:
            result = self.attempt()
        except Exception as error:
            self.future.set_exception(error)
        else:
            if result is not None:
                self.future.set_result(result)


class Socket(Generic[_Core]):
    """The base of both classes."""

    _make_core: ClassVar[Callable[..., Any]]

    def __init__(self, **control: Any) -> None:
        core = type(self)._make_core(**control)
        core._owner = weakref.ref(self)
        self._core: _Core = core
        self._hub: Hub | None = None
        self._is_in_hub = False
        self._fd = -1  # the descriptor that the loop polls; -1 = none
        self._waiter: _Waiter | None = None
        self._writers: deque[asyncio.Future[None]] = deque()
        self._writable: asyncio.Future[None] | None = None
        self._changes: list[asyncio.Future[None]] = []  # tasks in connect() and wait_closed()
        self._is_started = False  # connect() has returned, or is about to
        self._has_ended = False
        self._on_closed: Callable[[Self, ClosedEventArgs], object] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- the loop

    def _enter_loop(self) -> Hub:
        hub = hub_of(asyncio.get_running_loop())
        if self._hub is not None and self._hub is not hub:
            raise _wrong_loop()
        self._hub = hub
        self._core._loop = hub.loop
        return hub

    def _loop(self) -> asyncio.AbstractEventLoop:
        """Returns the running loop, which must be the loop of this socket."""
        loop = asyncio.get_running_loop()
        if self._hub is not None and self._hub.loop is not loop:
            raise _wrong_loop()
        return loop

    def _poll(self) -> bool:
        """Lets the loop poll the connection. Returns False if it does already, or if there is none."""
        if self._fd >= 0 or self._hub is None:
            return False
        try:
            self._fd = self._core._poll_begin()
        except StateError:  # the connection has ended
            return False
        self._hub.loop.add_reader(self._fd, self._core._on_readable)
        _polled.add(self._core)
        return True

    def _unpoll(self) -> None:
        if self._fd >= 0 and self._hub is not None:
            self._hub.loop.remove_reader(self._fd)
            self._fd = -1
            _stop_polling(self._core)

    def _begin_wait(self) -> bool:
        """Returns True if the loop has just begun to poll. The waits for messages, which are in C, call it."""
        self._check_alone()
        return self._poll()

    def _check_alone(self) -> None:
        if self._waiter is not None:
            raise StateError("another task already waits for data from this socket: receive in one task only")

    def _on_idle(self) -> None:
        """The connection is readable, and no task waits for a message."""
        if self._waiter is None:
            self._unpoll()  # no task waits at all, so the service thread reads ahead
        else:
            self._waiter.try_again()

    def _wake(self) -> None:
        """Lets a task that waits for data look again. Not from a task."""
        if self._waiter is not None:
            self._waiter.try_again()
        self._core._wake(True)

    def _on_event(self, event: int) -> None:
        if event == _READABLE:
            self._wake()
        elif event == _WRITABLE:
            if self._writable is not None and not self._writable.done():
                self._writable.set_result(None)
            self._tell_writable()
        else:
            if event in (_CLOSED, _CONNECT_FAILED):
                self._end(event == _CLOSED)
            for future in self._changes:
                if not future.done():
                    future.set_result(None)

    def _tell_writable(self) -> None:
        """Tells the program that the socket has room again."""

    def _end(self, was_open: bool) -> None:
        """Notes that the connection has ended, or that the connect has failed."""
        self._unpoll()
        if self._is_in_hub and self._hub is not None:
            self._is_in_hub = False
            self._hub.leave()
        if not was_open:
            return
        self._has_ended = True
        self._wake()
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self._is_started:
            self._tell_closed()

    def __del__(self) -> None:
        hub, core, fd = self._hub, self._core, self._fd
        if hub is None or not (fd >= 0 or self._is_in_hub):
            return

        def stop(is_in_hub: bool = self._is_in_hub) -> None:
            if fd >= 0:
                hub.loop.remove_reader(fd)
                _stop_polling(core)
            if is_in_hub:
                hub.leave()

        if hub.loop.is_closed():
            _stop_polling(core)
        else:
            hub.run(stop)

    async def _change(self) -> None:
        """Waits for a change of the state."""
        future = self._loop().create_future()
        self._changes.append(future)
        try:
            await future
        finally:
            self._changes.remove(future)

    async def _until(self, attempt: Callable[[], _T | None], timeout: float | None) -> _T:
        """Returns the first result of attempt() that is not None. The loop calls it when data has come."""
        self._check_alone()
        loop = self._loop()
        while (result := attempt()) is None:
            if self._poll():
                continue  # the service thread may have read in between
            waiter = self._waiter = _Waiter(attempt, loop.create_future())
            try:
                if timeout is None:
                    return cast(_T, await waiter.future)
                async with asyncio.timeout(timeout):
                    return cast(_T, await waiter.future)
            except BaseException:
                self._give_back(waiter.future)
                raise
            finally:
                self._waiter = None
        return result

    def _give_back(self, future: "asyncio.Future[Any]") -> None:
        """Makes what a cancelled task was about to get the next data again."""
        if future.done() and not future.cancelled() and future.exception() is None:
            self._put_back(future.result())

    def _put_back(self, result: Any) -> None:
        raise NotImplementedError

    # ---- connecting and closing

    async def connect(self, uri: str, timeout: float | Default | None = DEFAULT) -> None:
        """Connects to a WebSocket server.

        uri: a str that begins with ws:// or wss://.
        timeout: seconds for the whole connect. None = no limit; the default is control.connect_timeout.
        Raises as connect() of the synchronous class does. If the task is cancelled, the connect ends.
        """
        hub = self._enter_loop()
        core = self._core
        core._subscribe(hub.mailbox, _EVENTS)
        core._connect_start(uri, timeout)
        if not self._is_in_hub:
            self._is_in_hub = True
            hub.enter()
        try:
            while not core._connect_end():
                await self._change()
        except BaseException as error:
            if not isinstance(error, Exception):  # the task is cancelled
                core.abort()
            raise
        self._is_started = True
        self._start()
        if self._has_ended:  # the server has closed at once
            self._tell_closed()

    def _start(self) -> None:
        """Begins what an open socket does on its own."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection, and waits for the closing handshake.

        code: an int, the close code; the default is 1000. reason: a str of at most 123 bytes of UTF-8.
        Raises ArgumentError for a code or reason that may not be sent, and ConnectionClosed if sent messages
        did not reach the server. A second close() only waits.
        """
        self._core.close(code, reason)
        if self._waiter is not None:
            self._waiter.try_again()  # to raise
        self._core._wake(False)
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection has ended.

        Raises ConnectionClosed if sent messages did not reach the server.
        """
        while self._is_in_hub and not self._has_ended:
            await self._change()
        if self._has_ended:
            self._core.wait_closed(0)

    def abort(self) -> None:
        """Drops the connection at once, without a closing handshake. Any thread may call it."""
        self._core.abort()

    async def ping(self, timeout: float | Default | None = DEFAULT) -> float:
        """Sends a ping, waits for its pong, and returns the round-trip time in seconds.

        timeout: seconds. None = no limit; the default is control.ping_timeout.
        Raises WebSocketTimeout, ConnectionClosed, StateError.
        """
        return await self._loop().run_in_executor(None, self._core.ping, timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        """Closes the socket and waits for the end of the connection.

        The close code is 1011 if an exception leaves the block, else 1000.
        """
        has_failed = exc_type is not None and not issubclass(exc_type, GeneratorExit)
        try:
            await self.close(_GONE if has_failed else 1000)
        except ConnectionClosed as error:
            if exc_value is None:
                raise
            exc_value.add_note(str(error))

    # ---- sending

    async def _send_later(self, attempt: Callable[[], _T | None]) -> _T:
        """Waits for the earlier senders, then calls attempt() until it does not return None."""
        loop = self._loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._writers.append(turn)
        try:
            if self._writers[0] is not turn:
                await turn
            while (result := attempt()) is None:
                await self._wait_writable(loop)
            return result
        finally:
            self._writers.remove(turn)
            if self._writers and not self._writers[0].done():
                self._writers[0].set_result(None)

    async def _wait_writable(self, loop: asyncio.AbstractEventLoop) -> None:
        self._writable = loop.create_future()
        limit = self._core.control.send_timeout
        try:
            async with asyncio.timeout(limit):
                await self._writable
        except TimeoutError:
            raise WebSocketTimeout(
                f"the connection took no byte for {limit:g} s (send_timeout): the server does not read"
            ) from None
        finally:
            self._writable = None

    # ---- handlers and facts

    @property
    def on_closed(self) -> "Callable[[Self, ClosedEventArgs], object] | None":
        """The handler for the end of the connection, f(ws, args), or None. It may be a coroutine function."""
        return self._on_closed

    @on_closed.setter
    def on_closed(self, handler: "Callable[[Self, ClosedEventArgs], object] | None") -> None:
        self._on_closed = handler

    def _tell_closed(self) -> None:
        handler = self._on_closed
        if handler is not None:
            self._spawn(self._call(handler, self._closed_args()))

    def _closed_args(self) -> ClosedEventArgs:
        core = self._core
        return ClosedEventArgs(core.close_code or 1006, core.close_reason or "", bool(core.was_clean))

    async def _call(self, handler: Callable[[Any, Any], object], args: object) -> None:
        """Calls a handler, and awaits its result if it must. An exception goes to the loop's handler."""
        try:
            result = handler(self, args)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            self._loop().call_exception_handler(
                {"message": f"a handler of {self!r} has failed", "exception": error}
            )

    def _spawn(self, coroutine: "Any") -> "asyncio.Task[None]":
        hub = self._hub
        assert hub is not None
        task = hub.loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def set_request_header(self, name: str, value: str) -> None:
        """Sets a header of the opening handshake and replaces all headers of that name."""
        self._core.set_request_header(name, value)

    def add_request_header(self, name: str, value: str) -> None:
        """Adds a header to the opening handshake and keeps others of the same name."""
        self._core.add_request_header(name, value)

    @property
    def information(self) -> Information:
        """The facts about the connection, an Information."""
        return self._core.information

    @property
    def state(self) -> str:
        """The state: 'new', 'connecting', 'open', 'closing' or 'closed'."""
        return self._core.state

    @property
    def buffered_amount(self) -> int:
        """How many bytes of messages wait in the socket, because the kernel has not taken them yet."""
        return self._core.buffered_amount

    @property
    def uri(self) -> str | None:
        """The URI that was passed to connect(), or None."""
        return self._core.uri

    @property
    def protocol(self) -> str | None:
        """The subprotocol that the server chose, or None."""
        return self._core.protocol

    @property
    def response_headers(self) -> Headers:
        """The headers of the server's reply."""
        return self._core.response_headers

    @property
    def close_code(self) -> int | None:
        """The close code, or None before the end of the connection."""
        return self._core.close_code

    @property
    def close_reason(self) -> str | None:
        """The close reason, or None before the end of the connection."""
        return self._core.close_reason

    @property
    def was_clean(self) -> bool | None:
        """Whether both close frames were exchanged, or None before the end of the connection."""
        return self._core.was_clean

    def __repr__(self) -> str:
        name = type(self._core)
        return repr(self._core).replace(
            f"{name.__module__}.{name.__qualname__}", f"aio.{type(self).__qualname__}", 1
        )

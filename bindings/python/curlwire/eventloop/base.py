# SPDX-License-Identifier: MIT
"""What the classes MessageWebSocket and StreamWebSocket for an event loop share.

Each has a socket of curlwire._core inside, which never waits. While a task waits for data, the event loop polls
the connection and reads it itself. Otherwise, and if the loop is blocked, the service thread reads.
"""

import atexit
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from curlwire import _core
from curlwire.defaults import DEFAULT, Default
from curlwire.errors import ConnectionClosed, StateError, WebSocketTimeout, timed_out
from curlwire.eventloop.batching import Batch
from curlwire.eventloop.facts import Core
from curlwire.eventloop.handlers import Handlers
from curlwire.eventloop.hub import Future, Hub
from curlwire.eventloop.streams import OutputStream
from curlwire.timeouts import checked_timeout

if TYPE_CHECKING:
    import socket
    from types import TracebackType


_CONNECTED, _CONNECT_FAILED, _CLOSED, _WRITABLE, _READABLE = 8, 16, 2, 4, 128  # the values of cw_event_type
_CERTIFICATE, _TRACE, _PONG = 32, 64, 512
_EVENTS = _CONNECTED | _CONNECT_FAILED | _CLOSED | _WRITABLE | _READABLE | _CERTIFICATE | _PONG
_GONE = 1011  # the close code of a block that an exception leaves

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


def _on_idle(reference: "weakref.ref[Socket[Any]]") -> None:
    socket = reference()
    if socket is not None:
        socket._on_idle()


class _Waiter:
    """A task that waits until attempt() returns something other than None."""

    __slots__ = ("attempt", "future")

    def __init__(self, attempt: Callable[[], object | None], future: Future[Any]) -> None:
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


class Socket(Handlers[Core]):
    """The base of both classes."""

    _make_core: ClassVar[Callable[..., Any]]
    _hub_class: ClassVar[type[Hub]]

    def __init__(self, **control: Any) -> None:
        super().__init__()
        core = type(self)._make_core(**control)
        core._owner = weakref.ref(self)
        self._core: Core = core
        self._is_in_hub = False
        self._fd = -1  # the descriptor that the loop polls; -1 = none
        self._waiter: _Waiter | None = None
        self._pings: list[_Waiter] = []  # tasks in ping()
        self._writers: deque[Future[None]] = deque()
        self._writable: Future[None] | None = None
        self._changes: list[Future[None]] = []  # tasks in connect() and wait_closed()
        self._is_started = False  # connect() has returned, or is about to
        self._has_ended = False
        # writes of the stream that the socket had no room for, and whether they are text
        self._unwritten: deque[tuple[bytes, bool]] = deque()
        self._failure: Exception | None = None  # of such a write; drain() raises it

    # ---- the loop

    def _enter_loop(self) -> Hub:
        if self._hub is None:
            self._hub = type(self)._hub_class.running()
            self._hub.bind(self._core)
        self._hub.check()
        return self._hub

    def _loop(self) -> Hub:
        """Returns the hub of the running loop, which must be the loop of this socket."""
        if self._hub is None:
            return type(self)._hub_class.running()
        self._hub.check()
        return self._hub

    def _check_loop(self) -> None:
        """Raises StateError in another loop."""
        if self._hub is not None:
            self._hub.check()

    async def _checkpoint(self) -> None:
        """Lets other tasks run, in a library whose calls always do so."""

    def _poll(self) -> bool:
        """Lets the loop poll the connection. Returns False if it does already, or if there is none."""
        if self._fd >= 0 or self._hub is None:
            return False
        try:
            self._fd = self._core._poll_begin()
        except StateError:  # the connection has ended
            return False
        self._hub.add_reader(self._fd, self._core._on_readable)
        _polled.add(self._core)
        return True

    def _unpoll(self) -> None:
        if self._fd >= 0 and self._hub is not None:
            self._hub.remove_reader(self._fd)
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

    def _on_event(self, event: int, line: str | None) -> None:
        if event == _READABLE:
            self._wake()
        elif event == _WRITABLE:
            if self._writable is not None and not self._writable.done():
                self._writable.set_result(None)
            self._tell_writable()
        elif event == _PONG:
            for waiter in self._pings:
                waiter.try_again()
        elif event == _TRACE:
            self._tell_trace(line or "")
        elif event == _CERTIFICATE:
            self._spawn(self._validate())
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
        if self._hub is None or not (self._fd >= 0 or self._is_in_hub):
            return
        hub, core, fd = self._hub, self._core, self._fd

        def stop(is_in_hub: bool = self._is_in_hub) -> None:
            if fd >= 0:
                hub.remove_reader(fd)
                _stop_polling(core)
            if is_in_hub:
                hub.leave()

        if not hub.run(stop):
            _stop_polling(core)

    async def _change(self) -> None:
        """Waits for a change of the state."""
        loop = self._loop()
        future = loop.create_future()
        self._changes.append(future)
        try:
            await loop.wait(future)
        finally:
            self._changes.remove(future)

    async def _until(
        self, attempt: Callable[[], _T | None], timeout: float | None, what: str, option: str | None = None
    ) -> _T:
        """Returns the first result of attempt() that is not None. The loop calls it when data has come.

        what, option: what it waits for, and the control that sets the timeout, for the WebSocketTimeout.
        """
        self._check_alone()
        loop = self._loop()
        await self._checkpoint()
        while (result := attempt()) is None:
            if self._poll():
                continue  # the service thread may have read in between
            waiter = self._waiter = _Waiter(attempt, loop.create_future())
            self._core._is_ready_to_wait = False  # a wait in C must call _begin_wait(), which refuses it
            try:
                async with loop.timeout(timeout):
                    return cast(_T, await loop.wait(waiter.future))
            except TimeoutError as error:
                self._give_back(waiter.future)
                if isinstance(error, WebSocketTimeout) or timeout is None:
                    raise
                raise timed_out(timeout, what, option) from None
            except BaseException:
                self._give_back(waiter.future)
                raise
            finally:
                self._waiter = None
        return result

    def _give_back(self, future: Future[Any]) -> None:
        """Makes what a cancelled task was about to get the next data again."""
        if future.done() and not future.cancelled() and future.exception() is None:
            self._put_back(future.result())

    def _put_back(self, result: Any) -> None:
        raise NotImplementedError

    def _seconds(self, timeout: float | Default | None, control: float | None) -> float | None:
        """Returns the argument timeout of a call, for which a control may decide. Raises as the core does."""
        return checked_timeout(timeout, control)

    # ---- connecting and closing

    async def connect(self, uri: str, timeout: float | Default | None = DEFAULT) -> None:
        """Connects to a WebSocket server.

        uri: a str that begins with ws:// or wss://.
        timeout: seconds for the whole connect. None = no limit; the default is control.connect_timeout.
        Raises as connect() of the synchronous class does. If the task is cancelled, the connect ends.
        """
        hub = self._enter_loop()
        core = self._core
        await self._checkpoint()
        self._subscribe()
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

    def _subscribe(self) -> None:
        if self._hub is not None:
            self._core._subscribe(self._hub.mailbox, _EVENTS | (_TRACE if self._on_trace is not None else 0))

    def _start(self) -> None:
        """Begins what an open socket does on its own."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection, and waits for the closing handshake.

        code: an int, the close code; the default is 1000. reason: a str of at most 123 bytes of UTF-8.
        Raises ArgumentError for a code or reason that may not be sent, and ConnectionClosed if sent messages
        did not reach the server. A second close() only waits. If the task is cancelled, the handshake goes on
        in the background.
        """
        self._check_loop()
        if self._unwritten:
            with suppress(ConnectionClosed, WebSocketTimeout):  # wait_closed() says what was lost
                await self._drain()
        self._begin_close(code, reason)
        await self.wait_closed()

    def _begin_close(self, code: int, reason: str) -> None:
        self._core.close(code, reason)
        if self._waiter is not None:
            self._waiter.try_again()  # to raise
        self._core._wake(False)

    async def wait_closed(self, timeout: float | None = None) -> None:
        """Waits until the connection has ended.

        timeout: seconds. The default is None, no limit.
        Raises WebSocketTimeout, and ConnectionClosed if sent messages did not reach the server.
        """
        timeout = checked_timeout(timeout, None)
        await self._checkpoint()
        if self._is_in_hub and not self._has_ended:
            try:
                async with self._loop().timeout(timeout):
                    while self._is_in_hub and not self._has_ended:
                        await self._change()
            except TimeoutError:
                raise timed_out(timeout, "the end of the connection") from None
        if self._has_ended:
            self._core.wait_closed(0)
            self._check_written()

    def _check_written(self) -> None:
        lost_bytes = sum(len(data) for data, _ in self._unwritten)
        if lost_bytes:
            self._unwritten.clear()
            raise ConnectionClosed(
                f"{lost_bytes} bytes that were written to output_stream were not sent: "
                "await drain() before close()",
                code=self.close_code,
            )

    def abort(self) -> None:
        """Drops the connection at once, without a closing handshake. Any thread may call it."""
        self._unwritten.clear()
        self._core.abort()

    async def ping(self, timeout: float | Default | None = DEFAULT) -> float:
        """Sends a ping, waits for its pong, and returns the round-trip time in seconds.

        timeout: seconds. None = no limit; the default is control.ping_timeout.
        Raises WebSocketTimeout, also if 64 tasks wait for pongs already; ConnectionClosed, StateError.
        """
        checked_timeout(timeout, None)
        loop = self._loop()
        await self._checkpoint()
        ping = self._core._ping_start(timeout)
        waiter = _Waiter(ping.result, loop.create_future())
        self._pings.append(waiter)
        limit = self._seconds(timeout, self._core.control.ping_timeout)
        try:
            async with loop.timeout(limit):
                return cast(float, await loop.wait(waiter.future))
        except TimeoutError:
            option = "ping_timeout" if timeout is DEFAULT else None
            raise timed_out(limit, "a pong", option) from None
        finally:
            self._pings.remove(waiter)
            ping.end()

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

    async def _send_later(
        self, attempt: Callable[[], _T | None], timeout: float | Default | None = DEFAULT
    ) -> _T:
        """Waits for the earlier senders, then calls attempt() until it does not return None."""
        checked_timeout(timeout, None)  # a bad one is an error also if nothing has to wait
        loop = self._loop()
        await self._checkpoint()
        turn: Future[None] = loop.create_future()
        self._writers.append(turn)
        try:
            if self._writers[0] is not turn:
                await loop.wait(turn)
            while (result := attempt()) is None:
                await self._wait_writable(loop, timeout)
            return result
        finally:
            self._writers.remove(turn)
            if self._writers and not self._writers[0].done():
                self._writers[0].set_result(None)

    async def _wait_writable(self, loop: Hub, timeout: float | Default | None) -> None:
        self._writable = loop.create_future()
        limit = self._seconds(timeout, self._core.control.send_timeout)
        try:
            async with loop.timeout(limit):
                await loop.wait(self._writable)
        except TimeoutError:
            option = "send_timeout" if timeout is DEFAULT else None
            raise timed_out(limit, "the server to take data", option) from None
        finally:
            self._writable = None

    async def flush(self, timeout: float | Default | None = DEFAULT) -> None:
        """Waits until the kernel has taken all messages that were sent.

        timeout: seconds without progress. None = no limit; the default is control.send_timeout.
        Raises WebSocketTimeout, ConnectionClosed, StateError.
        """
        checked_timeout(timeout, None)
        loop = self._loop()
        await self._checkpoint()
        try:
            self._core.flush(0)
        except WebSocketTimeout:
            await loop.run_in_thread(self._core.flush, timeout)

    def batch(self) -> Batch:
        """Returns a Batch, an async context manager that writes small messages together.

        The batch applies to all messages that any task sends during its block. Entering the block raises
        ConnectionClosed or StateError. Leaving it raises as flush() does.
        """
        return Batch(self)

    @property
    def output_stream(self) -> OutputStream:
        """The bytes to send, with the methods of asyncio.StreamWriter. Each access makes a new view."""
        return OutputStream(self)

    def _is_stream_text(self) -> bool:
        """Returns whether the messages of output_stream are text."""
        return False

    def _write(self, data: bytes) -> None:
        """Sends a message, or keeps it for _drain()."""
        self._loop()
        self._unwritten.append((data, self._is_stream_text()))
        if len(self._unwritten) == 1 and not self._writers:
            self._send_unwritten()

    def _send_unwritten(self) -> bool | None:
        """Sends what _write() has kept. Returns None if it would have to wait."""
        while self._unwritten:
            done = self._core._try_send(*self._unwritten[0], None)
            if done is None:
                return None
            self._unwritten.popleft()
            try:
                done.send(None)
            except StopIteration:
                pass
            except ConnectionClosed as error:
                self._failure = error
        return True

    async def _drain(self) -> None:
        await self._send_later(self._send_unwritten)
        if self._failure is not None:
            raise self._failure

    # ---- the request

    def set_request_header(self, name: str, value: str) -> None:
        """Sets a header of the opening handshake and replaces all headers of that name."""
        self._core.set_request_header(name, value)

    def add_request_header(self, name: str, value: str) -> None:
        """Adds a header to the opening handshake and keeps others of the same name."""
        self._core.add_request_header(name, value)

    def set_connected_socket(self, sock: "socket.socket | int | None") -> None:
        """Gives the connection for the next connect(), which then connects to no address and uses no proxy.

        sock: as for the synchronous class, blocking or not. A socket.socket is closed, because this socket has
        the connection now.
        """
        self._core.set_connected_socket(sock)

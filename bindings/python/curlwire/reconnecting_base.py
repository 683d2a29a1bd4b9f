# SPDX-License-Identifier: MIT
"""What the classes ReconnectingWebSocket and their drivers share, with threads and with event loops."""

import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Generic, Self, TypeVar

from curlwire._core import MessageReceivedEventArgs, MessageWebSocket, MessageWebSocketControl
from curlwire.connecting import add_headers
from curlwire.errors import ConnectionClosed, StateError, timed_out
from curlwire.information import ClosedEventArgs
from curlwire.reconnect_policy import KEPT_SOCKETS, Attempts, Target, Unsent, closed_here

_Socket = TypeVar("_Socket")
BUFFER = 1  # the form of a message that the core copies least


class Deadline:
    """The end of a timeout."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds: float = 0.0 if seconds is None else seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Returns the seconds that are left, 0 or more; None = no limit."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())


def end_of(ws: MessageWebSocket) -> ConnectionClosed:
    """Returns the exception that tells how a connection has ended."""
    error = ws._end_error()
    if isinstance(error, ConnectionClosed):
        return error
    reason = "the connection has ended: connect again" if error is None else str(error)  # such as a StateError
    return ConnectionClosed(reason, code=1006, reason=reason)


class DriverBase(Generic[_Socket]):
    """The state of a reconnecting object. A driver with a thread guards every attribute by its lock."""

    def __init__(self, owner: Any, target: Target, attempts: Attempts, unsent: Unsent | None) -> None:
        self.owner: weakref.ref[Any] = weakref.ref(owner)
        self.kept_owner: Any = None  # an object with handlers stays alive
        self.target = target
        self.attempts = attempts
        self.unsent = unsent
        self.dropped_count: int = 0
        self.state: str = "new"
        self.was_open: bool = False
        self.sockets: deque[_Socket] = deque()  # receivers take from the first
        self.current: _Socket | None = None  # senders use it
        self.receiver_count: int = 0  # that wait for a message
        self.must_stop: bool = False
        self.must_renew: bool = False
        self.is_pausing: bool = False  # between two attempts
        self.retiring: _Socket | None = None  # receivers empty it before it is renewed
        self.close_args: tuple[int, str] = (1000, "")
        self.error: BaseException | None = None  # why it has ended
        self.last_error: BaseException | None = None  # of the last failure
        self.ended_normally: bool = False  # as the last connection has ended for its receivers
        self.loss: ConnectionClosed | None = None  # messages that were accepted and are lost
        self.has_finished: bool = False

    def keep_owner(self, owner: Any) -> None:
        """Keeps an object with handlers alive until the driver has finished."""
        is_running = self.state != "new" and not self.has_finished
        self.kept_owner = owner if is_running and owner is not None and owner._has_handlers() else None

    def handles_messages(self) -> bool:
        """Returns whether the program has set on_message_received."""
        owner = self.owner()
        return owner is not None and owner.on_message_received is not None

    def check_receiving(self) -> None:
        """Raises StateError if messages go to a handler."""
        if self.handles_messages():
            raise StateError(
                "on_message_received gets the messages: receive them there, or make a socket without it"
            )

    def check_new(self) -> None:
        """Raises StateError for a second connect()."""
        if self.state != "new":
            raise StateError(
                f"connect() on a socket that is {self.state}; a socket connects once: make a new socket"
            )

    def left(self, deadline: Deadline, what: str) -> float | None:
        """Returns the seconds that are left, or raises WebSocketTimeout at the deadline. None = no limit."""
        left = deadline.left()
        if left is not None and left <= 0:
            raise timed_out(deadline.seconds, f"{what}, because the socket is {self.state}")
        return left

    def room_text(self) -> str:
        """Returns what a send() waits for that finds no room."""
        limit_bytes = 0 if self.unsent is None else self.unsent.limit_bytes
        return f"room in unsent_buffer_size ({limit_bytes} bytes)"

    def publish(self, ws: _Socket) -> bool:
        """Lets the receivers use an open connection. Returns False if a handler is to get its messages."""
        self.state = "open"
        self.was_open = True
        if self.handles_messages():
            return False
        self.sockets.append(ws)
        while len(self.sockets) > KEPT_SOCKETS:
            self.sockets.popleft()
        return True

    def note_stop(self, code: int, reason: str, has_begun: bool) -> None:
        """Notes that the program has ended it. has_begun: the driver runs, and will finish."""
        self.must_stop = True
        self.close_args = (code, reason)
        self.state = "closing" if has_begun else "closed"
        self.has_finished = not has_begun
        self.error = closed_here()
        self.current = None
        self.sockets.clear()

    def note_finish(self, error: BaseException | None) -> None:
        """Notes that no further attempt follows."""
        if not self.must_stop or self.error is None:
            self.error = error or closed_here()
        self.state = "closed"
        self.current = None
        if self.must_stop:
            self.sockets.clear()
        if self.unsent and self.loss is None:
            self.loss = ConnectionClosed(self.unsent.text_of_loss())

    def closed_args(self) -> ClosedEventArgs:
        """Returns the argument of on_closed."""
        if self.must_stop:
            return ClosedEventArgs(*self.close_args, True)
        if isinstance(self.error, ConnectionClosed):
            return ClosedEventArgs(self.error.code or 1006, self.error.reason, self.error.was_clean)
        return ClosedEventArgs(1006, str(self.error), False)

    def keep(self, message: tuple[str | bytes, int], text: bool | None, compress: bool | None) -> bool:
        """Keeps or drops a message that cannot be sent now. Returns False if there is no room."""
        data, size_bytes = message
        if self.unsent is None:
            self.dropped_count += 1
            return True
        if not self.unsent.has_room(size_bytes):
            return False
        self.unsent.add(data, text, compress, size_bytes)
        return True


def checked_control(target: Target) -> MessageWebSocketControl:
    """Returns the options of each socket. Raises now what a bad argument would raise at each attempt."""
    subprotocols = None if callable(target.subprotocols) else target.subprotocols
    example = MessageWebSocket(**target.options(subprotocols))
    add_headers(example, None if callable(target.headers) else target.headers)
    return example.control


class ReconnectingBase:
    """The handlers and the facts of a ReconnectingWebSocket."""

    _package: ClassVar[str]
    _driver: Any
    _handlers: dict[str, Callable[[Any, Any], object]]

    # ---- handlers

    def _check_handler(self, name: str, handler: Callable[..., object] | None) -> None:
        """Raises TypeError for a handler that cannot be called."""
        if handler is not None and not callable(handler):
            raise TypeError(f"{name} must be a function f(ws, args) or None, not {type(handler)!r}")

    def _lock(self) -> AbstractContextManager[object]:
        """Returns the block in which a handler is set."""
        raise NotImplementedError

    def _has_handlers(self) -> bool:
        return bool(self._handlers)

    def _handler(self, name: str) -> Any:
        return self._handlers.get(name)

    def _set_handler(self, name: str, handler: Callable[[Any, Any], object] | None) -> None:
        self._check_handler(name, handler)
        with self._lock():
            if handler is None:
                self._handlers.pop(name, None)
            else:
                self._handlers[name] = handler
            self._driver.keep_owner(self)

    @property
    def on_connected(self) -> Callable[[Self, int], object] | None:
        """The handler for each new connection, f(ws, attempt), or None. attempt is its number, an int.

        The thread of the socket calls it before any other call of the program can use the connection. So it may
        log in and subscribe again with ws.send() and ws.recv(). Messages that were kept follow. It must be set
        before connect() to see the first connection. Any thread may set it.
        In curlwire.aio and curlwire.trio, the task of the socket calls it and awaits its result. It may start
        and await tasks that use the connection.
        """
        handler: Callable[[Self, int], object] | None = self._handler("on_connected")
        return handler

    @on_connected.setter
    def on_connected(self, handler: Callable[[Self, int], object] | None) -> None:
        self._set_handler("on_connected", handler)

    @property
    def on_disconnected(self) -> Callable[[Self, ConnectionClosed], object] | None:
        """The handler for the end of each connection, f(ws, reason), or None. reason is a ConnectionClosed.

        The thread or the task of the socket calls it. Any thread may set it.
        """
        handler: Callable[[Self, ConnectionClosed], object] | None = self._handler("on_disconnected")
        return handler

    @on_disconnected.setter
    def on_disconnected(self, handler: Callable[[Self, ConnectionClosed], object] | None) -> None:
        self._set_handler("on_disconnected", handler)

    @property
    def on_closed(self) -> Callable[[Self, ClosedEventArgs], object] | None:
        """The handler for the end of the socket, f(ws, args), or None. args is a ClosedEventArgs.

        The thread or the task of the socket calls it once, when no further attempt follows. Any thread may set
        it.
        """
        handler: Callable[[Self, ClosedEventArgs], object] | None = self._handler("on_closed")
        return handler

    @on_closed.setter
    def on_closed(self, handler: Callable[[Self, ClosedEventArgs], object] | None) -> None:
        self._set_handler("on_closed", handler)

    @property
    def on_message_received(self) -> Callable[[Self, MessageReceivedEventArgs], object] | None:
        """The handler for messages, f(ws, args), or None. args is a MessageReceivedEventArgs.

        The dispatcher thread calls it for each message, in order over all connections; in curlwire.aio and
        curlwire.trio, a task does. Any thread may set it. recv() then raises StateError. Set it before
        connect().
        """
        handler: Callable[[Self, MessageReceivedEventArgs], object] | None = self._handler(
            "on_message_received"
        )
        return handler

    @on_message_received.setter
    def on_message_received(self, handler: Callable[[Self, MessageReceivedEventArgs], object] | None) -> None:
        is_running = self._driver.state not in ("new", "closed")
        if is_running and (handler is None) != (self._handler("on_message_received") is None):
            raise StateError("set on_message_received before connect(), and only another function afterwards")
        self._set_handler("on_message_received", handler)

    # ---- facts

    @property
    def state(self) -> str:
        """The state: 'new', 'connecting' (also between two attempts), 'open', 'closing' or 'closed'."""
        state: str = self._driver.state
        return state

    @property
    def attempt(self) -> int:
        """The number of attempts that have begun, an int."""
        count: int = self._driver.attempts.count
        return count

    @property
    def last_error(self) -> BaseException | None:
        """The exception of the last failed attempt or lost connection, or None."""
        error: BaseException | None = self._driver.last_error
        return error

    @property
    def unsent_count(self) -> int:
        """The number of messages that wait for a connection, an int."""
        unsent: Unsent | None = self._driver.unsent
        return 0 if unsent is None else len(unsent)

    @property
    def dropped_count(self) -> int:
        """The number of messages that send() has dropped with unsent='drop', an int."""
        count: int = self._driver.dropped_count
        return count

    def __repr__(self) -> str:
        return f"<{self._package}.{type(self).__qualname__} {self.state}, attempt {self.attempt}>"

# SPDX-License-Identifier: MIT
"""The thread that connects a ReconnectingWebSocket again and again, and what its calls need of it.

A driver has a thread of its own, which connects, calls on_connected and on_disconnected, and waits. Calls of
other threads send and receive on the socket that it has published. The driver refers to the object of the
program only by a weak reference, so that the object can be collected, which stops the driver.
"""

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from curlwire import reconnect_policy
from curlwire._core import MessageWebSocket
from curlwire.connecting import add_headers
from curlwire.defaults import Default
from curlwire.errors import ConnectionClosed, StateError, WebSocketError, WebSocketTimeout
from curlwire.reconnect_policy import (
    Attempts,
    ProgramError,
    Target,
    Unsent,
    call,
    closed_here,
    fresh,
    kept,
    refuse_coroutine,
    stored,
)
from curlwire.reconnecting_base import BUFFER, Deadline, DriverBase, end_of
from curlwire.synchronous import check_result

if TYPE_CHECKING:
    from curlwire.reconnecting import ReconnectingWebSocket

_Value = TypeVar("_Value")
_HANDLER_SECONDS = 10.0  # the driver waits this long until the handlers have had the messages of a connection
_RENEW_SECONDS = 1.0  # a renewal waits this long for the closing handshake of the old connection
# A call of the program looks again after this time. If Ctrl-C comes just before a thread waits for a lock,
# Python handles it only after that wait.
_LOOK_SECONDS = 0.5
_WAIT_SECONDS = 3600.0  # of one wait, because a lock refuses very long ones


class _Link:
    """A connection, and what is known about its end."""

    def __init__(self, ws: MessageWebSocket) -> None:
        self.ws = ws
        self.has_ended = False
        self.is_handled = False  # the dispatcher has called the handlers for all its messages


class Driver(DriverBase[MessageWebSocket]):
    """Connects, and connects again. lock guards every attribute."""

    def __init__(
        self, owner: "ReconnectingWebSocket", target: Target, attempts: Attempts, unsent: Unsent | None
    ) -> None:
        super().__init__(owner, target, attempts, unsent)
        self.lock: threading.Condition = threading.Condition()
        self.link: _Link | None = None  # the newest, which connects or is open; close() closes it
        self.greeter: int | None = None  # the thread in on_connected
        self.taker_count: int = 0  # receivers that take from a connection that is to be renewed
        self.thread: threading.Thread | None = None
        self.prepare: Callable[[MessageWebSocket], object] | None = None  # gets each socket before it connects

    # ---- the thread

    def start(self) -> None:
        """Starts the thread."""
        with self.lock:
            self.check_new()
            self.state = "connecting"  # first, because Ctrl-C may end the next steps
            self.thread = threading.Thread(target=self._run, name="curlwire reconnecting", daemon=True)
            try:
                self.thread.start()
            except RuntimeError as error:
                self.thread, self.state = None, "new"
                raise WebSocketError(
                    f"cannot start the thread that connects ({error}): end other threads, or raise the limit "
                    "on threads (ulimit -u)"
                ) from error
            self.keep_owner(self.owner())
        with _drivers_lock:
            _drivers.add(self)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            with self.lock:
                pass  # start() has finished
            self._drive()
        except BaseException as caught:
            error = stored(caught)
        self._finish(error)

    def _finish(self, error: BaseException | None) -> None:
        with self.lock:
            self.note_finish(error)
            self.link = None
            self.lock.notify_all()
        self._tell("on_closed", self.closed_args())
        with self.lock:
            self.has_finished = True
            self.kept_owner: Any = None
            self.lock.notify_all()
        with _drivers_lock:
            _drivers.discard(self)

    def _drive(self) -> None:
        delay = 0.0
        while self._pause(delay):
            number = self.attempts.begin()
            try:
                link = self._connect(number)
            except Exception as failure:
                if self.must_stop:
                    return
                self.attempts.ended()
                delay = self._delay(failure)
                continue
            is_renewed = self._serve(link, number)
            reason = end_of(link.ws)
            self.attempts.ended()
            self._tell("on_disconnected", reason)
            if not self.must_stop:
                delay = self.attempts.renew() if is_renewed else self._delay(reason)

    def _delay(self, failure: Exception) -> float:
        error = failure.error if isinstance(failure, ProgramError) else failure
        with self.lock:
            self.last_error: BaseException | None = stored(error)
        return self.attempts.next(failure, self.attempts.ask(error))

    def _pause(self, seconds: float) -> bool:
        """Waits; reconnect() ends the wait. Returns False if the driver must stop."""
        end = reconnect_policy.clock() + seconds
        with self.lock:
            self.must_renew = False
            self.is_pausing = True
            while not self.must_stop and not self.must_renew and (left := end - reconnect_policy.clock()) > 0:
                self.lock.wait(min(left, _WAIT_SECONDS))
            self.is_pausing: bool = False
            return not self.must_stop

    def _connect(self, number: int) -> _Link:
        """Makes one attempt, and returns the open connection."""
        target = self.target
        uri = refuse_coroutine(call(target.uri, number))
        headers = refuse_coroutine(call(target.headers, number))
        subprotocols = refuse_coroutine(call(target.subprotocols, number))
        ws = MessageWebSocket(**target.options(subprotocols))
        add_headers(ws, headers)
        if self.prepare is not None:
            self.prepare(ws)
        link = _Link(ws)
        with self.lock:
            if self.must_stop:
                raise closed_here()
            self.link = link
        ws.connect(uri, timeout=target.timeout)
        return link

    def note_end(self, ws: MessageWebSocket, *, is_handled: bool = False) -> None:
        """Notes that a connection has ended."""
        with self.lock:
            if self.link is not None and self.link.ws is ws:
                self.link.has_ended = True
                self.link.is_handled = self.link.is_handled or is_handled
                self.lock.notify_all()

    # ---- an open connection

    def _serve(self, link: _Link, number: int) -> bool:
        """Uses a connection until it has ended. Returns whether that was on purpose."""
        renew_at = self.attempts.opened()
        with self.lock:
            self.must_renew = False  # what reconnect() wants has just happened
            self.greeter = threading.get_ident()
        self._tell("on_connected", number)
        with self.lock:
            self.greeter = None
            if not self.must_stop:
                self._publish(link.ws)
        with suppress(ConnectionClosed):
            self._send_kept(link.ws)
        is_renewed = self._wait_end(link, renew_at)
        with self.lock:
            self.current = None
            self.state: str = "connecting" if self.state == "open" else self.state
        return is_renewed

    def _publish(self, ws: MessageWebSocket) -> None:
        """Lets the calls of the program receive on a socket, or gives it the handler for messages."""
        if not self.publish(ws):
            self._set_handler(ws)
        reference = weakref.ref(self)

        def on_closed(ended: MessageWebSocket, _: object) -> None:
            if (driver := reference()) is not None:
                driver.note_end(ended, is_handled=True)

        ws.on_closed = on_closed  # after the handler for messages, which come first
        self.lock.notify_all()

    def _set_handler(self, ws: MessageWebSocket) -> None:
        """Gives a socket the handler for messages, which it looks up for each message."""
        owner = self.owner

        def on_message_received(_: object, args: Any) -> None:
            ws = owner()
            if ws is not None and (handler := ws.on_message_received) is not None:
                handler(ws, args)

        ws.on_message_received = on_message_received

    def _send_kept(self, ws: MessageWebSocket) -> None:
        """Sends the messages that were kept, then lets the program send on this socket."""
        while True:
            with self.lock:
                if not self.unsent or self.must_stop or self.must_renew:
                    self.current = None if self.must_stop or self.must_renew else ws
                    self.lock.notify_all()
                    return
                data, text, compress = self.unsent.first()
            with suppress(WebSocketTimeout):
                ws.send(data, text=text, compress=compress)
                with self.lock:
                    self.unsent.drop_first()
                    self.lock.notify_all()

    def _wait_end(self, link: _Link, renew_at: float | None) -> bool:
        """Waits until a connection has ended, and ends it if it must be renewed. Returns whether it was."""
        ws = link.ws
        with self.lock:
            while not (link.has_ended or self.must_stop or self.must_renew):
                left = _WAIT_SECONDS if renew_at is None else renew_at - reconnect_policy.clock()
                self.must_renew = left <= 0
                if not self.must_renew:
                    self.lock.wait(min(left, _WAIT_SECONDS))
            is_renewed = self.must_renew and not (link.has_ended or self.must_stop)
            self.current = None
            if is_renewed:
                self._empty(ws)
        if is_renewed:
            ws.close(1000)
        try:
            with suppress(WebSocketTimeout):  # the service thread finishes the handshake
                ws.wait_closed(_RENEW_SECONDS if is_renewed else None)
        except ConnectionClosed as loss:
            with self.lock:
                self.loss: ConnectionClosed | None = loss if self.must_stop else None
        self._wait_handled(link)
        return is_renewed

    def _wait_handled(self, link: _Link) -> None:
        """Waits until the handlers have had all messages of a connection, before a newer one opens."""
        end = reconnect_policy.clock() + _HANDLER_SECONDS
        with self.lock:
            while (
                link.ws.on_message_received is not None
                and not (link.is_handled or self.must_stop)
                and (left := end - reconnect_policy.clock()) > 0
            ):
                self.lock.wait(left)

    def _empty(self, ws: MessageWebSocket) -> None:
        """Lets the receivers take what has arrived before the connection is renewed. Holds the lock."""
        self.retiring = ws
        end = reconnect_policy.clock() + self.control_of(ws).close_timeout
        self.lock.notify_all()
        while (
            ws in self.sockets
            and not (self.must_stop or ws.state == "closed" or self._is_empty(ws))
            and (left := end - reconnect_policy.clock()) > 0
        ):
            self.lock.wait(left)
        self.retiring = None

    def _is_empty(self, ws: MessageWebSocket) -> bool:
        """Returns whether no message has arrived. Holds the lock, so no receiver begins meanwhile."""
        if self.taker_count:  # it says itself when nothing is there
            return False
        if self.receiver_count:  # it reads, and one that is about to take a message does not wait yet
            return ws.information.statistics.receive_queue_bytes == 0
        done = ws._try_recv(None, BUFFER)  # looks in the kernel too
        if done is not None:
            done.close()  # the message stays the next one
        return done is None

    @staticmethod
    def control_of(ws: MessageWebSocket) -> Any:
        """Returns the options of a socket."""
        return ws.control

    # ---- what calls of the program do

    def renew(self) -> None:
        """Lets the connection be made anew, or ends a delay."""
        with self.lock:
            self.must_renew: bool = True
            self.current = None  # messages wait for the new connection from now on
            self.lock.notify_all()

    def stop(self, code: int, reason: str, *, is_abort: bool = False) -> None:
        """Ends it."""
        with self.lock:
            ws = MessageWebSocket() if self.link is None else self.link.ws
            if not is_abort:
                ws.close(code, reason)
            if self.state == "closed" or self.must_stop:
                return
            self.note_stop(code, reason, self.thread is not None)
            self.lock.notify_all()
        if is_abort:
            ws.abort()

    def _tell(self, name: str, argument: object) -> None:
        """Calls a handler. Its exception is reported as the exception of a thread is."""
        owner = self.owner()
        handler = None if owner is None else getattr(owner, name)
        if handler is None:
            return
        try:
            check_result(handler, handler(owner, argument))
        except Exception as error:
            arguments = (type(error), error, error.__traceback__, threading.current_thread())
            threading.excepthook(threading.ExceptHookArgs(arguments))

    def refuse_own_thread(self, name: str) -> None:
        """Raises StateError in the thread of the driver. A later thread may have the number of an ended one."""
        thread = self.thread
        if thread is not None and thread.ident == threading.get_ident() and thread.is_alive():
            raise StateError(f"{name}() in a handler of this socket would wait for itself; call it elsewhere")

    # ---- sending and receiving

    def wait(self, deadline: Deadline, what: str) -> None:
        """Waits for a change. Holds the lock. Raises WebSocketTimeout at the deadline."""
        left = self.left(deadline, what)
        self.lock.wait(_LOOK_SECONDS if left is None else min(left, _LOOK_SECONDS))

    def check(self) -> None:
        """Raises the reason if the object has ended, and StateError if it has not begun. Holds the lock."""
        if self.state == "new":
            raise StateError("the socket is not connected: call connect() first, or use it in a with block")
        if self.state in ("closing", "closed") and self.error is not None:
            raise fresh(self.error)

    def receive(
        self, receive: "Callable[[MessageWebSocket, float | None], _Value]", deadline: Deadline
    ) -> _Value:
        """Receives from the first connection that has messages."""
        if self.greeter == threading.get_ident() and self.link is not None:
            return receive(self.link.ws, deadline.left())
        while True:
            ws, is_retiring = self._enter_receive(deadline)
            try:
                return receive(ws, 0 if is_retiring else deadline.left())
            except ConnectionClosed:
                self._drained(ws)
            except WebSocketTimeout:
                if not is_retiring:
                    raise
                self._drained(ws)
            finally:
                with self.lock:
                    self.receiver_count -= not is_retiring
                    self.taker_count -= is_retiring
                    if self.retiring is ws:
                        self.lock.notify_all()

    def _enter_receive(self, deadline: Deadline) -> tuple[MessageWebSocket, bool]:
        with self.lock:
            while not self.sockets:
                self.check()
                self.check_receiving()
                self.wait(deadline, "a message")
            is_retiring = self.sockets[0] is self.retiring
            self.receiver_count: int = self.receiver_count + (not is_retiring)
            self.taker_count += is_retiring
            self.lock.notify_all()
            return self.sockets[0], is_retiring

    def _drained(self, ws: MessageWebSocket) -> None:
        """Notes that a connection has no more messages."""
        with self.lock:
            if ws not in self.sockets:
                return
            self.sockets.remove(ws)
            self.lock.notify_all()
            if ws is self.retiring:
                return
            try:
                next(ws)
            except StopIteration:
                self.ended_normally = True
            except Exception:
                self.ended_normally: bool = False
        self.note_end(ws)

    def send(
        self,
        data: Any,
        deadline: Deadline,
        timeout: float | Default | None,
        text: bool | None,
        compress: bool | None,
    ) -> None:
        """Sends a message now, or keeps or drops it."""
        if self.greeter == threading.get_ident() and self.link is not None:
            self.link.ws.send(data, timeout, text=text, compress=compress)
            return
        message: tuple[str | bytes, int] | None = None
        while True:
            with self.lock:
                self.check()
                ws = self.current
                if ws is None:
                    message = message or kept(data, text)
                    if self.keep(message, text, compress):
                        return
                    self.wait(deadline, self.room_text())
                    continue
            try:
                ws.send(data, timeout, text=text, compress=compress)
                return
            except ConnectionClosed:  # no part of a message that the server could use has been sent
                with self.lock:
                    self.current = None if self.current is ws else self.current
                self.note_end(ws)


# ---- the ends of the process

_drivers: set[Driver] = set()
_drivers_lock = threading.Lock()


def _stop_at_exit() -> None:
    """Ends the drivers, so that none connects while the exit closes the sockets."""
    with _drivers_lock:
        drivers = list(_drivers)
    for driver in drivers:
        with driver.lock:
            driver.must_stop = True
            driver.lock.notify_all()


def _reset_after_fork() -> None:
    """Ends the drivers of the parent, whose threads the child does not have."""
    global _drivers_lock
    _drivers_lock = threading.Lock()
    for driver in list(_drivers):
        driver.lock = threading.Condition()
        driver.state = "closed"
        driver.has_finished = True
        driver.sockets.clear()
        driver.current = None
        driver.error = StateError("the socket belongs to the parent process: make a new one after fork()")
    _drivers.clear()


atexit.register(_stop_at_exit)  # runs before the exit function of the dispatcher, which was registered before
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_after_fork)

# SPDX-License-Identifier: MIT
"""The task that connects a ReconnectingWebSocket for an event loop again and again.

The task connects, calls on_connected and on_disconnected, and waits. It refers to the object of the
program only by a weak reference, so that the object can be collected, which ends the task. The rules are those
of curlwire.ReconnectingWebSocket.
"""

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from curlwire import reconnect_policy
from curlwire.errors import ConnectionClosed, StateError, WebSocketTimeout, timed_out
from curlwire.eventloop.hub import Future, Hub, Scope
from curlwire.eventloop.reconnecting import RENEW_SECONDS, next_delay, opened
from curlwire.eventloop.sockets import MessageWebSocket
from curlwire.reconnect_policy import (
    Attempts,
    ProgramError,
    Target,
    Unsent,
    closed_here,
    fresh,
    kept,
    stored,
)
from curlwire.reconnecting_base import BUFFER, Deadline, DriverBase, end_of

if TYPE_CHECKING:
    from curlwire.eventloop.reconnecting_socket import ReconnectingWebSocket

_Value = TypeVar("_Value")

# The connection that is being greeted, for the tasks that on_connected starts too.
_greeted: ContextVar["tuple[Driver, MessageWebSocket] | None"] = ContextVar("curlwire greeted", default=None)


class Driver(DriverBase[MessageWebSocket]):
    """Connects, and connects again. Everything happens in the thread of its loop."""

    def __init__(
        self,
        owner: "ReconnectingWebSocket[Any]",
        target: Target,
        attempts: Attempts,
        unsent: Unsent | None,
    ) -> None:
        super().__init__(owner, target, attempts, unsent)
        self.socket_class: type[MessageWebSocket] = owner._socket_class
        self.hub: Hub | None = None  # of the loop that has connected the socket
        self.task: object = None  # the task of the driver
        self.step: Scope | None = None  # a part of the task that stop() cancels
        self.newest: MessageWebSocket | None = None  # connects or is open
        self.greeting: MessageWebSocket | None = None  # the connection of on_connected
        self.is_receiving: bool = False  # a task is in receive()
        self.is_handled: bool = False  # the handler has had all messages of the newest connection
        self._waiters: set[Future[None]] = set()

    # ---- waiting

    def changed(self) -> None:
        """Wakes all that wait for a change."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def change(self, timeout: float | None = None) -> None:
        """Waits for a change, or for the timeout."""
        hub = self._running()
        waiter = hub.create_future()
        self._waiters.add(waiter)
        try:
            with suppress(TimeoutError):
                async with hub.timeout(timeout):
                    await hub.wait(waiter)
        finally:
            self._waiters.discard(waiter)

    async def wait(self, deadline: Deadline, what: str) -> None:
        """Waits for a change. Raises WebSocketTimeout at the deadline."""
        await self.change(self.left(deadline, what))

    def check_loop(self) -> None:
        """Raises StateError in another loop."""
        if self.hub is not None:
            self.hub.check()

    def _running(self) -> Hub:
        assert self.hub is not None
        return self.hub

    def check(self) -> None:
        """Raises the reason if the object has ended, and StateError if it has not begun."""
        self.check_loop()
        if self.state == "new":
            raise StateError("the socket is not connected: await connect() first, or use it in 'async with'")
        if self.state in ("closing", "closed") and self.error is not None:
            raise fresh(self.error)

    # ---- the task

    def start(self) -> None:
        """Starts the task."""
        self.check_new()
        self.hub = self.socket_class._hub_class.running()
        self.state = "connecting"
        self.hub.create_task(self._run())
        self.keep_owner(self.owner())

    async def _run(self) -> None:
        hub = self._running()
        self.task = hub.current_task()
        error: BaseException | None = None
        try:
            try:
                await self._drive()
            except BaseException as caught:
                if hub.is_cancellation(caught):  # the loop ends
                    if self.newest is not None:
                        self.newest._core.close(1001)
                    self._finish(closed_here())
                    raise
                error = stored(caught)
            self._finish(error)
            await self._tell("on_closed", self.closed_args())
        finally:
            self.has_finished = True
            self.kept_owner: Any = None
            self.task = None
            self.changed()

    def _finish(self, error: BaseException | None) -> None:
        self.note_finish(error)
        self.newest = None
        self.changed()

    async def _drive(self) -> None:
        delay = 0.0
        while await self._pause(delay):
            number = self.attempts.begin()
            try:
                ws = await self._cancellable(opened(self.target, self.socket_class, number, self._note))
            except Exception as failure:
                if self.must_stop:
                    return
                self.attempts.ended()
                delay = await self._delay(failure)
                continue
            is_renewed = await self._serve(ws, number)
            reason = end_of(ws._core)
            self.attempts.ended()
            await self._tell("on_disconnected", reason)
            if not self.must_stop:
                delay = self.attempts.renew() if is_renewed else await self._delay(reason)

    async def _cancellable(self, step: "Coroutine[Any, Any, _Value]") -> _Value:
        """Awaits a step that may run functions of the program. stop() cancels it."""
        async with self._running().scope() as scope:
            self.step = scope
            try:
                return await step
            finally:
                self.step = None
        raise closed_here()

    def _note(self, ws: MessageWebSocket) -> None:
        if self.must_stop:
            raise closed_here()
        self.newest = ws

    async def _delay(self, failure: Exception) -> float:
        error = failure.error if isinstance(failure, ProgramError) else failure
        self.last_error: BaseException | None = stored(error)
        return await next_delay(self._running(), self.attempts, failure)

    async def _pause(self, seconds: float) -> bool:
        """Waits; reconnect() ends the wait. Returns False if the driver must stop."""
        end = reconnect_policy.clock() + seconds
        self.must_renew = False
        self.is_pausing = True
        while not self.must_stop and not self.must_renew and (left := end - reconnect_policy.clock()) > 0:
            await self.change(left)
        self.is_pausing: bool = False
        return not self.must_stop

    # ---- an open connection

    async def _serve(self, ws: MessageWebSocket, number: int) -> bool:
        """Uses a connection until it has ended. Returns whether that was on purpose."""
        renew_at = self.attempts.opened()
        self.must_renew = False  # what reconnect() wants has just happened
        token = _greeted.set((self, ws))
        self.greeting = ws
        with suppress(ConnectionClosed):
            await self._cancellable(self._tell("on_connected", number))
        self.greeting = None
        _greeted.reset(token)
        if not self.must_stop:
            self._publish(ws)
        ending = self._running().create_task(self._note_end(ws))
        try:
            with suppress(ConnectionClosed):
                await self._send_kept(ws)
            is_renewed = await self._wait_end(ws, renew_at)
        finally:
            ending.cancel()
        self.current = None
        self.state: str = "connecting" if self.state == "open" else self.state
        return is_renewed

    async def _note_end(self, ws: MessageWebSocket) -> None:
        with suppress(ConnectionClosed):
            await ws.wait_closed()
        self.changed()

    def _publish(self, ws: MessageWebSocket) -> None:
        """Lets the calls of the program receive on a socket, or gives it the handler for messages."""
        if not self.publish(ws):
            self._set_handler(ws)
        self.changed()

    def _set_handler(self, ws: MessageWebSocket) -> None:
        owner = self.owner

        def on_message_received(_: object, args: Any) -> Any:
            ws = owner()
            if ws is None or (handler := ws.on_message_received) is None:
                return None
            return handler(ws, args)

        def on_closed(_: object, __: object) -> None:
            self.is_handled = True
            self.changed()

        self.is_handled = False
        ws.on_closed = on_closed  # comes after the last message
        ws.on_message_received = on_message_received
        ws._start()  # also if the connection has ended since

    async def _send_kept(self, ws: MessageWebSocket) -> None:
        """Sends the messages that were kept, then lets the program send on this socket."""
        while self.unsent and not (self.must_stop or self.must_renew):
            data, text, compress = self.unsent.first()
            with suppress(WebSocketTimeout):
                await ws.send(data, text=text, compress=compress)
                self.unsent.drop_first()
                self.changed()
        self.current = None if self.must_stop or self.must_renew else ws
        self.changed()

    async def _wait_end(self, ws: MessageWebSocket, renew_at: float | None) -> bool:
        """Waits until a connection has ended, and ends it if it must be renewed. Returns whether it was."""
        while not (ws.state == "closed" or self.must_stop or self.must_renew):
            left = None if renew_at is None else renew_at - reconnect_policy.clock()
            self.must_renew = left is not None and left <= 0
            if not self.must_renew:
                await self.change(left)
        is_renewed = self.must_renew and not (ws.state == "closed" or self.must_stop)
        self.current = None
        if is_renewed:
            await self._empty(ws)
            ws._begin_close(1000, "")
        try:
            with suppress(TimeoutError):  # the service thread finishes the handshake
                async with self._running().timeout(RENEW_SECONDS if is_renewed else None):
                    await ws.wait_closed()
        except ConnectionClosed as loss:
            self.loss: ConnectionClosed | None = loss if self.must_stop else None
        await self._wait_handled(ws)
        return is_renewed

    async def _wait_handled(self, ws: MessageWebSocket) -> None:
        """Waits until the handler has had all messages of a connection, before a newer one opens."""
        if ws.on_message_received is not None and ws.state == "closed":
            while not (self.is_handled or self.must_stop):
                await self.change()

    async def _empty(self, ws: MessageWebSocket) -> None:
        """Lets the receiver take what has arrived before the connection is renewed."""
        self.retiring = ws
        end = reconnect_policy.clock() + ws.control.close_timeout
        self.changed()
        while (
            ws in self.sockets
            and not (self.must_stop or ws.state == "closed" or self._is_empty(ws))
            and (left := end - reconnect_policy.clock()) > 0
        ):
            await self.change(left)
        self.retiring = None

    def _is_empty(self, ws: MessageWebSocket) -> bool:
        """Returns whether no message is there. A receiver may still be at its first checkpoint."""
        if ws._waiter is not None:
            return True
        try:
            done = ws._core._try_recv(None, BUFFER)
        except StateError:  # the receiver waits in the core
            return True
        if done is not None:
            done.close()  # the message stays the next one
        return done is None

    # ---- what calls of the program do

    def renew(self) -> None:
        """Lets the connection be made anew, or ends a delay."""
        self.must_renew: bool = True
        self.current = None  # messages wait for the new connection from now on
        self.changed()

    def stop(self, code: int, reason: str, *, is_abort: bool = False) -> None:
        """Ends it."""
        ws = self.socket_class() if self.newest is None else self.newest
        if is_abort:
            ws.abort()
        else:
            ws._begin_close(code, reason)  # checks the arguments
        if self.state == "closed" or self.must_stop:
            return
        self.note_stop(code, reason, self.hub is not None)
        if self.step is not None and not self.is_own_task():
            self.step.cancel()
        self.changed()

    async def _tell(self, name: str, argument: object) -> None:
        """Calls a handler, and awaits its result. Its exception is reported the way of the loop's library."""
        owner = self.owner()
        handler = None if owner is None else getattr(owner, name)
        if handler is None:
            return
        message = f"the handler {name} of a ReconnectingWebSocket has failed"
        try:
            result = handler(owner, argument)
            del owner
            if inspect.isawaitable(result):
                await result
        except BaseException as error:
            self._running().settle(message, error)

    def greeted(self) -> MessageWebSocket | None:
        """Returns the connection that on_connected greets, in its task and those it has started; or None."""
        driver, ws = _greeted.get() or (None, None)
        return ws if driver is self and ws is not None and ws is self.greeting else None

    def is_own_task(self) -> bool:
        """Returns whether the calling task is that of the driver, so that it must not wait for its end."""
        return self.task is not None and self._running().current_task() is self.task

    def refuse_own_task(self, name: str) -> None:
        """Raises StateError in the task of the driver."""
        if self.is_own_task():
            raise StateError(f"{name}() in a handler of this socket would wait for itself; call it elsewhere")

    # ---- receiving and sending

    async def receive(
        self, receive: "Callable[[MessageWebSocket, float | None], Awaitable[_Value]]", deadline: Deadline
    ) -> _Value:
        """Receives from the first connection that has messages."""
        greeted = self.greeted()
        if greeted is not None:
            return await _within(receive, greeted, deadline)
        if self.is_receiving:
            raise StateError("another task already waits for data from this socket: receive in one task only")
        self.is_receiving = True
        try:
            return await self._receive(receive, deadline)
        finally:
            self.is_receiving = False

    async def _receive(
        self, receive: "Callable[[MessageWebSocket, float | None], Awaitable[_Value]]", deadline: Deadline
    ) -> _Value:
        while True:
            while not self.sockets:
                self.check()
                self.check_receiving()
                await self.wait(deadline, "a message")
            ws = self.sockets[0]
            self.check_loop()
            is_retiring = ws is self.retiring
            self.receiver_count += not is_retiring
            self.changed()
            try:
                if is_retiring:
                    done = ws._core._try_recv(None, BUFFER)
                    if done is None:
                        self.drained(ws)
                        continue
                    done.close()  # the message stays the next one
                return await _within(receive, ws, deadline)
            except ConnectionClosed:
                self.drained(ws)
            finally:
                self.receiver_count: int = self.receiver_count - (not is_retiring)

    def drained(self, ws: MessageWebSocket) -> None:
        """Notes that a connection has no more messages."""
        if ws not in self.sockets:
            return
        self.sockets.remove(ws)
        if ws is not self.retiring:
            self.ended_normally: bool = _is_normal(ws)
        self.changed()

    async def send(self, data: Any, text: bool | None, compress: bool | None) -> None:
        """Sends a message now, or keeps or drops it."""
        greeted = self.greeted()
        if greeted is not None:
            await greeted.send(data, text=text, compress=compress)
            return
        message: tuple[str | bytes, int] | None = None
        deadline: Deadline | None = None
        while True:
            self.check()
            ws = self.current
            if ws is None:
                message = message or kept(data, text)
                if self.keep(message, text, compress):
                    return
                deadline = deadline or Deadline(self.target.send_timeout)
                await self.wait(deadline, self.room_text())
                continue
            try:
                await ws.send(data, text=text, compress=compress)
                return
            except ConnectionClosed:  # no part of a message that the server could use has been sent
                self.current = None if self.current is ws else self.current


async def _within(
    receive: "Callable[[MessageWebSocket, float | None], Awaitable[_Value]]",
    ws: MessageWebSocket,
    deadline: Deadline,
) -> _Value:
    try:
        return await receive(ws, deadline.left())
    except WebSocketTimeout:  # it names only the seconds that were left
        raise timed_out(deadline.seconds, "a message") from None


def _is_normal(ws: MessageWebSocket) -> bool:
    try:
        next(ws._core)
    except StopIteration:
        return True
    except Exception:
        return False
    return False

# SPDX-License-Identifier: MIT
"""The class ReconnectingWebSocket, as far as it does not depend on the library of the loop."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, TypeVar, Unpack

from curlwire import json_messages
from curlwire.connecting import HeaderPairs
from curlwire.defaults import DEFAULT, Default
from curlwire.errors import ConnectionClosed, StateError
from curlwire.eventloop.reconnect_driver import Driver
from curlwire.eventloop.sockets import MessageWebSocket
from curlwire.options import MessageOptions
from curlwire.reconnect_policy import Attempts, ReconnectPolicy, Target, checked_policy, checked_unsent
from curlwire.reconnecting_base import Deadline, ReconnectingBase, checked_control
from curlwire.timeouts import checked_timeout

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed import ReadableBuffer, WriteableBuffer

_GONE = 1011  # the close code of a block that an exception leaves
_Message = TypeVar("_Message", bound=MessageWebSocket)


class ReconnectingWebSocket(ReconnectingBase, Generic[_Message]):
    """A WebSocket for an event loop that connects again when its connection is lost.

    The arguments are those of curlwire.ReconnectingWebSocket. The functions for the URI, the headers and the
    subprotocols, should_retry and all handlers may be coroutine functions.
    """

    _socket_class: ClassVar[type[Any]]

    def __init__(
        self,
        uri: str | Callable[[int], Any],
        *,
        headers: HeaderPairs | Callable[[int], Any] | None = None,
        subprotocols: Sequence[str] | Callable[[int], Any] | None = None,
        policy: ReconnectPolicy | None = None,
        unsent: Literal["keep", "drop"] = "keep",
        unsent_buffer_size: int = 1 << 20,
        timeout: float | Default | None = DEFAULT,
        **control: Unpack[MessageOptions],
    ) -> None:
        target = Target(uri, headers, subprotocols, timeout, dict(control))
        target.send_timeout = checked_control(target).send_timeout
        self._handlers = {}
        self._driver: Driver = Driver(
            self, target, Attempts(checked_policy(policy)), checked_unsent(unsent, unsent_buffer_size)
        )

    def _lock(self) -> AbstractContextManager[object]:
        return nullcontext()

    async def _checkpoint(self) -> None:
        """Lets other tasks run, in a library whose calls always do so."""

    # ---- connecting and closing

    async def connect(self, timeout: float | None = None) -> None:
        """Begins to connect, and waits for the first connection.

        timeout: seconds. The default is None, no limit.
        Raises the error after which no further attempt follows, such as ConnectError. Raises WebSocketTimeout
        after timeout; the socket then goes on connecting, also if the task is cancelled.
        """
        driver = self._driver
        deadline = Deadline(checked_timeout(timeout, None))
        await self._checkpoint()
        driver.start()
        while not driver.was_open:
            driver.check()
            await driver.wait(deadline, "the first connection")

    def reconnect(self) -> None:
        """Renews the connection: closes it with code 1000 and connects again. Ends a delay, if it is in one.

        Messages that have arrived are received first, for up to control.close_timeout. Messages that are sent
        from now on wait for the new connection. After a stable connection the attempt follows at once,
        otherwise after the delay of the backoff.
        """
        self._driver.check_loop()
        self._driver.renew()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection, makes no further attempt, and waits for the end.

        code, reason: as for MessageWebSocket.close().
        Raises ArgumentError for a code or reason that may not be sent; otherwise as wait_closed() does. In a
        handler of this socket it does not wait.
        """
        driver = self._driver
        driver.check_loop()
        driver.stop(code, reason)
        if driver.is_own_task():
            await self._checkpoint()
        else:
            await self.wait_closed()

    def abort(self) -> None:
        """Drops the connection and makes no further attempt. No closing handshake. Any thread may call it."""
        driver = self._driver
        stop = partial(driver.stop, 1000, "", is_abort=True)
        if driver.hub is None:
            stop()
        else:
            driver.hub.run(stop)

    async def wait_closed(self) -> None:
        """Waits until the socket has ended: after close(), or when no further attempt follows.

        Raises ConnectionClosed if sent or kept messages did not reach the server, and StateError in
        on_connected, on_disconnected and on_closed, which would wait for themselves.
        """
        driver = self._driver
        driver.refuse_own_task("wait_closed")
        driver.check_loop()
        await self._checkpoint()
        while not driver.has_finished and driver.state != "new":
            await driver.change()
        if driver.loss is not None:
            raise driver.loss.with_traceback(None)

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:  # such as a cancellation
            self._driver.stop(1000, "")
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        """Closes the socket and waits for its end. The code is 1011 if an exception leaves the block."""
        try:
            await self.close(1000 if exc_type is None or issubclass(exc_type, GeneratorExit) else _GONE)
        except ConnectionClosed as error:
            if exc_value is None:
                raise
            exc_value.add_note(str(error))

    def __del__(self) -> None:
        driver: Driver | None = getattr(self, "_driver", None)
        if driver is not None and driver.hub is not None:
            driver.hub.run(partial(driver.stop, 1005, ""))

    # ---- receiving

    async def recv(self, timeout: float | None = None, copy: bool = True, *, decode: bool | None = None) -> Any:
        """Returns the next message: str for text, bytes for binary. It waits while there is no connection.

        timeout: seconds. The default is None, no limit. copy, decode: as for MessageWebSocket.recv().
        Raises WebSocketTimeout, StateError, and the error after which no further attempt follows. If the task
        is cancelled, the message stays the next one.
        """
        return await self._driver.receive(
            lambda ws, left: ws.recv(left, copy, decode=decode), Deadline(checked_timeout(timeout, None))
        )

    async def recv_json(
        self, timeout: float | None = None, *, loads: Callable[[Any], Any] | None = None
    ) -> Any:
        """Returns the value of the next message, which is JSON.

        timeout: as for recv(). loads: a function, such as orjson.loads; the default is None: json.loads.
        Raises MessageError if loads fails; otherwise as recv() does.
        """
        return await self._driver.receive(
            lambda ws, left: ws.recv_json(left, loads=loads), Deadline(checked_timeout(timeout, None))
        )

    async def recv_into(self, buffer: "WriteableBuffer", timeout: float | None = None) -> int:
        """Receives the next message into a buffer and returns its size in bytes.

        Raises as recv() does, and ArgumentError if the message does not fit. Such a message stays the next one.
        """
        return await self._driver.receive(
            lambda ws, left: ws.recv_into(buffer, left), Deadline(checked_timeout(timeout, None))
        )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.recv()
        except ConnectionClosed:
            if self._driver.must_stop or self._driver.ended_normally:
                raise StopAsyncIteration from None
            raise

    # ---- sending

    async def send(
        self, data: "str | ReadableBuffer", *, text: bool | None = None, compress: bool | None = None
    ) -> None:
        """Sends one message. Without a connection, the message is kept or dropped, as unsent says.

        data, text, compress: as for MessageWebSocket.send().
        It waits while the connection takes no more, or while the kept messages fill unsent_buffer_size, for up
        to the option send_timeout. After a loss, nothing tells which of the last messages have reached the
        server. No message is sent twice.
        Raises WebSocketTimeout, ArgumentError, StateError before connect(), and the error after which no
        further attempt follows.
        """
        await self._checkpoint()
        await self._driver.send(data, text, compress)

    async def send_json(self, value: Any, *, dumps: Callable[[Any], Any] | None = None) -> None:
        """Sends a value as JSON, in one text message.

        dumps: a function, such as orjson.dumps; the default is None: json.dumps. Raises as send() does.
        """
        await self.send((dumps or json_messages.dumps)(value), text=True)

    async def send_many(
        self,
        messages: "Iterable[str | ReadableBuffer]",
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> int:
        """Sends each message of an iterable, as send() does, and returns their number."""
        await self._checkpoint()
        count = 0
        for message in messages:
            await self.send(message, text=text, compress=compress)
            count += 1
        return count

    async def ping(self, timeout: float | Default | None = DEFAULT) -> float:
        """Sends a ping, waits for its pong, and returns the round-trip time in seconds.

        Raises StateError if there is no connection now, WebSocketTimeout, ConnectionClosed.
        """
        ws = self.socket
        if ws is None:
            raise StateError(
                f"there is no connection to ping, because the socket is {self.state}: ping while it is open"
            )
        return await ws.ping(timeout)

    # ---- facts

    @property
    def socket(self) -> _Message | None:
        """The MessageWebSocket of the connection that is open now, or None. For its information, for example.

        Do not receive on it and do not close it.
        """
        driver = self._driver
        ws: Any = driver.newest if driver.state == "open" else driver.greeting
        return ws  # type: ignore[no-any-return]

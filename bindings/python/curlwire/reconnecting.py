# SPDX-License-Identifier: MIT
"""The class ReconnectingWebSocket: a MessageWebSocket that connects again when its connection is lost."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack

from curlwire import json_messages
from curlwire._core import MessageWebSocket
from curlwire.connecting import HeaderPairs
from curlwire.defaults import DEFAULT, Default
from curlwire.errors import ConnectionClosed, StateError
from curlwire.options import MessageOptions
from curlwire.reconnect_driver import Driver
from curlwire.reconnect_policy import Attempts, ReconnectPolicy, Target, checked_policy, checked_unsent
from curlwire.reconnecting_base import Deadline, ReconnectingBase, checked_control
from curlwire.synchronous import check_handler
from curlwire.timeouts import checked_timeout

if TYPE_CHECKING:
    from types import TracebackType

    from _typeshed import ReadableBuffer, WriteableBuffer

_Value = TypeVar("_Value")
_GONE = 1011  # the close code of a block that an exception leaves


class ReconnectingWebSocket(ReconnectingBase):
    """A WebSocket that connects again when its connection is lost. It has the calls of a MessageWebSocket.

    uri: a str that begins with ws:// or wss://.
    headers: added to the opening handshake, as for connect(). The default is None.
    subprotocols: to offer to the server, in order of preference. The default is None.
    Each of these three may be a function f(attempt), which is called for each attempt with its number, an int
    that counts all attempts from 1. If it raises an exception, the attempt has failed.
    policy: a ReconnectPolicy, which says when to connect again. The default is None: ReconnectPolicy().
    unsent: what becomes of a message while there is no connection: 'keep' (the default) sends it after the next
    connect, 'drop' drops it.
    unsent_buffer_size: the most bytes of kept messages, default 1 MiB. Above it, send() waits.
    timeout: seconds for each attempt. None = no limit; the default is the option connect_timeout.
    control: the options of each socket as keywords, as for MessageWebSocket.
    A thread of its own connects, and calls on_connected and on_disconnected. Names are looked up and the
    environment is read for each attempt. Iteration returns the messages of all connections. It ends as that of
    a MessageWebSocket, but only when no further attempt follows.
    Raises ArgumentError for a bad value, TypeError for a bad type. Any thread may call any method.
    """

    _package = "curlwire"

    def __init__(
        self,
        uri: str | Callable[[int], str],
        *,
        headers: HeaderPairs | Callable[[int], HeaderPairs | None] | None = None,
        subprotocols: Sequence[str] | Callable[[int], Sequence[str] | None] | None = None,
        policy: ReconnectPolicy | None = None,
        unsent: Literal["keep", "drop"] = "keep",
        unsent_buffer_size: int = 1 << 20,
        timeout: float | Default | None = DEFAULT,
        **control: Unpack[MessageOptions],
    ) -> None:
        target = Target(uri, headers, subprotocols, timeout, dict(control))
        self._control = checked_control(target)
        checked_timeout(timeout, None)
        self._handlers = {}
        self._driver: Driver = Driver(
            self, target, Attempts(checked_policy(policy)), checked_unsent(unsent, unsent_buffer_size)
        )

    def _check_handler(self, name: str, handler: Callable[..., object] | None) -> None:
        super()._check_handler(name, handler)
        if handler is not None:
            check_handler(handler)

    def _lock(self) -> AbstractContextManager[object]:
        return self._driver.lock

    # ---- connecting and closing

    def connect(self, timeout: float | None = None) -> None:
        """Begins to connect, and waits for the first connection.

        timeout: seconds. The default is None, no limit.
        Raises the error after which no further attempt follows, such as ConnectError. Raises WebSocketTimeout
        after timeout; the socket then goes on connecting. Raises StateError for a second connect().
        Blocks until the socket is open, or has given up. Any thread may call it.
        """
        deadline = Deadline(checked_timeout(timeout, None))
        driver = self._driver
        driver.start()
        with driver.lock:
            while not driver.was_open:
                driver.check()
                driver.wait(deadline, "the first connection")

    def reconnect(self) -> None:
        """Renews the connection: closes it with code 1000 and connects again. Ends a delay, if it is in one.

        Messages that have arrived are received first, for up to control.close_timeout. Messages that are sent
        from now on wait for the new connection. After a stable connection the attempt follows at once,
        otherwise after the delay of the backoff.
        Raises nothing. Does not block. Any thread and any handler may call it.
        """
        self._driver.renew()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection and makes no further attempt. Returns at once; wait_closed() waits for the end.

        code, reason: as for MessageWebSocket.close().
        Calls that wait in other threads raise ConnectionClosed. Messages that were kept for the next connection
        are not sent; wait_closed() tells of them. A second close() does nothing.
        Raises ArgumentError for a code or reason that may not be sent.
        Does not block. Any thread and any handler may call it.
        """
        self._driver.stop(code, reason)

    def abort(self) -> None:
        """Drops the connection at once, without a closing handshake, and makes no further attempt.

        Raises nothing. Does not block. Any thread and any handler may call it.
        """
        self._driver.stop(1000, "", is_abort=True)

    def wait_closed(self, timeout: float | None = None) -> None:
        """Waits until the socket has ended: after close(), or when no further attempt follows.

        timeout: seconds. The default is None, no limit.
        Raises WebSocketTimeout after timeout, ConnectionClosed if sent or kept messages did not reach the
        server, and StateError in on_connected, on_disconnected and on_closed, which would wait for themselves.
        Blocks. Any other thread may call it.
        """
        deadline = Deadline(checked_timeout(timeout, None))
        driver = self._driver
        driver.refuse_own_thread("wait_closed")
        with driver.lock:
            while not driver.has_finished:
                if driver.state == "new":
                    return
                driver.wait(deadline, "the end of the socket")
            if driver.loss is not None:
                raise driver.loss.with_traceback(None)

    def run_forever(self) -> None:
        """Waits until the socket has ended and on_closed has returned, whatever was lost.

        Raises StateError in a handler of this socket. Blocks; Ctrl-C ends it. Any other thread may call it.
        """
        driver = self._driver
        driver.refuse_own_thread("run_forever")
        with driver.lock:
            while not driver.has_finished and driver.state != "new":
                driver.wait(Deadline(None), "the end of the socket")

    def __enter__(self) -> Self:
        try:
            self.connect()
        except BaseException:  # such as Ctrl-C
            self.close()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        """Closes the socket and waits for its end. The code is 1011 if an exception leaves the block."""
        self.close(1000 if exc_type is None or issubclass(exc_type, GeneratorExit) else _GONE)
        try:
            self.wait_closed()
        except ConnectionClosed as error:
            if exc_value is None:
                raise
            exc_value.add_note(str(error))

    def __del__(self) -> None:
        driver: Driver | None = getattr(self, "_driver", None)
        # If the end of the process or a fork has ended the driver, the modules may be empty already.
        if driver is not None and driver.thread is not None and not (driver.must_stop or driver.has_finished):
            driver.stop(1005, "")

    # ---- receiving

    def recv(
        self, timeout: float | Default | None = DEFAULT, copy: bool = True, *, decode: bool | None = None
    ) -> Any:
        """Returns the next message: str for text, bytes for binary. It waits while there is no connection.

        timeout: seconds. None = no limit; the default is the option receive_timeout.
        copy, decode: as for MessageWebSocket.recv().
        Raises WebSocketTimeout, and the error after which no further attempt follows. Raises StateError before
        connect(), or if on_message_received is set. Blocks until a message has arrived. Any thread may call it.
        """
        return self._receive(timeout, lambda ws, left: ws.recv(left, copy, decode=decode))  # type: ignore[call-overload]

    def recv_json(
        self, timeout: float | Default | None = DEFAULT, *, loads: Callable[[Any], Any] | None = None
    ) -> Any:
        """Returns the value of the next message, which is JSON.

        timeout: as for recv(). loads: as for MessageWebSocket.recv_json().
        Raises MessageError if loads raises an exception; otherwise as recv() does. Blocks as recv() does.
        """
        return self._receive(timeout, lambda ws, left: ws.recv_json(left, loads=loads))

    def recv_into(self, buffer: "WriteableBuffer", timeout: float | Default | None = DEFAULT) -> int:
        """Receives the next message into a buffer and returns its size in bytes, an int.

        buffer: as for MessageWebSocket.recv_into(). timeout: as for recv().
        Raises as recv() does, and ArgumentError if the message does not fit. Blocks as recv() does.
        """
        return self._receive(timeout, lambda ws, left: ws.recv_into(buffer, left))

    def _receive(
        self, timeout: float | Default | None, receive: Callable[[MessageWebSocket, float | None], _Value]
    ) -> _Value:
        seconds = checked_timeout(timeout, self._control.receive_timeout)
        return self._driver.receive(receive, Deadline(seconds))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str | bytes:
        try:
            message: str | bytes = self.recv(timeout=None)
        except ConnectionClosed:
            if self._driver.must_stop or self._driver.ended_normally:
                raise StopIteration from None
            raise
        return message

    # ---- sending

    def send(
        self,
        data: "str | ReadableBuffer",
        timeout: float | Default | None = DEFAULT,
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> None:
        """Sends one message. Without a connection, the message is kept or dropped, as unsent says.

        data: a str is sent as text, a bytes-like object as binary.
        text, compress: as for MessageWebSocket.send().
        timeout: seconds without progress, or to wait for room among the kept messages. None = no limit; the
        default is the option send_timeout.
        When it returns, the kernel has the message, or this object has kept or dropped it. After a loss,
        nothing tells which of the last messages have reached the server. No message is sent twice.
        Raises WebSocketTimeout, ArgumentError, StateError before connect(), and the error after which no
        further attempt follows. Blocks until the kernel has taken the message. Any thread and any handler
        may call it.
        """
        deadline = Deadline(checked_timeout(timeout, self._control.send_timeout))
        self._driver.send(data, deadline, timeout, text, compress)

    def send_json(
        self,
        value: Any,
        timeout: float | Default | None = DEFAULT,
        *,
        dumps: "Callable[[Any], str | ReadableBuffer] | None" = None,
        compress: bool | None = None,
    ) -> None:
        """Sends a value as JSON, in one text message.

        value, dumps: as for MessageWebSocket.send_json(). timeout, compress: as for send().
        Raises every exception of dumps, before anything is sent. Raises and blocks as send() does.
        """
        self.send((dumps or json_messages.dumps)(value), timeout, text=True, compress=compress)

    def send_many(
        self,
        messages: "Iterable[str | ReadableBuffer]",
        timeout: float | Default | None = DEFAULT,
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> int:
        """Sends each message of an iterable, as send() does, and returns their number, an int.

        Raises as send() does. The attribute sent_count of the exception is the number of messages that were
        sent, kept or dropped. Blocks as send() does.
        """
        count = 0
        try:
            for message in messages:
                self.send(message, timeout, text=text, compress=compress)
                count += 1
        except Exception as error:
            error.sent_count = count  # type: ignore[attr-defined]
            raise
        return count

    def ping(self, timeout: float | Default | None = DEFAULT) -> float:
        """Sends a ping, waits for its pong, and returns the round-trip time in seconds.

        timeout: as for MessageWebSocket.ping().
        Raises StateError if there is no connection now, WebSocketTimeout, ConnectionClosed. Blocks.
        """
        ws = self.socket
        if ws is None:
            raise StateError(
                f"there is no connection to ping, because the socket is {self.state}: ping while it is open"
            )
        return ws.ping(timeout)

    # ---- facts

    @property
    def socket(self) -> MessageWebSocket | None:
        """The MessageWebSocket of the connection that is open now, or None. For its information, for example.

        Do not receive on it and do not close it. Any thread may use it.
        """
        driver = self._driver
        with driver.lock:
            is_greeting = driver.greeter is not None
            return (
                None if driver.link is None or not (is_greeting or driver.state == "open") else driver.link.ws
            )

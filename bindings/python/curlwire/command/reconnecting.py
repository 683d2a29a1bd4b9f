# SPDX-License-Identifier: MIT
"""The option --reconnect: what a session uses in place of a socket, over curlwire.ReconnectingWebSocket.

The engine connects, knows what is retried, and receives. This module sends, on the socket that is open. So the
messages of --data come first on each connection, and a batch needs no copy. While there is no connection, the
sender waits with its batch, and stdin is not read.
"""

import _thread
import itertools
import math
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from curlwire._core import MessageWebSocket
from curlwire.command.connecting import as_failure, explain, settings
from curlwire.command.output import Message
from curlwire.command.parser import Given, usage
from curlwire.command.report import counts
from curlwire.errors import ConnectionClosed, WebSocketError
from curlwire.reconnect_policy import KEPT_SOCKETS, ReconnectPolicy, is_retried
from curlwire.reconnecting import ReconnectingWebSocket

if TYPE_CHECKING:
    from curlwire.command.input import Input

_WAIT_S = 3600.0  # of one wait, because a lock refuses very long ones


def _policy(given: Given, should_retry: Callable[[Exception], object]) -> ReconnectPolicy:
    tries, delay_s, limit_s = (given.get(f"retry{name}") for name in ("", "-delay", "-max-time"))
    return ReconnectPolicy(
        max_attempts=tries + 1 if tries else None,
        max_elapsed=None if not limit_s or limit_s == math.inf else limit_s,
        delays=itertools.repeat(delay_s) if delay_s else None,
        should_retry=should_retry,
    )


class Reconnecting:
    """A connection that is made again. It has the calls of a MessageWebSocket that a session needs.

    The attributes tell, note, prepare and on_ready are functions. tell shows a text for people, and note a line
    of -v. prepare gets each new socket before it connects. on_ready is called when a new connection is open and
    has the messages of --data. Any thread may call any method.
    """

    def __init__(self, given: Given, source: "Input") -> None:
        if given.get("jsonrpc"):
            raise usage("--reconnect cannot be used with --jsonrpc: a lost request gets no reply")
        self.controls: dict[str, Any]
        self.headers: list[tuple[str, str]]
        self.controls, self.headers = settings(given)
        self.policy: ReconnectPolicy = _policy(given, self._should_retry)
        self.first: list[Message]
        self.is_text: bool
        self.first, self.is_text = source.take_first()
        self.tell: Callable[[str], object] = lambda _: None
        self.note: Callable[[str], object] = lambda _: None
        self.prepare: Callable[[MessageWebSocket], object] = lambda _: None
        self.on_ready: Callable[[], object] = lambda: None
        self.lock: threading.Condition = threading.Condition()
        self.engine: ReconnectingWebSocket = self._make("", None)  # checks the options
        self.was_open: bool = False
        self.has_ended: bool = False
        self.open: MessageWebSocket | None = None
        self.ready: MessageWebSocket | None = None  # open, and the messages of --data are sent
        self.ready_at: float = 0.0
        self.last: MessageWebSocket = MessageWebSocket()  # the newest, for facts
        self.earlier: list[int] = [0, 0, 0, 0]  # counts() of the sockets before it
        self.unsent: int = 0  # messages of stdin that wait for a connection

    def _make(self, uri: str, timeout: float | None) -> ReconnectingWebSocket:
        try:
            engine = ReconnectingWebSocket(
                uri, headers=self.headers, policy=self.policy, timeout=timeout, **self.controls
            )
        except WebSocketError as error:
            raise as_failure(error) from None
        engine.on_connected = self._on_connected
        engine.on_disconnected = self._on_disconnected
        engine.on_closed = self._on_closed
        engine._driver.prepare = self._prepare
        return engine

    # ---- the thread of the engine

    def _should_retry(self, error: Exception) -> bool | None:
        if not self.was_open:
            return False  # --retry decides about the first connect
        if is_retried(error):
            self.tell(f"connecting again after: {explain(error)}")
        return None

    def _prepare(self, ws: MessageWebSocket) -> None:
        """Waits while messages of several connections are not written, because the engine drops the oldest."""
        driver = self.engine._driver
        if len(driver.sockets) >= KEPT_SOCKETS:
            self.note(f"no further connection while the messages of {KEPT_SOCKETS} connections wait for stdout")
        with driver.lock:
            while len(driver.sockets) >= KEPT_SOCKETS and not driver.must_stop:
                driver.lock.wait(_WAIT_S)
        self.earlier = [sum(pair) for pair in zip(self.earlier, counts(self.last), strict=True)]
        self.last = ws
        self.prepare(ws)

    def _on_connected(self, engine: ReconnectingWebSocket, attempt: int) -> None:
        if self.was_open:
            self.tell(f"connected again by attempt {attempt}")
        ws = engine.socket
        assert ws is not None
        with self.lock:
            self.was_open = True
            self.open = ws
        _thread.start_new_thread(self._greet, (ws,))

    def _on_disconnected(self, _: object, __: object) -> None:
        self._lose(self.last)

    def _on_closed(self, _: object, __: object) -> None:
        with self.lock:
            self.has_ended = self.was_open
            self.open = self.ready = None
            self.lock.notify_all()

    # ---- sending

    def _greet(self, ws: MessageWebSocket) -> None:
        """Sends the messages of --data on a new connection, then lets the sender use it."""
        with suppress(WebSocketError):  # the engine tells how the connection has ended
            if self.first:
                ws.send_many(self.first, text=self.is_text)
            with self.lock:
                if self.open is not ws:
                    return
                self.ready = ws
                self.ready_at = time.monotonic()
                self.lock.notify_all()
            self.on_ready()

    def _lose(self, ws: MessageWebSocket) -> None:
        with self.lock:
            if self.open is ws:
                self.open = self.ready = None

    def _ready(self) -> MessageWebSocket:
        if self.ready is None and not self.has_ended:
            self.note(f"messages of stdin that wait for a connection: {self.unsent}")
        with self.lock:
            while self.ready is None:
                if self.has_ended:
                    raise ConnectionClosed("the connection has ended")
                self.lock.wait()
            return self.ready

    def send_many(self, messages: Sequence[str | bytes], *, text: bool | None = None) -> None:
        """Sends messages, each at most once. Blocks while there is no connection. Raises as recv() does."""
        left = messages
        while left:
            self.unsent = len(left)
            ws = self._ready()
            try:
                ws.send_many(left, text=text)
                left = []
            except ConnectionClosed as error:
                left = left[getattr(error, "sent_count", 0) :]
                self._lose(ws)
        self.unsent = 0

    # ---- the calls of a session

    def connect(self, uri: str, timeout: float | None = None) -> None:
        """Makes the first connection by one attempt. Raises as a socket does."""
        self.engine = self._make(uri, timeout)
        self.engine.connect()

    def recv(self, timeout: float | None, *, decode: bool | None = None) -> Any:
        """Returns the next message of any connection. Raises as a socket does, when no attempt follows."""
        return self.engine.recv(timeout, decode=decode)

    def close(self, code: int, reason: str) -> None:
        """Closes the connection, and makes no further one."""
        self.engine.close(code, reason)

    def wait_closed(self, timeout: float | None = None) -> None:
        """Waits for the end, as a socket does."""
        self.engine.wait_closed(timeout)

    def abort(self) -> None:
        """Drops the connection, and makes no further one."""
        self.engine.abort()

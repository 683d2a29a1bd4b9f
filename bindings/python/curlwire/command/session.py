# SPDX-License-Identifier: MIT
"""Carries messages between stdin, the socket and stdout until one of the ends that the options name.

One thread sends, one receives and writes. The main thread waits for what they report, for signals and for the
times of the options. When stdout blocks, the receiving thread waits, so the socket is read no further and TCP
makes the server wait.
"""

import _thread
import os
import select
import signal
import stat
import time
from _queue import Empty, SimpleQueue
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from curlwire._core import MessageWebSocket
from curlwire.command import codes
from curlwire.command.codes import Failure
from curlwire.command.connecting import explain
from curlwire.command.input import Input
from curlwire.command.output import Message, Output
from curlwire.command.parser import Given, usage
from curlwire.errors import ConnectionClosed, WebSocketError, WebSocketTimeout

if TYPE_CHECKING:
    import re

    from curlwire.command.jsonrpc import JsonRpc
    from curlwire.command.reconnecting import Reconnecting

    _Socket: TypeAlias = MessageWebSocket | Reconnecting

_BATCH_BYTES = 1 << 16
_NEVER = float("inf")
_LINGER_S = 2.0
_CLOSE_S = 1.0  # for the close frames after a failure, also when --max-time is over
_POLITE_S = 10.0  # the same after a signal; another one ends it at once
_LONGEST_CLOSE_S = 3600.0
_WRITE_S = 1.0  # after a failure, for the messages that have come
_SIGNAL = 128
_LOOK_S = 0.02  # between two looks at a receiver that is late
_LONGEST_WAIT_S = 1e6  # SimpleQueue takes no inf


class _Matcher:
    """Looks for --until and --expect in the messages."""

    def __init__(self, given: Given) -> None:
        self.until: re.Pattern[str] | None = self._compile(given, "until")
        self.expect: re.Pattern[str] | None = self._compile(given, "expect")
        self.has_until: bool = False
        self.has_expect: bool = False

    @staticmethod
    def _compile(given: Given, option: str) -> "re.Pattern[str] | None":
        if option not in given:
            return None
        import re

        try:
            return re.compile(given[option])
        except re.error as error:
            raise usage(f"--{option} is not a regular expression: {error}") from None

    def is_end(self, message: Message) -> bool:
        text = message if isinstance(message, str) else message.decode("utf-8", "replace")
        if self.expect and not self.has_expect and self.expect.search(text):
            self.has_expect = True
        if self.until and self.until.search(text):
            self.has_until = True
            return True
        return False

    def check(self) -> None:
        for option, missing in (
            ("until", self.until and not self.has_until),
            ("expect", self.expect and not self.has_expect),
        ):
            if missing:
                raise Failure(codes.EXPECT, f"no message matched --{option}")


class _Receiver:
    """The thread that receives messages and writes them. It reports its end to the queue."""

    def __init__(
        self, given: Given, ws: "_Socket", output: Output, events: "Events", rpc: "JsonRpc | None"
    ) -> None:
        self.ws: _Socket = ws
        self.output: Output = output
        self.events: Events = events
        self.rpc: JsonRpc | None = rpc
        self.count: int | None = given.get("count")
        self.matcher: _Matcher = _Matcher(given)
        self.decode: bool | None = None if output.needs_types else False
        self.received: int = 0
        self.last_at: float = time.monotonic()
        self.is_drained: bool = False  # a receive that does not wait has found nothing
        self.is_idle: bool = False  # it waits, and all that has come is written
        self.must_tell_idle: bool = False

    def run(self) -> None:
        try:
            while self._step():
                pass
            self.events.put(("received", None))
        except (Failure, WebSocketError) as error:
            self.events.put(("received", error))
        except MemoryError:
            self.events.put(
                ("received", Failure(codes.SIZE, "no memory is left for a message. Set --max-size"))
            )
        except Exception as error:  # the main thread shows it
            self.events.put(("received", error))

    def _step(self) -> bool:
        """Waits for a message, and writes it with those that have come too. Returns whether there is more."""
        batch = [self._first()]
        is_last, error = self._gather(batch)
        self.received += len(batch)
        if self.rpc:
            batch = [reply for message in batch for reply in self.rpc.take(message)]
            is_last = is_last or self.rpc.is_answered()
        self.output.write(batch)
        self.last_at = time.monotonic()
        if error is not None:
            raise error
        return not is_last

    def _first(self) -> Message:
        if not self.is_drained:
            try:
                return self.ws.recv(0, decode=self.decode)
            except WebSocketTimeout:
                pass
        self.is_idle = True
        if self.must_tell_idle:
            self.events.put(("idle", None))
        message = self.ws.recv(None, decode=self.decode)
        self.is_idle = self.is_drained = False
        return message

    def _gather(self, batch: list[Message]) -> tuple[bool, WebSocketError | None]:
        recv, decode, matcher = self.ws.recv, self.decode, self.matcher
        room = _NEVER if self.count is None else self.count - self.received
        must_match = matcher.until is not None or matcher.expect is not None
        size = len(batch[0])
        try:
            while True:
                if must_match and matcher.is_end(batch[-1]):
                    return True, None
                if len(batch) >= room:
                    return True, None
                if size >= _BATCH_BYTES:
                    return False, None
                message = recv(0, decode=decode)
                size += len(message) + 1
                batch.append(message)
        except WebSocketTimeout:
            self.is_drained = True
            return False, None
        except WebSocketError as error:  # what came before is written first
            return False, error


Event = tuple[str, BaseException | int | None]
Events = SimpleQueue[Event]


class Session:
    """One connection, or with --reconnect several, from the opening to the end."""

    def __init__(self, given: Given, ws: "_Socket", source: Input, output: Output, end_at: float) -> None:
        self.given: Given = given
        self.ws: _Socket = ws
        self.again: Reconnecting | None = None if isinstance(ws, MessageWebSocket) else ws
        if self.again:
            self.again.on_ready = self.on_ready
        self.source: Input = source
        self.output: Output = output
        self.end_at: float = end_at
        self.events: Events = SimpleQueue()
        self.receiver: _Receiver = _Receiver(given, ws, output, self.events, source.rpc)
        self.stdin_ended_at: float | None = None
        self.sending: int = 0
        self.has_received: bool = False  # the receiving thread has ended
        self.has_closed: bool = False  # the thread of _start_close() has ended
        self.linger_s: float = given.get("linger", _LINGER_S)
        self.timeout_s: float = given.get("timeout", _NEVER)

    def run(self) -> None:
        """Runs the session. Raises Failure, WebSocketError."""
        if self.receiver.count == 0:
            self.has_received = True
            return self._finish()
        _thread.start_new_thread(self.receiver.run, ())
        _thread.start_new_thread(self._send, ())
        self._watch_output()
        try:
            self._wait()
        except BaseException as error:
            self._give_up(error)
            raise
        self._finish()
        self.receiver.matcher.check()
        if self.source.rpc:
            self.source.rpc.check()
        wanted = self.receiver.count
        if wanted is not None and self.receiver.received < wanted:
            got = self.receiver.received
            raise Failure(
                codes.PARTIAL if got else codes.NO_REPLY, f"{got} of {wanted} messages of --count came"
            )

    # -- the threads

    def _note(self, count: int) -> None:
        self.sending = count

    def _send(self) -> None:
        try:
            self.source.send(self.ws, self._note)
            self.events.put(("sent", None))
        except (Failure, WebSocketError) as error:
            self.events.put(("sent", error))
        except MemoryError:
            self.events.put(("sent", Failure(codes.INPUT, "no memory is left for a message to send")))
        except Exception as error:  # the main thread shows it
            self.events.put(("sent", error))

    def _watch_output(self) -> None:
        """Starts a thread that reports when the reader of stdout has gone, also if no message comes."""
        if stat.S_ISFIFO(os.fstat(self.output.fd).st_mode) or stat.S_ISSOCK(os.fstat(self.output.fd).st_mode):
            _thread.start_new_thread(self._poll_output, ())

    def _poll_output(self) -> None:
        poller = select.poll()
        poller.register(self.output.fd, 0)  # POLLERR and POLLHUP only
        poller.poll()
        self.events.put(("unread", None))

    # -- the main thread

    def on_signal(self, number: int) -> None:
        """Ends the session politely. Any thread may call it."""
        self.events.put(("signal", number))

    def on_ready(self) -> None:
        """Lets the time of --linger begin anew, because a connection is ready. Any thread may call it."""
        self.events.put(("ready", None))

    def _finish(self) -> None:
        """Closes the connection, and waits until the messages that were taken are written.

        A signal ends it at once. Raises Failure.
        """
        self._start_close(_LONGEST_CLOSE_S)
        try:
            while not (self.has_closed and self.has_received):
                wait_s = min(self.end_at - time.monotonic(), _LONGEST_WAIT_S)
                try:
                    self._handle_end(*self.events.get(timeout=max(_CLOSE_S, wait_s)))
                except Empty:
                    if self.has_closed:
                        self._check_max_time()
        except Failure as error:
            is_signal = error.code > _SIGNAL
            if not is_signal:
                self._await(lambda: self.has_closed, _CLOSE_S)
            if not self.has_closed:
                self.ws.abort()
            if is_signal:
                self._await(lambda: self.has_received, _WRITE_S)
            raise

    def _handle_end(self, kind: str, value: BaseException | int | None) -> None:
        if kind == "closed":
            self.has_closed = True
            if isinstance(value, WebSocketTimeout):
                self._check_max_time()
                return
            if isinstance(value, ConnectionClosed):
                raise Failure(codes.SENDING, explain(value))
            if isinstance(value, BaseException):
                raise value
        elif kind == "received":
            self.has_received = True
            if isinstance(value, Failure):
                raise value
        elif kind == "signal" or (kind == "unread" and not self.has_received):
            self._handle(kind, value)

    def _give_up(self, error: BaseException) -> None:
        """Writes what has come, and closes the connection, each with a limit. Another signal ends it."""
        code = error.code if isinstance(error, Failure) else 0
        limit_s = _POLITE_S if code > _SIGNAL else _CLOSE_S
        write_s = 0.0 if code == codes.OUTPUT else _WRITE_S
        receiver = self.receiver
        receiver.must_tell_idle = True
        is_patient = self._await(lambda: self.has_received or receiver.is_idle, write_s)
        if is_patient:
            self._start_close(limit_s)
            is_patient = self._await(lambda: self.has_closed, limit_s + _CLOSE_S)
        if not self.has_closed:
            self.ws.abort()
        if is_patient:
            self._await(lambda: self.has_received, write_s)

    def _await(self, is_done: Callable[[], bool], limit_s: float) -> bool:
        """Waits until something is done, for a limited time. Returns False if a signal came."""
        until = time.monotonic() + limit_s
        while not is_done():
            try:
                kind, _ = self.events.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                break
            self.has_received = self.has_received or kind == "received"
            self.has_closed = self.has_closed or kind == "closed"
            if kind == "signal":
                return False
        return True

    def _next_at(self) -> float:
        """Returns when a time of the options is over."""
        at = min(self.end_at, self.receiver.last_at + self.timeout_s)
        return at if self.receiver.must_tell_idle else min(at, self._linger_end())

    def _linger_end(self) -> float:
        """Returns when --linger is over: never, while stdin has not ended, or there is no connection."""
        began_at = self.stdin_ended_at
        if began_at is None or (self.again and not self.again.ready):
            return _NEVER
        return (max(began_at, self.again.ready_at) if self.again else began_at) + self.linger_s

    def _wait(self) -> None:
        while True:
            wait_s = min(self._next_at() - time.monotonic(), _LONGEST_WAIT_S)
            try:
                kind, value = self.events.get(timeout=max(_LOOK_S, wait_s))
            except Empty:
                if self._is_over():
                    return
                continue
            if self._handle(kind, value):
                return

    def _check_max_time(self) -> None:
        if time.monotonic() >= self.end_at:
            raise Failure(codes.TIMEOUT, f"--max-time is over: {self.given['max-time']:g} s")

    def _is_over(self) -> bool:
        self._check_max_time()
        now = time.monotonic()
        if now >= self.receiver.last_at + self.timeout_s and self.receiver.is_idle:
            raise Failure(codes.TIMEOUT, f"no message came for {self.timeout_s:g} s (--timeout)")
        if now >= self._linger_end():
            self.receiver.must_tell_idle = True  # the time is over, but what has come is still written
            return self.receiver.is_idle
        return False

    def _handle(self, kind: str, value: BaseException | int | None) -> bool:
        if kind == "idle":
            return True
        if kind == "ready":
            return False
        if kind == "signal":
            number = value if isinstance(value, int) else signal.SIGTERM
            raise Failure(128 + number, "")
        if kind == "unread":
            raise Failure(codes.OUTPUT, "stdout was closed by the program that reads it")
        if kind == "sent":
            self.sending = 0
            if isinstance(value, Failure):
                raise value
            if isinstance(value, ConnectionClosed):
                return self._sending_failed(value)
            if isinstance(value, BaseException):
                raise value
            if self.source.rpc:
                return self.source.rpc.is_answered()
            if not self.given.get("no-stdin"):
                self.stdin_ended_at = time.monotonic()
            return False
        self.has_received = True
        if isinstance(value, ConnectionClosed):
            self._received_closed(value)
        elif isinstance(value, BaseException):
            raise value
        return True

    def _sending_failed(self, error: ConnectionClosed) -> bool:
        """The receiver may still have messages to write, and knows how the connection ended."""
        try:
            while True:
                kind, value = self.events.get(
                    timeout=max(0.0, min(self.end_at - time.monotonic(), _LONGEST_WAIT_S))
                )
                if kind == "received":
                    self.has_received = True
                    break
                if kind in ("signal", "unread"):
                    return self._handle(kind, value)
        except Empty:
            return self._is_over()
        if not isinstance(value, ConnectionClosed):
            return self._handle(kind, value)
        if codes.of_error(value) in (0, codes.RECEIVING):
            raise Failure(codes.SENDING, f"{explain(value if self.again else error)} (while sending)")
        self._received_closed(value)
        return True

    def _has_more(self) -> bool:
        """Whether a message is being sent, or stdin has more."""
        if self.sending or self.stdin_ended_at is not None or not self.source.reads_stdin:
            return bool(self.sending)
        poller = select.poll()
        poller.register(0, select.POLLIN)
        return any(found & select.POLLIN for _, found in poller.poll(0))

    def _received_closed(self, error: ConnectionClosed) -> None:
        code = codes.of_error(error)
        if code == codes.RECEIVING and self._has_more():
            raise Failure(codes.SENDING, f"{explain(error)} (while sending)")
        if code == codes.CLOSED and error.reason:
            raise Failure(code, f"the server closed the connection with code {error.code}: {error.reason}")
        if code:
            raise Failure(code, explain(error))

    def _start_close(self, limit_s: float) -> None:
        """Lets a thread close the connection, so that this one goes on waiting for signals."""
        left_s = max(_CLOSE_S, min(self.end_at - time.monotonic(), limit_s))
        _thread.start_new_thread(self._close, (left_s,))

    def _close(self, limit_s: float) -> None:
        ws = self.ws
        code, _, reason = str(self.given.get("close", "1000")).partition(":")
        try:
            ws.close(int(code), reason)
            ws.wait_closed(limit_s)
            self.events.put(("closed", None))
        except WebSocketTimeout as error:
            ws.abort()
            self.events.put(("closed", error))
        except Exception as error:  # the main thread shows it
            self.events.put(("closed", error))


def check_close(given: Given) -> None:
    """Checks the value of --close before anything is sent. Raises Failure."""
    if "close" not in given:
        return
    code, _, reason = given["close"].partition(":")
    allowed = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}
    is_text = reason.isprintable() or not any("\ud800" <= letter <= "\udfff" for letter in reason)
    if not code.isdecimal() or int(code) not in allowed or not is_text or len(reason.encode()) > 123:
        raise usage(
            "--close needs a code that may be sent (1000-1003, 1007-1014, 3000-4999), "
            "and at most 123 bytes of reason in UTF-8"
        )

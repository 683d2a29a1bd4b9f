# SPDX-License-Identifier: MIT
"""Runs the command: reads the options, connects, carries the messages, and reports the end."""

import _thread
import os
import signal
import time
from _queue import Empty, SimpleQueue
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from curlwire._core import MessageWebSocket
from curlwire.command import codes, connecting, session
from curlwire.command.codes import Failure
from curlwire.command.input import Input
from curlwire.command.options import VERBS
from curlwire.command.output import Output, say, secure_descriptors, write_text, write_trace
from curlwire.command.parser import Given, parse
from curlwire.errors import ArgumentError, WebSocketError

if TYPE_CHECKING:
    from curlwire.command.interactive import Terminal
    from curlwire.command.reconnecting import Reconnecting
    from curlwire.command.report import WriteOut

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TRACE_S = 1.0  # for the last line of a trace
_NEVER = float("inf")
_SIGNALLED = 128  # exit codes above it stand for signals


class _CanAbort(Protocol):
    def abort(self) -> None: ...


class _Interrupted(BaseException):
    """A signal has come while the command connects."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class _Signals:
    """Ctrl-C and SIGTERM: they end a connect at once, and a session politely. The second one ends the process.

    A signal that comes just before the main thread waits does not wake it. So Python also writes the number of
    each signal to a pipe, which a thread reads.
    """

    def __init__(self) -> None:
        self.session: session.Session | None = None
        self.ws: _CanAbort | None = None
        self.pending: int = 0
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def watch(self, ws: _CanAbort) -> None:
        """Starts the thread. ws: the socket that is about to connect."""
        self.ws = ws
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        _thread.start_new_thread(self._read, (reading,))

    def opened(self, one: session.Session) -> None:
        """Says that the connection is open. Raises _Interrupted if a signal has come before."""
        self.session = one
        if self.pending:
            raise _Interrupted(self.pending)

    def ended(self, code: int) -> None:
        """Says that the connection has ended. From now on, a signal ends the command at once.

        code: the exit code so far. Raises _Interrupted if a signal has come that it does not tell.
        """
        self.session = self.ws = None
        if self.pending and code < _SIGNALLED:
            raise _Interrupted(self.pending)

    def _read(self, reading: int) -> None:
        while True:
            for number in os.read(reading, 16):
                if number not in _SIGNALS:
                    continue
                self.pending = number
                one, ws = self.session, self.ws
                if one is not None:
                    one.on_signal(number)
                elif ws is not None:
                    ws.abort()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        self.pending = number
        if self.session is None:
            raise _Interrupted(number)


class _Trace:
    """Shows the traces of sockets. The dispatcher thread brings the lines, so the end waits for the last."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.show: Callable[[str], None] = show
        self.ws: MessageWebSocket | None = None  # the newest
        self.ended: int = 0  # of the sockets before it
        self.ends: SimpleQueue[None] = SimpleQueue()

    def attach(self, ws: MessageWebSocket) -> None:
        """Shows the trace of a socket that is about to connect. The socket before it must have ended."""
        self.ended = self._count()
        self.ws = ws
        ws.on_trace = self._on_line

    def _count(self) -> int:
        """Returns how many connects and connections have ended."""
        if self.ws is None:
            return 0
        numbers = self.ws.information.statistics
        return self.ended + numbers.failed_connects + numbers.ended_connections

    def _on_line(self, _: object, line: str) -> None:
        self.show(line)
        if "curlwire: the connect has failed" in line or "curlwire: the connection has ended" in line:
            self.ends.put(None)

    def wait(self) -> None:
        """Waits until the last line is shown."""
        with suppress(Empty):
            for _ in range(self._count()):
                self.ends.get(timeout=_TRACE_S)


def _trace(given: Given, terminal: "Terminal | None") -> _Trace | None:
    where = given.get("trace")
    if given.get("verbose") or where in ("-", "%"):
        fd = 1 if where == "-" else 2
        return _Trace(lambda line: write_trace(line, fd))
    return _Trace(terminal.on_trace) if terminal else None


def _set_trace_file(given: Given, ws: MessageWebSocket) -> None:
    where = given.get("trace")
    if where is None or where in ("-", "%"):
        return
    try:
        ws.control.trace_file = where
    except WebSocketError as error:
        raise Failure(codes.OUTPUT, connecting.explain(error)) from None


def _helped(given: Given, rest: list[str]) -> bool:
    if given.get("version"):
        from curlwire.command.helping import versions

        write_text(f"{versions()}\n")
        return True
    if given.get("help"):
        from curlwire.command.helping import help_text

        write_text(help_text(rest[:1] == ["all"]))
        return True
    return False


def run(words: list[str]) -> int:
    """Runs the command and returns its exit code. Raises Failure if the options are wrong."""
    if words[:1] and words[0] in VERBS:
        from curlwire.command.verbs import run_verb

        return run_verb(words[0], words[1:])
    signals = _Signals()
    given: Given = {}
    try:
        secure_descriptors()
        given, rest = parse(words)
        if _helped(given, rest):
            return 0
        return _connect_and_run(given, rest, signals)
    except _Interrupted as error:
        return 128 + error.number
    except Failure as error:
        say(given, error.code, str(error))
        return error.code


def _write_out(given: Given) -> "WriteOut | None":
    if "write-out" not in given:
        return None
    from curlwire.command.report import WriteOut

    return WriteOut(given)


def _terminal(given: Given, signals: _Signals) -> "Terminal | None":
    """Returns the line editor, if there is a terminal, and the extra curlwire[cli] is installed."""
    if not (os.isatty(0) and os.isatty(1)):
        return None
    from curlwire.command.interactive import Terminal, is_wanted

    if not is_wanted(given):
        return None
    try:
        return Terminal(given, lambda: signals.session.on_signal(signal.SIGINT) if signals.session else None)
    except ImportError:
        return None


def _prepare(given: Given, ws: MessageWebSocket, trace: _Trace | None) -> None:
    """Lets a socket that is about to connect be traced."""
    _set_trace_file(given, ws)
    if trace:
        trace.attach(ws)


def _make(given: Given, source: Input) -> "MessageWebSocket | Reconnecting":
    if given.get("reconnect"):
        from curlwire.command.reconnecting import Reconnecting

        return Reconnecting(given, source)
    ws = connecting.make(given)
    assert isinstance(ws, MessageWebSocket)
    return ws


def _watch(
    given: Given, ws: "MessageWebSocket | Reconnecting", terminal: "Terminal | None", trace: _Trace | None
) -> None:
    """Lets the traces and the texts of a connection be shown."""
    if isinstance(ws, MessageWebSocket):
        _prepare(given, ws, trace)
        return
    ws.prepare = lambda one: _prepare(given, one, trace)
    ws.tell = terminal.tell if terminal else lambda text: connecting.warn(given, text)
    if given.get("verbose"):
        ws.note = lambda text: write_trace(f"curlwire: {text}")


def _connect_and_run(given: Given, rest: list[str], signals: _Signals) -> int:
    uri = connecting.check_uri(rest)
    session.check_close(given)
    write_out = _write_out(given)
    source = Input(given)
    ws = _make(given, source)
    began_at = time.monotonic()
    output = Output(given)
    terminal = _terminal(given, signals)
    if terminal:
        source.lines, output = terminal.lines, terminal.output
    trace = _trace(given, terminal)
    _watch(given, ws, terminal, trace)
    end_at = began_at + given.get("max-time", _NEVER)
    one = session.Session(given, ws, source, output, end_at)
    code = 0
    error: Failure | WebSocketError | None = None
    try:
        signals.watch(ws)
        connecting.connect(given, ws, uri, end_at)
        signals.opened(one)
        output.begin()
        one.receiver.last_at = time.monotonic()
        if terminal:
            terminal.opened(ws if isinstance(ws, MessageWebSocket) else ws.last)
        one.run()
    except Failure as caught:
        code, error = caught.code, caught
    except WebSocketError as caught:
        is_uri = isinstance(caught, ArgumentError)
        code, error = (codes.URI if is_uri else codes.of_error(caught)), caught
    finally:
        if trace:
            trace.wait()
        if terminal:
            terminal.close()
    signals.ended(code)
    if code and not isinstance(ws, MessageWebSocket) and ws.unsent:
        connecting.warn(given, f"messages that were read from stdin and not sent: {ws.unsent}")
    say(given, code, connecting.explain(error) if error else "")
    if write_out:
        write_out.write(ws, code, error, time.monotonic() - began_at)
    return code

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
from typing import TYPE_CHECKING

from curlwire._core import MessageWebSocket
from curlwire.command import codes, connecting, session
from curlwire.command.codes import Failure
from curlwire.command.input import Input
from curlwire.command.options import VERBS
from curlwire.command.output import Output, say, shown, write_text
from curlwire.command.parser import Given, parse
from curlwire.errors import ArgumentError, WebSocketError

if TYPE_CHECKING:
    from curlwire.command.interactive import Terminal
    from curlwire.command.report import WriteOut

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TRACE_S = 1.0  # for the last line of a trace
_NEVER = float("inf")


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
        self.ws: MessageWebSocket | None = None
        self.pending: int = 0
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def watch(self, ws: MessageWebSocket) -> None:
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

    def _read(self, reading: int) -> None:
        while True:
            for number in os.read(reading, 16):
                if number not in _SIGNALS:
                    continue
                self.pending = number
                if self.session is not None:
                    self.session.on_signal(number)
                elif self.ws is not None:
                    self.ws.abort()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        if self.session is None:
            raise _Interrupted(number)


def _secure_descriptors() -> None:
    """Opens closed descriptors of stdin and stderr, so that no connection gets their numbers."""
    for fd, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            if fd == 1:
                raise Failure(codes.OUTPUT, "stdout is closed. Redirect it, as with > /dev/null") from None
            os.open(os.devnull, flags)  # it takes the lowest number, which is this one


class _Trace:
    """Shows the lines of a socket's trace. The dispatcher thread brings them, so the end waits for the last."""

    def __init__(self, ws: MessageWebSocket, show: Callable[[str], None]) -> None:
        self.ws, self.show = ws, show
        self.ends: SimpleQueue[None] = SimpleQueue()
        ws.on_trace = self._on_line

    def _on_line(self, _: object, line: str) -> None:
        self.show(line)
        if "curlwire: the connect has failed" in line or "curlwire: the connection has ended" in line:
            self.ends.put(None)

    def wait(self) -> None:
        """Waits until the last line is shown."""
        numbers = self.ws.information.statistics
        with suppress(Empty):
            for _ in range(numbers.failed_connects + numbers.ended_connections):
                self.ends.get(timeout=_TRACE_S)


def _trace(ws: MessageWebSocket, given: Given, terminal: "Terminal | None") -> _Trace | None:
    where = given.get("trace")
    if where is not None and where not in ("-", "%"):
        try:
            ws.control.trace_file = where
        except WebSocketError as error:
            raise Failure(codes.OUTPUT, connecting.explain(error)) from None
    if given.get("verbose") or where in ("-", "%"):
        fd = 1 if where == "-" else 2
        return _Trace(ws, lambda line: _write_trace(fd, line))
    return _Trace(ws, terminal.on_trace) if terminal else None


def _write_trace(fd: int, line: str) -> None:
    with suppress(OSError):
        os.write(fd, f"* {shown(line)}\n".encode("utf-8", "backslashreplace"))


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
        _secure_descriptors()
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


def _connect_and_run(given: Given, rest: list[str], signals: _Signals) -> int:
    uri = connecting.check_uri(rest)
    session.check_close(given)
    write_out = _write_out(given)
    source = Input(given)
    ws = connecting.make(given)
    assert isinstance(ws, MessageWebSocket)
    began_at = time.monotonic()
    output = Output(given)
    terminal = _terminal(given, signals)
    if terminal:
        source.lines, output = terminal.lines, terminal.output
    trace = _trace(ws, given, terminal)
    end_at = began_at + given.get("max-time", _NEVER)
    one = session.Session(given, ws, source, output, end_at)
    code = 0
    error: Failure | WebSocketError | None = None
    try:
        signals.watch(ws)
        connecting.connect(given, ws, uri, end_at)
        signals.opened(one)
        one.receiver.last_at = time.monotonic()
        if terminal:
            terminal.opened(ws)
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
    say(given, code, connecting.explain(error) if error else "")
    if write_out:
        write_out.write(ws, code, error, time.monotonic() - began_at)
    return code

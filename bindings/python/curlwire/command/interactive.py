# SPDX-License-Identifier: MIT
"""The command on a terminal: a line editor, and the messages above it. It needs the extra curlwire[cli]."""

import _thread
import json
import os
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from curlwire._core import WebSocket
from curlwire.command.output import Message, Output, shown
from curlwire.command.parser import Given

_GREEN, _DIM, _END = "\x1b[32m", "\x1b[2m", "\x1b[0m"
_END_S = 2.0  # for the line editor to give the terminal back
_LOOK_S = 0.02  # between two tries to end it
_HEX_BYTES = 256  # of a binary message


def is_wanted(given: Given) -> bool:
    """Whether stdin and stdout are terminals, and no option asks for a form for programs."""
    for_programs = ("no-stdin", "output-format", "input-format", "print", "output", "jsonrpc")
    return os.isatty(0) and os.isatty(1) and not any(given.get(name) for name in for_programs)


def pretty(message: Message) -> str:
    """Returns a message for people: JSON with indents, binary data as hexadecimal."""
    if isinstance(message, bytes):
        more = f" … ({len(message)} bytes)" if len(message) > _HEX_BYTES else ""
        return f"0x{message[:_HEX_BYTES].hex(' ')}{more}"
    if message[:1] in ("{", "["):
        with suppress(ValueError):
            message = json.dumps(json.loads(message), indent=2, ensure_ascii=False)
    return shown(message)


class TerminalOutput(Output):
    """Writes messages above the line editor."""

    def __init__(self, given: Given, is_coloured: bool) -> None:
        super().__init__(given)
        self.needs_types = True
        self.is_coloured: bool = is_coloured

    def write(self, messages: list[Message]) -> None:
        """Writes messages, each with "<" in front."""
        for message in messages:
            self.say(_GREEN, f"< {pretty(message)}")

    def say(self, colour: str, text: str) -> None:
        """Writes a line in a colour."""
        sys.stdout.write(f"{colour}{text}{_END}\n" if self.is_coloured else f"{text}\n")
        sys.stdout.flush()


class Terminal:
    """The line editor. lines() runs in the sending thread; any thread may call the other methods.

    on_interrupt: called when the user presses Ctrl-C.
    """

    def __init__(self, given: Given, on_interrupt: Callable[[], object]) -> None:
        import prompt_toolkit

        self.on_interrupt: Callable[[], object] = on_interrupt
        self.saved: list[Any] = termios.tcgetattr(0)
        self.prompt: Any = prompt_toolkit.PromptSession()
        self.output: TerminalOutput = TerminalOutput(given, "NO_COLOR" not in os.environ)
        self.is_over: bool = False
        self.editing: _thread.LockType = _thread.allocate_lock()  # held while the line editor has the terminal

    def opened(self, ws: WebSocket) -> None:
        """Says that the connection is open."""
        self.output.say(_DIM, f"open: {ws.remote_address}. Ctrl-D ends what is sent, Ctrl-C closes")

    def tell(self, text: str) -> None:
        """Says that the connection was lost, or made again."""
        self.output.say(_DIM, shown(text))

    def lines(self) -> Iterator[list[Message]]:
        """Yields each line that the user enters, until Ctrl-D or Ctrl-C."""
        from prompt_toolkit.patch_stdout import patch_stdout

        with self.editing, patch_stdout(raw=True):
            while not self.is_over:
                try:
                    line = self.prompt.prompt("> ", handle_sigint=False)
                except EOFError:
                    return
                except KeyboardInterrupt:
                    self.on_interrupt()
                    return
                yield [line]

    def on_trace(self, line: str) -> None:
        """Shows pings, pongs and close frames."""
        for kind in ("ping", "pong", "close"):
            before, mark, after = line.partition(f" frame {kind} ")
            if mark:
                self.output.say(_DIM, f"{before[-1:]} {kind} {shown(after)}")

    def close(self) -> None:
        """Ends the line editor, and gives the terminal back as it was."""
        self.is_over = True
        until = time.monotonic() + _END_S
        while not self.editing.acquire(timeout=_LOOK_S) and time.monotonic() < until:
            loop = self.prompt.app.loop
            if loop is not None:
                with suppress(RuntimeError):  # the loop has just ended
                    loop.call_soon_threadsafe(self._end_prompt)
        termios.tcsetattr(0, termios.TCSADRAIN, self.saved)

    def _end_prompt(self) -> None:
        app = self.prompt.app
        if app.is_running and app.future is not None and not app.future.done():
            app.exit(exception=EOFError)

# SPDX-License-Identifier: MIT
"""The verbs: words before the options that make the command do something else than carry messages."""

import signal
import time
from types import FrameType
from typing import NoReturn

from curlwire.command import codes, connecting
from curlwire.command.codes import Failure
from curlwire.command.manual import SHELLS, completion, man_page
from curlwire.command.output import say, secure_descriptors, write_text
from curlwire.command.parser import Given, parse, usage
from curlwire.command.report import WriteOut
from curlwire.errors import ArgumentError, WebSocketError


def _man(given: Given, rest: list[str]) -> int:
    from curlwire import __version__

    write_text(man_page(__version__))
    return 0


def _completion(given: Given, rest: list[str]) -> int:
    if len(rest) != 1 or rest[0] not in SHELLS:
        raise usage(f"completion needs the name of a shell: {', '.join(SHELLS)}")
    write_text(completion(rest[0]))
    return 0


def _code_of(error: Failure | WebSocketError) -> int:
    if isinstance(error, Failure):
        return error.code
    return codes.URI if isinstance(error, ArgumentError) else codes.of_error(error)


def _bench(given: Given, rest: list[str]) -> int:
    from curlwire.command.bench import bench

    try:
        bench(given, rest)
    except (Failure, WebSocketError) as error:
        code = _code_of(error) or codes.RECEIVING
        say(given, code, connecting.explain(error))
        return code
    return 0


def _transfer(given: Given, rest: list[str], is_put: bool) -> int:
    from curlwire.command.transfer import get, put

    if len(rest) != 2:
        raise usage("put needs FILE and URI" if is_put else "get needs URI and FILE")
    path = rest.pop(0 if is_put else 1)
    uri = connecting.check_uri(rest)
    write_out = WriteOut(given)
    ws = connecting.make(given, is_stream=True)
    began_at = time.monotonic()
    code = 0
    error: Failure | WebSocketError | None = None
    try:
        connecting.connect(given, ws, uri, began_at + given.get("max-time", float("inf")))
        (put if is_put else get)(given, ws, path)
    except (Failure, WebSocketError) as caught:
        error = caught
        code = _code_of(caught) or codes.PARTIAL  # the server closed while the file was not whole
    if error:
        ws.abort()
    say(given, code, connecting.explain(error) if error else "")
    write_out.write(ws, code, error, time.monotonic() - began_at)
    return code


def _on_sigterm(number: int, _: FrameType | None) -> NoReturn:
    """Ends as Ctrl-C does, so that a progress bar or a table gives the terminal back."""
    raise SystemExit(128 + number)


def run_verb(verb: str, words: list[str]) -> int:
    """Runs a verb with the words behind it, and returns the exit code."""
    given: Given = {}
    try:
        secure_descriptors()
        given, rest = parse(words)
        if given.get("help"):
            from curlwire.command.helping import help_text

            write_text(help_text(True))
            return 0
        if given.get("reconnect"):
            raise usage(f"--reconnect is for messages, not for the verb {verb}")
        if verb == "man":
            return _man(given, rest)
        if verb == "completion":
            return _completion(given, rest)
        if verb == "doctor":
            from curlwire.command.doctor import examine

            return examine(given, rest)
        if verb == "tap":
            from curlwire.command.tap import tap

            return tap(given, rest)
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN:
            signal.signal(signal.SIGTERM, _on_sigterm)
        if verb == "bench":
            return _bench(given, rest)
        return _transfer(given, rest, verb == "put")
    except Failure as error:
        say(given, error.code, str(error))
        return error.code

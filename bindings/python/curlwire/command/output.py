# SPDX-License-Identifier: MIT
"""Writes messages to stdout, or to the file of --output, in the form of --output-format or --print."""

import errno
import os
import select
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from curlwire.command import codes
from curlwire.command.codes import Failure
from curlwire.command.parser import Given, usage

Message = str | bytes
Render = Callable[[list[Message]], bytes]

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\"}
_KEPT = "\n\t"  # the control characters that a terminal gets
_HEX_BYTES = 64  # of a binary message, on a terminal


def secure_descriptors() -> None:
    """Opens a closed stdin and stderr, so that no connection gets their numbers. Raises Failure."""
    for fd, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            if fd == 1:
                raise Failure(codes.OUTPUT, "stdout is closed. Redirect it, as with > /dev/null") from None
            os.open(os.devnull, flags)  # it takes the lowest number, which is this one


def shown(text: str) -> str:
    """Returns a text with its control characters escaped, so that it cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter in _KEPT
        else letter.encode("unicode_escape", "backslashreplace").decode()
        for letter in text
    )


def line_of(text: str) -> str:
    """Returns a text as one line, so that a text of the server cannot look like several."""
    return shown(text).replace("\n", "\\n")


def say(given: Given, code: int, text: str) -> None:
    """Writes an error to stderr, unless --silent. It never raises."""
    if (given.get("silent") and not given.get("show-error")) or sys.stderr is None or not text:
        return
    with suppress(OSError):
        # one write, also with PYTHONUNBUFFERED, because other threads write lines of a trace
        sys.stderr.write(f"curlwire: ({code}) {line_of(text)}\n")
        sys.stderr.flush()


def _bytes(message: Message) -> bytes:
    return message.encode() if isinstance(message, str) else message


def _with_ends(end: bytes) -> Render:
    def render(messages: list[Message]) -> bytes:
        messages.append(b"")
        return end.join(messages)  # type: ignore[arg-type] # is_bytes: they are bytes

    return render


def _raw(messages: list[Message]) -> bytes:
    return b"".join(messages)  # type: ignore[arg-type] # is_bytes: they are bytes


def _hex(messages: list[Message]) -> bytes:
    return b"".join(_bytes(message).hex().encode() + b"\n" for message in messages)


def as_json(message: Message) -> dict[str, object]:
    """Returns a message as --output-format jsonl writes it."""
    import base64

    now = round(time.time(), 6)
    if isinstance(message, str):
        return {"type": "text", "data": message, "time": now}
    return {"type": "binary", "base64": base64.b64encode(message).decode(), "time": now}


def _jsonl(messages: list[Message]) -> bytes:
    import json

    lines = [json.dumps(as_json(message), ensure_ascii=False) + "\n" for message in messages]
    return "".join(lines).encode("utf-8", "surrogatepass")


def hexadecimal(data: bytes) -> str:
    """Returns the beginning of a binary message in hexadecimal, for people."""
    more = f" … ({len(data)} bytes)" if len(data) > _HEX_BYTES else ""
    return f"0x{data[:_HEX_BYTES].hex()}{more}"


def escaped(text: str) -> bytes:
    """Returns a text for a terminal."""
    return shown(text).encode("utf-8", "backslashreplace")


def _terminal(messages: list[Message]) -> bytes:
    return b"".join(
        escaped(message if isinstance(message, str) else hexadecimal(message)) + b"\n" for message in messages
    )


def unescape(text: str) -> str:
    r"""Returns a format with \n, \t, \r, \0 and \\ replaced by what they stand for."""
    parts = text.split("\\")
    result = [parts[0]]
    i = 1
    while i < len(parts):
        part = parts[i]
        if not part and i + 1 < len(parts):  # two backslashes
            result.append("\\" + parts[i + 1])
            i += 2
            continue
        result.append(_ESCAPES[part[0]] + part[1:] if part[:1] in _ESCAPES and part else "\\" + part)
        i += 1
    return "".join(result)


def split_format(text: str, names: Callable[[str], bool], option: str) -> list[tuple[bool, str]]:
    """Splits a format at each %{name}: (False, text) and (True, name). Raises Failure for an unknown name."""
    parts: list[tuple[bool, str]] = []
    rest = unescape(text)
    while rest:
        before, percent, rest = rest.partition("%")
        parts.append((False, before))
        if not percent:
            break
        if rest.startswith("%"):
            parts.append((False, "%"))
            rest = rest[1:]
            continue
        name, brace, after = rest.partition("}")
        if not brace or "{" not in name:
            parts.append((False, "%"))
            continue
        name = name[1:] if name.startswith("{") else name.replace("{", " ", 1)
        if not names(name):
            raise usage(f"--{option} has no variable {name[:40]!r}")
        parts.append((True, name))
        rest = after
    return parts


class _Printer:
    """Renders each message as --print says."""

    def __init__(self, text: str) -> None:
        self.parts: list[tuple[bool, str]] = split_format(
            text, {"data", "type", "size", "time", "number"}.__contains__, "print"
        )
        self.number: int = 0

    def __call__(self, messages: list[Message]) -> bytes:
        return b"".join(self._one(message) for message in messages)

    def _one(self, message: Message) -> bytes:
        self.number += 1
        data = _bytes(message)
        facts = {
            "data": data,
            "type": b"text" if isinstance(message, str) else b"binary",
            "size": str(len(data)).encode(),
            "time": f"{time.time():.6f}".encode(),
            "number": str(self.number).encode(),
        }
        return b"".join(
            facts[text] if is_name else text.encode(errors="surrogateescape") for is_name, text in self.parts
        )


_RENDER: dict[str, Render] = {
    "lines": _with_ends(b"\n"),
    "null": _with_ends(b"\0"),
    "raw": _raw,
    "hex": _hex,
    "jsonl": _jsonl,
}


class Output:
    """Where messages are written. close() may be called at any time.

    needs_types: whether text must be str; otherwise every message is bytes, which is faster.
    """

    def __init__(self, given: Given) -> None:
        self.path: str = given.get("output", "-")
        self.name: str = "stdout" if self.path == "-" else repr(self.path)
        self.fd: int = 1 if self.path == "-" else self._open()
        self.is_terminal: bool = os.isatty(self.fd)
        style: str = given.get("output-format", "lines")
        self.needs_types: bool = style == "jsonl" or "print" in given
        self.render: Render = _Printer(given["print"]) if "print" in given else _RENDER[style]
        if self.is_terminal and style in ("lines", "null", "raw") and "print" not in given:
            self.render, self.needs_types = _terminal, True

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            reason = error.strerror
        raise Failure(codes.OUTPUT, f"{self.path!r} cannot be written: {reason}. Check the path")

    def begin(self) -> None:
        """Empties the file. So a file keeps what it has when a connect fails, as in curl. Raises Failure."""
        if self.path == "-" or not stat.S_ISREG(os.fstat(self.fd).st_mode):
            return
        try:
            os.ftruncate(self.fd, 0)
        except OSError as error:
            raise _cannot_write(self.name, error) from None

    def write(self, messages: list[Message]) -> None:
        """Writes messages. Blocks until the system has taken them. Raises Failure."""
        data = self.render(messages)
        if self.is_terminal and self.render is not _terminal:
            data = escaped(data.decode("utf-8", "backslashreplace"))
        write_all(self.fd, data, self.name)


def write_trace(line: str, fd: int = 2) -> None:
    """Writes a line of a trace. It never raises."""
    with suppress(OSError):
        os.write(fd, b"* " + escaped(line) + b"\n")


def write_all(fd: int, data: bytes | memoryview, name: str) -> None:
    """Writes all bytes to a descriptor, also to one that does not block. Raises Failure."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            poller = select.poll()
            poller.register(fd, select.POLLOUT)
            poller.poll()
        except OSError as error:
            raise _cannot_write(name, error) from None


def write_text(text: str) -> None:
    """Writes a text to stdout. Raises Failure."""
    write_all(1, text.encode("utf-8", "backslashreplace"), "stdout")


def _cannot_write(name: str, error: OSError) -> Failure:
    if error.errno == errno.EPIPE:
        return Failure(codes.OUTPUT, f"{name} was closed by the program that reads it")
    return Failure(
        codes.OUTPUT, f"{name} cannot be written: {error.strerror}. Free some space, or choose a file"
    )

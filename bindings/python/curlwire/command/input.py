# SPDX-License-Identifier: MIT
"""Reads the messages of --data and of stdin, and sends them."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from curlwire._core import MessageWebSocket
from curlwire.command import codes
from curlwire.command.codes import Failure
from curlwire.command.parser import Given, read_file, read_stdin, usage
from curlwire.errors import ArgumentError

if TYPE_CHECKING:
    from curlwire.command.jsonrpc import JsonRpc
    from curlwire.command.reconnecting import Reconnecting

_LINE_BYTES = 64 << 20  # the default of --max-size
Message = str | bytes


def _read() -> bytes:
    try:
        return read_stdin()
    except OSError as error:
        reason = error.strerror
    raise Failure(codes.INPUT, f"stdin cannot be read: {reason}. Give a file or a pipe, or --no-stdin")


def _pieces(end: bytes, limit_bytes: int) -> Iterator[list[bytes]]:
    """Yields the pieces of stdin that end with `end`, and what is left behind the last end."""
    begun: list[bytes] = []  # of a piece whose end has not come
    size = 0
    while data := _read():
        pieces = data.split(end)
        last = pieces.pop()
        if pieces:
            if begun:
                pieces[0] = b"".join((*begun, pieces[0]))
                begun, size = [], 0
            yield pieces
        if last:
            begun.append(last)
            size += len(last)
            if size > limit_bytes:
                raise Failure(
                    codes.INPUT,
                    f"stdin has a message of more than {limit_bytes} bytes. Raise --max-size, or use "
                    "--input-format raw",
                )
    if begun:
        yield [b"".join(begun)]


def _blocks(_end: bytes, _limit_bytes: int) -> Iterator[list[bytes]]:
    while data := _read():
        yield [data]


def _from_hex(line: bytes) -> bytes:
    try:
        return bytes.fromhex(line.decode("ascii"))
    except ValueError:
        raise Failure(codes.INPUT, "stdin has a line that is not of hexadecimal digits") from None


def _from_json(line: bytes) -> Message:
    import base64
    import json

    try:
        value = json.loads(line)
        if "base64" in value:
            return base64.b64decode(value["base64"], validate=True)
        data = value["data"]
        if isinstance(data, str):
            return data.encode() if value.get("type") == "binary" else data
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise Failure(
        codes.INPUT, 'stdin has a line that is not JSON of the form {"data": "text"} or {"base64": "AAEC"}'
    )


def _not_utf8() -> Failure:
    return Failure(codes.INPUT, "a message to send is not UTF-8. Use --binary")


def _bytes(message: Message) -> bytes:
    return message.encode() if isinstance(message, str) else message


class Input:
    """What is sent: first the messages of --data, then stdin, cut as --input-format says."""

    def __init__(self, given: Given) -> None:
        self.style: str = given.get("input-format", "lines")
        if given.get("text") and given.get("binary"):
            raise usage("--text and --binary exclude each other")
        if given.get("text") and self.style == "raw":
            raise usage("--text needs whole lines: with --input-format raw a character may be cut")
        is_binary = self.style in ("raw", "hex") and not given.get("text")
        self.rpc: JsonRpc | None = self._make_rpc(given)
        # jsonl: the line says it
        self.is_text: bool | None = None if self.style == "jsonl" else not (given.get("binary") or is_binary)
        size = given.get("max-size", _LINE_BYTES)
        self.limit_bytes: int = 1 << 62 if size in (0, float("inf")) else int(size)
        self.first: list[Message] = []
        for text in given.get("data", ()):
            is_file = text.startswith("@")
            self.first.append(
                read_file(text[1:], "--data") if is_file else text.encode(errors="surrogateescape")
            )
        self.lines: Callable[[], Iterator[list[Message]]] | None = None  # in place of stdin
        self.reads_stdin: bool = not given.get("no-stdin") and not any(t == "@-" for t in given.get("data", ()))

    def _make_rpc(self, given: Given) -> "JsonRpc | None":
        if not given.get("jsonrpc"):
            return None
        if self.style != "lines" or given.get("binary"):
            raise usage("--jsonrpc sends lines of text: leave out --input-format and --binary")
        from curlwire.command.jsonrpc import JsonRpc  # json is slow to import

        return JsonRpc(has_version=not given.get("jsonrpc-omit-jsonrpc"))

    def take_first(self) -> tuple[list[Message], bool]:
        """Returns the messages of --data, which send() then leaves out, and whether they are text.

        Raises Failure.
        """
        first, is_text = self.first, self.is_text is not False
        self.first = []
        try:
            for message in first if is_text else ():
                _bytes(message).decode()
        except UnicodeDecodeError:
            raise _not_utf8() from None
        return first, is_text

    def _batches(self) -> Iterator[list[Message]]:
        if self.lines:
            yield from self.lines()
            return
        cut = {"null": b"\0"}.get(self.style, b"\n")
        make: Callable[[bytes], Message] | None = {"hex": _from_hex, "jsonl": _from_json}.get(self.style)
        if self.rpc:
            make = self.rpc.request
        for pieces in (_blocks if self.style == "raw" else _pieces)(cut, self.limit_bytes):
            yield [make(piece) for piece in pieces if piece.strip()] if make else list(pieces)

    def send(self, ws: "MessageWebSocket | Reconnecting", note: Callable[[int], None]) -> None:
        """Sends everything. Blocks until the kernel has taken it. Raises Failure and WebSocketError.

        note: called with the number of messages before each group is sent, and with 0 afterwards.
        """
        is_text = self.is_text
        try:
            if self.first:
                note(len(self.first))
                first = [self.rpc.request(_bytes(one)) for one in self.first] if self.rpc else self.first
                ws.send_many(first, text=True if is_text is None else is_text)
                note(0)
            for batch in self._batches() if self.reads_stdin else ():
                note(len(batch))
                ws.send_many(batch, text=is_text)
                note(0)
            if self.rpc:
                self.rpc.is_complete = True
        except ArgumentError as error:
            if "UTF-8" not in str(error):
                raise
            raise _not_utf8() from None

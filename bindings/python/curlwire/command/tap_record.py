# SPDX-License-Identifier: MIT
"""What the verb tap shows, records and replays: one event for each frame and each step of a connection.

An event is a dict with the keys of a line of --record: time, client, type, and for a frame from. A message has
data or base64, as in --output-format jsonl.
"""

import _thread
import asyncio
import base64
import binascii
import json
import os
import time
from _queue import SimpleQueue
from typing import Any

from curlwire.command import codes
from curlwire.command.codes import Failure
from curlwire.command.output import Output, as_json, escaped, hexadecimal, write_all
from curlwire.command.parser import Given, usage

Event = dict[str, Any]
_Piece = tuple[int, bytes, str]  # the descriptor, the data, the name of the file for an error
CLIENT, SERVER = "client", "server"
TEXT, BINARY, PING, PONG, CLOSE, LOST, OPEN, REFUSED = (
    "text", "binary", "ping", "pong", "close", "lost", "open", "refused"
)  # fmt: skip
_ARROWS = {CLIENT: ">", SERVER: "<"}
_STUCK_S = 1.0
_PRIVATE = 0o600  # the messages may be secret
_FORMATS = ("lines", "hex", "jsonl")


def data_of(event: Event) -> str | bytes:
    """Returns the payload of a message, ping or pong."""
    return base64.b64decode(event["base64"], validate=True) if "base64" in event else str(event["data"])


class _Writer:
    """A thread that writes, so that a reader of stdout that is late does not stop the event loop."""

    def __init__(self) -> None:
        self.jobs: SimpleQueue[tuple[list[_Piece], asyncio.Future[None]]] = SimpleQueue()
        self.began_at: float | None = None  # of the write that has not returned
        _thread.start_new_thread(self._run, ())

    def _run(self) -> None:
        while True:
            pieces, future = self.jobs.get()
            error: Failure | None = None
            self.began_at = time.monotonic()
            try:
                for fd, data, name in pieces:
                    write_all(fd, data, name)
            except Failure as caught:
                error = caught
            self.began_at = None
            try:
                future.get_loop().call_soon_threadsafe(self._done, future, error)
            except RuntimeError:  # the loop has ended
                return

    @staticmethod
    def _done(future: "asyncio.Future[None]", error: Failure | None) -> None:
        if future.done():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(None)

    async def write(self, pieces: list[_Piece]) -> None:
        """Writes, and waits until the system has it. Raises Failure."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.jobs.put((pieces, future))
        await future


class Record:
    """Shows the events on stdout, or in the file of --output, and writes them to the file of --record."""

    def __init__(self, given: Given) -> None:
        self.style: str = given.get("output-format", "lines")
        if self.style not in _FORMATS or "print" in given:
            raise usage(f"tap shows its frames by --output-format {', '.join(_FORMATS)}")
        self.output: Output = Output(given)
        self.output.begin()
        self.path: str | None = given.get("record")
        self.fd: int = -1 if self.path is None else self._open(self.path)
        self.writer: _Writer = _Writer()

    @staticmethod
    def _open(path: str) -> int:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
        except OSError as error:
            raise Failure(
                codes.OUTPUT, f"{path!r} cannot be written: {error.strerror}. Check the path"
            ) from None

    def is_stuck(self) -> bool:
        """Whether the reader of stdout, or the disk, has taken nothing for a second."""
        began_at = self.writer.began_at
        return began_at is not None and time.monotonic() - began_at > _STUCK_S

    async def note(self, client: int, kind: str, sender: str = "", **facts: object) -> None:
        """Shows and records an event. Waits until the system has it. Raises Failure."""
        event: Event = {"time": round(time.time(), 6), "client": client, "type": kind}
        if sender:
            event["from"] = sender
        event |= facts
        await self._write(event, None)

    async def message(self, client: int, sender: str, message: str | bytes, kind: str = "") -> None:
        """Shows and records a message, or with kind a ping or a pong."""
        event: Event = {"client": client, "from": sender, **as_json(message)}
        await self._write(event | {"type": kind or event["type"]}, message)

    async def _write(self, event: Event, message: str | bytes | None) -> None:
        line = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        shown = line if self.style == "jsonl" else self._line(event, message)
        if self.output.is_terminal and self.style == "jsonl":
            shown = escaped(line.decode("utf-8", "replace"))
        pieces = [(self.output.fd, shown, self.output.name)]
        if self.path is not None:
            pieces.append((self.fd, line, repr(self.path)))
        await self.writer.write(pieces)

    def _line(self, event: Event, message: str | bytes | None) -> bytes:
        """Returns an event as a line for people. It has no line breaks of a peer, which could forge lines."""
        words = [str(event["client"]), _ARROWS.get(event.get("from", ""), "="), event["type"]]
        if message is not None:
            words.append(self._payload(message))
        words += [
            str(event[name]) for name in ("status", "code", "path", "subprotocol", "reason") if event.get(name)
        ]
        line = " ".join(words)
        for letter, name in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t")):
            line = line.replace(letter, name)
        return escaped(line + "\n")

    def _payload(self, message: str | bytes) -> str:
        data = message.encode() if isinstance(message, str) else message
        if self.style == "hex":
            return data.hex()
        return message if isinstance(message, str) else hexadecimal(data)


def _check(event: object) -> Event:
    """Checks a line of a record. Raises ValueError, KeyError, TypeError."""
    if not isinstance(event, dict) or not isinstance(event["client"], int):
        raise ValueError
    kind = event["type"]
    if kind in (TEXT, BINARY, PING, PONG):
        data_of(event)
    if kind not in (OPEN, REFUSED) and event["from"] not in _ARROWS:
        raise ValueError
    if kind == REFUSED and not 300 <= event["status"] <= 599:
        raise ValueError
    if kind == CLOSE and not 1000 <= event["code"] <= 4999:
        raise ValueError
    return event


def read_record(path: str) -> list[list[Event]]:
    """Returns the events of each recorded client, in the order of their opening. Raises Failure."""
    number = 0
    clients: dict[int, list[Event]] = {}
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):  # noqa: B007 # the error has the number
                event = _check(json.loads(line))
                if event["type"] in (OPEN, REFUSED):
                    clients[event["client"]] = []
                clients[event["client"]].append(event)
    except OSError as error:
        raise Failure(codes.INPUT, f"{path!r} cannot be read: {error.strerror}. Check the path") from None
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise Failure(codes.INPUT, f"line {number} of {path!r} is not of a record of tap --record") from None
    if not clients:
        raise Failure(codes.INPUT, f"{path!r} has no recorded client. Make it by tap --record")
    return list(clients.values())

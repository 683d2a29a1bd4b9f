# SPDX-License-Identifier: MIT
"""The verbs get and put: a file as a stream of bytes, with its progress, rate and checksum."""

import _thread
import hashlib
import os
import sys
import time
from typing import BinaryIO

from curlwire._core import StreamWebSocket, WebSocket
from curlwire.command import codes
from curlwire.command.codes import Failure
from curlwire.command.output import write_all
from curlwire.command.parser import Given
from curlwire.errors import ConnectionClosed, WebSocketError

_CHUNK_BYTES = 1 << 18
_BAR = 30
_SHOW_S = 0.2


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


class _Progress:
    """Counts bytes, makes their SHA-256, and shows both on a terminal; at the end, on stderr in any case."""

    def __init__(self, given: Given, total: int | None) -> None:
        self.total = total
        self.done = 0
        self.hash = hashlib.sha256()
        self.began_at = time.monotonic()
        self.shown_at = self.began_at
        self.is_quiet = bool(given.get("silent")) or sys.stderr is None
        self.is_live = not self.is_quiet and sys.stderr.isatty()

    def add(self, data: bytes | memoryview) -> None:
        self.hash.update(data)
        self.done += len(data)
        now = time.monotonic()
        if self.is_live and now - self.shown_at >= _SHOW_S:
            self.shown_at = now
            print(f"\r{self._bar()}{self._rate(now)}\x1b[K", end="", file=sys.stderr, flush=True)

    def _rate(self, now: float) -> str:
        return f"{_size(self.done)}, {_size(self.done / max(now - self.began_at, 1e-6))}/s"

    def _bar(self) -> str:
        if not self.total:
            return ""
        part = min(1.0, self.done / self.total)
        full = int(part * _BAR)
        return f"[{'#' * full}{'.' * (_BAR - full)}] {100 * part:3.0f} %  "

    def end(self) -> None:
        if self.is_quiet:
            return
        start = "\r\x1b[K" if self.is_live else ""
        rate = self._rate(time.monotonic())
        print(f"{start}{rate}, sha256 {self.hash.hexdigest()}", file=sys.stderr, flush=True)


def get(given: Given, ws: WebSocket, path: str) -> None:
    """Receives the stream into a file, which gets its name when the stream is whole. "-" is stdout.

    Raises Failure and WebSocketError.
    """
    assert isinstance(ws, StreamWebSocket)
    part = f"{path}.part"
    try:
        fd = 1 if path == "-" else os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise Failure(codes.OUTPUT, f"{part!r} cannot be written: {error.strerror}. Check the path") from None
    progress = _Progress(given, None)
    stream = ws.input_stream
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    while count := stream.readinto(buffer):
        piece = buffer[:count]
        write_all(fd, piece, "stdout" if path == "-" else repr(part))
        progress.add(piece)
    ws.close()
    if path != "-":
        try:
            os.fsync(fd)
            os.close(fd)
            os.replace(part, path)
        except OSError as error:
            raise Failure(
                codes.OUTPUT, f"{path!r} cannot be written: {error.strerror}. Free some space"
            ) from None
    progress.end()


def _open(path: str) -> tuple[BinaryIO, int | None]:
    try:
        file = open(0 if path == "-" else path, "rb", buffering=0)  # noqa: SIM115 # the caller closes it
        size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise Failure(codes.INPUT, f"{path!r} cannot be read: {error.strerror}. Check the path") from None
    return file, size or None


def _discard(ws: StreamWebSocket) -> None:
    """Reads what the server sends: a server that cannot send may stop reading."""
    stream, buffer = ws.input_stream, bytearray(_CHUNK_BYTES)
    try:
        while stream.readinto(buffer):
            pass
    except WebSocketError:
        pass  # put() gets the same error


def put(given: Given, ws: WebSocket, path: str) -> None:
    """Sends a file as a stream. "-" is stdin. Blocks until the server has it and has closed.

    Raises Failure and WebSocketError.
    """
    assert isinstance(ws, StreamWebSocket)
    file, total = _open(path)
    progress = _Progress(given, total)
    stream = ws.output_stream
    _thread.start_new_thread(_discard, (ws,))
    with file:
        while True:
            try:
                data = file.read(_CHUNK_BYTES)
            except OSError as error:
                raise Failure(codes.INPUT, f"{path!r} cannot be read: {error.strerror}") from None
            if not data:
                break
            try:
                stream.write(data)
            except ConnectionClosed as error:
                raise Failure(codes.of_error(error) or codes.SENDING, str(error)) from None
            progress.add(data)
    ws.close()
    try:
        ws.wait_closed()
    except ConnectionClosed as error:
        raise Failure(codes.SENDING, str(error)) from None
    if not ws.was_clean:
        raise Failure(codes.SENDING, "the server did not confirm the end of the stream, so it may lack a part")
    progress.end()

# SPDX-License-Identifier: MIT
"""The verbs get and put: a file as a stream of bytes, with its progress, rate and checksum."""

import _thread
import hashlib
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from curlwire._core import StreamWebSocket, WebSocket
from curlwire.command import codes
from curlwire.command.codes import Failure
from curlwire.command.live import Bar
from curlwire.command.output import write_all
from curlwire.command.parser import Given, read_stdin, usage
from curlwire.errors import ConnectionClosed, WebSocketError

_CHUNK_BYTES = 1 << 18


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


class _Progress(Bar):
    """Counts bytes and makes their SHA-256. Shows a bar, if stderr is a terminal, and writes a last line."""

    def __init__(self, given: Given, total_bytes: int | None) -> None:
        self.is_quiet: bool = bool(given.get("silent")) or sys.stderr is None
        super().__init__(not self.is_quiet, total_bytes)
        self.done_bytes: int = 0
        self.hash = hashlib.sha256()
        self.began_at: float = time.monotonic()

    def add(self, data: bytes | memoryview) -> None:
        self.hash.update(data)
        self.done_bytes += len(data)
        self.advance(len(data))

    def report(self) -> None:
        self.stop()
        if self.is_quiet:
            return
        taken_s = max(time.monotonic() - self.began_at, 1e-6)
        rate = f"{_size(self.done_bytes)}, {_size(self.done_bytes / taken_s)}/s"
        with suppress(OSError):
            print(f"{rate}, sha256 {self.hash.hexdigest()}", file=sys.stderr, flush=True)


class _Target:
    """The file that get writes: FILE.part until it is whole. Into a device or a pipe, get writes directly."""

    def __init__(self, path: str) -> None:
        """Raises Failure if it cannot be written."""
        if not path:
            raise usage("get needs the name of a file; - is stdout")
        self.path: str = path
        self.is_replaced: bool = path != "-" and (not os.path.exists(path) or os.path.isfile(path))
        self.written: str = f"{path}.part" if self.is_replaced else path
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT | os.O_TRUNC if self.is_replaced else 0)
        try:
            self.fd: int = 1 if path == "-" else os.open(self.written, flags, 0o666)
        except OSError as error:
            raise self._failure(self.written, error, "Check the path") from None

    def write(self, data: memoryview) -> None:
        write_all(self.fd, data, "stdout" if self.path == "-" else repr(self.written))

    def finish(self) -> None:
        """Gives the file its name. Raises Failure."""
        try:
            if self.is_replaced:
                os.fsync(self.fd)
            if self.path != "-":
                os.close(self.fd)
            if self.is_replaced:
                os.replace(self.written, self.path)
        except OSError as error:
            raise self._failure(self.path, error, "Free some space") from None

    @staticmethod
    def _failure(path: str, error: OSError, advice: str) -> Failure:
        return Failure(codes.OUTPUT, f"{path!r} cannot be written: {error.strerror}. {advice}")


def get(given: Given, ws: WebSocket, path: str) -> None:
    """Receives the stream into a file. "-" is stdout. Raises Failure and WebSocketError."""
    assert isinstance(ws, StreamWebSocket)
    target = _Target(path)
    stream = ws.input_stream
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with _Progress(given, None) as progress:
        while count := stream.readinto(buffer):
            piece = buffer[:count]
            target.write(piece)
            progress.add(piece)
    ws.close()
    target.finish()
    progress.report()


def _open(path: str) -> tuple[Callable[[], bytes], int | None]:
    """Returns a function that reads the next bytes of a file, b"" at its end, and the size, if it has one."""
    try:
        fd = 0 if path == "-" else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        size = os.fstat(fd).st_size
    except OSError as error:
        raise Failure(codes.INPUT, f"{path!r} cannot be read: {error.strerror}. Check the path") from None
    return (read_stdin if path == "-" else lambda: os.read(fd, _CHUNK_BYTES)), size or None


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
    read, total_bytes = _open(path)
    stream = ws.output_stream
    _thread.start_new_thread(_discard, (ws,))
    with _Progress(given, total_bytes) as progress:
        while True:
            try:
                data = read()
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
    progress.report()

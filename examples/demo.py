# SPDX-License-Identifier: MIT
"""A demo of curlwire for Python: messages with handlers, a stream, a file, an error. scripts/demo.sh starts it.

    demo.py [MIB]     the size of the file in MiB, 256 by default

It reads three environment variables: CW_ECHO_WSS is a wss:// echo server, CW_CA_FILE is the file of its
authority, and CW_REFUSED_WS is an address that refuses connections.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, BinaryIO

import curlwire

ECHO = os.environ["CW_ECHO_WSS"] + "/"
CA_FILE = os.environ["CW_CA_FILE"]
REFUSED = os.environ["CW_REFUSED_WS"] + "/"
CHUNK_BYTES = 1 << 20


def check(held: bool, what: str) -> None:
    if not held:
        raise SystemExit(f"demo.py: this did not hold: {what}")


def messages() -> None:
    print("(1) MessageWebSocket, text, by handlers")
    ended = threading.Event()
    seen: list[object] = []

    def on_message_received(ws: curlwire.MessageWebSocket, args: curlwire.MessageReceivedEventArgs) -> None:
        print(f"    handler: received {args.data!r}; disposing")
        seen.append(args.data)
        ws.close(1000, "that was all")

    def on_closed(ws: curlwire.MessageWebSocket, args: curlwire.ClosedEventArgs) -> None:
        print(f"    handler: closed, code {args.code}, reason {args.reason!r}, clean {args.was_clean}")
        seen.append(args.code)
        ended.set()

    ws = curlwire.MessageWebSocket(message_type="utf8", ca_file=CA_FILE)
    ws.on_message_received = on_message_received
    ws.on_closed = on_closed
    ws.connect(ECHO)
    print(f"    connected: {ws!r}")
    print("    sending 'Hello, World!'")
    ws.send("Hello, World!")
    check(ended.wait(30), "the closed event comes")
    check(seen == ["Hello, World!", 1000], f"the echo, then closed with 1000; there was {seen}")


def stream() -> None:
    print("(2) StreamWebSocket: ten bytes, read back in parts")
    with curlwire.StreamWebSocket(ca_file=CA_FILE) as ws:
        ws.connect(ECHO)
        ws.output_stream.write(bytes(range(10)))
        print("    written: 0 1 2 3 4 5 6 7 8 9")
        back = b""
        while len(back) < 10:
            part = ws.input_stream.read(4) or b""
            print("    read:   ", *part)
            check(bool(part), "the stream goes on until all is back")
            back += part
    check(back == bytes(range(10)), "the same bytes come back")


class Counted:
    """A writable file that hashes and counts the bytes, and moves the progress bar."""

    def __init__(self, target: BinaryIO, bar: Any) -> None:
        self.target = target
        self.bar = bar
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.bar.update(len(data))
        return self.target.write(data)


class Limited:
    """A readable file with the next n bytes of a stream. An echo has no end of its own."""

    def __init__(self, source: Any, left_bytes: int) -> None:
        self.source = source
        self.left_bytes = left_bytes

    def read(self, size: int) -> bytes:
        data: bytes = self.source.read(min(size, self.left_bytes)) or b""
        self.left_bytes -= len(data)
        return data


def progress_bar(total_bytes: int) -> Any:
    # The bar appears only on a terminal, and only if tqdm is installed. scripts/demo.sh installs it.
    from tqdm import tqdm

    return tqdm(total=total_bytes, unit="B", unit_scale=True, desc="    back", disable=None, leave=False)


def make_file(path: Path, mib: int) -> str:
    sha256 = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(mib):
            block = os.urandom(CHUNK_BYTES)
            sha256.update(block)
            file.write(block)
    return sha256.hexdigest()


def large_file(folder: Path, mib: int) -> None:
    print(f"(3) StreamWebSocket: a file of {mib} MiB up and back through shutil.copyfileobj")
    there, back = folder / "there", folder / "back"
    sent = make_file(there, mib)
    failures: list[BaseException] = []
    with curlwire.StreamWebSocket(ca_file=CA_FILE) as ws:
        ws.connect(ECHO)

        def upload() -> None:
            try:
                with there.open("rb") as source:
                    shutil.copyfileobj(source, ws.output_stream, CHUNK_BYTES)
            except BaseException as error:  # the main thread reports it
                failures.append(error)
                ws.abort()

        uploader = threading.Thread(target=upload)
        uploader.start()
        with back.open("wb") as file, progress_bar(there.stat().st_size) as bar:
            target = Counted(file, bar)
            try:
                shutil.copyfileobj(Limited(ws.input_stream, there.stat().st_size), target, CHUNK_BYTES)
            finally:
                ws.close()
                uploader.join()
    check(not failures, f"the upload goes well; there was {failures}")
    received = target.sha256.hexdigest()
    print(f"    SHA-256 there: {sent}")
    print(f"    SHA-256 back:  {received}")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"    peak memory of this process: {peak_mib:.0f} MiB")
    check(sent == received, "the two are equal")
    check(peak_mib < 128, "memory does not grow with the file")


def refused() -> None:
    print("(4) an error on purpose: nobody listens")
    try:
        curlwire.connect(REFUSED)
    except curlwire.WebSocketError as error:
        print(f"    {type(error).__name__}: {error}")
        print(f"    status: {error.status!r}")
        check(error.status is curlwire.WebErrorStatus.CANNOT_CONNECT, "the status is CANNOT_CONNECT")
        check(isinstance(error, ConnectionError), "it is a ConnectionError too")
        return
    check(False, "a refused connection is an error")


def main() -> None:
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    print(f"==== Python {sys.version.split()[0]}, curlwire from {Path(curlwire.__file__).parent}")
    messages()
    stream()
    with tempfile.TemporaryDirectory(prefix="curlwire-demo-") as folder:
        large_file(Path(folder), mib)
    refused()
    print("demo.py: all four held")


if __name__ == "__main__":
    main()

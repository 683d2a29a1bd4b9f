# SPDX-License-Identifier: MIT
"""The addresses of the test peers, and scripts for the scripted peer. tests/servers/run.py starts the peers."""

import contextlib
import json
import os
import struct
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import curlwire

WAIT = 60.0  # seconds that a test waits for something that must happen, long enough for any busy machine


def decodes_natively() -> bool:
    """Returns whether curlwire's own codec receives by default.

    It needs the bytes that came with the reply, which libcurl gives out since 8.21.0.
    """
    version = tuple(int(part) for part in curlwire.libcurl_version.split("-")[0].split("."))
    return version >= (8, 21, 0) and os.environ.get("CURLWIRE_FRAMING") != "curl"


HAS_COMPRESSION = decodes_natively()  # compression needs curlwire's own codec
COMPRESSION_REFUSED = (
    r"^compression needs libcurl 8\.21\.0 or later, and |^libcurl's framing has no compression"
)


def url(name: str, path: str = "/") -> str:
    """Returns the URL of a peer from the environment variable with this name."""
    base = os.environ.get(name)
    if base is None:
        raise RuntimeError(
            f"{name} is not set; run: python3 tests/servers/run.py -- python3 -m pytest tests/python"
        )
    return base + path


def echo(path: str = "/") -> str:
    return url("CW_ECHO_WS", path)


def ca_file() -> str:
    return url("CW_CA_FILE", "")


def opened(path: str = "/", **control: Any) -> curlwire.MessageWebSocket:
    """Returns a MessageWebSocket that is connected to the echo server."""
    ws: curlwire.MessageWebSocket = curlwire.connect(echo(path), **control)
    return ws


def opened_stream(path: str = "/", **control: Any) -> curlwire.StreamWebSocket:
    return curlwire.connect(echo(path), curlwire.StreamWebSocket, **control)


def round_trip(ws: curlwire.MessageWebSocket) -> None:
    """Checks that an open socket works: sends a message and receives it back."""
    ws.send("still here")
    assert ws.recv(timeout=WAIT) == "still here"


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits for a condition of another thread."""
    event = threading.Event()
    for _ in range(int(WAIT * 200)):
        if condition():
            return
        event.wait(0.005)
    raise AssertionError("the condition did not come true")


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Takes away the right of root to read every file."""
    is_root = os.getuid() == 0
    if is_root:
        os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        if is_root:
            os.setresuid(0, 0, 0)


# ---- the scripted server


def frame(opcode: int, payload: bytes = b"", is_final: bool = True) -> str:
    """Returns a frame of the server in hexadecimal."""
    first = opcode | (0x80 if is_final else 0)
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, size)
    elif size < 65536:
        head = struct.pack("!BBH", first, 126, size)
    else:
        head = struct.pack("!BBQ", first, 127, size)
    return (head + payload).hex()


def text(payload: str) -> str:
    return frame(1, payload.encode())


def handshake(head: str) -> str:
    """Returns a step that sends this head instead of a correct reply. {accept} becomes the correct key."""
    return "hs:" + head.replace("\n", "\r\n").encode().hex()


def script(*steps: str) -> str:
    return url("CW_SCRIPT_WS", "/s/" + "/".join(steps))


class Recorded:
    """A scripted connection, whose record the test reads at the end."""

    def __init__(self, *steps: str) -> None:
        self.token = uuid.uuid4().hex
        self.url = f"{script(*steps)}?id={self.token}"

    def record(self) -> dict[str, Any]:
        return self._get("log")

    def go(self) -> None:
        """Lets the server pass its step "gate"."""
        self._get("go")

    def _get(self, what: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{url('CW_PLAIN_HTTP', '')}/{what}/{self.token}", timeout=WAIT) as reply:
            answer: dict[str, Any] = json.load(reply)
        return answer

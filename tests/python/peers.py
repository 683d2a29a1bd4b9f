# SPDX-License-Identifier: MIT
"""Where the test peers are, and what the scripted one is told. tests/servers/run.py starts them."""

import json
import os
import struct
import urllib.request
import uuid
from typing import Any

import curlwire

WAIT = 60.0  # seconds; how long a test waits for what must come, on a machine however busy


def decodes_natively() -> bool:
    """Whether our own codec receives, unless a test asks for another: it can where the loaded libcurl gives out
    the bytes that came with the reply, as 8.21.0 and later do."""
    version = tuple(int(part) for part in curlwire.libcurl_version.split("-")[0].split("."))
    return version >= (8, 21, 0) and os.environ.get("CURLWIRE_FRAMING") != "curl"


HAS_COMPRESSION = decodes_natively()  # which it needs
COMPRESSION_REFUSED = (
    r"^compression needs libcurl 8\.21\.0 or later, and |^libcurl's framing has no compression"
)


def url(name: str, path: str = "/") -> str:
    """The URL of a peer, by the name of its variable."""
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
    """A MessageWebSocket connected to the echo server."""
    ws: curlwire.MessageWebSocket = curlwire.connect(echo(path), **control)
    return ws


def opened_stream(path: str = "/", **control: Any) -> curlwire.StreamWebSocket:
    return curlwire.connect(echo(path), curlwire.StreamWebSocket, **control)


def round_trip(ws: curlwire.MessageWebSocket) -> None:
    """Shows that an open socket works."""
    ws.send("still here")
    assert ws.recv(timeout=WAIT) == "still here"


# ---- the scripted server


def frame(opcode: int, payload: bytes = b"", is_final: bool = True) -> str:
    """A server's frame, in hexadecimal."""
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
    """A step that sends this in place of the right reply; {accept} stands for the right value."""
    return "hs:" + head.replace("\n", "\r\n").encode().hex()


def script(*steps: str) -> str:
    return url("CW_SCRIPT_WS", "/s/" + "/".join(steps))


class Recorded:
    """A scripted connection whose record is read afterwards."""

    def __init__(self, *steps: str) -> None:
        self.token = uuid.uuid4().hex
        self.url = f"{script(*steps)}?id={self.token}"

    def record(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{url('CW_PLAIN_HTTP', '')}/log/{self.token}", timeout=WAIT) as reply:
            record: dict[str, Any] = json.load(reply)
        return record

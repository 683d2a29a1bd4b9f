# SPDX-License-Identifier: MIT
"""Runs the command in pipes, and plain TCP servers for it."""

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

WAIT = 50.0  # seconds that a test waits for something that must happen
COMMAND = [sys.executable, "-m", "curlwire"]
COMPILED = tempfile.TemporaryDirectory(prefix="curlwire-compiled-")
started: list[subprocess.Popen[bytes]] = []


GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """The environment without proxies. The command keeps compiled files, as an installed package has them."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONPYCACHEPREFIX": COMPILED.name, **more}


def start(*arguments: str, **options: object) -> "subprocess.Popen[bytes]":
    """Starts the command; its three files are pipes, unless the options say otherwise."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [*COMMAND, *arguments], **{"env": environment(), **pipes, **options}
    )  # type: ignore[call-overload]
    started.append(process)
    return process


def run(*arguments: str, stdin: bytes = b"", **more: str) -> Ended:
    """Runs the command to its end. more: variables of the environment."""
    process = start(*arguments, env=environment(**more))
    out, err = process.communicate(stdin, WAIT)
    return Ended(process.returncode, out.decode(), err.decode())


# -- what the command does just now


def wait_until(is_so: Callable[[], bool]) -> None:
    """Waits for a condition that nothing reports."""
    until = time.monotonic() + WAIT
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def _threads(pid: int) -> dict[str, list[str]]:
    """The state of each thread, and how often it has given the processor away."""
    found: dict[str, list[str]] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has ended
            text = (task / "status").read_text()
            found[task.name] = re.findall(r"^(?:State|\w*voluntary_ctxt_switches):\s+(\w+)", text, re.MULTILINE)
    return found


def wait_until_it_waits(process: "subprocess.Popen[bytes]") -> None:
    """Waits until every thread of the command waits for something else than the processor."""
    before: dict[str, list[str]] = {}

    def is_at_rest() -> bool:
        nonlocal before
        assert process.poll() is None, "the command has ended"
        last, before = before, _threads(process.pid)
        return last == before and all(state == "S" for state, *_ in before.values())

    wait_until(is_at_rest)


def bytes_in(pipe: IO[bytes] | int) -> int:
    """The bytes that nobody has read from a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), sys.byteorder)


def wait_until_full(pipe: IO[bytes] | int) -> None:
    """Waits until a pipe of 64 KiB takes no more. Its last pages may have some room."""
    wait_until(lambda: bytes_in(pipe) > 48 << 10)


def rss_kib(pid: int) -> int:
    return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])


# -- servers


def url(name: str, path: str = "/") -> str:
    return os.environ[name] + path


def echo(path: str = "/") -> str:
    return url("CW_ECHO_WS", path)


def script(*steps: str) -> str:
    """The URI of the scripted server with these steps."""
    return url("CW_SCRIPT_WS", "/s/" + "/".join(steps))


def new_token() -> str:
    """A name for a connection to the scripted server: add ?id=TOKEN to its URI."""
    return os.urandom(8).hex()


def _ask(path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{os.environ['CW_PLAIN_HTTP']}{path}", timeout=WAIT) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def log_of(token: str) -> dict[str, Any]:
    """What the scripted server got. Waits for the end of the connection."""
    return _ask(f"/log/{token}")


def go(token: str) -> None:
    """Lets the scripted server pass a gate."""
    _ask(f"/go/{token}")


def text(*messages: str) -> str:
    """The step that sends text messages in one write."""
    frames = [b"\x81" + bytes([len(data)]) + data for data in (message.encode() for message in messages)]
    return f"x:{b''.join(frames).hex()}"


def reply(status: str, *headers: str) -> str:
    """The step that answers the handshake with an HTTP status."""
    lines = [f"HTTP/1.1 {status}", "Content-Length: 0", *headers, "", ""]
    return "hs:" + "\r\n".join(lines).encode().hex()


def tls(name: str, path: str = "/s/close:1000") -> str:
    """The URI of a port of tests/servers/tls.py."""
    ports = dict(word.split("=") for word in os.environ["CW_TLS_PORTS"].split())
    return f"wss://localhost:{ports[name]}{path}"


@contextlib.contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Yields the port of a server that answers each connection by a function, and then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(WAIT)  # before the number of the descriptor is free


class Peer:
    """The server's side of a connection. Each call waits for the client."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(WAIT)
        self.head: bytes = b""
        self.has_closed: bool = False
        self.closed: bytes | None = None  # the payload of the client's close frame
        while b"\r\n\r\n" not in self.head:
            self.head += self._read()
        self.rest: bytes = self.head.partition(b"\r\n\r\n")[2]

    def _read(self) -> bytes:
        data = self.connection.recv(1 << 16)
        if not data:
            raise ConnectionError
        return data

    def refuse(self, status: str) -> None:
        self.connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    def accept(self) -> None:
        key = re.findall(rb"Sec-WebSocket-Key: (.*)\r\n", self.head)[0]
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.connection.sendall(
            b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def receive(self) -> str:
        """Returns the payload of the next short frame. Raises ConnectionError at the end."""
        while len(self.rest) < 2 or len(self.rest) < 6 + (self.rest[1] & 127):
            self.rest += self._read()
        end = 6 + (self.rest[1] & 127)
        frame, self.rest = self.rest[:end], self.rest[end:]
        data = bytes(byte ^ frame[2 + i % 4] for i, byte in enumerate(frame[6:]))
        if frame[0] == 0x88:
            self.closed = data
            if not self.has_closed:
                self.connection.sendall(b"\x88" + bytes([len(data)]) + data)
            raise ConnectionError
        return data.decode()

    def send(self, *messages: str) -> None:
        """Sends short text messages in one write."""
        frames = [b"\x81" + bytes([len(data)]) + data for data in (message.encode() for message in messages)]
        self.connection.sendall(b"".join(frames))

    def send_long(self, *messages: str) -> None:
        """Sends text messages of 126 to 65,535 bytes in one write."""
        frames = [b"\x81\x7e" + len(message).to_bytes(2) + message.encode() for message in messages]
        self.connection.sendall(b"".join(frames))

    def ping(self) -> None:
        """Sends a ping, and waits for the pong, so for the client to have taken all that came before."""
        self.connection.sendall(b"\x89\0")
        self.receive()

    def close(self, code: int) -> None:
        """Sends a close frame, and waits for the answer."""
        self.has_closed = True
        self.connection.sendall(b"\x88\x02" + code.to_bytes(2))
        with contextlib.suppress(ConnectionError):
            while True:
                self.receive()


@contextlib.contextmanager
def serving_peers(*answers: Callable[[Peer], None]) -> Iterator[str]:
    """Yields the URI of a server. Each function answers one connection, the last one all further ones."""
    left = list(answers)

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            (left.pop(0) if len(left) > 1 else left[0])(Peer(connection))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1 << 16):  # an end with unread bytes would be a reset
                pass

    with serving(answer) as port:
        yield f"ws://127.0.0.1:{port}/"

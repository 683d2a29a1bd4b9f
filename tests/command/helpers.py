# SPDX-License-Identifier: MIT
"""Runs the command in pipes, and plain TCP servers for it."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

WAIT = 50.0  # seconds that a test waits for something that must happen
COMMAND = [sys.executable, "-m", "curlwire"]
COMPILED = tempfile.TemporaryDirectory(prefix="curlwire-compiled-")
started: list[subprocess.Popen[bytes]] = []


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


def url(name: str, path: str = "/") -> str:
    return os.environ[name] + path


def echo(path: str = "/") -> str:
    return url("CW_ECHO_WS", path)


def script(*steps: str) -> str:
    """The URI of the scripted server with these steps."""
    return url("CW_SCRIPT_WS", "/s/" + "/".join(steps))


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

# SPDX-License-Identifier: MIT
"""Starts the servers of examples/servers/ on a loopback address of our own, each for LIFE_S seconds at most."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build" / "real-servers" / "bin"  # of the Python registry
WAIT = 90.0  # seconds that a server may take to start, and a program to end
LIFE_S = 900
# Other programs of this machine use 127.0.0.1, so a port that was free here stays free.
ADDRESS = f"127.{os.getpid() >> 16 & 63 | 64}.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
TOKEN = "token-of-the-tests"


class Server:
    """A server that runs, and what it has written."""

    def __init__(self, command: list[str], folder: Path, *, environment: dict[str, str] | None = None) -> None:
        self.command = command
        path = shutil.which(command[0], path=f"{TOOLS}:{os.environ['PATH']}:/usr/sbin")
        assert path, f"{command[0]} is not installed. Run: sh scripts/install.sh real-servers"
        self.log = folder / f"{Path(path).name}.log"
        bounded = ["timeout", "--kill-after=5", str(LIFE_S), path, *command[1:]]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                bounded, cwd=folder, env={**os.environ, **(environment or {})}, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def wait_for(self, pattern: str) -> str:
        """Waits until the server has written a text, and returns the group of its pattern."""
        until = time.monotonic() + WAIT
        while not (found := re.search(pattern, self.log.read_text(errors="replace"))):
            self.check(until, f"has not written {pattern}")
            time.sleep(0.05)  # a file cannot be waited for
        return found[1]

    def wait_for_port(self, port: int) -> None:
        until = time.monotonic() + WAIT
        while True:
            with contextlib.suppress(OSError), socket.create_connection((ADDRESS, port), WAIT):
                return
            self.check(until, f"does not listen on {ADDRESS}:{port}")
            time.sleep(0.05)  # nothing says when a port opens

    def check(self, until: float, problem: str) -> None:
        is_late = time.monotonic() > until
        if is_late or self.process.poll() is not None:
            text = self.log.read_text(errors="replace")
            raise AssertionError(
                f"{self.command[0]} {'is late' if is_late else 'has ended'}: it {problem}\n{text}"
            )

    def end(self) -> None:
        """Ends the server and the programs that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(WAIT)


@contextlib.contextmanager
def running() -> Iterator[contextlib.ExitStack]:
    """A stack that ends servers."""
    with contextlib.ExitStack() as stack:
        yield stack


def start(stack: contextlib.ExitStack, folder: Path, *command: str, **environment: str) -> Server:
    server = Server(list(command), folder, environment=environment)
    stack.callback(server.end)
    return server


def free_port() -> int:
    with socket.create_server((ADDRESS, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def get(url: str, method: str = "GET", **headers: str) -> object:
    """The JSON that an HTTP server answers."""
    request = urllib.request.Request(url, method=method, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=WAIT) as reply:
            return json.load(reply)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{method} {url}: {error.code} {error.read().decode(errors='replace')}") from error


# -- the servers: each yields the URI for the programs


@contextlib.contextmanager
def node() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="curlwire-node-") as name, running() as stack:
        program = Path(name) / "program.js"
        program.write_text("globalThis.answer = 42; setInterval(() => {}, 1000);\n")
        server = start(stack, Path(name), "node", f"--inspect={ADDRESS}:0", str(program))
        yield server.wait_for(r"Debugger listening on (ws://\S+)\s")


@contextlib.contextmanager
def mosquitto() -> Iterator[tuple[str, int]]:
    """Yields the URI, and the port for MQTT without WebSockets."""
    with tempfile.TemporaryDirectory(prefix="curlwire-mosquitto-") as name, running() as stack:
        web, plain = free_port(), free_port()
        settings = [
            f"listener {plain} {ADDRESS}",
            f"listener {web} {ADDRESS}", "protocol websockets", "socket_domain ipv4",  # else it ignores ADDRESS
            "allow_anonymous true", "persistence false",
        ]  # fmt: skip
        Path(name, "settings").write_text("\n".join(settings) + "\n")
        Path(name).chmod(0o755)  # as root, the server becomes another user
        server = start(stack, Path(name), "mosquitto", "-c", "settings")
        server.wait_for("(mosquitto version .* running)")
        yield f"ws://{ADDRESS}:{web}/", plain


@contextlib.contextmanager
def nats() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="curlwire-nats-") as name, running() as stack:
        port = free_port()
        settings = f'websocket {{\n  listen: "{ADDRESS}:{port}"\n  no_tls: true\n  compression: true\n}}\n'
        Path(name, "settings").write_text(settings)
        server = start(stack, Path(name), "nats-server", "-a", ADDRESS, "-p", "-1", "-c", "settings")
        server.wait_for("(Server is ready)")
        yield f"ws://{ADDRESS}:{port}/"


@contextlib.contextmanager
def vnc() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="curlwire-vnc-") as name, running() as stack:
        port, path = free_port(), Path(name) / "socket"
        screen = start(
            stack, Path(name), "Xvnc", "-displayfd", "1", "-rfbport", "-1", "-rfbunixpath", str(path),
            "-SecurityTypes", "None", "-geometry", "640x480", "-desktop", "desktop of the tests",
        )  # fmt: skip
        screen.wait_for(r"(?m)^(\d+)$")
        bridge = start(stack, Path(name), "websockify", f"--unix-target={path}", f"{ADDRESS}:{port}")
        bridge.wait_for_port(port)
        yield f"ws://{ADDRESS}:{port}/"


@contextlib.contextmanager
def jupyter() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="curlwire-jupyter-") as name, running() as stack:
        port = free_port()
        folders = {f"JUPYTER_{kind}_DIR": f"{name}/{kind}" for kind in ("CONFIG", "DATA", "RUNTIME")}
        server = start(
            stack, Path(name), "jupyter-server", "--allow-root", "--no-browser", f"--ServerApp.ip={ADDRESS}",
            f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={name}",
            IPYTHONDIR=name, JUPYTER_TOKEN=TOKEN, **folders,
        )  # fmt: skip
        server.wait_for_port(port)
        base = f"{ADDRESS}:{port}/api/kernels"
        login = {"Authorization": f"token {TOKEN}"}
        kernel = get(f"http://{base}", "POST", **login)
        assert isinstance(kernel, dict)
        try:
            yield f"ws://{base}/{kernel['id']}/channels"
        finally:
            end_kernel(f"http://{base}/{kernel['id']}", login)


def end_kernel(url: str, login: dict[str, str]) -> None:
    """Ends a kernel: it has its own process group, so it would outlive the server."""
    request = urllib.request.Request(url, method="DELETE", headers=login)
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=WAIT).close()


@contextlib.contextmanager
def chromium() -> Iterator[str]:
    with (
        tempfile.TemporaryDirectory(prefix="curlwire-chromium-", ignore_cleanup_errors=True) as name,
        running() as stack,
    ):
        browser = start(
            stack, Path(name), "chromium", "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-data-dir={name}/user",
            "--window-size=1200,900", "about:blank", HOME=name,
        )  # fmt: skip
        host = browser.wait_for(r"DevTools listening on ws://([^/\s]+)/")
        pages = get(f"http://{host}/json/list")
        assert isinstance(pages, list)
        yield next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")

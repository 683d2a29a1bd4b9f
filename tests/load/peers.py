# SPDX-License-Identifier: MIT
"""Starts the servers of load.py: bench/server.c, nginx as its TLS front, and cutter.py in front of both."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "servers"), str(ROOT / "bench")]

import clients  # noqa: E402

import nginx_settings  # noqa: E402
import run  # noqa: E402


@dataclass
class Addresses:
    """The addresses of the servers, and of the cutter in front of them."""

    ws: str
    wss: str
    cut_ws: str
    cut_wss: str
    ca_file: str


@contextlib.contextmanager
def echo_server() -> Iterator[int]:
    """Runs bench/server.c and yields its port."""
    with tempfile.TemporaryDirectory(prefix="curlwire-load-") as folder:
        command = [clients.build_server(Path(folder))]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None and process.stdout is not None
            try:
                yield int(process.stdout.readline())
            finally:
                process.stdin.close()  # this ends the server


def start_nginx(peers: run.Peers, upstream: int, files: int) -> int:
    nginx = nginx_settings.program()
    if nginx is None:
        raise run.CannotStart("nginx: no nginx command; run sh scripts/install.sh test")
    for attempt in range(3):  # another process may take the chosen port first
        (port,) = run.free_ports(1)
        folder = peers.folder / f"nginx-{attempt}"
        folder.mkdir()
        http = nginx_settings.proxy(upstream, peers.folder, f"127.0.0.1:{port} ssl backlog=4096")
        main = f"master_process off; worker_rlimit_nofile {files};"
        arguments = nginx_settings.write(folder, http, main, level="crit", connections=files)
        if peers.accepts(peers.start([nginx, *arguments], dict(os.environ)), port):
            return port
    raise run.CannotStart("nginx does not accept connections; its output is above")


@contextlib.contextmanager
def started(connections: int, seconds: float, seed: int) -> Iterator[Addresses]:
    with echo_server() as ws, run.Peers(()) as peers:
        wss = start_nginx(peers, ws, 4 * connections + 100)
        command = [sys.executable, str(HERE / "cutter.py"), f"--seed={seed}", f"--seconds={seconds}"]
        # The check that a port of the cutter accepts is a connection too, and is cut like any other.
        cut_ws, cut_wss = peers.listening("cutter.py", [*command, str(ws), str(wss)], dict(os.environ))
        yield Addresses(
            f"ws://127.0.0.1:{ws}/echo", f"wss://localhost:{wss}/echo",
            f"ws://127.0.0.1:{cut_ws}/echo", f"wss://localhost:{cut_wss}/echo",
            str(peers.folder / "ca.pem"),
        )  # fmt: skip

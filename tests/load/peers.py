# SPDX-License-Identifier: MIT
"""Starts the servers of load.py: bench/server.c, nginx as its TLS front, and cutter.py in front of both."""

from __future__ import annotations

import contextlib
import os
import shutil
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

import run  # noqa: E402

NGINX = """
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile {files};
pid {folder}/nginx.pid;
error_log stderr crit;
events {{
    worker_connections {files};
}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        ssl_certificate {certs}/server.pem;
        ssl_certificate_key {certs}/server.key;
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_read_timeout 600s;
        }}
    }}
}}
"""


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
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        raise run.CannotStart("nginx: no nginx command; run sh scripts/install.sh test")
    for attempt in range(3):  # another process may take the chosen port first
        (port,) = run.free_ports(1)
        folder = peers.folder / f"nginx-{attempt}"
        folder.mkdir()
        text = NGINX.format(folder=folder, port=port, certs=peers.folder, upstream=upstream, files=files)
        (folder / "nginx.conf").write_text(text)
        command = [nginx, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
        if peers.accepts(peers.start(command, dict(os.environ)), port):
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

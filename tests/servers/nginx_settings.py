# SPDX-License-Identifier: MIT
"""Settings of nginx, for run.py, for the load test and for the test of nginx's Lua module."""

from __future__ import annotations

import shutil
from pathlib import Path

# All files are in one folder, so that nginx needs no folder of the system.
COMMON = """
{main}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr {level};
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
}}
"""
PROXY = """
    ssl_certificate {certs}/server.pem;
    ssl_certificate_key {certs}/server.key;
    server {{
        {listens}
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
            proxy_read_timeout 600s;
        }}
    }}
"""


def program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def proxy(upstream: int, certs: Path, *listens: str) -> str:
    """Returns settings for `http`: a proxy of WebSocket connections. `listens` are the values of `listen`."""
    lines = " ".join(f"listen {value};" for value in listens)
    return PROXY.format(upstream=upstream, certs=certs, listens=lines)


def write(folder: Path, http: str, main: str = "", level: str = "warn", connections: int = 128) -> list[str]:
    """Writes the settings into a folder. Returns the arguments with which nginx uses them."""
    text = COMMON.format(folder=folder, http=http, main=main, level=level, connections=connections)
    (folder / "nginx.conf").write_text(text)
    return ["-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]

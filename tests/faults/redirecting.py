# SPDX-License-Identifier: MIT
"""A server on all addresses of a namespace, which redirects, and prints the path of each request.

    python3 tests/faults/redirecting.py HOSTS

/go?URI redirects to the URI. /rebind first makes the name rebind.test mean 127.0.0.1, in the file HOSTS, which
the namespace has as /etc/hosts. Every other path is a WebSocket that ends at once. The first line on stdout is
"listening PORT".
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import sys
import threading
from pathlib import Path
from urllib.parse import unquote

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = connection.recv(65536)
        if not more:
            raise ConnectionError("the client ended the connection before the end of its request")
        head += more
    return head


def talk(connection: socket.socket, hosts: Path) -> None:
    with connection, contextlib.suppress(OSError):
        head = read_head(connection)
        target = head.split(b" ")[1].decode()
        path, _, query = target.partition("?")
        print(path, flush=True)
        if path == "/rebind":
            hosts.write_text("127.0.0.1 rebind.test\n")
            query = "/in"
        if query:
            connection.sendall(f"HTTP/1.1 302 Go\r\nLocation: {unquote(query)}\r\n\r\n".encode())
            return
        key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        digest = base64.b64encode(hashlib.sha1(key + GUID).digest())
        lines = (
            b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
        )
        connection.sendall(lines % digest + b"\x88\x00")
        while connection.recv(65536):
            continue


def serve(listener: socket.socket, hosts: Path) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=talk, args=(connection, hosts), daemon=True).start()


def main() -> None:
    hosts = Path(sys.argv[1])
    plain = socket.create_server(("0.0.0.0", 0), backlog=64)
    port = plain.getsockname()[1]
    six = socket.create_server(("::", port), family=socket.AF_INET6, backlog=64)
    print("listening", port, flush=True)
    threading.Thread(target=serve, args=(six, hosts), daemon=True).start()
    serve(plain, hosts)


if __name__ == "__main__":
    main()

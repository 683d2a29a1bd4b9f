# SPDX-License-Identifier: MIT
"""Servers for the tests of redirects and of logins: they answer each request as a test tells them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import curlwire
from curlwire import MessageWebSocket, WebErrorStatus
from peers import WAIT, url
from proxies import Answer, Proxy, reply, server_context, until_gone

SECRET = "hunter2secret"


def folder() -> Path:
    return Path(url("CW_TLS_FOLDER", ""))


def go(target: str, status: int = 302) -> Answer:
    return reply(f"HTTP/1.1 {status} Go\nLocation: {target}\nContent-Length: 0\n\n")


def accept(connection: socket.socket, head: bytes) -> None:
    """Sends a correct reply and the message "hello"."""
    key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    digest = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    lines = b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %b\r\n\r\n"
    connection.sendall(lines % digest + b"\x81\x05hello")
    until_gone(connection)


def by_path(**answers: Answer) -> Answer:
    """Answers by the last segment of the path."""

    def answer(connection: socket.socket, head: bytes) -> None:
        path = head.split(b" ")[1].partition(b"?")[0].decode()
        answers[path.rpartition("/")[2]](connection, head)

    return answer


Serve = Callable[..., Proxy]


def connected(ws: MessageWebSocket, uri: str) -> None:
    ws.connect(uri)
    assert ws.recv(timeout=WAIT) == "hello"
    ws.abort()  # what information says can still be read


def failed(ws: MessageWebSocket, uri: str, status: WebErrorStatus) -> curlwire.ConnectError:
    with pytest.raises(curlwire.ConnectError) as caught:
        ws.connect(uri)
    assert caught.value.status == status, caught.value
    return caught.value


def headers_of(head: str) -> dict[str, str]:
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}


@contextlib.contextmanager
def serving() -> Iterator[Serve]:
    with contextlib.ExitStack() as servers:

        def start(answer: Answer = accept, certificate: str = "", **options: Any) -> Proxy:
            context = None
            if certificate:
                pair = (str(folder() / f"{certificate}.pem"), str(folder() / f"{certificate}.key"))
                context = server_context(*pair, **options)
            return servers.enter_context(Proxy(answer, context))

        yield start

# SPDX-License-Identifier: MIT
"""Proxies for the tests: HTTP, HTTPS and SOCKS. They relay, or do what a test tells them."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest

import curlwire
from peers import WAIT

Answer = Callable[[socket.socket, bytes], None]


def head_size(connection: socket.socket, before: bytes) -> int:
    """Returns how many bytes may be read, so that nothing after the head is read. It does not look into TLS."""
    if isinstance(connection, ssl.SSLSocket):
        return 1
    seen = connection.recv(65536, socket.MSG_PEEK)
    end = (before + seen).find(b"\r\n\r\n")
    return len(seen) if end < 0 else end + 4 - len(before)


def read_head(connection: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = connection.recv(head_size(connection, head[-3:]))
        if not more:
            raise ConnectionError("the client ended the connection before the end of its request")
        head += more
    return head


def read_exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError("the client ended the connection before it had sent all bytes")
        data += more
    return data


def until_gone(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            continue


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def end_listening(listener: socket.socket, thread: threading.Thread) -> None:
    """Ends the thread of a server that waits for connections, and then closes its listener.

    close() alone does not end accept(), which could go on with the number of the descriptor after another
    listener has got it. Then two servers answer the same clients.
    """
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(WAIT)
    listener.close()


def relay(connection: socket.socket, host: str, port: int) -> None:
    """Relays bytes until both sides have ended. It resolves every host name to this machine."""
    with socket.create_connection(("::1" if ":" in host else "127.0.0.1", port), WAIT) as server:
        server.settimeout(None)
        back = threading.Thread(target=pump, args=(server, connection), daemon=True)
        back.start()
        pump(connection, server)
        back.join(WAIT)


def tunnel(connection: socket.socket, head: bytes) -> None:
    """Opens the tunnel that a CONNECT request asks for."""
    host, _, port = head.split(b" ")[1].decode().rpartition(":")
    connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    relay(connection, host.strip("[]"), int(port))


def reply(text: str, then: Answer = lambda connection, _: until_gone(connection)) -> Answer:
    """Returns an answer that sends the text with CRLF line ends and then calls `then`."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(text.replace("\n", "\r\n").encode())
        then(connection, head)

    return answer


def reset(connection: socket.socket, _: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Proxy:
    """A context manager that runs a proxy. It calls answer(connection, head) for each connection that has sent
    the head of a request, and puts the heads into `heads`. With a TLS context it is an https:// proxy."""

    def __init__(self, answer: Answer = tunnel, context: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.context = context
        self.heads: queue.Queue[str] = queue.Queue()
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self) -> Proxy:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        end_listening(self.listener, self.thread)
        with self.lock:
            for connection in self.open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        with contextlib.suppress(OSError):  # until the listener is closed
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection: socket.socket) -> None:
        with self.lock:
            self.open.add(connection)
        with connection, contextlib.suppress(OSError):
            if self.context:
                with self.context.wrap_socket(connection, server_side=True) as secure:
                    self.talk(secure)
            else:
                self.talk(connection)
        with self.lock:
            self.open.discard(connection)

    def talk(self, connection: socket.socket) -> None:
        head = self.read(connection)
        self.heads.put(head.decode("latin-1"))
        self.answer(connection, head)

    def read(self, connection: socket.socket) -> bytes:
        return read_head(connection)


class Socks(Proxy):
    """A SOCKS 5 and SOCKS 4 proxy. refusal: the byte with which it refuses a request, 0 to relay it. user: the
    user and password that it requires."""

    def __init__(
        self, refusal: int = 0, user: tuple[str, str] | None = None, answer: Answer | None = None
    ) -> None:
        super().__init__(answer or self.connect)
        self.refusal = refusal
        self.user = user
        self.version = 0

    def read(self, connection: socket.socket) -> bytes:
        self.version = read_exactly(connection, 1)[0]
        return bytes([self.version])

    def connect(self, connection: socket.socket, _: bytes) -> None:
        target = self.connect_5(connection) if self.version == 5 else self.connect_4(connection)
        if target:
            relay(connection, *target)

    def connect_5(self, connection: socket.socket) -> tuple[str, int] | None:
        methods = read_exactly(connection, read_exactly(connection, 1)[0])
        wanted = 2 if self.user else 0
        if wanted not in methods:
            connection.sendall(b"\x05\xff")
            return None
        connection.sendall(bytes([5, wanted]))
        if self.user:
            read_exactly(connection, 1)
            given = [read_exactly(connection, read_exactly(connection, 1)[0]).decode() for _ in range(2)]
            is_right = given == list(self.user)
            connection.sendall(b"\x01\x00" if is_right else b"\x01\x01")
            if not is_right:
                return None
        kind = read_exactly(connection, 4)[3]
        if kind == 1:
            host = socket.inet_ntop(socket.AF_INET, read_exactly(connection, 4))
        elif kind == 4:
            host = socket.inet_ntop(socket.AF_INET6, read_exactly(connection, 16))
        else:
            host = read_exactly(connection, read_exactly(connection, 1)[0]).decode()
        (port,) = struct.unpack("!H", read_exactly(connection, 2))
        connection.sendall(bytes([5, self.refusal, 0, 1]) + bytes(6))
        self.heads.put(f"{kind} {host}")
        return None if self.refusal else (host, port)

    def connect_4(self, connection: socket.socket) -> tuple[str, int] | None:
        port, address = struct.unpack("!xH4s", read_exactly(connection, 7))
        host = socket.inet_ntoa(address)
        until_zero(connection)  # the name of the user
        if address[:3] == bytes(3) and address[3]:
            host = until_zero(connection).decode()
        connection.sendall(bytes([0, self.refusal or 90]) + bytes(6))
        self.heads.put(f"4 {host}")
        return None if self.refusal else (host, port)


def until_zero(connection: socket.socket) -> bytes:
    text = b""
    while (byte := read_exactly(connection, 1)) != b"\0":
        text += byte
    return text


def stalled_behind(words: str, uri: str, without: str = "\0", **control: Any) -> curlwire.ConnectError:
    """Connects until the timeout. Returns the error, which names the place where nothing answers.

    On a busy machine the time may be over earlier, at another place. Then it connects again, with more time.
    """
    for timeout in (0.3, 3, 30):
        with pytest.raises(curlwire.ConnectError) as caught:
            curlwire.connect(uri, connect_timeout=timeout, **control)
        error: curlwire.ConnectError = caught.value
        assert error.status is curlwire.WebErrorStatus.TIMEOUT, error
        if words in str(error) and without not in str(error):
            break
    assert words in str(error)
    return error


def server_context(certificate: str, key: str, **options: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    for name, value in options.items():
        setattr(context, name, value)
    return context

# SPDX-License-Identifier: MIT
"""Tests that the server of the vectors waits, records and reports errors correctly for every kind of client."""

from __future__ import annotations

import itertools
import re
import socket
import struct
import time
from collections.abc import Iterator

import pytest

import run

RUNS = (f"run{number}" for number in itertools.count())
CLOSE = "888200000000" + "03e8"  # a close frame with 1000, masked with the key 0
PONG = "8a8100000000" + "70"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with run.Peers(("vectors",)) as peers:
        yield int(peers.environment["CW_VECTORS_WS"].rpartition(":")[2])


class Client:
    """A client that reads only the 101 by itself. With `last` it first sends these bytes and ends TCP."""

    def __init__(self, port: int, path: str, last: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n".encode())
        if last:
            self.socket.recv(1, socket.MSG_PEEK)  # the server goes on when the reply has been read
            self.send(last)
            self.socket.shutdown(socket.SHUT_WR)
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.socket.recv(1)

    def read(self, count: int) -> str:
        data = self.socket.recv(count, socket.MSG_WAITALL)
        return data.hex()

    def send(self, data: str) -> None:
        self.socket.sendall(bytes.fromhex(data))

    def rest(self) -> str:
        """Returns the bytes up to the end of TCP by the server, and then ends TCP too."""
        data = b"".join(iter(lambda: self.socket.recv(4096), b""))
        self.socket.close()
        return data.hex()


def started(port: int, name: str, way: str, last: str = "") -> tuple[Client, str]:
    token = next(RUNS)
    return Client(port, f"/vector/{token}/{name}/{way}", last), token


def record(port: int, token: str) -> list[str]:
    """Returns the words of the only line in the log: the way, the end, the frames."""
    client = Client(port, f"/log/{token}")
    client.send(CLOSE)
    lines = bytes.fromhex(client.rest())[2:-4].decode().split("\n")
    assert len(lines) == 1
    return lines[0].split(" ")[1:]


def test_a_good_client(port: int) -> None:
    client, token = started(port, "ping_between_texts", "whole")
    assert client.read(9) == "810174" + "890170" + "810175"
    client.send(PONG)
    assert client.read(4) == "880203e8"
    client.send(CLOSE)
    assert client.rest() == ""
    assert record(port, token) == ["whole", "server", "pong:70", "close:03e8"]


def test_a_part_waits_until_the_one_before_is_read(port: int) -> None:
    client, token = started(port, "header_text_hello", "3")
    time.sleep(0.1)  # only waiting can show that nothing more comes
    assert client.socket.recv(64, socket.MSG_PEEK).hex() == "810548"
    assert client.read(3) == "810548"
    assert client.read(4) == "656c6c6f"
    client.send(CLOSE)
    client.rest()
    assert record(port, token)[:2] == ["3", "server"]


def test_joined_comes_with_the_reply(port: int) -> None:
    client, _ = started(port, "header_text_hello", "joined")
    assert client.head.startswith(b"HTTP/1.1 101 ")
    assert client.read(7) == "810548656c6c6f"
    client.send(CLOSE)
    client.rest()


def test_it_waits_for_the_clients_close(port: int) -> None:
    client, token = started(port, "ours_first", "whole")
    client.send(CLOSE)
    assert client.read(4) == "880203e8"
    assert client.rest() == ""
    assert record(port, token) == ["whole", "server", "close:03e8"]


@pytest.mark.parametrize(
    ("sent", "frames"),
    [
        ("8802" + "03e8" + CLOSE, ["unmasked:03e8", "close:03e8"]),
        ("88fe000200000000" + "03e8", ["long:03e8"]),
        (CLOSE + PONG, ["close:03e8", "pong:70"]),
        ("818100000000" + "61" + CLOSE, ["81:61", "close:03e8"]),
        ("c88200000000" + "03e8" + CLOSE, ["c8:03e8", "close:03e8"]),
    ],
)
def test_what_no_client_may_send_is_recorded(port: int, sent: str, frames: list[str]) -> None:
    client, token = started(port, "opcode_3_empty", "whole")
    client.send(sent)
    client.rest()
    assert record(port, token)[2:] == frames


def test_a_client_that_ends_tcp_first_is_recorded(port: int) -> None:
    client, token = started(port, "opcode_3_empty", "whole", CLOSE)
    client.rest()
    assert record(port, token) == ["whole", "client", "close:03e8"]


def test_a_reset_is_recorded(port: int) -> None:
    client, token = started(port, "opcode_3_empty", "whole")
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()
    assert record(port, token) == ["whole", "reset"]


def test_other_paths_are_refused(port: int) -> None:
    for path in ("/vector/x/no_such_vector/whole", "/vector/x", "/"):
        client = Client(port, path)
        assert re.match(rb"HTTP/1\.1 404 ", client.head)
        client.rest()

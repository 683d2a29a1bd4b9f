# SPDX-License-Identifier: MIT
"""The proxy does what its script says at the very byte, also inside one segment."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from proxy import BadScript, Connection, Proxy, parse

WORDS = b"abcdefghij"


class Echo:
    """Sends back what it gets, and the end too; keeps what it got."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.got = b""
        self.end = ""
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        with self.listener:
            connection, _ = self.listener.accept()
        with connection:
            try:
                while data := connection.recv(4096):
                    self.got += data
                    connection.sendall(data)
                self.end = "eof"
            except ConnectionResetError:
                self.end = "reset"
        self.is_over.set()


@contextlib.contextmanager
def through(script: str) -> Iterator[tuple[socket.socket, Echo, Connection]]:
    """A client connected to the echo through a proxy with a script."""
    echo = Echo()
    with Proxy("127.0.0.1", echo.port) as proxy:
        port = proxy.listen([script])
        with socket.create_connection(("127.0.0.1", port), 60) as client:
            while not proxy.connections(port):
                time.sleep(0.001)  # until the proxy's thread has accepted
            yield client, echo, proxy.connections(port)[0]
    echo.thread.join(60)


def read_exactly(client: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (data := client.recv(count - len(got))):
        got += data
    return got


def until(condition: Callable[[], bool]) -> None:
    """Waits for what the proxy's thread does."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def exchange(client: socket.socket) -> tuple[bytes, str]:
    """Sends the words; what came, and how it ended."""
    try:
        client.sendall(WORDS)
    except ConnectionError:
        return b"", "reset"
    got = read_all(client)
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_WR)  # the proxy waits for our end
    return got


def read_all(client: socket.socket) -> tuple[bytes, str]:
    got = b""
    try:
        while data := client.recv(4096):
            got += data
    except ConnectionResetError:
        return got, "reset"
    return got, "eof"


def test_nothing_goes_wrong() -> None:
    with through("") as (client, echo, connection):
        client.sendall(WORDS)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == (WORDS, "eof")
        assert connection.ended.wait(60)
        assert (connection.end, echo.end, echo.got) == ("eof", "eof", WORDS)
        assert connection.kept == {"up": WORDS, "down": WORDS}


@pytest.mark.parametrize(
    ("action", "place"),
    [("cut", 0), ("cut", 1), ("cut", 4), ("cut", 10), ("reset", 1), ("reset", 4), ("reset", 10)],
)
def test_an_end_up(action: str, place: int) -> None:
    with through(f"up@{place}:{action}") as (client, echo, connection):
        _, end = exchange(client)
        assert echo.is_over.wait(60) and connection.ended.wait(60)
        assert (end, echo.end) == (("eof", "eof") if action == "cut" else ("reset", "reset"))
        assert echo.got == WORDS[:place] == bytes(connection.kept["up"])
        assert connection.end == action


def test_a_reset_at_once() -> None:
    with contextlib.suppress(ConnectionResetError), through("up@0:reset") as (client, echo, connection):
        # often it comes before connect() has returned, and then through() has raised it
        assert exchange(client) == (b"", "reset")
        assert connection.ended.wait(60) and connection.end == "reset" and echo.got == b""


@pytest.mark.parametrize("place", [0, 1, 4, 10])
def test_a_cut_down(place: int) -> None:
    with through(f"down@{place}:cut") as (client, echo, connection):
        assert exchange(client) == (WORDS[:place], "eof")
        assert echo.is_over.wait(60) and echo.end == "eof"
        assert connection.ended.wait(60) and connection.kept["down"] == WORDS[:place]


def test_half_an_end_up() -> None:
    with through("up@4:half") as (client, echo, _):
        client.sendall(WORDS)
        assert read_all(client) == (WORDS[:4], "eof")  # the echo of it still came
        assert (echo.end, echo.got) == ("eof", WORDS[:4])


def test_half_an_end_down() -> None:
    with through("down@4:half") as (client, echo, _):
        client.sendall(WORDS)
        assert read_all(client) == (WORDS[:4], "eof")
        client.sendall(WORDS)
        client.shutdown(socket.SHUT_WR)
        assert echo.is_over.wait(60) and echo.got == WORDS * 2


def test_a_stall() -> None:
    with through("down@4:stall") as (client, _, connection):
        client.sendall(WORDS)
        assert read_exactly(client, 4) == WORDS[:4]
        until(lambda: connection.passed == {"up": 10, "down": 4})
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert connection.passed == {"up": 10, "down": 4} and not connection.ended.is_set()


def test_a_stall_that_ends() -> None:
    begin = time.monotonic()
    with through("up@4:stall:200") as (client, *_):
        client.sendall(WORDS)
        assert read_exactly(client, 10) == WORDS
    assert time.monotonic() - begin >= 0.2


def test_a_gate() -> None:
    echo = Echo()
    with Proxy("127.0.0.1", echo.port) as proxy:
        port = proxy.listen(["down@4:gate"])
        with socket.create_connection(("127.0.0.1", port), 60) as client:
            client.sendall(WORDS)
            assert read_exactly(client, 4) == WORDS[:4]
            until(lambda: proxy.connections(port)[0].passed == {"up": 10, "down": 4})
            client.settimeout(0.1)
            with pytest.raises(TimeoutError):
                client.recv(1)
            client.settimeout(60)
            proxy.open_gates(port)
            assert read_exactly(client, 6) == WORDS[4:]
    echo.thread.join(60)


def test_who_is_first_changes() -> None:
    with through("up@2:until:2 down@0:until:6") as (client, echo, connection):
        # up waits for down, and down for up: nobody moves beyond the second byte
        client.sendall(WORDS)
        until(lambda: connection.passed["up"] == 2 and echo.got == WORDS[:2])
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert connection.passed == {"up": 2, "down": 0} and echo.got == WORDS[:2]
    with through("up@2:until:2") as (client, echo, _):
        client.sendall(WORDS)
        assert read_exactly(client, 10) == WORDS and echo.got == WORDS


def test_a_trickle() -> None:
    begin = time.monotonic()
    with through("down@4:trickle:2:20") as (client, *_):
        client.sendall(WORDS)
        assert read_exactly(client, 10) == WORDS
    assert time.monotonic() - begin >= 0.04  # between three pieces


def test_bytes_that_change() -> None:
    with through("up@1:xor:2020 up@4:insert:2d2d up@6:drop:3 down@11:cut") as (client, echo, connection):
        client.sendall(WORDS + WORDS)
        wanted = b"aBCd--efj" + WORDS
        got, end = read_all(client)
        assert (got, end) == (wanted[:11], "eof")
        assert echo.got.startswith(wanted[:11]) and wanted.startswith(echo.got)
        assert [str(step) for step in connection.done][:3] == [
            "up@1:xor:2020",
            "up@4:insert:2d2d",
            "up@6:drop:3",
        ]


def test_the_next_connection_has_the_next_script() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, Proxy("127.0.0.1", listener.getsockname()[1]) as proxy:
        port = proxy.listen(["down@0:cut", "up@1:cut", "up@2:reset"])
        for end in ("eof", "eof", "reset", "reset"):
            with socket.create_connection(("127.0.0.1", port), 60) as client:
                assert exchange(client) == (b"", end)
        listener.close()  # nobody takes the other side's connections: the proxy need not wait for their end
        ended = [connection.end for connection in proxy.connections(port) if connection.ended.wait(60)]
        assert ended == ["cut", "cut", "reset", "reset"]


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as holder:  # it has the port, and does not listen
        holder.bind(("127.0.0.1", 0))
        with Proxy("127.0.0.1", holder.getsockname()[1]) as proxy:
            port = proxy.listen([""])
            with contextlib.suppress(ConnectionResetError):  # it may come before connect() has returned
                with_client = socket.create_connection(("127.0.0.1", port), 60)
                with with_client:
                    assert exchange(with_client) == (b"", "reset")
            (connection,) = proxy.connections(port)
            assert connection.ended.wait(60) and connection.end == "refused"


@pytest.mark.parametrize(
    "script",
    ["up:cut", "up@x:cut", "side@1:cut", "up@1:jump", "up@1", "up@-1:cut", "up@1:cut:2", "up@1:xor:zz",
     "up@1:drop", "up@1:trickle:1", "up@5:drop:1 up@4:cut"],
)  # fmt: skip
def test_what_is_no_script(script: str) -> None:
    with pytest.raises(BadScript):
        parse(script)

# SPDX-License-Identifier: MIT
"""Tests with other servers, and of the promise that a busy interpreter keeps its connections."""

import threading
import time

import pytest

import curlwire
from peers import WAIT, ca_file, opened, url


def _exchange(ws: curlwire.MessageWebSocket) -> None:
    large = bytes(range(256)) * 1024
    for message in ("text é", b"binary", "", large):
        ws.send(message)
        assert ws.recv(timeout=WAIT) == message
    assert ws.ping(timeout=WAIT) > 0


def test_peer_node() -> None:
    with curlwire.connect(url("CW_NODE_WS")) as ws:
        _exchange(ws)
    assert ws.was_clean


def test_peer_nginx() -> None:
    with curlwire.connect(url("CW_NGINX_WS")) as ws:
        _exchange(ws)
    assert ws.was_clean


def test_peer_nginx_tls() -> None:
    with curlwire.connect(url("CW_NGINX_WSS"), ca_file=ca_file()) as ws:
        _exchange(ws)
    assert ws.was_clean


def _hold_the_gil(seconds: float) -> None:
    """Computes in C for at least this long without releasing the GIL."""
    end = time.monotonic() + seconds
    exponent = 100_000
    while time.monotonic() < end:
        begin = time.monotonic()
        pow(3, exponent)  # holds the GIL during the whole call
        if time.monotonic() - begin < seconds / 2:
            exponent *= 2


SERVER_PATIENCE = 0.3 + 4.0  # seconds: the interval plus the timeout of the server that pings


def test_promise() -> None:
    with curlwire.connect(url("CW_PING_WS", "/ticker")) as ws:
        first = int(ws.recv(timeout=WAIT))
        _hold_the_gil(1.4 * SERVER_PATIENCE)
        numbers = []
        while (number := ws.recv(timeout=WAIT)) is not None:
            numbers.append(int(number))
            if len(numbers) == 40:
                break
        assert numbers == list(range(first + 1, first + 41))
        assert ws.state == "open"


@pytest.mark.parametrize("main_receives", [True, False])
def test_promise_while_another_thread_receives(main_receives: bool) -> None:
    """The service thread must serve a connection whose thread in recv() waits for the GIL."""
    with curlwire.connect(url("CW_PING_WS", "/ticker")) as ws:
        numbers: list[int] = []

        def receive() -> None:
            while len(numbers) < 60:
                numbers.append(int(ws.recv(timeout=WAIT)))

        def compute() -> None:
            _hold_the_gil(1.4 * SERVER_PATIENCE)

        there, here = (compute, receive) if main_receives else (receive, compute)
        thread = threading.Thread(target=there)
        thread.start()
        here()
        thread.join()
        assert numbers == list(range(numbers[0], numbers[0] + 60))
        assert ws.state == "open"


def test_promise_while_the_main_thread_waits_in_silence() -> None:
    """The signal check of the main thread waits for the GIL. A quiet connection must survive that too."""
    with curlwire.connect(url("CW_PING_WS", "/")) as ws:
        thread = threading.Thread(target=_hold_the_gil, args=(1.4 * SERVER_PATIENCE,))
        thread.start()
        with pytest.raises(curlwire.WebSocketTimeout):
            ws.recv(timeout=1.4 * SERVER_PATIENCE)
        thread.join()
        ws.send("still here")
        assert ws.recv(timeout=WAIT) == "still here"


def test_threads_send_at_once() -> None:
    with opened() as ws:
        payloads = [bytes([65 + number]) * 5000 for number in range(8)]

        def send(payload: bytes) -> None:
            for _ in range(50):
                ws.send(payload)

        threads = [threading.Thread(target=send, args=(payload,)) for payload in payloads]
        for thread in threads:
            thread.start()
        received = [ws.recv(timeout=WAIT) for _ in range(8 * 50)]
        for thread in threads:
            thread.join()
    assert sorted(bytes(message) for message in received if isinstance(message, bytes)) == sorted(payloads * 50)

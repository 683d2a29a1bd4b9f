# SPDX-License-Identifier: MIT
"""A peer that falls silent: every phase ends at its own timeout, within 10 %, in each language and class."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import driver
import network
from curlwire import WebErrorStatus
from driver import CLIENTS
from phases import CONNECT_TIMEOUT, ENDED, OK, SHAPES, TIMED_OUT, Phase, check, run_all, until_on_time, variants
from proxy import Proxy


def check_connect(phase: Phase) -> None:
    for result in check(phase, "connect", CONNECT_TIMEOUT, variants()):
        assert len(result.ops) == 1 and not result.messages and not result.closed


def connecting(uri: str, prefix: Sequence[str] = (), environment: dict[str, str] | None = None) -> Phase:
    return Phase(uri, "connect_timeout=1", "connect recv", prefix, environment)


@contextlib.contextmanager
def silent(reply: bytes = b"") -> Iterator[int]:
    """A listener that accepts connections, sends the reply to each, and then stays silent."""
    held = []

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has given up
            connection.recv(1 << 16)
            connection.sendall(reply)

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                held.append(connection)
                if reply:
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


@pytest.fixture
def behind(server: int) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", server) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def head_bytes(server: int) -> int:
    """The length of the server's reply to the handshake."""
    with Proxy("127.0.0.1", server) as proxy:
        port = proxy.listen([""])
        line = driver.session("message", "blocking", f"ws://127.0.0.1:{port}/", "", "connect")
        driver.run(CLIENTS[0], [line])
        (connection,) = proxy.connections(port)
        assert connection.ended.wait(60)
        return connection.kept["down"].index(b"\r\n\r\n") + 4


# -- connecting


def test_a_name_server_that_never_answers(tmp_path: Path) -> None:
    with network.without_answers(tmp_path) as (made, name_server):
        check_connect(connecting("ws://curlwire.example/", made.prefix))
        assert name_server.stdout is not None
        for _ in variants():
            assert name_server.stdout.readline() == "query\n"


def test_a_listener_whose_queue_is_full() -> None:
    # a full queue drops the SYN, as a firewall would
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        check_connect(connecting(f"ws://127.0.0.1:{listener.getsockname()[1]}/"))


def test_a_route_that_loses_the_answer_to_the_syn() -> None:
    with network.pair() as (client, server):
        server.ip("route", "add", "blackhole", f"{network.CLIENT}/32")
        check_connect(connecting(f"ws://{network.SERVER}:9/", client.prefix))


def test_tls_that_never_begins() -> None:
    with silent() as port:
        check_connect(connecting(f"wss://127.0.0.1:{port}/"))


def test_tls_that_stops_in_the_middle(tls_server: int, tls_environment: dict[str, str]) -> None:
    with Proxy("127.0.0.1", tls_server) as proxy:
        port = proxy.listen(["down@700:stall"])
        check_connect(connecting(f"wss://localhost:{port}/", environment=tls_environment))
        # a client of a busy machine may have given up before
        assert max(connection.passed["down"] for connection in proxy.connections(port)) == 700


def test_a_proxy_that_never_answers() -> None:
    with silent() as port:
        proxies = dict.fromkeys(("all_proxy", "http_proxy"), f"http://127.0.0.1:{port}")
        proxies["no_proxy"] = ""
        check_connect(connecting("ws://curlwire.example/", environment=proxies))


def test_a_reply_that_stops(behind: Proxy, head_bytes: int) -> None:
    port = behind.listen([f"down@{place}:stall" for place in (0, 1, 12, 17, 50, 100, 150, head_bytes - 1)] * 5)
    check_connect(connecting(f"ws://127.0.0.1:{port}/"))


def test_a_reply_that_trickles(behind: Proxy) -> None:
    # progress does not prolong it: the timeout is for all of connecting
    port = behind.listen(["down@0:trickle:1:50"])
    check_connect(connecting(f"ws://127.0.0.1:{port}/"))


@pytest.mark.parametrize(
    "framing", ["Content-Length: 1000\r\n\r\nno,", "Transfer-Encoding: chunked\r\n\r\n3\r\nno,\r\n"]
)
def test_a_stalled_body_of_a_refusal_is_no_timeout(framing: str) -> None:
    # the body is read for a second at most, and not beyond the timeout; then the error is the refusal
    def lateness(result: driver.Result) -> str:
        assert (result.last.name, result.last.kind) == ("connect", "CW_CONNECT_FAILED"), result
        return "" if result.last.status is WebErrorStatus.FORBIDDEN else str(result)

    with silent(f"HTTP/1.1 403 Forbidden\r\n{framing}".encode()) as port:
        until_on_time(connecting(f"ws://127.0.0.1:{port}/"), variants(), lateness)


# -- open


def test_nothing_to_receive(behind: Proxy) -> None:
    port = behind.listen([""])
    phase = Phase(f"ws://127.0.0.1:{port}/", "receive_timeout=1", f"connect recv {driver.text('x')} recv")
    for result in check(phase, "recv", TIMED_OUT, variants(*SHAPES[::2]), is_late=is_echo_late):
        assert result.last.kind == "ok" and result.flow == b"x"  # the connection stands


def is_echo_late(result: driver.Result) -> bool:
    """Whether the second receive has timed out too. If it always does so, the test fails."""
    return result.last.kind == "CW_TIMED_OUT"


def test_a_message_that_stops_in_the_middle_comes_later(behind: Proxy, head_bytes: int) -> None:
    # the proxy passes the rest when it has the message of 10,000 bytes
    port = behind.listen([f"down@{head_bytes + 4}:until:5000"])
    ops = f"connect {driver.text('grüß')} recv:6 big:10000 recv:6"
    phase = Phase(f"ws://127.0.0.1:{port}/", "receive_timeout=1", ops)
    for result in check(phase, "recv", TIMED_OUT, variants(*SHAPES[::2]), is_late=is_echo_late):
        # a stream has given out the first two bytes, and reads on into the next message
        assert result.last.kind == "ok" and result.flow in ("grüß".encode(), "grüß".encode() + b"\0\0")


def test_a_pong_that_does_not_come(behind: Proxy, head_bytes: int) -> None:
    port = behind.listen([f"down@{head_bytes}:stall"])
    phase = Phase(f"ws://127.0.0.1:{port}/", "ping_timeout=1,ping_interval=50", "connect ping")
    check(phase, "ping", TIMED_OUT, variants())


def test_keepalive(behind: Proxy, head_bytes: int) -> None:
    port = behind.listen([f"down@{head_bytes}:stall"])
    phase = Phase(f"ws://127.0.0.1:{port}/", "ping_interval=0.5,ping_timeout=0.5", "connect wait")
    for result in check(phase, "wait", OK, variants()):
        assert [event[:2] for event in result.closed] == [(1006, False)]
        assert "after a keepalive ping" in result.closed[0][2]


def test_keepalive_ends_a_receive(behind: Proxy, head_bytes: int) -> None:
    port = behind.listen([f"down@{head_bytes}:stall"])
    phase = Phase(f"ws://127.0.0.1:{port}/", "ping_interval=0.5,ping_timeout=0.5", "connect recv")
    for result in check(phase, "recv", ENDED, variants(*SHAPES[::2])):
        assert [event[:2] for event in result.closed] == [(1006, False)]


# -- closing


def test_a_close_that_is_not_answered(behind: Proxy, head_bytes: int) -> None:
    port = behind.listen([f"down@{head_bytes}:stall"])
    phase = Phase(f"ws://127.0.0.1:{port}/", "close_timeout=1", f"connect {driver.close(1000)} wait")
    for result in check(phase, "wait", OK, variants()):
        assert [event[:2] for event in result.closed] == [(1006, False)]
        assert "close_timeout" in result.closed[0][2]


def test_a_close_that_cannot_leave(server: int) -> None:
    # the peer reads nothing, and the kernel's buffers are full: the close frame waits behind what gets lost
    with Proxy("127.0.0.1", server, buffer_bytes=4096) as proxy:
        port = proxy.listen(["up@1000:stall"])
        options = "send_timeout=1,close_timeout=10"
        phase = Phase(f"ws://127.0.0.1:{port}/", options, f"connect fill:10000 {driver.close(1000)} wait")
        for result in check(phase, "wait", ENDED, variants(SHAPES[0])):
            assert [event[:2] for event in result.closed] == [(1006, False)]


def test_tcp_that_stays_after_both_close_frames(behind: Proxy, head_bytes: int) -> None:
    port = behind.listen([f"down@{head_bytes + 4}:stall"])
    phase = Phase(f"ws://127.0.0.1:{port}/", "close_timeout=50", f"connect {driver.close(1000)} wait")
    for result in run_all(phase, variants()):
        # for the user the end is the close frame; TCP's is waited for behind his back
        assert result.closed == [(1000, True, "")]
        assert result.last.ms < 40_000

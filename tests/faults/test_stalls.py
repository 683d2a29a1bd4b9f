# SPDX-License-Identifier: MIT
"""A peer that falls silent: every phase ends at its own timeout, within 10 %, in each language and class.

The clients of a phase run at once, since all they do is wait. A busy machine may be late twice, not thrice.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import driver
import network
from curlwire import WebErrorStatus
from driver import CLIENTS, Client, Op, Result
from proxy import Proxy

TIMEOUT_MS = 1000
TRIES = 3
SHAPES = (("message", "blocking"), ("message", "handlers"), ("stream", "blocking"))


@dataclass(frozen=True)
class Variant:
    client: Client
    socket_class: str
    mode: str

    def __str__(self) -> str:
        return f"{self.client} {self.socket_class} {self.mode}"


def variants(*shapes: tuple[str, str]) -> list[Variant]:
    return [Variant(client, *shape) for client in CLIENTS for shape in shapes or SHAPES]


@dataclass(frozen=True)
class Phase:
    """Sessions that meet the same silence."""

    uri: str
    options: str
    ops: str
    prefix: Sequence[str] = ()
    environment: dict[str, str] | None = None

    def run(self, variant: Variant) -> Result:
        line = driver.session(variant.socket_class, variant.mode, self.uri, self.options, self.ops)
        return driver.run(variant.client, [line], self.prefix, self.environment)[0]


def is_in_time(op: Op, timeout_ms: int = TIMEOUT_MS) -> bool:
    return timeout_ms * 0.9 <= op.ms <= timeout_ms * 1.1


def check(phase: Phase, timed: str, wanted: tuple[str, WebErrorStatus], who: list[Variant]) -> list[Result]:
    """The op of that name ends like that at its timeout; the results, in the order of the variants."""
    results: dict[Variant, Result] = {}
    for _ in range(TRIES):
        late = [variant for variant in who if variant not in results]
        with ThreadPoolExecutor(len(who)) as pool:
            for variant, result in zip(late, pool.map(phase.run, late), strict=True):
                op = result.op(timed)
                assert (op.kind, op.status) == wanted, f"{variant}: {result}"
                if is_in_time(op):
                    results[variant] = result
        if len(results) == len(who):
            return [results[variant] for variant in who]
    raise AssertionError(f"not within 10 % of {TIMEOUT_MS} ms: " + ", ".join(str(one) for one in late))


CONNECT_TIMEOUT = ("CW_CONNECT_FAILED", WebErrorStatus.TIMEOUT)
TIMED_OUT = ("CW_TIMED_OUT", WebErrorStatus.TIMEOUT)
ENDED = ("CW_CLOSED", WebErrorStatus.TIMEOUT)
OK = ("ok", WebErrorStatus.UNKNOWN)


def check_connect(phase: Phase) -> None:
    for result in check(phase, "connect", CONNECT_TIMEOUT, variants()):
        assert len(result.ops) == 1 and not result.messages and not result.closed


def connecting(uri: str, prefix: Sequence[str] = (), environment: dict[str, str] | None = None) -> Phase:
    return Phase(uri, "connect_timeout=1", "connect recv", prefix, environment)


@contextlib.contextmanager
def silent(reply: bytes = b"") -> Iterator[int]:
    """A listener that takes connections and says no more than a reply."""
    held = []

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                held.append(connection)
                if reply:
                    connection.recv(1 << 16)
                    connection.sendall(reply)

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
        assert connection.ended.wait(10)
        return connection.kept["down"].index(b"\r\n\r\n") + 4


# -- connecting


def test_a_name_server_that_never_answers(tmp_path: Path) -> None:
    with network.without_answers(tmp_path) as (made, name_server):
        check_connect(connecting("ws://curlwire.example/", made.prefix))
        name_server.kill()
        assert name_server.stdout is not None
        assert name_server.stdout.read().count("query") >= len(variants())


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
        assert all(connection.passed["down"] == 700 for connection in proxy.connections(port))


def test_a_proxy_that_never_answers() -> None:
    with silent() as port:
        proxies = dict.fromkeys(("all_proxy", "http_proxy"), f"http://127.0.0.1:{port}")
        proxies["no_proxy"] = ""
        check_connect(connecting("ws://curlwire.example/", environment=proxies))


@pytest.mark.parametrize("place", [0, 12, 100, -1])
def test_a_reply_that_stops(behind: Proxy, head_bytes: int, place: int) -> None:
    port = behind.listen([f"down@{place % head_bytes}:stall"])
    check_connect(connecting(f"ws://127.0.0.1:{port}/"))


def test_a_reply_that_trickles(behind: Proxy) -> None:
    # progress does not prolong it: the timeout is for all of connecting
    port = behind.listen(["down@0:trickle:1:50"])
    check_connect(connecting(f"ws://127.0.0.1:{port}/"))


@pytest.mark.parametrize(
    "framing", ["Content-Length: 1000\r\n\r\nno,", "Transfer-Encoding: chunked\r\n\r\n3\r\nno,\r\n"]
)
def test_the_body_of_a_refusal_is_not_waited_for(framing: str) -> None:
    # libcurl gives up at the headers' end, so there is nothing to time out
    with silent(f"HTTP/1.1 403 Forbidden\r\n{framing}".encode()) as port, ThreadPoolExecutor(9) as pool:
        for result in pool.map(connecting(f"ws://127.0.0.1:{port}/").run, variants()):
            assert (result.last.kind, result.last.status) == ("CW_CONNECT_FAILED", WebErrorStatus.FORBIDDEN)
            assert result.last.ms < TIMEOUT_MS * 0.9


# -- open


def test_nothing_to_receive(behind: Proxy) -> None:
    port = behind.listen([""])
    phase = Phase(f"ws://127.0.0.1:{port}/", "receive_timeout=1", f"connect recv {driver.text('x')} recv")
    for result in check(phase, "recv", TIMED_OUT, variants(*SHAPES[::2])):
        assert result.last.kind == "ok" and result.flow == b"x"  # the connection stands


def test_a_message_that_stops_in_the_middle_comes_later(behind: Proxy, head_bytes: int) -> None:
    port = behind.listen([f"down@{head_bytes + 4}:stall:1700"])
    ops = f"connect {driver.text('grüß')} recv:6 recv:6"
    phase = Phase(f"ws://127.0.0.1:{port}/", "receive_timeout=1", ops)
    for result in check(phase, "recv", TIMED_OUT, variants(*SHAPES[::2])):
        assert result.flow == "grüß".encode()


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
    # the peer reads nothing, and the kernel's buffers are full: the close frame waits behind them
    with Proxy("127.0.0.1", server, buffer_bytes=4096) as proxy:
        port = proxy.listen(["up@1000:stall"])
        options = "send_timeout=0.2,close_timeout=1"
        phase = Phase(f"ws://127.0.0.1:{port}/", options, f"connect fill:10000 {driver.close(1000)} wait")
        for result in check(phase, "wait", OK, variants()):
            assert [event[:2] for event in result.closed] == [(1006, False)]


def test_tcp_that_stays_after_both_close_frames(behind: Proxy, head_bytes: int) -> None:
    port = behind.listen([f"down@{head_bytes + 4}:stall"])
    phase = Phase(f"ws://127.0.0.1:{port}/", "close_timeout=1", f"connect {driver.close(1000)} wait")
    with ThreadPoolExecutor(9) as pool:
        for result in pool.map(phase.run, variants()):
            # for the user the end is the close frame; TCP's is waited for behind his back
            assert result.closed == [(1000, True, "")]
            assert result.last.ms < TIMEOUT_MS * 0.9

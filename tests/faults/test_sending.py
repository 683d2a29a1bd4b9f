# SPDX-License-Identifier: MIT
"""A peer that stops reading: send waits, then times out, and a connection that lives has nothing half-sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import driver
from phases import ENDED, SHAPES, TIMED_OUT, Phase, check, run_all, variants
from proxy import Connection, Proxy

SCRIPTED = str(driver.ROOT / "tests" / "servers" / "scripted.py")
MESSAGE_BYTES = 10_000
BIG_BYTES = 6 << 20  # more than all the buffers on the way
MARK = b"after all"


@pytest.fixture(scope="module")
def sink() -> Iterator[int]:
    """A server that reads and says nothing."""
    with driver.started(SCRIPTED) as (port, _):
        yield port


@pytest.fixture
def narrow(sink: int) -> Iterator[Proxy]:
    """The proxy with small buffers, so that little fits between client and server."""
    with Proxy("127.0.0.1", sink, buffer_bytes=4096) as proxy:
        yield proxy


def frames_sent(connection: Connection) -> tuple[list[tuple[int, bytes]], int]:
    """The whole frames (first byte, payload) that the client sent, and how many bytes of another came."""
    data = connection.kept["up"]
    at, found = data.index(b"\r\n\r\n") + 4, []
    while len(data) - at >= 6:
        length, start = data[at + 1] & 127, at + 2
        if length > 125:
            size = 2 if length == 126 else 8
            length, start = int.from_bytes(data[start : start + size], "big"), start + size
        end = start + 4 + length
        if end > len(data):
            break
        mask = bytes(data[start : start + 4]) * (length // 4 + 1)
        plain = int.from_bytes(data[start + 4 : end], "big") ^ int.from_bytes(mask[:length], "big")
        found.append((data[at], plain.to_bytes(length, "big")))
        at = end
    return found, len(data) - at


def connections_of(proxy: Proxy, port: int) -> list[Connection]:
    connections = proxy.connections(port)
    assert all(connection.ended.wait(60) for connection in connections)
    return connections


def phase(port: int, options: str, ops: str) -> Phase:
    return Phase(f"ws://127.0.0.1:{port}/s", options, ops)


def until_filled(proxy: Proxy, options: str, ops: str) -> tuple[Phase, list[int]]:
    """Sessions whose peer stops reading until their fill has ended. Each has a port of its own, which the list
    gets."""
    ports: list[int] = []

    def begin() -> tuple[str, Callable[[str], object]]:
        port = proxy.listen(["up@1000:gate"])
        ports.append(port)

        def on_line(line: str) -> None:
            if line.startswith("took "):
                proxy.open_gates(port)

        return f"ws://127.0.0.1:{port}/s", on_line

    return Phase("", options, ops, begin=begin), ports


def test_a_message_that_waits_and_goes(narrow: Proxy) -> None:
    port = narrow.listen(["up@1000:stall:800"])
    for result in run_all(phase(port, "send_timeout=10", f"connect big:{BIG_BYTES} flush"), variants()):
        assert [op.kind for op in result.ops] == ["ok"] * 3 and result.op("big").ms >= 300
    for connection in connections_of(narrow, port):
        frames, rest = frames_sent(connection)
        assert sum(len(payload) for _, payload in frames) == BIG_BYTES and rest == 0
        assert [first for first, _ in frames] == [0x82]


def test_a_message_cut_off_ends_the_connection(narrow: Proxy) -> None:
    port = narrow.listen(["up@1000:gate"])
    # the time runs from the last byte that was taken, and filling the buffers takes a while before it: so 4 s
    sessions = phase(port, "send_timeout=4", f"connect big:{BIG_BYTES}")
    for result in check(sessions, "big", ENDED, variants(SHAPES[0]), timeout_ms=4000):
        assert [event[:2] for event in result.closed] == [(1006, False)]
    narrow.open_gates(port)
    for connection in connections_of(narrow, port):
        frames, rest = frames_sent(connection)
        assert frames == [] and 0 < rest < BIG_BYTES  # nobody can take it for a whole message


def test_a_message_that_did_not_fit_was_not_sent(narrow: Proxy) -> None:
    # what was taken goes when the peer reads again, and the connection is as good as before
    ops = f"connect fill:{MESSAGE_BYTES}:1000 binary:{MARK.hex()} flush"
    sessions, ports = until_filled(narrow, "send_timeout=90", ops)
    results = check(sessions, "fill", TIMED_OUT, variants(SHAPES[0]), lambda result: result.took_ms)
    for result in results:
        assert [op.kind for op in result.ops] == ["ok", "CW_TIMED_OUT", "ok", "ok"]
    counts = set()
    for (connection,) in (connections_of(narrow, port) for port in ports):
        frames, rest = frames_sent(connection)
        assert rest == 0 and {first for first, _ in frames} == {0x82}
        *filled, mark = [payload for _, payload in frames]
        assert mark == MARK and {len(payload) for payload in filled} == {MESSAGE_BYTES}
        assert [int.from_bytes(payload[:8], "big") for payload in filled] == list(range(len(filled)))
        counts.add(len(filled))
    assert {result.took for result in results} <= counts


def test_frames_are_whole_when_the_peer_reads_late(narrow: Proxy) -> None:
    # flush gives up before the peer reads on; what was taken comes whole, since the close waits for progress
    ops = f"connect fill:{MESSAGE_BYTES}:500 {driver.close(1000)} wait"
    sessions, ports = until_filled(narrow, "send_timeout=90,close_timeout=5", ops)
    for result in run_all(sessions, variants(SHAPES[0])):
        assert result.op("fill").kind == "CW_TIMED_OUT" and len(result.closed) == 1
    for (connection,) in (connections_of(narrow, port) for port in ports):
        frames, rest = frames_sent(connection)
        assert rest == 0 and frames.pop() == (0x88, b"\x03\xe8")
        assert [int.from_bytes(payload[:8], "big") for _, payload in frames] == list(range(len(frames)))

# SPDX-License-Identifier: MIT
"""Tests of ws.information.statistics and curlwire.statistics()."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import curlwire
from curlwire import WebErrorStatus
from peers import frame, handshake, opened, opened_stream, script, url

HEADER = Path(__file__).resolve().parents[2] / "core" / "include" / "curlwire.h"
ROW = re.compile(r'X\(\w+, "(\w+)", (\w+), (COUNT|BYTES|US), "([^"]+)"\)')


def rows() -> list[tuple[str, str, str, str]]:
    """The key, kind, unit and text of each number in the core's table."""
    table = (
        HEADER.read_text(encoding="utf-8").partition("CW_STATISTICS_LIST(X)")[2].partition("clang-format on")
    )
    return [match.groups() for match in ROW.finditer(table[0])]  # type: ignore[misc]


def test_names_and_texts() -> None:
    names = [key for key, *_ in rows()]
    assert len(names) > 30
    assert [field.name for field in dataclasses.fields(curlwire.Statistics)] == names
    process = [field.name for field in dataclasses.fields(curlwire.ProcessStatistics)]
    assert process == [*names, "closed", "failed"]
    lines = [line.strip() for line in (curlwire.Statistics.__doc__ or "").splitlines()]
    for key, _, _, text in rows():
        assert f"{key}: {text[0].lower()}{text[1:]}." in lines


def test_new() -> None:
    numbers = curlwire.MessageWebSocket().information.statistics
    for key, kind, unit, _ in rows():
        wanted = None if unit == "US" and kind != "TOTAL" else 0
        assert getattr(numbers, key) == wanted, key
    with pytest.raises(dataclasses.FrozenInstanceError):
        numbers.pings_sent = 1  # type: ignore[misc]


@pytest.mark.parametrize("framing", ["auto", "curl"])
def test_numbers(framing: str) -> None:
    with curlwire.connect(
        script(f"x:{frame(9, b'a')}{frame(1, b'h')}", "frame:1", "echo"), framing=framing
    ) as ws:
        assert ws.recv() == "h"  # the pong has been sent before
        ws.send("äb")
        assert ws.recv() == "äb"
        ws.send(b"x" * 200)
        assert ws.recv() == b"x" * 200
        round_trip = ws.ping()
        n = ws.information.statistics
        assert (n.open_sockets, n.connects, n.failed_connects, n.ended_connections) == (1, 1, 0, 0)
        assert (n.text_messages_sent, n.binary_messages_sent, n.bytes_sent) == (1, 1, 203)
        assert (n.text_messages_received, n.binary_messages_received, n.bytes_received) == (2, 1, 204)
        assert (n.text_frames_sent, n.binary_frames_sent, n.continuation_frames_sent) == (1, 1, 0)
        assert (n.pings_sent, n.pongs_sent, n.pings_received, n.pongs_received) == (1, 1, 1, 1)
        assert n.wire_bytes_sent == 7 + 9 + 208 + 14
        assert n.wire_bytes_received == 3 + 3 + 5 + 204 + 10
        assert n.round_trips == 1
        assert n.round_trip_last == n.round_trip_least == n.round_trip_most == n.round_trip_mean == round_trip
        assert n.round_trip_sum == pytest.approx(round_trip)
        assert n.receive_queue_bytes == n.send_queue_bytes == n.lost_bytes == 0
        assert n.receive_queue_bytes_most > 200
    ws.wait_closed()
    after = ws.information.statistics
    assert (after.open_sockets, after.ended_connections, after.close_frames_sent) == (0, 1, 1)
    assert after.bytes_sent == 203


def test_stream() -> None:
    with opened_stream() as ws:
        ws.output_stream.write(b"hello")
        assert ws.input_stream.read(5) == b"hello"
        assert ws.information.statistics.bytes_received == 5


def test_process() -> None:
    before = curlwire.statistics()
    assert isinstance(before, curlwire.ProcessStatistics)
    with opened() as ws:
        ws.send(b"abc")
        assert ws.recv() == b"abc"
        now = curlwire.statistics()
        assert now.open_sockets >= 1
        assert now.connects == before.connects + 1
        assert now.bytes_sent == before.bytes_sent + 3
        ws.close(3210)
        ws.wait_closed()
    with pytest.raises(curlwire.HandshakeError):
        curlwire.connect(script(handshake("HTTP/1.1 418 Teapot\n\n")))
    with pytest.raises(curlwire.ConnectError):
        curlwire.connect("ws://127.0.0.1:1/")
    del ws
    after = curlwire.statistics()
    assert after.bytes_sent == before.bytes_sent + 3
    assert after.closed[3210] == before.closed.get(3210, 0) + 1
    assert after.failed_connects == before.failed_connects + 2
    for status in (WebErrorStatus.CANNOT_CONNECT, WebErrorStatus.UNEXPECTED_CLIENT_ERROR):
        assert after.failed[status] == before.failed.get(status, 0) + 1
        assert isinstance(next(iter(after.failed)), WebErrorStatus)


def test_keepalive_round_trips() -> None:
    """The pings of keepalive are measured too."""
    with opened(ping_interval=0.01) as ws:
        while ws.information.statistics.round_trips < 3:
            with pytest.raises(curlwire.WebSocketTimeout):
                ws.recv(timeout=0.01)
        n = ws.information.statistics
        assert n.pings_sent >= 3
        assert n.round_trip_least is not None
        assert n.round_trip_most is not None
        assert n.round_trip_mean is not None
        assert 0 < n.round_trip_least <= n.round_trip_mean <= n.round_trip_most


def test_after_fork() -> None:
    with opened() as ws:
        ws.send(b"abc")
        ws.recv()
        child = os.fork()
        if child == 0:
            is_good = curlwire.statistics().bytes_sent == 0
            try:
                _ = ws.information.statistics
            except curlwire.StateError:
                os._exit(0 if is_good else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert ws.information.statistics.bytes_sent == 3


def run_example(name: str) -> str:
    source = HEADER.parents[2] / "examples" / name
    done = subprocess.run(
        [sys.executable, source, url("CW_ECHO_WS")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_prometheus() -> None:
    lines = run_example("prometheus_statistics.py").splitlines()
    for line in (
        "curlwire_connects_total 1.0",
        "curlwire_open_sockets 0.0",
        "curlwire_bytes_sent_total 5.0",
        'curlwire_closed_total{code="1000"} 1.0',
    ):
        assert line in lines


def test_opentelemetry() -> None:
    lines = run_example("opentelemetry_statistics.py").splitlines()
    for line in (
        "curlwire.sockets.open {} 0",
        "curlwire.message.size {'direction': 'sent'} 5",
        "curlwire.wire.size {'direction': 'received'} 11",
        "curlwire.closed {'code': 1000} 1",
    ):
        assert line in lines


def test_page_lists_all() -> None:
    page = (HEADER.parents[2] / "docs" / "tracing.md").read_text(encoding="utf-8")
    for key, _, _, text in rows():
        assert f"| `{key}` | {text} |\n" in page

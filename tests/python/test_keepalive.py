# SPDX-License-Identifier: MIT
"""The control keepalive, and ws.information.latency."""

import copy
import pickle
from typing import Any

import pytest

import curlwire
from peers import WAIT, Recorded, frame, opened, opened_stream, script


def text(payload: str) -> str:
    return f"x:{frame(1, payload.encode())}"


def close_after_message(ws: curlwire.MessageWebSocket) -> None:
    """Closes when the server has sent its message."""
    assert ws.recv(WAIT) == "enough"
    ws.close()
    ws.wait_closed(WAIT)


def opcodes(peer: Recorded) -> list[int]:
    return [each["opcode"] for each in peer.record()["frames"]]


@pytest.mark.parametrize(("mode", "opcode"), [("idle", 9), ("ping", 9), ("pong", 10)])
@pytest.mark.parametrize("framing", ["auto", "curl"])
def test_keepalive_modes(mode: Any, opcode: int, framing: Any) -> None:
    """RFC 6455 5.5.2, 5.5.3: a ping or an unsolicited pong at every interval."""
    peer = Recorded("frame:3", text("enough"), "echo", "end")
    ws = curlwire.connect(peer.url, keepalive=mode, ping_interval=0.01, framing=framing)
    assert ws.control.keepalive == mode
    assert ws.control.actual_unsolicited_pong_interval == (0.01 if mode == "pong" else 0)
    close_after_message(ws)
    assert opcodes(peer)[:3] == [opcode] * 3


def test_keepalive_off() -> None:
    """RFC 6455 5.5.2: neither pings nor pongs of its own, but the server's pings are answered."""
    peer = Recorded("wait:50", "x:8900", "frame:1", text("enough"), "echo", "end")
    ws = curlwire.connect(
        peer.url, keepalive="off", ping_interval=0.001, desired_unsolicited_pong_interval=0.001
    )
    assert ws.control.actual_unsolicited_pong_interval == 0
    close_after_message(ws)
    assert opcodes(peer) == [10, 8]


def test_keepalive_pong_has_its_own_interval() -> None:
    peer = Recorded("frame:2", text("enough"), "echo", "end")
    ws = curlwire.connect(
        peer.url, keepalive="pong", ping_interval=1000, desired_unsolicited_pong_interval=0.01
    )
    assert ws.control.actual_unsolicited_pong_interval == 0.01
    close_after_message(ws)
    assert opcodes(peer)[:2] == [10, 10]


def test_keepalive_wrong() -> None:
    ws = curlwire.MessageWebSocket()
    control: Any = ws.control
    assert control.keepalive == "idle"
    for value, error in (("on", curlwire.ArgumentError), ("", curlwire.ArgumentError), (5, TypeError),
                         (None, TypeError), (True, TypeError)):  # fmt: skip
        with pytest.raises(error, match="keepalive"):
            control.keepalive = value
    assert control.keepalive == "idle"


@pytest.mark.parametrize("framing", ["auto", "curl"])
def test_latency(framing: Any) -> None:
    """RFC 6455 5.5.2: the round trips of ping() and of keepalive."""
    assert curlwire.MessageWebSocket().information.latency == (None, None, None, None)
    with opened(keepalive="off", framing=framing) as ws:
        assert ws.information.latency.last is None
        trips = [ws.ping(WAIT) for _ in range(5)]
        latency = ws.information.latency
        assert isinstance(latency, curlwire.Latency)
        assert latency.last == trips[-1]
        assert latency.minimum == min(trips)
        assert latency.mean == pytest.approx(sum(trips) / 5, abs=2e-6)
        assert latency.p99 == max(trips)
        assert latency.last == ws.information.statistics.round_trip_last
    assert ws.information.latency == latency  # also after the end
    assert copy.copy(latency) == pickle.loads(pickle.dumps(latency)) == latency  # our own bytes


def test_latency_of_keepalive() -> None:
    with opened_stream(keepalive="ping", ping_interval=0.001) as ws:
        while ws.information.statistics.round_trips < 150:  # more than latency looks at
            ws.ping(WAIT)
        latency = ws.information.latency
        assert None not in latency
        assert 0 < (latency.minimum or 0) <= (latency.mean or 0) <= (latency.p99 or 0) < WAIT


def test_latency_without_answer() -> None:
    with curlwire.connect(script("hang"), keepalive="off") as ws:
        with pytest.raises(curlwire.WebSocketTimeout):
            ws.ping(0.01)
        assert ws.information.latency == (None, None, None, None)
        ws.abort()

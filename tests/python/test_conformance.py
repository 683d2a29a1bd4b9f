# SPDX-License-Identifier: MIT
"""Runs the vectors of tests/conformance against the whole library, each sent in every way.

All vectors are replayed first, many at a time. Then one test for each vector checks its outcome.
"""

from __future__ import annotations

import re
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import curlwire
from peers import HAS_COMPRESSION, WAIT, url

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "servers"))

import vectors
from vectors import Expected, Vector

ALL = vectors.read_all()
VECTORS = [vector for vector in ALL if HAS_COMPRESSION or "compression" not in vector.controls]
AT_ONCE = 32
Event = tuple[str, bytes, bool]  # text or binary, the payload, is_message_complete


@dataclass
class Outcome:
    """The events that a client reported, and the server's record."""

    events: list[Event] = field(default_factory=list)
    closed: list[tuple[int, str, bool]] = field(default_factory=list)
    error: str = ""
    codec: str = ""  # the codec that received
    record: list[str] = field(default_factory=list)  # the record of the server: end, frames


def replay(vector: Vector, way: str, run: str) -> Outcome:
    outcome = Outcome()
    ended = threading.Event()

    def on_closed(_: object, args: curlwire.ClosedEventArgs) -> None:
        outcome.closed.append((args.code, args.reason, args.was_clean))
        ended.set()

    ws = curlwire.MessageWebSocket(**vector.controls)  # type: ignore[arg-type]
    ws.on_closed = on_closed
    ws.connect(url("CW_VECTORS_WS", f"/vector/{run}/{vector.name}/{way}"), timeout=WAIT)
    outcome.codec = "native" if ws.framing == "native" else "curl"
    if vector.client_closes is not None:
        code = int.from_bytes(vector.client_closes[:2]) if vector.client_closes else 1005
        ws.close(code, vector.client_closes[2:].decode())
    try:
        while True:
            got = ws.recv(timeout=WAIT, copy=False)
            kind = "text" if got.message_type == curlwire.SocketMessageType.UTF8 else "binary"
            outcome.events.append((kind, bytes(got), got.is_message_complete))
    except curlwire.ConnectionClosed:
        pass
    except curlwire.WebSocketError as error:
        outcome.error = str(error)
    if not ended.wait(WAIT):
        outcome.error += " no closed event came"
    if outcome.closed[:1] != [(ws.close_code, ws.close_reason, ws.was_clean)]:
        outcome.error += " the attributes are not those of the event"
    return outcome


@pytest.fixture(scope="session")
def outcomes() -> dict[tuple[str, str], Outcome]:
    run = uuid.uuid4().hex
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {
            (vector.name, way): pool.submit(replay, vector, way, run)
            for vector in VECTORS
            for way in vector.ways()
        }
        done = {key: job.result() for key, job in jobs.items()}
    for line in log(run):
        name, way, *record = line.split(" ")
        assert not done[name, way].record, f"{name} {way} was recorded twice"
        done[name, way].record = record
    return done


def log(run: str) -> Iterator[str]:
    with curlwire.connect(url("CW_VECTORS_WS", f"/log/{run}")) as ws:
        for message in ws:
            assert isinstance(message, str)
            yield from message.split("\n")


# ---- checks of an outcome


def joined(events: list[Event]) -> list[Event]:
    """Joins the parts of each message, so that only the last event may be incomplete."""
    whole: list[Event] = []
    for kind, data, is_complete in events:
        if whole and not whole[-1][2]:
            assert whole[-1][0] == kind, "the parts of one message have different types"
            data = whole.pop()[1] + data
        whole.append((kind, data, is_complete))
    return whole


def check_messages(got: list[Event], expected: Expected) -> None:
    whole = joined(got)
    for kind, data in expected.messages:
        if kind.endswith("_begun"):
            begun = whole.pop(0) if whole else (kind.removesuffix("_begun"), b"", False)
            assert begun[0] + "_begun" == kind
            assert not begun[2], "a message without an end was reported as complete"
            assert data.startswith(begun[1])
        else:
            assert whole, f"no {kind} message of {len(data)} bytes came"
            # Compare outside the assertion, because pytest would take minutes to show a difference of
            # megabytes.
            is_equal = whole[0] == (kind, data, True)
            assert is_equal, f"{whole[0][0]} {whole[0][1][:100]!r} instead of {kind} {data[:100]!r}"
            del whole[0]
    assert not whole, f"a message too many came: {whole[0][0]} {whole[0][1][:100]!r}"


def check_closed(closed: list[tuple[int, str, bool]], expected: Expected) -> None:
    assert len(closed) == 1, f"there must be one closed event, not {len(closed)}"
    code, reason, was_clean = closed[0]
    if expected.end == "closed":
        assert (code, reason, was_clean) == (expected.code, expected.payload[2:].decode(), True)
    else:
        assert (code, was_clean) == (1006, False)
        assert len(reason) > 10, f"the reason is too short: {reason!r}"


def check_answers(record: list[str], vector: Vector, expected: Expected) -> None:
    assert record, "the server has no record of this connection"
    end, *frames = record
    assert end == "server", f"TCP's end: {end}"
    if vector.client_closes is not None:
        assert frames[:1] == [f"close:{vector.client_closes.hex()}"]
        del frames[0]
    for must, payload in expected.pongs:
        if frames[:1] == [f"pong:{payload.hex()}"]:
            del frames[0]
        else:
            assert not must, f"a pong is missing; the client sent {frames}"
    if expected.end == "lost" or vector.client_closes is not None:
        assert frames == []
    elif expected.end == "closed":
        assert frames == [f"close:{expected.payload[:2].hex()}"]
    else:
        assert len(frames) == 1, f"one close frame, and no frame after it: {frames}"
        assert frames[0].startswith(f"close:{expected.payload.hex()}")
        assert bytes.fromhex(frames[0].partition(":")[2])[2:].decode(), "the close frame has no reason"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_vector(vector: Vector, outcomes: dict[tuple[str, str], Outcome]) -> None:
    for way in vector.ways():
        outcome = outcomes[vector.name, way]
        expected = vector.expected(outcome.codec)
        try:
            assert outcome.error == ""
            check_messages(outcome.events, expected)
            check_closed(outcome.closed, expected)
            check_answers(outcome.record, vector, expected)
        except AssertionError as error:
            pytest.fail(
                f"{vector.category}.txt, {vector.name} (RFC 6455 {vector.section}), sent as {way}: {error}"
            )


# ---- tests of the reader of vectors


def test_there_are_enough() -> None:
    assert len(ALL) >= 400
    assert [name for name, count in Counter(vector.name for vector in ALL).items() if count > 1] == []


def test_each_names_its_section() -> None:
    pattern = re.compile(r"[1-9]\d?(\.\d+)+(, [1-9]\d?(\.\d+)+)*")
    assert [vector.name for vector in ALL if not pattern.fullmatch(vector.section)] == []


def test_the_page_counts_them() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\w+)\]\(\S+\) \| (\d+) \|", page, re.MULTILINE)
    assert {name: int(count) for name, count in rows} == Counter(vector.category for vector in ALL)
    assert f"{len(ALL)} vectors" in page


def test_wrong_lines_are_refused(tmp_path: Path) -> None:
    for wrong in (
        "send 8",
        "send {81",
        "send 81}",
        'send "a',
        "send 0x81",
        "texts 61",
        "closed\nclosed",
        "fail x",
    ):
        path = tmp_path / "wrong.txt"
        path.write_text(f"vector wrong\nsection 5.2\n{wrong}\nsend\n")
        with pytest.raises(vectors.BadVector):
            [vector.data for vector in vectors.read_file(path)]
    path.write_text("vector without_section\nsend 81\n")
    with pytest.raises(vectors.BadVector, match="section"):
        list(vectors.read_file(path))

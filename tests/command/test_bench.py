# SPDX-License-Identifier: MIT
"""The verb bench."""

import json

import pytest

from curlwire.command.bench import Row, percentiles
from helpers import echo, run, script, text, url


def test_json() -> None:
    ended = run("bench", "--duration", "0.6", "--size", "100", "--output-format", "jsonl", echo())
    assert (ended.code, ended.err) == (0, "")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [row["part"] for row in rows] == ["connects", "round trips", "throughput"]
    for row in rows:
        assert row["count"] >= 1
        assert row["per_second"] > 0
    for row in rows[:2]:
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"] <= row["p100_ms"]


def test_table() -> None:
    ended = run("bench", "--duration", "0.1", echo())
    head, *rows = ended.out.splitlines()
    assert head.split() == ["count", "rate", "p50", "p90", "p99", "most"]
    assert [row.rpartition("/s")[0].split()[0] for row in rows] == ["connects", "round", "throughput"]
    assert "\x1b" not in ended.out  # it is no terminal


def test_percentiles() -> None:
    assert percentiles([float(at) for at in range(1, 101)]) == [50, 90, 99, 100]
    assert percentiles([3.0]) == [3.0] * 4
    assert Row("x", 10, 2.0, []).as_json() == {"part": "x", "count": 10, "seconds": 2.0, "per_second": 5.0}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, ["--duration", "61", "ws://localhost:1/"]),
        (2, ["--size", "2M", "ws://localhost:1/"]),
        (2, []),
        (3, ["ws:///"]),
        (7, [url("CW_REFUSED_WS")]),
        (110, ["--duration", "0.1", script("frame:1", "close:1011")]),
        (112, ["--duration", "0.1", script("frame:1", text("other"), "echo")]),
    ],
)
def test_failures(code: int, words: list[str]) -> None:
    ended = run("bench", *words)
    assert ended.code == code
    assert ended.err.startswith(f"curlwire: ({code}) ")

# SPDX-License-Identifier: MIT
"""The verb bench: connects, round trips and throughput of a server that echoes, with limits on the load."""

import _thread
import json
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from curlwire._core import MessageWebSocket
from curlwire.command import codes, connecting
from curlwire.command.codes import Failure
from curlwire.command.live import Table
from curlwire.command.output import shown, write_all
from curlwire.command.parser import Given, usage
from curlwire.errors import WebSocketError, WebSocketTimeout

# The limits, which --help states: a test of a server must not be an attack.
MOST_S, MOST_CONNECTS, MOST_BYTES, MOST_AHEAD = 60.0, 1000, 1 << 20, 256
_DEFAULT_S, _DEFAULT_BYTES, _ANSWER_S = 3.0, 32, 10.0
_CLOSE_S = 1.0  # for the server's close frame
_PARTS = 3
_SHOW_S = 0.2  # between two changes of the live table
_PERCENTILES = (50, 90, 99, 100)
_HEAD = ["", "count", "rate", *(f"p{which}" for which in _PERCENTILES[:-1]), "most"]
_WIDTHS = (14, 10, 12, 11, 11, 11, 11)


class Row(NamedTuple):
    """What one part has measured. times_s: of each connect or round trip; [] for throughput."""

    name: str
    done: int
    taken_s: float
    times_s: list[float]

    def as_json(self) -> dict[str, Any]:
        """The row for JSON; times in milliseconds."""
        row: dict[str, Any] = {"part": self.name, "count": self.done, "seconds": round(self.taken_s, 3)}
        row["per_second"] = round(self.done / self.taken_s, 1)
        if self.times_s:
            found = percentiles(self.times_s)
            row |= {f"p{which}_ms": round(1000 * at, 4) for which, at in zip(_PERCENTILES, found, strict=True)}
        return row

    def as_cells(self) -> list[str]:
        """The row of the table."""
        cells = [self.name, str(self.done), f"{self.done / max(self.taken_s, 1e-9):,.0f}/s"]
        return cells + [f"{1000 * at:.3f} ms" for at in (percentiles(self.times_s) if self.times_s else [])]


def _line(cells: list[str]) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=False)).rstrip()


def percentiles(times_s: list[float]) -> list[float]:
    """Returns the 50th, 90th and 99th percentile and the largest."""
    ordered = sorted(times_s)
    return [ordered[max(0, math.ceil(len(ordered) * which / 100) - 1)] for which in _PERCENTILES]


def _end(ws: MessageWebSocket) -> None:
    ws.close()
    try:
        ws.wait_closed(_CLOSE_S)
    except WebSocketTimeout:
        ws.abort()


class Bench:
    """A run of all parts against one server."""

    def __init__(self, given: Given, uri: str) -> None:
        self.given: Given = given
        self.uri: str = uri
        self.is_json: bool = given.get("output-format") == "jsonl"
        self.part_s: float = given.get("duration", _DEFAULT_S) / _PARTS
        self.message: str = "x" * int(given.get("size", _DEFAULT_BYTES))
        self.shown_at: float = 0.0
        self.rows: list[list[str]] = []
        self.table: Table = Table(not self.is_json, _HEAD)

    def run(self) -> None:
        """Runs the parts and writes a row for each. Raises Failure and WebSocketError."""
        if not self.is_json and not self.table.is_shown:
            self._write(_line(_HEAD))
        with self.table:
            for part in (self._connects, self._round_trips, self._throughput):
                row = part()
                self.rows.append(row.as_cells())
                if self.table.is_shown:
                    self.table.show(self.rows)
                else:
                    self._write(json.dumps(row.as_json()) if self.is_json else _line(row.as_cells()))

    @staticmethod
    def _write(line: str) -> None:
        write_all(1, f"{line}\n".encode(), "stdout")

    def _show(self, row: Callable[[], Row]) -> None:
        """Shows the row so far, if the table is live."""
        now = time.monotonic()
        if self.table.is_shown and now - self.shown_at >= _SHOW_S:
            self.shown_at = now
            self.table.show([*self.rows, row().as_cells()])

    def _open(self) -> MessageWebSocket:
        ws = connecting.make(self.given)
        assert isinstance(ws, MessageWebSocket)
        connecting.connect(self.given, ws, self.uri, math.inf)
        return ws

    def _repeat(self, name: str, most: float, step: Callable[[], float]) -> Row:
        times: list[float] = []
        began = time.perf_counter()
        while len(times) < most and (not times or time.perf_counter() - began < self.part_s):
            times.append(step())
            self._show(lambda: Row(name, len(times), time.perf_counter() - began, times))
        return Row(name, len(times), time.perf_counter() - began, times)

    def _connects(self) -> Row:
        def step() -> float:
            began = time.perf_counter()
            ws = self._open()
            taken_s = time.perf_counter() - began
            _end(ws)
            return taken_s

        return self._repeat("connects", MOST_CONNECTS, step)

    def _check(self, answer: str | bytes) -> None:
        if answer != self.message:
            raise Failure(
                codes.EXPECT, f"the server does not echo: {shown(repr(answer[:40]))}. Give one that does"
            )

    def _round_trips(self) -> Row:
        ws = self._open()

        def step() -> float:
            began = time.perf_counter()
            ws.send(self.message)
            self._check(ws.recv(_ANSWER_S))
            return time.perf_counter() - began

        row = self._repeat("round trips", math.inf, step)
        _end(ws)
        return row

    def _throughput(self) -> Row:
        """One thread sends, at most MOST_AHEAD messages ahead of their echoes; this one receives them."""
        ws = self._open()
        room = _thread.allocate_lock()
        state = {"sent": 0, "received": 0, "is_over": False}

        def send() -> None:
            try:
                while not state["is_over"]:
                    count = MOST_AHEAD - (state["sent"] - state["received"])
                    if count <= 0:
                        room.acquire(timeout=_ANSWER_S)
                        continue
                    state["sent"] += ws.send_many([self.message] * count)
            except WebSocketError:
                state["is_over"] = True  # the receiving thread gets the same error
            done.release()

        done = _thread.allocate_lock()
        done.acquire()
        room.acquire()
        began = time.perf_counter()
        _thread.start_new_thread(send, ())
        while time.perf_counter() - began < self.part_s or not state["received"]:
            self._check(ws.recv(_ANSWER_S))
            state["received"] += 1
            if room.locked() and state["sent"] - state["received"] <= MOST_AHEAD // 2:
                room.release()
            now_s = time.perf_counter() - began
            self._show(lambda now_s=now_s: Row("throughput", state["received"], now_s, []))  # type: ignore[misc]
        row = Row("throughput", state["received"], time.perf_counter() - began, [])
        state["is_over"] = True
        if room.locked():
            room.release()
        done.acquire(timeout=_ANSWER_S)
        _end(ws)
        return row


def bench(given: Given, rest: list[str]) -> None:
    """Measures a server that echoes. Raises Failure and WebSocketError."""
    uri = connecting.check_uri(rest)
    if given.get("duration", 0.0) > MOST_S:
        raise usage(f"--duration is at most {MOST_S:g} s, so that nobody overloads a server by mistake")
    if given.get("size", 0) > MOST_BYTES:
        raise usage(f"--size is at most {MOST_BYTES} bytes, so that nobody overloads a server by mistake")
    Bench(given, uri).run()

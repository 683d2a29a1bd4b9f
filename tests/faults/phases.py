# SPDX-License-Identifier: MIT
"""Runs sessions that meet the same fault at the same time, each client and shape of socket in its own process.

Checks that an op of each session ended at its timeout. A busy machine may be late, but not each time. A session
that waits too long is always late. What happens only if the machine is late must not fail a test at once, so a
test says what that may be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import driver
from curlwire import WebErrorStatus
from driver import CLIENTS, Client, Result

TIMEOUT_MS = 1000
TOLERANCE = 0.1
TRIES = 15
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
    # called for each session: returns its URI, in place of the one above, and a function that gets its lines
    begin: Callable[[], tuple[str, Callable[[str], object]]] | None = None

    def run(self, variant: Variant) -> Result:
        uri, on_line = self.begin() if self.begin else (self.uri, lambda _: None)
        line = driver.session(variant.socket_class, variant.mode, uri, self.options, self.ops)
        return driver.run(variant.client, [line], self.prefix, self.environment, on_line)[0]


def run_all(phase: Phase, who: list[Variant]) -> list[Result]:
    with ThreadPoolExecutor(len(who)) as pool:
        return list(pool.map(phase.run, who))


def until_on_time(phase: Phase, who: list[Variant], lateness: Callable[[Result], str]) -> list[Result]:
    """Runs sessions until each variant had one that was not late. Returns these in the order of the variants.

    lateness: returns what was late in a session, or "". Raises AssertionError for what may never happen.
    """
    results: dict[Variant, Result] = {}
    for _ in range(TRIES):
        late = [variant for variant in who if variant not in results]
        told = []
        for variant, result in zip(late, run_all(phase, late), strict=True):
            if what := lateness(result):
                told.append(f"{variant}: {what}")
            else:
                results[variant] = result
        if len(results) == len(who):
            return [results[variant] for variant in who]
    raise AssertionError(f"late {TRIES} times: {', '.join(told)}")


def check(
    phase: Phase,
    timed: str,
    wanted: tuple[str, WebErrorStatus],
    who: list[Variant],
    ms: Callable[[Result], int] | None = None,
    timeout_ms: int = TIMEOUT_MS,
    is_late: Callable[[Result], bool] = lambda _: False,
) -> list[Result]:
    """The op of that name ends like that at its timeout; the results, in the order of the variants. ms measures
    something else than the op. is_late: whether something else in a session was late."""

    def lateness(result: Result) -> str:
        if is_late(result):
            return str(result)
        op = result.op(timed)
        assert (op.kind, op.status) == wanted, result
        took_ms = ms(result) if ms else op.ms
        is_right = abs(took_ms - timeout_ms) <= timeout_ms * TOLERANCE
        return "" if is_right else f"{took_ms} ms, not within 10 % of {timeout_ms} ms"

    return until_on_time(phase, who, lateness)


CONNECT_TIMEOUT = ("CW_CONNECT_FAILED", WebErrorStatus.TIMEOUT)
TIMED_OUT = ("CW_TIMED_OUT", WebErrorStatus.TIMEOUT)
ENDED = ("CW_CLOSED", WebErrorStatus.TIMEOUT)
OK = ("ok", WebErrorStatus.UNKNOWN)

# SPDX-License-Identifier: MIT
"""Runs sessions that meet the same fault at the same time, each client and shape of socket in its own process.

Checks that an op of each session ended at its timeout. A busy machine may be late, but not each time. A session
that waits too long is always late.
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

    def run(self, variant: Variant) -> Result:
        line = driver.session(variant.socket_class, variant.mode, self.uri, self.options, self.ops)
        return driver.run(variant.client, [line], self.prefix, self.environment)[0]


def run_all(phase: Phase, who: list[Variant]) -> list[Result]:
    with ThreadPoolExecutor(len(who)) as pool:
        return list(pool.map(phase.run, who))


def check(
    phase: Phase,
    timed: str,
    wanted: tuple[str, WebErrorStatus],
    who: list[Variant],
    ms: Callable[[Result], int] | None = None,
    timeout_ms: int = TIMEOUT_MS,
) -> list[Result]:
    """The op of that name ends like that at its timeout; the results, in the order of the variants. ms measures
    something else than the op."""
    results: dict[Variant, Result] = {}
    for _ in range(TRIES):
        times = []
        late = [variant for variant in who if variant not in results]
        for variant, result in zip(late, run_all(phase, late), strict=True):
            op = result.op(timed)
            assert (op.kind, op.status) == wanted, f"{variant}: {result}"
            took_ms = ms(result) if ms else op.ms
            times.append(f"{variant} {took_ms} ms")
            if abs(took_ms - timeout_ms) <= timeout_ms * TOLERANCE:
                results[variant] = result
        if len(results) == len(who):
            return [results[variant] for variant in who]
    raise AssertionError(f"not within 10 % of {timeout_ms} ms: {', '.join(times)}")


CONNECT_TIMEOUT = ("CW_CONNECT_FAILED", WebErrorStatus.TIMEOUT)
TIMED_OUT = ("CW_TIMED_OUT", WebErrorStatus.TIMEOUT)
ENDED = ("CW_CLOSED", WebErrorStatus.TIMEOUT)
OK = ("ok", WebErrorStatus.UNKNOWN)

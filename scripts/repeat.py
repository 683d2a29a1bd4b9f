# SPDX-License-Identifier: MIT
"""Runs suites many times beside busy loops, to find tests that depend on how busy the machine is.

    python scripts/repeat.py [--times N] [--busy N] [SUITE ...]

Without a SUITE, it runs the suites in OFTEN 20 times each, because they have failed so on some machine. It runs
all others 3 times. --busy sets the number of busy loops (2). Run it inside tests/servers/run.py, after `sh
scripts/build.sh test`. It ends with the failures and the line "N passed, N failed", which counts the runs.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import children
import run_tests

OFTEN = ("core", "core-system", "core-tsan", "core-asan", "python", "python-system", "lua-tsan", "lua-5.4")


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Runs loops that end with this process, even if it is killed: each polls a pipe that we hold open."""
    code = "import select, sys\nwhile not select.select([sys.stdin], [], [], 0)[0]:\n    sum(range(100000))\n"
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE))
        yield  # leaving the block closes the pipes, and then waits for the loops


def plan(names: list[str], times: int | None) -> list[tuple[str, int]]:
    if names:
        return [(name, times or 20) for name in names]
    often = [(name, times or 20) for name in OFTEN]
    return often + [(name, times or 3) for name in run_tests.SUITES if name not in OFTEN]


def repeat(name: str, times: int) -> run_tests.Counts:
    """Runs one suite so many times; counts the runs that passed and failed, and lists the failures."""
    total = run_tests.Counts()
    for number in range(1, times + 1):
        begin = time.monotonic()
        counts, _ = run_tests.run_beside(name)
        seconds = time.monotonic() - begin
        print(f"-- {name}, {number} of {times}: {counts} in {seconds:.1f} s", flush=True)
        for failure in counts.failures:
            print(f"{run_tests.FAILURE}{failure}", flush=True)
        failures = [f"{name}, run {number}: {failure}" for failure in counts.failures]
        total.add(run_tests.Counts(not counts.failed, bool(counts.failed), failures))
    return total


def main() -> int:
    parser = argparse.ArgumentParser(usage="repeat.py [--times N] [--busy N] [SUITE ...]")
    parser.add_argument("--times", type=int)
    parser.add_argument("--busy", type=int, default=2)
    parser.add_argument("suites", nargs="*", choices=[[], *run_tests.SUITES])
    options = parser.parse_args()
    children.hand_on_signals()
    total = run_tests.Counts()
    with children.ends_children(), busy_loops(options.busy):
        for name, times in plan(options.suites, options.times):
            total.add(repeat(name, times))
    for failure in total.failures:
        print(f"{run_tests.FAILURE}{failure}")
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())

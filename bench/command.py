# SPDX-License-Identifier: MIT
"""Measures the command curlwire: its start, and a million lines through a pipe beside websocat.

    command.py [--build DIR] [--lines N] [--rounds N] [--websocat PATH]

The start is processor time as a ratio to that of `python3 -c pass`, for a run that refuses its URI after it has
imported everything. The lines go to the benchmark's server, which returns them (echo) or discards them (send),
or they come from it (receive); the rate is the whole run's, with the start. Each row is the median of the
rounds, in which the programs take turns. websocat is a program of Rust's registry: cargo install websocat.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from clients import ROOT, Server, build_server, make_certificate

STARTS = 30
LIMIT_S = 120


def processor_s(command: Sequence[str], environment: dict[str, str]) -> float:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0  # it has been waited for
    return used.ru_utime + used.ru_stime


def start_ratio(environment: dict[str, str], rounds: int = STARTS) -> float:
    """The processor time of a start, as a ratio to that of an empty Python."""
    empty = [sys.executable, "-c", "pass"]
    own = [sys.executable, "-c", "from curlwire.command import main; main()", "http://x/"]
    times = [(processor_s(own, environment), processor_s(empty, environment)) for _ in range(rounds)]
    return min(mine for mine, _ in times) / min(other for _, other in times)


def rate(command: Sequence[str], lines: Path, count: int, wanted: int, environment: dict[str, str]) -> float:
    """Lines per second of one run; 0 if it did not write the lines that it should, or took too long."""
    with lines.open("rb") as source, tempfile.TemporaryFile() as target:
        began = time.perf_counter()
        writer = subprocess.Popen(["cat"], stdin=source, stdout=subprocess.PIPE)
        client = subprocess.Popen(command, stdin=writer.stdout, stdout=subprocess.PIPE, env=environment)
        assert writer.stdout is not None and client.stdout is not None
        writer.stdout.close()
        counter = subprocess.Popen(["wc", "-l"], stdin=client.stdout, stdout=target)
        client.stdout.close()
        try:
            client.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            client.kill()
        for process in (client, counter, writer):
            process.wait()
        taken = time.perf_counter() - began
        target.seek(0)
        got = int(target.read())
    if got < wanted:
        print(f"  {Path(command[0]).name} wrote {got} of {wanted} lines in {taken:.0f} s", file=sys.stderr)
        return 0.0
    return count / taken


def commands(websocat: str | None, url: str, count: int) -> dict[str, dict[str, tuple[list[str], int]]]:
    """For each work: the command of each program, and the lines that it must write."""
    own = [sys.executable, "-m", "curlwire"]
    size = 32
    source = f"{url}/source?size={size}&count={count}&text=1&wait=1"
    work = {
        "echo": {"curlwire": ([*own, "--count", str(count), f"{url}/echo"], count)},
        "send": {"curlwire": ([*own, "--linger", "0", f"{url}/sink"], 0)},
        "receive": {"curlwire": ([*own, "--no-stdin", "-d", "go", source], count)},
    }
    if websocat:
        # -n keeps the connection at the end of stdin; the numbers of the echo end it
        work["echo"]["websocat"] = ([websocat, "-n", "--max-messages-rev", str(count), f"{url}/echo"], count)
        work["send"]["websocat"] = ([websocat, f"{url}/sink"], 0)
        work["receive"]["websocat"] = (["sh", "-c", f"echo go | {websocat} -n '{source}'"], count)
    return work


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--websocat", default=shutil.which("websocat"))
    options = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(options.build / "python")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the files of an installed package are compiled
    print(f"start: {start_ratio(environment):.2f} times the processor time of `python3 -c pass`", flush=True)
    place = options.build / "bench"
    place.mkdir(parents=True, exist_ok=True)
    make_certificate(place)
    server_program = build_server(place)
    lines = place / "lines.txt"
    lines.write_text("".join(f"{number}\n" for number in range(options.lines)))
    with Server(server_program, place / "certificate.pem", place / "key.pem", None) as server:
        for work, programs in commands(options.websocat, server.urls["ws"], options.lines).items():
            rates: dict[str, list[float]] = {name: [] for name in programs}
            for _ in range(options.rounds):
                for name, (command, wanted) in programs.items():
                    rates[name].append(rate(command, lines, options.lines, wanted, environment))
            row = {name: statistics.median(found) for name, found in rates.items()}
            text = ", ".join(f"{name} {one / 1e3:,.0f} k/s" for name, one in row.items())
            ratio = f", ratio {row['curlwire'] / row['websocat']:.1f}" if row.get("websocat") else ""
            print(f"{work}: {text}{ratio}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Builds the fuzz targets with clang and runs each for a while, two at a time: `make fuzz`, and the suite fuzz.

    python3 tests/fuzz/run.py [--seconds T] [TARGET ...]

It prints one line of TAP for each target: the number of runs, the edges of the code that they reached, and
findings. A finding is a failure. Its input stays in build/fuzz/; repeat it with
build/fuzz/targets/TARGET FILE. T is 60 by default, or FUZZ_T in the environment.
build/fuzz/corpus keeps new inputs for the next run. What is not built is built first.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import corpus

ROOT = corpus.ROOT
BUILD = ROOT / "build" / "fuzz"  # the folder for VARIANT=fuzz
AT_ONCE = 2
SLOW_S = 100  # seconds, the limit for one input; a busy machine needs some of it
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=64",
    "LSAN_OPTIONS": f"print_suppressions=0:suppressions={ROOT}/tests/lsan.supp",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}
# The service thread frees the memory of a run after its end, so libFuzzer would report leaks. The target itself
# checks for leaks.
NO_LEAK_CHECK_PER_RUN = ("fuzz_socket",)


def names() -> list[str]:
    return sorted(path.stem for path in (ROOT / "tests" / "fuzz").glob("fuzz_*.c"))


def build() -> None:
    command = ["make", "-j2", "--no-print-directory", "fuzz-targets", "CC=clang", "VARIANT=fuzz", "WERROR=1"]
    subprocess.run(command, cwd=ROOT, check=True)


def run(name: str, seconds: int) -> tuple[str, bool, str]:
    """Runs a target. Returns its name, whether it found nothing, and a text to print."""
    folder = BUILD / "corpus" / name
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(BUILD / "targets" / name), f"-max_total_time={seconds}", f"-timeout={SLOW_S}",
               f"-artifact_prefix={BUILD}/{name}-", "-print_final_stats=1", "-reload=0"]  # fmt: skip
    words = ROOT / "tests" / "fuzz" / f"{name}.dict"
    if words.exists():
        command.append(f"-dict={words}")
    if name in NO_LEAK_CHECK_PER_RUN:
        command.append("-detect_leaks=0")
    with (BUILD / f"{name}.log").open("w+") as log:
        try:
            code = subprocess.run(
                [*command, str(folder)], cwd=ROOT, env={**os.environ, **SANITIZERS}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, timeout=seconds + 4 * SLOW_S, check=False,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            code = -1
        log.seek(0)
        text = log.read()
    runs = re.findall(r"^stat::number_of_executed_units: *(\d+)", text, re.MULTILINE)
    edges = re.findall(r"\bcov: (\d+)", text)
    found = 0 if code == 0 and runs and int(runs[0]) > 0 else 1
    line = f"{runs[0] if runs else 0} runs, {edges[-1] if edges else 0} edges, {found} findings"
    return line, found == 0, "" if found == 0 else f"exit code {code}\n{text[-4000:]}"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=int(os.environ.get("FUZZ_T") or 60))
    parser.add_argument("targets", nargs="*")
    arguments = parser.parse_args()
    targets = arguments.targets or names()
    build()
    print(
        f"# {corpus.write(BUILD / 'corpus')} seeds, {arguments.seconds} s each, {AT_ONCE} at a time", flush=True
    )
    is_good = True
    print(f"1..{len(targets)}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = pool.map(lambda name: run(name, arguments.seconds), targets)
        for number, (name, (line, is_ok, text)) in enumerate(zip(targets, results, strict=True), 1):
            is_good = is_good and is_ok
            print(f"{'ok' if is_ok else 'not ok'} {number} - {name}: {line}", flush=True)
            for part in text.splitlines():
                print(f"# {part}", flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Runs suites of tests, prints the counts of each, and ends with the line "N passed, N failed".

    python scripts/run_tests.py [--list] [SUITE ...]

One suite shows its output as it comes; several go side by side, and each shows its own when it is done.
scripts/test.sh calls it inside tests/servers/run.py, which starts the peers. What is tested has been built by
scripts/build.sh test. A suite that runs no test has failed, and so has a skipped test: all of it is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import checks

ROOT = checks.ROOT
BUILD = checks.BUILD
# What was built with the private libcurl; all that runs under a sanitizer is: there the frames are ours.
PRIVATE = BUILD / "private"
LIMIT_S = 600
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:check_initialization_order=1",
    "LSAN_OPTIONS": f"print_suppressions=0:suppressions={ROOT}/tests/lsan.supp",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=0:second_deadlock_stack=1",
}
NOT_CONFORMANCE = "--ignore=tests/python/test_conformance.py"  # a suite of its own
LUA = {"5.1": "lua5.1", "5.3": "lua5.3", "5.4": "lua5.4", "jit": "luajit"}


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.notes += other.notes


def counted(text: str) -> tuple[int, int]:
    """Passed and failed, from TAP or from a line of counts ("3 passed, 1 failed" as pytest and others say)."""
    tap = re.findall(r"^(not )?ok\b.*$", text, re.MULTILINE)
    if tap:
        failed = sum(1 for word in tap if word)
        return len(tap) - failed, failed
    for line in reversed(text.splitlines()):
        found = re.findall(r"\b(\d+) (passed|failed|errors?|skipped)\b", line)
        if found:
            passed = sum(int(number) for number, word in found if word == "passed")
            return passed, sum(int(number) for number, word in found) - passed
    return 0, 0


def run(
    name: str, command: list[str], environment: dict[str, str] | None = None, limit_s: float = LIMIT_S
) -> Counts:
    """One program of a suite: its output passes through, its tests are counted."""
    print(f"\n== {name}: {' '.join(command)}", flush=True)
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "SKIPS_AS_FAILS": "1", **(environment or {})},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    assert process.stdout is not None
    lines = []
    timer = checks.kill_after(process, limit_s)
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    code = process.wait()
    timer.cancel()
    passed, failed = counted("".join(lines))
    notes = []
    if code != 0 and failed == 0:
        failed = 1
        notes.append(f"{name} ended with exit code {code}")
    elif passed + failed == 0:
        failed = 1
        notes.append(f"{name} ran no tests")
    return Counts(passed, failed, notes)


def core(variant: str, build: Path = BUILD) -> Counts:
    total = Counts()
    environment = dict(SANITIZERS)
    for source in sorted((ROOT / "tests" / "core").glob("test_*.c")):
        name = "core" if variant == "test" else f"core-{variant}"
        total.add(run(name, [str(build / variant / "tests" / source.stem)], environment))
    return total


def stress() -> Counts:
    """The stress test for STRESS_S seconds, under ThreadSanitizer."""
    seconds = os.environ.get("STRESS_S") or "30"
    environment = {**SANITIZERS, "STRESS_S": seconds}
    command = [str(PRIVATE / "tsan" / "tests" / "test_stress")]
    return run("stress", command, environment, LIMIT_S + float(seconds))


def load() -> Counts:
    """LOAD_CONNECTIONS connections for LOAD_S seconds."""
    environment = {"PYTHONPATH": str(BUILD / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
    limit_s = LIMIT_S + float(os.environ.get("LOAD_S") or 0)
    return run("load", [sys.executable, "tests/load/load.py"], environment, limit_s)


def pytest(
    place: str, *arguments: str, build: Path = BUILD, environment: dict[str, str] | None = None
) -> Counts:
    options = ["-q", "-p", "no:cacheprovider", "--timeout", "120"]
    command = [sys.executable, "-m", "pytest", *options, place, *arguments]
    # whatever the tests import is what was built, never an installed one
    paths = {"PYTHONPATH": str(build / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
    return run(place, command, {**paths, **(environment or {})})


def lua(
    version: str, variant: str = "", *arguments: str, build: Path = BUILD, under: tuple[str, ...] = ()
) -> Counts:
    modules = build / variant / "lua" / version
    environment = {
        "LUA_PATH": f"{modules}/?.lua;{modules}/?/init.lua;{ROOT}/tests/lua/?.lua;;",
        "LUA_CPATH": f"{modules}/?.so;;",
    }
    command = [shutil.which(LUA[version]) or LUA[version]]
    if variant:
        # The interpreter knows nothing of the sanitizer, so the runtime has to be there before it. Not by
        # LD_PRELOAD: shells that a test starts would inherit it, and cannot live with it.
        runtime = subprocess.run(
            ["gcc", f"-print-file-name=lib{variant}.so"], capture_output=True, text=True, check=True
        )
        environment.update(SANITIZERS)
        command = ["/usr/bin/ld.so", "--preload", str(Path(runtime.stdout.strip()).resolve()), *command]
        environment["CW_TEST_LUA"] = " ".join(command)  # for tests that start one of their own
    total = Counts()
    runner = ROOT / "tests" / "lua" / "run.lua"
    scripts = [runner] if runner.exists() else sorted((ROOT / "tests" / "lua").glob("test_*.lua"))
    name = f"lua-{variant or version}"
    for script in scripts:
        total.add(run(name, [*under, *command, str(script.relative_to(ROOT)), *arguments], environment))
    return total


def valgrind() -> Counts:
    """The tests about fork under memcheck: no call, in any language, uses what a failed one did not set."""
    memcheck = ("valgrind", "--quiet", "--error-exitcode=99", "--smc-check=all-non-file")  # LuaJIT writes code
    total = run("core", [*memcheck, str(BUILD / "test" / "tests" / "test_fork")])
    for version in LUA:
        total.add(lua(version, "", "tests/lua/test_fork.lua", under=memcheck))
    # Python's own allocator would hide from memcheck what is not set in the memory that it hands out again
    environment = {"CW_TEST_UNDER": " ".join(memcheck), "PYTHONMALLOC": "malloc"}
    total.add(pytest("tests/python/test_process.py", "-k", "fork", environment=environment))
    return total


def conformance() -> Counts:
    """The vectors in Python and in every Lua; the core suites replay them on bytes."""
    script = "tests/lua/test_conformance.lua"
    total = pytest("tests/python/test_conformance.py")
    for version in LUA:
        total.add(lua(version, "", script))
    total.add(lua("5.4", "asan", script, build=PRIVATE))
    return total


def conformance_private() -> Counts:
    """The vectors with the private libcurl, whose frames are ours, and again in libcurl's own framing."""
    total = Counts()
    for framing in ("auto", "curl"):
        os.environ["CURLWIRE_FRAMING"] = framing
        print(f"\n== framing: {framing}", flush=True)
        total.add(pytest("tests/python/test_conformance.py", build=PRIVATE))
        total.add(lua("5.4", "", "tests/lua/test_conformance.lua", build=PRIVATE))
    return total


def listed(name: str, tests: list[tuple[str, Callable[[], None]]]) -> Counts:
    """Tests that are functions: one fails by an exception."""
    total = Counts()
    for title, test in tests:
        try:
            test()
        except checks.Failed as error:
            print(f"not ok - {name}: {title}\n{error}", flush=True)
            total.failed += 1
        else:
            print(f"ok - {name}: {title}", flush=True)
            total.passed += 1
    return total


SUITES: dict[str, Callable[[], Counts]] = {  # the longest first, so that no processor is idle at the end
    "fuzz": lambda: run("fuzz", [sys.executable, "tests/fuzz/run.py"]),
    "conformance": conformance,
    "conformance-private": conformance_private,
    "faults": lambda: pytest("tests/faults"),
    "load": load,
    "coverage": lambda: run("coverage", [sys.executable, "scripts/coverage.py"]),
    "bench-check": lambda: run("bench-check", [sys.executable, "bench/check.py"]),
    "analyse": lambda: run("analyse", [sys.executable, "scripts/analyse.py"]),
    "stress": stress,
    "python": lambda: pytest("tests/python", NOT_CONFORMANCE),
    "python-private": lambda: pytest("tests/python", NOT_CONFORMANCE, build=PRIVATE),
    "lua-tsan": lambda: lua("5.4", "tsan", build=PRIVATE),
    "lua-asan": lambda: lua("5.4", "asan", build=PRIVATE),
    "lua-5.1": lambda: lua("5.1"),
    "lua-5.3": lambda: lua("5.3"),
    "lua-5.4": lambda: lua("5.4"),
    "lua-jit": lambda: lua("jit"),
    "valgrind": valgrind,
    "resources": lambda: pytest("tests/resources"),
    "lua-5.4-private": lambda: lua("5.4", build=PRIVATE),
    "lua-jit-private": lambda: lua("jit", build=PRIVATE),
    "core-tsan": lambda: core("tsan", PRIVATE),
    "core-asan": lambda: core("asan", PRIVATE),
    "core": lambda: core("test"),
    "core-private": lambda: core("test", PRIVATE),
    "install": lambda: listed("install", checks.installs()),
    "servers": lambda: pytest("tests/servers"),
    "lint": lambda: listed("lint", checks.lint()),
    "readme": lambda: listed("readme", checks.readme()),
    "examples": lambda: listed("examples", checks.examples()),
}


def run_here(name: str) -> Counts:
    """One suite, its output as it comes."""
    print(f"\n==== {name}", flush=True)
    counts = SUITES[name]()
    if counts.passed + counts.failed == 0:
        counts = Counts(0, 1, [f"{name} ran no tests"])
    for note in counts.notes:
        print(note)
    print(f"{counts.passed} passed, {counts.failed} failed", flush=True)
    return counts


def run_beside(name: str) -> tuple[str, Counts, float]:
    """One suite in a process of its own; its output is returned when it is done, so that none is mixed."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, __file__, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    last = re.fullmatch(r"(\d+) passed, (\d+) failed", (done.stdout.splitlines() or [""])[-1])
    counts = Counts(int(last[1]), int(last[2])) if last else Counts(0, 1)
    if done.returncode != 0 and counts.failed == 0:
        counts.failed = 1
    return done.stdout, counts, time.monotonic() - begin


def run_side_by_side(names: list[str]) -> Counts:
    """As many suites at once as there are processors: most of them wait most of the time."""
    total = Counts()
    table = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as lanes:
        for name, lane in [(name, lanes.submit(run_beside, name)) for name in names]:
            text, counts, seconds = lane.result()
            sys.stdout.write(text)
            sys.stdout.flush()
            total.add(counts)
            total.notes += re.findall(r"^(?:not ok|FAILED|ERROR)\b.*", text, re.MULTILINE)
            table.append(f"{name:19} {counts.passed:6} passed {counts.failed:4} failed {seconds:6.1f} s")
    print("\n" + "\n".join(table + total.notes))
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return total


def main(arguments: list[str]) -> int:
    if arguments == ["--list"]:
        print("\n".join(SUITES))
        return 0
    for name in arguments:
        if name not in SUITES:
            print(f"run_tests.py: no suite is called {name}; there are {', '.join(SUITES)}", file=sys.stderr)
            return 2
    total = run_here(arguments[0]) if len(arguments) == 1 else run_side_by_side(arguments or list(SUITES))
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

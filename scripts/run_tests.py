# SPDX-License-Identifier: MIT
"""Runs suites of tests, prints the counts of each, and ends with the line "N passed, N failed".

    python scripts/run_tests.py [--list | --quick | SUITE ...]

--quick runs the suites of QUICK, which take 2 minutes together. A single suite shows its output at once, and
its failures at the end. Several suites run side by side. A line says when each begins and ends, each shows its
output when it is done, and all failures follow at the end. A terminal also shows a progress bar.

scripts/test.sh calls this inside tests/servers/run.py, which starts the servers. `scripts/build.sh test` has
built what is tested. A suite that runs no test fails, and so does a skipped test, because everything that the
tests need is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import checks
import children

ROOT = checks.ROOT
BUILD = checks.BUILD
SYSTEM = BUILD / "system"  # the build with the system's libcurl, which may be too old for our codec to receive
LIMIT_S = 1500  # of one program: it catches a hang, and is ample for a busy machine
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:check_initialization_order=1",
    "LSAN_OPTIONS": f"print_suppressions=0:suppressions={ROOT}/tests/lsan.supp",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=0:second_deadlock_stack=1",
}
FAILURE = "FAILURE "  # before each failure at the end of a suite
SANITIZED = ("asan", "tsan")
VECTORS = "tests/lua/test_conformance.lua"
NOT_CONFORMANCE = "--ignore=tests/python/test_conformance.py"  # a suite of its own
LUA = {"5.1": "lua5.1", "5.2": "lua5.2", "5.3": "lua5.3", "5.4": "lua5.4", "jit": "luajit"}


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.failures += other.failures

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed"


def counted(text: str) -> tuple[int, int]:
    """The passed and failed tests of TAP, or of a line such as "3 passed, 1 failed", as pytest prints it."""
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


def show(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


def run(
    name: str, command: list[str], environment: dict[str, str] | None = None, limit_s: float = LIMIT_S, *,
    is_bounded: bool = True,
) -> Counts:  # fmt: skip
    """Runs one program of a suite, shows its output, counts its tests and lists its failures."""
    print(f"\n== {name}: {' '.join(command)}", flush=True)
    whole = {**os.environ, "SKIPS_AS_FAILS": "1", **(environment or {})}
    try:
        ended = children.run(
            command, cwd=ROOT, environment=whole, limit_s=limit_s, is_bounded=is_bounded, show=show
        )
    except FileNotFoundError as error:
        how = "Run: sh scripts/install.sh test && sh scripts/build.sh test"
        return Counts(0, 1, [f"{name}: {error} is not installed or not built. {how}"])
    passed, failed = counted(ended.output)
    failures = re.findall(r"^(?:not ok|FAILED|ERROR)\b.*", ended.output, re.MULTILINE)
    problems = list(ended.notes)
    if ended.code != 0 and failed == 0:
        problems.append(f"ended with exit code {ended.code}")
    elif passed + failed == 0:
        problems.append("ran no tests")
    return Counts(passed, failed + len(problems), [f"{name}: {line}" for line in failures + problems])


def core_program(name: str, variant: str, *arguments: str, build: Path = BUILD) -> Counts:
    command = [str(build / variant / "tests" / name), *arguments]
    title = name if variant == "test" else f"{name} ({variant})"
    return run(title, command, dict(SANITIZERS), is_bounded=variant not in SANITIZED)


def core(variant: str, build: Path = BUILD) -> Counts:
    total = Counts()
    for source in sorted((ROOT / "tests" / "core").glob("test_*.c")):
        total.add(core_program(source.stem, variant, build=build))
    return total


def stress() -> Counts:
    """Runs the stress test for STRESS_S seconds, under ThreadSanitizer."""
    seconds = os.environ.get("STRESS_S") or "30"
    environment = {**SANITIZERS, "STRESS_S": seconds}
    command = [str(BUILD / "tsan" / "tests" / "test_stress")]
    return run("stress", command, environment, LIMIT_S + float(seconds), is_bounded=False)


def load() -> Counts:
    """Runs the load test with LOAD_CONNECTIONS connections for LOAD_S seconds."""
    limit_s = LIMIT_S + float(os.environ.get("LOAD_S") or 0)
    return run("load", [sys.executable, "tests/load/load.py"], built(), limit_s)


def built(build: Path = BUILD) -> dict[str, str]:
    """The environment in which Python imports the built module, never an installed one."""
    return {"PYTHONPATH": str(build / "python"), "PYTHONDONTWRITEBYTECODE": "1"}


def pytest(
    place: str, *arguments: str, build: Path = BUILD, environment: dict[str, str] | None = None
) -> Counts:
    options = ["-q", "-p", "no:cacheprovider", "--timeout", "300"]
    command = [sys.executable, "-m", "pytest", *options, place, *arguments]
    return run(place, command, {**built(build), **(environment or {})})


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
        # The interpreter is built without the sanitizer, so its library must be loaded first. LD_PRELOAD does
        # that too, but shells that a test starts would inherit it and fail.
        runtime = subprocess.run(
            ["gcc", f"-print-file-name=lib{variant}.so"], capture_output=True, text=True, check=True
        )
        environment.update(SANITIZERS)
        command = ["/usr/bin/ld.so", "--preload", str(Path(runtime.stdout.strip()).resolve()), *command]
        environment["CW_TEST_LUA"] = " ".join(command)  # for tests that start another Lua
    total = Counts()
    runner = ROOT / "tests" / "lua" / "run.lua"
    scripts = [runner] if runner.exists() else sorted((ROOT / "tests" / "lua").glob("test_*.lua"))
    name = f"lua-{variant or version}"
    for script in scripts:
        words = [*under, *command, str(script.relative_to(ROOT)), *arguments]
        total.add(run(name, words, environment, is_bounded=not variant and not under))
    return total


def valgrind() -> Counts:
    """Runs the tests of fork under memcheck, which finds calls that use what a failed call left unset."""
    memcheck = (
        "valgrind",
        "--quiet",
        "--error-exitcode=99",
        "--smc-check=all-non-file",
    )  # LuaJIT generates code
    total = run("core", [*memcheck, str(BUILD / "test" / "tests" / "test_fork")], is_bounded=False)
    for version in LUA:
        total.add(lua(version, "", "tests/lua/test_fork.lua", under=memcheck))
    # Python's own allocator reuses memory, in which memcheck cannot see what is unset
    environment = {"CW_TEST_UNDER": " ".join(memcheck), "PYTHONMALLOC": "malloc"}
    total.add(pytest("tests/python/test_process.py", "-k", "fork", environment=environment))
    return total


def conformance() -> Counts:
    """Runs the vectors in Python, in every Lua, and with libcurl's framing. The core's suites do on bytes."""
    total = Counts()
    for version in [version for version in LUA if version != "5.4"]:
        total.add(lua(version, "", VECTORS))
    total.add(lua("5.4", "asan", VECTORS))
    for framing in ("auto", "curl"):
        os.environ["CURLWIRE_FRAMING"] = framing
        print(f"\n== framing: {framing}", flush=True)
        total.add(conformance_of(BUILD))
    return total


def conformance_of(build: Path) -> Counts:
    total = pytest("tests/python/test_conformance.py", build=build)
    total.add(lua("5.4", "", VECTORS, build=build))
    return total


def conformance_system() -> Counts:
    """Runs the vectors with the system's libcurl, in Python also with its decoder."""
    total = conformance_of(SYSTEM)
    os.environ["CURLWIRE_FRAMING"] = "curl"
    total.add(pytest("tests/python/test_conformance.py", build=SYSTEM))
    return total


def real_servers() -> Counts:
    """Runs the programs of examples/servers/. Chromium reserves more than our limit on address space."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout", "300"]
    return run("real-servers", [*command, "tests/real_servers"], built(), is_bounded=False)


def packages(kind: str) -> Counts:
    """Tests the wheels that `make wheel` has built, or the rocks of `make rocks`."""
    command = [sys.executable, f"packaging/test_{kind}.py"]
    return run(kind, command, limit_s=4 * LIMIT_S, is_bounded=False)


def listed(name: str, tests: list[tuple[str, Callable[[], None]]]) -> Counts:
    """Runs tests that are functions. A test fails if it raises checks.Failed."""
    total = Counts()
    for title, test in tests:
        try:
            test()
        except checks.Failed as error:
            print(f"not ok - {name}: {title}\n{error}", flush=True)
            total.add(Counts(0, 1, [f"{name}: {title}"]))
        else:
            print(f"ok - {name}: {title}", flush=True)
            total.passed += 1
    return total


SUITES: dict[str, Callable[[], Counts]] = {  # the longest first, so that no processor is idle at the end
    "install": lambda: listed("install", checks.installs()),
    "fuzz": lambda: run("fuzz", [sys.executable, "tests/fuzz/run.py", "--seconds", "10"], is_bounded=False),
    "conformance": conformance,
    "conformance-system": conformance_system,
    "faults": lambda: pytest("tests/faults"),
    "load": load,
    "coverage": lambda: run("coverage", [sys.executable, "scripts/coverage.py"]),
    "bench-check": lambda: run("bench-check", [sys.executable, "bench/check.py"]),
    "analyse": lambda: run("analyse", [sys.executable, "scripts/analyse.py"]),
    "stress": stress,
    "python": lambda: pytest("tests/python", NOT_CONFORMANCE),
    "python-system": lambda: pytest("tests/python", NOT_CONFORMANCE, build=SYSTEM),
    "lua-tsan": lambda: lua("5.4", "tsan"),
    "lua-asan": lambda: lua("5.4", "asan"),
    "lua-5.1": lambda: lua("5.1"),
    "lua-5.2": lambda: lua("5.2"),
    "lua-5.3": lambda: lua("5.3"),
    "lua-5.4": lambda: lua("5.4"),
    "lua-jit": lambda: lua("jit"),
    "valgrind": valgrind,
    "command": lambda: pytest("tests/command"),
    "resources": lambda: pytest("tests/resources"),
    "lua-5.4-system": lambda: lua("5.4", build=SYSTEM),
    "lua-jit-system": lambda: lua("jit", build=SYSTEM),
    "core-tsan": lambda: core("tsan"),
    "core-asan": lambda: core("asan"),
    "core": lambda: core("test"),
    "core-system": lambda: core("test", SYSTEM),
    "servers": lambda: pytest("tests/servers"),
    "lint": lambda: listed("lint", checks.lint()),
    "readme": lambda: listed("readme", checks.readme()),
    "abi": lambda: run("abi", [sys.executable, "scripts/abi.py"]),
    "compat": lambda: run("compat", [sys.executable, "tests/compat/run.py"], built()),
    "packaging": lambda: pytest("packaging/test_packaging.py"),
    "wheels": lambda: packages("wheels"),
    "rocks": lambda: packages("rocks"),
    "real-servers": real_servers,
    "examples": lambda: listed("examples", checks.examples()),
}


# They run only if they are named, or by `make test-all`. The first two need root, and `make wheel` or
# `make rocks` before them; the suite wheels takes half an hour. real-servers needs 500 MB of servers, which
# `sh scripts/install.sh real-servers` installs. The others take two minutes each: those of Lua try what other
# suites try with another Lua or another libcurl; coverage, which `make coverage` builds, tries only the tests;
# analyse gives the same result on every machine, so that `make analyse` after a change to C is enough.
# The vectors of RFC 6455 run with every Lua in the suite conformance.
OPTIONAL = (
    "wheels", "rocks", "real-servers", "coverage", "analyse", "lua-5.2", "lua-5.3", "lua-5.4-system",
    "lua-jit-system",
)  # fmt: skip

# These suites take 2 minutes together on two processors, if everything is built.
QUICK = ("python", "lua-5.4", "core", "lint", "examples")


def run_here(name: str, suite: Callable[[], Counts]) -> Counts:
    """Runs one suite and shows its output at once; then prints a line for each failure, and its counts."""
    print(f"\n==== {name}", flush=True)
    children.adopt_orphans()
    counts = suite()
    if counts.passed + counts.failed == 0:
        counts = Counts(0, 1, ["ran no tests"])
    for failure in counts.failures:
        print(f"{FAILURE}{failure}")
    print(counts, flush=True)
    return counts


def run_beside(name: str) -> tuple[Counts, str]:
    """Runs one suite in a separate process and returns its output, so that outputs are not mixed."""
    # each program of the suite has its own limit; this limit ends the suite if the suite hangs
    ended = children.run([sys.executable, __file__, name], cwd=ROOT, limit_s=2 * LIMIT_S, is_bounded=False)
    lines = ended.output.splitlines()
    last = re.fullmatch(r"(\d+) passed, (\d+) failed", (lines or [""])[-1])
    counts = Counts(int(last[1]), int(last[2])) if last else Counts()
    counts.failures = [line.removeprefix(FAILURE) for line in lines if line.startswith(FAILURE)]
    problems = list(ended.notes)
    if not last or (ended.code != 0 and counts.failed == 0):
        problems.append(f"the suite ended with exit code {ended.code}")
    counts.add(Counts(0, len(problems), problems))
    return counts, ended.output


SILENCE_S = 60.0  # without a line


class Progress:
    """Prints a line when a suite begins or ends, and after a minute of silence; a terminal shows a bar."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.running: dict[str, float] = {}  # the time when each suite began
        self.done = 0
        self.lock = threading.Lock()
        self.bar: Any = None
        if sys.stdout.isatty():
            from tqdm import tqdm  # type: ignore[import-untyped]

            self.bar = tqdm(total=count, unit="suite", dynamic_ncols=True, leave=False)
        self.silence_s = SILENCE_S if self.bar is None else 1.0

    def say(self, text: str) -> None:
        with self.lock:
            if self.bar is not None:
                self.bar.clear()
            print(text, flush=True)
            if self.bar is not None:
                self.bar.refresh()

    def began(self, name: str) -> None:
        self.running[name] = time.monotonic()
        self.say(f"-- {name}: begins")

    def still(self) -> None:
        """Says which suites still run: one may take many minutes, and shows its output only at its end."""
        if self.bar is not None:
            with self.lock:
                self.bar.refresh()
            return
        now = time.monotonic()
        names = [f"{name} ({now - began:.0f} s)" for name, began in self.running.copy().items()]
        self.say(f"-- still running: {', '.join(names)}")

    def ended(self, name: str, counts: Counts, seconds: float, output: str) -> None:
        self.done += 1
        self.running.pop(name, None)
        self.say(f"{output}-- {name}: {counts} in {seconds:.1f} s ({self.done} of {self.count} suites)")
        if self.bar is not None:
            self.bar.update()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def run_side_by_side(names: list[str]) -> Counts:
    """Runs one suite more at a time than there are processors, because most suites mostly wait."""
    total = Counts()
    table = {}
    progress = Progress(len(names))

    def one(name: str) -> tuple[Counts, str, float]:
        if not children.is_ending.is_set():
            progress.began(name)
        begin = time.monotonic()
        counts, output = run_beside(name)
        return counts, output, time.monotonic() - begin

    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as lanes:
        futures = {lanes.submit(one, name): name for name in names}
        try:
            pending = set(futures)
            while pending:
                done, pending = wait(pending, progress.silence_s, FIRST_COMPLETED)
                if not done:
                    progress.still()
                for future in done:
                    name = futures[future]
                    counts, output, seconds = future.result()
                    progress.ended(name, counts, seconds, output)
                    table[name] = (
                        f"{name:19} {counts.passed:6} passed {counts.failed:4} failed {seconds:6.1f} s"
                    )
                    total.add(Counts(counts.passed, counts.failed, [f"{name}: {f}" for f in counts.failures]))
        except BaseException:
            children.end_all()  # otherwise leaving the block would wait for the suites that still run
            raise
        finally:
            progress.close()
    print("\n" + "\n".join([*(table[name] for name in names), *(FAILURE + f for f in total.failures)]))
    print(total, flush=True)
    return total


def main(arguments: list[str]) -> int:
    if arguments == ["--list"]:
        print("\n".join(SUITES))
        return 0
    if arguments == ["--quick"]:
        arguments = list(QUICK)
    for name in arguments:
        if name not in SUITES:
            print(f"run_tests.py: there is no suite {name}. Choose from: {', '.join(SUITES)}", file=sys.stderr)
            return 2
    children.hand_on_signals()
    with children.ends_children():
        if len(arguments) == 1:
            total = run_here(arguments[0], SUITES[arguments[0]])
        else:
            total = run_side_by_side(arguments or [name for name in SUITES if name not in OPTIONAL])
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

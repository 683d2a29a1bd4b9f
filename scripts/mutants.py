# SPDX-License-Identifier: MIT
"""Mutation testing of the core: `make mutants`.

    python3 tests/servers/run.py -- python3 scripts/mutants.py [--sample N | --whole] [--seed S] [FILE ...]

Makes one small change (a mutant) at a time in a file of core/src, and runs the C tests with it. A test that
fails kills the mutant. A mutant that survives is a fault that the tests would not find. It gets a new test in
tests/core, or an entry in tests/mutants.txt with the reason why the change cannot be observed.

Only the changed file is compiled. A mutant is dropped if its object code equals the object code of the file or
of another mutant. The tests of TESTS are linked with it and run in that order, first plainly, then under
AddressSanitizer and UBSan, as in the suite core-asan. A survivor that is not listed is then run with every
other C test.

A test that hangs kills the mutant. The limits are multiples of what the test takes without a mutant. They count
processor time, so that a busy machine kills no mutant, and wall-clock time, with a wide margin. A case that
fails is run again alone, and kills only if it fails again. build/mutants keeps the results.

The files in SAMPLES are sampled, and the report says so. A sample depends on the seed and on what its mutants
change, so an edit elsewhere in the file does not alter it.

An entry says that its mutant changes nothing, or that these tests cannot see the change. The score is the share
of killed mutants among those that change something. So a mutant counts against the score if it changes
something and lives, even if it is listed.

Fails if a survivor is not listed, if a listed mutant is killed, or if an entry matches no mutant. Also fails if
the score is below 95 %.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mutations import ROOT, Mutant, make, path_of

OUT = ROOT / "build" / "mutants"
LISTED = ROOT / "tests" / "mutants.txt"
AT_ONCE = 2
LEAST_PERCENT = 95.0
SAME, UNSEEN = "=!"  # how an entry of LISTED begins its reason
MEMORY_BYTES = 8 << 30  # of address space: threads reserve a lot of it
FILE_BYTES = 64 << 20
DESCRIPTORS = 4096
CPU_TIMES, CPU_MORE_S = 10, 3  # the limit is the test's own time multiplied by the first, plus the second
WALL_TIMES, WALL_MORE_S = 5, 10

# The tests that exercise a file. Those that kill most mutants in their time come first.
TESTS = {
    "utf8": "close message utf8 vectors",
    "frame": "frame vectors",
    "close": "close vectors closing closing_calls",
    "message": "message place counting vectors inbound",
    "extension": "extension handshake_vectors compressing",
    "deflate": "deflate_parts deflate compressing vectors",
    "reply": "reply retry handshake_vectors handshake",
    "values": "values",
    "tokens": "tokens reply extension handshake_vectors",
    "headers": "headers",
    "address": "address",
    "uri": "uri",
    "punycode": "idn",
    "idn": "idn",
    "proxy_uri": "proxy_uri proxy",
    "proxy": "proxy",
    "failure": "failure_texts failure",
    "client_certificate": "client_certificate proxy_options tls_options handshake_tls",
    "curl_options": "curl_options",
    "status": "status",
    "reach": "reach reach_settings",
    "tls_options": "tls_options handshake_tls",
    "notes": "failure tls_options",
    "timings": "tls_options",
    "proxy_options": "proxy_options refusal",
    "refusal": "refusal proxy_options",
    "request": "handshake_options tls_options handshake",
    "build_info": "build_info",
    "authorities": "places authorities",
    "settings": "settings",
    "trace": "trace",
    "netrc": "netrc",
    "challenge": "challenge",
    "cookie": "cookie",
    "redirect": "redirect",
    "retry": "retry",
    "tls_texts": "tls_texts",
    "reconnect": "reconnect",
    "timer": "timer service",
    "event": "event message alloc",
    "digest": "sha1 sha256",
    "sha1": "sha1",
    "sha256": "sha256",
    "certificate": "certificate ignorable",
    "ignorable": "ignorable",
    "random": "random frame",
    "handshake": "handshake_options handshake_verdict handshake_tls proxy_options refusal "
    "handshake handshake_vectors question "
    "lookup descriptors tls_options",
    "showing": "showing question",
    "verdict": "handshake_verdict handshake_tls handshake handshake_vectors descriptors tls_options",
    "closing": "closing_state closing closing_calls end draining socket unread inbound",
    "closing_calls": "closing_state closing closing_calls end draining socket unread inbound",
    "mailbox": "listing mailbox many fork",
    "ping": "ping_state ping unsolicited unread socket fork stalled",
    "pong": "ping_state ping unsolicited unread socket fork stalled",
}
ENVIRONMENT = {
    "SKIPS_AS_FAILS": "1",
    "ASAN_OPTIONS": "detect_leaks=0:hard_rss_limit_mb=2048",  # the harness itself finds leaks
    "UBSAN_OPTIONS": "halt_on_error=1",
}
# Only so many mutants of these files are run by default. The tests of the first six need servers and take
# seconds. The other mutants of the rest have not been tried yet.
SAMPLES = (
    {"handshake": 160, "verdict": 80, "closing": 80, "closing_calls": 40, "ping": 60, "pong": 60}
    | dict.fromkeys(("idn", "trace", "failure", "client_certificate", "proxy"), 70)
    | dict.fromkeys(("settings", "build_info", "authorities"), 36)
    | dict.fromkeys(("reach", "tls_options", "notes", "timings", "proxy_options", "refusal", "request"), 30)
)
# These tests are quick and work on bytes alone, so they run under the sanitizers too.
SANITIZED = (
    *("utf8", "frame", "close", "message", "place", "counting", "reply", "extension", "tokens", "values"),
    *("address", "headers", "uri", "idn", "netrc", "challenge", "cookie", "redirect", "retry", "reconnect"),
    *("tls_texts", "timer", "event", "sha1", "sha256", "certificate", "ignorable", "random"),
    *("proxy_uri", "proxy", "trace", "failure_texts", "failure", "client_certificate"),
    *("status", "tls_options", "reach", "settings", "places"),
    *("listing", "handshake_options", "handshake_tls", "handshake_verdict", "proxy_options", "refusal"),
    "showing",
)
# The functions of libcurl that WRAPS replace, as in the Makefile.
WRAPPED = ("curl_easy_setopt", "curl_easy_getinfo", "curl_version_info", "curl_slist_append")
WRAPS = (
    *("test_handshake_options", "test_handshake_tls", "test_handshake_verdict", "test_proxy_options"),
    *("test_reach", "test_refusal", "test_showing", "test_tls_options"),
)
# These tests replace files of the core, so they can be linked only with the files that they are for.
REPLACING = ("test_listing", "test_poller_poll", "test_standby_poll", *WRAPS)
# These tests do not use the files above, or they wrap libcurl's functions in a static library.
NOT_RUN = ("test_harness", "test_libcurl", "test_stress")

ROW = "{:16} {:>5} {:>5} {:>6} {:>5} {:>5} {:>6} {:>8} {:>6}"  # of the report

T = TypeVar("T")


# ---- Compiling

HARD = "-w -g0 -Werror=implicit-function-declaration -Werror=int-conversion -Werror=incompatible-pointer-types"


def digest(*parts: bytes | str) -> str:
    made = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        made.update(len(data).to_bytes(8, "little") + data)
    return made.hexdigest()


def each(work: Callable[[T], None], items: list[T], title: str) -> None:
    """Does the work on each item, AT_ONCE at a time, and shows a progress bar."""
    with ThreadPoolExecutor(AT_ONCE) as lanes, tqdm(total=len(items), desc=title, mininterval=1) as bar:
        waiting = [lanes.submit(work, item) for item in items]
        try:
            for lane in waiting:
                lane.result()
                bar.update()
        except BaseException:
            for lane in waiting:
                lane.cancel()
            raise


class Store:
    """The results of earlier runs: texts by key, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        self.known: dict[str, str] = {}
        self.saved_s = time.monotonic()
        with contextlib.suppress(OSError, ValueError):
            self.known = json.loads(path.read_text())

    def get(self, key: str) -> str | None:
        return self.known.get(key)

    def put(self, key: str, value: str) -> None:
        with self.lock:
            self.known[key] = value
            if time.monotonic() > self.saved_s + 10:
                self.save()

    def save(self) -> None:
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(self.known))
        beside.replace(self.path)
        self.saved_s = time.monotonic()


class Workshop:
    """Compiles and links mutants with the flags of the variant that make has built in `folder`."""

    def __init__(self, folder: Path, libraries: list[str], store: Store) -> None:
        self.folder = folder
        self.is_sanitized = folder.name == "asan"
        self.libraries = libraries
        self.store = store
        self.flags = [*(folder / "flags").read_text().split(), *HARD.split()]
        self.archive = folder / "libcurlwire.a"
        headers = sorted([*ROOT.glob("core/src/*/*.h"), *ROOT.glob("core/include/*.h")])
        self.base = digest(*self.flags, *libraries, *(path.read_bytes() for path in headers))
        self.core = digest(self.base, *(path.read_bytes() for path in sorted((folder / "core").glob("*/*.o"))))
        self.slots = threading.local()
        self.slot_count = 0
        self.lock = threading.Lock()

    def slot(self) -> Path:
        """A folder that only the calling thread uses."""
        if not hasattr(self.slots, "folder"):
            with self.lock:
                self.slot_count += 1
                self.slots.folder = OUT / "slots" / f"{self.folder.name}-{self.slot_count}"
                self.slots.folder.mkdir(parents=True)
        folder: Path = self.slots.folder
        return folder

    def compile(self, file: str, source: str) -> Path | None:
        """The object of a mutant, or None if it does not compile. Objects stay until the run ends."""
        path = OUT / "objects" / f"{digest(self.base, file, source)}.o"
        if path.exists():
            return path
        place = path_of(file)
        done = subprocess.run(
            [*self.flags, f"-I{place.parent}", "-c", "-o", str(path), "-x", "c", "-"],
            input=f'# 1 "{place.relative_to(ROOT)}"\n{source}', text=True, cwd=ROOT, capture_output=True,
            check=False,
        )  # fmt: skip
        return path if done.returncode == 0 else None

    def hash_of(self, file: str, source: str) -> str:
        """The hash of a mutant's object, or "" if the mutant does not compile."""
        key = digest("object", self.base, file, source)
        known = self.store.get(key)
        if known is None:
            path = self.compile(file, source)
            known = digest(path.read_bytes()) if path else ""
            self.store.put(key, known)
        return known

    def link(self, test: Path, changed: Path | None) -> Path:
        """Links a test with the core; a mutant replaces the core's own file."""
        program = self.slot() / test.stem
        sanitizers = ["-fsanitize=address,undefined"] if self.is_sanitized else []
        objects = [str(test), *([str(changed)] if changed else []), str(self.archive)]
        wraps = [f"-Wl,--wrap={name}" for name in WRAPPED] if test.stem in WRAPS else []
        command = ["cc", "-pthread", *sanitizers, *wraps, "-o", str(program), *objects, *self.libraries]
        subprocess.run(command, cwd=ROOT, check=True)
        return program


# ---- Running tests


@dataclass
class Test:
    name: str
    path: Path
    hash: str
    shop: Workshop
    cpu_s: float = 0.0
    wall_s: float = 0.0


@dataclass
class Outcome:
    """Returns how a test ended: ok, a case that failed, a hang, or anything else."""

    text: str
    case: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    is_hang: bool = False


class Runner:
    def __init__(
        self, files: list[str], plain: Workshop, sanitized: Workshop, store: Store, is_own_only: bool
    ) -> None:
        self.is_own_only = is_own_only
        self.store = store
        self.plain = plain
        names = [source.stem for source in sorted((ROOT / "tests" / "core").glob("test_*.c"))]
        self.tests: dict[str, Test] = {}
        for shop, some in (
            (plain, [name for name in names if name not in NOT_RUN]),
            (sanitized, [f"test_{name}" for name in SANITIZED]),
        ):
            for name in some:
                path = shop.folder / "tests" / f"{name}.o"
                title = f"{name} (asan)" if shop.is_sanitized else name
                self.tests[title] = Test(title, path, digest(path.read_bytes()), shop)
        if is_own_only:
            used = {test.name for file in files for test in self.own(file)}
            self.tests = {name: test for name, test in self.tests.items() if name in used}

    def own(self, file: str) -> list[Test]:
        names = TESTS[file].split()
        found = [self.tests[f"test_{name}"] for name in names]
        return found + [self.tests[f"test_{name} (asan)"] for name in names if name in SANITIZED]

    def others(self, file: str) -> list[Test]:
        own = self.own(file)
        others = [
            test
            for test in self.tests.values()
            if test not in own and test.shop is self.plain and test.name not in REPLACING
        ]
        return sorted(others, key=lambda test: test.wall_s)

    def run(self, test: Test, program: Path, *cases: str) -> Outcome:
        """Runs a test until a case fails, the test ends, or its time is up."""
        cpu_s = int(CPU_TIMES * test.cpu_s + CPU_MORE_S) if test.cpu_s else 600
        memory = "unlimited" if test.shop.is_sanitized else MEMORY_BYTES  # AddressSanitizer reserves terabytes
        limits = [f"--as={memory}", f"--nofile={DESCRIPTORS}", "--core=0", f"--fsize={FILE_BYTES}",
                  f"--cpu={cpu_s}"]  # fmt: skip
        begin = time.monotonic()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.Popen(
            ["prlimit", *limits, str(program), *cases], cwd=ROOT, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **ENVIRONMENT},
        )  # fmt: skip
        wall_s = WALL_TIMES * test.wall_s + WALL_MORE_S if test.wall_s else 600
        try:
            outcome = watch(process, begin + wall_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
        outcome.wall_s = time.monotonic() - begin
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        outcome.cpu_s = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
        return outcome

    def measure(self) -> None:
        """Runs every test without a mutant, one at a time, to measure its time and see that it passes."""
        owns = {f"test_{name}" for line in TESTS.values() for name in line.split()}
        for test in tqdm(list(self.tests.values()), desc="without a mutant", mininterval=1):
            key = digest("time", test.shop.core, test.hash)
            known = self.store.get(key)
            if known is None:
                program = test.shop.link(test.path, None)
                for _ in range(3):
                    outcome = self.run(test, program)
                    if outcome.text == "ok":
                        break
                else:
                    if test.name.split()[0] in owns:
                        raise SystemExit(f"mutants.py: {test.name} fails without a mutant: {outcome.text}")
                    print(
                        f"{test.name} is left out, because it fails without a mutant: {outcome.text}",
                        flush=True,
                    )
                    del self.tests[test.name]
                    continue
                known = f"{max(outcome.cpu_s, 0.01)} {max(outcome.wall_s, 0.01)}"
                self.store.put(key, known)
            test.cpu_s, test.wall_s = (float(part) for part in known.split())

    def judge(self, mutant: Mutant) -> None:
        """Runs the tests of the mutant's file; if it survives and is not listed, also all others."""
        tests = self.own(mutant.file) + ([] if mutant.reason or self.is_own_only else self.others(mutant.file))
        keys = {
            test.name: digest("verdict", test.shop.core, mutant.file, mutant.object_hash, test.hash)
            for test in tests
        }
        known = {test.name: self.store.get(keys[test.name]) for test in tests}
        killers = [name for name, verdict in known.items() if verdict not in (None, "ok")]
        if killers:
            mutant.verdict = f"{killers[0]}: {known[killers[0]]}"
            return
        changed: dict[Workshop, Path | None] = {}
        for test in tests:
            if known[test.name] == "ok":
                continue
            if test.shop not in changed:
                changed[test.shop] = test.shop.compile(mutant.file, mutant.source)
            program = test.shop.link(test.path, changed[test.shop])
            outcome = self.run(test, program)
            is_pure = test.name.removeprefix("test_").split()[0] in SANITIZED
            if outcome.case and not is_pure and self.run(test, program, outcome.case).text == "ok":
                outcome = self.run(test, program)  # it failed by chance
            self.store.put(keys[test.name], outcome.text)
            if outcome.text != "ok":
                mutant.verdict = f"{test.name}: {outcome.text}"
                return


def watch(process: subprocess.Popen[bytes], until_s: float) -> Outcome:
    """Reads TAP until a case fails or the output ends."""
    assert process.stdout is not None
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not selector.select(left_s):
                return Outcome("hangs", is_hang=True)
            data = os.read(process.stdout.fileno(), 65536)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                failed = re.match(rb"not ok \d+ - (.*?)(?: # SKIP)?$", line)
                if failed:
                    case = failed[1].decode(errors="replace")
                    return Outcome(f"case {case}", case)
                if line.startswith(b"Bail out!"):
                    return Outcome(line.decode(errors="replace"))
            if not data:
                break
    try:
        code = process.wait(max(until_s - time.monotonic(), 1))
    except subprocess.TimeoutExpired:
        return Outcome("hangs", is_hang=True)
    return Outcome("ok" if code == 0 else f"exit code {code}")


# ---- The list of survivors, and the report


def read_list() -> dict[tuple[str, str, str, str], str]:
    """The entries of LISTED: each change, and why no test kills it, after the mark = or !."""
    entries: dict[tuple[str, str, str, str], str] = {}
    place: list[str] = []
    pairs: list[tuple[str, str]] = []
    before = ""
    for number, line in enumerate(LISTED.read_text().splitlines(), 1):
        mark, _, rest = line.partition(" ")
        if not line.strip() or mark == "#":
            continue
        if mark == "@" and len(rest.split()) == 2:
            place, pairs = rest.split(), []
        elif mark == "-" and place:
            before = rest
        elif mark == "+" and before:
            pairs.append((before, rest))
        elif mark in (SAME, UNSEEN) and pairs and rest.strip():
            entries.update({(place[0], place[1], *pair): line for pair in pairs})
            pairs, before = [], ""
        else:
            raise SystemExit(
                f"{LISTED}:{number}: this is not part of an entry. The head of the file explains entries"
            )
    return entries


def choose(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """A sample of the mutants. It stays the same after an edit elsewhere in the file."""
    ranked = sorted(mutants, key=lambda mutant: digest(str(seed), *mutant.key))
    chosen = {id(mutant) for mutant in ranked[:count]}
    return [mutant for mutant in mutants if id(mutant) in chosen]


def percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 100.0


@dataclass
class Report:
    lines: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    killed: int = 0
    same: int = 0
    total: int = 0

    def add(self, file: str, mutants: list[Mutant], made: int, note: str) -> None:
        killed = sum(bool(mutant.verdict) for mutant in mutants)
        hangs = sum(mutant.verdict.endswith(": hangs") for mutant in mutants)
        alive = [mutant for mutant in mutants if not mutant.verdict]
        same = sum(mutant.reason.startswith(SAME) for mutant in alive)
        unseen = sum(mutant.reason.startswith(UNSEEN) for mutant in alive)
        self.killed += killed
        self.same += same
        self.total += len(mutants)
        score = percent(killed, len(mutants) - same)
        counts = (made, len(mutants), killed, hangs, same, unseen, len(alive) - same - unseen)
        self.lines.append(ROW.format(f"{file}.c", *counts, f"{score:.1f}") + note)
        first = len(self.faults)
        for mutant in mutants:
            entry = f"@ {file}.c {mutant.function}\n- {mutant.before}\n+ {mutant.after}"
            if mutant.verdict and mutant.reason:
                self.faults.append(f"killed ({mutant.verdict}), so remove its entry:\n{entry}")
            elif not mutant.verdict and not mutant.reason:
                self.faults.append(f"survived:\n{entry}")
        print("\n\n".join(["", *self.faults[first:]]), flush=True)

    def show(self) -> int:
        if self.faults:
            print(f"{len(self.faults)} mutants survived or have a wrong entry; see above")
        print("\n" + ROW.format("", "made", "run", "killed", "hung", "same", "unseen", "survived", "score"))
        print("\n".join(self.lines))
        rest = self.total - self.same
        score = percent(self.killed, rest)
        print(f"of all: {self.killed} of {self.total} mutants killed, {percent(self.killed, self.total):.1f} %")
        print(f"score:  {self.killed} of the {rest} that change something killed, {score:.1f} % (without the "
              f"{self.same} in column \"same\"; at least {LEAST_PERCENT} % is required)")  # fmt: skip
        return 1 if self.faults or score < LEAST_PERCENT else 0


def distinct(file: str, mutants: list[Mutant], original: str) -> list[Mutant]:
    """One mutant for each object code. It has the reason of an equal mutant that is listed."""
    found: dict[str, Mutant] = {}
    for mutant in mutants:
        if mutant.object_hash in ("", original):
            continue
        other = found.setdefault(mutant.object_hash, mutant)
        if mutant.reason and not other.reason:
            other.reason = mutant.reason
    return list(found.values())


def main() -> int:
    options = argparse.ArgumentParser(description="Mutation testing of the core.")
    options.add_argument(
        "files", nargs="*", metavar="FILE", help="a file of core/src, without .c; all files if none is given"
    )
    options.add_argument("--sample", type=int, default=0, help="run N mutants of each file", metavar="N")
    options.add_argument("--whole", action="store_true", help="run all mutants of each file")
    options.add_argument("--seed", type=int, default=1, help="the seed of the sample")
    options.add_argument(
        "--build", type=Path, required=True, help="the folder in which make has built the variants"
    )
    options.add_argument("--libraries", default="", help="the libraries that the core is linked with")
    options.add_argument("--own", action="store_true", help="run only the tests of TESTS, even for survivors")
    options.add_argument("--show", action="store_true", help="print which test killed each mutant")
    given = options.parse_args()
    files = [name.removesuffix(".c") for name in given.files] or list(TESTS)
    for name in files:
        if name not in TESTS:
            options.error(f"no tests are listed for {name}.c. Choose from: {', '.join(TESTS)}")
    for old in ("slots", "objects"):
        shutil.rmtree(OUT / old, ignore_errors=True)
    (OUT / "objects").mkdir(parents=True)
    store = Store(OUT / "results.json")
    plain, sanitized = (
        Workshop(given.build / variant, given.libraries.split(), store) for variant in ("mutants", "asan")
    )
    runner = Runner(files, plain, sanitized, store, given.own)
    entries = read_list()
    report = Report()
    try:
        runner.measure()
        for file in files:
            one(file, runner, entries, report, given)
    finally:
        store.save()
    return report.show()


def one(
    file: str, runner: Runner, entries: dict[tuple[str, str, str, str], str], report: Report,
    given: argparse.Namespace,
) -> None:  # fmt: skip
    workshop = runner.plain
    made = make(file)
    for mutant in made:
        mutant.reason = entries.get((f"{file}.c", *mutant.key[1:]), "")
    wanted = {mutant.key[1:] for mutant in made}
    for listed in entries:
        if listed[0] == f"{file}.c" and listed[1:] not in wanted:
            report.faults.append(
                f"tests/mutants.txt has an entry for a mutant that is not made. Remove or correct it: {listed}"
            )
            print(report.faults[-1])
    count = len(made) if given.whole else given.sample or SAMPLES.get(file, len(made))
    chosen = choose(made, count, given.seed)

    def compile_one(mutant: Mutant) -> None:
        mutant.object_hash = workshop.hash_of(file, mutant.source)

    each(compile_one, chosen, f"compiling {file}.c")
    original = workshop.hash_of(file, path_of(file).read_text())
    mutants = distinct(file, chosen, original)
    each(runner.judge, mutants, f"testing {file}.c")
    if given.show:
        for mutant in mutants:
            print(f"{mutant.function}: {mutant.before} => {mutant.after}: {mutant.verdict or 'SURVIVED'}")
    note = "" if len(chosen) == len(made) else f"  a sample of {len(chosen)}, seed {given.seed}"
    report.add(file, mutants, len(made), note)


if __name__ == "__main__":
    sys.exit(main())

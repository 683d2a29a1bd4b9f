# SPDX-License-Identifier: MIT
"""Guards against slowdowns: counts the instructions of fixed work in the hot paths, and fails if a figure is
more than 5 % above the record in instructions.json.

    check.py [--record] [--build DIR]

valgrind's callgrind counts two figures for each job of instructions.c: the instructions of our own code, and
its calls to other libraries (malloc, memcpy, recv ...). The instructions inside those are not counted, so
neither the C library nor the processor matters. The compiler does matter, so the record has figures for each
version of a compiler. Another version is compared with the nearest recorded version of the same compiler,
within 40 %. A compiler without a record fails. --record replaces the figures for this compiler: use it after a
change that is worth its instructions, or saves some. The output is TAP.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clients import BENCH, ROOT, Broken, Server, build_server, compile_program, curl_flags, make_certificate

RECORD = BENCH / "instructions.json"
TOLERANCE, STRANGER_TOLERANCE = 0.05, 0.40
SLACK = 20  # a figure near 0 may differ by so many calls or instructions
JOB_SECONDS = 400  # a job takes a few; this catches a hang
Figures = dict[str, dict[str, int]]


def compiler_version() -> tuple[str, str]:
    """The family and version of the compiler, such as ("gcc", "12.2.0")."""
    command = [*os.environ.get("CC", "cc").split(), "-dM", "-E", "-x", "c", os.devnull]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    defined = dict(re.findall(r"^#define (\w+) (\S+)$", text, re.MULTILINE))
    family = "clang" if "__clang__" in defined else "gcc"
    names = (
        ("__clang_{}__", "major minor patchlevel")
        if family == "clang"
        else ("__GNUC{}__", " _MINOR _PATCHLEVEL")
    )
    parts = [defined[names[0].format(part)] for part in names[1].split(" ")]
    return family, ".".join(parts)


def count(out: Path, program: Path) -> dict[str, int]:
    """Sums up a callgrind file: the instructions of our own functions, and their calls to other libraries."""
    names: dict[str, str] = {}
    own = calls = 0
    is_ours = callee_is_ours = is_call = False

    def object_of(text: str) -> bool:
        number, _, path = text.partition(" ")
        if path:
            names[number] = path
        return names[number] == str(program)

    for line in out.read_text(encoding="utf-8").splitlines():
        if line.startswith("ob="):
            is_ours = callee_is_ours = object_of(line[3:])
        elif line.startswith("cob="):
            callee_is_ours = object_of(line[4:])
        elif line.startswith("calls="):
            if is_ours and not callee_is_ours:
                calls += int(line[6:].split()[0])
            callee_is_ours, is_call = is_ours, True
        elif line[:1] in "+-*0123456789" and line:
            if not is_call and is_ours:
                own += int(line.split()[1])
            is_call = False
    return {"instructions": own, "calls": calls}


def run_job(job: str, program: Path, url: str, place: Path) -> tuple[str, dict[str, int]]:
    """Runs a job; returns its name and its figures."""
    out = place / f"callgrind.{job}"
    command = ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={out}"]
    command += [
        "--toggle-collect=counted",
        "--compress-strings=yes",
        "--compress-pos=yes",
        str(program),
        job,
        url,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=JOB_SECONDS)
    except FileNotFoundError:
        raise Broken("valgrind is not installed. Run: sh scripts/install.sh test") from None
    except subprocess.TimeoutExpired:
        raise Broken(f"{job} took more than {JOB_SECONDS} s") from None
    if done.returncode != 0:
        raise Broken(f"{job} ended with exit code {done.returncode}: {(done.stderr or done.stdout).strip()}")
    figures = count(out, program)
    if figures["instructions"] == 0:
        raise Broken(f"{job}: callgrind counted no instruction")
    return job, figures


def measure(place: Path) -> Figures:
    place.mkdir(parents=True, exist_ok=True)
    os.environ.pop("CFLAGS", None)  # the record was made with -O2
    server = build_server(place)
    core = sorted(ROOT.glob("core/src/*/*.c"))
    wrap = [f"-Wl,--wrap={name}" for name in ("recv", "send", "clock_gettime", "curl_version_info")]
    # the system's libcurl is a library of its own, so its instructions are not counted as ours
    flags = [*wrap, *curl_flags("system")]
    program = compile_program(place / "instructions", [BENCH / "instructions.c", *core], flags)
    listed = subprocess.run([str(program), "--list"], capture_output=True, text=True, check=True).stdout.split()
    certificate, key = make_certificate(place)
    with Server(server, certificate, key, None) as peer, ThreadPoolExecutor(os.cpu_count()) as lanes:
        return dict(lanes.map(lambda job: run_job(job, program, peer.urls["ws"], place), listed))


def recorded(family: str, version: str) -> tuple[str, Figures, float]:
    """The record to compare with: the compiler, its figures, and the tolerance."""
    known: dict[str, Figures] = json.loads(RECORD.read_text(encoding="utf-8"))
    name = f"{family} {version}"
    if name in known:
        return name, known[name], TOLERANCE
    relatives = [other for other in known if other.startswith(f"{family} ")]
    if not relatives:
        raise Broken(
            f"no figures are recorded for {name}. Run: make bench-check RECORD=1, and commit {RECORD.name}"
        )
    major = int(version.split(".")[0])
    nearest = min(relatives, key=lambda other: abs(int(other.split(" ")[1].split(".")[0]) - major))
    print(f"# no figures are recorded for {name}: comparing with {nearest}, within {STRANGER_TOLERANCE:.0%}")
    return nearest, known[nearest], STRANGER_TOLERANCE


def compare(figures: Figures, wanted: Figures, tolerance: float) -> int:
    failures = 0
    for job in sorted({*figures, *wanted}):
        for kind in ("instructions", "calls"):
            if job not in figures or job not in wanted:
                text = (
                    "is recorded and was not counted"
                    if job in wanted
                    else "has no figures: make bench-check RECORD=1"
                )
                print(f"not ok - {job}: {kind} {text}: make bench-check RECORD=1")
                failures += 1
                continue
            have, want = figures[job][kind], wanted[job][kind]
            is_good = have <= want * (1 + tolerance) + SLACK
            change = f"{have:,}, recorded {want:,} ({(have / want - 1) if want else 0:+.1%})"
            hint = "; better: record it" if have < want * (1 - tolerance) - SLACK else ""
            print(f"{'ok' if is_good else 'not ok'} - {job}: {kind} {change}{hint}")
            failures += not is_good
    return failures


def record(family: str, version: str, figures: Figures) -> None:
    known: dict[str, Figures] = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    known[f"{family} {version}"] = dict(sorted(figures.items()))
    RECORD.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")
    print(f"recorded for {family} {version}: {RECORD}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="check.py", description="Instructions of fixed work, against the record."
    )
    parser.add_argument("--record", action="store_true", help="replace the recorded figures")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="the folder of the build (build)")
    options = parser.parse_args()
    family, version = compiler_version()
    figures = measure(options.build.resolve() / "bench-check")
    if options.record:
        record(family, version, figures)
        return 0
    _, wanted, tolerance = recorded(family, version)
    return 1 if compare(figures, wanted, tolerance) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as problem:
        print(f"not ok - {problem}")
        sys.exit(1)

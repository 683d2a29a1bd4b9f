# SPDX-License-Identifier: MIT
"""Static analysis of the core's and the bindings' C: `make analyse`, and the suite analyse.

    python3 scripts/analyse.py

Runs gcc -fanalyzer and clang-tidy (.clang-tidy lists its checks) on each file, and cppcheck on each folder.
Prints TAP, a line for each run. Any finding fails. A false alarm is suppressed at its line, with the reason:
NOLINT for clang-tidy, cppcheck-suppress for cppcheck, a pragma for gcc.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
Job = tuple[str, list[str]]
# Folders, and the options that replace the runtimes' headers, which cppcheck does not read.
CPPCHECK_PARTS = (
    ("core/src", "-Icore/src"),
    ("bindings/python/src", "--library=python", "-DPy_LIMITED_API=0x030b0000", "-DPY_VERSION_HEX=0x030b0000"),
    ("bindings/lua/src", "-DLUA_VERSION_NUM=504"),
)
# Checks of cppcheck that are off, and why.
CPPCHECK_OFF = (
    "missingIncludeSystem",  # cppcheck does not read the system's headers, as its manual advises
    "unmatchedSuppression",  # the findings differ a little from version to version
    "clarifyCalculation",  # this project writes a & b ? x : y without brackets
    "variableScope",  # this project declares variables at the head of a block
    "redundantContinue",  # this project writes the empty body of a loop so
    "constParameterPointer",  # a handle is not const just because one call leaves it alone; also the next two
    "constParameterCallback",
    "constVariablePointer",
    "normalCheckLevelMaxBranches",  # it only says that some branches were not examined
    "varFuncNullUB",  # NULL is a pointer in every C library that libcurl is built for
)


def output_of(*command: str) -> list[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def flags_of(path: Path) -> list[str]:
    if path.is_relative_to(ROOT / "core"):
        # -isystem, because libcurl's macros are not ours to check
        curl = [
            word.replace("-I", "-isystem", 1) for word in output_of("sh", "scripts/check_libcurl.sh", "cflags")
        ]
        return ["-Icore/include", "-Icore/src", *curl]
    if path.is_relative_to(ROOT / "bindings" / "lua"):
        return ["-Icore/include", *output_of("pkg-config", "--cflags", "lua5.4")]
    return ["-Icore/include", "-DPy_LIMITED_API=0x030b0000", f"-I{sysconfig.get_path('include')}"]


def cppcheck(folder: str, *flags: str) -> Job:
    options = ["--quiet", "--std=c11", "--enable=warning,style,performance,portability", "--inline-suppr",
               "--library=posix", "--error-exitcode=1", "-D_GNU_SOURCE", "-D__linux__", "-D__GNUC__",
               "-Icore/include", *(f"--suppress={kind}" for kind in CPPCHECK_OFF)]  # fmt: skip
    return f"cppcheck {folder}", ["cppcheck", *options, *flags, folder]


def jobs() -> list[Job]:
    found: list[Job] = []
    for path in sorted([*ROOT.glob("core/src/*/*.c"), *ROOT.glob("bindings/*/src/*.c")]):
        name = str(path.relative_to(ROOT))
        flags = ["-std=c11", "-D_GNU_SOURCE", "-pthread", *flags_of(path)]
        found.append((f"clang-tidy {name}", ["clang-tidy", "--quiet", name, "--", *flags]))
        found.append(
            (
                f"gcc -fanalyzer {name}",
                ["gcc", "-O1", "-fanalyzer", "-Werror", "-S", "-o", os.devnull, *flags, name],
            )
        )
    return [*(cppcheck(*parts) for parts in CPPCHECK_PARTS), *found]


def run(job: Job) -> tuple[bool, str]:
    try:
        done = subprocess.run(job[1], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    except FileNotFoundError:
        return False, f"{job[1][0]} is not installed. Run: sh scripts/install.sh test"
    except subprocess.TimeoutExpired:
        return False, "it took more than 300 s"
    noise = re.compile(r"^\d+ warnings? (generated|treated)", re.MULTILINE)
    return done.returncode == 0, "" if done.returncode == 0 else noise.sub("", done.stdout + done.stderr)


def main() -> int:
    is_good = True
    work = jobs()
    print(f"1..{len(work)}")
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for number, (job, (is_ok, text)) in enumerate(zip(work, pool.map(run, work), strict=True), 1):
            is_good = is_good and is_ok
            print(f"{'ok' if is_ok else 'not ok'} {number} - {job[0]}", flush=True)
            for line in text.splitlines():
                print(f"# {line}", flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

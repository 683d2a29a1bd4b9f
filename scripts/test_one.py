# SPDX-License-Identifier: MIT
"""Builds what one file of tests needs, and runs it beside the test servers. `make test-one` calls it.

    python3 scripts/test_one.py [--built] FILE [NAME]

FILE is a path below tests/, or a name like test_ping, test_ping.c or test_streams.lua. NAME selects the cases
whose names contain it (for pytest it is -k, or the whole name of a case with its parameters). Variables of the
environment: LUA is 5.1, 5.2, 5.3, 5.4 or jit; VARIANT is the sanitizer, asan or tsan; LIBCURL=system takes the
system's libcurl. Missing tools are installed first. --built skips the build; use it inside
tests/servers/run.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import children

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / "build" / "venv" / "bin" / "python"


class Unknown(Exception):
    """There is no such test; the message says which there are."""


def find(name: str) -> Path:
    """The path of the file of tests with this name."""
    for path in (Path.cwd() / name, ROOT / name):
        if path.is_file() and path.resolve().is_relative_to(ROOT / "tests"):
            return path.resolve()
    pattern = name if Path(name).suffix in (".c", ".py", ".lua") else f"{name}.*"
    found = sorted(
        path
        for path in ROOT.glob(f"tests/*/{pattern}")
        if path.name.startswith("test_") and path.suffix in (".c", ".py", ".lua")
    )
    if not found:
        raise Unknown(f"there is no file of tests {name}. They are tests/*/test_*")
    if len(found) > 1:
        paths = " or ".join(f"T={path.relative_to(ROOT)}" for path in found)
        raise Unknown(f"{name} is the name of several files. Use {paths}")
    return found[0]


def make(*words: str) -> None:
    jobs = f"-j{os.cpu_count() or 1}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    subprocess.run(
        ["make", jobs, "--no-print-directory", "WERROR=1", *words], cwd=ROOT, env=environment, check=True
    )


def build(path: Path, libcurl: str, variant: str, lua: str) -> None:
    given = [f"LIBCURL={libcurl}"]
    if path.suffix == ".c":
        tree = "build/system" if libcurl == "system" else "build"
        make(*given, f"VARIANT={variant or 'test'}", f"{tree}/{variant or 'test'}/tests/{path.stem}")
        return
    if path.suffix == ".lua" and variant:
        make(*given, "lua", f"LUA_VERSIONS={lua}", f"VARIANT={variant}")
        return
    # a test of one language may use the other one and the library
    make(*given, "core", "python", "lua", f"LUA_VERSIONS={lua}")


def run(path: Path, name: str, libcurl: str, variant: str, lua: str) -> int:
    import run_tests  # only the Python of build/venv can import it

    place = str(path.relative_to(ROOT))
    tree = run_tests.SYSTEM if libcurl == "system" else run_tests.BUILD

    def one() -> run_tests.Counts:
        if path.suffix == ".c":
            return run_tests.core_program(path.stem, variant or "test", *([name] if name else []), build=tree)
        if path.suffix == ".lua":
            pattern = re.sub(r"([^\w\s])", r"%\1", name)  # so that Lua's patterns match the text itself
            words = ["--match", pattern] if name else []
            return run_tests.lua(lua, variant, place, *words, build=tree)
        if "[" in name:  # the whole name of a case: -k allows no blanks in brackets
            return run_tests.pytest(f"{place}::{name}", build=tree)
        return run_tests.pytest(place, *(["-k", name] if name else []), build=tree)

    children.hand_on_signals()
    with children.ends_children():
        return 1 if run_tests.run_here(place, one).failed else 0


def main(arguments: list[str]) -> int:
    is_built = arguments[:1] == ["--built"]
    arguments = arguments[is_built:]
    if not arguments or not arguments[0]:
        print(
            "usage: make test-one T=test_ping [NAME='part of a name'] [LUA=5.4] [VARIANT=tsan]", file=sys.stderr
        )
        return 2
    name = arguments[1] if len(arguments) > 1 else ""
    variant = os.environ.get("VARIANT", "")
    variant = "" if variant in ("release", "test") else variant
    lua = os.environ.get("LUA") or "5.4"
    libcurl = os.environ.get("LIBCURL") or "private"
    try:
        path = find(arguments[0])
        if is_built:
            return run(path, name, libcurl, variant, lua)
        if not PYTHON.exists():
            subprocess.run(["sh", "scripts/install.sh", "test"], cwd=ROOT, check=True)
        build(path, libcurl, variant, lua)
    except Unknown as error:
        print(f"test_one.py: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        return error.returncode
    again = [str(PYTHON), "scripts/test_one.py", "--built", str(path), name]
    for word in ("MAKEFLAGS", "MAKELEVEL"):  # tests that call make must not inherit them
        os.environ.pop(word, None)
    return subprocess.run([PYTHON, "tests/servers/run.py", "--", *again], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

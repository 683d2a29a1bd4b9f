# SPDX-License-Identifier: MIT
"""Builds what one file of tests needs, and runs it beside the peers. `make test-one` calls it.

    python3 scripts/test_one.py [--built] FILE [NAME]

FILE is a path below tests/, or a name as test_ping, test_ping.c, test_streams.lua. NAME picks the cases whose
names contain it (pytest: its -k, or the whole name of a case with its parameters). From the environment: LUA
says which Lua (5.1, 5.2, 5.3, 5.4, jit), VARIANT=asan or tsan which sanitizer, LIBCURL=private which libcurl.
What is missing is installed first. --built runs what is built, inside tests/servers/run.py.
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
    """No such test; the message says what there is."""


def find(name: str) -> Path:
    """The one file of tests that is meant."""
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
        raise Unknown(f"no file of tests is called {name}; they are tests/*/test_*")
    if len(found) > 1:
        paths = " or ".join(f"T={path.relative_to(ROOT)}" for path in found)
        raise Unknown(f"{name} may be any of several: say {paths}")
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
        tree = "build/private" if libcurl == "private" else "build"
        make(*given, f"VARIANT={variant or 'test'}", f"{tree}/{variant or 'test'}/tests/{path.stem}")
        return
    if path.suffix == ".lua" and variant:
        make(*given, "lua", f"LUA_VERSIONS={lua}", f"VARIANT={variant}")
        return
    # a test of one language may look at the other, and at the library
    make(*given, "core", "python", "lua", f"LUA_VERSIONS={lua}")


def run(path: Path, name: str, libcurl: str, variant: str, lua: str) -> int:
    import run_tests  # its Python is that of build/venv

    place = str(path.relative_to(ROOT))
    tree = run_tests.PRIVATE if libcurl == "private" else run_tests.BUILD

    def one() -> run_tests.Counts:
        if path.suffix == ".c":
            return run_tests.core_program(path.stem, variant or "test", *([name] if name else []), build=tree)
        if path.suffix == ".lua":
            pattern = re.sub(r"([^\w\s])", r"%\1", name)  # a text is no pattern of Lua's
            words = ["--match", pattern] if name else []
            return run_tests.lua(lua, variant, place, *words, build=tree)
        if "[" in name:  # a whole name: -k takes no blanks within brackets
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
    # what runs under a sanitizer is always built with the private libcurl
    libcurl = "private" if variant else os.environ.get("LIBCURL") or "system"
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
    for word in ("MAKEFLAGS", "MAKELEVEL"):  # tests that call make mean another one
        os.environ.pop(word, None)
    return subprocess.run([PYTHON, "tests/servers/run.py", "--", *again], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: MIT
"""Checks annotations.lua, which the Lua language servers read, by a checker of types.

    python scripts/annotations.py

The checker must accept annotations.lua, the sources of the module, the examples and
tests/lua/annotations/right.lua. It must refuse the marked lines of tests/lua/annotations/wrong.lua, and no
other line. It must refuse a copy of the sources with a fault, too. The first run builds the checker into
build/emmylua by cargo, which takes minutes. So it is no part of lint.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKER = ROOT / "build" / "emmylua"
VERSION = "0.25.1"  # the newest one when this was written: another may find more
CONFIGURATION = {
    "runtime": {"version": "Lua5.4"},
    "diagnostics": {"disable": ["unresolved-require"]},  # of libraries that an example needs
}
ERROR_OR_WARNING = (1, 2)
SOURCES = ROOT / "bindings" / "lua" / "curlwire"
WRONG = "wrong.lua"
FAULT = "calls.lua", "scheduler.turn()", "scheduler.no_such_function()"  # the file, its code, and the fault


def checker() -> Path:
    """Returns the program. Builds it if there is none."""
    program = CHECKER / "bin" / "emmylua_check"
    if program.exists() and VERSION in subprocess.check_output([program, "--version"], text=True):
        return program
    if not shutil.which("cargo"):
        sys.exit("annotations.py: cargo is not installed. Install Rust")
    command: list[str | Path] = ["cargo", "install", "--quiet", "--locked", "--debug", "--root", CHECKER]
    command += ["--target-dir", CHECKER / "target", "emmylua_check", "--version", VERSION]
    subprocess.run(command, check=True)
    shutil.rmtree(CHECKER / "target")
    return program


def findings(folder: Path) -> dict[tuple[str, int], str]:
    """Returns what the checker says about each line of the files of a folder."""
    settings, report = folder / "settings.json", folder / "report.json"
    settings.write_text(json.dumps(CONFIGURATION))
    command: list[str | Path] = [checker(), "--config", settings, "--output-format", "json"]
    command += ["--output", report, folder]
    subprocess.run(command, check=False, capture_output=True)
    found = {}
    for file in json.loads(report.read_text()):
        for finding in file["diagnostics"]:
            if finding["severity"] in ERROR_OR_WARNING:
                name = str(Path(file["file"]).resolve().relative_to(folder.resolve()))
                place = name, finding["range"]["start"]["line"] + 1
                found[place] = f"{finding['message'].strip()} [{finding['code']}]"
    return found


def sources() -> list[tuple[Path, str]]:
    """Returns the files, with their places in the folder of the checker, which name their modules."""
    annotations = SOURCES / "annotations.lua"
    others = [*sorted(ROOT.glob("examples/*.lua")), *sorted(ROOT.glob("tests/lua/annotations/*.lua"))]
    modules = [path for path in sorted(SOURCES.glob("*.lua")) if path != annotations]
    return [(path, path.name) for path in [annotations, *others]] + [
        (path, f"curlwire/{path.name}") for path in modules
    ]


def check() -> tuple[dict[tuple[str, int], str], dict[tuple[str, int], str]]:
    """Returns the findings, and those in a copy with a fault in a source."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "curlwire").mkdir()
        for path, place in sources():
            shutil.copy(path, folder / place)
        found = findings(folder)
        file, code, fault = FAULT
        faulty = folder / "curlwire" / file
        faulty.write_text(faulty.read_text().replace(code, fault, 1))
        return found, findings(folder)


def main() -> int:
    found, with_fault = check()
    lines = (ROOT / "tests/lua/annotations" / WRONG).read_text().splitlines()
    wanted = {(WRONG, number) for number, line in enumerate(lines, 1) if "-- wrong" in line}
    for name, number in sorted(found.keys() - wanted):
        print(f"{name}:{number}: {found[name, number]}")
    for name, number in sorted(wanted - found.keys()):
        print(f"{name}:{number}: the checker accepts this line: {lines[number - 1]}")
    failed = len(found.keys() ^ wanted)
    if len(with_fault) != len(found) + 1:
        print(f"the checker accepts {FAULT[2]} in {FAULT[0]}")
        failed += 1
    print(f"{len(sources())} files and {len(wanted)} wrong lines are checked")
    print(f"{len(found.keys() & wanted)} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Checks annotations.lua, which the Lua language servers read, by a checker of types.

    python scripts/annotations.py

The checker must accept annotations.lua, the examples and tests/lua/annotations/right.lua. It must refuse the
marked lines of tests/lua/annotations/wrong.lua, and no other line. The first run builds the checker into
build/emmylua by cargo, which takes minutes. So it is no part of lint. The sources of the module are not
checked: some of their variables get a value only in a later function, and the checker takes them for nil.
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
WRONG = "wrong.lua"


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
                place = Path(file["file"]).name, finding["range"]["start"]["line"] + 1
                found[place] = f"{finding['message'].strip()} [{finding['code']}]"
    return found


def main() -> int:
    sources = [ROOT / "bindings" / "lua" / "curlwire" / "annotations.lua"]
    sources += sorted(ROOT.glob("examples/*.lua")) + sorted(ROOT.glob("tests/lua/annotations/*.lua"))
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            shutil.copy(source, folder)
        found = findings(Path(folder))
    lines = (ROOT / "tests/lua/annotations" / WRONG).read_text().splitlines()
    wanted = {(WRONG, number) for number, line in enumerate(lines, 1) if "-- wrong" in line}
    for name, number in sorted(found.keys() - wanted):
        print(f"{name}:{number}: {found[name, number]}")
    for name, number in sorted(wanted - found.keys()):
        print(f"{name}:{number}: the checker accepts this line: {lines[number - 1]}")
    failed = len(found.keys() ^ wanted)
    print(f"{len(sources)} files and {len(wanted)} wrong lines are checked")
    print(f"{len(found.keys() & wanted)} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

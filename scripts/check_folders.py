# SPDX-License-Identifier: MIT
"""Checks the folders of the core. A file includes and calls only code of its own folder and of lower folders.
Files do not call each other in a circle.

    python3 scripts/check_folders.py [ROOT]

Reads the calls from the symbol tables of the objects in build, so run `make core python lua` first. A circle of
two files of the core is allowed if docs/architecture.md names it, under "Circles". A larger one is not, nor any
circle in the bindings. Prints a line for each breach; the exit code is 1 if there is one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

# The folders of the core, from the ground up, and for each the folders that its files may use.
FOLDERS = {
    "base": (),
    "protocol": ("base",),
    "engine": ("base",),
    "transport": ("base", "protocol", "engine"),
    "socket": ("base", "protocol", "engine", "transport"),
}
# The files of socket/ that may include transport.h.
OF_TRANSPORT = ("connect.c", "proxying.c", "reach_settings.c")
# The folder of each binding's objects, below build.
BINDINGS = {"lua": "release/lua-objects/5.4", "python": "python-temp/bindings/python/src"}
Graph = dict[str, dict[str, set[str]]]  # for each file: the files that it calls, and the functions' names


def may_know(folder: str, other: str) -> bool:
    return other == folder or other in FOLDERS.get(folder, ())


def include_breaches(source: Path) -> list[str]:
    """A line for each include of a header that is not below. Includes are paths from the file's own folder."""
    found = []
    for path in sorted(source.glob("*/*.[ch]")):
        folder = path.parent.name
        if folder not in FOLDERS:
            found.append(f"{path}:1: there is no folder {folder} in the core: {', '.join(FOLDERS)}")
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            named = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if named is None:
                continue
            header = (path.parent / named[1]).resolve()
            if not may_know(folder, header.parent.name):
                found.append(f"{path}:{number}: {folder} includes {named[1]}, which is not below it")
            elif folder == "socket" and header.name == "transport.h" and path.name not in OF_TRANSPORT:
                found.append(
                    f"{path}:{number}: socket includes codec.h instead; only {', '.join(OF_TRANSPORT)} may "
                    "include transport.h"
                )
    return found


def objects_of(source: Path, objects: Path) -> tuple[dict[str, Path], list[str]]:
    """The object of each file below source, and a breach for each object that is missing or out of date."""
    made, found = {}, []
    for path in sorted(source.rglob("*.c")):
        name = str(path.relative_to(source).with_suffix(""))
        built = objects / f"{name}.o"
        if not built.exists() or built.stat().st_mtime < path.stat().st_mtime:
            found.append(f"{path}:1: {built} is missing or older than its source. Run: make core python lua")
        else:
            made[name] = built
    return made, found


def calls_of(made: dict[str, Path]) -> tuple[Graph, dict[str, set[str]]]:
    """The calls between these files, and the names that each file uses from elsewhere."""
    wanted: dict[str, set[str]] = {}
    home: dict[str, str] = {}
    for name, built in made.items():
        wanted[name] = set()
        command = ["nm", "--format=posix", "--extern-only", str(built)]
        for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
            symbol, kind = line.split()[:2]
            if kind in "Uwv":
                wanted[name].add(symbol)
            else:
                home[symbol] = name
    graph: Graph = {name: {} for name in made}
    outside: dict[str, set[str]] = {name: set() for name in made}
    for name, symbols in wanted.items():
        for symbol in symbols:
            if symbol in home:
                graph[name].setdefault(home[symbol], set()).add(symbol)
            else:
                outside[name].add(symbol)
    return graph, outside


def call_breaches(graph: Graph, outside: dict[str, set[str]]) -> list[str]:
    found = []
    for name, called in sorted(graph.items()):
        folder = name.split("/")[0]
        for other, symbols in sorted(called.items()):
            if not may_know(folder, other.split("/")[0]):
                names = ", ".join(sorted(symbols))
                found.append(f"{name}.c calls {names} of {other}.c, which is not below it")
        curl = sorted(symbol for symbol in outside[name] if symbol.startswith("curl_"))
        if curl and folder != "transport":
            found.append(f"{name}.c calls {', '.join(curl)}: only transport may call libcurl")
    return found


def reachable(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    ahead = list(graph[start])
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += graph[name]
    return seen


def circles(graph: Graph) -> list[tuple[str, ...]]:
    """The sets of files in which each file calls every other, directly or through others."""
    reach = {name: reachable(graph, name) for name in graph}
    found = {
        tuple(sorted({name} | {other for other in reach[name] if name in reach[other]}))
        for name in graph
        if name in reach[name]
    }
    return sorted(found)


def known_circles(page: Path) -> set[tuple[str, ...]]:
    """The rows of the table under "Circles": | `engine/mailbox`, `engine/service` | the reason |"""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    _, _, section = text.partition("\n## Circles\n")
    rows = re.findall(r"^\| (`[^|]+`) \| \S", section.partition("\n## ")[0], re.MULTILINE)
    return {tuple(sorted(re.findall(r"`([^`]+)`", row))) for row in rows}


def circle_breaches(graph: Graph, page: Path) -> list[str]:
    known, there = known_circles(page), circles(graph)
    found = []
    for circle in there:
        names = ", ".join(f"{name}.c" for name in circle)
        if len(circle) > 2:
            found.append(f"{names} call each other in a circle of {len(circle)}")
        elif circle not in known:
            found.append(f"{names} call each other, and {page.name} does not say why")
    found += [
        f"{page.name} names a circle that does not exist: {', '.join(gone)}"
        for gone in sorted(known - {*there})
    ]
    return found


def binding_breaches(root: Path) -> list[str]:
    found = []
    for language, objects in BINDINGS.items():
        made, missing = objects_of(root / "bindings" / language / "src", root / "build" / objects)
        found += missing
        for circle in circles(calls_of(made)[0]):
            names = ", ".join(f"{name}.c" for name in circle)
            found.append(f"{names} of the {language} binding call each other")
    return found


def breaches(root: Path) -> list[str]:
    source = root / "core" / "src"
    made, found = objects_of(source, root / "build" / "release" / "core")
    found += include_breaches(source)
    graph, outside = calls_of(made)
    found += call_breaches(graph, outside)
    found += circle_breaches(graph, root / "docs" / "architecture.md")
    return found + binding_breaches(root)


def main() -> int:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    found = breaches(root)
    print("\n".join(found) or "the folders are in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

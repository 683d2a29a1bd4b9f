# SPDX-License-Identifier: MIT
"""Holds the house to its own rules: budgets, who includes what of others, what the library shows, what the
header says. check_folders.py looks at the folders of the core.

    python3 scripts/check_rooms.py

Prints one line for each breach; exit code 1 if there is any.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES = 60
FILE_LINES = 600
# the files that speak to libcurl
CURL_FILES = re.compile(r"core/src/transport/\w+\.[ch]$")
PURE_FILES = re.compile(r"core/src/(protocol/\w+|base/(sha1|event)|engine/timer)\.[ch]$")
NOT_FOR_PURE = re.compile(r"<(curl/|sys/socket|sys/epoll|sys/event|poll|pthread|unistd|netinet/|arpa/)")

breaches: list[str] = []


def breach(path: Path, line: int, text: str) -> None:
    breaches.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def sources(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def without_comments(text: str) -> str:
    """The same lines, with comments and strings blanked, so that a word in them means nothing."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


# they grow with the tables that they have
TABLES = ("curlwire.h", "_core.pyi", "annotations.lua")


def check_budgets() -> None:
    files = sources(
        "core/**/*.[ch]", "bindings/**/*.[ch]", "bindings/**/*.py", "bindings/**/*.pyi", "bindings/**/*.lua"
    )
    for path in files:
        lines = path.read_text().splitlines()
        if len(lines) > FILE_LINES and not is_table(lines) and path.name not in TABLES:
            breach(path, FILE_LINES + 1, f"{len(lines)} lines; a file has at most {FILE_LINES}")
        if path.suffix in (".c", ".h"):
            check_c_functions(path)
        elif path.suffix == ".py":
            check_python_functions(path)


def is_table(lines: list[str]) -> bool:
    """Nine lines in ten are entries of a table."""
    return sum(1 for line in lines if re.match(r"\s*(X\(|\{.*\},)", line)) * 10 > len(lines) * 9


def check_c_functions(path: Path) -> None:
    """In this style a function's braces stand alone in the first column."""
    lines = without_comments(path.read_text()).splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
            while start > 1 and re.match(r"[\w *].*", lines[start - 2]):
                start -= 1
        elif line == "}" and start is not None:
            if number - start + 1 > FUNCTION_LINES:
                breach(path, start, f"a function of {number - start + 1} lines; {FUNCTION_LINES} is the most")
            start = None


def check_python_functions(path: Path) -> None:
    import ast

    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                breach(path, node.lineno, f"{node.name} has {length} lines; {FUNCTION_LINES} is the most")


def check_includes() -> None:
    for path in sources("core/**/*.[ch]", "bindings/**/*.[ch]"):
        name = str(path.relative_to(ROOT))
        is_core = name.startswith("core/")
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s+([<"][^>"]+)', line)
            if not found:
                continue
            what = found.group(1)
            if what.startswith("<curl/") and not CURL_FILES.search(name):
                breach(path, number, "only the files that speak to libcurl may include its header")
            if what == "<zlib.h" and name != "core/src/protocol/deflate.c":
                breach(path, number, "deflate.c alone knows zlib")
            if is_core and re.match(r'[<"](Python|lua|lauxlib|lualib)\b', what):
                breach(path, number, "the core knows no runtime")
            if PURE_FILES.search(name) and NOT_FOR_PURE.match(what):
                breach(path, number, f"{path.name} is pure: no I/O, no threads")
            if not is_core and Path(what[1:]).name in CORE_PRIVATE:
                breach(path, number, "a binding includes nothing of the core but curlwire.h")


CORE_PRIVATE = {path.name for path in (ROOT / "core" / "src").glob("*/*.h")}


def check_lua_versions() -> None:
    for path in sources("bindings/lua/**/*.[ch]"):
        for number, line in enumerate(without_comments(path.read_text()).splitlines(), 1):
            if "LUA_VERSION_NUM" in line and path.name != "compat.h":
                breach(path, number, "LUA_VERSION_NUM occurs only in compat.h")


def check_first_lines() -> None:
    for path in sources("core/**/*.[ch]", "bindings/**/*.[ch]"):
        if not path.read_text().startswith("/* SPDX-License-Identifier: MIT */\n"):
            breach(path, 1, "the first line is the SPDX line")


def check_exports() -> None:
    library = ROOT / "build" / "release" / "libcurlwire.so"
    if not library.exists():
        breaches.append("build/release/libcurlwire.so is not built; run: make core")
        return
    listing = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True
    ).stdout
    shown = {line.split()[-1].partition("@")[0] for line in listing.splitlines()}
    for name in sorted(shown):
        if not name.startswith("cw_") or name.startswith("cw__"):
            breaches.append(f"libcurlwire.so shows {name}; it may show cw_* only")
    for name in sorted(set(public_functions()) - shown):
        breaches.append(f"libcurlwire.so lacks {name}, which curlwire.h declares")


def public_functions() -> dict[str, int]:
    """Name and line of each function in curlwire.h."""
    text = (ROOT / "core" / "include" / "curlwire.h").read_text()
    return {
        found.group(1): text.count("\n", 0, found.start()) + 1
        for found in re.finditer(r"^CW_API [^;(]*?\b(cw_\w+)\(", text, re.MULTILINE)
    }


def check_header() -> None:
    """Each prototype, or the group it stands in, has a comment with its thread rule."""
    path = ROOT / "core" / "include" / "curlwire.h"
    lines = path.read_text().splitlines()
    for name, number in public_functions().items():
        above = number - 2  # its index in lines
        while above >= 0 and lines[above] and not lines[above].endswith("*/"):
            above -= 1
        end = above
        while above >= 0 and "/*" not in lines[above]:
            above -= 1
        comment = "\n".join(lines[above : end + 1]) if above >= 0 and end >= 0 and lines[end] else ""
        if "Thread" not in comment:
            breach(path, number, f"the comment of {name} has no line Thread")


def skipped() -> dict[str, set[str]]:
    result: dict[str, set[str]] = {"python": set(), "lua": set()}
    known = public_functions()
    path = ROOT / "scripts" / "skiplist.txt"
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        words = line.split(maxsplit=2)
        if len(words) < 3 or words[0] not in ("both", "python", "lua") or words[1] not in known:
            breach(path, number, "a line is: both|python|lua, a public function, the reason")
            continue
        for binding in ("python", "lua") if words[0] == "both" else (words[0],):
            result[binding].add(words[1])
    return result


def check_bindings() -> None:
    """What the core offers, both languages have."""
    excused = skipped()
    for binding in ("python", "lua"):
        text = "\n".join(
            without_comments(path.read_text()) for path in sources(f"bindings/{binding}/**/*.[ch]")
        )
        used = set(re.findall(r"\bcw_\w+", text))
        for name in public_functions():
            if name not in used and name not in excused[binding]:
                breaches.append(f"bindings/{binding}: {name} is neither used nor in scripts/skiplist.txt")
            if name in used and name in excused[binding]:
                breaches.append(f"scripts/skiplist.txt: {name} is used in bindings/{binding} after all")


def main() -> int:
    check_budgets()
    check_includes()
    check_lua_versions()
    check_first_lines()
    check_exports()
    check_header()
    check_bindings()
    print("\n".join(breaches) or "rooms and budgets are in order")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

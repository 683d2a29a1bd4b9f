# SPDX-License-Identifier: MIT
"""Checks the rules of the source: sizes of files and functions, includes, the names that the library exports,
the comments of curlwire.h, the functions that the bindings use. check_folders.py checks the folders of the
core.

    python3 scripts/check_rooms.py
    python3 scripts/check_rooms.py --write-symbols    # writes core/symbols.txt from the built library

Prints a line for each breach; the exit code is 1 if there is one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTION_LINES = 60
FILE_LINES = 600
# The files that may include libcurl.
CURL_FILES = re.compile(r"core/src/transport/\w+\.[ch]$")
PURE_FILES = re.compile(r"core/src/(protocol/\w+|base/(digest|sha1|sha256|event)|engine/timer)\.[ch]$")
# arpa/inet.h is allowed for inet_pton, which only reads a text.
# FreeBSD has its AF_INET in sys/socket.h, which only these files may include.
WITH_ADDRESS_FAMILIES = ("core/src/protocol/address.c",)
NOT_FOR_PURE = re.compile(
    r"<(curl/|sys/socket|sys/epoll|sys/event|poll|pthread|unistd|netinet/|arpa/(?!inet\.h))"
)

LIBRARY = ROOT / "build" / "release" / "libcurlwire.so"
SYMBOLS = ROOT / "core" / "symbols.txt"  # the names that programs and bindings of others may use
WRITE_SYMBOLS = "python3 scripts/check_rooms.py --write-symbols"

breaches: list[str] = []


def breach(path: Path, line: int, text: str) -> None:
    breaches.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def sources(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def without_comments(text: str) -> str:
    """The same lines with blanks in place of comments and strings, so that a search finds only code."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


# These files have tables that grow, so they may be longer.
TABLES = ("curlwire.h", "_core.pyi", "annotations.lua", "idn_table.c")


def check_budgets() -> None:
    files = sources(
        "core/**/*.[ch]", "bindings/**/*.[ch]", "bindings/**/*.py", "bindings/**/*.pyi", "bindings/**/*.lua"
    )
    for path in files:
        lines = path.read_text().splitlines()
        if len(lines) > FILE_LINES and not is_table(lines) and path.name not in TABLES:
            breach(path, FILE_LINES + 1, f"this file has {len(lines)} lines. At most {FILE_LINES} are allowed")
        if path.suffix in (".c", ".h"):
            check_c_functions(path)
        elif path.suffix == ".py":
            check_python_functions(path)


def is_table(lines: list[str]) -> bool:
    """Returns whether more than nine lines in ten are entries of a table."""
    return sum(1 for line in lines if re.match(r"\s*(X\(|\{.*\},)", line)) * 10 > len(lines) * 9


def check_c_functions(path: Path) -> None:
    """Finds functions by their braces, which clang-format puts alone into the first column."""
    lines = without_comments(path.read_text()).splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
            while start > 1 and re.match(r"[\w *].*", lines[start - 2]):
                start -= 1
        elif line == "}" and start is not None:
            if number - start + 1 > FUNCTION_LINES:
                breach(
                    path,
                    start,
                    f"this function has {number - start + 1} lines. At most {FUNCTION_LINES} are allowed",
                )
            start = None


def check_python_functions(path: Path) -> None:
    import ast

    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                breach(
                    path, node.lineno, f"{node.name} has {length} lines. At most {FUNCTION_LINES} are allowed"
                )


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
                breach(path, number, "only the files of transport may include libcurl's header")
            if what == "<zlib.h" and name != "core/src/protocol/deflate.c":
                breach(path, number, "only deflate.c may include zlib.h")
            if is_core and re.match(r'[<"](Python|lua|lauxlib|lualib)\b', what):
                breach(path, number, "the core may not include a runtime's header")
            is_family = what == "<sys/socket.h" and name in WITH_ADDRESS_FAMILIES
            if PURE_FILES.search(name) and NOT_FOR_PURE.match(what) and not is_family:
                breach(path, number, f"{path.name} is pure: it may not include headers for I/O or threads")
            if not is_core and Path(what[1:]).name in CORE_PRIVATE:
                breach(path, number, "a binding may include only curlwire.h of the core")


CORE_PRIVATE = {path.name for path in (ROOT / "core" / "src").glob("*/*.h")}


def check_lua_versions() -> None:
    for path in sources("bindings/lua/**/*.[ch]"):
        for number, line in enumerate(without_comments(path.read_text()).splitlines(), 1):
            if "LUA_VERSION_NUM" in line and path.name != "compat.h":
                breach(path, number, "only compat.h may use LUA_VERSION_NUM")


def check_first_lines() -> None:
    for path in sources("core/**/*.[ch]", "bindings/**/*.[ch]"):
        if not path.read_text().startswith("/* SPDX-License-Identifier: MIT */\n"):
            breach(path, 1, "the first line must be: /* SPDX-License-Identifier: MIT */")


def exported() -> set[str]:
    """The names that the built library exports."""
    listing = subprocess.run(
        ["nm", "-D", "--defined-only", str(LIBRARY)], capture_output=True, text=True, check=True
    ).stdout
    return {line.split()[-1].partition("@")[0] for line in listing.splitlines()}


def compare_symbols(listed: list[str], shown: set[str]) -> list[str]:
    """Returns a line for each name that is in only one of core/symbols.txt and the library."""
    lines = [
        f"core/symbols.txt: the library no longer exports {name}, so programs that call it no longer start. "
        f"Export it again, or remove it with: {WRITE_SYMBOLS}"
        for name in sorted(set(listed) - shown)
    ]
    lines += [
        f"core/symbols.txt lacks {name}, which the library exports. Run: {WRITE_SYMBOLS}"
        for name in sorted(shown - set(listed))
    ]
    if listed != sorted(set(listed)):
        lines.append(f"core/symbols.txt is not in order. Run: {WRITE_SYMBOLS}")
    return lines


def check_exports() -> None:
    if not LIBRARY.exists():
        breaches.append("build/release/libcurlwire.so is not built. Run: make core")
        return
    shown = exported()
    breaches.extend(compare_symbols(SYMBOLS.read_text().split(), shown))
    for name in sorted(shown):
        if not name.startswith("cw_") or name.startswith("cw__"):
            breaches.append(f"libcurlwire.so exports {name}. It may export only cw_*, without cw__*")
    for name in sorted(set(public_functions()) - shown):
        breaches.append(f"libcurlwire.so lacks {name}, which curlwire.h declares")


def public_functions() -> dict[str, int]:
    """The name and line of each function in curlwire.h."""
    text = (ROOT / "core" / "include" / "curlwire.h").read_text()
    return {
        found.group(1): text.count("\n", 0, found.start()) + 1
        for found in re.finditer(r"^CW_API [^;(]*?\b(cw_\w+)\(", text, re.MULTILINE)
    }


def check_header() -> None:
    """Checks that each prototype, or its group, has a comment with its thread rule."""
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
            breach(path, number, f'the comment of {name} has no line "Thread"')


def unpaired(names: set[str]) -> list[str]:
    """Returns the names that end in _begin without the same name in _end, and the reverse."""
    other = {"_begin": "_end", "_end": "_begin"}
    return sorted(
        name
        for name in names
        for end in other
        if name.endswith(end) and name.removesuffix(end) + other[end] not in names
    )


def unmeasured(header: str) -> list[tuple[str, str]]:
    """Returns each function and text that callers pass without the length behind it."""
    found = []
    for call in re.finditer(r"^CW_API [^;(]*?\b(cw_\w+)\(([^;]*)\);", header, re.MULTILINE):
        parameters = [" ".join(word.split()) for word in call.group(2).split(",")]
        for given, behind in zip(parameters, [*parameters[1:], ""], strict=True):
            text = re.fullmatch(r"const (?:char|void) \*(\w+)", given)
            if text and text[1] not in OWNERS and behind not in LENGTHS | {f"size_t {text[1]}_len_bytes"}:
                found.append((call.group(1), text[1]))
    return found


OWNERS = ("owner", "reader")  # addresses of which nothing is read
LENGTHS = {"size_t len_bytes", "size_t size_bytes"}


def check_names() -> None:
    """Checks the rules "Names" and "Texts and bytes" of the header, as far as prototypes show them."""
    functions = public_functions()
    path = ROOT / "core" / "include" / "curlwire.h"
    for name, text in unmeasured(path.read_text()):
        breach(path, functions[name], f"{name} takes {text} without its length. Add size_t {text}_len_bytes")
    for name in unpaired(set(functions)):
        breach(
            path,
            functions[name],
            f"{name} has no partner. A call that only starts something is named ..._start",
        )


def skipped() -> dict[str, set[str]]:
    result: dict[str, set[str]] = {"python": set(), "lua": set()}
    known = public_functions()
    path = ROOT / "scripts" / "skiplist.txt"
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        words = line.split(maxsplit=2)
        if len(words) < 3 or words[0] not in ("both", "python", "lua") or words[1] not in known:
            breach(path, number, "a line must be: both|python|lua, a public function, the reason")
            continue
        for binding in ("python", "lua") if words[0] == "both" else (words[0],):
            result[binding].add(words[1])
    return result


def check_bindings() -> None:
    """Checks that both bindings use each public function, or that skiplist.txt says why not."""
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
                breaches.append(f"scripts/skiplist.txt: {name} is used in bindings/{binding}. Remove the line")


def main() -> int:
    if sys.argv[1:] == ["--write-symbols"]:
        SYMBOLS.write_text("".join(f"{name}\n" for name in sorted(exported())))
        return 0
    check_budgets()
    check_includes()
    check_lua_versions()
    check_first_lines()
    check_exports()
    check_header()
    check_names()
    check_bindings()
    print("\n".join(breaches) or "sizes, includes and exports are in order")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

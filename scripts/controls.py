# SPDX-License-Identifier: MIT
"""Generates files from the table of controls, CW_OPTION_LIST in core/include/curlwire.h: `make controls`.

    PYTHONPATH=build/python python3 scripts/controls.py [--check | --lua]

Writes the types for Python (options.py; _core.pyi, with the docstrings of the built module), the annotations
for Lua and the table of docs/controls.md. --check, which lint calls, changes nothing. It fails if one of these
files is out of date, if no code uses a control, or if no test names a control. --lua prints the table for the
tests in Lua.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

HEADER = ROOT / "core" / "include" / "curlwire.h"
OPTIONS = ROOT / "bindings" / "python" / "curlwire" / "options.py"
STUB = ROOT / "bindings" / "python" / "curlwire" / "_core.pyi"
ANNOTATIONS = ROOT / "bindings" / "lua" / "curlwire" / "annotations.lua"
PAGE = ROOT / "docs" / "controls.md"

CONSTANTS = {"INT32_MAX": 2**31 - 1, "INT64_MAX": 2**63 - 1}
# UWP's enumerations, which are classes in Python. Other enumerations are words.
ENUMERATIONS = {"message_type": "SocketMessageType", "receive_mode": "MessageWebSocketReceiveMode"}
# The control that takes an object: a CookieJar, or a text.
JAR = "cookie_jar"
# The only attribute of ws.control that is no control: it can only be read.
ACTUAL = "actual_unsolicited_pong_interval"
UNITS = {"MS": "seconds", "COUNT": "bytes", "BITS": "bits"}

Value = bool | int | float | str | tuple[str, ...] | dict[str, int | str] | None


@dataclass(frozen=True)
class Control:
    """A row of the table; curlwire.h explains the columns."""

    key: str
    type: str
    initial: int
    least: int
    most: int
    is_of_messages: bool
    words: tuple[str, ...]
    none: str | None
    since: str | None
    text: str

    @property
    def default(self) -> Value:
        """The default as a value in Python."""
        values: dict[str, Value] = {
            "BOOL": bool(self.initial),
            "MS": self.initial / 1000,
            "TEXT": None,
            "LIST": (),
            "BYTES": None,
            "CREDENTIAL": None,
            "SECRET": None,
            "PROXY": None,
            "HEADERS": (),
            "SECRET_BYTES": None,
            "TEXTS": (),
            "PAIRS": {},
        }
        if self.type == "ENUM":
            return self.words[self.initial]
        return values.get(self.type, self.initial)


COLUMNS = 11
FIELD = re.compile(r'\s*((?:"(?:[^"\\]|\\.)*"\s*)+|CW_WORDS\([^)]*\)|[^,"()]+?)\s*(?:,|$)')


def number(field: str) -> int:
    if field in CONSTANTS:
        return CONSTANTS[field]
    if not re.fullmatch(r"-?\d+", field):
        raise SystemExit(
            f"controls.py: '{field}' in {HEADER.name} is no number. Write digits, or {' or '.join(CONSTANTS)}"
        )
    return int(field)


def parse(row: str) -> Control:
    fields = FIELD.findall(row)
    if len(fields) != COLUMNS:
        raise SystemExit(f"controls.py: a row of {HEADER.name} has {len(fields)} columns, not {COLUMNS}: {row}")
    _, key, kind, initial, least, most, classes, words, none, since, text = fields
    strings = [ast.literal_eval(field) if field.startswith('"') else None for field in (key, none, since, text)]
    numbers = [number(field) for field in (initial, least, most)]
    return Control(
        key=str(strings[0]),
        type=kind.removeprefix("CW_TYPE_"),
        initial=numbers[0],
        least=numbers[1],
        most=numbers[2],
        is_of_messages=classes == "MESSAGE",
        words=tuple(re.findall(r'"([^"]+)"', words)),
        none=strings[1],
        since=strings[2],
        text=str(strings[3]),
    )


def read() -> list[Control]:
    """Reads the table. Exits with an error if a row cannot be read."""
    text = HEADER.read_text(encoding="utf-8").replace("\\\n", " ")
    table = text.split("#define CW_OPTION_LIST(X)")[1].split("\n")[0]
    rows = re.findall(r'X\(((?:"(?:[^"\\]|\\.)*"|CW_WORDS\([^)]*\)|[^")])*)\)', table)
    if len(rows) != table.count("X(CW_OPT_"):
        raise SystemExit(
            f"controls.py: of {table.count('X(CW_OPT_')} rows of {HEADER.name}, {len(rows)} can be read"
        )
    return [parse(row) for row in rows]


# ---- Python


def python_type(control: Control, *, is_set: bool) -> str:
    """The type of the attribute when it is read, or with is_set the type of a value that is set."""
    if control.type == "ENUM":
        quoted = ", ".join(f'"{word}"' for word in control.words)
        words = f"Literal[{quoted}]"
        enumeration = ENUMERATIONS.get(control.key)
        if enumeration is None:
            return words
        return f"{enumeration} | {words}" if is_set else enumeration
    if control.type == "TEXT":
        text = "str | os.PathLike[str] | None" if is_set else "str | None"
        return f"CookieJar | {text}" if control.key == JAR else text
    if control.type == "LIST":
        kind = "Collection" if control.words else "Sequence"  # the order of such words means nothing
        return f"{kind}[str] | None" if is_set else "tuple[str, ...]"
    if control.type == "TEXTS":
        return "Sequence[str] | None" if is_set else "tuple[str, ...]"
    if control.type == "PAIRS":
        return (
            "dict[str, int | str] | dict[str, int] | dict[str, str] | None"
            if is_set
            else "dict[str, int | str]"
        )
    if control.type == "BYTES":
        return "bytes | bytearray | memoryview | None" if is_set else "bytes | None"
    if control.type == "SECRET":
        return "str | None"
    if control.type == "HEADERS":
        return "_Headers | None" if is_set else "tuple[str, ...]"
    if control.type == "PROXY":
        if not control.words:
            return "str | None"
        return "str | bool | None" if is_set else "str | Literal[False] | None"
    if control.type == "SECRET_BYTES":
        return "bytes | bytearray | memoryview | None" if is_set else "str | None"
    if control.type == "CREDENTIAL":
        return "tuple[str, str] | None" if is_set else "str | None"
    name = {"BOOL": "bool", "MS": "float"}.get(control.type, "int")
    return f"{name} | None" if control.none else name


def options_py(controls: list[Control]) -> str:
    def fields(is_of_messages: bool) -> str:
        return "\n".join(
            f"    {control.key}: {python_type(control, is_set=True)}"
            for control in controls
            if control.is_of_messages is is_of_messages
        )

    return f'''# SPDX-License-Identifier: MIT
"""The options that the constructors and connect() take as keywords, for type checkers.

scripts/controls.py generates this file from the table of controls in curlwire.h.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, TypedDict

from curlwire._core import CookieJar, MessageWebSocketReceiveMode, SocketMessageType

_Headers = Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str]]


class Options(TypedDict, total=False):
    """The options of every socket; curlwire.StreamWebSocketControl describes them."""

{fields(False)}


class MessageOptions(Options, total=False):
    """The options of a MessageWebSocket; curlwire.MessageWebSocketControl describes them."""

{fields(True)}
'''


def stub_members(controls: list[Control]) -> list[str]:
    """The lines of a class of the stub for these controls, without docstrings."""
    lines = []
    for control in controls:
        got, given = python_type(control, is_set=False), python_type(control, is_set=True)
        if got == given:
            lines.append(f"    {control.key}: {got}")
            continue
        lines += [
            "    @property",
            f"    def {control.key}(self) -> {got}: ...",
            f"    @{control.key}.setter",
            f"    def {control.key}(self, value: {given}) -> None: ...",
        ]
    return lines


def stub(text: str, controls: list[Control]) -> str:
    import stub_docs

    from curlwire import _core

    missing = [control.key for control in controls if not hasattr(_core.MessageWebSocketControl, control.key)]
    if missing:
        raise SystemExit(f"controls.py: the built module has no {', '.join(missing)}. Run: make python")
    of_messages = [control for control in controls if control.is_of_messages]
    of_all = [control for control in controls if not control.is_of_messages]
    lines = text.splitlines()
    for head, members in (
        ("class _Control:", [*stub_members(of_all), "    @property", f"    def {ACTUAL}(self) -> float: ..."]),
        ("class MessageWebSocketControl(_Control):", stub_members(of_messages)),
    ):
        first = lines.index(head) + 1
        last = next(number for number in range(first, len(lines)) if lines[number] == "")
        if '"""' in lines[first]:  # the docstring of the class
            first += 1
        lines[first:last] = members
    return stub_docs.with_docs("\n".join(lines) + "\n", _core)


# ---- Lua


def lua_type(control: Control) -> str:
    if control.type == "ENUM":
        return (
            "curlwire.MessageTypeGiven"
            if control.key == "message_type"
            else "|".join(f'"{word}"' for word in control.words)
        )
    if control.none:
        return "curlwire.Timeout" if control.type == "MS" else "integer|number|false"
    if control.key == JAR:
        return "curlwire.CookieJar|string|nil"
    if control.type == "LIST" and control.words:
        return f"({'|'.join(map(lua_literal, control.words))})[]"
    types = {"BOOL": "boolean", "MS": "number", "TEXT": "string|nil", "LIST": "string[]", "BYTES": "string|nil"}
    types["TEXTS"] = "string[]"
    types["PAIRS"] = "table<string, integer|string>"
    types["SECRET"] = types["SECRET_BYTES"] = "string|nil"
    types["PROXY"] = "string|boolean|nil" if control.words else "string|nil"
    # a table to set, and the names to read
    types["HEADERS"] = "table<string, string|string[]>|string[][]|string[]|nil"
    types["CREDENTIAL"] = "string[]|string|nil"  # a pair to set, and the user name to read
    return types.get(control.type, "integer")


def lua_literal(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple | dict):
        return "{}"
    return "nil" if value is None else f"{value:.15g}"


def is_limited(control: Control) -> bool:
    """Returns whether the control's value is bytes of a limited number."""
    return control.type in ("BYTES", "SECRET_BYTES") and control.most < CONSTANTS["INT64_MAX"]


def values(control: Control, none: str, default: str) -> str:
    """The allowed values as text, such as "8 to 15 bits, default 15; None = no limit"."""
    unit = UNITS.get(control.type, "")
    if control.type == "BITS":
        unit = f"{control.least} to {control.most} {unit}"
    if is_limited(control):
        unit = f"at most {control.most} bytes"
    text = f"{unit}, default {default}" if unit else f"default {default}"
    if control.none:
        text += f"; {none} = {control.none}"
    if control.since:
        text += f"; needs libcurl {control.since}"
    if control.is_of_messages:
        text += "; MessageWebSocket only"
    return text[0].upper() + text[1:]


def replaced(text: str, head: str, lines: list[str]) -> str:
    """Returns the text with these lines between a line and the next empty line."""
    before, _, behind = text.partition(head)
    return before + head + "\n".join(lines) + "\n" + behind[behind.index("\n\n") + 1 :]


def lua_annotations(text: str, controls: list[Control]) -> str:
    """A program may leave each control out, but what it reads is nil only if the type says so."""
    options = [
        f"---@field {control.key}? {lua_type(control).removesuffix('|nil')} {control.text}. "
        f"{values(control, 'math.huge', lua_literal(control.default))}"
        for control in controls
    ]
    read = [
        f"---@field {control.key} {lua_type(control)}"
        for control in controls
        if not lua_type(control).endswith("|nil")
    ]
    read.append(
        f"---@field {ACTUAL} number How often the socket sends unsolicited pongs now. "
        "Seconds; 0 = it sends none. Read-only"
    )
    text = replaced(text, "---@class curlwire.Options\n", options)
    return replaced(text, "---@class curlwire.Control: curlwire.Options\n", read)


def lua_table(controls: list[Control]) -> str:
    rows = [
        f"    {{key = {lua_literal(control.key)}, type = {lua_literal(control.type)}, "
        f"default = {lua_literal(control.default)}, least = {control.least:.15g}, most = {control.most:.15g}, "
        f"is_of_messages = {lua_literal(control.is_of_messages)}, "
        f"words = {{{', '.join(map(lua_literal, control.words))}}}, none = {lua_literal(control.none)}}},"
        for control in controls
    ]
    return "return {\n" + "\n".join(rows) + "\n}\n"


# ---- The page

MIB = 1 << 20


def shown_default(control: Control) -> str:
    value = control.default
    if control.type == "COUNT":
        return f"{control.initial // MIB} MiB" if control.initial and control.initial % MIB == 0 else str(value)
    if control.type == "MS":
        return f"{value:g}"
    return "none" if value in (None, (), {}) else str(value).lower()


def shown_values(control: Control) -> str:
    parts = {
        "NUMBER": f"{control.least} or more",
        "BOOL": "true or false",
        "BITS": f"{control.least} to {control.most}",
        "COUNT": "bytes" if control.most == CONSTANTS["INT64_MAX"] else f"{control.least} to 2^31-1 bytes",
        "ENUM": ", ".join(f"`{word}`" for word in control.words),
        "LIST": "a list of " + (", ".join(f"`{word}`" for word in control.words) or "tokens"),
        "TEXT": "a `CookieJar`, or text" if control.key == JAR else "text",
        "TEXTS": "a list of texts",
        "PAIRS": "names with whole numbers or texts: `{'NAME': 1}` (Lua: `{NAME = 1}`)",
        "SECRET": "text; it reads as `(set)`",
        "SECRET_BYTES": f"at most {control.most} bytes (Lua: a string); they read as `(set)`",
        "CREDENTIAL": "`(user, password)` (Lua: `{user, password}`); it reads as the user name",
        "PROXY": "a URI, read without user name and password"
        + ("; `False` (Lua: `false`): no proxy" if control.words else ""),
        "HEADERS": "a mapping, or pairs; it reads as the names",
        "BYTES": f"at most {control.most} bytes" if is_limited(control) else "bytes (Lua: a string)",
    }
    text = parts.get(control.type, UNITS.get(control.type, ""))
    return f"{text}; `None` (Lua: `math.huge`): {control.none}" if control.none else text


def page(text: str, controls: list[Control]) -> str:
    head = "| control | default | values | what it does |\n| --- | --- | --- | --- |\n"
    before, _, behind = text.partition(head)
    rows = []
    for control in controls:
        what = control.text
        if control.since:
            what += f"; needs libcurl {control.since}"
        if control.is_of_messages:
            what += "; `MessageWebSocket` only"
        rows.append(f"| `{control.key}` | {shown_default(control)} | {shown_values(control)} | {what} |")
    return before + head + "\n".join(rows) + "\n" + behind[behind.index("\n\n") + 1 :]


# ---- Checks of what is written by hand


def names(word: str, *patterns: str) -> bool:
    """Returns whether one of the files contains this word."""
    files = (path for pattern in patterns for path in ROOT.glob(pattern))
    return any(re.search(rf"\b{word}\b", path.read_text(encoding="utf-8")) for path in files)


def left_out(control: Control) -> list[str]:
    """A line for each thing that a control lacks."""
    option = f"CW_OPT_{control.key.upper()}"
    lacking = []
    if not names(option, "core/src/*/*.c", "bindings/*/src/*.c"):
        lacking.append(f"no code uses {option}: the control {control.key} would do nothing")
    if not names(f"(?:{option}|{control.key})", "tests/*/*.c", "tests/*/test_*.py", "tests/*/test_*.lua"):
        lacking.append(f"no test names {control.key}")
    return lacking


def main() -> int:
    parser = argparse.ArgumentParser(description="Generates files from the table of controls in curlwire.h.")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--lua", action="store_true")
    options = parser.parse_args()
    controls = read()
    if options.lua:
        print(lua_table(controls), end="")
        return 0
    makers: dict[Path, Callable[[str, list[Control]], str]] = {
        OPTIONS: lambda _, controls: options_py(controls),
        STUB: stub,
        ANNOTATIONS: lua_annotations,
        PAGE: page,
    }
    code = 0
    for path, make in makers.items():
        before = path.read_text(encoding="utf-8")
        after = make(before, controls)
        if after == before:
            continue
        if options.check:
            print(f"{path.relative_to(ROOT)} does not match the table of controls. Run: make controls")
            code = 1
        else:
            path.write_text(after, encoding="utf-8")
    lacking = [line for control in controls for line in left_out(control)] if options.check else []
    for line in lacking:
        print(line)
    return 1 if lacking else code


if __name__ == "__main__":
    sys.exit(main())

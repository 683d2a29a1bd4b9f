# SPDX-License-Identifier: MIT
"""Writes docs/errors.md, the table of all errors, from the sources: `make errors`.

    python3 scripts/errors.py [--check]

It reads C, Python and Lua. The status of a text in C comes from its call, from the body of the called function,
or from the comment at the top of the file. The comment says "Errors: CW_..." if the file has whole texts, and
"Reasons: CW_..." if it has parts of texts. A string of the core is a text if it reads as a sentence and no code
compares it.

lint calls --check, which changes nothing. --check fails if the page differs, if a call that makes an error
has no readable text, or if a text has no status. It also fails if an error does not say what to do.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import errors_lua
from errors_lua import GAP

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "errors.md"
HEADER = ROOT / "core" / "include" / "curlwire.h"
CORE = "The core: what Python, Lua and C programs see"
REASONS = "Reasons"
PYTHON = "Python"
LUA = "Lua"

# ---- C: tokens

TOKEN = re.compile(
    r'(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<text>"(?:[^"\\\n]|\\.)*")|(?P<character>\'(?:[^\'\\]|\\.)+\')'
    r"|(?P<directive>^[ \t]*#(?:[^\n\\]|\\.)*)|(?P<word>\w+)|(?P<mark>[=!<>]=|[^\s\w])",
    re.DOTALL | re.MULTILINE,
)
MACRO = re.compile(r'^[ \t]*#define (\w+)[ \t]+([^\n]*"[^\n]*)$', re.MULTILINE)
# calls that compare their texts and never show them, or write them into a trace, which is no error
MATCHES = re.compile(r"str|mem(?!ory)|is_|cw__trac")
PROSE = re.compile(r"[a-z]{2}[a-z,;:')]* [a-z(]|^[:;] [a-z]+ ")
# part of a sentence: the other end, the event that a call waits for, something missing, a number in parentheses
NAME = re.compile(
    r"(the \w+( or the \w+)?|\w+ and \w+|an event|bytes to read|the end of the connection|user name or password"
    r"|\(.*\))$"
)
FAILS = re.compile(
    r"cw__fail(_limit)?|cw__error_set|PyErr_(Format|SetString)|PyErr_WarnEx|luaL_(arg)?error|raise_\w+"
)
CONVERSION = re.compile(r"%[-+#0]*(?:\d+|\*)?(\.\d+|\.\*)?(?:hh|ll|[hljzt])?([a-zA-Z%])")


@dataclass
class Token:
    kind: str
    text: str
    line: int


def value_of(literal: str) -> str:
    value = ast.literal_eval(literal)
    return value if isinstance(value, str) else ""


class Source:
    """A C file: its tokens (adjacent texts are one token), and the places where its functions begin and end."""

    def __init__(self, path: Path, shared: dict[str, str]) -> None:
        self.path = path
        self.code = path.read_text(encoding="utf-8")
        joined = re.sub(r"\\\n", " ", self.code)
        self.macros = dict(shared)
        for name, body in MACRO.findall(joined):
            self.macros[name] = self.expand(body)
        self.tokens = list(self.read())
        self.functions = list(self.find_functions())
        stated = re.search(r"^ \* (Errors|Reasons): (.*?)\.?(?: \*/)?$", self.code, re.MULTILINE)
        self.statuses = re.findall(r"CW_[A-Z_]+", stated.group(2)) if stated else []
        self.has_whole_texts = stated is not None and stated.group(1) == "Errors"

    def expand(self, body: str) -> str:
        parts = re.findall(r'("(?:[^"\\]|\\.)*")|(\w+)', body)
        return "".join(value_of(text) if text else self.macros.get(word, "") for text, word in parts)

    def read(self) -> Iterator[Token]:
        last: Token | None = None
        line = 1
        at = 0
        for found in TOKEN.finditer(self.code):
            kind, text = str(found.lastgroup), found.group()
            line += self.code.count("\n", at, found.start())
            at = found.start()
            if kind in ("comment", "directive"):
                continue
            token = Token(kind, text, line)
            if kind == "text":
                token.text = value_of(text)
            elif kind == "word" and text in self.macros:
                token = Token("text", self.macros[text], line)
            if token.kind == "text" and last is not None and last.kind == "text":
                last.text += token.text
                continue
            if last is not None:
                yield last
            last = token
        if last is not None:
            yield last

    def find_functions(self) -> Iterator[tuple[int, int, str]]:
        """Yields the begin and the end of each body, and the function's name."""
        depth, begin, name = 0, 0, ""
        for at, token in enumerate(self.tokens):
            if token.text == "{" and token.kind == "mark":
                if depth == 0 and self.tokens[at - 1].text == ")":
                    begin, name = at, self.name_before(at - 1)
                depth += 1
            elif token.text == "}" and token.kind == "mark":
                depth -= 1
                if depth == 0 and begin:
                    yield begin, at, name
                    begin = 0

    def name_before(self, closing: int) -> str:
        """Returns the name before the parentheses that end at this token."""
        depth = 0
        for at in range(closing, -1, -1):
            depth += {")": 1, "(": -1}.get(self.tokens[at].text, 0) if self.tokens[at].kind == "mark" else 0
            if depth == 0:
                return self.tokens[at - 1].text
        return ""

    def function_at(self, at: int) -> tuple[int, int, str] | None:
        return next((f for f in self.functions if f[0] <= at <= f[1]), None)

    def enclosing(self, at: int) -> list[tuple[str, int]]:
        """Returns the calls and braces around a token, the innermost first: name, place of the parenthesis."""
        depth, around = 0, []
        for place in range(at - 1, -1, -1):
            token = self.tokens[place]
            if token.kind != "mark":
                continue
            if token.text in ")}]":
                depth += 1
            elif token.text in "({[":
                depth -= 1
                if depth < 0:
                    depth = 0
                    around.append((self.tokens[place - 1].text if token.text == "(" else token.text, place))
                    if token.text == "{" and self.tokens[place - 1].text == ")":
                        break
            elif token.text == ";" and depth == 0 and not any(name == "{" for name, _ in around):
                break
        return around

    def arguments(self, opening: int) -> list[list[Token]]:
        """Returns the arguments of the call that has its parenthesis at this token."""
        depth, found = 0, [[]]  # type: ignore[var-annotated]
        for token in self.tokens[opening:]:
            is_mark = token.kind == "mark"
            if is_mark and token.text in ")}]":
                depth -= 1
                if depth == 0:
                    break
            if is_mark and token.text == "," and depth == 1:
                found.append([])
            elif depth >= 1:
                found[-1].append(token)
            if is_mark and token.text in "({[":
                depth += 1
        return found


# ---- C: texts


@dataclass(frozen=True)
class Row:
    text: str
    status: str
    place: str  # file:line
    advice: str = ""  # what to do, where it is a text of its own
    is_checked: bool = True  # whether it must say what to do


@dataclass
class Found:
    """The texts of one language, and the faults of these texts."""

    rows: list[Row] = field(default_factory=list)
    reasons: list[Row] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)


class Reader:
    """Reads the C files of one part of the tree."""

    def __init__(self, pattern: str, shared: dict[str, str], statuses: set[str], *, is_core: bool) -> None:
        self.sources = [Source(path, shared) for path in sorted(ROOT.glob(pattern))]
        self.statuses = statuses
        self.is_core = is_core
        self.found = Found()
        self.used: set[int] = set()  # the texts that a call has, by id of their tokens

    def status_in_body(self, home: Source, name: str) -> list[str]:
        """Returns the statuses that a function's body names, if the function is in this part of the tree."""
        for source in [home, *self.sources]:
            for begin, end, function in source.functions:
                if function == name:
                    words = {token.text for token in source.tokens[begin:end]} & self.statuses
                    return sorted(words)
        return []

    def status_of(self, source: Source, around: list[tuple[str, int]]) -> list[str]:
        for name, opening in around:
            if name in "{[":
                continue
            words = [token for argument in source.arguments(opening) for token in argument]
            stated = [token.text for token in words if token.text in self.statuses]
            if stated:
                return stated[:1]
            if name == "luaL_argerror" or name == "luaL_argcheck" or name == "luaL_error":
                return ["error()"]
            python = [token.text.removeprefix("PyExc_") for token in words if token.text.startswith("PyExc_")]
            if python:
                return python[:1]
            in_body = self.status_in_body(source, name)
            if 1 <= len(in_body) <= 2:
                return in_body
        return []

    def status_given(self, name: str) -> list[str]:
        """Returns the exceptions that callers pass to a function."""
        given: set[str] = set()
        for source in self.sources:
            for at, token in enumerate(source.tokens[1:], 1):
                if token.text == "(" and source.tokens[at - 1].text == name:
                    words = [word.text for argument in source.arguments(at) for word in argument]
                    given |= {word.removeprefix("PyExc_") for word in words if word.startswith("PyExc_")}
        return sorted(given)

    def web_status(self, words: list[Token]) -> str:
        web = [token.text.removeprefix("CW_WEB_") for token in words if token.text.startswith("CW_WEB_")]
        return f" `{web[0]}`" if len(web) == 1 and web[0] != "Unknown" else ""

    def options(self, source: Source, at: int, argument: list[Token]) -> list[str]:
        """Returns the texts that an argument may have, if they are sentences or parts of a sentence."""
        texts = [token for token in argument if token.kind == "text"]
        function = source.function_at(at)
        if not texts and len(argument) == 1 and function:
            for place in range(function[0], function[1]):
                if source.tokens[place].text == argument[0].text and source.tokens[place + 1].text == "=":
                    for token in source.tokens[place + 2 : function[1]]:
                        if token.text == ";" or (token.text == "," and token.kind == "mark"):
                            break
                        if token.kind == "text":
                            texts.append(token)
        if not any(PROSE.search(token.text) for token in texts):
            return []
        self.used.update(map(id, texts))
        return list(dict.fromkeys(token.text for token in texts))

    def add_call(self, source: Source, at: int, opening: int, status: list[str]) -> None:
        """Adds the texts of a call that makes an error from a format and values."""
        arguments = source.arguments(opening)
        first = next((i for i, words in enumerate(arguments) if any(t.kind == "text" for t in words)), None)
        if first is None:
            if source.tokens[opening - 1].text in ("cw__fail", "cw__error_set"):
                at_line = f"{source.path.relative_to(ROOT)}:{source.tokens[at].line}"
                self.found.breaches.append(f"{at_line}: this error has no text that can be read")
            return
        formats = [token for token in arguments[first] if token.kind == "text"]
        self.used.update(map(id, formats))
        fillings = arguments[first + 1 :]
        options: list[list[str | None]] = [[*self.options(source, at, words)] or [None] for words in fillings]
        words = [token for argument in arguments for token in argument]
        function = source.function_at(at)
        status = status or (self.status_given(function[2]) if function else [])
        label = f"`{'`, `'.join(status)}`{self.web_status(words)}" if status else ""
        place = f"{source.path.relative_to(ROOT)}:{source.tokens[at].line}"
        for token in formats:
            for chosen in product(*options):
                text = filled(token.text, list(chosen))
                if text.strip(GAP + " :;.'\"%") == "":
                    continue
                if not status:
                    self.found.breaches.append(
                        f'{place}: "{text}" has no status; add "Errors: CW_..." to the file'
                    )
                self.found.rows.append(Row(text, label, place))

    def add_rest(self, source: Source, at: int, placeholders: str) -> None:
        """Adds a text of no such call: it is in a table, or a function returns it as a reason or hint."""
        token = source.tokens[at]
        around = source.enclosing(at)
        calls = [name for name, _ in around if name not in "{["]
        function = source.function_at(at)
        if (calls and MATCHES.match(calls[0])) or is_matched(source, at, around):
            return
        if not function and not self.is_core:  # a docstring, a table of names
            return
        status = self.status_of(source, around)
        if not self.is_core and not status and not any(FAILS.fullmatch(name) for name in calls):
            return
        row = [t for name, place in around[:1] if name == "{" and not function_begins(source, place)
               for argument in source.arguments(place) for t in argument]  # fmt: skip
        is_whole = source.has_whole_texts and bool(re.match(rf"[\w{re.escape(placeholders)}]", token.text))
        status = status or source.statuses
        place = f"{source.path.relative_to(ROOT)}:{token.line}"
        advice = advice_of(source, around) if row else None
        if NAME.match(token.text.strip()) or advice is token:
            return

        def shown(text: str) -> str:
            if calls and (not placeholders or "printf" in calls[0]):
                text = filled(text, [])
            elif placeholders:
                text = re.sub(f"[{re.escape(placeholders)}]", GAP, text)
            return re.sub(f"{GAP}(?:{GAP})+", GAP, text).strip()

        text = shown(token.text)
        if not status:
            self.found.breaches.append(f'{place}: "{text}" has no status; add "Errors: CW_..." to the file')
        label = f"`{'`, `'.join(status)}`{self.web_status(row)}"
        to = self.found.rows if is_whole else self.found.reasons
        to.append(Row(text, label, place, shown(advice.text) if advice else "", is_checked=False))

    def read(self) -> Found:
        for source in self.sources:
            for at, token in enumerate(source.tokens):
                if token.text == "(" and source.function_at(at) and FAILS.fullmatch(source.tokens[at - 1].text):
                    around = [(source.tokens[at - 1].text, at)]
                    self.add_call(source, at, at, self.status_of(source, around))
        for source in self.sources:
            placeholders = "".join(
                re.findall(r"case '([^\w\\\s])':\n\s+put(?:_errno|_port)?\(w, ", source.code)
            )
            for at, token in enumerate(source.tokens):
                if token.kind == "text" and id(token) not in self.used and PROSE.search(token.text):
                    self.add_rest(source, at, placeholders)
        return self.found


def function_begins(source: Source, place: int) -> bool:
    return source.tokens[place - 1].text in (")", "else", "do")


def is_matched(source: Source, at: int, around: list[tuple[str, int]]) -> bool:
    """Returns whether code compares the text, in a column "words" or in a list that a str function gets."""
    lists = [place for name, place in around if name == "{"]
    for place in lists:
        declared = [t.text for t in source.tokens[max(0, place - 12) : place]]
        if not declared or declared[-1] != "=" or "[" not in declared:
            continue
        name = declared[len(declared) - 1 - declared[::-1].index("[") - 1]
        if re.search(rf"str\w+\([^;]*\b{name}\[i\](?:\)|,)", source.code):
            return True
        if re.search(rf"\b{name}\[i\]\.words", source.code):
            return source.tokens[at - 1].text == "{"
    return False


def advice_of(source: Source, around: list[tuple[str, int]]) -> Token | None:
    """Returns the second text of a row, if it belongs to a table whose struct has a member "advice"."""
    lists = [place for name, place in around if name == "{"]
    declared = [t.text for t in source.tokens[max(0, lists[-1] - 5) : lists[-1]]]
    if len(declared) < 5 or not re.search(rf"struct {declared[0]} {{[^}}]*\badvice\b", source.code):
        return None
    texts = [t for argument in source.arguments(lists[0]) for t in argument if t.kind == "text"]
    return texts[1] if len(texts) == 2 else None


def filled(text: str, chosen: list[str | None]) -> str:
    """Returns a format with its values: the chosen ones, and GAP for the others."""
    values = iter(chosen)

    def put(found: re.Match[str]) -> str:
        if found.group(2) == "%":
            return "%"
        if "*" in found.group():
            next(values, None)
        value = next(values, None)
        return GAP if value is None else filled(value, [])

    return re.sub(f"{GAP}(?:{GAP})+", GAP, CONVERSION.sub(put, text))


# ---- Python and Lua


def python_text(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else GAP for part in node.values)  # type: ignore[misc]
    return None


def read_python(found: Found) -> None:
    for path in sorted(ROOT.glob("bindings/python/curlwire/**/*.py")):
        if "compat" in path.parts:
            continue  # these texts are those of another library
        if path.parent.name == "command":  # its errors are for people, not for programs
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            raised = (
                node.exc
                if isinstance(node, ast.Raise)
                else node.value
                if isinstance(node, ast.Return)
                else None
            )
            is_told = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            call = raised if isinstance(raised, ast.Call) else None
            name = call.func if call else None
            if isinstance(node, ast.Call) and is_told and node.func.attr in ("warn", "add_note"):  # type: ignore[attr-defined]
                call = node
            is_error = not isinstance(node, ast.Return) or re.search(
                r"(Error|Timeout|Closed)$", getattr(name, "id", "")
            )
            if call is None or not call.args or not is_error:
                continue
            text = python_text(call.args[0])
            status = (
                name.id
                if isinstance(name, ast.Name)
                else name.attr
                if isinstance(name, ast.Attribute)
                else "note"
            )
            if text is not None and PROSE.search(text):
                place = f"{path.relative_to(ROOT)}:{call.lineno}"
                found.rows.append(Row(re.sub(f"{GAP}(?: ?{GAP})*", GAP, text), f"`{status}`", place))


def read_lua(found: Found) -> None:
    for path in sorted(ROOT.glob("bindings/lua/curlwire/**/*.lua")):
        for text, status, number in errors_lua.texts(path):
            if PROSE.search(text):
                found.rows.append(Row(text, status, f"{path.relative_to(ROOT)}:{number}"))


# ---- The page

# a text that says which call would be right, so it needs no advice
SAYS_WHAT_IS_RIGHT = re.compile(
    r"must |takes|needs?\b|lacks|not a |two values|expected|, not …|can only|has no attribute"
    r"|^set |^form is |: …$"
)


def split(text: str) -> tuple[str, str]:
    """Returns what failed, and what to do: the words after the last colon, semicolon or full stop."""
    text = text.removesuffix(f". {GAP}")
    places = [found.end() for found in re.finditer(r"(?<=\S)[:;.] (?=[A-Za-z/])", text)]
    places = [at for at in places if text.count("(", 0, at) <= text.count(")", 0, at)]
    if not places:
        return text, ""
    return text[: places[-1]].rstrip(" :;."), text[places[-1] :].rstrip(".")


def cell(text: str) -> str:
    return re.sub(r"([|<>*_`\\])", r"\\\1", text)


def what_to_do(what: str, status: str) -> str:
    """Returns the advice for a text that only says what failed."""
    return "Connect again" if "CW_CLOSED" in status and not SAYS_WHAT_IS_RIGHT.search(what) else ""


def table(rows: list[Row], *, is_split: bool) -> list[str]:
    lines = (
        ["| text | status | what to do |", "| --- | --- | --- |"]
        if is_split
        else ["| text | status |", "| --- | --- |"]
    )
    unique = {(row.text, row.advice, row.status) for row in rows}
    for text, given, status in sorted(unique, key=lambda row: (row[0].lower(), row)):
        what, advice = (text, given) if given else split(text)
        advice = re.sub(r"^[a-z](?=[a-z-]*[ ,])", lambda first: first.group().upper(), advice)
        advice = advice or what_to_do(what, status)
        if not advice and re.fullmatch(f"{GAP} must be {GAP}, not {GAP}", what):  # no words to search for
            continue
        lines.append(
            f"| {cell(what)} | {status} | {cell(advice)} |" if is_split else f"| {cell(text)} | {status} |"
        )
    return lines


def statuses() -> list[tuple[str, str]]:
    """Returns the names of the statuses, and their texts."""
    text = HEADER.read_text(encoding="utf-8")
    block = text[text.index("#define CW_STATUS_LIST") :].split("\n\n")[0]
    return re.findall(r'X\((CW_\w+), -?\d+, "([^"]+)"\)', block)


def python_classes() -> dict[str, str]:
    text = (ROOT / "bindings/python/curlwire/errors.py").read_text(encoding="utf-8")
    return dict(re.findall(r'"(CW_\w+)": (\w+),', text))


def page(core: Found, python: Found, lua: Found) -> str:
    classes = python_classes() | {
        "CW_CONNECT_FAILED": "ConnectError",
        "CW_CLOSED": "ConnectionClosed",
        "CW_NO_MEMORY": "MemoryError",
    }
    lines = [
        "# Errors",
        "",
        "Use this page to look up an error by its text. `make errors` writes the page from the sources.",
        "",
        "To find an error, copy three or four neighbouring words of its text, and search this page for them.",
        f"The page shows `{GAP}` for each value (a name, a number, a path) and for each reason.",
        f"[Reasons](#{slug(REASONS)}) lists the reasons. Python and Lua may add a hint to the end of a text.",
        "",
        "Python:",
        "",
        "```python",
        "import curlwire",
        "",
        "try:",
        '    curlwire.connect("ws://localhost:1/")',
        "except curlwire.WebSocketError as error:",
        "    print(error)  # the text, which is in the tables below",
        "    print(error.status)  # WebErrorStatus.CANNOT_CONNECT",
        "```",
        "",
        "Lua (`err.name` is the status, and `err.status` is the `WebErrorStatus`):",
        "",
        "```lua",
        'local curlwire = require "curlwire"',
        'local ws, message, err = curlwire.connect("ws://localhost:1/")',
        "print(message, err.name, err.status)",
        "```",
        "",
        "## Statuses",
        "",
        "A second name in a table, such as `Timeout`, is the `WebErrorStatus`. A row of `CW_CONNECT_FAILED`",
        "without a second name has the status of its cause ([WebErrorStatus](statuses.md)), or",
        "`UnexpectedClientError` if curlwire refused a control. In Python, a failed connect raises",
        "`ConnectError` where this table says `WebSocketError`, and `ConnectTimeout` for `CW_TIMED_OUT`.",
        "",
        "| status | meaning | Python | Lua |",
        "| --- | --- | --- | --- |",
    ]
    raises = ("CW_INVALID_ARGUMENT", "CW_INVALID_STATE", "CW_AFTER_FORK", "CW_NO_MEMORY")
    for name, text in statuses():
        if name != "CW_OK":
            how = "`error()`" if name in raises else "`nil, message, err`"
            lines.append(f"| `{name}` | {text} | `{classes.get(name, 'WebSocketError')}` | {how} |")
    lines += ["", f"## {CORE}", "", *table(core.rows, is_split=True)]
    lines += [
        "",
        f"## {REASONS}",
        "",
        "An error has one of these reasons where a text above shows `…`.",
        "",
        *table(core.reasons, is_split=False),
    ]
    lines += [
        "",
        f"## {PYTHON}",
        "",
        "The column status has the class of the exception, or the status of the core.",
        "If the last cell is empty, correct the call as the text says.",
        "",
        *table(python.rows + python.reasons, is_split=True),
    ]
    lines += [
        "",
        f"## {LUA}",
        "",
        "`error()` means that Lua raises an error, because the call itself is wrong.",
        "If the last cell is empty, correct the call as the text says.",
        "",
        *table(lua.rows + lua.reasons, is_split=True),
    ]
    return "\n".join(lines) + "\n"


def slug(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def left_out(found: Found, *, is_core: bool = False) -> list[str]:
    """Returns a line for each text that does not say what to do. One of the core says it behind a colon."""
    lacking = [row for row in found.rows if row.is_checked and not split(row.text)[1]]
    return [
        f'{row.place}: "{row.text}" does not say what to do'
        for row in lacking
        if is_core or not SAYS_WHAT_IS_RIGHT.search(row.text)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="Writes docs/errors.md from the sources.")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    names = {name for name, _ in statuses()}
    shared = {
        name: value_of(text)
        for name, text in re.findall(r'^#define (\w+) ("[^"\n]*")$', HEADER.read_text(), re.MULTILINE)
    }
    core = Reader("core/src/*/*.c", shared, names, is_core=True).read()
    python = Reader("bindings/python/src/*.c", shared, names, is_core=False).read()
    lua = Reader("bindings/lua/src/*.c", shared, names, is_core=False).read()
    read_python(python)
    read_lua(lua)
    text = page(core, python, lua)
    breaches = core.breaches + python.breaches + lua.breaches
    breaches += left_out(core, is_core=True) + left_out(python) + left_out(lua)
    if not check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        breaches.append("docs/errors.md is not what the sources make; run: make errors")
    print("\n".join(breaches), end="\n" if breaches else "")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Makes the reference pages of the documentation site from the sources: the package of Python with its stub,
annotations.lua, and curlwire.h. docs_site.py adds them to the site."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "bindings" / "python" / "curlwire"
HEADER = ROOT / "core" / "include" / "curlwire.h"
ANNOTATIONS = ROOT / "bindings" / "lua" / "curlwire" / "annotations.lua"
LINE_CHARACTERS = 90  # of code: what a page shows without a bar to scroll

# Words that are code: quoted words, calls, members, names with an underscore.
CODE = re.compile(
    r"""("[^"\s]+"|\b\w+(?:\.\w+)*\(\)|\b(?:math|ws|err|curlwire|control)(?:\.\w+)+|\b[A-Za-z]\w*_\w+)"""
)
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|])")
LABELS = ("Returns", "Raises", "Errors", "Blocks", "Does not block", "Thread", "Any thread", "Owns", "Source")
LABEL = re.compile(rf"({'|'.join(LABELS)})\b")


def plain(text: str) -> str:
    """A text as Markdown that has no markup in it."""
    return SPECIAL.sub(r"\\\1", text)


def prose(text: str) -> str:
    """A text of a comment as Markdown: its words are no markup, and what is code looks like it."""
    parts = CODE.split(text)
    return "".join(f"`{part}`" if number % 2 else plain(part) for number, part in enumerate(parts))


def heading(level: int, title: str, anchor: str) -> str:
    return f"{'#' * level} {title} {{ #{anchor} }}\n"


def fence(language: str, code: str) -> str:
    return f"```{language}\n{code}\n```\n"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# ---- Python

# The page's sections, with the names of curlwire.__all__ that each shows.
SECTIONS = {
    "Functions": ("connect", "run_forever", "get_status", "build_info", "statistics", "log_trace"),
    "Sockets": ("MessageWebSocket", "StreamWebSocket", "WebSocket", "ReconnectingWebSocket", "ReconnectPolicy"),
    "Messages and streams": ("MessageBuffer", "InputStream", "MessageStream", "OutputStream", "Batch"),
    "Values as bytes": ("DataReader", "DataWriter"),
    "Cookies": ("CookieJar", "Cookie"),
    "Handlers and information": (
        "MessageReceivedEventArgs",
        "BandwidthStatistics",
        "ClosedEventArgs",
        "ServerCustomValidationRequestedEventArgs",
        "Deferral",
        "Information",
        "Headers",
        "Statistics",
        "ProcessStatistics",
        "Certificate",
        "TlsInformation",
        "Latency",
        "Timings",
        "BuildInfo",
    ),
    "Errors": (
        "WebSocketError",
        "ConnectError",
        "ConnectTimeout",
        "HandshakeError",
        "CertificateError",
        "ConnectionClosed",
        "WebSocketTimeout",
        "MessageError",
        "ArgumentError",
        "StateError",
    ),
    "Controls": ("MessageWebSocketControl", "StreamWebSocketControl"),
    "Enumerations": (
        "SocketMessageType",
        "MessageWebSocketReceiveMode",
        "WebErrorStatus",
        "ChainValidationResult",
        "ByteOrder",
        "UnicodeEncoding",
        "InputStreamOptions",
    ),
}
# For type checkers alone, and constants.
NOT_SHOWN = {"DEFAULT", "Default", "Options", "MessageOptions", "__version__", "libcurl_version"}
Definition = ast.ClassDef | ast.FunctionDef


def python_definitions() -> dict[str, list[Definition]]:
    """Each public class and function. The stub gives the names of the extension. Each overload counts."""
    found: dict[str, list[Definition]] = {}
    for path in [*sorted(PACKAGE.glob("*.py")), PACKAGE / "_core.pyi"]:
        for node in ast.parse(read(path)).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                found.setdefault(node.name, []).append(node)
    return found


def docstring(node: Definition) -> str:
    return ast.get_docstring(node) or ""


def paragraphs(doc: str) -> str:
    """A docstring as Markdown: after the first sentence, its arguments and its rules are a list."""
    lines: list[str] = []
    is_list = False
    for number, line in enumerate(doc.splitlines()):
        argument = re.match(r"([a-z_]+(?:, [a-z_]+)*): ", line)
        if number and (argument or LABEL.match(line)):
            if not is_list:
                lines.append("")
            is_list = True
            shown = f"**{plain(argument[1])}**: {prose(line[argument.end() :])}" if argument else prose(line)
            lines.append(f"- {shown}")
        elif not line:
            lines.append("")
            is_list = False
        else:
            lines.append(("  " if is_list else "") + prose(line))
    return "\n".join(lines) + "\n"


def argument_texts(function: ast.FunctionDef) -> Iterator[str]:
    whole = function.args
    positional = [*whole.posonlyargs, *whole.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(whole.defaults))
    defaults += [*whole.defaults, *whole.kw_defaults]
    for number, (argument, default) in enumerate(zip(positional + whole.kwonlyargs, defaults, strict=True)):
        if number == len(positional) and not whole.vararg:
            yield "*"
        text = ast.unparse(argument)
        if text != "self":
            yield f"{text} = {ast.unparse(default)}" if default else text
    if whole.vararg:
        yield f"*{ast.unparse(whole.vararg)}"
    if whole.kwarg:
        yield f"**{ast.unparse(whole.kwarg)}"


def signature(function: ast.FunctionDef) -> str:
    parts = list(argument_texts(function))
    result = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    line = f"{function.name}({', '.join(parts)}){result}"
    if len(line) <= LINE_CHARACTERS:
        return line
    return f"{function.name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){result}"


def is_decorated(function: ast.FunctionDef, name: str) -> bool:
    return any(ast.unparse(decorator) == name for decorator in function.decorator_list)


def python_function(level: int, functions: list[ast.FunctionDef], anchor: str) -> str:
    # what implements overloads says it all in one line; a stub has overloads alone
    shown = [function for function in functions if not is_decorated(function, "overload")] or functions
    doc = next(filter(None, map(docstring, functions)), "")
    code = "\n".join(map(signature, shown))
    return "\n".join([heading(level, plain(functions[0].name), anchor), fence("python", code), paragraphs(doc)])


def python_members(owner: ast.ClassDef) -> Iterator[str]:
    """The attributes and methods of a class, with their texts."""
    prefix = owner.name.lower()
    body = owner.body
    methods: dict[str, list[ast.FunctionDef]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            methods.setdefault(node.name, []).append(node)
    for place, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            if node.target.id.startswith("_"):
                continue
            after = body[place + 1] if place + 1 < len(body) else None
            doc = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                doc = " ".join(str(after.value.value).split())
            name = node.target.id
            yield (
                heading(4, plain(name), f"{prefix}.{name}")
                + "\n"
                + fence("python", f"{name}: {ast.unparse(node.annotation)}")
                + "\n"
                + paragraphs(doc)
            )
        elif isinstance(node, ast.FunctionDef) and node.name in methods:
            group = methods.pop(node.name)
            anchor = f"{prefix}.{node.name}"
            if is_decorated(group[0], "property"):
                result = ast.unparse(group[0].returns) if group[0].returns else "object"
                code = f"{node.name}: {result}" + ("" if len(group) > 1 else "  # read only")
                yield (
                    heading(4, plain(node.name), anchor)
                    + "\n"
                    + fence("python", code)
                    + "\n"
                    + paragraphs(docstring(group[0]))
                )
            else:
                yield python_function(4, group, anchor)


def python_values(owner: ast.ClassDef) -> str:
    """The values of an enumeration."""
    rows = [
        f"| `{node.targets[0].id}` | {ast.unparse(node.value)} |"
        for node in owner.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    ]
    return "\n".join(["| name | value |", "| --- | --- |", *rows]) + "\n"


def python_class(owner: ast.ClassDef, definitions: dict[str, list[Definition]]) -> str:
    bases = [ast.unparse(base) for base in owner.bases]
    shown = [base for base in bases if base != "ReconnectingBase"]  # the page has its members as the owner's
    base = f"({', '.join(shown)})" if shown else ""
    parts = [heading(3, owner.name, owner.name.lower()), fence("python", f"class {owner.name}{base}")]
    parts.append(paragraphs(docstring(owner)))
    if "IntEnum" in bases:
        return "\n".join([*parts, python_values(owner)])
    parts += python_members(owner)
    if owner.name == "ReconnectingWebSocket":
        (common,) = definitions["ReconnectingBase"]
        assert isinstance(common, ast.ClassDef)
        parts += python_members(ast.ClassDef(owner.name, [], [], common.body, []))
    if "_Control" in bases:  # both have these
        (common,) = definitions["_Control"]
        assert isinstance(common, ast.ClassDef)
        if owner.name == "StreamWebSocketControl":
            parts += python_members(common)
        else:
            parts.append("It also has all of [StreamWebSocketControl](#streamwebsocketcontrol).\n")
    return "\n".join(parts)


def python_page() -> str:
    """curlwire for Python."""
    definitions = python_definitions()
    module = ast.parse(read(PACKAGE / "__init__.py"))
    exported = next(
        ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    shown = [name for names in SECTIONS.values() for name in names]
    if sorted(shown) != sorted(set(exported) - NOT_SHOWN):
        raise SystemExit(
            f"docs_reference.py: SECTIONS lacks, or should not have: {set(shown) ^ set(exported) - NOT_SHOWN}"
        )
    parts = ["# Python\n", paragraphs(ast.get_docstring(module) or "")]
    parts.append(
        "Times are seconds. As a timeout, `curlwire.DEFAULT` means the control for that call, and `None` no "
        "limit. `curlwire.__version__` and `curlwire.libcurl_version` are strings.\n"
    )
    for title, names in SECTIONS.items():
        parts.append(heading(2, title, title.lower().replace(" ", "-")))
        for name in names:
            nodes = definitions[name]
            if isinstance(nodes[0], ast.ClassDef):
                parts.append(python_class(nodes[0], definitions))
            else:
                functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
                parts.append(python_function(3, functions, name))
    return "\n".join(parts)


# ---- Lua

LUA_FUNCTION = re.compile(r"function (\w+)([.:])(\w+)\((.*?)\) end")


def lua_type(text: str) -> tuple[str, str]:
    """The type at the start of a text, and the rest. A type has blanks in brackets and after a colon."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "(<[{") - (character in ")>]}")
        if character == " " and depth == 0 and not text[:place].endswith((":", ",")):
            return text[:place], text[place + 1 :]
    return text, ""


@dataclass
class LuaBlock:
    """The lines between two empty lines of annotations.lua."""

    texts: list[str] = field(default_factory=list)
    tags: list[tuple[str, str]] = field(default_factory=list)
    code: str = ""


def lua_blocks() -> Iterator[LuaBlock]:
    for chunk in read(ANNOTATIONS).split("\n\n"):
        block = LuaBlock()
        for line in chunk.splitlines():
            tag = re.match(r"---@(\w+) ?(.*)", line)
            if tag:
                block.tags.append((tag[1], tag[2]))
            elif line.startswith("---"):
                block.texts.append(line[3:].strip())
            elif not line.startswith("--"):
                block.code += line
        yield block


def lua_intro() -> str:
    """The comment at the start of the file."""
    comment = read(ANNOTATIONS).split("---@meta curlwire\n")[1].split("\n\n")[0]
    lines = []
    for line in comment.splitlines():
        text = line.removeprefix("--").removeprefix(" ")
        lines.append(text if text.startswith("    ") else prose(text))
    return "\n".join(lines) + "\n"


def lua_fields(tags: list[tuple[str, str]]) -> Iterator[str]:
    for kind, text in tags:
        if kind == "field":
            name, rest = text.split(" ", 1)
            type_name, what = lua_type(rest)
            yield f"- `{name}` (`{type_name}`)" + (f": {prose(what)}" if what else "")


def lua_function(block: LuaBlock, found: re.Match[str]) -> str:
    owner, dot, name, arguments = found.groups()
    parts = [heading(3, plain(f"{owner}{dot}{name}"), f"{owner}.{name}".lower())]
    parts += [fence("lua", f"{owner}{dot}{name}({arguments})"), prose(" ".join(block.texts)) + "\n"]
    rows = []
    for kind, text in block.tags:
        if kind == "param":
            argument, rest = text.split(" ", 1)
            type_name, what = lua_type(rest)
            rows.append(f"- `{argument}` (`{type_name}`)" + (f": {prose(what)}" if what else ""))
        elif kind == "return":
            type_name, what = (text, "") if text.startswith("fun(") else lua_type(text)
            rows.append(f"- returns `{type_name}`" + (f": {prose(what)}" if what else ""))
    return "\n".join([*parts, *rows]) + "\n"


def lua_page() -> str:
    """curlwire for Lua."""
    classes: dict[str, list[str]] = {}  # its text, then its functions
    local: dict[str, str] = {}
    types = []
    for block in lua_blocks():
        function = LUA_FUNCTION.search(block.code)
        if function:
            classes[local[function[1]]].append(lua_function(block, function))
            continue
        if [kind for kind, _ in block.tags].count("class") > 1:
            raise ValueError(f"put an empty line between the classes of annotations.lua: {block.tags[0][1]}")
        kind, text = next(((kind, text) for kind, text in block.tags if kind in ("class", "alias")), ("", ""))
        words = prose(" ".join(block.texts))
        if kind == "alias":
            for tag, alias in block.tags:
                if tag == "alias":
                    name, meaning = alias.split(" ", 1)
                    types.append(f"- `{name}`: `{meaning}`")
            types.append(f"\n{words}\n" if words else "")
        elif kind == "class":
            name, _, parent = text.partition(": ")
            made = re.match(r"local (\w+)", block.code)
            if made:
                local[made[1]] = name
            parts = [heading(2, name, name.lower()), words + "\n"]
            if parent:
                parts.append(f"It also has all of [{parent}](#{parent.lower()}).\n")
            classes[name] = ["\n".join([*parts, *lua_fields(block.tags)]) + "\n"]
    parts = ["# Lua\n", lua_intro()]
    for made_of in classes.values():
        parts += made_of
    return "\n".join([*parts, heading(2, "Types", "types"), *types]) + "\n"


# ---- C

SECTION = re.compile(r"/\* ---- (.*?) -+ \*/")
MACRO_ROW = re.compile(r'X\((\w+), (-?\d+)(?:, "(.*?)")?\)')
TABLE_PREFIX = {"CW_WEB_STATUS_LIST": "CW_WEB_"}
C_LABEL = re.compile(r"((?:Returns|Owns|Thread|Source|Errors|Blocks)(?:, \w+)*)\s{2,}(.*)")


def c_items(comment: str) -> Iterator[tuple[str, str]]:
    """The lines of a comment as Markdown, each with its mark: "- ", "1. ", or "" for a new paragraph.

    "+" goes on with the line before, indented; "+0" too, unless that one is of a list.
    """
    column = 0  # where the text of the last row began
    for raw in comment.splitlines():
        line = re.sub(r"^ ?\*? ?", "", raw.removeprefix("/*").removesuffix("*/").rstrip())
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        is_row = indent in (2, 3)
        label = C_LABEL.match(text)
        row = re.match(r" +(\S.*?)\s{2,}(?=\S)", line) if is_row else None
        if row:
            column = row.end()
        number = re.match(r"\d+\. ", text)
        if not text:
            yield "", ""
        elif label and indent == 0:
            yield "- ", f"**{label[1]}**: {prose(label[2])}"
        elif row:
            yield "- ", f"`{row[1]}`: {prose(line[column:])}"
        elif is_row and number:
            yield "1. ", prose(text[number.end() :])
        elif (
            is_row
            and 0 < column < len(line)
            and line[column - 1] == " "
            and line[indent:column].count(" ") == 1
        ):
            yield "- ", f"`{line[indent : column - 1]}`: {prose(line[column:])}"
        elif indent == 0 and re.fullmatch(r"[A-Z]\w+", text):
            yield "", f"**{text}.**"
        else:
            yield ("+" if indent else "+0"), prose(text)


def c_text(comment: str) -> str:
    """Returns a C comment as Markdown. Lines that are indented or have a label become items of a list."""
    items: list[tuple[str, str]] = []
    for mark, text in c_items(comment):
        is_open = items and items[-1][1] and (mark == "+" or not items[-1][0])
        if mark.startswith("+") and is_open:
            items[-1] = (items[-1][0], f"{items[-1][1]} {text}")
        else:
            items.append(("" if mark.startswith("+") else mark, text))
    lines: list[str] = []
    before = ""
    for mark, text in items:
        if lines and not (mark and mark == before):
            lines.append("")
        lines.append(mark + text)
        before = mark
    return "\n".join(lines) + "\n"


def c_names(code: str) -> list[str]:
    """Returns what a piece of the header declares."""
    calls = re.findall(r"^CW_API [^;(]*?\b(cw_\w+)\(", code, re.MULTILINE)
    types = re.findall(r"^\} (cw_\w+);", code, re.MULTILINE) + re.findall(
        r"typedef enum \w+ \{.*\} (cw_\w+);", code
    )
    types += re.findall(r"^typedef \w+ \(\*(cw_\w+)\)", code, re.MULTILINE)
    macros = re.findall(r"^#define (CW_[A-Z_]+)", code, re.MULTILINE)
    return list(dict.fromkeys(calls or types or [macro for macro in macros if macro != "CW_X"]))


def c_table(code: str, name: str) -> str:
    """The rows of a table of the header. The page lists the constants that the table makes."""
    if name == "CW_OPTION_LIST":
        return "[Controls](../controls.md) shows the rows.\n"
    prefix = TABLE_PREFIX.get(name, "")
    rows = [
        f"| `{prefix}{word}` | {number} | {prose(text)} |" for word, number, text in MACRO_ROW.findall(code)
    ]
    return "\n".join(["| name | value | text |", "| --- | --- | --- |", *rows]) + "\n"


def c_declaration(code: str) -> str:
    lines = [
        line.removeprefix("CW_API ") for line in code.splitlines() if not line.startswith("/* clang-format")
    ]
    return fence("c", "\n".join(lines))


def c_page() -> str:
    """curlwire.h."""
    chunks = read(HEADER).split("\n\n")
    parts = ["# C\n", c_text(chunks[0].split("\n", 1)[1].split("*/")[0])]
    parts.append(
        "The header is `curlwire.h`. `pkg-config --cflags --libs curlwire` says how to compile and link.\n"
    )
    enumerations = dict(re.findall(r"    (CW_\w+_LIST)\(CW_X\)\n(?:#.*\n| +\w+\n)*\} (\w+);", read(HEADER)))
    anchors: dict[str, str] = {}
    is_before = True
    for chunk in chunks:
        section = SECTION.match(chunk)
        if section:
            is_before = False
            parts.append(heading(2, section[1], section[1].lower()))
            continue
        if is_before or chunk.startswith("#ifdef"):
            continue
        comment = re.match(r"/\*.*?\*/\n", chunk, re.DOTALL)
        code = chunk[comment.end() :] if comment else chunk
        names = c_names(code)
        if not names or "CW_X" in code:  # the constants of the table above
            continue
        text = c_text(comment[0]) if comment and "clang-format" not in comment[0] else ""
        if names[0] in enumerations:
            body = [text, c_table(code, names[0])]
            names = [enumerations[names[0]]]
        else:
            body = [c_declaration(code), text]
        anchors.update(dict.fromkeys(names, names[0]))
        parts += [heading(3, plain(", ".join(names)), names[0]), *body]
    page = "\n".join(parts)
    return re.sub(
        r"`(cw_\w+)`", lambda word: f"[{word[0]}](#{anchors[word[1]]})" if word[1] in anchors else word[0], page
    )


# ---- The examples


def examples_page() -> str:
    """The programs of examples/."""
    parts = ["# Examples\n", "The programs of the folder `examples`. Each has its usage in its first lines.\n"]
    folder = ROOT / "examples"
    for path in sorted([*folder.glob("*.*"), *folder.glob("servers/*.*")]):
        language = {".py": "python", ".lua": "lua", ".c": "c", ".sh": "sh"}[path.suffix]
        name = str(path.relative_to(folder))
        parts += [heading(2, plain(name), name), fence(language, read(path).rstrip())]
    return "\n".join(parts)

# SPDX-License-Identifier: MIT
"""Writes the docstrings of the built extension module into its stub, where editors look for them.

    PYTHONPATH=build/python python3 scripts/stub_docs.py [--check]

The docstrings are written once, in C. Run `make format` afterwards. --check, which lint calls, changes nothing;
it fails if the stub has other docstrings than the module.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from pathlib import Path

STUB = Path(__file__).resolve().parent.parent / "bindings" / "python" / "curlwire" / "_core.pyi"
LINE_CHARACTERS = 112


def wanted_docs(stub: ast.Module, core: object) -> dict[ast.stmt, str]:
    """The module's docstring for each class, method, property and attribute of the stub."""
    docs: dict[ast.stmt, str] = {}
    for owner in (owner for owner in stub.body if isinstance(owner, ast.ClassDef)):
        if owner.name in ("Mailbox", "Reconnect"):  # private to the package
            continue
        # the module has no class for what the two classes of controls share
        runtime = getattr(core, "MessageWebSocketControl" if owner.name == "_Control" else owner.name)
        if owner.name != "_Control":
            docs[owner] = inspect.getdoc(runtime) or ""
        seen: set[str] = set()
        for member in owner.body:
            if isinstance(member, ast.FunctionDef):
                name = member.name
            elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                name = member.target.id
            else:
                continue
            if name.startswith("_") or name in seen:  # a setter, or another overload
                continue
            seen.add(name)
            docs[member] = inspect.getdoc(getattr(runtime, name)) or ""
    return docs


def has_doc(statement: ast.stmt, following: ast.stmt | None) -> str | None:
    """The docstring of a statement: inside of a class or function, after an attribute."""
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef)):
        return ast.get_docstring(statement)
    if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
        return inspect.cleandoc(str(following.value.value))
    return None


def literal(doc: str, indent: str) -> list[str]:
    """A docstring as lines of source. Exits if its lines in C are too long, because to cut them leaves bits."""
    width = LINE_CHARACTERS - len(indent)
    given, lines = doc.splitlines(), []
    for number, line in enumerate(given):
        quotes = 0 if number else 3 if len(given) > 1 else 6
        parts = textwrap.wrap(line, width - quotes) or [""]
        if len(parts) > 1 and number + 1 < len(given) and given[number + 1]:
            sys.exit(f"stub_docs.py: cut the lines of this docstring in C at {width} characters:\n{doc}")
        lines += parts
    if len(lines) == 1:
        return [f'{indent}"""{lines[0]}"""']
    return [f'{indent}"""{lines[0]}', *(f"{indent}{line}".rstrip() for line in lines[1:]), f'{indent}"""']


def with_docs(text: str, core: object) -> str:
    """The text of the stub with the docstrings of the module."""
    stub = ast.parse(text)
    lines = text.splitlines()
    docs = wanted_docs(stub, core)
    changes: list[tuple[int, int, list[str]]] = []  # first line, line after the last, new text
    for owner in (owner for owner in stub.body if isinstance(owner, ast.ClassDef)):
        for place, statement in [(-1, owner), *enumerate(owner.body)]:
            doc = docs.get(statement)
            if doc is None:
                continue
            body: list[ast.stmt] = (
                statement.body if isinstance(statement, (ast.ClassDef, ast.FunctionDef)) else []
            )
            following = owner.body[place + 1] if place + 1 < len(owner.body) else None
            indent = " " * (statement.col_offset + (4 if body else 0))
            if isinstance(statement, ast.FunctionDef):
                head = lines[statement.lineno - 1 : body[0].lineno]
                head[-1] = head[-1][: body[0].col_offset].rstrip()
                head = [line for line in head if line]
                changes.append((statement.lineno - 1, statement.end_lineno or 0, head + literal(doc, indent)))
            elif isinstance(statement, ast.ClassDef):
                is_there = ast.get_docstring(statement) is not None
                is_empty = ast.unparse(body[0]) == "..."
                first = body[0].lineno - 1
                if not is_there and not is_empty and isinstance(body[0], ast.FunctionDef):
                    first -= len(body[0].decorator_list)
                head = [lines[first][: body[0].col_offset].rstrip()] if is_empty else []
                last = body[0].end_lineno or 0 if is_there or is_empty else first
                changes.append((first, last, [line for line in head if line] + literal(doc, indent)))
            else:
                first = statement.end_lineno or 0
                is_there = has_doc(statement, following) is not None
                last = (following.end_lineno or 0) if is_there and following is not None else first
                changes.append((first, last, literal(doc, indent)))
    for first, last, new in sorted(changes, reverse=True, key=lambda change: change[:2]):
        lines[first:last] = new
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    from curlwire import _core

    before = STUB.read_text(encoding="utf-8")
    after = with_docs(before, _core)
    if after == before:
        return 0
    if arguments == ["--check"]:
        print(f"{STUB.name} has other docstrings than the module. Run: make python && make controls")
        return 1
    STUB.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

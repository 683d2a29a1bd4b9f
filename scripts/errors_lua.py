# SPDX-License-Identifier: MIT
"""Finds the texts of errors in Lua files, for errors.py.

They are those of error() and failure(), and those that first go into a variable text, message or problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

GAP = "…"  # stands for a value
STRING = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
BRACKETS = r"\((?:[^()]|\([^()]*\))*\)"
PART = re.compile(rf"{STRING}|\w[\w.:]*(?:{BRACKETS})?|{BRACKETS}")
BEGINS = re.compile(
    rf"(\berror\(|\berror(?= \")|\bfailure\(\"\w+\",|(?<![.\w])(?:text|message|problem) =)\s*\(?\s*"
    rf"((?:{PART.pattern})(?:\s*\.\.\s*(?:{PART.pattern}))*)"
)
CONVERSION = re.compile(r"%[-.\d]*[a-z]")
USE = re.compile(r"failure\(\"(\w+)\"|\berror\(")


def shown(part: str) -> str:
    """Returns the text of a string as the page shows it, and GAP for a value."""
    if part[0] not in "\"'":
        return GAP
    return CONVERSION.sub(GAP, part[1:-1].replace('\\"', '"').partition("\\n")[0])


def texts(path: Path) -> Iterator[tuple[str, str, int]]:
    """Gives each text of a file, its status and its line."""
    code = re.sub(r"(?m)(?<![^ \n])--.*$", "", path.read_text(encoding="utf-8"))
    for found in BEGINS.finditer(code):
        text = "".join(shown(part) for part in PART.findall(found[2]))
        use = USE.search(code, found.start())
        status = use[1] if use and use[1] else "error()"
        yield re.sub(f"{GAP}(?: ?{GAP})*", GAP, text), f"`{status}`", code.count("\n", 0, found.start()) + 1

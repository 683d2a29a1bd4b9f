# SPDX-License-Identifier: MIT
"""Writes core/src/protocol/idn_table.c: what Unicode says about the characters of host names.

    python3 scripts/idn_table.py [--check]

The data come from two packages of tests/requirements.txt: idna has the mapping of UTS #46 and the joining
types, and unicodedata2 has normalisation, bidirectional classes and marks. Both must be of the same version of
Unicode. --check changes nothing; its exit code is 1 if the file is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import unicodedata2 as unicode
from idna import idnadata, uts46data

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "core" / "src" / "protocol" / "idn_table.c"
END = 0x110000
WIDTH = 118
BIDI = ("L", "R", "AL", "AN", "EN", "ES", "CS", "ET", "ON", "BN", "NSM", "other")
JOINING = ("U", "L", "R", "D", "T")
LAST = 1 << 24  # marks the last character of a text

HEAD = """/* SPDX-License-Identifier: MIT */
/* What Unicode {version} says about the characters of host names; protocol.h describes the tables. Do not edit
 * this file: scripts/idn_table.py writes it. The data are under the Unicode licence (LICENSE-UNICODE). */
#include "protocol.h"

/* clang-format off */
"""


def mapping() -> list[str | None]:
    """For each code point: the text that it is mapped to, which is itself if it is valid; None = disallowed."""
    result: list[str | None] = [None] * END
    starts = list(uts46data.uts46_starts)
    for start, end, status, text in zip(
        starts, [*starts[1:], END], uts46data.uts46_statuses.decode(), uts46data.uts46_replacements, strict=True
    ):
        for code in range(start, end):
            if status in "VD":  # D is a deviation, which is valid in non-transitional processing
                result[code] = chr(code)
            elif status == "M":
                result[code] = text
            elif status == "I":
                result[code] = ""
    return result


def is_moved(texts: list[str | None], code: int) -> bool:
    """Returns whether three characters in a row are moved by the same distance."""
    three = texts[code : code + 3]
    deltas = {ord(text) - code - i if text and len(text) == 1 else 0 for i, text in enumerate(three)}
    return len(deltas) == 1 and 0 not in deltas


class Runs:
    """Runs of code points that are treated alike: (first code point, C expression); and the pool of texts."""

    def __init__(self, texts: list[str | None]) -> None:
        self.texts = texts
        self.runs: list[tuple[int, str]] = []
        self.pool: list[int] = []
        code = 0
        while code < END:
            code = self.add(code)

    def while_(self, code: int, wanted: Callable[[int], str | None]) -> int:
        """Returns the end of the run from code on in which each code point has the wanted text."""
        while code < END and self.texts[code] == wanted(code):
            code += 1
        return code

    def add(self, first: int) -> int:
        """Adds the run that begins there, and returns its end."""
        text = self.texts[first]
        if text is None:
            return self.put(first, "NO", self.while_(first, lambda _: None))
        if text == "":
            return self.put(first, "GONE", self.while_(first, lambda _: ""))
        if text == chr(first):
            return self.put(first, "VALID", self.while_(first, chr))
        pairs = self.while_(first, lambda code: chr(code + 1 - (code - first) % 2))
        if pairs >= first + 4:
            return self.put(first, "PAIRS", pairs)
        if is_moved(self.texts, first):
            delta = ord(text) - first
            return self.put(first, f"MOVED({delta})", self.while_(first, lambda code: chr(code + delta)))
        return self.put_texts(first)

    def put(self, first: int, what: str, end: int) -> int:
        self.runs.append((first, what))
        return end

    def put_texts(self, first: int) -> int:
        end = first
        start = len(self.pool)
        while (text := self.texts[end]) and text != chr(end) and not is_moved(self.texts, end):
            self.pool += [*map(ord, text[:-1]), ord(text[-1]) | LAST]
            end += 1
        return self.put(first, f"TEXTS({start})", end)


def pairs(texts: list[str | None]) -> list[tuple[int, int, int]]:
    """The characters that NFC composes: (composed, first, second), if they can occur. Hangul is computed."""
    found = []
    for code in range(END):
        words = unicode.decomposition(chr(code)).split()
        if (
            len(words) == 2
            and words[0][0] != "<"
            and unicode.normalize("NFC", chr(code)) == chr(code)
            and not 0xAC00 <= code < 0xD7A4
        ):
            found.append((code, int(words[0], 16), int(words[1], 16)))
    occurs = {code for code in range(END) if texts[code] == chr(code)}
    count = 0
    while count != len(occurs):
        count = len(occurs)
        occurs |= {code for code, first, second in found if first in occurs and second in occurs}
    kept = [pair for pair in found if pair[1] in occurs and pair[2] in occurs]
    assert {second for _, _, second in kept}.isdisjoint(code for code, _, _ in kept)  # idn.c relies on it
    return kept


def joining_types() -> dict[int, str]:
    found = {}
    for name, ranges in idnadata.joining_types.items():
        for packed in ranges:
            for code in range(packed >> 32, packed & 0xFFFFFFFF):
                found[code] = name
    return found


def properties(texts: list[str | None]) -> list[tuple[int, str]]:
    """The runs (first code point, combining class, bidirectional class, joining type, whether it is a mark)."""
    joining = joining_types()
    runs: list[tuple[int, str]] = []
    for code in range(END):
        if texts[code] != chr(code):
            continue  # it never stays in a label, so what is said here does not matter
        name = unicode.bidirectional(chr(code)) or "L"
        kind = joining.get(code, "U")
        mark = unicode.category(chr(code)).startswith("M")
        bidi = BIDI.index(name if name in BIDI else "other")
        words = (unicode.combining(chr(code)), bidi, JOINING.index(kind if kind in JOINING else "U"), int(mark))
        expression = ", ".join(map(str, words))
        if not runs or runs[-1][1] != expression:
            runs.append((code, expression))
    return runs


def lines(items: Iterable[str]) -> str:
    """Joins items to lines of at most WIDTH characters."""
    text, line = "", "   "
    for item in items:
        if len(line) + len(item) + 2 > WIDTH:
            text += line + "\n"
            line = "   "
        line += f" {item},"
    return text + line + "\n"


def table() -> str:
    if uts46data.__version__ != unicode.unidata_version or idnadata.__version__ != unicode.unidata_version:
        sys.exit("idn_table.py: idna and unicodedata2 are of different versions of Unicode")
    texts = mapping()
    found = Runs(texts)
    arrays = (
        ("cw__idn_run", "runs", [f"{{{code}, CW__IDN_{what}}}" for code, what in found.runs]),
        ("uint32_t", "texts", [str(code) for code in found.pool]),
        ("cw__idn_pair", "pairs", [f"{{{c}, {a}, {b}}}" for c, a, b in pairs(texts)]),
        ("cw__idn_property", "properties", [f"{{{code}, {what}}}" for code, what in properties(texts)]),
    )
    text = HEAD.format(version=unicode.unidata_version)
    for kind, name, items in arrays:
        text += f"\nconst {kind} cw__idn_{name}[] = {{\n{lines(items)}}};\n"
    for one, (_, _, items) in zip(("run", "text", "pair", "property"), arrays, strict=True):
        if one != "text":
            text += f"const size_t cw__idn_{one}_count = {len(items)};\n"
    return text


def main() -> None:
    text = table()
    if sys.argv[1:] == ["--check"]:
        if not TABLE.exists() or TABLE.read_text(encoding="utf-8") != text:
            sys.exit(f"{TABLE.relative_to(ROOT)} is out of date. Run: make idn")
        return
    TABLE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

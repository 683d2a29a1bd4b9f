# SPDX-License-Identifier: MIT
"""Reads the vectors of tests/conformance/handshake into objects. README.md in that folder describes the format.

handshake.py, which sends the vectors, and the Python suite, which checks their outcome, use this reader.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "conformance" / "handshake"
ENDS = ("echo", "eof", "reset", "hang")
OVER = ("ws", "wss", "ws-on-wss", "wss-on-ws")


class BadVector(Exception):
    """A file does not follow the format. The message says where."""


@dataclass
class Vector:
    name: str
    where: str
    rule: str = ""
    protocols: list[str] = field(default_factory=list)
    connect_timeout: float | None = None
    controls: dict[str, str | int] = field(default_factory=dict)
    over: str = "ws"
    # Each is "send", "endless" or "pause", then the bytes, then how many times or how many milliseconds.
    steps: list[tuple[str, bytes, int]] = field(default_factory=list)
    end: str = ""
    opens: str | None = None  # the subprotocol, or "-"
    extensions: str | None = None  # the value that the client reports, or "-"
    headers: list[tuple[str, str]] = field(default_factory=list)
    receives: list[str] = field(default_factory=list)
    fails: str | None = None  # the WebErrorStatus
    http: int = 0
    says: str = ""
    since: tuple[tuple[int, ...], str] | None = None  # it fails with this status from this libcurl on

    @property
    def is_large(self) -> bool:
        return any(name == "endless" or number > 1 for name, _, number in self.steps)


def unescape(text: str) -> bytes:
    """Replaces backslash escapes by bytes. Bytes that are not ASCII can only be written as escapes."""
    simple = {"r": "\r", "n": "\n", "t": "\t", "s": " ", "0": "\0", "\\": "\\"}

    def value(found: re.Match[str]) -> str:
        return chr(int(found[2], 16)) if found[2] else simple[found[1]]

    return re.sub(r"\\(x([0-9a-f]{2})|[rnts0\\])", value, text).encode("latin-1")


def set_key(vector: Vector, key: str, value: str) -> None:
    if key == "rule":
        vector.rule = value
    elif key == "protocols":
        vector.protocols = value.split(", ")
    elif key == "connect_timeout":
        vector.connect_timeout = float(value)
    elif key == "control":
        name, _, text = value.partition(" ")
        vector.controls[name] = int(text) if text.isdigit() else text
    elif key == "extensions":
        vector.extensions = value
    elif key == "terms":
        pass  # only the tests of the core use it
    elif key == "over" and value in OVER:
        vector.over = value
    elif key == "many":
        number, _, text = value.partition(" ")
        vector.steps.append(("send", unescape(text), int(number)))
    elif key == "endless":
        vector.steps.append(("endless", unescape(value), 0))
    elif key == "pause":
        vector.steps.append(("pause", b"", int(value)))
    elif key == "end" and value in ENDS:
        vector.end = value
    elif key == "opens":
        vector.opens = value
    elif key == "header":
        name, _, wanted = value.partition(" = ")
        vector.headers.append((name, wanted))
    elif key == "receives":
        vector.receives.append(value)
    elif key == "fails":
        vector.fails, _, http = value.partition(" ")
        vector.http = int(http or 0)
    elif key == "says":
        vector.says = value
    elif key == "since":
        version, _, status = value.partition(" ")
        vector.since = (tuple(map(int, version.split("."))), status)
    else:
        raise BadVector(f"{vector.where}: no such line: {key}: {value}")


def parse(text: str, file: str) -> list[Vector]:
    vectors: list[Vector] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("name: "):
            vectors.append(Vector(line[6:], f"{file}:{number}"))
        elif not vectors:
            raise BadVector(f"{file}:{number}: a vector begins with its name")
        elif line[0] == ">":
            vectors[-1].steps.append(("send", unescape(line[2:]) + b"\r\n", 1))
        elif line[0] == "+":
            vectors[-1].steps.append(("send", unescape(line[2:]), 1))
        else:
            key, _, value = line.partition(": ")
            set_key(vectors[-1], key, value)
    for vector in vectors:
        if (vector.opens is None) is (vector.fails is None) or not vector.rule:
            raise BadVector(f"{vector.where}: a vector has a rule, and either opens or fails")
        vector.end = vector.end or ("echo" if vector.opens else "hang")
    return vectors


def load() -> list[Vector]:
    """Returns all vectors, in the order of the files."""
    found = [
        vector
        for path in sorted(FOLDER.glob("*.txt"))
        for vector in parse(path.read_text(encoding="utf-8"), path.name)
    ]
    names = [vector.name for vector in found]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise BadVector(f"vectors of the same name: {', '.join(twice)}")
    return found

# SPDX-License-Identifier: MIT
"""What the tests of faults share: starting clients and servers, sessions in the language of client.py, and what
came of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from curlwire import WebErrorStatus

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build"
LIMIT_S = 200
# bounds for every session; a test that wants another adds it, and the last one counts
BOUNDS = "connect_timeout=10,send_timeout=10,receive_timeout=10,close_timeout=10,ping_timeout=10"


@dataclass(frozen=True, eq=False)
class Client:
    """A language: how its client is started."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]

    def __str__(self) -> str:
        return self.name


def lua(name: str, version: str, command: str, build: Path) -> Client:
    modules = build / "lua" / version
    paths = {"LUA_PATH": f"{modules}/?.lua;{modules}/?/init.lua;;", "LUA_CPATH": f"{modules}/?.so;;"}
    return Client(name, (shutil.which(command) or command, str(HERE / "client.lua")), paths)


def clients_of(build: Path) -> tuple[Client, ...]:
    return (
        Client("python", (sys.executable, str(HERE / "client.py")), {"PYTHONPATH": str(build / "python")}),
        lua("lua-5.4", "5.4", "lua5.4", build),
        lua("lua-jit", "jit", "luajit", build),
    )


CLIENTS = clients_of(BUILD)
SYSTEM_CLIENTS = clients_of(BUILD / "system")  # with the system's libcurl


# -- sessions


@dataclass(frozen=True)
class Op:
    """The result of an op. kind is "ok", or the name of the error."""

    name: str
    ms: int
    kind: str
    status: WebErrorStatus = WebErrorStatus.UNKNOWN
    code: int = 0


@dataclass
class Result:
    """The results of a session. closed has (code, was_clean, reason) for each closed event."""

    ops: list[Op] = field(default_factory=list)
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    closed: list[tuple[int, bool, str]] = field(default_factory=list)
    took: int = -1  # messages, by a fill; its last try took
    took_ms: int = -1

    @property
    def last(self) -> Op:
        return self.ops[-1]

    @property
    def flow(self) -> bytes:
        """The bytes of all messages, as a stream gives them."""
        return b"".join(data for _, data in self.messages)

    def op(self, name: str) -> Op:
        return next(op for op in self.ops if op.name == name)

    def add(self, line: str) -> None:
        what, *words = line.split(" ")
        match what:
            case "op" if words[3] == "ok":
                self.ops.append(Op(words[1], int(words[2]), "ok"))
            case "op":
                name, ms, kind, status, code = words[1:]
                self.ops.append(Op(name, int(ms), kind, WebErrorStatus(int(status)), int(code)))
            case "message":
                self.messages.append((words[0], bytes.fromhex(words[1])))
            case "closed":
                self.closed.append((int(words[0]), words[1] == "1", bytes.fromhex(words[2]).decode()))
            case "took":
                self.took, self.took_ms = int(words[0]), int(words[1])
            case _:
                raise AssertionError(f"the client said: {line}")


def session(socket_class: str, mode: str, uri: str, options: str, ops: str) -> str:
    return f"{socket_class} {mode} {uri} {BOUNDS}{',' if options else ''}{options} {ops}\n"


def text(words: str) -> str:
    return f"text:{words.encode().hex()}"


def close(code: int, reason: str = "") -> str:
    return f"close:{code}:{reason.encode().hex()}"


def run(
    client: Client,
    sessions: Sequence[str],
    prefix: Sequence[str] = (),
    environment: dict[str, str] | None = None,
    on_line: Callable[[str], object] = lambda _: None,
) -> list[Result]:
    """One process does the sessions one after another; what came of each. on_line gets each line at once."""
    said: list[str] = []
    with tempfile.TemporaryFile("w+") as stdin:
        stdin.writelines(sessions)
        stdin.seek(0)
        process = subprocess.Popen(
            [*prefix, *client.command], env={**os.environ, **client.environment, **(environment or {})},
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    limit = threading.Timer(LIMIT_S, process.kill)
    limit.start()
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip("\n"))
            on_line(said[-1])
    limit.cancel()
    output = "\n".join(said)
    assert process.returncode == 0, f"{client} ended with {process.returncode}:\n{output[-3000:]}"
    results = [Result()]
    for line in said:
        if line == "end":
            results.append(Result())
        else:
            results[-1].add(line)
    rest = results.pop()
    assert rest == Result(), f"after the end of {client}'s last session: {rest}"
    assert len(results) == len(sessions), f"{client} did {len(results)} sessions of {len(sessions)}"
    return results


# -- servers


@contextlib.contextmanager
def started(*command: str, prefix: Sequence[str] = ()) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A server of tests/ whose first line is "listening PORT"."""
    process = subprocess.Popen(
        [*prefix, sys.executable, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[:1] == ["listening"], f"{command} did not start: {words}"
        yield int(words[1]), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]

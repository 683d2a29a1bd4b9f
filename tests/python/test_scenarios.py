# SPDX-License-Identifier: MIT
"""The scenarios of UWP's documentation, examples/uwp_*: what they print, and what the server receives."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import curlwire
from peers import WAIT, Recorded, handshake, url

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MODULES = Path(curlwire.__file__).resolve().parents[1]
LUA_MODULES = MODULES.parent / "lua/5.4"
TEXT, BINARY, CLOSE = 1, 2, 8
LANGUAGES = pytest.mark.parametrize("language", ["py", "lua"])


def run(name: str, language: str, *arguments: str, code: int = 0) -> list[str]:
    """Runs an example with a URI and more arguments, checks its exit code, and returns the lines it printed."""
    interpreter = sys.executable if language == "py" else "lua5.4"
    environment = {
        "PYTHONPATH": str(MODULES),
        "LUA_PATH": f"{LUA_MODULES}/?.lua;{LUA_MODULES}/?/init.lua;;",
        "LUA_CPATH": f"{LUA_MODULES}/?.so;;",
    }
    ended = subprocess.run(
        [interpreter, str(EXAMPLES / f"{name}.{language}"), *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=WAIT,
    )  # fmt: skip
    assert ended.returncode == code, ended.stderr
    assert bool(ended.stderr) is (code == 1 and not ended.stdout), ended.stderr
    return ended.stdout.splitlines()


def frames(server: Recorded) -> list[tuple[Any, bytes]]:
    return [(frame["opcode"], bytes.fromhex(frame["payload"])) for frame in server.record()["frames"]]


@LANGUAGES
def test_scenario_message(language: str) -> None:
    server = Recorded("echo")
    printed = run("uwp_message", language, server.url)
    assert printed == ["sending: Hello, World!", "received: Hello, World!", "closed: 1000"]
    assert frames(server) == [(TEXT, b"Hello, World!"), (CLOSE, b"\x03\xe8")]


@LANGUAGES
def test_scenario_stream(language: str) -> None:
    server = Recorded("echo")
    printed = run("uwp_stream", language, server.url)
    assert printed == ["writing: 0 1 2 3 4 5 6 7 8 9", "read: 0 1 2 3 4 5 6 7 8 9", "closed: 1000"]
    assert frames(server) == [(BINARY, bytes(range(10))), (CLOSE, b"\x03\xe8")]


@LANGUAGES
def test_scenario_close(language: str) -> None:
    server = Recorded("echo")
    assert run("uwp_close", language, server.url) == ["closing: 1000", "closed: 1000"]
    assert frames(server) == [(CLOSE, b"\x03\xe8")]


@LANGUAGES
def test_scenario_no_delay(language: str) -> None:
    server = Recorded("echo")
    printed = run("uwp_no_delay", language, server.url)
    assert printed == ["writing: small", "no_delay cannot change after connecting"]
    assert frames(server) == [(BINARY, b"small"), (CLOSE, b"\x03\xe8")]


@LANGUAGES
def test_scenario_cancel(language: str) -> None:
    server = Recorded("echo")
    assert run("uwp_cancel", language, server.url, str(WAIT)) == ["connected in time", "received: hello"]
    assert frames(server) == [(TEXT, b"hello"), (CLOSE, b"\x03\xe8")]
    for seconds in ("0.2", "2", "20"):  # on a busy machine the time may be over before the request is sent
        with socket.create_server(("127.0.0.1", 0)) as silent:
            uri = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
            assert run("uwp_cancel", language, uri, seconds, code=1) == [f"gave up after {seconds} s"]
            silent.setblocking(False)
            request = b""
            with contextlib.suppress(BlockingIOError), silent.accept()[0] as connection:
                request = connection.recv(65536)
        if request:
            break
    assert request.startswith(b"GET / HTTP/1.1\r\n")


@LANGUAGES
def test_scenario_status(language: str) -> None:
    assert run("uwp_status", language, url("CW_REFUSED_WS")) == ["status: 14", "no server listens there"]
    server = Recorded(handshake("HTTP/1.1 404 Not Found\nContent-Length: 0\n\n"))
    printed = run("uwp_status", language, server.url)
    assert printed == ["status: 404", "the server does not have this path"]
    assert frames(server) == []


@LANGUAGES
@pytest.mark.parametrize("name", ["uwp_message", "uwp_stream", "uwp_close", "uwp_no_delay", "uwp_cancel"])
def test_a_scenario_reports_a_failed_connect(name: str, language: str) -> None:
    assert run(name, language, url("CW_REFUSED_WS"), code=1) == []


def test_both_languages_have_the_same_scenarios() -> None:
    python = {path.stem for path in EXAMPLES.glob("uwp_*.py")}
    assert python == {path.stem for path in EXAMPLES.glob("uwp_*.lua")}
    assert all(re.fullmatch("uwp_[a-z_]+", name) for name in python)
